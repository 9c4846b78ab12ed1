//! A real ZNC between a client and an InspIRCd: it stays on the network, and repeats what its client missed.

use std::net::SocketAddr;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::Command;

use super::inspircd::Inspircd;
use super::irc::IrcPerson;
use super::process::{Process, command, is_root};
use crate::support::ports::free_port;

/// The user that the bouncer has, and their password.
const USER: &str = "alice";
const PASSWORD: &str = "looking-glass";

/// What a bouncer does with a channel's buffer when it has repeated it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Buffers {
    /// It empties it, and keeps only what is said while no client is there: ZNC's default.
    Cleared,
    /// It keeps it, and what is said while a client is there as well: each client gets all of it again.
    Kept,
}

/// A running ZNC with one user, whose one network is an InspIRCd.
pub(crate) struct Znc {
    /// The port for clients.
    pub(crate) port: u16,
    /// What a client sends as the server's password: `user/network:password`.
    pub(crate) password: String,
    _process: Process,
    /// Not within the test's directory: as root ZNC waits half a minute, and another user cannot enter it.
    _directory: TempDir,
}

impl Znc {
    /// Starts one, and waits until its user is on the network.
    pub(crate) async fn start(inspircd: &Inspircd, buffers: Buffers) -> Self {
        let directory = TempDir::with_prefix("towline-znc-").unwrap();
        let path = directory.path();
        let port = free_port();
        let config = include_str!("znc.conf.in")
            .replace("@PORT@", &port.to_string())
            .replace("@CLEAR@", if buffers == Buffers::Cleared { "true" } else { "false" })
            .replace("@USER@", USER)
            .replace("@PASSWORD@", PASSWORD)
            .replace("@SERVER@", &inspircd.port.to_string());
        std::fs::create_dir(path.join("configs")).unwrap();
        std::fs::write(path.join("configs/znc.conf"), config).unwrap();
        let user = is_root().then_some("nobody");
        if let Some(user) = user {
            let given = Command::new("chown").arg("-R").arg(user).arg(path).status().await.unwrap();
            assert!(given.success(), "the bouncer's directory could not be given to {user}");
        }
        let mut znc = command("znc", user);
        znc.arg("--foreground").arg("--datadir").arg(path);
        let mut process = Process::start("ZNC", znc, &path.join("znc.log"));
        let probe = IrcPerson::connect(inspircd.address(), "probe").await;
        let ready =
            async || TcpStream::connect(("127.0.0.1", port)).await.is_ok() && probe.is_online(USER).await;
        process.wait_ready(ready).await;
        probe.quit().await;
        let password = format!("{USER}/demo:{PASSWORD}");
        Self { port, password, _process: process, _directory: directory }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }
}
