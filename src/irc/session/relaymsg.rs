//! What the session says in channels for others, under names of theirs: `RELAYMSG`.
//!
//! It is used only where each line has its own answer, by its label: then it is certain which one the server refused, and
//! that it did not arrive, so that it may be said otherwise and is not said twice. One is on its way to a channel at a
//! time, and what stands behind it there waits for its answer ([`PATIENCE`]): what is said otherwise keeps its place.
//!
//! What the server refuses is not tried again for a while ([`REMEMBERED`]): in that channel, until its modes change, or
//! under that name. A ban of a name is a channel's word about a person and is not gone around.
//!
//! Invariant 9: so much is remembered ([`MOST_REFUSED`]).
//!
//! Spec: `IRCv3` "RELAYMSG" (draft), "Labeled Responses".

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::irc::ctcp;
use crate::irc::numerics::{
    ERR_CHANOPRIVSNEEDED, ERR_ERRONEUSNICKNAME, ERR_NOPRIVILEGES, ERR_NOSUCHCHANNEL, ERR_NOTONCHANNEL,
    ERR_UNKNOWNCOMMAND,
};
use crate::irc::queue::Class;
use crate::irc::wire::{Line, Message, WireError};

use super::event::{Event, MessageId};
use super::fences::Sent;
use super::multiline::Joins;
use super::outgoing::{MessageKind, Outgoing, OutgoingMessage, SendError};
use super::{Session, State};

const RELAYMSG: &str = "RELAYMSG";
const CAPABILITY: &str = "draft/relaymsg";
/// How long a refusal holds.
const REMEMBERED: Duration = Duration::from_hours(1);
/// Refusals of channels, and of names, that are remembered.
const MOST_REFUSED: usize = 256;
/// How long what stands behind such a message waits for its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a user name and a host the server may give whom we speak for.
const ADDRESS: usize = 10 + 63;
/// What separates a name from its tag, where the server does not say.
const SEPARATOR: &str = "/";
/// How long a name may be, where the server does not say.
const LONGEST: usize = 30;
/// A name that the server does not take, where it says so by number (`m_relaymsg` of `InspIRCd`).
const ERR_BADRELAYNICK: u16 = 573;

/// Errors that would come for all that is said so in a channel; others are about a text, or about the moment.
const ABOUT_CHANNELS: [u16; 5] =
    [ERR_NOSUCHCHANNEL, ERR_UNKNOWNCOMMAND, ERR_NOTONCHANNEL, ERR_NOPRIVILEGES, ERR_CHANOPRIVSNEEDED];

/// What the server takes as the names of those for whom we speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayNames {
    /// Characters of which one must be in such a name, and in no other nick; never empty.
    pub separators: String,
    /// Its bytes, at most.
    pub length: usize,
    /// Whether letters of all scripts may be in it.
    pub utf8: bool,
}

/// What was refused: folded, until when.
type Refused = VecDeque<(Box<str>, Instant)>;

/// What the session knows of the messages that it says for others.
#[derive(Debug, Default)]
pub(super) struct Relays {
    channels: Refused,
    names: Refused,
    /// On their way: the lane of the channel, which message, and until when others wait.
    flying: Vec<(Box<str>, MessageId, Instant)>,
}

fn remember(refused: &mut Refused, what: String, now: Instant) {
    refused.retain(|(known, _)| **known != *what);
    if refused.len() == MOST_REFUSED {
        refused.pop_front();
    }
    refused.push_back((what.into(), now + REMEMBERED));
}

fn has(refused: &Refused, what: &str, now: Instant) -> bool {
    refused.iter().any(|(known, until)| **known == *what && *until > now)
}

impl Relays {
    /// The modes of a channel have changed: what it refused it may take now.
    pub(super) fn forget(&mut self, channel: &str) {
        self.channels.retain(|(known, _)| **known != *channel);
    }

    /// The server offers something else.
    pub(super) fn forget_all(&mut self) {
        self.channels.clear();
        self.names.clear();
    }

    /// Until when a lane waits for an answer.
    pub(super) fn waits(&self, lane: &str) -> Option<Instant> {
        self.flying.iter().find(|(known, ..)| **known == *lane).map(|(.., until)| *until)
    }

    /// A message is not on its way any more, and its lane waits for something else.
    pub(super) fn drop(&mut self, message: MessageId) {
        self.flying.retain(|(_, id, _)| *id != message);
    }
}

/// Under which name a message is said that has these lines, if it is said for somebody.
pub(super) fn relayed_as(lines: &[(Line, Joins)]) -> Option<&str> {
    let [(line, _)] = lines else { return None };
    line.as_str().strip_prefix(RELAYMSG)?.strip_prefix(' ')?.split(' ').nth(1)
}

