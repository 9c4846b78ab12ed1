//! Whatever the server sends: no panic, no endless work, nothing unbounded.

use super::*;
use crate::irc::sasl::Credentials;
use proptest::prelude::*;

/// Lines that mean something to the session, to be mutated.
const LINES: [&str; 124] = [
    "CAP * LS :sasl=PLAIN cap-notify",
    "CAP * LS * :",
    "CAP * ACK :cap-notify sasl",
    "CAP * NAK :sasl",
    "CAP * NEW :sasl",
    "CAP * DEL :sasl",
    "AUTHENTICATE +",
    "CAP * LS :sasl=SCRAM-SHA-256,EXTERNAL,PLAIN cap-notify",
    "CAP * NEW :sasl=SCRAM-SHA-512 sts=duration=10",
    "CAP * LS :sts=port=6697",
    "AUTHENTICATE cj0scz1RVUpELGk9NDA5Ng==",
    "AUTHENTICATE dj02cnJpVFJCaTIzV3BSUi93dHVwK21NaFVaVW4vZEI1bkxUSlJzamw5NUc0PQ==",
    "AUTHENTICATE ZT1pbnZhbGlkLXByb29m",
    ":s 908 alice PLAIN :ok",
    ":s 901 alice alice!a@b :out",
    ":alice!a@b ACCOUNT alice",
    ":alice!a@b ACCOUNT *",
    ":s 311 alice NickServ n services.test * :n",
    ":s 313 alice NickServ :is a Network Service",
    ":s 318 alice NickServ :End",
    ":s 401 alice NickServ :no",
    ":s 307 alice alice :registered",
    ":s 330 alice alice acc :is",
    ":s 318 alice alice :End",
    ":NickServ!n@services.test NOTICE alice :You are now identified",
    ":NickServ!n@services.test NOTICE alice :Invalid password",
    ":s MODE alice +r",
    ":s 900 alice alice!a@b alice :ok",
    ":s 903 alice :ok",
    ":s 904 alice :no",
    ":s 001 alice :Welcome alice!a@b",
    ":s 005 alice CASEMAPPING=ascii PREFIX=(ov)@+ CHANTYPES=#& :ok",
    ":s 005 alice -PREFIX CHANMODES=b,k,l, STATUSMSG=@ TARGMAX=JOIN: LINELEN=1 :ok",
    ":s 376 alice :End",
    ":s 422 alice :No",
    ":alice!a@b JOIN #rust",
    ":bob!b@h JOIN #rust acc :Bob",
    ":bob!b@h PART #rust",
    ":alice!a@b PART #rust,#a",
    ":bob!b@h KICK #rust alice :x",
    ":bob!b@h KICK #rust carol",
    ":bob!b@h QUIT :x",
    ":alice QUIT",
    ":bob!b@h NICK carol",
    ":alice!a@b NICK bob",
    ":alice!a@b NICK :",
    ":s 353 alice = #rust :@alice +bob!b@h carol",
    ":s 366 alice #rust :End",
    ":s MODE #rust +ovklX bob carol key",
    ":s MODE alice +i",
    ":s 324 alice #rust +ntk",
    ":s 332 alice #rust :topic",
    ":bob!b@h TOPIC #rust :x",
    ":bob!b@h INVITE alice #rust",
    ":bob!b@h PRIVMSG #rust :\x01ACTION x\x01",
    ":bob NOTICE alice :x",
    "PING :x",
    "PONG s :towline-1",
    "PONG s :towline-18446744073709551616",
    ":s 404 alice #rust :no",
    ":s 433 alice bob :in use",
    ":s 437 alice",
    ":s 470 alice #rust #b :x",
    ":s 396 alice a@b :host",
    ":b CHGHOST a b",
    "FAIL PRIVMSG X #rust :no",
    "CAP * LS :batch message-tags server-time echo-message labeled-response draft/chathistory \
     draft/multiline=max-bytes=99,max-lines=9 draft/message-redaction draft/read-marker",
    "CAP * NEW :batch message-tags server-time echo-message labeled-response draft/chathistory \
     draft/multiline=max-bytes=99,max-lines=9 draft/message-redaction draft/read-marker",
    "CAP * ACK :server-time message-tags batch echo-message labeled-response draft/chathistory draft/multiline \
     draft/message-redaction draft/read-marker",
    "CAP * DEL :batch",
    "CAP * NAK :batch",
    "BATCH +m draft/multiline #rust",
    "@label=m1;msgid=x :alice!a@b BATCH +m draft/multiline #rust",
    "@batch=x BATCH +m draft/multiline #rust",
    "@batch=m :alice!a@b PRIVMSG #rust :hello",
    "@batch=m;draft/multiline-concat :bob!b@h PRIVMSG #rust :",
    "BATCH -m",
    "FAIL BATCH MULTILINE_MAX_BYTES 9 :no",
    "@label=m1 FAIL BATCH MULTILINE_INVALID :no",
    "@+draft/reply=x;+draft/react=y;+typing=active :bob!b@h TAGMSG #rust",
    ":bob!b@h REDACT #rust x :no",
    "MARKREAD #rust timestamp=2024-01-01T00:00:00.000Z",
    "@bot;+reply=x;draft/relaymsg=y :bob!b@h PRIVMSG alice :hello",
    "CAP * DEL :labeled-response",
    "BATCH +x chathistory #rust",
    "@label=h1 BATCH +x chathistory #rust",
    "@label=m1 BATCH +y labeled-response",
    "@batch=y BATCH +x playback bob",
    "BATCH +t draft/chathistory-targets",
    "@batch=t CHATHISTORY TARGETS #rust 2024-01-01T00:00:00.000Z",
    "BATCH -x",
    "BATCH -y",
    "BATCH -t",
    "@batch=x :alice!a@b PRIVMSG #rust :hello",
    "@batch=y :alice!a@b PRIVMSG #rust :hello",
    ":alice!a@b PRIVMSG #rust :hello",
    "@label=m1 :alice!a@b PRIVMSG #rust :hello",
    "@label=m2 ACK",
    "@label=m1 :s 404 alice #rust :no",
    "FAIL CHATHISTORY X AFTER #rust :no",
    ":s 303 alice_ :",
    ":s 303 alice :alice bob",
    ":s 730 alice_ :alice!a@b,bob",
    ":s 731 alice_ :alice",
    ":s 734 alice_ 1 alice :full",
    ":s 401 alice_ NickServ :no",
    ":s 421 alice_ NICKSERV :unknown",
    ":s 421 alice_ ISON :unknown",
    ":NickServ!s@services NOTICE alice_ :Invalid command.",
    ":s 432 * alice :no",
    ":s 433 * alice :in use",
    ":s 436 * alice :collision",
    ":alice_!a@b NICK alice",
    ":s 403 alice !12ABCchan :no",
    ":s 405 alice #rust :too many",
    ":s 471 alice #rust :full",
    ":s 477 alice #rust :registered only",
    ":s 480 alice #rust :throttle exceeded",
    ":alice!a@b JOIN !12ABCchan",
    ":s 005 alice CHANTYPES=#&!+ MONITOR=10 NICKLEN=5 CASEMAPPING=rfc7613 :ok",
    ":s 324 alice #rust +k sesame",
    ":bob!b@h QUIT :irc.a.net hub.b.net",
    "BATCH +n netsplit irc.a.net hub.b.net",
    "@batch=n :bob!b@h QUIT :x",
];

