//! Echoes: our own messages as the server shows them to us.
//!
//! What we say to ourselves comes twice, once as to others and once as the echo: one of the two is told ([`Copies`]).
//!
//! Without labels an echo can only be told from what another client of the same nick said (behind a bouncer) by
//! comparing it with what is on its way. Servers change a text: they take colours out and cut what is too long.
//!
//! Spec: `IRCv3` "echo-message"; modern IRC docs "IRC Formatting".

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use crate::irc::wire::{Line, Message, Verb};

use super::Session;
use super::event::{Event, MessageId};
use super::labels::Label;
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

/// Copies that wait for the other at most; of more at once the oldest pass for single ones.
const MOST_COPIES: usize = 16;

/// What one of our own messages is that comes back.
pub(super) enum Own {
    /// The echo of this one.
    Echo(MessageId),
    /// What was told before.
    Known,
    /// Something to tell: said elsewhere, by hand or to ourselves.
    News,
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

/// Of what was said to ourselves last, the copies whose others have not come.
#[derive(Debug, Default)]
pub(super) struct Copies(VecDeque<Copy>);

impl Copies {
    fn add(&mut self, copy: Copy) {
        if self.0.len() == MOST_COPIES {
            self.0.pop_front();
        }
        self.0.push_back(copy);
    }

    /// The other copy of the message with this id: whether it was told.
    fn take_by_id(&mut self, msgid: Option<&str>, now: Instant) -> Option<bool> {
        let msgid = msgid?;
        let is_other = |copy: &Copy| {
            copy.msgid.as_deref() == Some(msgid) && now.saturating_duration_since(copy.at) < TOGETHER_BY_ID
        };
        let place = self.0.iter().position(is_other)?;
        self.0.remove(place).map(|copy| copy.is_told)
    }

    /// Takes the first copy with the same text that was told or not, where no ids tell the two apart.
    fn take_by_text(&mut self, echo: &Echo, msgid: Option<&str>, is_told: bool, now: Instant) -> bool {
        let is_other = |copy: &Copy| {
            copy.is_told == is_told
                && (copy.msgid.is_none() || msgid.is_none())
                && copy.echo.same(echo)
                && now.saturating_duration_since(copy.at) < TOGETHER
        };
        let place = self.0.iter().position(is_other);
        place.and_then(|place| self.0.remove(place)).is_some()
    }
}

impl Session {
    /// What a message of ours is that comes now, unless by its label it is the echo of one that waits.
    ///
    /// What is said to ourselves comes twice, and nothing tells the echo from the other copy: the first of the two
    /// settles what waits, the other is told, and where nothing waits only the first is told. Ids pair the copies where
    /// there are any, else as many are told as have settled something, in whichever order they come.
    pub(super) fn place_own(&mut self, message: &Message, label: Option<Label>, now: Instant) -> Own {
        let echo = Echo::new(message.verb == Verb::Word("NOTICE".into()), message.param(1));
        let msgid = message.msgid();
        let is_copied =
            self.caps.enabled("echo-message") && self.is_own(message.param(0)) && !self.is_past(message);
        if is_copied && label.is_some() {
            // Of a command by hand: the other copy has no label, and is told.
            return Own::Known;
        }
        if is_copied && let Some(is_told) = self.copies.take_by_id(msgid, now) {
            return if is_told { Own::Known } else { Own::News };
        }
        let mapping = self.isupport.casemapping();
        let settled = self.fences.take_echoed(message.param(0), &echo, mapping, now);
        if is_copied {
            // With labels the echo has one, and this is the other copy.
            let is_labelled = settled.is_none() && self.uses_labels();
            match settled {
                Some(_) if self.copies.take_by_text(&echo, msgid, true, now) => {}
                None if !is_labelled && self.copies.take_by_text(&echo, msgid, false, now) => {}
                None if !is_labelled && self.copies.take_by_text(&echo, msgid, true, now) => {
                    return Own::Known;
                }
                _ if is_labelled && msgid.is_none() => {}
                _ => {
                    let msgid = msgid.map(str::to_owned);
                    self.copies.add(Copy { echo, msgid, at: now, is_told: settled.is_none() });
                }
            }
        }
        settled.map_or(Own::News, Own::Echo)
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
