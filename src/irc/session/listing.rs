//! The network's list of channels: asked for once at a time, and kept in part.
//!
//! A list may have fifty thousand channels, and a server may send it bit by bit long after it has answered what was asked
//! behind it: it ends with 323, with an error, or with silence. Of what fits, the channels with the most people are kept.
//!
//! Invariant 9: so many ([`MOST_KEPT`]), with topics of so many characters ([`LONGEST_TOPIC`]).
//!
//! Spec: modern IRC docs "LIST message"; draft-hardy-irc-isupport-00 "ELIST".

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use crate::irc::numerics::{RPL_LIST, RPL_LISTEND, RPL_LISTSTART};
use crate::irc::queue::QueueFull;
use crate::irc::wire::Line;
use crate::names::{CaseMapping, matches_mask};

use super::Session;
use super::event::Event;
use super::inquiries::{ANSWER, Answer};
use super::labels::Label;

/// Channels that are kept of a list.
pub const MOST_KEPT: usize = 1_000;
/// Characters of a topic that are kept.
const LONGEST_TOPIC: usize = 200;

/// A channel of the network's list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedChannel {
    /// How many people are in it.
    pub people: u32,
    /// Its name.
    pub name: Reverse<Box<str>>,
    /// The beginning of its topic, with formatting codes.
    pub topic: Box<str>,
}

/// What a list is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Everything.
    All,
    /// Names that this mask fits, with `*` and `?`.
    Mask(String),
    /// Names and topics in which this stands.
    Words(String),
}

impl Wanted {
    /// Reads what a user types.
    #[must_use]
    pub fn typed(text: &str) -> Self {
        match text.trim() {
            "" => Self::All,
            mask if mask.contains(['*', '?']) && !mask.contains(' ') => Self::Mask(mask.to_owned()),
            words => Self::Words(words.to_lowercase()),
        }
    }

    fn fits(&self, name: &str, topic: &str, mapping: CaseMapping) -> bool {
        match self {
            Self::All => true,
            Self::Mask(mask) => matches_mask(mask, name, mapping),
            Self::Words(words) => name.to_lowercase().contains(words) || topic.to_lowercase().contains(words),
        }
    }
}

/// The channels of a network, those with the most people first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelList {
    /// As many as are kept.
    pub channels: Vec<ListedChannel>,
    /// How many fitted.
    pub fitting: usize,
    /// It broke off.
    pub broke_off: bool,
}

/// A list that is coming.
#[derive(Debug)]
pub(super) struct Listing {
    /// The number of the command.
    inquiry: u64,
    wanted: Wanted,
    /// The one with the fewest people first.
    kept: BinaryHeap<Reverse<ListedChannel>>,
    fitting: usize,
    /// How many have come, whether they fit or not.
    seen: usize,
    /// When something of it came last.
    heard: Option<Instant>,
}

/// A topic as it was set: `InspIRCd` and `UnrealIRCd` put the channel's modes before it, as in `[+ntl 50] Welcome`.
fn without_modes(topic: &str) -> &str {
    let behind = topic.strip_prefix("[+").and_then(|rest| rest.split_once(']'));
    let are_modes = |modes: &str| modes.chars().all(|c| c.is_ascii_alphanumeric() || " :,".contains(c));
    match behind {
        Some((modes, rest)) if are_modes(modes) && (rest.is_empty() || rest.starts_with(' ')) => {
            rest.trim_start()
        }
        _ => topic,
    }
}

impl Listing {
    fn add(&mut self, name: &str, people: &str, topic: &str, mapping: CaseMapping) {
        let topic = without_modes(topic);
        self.seen += 1;
        // Some servers hide a name, and count it.
        if name == "*" || !self.wanted.fits(name, topic, mapping) {
            return;
        }
        self.fitting += 1;
        let people = people.parse().unwrap_or(0);
        if self.kept.len() >= MOST_KEPT && self.kept.peek().is_some_and(|least| people < least.0.people) {
            return;
        }
        let end = topic.char_indices().nth(LONGEST_TOPIC).map_or(topic.len(), |(at, _)| at);
        let (name, topic) = (Reverse(name.into()), topic[..end].into());
        self.kept.push(Reverse(ListedChannel { people, name, topic }));
        if self.kept.len() > MOST_KEPT {
            self.kept.pop();
        }
    }

