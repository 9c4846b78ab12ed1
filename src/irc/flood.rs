//! Flood control: what a line costs, and when the next one may go.
//!
//! Not the queue, which decides which line is next. The model is the one that the oldest servers still have: each
//! line adds to a debt that shrinks with time, and while it is no more than the burst allows, lines may go. What a
//! line adds is counted so that no server counts more:
//!
//! | server | a line adds | closes when |
//! |---|---|---|
//! | ircu, snircd (Undernet, `QuakeNet`) | 2 s, and 1 s for each 120 bytes | 1024 bytes wait behind 10 s of debt |
//! | ircd 2.11 (`IRCnet`) | 1 s, 1 s for each 100 bytes, 1–10 s by command | about 1000 bytes wait behind 10 s |
//! | hybrid, ratbox (`EFnet`, OFTC) | one of 5; 2 come back each second | its buffer (some 2.5 kB) is full |
//! | Solanum (Libera) | one of 5; 2 come back each second | 20 lines wait |
//! | `UnrealIRCd` | 1 s for each 90 bytes begun | 8000 bytes wait behind 10 s of debt |
//! | `InspIRCd` | 1 s or more by command | its buffer is full, or 10 s of debt |
//! | ngIRCd | one of 3 each second, 1–2 s by command | 2 kB wait |
//!
//! So a line costs one interval (2 s), half of one more for each 100 bytes, and more for commands that make the
//! server work. A server that says `SAFERATE` closes nothing for its pace and sets it; one that closed all the same is
//! sent to by this model, and slower: [`Slowdown`].
//!
//! Invariant 7: the time is passed in.
//!
//! Spec: RFC 1459 section 8.10, RFC 2813 section 5.8.

use std::time::{Duration, Instant};

use crate::irc::wire::Line;

/// How fast lines may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FloodLimits {
    /// So many short lines may go at once after a rest; at least one.
    pub burst: u32,
    /// Then one short line in each interval; zero turns flood control off.
    pub interval: Duration,
}

impl Default for FloodLimits {
    fn default() -> Self {
        Self { burst: 5, interval: Duration::from_secs(2) }
    }
}

/// How often the pace was halved, because the server said that we are too fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Slowdown(u8);

impl Slowdown {
    /// An eighth of the pace is as slow as it gets.
    const MOST: u8 = 3;
    /// As long without being thrown out doubles it again.
    const FORGIVEN_AFTER_MS: i64 = 3 * 24 * 60 * 60 * 1000;

    /// What is slowed down is no faster than this before: a server that closed takes no such pace.
    const FLOOR: Duration = Duration::from_millis(250);

    /// So often, within bounds.
    #[must_use]
    pub fn new(halvings: i64) -> Self {
        Self(u8::try_from(halvings.clamp(0, i64::from(Self::MOST))).unwrap_or(Self::MOST))
    }

    /// How often the pace was halved.
    #[must_use]
    pub fn halvings(self) -> u8 {
        self.0
    }

    /// The interval whose multiple a slowed line costs.
    fn base(self, interval: Duration) -> Duration {
        if self.0 == 0 { interval } else { interval.max(Self::FLOOR) }
    }

    /// Whether an interval is so short that slowing down is more than doubling it.
    #[must_use]
    pub fn starts_from_floor(interval: Duration) -> bool {
        interval < Self::FLOOR
    }

    /// Once more.
    #[must_use]
    pub fn more(self) -> Self {
        Self((self.0 + 1).min(Self::MOST))
    }

    /// What is left of it after so many milliseconds.
    #[must_use]
    pub fn after(self, milliseconds: i64) -> Self {
        Self::new(i64::from(self.0) - milliseconds.max(0) / Self::FORGIVEN_AFTER_MS)
    }
}

/// What a line costs, in halves of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cost(u32);

/// What a line costs at most: a typed line that names thousands of targets shall not silence its user for hours.
const DEAREST: Cost = Cost::LINE.times(15);

/// Bytes that cost half an interval.
const BYTES: usize = 100;

impl Cost {
    /// A short line that the server does little for.
    pub(crate) const LINE: Self = Self(2);

    pub(crate) const NOTHING: Self = Self(0);

