//! The inbox: events from the homeserver, stored before they are acknowledged, read by the lane that they belong to.
//!
//! A lane is one owner's queue: `session/7`, `user/3`. Events are known by their id for 90 days, so that a repeated
//! transaction, however it is numbered, changes nothing. Where a room shows several channels, each gets a copy of an event,
//! all in the commit that accepts it.

use std::collections::HashMap;

use sqlx::FromRow;

use super::pool::{Tx, execute, first_in, later, on, on_apart, on_tx};
use super::{Store, StoreError};

/// Where an event of a room that we don't know waits.
pub const STRAY: &str = "stray";
/// The lane of a shared room: what is said there waits in the lane of the session of who said it, or in their own.
pub const SHARED: &str = "shared";

/// The lane of what is said in a shared room by those who have no session there, where one says it for them.
pub fn relay_lane(room: i64) -> String {
    format!("relay/{room}")
}

/// An event as it arrives.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its id, which makes it unique.
    pub event_id: String,
    /// Its room, by which the lane is found …
    pub room_id: String,
    /// … unless it is known already, as for an invitation …
    pub lane: Option<String>,
    /// … or many are in the room: then by whom it is about.
    pub person: String,
    /// Whether it is said, and no state of its room.
    pub is_said: bool,
    /// Its JSON.
    pub json: String,
    /// When it was said, in milliseconds since 1970, as its homeserver tells.
    pub said_at: Option<i64>,
}

/// An event that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxEvent {
    /// Its place in the order of commits.
    pub seq: i64,
    /// Its id.
    pub event_id: String,
    /// The number of the row of its room that it is for; 0 where that was not known.
    pub room: i64,
    /// Its JSON.
    pub json: String,
    /// Since when it waits, in milliseconds since 1970: the homeserver may have kept it for long.
    pub received_at: i64,
}

/// What waits in a lane for one room, in a part of the order.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// The lane.
    pub lane: String,
    /// Our number of the room.
    pub room: i64,
    /// It begins after this place …
    pub after: i64,
    /// … and ends with this one.
    pub to: i64,
}

#[derive(FromRow)]
struct Row {
    seq: i64,
    event_id: String,
    room: i64,
    payload: Vec<u8>,
    received_at: i64,
}

/// An event that goes to another lane.
#[derive(FromRow)]
struct Taken {
    event_id: String,
    room: i64,
    room_id: String,
    payload: Vec<u8>,
    received_at: i64,
    person: Option<String>,
}

/// How far an event's own time is believed, in milliseconds: enough to know what waited too long.
const BELIEVED: i64 = 24 * 60 * 60 * 1000;

/// Since when an event waits that is accepted now.
fn waits_since(event: &NewEvent, now: i64) -> i64 {
    event.said_at.map_or(now, |said_at| said_at.clamp(now.saturating_sub(BELIEVED), now))
}

pub(super) fn row_name(event_id: &str) -> String {
    format!("inbox:{event_id}")
}

impl Store {
    /// Stores a transaction's events in one commit, in their order, and returns their lanes: also of events that were
    /// stored before, since the answer to that commit may have been lost and nobody woken.
    pub async fn accept(&self, events: Vec<NewEvent>, now: i64) -> Result<Vec<String>, StoreError> {
        let sealed: Vec<_> = events.into_iter().map(|event| self.seal_event(event)).collect();
        self.write(move |tx| {
            Box::pin(async move {
                let mut lanes = Lanes::default();
                for event in sealed {
                    let since = waits_since(&event.0, now);
                    insert(tx, event, since, &mut lanes).await?;
                }
                Ok(lanes.found)
            })
        })
        .await
    }

    pub(super) fn seal_event(&self, event: NewEvent) -> (NewEvent, Vec<u8>) {
        let payload = self.sealer().seal(event.json.as_bytes(), &row_name(&event.event_id));
        (event, payload)
    }

