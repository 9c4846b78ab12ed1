//! Read markers: up to where the user has read, told to the server, which tells their other clients.
//!
//! A marker is a time that the server gave to a message; it only ever goes forward. Nobody else learns of it.
//!
//! Spec: `IRCv3` "Read marker" (draft).

use crate::irc::queue::Class;
use crate::irc::wire::{Line, Message};

use super::event::Event;
use super::history::timestamp;
use super::outgoing::Target;
use super::{Session, State};

impl Session {
    /// `MARKREAD target timestamp=…`; `*` says that nothing is known.
    pub(super) fn on_read_marker(message: &Message, events: &mut Vec<Event>) {
        let time = message.param(1).strip_prefix("timestamp=").and_then(|time| time.parse().ok());
        if let Some(time) = time.map(jiff::Timestamp::as_millisecond) {
            events.push(Event::ReadMarker { target: message.param(0).to_owned(), time });
        }
    }

    /// Whether the server wants to know.
    #[must_use]
    pub fn keeps_read_markers(&self) -> bool {
        self.state == State::Ready && self.caps.enabled("draft/read-marker")
    }

    /// The user has read up to the message of this time, in milliseconds since 1970. Returns whether the server is told.
    pub fn mark_read(&mut self, target: &Target, time: i64) -> bool {
        let Some(mark) = timestamp(time).filter(|_| self.keeps_read_markers()) else { return false };
        let line = target.put(Line::new("MARKREAD")).name_literal(&mark).finish();
        self.queue_line(Class::Background, line);
        true
    }
}
