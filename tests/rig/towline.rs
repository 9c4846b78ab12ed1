//! The bridge's real binary, and the one place that knows its command line and configuration file.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use tokio::net::TcpStream;

use super::START_LIMIT;
use super::inspircd::Inspircd;
use super::ngircd::Ngircd;
use super::process::{Process, command};
use super::synapse::{Plan, SERVER_NAME};
use super::znc::Znc;
use crate::support::ports::free_port;

/// The bridge: initialised, and running or not.
pub(crate) struct Towline {
    directory: PathBuf,
    port: u16,
    /// The roots that it trusts in place of the host's.
    roots: Option<PathBuf>,
    process: Option<Process>,
}

/// The Matrix id of the bridge's bot.
pub(crate) fn bot() -> String {
    format!("@towline:{SERVER_NAME}")
}

/// A network for the configuration file.
pub(crate) struct NetworkEntry {
    pub(crate) slug: &'static str,
    pub(crate) name: &'static str,
    pub(crate) server: String,
    /// More of its settings.
    pub(crate) more: String,
}

/// InspIRCd minds no flood here, and its people are in a hurry.
const UNHINDERED: &str = "    flood: { burst: 100, interval_ms: 1 }\n";

impl NetworkEntry {
    /// The rig's server without TLS.
    pub(crate) fn plain(slug: &'static str, name: &'static str, inspircd: &Inspircd) -> Self {
        let server = format!("{{ host: 127.0.0.1, port: {}, tls: false }}", inspircd.port);
        Self { slug, name, server, more: UNHINDERED.to_owned() }
    }

    /// The server that can hardly do more than RFC 2812, which slows down who talks too fast.
    pub(crate) fn ngircd(slug: &'static str, name: &'static str, ngircd: &Ngircd) -> Self {
        let server = format!("{{ host: 127.0.0.1, port: {}, tls: false }}", ngircd.port);
        Self { slug, name, server, more: String::new() }
    }

    /// The rig's server without TLS, by its name.
    pub(crate) fn plain_by_name(slug: &'static str, name: &'static str, inspircd: &Inspircd) -> Self {
        let server = format!("{{ host: localhost, port: {}, tls: false }}", inspircd.port);
        Self { slug, name, server, more: UNHINDERED.to_owned() }
    }

    /// The rig's server through a bouncer.
    pub(crate) fn znc(slug: &'static str, name: &'static str, znc: &Znc) -> Self {
        let server = format!("{{ host: 127.0.0.1, port: {}, tls: false }}", znc.port);
        let password = &znc.password;
        let more = format!("    password: \"{password}\"\n    plaintext_credentials: true\n{UNHINDERED}");
        Self { slug, name, server, more }
    }

    /// The rig's server on TLS, with its authority.
    pub(crate) fn tls(slug: &'static str, name: &'static str, inspircd: &Inspircd) -> Self {
        let (port, ca) = (inspircd.tls_port, inspircd.ca_file().display().to_string());
        let server = format!("{{ host: localhost, port: {port}, tls: true, ca_file: \"{ca}\" }}");
        Self { slug, name, server, more: UNHINDERED.to_owned() }
    }
}

