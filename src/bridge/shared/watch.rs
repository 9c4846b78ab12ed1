//! Who shows what happens in a shared room's channel: one of the sessions whose people are there.
//!
//! It is the one that has been in the channel longest, so that it changes only when that one goes, or hears less than
//! others do (`comparison`). The others remember what they hear; who takes over holds that against what was shown last, so
//! that nothing is shown twice and nothing is left out that only the one before did not hear any more.
//!
//! In memory: after a restart the first who is in the channel shows it. A seat is given up by being dropped, also where
//! a session ends by a mistake. Invariants 5 (each session tells only of itself), 9 (so many lines are remembered).

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::Bridge;
use super::comparison::Missing;
use super::holes::{Hole, Holes};
use crate::irc::ignores::IgnoreList;
use crate::irc::lists::Identity;
use crate::irc::rank::Rank;
use crate::names::CaseMapping;

/// So many of the lines that were shown last are remembered.
pub(super) const MOST_SAID: usize = 500;
/// So many lines in a row tell where two connections stand.
const SURE: usize = 3;
/// Ghosts of those who are in the room themselves. One beyond that leaves when who is in the channel is next compared.
const MOST_OWN_GHOSTS: usize = 1_000;
/// Nicks of those who were relayed that are remembered: each is noted anew before its line leaves.
const MOST_RELAYED: usize = 2_000;
/// For so long somebody is known by the nick that they had before: lines under it may still be on their way.
const FORMER: Duration = Duration::from_secs(30);

/// A line, as two connections hear it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::bridge) struct Said {
    /// Its id, where the server gives one.
    pub(in crate::bridge) msgid: Option<String>,
    /// Who said it, folded.
    pub(in crate::bridge) nick: String,
    /// What.
    pub(in crate::bridge) text: String,
}

impl Said {
    pub(in crate::bridge) fn is(&self, other: &Self) -> bool {
        match (&self.msgid, &other.msgid) {
            (Some(one), Some(another)) => one == another,
            _ => self.nick == other.nick && self.text == other.text,
        }
    }

    /// How many of the lines that somebody heard were shown, where these were shown last: by the last that has the same
    /// id, else by the longest run at the end of which both stand.
    pub(in crate::bridge) fn shown_of(heard: &[Self], shown: &[Self]) -> usize {
        let has_id = |line: &Self| line.msgid.is_some() && shown.iter().any(|one| one.msgid == line.msgid);
        if let Some(last) = heard.iter().rposition(has_id) {
            return last + 1;
        }
        let run = |end: usize| {
            let pairs = heard[..end].iter().rev().zip(shown.iter().rev());
            pairs.take_while(|(one, another)| one.is(another)).count()
        };
        let runs = (1..=heard.len()).map(|end| (run(end), end));
        let sure = runs.filter(|(run, end)| *run >= SURE.min(*end).min(shown.len()) && *run > 0);
        // Of several that are as long the first: what is shown twice is seen, what is left out is not.
        sure.max_by_key(|(run, end)| (*run, std::cmp::Reverse(*end))).map_or(0, |(_, end)| end)
    }
}

/// Somebody whose channel is shown in the room.
#[derive(Debug)]
pub(super) struct Sitting {
    /// The seat's own number: a session may take its place anew before it gives up the one before.
    pub(super) number: u64,
    user_id: Box<str>,
    /// They are there for all, and not in the room.
    listens: bool,
    nick: Option<Box<str>>,
    former: Option<(Box<str>, Instant)>,
    /// In which order they came into the channel, or gave it up that they show it, …
    pub(super) since: Option<u64>,
    /// … and when, in milliseconds since 1970.
    came_at: Option<i64>,
    /// When their connection was last heard, as above.
    heard_until: Option<i64>,
    /// What they are there, by their own connection.
    rank: Option<Rank>,
    /// Where they come from, by their own connection: their user name and host.
    address: Option<(Box<str>, Box<str>)>,
    /// Whom they do not want to hear.
    ignores: IgnoreList,
    /// They are to let this session show the channel, which has heard this.
    pub(super) asked: Option<(i64, Missing)>,
}

