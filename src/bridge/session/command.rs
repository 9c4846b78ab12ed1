//! A command in a buffer's room: `!irc` and a space before it. It never goes to IRC; the desk, where commands are carried
//! out, takes it over with the event's place in the queue, so that it is carried out once.

use super::super::desk;
use super::Actor;
use crate::store::{InboxEvent, StoreError};

impl Actor {
    /// Hands an event over to the desk. For this room it is settled.
    pub(super) async fn pass_to_desk(&mut self, place: usize, stored: &InboxEvent) -> Result<(), StoreError> {
        let lane = desk::lane_of(&self.row.user_id);
        self.bridge.store.move_event(stored.seq, &lane).await?;
        self.bridge.wake_lane(&lane);
        let buffer = self.buffers.get(place).row.id;
        if self.is_behind(buffer) {
            // The receipt can't stand on it before it stands on those.
            return Ok(());
        }
        let event_id = stored.event_id.as_str().into();
        self.set_progress(buffer, &event_id, &event_id, 0);
        self.advance(place);
        Ok(())
    }
}
