//! A room that is made again, since its first one is gone or what it shows was read in from elsewhere, begins with the
//! last lines of its history.
//!
//! They have their own times, and they are notices, so that they notify nobody. A channel's owner is invited after them.
//! That they are to come is stored with the room's intent, and that they have come with their rows: they come once.

use super::super::content::{self, MessageType};
use super::Actor;
use crate::format::{RichText, read_irc};
use crate::store::{BufferKind, KeptLine, NewOutbox, StoreError};

impl Actor {
    /// Puts the last lines into a buffer's new room, where there are such.
    pub(super) async fn refill(&mut self, place: usize) -> Result<(), StoreError> {
        let buffer = self.buffers.get_mut(place);
        if !std::mem::take(&mut buffer.row.refill) {
            return Ok(());
        }
        let (buffer, room) = (buffer.row.id, buffer.row.room);
        let most = i64::from(self.bridge.config.limits.refill);
        for line in self.bridge.store.latest_lines(buffer, most).await? {
            self.refill_line(place, &line).await?;
        }
        let row = &self.buffers.get(place).row;
        if row.kind == BufferKind::Channel {
            self.incoming.outbox.push(content::invite_row(room, &row.creator, &self.row.user_id));
        }
        self.incoming.refilled.push(room);
        Ok(())
    }

    async fn refill_line(&mut self, place: usize, line: &KeptLine) -> Result<(), StoreError> {
        let text = match line.kind.as_str() {
            "message" | "notice" => read_irc(&line.text),
            "action" => RichText::plain("* ").then(read_irc(&line.text)),
            // Who came and went is in the history.
            _ => return Ok(()),
        };
        let row = &self.buffers.get(place).row;
        let (room, creator, kind) = (row.room, row.creator.clone(), row.kind);
        let is_partner = self.buffers.mapping().same(&line.sender, &row.name);
        let (sender, text) = match kind {
            BufferKind::Channel => (self.ghost(&line.sender).await?.to_string(), text),
            BufferKind::Query if is_partner => (creator, text),
            // Two members: what the user said is told by the other.
            BufferKind::Query => (creator, RichText::plain("(you) ").then(text)),
        };
        if kind == BufferKind::Channel {
            // Who is there no more leaves again with the list of names.
            self.buffers.get_mut(place).speakers.insert(&line.sender, ());
        }
        let content = content::message(MessageType::Notice, &text, None);
        let row = content::message_row(room, &sender, content, None);
        self.incoming.outbox.push(NewOutbox { ts: Some(line.at), ..row });
        Ok(())
    }
}
