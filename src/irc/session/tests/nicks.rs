//! The wanted nick and its fallbacks.

use super::*;
use rstest::rstest;

fn with(nick_text: &str, alternatives: &[&str]) -> Bench {
    let alternatives = alternatives.iter().map(|text| nick(text)).collect();
    let mut bench = Bench::new(SessionConfig { nick: nick(nick_text), alternatives, ..Bench::config() });
    bench.sent();
    bench
}

#[test]
fn fallbacks_are_tried_five_times() {
    let mut bench = with("alice", &[]);
    let mut refused = "alice".to_owned();
    for tries in 1..=5 {
        bench.server(&format!(":s 433 * {refused} :in use"));
        refused = format!("alice{}", "_".repeat(tries));
        assert_eq!(bench.sent(), [format!("NICK {refused}")]);
    }
    assert_eq!(disconnected(&bench.server(&format!(":s 433 * {refused} :in use"))), Some(Verdict::Retry));
}

#[rstest]
#[case::in_use(":s 433 * {} :Nickname is already in use")]
#[case::collision(":s 436 * {} :Nickname collision KILL")]
#[case::held_by_services(":s 437 * {} :Nick/channel is temporarily unavailable")]
#[case::not_allowed(":s 432 * {} :Erroneous nickname")]
fn the_users_alternatives_come_first(#[case] refusal: &str) {
    let mut bench = with("alice", &["alys", "alice", "lice"]);
    bench.server(&refusal.replace("{}", "alice"));
    assert_eq!(bench.sent(), ["NICK alys"]);
    // The one that is wanted anyway has been refused.
    let events = bench.server(&refusal.replace("{}", "alys"));
    assert_eq!((bench.sent(), events), (vec!["NICK alice".to_owned()], vec![]));
}

#[rstest]
#[case::in_use(433, true)]
#[case::collision(436, true)]
#[case::held_by_services(437, true)]
#[case::not_allowed(432, false)]
fn underscores_follow_unless_the_server_takes_the_nick_from_nobody(#[case] code: u16, #[case] goes_on: bool) {
    let mut bench = with("alice", &["alys"]);
    bench.server(&format!(":s {code} * alice :no"));
    assert_eq!(bench.sent(), ["NICK alys"]);
    let events = bench.server(":s 433 * alys :in use");
    if goes_on {
        assert_eq!(bench.sent(), ["NICK alice_"]);
    } else {
        assert_eq!(disconnected(&events), Some(Verdict::NeedUser));
    }
}

