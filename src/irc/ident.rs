//! The identification protocol: a server asks whose connection this is, and is told the session's user name.
//!
//! So operators can act against one user of the bridge and not against all of them. Only the two ends of a connection
//! can ask about it: the answer needs both addresses and both ports, so nobody can find out who is connected where. A
//! connection is known from before its TLS handshake, during which servers ask, until its [`Entry`] is dropped.
//!
//! Invariant 9: a query is one short line, takes a few seconds at most, and few are answered at once: of those who have
//! a connection with us, and of each of them. Whoever else connects is not listened to, so that they can't keep the
//! servers' queries away.
//!
//! Spec: RFC 1413. The system's name is `UNKNOWN`: some servers do not believe a user of `OTHER`.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// A query is two numbers and a comma.
const LONGEST_QUERY: usize = 64;
/// How long a query may take to come, and its answer to go.
const PATIENCE: Duration = Duration::from_secs(10);
/// A server on a near network may ask before we have noticed that we are connected.
const SECOND_LOOK: Duration = Duration::from_millis(250);
/// Queries that are answered at once; who comes beyond is not.
const AT_ONCE: usize = 64;
/// The same for those of one address.
const AT_ONCE_OF_ONE: usize = 16;
/// After the system has refused a connection, for lack of descriptors, say.
const PAUSE: Duration = Duration::from_secs(1);
/// Servers read no longer ones.
const LONGEST_NAME: usize = 64;

/// Our end of a connection, and the server's.
type Pair = (SocketAddr, SocketAddr);

/// Which connection is whose; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Ident(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    connections: HashMap<Pair, Connection>,
    /// Entries that were ever made.
    made: u64,
    /// Queries that are being answered, by who asks.
    asking: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Connection {
    /// The entry that it is kept by.
    number: u64,
    username: String,
}

/// A connection that servers can ask about, until this is dropped.
#[derive(Debug)]
pub struct Entry {
    ident: Ident,
    pair: Pair,
    number: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut state = self.ident.lock();
        // The system may have given the same port to another connection before this one is wholly over.
        if state.connections.get(&self.pair).is_some_and(|one| one.number == self.number) {
            state.connections.remove(&self.pair);
        }
    }
}

/// A query that is being answered.
struct Asking {
    ident: Ident,
    source: IpAddr,
}

impl Drop for Asking {
    fn drop(&mut self) {
        let mut state = self.ident.lock();
        if let Some(count) = state.asking.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                state.asking.remove(&self.source);
            }
        }
    }
}

impl Ident {
    /// The connection between these addresses is this user's.
    pub fn register(&self, local: SocketAddr, remote: SocketAddr, username: &str) -> Entry {
        let pair = (canonical(local), canonical(remote));
        let mut state = self.lock();
        state.made += 1;
        let number = state.made;
        state.connections.insert(pair, Connection { number, username: sendable(username) });
        Entry { ident: self.clone(), pair, number }
    }

    /// Answers queries for as long as it is polled.
    pub async fn serve(self, listener: TcpListener) {
        let (at_once, strangers) = (Arc::new(Semaphore::new(AT_ONCE)), Arc::new(Semaphore::new(AT_ONCE)));
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                sleep(PAUSE).await;
                continue;
            };
            let source = peer.ip().to_canonical();
            let is_known = self.knows(source);
            let places = if is_known { &at_once } else { &strangers };
            let Ok(permit) = Arc::clone(places).try_acquire_owned() else {
                continue;
            };
            let Some(asking) = self.asks(source) else { continue };
            let ident = self.clone();
            tokio::spawn(async move {
                if !is_known {
                    sleep(SECOND_LOOK).await;
                }
                if ident.knows(source) {
                    let _ = timeout(PATIENCE, ident.attend(stream)).await;
                }
                drop((permit, asking));
            });
        }
    }

    /// Whether we have a connection with this address.
    fn knows(&self, source: IpAddr) -> bool {
        self.lock().connections.keys().any(|(_, remote)| remote.ip() == source)
    }

    /// One more query of this address, unless there are too many.
    fn asks(&self, source: IpAddr) -> Option<Asking> {
        let mut state = self.lock();
        let count = state.asking.entry(source).or_default();
        (*count < AT_ONCE_OF_ONE).then(|| *count += 1)?;
        Some(Asking { ident: self.clone(), source })
    }

    async fn attend(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let (ours, theirs) = (stream.local_addr()?.ip(), stream.peer_addr()?.ip());
        let query = read_query(&mut stream).await?;
        let answer = self.answer(ours, theirs, &query).await;
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    }

    /// What whoever asks from that address, at this one, is told.
    async fn answer(&self, ours: IpAddr, theirs: IpAddr, query: &str) -> String {
        let Some((local, remote)) = parse(query) else {
            return "0 , 0 : ERROR : INVALID-PORT\r\n".to_owned();
        };
        let pair = (canonical(SocketAddr::new(ours, local)), canonical(SocketAddr::new(theirs, remote)));
        let mut found = self.find(&pair);
        if found.is_none() {
            sleep(SECOND_LOOK).await;
            found = self.find(&pair);
        }
        match found {
            Some(name) => format!("{local} , {remote} : USERID : UNKNOWN : {name}\r\n"),
            None => format!("{local} , {remote} : ERROR : NO-USER\r\n"),
        }
    }

    fn find(&self, pair: &Pair) -> Option<String> {
        self.lock().connections.get(pair).map(|one| one.username.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An address as it is compared: an IPv4 one is one, however it is written, and nothing but address and port counts.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// A name that cannot be another answer, and that servers take.
fn sendable(username: &str) -> String {
    let plain = username.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, ':' | '@' | '!'));
    let name: String = plain.take(LONGEST_NAME).collect();
    if name.is_empty() { "towline".to_owned() } else { name }
}

