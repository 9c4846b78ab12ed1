//! The way back to the wanted nick.

use super::*;
use crate::irc::wire::Line;
use rstest::rstest;

/// Registered as `alice_`, since `alice` was in use.
fn with_fallback(isupport: &str) -> Bench {
    with_losses(0, isupport)
}

fn with_losses(nick_losses: u32, isupport: &str) -> Bench {
    let mut bench = Bench::new(SessionConfig { nick_losses, ..Bench::config() });
    bench.server(":s 433 * alice :Nickname is already in use");
    assert_eq!(bench.sent().last().unwrap(), "NICK alice_");
    bench.server(":s 001 alice_ :Welcome");
    bench.server(&format!(":s 005 alice_ NICKLEN=16 {isupport} :are supported"));
    bench.server(":s 422 alice_ :No MOTD");
    bench
}

/// Logged in as `alice`, too.
fn logged_in() -> Bench {
    let mut bench = with_fallback("NETWORK=x");
    bench.server(":s 900 alice_ alice_!al@h alice :You are now logged in as alice");
    bench
}

/// Lets time go by; the server answers PING, and ISON with this.
fn lines(bench: &mut Bench, duration: Duration, online: &str) -> Vec<(u64, String)> {
    let start = bench.now;
    let mut seen = Vec::new();
    while bench.now < start + duration {
        let (events, lines) = bench.wait(Duration::from_secs(1));
        assert_eq!(events, []);
        for (_, line) in lines {
            if let Some(token) = line.strip_prefix("PING ") {
                bench.server(&format!(":s PONG s {token}"));
                continue;
            }
            if line.starts_with("ISON") {
                assert_eq!(bench.server(&format!(":s 303 alice_ :{online}")), []);
            }
            seen.push(((bench.now - start).as_secs(), line));
        }
    }
    seen
}

#[test]
fn without_monitor_it_is_looked_for_with_growing_waits() {
    let mut bench = with_fallback("NETWORK=x");
    let seen = lines(&mut bench, Duration::from_hours(1), "Alice");
    assert!(seen.iter().all(|(_, line)| line == "ISON alice"), "{seen:?}");
    let waits: Vec<_> = seen.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!((11..=20).contains(&seen[0].0), "{seen:?}");
    for (wait, step) in waits.iter().zip([30_u64, 60, 120, 240, 480, 600, 600]) {
        assert!((step * 74 / 100..=step * 127 / 100 + 1).contains(wait), "{waits:?}");
    }
}

