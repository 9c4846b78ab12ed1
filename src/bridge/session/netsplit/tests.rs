//! Netsplits in simulated time.

use super::*;

const SERVERS: &str = "irc.a.net hub.b.net";

/// The second, the channel, the line.
type Told = (u64, String, String);

/// Netsplits with a clock.
struct Bench {
    splits: Netsplits,
    start: Instant,
    now: Instant,
}

impl Bench {
    #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
    fn new() -> Self {
        let now = Instant::now();
        Self { splits: Netsplits::default(), start: now, now }
    }

    fn leave(&mut self, nick: &str, channels: &[&str]) {
        let channels: Vec<String> = channels.iter().map(|channel| (*channel).to_owned()).collect();
        assert!(self.splits.leave(nick, SERVERS, &channels, self.now));
    }

    fn enter(&mut self, nick: &str, channel: &str) {
        self.splits.enter(nick, channel, self.now);
    }

    /// Lets time go by as the actor does, who wakes at each deadline. Returns what was told, with its second since
    /// the start, and who departed.
    fn wait(&mut self, seconds: u64) -> (Vec<Told>, Vec<(String, String)>) {
        let end = self.now + Duration::from_secs(seconds);
        let (mut lines, mut departed) = (Vec::new(), Vec::new());
        for step in 0.. {
            assert!(step < 1_000, "a deadline that has come does nothing");
            let due = self.splits.tick(self.now);
            let second = (self.now - self.start).as_secs();
            lines.extend(due.lines.into_iter().map(|(channel, line)| (second, channel, line)));
            departed.extend(due.departed);
            match self.splits.deadline() {
                Some(next) if next <= end => self.now = self.now.max(next),
                _ => break,
            }
        }
        self.now = end;
        (lines, departed)
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("user{n:04}")).collect()
}

#[test]
fn a_split_is_one_line_for_each_channel_after_ten_quiet_seconds() {
    let mut bench = Bench::new();
    for (number, nick) in names(1_000).iter().enumerate() {
        let channels: &[&str] = if number < 3 { &["#rust", "#Small"] } else { &["#rust"] };
        bench.leave(nick, channels);
        if number % 200 == 0 {
            assert_eq!(bench.wait(1), (vec![], vec![]));
        }
    }
    let (lines, departed) = bench.wait(60);
    let [(11, small, few), (15, rust, big)] = &lines[..] else { panic!("{lines:?}") };
    let rest = "They stay in this room until they come back, for an hour at most.";
    let lost = "Netsplit: the servers irc.a.net and hub.b.net have lost each other, and";
    assert_eq!((rust.as_str(), small.as_str()), ("#rust", "#small"));
    let people = "user0000, user0001, user0002, user0003, user0004 and 995 others are";
    assert_eq!(*big, format!("{lost} {people} gone with that. {rest}"));
    assert_eq!(*few, format!("{lost} user0000, user0001 and user0002 are gone with that. {rest}"));
    assert!(departed.is_empty());
}

#[test]
fn who_comes_back_is_told_of_once_when_all_are_there() {
    let mut bench = Bench::new();
    bench.leave("bob", &["#rust"]);
    bench.leave("carol", &["#rust"]);
    assert_eq!(bench.wait(300).0.len(), 1);
    bench.enter("BOB", "#RUST");
    assert_eq!(bench.wait(5).0, []);
    bench.enter("carol", "#rust");
    let (lines, _) = bench.wait(1);
    let line = "Netsplit: BOB and carol are back. Everybody is here again.";
    assert_eq!(lines, [(305, "#rust".to_owned(), line.to_owned())]);
    assert_eq!(bench.wait(7200), (vec![], vec![]));
    assert!(bench.splits.deadline().is_none());
}

#[test]
fn who_comes_back_before_the_rest_is_told_of_after_half_a_minute() {
    let mut bench = Bench::new();
    for nick in names(20) {
        bench.leave(&nick, &["#rust"]);
    }
    bench.wait(100);
    for nick in names(8) {
        bench.enter(&nick, "#rust");
    }
    let (lines, _) = bench.wait(29);
    assert_eq!(lines, []);
    let (lines, _) = bench.wait(2);
    let line = "Netsplit: user0000, user0001, user0002, user0003, user0004 and 3 others are back.";
    assert_eq!(lines, [(130, "#rust".to_owned(), line.to_owned())]);
    // One of those who are late.
    bench.enter("user0019", "#rust");
    let (lines, _) = bench.wait(40);
    assert_eq!(lines[0].2, "Netsplit: user0019 is back.");
}

