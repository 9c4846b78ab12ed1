//! The one type that may go to the socket: a line that is whole, single and ended.
//!
//! Not a model of what a server accepts, and no judge of length beyond what any server reads.
//!
//! Invariant 3: no [`Line`] holds CR, LF or NUL but for the one CRLF at its end, and no middle parameter is
//! empty, holds a space or begins with a colon. There is no other way to make one than through the checks here.
//!
//! Invariant 10: `Debug` shows what is known to be harmless and nothing else, since passwords travel in `PASS`,
//! `AUTHENTICATE`, `OPER` and in messages to services, and people's words are nobody's log entries.

use std::fmt;

use crate::names::{Channel, Key, Nick};

/// Why a text may not stand in a line. The texts are refused, never mended: a cut message would be a lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// CR, LF or NUL: the server would read a second line, or a shorter one.
    #[error("it holds a line break or a NUL, which IRC does not allow")]
    Control,
    /// A middle parameter, or a text that must say something, has no characters.
    #[error("it is empty")]
    Empty,
    /// A middle parameter holds a space.
    #[error("it holds a space")]
    Space,
    /// A middle parameter begins with a colon.
    #[error("it begins with a colon")]
    Colon,
    /// The line is longer than any server reads.
    #[error("it is longer than {LONGEST} bytes")]
    TooLong,
}

/// The longest line that any server takes, tags aside: Ergo's largest `LINELEN` is below it.
const LONGEST: usize = 8191;

/// A line to IRC, with its CRLF.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    text: Box<str>,
    /// Its bytes are those of `text`, whatever the charset of the network.
    is_utf_8: bool,
}

/// A name that was checked when it was made, and so may stand as a middle parameter as it is.
pub trait Middle: sealed::Sealed {
    /// The name's text.
    fn text(&self) -> &str;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! middle {
    ($($name:ty),*) => {$(
        impl sealed::Sealed for $name {}
        impl Middle for $name {
            fn text(&self) -> &str {
                self.as_str()
            }
        }
    )*};
}
middle!(Nick, Channel, Key);

/// A line in the making.
#[derive(Clone)]
pub struct LineBuilder(String);

impl Line {
    /// Begins a line. What is not a letter or digit in the verb is left out.
    #[expect(clippy::new_ret_no_self, reason = "a line without an end is not a Line")]
    pub fn new(verb: &'static str) -> LineBuilder {
        LineBuilder(verb.chars().filter(char::is_ascii_alphanumeric).collect())
    }

    /// Takes a line that a user typed as it is.
    pub fn raw(text: &str) -> Result<Self, WireError> {
        check_text(text)?;
        if text.trim_matches(' ').is_empty() {
            return Err(WireError::Empty);
        }
        LineBuilder(text.to_owned()).checked()
    }

    /// The same line, written in UTF-8 in every charset: for secrets, of which no other bytes are the same secret.
    #[must_use]
    pub(crate) fn in_utf_8(self) -> Self {
        Self { is_utf_8: true, ..self }
    }

    /// Whether it is written in UTF-8 in every charset.
    #[must_use]
    pub(crate) fn is_utf_8(&self) -> bool {
        self.is_utf_8
    }

    /// The line's bytes, CRLF included.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The line's text, without its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.text.trim_end_matches("\r\n")
    }

    /// How many bytes it has on the wire.
    #[must_use]
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// The same line with a label, for `labeled-response`. Tags have a limit of their own, so the line's text may
    /// be as long as without it. A label is letters and digits; what else is in it is left out.
    #[must_use]
    pub(crate) fn labelled(&self, label: &str) -> Self {
        let label: String = label.chars().filter(char::is_ascii_alphanumeric).collect();
        self.tagged(&[("label", &label)])
    }

