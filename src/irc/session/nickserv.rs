//! Logging in by telling NickServ the password: for networks without SASL, and for users who want it so.
//!
//! Anybody can take the nick NickServ while the services are away, and collect passwords. So it is told nothing unless
//! the server vouches for it, in one of two ways:
//!
//! - The user has given its full address, `NickServ@services.example.org`. A server delivers to such an address only
//!   what a service on that very server has, or answers with an error.
//! - `WHOIS NickServ` shows it as a service of the network: numeric 313 or 310 that speaks of a network's service.
//!   These come from the server and not from the nick's owner. What an owner can write is no proof (311's real name,
//!   301), nor is 320, which services hand out as titles, nor that it is an operator.
//!
//! Between that answer and the password the nick may change hands, so the password goes to the nick at the server that
//! 312 names, then to the server's own command for its services, and to the bare nick, after another look, only where
//! there is neither.
//!
//! The login is waited for after that, and channels with it. It is seen by numeric 900, by `ACCOUNT` for ourselves, by
//! the user mode `+r`, or in a `WHOIS` of ourselves (330, 307), which is made once when nothing else came. NickServ's
//! own words count too, from the very user and host that were vouched for; they are all that some networks give.
//!
//! Invariant 10: the password leaves only as that one line, and its echo never becomes an event. The line is UTF-8, as
//! the password is with SASL: in the network's charset it would be another one.
//!
//! Spec: none. RFC 2812, 3.3.1, has `nick@server` as a target; the numerics' texts are those of `Solanum`, `UnrealIRCd`,
//! `InspIRCd` and `Bahamut`, the words of NickServ those of `Atheme` and `Anope`.

use std::fmt;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;

use crate::irc::numerics::{
    ERR_CANNOTSENDTOUSER, ERR_MSGSERVICES, ERR_NOSUCHNICK, ERR_NOSUCHSERVER, ERR_SERVICESDOWN,
    ERR_TOOMANYTARGETS, ERR_UNKNOWNCOMMAND, RPL_ENDOFWHOIS, RPL_WHOISACCOUNT, RPL_WHOISHELPOP,
    RPL_WHOISOPERATOR, RPL_WHOISREGNICK, RPL_WHOISSERVER, RPL_WHOISUSER,
};
use crate::irc::wire::{Line, Message, Source};
use crate::names::Nick;

use super::Session;
use super::event::{Event, Verdict};
use super::login::{LOGIN_TIMEOUT, Stage};

/// The nick to look at where the user has given no address.
pub(super) const NICKSERV: &str = "NickServ";

/// How long the absence of services is waited out at first; the longer the oftener we find nobody.
const ABSENCE: Duration = Duration::from_secs(5);

/// From the password to the look at ourselves, when nothing has told of a login.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks at ourselves whose answers are waited for.
const MOST_LOOKS: usize = 8;

/// A service's full address, which only the service itself can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAddress {
    nick: Nick,
    host: String,
}

impl ServiceAddress {
    /// Reads `NickServ@services.example.org`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (nick, host) = text.split_once('@')?;
        let is_host =
            host.contains('.') && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
        (is_host && host.len() <= 255).then_some(())?;
        Some(Self { nick: Nick::new(nick).ok()?, host: host.to_owned() })
    }
}

impl fmt::Display for ServiceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.nick, self.host)
    }
}

/// How a session logs in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LoginMethod {
    /// By SASL, and by NickServ where the network has no SASL.
    #[default]
    Sasl,
    /// By NickServ, at this address if there is one.
    NickServ(Option<ServiceAddress>),
}

/// What the password is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    /// The service at this address, which is that on its server and nobody else.
    Address(ServiceAddress),
    /// Whatever the server takes for its services.
    Command,
    /// Whoever has the nick.
    Nick,
}

/// Whether NickServ has been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// `WHOIS NickServ` was sent.
    Looking,
    /// The password was sent.
    Told,
    /// `WHOIS` of ourselves was sent.
    LookingAtSelf,
}

/// What is left of a conversation when it is over: answers that are still under way.
#[derive(Debug, Default)]
pub(super) struct Traces {
    /// NickServ was sent the password on this connection.
    told: bool,
    /// The nicks by which we asked for ourselves with `WHOIS`, until the answer has ended: we may have another by then.
    looks_at_self: Vec<Box<str>>,
}

