//! A real ngIRCd: an IRC server with one capability, without services, and with a penalty for each command.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::net::TcpStream;

use super::process::{Process, command};
use crate::support::ports::free_port;

/// A running ngIRCd.
pub(crate) struct Ngircd {
    /// The port for plain connections.
    pub(crate) port: u16,
    directory: PathBuf,
    process: Process,
}

impl Ngircd {
    /// Starts one in `directory`, which need not exist.
    pub(crate) async fn start(directory: &Path) -> Self {
        std::fs::create_dir_all(directory).unwrap();
        let port = free_port();
        let config = include_str!("ngircd.conf.in").replace("@PORT@", &port.to_string());
        std::fs::write(directory.join("ngircd.conf"), config).unwrap();
        let mut ngircd = Self { port, directory: directory.into(), process: spawn(directory) };
        ngircd.wait_ready().await;
        ngircd
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Stops it and starts it again, empty.
    pub(crate) async fn restart(&mut self) {
        self.process.stop().await;
        self.process = spawn(&self.directory);
        self.wait_ready().await;
    }

    async fn wait_ready(&mut self) {
        let port = self.port;
        self.process.wait_ready(async || TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await;
    }
}

fn spawn(directory: &Path) -> Process {
    let mut ngircd = command(program(), None);
    ngircd.arg("--nodaemon").arg("--config").arg(directory.join("ngircd.conf"));
    Process::start("ngIRCd", ngircd, &directory.join("ngircd.log"))
}

/// `TOWLINE_NGIRCD`, or where `scripts/lib.sh` unpacks it.
fn program() -> PathBuf {
    let default = || concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/ngircd/usr/sbin/ngircd").into();
    std::env::var_os("TOWLINE_NGIRCD").map_or_else(default, Into::into)
}
