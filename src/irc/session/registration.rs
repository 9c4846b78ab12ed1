//! Registration: capabilities, the login, and the way to `Ready`.
//!
//! Not the choice of a nick ([`nicks`](super::nicks)) and not the timers.
//!
//! Invariant 10: without a secure connection no password is even queued. A login that is required and fails ends
//! the connection before a channel is entered, since the user would appear there without their cloak. What the
//! user must mend (a wrong password) is told apart from what passes (services that are away).
//!
//! Spec: modern IRC docs "Connection Registration"; `IRCv3` "Capability Negotiation", "SASL Authentication" 3.2.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret;

use crate::irc::caps::{CapStep, Capabilities};
use crate::irc::numerics::{RPL_LOGGEDIN, RPL_LOGGEDOUT, RPL_SASLMECHS};
use crate::irc::sasl::{self, SaslResult};
use crate::irc::wire::{Line, Message};

use super::event::{Event, Verdict};
use super::outgoing::user_name;
use super::{Session, State};

/// How long services may take to answer.
pub(super) const LOGIN_TIMEOUT: Duration = Duration::from_secs(20);

/// How far the login is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Step {
    /// Not begun, or not wanted.
    #[default]
    Idle,
    /// `AUTHENTICATE PLAIN` was sent.
    Started,
    /// The credentials were sent.
    Responded,
    /// Logged in.
    Done,
    /// It failed; tried again only when the server offers it anew.
    Failed,
}

/// The login's state.
#[derive(Debug, Default)]
pub(super) struct Login {
    step: Step,
    since: Option<Instant>,
    account: Option<String>,
    /// The services went away during the exchange, so a refusal says nothing about the password.
    withdrawn: bool,
    /// 908 said that our mechanism is not there.
    wrong_mechanism: bool,
    /// `CAP END` was sent.
    negotiated: bool,
}

impl Login {
    pub(super) fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// When the exchange takes too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        matches!(self.step, Step::Started | Step::Responded)
            .then_some(self.since)
            .flatten()
            .map(|at| at + LOGIN_TIMEOUT)
    }
}

impl Session {
    /// Queues the first lines, if they may be sent.
    pub(super) fn begin_registration(&mut self) {
        let config = &self.config;
        if !config.secure && (config.server_password.is_some() || config.sasl.is_some()) {
            self.refused = Some("the connection is not secure, so no password is sent over it: use TLS");
            return;
        }
        let mut lines = vec![Capabilities::first_line()];
        if let Some(password) = &config.server_password {
            let Ok(line) = Line::new("PASS").trailing(password.expose_secret()) else {
                self.refused = Some("the server's password holds a line break, which IRC cannot carry");
                return;
            };
            lines.push(line);
        }
        lines.push(Line::nick(&config.nick));
        let user =
            Line::new("USER").name_literal(&user_name(&config.username)).name_literal("0").name_literal("*");
        // Some servers refuse an empty real name.
        let realname =
            if config.realname.trim().is_empty() { config.nick.as_str() } else { &config.realname };
        lines.push(Line::with_text(user, realname));
        for line in lines {
            self.control(line);
        }
    }

    pub(super) fn on_cap(&mut self, message: &Message, now: Instant, events: &mut Vec<Event>) {
        let mut lines = Vec::new();
        let step = self.caps.handle(&message.params, &mut lines);
        for line in lines {
            self.control(line);
        }
        for message in self.refuse_multiline() {
            events.push(Event::MultilineRefused { message, reason: None });
        }
        match step {
            CapStep::Wait => {}
            CapStep::Settled => self.on_caps_settled(now, events),
            CapStep::SaslOffered => {
                if self.login.step == Step::Failed {
                    self.login.step = Step::Idle;
                }
                self.login.withdrawn = false;
            }
            CapStep::SaslWithdrawn => self.login.withdrawn = true,
        }
    }

    /// All requests are answered: log in, or end the negotiation.
    fn on_caps_settled(&mut self, now: Instant, events: &mut Vec<Event>) {
        if self.login.step != Step::Idle {
            return;
        }
        if self.config.sasl.is_none() {
            return self.end_negotiation();
        }
        if !self.caps.enabled("sasl") {
            // After registration the services may come back and offer it anew.
            if self.registered_at.is_none() {
                self.login_failed(false, "the network offers no login at the moment", events);
            }
        } else if sasl::offers_plain(self.caps.offered("sasl").unwrap_or_default()) {
            self.login.step = Step::Started;
            self.login.since = Some(now);
            self.control(sasl::start());
        } else {
            self.login_failed(true, "the network does not offer login with a password (SASL PLAIN)", events);
        }
    }

    pub(super) fn on_authenticate(&mut self, message: &Message) {
        if self.login.step != Step::Started || message.param(0) != "+" {
            return;
        }
        let Some(credentials) = &self.config.sasl else {
            return;
        };
        self.login.step = Step::Responded;
        for line in sasl::respond(credentials) {
            self.control(line);
        }
    }

