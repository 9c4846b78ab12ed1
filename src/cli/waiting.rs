//! The homeserver's port while the homeserver is waited for: whoever watches the process hears that it lives and is not
//! ready, instead of nothing.
//!
//! Only once it is known that the homeserver is away, which then calls nobody: in an ordinary start its calls wait at the
//! port and are not refused.

use std::os::fd::AsFd as _;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::matrix;

/// Answers on the port until it is dropped.
pub(super) struct Waiting {
    stop: DropGuard,
    server: JoinHandle<()>,
}

impl Waiting {
    /// Begins to answer on the port of a listener that nobody listens to meanwhile.
    pub(super) fn begin(listener: &TcpListener) -> std::io::Result<Self> {
        let same_port = TcpListener::from_std(listener.as_fd().try_clone_to_owned()?.into())?;
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let server = tokio::spawn(async move {
            let serving = axum::serve(same_port, matrix::server::waiting_router());
            if let Err(error) = serving.with_graceful_shutdown(stopped).await {
                tracing::error!(%error, "nobody can ask whether towline is ready");
            }
        });
        Ok(Self { stop: stop.drop_guard(), server })
    }

    /// Ends the connections, so that none of them goes on asking here.
    pub(super) async fn end(self) {
        const LIMIT: Duration = Duration::from_secs(1);
        drop(self.stop);
        // Who has sent half a question is not waited for.
        let _ = tokio::time::timeout(LIMIT, self.server).await;
    }
}
