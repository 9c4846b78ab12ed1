//! How people of IRC are shown on Matrix, by the setting `show-presence`: online, unavailable or offline, as they are on IRC.
//!
//! Nothing is done at a line. Who is shown how the sessions say, when they are asked, each of those nearest to its user; it
//! is told where that differs from what was told last, so that what changes and changes back within a moment was nothing,
//! and whom several sessions see is told of once. Whoever no session names any more is offline.
//!
//! A homeserver lets a presence lapse whose user does not come back to it: Synapse after 30 seconds. So what holds is told
//! again and again, of [`most_shown`] people in all sessions together, which is what a quarter of the budget of memberships
//! can bear. Each call waits for what that budget has to spare. Where that is little, as while members come in, a round ends when its
//! time is over, and the next is of fewer people ([`Told::settle`]): better some who are right than many who have lapsed. What is
//! told was never seen longer ago than [`FRESH`].
//!
//! Where the homeserver keeps no presence, it says so, or takes it and forgets it: then nothing is tried any more until the
//! next start, and each administrator is told once.
//!
//! Not who is away on IRC, which is the sessions' (`session/whereabouts.rs`). Nothing is stored: it lapses. Invariants 8; 9
//! (so many people).
//!
//! Spec: Matrix client-server API, "Presence".

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use tokio::sync::{Notify, oneshot};

use super::delivery::temporary;
use super::ghosts::GhostError;
use super::session::MembersRequest;
use super::{Bridge, Request, StoreError};
use crate::config::Permission;
use crate::format::RichText;
use crate::matrix::ClientError;
use crate::matrix::client::Availability;
use crate::store::settings::{PRESENCE_TOLD, Scope};

/// So many people are shown at the most, whatever the homeserver can bear: each session is asked for as many.
const MOST_SHOWN: usize = 500;
/// What changes within it and changes back was nothing.
const SETTLE: Duration = Duration::from_secs(2);
/// Between two looks while nothing changes.
const LOOK: Duration = Duration::from_secs(14);
/// What was told so long ago is told again: before it lapses, a look later.
const STALE: Duration = Duration::from_secs(10);
/// What was seen so long ago is looked at again before it is told.
const FRESH: Duration = Duration::from_secs(2);
/// A round ends then, however many are still to be told of.
const ROUND: Duration = LOOK;
/// However busy the homeserver is with members, a call has its turn after so long.
const PATIENCE: Duration = Duration::from_secs(5);
/// A session that does not say in this time whom it sees is asked the next time.
const ANSWER: Duration = Duration::from_secs(5);
/// So many sessions are asked at once.
const ASKED_AT_ONCE: usize = 8;
/// After so many failures in a row it is not about whom it failed.
const MOST_FAILURES: u32 = 3;
/// By so many people more it is tried to show again where there was time for more.
const SOME_MORE: usize = 5;
/// How often it is looked whether the homeserver keeps what it was told first, since one of several processes may not know
/// what another was told, …
const LOOKS: u32 = 3;
/// … and how long in between.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// So many refusals without anything that was taken mean that it is not about whom it was refused.
const MOST_REFUSALS: u32 = 3;

/// How somebody is shown. Where sessions do not agree, the one that knows most is right: the last of these.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shown {
    /// They are not on the network, as far as anybody sees.
    Offline,
    /// They are there.
    Online,
    /// They are away, and may say why.
    Away(Option<Arc<str>>),
}

impl Shown {
    fn availability(&self) -> (Availability, Option<&str>) {
        match self {
            Self::Offline => (Availability::Offline, None),
            Self::Online => (Availability::Online, None),
            Self::Away(why) => (Availability::Unavailable, why.as_deref()),
        }
    }
}

/// A ghost, by its Matrix id, and how it is shown.
pub type ShownPerson = (Arc<str>, Shown);

/// Whom a session names.
#[derive(Debug, Default)]
pub struct Named {
    /// They, those nearest to its user first.
    pub people: Vec<ShownPerson>,
    /// Its connection may be dead: others know better.
    pub is_in_doubt: bool,
}

/// Who wants people to be shown.
#[derive(Default)]
pub(super) struct Presence {
    sessions: Mutex<BTreeSet<i64>>,
    changed: Notify,
    /// The homeserver keeps no presence.
    is_given_up: AtomicBool,
}

