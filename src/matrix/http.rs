//! The one HTTP client.

use std::time::Duration;

/// Builds the client for the homeserver.
///
/// On a host without a CA store (a slim container) the platform's verifier can't be built; then a client without
/// roots is used, which serves a homeserver on `http://` and refuses every certificate.
///
/// # Errors
/// When neither can be built, which no configuration causes.
#[expect(clippy::disallowed_methods, reason = "this is the one place that builds the client")]
pub fn client() -> Result<reqwest::Client, reqwest::Error> {
    let builder = || {
        reqwest::Client::builder()
            .timeout(Duration::from_mins(1))
            .connect_timeout(Duration::from_secs(10))
            .tcp_nodelay(true)
            // A start asks for much at once, and each connection that is kept costs 18 KB.
            .pool_max_idle_per_host(16)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("towline/", env!("CARGO_PKG_VERSION")))
    };
    builder().build().or_else(|error| {
        tracing::warn!(%error, "no system certificates: only a homeserver on http:// can be reached");
        builder().tls_certs_only([]).build()
    })
}
