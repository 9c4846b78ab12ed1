//! The ranks of a channel's operators before their ghosts' names in its room, by the setting `ranks`: `@bob`.
//!
//! It is the name that a ghost has in that one room; powers it never gets any. No nick begins with such a character, so
//! that nobody gives it to themselves. Nothing is done at a line, nor where nobody has set it: a change of ranks wakes the
//! room's lane, which waits a moment, so that what is taken and given again in a storm is nothing, asks the session who
//! has which rank now, and makes the difference to what is stored.
//!
//! It is what the budget of memberships has to spare: one name at a time in all rooms together, and behind whoever comes or
//! goes. A name that changes again and again changes ever more seldom ([`Restless`]).
//!
//! Who is not in the channel just now, as in a netsplit, keeps the name that they have.
//!
//! Invariants 2 (a failed call changes nothing that is stored), 9 (so many names in a room, [`MOST_RANKED`]).

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::delivery::temporary;
use super::ghosts::{Coming, GhostError};
use super::session::{MembersRequest, Ranked};
use super::{Bridge, Request};
use crate::store::{RankedGhost, StoreError};

/// What changes within it and changes back was nothing.
const SETTLE: Duration = Duration::from_secs(2);
/// Names of a room that show a rank.
pub(super) const MOST_RANKED: usize = 200;

/// However busy the homeserver is with members, a name has its turn after so long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Names that change before the session is asked again.
const AT_A_LOOK: usize = 10;
/// While some names wait, others are looked at after no more than this.
const LOOK: Duration = Duration::from_secs(10);

/// So often a name changes without a pause …
const AT_ONCE: u32 = 4;
/// … then after this one, and each further time after twice as long …
const PAUSE: Duration = Duration::from_secs(10);
/// … up to this.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// A name that stayed as it was for so long is like one that never changed.
const CALM: Duration = Duration::from_mins(10);
/// Of more names in a room than this all is forgotten.
const MOST_RESTLESS: usize = 5 * MOST_RANKED;

/// Names of a room that were changed not long ago, by their ghosts: how often in a row, and when last.
#[derive(Debug, Default)]
struct Restless(HashMap<i64, (u32, Instant)>);

impl Restless {
    /// For how long a ghost's name stays as it is.
    fn pause(&self, ghost: i64, now: Instant) -> Duration {
        let Some((changes, last)) = self.0.get(&ghost) else { return Duration::ZERO };
        let Some(further) = changes.checked_sub(AT_ONCE) else { return Duration::ZERO };
        let pause = PAUSE.saturating_mul(2_u32.saturating_pow(further)).min(LONGEST_PAUSE);
        (*last + pause).saturating_duration_since(now)
    }

    fn note(&mut self, ghost: i64, now: Instant) {
        self.0.retain(|_, (_, last)| now.saturating_duration_since(*last) < CALM);
        if self.0.len() >= MOST_RESTLESS {
            self.0.clear();
        }
        let (changes, last) = self.0.entry(ghost).or_insert((0, now));
        (*changes, *last) = (changes.saturating_add(1), now);
    }
}

/// What came of showing a rank.
enum Tried {
    Shown,
    /// Somebody is on their way in or out, or has another name.
    TooEarly,
    /// They are not there, or the bridge stops.
    Impossible,
}

/// Rooms in which names show ranks, or did.
#[derive(Debug, Default)]
pub(super) struct RankedRooms {
    rooms: Mutex<HashMap<i64, Restless>>,
    /// Held while a name is changed.
    one_at_a_time: tokio::sync::Mutex<()>,
}

