//! Ghosts of those who are in a channel and have not spoken: brought into its room in the background.
//!
//! Who is to come the session says, when it is asked: a few at a time, those of rank first. So nothing is kept of those
//! who wait but the number of their room, and who has left meanwhile never comes. Rooms take turns.
//!
//! All of it, and whatever else is done about memberships in the background, keeps to so many requests per second
//! ([`Pace`], `limits.membership_calls`). What a speaker's own coming costs is counted and never waited for: the
//! background gives way.
//!
//! Not who should be in a room, which is the session's (`session/attendance.rs`). Invariants 8; 9 (a room waits once).

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot};

use super::delivery::temporary;
use super::ghosts::{Coming, GhostError};
use super::session::MembersRequest;
use super::{Bridge, Outcome, Refusal, Request, SessionHandle, StoreError};
use crate::store::RoomRow;

/// How many a session names at a time.
const AT_A_TIME: usize = 8;
/// Rooms that ghosts come into at once.
const WORKERS: usize = 4;
/// Who is refused for now so often comes when they speak.
const MOST_ATTEMPTS: u32 = 8;
/// After a rest so much may be done at once.
const BURST: Duration = Duration::from_secs(1);
/// Whatever speakers cost, the background waits no longer than this for it.
const MOST_DEBT: Duration = Duration::from_secs(5);

/// A session is to say who should come into a room; who it says counts as being there.
pub(super) struct Ask {
    pub(super) room: i64,
    pub(super) most: usize,
    pub(super) answer: oneshot::Sender<Vec<Coming>>,
}

/// The rooms that somebody should come into.
pub(super) struct Usher {
    waiting: Mutex<Waiting>,
    /// One permit for each of them.
    count: Semaphore,
}

#[derive(Default)]
struct Waiting {
    order: VecDeque<i64>,
    known: HashSet<i64>,
}

impl Default for Usher {
    fn default() -> Self {
        Self { waiting: Mutex::default(), count: Semaphore::new(0) }
    }
}

impl Usher {
    fn push(&self, room: i64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.known.insert(room) {
            waiting.order.push_back(room);
            self.count.add_permits(1);
        }
    }

    /// How many rooms wait.
    pub(super) fn len(&self) -> usize {
        self.count.available_permits()
    }

    async fn next(&self) -> Option<i64> {
        self.count.acquire().await.ok()?.forget();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let room = waiting.order.pop_front()?;
        waiting.known.remove(&room);
        Some(room)
    }
}

/// So many requests per second.
pub(super) struct Pace(Mutex<Places>);

struct Places {
    /// From one request to the next.
    each: Duration,
    free_at: Option<Instant>,
}

impl Pace {
    pub(super) fn new(per_second: u32) -> Self {
        Self(Mutex::new(Places { each: each(per_second), free_at: None }))
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many from now on; places that were taken stay where they are.
    pub(super) fn set(&self, per_second: u32) {
        self.lock().each = each(per_second);
    }

    /// Takes the next places, and says how long to wait for the first of them.
    fn take(&self, calls: u32, now: Instant) -> Duration {
        let mut places = self.lock();
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let first = places.free_at.map_or(earliest, |free_at| free_at.max(earliest));
        // The last of them is in time, too.
        let last = first + places.each * calls;
        places.free_at = Some(last);
        last.saturating_duration_since(now)
    }

    /// Takes the next places where nobody waits for them; else says when to ask again.
    fn take_spare(&self, calls: u32, now: Instant) -> Result<(), Duration> {
        let mut places = self.lock();
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let first = places.free_at.map_or(earliest, |free_at| free_at.max(earliest));
        // Where that is more than a second's worth, it takes a second in which nobody asked for any.
        let free_at = first + (places.each * calls).min(BURST);
        if free_at > now {
            return Err(free_at - now);
        }
        places.free_at = Some(first + places.each * calls);
        Ok(())
    }

    /// Counts what was not waited for.
    pub(super) fn count(&self, calls: u32, now: Instant) {
        self.take(calls, now);
        let mut places = self.lock();
        places.free_at = places.free_at.map(|free_at| free_at.min(now + MOST_DEBT));
    }
}

fn each(per_second: u32) -> Duration {
    Duration::from_secs(1) / per_second.max(1)
}

impl Bridge {
    /// There may be somebody who should come into this room.
    pub(super) fn usher_in(&self, room: i64) {
        self.usher.push(room);
    }

    /// Begins to bring people in.
    pub(super) fn start_ushers(&self) {
        for _ in 0..WORKERS {
            let bridge = self.clone();
            self.tasks.spawn(async move {
                // What is under way when the bridge stops is done first: that somebody is there is to be stored.
                while let Some(Some(room)) = bridge.stop.run_until_cancelled(bridge.usher.next()).await {
                    if let Err(error) = bridge.bring_some_in(room).await {
                        tracing::warn!(room, %error, "a channel's members do not come in yet");
                    }
                }
            });
        }
    }

    /// Waits until so many requests about memberships may be made in the background; `false` when the bridge stops
    /// before.
    pub(super) async fn membership_turn(&self, calls: u32) -> bool {
        let wait = self.pace.take(calls, self.clock.now());
        wait.is_zero() || self.stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_some()
    }

    /// As [`Self::membership_turn`], behind everybody else: only when nobody waits for it, or after so much time.
    pub(super) async fn spare_membership_turn(&self, calls: u32, patience: Duration) -> bool {
        let begun = self.clock.now();
        while let Err(wait) = self.pace.take_spare(calls, self.clock.now()) {
            if self.clock.now().saturating_duration_since(begun) >= patience {
                return self.membership_turn(calls).await;
            }
            if self.stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return false;
            }
        }
        true
    }

