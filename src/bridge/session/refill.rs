//! A room that is made again, since its first one is gone or what it shows was read in from elsewhere, begins with the
//! last lines of its history.
//!
//! They have their own times, and they are notices, so that they notify nobody. The owner is invited after them.
//! That they are to come is stored with the room's intent, and that they have come with their rows: they come once.

use super::super::content::{self, MessageType};
use super::{Actor, attendance};
use crate::format::{RichText, read_irc};
use crate::store::{BufferKind, KeptLine, NewOutbox, StoreError};

impl Actor {
    /// Puts the last lines into a buffer's new room, where there are such: all of them, or none while the store fails.
    pub(super) async fn refill(&mut self, place: usize) -> Result<(), StoreError> {
        let row = &self.buffers.get(place).row;
        if !row.refill {
            return Ok(());
        }
        let (buffer, room, kind, creator) = (row.id, row.room, row.kind, row.creator.clone());
        let most = i64::from(self.bridge.limits().refill);
        let lines = self.bridge.store.latest_lines(buffer, most).await?;
        let mut rows = Vec::with_capacity(lines.len() + 1);
        let mut speakers = Vec::with_capacity(lines.len());
        for line in &lines {
            if let Some(row) = self.refill_row(place, line).await? {
                rows.push(row);
                speakers.push(&line.sender);
            }
        }
        rows.push(match kind {
            BufferKind::Channel => content::invite_row(room, &creator, &self.row.user_id),
            BufferKind::Query => content::direct_invite_row(room, &creator, &self.row.user_id),
        });
        let today = attendance::mark(Some(self.bridge.clock.unix_ms()));
        let buffer = self.buffers.get_mut(place);
        buffer.row.refill = false;
        if kind == BufferKind::Channel {
            // Who is there no more leaves again with the list of names.
            for speaker in speakers {
                buffer.present.set(speaker, today);
            }
        }
        self.incoming.outbox.extend(rows);
        self.incoming.refilled.push(room);
        Ok(())
    }

    pub(super) async fn refill_row(
        &mut self,
        place: usize,
        line: &KeptLine,
    ) -> Result<Option<NewOutbox>, StoreError> {
        let text = match line.kind.as_str() {
            "message" | "notice" => read_irc(&line.text).with_links(),
            "action" => RichText::plain("* ").then(read_irc(&line.text).with_links()),
            // Who came and went is in the history.
            _ => return Ok(None),
        };
        let text = match &line.target {
            Some(rank) => RichText::plain(format!("[to {rank}] ")).then(text),
            None => text,
        };
        let row = &self.buffers.get(place).row;
        let (room, creator, kind) = (row.room, row.creator.clone(), row.kind);
        // They may have had another nick; what was read in from logs says of nobody's line whose it was.
        let is_heard = line.direction == "in" && line.event_id.is_some();
        let is_partner = is_heard || self.buffers.mapping().same(&line.sender, &row.name);
        let (sender, text) = match kind {
            BufferKind::Channel => (self.ghost(&line.sender).await?.to_string(), text),
            BufferKind::Query if is_partner => (creator, text),
            // Two members: what the user said is told by the other.
            BufferKind::Query => (creator, RichText::plain("(you) ").then(text)),
        };
        let content = content::message(MessageType::Notice, &text, None);
        let row = content::message_row(room, &sender, content, None);
        Ok(Some(NewOutbox { ts: Some(line.at), ..row }))
    }
}
