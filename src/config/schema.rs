//! Every key of the configuration: its type, its default and what it is for.
//!
//! One table. The loader checks a file against it and takes the defaults from it, `docs/configuration.md` is
//! written from it, and a test holds `config.example.yaml` against it, so none of them can say something else.

use std::fmt::Write as _;

/// What a key's value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A mapping with the keys that the table lists below this one.
    Section,
    /// A mapping with names of the admin's choice; the table describes a value as `path.*`.
    Named,
    /// A list; the table describes an item as `path[]`.
    List,
    /// Text, not empty.
    Text,
    /// A file's name, relative to the folder of the configuration.
    File,
    /// `true` or `false`.
    Boolean,
    /// A whole number between the two, both included.
    Integer(u64, u64),
    /// A length of time in whole seconds, or with a unit; between the two, in seconds.
    Duration(u64, u64),
    /// A number of bytes, or with a unit; between the two, in bytes.
    Size(u64, u64),
    /// `keep`, or a number of days.
    Keep,
    /// One of these words.
    Choice(&'static [&'static str]),
}

impl Kind {
    /// The kind as a noun, for messages and the documentation.
    #[must_use]
    pub fn describe(self) -> String {
        match self {
            Self::Section => "a section".to_owned(),
            Self::Named => "a section of names".to_owned(),
            Self::List => "a list".to_owned(),
            Self::Text => "text".to_owned(),
            Self::File => "a file's name".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Integer(least, most) => format!("a whole number from {least} to {most}"),
            Self::Duration(least, most) => {
                format!("a time from {} to {}, such as 90, 15m, 2h or 1d", time(least), time(most))
            }
            Self::Size(least, most) => format!("a size from {} to {}", size(least), size(most)),
            Self::Keep => "`keep` or a number of days, such as 90 or 90d".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
        }
    }
}

