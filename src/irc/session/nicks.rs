//! The nick that is wanted, the one that we have, and what the server says to both.
//!
//! Three names that must not be mixed up: `wanted` is the user's, and only the user changes it; `current` is what
//! the server calls us; a fallback is one of the user's alternatives, or `wanted` with something behind it, so it
//! never grows from one connection to the next. Before 001 a refusal means to try the next fallback; after it, it is
//! an answer to somebody. The way back to the wanted nick is in [`regain`](super::regain).
//!
//! Invariant 4: compared by the network's casemapping.
//!
//! Spec: modern IRC docs "NICK message", `ERR_NICKNAMEINUSE`; RFC 2812 `ERR_UNAVAILRESOURCE`.

use std::time::{Duration, Instant};

use crate::irc::numerics::ERR_ERRONEUSNICKNAME;
use crate::irc::queue::Class;
use crate::irc::wire::{Line, Message};
use crate::names::Nick;

use super::config::SessionConfig;
use super::event::{Event, Verdict};
use super::regain::Regain;
use super::{Session, State};

/// Underscores to try before registration, after the user's alternatives.
const MOST_UNDERSCORES: usize = 5;
/// The lengths of nicks that servers take which do not say so, the longest first: where a longer one is refused, it may be
/// for that.
const USUAL_LENGTHS: [usize; 4] = [16, 15, 12, 9];
/// A smaller number in what a server says about a nick is no length: none takes so little.
const SHORTEST_LENGTH: usize = 5;
/// Nicks that are asked for at a time.
const MOST_ASKED: usize = 8;
/// A server that has said nothing for so long will not say more about a nick.
const ANSWER: Duration = Duration::from_mins(1);

/// A nick that the user asked for.
#[derive(Debug)]
struct Asked {
    nick: Nick,
    /// Since when it is in the way of another.
    seen: Option<Instant>,
}

/// The nicks of a session.
#[derive(Debug)]
pub(super) struct Nicks {
    pub(super) wanted: Nick,
    suffix: String,
    alternatives: Vec<Nick>,
    current: String,
    /// Fallbacks tried before registration.
    tries: usize,
    /// The longest nick, learnt from a server that cuts them.
    limit: Option<usize>,
    /// The server does not take the wanted nick from anybody.
    pub(super) erroneous: bool,
    /// It was ours on this network, so that a refusal can't be for ever.
    had: bool,
    /// The user asked for these, in this order, and the answers are not there.
    asked: Vec<Asked>,
    pub(super) regain: Regain,
}

impl Nicks {
    pub(super) fn new(config: &SessionConfig) -> Self {
        Self {
            current: config.nick.as_str().to_owned(),
            wanted: config.nick.clone(),
            suffix: config.nick_suffix.clone(),
            alternatives: config.alternatives.clone(),
            tries: 0,
            limit: None,
            erroneous: false,
            had: config.nick_had.as_ref() == Some(&config.nick),
            asked: Vec::new(),
            regain: Regain::new(config.nick_losses),
        }
    }

    pub(super) fn current(&self) -> &str {
        &self.current
    }

    /// The longer of the nick that we have and the one that we may have when a waiting line leaves.
    pub(super) fn longest(&self) -> usize {
        let asked = self.asked.iter().map(|asked| asked.nick.as_str().len()).max().unwrap_or(0);
        self.current.len().max(self.wanted.as_str().len()).max(asked)
    }

    /// The user asks for a nick. Whether the server will say anything to that: not to whom it calls so already.
    pub(super) fn ask(&mut self, nick: Nick) -> bool {
        self.regain.forgive();
        if self.asked.is_empty() && nick.as_str() == self.current {
            return false;
        }
        if self.asked.len() >= MOST_ASKED {
            self.asked.remove(0);
        }
        self.asked.push(Asked { nick, seen: None });
        true
    }

    /// The server has answered about a nick, and so about all that were asked for before it.
    fn take_asked(&mut self, place: usize) -> Option<Nick> {
        self.asked.drain(..=place).next_back().map(|asked| asked.nick)
    }

    /// Whether the user waits for an answer about a nick. Some servers never give one, which must not be in the way
    /// of the wanted nick for ever.
    pub(super) fn awaits_answer(&mut self, now: Instant) -> bool {
        self.asked.retain_mut(|asked| now < *asked.seen.get_or_insert(now) + ANSWER);
        !self.asked.is_empty()
    }

    /// 001 tells what the server calls us, perhaps cut.
    pub(super) fn registered(&mut self, nick: &str) {
        if !nick.is_empty() && nick != "*" {
            self.learn_limit(nick);
            nick.clone_into(&mut self.current);
        }
    }

