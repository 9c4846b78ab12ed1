//! Messages that are taken back: `REDACT`, both ways.
//!
//! Who may do so is the server's business; what is left of a message is the owner's.
//!
//! Spec: `IRCv3` "Message redaction" (draft).

use crate::irc::queue::Class;
use crate::irc::wire::{Line, Message};

use super::event::Event;
use super::outgoing::Target;
use super::{Session, State};

impl Session {
    /// `REDACT target msgid [:reason]`.
    pub(super) fn on_redact(&mut self, message: &Message, events: &mut Vec<Event>) {
        let by = self.source(message);
        let own = self.is_own(&by.nick);
        let msgid = message.param(1).to_owned();
        if msgid.is_empty() {
            return;
        }
        if let Some(target) = self.message_target(message.param(0), &by, own) {
            events.push(Event::Redacted { target, msgid, by, reason: message.param(2).to_owned() });
        }
    }

    /// Takes a message of ours back. Returns whether the server was asked.
    pub fn redact(&mut self, target: &Target, msgid: &str) -> bool {
        if self.state != State::Ready || !self.caps.enabled("draft/message-redaction") {
            return false;
        }
        let Ok(line) = target.put(Line::new("REDACT")).middle(msgid) else { return false };
        self.queue_line(Class::Interactive, line.finish());
        true
    }
}
