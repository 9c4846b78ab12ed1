//! Folding: what a room's outbox has no space for goes to history only, and one event stands for it. What is in no
//! history, since its user wants nothing kept, is counted apart: the event must not say that it can be read there.
//!
//! A row of `fold` counts the lines of a room that will not be shown. Whatever is never folded closes it first, and so
//! does the room's lane when it has nothing left to send: the count becomes a row of the outbox, in its place among the
//! others. That row holds the figures ([`Folded`]); whoever delivers it has the words.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use serde::{Deserialize, Serialize};

use super::super::pool::{Tx, later, on, on_tx};
use super::super::{Store, StoreError};
use super::{HOW_MANY_WAIT, NewOutbox, OutboxKind, Sealed};

/// Which of what was read may go to history only.
#[derive(Debug, Default)]
pub struct Folding {
    /// How many rows a room may have.
    pub limit: i64,
    /// How many rows each room that may be full has left, as far as is known.
    pub left: BTreeMap<i64, i64>,
    /// The places in [`super::Incoming::outbox`] of rows that may go to history only.
    pub foldable: BTreeSet<usize>,
}

/// What the row that stands for folded lines holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folded {
    /// How many they were.
    #[serde(rename = "folded")]
    pub lines: i64,
    /// How many of them are in no history either.
    #[serde(default)]
    pub unkept: i64,
    /// When the first of them was read, in milliseconds since 1970.
    pub first_at: i64,
    /// When the last of them was read.
    pub last_at: i64,
}

/// Lines that are folded.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    lines: i64,
    unkept: i64,
}

/// A commit under way.
pub(super) struct Folder {
    store: Store,
    folding: Folding,
    now: i64,
    open: BTreeMap<i64, bool>,
    /// How many lines of each room are counted, but not yet in the table.
    counted: BTreeMap<i64, Count>,
    folded: BTreeMap<i64, i64>,
}

impl Folder {
    pub(super) fn new(store: Store, folding: Folding, now: i64) -> Self {
        Self { store, folding, now, open: BTreeMap::new(), counted: BTreeMap::new(), folded: BTreeMap::new() }
    }

    /// When the commit is.
    pub(super) fn now(&self) -> i64 {
        self.now
    }

    /// Whether rows of this room may be counted instead of sent.
    pub(super) fn may_take(&self, room: i64) -> bool {
        self.folding.left.contains_key(&room)
    }

    /// Whether the row at this place, of this room, is counted instead of sent; and whether the history has it.
    pub(super) async fn takes(
        &mut self,
        tx: &mut Tx,
        place: usize,
        room: i64,
        is_kept: bool,
    ) -> Result<bool, StoreError> {
        let Some(left) = self.folding.left.get_mut(&room) else { return Ok(false) };
        let is_open = match self.open.get(&room) {
            Some(is_open) => *is_open,
            None => is_open(tx, room).await?,
        };
        let is_foldable = self.folding.foldable.contains(&place);
        if is_foldable && !is_open && *left <= 0 {
            // What is known is an estimate, which must fold nothing that there is space for.
            *left = self.folding.limit - waiting(tx, room).await?;
        }
        if is_foldable && (is_open || *left <= 0) {
            let count = self.counted.entry(room).or_default();
            count.lines += 1;
            count.unkept += i64::from(!is_kept);
            *self.folded.entry(room).or_default() += 1;
            self.open.insert(room, true);
            return Ok(true);
        }
        *left -= 1;
        if is_open {
            if let Some(count) = self.counted.remove(&room) {
                add(tx, room, count, self.now).await?;
            }
            close(tx, &self.store, room, self.now).await?;
        }
        self.open.insert(room, false);
        Ok(false)
    }

    /// Stores what was counted; how many lines of each room were folded.
    pub(super) async fn finish(self, tx: &mut Tx) -> Result<BTreeMap<i64, i64>, StoreError> {
        for (room, count) in self.counted {
            add(tx, room, count, self.now).await?;
        }
        Ok(self.folded)
    }
}

impl Store {
    /// The rooms for which requests wait, with their numbers.
    pub async fn rooms_with_requests(&self) -> Result<Vec<(i64, i64)>, StoreError> {
        const SQL: &str =
            "SELECT room, COUNT(*) FROM outbox WHERE state = 'queued' GROUP BY room ORDER BY room";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).fetch_all(p).await)?)
    }

    /// The rooms of which lines were folded that no event stands for yet.
    pub async fn rooms_with_folds(&self) -> Result<Vec<i64>, StoreError> {
        const SQL: &str = "SELECT room FROM fold ORDER BY room";
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL).fetch_all(p).await)?)
    }

    /// Puts the row that stands for a room's folded lines into its outbox; `false` where there are none.
    pub async fn close_fold(&self, room: i64, now: i64) -> Result<bool, StoreError> {
        let store = self.clone();
        self.write(move |tx| Box::pin(async move { close(tx, &store, room, now).await })).await
    }
}

async fn is_open(tx: &mut Tx, room: i64) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT room FROM fold WHERE room = $1";
    let found: Option<i64> = on_tx!(tx, |c| sqlx::query_scalar(SQL).bind(room).fetch_optional(c).await)?;
    Ok(found.is_some())
}

async fn waiting(tx: &mut Tx, room: i64) -> Result<i64, StoreError> {
    Ok(on_tx!(tx, |c| sqlx::query_scalar(HOW_MANY_WAIT).bind(room).fetch_one(c).await)?)
}

async fn add(tx: &mut Tx, room: i64, count: Count, now: i64) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO fold (room, lines, unkept, first_at, last_at) VALUES ($1, $2, $3, $4, $4)
        ON CONFLICT (room) DO UPDATE SET lines = fold.lines + excluded.lines,
            unkept = fold.unkept + excluded.unkept, last_at = excluded.last_at";
    later!(tx, SQL, room, count.lines, count.unkept, now)?;
    Ok(())
}

pub(super) async fn close(tx: &mut Tx, store: &Store, room: i64, now: i64) -> Result<bool, StoreError> {
    const TAKE: &str = "DELETE FROM fold WHERE room = $1 RETURNING lines, unkept, first_at, last_at";
    const CREATOR: &str = "SELECT creator FROM room WHERE id = $1";
    let taken: Option<(i64, i64, i64, i64)> =
        on_tx!(tx, |c| sqlx::query_as(TAKE).bind(room).fetch_optional(c).await)?;
    let Some((lines, unkept, first_at, last_at)) = taken else { return Ok(false) };
    let mut unique = [0; 16];
    crate::clock::random_bytes(&mut unique).expect("the system has randomness");
    let row = NewOutbox {
        room,
        txn_id: base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(unique),
        // Only a query is not the bot's, and there nothing is folded.
        sender: on_tx!(tx, |c| sqlx::query_scalar(CREATOR).bind(room).fetch_one(c).await)?,
        kind: OutboxKind::Message,
        payload: serde_json::to_string(&Folded { lines, unkept, first_at, last_at }).unwrap_or_default(),
        ts: None,
        history: None,
    };
    let sealed = store.seal_outbox(vec![row]);
    let rows: Vec<Sealed> =
        sealed.into_iter().map(|(row, payload)| Sealed { row, payload, history: None }).collect();
    super::insert_rows(tx, &rows, now).await?;
    Ok(true)
}
