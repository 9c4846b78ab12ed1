//! Reading history in its order: the last lines of a buffer, and pages from one number on.

use sqlx::FromRow;

use super::super::pool::on;
use super::super::{Store, StoreError};
use super::stays::was_there;

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

/// Lines of a buffer, `$1`: its own, and its channel's from when it was shown in the shared room.
macro_rules! line_query {
    ($condition:literal, $order:literal) => {
        concat!(
            "SELECT * FROM (
            SELECT * FROM (SELECT id, at, kind, sender, target, text, account, msgid, event_id, direction FROM history
                WHERE buffer = $1 AND ",
            $condition,
            $order,
            ") AS own
            UNION ALL
            SELECT * FROM (SELECT id, at, kind, sender, target, text, account, msgid, event_id, 'in' AS direction FROM history
                WHERE ",
            was_there!(),
            " AND ",
            $condition,
            $order,
            ") AS heard
            ) AS line",
            $order
        )
    };
}

impl Store {
    /// The last lines of a buffer, oldest first.
    pub async fn latest_lines(&self, buffer: i64, limit: i64) -> Result<Vec<KeptLine>, StoreError> {
        const SQL: &str = line_query!("TRUE", " ORDER BY id DESC LIMIT $2");
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
        const SQL: &str = line_query!("id > $2", " ORDER BY id LIMIT $3");
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL)
            .bind(buffer)
            .bind(after)
            .bind(limit)
            .fetch_all(p)
            .await)?)
    }
}
