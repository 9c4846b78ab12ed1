//! What somebody did in a shared room and is being done on IRC: its event is done with when IRC has answered, and they
//! know of it.
//!
//! That it was begun stands in the store ([`crate::store::Store::begin_event`]): a start that finds it so tells of it, and
//! does not do it twice. In memory is which of them a task sees to, so that whoever reads the lane meanwhile leaves it alone.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::Bridge;

/// The places in the inbox of what is being done.
#[derive(Debug, Default)]
pub(in crate::bridge) struct Underway(Mutex<HashSet<i64>>);

impl Underway {
    fn lock(&self) -> MutexGuard<'_, HashSet<i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them, until this is dropped.
pub(in crate::bridge) struct Begun {
    bridge: Bridge,
    seq: i64,
}

impl Bridge {
    /// The event at this place in the inbox is being done on IRC.
    pub(in crate::bridge) fn begin(&self, seq: i64) -> Begun {
        self.wanted_aliases.underway.lock().insert(seq);
        Begun { bridge: self.clone(), seq }
    }

    /// Whether it is.
    pub(in crate::bridge) fn is_underway(&self, seq: i64) -> bool {
        self.wanted_aliases.underway.lock().contains(&seq)
    }
}

impl Begun {
    /// IRC has answered, and nobody is left to be told.
    pub(in crate::bridge) async fn done(self) {
        if let Err(error) = self.bridge.store.finish_event(self.seq, None).await {
            tracing::warn!(%error, "what was done in a shared room is looked at again after the next start");
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.bridge.wanted_aliases.underway.lock().remove(&self.seq);
    }
}
