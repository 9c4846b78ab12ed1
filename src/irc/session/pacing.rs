//! How fast the session sends, and what of it can be seen: the session's side of flood control.
//!
//! Not the model, which is [`flood`](crate::irc::flood), nor the order, which is [`queue`](crate::irc::queue).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::irc::flood::{Cost, Slowdown};
use crate::irc::numerics::{ERR_TARGCHANGE, ERR_TARGETTOOFAST};
use crate::irc::queue::{Class, QueueFull};
use crate::irc::wire::Line;
use crate::names::CaseMapping;

use super::Session;
use super::event::Event;
use super::fences::Sent;
use super::outgoing::{FENCED, Outgoing, Waiting};
use super::verdict::stated;

/// What a person has said or asked for and that has not left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// How many lines.
    pub lines: usize,
    /// How many messages they are.
    pub messages: usize,
    /// To whom, with how many lines each; commands are to nobody.
    pub targets: Vec<(String, usize)>,
    /// In how long the last of them goes, as far as is known.
    pub last_in: Duration,
}

/// What a batch costs at most.
const BATCH: Cost = Cost::LINE.times(10);

impl Outgoing {
    pub(super) fn cost(&self) -> Cost {
        match self {
            Self::Line(line) | Self::Request { line, .. } | Self::Inquiry { line, .. } => Cost::of(line),
            Self::Message(Waiting { lines, .. }) => {
                let all = lines.iter().fold(Cost::NOTHING, |cost, (line, _)| cost.plus(Cost::of(line)));
                // Servers that take batches let them through whole, and the next line need not wait for minutes.
                if lines.len() > 1 { all.at_most(BATCH) } else { all }
            }
        }
    }

    /// For whom it is.
    fn target(&self) -> Option<&str> {
        match self {
            Self::Line(line) | Self::Request { line, .. } | Self::Inquiry { line, .. } => line.first_param(),
            Self::Message(message) => Some(message.target.as_str()),
        }
    }
}

/// How long a message may wait because we write to too many; what is to wait longer is refused, and its sender told.
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// How long it waits where the server does not say.
const WAIT: Duration = Duration::from_mins(1);
/// How often.
const MOST_HOLDS: u8 = 3;
/// After that an error is not about a command any more, nor about what we sent by ourselves.
const ANSWERED: Duration = Duration::from_mins(2);
/// Lines of ours to others that may be without an answer.
const MOST_OTHERS: usize = 128;
/// When a command of ours is tried again that the server had no time for.
const AGAIN: Duration = Duration::from_secs(30);
/// Commands that are known to cost more, and how many times as much at most, as a power of two.
const MOST_DEAR: usize = 16;
const DEAREST: u32 = 3;

/// How long an error asks to wait with messages to its target; none where it asks for no such thing, or for too much.
fn wait_for(code: u16, reason: &str) -> Option<Duration> {
    let is_meant = matches!(code, ERR_TARGETTOOFAST | ERR_TARGCHANGE);
    let wait = is_meant.then(|| stated(&reason.to_lowercase()).unwrap_or(WAIT))?;
    (wait <= LONGEST_WAIT).then_some(wait)
}

/// What the server has taught us on this connection.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    /// Commands with how often the server had no time for them.
    dear: Vec<(String, u32)>,
    /// When a command of a person's left last.
    pub(super) commanded_at: Option<Instant>,
    /// The channel whose members we asked for last, until it is answered.
    pub(super) names_of: Option<Box<str>>,
    /// What left to others that was no message of a person's: its target, when, and the last fence before it.
    others: VecDeque<(Box<str>, Instant, u64)>,
}

impl Learnt {
    fn cost(&self, item: &Outgoing) -> Cost {
        let (Outgoing::Line(line) | Outgoing::Request { line, .. } | Outgoing::Inquiry { line, .. }) = item
        else {
            return item.cost();
        };
        if self.dear.is_empty() {
            return item.cost();
        }
        let verb = line.verb();
        let times = self.dear.iter().find(|(dear, _)| *dear == verb).map_or(0, |(_, times)| *times);
        item.cost().times(1 << times)
    }

    /// A line of ours leaves. Errors about it name its target, as those about messages do.
    pub(super) fn note_other(&mut self, line: &Line, fence: u64, now: Instant) {
        if !matches!(line.verb().as_str(), "PRIVMSG" | "NOTICE" | "TAGMSG") {
            return;
        }
        if self.others.len() >= MOST_OTHERS {
            self.others.pop_front();
        }
        self.others.extend(line.first_param().map(|target| (target.into(), now, fence)));
    }

    /// Whether an error about this target may be the answer to such a line. Each gets one at most, and none after the
    /// answer to a fence behind it.
    fn may_answer_other(&mut self, target: &str, mapping: CaseMapping, passed: u64, now: Instant) -> bool {
        self.others.retain(|(_, at, fence)| passed <= *fence && now < *at + ANSWERED);
        let place = self.others.iter().position(|(name, ..)| mapping.same(name, target));
        place.is_some_and(|place| self.others.remove(place).is_some())
    }

