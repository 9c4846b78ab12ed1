//! Batches, history and playback.

use super::*;
use rstest::rstest;

const HISTORY: &str = "batch server-time message-tags draft/chathistory";
const LABELLED: &str = "batch server-time message-tags draft/chathistory echo-message labeled-response";

fn bench() -> Bench {
    Bench::ready_with_caps(HISTORY, "CHATHISTORY=50 MSGREFTYPES=msgid,timestamp CHANTYPES=#")
}

fn target(text: &str) -> Target {
    Target::parse(text, &Isupport::default()).unwrap()
}

fn ask(bench: &mut Bench, name: &str) -> u64 {
    let request = bench.session.request_history(&target(name), HistoryMark::Latest).unwrap();
    bench.sent();
    request
}

/// Where the messages among the events are from.
fn origins(events: &[Event]) -> Vec<Origin> {
    let origin = |event: &Event| match event {
        Event::Message { origin, .. } => Some(*origin),
        _ => None,
    };
    events.iter().filter_map(origin).collect()
}

fn end(request: u64, target: &str, lines: usize) -> Event {
    Event::HistoryEnd { request, target: target.into(), lines, failed: None }
}

fn failed(request: u64, target: &str, reason: &str) -> Event {
    Event::HistoryEnd { request, target: target.into(), lines: 0, failed: Some(reason.into()) }
}

#[rstest]
#[case::after_an_id("#rust", HistoryMark::MessageId("abc".into()), "CHATHISTORY AFTER #rust msgid=abc 50")]
#[case::after_a_time(
    "#rust",
    HistoryMark::Time(1_704_067_200_007),
    "CHATHISTORY AFTER #rust timestamp=2024-01-01T00:00:00.007Z 50"
)]
#[case::of_a_query("bob", HistoryMark::Latest, "CHATHISTORY LATEST bob * 50")]
fn history_is_asked_for_from_a_mark_on(#[case] name: &str, #[case] mark: HistoryMark, #[case] line: &str) {
    let mut bench = bench();
    assert!(bench.session.request_history(&target(name), mark).is_some());
    assert_eq!(bench.sent(), [line]);
}

#[rstest]
#[case::either(None, true, true)]
#[case::ids("MSGREFTYPES=msgid".into(), true, false)]
#[case::times("MSGREFTYPES=timestamp,other".into(), false, true)]
#[case::none_of_them("MSGREFTYPES=".into(), false, false)]
fn marks_that_the_server_does_not_know_are_not_asked_for(
    #[case] token: Option<&str>,
    #[case] by_id: bool,
    #[case] by_time: bool,
) {
    let mut bench = Bench::ready_with_caps(HISTORY, token.unwrap_or("NETWORK=Test"));
    let mut can = |mark| bench.session.request_history(&target("#rust"), mark).is_some();
    assert_eq!(can(HistoryMark::MessageId("abc".into())), by_id);
    assert_eq!(can(HistoryMark::Time(0)), by_time);
    assert!(can(HistoryMark::Latest));
}

#[rstest]
#[case::a_space(HistoryMark::MessageId("a b".into()))]
#[case::a_line_break(HistoryMark::MessageId("a\nQUIT".into()))]
#[case::too_long(HistoryMark::MessageId("x".repeat(500)))]
#[case::a_time_that_is_none(HistoryMark::Time(i64::MAX))]
fn invariant_3_a_mark_that_fits_no_line_is_not_asked_for(#[case] mark: HistoryMark) {
    let mut bench = bench();
    assert_eq!(bench.session.request_history(&target("#rust"), mark), None);
    assert_eq!(bench.sent(), [""; 0]);
}

#[rstest]
#[case::none("NETWORK=Test", 100)]
#[case::any_number("CHATHISTORY=0", 100)]
#[case::some("CHATHISTORY=50", 50)]
#[case::many("CHATHISTORY=1000", 200)]
#[case::nonsense("CHATHISTORY=-5", 100)]
fn a_request_is_for_what_the_server_gives_at_a_time(#[case] token: &str, #[case] expected: usize) {
    assert_eq!(Bench::ready_with_caps(HISTORY, token).session.history_limit(), expected);
}

#[rstest]
#[case::no_history("batch server-time message-tags")]
#[case::no_batch("server-time draft/chathistory")]
#[case::no_time("batch draft/chathistory")]
fn without_its_capabilities_there_is_no_history(#[case] caps: &str) {
    let mut bench = Bench::ready_with_caps(caps, "CHATHISTORY=50");
    assert!(!bench.session.has_history());
    assert_eq!(bench.session.request_history(&target("#rust"), HistoryMark::Latest), None);
    assert_eq!(bench.session.request_history_targets(0, 1), None);
    assert!(!bench.session.request_playback(0));
    assert_eq!(bench.sent(), [""; 0]);
}