impl Sitting {
    /// Whether somebody sits here who is in the room.
    fn is(&self, user_id: &str) -> bool {
        !self.listens && *self.user_id == *user_id
    }
}

#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) sitting: BTreeMap<i64, Sitting>,
    /// How many have sat down and come in.
    pub(super) count: u64,
    /// What was shown last, and when.
    pub(super) shown: VecDeque<(Said, Instant)>,
    /// How many were shown in all.
    pub(super) shown_count: u64,
    /// When somebody who was there let another one show the channel.
    pub(super) handed_on: Option<Instant>,
    /// Who has gone from the room, and when.
    pub(super) gone: VecDeque<(Box<str>, Instant)>,
    /// The ids of messages that were taken back on IRC and in the room, or are not there.
    taken_back: VecDeque<String>,
    topic: Option<String>,
    /// Folded nicks of those in the room whose ghosts are there, too: they have said something from elsewhere.
    own_ghosts: HashSet<String>,
    /// Nicks of those who were in the channel and not in the room, and are in both again.
    returned: Vec<Box<str>>,
    /// Folded nicks under which people of the room were heard on IRC who have no connection.
    relayed: HashSet<String>,
    /// The sessions whose people were told to type.
    typists: HashSet<i64>,
}

impl Watch {
    pub(super) fn observer(&self) -> Option<i64> {
        let there = self.sitting.iter().filter_map(|(session, one)| Some((one.since?, *session)));
        there.min().map(|(_, session)| session)
    }

    /// What nobody has heard since this session did, which shows the channel no more.
    pub(super) fn hole_behind(&self, session: i64, heard_until: Option<i64>) -> Option<Hole> {
        match self.observer() {
            Some(next) if next == session => None,
            next => Hole::between(heard_until, next.and_then(|next| self.sitting.get(&next)?.came_at)),
        }
    }
}

/// All shared rooms that somebody is in.
#[derive(Debug, Default)]
pub(in crate::bridge) struct Watches {
    rooms: Mutex<HashMap<i64, Watch>>,
    holes: Holes,
}

impl Watches {
    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Watch>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing was seen in a room in this time.
    pub(super) fn note_hole(&self, room: i64, hole: Hole) {
        self.holes.open(room, hole);
    }

    /// The session that shows a room's channel.
    pub(in crate::bridge) fn observer(&self, room: i64) -> Option<i64> {
        self.lock().get(&room)?.observer()
    }

    /// The session of somebody whose channel is shown in a room.
    pub(in crate::bridge) fn session_of(&self, room: i64, user_id: &str) -> Option<i64> {
        let watches = self.lock();
        let mut sitting = watches.get(&room)?.sitting.iter();
        sitting.find(|(_, one)| one.is(user_id)).map(|(session, _)| *session)
    }

    /// These type in a room now, and nobody else: the sessions to tell that, and to tell that theirs do no longer.
    pub(in crate::bridge) fn typists(&self, room: i64, users: &[String]) -> Vec<(i64, bool)> {
        let mut watches = self.lock();
        let Some(watch) = watches.get_mut(&room) else { return Vec::new() };
        let users: HashSet<&str> = users.iter().map(String::as_str).collect();
        let typing = watch.sitting.iter().filter(|(_, one)| !one.listens && users.contains(&*one.user_id));
        let typing: HashSet<i64> = typing.map(|(session, _)| *session).collect();
        let before = std::mem::replace(&mut watch.typists, typing);
        let done = before.difference(&watch.typists).map(|session| (*session, false));
        watch.typists.iter().map(|session| (*session, true)).chain(done).collect()
    }

