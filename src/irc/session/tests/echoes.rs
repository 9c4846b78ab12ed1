//! Echoes and labels: what confirms one message.

use super::*;
use rstest::rstest;

const LABELS: &str = "message-tags batch server-time echo-message labeled-response";

fn with_echo() -> Bench {
    Bench::ready_with_caps("message-tags server-time echo-message", "NETWORK=Test")
}

fn with_labels() -> Bench {
    Bench::ready_with_caps(LABELS, "NETWORK=Test")
}

fn echoed(id: u64) -> Event {
    Event::Echoed { message: MessageId(id), msgid: None, time: None }
}

fn send(bench: &mut Bench, messages: &[(u64, &str, &str)]) -> Vec<String> {
    for (id, target, text) in messages {
        bench.say(*id, target, text);
    }
    bench.sent()
}

fn is_said_elsewhere(events: &[Event]) -> bool {
    matches!(events, [Event::Message { own: true, origin: Origin::Live, .. }])
}

#[test]
fn an_echo_confirms_its_message_and_the_fence_the_rest() {
    let mut bench = with_echo();
    let sent = send(&mut bench, &[(1, "#rust", "one"), (2, "NickServ", "help"), (3, "#rust", "two")]);
    assert_eq!(sent.last().unwrap(), "PING :towline-1");
    let events =
        bench.server("@msgid=abc;time=2024-01-01T00:00:00.000Z :alice!al@host.test PRIVMSG #rust :one");
    let (msgid, time) = (Some("abc".to_owned()), Some(1_704_067_200_000));
    assert_eq!(events, [Event::Echoed { message: MessageId(1), msgid, time }]);
    assert_eq!(bench.server(":alice!al@host.test PRIVMSG #rust :two"), [echoed(3)]);
    assert_eq!(bench.server("PONG towline-1"), [Event::Confirmed { messages: ids(&[2]) }]);
    assert_eq!(bench.session.unconfirmed(), []);
}

#[rstest]
#[case::colours("\x02bold\x02 and \x0304red", "bold and red")]
#[case::cut("a text that is longer than others may get", "a text that is lo")]
#[case::cut_and_bare("\x02a\x02 long text", "a long")]
#[case::a_space_at_the_end("hello ", "hello")]
#[case::other_case_of_the_target("HELLO", "HELLO")]
fn an_echo_is_known_though_the_server_changed_it(#[case] ours: &str, #[case] theirs: &str) {
    let mut bench = with_echo();
    send(&mut bench, &[(1, "#Rust", ours)]);
    assert_eq!(bench.server(&format!(":Alice!al@host.test PRIVMSG #rust :{theirs}")), [echoed(1)]);
}

#[rstest]
#[case::text("PRIVMSG #rust :something else")]
#[case::longer("PRIVMSG #rust :hello you")]
#[case::nothing("PRIVMSG #rust :")]
#[case::target("PRIVMSG #go :hello")]
#[case::kind("NOTICE #rust :hello")]
#[case::action("PRIVMSG #rust :\x01ACTION hello\x01")]
fn what_another_client_said_is_no_echo(#[case] line: &str) {
    let mut bench = with_echo();
    send(&mut bench, &[(1, "#rust", "hello")]);
    let events = bench.server(&format!(":alice!al@host.test {line}"));
    assert!(is_said_elsewhere(&events), "{events:?}");
    assert_eq!(bench.server(":alice!al@host.test PRIVMSG #rust :hello"), [echoed(1)]);
}

#[test]
fn equal_messages_are_echoed_in_their_order_and_whole_ones_before_cut_ones() {
    let mut bench = with_echo();
    send(&mut bench, &[(1, "#rust", "hello"), (2, "#rust", "hello"), (3, "#rust", "he")]);
    for (text, id) in [("he", 3), ("hello", 1), ("hello", 2)] {
        assert_eq!(bench.server(&format!(":alice!al@h PRIVMSG #rust :{text}")), [echoed(id)]);
    }
    assert!(is_said_elsewhere(&bench.server(":alice!al@h PRIVMSG #rust :hello")));
}

