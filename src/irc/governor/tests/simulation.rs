//! A thousand users of one bridge on one network, in simulated time: what a restart, a netsplit and a K-line come to.
//!
//! The users are real sessions with real backoffs behind one governor; the network is made up. It throttles an address
//! that connects too fast, and it bans. Each user says something every three minutes, connected or not; what is said while
//! they are not waits, as it does in the bridge's inbox. Nothing here sleeps, and each run gives the same figures.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use super::*;
use crate::irc::backoff::Backoff;
use crate::irc::flood::FloodLimits;
use crate::irc::session::{
    Event, MessageId, MessageKind, OutgoingMessage, Session, SessionConfig, State, Target,
};
use crate::irc::wire::Message;
use crate::names::Nick;

const USERS: usize = 1_000;
/// The defaults of the configuration.
const LIMITS: Limits =
    Limits { parallel: 4, interval: Duration::from_secs(1), fastest: Duration::from_millis(250) };
/// The time goes on in steps, which are also the way from the network to the bridge.
const STEP: Duration = Duration::from_millis(100);
/// TCP and TLS.
const HANDSHAKE: Duration = Duration::from_millis(500);
/// Between two messages of a user.
const SPEAKS: Duration = Duration::from_mins(3);
/// More than any test takes.
const NEVER: Duration = Duration::from_hours(1_000);

const SPLIT: &str = "ERROR :Closing Link: bridge (*.net *.split)";
const K_LINE: &str = "ERROR :Closing Link: bridge (K-Lined for 30 minutes: too many of you)";
const THROTTLE: &str = "ERROR :Closing Link: bridge (Throttled: Reconnecting too fast)";

/// What the network sees of the bridge, and thinks of it.
struct Network {
    /// Connections that it takes within a minute.
    most: usize,
    recent: VecDeque<Instant>,
    banned_until: Instant,
    /// By the second.
    connections: BTreeMap<u64, usize>,
    throttled: usize,
    banned: usize,
    /// How often each message of each user came.
    heard: BTreeMap<(usize, u64), usize>,
}

impl Network {
    /// A connection: what it is told if it may not stay.
    fn accept(&mut self, second: u64, now: Instant) -> Option<&'static str> {
        *self.connections.entry(second).or_default() += 1;
        while self.recent.front().is_some_and(|at| *at + Duration::from_mins(1) <= now) {
            self.recent.pop_front();
        }
        if now < self.banned_until {
            self.banned += 1;
            return Some(K_LINE);
        }
        if self.recent.len() >= self.most {
            self.throttled += 1;
            return Some(THROTTLE);
        }
        self.recent.push_back(now);
        None
    }
}

enum Link {
    Off { retry_at: Instant, refused_at: Option<Instant> },
    InQueue,
    Dialing { until: Instant },
    Up(Box<Up>),
}

struct Up {
    session: Session,
    /// The server's lines on their way, each with its time.
    incoming: VecDeque<(Instant, String)>,
    /// The server does not listen any more.
    is_over: bool,
    /// When the session has something to do.
    wake_at: Instant,
}

struct User {
    number: usize,
    link: Link,
    backoff: Backoff,
    since: Instant,
    speaks_at: Instant,
    said: u64,
    /// What is not confirmed; the first of them are in the session's hands.
    waiting: VecDeque<u64>,
    handed: usize,
    /// Lines of which nobody knows whether they arrived: the bridge asks.
    uncertain: usize,
}

/// What a user's step needs beside the user.
struct Surroundings<'a> {
    now: Instant,
    second: u64,
    governor: &'a mut Governor,
    network: &'a mut Network,
    opened: &'a mut bool,
}

impl User {
    fn new(number: usize, now: Instant) -> Self {
        Self {
            number,
            link: Link::Off { retry_at: now, refused_at: None },
            backoff: Backoff::new(number as u64),
            since: now,
            // Not all in the same second.
            speaks_at: now + SPEAKS.mul_f64(number as f64 / USERS as f64),
            said: 0,
            waiting: VecDeque::new(),
            handed: 0,
            uncertain: 0,
        }
    }

    fn is_online(&self) -> bool {
        matches!(&self.link, Link::Up(up) if up.session.registered_at().is_some() && !up.is_over)
    }

    fn step(&mut self, around: &mut Surroundings<'_>) {
        let now = around.now;
        if self.speaks_at <= now {
            self.speaks_at += SPEAKS;
            self.waiting.push_back(self.said);
            self.said += 1;
        }
        match &mut self.link {
            Link::Off { retry_at, .. } if *retry_at <= now => {
                around.governor.ask(self.number as i64, Urgency::Ordinary, self.since);
                self.link = Link::InQueue;
            }
            Link::Dialing { until } if *until <= now => {
                let refusal = around.network.accept(around.second, now);
                let nick = Nick::new(&format!("user{}", self.number)).unwrap();
                let config = SessionConfig {
                    flood: FloodLimits { burst: 5, interval: Duration::from_secs(2) },
                    seed: self.number as u64,
                    ..SessionConfig::new(nick)
                };
                self.link = Link::Up(Box::new(Up {
                    session: Session::new(config, now),
                    incoming: refusal.map(|line| (now + STEP, line.to_owned())).into_iter().collect(),
                    is_over: refusal.is_some(),
                    wake_at: now,
                }));
            }
            Link::Up(_) => self.talk(around),
            _ => {}
        }
    }