/// Before, it was read as the answer to the look for the nick, which was asked for although somebody had it.
#[test]
fn an_answer_to_the_owners_own_question_frees_no_nick() {
    let mut bench = with_fallback("NETWORK=x");
    let number = bench.session.inquire(Line::raw("ISON bob").unwrap()).unwrap();
    let sent = bench.sent();
    let token = sent.iter().find_map(|line| line.strip_prefix("PING ")).unwrap().to_owned();
    let mut looked = false;
    for _ in 0..25 {
        let (events, lines) = bench.wait(Duration::from_secs(1));
        assert_eq!(events, []);
        looked |= lines.iter().any(|(_, line)| line == "ISON alice");
        if looked {
            break;
        }
    }
    assert!(looked);
    assert_eq!(bench.server(":s 303 alice_ :bob"), []);
    assert_eq!(bench.sent(), [""; 0]);
    let events = bench.server(&format!(":s PONG s {token}"));
    let [Event::Answered { inquiry, answer }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((*inquiry, answer.replies[0].text.as_str()), (number, "bob"));
    // The next is the one that was waited for.
    assert_eq!(bench.server(":s 303 alice_ :"), []);
    assert_eq!(bench.sent(), ["NICK alice"]);
}

#[test]
fn a_nick_that_nobody_has_is_taken() {
    let mut bench = with_fallback("NETWORK=x");
    let seen = lines(&mut bench, Duration::from_secs(25), "");
    assert_eq!(seen.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>(), ["ISON alice", "NICK alice"]);
    // Services hold it: the refusal is nobody's news.
    assert_eq!(bench.server(":s 437 alice_ alice :Nick/channel is temporarily unavailable"), []);
    bench.server(":alice_!al@h NICK alice");
    assert_eq!(lines(&mut bench, Duration::from_hours(1), ""), []);
}

#[test]
fn monitor_tells_where_the_server_has_it() {
    let mut bench = with_fallback("MONITOR=100");
    assert!(bench.sent().contains(&"MONITOR + alice".to_owned()));
    assert_eq!(bench.server(":s 730 alice_ :alice!x@y"), []);
    assert_eq!(lines(&mut bench, Duration::from_mins(5), "alice"), []);
    assert_eq!(bench.server(":s 731 alice_ :alice"), []);
    assert_eq!(bench.sent(), ["NICK alice"]);
    bench.server(":alice_!al@h NICK alice");
    assert_eq!(bench.sent(), ["MONITOR - alice"]);
    // From now on it is the user's own watching that is answered.
    assert_eq!(bench.server(":s 731 alice :bob").len(), 1);
}

#[test]
fn a_full_monitor_list_is_replaced_by_looking() {
    let mut bench = with_fallback("MONITOR=1");
    bench.sent();
    assert_eq!(bench.server(":s 734 alice_ 1 alice :Monitor list is full."), []);
    let seen = lines(&mut bench, Duration::from_mins(2), "alice");
    assert!(seen.len() >= 2 && seen.iter().all(|(_, line)| line == "ISON alice"), "{seen:?}");
}

#[test]
fn a_server_that_only_says_that_it_has_monitor_is_looked_at() {
    let mut bench = with_fallback("MONITOR=100");
    bench.sent();
    assert_eq!(bench.server(":s 421 alice_ MONITOR :Unknown command"), []);
    let seen = lines(&mut bench, Duration::from_mins(2), "alice");
    assert!(seen.len() >= 2 && seen.iter().all(|(_, line)| line == "ISON alice"), "{seen:?}");
    // What the user types is the user's.
    assert_eq!(bench.server(":s 421 alice_ MONITOR :Unknown command").len(), 1);
}

#[test]
fn what_the_user_watches_and_asks_is_answered_to_the_user() {
    let mut bench = with_fallback("MONITOR=100");
    bench.sent();
    assert_eq!(bench.server(":s 730 alice_ :alice!x@y,bob!x@y").len(), 1);
    assert_eq!(bench.server(":s 734 alice_ 1 bob :Monitor list is full.").len(), 1);
    assert_eq!(bench.server(":s 303 alice_ :bob").len(), 1);
    assert_eq!(bench.server(":s 421 alice_ FOO :Unknown command").len(), 1);
}

#[test]
fn a_server_without_ison_is_asked_for_the_nick_itself() {
    let mut bench = with_fallback("NETWORK=x");
    bench.wait(Duration::from_secs(20));
    assert_eq!(bench.server(":s 421 alice_ ISON :Unknown command"), []);
    let (_, lines) = bench.wait(Duration::from_secs(40));
    assert!(lines.iter().any(|(_, line)| line == "NICK alice"), "{lines:?}");
    assert_eq!(bench.server(":s 433 alice_ alice :Nickname is already in use"), []);
}

#[test]
fn the_wanted_nick_is_taken_at_once_when_its_user_is_seen_to_go() {
    for line in [":ALICE!x@y QUIT :bye", ":alice!x@y NICK bob"] {
        let mut bench = with_fallback("NETWORK=x");
        bench.sent();
        bench.server(line);
        assert_eq!(bench.sent(), ["NICK alice"]);
        let events = bench.server(":alice_!al@h NICK :alice");
        assert!(matches!(&events[..], [Event::NickChanged { to, own: true, .. }] if to == "alice"));
        assert_eq!((bench.session.nick(), bench.session.is_own("ALICE")), ("alice", true));
        assert!(bench.wait(Duration::from_secs(80)).1.is_empty());
    }
}

#[test]
fn who_went_in_a_netsplit_keeps_the_nick_for_ten_minutes() {
    let mut bench = with_fallback("MONITOR=100");
    bench.sent();
    bench.server(":alice!x@y QUIT :irc.a.net hub.b.net");
    bench.server(":s 731 alice_ :alice");
    assert_eq!(bench.sent(), [""; 0]);
    let seen = lines(&mut bench, Duration::from_mins(30), "");
    let taken = seen.iter().find(|(_, line)| line == "NICK alice").map(|(second, _)| *second);
    assert!(taken.is_some_and(|second| second >= 590), "{seen:?}");
}

#[rstest]
#[case::atheme(&[], &["REGAIN"])]
#[case::anope(&["Unknown command REGAIN. \"/msg NickServ HELP\" for help."], &["REGAIN", "RECOVER"])]
#[case::older(
    &["Invalid command. Use /msg NickServ help.", "Unknown command \u{2}RECOVER\u{2}."],
    &["REGAIN", "RECOVER", "GHOST"]
)]
fn services_free_the_nick_of_who_is_logged_in(#[case] answers: &[&str], #[case] words: &[&str]) {
    let mut bench = logged_in();
    bench.sent();
    let mut asked = Vec::new();
    let mut answers = answers.iter();
    for second in 0..40 {
        for (_, line) in bench.wait(Duration::from_secs(1)).1 {
            if let Some(word) = line.strip_prefix("NICKSERV ").and_then(|rest| rest.strip_suffix(" alice")) {
                assert!(second <= 8, "{second}");
                asked.push(word.to_owned());
                if let Some(answer) = answers.next() {
                    bench.server(&format!(":NickServ!s@services NOTICE alice_ :{answer}"));
                }
            }
        }
    }
    assert_eq!(asked, words);
}