#[test]
fn a_message_to_oneself_is_echoed_and_comes() {
    let mut bench = with_echo();
    send(&mut bench, &[(1, "alice", "note")]);
    assert_eq!(bench.server(":alice!al@h PRIVMSG alice :note"), [echoed(1)]);
    assert!(is_said_elsewhere(&bench.server(":alice!al@h PRIVMSG alice :note")));
}

/// Before, what was not one of the session's own messages, such as a line sent by hand, came twice.
#[rstest]
#[case::a_notice("NOTICE alice :note")]
#[case::a_message("PRIVMSG alice :note")]
fn what_is_said_to_oneself_by_hand_comes_once(#[case] line: &str) {
    let own = format!(":alice!al@h {line}");
    let mut bench = with_echo();
    for _ in 0..2 {
        assert!(is_said_elsewhere(&bench.server(&own)));
        assert_eq!(bench.server(&own), []);
    }
    // With labels the echo has that of the command.
    let mut bench = with_labels();
    let number = bench.session.inquire(Line::raw(line).unwrap()).unwrap();
    bench.sent();
    assert!(is_said_elsewhere(&bench.server(&own)));
    let events = bench.server(&format!("@label=q{number} {own}"));
    assert!(matches!(&events[..], [Event::Answered { .. }]), "{events:?}");
    // A message of the session's own is settled by one and comes as the other, whichever is first.
    let mut bench = with_labels();
    for place in 0..4 {
        let sent = send(&mut bench, &[(place, "alice", "note")]);
        let label = sent[0].split(' ').next().unwrap().to_owned();
        let echo = format!("{label} :alice!al@h PRIVMSG alice :note");
        let copy = ":alice!al@h PRIVMSG alice :note".to_owned();
        let lines = if place % 2 == 0 { [copy, echo] } else { [echo, copy] };
        let events: Vec<Event> = lines.iter().flat_map(|line| bench.server(line)).collect();
        let told = events.iter().filter(|event| matches!(event, Event::Message { own: true, .. })).count();
        assert_eq!((told, events.len()), (1, 2), "{events:?}");
    }
}

/// Before, of two equal ones that were on their way together one was told and the other lost.
#[rstest]
#[case::each_with_its_echo(&["", "", "", ""], 2)]
#[case::each_with_its_echo_and_ids(&["@msgid=a ", "@msgid=a ", "@msgid=b ", "@msgid=b "], 2)]
#[case::the_echoes_last_and_ids(&["@msgid=a ", "@msgid=b ", "@msgid=a ", "@msgid=b "], 2)]
#[case::ids_of_one_copy_each(&["@msgid=a ", "", "@msgid=b ", ""], 2)]
#[case::three(&["", "", "", "", "", ""], 3)]
fn equal_messages_to_oneself_are_each_settled_and_told(#[case] tags: &[&str], #[case] messages: u64) {
    let mut bench = with_echo();
    for id in 0..messages {
        bench.say(id, "alice", "note");
    }
    bench.sent();
    let line = ":alice!al@h PRIVMSG alice :note";
    let events: Vec<Event> = tags.iter().flat_map(|tags| bench.server(&format!("{tags}{line}"))).collect();
    let told = events.iter().filter(|event| matches!(event, Event::Message { own: true, .. })).count();
    let settled: Vec<u64> = events
        .iter()
        .filter_map(|event| match event {
            Event::Echoed { message: MessageId(id), .. } => Some(*id),
            _ => None,
        })
        .collect();
    let all: Vec<u64> = (0..messages).collect();
    assert_eq!((settled, told), (all, tags.len() - usize::try_from(messages).unwrap()), "{events:?}");
    // What is said by hand after that comes once again.
    assert!(is_said_elsewhere(&bench.server(line)));
    assert_eq!(bench.server(line), []);
}

