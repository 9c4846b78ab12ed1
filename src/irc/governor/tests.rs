//! Tests of the queue before a network, on a time of their own.

mod simulation;

use super::*;
use rstest::rstest;

const SECOND: Duration = Duration::from_secs(1);
const LIMITS: Limits = Limits { parallel: 4, interval: Duration::from_secs(3), fastest: SECOND };
const FREE: Limits = Limits { parallel: 1_000, interval: Duration::ZERO, fastest: Duration::ZERO };
const THROTTLED: Verdict = Verdict::Throttled(Duration::from_mins(2));
const BANNED: Verdict = Verdict::Banned(Duration::from_hours(1));

/// A governor and a time that a test moves.
struct Bench {
    governor: Governor,
    now: Instant,
}

impl Bench {
    #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
    fn new(limits: Limits) -> Self {
        Self { governor: Governor::new(limits, 7), now: Instant::now() }
    }

    fn ask(&mut self, sessions: impl IntoIterator<Item = i64>) {
        for session in sessions {
            self.governor.ask(session, Urgency::Ordinary, self.now);
        }
    }

    /// Those who may dial at this moment.
    fn turns(&mut self) -> Vec<i64> {
        std::iter::from_fn(|| self.governor.next(self.now)).collect()
    }

    /// Waits until somebody may dial: who, and after how long.
    fn wait(&mut self) -> Option<(i64, Duration)> {
        let start = self.now;
        self.now = self.now.max(self.governor.deadline(self.now)?);
        let session = self.governor.next(self.now).expect("a deadline that has come gives somebody a turn");
        Some((session, self.now - start))
    }

    /// Lets this many connect one after the other; how long it took.
    fn connect(&mut self, sessions: impl IntoIterator<Item = i64>) -> Duration {
        let start = self.now;
        self.ask(sessions);
        while let Some((session, _)) = self.wait() {
            self.governor.registered(session, self.now);
        }
        self.now - start
    }

    fn refuse(&mut self, session: i64, verdict: Verdict) {
        self.governor.refused(session, verdict, self.now);
    }
}

#[test]
fn the_first_goes_at_once_and_the_next_after_the_interval_more_or_less() {
    let mut bench = Bench::new(LIMITS);
    bench.ask([1, 2, 3]);
    assert_eq!(bench.turns(), [1]);
    for expected in [2, 3] {
        let (session, waited) = bench.wait().unwrap();
        assert_eq!(session, expected);
        assert!((2.25..=3.75).contains(&waited.as_secs_f64()), "{waited:?}");
    }
    assert_eq!(bench.governor.deadline(bench.now), None);
}

#[test]
fn no_more_than_a_few_are_on_their_way_at_once() {
    let mut bench = Bench::new(Limits { parallel: 2, ..FREE });
    bench.ask(1..=4);
    assert_eq!(bench.turns(), [1, 2]);
    assert_eq!(bench.governor.deadline(bench.now), None, "a timer that nothing waits for");
    bench.governor.failed(1, bench.now);
    bench.governor.failed(1, bench.now);
    assert_eq!(bench.turns(), [3]);
    bench.governor.registered(2, bench.now);
    assert_eq!(bench.turns(), [4]);
}

#[test]
fn who_waits_longest_goes_first() {
    let mut bench = Bench::new(Limits { parallel: 1, ..FREE });
    let early = bench.now;
    bench.now += SECOND;
    bench.ask([1]);
    bench.governor.ask(2, Urgency::Ordinary, early);
    assert_eq!(bench.turns(), [2]);
}

#[test]
fn who_is_needed_goes_before_but_starves_nobody() {
    let mut bench = Bench::new(Limits { parallel: 1, ..FREE });
    bench.ask(1..=100);
    bench.governor.ask(200, Urgency::Asked, bench.now);
    let mut order = Vec::new();
    for active in 300..340 {
        bench.governor.ask(active, Urgency::Active, bench.now);
        let session = bench.turns()[0];
        order.push(session);
        bench.governor.registered(session, bench.now);
    }
    assert_eq!(order[..8], [200, 300, 301, 1, 302, 303, 304, 2]);
    assert_eq!(order.iter().filter(|session| **session < 100).count(), 10, "every fourth");
}

