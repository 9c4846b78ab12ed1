//! A session whose connection is given up although its user did not ask for that (`bridge/shared/connections.rs`): they
//! keep their shared rooms, and come back as soon as they write in one of them.
//!
//! The store knows it as one that is not to be connected and has shared rooms: who disconnects leaves those. So it
//! outlives a restart, and `connect` ends it.

use super::super::content::{self, MessageType};
use super::super::outcome::{Outcome, Refusal};
use super::Actor;
use super::shared::Shared;
use crate::format::RichText;
use crate::matrix::event::Content;
use crate::store::Part;
use crate::store::StoreError;
use crate::store::settings::{self, Scope};

/// What people on IRC read.
const FAREWELL: &str = "Not active for a while; back as soon as they write";

impl Actor {
    /// The connection is given up, for this reason, unless the user did something after this time, or something that they
    /// have said waits: nobody would bring it to IRC. That they are told is in the same commit.
    pub(super) async fn set_aside(&mut self, idle_since: i64, why: &str) -> Outcome {
        self.read_inbox().await?;
        let store = &self.bridge.store;
        let active = store.setting(&settings::ACTIVE, Scope::Session, self.row.id).await?;
        let is_active = active.and_then(|at| at.text().parse::<i64>().ok()).is_some_and(|at| at > idle_since);
        if is_active || self.outbound.waiting() > 0 {
            return Err(Refusal::asked("They do something there just now."));
        }
        let (control, mut rows) = self.bridge.way_to(self.row.user, &self.row.user_id).await?;
        let address = self.row.address();
        let name = self.bridge.network_name(&address);
        let text = RichText::new()
            .bold(format!("You are not connected to {name} for now"))
            .text(format!(": {why} You keep your rooms; to come back, write in one of them, or type "))
            .code(format!("connect {address}"))
            .text(".");
        let alert = content::message(MessageType::Text, &text, Some(&self.row.user_id));
        rows.push(content::message_row(control.id, self.bridge.client.bot(), alert, None));
        self.bridge.store.give_connection_up(self.row.id, rows, self.bridge.clock.unix_ms()).await?;
        self.bridge.wake_delivery(control.id);
        self.forget_wish();
        self.end_connection(FAREWELL).await?;
        self.wake_listeners();
        self.say(RichText::plain(
            "Disconnected for now: the chat with the bot says why, and how to come back.",
        ));
        Ok(RichText::new())
    }

    /// Whether it was. Who has disconnected is in no shared room but those of other people.
    pub(super) fn is_aside(&self) -> bool {
        let own = self.buffers.iter().filter(|buffer| !buffer.row.is_plumbed());
        let mut own = own.filter(|buffer| buffer.row.part != Part::Listener);
        !self.row.connect && own.any(|buffer| buffer.shared.as_deref().is_some_and(Shared::is_taken))
    }

    /// The user does something in one of the session's rooms.
    pub(super) async fn note_active(&mut self, content: &Content) -> Result<(), StoreError> {
        if !matches!(content, Content::Message(_) | Content::Reaction(_)) {
            return Ok(());
        }
        self.bridge.note_active(self.row.id).await?;
        if self.is_aside() {
            self.bridge.bring_back(self.row.id);
        }
        Ok(())
    }
}
