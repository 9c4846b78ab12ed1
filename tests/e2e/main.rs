//! The end-to-end tests: the real binary between a real Synapse and a real InspIRCd, with Atheme for SASL and ZNC as
//! a bouncer.
//!
//! `scripts/test --only e2e` installs the servers and runs these. Each test has servers of its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bouncers;
mod check;
mod conversations;
mod logins;
mod restarts;
mod scene;
mod servers;

#[path = "../rig/rig.rs"]
#[expect(dead_code, reason = "the demo and these tests share the rig; neither uses all of it")]
mod rig;
