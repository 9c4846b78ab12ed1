//! Making lines findable that were stored by a version which knew no words, or others: from the newest line to the oldest,
//! some at a time. How far that is stands in the store, so that a restart goes on where the last run ended.

use std::collections::HashSet;

use sqlx::FromRow;

use super::super::pool::{Tx, later, on, on_tx};
use super::super::{Store, StoreError};
use super::words::{Said, Whose};

/// Lines at a time.
const BATCH: i64 = 200;
/// Where it stands: the version of the words, and behind `@` the number from which on all lines have them.
const STATE: &str = "history_words";
/// Counted up when the words of a line change.
const VERSION: &str = "1";

#[derive(FromRow)]
struct Row {
    id: i64,
    buffer: Option<i64>,
    channel: Option<i64>,
    kind: String,
    sender: String,
    text: String,
    session: Option<i64>,
}

impl Store {
    /// Makes some lines findable; `false` when all are.
    pub async fn index_older_lines(&self) -> Result<bool, StoreError> {
        const LINES: &str =
            "SELECT history.id, history.buffer, history.channel, history.kind, history.sender,
                history.text, buffer.session
            FROM history LEFT JOIN buffer ON buffer.id = history.buffer
            WHERE history.id < $1 ORDER BY history.id DESC LIMIT $2";
        const STAND: &str = "INSERT INTO instance (key, value) VALUES ($1, $2)
            ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        let state = self.instance_value(STATE).await?.and_then(|value| String::from_utf8(value).ok());
        let before = match state.as_deref().and_then(|state| state.strip_prefix(VERSION)) {
            Some("") => return Ok(false),
            Some(rest) => rest.strip_prefix('@').and_then(|number| number.parse().ok()).unwrap_or(i64::MAX),
            None => i64::MAX,
        };
        let rows: Vec<Row> =
            on!(self.readers(), |p| sqlx::query_as(LINES).bind(before).bind(BATCH).fetch_all(p).await)?;
        let state = match rows.last() {
            Some(row) => format!("{VERSION}@{}", row.id),
            None => VERSION.to_owned(),
        };
        let more = !rows.is_empty();
        self.write(move |tx| {
            Box::pin(async move {
                index(tx, &rows).await?;
                later!(tx, STAND, STATE, state.into_bytes())?;
                Ok(())
            })
        })
        .await?;
        Ok(more)
    }
}

async fn index(tx: &mut Tx, rows: &[Row]) -> Result<(), StoreError> {
    const FORGET: &str = "DELETE FROM history_search WHERE rowid = $1";
    const THERE: &str = "SELECT id FROM history WHERE id BETWEEN $1 AND $2";
    for row in rows {
        later!(tx, FORGET, row.id)?;
    }
    let (Some(newest), Some(oldest)) = (rows.first(), rows.last()) else { return Ok(()) };
    // They were read before this write, and may have been forgotten meanwhile.
    let there: Vec<i64> =
        on_tx!(tx, |c| sqlx::query_scalar(THERE).bind(oldest.id).bind(newest.id).fetch_all(c).await)?;
    let there: HashSet<i64> = there.into_iter().collect();
    let said = rows.iter().filter(|row| there.contains(&row.id)).map(
        |Row { id, buffer, channel, kind, sender, text, session }| {
            let whose = Whose { buffer: buffer.zip(*session), channel: *channel };
            (*id, Said { whose, kind, sender, text })
        },
    );
    super::index(tx, said).await
}
