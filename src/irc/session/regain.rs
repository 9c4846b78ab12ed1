//! The way back to the wanted nick, while another has it.
//!
//! What is watched for is that nobody has the nick: by `MONITOR` where the server has it, else by `ISON`, ever more
//! seldom, and by what we see ourselves. Only then is it asked for, so that a nick in use costs no refusals. Who is
//! logged in may ask services to free it: it is often our own dead connection that holds it.
//!
//! Never a nick war: services are asked once in an hour and three times in all, and are away twice before it is left
//! at that; waits never get shorter within a connection; and after the nick was taken from us twice (by a `NICK` that
//! we did not ask for, or with the whole connection), it is left alone until the user asks for it. A nick that went in
//! a netsplit is somebody's who comes back: to take it then would cost one of both the connection.
//!
//! Services are spoken to by the server's own `NICKSERV`, which leads to nobody else; where the server has no such
//! command, by a message. It holds no secret, so one that impersonates services learns nothing.
//!
//! Invariant 7: time and jitter are passed in.
//!
//! Spec: `IRCv3` "Monitor"; modern IRC docs "ISON message"; the help of Atheme (REGAIN, GHOST) and Anope (RECOVER).

use std::time::{Duration, Instant};

use crate::irc::numerics::{ERR_MONLISTFULL, RPL_MONONLINE};
use crate::irc::queue::Class;
use crate::irc::wire::{Line, Message};
use crate::names::Nick;

use super::event::Event;
use super::{Session, State};

/// Between two looks: it doubles.
pub(super) const FIRST_LOOK: Duration = Duration::from_secs(15);
pub(super) const LAST_LOOK: Duration = Duration::from_mins(10);
/// A login and a netsplit need a moment until all servers know of it.
const SERVICES_SOON: Duration = Duration::from_secs(5);
const SERVICES_AGAIN: Duration = Duration::from_hours(1);
/// Services that are away may come back.
const SERVICES_AWAY: Duration = Duration::from_mins(10);
/// For so long a word of services is taken as their answer.
const SERVICES_ANSWER: Duration = Duration::from_secs(30);
/// How often services are asked on one connection.
const MOST_REQUESTS: u32 = 3;
/// How often they may be away: a network may have none.
const MOST_ABSENCES: u32 = 3;
/// How often the nick may be taken from us.
pub const MOST_LOSSES: u32 = 2;
/// How long a nick that went in a netsplit is left to its owner.
const SPLIT: Duration = Duration::from_mins(10);

/// What services are asked, in this order, until they know the word: Atheme has the first, Anope the second, and
/// older ones the third.
const WORDS: [&str; 3] = ["REGAIN", "RECOVER", "GHOST"];

/// How far we are on the way.
#[derive(Debug, Default)]
pub(super) struct Regain {
    /// We asked for the nick by ourselves, and the answer is not there.
    pub(super) asking: bool,
    /// The nick that `MONITOR` watches for us.
    watched: Option<Nick>,
    /// `ISON` was asked, and the answer is not there.
    looking: bool,
    lacks: Lacks,
    looks: u32,
    look_at: Option<Instant>,
    not_before: Option<Instant>,
    losses: u32,
    services: Services,
}

/// What the server cannot do for us.
#[derive(Debug, Default)]
struct Lacks {
    /// It has no place left to watch a nick, or does not know the command after all.
    monitor: bool,
    /// It does not know the command.
    ison: bool,
}

/// What services were asked.
#[derive(Debug, Default)]
struct Services {
    at: Option<Instant>,
    asked_at: Option<Instant>,
    requests: u32,
    absences: u32,
    word: usize,
    /// The server has no command for them.
    by_message: bool,
}

impl Regain {
    pub(super) fn new(losses: u32) -> Self {
        Self { losses, ..Self::default() }
    }

    /// The user has asked for a nick: what was before does not count.
    pub(super) fn forgive(&mut self) {
        self.losses = 0;
    }
}

