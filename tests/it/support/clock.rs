//! The real time, for servers that stamp what they send, and a clock that a test can put forward. Tests wait for
//! conditions and need no clock otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use towline::clock::Clock;

/// Milliseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the one clock of the test rig: its servers stamp with real time"
)]
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64
}

/// A clock that goes as the real one does, so much ahead of it as it was put forward.
#[derive(Clone, Default)]
pub(crate) struct TestClock(Arc<AtomicU64>);

impl TestClock {
    /// Puts it forward.
    pub(crate) fn advance(&self, time: Duration) {
        self.0.fetch_add(time.as_millis() as u64, Ordering::SeqCst);
    }

    fn ahead(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Clock for TestClock {
    #[expect(clippy::disallowed_methods, reason = "it goes as the real one does")]
    fn now(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.ahead())
    }

    fn unix_ms(&self) -> i64 {
        (now() + self.ahead()) as i64
    }
}