    /// Whether anybody sits in a room.
    pub(in crate::bridge) fn has(&self, room: i64) -> bool {
        self.lock().contains_key(&room)
    }
}

/// Somebody who sits in a shared room, as a ban sees them.
#[derive(Debug, Clone)]
pub(in crate::bridge) struct Sitter {
    pub(in crate::bridge) session: i64,
    pub(in crate::bridge) identity: Identity,
}

/// A session's place in a shared room; given up by being dropped.
pub(in crate::bridge) struct Seat {
    pub(super) bridge: Bridge,
    pub(super) room: i64,
    pub(super) session: i64,
    pub(super) number: u64,
}

impl Seat {
    /// A session shows a channel in this room, for this person.
    pub(in crate::bridge) fn take(
        bridge: &Bridge,
        room: i64,
        session: i64,
        (user_id, listens): (&str, bool),
    ) -> Self {
        let mut watches = bridge.watches.lock();
        let watch = watches.entry(room).or_default();
        let before = watch.observer();
        watch.count += 1;
        let number = watch.count;
        let new = Sitting {
            number,
            user_id: user_id.into(),
            listens,
            nick: None,
            former: None,
            since: None,
            came_at: None,
            heard_until: None,
            rank: None,
            address: None,
            ignores: IgnoreList::default(),
            asked: None,
        };
        watch.sitting.insert(session, new);
        let next = watch.observer().filter(|next| Some(*next) != before);
        drop(watches);
        let seat = Self { bridge: bridge.clone(), room, session, number };
        seat.wake(next);
        seat
    }

    pub(super) fn with<T: Default>(&self, look: impl FnOnce(&mut Watch) -> T) -> T {
        self.bridge.watches.lock().get_mut(&self.room).map(look).unwrap_or_default()
    }

    /// The session does not only listen there from now on.
    pub(in crate::bridge) fn sit_for_somebody(&self) {
        self.with(|watch| {
            let own = watch.sitting.get_mut(&self.session).filter(|own| own.number == self.number);
            own.into_iter().for_each(|own| own.listens = false);
        });
    }

    /// Tells under which nick the session is there.
    pub(in crate::bridge) fn name(&self, nick: Option<&str>, now: Instant) {
        self.with(|watch| {
            let own = watch.sitting.get_mut(&self.session);
            if let Some(own) = own.filter(|own| own.number == self.number && own.nick.as_deref() != nick) {
                own.former = own.nick.take().map(|former| (former, now));
                own.nick = nick.map(Box::from);
            }
        });
    }

    /// Somebody has another nick, which their own session may know later.
    pub(in crate::bridge) fn follow(&self, from: &str, to: &str, mapping: CaseMapping, now: Instant) {
        self.with(|watch| {
            let mut others = watch.sitting.values_mut();
            let found = others.find(|one| one.nick.as_deref().is_some_and(|own| mapping.same(own, from)));
            if let Some(one) = found {
                one.former = one.nick.replace(to.into()).map(|former| (former, now));
            }
        });
    }

    /// Tells whether the session is in the channel, and how long it has heard what is said there.
    pub(in crate::bridge) fn keep(&self, is_inside: bool, heard_until: Option<i64>, now: i64) {
        let next = self.with(|watch| {
            let before = watch.observer();
            watch.count += 1;
            let came = watch.count;
            let own = watch.sitting.get_mut(&self.session);
            if let Some(own) = own.filter(|own| own.number == self.number) {
                own.since = own.since.or(Some(came)).filter(|_| is_inside);
                own.came_at = own.came_at.or(Some(now)).filter(|_| is_inside);
                own.asked = own.asked.take().filter(|_| is_inside);
                own.heard_until = heard_until.or(own.heard_until);
            }
            if before == Some(self.session)
                && let Some(hole) = watch.hole_behind(self.session, heard_until)
            {
                self.bridge.watches.note_hole(self.room, hole);
            }
            watch.observer().filter(|next| Some(*next) != before && *next != self.session)
        });
        self.wake(next);
    }

