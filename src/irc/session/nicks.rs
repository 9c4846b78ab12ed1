//! The nick that is wanted, the one that we have, and the way from this to that.
//!
//! Three names that must not be mixed up: `wanted` is the user's, and only the user changes it; `current` is what
//! the server calls us; a fallback is `wanted` with something behind it, so it never grows from one connection to
//! the next. Before 001 a refusal means to try the next fallback; after it, it is an answer to somebody.
//!
//! Invariant 4: compared by the network's casemapping. Invariant 7: jitter is seeded.
//!
//! Spec: modern IRC docs "NICK message", `ERR_NICKNAMEINUSE`; RFC 2812 `ERR_UNAVAILRESOURCE`.

use std::time::{Duration, Instant};

use crate::irc::numerics::{ERR_ERRONEUSNICKNAME, ERR_NICKNAMEINUSE};
use crate::irc::queue::Class;
use crate::irc::wire::{Line, Message};
use crate::names::Nick;

use super::event::{Event, Verdict};
use super::{Session, State};

/// Fallbacks to try before registration.
const MOST_TRIES: usize = 5;

const FIRST_REGAIN: Duration = Duration::from_secs(30);
const LAST_REGAIN: Duration = Duration::from_mins(10);

/// The nicks of a session.
#[derive(Debug)]
pub(super) struct Nicks {
    wanted: Nick,
    current: String,
    /// Fallbacks tried before registration.
    tries: usize,
    /// The longest nick, learnt from a refusal that named a cut one.
    limit: Option<usize>,
    /// The user asked for this one, and the answer is not there.
    asked: Option<Nick>,
    /// We asked for the wanted one by ourselves.
    regaining: bool,
    regains: u32,
    regain_at: Option<Instant>,
}

impl Nicks {
    pub(super) fn new(wanted: Nick) -> Self {
        Self {
            current: wanted.as_str().to_owned(),
            wanted,
            tries: 0,
            limit: None,
            asked: None,
            regaining: false,
            regains: 0,
            regain_at: None,
        }
    }

    pub(super) fn current(&self) -> &str {
        &self.current
    }

    /// The longer of the nick that we have and the one that we may have when a waiting line leaves.
    pub(super) fn longest(&self) -> usize {
        let asked = self.asked.as_ref().map_or(0, |nick| nick.as_str().len());
        self.current.len().max(self.wanted.as_str().len()).max(asked)
    }

    /// The user asks for a nick.
    pub(super) fn ask(&mut self, nick: Nick) {
        self.asked = Some(nick);
    }

    /// 001 tells what the server calls us, perhaps cut.
    pub(super) fn registered(&mut self, nick: &str) {
        if !nick.is_empty() && nick != "*" {
            nick.clone_into(&mut self.current);
        }
    }

    pub(super) fn regain_at(&self) -> Option<Instant> {
        self.regain_at
    }

    /// The next fallback after a refusal of `refused`: the wanted nick and as many underscores as tries, within
    /// the length that the server takes.
    fn next_fallback(&mut self, refused: &str) -> Option<Nick> {
        if refused.len() < self.current.len() && !refused.is_empty() && self.current.starts_with(refused) {
            self.limit = Some(refused.len());
        }
        self.tries += 1;
        if self.tries > MOST_TRIES {
            return None;
        }
        let wanted = self.wanted.as_str();
        let limit = self.limit.unwrap_or(usize::MAX).saturating_sub(self.tries).max(1);
        let mut end = wanted.len().min(limit);
        while !wanted.is_char_boundary(end) {
            end -= 1;
        }
        let nick = Nick::new(&format!("{}{}", &wanted[..end], "_".repeat(self.tries))).ok()?;
        nick.as_str().clone_into(&mut self.current);
        Some(nick)
    }
}

impl Session {
    /// Asks for another nick, which is the wanted one from now on if the server gives it.
    pub fn set_nick(&mut self, nick: Nick) {
        match self.state {
            State::Ready => {
                self.queue_line(Class::Interactive, Line::nick(&nick));
                self.nicks.ask(nick);
            }
            // The greeting is not over: the timer asks for it when it is.
            State::Registering => self.nicks.wanted = nick,
            State::Closing => {}
        }
    }

