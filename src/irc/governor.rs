//! Who may connect to a network, and when: one governor for each network, shared by all its users.
//!
//! Sans-IO: the owner asks for a place in the queue ([`Governor::ask`]), takes who may dial now ([`Governor::next`]),
//! and says what came of it. Not a backoff of one session, which is [`backoff`](super::backoff), and no judge of a
//! server's words, which is [`Verdict`].
//!
//! | what | how |
//! |---|---|
//! | parallel | so many dial or register at once |
//! | pace | from [`Limits::interval`] towards [`Limits::fastest`], a little with each connection that succeeds |
//! | a user who is refused for our number | half the pace, and for an hour not again up to where it was |
//! | two within a quarter of an hour who are refused, or more who are banned than are connected | it is about all of us: closed, half the pace; one tries again when the server's time is over, or after a quarter of an hour |
//! | fairness | who waits longest; before them who is needed now, but every fourth goes to who waits longest |
//!
//! Few are never taken for all of us, so that nobody who earns a ban of their own closes the network to the others: the
//! gate closes only on refusals of several, soon after each other and with no success in between, and not while more
//! are connected than banned. Any success opens it. Who was refused looks again only where nobody else waits, and
//! their next refusal keeps nobody waiting for longer.
//!
//! Invariant 7: the time and the seed are passed in. Invariant 9: a session waits once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::random::Jitter;
use super::session::Verdict;

/// What the network is asked to bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many may be on their way to being registered at once.
    pub parallel: usize,
    /// The time between two connections to begin with; zero for none.
    pub interval: Duration,
    /// How short it may become while the network takes them all.
    pub fastest: Duration,
}

/// How much a session is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Nobody has looked for a while.
    Ordinary,
    /// Its user is there, or their messages wait.
    Active,
    /// Its user has just asked for it.
    Asked,
}

/// A session's place in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InQueue {
    /// How many go before it.
    pub before: usize,
    /// Nobody connects for now but to see whether the network takes us again.
    pub closed: bool,
}

/// Between two connections after a network without limits has named one.
const FLOOR: Duration = Duration::from_secs(1);
/// The slowest pace.
const SLOWEST: Duration = Duration::from_mins(2);
/// From the first pace to one that is twice as fast, in successes.
const STEPS: f64 = 20.0;
/// How long a pace that was refused is not tried again.
const MEMORY: Duration = Duration::from_hours(1);
/// Refusals within this time answer the same pace.
const EPOCH: Duration = Duration::from_secs(15);
/// Refusals in a row by so many make it all of us,
const ALL_OF_US: usize = 2;
/// if they are no further apart.
const RECENT: Duration = Duration::from_mins(15);
/// A ban may be for a day and for two people: somebody else looks sooner.
const FIRST_LOOK: Duration = Duration::from_mins(15);
/// Whoever waits longest gets one of so many turns, whatever is urgent.
const TURNS: u64 = 4;
/// How long a user who asks must let a network be that is closed.
const PATIENCE: Duration = Duration::from_mins(5);
/// The longest time between two looks at a network that has banned us,
const LONGEST: Duration = Duration::from_hours(6);
/// and at one for which we are too many: a place there may become free at any time.
const LONGEST_IF_FULL: Duration = Duration::from_mins(15);
/// Whoever had a place so lately finds it free, perhaps.
const HELD: Duration = Duration::from_mins(2);
/// The next look, where the last one found nobody at home.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy)]
struct Claim {
    urgency: Urgency,
    since: Instant,
}

/// The network has refused all of us.
#[derive(Debug, Clone, Copy)]
struct Closed {
    /// When somebody may look.
    until: Instant,
    /// When it was refused last.
    refused: Instant,
    /// The time that passed, or has to, before this look.
    pause: Duration,
    /// It has banned us, and not only found us too many.
    by_ban: bool,
}

/// The queue before one network. Sessions are known by their numbers.
#[derive(Debug)]
pub struct Governor {
    limits: Limits,
    jitter: Jitter,
    waiting: BTreeMap<i64, Claim>,
    /// Who dials or registers.
    under_way: BTreeSet<i64>,
    /// Connections in a second; `None` where there is no limit.
    rate: Option<f64>,
    /// The rate that was refused, and until when it is not tried again.
    refused_rate: Option<(f64, Instant)>,
    slowed_at: Option<Instant>,
    next_at: Option<Instant>,
    turns: u64,
    /// Who is on the network.
    standing: BTreeSet<i64>,
    /// Who had a place and lost their connection, and when: lately.
    left: BTreeMap<i64, Instant>,
    /// Who was refused since anybody was taken, and when: while it is open, lately.
    refused: BTreeMap<i64, Instant>,
    closed: Option<Closed>,
    opened_at: Option<Instant>,
}

