//! Login by SASL: mechanisms in turn, refusals told apart, servers that prove themselves or don't.

use super::*;
use crate::irc::sasl::Credentials;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rstest::rstest;

pub(super) fn credentials() -> Credentials {
    Credentials { account: "alice".into(), password: Some("sesame".into()), certificate: false }
}

pub(super) fn with_sasl(required: bool) -> SessionConfig {
    SessionConfig {
        sasl: Some(credentials()),
        login_required: required,
        secure: true,
        tls: true,
        channels: vec![(channel("#rust"), None)],
        ..Bench::config()
    }
}

pub(super) fn with_certificate(password: Option<&str>) -> SessionConfig {
    let password = password.map(Into::into);
    SessionConfig {
        sasl: Some(Credentials { password, certificate: true, ..credentials() }),
        ..with_sasl(true)
    }
}

/// Up to the mechanism's name.
fn offered(config: SessionConfig, capability: &str) -> Bench {
    let mut bench = Bench::new(config);
    bench.server(&format!("CAP * LS :{capability} cap-notify"));
    bench.server("CAP * ACK :cap-notify sasl");
    bench
}

/// Up to the server's `AUTHENTICATE +`.
fn authenticating(required: bool) -> Bench {
    let mut bench = offered(with_sasl(required), "sasl=PLAIN,EXTERNAL");
    bench.server("AUTHENTICATE +");
    assert_eq!(bench.sent().last().unwrap(), "AUTHENTICATE AGFsaWNlAHNlc2FtZQ==");
    bench
}

/// What follows `AUTHENTICATE` in the last line that left, decoded.
fn said(bench: &mut Bench) -> String {
    let line = bench.sent().pop().unwrap();
    let text = line.strip_prefix("AUTHENTICATE ").unwrap();
    String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
}

/// A server's message.
fn says(bench: &mut Bench, text: &str) -> Vec<Event> {
    bench.server(&format!("AUTHENTICATE {}", STANDARD.encode(text)))
}

