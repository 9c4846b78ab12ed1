//! Rooms of other people that were replaced: their channels go on where the bridge has followed them (`bridge/upgrades.rs`),
//! while the configuration still has the old id. So that id means the room that came after it, and the log asks for the new one.
//!
//! Where the bridge went is what the store says. What a room says of itself, that it came after another, is its founder's claim.

use std::collections::HashMap;

use super::super::super::Bridge;
use super::{Mapping, Plumber};
use crate::store::StoreError;

impl Plumber {
    /// The room that came last after one that was replaced.
    fn last_after(&self, room_id: &str) -> Option<String> {
        let replaced = self.replaced();
        let mut last = replaced.get(room_id)?;
        // Two that were each replaced by the other are still an end.
        for _ in 0..replaced.len() {
            let Some(next) = replaced.get(last).filter(|next| *next != room_id) else { break };
            last = next;
        }
        Some(last.clone())
    }
}

impl Bridge {
    /// Knows what was replaced before the start.
    pub(in crate::bridge) async fn load_replaced(&self) -> Result<(), StoreError> {
        let replaced: HashMap<String, String> = self.store.replaced_rooms().await?.into_iter().collect();
        *self.plumber.replaced() = replaced;
        Ok(())
    }

    /// A room of other people was followed to another one.
    pub(in crate::bridge) fn note_replaced(&self, old: &str, new: &str) {
        self.plumber.replaced().insert(old.to_owned(), new.to_owned());
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
