//! A session whose connection is given up although its user did not ask for that (`bridge/shared/connections.rs`): they
//! keep their shared rooms, and come back as soon as they write in one of them.
//!
//! The store knows it as one that is not to be connected and has shared rooms: who disconnects leaves those. So it
//! outlives a restart, and `connect` ends it.

use super::super::outcome::Outcome;
use super::Actor;
use super::shared::Shared;
use crate::format::RichText;
use crate::matrix::event::Content;
use crate::store::StoreError;

/// What people on IRC read.
const FAREWELL: &str = "Not active for a while; back as soon as they write";

impl Actor {
    /// The connection is given up.
    pub(super) async fn set_aside(&mut self) -> Outcome {
        self.want_no_connection().await?;
        self.end_connection(FAREWELL).await?;
        self.say(RichText::plain(
            "Disconnected for now: the chat with the bot says why, and how to come back.",
        ));
        Ok(RichText::new())
    }

    /// Whether it was. Who has disconnected is in no shared room but those of other people.
    pub(super) fn is_aside(&self) -> bool {
        let mut own = self.buffers.iter().filter(|buffer| !buffer.row.is_plumbed());
        !self.row.connect && own.any(|buffer| buffer.shared.as_deref().is_some_and(Shared::is_taken))
    }

    /// The user does something in one of the session's rooms.
    pub(super) async fn note_active(&mut self, place: usize, content: &Content) -> Result<(), StoreError> {
        if !self.is_shared(place) || !matches!(content, Content::Message(_) | Content::Reaction(_)) {
            return Ok(());
        }
        self.bridge.note_active(self.row.id).await?;
        if self.is_aside() {
            self.bridge.bring_back(self.row.id);
        }
        Ok(())
    }
}