#[test]
fn history_waits_for_the_greeting_and_ends_with_the_session() {
    let mut bench = Bench::new(Bench::config());
    bench.server(&format!("CAP * LS :{HISTORY}"));
    bench.server(&format!("CAP * ACK :{HISTORY}"));
    assert!(bench.session.has_history());
    assert_eq!(bench.session.request_history(&target("#rust"), HistoryMark::Latest), None);
    bench.session.quit("bye");
    assert_eq!(bench.session.request_history(&target("#rust"), HistoryMark::Latest), None);
}

#[test]
fn the_lines_of_an_answer_are_history_and_counted() {
    let mut bench = bench();
    let request = ask(&mut bench, "#rust");
    assert_eq!(bench.server(":s BATCH +x chathistory #RUST"), []);
    let line = "@batch=x;msgid=m1;time=2024-01-01T00:00:00.000Z :bob!b@h PRIVMSG #rust :hi";
    assert_eq!(origins(&bench.server(line)), [Origin::History { request }]);
    assert_eq!(origins(&bench.server("@batch=x :bob!b@h NOTICE #rust :hi")), [Origin::History { request }]);
    assert_eq!(origins(&bench.server(":bob!b@h PRIVMSG #rust :now")), [Origin::Live]);
    assert_eq!(bench.server(":s BATCH -x"), [end(request, "#rust", 2)]);
    assert_eq!(bench.server(":s BATCH -x"), []);
    assert_eq!(origins(&bench.server("@batch=x :bob!b@h PRIVMSG #rust :hi")), [Origin::Live]);
}

#[test]
fn without_labels_batches_answer_the_oldest_request_for_their_target() {
    let mut bench = bench();
    let first = ask(&mut bench, "#rust");
    let other = ask(&mut bench, "#go");
    let second = ask(&mut bench, "#rust");
    bench.server("BATCH +b chathistory #go");
    bench.server("BATCH +a chathistory #rust");
    bench.server("BATCH +c chathistory #rust");
    bench.server("BATCH +d chathistory #rust");
    for (reference, expected) in [
        ("a", Origin::History { request: first }),
        ("b", Origin::History { request: other }),
        ("c", Origin::History { request: second }),
        ("d", Origin::Playback),
    ] {
        let line = format!("@batch={reference} :bob!b@h PRIVMSG #rust :hi");
        assert_eq!(origins(&bench.server(&line)), [expected], "{reference}");
    }
    assert_eq!(bench.server("BATCH -c"), [end(second, "#rust", 1)]);
    assert_eq!(bench.server("BATCH -d"), []);
}

#[test]
fn a_label_says_which_request_a_batch_answers() {
    let mut bench = Bench::ready_with_caps(LABELLED, "CHATHISTORY=50");
    let first = bench.session.request_history(&target("#rust"), HistoryMark::Latest).unwrap();
    let second = bench.session.request_history(&target("#rust"), HistoryMark::Latest).unwrap();
    assert_eq!(
        bench.sent(),
        ["@label=h1 CHATHISTORY LATEST #rust * 50", "@label=h2 CHATHISTORY LATEST #rust * 50"]
    );
    bench.server("@label=h2 BATCH +a chathistory #rust");
    assert_eq!(
        origins(&bench.server("@batch=a :bob!b@h PRIVMSG #rust :hi")),
        [Origin::History { request: second }]
    );
    assert_eq!(bench.server("BATCH -a"), [end(second, "#rust", 1)]);
    // In a labelled batch around it.
    bench.server("@label=h1 BATCH +o labeled-response");
    bench.server("@batch=o BATCH +i chathistory #rust");
    assert_eq!(
        origins(&bench.server("@batch=i :bob!b@h PRIVMSG #rust :hi")),
        [Origin::History { request: first }]
    );
    assert_eq!(bench.server("BATCH -i"), [end(first, "#rust", 1)]);
    assert_eq!(bench.server("BATCH -o"), []);
}