impl Traces {
    /// Whether the answer to a look at ourselves is under way.
    pub(super) fn look_at_self(&self) -> bool {
        !self.looks_at_self.is_empty()
    }
}

/// What passes between us and NickServ.
#[derive(Debug)]
pub(super) struct Conversation {
    step: Step,
    since: Instant,
    /// The server has shown it as the network's service.
    is_service: bool,
    /// Its user and host, as the server has shown them.
    identity: Option<(String, String)>,
    /// Where it is, or whoever has its nick.
    way: Way,
}

impl Conversation {
    pub(super) fn deadline(&self) -> Instant {
        self.since + if self.step == Step::Told { PATIENCE } else { LOGIN_TIMEOUT }
    }
}

/// What NickServ's words mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    LoggedIn,
    Refused,
    Other,
}

fn read_words(text: &str) -> Words {
    const LOGGED_IN: [&str; 7] = [
        "you are now identified",
        "you are now logged in",
        "you are already logged in",
        "password accepted",
        "you are now recognized",
        "you have been logged in",
        "you have successfully identified",
    ];
    const REFUSED: [&str; 11] = [
        "invalid password",
        "incorrect password",
        "password incorrect",
        "wrong password",
        "password is incorrect",
        "isn't registered",
        "is not registered",
        "not a registered",
        "access denied",
        "suspended",
        "frozen",
    ];
    let text: String = text.chars().filter(|c| !c.is_control()).collect::<String>().to_lowercase();
    if REFUSED.iter().any(|words| text.contains(words)) {
        Words::Refused
    } else if LOGGED_IN.iter().any(|words| text.contains(words)) {
        Words::LoggedIn
    } else {
        Words::Other
    }
}

/// Whether the text of 310 or 313 is that of a network's service, and not of an operator.
fn names_service(text: &str) -> bool {
    let text = text.to_lowercase();
    // InspIRCd writes the type that services give themselves, as operators.
    let types = ["is a service on ", "is a services on "];
    text.contains("network service") || types.iter().any(|one| text.starts_with(one))
}

impl Session {
    fn address(&self) -> Option<&ServiceAddress> {
        match &self.config.login {
            LoginMethod::NickServ(address) => address.as_ref(),
            LoginMethod::Sasl => None,
        }
    }

    /// The greeting is over: look who NickServ is, or tell it the password where its address is known.
    pub(super) fn begin_nickserv(&mut self, now: Instant, events: &mut Vec<Event>) {
        let step = if self.address().is_some() { Step::Told } else { Step::Looking };
        let way = self.address().cloned().map_or(Way::Command, Way::Address);
        let conversation = Conversation { step, since: now, is_service: false, identity: None, way };
        self.login.stage = Stage::NickServ(Box::new(conversation));
        if step == Step::Looking {
            self.control(Line::new("WHOIS").name_literal(NICKSERV).finish());
        } else {
            self.identify(now, events);
        }
    }

    /// `IDENTIFY [account] password`. The account is left out where it is our nick: old services take no other.
    fn identify_text(&self) -> Option<String> {
        let credentials = self.config.sasl.as_ref()?;
        let password = credentials.password.as_ref()?.expose_secret();
        let account = &credentials.account;
        let is_nick = self.is_own(account);
        Some(if is_nick { format!("IDENTIFY {password}") } else { format!("IDENTIFY {account} {password}") })
    }

    fn identify(&mut self, now: Instant, events: &mut Vec<Event>) {
        let words = self.identify_text().unwrap_or_default();
        let parts = words.split(' ').count();
        if parts > 3 || (parts == 3 && self.config.sasl.as_ref().is_some_and(|one| self.is_own(&one.account)))
        {
            return self.nickserv_failed(
                true,
                "NickServ takes no account and no password with a space in it",
                now,
                events,
            );
        }
        let Stage::NickServ(conversation) = &mut self.login.stage else { return };
        let line = match &conversation.way {
            Way::Address(address) => Line::new("PRIVMSG").name_literal(&address.to_string()),
            Way::Command => Line::new("NICKSERV"),
            Way::Nick => Line::new("PRIVMSG").name_literal(NICKSERV),
        };
        match line.trailing(&words) {
            Ok(line) => {
                (conversation.step, conversation.since) = (Step::Told, now);
                self.login.traces.told = true;
                self.control(line.in_utf_8());
            }
            Err(error) => {
                self.nickserv_failed(true, &format!("the password cannot be sent: {error}"), now, events);
            }
        }
    }

