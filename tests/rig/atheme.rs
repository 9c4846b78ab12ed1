//! Real services: Atheme's NickServ, ChanServ and SASL, linked to an InspIRCd.

use tempfile::TempDir;
use tokio::process::Command;

use super::inspircd::Inspircd;
use super::irc::IrcPerson;
use super::process::{Process, command, is_root};

/// Running services.
pub(crate) struct Atheme {
    _process: Process,
    /// Not within the test's directory: services refuse to run as root, and another user cannot enter it.
    _directory: TempDir,
}

impl Atheme {
    /// Starts services and waits until they are linked.
    pub(crate) async fn start(inspircd: &Inspircd) -> Self {
        let directory = TempDir::with_prefix("towline-atheme-").unwrap();
        let path = directory.path();
        let config = include_str!("atheme.conf.in")
            .replace("@RUN@", path.to_str().unwrap())
            .replace("@SERVERS@", &inspircd.services_port.to_string());
        std::fs::write(path.join("atheme.conf"), config).unwrap();
        let user = is_root().then_some("nobody");
        if let Some(user) = user {
            let given = Command::new("chown").arg("-R").arg(user).arg(path).status().await.unwrap();
            assert!(given.success(), "the directory of the services could not be given to {user}");
        }
        let mut services = command("atheme-services", user);
        services.arg("-n").arg("-c").arg(path.join("atheme.conf")).arg("-D").arg(path);
        services.arg("-l").arg(path.join("start.log")).arg("-p").arg(path.join("atheme.pid"));
        let mut process = Process::start("Atheme", services, &path.join("atheme.log"));
        let probe = IrcPerson::connect(inspircd.address(), "probe").await;
        process.wait_ready(async || probe.is_online("NickServ").await).await;
        Self { _process: process, _directory: directory }
    }

    /// Registers a nick with a password, so that SASL PLAIN takes both.
    pub(crate) async fn register_account(&self, inspircd: &Inspircd, nick: &str, password: &str) {
        let person = IrcPerson::connect(inspircd.address(), nick).await;
        person.say("NickServ", &format!("REGISTER {password} {nick}@test.local"));
        person.wait_line(|line| line.contains("NOTICE") && line.contains("is now registered")).await;
        person.quit().await;
    }
}
