//! The port at which Prometheus asks how the bridge is. It tells whoever can reach it, and takes nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower_http::limit::RequestBodyLimitLayer;

use super::CliError;
use crate::bridge::Bridge;

/// How long a request waits for those before it: pages are written one at a time.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens the port.
pub(super) async fn listen(address: SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(address).await.map_err(|error| {
        CliError::Unexpected(anyhow::anyhow!(
            "can't listen on {address}: {error}. It is metrics.listen in the configuration; does another program \
             listen there?"
        ))
    })
}

/// Answers until the bridge stops.
pub(super) async fn serve(listener: TcpListener, bridge: Bridge) {
    let stopping = bridge.clone();
    let turn = Arc::new(Semaphore::new(1));
    let router = Router::new()
        .route("/metrics", get(page))
        .layer(RequestBodyLimitLayer::new(0))
        .with_state((bridge, turn));
    let serving = axum::serve(listener, router);
    if let Err(error) = serving.with_graceful_shutdown(async move { stopping.stopping().await }).await {
        tracing::error!(%error, "the port for metrics is closed");
    }
}

async fn page(State((bridge, turn)): State<(Bridge, Arc<Semaphore>)>) -> Response {
    let Ok(Ok(_turn)) = tokio::time::timeout(PATIENCE, turn.acquire()).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let text = bridge.metrics().await;
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
