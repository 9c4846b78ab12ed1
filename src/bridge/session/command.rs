//! A command in a buffer's room (`desk/prefix`). It never goes to IRC; the desk, where commands are carried out, takes it
//! over with the event's place in the queue, so that it is carried out once.

use super::super::desk::{self, Mark};
use super::Actor;
use crate::matrix::event::Message;
use crate::store::{BufferKind, InboxEvent, StoreError};

impl Actor {
    /// Whether a message is a command, and not for IRC. Who is called as the bot is can be spoken to.
    pub(super) fn is_command(&self, place: usize, message: &Message) -> bool {
        let row = &self.buffers.get(place).row;
        match self.bridge.address(self.manners.prefix(row.id)).mark(message) {
            Some(Mark::Name) => {
                let name = message.body.trim_start().split([':', ',']).next().unwrap_or_default();
                match row.kind {
                    BufferKind::Channel => !self.is_in_channel(&row.name, name),
                    BufferKind::Query => !self.buffers.mapping().same(&row.name, name),
                }
            }
            mark => mark.is_some(),
        }
    }

    /// What a message says, without what keeps it from being a command.
    pub(super) fn without_escape(&self, place: usize, text: String) -> String {
        let buffer = self.buffers.get(place).row.id;
        match self.bridge.address(self.manners.prefix(buffer)).unescaped(&text) {
            Some(text) => text.to_owned(),
            None => text,
        }
    }

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
