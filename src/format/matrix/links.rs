//! What a link leads to: somebody, a room, or an address.
//!
//! Spec: Matrix, "URIs" (`matrix.to` and `matrix:`), "User, room, and group mentions".

use std::borrow::Cow;

use super::super::neutral::neutral;

/// What a link leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Goal {
    /// A user's id.
    User(String),
    /// A room's alias or id.
    Room(String),
    /// An address that people can open.
    Address(String),
    /// What no link of a message should lead to.
    Nowhere,
}

/// Addresses that mean something outside of the page that they stand on, and run nothing.
const SCHEMES: [&str; 18] = [
    "http", "https", "ftp", "ftps", "sftp", "mailto", "tel", "sms", "irc", "ircs", "matrix", "xmpp", "sip",
    "geo", "magnet", "gemini", "gopher", "news",
];

impl Goal {
    pub(super) fn of(href: &str) -> Self {
        // Addresses hold neither spaces nor controls; browsers leave line ends out, too.
        let address = neutral(href.trim()).replace('\n', "").replace(' ', "%20");
        let Some((scheme, rest)) = address.split_once(':') else { return Self::Nowhere };
        if !SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
            return Self::Nowhere;
        }
        let goal = if scheme.eq_ignore_ascii_case("matrix") {
            of_matrix_uri(rest)
        } else {
            rest.strip_prefix("//matrix.to/#/").and_then(of_matrix_to)
        };
        goal.unwrap_or(Self::Address(address))
    }
}

/// `@user:server`, `#alias:server` or `!room:server?via=…`; what leads to an event stays an address.
fn of_matrix_to(rest: &str) -> Option<Goal> {
    let path = rest.split('?').next()?;
    let id = decoded(path.trim_end_matches('/'));
    let has_more = id.contains('/');
    match id.chars().next()? {
        '@' if id.contains(':') && !has_more => Some(Goal::User(id.into_owned())),
        '#' | '!' if !has_more => Some(Goal::Room(id.into_owned())),
        _ => None,
    }
}

/// `u/user:server`, `r/alias:server` or `roomid/room:server`.
fn of_matrix_uri(rest: &str) -> Option<Goal> {
    let path = rest.split(['?', '#']).next()?;
    let (kind, id) = path.split_once('/')?;
    let id = decoded(id);
    if id.contains('/') {
        return None;
    }
    match kind {
        "u" | "user" if id.contains(':') => Some(Goal::User(format!("@{id}"))),
        "r" | "room" => Some(Goal::Room(format!("#{id}"))),
        "roomid" => Some(Goal::Room(format!("!{id}"))),
        _ => None,
    }
}

/// A text with its percent signs read, without what may not stand on IRC.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = match rest {
            [b'%', high, low, ..] => hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &rest[3..] } else { after };
    }
    Cow::Owned(neutral(&String::from_utf8_lossy(&bytes)))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|digit| digit as u8)
}

/// Whether a link's text says where it leads, so that the address alone is enough.
pub(super) fn says_address(text: &str, address: &str) -> bool {
    text == address || essence(text) == essence(address)
}

/// An address without what programs leave out or put in when they show one.
fn essence(address: &str) -> String {
    let address = decoded(address.trim());
    let schemes = ["https://", "http://", "mailto:", "tel:"];
    let essence = schemes.iter().find_map(|scheme| address.strip_prefix(scheme)).unwrap_or(&address);
    essence.trim_end_matches('/').replace(' ', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn user(id: &str) -> Goal {
        Goal::User(id.to_owned())
    }

    fn room(id: &str) -> Goal {
        Goal::Room(id.to_owned())
    }

    fn address(address: &str) -> Goal {
        Goal::Address(address.to_owned())
    }

    #[rstest]
    #[case::a_user("https://matrix.to/#/@a:x.example", user("@a:x.example"))]
    #[case::a_user_with_a_port("https://matrix.to/#/@a:x.example:8448", user("@a:x.example:8448"))]
    #[case::a_user_in_percent_signs(
        "https://matrix.to/#/%40irc_libera_a%3D5b%3Ax",
        user("@irc_libera_a=5b:x")
    )]
    #[case::an_alias("https://matrix.to/#/#a:x", room("#a:x"))]
    #[case::an_alias_in_percent_signs("https://matrix.to/#/%23a%3Ax", room("#a:x"))]
    #[case::a_room("https://matrix.to/#/!a:x?via=x&via=y", room("!a:x"))]
    #[case::a_room_without_a_server("https://matrix.to/#/!a", room("!a"))]
    #[case::an_event("https://matrix.to/#/!a:x/$e?via=x", address("https://matrix.to/#/!a:x/$e?via=x"))]
    #[case::no_id("https://matrix.to/#/", address("https://matrix.to/#/"))]
    #[case::a_users_uri("matrix:u/a:x?action=chat", user("@a:x"))]
    #[case::an_aliass_uri("matrix:r/a:x", room("#a:x"))]
    #[case::a_rooms_uri("matrix:roomid/a:x?via=y", room("!a:x"))]
    #[case::an_events_uri("matrix:r/a:x/e/e", address("matrix:r/a:x/e/e"))]
    #[case::a_page("https://x.example/?a=b#c", address("https://x.example/?a=b#c"))]
    #[case::in_capitals("HTTPS://x.example", address("HTTPS://x.example"))]
    #[case::with_spaces(" https://x.example/a b\n", address("https://x.example/a%20b"))]
    #[case::with_controls("https://x.example/\x03\x0fa\rb\u{202e}", address("https://x.example/ab"))]
    #[case::mail("mailto:a@x.example", address("mailto:a@x.example"))]
    #[case::a_script("javascript:alert(1)", Goal::Nowhere)]
    #[case::a_script_in_disguise("java\nscript:alert(1)", Goal::Nowhere)]
    #[case::data("data:text/html,x", Goal::Nowhere)]
    #[case::media("mxc://x/y", Goal::Nowhere)]
    #[case::a_path("/a", Goal::Nowhere)]
    #[case::nothing("", Goal::Nowhere)]
    fn a_link_leads_somewhere(#[case] href: &str, #[case] goal: Goal) {
        assert_eq!(Goal::of(href), goal);
    }

    #[test]
    fn no_id_brings_controls_in() {
        assert_eq!(Goal::of("https://matrix.to/#/%40a%0d%0aQUIT%03%00:x"), user("@a\nQUIT:x"));
    }

    #[rstest]
    #[case::itself("https://x.example/a", "https://x.example/a", true)]
    #[case::without_its_scheme("x.example/a", "https://x.example/a", true)]
    #[case::without_its_last_stroke("https://x.example", "https://x.example/", true)]
    #[case::in_percent_signs("https://x.example/ä b", "https://x.example/%C3%A4%20b", true)]
    #[case::mail("a@x.example", "mailto:a@x.example", true)]
    #[case::another("https://bank.example", "https://x.example", false)]
    #[case::a_part_of_it("x.example", "https://x.example/a", false)]
    #[case::half_a_percent_sign("50%", "https://x.example/50%", false)]
    fn a_text_may_say_the_address(#[case] text: &str, #[case] address: &str, #[case] says: bool) {
        assert_eq!(says_address(text, address), says);
    }
}
