//! Nicks of which the user wants to know when they come and go.
//!
//! The server tells of as many as it takes (`MONITOR`); for the others it is asked from time to time (`ISON`), which every
//! server knows. What was known outlives a connection, so that one that breaks makes no news.
//!
//! Invariants 7 (time is passed in), 9 (so many, [`MOST`]).
//!
//! Spec: `IRCv3` "Monitor"; modern IRC docs "ISON message".

use std::time::{Duration, Instant};

use super::super::outcome::{Outcome, Refusal};
use super::Actor;
use super::inquiries::Use;
use super::loose::Reply;
use crate::format::RichText;
use crate::irc::numerics::RPL_ISON;
use crate::irc::session::State;
use crate::irc::wire::{Line, LineBuilder};
use crate::names::{CaseMap, Nick};
use crate::store::settings;

/// More would be a log of who is there.
const MOST: usize = 50;
/// Between two questions.
const PAUSE: Duration = Duration::from_mins(1);
/// Bytes of nicks in a question.
const TOGETHER: usize = 400;
/// That somebody has come rings once in so long, however often they come and go.
const QUIET: Duration = Duration::from_mins(10);

/// What is known of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Nothing yet: what comes first is no news.
    Nothing,
    /// Nothing yet, and the user has just asked.
    Asked,
    Here,
    Gone,
}

/// Those of whom the user wants to know.
#[derive(Debug, Default)]
pub(super) struct Monitored {
    nicks: CaseMap<Known>,
    /// When those are asked for of whom the server does not tell.
    ask_at: Option<Instant>,
    /// When it last rang for whom.
    rang: CaseMap<Instant>,
}

impl Monitored {
    /// Reads what is kept; nothing is known of them.
    pub(super) fn stored(text: &str) -> Self {
        let mut nicks = CaseMap::default();
        for nick in text.lines().filter(|nick| Nick::new(nick).is_ok()).take(MOST) {
            nicks.insert(nick, Known::Nothing);
        }
        Self { nicks, ..Self::default() }
    }

    /// Whether that somebody has come is to ring.
    fn rings(&mut self, nick: &str, now: Instant) -> bool {
        self.rang.set_mapping(self.nicks.mapping());
        if self.rang.get(nick).is_some_and(|at| now < *at + QUIET) {
            return false;
        }
        // Nobody stays there who is asked after no more.
        if self.rang.len() >= MOST {
            self.rang.clear();
        }
        self.rang.insert(nick, now);
        true
    }

    /// When something is to be asked.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.ask_at
    }
}

impl Actor {
    /// Shows or changes of whom is told; `true` adds somebody.
    pub(super) async fn monitor(&mut self, changes: Vec<(bool, Nick)>) -> Outcome {
        // All of it or nothing.
        let mut nicks = self.monitored.nicks.clone();
        for (adds, nick) in &changes {
            if !adds {
                if nicks.remove(nick.as_str()).is_none() {
                    return Err(Refusal::asked(format!("{nick} is not among them.")));
                }
            } else if !nicks.contains(nick.as_str()) {
                if nicks.len() >= MOST {
                    return Err(Refusal::asked(format!("{MOST} are the most. Take some out: monitor -NICK")));
                }
                nicks.insert(nick.as_str(), Known::Asked);
            }
        }
        if !changes.is_empty() {
            let list: Vec<&str> = nicks.iter().map(|(nick, _)| nick).collect();
            let list = list.join("\n");
            let value = (!list.is_empty()).then_some(list.as_str());
            self.store_setting(&settings::MONITORED, value).await?;
            self.monitored.nicks = nicks;
            for (_, nick) in &changes {
                let is_wanted = self.monitored.nicks.contains(nick.as_str());
                let is_watched = is_wanted || self.buffers.find(nick.as_str()).is_some();
                if let Some(link) = self.link.as_mut().filter(|_| !is_watched) {
                    link.session.unwatch_person(nick);
                }
            }
            self.watch_monitored();
        }
        Ok(self.show_monitored())
    }

    fn show_monitored(&self) -> RichText {
        let name = &self.network.name;
        let nicks = &self.monitored.nicks;
        if nicks.is_empty() {
            let text = format!("You want to know of nobody on {name} when they come and go. To do so, type ");
            return RichText::plain(text).code("monitor +NICK").text(".");
        }
        let text = RichText::plain(format!("On {name} you are told when these come and go:"));
        nicks.iter().fold(text, |text, (nick, known)| {
            let how = match known {
                Known::Here => "is there",
                Known::Gone => "is not there",
                Known::Nothing | Known::Asked => "not known yet",
            };
            text.line().bold(nick).text(format!(": {how}"))
        })
    }

