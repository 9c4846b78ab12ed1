//! Rooms that the configuration names and that were replaced since: their channels go on where the bridge has followed them
//! (`bridge/upgrades.rs`), while the file still has the old id. So that id means the room that came after it, for the very
//! channels with which the bridge went there, and the log asks for the new one.
//!
//! Where it went is what the store says. What a room says of itself, that it came after another, is its founder's claim.

use super::super::super::Bridge;
use super::Mapping;

impl Mapping {
    /// A mapping of the file as it is by now.
    pub(super) fn followed(mut self, bridge: &Bridge) -> Self {
        let compared = bridge.mapping_of(&self.network);
        let successors = bridge.plumber.successors();
        let successor = successors.iter().find(|next| {
            next.named == self.room_id
                && next.network == self.network
                && compared.same(&next.channel, &self.channel)
        });
        if let Some(next) = successor {
            self.named = Some(std::mem::replace(&mut self.room_id, next.room_id.clone()));
        }
        self
    }

    /// Asks for the room's new id in the configuration, where that has the old one.
    pub(super) fn ask_for_new_id(&self) {
        let Self { network, channel, room_id, named } = self;
        if let Some(old) = named {
            tracing::warn!(
                %network, %channel, room = %room_id,
                "the room {old} was replaced, and its successor shows the channel: name {room_id} in networks.{network}.channels"
            );
        }
    }
}
