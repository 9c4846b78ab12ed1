//! One user's connection to one network, as a state machine: messages in, events and lines out.
//!
//! Sans-IO: it has no socket, no task and no clock. The owner feeds what was received ([`Session::handle`]), calls
//! [`Session::tick`] when [`Session::deadline`] has come, and writes what [`Session::transmit`] releases. A session
//! lives as long as its connection; connecting again makes a new one.
//!
//! Invariants 3 (only [`Line`]s leave), 4 (casemapping and modes from `ISUPPORT`), 5 (one owner), 7 (time and
//! randomness are passed in), 9 (all that is kept is bounded), 10 (no credential without a secure connection).
//!
//! Spec: modern IRC docs; `IRCv3` capability negotiation 302, SASL 3.1 and 3.2.

mod batches;
mod config;
mod echo;
mod event;
mod fences;
mod history;
mod inquiries;
mod labels;
mod listing;
mod login;
mod markers;
mod membership;
mod messages;
mod modes;
mod multiline;
mod nicks;
mod nickserv;
mod numerics;
mod outgoing;
mod pacing;
mod people;
mod recognition;
mod redact;
mod regain;
mod registration;
mod relaymsg;
mod replies;
mod sts;
mod tags;
mod timers;
mod typing;
mod verdict;
mod wishes;

pub use config::{Entering, SessionConfig};
pub use event::{
    Event, IncomingKind, MessageId, MessageTarget, Origin, PersonNews, ReplyKind, ServerMessageKind,
    StandardReply, Verdict,
};
pub use history::HistoryMark;
pub use inquiries::{Answer, InquiryReply};
pub use listing::{ChannelList, ListedChannel, MOST_KEPT, Wanted};
pub use login::NonceSeed;
pub use multiline::{Joins, MultilineLimits, Piece};
pub use nickserv::{LoginMethod, ServiceAddress};
pub use outgoing::{MessageKind, OutgoingMessage, SendError, Target, Transmit};
pub use pacing::Backlog;
pub use regain::MOST_LOSSES;
pub use relaymsg::RelayNames;
pub use tags::{MessageTags, Typing};
pub use verdict::{classify, is_too_fast};
pub use wishes::{Obstacle, Retry, Standing, Trigger};

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::names::{Channel, Key};

use super::caps::{Capabilities, CapabilityWishes};
use super::channels::{ChannelState, Channels};
use super::ignores::IgnoreList;
use super::isupport::Isupport;
use super::queue::{Class, Queue};
use super::random::Jitter;
use super::wire::{Line, Message, Source, Verb};
use batches::{Batches, Context};
use fences::Fences;
use history::Requests;
use inquiries::Inquiries;
use labels::Label;
use login::Login;
use nicks::Nicks;
use outgoing::Outgoing;
use wishes::Wishes;

/// How far a connection is. It only ever goes forward.
///
/// `Registering` → (001 and the end of the greeting) → `Ready` → ([`Session::quit`]) → `Closing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Until the greeting is over: only registration's own lines leave.
    Registering,
    /// Messages and commands leave.
    Ready,
    /// `QUIT` was asked for: nothing else leaves.
    Closing,
}

/// The name under which ZNC itself speaks.
const ZNC: &str = "irc.znc.in";

/// Why the server will not have us.
#[derive(Debug, Clone)]
struct Expelled {
    reason: String,
    verdict: Verdict,
    /// Since when.
    at: Instant,
}

/// One connection's state.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    state: State,
    isupport: Isupport,
    caps: Capabilities,
    login: Login,
    /// `CAP END` was sent.
    negotiated: bool,
    /// What the server wants of connections to come, as it was told.
    sts: Option<Duration>,
    nicks: Nicks,
    /// Our user and host as others see them, once a line has shown them.
    identity: (Option<String>, Option<String>),
    server: String,
    /// The capabilities were offered in ZNC's own name.
    greeted_by_znc: bool,
    channels: Channels,
    wishes: Wishes,
    queue: Queue<Outgoing>,
    learnt: pacing::Learnt,
    /// Channels that we have entered, and whose members are still to be asked for.
    unnamed: VecDeque<Box<str>>,
    fences: Fences,
    copies: echo::Copies,
    /// How many messages had a label.
    labels: u64,
    relays: relaymsg::Relays,
    replies: replies::Replies,
    ignores: IgnoreList,
    watched: people::Watched,
    /// How many messages were batches.
    own_batches: u64,
    batches: Batches,
    requests: Requests,
    inquiries: Inquiries,
    listing: Option<listing::Listing>,
    tellings: typing::Tellings,
    jitter: Jitter,
    started: Instant,
    registered_at: Option<Instant>,
    last_received: Instant,
    keepalive_sent: Option<Instant>,
    /// When `QUIT` left.
    closing_since: Option<Instant>,
    /// A failure found before there was anybody to tell.
    refused: Option<&'static str>,
    /// The server has said that it will not have us, and mostly says more before it closes.
    expelled: Option<Expelled>,
    /// `Disconnect` was told: nothing more is read, told or sent.
    ended: bool,
}

