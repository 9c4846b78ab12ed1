//! The space of a session's network: an intent that becomes real as rooms do, and what the homeserver was last told of
//! the rooms in it. Which rooms should be in it follows from the rooms themselves.

use sqlx::FromRow;

use super::pool::{execute, later, on, on_tx};
use super::{BufferKind, Store, StoreError};

/// A session's space.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Space {
    /// Its Matrix id, once it exists.
    pub room_id: Option<String>,
    /// The text in its `m.room.create`, to find it by after a crash.
    pub marker: String,
}

/// A room that belongs into a session's space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceRoom {
    /// Its Matrix id.
    pub room_id: String,
    /// The Matrix user who speaks for the bridge there.
    pub creator: String,
    /// A channel's or a conversation's room, else the network's own.
    pub kind: Option<BufferKind>,
    /// The channel's or the nick's name.
    pub name: String,
}

#[derive(FromRow)]
struct Row {
    room_id: String,
    creator: String,
    kind: Option<String>,
    name: Option<String>,
}

/// By the session's buffers, and not by theirs among all that there are: every room would be looked at.
pub(super) const ROOMS: &str = "SELECT room.room_id, room.creator, buffer.kind, buffer.name FROM room
    JOIN link ON link.room = room.id
    LEFT JOIN buffer ON buffer.id = link.buffer
    WHERE room.room_id IS NOT NULL AND NOT room.owner_left AND buffer.detached_after IS NULL
        AND ((link.role = 'network' AND link.session = $1)
            OR (link.role = 'private' AND link.buffer IN (SELECT id FROM buffer WHERE session = $1)))
    ORDER BY room.id";

impl Store {
    /// The space of a session, if there is one, or is to be.
    pub async fn space(&self, session: i64) -> Result<Option<Space>, StoreError> {
        const SQL: &str = "SELECT room_id, marker FROM space WHERE session = $1";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(session).fetch_optional(p).await)?)
    }

    /// The space of a session, its intent stored where it is new.
    pub async fn intend_space(&self, session: i64, marker: String, now: i64) -> Result<Space, StoreError> {
        const MAKE: &str = "INSERT INTO space (session, marker, created_at) VALUES ($1, $2, $3)
            ON CONFLICT (session) DO NOTHING";
        const FIND: &str = "SELECT room_id, marker FROM space WHERE session = $1";
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, MAKE, session, marker, now)?;
                Ok(on_tx!(tx, |c| sqlx::query_as(FIND).bind(session).fetch_one(c).await)?)
            })
        })
        .await
    }

    /// Stores the Matrix id of a space that the homeserver has made; false where its session was closed since.
    pub async fn space_made(&self, session: i64, room_id: &str) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE space SET room_id = $2 WHERE session = $1";
        let room_id = room_id.to_owned();
        self.write(move |tx| Box::pin(async move { Ok(execute!(tx, SQL, session, room_id)? > 0) })).await
    }

    /// Forgets a space that is gone on the homeserver, and what it was told.
    pub async fn forget_space(&self, session: i64) -> Result<(), StoreError> {
        const EMPTY: &str = "DELETE FROM space_child WHERE session = $1";
        const FORGET: &str = "DELETE FROM space WHERE session = $1";
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, EMPTY, session)?;
                later!(tx, FORGET, session)?;
                Ok(())
            })
        })
        .await
    }

    /// The rooms of a session that its user has not left and not given up for a while: its network's own, its channels'
    /// and its conversations'.
    pub async fn rooms_for_space(&self, session: i64) -> Result<Vec<SpaceRoom>, StoreError> {
        let rows: Vec<Row> = on!(self.readers(), |p| sqlx::query_as(ROOMS).bind(session).fetch_all(p).await)?;
        let read = |Row { room_id, creator, kind, name }: Row| {
            let kind = kind.map(|kind| match kind.as_str() {
                "channel" => BufferKind::Channel,
                _ => BufferKind::Query,
            });
            SpaceRoom { room_id, creator, kind, name: name.unwrap_or_default() }
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// The rooms in a session's space and their places, as the homeserver was last told.
    pub async fn space_children(&self, session: i64) -> Result<Vec<(String, String)>, StoreError> {
        const SQL: &str = "SELECT room_id, place FROM space_child WHERE session = $1 ORDER BY place, room_id";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(session).fetch_all(p).await)?)
    }

    /// Stores that the homeserver was told of a room's place in a session's space, or that it has none any more.
    pub async fn placed_in_space(
        &self,
        session: i64,
        room_id: &str,
        place: Option<&str>,
    ) -> Result<(), StoreError> {
        const SET: &str = "INSERT INTO space_child (session, room_id, place) VALUES ($1, $2, $3)
            ON CONFLICT (session, room_id) DO UPDATE SET place = excluded.place";
        const REMOVE: &str = "DELETE FROM space_child WHERE session = $1 AND room_id = $2";
        let (room_id, place) = (room_id.to_owned(), place.map(str::to_owned));
        self.write(move |tx| {
            Box::pin(async move {
                match place {
                    Some(place) => execute!(tx, SET, session, room_id, place)?,
                    None => execute!(tx, REMOVE, session, room_id)?,
                };
                Ok(())
            })
        })
        .await
    }
}
