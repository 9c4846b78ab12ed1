//! The bridge in this process, between the in-memory homeserver and the fake ircd, with a user who has begun.

use std::cell::Cell;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use towline::cli::{self, CliError};
use towline::config::Config;

use super::clock::TestClock;
use super::database::TestDatabase;
use super::homeserver::{self, Event, Homeserver, TestUser};
use super::ircd::{self, Ircd};
use super::ports::free_port;
use super::proxy::Proxy;

/// Everything that a conversation needs. The bridge can be stopped and started again on the same database.
pub(crate) struct World {
    pub(crate) homeserver: Homeserver,
    pub(crate) ircd: Ircd,
    /// Between the bridge and the IRC server, if that was asked for.
    pub(crate) proxy: Option<Arc<Proxy>>,
    pub(crate) database: TestDatabase,
    pub(crate) directory: TempDir,
    networks: String,
    tokens: Tokens,
    stale_after: Option<Duration>,
    forbidden: String,
    extra: String,
    /// The bridge's clock.
    pub(crate) clock: TestClock,
    url: Mutex<String>,
    running: Option<Running>,
}

/// The application service's own token and the homeserver's, as its configuration has them.
struct Tokens {
    own: String,
    homeservers: String,
}

struct Running {
    stop: oneshot::Sender<()>,
    done: JoinHandle<Result<(), CliError>>,
}

/// How the world begins.
pub(crate) struct Builder {
    homeserver: homeserver::Options,
    tokens: Tokens,
    ircd: ircd::Options,
    networks: Vec<(String, String)>,
    /// Networks as the configuration has them.
    raw_networks: String,
    flood: String,
    connections: String,
    server: String,
    stale_after: Option<Duration>,
    extra: String,
    irc_server: Option<SocketAddr>,
    through_proxy: bool,
    double_puppet: Option<String>,
}