impl Session {
    /// What the server takes as names where we speak for others; nothing where it does not take that.
    #[must_use]
    pub fn relay_names(&self) -> Option<RelayNames> {
        if self.state != State::Ready || !self.caps.enabled(CAPABILITY) || !self.uses_labels() {
            return None;
        }
        let offered = self.caps.offered(CAPABILITY).filter(|value| !value.is_empty());
        Some(RelayNames {
            separators: offered.unwrap_or(SEPARATOR).to_owned(),
            length: self.isupport.nick_length().unwrap_or(LONGEST),
            utf8: self.isupport.is_utf8_only(),
        })
    }

    /// Whether we may speak for others in a channel, as far as is known: under any name, or under this one.
    #[must_use]
    pub fn takes_relay(&self, channel: &str, name: Option<&str>, now: Instant) -> bool {
        let fold = |text: &str| self.isupport.casemapping().fold(text);
        self.relay_names().is_some()
            && self.isupport.is_channel(channel)
            && !has(&self.relays.channels, &fold(channel), now)
            && !name.is_some_and(|name| has(&self.relays.names, &fold(name), now))
    }

    /// Queues a message that is said under this name. Its fate comes as an event, or the connection ends before.
    pub fn relay(&mut self, message: OutgoingMessage, name: &str) -> Result<(), SendError> {
        if message.text.is_empty() {
            return Err(WireError::Empty.into());
        }
        let text = match message.kind {
            MessageKind::Action => ctcp::action(&message.text),
            _ => ctcp::without_delimiters(&message.text),
        };
        let line = message.target.put(Line::new(RELAYMSG)).middle(name)?.trailing(&text)?;
        self.queue_message(message.id, message.target, vec![(line, Joins::No)], message.reply)
    }

    /// How many bytes of text fit in one message under this name, so that others get all of it.
    #[must_use]
    pub fn relay_budget(&self, channel: &str, name: &str, kind: MessageKind) -> usize {
        let around = if kind == MessageKind::Action { ctcp::ACTION_OVERHEAD } else { 0 };
        // What others get is longer than what we write.
        let heard = ":!@ PRIVMSG  :\r\n".len() + name.len() + ADDRESS + channel.len() + around;
        self.isupport.line_length().saturating_sub(heard)
    }

    /// A message leaves. What stands behind it in its lane waits for its answer, if it is said for somebody.
    pub(super) fn note_relay(&mut self, message: MessageId, lane: &str, now: Instant) {
        let until = now + PATIENCE;
        self.relays.flying.push((lane.into(), message, until));
        self.queue.hold(Class::Interactive, lane, until);
    }

    /// Lets go what waited for the answers that have come.
    pub(super) fn release_relays(&mut self) {
        if self.relays.flying.is_empty() {
            return;
        }
        let open: Vec<MessageId> = self.fences.unconfirmed().collect();
        let (kept, done): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.relays.flying).into_iter().partition(|(_, id, _)| open.contains(id));
        self.relays.flying = kept;
        for (lane, ..) in done {
            self.queue.release(Class::Interactive, &lane);
        }
    }

    /// Whether a line is the echo of what we have said for somebody.
    pub(super) fn is_own_relay(&self, message: &Message) -> bool {
        let by = message.tag(CAPABILITY).or_else(|| message.tag("relaymsg"));
        by.is_some_and(|by| self.is_own(by))
    }

    /// An error in answer to a label: whether it is about something that we said for somebody.
    pub(super) fn refuses_relay(
        &mut self,
        label: u64,
        code: u16,
        message: &Message,
        now: Instant,
        events: &mut Vec<Event>,
    ) -> bool {
        let Some(Sent { id, target, lines, .. }) = self.fences.take_relay(label) else { return false };
        let reason = message.params.last().cloned().unwrap_or_default();
        let word = if code == 0 { message.param(1).to_ascii_uppercase() } else { String::new() };
        if word == "BANNED" {
            events.push(Event::Refused { messages: vec![id], certain: true, code, reason });
            return true;
        }
        let mapping = self.isupport.casemapping();
        let is_about_name = word.contains("NICK") || matches!(code, ERR_ERRONEUSNICKNAME | ERR_BADRELAYNICK);
        let is_about_channel = word.contains("PRIV") || ABOUT_CHANNELS.contains(&code);
        if let Some(name) = relayed_as(&lines).filter(|_| is_about_name) {
            remember(&mut self.relays.names, mapping.fold(name), now);
        } else if is_about_channel {
            remember(&mut self.relays.channels, mapping.fold(target.as_str()), now);
        }
        events.push(Event::RelayRefused { messages: vec![id], reason: Some(reason) });
        true
    }

    /// Takes back what waits to be said for others, where the server does not take that any more.
    pub fn refuse_relays(&mut self) -> Vec<MessageId> {
        if self.relay_names().is_some() || self.state != State::Ready {
            return Vec::new();
        }
        let is_relay = |item: &Outgoing| matches!(item, Outgoing::Message(message) if relayed_as(&message.lines).is_some());
        let taken = self.queue.take_out(Class::Interactive, is_relay);
        let id = |item| match item {
            Outgoing::Message(message) => Some(message.id),
            _ => None,
        };
        taken.into_iter().filter_map(id).collect()
    }
}
