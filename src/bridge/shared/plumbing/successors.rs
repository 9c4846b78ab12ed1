//! Rooms that the configuration names and that were replaced since: their channels go on where the bridge has followed them
//! (`bridge/upgrades.rs`), while the file still has the old id. So the file's id means the room that came after it, and the log
//! asks for the new one.
//!
//! What was followed stands in the store by its new id alone. That it came after a room of the file is said by its creation;
//! it is believed only of a room that shows, by the configuration, the very channel that the file ties to the other. Of a room
//! that was replaced several times that can be seen after a restart only where the homeserver still shows the rooms between.

use std::collections::HashSet;

use super::super::super::Bridge;
use super::super::super::ghosts::GhostError;
use super::{Mapping, PlumbedBy};

/// So many rooms are looked back at.
const FAR: usize = 16;

impl Bridge {
    /// Notes whether a room comes after one that the configuration names for what it shows.
    pub(super) async fn note_replaced(&self, room_id: &str) -> Result<(), GhostError> {
        let rows = self.store.rooms_by_matrix_id(room_id).await?;
        let mut configured = self.configured();
        configured.retain(|mapping| {
            let is_its = |room| self.is_about(mapping, room);
            let mut shown = rows.iter().filter(|room| room.plumbed_by() == Some(PlumbedBy::Configuration));
            mapping.room_id != room_id && shown.any(is_its)
        });
        let named: HashSet<&str> = configured.iter().map(|mapping| &*mapping.room_id).collect();
        if named.is_empty() {
            return Ok(());
        }
        let mut later = room_id.to_owned();
        for _ in 0..FAR {
            let creation = match self.client.state(self.client.bot(), &later, "m.room.create", "").await {
                // Who has left a room can't see it everywhere.
                Err(error) if error.is_final() => return Ok(()),
                creation => creation?.unwrap_or_default(),
            };
            let Some(old) = creation["predecessor"]["room_id"].as_str() else { return Ok(()) };
            let mut followed = self.plumber.followed();
            let is_it = |name: &&&str| **name == old || followed.get(**name).is_some_and(|new| new == old);
            if let Some(name) = named.iter().find(is_it) {
                followed.insert((*name).to_owned(), room_id.to_owned());
                return Ok(());
            }
            old.clone_into(&mut later);
        }
        Ok(())
    }

    /// Asks for a room's new id in the configuration, where that has the old one.
    pub(super) fn ask_for_new_id(&self, room_id: &str) {
        for Mapping { network, channel, room_id: old } in self.configured() {
            if self.plumber.followed().get(&old).is_some_and(|new| new == room_id) {
                tracing::warn!(
                    %network, %channel, room = room_id,
                    "the room {old} was replaced, and its successor shows the channel: name {room_id} in networks.{network}.channels"
                );
            }
        }
    }
}