/// Before, an equal one that waited took the echo of what was said by hand, with its id.
#[test]
fn what_is_said_to_oneself_by_hand_settles_no_equal_message() {
    let mut bench = with_echo();
    let by_hand = "@msgid=a :alice!al@h PRIVMSG alice :note";
    assert!(is_said_elsewhere(&bench.server(by_hand)));
    send(&mut bench, &[(1, "alice", "note")]);
    assert_eq!(bench.server(by_hand), []);
    let events = bench.server("@msgid=b :alice!al@h PRIVMSG alice :note");
    assert!(matches!(&events[..], [Event::Echoed { message: MessageId(1), .. }]), "{events:?}");
}

/// With labels the echo has one: all others are messages.
#[test]
fn with_labels_nothing_that_is_said_to_oneself_is_taken_for_an_echo() {
    let mut bench = with_labels();
    let line = ":alice!al@h PRIVMSG alice :note";
    for _ in 0..2 {
        assert!(is_said_elsewhere(&bench.server(line)));
    }
    // What another client said comes as two copies of one id.
    assert!(is_said_elsewhere(&bench.server(&format!("@msgid=a {line}"))));
    assert_eq!(bench.server(&format!("@msgid=a {line}")), []);
}

#[test]
fn invariant_9_copies_of_what_is_said_to_oneself_are_bounded() {
    let mut bench = with_echo();
    for id in 0..1000 {
        bench.server(&format!("@msgid={id} :alice!al@h NOTICE alice :note {id}"));
    }
    assert_eq!(bench.server("@msgid=999 :alice!al@h NOTICE alice :note 999"), []);
    assert!(is_said_elsewhere(&bench.server("@msgid=0 :alice!al@h NOTICE alice :note 0")));
}

#[test]
fn what_is_said_to_oneself_again_is_another_message() {
    let mut bench = with_echo();
    for id in ["one", "two", "three"] {
        let line = format!("@msgid={id} :alice!al@h NOTICE alice :note");
        assert!(is_said_elsewhere(&bench.server(&line)), "{id}");
        if id == "two" {
            assert_eq!(bench.server(&line), []);
        }
    }
    // Without ids, by the time.
    let mut bench = with_echo();
    for _ in 0..2 {
        assert!(is_said_elsewhere(&bench.server(":alice!al@h NOTICE alice :note")));
        bench.now += Duration::from_secs(6);
    }
    // To others it comes once.
    let mut bench = with_echo();
    for _ in 0..2 {
        assert!(is_said_elsewhere(&bench.server(":alice!al@h NOTICE bob :note")));
    }
}

#[test]
fn an_echo_that_comes_after_the_pong_is_still_ours_for_a_minute() {
    let mut bench = with_echo();
    send(&mut bench, &[(1, "#rust", "hello"), (2, "#rust", "again")]);
    assert_eq!(bench.server("PONG towline-1"), [Event::Confirmed { messages: ids(&[1, 2]) }]);
    bench.now += Duration::from_secs(50);
    assert_eq!(bench.server(":alice!al@h PRIVMSG #rust :hello"), [echoed(1)]);
    bench.now += Duration::from_secs(20);
    assert!(is_said_elsewhere(&bench.server(":alice!al@h PRIVMSG #rust :again")));
}

#[test]
fn with_echoes_an_error_of_a_channel_is_about_the_first_that_had_none() {
    let mut bench = with_echo();
    send(&mut bench, &[(1, "#rust", "one"), (2, "#rust", "two"), (3, "#rust", "three")]);
    bench.server(":alice!al@h PRIVMSG #rust :one");
    let events = bench.server(":s 404 alice #rust :no colours here");
    assert!(
        matches!(&events[..], [Event::Refused { messages, certain: true, .. }] if *messages == ids(&[2])),
        "{events:?}"
    );
    assert_eq!(bench.server(":alice!al@h PRIVMSG #rust :three"), [echoed(3)]);
    assert_eq!(bench.server("PONG towline-1"), []);
}

