//! What became of an event that another one replaces.

use super::pool::on;
use super::{Store, StoreError, inbox};

/// What became of an event of the user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// It is not known: it is too old, or never came.
    Unknown,
    /// It was no message of this lane, but a command, or it was taken back unread.
    Other,
    /// None of it has left, and none of it waits.
    Nothing,
    /// Some of it was said, or may have been, or still waits to be.
    Said,
}

pub(super) const NOT_REFUSED: &str =
    "SELECT COUNT(*) FROM irc_line WHERE event_id = $1 AND buffer = $2 AND state <> 'refused'";

impl Store {
    /// Whether the server refused a line of an event in a buffer, or may have, or it was taken back before it left.
    pub async fn was_refused(&self, buffer: i64, event_id: &str) -> Result<bool, StoreError> {
        const SQL: &str =
            "SELECT COUNT(*) FROM irc_line WHERE event_id = $2 AND buffer = $1 AND state = 'refused'";
        let lines: i64 =
            on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(buffer).bind(event_id).fetch_one(p).await)?;
        Ok(lines > 0)
    }

    /// What became of an event that came into a lane for the room of a buffer.
    pub async fn became(
        &self,
        event_id: &str,
        lane: &str,
        (buffer, room): (i64, i64),
    ) -> Result<Became, StoreError> {
        const EVENT: &str = "SELECT lane, note FROM inbox WHERE event_id = $1 AND room IN (0, $2)";
        let found: Option<(String, Option<String>)> =
            on!(self.readers(), |p| sqlx::query_as(EVENT).bind(event_id).bind(room).fetch_optional(p).await)?;
        let lines: i64 = on!(self.readers(), |p| sqlx::query_scalar(NOT_REFUSED)
            .bind(event_id)
            .bind(buffer)
            .fetch_one(p)
            .await)?;
        Ok(match found {
            _ if lines > 0 => Became::Said,
            None => Became::Unknown,
            Some((_, Some(note))) if note == inbox::TAKEN_BACK => Became::Other,
            Some((found, _)) if found != lane => Became::Other,
            Some(_) => Became::Nothing,
        })
    }
}
