//! What is taken back, on IRC or in a room, goes from the other side, too, and its text from the history.
//!
//! Lines of one nick may be one event: then the event is edited to say the others. What was said by the user is taken back
//! on IRC if the server gave it an id and lets messages be taken back; else nothing can be done there.
//!
//! In a shared room the session that shows the channel takes back what was shown, and its text from the channel's history.
//! The others remember that it was taken back, in case they take over (invariant 9: [`MOST_HEARD`]).

use std::collections::VecDeque;

use super::super::content::{self, EventReference, MessageType};
use super::Actor;
use crate::format::{RichText, read_irc, strip_irc};
use crate::irc::session::{MessageTarget, Target};
use crate::store::{BufferKind, StoreError, Told};

/// So many messages that were taken back are remembered that another session takes back in the room.
const MOST_HEARD: usize = 500;

/// A message that was taken back while another session shows a shared room's channel.
#[derive(Debug)]
struct Heard {
    msgid: String,
    by: String,
    reason: String,
}

/// What this session knows of messages that were taken back in a shared room's channel.
#[derive(Debug, Default)]
pub(super) struct HeardRedactions {
    /// In case this session takes over.
    heard: VecDeque<Heard>,
    /// Those that it has seen to, and not told the others yet.
    done: Vec<String>,
}

impl HeardRedactions {
    fn add(&mut self, heard: Heard) {
        if self.heard.len() == MOST_HEARD {
            self.heard.pop_front();
        }
        self.heard.push_back(heard);
    }

    /// Those that this session has seen to: the others need not.
    pub(super) fn take_done(&mut self) -> Vec<String> {
        std::mem::take(&mut self.done)
    }

    /// Nothing of it is needed any more.
    pub(super) fn clear(&mut self) {
        self.heard.clear();
        self.done.clear();
    }
}

impl Actor {
    /// The buffer of what is said about messages.
    pub(super) fn place_of(&self, target: &MessageTarget, from: &str) -> Option<usize> {
        match target {
            MessageTarget::Channel { name, .. } => self.buffers.find(name),
            MessageTarget::Own => self.buffers.find(from),
            MessageTarget::Other(nick) => self.buffers.find(nick),
        }
    }

    /// A message was taken back on IRC.
    pub(super) async fn on_redacted(
        &mut self,
        target: &MessageTarget,
        msgid: &str,
        by: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        let Some(place) = self.place_of(target, by) else { return Ok(()) };
        // Also where nothing is kept: what was taken back is not shown later.
        self.note_redaction(place, msgid, by, reason);
        let Some(line) = self.known_line(place, msgid).await? else { return Ok(()) };
        if line.kind == "redacted" {
            return Ok(());
        }
        if self.shows(place) {
            self.incoming.redacted.push((line.id, by.to_owned()));
            return self.take_from_room(place, &line, by, reason).await;
        }
        if let Some(event_id) = line.event_id.as_ref().filter(|_| line.own) {
            self.unpublish(place, event_id);
            if self.buffers.mapping().same(&line.sender, by)
                && let Some(EventReference::Event(event_id)) = self.event_of(place, &line).await?
            {
                // By another client of theirs: what they took back in the room is taken back here already.
                self.incoming.redacted.push((line.id, by.to_owned()));
                if let Some(shared) = self.buffers.get_mut(place).shared.as_deref_mut() {
                    shared.redactions.done.extend(line.msgid.clone());
                }
                return self.take_members_event(place, &line, event_id, by, reason).await;
            }
        }
        Ok(())
    }

    /// What becomes of a message in a shared room that was taken back on IRC.
    fn note_redaction(&mut self, place: usize, msgid: &str, by: &str, reason: &str) {
        let shows = self.shows(place);
        let Some(shared) = self.buffers.get_mut(place).shared.as_deref_mut() else { return };
        if shows {
            shared.redactions.done.push(msgid.to_owned());
        } else {
            shared.unhear(msgid);
            let (msgid, by, reason) = (msgid.to_owned(), by.to_owned(), reason.to_owned());
            shared.redactions.add(Heard { msgid, by, reason });
        }
    }

    /// What the session that showed a shared room's channel before did not take back any more.
    pub(super) async fn show_heard_redactions(&mut self, place: usize) -> Result<(), StoreError> {
        loop {
            let Some(shared) = self.buffers.get_mut(place).shared.as_deref_mut() else { return Ok(()) };
            let Some(Heard { msgid, by, reason }) = shared.redactions.heard.pop_front() else {
                return Ok(());
            };
            if shared.seat().is_some_and(|seat| seat.has_taken_back(&msgid)) {
                continue;
            }
            shared.redactions.done.push(msgid.clone());
            if let Some(line) = self.known_line(place, &msgid).await?
                && line.kind != "redacted"
            {
                self.incoming.redacted.push((line.id, by.clone()));
                self.take_from_room(place, &line, &by, &reason).await?;
            }
        }
    }

