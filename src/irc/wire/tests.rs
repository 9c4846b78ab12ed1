//! Tests of the wire format: the public vectors, the oracle, and what no line may hold.

use super::*;
use crate::names::{Channel, Key, Nick};
use proptest::prelude::*;
use rstest::rstest;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A file of <https://github.com/ircdocs/parser-tests> (CC0).
#[derive(Deserialize)]
struct Vectors<T> {
    tests: Vec<T>,
}

#[derive(Deserialize, Default)]
struct Atoms {
    #[serde(default)]
    tags: BTreeMap<String, Option<String>>,
    source: Option<String>,
    #[serde(default)]
    verb: String,
    #[serde(default)]
    params: Vec<String>,
}

#[test]
fn lines_split_as_the_parser_tests_say() {
    #[derive(Deserialize)]
    struct Split {
        input: String,
        atoms: Atoms,
    }
    let text = include_str!("../../../tests/it/data/parser-tests/msg-split.yaml");
    let vectors: Vectors<Split> = serde_yaml::from_str(text).unwrap();
    assert!(vectors.tests.len() > 30);
    for Split { input, atoms } in vectors.tests {
        let message = Message::parse(&input).unwrap_or_else(|| panic!("{input:?}"));
        assert_eq!(message.verb.to_string(), atoms.verb.to_ascii_uppercase(), "{input:?}");
        assert_eq!(message.params, atoms.params, "{input:?}");
        assert_eq!(message.source.as_ref().map(ToString::to_string), atoms.source, "{input:?}");
        let tags: BTreeMap<_, _> =
            message.tags.iter().map(|(key, value)| (key.to_string(), Some(value.to_string()))).collect();
        assert_eq!(tags, atoms.tags, "{input:?}");
    }
}

#[test]
fn lines_join_as_the_parser_tests_say() {
    #[derive(Deserialize)]
    struct Join {
        atoms: Atoms,
        matches: Vec<String>,
    }
    let text = include_str!("../../../tests/it/data/parser-tests/msg-join.yaml");
    let vectors: Vectors<Join> = serde_yaml::from_str(text).unwrap();
    let mut joined = 0;
    for Join { atoms, matches } in vectors.tests {
        // Clients send neither tags nor a source yet; those cases are read back instead.
        if atoms.source.is_some() || !atoms.tags.is_empty() {
            for line in &matches {
                assert_eq!(Message::parse(line).unwrap().params, atoms.params, "{line:?}");
            }
            continue;
        }
        let mut line = Line::new(Box::leak(atoms.verb.into_boxed_str()));
        let found = match atoms.params.split_last() {
            None => line.finish(),
            Some((last, middles)) => {
                for middle in middles {
                    line = line.middle(middle).unwrap();
                }
                match line.clone().middle(last) {
                    Ok(line) => line.finish(),
                    Err(_) => line.trailing(last).unwrap(),
                }
            }
        };
        assert!(matches.iter().any(|line| line == found.as_str()), "{found:?} of {matches:?}");
        joined += 1;
    }
    assert!(joined > 3);
}

#[test]
fn sources_split_as_the_parser_tests_say() {
    #[derive(Deserialize)]
    struct Userhost {
        source: String,
        atoms: Parts,
    }
    #[derive(Deserialize)]
    struct Parts {
        nick: String,
        user: Option<String>,
        host: Option<String>,
    }
    let text = include_str!("../../../tests/it/data/parser-tests/userhost-split.yaml");
    let vectors: Vectors<Userhost> = serde_yaml::from_str(text).unwrap();
    assert!(vectors.tests.len() > 5);
    for Userhost { source, atoms } in vectors.tests {
        let Parts { nick, user, host } = atoms;
        assert_eq!(Source::parse(&source), Source { nick, user, host });
    }
}

#[rstest]
#[case::numeric(":irc.example 001 me :hi", Verb::Numeric(1))]
#[case::two_digits(":irc.example 01 me", Verb::Word("01".into()))]
#[case::lower_case("privmsg #a :b", Verb::Word("PRIVMSG".into()))]
#[case::spaces_before("   PING :x", Verb::Word("PING".into()))]
fn the_verb_is_a_numeric_or_a_word(#[case] line: &str, #[case] verb: Verb) {
    assert_eq!(Message::parse(line).map(|message| message.verb), Some(verb));
}

#[rstest]
#[case::nothing("")]
#[case::spaces("   ")]
#[case::only_tags("@a=b ")]
#[case::only_source(":irc.example")]
#[case::tags_and_source("@a :b ")]
fn a_line_without_a_verb_is_no_message(#[case] line: &str) {
    assert_eq!(Message::parse(line), None);
}

