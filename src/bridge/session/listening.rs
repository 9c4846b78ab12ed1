//! A session that hears a channel for all who are in its shared room, and for nobody alone (`bridge/shared/listening.rs`).

use super::super::outcome::{Outcome, Refusal};
use super::Actor;
use super::shared::{Shared, WayBack};
use crate::format::RichText;
use crate::names::Channel;
use crate::store::{Part, StoreError};

impl Actor {
    /// Whether this session is in a buffer's channel to listen.
    pub(super) fn listens(&self, place: usize) -> bool {
        self.buffers.get(place).row.part == Part::Listener && self.shared(place).is_some_and(Shared::is_taken)
    }

    pub(super) async fn listen(&mut self, channel: &Channel, room: i64) -> Outcome {
        self.follow_network().await?;
        let known = self.buffers.find(channel.as_str());
        if known.is_some_and(|place| self.buffers.get(place).row.wanted && !self.listens(place)) {
            return Err(Refusal::asked(format!("{} is in {channel} already.", self.network.name)));
        }
        self.may_share(channel, known)?;
        self.leave_room_of_before(channel, known, room).await?;
        let new = self.new_shared_buffer(channel, known);
        let lane = self.lane.clone();
        let shared = self.bridge.store.share_buffer(new, (room, Part::Listener), (lane, None)).await?;
        let Some(row) = shared else {
            return Err(Refusal::asked(format!("The room of {channel} has others who listen there.")));
        };
        self.take_seat(channel, row);
        Ok(RichText::new())
    }

    /// The session is to be connected from now on, or no more: others may have to listen for its user, or need not.
    pub(super) fn wake_listeners(&self) {
        let shared =
            self.buffers.iter().filter(|buffer| buffer.shared.as_deref().is_some_and(Shared::is_taken));
        shared.for_each(|buffer| self.bridge.wake_listener(buffer.row.room));
    }

    pub(super) async fn stop_listening(&mut self, room: i64) -> Outcome {
        let listens = |place: &usize| self.buffers.get(*place).row.room == room && self.listens(*place);
        if let Some(place) = (0..self.buffers.len()).find(listens) {
            self.end_shared(place, "", WayBack::Shut).await?;
        }
        Ok(RichText::new())
    }

    /// The channel does not have the session in it: for a while it does not try to be there.
    pub(super) async fn end_listening(&mut self, place: usize, why: &str) -> Result<(), StoreError> {
        let channel = &self.buffers.get(place).row.name;
        let text = format!(
            "{why}. So this session does not listen in {channel} for those who are in its room; it tries to again in a day."
        );
        // Not to ring for each of many.
        self.say(RichText::plain(text));
        self.end_shared(place, "", WayBack::Shut).await
    }
}
