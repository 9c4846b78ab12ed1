//! From which line on somebody is in a room who has no buffer there, since others speak for them: what was said before, a reply
//! of theirs does not repeat on IRC. Whoever comes into a room that shows its history to those who were there could else have
//! any line said to them whose event they can name (as in CVE-2024-32000).
//!
//! By the bridge's own numbers and what it saw, as stays are (`store/history/stays.rs`), and by no clock of anybody's. In
//! memory: after a start nobody is known to have been there before it. When in doubt, somebody has come just now.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// People who are remembered, over all rooms: when there are more, nobody is known to have been anywhere before.
const MOST: usize = 20_000;

#[derive(Debug, Clone, Copy)]
struct Arrival {
    since: i64,
    is_there: bool,
}

#[derive(Debug)]
struct Known {
    /// From here on whoever is not remembered has been where they are.
    since: i64,
    people: HashMap<(Box<str>, Box<str>), Arrival>,
}

/// Since when people are in rooms, by the rooms' and their own Matrix ids.
#[derive(Debug)]
pub(in crate::bridge) struct Arrivals(Mutex<Known>);

impl Arrivals {
    /// Whoever is anywhere now has been there since this line.
    pub(in crate::bridge) fn new(since: i64) -> Self {
        Self(Mutex::new(Known { since, people: HashMap::new() }))
    }

    /// Somebody is in a room by an event, or out of it; `here` is the number of the next line.
    pub(in crate::bridge) fn note(&self, room_id: &str, user_id: &str, is_there: bool, here: i64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.people.len() >= MOST {
            known.people.clear();
            known.since = here;
        }
        let arrival = known.people.entry((room_id.into(), user_id.into()));
        let arrival = arrival.or_insert(Arrival { since: here, is_there });
        if is_there && !arrival.is_there {
            arrival.since = here;
        }
        arrival.is_there = is_there;
    }

    /// The first line that was said while somebody was in a room.
    pub(in crate::bridge) fn since(&self, room_id: &str, user_id: &str) -> i64 {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.people.get(&(room_id.into(), user_id.into())).map_or(known.since, |arrival| arrival.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: &str = "!tea:x";

    #[test]
    fn who_comes_was_not_there_before_and_who_comes_again_was_not_there_in_between() {
        let arrivals = Arrivals::new(10);
        assert_eq!(arrivals.since(ROOM, "@carol:x"), 10);
        arrivals.note(ROOM, "@carol:x", true, 20);
        // Another name is another event of the same kind.
        arrivals.note(ROOM, "@carol:x", true, 30);
        assert_eq!(arrivals.since(ROOM, "@carol:x"), 20);
        arrivals.note(ROOM, "@carol:x", false, 40);
        arrivals.note(ROOM, "@carol:x", true, 50);
        assert_eq!(arrivals.since(ROOM, "@carol:x"), 50);
        assert_eq!((arrivals.since("!den:x", "@carol:x"), arrivals.since(ROOM, "@dave:x")), (10, 10));
    }

    #[test]
    fn invariant_9_so_many_people_are_remembered_and_of_more_nobody_was_there_before() {
        let arrivals = Arrivals::new(10);
        for number in 0..=MOST {
            arrivals.note(ROOM, &format!("@u{number}:x"), true, 20);
        }
        assert!(arrivals.0.lock().unwrap().people.len() <= MOST);
        assert_eq!(arrivals.since(ROOM, "@carol:x"), 20);
    }
}