fn time(seconds: u64) -> String {
    match seconds {
        s if s >= 86_400 && s.is_multiple_of(86_400) => format!("{}d", s / 86_400),
        s if s >= 3_600 && s.is_multiple_of(3_600) => format!("{}h", s / 3_600),
        s if s >= 60 && s.is_multiple_of(60) => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

fn size(bytes: u64) -> String {
    if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) {
        format!("{}MiB", bytes >> 20)
    } else {
        bytes.to_string()
    }
}

/// What holds where the file does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// The file must say.
    Required,
    /// This value, as YAML.
    Is(&'static str),
    /// Nothing, or something that depends: in words.
    Note(&'static str),
}

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Where it stands; `*` for a name of the admin's choice, `[]` for an item of a list.
    pub path: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// What holds without it.
    pub default: Default,
    /// Whether it is a secret: then `path_file` and an environment variable can stand for it.
    pub secret: bool,
    /// What it is for, in a sentence or two.
    pub doc: &'static str,
}

impl Key {
    /// The last part of the path.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }
}

const fn key(path: &'static str, kind: Kind, default: Default, doc: &'static str) -> Key {
    Key { path, kind, default, secret: false, doc }
}

const fn section(path: &'static str, doc: &'static str) -> Key {
    key(path, Kind::Section, Default::Note(""), doc)
}

const fn secret(path: &'static str, default: Default, doc: &'static str) -> Key {
    Key { path, kind: Kind::Text, default, secret: true, doc }
}

const fn secret_file(path: &'static str, doc: &'static str) -> Key {
    key(path, Kind::File, Default::Note("none"), doc)
}

const YEARS: u64 = 10 * 365 * 86_400;

/// Every key, in the order of the documentation.
pub const KEYS: &[Key] = &[
    section("homeserver", "The Matrix homeserver that Towline belongs to."),
    key(
        "homeserver.url",
        Kind::Text,
        Default::Required,
        "Where Towline reaches the homeserver's client API, `http://` or `https://`.",
    ),
    key(
        "homeserver.domain",
        Kind::Text,
        Default::Required,
        "The homeserver's name: what follows the colon in its users' ids.",
    ),
    section("appservice", "Towline as an application service, as its registration describes it."),
    key(
        "appservice.id",
        Kind::Text,
        Default::Is("towline"),
        "The id of the registration. It must not change after the homeserver has it.",
    ),
    key(
        "appservice.bot",
        Kind::Text,
        Default::Is("towline"),
        "The localpart of the bot that people talk to.",
    ),
    key(
        "appservice.listen",
        Kind::Text,
        Default::Is("127.0.0.1:9009"),
        "The address and port on which Towline waits for the homeserver.",
    ),
    key(
        "appservice.url",
        Kind::Text,
        Default::Note("`http://` and `listen`"),
        "What the homeserver calls to reach Towline. Needed where `listen` is an address for all interfaces.",
    ),
    secret(
        "appservice.as_token",
        Default::Note("from `registration_file`"),
        "The token with which Towline proves itself to the homeserver.",
    ),
    secret_file("appservice.as_token_file", "A file that holds `as_token`."),
    secret(
        "appservice.hs_token",
        Default::Note("from `registration_file`"),
        "The token with which the homeserver proves itself to Towline.",
    ),
    secret_file("appservice.hs_token_file", "A file that holds `hs_token`."),
    key(
        "appservice.registration_file",
        Kind::File,
        Default::Is("registration.yaml"),
        "The registration that `towline registration` writes. A token that is not given here is read from it.",
    ),
    section("database", "Where Towline keeps rooms, history and its queues."),
    secret(
        "database.url",
        Default::Is("sqlite://towline.db"),
        "`sqlite://` and a file, absolute (three slashes) or relative to this file's folder, or a `postgres://` URL.",
    ),
    secret_file("database.url_file", "A file that holds `url`."),
    key(
        "secret_key_file",
        Kind::File,
        Default::Is("towline.key"),
        "The key that seals passwords and queued messages in the database. Keep a copy of it apart from the \
         database's backups: without it they stay sealed.",
    ),
    key(
        "permissions",
        Kind::Named,
        Default::Required,
        "Who may use Towline. A full Matrix id wins over a server's name, and that over `*`; whoever matches \
         nothing may not. Quote `\"*\"` and ids, as YAML gives `*` and `@` a meaning of their own.",
    ),
    key(
        "permissions.*",
        Kind::Choice(&["none", "user", "admin"]),
        Default::Required,
        "`user` may use the bridge, `admin` may also see and change what belongs to others, `none` is refused.",
    ),
    key(
        "presets",
        Kind::Boolean,
        Default::Is("true"),
        "Whether the built-in networks (see below) are there without being listed under `networks`.",
    ),
    key(
        "networks",
        Kind::Named,
        Default::Note("the presets"),
        "IRC networks, each under its short name of 1 to 24 of `a-z`, `0-9` and `-`, which never changes. Under \
         the short name of a preset, each key given here replaces that key of the preset (`servers` as a whole) \
         and the rest stays.",
    ),
    section("networks.*", "One network."),
    key(
        "networks.*.name",
        Kind::Text,
        Default::Note("the preset's, or the short name"),
        "The name that people see. It must differ from every other network's.",
    ),
    key(
        "networks.*.servers",
        Kind::List,
        Default::Note("the preset's"),
        "The network's servers, tried in turn. Required where there is no preset.",
    ),
    section("networks.*.servers[]", "One server."),
    key("networks.*.servers[].host", Kind::Text, Default::Required, "A host name or an IP address."),
    key(
        "networks.*.servers[].port",
        Kind::Integer(1, 65_535),
        Default::Note("6697 with TLS, 6667 without"),
        "The port.",
    ),
    key("networks.*.servers[].tls", Kind::Boolean, Default::Is("true"), "Whether to connect with TLS."),
    key(
        "networks.*.servers[].ca_file",
        Kind::File,
        Default::Note("the system's authorities"),
        "A PEM file with the authorities that may have signed this server's certificate.",
    ),
    key(
        "networks.*.servers[].verify",
        Kind::Boolean,
        Default::Is("true"),
        "Whether the server's certificate must be valid. Without it, and without a `fingerprint`, passwords are not sent to \
         the server.",
    ),
    key(
        "networks.*.servers[].fingerprint",
        Kind::List,
        Default::Note("none"),
        "The SHA-256 or SHA-512 of the server's certificate, or of its public key, in hexadecimal. With any here, one of \
         them decides, and neither `verify` nor `ca_file` nor the certificate's age.",
    ),
    key("networks.*.servers[].fingerprint[]", Kind::Text, Default::Note(""), "One fingerprint."),
    key(
        "networks.*.nick",
        Kind::Text,
        Default::Note("`templates.nick`"),
        "A template for the nicks that people start with on this network.",
    ),
    key(
        "networks.*.avatar",
        Kind::Text,
        Default::Note("none"),
        "The picture of the network's rooms, an `mxc://` address of an image that the homeserver has.",
    ),
    key(
        "networks.*.allow_private",
        Kind::Boolean,
        Default::Is("false"),
        "Whether the servers may be at addresses that the internet does not route: your own network, this machine.",
    ),
    key(
        "networks.*.bind",
        Kind::List,
        Default::Note("any address of this machine"),
        "The addresses to dial from, at most one of each family; only families that stand here are used. An IPv6 prefix \
         of /32 to /96 gives each person an address of their own, which stays the same.",
    ),
    key(
        "networks.*.bind[]",
        Kind::Text,
        Default::Required,
        "An address, such as `192.0.2.7`, or a prefix, such as `2001:db8:1::/64`.",
    ),
    section(
        "networks.*.proxy",
        "A SOCKS5 proxy to reach the network through, such as Tor. It resolves the names.",
    ),
    key(
        "networks.*.proxy.address",
        Kind::Text,
        Default::Note("no proxy"),
        "Its host and port, such as `127.0.0.1:9050`.",
    ),
    key(
        "networks.*.proxy.user",
        Kind::Text,
        Default::Note("one for each session"),
        "The user name that the proxy wants. Without it each session shows one of its own, so that Tor does not mix them.",
    ),
    secret("networks.*.proxy.password", Default::Note("one for each session"), "The password to `user`."),
    secret_file("networks.*.proxy.password_file", "A file that holds `password`."),
    secret(
        "networks.*.password",
        Default::Note("none"),
        "The password of the server itself, sent as `PASS`.",
    ),
    secret_file("networks.*.password_file", "A file that holds `password`."),
    key(
        "networks.*.charset",
        Kind::Text,
        Default::Is("windows-1252"),
        "How to read what is not UTF-8, as a label of the Encoding Standard. Users choose another with `charset`, and \
         then write in it.",
    ),
    section(
        "networks.*.flood",
        "How fast Towline may send, so that the server does not disconnect it. What a line costs by its bytes and its \
         command is in `docs/operations.md`.",
    ),
    key(
        "networks.*.flood.burst",
        Kind::Integer(1, 1_000),
        Default::Is("5"),
        "How many short lines may go at once after a pause.",
    ),
    key(
        "networks.*.flood.interval_ms",
        Kind::Integer(0, 60_000),
        Default::Is("2000"),
        "The milliseconds between short lines once the burst is spent; long lines and costly commands take longer. 0 for a \
         server that does not limit.",
    ),
    section(
        "networks.*.connections",
        "How fast connections to this network may follow each other, all users together. A network that refuses us for \
         their number makes it slower by itself.",
    ),
    key(
        "networks.*.connections.parallel",
        Kind::Integer(1, 1_000),
        Default::Is("4"),
        "How many may be on their way at once, until the server has taken them.",
    ),
    key(
        "networks.*.connections.interval",
        Kind::Duration(0, 3_600),
        Default::Note(
            "`3s`; with the preset `ircnet`, which bans for ten connections in half a minute, `5s`",
        ),
        "The time between two connections to begin with, a quarter more or less; 0 for a network that does not mind.",
    ),
    key(
        "networks.*.connections.fastest",
        Kind::Duration(0, 3_600),
        Default::Note("`1s`, or `interval` where only that is given"),
        "How short this time may become, little by little, while the network takes every connection.",
    ),
    key(
        "networks.*.plaintext_credentials",
        Kind::Boolean,
        Default::Is("false"),
        "Whether passwords may also be sent to a server without verified TLS. Anyone on the way can read them.",
    ),
    key(
        "networks.*.history",
        Kind::Keep,
        Default::Note("`limits.history`"),
        "How long the history of this network is kept.",
    ),
    section(
        "templates",
        "What things are called on the other side. Those for ids (`ghost`, `alias`) must be settled before first \
         use: ids that exist keep their names.",
    ),
    key(
        "templates.ghost",
        Kind::Text,
        Default::Is("\"irc_{network}_{nick}\""),
        "The localpart of the Matrix user that stands for an IRC nick: a prefix that ends in `_`, `.`, `=`, `/` or \
         `-`, then `{network}`, then a separator that begins with `_`, `.`, `=` or `/`, then `{nick}`.",
    ),
    key(
        "templates.ghost_displayname",
        Kind::Text,
        Default::Is("\"{nick}\""),
        "The display name of such a user. `{nick}` and `{network}`.",
    ),
    key(
        "templates.alias",
        Kind::Text,
        Default::Note("none"),
        "The localpart of the alias of a private room, such as `irc_{user}_{network}_{channel}`; none unless set. \
         A prefix as in `ghost`, then `{user}` and `{network}` in either order, then `{channel}`, with separators \
         that begin with `_`, `.` or `/`.",
    ),
    key(
        "templates.room",
        Kind::Text,
        Default::Is("\"{channel} ({network})\""),
        "The name of a channel's room. `{channel}` and `{network}`.",
    ),
    key(
        "templates.network_room",
        Kind::Text,
        Default::Is("\"{network}\""),
        "The name of a network's room. `{network}`.",
    ),
    key(
        "templates.nick",
        Kind::Text,
        Default::Is("\"{localpart}\""),
        "The nick that a person starts with, where they chose none. `{localpart}` of their Matrix id.",
    ),
    section("limits", "How much Towline takes on."),
    key(
        "limits.inbox_body",
        Kind::Size(8 << 20, 1 << 30),
        Default::Is("16MiB"),
        "The largest request that the homeserver may send. One that is refused is sent again for ever, so it must \
         be above what the homeserver puts into a transaction.",
    ),
    key(
        "limits.sessions_per_user",
        Kind::Integer(1, 10_000),
        Default::Is("20"),
        "How many networks one person may have open.",
    ),
    key(
        "limits.channels_per_session",
        Kind::Integer(1, 10_000),
        Default::Is("500"),
        "How many channels one person may be in on one network.",
    ),
    key(
        "limits.outbox",
        Kind::Integer(100, 1_000_000),
        Default::Is("10000"),
        "How many events may wait for one room while the homeserver is away. What is said beyond it goes to the \
         history only, and one event says so; what mentions you and what is said to you alone always waits.",
    ),
    key(
        "limits.refill",
        Kind::Integer(0, 1_000),
        Default::Is("50"),
        "With how many of its last lines a channel's or conversation's room begins when it is made again; 0 for none. \
         They have their own times and notify nobody.",
    ),
    key(
        "limits.stale_after",
        Kind::Duration(10, YEARS),
        Default::Is("15m"),
        "How old a message from Matrix may be and still be sent to IRC without asking.",
    ),
    key(
        "limits.history",
        Kind::Keep,
        Default::Is("keep"),
        "How long the history is kept, where a network does not say otherwise. People can have it kept shorter, or not \
         at all, for each of their conversations.",
    ),
    section(
        "ident",
        "The answer to servers that ask whose connection it is (RFC 1413): the person's user name on IRC.",
    ),
    key(
        "ident.listen",
        Kind::Text,
        Default::Note("not answered"),
        "The address and port to answer on, such as `0.0.0.0:113`. Sockets that systemd hands over are used without it.",
    ),
    section("log", "What Towline writes to standard error."),
    key(
        "log.level",
        Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
        Default::Is("info"),
        "How much is written.",
    ),
    key("log.format", Kind::Choice(&["text", "json"]), Default::Is("text"), "For people, or for programs."),
];

/// The key at a path of the table.
#[must_use]
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The keys directly within a section; `""` for the whole file.
pub fn within(section: &str) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| match section {
        "" => !key.path.contains('.'),
        _ => key
            .path
            .strip_prefix(section)
            .and_then(|rest| rest.strip_prefix('.'))
            .is_some_and(|name| !name.contains(['.', '[']) && name != "*"),
    })
}

