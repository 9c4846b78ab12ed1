//! Commands whose answer the user waits for: what the server says about each, gathered.
//!
//! With labels the answer names its command. Without them a fence follows the command, and the numerics that nothing else
//! accounts for, from when it left until the fence is answered, are its answer: a server answers in order.
//!
//! Invariant 9: so many commands may wait ([`MOST_OPEN`]), each for so long ([`ANSWER`]) and with so many lines
//! ([`MOST_REPLIES`]); what is beyond is counted.
//!
//! Spec: modern IRC docs "Numerics"; `IRCv3` "Labeled Responses".

use std::time::{Duration, Instant};

use crate::irc::queue::{Class, QueueFull};
use crate::irc::wire::{Line, Message};

use super::Session;
use super::event::Event;
use super::labels::Label;
use super::outgoing::Outgoing;

/// Commands that may wait for their answers.
pub(super) const MOST_OPEN: usize = 64;
/// Lines of an answer that are kept.
pub(super) const MOST_REPLIES: usize = 2_000;
/// Silence after which an answer counts as complete.
pub(super) const ANSWER: Duration = Duration::from_secs(30);

/// The code of a line that has none: above all numerics.
pub(super) const NO_NUMERIC: u16 = 1_000;

/// One line of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InquiryReply {
    /// The numeric; 0 for `FAIL`, `NO_NUMERIC` for what is no numeric and no error.
    pub code: u16,
    /// Its parameters without our nick, which comes first on the wire.
    pub params: Vec<String>,
    /// The parameters as one readable line.
    pub text: String,
}

/// What the server said to a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Line by line.
    pub replies: Vec<InquiryReply>,
    /// How many lines more there were.
    pub left_out: usize,
    /// The server said nothing for too long: whether it has done what was asked is not known.
    pub timed_out: bool,
}

#[derive(Debug)]
struct Inquiry {
    number: u64,
    /// The command's word.
    verb: String,
    /// When it left, or was last answered.
    heard: Option<Instant>,
    /// The number of the fence behind it, where it has no label.
    fence: Option<u64>,
    answer: Answer,
}

/// The commands that have no whole answer: those that have left behind the others, the oldest of them first.
#[derive(Debug, Default)]
pub(super) struct Inquiries {
    open: Vec<Inquiry>,
    last: u64,
}

impl Inquiries {
    fn add(&mut self, verb: String) -> u64 {
        self.last += 1;
        let (number, answer) = (self.last, Answer::default());
        self.open.push(Inquiry { number, verb, heard: None, fence: None, answer });
        self.last
    }

    /// It leaves, with a fence behind it where it has no label.
    pub(super) fn leave(&mut self, number: u64, fence: Option<u64>, now: Instant) {
        if let Some(mut inquiry) = self.take(|inquiry| inquiry.number == number) {
            (inquiry.heard, inquiry.fence) = (Some(now), fence);
            // In the order in which they left, which is that of their answers: one in the background lets others by.
            self.open.push(inquiry);
        }
    }

    /// The command that a line without a label may be about.
    fn answered(&self) -> Option<u64> {
        self.open.iter().find(|inquiry| inquiry.fence.is_some()).map(|inquiry| inquiry.number)
    }

    /// Whether a command has not left.
    pub(super) fn is_waiting(&self, number: u64) -> bool {
        self.open.iter().any(|inquiry| inquiry.number == number && inquiry.heard.is_none())
    }

    /// When a command that is under way left, or was last answered.
    pub(super) fn heard(&self, number: u64) -> Option<Instant> {
        self.open.iter().find(|inquiry| inquiry.number == number)?.heard
    }

    /// What is said to it is no longer waited for.
    pub(super) fn forget(&mut self, number: u64) {
        self.take(|inquiry| inquiry.number == number);
    }

    fn take(&mut self, is_it: impl Fn(&Inquiry) -> bool) -> Option<Inquiry> {
        let at = self.open.iter().position(is_it)?;
        Some(self.open.remove(at))
    }

    /// When an answer has kept us waiting for too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open.iter().filter_map(|inquiry| inquiry.heard).min().map(|heard| heard + ANSWER)
    }
}

impl Session {
    /// Sends a line whose answer comes as [`Event::Answered`] with the number that is returned.
    ///
    /// # Errors
    /// When too much waits.
    pub fn inquire(&mut self, line: Line) -> Result<u64, QueueFull> {
        self.inquire_as(Class::Interactive, line)
    }

    /// As [`Self::inquire`], behind all that somebody waits for.
    ///
    /// # Errors
    /// When too much waits.
    pub fn inquire_in_background(&mut self, line: Line) -> Result<u64, QueueFull> {
        self.inquire_as(Class::Background, line)
    }

    fn inquire_as(&mut self, class: Class, line: Line) -> Result<u64, QueueFull> {
        if self.inquiries.open.len() >= MOST_OPEN {
            return Err(QueueFull);
        }
        self.note_command(&line);
        let number = self.inquiries.add(line.verb());
        if let Err(full) = self.enqueue(class, Outgoing::Inquiry { number, line }) {
            self.inquiries.take(|inquiry| inquiry.number == number);
            return Err(full);
        }
        Ok(number)
    }

