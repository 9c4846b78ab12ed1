//! Sending: fences, refusals, flood control, joins, and how much fits.

use super::*;
use crate::names::Key;
use rstest::rstest;

#[test]
fn a_pong_confirms_what_left_before_its_ping() {
    let mut bench = Bench::ready();
    bench.say(1, "#rust", "one");
    bench.say(2, "bob", "two");
    let out = bench.transmit();
    let lines: Vec<_> = out.lines.iter().map(Line::as_str).collect();
    assert_eq!(lines, ["PRIVMSG #rust :one", "PRIVMSG bob :two", "PING :towline-1"]);
    assert_eq!(out.messages, ids(&[1, 2]));
    bench.say(3, "#rust", "three");
    assert_eq!(bench.sent().last().unwrap(), "PING :towline-2");
    assert_eq!(bench.session.unconfirmed(), ids(&[1, 2, 3]));
    bench.now += Duration::from_millis(250);
    assert_eq!(
        bench.server(":irc.test PONG irc.test :towline-1"),
        [Event::Confirmed { messages: ids(&[1, 2]) }]
    );
    assert_eq!(bench.session.lag(), Some(Duration::from_millis(250)));
    assert_eq!(bench.server("PONG towline-2"), [Event::Confirmed { messages: ids(&[3]) }]);
    assert_eq!(bench.server("PONG towline-2"), []);
    assert_eq!(bench.session.unconfirmed(), []);
}

