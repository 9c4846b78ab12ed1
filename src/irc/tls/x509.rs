//! What we read of a certificate by ourselves: when it ends, and its public key.
//!
//! Not a check of anything: who may show which certificate is decided in [`verify`](super::verify), by a library. The
//! structure is read as far as it is needed and may be anything beyond that. What the library accepts is read here as it
//! reads it, since it takes the same elements in the same order, and only in their shortest form: so no certificate can
//! show one key to a fingerprint and another to the handshake. Never panics, whatever the bytes.
//!
//! Spec: RFC 5280, 4.1; X.690 (DER).

use std::fmt::Write as _;

use aws_lc_rs::digest;

/// SHA-256 in the form that services and configurations have it: lower-case hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// SHA-512 in the same form.
pub(super) fn sha512(bytes: &[u8]) -> String {
    hexadecimal(digest::digest(&digest::SHA512, bytes).as_ref())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A certificate's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Certificate<'a> {
    /// When it ends, in milliseconds since 1970.
    pub(super) ends_at: i64,
    /// `SubjectPublicKeyInfo`, as it stands there.
    pub(super) public_key: &'a [u8],
}

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;

impl<'a> Certificate<'a> {
    pub(super) fn parse(der: &'a [u8]) -> Option<Self> {
        let mut outer = Reader(Reader(der).take(SEQUENCE)?.content);
        let mut fields = Reader(outer.take(SEQUENCE)?.content);
        if fields.0.first() == Some(&VERSION) {
            fields.next()?;
        }
        // Serial number, algorithm, issuer.
        for _ in 0..3 {
            fields.next()?;
        }
        let mut validity = Reader(fields.take(SEQUENCE)?.content);
        validity.next()?;
        let ends_at = time(&validity.next()?)?;
        // The subject.
        fields.next()?;
        Some(Self { ends_at, public_key: fields.take(SEQUENCE)?.whole })
    }
}

struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
}

/// Elements one after the other.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<Element<'a>> {
        let (&[tag, first], rest) = self.0.split_first_chunk()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // A certificate of more than 16 MiB is none.
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, after) = rest.split_at_checked(length)?;
        let whole = &self.0[..self.0.len() - after.len()];
        self.0 = after;
        Some(Element { tag, content, whole })
    }

    fn take(&mut self, tag: u8) -> Option<Element<'a>> {
        self.next().filter(|element| element.tag == tag)
    }
}

/// `YYMMDDhhmmssZ` from 1950 to 2049, else with four digits for the year.
fn time(element: &Element<'_>) -> Option<i64> {
    let text = std::str::from_utf8(element.content).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match element.tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i16 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    if rest.len() != 10 {
        return None;
    }
    let part = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let date = jiff::civil::DateTime::new(year, part(0)?, part(2)?, part(4)?, part(6)?, part(8)?, 0).ok()?;
    Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn certificate(year: i32) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 3, 4);
        let key = rcgen::KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[rstest]
    #[case::with_two_digits(2049, 2_498_428_800_000)]
    #[case::with_four_digits(2051, 2_561_500_800_000)]
    fn the_end_of_a_certificate_is_read(#[case] year: i32, #[case] ends_at: i64) {
        assert_eq!(Certificate::parse(&certificate(year)).unwrap().ends_at, ends_at);
    }

    #[test]
    fn the_public_key_is_the_one_that_the_certificate_was_made_with() {
        let key = rcgen::KeyPair::generate().unwrap();
        let der = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
        assert_eq!(
            Certificate::parse(der.der()).unwrap().public_key,
            rcgen::PublicKeyData::subject_public_key_info(&key)
        );
    }

    #[test]
    fn fingerprints_are_lower_case_hexadecimal_without_colons() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(sha512(b"abc").starts_with("ddaf35a193617abacc417349ae204131") && sha512(b"").len() == 128);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
            let mut der = certificate(2030);
            let at = at.index(der.len());
            der[at] = byte;
            let _ = Certificate::parse(&der);
            der.truncate(cut.index(der.len()));
            let _ = Certificate::parse(&der);
        }

        #[test]
        fn no_random_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Certificate::parse(&bytes);
        }
    }
}
