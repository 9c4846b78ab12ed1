//! Servers that ask whose connection it is (RFC 1413), through the whole bridge.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::bridge::World;
use crate::support::homeserver::LIMIT;
use crate::support::ports::free_port;

/// What the bridge answers about a connection between its port and the server's.
async fn ask(port: u16, ours: u16, theirs: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(format!("{ours}, {theirs}\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// An IRC server that only takes connections, and the network that it is.
async fn server() -> (TcpListener, String) {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let yaml = format!(
        "  asking:\n    name: AskingNet\n    allow_private: true\n    \
         servers: [ {{ host: 127.0.0.1, port: {}, tls: false }} ]\n",
        server.local_addr().unwrap().port()
    );
    (server, yaml)
}

async fn accept(server: &TcpListener) -> (TcpStream, u16) {
    let (stream, peer) = tokio::time::timeout(LIMIT, server.accept()).await.expect("it connects").unwrap();
    // The bridge says something when it knows the connection; the kernel lets us have it before.
    tokio::time::timeout(LIMIT, stream.readable()).await.expect("it says something").unwrap();
    (stream, peer.port())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_told_whose_connection_it_is_while_there_is_one() {
    let (server, network) = server().await;
    let port = free_port();
    let ident = format!("ident: {{ listen: \"127.0.0.1:{port}\" }}\n");
    let world = World::builder().raw_network(&network).config(&ident).start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    alice.send_text(&control, "open asking");
    let (stream, local) = accept(&server).await;
    let theirs = server.local_addr().unwrap().port();
    assert_eq!(ask(port, local, theirs).await, format!("{local} , {theirs} : USERID : UNKNOWN : alice\r\n"));
    let unknown = ask(port, theirs, local).await;
    assert_eq!(unknown, format!("{theirs} , {local} : ERROR : NO-USER\r\n"));
    // The connection ends; the next one has another port.
    drop(stream);
    let (_stream, _) = accept(&server).await;
    assert_eq!(ask(port, local, theirs).await, format!("{local} , {theirs} : ERROR : NO-USER\r\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_systemd_hands_over_is_answered_on() {
    let (server, network) = server().await;
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let world = World::builder().raw_network(&network).without_bridge().await;
    let process = world.start_process_with_socket(socket);
    let (alice, control) = world.user_with_control_room("alice").await;
    alice.send_text(&control, "open asking");
    let (_stream, local) = accept(&server).await;
    let theirs = server.local_addr().unwrap().port();
    assert_eq!(ask(port, local, theirs).await, format!("{local} , {theirs} : USERID : UNKNOWN : alice\r\n"));
    assert_eq!(process.stop().await, Some(0));
}