impl Governor {
    /// A queue in which nobody waits.
    #[must_use]
    pub fn new(limits: Limits, seed: u64) -> Self {
        Self {
            limits: Limits { parallel: limits.parallel.max(1), ..limits },
            jitter: Jitter::new(seed),
            waiting: BTreeMap::new(),
            under_way: BTreeSet::new(),
            rate: (!limits.interval.is_zero()).then(|| rate(limits.interval)),
            refused_rate: None,
            slowed_at: None,
            next_at: None,
            turns: 0,
            standing: BTreeSet::new(),
            left: BTreeMap::new(),
            refused: BTreeMap::new(),
            closed: None,
            opened_at: None,
        }
    }

    /// The network is asked to bear this from now on, at the pace that it begins with. Who is refused there, and since
    /// when, is not forgotten.
    pub fn set_limits(&mut self, limits: Limits, now: Instant) {
        let limits = Limits { parallel: limits.parallel.max(1), ..limits };
        if limits == self.limits {
            return;
        }
        self.limits = limits;
        self.rate = (!limits.interval.is_zero()).then(|| rate(limits.interval));
        self.next_at = self.next_at.zip(self.interval()).map(|(at, interval)| at.min(now + interval));
    }

    /// A session wants to connect; `since` is when it was last connected, or began to want it.
    pub fn ask(&mut self, session: i64, urgency: Urgency, since: Instant) {
        self.waiting.insert(session, Claim { urgency, since });
    }

    /// A session that waits is needed more than it was.
    pub fn raise(&mut self, session: i64, urgency: Urgency) {
        if let Some(claim) = self.waiting.get_mut(&session) {
            claim.urgency = claim.urgency.max(urgency);
        }
    }

    /// A session does not wait any more.
    pub fn withdraw(&mut self, session: i64) {
        self.waiting.remove(&session);
    }

    /// Who may dial now. Whoever gets a turn gives it back: [`Self::registered`], [`Self::refused`], [`Self::failed`].
    pub fn next(&mut self, now: Instant) -> Option<i64> {
        if !self.has_room() || self.ready_at(now).is_some_and(|at| at > now) {
            return None;
        }
        let session = self.returning(now).or_else(|| self.pick())?;
        self.waiting.remove(&session);
        self.left.remove(&session);
        self.under_way.insert(session);
        self.turns += 1;
        self.next_at = self.interval().map(|interval| now + self.jitter.around(interval));
        Some(session)
    }