    /// What a line costs by its bytes, its command and the targets that it names.
    pub(crate) fn of(line: &Line) -> Self {
        let targets = line.first_param().map_or(1, |first| first.split(',').count());
        let bytes = u32::try_from(line.len() / BYTES).unwrap_or(u32::MAX);
        let command = extra(&line.verb(), u32::try_from(targets).unwrap_or(u32::MAX).saturating_sub(1));
        Self(Self::LINE.0.saturating_add(bytes).saturating_add(command)).at_most(DEAREST)
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// A cost that takes so long at the default pace.
    #[cfg(test)]
    pub(crate) fn seconds(seconds: u32) -> Self {
        Self(seconds)
    }

    pub(crate) fn at_most(self, other: Self) -> Self {
        self.min(other)
    }

    pub(crate) const fn times(self, times: u32) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

/// What a command costs besides its line, with so many targets besides its first. Where servers differ, the one that
/// takes most of it counts: `PART` is `IRCnet`'s, `NICK` InspIRCd's, `WHO` Solanum's.
fn extra(verb: &str, more: u32) -> u32 {
    match verb {
        "PRIVMSG" | "NOTICE" | "TAGMSG" => more.saturating_mul(2),
        // Each channel makes the server tell its members, too.
        "JOIN" => 1 + more / 8,
        "NAMES" => more.saturating_add(1),
        "MODE" | "TOPIC" | "INVITE" | "KICK" | "AWAY" | "KNOCK" | "SETNAME" | "MONITOR" | "WATCH" => 1,
        "WHOIS" | "WHOWAS" => 2,
        "PART" | "NICK" | "WHO" => 3,
        // Servers answer these with many lines, or ask another server.
        "ADMIN" | "HELP" | "HELPOP" | "INFO" | "LINKS" | "LUSERS" | "MAP" | "MOTD" | "STATS" | "TIME"
        | "TRACE" | "USERS" | "VERSION" => 4,
        "LIST" | "OPER" => 8,
        _ => 0,
    }
}

/// The debt of one connection.
#[derive(Debug)]
pub(crate) struct Pace {
    limits: FloodLimits,
    slowdown: Slowdown,
    /// The server does not close a connection for its pace.
    is_safe: bool,
    /// When there is no debt any more.
    free_at: Instant,
    started: Instant,
}

impl Pace {
    pub(crate) fn new(limits: FloodLimits, now: Instant) -> Self {
        let limits = FloodLimits { burst: limits.burst.max(1), ..limits };
        Self { limits, slowdown: Slowdown::default(), is_safe: false, free_at: now, started: now }
    }

    /// From now on a line costs so many times as much. The debt stays what it is.
    pub(crate) fn slow_down(&mut self, slowdown: Slowdown) {
        self.slowdown = slowdown;
    }

    /// The server takes whatever comes, at its own pace.
    pub(crate) fn set_safe(&mut self, is_safe: bool) {
        self.is_safe = is_safe;
    }

    /// Whether the server alone sets the pace. Where it closed for our pace all the same, its word is not taken for it.
    fn is_free(&self) -> bool {
        self.is_safe && self.slowdown == Slowdown::default()
    }

    fn interval(&self) -> Duration {
        self.slowdown.base(self.limits.interval)
    }

    /// What a cost comes to.
    pub(crate) fn price(&self, cost: Cost) -> Duration {
        if self.is_free() {
            return Duration::ZERO;
        }
        (self.interval() / 2).saturating_mul(cost.0).saturating_mul(1 << self.slowdown.0)
    }

    /// Counts a line that has waited for its turn.
    pub(crate) fn spend(&mut self, cost: Cost, now: Instant) {
        self.free_at = self.free_at.max(now) + self.price(cost);
    }

    /// Counts a line that does not wait. It makes no more than so much debt, so that a server's flood of PINGs cannot
    /// silence the user for long.
    pub(crate) fn spend_at_once(&mut self, cost: Cost, now: Instant) {
        let most = now + self.price(Cost::LINE) * self.limits.burst.saturating_mul(2);
        let sum = self.free_at.max(now) + self.price(cost);
        self.free_at = sum.min(most).max(self.free_at);
    }

    /// When a line may go that waits for its turn.
    pub(crate) fn open_at(&self) -> Instant {
        if self.is_free() {
            return self.started;
        }
        self.free_at.checked_sub(self.interval() * (self.limits.burst - 1)).unwrap_or(self.started)
    }

    /// When a line may go that has lines of this cost before it.
    pub(crate) fn open_after(&self, cost: Cost, now: Instant) -> Instant {
        let lead = self.interval() * (self.limits.burst - 1);
        (self.free_at.max(now) + self.price(cost)).checked_sub(lead).unwrap_or(now).max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::short("PRIVMSG #rust :hello", 2)]
    #[case::ping("PING :towline-1", 2)]
    #[case::tagged("@label=m1 PRIVMSG #rust :hello", 2)]
    #[case::two_targets("PRIVMSG #rust,#go :hello", 4)]
    #[case::join("JOIN #rust", 3)]
    #[case::joins("JOIN #a,#b,#c,#d,#e,#f,#g,#h,#i,#j key", 4)]
    #[case::part("PART #rust :bye", 5)]
    #[case::nick("nick bob", 5)]
    #[case::kick("KICK #rust bob,carol :bye", 3)]
    #[case::names("NAMES #a,#b,#c", 5)]
    #[case::who("WHO #rust", 5)]
    #[case::list("LIST", 10)]
    #[case::of_a_source(":me WHOIS bob", 4)]
    fn a_line_costs_by_its_command(#[case] line: &str, #[case] cost: u32) {
        assert_eq!(Cost::of(&Line::raw(line).unwrap()), Cost(cost));
    }

    #[rstest]
    #[case(99, 2)]
    #[case(100, 3)]
    #[case(399, 5)]
    #[case(512, 7)]
    fn a_line_costs_by_its_bytes(#[case] bytes: usize, #[case] cost: u32) {
        let text = "x".repeat(bytes - "PRIVMSG #rust :\r\n".len());
        let line = Line::raw(&format!("PRIVMSG #rust :{text}")).unwrap();
        assert_eq!((line.len(), Cost::of(&line)), (bytes, Cost(cost)));
    }

    #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
    fn start() -> Instant {
        Instant::now()
    }

    #[rstest]
    #[case::by_default(2000, 0, 2000)]
    #[case::half(2000, 1, 4000)]
    #[case::an_eighth(2000, 9, 16_000)]
    #[case::without_flood_control(0, 0, 0)]
    #[case::without_flood_control_and_closed_for_it(0, 1, 500)]
    #[case::fast_and_closed_for_it(1, 2, 1000)]
    fn a_slowdown_counts_whatever_the_interval(
        #[case] interval: u64,
        #[case] halvings: i64,
        #[case] milliseconds: u64,
    ) {
        let limits = FloodLimits { burst: 1, interval: Duration::from_millis(interval) };
        let now = start();
        let mut pace = Pace::new(limits, now);
        pace.slow_down(Slowdown::new(halvings));
        pace.spend(Cost::LINE, now);
        assert_eq!(pace.open_at().saturating_duration_since(now), Duration::from_millis(milliseconds));
    }

    /// Before, each of the names cost an interval, and nothing else left for hours.
    #[rstest]
    #[case::names("PRIVMSG ", "a,", 4000)]
    #[case::channels("NAMES ", "#a,", 2000)]
    #[case::bytes("PRIVMSG #rust :", "x", 8000)]
    fn one_line_costs_no_more_than_some_seconds(
        #[case] begin: &str,
        #[case] more: &str,
        #[case] times: usize,
    ) {
        let cost = Cost::of(&Line::raw(&format!("{begin}{}", more.repeat(times))).unwrap());
        assert_eq!(cost, Cost::seconds(30));
    }

    #[test]
    fn a_slowdown_is_bounded_and_forgiven_in_days() {
        const DAY: i64 = 24 * 60 * 60 * 1000;
        let most = (0..10).fold(Slowdown::default(), |slowdown, _| slowdown.more());
        assert_eq!(most, Slowdown::new(3));
        assert_eq!(most.after(3 * DAY - 1), most);
        assert_eq!(most.after(3 * DAY), Slowdown::new(2));
        assert_eq!(most.after(9 * DAY), Slowdown::default());
        // A clock that was set back forgives nothing.
        assert_eq!((most.after(-DAY), Slowdown::new(-1), Slowdown::new(i64::MAX)), (most, Slowdown(0), most));
    }
}
