//! Lines by what both sides call them, and lines that were taken back.
//!
//! What was taken back stays as a line that says by whom, without its text and nothing that it is found by.

use sqlx::FromRow;

use super::super::pool::{Tx, later, on};
use super::super::{Store, StoreError};
use super::stays::was_there;

/// A line as it is found by its id on IRC or by its event.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Told {
    /// Its number.
    pub id: i64,
    /// As in [`HistoryLine::kind`](super::HistoryLine::kind).
    pub kind: String,
    /// The nick of the one who said it.
    pub sender: String,
    /// As in [`HistoryLine::target`](super::HistoryLine::target).
    pub target: Option<String>,
    /// The text as it was received or sent.
    pub text: String,
    /// Milliseconds since 1970.
    pub at: i64,
    /// Its id on IRC, where it has one.
    pub msgid: Option<String>,
    /// Its Matrix event, where there is one already.
    pub event_id: Option<String>,
    /// It went out from here.
    pub own: bool,
}

/// The condition that a line is its channel's or another's there, while the buffer with the number `$1` is shown in the
/// shared room. Whoever shows the channel there acts for all, and not as somebody who reads.
macro_rules! is_of_room {
    () => {
        "channel = (SELECT buffer.channel FROM buffer JOIN link ON link.buffer = buffer.id
            WHERE buffer.id = $1 AND link.role = 'shared') AND (buffer IS NULL OR buffer <> $1)"
    };
}

/// Lines of a buffer, `$1`: its own, and those of its channel that this condition holds of.
macro_rules! told {
    ($condition:literal, $of_channel:expr) => {
        concat!(
            "SELECT id, kind, sender, target, text, at, msgid, event_id, direction = 'out' AS own FROM history
            WHERE buffer = $1 AND ",
            $condition,
            " UNION ALL
            SELECT id, kind, sender, target, text, at, msgid, event_id, FALSE AS own FROM history
            WHERE ",
            $of_channel,
            " AND ",
            $condition,
            " ORDER BY id"
        )
    };
}

/// By the line (`+` says so to SQLite), and not among all that waits for the room.
pub(in crate::store) const REQUEST_OF_LINE: &str =
    "SELECT txn_id FROM outbox WHERE +room = $1 AND state = 'queued' AND history = $2";

impl Store {
    /// The line that has this id on IRC: in a shared room, of whomever it is.
    pub async fn line_of_msgid(&self, buffer: i64, msgid: &str) -> Result<Option<Told>, StoreError> {
        const SQL: &str = told!("msgid IS NOT NULL AND msgid = $2", is_of_room!());
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(buffer).bind(msgid).fetch_optional(p).await)?)
    }

    /// Waits until all that was handed over to be written before is committed, and can be read.
    pub async fn catch_up_with_writes(&self) -> Result<(), StoreError> {
        self.write(|_| Box::pin(async { Ok(()) })).await
    }

    /// The lines that an event stands for which the user was there for, oldest first: for one of the user's, also those that
    /// said how it was edited.
    pub async fn lines_of_event(&self, buffer: i64, event_id: &str) -> Result<Vec<Told>, StoreError> {
        const SQL: &str = told!("event_id IS NOT NULL AND event_id = $2", was_there!());
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(buffer).bind(event_id).fetch_all(p).await)?)
    }

    /// The lines that an event stands for, oldest first: in a shared room, of whomever they are.
    pub async fn lines_of_rooms_event(&self, buffer: i64, event_id: &str) -> Result<Vec<Told>, StoreError> {
        const SQL: &str = told!("event_id IS NOT NULL AND event_id = $2", is_of_room!());
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(buffer).bind(event_id).fetch_all(p).await)?)
    }

    /// What was said in a buffer behind a line, oldest first: who said it.
    pub async fn senders_after(&self, buffer: i64, line: i64, limit: i64) -> Result<Vec<String>, StoreError> {
        const SQL: &str =
            "SELECT sender FROM history WHERE id > $2 AND kind IN ('message', 'notice', 'action')
            AND (buffer = $1 OR channel = (SELECT buffer.channel FROM buffer JOIN link ON link.buffer = buffer.id
                WHERE buffer.id = $1 AND link.role = 'shared'))
            ORDER BY id LIMIT $3";
        Ok(on!(self.readers(), |p| sqlx::query_scalar(SQL)
            .bind(buffer)
            .bind(line)
            .bind(limit)
            .fetch_all(p)
            .await)?)
    }

    /// The request that is still to make the event of a line.
    pub async fn request_of_line(&self, room: i64, line: i64) -> Result<Option<String>, StoreError> {
        Ok(on!(self.readers(), |p| sqlx::query_scalar(REQUEST_OF_LINE)
            .bind(room)
            .bind(line)
            .fetch_optional(p)
            .await)?)
    }
}

/// Takes a line back.
pub(in crate::store) async fn redact(tx: &mut Tx, line: i64, by: &str) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE history SET kind = 'redacted', text = '', target = $2 WHERE id = $1";
    const FORGET: &str = "DELETE FROM history_search WHERE rowid = $1";
    later!(tx, SQL, line, by)?;
    later!(tx, FORGET, line)?;
    Ok(())
}
