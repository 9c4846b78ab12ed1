//! Login by NickServ: who it is told to, how the login is seen, what waits for it.

use super::login::with_sasl;
use super::*;
use crate::irc::session::{LoginMethod, ServiceAddress};
use rstest::rstest;

fn by_nickserv(address: Option<&str>, required: bool) -> SessionConfig {
    let address = address.map(|text| ServiceAddress::parse(text).unwrap());
    SessionConfig { login: LoginMethod::NickServ(address), ..with_sasl(required) }
}

/// Up to the end of the greeting.
fn greeted(config: SessionConfig) -> Bench {
    let mut bench = Bench::new(config);
    bench.server("CAP * LS :cap-notify account-notify");
    bench.server("CAP * ACK :account-notify cap-notify");
    bench.server(":s 001 alice :Welcome");
    bench.sent();
    assert_eq!(bench.server(":s 422 alice :No MOTD"), []);
    bench
}

/// Up to the password.
fn told(required: bool) -> Bench {
    let mut bench = greeted(with_sasl(required));
    assert_eq!(bench.sent(), ["WHOIS NickServ"]);
    bench.server(":s 311 alice NickServ NickServ services.test * :Nickname Services");
    bench.server(":s 312 alice NickServ services.test :Services");
    bench.server(":s 313 alice NickServ :is a Network Service");
    assert_eq!(bench.server(":s 318 alice NickServ :End of /WHOIS list."), []);
    assert_eq!(bench.sent(), ["PRIVMSG NickServ@services.test :IDENTIFY sesame"]);
    bench
}

/// Longer each time that it comes again.
const ABSENT: Verdict = Verdict::Hold(Duration::from_secs(5));
const READY: Event = Event::Ready { network: None };

fn logged_in() -> Vec<Event> {
    vec![Event::LoggedIn { account: "alice".into() }, READY]
}

#[test]
fn where_there_is_no_sasl_nickserv_is_told_and_channels_wait_for_the_login() {
    let mut bench = told(true);
    assert_eq!(bench.session.state(), State::Registering);
    assert_eq!(bench.server(":s 900 alice alice!a@b alice :You are now logged in"), logged_in());
    assert_eq!(bench.sent(), ["JOIN #rust"]);
}

#[rstest]
#[case::its_address(Some("NickServ@services.test"), "PRIVMSG NickServ@services.test :IDENTIFY pässwort")]
#[case::the_servers_command(None, "NICKSERV :IDENTIFY pässwort")]
fn a_password_is_told_in_utf_8_whatever_the_charset(#[case] address: Option<&str>, #[case] expected: &str) {
    let mut config = by_nickserv(address, false);
    config.sasl.as_mut().unwrap().password = Some("pässwort".to_owned().into());
    let mut bench = greeted(config);
    if address.is_none() {
        bench.sent();
        bench.server(":s 313 alice NickServ :is a Network Service");
        bench.server(":s 318 alice NickServ :End of /WHOIS list.");
    }
    let lines = bench.transmit().lines;
    let line = lines.iter().find(|line| line.as_str() == expected).expect("the password was told");
    let mut charsets = crate::irc::charset::Charsets::new(None);
    charsets.choose(Some("koi8-r".parse().unwrap()), crate::names::CaseMap::default(), []);
    let mut bytes = Vec::new();
    charsets.write(line, &mut bytes);
    assert_eq!(bytes, format!("{expected}\r\n").as_bytes());
}

#[rstest]
#[case::account_notify(":alice!a@b ACCOUNT alice")]
#[case::user_mode(":services.test MODE alice :+r")]
#[case::its_words(":NickServ!NickServ@services.test NOTICE alice :You are now identified for \x02alice\x02.")]
#[case::its_words_on_anope(
    ":NickServ!NickServ@services.test NOTICE alice :Password accepted - you are now recognized."
)]
fn a_login_is_seen_in_any_way_that_networks_have(#[case] line: &str) {
    let mut bench = told(true);
    bench.server(line);
    assert_eq!(bench.session.account(), Some("alice"));
    assert_eq!(bench.sent(), ["JOIN #rust"]);
}

