//! Registration, and servers that want TLS.

use super::login::with_sasl;
use super::*;
use rstest::rstest;

#[test]
fn a_whole_registration_with_a_login() {
    let mut bench = Bench::new(SessionConfig {
        server_password: Some("letmein".into()),
        username: "al ice@".into(),
        realname: "Alice A.\r\nQUIT".into(),
        ..with_sasl(true)
    });
    assert_eq!(bench.sent(), ["CAP LS :302", "PASS :letmein", "NICK alice", "USER alice 0 * :Alice A.QUIT"]);
    assert!(matches!(bench.server(":irc.test NOTICE * :*** Looking up")[..], [Event::ServerMessage { .. }]));
    bench.server("PING :cookie");
    assert_eq!(bench.sent(), ["PONG :cookie"]);
    bench.server(":irc.test CAP * LS * :server-time multi-prefix draft/event-playback labeled-response");
    bench.server(":irc.test CAP * LS :sasl=PLAIN draft/chathistory");
    assert_eq!(bench.sent(), ["CAP REQ :server-time multi-prefix sasl"]);
    bench.server(":irc.test CAP * ACK :server-time multi-prefix sasl");
    assert_eq!(bench.sent(), ["AUTHENTICATE PLAIN"]);
    bench.server("AUTHENTICATE +");
    assert_eq!(bench.sent(), ["AUTHENTICATE AGFsaWNlAHNlc2FtZQ=="]);
    let events = bench.server(":irc.test 900 alice alice!al@host alice :You are now logged in as alice");
    assert_eq!(events, [Event::LoggedIn { account: "alice".into() }]);
    assert_eq!(bench.server(":irc.test 903 alice :SASL authentication successful"), []);
    assert_eq!(bench.sent(), ["CAP END"]);
    let events = bench.server(":irc.test 001 alice :Welcome to the Test network alice!al@cloak.test");
    assert_eq!(events, [Event::Registered { nick: "alice".into(), server: "irc.test".into() }]);
    assert_eq!(bench.server(":irc.test 005 alice NETWORK=Test CASEMAPPING=ascii :are supported"), []);
    assert!(matches!(bench.server(":irc.test 375 alice :- motd")[..], [Event::Numeric { code: 375, .. }]));
    assert_eq!((bench.sent(), bench.session.state()), (vec![], State::Registering));
    assert_eq!(bench.server(":irc.test 376 alice :End"), [Event::Ready { network: Some("Test".into()) }]);
    assert_eq!((bench.sent(), bench.session.state()), (vec!["JOIN #rust".to_owned()], State::Ready));
    assert_eq!(bench.session.account(), Some("alice"));
    // A MOTD that the user asks for later is shown whole.
    assert!(matches!(bench.server(":irc.test 376 alice :End")[..], [Event::Numeric { code: 376, .. }]));
}

#[test]
fn invariant_10_no_password_is_sent_over_an_insecure_connection() {
    for config in [
        SessionConfig { secure: false, ..with_sasl(false) },
        SessionConfig { server_password: Some("letmein".into()), ..Bench::config() },
    ] {
        let mut bench = Bench::new(config);
        assert_eq!(bench.sent(), [""; 0]);
        let (events, lines) = bench.wait(Duration::from_secs(1));
        assert_eq!((disconnected(&events), lines.len()), (Some(Verdict::NeedUser), 0));
    }
}

#[rstest]
#[case::banned(":s 465 alice :You are banned from this server", Verdict::Banned(Duration::from_hours(1)))]
#[case::banned_in_other_words(":s 465 alice :Go away", Verdict::Banned(Duration::from_hours(1)))]
#[case::banned_for_a_time(":s 465 alice :Go away for 30 minutes", Verdict::Banned(Duration::from_mins(30)))]
#[case::throttled(":s 465 alice :Throttled", Verdict::Throttled(Duration::from_mins(2)))]
#[case::host_not_allowed(
    ":s 463 alice :Your host isn't among the privileged",
    Verdict::Banned(Duration::from_hours(1))
)]
#[case::will_be_banned(":s 466 alice", Verdict::Banned(Duration::from_hours(1)))]
#[case::wrong_server_password(":s 464 alice :Password incorrect", Verdict::NeedUser)]
#[case::error("ERROR :Closing Link: h (K-Lined)", Verdict::Banned(Duration::from_hours(1)))]
#[case::bad_username(":s 468 alice :Your username is not valid", Verdict::NeedUser)]
#[case::account_required("FAIL * ACCOUNT_REQUIRED_TO_CONNECT :Log in to connect", Verdict::NeedUser)]
#[case::bad_nick(":s 432 * alice :Erroneous nickname", Verdict::NeedUser)]
fn a_server_that_will_not_have_us_is_believed(#[case] line: &str, #[case] verdict: Verdict) {
    let mut bench = Bench::new(Bench::config());
    let mut events = bench.server(line);
    events.extend(bench.server("ERROR :Closing Link: h (Connection closed)"));
    assert_eq!(disconnected(&events), Some(verdict));
    assert_eq!(bench.server("ERROR :Closing Link: h (Ping timeout)"), []);
}

