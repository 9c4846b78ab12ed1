//! Flood control as a session has it: who goes first, what waits, and what the server says about it.

use rstest::rstest;

use super::*;
use crate::irc::flood::Slowdown;

const SECOND: Duration = Duration::from_secs(1);

/// A session at the default pace, rested.
fn bench(isupport: &str) -> Bench {
    paced("", isupport)
}

fn paced(caps: &str, isupport: &str) -> Bench {
    let config = SessionConfig { flood: FloodLimits::default(), ..Bench::config() };
    let mut bench = Bench::ready_as(config, caps, isupport);
    bench.wait(SECOND * 60);
    bench
}

fn bench_that_is_slow(isupport: &str) -> Bench {
    let mut bench = bench(isupport);
    bench.session.slow_down(Slowdown::new(1));
    bench
}

fn messages(lines: &[(u64, String)]) -> Vec<(u64, &str)> {
    let messages = lines.iter().filter(|(_, line)| line.starts_with("PRIVMSG"));
    messages.map(|(second, line)| (*second, line.as_str())).collect()
}

#[test]
fn messages_are_paced_and_pongs_are_not() {
    let mut bench = bench("NETWORK=Test");
    for id in 0..20 {
        bench.say(id, "#rust", "hello");
    }
    let first = bench.sent();
    // The fence after them costs a line of its own.
    assert_eq!(first.iter().filter(|line| line.starts_with("PRIVMSG")).count(), 5);
    assert_eq!(first.len(), 6);
    bench.server("PING :now");
    assert_eq!(bench.sent(), ["PONG :now"]);
    let (_, lines) = bench.wait(SECOND * 50);
    let messages = messages(&lines);
    assert_eq!(messages.len(), 15);
    assert!(messages.windows(2).all(|pair| pair[1].0 > pair[0].0), "{lines:?}");
    // A PING for each message would have halved the rate.
    assert_eq!(lines.len() - messages.len(), 4, "{lines:?}");
}

#[test]
fn long_lines_cost_more_than_short_ones() {
    let mut bench = bench("NETWORK=Test");
    for id in 0..6 {
        bench.say(id, "#rust", &"x".repeat(300));
    }
    // Five seconds each: the debt is ten after two of them.
    assert_eq!(bench.sent().iter().filter(|line| line.starts_with("PRIVMSG")).count(), 2);
}

#[test]
fn a_long_paste_does_not_hold_up_what_is_said_elsewhere() {
    let mut bench = bench("NETWORK=Test");
    for id in 0..100 {
        bench.say(id, "#rust", &id.to_string());
    }
    bench.sent();
    bench.say(100, "bob", "a word");
    bench.session.command(Line::raw("WHOIS carol").unwrap()).unwrap();
    bench.say(101, "BOB", "another");
    let (_, lines) = bench.wait(SECOND * 24);
    let lines: Vec<&str> =
        lines.iter().map(|(_, line)| line.as_str()).filter(|line| !line.starts_with("PING")).collect();
    assert_eq!(
        lines[..6],
        [
            "PRIVMSG #rust :5",
            "PRIVMSG bob :a word",
            "WHOIS carol",
            "PRIVMSG #rust :6",
            "PRIVMSG BOB :another",
            "PRIVMSG #rust :7"
        ],
        "{lines:?}"
    );
}

#[test]
fn invariant_1_a_conversation_keeps_its_order_when_the_other_has_a_new_nick() {
    let mut bench = bench("NETWORK=Test");
    for id in 0..8 {
        bench.say(id, "bob", &id.to_string());
    }
    bench.sent();
    bench.server(":bob!b@h NICK robert");
    bench.say(8, "robert", "8");
    let (_, lines) = bench.wait(SECOND * 30);
    let lines: Vec<&str> = messages(&lines).into_iter().map(|(_, line)| line).collect();
    assert_eq!(lines, ["PRIVMSG robert :5", "PRIVMSG robert :6", "PRIVMSG robert :7", "PRIVMSG robert :8"]);
}

