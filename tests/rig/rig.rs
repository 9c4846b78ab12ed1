//! Real servers for the end-to-end tests and the demo: Synapse, InspIRCd, Atheme, ngIRCd, ZNC, browsers and clients, and people on both sides.
//!
//! Everything runs on random loopback ports in temporary directories and ends when its value is dropped: each
//! process is stopped by its own id, and dies with this one. What a server logged is printed when it fails.
//! `scripts/lib.sh` installs what is needed here.

pub(crate) mod atheme;
pub(crate) mod chromium;
pub(crate) mod inspircd;
pub(crate) mod irc;
pub(crate) mod matrix;
pub(crate) mod ngircd;
pub(crate) mod nheko;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod synapse;
pub(crate) mod towline;
pub(crate) mod town;
pub(crate) mod znc;

use std::time::Duration;

/// How long a server may take to start: a cold Synapse on a busy machine is the slowest.
pub(crate) const START_LIMIT: Duration = Duration::from_mins(2);
/// How long a condition may take to become true.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// An HTTP client that trusts nobody: everything here is plain HTTP on loopback.
#[expect(clippy::disallowed_methods, reason = "the people's client and not the bridge's")]
pub(crate) fn http_client() -> reqwest::Client {
    reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap()
}