impl Builder {
    pub(crate) fn room_version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.homeserver.room_version);
        self
    }

    /// Changes what the homeserver is told at its start.
    pub(crate) fn homeserver_options(mut self, change: impl FnOnce(&mut homeserver::Options)) -> Self {
        change(&mut self.homeserver);
        self
    }

    pub(crate) fn ircd(mut self, options: ircd::Options) -> Self {
        self.ircd = options;
        self
    }

    /// A further network on the same server: its slug and its name.
    pub(crate) fn network(mut self, slug: &str, name: &str) -> Self {
        self.networks.push((slug.to_owned(), name.to_owned()));
        self
    }

    /// No other network than this one, and those that are there without being configured.
    pub(crate) fn only_network(mut self, slug: &str, name: &str) -> Self {
        self.networks = vec![(slug.to_owned(), name.to_owned())];
        self
    }

    /// A further network, as the configuration has it, with two spaces before its slug.
    pub(crate) fn raw_network(mut self, yaml: &str) -> Self {
        self.raw_networks.push_str(yaml);
        self
    }

    /// The flood control of the networks; off where nothing is said.
    pub(crate) fn flood(mut self, yaml: &str) -> Self {
        yaml.clone_into(&mut self.flood);
        self
    }

    /// How fast the networks' connections follow each other; as fast as they can where nothing is said.
    pub(crate) fn connections(mut self, yaml: &str) -> Self {
        yaml.clone_into(&mut self.connections);
        self
    }

    /// How the networks' server is reached: by its PORT, or by TLS at its `TLS_PORT`, with its certificate in CA and its
    /// FINGERPRINT. Credentials pass by TLS only then.
    pub(crate) fn server(mut self, yaml: &str) -> Self {
        yaml.clone_into(&mut self.server);
        self
    }

    /// How long messages wait; a file may not ask for so short a time.
    pub(crate) fn stale_after(mut self, time: Duration) -> Self {
        self.stale_after = Some(time);
        self
    }

    /// Sections of the configuration besides those that every world has.
    pub(crate) fn config(mut self, yaml: &str) -> Self {
        self.extra.push_str(yaml);
        self
    }

    /// The networks are on this IRC server and not on the fake one.
    pub(crate) fn irc_server(mut self, address: SocketAddr) -> Self {
        self.irc_server = Some(address);
        self
    }

    /// The bridge reaches IRC through a proxy.
    pub(crate) fn through_proxy(mut self) -> Self {
        self.through_proxy = true;
        self
    }

    /// Double puppeting, with a second registration that the homeserver knows or not.
    pub(crate) fn double_puppet(mut self, is_known: bool) -> Self {
        let token = format!("{}-puppets", self.tokens.own);
        self.homeserver.puppet_token = is_known.then(|| token.clone());
        self.double_puppet = Some(token);
        self.config("double_puppet: { registration_file: double-puppet.yaml }\n")
    }

    /// Starts the servers and the bridge.
    pub(crate) async fn start(self) -> World {
        let mut world = self.without_bridge().await;
        world.start_bridge().await;
        world
    }

    /// Starts the servers alone.
    pub(crate) async fn without_bridge(self) -> World {
        let ircd = Ircd::start(self.ircd).await;
        let mut server = self.irc_server.unwrap_or(ircd.address());
        let mut proxy = None;
        if self.through_proxy {
            let between = Proxy::start(server).await;
            server = between.address();
            proxy = Some(Arc::new(between));
        }
        let directory = TempDir::with_prefix("towline-it-").unwrap();
        if let Some(token) = &self.double_puppet {
            let registration = format!("as_token: {token}\nhs_token: {token}-hs\n");
            std::fs::write(directory.path().join("double-puppet.yaml"), registration).unwrap();
        }
        let ca = directory.path().join("ca.pem");
        ircd.write_certificate(&ca);
        let plaintext = self.server.contains("tls: false");
        let server = self
            .server
            .replace("TLS_PORT", &ircd.tls_address().port().to_string())
            .replace("PORT", &server.port().to_string())
            .replace("CA", ca.to_str().unwrap())
            .replace("FINGERPRINT", ircd.fingerprint());
        let (flood, connections) = (&self.flood, &self.connections);
        let network = |(slug, name): &(String, String)| {
            format!(
                "  {slug}:\n    name: {name}\n    allow_private: true\n    \
                 plaintext_credentials: {plaintext}\n    flood: {flood}\n    connections: {connections}\n    servers: [ {server} ]\n"
            )
        };
        World {
            homeserver: Homeserver::start(self.homeserver).await,
            ircd,
            proxy,
            networks: self.networks.iter().map(network).collect::<String>() + &self.raw_networks,
            tokens: self.tokens,
            database: TestDatabase::with_schema().await,
            directory,
            stale_after: self.stale_after,
            forbidden: String::new(),
            extra: self.extra,
            clock: TestClock::default(),
            url: Mutex::default(),
            running: None,
        }
    }
}

/// Types a command in a room and waits for the bot's answer that holds these words.
pub(crate) async fn ask(world: &World, user: &TestUser, room: &str, typed: &str, words: &str) -> Event {
    let bot = world.homeserver.bot();
    let typed = user.send_text(room, typed);
    // Each event is looked at once, in the room's order.
    let is_behind = Cell::new(false);
    let is_answer = |one: &Event| {
        let was_behind = is_behind.replace(is_behind.get() || one.event_id == typed);
        was_behind && one.sender == bot && one.kind == "m.room.message" && one.body().contains(words)
    };
    world.homeserver.wait_event(room, is_answer).await
}

impl World {
    pub(crate) fn builder() -> Builder {
        let homeserver = homeserver::Options::default();
        let tokens = Tokens { own: homeserver.as_token.clone(), homeservers: homeserver.hs_token.clone() };
        Builder {
            homeserver,
            tokens,
            ircd: ircd::Options::default(),
            networks: vec![("fake".to_owned(), "FakeNet".to_owned())],
            raw_networks: String::new(),
            server: "{ host: 127.0.0.1, port: PORT, tls: false }".to_owned(),
            flood: "{ burst: 100, interval_ms: 0 }".to_owned(),
            connections: "{ parallel: 1000, interval: 0 }".to_owned(),
            stale_after: None,
            extra: String::new(),
            irc_server: None,
            through_proxy: false,
            double_puppet: None,
        }
    }

    /// A world with nothing special in it.
    pub(crate) async fn start() -> Self {
        Self::builder().start().await
    }

