//! History: asking the server, or a bouncer, for what was said while we were not there.
//!
//! Not a store and not a plan: the owner decides what to ask for, and what to do with what comes. Each request ends
//! once, by its batch, by a refusal or by silence; a connection that ends leaves its requests unanswered.
//!
//! Invariant 9: so many requests may be open ([`MOST_REQUESTS`]), and each has a time.
//!
//! Spec: `IRCv3` "chathistory" (draft); the playback module of ZNC.

use std::time::{Duration, Instant};

use crate::irc::queue::Class;
use crate::irc::wire::{Line, LineBuilder, Message};
use crate::names::CaseMapping;

use super::batches::Context;
use super::event::Event;
use super::labels::Label;
use super::outgoing::{Outgoing, Target};
use super::{Session, State};

/// Requests that wait or are not answered.
pub(super) const MOST_REQUESTS: usize = 64;
/// Targets in one answer: more than any `limit` of ours asks for.
const MOST_TARGETS: usize = 1000;
/// Silence after which a request counts as refused.
const ANSWER: Duration = Duration::from_secs(30);
/// Lines to ask for at a time where the server does not say.
const LIMIT: usize = 100;
/// Lines to ask for at a time, however many the server gives: so much comes before anything else is heard.
const MOST_LINES: usize = 200;

/// From where on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HistoryMark {
    /// After the message with this id.
    MessageId(String),
    /// After this time, in milliseconds since 1970.
    Time(i64),
    /// The last that there is.
    Latest,
}

#[derive(Debug)]
enum Asked {
    /// What was said to a target.
    Messages,
    /// Where something was said.
    Targets(Vec<(String, i64)>),
}

#[derive(Debug)]
struct Request {
    number: u64,
    target: String,
    asked: Asked,
    /// When it left, or was last answered.
    heard: Option<Instant>,
    /// Its batch has begun.
    begun: bool,
    lines: usize,
}

/// The requests that have no whole answer, oldest first.
#[derive(Debug, Default)]
pub(super) struct Requests {
    open: Vec<Request>,
    last: u64,
}

impl Requests {
    fn add(&mut self, target: &str, asked: Asked) -> u64 {
        self.last += 1;
        let number = self.last;
        let target = target.to_owned();
        self.open.push(Request { number, target, asked, heard: None, begun: false, lines: 0 });
        number
    }

    fn get(&mut self, number: u64) -> Option<&mut Request> {
        self.open.iter_mut().find(|request| request.number == number)
    }

    fn take(&mut self, number: u64) -> Option<Request> {
        let at = self.open.iter().position(|request| request.number == number)?;
        Some(self.open.remove(at))
    }

    /// It leaves, or something of its answer came.
    pub(super) fn touch(&mut self, number: u64, now: Instant) {
        if let Some(request) = self.get(number) {
            request.heard = Some(now);
        }
    }

    pub(super) fn count_line(&mut self, number: u64, now: Instant) {
        if let Some(request) = self.get(number) {
            request.heard = Some(now);
            request.lines += 1;
        }
    }

    fn begin(&mut self, wanted: impl Fn(&Request) -> bool) -> Option<u64> {
        let request = self
            .open
            .iter_mut()
            .find(|request| request.heard.is_some() && !request.begun && wanted(request))?;
        request.begun = true;
        Some(request.number)
    }

    /// A batch of history begins: the request that it answers, by its label, or else the oldest for its target.
    pub(super) fn answered_by(
        &mut self,
        label: Option<Label>,
        target: &str,
        mapping: CaseMapping,
    ) -> Option<u64> {
        self.begin(|request| {
            matches!(request.asked, Asked::Messages)
                && request.is(label, || mapping.same(&request.target, target))
        })
    }

    /// A batch of targets begins.
    pub(super) fn listed_by(&mut self, label: Option<Label>) -> Option<u64> {
        self.begin(|request| matches!(request.asked, Asked::Targets(_)) && request.is(label, || true))
    }

    /// When a request has waited too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open.iter().filter_map(|request| request.heard).min().map(|heard| heard + ANSWER)
    }

    fn overdue(&self, now: Instant) -> Option<u64> {
        let late = |request: &&Request| request.heard.is_some_and(|heard| heard + ANSWER <= now);
        self.open.iter().find(late).map(|request| request.number)
    }
}

impl Request {
    /// Whether a batch answers it: a label decides, where there is one.
    fn is(&self, label: Option<Label>, otherwise: impl Fn() -> bool) -> bool {
        label.map_or_else(otherwise, |label| label == Label::Request(self.number))
    }
}

impl Session {
    /// Whether the server says with each line to which account its sender is logged in.
    #[must_use]
    pub fn tells_accounts(&self) -> bool {
        self.caps.enabled("account-tag")
    }

    /// Whether the server gives history that can be asked for.
    #[must_use]
    pub fn has_history(&self) -> bool {
        ["draft/chathistory", "batch", "server-time"].into_iter().all(|name| self.caps.enabled(name))
    }

    /// How many lines one request gives at most; as many say that there may be more.
    #[must_use]
    pub fn history_limit(&self) -> usize {
        match self.isupport.history_limit() {
            None | Some(0) => LIMIT,
            Some(limit) => limit.min(MOST_LINES),
        }
    }