    /// The next events of a lane, after a place in the order. One whose payload does not open is poison: it is set
    /// aside, and stops nothing behind it.
    pub async fn waiting_events(
        &self,
        lane: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<InboxEvent>, StoreError> {
        const SQL: &str = "SELECT seq, event_id, room, payload, received_at FROM inbox
            WHERE lane = $1 AND state = 'new' AND seq > $2 ORDER BY seq LIMIT $3";
        loop {
            let rows: Vec<Row> = on!(self.readers(), |p| sqlx::query_as(SQL)
                .bind(lane)
                .bind(after)
                .bind(limit)
                .fetch_all(p)
                .await)?;
            if let Some(events) = self.open_events(rows).await? {
                return Ok(events);
            }
        }
    }

    /// The first events of a stretch; poison is set aside as above.
    pub async fn waiting_in(&self, stretch: &Stretch, limit: i64) -> Result<Vec<InboxEvent>, StoreError> {
        const SQL: &str = "SELECT seq, event_id, room, payload, received_at FROM inbox
            WHERE lane = $1 AND state = 'new' AND seq > $2 AND seq <= $3
                AND room IN (0, $4) AND room_id = (SELECT room_id FROM room WHERE id = $4)
            ORDER BY seq LIMIT $5";
        loop {
            let rows: Vec<Row> = on!(self.readers(), |p| sqlx::query_as(SQL)
                .bind(&stretch.lane)
                .bind(stretch.after)
                .bind(stretch.to)
                .bind(stretch.room)
                .bind(limit)
                .fetch_all(p)
                .await)?;
            if let Some(events) = self.open_events(rows).await? {
                return Ok(events);
            }
        }
    }

    /// The id of a stretch's last event, and how many there are; nothing where there is none.
    pub async fn last_waiting_in(&self, stretch: &Stretch) -> Result<Option<(String, i64)>, StoreError> {
        const SQL: &str = "SELECT event_id, COUNT(*) OVER () FROM inbox
            WHERE lane = $1 AND state = 'new' AND seq > $2 AND seq <= $3
                AND room IN (0, $4) AND room_id = (SELECT room_id FROM room WHERE id = $4)
            ORDER BY seq DESC LIMIT 1";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL)
            .bind(&stretch.lane)
            .bind(stretch.after)
            .bind(stretch.to)
            .bind(stretch.room)
            .fetch_optional(p)
            .await)?)
    }

    /// The place of an event, if it waits in this stretch.
    pub async fn place_in(&self, stretch: &Stretch, event_id: &str) -> Result<Option<i64>, StoreError> {
        const SQL: &str = "SELECT seq FROM inbox
            WHERE event_id = $1 AND lane = $2 AND state = 'new' AND seq > $3 AND seq <= $4
                AND room IN (0, $5) AND room_id = (SELECT room_id FROM room WHERE id = $5)";
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL)
            .bind(event_id)
            .bind(&stretch.lane)
            .bind(stretch.after)
            .bind(stretch.to)
            .bind(stretch.room)
            .fetch_optional(p)
            .await)?)
    }

    /// What events say; nothing where there were some and none of them opens, which is not the end of the lane.
    async fn open_events(&self, rows: Vec<Row>) -> Result<Option<Vec<InboxEvent>>, StoreError> {
        let (read, mut events) = (rows.len(), Vec::with_capacity(rows.len()));
        for Row { seq, event_id, room, payload, received_at } in rows {
            match self.sealer().open_text(&payload, &row_name(&event_id)) {
                Ok(json) => events.push(InboxEvent { seq, event_id, room, json, received_at }),
                Err(error) => {
                    tracing::error!(event = %event_id, %error, "an event is set aside");
                    self.finish_event(seq, Some(&error.to_string())).await?;
                }
            }
        }
        Ok((read == 0 || !events.is_empty()).then_some(events))
    }

    /// The lanes in which something waits.
    pub async fn waiting_lanes(&self) -> Result<Vec<String>, StoreError> {
        const SQL: &str = "SELECT DISTINCT lane FROM inbox WHERE state = 'new'";
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).fetch_all(p).await)?)
    }

    /// Marks an event as done, or as failed with the reason, and erases its payload.
    pub async fn finish_event(&self, seq: i64, failure: Option<&str>) -> Result<(), StoreError> {
        let (failure, failed) = (failure.map(str::to_owned), failure.is_some());
        self.write(move |tx| Box::pin(async move { finish(tx, seq, failure.as_deref()).await })).await?;
        self.tally().events_set_aside.add(failed.into());
        Ok(())
    }

    /// What an event asks for was begun: whoever reads it again after a start finds it so.
    pub async fn begin_event(&self, seq: i64) -> Result<(), StoreError> {
        self.write(move |tx| Box::pin(async move { begin(tx, seq).await })).await
    }

    /// Whether it was.
    pub async fn is_begun(&self, seq: i64) -> Result<bool, StoreError> {
        const SQL: &str =
            "SELECT EXISTS (SELECT 1 FROM inbox WHERE seq = $1 AND state = 'new' AND note = $2)";
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(seq).bind(BEGUN).fetch_one(p).await)?)
    }

    /// How many events wait and how many were set aside.
    pub async fn event_counts(&self) -> Result<(i64, i64), StoreError> {
        // In words, for an index of those that are new.
        const NEW: &str = "SELECT COUNT(*) FROM inbox WHERE state = 'new'";
        const FAILED: &str = "SELECT COUNT(*) FROM inbox WHERE state = 'failed'";
        let count = async |sql: &'static str| -> Result<i64, StoreError> {
            Ok(on_apart!(self.readers(), |p| sqlx::query_scalar(sql).fetch_one(p))?)
        };
        Ok((count(NEW).await?, count(FAILED).await?))
    }

    /// Gives an event to another lane, behind everything that is there.
    pub async fn move_event(&self, seq: i64, lane: &str) -> Result<(), StoreError> {
        let lane = lane.to_owned();
        self.write(move |tx| Box::pin(async move { put_last(tx, seq, &lane).await })).await
    }

    /// Gives an event to another lane, behind everything that is there, with this JSON from now on.
    pub async fn rewrite_event(&self, stored: &InboxEvent, lane: &str, json: &str) -> Result<(), StoreError> {
        const PAYLOAD: &str = "UPDATE inbox SET payload = $2 WHERE seq = $1 AND state = 'new'";
        let payload = self.sealer().seal(json.as_bytes(), &row_name(&stored.event_id));
        let (seq, lane) = (stored.seq, lane.to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, PAYLOAD, seq, payload)?;
                put_last(tx, seq, &lane).await
            })
        })
        .await
    }

    /// Forgets what was settled before a time, a bounded number of rows at once; returns whether more may be left.
    pub async fn prune(&self, before: i64) -> Result<bool, StoreError> {
        const BATCH: i64 = 500;
        const INBOX: &str = "DELETE FROM inbox WHERE seq IN
            (SELECT seq FROM inbox WHERE state <> 'new' AND received_at < $1 ORDER BY received_at LIMIT $2)";
        const OUTBOX: &str = "DELETE FROM outbox WHERE seq IN
            (SELECT seq FROM outbox WHERE state <> 'queued' AND created_at < $1 ORDER BY created_at LIMIT $2)";
        const LINES: &str = "DELETE FROM irc_line WHERE id IN
            (SELECT id FROM irc_line WHERE state NOT IN ('queued', 'sending') AND created_at < $1 ORDER BY id LIMIT $2)";
        const PROMPTS: &str = "DELETE FROM prompt WHERE id IN
            (SELECT id FROM prompt WHERE state <> 'open' AND created_at < $1 ORDER BY id LIMIT $2)";
        const REACTIONS: &str = "DELETE FROM reaction WHERE id IN
            (SELECT id FROM reaction WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
        self.write(move |tx| {
            Box::pin(async move {
                let mut more = false;
                for sql in [INBOX, OUTBOX, LINES, PROMPTS, REACTIONS] {
                    let gone = execute!(tx, sql, before, BATCH)?;
                    more |= gone == BATCH as u64;
                }
                Ok(more)
            })
        })
        .await
    }
}

