//! Nicks as Matrix localparts.
//!
//! ASCII letters are folded, `a-z 0-9 . _ -` stand for themselves, every other byte becomes `=xx`; a text that would
//! be too long ends in `=h` and a hash, which no escape can look like. Different nicks get different ids, as far as
//! the ASCII casemapping tells them apart; the `ghost` table is the way back. An id never changes, so neither may this.

use std::fmt::Write as _;

/// Longer localparts end in a hash. A Matrix id has at most 255 bytes, `@`, `:` and the domain included.
const LONGEST: usize = 200;
/// Of a long one, what stays readable.
const KEPT: usize = 160;

/// A text as part of a localpart.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' => escaped.push(byte.to_ascii_lowercase().into()),
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' => escaped.push(byte.into()),
            _ => {
                let _ = write!(escaped, "={byte:02x}");
            }
        }
    }
    escaped
}

/// The text that [`escape`] made this of, letters folded; `None` where it made no such text.
pub fn unescape(escaped: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'=' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// A localpart that fits, from one that may be too long. `domain` is the homeserver's.
pub fn fit(localpart: String, domain: &str) -> String {
    let longest = LONGEST.min(255_usize.saturating_sub(domain.len() + 2));
    if localpart.len() <= longest {
        return localpart;
    }
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, localpart.as_bytes());
    let kept = KEPT.min(longest.saturating_sub(34));
    // The text is ASCII by `escape`, and the template's own by its check.
    let mut short: String = localpart.chars().take(kept).collect();
    short.push_str("=h");
    for byte in &hash.as_ref()[..16] {
        let _ = write!(short, "{byte:02x}");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("alice", "alice")]
    #[case::folded("Alice", "alice")]
    #[case::brackets("a[b]", "a=5bb=5d")]
    #[case::the_escape_itself("a=5b", "a=3d5b")]
    #[case::not_ascii("é", "=c3=a9")]
    fn a_nick_becomes_a_legal_localpart(#[case] nick: &str, #[case] escaped: &str) {
        assert_eq!(escape(nick), escaped);
        assert_eq!(unescape(escaped), Some(nick.to_ascii_lowercase()));
    }

    proptest! {
        #[test]
        fn every_nick_maps_to_a_legal_id_and_different_nicks_to_different_ids(a in "[^ ,\0\r\n]{1,300}", b in "[^ ,\0\r\n]{1,300}") {
            let id = |nick: &str| fit(format!("irc_libera_{}", escape(nick)), "matrix.example.org");
            for nick in [&a, &b] {
                let id = id(nick);
                prop_assert!(id.len() <= 200);
                prop_assert!(id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'=')));
                let user_id = format!("@{id}:matrix.example.org");
                prop_assert!(ruma::UserId::parse(user_id).is_ok());
            }
            prop_assert_eq!(a.eq_ignore_ascii_case(&b), id(&a) == id(&b));
        }
    }
}