fn line() -> impl Strategy<Value = String> {
    let known = prop::sample::select(&LINES[..]);
    // Cut anywhere, a parameter dropped, or a piece replaced.
    (known, 0_u8..8, any::<prop::sample::Index>(), "[ -~é\\x01]{0,4}").prop_map(|(line, how, at, piece)| {
        let words: Vec<&str> = line.split(' ').collect();
        let word = at.index(words.len());
        match how {
            0 => line.chars().take(at.index(line.len())).collect(),
            1 => words
                .iter()
                .enumerate()
                .filter(|(n, _)| *n != word)
                .map(|(_, w)| *w)
                .collect::<Vec<_>>()
                .join(" "),
            2 => line.replacen(words[word], &piece, 1),
            3 => format!("{line}{piece}"),
            _ => line.to_owned(),
        }
    })
}

proptest! {
    #[test]
    fn no_server_makes_a_session_panic_or_spin(
        steps in prop::collection::vec((line(), 0_u8..15, 0_u64..200), 1..120),
        sasl in any::<bool>(),
        required in any::<bool>(),
        tls in any::<bool>(),
        by_nickserv in any::<bool>(),
    ) {
        let credentials =
            Credentials { account: "alice".into(), password: Some("sesame".into()), certificate: required };
        let config = SessionConfig {
            sasl: sasl.then_some(credentials),
            login_required: required,
            login: if by_nickserv { LoginMethod::NickServ(None) } else { LoginMethod::Sasl },
            secure: true,
            tls,
            channels: vec![(channel("#rust"), None), (channel("#b"), None), (channel("!12ABCchan"), None)],
            alternatives: vec![nick("alys"), nick("[]\\`_^{|}")],
            ..Bench::config()
        };
        let mut bench = Bench::new(config);
        let (mut ended, mut logged_in) = (false, false);
        let mut told = std::collections::BTreeSet::new();
        let (mut echoed, mut asked) = (told.clone(), std::collections::BTreeSet::new());
        for (id, (text, action, wait)) in steps.into_iter().enumerate() {
            let mut events = match Message::parse(&text) {
                Some(_) => bench.server(&text),
                None => Vec::new(),
            };
            match action {
                0 | 1 => bench.say(id as u64, "#rust", "hello"),
                2 => bench.say(id as u64, "bob", "hello"),
                3 => drop(bench.session.set_nick(nick("carol"))),
                4 => bench.session.join(&[(channel("#rust"), None)]),
                5 => drop(bench.session.part(&channel("#rust"), "x")),
                6 if wait == 0 => bench.session.quit("x"),
                8 => {
                    let channel = Target::Channel(channel("#rust"));
                    asked.extend(bench.session.request_history(&channel, HistoryMark::Latest));
                }
                9 => asked.extend(bench.session.request_history_targets(0, 1)),
                10 => {
                    let piece = |text: &str, joins| Piece { text: text.into(), joins };
                    let pieces = [piece("hello", Joins::No), piece("", Joins::No), piece("x", Joins::Yes)];
                    let target = Target::Channel(channel("#rust"));
                    bench.session.long_message(MessageId(id as u64), target, &pieces, None).unwrap();
                }
                11 => {
                    let target = Target::Channel(channel("#rust"));
                    bench.session.typing(&target, Typing::Active, bench.now);
                    bench.session.react(&target, "x", "y", true);
                    bench.session.redact(&target, "x");
                    bench.session.mark_read(&target, 1);
                }
                7 => events.extend(bench.wait(Duration::from_secs(wait)).0),
                _ => _ = bench.sent(),
            }
            prop_assert!(!ended || events.is_empty(), "after the end: {events:?}");
            if sasl && required && bench.session.account().is_none() && !logged_in {
                prop_assert!(bench.session.state() != State::Ready, "ready without a login");
            }
            logged_in |= bench.session.state() == State::Ready;
            ended |= disconnected(&events).is_some();
            for event in events {
                match event {
                    Event::Confirmed { messages } | Event::Refused { messages, .. } => {
                        prop_assert!(!messages.is_empty());
                        for id in messages {
                            prop_assert!(!echoed.contains(&id), "{id:?} was shown before");
                            prop_assert!(told.insert(id), "{id:?} was told twice");
                        }
                    }
                    Event::MultilineRefused { message, .. } => {
                        prop_assert!(told.insert(message), "{message:?} was told twice");
                    }
                    Event::RelayRefused { messages, .. } => {
                        for id in messages {
                            prop_assert!(told.insert(id), "{id:?} was told twice");
                        }
                    }
                    Event::Echoed { message, .. } => {
                        prop_assert!(echoed.insert(message), "{message:?} was shown twice");
                    }
                    Event::HistoryEnd { request, .. } | Event::HistoryTargets { request, .. } => {
                        prop_assert!(asked.remove(&request), "{request} ended twice, or was not asked");
                    }
                    Event::Message { origin: Origin::History { request }, .. } => {
                        prop_assert!(asked.contains(&request), "{request} is not open");
                    }
                    _ => {}
                }
            }
            for state in bench.session.channels() {
                prop_assert!(state.members().count() == state.member_count());
            }
            let _ = bench.session.text_budget("#rust", MessageKind::Action);
        }
        // What was neither confirmed nor refused is still known: no message is forgotten.
        for id in bench.session.unconfirmed().into_iter().chain(bench.session.unsent()) {
            prop_assert!(!told.contains(&id) && !echoed.contains(&id), "{id:?} is told and kept");
        }
    }

    #[test]
    fn no_numeric_makes_a_session_panic(
        numerics in prop::collection::vec((0_u16..1000, prop::collection::vec("[ -~]{0,6}|#rust|alice|[+-][ovk]{1,3}", 0..5)), 1..60),
    ) {
        let mut bench = Bench::in_channel("bob");
        for (code, params) in numerics {
            let message = Message { tags: Vec::new(), source: None, verb: Verb::Numeric(code), params };
            let mut events = Vec::new();
            bench.session.handle(&message, bench.now, &mut events);
            bench.sent();
        }
    }
}