/// The lanes of events that are stored together.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// Each once, in the order in which they came.
    pub(super) found: Vec<String>,
    of_rooms: HashMap<String, Known>,
}

/// What is known of a Matrix room.
#[derive(Debug, Clone)]
struct Known {
    lane: String,
    /// Its rows, the first first; several where it shows several channels, and none where nobody knows it.
    rows: Vec<i64>,
}

impl Lanes {
    /// The lane of an event for each row of its room, noted with the others; and whose it is, where the lane does not say so.
    async fn of<'e>(
        &mut self,
        tx: &mut Tx,
        event: &'e NewEvent,
    ) -> Result<Vec<(i64, String, Option<&'e str>)>, StoreError> {
        let known = match (&event.lane, self.of_rooms.get(&event.room_id)) {
            (Some(lane), _) => Known { lane: lane.clone(), rows: Vec::new() },
            (None, Some(known)) => known.clone(),
            (None, None) => {
                let known = known(tx, &event.room_id).await?;
                self.of_rooms.insert(event.room_id.clone(), known.clone());
                known
            }
        };
        let is_shared = known.lane == SHARED;
        let mut lanes = Vec::with_capacity(known.rows.len().max(1));
        if known.rows.is_empty() {
            lanes.push((0, known.lane.clone(), None));
        }
        for room in known.rows {
            let lane =
                if is_shared { lane_in_shared_room(tx, event, room).await? } else { known.lane.clone() };
            let person = (is_shared && !lane.starts_with("session/")).then_some(&*event.person);
            lanes.push((room, lane, person));
        }
        for (_, lane, _) in &lanes {
            if !self.found.contains(lane) {
                self.found.push(lane.clone());
            }
        }
        Ok(lanes)
    }
}

