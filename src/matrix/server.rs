//! The application service's server: what the homeserver calls ([specification]).
//!
//! It authenticates, reads the envelope and hands on; what happens is the [`Appservice`]'s affair. It holds no state,
//! answers 200 to a transaction only when the appservice has it in safety, and logs no query string, since some
//! homeservers put the token there.
//!
//! [specification]: https://spec.matrix.org/v1.19/application-service-api/#server-api

mod thirdparty;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post, put};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;

use super::tokens::{HomeserverToken, Shown};

pub use thirdparty::Found;

/// A transaction's events as JSON, in order.
#[derive(Debug, Default)]
pub struct Transaction {
    /// Timeline events, state among them.
    pub events: Vec<Box<RawValue>>,
    /// What passes: typing, receipts.
    pub ephemeral: Vec<Box<RawValue>>,
}

/// The appservice can't take something now; the homeserver shall try again.
#[derive(Debug)]
pub struct Unavailable;

/// What the homeserver may ask.
pub trait Appservice: Send + Sync + 'static {
    /// Takes a transaction; returns when it is safe.
    fn transaction(&self, transaction: Transaction) -> impl Future<Output = Result<(), Unavailable>> + Send;
    /// Whether this user of our namespace exists, made on demand.
    fn user_exists(&self, user_id: &str) -> impl Future<Output = bool> + Send;
    /// Whether this alias of our namespace exists, made on demand.
    fn alias_exists(&self, alias: &str) -> impl Future<Output = bool> + Send;
    /// The networks for the third-party directory: slug and name.
    fn networks(&self) -> Vec<(String, String)>;
    /// By which alias a channel is entered, on one network or on each.
    fn find_channel(&self, network: Option<&str>, channel: &str) -> impl Future<Output = Vec<Found>> + Send;
    /// Which id a nick has, on one network or on each.
    fn find_nick(&self, network: Option<&str>, nick: &str) -> impl Future<Output = Vec<Found>> + Send;
    /// Which channel an alias of ours is entered by.
    fn channel_of_alias(&self, alias: &str) -> impl Future<Output = Option<Found>> + Send;
    /// Whose ghost this is.
    fn nick_of_ghost(&self, user_id: &str) -> impl Future<Output = Option<Found>> + Send;
    /// Whether the bridge can do its work now.
    fn is_ready(&self) -> impl Future<Output = bool> + Send;
}

struct Context<A> {
    appservice: Arc<A>,
    token: HomeserverToken,
    /// That somebody came with a wrong token is said once: who knocks at every port must not fill the log.
    warned: Arc<AtomicBool>,
    /// How often the homeserver has told of what passes: `towline check` asks.
    ephemeral: Arc<AtomicU64>,
}

impl<A> Clone for Context<A> {
    fn clone(&self) -> Self {
        Self {
            appservice: Arc::clone(&self.appservice),
            token: self.token.clone(),
            warned: Arc::clone(&self.warned),
            ephemeral: Arc::clone(&self.ephemeral),
        }
    }
}

/// The routes. A transaction holds up to 100 events of 64 KiB, their previous contents, and ephemeral data: a limit
/// below that would be refused again and again, and stop everything behind it.
pub fn router<A: Appservice>(appservice: Arc<A>, hs_token: HomeserverToken, largest_body: usize) -> Router {
    let context = Context { appservice, token: hs_token, warned: Arc::default(), ephemeral: Arc::default() };
    let calls = Router::new()
        .route("/transactions/{txn}", put(transaction::<A>))
        .route("/users/{user}", get(user::<A>))
        .route("/rooms/{alias}", get(alias::<A>))
        .route("/ping", post(ping));
    let v1 = calls.clone().nest("/thirdparty", thirdparty::router());
    Router::new()
        .nest("/_matrix/app/v1", v1)
        .nest("/_matrix/app/unstable/thirdparty", thirdparty::router())
        // The paths from before the API had versions.
        .merge(calls)
        .route("/_towline/heard", get(heard::<A>))
        .method_not_allowed_fallback(|| async {
            error(StatusCode::METHOD_NOT_ALLOWED, "M_UNRECOGNIZED", "wrong method")
        })
        .fallback(|| async { error(StatusCode::NOT_FOUND, "M_UNRECOGNIZED", "unknown path") })
        .layer(middleware::from_fn_with_state(context.clone(), authenticate::<A>))
        .route("/health", get(|| async { "ok\n" }))
        .route("/ready", get(ready::<A>))
        .layer(RequestBodyLimitLayer::new(largest_body))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(CatchPanicLayer::new())
        .with_state(context)
}

