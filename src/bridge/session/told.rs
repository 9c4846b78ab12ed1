//! The lines that a room's events stand for, and the other way round.
//!
//! A private room's are in its buffer's history, a shared room's in its channel's: another's session may have shown a line,
//! or its user said it.

use super::super::content::EventReference;
use super::Actor;
use crate::store::{StoreError, StoredReaction, Told};

impl Actor {
    /// The lines that an event stands for which the user was there for, oldest first.
    pub(super) async fn lines_of_event(
        &mut self,
        place: usize,
        event_id: &str,
    ) -> Result<Vec<Told>, StoreError> {
        self.bridge.note_echo(event_id).await?;
        let buffer = self.buffers.get(place).row.id;
        let lines = self.bridge.store.lines_of_event(buffer, event_id).await?;
        if !lines.is_empty() || !self.is_shared(place) {
            return Ok(lines);
        }
        // It may have come with what was just read.
        self.commit_incoming().await?;
        self.bridge.store.catch_up_with_writes().await?;
        self.bridge.store.lines_of_event(buffer, event_id).await
    }

    /// The lines that an event stands for, oldest first, which this session does something about for the room.
    pub(super) async fn lines_of_rooms_event(
        &mut self,
        place: usize,
        event_id: &str,
    ) -> Result<Vec<Told>, StoreError> {
        self.bridge.note_echo(event_id).await?;
        let buffer = self.buffers.get(place).row.id;
        self.bridge.store.lines_of_rooms_event(buffer, event_id).await
    }

    /// The line that has this id on IRC.
    pub(super) async fn known_line(&mut self, place: usize, msgid: &str) -> Result<Option<Told>, StoreError> {
        // It may have come with the same lines.
        self.commit_incoming().await?;
        let buffer = self.buffers.get(place).row.id;
        if let Some(line) = self.bridge.store.line_of_msgid(buffer, msgid).await? {
            return Ok(Some(line));
        }
        // Nobody waits for an echo's id to be written.
        self.bridge.store.catch_up_with_writes().await?;
        self.bridge.store.line_of_msgid(buffer, msgid).await
    }

    /// The event of a line; none where nothing was shown of it, or has become of it.
    pub(super) async fn event_of(
        &mut self,
        place: usize,
        line: &Told,
    ) -> Result<Option<EventReference>, StoreError> {
        let row = &self.buffers.get(place).row;
        let (room, buffer) = (row.room, row.id);
        if self.is_shared(place) {
            let Some(msgid) = &line.msgid else { return Ok(None) };
            return Ok(match self.bridge.store.event_of_line_in((buffer, room), msgid).await? {
                Some((Some(event_id), _)) => Some(EventReference::Event(event_id)),
                Some((None, Some(txn_id))) => Some(EventReference::Row(txn_id)),
                _ => None,
            });
        }
        if let Some(event_id) = &line.event_id {
            return Ok(Some(EventReference::Event(event_id.clone())));
        }
        if let Some(txn_id) = self.bridge.store.request_of_line(room, line.id).await? {
            return Ok(Some(EventReference::Row(txn_id)));
        }
        // It may have been sent in between.
        let Some(msgid) = &line.msgid else { return Ok(None) };
        let known = self.bridge.store.line_of_msgid(buffer, msgid).await?;
        Ok(known.and_then(|line| line.event_id).map(EventReference::Event))
    }

    /// The event that a line answers, where it is shown already.
    pub(super) async fn event_answered(
        &mut self,
        place: usize,
        answered: Option<&Told>,
    ) -> Result<Option<String>, StoreError> {
        let Some(answered) = answered else { return Ok(None) };
        if !self.is_shared(place) {
            return Ok(answered.event_id.clone());
        }
        Ok(match self.event_of(place, answered).await? {
            Some(EventReference::Event(event_id)) => Some(event_id),
            _ => None,
        })
    }

    /// Somebody's reaction that stands in a buffer's room.
    pub(super) async fn known_reaction(
        &mut self,
        place: usize,
        msgid: &str,
        nick: &str,
        key: &str,
    ) -> Result<Option<StoredReaction>, StoreError> {
        let row = &self.buffers.get(place).row;
        if !self.is_shared(place) {
            return self.bridge.store.reaction(row.id, msgid, nick, key).await;
        }
        // Whoever showed the channel then may have gone.
        self.bridge.store.reaction_in((row.id, row.room), msgid, nick, key).await
    }
}