    /// The configuration: users of `test.local`, and the networks, `fake` first.
    pub(crate) fn config(&self) -> Config {
        let text = self.config_text("127.0.0.1:9009");
        let file = self.directory.path().join("config.yaml");
        let mut config =
            Config::parse(&text, &file, &|_| None).unwrap_or_else(|error| panic!("{error}\n{text}"));
        // A file may not ask for just any port, since the homeserver has to know it; a test can tell it.
        config.appservice.listen.set_port(0);
        if let Some(time) = self.stale_after {
            config.limits.stale_after = time;
        }
        config
    }

    fn config_text(&self, listen: &str) -> String {
        let key = self.key_file();
        format!(
            "homeserver: {{ url: \"{url}\", domain: test.local }}\n\
             appservice: {{ as_token: {as_token}, hs_token: {hs_token}, listen: \"{listen}\" }}\n\
             database: {{ url: \"{database}\" }}\n\
             secret_key_file: \"{key}\"\n\
             permissions: {{ test.local: user, \"@admin:test.local\": admin{forbidden} }}\n\
             log: {{ level: debug }}\n\
             networks:\n{networks}{extra}",
            url = self.homeserver.url(),
            as_token = self.tokens.own,
            hs_token = self.tokens.homeservers,
            database = self.database.url(),
            key = key.display(),
            networks = self.networks,
            forbidden = self.forbidden,
            extra = self.extra,
        )
    }

    /// Adds to the configuration of the next start.
    pub(crate) fn add_config(&mut self, yaml: &str) {
        self.extra.push_str(yaml);
    }

    /// Adds keys to the first network, from the next start on: a line of YAML.
    pub(crate) fn add_to_network(&mut self, line: &str) {
        self.networks = self.networks.replacen("  fake:\n", &format!("  fake:\n    {line}\n"), 1);
    }

    /// Has a room show a channel of the first network, from the next start on; without one no room does.
    pub(crate) fn plumb(&mut self, channels: &str) {
        self.plumb_on("fake", channels);
    }

    /// The same for another network; what rooms show of the others stays.
    pub(crate) fn plumb_on(&mut self, slug: &str, channels: &str) {
        let (mut networks, mut is_it) = (String::new(), false);
        for line in self.networks.lines() {
            if !line.starts_with("   ") {
                is_it = line == format!("  {slug}:");
            } else if is_it && line.starts_with("    channels: ") {
                continue;
            }
            networks += &format!("{line}\n");
            if line == format!("  {slug}:") {
                networks += &format!("    channels: {{ {channels} }}\n");
            }
        }
        self.networks = networks;
    }

    /// Where the bridge that was started last listens.
    pub(crate) fn appservice_url(&self) -> String {
        self.url.lock().unwrap().clone()
    }

    /// From now on it listens here.
    fn set_appservice_url(&self, url: String) {
        self.homeserver.set_appservice_url(&url);
        *self.url.lock().unwrap() = url;
    }

    /// Lets time go by for a session: puts the clock forward, and waits until the session has done what is due. The
    /// server wakes it; a command would come from long before.
    pub(crate) async fn pass(&self, nick: &str, time: Duration) {
        // What the session has just asked is answered: else the server would not have answered for as long.
        self.rounds(nick, "now").await;
        self.clock.advance(time);
        self.rounds(nick, "passed").await;
    }

    /// Has a session read what the server has sent, and once more what it has asked by then.
    async fn rounds(&self, nick: &str, word: &str) {
        for round in 0..2 {
            let mark = self.ircd.mark();
            self.ircd.send_raw(nick, format!("PING :{word}-{round}\r\n").as_bytes());
            let answer = format!("PONG :{word}-{round}");
            self.ircd.wait_line_after(mark, |_, line| line == answer).await;
        }
    }

    /// Ends alice's connection for now. What she says from here on waits: the bridge knows that it is not connected, which
    /// it does some time after the server.
    pub(crate) async fn lose_connection(&self) {
        self.ircd.refuse();
        self.ircd.cut("alice");
        let network = self.homeserver.room_named("FakeNet");
        let is_told = |event: &Event| event.body().contains("Not connected");
        self.homeserver.wait_event(&network, is_told).await;
    }

    /// The database, to look into.
    pub(crate) fn database(&self) -> &TestDatabase {
        &self.database
    }

    /// Waits until every request to the homeserver is known to be done.
    pub(crate) async fn wait_outbox_empty(&self) {
        let waiting = "SELECT txn_id FROM outbox WHERE state = 'queued'";
        self.database.wait("the outbox empties", waiting, <[String]>::is_empty).await;
    }