#[test]
fn services_are_asked_once_in_an_hour_and_three_times_in_all() {
    let mut bench = logged_in();
    let seen = lines(&mut bench, Duration::from_hours(12), "alice");
    let asked: Vec<u64> =
        seen.iter().filter(|(_, line)| line.starts_with("NICKSERV")).map(|(second, _)| *second).collect();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked.windows(2).all(|pair| pair[1] - pair[0] >= 2600), "{asked:?}");
    // Another login within the hour changes nothing.
    bench.server(":s 900 alice_ alice_!al@h alice :You are now logged in as alice");
    let seen = lines(&mut bench, Duration::from_hours(1), "alice");
    assert!(!seen.iter().any(|(_, line)| line.starts_with("NICKSERV")), "{seen:?}");
}

#[test]
fn services_are_told_nothing_by_who_is_not_logged_in() {
    let mut bench = with_fallback("NETWORK=x");
    let seen = lines(&mut bench, Duration::from_hours(3), "alice");
    assert!(seen.iter().all(|(_, line)| line == "ISON alice"), "{seen:?}");
}

#[test]
fn a_server_without_the_command_is_given_a_message_and_services_that_are_away_are_awaited() {
    let mut bench = logged_in();
    bench.sent();
    bench.wait(Duration::from_secs(8));
    assert_eq!(bench.server(":s 421 alice_ NICKSERV :Unknown command"), []);
    assert_eq!(bench.sent(), ["PRIVMSG NickServ :REGAIN alice"]);
    assert_eq!(bench.server(":s 401 alice_ NickServ :No such nick/channel"), []);
    // What the user says to them is the user's.
    assert_eq!(bench.server(":s 401 alice_ NickServ :No such nick/channel").len(), 1);
    let seen = lines(&mut bench, Duration::from_mins(20), "alice");
    let again: Vec<_> = seen.iter().filter(|(_, line)| line.starts_with("PRIVMSG NickServ")).collect();
    assert!(again.len() == 1 && again[0].0 >= 440, "{seen:?}");
}

