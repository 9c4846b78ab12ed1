//! What waits to be sent, and when it may go: flood control.
//!
//! Not the socket's buffer. Servers throw out who talks too fast, so lines wait here in five classes, each with
//! its order kept; a line of a lower class goes only when none of a higher one waits. [`Class::Control`] does not
//! wait at all, as a late `PONG` is a lost connection, but what it sends counts against the others. Messages and
//! requests for history take turns: neither may hold up the other for long.
//!
//! Invariant 9: each class is bounded. Invariant 7: the time is passed in.
//!
//! Spec: RFC 1459 section 8.10 (flood control of clients); the default follows what networks tolerate.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How fast lines may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FloodLimits {
    /// So many lines may go at once after a rest; at least one.
    pub burst: u32,
    /// Then one line in each interval; zero turns flood control off.
    pub interval: Duration,
}

impl Default for FloodLimits {
    fn default() -> Self {
        Self { burst: 8, interval: Duration::from_secs(1) }
    }
}

/// What a line is for, in the order of going first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// PONG, QUIT, CAP, AUTHENTICATE and all of registration.
    Control,
    /// What people wait for: their messages and commands.
    Interactive,
    /// Asking for what was said before.
    History,
    /// Entering channels.
    Join,
    /// What nobody waits for.
    Background,
}

const CLASSES: usize = 5;

/// Those that wait for flood control, in their order.
const PACED: [Class; CLASSES - 1] = [Class::Interactive, Class::History, Class::Join, Class::Background];

/// How many lines of each class may wait.
pub(super) const CAPACITY: [usize; CLASSES] = [256, 512, 64, 4096, 256];

/// There is no room for the line; the owner keeps it and tries later, or says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many lines are waiting to be sent")]
pub struct QueueFull;

/// The lines that wait.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    classes: [VecDeque<T>; CLASSES],
    limits: FloodLimits,
    /// The last line that waited was a message: it is history's turn.
    yields: bool,
    /// When the bucket would be full again: each line moves it one interval on.
    full_at: Instant,
    started: Instant,
}

impl<T> Queue<T> {
    pub(crate) fn new(limits: FloodLimits, now: Instant) -> Self {
        Self {
            classes: Default::default(),
            limits: FloodLimits { burst: limits.burst.max(1), ..limits },
            yields: false,
            full_at: now,
            started: now,
        }
    }

    pub(crate) fn push(&mut self, class: Class, item: T) -> Result<(), QueueFull> {
        let queue = &mut self.classes[class as usize];
        if queue.len() >= CAPACITY[class as usize] {
            return Err(QueueFull);
        }
        queue.push_back(item);
        Ok(())
    }

    /// The next line that may go now, if the class is allowed: before registration only `Control` is.
    pub(crate) fn pop(&mut self, lowest: Class, now: Instant) -> Option<(Class, T)> {
        if let Some(item) = self.classes[Class::Control as usize].pop_front() {
            self.spend(now);
            return Some((Class::Control, item));
        }
        if self.open_at() > now {
            return None;
        }
        let turn = self.yields.then_some(Class::History);
        for class in turn.into_iter().chain(PACED) {
            if class <= lowest
                && let Some(item) = self.classes[class as usize].pop_front()
            {
                self.yields = class == Class::Interactive;
                self.spend(now);
                return Some((class, item));
            }
        }
        None
    }

    /// Counts a line that goes at once. The debt is bounded, so that a server's flood of PINGs cannot
    /// silence the user for long.
    pub(crate) fn spend(&mut self, now: Instant) {
        let most = now + self.limits.interval * self.limits.burst.saturating_mul(2);
        self.full_at = (self.full_at.max(now) + self.limits.interval).min(most);
    }

    /// When a line of an ordinary class may go.
    fn open_at(&self) -> Instant {
        self.full_at.checked_sub(self.limits.interval * (self.limits.burst - 1)).unwrap_or(self.started)
    }

    /// When [`Queue::pop`] has something to give; none if nothing waits.
    pub(crate) fn ready_at(&self, lowest: Class) -> Option<Instant> {
        if !self.classes[Class::Control as usize].is_empty() {
            return Some(self.started);
        }
        let waiting =
            PACED.into_iter().any(|class| class <= lowest && !self.classes[class as usize].is_empty());
        waiting.then(|| self.open_at())
    }

    /// How many lines of a class wait.
    pub(crate) fn len(&self, class: Class) -> usize {
        self.classes[class as usize].len()
    }

    /// Takes out the lines of a class for which this holds.
    pub(crate) fn take_out(&mut self, class: Class, holds: impl Fn(&T) -> bool) -> VecDeque<T> {
        let all = std::mem::take(&mut self.classes[class as usize]);
        let (taken, kept) = all.into_iter().partition(holds);
        self.classes[class as usize] = kept;
        taken
    }

