//! Which messages the server has taken: `PING` fences, and the messages in them that were answered one by one.
//!
//! A server answers in order, so the `PONG` to a `PING` sent after some messages says that it has read them, and
//! an error that came before it is about one of them. Where nothing else is known, an error names only a target,
//! so it is certain only for a target with one message in the fence.
//!
//! An echo or a labelled answer takes its message out. Messages without a label get a `PING` with each flush all
//! the same, since not every target gives an echo; those with one only when they were not answered in time
//! ([`PATIENCE`]). An echo of a message that a `PONG` has confirmed is still known for a while: it must not pass
//! for something that was said elsewhere.
//!
//! A fence that is answered proves that the server took the lines, not that anybody read them.
//!
//! Spec: modern IRC docs "PING message"; `IRCv3` "echo-message"; the design's decision "Receipts".

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::irc::wire::Line;
use crate::names::CaseMapping;

use super::echo::Echo;
use super::event::MessageId;
use super::multiline::Joins;
use super::outgoing::Target;
use super::relaymsg::relayed_as;

/// What our PING tokens begin with.
const TOKEN: &str = "towline-";

/// How long a label may go without an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Messages whose echo may come late, and for how long.
const MOST_LATE: usize = 64;
const LATE: Duration = Duration::from_mins(1);

/// A message on its way.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) id: MessageId,
    pub(super) target: Target,
    /// The number on its label.
    pub(super) label: Option<u64>,
    /// What its echo looks like, where one may come without a label.
    pub(super) echo: Option<Echo>,
    /// What it is on the wire, without tags.
    pub(super) lines: Vec<(Line, Joins)>,
    /// The id of the message that it answers.
    pub(super) reply: Option<String>,
    /// How often it was held back.
    pub(super) holds: u8,
}

/// Messages between two PINGs.
#[derive(Debug)]
struct Fence {
    messages: Vec<Sent>,
    /// Targets of which an error came, with how many more errors may be about messages taken out here.
    refused: Vec<(String, usize)>,
    /// An echo came that was none of these: one of them may have come back changed.
    doubtful: bool,
    /// Messages with a label, and the errors without one that may be about them.
    doubted: Vec<(MessageId, u16, String)>,
    /// A message in it has no label, so that a PING has to follow at once.
    urgent: bool,
    opened: Instant,
    /// The number and time of its PING; none while it is still open for more.
    ping: Option<(u64, Instant)>,
}

/// What a PONG says of the messages before it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) confirmed: Vec<MessageId>,
    /// Those of which an error may have been, and that error.
    pub(super) doubted: Vec<(MessageId, u16, String)>,
}

/// The answer to an error.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No message that waits for confirmation was sent there.
    Unrelated,
    /// A message of a group of which the owner was told already.
    Known,
    /// About one of these.
    Of { messages: Vec<MessageId>, certain: bool },
}

impl Refusal {
    pub(super) fn certain(id: MessageId) -> Self {
        Self::Of { messages: vec![id], certain: true }
    }
}

#[derive(Debug, Default)]
pub(super) struct Fences {
    waiting: VecDeque<Fence>,
    /// Told already, but for the echo.
    late: VecDeque<(Instant, Sent)>,
    last: u64,
    /// The number of the last PING that was answered.
    passed: u64,
    lag: Option<Duration>,
}

impl Fences {
    /// A message leaves.
    pub(super) fn add(&mut self, sent: Sent, now: Instant) {
        let fence = self.open_fence(now);
        fence.urgent |= sent.label.is_none();
        fence.messages.push(sent);
    }

    fn open_fence(&mut self, now: Instant) -> &mut Fence {
        if self.open().is_none() {
            self.waiting.push_back(Fence {
                messages: Vec::new(),
                refused: Vec::new(),
                doubtful: false,
                doubted: Vec::new(),
                urgent: false,
                opened: now,
                ping: None,
            });
        }
        let last = self.waiting.len() - 1;
        &mut self.waiting[last]
    }

    fn open(&self) -> Option<&Fence> {
        self.waiting.back().filter(|fence| fence.ping.is_none())
    }

    /// How many messages have left with no PING behind them.
    pub(super) fn bare(&self) -> usize {
        self.open().map_or(0, |fence| fence.messages.len())
    }

    /// How many of them want one with this flush.
    pub(super) fn urgent(&self) -> usize {
        if self.open().is_some_and(|fence| fence.urgent) { self.bare() } else { 0 }
    }

    /// When labels have gone without an answer for too long.
    pub(super) fn impatient_at(&self) -> Option<Instant> {
        self.open().filter(|fence| !fence.urgent).map(|fence| fence.opened + PATIENCE)
    }

    /// Closes the open fence, or makes an empty one; returns the token for its PING.
    pub(super) fn close(&mut self, now: Instant) -> String {
        self.last += 1;
        let number = self.last;
        self.open_fence(now).ping = Some((number, now));
        format!("{TOKEN}{number}")
    }

