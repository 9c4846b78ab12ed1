//! Tests of dialling, on this host only.

use super::*;
use crate::irc::tls::TlsSettings;
use crate::irc::wire::Line;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn direct() -> Dial {
    by(Route::Direct)
}

fn by(route: Route) -> Dial {
    Dial { route, limit: Duration::from_secs(5), fallback: None, seed: 7, ident: None }
}

fn without_verification() -> Tls {
    Tls::new(&TlsSettings { verify: false, ..TlsSettings::default() })
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn server(port: u16, tls: bool) -> Server {
    Server { host: "localhost".into(), port, tls, reach: Reach::Anywhere }
}

/// A TLS server for one connection, which says PING and reads one line. Returns its port and certificate's PEM.
async fn tls_server(names: &[&str]) -> (u16, String, tokio::task::JoinHandle<String>) {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(cert.der().to_vec())], key)
        .unwrap();
    let (listener, port) = listen().await;
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(stream).await else {
            return String::new();
        };
        stream.write_all(b"PING :hello\r\n").await.unwrap();
        let mut seen = [0; 13];
        stream.read_exact(&mut seen).await.unwrap();
        String::from_utf8(seen.to_vec()).unwrap()
    });
    (port, cert.pem(), task)
}

fn ca_file(pem: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, pem).unwrap();
    (folder, path)
}

#[tokio::test]
async fn a_plain_connection_carries_lines() {
    let (listener, port) = listen().await;
    let dialed = dial(&server(port, false), &without_verification(), &direct()).await.unwrap();
    let mut connection = dialed.connection;
    let (mut peer, _) = listener.accept().await.unwrap();
    connection.queue(&Line::quit("bye"));
    connection.close().await;
    let mut seen = String::new();
    peer.read_to_string(&mut seen).await.unwrap();
    assert_eq!(seen, "QUIT :bye\r\n");
}

#[tokio::test]
async fn a_certificate_of_the_ca_file_is_accepted_and_lines_pass() {
    let (port, pem, task) = tls_server(&["localhost"]).await;
    let (_folder, path) = ca_file(&pem);
    let tls = Tls::new(&TlsSettings { ca_file: Some(path), ..TlsSettings::default() });
    let mut connection = dial(&server(port, true), &tls, &direct()).await.unwrap().connection;
    connection.queue(&Line::pong("hello"));
    let mut messages = Vec::new();
    assert!(connection.receive(&mut messages).await.unwrap());
    connection.flush().await.unwrap();
    assert_eq!(messages[0].param(0), "hello");
    assert_eq!(task.await.unwrap(), "PONG :hello\r\n");
}

#[tokio::test]
async fn a_certificate_for_another_host_is_told_as_such() {
    let (port, pem, _task) = tls_server(&["irc.example.org"]).await;
    let (_folder, path) = ca_file(&pem);
    let tls = Tls::new(&TlsSettings { ca_file: Some(path), ..TlsSettings::default() });
    let error = dial(&server(port, true), &tls, &direct()).await.unwrap_err().to_string();
    let told = format!("localhost:{port}: its certificate is not valid: it is for another host (its SHA-256");
    assert!(error.starts_with(&told), "{error}");
}

#[tokio::test]
async fn an_unknown_issuer_is_told_as_such() {
    let (_, other, _) = tls_server(&["localhost"]).await;
    let (_folder, path) = ca_file(&other);
    let tls = Tls::new(&TlsSettings { ca_file: Some(path), ..TlsSettings::default() });
    let (port, _, _task) = tls_server(&["localhost"]).await;
    let error = dial(&server(port, true), &tls, &direct()).await.unwrap_err().to_string();
    assert!(error.contains("its certificate is not valid: "), "{error}");
}

#[tokio::test]
async fn without_verification_any_certificate_will_do() {
    let (port, _, _task) = tls_server(&["irc.example.org"]).await;
    dial(&server(port, true), &without_verification(), &direct()).await.unwrap();
}

