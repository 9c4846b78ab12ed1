//! Storms in a shared room: many people of Matrix who join one alias at the same moment, and a netsplit of a channel whose
//! people are all in its room.
//!
//! The room is usable where lines go on: while it storms somebody on IRC says two in a second, and what each took until it
//! was in the room is measured, beside the same at rest. With all of them there a line is heard by as many connections, each
//! of which keeps it in its own history: what that costs is measured, too. The pace of connections is off; all else is as shipped,
//! but for the netsplit, where all of the channel are members, brought in at five hundred requests per second before.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};

use crate::it::support::database::TestDatabase;
use crate::it::support::homeserver::{self, Homeserver, TestUser};
use crate::it::support::ircd::{self, Ircd, Person};
use crate::process::Towline;
use crate::progress;
use crate::report::{Spread, row};

const CHANNEL: &str = "#tea";
const ALIAS: &str = "#irc_fake_#tea:test.local";
const SERVERS: &str = "irc.a.net hub.b.net";
/// How often a line is said.
const PERIOD: Duration = Duration::from_millis(500);
/// How many are said at rest.
const CALM: u32 = 20;
/// Rooms that are asked for by aliases that nobody has asked for before: fewer than a bridge makes in an hour.
const ALIASES: u32 = 20;
/// How long anything may take.
const LIMIT: Duration = Duration::from_mins(10);
const LOOK: Duration = Duration::from_millis(20);

pub(crate) struct Figures {
    /// From asking for an alias that there is no room for until being in the room.
    aliases: Spread,
    /// People of Matrix, what their coming was, and the CPU time of a line when all are there, in seconds.
    joins: (usize, Storm, f64),
    /// People of IRC whose server goes, and comes again.
    splits: (usize, Storm, Storm),
    /// Events about membership that the split and the return were, of the ghosts in the room.
    moved: usize,
}

/// What a storm came to.
struct Storm {
    calm: Spread,
    lines: Spread,
    time: Duration,
    cpu: f64,
    requests: usize,
}

struct Scene {
    homeserver: Arc<Homeserver>,
    ircd: Arc<Ircd>,
    towline: Towline,
    speaker: Arc<Person>,
    alice: TestUser,
    room: String,
}

/// Measures with so many people who join, and so many who are split off twice as many.
pub(crate) async fn measure(joins: usize, people: usize, directory: &Path) -> Figures {
    progress(&format!("{joins} people join at once"));
    let mut scene = Scene::begin(directory, "", 0).await;
    let aliases = scene.ask_for_aliases().await;
    let joined = scene.join_at_once(joins).await;
    let cpu = scene.towline.vitals().cpu();
    scene.calm().await;
    scene.towline.wait_idle().await;
    let each = (scene.towline.vitals().cpu() - cpu) / f64::from(CALM);
    scene.towline.stop().await;
    progress(&format!("a netsplit in a channel of {people}"));
    let limits = "settings: { members: all }\nlimits: { membership_calls: 500 }\n";
    let mut scene = Scene::begin(directory, limits, people).await;
    let nicks: Vec<String> = (0..people / 2).map(|number| format!("crowd{number:04}")).collect();
    until("all are in the room", || scene.homeserver.members(&scene.room, "join").len() > people).await;
    scene.towline.wait_idle().await;
    let before = scene.memberships();
    let split = scene.storm(|ircd| {
        ircd.split(&nicks.iter().map(String::as_str).collect::<Vec<_>>(), SERVERS);
    });
    let split = split.await;
    let back = scene.storm(|ircd| {
        for nick in &nicks {
            ircd.person(nick).join(CHANNEL);
        }
    });
    let back = back.await;
    let moved = scene.memberships() - before;
    scene.towline.stop().await;
    Figures { aliases, joins: (joins, joined, each), splits: (people, split, back), moved }
}

impl Scene {
    /// Alice in a shared room whose channel has a speaker and so many people besides.
    async fn begin(directory: &Path, config: &str, people: usize) -> Self {
        let homeserver = Arc::new(Homeserver::start(homeserver::Options::default()).await);
        let ircd = Ircd::start(ircd::Options { record_lines: false, ..ircd::Options::default() }).await;
        let database = TestDatabase::new().await;
        let mut towline = Towline::configure(directory, &homeserver, &database.url(), ircd.address());
        towline.pace(Some("{ parallel: 1000, interval: 0 }"));
        towline.add_config("templates: { shared_alias: \"irc_{network}_{channel}\" }\n");
        towline.add_config(config);
        homeserver.set_appservice_url(&towline.url());
        towline.start();
        towline.wait_listening().await;
        let speaker = ircd.person("speaker");
        speaker.join(CHANNEL);
        // They stay for as long as the server does.
        std::mem::forget(ircd.crowd(CHANNEL, people));
        let alice = homeserver.user("alice");
        let room = alice.join(ALIAS).await;
        ircd.wait_joined(CHANNEL, "alice").await;
        speaker.say(CHANNEL, "hello");
        homeserver.wait_message(&room, "hello").await;
        let (ircd, speaker) = (Arc::new(ircd), Arc::new(speaker));
        let scene = Self { homeserver, ircd, towline, speaker, alice, room };
        scene.towline.wait_idle().await;
        scene
    }