    /// A PONG came: what it says, if the token is one of ours.
    pub(super) fn pong(&mut self, token: &str, now: Instant) -> Option<Passed> {
        let number: u64 = token.strip_prefix(TOKEN)?.parse().ok()?;
        let position = self.waiting.iter().position(|fence| fence.ping.is_some_and(|(n, _)| n == number))?;
        self.passed = self.passed.max(number);
        let mut passed = Passed::default();
        // A PONG for a later fence answers for the earlier ones, should the server have left theirs out.
        for fence in self.waiting.drain(..=position).collect::<Vec<_>>() {
            if let Some((n, sent)) = fence.ping
                && n == number
            {
                self.lag = Some(now.saturating_duration_since(sent));
            }
            let mut doubted = fence.doubted;
            for sent in fence.messages {
                match doubted.iter().position(|(id, ..)| *id == sent.id) {
                    Some(place) => passed.doubted.push(doubted.swap_remove(place)),
                    None => passed.confirmed.push(sent.id),
                }
                self.remember(sent, now);
            }
        }
        Some(passed)
    }

    /// Keeps a message that was told of, if an echo of it may come.
    fn remember(&mut self, sent: Sent, now: Instant) {
        while self.late.front().is_some_and(|(since, _)| *since + LATE <= now) || self.late.len() >= MOST_LATE
        {
            self.late.pop_front();
        }
        if sent.label.is_some() || sent.echo.is_some() {
            self.late.push_back((now, sent));
        }
    }

    fn take_late(&mut self, now: Instant, is_it: impl Fn(&Sent) -> bool) -> Option<MessageId> {
        let at = self.late.iter().position(|(since, sent)| *since + LATE > now && is_it(sent))?;
        self.late.remove(at).map(|(_, sent)| sent.id)
    }

    /// Takes one message out: it was answered.
    fn take(&mut self, is_it: impl Fn(&Sent) -> bool) -> Option<MessageId> {
        self.take_sent(is_it).map(|sent| sent.id)
    }

    fn take_sent(&mut self, is_it: impl Fn(&Sent) -> bool) -> Option<Sent> {
        let (place, at) = self
            .waiting
            .iter()
            .enumerate()
            .find_map(|(place, fence)| fence.messages.iter().position(&is_it).map(|at| (place, at)))?;
        let fence = &mut self.waiting[place];
        let sent = fence.messages.remove(at);
        // It may leave again.
        fence.doubted.retain(|(id, ..)| *id != sent.id);
        if fence.ping.is_none() && fence.messages.is_empty() {
            self.waiting.remove(place);
        }
        Some(sent)
    }

    /// The message with this label, which is answered now.
    pub(super) fn take_labelled(&mut self, label: u64) -> Option<MessageId> {
        self.take(|sent| sent.label == Some(label))
    }

    /// The message with this label, where it is said under somebody's name and was refused.
    pub(super) fn take_relay(&mut self, label: u64) -> Option<Sent> {
        self.take_sent(|sent| sent.label == Some(label) && relayed_as(&sent.lines).is_some())
    }

    /// Whether the message with this label waits and is said under somebody's name.
    pub(super) fn has_relay(&self, label: u64) -> bool {
        let mut all = self.waiting.iter().flat_map(|fence| &fence.messages);
        all.any(|sent| sent.label == Some(label) && relayed_as(&sent.lines).is_some())
    }

    /// The oldest message of several lines that is not answered.
    pub(super) fn take_multiline(&mut self) -> Option<MessageId> {
        self.take(|sent| sent.lines.len() > 1)
    }

    /// The message with this label, if it was confirmed without an answer.
    pub(super) fn take_late_labelled(&mut self, label: u64, now: Instant) -> Option<MessageId> {
        self.take_late(now, |sent| sent.label == Some(label))
    }

    /// A message of ours was shown to us without a label: which it is, if it is one of these.
    pub(super) fn take_echoed(
        &mut self,
        target: &str,
        echo: &Echo,
        mapping: CaseMapping,
        now: Instant,
    ) -> Option<MessageId> {
        let there = |sent: &Sent| mapping.same(sent.target.as_str(), target);
        let same = |sent: &Sent| there(sent) && sent.echo.as_ref().is_some_and(|ours| ours.same(echo));
        let cut = |sent: &Sent| there(sent) && sent.echo.as_ref().is_some_and(|ours| ours.was_cut_to(echo));
        let taken = self
            .take(same)
            .or_else(|| self.take_late(now, same))
            .or_else(|| self.take(cut))
            .or_else(|| self.take_late(now, cut));
        if taken.is_none() {
            for fence in &mut self.waiting {
                fence.doubtful |= fence.messages.iter().any(|sent| there(sent) && sent.echo.is_some());
            }
        }
        taken
    }