#[rstest]
#[case::of_a_nick("bob", None)]
#[case::after_an_echo_that_was_none("#rust", Some("one, but censored"))]
fn an_error_that_may_be_about_several_is_uncertain_and_an_echo_clears_it(
    #[case] target: &str,
    #[case] strange: Option<&str>,
) {
    let mut bench = with_echo();
    send(&mut bench, &[(1, target, "one"), (2, target, "two")]);
    if let Some(text) = strange {
        assert!(is_said_elsewhere(&bench.server(&format!(":alice!al@h PRIVMSG {target} :{text}"))));
    }
    let events = bench.server(&format!(":s 404 alice {target} :no"));
    assert!(
        matches!(&events[..], [Event::Refused { messages, certain: false, .. }] if *messages == ids(&[1, 2])),
        "{events:?}"
    );
    assert_eq!(bench.server(&format!(":alice!al@h PRIVMSG {target} :two")), [echoed(2)]);
    assert_eq!(bench.server("PONG towline-1"), []);
}

#[test]
fn an_echo_from_a_server_whose_clock_is_slow_is_an_echo() {
    let config = SessionConfig { started_at_ms: 1_704_110_400_000, ..Bench::config() };
    let mut bench = Bench::ready_as(config, "server-time echo-message", "NETWORK=Test");
    send(&mut bench, &[(1, "#rust", "hello")]);
    let events = bench.server("@time=2024-01-01T11:00:00.000Z :alice!al@h PRIVMSG #rust :hello");
    assert!(matches!(&events[..], [Event::Echoed { message: MessageId(1), .. }]), "{events:?}");
}

#[test]
fn without_the_capability_nothing_is_an_echo() {
    let mut bench = Bench::ready();
    send(&mut bench, &[(1, "#rust", "hello")]);
    assert!(is_said_elsewhere(&bench.server(":alice!al@h PRIVMSG #rust :hello")));
    assert_eq!(bench.session.unconfirmed(), ids(&[1]));
}

#[test]
fn invariant_10_what_waits_for_its_echo_shows_no_words() {
    let mut bench = with_echo();
    send(&mut bench, &[(1, "NickServ", "IDENTIFY sesame")]);
    let shown = format!("{:?}", bench.session);
    assert!(!shown.contains("sesame"), "{shown}");
}

#[rstest]
#[case::nothing(&[])]
#[case::no_echo(&["echo-message"])]
#[case::no_batch(&["batch"])]
#[case::no_tags(&["message-tags"])]
fn labels_need_all_that_they_rest_on(#[case] missing: &[&str]) {
    let caps: Vec<_> = LABELS.split(' ').filter(|name| !missing.contains(name)).collect();
    let mut bench = Bench::ready_with_caps(&caps.join(" "), "NETWORK=Test");
    let sent = send(&mut bench, &[(1, "#rust", "one")]);
    if missing.is_empty() {
        assert_eq!(sent, ["@label=m1 PRIVMSG #rust :one"]);
    } else {
        assert_eq!(sent, ["PRIVMSG #rust :one", "PING :towline-1"]);
    }
}

#[rstest]
#[case::echo("@label=m2;msgid=x :alice!al@h PRIVMSG #rust :changed by the server", Event::Echoed { message: MessageId(12), msgid: Some("x".into()), time: None })]
#[case::ack("@label=m2 :irc.test ACK", Event::Confirmed { messages: ids(&[12]) })]
#[case::fail("@label=m2 :irc.test FAIL PRIVMSG CANNOT :no", Event::Refused { messages: ids(&[12]), certain: true, code: 0, reason: "no".into() })]
#[case::error("@label=m2 :irc.test 404 alice #rust :no", Event::Refused { messages: ids(&[12]), certain: true, code: 404, reason: "no".into() })]
#[case::error_of_a_kind_that_is_not_about_messages("@label=m2 :irc.test 447 alice #rust :no", Event::Refused { messages: ids(&[12]), certain: true, code: 447, reason: "no".into() })]
fn a_label_names_its_message_and_no_other(#[case] line: &str, #[case] expected: Event) {
    let mut bench = with_labels();
    let sent = send(&mut bench, &[(11, "#rust", "one"), (12, "#rust", "one"), (13, "#rust", "one")]);
    assert_eq!(sent[1], "@label=m2 PRIVMSG #rust :one");
    assert_eq!(sent.len(), 3, "no PING");
    assert_eq!(bench.server(line), [expected]);
    assert_eq!(bench.session.unconfirmed(), ids(&[11, 13]));
    // The same again is about nothing that waits, and nobody said it elsewhere.
    let again = bench.server(line);
    let settles = |event: &Event| {
        matches!(
            event,
            Event::Confirmed { .. } | Event::Refused { .. } | Event::Message { .. } | Event::Echoed { .. }
        )
    };
    assert!(!again.iter().any(settles), "{again:?}");
    assert_eq!(bench.session.unconfirmed(), ids(&[11, 13]));
}

