//! What the bridge counts while it works: atomics only, so that no message waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::irc::session::Verdict;
use crate::matrix::ClientError;
use crate::metrics::{Counter, Histogram};
use crate::store::LineState;

/// Codes of refusals that are told apart.
const CODES: [&str; 11] = [
    "M_FORBIDDEN",
    "M_NOT_FOUND",
    "M_TOO_LARGE",
    "M_BAD_JSON",
    "M_BAD_STATE",
    "M_EXCLUSIVE",
    "M_INVALID_PARAM",
    "M_UNKNOWN",
    "M_UNRECOGNIZED",
    "M_USER_DEACTIVATED",
    OTHER,
];
/// What has no word of its own.
pub(super) const OTHER: &str = "other";

/// What is counted for the bridge as a whole.
pub(in crate::bridge) struct Tally {
    /// When the bridge was made, in milliseconds since 1970.
    pub(super) started_at: i64,
    pub(in crate::bridge) to_matrix: Histogram,
    pub(in crate::bridge) retries: Counter,
    pub(in crate::bridge) transactions: Counter,
    pub(in crate::bridge) transactions_failed: Counter,
    pub(in crate::bridge) passing_dropped: Counter,
    set_aside: [Counter; CODES.len()],
    networks: Mutex<BTreeMap<String, Arc<NetworkTally>>>,
}

impl Tally {
    pub(in crate::bridge) fn new(started_at: i64) -> Self {
        Self {
            started_at,
            to_matrix: Histogram::default(),
            retries: Counter::default(),
            transactions: Counter::default(),
            transactions_failed: Counter::default(),
            passing_dropped: Counter::default(),
            set_aside: Default::default(),
            networks: Mutex::default(),
        }
    }

    /// The homeserver has refused a request for good.
    pub(in crate::bridge) fn set_aside(&self, reason: &ClientError) {
        let place = CODES.iter().position(|code| reason.is(code)).unwrap_or(CODES.len() - 1);
        self.set_aside[place].count();
    }

    /// How often a request was refused for good, by code.
    pub(super) fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        CODES.into_iter().zip(self.set_aside.iter().map(Counter::get))
    }

    /// What is counted for the sessions of a network.
    pub(super) fn network(&self, label: &str) -> Arc<NetworkTally> {
        let mut networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(networks.entry(label.to_owned()).or_default())
    }

    /// The networks that had sessions.
    pub(super) fn networks(&self) -> Vec<(String, Arc<NetworkTally>)> {
        let networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        networks.iter().map(|(label, tally)| (label.clone(), Arc::clone(tally))).collect()
    }
}

/// What is counted for a network.
#[derive(Default)]
pub(in crate::bridge) struct NetworkTally {
    pub(in crate::bridge) to_irc: Histogram,
    pub(in crate::bridge) connections: Counter,
    pub(in crate::bridge) unreachable: Counter,
    pub(in crate::bridge) folded: Counter,
    pub(in crate::bridge) malformed: Counter,
    lost: Counter,
    refused: Counter,
    throttled: Counter,
    banned: Counter,
    wants_tls: Counter,
    needs_user: Counter,
    lines_confirmed: Counter,
    lines_refused: Counter,
    lines_uncertain: Counter,
}

impl NetworkTally {
    /// A connection has ended.
    pub(in crate::bridge) fn ended(&self, verdict: Verdict) {
        match verdict {
            Verdict::Retry => self.lost.count(),
            Verdict::Hold(_) => self.refused.count(),
            Verdict::Throttled(_) => self.throttled.count(),
            Verdict::Banned(_) => self.banned.count(),
            Verdict::UseTls(_) => self.wants_tls.count(),
            Verdict::NeedUser => self.needs_user.count(),
        }
    }

    /// It is known what became of lines.
    pub(in crate::bridge) fn settled(&self, state: LineState, lines: usize) {
        match state {
            LineState::Confirmed => self.lines_confirmed.add(lines as u64),
            LineState::Refused => self.lines_refused.add(lines as u64),
            LineState::Uncertain => self.lines_uncertain.add(lines as u64),
            LineState::Queued | LineState::Sending => {}
        }
    }

    pub(super) fn disconnections(&self) -> [(&'static str, u64); 7] {
        [
            ("unreachable", self.unreachable.get()),
            ("lost", self.lost.get()),
            ("refused", self.refused.get()),
            ("throttled", self.throttled.get()),
            ("banned", self.banned.get()),
            ("tls", self.wants_tls.get()),
            ("needs_user", self.needs_user.get()),
        ]
    }

    pub(super) fn lines(&self) -> [(&'static str, u64); 3] {
        [
            ("confirmed", self.lines_confirmed.get()),
            ("refused", self.lines_refused.get()),
            ("uncertain", self.lines_uncertain.get()),
        ]
    }

    pub(super) fn not_shown(&self) -> [(&'static str, u64); 2] {
        [("folded", self.folded.get()), ("malformed", self.malformed.get())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::a_known_code("M_TOO_LARGE", "M_TOO_LARGE")]
    #[case::a_code_of_the_homeservers_own("ORG_EXAMPLE_NO", OTHER)]
    #[case::text("M_FORBIDDEN\"} 1", OTHER)]
    fn a_refusal_has_the_label_of_its_code_or_none_of_its_own(#[case] code: &str, #[case] label: &str) {
        let tally = Tally::new(0);
        tally.set_aside(&ClientError::Refused { status: 400, code: code.to_owned(), message: String::new() });
        let counted: Vec<&str> =
            tally.refusals().filter(|(_, count)| *count > 0).map(|(label, _)| label).collect();
        assert_eq!(counted, [label]);
    }
}
