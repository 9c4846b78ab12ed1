//! A TCP proxy with faults, to stand between the bridge and a server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// What the proxy does to the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Pass,
    /// Reads no more: the senders' buffers fill up.
    Deaf,
    /// New connections close at once, old ones are gone.
    Cut,
}

struct Shared {
    mood: watch::Sender<Mood>,
    /// Ends the connections of the moment.
    connections: watch::Sender<CancellationToken>,
    /// Bytes towards the server that may still pass before the proxy stops reading.
    budget: AtomicUsize,
    passed: Notify,
    opened: watch::Sender<usize>,
}

/// The proxy. It ends when this is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    running: CancellationToken,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.running.cancel();
        self.close_connections();
    }
}

impl Proxy {
    /// Starts on a random loopback port, in front of `target`.
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let running = CancellationToken::new();
        let shared = Arc::new(Shared {
            mood: watch::Sender::new(Mood::Pass),
            connections: watch::Sender::new(CancellationToken::new()),
            budget: AtomicUsize::new(usize::MAX),
            passed: Notify::new(),
            opened: watch::Sender::new(0),
        });
        let accept = accept(listener, target, shared.clone());
        tokio::spawn(running.clone().run_until_cancelled_owned(accept));
        Self { address, shared, running }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes every connection, and each new one at once.
    pub(crate) fn cut(&self) {
        self.shared.mood.send_replace(Mood::Cut);
        self.close_connections();
    }

    /// Closes the connections of the moment; new ones pass.
    pub(crate) fn close_connections(&self) {
        self.shared.connections.send_replace(CancellationToken::new()).cancel();
    }

    /// Everything passes again.
    pub(crate) fn restore(&self) {
        self.shared.budget.store(usize::MAX, Ordering::Relaxed);
        self.shared.mood.send_replace(Mood::Pass);
    }

    /// Stops reading, on both sides.
    pub(crate) fn stop_reading(&self) {
        self.shared.mood.send_replace(Mood::Deaf);
    }

    /// Lets `bytes` more bytes pass towards the server and then stops reading, perhaps within a line.
    pub(crate) fn stop_after(&self, bytes: usize) {
        self.shared.budget.store(bytes, Ordering::Relaxed);
    }

    /// Waits until [`Self::stop_after`]'s bytes have passed.
    pub(crate) async fn wait_stopped(&self) {
        tokio::time::timeout(super::homeserver::LIMIT, self.shared.passed.notified())
            .await
            .expect("waited for the bytes to pass");
    }

    /// How many connections were opened so far.
    pub(crate) fn opened(&self) -> usize {
        *self.shared.opened.borrow()
    }

    /// Waits until this many connections were opened in all.
    pub(crate) async fn wait_opened(&self, count: usize) {
        let mut opened = self.shared.opened.subscribe();
        let enough =
            tokio::time::timeout(super::homeserver::LIMIT, opened.wait_for(|opened| *opened >= count));
        assert!(enough.await.is_ok(), "waited for {count} connections through the proxy");
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, shared: Arc<Shared>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        shared.opened.send_modify(|opened| *opened += 1);
        if *shared.mood.borrow() == Mood::Cut {
            continue;
        }
        let ended = shared.connections.borrow().clone();
        let shared = shared.clone();
        tokio::spawn(ended.run_until_cancelled_owned(async move {
            let Ok(server) = TcpStream::connect(target).await else {
                return;
            };
            drop((client.set_nodelay(true), server.set_nodelay(true)));
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::select! {
                () = copy(from_client, to_server, &shared, true) => {}
                () = copy(from_server, to_client, &shared, false) => {}
            }
        }));
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared, counted: bool) {
    let mut mood = shared.mood.subscribe();
    let mut buffer = vec![0; 16 << 10];
    loop {
        if mood.wait_for(|mood| *mood == Mood::Pass).await.is_err() {
            return;
        }
        let count = tokio::select! {
            count = from.read(&mut buffer) => count,
            _ = mood.changed() => continue,
        };
        let Ok(count @ 1..) = count else { return };
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            if mood.wait_for(|mood| *mood == Mood::Pass).await.is_err() {
                return;
            }
            let (now, later) = rest.split_at(if counted { shared.spend(rest.len()) } else { rest.len() });
            if to.write_all(now).await.is_err() {
                return;
            }
            rest = later;
        }
    }
}

impl Shared {
    /// Takes up to `bytes` from the budget; with the last of it the proxy stops reading.
    fn spend(&self, bytes: usize) -> usize {
        let budget = self.budget.load(Ordering::Relaxed);
        if budget == usize::MAX {
            return bytes;
        }
        let spent = bytes.min(budget);
        self.budget.store(budget - spent, Ordering::Relaxed);
        if spent == budget {
            self.mood.send_replace(Mood::Deaf);
            self.passed.notify_one();
        }
        spent
    }
}
