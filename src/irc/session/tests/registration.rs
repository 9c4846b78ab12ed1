//! Registration and login.

use super::*;
use crate::irc::sasl::SaslPlain;
use rstest::rstest;

fn with_sasl(required: bool) -> SessionConfig {
    let sasl = Some(SaslPlain { account: "alice".into(), password: "sesame".into() });
    SessionConfig {
        sasl,
        sasl_required: required,
        secure: true,
        channels: vec![(channel("#rust"), None)],
        ..Bench::config()
    }
}

/// Up to the server's `AUTHENTICATE +`.
fn authenticating(required: bool) -> Bench {
    let mut bench = Bench::new(with_sasl(required));
    bench.server("CAP * LS :sasl=PLAIN,EXTERNAL cap-notify");
    bench.server("CAP * ACK :cap-notify sasl");
    bench.server("AUTHENTICATE +");
    assert_eq!(bench.sent().last().unwrap(), "AUTHENTICATE AGFsaWNlAHNlc2FtZQ==");
    bench
}

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

#[rstest]
#[case::wrong_password(":s 904 alice :SASL authentication failed", true, Verdict::NeedUser)]
#[case::account_frozen(":s 902 alice :Account frozen", true, Verdict::NeedUser)]
#[case::too_long(":s 905 alice :SASL message too long", true, Verdict::NeedUser)]
#[case::aborted(":s 906 alice :SASL authentication aborted", false, Verdict::Retry)]
fn a_failed_login_that_is_required_ends_the_connection(
    #[case] answer: &str,
    #[case] permanent: bool,
    #[case] verdict: Verdict,
) {
    let mut bench = authenticating(true);
    let events = bench.server(answer);
    assert!(matches!(&events[0], Event::SaslFailed { permanent: p, .. } if *p == permanent), "{events:?}");
    assert_eq!(disconnected(&events), Some(verdict));
    // Nothing more leaves, whatever the server says: above all no JOIN.
    assert_eq!(bench.server(":s 001 alice :Welcome"), []);
    assert_eq!((bench.sent(), bench.session.deadline()), (vec![], None));
}

#[test]
fn a_refusal_while_services_went_away_is_no_wrong_password() {
    let mut bench = authenticating(true);
    bench.server(":s CAP alice DEL :sasl");
    assert_eq!(disconnected(&bench.server(":s 904 alice :failed")), Some(Verdict::Retry));
}

#[test]
fn a_refusal_of_the_mechanism_needs_the_user() {
    let mut bench = Bench::new(with_sasl(true));
    bench.server("CAP * LS :sasl=EXTERNAL");
    let events = bench.server("CAP * ACK :sasl");
    assert_eq!(disconnected(&events), Some(Verdict::NeedUser));
    let mut bench = authenticating(true);
    bench.server(":s 908 alice EXTERNAL :are available SASL mechanisms");
    let events = bench.server(":s 904 alice :failed");
    assert!(matches!(&events[0], Event::SaslFailed { reason, .. } if reason.contains("PLAIN")), "{events:?}");
}

#[rstest]
#[case::not_offered("CAP * LS :multi-prefix")]
#[case::no_capabilities(":s 001 alice :Welcome")]
fn without_a_login_on_offer_it_is_tried_again_later(#[case] line: &str) {
    let mut bench = Bench::new(with_sasl(true));
    let events = [bench.server(line), bench.server("CAP * ACK :multi-prefix")].concat();
    assert!(matches!(events[0], Event::SaslFailed { permanent: false, .. }), "{events:?}");
    assert_eq!(disconnected(&events), Some(Verdict::Retry));
    assert_eq!((bench.sent(), bench.session.deadline()), (vec![], None));
}

#[test]
fn an_optional_login_that_fails_lets_the_registration_go_on() {
    let mut bench = authenticating(false);
    let events = bench.server(":s 904 alice :failed");
    assert!(matches!(events[..], [Event::SaslFailed { permanent: true, .. }]), "{events:?}");
    assert_eq!(bench.sent(), ["CAP END"]);
    bench.server(":s 001 alice :Welcome");
    bench.server(":s 422 alice :No MOTD");
    assert_eq!(bench.sent(), ["JOIN #rust"]);
}

#[test]
fn services_that_do_not_answer_are_given_twenty_seconds() {
    let mut bench = authenticating(true);
    assert_eq!(bench.wait(Duration::from_secs(19)).0, []);
    assert_eq!(disconnected(&bench.wait(Duration::from_secs(2)).0), Some(Verdict::Retry));
    let mut bench = authenticating(false);
    let (events, lines) = bench.wait(Duration::from_secs(21));
    assert!(matches!(events[..], [Event::SaslFailed { permanent: false, .. }]));
    assert_eq!(lines, [(20, "AUTHENTICATE *".to_owned()), (20, "CAP END".to_owned())]);
}

#[test]
fn services_that_come_back_are_used_after_registration() {
    let mut bench = Bench::new(with_sasl(false));
    bench.server("CAP * LS :cap-notify");
    bench.server("CAP * ACK :cap-notify");
    bench.server(":s 001 alice :Welcome");
    bench.server(":s 422 alice :No MOTD");
    bench.sent();
    bench.server(":s CAP alice NEW :sasl=PLAIN");
    assert_eq!(bench.sent(), ["CAP REQ :sasl"]);
    bench.server(":s CAP alice ACK :sasl");
    bench.server("AUTHENTICATE +");
    assert_eq!(bench.sent(), ["AUTHENTICATE PLAIN", "AUTHENTICATE AGFsaWNlAHNlc2FtZQ=="]);
    assert_eq!(bench.server(":s 903 alice :ok"), [Event::LoggedIn { account: "alice".into() }]);
    assert_eq!(bench.sent(), [""; 0]);
    assert_eq!(bench.server(":s 901 alice alice!a@b :You are now logged out"), [Event::LoggedOut]);
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

#[test]
fn invariant_10_a_session_shows_no_password() {
    let bench = authenticating(true);
    let shown = format!("{:?}", bench.session);
    assert!(!shown.contains("sesame") && !shown.contains("AGFs"), "{shown}");
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
