//! Who is where: JOIN, PART, KICK, QUIT, NAMES, and invitations.
//!
//! The lists are in [`channels`](crate::irc::channels), what the user wants in [`wishes`](super::wishes); here the
//! lines are read and told on.
//!
//! Invariant 2's IRC half: a channel is left only when the server says that *we* left it.
//!
//! Spec: modern IRC docs "Channel Operations"; `IRCv3` `extended-join`, `invite-notify`, `userhost-in-names`,
//! "netsplit and netjoin batch types".

use std::time::Instant;

use crate::irc::numerics::{ERR_LINKCHANNEL, ERR_NOSUCHCHANNEL};
use crate::irc::queue::Class;
use crate::irc::wire::{Line, Message};
use crate::names::{Channel, Key};

use super::batches::Context;
use super::event::{Event, ServerMessageKind, Verdict};
use super::outgoing::join_lines;
use super::wishes::{Trigger, short_name};
use super::{Expelled, Session, State};

/// Channels whose members are yet to be asked for.
const MOST_UNNAMED: usize = 4096;

/// The longest name of a channel where the server does not say (RFC 2812 section 1.3).
const CHANNEL_LENGTH: usize = 50;

impl Session {
    /// Queues as many JOIN lines as these channels need, those first that stand first.
    pub(super) fn enter(&mut self, channels: Vec<Channel>, class: Class, now: Instant) {
        if self.state != State::Ready {
            return;
        }
        let mut wanted = Vec::new();
        for channel in channels {
            if self.channels.contains(channel.as_str()) {
                self.wishes.joined(channel.as_str());
                continue;
            }
            let key = self.wishes.get(channel.as_str()).and_then(|wish| wish.key.clone());
            self.wishes.asked(channel.as_str(), now, &mut self.jitter);
            wanted.push((channel, key));
        }
        let most = self.isupport.targets("JOIN");
        for line in join_lines(wanted, self.isupport.line_length(), most) {
            self.queue_line(class, line);
        }
    }

    /// What time was waited for has come.
    pub(super) fn retry_joins(&mut self, now: Instant) {
        self.enter(self.wishes.due(now), Class::Join, now);
    }

    /// We are logged in: doors that were closed to strangers may be open now.
    pub(super) fn on_login(&mut self, now: Instant) {
        self.enter(self.wishes.waiting_for(Trigger::Login), Class::Join, now);
        self.ask_services_soon(now);
    }

    /// The keys of a `JOIN` that the user typed: they are known when they have opened a channel.
    pub(super) fn note_keys(&mut self, line: &Line) {
        let Some(message) = Message::parse(line.as_str()) else {
            return;
        };
        let keys = message.param(1).split(',').map(Key::new);
        for (channel, key) in message.param(0).split(',').zip(keys) {
            if let Ok(key) = key {
                self.wishes.note_key(channel, key);
            }
        }
        for channel in message.param(0).split(',') {
            self.wishes.stay(channel);
        }
    }

    pub(super) fn on_join(&mut self, message: &Message, events: &mut Vec<Event>) {
        let who = self.source(message);
        let own = self.is_own(&who.nick);
        // extended-join: channel, account or `*`, real name.
        let extended = message.params.len() > 1;
        let account = message.account().map(str::to_owned).or_else(|| {
            extended
                .then(|| message.param(1))
                .filter(|account| !matches!(*account, "" | "*"))
                .map(str::to_owned)
        });
        for channel in message.param(0).split(',').filter(|channel| !channel.is_empty()) {
            if own {
                self.on_own_join(channel, events);
                if self.has_no_implicit_names()
                    && self.unnamed.len() < MOST_UNNAMED
                    && !self.unnamed.iter().any(|name| **name == *channel)
                {
                    self.unnamed.push_back(channel.into());
                }
            } else if !self.channels.contains(channel) {
                continue;
            }
            self.channels.add(channel, &who.nick);
            events.push(Event::Joined {
                channel: channel.to_owned(),
                who: who.clone(),
                account: account.clone(),
                own,
            });
        }
        if !own {
            self.on_nick_seen(&who.nick);
        }
    }

