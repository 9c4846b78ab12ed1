//! Tests of dialling, on this host only.

use super::*;
use crate::irc::tls::TlsSettings;
use crate::irc::wire::Line;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const SHORT: Timeouts = Timeouts { connect: Duration::from_secs(5), handshake: Duration::from_millis(300) };

fn without_verification() -> Tls {
    Tls::new(&TlsSettings { verify: false, ..TlsSettings::default() })
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn server(port: u16, tls: bool) -> Server {
    Server { host: "localhost".into(), port, tls, private: true }
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
    let mut connection = dial(&server(port, false), &without_verification(), SHORT, None).await.unwrap();
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
    let mut connection = dial(&server(port, true), &tls, SHORT, None).await.unwrap();
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
    let error = dial(&server(port, true), &tls, SHORT, None).await.unwrap_err().to_string();
    let told = format!("localhost:{port}: its certificate is not valid: it is for another host (its SHA-256");
    assert!(error.starts_with(&told), "{error}");
}

#[tokio::test]
async fn an_unknown_issuer_is_told_as_such() {
    let (_, other, _) = tls_server(&["localhost"]).await;
    let (_folder, path) = ca_file(&other);
    let tls = Tls::new(&TlsSettings { ca_file: Some(path), ..TlsSettings::default() });
    let (port, _, _task) = tls_server(&["localhost"]).await;
    let error = dial(&server(port, true), &tls, SHORT, None).await.unwrap_err().to_string();
    assert!(error.contains("its certificate is not valid: "), "{error}");
}

#[tokio::test]
async fn without_verification_any_certificate_will_do() {
    let (port, _, _task) = tls_server(&["irc.example.org"]).await;
    dial(&server(port, true), &without_verification(), SHORT, None).await.unwrap();
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
    let error =
        dial(&server(port, true), &without_verification(), SHORT, None).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!("localhost:{port}: the TLS handshake failed: the server does not speak TLS on this port")
    );
    peer.await.unwrap();
}

#[tokio::test]
async fn a_handshake_without_an_answer_ends() {
    let (_listener, port) = listen().await;
    let error = dial(&server(port, true), &without_verification(), SHORT, None).await.unwrap_err();
    assert!(matches!(error, DialError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn a_closed_port_is_told_as_such() {
    let (listener, port) = listen().await;
    drop(listener);
    let error = dial(&server(port, true), &without_verification(), SHORT, None).await.unwrap_err();
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
    let server = Server { host: "2001:db8::1".into(), port: 6697, tls: true, private: false };
    assert_eq!(server.to_string(), "[2001:db8::1]:6697");
}

#[rstest::rstest]
#[case::loopback("127.0.0.1", true)]
#[case::loopback_v6("::1", true)]
#[case::loopback_as_v6("::ffff:127.0.0.1", true)]
#[case::private("192.168.1.1", true)]
#[case::carriers("100.64.0.1", true)]
#[case::link_local("169.254.169.254", true)]
#[case::this_host("0.0.0.0", true)]
#[case::unique_local("fd00::1", true)]
#[case::nat64("64:ff9b::7f00:1", true)]
#[case::six_to_four("2002:7f00:1::1", true)]
#[case::public("93.184.216.34", false)]
#[case::public_v6("2606:2800:220:1::1", false)]
fn an_address_is_known_as_private(#[case] address: &str, #[case] private: bool) {
    assert_eq!(is_private(address.parse().unwrap()), private);
}

#[tokio::test]
async fn a_name_that_points_at_this_machine_is_refused_unless_that_is_meant() {
    let (_listener, port) = listen().await;
    let server = Server { private: false, ..server(port, false) };
    let error = dial(&server, &without_verification(), SHORT, None).await.err().unwrap();
    assert!(error.to_string().contains("allow_private: true"), "{error}");
}
