//! What an actor knows of its user's messages: those that wait, and those that are on their way.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::behind::Behind;
use super::loose::Loose;
use super::prompts::Uncertain;
use super::relay::Relaying;
use super::speech::Payload;
use crate::irc::session::MessageId;
use crate::store::{LineKey, LineState, NewLine, Outgoing};

/// A line, in the store and on its way.
#[derive(Debug, Clone)]
pub(super) struct LineReference {
    /// The message that it belongs to.
    pub(super) event_id: Arc<str>,
    /// The event that sent it: the message itself, or the reaction that sent it again.
    pub(super) cause: Arc<str>,
    pub(super) part: i64,
    /// The number of the buffer.
    pub(super) buffer: i64,
    pub(super) payload: Payload,
    /// It has left, and its message was taken back since: nobody is asked about it.
    pub(super) withdrawn: bool,
    /// It has left, and the server did not take it then: the history has what nobody has heard.
    pub(super) put_off: bool,
}

impl LineReference {
    /// Which line of the store it is.
    pub(super) fn key(&self) -> LineKey {
        LineKey { buffer: self.buffer, event_id: self.event_id.to_string(), part: self.part }
    }

    /// As the store keeps it.
    pub(super) fn stored(&self, state: LineState) -> NewLine {
        NewLine {
            buffer: self.buffer,
            event_id: self.event_id.to_string(),
            part: self.part,
            state,
            payload: serde_json::to_string(&self.payload).unwrap_or_default(),
        }
    }
}

/// An event that waits in the inbox for its buffer.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) seq: i64,
    pub(super) event_id: Arc<str>,
    /// The message that it sends: itself, or another, which it sends again.
    pub(super) about: Arc<str>,
    /// It is an edit, and stands where its message stood: in the inbox, too, where that has this place.
    pub(super) original: Option<i64>,
    pub(super) received_at: i64,
}

impl Held {
    /// What is done with it: its place in the inbox, and that of its message.
    pub(super) fn places(&self) -> impl Iterator<Item = i64> + use<> {
        [Some(self.seq), self.original].into_iter().flatten()
    }
}

/// How far an event is.
pub(super) struct Progress {
    pub(super) event_id: Arc<str>,
    /// The message that it sends: itself, or another, which it sends again.
    pub(super) about: Arc<str>,
    /// Since when it waits.
    pub(super) since: Instant,
    /// An hourglass stands under it.
    pub(super) hourglass: bool,
    /// How many of its lines are open; an event that waits counts as one.
    pub(super) open: usize,
    /// Its sender knows that not all of it arrived.
    pub(super) told: bool,
    /// The server has taken some of it.
    pub(super) arrived: bool,
}

impl Progress {
    /// An event that has so many lines open, of which nothing is known.
    pub(super) fn new(
        event_id: Arc<str>,
        about: Arc<str>,
        since: Instant,
        hourglass: bool,
        open: usize,
    ) -> Self {
        Self { event_id, about, since, hourglass, open, told: false, arrived: false }
    }
}

/// What the actor knows of the user's messages.
#[derive(Default)]
pub(super) struct Outbound {
    /// The last event of the inbox that was looked at.
    pub(super) cursor: i64,
    pub(super) next_id: u64,
    pub(super) in_flight: HashMap<MessageId, LineReference>,
    /// New lines, to be stored before they leave.
    pub(super) new: Vec<MessageId>,
    /// To be committed with them.
    pub(super) commit: Outgoing,
    /// Events that wait for a buffer, by its number; they are in the store.
    pub(super) held: HashMap<i64, VecDeque<Held>>,
    /// Buffers that can be spoken to, and whose release has to go on.
    pub(super) releasing: BTreeSet<i64>,
    /// Buffers for which more waits in the inbox than is held, by their numbers.
    pub(super) behind: HashMap<i64, Behind>,
    /// The inbox was read to its end once.
    pub(super) has_read_all: bool,
    /// Stored lines that wait for a buffer.
    pub(super) resend: HashMap<i64, VecDeque<LineReference>>,
    pub(super) progress: HashMap<i64, VecDeque<Progress>>,
    /// What was said by commands, until it is known what became of it.
    pub(super) loose: Vec<Loose>,
    /// Lines that may have left, before their senders are asked.
    pub(super) uncertain: Uncertain,
    /// Hourglasses that stand: buffer and message → the reaction's row.
    pub(super) hourglasses: HashMap<(i64, Arc<str>), String>,
    /// Those for whom the session speaks.
    pub(super) relaying: Relaying,
}

impl Outbound {
    /// How many messages wait.
    pub(super) fn waiting(&self) -> usize {
        self.held.values().map(VecDeque::len).sum::<usize>()
            + self.behind.values().map(|behind| behind.events).sum::<usize>()
            + self.resend.values().map(VecDeque::len).sum::<usize>()
            + self.in_flight.len()
    }
}
