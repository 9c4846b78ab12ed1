//! Servers that mean harm.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use crate::support::bridge::World;
use crate::support::homeserver::LIMIT;

/// Without a bound the answers would fill the memory: what the server sends keeps the connection alive.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_9_a_server_that_asks_without_end_and_reads_nothing_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = World::builder().irc_server(listener.local_addr().unwrap()).start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    alice.send_text(&control, "open fake");
    let (stream, _) = listener.accept().await.unwrap();
    let (reading, mut writing) = stream.into_split();
    let mut lines = BufReader::new(reading).lines();
    while !lines.next_line().await.unwrap().unwrap().starts_with("USER ") {}
    writing.write_all(b":evil.irc 001 alice :Welcome\r\n:evil.irc 376 alice :End of MOTD\r\n").await.unwrap();
    let pings = format!("PING :{}\r\n", "x".repeat(400)).repeat(100);
    let flood = async { while writing.write_all(pings.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(LIMIT, flood).await.expect("the bridge closes the connection");
    let network = world.homeserver.wait_room_named("FakeNet").await;
    let is_told = |body: &str| body.contains("the server does not read what it is sent");
    world.homeserver.wait_event(&network, |event| is_told(event.body())).await;
}
