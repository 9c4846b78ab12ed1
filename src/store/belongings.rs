//! What is stored about one user: found, counted and deleted, whatever table it is in.
//!
//! The table below says of every table which of its rows are a user's. A test holds it against the schema, and another one
//! fills every table and deletes a user from it, so that a new table can't be forgotten.
//!
//! What users share stays: names of channels, and the people of IRC who were seen on networks that others use too.

use sqlx::AssertSqlSafe;

use super::history::forget::{SCRUB, TO_SCRUB};
use super::pool::{Tx, execute, on, on_tx};
use super::{NewOutbox, Store, StoreError, User, outbox};

/// Whose the rows of a table are.
pub(super) enum Rows {
    /// Those that this condition finds; `$1` is the user's number, `$2` their Matrix id.
    OfUser(String),
    /// Nobody's.
    OfNobody,
}

/// Each table, in an order in which its rows can go, and whose they are.
pub(super) fn tables() -> Vec<(&'static str, Rows)> {
    let networks = "(SELECT slug FROM network WHERE owner = $1)";
    let sessions = format!(r#"(SELECT id FROM session WHERE "user" = $1 OR network IN {networks})"#);
    let buffers = format!("(SELECT id FROM buffer WHERE session IN {sessions})");
    let channels = format!("(SELECT id FROM channel WHERE network IN {networks})");
    let ghosts = format!("(SELECT id FROM ghost WHERE network IN {networks})");
    let rooms = format!(
        r#"(SELECT id FROM room WHERE owner = $1 UNION SELECT room FROM link WHERE "user" = $1
            OR session IN {sessions} OR (buffer IN {buffers} AND role <> 'shared') OR channel IN {channels}
            OR network IN {networks})"#
    );
    // Numbers stand there as text.
    let number = "CAST(CAST($1 AS BIGINT) AS TEXT)";
    let text = |numbers: &str| numbers.replacen("SELECT id", "SELECT CAST(id AS TEXT)", 1);
    let settings = format!(
        "(scope = 'user' AND scope_id = {number}) OR (scope = 'session' AND scope_id IN {})
            OR (scope = 'buffer' AND scope_id IN {}) OR (scope = 'network' AND scope_id IN {networks})",
        text(&sessions),
        text(&buffers)
    );
    let inbox = format!(
        "lane = 'user/' || CAST($2 AS TEXT) OR lane IN (SELECT 'session/' || CAST(id AS TEXT) FROM session WHERE id IN {sessions})
            OR lane IN (SELECT lane FROM room WHERE id IN {rooms})
            OR room_id IN (SELECT room_id FROM room WHERE id IN {rooms}) OR person = CAST($2 AS TEXT)"
    );
    let of = |column: &str, those: &str| Rows::OfUser(format!("{column} IN {those}"));
    vec![
        ("history", Rows::OfUser(format!("buffer IN {buffers} OR channel IN {channels}"))),
        ("prompt", of("buffer", &buffers)),
        ("hourglass", of("buffer", &buffers)),
        ("reaction", of("buffer", &buffers)),
        ("published", of("buffer", &buffers)),
        ("irc_line", of("session", &sessions)),
        ("question", Rows::OfUser(r#""user" = $1"#.to_owned())),
        ("inbox", Rows::OfUser(inbox)),
        ("outbox", of("room", &rooms)),
        ("fold", of("room", &rooms)),
        ("member", Rows::OfUser(format!("room IN {rooms} OR ghost IN {ghosts}"))),
        ("space_child", of("session", &sessions)),
        ("space", of("session", &sessions)),
        ("setting", Rows::OfUser(settings)),
        ("outsider", Rows::OfUser(format!("user_id = CAST($2 AS TEXT) OR room IN {rooms}"))),
        // Its links go with it.
        ("room", of("id", &rooms)),
        // A shared room stays, for others.
        ("link", Rows::OfUser(format!("room IN {rooms} OR buffer IN {buffers}"))),
        ("stay", of("buffer", &buffers)),
        ("timed_ban", of("buffer", &buffers)),
        ("buffer", of("session", &sessions)),
        ("session", of("id", &sessions)),
        ("ghost", of("network", networks)),
        ("channel", of("network", networks)),
        ("network", Rows::OfUser("owner = $1".to_owned())),
        ("user", Rows::OfUser("id = $1".to_owned())),
        ("instance", Rows::OfNobody),
        ("sts_policy", Rows::OfNobody),
        // What others have published about somebody.
        ("policy_rule", Rows::OfNobody),
        ("replaced", Rows::OfNobody),
    ]
}

/// Tables, each with a number of rows.
type Counts = Vec<(&'static str, u64)>;

/// A condition for rows of a user, which always has both parameters.
pub(super) fn condition(those: &str) -> String {
    format!("({those}) AND CAST($2 AS TEXT) IS NOT NULL")
}

impl Store {
    /// A user who is known; with the number 0 somebody who is so only from what they said in a room that others share.
    pub async fn known_user(&self, user_id: &str) -> Result<Option<User>, StoreError> {
        const SQL: &str = r#"SELECT id, user_id FROM "user" WHERE user_id = $1
            UNION SELECT CAST(0 AS BIGINT), user_id FROM outsider WHERE user_id = $1
            UNION SELECT CAST(0 AS BIGINT), person FROM inbox WHERE person = $1 ORDER BY 1 DESC LIMIT 1"#;
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(user_id).fetch_optional(p).await)?)
    }

    /// How many rows of each table are a user's.
    pub async fn belongings(&self, user: &User) -> Result<Counts, StoreError> {
        let user = user.clone();
        self.write(move |tx| Box::pin(async move { count(tx, &user).await })).await
    }

    /// The buffers of all sessions of a user, also of those that are closed.
    pub async fn buffers_of_user(&self, user: &User) -> Result<Vec<i64>, StoreError> {
        const SQL: &str = r#"SELECT buffer.id FROM buffer JOIN session ON session.id = buffer.session
            WHERE session."user" = $1 ORDER BY buffer.id"#;
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(user.id).fetch_all(p).await)?)
    }

    /// Deletes all that is stored about a user, all or nothing, and says how many rows of each table that was. Words of
    /// theirs may be left in the index of the history until [`Store::scrub_words`] is through. What takes them out of the
    /// shared rooms that they are in is stored with it, and these are given: also of those that they have only just
    /// entered, so that nobody has dealt with it, and nobody will.
    pub async fn delete_user(
        &self,
        user: &User,
        removal: impl Fn(i64) -> NewOutbox + Send + 'static,
        now: i64,
    ) -> Result<(Counts, Vec<i64>), StoreError> {
        const SHARED: &str = r#"SELECT link.room FROM link JOIN buffer ON buffer.id = link.buffer
            JOIN session ON session.id = buffer.session WHERE link.role = 'shared' AND session."user" = $1
            UNION SELECT room.id FROM inbox JOIN room ON room.room_id = inbox.room_id
            WHERE inbox.lane = 'user/' || CAST($2 AS TEXT) AND inbox.state = 'new' AND room.kind = 'shared' ORDER BY 1"#;
        let user = user.clone();
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let counts = count(tx, &user).await?;
                let shared: Vec<i64> = on_tx!(tx, |c| sqlx::query_scalar(SHARED)
                    .bind(user.id)
                    .bind(&user.user_id)
                    .fetch_all(c)
                    .await)?;
                for (table, rows) in tables() {
                    let Rows::OfUser(those) = rows else { continue };
                    // The names and conditions are those of the table above.
                    let sql = format!(r#"DELETE FROM "{table}" WHERE {}"#, condition(&those));
                    on_tx!(tx, |c| sqlx::query(AssertSqlSafe(sql))
                        .bind(user.id)
                        .bind(&user.user_id)
                        .execute(c)
                        .await
                        .map(drop))?;
                }
                if matches!(tx, Tx::Sqlite(_)) {
                    execute!(tx, TO_SCRUB, SCRUB, b"begin".to_vec())?;
                }
                let sealed = store.seal_outbox(shared.iter().map(|room| removal(*room)).collect());
                outbox::insert(tx, &store, sealed, now).await?;
                Ok((counts, shared))
            })
        })
        .await
    }
}

