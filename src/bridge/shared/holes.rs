//! Times in which nobody heard what was said in a shared room's channel.
//!
//! A hole begins where the last of those who are there loses the connection, or leaves while others are only
//! disconnected, where one hung before another came, and with a start of the bridge. Who shows the channel next says in
//! the room from when to when nothing was seen. What was said then is not fetched from networks that keep it.
//!
//! In memory; a start finds in the store until when the last was there. That is when their server was last heard, or, while
//! they are back on the network and not in the channel yet, their buffer's gap (`session/gaps.rs`).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::super::Bridge;
use crate::store::StoreError;

/// Two connections hear the same no further apart than this, in milliseconds.
const SAME_TIME: i64 = 2_000;

/// A time in which nothing was seen, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge) struct Hole {
    pub(in crate::bridge) from: i64,
    /// Nothing where it lasts until somebody shows the channel again.
    pub(in crate::bridge) to: Option<i64>,
}

impl Hole {
    /// What nobody heard when one who has heard everything until a time goes, and the next came into the channel then.
    pub(super) fn between(heard_until: Option<i64>, next_came: Option<i64>) -> Option<Self> {
        let from = heard_until?;
        // Both have seen the next one come, at about the same time.
        next_came.is_none_or(|came| came > from + SAME_TIME).then_some(Self { from, to: next_came })
    }
}

/// By the number of the room.
#[derive(Debug, Default)]
pub(super) struct Holes(Mutex<HashMap<i64, Hole>>);

impl Holes {
    /// A hole begins; where there is one that nobody has told of, it goes on.
    pub(super) fn open(&self, room: i64, hole: Hole) {
        let mut holes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = holes.entry(room).or_insert(hole);
        *known = Hole { from: known.from.min(hole.from), to: hole.to };
    }

    /// What is to be told of a room.
    pub(super) fn of(&self, room: i64) -> Option<Hole> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&room).copied()
    }

    /// What is to be told of a room, or need not be told any more.
    pub(super) fn take(&self, room: i64) -> Option<Hole> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&room)
    }
}

impl Bridge {
    /// Nobody was in any shared room's channel while the bridge was not running.
    pub(in crate::bridge) async fn load_holes(&self) -> Result<(), StoreError> {
        for (room, from) in self.store.shared_seen_at().await? {
            self.watches.note_hole(room, Hole { from, to: None });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::nobody_is_left(Some(10), None, Some(Hole { from: 10, to: None }))]
    #[case::the_next_was_there_already(Some(10), Some(5), None)]
    #[case::the_next_came_just_now(Some(10), Some(15), None)]
    #[case::the_next_came_while_it_hung(Some(10), Some(5_000), Some(Hole { from: 10, to: Some(5_000) }))]
    #[case::nothing_was_heard_ever(None, None, None)]
    fn a_hole_is_what_neither_has_heard(
        #[case] heard_until: Option<i64>,
        #[case] next_came: Option<i64>,
        #[case] hole: Option<Hole>,
    ) {
        assert_eq!(Hole::between(heard_until, next_came), hole);
    }

    #[test]
    fn holes_that_follow_each_other_untold_are_one_and_told_once() {
        let holes = Holes::default();
        holes.open(1, Hole { from: 20, to: Some(25) });
        holes.open(1, Hole { from: 30, to: None });
        assert_eq!(holes.take(1), Some(Hole { from: 20, to: None }));
        assert_eq!(holes.take(1), None);
    }
}
