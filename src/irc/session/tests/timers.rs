//! What time does.

use super::*;

#[test]
fn a_registration_that_does_not_end_is_given_a_minute() {
    let mut bench = Bench::new(Bench::config());
    assert_eq!(disconnected(&bench.wait(Duration::from_secs(59)).0), None);
    assert_eq!(disconnected(&bench.wait(Duration::from_secs(2)).0), Some(Verdict::Retry));
}

#[test]
fn a_silent_server_is_asked_after_ninety_seconds_and_given_thirty() {
    let mut bench = Bench::ready();
    let (events, lines) = bench.wait(Duration::from_secs(119));
    assert_eq!((events.len(), lines), (0, vec![(90, "PING :towline-1".to_owned())]));
    assert_eq!(disconnected(&bench.wait(Duration::from_secs(2)).0), Some(Verdict::Retry));
}

#[test]
fn an_answer_starts_the_silence_anew_and_measures_the_lag() {
    let mut bench = Bench::ready();
    bench.wait(Duration::from_secs(92));
    assert_eq!(bench.server(":irc.test PONG irc.test :towline-1"), []);
    assert_eq!(bench.session.lag(), Some(Duration::from_secs(2)));
    let (events, lines) = bench.wait(Duration::from_secs(100));
    assert_eq!((events.len(), lines), (0, vec![(90, "PING :towline-2".to_owned())]));
}

#[test]
fn a_server_that_talks_but_answers_no_ping_is_left() {
    let mut bench = Bench::ready();
    bench.say(1, "#rust", "hello");
    bench.sent();
    let mut verdict = None;
    for second in 0..130 {
        bench.server(":bob!b@h PRIVMSG alice :are you there?");
        verdict = disconnected(&bench.wait(Duration::from_secs(1)).0);
        if verdict.is_some() {
            assert!(second >= 118, "{second}");
            break;
        }
    }
    assert_eq!(verdict, Some(Verdict::Retry));
    assert_eq!(bench.session.unconfirmed(), ids(&[1]));
}

#[test]
fn a_server_that_does_not_close_after_quit_is_closed_on() {
    let mut bench = Bench::ready();
    bench.wait(Duration::from_secs(80));
    bench.session.quit("bye");
    let (events, lines) = bench.wait(Duration::from_secs(9));
    assert_eq!((events.len(), lines), (0, vec![(0, "QUIT :bye".to_owned())]));
    assert!(disconnected(&bench.wait(Duration::from_secs(2)).0).is_some());
}

#[test]
fn invariant_7_a_day_of_quiet_is_a_ping_every_ninety_seconds() {
    let mut bench = Bench::ready();
    let mut pings = 0;
    for _ in 0..24 * 3600 {
        let (events, lines) = bench.wait(Duration::from_secs(1));
        assert_eq!(events, []);
        for (_, line) in lines {
            pings += 1;
            bench.server(&format!("PONG {}", &line["PING ".len()..]));
        }
    }
    assert!((940..=960).contains(&pings), "{pings}");
}

/// Found by the property test with random lines: the timer for the nick stayed due after `QUIT`, which made the
/// owner's loop spin until the server closed.
#[test]
fn no_timer_stays_due_after_quit() {
    let mut bench = Bench::new(Bench::config());
    bench.server(":s 001 alice_ :Welcome");
    bench.server(":s 422 alice_ :No MOTD");
    bench.wait(Duration::from_secs(20));
    bench.session.quit("bye");
    let (events, _) = bench.wait(Duration::from_mins(1));
    assert!(disconnected(&events).is_some());
}

#[test]
fn after_the_machine_was_suspended_the_server_is_asked_at_once() {
    let mut bench = Bench::ready();
    bench.session.probe(bench.now);
    assert_eq!(bench.sent(), ["PING :towline-1"]);
    // Once is enough, and an answer is an answer.
    bench.session.probe(bench.now);
    assert_eq!(bench.sent(), [""; 0]);
    bench.server("PONG towline-1");
    assert_eq!(bench.wait(Duration::from_secs(31)).0, []);
    bench.session.probe(bench.now);
    assert_eq!(disconnected(&bench.wait(Duration::from_secs(31)).0), Some(Verdict::Retry));
}