impl Presence {
    fn sessions(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the homeserver was told, and when, of those who are not offline.
#[derive(Default)]
struct Told {
    people: HashMap<Arc<str>, (Shown, Instant)>,
    /// It was seen that the homeserver keeps what it is told.
    is_kept: bool,
    refusals: u32,
    /// Those of whom it could not be told, and when.
    failed: HashMap<Arc<str>, Instant>,
    /// So many people can be told of in a round, where that is fewer than should be.
    bearable: Option<usize>,
}

/// What the sessions have said.
struct Seen {
    people: HashMap<Arc<str>, Shown>,
    /// All of them have.
    is_all: bool,
    at: Instant,
}

impl Told {
    /// What is to be told now: first what has changed, then what was told longest ago, and then who is not there any more.
    fn due(&self, people: &HashMap<Arc<str>, Shown>, is_all: bool, now: Instant) -> VecDeque<ShownPerson> {
        let mut gone: Vec<ShownPerson> = self.people.keys().cloned().map(|id| (id, Shown::Offline)).collect();
        gone.retain(|(id, _)| is_all && !people.contains_key(id));
        let mut due: Vec<(Option<Instant>, ShownPerson)> = Vec::new();
        for (id, shown) in people {
            let person = (Arc::clone(id), shown.clone());
            match self.people.get(id) {
                Some((told, at)) if told == shown => {
                    if now.saturating_duration_since(*at) >= STALE {
                        due.push((Some(*at), person));
                    }
                }
                _ => due.push((None, person)),
            }
        }
        due.sort_by(|one, other| (one.0, &one.1.0).cmp(&(other.0, &other.1.0)));
        gone.sort();
        let is_set_back = |(id, _): &ShownPerson| {
            self.failed.get(id).is_some_and(|at| now.saturating_duration_since(*at) < STALE)
        };
        due.into_iter().map(|(_, person)| person).chain(gone).filter(|one| !is_set_back(one)).collect()
    }

    /// How many people are shown, where it should be so many.
    fn most(&self, most: usize) -> usize {
        self.bearable.map_or(most, |bearable| bearable.min(most))
    }

    /// A round is over in which so many were told of, of those of so many as should be shown.
    fn settle(&mut self, round: &Round, most: usize, now: Instant) {
        let took = now.saturating_duration_since(round.begun);
        if round.is_cut_short {
            self.bearable = Some(round.told);
        } else if took < ROUND / 2 {
            let more = self.bearable.map(|bearable| (2 * bearable).max(bearable + SOME_MORE));
            self.bearable = more.filter(|more| *more < most);
        }
        self.failed.retain(|_, at| now.saturating_duration_since(*at) < STALE);
    }

    fn note(&mut self, (id, shown): ShownPerson, now: Instant) {
        if shown == Shown::Offline {
            self.people.remove(&id);
        } else {
            self.people.insert(id, (shown, now));
        }
    }
}

/// What becomes of a round.
struct Round {
    begun: Instant,
    told: usize,
    /// Its time was over before all were told of.
    is_cut_short: bool,
}

/// How many people are shown at a time, where so many calls per second are for the background.
fn most_shown(calls: u32) -> usize {
    // Each is told of at least once in 20 seconds.
    (calls as usize * 5).min(MOST_SHOWN)
}

/// Whom sessions name, in turns, until there are so many. Those whose connections may be dead are believed where nobody else
/// names somebody.
fn together(named: &[Named], most: usize) -> HashMap<Arc<str>, Shown> {
    let mut people: HashMap<Arc<str>, Shown> = HashMap::new();
    for is_in_doubt in [false, true] {
        let lists = || named.iter().filter(|one| one.is_in_doubt == is_in_doubt).map(|one| &one.people);
        let mut own: HashMap<Arc<str>, Shown> = HashMap::new();
        for place in 0..lists().map(Vec::len).max().unwrap_or_default() {
            for (id, shown) in lists().filter_map(|list| list.get(place)) {
                let has_place = people.len() + own.len() < most;
                match own.get_mut(id) {
                    Some(known) if *known < *shown => known.clone_from(shown),
                    None if has_place && !people.contains_key(id) => {
                        own.insert(Arc::clone(id), shown.clone());
                    }
                    Some(_) | None => {}
                }
            }
        }
        people.extend(own);
    }
    people
}

impl Bridge {
    /// A session's user wants those whom it sees to be shown.
    pub(super) fn show_people_of(&self, session: i64) {
        self.presence.sessions().insert(session);
        self.note_presence();
    }

    /// They do not any more, or the session sees nobody.
    pub(super) fn hide_people_of(&self, session: i64) {
        self.presence.sessions().remove(&session);
        self.note_presence();
    }

    /// Somebody who is shown may be otherwise than before.
    pub(super) fn note_presence(&self) {
        self.presence.changed.notify_one();
    }

    /// Somebody's ghost has come into a room, so that there is somebody to be shown.
    pub(super) fn note_ghost_came(&self) {
        if !self.presence.sessions().is_empty() {
            self.note_presence();
        }
    }

    /// Whether the homeserver was found to keep no presence.
    pub fn keeps_no_presence(&self) -> bool {
        self.presence.is_given_up.load(Ordering::Relaxed)
    }

    /// Shows people until the bridge stops, or as long as that is of any use.
    pub(super) async fn keep_presence(self) {
        let (mut told, mut attempt) = (Told::default(), 0);
        while !self.keeps_no_presence() {
            let looks = async {
                let is_idle = told.people.is_empty() && self.presence.sessions().is_empty();
                tokio::select! {
                    () = self.presence.changed.notified() => {}
                    () = tokio::time::sleep(LOOK), if !is_idle => {}
                }
                tokio::time::sleep(SETTLE).await;
            };
            if self.stop.run_until_cancelled(looks).await.is_none() {
                return;
            }
            let error = match self.show_people(&mut told).await {
                Ok(()) => {
                    attempt = 0;
                    continue;
                }
                Err(GhostError::Store(StoreError::Closed)) => return,
                Err(error) => temporary(error),
            };
            if attempt == 0 {
                tracing::warn!(%error, "who is on IRC can't be shown yet");
            }
            // Though nothing else changes, it is to be tried again.
            self.note_presence();
            if !self.pause_after(&error, attempt).await {
                return;
            }
            attempt += 1;
        }
    }

    /// A round.
    async fn show_people(&self, told: &mut Told) -> Result<(), GhostError> {
        let should = most_shown(self.limits().membership_calls);
        let most = told.most(should);
        let mut round = Round { begun: self.clock.now(), told: 0, is_cut_short: false };
        let mut seen = self.people_seen(most).await;
        let mut due = told.due(&seen.people, seen.is_all, self.clock.now());
        let mut passed: HashSet<Arc<str>> = HashSet::new();
        let (mut failures, mut has_turn) = (0, false);
        while !due.is_empty() {
            let spent = self.clock.now().saturating_duration_since(round.begun);
            let Some(left) = ROUND.checked_sub(spent).filter(|left| !left.is_zero()) else {
                round.is_cut_short = true;
                break;
            };
            if !has_turn {
                has_turn = self.spare_membership_turn(1, left.min(PATIENCE)).await;
                if !has_turn || self.stop.is_cancelled() {
                    return Ok(());
                }
            }
            if self.clock.now().saturating_duration_since(seen.at) >= FRESH {
                seen = self.people_seen(most).await;
                due = told.due(&seen.people, seen.is_all, self.clock.now());
                due.retain(|(id, _)| !passed.contains(id));
                continue;
            }
            let Some(person) = due.pop_front() else { break };
            passed.insert(Arc::clone(&person.0));
            if !self.can_be_shown(told, &person).await? {
                continue;
            }
            has_turn = false;
            let id = Arc::clone(&person.0);
            match self.show_person(told, person).await {
                Ok(None) => (failures, round.told) = (0, round.told + 1),
                Ok(Some(why)) => return Ok(self.give_presence_up(&why).await?),
                Err(error @ GhostError::Store(_)) => return Err(error),
                // It may be about them alone.
                Err(error) => {
                    failures += 1;
                    if failures >= MOST_FAILURES || round.told == 0 && due.is_empty() {
                        told.failed.clear();
                        return Err(error);
                    }
                    told.failed.insert(id, self.clock.now());
                }
            }
        }
        told.settle(&round, should, self.clock.now());
        Ok(())
    }

    /// One that the homeserver does not know yet is shown when it does.
    async fn can_be_shown(&self, told: &Told, (id, _): &ShownPerson) -> Result<bool, StoreError> {
        if told.people.contains_key(id) {
            return Ok(true);
        }
        let ghost = self.store.ghost_by_user_id(id).await?;
        Ok(ghost.is_some_and(|ghost| ghost.display_name.is_some()))
    }

    /// Tells of one; gives back why that is of no use, if it is not.
    async fn show_person(&self, told: &mut Told, person: ShownPerson) -> Result<Option<String>, GhostError> {
        let (availability, message) = person.1.availability();
        match self.client.set_presence(&person.0, availability, message).await {
            Ok(()) => {
                if !told.is_kept && availability != Availability::Offline {
                    if !self.is_presence_kept(&person.0).await? {
                        return Ok(Some("it takes what it is told and keeps nothing of it".to_owned()));
                    }
                    self.take_presence_up().await?;
                    told.is_kept = true;
                }
            }
            Err(error) if !error.is_final() => return Err(error.into()),
            Err(error) => {
                told.refusals += 1;
                let is_unknown = error.is("M_UNRECOGNIZED");
                if !told.is_kept && (is_unknown || told.refusals >= MOST_REFUSALS) {
                    return Ok(Some(error.to_string()));
                }
                tracing::debug!(ghost = %person.0, %error, "somebody can't be shown");
            }
        }
        // Where it was refused, it is not asked for again at once either.
        told.note(person, self.clock.now());
        Ok(None)
    }

    /// Whether the homeserver remembers what it was told of a ghost just now.
    async fn is_presence_kept(&self, user_id: &str) -> Result<bool, ClientError> {
        for look in 0..LOOKS {
            if look > 0 && self.stop.run_until_cancelled(tokio::time::sleep(BETWEEN_LOOKS)).await.is_none() {
                break;
            }
            match self.client.is_seen_there(user_id).await {
                Ok(false) => {}
                Ok(true) => return Ok(true),
                // Who may not look has no reason for doubt.
                Err(error) if error.is_final() => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(self.stop.is_cancelled())
    }

    /// Whom the sessions see.
    async fn people_seen(&self, most: usize) -> Seen {
        let at = self.clock.now();
        let sessions: Vec<i64> = self.presence.sessions().iter().copied().collect();
        let mut known = Vec::with_capacity(sessions.len());
        for id in sessions {
            match self.session(id).filter(|session| !session.is_resting()) {
                Some(session) => known.push(session),
                None => _ = self.presence.sessions().remove(&id),
            }
        }
        let asked = known.into_iter().map(|session| async move {
            let (answer, people) = oneshot::channel();
            let question = Request::Members(MembersRequest::Shown { most, answer });
            let asked = async {
                session.ask(question).await.ok()?;
                people.await.ok()
            };
            tokio::time::timeout(ANSWER, asked).await.ok().flatten()
        });
        let answers: Vec<Option<Named>> = stream::iter(asked).buffered(ASKED_AT_ONCE).collect().await;
        let is_all = answers.iter().all(Option::is_some);
        let named: Vec<Named> = answers.into_iter().flatten().collect();
        Seen { people: together(&named, most), is_all, at }
    }

    /// What can't be told yet is to be tried again, and so is this.
    async fn give_presence_up(&self, why: &str) -> Result<(), StoreError> {
        self.presence.is_given_up.store(true, Ordering::Relaxed);
        let told = self.tell_of_no_presence(why).await;
        self.presence.is_given_up.store(told.is_ok(), Ordering::Relaxed);
        told
    }

    /// Each administrator is told once, also where the bridge starts again, until the homeserver was seen to keep it.
    async fn tell_of_no_presence(&self, why: &str) -> Result<(), StoreError> {
        tracing::warn!(%why, "the homeserver keeps no presence: nobody of IRC is shown as online or away");
        let text = "Who is online or away on IRC can't be shown on Matrix, although somebody wants that (";
        let text = RichText::plain(text).code("set show-presence on").text(format!(
            "): your homeserver keeps no presence ({why}). If you want it, turn presence on there, and then restart this \
             bridge. Until then I try it no more."
        ));
        for (user, user_id) in self.store.user_ids().await? {
            let is_admin = self.permission_of(&user_id) == Permission::Admin;
            if is_admin && self.store.setting(&PRESENCE_TOLD, Scope::User, user).await?.is_none() {
                self.tell(user, &user_id, &text).await?;
                self.store.set_setting(&PRESENCE_TOLD, Scope::User, user, Some("on")).await?;
            }
        }
        Ok(())
    }

    /// It keeps it: should it do so no longer, that is news.
    async fn take_presence_up(&self) -> Result<(), StoreError> {
        for (user, _) in self.store.user_ids().await? {
            if self.store.setting(&PRESENCE_TOLD, Scope::User, user).await?.is_some() {
                self.store.set_setting(&PRESENCE_TOLD, Scope::User, user, None).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};
    use rstest::rstest;

    fn away(why: &str) -> Shown {
        Shown::Away(Some(why.into()))
    }

    fn person(id: &str, shown: &Shown) -> ShownPerson {
        (id.into(), shown.clone())
    }

    fn named(people: Vec<ShownPerson>, is_in_doubt: bool) -> Named {
        Named { people, is_in_doubt }
    }

    /// Before, who was away when a connection hung stayed so, though another had heard them come back.
    #[test]
    fn a_session_whose_connection_may_be_dead_is_believed_only_where_no_other_sees_somebody() {
        let dead = named(vec![person("@a", &away("lunch")), person("@b", &away("lunch"))], true);
        let people = together(&[dead, named(vec![person("@a", &Shown::Online)], false)], 10);
        assert_eq!(people, HashMap::from([person("@a", &Shown::Online), person("@b", &away("lunch"))]));
    }

    /// Before, a hundred were told of who had lapsed long ago, one in five seconds.
    #[test]
    fn where_there_is_no_time_for_all_fewer_are_shown_until_there_is() {
        let begun = SystemClock.now();
        let mut told = Told::default();
        assert_eq!(told.most(100), 100);
        let round = |told, is_cut_short| Round { begun, told, is_cut_short };
        told.settle(&round(3, true), 100, begun + ROUND);
        assert_eq!(told.most(100), 3);
        // There was time for these, and for no more.
        told.settle(&round(3, false), 100, begun + ROUND / 2);
        assert_eq!(told.most(100), 3);
        for expected in [8, 16, 32, 64, 100, 100] {
            told.settle(&round(0, false), 100, begun);
            assert_eq!(told.most(100), expected);
        }
        told.settle(&round(0, true), 100, begun + ROUND);
        assert_eq!(told.most(100), 0, "nobody");
        told.settle(&round(0, false), 100, begun);
        assert_eq!(told.most(100), SOME_MORE);
    }

    /// Before, one broken ghost kept all behind it from being told of.
    #[test]
    fn of_whom_it_could_not_be_told_the_others_have_their_turn_first() {
        let start = SystemClock.now();
        let mut told = Told::default();
        let people = HashMap::from([person("@a", &Shown::Online), person("@b", &Shown::Online)]);
        told.failed.insert("@a".into(), start);
        assert_eq!(told.due(&people, true, start), [person("@b", &Shown::Online)]);
        assert_eq!(told.due(&people, true, start + STALE).len(), 2);
        told.settle(&Round { begun: start, told: 1, is_cut_short: false }, 100, start + STALE);
        assert!(told.failed.is_empty(), "invariant 9");
    }

    #[test]
    fn what_was_told_is_not_told_again_before_it_goes_stale_and_who_is_named_no_more_is_offline() {
        let start = SystemClock.now();
        let mut told = Told::default();
        let people = HashMap::from([person("@a", &Shown::Online), person("@b", &away("lunch"))]);
        let due = told.due(&people, true, start);
        assert_eq!(due, [person("@a", &Shown::Online), person("@b", &away("lunch"))]);
        due.into_iter().for_each(|one| told.note(one, start));
        assert_eq!(told.due(&people, true, start + STALE / 2), []);
        // What has changed comes before what is only stale.
        let people = HashMap::from([person("@a", &Shown::Online), person("@b", &Shown::Online)]);
        let due = told.due(&people, true, start + STALE);
        assert_eq!(due, [person("@b", &Shown::Online), person("@a", &Shown::Online)]);
        due.into_iter().for_each(|one| told.note(one, start + STALE));
        let people = HashMap::from([person("@b", &Shown::Online)]);
        assert_eq!(told.due(&people, false, start + STALE), [], "a session has not said whom it sees");
        let due = told.due(&people, true, start + STALE);
        assert_eq!(due, [person("@a", &Shown::Offline)]);
        due.into_iter().for_each(|one| told.note(one, start + STALE));
        assert_eq!(told.due(&people, true, start + STALE), []);
    }

    #[rstest]
    #[case::one_knows_that_they_are_away(&[Shown::Online, away("lunch")], away("lunch"))]
    #[case::one_knows_why(&[away("lunch"), Shown::Away(None)], away("lunch"))]
    #[case::all_agree(&[Shown::Online, Shown::Online], Shown::Online)]
    fn whom_several_sessions_see_is_told_of_once_as_the_one_says_who_knows_most(
        #[case] seen: &[Shown],
        #[case] expected: Shown,
    ) {
        let named: Vec<_> = seen.iter().map(|shown| named(vec![person("@a", shown)], false)).collect();
        assert_eq!(together(&named, 10), HashMap::from([person("@a", &expected)]));
    }

    #[test]
    fn invariant_9_of_too_many_each_session_has_those_nearest_to_its_user() {
        let list = |who: &str| {
            named((0..50).map(|n| person(&format!("@{who}{n}"), &Shown::Online)).collect(), false)
        };
        let people = together(&[list("a"), list("b"), Named::default()], 10);
        let mut ids: Vec<&str> = people.keys().map(AsRef::as_ref).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["@a0", "@a1", "@a2", "@a3", "@a4", "@b0", "@b1", "@b2", "@b3", "@b4"]);
    }
}
