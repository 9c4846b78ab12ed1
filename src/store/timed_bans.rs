//! Bans that end by themselves, of each session's channels.

use sqlx::FromRow;

use super::pool::{Tx, execute, on};
use super::{Store, StoreError};

/// A ban, or a quiet, and when it ends.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct TimedBan {
    /// The number of the channel's buffer.
    pub buffer: i64,
    /// The letter of the mode that the list is.
    pub letter: String,
    /// The entry as it stands in that list.
    pub entry: String,
    /// When it ends, in milliseconds since 1970.
    pub until: i64,
    /// Why it was set; may be empty.
    pub reason: String,
}

/// What becomes of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BanChange {
    /// It ends then, whatever was said before.
    Keep(TimedBan),
    /// It is over, or does not end by itself any more.
    Forget(TimedBan),
}

impl Store {
    /// The bans of a session that end by themselves.
    pub async fn timed_bans(&self, session: i64) -> Result<Vec<TimedBan>, StoreError> {
        const SQL: &str = "SELECT b.buffer, b.letter, b.entry, b.until, b.reason FROM timed_ban b
            JOIN buffer ON buffer.id = b.buffer WHERE buffer.session = $1 ORDER BY b.until, b.entry";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(session).fetch_all(p).await)?)
    }
}

/// Stores what becomes of bans.
pub(super) async fn note(tx: &mut Tx, changes: Vec<BanChange>) -> Result<(), StoreError> {
    const KEEP: &str =
        "INSERT INTO timed_ban (buffer, letter, entry, until, reason) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (buffer, letter, entry) DO UPDATE SET until = excluded.until, reason = excluded.reason";
    const FORGET: &str = "DELETE FROM timed_ban WHERE buffer = $1 AND letter = $2 AND entry = $3";
    for change in changes {
        match change {
            BanChange::Keep(TimedBan { buffer, letter, entry, until, reason }) => {
                execute!(tx, KEEP, buffer, letter, entry, until, reason)?;
            }
            BanChange::Forget(TimedBan { buffer, letter, entry, .. }) => {
                execute!(tx, FORGET, buffer, letter, entry)?;
            }
        }
    }
    Ok(())
}
