//! Messages of several lines, both ways.

use super::*;
use crate::irc::caps::CapabilityWishes;
use rstest::rstest;

const CAPS: &str = "message-tags batch server-time draft/multiline=max-bytes=4096,max-lines=24";
const LABELS: &str = "echo-message labeled-response";

/// With what the server offers, granted by its bare name.
fn bench_with(more: &str) -> Bench {
    let mut bench = Bench::new(Bench::config());
    bench.sent();
    let offered = format!("{CAPS} {more}");
    bench.server(&format!("CAP * LS :{offered}"));
    let names: Vec<&str> = offered.split_whitespace().filter_map(|name| name.split('=').next()).collect();
    bench.server(&format!("CAP * ACK :{}", names.join(" ")));
    bench.server(":irc.test 001 alice :Welcome to Test alice!al@host.test");
    bench.server(":irc.test 422 alice :No MOTD");
    bench.sent();
    bench
}

fn all(bench: &mut Bench, lines: &[&str]) -> Vec<Event> {
    lines.iter().flat_map(|line| bench.server(line)).collect()
}

fn pieces(text: &str) -> Vec<Piece> {
    let piece = |text: &str| match text.strip_prefix('+') {
        Some(text) => Piece { text: text.into(), joins: Joins::Yes },
        None => Piece { text: text.into(), joins: Joins::No },
    };
    text.split('|').map(piece).collect()
}

fn say_long(bench: &mut Bench, id: u64, text: &str) {
    let target = Target::Channel(channel("#rust"));
    bench.session.long_message(MessageId(id), target, &pieces(text), None).unwrap();
}

fn texts(events: &[Event]) -> Vec<(&str, Option<&str>)> {
    let mut texts = Vec::new();
    for event in events {
        if let Event::Message { text, msgid, .. } = event {
            texts.push((text.as_str(), msgid.as_deref()));
        }
    }
    texts
}

#[test]
fn a_batch_is_one_message_with_the_tags_of_the_batch() {
    let mut bench = bench_with("");
    let events = all(
        &mut bench,
        &[
            "@msgid=x1;time=2024-01-01T00:00:00.000Z;account=bob :bob!b@h BATCH +1 draft/multiline #rust",
            "@batch=1 :bob!b@h PRIVMSG #rust :hello",
            "@batch=1 :bob!b@h PRIVMSG #rust :",
            ":eve!e@h PRIVMSG #rust :in between",
            "@batch=1 :bob!b@h PRIVMSG #rust :how is ",
            "@batch=1;draft/multiline-concat :bob!b@h PRIVMSG #rust :everyone?",
            "BATCH -1",
        ],
    );
    assert_eq!(texts(&events), [("in between", None), ("hello\n\nhow is everyone?", Some("x1"))]);
    let Event::Message { from, account, kind, target, .. } = &events[1] else { panic!("{events:?}") };
    assert_eq!((from.nick.as_str(), account.as_deref()), ("bob", Some("bob")));
    assert_eq!(*kind, IncomingKind::Privmsg);
    assert_eq!(*target, MessageTarget::Channel { name: "#rust".into(), status: None });
}

#[rstest]
#[case::empty(&[])]
#[case::blank(&["@batch=1 :bob!b@h PRIVMSG #rust :", "@batch=1 :bob!b@h PRIVMSG #rust : "])]
fn a_batch_that_says_nothing_is_no_message(#[case] lines: &[&str]) {
    let mut bench = bench_with("");
    bench.server(":bob!b@h BATCH +1 draft/multiline #rust");
    assert_eq!(all(&mut bench, lines), []);
    assert_eq!(bench.server("BATCH -1"), []);
}

#[test]
fn a_line_to_another_target_is_a_message_of_its_own() {
    let mut bench = bench_with("");
    bench.server(":bob!b@h BATCH +1 draft/multiline #rust");
    assert_eq!(texts(&bench.server("@batch=1 :bob!b@h PRIVMSG #go :elsewhere")), [("elsewhere", None)]);
}

#[test]
fn a_batch_in_the_history_is_one_message_of_the_past() {
    let mut bench = bench_with("draft/chathistory");
    let target = Target::Channel(channel("#rust"));
    let request = bench.session.request_history(&target, HistoryMark::Latest).unwrap();
    bench.sent();
    let events = all(
        &mut bench,
        &[
            ":s BATCH +h chathistory #rust",
            "@batch=h;msgid=x1 :bob!b@h BATCH +1 draft/multiline #rust",
            "@batch=1 :bob!b@h PRIVMSG #rust :one",
            "@batch=1 :bob!b@h PRIVMSG #rust :two",
            "@batch=h BATCH -1",
            ":s BATCH -h",
        ],
    );
    assert_eq!(texts(&events), [("one\ntwo", Some("x1"))]);
    assert!(
        matches!(&events[0], Event::Message { origin: Origin::History { request: r }, .. } if *r == request)
    );
    assert!(matches!(&events[1], Event::HistoryEnd { lines: 1, failed: None, .. }));
}

