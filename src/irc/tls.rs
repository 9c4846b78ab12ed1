//! TLS towards IRC servers; the only module that names rustls.
//!
//! Which server is the right one is decided in `tls/verify.rs`: by the host's CA store and further roots from a file, or
//! by fingerprints alone. Verification can be turned off for one server by its settings; even then, and with a
//! fingerprint, the server must prove that it has the key of the certificate it shows. The provider is passed
//! explicitly: a process-wide default would be somebody else's choice. What a user shows of themselves is a
//! [`ClientCertificate`], on their own connections only.
//!
//! No session is ever resumed: resumed handshakes show no certificate, so that a fingerprint could not be checked, and
//! one user's ticket would tell the server that another is on the same bridge.
//!
//! TLS 1.2 and 1.3 only; a server with nothing newer than TLS 1.1 cannot be reached. The host goes as SNI, and `irc`
//! as ALPN.
//!
//! Spec: RFC 7194 (port 6697); modern IRC docs "Connecting with TLS"; IANA's ALPN registry (`irc`).

mod certificate;
mod setups;
mod verify;
mod x509;

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{CertificateError, ClientConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use certificate::{CertificateProblem, ClientCertificate};
pub use setups::TlsSetups;

use verify::Rejected;

/// How servers are verified.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TlsSettings {
    /// A PEM file with roots to trust beside the host's own.
    pub ca_file: Option<PathBuf>,
    /// Turned off, any certificate will do.
    pub verify: bool,
    /// Where there are any, one of them decides and nothing else: SHA-256 or SHA-512 of the certificate or of its public
    /// key, in lower-case hexadecimal.
    pub fingerprints: Vec<String>,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self { ca_file: None, verify: true, fingerprints: Vec::new() }
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

/// TLS as configured, shared by all connections to a server.
#[derive(Clone)]
pub struct Tls(Result<Ready, TlsError>);

#[derive(Clone)]
struct Ready {
    verifier: Arc<dyn ServerCertVerifier>,
    connector: TlsConnector,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tls({})", if self.0.is_ok() { "ready" } else { "unusable" })
    }
}

impl Tls {
    /// Reads roots. A failure is kept and told by each connection that needs TLS; [`Tls::problem`] tells it at once.
    #[must_use]
    pub fn new(settings: &TlsSettings) -> Self {
        let ready = || {
            let verifier = verify::verifier(settings)?;
            let connector = connector(&verifier, None)?;
            Ok(Ready { verifier, connector })
        };
        Self(ready())
    }

    /// The same for one user's connection, which shows this certificate to a server that asks for one.
    #[must_use]
    pub fn showing(&self, certificate: &ClientCertificate) -> Self {
        let ready = |ready: &Ready| {
            let verifier = Arc::clone(&ready.verifier);
            let connector = connector(&verifier, Some(certificate))?;
            Ok(Ready { verifier, connector })
        };
        Self(self.0.as_ref().map_err(Clone::clone).and_then(ready))
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
        let Ready { connector, .. } = self.0.as_ref().map_err(Clone::clone)?;
        // A name with its root dot is the same host, but no certificate is for it.
        let name = ServerName::try_from(host.trim_end_matches('.').to_owned())
            .map_err(|_| TlsError::Host(host.to_owned()))?;
        connector.connect(name, stream).await.map_err(|error| describe(&error))
    }
}

fn connector(
    verifier: &Arc<dyn ServerCertVerifier>,
    certificate: Option<&ClientCertificate>,
) -> Result<TlsConnector, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(verifier));
    let mut config = match certificate {
        Some(certificate) => {
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certificate.certified())))
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"irc".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// What a failed handshake means to the user.
fn describe(error: &std::io::Error) -> TlsError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(other))) => {
            let rejected = other.0.downcast_ref::<Rejected>();
            TlsError::Certificate(rejected.map_or_else(|| other.to_string(), ToString::to_string))
        }
        Some(rustls::Error::InvalidCertificate(other)) => TlsError::Certificate(other.to_string()),
        Some(rustls::Error::InvalidMessage(_)) => {
            TlsError::Handshake("the server does not speak TLS on this port".to_owned())
        }
        Some(other) => TlsError::Handshake(other.to_string()),
        None => TlsError::Handshake(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
