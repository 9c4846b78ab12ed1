//! Servers that count what we send as the real ones do, and close with `Excess Flood`: at the default pace they never
//! have a reason to.
//!
//! The ways of counting are those of the servers' sources (the table in [`flood`](crate::irc::flood)); where a server
//! counts by command and by what it has to do, the most that it may take is taken. Lines reach them in heaps, as over a
//! bad link.

use std::collections::VecDeque;

use super::*;
use rstest::rstest;

const STEP: Duration = Duration::from_millis(100);
/// What was sent meanwhile arrives together.
const HEAP: Duration = Duration::from_millis(1500);

/// When a server has enough.
#[derive(Debug, Clone, Copy)]
enum Full {
    Bytes(usize),
    Lines(usize),
    /// As soon as a line is one too many.
    AtOnce,
}

/// How a server counts: milliseconds of debt for each line, which shrink with each second.
#[derive(Debug, Clone, Copy)]
struct Counting {
    cost: fn(verb: &str, bytes: usize) -> u64,
    /// Lines are read while the debt is below this.
    allowance: u64,
    full: Full,
}

const IRCU: Counting = Counting {
    cost: |_, bytes| 2000 + bytes as u64 / 120 * 1000,
    allowance: 10_000,
    full: Full::Bytes(1024),
};
const IRCD_2_11: Counting = Counting {
    cost: |verb, bytes| {
        let command = match verb {
            "JOIN" | "NAMES" | "WHOIS" | "MODE" | "TOPIC" | "AWAY" => 2,
            "NICK" | "WHO" => 3,
            "PART" => 4,
            "LIST" => 9,
            _ => 1,
        };
        (1 + bytes as u64 / 100 + command) * 1000
    },
    allowance: 10_000,
    full: Full::Bytes(1000),
};
const HYBRID: Counting = Counting { cost: |_, _| 500, allowance: 2500, full: Full::Bytes(2560) };
const SOLANUM: Counting = Counting { cost: |_, _| 500, allowance: 2500, full: Full::Lines(20) };
const INSPIRCD: Counting = Counting {
    cost: |verb, _| match verb {
        "WHO" | "JOIN" | "NAMES" | "MODE" => 2000,
        "NICK" | "LIST" => 5000,
        _ => 1000,
    },
    allowance: 10_000,
    full: Full::Bytes(8192),
};
const INSPIRCD_WITHOUT_FAKELAG: Counting = Counting { full: Full::AtOnce, ..INSPIRCD };
const UNREAL: Counting =
    Counting { cost: |_, bytes| (1 + bytes as u64 / 90) * 1000, allowance: 10_000, full: Full::Bytes(8000) };
const NGIRCD: Counting = Counting {
    cost: |verb, _| match verb {
        "WHO" | "WHOIS" | "LIST" | "NAMES" | "NICK" => 2333,
        _ => 333,
    },
    allowance: 1000,
    full: Full::Bytes(2048),
};

/// A session and its server.
struct World {
    bench: Bench,
    counting: Counting,
    /// On their way there.
    under_way: VecDeque<String>,
    /// There, and not read.
    unread: VecDeque<String>,
    debt: u64,
    started: Instant,
    read: Vec<String>,
    confirmed: usize,
    joined: usize,
    closed: bool,
}

impl World {
    fn new(counting: Counting, config: SessionConfig) -> Self {
        let bench = Bench::new(config);
        let started = bench.now;
        Self {
            bench,
            counting,
            under_way: VecDeque::new(),
            unread: VecDeque::new(),
            debt: 0,
            started,
            read: Vec::new(),
            confirmed: 0,
            joined: 0,
            closed: false,
        }
    }

    fn default_pace() -> SessionConfig {
        SessionConfig { flood: FloodLimits::default(), ..Bench::config() }
    }

    fn seconds(&self) -> u64 {
        (self.bench.now - self.started).as_secs()
    }

    fn step(&mut self) {
        let mut events = Vec::new();
        self.bench.session.tick(self.bench.now, &mut events);
        let sent = self.bench.sent();
        self.under_way.extend(sent);
        let elapsed = self.bench.now - self.started;
        if elapsed.as_millis().is_multiple_of(HEAP.as_millis()) {
            self.unread.extend(self.under_way.drain(..));
        }
        if elapsed.subsec_millis() == 0 {
            self.debt = self.debt.saturating_sub(1000);
        }
        while self.debt < self.counting.allowance
            && let Some(line) = self.unread.pop_front()
        {
            let verb = line.split(' ').next().unwrap().to_owned();
            self.debt += (self.counting.cost)(&verb, line.len() + 2);
            for answer in answers(&line) {
                events.extend(self.bench.server(&answer));
            }
            self.read.push(line);
        }
        for event in events {
            match event {
                Event::Confirmed { messages } => self.confirmed += messages.len(),
                Event::Joined { own: true, .. } => self.joined += 1,
                Event::Disconnect { reason, .. } => panic!("{reason}"),
                _ => {}
            }
        }
        self.closed |= match self.counting.full {
            Full::Bytes(most) => self.unread.iter().map(|line| line.len() + 2).sum::<usize>() > most,
            Full::Lines(most) => self.unread.len() > most,
            Full::AtOnce => !self.unread.is_empty(),
        };
        self.bench.now += STEP;
    }

    /// Goes on until this holds; the seconds that it took.
    fn until(&mut self, done: impl Fn(&Self) -> bool) -> u64 {
        let from = self.seconds();
        while !done(self) && !self.closed {
            assert!(self.seconds() < from + 10_000, "it takes too long: {:?}", self.read.last());
            self.step();
        }
        self.seconds() - from
    }