/// A line, or as much as there may be of it.
async fn read_query(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<String> {
    let mut query = Vec::with_capacity(LONGEST_QUERY);
    while query.len() < LONGEST_QUERY {
        match stream.read_u8().await {
            Ok(b'\n') => break,
            Ok(byte) => query.push(byte),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&query).into_owned())
}

/// `6193, 6697`: our port and theirs.
fn parse(query: &str) -> Option<(u16, u16)> {
    let (local, remote) = query.trim().split_once(',')?;
    let port = |text: &str| {
        let text = text.trim();
        let is_number = text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|port| is_number && *port != 0)
    };
    Some((port(local)?, port(remote)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[rstest]
    #[case::as_in_the_rfc("6193, 6697", "6193 , 6697 : USERID : UNKNOWN : alice\r\n")]
    #[case::without_spaces("6193,6697\r", "6193 , 6697 : USERID : UNKNOWN : alice\r\n")]
    #[case::with_many("  6193\t , 6697  \r", "6193 , 6697 : USERID : UNKNOWN : alice\r\n")]
    #[case::another_port("6194, 6697", "6194 , 6697 : ERROR : NO-USER\r\n")]
    #[case::the_servers_other_port("6193, 6667", "6193 , 6667 : ERROR : NO-USER\r\n")]
    #[case::turned_around("6697, 6193", "6697 , 6193 : ERROR : NO-USER\r\n")]
    #[case::no_port("0, 6697", "0 , 0 : ERROR : INVALID-PORT\r\n")]
    #[case::too_large("6193, 66970", "0 , 0 : ERROR : INVALID-PORT\r\n")]
    #[case::signed("+6193, 6697", "0 , 0 : ERROR : INVALID-PORT\r\n")]
    #[case::one_number("6193", "0 , 0 : ERROR : INVALID-PORT\r\n")]
    #[case::three("6193, 6697, 1", "0 , 0 : ERROR : INVALID-PORT\r\n")]
    #[case::nothing("", "0 , 0 : ERROR : INVALID-PORT\r\n")]
    #[case::something_else("GET / HTTP/1.1", "0 , 0 : ERROR : INVALID-PORT\r\n")]
    #[tokio::test(start_paused = true)]
    async fn a_query_gets_its_answer(#[case] query: &str, #[case] answer: &str) {
        let ident = Ident::default();
        let _entry = ident.register(address("192.0.2.1:6193"), address("198.51.100.7:6697"), "alice");
        assert_eq!(ident.answer(ip("192.0.2.1"), ip("198.51.100.7"), query).await, answer);
    }

    #[rstest]
    #[case::another_server("192.0.2.1", "198.51.100.8")]
    #[case::another_address_of_ours("192.0.2.2", "198.51.100.7")]
    #[tokio::test(start_paused = true)]
    async fn only_the_ends_of_a_connection_can_ask_about_it(#[case] ours: &str, #[case] theirs: &str) {
        let ident = Ident::default();
        let _entry = ident.register(address("192.0.2.1:6193"), address("198.51.100.7:6697"), "alice");
        let answer = ident.answer(ip(ours), ip(theirs), "6193, 6697").await;
        assert_eq!(answer, "6193 , 6697 : ERROR : NO-USER\r\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_ended_is_forgotten() {
        let ident = Ident::default();
        let entry = ident.register(address("192.0.2.1:6193"), address("198.51.100.7:6697"), "alice");
        drop(entry);
        assert!(ident.lock().connections.is_empty());
    }

    /// Before, the end of the old connection took the new one's entry with it.
    #[tokio::test(start_paused = true)]
    async fn a_connection_that_ends_late_does_not_take_the_next_ones_entry() {
        let ident = Ident::default();
        let register = |name| ident.register(address("192.0.2.1:6193"), address("198.51.100.7:6697"), name);
        let old = register("alice");
        let _new = register("bob");
        drop(old);
        let answer = ident.answer(ip("192.0.2.1"), ip("198.51.100.7"), "6193, 6697").await;
        assert!(answer.ends_with("bob\r\n"), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_too_early_is_not_told_wrong() {
        let ident = Ident::default();
        let early = tokio::spawn({
            let ident = ident.clone();
            async move { ident.answer(ip("192.0.2.1"), ip("198.51.100.7"), "6193, 6697").await }
        });
        tokio::task::yield_now().await;
        let _entry = ident.register(address("192.0.2.1:6193"), address("198.51.100.7:6697"), "alice");
        assert!(early.await.unwrap().ends_with("alice\r\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_ipv4_address_that_came_over_an_ipv6_socket_is_the_same() {
        let ident = Ident::default();
        let _entry = ident.register(address("192.0.2.1:6193"), address("198.51.100.7:6697"), "alice");
        let answer = ident.answer(ip("::ffff:192.0.2.1"), ip("::ffff:198.51.100.7"), "6193, 6697").await;
        assert!(answer.ends_with("alice\r\n"));
    }

    #[rstest]
    #[case::plain("alice", "alice")]
    #[case::line_break("al\r\nice", "alice")]
    #[case::separators("a:l@i!c e", "alice")]
    #[case::other_letters("ålice", "lice")]
    #[case::nothing_left("åå", "towline")]
    fn a_name_is_one_word_that_servers_take(#[case] username: &str, #[case] name: &str) {
        assert_eq!(sendable(username), name);
    }

    #[tokio::test]
    async fn a_query_without_an_end_is_cut() {
        let endless = vec![b'1'; 10_000];
        let query = read_query(&mut &endless[..]).await.unwrap();
        assert_eq!(query.len(), LONGEST_QUERY);
    }

    /// Connects to a served responder, sends bytes and reads the answer.
    async fn ask(port: u16, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn it_answers_over_a_socket_one_query_for_each_connection() {
        let ident = Ident::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let _entry = ident.register(address("127.0.0.1:6193"), address("127.0.0.1:6697"), "alice");
        let serving = tokio::spawn(ident.clone().serve(listener));
        let answer = ask(port, b"6193, 6697\r\n6193, 6697\r\n").await;
        assert_eq!(answer, "6193 , 6697 : USERID : UNKNOWN : alice\r\n");
        assert_eq!(ask(port, b"nonsense\n").await, "0 , 0 : ERROR : INVALID-PORT\r\n");
        serving.abort();
    }

    /// Before, 64 connections of anybody that said nothing kept all servers from an answer.
    #[tokio::test]
    async fn strangers_who_say_nothing_keep_no_server_from_its_answer() {
        let ident = Ident::default();
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(ident.clone().serve(listener));
        let _entry = ident.register(address("127.0.0.1:6193"), address("127.0.0.1:6697"), "alice");
        let mut idle = Vec::new();
        for _ in 0..AT_ONCE * 2 {
            // From an address that we have no connection with.
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(address("127.0.0.2:0")).unwrap();
            idle.push(socket.connect(SocketAddr::new(ip("127.0.0.1"), port)).await.unwrap());
        }
        assert_eq!(ask(port, b"6193, 6697\r\n").await, "6193 , 6697 : USERID : UNKNOWN : alice\r\n");
        // They are not listened to.
        let mut nothing = String::new();
        idle[0].read_to_string(&mut nothing).await.unwrap();
        assert_eq!(nothing, "");
        serving.abort();
    }

    #[tokio::test]
    async fn one_server_takes_no_more_than_its_share() {
        let ident = Ident::default();
        let source = ip("198.51.100.7");
        let mut asking: Vec<_> = (0..AT_ONCE_OF_ONE).filter_map(|_| ident.asks(source)).collect();
        assert_eq!((asking.len(), ident.asks(source).is_some()), (AT_ONCE_OF_ONE, false));
        assert!(ident.asks(ip("198.51.100.8")).is_some());
        asking.pop();
        assert!(ident.asks(source).is_some());
        asking.clear();
        assert!(ident.lock().asking.is_empty());
    }
}
