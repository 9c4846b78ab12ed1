//! Who is where: JOIN, PART, KICK, QUIT, NAMES, and invitations.
//!
//! The lists are in [`channels`](crate::irc::channels); here the lines are read and told on. A channel that threw
//! us out is not entered again by itself: whoever did it would only do it again, for longer.
//!
//! Invariant 2's IRC half: a channel is left only when the server says that *we* left it.
//!
//! Spec: modern IRC docs "Channel Operations"; `IRCv3` `extended-join`, `invite-notify`, `userhost-in-names`.

use std::time::Instant;

use crate::irc::queue::Class;
use crate::irc::wire::{Line, Message};
use crate::names::Channel;

use super::event::{Event, ServerMessageKind, Verdict};
use super::{MOST_WANTED, Session, State};

impl Session {
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
                self.channels.enter(channel);
                let has_room = self.unnamed.len() < MOST_WANTED;
                if self.has_no_implicit_names()
                    && has_room
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
    }

    pub(super) fn on_part(&mut self, message: &Message, events: &mut Vec<Event>) {
        let who = self.source(message);
        let own = self.is_own(&who.nick);
        for channel in message.param(0).split(',').filter(|channel| !channel.is_empty()) {
            if !self.channels.contains(channel) {
                continue;
            }
            self.take_out(channel, &who.nick, own);
            let (channel, reason) = (channel.to_owned(), message.param(1).to_owned());
            events.push(Event::Parted { channel, who: who.clone(), reason, own });
        }
    }

    pub(super) fn on_kick(&mut self, message: &Message, events: &mut Vec<Event>) {
        let (channel, nick) = (message.param(0).to_owned(), message.param(1).to_owned());
        if !self.channels.contains(&channel) || nick.is_empty() {
            return;
        }
        let own = self.is_own(&nick);
        self.take_out(&channel, &nick, own);
        let (by, reason) = (self.source(message), message.param(2).to_owned());
        events.push(Event::Kicked { channel, nick, by, reason, own });
    }

    fn take_out(&mut self, channel: &str, nick: &str, own: bool) {
        if own {
            self.channels.leave(channel);
            self.wanted.remove(channel);
        } else {
            self.channels.remove(channel, nick);
        }
    }

    pub(super) fn on_quit(&mut self, message: &Message, events: &mut Vec<Event>) {
        let who = self.source(message);
        let own = self.is_own(&who.nick);
        let channels = self.channels.remove_everywhere(&who.nick);
        if !own {
            self.on_nick_freed(&who.nick, self.last_received);
        }
        events.push(Event::Quit { who, reason: message.param(0).to_owned(), channels, own });
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

    pub(super) fn on_invite(&mut self, message: &Message, events: &mut Vec<Event>) {
        let (nick, channel) = (message.param(0).to_owned(), message.param(1).to_owned());
        if nick.is_empty() || channel.is_empty() {
            return;
        }
        // The way in that the user was waiting for.
        if self.is_own(&nick)
            && self.state == State::Ready
            && let Some(wanted) = self.wanted.get(&channel).cloned()
        {
            self.queue_joins(vec![(&wanted.channel, wanted.key.as_ref())]);
        }
        events.push(Event::Invited { channel, nick, by: self.source(message) });
    }

    /// A numeric that says that we are not let in. `params` come without our nick.
    pub(super) fn on_join_failed(
        &mut self,
        code: u16,
        params: &[String],
        forward: bool,
        events: &mut Vec<Event>,
    ) {
        let channel = params.first().cloned().unwrap_or_default();
        let reason = params.last().cloned().unwrap_or_default();
        let forward =
            forward.then(|| params.get(1).cloned()).flatten().filter(|name| self.isupport.is_channel(name));
        events.push(Event::JoinFailed { channel, code, reason, forward });
    }

    pub(super) fn on_kill(&mut self, message: &Message, events: &mut Vec<Event>) {
        if self.is_own(message.param(0)) {
            let reason = format!("killed by {}: {}", self.source(message).nick, message.param(1));
            self.disconnect(reason, Verdict::Hold(std::time::Duration::from_mins(5)), events);
        }
    }

    pub(super) fn on_error(&mut self, message: &Message, events: &mut Vec<Event>) {
        let text = message.param(0).to_owned();
        // What the server says about our own QUIT, our reason included, is no reason to wait.
        let verdict = if self.state == State::Closing { Verdict::Retry } else { super::classify(&text) };
        let from = self.source(message);
        events.push(Event::ServerMessage { from, kind: ServerMessageKind::Error, text: text.clone() });
        self.disconnect(text, verdict, events);
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
            self.queue_line(Class::Background, Line::names(&channel));
        }
    }

    pub(super) fn on_pong(&mut self, message: &Message, now: Instant, events: &mut Vec<Event>) {
        // `PONG server :token`; some servers answer with the token alone.
        let token = message.params.last().map_or("", String::as_str);
        if let Some(messages) = self.fences.pong(token, now)
            && !messages.is_empty()
        {
            events.push(Event::Confirmed { messages });
        }
    }
}