    /// The same line with tags. Their keys are ours; their values, which may come from elsewhere, are escaped, so
    /// that none of them ends the tag or the line (`IRCv3` "Message Tags", "Escaping values").
    #[must_use]
    pub(crate) fn tagged(&self, tags: &[(&'static str, &str)]) -> Self {
        let mut text = String::new();
        for (key, value) in tags {
            text.push(if text.is_empty() { '@' } else { ';' });
            text.push_str(key);
            if !value.is_empty() {
                text.push('=');
                escape_into(&mut text, value);
            }
        }
        if text.is_empty() {
            return self.clone();
        }
        text.push(' ');
        text.push_str(&self.text);
        Self { text: text.into(), is_utf_8: self.is_utf_8 }
    }

    /// A line is never empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Verb (upper case) and parameters' text, after tags and source that a user may have typed.
    fn parts(&self) -> (String, &str) {
        let mut rest = self.as_str().trim_start_matches(' ');
        while rest.starts_with(['@', ':']) {
            rest = rest.split_once(' ').map_or("", |(_, after)| after.trim_start_matches(' '));
        }
        let (verb, params) = rest.split_once(' ').unwrap_or((rest, ""));
        (verb.to_ascii_uppercase(), params.trim_start_matches(' '))
    }

    /// The command's word, in upper case.
    #[must_use]
    pub fn verb(&self) -> String {
        self.parts().0
    }

    /// The first parameter, if there is one.
    #[must_use]
    pub fn first_param(&self) -> Option<&str> {
        let (_, params) = self.parts();
        let first = match params.strip_prefix(':') {
            Some(trailing) => trailing,
            None => params.split(' ').next().unwrap_or(""),
        };
        (!first.is_empty()).then_some(first)
    }
}

impl LineBuilder {
    /// Adds a middle parameter.
    pub fn middle(self, text: &str) -> Result<Self, WireError> {
        check_text(text)?;
        if text.is_empty() {
            return Err(WireError::Empty);
        }
        if text.contains(' ') {
            return Err(WireError::Space);
        }
        if text.starts_with(':') {
            return Err(WireError::Colon);
        }
        Ok(self.push(text))
    }

    /// Adds a name, which needs no check any more.
    #[must_use]
    pub fn name(self, name: &impl Middle) -> Self {
        self.push(name.text())
    }

    /// Adds a middle parameter of our own making: a word of the protocol, base64. What would break the line is
    /// left out, so that not even a mistake in this crate can.
    #[must_use]
    pub(crate) fn name_literal(self, word: &str) -> Self {
        let word: String = word.chars().filter(|c| !matches!(c, '\r' | '\n' | '\0' | ' ')).collect();
        let word = word.trim_start_matches(':');
        if word.is_empty() { self } else { self.push(word) }
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        self.push(&number.to_string())
    }

    /// Adds the last parameter, which may hold spaces or nothing, and ends the line.
    pub fn trailing(mut self, text: &str) -> Result<Line, WireError> {
        check_text(text)?;
        self.0.push_str(" :");
        self.0.push_str(text);
        self.checked()
    }

    /// Ends the line after its middle parameters.
    #[must_use]
    pub fn finish(mut self) -> Line {
        self.0.push_str("\r\n");
        Line { text: self.0.into(), is_utf_8: false }
    }

    fn push(mut self, text: &str) -> Self {
        self.0.push(' ');
        self.0.push_str(text);
        self
    }

    fn checked(self) -> Result<Line, WireError> {
        if self.0.len() + 2 > LONGEST { Err(WireError::TooLong) } else { Ok(self.finish()) }
    }
}

fn escape_into(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            ';' => text.push_str("\\:"),
            ' ' => text.push_str("\\s"),
            '\\' => text.push_str("\\\\"),
            '\r' => text.push_str("\\r"),
            '\n' => text.push_str("\\n"),
            '\0' => {}
            character => text.push(character),
        }
    }
}

fn check_text(text: &str) -> Result<(), WireError> {
    if text.contains(['\r', '\n', '\0']) { Err(WireError::Control) } else { Ok(()) }
}

