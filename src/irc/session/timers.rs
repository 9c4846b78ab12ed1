//! What happens because time goes by.
//!
//! Each timer has one line in [`Session::deadline`] and one in [`Session::tick`]; both read the same instants, so
//! a deadline that has come always does something (a test holds this against endless loops).
//!
//! Invariant 7: the time is passed in.

use std::time::{Duration, Instant};

use crate::irc::wire::Line;

use super::event::{Event, Verdict};
use super::{Expelled, Session, State};

/// From the connection to 001.
pub(super) const REGISTRATION: Duration = Duration::from_mins(1);
/// From 001 to the end of the greeting, on a server that does not end it.
const GREETING: Duration = Duration::from_secs(10);
/// Silence until we ask whether the server is there.
pub(super) const IDLE: Duration = Duration::from_secs(90);
/// Silence after that.
pub(super) const ANSWER: Duration = Duration::from_secs(30);
/// A server that is there has answered by then.
const PROMPT: Duration = Duration::from_secs(5);
/// A server that talks but does not answer PING.
pub(super) const FENCE: Duration = Duration::from_mins(2);
/// From the news that we are banned to the end of the connection.
const EXPULSION: Duration = Duration::from_secs(5);
/// From QUIT to the end of the connection.
const CLOSING: Duration = Duration::from_secs(10);

impl Session {
    /// When [`Session::tick`] or [`Session::transmit`] has something to do next. An instant that has gone means now.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if self.ended {
            return None;
        }
        if self.refused.is_some() {
            return Some(self.started);
        }
        let registering = self.state == State::Registering;
        [
            self.queue.ready_at(self.lowest_class()),
            (registering && self.registered_at.is_none()).then_some(self.started + REGISTRATION),
            self.greeting_ends_at(),
            self.login.deadline(),
            Some(self.keepalive_at()).filter(|_| self.state == State::Ready),
            self.fences.oldest().map(|at| at + FENCE),
            self.fences.impatient_at().filter(|_| self.state == State::Ready),
            self.requests.deadline(),
            self.inquiries.deadline(),
            self.list_deadline(),
            self.nicks.next_step().filter(|_| self.state == State::Ready),
            self.wishes.next_try().filter(|_| self.state == State::Ready),
            self.closing_since.map(|at| at + CLOSING),
            self.expelled.as_ref().map(|expelled| expelled.at + EXPULSION),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// When a greeting without an end is over.
    fn greeting_ends_at(&self) -> Option<Instant> {
        let waits = self.state == State::Registering && !self.login.greeted;
        waits.then_some(self.registered_at).flatten().map(|at| at + GREETING)
    }

    /// The next step of the keepalive: to ask, or to give up.
    fn keepalive_at(&self) -> Instant {
        match self.keepalive_sent {
            None => self.last_received + IDLE,
            Some(sent) => sent + ANSWER,
        }
    }

    /// Does what is due. To be called when [`Session::deadline`] has come; earlier or later does no harm.
    pub fn tick(&mut self, now: Instant, events: &mut Vec<Event>) {
        if self.ended || self.report_refusal(events) {
            return;
        }
        if self.login.deadline().is_some_and(|at| at <= now) {
            self.tick_login(now, events);
        }
        match self.state {
            State::Registering => match self.registered_at {
                None if self.started + REGISTRATION <= now => {
                    self.disconnect("the server did not complete the registration", Verdict::Retry, events);
                }
                _ if self.greeting_ends_at().is_some_and(|at| at <= now) => self.become_ready(now, events),
                _ => {}
            },
            State::Ready => self.tick_ready(now, events),
            State::Closing => {}
        }
        if let Some(Expelled { reason, verdict, .. }) = self.expelled.take_if(|it| it.at + EXPULSION <= now) {
            self.disconnect(reason, verdict, events);
        }
        self.time_out_requests(now, events);
        self.time_out_inquiries(now, events);
        self.time_out_list(now, events);
        if self.fences.oldest().is_some_and(|at| at + FENCE <= now) {
            self.disconnect("the server does not answer", Verdict::Retry, events);
        }
        if self.closing_since.is_some_and(|at| at + CLOSING <= now) {
            self.disconnect("the server did not close the connection", Verdict::Retry, events);
        }
    }

    /// Whether the server was asked a while ago if it is there, and has not answered.
    #[must_use]
    pub fn is_in_doubt(&self, now: Instant) -> bool {
        self.keepalive_sent.is_some_and(|sent| now.saturating_duration_since(sent) >= PROMPT)
    }

    /// The connection may be dead although nothing says so: the server is asked now, and has no longer than usual.
    pub fn probe(&mut self, now: Instant) {
        if self.state == State::Ready && self.keepalive_sent.is_none() {
            self.ask_for_life(now);
        }
    }

    fn ask_for_life(&mut self, now: Instant) {
        self.keepalive_sent = Some(now);
        // Messages of an open fence have left already, so this PING may confirm them too.
        let line = if self.greeted_by_znc && self.fences.bare() == 0 {
            Line::ping("towline")
        } else {
            self.fence(now)
        };
        self.control(line);
    }

    fn tick_ready(&mut self, now: Instant, events: &mut Vec<Event>) {
        if self.keepalive_at() <= now {
            if self.keepalive_sent.is_some() {
                return self.disconnect("the server is silent: ping timeout", Verdict::Retry, events);
            }
            self.ask_for_life(now);
        }
        if self.fences.impatient_at().is_some_and(|at| at <= now) {
            let line = self.fence(now);
            self.control(line);
        }
        self.tick_regain(now);
        self.retry_joins(now);
    }
}