async fn known(tx: &mut Tx, room_id: &str) -> Result<Known, StoreError> {
    const FIRST: &str =
        "SELECT MIN(lane), MIN(id), COUNT(*) FROM room WHERE room_id = $1 HAVING COUNT(*) > 0";
    const ALL: &str = "SELECT id FROM room WHERE room_id = $1 ORDER BY id";
    let first: Option<(String, i64, i64)> = first_in!(tx, FIRST, room_id)?;
    Ok(match first {
        None => Known { lane: STRAY.to_owned(), rows: Vec::new() },
        Some((lane, room, 1)) => Known { lane, rows: vec![room] },
        // Only rooms that show channels have several, and those wait where all shared rooms do.
        Some((lane, ..)) => {
            let rows = on_tx!(tx, |c| sqlx::query_scalar(ALL).bind(room_id).fetch_all(c).await)?;
            Known { lane, rows }
        }
    })
}

/// The lane of an event in a shared room: the session's where who it is about has the channel; else the room's, where
/// another session says for them what they say; else their own.
async fn lane_in_shared_room(tx: &mut Tx, event: &NewEvent, room: i64) -> Result<String, StoreError> {
    const SQL: &str = r#"SELECT buffer.session FROM link JOIN buffer ON buffer.id = link.buffer
        JOIN session ON session.id = buffer.session JOIN "user" ON "user".id = session."user"
        WHERE link.room = $1 AND link.role = 'shared' AND NOT link.relays AND NOT link.listens
            AND "user".user_id = $2"#;
    const RELAYED: &str = "SELECT room FROM link WHERE room = $1 AND relays";
    let session: Option<(i64,)> = first_in!(tx, SQL, room, &event.person)?;
    if let Some((session,)) = session {
        return Ok(format!("session/{session}"));
    }
    let relayed: Option<(i64,)> = if event.is_said { first_in!(tx, RELAYED, room)? } else { None };
    Ok(relayed.map_or_else(|| format!("user/{}", event.person), |(room,)| relay_lane(room)))
}

/// Stores an event unless it is known, and notes its lane.
pub(super) async fn insert(
    tx: &mut Tx,
    (event, payload): (NewEvent, Vec<u8>),
    received_at: i64,
    lanes: &mut Lanes,
) -> Result<(), StoreError> {
    // Whatever its room was when it came first: known, or one that showed fewer channels.
    const UNKNOWN: &str =
        "INSERT INTO inbox (event_id, room, room_id, lane, state, payload, received_at, person)
        SELECT $1, $2, $3, $4, 'new', $5, $6, $7 WHERE NOT EXISTS (SELECT 1 FROM inbox WHERE event_id = $1)";
    const COPY: &str =
        "INSERT INTO inbox (event_id, room, room_id, lane, state, payload, received_at, person)
        VALUES ($1, $2, $3, $4, 'new', $5, $6, $7)";
    let NewEvent { event_id, room_id, .. } = &event;
    let lanes = lanes.of(tx, &event).await?;
    let (Some((room, lane, person)), copies) = (lanes.first(), lanes.get(1..).unwrap_or_default()) else {
        return Ok(());
    };
    let person = person.map(str::to_owned);
    if copies.is_empty() {
        later!(tx, UNKNOWN, event_id, room, room_id, lane, payload, received_at, person)?;
    } else if execute!(tx, UNKNOWN, event_id, room, room_id, lane, &payload, received_at, person)? > 0 {
        for (room, lane, person) in copies {
            let person = person.map(str::to_owned);
            later!(tx, COPY, event_id, room, room_id, lane, &payload, received_at, person)?;
        }
    }
    Ok(())
}

/// Gives a room's stray events to the lane that it has now, in the transaction that makes the room known. They get
/// new places in the order: whoever reads the lane may have read on beyond the old ones. Whatever came before this
/// commit was stray and is moved by it, whatever comes after goes to the lane by itself, so that the order holds.
pub(super) async fn claim_strays(tx: &mut Tx, room_id: &str, lane: &str) -> Result<(), StoreError> {
    const FIND: &str =
        "SELECT seq FROM inbox WHERE room_id = $1 AND state = 'new' AND lane = 'stray' ORDER BY seq";
    const ROWS: &str = "SELECT id FROM room WHERE room_id = $1 ORDER BY id";
    let strays: Vec<i64> = on_tx!(tx, |c| sqlx::query_scalar(FIND).bind(room_id).fetch_all(c).await)?;
    if strays.is_empty() {
        return Ok(());
    }
    let rows: Vec<i64> = on_tx!(tx, |c| sqlx::query_scalar(ROWS).bind(room_id).fetch_all(c).await)?;
    for seq in strays {
        put_last_for(tx, seq, lane, &rows).await?;
    }
    Ok(())
}

