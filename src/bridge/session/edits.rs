//! Edits of what the user has said: told on IRC as people there correct themselves, in words of `format/edit`.
//!
//! An edit of what has not left yet takes its place: nobody has seen it. What was said a moment ago is remembered, so
//! that an edit says no more than what has changed; of what is older the new text is said, marked as an edit. The lines
//! of an edit belong to the message: what takes that back takes them back, too, and a failure is told of it.
//!
//! Spec: Matrix "Event replacements".

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Actor;
use super::outbound::{Held, LineReference};
use super::relay::Relayed;
use super::speech::{Kind, Speech};
use crate::format::{Correction, Edited};
use crate::irc::session::MessageId;
use crate::matrix::event::{Event, Message};
use crate::store::{Became, InboxEvent, StoreError};

/// For how long what was said is remembered: an edit that comes later is told in full.
const RECENT: Duration = Duration::from_mins(10);
/// Messages that are remembered of a buffer …
const MOST_REMEMBERED: usize = 16;
/// … each if it is no longer than this, in bytes.
const LONGEST_REMEMBERED: usize = 2_000;
/// The numbers of the lines that tell an edit begin below zero, at its place in the inbox times this: no two lines of a
/// message have the same.
const EDIT: i64 = 1_000;

/// What the user has said in a buffer a moment ago, oldest first.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    messages: VecDeque<RememberedMessage>,
}

#[derive(Debug)]
struct RememberedMessage {
    event_id: Arc<str>,
    text: String,
    /// The message that it answers.
    answers: Option<Box<str>>,
    at: Instant,
}

impl Remembered {
    /// A message says this now; what it is about stays where it is.
    pub(super) fn keep(&mut self, event_id: &Arc<str>, text: String, now: Instant) {
        self.messages.retain(|one| now.saturating_duration_since(one.at) < RECENT);
        // Of what is too long to be remembered it is known that something was said since.
        let text = if text.len() > LONGEST_REMEMBERED { String::new() } else { text };
        if let Some(known) = self.messages.iter_mut().find(|one| one.event_id == *event_id) {
            known.text = text;
            return;
        }
        if self.messages.len() == MOST_REMEMBERED {
            self.messages.pop_front();
        }
        let event_id = Arc::clone(event_id);
        self.messages.push_back(RememberedMessage { event_id, text, answers: None, at: now });
    }

    /// A message that is remembered answers this one.
    pub(super) fn answers(&mut self, event_id: &str, answered: &str) {
        if let Some(known) = self.messages.iter_mut().find(|one| &*one.event_id == event_id) {
            known.answers = Some(answered.into());
        }
    }

    /// What a message answers.
    fn answered_by(&self, event_id: &str) -> Option<String> {
        let known = self.messages.iter().find(|one| &*one.event_id == event_id)?;
        known.answers.as_deref().map(str::to_owned)
    }

    /// A message was taken back; that something was said there stays known.
    pub(super) fn forget(&mut self, event_id: &str) {
        self.messages.iter_mut().filter(|one| &*one.event_id == event_id).for_each(|one| one.text.clear());
    }

    /// What a message says, and whether nothing was said since.
    pub(super) fn find(&self, event_id: &str, now: Instant) -> Option<(&str, bool)> {
        let place = self.messages.iter().position(|one| &*one.event_id == event_id)?;
        let found = &self.messages[place];
        let is_recent = now.saturating_duration_since(found.at) < RECENT && !found.text.is_empty();
        is_recent.then(|| (found.text.as_str(), place + 1 == self.messages.len()))
    }
}

impl Actor {
    /// The user has edited a message. Where it waits, the edit takes its place.
    pub(super) async fn on_edit(
        &mut self,
        place: usize,
        stored: &InboxEvent,
        event: &Event,
        message: &Message,
    ) -> Result<(), StoreError> {
        let original = message.replaces.as_deref().unwrap_or_default();
        let buffer = self.buffers.get(place).row.id;
        if self.is_anothers(original, &event.sender) {
            self.outbound.commit.finished.push(stored.seq);
            return Ok(());
        }
        if self.is_behind(buffer) {
            // Its turn is behind that of the message.
            return self.on_room_message(place, stored, event, message).await;
        }
        if self.is_held(buffer, original) {
            let Some(refusal) = self.refusal(place, event, message) else {
                self.replace_held(buffer, stored, original);
                return Ok(());
            };
            // What waits is not what its sender wants to say.
            self.withdraw(place, original).await?;
            self.outbound.commit.finished.push(stored.seq);
            self.refuse_event(place, &event.event_id, original, &refusal);
            return Ok(());
        }
        let waits = self.waits_last(buffer, original);
        if !waits {
            // What is known of the message must be in the store.
            self.transmit().await?;
        }
        let room = self.buffers.get(place).row.room;
        let became = async || self.bridge.store.became(original, &self.lane, (buffer, room)).await;
        if waits || became().await? == Became::Nothing {
            // It goes by its edit, and nobody is asked about it any more.
            self.withdraw(place, original).await?;
        }
        self.on_room_message(place, stored, event, message).await
    }

