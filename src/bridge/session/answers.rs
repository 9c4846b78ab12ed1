//! What a message of the user's answers: shown by the network where that has replies, else in the words of
//! `format/quote`.
//!
//! A thread is no answer: its first message shows what the thread is about, and then it flows, until it has rested.
//! What is quoted was said in this buffer and is in its history, so that the others have seen it: not if it went to some
//! of them only, or was refused. Nobody has a reply repeat what was said while they were not there, nor has who is
//! relayed, in whatever room. Nothing is ever fetched from the homeserver for it.
//!
//! Spec: Matrix "Rich replies", "Threading"; `IRCv3` "reply" (draft).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Actor;
use super::speech::{Kind, Speech};
use crate::format::Answered;
use crate::matrix::event::Message;
use crate::store::{BufferKind, StoreError, Told};

/// So long after it was said, in milliseconds, a nick says enough of what is answered …
const FRESH: i64 = 10 * 60 * 1000;
/// … if no more lines than this were said since.
const FRESH_LINES: i64 = 30;
/// A thread that has rested so long is shown anew.
const RESTED: Duration = Duration::from_mins(10);
/// Threads that flow at a time in a buffer.
const MOST_THREADS: usize = 8;

/// The threads that the user speaks in, the last one last.
#[derive(Debug, Default)]
pub(super) struct Threads {
    flowing: VecDeque<(Box<str>, Instant)>,
}

impl Threads {
    /// Something is said in a thread; whether it is to be shown which one.
    fn enter(&mut self, root: &str, now: Instant) -> bool {
        let known = self.flowing.iter().position(|(known, _)| &**known == root);
        let last = known.and_then(|place| self.flowing.remove(place)).map(|(_, last)| last);
        if self.flowing.len() == MOST_THREADS {
            self.flowing.pop_front();
        }
        self.flowing.push_back((root.into(), now));
        last.is_none_or(|last| now.saturating_duration_since(last) >= RESTED)
    }
}

impl Actor {
    /// Shows what a message answers, and remembers it for an edit that goes in the message's stead.
    pub(super) async fn answer_on_irc(
        &mut self,
        place: usize,
        about: &str,
        message: &Message,
        speech: &mut Speech,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let buffer = self.buffers.get_mut(place);
        let root = message.thread.as_deref().filter(|root| buffer.threads.enter(root, now));
        let Some(answered) = message.replies_to.as_deref().or(root) else { return Ok(()) };
        buffer.remembered.answers(about, answered);
        self.show_answered(place, answered, speech).await
    }

    /// Shows that a message answers this one.
    pub(super) async fn show_answered(
        &mut self,
        place: usize,
        event_id: &str,
        speech: &mut Speech,
    ) -> Result<(), StoreError> {
        let row = &self.buffers.get(place).row;
        let (buffer, name, is_query) = (row.id, row.name.clone(), row.kind == BufferKind::Query);
        // Nobody waits for an id to be written.
        self.bridge.store.catch_up_with_writes().await?;
        let mut lines = self.lines_of_event(place, event_id).await?;
        // Whoever is relayed was not there for all that the relay was.
        let since = match &speech.relayed {
            Some(who) => self.there_since(place, &who.user_id),
            None => i64::MIN,
        };
        lines.retain(|line| line.kind != "redacted" && line.id >= since);
        if self.link.as_ref().is_some_and(|link| link.session.sends_replies()) {
            speech.reply = lines.iter().rev().find_map(|line| line.msgid.clone());
        }
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return Ok(()) };
        if speech.reply.is_some() || speech.text.trim().is_empty() {
            return Ok(());
        }
        let is_there = is_query || self.is_in_channel(&name, &first.sender);
        let is_enough =
            !self.all_have_seen(buffer, first).await? || (is_there && self.is_fresh(buffer, last).await?);
        let nick = (!first.own && !is_query).then_some(first.sender.as_str());
        let answered = Answered { nick, text: &first.text, is_fresh: is_enough };
        let mapping = self.buffers.mapping();
        speech.text = answered.answer(&speech.text, speech.kind == Kind::Action, mapping);
        Ok(())
    }

    /// The first line of a buffer that was said while somebody was in its room.
    fn there_since(&self, place: usize, user_id: &str) -> i64 {
        let room_id = self.buffers.get(place).row.room_id.as_deref();
        room_id.map_or(i64::MAX, |room_id| self.bridge.arrivals.since(room_id, user_id))
    }

    /// Whether a line may be repeated to all of a buffer: not what was said to some of a channel, and nothing of a message of which
    /// the server refused a line.
    pub(super) async fn all_have_seen(&mut self, buffer: i64, line: &Told) -> Result<bool, StoreError> {
        match &line.event_id {
            _ if line.target.is_some() => Ok(false),
            Some(event_id) if line.own => Ok(!self.bridge.store.was_refused(buffer, event_id).await?),
            _ => Ok(true),
        }
    }

    pub(super) fn is_in_channel(&self, channel: &str, nick: &str) -> bool {
        let channel = self.link.as_ref().and_then(|link| link.session.channel(channel));
        channel.is_some_and(|channel| channel.has(nick))
    }

    /// Whether a line is the last of its sender, and a moment ago.
    async fn is_fresh(&mut self, buffer: i64, line: &Told) -> Result<bool, StoreError> {
        if self.bridge.clock.unix_ms().saturating_sub(line.at) >= FRESH {
            return Ok(false);
        }
        let mapping = self.buffers.mapping();
        let since = self.bridge.store.senders_after(buffer, line.id, FRESH_LINES + 1).await?;
        let is_near = since.len() <= FRESH_LINES as usize;
        Ok(is_near && !since.iter().any(|sender| mapping.same(sender, &line.sender)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};

    #[test]
    fn a_thread_is_shown_once_and_again_when_it_has_rested() {
        let start = SystemClock.now();
        let mut threads = Threads::default();
        assert!(threads.enter("$a", start));
        assert!(!threads.enter("$a", start + RESTED / 2));
        assert!(threads.enter("$b", start + RESTED / 2));
        assert!(!threads.enter("$a", start + RESTED));
        assert!(threads.enter("$a", start + RESTED * 2));
    }

    #[test]
    fn invariant_9_so_many_threads_flow_and_no_more() {
        let start = SystemClock.now();
        let mut threads = Threads::default();
        for number in 0..=MOST_THREADS {
            assert!(threads.enter(&format!("${number}"), start));
        }
        assert_eq!(threads.flowing.len(), MOST_THREADS);
        assert!(!threads.enter("$1", start));
        assert!(threads.enter("$0", start));
    }
}
