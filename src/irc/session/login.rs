//! The login with the network's services: SASL, mechanism by mechanism, or NickServ where there is no SASL.
//!
//! Not the mechanisms ([`sasl`]) and not what is said to NickServ ([`nickserv`](super::nickserv)).
//!
//! ```text
//! Idle → Sasl → Done            SASL is offered; also later, on `CAP NEW sasl`
//!      → Welcome → NickServ → Done      it is not, or the user wants it so
//!                         → Failed
//! ```
//!
//! Invariant 10: a login that is required and fails ends the connection before a channel is entered, since the user
//! would appear there without their cloak. What the user must mend (a wrong password) is told apart from what passes
//! (services that are away): a refusal says something about the password only once the server has seen a proof of it.
//! A server that fails to prove itself where the mechanism wants that is not believed, whatever numeric it sends.
//!
//! Spec: `IRCv3` "SASL Authentication" 3.1 and 3.2, "account-notify".

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretBox};

use crate::irc::numerics::{
    ERR_NICKLOCKED, ERR_SASLABORTED, ERR_SASLALREADY, ERR_SASLFAIL, ERR_SASLTOOLONG, RPL_LOGGEDIN,
    RPL_LOGGEDOUT, RPL_SASLMECHS, RPL_SASLSUCCESS,
};
use crate::irc::sasl::{self, Credentials, Exchange, Mechanism, Progress, SaslError, Step};
use crate::irc::wire::{Message, Source};

use super::event::{Event, Verdict};
use super::nickserv::{Conversation, Traces};
use super::recognition::Recognition;
use super::{Session, State};

/// How long services may take to answer.
pub(super) const LOGIN_TIMEOUT: Duration = Duration::from_secs(20);

/// What nonces are made of: a secret of the connection, from the system's randomness.
#[derive(Debug, Clone)]
pub struct NonceSeed(Arc<SecretBox<[u8; 32]>>);

impl NonceSeed {
    /// A seed that nobody else knows and no other connection has.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Arc::new(SecretBox::new(Box::new(bytes))))
    }

    /// The nonce of the connection's exchange of this number.
    fn nonce(&self, number: u64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.expose_secret());
        STANDARD.encode(&hmac::sign(&key, &number.to_be_bytes()).as_ref()[..18])
    }
}

/// How far the login is.
#[derive(Debug, Default)]
pub(super) enum Stage {
    /// Not begun, or not wanted.
    #[default]
    Idle,
    /// A mechanism is tried. Boxed, as most of a session's life knows nothing of it.
    Sasl(Box<Attempt>),
    /// NickServ's turn, or the services' own, comes when the greeting is over.
    Welcome,
    /// NickServ is looked at, or was told the password.
    NickServ(Box<Conversation>),
    /// Services may know the certificate that was shown.
    Certificate(Recognition),
    /// Logged in.
    Done,
    /// It failed; tried again only when the server offers it anew.
    Failed,
}

#[derive(Debug)]
pub(super) struct Attempt {
    exchange: Exchange,
    since: Instant,
    /// What is tried if the server does not have this mechanism.
    next: VecDeque<Mechanism>,
}

/// The login's state.
#[derive(Debug, Default)]
pub(super) struct Login {
    pub(super) stage: Stage,
    pub(super) account: Option<String>,
    /// The services went away during the exchange, so a refusal says nothing about the password.
    withdrawn: bool,
    /// The mechanisms that the server has, as 908 lists them.
    listed: Option<String>,
    /// Exchanges begun on this connection, for their nonces.
    exchanges: u64,
    /// A server that could not prove itself says that we are logged in: it is not believed.
    distrusted: bool,
    /// The greeting is over, and the login is waited for.
    pub(super) greeted: bool,
    /// What was said to NickServ.
    pub(super) traces: Traces,
}

impl Login {
    pub(super) fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// When the exchange takes too long, or the next look is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Sasl(attempt) => Some(attempt.since + LOGIN_TIMEOUT),
            Stage::NickServ(conversation) => Some(conversation.deadline()),
            Stage::Certificate(recognition) => Some(recognition.deadline()),
            _ => None,
        }
    }

    /// Whether the answer to a look at ourselves is under way.
    pub(super) fn looks_at_self(&self) -> bool {
        self.traces.look_at_self()
    }

    /// Services offer SASL again.
    pub(super) fn offered_anew(&mut self) {
        self.withdrawn = false;
        self.listed = None;
        let lost = matches!(self.stage, Stage::Done) && self.account.is_none();
        if lost || matches!(self.stage, Stage::Failed) {
            self.stage = Stage::Idle;
        }
    }

    /// Services are gone.
    pub(super) fn withdrawn(&mut self) {
        self.withdrawn = true;
    }
}