    /// A numeric while NickServ's turn it is; returns whether it belongs to that.
    pub(super) fn on_nickserv_numeric(
        &mut self,
        code: u16,
        params: &[String],
        now: Instant,
        events: &mut Vec<Event>,
    ) -> bool {
        let about = params.first().map_or("", String::as_str);
        let mapping = self.isupport.casemapping();
        let (own, is_about_nickserv) = (self.is_own(about), mapping.same(about, NICKSERV));
        let looks = &mut self.login.traces.looks_at_self;
        let look = looks.iter().position(|nick| mapping.same(nick, about));
        let is_about_self = look.is_some() && matches!(code, 300..=399 | 671 | ERR_NOSUCHNICK);
        if let (Some(look), RPL_ENDOFWHOIS) = (look, code) {
            looks.remove(look);
        }
        // A nick that we had may be another's now, and so is what is said of it.
        if is_about_self && !own {
            return true;
        }
        let Stage::NickServ(conversation) = &mut self.login.stage else {
            return self.on_recognition_numeric(code, params, is_about_self, now, events);
        };
        let text = params.last().map_or("", String::as_str);
        let is_about_address = matches!(&conversation.way, Way::Address(address)
            if mapping.same(about, &address.to_string()) || about.eq_ignore_ascii_case(&address.host));
        match (conversation.step, code) {
            (Step::Looking, RPL_WHOISUSER) if is_about_nickserv => {
                conversation.identity = params.get(1).cloned().zip(params.get(2).cloned());
            }
            (Step::Looking, RPL_WHOISSERVER) if is_about_nickserv && conversation.way == Way::Command => {
                let address = format!("{NICKSERV}@{}", params.get(1).map_or("", String::as_str));
                conversation.way = ServiceAddress::parse(&address).map_or(Way::Command, Way::Address);
            }
            (Step::Looking, RPL_WHOISOPERATOR | RPL_WHOISHELPOP) if is_about_nickserv => {
                conversation.is_service |= names_service(text);
            }
            (Step::Looking, RPL_ENDOFWHOIS) if is_about_nickserv => {
                if conversation.is_service {
                    self.identify(now, events);
                } else {
                    let reason = "the network offers no SASL, and its server does not show NickServ as a service of \
                                  the network, so it was told no password. If you know its full address, type login \
                                  nickserv NickServ@services.example.org";
                    self.nickserv_failed(true, reason, now, events);
                }
            }
            // Its server is not where messages for it are taken.
            (Step::Told, ERR_NOSUCHNICK | ERR_NOSUCHSERVER | ERR_TOOMANYTARGETS | ERR_CANNOTSENDTOUSER)
                if is_about_address
                    && matches!(self.config.login, LoginMethod::NickServ(None) | LoginMethod::Sasl) =>
            {
                conversation.way = Way::Command;
                self.identify(now, events);
            }
            (Step::Told, ERR_UNKNOWNCOMMAND)
                if conversation.way == Way::Command && about.eq_ignore_ascii_case(NICKSERV) =>
            {
                let way = Way::Nick;
                let step = Step::Looking;
                **conversation = Conversation { step, since: now, is_service: false, identity: None, way };
                self.control(Line::new("WHOIS").name_literal(NICKSERV).finish());
            }
            // Its text names the way that there is.
            (Step::Told, ERR_MSGSERVICES) => {
                let reason = format!(
                    "the server takes nothing for NickServ there ({text}). If you know its full address, type login \
                     nickserv NickServ@services.example.org"
                );
                self.nickserv_failed(true, &reason, now, events);
            }
            (Step::Told, ERR_SERVICESDOWN) => self.services_absent(now, events),
            (_, ERR_NOSUCHNICK | ERR_NOSUCHSERVER | ERR_TOOMANYTARGETS | ERR_CANNOTSENDTOUSER)
                if is_about_nickserv || is_about_address =>
            {
                self.services_absent(now, events);
            }
            // The rest of the answer is nobody's news.
            (Step::Looking, _) if is_about_nickserv => {}
            (_, RPL_WHOISACCOUNT) if is_about_self => {
                let account = params.get(1).cloned().unwrap_or_default();
                self.on_account_known(account, now, events);
            }
            (_, RPL_WHOISREGNICK) if is_about_self => self.nickserv_done(now, events),
            _ => return is_about_self,
        }
        true
    }

