//! The time and randomness that the rest is given: invariant 7 of the design, kept by clippy's `disallowed-methods`.
//!
//! Nothing else reads a clock, so that a day of backoff is a unit test. The operating system's randomness has one
//! door too: keys, tokens and nonces come from [`random_bytes`].

use std::time::Instant;

/// What time it is.
pub trait Clock: Send + Sync {
    /// A time that never goes back, for waiting.
    fn now(&self) -> Instant;

    /// Milliseconds since 1970, as people and protocols count them.
    fn unix_ms(&self) -> i64;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where the clock that is passed in comes from")]
    fn now(&self) -> Instant {
        Instant::now()
    }

    #[expect(clippy::disallowed_methods, reason = "this is where the clock that is passed in comes from")]
    fn unix_ms(&self) -> i64 {
        let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        // A machine that believes to be before 1970 has no useful time; zero is at least not in the future.
        since_1970.map_or(0, |time| time.as_millis() as i64)
    }
}

/// The system has no randomness to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes")]
pub struct NoRandomness;

/// Fills a buffer with bytes that nobody can guess.
///
/// # Errors
/// When the system's generator fails. Nothing that needs a secret may go on then.
pub fn random_bytes(buffer: &mut [u8]) -> Result<(), NoRandomness> {
    aws_lc_rs::rand::fill(buffer).map_err(|_| NoRandomness)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bytes_differ() {
        let (mut one, mut other) = ([0; 32], [0; 32]);
        random_bytes(&mut one).unwrap();
        random_bytes(&mut other).unwrap();
        assert_ne!(one, other);
    }
}
