//! The registration: the file that tells a homeserver about Towline (Matrix application service API, "Registration").
//!
//! Pure: text in, text out. It is written from a template and not by a YAML crate, because Synapse reads YAML 1.1,
//! where an unquoted `no`, `on`, `1_000` or `3:25` is no text: here every text is in double quotes.
//!
//! Invariant: the regular expressions are anchored at both ends, name the server, and escape what they take from the
//! configuration, since homeservers differ in what they anchor themselves (Synapse the start, the others nothing).

use std::fmt::Write as _;

use base64::Engine as _;
use secrecy::{ExposeSecret, SecretString};
use serde_yaml::Value;

/// For which homeserver a registration is written: they read the same keys and want the file in different places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Flavour {
    /// Synapse.
    #[default]
    Synapse,
    /// Conduit and its descendants: tuwunel, continuwuity.
    Conduit,
    /// Dendrite.
    Dendrite,
}

impl Flavour {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Synapse, Self::Conduit, Self::Dendrite];

    /// The word for it on the command line and in file names.
    pub fn word(self) -> &'static str {
        match self {
            Self::Synapse => "synapse",
            Self::Conduit => "conduit",
            Self::Dendrite => "dendrite",
        }
    }

    /// What to do with the file, as lines of prose.
    pub fn instructions(self) -> &'static [&'static str] {
        match self {
            Self::Synapse => &[
                "Put this file where Synapse can read it, name it in homeserver.yaml, and restart Synapse:",
                "  app_service_config_files:",
                "    - /etc/matrix-synapse/towline-registration.yaml",
            ],
            Self::Conduit => &[
                "In the server's admin room, send one message: the command, and this file in a code block below it.",
                "  Conduit:               @conduit:your.server: register-appservice",
                "  tuwunel, continuwuity: !admin appservices register",
                "It takes effect at once. After a change, send it again.",
            ],
            Self::Dendrite => &[
                "Put this file where Dendrite can read it, name it in dendrite.yaml, and restart Dendrite:",
                "  app_service_api:",
                "    config_files:",
                "      - /etc/dendrite/towline-registration.yaml",
                "Dendrite sends no typing notices or receipts to application services, and has no ping.",
            ],
        }
    }
}

/// What Towline claims on a homeserver.
#[derive(Debug, Clone, Copy)]
pub struct Claims<'a> {
    /// The registration's id, which never changes.
    pub id: &'a str,
    /// The bot's localpart.
    pub bot: &'a str,
    /// What the homeserver calls.
    pub url: &'a str,
    /// The homeserver's name.
    pub domain: &'a str,
    /// What ghosts' localparts begin with.
    pub ghost_prefix: &'a str,
    /// What aliases' localparts begin with.
    pub alias_prefix: &'a str,
    /// What the localparts of shared rooms' aliases begin with, where there are any.
    pub shared_alias_prefix: Option<&'a str>,
}

/// A registration.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Its id.
    pub id: String,
    /// What the homeserver calls; `None` where it is to send nothing.
    pub url: Option<String>,
    /// Towline's token.
    pub as_token: SecretString,
    /// The homeserver's token.
    pub hs_token: SecretString,
    /// The bot's localpart.
    pub bot: String,
    /// The regular expressions of users, all exclusive.
    pub users: Vec<String>,
    /// The regular expressions of aliases, all exclusive.
    pub aliases: Vec<String>,
    /// Whether the homeserver holds up what comes too fast.
    pub rate_limited: bool,
    /// Whether it is to tell who types and what is read.
    pub ephemeral: bool,
}

