//! Looking back: what people said in their rooms and the homeserver never handed over.
//!
//! A homeserver hands events to application services from memory: what waits there when it restarts is gone, and what
//! it has stored may stay behind for days. So the bridge looks into the rooms themselves: when it starts, when the
//! homeserver answers again after it did not, and every hour, since a short absence may go unnoticed. Each room is read
//! from its end back to the event that was the newest at the last look, and what the inbox does not know goes through
//! it as if it had been handed over, in the order of the timeline. Events are known by their ids, so that whatever the
//! homeserver hands over later changes nothing.
//!
//! It is background work: few rooms at a time, with pauses as long as the homeserver asks for, and no more than a small
//! part of the time. Whether a message is too old to be sent is judged by when it was said.

use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::Value;

use super::Bridge;
use super::ghosts::GhostError;
use crate::matrix::{ClientError, Page};
use crate::store::{NewEvent, RoomToLookThrough, StoreError};

/// Rooms that are looked through at a time.
const ROOMS_AT_ONCE: usize = 4;
/// Events of one page.
const PAGE: usize = 100;
/// Pages of one room: more was hardly missed.
const MOST_PAGES: usize = 10;
/// How far back events are looked for, in milliseconds. Less than they are remembered: what is forgotten would be new.
const FARTHEST: i64 = 60 * 24 * 60 * 60 * 1000;
/// How often a page is asked for before its room is left for the next time.
const ATTEMPTS: u32 = 6;
/// From one look to the next, where nothing tells of an absence.
const HOURLY: Duration = Duration::from_hours(1);
/// The shortest pause after a look, whatever happens.
const SHORTEST_REST: Duration = Duration::from_secs(2);
/// The longest by which a homeserver that comes and goes is left to its other work.
const LONGEST_REST: Duration = Duration::from_mins(1);
/// The least rest after a look, as a multiple of the time it took.
const REST: u32 = 10;

/// What closes a room. One by somebody else is found when the room refuses what we say.
const CLOSING: &str = "m.room.tombstone";
/// What an owner says and does in their room.
const TYPES: [&str; 6] =
    ["m.room.message", "m.room.encrypted", "m.reaction", "m.room.redaction", "m.room.member", CLOSING];

impl Bridge {
    /// Looks back whenever something may have been missed, until the bridge stops.
    pub(super) async fn keep_looking_back(self) {
        let mut rest = SHORTEST_REST;
        loop {
            let began = self.clock.now();
            if let Err(error) = self.look_back().await {
                tracing::warn!(%error, "the rooms can't be looked through now");
            }
            let took = self.clock.now().saturating_duration_since(began);
            tokio::select! {
                () = tokio::time::sleep(rest.max(took * REST).min(HOURLY)) => {}
                () = self.stop.cancelled() => return,
            }
            // Where it was away again meanwhile, it may be so for long.
            let is_steady = tokio::select! {
                biased;
                () = self.client.is_back() => false,
                () = tokio::time::sleep(SHORTEST_REST) => true,
                () = self.stop.cancelled() => return,
            };
            rest = if is_steady { SHORTEST_REST } else { (rest * 2).min(LONGEST_REST) };
            if is_steady {
                tokio::select! {
                    () = self.client.is_back() => {}
                    () = tokio::time::sleep(HOURLY) => {}
                    () = self.stop.cancelled() => return,
                }
            }
        }
    }

    async fn look_back(&self) -> Result<(), StoreError> {
        let rooms = self.store.rooms_to_look_through().await?;
        futures_util::stream::iter(rooms)
            .for_each_concurrent(ROOMS_AT_ONCE, async |room| {
                if self.stop.is_cancelled() {
                    return;
                }
                match self.look_through(&room).await {
                    Ok(()) | Err(GhostError::Store(StoreError::Closed)) => {}
                    // It is looked through when the homeserver is back.
                    Err(error) => tracing::debug!(room = room.id, %error, "a room was not looked through"),
                }
            })
            .await;
        Ok(())
    }

    /// Reads a room back to where it was last looked at, and takes in what was missed.
    async fn look_through(&self, room: &RoomToLookThrough) -> Result<(), GhostError> {
        let now = self.clock.unix_ms();
        let mut view = View::new(room, now);
        let mut missed: Vec<(NewEvent, i64)> = Vec::new();
        let mut from = None;
        for _ in 0..MOST_PAGES {
            let page = self.page(room, from).await?;
            for seen in view.take(page.events) {
                if !self.store.is_known(&seen.event_id).await?
                    && let Some(event) = self.read_event(&seen.event.to_string(), &mut None)
                    && !self.is_of_a_puppet(&event).await?
                {
                    missed.push((event, seen.said_at.max(room.created_at).min(now)));
                }
            }
            from = page.end;
            if view.is_complete || from.is_none() {
                break;
            }
        }
        let Some(newest) = view.newest.filter(|newest| room.looked_at_event.as_ref() != Some(newest)) else {
            return Ok(());
        };
        missed.reverse();
        if !missed.is_empty() {
            tracing::info!(
                room = room.id,
                events = missed.len(),
                "events were found that were never handed over"
            );
        }
        let lanes = self.store.accept_missed(room.id, missed, &newest).await?;
        lanes.iter().for_each(|lane| self.wake_lane(lane));
        Ok(())
    }

    async fn page(&self, room: &RoomToLookThrough, from: Option<String>) -> Result<Page, ClientError> {
        let (looker, people) = (self.looker(&room.creator), [room.owner.as_str()]);
        let mut attempt = 0;
        loop {
            let page = self.client.page_before(looker, &room.room_id, &people, &TYPES, PAGE, from.clone());
            match page.await {
                Err(error) if !error.is_final() && attempt < ATTEMPTS => {
                    if !self.pause_after(&error, attempt).await {
                        return Err(error);
                    }
                }
                result => return result,
            }
            attempt += 1;
        }
    }
}