    /// Has the server tell of them, as far as it does, and asks for the others soon.
    pub(super) fn watch_monitored(&mut self) {
        let mapping = self.buffers.mapping();
        self.monitored.nicks.set_mapping(mapping);
        let now = self.now();
        let nicks: Vec<Nick> =
            self.monitored.nicks.iter().filter_map(|(nick, _)| Nick::new(nick).ok()).collect();
        self.monitored.ask_at = None;
        let Some(link) = self.link.as_mut().filter(|link| link.session.state() == State::Ready) else {
            return;
        };
        link.session.watch_people(nicks.iter().cloned());
        let is_asked = nicks.iter().any(|nick| !link.session.watches(nick.as_str()));
        // That it takes no more the server may say only when it is told of them.
        let at = if is_asked { now } else { now + PAUSE };
        self.monitored.ask_at = (!nicks.is_empty()).then_some(at);
    }

    /// Asks for those of whom the server does not tell.
    pub(super) fn tick_monitor(&mut self) {
        let now = self.now();
        if self.monitored.ask_at.take_if(|at| *at <= now).is_none() {
            return;
        }
        let Some(link) = self.link.as_mut().filter(|link| link.session.state() == State::Ready) else {
            return;
        };
        let unwatched =
            self.monitored.nicks.iter().map(|(nick, _)| nick).filter(|nick| !link.session.watches(nick));
        let mut questions: Vec<String> = Vec::new();
        for nick in unwatched {
            match questions.last_mut() {
                Some(last) if last.len() + nick.len() < TOGETHER => {
                    last.push(' ');
                    last.push_str(nick);
                }
                _ => questions.push(nick.to_owned()),
            }
        }
        if questions.is_empty() {
            return;
        }
        self.monitored.ask_at = Some(now + PAUSE);
        for question in questions {
            let words = question.split(' ');
            let line = words.fold(Line::new("ISON"), LineBuilder::name_literal).finish();
            let reply = self.inquire_then(line, move |actor, answer| {
                Box::pin(async move {
                    // Without an answer nothing is known.
                    // The last is that to this question: before it there may be one that the session has asked for itself.
                    let online = answer.replies.iter().rfind(|reply| reply.code == RPL_ISON);
                    if let Some(online) = online.and_then(|reply| reply.params.last()).cloned() {
                        let mapping = actor.buffers.mapping();
                        for nick in question.split(' ') {
                            let is_here = online.split(' ').any(|one| mapping.same(one, nick));
                            actor.note_monitored(nick, is_here);
                        }
                    }
                    Reply::Now(Ok(RichText::new()))
                })
            });
            if let Reply::Asked(number, used @ Use::Then(_)) = reply {
                self.await_quietly(number, used);
            }
        }
    }

    /// Somebody is on the network, or is not; told where that is news.
    pub(super) fn note_monitored(&mut self, nick: &str, is_here: bool) {
        let now = self.now();
        let Some(known) = self.monitored.nicks.get_mut(nick) else { return };
        let new = if is_here { Known::Here } else { Known::Gone };
        let before = std::mem::replace(known, new);
        let name = &self.network.name;
        match (before, new) {
            (Known::Gone, Known::Here) => {
                let text = RichText::new().bold(nick).text(format!(" is on {name} now."));
                if self.monitored.rings(nick, now) {
                    self.alert(&text);
                } else {
                    self.say(text);
                }
            }
            (Known::Asked, Known::Here) => {
                let text = RichText::new().bold(nick).text(format!(" is on {name}."));
                self.say(text);
            }
            (Known::Here | Known::Asked, Known::Gone) => {
                let text = RichText::new().bold(nick).text(format!(" is not on {name}."));
                self.say(text);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Before, each of somebody's comings rang, and they could come as often as they liked.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
    fn who_comes_and_goes_all_the_time_rings_once_in_a_while() {
        let (mut monitored, now) = (Monitored::stored("bob\ncarol"), Instant::now());
        assert!(monitored.rings("bob", now) && monitored.rings("carol", now));
        assert!(!monitored.rings("BOB", now + QUIET / 2));
        assert!(monitored.rings("bob", now + QUIET));
        for number in 0..2 * MOST {
            monitored.rings(&format!("n{number}"), now);
        }
        assert!(monitored.rang.len() <= MOST);
    }

    #[test]
    fn invariant_9_so_many_are_kept_and_only_nicks() {
        let text: Vec<String> = (0..MOST + 5).map(|number| format!("n{number}")).collect();
        assert_eq!(Monitored::stored(&text.join("\n")).nicks.len(), MOST);
        assert_eq!(
            Monitored::stored("a b\n\n#c\nbob").nicks.iter().map(|(nick, _)| nick).collect::<Vec<_>>(),
            ["bob"]
        );
    }
}