/// A copy without what no line may hold, for texts that are ours or the operator's and had better be sent
/// shortened than not at all: real names, quit and part reasons.
pub(crate) fn without_controls(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\r' | '\n' | '\0')).collect()
}

impl Line {
    /// `PING :token`.
    pub(crate) fn ping(token: &str) -> Self {
        Self::with_text(Self::new("PING"), token)
    }

    /// `PONG :token`, the answer to the server's `PING`.
    pub(crate) fn pong(token: &str) -> Self {
        Self::with_text(Self::new("PONG"), token)
    }

    /// `QUIT :reason`.
    pub fn quit(reason: &str) -> Self {
        Self::with_text(Self::new("QUIT"), reason)
    }

    /// `NICK nick`.
    #[must_use]
    pub fn nick(nick: &Nick) -> Self {
        Self::new("NICK").name(nick).finish()
    }

    /// `PART #channel :reason`.
    #[must_use]
    pub fn part(channel: &Channel, reason: &str) -> Self {
        let line = Self::new("PART").name(channel);
        if reason.is_empty() { line.finish() } else { Self::with_text(line, reason) }
    }

    /// `TOPIC #channel :topic`.
    pub fn topic(channel: &Channel, topic: &str) -> Result<Self, WireError> {
        Self::new("TOPIC").name(channel).trailing(topic)
    }

    /// `INVITE nick #channel`.
    #[must_use]
    pub fn invite(nick: &Nick, channel: &Channel) -> Self {
        Self::new("INVITE").name(nick).name(channel).finish()
    }

    /// `KICK #channel nick :reason`.
    pub fn kick(channel: &Channel, nick: &Nick, reason: &str) -> Result<Self, WireError> {
        Self::new("KICK").name(channel).name(nick).trailing(reason)
    }

    /// `AWAY :reason`, or `AWAY` alone to be back.
    pub fn away(reason: Option<&str>) -> Result<Self, WireError> {
        match reason {
            Some(reason) => Self::new("AWAY").trailing(reason),
            None => Ok(Self::new("AWAY").finish()),
        }
    }

    /// `WHOIS nick`.
    #[must_use]
    pub fn whois(nick: &Nick) -> Self {
        Self::new("WHOIS").name(nick).finish()
    }

    /// `NAMES #channel`.
    #[must_use]
    pub fn names(channel: &Channel) -> Self {
        Self::new("NAMES").name(channel).finish()
    }

    /// A line whose last parameter is cut and cleaned rather than refused.
    pub(crate) fn with_text(mut builder: LineBuilder, text: &str) -> Self {
        let mut text = without_controls(text);
        let mut end = text.len().min(LONGEST.saturating_sub(builder.0.len() + 4));
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        builder.0.push_str(" :");
        builder.0.push_str(&text);
        builder.finish()
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, params) = self.parts();
        let first = params.split(' ').next().unwrap_or("");
        match verb.as_str() {
            // Nothing in these is secret or private.
            "PING" | "PONG" | "CAP" | "NICK" | "USER" | "WHO" | "WHOIS" | "NAMES" | "INVITE" | "LIST" => {
                write!(f, "Line({verb} {params})")
            }
            // A recipient, a channel, then what is not ours to show (words, keys).
            "PRIVMSG" | "NOTICE" | "JOIN" | "PART" | "TOPIC" | "KICK" | "MODE" => {
                write!(f, "Line({verb} {first} .. {} bytes)", self.len())
            }
            // `AUTHENTICATE *` and `raw NS IDENTIFY hunter2` alike: the word is known to be no secret.
            _ if verb.bytes().all(|b| b.is_ascii_alphanumeric()) && verb.len() <= 20 => {
                write!(f, "Line({verb} .. {} bytes)", self.len())
            }
            _ => write!(f, "Line(.. {} bytes)", self.len()),
        }
    }
}

impl fmt::Debug for LineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LineBuilder(..)")
    }
}
