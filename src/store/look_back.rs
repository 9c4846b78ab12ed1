//! What looking back through the rooms needs: which rooms, how far each was looked through, which events are known.

use sqlx::FromRow;

use super::inbox::{self, NewEvent};
use super::pool::{later, on};
use super::{Store, StoreError};

/// A room through which its owner may speak.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct RoomToLookThrough {
    /// Our number for it.
    pub id: i64,
    /// Its Matrix id.
    pub room_id: String,
    /// The Matrix user who made it.
    pub creator: String,
    /// The Matrix id of the one who may speak through it.
    pub owner: String,
    /// Milliseconds since 1970 at which its row was made.
    pub created_at: i64,
    /// The newest event that was seen when it was last looked through.
    pub looked_at_event: Option<String>,
}

impl Store {
    /// The rooms through which somebody may speak.
    pub async fn rooms_to_look_through(&self) -> Result<Vec<RoomToLookThrough>, StoreError> {
        const SQL: &str = r#"SELECT room.id, room.room_id, room.creator, "user".user_id AS owner, room.created_at,
                room.looked_at_event
            FROM room JOIN "user" ON "user".id = room.owner
            WHERE room.room_id IS NOT NULL AND room.kind IN ('control', 'network', 'private', 'query')
                AND EXISTS (SELECT 1 FROM link WHERE link.room = room.id)
            ORDER BY room.id"#;
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).fetch_all(p).await)?)
    }

    /// Whether an event was accepted before, as far as is remembered.
    pub async fn is_known(&self, event_id: &str) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT seq FROM inbox WHERE event_id = $1 LIMIT 1";
        let seq: Option<i64> =
            on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(event_id).fetch_optional(p).await)?;
        Ok(seq.is_some())
    }

    /// Stores events of a room that were missed, in their order and each with the time at which it counts as accepted,
    /// and how far the room was looked through, in one commit. Returns their lanes.
    pub async fn accept_missed(
        &self,
        room: i64,
        events: Vec<(NewEvent, i64)>,
        looked_at_event: &str,
    ) -> Result<Vec<String>, StoreError> {
        const LOOKED: &str = "UPDATE room SET looked_at_event = $2 WHERE id = $1";
        let sealed: Vec<_> =
            events.into_iter().map(|(event, received_at)| (self.seal_event(event), received_at)).collect();
        let looked_at_event = looked_at_event.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let mut lanes = inbox::Lanes::default();
                for (event, received_at) in sealed {
                    inbox::insert(tx, event, received_at, &mut lanes).await?;
                }
                later!(tx, LOOKED, room, looked_at_event)?;
                Ok(lanes.found)
            })
        })
        .await
    }
}
