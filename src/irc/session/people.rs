//! What the server tells of other people: that they are here or gone, away or back, logged in, and their real names.
//!
//! Told of all who share a channel with us, where the server has the capabilities for it; and of those whom the owner
//! asks to [watch](Session::watch_people), wherever they are (`MONITOR`, and `extended-monitor` for the rest; `WATCH` where
//! a server has only that). The nick that we want back is watched by [`regain`](super::regain). Nothing is kept here but
//! whom we watch.
//!
//! Invariant 9: at most [`MOST_WATCHED`], and no more than the server allows.
//!
//! Spec: `IRCv3` "monitor", "extended-monitor", "away-notify", "account-notify", "setname"; Bahamut's
//! documentation of `WATCH`.

use crate::irc::numerics::{
    ERR_MONLISTFULL, ERR_TOOMANYWATCH, RPL_LOGOFF, RPL_LOGON, RPL_MONONLINE, RPL_NOWOFF, RPL_NOWON,
    RPL_WATCHOFF,
};
use crate::irc::queue::Class;
use crate::irc::wire::{Line, Message};
use crate::names::{CaseMap, Nick};

use super::event::{Event, PersonNews};
use super::{Session, State};

/// The most that networks allow is one hundred, and one of them is the nick that we want back.
const MOST_WATCHED: usize = 99;

/// How a server is asked to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    Monitor,
    /// What some older servers have instead.
    Watch,
}

/// Those whom we watch.
#[derive(Debug, Default)]
pub(super) struct Watched(CaseMap<()>);

impl Session {
    /// How the server tells of those whom we watch, and of how many.
    fn watching(&self) -> Option<(Means, usize)> {
        // One place is for the nick that we want back.
        let monitor = self.isupport.monitor_limit().map(|limit| (Means::Monitor, limit.saturating_sub(1)));
        let (means, most) =
            monitor.or_else(|| self.isupport.watch_limit().map(|limit| (Means::Watch, limit)))?;
        Some((means, most.min(MOST_WATCHED))).filter(|(_, most)| *most > 0)
    }

    /// Asks the server to tell when these people come and go, if it does that and takes more.
    pub fn watch_people(&mut self, nicks: impl IntoIterator<Item = Nick>) {
        let Some((means, most)) = self.watching().filter(|_| self.state == State::Ready) else { return };
        let mapping = self.isupport.casemapping();
        if self.watched.0.mapping() != mapping {
            self.watched.0 = CaseMap::new(mapping);
        }
        let (mut together, mut length) = (Vec::new(), 0);
        for nick in nicks {
            if self.watched.0.len() >= most {
                break;
            }
            if self.watched.0.contains(nick.as_str()) || self.is_own(nick.as_str()) {
                continue;
            }
            self.watched.0.insert(nick.as_str(), ());
            // Between two stands a comma, or a space and a sign.
            let more = nick.as_str().len() + " +".len();
            if "MONITOR + \r\n".len() + length + more > self.isupport.line_length() {
                self.ask_to_watch(means, &std::mem::take(&mut together));
                length = 0;
            }
            length += more;
            together.push(nick);
        }
        if !together.is_empty() {
            self.ask_to_watch(means, &together);
        }
    }

    /// Whether the server tells when somebody comes and goes.
    #[must_use]
    pub fn watches(&self, nick: &str) -> bool {
        self.watched.0.contains(nick)
    }

    /// No longer asks the server to tell of somebody.
    pub fn unwatch_person(&mut self, nick: &Nick) {
        if self.watched.0.remove(nick.as_str()).is_none() || self.state != State::Ready {
            return;
        }
        let line = match self.watching() {
            Some((Means::Watch, _)) => Line::new("WATCH").name_literal(&format!("-{nick}")).finish(),
            _ => Line::new("MONITOR").name_literal("-").name(nick).finish(),
        };
        self.queue_line(Class::Background, line);
    }

    fn ask_to_watch(&mut self, means: Means, nicks: &[Nick]) {
        let names: Vec<&str> = nicks.iter().map(Nick::as_str).collect();
        let line = match means {
            Means::Monitor => Line::new("MONITOR").name_literal("+").name_literal(&names.join(",")),
            Means::Watch => {
                names.iter().fold(Line::new("WATCH"), |line, name| line.name_literal(&format!("+{name}")))
            }
        };
        self.queue_line(Class::Background, line.finish());
    }

    /// Whether a numeric is what `WATCH` tells, on a server that has it.
    pub(super) fn tells_by_watch(&self, code: u16) -> bool {
        let known = [RPL_LOGON, RPL_LOGOFF, RPL_WATCHOFF, RPL_NOWON, RPL_NOWOFF, ERR_TOOMANYWATCH];
        known.contains(&code) && self.isupport.watch_limit().is_some()
    }

    /// 600 to 605 and 512 about those whom we watch by `WATCH`. Returns whether it was about one of them, or the answer
    /// to our taking somebody out.
    pub(super) fn on_watch(&mut self, code: u16, nick: &str, events: &mut Vec<Event>) -> bool {
        if code == RPL_WATCHOFF || !self.watched.0.contains(nick) {
            return code == RPL_WATCHOFF;
        }
        let news = match code {
            RPL_LOGON | RPL_NOWON => PersonNews::Here,
            RPL_LOGOFF | RPL_NOWOFF => PersonNews::Gone,
            _ => {
                self.watched.0.remove(nick);
                return true;
            }
        };
        events.push(Event::Person { nick: nick.to_owned(), news });
        true
    }

    /// 730, 731, 734 about those whom we watch. Returns whether it was about nobody else but the nick
    /// that we want back.
    pub(super) fn on_watched(&mut self, code: u16, params: &[String], events: &mut Vec<Event>) -> bool {
        // 734 <limit> <targets>
        let list = params.get(usize::from(code == ERR_MONLISTFULL)).map_or("", String::as_str);
        let mut all = true;
        for target in list.split(',') {
            let nick = target.split('!').next().unwrap_or(target);
            if !self.watched.0.contains(nick) {
                all &= self.watches_for(nick);
            } else if code == ERR_MONLISTFULL {
                self.watched.0.remove(nick);
            } else {
                let news = if code == RPL_MONONLINE { PersonNews::Here } else { PersonNews::Gone };
                events.push(Event::Person { nick: nick.to_owned(), news });
            }
        }
        all
    }

    /// `AWAY`, `ACCOUNT` and `SETNAME` of somebody else.
    pub(super) fn on_person(&mut self, word: &str, message: &Message, events: &mut Vec<Event>) {
        let nick = self.source(message).nick;
        if self.is_own(&nick) {
            return;
        }
        let text = message.param(0).to_owned();
        let news = match word {
            "AWAY" if text.is_empty() => PersonNews::Back,
            "AWAY" => PersonNews::Away(text),
            "ACCOUNT" if text == "*" => PersonNews::LoggedOut,
            "ACCOUNT" => PersonNews::LoggedIn(text),
            _ => PersonNews::RealName(text),
        };
        events.push(Event::Person { nick, news });
    }
}