    fn finish(self, broke_off: bool) -> ChannelList {
        let mut channels: Vec<ListedChannel> =
            self.kept.into_iter().map(|Reverse(channel)| channel).collect();
        channels.sort_unstable_by(|one, other| other.cmp(one));
        ChannelList { channels, fitting: self.fitting, broke_off }
    }
}

impl Session {
    /// Asks for the list of channels, which comes as [`Event::Listed`] with the number that is returned; none where one
    /// is coming already.
    ///
    /// # Errors
    /// When too much waits.
    pub fn list_channels(&mut self, wanted: Wanted) -> Result<Option<u64>, QueueFull> {
        if self.listing.is_some() {
            return Ok(None);
        }
        let line = match &wanted {
            // A server that looks itself sends less.
            Wanted::Mask(mask) if self.isupport.lists_by_mask() => Line::new("LIST").name_literal(mask),
            _ => Line::new("LIST"),
        };
        let inquiry = self.inquire(line.finish())?;
        let kept = BinaryHeap::new();
        self.listing = Some(Listing { inquiry, wanted, kept, fitting: 0, seen: 0, heard: None });
        Ok(Some(inquiry))
    }

    /// How many channels have come of a list that is coming.
    #[must_use]
    pub fn listed_so_far(&self) -> usize {
        self.listing.as_ref().map_or(0, |listing| listing.seen)
    }

    /// A numeric of the list that is coming; returns whether it was one.
    pub(super) fn on_list(
        &mut self,
        code: u16,
        params: &[String],
        label: Option<Label>,
        now: Instant,
        events: &mut Vec<Event>,
    ) -> bool {
        let mapping = self.isupport.casemapping();
        let Some(listing) = &mut self.listing else { return false };
        if label.is_some_and(|label| label != Label::Inquiry(listing.inquiry)) {
            return false;
        }
        match (code, params) {
            (RPL_LISTSTART, _) => {}
            (RPL_LIST, [name, people, rest @ ..]) => {
                listing.add(name, people, rest.last().map_or("", String::as_str), mapping);
            }
            (RPL_LISTEND, _) => self.end_list(None, false, events),
            _ => return false,
        }
        if let Some(listing) = &mut self.listing {
            listing.heard = Some(now);
        }
        true
    }

    /// The server has answered the command, as far as it says so: a list goes on, unless it was refused.
    pub(super) fn list_answered(&mut self, inquiry: u64, answer: &Answer, events: &mut Vec<Event>) -> bool {
        let now = self.last_received;
        let Some(listing) = self.listing.as_mut().filter(|listing| listing.inquiry == inquiry) else {
            return false;
        };
        listing.heard.get_or_insert(now);
        if !answer.replies.is_empty() {
            self.end_list(Some(answer.clone()), false, events);
        }
        true
    }

    fn end_list(&mut self, refusal: Option<Answer>, broke_off: bool, events: &mut Vec<Event>) {
        if let Some(listing) = self.listing.take() {
            let inquiry = listing.inquiry;
            self.inquiries.forget(inquiry);
            events.push(Event::Listed { inquiry, list: listing.finish(broke_off), refusal });
        }
    }

    /// When a list has kept us waiting for too long.
    pub(super) fn list_deadline(&self) -> Option<Instant> {
        let listing = self.listing.as_ref()?;
        if self.inquiries.is_waiting(listing.inquiry) {
            return None;
        }
        let left = self.inquiries.heard(listing.inquiry);
        left.max(listing.heard).map(|heard| heard + ANSWER)
    }

    pub(super) fn time_out_list(&mut self, now: Instant, events: &mut Vec<Event>) {
        if self.list_deadline().is_some_and(|at| at <= now) {
            self.end_list(None, true, events);
        }
    }
}
