//! How others reach a session's actor, and how it stands.
//!
//! Nothing here touches what the actor has: a request waits in a channel, and the status is a copy.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::super::ephemera::Passing;
use super::super::ghosts::Coming;
use super::super::usher::Ask;
use super::Actor;
use super::pace::Leaving;
use super::requests::{Envelope, Request};
use crate::irc::session::{Session, State};
use crate::names::CaseMapping;
use crate::store::SessionRow;

/// What a session is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionState {
    /// Nothing: its user does not want it connected.
    #[default]
    Idle,
    /// A server is being dialled, or greets.
    Connecting,
    /// It is on the network.
    Connected,
    /// It will try again.
    Waiting,
    /// It needs its user.
    Stuck,
}

/// How a session stands, as its user may read it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// What it is doing.
    pub state: SessionState,
    /// Its nick on the network, or the one it wants.
    pub nick: String,
    /// Since when it has been connected, in milliseconds since 1970.
    pub since: Option<i64>,
    /// How long the server took to answer last.
    pub lag: Option<Duration>,
    /// How many channels it is in.
    pub channels: usize,
    /// How many of those that it should be in it is kept out of.
    pub closed: usize,
    /// How many of the user's messages wait for a connection or a channel, or for what becomes of them.
    pub waiting: usize,
    /// What waits for its turn to leave.
    pub leaving: Option<Leaving>,
    /// Since when it sends slower, because the network threw it out for its pace, in milliseconds since 1970.
    pub slower_since: Option<i64>,
    /// Why it is not connected.
    pub reason: Option<String>,
    /// How many channels have come of a list that is coming.
    pub listed: usize,
    /// How its network compares names, as far as is known.
    pub mapping: CaseMapping,
}

/// A way to reach a session's actor.
#[derive(Debug, Clone)]
pub struct SessionHandle {
    /// Whose session it is, and where.
    pub row: SessionRow,
    pub(super) requests: mpsc::Sender<Envelope>,
    pub(super) passing: mpsc::Sender<(i64, Passing)>,
    pub(super) arrivals: mpsc::Sender<Ask>,
    pub(super) wake: Arc<Notify>,
    pub(super) status: watch::Receiver<Status>,
}

impl SessionHandle {
    /// How the session stands.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Tells the session what passes in one of its rooms, if it has time for that.
    pub(in crate::bridge) fn pass(&self, room: i64, passing: Passing) {
        drop(self.passing.try_send((room, passing)));
    }

    /// Who should come into a room and has not, a few at a time; nothing where nobody is there to be asked. They are on
    /// their way from now on.
    pub(in crate::bridge) async fn ask_who_comes(&self, room: i64, most: usize) -> Option<Vec<Coming>> {
        let (answer, answered) = oneshot::channel();
        self.arrivals.send(Ask { room, most, answer }).await.ok()?;
        answered.await.ok()
    }

    pub(in crate::bridge) fn wake(&self) {
        self.wake.notify_one();
    }

    /// The way to the network is another one. One that has much to do will find out when it dials.
    pub(in crate::bridge) fn go_other_way(&self) {
        drop(self.requests.try_send((Request::OtherWay, oneshot::channel().0)));
    }

    /// A session that does not run for now; what is said to it waits in the inbox.
    pub(in crate::bridge) fn resting(row: SessionRow, reason: &str) -> Self {
        let status =
            Status { state: SessionState::Waiting, reason: Some(reason.to_owned()), ..Status::default() };
        let (requests, passing, arrivals) = (mpsc::channel(1).0, mpsc::channel(1).0, mpsc::channel(1).0);
        Self { row, requests, passing, arrivals, wake: Arc::default(), status: watch::channel(status).1 }
    }

    /// Whether its user may not use the bridge, or its network is none, so that it is not to run.
    pub(in crate::bridge) fn is_declined(&self) -> bool {
        self.requests.is_closed() && self.status.borrow().state == SessionState::Stuck
    }

    /// Changes with its status, and errs when it has ended.
    pub(in crate::bridge) fn ends(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Whether nobody is there to be asked.
    pub(in crate::bridge) fn is_resting(&self) -> bool {
        self.requests.is_closed()
    }
}

impl Actor {
    pub(super) fn publish_status(&self) {
        let session = self.link.as_ref().map(|link| &link.session);
        // Until the greeting is over and the login settled, the server may still have nothing of us.
        let state = if session.is_some_and(|session| session.state() != State::Registering) {
            SessionState::Connected
        } else if self.link.is_some() || self.dialing.is_some() {
            SessionState::Connecting
        } else if self.stuck {
            SessionState::Stuck
        } else if self.retry_at.is_some() {
            SessionState::Waiting
        } else {
            SessionState::Idle
        };
        let leaving = self.leaving();
        let counted = leaving.as_ref().map_or(0, |leaving| leaving.backlog.messages);
        let status = Status {
            state,
            nick: session.map(|session| session.nick().to_owned()).unwrap_or_default(),
            since: self.link.as_ref().and_then(|link| link.since),
            lag: session.and_then(Session::lag),
            channels: session.map_or(0, |session| session.channels().count()),
            closed: session.map_or(0, Session::kept_out),
            waiting: self.outbound.waiting().saturating_sub(counted),
            leaving,
            slower_since: self.slower_since(),
            reason: if state == SessionState::Connected { None } else { self.last_reason.clone() },
            listed: session.map_or(0, Session::listed_so_far),
            mapping: self.buffers.mapping(),
        };
        self.status.send_if_modified(|shown| {
            let changed = *shown != status;
            *shown = status;
            changed
        });
    }
}