#[test]
fn an_answer_without_a_batch_is_empty() {
    let mut bench = Bench::ready_with_caps(LABELLED, "CHATHISTORY=50");
    let request = ask(&mut bench, "#rust");
    assert_eq!(bench.server("@label=h1 :s ACK"), [end(request, "#rust", 0)]);
    let request = ask(&mut bench, "#rust");
    bench.server("@label=h2 :s BATCH +o labeled-response");
    assert_eq!(bench.server(":s BATCH -o"), [end(request, "#rust", 0)]);
}

#[rstest]
#[case::history("chathistory #rust")]
#[case::znc("znc.in/playback #rust")]
#[case::other("playback #rust")]
fn what_was_not_asked_for_is_playback(#[case] kind: &str) {
    let mut bench = bench();
    bench.server(&format!("BATCH +x {kind}"));
    assert_eq!(origins(&bench.server("@batch=x :bob!b@h PRIVMSG #rust :hi")), [Origin::Playback]);
    bench.server("BATCH -x");
    assert_eq!(origins(&bench.server(":bob!b@h PRIVMSG #rust :hi")), [Origin::Live]);
}

#[rstest]
#[case::netsplit("netsplit")]
#[case::multiline("draft/multiline #rust")]
#[case::unknown("example.com/x")]
#[case::nothing("")]
#[case::another_playback("znc.in/playback #rust")]
#[case::history("chathistory #rust")]
fn a_batch_within_the_past_is_of_the_same_past(#[case] kind: &str) {
    let mut bench = bench();
    let request = ask(&mut bench, "#rust");
    bench.server("BATCH +out chathistory #rust");
    bench.server(&format!("@batch=out BATCH +in {kind}"));
    let mut events = bench.server("@batch=in :bob!b@h PRIVMSG #rust :hi");
    // What is one message is told when it is whole.
    events.extend(bench.server("BATCH -in"));
    assert_eq!(origins(&events), [Origin::History { request }]);
    assert_eq!(bench.server("BATCH -out"), [end(request, "#rust", 1)]);
}

#[rstest]
#[case::netsplit("netsplit a.test b.test")]
#[case::unknown("example.com/x")]
fn other_batches_leave_their_lines_as_they_are(#[case] kind: &str) {
    let mut bench = Bench::in_channel("bob carol");
    bench.server(&format!("BATCH +x {kind}"));
    assert!(matches!(bench.server("@batch=x :bob!b@h QUIT :a.test b.test")[..], [Event::Quit { .. }]));
    assert_eq!(origins(&bench.server("@batch=x :carol!c@h PRIVMSG #rust :hi")), [Origin::Live]);
    assert!(!bench.session.channel("#rust").unwrap().has("bob"));
}

#[rstest]
#[case::join(":alice!old@old.host JOIN #go")]
#[case::part(":alice!old@old.host PART #rust")]
#[case::kick(":bob!b@h KICK #rust alice")]
#[case::quit(":bob!b@h QUIT")]
#[case::nick(":alice!old@old.host NICK alicia")]
#[case::mode(":bob!b@h MODE #rust -o bob")]
#[case::topic(":bob!b@h TOPIC #rust :old")]
#[case::kill(":oper!o@h KILL alice :x")]
#[case::error("ERROR :Closing Link")]
#[case::names(":s 353 alice = #rust :alice")]
#[case::end_of_names(":s 366 alice #rust :End")]
#[case::refusal(":s 404 alice #rust :no")]
#[case::tags(":bob!b@h TAGMSG #rust")]
#[case::unknown(":s RENAME #rust #go")]
fn what_happened_then_changes_nothing_now(#[case] line: &str) {
    let mut bench = Bench::in_channel("@bob");
    bench.say(1, "#rust", "hello");
    bench.sent();
    let before = bench.session.text_budget("#rust", MessageKind::Privmsg);
    bench.server("BATCH +x chathistory #rust");
    assert_eq!(bench.server(&format!("@batch=x {line}")), []);
    let channel = bench.session.channel("#rust").unwrap();
    assert_eq!((channel.prefixes("bob").as_deref(), channel.member_count()), (Some("@"), 2));
    assert_eq!((channel.topic(), bench.session.nick()), (None, "alice"));
    assert_eq!(bench.session.channels().count(), 1);
    assert_eq!(bench.session.unconfirmed(), ids(&[1]));
    assert_eq!(bench.session.text_budget("#rust", MessageKind::Privmsg), before);
    assert_eq!(bench.sent(), [""; 0]);
}

