//! Relays: which session says in a shared room's channel what people say there who have no connection of their own. And
//! listeners: which one is there only to hear what is said.
//!
//! Each is a mark on the session's link to the room: it goes with the link, and at most one link of a room has it. Such a
//! link says nothing of the session's user, who may be in the room by another one.

use sqlx::FromRow;

use super::pool::{execute, on, on_tx};
use super::rooms::room_query;
use super::settings::LISTENS;
use super::{RoomRow, Store, StoreError};

/// A session that relays, or listens.
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
            WHERE "#,
            $condition
        )
    };
}

impl Store {
    /// The session that relays in a room.
    pub async fn relay_of(&self, room: i64) -> Result<Option<Relay>, StoreError> {
        const SQL: &str = relays!("link.relays AND link.room = $1");
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(room).fetch_optional(p).await)?)
    }

    /// The session that listens in a room.
    pub async fn listener_of(&self, room: i64) -> Result<Option<Relay>, StoreError> {
        const SQL: &str = relays!("link.listens AND link.room = $1");
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(room).fetch_optional(p).await)?)
    }

    /// All sessions that listen.
    pub async fn listeners(&self) -> Result<Vec<Relay>, StoreError> {
        const SQL: &str = relays!("link.listens ORDER BY buffer.name, link.room");
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).fetch_all(p).await)?)
    }

    /// Of each who has a channel in a shared room for themselves, whether they are to be connected.
    pub async fn members_in(&self, room: i64) -> Result<Vec<bool>, StoreError> {
        const SQL: &str = "SELECT session.connect FROM link JOIN buffer ON buffer.id = link.buffer
            JOIN session ON session.id = buffer.session
            WHERE link.room = $1 AND link.role = 'shared' AND NOT link.relays AND NOT link.listens";
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(room).fetch_all(p).await)?)
    }

    /// The sessions that listen where they are needed, the oldest first: with their networks, and where that is by their
    /// setting.
    pub async fn listening(&self) -> Result<Vec<(i64, String, String)>, StoreError> {
        const SQL: &str = "SELECT session.id, session.network, setting.value FROM session
            JOIN setting ON setting.scope = 'session' AND setting.scope_id = CAST(session.id AS TEXT)
            WHERE setting.key = $1 ORDER BY session.id";
        let rows: Vec<(i64, String, Vec<u8>)> =
            on!(self.readers(), |p| sqlx::query_as(SQL).bind(LISTENS.key).fetch_all(p).await)?;
        let read = |(session, network, value)| {
            let value = String::from_utf8(value).map_err(|_| StoreError::Sealed)?;
            Ok((session, network, value))
        };
        rows.into_iter().map(read).collect()
    }

    /// All rooms that show a channel to several.
    pub async fn rooms_to_listen_in(&self) -> Result<Vec<RoomRow>, StoreError> {
        const SQL: &str = room_query!(
            "WHERE link.role = 'shared' AND room.room_id IS NOT NULL AND link.buffer IS NULL
                AND link.channel IS NOT NULL ORDER BY room.id"
        );
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).fetch_all(p).await)?)
    }

    /// All sessions that relay.
    pub async fn relays(&self) -> Result<Vec<Relay>, StoreError> {
        const SQL: &str = relays!("link.relays ORDER BY buffer.name, link.room");
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).fetch_all(p).await)?)
    }

    /// A buffer's session relays in the shared room that shows it from now on, or does no longer. `false` where another one
    /// does, or the buffer is shown in none.
    pub async fn set_relays(&self, buffer: i64, relays: bool) -> Result<bool, StoreError> {
        const OTHER: &str = "SELECT COUNT(*) FROM link WHERE relays AND buffer <> $1
            AND room IN (SELECT room FROM link WHERE buffer = $1 AND role = 'shared')";
        const ON: &str =
            "UPDATE link SET relays = TRUE, listens = FALSE WHERE buffer = $1 AND role = 'shared'";
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
