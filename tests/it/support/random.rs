//! Chance that can be repeated: `TOWLINE_TEST_SEED` gives a failed run's again.

/// `SplitMix64`: small, and good enough to choose faults.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The seed is what the environment says, or another one each time; it is printed for the next run.
    #[expect(clippy::print_stdout, reason = "without the seed a failed run can't be repeated")]
    pub(crate) fn seeded(what: &str) -> Self {
        let seed = match std::env::var("TOWLINE_TEST_SEED") {
            Ok(text) => text.parse().expect("TOWLINE_TEST_SEED is a number"),
            Err(_) => super::clock::now(),
        };
        println!("{what}: TOWLINE_TEST_SEED={seed}");
        Self::new(seed)
    }

    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` up to, and without, `high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }

    /// True so many times in a hundred.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.between(0, 100) < percent
    }

    /// One of them.
    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.between(0, all.len() as u64) as usize]
    }
}