/// InspIRCd's 465 says what its configuration says; what for and how long is in its `ERROR`.
#[test]
fn a_ban_is_told_with_all_that_the_server_says_about_it() {
    let mut bench = Bench::new(Bench::config());
    assert_eq!(bench.server(":s 465 alice :You're banned!"), []);
    assert!(bench.session.expelled().is_some());
    let events = bench.server("ERROR :Closing link: (~a@h) [K-lined for 2 hours: too loud]");
    let Some(Event::Disconnect { reason, verdict }) = events.last() else { panic!("{events:?}") };
    assert_eq!(reason, "You're banned!: Closing link: (~a@h) [K-lined for 2 hours: too loud]");
    assert_eq!(*verdict, Verdict::Banned(Duration::from_hours(2)));
}

#[test]
fn a_server_that_bans_and_says_nothing_more_is_not_waited_for_long() {
    let mut bench = Bench::new(Bench::config());
    bench.server(":s 465 alice :You are banned for 30 minutes");
    let (events, _) = bench.wait(Duration::from_secs(6));
    assert_eq!(disconnected(&events), Some(Verdict::Banned(Duration::from_mins(30))));
}

#[test]
fn a_wrong_password_for_something_else_ends_nothing() {
    let mut bench = Bench::ready();
    assert_eq!(disconnected(&bench.server(":s 464 alice :Password incorrect")), None);
}

#[test]
fn a_server_that_asks_for_a_pong_in_words_gets_it() {
    let mut bench = Bench::new(Bench::config());
    bench.sent();
    bench.server(":s 513 alice :To connect, type /QUOTE PONG 123456");
    assert_eq!(bench.sent(), ["PONG :123456"]);
}

#[test]
fn without_the_end_of_a_motd_it_is_ready_after_ten_seconds() {
    let mut bench = Bench::new(Bench::config());
    bench.server(":s 001 alice :Welcome");
    let (events, _) = bench.wait(Duration::from_secs(11));
    assert_eq!(events, [Event::Ready { network: None }]);
}

#[test]
fn a_server_that_wants_tls_hears_nothing_more_and_is_left_for_its_port() {
    for line in
        ["CAP * LS * :sts=port=6697,duration=300 batch", "CAP * LS :batch", "CAP * NEW :sts=port=6697"]
    {
        let mut bench = Bench::new(Bench::config());
        bench.sent();
        let events = [bench.server(line), bench.server("CAP * NEW :sts=port=6697")].concat();
        assert_eq!(disconnected(&events), Some(Verdict::UseTls(6697)), "{line}");
        assert_eq!(bench.sent(), [""; 0]);
    }
}

#[rstest]
#[case::by_tls(true, "sts=duration=300,port=7000", Some(300))]
#[case::no_longer(true, "sts=duration=0", Some(0))]
#[case::without_duration(true, "sts=port=6697", None)]
#[case::without_port(false, "sts=duration=300", None)]
#[case::no_port(false, "sts=port=0", None)]
fn how_long_tls_is_wanted_is_believed_by_tls_only(
    #[case] tls: bool,
    #[case] capability: &str,
    #[case] seconds: Option<u64>,
) {
    let mut bench = Bench::new(SessionConfig { tls, ..Bench::config() });
    bench.sent();
    let events = bench.server(&format!("CAP * LS :{capability}"));
    let expected: Vec<Event> = seconds
        .map(|seconds| Event::StrictTransport { duration: Duration::from_secs(seconds) })
        .into_iter()
        .collect();
    assert_eq!(events, expected);
    // The server may say so again, and it is no news; it can't take it back by not offering it.
    assert_eq!(bench.server(&format!("CAP * NEW :{capability}")), []);
    assert_eq!(bench.server("CAP * DEL :sts"), []);
    assert_eq!(bench.sent(), ["CAP END"]);
}

/// Before, it closed a working connection and stayed away for an hour.
#[test]
fn a_warning_of_a_ban_on_the_network_is_told_and_ends_nothing() {
    let mut bench = Bench::ready();
    let events = bench.server(":irc.test 466 alice :You will be banned soon");
    assert!(matches!(&events[..], [Event::Numeric { code: 466, .. }]), "{events:?}");
    bench.server(":irc.test PING x");
    let (events, _) = bench.wait(Duration::from_mins(1));
    assert_eq!((disconnected(&events), bench.session.expelled()), (None, None));
}