    fn make_dearer(&mut self, command: &str) {
        let command = command.to_ascii_uppercase();
        if let Some((_, times)) = self.dear.iter_mut().find(|(verb, _)| *verb == command) {
            *times = (*times + 1).min(DEAREST);
        } else if self.dear.len() < MOST_DEAR {
            self.dear.push((command, 1));
        }
    }
}

/// Messages that a server which sets the pace may have before it has answered one of them: enough that the way there
/// and back costs little, and few enough that `stop` stops something.
const WINDOW: usize = 32;

impl Session {
    /// Whether the server sets the pace, and has to answer before more goes.
    pub(super) fn awaits_answers(&self) -> bool {
        self.isupport.has_safe_rate() && self.fences.unconfirmed().nth(WINDOW - 1).is_some()
    }

    /// Puts a line where it waits for its turn. Only what people wait for has lanes.
    pub(super) fn enqueue(&mut self, class: Class, item: Outgoing) -> Result<(), QueueFull> {
        let target = item.target().filter(|_| class == Class::Interactive).unwrap_or_default();
        let lane = self.isupport.casemapping().fold(target);
        let cost = self.learnt.cost(&item);
        self.queue.push(class, &lane, cost, item)?;
        if let Some(until) = self.relays.waits(&lane).filter(|_| class == Class::Interactive) {
            self.queue.hold(class, &lane, until);
        }
        Ok(())
    }

    /// The server does not do this command now, for it does too much of it: it costs more from now on. Returns whether
    /// it was nobody's but ours.
    pub(super) fn on_try_again(&mut self, command: &str, now: Instant) -> bool {
        self.learnt.make_dearer(command);
        if !command.eq_ignore_ascii_case("NAMES") {
            return false;
        }
        let Some(channel) = self.learnt.names_of.take() else { return false };
        self.unnamed.push_front(channel);
        self.ask_next_names();
        self.queue.hold(Class::Background, "", now + AGAIN);
        true
    }

    /// The server takes no message to this target now, since we write to too many: the message waits as long as it
    /// says, and all behind it to the same target, where it is certain which it is and that it did not arrive. Where the
    /// error may be about what we sent by ourselves, its sender is told so, unless the server shows that it did arrive.
    /// Returns whether the error is about a message.
    pub(super) fn put_off(
        &mut self,
        (code, target, reason): (u16, &str, &str),
        label: Option<u64>,
        now: Instant,
        events: &mut Vec<Event>,
    ) -> bool {
        let Some(wait) = wait_for(code, reason) else { return false };
        // The error may be about a command that a person typed, unless a label says otherwise.
        let typed = self.learnt.commanded_at.is_some_and(|at| now < at + ANSWERED);
        if label.is_none() && typed {
            return false;
        }
        let mapping = self.isupport.casemapping();
        if label.is_none()
            && self.learnt.may_answer_other(target, mapping, self.fences.passed(), now)
            && self.fences.doubt(target, mapping, code, reason)
        {
            self.refuses_typing(target, now);
            return true;
        }
        let is_it = |sent: &Sent| sent.holds < MOST_HOLDS && sent.label == label;
        let Some(sent) = self.fences.take_back(target, mapping, is_it) else {
            return false;
        };
        let Sent { id, target, lines, reply, holds, .. } = sent;
        self.relays.drop(id);
        let lane = self.isupport.casemapping().fold(target.as_str());
        let item = Outgoing::Message(Waiting { id, target, lines, reply, holds: holds + 1 });
        self.queue.push_front(Class::Interactive, &lane, item.cost(), item);
        self.queue.hold(Class::Interactive, &lane, now + wait);
        events.push(Event::PutOff { message: id, code, reason: reason.to_owned() });
        true
    }

    /// How slow to be, because the network has said that we are too fast.
    pub fn slow_down(&mut self, slowdown: Slowdown) {
        self.queue.pace().slow_down(slowdown);
    }

    /// What people wait for; none where nothing waits.
    #[must_use]
    pub fn backlog(&self, now: Instant) -> Option<Backlog> {
        let mut targets: Vec<(String, usize)> = Vec::new();
        let (mut lines, mut messages) = (0, 0);
        for item in self.queue.iter(Class::Interactive) {
            let Outgoing::Message(Waiting { target, lines: more, .. }) = item else {
                lines += 1;
                continue;
            };
            lines += more.len();
            messages += 1;
            let mapping = self.isupport.casemapping();
            match targets.iter_mut().find(|(name, _)| mapping.same(name, target.as_str())) {
                Some((_, count)) => *count += more.len(),
                None => targets.push((target.as_str().to_owned(), more.len())),
            }
        }
        let fences = u32::try_from(messages / FENCED).unwrap_or(u32::MAX);
        let last = self.queue.last_leaves_at(Cost::LINE.times(fences), now)?;
        Some(Backlog { lines, messages, targets, last_in: last.saturating_duration_since(now) })
    }
}