#[tokio::test]
async fn a_port_without_tls_is_told_as_such() {
    let (listener, port) = listen().await;
    let peer = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b":irc.example NOTICE * :*** Looking up your hostname\r\n").await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    });
    let error = dial(&server(port, true), &without_verification(), &direct()).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!("localhost:{port}: the TLS handshake failed: the server does not speak TLS on this port")
    );
    peer.await.unwrap();
}

#[tokio::test]
async fn a_handshake_without_an_answer_ends() {
    let (_listener, port) = listen().await;
    let short = Dial { limit: Duration::from_millis(300), ..direct() };
    let error = dial(&server(port, true), &without_verification(), &short).await.unwrap_err();
    assert!(matches!(error, DialError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn a_closed_port_is_told_as_such() {
    let (listener, port) = listen().await;
    drop(listener);
    let error = dial(&server(port, true), &without_verification(), &direct()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("localhost:{port} refused the connection"));
}

#[test]
fn a_ca_file_that_cannot_be_used_is_told_with_its_name() {
    let (_folder, path) = ca_file("no certificate");
    let tls = Tls::new(&TlsSettings { ca_file: Some(path.clone()), ..TlsSettings::default() });
    let problem = tls.problem().unwrap().to_string();
    assert_eq!(problem, format!("the CA file {} cannot be used: it holds no certificate", path.display()));
    let missing = TlsSettings { ca_file: Some(path.with_extension("gone")), ..TlsSettings::default() };
    assert!(matches!(Tls::new(&missing).problem(), Some(TlsError::CaFile { .. })));
}

#[test]
fn an_ipv6_address_is_shown_in_brackets() {
    let server = Server { host: "2001:db8::1".into(), port: 6697, tls: true, reach: Reach::Internet };
    assert_eq!(server.to_string(), "[2001:db8::1]:6697");
}

#[tokio::test]
async fn a_name_that_points_at_this_machine_is_refused_unless_that_is_meant() {
    let (_listener, port) = listen().await;
    let server = Server { reach: Reach::Internet, ..server(port, false) };
    let error = dial(&server, &without_verification(), &direct()).await.err().unwrap();
    assert!(error.to_string().contains("allow_private: true"), "{error}");
}

#[tokio::test]
async fn an_address_to_dial_from_is_the_one_that_the_server_sees() {
    let (listener, port) = listen().await;
    let from = by(Route::From(vec!["127.0.0.9".parse().unwrap()]));
    // The name may have an IPv6 address too, of which kind there is none to dial from.
    let dialed = dial(&server(port, false), &without_verification(), &from).await.unwrap();
    let (_, seen) = listener.accept().await.unwrap();
    assert_eq!(seen.ip().to_string(), "127.0.0.9");
    drop(dialed);
}

#[tokio::test]
async fn an_address_that_is_not_ours_is_told_with_what_to_do() {
    let from = by(Route::From(vec!["192.0.2.77".parse().unwrap()]));
    let (_listener, port) = listen().await;
    let error = dial(&server(port, false), &without_verification(), &from).await.unwrap_err().to_string();
    assert!(error.starts_with("nothing can be dialled from 192.0.2.77"), "{error}");
    assert!(error.contains("`bind`") && error.contains("docs/operations.md"), "{error}");
}

#[tokio::test]
async fn a_server_of_another_family_than_we_dial_from_is_told_as_such() {
    let from = by(Route::From(vec!["::1".parse().unwrap()]));
    let server = Server { host: "127.0.0.1".into(), ..server(1, false) };
    let error = dial(&server, &without_verification(), &from).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "127.0.0.1:1 has only IPv4 addresses, and `bind` names none of that kind to dial from"
    );
}

#[tokio::test]
async fn a_server_can_ask_who_it_is_before_tls() {
    let (listener, port) = listen().await;
    let ident = Ident::default();
    let how = Dial {
        limit: Duration::from_millis(300),
        ident: Some((ident.clone(), "alice".into())),
        ..by(Route::From(vec!["127.0.0.1".parse().unwrap()]))
    };
    let answers = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ident_port = answers.local_addr().unwrap().port();
    let serving = tokio::spawn(ident.clone().serve(answers));
    let asking = tokio::spawn(async move {
        let (stream, peer) = listener.accept().await.unwrap();
        let mut query = TcpStream::connect(("127.0.0.1", ident_port)).await.unwrap();
        query.write_all(format!("{}, {port}\r\n", peer.port()).as_bytes()).await.unwrap();
        let mut answer = String::new();
        query.read_to_string(&mut answer).await.unwrap();
        drop(stream);
        (answer, peer.port())
    });
    // The server never greets, so this fails; and nobody can ask any more.
    dial(&server(port, true), &without_verification(), &how).await.unwrap_err();
    let (answer, local) = asking.await.unwrap();
    assert_eq!(answer, format!("{local} , {port} : USERID : UNKNOWN : alice\r\n"));
    serving.abort();
}

#[tokio::test]
async fn an_onion_service_is_never_looked_up() {
    let server = Server { host: "Example.ONION.".into(), ..server(6697, true) };
    let error = dial(&server, &without_verification(), &direct()).await.unwrap_err();
    assert!(matches!(error, DialError::Onion { .. }), "{error}");
}

/// What a proxy was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    user: String,
    password: String,
    host: String,
    port: u16,
}

/// A SOCKS5 proxy for one connection. It gives this reply (RFC 1928, section 6) and, with 0, leads to the port.
async fn proxy(reply: u8, to: u16) -> (Proxy, tokio::task::JoinHandle<Asked>) {
    let (listener, port) = listen().await;
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut greeting = [0; 4];
        stream.read_exact(&mut greeting).await.unwrap();
        assert_eq!(greeting, [5, 2, 0, 2], "without a password, or with one");
        stream.write_all(&[5, 2]).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), 1);
        let text = async |stream: &mut TcpStream| {
            let mut text = vec![0; stream.read_u8().await.unwrap() as usize];
            stream.read_exact(&mut text).await.unwrap();
            String::from_utf8(text).unwrap()
        };
        let (user, password) = (text(&mut stream).await, text(&mut stream).await);
        stream.write_all(&[1, 0]).await.unwrap();
        let mut request = [0; 4];
        stream.read_exact(&mut request).await.unwrap();
        assert_eq!(request, [5, 1, 0, 3], "CONNECT to a name");
        let host = text(&mut stream).await;
        let port = stream.read_u16().await.unwrap();
        stream.write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
        if reply == 0 {
            let mut server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
        }
        Asked { user, password, host, port }
    });
    let proxy =
        Proxy { host: "127.0.0.1".into(), port, user: "towline".into(), password: "session-7".into() };
    (proxy, task)
}

