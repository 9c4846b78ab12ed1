//! The benchmark: the release binary as a child process, between the in-memory homeserver and the fake ircd.
//!
//! `scripts/bench --alone` builds and runs this. It prints figures and judges nothing; without a mode it compares, and
//! judges (see `compare`). What it measures alone, and how:
//!
//! - memory: `VmRSS` and PSS from `/proc`, when the process has used no CPU for a while;
//! - a line's way, both ways: from the moment at which one server is handed the line until the other has it, one
//!   line at a time, everything else idle; both servers and the clock are in this process;
//! - a burst: many lines at once, until the last is in the room; CPU time from `/proc/PID/stat`;
//! - a start: from the start of the process until the IRC server has registered its user;
//! - a large channel: see `members`; with `--members`, nothing else;
//! - growth to thousands of sessions: see `growth`; with `--growth`, and only there;
//! - storms in a shared room: see `storm`; with `--storm`, and only there;
//! - history: see `history`; with `--history`, nothing else;
//! - translation, either way: see `translation`; with `--translation`, nothing else;
//! - beside them one `fdatasync` in the database's folder, since durability costs one or two on the way of a line.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says where and stops")]
#![expect(clippy::print_stdout, reason = "the figures are what this is for")]
#![expect(clippy::disallowed_methods, reason = "it measures real time")]

#[path = "../it"]
#[expect(
    dead_code,
    unused_imports,
    reason = "the integration tests and this share the servers; this uses little"
)]
mod it {
    pub(crate) mod support;
}
/// Of the real servers, the IRC server alone.
#[path = "../rig"]
#[expect(dead_code, reason = "the end-to-end tests and this share the rig; this uses little")]
mod rig {
    pub(crate) mod inspircd;
    pub(crate) mod process;

    /// How long a server may take to start.
    pub(crate) const START_LIMIT: std::time::Duration = std::time::Duration::from_mins(2);
}
/// Where the rig looks for it.
mod support {
    pub(crate) use crate::it::support::ports;
}
mod compare;
mod growth;
mod history;
mod members;
mod process;
mod report;
mod somebody;
mod storm;
mod translation;
mod vitals;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use self::it::support::database::TestDatabase;
use self::it::support::homeserver::{self, Homeserver, TestUser};
use self::it::support::ircd::{self, Ircd, Person};
use self::process::Towline;
use self::report::{Report, Spread};

const CHANNEL: &str = "#bench";
const NICKS: usize = 10;

/// How much is measured.
struct Plan {
    /// Lines one at a time, each way.
    singles: usize,
    /// Lines in the burst.
    burst: usize,
    /// How often it is started again.
    starts: usize,
    syncs: usize,
    /// Lines of history, and how often each kind of search is made among them.
    history: usize,
    searches: usize,
    /// People in a large channel.
    people: usize,
    /// Numbers of sessions.
    growth: &'static [usize],
    /// People who join at once, and people of a channel of which half are split off.
    storm: (usize, usize),
}

const FULL: Plan = Plan {
    singles: 500,
    burst: 5_000,
    starts: 5,
    syncs: 200,
    history: 1_000_000,
    searches: 100,
    people: 5_000,
    growth: &[100, 500, 1_000, 2_500, 5_000],
    storm: (500, 2_000),
};
const QUICK: Plan = Plan {
    singles: 100,
    burst: 1_000,
    starts: 2,
    syncs: 50,
    history: 100_000,
    searches: 50,
    people: 500,
    growth: &[100, 500],
    storm: (100, 500),
};