impl Towline {
    /// `towline init`, and the networks added to its configuration. Without a database's URL it uses SQLite.
    pub(crate) async fn init(
        directory: &Path,
        homeserver: &Plan,
        admin: &str,
        networks: &[NetworkEntry],
        database: Option<&str>,
    ) -> Self {
        let port = free_port();
        let mut init = command(binary(), None);
        init.args(["init", "--admin", admin, "--homeserver", &homeserver.url(), "--domain", SERVER_NAME]);
        init.args(["--listen", &format!("127.0.0.1:{port}"), "--directory"]).arg(directory);
        init.args(database.map(|url| ["--database", url]).into_iter().flatten());
        let output = init.output().await.expect("the binary was built");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "towline init: {}\n{text}", output.status);
        let config = directory.join("config.yaml");
        let mut text = std::fs::read_to_string(&config).unwrap();
        text.push_str("\nnetworks:\n");
        for NetworkEntry { slug, name, server, more } in networks {
            let entry = format!(
                "  {slug}:\n    name: {name}\n    servers:\n      - {server}\n    allow_private: true\n    \
                 connections: {{ interval: 0 }}\n{more}"
            );
            text.push_str(&entry);
        }
        std::fs::write(&config, text).unwrap();
        Self { directory: directory.into(), port, roots: None, process: None }
    }

    /// Hands files and long texts out from its next start on, at an address with a path.
    pub(crate) fn hand_out(&mut self) {
        let (file, port) = (self.directory.join("config.yaml"), free_port());
        let text = std::fs::read_to_string(&file).unwrap();
        let base_url = format!("base_url: http://127.0.0.1:{port}/irc");
        let text = text.replace("#base_url: https://irc.example.org", &base_url);
        std::fs::write(&file, text.replace("#listen: 127.0.0.1:9010", &format!("listen: 127.0.0.1:{port}")))
            .unwrap();
    }

    /// Lets users add networks of their own on this machine, from its next start on.
    pub(crate) fn allow_own_networks(&mut self) {
        let file = self.directory.join("config.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        let allowed = text
            .replace("#most: 0", "most: 2")
            .replace("#allow_private:\n    #- \"10.0.0.0/8\"", "allow_private:\n    - \"127.0.0.0/8\"");
        assert!(allowed.contains("- \"127.0.0.0/8\""), "the file that init writes shows the setting");
        std::fs::write(&file, allowed).unwrap();
    }

    /// Speaks as users from its next start on; the second file for the homeserver.
    pub(crate) async fn double_puppet(&mut self) -> PathBuf {
        let file = self.directory.join("config.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("#registration_file: double", "registration_file: double"))
            .unwrap();
        let mut registration = command(binary(), None);
        registration.args(["registration", "--double-puppet", "--config"]).arg(&file);
        let output = registration.output().await.expect("the binary was built");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.directory.join("double-puppet.yaml")
    }

    /// Has shared rooms from its next start on; renews the registration.
    pub(crate) async fn share_rooms(&mut self) {
        let file = self.directory.join("config.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.replace("#shared_alias: \"chat_{", "shared_alias: \"irc_{");
        std::fs::write(&file, text).unwrap();
        let mut registration = command(binary(), None);
        registration.args(["registration", "--config"]).arg(&file);
        let output = registration.output().await.expect("the binary was built");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Has a room show a channel of the first network, or no room, from the next time on that it reads its file.
    pub(crate) fn plumb(&self, shown: Option<(&str, &str)>) {
        const BEFORE: &str = "    allow_private: true\n    connections: { interval: 0 }\n";
        let file = self.directory.join("config.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        let others = text.lines().filter(|line| !line.starts_with("    channels: "));
        let text: String = others.flat_map(|line| [line, "\n"]).collect();
        let channels = shown.map_or_else(String::new, |(channel, room)| {
            format!("    channels: {{ \"{channel}\": \"{room}\" }}\n")
        });
        assert!(text.contains(BEFORE), "the network stands in the file");
        std::fs::write(&file, text.replacen(BEFORE, &format!("{BEFORE}{channels}"), 1)).unwrap();
    }

    /// Lets users have rooms show channels by command, from the next time on that it reads its file.
    pub(crate) fn let_users_plumb(&self) {
        let file = self.directory.join("config.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        let allowed = text.replace("#by: administrators", "by: users");
        assert!(allowed.contains("  by: users\n"), "the file that init writes shows the setting");
        std::fs::write(&file, allowed).unwrap();
    }

    /// Trusts these roots in place of the host's from its next start on.
    pub(crate) fn trust(&mut self, roots: &Path) {
        self.roots = Some(roots.into());
    }

    /// The file that the homeserver is given.
    pub(crate) fn registration(&self) -> PathBuf {
        self.directory.join("registration.yaml")
    }

    /// `towline run`, until it answers.
    pub(crate) async fn run(&mut self) {
        let mut run = command(binary(), None);
        run.args(["run", "--config"]).arg(self.directory.join("config.yaml"));
        run.envs(self.roots.iter().map(|roots| ("SSL_CERT_FILE", roots)));
        let mut process = Process::start("Towline", run, &self.directory.join("towline.log"));
        let port = self.port;
        process.wait_ready(async || TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await;
        self.process = Some(process);
    }

    /// Another command with the same configuration: its exit code, and what it said on both outputs.
    pub(crate) async fn command(&self, words: &[&str]) -> (i32, String) {
        let mut other = command(binary(), None);
        other.args(words).arg("--config").arg(self.directory.join("config.yaml"));
        ended(other).await
    }

    /// SIGHUP: it reads its files anew.
    pub(crate) async fn reload(&self) {
        let id = self.process.as_ref().expect("the bridge runs").id().to_string();
        let sent = tokio::process::Command::new("kill").args(["-HUP", &id]).status().await.unwrap();
        assert!(sent.success(), "Towline could not be asked to reload");
    }

    /// Waits until its log says something, and gives what it says.
    pub(crate) async fn wait_logged(&self, text: &str) -> String {
        let file = self.directory.join("towline.log");
        let found = tokio::time::timeout(super::LIMIT, async {
            loop {
                let log = std::fs::read_to_string(&file).unwrap_or_default();
                if log.contains(text) {
                    return log;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        });
        found.await.unwrap_or_else(|_| panic!("the log does not say {text:?}"))
    }

    /// `towline check`: its exit code, and what it said on both outputs.
    pub(crate) async fn check(&self) -> (i32, String) {
        let mut check = command(binary(), None);
        check.args(["check", "--config"]).arg(self.directory.join("config.yaml"));
        ended(check).await
    }

    /// The same as JSON.
    pub(crate) async fn check_as_json(&self) -> (i32, String) {
        let mut check = command(binary(), None);
        check.args(["check", "--json", "--config"]).arg(self.directory.join("config.yaml"));
        ended(check).await
    }

    /// A second `towline run` beside the first, which has to refuse.
    pub(crate) async fn run_twice(&self) -> (i32, String) {
        let mut run = command(binary(), None);
        run.args(["run", "--config"]).arg(self.directory.join("config.yaml"));
        run.env("TOWLINE_LOG", "warn");
        ended(run).await
    }

    /// Where its files are.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// SIGTERM, and waits until it has ended.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.process.take().expect("the bridge runs").stop().await
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) {
        self.process.take().expect("the bridge runs").kill().await;
    }
}

/// A command's exit code and all that it said, when it has ended.
async fn ended(mut command: tokio::process::Command) -> (i32, String) {
    let output = tokio::time::timeout(START_LIMIT, command.kill_on_drop(true).output()).await;
    let output = output.expect("the command ends by itself").expect("the binary was built");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().expect("no signal ended it"), String::from_utf8_lossy(&text).into_owned())
}

/// The binary beside this test or example: `target/debug/{deps,examples}/this` and `target/debug/towline`.
fn binary() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let directory = this.parent().and_then(Path::parent).expect("cargo's directories");
    directory.join("towline")
}