#[rstest]
#[case::moderated(":s 404 alice #rust :Cannot send to channel", 404)]
#[case::other_case(":s 404 alice #RUST :Cannot send to channel", 404)]
#[case::not_there(":s 403 alice #rust :No such channel", 403)]
#[case::not_in_it(":s 442 alice #rust :You're not on that channel", 442)]
#[case::registered_only(":s 477 alice #rust :You need to be identified", 477)]
#[case::too_long(":s 417 alice :Input line was too long", 417)]
#[case::fail("FAIL PRIVMSG CANNOT_SEND #rust :no", 0)]
#[case::fail_without_a_target("FAIL PRIVMSG INVALID_UTF8 :no", 0)]
fn a_refusal_of_the_only_message_to_a_target_is_certain(#[case] line: &str, #[case] expected: u16) {
    let mut bench = Bench::ready();
    bench.say(1, "#rust", "hello");
    bench.sent();
    let events = bench.server(line);
    let [Event::Refused { messages, certain: true, code, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((messages, *code), (&ids(&[1]), expected));
    assert_eq!(bench.server(":s PONG s :towline-1"), []);
    assert_eq!(bench.session.unconfirmed(), []);
}

#[test]
fn a_refusal_of_one_of_several_is_uncertain_and_told_once() {
    let mut bench = Bench::ready();
    for (id, target) in [(1, "#rust"), (2, "#go"), (3, "#rust")] {
        bench.say(id, target, "hello");
    }
    bench.sent();
    bench.say(4, "#rust", "in the next fence");
    bench.sent();
    let events = bench.server(":s 404 alice #rust :Cannot send");
    let reason = "Cannot send".to_owned();
    assert_eq!(
        events,
        [Event::Refused { messages: ids(&[1, 3]), certain: false, code: 404, reason: reason.clone() }]
    );
    // The second of the two: of the same group, so nothing new; the next is about the next fence.
    assert_eq!(bench.server(":s 404 alice #rust :Cannot send"), []);
    let events = bench.server(":s 404 alice #rust :Cannot send");
    assert_eq!(events, [Event::Refused { messages: ids(&[4]), certain: true, code: 404, reason }]);
    assert_eq!(bench.server(":s PONG s :towline-1"), [Event::Confirmed { messages: ids(&[2]) }]);
}

#[test]
fn an_error_about_nothing_that_waits_is_a_numeric() {
    let mut bench = Bench::ready();
    bench.say(1, "#rust", "hello");
    bench.sent();
    let events = bench.server(":s 401 alice bob :No such nick/channel");
    let params = vec!["bob".to_owned(), "No such nick/channel".to_owned()];
    assert_eq!(events, [Event::Numeric { code: 401, params, text: "bob: No such nick/channel".into() }]);
}

#[test]
fn the_end_of_a_connection_leaves_what_is_uncertain_and_what_never_left() {
    let config = SessionConfig {
        flood: FloodLimits { burst: 2, interval: Duration::from_secs(1) },
        ..Bench::config()
    };
    let mut bench = Bench::ready_with(config, "NETWORK=Test");
    bench.wait(Duration::from_secs(30));
    for id in 1..=5 {
        bench.say(id, "#rust", "hello");
    }
    assert_eq!(bench.transmit().messages, ids(&[1, 2]));
    bench.server("ERROR :Closing Link: h (Ping timeout)");
    assert_eq!((bench.session.unconfirmed(), bench.session.unsent()), (ids(&[1, 2]), ids(&[3, 4, 5])));
    assert!(bench.transmit().is_empty());
}

#[test]
fn people_go_before_joins_and_joins_before_the_rest() {
    let config = SessionConfig {
        flood: FloodLimits { burst: 1, interval: Duration::from_secs(1) },
        ..Bench::config()
    };
    let mut bench = Bench::ready_with(config, "TARGMAX=JOIN:1");
    bench.wait(Duration::from_secs(5));
    bench.session.ask_names("#rust");
    let now = bench.now;
    bench.session.enter(vec![channel("#a"), channel("#b")], Class::Join, now);
    bench.session.command(Line::raw("WHOIS bob").unwrap()).unwrap();
    let lines: Vec<_> = bench.wait(Duration::from_secs(5)).1.into_iter().map(|(_, line)| line).collect();
    assert_eq!(lines, ["WHOIS bob", "JOIN #a", "JOIN #b", "NAMES #rust"]);
}

#[test]
fn nothing_leaves_before_the_session_is_ready_nor_after_quit() {
    let mut bench = Bench::new(Bench::config());
    bench.say(1, "#rust", "early");
    bench.session.command(Line::raw("WHOIS bob").unwrap()).unwrap();
    assert!(bench.sent().iter().all(|line| !line.contains("bob") && !line.contains("early")));
    bench.server(":s 001 alice :Welcome");
    bench.server(":s 422 alice :No MOTD");
    assert_eq!(bench.sent(), ["PRIVMSG #rust :early", "WHOIS bob", "PING :towline-1"]);
    bench.say(2, "#rust", "late");
    bench.session.quit("bye\r\nJOIN #x");
    assert_eq!(bench.sent(), ["QUIT :byeJOIN #x"]);
    assert_eq!((bench.session.unsent(), bench.session.state()), (ids(&[2]), State::Closing));
    let events = bench.server("ERROR :Closing Link: h (Quit: banned)");
    assert_eq!(disconnected(&events), Some(Verdict::Retry));
}

#[test]
fn two_hundred_channels_need_few_lines_that_all_fit() {
    let mut channels: Vec<_> =
        (0..200).map(|n| (channel(&format!("#channel-number-{n:03}")), None)).collect();
    channels[150].1 = Some(Key::new("sesame").unwrap());
    channels[199].1 = Some(Key::new("open").unwrap());
    let config = SessionConfig { channels: channels.clone(), ..Bench::config() };
    let mut bench = Bench::ready_with(config, "NETWORK=Test");
    // The greeting's lines went with `ready_with`; ask anew, as nothing was entered.
    bench.session.join(&channels);
    let out = bench.transmit();
    assert!(out.lines.len() >= 8 && out.lines.len() <= 10, "{}", out.lines.len());
    assert!(out.lines.iter().all(|line| line.len() <= 512));
    let with_key = |key: &str| out.lines.iter().map(Line::as_str).find(|line| line.ends_with(key)).unwrap();
    assert!(with_key(" sesame").starts_with("JOIN #channel-number-150,#channel-number-"));
    assert!(with_key(" open").starts_with("JOIN #channel-number-199"));
    assert!(out.lines[0].as_str().starts_with("JOIN #channel-number-000,#channel-number-001,"));
    let joined: std::collections::BTreeSet<_> =
        out.lines.iter().flat_map(|line| line.as_str().split(' ').nth(1).unwrap().split(',')).collect();
    assert_eq!(joined.len(), 200);
}

#[test]
fn joins_keep_to_targmax() {
    let mut bench = Bench::ready_with(Bench::config(), "TARGMAX=PRIVMSG:4,JOIN:3");
    let channels: Vec<_> = (0..7).map(|n| (channel(&format!("#c{n}")), None)).collect();
    bench.session.join(&channels);
    assert_eq!(bench.sent(), ["JOIN #c0,#c1,#c2", "JOIN #c3,#c4,#c5", "JOIN #c6"]);
}

#[rstest]
#[case::line_feed("a\nQUIT")]
#[case::carriage_return("a\rQUIT")]
#[case::null("a\0b")]
#[case::empty("")]
fn invariant_3_a_message_that_is_no_line_is_refused(#[case] text: &str) {
    let mut bench = Bench::ready();
    for kind in [MessageKind::Privmsg, MessageKind::Notice, MessageKind::Action] {
        let target = Target::Channel(channel("#rust"));
        let message = OutgoingMessage { id: MessageId(1), target, kind, text: text.to_owned(), reply: None };
        assert!(matches!(bench.session.message(message), Err(SendError::Text(_))));
    }
    assert_eq!(bench.sent(), [""; 0]);
}

#[test]
fn what_people_write_is_never_a_ctcp_request() {
    let mut bench = Bench::ready();
    bench.say(1, "bob", "\x01VERSION\x01");
    let target = Target::Nick(nick("bob"));
    let action = OutgoingMessage {
        id: MessageId(2),
        target,
        kind: MessageKind::Action,
        text: "waves".into(),
        reply: None,
    };
    bench.session.message(action).unwrap();
    assert_eq!(bench.sent()[..2], ["PRIVMSG bob :VERSION", "PRIVMSG bob :\x01ACTION waves\x01"]);
}

#[test]
fn invariant_9_a_server_that_confirms_nothing_stops_the_messages() {
    let mut bench = Bench::ready();
    let target = Target::Channel(channel("#rust"));
    let taken = (0..100_000)
        .take_while(|&id| {
            let message = OutgoingMessage {
                id: MessageId(id),
                target: target.clone(),
                kind: MessageKind::Notice,
                text: "x".into(),
                reply: None,
            };
            let taken = bench.session.message(message);
            bench.sent();
            taken == Ok(())
        })
        .count();
    assert!((1000..5000).contains(&taken), "{taken}");
}

#[rstest]
#[case::message("#rust", MessageKind::Privmsg)]
#[case::notice("bob", MessageKind::Notice)]
#[case::action("#a-long-name-of-a-channel", MessageKind::Action)]
fn the_budget_is_what_others_receive_in_512_bytes(#[case] target: &str, #[case] kind: MessageKind) {
    let mut bench = Bench::in_channel("bob");
    let parsed = Target::parse(target, bench.session.isupport()).unwrap();
    let text = "x".repeat(bench.session.text_budget(target, kind));
    bench
        .session
        .message(OutgoingMessage { id: MessageId(1), target: parsed, kind, text, reply: None })
        .unwrap();
    let sent = bench.sent().remove(0);
    assert_eq!(format!(":alice!al@host.test {sent}\r\n").len(), 512);
}

#[test]
fn the_budget_follows_what_is_known_of_us() {
    let mut bench = Bench::new(Bench::config());
    let budget = |bench: &Bench| bench.session.text_budget("#rust", MessageKind::Privmsg);
    let rest = 512 - ":alice!@ PRIVMSG #rust :\r\n".len();
    bench.server(":irc.test 001 alice :Welcome");
    assert_eq!(budget(&bench), rest - 10 - 63);
    bench.server(":irc.test 005 alice USERLEN=18 HOSTLEN=40 :are supported");
    assert_eq!(budget(&bench), rest - 18 - 40);
    bench.server(":alice!al@h.example JOIN #rust");
    assert_eq!(budget(&bench), rest - 2 - 9);
    bench.server(":irc.test 396 alice cloak :is now your displayed host");
    assert_eq!(budget(&bench), rest - 2 - 5);
    bench.server(":alice!al@cloak CHGHOST user host.test");
    assert_eq!(budget(&bench), rest - 4 - 9);
    bench.server(":irc.test 353 alice = #rust :@alice!us@h bob!xx@yyyyy");
    assert_eq!(budget(&bench), rest - 2 - 1);
    bench.server(":irc.test 005 alice LINELEN=2048 :are supported");
    assert_eq!(budget(&bench), rest - 3 + 1536);
}

/// ZNC answers PING itself: what it says of the network is nothing.
#[rstest]
#[case::end_of_names(":irc.test 366 alice #towline-1 :End of /NAMES list.")]
#[case::no_such_channel(":irc.test 403 alice #towline-1 :No such channel")]
fn behind_znc_the_network_itself_confirms(#[case] answer: &str) {
    let mut bench = Bench::new(Bench::config());
    bench.sent();
    bench.server(":irc.znc.in CAP unknown-nick LS :");
    for line in [":irc.test 001 alice :Welcome", ":irc.test 422 alice :No MOTD"] {
        bench.server(line);
    }
    bench.sent();
    bench.say(1, "#rust", "hello");
    assert_eq!(bench.sent(), ["PRIVMSG #rust :hello", "NAMES #towline-1"]);
    assert_eq!(bench.server(":irc.znc.in PONG irc.znc.in towline-1"), []);
    assert_eq!(bench.server(answer), [Event::Confirmed { messages: ids(&[1]) }]);
    // Without messages the link to ZNC is all that is asked about.
    let (_, lines) = bench.wait(Duration::from_secs(95));
    assert_eq!(lines, [(90, "PING :towline".to_owned())]);
}
