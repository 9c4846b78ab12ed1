//! Requests that the homeserver refuses for good. They are set aside, and that their user is still to be told stands in
//! the same row: what is told about them may come later, together, and after a restart.

use super::super::pool::{execute, later, on};
use super::super::{Store, StoreError};
use super::{NewOutbox, insert};

/// Why a request is set aside, and what follows.
#[derive(Debug, Default)]
pub struct Refused {
    /// The reason, as it is told.
    pub note: String,
    /// The homeserver's code for it, under which the user is told; `None` where there is nothing to tell.
    pub untold: Option<String>,
    /// Requests that are made because of it.
    pub follow_up: Vec<NewOutbox>,
}

/// Refusals of one room and code that are still to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// The reason of the first of them.
    pub first: String,
    /// How many they are.
    pub count: i64,
    /// The place of the last of them.
    pub last: i64,
}

impl Store {
    /// Sets a request aside that the homeserver refuses for good: of this room, at this place. One that waits for
    /// another room by now, since this one was made anew, goes on waiting there; says whether it was set aside.
    pub async fn set_aside(
        &self,
        (room, seq): (i64, i64),
        refused: Refused,
        now: i64,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE outbox SET state = 'refused', note = $3, untold = $4, payload = NULL
            WHERE room = $1 AND seq = $2";
        let Refused { note, untold, follow_up } = refused;
        let sealed = self.seal_outbox(follow_up);
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                if execute!(tx, SQL, room, seq, note, untold)? == 0 {
                    return Ok(false);
                }
                insert(tx, &store, sealed, now).await?;
                Ok(true)
            })
        })
        .await
    }

    /// Sets everything aside that waits for a room which shows nothing any more.
    pub async fn set_room_aside(&self, room: i64) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE outbox SET state = 'refused', note = 'its room is gone', payload = NULL
            WHERE room = $1 AND state = 'queued' AND NOT EXISTS (SELECT 1 FROM link WHERE link.room = $1)";
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, room)?;
                Ok(())
            })
        })
        .await
    }

    /// Rooms and codes of which refusals are still to be told, oldest first.
    pub async fn untold_kinds(&self, limit: i64) -> Result<Vec<(i64, String)>, StoreError> {
        const SQL: &str = "SELECT room, untold FROM outbox WHERE untold IS NOT NULL
            GROUP BY room, untold ORDER BY MIN(seq) LIMIT $1";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(limit).fetch_all(p).await)?)
    }

    /// What is still to be told of a room and code.
    pub async fn untold(&self, room: i64, code: &str) -> Result<Option<Untold>, StoreError> {
        const SQL: &str = "SELECT COUNT(*), MAX(seq),
                (SELECT note FROM outbox WHERE room = $1 AND untold = $2 ORDER BY seq LIMIT 1)
            FROM outbox WHERE room = $1 AND untold = $2";
        let (count, last, first): (i64, Option<i64>, Option<String>) =
            on!(self.readers(), |p| sqlx::query_as(SQL).bind(room).bind(code).fetch_one(p).await)?;
        Ok(last.map(|last| Untold { first: first.unwrap_or_default(), count, last }))
    }

    /// Stores the telling of refusals, and that they are told, up to the last of them.
    pub async fn tell_untold(
        &self,
        room: i64,
        code: &str,
        last: i64,
        rows: Vec<NewOutbox>,
        now: i64,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE outbox SET untold = NULL WHERE room = $1 AND untold = $2 AND seq <= $3";
        let code = code.to_owned();
        let sealed = self.seal_outbox(rows);
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, room, code, last)?;
                insert(tx, &store, sealed, now).await
            })
        })
        .await
    }
}
