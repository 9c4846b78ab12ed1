//! What leaves: messages, commands, joins, and how much text fits in a line.
//!
//! Not the splitting of long texts; the owner does that with [`Session::text_budget`] at hand.
//!
//! Invariant 3: text with CR, LF or NUL is refused. What people write never becomes a CTCP request, unless they ask for one. Invariant 9:
//! messages that the server has not confirmed are bounded too.
//!
//! Spec: modern IRC docs "PRIVMSG message", "JOIN message"; RFC 1459 section 2.3 (512 bytes).

use std::collections::BTreeSet;
use std::fmt;
use std::time::Instant;

use crate::irc::ctcp;
use crate::irc::flood::Cost;
use crate::irc::isupport::Isupport;
use crate::irc::numerics::ERR_INPUTTOOLONG;
use crate::irc::queue::{Class, QueueFull};
use crate::irc::wire::{Line, LineBuilder, WireError, without_controls};
use crate::names::{Channel, InvalidName, Key, Nick, is_service};

use super::echo::Echo;
use super::event::{Event, MessageId};
use super::fences::{Passed, Sent};
use super::labels::Label;
use super::multiline::Joins;
use super::relaymsg::relayed_as;
use super::{Session, State};

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A channel.
    Channel(Channel),
    /// A nick.
    Nick(Nick),
    /// What else a server takes, as it was typed: a channel's members of a status, a user at a server.
    Other(Box<str>),
}

impl Target {
    /// Reads a target by the network's channel types.
    pub fn parse(text: &str, isupport: &Isupport) -> Result<Self, InvalidName> {
        if isupport.is_channel(text) {
            Channel::new(text).map(Self::Channel)
        } else {
            Nick::new(text).map(Self::Nick)
        }
    }

    /// Reads what a user typed, which may be more than a channel or a nick.
    pub fn typed(text: &str, isupport: &Isupport) -> Result<Self, WireError> {
        if let Ok(target) = Self::parse(text, isupport) {
            return Ok(target);
        }
        Line::new("PRIVMSG").middle(text)?;
        Ok(Self::Other(text.into()))
    }

    /// The name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Channel(channel) => channel.as_str(),
            Self::Nick(nick) => nick.as_str(),
            Self::Other(text) => text,
        }
    }

    pub(super) fn put(&self, line: LineBuilder) -> LineBuilder {
        match self {
            Self::Channel(channel) => line.name(channel),
            Self::Nick(nick) => line.name(nick),
            Self::Other(text) => line.name_literal(text),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// Ordinary text.
    Privmsg,
    /// Text that no program answers.
    Notice,
    /// `/me`.
    Action,
    /// A CTCP request; the text is its command and what follows.
    Ctcp,
}

impl MessageKind {
    fn verb(self) -> &'static str {
        match self {
            Self::Privmsg | Self::Action | Self::Ctcp => "PRIVMSG",
            Self::Notice => "NOTICE",
        }
    }
}

