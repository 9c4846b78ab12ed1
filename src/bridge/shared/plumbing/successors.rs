//! Rooms of other people that were replaced: their channels go on where the bridge has followed them (`bridge/upgrades.rs`),
//! while the configuration still has the old id. So that id means the room that came after it, and the log asks for the new one.
//!
//! Where the bridge went is what the store says. What a room says of itself, that it came after another, is its founder's claim.
//! Who puts the old id in its place after a restart without it means the old room.

use std::collections::HashSet;

use super::super::super::Bridge;
use super::{Mapping, Plumber};
use crate::store::StoreError;

impl Plumber {
    /// The room that came last after one that was replaced.
    fn last_after(&self, room_id: &str) -> Option<String> {
        self.replaced().get(room_id).cloned()
    }
}

impl Bridge {
    /// Knows what was replaced before the start.
    pub(in crate::bridge) async fn load_replaced(&self) -> Result<(), StoreError> {
        let known = self.networks.public();
        let named: HashSet<String> =
            known.iter().flat_map(|known| known.network.channels.values().cloned()).collect();
        let replaced = self.store.replaced(named).await?;
        *self.plumber.replaced() = replaced.into_iter().collect();
        Ok(())
    }

    /// A room of the configuration was followed to another one, as the store has it.
    pub(in crate::bridge) fn note_replaced(&self, old: &str, new: &str) {
        let mut replaced = self.plumber.replaced();
        replaced.values_mut().filter(|last| *last == old).for_each(|last| new.clone_into(last));
        replaced.insert(old.to_owned(), new.to_owned());
        replaced.remove(new);
    }
}

impl Mapping {
    /// A mapping of the file as it is by now.
    pub(super) fn followed(mut self, plumber: &Plumber) -> Self {
        if let Some(last) = plumber.last_after(&self.room_id) {
            self.named = Some(std::mem::replace(&mut self.room_id, last));
        }
        self
    }

    /// Asks for the room's new id in the configuration, where that has an old one.
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