impl super::nicks::Nicks {
    /// When there is something to do.
    pub(super) fn next_step(&self) -> Option<Instant> {
        [self.regain.look_at, self.regain.services.at].into_iter().flatten().min()
    }
}

impl Session {
    /// How often the nick was taken from us, on this connection and those that were told of at its start.
    #[must_use]
    pub fn nick_losses(&self) -> u32 {
        self.nicks.regain.losses
    }

    /// The wanted nick as this server would have it.
    fn goal(&self) -> Option<Nick> {
        let limit = self.isupport.nick_length().or(self.nicks.limit()).unwrap_or(usize::MAX);
        Nick::new(&self.nicks.within(limit)).ok()
    }

    /// Whether we have the wanted nick, or as much of it as the server takes.
    pub(super) fn has_goal(&self) -> bool {
        self.goal().is_none_or(|goal| self.is_own(goal.as_str()))
    }

    fn is_goal(&self, nick: &str) -> bool {
        self.goal().is_some_and(|goal| self.isupport.casemapping().same(goal.as_str(), nick))
    }

    /// Whether there is a nick to be had back, and we may try.
    fn lacks_wanted(&self) -> bool {
        let may = !self.nicks.erroneous && self.nicks.regain.losses < MOST_LOSSES;
        self.state == State::Ready && may && !self.has_goal()
    }

    /// The greeting is over.
    pub(super) fn begin_regain(&mut self, now: Instant) {
        self.after_change(now);
        if self.login.account().is_some() {
            self.ask_services_soon(now);
        }
    }

    /// Our nick or the wanted one is another now.
    pub(super) fn after_change(&mut self, now: Instant) {
        self.note_had();
        if !self.lacks_wanted() {
            self.unwatch();
            let regain = &mut self.nicks.regain;
            (regain.asking, regain.looking, regain.look_at, regain.services.at) = (false, false, None, None);
            return;
        }
        self.watch();
        self.plan_look(now);
    }

    /// Has the nick watched by the server, if it can.
    fn watch(&mut self) {
        let Some(goal) = self.goal() else { return };
        let has_monitor = self.isupport.monitor_limit().is_some_and(|limit| limit > 0);
        if has_monitor && !self.nicks.regain.lacks.monitor && self.nicks.regain.watched.is_none() {
            self.queue_line(Class::Background, Line::new("MONITOR").name_literal("+").name(&goal).finish());
            self.nicks.regain.watched = Some(goal);
        }
    }

    pub(super) fn unwatch(&mut self) {
        if let Some(nick) = self.nicks.regain.watched.take()
            && self.state == State::Ready
        {
            self.queue_line(Class::Background, Line::new("MONITOR").name_literal("-").name(&nick).finish());
        }
    }

    fn plan_look(&mut self, now: Instant) {
        let regain = &mut self.nicks.regain;
        let wait = match regain.watched {
            // The server tells; to ask as well mends what it forgets.
            Some(_) => LAST_LOOK,
            None => FIRST_LOOK.saturating_mul(1 << regain.looks.min(8)).min(LAST_LOOK),
        };
        regain.look_at = Some(now + self.jitter.around(wait));
    }

    /// Does what is due.
    pub(super) fn tick_regain(&mut self, now: Instant) {
        let regain = &mut self.nicks.regain;
        if regain.services.at.take_if(|at| *at <= now).is_some() {
            self.ask_services(now);
        }
        if self.nicks.regain.look_at.take_if(|at| *at <= now).is_some() {
            self.look(now);
        }
    }

    /// Asks whether somebody has the nick.
    fn look(&mut self, now: Instant) {
        let Some(goal) = self.goal().filter(|_| self.lacks_wanted()) else {
            return;
        };
        if self.nicks.regain.lacks.ison {
            return self.take(now);
        }
        self.nicks.regain.looking = true;
        // Never back to short waits within a connection.
        self.nicks.regain.looks += 1;
        self.queue_line(Class::Background, Line::new("ISON").name(&goal).finish());
        self.plan_look(now);
    }

