//! Relays: which session says in a shared room's channel what people say there who have no connection of their own.
//!
//! That is a mark on the session's link to the room: it goes with the link, and at most one link of a room has it. Such a
//! link says nothing of the session's user, who may be in the room by another one.

use sqlx::FromRow;

use super::pool::{execute, on, on_tx};
use super::{Store, StoreError};

/// A session that relays.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Relay {
    /// The session's number.
    pub session: i64,
    /// Whose it is.
    pub user_id: String,
    /// The number of the room.
    pub room: i64,
    /// The room's Matrix id, once it exists.
    pub room_id: Option<String>,
    /// The channel's name.
    pub channel: String,
}

macro_rules! relays {
    ($condition:literal) => {
        concat!(
            r#"SELECT buffer.session, "user".user_id, link.room, room.room_id, buffer.name AS channel
            FROM link JOIN room ON room.id = link.room JOIN buffer ON buffer.id = link.buffer
            JOIN session ON session.id = buffer.session JOIN "user" ON "user".id = session."user"
            WHERE link.relays "#,
            $condition
        )
    };
}

impl Store {
    /// The session that relays in a room.
    pub async fn relay_of(&self, room: i64) -> Result<Option<Relay>, StoreError> {
        const SQL: &str = relays!("AND link.room = $1");
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(room).fetch_optional(p).await)?)
    }

    /// All sessions that relay.
    pub async fn relays(&self) -> Result<Vec<Relay>, StoreError> {
        const SQL: &str = relays!("ORDER BY buffer.name, link.room");
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).fetch_all(p).await)?)
    }

    /// A buffer's session relays in the shared room that shows it from now on, or does no longer. `false` where another one
    /// does, or the buffer is shown in none.
    pub async fn set_relays(&self, buffer: i64, relays: bool) -> Result<bool, StoreError> {
        const OTHER: &str = "SELECT COUNT(*) FROM link WHERE relays AND buffer <> $1
            AND room IN (SELECT room FROM link WHERE buffer = $1 AND role = 'shared')";
        const ON: &str = "UPDATE link SET relays = TRUE WHERE buffer = $1 AND role = 'shared'";
        const OFF: &str = "UPDATE link SET relays = FALSE WHERE buffer = $1 AND role = 'shared'";
        self.write(move |tx| {
            Box::pin(async move {
                let others: i64 = on_tx!(tx, |c| sqlx::query_scalar(OTHER).bind(buffer).fetch_one(c).await)?;
                if relays && others > 0 {
                    return Ok(false);
                }
                let changed = if relays { execute!(tx, ON, buffer)? } else { execute!(tx, OFF, buffer)? };
                Ok(changed > 0)
            })
        })
        .await
    }
}