    /// A numeric from 900 to 908. Returns whether it was about our login.
    pub(super) fn on_login_numeric(&mut self, code: u16, params: &[String], events: &mut Vec<Event>) -> bool {
        match code {
            // 900 <nick> <nick!user@host> <account> :text
            RPL_LOGGEDIN => {
                // Before 001 some servers have `*` where user and host will be.
                if let Some(prefix) = params.first()
                    && self.registered_at.is_some()
                {
                    self.learn_identity(&crate::irc::wire::Source::parse(prefix));
                }
                let account = params.get(1).cloned().unwrap_or_default();
                self.login.account = Some(account.clone());
                events.push(Event::LoggedIn { account });
                return true;
            }
            RPL_LOGGEDOUT => {
                // Another login replaces this one without telling more.
                if self.login.account.take().is_some() {
                    events.push(Event::LoggedOut);
                }
                return true;
            }
            RPL_SASLMECHS => {
                self.login.wrong_mechanism = !sasl::offers_plain(params.first().map_or("", String::as_str));
                return true;
            }
            _ => {}
        }
        let Some(result) = SaslResult::of(code) else {
            return false;
        };
        if !matches!(self.login.step, Step::Started | Step::Responded) {
            return false;
        }
        let said = params.last().map_or("", String::as_str);
        match result {
            SaslResult::Done => self.logged_in(events),
            SaslResult::Aborted => {
                self.login_failed(false, &format!("the login was aborted: {said}"), events);
            }
            SaslResult::Refused if self.login.withdrawn => {
                self.login_failed(false, "the network's services went away during the login", events);
            }
            SaslResult::Refused if self.login.wrong_mechanism => {
                self.login_failed(
                    true,
                    "the network does not offer login with a password (SASL PLAIN)",
                    events,
                );
            }
            SaslResult::Refused => {
                self.login_failed(true, &format!("the network refused account or password: {said}"), events);
            }
        }
        true
    }

    fn logged_in(&mut self, events: &mut Vec<Event>) {
        self.login.step = Step::Done;
        // Some servers send 903 alone.
        if self.login.account.is_none()
            && let Some(credentials) = &self.config.sasl
        {
            let account = credentials.account.clone();
            self.login.account = Some(account.clone());
            events.push(Event::LoggedIn { account });
        }
        self.end_negotiation();
    }

    /// The login did not work: registration goes on only if it may do without.
    fn login_failed(&mut self, permanent: bool, reason: &str, events: &mut Vec<Event>) {
        self.login.step = Step::Failed;
        events.push(Event::SaslFailed { permanent, reason: reason.to_owned() });
        if self.config.sasl_required && self.state == State::Registering {
            let verdict = if permanent { Verdict::NeedUser } else { Verdict::Retry };
            self.disconnect(reason, verdict, events);
        } else {
            self.end_negotiation();
        }
    }

    /// Services did not answer in time.
    pub(super) fn login_timed_out(&mut self, events: &mut Vec<Event>) {
        self.control(sasl::abort());
        self.login_failed(false, "the network's services did not answer the login", events);
    }

    /// `CAP END`, once; after registration there is nothing to end.
    fn end_negotiation(&mut self) {
        if !self.login.negotiated && self.registered_at.is_none() {
            self.login.negotiated = true;
            self.control(Capabilities::last_line());
        }
    }

    /// 001: the server has taken us.
    pub(super) fn on_welcome(&mut self, message: &Message, now: Instant, events: &mut Vec<Event>) {
        if self.registered_at.is_some() {
            return;
        }
        // A server without capabilities welcomes us with no login done.
        if self.config.sasl.is_some() && !matches!(self.login.step, Step::Done | Step::Failed) {
            self.login_failed(false, "the network let us in without a login", events);
            if self.ended {
                return;
            }
        }
        self.registered_at = Some(now);
        self.server = message.source.as_ref().map(|source| source.nick.clone()).unwrap_or_default();
        self.nicks.registered(message.param(0));
        // Many servers end their welcome with our full prefix.
        if let Some(prefix) = message.params.last().and_then(|text| text.rsplit(' ').next()) {
            self.learn_identity(&crate::irc::wire::Source::parse(prefix));
        }
        events.push(Event::Registered { nick: self.nicks.current().to_owned(), server: self.server.clone() });
    }

    /// The greeting is over.
    pub(super) fn become_ready(&mut self, now: Instant, events: &mut Vec<Event>) {
        if self.state != State::Registering || self.registered_at.is_none() {
            return;
        }
        self.state = State::Ready;
        events.push(Event::Ready { network: self.isupport.network().map(str::to_owned) });
        let wanted: Vec<_> = self.wanted.values().cloned().collect();
        self.queue_joins(wanted.iter().map(|wanted| (&wanted.channel, wanted.key.as_ref())).collect());
        self.plan_regain(now);
    }
}