impl Session {
    /// All capabilities that were asked for are answered: log in, or end the negotiation.
    pub(super) fn on_caps_settled(&mut self, now: Instant, events: &mut Vec<Event>) {
        if !matches!(self.login.stage, Stage::Idle) {
            return;
        }
        let Some(credentials) = &self.config.sasl else {
            return self.end_negotiation();
        };
        if self.caps.enabled("sasl") && self.config.uses_sasl() {
            let list = self.caps.offered("sasl").unwrap_or_default();
            let mechanisms = sasl::choose(list, credentials).into();
            return self.try_next(mechanisms, now, events);
        }
        // After registration the services may come back and offer it anew.
        if self.registered_at.is_some() {
            return;
        }
        if credentials.password.is_some() || credentials.certificate {
            self.login.stage = Stage::Welcome;
            self.end_negotiation();
        } else {
            self.login_failed(false, "the network offers no login by certificate at the moment", events);
        }
    }

    /// Begins with the next mechanism that the server may have.
    fn try_next(&mut self, mut next: VecDeque<Mechanism>, now: Instant, events: &mut Vec<Event>) {
        if let Some(list) = &self.login.listed {
            next.retain(|mechanism| mechanism.is_in(list));
        }
        let Some(mechanism) = next.pop_front() else {
            let offered = self.login.listed.as_deref().or_else(|| self.caps.offered("sasl"));
            let offered = offered.filter(|list| !list.is_empty()).unwrap_or("nothing");
            let reason =
                format!("the network offers none of the ways to log in that are set up here, but {offered}");
            return self.login_failed(true, &reason, events);
        };
        self.login.exchanges += 1;
        let nonce = self.config.nonce_seed.nonce(self.login.exchanges);
        let (exchange, line) = Exchange::begin(mechanism, &nonce);
        self.login.stage = Stage::Sasl(Box::new(Attempt { exchange, since: now, next }));
        self.control(line);
    }

    pub(super) fn on_authenticate(&mut self, message: &Message, events: &mut Vec<Event>) {
        let (Stage::Sasl(attempt), Some(credentials)) = (&mut self.login.stage, &self.config.sasl) else {
            return;
        };
        match attempt.exchange.handle(message.param(0), credentials) {
            Step::Wait => {}
            Step::Send(lines) => lines.into_iter().for_each(|line| self.control(line)),
            Step::Fail(error) => {
                self.login.distrusted |= error == SaslError::Signature;
                self.control(sasl::abort());
                self.login_failed(true, &error.to_string(), events);
            }
        }
    }

    /// A numeric from 900 to 908. Returns whether it was about our login.
    pub(super) fn on_login_numeric(
        &mut self,
        code: u16,
        params: &[String],
        now: Instant,
        events: &mut Vec<Event>,
    ) -> bool {
        let said = params.last().map_or("", String::as_str);
        match code {
            // 900 <nick> <nick!user@host> <account> :text
            RPL_LOGGEDIN => {
                // Before 001 some servers have `*` where user and host will be.
                if let Some(prefix) = params.first()
                    && self.registered_at.is_some()
                {
                    self.learn_identity(&Source::parse(prefix));
                }
                let account = params.get(1).cloned().unwrap_or_default();
                self.on_account_known(account, now, events);
                true
            }
            RPL_LOGGEDOUT => {
                self.on_account_lost(events);
                true
            }
            RPL_SASLMECHS => {
                self.login.listed = params.first().cloned();
                true
            }
            _ => {
                let Stage::Sasl(attempt) = &mut self.login.stage else { return false };
                let (exchange, next) = (&attempt.exchange, std::mem::take(&mut attempt.next));
                let (mechanism, progress) = (exchange.mechanism(), exchange.progress());
                match code {
                    RPL_SASLSUCCESS if exchange.may_succeed() => self.sasl_done(events),
                    ERR_SASLALREADY if exchange.may_succeed() || self.login.account.is_some() => {
                        self.sasl_done(events);
                    }
                    RPL_SASLSUCCESS | ERR_SASLALREADY => {
                        self.login.distrusted = true;
                        self.login_failed(true, &SaslError::Signature.to_string(), events);
                    }
                    ERR_SASLABORTED => {
                        self.login_failed(false, &format!("the login was aborted: {said}"), events);
                    }
                    // 902: the account is frozen or the nick locked; 905: our message was too long.
                    ERR_NICKLOCKED | ERR_SASLFAIL | ERR_SASLTOOLONG => {
                        self.on_sasl_refused(mechanism, progress, next, said, now, events);
                    }
                    _ => return false,
                }
                true
            }
        }
    }

    fn on_sasl_refused(
        &mut self,
        mechanism: Mechanism,
        progress: Progress,
        next: VecDeque<Mechanism>,
        said: &str,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        let is_known = self.login.listed.as_deref().is_none_or(|list| mechanism.is_in(list));
        // The server has seen no proof of the password, so another mechanism may still do.
        let may_go_on = progress < Progress::Proved || mechanism == Mechanism::External;
        if self.login.withdrawn {
            self.login_failed(false, "the network's services went away during the login", events);
        } else if !is_known || (may_go_on && !next.is_empty()) {
            self.try_next(next, now, events);
        } else if progress == Progress::Named {
            let reason = format!("the network's services refused the login before it began: {said}");
            self.login_failed(false, &reason, events);
        } else if mechanism == Mechanism::External {
            let reason = format!(
                "the network does not know the certificate: {said}. Type certfp show to see how to add it"
            );
            self.login_failed(true, &reason, events);
        } else {
            self.login_failed(true, &format!("the network refused account or password: {said}"), events);
        }
    }

