//! What a channel's room rings for, as its user wants it; and what they do about it by themselves where the bridge can't act
//! as them.

use super::Actor;
use super::manners::{Manners, Ringing};
use crate::format::RichText;
use crate::store::settings::{self, Scope};
use crate::store::{BufferKind, StoreError};

/// Whether this run knows that the user was told how a room rings less.
#[derive(Debug, Default)]
pub(super) struct Explained {
    is_done: bool,
}

impl Actor {
    /// Has those rooms ring otherwise for which something else is wanted than before.
    pub(super) fn ring_as_wanted(&self, before: &Manners) {
        if self.bridge.puppet(&self.row.user_id).is_none() {
            return;
        }
        let channels = self.buffers.iter().filter(|buffer| buffer.row.kind == BufferKind::Channel);
        let changed = channels.filter(|buffer| {
            self.manners.choice::<Ringing>(buffer.row.id) != before.choice::<Ringing>(buffer.row.id)
        });
        let rooms = changed.filter_map(|buffer| Some((buffer.row.room_id.clone()?, buffer.row.id)));
        self.bridge.ring_soon(self.row.id, rooms);
    }

    /// Says once how a channel's room rings less, where the bridge can't see to it.
    pub(super) async fn explain_ringing(&mut self, channel: &str) -> Result<(), StoreError> {
        let user = self.row.user;
        let store = &self.bridge.store;
        if self.bridge.puppet(&self.row.user_id).is_some()
            || self.ringing.is_done
            || store.setting(&settings::NOTIFY_EXPLAINED, Scope::User, user).await?.is_some()
        {
            self.ringing.is_done = true;
            return Ok(());
        }
        store.set_setting(&settings::NOTIFY_EXPLAINED, Scope::User, user, Some("yes")).await?;
        self.ringing.is_done = true;
        self.say(RichText::plain(format!(
            "Matrix rings for every line of {channel}, unless you say otherwise: in Element open the room's settings, then \
             Notifications, and choose \u{201c}Mentions and keywords\u{201d}. I say this once."
        )));
        Ok(())
    }
}