    /// Tells which rank the session's user has in the channel, by their own connection.
    pub(in crate::bridge) fn rank(&self, rank: Option<Rank>) {
        let is_other = self.with(|watch| {
            let own = watch.sitting.get_mut(&self.session).filter(|own| own.number == self.number);
            own.is_some_and(|own| std::mem::replace(&mut own.rank, rank) != rank)
        });
        if is_other {
            self.bridge.note_authority(self.room);
        }
    }

    /// Those who have a rank by their own connections: who they are, their nicks and their ranks.
    pub(in crate::bridge) fn ranked(&self) -> Vec<(String, String, Rank)> {
        self.with(|watch| {
            let ranked = watch.sitting.values().filter(|one| !one.listens);
            ranked
                .filter_map(|one| Some((one.user_id.to_string(), one.nick.as_deref()?.to_owned(), one.rank?)))
                .collect()
        })
    }

    /// Tells where the session's user comes from, as others see it.
    pub(in crate::bridge) fn locate(&self, address: Option<(&str, &str)>) {
        self.with(|watch| {
            let own = watch.sitting.get_mut(&self.session).filter(|own| own.number == self.number);
            if let Some(own) = own {
                let known = own.address.as_ref().map(|(user, host)| (&**user, &**host));
                if known != address {
                    own.address = address.map(|(user, host)| (user.into(), host.into()));
                }
            }
        });
    }

    /// All who sit here and are in the channel; nothing while of one of them is not known where they come from.
    pub(in crate::bridge) fn sitters(&self) -> Option<Vec<Sitter>> {
        self.with(|watch| {
            let there = watch.sitting.iter().filter(|(_, one)| one.since.is_some());
            let sitter = |(session, one): (&i64, &Sitting)| {
                let (user, host) = one.address.as_ref()?;
                let nick = one.nick.as_deref()?.to_owned();
                let identity =
                    Identity { nick, user: user.to_string(), host: host.to_string(), account: None };
                Some(Sitter { session: *session, identity })
            };
            there.map(sitter).collect()
        })
    }

    /// Somebody's nick on IRC, of those who sit here.
    pub(in crate::bridge) fn nick_of(&self, user_id: &str) -> Option<String> {
        self.with(|watch| {
            let found = watch.sitting.values().find(|one| one.is(user_id));
            found?.nick.as_deref().map(str::to_owned)
        })
    }

    pub(super) fn wake(&self, session: Option<i64>) {
        if let Some(session) = session.and_then(|session| self.bridge.session(session)) {
            session.wake();
        }
    }

    /// What is to be told of by who shows the channel from now on.
    pub(in crate::bridge) fn take_hole(&self) -> Option<Hole> {
        self.bridge.watches.holes.take(self.room)
    }

    /// The same, while nobody has told of it.
    pub(in crate::bridge) fn hole(&self) -> Option<Hole> {
        self.bridge.watches.holes.of(self.room)
    }

    /// Where nobody else has the room, nobody has missed anything.
    pub(in crate::bridge) fn forget_hole_if_alone(&self) {
        if self.count() == 1 {
            self.take_hole();
        }
    }

    /// How many have the room.
    pub(in crate::bridge) fn count(&self) -> usize {
        self.with(|watch| watch.sitting.len())
    }

    /// Whether the channel is shown to anybody who is in it for themselves; where not all may read it, to anybody.
    pub(in crate::bridge) fn is_watched(&self, is_closed: bool) -> bool {
        let sees = |one: &Sitting| one.since.is_some() && (is_closed || !one.listens);
        self.with(|watch| watch.sitting.values().any(sees))
    }

    /// The session that shows the channel.
    pub(in crate::bridge) fn observer(&self) -> Option<i64> {
        self.with(|watch| watch.observer())
    }