/// A room shows a channel by this row from now on: what waits there for the channel, which the room has shown before, is
/// for that. It was said when the room did show it.
pub(super) async fn readdress(tx: &mut Tx, room: i64, room_id: &str, channel: i64) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE inbox SET room = $1 WHERE state = 'new' AND room_id = $2
        AND room IN (SELECT id FROM room WHERE former = $3 AND room_id IS NULL)
        AND NOT EXISTS (SELECT 1 FROM inbox AS other WHERE other.event_id = inbox.event_id AND other.room = $1)";
    later!(tx, SQL, room, room_id, channel)?;
    Ok(())
}

/// Gives what waits in one lane for a room to another lane, behind everything that is there.
pub(super) async fn move_said(tx: &mut Tx, room: i64, from: &str, to: &str) -> Result<(), StoreError> {
    const FIND: &str = "SELECT seq FROM inbox WHERE lane = $1 AND state = 'new'
        AND room IN (0, $2) AND room_id = (SELECT room_id FROM room WHERE id = $2) ORDER BY seq";
    let said: Vec<i64> = on_tx!(tx, |c| sqlx::query_scalar(FIND).bind(from).bind(room).fetch_all(c).await)?;
    for seq in said {
        put_last(tx, seq, to).await?;
    }
    Ok(())
}

/// Puts an event that waits into a lane, with a new place in the order. One that no longer waits stays as it is.
async fn put_last(tx: &mut Tx, seq: i64, lane: &str) -> Result<(), StoreError> {
    put_last_for(tx, seq, lane, &[]).await
}

/// The same, with a copy for each of these rows of its room; without any it is for the one that it was for.
async fn put_last_for(tx: &mut Tx, seq: i64, lane: &str, rows: &[i64]) -> Result<(), StoreError> {
    const TAKE: &str = "DELETE FROM inbox WHERE seq = $1 AND state = 'new'
        RETURNING event_id, room, room_id, payload, received_at, person";
    const PUT: &str = "INSERT INTO inbox (event_id, room, room_id, lane, state, payload, received_at, person)
        VALUES ($1, $2, $3, $4, 'new', $5, $6, $7)";
    let event: Option<Taken> = on_tx!(tx, |c| sqlx::query_as(TAKE).bind(seq).fetch_optional(c).await)?;
    if let Some(Taken { event_id, room, room_id, payload, received_at, person }) = event {
        let rows = if rows.is_empty() { std::slice::from_ref(&room) } else { rows };
        for room in rows {
            later!(tx, PUT, &event_id, room, &room_id, lane, &payload, received_at, &person)?;
        }
    }
    Ok(())
}

pub(super) async fn finish(tx: &mut Tx, seq: i64, failure: Option<&str>) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE inbox SET state = $2, note = $3, payload = NULL, person = NULL WHERE seq = $1";
    let state = if failure.is_some() { "failed" } else { "done" };
    later!(tx, SQL, seq, state, failure)?;
    Ok(())
}

/// What the note of an event says while what it asks for is being done.
const BEGUN: &str = "begun";

pub(super) async fn begin(tx: &mut Tx, seq: i64) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE inbox SET note = $2 WHERE seq = $1 AND state = 'new'";
    later!(tx, SQL, seq, BEGUN)?;
    Ok(())
}

/// What the note of an event says that was taken back before it was read.
pub(super) const TAKEN_BACK: &str = "taken back";

/// Marks an event as done, since it was taken back.
pub(super) async fn withdraw(tx: &mut Tx, seq: i64) -> Result<(), StoreError> {
    const SQL: &str =
        "UPDATE inbox SET state = 'done', note = $2, payload = NULL, person = NULL WHERE seq = $1";
    later!(tx, SQL, seq, TAKEN_BACK)?;
    Ok(())
}

/// Marks all of a stretch as done, and erases its payloads.
pub(super) async fn drop_stretch(tx: &mut Tx, stretch: Stretch) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE inbox SET state = 'done', payload = NULL, person = NULL
        WHERE lane = $1 AND state = 'new' AND seq > $2 AND seq <= $3
            AND room IN (0, $4) AND room_id = (SELECT room_id FROM room WHERE id = $4)";
    let Stretch { lane, room, after, to } = stretch;
    later!(tx, SQL, lane, after, to, room)?;
    Ok(())
}
