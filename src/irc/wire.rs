//! The wire format: one decoded line in, (tags, source, verb, parameters) out.
//!
//! Not a model of commands: what a verb or numeric means is the session's business, with `ISUPPORT` at hand.
//! Not the framing either, which is [`codec`](super::codec). What goes out is a [`Line`], in `wire/line.rs`.
//!
//! Parsing is lenient, as servers are sloppy: runs of spaces count as one, unknown escapes lose their backslash,
//! of equal tags the last stays. It never panics, whatever the text.
//!
//! Spec: RFC 1459 section 2.3, modern IRC docs "Message Format", `IRCv3` "Message Tags".

mod line;
pub(crate) use line::without_controls;
pub use line::{Line, LineBuilder, Middle, WireError};

use std::fmt;

/// What a message says: a numeric reply or a command word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// Exactly three digits on the wire.
    Numeric(u16),
    /// Any other word, in upper case.
    Word(Box<str>),
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numeric(code) => write!(f, "{code:03}"),
            Self::Word(word) => f.write_str(word),
        }
    }
}

/// Who sent a message: a nick, with user and host where the server tells them, or a server's name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// The nick, or the server's name.
    pub nick: String,
    /// The user name ("ident").
    pub user: Option<String>,
    /// The host, or what the network shows in its place.
    pub host: Option<String>,
}

impl Source {
    /// Splits `nick!user@host`. The user ends at the last `@`, since hosts have none and user names may.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (rest, host) = match text.rsplit_once('@') {
            Some((rest, host)) => (rest, Some(host.to_owned())),
            None => (text, None),
        };
        let (nick, user) = match rest.split_once('!') {
            Some((nick, user)) => (nick, Some(user.to_owned())),
            None => (rest, None),
        };
        Self { nick: nick.to_owned(), user, host }
    }

    /// A guess whether this is a server: no user or host, and a dot in the name. For display only: a nick may
    /// hold a dot on some networks, and a server none, so nothing about identity or rights may rest on it.
    #[must_use]
    pub fn is_server(&self) -> bool {
        self.user.is_none() && self.host.is_none() && (self.nick.contains('.') || self.nick.is_empty())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.nick)?;
        if let Some(user) = &self.user {
            write!(f, "!{user}")?;
        }
        if let Some(host) = &self.host {
            write!(f, "@{host}")?;
        }
        Ok(())
    }
}

/// A message as the server sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The tags, each key once, values unescaped. A tag without a value has an empty one.
    pub tags: Vec<(Box<str>, Box<str>)>,
    /// The sender; none means the server at the other end of the connection.
    pub source: Option<Source>,
    /// The command or numeric.
    pub verb: Verb,
    /// All parameters, the trailing one included.
    pub params: Vec<String>,
}

impl Message {
    /// Reads one decoded line, with or without its line end. `None` when there is no verb in it.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let mut rest = line.trim_end_matches(['\r', '\n']).trim_start_matches(' ');
        let mut tags = Vec::new();
        if let Some(tagged) = rest.strip_prefix('@') {
            let (text, after) = word(tagged);
            tags = parse_tags(text);
            rest = after;
        }
        let mut source = None;
        if let Some(sourced) = rest.strip_prefix(':') {
            let (text, after) = word(sourced);
            source = Some(Source::parse(text));
            rest = after;
        }
        let (verb, mut rest) = word(rest);
        if verb.is_empty() {
            return None;
        }
        let mut params = Vec::new();
        while !rest.is_empty() {
            if let Some(trailing) = rest.strip_prefix(':') {
                params.push(trailing.to_owned());
                break;
            }
            let (param, after) = word(rest);
            params.push(param.to_owned());
            rest = after;
        }
        Some(Self { tags, source, verb: parse_verb(verb), params })
    }

    /// The parameter at this place, or the empty text.
    #[must_use]
    pub fn param(&self, index: usize) -> &str {
        self.params.get(index).map_or("", String::as_str)
    }

    /// The value of a tag.
    #[must_use]
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|(name, _)| &**name == key).map(|(_, value)| &**value)
    }

    /// The message's id, where the server gives ids.
    #[must_use]
    pub fn msgid(&self) -> Option<&str> {
        self.tag("msgid").filter(|id| !id.is_empty())
    }

    /// When the server says the message was sent, in milliseconds since 1970 (`server-time`).
    #[must_use]
    pub fn server_time(&self) -> Option<i64> {
        self.tag("time")?.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
    }

    /// The sender's account (`account-tag`).
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.tag("account").filter(|account| !account.is_empty() && *account != "*")
    }

    /// The label of the command that this answers (`labeled-response`).
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.tag("label")
    }

    /// The reference of the batch that this belongs to.
    #[must_use]
    pub fn batch(&self) -> Option<&str> {
        self.tag("batch")
    }
}

/// The first word, and what stands after the spaces behind it.
fn word(text: &str) -> (&str, &str) {
    match text.split_once(' ') {
        Some((word, rest)) => (word, rest.trim_start_matches(' ')),
        None => (text, ""),
    }
}

fn parse_verb(text: &str) -> Verb {
    match text.as_bytes() {
        &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_digit) => {
            Verb::Numeric(u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0'))
        }
        _ => Verb::Word(text.to_ascii_uppercase().into()),
    }
}

/// More tags than any server sends; the cap keeps the search for equal keys from being quadratic.
const MOST_TAGS: usize = 64;

fn parse_tags(text: &str) -> Vec<(Box<str>, Box<str>)> {
    let mut tags: Vec<(Box<str>, Box<str>)> = Vec::new();
    for tag in text.split(';').filter(|tag| !tag.is_empty()) {
        let (key, value) = tag.split_once('=').unwrap_or((tag, ""));
        let value = unescape(value).into();
        if let Some(known) = tags.iter_mut().find(|(name, _)| &**name == key) {
            known.1 = value;
        } else if tags.len() < MOST_TAGS {
            tags.push((key.into(), value));
        }
    }
    tags
}

fn unescape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some(':') => text.push(';'),
            Some('s') => text.push(' '),
            Some('r') => text.push('\r'),
            Some('n') => text.push('\n'),
            Some(other) => text.push(other),
            None => {}
        }
    }
    text
}

#[cfg(test)]
mod tests;
