//! Tests of the connection over an in-memory stream.

use super::*;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::timeout;

fn texts(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| message.params.join(" ")).collect()
}

#[tokio::test]
async fn messages_come_as_lines_complete() {
    let (ours, mut theirs) = duplex(4096);
    let mut connection = Connection::new(ours, None);
    let mut messages = Vec::new();
    theirs.write_all(b"PING :a\r\nPING :b\nPI").await.unwrap();
    assert!(connection.receive(&mut messages).await.unwrap());
    assert_eq!(texts(&messages), ["a", "b"]);
    theirs.write_all(b"NG :c\r\n").await.unwrap();
    drop(theirs);
    assert!(connection.receive(&mut messages).await.unwrap());
    assert_eq!(texts(&messages), ["a", "b", "c"]);
    assert!(!connection.receive(&mut messages).await.unwrap());
    assert!(!connection.receive(&mut messages).await.unwrap());
}

#[tokio::test]
async fn what_is_queued_is_written_while_waiting_for_input() {
    let (ours, mut theirs) = duplex(16);
    let mut connection = Connection::new(ours, None);
    for n in 0..100 {
        connection.queue(&Line::ping(&format!("towline-{n}")));
    }
    let peer = tokio::spawn(async move {
        let mut seen = vec![0; 100 * "PING :towline-10\r\n".len() - 10];
        theirs.read_exact(&mut seen).await.unwrap();
        theirs.write_all(b"PONG :done\r\n").await.unwrap();
        String::from_utf8(seen).unwrap()
    });
    let mut messages = Vec::new();
    assert!(connection.receive(&mut messages).await.unwrap());
    assert_eq!(texts(&messages), ["done"]);
    assert!(peer.await.unwrap().ends_with("PING :towline-99\r\n"));
    assert_eq!((connection.backlog(), connection.outgoing.capacity()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_receive_loses_nothing_and_writes_nothing_twice() {
    let (ours, mut theirs) = duplex(8);
    let mut connection = Connection::new(ours, None);
    connection.queue(&Line::ping("a-token-that-does-not-fit"));
    let mut messages = Vec::new();
    theirs.write_all(b"PING :x").await.unwrap();
    for _ in 0..3 {
        let waited = timeout(Duration::from_millis(5), connection.receive(&mut messages)).await;
        assert!(waited.is_err() && messages.is_empty());
    }
    let mut seen = [0; 8];
    theirs.read_exact(&mut seen).await.unwrap();
    assert_eq!(&seen, b"PING :a-");
    theirs.write_all(b"y\r\n").await.unwrap();
    assert!(connection.receive(&mut messages).await.unwrap());
    assert_eq!(texts(&messages), ["xy"]);
    let mut rest = vec![0; "token-that-does-not-fit\r\n".len()];
    let (flushed, read) = tokio::join!(connection.flush(), theirs.read_exact(&mut rest));
    flushed.unwrap();
    read.unwrap();
    assert_eq!(rest, b"token-that-does-not-fit\r\n");
}

#[tokio::test]
async fn invariant_9_one_call_gives_at_most_256_messages_and_the_next_the_rest() {
    let (ours, mut theirs) = duplex(1 << 20);
    let mut connection = Connection::new(ours, None);
    let many = (0..1000).map(|n| format!("X {n}\r\n")).collect::<Vec<_>>().concat();
    theirs.write_all(many.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    while all.len() < 1000 {
        let before = all.len();
        assert!(connection.receive(&mut all).await.unwrap());
        assert!(all.len() - before <= MOST_MESSAGES && connection.unread.len() <= CHUNK);
    }
    assert_eq!(texts(&all), (0..1000).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(connection.unread.capacity(), 0);
}

#[tokio::test]
async fn lines_that_cannot_be_read_are_counted_and_skipped() {
    let (ours, mut theirs) = duplex(1 << 20);
    let mut connection = Connection::new(ours, None);
    theirs.write_all(b":only.a.source\r\n").await.unwrap();
    theirs.write_all(&vec![b'x'; 20_000]).await.unwrap();
    theirs.write_all(b"\r\nPING :a\r\n").await.unwrap();
    let mut messages = Vec::new();
    assert!(connection.receive(&mut messages).await.unwrap());
    assert_eq!((texts(&messages), connection.skipped()), (vec!["a".to_owned()], 2));
}

#[tokio::test]
async fn closing_writes_what_is_queued() {
    let (ours, mut theirs) = duplex(4096);
    let mut connection = Connection::new(ours, None);
    connection.queue(&Line::quit("bye"));
    connection.close().await;
    let mut seen = String::new();
    theirs.read_to_string(&mut seen).await.unwrap();
    assert_eq!(seen, "QUIT :bye\r\n");
}

#[test]
fn invariant_10_debug_shows_no_bytes() {
    let mut connection = Connection::new(duplex(8).0, None);
    connection.queue(&Line::raw("PASS hunter2").unwrap());
    assert_eq!(format!("{connection:?}"), "Connection(.. 14 bytes to write)");
}

/// A stream whose peer reads no more.
struct Deaf(tokio::io::DuplexStream);

impl AsyncRead for Deaf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Deaf {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn what_the_server_said_last_is_read_though_writing_fails() {
    let (ours, mut theirs) = duplex(4096);
    let mut connection = Connection::new(Deaf(ours), None);
    connection.queue(&Line::pong("late"));
    theirs.write_all(b"ERROR :Closing Link: h (K-Lined)\r\n").await.unwrap();
    assert!(connection.flush().await.is_err());
    let mut messages = Vec::new();
    assert!(connection.receive(&mut messages).await.unwrap());
    assert_eq!(texts(&messages), ["Closing Link: h (K-Lined)"]);
    let error = connection.receive(&mut messages).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}
