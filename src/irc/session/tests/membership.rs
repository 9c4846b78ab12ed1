//! Channels and who is in them.

use super::*;
use rstest::rstest;

fn members(bench: &Bench, channel: &str) -> Vec<String> {
    let state = bench.session.channel(channel).unwrap();
    let mut list: Vec<_> = state.members().map(|(nick, prefixes)| format!("{prefixes}{nick}")).collect();
    list.sort();
    list
}

#[test]
fn names_with_all_prefixes_and_hosts_are_read() {
    let mut bench = Bench::in_channel("@+bob!b@h.example +carol!c@h dave!d@h");
    assert_eq!(members(&bench, "#RUST"), ["+carol", "@+bob", "alice", "dave"]);
    assert_eq!(bench.server(":irc.test 366 alice #rust :End"), [Event::Names { channel: "#rust".into() }]);
    let events = bench.server(":irc.test 353 alice = #elsewhere :x y");
    assert!(matches!(events[..], [Event::Numeric { code: 353, .. }]));
}

#[test]
fn members_are_followed_through_join_part_kick_quit_and_nick() {
    let mut bench = Bench::in_channel("@bob carol");
    let events = bench.server(":dave!d@h JOIN #rust dave_account :Dave D.");
    let who = Source::parse("dave!d@h");
    let account = Some("dave_account".to_owned());
    assert_eq!(events, [Event::Joined { channel: "#rust".into(), who, account, own: false }]);
    let events = bench.server("@account=erin :erin!e@h JOIN :#rust");
    assert!(matches!(&events[..], [Event::Joined { account: Some(account), .. }] if account == "erin"));
    let events = bench.server(":CAROL!c@h PART #rust :bye");
    assert!(matches!(&events[..], [Event::Parted { reason, own: false, .. }] if reason == "bye"));
    let events = bench.server(":bob!b@h KICK #rust ERIN :spam");
    assert!(matches!(&events[..], [Event::Kicked { nick, own: false, .. }] if nick == "ERIN"));
    let events = bench.server(":bob!b@h NICK [bob]");
    assert!(matches!(&events[..], [Event::NickChanged { channels, .. }] if channels == &["#rust"]));
    assert_eq!(members(&bench, "#rust"), ["@[bob]", "alice", "dave"]);
    let events = bench.server(":{BOB}!b@h QUIT :bye");
    assert!(
        matches!(&events[..], [Event::Quit { channels, own: false, split: None, .. }] if channels == &["#rust"])
    );
    assert_eq!(members(&bench, "#rust"), ["alice", "dave"]);
}

#[test]
fn what_happens_elsewhere_is_no_event() {
    let mut bench = Bench::in_channel("bob");
    for line in [
        ":bob!b@h JOIN #other",
        ":bob!b@h PART #other",
        ":bob!b@h KICK #other carol :x",
        ":bob!b@h TOPIC #other :x",
    ] {
        assert_eq!(bench.server(line), [], "{line}");
    }
}

#[test]
fn topics_come_as_they_stand_and_as_they_change() {
    let mut bench = Bench::in_channel("bob");
    let events = bench.server(":irc.test 332 alice #rust :Rust: a language");
    assert_eq!(
        events,
        [Event::Topic { channel: "#rust".into(), topic: "Rust: a language".into(), by: None }]
    );
    assert_eq!(bench.server(":irc.test 333 alice #rust bob 1700000000"), []);
    let events = bench.server(":bob!b@h TOPIC #rust :");
    let by = Some(Source::parse("bob!b@h"));
    assert_eq!(events, [Event::Topic { channel: "#rust".into(), topic: String::new(), by }]);
    assert_eq!(bench.session.channel("#rust").unwrap().topic(), None);
}

