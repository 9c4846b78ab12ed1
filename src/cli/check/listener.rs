//! The other half of a ping: answers the homeserver where Towline would, while Towline does not run.
//!
//! It knows two requests, at whatever path in front of them `appservice.url` may have: `POST /_matrix/app/v1/ping` (Matrix
//! application service API, "Pinging") and `PUT /_matrix/app/v1/transactions/{id}`. That it answers wrong tokens as Towline
//! does is what makes the check true.
//!
//! Invariant 1: of transactions it takes only those that Towline would pass over, which are about what the bot or the
//! checks' ghost has done itself; all else the homeserver is told to keep for Towline.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::homeserver::ghost_of_checks;
use crate::config::Config;
use crate::matrix::event::CONTENT_KEY;

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

/// Bytes of a transaction that are read.
const LARGEST: usize = 64 << 20;

/// Listens until it is dropped.
pub(super) struct Listener {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Shared {
    hs_token: SecretString,
    bot: String,
    ghost: String,
    seen: AtomicU8,
    /// Of which rooms something was taken.
    rooms: watch::Sender<HashSet<String>>,
    /// The bot was said to type.
    typing: watch::Sender<bool>,
    /// A transaction was left to the homeserver.
    refused: AtomicBool,
}

impl Listener {
    /// Ends it, and waits until the port is free: what listens there then is Towline.
    pub(super) async fn end(mut self) {
        self.task.abort();
        // It was aborted.
        let _ = (&mut self.task).await;
    }

    /// Listens in Towline's place.
    pub(super) async fn start(config: &Config) -> std::io::Result<Self> {
        let address: SocketAddr = config.appservice.listen;
        let socket = TcpListener::bind(address).await?;
        let shared = Arc::new(Shared {
            hs_token: config.appservice.hs_token.clone(),
            bot: config.bot_id(),
            ghost: ghost_of_checks(config).1,
            seen: AtomicU8::new(0),
            rooms: watch::Sender::default(),
            typing: watch::Sender::new(false),
            refused: AtomicBool::new(false),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            // It ends when the check does; an error before that shows as a ping that does not arrive.
            let _ = axum::serve(socket, router).await;
        });
        Ok(Self { shared, task })
    }

    pub(super) fn seen(&self) -> Seen {
        match self.shared.seen.load(Ordering::Acquire) {
            0 => Seen::Nothing,
            1 => Seen::WrongToken,
            _ => Seen::Ping,
        }
    }

    /// Waits until something of this room was taken: then nothing that is older is kept back.
    pub(super) async fn heard_of(&self, room: &str) {
        // The sender is ours, so it does not go.
        let _ = self.shared.rooms.subscribe().wait_for(|rooms| rooms.contains(room)).await;
    }

    /// Waits until the homeserver has said that the bot types.
    pub(super) async fn heard_of_typing(&self) {
        let _ = self.shared.typing.subscribe().wait_for(|is_heard| *is_heard).await;
    }

    /// Whether the homeserver has something for Towline, which the check did not take.
    pub(super) fn has_refused(&self) -> bool {
        self.shared.refused.load(Ordering::Acquire)
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path();
    let is_ping = request.method() == http::Method::POST && path.ends_with("/_matrix/app/v1/ping");
    let is_transaction =
        request.method() == http::Method::PUT && path.contains("/_matrix/app/v1/transactions/");
    if !is_ping && !is_transaction {
        return refusal(StatusCode::NOT_FOUND, "M_UNRECOGNIZED", "towline check answers pings only");
    }
    let given = bearer(request.headers()).unwrap_or_default();
    let right =
        aws_lc_rs::constant_time::verify_slices_are_equal(given, shared.hs_token.expose_secret().as_bytes());
    if right.is_err() {
        if is_ping {
            shared.seen.fetch_max(1, Ordering::AcqRel);
        }
        return refusal(StatusCode::FORBIDDEN, "M_FORBIDDEN", "another hs_token is expected");
    }
    if is_ping {
        shared.seen.fetch_max(2, Ordering::AcqRel);
        return (StatusCode::OK, "{}").into_response();
    }
    transaction(&shared, request).await
}

async fn transaction(shared: &Shared, request: Request) -> Response {
    let later =
        || refusal(StatusCode::SERVICE_UNAVAILABLE, "M_UNKNOWN", "towline does not run, its check does");
    let Ok(body) = axum::body::to_bytes(request.into_body(), LARGEST).await else { return later() };
    let Ok(body) = serde_json::from_slice::<Value>(&body) else { return later() };
    let list = |key: &str| body.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let has_key =
        |event: &Value| event.get("content").is_some_and(|content| content.get(CONTENT_KEY).is_some());
    let is_passed_over = |event: &Value| {
        let sender = text(event, "sender");
        [&shared.bot, &shared.ghost].into_iter().any(|id| sender.as_ref() == Some(id)) && !has_key(event)
    };
    if !list("events").iter().all(is_passed_over) {
        shared.refused.store(true, Ordering::Release);
        return later();
    }
    let rooms = list("events").iter().filter_map(|event| text(event, "room_id"));
    shared.rooms.send_modify(|known| known.extend(rooms));
    let types = |event: &Value| {
        let users =
            event.get("content").and_then(|content| content.get("user_ids")).and_then(Value::as_array);
        text(event, "type").as_deref() == Some("m.typing")
            && users.is_some_and(|users| users.iter().any(|user| user.as_str() == Some(&shared.bot)))
    };
    let mut passing = list("ephemeral").iter().chain(list("de.sorunome.msc2409.ephemeral"));
    if passing.any(types) {
        shared.typing.send_replace(true);
    }
    (StatusCode::OK, "{}").into_response()
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    (status, serde_json::json!({ "errcode": code, "error": message }).to_string()).into_response()
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get(http::header::AUTHORIZATION)?.as_bytes().strip_prefix(b"Bearer ")
}
