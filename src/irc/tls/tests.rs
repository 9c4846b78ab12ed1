//! Handshakes with servers on this host: what they see of us, and which of them we take.

use super::x509::{sha256, sha512};
use super::*;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use secrecy::ExposeSecret;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What a server has seen of a client.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    name: Option<String>,
    protocol: Option<Vec<u8>>,
    certificate: Option<String>,
}

struct Peer {
    certificate: CertificateDer<'static>,
    key: rcgen::KeyPair,
}

fn peer() -> Peer {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    Peer { certificate: made.cert.der().clone(), key: made.signing_key }
}

/// Greets one client with this certificate, signing with this key. A client's certificate must be `known`.
async fn greet(
    tls: &Tls,
    certificate: &CertificateDer<'static>,
    key: &rcgen::KeyPair,
    known: Option<CertificateDer<'static>>,
) -> (Result<(), TlsError>, Option<Seen>) {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let shown = CertifiedKey::new(vec![certificate.clone()], key);
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = match known {
        Some(known) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(known).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.allow_unauthenticated().build().unwrap())
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    config.alpn_protocols = vec![b"irc".to_vec()];
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await.ok()?;
        // In TLS 1.3 the client's certificate comes last.
        let _ = stream.read(&mut [0]).await;
        let connection = stream.get_ref().1;
        let certificate = connection.peer_certificates().and_then(<[_]>::first).map(|der| sha256(der));
        Some(Seen {
            name: connection.server_name().map(str::to_owned),
            protocol: connection.alpn_protocol().map(<[u8]>::to_vec),
            certificate,
        })
    });
    let stream = TcpStream::connect(address).await.unwrap();
    let greeted = tls.connect("localhost.", stream).await.map(drop);
    (greeted, server.await.unwrap())
}

fn pinned(fingerprint: String) -> Tls {
    Tls::new(&TlsSettings { fingerprints: vec![fingerprint], ..TlsSettings::default() })
}

#[tokio::test]
async fn a_server_is_told_the_host_and_that_it_is_irc_and_sees_no_certificate() {
    let peer = peer();
    let (greeted, seen) = greet(&pinned(sha256(&peer.certificate)), &peer.certificate, &peer.key, None).await;
    greeted.unwrap();
    let expected =
        Seen { name: Some("localhost".into()), protocol: Some(b"irc".to_vec()), certificate: None };
    assert_eq!(seen, Some(expected));
}

#[tokio::test]
async fn a_certificate_is_shown_on_the_connection_that_it_is_for() {
    let peer = peer();
    let tls = pinned(sha512(&peer.certificate));
    let pem = ClientCertificate::generate(1_795_219_200_000).unwrap();
    let ours = ClientCertificate::from_pem(&pem).unwrap();
    let der = rustls::pki_types::pem::PemObject::from_pem_slice(pem.expose_secret().as_bytes()).unwrap();
    let known: CertificateDer<'static> = der;
    let (greeted, seen) = greet(&tls.showing(&ours), &peer.certificate, &peer.key, Some(known.clone())).await;
    greeted.unwrap();
    assert_eq!(seen.unwrap().certificate, Some(ours.sha256()));
    let (_, seen) = greet(&tls, &peer.certificate, &peer.key, Some(known)).await;
    assert_eq!(seen.unwrap().certificate, None);
}

#[tokio::test]
async fn a_fingerprint_that_is_not_the_servers_is_told_with_the_servers() {
    let (one, other) = (peer(), peer());
    let (greeted, _) = greet(&pinned(sha256(&other.certificate)), &one.certificate, &one.key, None).await;
    let told = greeted.unwrap_err().to_string();
    assert_eq!(
        told,
        format!(
            "its certificate is not valid: it has none of the fingerprints that are configured (its SHA-256 fingerprint \
             is {})",
            sha256(&one.certificate)
        )
    );
}

#[tokio::test]
async fn whoever_shows_the_right_certificate_must_have_its_key() {
    let (one, other) = (peer(), peer());
    for tls in
        [pinned(sha256(&one.certificate)), Tls::new(&TlsSettings { verify: false, ..TlsSettings::default() })]
    {
        assert!(greet(&tls, &one.certificate, &one.key, None).await.0.is_ok());
        assert!(greet(&tls, &one.certificate, &other.key, None).await.0.is_err());
    }
}