/// Why a text is no registration. No message holds a value of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// It is not YAML, or no mapping.
    #[error("it is no valid YAML")]
    Syntax,
    /// A key is missing or not text.
    #[error("`{0}` is missing or no text")]
    Missing(&'static str),
    /// A key of a namespace is missing.
    #[error("`namespaces.{0}` is not a list of regular expressions")]
    Namespace(&'static str),
}

impl Registration {
    /// A registration for these claims, with tokens that exist.
    pub fn new(claims: &Claims<'_>, as_token: SecretString, hs_token: SecretString) -> Self {
        let domain = escape(claims.domain);
        let bot = format!("^@{}:{domain}$", escape(claims.bot));
        let ghosts = format!("^@{}.+:{domain}$", escape(claims.ghost_prefix));
        let shared = claims.shared_alias_prefix.filter(|shared| !shared.starts_with(claims.alias_prefix));
        let aliases = [claims.alias_prefix].into_iter().chain(shared);
        Self {
            id: claims.id.to_owned(),
            url: Some(claims.url.to_owned()),
            as_token,
            hs_token,
            bot: claims.bot.to_owned(),
            users: vec![bot, ghosts],
            aliases: aliases.map(|prefix| format!("^#{}.+:{domain}$", escape(prefix))).collect(),
            rate_limited: false,
            ephemeral: true,
        }
    }

    /// A registration for these claims, with two new tokens of 256 bits.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn generate<E>(
        claims: &Claims<'_>,
        random: &mut dyn FnMut(&mut [u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        Ok(Self::new(claims, token(random)?, token(random)?))
    }

    /// Reads a registration, as Towline or someone else wrote it.
    pub fn read(text: &str) -> Result<Self, RegistrationError> {
        let document: Value = serde_yaml::from_str(text).map_err(|_| RegistrationError::Syntax)?;
        if !document.is_mapping() {
            return Err(RegistrationError::Syntax);
        }
        let text = |key: &'static str| {
            let value = document.get(key).and_then(Value::as_str);
            value.map(str::to_owned).ok_or(RegistrationError::Missing(key))
        };
        let namespace = |kind: &'static str| {
            let entries = document.get("namespaces").and_then(|namespaces| namespaces.get(kind));
            let regex = |entry: &Value| entry.get("regex").and_then(Value::as_str).map(str::to_owned);
            match entries {
                None | Some(Value::Null) => Ok(Vec::new()),
                Some(Value::Sequence(list)) => {
                    list.iter().map(regex).collect::<Option<_>>().ok_or(RegistrationError::Namespace(kind))
                }
                Some(_) => Err(RegistrationError::Namespace(kind)),
            }
        };
        Ok(Self {
            id: text("id")?,
            url: document.get("url").and_then(Value::as_str).map(str::to_owned),
            as_token: text("as_token")?.into(),
            hs_token: text("hs_token")?.into(),
            bot: text("sender_localpart")?,
            users: namespace("users")?,
            aliases: namespace("aliases")?,
            rate_limited: document.get("rate_limited").and_then(Value::as_bool).unwrap_or(true),
            ephemeral: ["receive_ephemeral", "de.sorunome.msc2409.push_ephemeral"]
                .into_iter()
                .all(|key| document.get(key).and_then(Value::as_bool).unwrap_or(false)),
        })
    }

    /// The file, every scalar that is text in double quotes.
    pub fn to_yaml(&self, flavour: Flavour) -> String {
        let mut text = String::from(
            "# Towline's registration. It holds two secrets: keep it readable only to the homeserver and Towline.\n",
        );
        for line in flavour.instructions() {
            let _ = writeln!(text, "# {line}");
        }
        text.push_str(
            "# Written by `towline registration`, which keeps the id and the tokens and renews the rest.\n\n",
        );
        let _ = writeln!(text, "id: {}", quoted(&self.id));
        let url = self.url.as_deref().map_or_else(|| "null".to_owned(), quoted);
        let _ = writeln!(text, "url: {url}");
        let _ = writeln!(text, "as_token: {}", quoted(self.as_token.expose_secret()));
        let _ = writeln!(text, "hs_token: {}", quoted(self.hs_token.expose_secret()));
        let _ = writeln!(text, "sender_localpart: {}", quoted(&self.bot));
        text.push_str("namespaces:\n");
        for (kind, expressions) in [("users", &self.users), ("aliases", &self.aliases)] {
            if expressions.is_empty() {
                let _ = writeln!(text, "  {kind}: []");
                continue;
            }
            let _ = writeln!(text, "  {kind}:");
            for expression in expressions {
                let _ = writeln!(text, "    - regex: {}\n      exclusive: true", quoted(expression));
            }
        }
        text.push_str("  rooms: []\n");
        text.push_str("# Without this, people would be held up in busy channels.\n");
        let _ = writeln!(text, "rate_limited: {}", self.rate_limited);
        text.push_str("protocols: [\"irc\"]\n");
        text.push_str("# Typing notices and receipts; homeservers know the key by its old name, its new one, or both.\n");
        for key in ["receive_ephemeral", "de.sorunome.msc2409.push_ephemeral"] {
            let _ = writeln!(text, "{key}: {}", self.ephemeral);
        }
        text
    }

    /// In what this registration differs from another, key by key; nothing where they say the same.
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let same = |a: &SecretString, b: &SecretString| a.expose_secret() == b.expose_secret();
        let table = [
            ("id", self.id == other.id),
            ("url", self.url == other.url),
            ("as_token", same(&self.as_token, &other.as_token)),
            ("hs_token", same(&self.hs_token, &other.hs_token)),
            ("sender_localpart", self.bot == other.bot),
            ("namespaces.users", self.users == other.users),
            ("namespaces.aliases", self.aliases == other.aliases),
            ("rate_limited", self.rate_limited == other.rate_limited),
            ("receive_ephemeral", self.ephemeral == other.ephemeral),
        ];
        table.into_iter().filter(|(_, equal)| !equal).map(|(key, _)| key).collect()
    }
}