    fn on_own_join(&mut self, channel: &str, events: &mut Vec<Event>) {
        // What it refused to who was not there it may take now.
        self.relays.forget(&self.isupport.casemapping().fold(channel));
        let limit = self.isupport.channel_length().unwrap_or(CHANNEL_LENGTH);
        if let Some(reason) = self.wishes.leaving(channel, limit, self.last_received) {
            if let Ok(name) = Channel::new(channel) {
                self.queue_line(Class::Interactive, Line::part(&name, &reason));
            }
        } else if let Ok(name) = Channel::new(channel)
            && self.wishes.get(channel).is_none()
        {
            let asked = self.wishes.by_short_name(channel);
            match asked.or_else(|| self.wishes.by_cut_name(channel, limit)) {
                Some(asked) => {
                    self.wishes.rename(asked.as_str(), name);
                    let asked = asked.as_str().to_owned();
                    events.push(Event::ChannelNamed { asked, channel: channel.to_owned() });
                }
                // A forward, or services that know what their user wants.
                None => self.wishes.want(name, None),
            }
        }
        let key = self.wishes.joined(channel);
        self.channels.enter(channel);
        if let Some(key) = key {
            events.push(Event::KeyLearnt { channel: channel.to_owned(), key });
        }
    }

    pub(super) fn on_part(&mut self, message: &Message, now: Instant, events: &mut Vec<Event>) {
        let who = self.source(message);
        let own = self.is_own(&who.nick);
        for channel in message.param(0).split(',').filter(|channel| !channel.is_empty()) {
            if !self.channels.contains(channel) {
                continue;
            }
            if own {
                self.wishes.forget(channel);
            }
            self.take_out(channel, &who.nick, own, now);
            let (channel, reason) = (channel.to_owned(), message.param(1).to_owned());
            events.push(Event::Parted { channel, who: who.clone(), reason, own });
        }
    }

    pub(super) fn on_kick(&mut self, message: &Message, now: Instant, events: &mut Vec<Event>) {
        let (channel, nick) = (message.param(0).to_owned(), message.param(1).to_owned());
        if !self.channels.contains(&channel) || nick.is_empty() {
            return;
        }
        let own = self.is_own(&nick);
        self.take_out(&channel, &nick, own, now);
        let (by, reason) = (self.source(message), message.param(2).to_owned());
        let back_in = if own { self.wishes.kicked(&channel, &reason, now, &mut self.jitter) } else { None };
        events.push(Event::Kicked { channel, nick, by, reason, own, back_in });
    }

    fn take_out(&mut self, channel: &str, nick: &str, own: bool, now: Instant) {
        if own {
            self.channels.leave(channel);
            // There is a place for another.
            self.enter(self.wishes.waiting_for(Trigger::Place), Class::Join, now);
        } else {
            self.channels.remove(channel, nick);
        }
    }

    pub(super) fn on_quit(
        &mut self,
        message: &Message,
        context: Context,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        let who = self.source(message);
        let own = self.is_own(&who.nick);
        let channels = self.channels.remove_everywhere(&who.nick);
        let reason = message.param(0).to_owned();
        let split = self.batches.split(context).map(str::to_owned);
        let split = split.or_else(|| is_split(&reason).then(|| reason.clone())).filter(|_| !own);
        if split.is_some() {
            self.on_nick_split(&who.nick, now);
        } else if !own {
            self.on_nick_freed(&who.nick, now);
        }
        events.push(Event::Quit { who, reason, channels, own, split });
    }

