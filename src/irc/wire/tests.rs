//! Tests of the wire format: the public vectors, the oracle, and what no line may hold.

mod parser_tests;

use super::*;
use crate::names::{Channel, Key, Nick};
use proptest::prelude::*;
use rstest::rstest;
use std::collections::BTreeMap;

#[rstest]
#[case::verb_alone("foo", "", "FOO", &[])]
#[case::source_and_params(":coolguy foo bar baz asdf", "coolguy", "FOO", &["bar", "baz", "asdf"])]
#[case::trailing(":coolguy foo bar baz :asdf quux", "coolguy", "FOO", &["bar", "baz", "asdf quux"])]
#[case::empty_trailing("foo bar baz :", "", "FOO", &["bar", "baz", ""])]
#[case::a_colon_begins_the_trailing("foo bar baz ::asdf", "", "FOO", &["bar", "baz", ":asdf"])]
#[case::a_colon_within(":coolguy foo b:r :a : b", "coolguy", "FOO", &["b:r", "a : b"])]
#[case::a_word_behind_a_colon("foo bar :baz", "", "FOO", &["bar", "baz"])]
#[case::spaces_between("foo   bar  baz   :  asdf quux ", "", "FOO", &["bar", "baz", "  asdf quux "])]
#[case::spaces_at_the_end(":irc.test NOTICE me  ", "irc.test", "NOTICE", &["me"])]
#[case::spaces_behind_the_source(":coolguy   PRIVMSG bar :lol :) ", "coolguy", "PRIVMSG", &["bar", "lol :) "])]
#[case::a_full_source(":a!b@c.d JOIN #rust", "a!b@c.d", "JOIN", &["#rust"])]
#[case::codes_in_the_host(":a!b@\x0305host\x0f PART #x", "a!b@\x0305host\x0f", "PART", &["#x"])]
#[case::a_tab_is_no_space("foo bar\tbaz", "", "FOO", &["bar\tbaz"])]
#[case::behind_tags("@a=b :src AWAY", "src", "AWAY", &[])]
#[case::modes(":SomeOp MODE #channel +oo SomeUser :AnotherUser", "SomeOp", "MODE", &["#channel", "+oo", "SomeUser", "AnotherUser"])]
#[case::a_known_mistake(":gravel.mozilla.org 432  #momo :Erroneous", "gravel.mozilla.org", "432", &["#momo", "Erroneous"])]
fn a_line_is_split(#[case] line: &str, #[case] source: &str, #[case] verb: &str, #[case] params: &[&str]) {
    let message = Message::parse(line).unwrap();
    let found = message.source.as_ref().map(ToString::to_string).unwrap_or_default();
    assert_eq!((found.as_str(), message.verb.to_string().as_str()), (source, verb));
    assert_eq!(message.params, params);
}

#[rstest]
#[case::values("@a=b;c=32 foo", &[("a", "b"), ("c", "32")])]
#[case::without_a_value("@a;b= foo", &[("a", ""), ("b", "")])]
#[case::escapes(r"@a=\\\:\s\r\nb foo", &[("a", "\\; \r\nb")])]
#[case::an_unknown_escape(r"@a=\b\1 foo", &[("a", "b1")])]
#[case::a_lone_backslash_at_the_end(r"@a=b\ foo", &[("a", "b")])]
#[case::the_last_of_a_name_counts("@a=1;a=2 foo", &[("a", "2")])]
#[case::vendors_and_clients("@+a/b.c=x;d.e/f=y foo", &[("+a/b.c", "x"), ("d.e/f", "y")])]
#[case::an_equals_sign_in_a_value("@a=b=c foo", &[("a", "b=c")])]
fn tags_are_read(#[case] line: &str, #[case] expected: &[(&str, &str)]) {
    let message = Message::parse(line).unwrap();
    let tags: BTreeMap<&str, &str> = message.tags.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!(tags, expected.iter().copied().collect());
}

#[rstest]
#[case::nick("coolguy", "coolguy", None, None)]
#[case::full("coolguy!ag@127.0.0.1", "coolguy", Some("ag"), Some("127.0.0.1"))]
#[case::without_a_user("coolguy@127.0.0.1", "coolguy", None, Some("127.0.0.1"))]
#[case::without_a_host("coolguy!ag", "coolguy", Some("ag"), None)]
#[case::a_tilde("coolguy!~ag@local", "coolguy", Some("~ag"), Some("local"))]
#[case::codes("coolguy!ag@net\x035w\x03ork.admin", "coolguy", Some("ag"), Some("net\x035w\x03ork.admin"))]
fn a_source_is_split(
    #[case] text: &str,
    #[case] nick: &str,
    #[case] user: Option<&str>,
    #[case] host: Option<&str>,
) {
    let (user, host) = (user.map(str::to_owned), host.map(str::to_owned));
    assert_eq!(Source::parse(text), Source { nick: nick.into(), user, host });
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
