//! What is on its way to a shared room when that is made anew: it reaches the one in its place.
//!
//! Sessions learn of the new room one after the other. What they store until then is for the one before, whose lane
//! finds that nothing is shown there any more, and gives it to the new one: by what the commit has left that made the
//! room anew, so that a crash in between changes nothing. Invariant 1.

use super::super::Bridge;
use crate::matrix::ClientError;
use crate::store::{RoomRow, StoreError};

impl Bridge {
    /// Gives what waits for a room in which nothing is shown any more to the one in its place, and sets it aside where
    /// there is none.
    pub(in crate::bridge) async fn forward(&self, gone: i64) -> Result<(), StoreError> {
        match self.store.forward_requests(gone, self.clock.unix_ms()).await? {
            Some((successor, count)) => {
                self.load.moved(gone, successor, count);
                self.wake_delivery(successor);
                Ok(())
            }
            None => self.store.set_room_aside(gone).await,
        }
    }

    /// Whether what a room refuses waits for another one: for its successor, where it was closed, or for the one that was
    /// made in its place.
    pub(in crate::bridge) async fn is_elsewhere(
        &self,
        room: &RoomRow,
        room_id: &str,
        error: &ClientError,
    ) -> Result<bool, StoreError> {
        let is_closed = error.is("M_FORBIDDEN") && self.is_closed(room, room_id).await?;
        let is_gone = self.store.room(room.id).await?.is_none();
        if is_gone {
            self.wake_delivery(room.id);
        }
        Ok(is_closed || is_gone)
    }
}
