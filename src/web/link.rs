//! Links: their ids, which nobody can guess, and what a path asks for.
//!
//! An id is all that a link needs to be found by; the name behind it is for people, and is not looked at.

use crate::clock::{NoRandomness, random_bytes};

/// Letters of an id: without `-` and `_`, at which some clients on IRC end a link.
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Letters in an id: 62^17 are more than 2^101.
const LENGTH: usize = 17;
/// Bytes of a name in a link.
const LONGEST_NAME: usize = 40;

/// What a path asks for, with its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted<'a> {
    /// A file.
    Media(&'a str),
    /// The page of a text.
    Page(&'a str),
    /// A text alone.
    Raw(&'a str),
}

/// A new id.
///
/// # Errors
/// When the system has no randomness.
pub fn new_id() -> Result<String, NoRandomness> {
    let mut id = String::with_capacity(LENGTH);
    let mut bytes = [0; 2 * LENGTH];
    while id.len() < LENGTH {
        random_bytes(&mut bytes)?;
        // Of 256 values 248 are four for each letter; the others would make some letters likelier.
        let fair = bytes.iter().filter(|&&byte| byte < 248);
        id.extend(fair.take(LENGTH - id.len()).map(|&byte| char::from(LETTERS[usize::from(byte) % 62])));
    }
    Ok(id)
}

fn is_id(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Reads a path, with or without the base URL's, since some proxies take that away. What is left may begin like it, where
/// the base URL ends in `/m` or `/p`.
pub(super) fn read<'a>(path: &'a str, prefix: &str) -> Option<Wanted<'a>> {
    path.strip_prefix(prefix).and_then(read_bare).or_else(|| read_bare(path))
}

fn read_bare(path: &str) -> Option<Wanted<'_>> {
    let mut parts = path.strip_prefix('/')?.split('/');
    let (kind, id) = (parts.next()?, parts.next()?);
    let name = parts.next();
    if !is_id(id) || parts.next().is_some() {
        return None;
    }
    match (kind, name) {
        ("m", _) => Some(Wanted::Media(id)),
        ("p", None) => Some(Wanted::Page(id)),
        ("p", Some("raw")) => Some(Wanted::Raw(id)),
        _ => None,
    }
}

/// The path of a file's link behind the base URL.
pub fn media_path(id: &str, name: &str) -> String {
    let name = plain_name(name);
    if name.is_empty() { format!("/m/{id}") } else { format!("/m/{id}/{name}") }
}

/// The path of a page's link behind the base URL.
pub fn page_path(id: &str) -> String {
    format!("/p/{id}")
}

/// Where a page's text stands alone, as the page says it: whatever its own path is.
pub(super) fn raw_name(id: &str) -> String {
    format!("{id}/raw")
}

