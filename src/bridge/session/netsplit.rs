//! Netsplits: who is gone with a server, and who is back with it.
//!
//! Thousands may go and come in seconds. In the rooms that is one line when they are gone and one when they are
//! back, and the ghosts stay: they leave only when an hour has passed and their people are still not there
//! (invariant 8: a storm of memberships would hold up every message). The history has each of them, as the server
//! said it.
//!
//! A line is told when for ten seconds nobody more went, and a minute after the first at the latest; those who come
//! back are told of together, when all are, or half a minute after the first.
//!
//! Not the recognition, which is the session's ([`Event::Quit`](crate::irc::session::Event::Quit)). Time is passed in
//! (invariant 7), and so many people are remembered (invariant 9, [`MOST_GONE`]).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Actor;
use crate::names::{CaseMap, CaseMapping, is_service};

/// Nobody more has gone for so long: that was the split.
const QUIET: Duration = Duration::from_secs(10);
/// A split that goes on is told of all the same.
const LONGEST_COLLECTING: Duration = Duration::from_mins(1);
/// Those who come back within this time are told of together.
const RETURNING: Duration = Duration::from_secs(30);
/// Who is not back then has left.
const FORGOTTEN: Duration = Duration::from_hours(1);
/// More people are not remembered: they have left at once.
const MOST_GONE: usize = 50_000;
/// Splits that are told apart in one channel.
const MOST_AT_ONCE: usize = 8;
/// So many are named in a line.
const MOST_NAMED: usize = 5;

/// Somebody who went with a server.
#[derive(Debug)]
struct Gone {
    nick: String,
    /// Where they were and have not come back to.
    channels: Vec<String>,
    since: Instant,
}

/// People who are told of together.
#[derive(Debug)]
struct Crowd {
    /// The first few.
    names: Vec<String>,
    count: usize,
    first: Instant,
    last: Instant,
    /// The two servers.
    servers: String,
    /// Services are among them.
    services: bool,
}

impl Crowd {
    fn new(servers: &str, now: Instant) -> Self {
        let servers = servers.to_owned();
        Self { names: Vec::new(), count: 0, first: now, last: now, servers, services: false }
    }

    fn add(&mut self, nick: &str, now: Instant) {
        if self.names.len() < MOST_NAMED {
            self.names.push(nick.to_owned());
        }
        self.count += 1;
        self.last = now;
        self.services |= is_service(nick, &[]);
    }

    /// `alice, bob and 40 others are`.
    fn are(&self) -> String {
        let others = self.count - self.names.len();
        let names = self.names.join(", ");
        match (others, self.names.split_last()) {
            (0, Some((only, []))) => format!("{only} is"),
            (0, Some((last, first))) => format!("{} and {last} are", first.join(", ")),
            (1, _) => format!("{names} and one other are"),
            _ => format!("{names} and {others} others are"),
        }
    }
}

/// What is to be done about netsplits.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// (channel, line)
    pub(super) lines: Vec<(String, String)>,
    /// (channel, nick): who is gone for good.
    pub(super) departed: Vec<(String, String)>,
}

/// All netsplits that a session knows of.
#[derive(Debug, Default)]
pub(super) struct Netsplits {
    gone: CaseMap<Gone>,
    /// By channel: how many are missed there.
    missing: CaseMap<usize>,
    /// By channel and servers: who is yet to be told of.
    leaving: CaseMap<BTreeMap<String, Crowd>>,
    returning: CaseMap<Crowd>,
    /// The first of those who are gone will be forgotten then; set anew at each look.
    forget_at: Option<Instant>,
}

impl Netsplits {
    pub(super) fn set_mapping(&mut self, mapping: CaseMapping) {
        self.gone.set_mapping(mapping);
        self.missing.set_mapping(mapping);
        self.leaving.set_mapping(mapping);
        self.returning.set_mapping(mapping);
    }

    /// Somebody went with a server. Returns whether they are remembered, so that their ghost may stay.
    pub(super) fn leave(&mut self, nick: &str, servers: &str, channels: &[String], now: Instant) -> bool {
        if self.gone.len() >= MOST_GONE && !self.gone.contains(nick) {
            return false;
        }
        if let Some(before) = self.gone.remove(nick) {
            before.channels.iter().for_each(|channel| self.miss_one_less(channel));
        }
        for channel in channels {
            *self.missing.entry(channel, || 0) += 1;
            let crowds = self.leaving.entry(channel, BTreeMap::new);
            // A server that makes up names all the time gets them together.
            let servers = if crowds.len() < MOST_AT_ONCE { servers } else { "" };
            crowds.entry(servers.to_owned()).or_insert_with(|| Crowd::new(servers, now)).add(nick, now);
        }
        let gone = Gone { nick: nick.to_owned(), channels: channels.to_vec(), since: now };
        self.gone.insert(nick, gone);
        self.forget_at = Some(self.forget_at.map_or(now + FORGOTTEN, |at| at.min(now + FORGOTTEN)));
        true
    }

    /// Somebody is in a channel. Where they were missed, that is told with others. Returns whether they were.
    pub(super) fn enter(&mut self, nick: &str, channel: &str, now: Instant) -> bool {
        let is_back = self.take_back(nick, channel);
        if is_back {
            self.returning.entry(channel, || Crowd::new("", now)).add(nick, now);
        }
        is_back
    }

    /// Somebody is in a channel, as a list says: nobody saw them come.
    pub(super) fn take_back(&mut self, nick: &str, channel: &str) -> bool {
        let mapping = self.gone.mapping();
        let Some(gone) = self.gone.get_mut(nick) else {
            return false;
        };
        let before = gone.channels.len();
        gone.channels.retain(|one| !mapping.same(one, channel));
        let found = gone.channels.len() < before;
        if gone.channels.is_empty() {
            self.gone.remove(nick);
        }
        if found {
            self.miss_one_less(channel);
        }
        found
    }

