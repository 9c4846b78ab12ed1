//! The port for people on IRC: media that was said there, and texts that were too long, each behind a link that nobody
//! can guess.
//!
//! It hands out what a [`Shelf`] holds and nothing else: no id of the homeserver's is ever taken from a request. It is
//! open to everybody, so whatever comes is bounded (connections, downloads at once, bytes, time), nothing that is handed
//! out can run in a browser, and no address and no homeserver's words leave it, not even into the log.
//!
//! Paths, behind whatever prefix the base URL has: `/m/{id}[/{name}]` for media, `/p/{id}` for a text's page and
//! `/p/{id}/raw` for the text alone; with GET and HEAD.

mod connections;
mod download;
mod headers;
mod highlight;
pub mod link;
mod page;
pub mod pictures;
mod range;
mod server;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, BoxStream};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_http::catch_panic::CatchPanicLayer;

use connections::Connections;
use link::Wanted;
pub use page::Text;
pub use range::Part;

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a text that are handed out at once.
const PIECE: usize = 16 * 1024;
/// What is said of an id behind which nothing is.
const UNKNOWN: &str = "There is nothing here.\n";
/// What is said of a path that no link has.
const NO_LINK: &str = "No link leads here.\n";

/// A file that the homeserver has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Where the homeserver has it, `mxc://…`.
    pub source: String,
    /// Its name, as its sender gave it.
    pub name: String,
    /// Its type, as its sender gave it; used where the homeserver gives none.
    pub mimetype: Option<String>,
}

/// What a link leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<T> {
    /// This.
    Here(T),
    /// There was something.
    Gone,
    /// There never was anything.
    Nothing,
}

/// Why a file can't be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The homeserver has it no longer, or not yet.
    Missing,
    /// The part that was asked for is beyond its end; how large it is, where that is known.
    BeyondEnd(Option<u64>),
    /// The homeserver can't be reached, or fails.
    Unavailable,
    /// It takes too long.
    Timeout,
}

/// A file, or a part of it, on its way.
pub struct Stream {
    /// Which part it is, where the homeserver was asked for one and gives it.
    pub part: Option<Part>,
    /// How many bytes come, where that is known.
    pub length: Option<u64>,
    /// Its type, as the homeserver says.
    pub mimetype: Option<String>,
    /// The bytes.
    pub bytes: BoxStream<'static, Result<Bytes, Failure>>,
}

/// Who has what links lead to.
pub trait Shelf: Send + Sync + 'static {
    /// The file with this id.
    fn media(&self, id: &str) -> impl Future<Output = Result<Found<Media>, Failure>> + Send;
    /// The text with this id.
    fn text(&self, id: &str) -> impl Future<Output = Result<Found<Text>, Failure>> + Send;
    /// Begins to fetch a file; with `range` (the value of a `Range` header) a part of it, if the homeserver can.
    fn fetch(
        &self,
        media: &Media,
        range: Option<&str>,
    ) -> impl Future<Output = Result<Stream, Failure>> + Send;
}

/// How much is handed out.
#[derive(Debug, Clone)]
pub struct Options {
    /// The base URL's path, without a slash at its end.
    pub prefix: String,
    /// Bytes of the largest file.
    pub largest: u64,
    /// Files that are handed out at once, and texts; other requests wait their turn.
    pub parallel: usize,
}

struct Web<S> {
    shelf: Arc<S>,
    options: Options,
    /// Of files.
    downloads: Arc<Semaphore>,
    /// Of texts, which no download keeps waiting.
    texts: Arc<Semaphore>,
}

/// Answers on an open port until `stopping` resolves; downloads that are under way then may end.
pub async fn serve<S: Shelf>(
    listener: TcpListener,
    shelf: Arc<S>,
    options: Options,
    stopping: impl Future<Output = ()> + Send + 'static,
) {
    let largest = options.largest;
    server::serve(Connections::new(listener), router(shelf, options), largest, stopping).await;
}

/// The routes: one, since what stands before `/m/` depends on the base URL and on what the proxy before us leaves of it.
pub fn router<S: Shelf>(shelf: Arc<S>, options: Options) -> Router {
    let turns = || Arc::new(Semaphore::new(options.parallel));
    let (downloads, texts) = (turns(), turns());
    let web = Arc::new(Web { shelf, options, downloads, texts });
    Router::new().fallback(answer::<S>).layer(CatchPanicLayer::new()).with_state(web)
}

async fn answer<S: Shelf>(State(web): State<Arc<Web<S>>>, request: Request) -> Response {
    let Some(wanted) = link::read(request.uri().path(), &web.options.prefix) else {
        return refusal_with(StatusCode::NOT_FOUND, NO_LINK);
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let allowed = [(header::ALLOW, "GET, HEAD")];
        return (allowed, refusal(StatusCode::METHOD_NOT_ALLOWED)).into_response();
    }
    let turns = match wanted {
        Wanted::Media(_) => &web.downloads,
        Wanted::Page(_) | Wanted::Raw(_) => &web.texts,
    };
    let Ok(Ok(turn)) = tokio::time::timeout(PATIENCE, Arc::clone(turns).acquire_owned()).await else {
        let later = [(header::RETRY_AFTER, "30")];
        return (later, refusal(StatusCode::SERVICE_UNAVAILABLE)).into_response();
    };
    match wanted {
        Wanted::Media(id) => web.media(id, request.headers(), turn).await,
        Wanted::Page(id) => web.page(id, turn).await,
        Wanted::Raw(id) => web.raw(id, turn).await,
    }
}

