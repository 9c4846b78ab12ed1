//! What the server tells of other people: that they are here or gone, away or back, logged in, and their real names.
//!
//! Told of all who share a channel with us, where the server has the capabilities for it; and of those whom the owner
//! asks to [watch](Session::watch_people), wherever they are (`MONITOR`, and `extended-monitor` for the rest). The nick that
//! we want back is watched by [`regain`](super::regain). Nothing is kept here but whom we watch.
//!
//! Invariant 9: at most [`MOST_WATCHED`], and no more than the server allows.
//!
//! Spec: `IRCv3` "monitor", "extended-monitor", "away-notify", "account-notify", "setname".

use crate::irc::numerics::{ERR_MONLISTFULL, RPL_MONONLINE};
use crate::irc::queue::Class;
use crate::irc::wire::{Line, Message};
use crate::names::{CaseMap, Nick};

use super::event::{Event, PersonNews};
use super::{Session, State};

/// The most that networks allow is one hundred, and one of them is the nick that we want back.
const MOST_WATCHED: usize = 99;

/// Those whom we watch.
#[derive(Debug, Default)]
pub(super) struct Watched(CaseMap<()>);

impl Session {
    /// Asks the server to tell when these people come and go, if it has `MONITOR` and takes more.
    pub fn watch_people(&mut self, nicks: impl IntoIterator<Item = Nick>) {
        let most = self.isupport.monitor_limit().map_or(0, |limit| limit.saturating_sub(1).min(MOST_WATCHED));
        if self.state != State::Ready || most == 0 {
            return;
        }
        let mapping = self.isupport.casemapping();
        if self.watched.0.mapping() != mapping {
            self.watched.0 = CaseMap::new(mapping);
        }
        let mut list = String::new();
        for nick in nicks {
            if self.watched.0.len() >= most {
                break;
            }
            if self.watched.0.contains(nick.as_str()) || self.is_own(nick.as_str()) {
                continue;
            }
            self.watched.0.insert(nick.as_str(), ());
            if "MONITOR + ,\r\n".len() + list.len() + nick.as_str().len() > self.isupport.line_length() {
                self.monitor(&std::mem::take(&mut list));
            }
            if !list.is_empty() {
                list.push(',');
            }
            list.push_str(nick.as_str());
        }
        if !list.is_empty() {
            self.monitor(&list);
        }
    }

    /// Whether the server tells when somebody comes and goes.
    #[must_use]
    pub fn watches(&self, nick: &str) -> bool {
        self.watched.0.contains(nick)
    }

    /// No longer asks the server to tell of somebody.
    pub fn unwatch_person(&mut self, nick: &Nick) {
        if self.watched.0.remove(nick.as_str()).is_some() && self.state == State::Ready {
            let line = Line::new("MONITOR").name_literal("-").name(nick).finish();
            self.queue_line(Class::Background, line);
        }
    }

    fn monitor(&mut self, list: &str) {
        self.queue_line(
            Class::Background,
            Line::new("MONITOR").name_literal("+").name_literal(list).finish(),
        );
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
