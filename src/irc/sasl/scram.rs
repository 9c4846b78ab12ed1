//! SCRAM: a proof that we know the password, and the server's proof that it knows what it stored of it.
//!
//! No channel binding: TLS verifies the server, and few services can see the client's connection. Extensions that the
//! server marks as mandatory are refused, as the specification wants.
//!
//! Invariant: a server that has not proved itself is never believed ([`Scram::is_verified`]), and none can choose how
//! long we compute: iterations are bounded, so that the longest hashing takes less than half a second on a small machine
//! (measured: 0.4 s). That happens once for each connection, and the backoff spaces connections out; so it is done where
//! it stands, and not on a thread of its own.
//!
//! Spec: RFC 5802, RFC 7677 (SHA-256), draft-melnikov-scram-sha-512; RFC 4013 for how passwords are written.

use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretBox};
use unicode_normalization::UnicodeNormalization as _;

use super::{Credentials, SaslError};

/// The fewest iterations that RFC 7677 allows.
const FEWEST: u32 = 4096;

/// No channel binding and no other identity to act as.
const HEADER: &str = "n,,";

/// The hash of the mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    /// 32 bytes.
    Sha256,
    /// 64 bytes.
    Sha512,
}

impl Hash {
    /// The most iterations: as many as password stores are advised to use today (OWASP), which cost the same with both.
    fn most_iterations(self) -> u32 {
        match self {
            Self::Sha256 => 600_000,
            Self::Sha512 => 210_000,
        }
    }

    fn hmac(self, key: &[u8], message: &str) -> hmac::Tag {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), message.as_bytes())
    }

    fn digest(self, bytes: &[u8]) -> digest::Digest {
        match self {
            Self::Sha256 => digest::digest(&digest::SHA256, bytes),
            Self::Sha512 => digest::digest(&digest::SHA512, bytes),
        }
    }

    /// The password, salted and hashed: as good as the password itself.
    fn salted(self, password: &str, salt: &[u8], iterations: NonZeroU32) -> SecretBox<Vec<u8>> {
        let (algorithm, length) = match self {
            Self::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, digest::SHA256_OUTPUT_LEN),
            Self::Sha512 => (pbkdf2::PBKDF2_HMAC_SHA512, digest::SHA512_OUTPUT_LEN),
        };
        let mut salted = vec![0; length];
        pbkdf2::derive(algorithm, iterations, salt, password.as_bytes(), &mut salted);
        SecretBox::new(Box::new(salted))
    }
}

/// How far the exchange is: `Begun` → (our nonce) → `Identified` → (the proof) → `Proved` → (theirs) → `Verified`.
#[derive(Debug)]
enum Stage {
    Begun,
    Identified {
        client_first_bare: String,
    },
    Proved {
        /// What the server has to show.
        server_signature: hmac::Tag,
    },
    Verified,
}

/// One exchange.
#[derive(Debug)]
pub(super) struct Scram {
    hash: Hash,
    nonce: String,
    stage: Stage,
}

impl Scram {
    pub(super) fn new(hash: Hash, nonce: &str) -> Self {
        Self { hash, nonce: nonce.to_owned(), stage: Stage::Begun }
    }

    /// The server has shown that it knows the password's hash.
    pub(super) fn is_verified(&self) -> bool {
        matches!(self.stage, Stage::Verified)
    }

    /// The proof was sent.
    pub(super) fn has_proved(&self) -> bool {
        matches!(self.stage, Stage::Proved { .. } | Stage::Verified)
    }

    /// Our message after this one of the server's.
    pub(super) fn answer(&mut self, message: &[u8], credentials: &Credentials) -> Result<Vec<u8>, SaslError> {
        let message = std::str::from_utf8(message).map_err(|_| SaslError::Malformed)?;
        match &self.stage {
            Stage::Begun if message.is_empty() => {
                let bare = format!("n={},r={}", escape(&prepare(&credentials.account)), self.nonce);
                let first = format!("{HEADER}{bare}");
                self.stage = Stage::Identified { client_first_bare: bare };
                Ok(first.into_bytes())
            }
            Stage::Identified { client_first_bare } => {
                let (last, server_signature) = self.prove(client_first_bare, message, credentials)?;
                self.stage = Stage::Proved { server_signature };
                Ok(last.into_bytes())
            }
            Stage::Proved { server_signature } => {
                check_server(message, server_signature)?;
                self.stage = Stage::Verified;
                Ok(Vec::new())
            }
            Stage::Begun | Stage::Verified => Err(SaslError::Malformed),
        }
    }

