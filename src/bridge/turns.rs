//! Turns: each network's [`Governor`] with the clock and the tasks that it has not, and with who waits for it.
//!
//! A session waits by [`Gate::turn`] and holds the [`Turn`] that it gets until its connection is over; a future that is
//! dropped leaves the queue, and a turn that is dropped is given back, so that no way to end a session can take a turn,
//! or a place on the network, with it. No message waits here: only connections do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Bridge, SessionHandle, Shared};
use crate::clock::Clock;
use crate::config::Network;
use crate::irc::governor::{Governor, InQueue, Limits, Urgency};
use crate::irc::session::Verdict;

/// The queues of all networks, by slug.
#[derive(Default)]
pub(super) struct Gates(Mutex<HashMap<String, Arc<Gate>>>);

impl Gates {
    /// How many sessions wait for their turn on each network.
    pub(super) fn queued(&self) -> Vec<(String, usize)> {
        let gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gates.iter().map(|(network, gate)| (network.clone(), gate.lock().waiting.len())).collect()
    }
}

/// The queue before one network.
pub(super) struct Gate {
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
    /// Something has changed that may give somebody a turn.
    changed: Notify,
    /// The network is gone, or the bridge stops.
    stop: CancellationToken,
}

struct State {
    governor: Governor,
    waiting: HashMap<i64, oneshot::Sender<Turn>>,
}

/// The right to connect, and then the place on the network, until it is dropped.
pub(super) struct Turn {
    gate: Arc<Gate>,
    session: i64,
}

/// A session that waits in the queue.
struct Waiting {
    gate: Arc<Gate>,
    session: i64,
}

impl Bridge {
    /// The queue before this network.
    pub(super) fn gate(&self, network: &Network) -> Arc<Gate> {
        let mut gates = self.gates.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = gates.entry(network.slug.as_str().to_owned()).or_insert_with(|| {
            let gate = Arc::new(Gate::new(network, Arc::clone(&self.clock), self.stop.child_token()));
            self.tasks.spawn(Arc::clone(&gate).run());
            gate
        });
        Arc::clone(gate)
    }

    /// Nobody waits for this network any more.
    pub(super) fn forget_gate(&self, network: &str) {
        let gate = self.gates.0.lock().unwrap_or_else(PoisonError::into_inner).remove(network);
        if let Some(gate) = gate {
            gate.stop.cancel();
        }
    }

    /// The network may be asked to bear something else now.
    pub(super) fn renew_gate(&self, network: &Network) {
        let gates = self.gates.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(network.slug.as_str()) {
            gate.set_limits(limits_of(network));
        }
    }

    /// Has the network's sessions look whether they still have to wait.
    pub(super) fn wake_sessions_of(&self, network: &str) {
        let sessions = self.sessions(None);
        sessions.iter().filter(|session| session.row.network == network).for_each(SessionHandle::wake);
    }
}

impl Shared {
    /// A session's place in the queue before its network, while it waits there.
    pub fn place(&self, network: &str, session: i64) -> Option<InQueue> {
        let gate = self.gates.0.lock().unwrap_or_else(PoisonError::into_inner).get(network).cloned();
        gate?.lock().governor.place(session)
    }
}

fn limits_of(network: &Network) -> Limits {
    Limits {
        parallel: network.connections.parallel as usize,
        interval: network.connections.interval,
        fastest: network.connections.fastest,
    }
}

impl Gate {
    fn new(network: &Network, clock: Arc<dyn Clock>, stop: CancellationToken) -> Self {
        let mut seed = [0; 8];
        // Jitter without randomness is still jitter.
        let _ = crate::clock::random_bytes(&mut seed);
        let governor = Governor::new(limits_of(network), u64::from_ne_bytes(seed));
        let state = Mutex::new(State { governor, waiting: HashMap::new() });
        Self { state, clock, changed: Notify::new(), stop }
    }

    fn set_limits(&self, limits: Limits) {
        self.lock().governor.set_limits(limits, self.clock.now());
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for this session's turn to connect, which it wants since then.
    pub(super) async fn turn(self: Arc<Self>, session: i64, urgency: Urgency, since: Instant) -> Turn {
        let (give, given) = oneshot::channel();
        {
            let mut state = self.lock();
            state.governor.ask(session, urgency, since);
            state.waiting.insert(session, give);
        }
        self.changed.notify_one();
        let _leaves_when_dropped = Waiting { gate: Arc::clone(&self), session };
        match given.await {
            Ok(turn) => turn,
            // The bridge stops, and with it whoever waits.
            Err(_) => std::future::pending().await,
        }
    }

    /// A session that waits is needed.
    pub(super) fn raise(&self, session: i64, urgency: Urgency) {
        self.lock().governor.raise(session, urgency);
        self.changed.notify_one();
    }

    /// A connection of this session has ended with this verdict.
    pub(super) fn refused(&self, session: i64, verdict: Verdict) {
        self.lock().governor.refused(session, verdict, self.clock.now());
        self.changed.notify_one();
    }

    /// Whether the network has taken us again since then, after it had refused all of us.
    pub(super) fn opened_after(&self, then: Instant) -> bool {
        self.lock().governor.opened_after(then)
    }

    /// Gives out turns until the bridge stops, or the network is gone.
    async fn run(self: Arc<Self>) {
        loop {
            let now = self.clock.now();
            let (given, deadline) = self.give(now);
            for (session, give) in given {
                // A turn that nobody takes any more gives itself back, for which it needs the lock.
                let _ = give.send(Turn { gate: Arc::clone(&self), session });
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.changed.notified() => {}
                () = super::session::until(deadline, now) => {}
            }
        }
    }

    /// Who has a turn now, and when the next one has.
    fn give(&self, now: Instant) -> (Vec<(i64, oneshot::Sender<Turn>)>, Option<Instant>) {
        let mut state = self.lock();
        let mut given = Vec::new();
        while let Some(session) = state.governor.next(now) {
            match state.waiting.remove(&session) {
                Some(give) => given.push((session, give)),
                None => state.governor.failed(session, now),
            }
        }
        (given, state.governor.deadline(now))
    }
}

impl Turn {
    /// The server has taken the session; whether this opens a network that had refused all of us.
    pub(super) fn registered(&self) -> bool {
        let opens = self.gate.lock().governor.registered(self.session, self.gate.clock.now());
        self.gate.changed.notify_one();
        opens
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.gate.lock().governor.failed(self.session, self.gate.clock.now());
        self.gate.changed.notify_one();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.waiting.remove(&self.session);
        state.governor.withdraw(self.session);
        drop(state);
        self.gate.changed.notify_one();
    }
}
