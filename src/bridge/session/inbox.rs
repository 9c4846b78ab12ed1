//! What is done in the session's rooms, as the inbox has it.
//!
//! An event is done with at once, or held: a message waits until its channel or nick can be spoken to. What can't go
//! yet is read past, so that nothing else waits behind it.

use std::sync::Arc;

use super::super::desk;
use super::super::shared::Once;
use super::super::{Bridge, Call, Place, content};
use super::speech::Kind;
use super::{Actor, wording};
use crate::format::{Typed, may_hold_password, may_hold_password_for_service, typed};
use crate::matrix::event::{Content, Event, Message};
use crate::store::{BufferKind, InboxEvent, StoreError, User};

/// Events that are read at once.
const AT_ONCE: i64 = 100;

impl Actor {
    /// Reads all that has come into the session's lane of the inbox. What can't go yet is read past, so that nothing
    /// else waits behind it.
    pub(super) async fn read_inbox(&mut self) -> Result<(), StoreError> {
        if self.must_reload {
            // What is known of the lines that wait must be whole before one of them is taken back.
            self.reload().await?;
        }
        loop {
            let events = self.bridge.store.waiting_events(&self.lane, self.outbound.cursor, AT_ONCE).await?;
            // Whatever comes from now on wakes the session again: what leaves need not wait for another look.
            let is_all = events.len() < AT_ONCE as usize;
            for event in events {
                self.outbound.cursor = event.seq;
                self.on_inbox(event).await?;
            }
            if is_all {
                self.outbound.has_read_all = true;
                return self.transmit().await;
            }
            self.transmit().await?;
        }
    }