#[test]
fn a_place_in_the_queue_is_how_many_go_before() {
    let mut bench = Bench::new(LIMITS);
    bench.ask(1..=5);
    let before = |bench: &Bench, session| bench.governor.place(session).map(|place| place.before);
    assert_eq!(before(&bench, 4), Some(3));
    bench.governor.raise(5, Urgency::Active);
    assert_eq!((before(&bench, 4), before(&bench, 5)), (Some(4), Some(0)));
    bench.governor.withdraw(1);
    assert_eq!((before(&bench, 4), before(&bench, 1)), (Some(3), None));
    assert_eq!(bench.turns(), [5]);
    assert_eq!(before(&bench, 5), None);
}

#[test]
fn while_the_network_takes_everybody_the_pace_quickens_up_to_its_limit() {
    let mut bench = Bench::new(LIMITS);
    let first = bench.connect(0..100);
    let last = bench.connect(100..200);
    // Sixty times the logarithm of three, and then one in each second.
    assert!((120..132).contains(&first.as_secs()), "{first:?}");
    assert!((95..106).contains(&last.as_secs()), "{last:?}");
}

#[test]
fn a_refusal_halves_the_pace_once_for_all_who_were_under_way() {
    let mut bench = Bench::new(LIMITS);
    bench.ask(1..=20);
    let mut sent = Vec::new();
    for _ in 0..3 {
        sent.push(bench.wait().unwrap().0);
    }
    bench.refuse(sent[0], THROTTLED);
    let (_, waited) = bench.wait().unwrap();
    assert!((6.0..=7.5).contains(&waited.as_secs_f64()), "{waited:?}");
    bench.governor.registered(sent[1], bench.now);
    bench.governor.registered(sent[2], bench.now);
    let (_, waited) = bench.wait().unwrap();
    assert!((4.0..=7.5).contains(&waited.as_secs_f64()), "{waited:?}");
}

#[test]
fn a_pace_that_was_refused_is_not_tried_again_for_an_hour() {
    let mut bench = Bench::new(LIMITS);
    bench.connect(0..300);
    let rate = bench.governor.rate.unwrap();
    bench.ask([1_000]);
    let (session, _) = bench.wait().unwrap();
    bench.refuse(session, THROTTLED);
    bench.connect(300..600);
    let later = bench.governor.rate.unwrap();
    assert!(later < rate * 0.81, "{later} of {rate}");
    bench.now += MEMORY;
    bench.connect(600..900);
    assert!(bench.governor.rate.unwrap() > rate * 0.99);
}

/// It went up to one in two minutes.
#[test]
fn a_network_that_is_set_to_be_very_slow_is_made_no_faster_by_a_refusal() {
    let slow = Limits { parallel: 1, interval: Duration::from_mins(20), fastest: Duration::from_mins(20) };
    let mut bench = Bench::new(slow);
    bench.ask([1, 2, 3]);
    let (first, _) = bench.wait().unwrap();
    bench.refuse(first, THROTTLED);
    let (second, _) = bench.wait().unwrap();
    bench.governor.registered(second, bench.now);
    let (_, waited) = bench.wait().unwrap();
    assert!(waited >= Duration::from_mins(10), "{waited:?}");
}

#[test]
fn a_network_without_limits_gets_some_when_it_refuses() {
    let mut bench = Bench::new(FREE);
    bench.ask(1..=10);
    assert_eq!(bench.turns().len(), 10);
    bench.refuse(1, THROTTLED);
    bench.ask([11]);
    assert!(bench.wait().unwrap().1 >= SECOND);
}