    /// Somebody changed their nick.
    pub(super) fn on_nick(&mut self, message: &Message, now: Instant, events: &mut Vec<Event>) {
        let (from, to) = (self.source(message), message.param(0).to_owned());
        if to.is_empty() {
            return;
        }
        let own = self.is_own(&from.nick);
        let channels = self.channels.rename(&from.nick, &to);
        if own {
            self.nicks.current.clone_from(&to);
            self.nicks.regaining = false;
            if let Some(asked) =
                self.nicks.asked.take_if(|asked| self.isupport.casemapping().same(asked.as_str(), &to))
            {
                self.nicks.wanted = asked;
            }
            self.plan_regain(now);
        } else {
            self.on_nick_freed(&from.nick, now);
        }
        events.push(Event::NickChanged { from, to, channels, own });
    }

    /// A nick is free now; if it is the wanted one, take it.
    pub(super) fn on_nick_freed(&mut self, nick: &str, now: Instant) {
        if self.nicks.regain_at.is_some()
            && self.isupport.casemapping().same(nick, self.nicks.wanted.as_str())
        {
            self.regain(now);
        }
    }

    /// Whether the wanted nick is another than ours, and one that this server can give.
    fn lacks_wanted(&self) -> bool {
        let wanted = self.nicks.wanted.as_str();
        let limit = self.isupport.nick_length().or(self.nicks.limit);
        !self.is_own(wanted) && limit.is_none_or(|most| wanted.len() <= most)
    }

    /// Sets or clears the timer for the wanted nick.
    pub(super) fn plan_regain(&mut self, now: Instant) {
        self.nicks.regain_at = (self.state == State::Ready && self.lacks_wanted()).then(|| {
            let wait = FIRST_REGAIN.saturating_mul(1 << self.nicks.regains.min(8)).min(LAST_REGAIN);
            now + self.jitter.around(wait)
        });
    }

    /// Asks for the wanted nick; the answer is not shown if it is a refusal.
    pub(super) fn regain(&mut self, now: Instant) {
        if self.nicks.asked.is_none() {
            self.nicks.regaining = true;
            self.queue_line(Class::Interactive, Line::nick(&self.nicks.wanted.clone()));
        }
        // Never back to short waits within a connection: services that force us off a nick would be raced.
        self.nicks.regains += 1;
        self.plan_regain(now);
    }

    /// 431 to 438, 447: a nick was refused. `params` come without our own nick.
    pub(super) fn on_nick_refused(&mut self, code: u16, params: &[String], events: &mut Vec<Event>) {
        let refused = if params.len() > 1 { params[0].as_str() } else { "" };
        let reason = params.last().cloned().unwrap_or_default();
        if self.registered_at.is_none() {
            // Of a fallback it may mean only that it is too long.
            if code == ERR_ERRONEUSNICKNAME && self.nicks.tries > 0 {
                self.nicks.limit = Some(self.nicks.current.len() - 1);
            } else if code == ERR_ERRONEUSNICKNAME {
                let nick = if refused.is_empty() { &self.nicks.current } else { refused };
                let reason = format!("the network does not allow the nick {nick}: {reason}");
                return self.disconnect(reason, Verdict::NeedUser, events);
            }
            match self.nicks.next_fallback(refused) {
                Some(nick) => self.control(Line::nick(&nick)),
                None => self.disconnect("no nick was free", Verdict::Retry, events),
            }
            return;
        }
        let mapping = self.isupport.casemapping();
        let names = |nick: &Nick| refused.is_empty() || mapping.same(nick.as_str(), refused);
        if let Some(asked) = self.nicks.asked.take_if(|asked| names(asked)) {
            let nick = asked.as_str().to_owned();
            events.push(Event::NickRefused { nick, code, reason });
        } else if self.nicks.regaining && (names(&self.nicks.wanted) || code != ERR_NICKNAMEINUSE) {
            self.nicks.regaining = false;
        } else {
            events.push(Event::NickRefused { nick: refused.to_owned(), code, reason });
        }
    }
}
