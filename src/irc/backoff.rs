//! How long to wait before the next attempt to connect.
//!
//! Not a governor of a whole network's connections, and no judge of why the last one ended (that is
//! [`Verdict`](super::session::Verdict)). A network that throws us out right after registration would make every
//! wait the first one, so only a connection that stood for [`GOOD_CONNECTION`] resets it. A time that the server names
//! is the least that is waited: some name few seconds, and count each attempt against us.
//!
//! Invariant 7: no clock and no randomness of its own.

use std::time::Duration;

use super::random::Jitter;

/// The waits in seconds; the last one repeats.
const STEPS: [u64; 10] = [2, 5, 10, 20, 40, 80, 160, 320, 600, 600];

/// How long a connection must have been registered to count as good.
pub const GOOD_CONNECTION: Duration = Duration::from_mins(2);

/// What a ban or a kill that repeats doubles up to.
const LONGEST_HOLD: Duration = Duration::from_hours(6);

/// The waits of one session, growing with each failure.
#[derive(Debug, Clone)]
pub struct Backoff {
    failures: usize,
    /// Bans and kills among them.
    holds: u32,
    jitter: Jitter,
}

impl Backoff {
    /// Starts at the shortest wait; the seed keeps sessions from retrying in step.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { failures: 0, holds: 0, jitter: Jitter::new(seed) }
    }

    /// The wait before the next attempt: a step, a quarter more or less.
    #[expect(
        clippy::should_implement_trait,
        reason = "an endless series of waits is no iterator to its users"
    )]
    pub fn next(&mut self) -> Duration {
        let step = STEPS[self.failures.min(STEPS.len() - 1)];
        self.failures += 1;
        self.jitter.around(Duration::from_secs(step))
    }

    /// The wait after a throttle for which this time was named.
    pub fn throttled(&mut self, named: Duration) -> Duration {
        self.next().max(named)
    }

    /// The wait after a ban or a kill that is to be waited out for so long: twice that when it comes again.
    pub fn held(&mut self, named: Duration) -> Duration {
        let doubled = named.saturating_mul(2_u32.saturating_pow(self.holds)).min(LONGEST_HOLD.max(named));
        self.holds = self.holds.saturating_add(1);
        self.next().max(doubled)
    }

    /// A wait that a server has named, and a little more: it names the same to everybody.
    pub fn beyond(&mut self, wait: Duration) -> Duration {
        wait + self.jitter.up_to(wait / 10)
    }

    /// Starts again at the shortest wait, if the connection that ended was a good one.
    pub fn reset_after(&mut self, registered_for: Duration) {
        if registered_for >= GOOD_CONNECTION {
            (self.failures, self.holds) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_ten_minutes_and_stay_within_a_quarter() {
        for seed in 0..200 {
            let mut backoff = Backoff::new(seed);
            for step in STEPS.into_iter().chain([600; 50]) {
                let wait = backoff.next().as_secs_f64();
                assert!(wait >= step as f64 * 0.75 && wait <= step as f64 * 1.25, "{wait} around {step}");
            }
        }
    }

    /// Before, "try again in 5 seconds" was believed for ever, and each attempt prolonged it.
    #[test]
    fn a_throttle_that_names_few_seconds_is_not_hammered_at() {
        let mut backoff = Backoff::new(1);
        let named = Duration::from_secs(10);
        let waits: Vec<_> = (0..10).map(|_| backoff.throttled(named)).collect();
        assert!(waits.iter().all(|wait| *wait >= named), "{waits:?}");
        assert_eq!(waits[0], named);
        assert!(waits[9] > Duration::from_secs(400), "{waits:?}");
    }

    #[test]
    fn a_ban_or_a_kill_that_comes_again_is_waited_out_for_longer() {
        let mut backoff = Backoff::new(1);
        let hour = Duration::from_hours(1);
        assert_eq!([1, 2, 4, 6, 6].map(|_| backoff.held(hour)), [1, 2, 4, 6, 6].map(|times| hour * times));
        assert_eq!(backoff.held(hour * 24), hour * 24, "the server knows better");
        backoff.reset_after(GOOD_CONNECTION);
        assert_eq!(backoff.held(hour), hour);
    }

    #[test]
    fn what_is_named_to_everybody_does_not_bring_them_all_at_once() {
        let hour = Duration::from_hours(1);
        let waits: std::collections::BTreeSet<_> =
            (0..100).map(|seed| Backoff::new(seed).beyond(hour)).collect();
        assert!(waits.len() > 90);
        assert!(waits.iter().all(|wait| (hour..hour + hour / 10).contains(wait)), "{waits:?}");
    }

    #[test]
    fn sessions_with_other_seeds_wait_otherwise() {
        let waits: std::collections::BTreeSet<_> = (0..100).map(|seed| Backoff::new(seed).next()).collect();
        assert!(waits.len() > 90);
    }

    #[test]
    fn only_two_minutes_of_registration_reset_it() {
        let mut backoff = Backoff::new(1);
        for _ in 0..8 {
            backoff.next();
        }
        backoff.reset_after(Duration::from_millis(119_999));
        assert!(backoff.next() > Duration::from_secs(400));
        backoff.reset_after(GOOD_CONNECTION);
        assert!(backoff.next() < Duration::from_secs(3));
    }
}