    /// The proof, and the signature that the server must answer it with.
    fn prove(
        &self,
        client_first_bare: &str,
        server_first: &str,
        credentials: &Credentials,
    ) -> Result<(String, hmac::Tag), SaslError> {
        let ServerFirst { nonce, salt, iterations } = ServerFirst::parse(server_first)?;
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err(SaslError::Nonce);
        }
        let count = NonZeroU32::new(iterations)
            .filter(|_| (FEWEST..=self.hash.most_iterations()).contains(&iterations));
        let count = count.ok_or(SaslError::Iterations(iterations))?;
        let password = credentials.password.as_ref().map_or("", ExposeSecret::expose_secret);
        let salted = self.hash.salted(&prepare(password), &salt, count);
        let client_key = self.hash.hmac(salted.expose_secret(), "Client Key");
        let stored_key = self.hash.digest(client_key.as_ref());
        let without_proof = format!("c={},r={nonce}", STANDARD.encode(HEADER));
        let signed = format!("{client_first_bare},{server_first},{without_proof}");
        let signature = self.hash.hmac(stored_key.as_ref(), &signed);
        let pairs = client_key.as_ref().iter().zip(signature.as_ref());
        let proof: Vec<u8> = pairs.map(|(key, signature)| key ^ signature).collect();
        let server_key = self.hash.hmac(salted.expose_secret(), "Server Key");
        let server_signature = self.hash.hmac(server_key.as_ref(), &signed);
        Ok((format!("{without_proof},p={}", STANDARD.encode(proof)), server_signature))
    }
}

/// `v=signature`, or `e=reason`.
fn check_server(server_final: &str, expected: &hmac::Tag) -> Result<(), SaslError> {
    let first = server_final.split(',').next().unwrap_or_default();
    if let Some(reason) = first.strip_prefix("e=") {
        return Err(SaslError::Refused(reason.to_owned()));
    }
    let signature = first.strip_prefix("v=").and_then(|text| STANDARD.decode(text).ok());
    let signature = signature.ok_or(SaslError::Malformed)?;
    constant_time::verify_slices_are_equal(&signature, expected.as_ref()).map_err(|_| SaslError::Signature)
}

/// `r=nonce,s=salt,i=iterations`, and perhaps extensions behind.
struct ServerFirst<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    iterations: u32,
}

impl<'a> ServerFirst<'a> {
    fn parse(text: &'a str) -> Result<Self, SaslError> {
        let mut attributes = text.split(',');
        let mut next =
            |name: &str| attributes.next().and_then(|one| one.strip_prefix(name)).ok_or(SaslError::Malformed);
        // What a server wants to be understood stands first, as `m=`: it is not understood.
        let (nonce, salt, iterations) = (next("r=")?, next("s=")?, next("i=")?);
        let salt = STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty()).ok_or(SaslError::Malformed)?;
        let iterations = iterations.parse().map_err(|_| SaslError::Malformed)?;
        Ok(Self { nonce, salt, iterations })
    }
}

/// A name as it may stand between commas.
fn escape(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// The form in which names and passwords are hashed everywhere (RFC 4013), so that what looks equal is equal. What
/// that forbids is left as it is: whether it can be a password is the network's decision.
fn prepare(text: &str) -> String {
    let mapped = text.chars().filter_map(|c| match c {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200b}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => Some(' '),
        '\u{ad}'
        | '\u{34f}'
        | '\u{1806}'
        | '\u{180b}'..='\u{180d}'
        | '\u{200c}'
        | '\u{200d}'
        | '\u{2060}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' => None,
        c => Some(c),
    });
    mapped.nfkc().collect()
}

#[cfg(test)]
mod tests;