    /// A server that names a beginning of the nick that we gave cuts nicks there.
    fn learn_limit(&mut self, named: &str) {
        if named.len() < self.current.len() && !named.is_empty() && self.current.starts_with(named) {
            self.limit = Some(named.len());
        }
    }

    /// As much of the wanted nick as so many bytes hold: of that of a further session the end, too, or it would be the
    /// first one's.
    pub(super) fn within(&self, most: usize) -> String {
        let wanted = self.wanted.as_str();
        match wanted.strip_suffix(self.suffix.as_str()) {
            Some(base) if wanted.len() > most => {
                let end = cut(&self.suffix, most.saturating_sub(1));
                format!("{}{end}", cut(base, most.saturating_sub(end.len())))
            }
            _ => cut(wanted, most).to_owned(),
        }
    }

    pub(super) fn limit(&self) -> Option<usize> {
        self.limit
    }

    /// As much of the wanted nick, which was refused, as a server that takes shorter ones only might take: in as many bytes as
    /// its reason names, else in as many as others take. `None` where it is short enough for any.
    fn shortened(&mut self, reason: &str) -> Option<Nick> {
        let length = self.current.len();
        if length <= USUAL_LENGTHS[USUAL_LENGTHS.len() - 1] {
            return None;
        }
        // The nick may stand in it, with numbers of its own.
        let reason = reason.to_ascii_lowercase().replace(&self.current.to_ascii_lowercase(), " ");
        let named = reason.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok());
        let most = named.chain(USUAL_LENGTHS).find(|most| (SHORTEST_LENGTH..length).contains(most))?;
        let nick = Nick::new(&self.within(most)).ok()?;
        self.limit = Some(most);
        nick.as_str().clone_into(&mut self.current);
        Some(nick)
    }

    /// The next fallback after a refusal of `refused`, within the length that the server takes.
    fn next_fallback(&mut self, refused: &str) -> Option<Nick> {
        self.learn_limit(refused);
        loop {
            let number = self.tries;
            self.tries += 1;
            let limit = self.limit.unwrap_or(usize::MAX);
            let text = match self.alternatives.get(number) {
                Some(nick) => cut(nick.as_str(), limit).to_owned(),
                // Underscores don't mend what the server takes from nobody.
                None if self.erroneous => return None,
                None => {
                    let count = number - self.alternatives.len() + 1;
                    if count > MOST_UNDERSCORES {
                        return None;
                    }
                    let start = self.within(limit.saturating_sub(count).max(1));
                    format!("{start}{}", "_".repeat(count))
                }
            };
            if let Some(nick) = Nick::new(&text).ok().filter(|nick| nick.as_str() != self.current) {
                nick.as_str().clone_into(&mut self.current);
                return Some(nick);
            }
        }
    }

    /// Whether the one that was refused last is our own make.
    fn has_underscores(&self) -> bool {
        self.tries > self.alternatives.len()
    }
}

/// Whether 432 is only about a while: services hold a nick for a minute after they have taken it from somebody, and
/// `InspIRCd` says so with this numeric ("Services reserved nickname: Being held for a registered user").
fn is_held(reason: &str) -> bool {
    let words = ["held", "hold", "reserved", "unavailable", "temporarily"];
    reason
        .split(|c: char| !c.is_ascii_alphabetic())
        .any(|word| words.iter().any(|one| word.eq_ignore_ascii_case(one)))
}

/// The beginning of a text, of at most so many bytes.
pub(super) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

impl Session {
    /// Asks for another nick, which is the wanted one from now on if the server gives it. Before the greeting is over
    /// it waits for that. `false` where nobody is asked, since we have it, or the connection is about to end.
    pub fn set_nick(&mut self, nick: Nick) -> bool {
        if self.state == State::Closing {
            return false;
        }
        if self.nicks.ask(nick.clone()) {
            self.queue_line(Class::Interactive, Line::nick(&nick));
            return true;
        }
        self.want_nick(nick);
        self.after_change(self.last_received);
        false
    }

    /// The nick that the user asked for last, while the server has not answered.
    #[must_use]
    pub fn asked_nick(&self) -> Option<&Nick> {
        self.nicks.asked.last().map(|asked| &asked.nick)
    }

    /// The user wants the nick that we have.
    fn want_nick(&mut self, nick: Nick) {
        self.unwatch();
        self.nicks.wanted = nick;
        self.nicks.erroneous = false;
    }