/// A message to send: one line's worth of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// The owner's number for it.
    pub id: MessageId,
    /// Whom it is for.
    pub target: Target,
    /// How.
    pub kind: MessageKind,
    /// The text, which fits a line.
    pub text: String,
    /// The id of the message that it answers.
    pub reply: Option<String>,
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Too much waits; the same message may be taken later.
    #[error(transparent)]
    Full(#[from] QueueFull),
    /// The text cannot be sent, now or later.
    #[error("the text cannot be sent to IRC: {0}")]
    Text(#[from] WireError),
}

/// What may leave now.
#[derive(Debug, Default)]
pub struct Transmit {
    /// To be written in this order.
    pub lines: Vec<Line>,
    /// The messages among them.
    pub messages: Vec<MessageId>,
}

impl Transmit {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// What waits in the queue.
#[derive(Debug)]
pub(super) enum Outgoing {
    Line(Line),
    Message(Waiting),
    Request {
        number: u64,
        line: Line,
    },
    /// A command whose answer is waited for.
    Inquiry {
        number: u64,
        line: Line,
    },
}

/// A message that waits in the queue.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) id: MessageId,
    pub(super) target: Target,
    pub(super) lines: Vec<(Line, Joins)>,
    pub(super) reply: Option<String>,
    /// How often the server has put it off.
    pub(super) holds: u8,
}

/// A flush is cut here, so that what the owner holds at a time is bounded with flood control off.
pub(super) const MOST_LINES: usize = 64;

/// While more messages wait, a fence closes after so many: a PING for each line would halve the rate.
pub(super) const FENCED: usize = 4;

/// Messages that may be on their way without confirmation.
pub(super) const MOST_UNCONFIRMED: usize = 2048;

/// A line with its CRLF.
pub(super) const LINE: usize = 512;

/// The user names and hosts that servers allow where they do not say (modern IRC docs, RFC 1035).
const USER_LENGTH: usize = 10;
const HOST_LENGTH: usize = 63;

impl Session {
    /// Queues a message. Its fate comes as an event, or the connection ends before.
    pub fn message(&mut self, message: OutgoingMessage) -> Result<(), SendError> {
        if message.text.is_empty() {
            return Err(WireError::Empty.into());
        }
        let text = match message.kind {
            MessageKind::Action => ctcp::action(&message.text),
            MessageKind::Ctcp => ctcp::request(&message.text),
            MessageKind::Privmsg | MessageKind::Notice => ctcp::without_delimiters(&message.text),
        };
        let line = message.target.put(Line::new(message.kind.verb())).trailing(&text)?;
        let OutgoingMessage { id, target, reply, .. } = message;
        self.queue_message(id, target, vec![(line, Joins::No)], reply)
    }

    pub(super) fn queue_message(
        &mut self,
        id: MessageId,
        target: Target,
        lines: Vec<(Line, Joins)>,
        reply: Option<String>,
    ) -> Result<(), SendError> {
        if self.fences.unconfirmed().count() >= MOST_UNCONFIRMED {
            return Err(QueueFull.into());
        }
        self.enqueue(Class::Interactive, Outgoing::Message(Waiting { id, target, lines, reply, holds: 0 }))?;
        Ok(())
    }

    /// Queues a command of the user's.
    pub fn command(&mut self, line: Line) -> Result<(), QueueFull> {
        if line.verb() == "QUIT" {
            self.quit(line.as_str().split_once(':').map_or("", |(_, reason)| reason));
            return Ok(());
        }
        self.note_command(&line);
        self.enqueue(Class::Interactive, Outgoing::Line(line))
    }

    /// A command of the user's will leave: what comes of it is expected.
    pub(super) fn note_command(&mut self, line: &Line) {
        self.tellings.expect_no_answer();
        match line.verb().as_str() {
            "NICK" => {
                if let Some(nick) = line.first_param().and_then(|nick| Nick::new(nick).ok()) {
                    self.nicks.ask(nick);
                }
            }
            "JOIN" => self.note_keys(line),
            _ => {}
        }
    }

    /// What may leave now. With messages among it, a `PING` follows them, whose `PONG` confirms them, unless the
    /// server answers each by its label.
    pub fn transmit(&mut self, now: Instant) -> Transmit {
        let mut out = Transmit::default();
        if self.ended {
            return out;
        }
        if self.state == State::Closing && self.closing_since.is_none() {
            self.closing_since = Some(now);
            if self.fences.bare() > 0 {
                // Nothing is answered after QUIT.
                out.lines.push(self.fence(now));
            }
        }
        self.ask_next_names();
        self.release_relays();
        while out.lines.len() < MOST_LINES
            && let Some((class, item)) = self.queue.pop(self.lowest_class(), now)
        {
            match item {
                Outgoing::Line(line) => {
                    if class == Class::Interactive {
                        self.learnt.commanded_at = Some(now);
                    } else {
                        self.learnt.note_other(&line, self.fences.last(), now);
                    }
                    out.lines.push(line);
                }
                Outgoing::Message(message) => {
                    out.messages.push(message.id);
                    self.send_message(message, &mut out.lines, now);
                }
                Outgoing::Inquiry { number, line } => {
                    self.learnt.commanded_at = Some(now);
                    if self.uses_labels() {
                        self.inquiries.leave(number, None, now);
                        out.lines.push(line.labelled(&Label::Inquiry(number).to_string()));
                    } else {
                        out.lines.push(line);
                        out.lines.push(self.fence(now));
                        self.inquiries.leave(number, Some(self.fences.last()), now);
                        self.queue.pace().spend(Cost::LINE, now);
                    }
                }
                Outgoing::Request { number, line } => {
                    self.requests.touch(number, now);
                    let label = self.uses_labels().then(|| Label::Request(number).to_string());
                    out.lines.push(label.map_or_else(|| line.clone(), |label| line.labelled(&label)));
                }
            }
            self.ask_next_names();
        }
        let open = self.fences.urgent();
        let more =
            || self.queue.moving(Class::Interactive, now).any(|item| matches!(item, Outgoing::Message(_)));
        let goes_on = || more() && !self.awaits_answers();
        if self.state == State::Ready && open > 0 && (open >= FENCED || !goes_on()) {
            out.lines.push(self.fence(now));
            self.queue.pace().spend(Cost::LINE, now);
        }
        out
    }

    /// Closes the open fence: the line whose answer says that the server has read all that came before. ZNC answers
    /// `PING` itself and knows nothing of what the network takes, so that behind it the network is asked who is in a
    /// channel that nobody is in.
    pub(super) fn fence(&mut self, now: Instant) -> Line {
        let token = self.fences.close(now);
        if self.greeted_by_znc {
            Line::new("NAMES").name_literal(&format!("#{token}")).finish()
        } else {
            Line::ping(&token)
        }
    }

    /// The answer to a fence has come; `false` where it is none of ours.
    pub(super) fn pass_fence(&mut self, token: &str, now: Instant, events: &mut Vec<Event>) -> bool {
        let Some(Passed { confirmed, doubted }) = self.fences.pong(token, now) else { return false };
        self.end_inquiries_before(self.fences.passed(), events);
        if !confirmed.is_empty() {
            events.push(Event::Confirmed { messages: confirmed });
        }
        for (id, code, reason) in doubted {
            events.push(Event::Refused { messages: vec![id], certain: false, code, reason });
        }
        true
    }

    /// Notes how a message's answer will be known, and writes its lines as they go out.
    fn send_message(&mut self, message: Waiting, out: &mut Vec<Line>, now: Instant) {
        let Waiting { id, target, lines, reply, holds } = message;
        let number = self.uses_labels().then(|| {
            self.labels += 1;
            self.labels
        });
        let echo = (number.is_none() && self.caps.enabled("echo-message")).then(|| Echo::of(&lines));
        let label = number.map(|number| Label::Message(number).to_string());
        let label = label.as_deref().map(|label| ("label", label));
        let tags: Vec<_> = label.into_iter().chain(self.reply_tag().zip(reply.as_deref())).collect();
        match &lines[..] {
            [(line, _)] => out.push(line.tagged(&tags)),
            several => out.extend(self.batch_of(&target, several, &tags)),
        }
        let is_batch = lines.len() > 1;
        if relayed_as(&lines).is_some() {
            let lane = self.isupport.casemapping().fold(target.as_str());
            self.note_relay(id, &lane, now);
        }
        self.fences.add(Sent { id, target, label: number, echo, lines, reply, holds }, now);
        if is_batch && number.is_none() {
            // An error about a batch names none.
            out.push(self.fence(now));
        }
    }

    /// Before the greeting is over and after `QUIT`, only control lines leave; so do they while a server that sets the
    /// pace is to answer first.
    pub(super) fn lowest_class(&self) -> Class {
        let is_open = self.state == State::Ready && !self.awaits_answers();
        if is_open { Class::Background } else { Class::Control }
    }

    /// Messages that left and of which nothing was heard, in order: uncertain when the connection ends.
    #[must_use]
    pub fn unconfirmed(&self) -> Vec<MessageId> {
        self.fences.unconfirmed().collect()
    }

    /// Messages that never left, in order.
    #[must_use]
    pub fn unsent(&self) -> Vec<MessageId> {
        let id = |item: &Outgoing| match item {
            Outgoing::Message(message) => Some(message.id),
            Outgoing::Line(_) | Outgoing::Request { .. } | Outgoing::Inquiry { .. } => None,
        };
        self.queue.iter(Class::Interactive).filter_map(id).collect()
    }

    /// Takes back messages that have not left, and gives their numbers.
    pub fn withdraw(&mut self, ours: impl Fn(MessageId) -> bool) -> Vec<MessageId> {
        let is_ours = |item: &Outgoing| matches!(item, Outgoing::Message(message) if ours(message.id));
        let taken = self.queue.take_out(Class::Interactive, is_ours);
        let id = |item| match item {
            Outgoing::Message(message) => Some(message.id),
            _ => None,
        };
        taken.into_iter().filter_map(id).collect()
    }

    /// Somebody has another nick: what waits for them goes there, and not to whoever takes the old one. What no longer
    /// fits beside a longer nick is refused, since nobody gets half of it. What is for services is for that name only.
    pub(super) fn readdress(&mut self, from: &str, to: &str, events: &mut Vec<Event>) {
        let mapping = self.isupport.casemapping();
        if mapping.same(from, to) || is_service(from, &[self.isupport.network().unwrap_or_default()]) {
            return;
        }
        let target = Nick::new(to).ok().map(Target::Nick);
        let budgets = [MessageKind::Privmsg, MessageKind::Notice].map(|kind| self.text_budget(to, kind));
        let mut refused = BTreeSet::new();
        self.queue.change(Class::Interactive, |cost, item| {
            let Outgoing::Message(message) = item else { return };
            if !mapping.same(message.target.as_str(), from) {
                return;
            }
            let anew = |target: &Target| {
                let lines = message.lines.iter();
                lines
                    .map(|(line, joins)| Some((readdressed(line, target, budgets)?, *joins)))
                    .collect::<Option<Vec<_>>>()
            };
            match target.as_ref().and_then(|target| Some((target, anew(target)?))) {
                Some((target, lines)) => {
                    message.target = target.clone();
                    message.lines = lines;
                    *cost = item.cost();
                }
                None => {
                    refused.insert(message.id);
                }
            }
        });
        for id in self.withdraw(|id| refused.contains(&id)) {
            let reason = format!("{from} is now known as {to}, and with that nick the line is too long");
            let messages = vec![id];
            events.push(Event::Refused { messages, certain: true, code: ERR_INPUTTOOLONG, reason });
        }
    }

    /// How many lines of people's wait for flood control.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len(Class::Interactive)
    }

    /// How many bytes of text fit in one message to this target, so that others get all of it: the server puts
    /// our `nick!user@host` in front.
    #[must_use]
    pub fn text_budget(&self, target: &str, kind: MessageKind) -> usize {
        let longest = |known: &Option<String>, limit: Option<usize>, default: usize| {
            known.as_ref().map_or(limit.unwrap_or(default), String::len)
        };
        let (user, host) = &self.identity;
        let user = longest(user, self.isupport.user_length(), USER_LENGTH);
        let host = longest(host, self.isupport.host_length(), HOST_LENGTH);
        let prefix = ":!@ ".len() + self.nicks.longest() + user + host;
        let command = kind.verb().len() + " ".len() + target.len() + " :".len() + "\r\n".len();
        let around = match kind {
            MessageKind::Action => ctcp::ACTION_OVERHEAD,
            MessageKind::Ctcp => ctcp::REQUEST_OVERHEAD,
            MessageKind::Privmsg | MessageKind::Notice => 0,
        };
        self.isupport.line_length().saturating_sub(prefix + command + around)
    }

    /// Queues a line that goes at once. When even these do not fit, the server floods us with PINGs; it has
    /// enough answers then.
    pub(super) fn control(&mut self, line: Line) {
        if self.state != State::Closing {
            let _ = self.enqueue(Class::Control, Outgoing::Line(line));
        }
    }

    /// Queues a line that waits for flood control. When the class is full, it may go after all others.
    pub(super) fn queue_line(&mut self, class: Class, line: Line) {
        if self.enqueue(class, Outgoing::Line(line.clone())).is_err() {
            let _ = self.enqueue(Class::Background, Outgoing::Line(line));
        }
    }
}

