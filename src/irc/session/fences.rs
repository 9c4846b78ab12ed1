//! Which messages the server has taken: `PING` fences.
//!
//! A server answers in order, so the `PONG` to a `PING` sent after some messages says that it has read them, and
//! an error that came before it is about one of them. Without labels that is all there is to know: an error names
//! only a target, so it is certain only for a target with one message in the fence.
//!
//! A fence that is answered proves that the server took the lines, not that anybody read them.
//!
//! Spec: modern IRC docs "PING message"; the design's decision "Receipts".

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::names::CaseMapping;

use super::event::MessageId;
use super::outgoing::Target;

/// What our PING tokens begin with.
const TOKEN: &str = "towline-";

#[derive(Debug)]
struct Sent {
    id: MessageId,
    target: Target,
}

/// Messages between two PINGs.
#[derive(Debug, Default)]
struct Fence {
    messages: Vec<Sent>,
    /// Targets of which an error came, with how many more errors may be about messages taken out here.
    refused: Vec<(String, usize)>,
    /// The number and time of its PING; none while it is still open for more.
    ping: Option<(u64, Instant)>,
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

#[derive(Debug, Default)]
pub(super) struct Fences {
    waiting: VecDeque<Fence>,
    last: u64,
    lag: Option<Duration>,
}

impl Fences {
    /// A message leaves.
    pub(super) fn add(&mut self, id: MessageId, target: Target) {
        if self.waiting.back().is_none_or(|fence| fence.ping.is_some()) {
            self.waiting.push_back(Fence::default());
        }
        if let Some(fence) = self.waiting.back_mut() {
            fence.messages.push(Sent { id, target });
        }
    }

    /// How many messages have left with no PING behind them.
    pub(super) fn open(&self) -> usize {
        self.waiting.back().filter(|fence| fence.ping.is_none()).map_or(0, |fence| fence.messages.len())
    }

    /// Closes the open fence, or makes an empty one; returns the token for its PING.
    pub(super) fn close(&mut self, now: Instant) -> String {
        self.last += 1;
        if self.waiting.back().is_none_or(|fence| fence.ping.is_some()) {
            self.waiting.push_back(Fence::default());
        }
        if let Some(fence) = self.waiting.back_mut() {
            fence.ping = Some((self.last, now));
        }
        format!("{TOKEN}{}", self.last)
    }

    /// A PONG came: the messages that it confirms, if the token is one of ours.
    pub(super) fn pong(&mut self, token: &str, now: Instant) -> Option<Vec<MessageId>> {
        let number: u64 = token.strip_prefix(TOKEN)?.parse().ok()?;
        let position = self.waiting.iter().position(|fence| fence.ping.is_some_and(|(n, _)| n == number))?;
        let mut confirmed = Vec::new();
        // A PONG for a later fence answers for the earlier ones, should the server have left theirs out.
        for fence in self.waiting.drain(..=position) {
            if let Some((n, sent)) = fence.ping
                && n == number
            {
                self.lag = Some(now.saturating_duration_since(sent));
            }
            confirmed.extend(fence.messages.into_iter().map(|sent| sent.id));
        }
        Some(confirmed)
    }

    /// An error about a target came. It is about the oldest fence that has a message there.
    pub(super) fn refuse(&mut self, target: &str, mapping: CaseMapping) -> Refusal {
        for fence in &mut self.waiting {
            if let Some(known) = fence.refused.iter_mut().find(|(name, _)| mapping.same(name, target))
                && known.1 > 0
            {
                known.1 -= 1;
                return Refusal::Known;
            }
            if fence.messages.iter().any(|sent| mapping.same(sent.target.as_str(), target)) {
                return fence.take(target, |sent| mapping.same(sent.target.as_str(), target));
            }
        }
        Refusal::Unrelated
    }

    /// An error about a message, without a target, came.
    pub(super) fn refuse_any(&mut self) -> Refusal {
        for fence in &mut self.waiting {
            if let Some(known) = fence.refused.iter_mut().find(|(name, left)| name.is_empty() && *left > 0) {
                known.1 -= 1;
                return Refusal::Known;
            }
            if !fence.messages.is_empty() {
                return fence.take("", |_| true);
            }
        }
        Refusal::Unrelated
    }

    /// Messages that left and were not confirmed, in order.
    pub(super) fn unconfirmed(&self) -> impl Iterator<Item = MessageId> {
        self.waiting.iter().flat_map(|fence| fence.messages.iter().map(|sent| sent.id))
    }

    /// When the oldest PING that is not answered was sent.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.waiting.iter().find_map(|fence| fence.ping.map(|(_, sent)| sent))
    }

    pub(super) fn lag(&self) -> Option<Duration> {
        self.lag
    }
}

impl Fence {
    fn take(&mut self, target: &str, of: impl Fn(&Sent) -> bool) -> Refusal {
        let (refused, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.messages).into_iter().partition(of);
        self.messages = kept;
        self.refused.push((target.to_owned(), refused.len() - 1));
        Refusal::Of {
            certain: refused.len() == 1,
            messages: refused.into_iter().map(|sent| sent.id).collect(),
        }
    }
}
