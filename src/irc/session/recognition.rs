//! The login that comes by itself: on a network without SASL, services that know the certificate which was shown log
//! us in when we are connected.
//!
//! Nothing is sent for it, so it is waited for, and channels with it. It is seen by numeric 900, by `ACCOUNT` for
//! ourselves, or in a `WHOIS` of ourselves (330, 307): one when the greeting is over, one when our modes change in a
//! way that may mean a login, and one in the end. A mode alone is no proof: `+R` is set by the services of OFTC, and
//! elsewhere by whoever likes. The last look goes to NickServ as well: services that are away may know us later, those
//! that are there do not.
//!
//! Not a login by a password, which is [`nickserv`](super::nickserv).

use std::time::{Duration, Instant};

use crate::irc::numerics::{ERR_NOSUCHNICK, RPL_ENDOFWHOIS, RPL_WHOISACCOUNT, RPL_WHOISREGNICK};
use crate::irc::wire::Line;

use super::Session;
use super::event::Event;
use super::login::{LOGIN_TIMEOUT, Stage};
use super::nickserv::NICKSERV;

/// From the end of the greeting to the last look.
const PATIENCE: Duration = Duration::from_secs(10);

/// How far the wait for the services is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recognition {
    since: Instant,
    /// The last look was taken.
    is_last: bool,
}

impl Recognition {
    pub(super) fn deadline(&self) -> Instant {
        self.since + if self.is_last { LOGIN_TIMEOUT } else { PATIENCE }
    }
}

impl Session {
    /// Whether there is nothing but a certificate to be known by.
    pub(super) fn has_certificate_alone(&self) -> bool {
        self.config.sasl.as_ref().is_some_and(|one| one.certificate && one.password.is_none())
    }

    /// The greeting is over: see whether the services know us.
    pub(super) fn begin_recognition(&mut self, now: Instant) {
        self.login.stage = Stage::Certificate(Recognition { since: now, is_last: false });
        self.look_at_self();
    }

    /// Our modes have changed in a way that may mean a login.
    pub(super) fn look_again(&mut self) {
        if matches!(self.login.stage, Stage::Certificate(_)) && !self.login.looks_at_self() {
            self.look_at_self();
        }
    }

    pub(super) fn tick_recognition(&mut self, now: Instant, events: &mut Vec<Event>) {
        match &mut self.login.stage {
            Stage::Certificate(recognition) if !recognition.is_last => {
                *recognition = Recognition { since: now, is_last: true };
                self.look_at_self();
                self.control(Line::new("WHOIS").name_literal(NICKSERV).finish());
            }
            Stage::Certificate(_) => {
                self.recognition_failed(
                    false,
                    "the server did not say whether we are logged in",
                    now,
                    events,
                );
            }
            _ => {}
        }
    }

    /// A numeric while the services are waited for; returns whether it belongs to that.
    pub(super) fn on_recognition_numeric(
        &mut self,
        code: u16,
        params: &[String],
        is_about_self: bool,
        now: Instant,
        events: &mut Vec<Event>,
    ) -> bool {
        let Stage::Certificate(recognition) = self.login.stage else { return is_about_self };
        let about = params.first().map_or("", String::as_str);
        let is_about_nickserv = recognition.is_last && self.isupport.casemapping().same(about, NICKSERV);
        match code {
            RPL_WHOISACCOUNT if is_about_self => {
                let account = params.get(1).cloned().unwrap_or_default();
                self.on_account_known(account, now, events);
            }
            RPL_WHOISREGNICK if is_about_self => {
                let account = self.config.sasl.as_ref().map(|credentials| credentials.account.clone());
                self.on_account_known(account.unwrap_or_default(), now, events);
            }
            ERR_NOSUCHNICK if is_about_nickserv => {
                self.services_absent(now, events);
            }
            RPL_ENDOFWHOIS if is_about_nickserv => {
                let reason = "the network has no SASL, and its services did not log you in by the certificate. Type \
                              certfp show to see how to add it";
                self.recognition_failed(true, reason, now, events);
            }
            _ => return is_about_self || (is_about_nickserv && matches!(code, 300..=399 | 671)),
        }
        true
    }

    fn recognition_failed(&mut self, permanent: bool, reason: &str, now: Instant, events: &mut Vec<Event>) {
        self.login_failed(permanent, reason, events);
        self.go_on(now, events);
    }
}
