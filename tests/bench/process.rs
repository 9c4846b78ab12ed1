//! The release binary as a child process, and what `/proc` tells of it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::it::support::homeserver::Homeserver;
use crate::it::support::ports::free_port;

/// How long it may take to come to rest.
const LIMIT: Duration = Duration::from_mins(1);

/// What a process occupies, in MB.
#[derive(Default, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) resident: f64,
    /// Its share: pages that other processes have too count in part.
    pub(crate) proportional: f64,
}

pub(crate) struct Towline {
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
        std::fs::write(&config, text).unwrap();
        Self { config, log: directory.join("towline.log"), port, child: None }
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

    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).unwrap_or_else(|| panic!("towline has ended\n{}", self.log()))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn proc(&self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.id());
        std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("towline has ended: {error}\n{}", self.log()))
    }

    /// The CPU time that it has used, in seconds, to the clock tick.
    pub(crate) fn cpu(&self) -> f64 {
        /// Linux gives these times in hundredths of a second on every architecture.
        const TICKS: f64 = 100.0;
        let stat = self.proc("stat");
        // The name, in parentheses, may hold anything.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let fields = fields.split_whitespace().skip(11).take(2);
        fields.map(|field| field.parse::<f64>().unwrap()).sum::<f64>() / TICKS
    }

    /// How often its threads were put on a CPU.
    fn runs(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        let runs = |task: std::fs::DirEntry| {
            let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split_whitespace().nth(2)?.parse::<u64>().ok()
        };
        tasks.flatten().filter_map(runs).sum()
    }

    /// Waits until it listens and has done nothing for half a second.
    pub(crate) async fn wait_idle(&self) {
        const REST: Duration = Duration::from_millis(500);
        let idle = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let mut before = self.cpu();
            loop {
                tokio::time::sleep(REST).await;
                let now = self.cpu();
                if now <= before {
                    return;
                }
                before = now;
            }
        };
        tokio::time::timeout(LIMIT, idle).await.expect("towline comes to rest");
    }

    /// Waits until none of its threads has run for some milliseconds: what followed the last line is over.
    pub(crate) async fn wait_asleep(&self) {
        const REST: Duration = Duration::from_millis(5);
        let asleep = async {
            let mut before = self.runs();
            loop {
                tokio::time::sleep(REST).await;
                let now = self.runs();
                if now == before {
                    return;
                }
                before = now;
            }
        };
        tokio::time::timeout(LIMIT, asleep).await.expect("towline comes to rest");
    }

    pub(crate) fn memory(&self) -> Memory {
        let megabytes = |file: &str, key: &str| {
            let text = self.proc(file);
            let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            let kilobytes: f64 = line.split_whitespace().next().unwrap().parse().unwrap();
            kilobytes / 1024.0
        };
        Memory { resident: megabytes("status", "VmRSS:"), proportional: megabytes("smaps_rollup", "Pss:") }
    }
}