    fn is_held(&self, buffer: i64, original: &str) -> bool {
        let mut held = self.outbound.held.get(&buffer).into_iter().flatten();
        held.any(|held| says(held, original))
    }

    /// Puts an edit where its message is held.
    fn replace_held(&mut self, buffer: i64, stored: &InboxEvent, original: &str) {
        let mut held = self.outbound.held.get_mut(&buffer).into_iter().flatten();
        let Some(held) = held.find(|held| says(held, original)) else { return };
        let event_id: Arc<str> = stored.event_id.as_str().into();
        let replaced = std::mem::replace(&mut held.event_id, Arc::clone(&event_id));
        let before = std::mem::replace(&mut held.seq, stored.seq);
        match held.original {
            // The message stays in the inbox: its place there is the edit's after a restart, and what it answers.
            None => held.original = Some(before),
            Some(_) => self.outbound.commit.finished.push(before),
        }
        let mut events = self.outbound.progress.get_mut(&buffer).into_iter().flatten();
        if let Some(event) = events.find(|event| event.event_id == replaced) {
            event.event_id = event_id;
        }
    }

    /// Whether all of a message waits for its turn to leave, and nothing behind it in its buffer does.
    fn waits_last(&self, buffer: i64, event_id: &str) -> bool {
        if self.outbound.held.contains_key(&buffer) || self.outbound.uncertain.has(buffer, event_id) {
            return false;
        }
        let mut events = self.outbound.progress.get(&buffer).into_iter().flatten();
        let Some(event) = events.find(|event| &*event.event_id == event_id) else { return false };
        let is_it = |line: &&LineReference| &*line.event_id == event_id;
        let last = if let Some(lines) = self.outbound.resend.get(&buffer) {
            lines.iter().rev().take_while(is_it).count()
        } else {
            let unsent = self.link.as_ref().map(|link| link.session.unsent()).unwrap_or_default();
            let unsent: HashSet<MessageId> = unsent.into_iter().collect();
            let lines = self.outbound.in_flight.iter();
            let mut lines: Vec<(MessageId, &LineReference)> = lines
                .filter(|(id, line)| line.buffer == buffer && unsent.contains(id))
                .map(|(id, line)| (*id, line))
                .collect();
            lines.sort_unstable_by_key(|(id, _)| *id);
            lines.iter().rev().map(|(_, line)| *line).take_while(is_it).count()
        };
        !event.told && !event.arrived && event.open > 0 && last == event.open
    }

    /// Says on IRC what an edit changes.
    pub(super) async fn speak_edit(
        &mut self,
        place: usize,
        stored: &InboxEvent,
        message: &Message,
        original: &str,
        relayed: Option<Box<Relayed>>,
    ) -> Result<(), StoreError> {
        let mut speech = self.speech_of_edit(place, message, original).await?;
        speech.iter_mut().for_each(|speech| speech.relayed.clone_from(&relayed));
        self.outbound.commit.finished.push(stored.seq);
        let about: Arc<str> = original.into();
        let Some(speech) = speech else {
            // Nothing to say is said at once.
            let buffer = self.buffers.get(place).row.id;
            self.set_progress(buffer, &stored.event_id.as_str().into(), &about, 0);
            self.advance(place);
            return Ok(());
        };
        self.end_page(place, original);
        if let Some(whole) = Speech::of(message, self.in_words_of_irc(place, message)) {
            self.remember(place, &about, &whole.text);
        }
        let part = stored.seq.saturating_mul(-EDIT);
        self.say_to_irc(place, stored, &about, &speech, part, false);
        let now = self.now();
        self.typists.has_spoken(self.buffers.get(place).row.id, now);
        Ok(())
    }

