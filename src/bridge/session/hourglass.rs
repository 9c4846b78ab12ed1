//! The hourglass: a reaction under a message that waits for more than a moment, gone when the message is settled.
//!
//! That it stands is in the store, and the row that takes it back is committed with the news that the message is
//! settled or before the next start is through: no crash leaves it standing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::content::{self, HOURGLASS};
use super::Actor;
use super::choices::Signs;
use super::outbound::Progress;
use crate::store::{Hourglass, StoreError};

/// How long a message may take before the reaction appears.
const MOMENT: Duration = Duration::from_secs(2);
/// Hourglasses that stand in one room.
const MOST: usize = 20;

impl Actor {
    /// Takes up the hourglasses that the last run left, and removes those of messages that are settled.
    pub(super) async fn take_up_hourglasses(&mut self) -> Result<(), StoreError> {
        for (Hourglass { event_id, txn_id, buffer }, is_open) in
            self.bridge.store.hourglasses(self.row.id).await?
        {
            let event_id: Arc<str> = event_id.into();
            self.outbound.hourglasses.insert((buffer, Arc::clone(&event_id)), txn_id);
            if !is_open {
                self.remove_hourglass(buffer, &event_id);
            }
        }
        Ok(())
    }

    /// When the next hourglass appears.
    pub(super) fn next_hourglass(&self) -> Option<Instant> {
        let waiting = self.outbound.progress.iter();
        let waiting =
            waiting.filter(|(buffer, _)| self.standing(**buffer) < MOST && self.shows_signs(**buffer));
        let first = waiting.filter_map(|(_, events)| events.iter().find(|one| one.lacks_hourglass()));
        first.map(|event| event.since + MOMENT).min()
    }

    /// Turns the hourglasses that are due.
    pub(super) fn turn_hourglasses(&mut self) {
        let now = self.now();
        let buffers: Vec<i64> = self.outbound.progress.keys().copied().collect();
        for buffer in buffers {
            let Some(place) = self.buffers.find_id(buffer).filter(|_| self.shows_signs(buffer)) else {
                continue;
            };
            let row = &self.buffers.get(place).row;
            let room = MOST.saturating_sub(self.standing(buffer));
            let events = self.outbound.progress.get_mut(&buffer).into_iter().flatten();
            let due = events.filter(|event| event.lacks_hourglass() && event.since + MOMENT <= now);
            for event in due.take(room) {
                event.hourglass = true;
                // Two answers about one message may wait.
                let about = (buffer, Arc::clone(&event.about));
                if self.outbound.hourglasses.contains_key(&about) {
                    continue;
                }
                let event_id = event.about.to_string();
                let reaction = content::reaction_row(row.room, &row.creator, &event_id, HOURGLASS);
                let txn_id = reaction.txn_id.clone();
                self.incoming.outbox.push(reaction);
                self.outbound.hourglasses.insert(about, txn_id.clone());
                self.incoming.fates.hourglasses.push(Hourglass { event_id, buffer, txn_id });
            }
        }
    }

    /// A message is settled in a buffer.
    pub(super) fn remove_hourglass(&mut self, buffer: i64, event_id: &Arc<str>) {
        let Some(txn_id) = self.outbound.hourglasses.remove(&(buffer, Arc::clone(event_id))) else { return };
        self.incoming.fates.done.push((buffer, event_id.to_string()));
        if let Some(place) = self.buffers.find_id(buffer) {
            let row = &self.buffers.get(place).row;
            self.incoming.outbox.push(content::unreact_row(row.room, &row.creator, &txn_id));
        }
    }

    fn shows_signs(&self, buffer: i64) -> bool {
        self.manners.choice::<Signs>(buffer) == Signs::Show
    }

    /// How many stand in a buffer's room.
    fn standing(&self, buffer: i64) -> usize {
        self.outbound.hourglasses.keys().filter(|(place, _)| *place == buffer).count()
    }
}

impl Progress {
    fn lacks_hourglass(&self) -> bool {
        self.open > 0 && !self.hourglass
    }
}