    /// Whose nick this is, of those whose channel is shown here: what they say is in the room already.
    pub(in crate::bridge) fn person(&self, nick: &str, mapping: CaseMapping, now: Instant) -> Option<String> {
        self.with(|watch| {
            let is_former = |(former, since): &(Box<str>, Instant)| {
                now.saturating_duration_since(*since) < FORMER && mapping.same(former, nick)
            };
            let found = watch.sitting.values().find(|one| {
                one.nick.as_deref().is_some_and(|own| mapping.same(own, nick))
                    || one.former.as_ref().is_some_and(is_former)
            });
            found.map(|one| one.user_id.to_string())
        })
    }

    /// Tells whom the session's user does not want to hear.
    pub(in crate::bridge) fn ignore(&self, list: &IgnoreList) {
        self.with(|watch| {
            let own = watch.sitting.get_mut(&self.session);
            if let Some(own) = own.filter(|own| own.number == self.number) {
                own.ignores.clone_from(list);
            }
        });
    }

    /// The others under such a nick, but for those who ignore somebody.
    pub(in crate::bridge) fn people(
        &self,
        is_it: impl Fn(&str) -> bool,
        is_ignored_by: impl Fn(&IgnoreList) -> bool,
    ) -> Vec<String> {
        self.with(|watch| {
            let others = watch.sitting.iter();
            let others = others.filter(|(session, one)| **session != self.session && !one.listens);
            let found = others
                .filter(|(_, one)| one.nick.as_deref().is_some_and(&is_it) && !is_ignored_by(&one.ignores));
            found.map(|(_, one)| one.user_id.to_string()).collect()
        })
    }

    /// These lines are in the room.
    pub(in crate::bridge) fn show(&self, lines: Vec<Said>, now: Instant) {
        self.with(|watch| {
            watch.shown_count += lines.len() as u64;
            watch.shown.extend(lines.into_iter().map(|said| (said, now)));
            let beyond = watch.shown.len().saturating_sub(MOST_SAID);
            watch.shown.drain(..beyond);
        });
    }

    /// The lines that were shown last, and when.
    pub(in crate::bridge) fn shown(&self) -> Vec<(Said, Instant)> {
        self.with(|watch| watch.shown.iter().cloned().collect())
    }

    /// How many lines were shown in all.
    pub(in crate::bridge) fn shown_count(&self) -> u64 {
        self.with(|watch| watch.shown_count)
    }

    /// What was taken back on IRC with these ids is not in the room any more.
    pub(in crate::bridge) fn take_back(&self, msgids: Vec<String>) {
        if msgids.is_empty() {
            return;
        }
        self.with(|watch| {
            watch.taken_back.extend(msgids);
            let beyond = watch.taken_back.len().saturating_sub(MOST_SAID);
            watch.taken_back.drain(..beyond);
        });
    }

    /// Whether somebody has seen to that.
    pub(in crate::bridge) fn has_taken_back(&self, msgid: &str) -> bool {
        self.with(|watch| watch.taken_back.iter().any(|one| one == msgid))
    }

    /// The ghost of somebody in the room comes there.
    pub(in crate::bridge) fn bring_own_ghost(&self, nick: String) {
        self.with(|watch| {
            if watch.own_ghosts.len() < MOST_OWN_GHOSTS {
                watch.own_ghosts.insert(nick);
            }
        });
    }

    /// The session's user was in the channel already when they came into the room: a ghost of theirs may have come there
    /// meanwhile. Who shows the channel takes it out.
    pub(in crate::bridge) fn return_to_channel(&self, nick: &str) {
        let observer = self.with(|watch| {
            if watch.returned.len() < MOST_OWN_GHOSTS {
                watch.returned.push(nick.into());
            }
            watch.observer()
        });
        self.wake(observer);
    }

    /// Those who have returned.
    pub(in crate::bridge) fn take_returned(&self) -> Vec<Box<str>> {
        self.with(|watch| std::mem::take(&mut watch.returned))
    }

