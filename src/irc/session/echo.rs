//! Echoes: our own messages as the server shows them to us.
//!
//! What we say to ourselves comes twice, once as to others and once as the echo: one of the two is told ([`Copies`]).
//!
//! Without labels an echo can only be told from what another client of the same nick said (behind a bouncer) by
//! comparing it with what is on its way. Servers change a text: they take colours out and cut what is too long.
//!
//! Spec: `IRCv3` "echo-message"; modern IRC docs "IRC Formatting".

use std::fmt;
use std::time::{Duration, Instant};

use crate::irc::wire::{Line, Message};

use super::Session;
use super::event::{Event, MessageId};
use super::multiline::Joins;

/// The two copies of what we say to ourselves come as close together as this, …
const TOGETHER: Duration = Duration::from_secs(5);
/// … or as this, where their ids tell that they are one message.
const TOGETHER_BY_ID: Duration = Duration::from_mins(1);

/// What is compared: the command, and the text without formatting.
#[derive(PartialEq, Eq)]
pub(super) struct Echo {
    notice: bool,
    text: Box<str>,
}

/// Invariant 10: people's words, and passwords for services, are in here.
impl fmt::Debug for Echo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Echo(.. {} bytes)", self.text.len())
    }
}

impl Echo {
    pub(super) fn new(notice: bool, text: &str) -> Self {
        Self { notice, text: without_formatting(text).into() }
    }

    /// What a message's lines will come back as.
    pub(super) fn of(lines: &[(Line, Joins)]) -> Self {
        let is_notice = lines.first().is_some_and(|(line, _)| line.as_str().starts_with("NOTICE"));
        let mut whole = String::new();
        for (place, (line, joins)) in lines.iter().enumerate() {
            if place > 0 && *joins == Joins::No {
                whole.push('\n');
            }
            whole.push_str(line.as_str().split_once(" :").map_or("", |(_, text)| text));
        }
        Self::new(is_notice, &whole)
    }

    pub(super) fn same(&self, other: &Self) -> bool {
        self == other
    }

    /// Whether the other is the beginning of this one.
    pub(super) fn was_cut_to(&self, other: &Self) -> bool {
        self.notice == other.notice && !other.text.is_empty() && self.text.starts_with(&*other.text)
    }
}

/// One copy of what we said to ourselves, until the other has come.
#[derive(Debug)]
struct Copy {
    echo: Echo,
    msgid: Option<String>,
    at: Instant,
    /// It was told; else it has settled a message of ours.
    is_told: bool,
}

/// Of what was said to ourselves last, the copy that has come.
#[derive(Debug, Default)]
pub(super) struct Copies(Option<Copy>);

impl Copies {
    /// The other copy of a message: whether it was told.
    fn take(&mut self, echo: &Echo, msgid: Option<&str>, now: Instant) -> Option<bool> {
        let other = self.0.take_if(|other| {
            let together = match (other.msgid.as_deref(), msgid) {
                (Some(one), Some(other)) if one == other => TOGETHER_BY_ID,
                (Some(_), Some(_)) => return false,
                _ => TOGETHER,
            };
            other.echo.same(echo) && now.saturating_duration_since(other.at) < together
        })?;
        Some(other.is_told)
    }
}

impl Session {
    /// Takes note of a copy of what we say, which settles a message of ours or not. Whether it is the second one of what we
    /// said to ourselves, and the first was told.
    pub(super) fn is_told_copy(
        &mut self,
        message: &Message,
        echo: Echo,
        settles: bool,
        now: Instant,
    ) -> bool {
        if !self.caps.enabled("echo-message") || !self.is_own(message.param(0)) || self.is_past(message) {
            return false;
        }
        if let Some(is_told) = self.copies.take(&echo, message.msgid(), now) {
            return is_told && !settles;
        }
        let msgid = message.msgid().map(str::to_owned);
        self.copies = Copies(Some(Copy { echo, msgid, at: now, is_told: !settles }));
        false
    }

    pub(super) fn echoed(id: MessageId, message: &Message) -> Event {
        Event::Echoed { message: id, msgid: message.msgid().map(str::to_owned), time: message.server_time() }
    }
}

/// A text without mIRC's codes and the spaces at its ends, which some servers take away.
fn without_formatting(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\x03' => {
                let mut digits =
                    |most| (0..most).filter(|_| rest.next_if(char::is_ascii_digit).is_some()).count();
                let foreground = digits(2);
                let mut ahead = rest.clone();
                if foreground > 0
                    && ahead.next() == Some(',')
                    && ahead.next().is_some_and(|c| c.is_ascii_digit())
                {
                    rest.next();
                    (0..2).for_each(|_| _ = rest.next_if(char::is_ascii_digit));
                }
            }
            '\x04' => (0..6).for_each(|_| _ = rest.next_if(char::is_ascii_hexdigit)),
            '\x02' | '\x0f' | '\x11' | '\x16' | '\x1d' | '\x1e' | '\x1f' => {}
            c => plain.push(c),
        }
    }
    plain.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("hello", "hello")]
    #[case::bold("\x02he\x0fllo\x1d\x1f\x1e\x11\x16", "hello")]
    #[case::colour("\x034red\x03 \x0304,12both\x03,3", "red both,3")]
    #[case::a_number_behind_a_colour("\x0304123", "123")]
    #[case::a_comma_behind_a_colour("\x034,x", ",x")]
    #[case::hexadecimal("\x04ff8800orange", "orange")]
    #[case::ends(" two  words ", "two  words")]
    #[case::an_action("\x01ACTION waves\x01", "\x01ACTION waves\x01")]
    #[case::only_codes("\x02\x0312,", ",")]
    fn formatting_is_left_out(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(without_formatting(text), expected);
    }

    #[test]
    fn invariant_10_an_echo_shows_no_words() {
        assert_eq!(format!("{:?}", Echo::new(false, "IDENTIFY sesame")), "Echo(.. 15 bytes)");
    }
}
