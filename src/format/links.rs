//! Addresses in a text, as clients find them: with a scheme, up to the next space, without the sentence's own signs.
//!
//! Not names of hosts without a scheme: which of those are addresses each client decides for itself. Only schemes are
//! known that a client follows and that run nothing. Work is linear in the text; what is longer than any address is
//! text.
//!
//! Spec: Matrix, "m.room.message msgtypes" (schemes of `a`), to which Element adds `irc`, `ircs` and `matrix`.

use std::ops::Range;

/// Schemes, and what must follow the colon.
const SCHEMES: [(&str, &str); 8] = [
    ("http", "//"),
    ("https", "//"),
    ("ftp", "//"),
    ("irc", "//"),
    ("ircs", "//"),
    ("mailto", ""),
    ("magnet", "?"),
    ("matrix", ""),
];
/// No browser promises to follow a longer one.
const LONGEST: usize = 4_096;
/// More in one message are noise.
const MOST: usize = 100;

/// An address in a text: where it stands, and where it leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) range: Range<usize>,
    pub(super) href: String,
}

/// The addresses in a text, in order. `before` is what stands in front of the text.
pub(super) fn addresses(text: &str, before: Option<char>) -> Vec<Address> {
    let mut found = Vec::new();
    let mut from = 0;
    for (colon, _) in text.match_indices(':') {
        if colon < from || found.len() >= MOST {
            continue;
        }
        match address_at(text, from, colon, before) {
            Some(Ok(address)) => {
                from = address.range.end;
                found.push(address);
            }
            // What begins within it would be looked at to the same end, again and again.
            Some(Err(TooLong { end })) => from = end,
            None => {}
        }
    }
    found
}

/// Where the addresses in a text lead that begin with `http` or `https`, in order.
pub fn web_addresses(text: &str) -> Vec<String> {
    let found = addresses(text, None).into_iter().map(|address| address.href);
    found.filter(|href| href.starts_with("http:") || href.starts_with("https:")).collect()
}

/// What would be an address if it were shorter.
struct TooLong {
    end: usize,
}

fn address_at(
    text: &str,
    from: usize,
    colon: usize,
    before: Option<char>,
) -> Option<Result<Address, TooLong>> {
    let name_length = text.as_bytes()[from..colon]
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
        .take(SCHEMES[5].0.len() + 1)
        .count();
    let start = colon - name_length;
    let scheme = text[start..colon].to_ascii_lowercase();
    let (_, follows) = SCHEMES.iter().find(|(known, _)| *known == scheme)?;
    let previous = if start == 0 { before } else { text[..start].chars().next_back() };
    if previous.is_some_and(char::is_alphanumeric) {
        return None;
    }
    let rest = text[colon + 1..].strip_prefix(follows)?;
    let rest_at = text.len() - rest.len();
    // Before its end is looked for, which may be far away: what is none must not cost as much as one.
    if !is_whole(&scheme, &rest[..rest.floor_char_boundary(LONGEST)]) {
        return None;
    }
    let end = rest.find(ends_address).unwrap_or(rest.len());
    let rest = without_sentence(&rest[..end]);
    if name_length + rest.len() > LONGEST {
        return Some(Err(TooLong { end: rest_at + end }));
    }
    if !is_whole(&scheme, rest) {
        return None;
    }
    let range = start..rest_at + rest.len();
    let href = format!("{scheme}{}", &text[colon..range.end]);
    Some(Ok(Address { range, href }))
}

fn ends_address(character: char) -> bool {
    character.is_whitespace() || character.is_control() || matches!(character, '<' | '>' | '"' | '`')
}

/// Whether what follows a scheme makes an address of it.
fn is_whole(scheme: &str, rest: &str) -> bool {
    match scheme {
        "mailto" => rest.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && host.starts_with(|c: char| c.is_alphanumeric() || c == '[')
        }),
        "matrix" => ["u/", "r/", "roomid/"].iter().any(|kind| rest.starts_with(kind)),
        "magnet" => !rest.is_empty(),
        _ => rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '[' | '_' | '%')),
    }
}

/// An address without the signs at its end that belong to the sentence around it.
fn without_sentence(address: &str) -> &str {
    const PAIRS: [(char, char); 3] = [('(', ')'), ('[', ']'), ('{', '}')];
    // How many are open more than closed; what ends the address may only close what it has opened.
    let mut depths = PAIRS.map(|(open, close)| {
        let count = |sign| address.matches(sign).count() as i64;
        count(open) - count(close)
    });
    let mut rest = address;
    while let Some(last) = rest.chars().next_back() {
        let closes = PAIRS.iter().position(|(_, close)| *close == last);
        match closes {
            Some(pair) if depths[pair] < 0 => depths[pair] += 1,
            Some(_) => return rest,
            None if !ends_sentence(last) => return rest,
            None => {}
        }
        rest = &rest[..rest.len() - last.len_utf8()];
    }
    rest
}

