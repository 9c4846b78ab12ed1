//! From a hundred sessions to thousands, each with ten channels of its own: what they occupy, what they cost while
//! people speak, how long a line takes then, and how soon all are back after a restart.
//!
//! Somebody on IRC is in the first channel of each session, where one line is said every ten seconds: so each session has
//! its tenth of a line in a second, and lines come evenly. They have spoken there before, so nothing here pays for a ghost.
//! The pace of connections is off.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::it::support::database::TestDatabase;
use crate::it::support::homeserver::{self, Homeserver, TestUser};
use crate::it::support::ircd::{self, Ircd, Person};
use crate::process::Towline;
use crate::progress;
use crate::report::{Spread, at_most, row};
use crate::vitals::Memory;

const CHANNELS: usize = 10;
/// How often somebody says a line in a session's first channel.
const PERIOD: Duration = Duration::from_secs(10);
/// How often each line's turn comes while it is measured.
const ROUNDS: usize = 3;
/// How many people come together.
const TOGETHER: usize = 100;
/// How long anything may take.
const LIMIT: Duration = Duration::from_mins(15);
const LOOK: Duration = Duration::from_millis(20);
/// The most sessions, in MB and in hundredths of a core.
const TARGET: (usize, &str) = (5_000, "400 MB, ≤ 50 % of a core");

/// What so many sessions came to.
pub(crate) struct Stage {
    sessions: usize,
    /// From the first person's first word until all were in all of their rooms, and the CPU time of the bridge.
    set_up: (Duration, f64),
    idle: Memory,
    after: Memory,
    /// Seconds of CPU time for each second in which people spoke.
    cpu: f64,
    lines: Spread,
    back: Duration,
}

/// One who has a session.
struct Member {
    matrix: TestUser,
    nick: String,
    /// The rooms, in the order of their invitations: the network's, then the channels'.
    rooms: Vec<String>,
}

impl Member {
    fn channel(&self, number: usize) -> String {
        format!("#{}-{number}", self.nick)
    }
}

struct Growth {
    homeserver: Arc<Homeserver>,
    ircd: Ircd,
    towline: Towline,
    speaker: Person,
    members: Vec<Member>,
    /// The rooms whose invitations have been taken.
    taken: HashSet<String>,
}

/// Measures at each of these numbers of sessions.
pub(crate) async fn measure(stages: &[usize], directory: &Path) -> Vec<Stage> {
    let options = homeserver::Options { record_requests: false, ..homeserver::Options::default() };
    let homeserver = Arc::new(Homeserver::start(options).await);
    let ircd = Ircd::start(ircd::Options { record_lines: false, ..ircd::Options::default() }).await;
    let database = TestDatabase::new().await;
    let mut towline = Towline::configure(directory, &homeserver, &database.url(), ircd.address());
    homeserver.set_appservice_url(&towline.url());
    towline.pace(Some("{ parallel: 1000, interval: 0 }"));
    towline.start();
    towline.wait_idle().await;
    let speaker = ircd.person("speaker");
    let mut growth =
        Growth { homeserver, ircd, towline, speaker, members: Vec::new(), taken: HashSet::new() };
    let mut measured = Vec::new();
    for sessions in stages {
        progress(&format!("{sessions} sessions"));
        measured.push(growth.stage(*sessions).await);
    }
    growth.towline.stop().await;
    measured
}

impl Growth {
    async fn stage(&mut self, sessions: usize) -> Stage {
        let (started, before) = (Instant::now(), self.towline.vitals().cpu());
        while self.members.len() < sessions {
            self.come(TOGETHER.min(sessions - self.members.len())).await;
        }
        self.homeserver.wait_delivered().await;
        let set_up = (started.elapsed(), self.towline.vitals().cpu() - before);
        self.towline.vitals().wait_idle().await;
        let idle = self.towline.vitals().memory();
        // The ghost comes in.
        self.talk("warm", 1).await;
        self.towline.vitals().wait_idle().await;
        let (lines, cpu) = self.talk("said", ROUNDS).await;
        self.towline.vitals().wait_idle().await;
        let after = self.towline.vitals().memory();
        let back = self.restart().await;
        Stage { sessions, set_up, idle, after, cpu, lines, back }
    }

    /// So many more, each with a session and ten channels.
    async fn come(&mut self, count: usize) {
        let first = self.members.len();
        let bot = self.homeserver.bot();
        let mut places = HashMap::new();
        let mut controls = Vec::new();
        for number in first..first + count {
            let nick = format!("m{number}");
            let matrix = self.homeserver.user(&nick);
            controls.push(matrix.start_dm(&bot));
            self.taken.extend(controls.last().cloned());
            places.insert(matrix.id().to_owned(), number);
            self.members.push(Member { matrix, nick, rooms: Vec::new() });
        }
        for (member, control) in self.members[first..].iter().zip(&controls) {
            self.homeserver.wait_event(control, |event| event.body().contains("To begin")).await;
            member.matrix.send_text(control, "open fake");
        }
        self.take_invites(&places, 1).await;
        let nicks: Vec<String> = self.members[first..].iter().map(|member| member.nick.clone()).collect();
        until("they are on IRC", || {
            let known = self.ircd.nicks();
            nicks.iter().all(|nick| known.contains(nick))
        })
        .await;
        for member in &self.members[first..] {
            self.speaker.join(&member.channel(0));
            for number in 0..CHANNELS {
                member.matrix.send_text(&member.rooms[0], &format!("join {}", member.channel(number)));
            }
        }
        self.take_invites(&places, 1 + CHANNELS).await;
    }

