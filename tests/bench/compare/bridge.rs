//! What the two bridges have in common, as far as a user drives them: messages to a bot, rooms that they invite to.
//!
//! Both have a network `FakeNet` on the same InspIRCd and a homeserver of their own, the tests' in-memory one. Their
//! users' names differ, so neither meets nicks that the other has just left.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::TcpStream;

use super::LIMIT;
use crate::it::support::database::TestDatabase;
use crate::it::support::homeserver::{self, Homeserver, TestUser};
use crate::it::support::ports::free_port;
use crate::process::Towline;
use crate::rig::process::{Process, command};
use crate::vitals::Vitals;

/// The network's name in both.
pub(crate) const NETWORK: &str = "FakeNet";

/// How fast connections follow each other.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Pacing {
    Shipped,
    Off,
}

/// A bridge that can be measured.
pub(crate) trait Bridge: Sized {
    /// What its users' names begin with.
    const PREFIX: &'static str;

    /// Everything but the process: the homeserver, the configuration, an empty database.
    async fn prepare(directory: &Path, ircd: SocketAddr) -> Self;
    fn homeserver(&self) -> &Homeserver;
    /// Starts the process, and returns at once.
    fn start(&mut self, pacing: Pacing);
    /// What must be said once before the first user.
    async fn begin(&self);
    async fn wait_ready(&mut self);
    async fn stop(&mut self);
    fn vitals(&self) -> Vitals;
    /// Asks for the network in the room with the bot.
    fn open(&self, user: &TestUser, control: &str);
    /// What must be said in the network's room before it connects.
    async fn connect(&self, user: &TestUser, network: &str);
    fn join(&self, user: &TestUser, network: &str, channel: &str);
}

pub(crate) struct OurBridge {
    homeserver: Homeserver,
    _database: TestDatabase,
    towline: Towline,
}

impl Bridge for OurBridge {
    const PREFIX: &'static str = "tow";

    async fn prepare(directory: &Path, ircd: SocketAddr) -> Self {
        let homeserver = Homeserver::start(homeserver::Options::default()).await;
        let database = TestDatabase::new().await;
        let towline = Towline::configure(directory, &homeserver, &database.url(), ircd);
        homeserver.set_appservice_url(&towline.url());
        Self { homeserver, _database: database, towline }
    }

    fn homeserver(&self) -> &Homeserver {
        &self.homeserver
    }

    fn start(&mut self, pacing: Pacing) {
        self.towline.pace((pacing == Pacing::Off).then_some("{ parallel: 1000, interval: 0 }"));
        self.towline.start();
    }

    async fn begin(&self) {}

    async fn wait_ready(&mut self) {
        self.towline.wait_listening().await;
    }

    async fn stop(&mut self) {
        self.towline.stop().await;
    }

    fn vitals(&self) -> Vitals {
        self.towline.vitals()
    }

    fn open(&self, user: &TestUser, control: &str) {
        user.send_text(control, "open fake");
    }

    async fn connect(&self, _user: &TestUser, _network: &str) {}

    fn join(&self, user: &TestUser, network: &str, channel: &str) {
        user.send_text(network, &format!("join {channel}"));
    }
}

pub(crate) struct Heisenbridge {
    homeserver: Homeserver,
    registration: PathBuf,
    log: PathBuf,
    port: u16,
    ircd: SocketAddr,
    process: Option<Process>,
}

impl Bridge for Heisenbridge {
    const PREFIX: &'static str = "hei";

    async fn prepare(directory: &Path, ircd: SocketAddr) -> Self {
        let port = free_port();
        let text = format!(
            "id: heisenbridge\nurl: \"http://127.0.0.1:{port}\"\nas_token: as-token-of-heisenbridge\n\
             hs_token: hs-token-of-heisenbridge\nrate_limited: false\nsender_localpart: heisenbridge\n\
             namespaces:\n  users:\n  - regex: \"@irc_.*\"\n    exclusive: true\n  aliases: []\n  rooms: []\n"
        );
        let registration = directory.join("heisenbridge.yaml");
        std::fs::write(&registration, &text).unwrap();
        let homeserver = Homeserver::start(homeserver::Options::from_registration(&text)).await;
        Self { homeserver, registration, log: directory.join("heisenbridge.log"), port, ircd, process: None }
    }

    fn homeserver(&self) -> &Homeserver {
        &self.homeserver
    }

    fn start(&mut self, pacing: Pacing) {
        let python = std::env::var("TOWLINE_HEISENBRIDGE_PYTHON").expect("scripts/bench says where it is");
        let mut run = command(python, None);
        run.arg("-c").arg(include_str!("heisenbridge.py"));
        run.arg(if pacing == Pacing::Off { "unpaced" } else { "paced" });
        run.arg("-c").arg(&self.registration).args(["-o", "@owner:test.local"]).arg(self.homeserver.url());
        self.process = Some(Process::start("Heisenbridge", run, &self.log));
    }

    async fn begin(&self) {
        let owner = self.homeserver.user("owner");
        let control = owner.start_dm(&self.homeserver.bot());
        wait_answer(&self.homeserver, &control, 0).await;
        let (host, port) = (self.ircd.ip(), self.ircd.port());
        for text in [
            format!("ADDNETWORK {NETWORK}"),
            format!("ADDSERVER {NETWORK} {host} {port}"),
            "ADDMASK @*:test.local".to_owned(),
        ] {
            let before = self.homeserver.event_count(&control);
            owner.send_text(&control, &text);
            wait_answer(&self.homeserver, &control, before + 1).await;
        }
    }

    async fn wait_ready(&mut self) {
        let (log, port) = (self.log.clone(), self.port);
        let ready = async || {
            TcpStream::connect(("127.0.0.1", port)).await.is_ok()
                && std::fs::read_to_string(&log).is_ok_and(|text| text.contains("bridge is now running"))
        };
        self.process.as_mut().expect("it was started").wait_ready(ready).await;
    }

    async fn stop(&mut self) {
        self.process.take().expect("it runs").stop().await;
        // What it says at its next start is looked for from there on.
        std::fs::write(&self.log, "").unwrap();
    }

    fn vitals(&self) -> Vitals {
        Vitals::of(self.process.as_ref().expect("it runs").id())
    }

    fn open(&self, user: &TestUser, control: &str) {
        user.send_text(control, &format!("OPEN {NETWORK}"));
    }

    async fn connect(&self, user: &TestUser, network: &str) {
        // It invites to a room before it listens there.
        wait_answer(&self.homeserver, network, 0).await;
        user.send_text(network, "CONNECT");
    }

    fn join(&self, user: &TestUser, network: &str, channel: &str) {
        user.send_text(network, &format!("JOIN {channel}"));
    }
}

/// Waits until the bot has said something in a room, behind so many events.
pub(crate) async fn wait_answer(homeserver: &Homeserver, room: &str, after: usize) {
    let bot = homeserver.bot();
    let said = |events: &[homeserver::Event]| {
        events.iter().skip(after).any(|event| event.sender == bot && event.kind == "m.room.message")
    };
    let answered = async {
        while !said(&homeserver.events(room)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, answered).await.unwrap_or_else(|_| panic!("no answer from {bot} in {room}"));
}