    fn miss_one_less(&mut self, channel: &str) {
        if let Some(count) = self.missing.get_mut(channel) {
            *count -= 1;
            if *count == 0 {
                self.missing.remove(channel);
            }
        }
    }

    /// Whether somebody is missed in a channel.
    pub(super) fn misses(&self, nick: &str, channel: &str) -> bool {
        let mapping = self.gone.mapping();
        self.gone.get(nick).is_some_and(|gone| gone.channels.iter().any(|one| mapping.same(one, channel)))
    }

    /// Who is missed in a channel.
    pub(super) fn missed_in(&self, channel: &str) -> Vec<String> {
        if !self.missing.contains(channel) {
            return Vec::new();
        }
        let mapping = self.gone.mapping();
        let is_missed = |gone: &&Gone| gone.channels.iter().any(|one| mapping.same(one, channel));
        self.gone.values().filter(is_missed).map(|gone| gone.nick.clone()).collect()
    }

    /// We have left a channel: who is missed there is no matter any more.
    pub(super) fn forget_channel(&mut self, channel: &str) {
        for nick in self.missed_in(channel) {
            self.take_back(&nick, channel);
        }
        self.leaving.remove(channel);
        self.returning.remove(channel);
    }

    fn told_at(crowd: &Crowd) -> Instant {
        (crowd.last + QUIET).min(crowd.first + LONGEST_COLLECTING)
    }

    /// When those who came back are told of: not before it was said that they were gone.
    fn back_told_at(&self, channel: &str, crowd: &Crowd) -> Instant {
        let leaving = self.leaving.get(channel).and_then(|crowds| crowds.values().map(Self::told_at).max());
        let at = if self.missing.contains(channel) { crowd.first + RETURNING } else { crowd.first };
        leaving.map_or(at, |leaving| at.max(leaving))
    }

    /// When there is something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let leaving = self.leaving.values().flat_map(BTreeMap::values).map(Self::told_at);
        let returning = self.returning.iter().map(|(channel, crowd)| self.back_told_at(channel, crowd));
        leaving.chain(returning).chain(self.forget_at).min()
    }

    /// What is due now.
    pub(super) fn tick(&mut self, now: Instant) -> Due {
        let mut due = Due::default();
        self.tell_leaving(now, &mut due);
        self.tell_returning(now, &mut due);
        if self.forget_at.is_some_and(|at| at <= now) {
            let late: Vec<String> = self
                .gone
                .values()
                .filter(|gone| gone.since + FORGOTTEN <= now)
                .map(|gone| gone.nick.clone())
                .collect();
            for Gone { nick, channels, .. } in
                late.iter().filter_map(|nick| self.gone.remove(nick)).collect::<Vec<_>>()
            {
                channels.iter().for_each(|channel| self.miss_one_less(channel));
                due.departed.extend(channels.into_iter().map(|channel| (channel, nick.clone())));
            }
            self.forget_at = self.gone.values().map(|gone| gone.since + FORGOTTEN).min();
        }
        due
    }

    fn tell_leaving(&mut self, now: Instant, due: &mut Due) {
        let channels: Vec<String> = self.leaving.iter().map(|(channel, _)| channel.to_owned()).collect();
        for channel in channels {
            let Some(crowds) = self.leaving.get_mut(&channel) else { continue };
            let told = crowds.extract_if(.., |_, crowd| Self::told_at(crowd) <= now);
            due.lines.extend(told.map(|(_, crowd)| (channel.clone(), leaving_line(&crowd))));
            if crowds.is_empty() {
                self.leaving.remove(&channel);
            }
        }
    }

    fn tell_returning(&mut self, now: Instant, due: &mut Due) {
        let told: Vec<String> = self
            .returning
            .iter()
            .filter(|(channel, crowd)| self.back_told_at(channel, crowd) <= now)
            .map(|(channel, _)| channel.to_owned())
            .collect();
        for channel in told {
            let Some(crowd) = self.returning.remove(&channel) else { continue };
            let rest = if self.missing.contains(&channel) { "" } else { " Everybody is here again." };
            due.lines.push((channel, format!("Netsplit: {} back.{rest}", crowd.are())));
        }
    }
}

fn leaving_line(crowd: &Crowd) -> String {
    let servers = match crowd.servers.split_once(' ') {
        Some((one, other)) => format!("the servers {one} and {other}"),
        None => "some servers".to_owned(),
    };
    let mut line = format!(
        "Netsplit: {servers} have lost each other, and {} gone with that. They stay in this room until they come \
         back, for an hour at most.",
        crowd.are()
    );
    if crowd.services {
        line.push_str(" The network's services are on the other side: logins must wait until they are back.");
    }
    line
}

impl Actor {
    /// Tells of netsplits what is due, and sees off who did not come back.
    pub(super) fn tick_netsplits(&mut self) {
        let due = self.netsplits.tick(self.now());
        for (channel, line) in due.lines {
            match self.shared_place(&channel) {
                Some(place) if self.shows(place) => self.tell_room(place, &line),
                Some(_) => {}
                None => self.tell_channel(&channel, &line),
            }
        }
        for (channel, nick) in due.departed {
            let session = self.link.as_ref().map(|link| &link.session);
            let is_there = session.is_some_and(|session| {
                !session.is_own(&nick) && session.channel(&channel).is_some_and(|state| state.has(&nick))
            });
            if !is_there {
                self.depart(&channel, &nick, "Netsplit", None);
            }
        }
    }
}

#[cfg(test)]
mod tests;
