//! The real time, for servers that stamp what they send. Tests wait for conditions and need no clock.

use std::time::SystemTime;

/// Milliseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the one clock of the test rig: its servers stamp with real time"
)]
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64
}
