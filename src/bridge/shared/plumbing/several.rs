//! Rooms that show several channels: which those are, and what is told there once for all of them.
//!
//! An event has a copy for each channel, and each goes its own way. What would be said of it in the same words for each is
//! said by the first that comes to it, which is remembered for a while; after a restart in between it may be said once more.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{MutexGuard, PoisonError};

use super::super::super::Bridge;
use super::Plumber;
use crate::store::{RoomRow, StoreError};

/// So many answers are remembered.
const REMEMBERED: usize = 1000;

/// What is told of an event once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::bridge) enum Once {
    /// That a command is not taken there.
    Command,
    /// That it can't go to IRC.
    Refused,
    /// That its sender is in none of the channels any more.
    Left,
    /// Nothing: it is taken back, since it may hold a password.
    Password,
}

/// Which row of its room has answered an event.
#[derive(Debug, Default)]
pub(super) struct Answered {
    by: HashMap<(String, Once), i64>,
    order: VecDeque<(String, Once)>,
}

impl Answered {
    fn admit(&mut self, room: i64, event_id: &str, once: Once) -> bool {
        let key = (event_id.to_owned(), once);
        if let Some(by) = self.by.get(&key) {
            // What failed to be stored is done again.
            return *by == room;
        }
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.by.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.by.insert(key, room);
        true
    }
}

impl Plumber {
    fn several(&self) -> MutexGuard<'_, HashSet<i64>> {
        self.several.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bridge {
    /// Knows which rooms show several channels. One at a time: whoever looks last has seen what is stored last.
    pub(in crate::bridge) async fn note_several(&self) -> Result<(), StoreError> {
        let _turn = self.plumber.noting.lock().await;
        let several: HashSet<i64> = self.store.rows_of_several().await?.into_iter().collect();
        let before = std::mem::replace(&mut *self.plumber.several(), several.clone());
        // Names show ranks only in rooms that show one channel.
        several.difference(&before).for_each(|room| self.note_ranks(*room));
        for room in before.difference(&several) {
            if self.store.room(*room).await?.is_some_and(|room| room.is_plumbed()) {
                self.want_ranks(*room);
            }
        }
        Ok(())
    }

    /// Whether a room shows other channels besides that of this row, as far as wording needs to know.
    pub(in crate::bridge) fn shows_several(&self, room: i64) -> bool {
        self.plumber.several().contains(&room)
    }

    /// The channels that the room with this Matrix id shows, each by its row.
    pub(in crate::bridge) async fn shown_in(&self, room_id: &str) -> Result<Vec<RoomRow>, StoreError> {
        let mut rooms = self.store.rooms_by_matrix_id(room_id).await?;
        rooms.retain(|room| room.is_plumbed() && !room.is_ending());
        Ok(rooms)
    }

    /// Whether a row of a room is to tell this of an event: no other one does.
    pub(in crate::bridge) fn tells(&self, room: i64, event_id: &str, once: Once) -> bool {
        let mut answered = self.plumber.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.admit(room, event_id, once)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_row_answers_and_may_do_so_again_and_not_all_is_remembered() {
        let mut answered = Answered::default();
        let steps = [(1, "$a", true), (2, "$a", false), (1, "$a", true), (2, "$b", true), (1, "$b", false)];
        for (room, event, is_told) in steps {
            assert_eq!(answered.admit(room, event, Once::Command), is_told, "{event} by {room}");
        }
        assert!(answered.admit(2, "$a", Once::Refused), "that is something else");
        for number in 0..REMEMBERED {
            answered.admit(1, &format!("${number}"), Once::Command);
        }
        assert_eq!((answered.by.len(), answered.order.len()), (REMEMBERED, REMEMBERED));
        assert!(answered.admit(2, "$a", Once::Command), "it is forgotten");
    }
}
