//! Users, networks and sessions.

use sqlx::FromRow;

use super::pool::{Tx, execute, later, on, on_tx};
use super::settings::CLOSED;
use super::{Store, StoreError};
use crate::names::session_address;

/// A Matrix user of the bridge.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct User {
    /// Our number for them.
    pub id: i64,
    /// Their Matrix id.
    pub user_id: String,
}

/// One user's connection to one network.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SessionRow {
    /// Our number for it.
    pub id: i64,
    /// The number of its user.
    pub user: i64,
    /// The Matrix id of its user.
    pub user_id: String,
    /// The network's slug.
    pub network: String,
    /// Tells several sessions of one user on one network apart; empty for the first.
    pub name: String,
    /// Whether it should be connected.
    pub connect: bool,
}

impl SessionRow {
    /// How its user calls it: `libera`, or `libera/work`.
    pub fn address(&self) -> String {
        session_address(&self.network, &self.name)
    }
}

const SESSION: &str = r#"SELECT session.id, "user".id AS "user", "user".user_id, session.network, session.name,
    session.connect FROM session JOIN "user" ON "user".id = session."user" "#;

const NETWORK: &str = "INSERT INTO network (slug, name, created_at) VALUES ($1, $2, $3)
    ON CONFLICT (slug) DO UPDATE SET name = excluded.name";

macro_rules! session_query {
    ($tail:literal) => {
        sqlx::AssertSqlSafe(format!("{SESSION}{}", $tail))
    };
}