    #[tracing::instrument(name = "message", skip_all, fields(event = %stored.event_id))]
    pub(super) async fn on_inbox(&mut self, stored: InboxEvent) -> Result<(), StoreError> {
        let event = match Event::read(&stored.json) {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(event = %stored.event_id, %error, "an event can't be read and is set aside");
                self.outbound.commit.failed.push((stored.seq, error.to_string()));
                return Ok(());
            }
        };
        if Box::pin(self.was_begun(&stored, &event)).await? {
            return Ok(());
        }
        let place = self.buffer_of_event(&stored, &event.room_id).await?;
        if self.comes_back_to_shared(place, &stored, &event).await? {
            // They had left when it came, and are taken in anew.
            let lane = Bridge::lane_before_sharing(&self.row.user_id);
            self.bridge.store.move_event(stored.seq, &lane).await?;
            self.bridge.wake_lane(&lane);
            return Ok(());
        }
        let Some(place) = place else {
            if Box::pin(self.bridge.refuse_for_former(&stored, &event)).await? {
                return Ok(());
            }
            if let Content::Message(message) = &event.content {
                Box::pin(self.refuse_in_former_room(&event, message)).await?;
            }
            self.outbound.commit.finished.push(stored.seq);
            return Ok(());
        };
        self.on_event_of_room(place, &stored, &event).await
    }

    /// Something has happened in a buffer's room.
    async fn on_event_of_room(
        &mut self,
        place: usize,
        stored: &InboxEvent,
        event: &Event,
    ) -> Result<(), StoreError> {
        if let Content::Redaction(event_id) = &event.content {
            self.unpublish(place, event_id);
        }
        // Only the owner of a private room speaks through it.
        let is_owner = event.sender == self.row.user_id;
        if self.is_relayed(place, event) {
            return Box::pin(self.on_relayed(place, stored, event)).await;
        }
        if is_owner {
            self.note_here().await?;
            self.note_active(&event.content).await?;
        }
        match &event.content {
            Content::Message(message)
                if is_owner && self.is_shared(place) && self.is_command(place, message) =>
            {
                // Others would read it, and its answer.
                self.on_edited_command(place, &event.event_id, message);
                Box::pin(self.refuse_command(place, event)).await?;
            }
            // A command is done when it is read.
            Content::Message(message)
                if is_owner && message.replaces.is_some() && self.is_command(place, message) =>
            {
                self.on_edited_command(place, &event.event_id, message);
                self.tell_edited(place, message);
            }
            Content::Message(message) if is_owner && self.is_command(place, message) => {
                return self.pass_to_desk(place, stored).await;
            }
            Content::Message(message) if is_owner && message.replaces.is_some() => {
                return self.on_edit(place, stored, event, message).await;
            }
            Content::Message(message) if is_owner => {
                return self.on_room_message(place, stored, event, message).await;
            }
            Content::Reaction(reaction) if is_owner => {
                return self.on_reaction(place, stored, reaction).await;
            }
            Content::Redaction(event_id) if is_owner => {
                self.withdraw(place, event_id).await?;
                self.take_back(place, Some(&event.event_id), event_id).await?;
                self.unreact_on_irc(place, event_id).await?;
                if self.leaves_to_relay(place, stored, event_id).await? {
                    return Ok(());
                }
            }
            // Taken out of a detached channel's room: they are in the channel still.
            Content::Member(member)
                if member.membership == "leave"
                    && member.user_id == self.row.user_id
                    && event.sender == self.bridge.client.bot() => {}
            Content::Member(member) => {
                let is_done = Box::pin(self.on_member(place, stored.seq, event, member)).await?;
                if !is_done {
                    return Ok(());
                }
            }
            // Only the homeserver's administrator could have replaced it, and it is not followed.
            Content::Tombstone(_) if self.is_shared(place) => {}
            Content::Topic(_)
            | Content::PowerLevels { .. }
            | Content::JoinRule(_)
            | Content::State { .. }
                if is_owner && self.follows_channel(place) =>
            {
                Box::pin(self.on_shared_state(place, &event.content)).await?;
            }
            Content::Topic(topic) if is_owner && !self.is_shared(place) => {
                Box::pin(self.on_own_topic(place, topic)).await;
            }
            // To go there takes questions to the homeserver, which the session does not wait for.
            Content::Tombstone(_) => return self.pass_to_desk(place, stored).await,
            Content::Encryption if self.is_plumbed(place) => {
                self.bridge.on_plumbed_encryption(self.buffers.get(place).row.room);
            }
            Content::Encryption => self.explain_encryption(place).await?,
            Content::Encrypted if is_owner && self.is_behind(self.buffers.get(place).row.id) => {
                self.hold(place, stored, &event.event_id.as_str().into());
                return Ok(());
            }
            Content::Encrypted if is_owner => self.refuse_encrypted(place, &event.event_id).await?,
            _ => {}
        }
        self.outbound.commit.finished.push(stored.seq);
        Ok(())
    }

    /// What the user says can't be read.
    async fn refuse_encrypted(&mut self, place: usize, event_id: &str) -> Result<(), StoreError> {
        self.explain_encryption(place).await?;
        let what =
            "was not sent: this room is encrypted, and I can't read it. The network's room says what to do.";
        self.refuse_for_all(place, event_id, event_id, what);
        Ok(())
    }

    /// The buffer of which an event's room shows it. A room gets its id when its lane has made it, so the id is looked up
    /// once.
    async fn buffer_of_event(
        &mut self,
        stored: &InboxEvent,
        room_id: &str,
    ) -> Result<Option<usize>, StoreError> {
        if let Some(place) = self.buffers.find_room_id(stored.room, room_id) {
            return Ok(Some(place));
        }
        Ok(match self.bridge.store.room_of_event(stored, room_id).await? {
            Some(room) => self.buffers.learn_room_id(room_id, room.id),
            // It was said before the room was followed to another, or left.
            None => self.buffers.find_room(stored.room),
        })
    }

    pub(super) async fn on_room_message(
        &mut self,
        place: usize,
        stored: &InboxEvent,
        event: &Event,
        message: &Message,
    ) -> Result<(), StoreError> {
        let buffer = self.buffers.get(place).row.id;
        // What is told of an edit is told of its message.
        let about: Arc<str> = message.replaces.as_ref().unwrap_or(&event.event_id).as_str().into();
        let refusal = self.refusal(place, event, message);
        let refusal = if self.is_behind(buffer) {
            // Whatever becomes of it is told in its turn.
            self.hold(place, stored, &about);
            return Ok(());
        } else if let Some(refusal) = refusal {
            self.outbound.commit.finished.push(stored.seq);
            self.refuse_for_all(place, &event.event_id, &about, &refusal);
            return Ok(());
        } else if let Some(refusal) = self.has_left(place) {
            refusal
        } else if self.must_wait(place) {
            self.hold(place, stored, &about);
            return Ok(());
        } else if self.is_too_old(stored) || self.is_full(buffer) || self.is_crowded() {
            // Said long ago and found only now: it is asked about at once, and what is behind it goes. One that has too
            // many before it goes when they have.
            self.outbound.releasing.insert(buffer);
            self.hold(place, stored, &about);
            return Ok(());
        } else {
            return self.speak(place, stored, event, message).await;
        };
        self.outbound.commit.finished.push(stored.seq);
        self.refuse_event(place, &event.event_id, &about, &refusal);
        Ok(())
    }

    /// Why a message can't go to IRC, whatever the connection does. One that may hold a password goes from the room.
    pub(super) fn refusal(&mut self, place: usize, event: &Event, message: &Message) -> Option<String> {
        let is_service = self.is_service(&self.buffers.get(place).row.name);
        let words = self.in_words_of_irc(place, message);
        let is_talk = Kind::of(message) == Some(Kind::Privmsg);
        let command =
            [message.body.as_str(), words.as_str()].into_iter().find_map(|text| match typed(text) {
                Typed::Command(word) if is_talk => Some(wording::misplaced_command(word)),
                _ => None,
            });
        let holds_password = is_service && may_hold_password_for_service(&message.body)
            || command.is_some() && may_hold_password(&message.body);
        if holds_password {
            self.on_told_service(&message.body);
            self.redact_password(place, &event.event_id);
        }
        let is_none = Kind::of(message).is_none();
        command.or_else(|| is_none.then(|| "was not sent: this kind of message can't go to IRC.".to_owned()))
    }

    /// A command that is edited is not done again; a password in it goes all the same.
    fn on_edited_command(&mut self, place: usize, event_id: &str, message: &Message) {
        let row = &self.buffers.get(place).row;
        let address = self.bridge.address(self.manners.prefix(row.id));
        let call = Call {
            user: User { id: self.row.user, user_id: self.row.user_id.clone() },
            permission: self.bridge.permission_of(&self.row.user_id),
            place: Place::Buffer { session: self.row.id, buffer: row.id, kind: row.kind },
            room: row.room,
            text: address.commands(message),
            progress: None,
        };
        if self.bridge.console.holds_secret(&call) || may_hold_password(&message.body) {
            self.redact_password(place, event_id);
        }
    }

    /// Says that it is not.
    fn tell_edited(&mut self, place: usize, message: &Message) {
        let (row, about) = (&self.buffers.get(place).row, message.replaces.as_deref().unwrap_or_default());
        let row = desk::notice_row(row.room, &row.creator, desk::EDITED, about);
        self.incoming.outbox.push(row);
    }

    fn redact_password(&mut self, place: usize, event_id: &str) {
        let row = &self.buffers.get(place).row;
        if self.bridge.tells(row.room, event_id, Once::Password) {
            let redaction = content::redact_row(row.room, &row.creator, event_id, "It held a password");
            self.incoming.outbox.push(redaction);
        }
    }

    /// Why nothing can be said in a channel that the user has left.
    pub(super) fn has_left(&self, place: usize) -> Option<String> {
        let row = &self.buffers.get(place).row;
        let is_plumbed = self.is_plumbed(place);
        (row.kind == BufferKind::Channel && !row.wanted).then(|| {
            let name = &row.name;
            if is_plumbed && self.bridge.shows_several(row.room) {
                return format!("was not sent: you are not in {name} any more.");
            }
            if is_plumbed {
                return format!(
                    "was not sent: you are not in {name} any more. What you write here next brings you back there, if they \
                     let you in."
                );
            }
            format!("was not sent: you have left {name}. To return, type join {name} in the network's room.")
        })
    }
}
