//! The example of RFC 7677, the same with SHA-512 (computed with another implementation, Python's hashlib), and
//! servers that cheat.

use super::*;
use rstest::rstest;

const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
const BOTH: &str = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const SALT: &str = "W22ZaJ0SNY7soEsUEjb6gQ==";

fn credentials(account: &str, password: &str) -> Credentials {
    Credentials { account: account.into(), password: Some(password.into()), certificate: false }
}

fn user() -> Credentials {
    credentials("user", "pencil")
}

/// Up to our first message.
fn identified(hash: Hash) -> Scram {
    let mut scram = Scram::new(hash, NONCE);
    assert_eq!(scram.answer(b"", &user()).unwrap(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    scram
}

/// Up to our proof in the example of RFC 7677.
fn proved() -> Scram {
    let mut scram = identified(Hash::Sha256);
    scram.answer(format!("r={BOTH},s={SALT},i=4096").as_bytes(), &user()).unwrap();
    scram
}

#[rstest]
#[case::sha_256_of_rfc_7677(
    Hash::Sha256,
    SALT,
    "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
)]
#[case::sha_512(
    Hash::Sha512,
    "Yin2FuHTt/M0kJWb0t9OI32n2VmOGi3m+JfjOvuDF88=",
    "/3obeUE1tHCJjbQttd+ChF5ox2IU1rNjj2wVDnbQ5LdNT126oy4QgLz2tHw/Uj7Gwb6PRuHOS3HC+45exxT58A==",
    "5AwW78p+EVPirB3A5lrHcvrN8pVKRlR3opLuRoxXrN9ubKokkPzVPzWNNNuBbrtZrv5mpfKZ7+QCDSZWeZQEqw=="
)]
fn both_prove_that_they_know_the_password(
    #[case] hash: Hash,
    #[case] salt: &str,
    #[case] proof: &str,
    #[case] signature: &str,
) {
    let mut scram = identified(hash);
    assert!(!scram.has_proved());
    let last = scram.answer(format!("r={BOTH},s={salt},i=4096").as_bytes(), &user()).unwrap();
    assert_eq!(String::from_utf8(last).unwrap(), format!("c=biws,r={BOTH},p={proof}"));
    assert!(scram.has_proved() && !scram.is_verified());
    assert_eq!(scram.answer(format!("v={signature}").as_bytes(), &user()), Ok(Vec::new()));
    assert!(scram.is_verified());
}

#[rstest]
#[case::wrong_signature("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=", SaslError::Malformed)]
#[case::other_signature("v=AAAATRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", SaslError::Signature)]
#[case::cut_signature("v=6rri", SaslError::Signature)]
#[case::empty_signature("v=", SaslError::Signature)]
#[case::no_signature("", SaslError::Malformed)]
#[case::refusal("e=invalid-proof", SaslError::Refused("invalid-proof".into()))]
fn a_server_that_does_not_prove_itself_is_not_believed(#[case] last: &str, #[case] error: SaslError) {
    let mut scram = proved();
    assert_eq!(scram.answer(last.as_bytes(), &user()), Err(error));
    assert!(!scram.is_verified());
}

#[rstest]
#[case::empty("", SaslError::Malformed)]
#[case::nonce_of_another("r=somebody,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", SaslError::Nonce)]
#[case::only_our_nonce("r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", SaslError::Nonce)]
#[case::no_salt("r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096", SaslError::Malformed)]
#[case::no_base64("r=rOprNGfwEbeRWgbNEkqOx,s=*,i=4096", SaslError::Malformed)]
#[case::too_few("r=rOprNGfwEbeRWgbNEkqOx,s=QUJD,i=4095", SaslError::Iterations(4095))]
#[case::none("r=rOprNGfwEbeRWgbNEkqOx,s=QUJD,i=0", SaslError::Iterations(0))]
#[case::too_many("r=rOprNGfwEbeRWgbNEkqOx,s=QUJD,i=600001", SaslError::Iterations(600_001))]
#[case::no_number("r=rOprNGfwEbeRWgbNEkqOx,s=QUJD,i=99999999999", SaslError::Malformed)]
#[case::other_order("s=QUJD,r=rOprNGfwEbeRWgbNEkqOx,i=4096", SaslError::Malformed)]
#[case::mandatory_extension("m=x,r=rOprNGfwEbeRWgbNEkqOx,s=QUJD,i=4096", SaslError::Malformed)]
fn a_challenge_that_is_none_gets_no_proof(#[case] challenge: &str, #[case] error: SaslError) {
    let mut scram = identified(Hash::Sha256);
    assert_eq!(scram.answer(challenge.as_bytes(), &user()), Err(error));
    assert!(!scram.has_proved());
}

#[test]
fn what_is_no_utf_8_or_comes_after_the_end_is_an_error() {
    assert_eq!(identified(Hash::Sha256).answer(b"r=\xff", &user()), Err(SaslError::Malformed));
    assert_eq!(Scram::new(Hash::Sha256, NONCE).answer(b"x", &user()), Err(SaslError::Malformed));
    let mut scram = proved();
    scram.answer(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", &user()).unwrap();
    assert_eq!(scram.answer(b"", &user()), Err(SaslError::Malformed));
}

#[test]
fn a_name_cannot_add_an_attribute() {
    let mut scram = Scram::new(Hash::Sha256, NONCE);
    let first = scram.answer(b"", &credentials("a,r=x=", "p")).unwrap();
    assert_eq!(String::from_utf8(first).unwrap(), "n,,n=a=2Cr=3Dx=3D,r=rOprNGfwEbeRWgbNEkqO");
}

#[rstest]
#[case::soft_hyphen("I\u{ad}X", "IX")]
#[case::user("user", "user")]
#[case::case_stays("USER", "USER")]
#[case::feminine_ordinal("\u{aa}", "a")]
#[case::roman_nine("\u{2168}", "IX")]
#[case::spaces("a\u{a0}b\u{3000}c", "a b c")]
fn what_looks_equal_is_written_equally_as_rfc_4013_has_it(#[case] text: &str, #[case] prepared: &str) {
    assert_eq!(prepare(text), prepared);
}

#[test]
fn invariant_10_an_exchange_shows_neither_password_nor_proof() {
    let scram = proved();
    let shown = format!("{scram:?}");
    assert!(!shown.contains("pencil") && !shown.contains("6rri"), "{shown}");
}

#[test]
fn the_longer_hash_is_repeated_less_often() {
    let challenge = |iterations: u32| format!("r={BOTH},s={SALT},i={iterations}");
    let answer = identified(Hash::Sha512).answer(challenge(210_001).as_bytes(), &user());
    assert_eq!(answer, Err(SaslError::Iterations(210_001)));
    assert!(identified(Hash::Sha512).answer(challenge(210_000).as_bytes(), &user()).is_ok());
}