impl RankedRooms {
    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Restless>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bridge {
    /// The ranks in a room, or who is there, may be others than before.
    pub(super) fn note_ranks(&self, room: i64) {
        self.note_authority(room);
        if self.ranked_rooms.lock().contains_key(&room) {
            self.wake_ranks(room);
        }
    }

    /// Names in this room are to show ranks.
    pub(super) fn want_ranks(&self, room: i64) {
        self.ranked_rooms.lock().entry(room).or_default();
        self.wake_ranks(room);
    }

    /// Takes up what names have shown before.
    pub(super) async fn load_ranks(&self) -> Result<(), StoreError> {
        let rooms = self.store.rooms_with_ranks().await?;
        self.ranked_rooms.lock().extend(rooms.into_iter().map(|room| (room, Restless::default())));
        Ok(())
    }

    fn wake_ranks(&self, room: i64) {
        let bridge = self.clone();
        self.ranks.wake(&self.tasks, &self.stop, room, move |room| bridge.clone().keep_ranks(room));
    }

    async fn keep_ranks(self, room: i64) {
        let (mut attempt, mut wait, mut impossible) = (0, SETTLE, HashSet::new());
        loop {
            if self.stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return;
            }
            let error = match self.try_keep_ranks(room, &mut impossible).await {
                Ok(Some(again)) => {
                    wait = again.clamp(SETTLE, LOOK);
                    if !again.is_zero() {
                        impossible.clear();
                    }
                    continue;
                }
                Ok(None) | Err(GhostError::Store(StoreError::Closed)) => return,
                Err(error) => temporary(error),
            };
            if attempt == 0 {
                tracing::warn!(room, %error, "names can't show their ranks yet");
            }
            if !self.pause_after(&error, attempt).await {
                return;
            }
            (attempt, wait) = (attempt + 1, SETTLE);
        }
    }

    /// When to look again, if need be: somebody is on their way in or out, their name has changed too often, or there are
    /// more. What can't be done is left out the next time.
    async fn try_keep_ranks(
        &self,
        room: i64,
        impossible: &mut HashSet<(i64, Option<String>)>,
    ) -> Result<Option<Duration>, GhostError> {
        let Some(row) = self.store.room(room).await? else {
            self.ranked_rooms.lock().remove(&room);
            return Ok(None);
        };
        let session = row.session.or_else(|| self.watches.observer(room));
        let (Some(room_id), Some(session)) = (&row.room_id, session.and_then(|id| self.session(id))) else {
            return Ok(None);
        };
        let shown = self.store.shown_ranks(room).await?;
        let (answer, answered) = oneshot::channel();
        let nicks = shown.iter().map(|ghost| ghost.folded.clone()).collect();
        let question = MembersRequest::Ranks { room, shown: nicks, answer };
        let asked = session.ask(Request::Members(question)).await;
        let (Ok(_), Ok(ranked)) = (asked, answered.await) else { return Ok(None) };
        let Ranked { is_wanted, ranks, without } = ranked;
        if !is_wanted && shown.is_empty() {
            self.ranked_rooms.lock().remove(&room);
            return Ok(None);
        }
        let network = row.network.as_deref().unwrap_or_default();
        let mut changes: Vec<(RankedGhost, Option<String>)> = Vec::new();
        for (folded, prefix) in ranks {
            let known = shown.iter().find(|ghost| ghost.folded == folded).cloned();
            let ghost = match known {
                Some(ghost) => Some(ghost),
                // Who is not there yet gets it when they are.
                None => self.store.member_named(room, network, &folded).await?,
            };
            let prefix = Some(prefix.to_string());
            changes.extend(ghost.filter(|ghost| ghost.rank != prefix).map(|ghost| (ghost, prefix)));
        }
        let lost = shown.into_iter().filter(|ghost| without.contains(&ghost.folded));
        changes.extend(lost.map(|ghost| (ghost, None)));
        let mut again: Option<Duration> = None;
        let mut shown = 0;
        for (ghost, rank) in changes {
            let change = (ghost.ghost, rank.clone());
            if impossible.contains(&change) {
                continue;
            }
            if shown == AT_A_LOOK {
                // Meanwhile the rest may be otherwise.
                again = Some(Duration::ZERO);
                break;
            }
            let now = self.clock.now();
            let pause = self.ranked_rooms.lock().get(&room).map(|names| names.pause(ghost.ghost, now));
            let pause = pause.unwrap_or_default();
            if pause.is_zero() {
                shown += 1;
                match self.show_rank(room, room_id, &ghost, rank).await? {
                    Tried::Shown => continue,
                    Tried::Impossible => {
                        impossible.insert(change);
                        continue;
                    }
                    Tried::TooEarly => {}
                }
            }
            again = Some(again.map_or(pause, |least| least.min(pause)));
        }
        Ok(again)
    }

