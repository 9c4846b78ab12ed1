//! The outbox: what the homeserver is to be asked, in order per room.
//!
//! A row's transaction id and content are committed before the first attempt and never change. The transaction id is
//! unique over all rooms and senders, since homeservers ignore both when they deduplicate; it also stands in the
//! event's content, so that the event can be found again when the answer was lost.

mod fold;
mod forward;
mod incoming;
mod look;
mod refused;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use sqlx::FromRow;

pub use self::fold::{Folded, Folding};
pub(super) use self::forward::forward;
pub use self::incoming::{Committed, Incoming};
#[cfg(test)]
pub(super) use self::look::SQL as LOOK;
pub(super) use self::look::Seen;
pub use self::look::{AT_ONCE, Look};
pub use self::refused::{Refused, Untold};

use super::history::HistoryLine;
use super::pool::{Tx, execute, later, later_bound, on, on_apart};
use super::{Store, StoreError, pieces};

/// Of a room and from a number on, so many.
pub(super) const WAITING: &str = "SELECT seq, room, txn_id, sender, kind, payload, ts, batch, created_at
    FROM outbox WHERE room = $1 AND state = 'queued' AND seq > $2 ORDER BY seq LIMIT $3";
pub(super) const HOW_MANY_WAIT: &str = "SELECT COUNT(*) FROM outbox WHERE room = $1 AND state = 'queued'";
pub(super) const BECAME_IN_HISTORY: &str = "UPDATE history SET event_id = $1 WHERE id IN
    (SELECT history FROM outbox WHERE room = $2 AND state = 'queued' AND (seq = $3 OR batch = $3))";
pub(super) const BECAME: &str = "UPDATE outbox SET state = 'done', event_id = $1, payload = NULL
    WHERE room = $2 AND state = 'queued' AND (seq = $3 OR batch = $3)";

/// What is asked of the homeserver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboxKind {
    /// Send an `m.room.message`.
    Message,
    /// Set a state event: the payload holds `type`, `state_key` and `content`.
    State,
    /// Redact an event: the payload holds `reason`, and `event_id` or the `txn_id` of the row whose event is meant.
    Redact,
    /// Invite a user: the payload holds `user_id`.
    Invite,
    /// Send an `m.reaction`: the payload holds `key`, and `event_id` or the `txn_id` of the row whose event is meant.
    Reaction,
}

impl OutboxKind {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Message, "message"),
        (Self::State, "state"),
        (Self::Redact, "redact"),
        (Self::Invite, "invite"),
        (Self::Reaction, "reaction"),
    ];

    fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }
}

/// A request to be.
#[derive(Debug, Clone)]
pub struct NewOutbox {
    /// The number of the room.
    pub room: i64,
    /// Globally unique.
    pub txn_id: String,
    /// The Matrix id to act as.
    pub sender: String,
    /// What is asked.
    pub kind: OutboxKind,
    /// The JSON of the content, or of the arguments.
    pub payload: String,
    /// When it happened, in milliseconds since 1970, where that is not now.
    pub ts: Option<i64>,
    /// The line that it shows; it is kept in history, in the same commit.
    pub history: Option<HistoryLine>,
}

/// A request that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbox {
    /// Its place in the order.
    pub seq: i64,
    /// The number of the room.
    pub room: i64,
    /// Globally unique; also the content key.
    pub txn_id: String,
    /// The Matrix id to act as.
    pub sender: String,
    /// What is asked.
    pub kind: OutboxKind,
    /// The JSON of the content, or of the arguments.
    pub payload: String,
    /// When it happened, in milliseconds since 1970, where that is not now.
    pub ts: Option<i64>,
    /// The place of the first row of the event that this one is part of, once that is settled.
    pub batch: Option<i64>,
    /// Milliseconds since 1970 at which it was committed.
    pub created_at: i64,
}

#[derive(FromRow)]
struct Row {
    seq: i64,
    room: i64,
    txn_id: String,
    sender: String,
    kind: String,
    payload: Vec<u8>,
    ts: Option<i64>,
    batch: Option<i64>,
    created_at: i64,
}

pub(super) fn row_name(txn_id: &str) -> String {
    format!("outbox:{txn_id}")
}

impl Store {
    /// Commits requests that belong to no session's reading, such as the bot's answers. Requests that are stored
    /// already stay as they are, so that this can be repeated.
    pub async fn enqueue(&self, rows: Vec<NewOutbox>, now: i64) -> Result<(), StoreError> {
        let sealed = self.seal_outbox(rows);
        let store = self.clone();
        self.write(move |tx| Box::pin(async move { insert(tx, &store, sealed, now).await })).await
    }

