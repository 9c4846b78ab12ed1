//! A channel whose room is other people's (`bridge/shared/plumbing.rs`), and who comes back into shared rooms.

use super::super::outcome::Outcome;
use super::Actor;
use super::shared::{Shared, WayBack};
use crate::format::RichText;
use crate::matrix::event::{Content, Event, Member};
use crate::store::{RoomKind, StoreError};

impl Actor {
    /// Whether a buffer's room is other people's, who are in it whether they are in the channel or not.
    pub(super) fn is_plumbed(&self, place: usize) -> bool {
        self.is_shared(place) && self.buffers.get(place).row.is_plumbed()
    }

    /// Whether the user joins a shared room that they had left, or says something in one that is theirs whether they are in
    /// its channel or not.
    pub(super) async fn comes_back_to_shared(
        &mut self,
        place: Option<usize>,
        event: &Event,
    ) -> Result<bool, StoreError> {
        let is_back = match &event.content {
            Content::Member(member) => {
                matches!(member.membership.as_str(), "join" | "ban") && member.user_id == self.row.user_id
            }
            // Whom the channel has just refused is told: else each message would knock again before it is answered.
            Content::Message(_) if event.sender == self.row.user_id => {
                place.is_some_and(|place| self.is_plumbed(place) && self.buffers.get(place).refused.is_none())
            }
            _ => false,
        };
        if !is_back
            || place.is_some() && !self.buffers.has_shared()
            || place.is_some_and(|place| self.shared(place).is_none_or(Shared::is_taken))
        {
            return Ok(false);
        }
        let room = self.bridge.store.room_by_matrix_id(&event.room_id).await?;
        Ok(room.is_some_and(|room| room.kind().is_ok_and(|kind| kind == RoomKind::Shared)))
    }

    /// A room is not to show its channel any more.
    pub(super) async fn unshare(&mut self, room: i64) -> Outcome {
        let shows = |place: &usize| {
            self.buffers.get(*place).row.room == room && self.shared(*place).is_some_and(Shared::is_taken)
        };
        if let Some(place) = (0..self.buffers.len()).find(shows) {
            let name = self.buffers.get(place).row.name.clone();
            let is_encrypted = self.bridge.store.room(room).await?.is_some_and(|room| room.explained);
            let why = if is_encrypted {
                "is encrypted now, where I can show nothing. What waited to be shown there is not"
            } else {
                "no longer does"
            };
            self.say(RichText::plain(format!(
                "The room that showed {name} to you and others {why}. You are not in {name} any more."
            )));
            self.end_shared(place, "", WayBack::Shut).await?;
        }
        Ok(RichText::new())
    }

    /// Who comes into a plumbed room, and goes: only the user's own going means anything, and the bot's.
    pub(super) async fn on_plumbed_member(
        &mut self,
        place: usize,
        room_id: &str,
        member: &Member,
    ) -> Result<(), StoreError> {
        let is_out = matches!(member.membership.as_str(), "leave" | "ban");
        let room = self.buffers.get(place).row.room;
        if member.user_id == self.bridge.client.bot() {
            self.bridge.on_bot_member(room, room_id, member);
        } else if is_out && member.user_id == self.row.user_id {
            self.leave_shared(place, None, WayBack::Shut).await?;
            if self.buffers.get(place).row.wanted {
                self.leave(place, "").await?;
            }
            // Their link left a mark there of who is in the room and not in the channel.
            self.bridge.store.forget_outsider(room, &self.row.user_id).await?;
        }
        Ok(())
    }
}