#[test]
fn an_answer_of_several_lines_is_one_answer() {
    let mut bench = with_labels();
    send(&mut bench, &[(1, "bob", "one"), (2, "bob", "two"), (3, "bob", "three")]);
    assert_eq!(bench.server("@label=m1 :s BATCH +x labeled-response"), []);
    assert!(matches!(
        bench.server("@batch=x :s 301 alice bob :gone")[..],
        [Event::Numeric { code: 301, .. }]
    ));
    assert_eq!(bench.server("@batch=x :alice!al@h PRIVMSG bob :one"), [echoed(1)]);
    assert_eq!(bench.server("BATCH -x"), []);
    // Without an echo, its end confirms; with an error, the message is refused though it is in a batch.
    bench.server("@label=m2 :s BATCH +y labeled-response");
    assert!(matches!(
        bench.server("@batch=y :s 301 alice bob :gone")[..],
        [Event::Numeric { code: 301, .. }]
    ));
    assert_eq!(bench.server("BATCH -y"), [Event::Confirmed { messages: ids(&[2]) }]);
    bench.server("@label=m3 :s BATCH +z labeled-response");
    let events = bench.server("@batch=z :s 401 alice bob :No such nick");
    assert!(matches!(&events[..], [Event::Refused { certain: true, code: 401, .. }]), "{events:?}");
    assert_eq!(bench.server("BATCH -z"), []);
}

#[test]
fn a_single_answer_that_is_no_error_confirms() {
    let mut bench = with_labels();
    send(&mut bench, &[(1, "bob", "one")]);
    let events = bench.server("@label=m1 :s 301 alice bob :gone");
    assert!(matches!(&events[..], [Event::Numeric { code: 301, .. }, Event::Confirmed { .. }]), "{events:?}");
}

#[test]
fn a_label_that_is_never_answered_gets_a_fence_after_five_seconds() {
    let mut bench = with_labels();
    send(&mut bench, &[(1, "#rust", "one"), (2, "NickServ", "help")]);
    bench.server("@label=m1 :alice!al@h PRIVMSG #rust :one");
    let (events, lines) = bench.wait(Duration::from_secs(10));
    assert_eq!((events, lines), (vec![], vec![(5, "PING :towline-1".to_owned())]));
    assert_eq!(bench.server("PONG towline-1"), [Event::Confirmed { messages: ids(&[2]) }]);
    // The echo after all.
    assert_eq!(bench.server("@label=m2 :alice!al@h PRIVMSG NickServ :help"), [echoed(2)]);
    assert_eq!(bench.wait(Duration::from_secs(30)).1, []);
}

#[test]
fn answers_in_time_need_no_ping() {
    let mut bench = with_labels();
    for id in 1..=100 {
        assert_eq!(send(&mut bench, &[(id, "#rust", "one")]).len(), 1);
        assert_eq!(bench.wait(Duration::from_secs(2)).1, []);
        assert_eq!(bench.server(&format!("@label=m{id} :alice!al@h PRIVMSG #rust :one")), [echoed(id)]);
    }
}