#[test]
fn modes_change_members_and_are_readable() {
    let mut bench = Bench::in_channel("bob carol");
    let events = bench.server(":ChanServ!s@services MODE #rust +ovf-n bob carol #overflow");
    let [Event::ModeChanged { target, changes, own: false, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((target.as_str(), changes.as_str()), ("#rust", "+o bob +v carol +f #overflow -n"));
    assert_eq!(members(&bench, "#rust"), ["+carol", "@bob", "alice"]);
    let events = bench.server(":alice MODE alice :+iw");
    assert!(matches!(&events[..], [Event::ModeChanged { own: true, changes, .. }] if changes == "+iw"));
}

#[rstest]
#[case::of_the_draft("draft/no-implicit-names")]
#[case::of_the_specification("no-implicit-names")]
#[case::both("no-implicit-names draft/no-implicit-names")]
fn names_that_the_server_does_not_send_are_asked_for_once_and_last(#[case] caps: &str) {
    let mut bench = Bench::ready_with_caps(caps, "CHANTYPES=#");
    bench.server(":alice!al@host.test JOIN #rust");
    bench.server(":bob!b@host.test JOIN #rust");
    bench.session.command(Line::away(None).unwrap()).unwrap();
    assert_eq!(bench.sent(), ["AWAY", "NAMES #rust"]);
    bench.server(":irc.test 353 alice = #rust :alice @bob");
    let events = bench.server(":irc.test 366 alice #rust :End of /NAMES list.");
    assert_eq!(events, [Event::Names { channel: "#rust".into() }]);
    assert!(bench.sent().is_empty());
}

#[test]
fn invariant_9_the_names_of_many_channels_are_all_asked_for_one_at_a_time() {
    let mut bench = Bench::ready_with_caps("no-implicit-names", "CHANTYPES=#");
    for n in 0..1_000 {
        bench.server(&format!(":alice!al@host.test JOIN #c{n}"));
        bench.server(&format!(":alice!al@host.test JOIN #c{n}"));
    }
    bench.server(":alice!al@host.test PART #c7");
    let mut sent = bench.sent();
    while bench.session.deadline().is_some_and(|at| at <= bench.now) {
        sent.extend(bench.sent());
    }
    assert_eq!((sent.len(), sent[0].as_str(), sent[998].as_str()), (999, "NAMES #c0", "NAMES #c999"));
    assert!(bench.session.unnamed.is_empty());
}

#[test]
fn names_that_the_server_sends_are_not_asked_for() {
    let mut bench = Bench::ready_with_caps("batch", "CHANTYPES=#");
    bench.server(":alice!al@host.test JOIN #rust");
    assert!(bench.sent().is_empty());
}

#[test]
fn invariant_4_modes_that_cannot_be_paired_change_nobody_and_the_names_are_asked_for() {
    let mut bench = Bench::in_channel("bob mallory");
    let events = bench.server(":irc.test MODE #rust +Xo mallory bob");
    assert!(matches!(&events[..], [Event::ModeChanged { changes, .. }] if changes == "+Xo mallory bob"));
    assert_eq!(members(&bench, "#rust"), ["alice", "bob", "mallory"]);
    assert_eq!(bench.sent(), ["NAMES #rust"]);
    bench.server(":irc.test 353 alice = #rust :alice @bob mallory");
    bench.server(":irc.test 366 alice #rust :End");
    assert_eq!(members(&bench, "#rust"), ["@bob", "alice", "mallory"]);
}

#[test]
fn invariant_4_a_new_casemapping_holds_for_all_that_is_known() {
    let mut bench = Bench::in_channel("bob[1]");
    bench.server(":irc.test 005 alice CASEMAPPING=ascii :are supported");
    bench.server(":bob{1}!b@h PART #rust");
    assert_eq!(members(&bench, "#rust"), ["alice", "bob[1]"]);
    bench.server(":irc.test 005 alice CASEMAPPING=rfc1459 :are supported");
    bench.server(":bob{1}!b@h PART #rust");
    assert_eq!(members(&bench, "#rust"), ["alice"]);
}

#[test]
fn an_error_that_joins_share_with_other_commands_is_a_numeric_where_nothing_is_joined() {
    let mut bench = Bench::ready();
    let events = bench.server(":s 403 alice #other :No such channel");
    assert!(matches!(events[..], [Event::Numeric { code: 403, .. }]));
}

#[test]
fn invariant_4_a_wanted_channel_is_known_by_the_new_casemapping() {
    let mut bench = Bench::ready();
    bench.session.join(&[(channel("#new[1]"), None)]);
    bench.sent();
    bench.server(":irc.test 005 alice CASEMAPPING=ascii :are supported");
    bench.server(":bob!b@h INVITE alice #new{1}");
    assert_eq!(bench.sent(), [""; 0]);
    bench.server(":bob!b@h INVITE alice #NEW[1]");
    assert_eq!(bench.sent(), ["JOIN #new[1]"]);
}

#[test]
fn a_channel_is_parted_with_a_reason() {
    let mut bench = Bench::in_channel("bob");
    bench.session.part(&channel("#rust"), "so long");
    assert_eq!(bench.sent(), ["PART #rust :so long"]);
    bench.session.join(&[(channel("#RUST"), None)]);
    assert_eq!(bench.sent(), [""; 0], "we are still in it");
}