#[rstest]
#[case::account(":s 330 alice alice alice :is logged in as")]
#[case::registered(":s 307 alice alice :has identified for this nick")]
fn when_nothing_is_heard_we_look_at_ourselves(#[case] line: &str) {
    let mut bench = told(true);
    let (events, lines) = bench.wait(Duration::from_secs(11));
    assert_eq!((events, lines), (vec![], vec![(10, "WHOIS alice".to_owned())]));
    assert_eq!(bench.server(":s 311 alice alice al host.test * :Alice"), []);
    assert_eq!(bench.server(line), logged_in());
    // The rest of it is nobody's news, and what comes after it is.
    assert_eq!(bench.server(":s 317 alice alice 1 2 :seconds idle"), []);
    assert_eq!(bench.server(":s 318 alice alice :End of /WHOIS list."), []);
    assert_eq!(bench.server(":s 318 alice alice :End of /WHOIS list.").len(), 1);
}

/// Before, the look was never over, and the answer to each `WHOIS` of the user's about themselves was swallowed.
#[rstest]
#[case::nobody_has_the_old_nick(":s 401 alice1 alice :No such nick")]
#[case::somebody_else_has_it(":s 330 alice1 alice mallory :is logged in as")]
fn a_look_at_ourselves_is_over_when_our_nick_has_changed_meanwhile(#[case] line: &str) {
    let mut bench = told(true);
    assert_eq!(bench.wait(Duration::from_secs(11)).1, [(10, "WHOIS alice".to_owned())]);
    bench.server(":alice!al@host.test NICK alice1");
    assert_eq!(bench.server(line), []);
    assert_eq!(bench.server(":s 318 alice1 alice :End of /WHOIS list."), []);
    assert_eq!(bench.session.account(), None);
    assert!(matches!(
        &bench.server(":s 311 alice1 alice1 al host.test * :Alice")[..],
        [Event::Numeric { code: 311, .. }]
    ));
}

#[rstest]
#[case::nobody(&[":s 401 alice NickServ :No such nick"], ABSENT)]
#[case::somebody(&[":s 311 alice NickServ mallory evil.test * :is a Network Service",
    ":s 301 alice NickServ :is a Network Service", ":s 320 alice NickServ :is a Network Service",
    ":s 318 alice NickServ :End"], Verdict::NeedUser)]
#[case::an_operator(&[":s 313 alice NickServ :is an IRC Operator", ":s 318 alice NickServ :End"], Verdict::NeedUser)]
#[case::services_staff(&[":s 313 alice NickServ :is a Services Administrator on TestNet", ":s 318 alice NickServ :End"], Verdict::NeedUser)]
#[case::a_helper(&[":s 310 alice NickServ :is available for help.", ":s 318 alice NickServ :End"], Verdict::NeedUser)]
#[case::of_another(&[":s 313 alice ChanServ :is a Network Service", ":s 318 alice NickServ :End"], Verdict::NeedUser)]
fn invariant_10_who_is_not_the_networks_service_is_told_nothing(
    #[case] lines: &[&str],
    #[case] verdict: Verdict,
) {
    for required in [true, false] {
        let mut bench = greeted(with_sasl(required));
        bench.sent();
        let events: Vec<Event> = lines.iter().flat_map(|line| bench.server(line)).collect();
        let is_permanent = verdict == Verdict::NeedUser;
        assert!(
            events
                .iter()
                .any(|one| matches!(one, Event::LoginFailed { permanent, .. } if *permanent == is_permanent)),
            "{events:?}"
        );
        assert_eq!(disconnected(&events), required.then_some(verdict));
        let lines = bench.sent();
        assert_eq!(lines, if required { &[""; 0][..] } else { &["JOIN #rust"] });
    }
}

#[rstest]
#[case::solanum(":s 313 alice NickServ :is a Network Service")]
#[case::unreal(":s 313 alice NickServ :is a Network Service on TestNet")]
#[case::inspircd(":s 310 alice NickServ :is a Network Service on TestNet")]
#[case::inspircd_with_atheme(":s 313 alice NickServ :is a Service on TestNet")]
#[case::inspircd_with_services_that_are_operators(":s 313 alice NickServ :is a Services on TestNet")]
fn a_service_is_known_by_the_words_of_its_server(#[case] line: &str) {
    let mut bench = greeted(with_sasl(true));
    bench.sent();
    bench.server(line);
    bench.server(":s 318 alice NickServ :End");
    assert_eq!(bench.sent(), ["NICKSERV :IDENTIFY sesame"]);
}