#[rstest]
#[case::throttled(THROTTLED, 2)]
#[case::banned(BANNED, 1)]
fn one_user_who_is_refused_again_and_again_closes_the_network_to_nobody(
    #[case] verdict: Verdict,
    #[case] slower: u32,
) {
    let mut bench = Bench::new(LIMITS);
    for _ in 0..10 {
        bench.ask([1]);
        bench.wait();
        bench.refuse(1, verdict);
    }
    bench.ask([2]);
    assert_eq!(bench.governor.place(2), Some(InQueue { before: 0, closed: false }));
    assert!(bench.wait().unwrap().1 <= (LIMITS.interval * slower).mul_f64(1.25));
}

#[test]
fn refusals_of_two_in_a_row_close_it_until_somebody_is_taken() {
    let mut bench = Bench::new(LIMITS);
    bench.ask(1..=1_000);
    for _ in 0..2 {
        let (session, _) = bench.wait().unwrap();
        bench.refuse(session, BANNED);
        bench.now += SECOND;
        bench.ask([session]);
    }
    let place = bench.governor.place(3).unwrap();
    assert!(place.closed);
    let held_since = bench.now;
    // One looks when the server's time is over, and it is one who was not refused.
    let (session, waited) = bench.wait().unwrap();
    assert_eq!((session, waited), (3, Duration::from_secs(899)), "the ban may be of two people");
    assert_eq!(bench.governor.deadline(bench.now), None, "alone");
    bench.refuse(session, BANNED);
    let (session, waited) = bench.wait().unwrap();
    assert_eq!((session, waited), (4, FIRST_LOOK * 2), "the longer it lasts the rarer");
    assert!(!bench.governor.opened_after(held_since));
    assert!(bench.governor.registered(session, bench.now));
    assert!(bench.governor.opened_after(held_since) && !bench.governor.opened_after(bench.now));
    assert!(bench.wait().unwrap().1 < Duration::from_secs(20));
}

/// Before, a limit of addresses was waited for up to six hours, by those, too, whose place had just become free.
#[test]
fn a_network_that_is_full_is_looked_at_often_and_who_had_a_place_goes_back_at_once() {
    let full = Verdict::Throttled(Duration::from_mins(5));
    let mut bench = Bench::new(LIMITS);
    bench.connect(1..=5);
    bench.refuse(6, full);
    bench.refuse(7, full);
    for minutes in [5, 10, 15, 15] {
        bench.ask([8]);
        assert_eq!(bench.wait().unwrap(), (8, Duration::from_mins(minutes)));
        bench.refuse(8, full);
    }
    bench.ask([8]);
    bench.refuse(1, Verdict::Retry);
    bench.ask([1]);
    let (session, waited) = bench.wait().unwrap();
    assert!(session == 1 && waited < Duration::from_mins(1), "{session} after {waited:?}");
    // Somebody else was faster.
    bench.refuse(1, full);
    bench.ask([1]);
    let (session, waited) = bench.wait().unwrap();
    assert!(session == 8 && waited > Duration::from_mins(13), "{session} after {waited:?}");
}

#[test]
fn connections_that_end_together_are_one_refusal() {
    let mut bench = Bench::new(LIMITS);
    for session in 1..=1_000 {
        bench.refuse(session, BANNED);
    }
    bench.ask(1..=1_000);
    let (first, waited) = bench.wait().unwrap();
    assert_eq!(waited, FIRST_LOOK);
    bench.governor.registered(first, bench.now);
    assert!(bench.wait().unwrap().1 < Duration::from_secs(8));
}

#[test]
fn a_look_that_finds_nobody_at_home_is_repeated() {
    let mut bench = Bench::new(LIMITS);
    bench.refuse(1, THROTTLED);
    bench.refuse(2, THROTTLED);
    bench.ask([3, 4]);
    assert_eq!(bench.wait().unwrap(), (3, Duration::from_mins(2)));
    bench.governor.failed(3, bench.now);
    assert_eq!(bench.wait().unwrap(), (4, LOOK_AGAIN));
}

