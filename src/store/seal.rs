//! Sealing: secrets and payloads are encrypted before they reach a table, so that a copy of the database without the
//! key file tells neither passwords nor what is under way.
//!
//! AES-256-GCM-SIV (RFC 8452) with a random nonce for each value: its misuse resistance makes random 96-bit nonces
//! safe for more values than a bridge will ever write. Format: key number (1 byte), nonce (12), ciphertext and tag.
//! The associated data names the row, so that a value can't be moved to another.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::{ExposeSecret, SecretBox};

use super::error::StoreError;

/// The number of the key in use; rotation will add others.
const KEY_NUMBER: u8 = 1;

/// The 32 bytes of `secret_key_file`.
#[derive(Clone)]
pub struct SecretKey(std::sync::Arc<SecretBox<[u8; 32]>>);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

impl SecretKey {
    /// A key from its bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        SecretBox::new(Box::new(bytes)).into()
    }
}

impl From<SecretBox<[u8; 32]>> for SecretKey {
    fn from(bytes: SecretBox<[u8; 32]>) -> Self {
        Self(std::sync::Arc::new(bytes))
    }
}

pub(crate) struct Sealer {
    key: LessSafeKey,
}

impl Sealer {
    pub(super) fn new(key: &SecretKey) -> Self {
        let key = UnboundKey::new(&AES_256_GCM_SIV, key.0.expose_secret())
            .expect("the key has 32 bytes by its type");
        Self { key: LessSafeKey::new(key) }
    }

    /// Encrypts a value for the row that `row` names.
    pub(crate) fn seal(&self, plain: &[u8], row: &str) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        crate::clock::random_bytes(&mut nonce).expect("the system has randomness");
        let mut text = plain.to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(row.as_bytes()),
                &mut text,
            )
            .expect("a value is far below the cipher's limit of 64 GiB");
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + text.len());
        sealed.push(KEY_NUMBER);
        sealed.extend_from_slice(&nonce);
        sealed.append(&mut text);
        sealed
    }

    /// Decrypts a value of the row that `row` names.
    pub(crate) fn open(&self, sealed: &[u8], row: &str) -> Result<Vec<u8>, StoreError> {
        let (&number, rest) = sealed.split_first().ok_or(StoreError::Sealed)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or(StoreError::Sealed)?;
        if number != KEY_NUMBER {
            return Err(StoreError::Sealed);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| StoreError::Sealed)?;
        let mut text = text.to_vec();
        let length = self
            .key
            .open_in_place(nonce, Aad::from(row.as_bytes()), &mut text)
            .map_err(|_| StoreError::Sealed)?
            .len();
        text.truncate(length);
        Ok(text)
    }

    /// Decrypts a text of the row that `row` names.
    pub(crate) fn open_text(&self, sealed: &[u8], row: &str) -> Result<String, StoreError> {
        String::from_utf8(self.open(sealed, row)?).map_err(|_| StoreError::Sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_10_a_sealed_value_opens_only_in_its_own_row_and_with_its_own_key() {
        let sealer = Sealer::new(&SecretKey::new([1; 32]));
        let sealed = sealer.seal(b"secret", "row:1");
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_eq!(sealer.open(&sealed, "row:1").unwrap(), b"secret");
        assert!(sealer.open(&sealed, "row:2").is_err());
        assert!(Sealer::new(&SecretKey::new([2; 32])).open(&sealed, "row:1").is_err());
    }

    #[test]
    fn a_damaged_value_is_an_error_and_no_panic() {
        let sealer = Sealer::new(&SecretKey::new([1; 32]));
        let sealed = sealer.seal(b"secret", "row");
        for length in 0..sealed.len() {
            assert!(sealer.open(&sealed[..length], "row").is_err());
        }
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert!(sealer.open(&changed, "row").is_err());
        }
    }
}