fn ends_sentence(character: char) -> bool {
    ".,;:!?'*|(«»‘’“”„…。，、！？；：）」』】".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn found(text: &str) -> Vec<&str> {
        addresses(text, None).into_iter().map(|address| &text[address.range]).collect()
    }

    #[rstest]
    #[case::alone("https://x.example", &["https://x.example"])]
    #[case::in_a_sentence("see http://x.example/a?b=c&d#e, or not", &["http://x.example/a?b=c&d#e"])]
    #[case::end_of_a_sentence("It is https://x.example/.", &["https://x.example/"])]
    #[case::in_brackets("(https://x.example/a)", &["https://x.example/a"])]
    #[case::balanced_brackets("https://x.example/wiki/Rust_(language)", &["https://x.example/wiki/Rust_(language)"])]
    #[case::balanced_in_brackets("(https://x.example/Rust_(language)).", &["https://x.example/Rust_(language)"])]
    #[case::angle_brackets("<https://x.example/a,b>", &["https://x.example/a,b"])]
    #[case::in_quotes("\"https://x.example\"", &["https://x.example"])]
    #[case::in_single_quotes("'https://x.example'", &["https://x.example"])]
    #[case::in_backticks("`https://x.example`", &["https://x.example"])]
    #[case::an_email_list("[1]: https://x.example", &["https://x.example"])]
    #[case::ipv6("https://[2001:db8::1]:8080/x", &["https://[2001:db8::1]:8080/x"])]
    #[case::two("https://a.example http://b.example", &["https://a.example", "http://b.example"])]
    #[case::in_another("https://web.example/https://a.example/", &["https://web.example/https://a.example/"])]
    #[case::another_script("https://пример.example/путь。", &["https://пример.example/путь"])]
    #[case::capitals("HTTPS://X.example", &["HTTPS://X.example"])]
    #[case::irc("ircs://irc.example/#rust!", &["ircs://irc.example/#rust"])]
    #[case::mail("mailto:bob@x.example.", &["mailto:bob@x.example"])]
    #[case::matrix("matrix:r/rust:x.example", &["matrix:r/rust:x.example"])]
    #[case::matrix_to("https://matrix.to/#/#rust:x.example", &["https://matrix.to/#/#rust:x.example"])]
    #[case::after_a_colon("link:https://x.example", &["https://x.example"])]
    #[case::after_an_arrow("->https://x.example", &["https://x.example"])]
    #[case::within_a_word("xhttps://x.example", &[])]
    #[case::no_host("https://", &[])]
    #[case::only_signs("https://...", &[])]
    #[case::no_address_of_mail("mailto:bob", &[])]
    #[case::no_address_of_matrix("matrix: the film", &[])]
    #[case::script("javascript:alert(1) data:text/html,x vbscript:x file:///etc/passwd", &[])]
    #[case::a_nick("https: what", &[])]
    #[case::bare_host("www.x.example and x.example", &[])]
    #[case::an_injection("https://x.example/\"onclick=\"x", &["https://x.example/"])]
    fn addresses_end_where_people_mean_them_to(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(found(text), expected);
    }

    #[test]
    fn a_scheme_is_written_in_small_letters() {
        assert_eq!(addresses("HtTpS://X.Example/Y", None)[0].href, "https://X.Example/Y");
    }

    #[test]
    fn what_stands_in_front_of_the_text_counts() {
        assert!(addresses("https://x.example", Some('x')).is_empty());
        assert_eq!(addresses("https://x.example", Some('(')).len(), 1);
    }

    #[test]
    fn invariant_9_a_message_has_no_more_addresses_than_make_sense() {
        assert_eq!(addresses(&"http://a.b ".repeat(1_000), None).len(), MOST);
        assert!(addresses(&format!("http://{}", "a".repeat(LONGEST)), None).is_empty());
        // Brackets without end cost no more than their number.
        assert!(addresses(&format!("http://{}", ")".repeat(60_000)), None).is_empty());
        assert!(addresses(&":".repeat(60_000), None).is_empty());
        // Nor do beginnings without addresses, or addresses without end.
        for part in ["http://(", "mailto:", "magnet:?"] {
            assert!(addresses(&part.repeat(8_000), None).is_empty());
        }
        assert_eq!(addresses(&("http://a".repeat(8_000) + " http://b.c"), None).len(), 1);
    }

    proptest! {
        #[test]
        fn addresses_stand_in_order_and_hold_no_end(text in "([a-z:/.()<>\"' é]|https://|mailto:a@){0,40}") {
            let mut end = 0;
            for address in addresses(&text, None) {
                prop_assert!(address.range.start >= end && address.range.end <= text.len());
                end = address.range.end;
                prop_assert!(!text[address.range].contains(ends_address));
            }
        }
    }
}