#[test]
fn a_user_who_asks_looks_sooner_but_not_at_once() {
    let mut bench = Bench::new(LIMITS);
    bench.refuse(1, BANNED);
    bench.refuse(2, BANNED);
    bench.governor.ask(1, Urgency::Asked, bench.now);
    assert_eq!(bench.wait().unwrap(), (1, PATIENCE));
    bench.refuse(1, BANNED);
    bench.governor.ask(1, Urgency::Asked, bench.now);
    bench.ask([3]);
    assert_eq!(bench.wait().unwrap(), (3, PATIENCE), "who was not refused knows more");
    bench.governor.registered(3, bench.now);
    assert!(bench.wait().unwrap().1 < Duration::from_secs(20));
}

/// Before, one ban on Monday and one on Thursday were two in a row.
#[test]
fn bans_of_two_people_at_different_times_close_the_network_to_nobody() {
    let mut bench = Bench::new(LIMITS);
    for session in 1..=10 {
        bench.refuse(session, BANNED);
        bench.now += RECENT;
    }
    bench.ask([20]);
    assert_eq!(bench.turns(), [20]);
}

/// Before, a ban of two for a day kept everybody off who lost their connection, for that day.
#[test]
fn bans_of_a_few_close_the_network_to_nobody_while_the_others_are_connected() {
    let mut bench = Bench::new(FREE);
    bench.connect(1..=5);
    for session in 11..=15 {
        bench.refuse(session, Verdict::Banned(Duration::from_hours(24)));
    }
    bench.governor.failed(1, bench.now);
    bench.ask([1]);
    assert_eq!(bench.governor.place(1), Some(InQueue { before: 0, closed: false }));
    assert_eq!(bench.turns(), [1]);
    bench.refuse(1, BANNED);
    bench.ask([2]);
    assert!(bench.governor.place(2).unwrap().closed, "more are banned than connected");
}

/// Before, each refusal of who asked pushed the others' next look an hour away, and nobody else ever looked.
#[test]
fn who_is_banned_and_asks_again_and_again_keeps_the_network_shut_to_nobody() {
    let mut bench = Bench::new(LIMITS);
    bench.refuse(1, Verdict::Banned(Duration::from_hours(24)));
    bench.refuse(2, Verdict::Banned(Duration::from_hours(24)));
    let closed_at = bench.now;
    for _ in 0..2 {
        bench.governor.ask(1, Urgency::Asked, bench.now);
        assert_eq!(bench.wait().unwrap(), (1, PATIENCE));
        bench.refuse(1, BANNED);
    }
    bench.ask([3]);
    assert_eq!(bench.wait().unwrap().0, 3);
    assert_eq!(bench.now - closed_at, FIRST_LOOK);
    assert!(bench.governor.registered(3, bench.now));
}

#[test]
fn what_is_about_one_connection_alone_slows_nobody_down() {
    let mut bench = Bench::new(LIMITS);
    for session in 1..10 {
        bench.refuse(session, Verdict::Hold(Duration::from_mins(5)));
        bench.refuse(session, Verdict::Retry);
    }
    bench.ask([10]);
    assert_eq!(bench.turns(), [10]);
}

#[test]
fn other_limits_hold_from_then_on_and_leave_who_waits_and_who_was_refused() {
    let mut bench = Bench::new(Limits { interval: Duration::from_mins(5), ..LIMITS });
    bench.ask(1..=8);
    assert_eq!(bench.turns().len(), 1);
    bench.refuse(1, BANNED);
    bench.governor.set_limits(Limits { parallel: 3, ..FREE }, bench.now);
    assert_eq!(bench.turns().len(), 3, "at once, and as many as may be on their way");
    // The same again is no new beginning.
    bench.governor.set_limits(LIMITS, bench.now);
    bench.governor.registered(2, bench.now);
    let slowed = bench.governor.rate;
    bench.governor.set_limits(LIMITS, bench.now);
    assert_eq!(bench.governor.rate, slowed);
    bench.governor.set_limits(Limits { parallel: 0, ..LIMITS }, bench.now);
    assert_eq!(bench.governor.limits.parallel, 1, "nobody is kept out for good");
}