    fn talk(&mut self, around: &mut Surroundings<'_>) {
        let Link::Up(up) = &mut self.link else { return };
        let now = around.now;
        let mut events = Vec::new();
        let has_news = up.incoming.front().is_some_and(|(at, _)| *at <= now);
        let has_words = up.session.state() == State::Ready && self.handed < self.waiting.len();
        if up.wake_at > now && !has_news && !has_words {
            return;
        }
        while let Some((_, line)) = up.incoming.pop_front_if(|(at, _)| *at <= now) {
            up.session.handle(&Message::parse(&line).unwrap(), now, &mut events);
        }
        up.session.tick(now, &mut events);
        while up.session.state() == State::Ready && self.handed < self.waiting.len() {
            let number = self.waiting[self.handed];
            let target = Target::Nick(Nick::new("town").unwrap());
            let (id, text) = (MessageId(number), number.to_string());
            let message = OutgoingMessage { id, target, kind: MessageKind::Privmsg, text, reply: None };
            if up.session.message(message).is_err() {
                break;
            }
            self.handed += 1;
        }
        for line in up.session.transmit(now).lines {
            if !up.is_over {
                let answers = answer(line.as_str(), self.number, around.network);
                up.incoming.extend(answers.into_iter().map(|line| (now + STEP, line)));
            }
        }
        up.wake_at = up.session.deadline().unwrap_or(now + NEVER).max(now + STEP);
        for event in events {
            self.on_event(event, around);
        }
    }

    fn on_event(&mut self, event: Event, around: &mut Surroundings<'_>) {
        let now = around.now;
        match event {
            Event::Registered { .. } => {
                *around.opened |= around.governor.registered(self.number as i64, now);
            }
            Event::Confirmed { messages } => {
                for MessageId(number) in messages {
                    let place = self.waiting.iter().position(|waiting| *waiting == number).unwrap();
                    self.waiting.remove(place);
                    self.handed -= 1;
                }
            }
            // As the bridge does it: `bridge/session/link.rs`.
            Event::Disconnect { verdict, .. } => {
                let Link::Up(up) = &mut self.link else { return };
                around.governor.refused(self.number as i64, verdict, now);
                around.governor.failed(self.number as i64, now);
                if let Some(registered_at) = up.session.registered_at() {
                    self.backoff.reset_after(now - registered_at);
                    self.since = now;
                }
                self.uncertain += up.session.unconfirmed().len();
                self.handed = 0;
                let (pause, refused_at) = match verdict {
                    Verdict::Throttled(pause) => (self.backoff.throttled(pause), Some(now)),
                    Verdict::Banned(pause) => (self.backoff.held(pause), Some(now)),
                    _ => (self.backoff.next(), None),
                };
                self.link = Link::Off { retry_at: now + pause, refused_at };
            }
            _ => {}
        }
    }
}

/// What the server says to a line.
fn answer(line: &str, user: usize, network: &mut Network) -> Vec<String> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    match (verb, rest) {
        ("CAP", "LS :302") => vec![":irc.sim CAP * LS :".to_owned()],
        ("CAP", "END") => vec![
            format!(":irc.sim 001 user{user} :Welcome user{user}!u@bridge"),
            format!(":irc.sim 005 user{user} CASEMAPPING=rfc1459 :are supported by this server"),
            format!(":irc.sim 422 user{user} :No MOTD"),
        ],
        ("PING", token) => vec![format!(":irc.sim PONG irc.sim :{}", token.trim_start_matches(':'))],
        ("PRIVMSG", text) => {
            let number = text.rsplit([' ', ':']).next().and_then(|number| number.parse().ok()).unwrap();
            *network.heard.entry((user, number)).or_default() += 1;
            Vec::new()
        }
        _ => Vec::new(),
    }
}

struct World {
    start: Instant,
    now: Instant,
    governor: Governor,
    network: Network,
    users: Vec<User>,
}

impl World {
    /// All users begin to connect; the network takes so many of them in a minute.
    #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
    fn new(most: usize) -> Self {
        let start = Instant::now();
        let network = Network {
            most,
            recent: VecDeque::new(),
            banned_until: start,
            connections: BTreeMap::new(),
            throttled: 0,
            banned: 0,
            heard: BTreeMap::new(),
        };
        let users = (0..USERS).map(|number| User::new(number, start)).collect();
        Self { start, now: start, governor: Governor::new(LIMITS, 7), network, users }
    }

