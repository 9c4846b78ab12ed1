//! What people and servers say: PRIVMSG, NOTICE, and the server's own remarks.
//!
//! Nothing is answered here, CTCP least of all. Formatting codes stay in the text.
//!
//! Spec: modern IRC docs "Sending Messages", "`STATUSMSG` Parameter"; draft-oakley-irc-ctcp-02.

use crate::irc::ctcp::Ctcp;
use crate::irc::wire::{Message, Source};

use super::Session;
use super::event::{Event, IncomingKind, MessageTarget, ServerMessageKind};
use super::fences::Refusal;

impl Session {
    pub(super) fn on_message(&mut self, message: &Message, notice: bool, events: &mut Vec<Event>) {
        let from = self.source(message);
        let own = self.registered_at.is_some() && self.is_own(&from.nick);
        let Some(target) = self.message_target(message.param(0), &from, own) else {
            return self.on_server_message(message, ServerMessageKind::Notice, events);
        };
        let raw = message.param(1);
        let (kind, text) = match Ctcp::parse(raw) {
            // An action in a notice is a mistake that clients show as an action.
            Some(ctcp) if ctcp.is_action() => (IncomingKind::Action, ctcp.params),
            Some(ctcp) if notice => (IncomingKind::CtcpReply { command: ctcp.command }, ctcp.params),
            Some(ctcp) => (IncomingKind::Ctcp { command: ctcp.command }, ctcp.params),
            None if notice => (IncomingKind::Notice, raw),
            None => (IncomingKind::Privmsg, raw),
        };
        events.push(Event::Message {
            from,
            target,
            kind,
            text: text.to_owned(),
            time: message.server_time(),
            msgid: message.msgid().map(str::to_owned),
            account: message.account().map(str::to_owned),
            own,
        });
    }

    /// Where a message goes; `None` for the server's own remarks and for masks, which mean everybody.
    fn message_target(&self, target: &str, from: &Source, own: bool) -> Option<MessageTarget> {
        let (status, name) = self.isupport.split_status(target);
        if self.isupport.is_channel(name) && self.registered_at.is_some() {
            return Some(MessageTarget::Channel { name: name.to_owned(), status });
        }
        let server = from.is_server() || from.nick == self.server;
        if server || self.registered_at.is_none() || target.starts_with('$') || target.is_empty() {
            return None;
        }
        if own && !self.is_own(target) {
            return Some(MessageTarget::Other(target.to_owned()));
        }
        // What reaches us and is for no channel is for us, also under a nick that we have just left.
        Some(MessageTarget::Own)
    }

    pub(super) fn on_server_message(
        &mut self,
        message: &Message,
        kind: ServerMessageKind,
        events: &mut Vec<Event>,
    ) {
        let text = match kind {
            ServerMessageKind::Notice => message.param(1).to_owned(),
            ServerMessageKind::Other => format!("{} {}", message.verb, message.params.join(" ")),
            _ => message.params.join(" "),
        };
        events.push(Event::ServerMessage { from: self.source(message), kind, text });
    }

    /// `FAIL command code [context] :description`.
    pub(super) fn on_fail(&mut self, message: &Message, events: &mut Vec<Event>) {
        let command = message.param(0).to_ascii_uppercase();
        let described = message.params.len() > 2;
        if matches!(command.as_str(), "PRIVMSG" | "NOTICE") && described {
            let reason = message.params.last().map_or("", String::as_str);
            let contexts = &message.params[2..message.params.len() - 1];
            let mapping = self.isupport.casemapping();
            let mut refusal = Refusal::Unrelated;
            for target in contexts {
                refusal = self.fences.refuse(target, mapping);
                if refusal != Refusal::Unrelated {
                    break;
                }
            }
            if refusal == Refusal::Unrelated {
                refusal = self.fences.refuse_any();
            }
            if Self::report(refusal, 0, reason, events) {
                return;
            }
        }
        self.on_server_message(message, ServerMessageKind::Fail, events);
    }

    /// Tells of a refusal; returns whether it was one.
    pub(super) fn report(refusal: Refusal, code: u16, reason: &str, events: &mut Vec<Event>) -> bool {
        match refusal {
            Refusal::Unrelated => false,
            Refusal::Known => true,
            Refusal::Of { messages, certain } => {
                events.push(Event::Refused { messages, certain, code, reason: reason.to_owned() });
                true
            }
        }
    }
}
