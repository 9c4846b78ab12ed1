//! Registration: capabilities, and the way to `Ready`.
//!
//! Not the login ([`login`](super::login)), not the choice of a nick ([`nicks`](super::nicks)) and not the timers.
//!
//! Invariant 10: without a secure connection no password is even queued.
//!
//! Spec: modern IRC docs "Connection Registration"; `IRCv3` "Capability Negotiation".

use std::time::Instant;

use secrecy::ExposeSecret;

use crate::irc::caps::{CapStep, Capabilities};
use crate::irc::queue::Class;
use crate::irc::wire::{Line, Message};

use super::config::Entering;
use super::event::Event;
use super::login::Stage;
use super::outgoing::user_name;
use super::{Session, State};

impl Session {
    /// Queues the first lines, if they may be sent.
    pub(super) fn begin_registration(&mut self) {
        let config = &self.config;
        let has_password = config.sasl.as_ref().is_some_and(|credentials| credentials.password.is_some());
        if !config.secure && (config.server_password.is_some() || has_password) {
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
        if self.must_use_tls(events) {
            return;
        }
        for line in lines {
            self.control(line);
        }
        for message in self.refuse_multiline() {
            events.push(Event::MultilineRefused { message, reason: None });
        }
        self.relays.forget_all();
        let messages = self.refuse_relays();
        if !messages.is_empty() {
            events.push(Event::RelayRefused { messages, reason: None });
        }
        match step {
            CapStep::Wait => {}
            CapStep::Settled => self.on_caps_settled(now, events),
            CapStep::SaslOffered => self.login.offered_anew(),
            CapStep::SaslWithdrawn => self.login.withdrawn(),
        }
    }

    /// `CAP END`, once; after registration there is nothing to end.
    pub(super) fn end_negotiation(&mut self) {
        if !self.negotiated && self.registered_at.is_none() {
            self.negotiated = true;
            self.control(Capabilities::last_line());
        }
    }

    /// 001: the server has taken us.
    pub(super) fn on_welcome(&mut self, message: &Message, now: Instant, events: &mut Vec<Event>) {
        if self.registered_at.is_some() {
            return;
        }
        self.settle_login_at_welcome(events);
        if self.ended {
            return;
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

    /// The greeting is over: it is ready, unless the login is still to be done.
    pub(super) fn become_ready(&mut self, now: Instant, events: &mut Vec<Event>) {
        if self.state != State::Registering || self.registered_at.is_none() {
            return;
        }
        self.login.greeted = true;
        match self.login.stage {
            Stage::Welcome if self.has_certificate_alone() => return self.begin_recognition(now),
            Stage::Welcome => return self.begin_nickserv(now, events),
            Stage::NickServ(_) | Stage::Certificate(_) => return,
            _ => {}
        }
        self.state = State::Ready;
        self.follow_casemapping();
        events.push(Event::Ready { network: self.isupport.network().map(str::to_owned) });
        if self.config.entering == Entering::WhenReady {
            self.enter(self.wishes.names(|_| true), Class::Join, now);
        }
        self.begin_regain(now);
    }

    /// Enters the channels that were held back, once.
    pub fn release_channels(&mut self, now: Instant) {
        let entering = std::mem::replace(&mut self.config.entering, Entering::WhenReady);
        if entering == Entering::WhenReleased {
            self.enter(self.wishes.names(|_| true), Class::Join, now);
        }
    }
}