#[test]
fn what_waits_for_somebody_goes_to_their_new_nick_and_to_nobody_who_takes_the_old_one() {
    let mut bench = bench("NETWORK=Test");
    let text = "x".repeat(bench.session.text_budget("bob", MessageKind::Privmsg));
    for id in 0..8 {
        bench.say(id, "bob", &id.to_string());
    }
    bench.say(8, "bob", &text);
    for id in 9..14 {
        bench.say(id, "NickServ", &id.to_string());
    }
    let left = bench.transmit().messages;
    let events = bench.server(":bob!b@h NICK robert");
    let [Event::Refused { messages, certain: true, code: 417, .. }, Event::NickChanged { .. }] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(*messages, ids(&[8]), "nobody gets half of it");
    bench.server(":mallory!m@h NICK bob");
    bench.server(":NickServ!n@h NICK robin");
    let (_, lines) = bench.wait(SECOND * 60);
    let mut lines: Vec<&str> = self::messages(&lines).into_iter().map(|(_, line)| line).collect();
    lines.sort_unstable();
    let is_left = |id: &u64| left.contains(&MessageId(*id));
    let nickserv = (9..14).filter(|id| !is_left(id)).map(|id| format!("PRIVMSG NickServ :{id}"));
    let robert = (0..8).filter(|id| !is_left(id)).map(|id| format!("PRIVMSG robert :{id}"));
    let mut wanted: Vec<String> = nickserv.chain(robert).collect();
    wanted.sort_unstable();
    assert_eq!(lines, wanted);
}

/// Fences hold whatever the order in which targets take turns.
#[test]
fn invariant_1_lines_of_many_targets_are_confirmed_and_refused_as_they_left() {
    let mut bench = bench("NETWORK=Test");
    for id in 0..12 {
        bench.say(id, ["#a", "#b", "#c"][(id / 4) as usize], "hello");
    }
    let first = bench.transmit();
    assert_eq!(first.messages, ids(&[0, 4, 8, 1, 5]));
    let events = bench.server(":s 404 alice #c :no");
    assert!(
        matches!(&events[..], [Event::Refused { messages, certain: true, .. }] if *messages == ids(&[8]))
    );
    assert_eq!(bench.server(":s PONG s :towline-1"), [Event::Confirmed { messages: ids(&[0, 4, 1, 5]) }]);
    assert_eq!(bench.session.unsent(), ids(&[9, 10, 11, 2, 3, 6, 7]));
}

#[test]
fn what_waits_can_be_seen_and_taken_back() {
    let mut bench = bench("NETWORK=Test");
    assert_eq!(bench.session.backlog(bench.now), None);
    for id in 0..12 {
        bench.say(id, if id < 7 { "#rust" } else { "bob" }, "hello");
    }
    bench.transmit();
    let backlog = bench.session.backlog(bench.now).unwrap();
    // Five have gone, and a fence: the debt is twelve, of which eight do not hurt. Six and a fence go before the last.
    assert_eq!(
        backlog,
        Backlog {
            lines: 7,
            messages: 7,
            targets: vec![("bob".into(), 3), ("#rust".into(), 4)],
            last_in: SECOND * 18
        }
    );
    let is_rust = |id: MessageId| id.0 < 7;
    assert_eq!(bench.session.withdraw(is_rust).len(), 4);
    let backlog = bench.session.backlog(bench.now).unwrap();
    assert_eq!((backlog.lines, backlog.last_in), (3, SECOND * 8));
    let (_, lines) = bench.wait(SECOND * 20);
    assert_eq!(messages(&lines), [4, 6, 8].map(|second| (second, "PRIVMSG bob :hello")));
    assert_eq!(bench.session.backlog(bench.now), None);
}

#[test]
fn a_server_that_minds_no_flood_sets_the_pace() {
    let mut bench = bench("SAFERATE");
    for id in 0..100 {
        bench.say(id, "#rust", "hello");
    }
    assert_eq!(bench.transmit().messages.len(), 32);
    assert_eq!(bench.wait(SECOND * 20).1, []);
    bench.server(":s PONG s :towline-1");
    assert_eq!(bench.transmit().messages.len(), 32);
    // One that closed for our pace all the same is not believed.
    let mut bench = bench_that_is_slow("SAFERATE");
    for id in 0..100 {
        bench.say(id, "#rust", "hello");
    }
    assert_eq!(bench.transmit().messages.len(), 3);
    // Labels and echoes answer each.
    let caps = "message-tags batch labeled-response echo-message";
    let mut bench = paced(caps, "soju.im/SAFERATE");
    for id in 0..40 {
        bench.say(id, "#rust", "hello");
    }
    assert_eq!(bench.transmit().messages.len(), 32);
    bench.server("@label=m1 :alice!al@host.test PRIVMSG #rust :hello");
    assert_eq!(bench.transmit().messages.len(), 1);
}

#[test]
fn a_session_that_was_thrown_out_for_its_pace_goes_slower() {
    let mut bench = bench_that_is_slow("NETWORK=Test");
    for id in 0..10 {
        bench.say(id, "#rust", "hello");
    }
    assert_eq!(bench.transmit().messages.len(), 3);
    let (_, lines) = bench.wait(SECOND * 60);
    let seconds: Vec<u64> = messages(&lines).into_iter().map(|(second, _)| second).collect();
    assert_eq!((seconds[0], seconds.len()), (4, 7));
    assert!(seconds.windows(2).all(|pair| pair[1] >= pair[0] + 4), "{seconds:?}");
}