    /// Commits the answer to an event and marks the event as done, together.
    pub async fn answer_event(&self, seq: i64, rows: Vec<NewOutbox>, now: i64) -> Result<(), StoreError> {
        let sealed = self.seal_outbox(rows);
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                super::inbox::finish(tx, seq, None).await?;
                insert(tx, &store, sealed, now).await
            })
        })
        .await
    }

    /// The next requests of a room. A batch is read whole or not at all, so it must be smaller than `limit`. A request
    /// that can't be read is set aside, and stops nothing behind it.
    pub async fn waiting_requests(
        &self,
        room: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Outbox>, StoreError> {
        loop {
            let rows: Vec<Row> = on!(self.readers(), |p| sqlx::query_as(WAITING)
                .bind(room)
                .bind(after)
                .bind(limit + 1)
                .fetch_all(p)
                .await)?;
            let rows = whole_batches(rows, limit);
            let (read, mut requests) = (rows.len(), Vec::with_capacity(rows.len()));
            for row in rows {
                let (seq, txn_id) = (row.seq, row.txn_id.clone());
                match self.open_request(row) {
                    Ok(request) => requests.push(request),
                    Err(error) => {
                        tracing::error!(room, %txn_id, %error, "a request is set aside");
                        let refused = Refused { note: error.to_string(), ..Refused::default() };
                        self.set_aside((room, seq), refused, 0).await?;
                    }
                }
            }
            // None at all would be the end of the room's outbox.
            if read == 0 || !requests.is_empty() {
                return Ok(requests);
            }
        }
    }

    fn open_request(&self, row: Row) -> Result<Outbox, StoreError> {
        let payload = self.sealer().open_text(&row.payload, &row_name(&row.txn_id))?;
        let kind = OutboxKind::ALL
            .iter()
            .find(|(_, word)| *word == row.kind)
            .map(|(kind, _)| *kind)
            .ok_or_else(|| StoreError::Unknown(format!("a request of kind {}", row.kind)))?;
        let Row { seq, room, txn_id, sender, ts, batch, created_at, .. } = row;
        Ok(Outbox { seq, room, txn_id, sender, kind, payload, ts, batch, created_at })
    }

    /// Settles which rows of a room become one event, before it is sent for the first time: of each group of rows that
    /// follow each other, the first and the last place.
    pub async fn batch_requests(&self, room: i64, groups: Vec<(i64, i64)>) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE outbox SET batch = $2
            WHERE room = $1 AND state = 'queued' AND seq >= $2 AND seq <= $3";
        self.write(move |tx| {
            Box::pin(async move {
                for (first, last) in groups {
                    later!(tx, SQL, room, first, last)?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Makes each row of a batch an event of its own, which it stays: some may have been sent when it is next read.
    pub async fn separate_requests(&self, room: i64, batch: i64) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE outbox SET batch = seq
            WHERE room = $1 AND state = 'queued' AND seq >= $2 AND batch = $2";
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, room, batch)?;
                Ok(())
            })
        })
        .await
    }

    /// Marks requests as done, with the event that each became, and erases their payloads. Returns once the write
    /// is in line; the commit follows.
    pub async fn requests_done(&self, done: Vec<(i64, Option<String>)>) -> super::Ticket<()> {
        static HISTORY: LazyLock<[String; 2]> = LazyLock::new(|| {
            pieces::for_each(|rows| {
                format!(
                    "UPDATE history SET event_id = $1 WHERE id IN (SELECT history FROM outbox WHERE seq IN ({}))",
                    pieces::list(2, rows)
                )
            })
        });
        static DONE: LazyLock<[String; 2]> = LazyLock::new(|| {
            pieces::for_each(|rows| {
                format!(
                    "UPDATE outbox SET state = 'done', event_id = $1, payload = NULL WHERE seq IN ({})",
                    pieces::list(2, rows)
                )
            })
        });
        self.submit(move |tx| {
            Box::pin(async move {
                // Lines that were merged have become the same event.
                for event in done.chunk_by(|(_, one), (_, next)| one == next) {
                    for (place, piece) in pieces::pieces(event) {
                        for sql in [&HISTORY[place], &DONE[place]] {
                            let event_id = &event[0].1;
                            later_bound!(tx, sql.as_str(), |query| piece
                                .iter()
                                .fold(query.bind(event_id), |query, (seq, _)| query.bind(seq)))?;
                        }
                    }
                }
                Ok(())
            })
        })
        .await
    }

    /// Commits which event a waiting request became, with all rows that it stands for: nobody has to make it again.
    pub async fn request_became(&self, seq: i64, room: i64, event_id: &str) -> Result<(), StoreError> {
        let event_id = event_id.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, BECAME_IN_HISTORY, &event_id, room, seq)?;
                later!(tx, BECAME, &event_id, room, seq)?;
                Ok(())
            })
        })
        .await
    }

    /// The Matrix id of a request's room, who makes it, and the event that it became, as far as each is known.
    pub async fn place_of_request(
        &self,
        txn_id: &str,
    ) -> Result<Option<(Option<String>, String, Option<String>)>, StoreError> {
        const SQL: &str = "SELECT room.room_id, outbox.sender, outbox.event_id
            FROM outbox JOIN room ON room.id = outbox.room WHERE outbox.txn_id = $1";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(txn_id).fetch_optional(p).await)?)
    }

    /// Drops all that waits for a room, which nobody will see; says how many requests that were. The history keeps what
    /// was said. A handover may be among it: a room that is not made yet is its heir's from the beginning.
    pub async fn drop_requests(&self, room: i64) -> Result<u64, StoreError> {
        const SQL: &str = "DELETE FROM outbox WHERE room = $1 AND state = 'queued'";
        const INHERIT: &str =
            "UPDATE room SET creator = heir WHERE id = $1 AND room_id IS NULL AND heir IS NOT NULL";
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, INHERIT, room)?;
                Ok(execute!(tx, SQL, room)?)
            })
        })
        .await
    }

    /// The event that a row became; `None` where it became none, or is forgotten.
    pub async fn event_of_request(&self, txn_id: &str) -> Result<Option<String>, StoreError> {
        const SQL: &str = "SELECT event_id FROM outbox WHERE txn_id = $1";
        let found: Option<Option<String>> =
            on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(txn_id).fetch_optional(p).await)?;
        Ok(found.flatten())
    }

    /// How many requests wait and how many were refused.
    pub async fn request_counts(&self) -> Result<(i64, i64), StoreError> {
        // In words, for an index of those that wait.
        const QUEUED: &str = "SELECT COUNT(*) FROM outbox WHERE state = 'queued'";
        const REFUSED: &str = "SELECT COUNT(*) FROM outbox WHERE state = 'refused'";
        let count = async |sql: &'static str| -> Result<i64, StoreError> {
            Ok(on_apart!(self.readers(), |p| sqlx::query_scalar(sql).fetch_one(p))?)
        };
        Ok((count(QUEUED).await?, count(REFUSED).await?))
    }

    pub(super) fn seal_outbox(&self, rows: Vec<NewOutbox>) -> Vec<(NewOutbox, Vec<u8>)> {
        rows.into_iter()
            .map(|row| {
                let payload = self.sealer().seal(row.payload.as_bytes(), &row_name(&row.txn_id));
                (row, payload)
            })
            .collect()
    }
}