    /// Asks for the nick; the answer is not shown if it is a refusal.
    fn take(&mut self, now: Instant) {
        let held = self.nicks.regain.not_before.is_some_and(|at| now < at);
        if let Some(goal) = self.goal()
            && self.lacks_wanted()
            && !self.nicks.awaits_answer(now)
            && !held
        {
            self.nicks.regain.asking = true;
            self.queue_line(Class::Interactive, Line::nick(&goal));
        }
        self.nicks.regain.looks += 1;
        self.plan_look(now);
    }

    /// 303 <nick> :<nicks>. Returns whether it was our question.
    pub(super) fn on_ison(&mut self, online: &str, now: Instant) -> bool {
        let ours = std::mem::take(&mut self.nicks.regain.looking);
        if ours && self.lacks_wanted() && !online.split(' ').any(|nick| self.is_goal(nick)) {
            self.take(now);
        }
        ours
    }

    /// 730 and 731 <nick> :target[!user@host][,…], 734 <nick> <limit> <targets> :text. Returns whether it was only
    /// about what we watch by ourselves. `params` come without our nick.
    pub(super) fn on_monitor(&mut self, code: u16, params: &[String], now: Instant) -> bool {
        let Some(watched) = self.nicks.regain.watched.clone() else {
            return false;
        };
        let at = usize::from(code == ERR_MONLISTFULL);
        let targets = params.get(at).map_or("", String::as_str).split(',');
        let names: Vec<&str> = targets.map(|target| target.split('!').next().unwrap_or(target)).collect();
        let mapping = self.isupport.casemapping();
        let is_ours = |name: &&str| mapping.same(name, watched.as_str());
        if names.iter().any(is_ours) {
            match code {
                RPL_MONONLINE => {}
                ERR_MONLISTFULL => {
                    self.nicks.regain.lacks.monitor = true;
                    self.nicks.regain.watched = None;
                    self.plan_look(now);
                }
                _ => self.take(now),
            }
        }
        names.iter().all(is_ours)
    }

    /// Whether this is the nick that `MONITOR` watches for us.
    pub(super) fn watches_for(&self, nick: &str) -> bool {
        let watched = self.nicks.regain.watched.as_ref();
        watched.is_some_and(|watched| self.isupport.casemapping().same(nick, watched.as_str()))
    }

    /// A nick is free now; if it is the wanted one, take it.
    pub(super) fn on_nick_freed(&mut self, nick: &str, now: Instant) {
        if self.is_goal(nick) {
            self.take(now);
        }
    }

    /// A nick went in a netsplit: its owner will be back.
    pub(super) fn on_nick_split(&mut self, nick: &str, now: Instant) {
        if self.is_goal(nick) {
            self.nicks.regain.not_before = Some(now + SPLIT);
        }
    }

    /// Somebody has this nick.
    pub(super) fn on_nick_seen(&mut self, nick: &str) {
        if self.is_goal(nick) {
            self.nicks.regain.not_before = None;
        }
    }

    /// The nick was taken away from us.
    pub(super) fn lose_nick(&mut self, events: &mut Vec<Event>) {
        self.nicks.regain.losses += 1;
        if self.nicks.regain.losses == MOST_LOSSES {
            events.push(Event::NickGivenUp { nick: self.nicks.wanted.as_str().to_owned() });
        }
    }

    /// The connection was ended by somebody who wants the nick.
    pub(super) fn lose_nick_with_connection(&mut self, reason: &str) {
        let reason = reason.to_ascii_lowercase();
        let takes = ["ghost", "regain", "recover", "nickname enforcement"];
        if self.has_goal() && takes.iter().any(|word| reason.contains(word)) {
            self.nicks.regain.losses += 1;
        }
    }

