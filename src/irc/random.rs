//! Jitter: numbers that need not be secret, only different.
//!
//! Invariant 7: the seed is passed in, so that a day of waiting is a unit test. Nothing here may ever make a
//! password, a token or a key.

use std::time::Duration;

/// The splitmix64 generator (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The duration, a quarter more or less.
    pub(crate) fn around(&mut self, duration: Duration) -> Duration {
        duration.mul_f64(0.75 + self.fraction() / 2.0)
    }

    /// Any part of the duration.
    pub(crate) fn up_to(&mut self, duration: Duration) -> Duration {
        duration.mul_f64(self.fraction())
    }

    /// A number from 0 on, and less than 1.
    fn fraction(&mut self) -> f64 {
        // 53 bits make an exact fraction.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Puts what is in a slice into another order (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            // So few items that the remainder's bias is none.
            items.swap(end, (self.next() % (end as u64 + 1)) as usize);
        }
    }
}
