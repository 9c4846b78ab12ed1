//! What people and servers say.

use super::*;
use rstest::rstest;

fn to_channel(name: &str, status: Option<char>) -> MessageTarget {
    MessageTarget::Channel { name: name.to_owned(), status }
}

#[rstest]
#[case::channel(":bob!b@h PRIVMSG #rust :hi", to_channel("#rust", None), IncomingKind::Privmsg, "hi")]
#[case::operators(":bob!b@h PRIVMSG @#rust :hi", to_channel("#rust", Some('@')), IncomingKind::Privmsg, "hi")]
#[case::query(":bob!b@h PRIVMSG Alice :hi", MessageTarget::Own, IncomingKind::Privmsg, "hi")]
#[case::old_nick(":bob!b@h PRIVMSG alice_ :hi", MessageTarget::Own, IncomingKind::Privmsg, "hi")]
#[case::notice(":NickServ!s@services. NOTICE alice :hi", MessageTarget::Own, IncomingKind::Notice, "hi")]
#[case::notice_of_a_server_to_a_channel(
    ":irc.test NOTICE #rust :hi",
    to_channel("#rust", None),
    IncomingKind::Notice,
    "hi"
)]
#[case::action(
    ":bob!b@h PRIVMSG #rust :\x01ACTION waves\x01",
    to_channel("#rust", None),
    IncomingKind::Action,
    "waves"
)]
#[case::ctcp(":bob!b@h PRIVMSG alice :\x01ping 123\x01", MessageTarget::Own, IncomingKind::Ctcp { command: "PING".into() }, "123")]
#[case::ctcp_reply(":bob!b@h NOTICE alice :\x01VERSION x 1\x01", MessageTarget::Own, IncomingKind::CtcpReply { command: "VERSION".into() }, "x 1")]
#[case::empty(":bob!b@h PRIVMSG #rust", to_channel("#rust", None), IncomingKind::Privmsg, "")]
fn a_message_has_a_target_and_a_kind(
    #[case] line: &str,
    #[case] expected: MessageTarget,
    #[case] as_kind: IncomingKind,
    #[case] says: &str,
) {
    let mut bench = Bench::in_channel("bob");
    let events = bench.server(line);
    let [Event::Message { target, kind, text, own: false, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((target, kind, text.as_str()), (&expected, &as_kind, says));
}

#[test]
fn tags_are_passed_on() {
    let mut bench = Bench::in_channel("bob");
    let events =
        bench.server("@time=2024-01-01T00:00:00.000Z;msgid=m1;account=robert :bob!b@h PRIVMSG #rust :hi");
    let [Event::Message { time, msgid, account, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(*time, Some(1_704_067_200_000));
    assert_eq!((msgid.as_deref(), account.as_deref()), (Some("m1"), Some("robert")));
}

#[test]
fn our_own_messages_from_elsewhere_are_told_as_such() {
    let mut bench = Bench::in_channel("bob");
    let events = bench.server(":alice!al@host.test PRIVMSG bob :from my phone");
    let [Event::Message { target, own: true, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(*target, MessageTarget::Other("bob".into()));
    let events = bench.server(":ALICE!al@host.test PRIVMSG alice :to myself");
    assert!(matches!(&events[..], [Event::Message { target: MessageTarget::Own, own: true, .. }]));
}

#[rstest]
#[case::server_notice(":irc.test NOTICE alice :*** hello", ServerMessageKind::Notice, "*** hello")]
#[case::to_all(":oper!o@h NOTICE $$*.test :maintenance", ServerMessageKind::Notice, "maintenance")]
#[case::no_source("NOTICE alice :hello", ServerMessageKind::Notice, "hello")]
#[case::wallops(":oper!o@h WALLOPS :hello", ServerMessageKind::Wallops, "hello")]
#[case::unknown(":irc.test RENAME #a #b", ServerMessageKind::Other, "RENAME #a #b")]
fn what_the_server_says_is_not_from_a_person(
    #[case] line: &str,
    #[case] expected: ServerMessageKind,
    #[case] says: &str,
) {
    let mut bench = Bench::ready();
    let events = bench.server(line);
    let [Event::ServerMessage { kind, text, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((*kind, text.as_str()), (expected, says));
}

#[rstest]
#[case::fail("FAIL JOIN TOO_MANY #x 5 :no", ReplyKind::Fail, Some("JOIN"), "TOO_MANY", &["#x", "5"], "no")]
#[case::fail_that_says_little("FAIL PRIVMSG", ReplyKind::Fail, Some("PRIVMSG"), "", &[], "")]
#[case::fail_that_says_nothing("FAIL", ReplyKind::Fail, Some(""), "", &[], "")]
#[case::fail_without_a_code("FAIL JOIN :no", ReplyKind::Fail, Some("JOIN"), "", &[], "no")]
#[case::warn("WARN REHASH CERTS :They expired", ReplyKind::Warn, Some("REHASH"), "CERTS", &[], "They expired")]
#[case::note("NOTE * CODE :hello", ReplyKind::Note, None, "CODE", &[], "hello")]
fn a_standard_reply_is_taken_apart(
    #[case] line: &str,
    #[case] kind: ReplyKind,
    #[case] command: Option<&str>,
    #[case] code: &str,
    #[case] context: &[&str],
    #[case] text: &str,
) {
    let expected = StandardReply {
        kind,
        command: command.map(str::to_owned),
        code: code.to_owned(),
        context: context.iter().map(|word| (*word).to_owned()).collect(),
        text: text.to_owned(),
    };
    assert_eq!(Bench::ready().server(line), [Event::StandardReply(expected)]);
}

#[test]
fn a_numeric_comes_without_our_nick_and_as_one_line() {
    let mut bench = Bench::ready();
    let events = bench.server(":s 311 alice bob ~b host.test * :Bob B.");
    let [Event::Numeric { code: 311, params, text }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((params.len(), text.as_str()), (5, "bob ~b host.test * Bob B."));
    let events = bench.server(":s 252 alice 3 :operators online");
    assert!(matches!(&events[..], [Event::Numeric { text, .. }] if text == "3 operators online"));
}

#[test]
fn being_killed_ends_it() {
    let mut bench = Bench::ready();
    assert_eq!(bench.server(":oper!o@h KILL bob :x"), []);
    assert_eq!(
        disconnected(&bench.server(":oper!o@h KILL alice :x")),
        Some(Verdict::Hold(Duration::from_mins(5)))
    );
}
