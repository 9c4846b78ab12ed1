//! What a room's lane looks at first: the room, and what waits for it.
//!
//! A commit of lines looks for its room's lane, at the end of the same visit to SQLite: where nothing else waits
//! and nobody sends, as in a room that was quiet, the lane begins with that and asks nothing.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::FromRow;

use super::super::Store;
use super::super::pool::Tx;
use super::super::rooms::{RoomRow, room_query};
use super::super::sqlite;
use super::{Outbox, Row, whole_batches};

/// A room, and the first requests that wait for it.
#[derive(Debug)]
pub struct Look {
    /// The room.
    pub room: RoomRow,
    /// The requests, in order; nothing where one of them can't be read, so that they are to be asked for.
    pub waiting: Option<Vec<Outbox>>,
}

/// How many requests are read at once, and the most whose outcome is not yet known to be committed.
pub const AT_ONCE: i64 = 50;

pub(in crate::store) const SQL: &str = room_query!(
    ", outbox.seq AS seq, outbox.txn_id AS txn_id, outbox.sender AS sender, outbox.kind AS request,
        outbox.payload AS payload, outbox.ts AS ts, outbox.batch AS batch, outbox.created_at AS requested_at",
    "LEFT JOIN outbox ON outbox.room = room.id AND outbox.state = 'queued'
        WHERE room.id = $1 ORDER BY outbox.seq LIMIT $2"
);

/// A row of the answer: the room, and a request where one waits.
struct Found {
    room: RoomRow,
    request: Option<Row>,
}

impl<'r, R: sqlx::Row> FromRow<'r, R> for Found
where
    RoomRow: FromRow<'r, R>,
    &'static str: sqlx::ColumnIndex<R>,
    i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    String: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    Vec<u8>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        let room = RoomRow::from_row(row)?;
        let request = match row.try_get::<Option<i64>, _>("seq")? {
            Some(seq) => Some(Row {
                seq,
                room: room.id,
                txn_id: row.try_get("txn_id")?,
                sender: row.try_get("sender")?,
                kind: row.try_get("request")?,
                payload: row.try_get("payload")?,
                ts: row.try_get("ts")?,
                batch: row.try_get("batch")?,
                created_at: row.try_get("requested_at")?,
            }),
            None => None,
        };
        Ok(Self { room, request })
    }
}

/// Where a commit leaves what it saw.
#[derive(Clone, Default)]
pub(in crate::store) struct Seen(Arc<Mutex<Vec<sqlite::Row>>>);

impl Seen {
    pub(in crate::store) fn keep(&self, rows: Vec<sqlite::Row>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = rows;
    }

    fn take(&self) -> Vec<sqlite::Row> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Has the commit look at a room, where that costs next to nothing.
pub(super) fn after_commit(tx: &mut Tx, room: i64, seen: Seen) {
    if let Tx::Sqlite(local) = tx {
        local.look_after_commit(SQL, [room, AT_ONCE + 1], seen);
    }
}

impl Store {
    /// What a commit saw; nothing where it did not look.
    pub(super) fn seen(&self, seen: &Seen) -> Option<Look> {
        let found: sqlx::Result<Vec<Found>> = seen.take().iter().map(Found::from_row).collect();
        let mut found = found.ok()?.into_iter();
        let Found { room, request } = found.next()?;
        let requests: Vec<Row> = request.into_iter().chain(found.filter_map(|found| found.request)).collect();
        Some(Look { room, waiting: self.open_all(requests) })
    }

    fn open_all(&self, requests: Vec<Row>) -> Option<Vec<Outbox>> {
        // A room that shows two things would have each twice.
        if !requests.is_sorted_by(|one, next| one.seq < next.seq) {
            return None;
        }
        let requests = whole_batches(requests, AT_ONCE).into_iter();
        requests.map(|row| self.open_request(row)).collect::<Result<_, _>>().ok()
    }
}
