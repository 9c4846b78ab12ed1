//! Stays: from which line to which somebody had a channel in its shared room.
//!
//! What is said there belongs to the channel and is kept once. Who was there reads it, and of what was said before and
//! after nothing: by the numbers that the bridge gave, and no clock of anybody's. What somebody says there themselves is
//! in their own buffer besides, so that it is theirs: where they want nothing kept, forget it or are erased, it is nobody's
//! any more. What a session does for the room (who answers what, what was taken back) asks for no stay.
//!
//! A stay begins and ends in the commit that gives and takes the link to the room.

use std::sync::Arc;

use super::super::pool::{Tx, execute, later, on, on_tx};
use super::super::{Store, StoreError};
use super::forget::{SCRUB, TO_SCRUB};
use super::number::first_at;
use super::{Keeper, Retention};

/// The condition that a line is its channel's or another's there, and was said while the buffer with the number `$1` was in
/// the shared room.
macro_rules! was_there {
    () => {
        "channel = (SELECT channel FROM stay WHERE stay.buffer = $1 ORDER BY since DESC LIMIT 1)
            AND id >= (SELECT MIN(since) FROM stay WHERE stay.buffer = $1)
            AND id < (SELECT MAX(COALESCE(until, 9223372036854775807)) FROM stay WHERE stay.buffer = $1)
            AND (buffer IS NULL OR buffer <> $1)
            AND EXISTS (SELECT 1 FROM stay WHERE stay.buffer = $1 AND stay.channel = history.channel
                AND history.id >= stay.since AND (stay.until IS NULL OR history.id < stay.until))"
    };
}
pub(in crate::store) use was_there;

/// Whose stays end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Stayed {
    /// That of one buffer.
    Buffer(i64),
    /// Those of a session.
    Session(i64),
    /// Those of everybody who has a channel in this room.
    InRoom(i64),
}

/// A buffer is shown in its channel's shared room from here on. Where its user wants nothing kept, they find nothing.
pub(in crate::store) async fn begin(
    tx: &mut Tx,
    keeper: &Keeper,
    buffer: i64,
    channel: i64,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO stay (buffer, channel, since) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    if !keeper.unkept.holds(buffer) {
        later!(tx, SQL, buffer, channel, keeper.numbers.here())?;
    }
    Ok(())
}

/// Buffers are shown in shared rooms no more; their links are still there.
pub(in crate::store) async fn end(tx: &mut Tx, keeper: &Keeper, whose: Stayed) -> Result<(), StoreError> {
    const BUFFER: &str = "UPDATE stay SET until = $2 WHERE until IS NULL AND buffer = $1";
    const SESSION: &str = "UPDATE stay SET until = $2 WHERE until IS NULL
        AND buffer IN (SELECT id FROM buffer WHERE session = $1)";
    const IN_ROOM: &str = "UPDATE stay SET until = $2 WHERE until IS NULL
        AND buffer IN (SELECT buffer FROM link WHERE room = $1 AND role = 'shared' AND buffer IS NOT NULL)";
    let (sql, number) = match whose {
        Stayed::Buffer(buffer) => (BUFFER, buffer),
        Stayed::Session(session) => (SESSION, session),
        Stayed::InRoom(room) => (IN_ROOM, room),
    };
    later!(tx, sql, number, keeper.numbers.here())?;
    Ok(())
}

/// A buffer has no lines of a channel any more from before a number.
pub(super) async fn trim(tx: &mut Tx, keeper: &Keeper, buffer: i64, before: i64) -> Result<(), StoreError> {
    const GONE: &str = "DELETE FROM stay WHERE buffer = $1 AND until <= $2";
    const BEGINS: &str = "UPDATE stay SET since = $2 WHERE buffer = $1 AND since < $2";
    // What lasts goes on from here at the latest.
    let before = before.min(keeper.numbers.here());
    later!(tx, GONE, buffer, before)?;
    later!(tx, BEGINS, buffer, before)?;
    Ok(())
}

/// What a buffer's user wants kept is another thing from here on.
pub(super) async fn follow(
    tx: &mut Tx,
    keeper: &Keeper,
    buffer: i64,
    retention: Retention,
) -> Result<(), StoreError> {
    const BEGIN: &str = "INSERT INTO stay (buffer, channel, since)
        SELECT buffer.id, buffer.channel, CAST($2 AS BIGINT) FROM buffer JOIN link ON link.buffer = buffer.id
        WHERE buffer.id = $1 AND buffer.channel IS NOT NULL AND link.role = 'shared' AND NOT link.listens
        ON CONFLICT DO NOTHING";
    if retention == Retention::Off {
        return end(tx, keeper, Stayed::Buffer(buffer)).await;
    }
    later!(tx, BEGIN, buffer, keeper.numbers.here())?;
    Ok(())
}