/// A file's name as a link shows it: what every client takes for a part of the link.
fn plain_name(name: &str) -> String {
    let mut plain = String::new();
    for letter in name.chars() {
        if letter.is_ascii_alphanumeric() {
            plain.push(letter);
        } else if letter == '.' {
            plain.truncate(plain.trim_end_matches(['-', '.']).len());
            plain.push('.');
        } else if !plain.ends_with(['-', '.']) {
            plain.push('-');
        }
    }
    let plain = plain.trim_matches(['-', '.']);
    if plain.len() <= LONGEST_NAME {
        return plain.to_owned();
    }
    // What it is tells the end.
    let end = plain.rfind('.').filter(|&dot| plain.len() - dot <= 8).map_or("", |dot| &plain[dot..]);
    let start = plain[..LONGEST_NAME - end.len()].trim_end_matches(['-', '.']);
    format!("{start}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const ID: &str = "0123456789abcDEFG";

    #[test]
    fn ids_differ_and_can_be_read_back() {
        let ids: std::collections::HashSet<String> = (0..1_000).map(|_| new_id().unwrap()).collect();
        assert_eq!(ids.len(), 1_000);
        assert!(ids.iter().all(|id| is_id(id)));
        let used: std::collections::HashSet<char> = ids.iter().flat_map(|id| id.chars()).collect();
        assert_eq!(used.len(), 62, "every letter occurs");
    }

    #[rstest]
    #[case::bare("/m/0123456789abcDEFG", "", true)]
    #[case::with_a_name("/m/0123456789abcDEFG/cat.jpg", "", true)]
    #[case::with_an_odd_name("/m/0123456789abcDEFG/%2e%2e%2f", "", true)]
    #[case::behind_the_prefix("/irc/files/m/0123456789abcDEFG", "/irc/files", true)]
    #[case::with_the_prefix_taken_away("/m/0123456789abcDEFG", "/irc/files", true)]
    #[case::behind_a_prefix_like_a_kind("/m/m/0123456789abcDEFG/cat.jpg", "/m", true)]
    #[case::with_a_prefix_like_a_kind_taken_away("/m/0123456789abcDEFG/cat.jpg", "/m", true)]
    #[case::with_the_prefix_of_pages_taken_away("/m/0123456789abcDEFG", "/p", true)]
    #[case::behind_another_prefix("/other/m/0123456789abcDEFG", "/irc/files", false)]
    #[case::behind_a_longer_prefix("/irc/filesystem/m/0123456789abcDEFG", "/irc/files", false)]
    #[case::too_short("/m/0123456789abcDEF", "", false)]
    #[case::too_long("/m/0123456789abcDEFGH", "", false)]
    #[case::an_odd_letter("/m/0123456789abcDE-G", "", false)]
    #[case::a_percent("/m/0123456789abcD%45G", "", false)]
    #[case::more_behind_it("/m/0123456789abcDEFG/a/b", "", false)]
    #[case::a_step_up("/m/../0123456789abcDEFG", "", false)]
    #[case::a_step_up_behind_it("/m/0123456789abcDEFG/../x", "", false)]
    #[case::another_kind("/x/0123456789abcDEFG", "", false)]
    #[case::no_id("/m/", "", false)]
    #[case::nothing("/", "", false)]
    #[case::less_than_nothing("", "", false)]
    #[case::a_homeservers_path("/_matrix/client/v1/media/download/x/y", "", false)]
    fn a_path_asks_for_one_thing_or_none(#[case] path: &str, #[case] prefix: &str, #[case] is_known: bool) {
        assert_eq!(read(path, prefix), is_known.then_some(Wanted::Media(ID)));
    }

    #[rstest]
    #[case::a_page("/p/0123456789abcDEFG", Some(Wanted::Page(ID)))]
    #[case::behind_the_prefix("/irc/p/0123456789abcDEFG", Some(Wanted::Page(ID)))]
    #[case::alone("/p/0123456789abcDEFG/raw", Some(Wanted::Raw(ID)))]
    #[case::another_view("/p/0123456789abcDEFG/html", None)]
    #[case::a_slash("/p/0123456789abcDEFG/", None)]
    #[case::deeper("/p/0123456789abcDEFG/raw/raw", None)]
    fn a_text_has_a_page_and_stands_alone(#[case] path: &str, #[case] wanted: Option<Wanted<'_>>) {
        assert_eq!(read(path, "/irc"), wanted);
    }

    #[rstest]
    #[case::plain("cat.jpg", "/cat.jpg")]
    #[case::spaces("my cat (1).jpg", "/my-cat-1.jpg")]
    #[case::another_script("кот.jpg", "/jpg")]
    #[case::steps("../../etc/passwd", "/etc-passwd")]
    #[case::line_feed("a\r\nb.png", "/a-b.png")]
    #[case::nothing("", "")]
    #[case::dots("...", "")]
    #[case::long(
        "a-very-long-name-that-nobody-would-want-to-read-on-irc.jpeg",
        "/a-very-long-name-that-nobody-would.jpeg"
    )]
    #[case::long_without_an_end(
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    )]
    fn a_link_ends_in_a_name_that_no_client_cuts(#[case] name: &str, #[case] end: &str) {
        assert_eq!(media_path(ID, name), format!("/m/{ID}{end}"));
    }
}