#[test]
fn the_tags_that_we_use_are_read() {
    let line = "@time=2024-02-29T12:00:00.123Z;msgid=abc;account=alice;label=7;batch=ref PRIVMSG #a :b";
    let message = Message::parse(line).unwrap();
    assert_eq!(message.server_time(), Some(1_709_208_000_123));
    assert_eq!((message.msgid(), message.account()), (Some("abc"), Some("alice")));
    assert_eq!((message.label(), message.batch()), (Some("7"), Some("ref")));
    let message = Message::parse("@time=yesterday;account=*;msgid PRIVMSG #a :b").unwrap();
    assert_eq!((message.server_time(), message.account(), message.msgid()), (None, None, None));
}

#[test]
fn a_dot_makes_a_server_only_without_user_and_host() {
    assert!(Source::parse("irc.example.org").is_server());
    assert!(!Source::parse("nick.with.dots!user@host").is_server());
    assert!(!Source::parse("NickServ").is_server());
}

#[rstest]
#[case::carriage_return("a\rQUIT", WireError::Control)]
#[case::line_feed("a\nQUIT", WireError::Control)]
#[case::null("a\0", WireError::Control)]
fn invariant_3_text_with_a_line_break_is_refused_and_not_cut(#[case] text: &str, #[case] error: WireError) {
    assert_eq!(Line::new("PRIVMSG").middle("#a").unwrap().trailing(text).unwrap_err(), error);
    assert_eq!(Line::new("PRIVMSG").middle(text).unwrap_err(), error);
    assert_eq!(Line::raw(text).unwrap_err(), error);
}

#[rstest]
#[case::empty("", WireError::Empty)]
#[case::space("a b", WireError::Space)]
#[case::colon(":a", WireError::Colon)]
fn invariant_3_a_middle_parameter_stays_one(#[case] text: &str, #[case] error: WireError) {
    assert_eq!(Line::new("MODE").middle(text).unwrap_err(), error);
}

#[test]
fn names_and_text_make_a_line() {
    let (nick, channel) = (Nick::new("alice").unwrap(), Channel::new("#rust").unwrap());
    let key = Key::new("s3cret").unwrap();
    assert_eq!(
        Line::kick(&channel, &nick, "no: spam").unwrap().as_bytes(),
        b"KICK #rust alice :no: spam\r\n"
    );
    assert_eq!(Line::new("JOIN").name(&channel).name(&key).finish().as_str(), "JOIN #rust s3cret");
    assert_eq!(Line::part(&channel, "").as_str(), "PART #rust");
    assert_eq!(Line::away(None).unwrap().as_str(), "AWAY");
    assert_eq!(Line::raw("WHOIS alice").unwrap().as_str(), "WHOIS alice");
    assert_eq!(Line::raw("x".repeat(9000).as_str()), Err(WireError::TooLong));
}

