//! What people and servers say: PRIVMSG, NOTICE, and the server's own remarks.
//!
//! CTCP requests are answered in [`replies`](super::replies). Formatting codes stay in the text.
//!
//! Spec: modern IRC docs "Sending Messages", "`STATUSMSG` Parameter"; draft-oakley-irc-ctcp-02.

use std::time::{Duration, Instant};

use crate::irc::ctcp::Ctcp;
use crate::irc::wire::{Message, Source, Verb};

use super::Session;
use super::batches::Context;
use super::echo::Own;
use super::event::{Event, IncomingKind, MessageTarget, Origin, ReplyKind, ServerMessageKind, StandardReply};
use super::fences::Refusal;
use super::inquiries::InquiryReply;
use super::multiline::is_multiline_failure;
use super::tags::MessageTags;

/// What is this much older than our connection was said before it: a bouncer repeats it.
const PAST: Duration = Duration::from_mins(1);

impl Session {
    pub(super) fn on_message(
        &mut self,
        message: &Message,
        context: Context,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        let from = self.source(message);
        if is_bracket(&from) || self.is_login_echo(message) {
            return;
        }
        let notice = message.verb == Verb::Word("NOTICE".into());
        let raw = message.param(1);
        let mut own = self.registered_at.is_some() && self.is_own(&from.nick);
        let mut origin = context.origin;
        if let Origin::History { request } = origin {
            self.requests.count_line(request, now);
        }
        // Whatever time the server's clock gives it.
        if origin == Origin::Live && own {
            match self.place_own(message, context.label, now) {
                Own::Echo(id) => return events.push(Self::echoed(id, message)),
                Own::Known => return,
                Own::News => {}
            }
        }
        if origin == Origin::Live && self.is_past(message) {
            origin = Origin::Playback;
        }
        if origin != Origin::Live {
            own |= self.was_own(message.param(0), &from, context);
        }
        let ignored = !own && self.is_ignored(&from, message);
        if origin == Origin::Live
            && !ignored
            && !notice
            && let Some(ctcp) = Ctcp::parse(raw).filter(|ctcp| !ctcp.is_action())
        {
            self.answer_ctcp(&from.nick, &ctcp.command, ctcp.params, now);
        }
        let Some(target) = self.message_target(message.param(0), &from, own) else {
            if origin == Origin::Live && !ignored {
                self.on_server_message(message, ServerMessageKind::Notice, events);
            }
            return;
        };
        let (kind, text) = match Ctcp::parse(raw) {
            // An action in a notice is a mistake that clients show as an action.
            Some(ctcp) if ctcp.is_action() => (IncomingKind::Action, ctcp.params),
            Some(ctcp) if notice => (IncomingKind::CtcpReply { command: ctcp.command }, ctcp.params),
            Some(ctcp) => (IncomingKind::Ctcp { command: ctcp.command }, ctcp.params),
            None if notice => (IncomingKind::Notice, raw),
            None => (IncomingKind::Privmsg, raw),
        };
        let is_talk = matches!(kind, IncomingKind::Privmsg | IncomingKind::Action | IncomingKind::Notice);
        if ignored && !(is_talk && target.is_everybodys()) {
            return;
        }
        let words = (notice && target == MessageTarget::Own && origin == Origin::Live)
            .then(|| (from.clone(), text.to_owned()));
        events.push(Event::Message {
            from,
            target,
            kind,
            text: text.to_owned(),
            time: message.server_time(),
            msgid: message.msgid().map(str::to_owned),
            account: message.account().map(str::to_owned),
            own,
            ignored,
            origin,
            tags: MessageTags::of(message),
        });
        if let Some((from, text)) = words {
            self.on_service_notice(&from, &text, now, events);
        }
    }

    /// Whether the server dates a line well before this connection.
    pub(super) fn is_past(&self, message: &Message) -> bool {
        let Some((registered, time)) = self.registered_at.zip(message.server_time()) else {
            return false;
        };
        let age = registered.saturating_duration_since(self.started).as_millis() as i64;
        time < self.config.started_at_ms.saturating_add(age).saturating_sub(PAST.as_millis() as i64)
    }

    /// Whether a line of a query's history is ours under a nick that we had then: it is to the other, and not
    /// from them.
    fn was_own(&self, target: &str, from: &Source, context: Context) -> bool {
        let mapping = self.isupport.casemapping();
        self.batches.target(context).is_some_and(|other| {
            !self.isupport.is_channel(other)
                && mapping.same(other, target)
                && !mapping.same(other, &from.nick)
        })
    }

    /// Where a message goes; `None` for the server's own remarks and for masks, which mean everybody.
    pub(super) fn message_target(&self, target: &str, from: &Source, own: bool) -> Option<MessageTarget> {
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
    pub(super) fn on_fail(
        &mut self,
        message: &Message,
        context: Context,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        if self.registered_at.is_none() && message.param(1).starts_with("ACCOUNT_REQUIRED") {
            let reason = message.params.last().cloned().unwrap_or_default();
            return self.disconnect(reason, super::Verdict::NeedUser, events);
        }
        let command = message.param(0).to_ascii_uppercase();
        let (contexts, reason) = match &message.params[..] {
            [_, _, contexts @ .., reason] => (contexts, Some(reason)),
            _ => (&[][..], None),
        };
        // A label says what it is about, and that was told.
        let is_told = context.label.is_none()
            && reason.is_some_and(|reason| match command.as_str() {
                "PRIVMSG" | "NOTICE" => self.on_message_failed(contexts, reason, now, events),
                "CHATHISTORY" => self.refuse_request(contexts, reason, events),
                "BATCH" if is_multiline_failure(message) => {
                    let refused = self.fences.take_multiline();
                    Self::report_multiline(refused, reason, events)
                }
                _ => false,
            });
        if is_told {
            return;
        }
        let (params, text) = (message.params.clone(), reason.cloned().unwrap_or_default());
        if self.fails_inquiry(&command, InquiryReply { code: 0, params, text }, now).is_err() {
            Self::on_standard_reply(message, ReplyKind::Fail, events);
        }
    }

    /// `FAIL command code [context] :description`; `WARN` and `NOTE` likewise, with `*` for no command.
    pub(super) fn on_standard_reply(message: &Message, kind: ReplyKind, events: &mut Vec<Event>) {
        let (code, context, text) = match message.params.get(1..).unwrap_or_default() {
            [] => (String::new(), Vec::new(), String::new()),
            [text] => (String::new(), Vec::new(), text.clone()),
            [code, context @ .., text] => (code.clone(), context.to_vec(), text.clone()),
        };
        let command = Some(message.param(0)).filter(|command| *command != "*").map(str::to_owned);
        events.push(Event::StandardReply(StandardReply { kind, command, code, context, text }));
    }

    fn on_message_failed(
        &mut self,
        contexts: &[String],
        reason: &str,
        now: Instant,
        events: &mut Vec<Event>,
    ) -> bool {
        let mapping = self.isupport.casemapping();
        let mut refusal = Refusal::Unrelated;
        for target in contexts {
            refusal = self.fences.refuse(target, mapping, now);
            if refusal != Refusal::Unrelated {
                break;
            }
        }
        if refusal == Refusal::Unrelated {
            refusal = self.fences.refuse_any(now);
        }
        Self::report(refusal, 0, reason, events)
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

/// ZNC frames what it repeats to clients without batches with remarks of its own, from what can be nobody's nick.
fn is_bracket(from: &Source) -> bool {
    from.nick == "***" && from.host.as_deref() == Some("znc.in")
}
