//! That the user types: said to whoever can read it, and to nobody else.
//!
//! It is said again every few seconds, so that what a server answers to it is no news: an error about it is swallowed,
//! and nothing more is said there until there is a sign that it would be heard, or [`SILENCE`] is over. Where labels
//! are in force they tell which answer that is. Elsewhere it is an error about a target to which it was just said,
//! unless a message to it may be meant, or the user has asked the server something since.
//!
//! Not what others type, which [`tags`](super::tags) reads, nor how often it is said, which is the owner's.
//!
//! Invariants 7 (time is passed in), 9 (so many places are remembered, [`MOST`]).
//!
//! Spec: `IRCv3` "typing", "Message tags" (`TAGMSG`), "Labeled Responses".

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::irc::queue::Class;
use crate::irc::wire::{Line, Message, Verb};
use crate::names::CaseMapping;

use super::Session;
use super::labels::Label;
use super::outgoing::{Outgoing, Target};
use super::tags::Typing;

const MOST: usize = 64;
/// An error that comes later is about something else.
const ANSWER: Duration = Duration::from_secs(30);
/// Whom nothing is heard of may be there again, or a channel open.
const SILENCE: Duration = Duration::from_mins(10);

/// Names, each with a time.
type Times = VecDeque<(Box<str>, Instant)>;

/// Where it was said that the user types.
#[derive(Debug, Default)]
pub(super) struct Tellings {
    /// Without a label, and not answered yet.
    unlabelled: Times,
    refused: Times,
    /// How many had a label.
    labels: u64,
}

impl Tellings {
    /// The server does not let it through.
    pub(super) fn refuse(&mut self, target: &str, mapping: CaseMapping, now: Instant) {
        self.refused.retain(|(name, _)| !mapping.same(name, target));
        note(&mut self.refused, target, now);
    }

    fn is_refused(&mut self, target: &str, mapping: CaseMapping, now: Instant) -> bool {
        self.refused.retain(|(_, at)| now < *at + SILENCE);
        self.refused.iter().any(|(name, _)| mapping.same(name, target))
    }

    /// The user asks the server something, and is to read what it says to that.
    pub(super) fn expect_no_answer(&mut self) {
        self.unlabelled.clear();
    }
}

fn note(times: &mut Times, name: &str, now: Instant) {
    if times.len() >= MOST {
        times.pop_front();
    }
    times.push_back((name.into(), now));
}

impl Session {
    /// Says that the user types, or does no longer. Nobody waits for that: while anything else is to be sent, it is
    /// dropped. Returns whether it was sent.
    pub fn typing(&mut self, target: &Target, typing: Typing, now: Instant) -> bool {
        let classes = [Class::Interactive, Class::History, Class::Join, Class::Background];
        let is_busy = classes.into_iter().any(|class| self.queue.len(class) > 0);
        let mapping = self.isupport.casemapping();
        if is_busy || !self.sends_tag("typing") || self.tellings.is_refused(target.as_str(), mapping, now) {
            return false;
        }
        let value = match typing {
            Typing::Active => "active",
            Typing::Paused => "paused",
            Typing::Done => "done",
        };
        let label = self.uses_labels().then(|| {
            self.tellings.labels += 1;
            Label::Typing(self.tellings.labels).to_string()
        });
        let label_tag = label.as_deref().map(|label| ("label", label));
        let tags: Vec<_> = label_tag.into_iter().chain([("+typing", value)]).collect();
        let line = target.put(Line::new("TAGMSG")).finish().tagged(&tags);
        let is_sent = self.enqueue(Class::Background, Outgoing::Line(line)).is_ok();
        if is_sent && label.is_none() {
            note(&mut self.tellings.unlabelled, target.as_str(), now);
        }
        is_sent
    }

    /// An error about a target that is about no message. Returns whether it is the answer to what was said here.
    pub(super) fn refuses_typing(&mut self, target: &str, now: Instant) -> bool {
        let mapping = self.isupport.casemapping();
        let unlabelled = &mut self.tellings.unlabelled;
        unlabelled.retain(|(_, at)| now < *at + ANSWER);
        let Some(place) = unlabelled.iter().position(|(name, _)| mapping.same(name, target)) else {
            return false;
        };
        unlabelled.remove(place);
        self.tellings.refuse(target, mapping, now);
        true
    }

    /// A sign of somebody, or of something that has changed in a channel: what is said there may be heard again.
    pub(super) fn note_presence(&mut self, message: &Message) {
        if self.tellings.refused.is_empty() {
            return;
        }
        let mapping = self.isupport.casemapping();
        let who = self.source(message).nick;
        // That others may speak in a channel says nothing of us.
        let is_ours = self.is_own(&who) || message.verb == Verb::Word("MODE".into());
        let place = if is_ours { message.param(0) } else { "" };
        self.tellings.refused.retain(|(name, _)| !mapping.same(name, &who) && !mapping.same(name, place));
    }
}