    /// Makes the members of a channel's room those of the channel: first by who is there, then by who should be.
    pub async fn sync_members(&self, session: &SessionHandle, name: String) -> Outcome {
        let (answer, found) = oneshot::channel();
        session.ask(Request::Members(MembersRequest::Find { name, room: answer })).await?;
        let room = found.await.map_err(|_| Refusal::Stopping)?;
        let row = self.store.room(room).await?;
        if let Some(room_id) = row.and_then(|row| row.room_id) {
            let joined = self.client.joined_members(self.client.bot(), &room_id).await;
            let joined = joined.map_err(|error| {
                Refusal::asked(format!("The homeserver does not say who is in the room: {error}."))
            })?;
            for user_id in self.store.take_stock(room, joined).await? {
                self.ghosts.forget(room, &user_id);
            }
        }
        session.ask(Request::Members(MembersRequest::Sync { room })).await
    }

    async fn bring_some_in(&self, room: i64) -> Result<(), StoreError> {
        let Some(row) = self.store.room(room).await? else { return Ok(()) };
        // A room that is yet to be made asks for this itself.
        let session = row.session.or_else(|| self.watches.observer(room));
        let (Some(room_id), Some(session)) = (&row.room_id, session.and_then(|id| self.session(id))) else {
            return Ok(());
        };
        let Some(coming) = session.ask_who_comes(room, AT_A_TIME).await else { return Ok(()) };
        if coming.len() == AT_A_TIME {
            // For whoever has time, and behind other rooms.
            self.usher_in(room);
        }
        for one in coming {
            self.bring_one_in(&row, room_id, one).await?;
        }
        Ok(())
    }

    async fn bring_one_in(&self, room: &RoomRow, room_id: &str, coming: Coming) -> Result<(), StoreError> {
        let mut attempt = 0;
        loop {
            let error = match self.try_bring_in(room, room_id, &coming).await {
                Ok(()) => return Ok(()),
                Err(GhostError::Store(error)) => return Err(error),
                Err(error) => temporary(error),
            };
            attempt += 1;
            if error.is_final() || attempt == MOST_ATTEMPTS {
                tracing::debug!(room = room.id, ghost = coming.user_id(), %error, "somebody comes when they speak");
                return Ok(());
            }
            if !self.pause_after(&error, attempt).await {
                return Ok(());
            }
        }
    }

    async fn try_bring_in(&self, room: &RoomRow, room_id: &str, coming: &Coming) -> Result<(), GhostError> {
        let Some(ghost) = self.store.ghost_by_user_id(coming.user_id()).await? else { return Ok(()) };
        if !self.membership_turn(self.calls_to_enter(room, &ghost)).await {
            return Ok(());
        }
        // They may have left meanwhile.
        if self.store.membership(room.id, ghost.id).await? == Some(false) {
            return Ok(());
        }
        let _turn = self.ghost_turn(room.is_plumbed(), room_id, coming.user_id()).await;
        self.let_in(room, room_id, &ghost).await?;
        self.store.member_joined(room.id, ghost.id, None).await?;
        self.note_ranks(room.id);
        self.note_ghost_came();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
    fn now() -> Instant {
        Instant::now()
    }

    #[test]
    fn invariant_8_the_background_keeps_to_its_requests_per_second() {
        let (pace, now) = (Pace::new(20), now());
        let waits: Vec<u128> = (0..30).map(|_| pace.take(1, now).as_millis()).collect();
        assert!(waits[..20].iter().all(|wait| *wait == 0), "a second's worth at once: {waits:?}");
        assert_eq!(waits[20..23], [50, 100, 150]);
        assert_eq!(pace.take(10, now).as_millis(), 1_000);
        let later = now + Duration::from_mins(1);
        assert_eq!(pace.take(20, later).as_millis(), 0);
        assert_eq!(pace.take(1, later).as_millis(), 50);
        pace.set(2);
        assert_eq!(pace.take(1, later).as_millis(), 550);
    }

    #[test]
    fn invariant_8_the_background_gives_way_to_speakers_and_not_for_ever() {
        let (pace, now) = (Pace::new(20), now());
        pace.count(40, now);
        assert_eq!(pace.take(1, now).as_millis(), 1_050);
        pace.count(100_000, now);
        assert_eq!(pace.take(1, now).as_millis(), 5_050);
    }

    #[test]
    fn what_can_wait_takes_only_places_that_nobody_waits_for() {
        let (pace, now) = (Pace::new(20), now());
        assert_eq!(pace.take_spare(20, now), Ok(()), "a second's worth at once");
        assert_eq!(pace.take_spare(2, now), Err(Duration::from_millis(100)));
        // What could not be had is not taken.
        assert_eq!(pace.take(1, now).as_millis(), 50);
        let later = now + Duration::from_millis(50);
        assert_eq!(pace.take_spare(1, later), Err(Duration::from_millis(50)));
        assert_eq!(pace.take_spare(1, later + Duration::from_millis(50)), Ok(()));
        let (slow, later) = (Pace::new(1), later + Duration::from_mins(1));
        assert_eq!(slow.take_spare(2, later), Ok(()));
        assert_eq!(slow.take_spare(2, later), Err(Duration::from_secs(2)));
    }

    #[tokio::test]
    async fn invariant_9_a_room_waits_once_and_rooms_take_turns() {
        let usher = Usher::default();
        for room in [1, 2, 1, 1, 2] {
            usher.push(room);
        }
        assert_eq!(usher.next().await, Some(1));
        usher.push(1);
        assert_eq!((usher.next().await, usher.next().await), (Some(2), Some(1)));
        assert_eq!((usher.count.available_permits(), usher.waiting.lock().unwrap().known.len()), (0, 0));
    }
}
