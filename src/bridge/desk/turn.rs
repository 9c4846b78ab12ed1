//! Whose turn it is with a person: the desk's, which deals with one of their events, or that of whoever deletes all that is
//! kept about them. So a command that is under way ends before, and what was typed before is not done after, when it would
//! store anew what was deleted. Likewise a ghost gets its name in one room, with a rank, or in all, one after the other.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::MutexGuard;

/// How often all was deleted that was kept about a person.
type Deletions = tokio::sync::Mutex<u64>;
type Known = Arc<Mutex<HashMap<String, Arc<Deletions>>>>;

/// The people with whom somebody has to do, by their lanes, and those who have somebody else erased just now.
#[derive(Debug, Default)]
pub(in crate::bridge) struct Turns(Known, Arc<Mutex<HashSet<String>>>);

impl Turns {
    /// Somebody has to do with a person from now on.
    pub(in crate::bridge) fn with(&self, lane: &str) -> Turn {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let deletions = Arc::clone(known.entry(lane.to_owned()).or_default());
        Turn { known: Arc::clone(&self.0), lane: lane.to_owned(), deletions }
    }

    /// Somebody is about to wait for the turn with somebody else. `None` where that one does so themselves: two who erase
    /// each other would wait for ever.
    pub(in crate::bridge) fn erase(&self, by: &str, whom: &str) -> Option<Erasing> {
        let mut busy = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        if busy.contains(whom) {
            return None;
        }
        busy.insert(by.to_owned());
        Some(Erasing { busy: Arc::clone(&self.1), by: by.to_owned() })
    }
}

/// Somebody has somebody else erased, until it goes.
#[derive(Debug)]
pub(in crate::bridge) struct Erasing {
    busy: Arc<Mutex<HashSet<String>>>,
    by: String,
}

impl Drop for Erasing {
    fn drop(&mut self) {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.by);
    }
}

/// One of those who have to do with a person. What is known of them goes with the last.
#[derive(Debug)]
pub(in crate::bridge) struct Turn {
    known: Known,
    lane: String,
    deletions: Arc<Deletions>,
}

impl Turn {
    /// Waits for the turn, which ends with what is given back: how often all was deleted so far.
    pub(in crate::bridge) async fn begin(&self) -> MutexGuard<'_, u64> {
        self.deletions.lock().await
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        drop(std::mem::take(&mut self.deletions));
        if known.get(&self.lane).is_some_and(|deletions| Arc::strong_count(deletions) == 1) {
            known.remove(&self.lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_waits_for_the_other_and_nothing_is_known_when_both_are_gone() {
        let turns = Turns::default();
        let (desk, other) = (turns.with("user/@alice"), turns.with("user/@alice"));
        let stranger = turns.with("user/@bob");
        let begun = desk.begin().await;
        assert_eq!(*stranger.begin().await, 0);
        let mut waiting = Box::pin(other.begin());
        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert_eq!(*begun, 0);
        drop(begun);
        *waiting.await += 1;
        drop(other);
        assert_eq!(*desk.begin().await, 1, "whoever is there learns of it");
        drop((desk, stranger));
        assert!(turns.0.lock().unwrap().is_empty());
    }

    #[test]
    fn whoever_erases_somebody_is_not_erased_meanwhile() {
        let turns = Turns::default();
        let first = turns.erase("@alice", "@bob");
        assert!(first.is_some());
        assert!(turns.erase("@bob", "@alice").is_none());
        let second = turns.erase("@bob", "@carol");
        assert!(second.is_some());
        assert!(turns.erase("@carol", "@alice").is_none(), "nor in a circle");
        drop((first, second));
        assert!(turns.erase("@bob", "@alice").is_some());
        assert!(turns.1.lock().unwrap().is_empty());
    }
}
