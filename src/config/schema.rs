//! Every key of the configuration: its type, its default and what it is for.
//!
//! One table, in `keys`. The loader checks a file against it and takes the defaults from it, `docs/configuration.md` is
//! written from it, and a test holds `config.example.yaml` against it, so none of them can say something else.

mod keys;

use std::fmt::Write as _;

pub use keys::keys;

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
    /// A length of time in whole seconds, or with a unit, which may be milliseconds; between the two, in milliseconds.
    Pace(u64, u64),
    /// A number of bytes, or with a unit; between the two, in bytes.
    Size(u64, u64),
    /// `keep`, or a number of days.
    Keep,
    /// A word or a whole number.
    Setting,
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
            Self::Pace(least, most) => {
                let (least, most) = (time(least / 1_000), time(most / 1_000));
                format!("a time from {least} to {most}, such as 3, 250ms or 1m")
            }
            Self::Size(least, most) => format!("a size from {} to {}", size(least), size(most)),
            Self::Keep => "`keep` or a number of days, such as 90 or 90d".to_owned(),
            Self::Setting => "a word or a number".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
        }
    }
}

pub(super) fn time(seconds: u64) -> String {
    match seconds {
        s if s >= 86_400 && s.is_multiple_of(86_400) => format!("{}d", s / 86_400),
        s if s >= 3_600 && s.is_multiple_of(3_600) => format!("{}h", s / 3_600),
        s if s >= 60 && s.is_multiple_of(60) => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

pub(super) fn size(bytes: u64) -> String {
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

/// The key at a path of the table.
#[must_use]
pub fn find(path: &str) -> Option<&'static Key> {
    keys().find(|key| key.path == path)
}

/// The keys directly within a section; `""` for the whole file.
pub fn within(section: &str) -> impl Iterator<Item = &'static Key> {
    keys().filter(move |key| match section {
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
    for key in keys().filter(|key| !key.path.contains('.')) {
        if matches!(key.kind, Kind::Section | Kind::Named) {
            let _ = write!(text, "\n## `{}`\n{}\n", key.path, key.doc);
            rows(&mut text, &below(key.path));
        }
    }
    text.push_str("\n## Other keys\n");
    rows(&mut text, &keys().filter(|key| is_top_leaf(key)).collect::<Vec<_>>());
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
    keys().filter(|key| key.path.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'))).collect()
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