impl Session {
    /// A session at the start of its connection. The lines of registration are queued, unless the configuration
    /// would send a password over a connection that may not carry one: then the first event is `Disconnect`.
    #[must_use]
    pub fn new(config: SessionConfig, now: Instant) -> Self {
        let mut session = Self {
            state: State::Registering,
            isupport: Isupport::default(),
            caps: Capabilities::new(config.uses_sasl(), config.capabilities.clone()),
            login: Login::default(),
            negotiated: false,
            sts: None,
            nicks: Nicks::new(&config),
            identity: (None, None),
            server: String::new(),
            greeted_by_znc: false,
            channels: Channels::new(config.pool.clone()),
            wishes: Wishes::default(),
            queue: Queue::new(config.flood, now),
            learnt: pacing::Learnt::default(),
            unnamed: VecDeque::new(),
            fences: Fences::default(),
            copies: echo::Copies::default(),
            labels: 0,
            relays: relaymsg::Relays::default(),
            replies: replies::Replies::default(),
            ignores: IgnoreList::default(),
            watched: people::Watched::default(),
            own_batches: 0,
            batches: Batches::default(),
            requests: Requests::default(),
            inquiries: Inquiries::default(),
            listing: None,
            tellings: typing::Tellings::default(),
            jitter: Jitter::new(config.seed),
            started: now,
            registered_at: None,
            last_received: now,
            keepalive_sent: None,
            closing_since: None,
            refused: None,
            expelled: None,
            ended: false,
            config,
        };
        session.channels.apply_isupport(&session.isupport);
        for (channel, key) in std::mem::take(&mut session.config.channels) {
            session.wishes.want(channel, key);
        }
        session.begin_registration();
        session
    }

    /// Takes one message from the server.
    pub fn handle(&mut self, message: &Message, now: Instant, events: &mut Vec<Event>) {
        if self.ended || self.report_refusal(events) {
            return;
        }
        self.last_received = now;
        self.keepalive_sent = None;
        let context = self.batches.context(message);
        if self.gather(message, context, now, events) {
            return;
        }
        if context.origin != Origin::Live {
            return self.on_past(message, context, now, events);
        }
        if let Some(source) = &message.source
            && !self.is_past(message)
        {
            self.learn_identity(source);
        }
        let is_told = context.label.is_some_and(|label| self.on_labelled(label, message, now, events));
        if !is_told {
            let before = events.len();
            self.on_live(message, context, now, events);
            if events[before..].iter().any(|event| matches!(event, Event::LoggedIn { .. })) {
                self.on_login(now);
            }
        }
        // The label of a batch is done when the batch ends.
        let is_batch = message.verb == Verb::Word("BATCH".into());
        if let Some(label) = Label::of(message).filter(|_| !is_batch) {
            self.complete(label, events);
        }
    }

    /// A line of history: it is told, and changes nothing. What says how things were then is left out.
    fn on_past(&mut self, message: &Message, context: Context, now: Instant, events: &mut Vec<Event>) {
        match &message.verb {
            Verb::Word(word) if matches!(&**word, "PRIVMSG" | "NOTICE") => {
                self.on_message(message, context, now, events);
            }
            Verb::Word(word) if &**word == "BATCH" => self.on_batch(message, context, now, events),
            Verb::Word(word) if &**word == "TAGMSG" => self.on_tagmsg(message, context.origin, events),
            // Taken back while we were away.
            Verb::Word(word) if &**word == "REDACT" => self.on_redact(message, events),
            _ => {}
        }
    }

