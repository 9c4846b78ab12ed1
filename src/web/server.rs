//! Serving connections: HTTP/1 alone, and for each answer a time by which it must have been taken.
//!
//! With HTTP/2 one connection could ask for any number of answers and take none of them. A client that takes an answer
//! byte by byte would hold its turn for ever, however busy its connection looks.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::serve::Listener as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connections::{Connection, Connections};

/// How long the head of a request may take, and how long a connection may wait for its next one.
const HEAD: Duration = Duration::from_secs(10);
/// How long an answer may take to begin: its turn and the homeserver's first bytes.
const BEGINNING: Duration = Duration::from_secs(90);
/// How long any answer may take …
const SHORTEST: Duration = Duration::from_secs(30);
/// … and the time for its length comes on top, at so many bytes in a second.
const SLOWEST: u64 = 32 * 1024;
/// Bytes of an answer, or of a request's head, that are held for a connection.
const BUFFER: usize = 64 * 1024;

/// Answers connections until `stopping` resolves, and lets the answers that are under way end.
pub(super) async fn serve(
    mut connections: Connections,
    router: Router,
    largest: u64,
    stopping: impl Future<Output = ()> + Send + 'static,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(BUFFER);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let mut stopping = pin!(stopping);
    loop {
        let connection = tokio::select! {
            biased;
            () = &mut stopping => break,
            (connection, _) = connections.accept() => connection,
        };
        tasks.spawn(answer(http.clone(), connection, router.clone(), largest, stop.clone()));
    }
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

async fn answer(
    http: http1::Builder,
    connection: Connection,
    router: Router,
    largest: u64,
    stop: CancellationToken,
) {
    let (limit, mut limits) = watch::channel(BEGINNING);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        limit.send_replace(BEGINNING);
        let (limit, answering) = (limit.clone(), router.call(request));
        async move {
            let answer = answering.await?;
            limit.send_replace(time_for(answer.headers(), largest));
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let mut serving = pin!(http.serve_connection(TokioIo::new(connection), service));
    let mut timer = pin!(tokio::time::sleep(BEGINNING));
    let mut stops = false;
    loop {
        tokio::select! {
            // Why a connection of a stranger's has ended is nobody's business.
            _ = serving.as_mut() => return,
            () = timer.as_mut() => return,
            Ok(()) = limits.changed() => {
                let limit = *limits.borrow_and_update();
                timer.set(tokio::time::sleep(limit));
            }
            () = stop.cancelled(), if !stops => {
                stops = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

/// How long an answer may take to be taken; of one that does not say its length, as long as the largest.
fn time_for(headers: &HeaderMap, largest: u64) -> Duration {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    SHORTEST + Duration::from_secs(length.unwrap_or(largest) / SLOWEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use futures_util::stream;
    use rstest::rstest;
    use std::convert::Infallible;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    #[rstest]
    #[case::nothing(Some("0"), 30)]
    #[case::a_page(Some("65536"), 32)]
    #[case::a_file(Some("3276800"), 130)]
    #[case::of_unknown_length(None, 62)]
    fn an_answer_may_take_as_long_as_it_is(#[case] length: Option<&str>, #[case] seconds: u64) {
        let mut headers = HeaderMap::new();
        if let Some(length) = length {
            headers.insert(header::CONTENT_LENGTH, length.parse().unwrap());
        }
        assert_eq!(time_for(&headers, 1024 * 1024), Duration::from_secs(seconds));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_ends_when_its_time_is_over_however_busy_its_connection_is() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(|| async {
            let drops = stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Some((Ok::<_, Infallible>("x"), ()))
            });
            ([(header::CONTENT_LENGTH, "1000")], Body::from_stream(drops))
        });
        tokio::spawn(serve(Connections::new(listener), router, 1_000, std::future::pending()));
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer).await;
        let taken = answer.iter().rev().take_while(|&&byte| byte == b'x').count();
        assert!((1..=30).contains(&taken), "{taken}: {}", String::from_utf8_lossy(&answer));
    }
}
