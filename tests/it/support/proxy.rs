//! A TCP proxy with faults, to stand between the bridge and a server.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

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

/// How fast the bytes pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pace {
    /// How much later each piece passes.
    delay: Duration,
    /// How many bytes pass in a millisecond, in each direction of each connection.
    bytes_per_ms: usize,
}

const AT_ONCE: Pace = Pace { delay: Duration::ZERO, bytes_per_ms: usize::MAX };

struct Shared {
    mood: watch::Sender<Mood>,
    pace: watch::Sender<Pace>,
    /// Ends the connections of the moment.
    connections: watch::Sender<CancellationToken>,
    /// Silences them: whatever is sent vanishes, and neither side is told that the other has gone.
    silence: watch::Sender<CancellationToken>,
    /// A line that the client will find between two of the server's.
    garbage: Mutex<Vec<u8>>,
    littered: Notify,
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
            pace: watch::Sender::new(AT_ONCE),
            connections: watch::Sender::new(CancellationToken::new()),
            silence: watch::Sender::new(CancellationToken::new()),
            garbage: Mutex::default(),
            littered: Notify::new(),
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

    /// The connections of the moment lead nowhere from now on: what is sent on them vanishes, in both directions, and
    /// neither side learns it, as when a router forgets them. New ones pass; [`Self::cut`] closes these, too.
    pub(crate) fn half_open(&self) {
        self.shared.silence.send_replace(CancellationToken::new()).cancel();
    }

    /// Each piece passes so much later, in both directions; what gathers meanwhile passes with the next.
    pub(crate) fn delay(&self, delay: Duration) {
        self.shared.pace.send_modify(|pace| pace.delay = delay);
    }

    /// So many bytes pass in a millisecond, in each direction.
    pub(crate) fn slow(&self, bytes_per_ms: usize) {
        assert!(bytes_per_ms > 0, "that would be deaf, not slow");
        self.shared.pace.send_modify(|pace| pace.bytes_per_ms = bytes_per_ms);
    }

    /// Puts a line of these bytes between two lines of the server's, towards the client of one connection.
    pub(crate) fn garbage(&self, line: &[u8]) {
        let mut garbage = self.shared.garbage.lock().unwrap();
        garbage.extend_from_slice(line);
        garbage.extend_from_slice(b"\r\n");
        self.shared.littered.notify_one();
    }

    /// Everything passes again, at once. A half-open connection stays as it is.
    pub(crate) fn restore(&self) {
        self.shared.budget.store(usize::MAX, Ordering::Relaxed);
        self.shared.pace.send_replace(AT_ONCE);
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
        let silenced = shared.silence.borrow().clone();
        let shared = shared.clone();
        tokio::spawn(ended.run_until_cancelled_owned(async move {
            let Ok(server) = TcpStream::connect(target).await else {
                return;
            };
            drop((client.set_nodelay(true), server.set_nodelay(true)));
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            tokio::select! {
                () = copy(&mut from_client, &mut to_server, &shared, &silenced, true) => {}
                () = copy(&mut from_server, &mut to_client, &shared, &silenced, false) => {}
            }
            if silenced.is_cancelled() {
                // One side has gone, and the other shall not know: its socket stays open.
                std::future::pending::<()>().await;
            }
        }));
    }
}

/// Passes on what comes, until one side has gone. What goes to the server is counted, what goes to the client may be
/// littered.
async fn copy(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    shared: &Shared,
    silenced: &CancellationToken,
    to_server: bool,
) {
    let mut mood = shared.mood.subscribe();
    let mut buffer = vec![0; 16 << 10];
    let mut is_line_start = true;
    loop {
        if mood.wait_for(|mood| *mood == Mood::Pass).await.is_err() {
            return;
        }
        let litter = !to_server && is_line_start;
        let count = tokio::select! {
            count = from.read(&mut buffer) => count,
            () = shared.littered.notified(), if litter => {
                let garbage = std::mem::take(&mut *shared.garbage.lock().unwrap());
                if to.write_all(&garbage).await.is_err() {
                    return;
                }
                continue;
            }
            _ = mood.changed() => continue,
        };
        let Ok(count @ 1..) = count else { return };
        is_line_start = buffer[count - 1] == b'\n';
        let delay = shared.pace.borrow().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            if mood.wait_for(|mood| *mood == Mood::Pass).await.is_err() {
                return;
            }
            let speed = shared.pace.borrow().bytes_per_ms;
            if speed < usize::MAX {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let most = rest.len().min(speed);
            let (now, later) = rest.split_at(if to_server { shared.spend(most) } else { most });
            if !silenced.is_cancelled() && to.write_all(now).await.is_err() {
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
