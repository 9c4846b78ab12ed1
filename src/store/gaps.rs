//! What may be missing in a buffer, and whether a line that comes late is there already.
//!
//! A session remembers when it last heard from its server; what was said later is missing, unless it can be fetched.
//! A buffer whose missing lines are still to be fetched says since when, so that a crash in the middle forgets no gap.

use super::history::{HistoryLine, was_there};
use super::pool::{Tx, later, on, on_apart, on_tx};
use super::{Store, StoreError};

/// How far our clock and the server's may be apart, in milliseconds, for a line of ours to be known again by its text.
const OWN_SKEW: i64 = 5 * 60 * 1000;
/// The same for lines of ours where no line has an id, and what was said twice within it counts once.
const OWN_DELAY: i64 = 60 * 1000;
/// The same for others' lines: a bouncer stamps a line when it comes and again when it passes it on.
const REPLAY_SKEW: i64 = 1_000;

/// What changes about gaps with what was read.
#[derive(Debug, Default)]
pub struct Gaps {
    /// When the session last heard from its server, in milliseconds since 1970.
    pub seen_at: Option<i64>,
    /// Since when lines of a buffer are missing; `None` when they no longer are.
    pub buffers: Vec<(i64, Option<i64>)>,
}

impl Gaps {
    pub(super) fn is_empty(&self) -> bool {
        self.seen_at.is_none() && self.buffers.is_empty()
    }
}

impl Store {
    /// When a session last heard from its server.
    pub async fn seen_at(&self, session: i64) -> Result<Option<i64>, StoreError> {
        const SQL: &str = "SELECT seen_at FROM session WHERE id = $1";
        let found: Option<Option<i64>> =
            on!(self.readers(), |p| sqlx::query_scalar(SQL).bind(session).fetch_optional(p).await)?;
        Ok(found.flatten())
    }

    /// Until when what is said in each shared room's channel was seen, by the last who was there.
    pub async fn shared_seen_at(&self) -> Result<Vec<(i64, i64)>, StoreError> {
        const SQL: &str = "SELECT link.room, MAX(COALESCE(buffer.gap_from, session.seen_at)) FROM link
            JOIN buffer ON buffer.id = link.buffer JOIN session ON session.id = buffer.session
            WHERE link.role = 'shared' AND COALESCE(buffer.gap_from, session.seen_at) IS NOT NULL
            GROUP BY link.room";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).fetch_all(p).await)?)
    }

    /// The times of the last lines that a buffer has from the server, with the server's time, not later than this; the
    /// last first.
    pub async fn last_heard_before(
        &self,
        buffer: i64,
        time: i64,
        most: usize,
    ) -> Result<Vec<i64>, StoreError> {
        const SQL: &str = concat!(
            "SELECT at FROM (SELECT * FROM (SELECT at FROM history WHERE buffer = $1 AND at <= $2 AND direction = 'in'
                AND msgid IS NOT NULL ORDER BY at DESC LIMIT $3) AS own
            UNION ALL SELECT * FROM (SELECT at FROM history WHERE msgid IS NOT NULL AND at <= $2 AND ",
            was_there!(),
            " ORDER BY id DESC LIMIT $3) AS heard) AS line ORDER BY at DESC LIMIT $3"
        );
        // Where the server names no lines, all that the buffer has is looked through.
        Ok(on_apart!(self.readers(), |p| sqlx::query_scalar(SQL)
            .bind(buffer)
            .bind(time)
            .bind(most as i64)
            .fetch_all(p))?)
    }
}

pub(super) async fn note(tx: &mut Tx, session: i64, gaps: Gaps) -> Result<(), StoreError> {
    const SEEN: &str = "UPDATE session SET seen_at = $2 WHERE id = $1";
    const GAP: &str = "UPDATE buffer SET gap_from = $2 WHERE id = $1";
    if let Some(seen_at) = gaps.seen_at {
        later!(tx, SEEN, session, seen_at)?;
    }
    for (buffer, from) in gaps.buffers {
        later!(tx, GAP, buffer, from)?;
    }
    Ok(())
}

/// A line that is in the history already.
pub(super) struct Known {
    /// The Matrix event that it went out from, where it is one of ours.
    pub(super) sent_by: Option<String>,
}

/// Whether a line that came with what was missed is in the history already.
///
/// By its id, where it has one. A line of the user's own may be there without: it went out from here, and nobody told
/// its id; it gets the id now. Without ids a line is known by sender, text and time, and `before` of the same kind came
/// earlier in the same go.
pub(super) async fn find_known(
    tx: &mut Tx,
    line: &HistoryLine,
    before: u32,
) -> Result<Option<Known>, StoreError> {
    const BY_ID: &str = concat!(
        "SELECT CASE direction WHEN 'out' THEN event_id END FROM history WHERE buffer = $1 AND msgid = $2
        UNION ALL SELECT NULL FROM history WHERE msgid = $2 AND msgid IS NOT NULL AND ",
        was_there!(),
        " LIMIT 1"
    );
    const OWN: &str = "UPDATE history SET msgid = $3 WHERE id = (SELECT MIN(id) FROM history
        WHERE buffer = $1 AND sender = $2 AND at BETWEEN $4 AND $5 AND direction = 'out' AND msgid IS NULL
        AND text = $6) RETURNING event_id";
    const ALIKE: &str = "SELECT CASE direction WHEN 'out' THEN event_id END FROM history
        WHERE buffer = $1 AND sender = $2 AND at BETWEEN $3 AND $4 AND text = $5
            AND (direction = 'out' OR at BETWEEN $7 AND $8)
        ORDER BY CASE WHEN at BETWEEN $7 AND $8 THEN 0 ELSE 1 END, id LIMIT 1 OFFSET $6";
    let known = |found: Option<Option<String>>| found.map(|sent_by| Known { sent_by });
    if let Some(msgid) = &line.msgid {
        let found =
            on_tx!(tx, |c| sqlx::query_scalar(BY_ID).bind(line.buffer).bind(msgid).fetch_optional(c).await)?;
        if let Some(known) = known(found) {
            return Ok(Some(known));
        }
        let (from, to) = (line.at.saturating_sub(OWN_SKEW), line.at.saturating_add(OWN_SKEW));
        let found = on_tx!(tx, |c| sqlx::query_scalar(OWN)
            .bind(line.buffer)
            .bind(&line.sender)
            .bind(msgid)
            .bind(from)
            .bind(to)
            .bind(&line.text)
            .fetch_optional(c)
            .await)?;
        return Ok(known(found));
    }
    let around = |skew| (line.at.saturating_sub(skew), line.at.saturating_add(skew));
    let ((own_from, own_to), (from, to)) = (around(OWN_DELAY), around(REPLAY_SKEW));
    let found = on_tx!(tx, |c| sqlx::query_scalar(ALIKE)
        .bind(line.buffer)
        .bind(&line.sender)
        .bind(own_from)
        .bind(own_to)
        .bind(&line.text)
        .bind(i64::from(before))
        .bind(from)
        .bind(to)
        .fetch_optional(c)
        .await)?;
    Ok(known(found))
}

/// Whether a line that came with what was missed is of the time of the gap. Where nothing is kept, no more is known.
pub(super) async fn is_missing(tx: &mut Tx, line: &HistoryLine) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT gap_from FROM buffer WHERE id = $1";
    let from: Option<Option<i64>> =
        on_tx!(tx, |c| sqlx::query_scalar(SQL).bind(line.buffer).fetch_optional(c).await)?;
    Ok(from.flatten().is_none_or(|from| line.at >= from))
}