    /// Asks for what was said to a channel, or in a query. Its lines come as [`Event::Message`] with the number
    /// that is returned, then [`Event::HistoryEnd`].
    ///
    /// `None`: not now (not connected, or too many requests are open), or never (the server has no history, or
    /// does not find messages by this kind of mark).
    pub fn request_history(&mut self, target: &Target, after: HistoryMark) -> Option<u64> {
        let (subcommand, mark) = match after {
            HistoryMark::MessageId(id) if self.isupport.finds_messages_by("msgid") => {
                ("AFTER", format!("msgid={id}"))
            }
            HistoryMark::Time(time) if self.isupport.finds_messages_by("timestamp") => {
                ("AFTER", timestamp(time)?)
            }
            HistoryMark::Latest => ("LATEST", "*".to_owned()),
            _ => return None,
        };
        let line = target.put(Line::new("CHATHISTORY").name_literal(subcommand)).middle(&mark).ok()?;
        self.request(line, target.as_str(), Asked::Messages)
    }

    /// Asks where something was said between two times, in milliseconds since 1970. The answer comes as
    /// [`Event::HistoryTargets`], or [`Event::HistoryEnd`] with an empty target if it is refused.
    ///
    /// `None` as for [`Session::request_history`].
    pub fn request_history_targets(&mut self, from: i64, to: i64) -> Option<u64> {
        let line = Line::new("CHATHISTORY").name_literal("TARGETS");
        let line = line.middle(&timestamp(from)?).ok()?.middle(&timestamp(to)?).ok()?;
        self.request(line, "", Asked::Targets(Vec::new()))
    }

    /// Asks ZNC for what came after this time, in seconds since 1970. What it has comes as [`Event::Message`] with
    /// [`Origin::Playback`](super::Origin::Playback). Returns whether it was asked.
    pub fn request_playback(&mut self, after_seconds: i64) -> bool {
        let asks = self.state == State::Ready && self.caps.enabled("znc.in/playback");
        if asks {
            let line = Line::new("PRIVMSG").name_literal("*playback");
            self.queue_line(Class::History, Line::with_text(line, &format!("Play * {after_seconds}")));
        }
        asks
    }

    fn request(&mut self, line: LineBuilder, target: &str, asked: Asked) -> Option<u64> {
        let line = line.number(self.history_limit() as u64).finish();
        let can = self.state == State::Ready && self.has_history() && line.len() <= super::outgoing::LINE;
        if !can || self.requests.open.len() >= MOST_REQUESTS {
            return None;
        }
        let number = self.requests.add(target, asked);
        if self.enqueue(Class::History, Outgoing::Request { number, line }).is_err() {
            self.requests.take(number);
            return None;
        }
        Some(number)
    }

    /// `CHATHISTORY TARGETS target time`, in a batch of them.
    pub(super) fn on_history_target(&mut self, message: &Message, context: Context, now: Instant) {
        let Some(number) = self.batches.request(context) else {
            return;
        };
        self.requests.touch(number, now);
        if let Some(Request { asked: Asked::Targets(targets), .. }) = self.requests.get(number)
            && let Ok(time) = message.param(2).parse::<jiff::Timestamp>()
            && targets.len() < MOST_TARGETS
        {
            targets.push((message.param(1).to_owned(), time.as_millisecond()));
        }
    }

    /// A request has its answer, which is told once.
    pub(super) fn end_request(&mut self, number: u64, failed: Option<String>, events: &mut Vec<Event>) {
        let Some(request) = self.requests.take(number) else {
            return;
        };
        self.batches.disown(number);
        let Request { target, lines, asked, .. } = request;
        events.push(match asked {
            Asked::Targets(targets) if failed.is_none() => Event::HistoryTargets { request: number, targets },
            _ => Event::HistoryEnd { request: number, target, lines, failed },
        });
    }

    /// An error about `CHATHISTORY` without a label: about the oldest request for a target that it names, or else
    /// the oldest of all. Returns whether there was one.
    pub(super) fn refuse_request(
        &mut self,
        context: &[String],
        reason: &str,
        events: &mut Vec<Event>,
    ) -> bool {
        let mapping = self.isupport.casemapping();
        let mut sent = self.requests.open.iter().filter(|request| request.heard.is_some() && !request.begun);
        let oldest = sent.clone().next();
        let named = sent.find(|request| context.iter().any(|word| mapping.same(word, &request.target)));
        let number = named.or(oldest).map(|request| request.number);
        if let Some(number) = number {
            self.end_request(number, Some(reason.to_owned()), events);
        }
        number.is_some()
    }

    /// Requests that were not answered in time.
    pub(super) fn time_out_requests(&mut self, now: Instant, events: &mut Vec<Event>) {
        while let Some(number) = self.requests.overdue(now) {
            self.end_request(number, Some("the server did not answer".to_owned()), events);
        }
    }
}

/// `timestamp=2024-01-01T00:00:00.000Z`.
pub(super) fn timestamp(milliseconds: i64) -> Option<String> {
    let time = jiff::Timestamp::from_millisecond(milliseconds).ok()?;
    Some(format!("timestamp={time:.3}"))
}