#[test]
fn what_we_said_then_is_no_echo_of_now() {
    let mut bench = Bench::ready_with_caps(&format!("{HISTORY} echo-message"), "CHATHISTORY=50");
    ask(&mut bench, "#rust");
    bench.say(1, "#rust", "hello");
    bench.sent();
    bench.server("BATCH +x chathistory #rust");
    let events = bench.server("@batch=x :alice!al@h PRIVMSG #rust :hello");
    assert!(matches!(events[..], [Event::Message { own: true, origin: Origin::History { .. }, .. }]));
    assert_eq!(bench.session.unconfirmed(), ids(&[1]));
}

#[rstest]
#[case::theirs(":bob!b@h PRIVMSG alice :x", MessageTarget::Own, false)]
#[case::theirs_to_an_old_nick(":bob!b@h PRIVMSG alice_ :x", MessageTarget::Own, false)]
#[case::ours(":alice!al@h PRIVMSG bob :x", MessageTarget::Other("bob".into()), true)]
#[case::ours_under_an_old_nick(":alice_!al@h PRIVMSG bob :x", MessageTarget::Other("bob".into()), true)]
fn a_querys_history_is_of_that_query(
    #[case] line: &str,
    #[case] place: MessageTarget,
    #[case] is_ours: bool,
) {
    let mut bench = bench();
    ask(&mut bench, "bob");
    bench.server("BATCH +x chathistory bob");
    let events = bench.server(&format!("@batch=x {line}"));
    let [Event::Message { target, own, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((target, *own), (&place, is_ours));
}

#[rstest]
#[case::fail(":s FAIL CHATHISTORY INVALID_TARGET AFTER #go :no history", 2, "#go", "no history")]
#[case::fail_without_a_target(":s FAIL CHATHISTORY UNKNOWN_COMMAND X :no", 1, "#rust", "no")]
#[case::unknown_command(":s 421 alice CHATHISTORY :Unknown command", 1, "#rust", "Unknown command")]
#[case::parameters(":s 461 alice CHATHISTORY :Not enough", 1, "#rust", "Not enough")]
fn a_refusal_ends_a_request(#[case] line: &str, #[case] request: u64, #[case] name: &str, #[case] why: &str) {
    let mut bench = bench();
    ask(&mut bench, "#rust");
    ask(&mut bench, "#go");
    assert_eq!(bench.server(line), [failed(request, name, why)]);
}

#[rstest]
#[case::fail("@label=h2 :s FAIL CHATHISTORY INVALID_TARGET AFTER #rust :no")]
#[case::numeric("@label=h2 :s 403 alice #rust :no")]
#[case::unknown_command("@label=h2 :s 421 alice CHATHISTORY :no")]
fn a_labelled_refusal_ends_its_request(#[case] line: &str) {
    let mut bench = Bench::ready_with_caps(LABELLED, "CHATHISTORY=50");
    bench.say(9, "#rust", "hello");
    ask(&mut bench, "#rust");
    let second = ask(&mut bench, "#rust");
    assert_eq!(bench.server(line), [failed(second, "#rust", "no")]);
    assert_eq!(bench.session.unconfirmed(), ids(&[9]));
}

#[test]
fn an_error_about_another_request_or_none_is_shown() {
    let mut bench = bench();
    assert!(matches!(bench.server(":s 421 alice CHATHISTORY :x")[..], [Event::Numeric { code: 421, .. }]));
    assert!(matches!(bench.server(":s FAIL CHATHISTORY X AFTER #rust :x")[..], [Event::StandardReply(_)]));
}

#[test]
fn a_request_without_an_answer_fails_after_thirty_seconds() {
    let mut bench = bench();
    let request = ask(&mut bench, "#rust");
    assert_eq!(bench.wait(Duration::from_secs(29)).0, []);
    assert_eq!(bench.wait(Duration::from_secs(2)).0, [failed(request, "#rust", "the server did not answer")]);
    // What comes after all is the past all the same.
    bench.server("BATCH +x chathistory #rust");
    assert_eq!(origins(&bench.server("@batch=x :bob!b@h PRIVMSG #rust :hi")), [Origin::Playback]);
    assert_eq!(bench.server("BATCH -x"), []);
}

#[test]
fn a_batch_that_is_never_ended_is_given_thirty_seconds_of_silence() {
    let mut bench = bench();
    let request = ask(&mut bench, "#rust");
    bench.server("BATCH +x chathistory #rust");
    for _ in 0..5 {
        assert_eq!(bench.wait(Duration::from_secs(20)).0, []);
        bench.server("@batch=x :bob!b@h PRIVMSG #rust :hi");
    }
    let (events, _) = bench.wait(Duration::from_secs(31));
    assert!(matches!(&events[..], [Event::HistoryEnd { lines: 5, failed: Some(_), .. }]), "{events:?}");
    assert_eq!(origins(&bench.server("@batch=x :bob!b@h PRIVMSG #rust :hi")), [Origin::Playback]);
    assert_eq!(request, 1);
}

#[test]
fn a_request_that_waits_for_flood_control_is_not_late() {
    let config = SessionConfig {
        flood: FloodLimits { burst: 1, interval: Duration::from_secs(20) },
        ..Bench::config()
    };
    let mut bench = Bench::ready_as(config, HISTORY, "CHATHISTORY=50");
    for _ in 0..4 {
        bench.session.request_history(&target("#rust"), HistoryMark::Latest).unwrap();
    }
    let mut events = Vec::new();
    for _ in 0..100 {
        let (more, lines) = bench.wait(Duration::from_secs(1));
        events.extend(more);
        for _ in lines.iter().filter(|(_, line)| line.starts_with("CHATHISTORY")) {
            bench.server("BATCH +x chathistory #rust");
            events.extend(bench.server("BATCH -x"));
        }
    }
    assert_eq!(events, [1, 2, 3, 4].map(|request| end(request, "#rust", 0)));
}

#[test]
fn targets_come_as_one_list() {
    let mut bench = bench();
    let request = bench.session.request_history_targets(0, 1_704_067_200_000).unwrap();
    assert_eq!(
        bench.sent(),
        ["CHATHISTORY TARGETS timestamp=1970-01-01T00:00:00.000Z timestamp=2024-01-01T00:00:00.000Z 50"]
    );
    bench.server(":s BATCH +t draft/chathistory-targets");
    bench.server("@batch=t :s CHATHISTORY TARGETS #rust 2024-01-01T00:00:00.000Z");
    bench.server("@batch=t :s CHATHISTORY TARGETS bob nonsense");
    bench.server("@batch=t :s CHATHISTORY TARGETS carol 1970-01-01T00:00:01.000Z");
    bench.server(":s CHATHISTORY TARGETS elsewhere 1970-01-01T00:00:01.000Z");
    let targets = vec![("#rust".to_owned(), 1_704_067_200_000), ("carol".to_owned(), 1000)];
    assert_eq!(bench.server("BATCH -t"), [Event::HistoryTargets { request, targets }]);
    let request = bench.session.request_history_targets(0, 1).unwrap();
    bench.sent();
    assert_eq!(bench.server(":s FAIL CHATHISTORY X TARGETS :no"), [failed(request, "", "no")]);
}

#[test]
fn znc_is_asked_for_its_playback() {
    let mut bench = Bench::ready_with_caps("batch server-time znc.in/playback", "NETWORK=Test");
    assert!(bench.session.request_playback(1_704_067_200));
    assert_eq!(bench.sent(), ["PRIVMSG *playback :Play * 1704067200"]);
}

#[rstest]
#[case::long_ago("2023-12-31T00:00:00.000Z", Origin::Playback)]
#[case::an_hour_ago("2024-01-01T11:00:00.000Z", Origin::Playback)]
#[case::before_the_greeting("2024-01-01T11:59:30.000Z", Origin::Live)]
#[case::now("2024-01-01T12:00:10.000Z", Origin::Live)]
#[case::a_clock_that_is_fast("2024-01-02T12:00:00.000Z", Origin::Live)]
#[case::no_time("", Origin::Live)]
fn what_is_older_than_the_connection_is_playback(#[case] time: &str, #[case] expected: Origin) {
    let config = SessionConfig { started_at_ms: 1_704_110_400_000, ..Bench::config() };
    let mut bench = Bench::ready_as(config, "server-time", "NETWORK=Test");
    bench.now += Duration::from_hours(1);
    let events = bench.server(&format!("@time={time} :bob!b@h PRIVMSG #rust :hi"));
    assert_eq!(origins(&events), [expected]);
}

#[test]
fn the_remarks_around_zncs_buffer_are_no_messages() {
    let mut bench = Bench::ready();
    for text in ["Buffer Playback...", "Playback Complete.", "Wiedergabe beendet."] {
        assert_eq!(bench.server(&format!(":***!znc@znc.in PRIVMSG #rust :{text}")), []);
        assert_eq!(bench.server(&format!(":***!znc@znc.in NOTICE #rust :{text}")), []);
    }
    assert_eq!(origins(&bench.server(":bob!b@znc.in PRIVMSG #rust :Buffer Playback...")), [Origin::Live]);
}

#[test]
fn invariant_9_batches_that_are_never_ended_are_bounded() {
    let mut bench = bench();
    let request = ask(&mut bench, "#rust");
    bench.server("BATCH +first chathistory #rust");
    let mut events = Vec::new();
    for n in 0..20_000 {
        events.extend(bench.server(&format!("BATCH +b{n} playback #rust")));
    }
    // The oldest had to go, and so its request has ended.
    assert_eq!(events, [end(request, "#rust", 0)]);
    assert_eq!(bench.session.batches.len(), 64);
    assert_eq!(origins(&bench.server("@batch=b19999 :bob!b@h PRIVMSG #rust :hi")), [Origin::Playback]);
}

#[test]
fn a_batch_in_itself_and_batches_within_batches_cost_nothing() {
    let mut bench = bench();
    bench.server("@batch=a BATCH +a playback #rust");
    bench.server("@batch=a BATCH +a netsplit");
    assert_eq!(origins(&bench.server("@batch=a :bob!b@h PRIVMSG #rust :hi")), [Origin::Playback]);
    bench.server("@batch=a BATCH -a");
    assert_eq!(origins(&bench.server("@batch=a :bob!b@h PRIVMSG #rust :hi")), [Origin::Live]);
    bench.server("BATCH +0 playback #rust");
    for n in 1..10_000 {
        bench.server(&format!("@batch={} BATCH +{n} x", n - 1));
    }
    assert_eq!(origins(&bench.server("@batch=9999 :bob!b@h PRIVMSG #rust :hi")), [Origin::Playback]);
}

#[test]
fn a_reference_that_is_used_again_ends_what_it_stood_for() {
    let mut bench = bench();
    let first = ask(&mut bench, "#rust");
    let second = ask(&mut bench, "#rust");
    bench.server("BATCH +x chathistory #rust");
    bench.server("@batch=x :bob!b@h PRIVMSG #rust :hi");
    assert_eq!(bench.server("BATCH +x chathistory #rust"), [end(first, "#rust", 1)]);
    assert_eq!(bench.server("BATCH -x"), [end(second, "#rust", 0)]);
}

#[rstest]
#[case::nothing("BATCH")]
#[case::no_sign("BATCH x chathistory #rust")]
#[case::no_reference("BATCH +")]
#[case::no_type("BATCH +x")]
#[case::an_end_of_nothing("BATCH -x")]
fn batches_that_are_none_do_no_harm(#[case] line: &str) {
    let mut bench = bench();
    assert_eq!(bench.server(line), []);
    assert_eq!(origins(&bench.server("@batch=x :bob!b@h PRIVMSG #rust :hi")), [Origin::Live]);
}

#[test]
fn invariant_9_requests_are_bounded() {
    let mut bench = bench();
    let taken = (0..1000)
        .filter(|_| {
            bench.sent();
            bench.session.request_history(&target("#rust"), HistoryMark::Latest).is_some()
        })
        .count();
    assert_eq!(taken, 64);
    let (events, _) = bench.wait(Duration::from_secs(31));
    assert_eq!(events.len(), 64);
    assert!(bench.session.request_history(&target("#rust"), HistoryMark::Latest).is_some());
}

#[test]
fn invariant_9_a_list_of_targets_is_bounded() {
    let mut bench = bench();
    bench.session.request_history_targets(0, 1).unwrap();
    bench.sent();
    bench.server("BATCH +t draft/chathistory-targets");
    for n in 0..50_000 {
        bench.server(&format!("@batch=t :s CHATHISTORY TARGETS #c{n} 2024-01-01T00:00:00.000Z"));
    }
    let events = bench.server("BATCH -t");
    let [Event::HistoryTargets { targets, .. }] = &events[..] else { panic!("{}", events.len()) };
    assert_eq!(targets.len(), 1000);
}

#[test]
fn history_is_asked_for_though_many_messages_wait() {
    let config = SessionConfig {
        flood: FloodLimits { burst: 1, interval: Duration::from_secs(1) },
        ..Bench::config()
    };
    let mut bench = Bench::ready_as(config, HISTORY, "CHATHISTORY=50");
    bench.wait(Duration::from_mins(1));
    for id in 0..200 {
        bench.say(id, "#rust", "hello");
    }
    bench.session.request_history(&target("#rust"), HistoryMark::Latest).unwrap();
    let (_, lines) = bench.wait(Duration::from_secs(5));
    assert!(lines.iter().any(|(_, line)| line.starts_with("CHATHISTORY")), "{lines:?}");
}
