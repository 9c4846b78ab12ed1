//! Labels: which answer belongs to which of our lines.
//!
//! A labelled answer names its cause, so it is never matched by target or order. An answer of several lines is a
//! batch whose first line has the label; what stands in it has the label by that, and its end is the end of the
//! answer. A label that is not known any more was answered before: its lines are about nothing that waits.
//!
//! Labels are used only together with `echo-message`: without an echo, `ACK` says no more than a fence does.
//!
//! Spec: `IRCv3` "Labeled Responses", "echo-message".

use std::fmt;
use std::time::Instant;

use crate::irc::wire::{Message, Verb};

use super::Session;
use super::event::Event;
use super::fences::Refusal;
use super::inquiries::InquiryReply;
use super::multiline::is_multiline_failure;
use super::numerics::is_error;

/// What one of our labels stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    /// A message, by a number that counts what leaves.
    Message(u64),
    /// A request for history.
    Request(u64),
    /// That the user types, by a number that counts what leaves.
    Typing(u64),
    /// A command whose answer the user waits for.
    Inquiry(u64),
}

impl Label {
    /// Reads a label that the server gave back; another's is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (kind, number) = text.split_at_checked(1)?;
        let number = number.parse().ok()?;
        match kind {
            "m" => Some(Self::Message(number)),
            "h" => Some(Self::Request(number)),
            "t" => Some(Self::Typing(number)),
            "q" => Some(Self::Inquiry(number)),
            _ => None,
        }
    }

    /// The label of this very line.
    pub(super) fn of(message: &Message) -> Option<Self> {
        message.label().and_then(Self::parse)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(number) => write!(f, "m{number}"),
            Self::Request(number) => write!(f, "h{number}"),
            Self::Typing(number) => write!(f, "t{number}"),
            Self::Inquiry(number) => write!(f, "q{number}"),
        }
    }
}

impl Session {
    /// Whether what leaves now gets a label.
    pub(super) fn uses_labels(&self) -> bool {
        ["labeled-response", "echo-message", "batch", "message-tags"]
            .into_iter()
            .all(|name| self.caps.enabled(name))
    }

    /// A line of a labelled answer; returns whether that is all there is to it.
    pub(super) fn on_labelled(
        &mut self,
        label: Label,
        message: &Message,
        now: Instant,
        events: &mut Vec<Event>,
    ) -> bool {
        let reason = message.params.last().map_or("", String::as_str);
        let refusal = match &message.verb {
            Verb::Numeric(code) => is_error(*code).then_some(*code),
            Verb::Word(word) => (&**word == "FAIL").then_some(0),
        };
        match (label, refusal) {
            (Label::Message(number), Some(0)) if is_multiline_failure(message) => {
                let refused = self.fences.take_labelled(number);
                Self::report_multiline(refused, reason, events)
            }
            (Label::Message(number), Some(code))
                if self.put_off((code, message.param(1), reason), Some(number), now, events) =>
            {
                true
            }
            (Label::Message(number), Some(code))
                if self.refuses_relay(number, code, message, now, events) =>
            {
                true
            }
            (Label::Message(number), Some(code)) => {
                let refused = self.fences.take_labelled(number);
                let refusal = refused.map_or(Refusal::Unrelated, Refusal::certain);
                Self::report(refusal, code, reason, events)
            }
            (Label::Request(number), Some(_)) => {
                self.end_request(number, Some(reason.to_owned()), events);
                true
            }
            // A numeric is a part of the answer like the others.
            (Label::Inquiry(_), Some(0)) => {
                let params = message.params.clone();
                let text = reason.to_owned();
                self.answers_inquiry(Some(label), InquiryReply { code: 0, params, text }, now).is_ok()
            }
            (Label::Typing(_), _) => {
                if refusal.is_some() {
                    self.tellings.refuse(message.param(1), self.isupport.casemapping(), now);
                }
                // Nobody waits for the answer; but a batch must be known as one.
                message.verb != Verb::Word("BATCH".into())
            }
            (Label::Message(number), None) if self.shows_own(number, message) => {
                // One that was told before is no news, and above all nothing that was said elsewhere.
                if let Some(id) =
                    self.fences.take_labelled(number).or_else(|| self.fences.take_late_labelled(number, now))
                {
                    events.push(Self::echoed(id, message));
                }
                true
            }
            _ => false,
        }
    }

    /// All of the answer has come: what is still open under the label is done.
    pub(super) fn complete(&mut self, label: Label, events: &mut Vec<Event>) {
        match label {
            Label::Message(number) => {
                if let Some(id) = self.fences.take_labelled(number) {
                    events.push(Event::Confirmed { messages: vec![id] });
                }
            }
            Label::Request(number) => self.end_request(number, None, events),
            Label::Typing(_) => {}
            Label::Inquiry(number) => self.end_inquiry(number, events),
        }
    }

    /// Whether a line shows us the message with this label, which we have said ourselves or for somebody.
    fn shows_own(&self, number: u64, message: &Message) -> bool {
        let is_own = || message.source.as_ref().is_some_and(|source| self.is_own(&source.nick));
        matches!(&message.verb, Verb::Word(word) if matches!(&**word, "PRIVMSG" | "NOTICE"))
            && (is_own() || self.is_own_relay(message) || self.fences.has_relay(number))
    }
}
