//! A real PostgreSQL, private and empty.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::process::Command;

use super::process::{Process, command, is_root};
use crate::support::ports::free_port;

/// A running PostgreSQL.
pub(crate) struct Postgres {
    /// A database of its own, for anyone on this machine.
    pub(crate) url: String,
    _process: Process,
    /// Not within the test's directory: PostgreSQL refuses to run as root, and another user cannot enter it.
    _directory: TempDir,
}

impl Postgres {
    /// Makes a cluster and starts it. Its commits are as safe as a power failure lets them be: nothing waits here.
    pub(crate) async fn start() -> Self {
        let directory = TempDir::with_prefix("towline-postgres-").unwrap();
        let data = directory.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let user = is_root().then_some("postgres");
        if let Some(user) = user {
            std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
            let given = Command::new("chown").arg(user).arg(&data).status().await.unwrap();
            assert!(given.success(), "the directory of PostgreSQL could not be given to {user}");
        }
        let programs = programs();
        let mut init = command(programs.join("initdb"), user);
        init.arg("--pgdata").arg(&data).current_dir(&data);
        init.args(["--username", "towline", "--auth", "trust", "--no-sync", "--encoding", "UTF8"]);
        let made = init.args(["--locale", "C.UTF-8"]).output().await.expect("PostgreSQL is installed");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));

        let port = free_port();
        let mut server = command(programs.join("postgres"), user);
        server.arg("-D").arg(&data).arg("-k").arg(&data).args(["-p", &port.to_string()]).current_dir(&data);
        server.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        let mut process = Process::start("PostgreSQL", server, &directory.path().join("postgres.log"));
        let ready = async || {
            let mut ask = Command::new(programs.join("pg_isready"));
            ask.args(["-q", "-h", "127.0.0.1", "-U", "towline", "-d", "postgres", "-p", &port.to_string()]);
            ask.status().await.is_ok_and(|status| status.success())
        };
        process.wait_ready(ready).await;
        let url = format!("postgres://towline@127.0.0.1:{port}/postgres");
        Self { url, _process: process, _directory: directory }
    }
}

/// Where Debian puts the newest version's programs, which are not on the path.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|entry| entry.path()).max_by_key(|path| version(path));
    newest.expect("PostgreSQL is installed").join("bin")
}
