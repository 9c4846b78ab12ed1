//! Reading history in its order: the last lines of a buffer, and pages from one number on.

use sqlx::FromRow;

use super::super::pool::on;
use super::super::{Store, StoreError};

/// A line as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct KeptLine {
    /// Its number, which is its place in time.
    pub id: i64,
    /// Milliseconds since 1970.
    pub at: i64,
    /// As in [`HistoryLine::kind`](super::HistoryLine::kind).
    pub kind: String,
    /// The nick of the one who said or did it.
    pub sender: String,
    /// The new nick of a change of nick, the kicked nick of a kick.
    pub target: Option<String>,
    /// The text as it was received or sent.
    pub text: String,
    /// Their account with the network's services, where the server told.
    pub account: Option<String>,
    /// The server's id for it.
    pub msgid: Option<String>,
    /// The Matrix event that it came from, or became.
    pub event_id: Option<String>,
    /// `in` or `out`.
    pub direction: String,
}

macro_rules! line_query {
    ($tail:literal) => {
        concat!(
            "SELECT id, at, kind, sender, target, text, account, msgid, event_id, direction FROM history ",
            $tail
        )
    };
}

impl Store {
    /// The last lines of a buffer, oldest first.
    pub async fn latest_lines(&self, buffer: i64, limit: i64) -> Result<Vec<KeptLine>, StoreError> {
        const SQL: &str = line_query!("WHERE buffer = $1 ORDER BY id DESC LIMIT $2");
        let mut lines: Vec<KeptLine> =
            on!(self.readers(), |p| sqlx::query_as(SQL).bind(buffer).bind(limit).fetch_all(p).await)?;
        lines.reverse();
        Ok(lines)
    }

    /// The lines of a buffer behind a number, oldest first.
    pub async fn lines_after(
        &self,
        buffer: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<KeptLine>, StoreError> {
        const SQL: &str = line_query!("WHERE buffer = $1 AND id > $2 ORDER BY id LIMIT $3");
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL)
            .bind(buffer)
            .bind(after)
            .bind(limit)
            .fetch_all(p)
            .await)?)
    }
}
