//! History: what was said, by whom and when. It belongs to the buffer in private rooms and to the channel in shared
//! ones. Conversations with services never get here; that is decided where the line is read.

use super::pool::{Tx, execute, on, on_tx};
use super::{Store, StoreError, gaps};

/// Whether a line came from IRC or went there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From IRC.
    In,
    /// From the user.
    Out,
}

/// One line of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryLine {
    /// The number of the buffer.
    pub buffer: i64,
    /// Milliseconds since 1970.
    pub at: i64,
    /// `message`, `notice`, `action` …
    pub kind: &'static str,
    /// The nick of the one who said it.
    pub sender: String,
    /// Their account with the network's services, where the server tells.
    pub account: Option<String>,
    /// The text as it was received or sent.
    pub text: String,
    /// The server's id for it.
    pub msgid: Option<String>,
    /// The Matrix event that it came from.
    pub event_id: Option<String>,
    /// From or to IRC.
    pub direction: Direction,
    /// It came with what was missed; so many of the same sender and text came before it in the same go.
    pub replayed: Option<u32>,
}

/// Stores a line and gives its number; `None` for one that is there already.
pub(super) async fn insert(tx: &mut Tx, line: &HistoryLine) -> Result<Option<i64>, StoreError> {
    const SQL: &str =
        "INSERT INTO history (buffer, at, kind, sender, account, text, msgid, event_id, direction)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING id";
    if let Some(before) = line.replayed
        && gaps::is_known(tx, line, before).await?
    {
        return Ok(None);
    }
    let direction = match line.direction {
        Direction::In => "in",
        Direction::Out => "out",
    };
    Ok(on_tx!(tx, |c| sqlx::query_scalar(SQL)
        .bind(line.buffer)
        .bind(line.at)
        .bind(line.kind)
        .bind(&line.sender)
        .bind(&line.account)
        .bind(&line.text)
        .bind(&line.msgid)
        .bind(&line.event_id)
        .bind(direction)
        .fetch_optional(c)
        .await)?)
}

impl Store {
    /// Forgets lines from before a time, a bounded number at once; returns whether more may be left.
    pub async fn prune_history(&self, before: i64) -> Result<bool, StoreError> {
        const BATCH: i64 = 500;
        const SQL: &str = "DELETE FROM history WHERE id IN
            (SELECT id FROM history WHERE at < $1 ORDER BY id LIMIT $2)";
        self.write(move |tx| Box::pin(async move { Ok(execute!(tx, SQL, before, BATCH)? == BATCH as u64) }))
            .await
    }

    /// The last lines of a buffer, oldest first: sender and text.
    pub async fn last_lines(&self, buffer: i64, limit: i64) -> Result<Vec<(String, String)>, StoreError> {
        const SQL: &str = "SELECT sender, text FROM history WHERE buffer = $1 ORDER BY id DESC LIMIT $2";
        let mut lines: Vec<(String, String)> =
            on!(self.readers(), |p| sqlx::query_as(SQL).bind(buffer).bind(limit).fetch_all(p).await)?;
        lines.reverse();
        Ok(lines)
    }
}