/// The two servers and a user in a channel.
struct Bench {
    homeserver: Homeserver,
    ircd: Ircd,
    towline: Towline,
    alice: TestUser,
    /// The channel's room.
    room: String,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if let Some(at) = arguments.iter().position(|argument| argument == "--forward") {
        compare::forward(&arguments[at + 1..]);
        return ExitCode::SUCCESS;
    }
    if has("--compare") {
        let complete = compare::run(has).await;
        return if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    measure_alone(has).await;
    ExitCode::SUCCESS
}

async fn measure_alone(has: impl Fn(&str) -> bool) {
    let plan = if has("--quick") { QUICK } else { FULL };
    let directory = tempfile::TempDir::with_prefix("towline-bench-").unwrap();
    if has("--translation") {
        let translation = translation::measure();
        let figures = if has("--json") {
            format!(
                "{}
",
                translation.json()
            )
        } else {
            translation.table()
        };
        return print!("{figures}");
    }
    if has("--members") {
        let figures = members::measure(plan.people, directory.path()).await;
        return if has("--json") { println!("{}", figures.json()) } else { print!("{}", figures.table()) };
    }
    if has("--storm") {
        let (joins, people) = plan.storm;
        let figures = storm::measure(joins, people, directory.path()).await;
        return if has("--json") { println!("{}", figures.json()) } else { print!("{}", figures.table()) };
    }
    if has("--growth") {
        let stages = growth::measure(plan.growth, directory.path()).await;
        if has("--json") {
            let stages: Vec<_> = stages.iter().map(growth::Stage::json).collect();
            return println!("{}", serde_json::json!(stages));
        }
        return stages.iter().for_each(|stage| print!("{}", stage.table()));
    }
    let only_history = has("--history");
    let mut report = if only_history { Report::default() } else { measure(&plan, directory.path()).await };
    let database = TestDatabase::new().await;
    report.history = history::measure(&database.url(), plan.history, plan.searches).await;
    let translation = if only_history { None } else { Some(translation::measure()) };
    let members =
        if only_history { None } else { Some(members::measure(plan.people, directory.path()).await) };
    if has("--json") {
        let mut figures = report.json();
        figures["members"] = members.map_or(serde_json::Value::Null, |members| members.json());
        figures["translation"] =
            translation.map_or(serde_json::Value::Null, |translation| translation.json());
        return println!("{figures}");
    }
    if let Some(translation) = translation {
        print!("{}{}", report.table(), translation.table());
    }
    if let Some(members) = members {
        print!("{}", members.table());
    }
    print!("{}", report.history_table());
}

fn progress(text: &str) {
    eprintln!("… {text}");
}

async fn measure(plan: &Plan, directory: &Path) -> Report {
    let mut report = Report::default();
    progress("fdatasync");
    report.sync = Spread::of((0..plan.syncs).map(|_| sync_once(directory)).collect());

    let options = homeserver::Options { record_requests: false, ..homeserver::Options::default() };
    let homeserver = Homeserver::start(options).await;
    let ircd = Ircd::start(ircd::Options { record_lines: false, ..ircd::Options::default() }).await;
    let database = TestDatabase::new().await;
    let mut towline = Towline::configure(directory, &homeserver, &database.url(), ircd.address());
    homeserver.set_appservice_url(&towline.url());
    progress("memory without a session");
    towline.start();
    towline.wait_idle().await;
    report.memory_without_session = towline.vitals().memory();

    progress("one user in one channel");
    let bob = ircd.person("bob");
    bob.join(CHANNEL);
    let (alice, room) = enter(&homeserver, &ircd).await;
    let mut bench = Bench { homeserver, ircd, towline, alice, room };

    progress("starts");
    let mut starts = Vec::new();
    for _ in 0..plan.starts {
        starts.push(bench.start_again().await);
    }
    report.start = Spread::of(starts);
    bench.towline.wait_idle().await;
    report.memory_with_session = bench.towline.vitals().memory();

    progress("IRC to Matrix, one line at a time");
    let mut times = Vec::new();
    // The first lines bring the ghost in.
    for number in 0..plan.singles + 10 {
        let time = bench.to_matrix(&bob, number).await;
        if number >= 10 {
            times.push(time);
        }
    }
    report.irc_to_matrix = Spread::of(times);
    progress("Matrix to IRC, one message at a time");
    let mut times = Vec::new();
    for number in 0..plan.singles {
        times.push(bench.to_irc(&bob, number).await);
    }
    report.matrix_to_irc = Spread::of(times);

    progress("a burst");
    bench.burst(plan.burst, &mut report).await;
    bench.towline.wait_idle().await;
    report.memory_after = bench.towline.vitals().memory();
    bench.towline.stop().await;
    report
}

/// Appends a page to a file and waits until it is on the disk.
fn sync_once(directory: &Path) -> Duration {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.create(true).append(true).open(directory.join("sync")).unwrap();
    let started = Instant::now();
    file.write_all(&[7; 4096]).unwrap();
    file.sync_data().unwrap();
    started.elapsed()
}

/// A user talks to the bot until they are in the channel.
async fn enter(homeserver: &Homeserver, ircd: &Ircd) -> (TestUser, String) {
    let alice = homeserver.user("alice");
    let control = alice.start_dm(&homeserver.bot());
    homeserver.wait_event(&control, |event| event.body().contains("To begin")).await;
    alice.send_text(&control, "open fake");
    let network = homeserver.wait_invite(alice.id()).await;
    alice.join(&network).await;
    ircd.wait_registered("alice").await;
    alice.send_text(&network, &format!("join {CHANNEL}"));
    ircd.wait_joined(CHANNEL, "alice").await;
    let room = homeserver.wait_invite(alice.id()).await;
    alice.join(&room).await;
    (alice, room)
}

impl Bench {
    /// Stops the bridge and starts it; how long until it is registered on IRC.
    async fn start_again(&mut self) -> Duration {
        self.towline.stop().await;
        self.ircd.wait_gone("alice").await;
        let started = Instant::now();
        self.towline.start();
        self.ircd.wait_registered("alice").await;
        let time = started.elapsed();
        self.ircd.wait_joined(CHANNEL, "alice").await;
        self.homeserver.wait_delivered().await;
        time
    }