#[test]
fn an_action_of_several_lines_is_an_action() {
    let mut bench = bench_with("");
    bench.server(":bob!b@h BATCH +1 draft/multiline #rust");
    bench.server("@batch=1 :bob!b@h PRIVMSG #rust :\x01ACTION waves");
    bench.server("@batch=1 :bob!b@h PRIVMSG #rust :and smiles\x01");
    let events = bench.server("BATCH -1");
    assert!(matches!(&events[..], [Event::Message { kind: IncomingKind::Action, .. }]));
    assert_eq!(texts(&events), [("waves\nand smiles", None)]);
}

#[test]
fn invariant_9_a_batch_without_end_is_told_in_parts_and_loses_nothing() {
    let mut bench = bench_with("");
    bench.server("@msgid=x1 :bob!b@h BATCH +1 draft/multiline #rust");
    let mut events = Vec::new();
    for n in 0..1000 {
        events.extend(bench.server(&format!("@batch=1 :bob!b@h PRIVMSG #rust :{n:0>100}")));
    }
    events.extend(bench.server("BATCH -1"));
    let told = texts(&events);
    assert!(told.iter().all(|(text, _)| text.len() <= 16 * 1024) && told.len() < 10);
    assert_eq!(told.iter().map(|(text, _)| text.lines().count()).sum::<usize>(), 1000);
    let ids: Vec<_> = told.iter().filter_map(|(_, msgid)| *msgid).collect();
    assert_eq!(ids, ["x1"]);
}

#[test]
fn invariant_9_so_many_batches_may_be_open_and_the_oldest_is_told_first() {
    let mut bench = bench_with("");
    let mut events = Vec::new();
    for n in 0..100 {
        events.extend(bench.server(&format!(":bob!b@h BATCH +{n} draft/multiline #rust")));
        events.extend(bench.server(&format!("@batch={n} :bob!b@h PRIVMSG #rust :{n}")));
    }
    events.extend(bench.server(":bob!b@h BATCH +x draft/multiline #rust"));
    assert_eq!(bench.session.batches.len(), 64);
    assert_eq!(texts(&events).len(), 37);
    assert_eq!(texts(&events)[0].0, "0");
}

#[rstest]
#[case::both("max-bytes=4096,max-lines=24", Some((4096, 24)))]
#[case::bytes_alone("max-bytes=400", Some((400, 100)))]
#[case::more_than_we_send("max-lines=1000,max-bytes=1000000,x=y", Some((16_384, 100)))]
#[case::no_bytes("max-lines=24", None)]
#[case::nonsense("max-bytes=x", None)]
#[case::one_line("max-bytes=400,max-lines=1", None)]
fn the_server_says_how_long_a_message_may_be(#[case] value: &str, #[case] limits: Option<(usize, usize)>) {
    let mut bench = bench_with("");
    bench.server("CAP me DEL :draft/multiline");
    assert_eq!(bench.session.multiline(), None);
    bench.server(&format!("CAP me NEW :draft/multiline={value}"));
    bench.server("CAP me ACK :draft/multiline");
    let limits = limits.map(|(bytes, lines)| MultilineLimits { bytes, lines });
    assert_eq!(bench.session.multiline(), limits);
}

#[test]
fn a_message_of_several_lines_leaves_as_one_batch_with_one_label() {
    let mut bench = bench_with(LABELS);
    say_long(&mut bench, 7, "one|+ and more||two\x01");
    let transmit = bench.transmit();
    assert_eq!(transmit.messages, ids(&[7]));
    let lines: Vec<&str> = transmit.lines.iter().map(Line::as_str).collect();
    let expected = [
        "@label=m1 BATCH +1 draft/multiline #rust",
        "@batch=1 PRIVMSG #rust :one",
        "@batch=1;draft/multiline-concat PRIVMSG #rust : and more",
        "@batch=1 PRIVMSG #rust :",
        "@batch=1 PRIVMSG #rust :two",
        "BATCH -1",
    ];
    assert_eq!(lines, expected);
    let events = all(
        &mut bench,
        &[
            "@label=m1;msgid=x1 :alice!al@host.test BATCH +9 draft/multiline #rust",
            "@batch=9 :alice!al@host.test PRIVMSG #rust :one",
            "@batch=9;draft/multiline-concat :alice!al@host.test PRIVMSG #rust : and more",
            "@batch=9 :alice!al@host.test PRIVMSG #rust :",
            "@batch=9 :alice!al@host.test PRIVMSG #rust :two",
            "BATCH -9",
        ],
    );
    assert_eq!(events, [Event::Echoed { message: MessageId(7), msgid: Some("x1".into()), time: None }]);
    assert_eq!(bench.session.unconfirmed(), []);
}