    /// Waits until the bridge has stored a room's id: those who are invited learn of it before.
    async fn wait_made(&self, room_id: &str) {
        let made = "SELECT room_id FROM room WHERE room_id IS NOT NULL";
        self.database.wait("the room is stored", made, |made| made.iter().any(|one| one == room_id)).await;
    }

    /// Waits until the bridge has looked through a room for what was never handed over.
    pub(crate) async fn wait_looked_through(&self, room_id: &str) {
        let looked = "SELECT room_id FROM room WHERE looked_at_event IS NOT NULL";
        let is_it = |looked: &[String]| looked.iter().any(|one| one == room_id);
        self.database.wait("the room is looked through", looked, is_it).await;
    }

    /// Takes a user's permission away, from the next start of the bridge on.
    pub(crate) fn forbid(&mut self, user_id: &str) {
        self.forbidden.push_str(&format!(", \"{user_id}\": none"));
    }

    fn key_file(&self) -> PathBuf {
        let file = self.directory.path().join("towline.key");
        // A key that was changed stays changed.
        if !file.exists() {
            std::fs::write(&file, towline::config::secret::key_line(&[7; 32])).unwrap();
        }
        file
    }

    /// Starts the bridge; returns when it listens.
    pub(crate) async fn start_bridge(&mut self) {
        self.start_bridge_with(self.config()).await;
    }

    /// As [`Self::start_bridge`], with another configuration.
    pub(crate) async fn start_bridge_with(&mut self, config: Config) {
        assert!(self.running.is_none(), "the bridge runs already");
        let listener = cli::run::listen(config.appservice.listen).await.unwrap();
        self.set_appservice_url(format!("http://{}", listener.local_addr().unwrap()));
        let (stop, stopped) = oneshot::channel();
        let clock = Arc::new(self.clock.clone());
        let done = tokio::spawn(cli::run::serve(config, listener, clock, async {
            let _ = stopped.await;
        }));
        self.running = Some(Running { stop, done });
    }

    /// How long a message may wait, from the next start on.
    pub(crate) fn set_stale_after(&mut self, time: Option<Duration>) {
        self.stale_after = time;
    }

    /// Stops the bridge as SIGTERM does, and waits for it.
    pub(crate) async fn stop_bridge(&mut self) {
        let Running { stop, done } = self.running.take().expect("the bridge runs");
        stop.send(()).expect("the bridge still runs");
        done.await.unwrap().unwrap();
        // Else whoever waits after the next start for a nick could find the one of before. A proxy may hold connections.
        if self.proxy.is_none() {
            self.ircd.wait_nobody_connected().await;
        }
    }

    /// Waits for a bridge that ends by itself.
    pub(crate) async fn wait_bridge_ended(&mut self) -> Result<(), CliError> {
        self.running.take().expect("the bridge runs").done.await.unwrap()
    }

    /// The configuration as a file, for commands beside the bridge.
    pub(crate) fn config_file(&self) -> PathBuf {
        let file = self.directory.path().join("beside.yaml");
        std::fs::write(&file, self.config_text("127.0.0.1:9009")).unwrap();
        file
    }

    /// Starts the real binary instead, on the same configuration.
    pub(crate) fn start_process(&self) -> BridgeProcess {
        self.start_process_with(&[("TOWLINE_LOG", "trace")])
    }

    /// As [`Self::start_process`], with these environment variables.
    pub(crate) fn start_process_with(&self, environment: &[(&str, &str)]) -> BridgeProcess {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_towline"));
        command.env_clear().envs(environment.iter().copied());
        self.start_command(command)
    }

    /// As [`Self::start_process`], with an open socket handed over as systemd does.
    pub(crate) fn start_process_with_socket(&self, socket: std::net::TcpListener) -> BridgeProcess {
        // The number of the process that is to take it is known only within that process.
        let script = r#"LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0 </dev/null"#;
        let mut command = tokio::process::Command::new("/bin/sh");
        command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_towline")]).env_clear();
        command.stdin(std::process::Stdio::from(std::os::fd::OwnedFd::from(socket)));
        self.start_command(command)
    }

