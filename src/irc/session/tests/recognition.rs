//! A certificate on a network without SASL: services log us in by themselves, or they don't.

use super::login::with_certificate;
use super::*;
use crate::irc::session::LoginMethod;
use rstest::rstest;

/// Up to the end of the greeting.
fn greeted(config: SessionConfig) -> Bench {
    let mut bench = Bench::new(config);
    bench.server("CAP * LS :multi-prefix account-notify");
    bench.server("CAP * ACK :account-notify multi-prefix");
    assert_eq!(bench.sent().last().unwrap(), "CAP END");
    bench.server(":s 001 alice :Welcome");
    assert_eq!(bench.server(":s 422 alice :No MOTD"), []);
    assert_eq!(bench.sent(), ["WHOIS alice"]);
    bench
}

fn unknown(bench: &mut Bench) {
    assert_eq!(bench.server(":s 311 alice alice al host.test * :Alice"), []);
    assert_eq!(bench.server(":s 318 alice alice :End of /WHOIS list."), []);
    assert_eq!((bench.session.state(), bench.sent()), (State::Registering, vec![]));
}

#[rstest]
#[case::oftc(":s 307 alice alice :user has identified to services")]
#[case::account(":s 330 alice alice alice :is logged in as")]
#[case::account_notify(":alice!a@b ACCOUNT alice")]
#[case::numeric(":s 900 alice alice!a@b alice :You are now logged in")]
fn services_that_know_the_certificate_are_waited_for_and_channels_with_them(#[case] line: &str) {
    for login in [LoginMethod::Sasl, LoginMethod::NickServ(None)] {
        let mut bench = greeted(SessionConfig { login, ..with_certificate(None) });
        let events = bench.server(line);
        assert_eq!(events[0], Event::LoggedIn { account: "alice".into() }, "{line}");
        assert_eq!(bench.sent(), ["JOIN #rust"]);
    }
}

#[test]
fn services_may_take_some_seconds_and_a_mode_only_makes_us_look() {
    let mut bench = greeted(with_certificate(None));
    unknown(&mut bench);
    bench.server(":NickServ MODE alice :+R");
    assert_eq!(bench.sent(), ["WHOIS alice"]);
    bench.server(":NickServ MODE alice :+R");
    unknown(&mut bench);
    let (events, lines) = bench.wait(Duration::from_secs(11));
    let seconds = [(10, "WHOIS alice".to_owned()), (10, "WHOIS NickServ".to_owned())];
    assert_eq!((events, &lines[..]), (vec![], &seconds[..]));
    bench.server(":s 307 alice alice :user has identified to services");
    assert_eq!(bench.session.account(), Some("alice"));
    assert_eq!(bench.sent(), ["JOIN #rust"]);
}

#[rstest]
#[case::they_do_not_know_us(":s 318 alice NickServ :End of /WHOIS list.", true, Verdict::NeedUser)]
#[case::they_are_away(":s 401 alice NickServ :No such nick", false, Verdict::Hold(Duration::from_secs(5)))]
fn services_that_do_not_know_the_certificate_need_the_user(
    #[case] line: &str,
    #[case] permanent: bool,
    #[case] verdict: Verdict,
) {
    for login_required in [true, false] {
        let mut bench = greeted(SessionConfig { login_required, ..with_certificate(None) });
        unknown(&mut bench);
        bench.wait(Duration::from_secs(11));
        bench.server(":s 318 alice alice :End of /WHOIS list.");
        assert_eq!(bench.server(":s 311 alice NickServ services services.test * :Services"), []);
        let events = bench.server(line);
        assert!(
            matches!(&events[0], Event::LoginFailed { permanent: p, .. } if *p == permanent),
            "{events:?}"
        );
        assert_eq!(disconnected(&events), login_required.then_some(verdict));
        assert_eq!(bench.sent(), if login_required { &[""; 0][..] } else { &["JOIN #rust"] });
    }
}

#[test]
fn a_server_that_does_not_answer_is_given_half_a_minute() {
    let mut bench = greeted(with_certificate(None));
    assert_eq!(disconnected(&bench.wait(Duration::from_secs(29)).0), None);
    assert_eq!(disconnected(&bench.wait(Duration::from_secs(2)).0), Some(Verdict::Retry));
}