/// The first so many rows, but for a batch that goes on behind them: one more than asked for tells.
fn whole_batches(mut rows: Vec<Row>, limit: i64) -> Vec<Row> {
    if let Some(beyond) = rows.get(limit as usize) {
        let batch = beyond.batch;
        let goes_on = |row: &Row| batch.is_some() && row.batch == batch;
        let whole = rows.iter().position(goes_on).unwrap_or(limit as usize);
        rows.truncate(whole.min(limit as usize));
    }
    rows
}

/// Stores requests that are never folded: what was folded before them is told before them.
pub(super) async fn insert(
    tx: &mut Tx,
    store: &Store,
    sealed: Vec<(NewOutbox, Vec<u8>)>,
    now: i64,
) -> Result<(), StoreError> {
    let rooms: BTreeSet<i64> = sealed.iter().map(|(row, _)| row.room).collect();
    for room in rooms {
        fold::close(tx, store, room, now).await?;
    }
    let rows: Vec<Sealed> =
        sealed.into_iter().map(|(row, payload)| Sealed { row, payload, history: None }).collect();
    insert_rows(tx, &rows, now).await
}

/// A request to store: sealed, and the number of the line in the history that it shows.
struct Sealed {
    row: NewOutbox,
    payload: Vec<u8>,
    history: Option<i64>,
}

async fn insert_rows(tx: &mut Tx, rows: &[Sealed], now: i64) -> Result<(), StoreError> {
    static SQL: LazyLock<[String; 2]> = LazyLock::new(|| {
        pieces::for_each(|rows| {
            format!(
                "INSERT INTO outbox (room, txn_id, sender, kind, payload, ts, history, state, created_at)
                    VALUES {} ON CONFLICT (txn_id) DO NOTHING",
                pieces::placeholders(rows, 9)
            )
        })
    });
    for (place, piece) in pieces::pieces(rows) {
        later_bound!(tx, SQL[place].as_str(), |query| piece.iter().fold(query, |query, new| {
            let Sealed { row, payload, history } = new;
            query
                .bind(row.room)
                .bind(&row.txn_id)
                .bind(&row.sender)
                .bind(row.kind.as_str())
                .bind(payload)
                .bind(row.ts)
                .bind(history)
                .bind("queued")
                .bind(now)
        }))?;
    }
    Ok(())
}