    /// The command that a line may be about.
    fn asked_about(&self, label: Option<Label>) -> Option<u64> {
        match label {
            Some(Label::Inquiry(number)) => Some(number),
            Some(_) => None,
            None => self.inquiries.answered(),
        }
    }

    /// Whether a line may be about a command of this word that somebody waits for.
    pub(super) fn asks_with(&self, verb: &str, label: Option<Label>) -> bool {
        let number = self.asked_about(label);
        self.inquiries.open.iter().any(|inquiry| Some(inquiry.number) == number && inquiry.verb == verb)
    }

    /// Whether an error about a channel that keeps us out is the answer to a command about it, such as a knock at its
    /// door, and says nothing new of the door.
    pub(super) fn is_about_inquiry(&self, code: u16, channel: &str, label: Option<Label>) -> bool {
        let number = self.asked_about(label);
        let asked = self.inquiries.open.iter().find(|inquiry| Some(inquiry.number) == number);
        (400..600).contains(&code)
            && asked.is_some_and(|inquiry| inquiry.verb != "JOIN")
            && self.wishes.get(channel).is_some()
            && !self.wishes.is_asked(channel)
            && !self.channels.contains(channel)
    }

    /// Takes a line as part of an answer that somebody waits for, if it is one.
    pub(super) fn answers_inquiry(
        &mut self,
        label: Option<Label>,
        reply: InquiryReply,
        now: Instant,
    ) -> Result<(), InquiryReply> {
        let number = self.asked_about(label);
        self.add_reply(number, reply, now)
    }

    /// Takes a `CAP` line as the answer to a `CAP` that somebody waits for, besides what it means for us. It is answered by
    /// its own word, and by no numeric.
    pub(super) fn answers_cap(&mut self, message: &Message, label: Option<Label>, now: Instant) {
        let is_answer =
            ["LS", "LIST", "ACK", "NAK"].iter().any(|word| message.param(1).eq_ignore_ascii_case(word));
        if !is_answer || !self.asks_with("CAP", label) {
            return;
        }
        let params = message.params.get(1..).unwrap_or_default().to_vec();
        let words: Vec<&str> = params.iter().map(String::as_str).filter(|word| *word != "*").collect();
        let text = words.join(" ");
        // Somebody waits, as was just seen.
        let _ = self.answers_inquiry(label, InquiryReply { code: NO_NUMERIC, params, text }, now);
    }

    /// Takes a `FAIL` without a label about this command as part of the answer to it, if one is waited for.
    pub(super) fn fails_inquiry(
        &mut self,
        command: &str,
        reply: InquiryReply,
        now: Instant,
    ) -> Result<(), InquiryReply> {
        let is_it = |inquiry: &&Inquiry| inquiry.fence.is_some() && inquiry.verb == command;
        let number = self.inquiries.open.iter().find(is_it).map(|inquiry| inquiry.number);
        self.add_reply(number, reply, now)
    }

    fn add_reply(
        &mut self,
        number: Option<u64>,
        reply: InquiryReply,
        now: Instant,
    ) -> Result<(), InquiryReply> {
        let Some(inquiry) = self.inquiries.open.iter_mut().find(|inquiry| Some(inquiry.number) == number)
        else {
            return Err(reply);
        };
        inquiry.heard = Some(now);
        if inquiry.answer.replies.len() < MOST_REPLIES {
            inquiry.answer.replies.push(reply);
        } else {
            inquiry.answer.left_out += 1;
        }
        Ok(())
    }

    fn tell_answer(&mut self, Inquiry { number, answer, .. }: Inquiry, events: &mut Vec<Event>) {
        if !self.list_answered(number, &answer, events) {
            events.push(Event::Answered { inquiry: number, answer });
        }
    }

    /// All of an answer has come.
    pub(super) fn end_inquiry(&mut self, number: u64, events: &mut Vec<Event>) {
        if let Some(inquiry) = self.inquiries.take(|inquiry| inquiry.number == number) {
            self.tell_answer(inquiry, events);
        }
    }

    /// A fence was answered, and those before it: what was asked before has its answer.
    pub(super) fn end_inquiries_before(&mut self, fence: u64, events: &mut Vec<Event>) {
        while let Some(inquiry) =
            self.inquiries.take(|inquiry| inquiry.fence.is_some_and(|behind| behind <= fence))
        {
            self.tell_answer(inquiry, events);
        }
    }

    /// Answers that did not end in time are what has come of them.
    pub(super) fn time_out_inquiries(&mut self, now: Instant, events: &mut Vec<Event>) {
        let is_late = |inquiry: &Inquiry| inquiry.heard.is_some_and(|heard| heard + ANSWER <= now);
        while let Some(mut inquiry) = self.inquiries.take(is_late) {
            inquiry.answer.timed_out = true;
            self.tell_answer(inquiry, events);
        }
    }
}