#[rstest]
#[case::pass("PASS :hunter2")]
#[case::authenticate("AUTHENTICATE hunter2")]
#[case::oper("OPER root hunter2")]
#[case::services("PRIVMSG NickServ :IDENTIFY alice hunter2")]
#[case::services_command("NICKSERV IDENTIFY hunter2")]
#[case::short_command("NS IDENTIFY hunter2")]
#[case::bare_command("IDENTIFY hunter2")]
#[case::lower_case("pass hunter2")]
#[case::behind_tags("@label=1 :me PASS hunter2")]
#[case::behind_spaces("  PASS hunter2")]
#[case::key("JOIN #rust hunter2")]
#[case::mode_key("MODE #rust +k hunter2")]
#[case::no_verb_at_all("hunter2-and-more")]
fn invariant_10_debug_shows_no_secret(#[case] line: &str) {
    let shown = format!("{:?}", Line::raw(line).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn debug_shows_what_helps() {
    assert_eq!(format!("{:?}", Line::ping("towline-3")), "Line(PING :towline-3)");
    assert_eq!(
        format!("{:?}", Line::raw("PRIVMSG #rust :hello").unwrap()),
        "Line(PRIVMSG #rust .. 22 bytes)"
    );
}

proptest! {
    #[test]
    fn no_line_makes_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some(message) = Message::parse(&String::from_utf8_lossy(&bytes)) {
            let _ = (message.server_time(), message.source.map(|source| source.to_string()));
        }
    }

    #[test]
    fn no_likely_line_makes_the_parser_panic(line in "(@[a-z=;\\\\:/+ ]{0,20} )?(:[a-z!@. ]{0,12} )?[A-Z0-9 ]{0,6}( [^\\n]{0,8}){0,20}") {
        let _ = Message::parse(&line);
    }

    #[test]
    fn invariant_3_every_line_ends_once_and_holds_no_nul(
        middles in prop::collection::vec(".{0,6}|[a-z \\r\\n\\x00:]{0,6}", 0..4),
        text in ".{0,20}|[a-z \\r\\n\\x00]{0,20}",
        raw in ".{0,20}|[a-zA-Z \\r\\n\\x00:]{0,20}",
    ) {
        let mut lines = vec![Line::with_text(Line::new("QUIT"), &text), Line::quit(&text), Line::ping(&text)];
        let builder = middles.iter().try_fold(Line::new("PRIVMSG"), |line, middle| line.middle(middle));
        lines.extend(builder.clone().and_then(|line| line.trailing(&text)));
        lines.extend(builder.map(LineBuilder::finish));
        lines.extend(Line::raw(&raw));
        lines.push(Line::new("CAP").name_literal(&raw).name_literal(&text).finish());
        for line in lines {
            let bytes = line.as_bytes();
            prop_assert!(bytes.ends_with(b"\r\n"));
            let inner = &bytes[..bytes.len() - 2];
            prop_assert!(!inner.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)), "{:?}", inner);
            let _ = (format!("{line:?}"), line.verb(), line.first_param().is_some());
        }
    }

    #[test]
    fn what_is_written_is_read_back(
        middles in prop::collection::vec("[^ :\\r\\n\\x00][^ \\r\\n\\x00]{0,8}", 0..14),
        text in "[^\\r\\n\\x00]{0,40}",
    ) {
        let builder = middles.iter().try_fold(Line::new("XTEST"), |line, middle| line.middle(middle)).unwrap();
        let message = Message::parse(builder.trailing(&text).unwrap().as_str()).unwrap();
        prop_assert_eq!(&message.params[..middles.len()], &middles[..]);
        prop_assert_eq!(message.params.last(), Some(&text));
    }

    /// The crate `irc` is right on well-formed lines with a verb that it does not know.
    #[test]
    fn well_formed_lines_read_as_in_the_irc_crate(
        tags in prop::collection::vec(("[a-z]{1,6}", "[a-zA-Z0-9;: \\\\]{0,8}"), 0..4),
        source in prop::option::of(("[a-z]{1,8}", "[a-z~]{1,8}", "[a-z]{1,5}\\.[a-z]{1,5}")),
        verb in "X[A-Z]{3,8}",
        middles in prop::collection::vec("[^ :\\r\\n\\x00][^ \\r\\n\\x00]{0,8}", 0..13),
        text in prop::option::of("[^\\r\\n\\x00]{0,40}"),
    ) {
        use std::fmt::Write as _;
        let mut tags: BTreeMap<_, _> = tags.into_iter().collect();
        tags.retain(|key, _| key != "x");
        let mut line = String::new();
        if !tags.is_empty() {
            let escape = |value: &str| value.replace('\\', "\\\\").replace(';', "\\:").replace(' ', "\\s");
            let pairs: Vec<_> = tags.iter().map(|(key, value)| format!("{key}={}", escape(value))).collect();
            write!(line, "@{} ", pairs.join(";")).unwrap();
        }
        if let Some((nick, user, host)) = &source {
            write!(line, ":{nick}!{user}@{host} ").unwrap();
        }
        line.push_str(&verb);
        for middle in &middles {
            write!(line, " {middle}").unwrap();
        }
        if let Some(text) = &text {
            write!(line, " :{text}").unwrap();
        }
        let ours = Message::parse(&line).unwrap();
        let theirs: irc::proto::Message = line.parse().unwrap();
        let irc::proto::Command::Raw(command, params) = theirs.command else { panic!("{line:?}") };
        prop_assert_eq!(ours.verb.to_string(), command);
        prop_assert_eq!(ours.params, params);
        let their_source = theirs.prefix.map(|prefix| match prefix {
            irc::proto::Prefix::Nickname(nick, user, host) => Source { nick, user: Some(user), host: Some(host) },
            irc::proto::Prefix::ServerName(name) => Source { nick: name, user: None, host: None },
        });
        prop_assert_eq!(ours.source, their_source);
        let their_tags: BTreeMap<_, _> = theirs.tags.into_iter().flatten()
            .map(|irc::proto::message::Tag(key, value)| (key, value.unwrap_or_default())).collect();
        let our_tags: BTreeMap<_, _> =
            ours.tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        prop_assert_eq!(our_tags, their_tags);
    }
}

#[test]
fn a_labelled_line_is_the_same_line_behind_its_label() {
    let line = Line::new("PRIVMSG").name(&Nick::new("bob").unwrap()).trailing("@label=x hi").unwrap();
    let labelled = line.labelled("m1 \r\nQUIT;+evil");
    assert_eq!(labelled.as_str(), "@label=m1QUITevil PRIVMSG bob :@label=x hi");
    assert_eq!((labelled.verb(), labelled.first_param()), ("PRIVMSG".to_owned(), Some("bob")));
    assert_eq!(format!("{labelled:?}"), "Line(PRIVMSG bob .. 44 bytes)");
}
