//! The homeserver's socket: connections, faults, who is asking. What they ask for is in `api.rs`.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{Method, Request, Response, StatusCode};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::core::Media;
use super::faults::Fault;
use super::{Refusal, Shared, api};

const LARGEST_BODY: usize = 50 << 20;

/// A request, read and understood as far as the socket goes.
pub(super) struct Call {
    pub(super) method: Method,
    /// The path's segments with their percent signs resolved.
    pub(super) segments: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Bytes,
    pub(super) content_type: String,
    pub(super) token: Option<String>,
}

impl Call {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as a JSON object.
    pub(super) fn json(&self) -> Result<Value, Refusal> {
        if self.body.is_empty() {
            return Ok(json!({}));
        }
        let not_json = |_| Refusal::new(400, "M_NOT_JSON", "Content not JSON.");
        let value: Value = serde_json::from_slice(&self.body).map_err(not_json)?;
        if !value.is_object() {
            return Err(Refusal::new(400, "M_BAD_JSON", "Content must be a JSON object."));
        }
        Ok(value)
    }
}

/// What a call is answered with.
pub(super) enum Answer {
    Json(Value),
    File(Media),
}

/// The connection ends without (the rest of) an answer.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is cut on purpose")
    }
}

impl std::error::Error for Cut {}

/// Serves connections until it is cancelled, and those with it.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>, running: CancellationToken) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        drop(stream.set_nodelay(true));
        let shared = shared.clone();
        let service = service_fn(move |request| {
            let shared = shared.clone();
            async move { answer(&shared, request).await }
        });
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(running.clone().run_until_cancelled_owned(connection));
    }
}

async fn answer(
    shared: &Arc<Shared>,
    request: Request<hyper::body::Incoming>,
) -> Result<Response<Body>, Cut> {
    let call = read(request).await.map_err(|_| Cut)?;
    let path = format!("/{}", call.segments.join("/"));
    // In one step: whoever has seen a request knows that its fault is taken, and may end those to come.
    let fault = shared.change(|core| {
        if core.options.record_requests {
            let query: Vec<String> = call.query.iter().map(|(key, value)| format!("{key}={value}")).collect();
            core.requests.push((call.method.to_string(), format!("{path}?{}", query.join("&"))));
        }
        shared.faults.take(call.method.as_str(), &path)
    });
    match fault {
        None => {}
        Some(Fault::Status(status, body)) => return Ok(response(status, &body)),
        Some(Fault::RateLimited { retry_after_ms }) => return Ok(rate_limited(retry_after_ms)),
        Some(fault @ (Fault::Hang | Fault::Unanswered)) => {
            if matches!(fault, Fault::Unanswered) {
                drop(api::handle(shared, &call).await);
            }
            let never: Infallible = std::future::pending().await;
            match never {}
        }
        Some(Fault::Drop) => return Err(Cut),
        Some(Fault::Stall(time)) => {
            tokio::time::sleep(time).await;
            return Err(Cut);
        }
        Some(Fault::Late(time)) => tokio::time::sleep(time).await,
        Some(Fault::AnswerLost) => {
            drop(api::handle(shared, &call).await);
            return Err(Cut);
        }
        Some(Fault::AnswerLostBehindEcho) => {
            drop(api::handle(shared, &call).await);
            shared.delivered().await;
            return Err(Cut);
        }
    }
    Ok(match api::handle(shared, &call).await {
        Ok(Answer::Json(body)) => response(200, &body),
        Ok(Answer::File(media)) => {
            let builder = Response::builder().header(CONTENT_TYPE, media.content_type);
            let builder = match media.name {
                Some(name) => builder.header(CONTENT_DISPOSITION, format!("attachment; filename={name:?}")),
                None => builder,
            };
            builder.body(Body::from(media.bytes.to_vec())).unwrap()
        }
        Err(refusal) => response(refusal.status, &refusal.body()),
    })
}

fn response(status: u16, body: &Value) -> Response<Body> {
    let builder = Response::builder().status(StatusCode::from_u16(status).unwrap());
    builder.header(CONTENT_TYPE, "application/json").body(Body::from(body.to_string())).unwrap()
}

fn rate_limited(retry_after_ms: u64) -> Response<Body> {
    let body = json!({ "errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests", "retry_after_ms": retry_after_ms });
    let mut response = response(429, &body);
    response.headers_mut().insert(RETRY_AFTER, retry_after_ms.div_ceil(1000).into());
    response
}

async fn read(request: Request<hyper::body::Incoming>) -> Result<Call, axum::Error> {
    let (head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), LARGEST_BODY).await?;
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let pairs = head.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let query = pairs.map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")))
    });
    Ok(Call {
        segments: head.uri.path().split('/').skip(1).map(decode).collect(),
        query: query.collect(),
        content_type: header(CONTENT_TYPE).unwrap_or("application/octet-stream").into(),
        token: header(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer ")).map(Into::into),
        method: head.method,
        body,
    })
}

/// Resolves percent signs.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