#[test]
fn invariant_9_a_flood_of_pings_is_not_answered_without_end() {
    let mut bench = Bench::ready();
    for _ in 0..100_000 {
        bench.server("PING :x");
    }
    let mut answers = 0;
    loop {
        let sent = bench.sent().len();
        assert!(sent <= 65);
        answers += sent;
        if sent == 0 {
            break;
        }
    }
    assert!(answers <= 256, "{answers}");
}

#[test]
fn invariant_9_a_message_to_nobody_who_answers_is_kept_no_longer_than_its_fence() {
    let mut bench = Bench::ready();
    for id in 0..20_000 {
        bench.say(id, "#rust", "hello");
        let ping = bench.sent().pop().unwrap();
        bench.server(":s 404 alice #rust :no");
        bench.server(&format!("PONG {}", &ping["PING ".len()..]));
    }
    assert_eq!((bench.session.unconfirmed().len(), bench.session.fences.oldest()), (0, None));
}

/// Found by the property test with random lines: the first batch of a name ended the request that the second one had
/// been taken for the answer to.
#[test]
fn a_batch_that_begins_twice_ends_what_the_first_was_about() {
    let caps = "batch message-tags server-time echo-message labeled-response draft/chathistory";
    let mut bench = Bench::ready_with_caps(caps, "CHATHISTORY=50");
    let target = Target::Channel(channel("#rust"));
    let request = bench.session.request_history(&target, HistoryMark::Latest).unwrap();
    bench.sent();
    bench.server(&format!("@label=h{request} BATCH +x"));
    let events = bench.server("BATCH +x chathistory #rust");
    assert!(matches!(&events[..], [Event::HistoryEnd { .. }]), "{events:?}");
    let events = bench.server("@batch=x :bob!b@h PRIVMSG #rust :hello");
    assert!(matches!(&events[..], [Event::Message { origin: Origin::Playback, .. }]), "{events:?}");
}