#[tokio::test]
async fn a_proxy_gets_the_name_and_carries_tls() {
    let (port, pem, task) = tls_server(&["irc.example.org"]).await;
    let (_folder, path) = ca_file(&pem);
    let tls = Tls::new(&TlsSettings { ca_file: Some(path), ..TlsSettings::default() });
    let (proxy, asked) = proxy(0, port).await;
    // No resolver knows the name, and it need not be allowed a private address.
    let server = Server { host: "irc.example.org".into(), port: 6697, tls: true, reach: Reach::Internet };
    let mut connection = dial(&server, &tls, &by(Route::Through(proxy))).await.unwrap().connection;
    connection.queue(&Line::pong("hello"));
    connection.flush().await.unwrap();
    assert_eq!(task.await.unwrap(), "PONG :hello\r\n");
    drop(connection);
    let expected = Asked {
        user: "towline".into(),
        password: "session-7".into(),
        host: "irc.example.org".into(),
        port: 6697,
    };
    assert_eq!(asked.await.unwrap(), expected);
}

#[rstest::rstest]
#[case::refused(5, "the server refused the connection")]
#[case::unreachable(4, "the server cannot be reached from there")]
#[case::failure(1, "it failed; is the name right?")]
#[case::forbidden(2, "its rules forbid the connection")]
#[tokio::test]
async fn a_proxys_refusal_is_told_in_words(#[case] reply: u8, #[case] words: &str) {
    let (proxy, _asked) = proxy(reply, 0).await;
    let port = proxy.port;
    let server = Server { host: "irc.example.onion".into(), port: 6697, tls: true, reach: Reach::Internet };
    let error = dial(&server, &without_verification(), &by(Route::Through(proxy))).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("irc.example.onion:6697 was not reached through the proxy 127.0.0.1:{port}: {words}")
    );
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_told_as_such() {
    let (listener, port) = listen().await;
    drop(listener);
    let proxy = Proxy { host: "127.0.0.1".into(), port, user: "u".into(), password: "p".into() };
    let error =
        dial(&server(1, false), &without_verification(), &by(Route::Through(proxy))).await.unwrap_err();
    let proxy = format!("127.0.0.1:{port}");
    assert_eq!(
        error.to_string(),
        format!("localhost:1 was not reached through the proxy {proxy}: {proxy} refused the connection")
    );
}

