//! Bans and quiets that end by themselves: stored with what is sent, taken back when their time is over.
//!
//! | a ban whose time is over | what is done |
//! |---|---|
//! | we have a rank there | the server is told; what it does not refuse is done |
//! | the server refuses | it is said, and tried again in an hour, or with another rank |
//! | we have none, or have left | it is said after a minute, in which services give ranks; tried again with one |
//! | no connection, or not in the channel yet | it waits |
//!
//! Whoever takes a ban back earlier, here or on IRC, ends its time, too.
//!
//! Invariants 7 (time is passed in), 9 (so many are remembered, [`MOST`]).

use std::time::{Duration, Instant};

use super::super::super::outcome::Refusal;
use super::super::inquiries::Use;
use super::super::loose::Reply;
use super::super::{Actor, wording};
use super::refusals::refusals;
use crate::format::{RichText, strip_irc};
use crate::irc::isupport::ModeKind;
use crate::irc::lists::ChannelList;
use crate::irc::modes::{self, ModeChange};
use crate::irc::session::{Answer, State};
use crate::irc::wire::Line;
use crate::names::{CaseMapping, Channel, Nick};
use crate::store::{BanChange, StoreError, TimedBan};

/// Bans of one session that end by themselves.
const MOST: usize = 500;
/// Lines that take bans back and are not answered yet.
const MOST_AT_ONCE: usize = 4;
/// Services give ranks some time after somebody has come in.
const PATIENCE: Duration = Duration::from_mins(1);
/// What the server refuses is tried again.
const AGAIN: Duration = Duration::from_hours(1);
/// `InspIRCd`: what should be taken from a list does not stand there.
const ERR_LISTMODENOTSET: u16 = 698;

/// How long a ban is to last, and why it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BanTime {
    /// How long.
    pub lasts: Duration,
    /// Why; may be empty.
    pub reason: String,
}

/// How far a ban whose time is over has come.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Progress {
    /// Nothing is under way.
    Stands,
    /// We are in the channel without a rank, since then.
    Powerless(Instant),
    /// The server was told.
    Lifting,
    /// The server has refused; with these ranks it is not tried again before then.
    Refused(Instant, String),
}

#[derive(Debug)]
struct Timed {
    ban: TimedBan,
    progress: Progress,
    /// The server has shown that it was set.
    is_set: bool,
    /// It was said that it can't be taken back now.
    is_told: bool,
}

impl Timed {
    fn is(&self, other: &TimedBan, mapping: CaseMapping) -> bool {
        let TimedBan { buffer, letter, entry, .. } = &self.ban;
        *buffer == other.buffer && *letter == other.letter && mapping.same(entry, &other.entry)
    }
}

/// What was known of bans before they got another time, or none: each with the one that stood there and whether the server
/// had shown that.
#[derive(Debug, Clone, Default)]
pub(super) struct Before {
    bans: Vec<(TimedBan, Option<(TimedBan, bool)>)>,
    /// They got another time, and not none.
    are_timed: bool,
}

/// The bans of a session that end by themselves.
#[derive(Debug, Default)]
pub(in super::super) struct TimedBans(Vec<Timed>);

impl TimedBans {
    /// As the store has them.
    pub(in super::super) fn stored(bans: Vec<TimedBan>) -> Self {
        let timed = |ban| Timed { ban, progress: Progress::Stands, is_set: true, is_told: false };
        Self(bans.into_iter().map(timed).collect())
    }

    /// Nobody answers any more.
    pub(in super::super) fn abandon(&mut self) {
        for timed in &mut self.0 {
            if timed.progress == Progress::Lifting {
                timed.progress = Progress::Stands;
            }
        }
    }

    fn find(&self, ban: &TimedBan, mapping: CaseMapping) -> Option<usize> {
        self.0.iter().position(|timed| timed.is(ban, mapping))
    }
}

/// Whether these ranks may let somebody set bans: any but voice.
fn is_rank(ranks: &str) -> bool {
    ranks.chars().any(|rank| rank != 'v')
}