/// The environment variable that can stand for a secret.
#[must_use]
pub fn variable(path: &str) -> String {
    let name = path.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    format!("TOWLINE_{}", name.collect::<String>())
}

/// `docs/configuration.md`.
#[must_use]
pub fn document() -> String {
    let mut text = String::from(INTRODUCTION);
    for key in KEYS.iter().filter(|key| !key.path.contains('.')) {
        if matches!(key.kind, Kind::Section | Kind::Named) {
            let _ = write!(text, "\n## `{}`\n{}\n", key.path, key.doc);
            rows(&mut text, &below(key.path));
        }
    }
    text.push_str("\n## Other keys\n");
    rows(&mut text, &KEYS.iter().filter(|key| is_top_leaf(key)).collect::<Vec<_>>());
    text.push_str(PRESETS);
    for preset in super::presets::PRESETS {
        let servers: Vec<String> =
            preset.servers.iter().map(super::presets::PresetServer::describe).collect();
        let _ = writeln!(text, "| `{}` | {} | {} |", preset.slug, preset.name, servers.join(", "));
    }
    text
}

fn is_top_leaf(key: &Key) -> bool {
    !key.path.contains('.') && !matches!(key.kind, Kind::Section | Kind::Named)
}

fn below(section: &str) -> Vec<&'static Key> {
    KEYS.iter()
        .filter(|key| key.path.strip_prefix(section).is_some_and(|rest| rest.starts_with('.')))
        .collect()
}