/// How much of a room was seen. Pure: events in, those that count out.
struct View<'a> {
    room: &'a RoomToLookThrough,
    /// Events before this time are left alone.
    horizon: i64,
    /// The newest event that was seen.
    newest: Option<String>,
    membership_seen: bool,
    /// Nothing further back counts.
    is_complete: bool,
}

/// An event that counts.
#[derive(Debug)]
struct Seen {
    event_id: String,
    event: Value,
    said_at: i64,
}

impl<'a> View<'a> {
    fn new(room: &'a RoomToLookThrough, now: i64) -> Self {
        let horizon = room.created_at.max(now.saturating_sub(FARTHEST));
        Self { room, horizon, newest: None, membership_seen: false, is_complete: false }
    }

    /// Takes a page, newest event first.
    fn take(&mut self, events: Vec<Value>) -> Vec<Seen> {
        let mut counted = Vec::new();
        let mut is_old = !events.is_empty();
        for mut event in events {
            let said_at = event["origin_server_ts"].as_i64().unwrap_or_default();
            is_old &= said_at < self.horizon;
            // PostgreSQL stores no NUL.
            let id = event["event_id"].as_str().filter(|id| !id.contains('\0'));
            let Some(event_id) = id.map(str::to_owned) else { continue };
            if self.room.looked_at_event.as_ref() == Some(&event_id) {
                self.newest.get_or_insert(event_id);
                self.is_complete = true;
                break;
            }
            self.newest.get_or_insert_with(|| event_id.clone());
            if event["sender"] != self.room.owner || said_at < self.horizon {
                continue;
            }
            if event.get("state_key").is_some() && event["type"] != CLOSING {
                // What somebody was in between is over; who they invited asks again.
                let is_own = event["state_key"] == self.room.owner;
                if !is_own || std::mem::replace(&mut self.membership_seen, true) {
                    continue;
                }
            }
            // Some homeservers leave it out where the request names the room.
            event["room_id"] = self.room.room_id.clone().into();
            counted.push(Seen { event_id, event, said_at });
        }
        self.is_complete |= is_old;
        counted
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1000;
    const NOW: i64 = 1_000 * DAY;

    fn room(looked_at: Option<&str>) -> RoomToLookThrough {
        RoomToLookThrough {
            id: 1,
            room_id: "!r:x".into(),
            creator: "@bot:x".into(),
            owner: "@a:x".into(),
            created_at: NOW - 30 * DAY,
            looked_at_event: looked_at.map(str::to_owned),
        }
    }

    fn said(id: &str, days_ago: i64) -> Value {
        json!({ "event_id": id, "sender": "@a:x", "type": "m.room.message", "content": {},
            "origin_server_ts": NOW - days_ago * DAY })
    }

    fn membership(id: &str, whose: &str) -> Value {
        let mut event = said(id, 1);
        event["type"] = "m.room.member".into();
        event["state_key"] = whose.into();
        event
    }

    fn ids(seen: &[Seen]) -> Vec<&str> {
        seen.iter().map(|seen| seen.event_id.as_str()).collect()
    }

    #[test]
    fn what_came_after_the_last_look_counts() {
        let room = room(Some("$3"));
        let mut view = View::new(&room, NOW);
        let seen = view.take(vec![said("$5", 0), said("$4", 0), said("$3", 1), said("$2", 1)]);
        assert_eq!(ids(&seen), ["$5", "$4"]);
        assert_eq!((view.newest.as_deref(), view.is_complete), (Some("$5"), true));
        assert_eq!(seen[0].event["room_id"], "!r:x");
    }

    #[test]
    fn the_first_look_goes_back_to_the_beginning_of_the_room() {
        let room = room(None);
        let mut view = View::new(&room, NOW);
        // Somebody's clock was wrong once.
        assert_eq!(ids(&view.take(vec![said("$3", 1), said("$2", 400), said("$1", 29)])), ["$3", "$1"]);
        assert!(!view.is_complete);
        assert!(view.take(vec![said("$0", 31)]).is_empty());
        assert!(view.is_complete);
    }

    #[test]
    fn what_the_inbox_may_have_forgotten_is_left_alone() {
        let room = RoomToLookThrough { created_at: 0, ..room(None) };
        let mut view = View::new(&room, NOW);
        assert_eq!(ids(&view.take(vec![said("$2", 59), said("$1", 61)])), ["$2"]);
    }

    #[test]
    fn of_memberships_only_the_owners_last_counts() {
        let room = room(None);
        let mut view = View::new(&room, NOW);
        let page = vec![membership("$4", "@b:x"), membership("$3", "@a:x"), said("$2", 1)];
        assert_eq!(ids(&view.take(page)), ["$3", "$2"]);
        assert!(view.take(vec![membership("$1", "@a:x")]).is_empty());
    }

    #[test]
    fn that_the_owner_has_closed_the_room_counts() {
        let room = room(None);
        let mut view = View::new(&room, NOW);
        let mut closing = membership("$2", "");
        closing["type"] = CLOSING.into();
        assert_eq!(ids(&view.take(vec![closing, membership("$1", "@a:x")])), ["$2", "$1"]);
    }

    #[test]
    fn what_is_no_event_of_the_owner_is_nothing() {
        let room = room(None);
        let mut view = View::new(&room, NOW);
        let mut other = said("$1", 1);
        other["sender"] = "@b:x".into();
        assert!(view.take(vec![json!(null), json!({ "event_id": 7 }), json!([]), other]).is_empty());
    }
}