#[rstest]
#[case::acknowledged("@label=m1 :s ACK", Event::Confirmed { messages: ids(&[7]) })]
#[case::refused("@label=m1 :s 404 alice #rust :Cannot send",
    Event::Refused { messages: ids(&[7]), certain: true, code: 404, reason: "Cannot send".into() })]
#[case::too_long("@label=m1 :s FAIL BATCH MULTILINE_MAX_LINES 3 :Too many",
    Event::MultilineRefused { message: MessageId(7), reason: Some("Too many".into()) })]
#[case::too_slow("@label=m1 :s FAIL BATCH TIMEOUT :Too slow",
    Event::Refused { messages: ids(&[7]), certain: true, code: 0, reason: "Too slow".into() })]
fn a_labelled_batch_has_one_answer(#[case] answer: &str, #[case] event: Event) {
    let mut bench = bench_with(LABELS);
    say_long(&mut bench, 7, "one|two");
    bench.sent();
    assert_eq!(bench.server(answer), [event]);
    assert_eq!(bench.session.unconfirmed(), []);
}

#[test]
fn without_labels_each_batch_has_its_fence_and_an_error_is_about_the_oldest() {
    let mut bench = bench_with("");
    say_long(&mut bench, 7, "one|two");
    say_long(&mut bench, 8, "three|four");
    let sent = bench.sent();
    assert_eq!(sent.iter().filter(|line| line.starts_with("PING")).count(), 2);
    let events = bench.server(":s FAIL BATCH MULTILINE_MAX_BYTES 3 :Too long");
    assert_eq!(events, [Event::MultilineRefused { message: MessageId(7), reason: Some("Too long".into()) }]);
    assert_eq!(bench.server("PONG towline-1"), []);
    assert_eq!(bench.server("PONG towline-2"), [Event::Confirmed { messages: ids(&[8]) }]);
}

#[rstest]
#[case::alone("")]
#[case::with_echoes("echo-message")]
fn a_server_may_refuse_each_line_and_no_other_message_is_meant(#[case] caps: &str) {
    let mut bench = bench_with(caps);
    say_long(&mut bench, 7, "one|two|three");
    bench.say(8, "#rust", "four");
    bench.sent();
    let error = ":s 404 alice #rust :Cannot send";
    let (messages, reason) = (ids(&[7]), "Cannot send".to_owned());
    let refused = Event::Refused { messages, certain: true, code: 404, reason };
    assert_eq!(all(&mut bench, &[error, error, error]), [refused]);
    bench.server("PONG towline-1");
    assert_eq!(bench.server("PONG towline-2"), [Event::Confirmed { messages: ids(&[8]) }]);
}

#[test]
fn an_echo_without_a_label_is_known_by_its_text() {
    let mut bench = bench_with("echo-message");
    say_long(&mut bench, 7, "one|+ and more|two");
    bench.sent();
    let events = all(
        &mut bench,
        &[
            "@msgid=x1 :alice!al@host.test BATCH +9 draft/multiline #rust",
            "@batch=9 :alice!al@host.test PRIVMSG #rust :one and more",
            "@batch=9 :alice!al@host.test PRIVMSG #rust :two",
            "BATCH -9",
        ],
    );
    assert_eq!(events, [Event::Echoed { message: MessageId(7), msgid: Some("x1".into()), time: None }]);
}

#[test]
fn what_waits_when_the_server_takes_no_batches_any_more_is_given_back() {
    let config = SessionConfig {
        flood: FloodLimits { burst: 1, interval: Duration::from_mins(1) },
        ..Bench::config()
    };
    let mut bench = Bench::ready_as(config, "message-tags batch", "NETWORK=Test");
    bench.server("CAP me NEW :draft/multiline=max-bytes=4096");
    bench.server("CAP me ACK :draft/multiline");
    bench.say(6, "#rust", "zero");
    say_long(&mut bench, 7, "one|two");
    bench.say(8, "#rust", "three");
    let events = bench.server("CAP me DEL :batch");
    assert_eq!(events, [Event::MultilineRefused { message: MessageId(7), reason: None }]);
    bench.server("CAP me NEW :batch");
    bench.server("CAP me ACK :batch draft/multiline");
    say_long(&mut bench, 9, "one|two");
    bench.session.set_capabilities("-draft/multiline".parse::<CapabilityWishes>().unwrap());
    assert_eq!(bench.session.refuse_multiline(), ids(&[9]));
}