/// Before, it went to the nick, which somebody else may have by then.
#[rstest]
#[case::nick(":s 401 alice NickServ@services.test :No such nick")]
#[case::server(":s 402 alice services.test :No such server")]
#[case::targets(":s 407 alice NickServ@services.test :Duplicate recipients")]
fn where_its_server_takes_nothing_the_servers_own_command_is_tried_and_then_the_nick(#[case] line: &str) {
    let mut bench = told(true);
    assert_eq!(bench.server(line), []);
    assert_eq!(bench.sent(), ["NICKSERV :IDENTIFY sesame"]);
    assert_eq!(bench.server(":s 421 alice NICKSERV :Unknown command"), []);
    assert_eq!(bench.sent(), ["WHOIS NickServ"]);
    for line in [
        ":s 311 alice NickServ NickServ services.test * :Nickname Services",
        ":s 312 alice NickServ services.test :Services",
        ":s 313 alice NickServ :is a Network Service",
        ":s 318 alice NickServ :End",
    ] {
        assert_eq!(bench.server(line), []);
    }
    assert_eq!(bench.sent(), ["PRIVMSG NickServ :IDENTIFY sesame"]);
    bench.server(":NickServ!NickServ@services.test NOTICE alice :You are now identified");
    assert_eq!(bench.session.account(), Some("alice"));
}

#[test]
fn invariant_10_a_nick_that_has_changed_hands_meanwhile_is_told_nothing() {
    let mut bench = told(true);
    bench.server(":s 402 alice services.test :No such server");
    bench.server(":s 421 alice NICKSERV :Unknown command");
    bench.sent();
    bench.server(":s 311 alice NickServ mallory evil.test * :Nickname Services");
    bench.server(":s 318 alice NickServ :End");
    assert!(!bench.sent().iter().any(|line| line.contains("sesame")));
}

#[rstest]
#[case::services_down(":s 440 alice NickServ :Services are currently down.", ABSENT)]
#[case::nobody(":s 401 alice NickServ :is currently unavailable. Please try again later.", ABSENT)]
#[case::not_this_way(
    ":s 487 alice :Error! \"/msg NickServ\" is no longer supported. Use \"/msg NickServ@services.test\" instead.",
    Verdict::NeedUser
)]
fn what_the_server_says_about_its_services_decides(#[case] line: &str, #[case] verdict: Verdict) {
    let mut bench = told(true);
    bench.server(":s 402 alice services.test :No such server");
    bench.sent();
    assert_eq!(disconnected(&bench.server(line)), Some(verdict));
    assert_eq!(bench.sent(), [""; 0]);
}

#[test]
fn a_full_address_needs_no_look_and_comes_before_sasl() {
    let mut bench = Bench::new(by_nickserv(Some("NickServ@services.test"), true));
    bench.sent();
    bench.server("CAP * LS :sasl=PLAIN");
    assert_eq!(bench.sent(), ["CAP END"]);
    bench.server(":s 001 alice :Welcome");
    bench.server(":s 422 alice :No MOTD");
    assert_eq!(bench.sent(), ["PRIVMSG NickServ@services.test :IDENTIFY sesame"]);
    // Only from that very host its words count.
    bench.server(":NickServ!x@evil.test NOTICE alice :You are now identified");
    assert_eq!(bench.session.state(), State::Registering);
    bench.server(":NickServ!x@services.test NOTICE alice :You are now identified");
    assert_eq!(bench.session.state(), State::Ready);
}

#[rstest]
#[case::nick(":s 401 alice NickServ@services.test :No such nick")]
#[case::server(":s 402 alice services.test :No such server")]
fn an_address_without_a_service_is_tried_again(#[case] line: &str) {
    let mut bench = greeted(by_nickserv(Some("NickServ@services.test"), true));
    bench.sent();
    assert_eq!(disconnected(&bench.server(line)), Some(ABSENT));
}

#[rstest]
#[case::atheme("Invalid password for \x02alice\x02.")]
#[case::anope("Password incorrect.")]
#[case::no_account("\x02alice\x02 is not registered.")]
fn a_wrong_password_needs_the_user_only_if_nickserv_itself_says_so(#[case] words: &str) {
    let mut bench = told(true);
    for stranger in
        ["NickServ!NickServ@evil.test", "NickServ!n@services.test", "bob!NickServ@services.test", "NickServ"]
    {
        let events = bench.server(&format!(":{stranger} NOTICE alice :{words}"));
        assert_eq!(disconnected(&events), None, "{stranger}");
    }
    let events = bench.server(&format!(":NickServ!NickServ@services.test NOTICE alice :{words}"));
    assert_eq!(disconnected(&events), Some(Verdict::NeedUser));
    assert_eq!(bench.sent(), [""; 0]);
}