/// A token that nobody can guess: 256 bits.
///
/// # Errors
/// When the source of randomness fails.
pub fn token<E>(random: &mut dyn FnMut(&mut [u8]) -> Result<(), E>) -> Result<SecretString, E> {
    let mut bytes = [0; 32];
    random(&mut bytes)?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes).into())
}

/// A text as a regular expression that matches only it, in every dialect that homeservers use: Python's, Rust's and
/// Go's, which agree on these characters.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// A YAML scalar in double quotes that every YAML parser, 1.1 and 1.2, reads as this text.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            // Some of what is left would be a line break or no character at all to a YAML 1.1 reader.
            '\0'..='\u{ff}' => write_escape(&mut quoted, 'x', 2, c),
            '\u{100}'..='\u{ffff}' => write_escape(&mut quoted, 'u', 4, c),
            _ => write_escape(&mut quoted, 'U', 8, c),
        }
    }
    quoted.push('"');
    quoted
}

fn write_escape(text: &mut String, letter: char, width: usize, c: char) {
    let _ = write!(text, "\\{letter}{:0width$x}", u32::from(c));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CLAIMS: Claims<'_> = Claims {
        id: "towline",
        bot: "towline",
        url: "http://127.0.0.1:9009",
        domain: "example.org",
        ghost_prefix: "irc_",
        alias_prefix: "irc_",
        shared_alias_prefix: None,
    };

    fn counting() -> impl FnMut(&mut [u8]) -> Result<(), ()> {
        let mut next = 0;
        move |buffer| {
            next += 1;
            buffer.fill(next);
            Ok(())
        }
    }

    #[test]
    fn a_registration_is_written_with_every_text_quoted() {
        let registration = Registration::generate(&CLAIMS, &mut counting()).unwrap();
        let text = registration.to_yaml(Flavour::Synapse);
        let body: Vec<_> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        insta::assert_snapshot!(body.join("\n"), @r#"
        id: "towline"
        url: "http://127.0.0.1:9009"
        as_token: "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"
        hs_token: "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI"
        sender_localpart: "towline"
        namespaces:
          users:
            - regex: "^@towline:example\\.org$"
              exclusive: true
            - regex: "^@irc_.+:example\\.org$"
              exclusive: true
          aliases:
            - regex: "^#irc_.+:example\\.org$"
              exclusive: true
          rooms: []
        rate_limited: false
        protocols: ["irc"]
        receive_ephemeral: true
        de.sorunome.msc2409.push_ephemeral: true
        "#);
    }

    #[test]
    fn the_tokens_have_256_bits_and_differ() {
        let registration = Registration::generate(&CLAIMS, &mut counting()).unwrap();
        let bytes = |token: &SecretString| {
            base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.expose_secret()).unwrap()
        };
        assert_eq!((bytes(&registration.as_token).len(), bytes(&registration.hs_token).len()), (32, 32));
        assert_ne!(bytes(&registration.as_token), bytes(&registration.hs_token));
    }

    #[test]
    fn the_namespaces_match_our_ids_and_no_one_elses() {
        let claims = Claims { ghost_prefix: "_irc.", alias_prefix: "irc=", bot: "tow.line", ..CLAIMS };
        let registration = Registration::generate(&claims, &mut counting()).unwrap();
        let matches = |list: &[String], id: &str| {
            // As Dendrite and the Conduits do: the expression is searched for anywhere.
            list.iter().any(|expression| regex::Regex::new(expression).unwrap().is_match(id))
        };
        let table = [
            ("@tow.line:example.org", true),
            ("@_irc.libera_nick:example.org", true),
            ("@towxline:example.org", false),
            ("@_ircxlibera_nick:example.org", false),
            ("@_irc.:example.org", false),
            ("@x_irc.libera_nick:example.org", false),
            ("@_irc.libera_nick:exampleXorg", false),
            ("@_irc.libera_nick:example.org.evil.org", false),
            ("x@_irc.libera_nick:example.org", false),
        ];
        for (id, expected) in table {
            assert_eq!(matches(&registration.users, id), expected, "{id}");
        }
        assert!(matches(&registration.aliases, "#irc=libera:example.org"));
        assert!(!matches(&registration.aliases, "#_irc.libera:example.org"));
    }

    #[test]
    fn the_aliases_of_shared_rooms_are_claimed_where_there_are_any_and_once() {
        for (shared, expected) in [(None, 1), (Some("irc_s_"), 1), (Some("chat_"), 2)] {
            let claims = Claims { shared_alias_prefix: shared, ..CLAIMS };
            let registration = Registration::generate(&claims, &mut counting()).unwrap();
            assert_eq!(registration.aliases.len(), expected, "{shared:?}");
            let alias = format!("#{}libera_#rust:example.org", shared.unwrap_or("irc_"));
            let matches = |regex: &String| regex::Regex::new(regex).unwrap().is_match(&alias);
            assert!(registration.aliases.iter().any(matches), "{alias}");
        }
    }

    #[test]
    fn an_address_as_the_servers_name_is_escaped() {
        let claims = Claims { domain: "[::1]:8448", ..CLAIMS };
        let registration = Registration::generate(&claims, &mut counting()).unwrap();
        assert_eq!(registration.users[0], r"^@towline:\[::1\]:8448$");
        assert!(regex::Regex::new(&registration.users[0]).unwrap().is_match("@towline:[::1]:8448"));
    }

    #[test]
    fn a_registration_differs_by_name_of_key_and_never_by_value() {
        let ours = Registration::generate(&CLAIMS, &mut counting()).unwrap();
        let claims = Claims { url: "http://elsewhere:1", ghost_prefix: "i_", ..CLAIMS };
        let theirs = Registration::new(&claims, "other".into(), ours.hs_token.clone());
        assert_eq!(ours.differences(&theirs), ["url", "as_token", "namespaces.users"]);
        let text = ours.to_yaml(Flavour::Synapse);
        for (key, wrong) in [
            ("rate_limited", text.replace("rate_limited: false", "rate_limited: true")),
            ("rate_limited", text.replace("rate_limited: false\n", "")),
            ("receive_ephemeral", text.replace("\nreceive_ephemeral: true", "\nreceive_ephemeral: false")),
            ("receive_ephemeral", text.replace("de.sorunome.msc2409.push_ephemeral: true\n", "")),
        ] {
            assert_eq!(ours.differences(&Registration::read(&wrong).unwrap()), [key], "{wrong}");
        }
        assert!(ours.differences(&ours).is_empty());
        assert!(!format!("{theirs:?}").contains("other"));
    }

    #[test]
    fn what_is_no_registration_is_refused_without_its_values() {
        let table = [
            ("- a", RegistrationError::Syntax),
            ("a: [", RegistrationError::Syntax),
            ("id: x\nas_token: 5\nhs_token: b\nsender_localpart: c", RegistrationError::Missing("as_token")),
            (
                "{id: x, as_token: a, hs_token: b, sender_localpart: c, namespaces: {users: 7}}",
                RegistrationError::Namespace("users"),
            ),
        ];
        for (text, error) in table {
            assert_eq!(Registration::read(text).unwrap_err(), error, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(id in ".*", token in "\\PC*", flavour in 0_usize..3) {
            let claims = Claims { id: &id, ..CLAIMS };
            let written = Registration::new(&claims, token.clone().into(), format!("{token}2").into());
            let text = written.to_yaml(Flavour::ALL[flavour]);
            prop_assert!(text.is_ascii());
            let read = Registration::read(&text).unwrap();
            prop_assert_eq!(written.differences(&read), Vec::<&str>::new());
        }
    }
}