    /// The waiting lines of a class, in order.
    pub(crate) fn iter(&self, class: Class) -> impl Iterator<Item = &T> {
        self.classes[class as usize].iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
    fn start() -> Instant {
        Instant::now()
    }

    fn drain(queue: &mut Queue<u32>, now: Instant) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop(Class::Background, now)).map(|(_, item)| item).collect()
    }

    #[test]
    fn eight_lines_go_at_once_and_then_one_each_second() {
        let now = start();
        let mut queue = Queue::new(FloodLimits::default(), now);
        for n in 0..20 {
            queue.push(Class::Interactive, n).unwrap();
        }
        assert_eq!(drain(&mut queue, now), (0..8).collect::<Vec<_>>());
        assert_eq!(queue.ready_at(Class::Background), Some(now + Duration::from_secs(1)));
        assert_eq!(drain(&mut queue, now + Duration::from_millis(999)), [0; 0]);
        assert_eq!(drain(&mut queue, now + Duration::from_secs(1)), [8]);
        assert_eq!(drain(&mut queue, now + Duration::from_secs(4)), [9, 10, 11]);
        assert_eq!(drain(&mut queue, now + Duration::from_mins(10)), (12..20).collect::<Vec<_>>());
        assert_eq!(queue.ready_at(Class::Background), None);
    }

    #[test]
    fn classes_go_in_their_order_and_control_does_not_wait() {
        let now = start();
        let mut queue = Queue::new(FloodLimits { burst: 1, interval: Duration::from_secs(1) }, now);
        for (class, item) in
            [(Class::Background, 4), (Class::Join, 3), (Class::Interactive, 2), (Class::Control, 1)]
        {
            queue.push(class, item).unwrap();
        }
        assert_eq!(drain(&mut queue, now), [1]);
        let mut order = Vec::new();
        for second in 1..=3 {
            order.extend(drain(&mut queue, now + Duration::from_secs(second)));
        }
        assert_eq!(order, [2, 3, 4]);
    }

    #[test]
    fn messages_and_requests_for_history_take_turns() {
        let now = start();
        let mut queue = Queue::new(FloodLimits { burst: 100, interval: Duration::from_secs(1) }, now);
        for n in 0..4 {
            queue.push(Class::Interactive, n).unwrap();
            queue.push(Class::History, 10 + n).unwrap();
        }
        queue.push(Class::Join, 20).unwrap();
        queue.push(Class::History, 14).unwrap();
        assert_eq!(drain(&mut queue, now), [0, 10, 1, 11, 2, 12, 3, 13, 14, 20]);
    }

    #[test]
    fn a_flood_of_control_lines_delays_the_rest_only_so_long() {
        let now = start();
        let mut queue = Queue::new(FloodLimits::default(), now);
        for n in 0..100 {
            queue.push(Class::Control, n).unwrap();
        }
        assert_eq!(drain(&mut queue, now).len(), 100);
        queue.push(Class::Interactive, 7).unwrap();
        assert_eq!(queue.ready_at(Class::Background), Some(now + Duration::from_secs(9)));
    }

    #[test]
    fn an_interval_of_zero_turns_it_off() {
        let now = start();
        let mut queue = Queue::new(FloodLimits { burst: 0, interval: Duration::ZERO }, now);
        for n in 0..500 {
            queue.push(Class::Interactive, n).unwrap();
        }
        assert_eq!(drain(&mut queue, now).len(), 500);
    }

    #[test]
    fn invariant_9_a_full_class_refuses() {
        let now = start();
        let mut queue = Queue::new(FloodLimits::default(), now);
        let taken = (0..100_000).take_while(|&n| queue.push(Class::Interactive, n).is_ok()).count();
        assert_eq!(taken, CAPACITY[Class::Interactive as usize]);
        assert_eq!(queue.push(Class::Control, 0), Ok(()));
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_the_burst_and_the_rate(
            steps in prop::collection::vec((0_u64..3000, 0_u32..6), 1..60),
            burst in 1_u32..10,
        ) {
            let mut now = start();
            let interval = Duration::from_secs(1);
            let mut queue = Queue::new(FloodLimits { burst, interval }, now);
            let mut sent = Vec::new();
            for (wait, lines) in steps {
                now += Duration::from_millis(wait);
                for n in 0..lines {
                    queue.push(Class::Interactive, n).unwrap();
                }
                sent.extend(drain(&mut queue, now).into_iter().map(|_| now));
            }
            for (index, first) in sent.iter().enumerate() {
                for (later, last) in sent.iter().enumerate().skip(index) {
                    let allowed = u64::from(burst) + (*last - *first).as_secs();
                    prop_assert!((later - index + 1) as u64 <= allowed);
                }
            }
        }
    }
}