    fn on_live(&mut self, message: &Message, context: Context, now: Instant, events: &mut Vec<Event>) {
        let word = match &message.verb {
            Verb::Numeric(code) => return self.on_numeric(*code, message, context, now, events),
            Verb::Word(word) => &**word,
        };
        if matches!(word, "PRIVMSG" | "NOTICE" | "TAGMSG" | "JOIN" | "MODE") {
            self.note_presence(message);
        }
        match word {
            "PING" => self.control(Line::pong(message.params.last().map_or("", String::as_str))),
            "PONG" => self.on_pong(message, now, events),
            "PRIVMSG" | "NOTICE" => {
                self.hear_services(message, now);
                self.on_message(message, context, now, events);
            }
            "JOIN" => self.on_join(message, events),
            "PART" => self.on_part(message, now, events),
            "KICK" => self.on_kick(message, now, events),
            "QUIT" => self.on_quit(message, context, now, events),
            "NICK" => self.on_nick(message, now, events),
            "MODE" => self.on_mode(message, now, events),
            "TOPIC" => self.on_topic(message, events),
            "INVITE" => self.on_invite(message, now, events),
            "KILL" => self.on_kill(message, events),
            "CAP" => {
                // Others offer ZNC's capabilities, too.
                self.greeted_by_znc |= message.source.as_ref().is_some_and(|source| source.nick == ZNC);
                if self.greeted_by_znc {
                    // It shows us our own messages before it sends them on: that confirms nothing.
                    self.caps.leave_out("echo-message");
                }
                self.answers_cap(message, context.label, now);
                self.on_cap(message, now, events);
            }
            "AUTHENTICATE" => self.on_authenticate(message, events),
            "ACCOUNT" => self.on_account(message, now, events),
            "ERROR" => self.on_error(message, events),
            "FAIL" => self.on_fail(message, context, now, events),
            "BATCH" => self.on_batch(message, context, now, events),
            "CHATHISTORY" => self.on_history_target(message, context, now),
            "REDACT" => self.on_redact(message, events),
            "MARKREAD" => Self::on_read_marker(message, events),
            "CHGHOST" => self.on_chghost(message),
            // It is its label.
            "ACK" => {}
            "AWAY" | "SETNAME" => self.on_person(word, message, events),
            "TAGMSG" => self.on_tagmsg(message, context.origin, events),
            "WALLOPS" => self.on_server_message(message, ServerMessageKind::Wallops, events),
            "WARN" => Self::on_standard_reply(message, ReplyKind::Warn, events),
            "NOTE" => Self::on_standard_reply(message, ReplyKind::Note, events),
            _ => self.on_server_message(message, ServerMessageKind::Other, events),
        }
    }

    /// Wants to be in these channels: at once, or when the session is ready.
    pub fn join(&mut self, channels: &[(Channel, Option<Key>)]) {
        for (channel, key) in channels {
            self.wishes.want(channel.clone(), key.clone());
        }
        if self.state == State::Ready {
            let names = channels.iter().map(|(channel, _)| channel.clone()).collect();
            self.enter(names, Class::Interactive, self.last_received);
        }
    }

    /// Leaves a channel, and no longer wants to be in it. Returns the channels that have led there, which are no
    /// longer wanted either.
    pub fn part(&mut self, channel: &Channel, reason: &str) -> Vec<Channel> {
        let name = channel.as_str();
        let is_coming = self.wishes.forget(name);
        if self.state == State::Ready && self.channels.contains(name) {
            self.queue_line(Class::Interactive, Line::part(channel, reason));
        } else if is_coming {
            self.wishes.leave_when_in(name, reason, self.last_received);
        }
        let leading = self.wishes.leading_to(name);
        for one in &leading {
            self.wishes.forget(one.as_str());
        }
        leading
    }

    /// Whom the user does not want to hear from now on: what they say, react with and invite to is left out. What
    /// all in a channel can read is told, and marked.
    pub fn ignore(&mut self, list: IgnoreList) {
        self.ignores = list;
    }

    /// Whether a line is from somebody whom the user does not want to hear.
    fn is_ignored(&self, from: &Source, message: &Message) -> bool {
        let mapping = self.isupport.casemapping();
        !self.is_own(&from.nick) && self.ignores.has(from, message.account(), mapping)
    }

    /// Does not go back into a channel by itself that threw us out, until something makes it worthwhile.
    pub fn stay_out(&mut self, channel: &str) {
        self.wishes.stay_out(channel);
    }