#[test]
fn a_stranger_cannot_say_that_we_are_logged_in() {
    let mut bench = told(true);
    for line in [
        ":NickServ!NickServ@evil.test NOTICE alice :You are now identified",
        ":NickServ!NickServ@services.test PRIVMSG alice :You are now identified",
        ":NickServ!NickServ@services.test NOTICE #rust :You are now identified",
        ":bob!b@evil.test ACCOUNT alice",
        ":s 330 alice alice alice :is logged in as",
        ":s MODE alice -r+i",
    ] {
        bench.server(line);
        assert_eq!(bench.session.account(), None, "{line}");
        assert_eq!(bench.sent(), [""; 0], "{line}");
    }
}

#[test]
fn services_that_do_not_answer_are_given_twenty_seconds() {
    let mut bench = told(true);
    let (events, _) = bench.wait(Duration::from_secs(31));
    assert_eq!(disconnected(&events), Some(Verdict::Retry));
    // Where it need not be, channels are entered without.
    let mut bench = told(false);
    let (events, lines) = bench.wait(Duration::from_secs(31));
    assert_eq!((disconnected(&events), lines.last().unwrap().1.as_str()), (None, "JOIN #rust"));
    let mut bench = greeted(with_sasl(true));
    assert_eq!(disconnected(&bench.wait(Duration::from_secs(21)).0), Some(Verdict::Retry));
}

#[test]
fn a_server_without_capabilities_and_without_the_end_of_a_motd_is_logged_in_to_as_well() {
    let mut bench = Bench::new(with_sasl(true));
    bench.sent();
    bench.server(":s 001 alice :Welcome");
    let (events, lines) = bench.wait(Duration::from_secs(11));
    assert_eq!((events, lines), (vec![], vec![(10, "WHOIS NickServ".to_owned())]));
}

#[test]
fn the_account_is_named_where_the_nick_is_another_and_spaces_are_refused() {
    let mut bench = Bench::new(by_nickserv(Some("NickServ@services.test"), true));
    bench.server(":s 001 alice_ :Welcome");
    bench.sent();
    bench.server(":s 422 alice_ :No MOTD");
    assert_eq!(bench.sent(), ["PRIVMSG NickServ@services.test :IDENTIFY alice sesame"]);
    let mut config = by_nickserv(Some("NickServ@services.test"), true);
    config.sasl.as_mut().unwrap().password = Some("open sesame".into());
    let mut bench = Bench::new(config);
    bench.server(":s 001 alice :Welcome");
    bench.sent();
    assert_eq!(disconnected(&bench.server(":s 422 alice :No MOTD")), Some(Verdict::NeedUser));
    assert_eq!(bench.sent(), [""; 0]);
}

#[test]
fn invariant_10_the_servers_echo_of_the_password_is_no_event() {
    let mut bench = told(true);
    assert_eq!(bench.server(":alice!a@b PRIVMSG NickServ :IDENTIFY sesame"), []);
    bench.server(":s 900 alice alice!a@b alice :ok");
    assert_eq!(bench.server(":alice!a@b PRIVMSG NickServ :IDENTIFY alice sesame"), []);
    assert_eq!(bench.server(":alice!a@b PRIVMSG NickServ :HELP IDENTIFY").len(), 1);
    assert_eq!(bench.server(":bob!a@b PRIVMSG alice :IDENTIFY sesame").len(), 1);
    assert!(!format!("{:?}", bench.session).contains("sesame"));
}

#[rstest]
#[case::whole("NickServ@services.libera.chat", true)]
#[case::no_host("NickServ", false)]
#[case::no_server("NickServ@services", false)]
#[case::no_nick("@services.test", false)]
#[case::two_targets("NickServ@a.test,bob", false)]
#[case::space("NickServ@a.test x", false)]
fn a_full_address_is_a_nick_and_a_server(#[case] text: &str, #[case] whole: bool) {
    let address = ServiceAddress::parse(text);
    assert_eq!(address.map(|address| address.to_string()), whole.then(|| text.to_owned()));
}
