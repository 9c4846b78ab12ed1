//! The aliases of shared rooms whose channels' names can be written otherwise, when it turns out how their network compares
//! names: an alias that names another channel by that leads there no more, and where two rooms are one channel's, whoever looks
//! for it finds the older one. Who is in the other stays, and speaks and reads there as before.

use super::super::Bridge;
use super::super::ghosts::GhostError;
use crate::store::RoomRow;

/// What some networks take for other characters, besides capitals.
const OTHERWISE: [char; 8] = ['[', ']', '\\', '~', '{', '}', '|', '^'];

impl Bridge {
    /// Takes away what leads elsewhere by how the network's servers say that names are compared. Also once after each start: a
    /// crash may have come between.
    pub(in crate::bridge) fn mend_aliases(&self, network: &str) {
        let (bridge, network) = (self.clone(), network.to_owned());
        self.tasks.spawn(async move {
            if let Err(error) = bridge.try_to_mend_aliases(&network).await {
                tracing::warn!(%network, %error, "an alias may lead into another channel's room until the next start");
            }
        });
    }

    async fn try_to_mend_aliases(&self, network: &str) -> Result<(), GhostError> {
        for room in self.store.shared_rooms().await? {
            let (Some(name), Some(room_id)) = (&room.buffer_name, &room.room_id) else { continue };
            let is_meant =
                room.network.as_deref() == Some(network) && (name.contains(OTHERWISE) || !name.is_ascii());
            if !is_meant {
                continue;
            }
            let is_found = match self.insist(|| self.is_found(&room)).await {
                None => return Ok(()),
                Some(is_found) => is_found?,
            };
            if is_found {
                match self.insist(|| self.take_others_aliases(&room, network, room_id)).await {
                    None => return Ok(()),
                    Some(Ok(())) => {}
                    // The others are none the worse for it.
                    Some(Err(error)) => {
                        tracing::warn!(room = room_id, %error, "an alias may lead into another channel's room");
                    }
                }
            } else {
                tracing::warn!(
                    room = room_id,
                    channel = %name,
                    %network,
                    "two shared rooms show one channel, as its network compares names: who looks for it finds the older one, \
                     and who is in this one stays there"
                );
                self.give_up_aliases(&room).await;
            }
        }
        Ok(())
    }

    /// Whether a shared room is the one that is found for its channel.
    pub(super) async fn is_found(&self, room: &RoomRow) -> Result<bool, GhostError> {
        let (network, name) = (room.network.as_deref(), room.buffer_name.as_deref());
        let found = self.store.shared_room(network.unwrap_or_default(), name.unwrap_or_default()).await?;
        Ok(found.is_some_and(|found| found.id == room.id))
    }

    async fn take_others_aliases(
        &self,
        room: &RoomRow,
        network: &str,
        room_id: &str,
    ) -> Result<(), GhostError> {
        let _one_at_a_time = self.wanted_aliases.naming.lock(room.id).await;
        let mut is_changed = false;
        for alias in self.client.aliases(room_id).await? {
            let named = self.read_shared_alias(&alias);
            if named.is_none_or(|(of, channel)| of != network || !self.is_of_another(room, network, &channel))
            {
                continue;
            }
            match self.client.delete_alias(&alias).await {
                // Somebody was faster.
                Err(error) if error.is_final() => tracing::debug!(%alias, %error, "an alias was not deleted"),
                deleted => deleted?,
            }
            is_changed = true;
        }
        if is_changed {
            // It is found by its own from now on, and bears that.
            self.try_to_give_alias(room).await?;
            self.note_address(room.id);
        }
        Ok(())
    }
}
