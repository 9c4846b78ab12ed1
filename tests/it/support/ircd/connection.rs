//! A client's socket: bytes in, lines to the network, bytes out.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::network::ClientId;
use super::tls::sha256;
use super::{Door, Shared};

/// What goes to a client's socket.
#[derive(Debug)]
pub(super) enum Out {
    Bytes(Vec<u8>),
    /// Everything before this is written, then the connection closes.
    Close,
    /// The connection is reset, whatever waits.
    Reset,
}

/// How a connection ended.
enum End {
    Peer,
    Close,
    Reset,
}

/// Accepts connections until it is cancelled; those there live on until `running` is.
pub(super) async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    tls: Option<TlsAcceptor>,
    running: CancellationToken,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        drop(stream.set_nodelay(true));
        let connection = serve(stream, shared.clone(), tls.clone());
        tokio::spawn(running.clone().run_until_cancelled_owned(connection));
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>, tls: Option<TlsAcceptor>) {
    let door = *shared.door.lock().unwrap();
    if door == Door::Silent {
        shared.change(|network| network.connections += 1);
        while stream.read(&mut [0; 1024]).await.is_ok_and(|count| count > 0) {}
        return;
    }
    let (sender, receiver) = mpsc::unbounded_channel();
    let Some(acceptor) = tls else {
        let id = shared.change(|network| network.connect(Some(sender), "127.0.0.1"));
        let (reading, writing) = stream.split();
        let end = converse(reading, writing, id, receiver, &shared).await;
        if matches!(end, End::Reset) {
            drop(stream.set_zero_linger());
        }
        return finish(&mut stream, id, end, &shared).await;
    };
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).map(|der| sha256(der));
    let id = shared.change(|network| {
        let id = network.connect(Some(sender), "127.0.0.1");
        (network.client(id).certificate, network.client(id).by_tls) = (shown, true);
        id
    });
    let (reading, writing) = tokio::io::split(&mut stream);
    let end = converse(reading, writing, id, receiver, &shared).await;
    if matches!(end, End::Reset) {
        drop(stream.get_ref().0.set_zero_linger());
    }
    finish(&mut stream, id, end, &shared).await;
}

async fn converse(
    reading: impl AsyncRead + Unpin,
    writing: impl AsyncWrite + Unpin,
    id: ClientId,
    receiver: UnboundedReceiver<Out>,
    shared: &Shared,
) -> End {
    tokio::select! {
        end = read(reading, id, shared) => end,
        end = write(writing, receiver) => end,
    }
}

async fn finish(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), id: ClientId, end: End, shared: &Shared) {
    if matches!(end, End::Close) {
        // Closing with unread bytes would reset, and the reset would overtake the ERROR line.
        drop(stream.shutdown().await);
        let drained = async { while stream.read(&mut [0; 1024]).await.is_ok_and(|count| count > 0) {} };
        drop(tokio::time::timeout(Duration::from_secs(1), drained).await);
    }
    shared.change(|network| network.quit(id, "Connection closed"));
}

async fn read(reading: impl AsyncRead + Unpin, id: ClientId, shared: &Shared) -> End {
    let mut reading = BufReader::with_capacity(64 << 10, reading);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reading.read_until(b'\n', &mut line).await {
            Ok(count) if count > 0 && line.ends_with(b"\n") => {}
            _ => return End::Peer,
        }
        while line.last().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
            line.pop();
        }
        if !line.is_empty() {
            shared.change(|network| network.receive(id, &line));
        }
    }
}

async fn write(mut writing: impl AsyncWrite + Unpin, mut receiver: UnboundedReceiver<Out>) -> End {
    let mut queued = Vec::new();
    let mut buffer = Vec::new();
    while receiver.recv_many(&mut queued, 1024).await > 0 {
        let mut end = None;
        for out in queued.drain(..) {
            match out {
                Out::Bytes(bytes) => buffer.extend_from_slice(&bytes),
                Out::Close => end = end.or(Some(End::Close)),
                Out::Reset => return End::Reset,
            }
        }
        if writing.write_all(&buffer).await.is_err() || writing.flush().await.is_err() {
            return End::Peer;
        }
        buffer.clear();
        if let Some(end) = end {
            return end;
        }
    }
    // The network let go of this client after a QUIT.
    End::Close
}