#[rstest::rstest]
#[case("127.0.0.1")]
#[case("::1")]
#[case("10.1.2.3")]
#[case("localhost")]
#[tokio::test]
async fn through_a_proxy_a_private_address_is_refused_too(#[case] host: &str) {
    let proxy = Proxy { host: "127.0.0.1".into(), port: 1, user: "u".into(), password: "p".into() };
    let server = Server { host: host.into(), port: 6667, tls: false, reach: Reach::Internet };
    let error = dial(&server, &without_verification(), &by(Route::Through(proxy))).await.unwrap_err();
    assert!(matches!(error, DialError::Private { .. }), "{error}");
}

/// As an address, as one of old notation, as a name: whatever a user writes is looked at when it is dialled.
#[rstest::rstest]
#[case("127.0.0.1")]
#[case("::1")]
#[case("::ffff:127.0.0.1")]
#[case("0.0.0.0")]
#[case("127.1")]
#[case("2130706433")]
#[case("0x7f.1")]
#[case("localhost")]
#[tokio::test]
async fn a_private_address_that_a_user_names_is_refused_however_it_is_written(#[case] host: &str) {
    let (_listener, port) = listen().await;
    let reach = Reach::InternetAnd([crate::addresses::Range::parse("10.0.0.0/8").unwrap()].into());
    let server = Server { host: host.into(), reach, ..server(port, false) };
    let error = dial(&server, &without_verification(), &direct()).await.unwrap_err();
    assert!(matches!(error, DialError::Secluded { .. } | DialError::NotFound { .. }), "{error}");
    let told = error.to_string();
    assert!(told.contains("where no network of a user's own may be") || told.contains("not found"), "{told}");
}

#[tokio::test]
async fn a_private_range_that_is_allowed_is_reached_and_no_other() {
    let (listener, port) = listen().await;
    let reach = |range| Reach::InternetAnd([crate::addresses::Range::parse(range).unwrap()].into());
    let at = |host: &str, reach| Server { host: host.into(), reach, ..server(port, false) };
    let allowed = at("127.0.0.1", reach("127.0.0.1"));
    let dialed = dial(&allowed, &without_verification(), &direct()).await.unwrap();
    listener.accept().await.unwrap();
    drop(dialed);
    let beside = at("127.0.0.1", reach("127.0.0.2"));
    let error = dial(&beside, &without_verification(), &direct()).await.unwrap_err();
    assert!(matches!(error, DialError::Secluded { .. }), "{error}");
}

#[tokio::test]
async fn what_a_user_names_is_not_reached_through_a_proxy_which_would_resolve_it() {
    let proxy = Proxy { host: "127.0.0.1".into(), port: 1, user: "u".into(), password: "p".into() };
    let reach = Reach::InternetAnd([crate::addresses::Range::parse("127.0.0.0/8").unwrap()].into());
    let server = Server { host: "irc.example.org".into(), reach, ..server(6697, true) };
    let error = dial(&server, &without_verification(), &by(Route::Through(proxy))).await.unwrap_err();
    assert!(matches!(error, DialError::Unseen { .. }), "{error}");
}
