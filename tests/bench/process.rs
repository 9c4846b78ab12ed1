//! The release binary as a child process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::it::support::homeserver::Homeserver;
use crate::it::support::ports::free_port;
use crate::vitals::Vitals;

/// How long it may take to listen.
const LIMIT: Duration = Duration::from_mins(1);

pub(crate) struct Towline {
    /// The configuration, without the pace of the connections, which comes last.
    text: String,
    config: PathBuf,
    log: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Towline {
    /// Writes the configuration: one network without flood control, one user, the defaults else.
    pub(crate) fn configure(
        directory: &Path,
        homeserver: &Homeserver,
        database: &str,
        ircd: SocketAddr,
    ) -> Self {
        let key = directory.join("towline.key");
        std::fs::write(&key, towline::config::secret::key_line(&[7; 32])).unwrap();
        let port = free_port();
        let text = format!(
            "homeserver: {{ url: \"{url}\", domain: test.local }}\n\
             appservice: {{ as_token: {as_token}, hs_token: {hs_token}, listen: \"127.0.0.1:{port}\" }}\n\
             database: {{ url: \"{database}\" }}\n\
             secret_key_file: \"{key}\"\n\
             permissions: {{ test.local: user }}\n\
             networks:\n  fake:\n    name: FakeNet\n    allow_private: true\n    \
             flood: {{ burst: 100, interval_ms: 0 }}\n    \
             servers: [ {{ host: 127.0.0.1, port: {ircd}, tls: false }} ]\n",
            url = homeserver.url(),
            as_token = homeserver.as_token(),
            hs_token = homeserver.hs_token(),
            key = key.display(),
            ircd = ircd.port(),
        );
        let config = directory.join("config.yaml");
        std::fs::write(&config, &text).unwrap();
        Self { text, config, log: directory.join("towline.log"), port, child: None }
    }

    /// From the next start on, how fast connections follow each other; nothing is what ships.
    pub(crate) fn pace(&mut self, connections: Option<&str>) {
        let pace = connections.map(|pace| format!("    connections: {pace}\n")).unwrap_or_default();
        std::fs::write(&self.config, format!("{}{pace}", self.text)).unwrap();
    }

    /// Adds a section to the configuration.
    pub(crate) fn add_config(&self, yaml: &str) {
        let text = std::fs::read_to_string(&self.config).unwrap();
        std::fs::write(&self.config, text + yaml).unwrap();
    }

    /// Where the homeserver reaches it.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn start(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let mut run = Command::new(env!("CARGO_BIN_EXE_towline"));
        run.args(["run", "--config"]).arg(&self.config).stdin(Stdio::null()).stdout(Stdio::null());
        self.child = Some(run.stderr(log).kill_on_drop(true).spawn().unwrap());
    }

    /// SIGTERM, and waits until it has ended.
    pub(crate) async fn stop(&mut self) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        let status = self.child.take().unwrap().wait().await.unwrap();
        assert!(status.success(), "{status}\n{}", self.log());
    }

    fn id(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).unwrap_or_else(|| panic!("towline has ended\n{}", self.log()))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn vitals(&self) -> Vitals {
        Vitals::of(self.id())
    }

    /// Waits until it listens.
    pub(crate) async fn wait_listening(&self) {
        let listening = async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let late = |_| panic!("towline does not listen\n{}", self.log());
        tokio::time::timeout(LIMIT, listening).await.unwrap_or_else(late);
    }

    /// Waits until it listens and has done nothing for half a second.
    pub(crate) async fn wait_idle(&self) {
        self.wait_listening().await;
        self.vitals().wait_idle().await;
    }
}
