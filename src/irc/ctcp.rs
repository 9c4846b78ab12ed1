//! CTCP: what stands between two 0x01 in a message.
//!
//! Only read; the session answers some of it. `ACTION` is a message like any other.
//!
//! Invariant 9: a command word is cut at [`LONGEST_COMMAND`] bytes; the rest is bounded by the line.
//!
//! Spec: draft-oakley-irc-ctcp-02 (modern IRC docs, "CTCP").

/// The longest command word that is passed on.
pub const LONGEST_COMMAND: usize = 32;

/// A CTCP message's command in upper case, and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ctcp<'a> {
    /// `ACTION`, `VERSION`, …
    pub command: String,
    /// What follows.
    pub params: &'a str,
}

impl<'a> Ctcp<'a> {
    /// Reads the text of a `PRIVMSG` or `NOTICE`. The closing 0x01 may be missing, since servers cut long lines.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let body = text.strip_prefix('\x01')?;
        let body = body.split('\x01').next().unwrap_or(body);
        let (command, params) = body.split_once(' ').unwrap_or((body, ""));
        if command.is_empty() {
            return None;
        }
        let command = command.chars().take(LONGEST_COMMAND).collect::<String>().to_ascii_uppercase();
        Some(Self { command, params })
    }

    /// Whether it is `/me`.
    #[must_use]
    pub fn is_action(&self) -> bool {
        self.command == "ACTION"
    }
}

/// How many bytes an action needs beside its text.
pub const ACTION_OVERHEAD: usize = "\x01ACTION \x01".len();

/// The text of an action. Delimiters within are left out: they would end it early.
#[must_use]
pub fn action(text: &str) -> String {
    format!("\x01ACTION {}\x01", without_delimiters(text))
}

/// How many bytes a request needs beside its words.
pub const REQUEST_OVERHEAD: usize = "\x01\x01".len();

/// The text of a request: its command and what follows.
#[must_use]
pub fn request(text: &str) -> String {
    format!("\x01{}\x01", without_delimiters(text))
}

/// A text that no client reads as CTCP: what people write must not become a request in their name.
#[must_use]
pub fn without_delimiters(text: &str) -> String {
    text.chars().filter(|&c| c != '\x01').collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::action("\x01ACTION waves\x01", Some(("ACTION", "waves")))]
    #[case::action_cut_by_the_server("\x01ACTION waves and wav", Some(("ACTION", "waves and wav")))]
    #[case::lower_case("\x01version\x01", Some(("VERSION", "")))]
    #[case::spaces_are_kept("\x01ACTION  two \x01", Some(("ACTION", " two ")))]
    #[case::text_behind_is_ignored("\x01PING 1\x01 and more", Some(("PING", "1")))]
    #[case::plain("hello", None)]
    #[case::not_at_the_start("a \x01VERSION\x01", None)]
    #[case::empty("\x01\x01", None)]
    #[case::only_the_delimiter("\x01", None)]
    fn ctcp_is_read(#[case] text: &str, #[case] expected: Option<(&str, &str)>) {
        let parsed = Ctcp::parse(text);
        assert_eq!(parsed.as_ref().map(|ctcp| (ctcp.command.as_str(), ctcp.params)), expected);
    }

    #[test]
    fn a_command_word_is_bounded() {
        let text = format!("\x01{}\x01", "x".repeat(5000));
        assert_eq!(Ctcp::parse(&text).map(|ctcp| ctcp.command.len()), Some(LONGEST_COMMAND));
    }

    #[test]
    fn an_action_reads_back_and_cannot_be_ended_from_within() {
        let text = action("waves\x01VERSION\x01");
        assert_eq!(Ctcp::parse(&text).map(|ctcp| ctcp.params), Some("wavesVERSION"));
        assert_eq!(text.len(), "wavesVERSION".len() + ACTION_OVERHEAD);
    }
}