    fn rest(&mut self) {
        self.until(|world| world.bench.session.state() == State::Ready);
        let until = self.seconds() + 60;
        self.until(|world| world.seconds() >= until);
    }

    /// Says so many lines of up to 400 bytes, as fast as they are taken.
    fn paste(&mut self, lines: usize) -> u64 {
        let from = self.seconds();
        let texts: Vec<String> = (0..lines).map(|n| format!("{n:03}{}", "x".repeat(n * 37 % 380))).collect();
        let mut said = 0;
        let before = self.read.len();
        while self.confirmed < lines && !self.closed {
            // No more than an owner hands over at a time.
            while said < lines && said < self.confirmed + 200 {
                self.bench.say(said as u64, "#rust", &texts[said]);
                said += 1;
            }
            self.step();
        }
        let there: Vec<&str> =
            self.read[before..].iter().filter_map(|line| line.strip_prefix("PRIVMSG #rust :")).collect();
        if !self.closed {
            assert_eq!(there, texts);
        }
        self.seconds() - from
    }
}

/// What a server says to a line.
fn answers(line: &str) -> Vec<String> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    match verb {
        "CAP" if rest.starts_with("LS") => vec![":s CAP * LS :".to_owned()],
        "USER" => vec![
            ":s 001 alice :Welcome alice!al@host.test".to_owned(),
            ":s 005 alice NETWORK=Test CHANTYPES=# :are supported".to_owned(),
            ":s 422 alice :No MOTD".to_owned(),
        ],
        "PING" => vec![format!(":s PONG s {rest}")],
        "JOIN" => {
            let names = rest.split(' ').next().unwrap().split(',');
            names
                .flat_map(|name| {
                    [
                        format!(":alice!al@host.test JOIN {name}"),
                        format!(":s 353 alice = {name} :alice bob"),
                        format!(":s 366 alice {name} :End"),
                    ]
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

#[rstest]
#[case::ircu(IRCU)]
#[case::ircd_2_11(IRCD_2_11)]
#[case::hybrid(HYBRID)]
#[case::solanum(SOLANUM)]
#[case::inspircd(INSPIRCD)]
#[case::inspircd_without_fakelag(INSPIRCD_WITHOUT_FAKELAG)]
#[case::unreal(UNREAL)]
#[case::ngircd(NGIRCD)]
fn no_server_closes_for_what_leaves_at_the_default_pace(#[case] counting: Counting) {
    // A hundred channels to begin with.
    let channels = (0..100).map(|n| (channel(&format!("#channel-{n:03}")), None)).collect();
    let mut world = World::new(counting, SessionConfig { channels, ..World::default_pace() });
    let took = world.until(|world| world.joined == 100);
    assert!(!world.closed, "closed over joins: {:?}", world.unread);
    assert!((5..60).contains(&took), "100 channels took {took} s");
    // Commands in a heap, right after that.
    for _ in 0..5 {
        for line in [
            "WHOIS bob",
            "WHO #a",
            "LIST",
            "MODE #a +b",
            "NAMES #a,#b,#c",
            "NICK bob",
            "PART #a",
            "TOPIC #a :x",
            "AWAY :x",
            "MONITOR + a,b",
        ] {
            world.bench.session.command(Line::raw(line).unwrap()).unwrap();
        }
    }
    let before = world.read.len();
    let took = world.until(|world| world.read.len() == before + 50);
    assert!(!world.closed, "closed over commands: {:?}", world.unread);
    assert!((150..240).contains(&took), "50 commands took {took} s");
    // A long paste, right after that.
    let took = world.paste(500);
    assert!(!world.closed, "closed over a paste: {:?}", world.unread);
    assert!((1900..2200).contains(&took), "500 lines took {took} s");
}

/// So the servers above do what they should.
#[rstest]
#[case::ircu(IRCU)]
#[case::ircd_2_11(IRCD_2_11)]
#[case::hybrid(HYBRID)]
#[case::solanum(SOLANUM)]
#[case::inspircd(INSPIRCD)]
#[case::inspircd_without_fakelag(INSPIRCD_WITHOUT_FAKELAG)]
#[case::unreal(UNREAL)]
#[case::ngircd(NGIRCD)]
fn every_server_closes_for_what_leaves_without_a_pace(#[case] counting: Counting) {
    let mut world = World::new(counting, Bench::config());
    world.rest();
    world.paste(200);
    assert!(world.closed);
}

/// One line each second after a burst of eight is no pace for long lines everywhere.
#[test]
fn lines_alone_are_not_what_the_oldest_servers_count() {
    let flood = FloodLimits { burst: 8, interval: Duration::from_secs(1) };
    let mut world = World::new(IRCU, SessionConfig { flood, ..Bench::config() });
    world.rest();
    world.paste(100);
    assert!(world.closed);
}

#[test]
fn the_estimate_of_a_paste_is_near_the_truth() {
    let mut world = World::new(IRCU, World::default_pace());
    world.rest();
    for id in 0..100 {
        world.bench.say(id, "#rust", &"x".repeat(1 + 4 * usize::try_from(id).unwrap()));
    }
    world.step();
    let told = world.bench.session.backlog(world.bench.now).unwrap().last_in.as_secs();
    let took = world.until(|world| world.bench.session.backlog(world.bench.now).is_none());
    assert!(told.abs_diff(took) <= 10, "{told} s were told, {took} s it took");
    assert!((390..420).contains(&told), "{told}");
}
