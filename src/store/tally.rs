//! What the store counts, from the start of the process on.

use super::Store;
use crate::metrics::Counter;

/// What the store has done, and what went wrong.
#[derive(Debug, Default)]
pub struct Tally {
    /// Transactions that were committed.
    pub commits: Counter,
    /// Transactions that failed as a whole.
    pub commits_failed: Counter,
    /// Events from the homeserver that could not be dealt with.
    pub events_set_aside: Counter,
}

impl Store {
    /// What was counted.
    pub fn tally(&self) -> &Tally {
        &self.shared.tally
    }
}
