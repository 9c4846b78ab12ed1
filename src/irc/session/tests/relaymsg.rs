//! What is said for others under their names.

use super::*;
use rstest::rstest;

const CAPS: &str = "message-tags batch echo-message labeled-response draft/relaymsg=/";

fn bench_with(offered: &str) -> Bench {
    let mut bench = Bench::new(Bench::config());
    bench.sent();
    bench.server(&format!("CAP * LS :{offered}"));
    let names: Vec<&str> = offered.split_whitespace().filter_map(|name| name.split('=').next()).collect();
    bench.server(&format!("CAP * ACK :{}", names.join(" ")));
    bench.server(":irc.test 001 alice :Welcome to Test alice!al@host.test");
    bench.server(":irc.test 005 alice NICKLEN=20 UTF8ONLY :are supported by this server");
    bench.server(":irc.test 422 alice :No MOTD");
    bench.sent();
    bench
}

fn relay(bench: &mut Bench, id: u64, name: &str, kind: MessageKind, text: &str) {
    let target = Target::Channel(channel("#rust"));
    let message = OutgoingMessage { id: MessageId(id), target, kind, text: text.to_owned(), reply: None };
    bench.session.relay(message, name).unwrap();
}

fn say_as(bench: &mut Bench, id: u64, name: &str, text: &str) {
    relay(bench, id, name, MessageKind::Privmsg, text);
}

fn takes(bench: &Bench, name: Option<&str>) -> bool {
    bench.session.takes_relay("#rust", name, bench.now)
}

#[rstest]
#[case::with_a_separator(CAPS, Some("/"))]
#[case::with_others("message-tags batch echo-message labeled-response draft/relaymsg=~/", Some("~/"))]
#[case::without("message-tags batch echo-message labeled-response draft/relaymsg", Some("/"))]
#[case::without_labels("message-tags batch echo-message draft/relaymsg=/", None)]
#[case::not_offered("message-tags batch echo-message labeled-response", None)]
fn we_speak_for_others_where_each_line_has_its_answer(
    #[case] offered: &str,
    #[case] separators: Option<&str>,
) {
    let bench = bench_with(offered);
    let names =
        separators.map(|separators| RelayNames { separators: separators.into(), length: 20, utf8: true });
    assert_eq!(bench.session.relay_names(), names);
    assert_eq!(takes(&bench, Some("Carol/m")), separators.is_some());
    assert!(!bench.session.takes_relay("carol", None, bench.now), "only in channels");
}

#[test]
fn the_echo_under_another_name_confirms_what_was_said_and_is_not_news() {
    let mut bench = bench_with(CAPS);
    say_as(&mut bench, 7, "Carol/m", "hello");
    relay(&mut bench, 8, "Carol/m", MessageKind::Action, "waves");
    assert_eq!(bench.sent(), ["@label=m1 RELAYMSG #rust Carol/m :hello"]);
    let echo = "@label=m1;msgid=x1;draft/relaymsg=alice :Carol/m!r@h PRIVMSG #rust :hello";
    assert_eq!(
        bench.server(echo),
        [Event::Echoed { message: MessageId(7), msgid: Some("x1".into()), time: None }]
    );
    assert_eq!(bench.sent(), ["@label=m2 RELAYMSG #rust Carol/m :\u{1}ACTION waves\u{1}"]);
    // Some servers leave the tag out.
    let echo = "@label=m2 :Carol/m!r@h PRIVMSG #rust :\u{1}ACTION waves\u{1}";
    assert_eq!(bench.server(echo), [Event::Echoed { message: MessageId(8), msgid: None, time: None }]);
    assert_eq!(bench.session.unconfirmed(), []);
    // What another bridge says is news.
    let events = bench.server("@draft/relaymsg=bridge :Dave/d!r@h PRIVMSG #rust :hi");
    assert!(matches!(&events[..], [Event::Message { from, own: false, .. }] if from.nick == "Dave/d"));
}

#[test]
fn what_stands_behind_it_in_its_channel_waits_for_its_answer_and_nothing_else_does() {
    let mut bench = bench_with(CAPS);
    bench.say(6, "#rust", "before");
    say_as(&mut bench, 7, "Carol/m", "hello");
    bench.say(8, "#rust", "behind");
    bench.say(9, "#den", "elsewhere");
    let sent = bench.sent();
    assert_eq!(sent.len(), 3, "{sent:?}");
    assert!(!sent.iter().any(|line| line.contains("behind")), "{sent:?}");
    // Also what comes later.
    bench.server("@label=m1 :alice!al@host.test PRIVMSG #rust :before");
    assert_eq!(bench.sent(), Vec::<String>::new());
    bench.session.withdraw(|id| id == MessageId(8));
    bench.say(10, "#rust", "later");
    assert_eq!(bench.sent(), Vec::<String>::new());
    let label = sent.iter().find(|line| line.contains("RELAYMSG")).and_then(|line| line.split(' ').next());
    bench.server(&format!("{} :s ACK", label.unwrap()));
    assert_eq!(bench.sent(), ["@label=m4 PRIVMSG #rust :later"]);
}

