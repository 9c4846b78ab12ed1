//! TLS towards IRC servers; the only file that names rustls.
//!
//! Certificates are verified against the host's CA store and, where given, further roots from a file. Verification
//! can be turned off for one network by its settings; even then the server must prove that it has the key of the
//! certificate it shows. The provider is passed explicitly: a process-wide default would be somebody else's choice.
//!
//! TLS 1.2 and 1.3 only; a server with nothing newer than TLS 1.1 cannot be reached.
//!
//! Spec: RFC 7194 (port 6697); modern IRC docs "Connecting with TLS".

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How servers are verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// A PEM file with roots to trust beside the host's own.
    pub ca_file: Option<PathBuf>,
    /// Turned off, any certificate will do.
    pub verify: bool,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self { ca_file: None, verify: true }
    }
}

/// Why there is no TLS, or no connection by it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TlsError {
    /// The host has no CA store.
    #[error(
        "this host has no CA certificates to verify servers with: install its ca-certificates package, or name a file"
    )]
    NoRoots,
    /// The configured file cannot be used.
    #[error("the CA file {path} cannot be used: {reason}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The provider and the protocol versions do not fit together.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
    /// The server's certificate is not acceptable.
    #[error("its certificate is not valid: {0}")]
    Certificate(String),
    /// The host cannot stand in a certificate.
    #[error("{0} is no host name that a certificate can be for")]
    Host(String),
    /// Anything else that goes wrong while the two sides greet.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
}

/// TLS as configured, made once and shared by all connections of a network.
#[derive(Clone)]
pub struct Tls(Result<TlsConnector, TlsError>);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tls({})", if self.0.is_ok() { "ready" } else { "unusable" })
    }
}

impl Tls {
    /// Reads roots. A failure is kept and told by each connection that needs TLS; [`Tls::problem`] tells it at once.
    #[must_use]
    pub fn new(settings: &TlsSettings) -> Self {
        Self(configure(settings).map(|config| TlsConnector::from(Arc::new(config))))
    }

    /// Why connections by TLS cannot work.
    #[must_use]
    pub fn problem(&self) -> Option<&TlsError> {
        self.0.as_ref().err()
    }

    /// Greets a server over an open connection.
    pub(super) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, TlsError> {
        let connector = self.0.as_ref().map_err(Clone::clone)?;
        // A name with its root dot is the same host, but no certificate is for it.
        let name = ServerName::try_from(host.trim_end_matches('.').to_owned())
            .map_err(|_| TlsError::Host(host.to_owned()))?;
        connector.connect(name, stream).await.map_err(|error| describe(&error))
    }
}

fn configure(settings: &TlsSettings) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = if settings.verify {
        let roots = match &settings.ca_file {
            Some(path) => read_roots(path)?,
            None => Vec::new(),
        };
        let extra = !roots.is_empty();
        Arc::new(Verifier::new_with_extra_roots(roots, provider.clone()).map_err(|error| {
            match &settings.ca_file {
                Some(path) if extra => TlsError::CaFile { path: path.clone(), reason: error.to_string() },
                _ => TlsError::NoRoots,
            }
        })?)
    } else {
        Arc::new(AnyCertificate(provider.clone()))
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}

fn read_roots(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unusable = |reason: String| TlsError::CaFile { path: path.clone(), reason };
    let roots = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(error.to_string()))?;
    if roots.is_empty() { Err(unusable("it holds no certificate".to_owned())) } else { Ok(roots) }
}

/// What a failed handshake means to the user.
fn describe(error: &std::io::Error) -> TlsError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(reason)) => TlsError::Certificate(match reason {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "it has expired".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "it is not valid yet, or this host's clock is wrong".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "it is for another host".to_owned()
            }
            CertificateError::UnknownIssuer => "nobody whom this host trusts has signed it".to_owned(),
            CertificateError::Revoked => "it was revoked".to_owned(),
            other => other.to_string(),
        }),
        Some(rustls::Error::InvalidMessage(_)) => {
            TlsError::Handshake("the server does not speak TLS on this port".to_owned())
        }
        Some(other) => TlsError::Handshake(other.to_string()),
        None => TlsError::Handshake(error.to_string()),
    }
}

/// Takes any certificate, but checks that the server has its key: otherwise even a recorded handshake would do.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
