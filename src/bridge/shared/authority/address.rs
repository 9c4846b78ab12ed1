//! The alias that a shared room bears (`m.room.canonical_alias`), by which clients and the directory show it.
//!
//! It bears one by which it is found in the homeserver's directory, from when somebody is in its channel until it is given up
//! with that alias: never because it was looked for alone, since anybody may do that as often as they like. Only the bot sets
//! it, and what somebody else makes of it is put back. Before the alias is taken away the room bears none, so that it never
//! bears one that leads nowhere; whatever a crash leaves is mended at the start.
//!
//! Spec: Client-Server API, `m.room.canonical_alias`. The homeserver checks that the alias leads there.

use serde_json::{Value, json};

use super::super::super::Bridge;
use super::super::super::ghosts::GhostError;
use crate::matrix::ClientError;
use crate::store::{RoomRow, StoreError};

/// The state in which a room's alias stands.
pub(in crate::bridge) const CANONICAL_ALIAS: &str = "m.room.canonical_alias";

impl Bridge {
    /// A shared room has an alias now, or somebody is in its channel: it bears that.
    pub(in crate::bridge::shared) fn note_address(&self, room: i64) {
        self.enacted.lock().addressed.remove(&room);
        self.wake_authority(room);
    }

    /// Has a room bear its alias, or none.
    pub(super) async fn enact_address(&self, row: &RoomRow, room_id: &str) -> Result<(), GhostError> {
        // Not while it is given or taken.
        let _one_at_a_time = self.wanted_aliases.naming.lock(row.id).await;
        let Some(is_wanted) = self.is_to_be_addressed(row.id).await? else { return Ok(()) };
        // Before it is asked for: what changes from now on is looked at again.
        if self.enacted.lock().addressed.insert(row.id, is_wanted) == Some(is_wanted) {
            return Ok(());
        }
        let enacted = if is_wanted {
            self.bear_alias(row, room_id).await
        } else {
            self.bear_no_alias(row.id, room_id).await
        };
        match enacted {
            Ok(()) => Ok(()),
            // It is asked for again when it is changed, and keeps the room from nothing else.
            Err(error) if error.is_final() => {
                tracing::warn!(room = room_id, %error, "a shared room does not bear its alias");
                Ok(())
            }
            Err(error) => {
                self.enacted.lock().addressed.remove(&row.id);
                Err(error.into())
            }
        }
    }

    /// Nothing where it stays as it is.
    async fn is_to_be_addressed(&self, room: i64) -> Result<Option<bool>, StoreError> {
        if !self.store.is_aliased(room).await? {
            return Ok(Some(false));
        }
        Ok((!self.store.holders(room).await?.is_empty()).then_some(true))
    }

    async fn bear_alias(&self, row: &RoomRow, room_id: &str) -> Result<(), ClientError> {
        let (network, name) = (row.network.as_deref(), row.buffer_name.as_deref());
        let usual = self.findable_alias(network.unwrap_or_default(), name.unwrap_or_default());
        // Never one that is not there: the homeserver would ask us for it, who are waiting for its answer here.
        let mut aliases = self.client.aliases(room_id).await?;
        aliases.retain(|alias| self.read_shared_alias(alias).is_some());
        let alias = match usual.filter(|usual| aliases.contains(usual)) {
            Some(usual) => Some(usual),
            // It is found by another spelling alone.
            None => aliases.into_iter().min(),
        };
        match alias {
            Some(alias) => self.set_canonical_alias(room_id, &json!({ "alias": alias })).await,
            // As soon as it has one again, that is noted.
            None => Ok(()),
        }
    }

    /// Has a room bear no alias, of which it is about to have none.
    pub(in crate::bridge::shared) async fn bear_no_alias(
        &self,
        room: i64,
        room_id: &str,
    ) -> Result<(), ClientError> {
        self.enacted.lock().addressed.insert(room, false);
        let current = self.client.state(self.client.bot(), room_id, CANONICAL_ALIAS, "").await;
        let cleared = match current {
            Ok(None) => Ok(()),
            Ok(Some(current)) if current["alias"].is_null() => Ok(()),
            Ok(Some(_)) => {
                let (bot, none) = (self.client.bot(), json!({}));
                self.client.send_state(bot, room_id, CANONICAL_ALIAS, "", &none).await.map(drop)
            }
            Err(error) => Err(error),
        };
        if cleared.is_err() {
            self.enacted.lock().addressed.remove(&room);
        }
        cleared
    }

    async fn set_canonical_alias(&self, room_id: &str, wanted: &Value) -> Result<(), ClientError> {
        let bot = self.client.bot();
        if self.client.state(bot, room_id, CANONICAL_ALIAS, "").await?.as_ref() == Some(wanted) {
            return Ok(());
        }
        self.client.send_state(bot, room_id, CANONICAL_ALIAS, "", wanted).await.map(drop)
    }
}
