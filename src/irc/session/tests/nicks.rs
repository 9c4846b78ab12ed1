//! The wanted nick, fallbacks, and the way back.

use super::*;

/// Registered as `alice_`, since `alice` was in use.
fn with_fallback() -> Bench {
    let mut bench = Bench::new(Bench::config());
    bench.server(":s 433 * alice :Nickname is already in use");
    assert_eq!(bench.sent().last().unwrap(), "NICK alice_");
    bench.server(":s 001 alice_ :Welcome");
    bench.server(":s 005 alice_ NICKLEN=16 :are supported");
    bench.server(":s 422 alice_ :No MOTD");
    bench
}

#[test]
fn fallbacks_are_tried_five_times() {
    let mut bench = Bench::new(Bench::config());
    bench.sent();
    let mut refused = "alice".to_owned();
    for tries in 1..=5 {
        bench.server(&format!(":s 433 * {refused} :in use"));
        refused = format!("alice{}", "_".repeat(tries));
        assert_eq!(bench.sent(), [format!("NICK {refused}")]);
    }
    assert_eq!(disconnected(&bench.server(&format!(":s 433 * {refused} :in use"))), Some(Verdict::Retry));
}

#[test]
fn a_server_that_cuts_nicks_gets_fallbacks_that_fit() {
    let mut bench = Bench::new(SessionConfig { nick: nick("alexandria"), ..Bench::config() });
    bench.sent();
    bench.server(":s 433 * alexandr :in use");
    assert_eq!(bench.sent(), ["NICK alexand_"]);
    bench.server(":s 437 * alexand_ :Nick is unavailable");
    assert_eq!(bench.sent(), ["NICK alexan__"]);
    bench.server(":s 432 * alexan__ :Erroneous nickname");
    assert_eq!(bench.sent(), ["NICK alex___"]);
}

#[test]
fn the_wanted_nick_is_asked_for_with_growing_waits_and_its_refusals_are_not_shown() {
    let mut bench = with_fallback();
    let mut at = Vec::new();
    for second in 0..3600 {
        let (events, lines) = bench.wait(Duration::from_secs(1));
        assert_eq!(events, []);
        if lines.iter().any(|(_, line)| line == "NICK alice") {
            at.push(second);
            assert_eq!(bench.server(":s 433 alice_ alice :Nickname is already in use"), []);
        }
        for (_, line) in lines.iter().filter(|(_, line)| line.starts_with("PING")) {
            bench.server(&format!(":s PONG s {}", &line["PING ".len()..]));
        }
    }
    let waits: Vec<_> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!((22..=38).contains(&at[0]), "{at:?}");
    assert!(
        waits.iter().zip([60, 120, 240, 480, 600]).all(|(&wait, step)| {
            let step = f64::from(step);
            f64::from(wait) >= step * 0.74 && f64::from(wait) <= step * 1.26
        }),
        "{waits:?}"
    );
}

#[test]
fn the_wanted_nick_is_taken_at_once_when_its_user_goes() {
    for line in [":ALICE!x@y QUIT :bye", ":alice!x@y NICK bob"] {
        let mut bench = with_fallback();
        bench.server(line);
        assert_eq!(bench.sent(), ["NICK alice"]);
        let events = bench.server(":alice_!al@h NICK :alice");
        assert!(matches!(&events[..], [Event::NickChanged { to, own: true, .. }] if to == "alice"));
        assert_eq!((bench.session.nick(), bench.session.is_own("ALICE")), ("alice", true));
        assert!(bench.wait(Duration::from_secs(80)).1.is_empty());
    }
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
    assert_eq!(bench.session.nick(), "carol");
    assert!(bench.wait(Duration::from_secs(80)).1.is_empty());
}

#[test]
fn services_that_force_another_nick_are_not_raced() {
    let mut bench = Bench::ready();
    let mut asked = Vec::new();
    bench.server(":alice!al@h NICK Guest123");
    for second in 0..1200 {
        for (_, line) in bench.wait(Duration::from_secs(1)).1 {
            if line == "NICK alice" {
                asked.push(second);
                bench.server(":Guest123!al@h NICK alice");
                bench.server(":alice!al@h NICK Guest123");
            } else if let Some(token) = line.strip_prefix("PING ") {
                bench.server(&format!(":irc.test PONG irc.test {token}"));
            }
        }
    }
    assert!(asked.len() <= 6, "{asked:?}");
}

#[test]
fn a_wanted_nick_that_is_too_long_for_the_server_is_not_asked_for_again() {
    let mut bench = Bench::new(SessionConfig { nick: nick("alexandria"), ..Bench::config() });
    bench.server(":s 001 alexandr :Welcome");
    bench.server(":s 005 alexandr NICKLEN=8 :are supported");
    bench.server(":s 422 alexandr :No MOTD");
    bench.sent();
    assert_eq!(bench.session.nick(), "alexandr");
    assert!(bench.wait(Duration::from_secs(89)).1.is_empty());
}

#[test]
fn a_nick_set_during_registration_is_asked_for_when_ready() {
    let mut bench = Bench::new(Bench::config());
    bench.session.set_nick(nick("bob"));
    bench.server(":s 001 alice :Welcome");
    bench.server(":s 422 alice :No MOTD");
    bench.sent();
    assert!(bench.wait(Duration::from_secs(40)).1.iter().any(|(_, line)| line == "NICK bob"));
}

#[test]
fn a_channel_that_is_unavailable_is_no_matter_of_nicks() {
    let mut bench = Bench::ready();
    bench.session.join(&[(channel("#busy"), None)]);
    let events = bench.server(":irc.test 437 alice #busy :Nick/channel is temporarily unavailable");
    assert!(matches!(&events[..], [Event::JoinFailed { code: 437, .. }]), "{events:?}");
}
