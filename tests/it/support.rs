//! What the integration tests run against: an in-memory homeserver, a fake ircd, a proxy with faults, databases.

pub(crate) mod bridge;
pub(crate) mod clock;
pub(crate) mod database;
pub(crate) mod homeserver;
pub(crate) mod ircd;
pub(crate) mod ports;
pub(crate) mod proxy;
pub(crate) mod random;
