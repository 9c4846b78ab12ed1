//! `kill -9` of the real binary, at random moments and at each step of a delivery, while people talk.
//!
//! The ordinary run kills it once at each step and a few times at random; `scripts/test --crash` does ten times as much.
//! `TOWLINE_TEST_SEED` repeats a run's chance. Without the feature `failpoints` there is nothing to kill it with.

#[cfg(feature = "failpoints")]
mod drill;
#[cfg(feature = "failpoints")]
mod fake;
pub(crate) mod judge;
mod points;