#[test]
fn who_is_back_within_seconds_is_told_of_after_it_was_said_that_they_went() {
    let mut bench = Bench::new();
    bench.leave("bob", &["#rust"]);
    bench.wait(3);
    bench.enter("bob", "#rust");
    let (lines, _) = bench.wait(60);
    let told: Vec<_> = lines.iter().map(|(second, _, line)| (*second, line.contains("gone"))).collect();
    assert_eq!(told, [(10, true), (10, false)]);
}

#[test]
fn a_split_that_goes_on_is_told_of_every_minute() {
    let mut bench = Bench::new();
    let mut told = Vec::new();
    for nick in names(30) {
        bench.leave(&nick, &["#rust"]);
        told.extend(bench.wait(5).0.into_iter().map(|(second, ..)| second));
    }
    assert_eq!(told, [60, 120]);
}

#[test]
fn who_is_not_back_after_an_hour_has_left() {
    let mut bench = Bench::new();
    bench.leave("bob", &["#rust", "#tea"]);
    bench.wait(600);
    bench.leave("carol", &["#rust"]);
    bench.enter("bob", "#tea");
    let (_, departed) = bench.wait(2_999);
    assert_eq!(departed, []);
    let (_, departed) = bench.wait(2);
    assert_eq!(departed, [("#rust".to_owned(), "bob".to_owned())]);
    assert!(!bench.splits.misses("bob", "#rust") && bench.splits.misses("carol", "#rust"));
    let (_, departed) = bench.wait(600);
    assert_eq!(departed, [("#rust".to_owned(), "carol".to_owned())]);
    assert!(bench.splits.deadline().is_none() && bench.splits.missing.is_empty());
}

#[test]
fn two_splits_at_a_time_are_two_lines() {
    let mut bench = Bench::new();
    bench.leave("bob", &["#rust"]);
    assert!(bench.splits.leave("carol", "hub.b.net leaf.c.net", &["#rust".to_owned()], bench.now));
    assert_eq!(bench.wait(11).0.len(), 2);
}

#[test]
fn invariant_9_a_server_that_makes_up_splits_gets_few_lines() {
    let mut bench = Bench::new();
    for n in 0..1_000 {
        let servers = format!("a{n}.net b{n}.net");
        assert!(bench.splits.leave(&format!("n{n}"), &servers, &["#rust".to_owned()], bench.now));
    }
    let (lines, _) = bench.wait(60);
    assert_eq!(lines.len(), MOST_AT_ONCE + 1);
    assert!(
        lines.iter().any(|(_, _, line)| line.starts_with("Netsplit: some servers have lost each other, and"))
    );
}

#[test]
fn services_on_the_other_side_are_named() {
    let mut bench = Bench::new();
    bench.leave("bob", &["#rust"]);
    bench.leave("ChanServ", &["#rust"]);
    let (lines, _) = bench.wait(11);
    assert!(
        lines[0]
            .2
            .ends_with("The network's services are on the other side: logins must wait until they are back.")
    );
}

#[test]
fn a_join_of_somebody_who_was_not_missed_is_no_news() {
    let mut bench = Bench::new();
    bench.leave("bob", &["#rust"]);
    bench.wait(60);
    bench.enter("dave", "#rust");
    bench.enter("bob", "#tea");
    assert_eq!(bench.wait(60).0, []);
}

#[test]
fn who_went_twice_is_missed_once() {
    let mut bench = Bench::new();
    bench.leave("bob", &["#rust"]);
    bench.leave("bob", &["#rust"]);
    bench.enter("bob", "#rust");
    assert!(bench.splits.missing.is_empty() && bench.splits.gone.is_empty());
}

#[test]
fn a_channel_that_we_leave_is_forgotten() {
    let mut bench = Bench::new();
    bench.leave("bob", &["#rust", "#tea"]);
    bench.splits.forget_channel("#RUST");
    let (lines, departed) = bench.wait(7_200);
    assert!(lines.iter().all(|(_, channel, _)| channel == "#tea"));
    assert_eq!(departed, [("#tea".to_owned(), "bob".to_owned())]);
}

#[test]
fn invariant_4_a_new_casemapping_keeps_who_is_missed() {
    let mut bench = Bench::new();
    bench.leave("a[b]", &["#x{"]);
    bench.splits.set_mapping(CaseMapping::Ascii);
    assert!(bench.splits.misses("A[B]", "#X{") && !bench.splits.misses("a{b}", "#x{"));
}

#[test]
fn invariant_9_so_many_are_remembered_and_no_more() {
    let mut bench = Bench::new();
    for n in 0..MOST_GONE {
        bench.leave(&format!("n{n}"), &["#rust"]);
    }
    assert!(!bench.splits.leave("one-more", SERVERS, &["#rust".to_owned()], bench.now));
    assert_eq!(bench.wait(60).0.len(), 1);
    let (_, departed) = bench.wait(3_600);
    assert_eq!(departed.len(), MOST_GONE);
}