    /// Has services asked in a moment, unless they were within the hour.
    pub(super) fn ask_services_soon(&mut self, now: Instant) {
        let services = &self.nicks.regain.services;
        let is_early = services.asked_at.is_some_and(|at| now < at + SERVICES_AGAIN);
        if self.lacks_wanted() && !is_early {
            self.nicks.regain.services.at = Some(now + self.jitter.around(SERVICES_SOON));
        }
    }

    fn ask_services(&mut self, now: Instant) {
        let services = &mut self.nicks.regain.services;
        if services.requests >= MOST_REQUESTS {
            return;
        }
        services.requests += 1;
        services.at = Some(now + self.jitter.around(SERVICES_AGAIN));
        self.send_services(now);
    }

    fn send_services(&mut self, now: Instant) {
        let Some(goal) = self.goal().filter(|_| self.lacks_wanted() && self.login.account().is_some()) else {
            return;
        };
        let services = &mut self.nicks.regain.services;
        services.asked_at = Some(now);
        let word = WORDS[services.word.min(WORDS.len() - 1)];
        let line = if services.by_message {
            Line::with_text(Line::new("PRIVMSG").name_literal("NickServ"), &format!("{word} {goal}"))
        } else {
            Line::new("NICKSERV").name_literal(word).name(&goal).finish()
        };
        self.queue_line(Class::Background, line);
        // GHOST only frees it.
        self.nicks.regain.look_at = Some(now + self.jitter.around(FIRST_LOOK));
    }

    fn awaits_services(&self, now: Instant) -> bool {
        self.nicks.regain.services.asked_at.is_some_and(|at| now < at + SERVICES_ANSWER)
    }

    /// Reads what services say, which the user reads, too.
    pub(super) fn hear_services(&mut self, message: &Message, now: Instant) {
        let from = message.source.as_ref().map_or("", |source| &source.nick);
        if !from.eq_ignore_ascii_case("NickServ") || !self.awaits_services(now) {
            return;
        }
        let text = message.param(1).to_ascii_lowercase();
        let is_unknown = ["unknown command", "invalid command", "no such command", "is not a command"]
            .iter()
            .any(|words| text.contains(words));
        let services = &mut self.nicks.regain.services;
        if is_unknown && services.word + 1 < WORDS.len() {
            services.word += 1;
            self.send_services(now);
        }
    }

    /// 421: the server lacks a command that we have sent by ourselves. Returns whether it was one.
    pub(super) fn lacks_command(&mut self, command: &str, now: Instant) -> bool {
        if command.eq_ignore_ascii_case("ISON") && std::mem::take(&mut self.nicks.regain.looking) {
            self.nicks.regain.lacks.ison = true;
            true
        } else if command.eq_ignore_ascii_case("MONITOR") && self.nicks.regain.watched.take().is_some() {
            self.nicks.regain.lacks.monitor = true;
            self.plan_look(now);
            true
        } else if command.eq_ignore_ascii_case("NICKSERV")
            && self.awaits_services(now)
            && !std::mem::replace(&mut self.nicks.regain.services.by_message, true)
        {
            self.send_services(now);
            true
        } else {
            false
        }
    }

    /// 401: services are not there. Returns whether it is the answer to us.
    pub(super) fn lacks_services(&mut self, nick: &str, now: Instant) -> bool {
        let services = &mut self.nicks.regain.services;
        let ours = nick.eq_ignore_ascii_case("NickServ") && services.by_message;
        if !ours || services.asked_at.take_if(|at| now < *at + SERVICES_ANSWER).is_none() {
            return false;
        }
        services.absences += 1;
        if services.absences < MOST_ABSENCES {
            services.requests = services.requests.saturating_sub(1);
            services.at = Some(now + self.jitter.around(SERVICES_AWAY));
        } else {
            services.requests = MOST_REQUESTS;
            services.at = None;
        }
        true
    }
}