    /// Takes back in the room what was taken back on IRC.
    async fn take_from_room(
        &mut self,
        place: usize,
        line: &Told,
        by: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        let Some(event) = self.event_of(place, line).await? else { return Ok(()) };
        if let EventReference::Event(event_id) = &event
            && self.is_members(place, line, event_id).await?
        {
            if line.own {
                self.unpublish(place, event_id);
            } else if self.buffers.mapping().same(&line.sender, by)
                && self.person_in_room(place, by).is_some()
            {
                // Their own session has seen to it.
                return Ok(());
            }
            return self.take_members_event(place, line, event_id.clone(), by, reason).await;
        }
        let mut others = Vec::new();
        if let EventReference::Event(event_id) = &event {
            if line.own {
                // The room's redaction will be the bot's, which nobody reads again.
                self.unpublish(place, event_id);
            }
            others = self.lines_of_rooms_event(place, event_id).await?;
            others.retain(|other| other.id != line.id && other.kind != "redacted");
        }
        let row = &self.buffers.get(place).row;
        let (room, creator, is_query) = (row.room, row.creator.clone(), row.kind == BufferKind::Query);
        let is_there = self.buffers.get(place).present.contains(&line.sender);
        let said_it = !line.own && self.buffers.mapping().same(&line.sender, by);
        let sender = if said_it && !is_query && is_there {
            self.ghost(&line.sender).await?.to_string()
        } else {
            creator
        };
        if others.is_empty() {
            let reason = reason_of(said_it, by, reason);
            self.incoming.outbox.push(content::take_back_row(room, &sender, &event, &reason));
        } else if let EventReference::Event(event_id) = event
            && !line.own
        {
            // Only who said it can say it otherwise.
            let sender = if is_query { sender } else { self.ghost(&line.sender).await?.to_string() };
            let kind = if line.kind == "notice" { MessageType::Notice } else { MessageType::Text };
            let lines = others.iter();
            let text = lines.fold(RichText::new(), |text, line| text.line().then(read_irc(&line.text)));
            let (text, _) = self.name_people(place, text).await?;
            let edit = content::in_place_of(content::message(kind, &text, None), &event_id);
            self.incoming.outbox.push(content::message_row(room, &sender, edit, None));
        }
        Ok(())
    }

    /// Whether somebody in a shared room has said themselves what an event says, of which this is a line.
    async fn is_members(&mut self, place: usize, line: &Told, event_id: &str) -> Result<bool, StoreError> {
        if !self.is_shared(place) {
            return Ok(false);
        }
        let buffer = self.buffers.get(place).row.id;
        Ok(line.own || self.bridge.store.is_said_by_another(buffer, event_id).await?)
    }

    /// A line was taken back on IRC of what somebody in a shared room has said there: all of it goes with that line, since
    /// nobody else can say the rest in their name.
    async fn take_members_event(
        &mut self,
        place: usize,
        line: &Told,
        event_id: String,
        by: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        let lines = self.lines_of_rooms_event(place, &event_id).await?;
        let is_gone = |other: &Told| other.id != line.id && other.kind == "redacted";
        if lines.iter().any(is_gone) {
            // It went with that one.
            return Ok(());
        }
        let said_it = self.buffers.mapping().same(&line.sender, by);
        if self.is_plumbed(place) && !said_it {
            // What is said in other people's room is for them to judge, whatever power the bot has been given there.
            return Ok(());
        }
        let reason = reason_of(said_it, by, reason);
        let row = &self.buffers.get(place).row;
        let event = EventReference::Event(event_id);
        self.incoming.outbox.push(content::take_back_row(row.room, &row.creator, &event, &reason));
        Ok(())
    }

    /// An event was taken back, by another one: where it stays on IRC, who has said it says so there, because of that one.
    pub(super) async fn take_back(
        &mut self,
        place: usize,
        cause: Option<&str>,
        event_id: &str,
    ) -> Result<(), StoreError> {
        let name = self.buffers.get(place).row.name.clone();
        // Nobody waits for an echo's id to be written.
        self.bridge.store.catch_up_with_writes().await?;
        let lines = self.lines_of_event(place, event_id).await?;
        // What becomes of a line on its way says whether it was ever said.
        let buffer = self.buffers.get(place).row.id;
        let is_of_it = |of: i64, event: &str| of == buffer && event == event_id;
        let is_on_its_way =
            self.outbound.in_flight.values().any(|line| is_of_it(line.buffer, &line.event_id))
                || self.outbound.commit.unkept.iter().any(|line| is_of_it(line.buffer, &line.event_id));
        let now = self.now();
        let remembered = &mut self.buffers.get_mut(place).remembered;
        let was_last = remembered.find(event_id, now).is_some_and(|(_, is_last)| is_last);
        remembered.forget(event_id);
        let mut stays = false;
        for line in lines.into_iter().filter(|line| line.own && line.kind != "redacted") {
            if line.msgid.is_none() && is_on_its_way {
                continue;
            }
            let is_gone = if let Some(link) = &mut self.link
                && let Ok(target) = Target::parse(&name, link.session.isupport())
                && let Some(msgid) = &line.msgid
            {
                link.session.redact(&target, msgid)
            } else {
                false
            };
            stays |= !is_gone;
            self.incoming.redacted.push((line.id, line.sender));
        }
        if stays && let Some(cause) = cause {
            self.tell_taken_back(place, cause, was_last);
        }
        Ok(())
    }
}

/// Why an event is taken back in the room.
fn reason_of(said_it: bool, by: &str, reason: &str) -> String {
    let reason = strip_irc(reason);
    match (said_it, reason.is_empty()) {
        (true, _) => reason,
        (false, true) => format!("Taken back by {by}"),
        (false, false) => format!("Taken back by {by}: {reason}"),
    }
}