/// A time in words, for some days, too.
fn in_words(time: Duration) -> String {
    const DAY: u64 = 86_400;
    match time.as_secs() {
        seconds if seconds >= 2 * DAY => format!("{} days", seconds / DAY),
        _ => wording::duration(time),
    }
}

impl Actor {
    /// When something is to be done about bans. What waits for a connection, a rank or an answer waits for a line.
    pub(in super::super) fn bans_end_at(&self) -> Option<Instant> {
        if self.timed_bans.0.is_empty() {
            return None;
        }
        let (now, unix_ms, is_ready) = (self.now(), self.bridge.clock.unix_ms(), self.is_ready());
        let at = |timed: &Timed| match &timed.progress {
            _ if timed.ban.until > unix_ms => {
                let left = u64::try_from(timed.ban.until - unix_ms).unwrap_or_default();
                now.checked_add(Duration::from_millis(left))
            }
            Progress::Powerless(since) if is_ready && !timed.is_told => Some(*since + PATIENCE),
            Progress::Refused(until, _) if is_ready => Some(*until),
            Progress::Stands | Progress::Powerless(_) | Progress::Lifting | Progress::Refused(..) => None,
        };
        self.timed_bans.0.iter().filter_map(at).min()
    }

    fn is_ready(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.session.state() == State::Ready)
    }

    /// The bans of these masks end by themselves, or not any more. What was known of them before, for who has to bring
    /// that back.
    pub(super) fn time_bans(
        &mut self,
        channel: &Channel,
        list: &ChannelList,
        masks: &[String],
        time: Option<&BanTime>,
    ) -> Result<Before, Refusal> {
        let Some(place) = self.buffers.find(channel.as_str()) else {
            return match time {
                Some(_) => Err(Refusal::asked(format!(
                    "{channel} has no room here, and I would forget when to take it back. Type join {channel}, or ban without \
                     a time."
                ))),
                None => Ok(Before::default()),
            };
        };
        let buffer = self.buffers.get(place).row.id;
        if time.is_some() && self.timed_bans.0.len() + masks.len() > MOST {
            return Err(Refusal::asked(format!(
                "{MOST} of your bans on {} end by themselves already. Take some back, or ban without a time.",
                self.network.name
            )));
        }
        let lasts = time.map_or(0, |time| i64::try_from(time.lasts.as_millis()).unwrap_or(i64::MAX));
        let until = self.bridge.clock.unix_ms().saturating_add(lasts);
        let mut before = Before { are_timed: time.is_some(), ..Before::default() };
        for mask in masks {
            let reason = time.map(|time| time.reason.clone()).unwrap_or_default();
            let entry = list.entry(mask);
            let ban = TimedBan { buffer, letter: list.letter.to_string(), entry, until, reason };
            let known = self.timed_bans.find(&ban, self.buffers.mapping());
            let known = known.map(|at| (self.timed_bans.0[at].ban.clone(), self.timed_bans.0[at].is_set));
            match (&known, time) {
                (_, Some(_)) => self.keep_ban(ban.clone()),
                (Some(_), None) => self.forget_ban(&ban),
                (None, None) => continue,
            }
            before.bans.push((ban, known));
        }
        Ok(before)
    }

    /// Something of it was refused or not sent: what was to become of bans does not, but for those that were set all the
    /// same.
    pub(super) fn restore_bans(&mut self, before: Before) {
        for (ban, known) in before.bans {
            let at = self.timed_bans.find(&ban, self.buffers.mapping());
            match known {
                // It stood there already: the server says nothing about what it sets for the second time.
                Some((earlier, is_set)) => self.put_ban(earlier, is_set),
                None if at.is_some_and(|at| !self.timed_bans.0[at].is_set) => self.forget_ban(&ban),
                None => {}
            }
        }
    }

    /// It may have been sent, and nobody will hear what came of it: what may stand there now is taken back at its time.
    pub(super) fn keep_what_may_stand(&mut self, before: Before) {
        if !before.are_timed {
            return self.restore_bans(before);
        }
        for (ban, _) in before.bans {
            if let Some(at) = self.timed_bans.find(&ban, self.buffers.mapping()) {
                // It is on its way no more.
                self.timed_bans.0[at].is_set = true;
            }
        }
    }

    fn keep_ban(&mut self, ban: TimedBan) {
        self.put_ban(ban, false);
    }

    fn put_ban(&mut self, ban: TimedBan, is_set: bool) {
        self.forget_ban(&ban);
        self.incoming.bans.push(BanChange::Keep(ban.clone()));
        self.timed_bans.0.push(Timed { ban, progress: Progress::Stands, is_set, is_told: false });
    }

    fn forget_ban(&mut self, ban: &TimedBan) {
        while let Some(at) = self.timed_bans.find(ban, self.buffers.mapping()) {
            let gone = self.timed_bans.0.swap_remove(at).ban;
            self.incoming.bans.push(BanChange::Forget(gone));
        }
    }

    /// The times of these entries of a channel's list are over.
    pub(super) fn forget_times(&mut self, channel: &Channel, letter: char, entries: &[String]) {
        let Some(place) = self.buffers.find(channel.as_str()) else { return };
        let buffer = self.buffers.get(place).row.id;
        for entry in entries {
            let (letter, entry) = (letter.to_string(), entry.clone());
            self.forget_ban(&TimedBan { buffer, letter, entry, until: 0, reason: String::new() });
        }
    }

    /// Entries of a list that end by themselves, of which the list may know nothing any more.
    pub(super) fn timed_entries(&self, channel: &Channel, letter: char) -> Vec<String> {
        let buffer = self.buffers.find(channel.as_str()).map(|place| self.buffers.get(place).row.id);
        let is_here = |ban: &&TimedBan| Some(ban.buffer) == buffer && ban.letter.starts_with(letter);
        let bans = self.timed_bans.0.iter().map(|timed| &timed.ban).filter(is_here);
        bans.map(|ban| ban.entry.clone()).collect()
    }

    /// In how long a ban ends by itself, and why it was set; nothing of one that does not.
    pub(super) fn ends_in_words(&self, channel: &Channel, list: &ChannelList, mask: &str) -> Option<String> {
        let buffer = self.buffers.get(self.buffers.find(channel.as_str())?).row.id;
        let mapping = self.buffers.mapping();
        let is_it = |ban: &&TimedBan| {
            let own = list.mask(&ban.entry).filter(|_| ban.letter.starts_with(list.letter));
            ban.buffer == buffer && own.is_some_and(|own| mapping.same(own, mask))
        };
        let ban = self.timed_bans.0.iter().map(|timed| &timed.ban).find(is_it)?;
        let left = ban.until.saturating_sub(self.bridge.clock.unix_ms());
        let ends = match u64::try_from(left) {
            Ok(left) if left > 0 => format!("in {}", in_words(Duration::from_millis(left))),
            _ => "as soon as I can take it back".to_owned(),
        };
        let reason = strip_irc(&ban.reason);
        Some(if reason.is_empty() { ends } else { format!("{ends} ({reason})") })
    }

    /// Modes of a channel were changed: what is taken from a list has no time any more, and what is put there was set.
    pub(in super::super) fn note_lists(&mut self, channel: &str, changes: &str) {
        if self.timed_bans.0.is_empty() {
            return;
        }
        let Ok(channel) = Channel::new(channel) else { return };
        let words: Vec<&str> = changes.split(' ').collect();
        for pair in words.windows(2) {
            let [mode, entry] = pair else { continue };
            let entry = (*entry).to_owned();
            match mode.chars().collect::<Vec<_>>()[..] {
                // One that was set anew is on its way, and not what is taken back here.
                ['-', letter] if self.is_on_its_way(&channel, letter, &entry) => {}
                ['-', letter] => self.forget_times(&channel, letter, &[entry]),
                ['+', letter] => self.note_set(&channel, letter, entry),
                _ => {}
            }
        }
    }

    /// Whether a ban with a time was sent and is not set yet, as far as the server has said.
    fn is_on_its_way(&self, channel: &Channel, letter: char, entry: &str) -> bool {
        let Some(place) = self.buffers.find(channel.as_str()) else { return false };
        let (buffer, letter) = (self.buffers.get(place).row.id, letter.to_string());
        let ban = TimedBan { buffer, letter, entry: entry.to_owned(), until: 0, reason: String::new() };
        let at = self.timed_bans.find(&ban, self.buffers.mapping());
        at.is_some_and(|at| !self.timed_bans.0[at].is_set)
    }

    fn note_set(&mut self, channel: &Channel, letter: char, entry: String) {
        let Some(place) = self.buffers.find(channel.as_str()) else { return };
        let (buffer, letter) = (self.buffers.get(place).row.id, letter.to_string());
        let ban = TimedBan { buffer, letter, entry, until: 0, reason: String::new() };
        if let Some(at) = self.timed_bans.find(&ban, self.buffers.mapping()) {
            self.timed_bans.0[at].is_set = true;
        }
    }

    /// Takes back what is over, as far as that can be done now.
    pub(in super::super) fn lift_bans(&mut self) {
        let unix_ms = self.bridge.clock.unix_ms();
        if !self.is_ready() || self.timed_bans.0.iter().all(|timed| timed.ban.until > unix_ms) {
            return;
        }
        let mut to_lift = Vec::new();
        for at in 0..self.timed_bans.0.len() {
            if self.timed_bans.0[at].ban.until <= unix_ms && self.is_liftable(at) {
                self.timed_bans.0[at].progress = Progress::Stands;
                to_lift.push(at);
            }
        }
        let is_under_way = |timed: &&Timed| timed.progress == Progress::Lifting;
        let under_way = self.timed_bans.0.iter().filter(is_under_way).count();
        // Whoever is answered makes room for the next.
        for at in to_lift.into_iter().take(MOST_AT_ONCE.saturating_sub(under_way)) {
            self.lift(at);
        }
    }

    /// Whether a ban that is over can be taken back now; says where it can't be.
    fn is_liftable(&mut self, at: usize) -> bool {
        let now = self.now();
        let place = self.buffers.find_id(self.timed_bans.0[at].ban.buffer);
        let row = place.map(|place| &self.buffers.get(place).row);
        let Some((name, is_wanted)) = row.map(|row| (row.name.clone(), row.wanted)) else {
            self.timed_bans.0[at].progress = Progress::Stands;
            return false;
        };
        let ranks = self.own_ranks(&name);
        let timed = &mut self.timed_bans.0[at];
        let why = match (&ranks, &timed.progress) {
            (_, Progress::Lifting) => return false,
            (Some(ranks), Progress::Refused(until, with)) if is_rank(ranks) => {
                return now >= *until || ranks != with;
            }
            (Some(ranks), _) if is_rank(ranks) => return true,
            (Some(_), Progress::Powerless(since)) if now >= *since + PATIENCE => "you are no operator there",
            (Some(_), Progress::Powerless(_)) => return false,
            (Some(_), _) => {
                timed.progress = Progress::Powerless(now);
                return false;
            }
            (None, _) => {
                timed.progress = Progress::Stands;
                if is_wanted {
                    // It will be entered.
                    return false;
                }
                "you are not in the channel"
            }
        };
        if !std::mem::replace(&mut timed.is_told, true) {
            let text = format!(
                "The time of {} among the bans of {name} is over, but {why}. I take it back when you are an operator there.",
                strip_irc(&timed.ban.entry)
            );
            self.tell_of_ban(&name, &text);
        }
        false
    }

    /// Our ranks in a channel, as letters; nothing where we are not in it.
    fn own_ranks(&self, channel: &str) -> Option<String> {
        let link = self.link.as_ref()?;
        let (channel, nick) = (Channel::new(channel).ok()?, Nick::new(link.session.nick()).ok()?);
        self.rank_of(&channel, &nick)
    }

    fn lift(&mut self, at: usize) {
        let ban = self.timed_bans.0[at].ban.clone();
        let name = self.buffers.find_id(ban.buffer).map(|place| self.buffers.get(place).row.name.clone());
        let ranks = name.as_deref().and_then(|name| self.own_ranks(name)).unwrap_or_default();
        let line = name.and_then(|name| self.lifting_line(&name, &ban));
        let sent = match (line, &mut self.link) {
            (Some(line), Some(link)) => link.session.inquire(line).ok(),
            _ => None,
        };
        let Some(number) = sent else {
            // Too much waits for an answer already.
            self.timed_bans.0[at].progress = Progress::Refused(self.now() + PATIENCE, ranks);
            return;
        };
        self.timed_bans.0[at].progress = Progress::Lifting;
        let then = Use::Then(Box::new(move |actor, answer| {
            actor.on_lifted(&ban, &answer);
            Box::pin(async { Reply::Now(Ok(RichText::new())) })
        }));
        self.await_quietly(number, then);
    }

    fn lifting_line(&self, channel: &str, ban: &TimedBan) -> Option<Line> {
        let change = ModeChange {
            set: false,
            letter: ban.letter.chars().next()?,
            kind: ModeKind::List,
            argument: Some(ban.entry.clone()),
        };
        let channel = Channel::new(channel).ok()?;
        modes::lines(&channel, &[change], self.isupport()?).ok()?.pop()
    }

    /// The server has answered, or has nothing against it.
    fn on_lifted(&mut self, ban: &TimedBan, answer: &Answer) {
        let Some(at) = self.timed_bans.find(ban, self.buffers.mapping()) else { return };
        if self.timed_bans.0[at].ban.until != ban.until {
            // It was set anew meanwhile, for another time.
            return;
        }
        let Some(place) = self.buffers.find_id(ban.buffer) else { return };
        let name = self.buffers.get(place).row.name.clone();
        let ranks = self.own_ranks(&name).unwrap_or_default();
        let refused = refusals(std::slice::from_ref(answer));
        let refused: Vec<_> = refused.into_iter().filter(|one| one.code != ERR_LISTMODENOTSET).collect();
        let Some(refusal) = refused.first() else {
            if answer.timed_out {
                // The connection may be gone, and the ban stands.
                self.timed_bans.0[at].progress = Progress::Refused(self.now() + PATIENCE, ranks);
                return;
            }
            return self.forget_ban(ban);
        };
        let again = self.now() + AGAIN;
        let timed = &mut self.timed_bans.0[at];
        timed.progress = Progress::Refused(again, ranks);
        if std::mem::replace(&mut timed.is_told, true) {
            return;
        }
        let said = refusal.params.last().map(|said| strip_irc(said)).unwrap_or_default();
        let text = format!(
            "The time of {} among the bans of {name} is over, but {} does not take it back: {}. I try again in an hour, or \
             when you have another rank there.",
            strip_irc(&ban.entry),
            self.network.name,
            said.trim_end_matches(['.', ' '])
        );
        self.tell_of_ban(&name, &text);
    }

    /// Says something about a ban where its channel is, or in the network's room.
    fn tell_of_ban(&mut self, channel: &str, text: &str) {
        let place = self.buffers.find(channel).filter(|&place| self.buffers.get(place).row.wanted);
        match place.filter(|&place| !self.is_detached(place)) {
            Some(place) => self.tell_buffer(place, text),
            None => self.say(RichText::plain(text)),
        }
    }

    /// Reads them anew.
    pub(in super::super) async fn load_timed_bans(&mut self) -> Result<(), StoreError> {
        let stored = self.bridge.store.timed_bans(self.row.id).await?;
        self.timed_bans = TimedBans::stored(stored);
        Ok(())
    }
}

/// What is said of a ban that has just been set: `, for 30 minutes`.
pub(super) fn for_how_long(time: Option<&BanTime>) -> String {
    time.map(|time| format!(", for {}", in_words(time.lasts))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::minutes(Duration::from_mins(30), "30 minutes")]
    #[case::hours(Duration::from_hours(3), "3 hours")]
    #[case::days(Duration::from_hours(24 * 7), "7 days")]
    fn a_time_is_told_in_what_it_is_counted_in(#[case] time: Duration, #[case] words: &str) {
        assert_eq!(in_words(time), words);
    }

    #[rstest]
    #[case::none("", false)]
    #[case::voice("v", false)]
    #[case::operator("o", true)]
    #[case::half_operator_with_voice("hv", true)]
    fn any_rank_but_voice_may_set_bans(#[case] ranks: &str, #[case] expected: bool) {
        assert_eq!(is_rank(ranks), expected);
    }
}