    /// Somebody speaks until they are told to be silent: how long each line took.
    fn speak(&self, word: &str) -> (tokio::sync::oneshot::Sender<()>, JoinHandle<Vec<Duration>>) {
        let (silence, mut told) = tokio::sync::oneshot::channel();
        let (homeserver, speaker) = (Arc::clone(&self.homeserver), Arc::clone(&self.speaker));
        let (room, word) = (self.room.clone(), word.to_owned());
        let speaking = tokio::spawn(async move {
            let mut clock = tokio::time::interval(PERIOD);
            let mut waiting = JoinSet::new();
            for number in 0.. {
                clock.tick().await;
                if told.try_recv().is_ok() {
                    break;
                }
                let (text, after) = (format!("{word} {number}"), homeserver.event_count(&room));
                let (homeserver, room) = (Arc::clone(&homeserver), room.clone());
                let said = Instant::now();
                speaker.say(CHANNEL, &text);
                waiting.spawn(async move {
                    homeserver.wait_message_after(&room, after, &text).await;
                    said.elapsed()
                });
            }
            waiting.join_all().await
        });
        (silence, speaking)
    }

    async fn calm(&self) -> Spread {
        let (silence, speaking) = self.speak("calm");
        tokio::time::sleep(PERIOD * CALM).await;
        silence.send(()).unwrap();
        Spread::of(speaking.await.unwrap())
    }

    /// How long somebody waits for the room of a channel that nobody was in, at rest.
    async fn ask_for_aliases(&self) -> Spread {
        let mut waited = Vec::new();
        for number in 0..ALIASES {
            let asked = Instant::now();
            self.alice.join(&format!("#irc_fake_#unheard-of-{number}:test.local")).await;
            waited.push(asked.elapsed());
            self.towline.wait_idle().await;
        }
        Spread::of(waited)
    }

    /// So many join the alias at the same moment, until all are in the channel.
    async fn join_at_once(&mut self, count: usize) -> Storm {
        let calm = self.calm().await;
        let users: Vec<TestUser> =
            (0..count).map(|number| self.homeserver.user(&format!("m{number}"))).collect();
        let (cpu, requests) = (self.towline.vitals().cpu(), self.homeserver.requests("", ""));
        let (silence, speaking) = self.speak("storm");
        let started = Instant::now();
        let mut coming = JoinSet::new();
        for user in users {
            coming.spawn(async move { user.join(ALIAS).await });
        }
        coming.join_all().await;
        // Somebody who was there is heard while they come.
        self.alice.send_text(&self.room, "so many!");
        self.speaker.wait_text("so many!").await;
        until("all are in the channel", || self.ircd.names(CHANNEL).len() == count + 2).await;
        let time = started.elapsed();
        silence.send(()).unwrap();
        let lines = Spread::of(speaking.await.unwrap());
        self.towline.wait_idle().await;
        let (cpu, requests) =
            (self.towline.vitals().cpu() - cpu, self.homeserver.requests("", "") - requests);
        Storm { calm, lines, time, cpu, requests }
    }

    /// What happens when this does.
    async fn storm(&mut self, happens: impl FnOnce(&Ircd)) -> Storm {
        let calm = self.calm().await;
        let (cpu, requests) = (self.towline.vitals().cpu(), self.homeserver.requests("", ""));
        let (silence, speaking) = self.speak("storm");
        let started = Instant::now();
        happens(&self.ircd);
        self.speaker.say(CHANNEL, "is anybody here?");
        self.homeserver.wait_message(&self.room, "is anybody here?").await;
        let time = started.elapsed();
        tokio::time::sleep(Duration::from_secs(5)).await;
        silence.send(()).unwrap();
        let lines = Spread::of(speaking.await.unwrap());
        self.towline.wait_idle().await;
        let (cpu, requests) =
            (self.towline.vitals().cpu() - cpu, self.homeserver.requests("", "") - requests);
        Storm { calm, lines, time, cpu, requests }
    }

    fn memberships(&self) -> usize {
        self.homeserver.events(&self.room).iter().filter(|event| event.kind == "m.room.member").count()
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

impl Storm {
    fn rows(&self, name: &str, last: &str) -> String {
        let cost =
            format!("{:.1} s, {:.1} s of CPU, {} requests", self.time.as_secs_f64(), self.cpu, self.requests);
        [
            row(name, &format!("{last} {cost}"), ""),
            row("a line meanwhile", &self.lines.text(), ""),
            row("a line before", &self.calm.text(), ""),
        ]
        .concat()
    }

    fn json(&self) -> Value {
        json!({
            "before": self.calm.json(), "meanwhile": self.lines.json(), "time_s": self.time.as_secs_f64(),
            "cpu_s": self.cpu, "requests": self.requests,
        })
    }
}

impl Figures {
    pub(crate) fn table(&self) -> String {
        let (joins, joined, each) = &self.joins;
        let (people, split, back) = &self.splits;
        [
            row("a room for an unknown alias", &self.aliases.text(), ""),
            joined.rows(&format!("{joins} join an alias at once"), "all in after"),
            row("CPU for a line when all are in", &format!("{:.1} ms", each * 1000.0), ""),
            split.rows(&format!("half of {people} split off"), "a line after"),
            back.rows("they come again", "a line after"),
            row("changes of membership for both", &self.moved.to_string(), ""),
        ]
        .concat()
    }

    pub(crate) fn json(&self) -> Value {
        let ((joins, joined, each), (people, split, back)) = (&self.joins, &self.splits);
        json!({
            "aliases": self.aliases.json(), "joins": joins, "join": joined.json(), "cpu_per_line_s": each, "people": people, "split": split.json(), "back": back.json(),
            "memberships": self.moved,
        })
    }
}
