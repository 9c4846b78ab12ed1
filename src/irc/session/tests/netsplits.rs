//! Netsplits, as the session knows them.

use super::*;
use rstest::rstest;

#[rstest]
#[case::two_servers("irc.a.net hub.b.net", true)]
#[case::hidden("*.net *.split", true)]
#[case::with_digits("a1.example.org b-2.example.org", true)]
#[case::quit_of_a_person("Quit: irc.a.net hub.b.net", false)]
#[case::an_address("http://a.b c.d", false)]
#[case::a_path("see a.b/c d.e", false)]
#[case::words("see you", false)]
#[case::one_name("irc.a.net", false)]
#[case::three_names("irc.a.net hub.b.net leaf.c.net", false)]
#[case::the_same_twice("irc.a.net irc.a.net", false)]
#[case::addresses("10.0.0.1 10.0.0.2", false)]
#[case::sentence("bye. bye.", false)]
#[case::dots("... ...", false)]
#[case::nothing("", false)]
fn a_netsplit_is_known_by_its_two_servers(#[case] reason: &str, #[case] expected: bool) {
    let mut bench = Bench::in_channel("bob");
    let events = bench.server(&format!(":bob!b@h QUIT :{reason}"));
    let [Event::Quit { split, channels, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((split.as_deref(), channels.len()), (expected.then_some(reason), 1));
}

#[test]
fn a_netsplit_in_a_batch_is_one_whatever_the_reason() {
    let mut bench = Bench::ready_with_caps("batch message-tags", "PREFIX=(ov)@+");
    bench.server(":alice!al@host.test JOIN #rust");
    bench.server(":irc.test 353 alice = #rust :alice bob carol dave");
    bench.server(":irc.test 366 alice #rust :End");
    bench.server(":irc.test BATCH +x netsplit irc.hub other.host");
    let events = bench.server("@batch=x :bob!b@h QUIT :*.net *.split");
    let [Event::Quit { split, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(split.as_deref(), Some("irc.hub other.host"));
    bench.server(":irc.test BATCH -x");
    let events = bench.server(":carol!c@h QUIT :bye");
    assert!(matches!(&events[..], [Event::Quit { split: None, .. }]));
    // Back in a batch is a join as any other.
    bench.server(":irc.test BATCH +y netjoin irc.hub other.host");
    let events = bench.server("@batch=y :bob!b@h JOIN #rust");
    assert!(matches!(&events[..], [Event::Joined { own: false, .. }]));
    assert!(bench.session.channel("#rust").unwrap().has("bob"));
}