    async fn to_matrix(&self, bob: &Person, number: usize) -> Duration {
        let text = format!("from IRC, number {number}");
        let started = Instant::now();
        bob.say(CHANNEL, &text);
        self.homeserver.wait_message(&self.room, &text).await;
        let time = started.elapsed();
        self.towline.vitals().wait_asleep().await;
        time
    }

    async fn to_irc(&self, bob: &Person, number: usize) -> Duration {
        let text = format!("from Matrix, number {number}");
        let started = Instant::now();
        self.alice.send_text(&self.room, &text);
        bob.wait_text(&text).await;
        let time = started.elapsed();
        self.towline.vitals().wait_asleep().await;
        time
    }

    async fn burst(&self, count: usize, report: &mut Report) {
        /// Lines that are waited for at once: no wait has to last long.
        const STEP: usize = 100;
        let people: Vec<Person> =
            (0..NICKS).map(|number| self.ircd.person(&format!("nick{number}"))).collect();
        for person in &people {
            person.join(CHANNEL);
            let hello = format!("hello from {}", person.current_nick());
            person.say(CHANNEL, &hello);
            self.homeserver.wait_message(&self.room, &hello).await;
        }
        self.towline.wait_idle().await;
        let said: Vec<String> = (0..count).map(|number| format!("burst, number {number}")).collect();
        let (cpu, started) = (self.towline.vitals().cpu(), Instant::now());
        for (line, person) in said.iter().zip(people.iter().cycle()) {
            person.say(CHANNEL, line);
        }
        for line in said.iter().skip(STEP - 1).step_by(STEP).chain(said.last()) {
            self.homeserver.wait_message(&self.room, line).await;
        }
        let time = started.elapsed();
        // What follows the last line, such as the commit that it is done, is part of the price.
        self.towline.wait_idle().await;
        report.burst_lines = count;
        report.burst_per_second = count as f64 / time.as_secs_f64();
        report.burst_cpu_ms = (self.towline.vitals().cpu() - cpu) * 1000.0 / count as f64;
        let arrived = self.homeserver.timeline_lines(&self.room);
        let arrived = arrived.iter().filter(|line| line.starts_with("burst, "));
        report.burst_in_order = arrived.eq(said.iter());
    }
}
