//! How the bridge is, for Prometheus: what it has counted, and what it looks up when it is asked.
//!
//! It is no log and names nobody. What is counted while messages travel are atomics (`tally`); whatever needs a lock or
//! the store is looked up here, for the page, and a store that does not answer leaves the rest of the page as it is.

pub mod families;
mod tally;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use self::families::{
    COMMITS, CONNECTIONS, DATABASE_UP, DISCONNECTIONS, INFO, LAG, LINES, MEMORY, NOT_SHOWN, OLDEST, PARTS,
    PASSING_DROPPED, QUEUE, REQUESTS, RETRIES, SESSIONS, SET_ASIDE, STARTED, TO_IRC, TO_MATRIX, TRANSACTIONS,
    TURNS,
};
use self::tally::OTHER;
pub(super) use self::tally::{NetworkTally, Tally};
use super::{Bridge, SessionState, Shared, administration};
use crate::irc::channels::NickPool;
use crate::metrics::{Family, Page};

/// How long the store may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a session may stand, and the word for it.
const STATES: [(SessionState, &str); 5] = [
    (SessionState::Connected, "connected"),
    (SessionState::Connecting, "connecting"),
    (SessionState::Waiting, "waiting"),
    (SessionState::Stuck, "stuck"),
    (SessionState::Idle, "idle"),
];

/// How the sessions of a network stand.
#[derive(Default)]
struct Standing {
    states: [usize; STATES.len()],
    lags: Vec<Duration>,
}

impl Shared {
    /// What a network is called as a label: there are only as many as administrators have added, and no user's own.
    fn label<'a>(&self, network: &'a str) -> &'a str {
        let is_known = self.networks.get(network).is_some_and(|known| !known.is_own());
        if is_known { network } else { OTHER }
    }

    /// What is counted for the sessions of a network.
    pub(super) fn network_tally(&self, network: &str) -> Arc<NetworkTally> {
        self.tally.network(self.label(network))
    }
}

impl Bridge {
    /// The page for Prometheus.
    pub async fn metrics(&self) -> String {
        let mut page = Page::default();
        self.write_sessions(&mut page);
        self.write_networks(&mut page);
        page.begin(&TO_MATRIX);
        page.histogram(&TO_MATRIX, &[], &self.tally.to_matrix);
        self.write_queues(&mut page).await;
        page.begin(&SET_ASIDE);
        for (reason, count) in self.tally.refusals() {
            page.number(&SET_ASIDE, &["outbox", reason], count as f64);
        }
        let store = self.store.tally();
        page.number(&SET_ASIDE, &["inbox", "failed"], store.events_set_aside.get() as f64);
        single(&mut page, &PASSING_DROPPED, self.tally.passing_dropped.get() as f64);
        let taken = [("taken", &self.tally.transactions), ("failed", &self.tally.transactions_failed)];
        by_word(&mut page, &TRANSACTIONS, taken.map(|(word, counter)| (word, counter.get())));
        let mut requests = BTreeMap::new();
        for client in [Some(&self.client), self.puppets.as_ref()].into_iter().flatten() {
            for (outcome, count) in client.tally().counts() {
                *requests.entry(outcome).or_default() += count;
            }
        }
        by_word(&mut page, &REQUESTS, requests);
        single(&mut page, &RETRIES, self.tally.retries.get() as f64);
        let commits = [("done", &store.commits), ("failed", &store.commits_failed)];
        by_word(&mut page, &COMMITS, commits.map(|(word, counter)| (word, counter.get())));
        by_word(&mut page, &PARTS, self.parts().map(|(part, held)| (part, held as u64)));
        page.begin(&INFO);
        page.number(&INFO, &[env!("CARGO_PKG_VERSION")], 1.0);
        page.begin(&MEMORY);
        if let Some(bytes) = administration::resident() {
            page.number(&MEMORY, &[], bytes as f64);
        }
        single(&mut page, &STARTED, self.tally.started_at as f64 / 1_000.0);
        page.finish()
    }