/// A message's line to somebody else; none where the text is longer than what fits there as `PRIVMSG` and as `NOTICE`.
fn readdressed(line: &Line, target: &Target, [message, notice]: [usize; 2]) -> Option<Line> {
    let (head, text) = line.as_str().split_once(" :")?;
    let (kind, budget) = if head.starts_with("NOTICE ") {
        (MessageKind::Notice, notice)
    } else {
        (MessageKind::Privmsg, message)
    };
    let grows = target.as_str().len() > head.len() - kind.verb().len() - 1;
    if grows && text.len() > budget {
        return None;
    }
    target.put(Line::new(kind.verb())).trailing(text).ok()
}

/// Packs channels into JOIN lines of at most `length` bytes and `most` channels, in their order. Within a line those
/// with keys stand first: keys are paired by position.
pub(super) fn join_lines(
    channels: Vec<(Channel, Option<Key>)>,
    length: usize,
    most: Option<usize>,
) -> Vec<Line> {
    let mut lines: Vec<Vec<(Channel, Option<Key>)>> = Vec::new();
    let mut bytes = 0;
    for (channel, key) in channels {
        let more = channel.as_str().len() + 1 + key.as_ref().map_or(0, |key| key.as_str().len() + 1);
        match lines.last_mut() {
            Some(line) if bytes + more <= length && most.is_none_or(|most| line.len() < most) => {
                bytes += more;
                line.push((channel, key));
            }
            _ => {
                bytes = "JOIN  \r\n".len() + more;
                lines.push(vec![(channel, key)]);
            }
        }
    }
    let line = |mut channels: Vec<(Channel, Option<Key>)>| {
        channels.sort_by_key(|(_, key)| key.is_none());
        let names: Vec<&str> = channels.iter().map(|(channel, _)| channel.as_str()).collect();
        let keys: Vec<&str> = channels.iter().filter_map(|(_, key)| key.as_ref()).map(Key::as_str).collect();
        Line::new("JOIN").name_literal(&names.join(",")).name_literal(&keys.join(",")).finish()
    };
    lines.into_iter().map(line).collect()
}

/// A user name that can stand in `USER`: what cannot is left out.
pub(super) fn user_name(text: &str) -> String {
    let name: String = without_controls(text).chars().filter(|c| !matches!(c, ' ' | '@' | '!')).collect();
    let name = name.trim_start_matches(':');
    if name.is_empty() { "towline".to_owned() } else { name.to_owned() }
}