const TOO_FAST: &str = ":s 439 alice bob :Message target change too fast. Please wait 20 seconds.";

/// That the first message waits, as this line says.
fn put_off(line: &str) -> Event {
    let code = line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap();
    let reason = line.split_once(" :").unwrap().1.to_owned();
    Event::PutOff { message: MessageId(1), code, reason }
}

#[test]
fn invariant_1_a_message_to_one_target_too_many_waits_as_long_as_the_server_says() {
    let mut bench = Bench::ready();
    bench.say(1, "bob", "one");
    bench.sent();
    assert_eq!(bench.server(TOO_FAST), [put_off(TOO_FAST)]);
    // What is said to the same person waits behind it, what is said elsewhere does not.
    bench.say(2, "Bob", "two");
    bench.say(3, "#rust", "three");
    assert_eq!(bench.transmit().messages, ids(&[3]));
    assert_eq!((bench.session.unconfirmed(), bench.session.unsent()), (ids(&[3]), ids(&[1, 2])));
    assert_eq!(bench.server(":s PONG s :towline-2"), [Event::Confirmed { messages: ids(&[3]) }]);
    assert_eq!(bench.session.backlog(bench.now).unwrap().last_in, SECOND * 20);
    let (_, lines) = bench.wait(SECOND * 30);
    assert_eq!(messages(&lines), [(20, "PRIVMSG bob :one"), (20, "PRIVMSG Bob :two")]);
    assert_eq!(bench.server(":s PONG s :towline-3"), [Event::Confirmed { messages: ids(&[1, 2]) }]);
}

#[rstest]
#[case::longer_than_anybody_waits(":s 439 alice bob :Please wait 3600 seconds.", 439)]
#[case::of_another_kind(":s 401 alice bob :No such nick", 401)]
fn what_would_wait_too_long_is_refused_and_told(#[case] line: &str, #[case] expected: u16) {
    let mut bench = Bench::ready();
    bench.say(1, "bob", "one");
    bench.sent();
    let events = bench.server(line);
    assert!(
        matches!(&events[..], [Event::Refused { certain: true, code, .. }] if *code == expected),
        "{events:?}"
    );
}

/// Order, and that nothing is said twice, go before that a message arrives by itself.
#[test]
fn invariant_1_what_may_be_about_another_line_is_told_and_not_sent_again() {
    // Two to the same person.
    let mut bench = Bench::ready();
    bench.say(1, "bob", "one");
    bench.say(2, "bob", "two");
    bench.sent();
    let events = bench.server(TOO_FAST);
    assert!(matches!(&events[..], [Event::Refused { certain: false, .. }]), "{events:?}");
    assert_eq!(bench.server(TOO_FAST), []);
    // A command that a person typed.
    let mut bench = Bench::ready();
    bench.session.command(Line::raw("INVITE bob #rust").unwrap()).unwrap();
    bench.say(1, "bob", "one");
    bench.sent();
    let events = bench.server(TOO_FAST);
    assert!(matches!(&events[..], [Event::Refused { .. }]), "{events:?}");
    // A label says which it is.
    let mut bench =
        Bench::ready_with_caps("message-tags batch labeled-response echo-message", "NETWORK=Test");
    bench.session.command(Line::raw("INVITE bob #rust").unwrap()).unwrap();
    bench.say(1, "bob", "one");
    bench.sent();
    let events = bench.server(&format!("@label=m1 {TOO_FAST}"));
    assert_eq!(events, [put_off(TOO_FAST)]);
    assert_eq!(messages(&bench.wait(SECOND * 30).1).len(), 0);
    assert_eq!(bench.session.unconfirmed(), ids(&[1]));
}

