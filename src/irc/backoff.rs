//! How long to wait before the next attempt to connect.
//!
//! Not a governor of a whole network's connections, and no judge of why the last one ended (that is
//! [`Verdict`](super::session::Verdict)). A network that throws us out right after registration would make every
//! wait the first one, so only a connection that stood for [`GOOD_CONNECTION`] resets it.
//!
//! Invariant 7: no clock and no randomness of its own.

use std::time::Duration;

use super::random::Jitter;

/// The waits in seconds; the last one repeats.
const STEPS: [u64; 10] = [2, 5, 10, 20, 40, 80, 160, 320, 600, 600];

/// How long a connection must have been registered to count as good.
pub const GOOD_CONNECTION: Duration = Duration::from_mins(2);

/// The waits of one session, growing with each failure.
#[derive(Debug, Clone)]
pub struct Backoff {
    failures: usize,
    jitter: Jitter,
}

impl Backoff {
    /// Starts at the shortest wait; the seed keeps sessions from retrying in step.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { failures: 0, jitter: Jitter::new(seed) }
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

    /// Starts again at the shortest wait, if the connection that ended was a good one.
    pub fn reset_after(&mut self, registered_for: Duration) {
        if registered_for >= GOOD_CONNECTION {
            self.failures = 0;
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
