//! A server process: started, awaited, stopped by its id, and its log shown when it fails.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};

use super::START_LIMIT;

/// How often a start is looked at; a server that is starting cannot be waited for in any other way.
const LOOK: Duration = Duration::from_millis(20);

/// A running process. Dropped, it is killed and gone.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// A command that dies with the thread that starts it, as another user if one is given.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>, user: Option<&str>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if let Some(user) = user {
        command.args(["--reuid", user, "--regid", user_group(user), "--clear-groups"]);
    }
    command.arg("--").arg(program);
    command
}

fn user_group(user: &str) -> &str {
    if user == "nobody" { "nogroup" } else { user }
}

impl Process {
    /// Starts it, with its output added to `log`.
    pub(crate) fn start(name: &str, mut command: Command, log: &Path) -> Self {
        let output = || -> Stdio { append(log).into() };
        let child = command.stdin(Stdio::null()).stdout(output()).stderr(output()).kill_on_drop(true).spawn();
        let child = child.unwrap_or_else(|error| panic!("{name} did not start ({error}): is it installed?"));
        Self { name: name.into(), child, log: log.into() }
    }

    /// Waits until `ready` is true; fails with the log if the process ends or takes too long.
    pub(crate) async fn wait_ready(&mut self, mut ready: impl AsyncFnMut() -> bool) {
        let ended = tokio::time::timeout(START_LIMIT, async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return Some(status);
                }
                if ready().await {
                    return None;
                }
                tokio::time::sleep(LOOK).await;
            }
        });
        let ended = ended.await;
        let ended = ended
            .unwrap_or_else(|_| panic!("{} was not ready after {START_LIMIT:?}\n{}", self.name, self.tail()));
        if let Some(status) = ended {
            panic!("{} ended at its start, {status}\n{}", self.name, self.tail());
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("the process runs")
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.signal("-TERM").await;
        let ended = tokio::time::timeout(START_LIMIT, self.child.wait()).await;
        ended
            .unwrap_or_else(|_| panic!("{} did not stop within {START_LIMIT:?}\n{}", self.name, self.tail()))
            .unwrap()
    }

    /// Lets it do nothing until [`Self::go_on`]; what is sent to it waits.
    pub(crate) async fn pause(&self) {
        self.signal("-STOP").await;
    }

    /// Lets it go on.
    pub(crate) async fn go_on(&self) {
        self.signal("-CONT").await;
    }

    async fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.id().to_string()]).status().await.unwrap();
        assert!(sent.success(), "{} could not be sent {signal}", self.name);
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// The end of its log.
    pub(crate) fn tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(40)..];
        format!("--- the end of {}'s log ---\n{}\n--- ---", self.name, last.join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.tail());
        }
        // Killed and gone before the next server goes: SIGKILL leaves nothing to wait for but the kernel.
        drop(self.child.start_kill());
        while matches!(self.child.try_wait(), Ok(None)) {
            std::thread::yield_now();
        }
    }
}

fn append(log: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(log).unwrap()
}

/// Whether this process is root's.
pub(crate) fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}