/// The routes while the homeserver is away: there is life, and nothing else.
pub fn waiting_router() -> Router {
    let later = || async { error(StatusCode::SERVICE_UNAVAILABLE, "M_UNKNOWN", "not ready yet") };
    Router::new()
        .route("/health", get(|| async { "ok\n" }))
        .route("/ready", get(|| async { (StatusCode::SERVICE_UNAVAILABLE, "not ready\n") }))
        .fallback(later)
}

/// Refuses calls without the homeserver's token. Where it stands in both places, both must match.
async fn authenticate<A: Appservice>(
    State(context): State<Context<A>>,
    RawQuery(query): RawQuery,
    request: Request,
    next: Next,
) -> Response {
    let in_header = bearer(request.headers());
    let in_query = query
        .as_deref()
        .and_then(|query| url_form(query).find(|(name, _)| name == "access_token").map(|(_, value)| value));
    if in_header.is_none() && in_query.is_none() {
        return error(StatusCode::UNAUTHORIZED, "M_UNAUTHORIZED", "no token");
    }
    let shown: Vec<_> = in_header.iter().chain(&in_query).map(|token| context.token.judge(token)).collect();
    if shown.iter().all(Option::is_some) {
        // `towline check` has the token too, and asks for other things.
        let is_homeservers = request.uri().path().contains("/transactions/");
        if is_homeservers && shown.contains(&Some(Shown::Present)) && context.token.settle() {
            tracing::info!("the homeserver has the new hs_token; the one of before is admitted no more");
        }
        next.run(request).await
    } else {
        if !context.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a call with a wrong token was refused: if it is the homeserver, its registration is not this \
                 towline's; give it the file again and restart it"
            );
        }
        error(StatusCode::FORBIDDEN, "M_FORBIDDEN", "wrong token: is this towline's registration?")
    }
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

/// The pairs of a query string, decoded.
fn url_form(query: &str) -> impl Iterator<Item = (String, String)> {
    reqwest::Url::parse(&format!("http://localhost/?{query}"))
        .map(|url| url.query_pairs().into_owned().collect::<Vec<_>>())
        .unwrap_or_default()
        .into_iter()
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    events: Vec<Box<RawValue>>,
    /// As it is called since v1.13 of the specification …
    #[serde(default)]
    ephemeral: Option<Vec<Box<RawValue>>>,
    /// … and by homeservers that had it before.
    #[serde(default, rename = "de.sorunome.msc2409.ephemeral")]
    unstable_ephemeral: Option<Vec<Box<RawValue>>>,
}

async fn transaction<A: Appservice>(State(context): State<Context<A>>, body: Bytes) -> Response {
    let envelope: Envelope = match serde_json::from_slice(&body) {
        Ok(envelope) => envelope,
        Err(problem) => return error(StatusCode::BAD_REQUEST, "M_BAD_JSON", &problem.to_string()),
    };
    let ephemeral = envelope.ephemeral.or(envelope.unstable_ephemeral).unwrap_or_default();
    if !ephemeral.is_empty() {
        context.ephemeral.fetch_add(1, Ordering::Relaxed);
    }
    match context.appservice.transaction(Transaction { events: envelope.events, ephemeral }).await {
        Ok(()) => {
            failpoint!("transaction_answered", soon);
            Json(json!({})).into_response()
        }
        Err(Unavailable) => error(StatusCode::SERVICE_UNAVAILABLE, "M_UNKNOWN", "can't store it now"),
    }
}

async fn user<A: Appservice>(State(context): State<Context<A>>, Path(user): Path<String>) -> Response {
    found(context.appservice.user_exists(&user).await)
}

async fn alias<A: Appservice>(State(context): State<Context<A>>, Path(alias): Path<String>) -> Response {
    found(context.appservice.alias_exists(&alias).await)
}

fn found(exists: bool) -> Response {
    if exists {
        Json(json!({})).into_response()
    } else {
        error(StatusCode::NOT_FOUND, "M_NOT_FOUND", "no such one")
    }
}

/// What has arrived since the start.
async fn heard<A: Appservice>(State(context): State<Context<A>>) -> Json<Value> {
    Json(json!({ "ephemeral": context.ephemeral.load(Ordering::Relaxed) }))
}

async fn ping() -> Json<Value> {
    Json(json!({}))
}

async fn ready<A: Appservice>(State(context): State<Context<A>>) -> Response {
    if context.appservice.is_ready().await {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

fn error(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({ "errcode": code, "error": message }))).into_response()
}