impl Store {
    /// The user's row, made where it is missing.
    pub async fn ensure_user(&self, user_id: &str, now: i64) -> Result<User, StoreError> {
        const FIND: &str = r#"SELECT id, user_id FROM "user" WHERE user_id = $1"#;
        const MAKE: &str = r#"INSERT INTO "user" (user_id, created_at) VALUES ($1, $2)
            ON CONFLICT (user_id) DO UPDATE SET user_id = excluded.user_id RETURNING id, user_id"#;
        let found = on!(self.readers(), |p| sqlx::query_as(FIND).bind(user_id).fetch_optional(p).await)?;
        if let Some(user) = found {
            return Ok(user);
        }
        let user_id = user_id.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                Ok(on_tx!(tx, |c| sqlx::query_as(MAKE).bind(user_id).bind(now).fetch_one(c).await)?)
            })
        })
        .await
    }

    /// The Matrix id of a user.
    pub async fn user_id(&self, user: i64) -> Result<String, StoreError> {
        const SQL: &str = r#"SELECT user_id FROM "user" WHERE id = $1"#;
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(user).fetch_one(p).await)?)
    }

    /// All users' numbers and Matrix ids, in the order in which they came.
    pub async fn user_ids(&self) -> Result<Vec<(i64, String)>, StoreError> {
        const SQL: &str = r#"SELECT id, user_id FROM "user" ORDER BY id"#;
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).fetch_all(p).await)?)
    }

    /// All users' Matrix ids, and since when each has used the bridge, in milliseconds since 1970; the first come first.
    pub async fn users_since(&self) -> Result<Vec<(String, i64)>, StoreError> {
        const SQL: &str = r#"SELECT user_id, created_at FROM "user" ORDER BY id"#;
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).fetch_all(p).await)?)
    }

    /// Makes the network's row, or gives it this name.
    pub async fn ensure_network(&self, slug: &str, name: &str, now: i64) -> Result<(), StoreError> {
        let (slug, name) = (slug.to_owned(), name.to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, NETWORK, slug, name, now)?;
                Ok(())
            })
        })
        .await
    }

    /// The session of this user on this network that bears this name, or none, made where it is missing; and whether it
    /// was made, or was closed.
    pub async fn open_session(
        &self,
        user: &User,
        (network, name): (&str, &str),
        network_name: &str,
        now: i64,
    ) -> Result<(SessionRow, bool), StoreError> {
        const MAKE: &str = r#"INSERT INTO session ("user", network, name, connect, created_at)
            VALUES ($1, $2, $4, TRUE, $3) ON CONFLICT ("user", network, name) DO NOTHING"#;
        const OPEN: &str = "DELETE FROM setting WHERE scope = 'session' AND scope_id = $1 AND key = $2";
        const CONNECT: &str =
            r#"UPDATE session SET connect = TRUE WHERE "user" = $1 AND network = $2 AND name = $3"#;
        let (user, network, network_name) = (user.id, network.to_owned(), network_name.to_owned());
        let name = name.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, NETWORK, &network, network_name, now)?;
                let made = execute!(tx, MAKE, user, &network, now, &name)?;
                later!(tx, CONNECT, user, &network, &name)?;
                let sql = session_query!(
                    r#"WHERE session."user" = $1 AND session.network = $2 AND session.name = $3"#
                );
                let row: SessionRow = on_tx!(tx, |c| sqlx::query_as(sql)
                    .bind(user)
                    .bind(&network)
                    .bind(&name)
                    .fetch_one(c)
                    .await)?;
                let opened = execute!(tx, OPEN, row.id.to_string(), CLOSED.key)?;
                Ok((row, made + opened > 0))
            })
        })
        .await
    }

    /// All sessions, in the order in which they were opened.
    pub async fn sessions(&self) -> Result<Vec<SessionRow>, StoreError> {
        let sql = session_query!("ORDER BY session.id");
        Ok(on!(self.readers(), |p| sqlx::query_as(sql).fetch_all(p).await)?)
    }

    /// All sessions of a user, also closed ones, in the order in which they were opened.
    pub async fn sessions_of(&self, user: i64) -> Result<Vec<SessionRow>, StoreError> {
        let sql = session_query!(r#"WHERE session."user" = $1 ORDER BY session.id"#);
        Ok(on!(self.readers(), |p| sqlx::query_as(sql).bind(user).fetch_all(p).await)?)
    }

    /// The sessions of a user that are closed, in the order in which they were opened.
    pub async fn closed_sessions(&self, user: i64) -> Result<Vec<SessionRow>, StoreError> {
        let sql = session_query!(
            r#"WHERE session."user" = $1 AND EXISTS (SELECT 1 FROM setting WHERE setting.scope = 'session'
                AND setting.key = 'closed' AND setting.scope_id = CAST(session.id AS TEXT)) ORDER BY session.id"#
        );
        Ok(on!(self.readers(), |p| sqlx::query_as(sql).bind(user).fetch_all(p).await)?)
    }

    /// The sessions that are not closed, in the order in which they were opened.
    pub async fn open_sessions(&self) -> Result<Vec<SessionRow>, StoreError> {
        let sql = session_query!(
            "WHERE NOT EXISTS (SELECT 1 FROM setting WHERE setting.scope = 'session' AND setting.key = 'closed'
                AND setting.scope_id = CAST(session.id AS TEXT)) ORDER BY session.id"
        );
        Ok(on!(self.readers(), |p| sqlx::query_as(sql).fetch_all(p).await)?)
    }

    /// Closes a session: it is not started again until it is opened, and the rooms that it had are not its own any more.
    /// Where it has one that is not among those that were left, or is in a shared one, nothing happens, and the answer is
    /// no.
    pub async fn close_session(&self, session: i64, left: Vec<String>) -> Result<bool, StoreError> {
        const ROOMS: &str = "SELECT room.room_id FROM room JOIN link ON link.room = room.id
            WHERE room.room_id IS NOT NULL
                AND (link.session = $1 OR link.buffer IN (SELECT id FROM buffer WHERE session = $1))
                AND link.role <> 'shared'
            UNION SELECT room_id FROM space WHERE session = $1 AND room_id IS NOT NULL";
        // Who is in a shared room is taken out of it by a request, or reads on.
        const SHARED: &str = "SELECT room FROM link WHERE role = 'shared'
            AND buffer IN (SELECT id FROM buffer WHERE session = $1) LIMIT 1";
        const DISCONNECT: &str = "UPDATE session SET connect = FALSE WHERE id = $1";
        const UNWANT: &str = "UPDATE buffer SET wanted = FALSE, detached_after = NULL WHERE session = $1";
        // Who is asked there sees it no more; what is asked again later is asked anew.
        const UNASK: &str = "DELETE FROM question WHERE txn_id IN (SELECT outbox.txn_id FROM outbox
            JOIN link ON link.room = outbox.room AND link.role <> 'shared'
            WHERE link.session = $1 OR link.buffer IN (SELECT id FROM buffer WHERE session = $1))";
        const UNFOLD: &str =
            "DELETE FROM fold WHERE room IN (SELECT room FROM link WHERE role <> 'shared' AND (session = $1
            OR buffer IN (SELECT id FROM buffer WHERE session = $1)))";
        // Nobody of ours is there any more.
        const EMPTY: &str =
            "DELETE FROM member WHERE room IN (SELECT room FROM link WHERE role <> 'shared' AND (session = $1
            OR buffer IN (SELECT id FROM buffer WHERE session = $1)))";
        const UNLINK: &str = "DELETE FROM link WHERE session = $1
            OR buffer IN (SELECT id FROM buffer WHERE session = $1)";
        const EMPTY_SPACE: &str = "DELETE FROM space_child WHERE session = $1";
        const DROP_SPACE: &str = "DELETE FROM space WHERE session = $1";
        const CLOSE: &str = "INSERT INTO setting (scope, scope_id, key, value) VALUES ('session', $1, $2, $3)
            ON CONFLICT (scope, scope_id, key) DO NOTHING";
        self.write(move |tx| {
            Box::pin(async move {
                let rooms: Vec<String> =
                    on_tx!(tx, |c| sqlx::query_scalar(ROOMS).bind(session).fetch_all(c).await)?;
                let shared: Option<i64> =
                    on_tx!(tx, |c| sqlx::query_scalar(SHARED).bind(session).fetch_optional(c).await)?;
                if shared.is_some() || rooms.iter().any(|room| !left.contains(room)) {
                    return Ok(false);
                }
                for sql in [DISCONNECT, UNWANT, UNASK, UNFOLD, EMPTY, UNLINK, EMPTY_SPACE, DROP_SPACE] {
                    later!(tx, sql, session)?;
                }
                later!(tx, CLOSE, session.to_string(), CLOSED.key, b"yes".to_vec())?;
                Ok(true)
            })
        })
        .await
    }

    /// The session with this number, unless it is closed.
    pub async fn session(&self, id: i64) -> Result<Option<SessionRow>, StoreError> {
        let sql = session_query!(
            "WHERE session.id = $1 AND NOT EXISTS (SELECT 1 FROM setting WHERE setting.scope = 'session'
                AND setting.key = 'closed' AND setting.scope_id = CAST(session.id AS TEXT))"
        );
        Ok(on!(self.readers(), |p| sqlx::query_as(sql).bind(id).fetch_optional(p).await)?)
    }

    /// Says whether a session should be connected.
    pub async fn set_connect(&self, session: i64, connect: bool) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE session SET connect = $2 WHERE id = $1";
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, session, connect)?;
                Ok(())
            })
        })
        .await
    }

    /// How often a session's pace was halved, and when last, in milliseconds since 1970; none where it never was.
    pub async fn slowdown(&self, session: i64) -> Result<Option<(i64, i64)>, StoreError> {
        const SQL: &str = "SELECT slowdown, slowed_at FROM session WHERE id = $1 AND slowed_at IS NOT NULL";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(session).fetch_optional(p).await)?)
    }

    /// Says so.
    pub async fn set_slowdown(&self, session: i64, halvings: i64, now: i64) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE session SET slowdown = $2, slowed_at = $3 WHERE id = $1";
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, session, halvings, now)?;
                Ok(())
            })
        })
        .await
    }

    /// Takes a session over for this instance and returns the epoch that its writes carry from now on.
    pub async fn claim_session(&self, session: i64, owner: &str) -> Result<i64, StoreError> {
        const SQL: &str = "UPDATE session SET owner = $2, epoch = epoch + 1 WHERE id = $1 RETURNING epoch";
        let owner = owner.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                Ok(on_tx!(tx, |c| sqlx::query_scalar(SQL).bind(session).bind(owner).fetch_one(c).await)?)
            })
        })
        .await
    }
}

/// Refuses a write for a session that another instance has taken over.
/// Fails the write with [`StoreError::Superseded`] where the session is another process's, or gone.
pub(super) async fn check_epoch(tx: &mut Tx, session: i64, epoch: i64) -> Result<(), StoreError> {
    const FIND: &str = "SELECT epoch FROM session WHERE id = $1";
    let found: Option<i64> = on_tx!(tx, |c| sqlx::query_scalar(FIND).bind(session).fetch_optional(c).await)?;
    if found == Some(epoch) { Ok(()) } else { Err(StoreError::Superseded) }
}