    /// When [`Self::next`] has somebody; `None`: not before something is told.
    #[must_use]
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        (self.has_room() && !self.waiting.is_empty()).then(|| self.ready_at(now).unwrap_or(now))
    }

    /// The server has taken a session; returns whether this opens a network that was closed.
    pub fn registered(&mut self, session: i64, now: Instant) -> bool {
        self.refused.clear();
        self.standing.insert(session);
        if self.under_way.remove(&session) {
            self.quicken(now);
        }
        let opens = self.closed.take().is_some();
        if opens {
            self.opened_at = Some(now);
        }
        opens
    }

    /// A session's connection came to nothing, or is over, which says nothing about the next one.
    pub fn failed(&mut self, session: i64, now: Instant) {
        self.standing.remove(&session);
        if self.under_way.remove(&session)
            && let Some(closed) = &mut self.closed
        {
            closed.until = closed.until.max(now + LOOK_AGAIN);
        }
    }

    /// A connection, new or old, has ended with this verdict.
    pub fn refused(&mut self, session: i64, verdict: Verdict, now: Instant) {
        let stood = self.standing.remove(&session);
        let (pause, longest, all_of_us) = match verdict {
            Verdict::Throttled(pause) => (pause, pause.max(LONGEST_IF_FULL), ALL_OF_US),
            // Those who are connected are not banned.
            Verdict::Banned(pause) => {
                (pause.min(FIRST_LOOK), LONGEST, ALL_OF_US.max(self.standing.len() + 1))
            }
            _ => {
                self.left.retain(|_, at| now < *at + HELD);
                if stood {
                    self.left.insert(session, now);
                }
                return;
            }
        };
        let is_ban = matches!(verdict, Verdict::Banned(_));
        self.under_way.remove(&session);
        if self.closed.is_none() {
            self.refused.retain(|_, at| now < *at + RECENT);
        }
        // A ban, or one user's second refusal, says nothing about the pace of the others.
        let is_news = self.refused.insert(session, now).is_none();
        if is_news && matches!(verdict, Verdict::Throttled(_)) {
            self.slow_down(now);
        }
        match &mut self.closed {
            // Connections that were under way, or stood, bear the same news; who was refused before bears none.
            Some(closed) if now < closed.until => {
                closed.refused = now;
                closed.by_ban |= is_ban;
                if is_news {
                    closed.until = closed.until.max(now + pause);
                }
            }
            Some(closed) => {
                let pause = pause.max(closed.pause.saturating_mul(2)).min(longest);
                *closed = Closed { until: now + pause, refused: now, pause, by_ban: is_ban };
            }
            None if self.refused.len() >= all_of_us => {
                self.slow_down(now);
                self.closed = Some(Closed { until: now + pause, refused: now, pause, by_ban: is_ban });
            }
            None => {}
        }
    }

    /// How many go before a session that waits.
    #[must_use]
    pub fn place(&self, session: i64) -> Option<InQueue> {
        let own = self.waiting.get(&session)?;
        let goes_before = |(id, claim): &(&i64, &Claim)| {
            (claim.urgency, own.since, session) > (own.urgency, claim.since, **id)
        };
        Some(InQueue {
            before: self.waiting.iter().filter(goes_before).count(),
            closed: self.closed.is_some(),
        })
    }

    /// Whether the network has taken us again since this time, after it had refused all of us.
    #[must_use]
    pub fn opened_after(&self, then: Instant) -> bool {
        self.opened_at.is_some_and(|at| at > then)
    }

    /// Whether one more may be on their way.
    fn has_room(&self) -> bool {
        let parallel = if self.closed.is_some() { 1 } else { self.limits.parallel };
        self.under_way.len() < parallel
    }

    /// Who has just lost a place on a network that is full, so that it may be free.
    fn returning(&self, now: Instant) -> Option<i64> {
        self.closed.filter(|closed| !closed.by_ban)?;
        let held_lately = |id: &&i64| self.left.get(id).is_some_and(|at| now < *at + HELD);
        self.waiting.keys().find(held_lately).copied()
    }

    /// When the next one may go; `None`: at once.
    fn ready_at(&self, now: Instant) -> Option<Instant> {
        let closed = self.closed.filter(|_| self.returning(now).is_none());
        let look_at = closed.map(|closed| {
            let asked = self.waiting.values().any(|claim| claim.urgency == Urgency::Asked);
            if asked { closed.until.min(closed.refused + PATIENCE) } else { closed.until }
        });
        self.next_at.max(look_at)
    }

    fn pick(&self) -> Option<i64> {
        // To see whether the network takes us, somebody is sent whom it has not refused.
        let is_fresh = |id: &i64| self.closed.is_none() || !self.refused.contains_key(id);
        let by_urgency = !(self.turns + 1).is_multiple_of(TURNS);
        let order = |(id, claim): &(&i64, &Claim)| {
            let urgency = if by_urgency { claim.urgency } else { Urgency::Ordinary };
            let is_asked = self.closed.is_some() && claim.urgency == Urgency::Asked;
            (!is_fresh(id), !is_asked, std::cmp::Reverse(urgency), claim.since, **id)
        };
        self.waiting.iter().min_by_key(order).map(|(id, _)| *id)
    }

    fn interval(&self) -> Option<Duration> {
        self.rate.map(|rate| Duration::from_secs_f64(1.0 / rate))
    }

    /// Additive increase.
    fn quicken(&mut self, now: Instant) {
        let Some(current) = self.rate else { return };
        let step = rate(self.limits.interval.max(FLOOR)) / STEPS;
        let known = self.refused_rate.filter(|(_, until)| now < *until).map(|(rate, _)| rate * 0.8);
        let most = rate(self.limits.fastest.max(Duration::from_millis(1)));
        // What it is already stays: only a refusal slows down.
        self.rate = Some((current + step).min(most.min(known.unwrap_or(most))).max(current));
    }

    /// Multiplicative decrease.
    fn slow_down(&mut self, now: Instant) {
        if self.slowed_at.is_some_and(|at| now < at + EPOCH) {
            return;
        }
        self.slowed_at = Some(now);
        self.refused_rate = self.rate.map(|rate| (rate, now + MEMORY));
        let current = self.rate.unwrap_or(rate(FLOOR) * 2.0);
        // A network that is set to be slower than that is not made faster by being refused.
        self.rate = Some((current / 2.0).max(rate(SLOWEST)).min(current));
        self.next_at = self.next_at.max(self.interval().map(|interval| now + interval));
    }
}

fn rate(interval: Duration) -> f64 {
    1.0 / interval.as_secs_f64()
}

#[cfg(test)]
mod tests;