    fn start_command(&self, mut command: tokio::process::Command) -> BridgeProcess {
        let port = free_port();
        let file = self.directory.path().join("config.yaml");
        std::fs::write(&file, self.config_text(&format!("127.0.0.1:{port}"))).unwrap();
        self.set_appservice_url(format!("http://127.0.0.1:{port}"));
        let log = self.directory.path().join("log");
        let output = std::fs::File::options().create(true).append(true).open(&log).unwrap();
        command.args(["run", "--config"]).arg(&file).stderr(output).kill_on_drop(true);
        BridgeProcess { child: command.spawn().unwrap(), log }
    }

    /// A user who has a chat with the bot, and its room.
    pub(crate) async fn user_with_control_room(&self, name: &str) -> (TestUser, String) {
        let user = self.homeserver.user(name);
        let room = user.start_dm(&self.homeserver.bot());
        self.homeserver.wait_event(&room, |event| event.body().contains("To begin")).await;
        (user, room)
    }

    /// A user who is connected to the network: their control room and their network room.
    pub(crate) async fn connected_user(&self, name: &str) -> (TestUser, String, String) {
        let (user, control) = self.user_with_control_room(name).await;
        user.send_text(&control, "open fake");
        let network = self.homeserver.wait_invite(user.id()).await;
        user.join(&network).await;
        self.ircd.wait_registered(name).await;
        // The server has them before the session knows that: what they type until then is answered as without a connection.
        let is_told = |event: &Event| event.body().starts_with("Connected to");
        self.homeserver.wait_event(&network, is_told).await;
        (user, control, network)
    }

    /// A user who is connected, as the session has told by now.
    pub(crate) async fn greeted_user(&self, name: &str) -> (TestUser, String, String) {
        let (user, control, network) = self.connected_user(name).await;
        let starts = |text: String| move |event: &Event| event.body().starts_with(&text);
        // Its answer comes from a session that has told how it is.
        user.send_text(&network, "nick");
        self.homeserver.wait_event(&network, starts(format!("You are {name}."))).await;
        (user, control, network)
    }

    /// A user who is in a channel, and the channel's room.
    pub(crate) async fn user_in_channel(&self, name: &str, channel: &str) -> (TestUser, String, String) {
        let (user, control, _) = self.connected_user(name).await;
        user.send_text(&control, &format!("join {channel}"));
        self.ircd.wait_joined(channel, name).await;
        let room = self.homeserver.wait_invite(user.id()).await;
        user.join(&room).await;
        self.wait_made(&room).await;
        (user, control, room)
    }
}

/// The real binary.
pub(crate) struct BridgeProcess {
    child: tokio::process::Child,
    log: PathBuf,
}

impl BridgeProcess {
    /// `kill -9`, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits until it has killed itself; false when it has not within this time.
    pub(crate) async fn wait_killed(&mut self, limit: Duration) -> bool {
        let Ok(status) = tokio::time::timeout(limit, self.child.wait()).await else {
            return false;
        };
        let status = status.unwrap();
        assert_eq!(status.signal(), Some(9), "it ended by {status}\n{}", read(&self.log));
        true
    }

    /// SIGTERM, and waits until it has ended.
    pub(crate) async fn stop(self) -> Option<i32> {
        self.terminate().await;
        self.wait_ended().await
    }

    /// SIGTERM.
    pub(crate) async fn terminate(&self) {
        self.signal("-TERM").await;
    }

    /// SIGHUP.
    pub(crate) async fn hang_up(&self) {
        self.signal("-HUP").await;
    }

    async fn signal(&self, signal: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = tokio::process::Command::new("kill").args([signal, &id]).status().await.unwrap();
        assert!(sent.success());
    }

    /// Waits until it has ended; its exit code.
    pub(crate) async fn wait_ended(mut self) -> Option<i32> {
        let ended = tokio::time::timeout(homeserver::LIMIT, self.child.wait()).await;
        let status = ended.unwrap_or_else(|_| panic!("it did not end\n{}", read(&self.log))).unwrap();
        assert!(status.code().is_some(), "it ended by {status}\n{}", read(&self.log));
        status.code()
    }

    /// The end of its log.
    pub(crate) fn log_tail(&self) -> String {
        let text = read(&self.log);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Where its log lies.
    pub(crate) fn log_file(&self) -> PathBuf {
        self.log.clone()
    }
}

fn read(file: &std::path::Path) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}
