//! The end-to-end tests: the real binary between a real Synapse and a real InspIRCd, with Atheme for SASL, ZNC as a
//! bouncer, ngIRCd as the plain server, and Chromium for what links on IRC lead to.
//!
//! `scripts/test --only e2e` installs the servers and runs these. Each test has servers of its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bouncers;
mod check;
mod conversations;
mod crash;
mod from_heisenbridge;
mod logins;
mod media;
mod misconfigurations;
mod moderation;
mod networks;
mod nicks;
mod plain;
mod presence;
mod restarts;
mod rooms;
mod rotation;
mod scene;
mod screens;
mod servers;
mod shared;
mod wishes;

#[path = "../rig/rig.rs"]
mod rig;

#[path = "../it/support"]
#[expect(
    dead_code,
    unused_imports,
    reason = "the crash test needs only a part of what the integration tests run against"
)]
mod support {
    pub(crate) mod bridge;
    pub(crate) mod clock;
    pub(crate) mod database;
    pub(crate) mod homeserver;
    pub(crate) mod ircd;
    pub(crate) mod ports;
    pub(crate) mod proxy;
    pub(crate) mod random;
}
