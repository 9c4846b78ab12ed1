//! What waits for a buffer beyond what is held for it: read past, and read again in its turn.
//!
//! Of such events only the place of the first is kept, whatever their number: all that is new in the room from there up to
//! the cursor waits, for what is done with an event at once (commands, redactions, memberships) is new no longer. So the
//! lane is read to its end however much waits for one buffer, and what takes a message back is seen before that has its
//! turn. A restart reads all of it anew.

use std::collections::VecDeque;

use super::Actor;
use super::waiting::MOST_HELD;
use crate::store::{StoreError, Stretch};

/// Events that are read at once …
const AT_ONCE: i64 = 100;
/// … when no more than this are held, so that all of them can be.
const FEW_ENOUGH: usize = MOST_HELD - 100;

/// Where a buffer's events wait unread.
#[derive(Debug)]
pub(super) struct Behind {
    /// Our number of its room.
    room: i64,
    /// They are after this place in the inbox.
    after: i64,
    /// How many were read past.
    pub(super) events: usize,
}

impl Actor {
    pub(super) fn is_behind(&self, buffer: i64) -> bool {
        self.outbound.behind.contains_key(&buffer)
    }

    /// Leaves an event unread until its turn, and with it all that is said to its buffer after it.
    pub(super) fn fall_behind(&mut self, place: usize, seq: i64) {
        let row = &self.buffers.get(place).row;
        let new = Behind { room: row.room, after: seq - 1, events: 0 };
        self.outbound.behind.entry(row.id).or_insert(new).events += 1;
    }

    /// Leaves all that comes for a buffer unread from now on.
    pub(super) fn read_past(&mut self, place: usize) {
        let row = &self.buffers.get(place).row;
        let new = Behind { room: row.room, after: self.outbound.cursor, events: 0 };
        self.outbound.behind.entry(row.id).or_insert(new);
    }

    /// Goes on reading where there is room again.
    pub(super) async fn read_behind(&mut self) -> Result<(), StoreError> {
        let buffers: Vec<i64> = self.outbound.behind.keys().copied().collect();
        for buffer in buffers {
            while self.outbound.held.get(&buffer).map_or(0, VecDeque::len) <= FEW_ENOUGH {
                // What was done with an event is committed before the next are looked for.
                self.transmit().await?;
                let Some(stretch) = self.stretch(buffer) else { break };
                let events = self.bridge.store.waiting_in(&stretch, AT_ONCE).await?;
                // It is taken out, for these have their turn; there is room for all of them.
                let Some(behind) = self.outbound.behind.remove(&buffer) else { break };
                let Some(last) = events.last() else { break };
                let rest =
                    Behind { after: last.seq, events: behind.events.saturating_sub(events.len()), ..behind };
                for event in events {
                    self.on_inbox(event).await?;
                }
                self.outbound.behind.insert(buffer, rest);
            }
        }
        Ok(())
    }

    /// An event that waits unread was taken back, if it does.
    pub(super) async fn withdraw_behind(&mut self, buffer: i64, event_id: &str) -> Result<(), StoreError> {
        let Some(stretch) = self.stretch(buffer) else { return Ok(()) };
        let Some(seq) = self.bridge.store.place_in(&stretch, event_id).await? else { return Ok(()) };
        // Its edits say nothing more either.
        self.outbound.commit.withdrawn.push(seq);
        if let Some(behind) = self.outbound.behind.get_mut(&buffer) {
            behind.events = behind.events.saturating_sub(1);
        }
        Ok(())
    }

    /// Drops what waits unread for a buffer. Gives the last event, and how many there were.
    pub(super) async fn drop_behind(&mut self, buffer: i64) -> Result<Option<(String, i64)>, StoreError> {
        let Some(stretch) = self.stretch(buffer) else { return Ok(None) };
        let dropped = self.bridge.store.last_waiting_in(&stretch).await?;
        self.outbound.commit.dropped.push(stretch);
        self.outbound.behind.remove(&buffer);
        Ok(dropped)
    }

    /// The part of the inbox in which a buffer's events wait unread.
    fn stretch(&self, buffer: i64) -> Option<Stretch> {
        let Behind { room, after, .. } = *self.outbound.behind.get(&buffer)?;
        Some(Stretch { lane: self.lane.clone(), room, after, to: self.outbound.cursor })
    }
}