#[test]
fn an_answer_that_never_comes_holds_nothing_up_for_long() {
    let mut bench = bench_with(CAPS);
    say_as(&mut bench, 7, "Carol/m", "hello");
    bench.say(8, "#rust", "behind");
    bench.sent();
    let (_, lines) = bench.wait(Duration::from_secs(31));
    assert!(lines.iter().any(|(_, line)| line.contains("behind")), "{lines:?}");
}

/// What a refusal says about: the channel, or the name.
#[rstest]
#[case::no_privilege("FAIL RELAYMSG PRIVS_NEEDED :You cannot relay", false)]
#[case::by_number("482 alice #rust :You're not channel operator", false)]
#[case::unknown("421 alice RELAYMSG :Unknown command", false)]
#[case::a_name("FAIL RELAYMSG INVALID_NICK :Invalid nickname", true)]
#[case::a_name_by_number("573 alice Carol/m :Invalid relay nick", true)]
fn what_is_refused_goes_back_to_its_owner_once_and_is_not_tried_again_for_a_while(
    #[case] answer: &str,
    #[case] is_name: bool,
) {
    let mut bench = bench_with(CAPS);
    say_as(&mut bench, 7, "Carol/m", "hello");
    bench.sent();
    let reason = answer.split(" :").nth(1).map(str::to_owned);
    let refused = Event::RelayRefused { messages: ids(&[7]), reason };
    assert_eq!(bench.server(&format!("@label=m1 :s {answer}")), [refused]);
    assert_eq!(bench.session.unconfirmed(), []);
    assert!(!takes(&bench, Some("carol/M")));
    assert_eq!(takes(&bench, None), is_name);
    assert_eq!(takes(&bench, Some("Dave/m")), is_name);
    bench.now += Duration::from_mins(61);
    assert!(takes(&bench, Some("Carol/m")));
}

/// What is refused because of its words, or of the moment, says nothing about the channel or the nick.
#[rstest]
#[case::a_filter("404 alice #rust :Cannot send to channel (filtered)")]
#[case::too_fast("439 alice #rust :Message target change too fast")]
#[case::its_text("FAIL RELAYMSG BLANK_MSG :Blank")]
fn what_is_refused_for_its_words_is_not_remembered(#[case] answer: &str) {
    let mut bench = bench_with(CAPS);
    say_as(&mut bench, 7, "Carol/m", "hello");
    bench.sent();
    bench.server(&format!("@label=m1 :s {answer}"));
    assert!(takes(&bench, Some("Carol/m")));
}

#[test]
fn a_channel_that_has_other_modes_is_asked_again() {
    let mut bench = bench_with(CAPS);
    bench.server(":alice!al@host.test JOIN #rust");
    say_as(&mut bench, 7, "Carol/m", "hello");
    bench.sent();
    bench.server("@label=m1 :s FAIL RELAYMSG PRIVS_NEEDED :No");
    assert!(!takes(&bench, None));
    bench.server(":bob!b@h MODE #rust +o alice");
    assert!(takes(&bench, None));
}

#[test]
fn who_is_banned_under_their_name_is_not_said_otherwise() {
    let mut bench = bench_with(CAPS);
    say_as(&mut bench, 7, "Carol/m", "hello");
    bench.sent();
    let events = bench.server("@label=m1 :s FAIL RELAYMSG BANNED :Carol/m is banned");
    let reason = "Carol/m is banned".to_owned();
    assert_eq!(events, [Event::Refused { messages: ids(&[7]), certain: true, code: 0, reason }]);
    assert!(takes(&bench, Some("Carol/m")));
}

#[test]
fn what_waits_when_the_server_takes_it_no_more_is_given_back() {
    let mut bench = bench_with(CAPS);
    say_as(&mut bench, 7, "Carol/m", "one");
    say_as(&mut bench, 8, "Carol/m", "two");
    bench.say(9, "#rust", "three");
    say_as(&mut bench, 10, "Dave/m", "four");
    bench.sent();
    let events = bench.server("CAP alice DEL :draft/relaymsg");
    assert_eq!(events, [Event::RelayRefused { messages: ids(&[8, 10]), reason: None }]);
    // What has left has its answer still.
    assert_eq!(bench.server("@label=m1 :s ACK"), [Event::Confirmed { messages: ids(&[7]) }]);
    assert!(!takes(&bench, None));
}

#[test]
fn a_line_under_a_name_fits_as_others_get_it() {
    let bench = bench_with(CAPS);
    let (name, channel) = ("Carol_of_the_long/m", "#rust");
    let budget = bench.session.relay_budget(channel, name, MessageKind::Privmsg);
    let heard = format!(":{name}!{}@{} PRIVMSG {channel} :\r\n", "u".repeat(10), "h".repeat(63));
    assert_eq!(heard.len() + budget, 512);
    let action = bench.session.relay_budget(channel, name, MessageKind::Action);
    assert_eq!(budget - action, "\u{1}ACTION \u{1}".len());
}
