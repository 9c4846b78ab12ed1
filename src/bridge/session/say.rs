//! What is said otherwise than as a message: notices, requests to programs (CTCP), words to services.
//!
//! A service is spoken to by the server's own command for it, which leads to nobody else; where there is none, by a
//! message. What it answers comes as its notices, in the network's room. An answer to a CTCP request is told to whoever
//! asked.
//!
//! Invariant 9: so many requests wait ([`MOST_ASKED`]), each for so long ([`PATIENCE`]).
//!
//! Spec: modern IRC docs "NOTICE message"; draft-oakley-irc-ctcp-02.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::super::outcome::{Outcome, Refusal};
use super::Actor;
use super::inquiries::trouble;
use super::loose::Reply;
use super::shown::Line as Said;
use crate::format::{RichText, strip_irc};
use crate::irc::numerics::ERR_UNKNOWNCOMMAND;
use crate::irc::session::{IncomingKind, InquiryReply, MessageKind, Origin};
use crate::irc::wire::Line;
use crate::names::Nick;

/// CTCP requests that may wait for their answers.
const MOST_ASKED: usize = 16;
/// Most programs answer at once, and many never: who asked is told before they give up.
const PATIENCE: Duration = Duration::from_secs(10);

/// A service of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// For nicks and accounts.
    NickServ,
    /// For channels.
    ChanServ,
}

impl Service {
    fn nick(self) -> &'static str {
        match self {
            Self::NickServ => "NickServ",
            Self::ChanServ => "ChanServ",
        }
    }

    fn command(self) -> &'static str {
        match self {
            Self::NickServ => "NICKSERV",
            Self::ChanServ => "CHANSERV",
        }
    }
}

/// What is to be said.
#[derive(Debug)]
pub enum SayRequest {
    /// A notice.
    Notice {
        /// To whom: a nick or a channel.
        target: String,
        /// What.
        text: String,
    },
    /// A CTCP request.
    Ctcp {
        /// To whom.
        nick: Nick,
        /// Its command, in upper case.
        command: String,
        /// What follows.
        params: String,
    },
    /// Something to a service.
    Service {
        /// Which.
        service: Service,
        /// What.
        text: String,
    },
}

/// CTCP requests whose answers are not there, oldest first.
#[derive(Debug, Default)]
pub(super) struct Asked {
    open: VecDeque<Request>,
    last: u64,
}

#[derive(Debug)]
struct Request {
    number: u64,
    nick: String,
    command: String,
    at: Instant,
    answer: Option<oneshot::Sender<Outcome>>,
}

impl Asked {
    /// When somebody has waited for long enough.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open.front().map(|request| request.at + PATIENCE)
    }

    fn take(&mut self, is_it: impl Fn(&Request) -> bool) -> Option<Request> {
        let place = self.open.iter().position(is_it)?;
        self.open.remove(place)
    }
}

impl Request {
    fn end(self, outcome: Outcome) {
        // Who asked may have gone.
        let _ = self.answer.map(|answer| answer.send(outcome));
    }
}

impl Actor {
    pub(super) fn say_otherwise(&mut self, request: SayRequest) -> Reply {
        match request {
            SayRequest::Notice { target, text } => {
                let said = format!("Sent to {target} as a notice.");
                self.say_loose(&target, MessageKind::Notice, &text, said).into()
            }
            SayRequest::Ctcp { nick, command, params } => self.ctcp(&nick, command, &params),
            SayRequest::Service { service, text } => self.tell_service(service, text),
        }
    }

    fn tell_service(&mut self, service: Service, text: String) -> Reply {
        self.on_told_service(&text);
        let Ok(line) = Line::new(service.command()).trailing(&text) else {
            return Reply::Now(Err(Refusal::asked("That can't be sent to IRC.")));
        };
        let said = format!("Sent to {}. The answer comes in the network's room.", service.nick());
        self.inquire_then(line, move |actor, answer| {
            Box::pin(async move {
                // Not every network has a command for its services. What was said to another command says nothing of that.
                let lacks = |reply: &InquiryReply| {
                    reply.code == ERR_UNKNOWNCOMMAND
                        && reply
                            .params
                            .first()
                            .is_some_and(|word| word.eq_ignore_ascii_case(service.command()))
                };
                if answer.replies.iter().any(lacks) {
                    return actor.say_loose(service.nick(), MessageKind::Privmsg, &text, said).into();
                }
                let refusal = trouble(&actor.network.name, &answer);
                Reply::Now(refusal.map_or_else(|| Ok(RichText::plain(said)), Err))
            })
        })
    }

    fn ctcp(&mut self, nick: &Nick, command: String, params: &str) -> Reply {
        let at = self.now();
        let params = if command == "PING" && params.is_empty() { "towline" } else { params };
        let text = format!("{command} {params}");
        let mut loose = match self.say_loose(nick.as_str(), MessageKind::Ctcp, text.trim_end(), String::new())
        {
            Ok(loose) => loose,
            Err(refusal) => return Reply::Now(Err(refusal)),
        };
        let asked = &mut self.questions.asked;
        asked.last += 1;
        loose.asks = Some(asked.last);
        let nick = nick.as_str().to_owned();
        asked.open.push_back(Request { number: asked.last, nick, command, at, answer: None });
        if asked.open.len() > MOST_ASKED
            && let Some(oldest) = asked.open.pop_front()
        {
            oldest.end(Err(Refusal::asked("You have asked more than I can wait for.")));
        }
        Reply::Later(loose)
    }

    /// Waits for the answer to a request that is on its way.
    pub(super) fn await_ctcp(&mut self, number: u64, answer: oneshot::Sender<Outcome>) {
        if let Some(request) = self.questions.asked.open.iter_mut().find(|request| request.number == number) {
            request.answer = Some(answer);
        }
    }

    /// A request did not arrive.
    pub(super) fn refuse_ctcp(&mut self, number: u64, outcome: Outcome) {
        if let Some(request) = self.questions.asked.take(|request| request.number == number) {
            request.end(outcome);
        }
    }

    /// Whether a line is an answer that somebody waits for, which is told to them and to nobody else.
    pub(super) fn answers_ctcp(&mut self, line: &Said) -> bool {
        let IncomingKind::CtcpReply { command } = &line.kind else { return false };
        if line.origin != Origin::Live {
            return false;
        }
        let mapping = self.buffers.mapping();
        let is_it =
            |request: &Request| mapping.same(&request.nick, &line.from.nick) && request.command == *command;
        let Some(request) = self.questions.asked.take(is_it) else { return false };
        let text = strip_irc(&line.text);
        let nick = &line.from.nick;
        let text = match command.as_str() {
            "PING" => {
                let took = self.now().saturating_duration_since(request.at);
                format!("{nick} answers after {} ms.", took.as_millis())
            }
            _ => format!("{nick} answers {command}: {text}"),
        };
        request.end(Ok(RichText::plain(text)));
        true
    }

    /// Tells those who have waited for long enough.
    pub(super) fn tick_ctcp(&mut self) {
        let now = self.now();
        while let Some(request) = self.questions.asked.take(|request| request.at + PATIENCE <= now) {
            let text = format!(
                "{} has not answered {}. Many programs don't; should an answer come, it stands in the network's room.",
                request.nick, request.command
            );
            request.end(Err(Refusal::asked(text)));
        }
    }

    /// The connection is gone, and with it the answers.
    pub(super) fn abandon_ctcp(&mut self) {
        for request in std::mem::take(&mut self.questions.asked.open) {
            request.end(Err(Refusal::asked("The connection was lost before an answer had come.")));
        }
    }
}