#[test]
fn a_nick_that_is_not_allowed_needs_the_user_who_has_named_no_other() {
    let mut bench = with("alice", &[]);
    let events = bench.server(":s 432 * alice :Erroneous nickname");
    let [Event::Disconnect { reason, verdict: Verdict::NeedUser }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(reason, "the network does not allow the nick alice: Erroneous nickname");
}

#[test]
fn a_server_that_cuts_nicks_gets_fallbacks_that_fit() {
    let mut bench = with("alexandria", &["alexander-the-great"]);
    bench.server(":s 433 * alexandr :in use");
    assert_eq!(bench.sent(), ["NICK alexande"]);
    bench.server(":s 433 * alexande :in use");
    assert_eq!(bench.sent(), ["NICK alexand_"]);
    bench.server(":s 437 * alexand_ :Nick is unavailable");
    assert_eq!(bench.sent(), ["NICK alexan__"]);
    bench.server(":s 432 * alexan__ :Erroneous nickname");
    assert_eq!(bench.sent(), ["NICK alex___"]);
}

/// Before, whoever had a long name could not connect at all.
#[rstest]
#[case::no_length_is_named("Erroneous nickname", &["christopher[m]-l", "christopher[m]-", "christopher[", "christoph"])]
#[case::a_length_is_named("Nickname too long, max. 12 characters", &["christopher[", "christoph"])]
#[case::one_is_named_that_none_has("Nickname of 99 bytes", &["christopher[m]-l", "christopher[m]-", "christopher[", "christoph"])]
fn a_nick_that_is_refused_for_its_length_is_tried_shorter_before_it_is_given_up(
    #[case] reason: &str,
    #[case] shorter: &[&str],
) {
    let wanted = "christopher[m]-long";
    let mut bench = with(wanted, &[]);
    let mut refused = wanted.to_owned();
    let mut seen = Vec::new();
    let events = loop {
        let events = bench.server(&format!(":s 432 * {refused} :{reason}"));
        let Some(line) = bench.sent().pop() else { break events };
        line.strip_prefix("NICK ").unwrap().clone_into(&mut refused);
        seen.push(refused.clone());
    };
    assert_eq!(seen, shorter);
    let [Event::Disconnect { reason: told, verdict: Verdict::NeedUser }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(*told, format!("the network does not allow the nick {wanted}: {reason}"));
}

/// Before, such a number was taken for the length, and a stranger's short nick for one's own.
#[rstest]
#[case::of_the_nick("Erroneous Nickname: jonathan_5")]
#[case::of_the_nick_in_capitals("Erroneous Nickname: JONATHAN_5")]
#[case::of_a_rule("Not allowed here, see rule 3")]
#[case::none("Erroneous Nickname")]
fn a_number_that_is_no_length_shortens_no_nick(#[case] reason: &str) {
    let mut bench = with("jonathan_5", &[]);
    bench.server(&format!(":s 432 * jonathan_5 :{reason}"));
    assert_eq!(bench.sent(), ["NICK jonathan_"], "as for any that is refused");
    let events = bench.server(&format!(":s 432 * jonathan_ :{reason}"));
    assert_eq!(disconnected(&events), Some(Verdict::NeedUser));
}

/// Before, who had had it by a shorter one never came on again.
#[test]
fn a_nick_that_was_had_shorter_is_tried_shorter_on_the_next_connection_too() {
    let wanted = nick("christopher[m]-long");
    let mut bench =
        Bench::new(SessionConfig { nick: wanted.clone(), nick_had: Some(wanted), ..Bench::config() });
    bench.sent();
    bench.server(":s 432 * christopher[m]-long :Erroneous nickname");
    assert_eq!(bench.sent(), ["NICK christopher[m]-l"]);
    for refused in ["christopher[m]-l", "christopher[m]-", "christopher["] {
        bench.server(&format!(":s 432 * {refused} :Erroneous nickname"));
    }
    assert_eq!(bench.sent().pop().as_deref(), Some("NICK christoph"));
}

#[test]
fn of_a_nick_that_is_tried_shorter_the_end_stays_that_tells_it_from_others() {
    let config =
        SessionConfig { nick: nick("christopher[m]"), nick_suffix: "[m]".to_owned(), ..Bench::config() };
    let mut bench = Bench::new(config);
    bench.sent();
    bench.server(":s 432 * christopher[m] :Erroneous nickname");
    assert_eq!(bench.sent(), ["NICK christoph[m]"]);
    bench.server(":s 432 * christoph[m] :Erroneous nickname");
    assert_eq!(bench.sent(), ["NICK christ[m]"]);
    // Somebody has that: what is behind it still fits.
    bench.server(":s 433 * christ[m] :in use");
    assert_eq!(bench.sent(), ["NICK chris[m]_"]);
    bench.server(":s 001 chris[m]_ :Welcome");
    bench.server(":s 005 chris[m]_ NICKLEN=9 :are supported by this server");
    bench.server(":s 376 chris[m]_ :End of MOTD");
    // What is wanted is as much of it as the server takes.
    assert!(bench.sent().iter().all(|line| !line.contains("christopher")));
}

#[test]
fn a_nick_that_the_user_asks_for_is_the_wanted_one_only_when_given() {
    let mut bench = Bench::ready();
    bench.session.set_nick(nick("bob"));
    assert_eq!(bench.sent(), ["NICK bob"]);
    let events = bench.server(":irc.test 433 alice bob :Nickname is already in use");
    let reason = "Nickname is already in use".to_owned();
    assert_eq!(events, [Event::NickRefused { nick: "bob".into(), code: 433, reason }]);
    assert!(bench.wait(Duration::from_secs(80)).1.is_empty());
    bench.session.command(Line::raw("NICK carol").unwrap()).unwrap();
    bench.sent();
    bench.server(":alice!al@h NICK carol");
    assert_eq!((bench.session.nick(), bench.session.wanted_nick()), ("carol", "carol"));
    assert!(bench.wait(Duration::from_secs(80)).1.is_empty());
}

#[rstest]
#[case::none_given(":s 431 alice :No nickname given", 431, "")]
#[case::not_allowed(":s 432 alice b@d :Erroneous nickname", 432, "b@d")]
#[case::in_use(":s 433 alice bob :Nickname is already in use", 433, "bob")]
#[case::banned_in_a_channel(":s 435 alice bob #rust :Cannot change nickname while banned", 435, "bob")]
#[case::collision(":s 436 alice bob :Nickname collision", 436, "bob")]
#[case::unavailable(":s 437 alice bob :Nick/channel is temporarily unavailable", 437, "bob")]
#[case::too_fast(":s 438 alice bob :Nick change too fast", 438, "bob")]
#[case::not_in_this_channel(":s 447 alice :Cannot change nickname while on #rust", 447, "")]
fn a_refusal_after_the_welcome_is_told_and_changes_nothing(
    #[case] line: &str,
    #[case] code: u16,
    #[case] named: &str,
) {
    let mut bench = Bench::ready();
    let events = bench.server(line);
    match &events[..] {
        [Event::NickRefused { nick, code: told, .. }] => assert_eq!((nick.as_str(), *told), (named, code)),
        [Event::Numeric { code: told, .. }] => assert_eq!((*told, code), (431, 431)),
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.sent(), [""; 0]);
    assert_eq!(bench.session.nick(), "alice");
}

#[test]
fn a_wanted_nick_that_is_too_long_is_had_as_far_as_the_server_takes_it() {
    let mut bench = with("alexandria", &[]);
    bench.server(":s 001 alexandr :Welcome");
    bench.server(":s 005 alexandr NICKLEN=8 :are supported");
    bench.server(":s 422 alexandr :No MOTD");
    bench.sent();
    assert_eq!(bench.session.nick(), "alexandr");
    assert!(bench.wait(Duration::from_secs(89)).1.is_empty());
}

/// Before, both were cut to the same nick, and each took it from the other.
#[test]
fn a_further_sessions_nick_that_is_too_long_keeps_the_end_that_tells_it_from_the_first() {
    let mut bench = Bench::new(SessionConfig {
        nick: nick("alexandria-the-great_work"),
        nick_suffix: "_work".into(),
        ..Bench::config()
    });
    bench.server(":s 433 * alexandria-the-g :Nickname is already in use");
    assert_eq!(bench.sent().last().unwrap(), "NICK alexandria_work_");
    bench.server(":s 001 alexandria_work_ :Welcome");
    bench.server(":s 005 alexandria_work_ NICKLEN=16 :are supported");
    bench.server(":s 422 alexandria_work_ :No MOTD");
    bench.sent();
    let (_, lines) = bench.wait(Duration::from_secs(30));
    assert!(lines.iter().any(|(_, line)| line == "ISON alexandria-_work"), "{lines:?}");
    bench.server(":s 303 alexandria_work_ :");
    assert_eq!(bench.sent(), ["NICK alexandria-_work"]);
}

#[test]
fn a_nick_set_during_registration_is_asked_for_when_ready() {
    let mut bench = with("alice", &[]);
    bench.session.set_nick(nick("bob"));
    bench.server(":s 001 alice :Welcome");
    bench.server(":s 422 alice :No MOTD");
    assert_eq!(bench.sent().last().unwrap(), "NICK bob");
    assert_eq!((bench.session.wanted_nick(), bench.session.asked_nick()), ("alice", Some(&nick("bob"))));
    let events = bench.server(":alice!al@h NICK bob");
    assert_eq!(events[0], Event::NickGiven { nick: "bob".into() });
    assert_eq!((bench.session.wanted_nick(), bench.session.asked_nick()), ("bob", None));
}

#[test]
fn a_channel_that_is_unavailable_is_no_matter_of_nicks() {
    let mut bench = Bench::ready();
    bench.session.join(&[(channel("#busy"), None)]);
    let events = bench.server(":irc.test 437 alice #busy :Nick/channel is temporarily unavailable");
    assert!(matches!(&events[..], [Event::JoinFailed { code: 437, .. }]), "{events:?}");
}

#[test]
fn asking_for_the_nick_that_we_have_asks_nobody_and_is_in_nobodys_way() {
    let mut bench = Bench::ready();
    bench.session.set_nick(nick("alice"));
    assert_eq!(bench.sent(), [""; 0]);
    bench.server(":alice!al@h NICK Guest1");
    let (_, lines) = bench.wait(Duration::from_secs(30));
    assert!(lines.iter().any(|(_, line)| line == "ISON alice"), "{lines:?}");
    bench.server(":s 303 Guest1 :");
    assert_eq!(bench.sent(), ["NICK alice"]);
    // Who asks for a fallback wants it, and is not taken back to the other.
    bench.session.set_nick(nick("Guest1"));
    assert_eq!((bench.sent(), bench.session.wanted_nick()), (vec![], "Guest1"));
    assert!(bench.wait(Duration::from_secs(80)).1.is_empty());
}

#[rstest]
#[case::with_a_known_length("NICKLEN=16", "alexandria-the-g")]
#[case::with_an_unknown_length("NETWORK=Test", "ALEXANDR")]
fn a_nick_that_the_server_cuts_is_given_all_the_same(#[case] isupport: &str, #[case] given: &str) {
    let mut bench = Bench::ready_with(Bench::config(), isupport);
    bench.session.set_nick(nick("alexandria-the-great"));
    bench.sent();
    bench.server(&format!(":s 433 alice {given} :Nickname is already in use"));
    bench.session.set_nick(nick("alexandria-the-great"));
    bench.sent();
    bench.server(&format!(":alice!al@h NICK {given}"));
    assert_eq!(bench.session.wanted_nick(), "alexandria-the-great");
    assert_eq!(bench.session.nick_losses(), 0);
    assert!(bench.wait(Duration::from_secs(80)).1.is_empty(), "it is had");
}

#[test]
fn two_nicks_that_are_asked_for_at_once_are_both_answered() {
    let mut bench = Bench::ready();
    for name in ["bob", "carol", "dave"] {
        bench.session.set_nick(nick(name));
    }
    assert_eq!(bench.sent(), ["NICK bob", "NICK carol", "NICK dave"]);
    bench.server(":alice!al@h NICK bob");
    let events = bench.server(":irc.test 433 bob carol :Nickname is already in use");
    assert!(matches!(&events[..], [Event::NickRefused { nick, .. }] if nick == "carol"), "{events:?}");
    bench.server(":bob!al@h NICK dave");
    assert_eq!((bench.session.wanted_nick(), bench.session.nick_losses()), ("dave", 0));
}

#[test]
fn a_nick_that_gets_no_answer_is_not_in_the_way_of_the_wanted_one_for_ever() {
    let mut bench = Bench::ready();
    bench.session.set_nick(nick("bob"));
    bench.sent();
    bench.server(":alice!al@h NICK Guest1");
    let mut asked = Vec::new();
    for _ in 0..600 {
        for (_, line) in bench.wait(Duration::from_secs(1)).1 {
            if line.starts_with("ISON") {
                bench.server(":s 303 Guest1 :");
            } else if let Some(token) = line.strip_prefix("PING ") {
                bench.server(&format!(":irc.test PONG irc.test {token}"));
            }
            asked.extend(line.starts_with("NICK").then_some(line));
        }
    }
    assert_eq!(asked.first().map(String::as_str), Some("NICK alice"));
}

#[rstest]
#[case::svshold_of_inspircd("Services reserved nickname: Being held for a registered user")]
#[case::in_other_words("alice is temporarily unavailable")]
fn a_nick_that_services_hold_is_in_use_for_a_while(#[case] reason: &str) {
    let mut bench = with("alice", &[]);
    assert_eq!(bench.server(&format!(":s 432 * alice :{reason}")), []);
    assert_eq!(bench.sent(), ["NICK alice_"]);
}

#[test]
fn a_nick_that_was_ours_needs_no_user_when_the_server_takes_it_no_more() {
    let mut bench = Bench::new(SessionConfig { nick_had: Some(nick("alice")), ..Bench::config() });
    bench.sent();
    assert_eq!(bench.server(":s 432 * alice :Erroneous Nickname"), []);
    assert_eq!(bench.sent(), ["NICK alice_"]);
    let mut bench = Bench::ready();
    assert!(bench.session.had_wanted_nick());
    bench.server(":alice!al@h NICK Guest1");
    assert!(bench.session.had_wanted_nick());
}