    /// Asks again for all channels that keep us out, whatever they have said before. Returns which.
    pub fn rejoin(&mut self) -> Vec<Channel> {
        let channels = self.wishes.kept_out();
        self.join(&channels.iter().map(|channel| (channel.clone(), None)).collect::<Vec<_>>());
        channels
    }

    /// Whether the user has left the channel before the server let us in.
    #[must_use]
    pub fn is_leaving(&self, channel: &str) -> bool {
        self.wishes.is_leaving(channel)
    }

    /// The channels that the user wants to be in, by name, and how we stand with each.
    pub fn wishes(&self) -> impl Iterator<Item = (&Channel, Standing<'_>)> {
        self.wishes.standings(|name| self.channels.contains(name))
    }

    /// How many of the channels that the user wants to be in keep us out.
    #[must_use]
    pub fn kept_out(&self) -> usize {
        self.wishes.blocked()
    }

    /// Closes the connection: `QUIT` goes before all that waits, and nothing after it.
    pub fn quit(&mut self, reason: &str) {
        if self.state != State::Closing {
            self.control(Line::quit(reason));
            self.state = State::Closing;
        }
    }

    /// Our nick, as the server has it.
    #[must_use]
    pub fn nick(&self) -> &str {
        self.nicks.current()
    }

    /// Whether this nick is ours.
    #[must_use]
    pub fn is_own(&self, nick: &str) -> bool {
        self.isupport.casemapping().same(nick, self.nicks.current())
    }

    /// How far the connection is.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// What the server has said about itself.
    #[must_use]
    pub fn isupport(&self) -> &Isupport {
        &self.isupport
    }

    /// What was negotiated.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.caps
    }

    /// Other wishes about capabilities, from now on.
    pub fn set_capabilities(&mut self, wishes: CapabilityWishes) {
        let mut lines = Vec::new();
        self.caps.set_wishes(wishes, &mut lines);
        for line in lines {
            self.control(line);
        }
    }

    /// Whether it is a bouncer that we talk to, which repeats by itself what it kept.
    #[must_use]
    pub fn is_bouncer(&self) -> bool {
        self.greeted_by_znc || self.caps.offered("soju.im/bouncer-networks").is_some()
    }

    /// The account that we are logged in to.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.login.account()
    }

    /// How long the server took to answer the last time that it was asked.
    #[must_use]
    pub fn lag(&self) -> Option<Duration> {
        self.fences.lag()
    }

    /// A channel that we are in.
    #[must_use]
    pub fn channel(&self, name: &str) -> Option<ChannelState<'_>> {
        self.channels.get(name)
    }

    /// The channels that we are in.
    pub fn channels(&self) -> impl Iterator<Item = ChannelState<'_>> {
        self.channels.iter()
    }

    /// When the server took us (001); for [`Backoff::reset_after`](super::backoff::Backoff::reset_after).
    #[must_use]
    pub fn registered_at(&self) -> Option<Instant> {
        self.registered_at
    }

    /// Why the server will not have us, if it has said so and not yet how it ends: for an owner who sees it close.
    #[must_use]
    pub fn expelled(&self) -> Option<(&str, Verdict)> {
        self.expelled.as_ref().map(|expelled| (expelled.reason.as_str(), expelled.verdict))
    }

    /// A failure that `new` could not tell.
    fn report_refusal(&mut self, events: &mut Vec<Event>) -> bool {
        let refused = self.refused.take();
        if let Some(reason) = refused {
            self.disconnect(reason, Verdict::NeedUser, events);
        }
        refused.is_some()
    }

    /// Tells that it is over, once.
    fn disconnect(&mut self, reason: impl Into<String>, verdict: Verdict, events: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.ended, true) {
            events.push(Event::Disconnect { reason: reason.into(), verdict });
        }
    }

    /// Who sent it; a message without a source is from the server that we are connected to.
    fn source(&self, message: &Message) -> Source {
        message.source.clone().unwrap_or_else(|| Source { nick: self.server.clone(), user: None, host: None })
    }

    /// Our user and host as others see them, once a line has shown them.
    #[must_use]
    pub fn user_and_host(&self) -> Option<(&str, &str)> {
        Some((self.identity.0.as_deref()?, self.identity.1.as_deref()?))
    }

    /// Takes our own user and host from any line that shows them.
    fn learn_identity(&mut self, source: &Source) {
        if source.user.is_some() && source.host.is_some() && self.is_own(&source.nick) {
            self.identity = (source.user.clone(), source.host.clone());
        }
    }
}

#[cfg(test)]
mod tests;
