//! How fast the session sends, and what of it can be seen: the session's side of flood control.
//!
//! Not the model, which is [`flood`](crate::irc::flood), nor the order, which is [`queue`](crate::irc::queue).

use std::time::{Duration, Instant};

use crate::irc::flood::{Cost, Slowdown};
use crate::irc::queue::{Class, QueueFull};

use super::Session;
use super::outgoing::{FENCED, Outgoing};

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
    fn cost(&self) -> Cost {
        match self {
            Self::Line(line) | Self::Request { line, .. } => Cost::of(line),
            Self::Message { lines, .. } => {
                let all = lines.iter().fold(Cost::NOTHING, |cost, (line, _)| cost.plus(Cost::of(line)));
                // Servers that take batches let them through whole, and the next line need not wait for minutes.
                if lines.len() > 1 { all.at_most(BATCH) } else { all }
            }
        }
    }

    /// For whom it is.
    fn target(&self) -> Option<&str> {
        match self {
            Self::Line(line) | Self::Request { line, .. } => line.first_param(),
            Self::Message { target, .. } => Some(target.as_str()),
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
        self.queue.push(class, &lane, item.cost(), item)
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
            let Outgoing::Message { target, lines: more, .. } = item else {
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