#[test]
fn what_waits_for_a_label_is_asked_about_before_quit() {
    let mut bench = with_labels();
    send(&mut bench, &[(1, "#rust", "one")]);
    bench.session.quit("bye");
    assert_eq!(bench.sent(), ["PING :towline-1", "QUIT :bye"]);
    assert_eq!(bench.server("PONG towline-1"), [Event::Confirmed { messages: ids(&[1]) }]);
}

#[test]
fn an_unlabelled_error_is_an_answer_only_where_none_with_the_label_comes() {
    let mut bench = with_labels();
    send(&mut bench, &[(1, "#rust", "one")]);
    for line in ["@label=m7 :s 404 alice #rust :no", "@label=m7 :s ACK"] {
        bench.server(line);
        assert_eq!(bench.session.unconfirmed(), ids(&[1]));
    }
    // It may be the answer to a command of the user's.
    let events = bench.server(":s 404 alice #rust :no");
    assert!(matches!(&events[..], [Event::Numeric { code: 404, .. }]), "{events:?}");
    send(&mut bench, &[(2, "#rust", "two"), (3, "bob", "three")]);
    assert_eq!(bench.server("@label=m2 :alice!al@h PRIVMSG #rust :two"), [echoed(2)]);
    let (_, lines) = bench.wait(Duration::from_secs(6));
    assert_eq!(lines, [(5, "PING :towline-1".to_owned())]);
    let reason = "no".to_owned();
    let doubted = Event::Refused { messages: ids(&[1]), certain: false, code: 404, reason };
    assert_eq!(bench.server("PONG towline-1"), [Event::Confirmed { messages: ids(&[3]) }, doubted]);
    // Its echo is no news for all that.
    assert_eq!(bench.server("@label=m1 :alice!al@h PRIVMSG #rust :one"), [echoed(1)]);
}

#[rstest]
#[case::not_ours("x1")]
#[case::empty("")]
#[case::no_number("m")]
#[case::too_long_a_number("m99999999999999999999")]
#[case::no_letter_of_ours("é1")]
fn labels_that_are_not_ours_are_left_alone(#[case] label: &str) {
    let mut bench = with_labels();
    send(&mut bench, &[(1, "#rust", "one")]);
    let events = bench.server(&format!("@label={label} :bob!b@h PRIVMSG #rust :hi"));
    assert!(matches!(&events[..], [Event::Message { own: false, .. }]), "{events:?}");
    assert_eq!(bench.session.unconfirmed(), ids(&[1]));
}

#[test]
fn labels_that_are_withdrawn_leave_a_fence() {
    let mut bench = with_labels();
    send(&mut bench, &[(1, "#rust", "one")]);
    bench.server(":s CAP alice DEL :labeled-response");
    assert_eq!(send(&mut bench, &[(2, "#rust", "two")]), ["PRIVMSG #rust :two", "PING :towline-1"]);
    assert_eq!(bench.server(":alice!al@h PRIVMSG #rust :two"), [echoed(2)]);
    assert_eq!(bench.server("PONG towline-1"), [Event::Confirmed { messages: ids(&[1]) }]);
}

#[test]
fn a_label_takes_nothing_from_the_room_for_text() {
    let mut bench = with_labels();
    let text = "x".repeat(bench.session.text_budget("#rust", MessageKind::Privmsg));
    let sent = send(&mut bench, &[(1, "#rust", &text)]);
    assert!(sent[0].ends_with(&format!(" PRIVMSG #rust :{text}")));
    let mut plain = Bench::ready();
    assert_eq!(text.len(), plain.session.text_budget("#rust", MessageKind::Privmsg));
    plain.sent();
}

#[test]
fn invariant_9_echoes_that_never_come_are_not_waited_for_without_end() {
    let mut bench = with_echo();
    for id in 0..5000 {
        let sent = send(&mut bench, &[(id, "NickServ", "help")]);
        bench.server(&format!("PONG {}", &sent.last().unwrap()["PING :".len()..]));
    }
    assert_eq!(bench.session.unconfirmed(), []);
    let late = (0..5000).filter(|_| !is_said_elsewhere(&bench.server(":alice!al@h PRIVMSG NickServ :help")));
    assert!(late.count() <= 64);
}