    /// An error about a target came, without a label, that is about no message without one. Those with a label have
    /// their own answers; of one that gets none it says something. Returns whether there is any.
    pub(super) fn doubt(&mut self, target: &str, mapping: CaseMapping, code: u16, reason: &str) -> bool {
        let mut is_any = false;
        for fence in &mut self.waiting {
            for sent in fence.messages.iter().filter(|sent| mapping.same(sent.target.as_str(), target)) {
                is_any = true;
                if !fence.doubted.iter().any(|(id, ..)| *id == sent.id) {
                    fence.doubted.push((sent.id, code, reason.to_owned()));
                }
            }
        }
        is_any
    }

    /// An error about a target came, without a label. It is about the oldest fence that has a message without one
    /// there.
    pub(super) fn refuse(&mut self, target: &str, mapping: CaseMapping, now: Instant) -> Refusal {
        let there = |sent: &Sent| sent.label.is_none() && mapping.same(sent.target.as_str(), target);
        for place in 0..self.waiting.len() {
            let fence = &mut self.waiting[place];
            if let Some(known) = fence.refused.iter_mut().find(|(name, _)| mapping.same(name, target))
                && known.1 > 0
            {
                known.1 -= 1;
                return Refusal::Known;
            }
            let Some(first) = fence.messages.iter().find(|sent| there(sent)) else {
                continue;
            };
            // A channel gives each message its echo or its error, in order: those before had their echo.
            let echoes = first.echo.is_some() && matches!(first.target, Target::Channel(_));
            if echoes && !fence.doubtful {
                if first.lines.len() > 1 {
                    // A server may refuse each line of it.
                    let id = first.id;
                    return self.refuse_group(place, target, |sent| sent.id == id, now);
                }
                return self.take(there).map_or(Refusal::Unrelated, Refusal::certain);
            }
            return self.refuse_group(place, target, there, now);
        }
        Refusal::Unrelated
    }

    /// Takes back the message to a target that the server refused for now, if it is of one line, no error about another
    /// message to that target can be meant, and none that came after it is on its way: so it can go again in its order.
    pub(super) fn take_back(
        &mut self,
        target: &str,
        mapping: CaseMapping,
        is_it: impl Fn(&Sent) -> bool,
    ) -> Option<Sent> {
        let there = |sent: &&Sent| mapping.same(sent.target.as_str(), target);
        let told_of = |fence: &Fence| {
            fence
                .refused
                .iter()
                .any(|(name, left)| *left > 0 && (name.is_empty() || mapping.same(name, target)))
        };
        let mut all = self.waiting.iter().flat_map(|fence| fence.messages.iter().filter(there));
        let only = all.next().filter(|sent| sent.lines.len() == 1 && is_it(sent))?.id;
        if all.next().is_some() || self.waiting.iter().any(|fence| fence.doubtful || told_of(fence)) {
            return None;
        }
        self.take_sent(|sent| sent.id == only)
    }

    /// An error about a message, without a target, came.
    pub(super) fn refuse_any(&mut self, now: Instant) -> Refusal {
        for place in 0..self.waiting.len() {
            let fence = &mut self.waiting[place];
            if let Some(known) = fence.refused.iter_mut().find(|(name, left)| name.is_empty() && *left > 0) {
                known.1 -= 1;
                return Refusal::Known;
            }
            let unlabelled = |sent: &Sent| sent.label.is_none();
            if fence.messages.iter().any(unlabelled) {
                return self.refuse_group(place, "", unlabelled, now);
            }
        }
        Refusal::Unrelated
    }

    /// Takes out all messages of a fence that an error may be about.
    fn refuse_group(
        &mut self,
        place: usize,
        target: &str,
        of: impl Fn(&Sent) -> bool,
        now: Instant,
    ) -> Refusal {
        let fence = &mut self.waiting[place];
        let (refused, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut fence.messages).into_iter().partition(of);
        fence.messages = kept;
        let lines: usize = refused.iter().map(|sent| sent.lines.len()).sum();
        fence.refused.push((target.to_owned(), lines.saturating_sub(1)));
        let messages: Vec<_> = refused.iter().map(|sent| sent.id).collect();
        let certain = messages.len() == 1;
        if !certain {
            refused.into_iter().for_each(|sent| self.remember(sent, now));
        }
        Refusal::Of { messages, certain }
    }

    /// Messages that left and were not confirmed, in order.
    pub(super) fn unconfirmed(&self) -> impl Iterator<Item = MessageId> {
        self.waiting.iter().flat_map(|fence| fence.messages.iter().map(|sent| sent.id))
    }

    /// The number of the last PING that was sent.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The number of the last PING that was answered.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    /// When the oldest PING that is not answered was sent.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.waiting.iter().find_map(|fence| fence.ping.map(|(_, sent)| sent))
    }

    pub(super) fn lag(&self) -> Option<Duration> {
        self.lag
    }
}