/// SCRAM up to our proof.
fn proving(required: bool) -> Bench {
    let mut bench = offered(with_sasl(required), "sasl=SCRAM-SHA-256,PLAIN");
    assert_eq!(bench.sent().last().unwrap(), "AUTHENTICATE SCRAM-SHA-256");
    bench.server("AUTHENTICATE +");
    let first = said(&mut bench);
    let nonce = first.strip_prefix("n,,n=alice,r=").unwrap();
    assert!(nonce.len() >= 18, "{nonce}");
    says(&mut bench, &format!("r={nonce}server,s=QUJD,i=4096"));
    let last = said(&mut bench);
    assert!(last.starts_with(&format!("c=biws,r={nonce}server,p=")), "{last}");
    bench
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
    assert!(matches!(&events[0], Event::LoginFailed { permanent: p, .. } if *p == permanent), "{events:?}");
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
fn a_network_with_other_mechanisms_only_needs_the_user() {
    let mut bench = Bench::new(with_sasl(true));
    bench.server("CAP * LS :sasl=EXTERNAL");
    let events = bench.server("CAP * ACK :sasl");
    assert_eq!(disconnected(&events), Some(Verdict::NeedUser));
    let mut bench = offered(with_sasl(true), "sasl");
    bench.server(":s 908 alice EXTERNAL,ECDSA :are available SASL mechanisms");
    let events = bench.server(":s 904 alice :failed");
    assert!(
        matches!(&events[0], Event::LoginFailed { permanent: true, reason, .. }
        if reason.ends_with("but EXTERNAL,ECDSA")),
        "{events:?}"
    );
}

#[test]
fn an_optional_login_that_fails_lets_the_registration_go_on() {
    let mut bench = authenticating(false);
    let events = bench.server(":s 904 alice :failed");
    assert!(matches!(events[..], [Event::LoginFailed { permanent: true, .. }]), "{events:?}");
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
    assert!(matches!(events[..], [Event::LoginFailed { permanent: false, .. }]));
    assert_eq!(lines, [(20, "AUTHENTICATE *".to_owned()), (20, "CAP END".to_owned())]);
}

#[test]
fn services_that_come_back_are_used_after_registration() {
    let mut bench = Bench::new(with_sasl(false));
    bench.server("CAP * LS :cap-notify");
    bench.server("CAP * ACK :cap-notify");
    bench.server(":s 001 alice :Welcome");
    bench.server(":s 422 alice :No MOTD");
    bench.server(":s 401 alice NickServ :No such nick");
    assert_eq!(bench.session.state(), State::Ready);
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
fn invariant_10_a_session_shows_no_password() {
    let bench = authenticating(true);
    let shown = format!("{:?}", bench.session);
    assert!(!shown.contains("sesame") && !shown.contains("AGFs"), "{shown}");
}

#[test]
fn what_the_server_does_not_have_is_followed_by_the_next() {
    let config = with_certificate(Some("sesame"));
    // Without a list each is tried, until 908 brings one.
    let mut bench = offered(config, "sasl");
    assert_eq!(bench.sent().last().unwrap(), "AUTHENTICATE EXTERNAL");
    assert_eq!(bench.server(":s 904 alice :failed"), []);
    assert_eq!(bench.sent(), ["AUTHENTICATE SCRAM-SHA-512"]);
    bench.server(":s 908 alice PLAIN :are available SASL mechanisms");
    assert_eq!(bench.server(":s 904 alice :failed"), []);
    assert_eq!(bench.sent(), ["AUTHENTICATE PLAIN"]);
    bench.server("AUTHENTICATE +");
    assert_eq!(bench.sent(), ["AUTHENTICATE AGFsaWNlAHNlc2FtZQ=="]);
    bench.server(":s 900 alice alice!a@b alice :ok");
    bench.server(":s 903 alice :ok");
    assert_eq!(bench.sent(), ["CAP END"]);
}

#[test]
fn a_certificate_logs_in_without_a_password_also_where_no_password_may_pass() {
    let mut bench = offered(SessionConfig { secure: false, ..with_certificate(None) }, "sasl=PLAIN,EXTERNAL");
    assert_eq!(bench.sent().last().unwrap(), "AUTHENTICATE EXTERNAL");
    bench.server("AUTHENTICATE +");
    assert_eq!(bench.sent(), ["AUTHENTICATE +"]);
    bench.server(":s 903 alice :ok");
    assert_eq!(bench.sent(), ["CAP END"]);
}

#[test]
fn a_certificate_that_the_services_do_not_know_is_followed_by_the_password_or_told() {
    let mut bench = offered(with_certificate(Some("sesame")), "sasl=PLAIN,EXTERNAL");
    bench.server("AUTHENTICATE +");
    bench.sent();
    assert_eq!(bench.server(":s 904 alice :failed"), []);
    assert_eq!(bench.sent(), ["AUTHENTICATE PLAIN"]);
    let mut bench = offered(with_certificate(None), "sasl=PLAIN,EXTERNAL");
    bench.server("AUTHENTICATE +");
    let events = bench.server(":s 904 alice :failed");
    assert!(
        matches!(&events[0], Event::LoginFailed { permanent: true, reason, .. } if reason.contains("certfp show"))
    );
    assert_eq!(disconnected(&events), Some(Verdict::NeedUser));
}

#[test]
fn an_account_that_cannot_do_scram_is_followed_by_plain() {
    let mut bench = offered(with_sasl(true), "sasl=SCRAM-SHA-256,PLAIN");
    bench.server("AUTHENTICATE +");
    bench.sent();
    bench.server(":s 904 alice :failed");
    assert_eq!(bench.sent(), ["AUTHENTICATE PLAIN"]);
}

#[test]
fn a_proof_that_was_refused_is_a_wrong_password_and_nothing_else_is_tried() {
    let mut bench = proving(true);
    let events = bench.server(":s 904 alice :failed");
    assert!(
        matches!(&events[0], Event::LoginFailed { permanent: true, reason, .. } if reason.contains("password"))
    );
    assert_eq!((disconnected(&events), bench.sent()), (Some(Verdict::NeedUser), vec![]));
    let mut bench = proving(true);
    let events = says(&mut bench, "e=invalid-proof");
    assert_eq!(disconnected(&events), Some(Verdict::NeedUser));
}

#[test]
fn services_that_refuse_before_anything_was_said_do_not_know_the_password() {
    let mut bench = offered(with_sasl(true), "sasl=PLAIN");
    let events = bench.server(":s 904 alice :failed");
    assert!(matches!(events[0], Event::LoginFailed { permanent: false, .. }), "{events:?}");
    assert_eq!(disconnected(&events), Some(Verdict::Retry));
}

#[rstest]
#[case::another_signature(Some("v=AAAA"))]
#[case::none(None)]
fn a_server_that_cannot_prove_itself_never_counts_as_a_login(#[case] last: Option<&str>) {
    for required in [true, false] {
        let mut bench = proving(required);
        let mut events = bench.server(":s 900 alice alice!a@b alice :You are now logged in");
        if let Some(last) = last {
            events.extend(says(&mut bench, last));
        }
        events.extend(bench.server(":s 903 alice :SASL authentication successful"));
        assert!(
            matches!(&events[0], Event::LoginFailed { permanent: true, reason, .. } if reason.contains("prove"))
        );
        assert_eq!(disconnected(&events), required.then_some(Verdict::NeedUser));
        assert_eq!(bench.session.account(), None);
        bench.server(":alice!a@b ACCOUNT alice");
        assert_eq!(bench.session.account(), None);
        // Nothing worse is tried after it, above all not to tell the password.
        assert!(!bench.sent().iter().any(|line| line.contains("PLAIN")));
    }
}

#[test]
fn a_challenge_without_end_ends_the_login() {
    let mut bench = offered(with_sasl(true), "sasl=PLAIN");
    let line = format!("AUTHENTICATE {}", "A".repeat(400));
    let events: Vec<Event> = (0..9).flat_map(|_| bench.server(&line)).collect();
    assert_eq!(disconnected(&events), Some(Verdict::NeedUser));
}

#[test]
fn a_login_that_was_lost_is_done_again_when_the_services_are_back_and_one_that_stands_is_not() {
    let mut bench = authenticating(true);
    bench.server(":s 900 alice alice!a@b alice :ok");
    bench.server(":s 903 alice :ok");
    bench.server(":s 001 alice :Welcome");
    bench.server(":s 422 alice :No MOTD");
    bench.sent();
    let services_return = |bench: &mut Bench| {
        bench.server(":s CAP alice DEL :sasl");
        bench.server(":s CAP alice NEW :sasl=PLAIN");
        bench.server(":s CAP alice ACK :sasl");
        bench.sent()
    };
    assert_eq!(services_return(&mut bench), ["CAP REQ :sasl"]);
    assert_eq!(bench.server(":s 901 alice alice!a@b :You are now logged out"), [Event::LoggedOut]);
    assert_eq!(services_return(&mut bench), ["CAP REQ :sasl", "AUTHENTICATE PLAIN"]);
}

#[test]
fn account_notify_tells_of_a_login_once() {
    let mut bench = Bench::ready();
    assert_eq!(bench.server(":alice!a@b ACCOUNT al"), [Event::LoggedIn { account: "al".into() }]);
    assert_eq!(bench.server(":s 900 alice alice!a@b al :You are now logged in"), []);
    let bobs = Event::Person { nick: "bob".into(), news: PersonNews::LoggedIn("bob".into()) };
    assert_eq!(bench.server(":bob!a@b ACCOUNT bob"), [bobs]);
    assert_eq!(bench.server(":alice!a@b ACCOUNT *"), [Event::LoggedOut]);
}

/// Found by the property test with random lines: channels were entered without the login.
#[test]
fn a_login_that_is_lost_before_channels_are_entered_has_failed() {
    let mut bench = authenticating(true);
    bench.server(":s 900 alice alice!a@b alice :ok");
    bench.server(":s 903 alice :ok");
    bench.server(":s 001 alice :Welcome");
    assert_eq!(
        disconnected(&bench.server(":s 901 alice alice!a@b :You are now logged out")),
        Some(Verdict::Retry)
    );
}