    /// What is to be said of an edit; nothing where it changes nothing that was said.
    pub(super) async fn speech_of_edit(
        &mut self,
        place: usize,
        message: &Message,
        original: &str,
    ) -> Result<Option<Speech>, StoreError> {
        let Some(mut speech) = Speech::of(message, self.in_words_of_irc(place, message)) else {
            return Ok(None);
        };
        // The message may be of the same turn.
        self.transmit().await?;
        let row = &self.buffers.get(place).row;
        match self.bridge.store.became(original, &self.lane, (row.id, row.room)).await? {
            Became::Other => return Ok(None),
            Became::Nothing => {
                self.attach(place, &original.into(), message, &mut speech);
                // Of an edit the event does not say what its message answers.
                match self.buffers.get(place).remembered.answered_by(original) {
                    Some(answered) => self.show_answered(place, &answered, &mut speech).await?,
                    None => self.answer_on_irc(place, original, message, &mut speech).await?,
                }
                return Ok(Some(speech));
            }
            Became::Said | Became::Unknown => {}
        }
        let row = &self.buffers.get(place).row;
        if self.is_service(&row.name) {
            // It takes what it is told as a command.
            return Ok(Some(speech));
        }
        let style = self.manners.choice(row.id);
        let now = self.as_written(place, &speech.text);
        let remembered = self.buffers.get(place).remembered.find(original, self.now());
        let (mut before, is_last) =
            remembered.map_or((None, false), |(text, is_last)| (Some(text.to_owned()), is_last));
        if before.is_none() {
            let lines = self.lines_of_event(place, original).await?;
            if !lines.is_empty() && lines.iter().all(|line| !line.own) {
                // Nobody edits what others have said.
                return Ok(None);
            }
            let lines: Vec<String> = lines.into_iter().map(|line| line.text).collect();
            before = Some(lines.join("\n")).filter(|text| *text == now);
        }
        let is_action = speech.kind == Kind::Action;
        let edited = Edited { before: before.as_deref(), now: &now, is_last, is_action };
        speech.text = match edited.correction(style) {
            Correction::Nothing => return Ok(None),
            Correction::Short(text) => {
                if is_action {
                    speech.kind = Kind::Privmsg;
                }
                text
            }
            Correction::Marked(text) => {
                speech.text = text;
                self.link_spoilers(place, &original.into(), message, &mut speech);
                return Ok(Some(speech));
            }
        };
        Ok(Some(speech))
    }

    /// Remembers what a message says, for its edits.
    pub(super) fn remember(&mut self, place: usize, event_id: &Arc<str>, text: &str) {
        if self.is_service(&self.buffers.get(place).row.name) {
            // It may be a password, and services get edits whole.
            return;
        }
        let (text, now) = (self.as_written(place, text), self.now());
        self.buffers.get_mut(place).remembered.keep(event_id, text, now);
    }

    /// A text as the buffer's charset has it.
    pub(super) fn as_written(&self, place: usize, text: &str) -> String {
        let name = &self.buffers.get(place).row.name;
        self.link.as_ref().map_or_else(|| text.to_owned(), |link| link.as_written(name, text).0)
    }
}

/// Whether what is held is this message, or its edit.
fn says(held: &Held, original: &str) -> bool {
    &*held.event_id == original || (held.original.is_some() && &*held.about == original)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};

    fn id(number: usize) -> Arc<str> {
        format!("${number}").into()
    }

    #[test]
    fn only_the_last_messages_of_ten_minutes_are_remembered() {
        let start = SystemClock.now();
        let mut remembered = Remembered::default();
        for number in 0..MOST_REMEMBERED + 4 {
            remembered.keep(&id(number), format!("text {number}"), start);
        }
        assert_eq!(remembered.messages.len(), MOST_REMEMBERED);
        assert_eq!(remembered.find("$3", start), None);
        assert_eq!(remembered.find("$4", start), Some(("text 4", false)));
        assert_eq!(remembered.find("$19", start), Some(("text 19", true)));
        assert_eq!(remembered.find("$19", start + RECENT), None);
        remembered.keep(&id(99), "later".to_owned(), start + RECENT);
        assert_eq!(remembered.messages.len(), 1);
    }

    #[test]
    fn an_edited_message_stays_where_it_is() {
        let start = SystemClock.now();
        let mut remembered = Remembered::default();
        remembered.keep(&id(1), "teh".to_owned(), start);
        remembered.keep(&id(2), "cat".to_owned(), start);
        remembered.keep(&id(1), "the".to_owned(), start);
        assert_eq!(remembered.find("$1", start), Some(("the", false)));
        assert_eq!(remembered.find("$2", start), Some(("cat", true)));
    }

    #[test]
    fn what_is_too_long_is_not_kept_but_counts() {
        let start = SystemClock.now();
        let mut remembered = Remembered::default();
        remembered.keep(&id(1), "short".to_owned(), start);
        remembered.keep(&id(2), "x".repeat(LONGEST_REMEMBERED + 1), start);
        assert_eq!(remembered.find("$2", start), None);
        assert_eq!(remembered.find("$1", start), Some(("short", false)));
    }
}
