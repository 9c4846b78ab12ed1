//! The numbers of lines. A number tells a line's time, in milliseconds since 1970 times 16, so that the order of the
//! numbers is the order of the conversation, whenever a line was stored.
//!
//! A line of now gets the next number by our clock: lines that were read one after the other stand so, whatever clocks
//! servers have. A line of before, from a gap or a log, gets the first free number from its own time on.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::super::StoreError;
use super::super::pool::{Tx, on_tx};

/// Numbers within a millisecond.
const PER_MILLISECOND: i64 = 16;
/// How old a line may be and still be of now.
const NOW: i64 = 60 * 1000;

/// The first number of a time.
pub(crate) fn first_at(time: i64) -> i64 {
    time.max(0).saturating_mul(PER_MILLISECOND)
}

/// What was given out.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    last: Mutex<i64>,
}

impl Numbers {
    /// Nothing up to this number is given out again.
    pub(super) fn begin(&self, last: i64) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }

    /// What no line has yet that was numbered by our clock, and the next has at the least.
    pub(super) fn here(&self) -> i64 {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).saturating_add(1)
    }

    fn next(&self, now: i64) -> i64 {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = first_at(now).max(last.saturating_add(1));
        *last
    }
}

/// Gives the lines of one write their numbers.
pub(super) struct Numberer<'a> {
    numbers: &'a Numbers,
    now: i64,
    /// Numbers that no stored line has; nobody else writes meanwhile.
    free: Range<i64>,
    /// Numbers for lines of before that are yet to be stored.
    given: BTreeSet<i64>,
    /// Time and number of the last line of before.
    before: Option<(i64, i64)>,
}

impl<'a> Numberer<'a> {
    pub(super) fn new(numbers: &'a Numbers, now: i64) -> Self {
        Self { numbers, now, free: 0..0, given: BTreeSet::new(), before: None }
    }

    pub(super) async fn number(&mut self, tx: &mut Tx, at: i64) -> Result<i64, StoreError> {
        if at >= self.now.saturating_sub(NOW) {
            return Ok(self.numbers.next(self.now));
        }
        let start = match self.before {
            // What is said at the same time keeps its order.
            Some((time, number)) if time == at => number + 1,
            _ => first_at(at),
        };
        let number = self.first_free(tx, start).await?;
        self.given.insert(number);
        self.before = Some((at, number));
        Ok(number)
    }

    async fn first_free(&mut self, tx: &mut Tx, start: i64) -> Result<i64, StoreError> {
        const TAKEN: &str = "SELECT MIN(id) FROM history WHERE id >= $1";
        const LAST: &str = "SELECT MAX(id) FROM history WHERE id >= $1 AND id < $2";
        let mut number = start;
        loop {
            if self.free.contains(&number) {
                if !self.given.contains(&number) {
                    return Ok(number);
                }
                number += 1;
                continue;
            }
            let taken: Option<i64> =
                on_tx!(tx, |c| sqlx::query_scalar(TAKEN).bind(number).fetch_one(c).await)?;
            if taken != Some(number) {
                self.free = number..taken.unwrap_or(i64::MAX);
                continue;
            }
            // Behind all of this millisecond; where it is full, into the next.
            let end = (number / PER_MILLISECOND + 1) * PER_MILLISECOND;
            let last: Option<i64> =
                on_tx!(tx, |c| sqlx::query_scalar(LAST).bind(number).bind(end).fetch_one(c).await)?;
            number = last.map_or(number, |last| last + 1);
            self.free = number..end;
        }
    }
}