    /// 353 <nick> <symbol> <channel> :<names>. Returns whether it is about a channel of ours.
    pub(super) fn on_names(&mut self, params: &[String]) -> bool {
        let [.., channel, names] = params else {
            return false;
        };
        let known = self.channels.contains(channel);
        if known {
            self.channels.collect_names(channel, names);
            // userhost-in-names shows our own prefix too.
            let mut own = names.split(' ').filter(|entry| entry.contains('!')).map(|entry| {
                let symbols = self.isupport.prefixes();
                crate::irc::wire::Source::parse(
                    entry.trim_start_matches(|c| symbols.iter().any(|pair| pair.1 == c)),
                )
            });
            if let Some(own) = own.rfind(|source| self.is_own(&source.nick)) {
                self.learn_identity(&own);
            }
        }
        known
    }

    /// 366 <nick> <channel> :text.
    pub(super) fn on_names_end(&mut self, params: &[String], events: &mut Vec<Event>) -> bool {
        let Some(channel) = params.first().cloned() else {
            return false;
        };
        self.learnt.names_of.take_if(|asked| self.isupport.casemapping().same(asked, &channel));
        let known = self.channels.finish_names(&channel);
        if known {
            events.push(Event::Names { channel });
        }
        known
    }

    pub(super) fn on_topic(&mut self, message: &Message, events: &mut Vec<Event>) {
        let (channel, topic) = (message.param(0).to_owned(), message.param(1).to_owned());
        if self.channels.contains(&channel) {
            self.channels.set_topic(&channel, &topic);
            let by = Some(self.source(message));
            events.push(Event::Topic { channel, topic, by });
        }
    }

    pub(super) fn on_invite(&mut self, message: &Message, now: Instant, events: &mut Vec<Event>) {
        let (nick, channel) = (message.param(0).to_owned(), message.param(1).to_owned());
        if nick.is_empty() || channel.is_empty() || self.is_ignored(&self.source(message), message) {
            return;
        }
        let wish = self.wishes.get(&channel).filter(|_| self.is_own(&nick)).map(|wish| wish.channel.clone());
        let followed = wish.is_some() || self.is_own(&nick) && self.channels.contains(&channel);
        // The way in that the user was waiting for.
        if let Some(channel) = wish {
            self.enter(vec![channel], Class::Join, now);
        }
        events.push(Event::Invited { channel, nick, by: self.source(message), followed });
    }

    /// A numeric that says that we are not let in. `params` come without our nick. Returns whether it says that of a
    /// channel that we are not in.
    pub(super) fn on_join_failed(
        &mut self,
        code: u16,
        params: &[String],
        now: Instant,
        events: &mut Vec<Event>,
    ) -> bool {
        let reason = params.last().cloned().unwrap_or_default();
        let (channel, forward) = match code {
            ERR_LINKCHANNEL => self.forward(params),
            _ => (params.first().cloned().unwrap_or_default(), None),
        };
        if self.channels.contains(&channel) {
            return false;
        }
        if self.wishes.refused_leaving(&channel, forward.as_deref()) {
            return true;
        }
        // A channel of IRCnet's kind dies with its last member; another of that name may be there.
        if code == ERR_NOSUCHCHANNEL
            && let Some(short) = short_name(&channel)
            && let Ok(short) = Channel::new(&format!("!{short}"))
            && self.wishes.get(short.as_str()).is_none()
        {
            self.wishes.rename(&channel, short.clone());
            events.push(Event::ChannelNamed { asked: channel, channel: short.as_str().to_owned() });
            self.enter(vec![short], Class::Join, now);
            return true;
        }
        let (retry, is_news) = self.wishes.refused(&channel, (code, &reason), now, &mut self.jitter);
        if let Some(forward) = &forward {
            self.wishes.forwarded(&channel, forward);
        }
        if is_news {
            events.push(Event::JoinFailed { channel, code, reason, forward, retry });
        }
        true
    }

    /// 470 <channel> <other> :text, or `UnrealIRCd`'s `470 :[Link] <channel> has become full, so you are …
    /// transferred to the linked channel <other>`.
    fn forward(&self, params: &[String]) -> (String, Option<String>) {
        let is_channel = |word: &&str| self.isupport.is_channel(word);
        let words = || params.iter().flat_map(|param| param.split(' ')).filter(is_channel);
        let channel = words().next().unwrap_or_default();
        let other = words().nth(1).filter(|other| !self.isupport.casemapping().same(channel, other));
        (channel.to_owned(), other.map(str::to_owned))
    }

