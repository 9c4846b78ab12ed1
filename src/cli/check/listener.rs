//! The other half of a ping: answers the homeserver where Towline would, while Towline does not run.
//!
//! It knows one request, `POST /_matrix/app/v1/ping` (Matrix application service API, "Pinging"), at whatever path
//! in front of it `appservice.url` may have. That it answers wrong tokens as Towline does is what makes the check
//! true.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What the listener has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// No ping.
    Nothing,
    /// A ping with another token.
    WrongToken,
    /// A ping with the right token.
    Ping,
}

/// Listens until it is dropped.
pub(super) struct Listener {
    seen: Arc<AtomicU8>,
    task: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Expected {
    hs_token: SecretString,
    seen: Arc<AtomicU8>,
}

impl Listener {
    /// Listens in Towline's place.
    pub(super) async fn start(address: SocketAddr, hs_token: SecretString) -> std::io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let seen = Arc::new(AtomicU8::new(0));
        let expected = Arc::new(Expected { hs_token, seen: Arc::clone(&seen) });
        let router = Router::new().fallback(answer).with_state(expected);
        let task = tokio::spawn(async move {
            // It ends when the check does; an error before that shows as a ping that does not arrive.
            let _ = axum::serve(socket, router).await;
        });
        Ok(Self { seen, task })
    }

    pub(super) fn seen(&self) -> Seen {
        match self.seen.load(Ordering::Acquire) {
            0 => Seen::Nothing,
            1 => Seen::WrongToken,
            _ => Seen::Ping,
        }
    }
}

async fn answer(State(expected): State<Arc<Expected>>, request: Request) -> Response {
    let is_ping =
        request.method() == http::Method::POST && request.uri().path().ends_with("/_matrix/app/v1/ping");
    if !is_ping {
        let body = r#"{"errcode":"M_UNRECOGNIZED","error":"towline check only answers pings"}"#;
        return (StatusCode::NOT_FOUND, body).into_response();
    }
    let given = bearer(request.headers()).unwrap_or_default();
    let right = aws_lc_rs::constant_time::verify_slices_are_equal(
        given,
        expected.hs_token.expose_secret().as_bytes(),
    );
    if right.is_err() {
        expected.seen.fetch_max(1, Ordering::AcqRel);
        let body = r#"{"errcode":"M_FORBIDDEN","error":"another hs_token is expected"}"#;
        return (StatusCode::FORBIDDEN, body).into_response();
    }
    expected.seen.fetch_max(2, Ordering::AcqRel);
    (StatusCode::OK, "{}").into_response()
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get(http::header::AUTHORIZATION)?.as_bytes().strip_prefix(b"Bearer ")
}
