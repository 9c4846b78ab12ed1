//! Somebody has another nick: in channels the new ghost takes the place of the old one, and a conversation follows its
//! person, room and history and all.
//!
//! The buffer's new name and that its room is to be handed over are one commit; from then on the new ghost speaks there,
//! behind the request that lets it in (`bridge/handover.rs`). Where there is a conversation under the new nick already,
//! both stay as they are, and both are told. Conversations with services follow nobody.
//!
//! Our own change of nick is not told here, so a room is never handed over to ourselves; and a ghost's coming and going
//! is no event for the session, so that nothing turns in a circle.

use super::super::content;
use super::Actor;
use super::news::Piece;
use crate::names::Nick;
use crate::store::{BufferKind, Heir, StoreError};

impl Actor {
    pub(super) async fn on_nick(
        &mut self,
        from: &str,
        to: &str,
        channels: &[String],
    ) -> Result<(), StoreError> {
        if self.buffers.mapping().same(from, to) {
            return Ok(());
        }
        let now = self.bridge.clock.now();
        self.move_whereabouts(from, to);
        for channel in channels {
            // Somebody who went with a server is there under that nick, or their nick is another's now.
            self.netsplits.enter(to, channel, now);
            self.follow_in_room(channel, from, to);
            if self.depart(channel, from, &format!("is now known as {to}"), None) {
                // Whoever takes an excluded nick has gone with the one of before.
                if !self.is_excluded(to) {
                    self.bring_after(channel, to).await?;
                }
            } else {
                let (from, to) = (from.to_owned(), to.to_owned());
                self.on_coming(channel, Piece::Renamed { from, to });
            }
            // The nick's ghost may show the rank of whoever had it before a netsplit.
            self.note_ranks_in(channel);
        }
        self.on_person_renamed(from);
        self.follow(from, to).await
    }

    /// The room of a buffer is connected with another name from now on.
    pub(super) fn tell_new_name(&mut self, place: usize, before: &str, now: &str) {
        let row = &self.buffers.get(place).row;
        let (owner, address) = (&self.row.user_id, self.row.address());
        let rows = self.bridge.bridge_info_moves(row.room, &row.creator, owner, &address, (before, now));
        self.incoming.outbox.extend(rows);
    }

    /// The ghost of a new nick comes into the room that the one before is in.
    async fn bring_after(&mut self, channel: &str, nick: &str) -> Result<(), StoreError> {
        let Some(place) = self.buffers.find(channel) else { return Ok(()) };
        if self.brings_everybody(place) {
            self.usher_in(place);
            return Ok(());
        }
        let ghost = self.ghost(nick).await?;
        self.note_speaker(place, nick);
        self.bridge.bring_in_soon(self.buffers.get(place).row.room, &ghost);
        Ok(())
    }

    /// The conversation with somebody goes on under their new nick.
    async fn follow(&mut self, from: &str, to: &str) -> Result<(), StoreError> {
        let is_query = |place: &usize| self.buffers.get(*place).row.kind == BufferKind::Query;
        let Some(place) = self.buffers.find(from).filter(is_query) else { return Ok(()) };
        let text = format!("{from} is now known as {to}.");
        if let Some(other) = self.buffers.find(to) {
            let more = format!("{text} You have another room for {to}, where they read you now.");
            self.tell_buffer(place, &more);
            self.tell_buffer(other, &text);
            return Ok(());
        }
        let folded = self.buffers.mapping().fold(to);
        let is_read_in = self.bridge.store.has_query_read_in(self.row.id, &folded).await?;
        let Ok(nick) = Nick::new(to) else { return Ok(()) };
        self.tell_buffer(place, &text);
        if is_read_in || self.is_service(from) || self.is_service(to) {
            // What was read in from logs under that nick is its own conversation, until somebody says something there.
            return Ok(());
        }
        let heir = self.ghost(to).await?;
        let row = &mut self.buffers.get_mut(place).row;
        let before = std::mem::replace(&mut row.creator, heir.to_string());
        let (id, room) = (row.id, row.room);
        if before != *heir {
            self.incoming.outbox.push(content::hand_over_row(room, &before, &heir));
        }
        let before = self.buffers.get(place).row.name.clone();
        self.tell_new_name(place, &before, to);
        let (name, user_id) = (to.to_owned(), heir.to_string());
        self.incoming.heirs.push(Heir { buffer: id, room, name, folded: folded.clone(), user_id });
        self.buffers.rename(place, to, folded);
        self.apply_charsets();
        if let Some(link) = &mut self.link {
            link.session.watch_people([nick]);
        }
        Ok(())
    }
}