    /// How the sessions stand now.
    fn write_sessions(&self, page: &mut Page) {
        let mut networks: BTreeMap<String, Standing> = BTreeMap::new();
        for session in self.sessions(None) {
            let status = session.status();
            let standing = networks.entry(self.label(&session.row.network).to_owned()).or_default();
            if let Some(place) = STATES.iter().position(|(state, _)| *state == status.state) {
                standing.states[place] += 1;
            }
            standing.lags.extend(status.lag);
        }
        page.begin(&SESSIONS);
        for (network, standing) in &networks {
            for ((_, state), count) in STATES.iter().zip(standing.states) {
                page.number(&SESSIONS, &[network, state], count as f64);
            }
        }
        page.begin(&LAG);
        for (network, standing) in &mut networks {
            standing.lags.sort_unstable();
            let [median, largest] = [standing.lags.get(standing.lags.len() / 2), standing.lags.last()];
            for (of, lag) in [("median", median), ("largest", largest)] {
                if let Some(lag) = lag {
                    page.number(&LAG, &[network, of], lag.as_secs_f64());
                }
            }
        }
        let mut turns: BTreeMap<&str, usize> = BTreeMap::new();
        let queued = self.gates.queued();
        for (network, queued) in &queued {
            *turns.entry(self.label(network)).or_default() += queued;
        }
        by_word(page, &TURNS, turns.into_iter().map(|(network, queued)| (network, queued as u64)));
    }

    /// What was counted for each network.
    fn write_networks(&self, page: &mut Page) {
        let networks = self.tally.networks();
        page.begin(&CONNECTIONS);
        for (network, tally) in &networks {
            page.number(&CONNECTIONS, &[network], tally.connections.get() as f64);
        }
        page.begin(&DISCONNECTIONS);
        for (network, tally) in &networks {
            for (cause, count) in tally.disconnections() {
                page.number(&DISCONNECTIONS, &[network, cause], count as f64);
            }
        }
        page.begin(&TO_IRC);
        for (network, tally) in &networks {
            page.histogram(&TO_IRC, &[network], &tally.to_irc);
        }
        page.begin(&LINES);
        for (network, tally) in &networks {
            for (outcome, count) in tally.lines() {
                page.number(&LINES, &[network, outcome], count as f64);
            }
        }
        page.begin(&NOT_SHOWN);
        for (network, tally) in &networks {
            for (reason, count) in tally.not_shown() {
                page.number(&NOT_SHOWN, &[network, reason], count as f64);
            }
        }
    }

    /// What waits in the stored queues; nothing is said of them where the store does not answer.
    async fn write_queues(&self, page: &mut Page) {
        let queues = tokio::time::timeout(PATIENCE, self.store.queues()).await.ok().and_then(Result::ok);
        let named = queues
            .map(|queues| [("inbox", queues.inbox), ("outbox", queues.outbox), ("lines", queues.lines)]);
        page.begin(&QUEUE);
        for (queue, waits) in named.iter().flatten() {
            page.number(&QUEUE, &[queue], waits.waiting as f64);
        }
        page.begin(&OLDEST);
        let now = self.clock.unix_ms();
        for (queue, waits) in named.iter().flatten() {
            let age = waits.oldest.map_or(0, |oldest| (now - oldest).max(0));
            page.number(&OLDEST, &[queue], age as f64 / 1_000.0);
        }
        single(page, &DATABASE_UP, if queues.is_some() { 1.0 } else { 0.0 });
    }

    /// How much the parts hold in memory.
    fn parts(&self) -> [(&'static str, usize); 10] {
        let nicks = self.nicks.lock().unwrap_or_else(PoisonError::into_inner);
        let nicks = nicks.values().map(NickPool::len).sum();
        [
            ("tasks", self.tasks.len()),
            ("nicks", nicks),
            ("ghost_memberships", self.ghosts.remembered()),
            ("requests_under_way", self.attempts.len()),
            ("rooms_loaded", self.load.len()),
            ("rooms_ushered", self.usher.len()),
            ("deliveries", self.deliveries.len()),
            ("departures", self.departures.len()),
            ("desks", self.desks.len()),
            ("spaces", self.spaces.len()),
        ]
    }
}

/// A family of one number.
fn single(page: &mut Page, family: &Family, number: f64) {
    page.begin(family);
    page.number(family, &[], number);
}

/// A family whose only label has these values.
fn by_word<'a>(page: &mut Page, family: &Family, counts: impl IntoIterator<Item = (&'a str, u64)>) {
    page.begin(family);
    for (word, count) in counts {
        page.number(family, &[word], count as f64);
    }
}