/// What went with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoneSession {
    /// Its channels and conversations.
    pub buffers: u64,
    /// What was said there.
    pub lines: u64,
}

impl Store {
    /// Deletes all that is stored about a closed session of a user's, all or nothing. Nothing happens to one that is open, or
    /// another's. Words may be left in the index of the history until [`Store::scrub_words`] is through.
    pub async fn delete_closed_session(
        &self,
        user: i64,
        session: i64,
    ) -> Result<Option<GoneSession>, StoreError> {
        const CLOSED: &str = r#"SELECT session.id FROM session JOIN setting ON setting.scope = 'session'
            AND setting.scope_id = CAST(session.id AS TEXT) AND setting.key = 'closed'
            WHERE session.id = $1 AND session."user" = $2"#;
        const LINES: &str = "DELETE FROM history WHERE buffer IN (SELECT id FROM buffer WHERE session = $1)";
        // Of those that are done nothing is left but that they were seen, which goes by itself. There is no index of them.
        const EVENTS: &str = "DELETE FROM inbox
            WHERE state = 'new' AND lane = 'session/' || CAST(CAST($1 AS BIGINT) AS TEXT)";
        const SETTINGS: &str = "DELETE FROM setting
            WHERE (scope = 'session' AND scope_id = CAST(CAST($1 AS BIGINT) AS TEXT))
                OR (scope = 'buffer'
                    AND scope_id IN (SELECT CAST(id AS TEXT) FROM buffer WHERE session = $1))";
        // What hangs on them goes with them.
        const BUFFERS: &str = "DELETE FROM buffer WHERE session = $1";
        const SESSION: &str = "DELETE FROM session WHERE id = $1";
        self.write(move |tx| {
            Box::pin(async move {
                let found: Option<i64> = on_tx!(tx, |c| sqlx::query_scalar(CLOSED)
                    .bind(session)
                    .bind(user)
                    .fetch_optional(c)
                    .await)?;
                if found.is_none() {
                    return Ok(None);
                }
                let lines = execute!(tx, LINES, session)?;
                if lines > 0 && matches!(tx, Tx::Sqlite(_)) {
                    execute!(tx, TO_SCRUB, SCRUB, b"begin".to_vec())?;
                }
                execute!(tx, EVENTS, session)?;
                execute!(tx, SETTINGS, session)?;
                let buffers = execute!(tx, BUFFERS, session)?;
                execute!(tx, SESSION, session)?;
                Ok(Some(GoneSession { buffers, lines }))
            })
        })
        .await
    }
}

async fn count(tx: &mut Tx, user: &User) -> Result<Counts, StoreError> {
    let mut counts = Vec::new();
    for (table, rows) in tables() {
        let Rows::OfUser(those) = rows else { continue };
        let sql = format!(r#"SELECT COUNT(*) FROM "{table}" WHERE {}"#, condition(&those));
        let found: i64 = on_tx!(tx, |c| sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(user.id)
            .bind(&user.user_id)
            .fetch_one(c)
            .await)?;
        counts.push((table, found.unsigned_abs()));
    }
    Ok(counts)
}