    fn sasl_done(&mut self, events: &mut Vec<Event>) {
        self.login.stage = Stage::Done;
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

    /// `ACCOUNT name`, of ourselves.
    pub(super) fn on_account(&mut self, message: &Message, now: Instant, events: &mut Vec<Event>) {
        if !self.is_own(&self.source(message).nick) {
            return self.on_person("ACCOUNT", message, events);
        }
        match message.param(0) {
            "" => {}
            "*" => self.on_account_lost(events),
            account => self.on_account_known(account.to_owned(), now, events),
        }
    }

    /// The server says to which account we are logged in.
    pub(super) fn on_account_known(&mut self, account: String, now: Instant, events: &mut Vec<Event>) {
        let unproved = matches!(&self.login.stage, Stage::Sasl(attempt) if !attempt.exchange.may_succeed());
        if self.login.distrusted || (unproved && self.config.sasl.is_some()) {
            return;
        }
        if self.login.account.as_ref() != Some(&account) {
            self.login.account = Some(account.clone());
            events.push(Event::LoggedIn { account });
        }
        // However the services have come to know us, there is nothing left to ask of NickServ.
        if matches!(self.login.stage, Stage::NickServ(_) | Stage::Certificate(_) | Stage::Welcome) {
            self.login.stage = Stage::Done;
            self.go_on(now, events);
        }
    }

    fn on_account_lost(&mut self, events: &mut Vec<Event>) {
        // Another login replaces this one without telling more.
        if self.login.account.take().is_none() {
            return;
        }
        events.push(Event::LoggedOut);
        // Channels are entered next, and would be without it.
        if self.state == State::Registering && matches!(self.login.stage, Stage::Done) {
            self.login_failed(false, "the network has logged us out again", events);
        }
    }

    /// The login did not work: registration goes on only if it may do without.
    pub(super) fn login_failed(&mut self, permanent: bool, reason: &str, events: &mut Vec<Event>) {
        let verdict = if permanent { Verdict::NeedUser } else { Verdict::Retry };
        self.login_failed_with(verdict, reason, events);
    }

    /// The same, with what is to be done where it may not do without.
    pub(super) fn login_failed_with(&mut self, verdict: Verdict, reason: &str, events: &mut Vec<Event>) {
        self.login.stage = Stage::Failed;
        let ends = self.config.login_required && self.state == State::Registering;
        let permanent = verdict == Verdict::NeedUser;
        events.push(Event::LoginFailed { permanent, ends, reason: reason.to_owned() });
        if ends {
            self.disconnect(reason, verdict, events);
        } else {
            self.end_negotiation();
        }
    }

    /// The time of the login's deadline has come.
    pub(super) fn tick_login(&mut self, now: Instant, events: &mut Vec<Event>) {
        match self.login.stage {
            Stage::Sasl(_) => {
                self.control(sasl::abort());
                self.login_failed(false, "the network's services did not answer the login", events);
            }
            Stage::NickServ(_) => self.tick_nickserv(now, events),
            Stage::Certificate(_) => self.tick_recognition(now, events),
            _ => {}
        }
    }

    /// 001 has come. A server without capabilities asks for no login, and none may be under way any more.
    pub(super) fn settle_login_at_welcome(&mut self, events: &mut Vec<Event>) {
        let has_means = |one: &Credentials| one.password.is_some() || one.certificate;
        match (&self.login.stage, self.config.sasl.as_ref().map(has_means)) {
            (Stage::Idle, Some(true)) => self.login.stage = Stage::Welcome,
            (Stage::Idle, Some(false)) | (Stage::Sasl(_), _) => {
                self.login_failed(false, "the network let us in without a login", events);
            }
            _ => {}
        }
    }

    /// What waited for the login goes on, if the greeting is over.
    pub(super) fn go_on(&mut self, now: Instant, events: &mut Vec<Event>) {
        if self.login.greeted && !self.ended {
            self.become_ready(now, events);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_exchange_of_each_connection_has_another_nonce_without_commas() {
        let (one, other) = (NonceSeed::new([1; 32]), NonceSeed::new([2; 32]));
        let nonces = [one.nonce(1), one.nonce(2), other.nonce(1), other.nonce(2)];
        for (at, nonce) in nonces.iter().enumerate() {
            assert!(nonce.len() == 24 && !nonce.contains(','), "{nonce}");
            assert!(!nonces[at + 1..].contains(nonce), "{nonces:?}");
        }
    }
}