/// Before, a message that had arrived went once more, since the error was about what was said before it: that alice
/// types, or an answer to a program.
#[rstest]
#[case::that_she_types(|bench: &mut Bench| {
    let bob = Target::Nick(nick("bob"));
    assert!(bench.session.typing(&bob, Typing::Active, bench.now));
})]
#[case::an_answer_to_a_program(|bench: &mut Bench| {
    bench.server(":bob!b@h PRIVMSG alice :\x01VERSION\x01");
})]
fn invariant_1_what_may_be_about_a_line_of_our_own_puts_nothing_off(#[case] send: fn(&mut Bench)) {
    let begin = || {
        let mut bench = Bench::ready_with_caps("message-tags", "NETWORK=Test");
        send(&mut bench);
        assert_eq!(bench.sent().len(), 1);
        bench
    };
    let mut bench = begin();
    bench.say(1, "bob", "one");
    bench.sent();
    assert_eq!(bench.server(TOO_FAST), []);
    let events = bench.server(":s PONG s :towline-1");
    assert!(matches!(&events[..], [Event::Refused { certain: false, code: 439, .. }]), "{events:?}");
    assert_eq!(bench.session.unsent(), []);
    // Two errors are about both.
    let mut bench = begin();
    bench.say(1, "bob", "one");
    bench.sent();
    assert_eq!(bench.server(TOO_FAST), []);
    assert_eq!(bench.server(TOO_FAST), [put_off(TOO_FAST)]);
    assert_eq!(bench.server(":s PONG s :towline-1"), []);
    // What left before a fence that was answered had its answer before.
    let mut bench = begin();
    bench.say(0, "#rust", "zero");
    bench.sent();
    bench.server(":s PONG s :towline-1");
    bench.say(1, "bob", "one");
    bench.sent();
    assert_eq!(bench.server(TOO_FAST), [put_off(TOO_FAST)]);
}

/// Before, an error about an answer to a program, which has no label, put off a message that has one.
#[test]
fn invariant_1_an_error_without_a_label_puts_off_no_message_with_one() {
    let mut bench =
        Bench::ready_with_caps("message-tags batch labeled-response echo-message", "NETWORK=Test");
    bench.say(1, "bob", "one");
    bench.sent();
    bench.server(TOO_FAST);
    assert_eq!((bench.session.unconfirmed(), bench.session.unsent()), (ids(&[1]), vec![]));
}

#[test]
fn a_message_is_put_off_only_so_often() {
    let mut bench = Bench::ready();
    bench.say(1, "bob", "one");
    for fence in 1..4 {
        assert_eq!(messages(&bench.wait(SECOND * 61).1).len(), 1);
        let line = ":s 707 alice bob :Targets changing too fast, message dropped";
        assert_eq!(bench.server(line), [put_off(line)]);
        bench.server(&format!(":s PONG s :towline-{fence}"));
    }
    bench.wait(SECOND * 61);
    let events = bench.server(":s 707 alice bob :Targets changing too fast, message dropped");
    assert!(matches!(&events[..], [Event::Refused { certain: true, code: 707, .. }]), "{events:?}");
}

#[test]
fn a_command_that_the_server_has_no_time_for_costs_more() {
    let mut bench = bench("NETWORK=Test");
    let seconds = |bench: &mut Bench| {
        bench.server("PING :x");
        for _ in 0..3 {
            bench.session.command(Line::raw("WHOIS bob").unwrap()).unwrap();
        }
        let (_, lines) = bench.wait(SECOND * 60);
        lines
            .iter()
            .filter(|(_, line)| line.starts_with("WHOIS"))
            .map(|(second, _)| *second)
            .collect::<Vec<_>>()
    };
    assert_eq!(seconds(&mut bench), [0, 0, 2]);
    let events =
        bench.server(":s 263 alice WHOIS :Server load is temporarily too heavy. Please wait a while.");
    assert!(matches!(&events[..], [Event::Numeric { code: 263, .. }]), "a person asked: {events:?}");
    assert_eq!(seconds(&mut bench), [0, 2, 10]);
}

#[test]
fn members_are_asked_for_again_when_the_server_has_time() {
    let mut bench = Bench::in_channel("bob");
    bench.session.ask_names("#rust");
    assert_eq!(bench.sent(), ["NAMES #rust"]);
    assert_eq!(bench.server(":s 263 alice NAMES :Server load is temporarily too heavy"), []);
    assert_eq!(bench.wait(SECOND * 31).1, [(30, "NAMES #rust".to_owned())]);
    bench.server(":s 366 alice #rust :End of /NAMES list.");
    let events = bench.server(":s 263 alice NAMES :Server load is temporarily too heavy");
    assert!(matches!(&events[..], [Event::Numeric { .. }]), "{events:?}");
}

#[test]
fn a_channel_too_many_at_a_time_is_tried_again() {
    let mut bench = Bench::ready();
    bench.session.join(&[(channel("#rust"), None)]);
    bench.sent();
    let events = bench.server(":s 439 alice #rust :Message target change too fast. Please wait 104 seconds.");
    assert!(matches!(&events[..], [Event::JoinFailed { code: 439, .. }]), "{events:?}");
    let (_, lines) = bench.wait(SECOND * 200);
    assert_eq!(lines.iter().filter(|(_, line)| line == "JOIN #rust").count(), 1);
}