impl Store {
    /// What no line has yet that was numbered by our clock, and the next has at the least.
    pub fn next_line(&self) -> i64 {
        self.keeper().numbers.here()
    }

    /// Every channel that has lines of its own, with its network.
    pub async fn channels_with_lines(&self) -> Result<Vec<(i64, String)>, StoreError> {
        const SQL: &str = "SELECT channel.id, channel.network FROM channel
            WHERE EXISTS (SELECT 1 FROM history WHERE history.channel = channel.id) ORDER BY channel.id";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).fetch_all(p).await)?)
    }

    /// Forgets lines of a channel from before a time, where there is one, and those that nobody who is known was there for,
    /// a bounded number at once; returns how many, and whether more may be left.
    pub async fn prune_channel(&self, channel: i64, before: Option<i64>) -> Result<(u64, bool), StoreError> {
        const BATCH: i64 = 500;
        // Of what is said from here on somebody may begin to hear.
        const STAYS: &str = "SELECT since, until FROM stay WHERE channel = $1 ORDER BY since";
        const LINES: &str = "DELETE FROM history WHERE id IN (SELECT id FROM history
            WHERE channel = $1 AND buffer IS NULL AND id >= $2 AND id < $3 ORDER BY id LIMIT $4)";
        const EMPTY: &str =
            "DELETE FROM stay WHERE channel = $1 AND until IS NOT NULL AND NOT EXISTS (SELECT 1 FROM history
            WHERE history.channel = stay.channel AND history.id >= stay.since AND history.id < stay.until)";
        let keeper = Arc::clone(self.keeper());
        let before = before.map_or(i64::MIN, first_at);
        self.write(move |tx| {
            Box::pin(async move {
                let stays: Vec<(i64, Option<i64>)> =
                    on_tx!(tx, |c| sqlx::query_as(STAYS).bind(channel).fetch_all(c).await)?;
                let mut gone = 0;
                for (from, to) in unheard(&stays, before, keeper.numbers.here()) {
                    gone += execute!(tx, LINES, channel, from, to, BATCH - gone as i64)?;
                    if gone == BATCH as u64 {
                        break;
                    }
                }
                if gone > 0 && matches!(tx, Tx::Sqlite(_)) {
                    execute!(tx, TO_SCRUB, SCRUB, b"begin".to_vec())?;
                }
                later!(tx, EMPTY, channel)?;
                Ok((gone, gone == BATCH as u64))
            })
        })
        .await
    }
}

/// Where the lines are, from which number to which, that are too old or that no stay holds; stays are in the order in
/// which they begin.
fn unheard(stays: &[(i64, Option<i64>)], before: i64, here: i64) -> Vec<(i64, i64)> {
    let mut gaps = vec![(i64::MIN, before)];
    // Up to here everything is gone, or heard by somebody.
    let mut known = before;
    for (since, until) in stays {
        gaps.push((known, *since));
        known = known.max(until.unwrap_or(i64::MAX));
    }
    gaps.push((known, here));
    gaps.retain(|(from, to)| from < to);
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const MIN: i64 = i64::MIN;

    #[rstest]
    #[case::nobody_was_there(&[], MIN, &[(MIN, 90)])]
    #[case::somebody_is_there(&[(10, None)], MIN, &[(MIN, 10)])]
    #[case::nobody_is_there_any_more(&[(10, Some(20))], MIN, &[(MIN, 10), (20, 90)])]
    #[case::one_after_the_other(&[(10, Some(20)), (30, None)], MIN, &[(MIN, 10), (20, 30)])]
    #[case::one_within_anothers(&[(10, Some(50)), (20, Some(30)), (40, Some(60))], MIN, &[(MIN, 10), (60, 90)])]
    #[case::too_old(&[(10, Some(20)), (40, None)], 30, &[(MIN, 30), (30, 40)])]
    #[case::too_old_in_a_stay(&[(10, None)], 30, &[(MIN, 30)])]
    fn lines_go_that_nobody_was_there_for(
        #[case] stays: &[(i64, Option<i64>)],
        #[case] before: i64,
        #[case] gaps: &[(i64, i64)],
    ) {
        assert_eq!(unheard(stays, before, 90), gaps);
    }
}