    /// Whether such a ghost was there, which goes now.
    pub(in crate::bridge) fn takes_own_ghost(&self, nick: &str) -> bool {
        self.with(|watch| watch.own_ghosts.remove(nick))
    }

    /// Somebody in the room is heard on IRC under this nick by this session, both folded: what comes so is in the room already.
    pub(in crate::bridge) fn relay_as(&self, relay: &str, nick: &str) {
        self.with(|watch| {
            if watch.relayed.len() >= MOST_RELAYED {
                watch.relayed.clear();
            }
            watch.relayed.insert(said_by(relay, nick));
        });
    }

    /// Whether it is such a nick.
    pub(in crate::bridge) fn is_relayed_by(&self, relay: &str, nick: &str) -> bool {
        self.with(|watch| watch.relayed.contains(&said_by(relay, nick)))
    }

    /// Whether it is such a nick, whoever has said it.
    pub(in crate::bridge) fn is_relayed(&self, nick: &str) -> bool {
        let is_it = |known: &String| known.split(' ').next_back() == Some(nick);
        self.with(|watch| watch.relayed.iter().any(is_it))
    }

    /// The topic is shown; `false` where it was before.
    pub(in crate::bridge) fn show_topic(&self, topic: &str) -> bool {
        self.with(|watch| watch.topic.replace(topic.to_owned()).as_deref() != Some(topic))
    }
}

/// No nick has a space.
fn said_by(relay: &str, nick: &str) -> String {
    format!("{relay} {nick}")
}

impl Drop for Seat {
    fn drop(&mut self) {
        let next = {
            let mut watches = self.bridge.watches.lock();
            let Some(watch) = watches.get_mut(&self.room) else { return };
            let before = watch.observer();
            let is_own = watch.sitting.get(&self.session).is_some_and(|own| own.number == self.number);
            let mut own = is_own.then(|| watch.sitting.remove(&self.session)).flatten();
            if let Some(nick) = own.as_mut().and_then(|own| own.nick.take()) {
                watch.note_gone(nick, self.bridge.clock.now());
            }
            if before == Some(self.session)
                && let Some(own) = own
                && let Some(hole) = watch.hole_behind(self.session, own.heard_until)
            {
                self.bridge.watches.note_hole(self.room, hole);
            }
            let next = watch.observer().filter(|next| Some(*next) != before);
            if watch.sitting.is_empty() {
                watches.remove(&self.room);
            }
            next
        };
        self.wake(next);
        self.bridge.wake_authority(self.room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn lines(text: &str) -> Vec<Said> {
        let line = |word: &str| {
            let (text, msgid) =
                word.split_once('@').map_or((word, None), |(text, id)| (text, Some(id.into())));
            Said { msgid, nick: "bob".into(), text: text.into() }
        };
        text.split_whitespace().map(line).collect()
    }

    #[rstest]
    #[case::nothing_was_shown("", "a b", 0)]
    #[case::nothing_was_heard("a b", "", 0)]
    #[case::all_was_shown("a b", "a b", 2)]
    #[case::the_last_was_not("a b", "a b c", 2)]
    #[case::came_later("x y a b", "a b c", 2)]
    #[case::came_just_now("x y a", "c d", 0)]
    #[case::the_same_again("a", "a a", 1)]
    #[case::a_word_in_common_is_no_proof("x y z", "b z c", 0)]
    #[case::by_its_id("x@1 x@2", "x@1 x@2 x@3", 2)]
    #[case::by_its_id_in_another_order("a@1 b@2", "b@2 a@1 c@3", 2)]
    #[case::only_one_has_ids("a b", "a@1 b@2 c@3", 2)]
    fn who_takes_over_knows_what_was_shown(#[case] shown: &str, #[case] heard: &str, #[case] known: usize) {
        assert_eq!(Said::shown_of(&lines(heard), &lines(shown)), known);
    }
}