    /// What NickServ says to us, if it is NickServ who says it.
    pub(super) fn on_service_notice(
        &mut self,
        from: &Source,
        text: &str,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        let mapping = self.isupport.casemapping();
        let Stage::NickServ(conversation) = &self.login.stage else { return };
        if conversation.step == Step::Looking {
            return;
        }
        let vouched = match (self.address(), &conversation.identity) {
            (Some(address), _) => {
                mapping.same(&from.nick, address.nick.as_str()) && from.host.as_ref() == Some(&address.host)
            }
            (None, Some((user, host))) => {
                mapping.same(&from.nick, NICKSERV)
                    && (from.user.as_ref(), from.host.as_ref()) == (Some(user), Some(host))
            }
            (None, None) => false,
        };
        match read_words(text) {
            Words::LoggedIn if vouched => self.nickserv_done(now, events),
            Words::Refused if vouched => {
                let reason = format!("the network refused account or password: {text}");
                self.nickserv_failed(true, &reason, now, events);
            }
            _ => {}
        }
    }

    /// The user mode that means a login, set on us.
    pub(super) fn on_registered_mode(&mut self, now: Instant, events: &mut Vec<Event>) {
        let is_told =
            matches!(&self.login.stage, Stage::NickServ(conversation) if conversation.step != Step::Looking);
        if is_told {
            self.nickserv_done(now, events);
        }
    }

    fn nickserv_done(&mut self, now: Instant, events: &mut Vec<Event>) {
        let account = self.config.sasl.as_ref().map(|credentials| credentials.account.clone());
        self.on_account_known(account.unwrap_or_default(), now, events);
    }

    fn nickserv_failed(&mut self, permanent: bool, reason: &str, now: Instant, events: &mut Vec<Event>) {
        self.login_failed(permanent, reason, events);
        self.go_on(now, events);
    }

    /// Nobody is there to log in with: for a moment, or on this network at all.
    pub(super) fn services_absent(&mut self, now: Instant, events: &mut Vec<Event>) {
        let reason = "the network offers no login at the moment";
        self.login_failed_with(Verdict::Hold(ABSENCE), reason, events);
        self.go_on(now, events);
    }

    pub(super) fn tick_nickserv(&mut self, now: Instant, events: &mut Vec<Event>) {
        let Stage::NickServ(conversation) = &mut self.login.stage else { return };
        if conversation.step == Step::Told {
            conversation.step = Step::LookingAtSelf;
            return self.look_at_self();
        }
        self.nickserv_failed(false, "the network's services did not answer the login", now, events);
    }

    /// Asks the server who we are.
    pub(super) fn look_at_self(&mut self) {
        let nick = self.nicks.current().to_owned();
        let looks = &mut self.login.traces.looks_at_self;
        if looks.len() >= MOST_LOOKS {
            looks.remove(0);
        }
        looks.push(nick.as_str().into());
        self.control(Line::new("WHOIS").name_literal(&nick).finish());
    }

    /// Whether this is our own line to NickServ, which some servers show us.
    pub(super) fn is_login_echo(&self, message: &Message) -> bool {
        let own = message.source.as_ref().is_some_and(|source| self.is_own(&source.nick));
        let Some(credentials) = self.config.sasl.as_ref().filter(|_| own && self.login.traces.told) else {
            return false;
        };
        let password = credentials.password.as_ref().map_or("", ExposeSecret::expose_secret);
        let said = message.param(1).strip_prefix("IDENTIFY ");
        let said = said.and_then(|said| said.strip_suffix(password)).map(str::trim_end);
        said.is_some_and(|said| said.is_empty() || said == credentials.account)
    }
}