    /// Which of the nicks that were asked for the server means, which may cut them.
    fn asked_place(&self, named: &str) -> Option<usize> {
        let mapping = self.isupport.casemapping();
        let find = |is_it: &dyn Fn(&str) -> bool| {
            self.nicks.asked.iter().position(|asked| is_it(asked.nick.as_str()))
        };
        let limit = self.isupport.nick_length().or(self.nicks.limit());
        find(&|asked| mapping.same(asked, named)).or_else(|| match limit {
            Some(limit) => find(&|asked| mapping.same(cut(asked, limit), named)),
            None => find(&|asked| mapping.fold(asked).starts_with(&mapping.fold(named))),
        })
    }

    /// The nick that the user wants.
    #[must_use]
    pub fn wanted_nick(&self) -> &str {
        self.nicks.wanted.as_str()
    }

    /// Whether the network ever gave us that nick, as far as is known.
    #[must_use]
    pub fn had_wanted_nick(&self) -> bool {
        self.nicks.had
    }

    /// Our nick or the wanted one is another now.
    pub(super) fn note_had(&mut self) {
        self.nicks.had |= self.state == State::Ready && self.has_goal();
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
            let had_wanted = self.has_goal();
            self.nicks.current.clone_from(&to);
            let place = self.asked_place(&to);
            if let Some(asked) = place.and_then(|place| self.nicks.take_asked(place)) {
                if to.len() < asked.as_str().len() {
                    self.nicks.limit = Some(to.len());
                }
                events.push(Event::NickGiven { nick: asked.as_str().to_owned() });
                self.want_nick(asked);
            } else if had_wanted && !self.has_goal() {
                self.lose_nick(events);
            }
            self.after_change(now);
        } else {
            let mapping = self.isupport.casemapping();
            // A conversation goes on under the new nick.
            self.readdress(&from.nick, &to, events);
            self.queue.merge(Class::Interactive, &mapping.fold(&from.nick), &mapping.fold(&to));
            self.on_nick_freed(&from.nick, now);
            self.on_nick_seen(&to);
        }
        events.push(Event::NickChanged { from, to, channels, own });
    }

    /// 431 to 438, 447: a nick was refused. `params` come without our own nick.
    pub(super) fn on_nick_refused(
        &mut self,
        code: u16,
        params: &[String],
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        let refused = if params.len() > 1 { params[0].as_str() } else { "" };
        let reason = params.last().cloned().unwrap_or_default();
        if self.registered_at.is_none() {
            return self.on_refused_before_welcome(code, refused, &reason, events);
        }
        // 447 names none: the oldest is answered first.
        let place = if refused.is_empty() {
            (!self.nicks.asked.is_empty()).then_some(0)
        } else {
            self.asked_place(refused)
        };
        if let Some(asked) = place.and_then(|place| self.nicks.take_asked(place)) {
            let nick = asked.as_str().to_owned();
            events.push(Event::NickRefused { nick, code, reason });
            self.after_change(now);
        } else if self.nicks.regain.asking {
            self.nicks.regain.asking = false;
            // No wait makes a nick good that the server takes from nobody.
            if code == ERR_ERRONEUSNICKNAME && !is_held(&reason) {
                self.nicks.erroneous = true;
                self.after_change(now);
                let nick = self.nicks.wanted.as_str().to_owned();
                events.push(Event::NickRefused { nick, code, reason });
            }
        } else {
            events.push(Event::NickRefused { nick: refused.to_owned(), code, reason });
        }
    }

    fn on_refused_before_welcome(&mut self, code: u16, refused: &str, reason: &str, events: &mut Vec<Event>) {
        if code == ERR_ERRONEUSNICKNAME && !is_held(reason) {
            if self.nicks.has_underscores() {
                // It may mean only that it is too long.
                self.nicks.limit = Some(self.nicks.current.len().saturating_sub(1));
            } else if self.nicks.tries == 0 {
                if let Some(nick) = self.nicks.shortened(reason) {
                    return self.control(Line::nick(&nick));
                }
                // Whatever it is about, it is not the length.
                (self.nicks.limit, self.nicks.erroneous) = (None, !self.nicks.had);
            }
        }
        match self.nicks.next_fallback(refused) {
            Some(nick) => self.control(Line::nick(&nick)),
            None if self.nicks.erroneous => {
                let nick = &self.nicks.wanted;
                let reason = format!("the network does not allow the nick {nick}: {reason}");
                self.disconnect(reason, Verdict::NeedUser, events);
            }
            None => self.disconnect("no nick was free", Verdict::Retry, events),
        }
    }
}