#[test]
fn a_network_without_services_is_not_asked_for_them_for_ever() {
    let mut bench = logged_in();
    let mut asked = 0;
    for _ in 0..12 * 360 {
        for (_, line) in lines(&mut bench, Duration::from_secs(10), "alice") {
            if line.starts_with("NICKSERV") {
                assert_eq!(bench.server(":s 421 alice_ NICKSERV :Unknown command"), []);
            } else if line.starts_with("PRIVMSG NickServ") {
                asked += 1;
                assert_eq!(bench.server(":s 401 alice_ NickServ :No such nick/channel"), []);
            }
        }
    }
    assert_eq!(asked, 3);
}

#[test]
fn services_that_force_another_nick_twice_are_not_raced() {
    let mut bench = Bench::ready();
    let mut asked = 0;
    let mut given_up = 0;
    bench.server(":alice!al@h NICK Guest123");
    for _ in 0..3 * 3600 {
        let (_, lines) = bench.wait(Duration::from_secs(1));
        for (_, line) in lines {
            if line.starts_with("ISON") {
                bench.server(":s 303 Guest123 :");
            } else if let Some(token) = line.strip_prefix("PING ") {
                bench.server(&format!(":irc.test PONG irc.test {token}"));
            }
        }
        if bench.sent().iter().any(|line| line == "NICK alice") {
            asked += 1;
            bench.server(":Guest123!al@h NICK alice");
            let events = bench.server(":alice!al@h NICK Guest123");
            given_up += events
                .iter()
                .filter(|event| matches!(event, Event::NickGivenUp { nick } if nick == "alice"))
                .count();
        }
    }
    assert_eq!((asked, given_up, bench.session.nick_losses()), (1, 1, 2));
    // The user may ask.
    bench.session.set_nick(nick("alice"));
    assert_eq!(bench.sent(), ["NICK alice"]);
    bench.server(":s 433 Guest123 alice :Nickname is already in use");
    let seen = lines(&mut bench, Duration::from_mins(5), "alice");
    assert!(seen.iter().any(|(_, line)| line == "ISON alice"), "{seen:?}");
}

#[test]
fn what_was_lost_on_connections_before_counts() {
    let mut bench = with_losses(2, "MONITOR=100");
    assert_eq!(lines(&mut bench, Duration::from_hours(3), ""), []);
    bench.server(":alice!x@y QUIT :bye");
    assert_eq!(bench.sent(), [""; 0]);
}

#[rstest]
#[case::ghost_of_atheme("ERROR :Closing Link: host (Killed (services. (GHOST command used by bob)))", 1)]
#[case::recover(":NickServ!s@services KILL alice :services.net (Nickname recovered by bob)", 1)]
#[case::operator(":oper!o@h KILL alice :irc.net (no bots)", 0)]
#[case::split("ERROR :Closing Link: host (Ping timeout: 240 seconds)", 0)]
fn a_connection_that_was_ended_for_the_nick_is_a_loss(#[case] line: &str, #[case] losses: u32) {
    let mut bench = Bench::ready();
    bench.server(line);
    assert_eq!(bench.session.nick_losses(), losses);
}

#[test]
fn a_nick_that_the_server_takes_from_nobody_is_not_asked_for_again() {
    let mut bench = with_fallback("NETWORK=x");
    lines(&mut bench, Duration::from_secs(25), "");
    let events = bench.server(":s 432 alice_ alice :Erroneous nickname");
    assert!(matches!(&events[..], [Event::NickRefused { code: 432, .. }]));
    assert_eq!(lines(&mut bench, Duration::from_hours(3), ""), []);
}

#[test]
fn a_nick_that_services_hold_for_a_while_is_asked_for_again_when_the_server_calls_it_erroneous() {
    let mut bench = with_fallback("NETWORK=x");
    for minutes in [1, 5] {
        let seen = lines(&mut bench, Duration::from_mins(minutes), "");
        assert!(seen.iter().any(|(_, line)| line == "NICK alice"), "{seen:?}");
        let held = ":s 432 alice_ alice :Services reserved nickname: Being held for a registered user";
        assert_eq!(bench.server(held), []);
    }
}