    /// Shows a rank, or none, before a ghost's name.
    async fn show_rank(
        &self,
        room: i64,
        room_id: &str,
        ghost: &RankedGhost,
        rank: Option<String>,
    ) -> Result<Tried, GhostError> {
        let _one_at_a_time = self.ranked_rooms.one_at_a_time.lock().await;
        if !self.spare_membership_turn(2, PATIENCE).await || self.stop.is_cancelled() {
            return Ok(Tried::Impossible);
        }
        // Whoever says that a ghost is there brings it there: not while it comes or goes.
        let Some(_standing) = Coming::begin(self, room, &ghost.user_id) else { return Ok(Tried::TooEarly) };
        if self.store.membership(room, ghost.ghost).await? != Some(true) {
            return Ok(Tried::Impossible);
        }
        let _budget = self.membership_budget.acquire().await;
        let user_id = &ghost.user_id;
        // It gets no other name meanwhile, but may have got one while this waited.
        let turn = self.turns.with(user_id);
        let _no_other_name = turn.begin().await;
        let known = self.store.ghost_by_user_id(user_id).await?;
        let Some(name) = known.and_then(|ghost| ghost.display_name) else { return Ok(Tried::Impossible) };
        // With the picture that it has.
        let member = match self.client.state(user_id, room_id, "m.room.member", user_id).await {
            Err(error) if !error.is_final() => return Err(error.into()),
            member => member.ok().flatten(),
        };
        let Some(mut member) = member.filter(|member| member["membership"] == "join") else {
            return Ok(Tried::Impossible);
        };
        member["displayname"] = format!("{}{name}", rank.as_deref().unwrap_or_default()).into();
        match self.client.send_state(user_id, room_id, "m.room.member", user_id, &member).await {
            Ok(_) => {}
            // It is not asked for again until it is another.
            Err(error) if error.is_final() => {
                tracing::debug!(room, ghost = %user_id, %error, "a name can't show its rank");
            }
            Err(error) => return Err(error.into()),
        }
        if let Some(names) = self.ranked_rooms.lock().get_mut(&room) {
            names.note(ghost.ghost, self.clock.now());
        }
        let is_shown = self.store.rank_shown(room, ghost.ghost, rank, &name).await?;
        Ok(if is_shown { Tried::Shown } else { Tried::TooEarly })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};

    #[test]
    fn a_name_that_changes_again_and_again_changes_ever_more_seldom_until_it_has_rested() {
        let start = SystemClock.now();
        let mut names = Restless::default();
        let mut now = start;
        let mut pauses = Vec::new();
        for _ in 0..12 {
            let pause = names.pause(1, now);
            now += pause;
            names.note(1, now);
            pauses.push(pause.as_secs());
        }
        assert_eq!(pauses, [0, 0, 0, 0, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(names.pause(2, now), Duration::ZERO, "others have nothing to do with it");
        now += CALM;
        names.note(2, now);
        assert_eq!(names.pause(1, now), Duration::ZERO);
    }

    #[test]
    fn invariant_9_of_so_many_names_is_known_how_often_they_changed() {
        let now = SystemClock.now();
        let mut names = Restless::default();
        for ghost in 0..5_000 {
            names.note(ghost, now);
        }
        assert!(names.0.len() <= MOST_RESTLESS);
    }
}
