//! Sealing: secrets and payloads are encrypted before they reach a table, so that a copy of the database without the
//! key file tells neither passwords nor what is under way.
//!
//! AES-256-GCM-SIV (RFC 8452) with a random nonce for each value: its misuse resistance makes random 96-bit nonces
//! safe for more values than a bridge will ever write. Format: key number (1 byte), nonce (12), ciphertext and tag.
//! The associated data names the row, so that a value can't be moved to another.
//!
//! One key seals. While it is new, older ones open what they have sealed, until that is sealed anew (`reseal`).

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::{ExposeSecret, SecretBox};

use super::error::StoreError;

/// 32 bytes that seal, and those that sealed before: the content of `secret_key_file`. Each has a number.
#[derive(Clone)]
pub struct SecretKey(Arc<Keys>);

/// A key and its number.
type Numbered = (u8, SecretBox<[u8; 32]>);

struct Keys {
    present: Numbered,
    older: Vec<Numbered>,
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

impl SecretKey {
    /// The first key of a database.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self::with_older((1, SecretBox::new(Box::new(bytes))), Vec::new())
    }

    /// A key, and those that it follows.
    pub fn with_older(present: Numbered, older: Vec<Numbered>) -> Self {
        Self(Arc::new(Keys { present, older }))
    }

    /// Whether there are older ones.
    pub fn has_older(&self) -> bool {
        !self.0.older.is_empty()
    }

    fn all(&self) -> impl Iterator<Item = &Numbered> {
        std::iter::once(&self.0.present).chain(&self.0.older)
    }
}

/// Whether they are the same, in the same order.
impl PartialEq for SecretKey {
    fn eq(&self, other: &Self) -> bool {
        let is_same = |(one, other): (&Numbered, &Numbered)| {
            one.0 == other.0
                && aws_lc_rs::constant_time::verify_slices_are_equal(
                    one.1.expose_secret(),
                    other.1.expose_secret(),
                )
                .is_ok()
        };
        self.all().count() == other.all().count() && self.all().zip(other.all()).all(is_same)
    }
}

pub(crate) struct Sealer(RwLock<Arc<Ring>>);

/// What is made of the keys.
struct Ring {
    key: SecretKey,
    present: (u8, LessSafeKey),
    older: Vec<(u8, LessSafeKey)>,
}

impl Ring {
    fn new(key: &SecretKey) -> Self {
        let ready = |(number, bytes): &Numbered| {
            let key = UnboundKey::new(&AES_256_GCM_SIV, bytes.expose_secret())
                .expect("the key has 32 bytes by its type");
            (*number, LessSafeKey::new(key))
        };
        Self {
            key: key.clone(),
            present: ready(&key.0.present),
            older: key.0.older.iter().map(ready).collect(),
        }
    }

    fn of_number(&self, number: u8) -> Option<&LessSafeKey> {
        let mut all = std::iter::once(&self.present).chain(&self.older);
        all.find(|(known, _)| *known == number).map(|(_, key)| key)
    }
}

impl Sealer {
    pub(super) fn new(key: &SecretKey) -> Self {
        Self(RwLock::new(Arc::new(Ring::new(key))))
    }

    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Seals with another key from now on.
    pub(super) fn change(&self, key: &SecretKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Ring::new(key));
    }

    /// The keys in use.
    pub(super) fn key(&self) -> SecretKey {
        self.ring().key.clone()
    }

    /// The number of the key that seals.
    pub(super) fn number(&self) -> u8 {
        self.ring().present.0
    }

    /// Encrypts a value for the row that `row` names.
    pub(crate) fn seal(&self, plain: &[u8], row: &str) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        crate::clock::random_bytes(&mut nonce).expect("the system has randomness");
        let mut text = plain.to_vec();
        let ring = self.ring();
        let (number, key) = &ring.present;
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(row.as_bytes()),
            &mut text,
        )
        .expect("a value is far below the cipher's limit of 64 GiB");
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + text.len());
        sealed.push(*number);
        sealed.extend_from_slice(&nonce);
        sealed.append(&mut text);
        sealed
    }

    /// Decrypts a value of the row that `row` names.
    pub(crate) fn open(&self, sealed: &[u8], row: &str) -> Result<Vec<u8>, StoreError> {
        let (&number, rest) = sealed.split_first().ok_or(StoreError::Sealed)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or(StoreError::Sealed)?;
        let ring = self.ring();
        let key = ring.of_number(number).ok_or(StoreError::Sealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| StoreError::Sealed)?;
        let mut text = text.to_vec();
        let length = key
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

    #[test]
    fn a_new_key_seals_and_the_old_one_opens_what_it_has_sealed() {
        let bytes = |byte| SecretBox::new(Box::new([byte; 32]));
        let sealer = Sealer::new(&SecretKey::new([1; 32]));
        let old = sealer.seal(b"secret", "row");
        sealer.change(&SecretKey::with_older((2, bytes(2)), vec![(1, bytes(1))]));
        let new = sealer.seal(b"secret", "row");
        assert_eq!((old[0], new[0]), (1, 2));
        for sealed in [&old, &new] {
            assert_eq!(sealer.open(sealed, "row").unwrap(), b"secret");
        }
        sealer.change(&SecretKey::with_older((2, bytes(2)), Vec::new()));
        assert!(sealer.open(&old, "row").is_err());
        assert_eq!(sealer.open(&new, "row").unwrap(), b"secret");
    }

    #[test]
    fn keys_are_the_same_by_number_and_bytes() {
        let key = |number, byte: u8, older: Vec<(u8, u8)>| {
            let bytes = |byte| SecretBox::new(Box::new([byte; 32]));
            let older = older.into_iter().map(|(number, byte)| (number, bytes(byte))).collect();
            SecretKey::with_older((number, bytes(byte)), older)
        };
        assert!(key(1, 5, vec![]) == SecretKey::new([5; 32]));
        assert!(key(2, 5, vec![]) != SecretKey::new([5; 32]));
        assert!(key(1, 6, vec![]) != SecretKey::new([5; 32]));
        assert!(key(2, 6, vec![(1, 5)]) != key(2, 6, vec![]));
        assert!(key(2, 6, vec![(1, 5)]) == key(2, 6, vec![(1, 5)]));
    }
}
