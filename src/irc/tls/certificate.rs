//! The certificate by which services know a user: made here or brought along, shown to the server when it asks.
//!
//! It vouches for nothing but that the same key is there again, so it is signed by itself and its name says nothing
//! about the user. ECDSA with P-256, which every TLS library takes; not all of them take Ed25519.
//!
//! Invariant 10: the key is in the PEM text, which only the store gets, sealed, and in rustls' signing key, which
//! shows nothing.
//!
//! Spec: RFC 5280; RFC 7468 (PEM).

use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use secrecy::{ExposeSecret, SecretString};

use super::x509::{Certificate, sha256, sha512};

/// How long a certificate that is made here is valid. Services remember the certificate and not who signed it, so that
/// changing it is a chore that protects nobody.
const YEARS: i16 = 10;

/// Why a text is no certificate to log in with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    /// No block of the kind.
    #[error("it holds no certificate, which begins with -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    /// No key that can be read.
    #[error(
        "it holds no private key that can be read: one begins with -----BEGIN PRIVATE KEY----- and has no passphrase"
    )]
    NoKey,
    /// The two belong to others.
    #[error("the certificate and the key do not belong together")]
    Mismatch,
    /// Anything else.
    #[error("it cannot be used: {0}")]
    Unusable(String),
}

/// A certificate with its key.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    certified: Arc<CertifiedKey>,
    ends_at: i64,
}

impl ClientCertificate {
    /// Makes one, and gives the PEM text to keep.
    pub fn generate(now_ms: i64) -> Result<SecretString, CertificateProblem> {
        let unusable = |error: &dyn std::fmt::Display| CertificateProblem::Unusable(error.to_string());
        let mut params = CertificateParams::new(Vec::new()).map_err(|error| unusable(&error))?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "towline");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let today = jiff::Timestamp::from_millisecond(now_ms).map_err(|error| unusable(&error))?;
        let today = today.to_zoned(jiff::tz::TimeZone::UTC).date();
        let day = |years: i16| {
            // Each year has a 28th.
            let (month, day) = (today.month().unsigned_abs(), today.day().unsigned_abs().min(28));
            rcgen::date_time_ymd(i32::from(today.year() + years), month, day)
        };
        (params.not_before, params.not_after) = (day(0), day(YEARS));
        let key = KeyPair::generate().map_err(|error| unusable(&error))?;
        let certificate = params.self_signed(&key).map_err(|error| unusable(&error))?;
        Ok(format!("{}{}", certificate.pem(), key.serialize_pem()).into())
    }

    /// Reads the PEM text of a certificate, perhaps with those that signed it, and of its key.
    pub fn from_pem(pem: &SecretString) -> Result<Self, CertificateProblem> {
        let pem = pem.expose_secret().as_bytes();
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|error| CertificateProblem::Unusable(error.to_string()))?;
        let first = chain.first().ok_or(CertificateProblem::NoCertificate)?;
        let ends_at = Certificate::parse(first)
            .ok_or_else(|| CertificateProblem::Unusable("it is no X.509 certificate".to_owned()))?
            .ends_at;
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| CertificateProblem::NoKey)?;
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
        let certified = certified.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => CertificateProblem::Mismatch,
            other => CertificateProblem::Unusable(other.to_string()),
        })?;
        Ok(Self { certified: Arc::new(certified), ends_at })
    }

    /// When it ends, in milliseconds since 1970.
    #[must_use]
    pub fn ends_at(&self) -> i64 {
        self.ends_at
    }

    /// Its fingerprint by SHA-256, as Ergo's and many other networks' services want it.
    #[must_use]
    pub fn sha256(&self) -> String {
        self.certified.cert.first().map(|der| sha256(der)).unwrap_or_default()
    }

    /// Its fingerprint by SHA-512, as Solanum's networks want it.
    #[must_use]
    pub fn sha512(&self) -> String {
        self.certified.cert.first().map(|der| sha512(der)).unwrap_or_default()
    }

    pub(super) fn certified(&self) -> CertifiedKey {
        CertifiedKey::clone(&self.certified)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_219_200_000; // 2026-11-21

    fn generated() -> String {
        ClientCertificate::generate(NOW).unwrap().expose_secret().to_owned()
    }

    fn key_of(pem: &str) -> &str {
        &pem[pem.find("-----BEGIN PRIVATE KEY-----").unwrap()..]
    }

    fn read(pem: &str) -> Result<ClientCertificate, CertificateProblem> {
        ClientCertificate::from_pem(&pem.into())
    }

    #[test]
    fn a_certificate_that_was_made_is_read_again_and_ends_in_ten_years() {
        let certificate = read(&generated()).unwrap();
        let end = jiff::Timestamp::from_millisecond(certificate.ends_at()).unwrap();
        assert_eq!(end.to_string(), "2036-11-21T00:00:00Z");
        assert_eq!((certificate.sha256().len(), certificate.sha512().len()), (64, 128));
        assert_ne!(certificate.sha256(), read(&generated()).unwrap().sha256());
    }

    #[test]
    fn a_leap_day_is_no_reason_to_fail() {
        let leap_day = 1_835_395_200_000; // 2028-02-29
        assert!(ClientCertificate::generate(leap_day).is_ok());
    }

    #[test]
    fn what_cannot_be_used_is_said_so() {
        let (one, other) = (generated(), generated());
        let certificate = &one[..one.len() - key_of(&one).len()];
        let problem = |pem: &str| read(pem).unwrap_err();
        assert_eq!(problem("hello"), CertificateProblem::NoCertificate);
        assert_eq!(problem(key_of(&one)), CertificateProblem::NoCertificate);
        assert_eq!(problem(certificate), CertificateProblem::NoKey);
        assert_eq!(problem(&format!("{certificate}{}", key_of(&other))), CertificateProblem::Mismatch);
        let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(problem(&format!("{nonsense}{}", key_of(&one))), CertificateProblem::Unusable(_)));
    }

    #[test]
    fn invariant_10_a_certificate_shows_no_key() {
        let pem = generated();
        let shown = format!("{:?}", read(&pem).unwrap());
        let body = key_of(&pem).lines().nth(1).unwrap();
        assert!(!shown.contains(&body[..20]), "{shown}");
    }
}