fn rows(text: &mut String, keys: &[&Key]) {
    text.push_str("\n| Key | Value | Default | |\n|---|---|---|---|\n");
    for key in keys.iter().filter(|key| key.kind != Kind::Section && !key.path.ends_with("[]")) {
        let default = match key.default {
            Default::Required => "required".to_owned(),
            Default::Is(value) => format!("`{value}`"),
            Default::Note(note) => note.to_owned(),
        };
        let mut doc = key.doc.to_owned();
        if key.secret {
            let name = key.name();
            let _ = write!(doc, " Secret: `{name}`, `{name}_file` or `{}`.", variable_pattern(key.path));
        }
        let _ = writeln!(text, "| `{}` | {} | {default} | {doc} |", key.path, key.kind.describe());
    }
}

fn variable_pattern(path: &str) -> String {
    variable(path).replace("___", "_<NAME>_")
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Written from src/config/schema.rs; a test compares. To write it anew: UPDATE_DOCS=1 cargo test --test it -->

Towline reads one YAML file (`config.yaml`, or what `--config` names). `towline init` writes one, and
`towline check --offline` reads one and says everything that is wrong with it, with path and line. Unknown keys are
refused. `config.example.yaml` shows every key.

- **Only `homeserver.url`, `homeserver.domain` and `permissions` are required.**
- A file's name is relative to the folder of the configuration.
- **Secrets.** A secret can be given in one of three ways, and only one at a time: as `key`; as `key_file`, the name of
  a file that holds it (a line break at its end does not count); or in an environment variable, `TOWLINE_` and the path
  in capitals with `_` for every other character, such as `TOWLINE_APPSERVICE_AS_TOKEN`. An empty variable counts as
  none. A relative `key_file` is looked for in `$CREDENTIALS_DIRECTORY` first, where systemd's `LoadCredential=` puts
  files, then in the folder of the configuration; `secret_key_file` likewise. No secret is taken from the command line.
- YAML here is YAML 1.2: `yes`, `no` and `on` are text.
";

const PRESETS: &str = "
## Presets

These networks are there without being listed, unless `presets` is `false`. People open one by its short name or its
name, in capitals or not. TLS is verified unless the table says otherwise.

| Short name | Name | Servers |
|---|---|---|
";
