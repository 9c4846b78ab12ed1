//! How the homeserver's answers were, from the start of the process on.

use super::error::ClientError;
use crate::metrics::Counter;

/// Answers, by what they came to; what [`ClientError`] tells apart is told apart here.
#[derive(Debug, Default)]
pub struct Tally {
    done: Counter,
    unreachable: Counter,
    unknown: Counter,
    limited: Counter,
    refused: Counter,
}

impl Tally {
    pub(super) fn count<T>(&self, result: &Result<T, ClientError>) {
        match result {
            Ok(_) => self.done.count(),
            Err(ClientError::Unreachable(_)) => self.unreachable.count(),
            Err(ClientError::Unknown(_)) => self.unknown.count(),
            Err(ClientError::Limited(_)) => self.limited.count(),
            Err(ClientError::Refused { .. }) => self.refused.count(),
            // It never left.
            Err(ClientError::Invalid(_)) => {}
        }
    }

    /// Each outcome's word, and how often it came to that.
    pub fn counts(&self) -> [(&'static str, u64); 5] {
        [
            ("done", self.done.get()),
            ("unreachable", self.unreachable.get()),
            ("unknown", self.unknown.get()),
            ("limited", self.limited.get()),
            ("refused", self.refused.get()),
        ]
    }
}