    pub(super) fn on_kill(&mut self, message: &Message, events: &mut Vec<Event>) {
        if self.is_own(message.param(0)) {
            self.lose_nick_with_connection(message.param(1));
            let reason = format!("killed by {}: {}", self.source(message).nick, message.param(1));
            self.disconnect(reason, Verdict::Hold(std::time::Duration::from_mins(5)), events);
        }
    }

    pub(super) fn on_error(&mut self, message: &Message, events: &mut Vec<Event>) {
        let text = message.param(0).to_owned();
        // What the server says about our own QUIT, our reason included, is no reason to wait.
        let verdict = if self.state == State::Closing { Verdict::Retry } else { super::classify(&text) };
        if self.state != State::Closing {
            self.lose_nick_with_connection(&text);
        }
        let from = self.source(message);
        events.push(Event::ServerMessage { from, kind: ServerMessageKind::Error, text: text.clone() });
        match self.expelled.take() {
            Some(Expelled { reason, verdict: before, .. }) => {
                // The one that says more about it decides: mostly the `ERROR`, unless that only says that it closes.
                let verdict = match verdict {
                    Verdict::Retry | Verdict::Hold(_) => before,
                    verdict => verdict,
                };
                self.disconnect(format!("{reason}: {text}"), verdict, events);
            }
            None => self.disconnect(text, verdict, events),
        }
    }

    pub(super) fn on_chghost(&mut self, message: &Message) {
        if self.is_own(&self.source(message).nick) && message.params.len() > 1 {
            self.identity = (Some(message.param(0).to_owned()), Some(message.param(1).to_owned()));
        }
    }

    /// Whether the server leaves it to us to ask who is in a channel.
    fn has_no_implicit_names(&self) -> bool {
        ["no-implicit-names", "draft/no-implicit-names"].into_iter().any(|name| self.caps.enabled(name))
    }

    /// Sees to it that one of the channels whose members were never told is asked about next, behind all else.
    pub(super) fn ask_next_names(&mut self) {
        while self.queue.len(Class::Background) == 0
            && let Some(channel) = self.unnamed.pop_front()
        {
            if self.channels.contains(&channel) {
                self.ask_names(&channel);
            }
        }
    }

    /// Asks for a channel's members again, because a line about them could not be read with certainty.
    pub(super) fn ask_names(&mut self, channel: &str) {
        if let Ok(channel) = Channel::new(channel) {
            self.learnt.names_of = Some(channel.as_str().into());
            self.queue_line(Class::Background, Line::names(&channel));
        }
    }

    /// Asks who is in a channel, if we are.
    pub fn look_who_is_in(&mut self, channel: &str) {
        if self.channels.contains(channel) {
            self.ask_names(channel);
        }
    }

    pub(super) fn on_pong(&mut self, message: &Message, now: Instant, events: &mut Vec<Event>) {
        // `PONG server :token`; some servers answer with the token alone.
        let token = message.params.last().map_or("", String::as_str);
        // ZNC's own answer says nothing of the network.
        if !self.greeted_by_znc {
            self.pass_fence(token, now, events);
        }
    }
}

/// Whether the reason of a `QUIT` is that of a netsplit: the names of two servers, `*` for what is hidden. What a
/// person writes has a `Quit:` before it on most servers; an address or a sentence it is not.
fn is_split(reason: &str) -> bool {
    let is_server = |name: &str| {
        let mut labels = name.split('.');
        let last = labels.next_back().unwrap_or_default();
        let is_label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_*".contains(&byte))
        };
        let mut rest = labels.peekable();
        rest.peek().is_some()
            && rest.all(is_label)
            && is_label(last)
            && last.bytes().any(|b| b.is_ascii_alphabetic())
    };
    reason.split_once(' ').is_some_and(|(one, other)| is_server(one) && is_server(other) && one != other)
}
