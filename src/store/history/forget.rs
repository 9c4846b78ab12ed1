//! Forgetting a buffer's history: its lines go, what they were found by, and what is stored to be sent again. And what was
//! forgotten stays so: when it comes again with what was missed, it is known.
//!
//! SQLite's index keeps a deleted line's words until its parts are merged. That is done in steps, each a small write, and
//! that it is to be done is stored with the deletion.

use std::sync::Arc;

use super::super::pool::{Tx, execute, on_tx};
use super::super::{Store, StoreError};
use super::{HistoryLine, stays};

/// What the table of the instance says while deleted words may be left: how the next step merges.
pub(in crate::store) const SCRUB: &str = "history_scrub";
/// Says that words are to be taken out of the index.
pub(in crate::store) const TO_SCRUB: &str = "INSERT INTO instance (key, value) VALUES ($1, $2)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value";
/// Pages that one step writes.
const PAGES: i64 = 200;

impl Store {
    /// Forgets all lines of a buffer of this user's, and says how many they were. Words of theirs may be left in the
    /// index until [`Store::scrub_words`] is through.
    pub async fn forget_history(&self, user: i64, buffer: i64, now: i64) -> Result<u64, StoreError> {
        const BATCH: i64 = 1_000;
        const OWN: &str = r#"UPDATE buffer SET forgotten_at = $3 WHERE id = $1
            AND EXISTS (SELECT 1 FROM session WHERE session.id = buffer.session AND session."user" = $2)"#;
        const LINES: &str = "DELETE FROM history WHERE id IN
            (SELECT id FROM history WHERE buffer = $1 ORDER BY id LIMIT $2)";
        const PROMPTS: &str = "DELETE FROM prompt WHERE buffer = $1";
        const PUBLISHED: &str = "DELETE FROM published WHERE buffer = $1";
        let mut gone = 0;
        loop {
            let keeper = Arc::clone(self.keeper());
            let batch = self
                .write(move |tx| {
                    Box::pin(async move {
                        if execute!(tx, OWN, buffer, user, now)? == 0 {
                            return Ok(0);
                        }
                        // What would be sent again is what was said, too, and what links lead to.
                        stays::trim(tx, &keeper, buffer, i64::MAX).await?;
                        execute!(tx, PROMPTS, buffer)?;
                        execute!(tx, PUBLISHED, buffer)?;
                        let gone = execute!(tx, LINES, buffer, BATCH)?;
                        if gone > 0 && matches!(tx, Tx::Sqlite(_)) {
                            execute!(tx, TO_SCRUB, SCRUB, b"begin".to_vec())?;
                        }
                        Ok(gone)
                    })
                })
                .await?;
            gone += batch;
            if batch < BATCH as u64 {
                return Ok(gone);
            }
        }
    }

    /// Takes a step towards an index without the words of deleted lines; `false` when there are none left.
    ///
    /// A merge with a negative number of pages begins to make one part of all, and those with a positive number go on
    /// (FTS5, "The merge Command"). PostgreSQL's vacuum does the same by itself.
    pub async fn scrub_words(&self) -> Result<bool, StoreError> {
        const MERGE: &str = "INSERT INTO history_search (history_search, rank) VALUES ('merge', $1)";
        const CHANGES: &str = "SELECT total_changes()";
        const GOES_ON: &str = "UPDATE instance SET value = $2 WHERE key = $1";
        const DONE: &str = "DELETE FROM instance WHERE key = $1";
        let Some(state) = self.instance_value(SCRUB).await? else { return Ok(false) };
        let begins = state == b"begin";
        self.write(move |tx| {
            Box::pin(async move {
                let before: i64 = on_tx!(tx, |c| sqlx::query_scalar(CHANGES).fetch_one(c).await)?;
                execute!(tx, MERGE, if begins { -PAGES } else { PAGES })?;
                let after: i64 = on_tx!(tx, |c| sqlx::query_scalar(CHANGES).fetch_one(c).await)?;
                // A merge that finds nothing to do changes nothing but its own row.
                let more = begins || after - before >= 2;
                if more {
                    execute!(tx, GOES_ON, SCRUB, b"goes on".to_vec())?;
                } else {
                    execute!(tx, DONE, SCRUB)?;
                    tx.leave_nothing();
                }
                Ok(more)
            })
        })
        .await
    }
}

/// Whether a line that came with what was missed is one of those that were forgotten: older than that, and not of a gap.
pub(super) async fn was_forgotten(tx: &mut Tx, line: &HistoryLine) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT id FROM buffer WHERE id = $1 AND forgotten_at > $2
        AND (gap_from IS NULL OR gap_from > $2)";
    let found: Option<i64> =
        on_tx!(tx, |c| sqlx::query_scalar(SQL).bind(line.buffer).bind(line.at).fetch_optional(c).await)?;
    Ok(found.is_some())
}
