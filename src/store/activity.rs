//! When people whose connections are for shared rooms last did something there.

use sqlx::FromRow;

use super::pool::{later, on};
use super::{NewOutbox, Store, StoreError, outbox};

/// A session that is to be connected and has a channel in a shared room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lurker {
    /// Its number.
    pub session: i64,
    /// Whether it has other rooms, too: its own of a channel that its user wants to be in or of a conversation, or one that
    /// was there before.
    pub has_own_rooms: bool,
    /// When its user last did something, in milliseconds since 1970, as far as that is known.
    pub active_at: Option<i64>,
}

#[derive(FromRow)]
struct Row {
    session: i64,
    has_own_rooms: bool,
    active_at: Option<Vec<u8>>,
}

impl Store {
    /// The sessions that are to be connected and have a channel in a shared room that the bridge has made; first those whose
    /// users did nothing for longest, and last those of whom that is not known.
    pub async fn lurkers(&self) -> Result<Vec<Lurker>, StoreError> {
        const SQL: &str =
            "SELECT session.id AS session, EXISTS (SELECT 1 FROM buffer JOIN link ON link.buffer = buffer.id
                JOIN room ON room.id = link.room WHERE buffer.session = session.id
                    AND (link.role = 'private' AND (buffer.kind = 'query' OR buffer.wanted) OR link.listens
                        OR link.role = 'shared' AND room.plumbed IS NOT NULL)) AS has_own_rooms,
                setting.value AS active_at
            FROM session LEFT JOIN setting ON setting.scope = 'session' AND setting.key = 'active'
                AND setting.scope_id = CAST(session.id AS TEXT)
            WHERE session.connect AND EXISTS (SELECT 1 FROM buffer JOIN link ON link.buffer = buffer.id
                JOIN room ON room.id = link.room
                WHERE buffer.session = session.id AND link.role = 'shared' AND NOT link.listens AND room.plumbed IS NULL)
            ORDER BY session.id";
        let rows: Vec<Row> = on!(self.readers(), |p| sqlx::query_as(SQL).fetch_all(p).await)?;
        let read = |Row { session, has_own_rooms, active_at }| {
            let text = active_at.and_then(|bytes: Vec<u8>| String::from_utf8(bytes).ok());
            Lurker { session, has_own_rooms, active_at: text.and_then(|text| text.parse().ok()) }
        };
        let mut lurkers: Vec<Lurker> = rows.into_iter().map(read).collect();
        lurkers.sort_by_key(|lurker| lurker.active_at.unwrap_or(i64::MAX));
        Ok(lurkers)
    }

    /// A session is not to be connected from now on; with the requests that tell its user.
    pub async fn give_connection_up(
        &self,
        session: i64,
        rows: Vec<NewOutbox>,
        now: i64,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE session SET connect = FALSE WHERE id = $1";
        let sealed = self.seal_outbox(rows);
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, session)?;
                outbox::insert(tx, &store, sealed, now).await.map(drop)
            })
        })
        .await
    }

    /// Whether a session has a channel in a shared room that the bridge has made.
    pub async fn is_lurker(&self, session: i64) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT EXISTS (SELECT 1 FROM buffer JOIN link ON link.buffer = buffer.id
            JOIN room ON room.id = link.room
            WHERE buffer.session = $1 AND link.role = 'shared' AND NOT link.listens AND room.plumbed IS NULL)";
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(session).fetch_one(p).await)?)
    }
}
