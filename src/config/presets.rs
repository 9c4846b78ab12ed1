//! The networks that are there without being configured, so that `open libera` works with an empty file.
//!
//! On TLS where the network offers it. Where a network's round robin has certificates that do not bear its name,
//! TLS is used unverified, and passwords are then not sent (`plaintext_credentials`).

use serde_yaml::{Mapping, Value};

/// A network that Towline knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// The short name; reserved.
    pub slug: &'static str,
    /// The name that people see.
    pub name: &'static str,
    /// Its servers, tried in turn.
    pub servers: &'static [PresetServer],
    /// The seconds between two connections, where the network is known to mind.
    pub interval: Option<u64>,
}

/// One of its servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresetServer {
    /// The host's name.
    pub host: &'static str,
    /// The port.
    pub port: u16,
    /// Whether it speaks TLS there.
    pub tls: bool,
    /// Whether its certificate bears its name and is signed by a public authority.
    pub verify: bool,
}

impl PresetServer {
    pub(super) fn describe(&self) -> String {
        let how = match (self.tls, self.verify) {
            (false, _) => " (no TLS)",
            (true, false) => " (not verified)",
            (true, true) => "",
        };
        format!("{}:{}{how}", self.host, self.port)
    }
}

const fn tls(host: &'static str, port: u16) -> PresetServer {
    PresetServer { host, port, tls: true, verify: true }
}

const fn unverified(host: &'static str, port: u16) -> PresetServer {
    PresetServer { host, port, tls: true, verify: false }
}

const fn plain(host: &'static str) -> PresetServer {
    PresetServer { host, port: 6667, tls: false, verify: true }
}

const fn preset(slug: &'static str, name: &'static str, servers: &'static [PresetServer]) -> Preset {
    Preset { slug, name, servers, interval: None }
}

const fn with_interval(preset: Preset, seconds: u64) -> Preset {
    Preset { interval: Some(seconds), ..preset }
}

/// All presets.
pub const PRESETS: &[Preset] = &[
    preset("libera", "Libera.Chat", &[tls("irc.libera.chat", 6697)]),
    preset("oftc", "OFTC", &[tls("irc.oftc.net", 6697)]),
    preset("hackint", "hackint", &[tls("irc.hackint.org", 6697)]),
    // The servers of both names are run by different people, with certificates of their own names or their own making.
    preset("efnet", "EFnet", &[unverified("ssl.efnet.org", 9999), unverified("irc.efnet.org", 6697)]),
    // Only some servers speak TLS; they share a name of their own. No accounts here, so no password to lose.
    // Ten connections within half a minute earn a K-line.
    with_interval(preset("ircnet", "IRCnet", &[tls("ssl.ircnet.ovh", 6697), plain("open.ircnet.net")]), 5),
    preset("rizon", "Rizon", &[tls("irc.rizon.net", 6697)]),
    preset("snoonet", "Snoonet", &[tls("irc.snoonet.org", 6697)]),
    preset("tilde", "tilde.chat", &[tls("irc.tilde.chat", 6697)]),
    preset("undernet", "Undernet", &[plain("irc.undernet.org")]),
    preset("dalnet", "DALnet", &[tls("irc.dal.net", 6697)]),
    preset("quakenet", "QuakeNet", &[plain("irc.quakenet.org")]),
];

/// The preset with this short name.
#[must_use]
pub fn find(slug: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.slug == slug)
}

/// The preset as the section of a configuration that it stands for, so that a file's keys can replace its own.
pub(super) fn section(preset: &Preset) -> Mapping {
    let servers = preset.servers.iter().map(|server| {
        let mut map = Mapping::new();
        map.insert("host".into(), server.host.into());
        map.insert("port".into(), server.port.into());
        map.insert("tls".into(), server.tls.into());
        map.insert("verify".into(), server.verify.into());
        Value::Mapping(map)
    });
    let mut map = Mapping::new();
    map.insert("name".into(), preset.name.into());
    map.insert("servers".into(), Value::Sequence(servers.collect()));
    if let Some(seconds) = preset.interval {
        let mut connections = Mapping::new();
        connections.insert("interval".into(), seconds.into());
        map.insert("connections".into(), Value::Mapping(connections));
    }
    map
}
