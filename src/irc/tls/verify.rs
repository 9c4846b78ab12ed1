//! Which certificate a server may show.
//!
//! Three rules, one for each server: signed by somebody whom the host trusts and made out to the server's name; or of
//! a fingerprint that the administrator has written down, whoever signed it and however old it is; or any. Under each of
//! them the handshake's signature is checked, which proves that the server has the certificate's key: otherwise even
//! a recorded certificate would do.
//!
//! A certificate that is refused is told with its fingerprint, so that who knows the server can write that down.
//!
//! Spec: RFC 5280, RFC 6125 (by rustls-platform-verifier); RFC 8446, 4.4.3.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::x509::{Certificate, sha256, sha512};
use super::{TlsError, TlsSettings};

/// A certificate that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (its SHA-256 fingerprint is {fingerprint})")]
pub(super) struct Rejected {
    reason: String,
    fingerprint: String,
}

/// The verifier that the settings ask for.
pub(super) fn verifier(settings: &TlsSettings) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let rule = if !settings.fingerprints.is_empty() {
        Rule::Fingerprints(settings.fingerprints.clone())
    } else if settings.verify {
        let roots = match &settings.ca_file {
            Some(path) => read_roots(path)?,
            None => Vec::new(),
        };
        let extra = !roots.is_empty();
        let platform = Verifier::new_with_extra_roots(roots, provider.clone()).map_err(|error| {
            match &settings.ca_file {
                Some(path) if extra => TlsError::CaFile { path: path.clone(), reason: error.to_string() },
                _ => TlsError::NoRoots,
            }
        })?;
        Rule::Authorities(platform)
    } else {
        Rule::Any
    };
    Ok(Arc::new(Ruled { rule, provider }))
}

fn read_roots(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unusable = |reason: String| TlsError::CaFile { path: path.clone(), reason };
    let roots = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(error.to_string()))?;
    if roots.is_empty() { Err(unusable("it holds no certificate".to_owned())) } else { Ok(roots) }
}

/// What makes a certificate the right one.
#[derive(Debug)]
enum Rule {
    Authorities(Verifier),
    Fingerprints(Vec<String>),
    Any,
}

#[derive(Debug)]
struct Ruled {
    rule: Rule,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Ruled {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let reason = match &self.rule {
            Rule::Any => return Ok(ServerCertVerified::assertion()),
            Rule::Fingerprints(pins) if is_pinned(end_entity, pins) => {
                return Ok(ServerCertVerified::assertion());
            }
            Rule::Fingerprints(_) => "it has none of the fingerprints that are configured".to_owned(),
            Rule::Authorities(platform) => {
                let verified =
                    platform.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
                match verified {
                    Err(rustls::Error::InvalidCertificate(reason)) => reason_in_words(&reason),
                    other => return other,
                }
            }
        };
        let rejected = Rejected { reason, fingerprint: sha256(end_entity) };
        Err(CertificateError::Other(OtherError(Arc::new(rejected))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether the certificate or its public key has one of these fingerprints.
fn is_pinned(certificate: &[u8], pins: &[String]) -> bool {
    let key = Certificate::parse(certificate).map(|certificate| certificate.public_key);
    let found: Vec<String> =
        std::iter::once(certificate).chain(key).flat_map(|bytes| [sha256(bytes), sha512(bytes)]).collect();
    pins.iter().any(|pin| found.contains(pin))
}

fn reason_in_words(reason: &CertificateError) -> String {
    match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet, or this host's clock is wrong".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another host".to_owned()
        }
        CertificateError::UnknownIssuer => "nobody whom this host trusts has signed it".to_owned(),
        CertificateError::Revoked => "it was revoked".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::sha_256(|certificate: &[u8]| sha256(certificate), true)]
    #[case::sha_512(|certificate: &[u8]| sha512(certificate), true)]
    #[case::sha_256_of_its_key(|certificate: &[u8]| sha256(Certificate::parse(certificate).unwrap().public_key), true)]
    #[case::sha_512_of_its_key(|certificate: &[u8]| sha512(Certificate::parse(certificate).unwrap().public_key), true)]
    #[case::of_another(|_: &[u8]| sha256(b"another"), false)]
    #[case::cut(|certificate: &[u8]| sha256(certificate)[..32].to_owned(), false)]
    #[case::empty(|_: &[u8]| String::new(), false)]
    fn a_certificate_is_known_by_any_of_its_fingerprints(
        #[case] pin: fn(&[u8]) -> String,
        #[case] known: bool,
    ) {
        let certified = rcgen::generate_simple_self_signed(vec!["irc.example.org".to_owned()]).unwrap();
        let der = certified.cert.der();
        assert_eq!(is_pinned(der, &[sha512(b"somebody else"), pin(der)]), known);
    }
}