    fn step(&mut self) {
        self.now += STEP;
        let mut opened = false;
        let mut around = Surroundings {
            now: self.now,
            second: (self.now - self.start).as_secs(),
            governor: &mut self.governor,
            network: &mut self.network,
            opened: &mut opened,
        };
        self.users.iter_mut().for_each(|user| user.step(&mut around));
        if opened {
            for user in &mut self.users {
                if let Link::Off { retry_at, refused_at: Some(at) } = &mut user.link
                    && self.governor.opened_after(*at)
                {
                    *retry_at = (*retry_at).min(self.now);
                }
            }
        }
        while let Some(session) = self.governor.next(self.now) {
            self.users[session as usize].link = Link::Dialing { until: self.now + HANDSHAKE };
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    /// Goes on until everybody is connected: how long that took, and the most connections in a second and a minute.
    fn recover(&mut self) -> (Duration, usize, usize) {
        let start = self.now;
        while self.users.iter().any(|user| !user.is_online()) {
            self.step();
            assert!(self.now - start < Duration::from_hours(12), "it takes too long");
        }
        let first = (start - self.start).as_secs();
        let seconds = self.network.connections.range(first..);
        let in_second = seconds.clone().map(|(_, count)| *count).max().unwrap_or_default();
        let from =
            |second: u64| self.network.connections.range(second..second + 60).map(|(_, count)| count).sum();
        let in_minute = seconds.map(|(second, _)| from(*second)).max().unwrap_or_default();
        (self.now - start, in_second, in_minute)
    }

    /// The server's last words to these users.
    fn cut(&mut self, users: Range<usize>, words: &str) {
        for user in &mut self.users[users] {
            if let Link::Up(up) = &mut user.link {
                up.incoming.push_back((self.now + STEP, words.to_owned()));
                up.is_over = true;
            }
        }
    }

    /// Nobody says anything more: whether all that was said has come. Gives what was said and what the bridge had
    /// to ask about.
    fn settle(&mut self) -> (u64, usize) {
        self.users.iter_mut().for_each(|user| user.speaks_at = self.now + NEVER);
        self.run(Duration::from_mins(10));
        for user in &self.users {
            assert!(user.waiting.is_empty(), "{:?} of user {}", user.waiting, user.number);
            for message in 0..user.said {
                let count = self.network.heard.get(&(user.number, message)).copied();
                assert_eq!(count, Some(1), "message {message} of user {}", user.number);
            }
        }
        (self.users.iter().map(|user| user.said).sum(), self.users.iter().map(|user| user.uncertain).sum())
    }

    fn report(&mut self, what: &str, (time, in_second, in_minute): (Duration, usize, usize)) {
        let Network { throttled, banned, .. } = self.network;
        let (said, uncertain) = self.settle();
        println!(
            "{what}: all {USERS} back after {} min; the network saw at most {in_second} connections in a second and \
             {in_minute} in a minute, throttled {throttled} and banned {banned}; {said} messages said, 0 lost, 0 twice, \
             {uncertain} asked about",
            time.as_secs() / 60
        );
    }
}

#[test]
fn a_thousand_users_come_back_after_a_restart_and_no_message_is_lost() {
    let mut world = World::new(USERS);
    let (time, in_second, in_minute) = world.recover();
    assert!(time < Duration::from_mins(6), "{time:?}");
    assert!(in_second <= 6 && in_minute <= 256, "{in_second} in a second, {in_minute} in a minute");
    assert_eq!(world.network.throttled, 0);
    world.report("restart", (time, in_second, in_minute));
}

#[test]
fn on_a_network_that_throttles_a_restart_finds_the_pace_that_it_takes() {
    let mut world = World::new(12);
    let (time, in_second, in_minute) = world.recover();
    // A thousand at twelve a minute are 84 minutes at the very best.
    assert!(time < Duration::from_hours(3), "{time:?}");
    assert!(world.network.throttled < USERS / 20, "throttled {} times", world.network.throttled);
    world.report("restart on a network that throttles", (time, in_second, in_minute));
}

#[test]
fn half_a_network_that_splits_off_comes_back_and_the_other_half_notices_nothing() {
    let mut world = World::new(USERS);
    world.recover();
    world.run(Duration::from_mins(10));
    world.cut(0..USERS / 2, SPLIT);
    let (time, in_second, in_minute) = world.recover();
    assert!(time < Duration::from_mins(4), "{time:?}");
    assert!(in_second <= 6 && in_minute <= 256, "{in_second} in a second, {in_minute} in a minute");
    assert!(world.users[USERS / 2..].iter().all(|user| user.since == world.start));
    world.report("netsplit of half", (time, in_second, in_minute));
}

#[test]
fn a_k_line_is_waited_out_and_not_hammered_at() {
    let mut world = World::new(USERS);
    world.recover();
    world.run(Duration::from_mins(10));
    world.network.banned_until = world.now + Duration::from_mins(45);
    world.cut(0..USERS, K_LINE);
    let (time, in_second, in_minute) = world.recover();
    assert!(world.network.banned <= 2, "{} connections against the ban", world.network.banned);
    assert!(time < Duration::from_mins(150), "{time:?}");
    world.report("K-line of 45 minutes, called 30", (time, in_second, in_minute));
}
