//! `detach` and `attach`: a channel that its user is in without having its room among theirs.
//!
//! What is said there goes to the history only. When the user is named, or asks for it, the room comes back with the last
//! lines that were said meanwhile, as when a room is made again ([`refill`](super::refill)). It is the same room: what
//! stood in it stands there still. That it is detached, and that its user goes from it, is one commit; so is the way back.

use super::super::content;
use super::super::outcome::{Outcome, Refusal};
use super::Actor;
use crate::format::RichText;
use crate::names::Channel;
use crate::store::{KeptLine, StoreError};

/// What the user reads where the room is gone from their list.
const REASON: &str = "Detached: you stay in the channel, and the room comes back when somebody names you, or when you \
                      type attach in the network's room.";

impl Actor {
    pub(super) async fn detach_channel(&mut self, channel: &Channel) -> Outcome {
        let known = self.buffers.find(channel.as_str());
        let Some(place) = known.filter(|place| self.buffers.get(*place).row.wanted) else {
            let text =
                format!("You are not in {channel} on {}, so there is nothing to stay in.", self.network.name);
            return Err(Refusal::asked(text));
        };
        if self.is_shared(place) {
            let text =
                format!("The room of {channel} is shared with others, so that you can't stay without it.");
            return Err(Refusal::asked(text));
        }
        let attach = format!("attach {channel}");
        if self.is_detached(place) {
            let text =
                RichText::plain(format!("{channel} is detached already. To have its room back, type "));
            return Ok(text.code(attach).text("."));
        }
        // What happened before it is told before it.
        self.tell_news(place);
        // Lines that were just read are before it, too.
        self.commit_incoming().await?;
        let last = self.bridge.store.latest_lines(self.buffers.get(place).row.id, 1).await?;
        // By their numbers: a line's time is the server's, whose clock may be another.
        let after = last.first().map_or(0, |line| line.id);
        let row = &mut self.buffers.get_mut(place).row;
        row.detached_after = Some(after);
        let kick = content::kick_row(row.room, &row.creator, &self.row.user_id, REASON);
        self.incoming.detached.push((row.id, Some(after)));
        self.incoming.outbox.push(kick);
        let text = format!(
            "You stay in {channel}, without its room. It comes back when somebody names you there, or when you type "
        );
        Ok(RichText::plain(text)
            .code(attach)
            .text(" in the network's room. What is said meanwhile is in the history."))
    }

    pub(super) async fn attach_channel(&mut self, channel: &Channel) -> Outcome {
        let Some(place) = self.buffers.find(channel.as_str()) else {
            let text = RichText::plain(format!("You have no room for {channel}. To enter it, type "));
            return Err(Refusal::Asked(text.code(format!("join {channel}")).text(".")));
        };
        if !self.is_detached(place) {
            self.invite_owner(place);
            return Ok(RichText::plain(format!(
                "{channel} is not detached; you are invited to its room again."
            )));
        }
        self.bring_back(place).await?;
        self.usher_in(place);
        Ok(RichText::plain(format!("The room of {channel} is back: see your invitations.")))
    }

    /// Whether what is said in a buffer is only kept.
    pub(super) fn is_detached(&self, place: usize) -> bool {
        self.buffers.get(place).row.detached_after.is_some()
    }

    /// The user is in the channel no more: when they come back, it is to its room.
    pub(super) fn end_detachment(&mut self, place: usize) {
        let row = &mut self.buffers.get_mut(place).row;
        if row.detached_after.take().is_some() {
            self.incoming.detached.push((row.id, None));
        }
    }

    /// Gives a detached channel's room back to its user, with the last lines that were said meanwhile.
    pub(super) async fn bring_back(&mut self, place: usize) -> Result<(), StoreError> {
        // Lines that were just read are among them.
        self.commit_incoming().await?;
        let row = &self.buffers.get(place).row;
        let Some(after) = row.detached_after else { return Ok(()) };
        let buffer = row.id;
        let most = i64::from(self.bridge.limits().refill);
        let mut lines = self.bridge.store.latest_lines(buffer, most).await?;
        let is_full = lines.len() >= usize::try_from(most).unwrap_or(usize::MAX);
        lines.retain(|line: &KeptLine| line.id > after);
        let are_all = !is_full || lines.len() < usize::try_from(most).unwrap_or(usize::MAX);
        let mut rows = Vec::with_capacity(lines.len());
        for line in &lines {
            if let Some(row) = self.refill_row(place, line).await? {
                rows.push(row);
                self.note_speaker(place, &line.sender);
            }
        }
        let row = &mut self.buffers.get_mut(place).row;
        row.detached_after = None;
        self.incoming.detached.push((buffer, None));
        if !are_all {
            let text = "More was said meanwhile; the history has it.";
            self.tell_buffer(place, text);
        }
        self.incoming.outbox.extend(rows);
        self.invite_owner(place);
        Ok(())
    }
}