impl<S: Shelf> Web<S> {
    async fn media(&self, id: &str, headers: &HeaderMap, turn: OwnedSemaphorePermit) -> Response {
        match self.shelf.media(id).await {
            Ok(Found::Here(media)) => self.download(id, &media, headers, turn).await,
            Ok(Found::Gone) => refusal(StatusCode::GONE),
            Ok(Found::Nothing) => refusal(StatusCode::NOT_FOUND),
            Err(failure) => failed(failure),
        }
    }
}

impl<S: Shelf> Web<S> {
    async fn page(&self, id: &str, turn: OwnedSemaphorePermit) -> Response {
        let text = match self.text(id).await {
            Ok(text) => text,
            Err(refusal) => return refusal,
        };
        let id = id.to_owned();
        // Colouring a long text takes its time, and goes on when nobody waits any more: its turn lasts as long.
        let colouring = move || (page::html(&id, &text), turn);
        match tokio::task::spawn_blocking(colouring).await {
            Ok((html, turn)) => text_response(html, "text/html; charset=utf-8", &page::POLICY, turn),
            Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    async fn raw(&self, id: &str, turn: OwnedSemaphorePermit) -> Response {
        match self.text(id).await {
            Ok(text) => text_response(text.text, "text/plain; charset=utf-8", headers::NOTHING_RUNS, turn),
            Err(refusal) => refusal,
        }
    }

    async fn text(&self, id: &str) -> Result<Text, Response> {
        match self.shelf.text(id).await {
            Ok(Found::Here(text)) => Ok(text),
            Ok(Found::Gone) => Err(refusal(StatusCode::GONE)),
            Ok(Found::Nothing) => Err(refusal(StatusCode::NOT_FOUND)),
            Err(failure) => Err(failed(failure)),
        }
    }
}

/// A text in pieces; its turn ends when the last one is taken, so that no more texts than that are held.
fn text_response(text: String, content_type: &str, policy: &str, turn: OwnedSemaphorePermit) -> Response {
    let text = Bytes::from(text);
    let length = text.len();
    let pieces = (0..length).step_by(PIECE).map(move |start| {
        let _turn = &turn;
        Ok::<_, Infallible>(text.slice(start..length.min(start + PIECE)))
    });
    let mut response = Body::from_stream(stream::iter(pieces)).into_response();
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    headers::protect(response.headers_mut(), policy, headers::ASK_EACH_TIME);
    headers::set(response.headers_mut(), header::CONTENT_TYPE, content_type);
    response
}

/// Whether an answer has what every answer from here has.
pub fn is_ours(answer: &HeaderMap) -> bool {
    answer.get(header::CONTENT_SECURITY_POLICY).is_some_and(|policy| policy == headers::NOTHING_RUNS)
}

/// Whether a refusal says that its path is that of a link, behind which nothing is.
pub fn is_of_a_link(refusal: &[u8]) -> bool {
    refusal == UNKNOWN.as_bytes()
}

/// An answer without what was asked for, which says no more than that.
fn refusal(status: StatusCode) -> Response {
    let text = match status {
        StatusCode::NOT_FOUND => UNKNOWN,
        StatusCode::GONE => "This was taken back, or is kept no longer.\n",
        StatusCode::RANGE_NOT_SATISFIABLE => "It is not that long.\n",
        StatusCode::METHOD_NOT_ALLOWED => "This can only be fetched.\n",
        StatusCode::PAYLOAD_TOO_LARGE => "This is too large.\n",
        _ => "This can't be had right now.\n",
    };
    refusal_with(status, text)
}

fn refusal_with(status: StatusCode, text: &'static str) -> Response {
    let mut response = (status, Body::from(text)).into_response();
    headers::protect(response.headers_mut(), headers::NOTHING_RUNS, headers::NEVER_STORE);
    headers::set(response.headers_mut(), header::CONTENT_TYPE, "text/plain; charset=utf-8");
    response
}

fn failed(failure: Failure) -> Response {
    match failure {
        Failure::Missing => refusal(StatusCode::NOT_FOUND),
        Failure::Timeout => refusal(StatusCode::GATEWAY_TIMEOUT),
        Failure::Unavailable => refusal(StatusCode::BAD_GATEWAY),
        Failure::BeyondEnd(size) => {
            let mut response = refusal(StatusCode::RANGE_NOT_SATISFIABLE);
            let all = size.map_or_else(|| "bytes */*".to_owned(), |size| format!("bytes */{size}"));
            headers::set(response.headers_mut(), header::CONTENT_RANGE, &all);
            response
        }
    }
}