    /// Everyone takes invitations until they are in so many rooms.
    async fn take_invites(&mut self, places: &HashMap<String, usize>, rooms: usize) {
        let taking = async {
            while places.values().any(|place| self.members[*place].rooms.len() < rooms) {
                tokio::time::sleep(LOOK).await;
                let fresh = self.homeserver.rooms().into_iter().filter(|room| !self.taken.contains(room));
                for room in fresh.collect::<Vec<_>>() {
                    let invited = self.homeserver.members(&room, "invite");
                    let Some(place) = invited.iter().find_map(|user| places.get(user)) else { continue };
                    let member = &mut self.members[*place];
                    member.matrix.join(&room).await;
                    member.rooms.push(room.clone());
                    self.taken.insert(room);
                }
            }
        };
        assert!(tokio::time::timeout(LIMIT, taking).await.is_ok(), "everyone is invited");
    }

    /// Everyone's channel has a line, one after the other, evenly; how long they took, and what share of a core.
    async fn talk(&self, word: &str, rounds: usize) -> (Spread, f64) {
        let pause = PERIOD / u32::try_from(self.members.len()).unwrap();
        let mut clock = tokio::time::interval(pause);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let rooms = self.first_rooms();
        let (started, before) = (Instant::now(), self.towline.vitals().cpu());
        let mut waiting = JoinSet::new();
        for round in 0..rounds {
            for (member, room) in self.members.iter().zip(&rooms) {
                clock.tick().await;
                let (text, room, homeserver) =
                    (format!("{word} {round} to {}", member.nick), room.clone(), self.homeserver.clone());
                let after = homeserver.event_count(&room);
                let said = Instant::now();
                self.speaker.say(&member.channel(0), &text);
                waiting.spawn(async move {
                    homeserver.wait_message_after(&room, after, &text).await;
                    said.elapsed()
                });
            }
        }
        let times = waiting.join_all().await;
        let share = (self.towline.vitals().cpu() - before) / started.elapsed().as_secs_f64();
        (Spread::of(times), share)
    }

    /// The room of each one's first channel.
    fn first_rooms(&self) -> Vec<String> {
        let first = |member: &Member| {
            let start = format!("{} ", member.channel(0));
            let is = |room: &&String| {
                let name = self.homeserver.state(room, "m.room.name", "")["name"].clone();
                name.as_str().is_some_and(|name| name.starts_with(&start))
            };
            member.rooms.iter().find(is).expect("its channel has a room").clone()
        };
        self.members.iter().map(first).collect()
    }

    /// Stops it and starts it again; how long until everyone is in every channel.
    async fn restart(&mut self) -> Duration {
        self.towline.stop().await;
        until("nobody is on IRC", || self.ircd.nicks().len() == 1).await;
        let started = Instant::now();
        self.towline.start();
        until("all are back", || {
            let in_all = |member: &Member| {
                (0..CHANNELS)
                    .rev()
                    .all(|number| self.ircd.names(&member.channel(number)).contains(&member.nick))
            };
            self.members.iter().rev().all(in_all)
        })
        .await;
        let back = started.elapsed();
        self.towline.wait_idle().await;
        back
    }
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(LIMIT, async {
        while !done() {
            tokio::time::sleep(LOOK).await;
        }
    });
    assert!(waited.await.is_ok(), "until {what}");
}

impl Stage {
    pub(crate) fn table(&self) -> String {
        let Self { sessions, set_up: (set_up, cpu), idle, after, lines, .. } = self;
        let target = if *sessions == TARGET.0 { at_most(TARGET.1) } else { String::new() };
        let each = |memory: &Memory| memory.resident * 1024.0 / *sessions as f64;
        [
            row(
                &format!("{sessions} sessions with 10 channels"),
                &format!("{:.1} MB idle, {:.1} MB after they spoke", idle.resident, after.resident),
                &target,
            ),
            row("for each", &format!("{:.0} KB idle, {:.0} KB after", each(idle), each(after)), ""),
            row(
                "0.1 lines/s for each",
                &format!("{:.1} % of a core   {}", self.cpu * 100.0, lines.text()),
                "",
            ),
            row(
                "set up since the last",
                &format!("{:.1} s, {cpu:.1} s of CPU time", set_up.as_secs_f64()),
                "",
            ),
            row("restart until all are back", &format!("{:.2} s", self.back.as_secs_f64()), ""),
        ]
        .concat()
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "sessions": self.sessions, "set_up_s": self.set_up.0.as_secs_f64(), "set_up_cpu_s": self.set_up.1,
            "idle_mb": self.idle.resident, "after_mb": self.after.resident, "cores": self.cpu,
            "lines": self.lines.json(), "restart_s": self.back.as_secs_f64(),
        })
    }
}
