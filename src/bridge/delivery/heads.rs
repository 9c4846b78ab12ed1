//! What lanes begin with: a commit that found a room's lane idle has looked at what waits there, and who begins next
//! need not look again.
//!
//! Such a look is as good as one's own only while nobody has delivered anything in that room since before the commit.
//! Runs are counted for that, for several rooms together, so that no room costs memory: where another's ran, the look is
//! not used, and no more comes of it than a look of one's own.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

const SLOTS: usize = 64;

/// The looks of commits, by room.
pub(in crate::bridge) struct Heads<L>(Mutex<State<L>>);

struct State<L> {
    slots: [Slot; SLOTS],
    looks: HashMap<i64, (Quiet, L)>,
}

impl<L> Default for Heads<L> {
    fn default() -> Self {
        Self(Mutex::new(State { slots: [Slot::default(); SLOTS], looks: HashMap::new() }))
    }
}

/// The runs in some of the rooms.
#[derive(Clone, Copy, Default)]
struct Slot {
    begun: u64,
    under_way: u32,
}

/// Nobody delivered anything in a room when so many runs had begun.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge) struct Quiet(u64);

/// A run of a lane, until it is dropped.
pub(super) struct Run<'a, L> {
    heads: &'a Heads<L>,
    room: i64,
    /// What to begin with, where it is known.
    pub(super) look: Option<L>,
}

fn slot_of(room: i64) -> usize {
    room.rem_euclid(SLOTS as i64) as usize
}

impl<L> Heads<L> {
    fn state(&self) -> MutexGuard<'_, State<L>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be asked before a commit: whether nobody delivers anything in a room.
    pub(in crate::bridge) fn quiet(&self, room: i64) -> Option<Quiet> {
        let slot = self.state().slots[slot_of(room)];
        (slot.under_way == 0).then_some(Quiet(slot.begun))
    }

    /// What the commit saw, for the run that is woken next.
    pub(in crate::bridge) fn offer(&self, room: i64, quiet: Quiet, look: L) {
        self.state().looks.insert(room, (quiet, look));
    }

    pub(super) fn begin(&self, room: i64) -> Run<'_, L> {
        let mut state = self.state();
        let offered = state.looks.remove(&room);
        let slot = &mut state.slots[slot_of(room)];
        let is_quiet = |(quiet, _): &(Quiet, L)| slot.under_way == 0 && *quiet == Quiet(slot.begun);
        let look = offered.filter(is_quiet).map(|(_, look)| look);
        slot.begun += 1;
        slot.under_way += 1;
        Run { heads: self, room, look }
    }
}

impl<L> Drop for Run<'_, L> {
    fn drop(&mut self) {
        self.heads.state().slots[slot_of(self.room)].under_way -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the next run in a room begins with.
    fn next(heads: &Heads<&'static str>, room: i64) -> Option<&'static str> {
        heads.begin(room).look.take()
    }

    #[test]
    fn a_look_is_used_once_by_the_run_that_follows_the_commit() {
        let heads = Heads::default();
        let quiet = heads.quiet(7).unwrap();
        heads.offer(7, quiet, "seen");
        assert_eq!(next(&heads, 7), Some("seen"));
        assert_eq!(next(&heads, 7), None);
    }

    #[test]
    fn invariant_1_a_look_from_before_a_delivery_is_not_used() {
        let heads = Heads::default();
        let quiet = heads.quiet(7).unwrap();
        // Somebody else woke the lane between the commit's look and its offer.
        drop(heads.begin(7));
        heads.offer(7, quiet, "seen");
        assert_eq!(next(&heads, 7), None);
    }

    #[test]
    fn invariant_1_nothing_is_offered_while_a_lane_delivers() {
        let heads = Heads::<&str>::default();
        let run = heads.begin(7);
        assert!(heads.quiet(7).is_none());
        drop(run);
        assert!(heads.quiet(7).is_some());
    }

    #[test]
    fn a_newer_look_takes_the_place_of_one_that_nobody_used() {
        let heads = Heads::default();
        let quiet = heads.quiet(7).unwrap();
        heads.offer(7, quiet, "one line");
        heads.offer(7, quiet, "two lines");
        assert_eq!(next(&heads, 7), Some("two lines"));
    }

    #[test]
    fn rooms_that_share_a_slot_cost_each_other_no_more_than_a_look() {
        let heads = Heads::default();
        let (one, other) = (7, 7 + SLOTS as i64);
        let quiet = heads.quiet(one).unwrap();
        heads.offer(one, quiet, "seen");
        drop(heads.begin(other));
        assert_eq!(next(&heads, one), None);
    }
}
