//! Batches: which lines belong together, and which of them are the past.
//!
//! A line is told as it comes, marked with where it is from; only the lines of one message are gathered
//! (`multiline`). What a batch means for its lines is decided when it begins, from its type and the batch that it
//! stands in, so that nesting costs nothing, however deep. A type that means nothing to us leaves its lines as they
//! are.
//!
//! Invariant 9: so many batches may be open ([`MOST_OPEN`]); one more ends the oldest, which the server has
//! forgotten to end.
//!
//! Spec: `IRCv3` "batch", "chathistory batch type", "netsplit and netjoin batch types", "chathistory"; ZNC's `znc.in/playback`.

use std::time::Instant;

use crate::irc::wire::Message;

use super::Session;
use super::event::{Event, Origin};
use super::labels::Label;
use super::multiline::Gathering;

/// Servers have one or two open at a time.
pub(super) const MOST_OPEN: usize = 64;

/// What the end of a batch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    Nothing,
    /// A request for history.
    Request(u64),
    /// An answer of several lines.
    Answer(Label),
}

#[derive(Debug)]
pub(super) struct Batch {
    reference: Box<str>,
    origin: Origin,
    label: Option<Label>,
    ends: Ends,
    /// Whose history it is.
    target: Option<Box<str>>,
    /// The servers of a netsplit.
    split: Option<Box<str>>,
    /// The message that its lines are.
    gathering: Option<Box<Gathering>>,
}

/// What a line is told to be by the batch around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) origin: Origin,
    /// The label of the answer that it belongs to.
    pub(super) label: Option<Label>,
    /// The batch's place.
    batch: Option<usize>,
}

/// The batches that are open, oldest first.
#[derive(Debug, Default)]
pub(super) struct Batches {
    open: Vec<Batch>,
}

impl Batches {
    pub(super) fn context(&self, message: &Message) -> Context {
        let batch = message.batch().and_then(|reference| self.find(reference));
        let around = batch.map(|at| &self.open[at]);
        Context {
            origin: around.map_or(Origin::Live, |batch| batch.origin),
            label: Label::of(message).or_else(|| around.and_then(|batch| batch.label)),
            batch,
        }
    }

    fn find(&self, reference: &str) -> Option<usize> {
        self.open.iter().rposition(|batch| &*batch.reference == reference)
    }

    /// Whose history the line is of.
    pub(super) fn target(&self, context: Context) -> Option<&str> {
        self.open.get(context.batch?)?.target.as_deref()
    }

    /// The servers of the netsplit that the line is part of.
    pub(super) fn split(&self, context: Context) -> Option<&str> {
        self.open.get(context.batch?)?.split.as_deref()
    }

    /// The request that the batch around the line answers.
    pub(super) fn request(&self, context: Context) -> Option<u64> {
        match self.open.get(context.batch?)?.ends {
            Ends::Request(number) => Some(number),
            _ => None,
        }
    }

    /// A request has ended before its batch: what still comes is the past, but nobody asks for it any more.
    pub(super) fn disown(&mut self, number: u64) {
        for batch in &mut self.open {
            if batch.origin == (Origin::History { request: number }) {
                batch.origin = Origin::Playback;
            }
            if batch.ends == Ends::Request(number) {
                batch.ends = Ends::Nothing;
            }
        }
    }

    /// The message that the batch around a line is, if it is one.
    pub(super) fn gathering(&mut self, context: Context) -> Option<&mut Gathering> {
        self.open.get_mut(context.batch?)?.gathering.as_deref_mut()
    }

    /// The batch that has to go for another.
    fn in_the_way(&self, reference: &str) -> Option<usize> {
        let full = self.open.len() >= MOST_OPEN;
        self.find(reference).or(full.then_some(0))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}

impl Session {
    /// `BATCH +reference type [parameters]`, `BATCH -reference`. `around` is the batch that it stands in.
    pub(super) fn on_batch(
        &mut self,
        message: &Message,
        around: Context,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        let text = message.param(0);
        if let Some(reference) = text.strip_prefix('-') {
            if let Some(at) = self.batches.find(reference) {
                self.end_batch(at, now, events);
            }
        } else if let Some(reference) = text.strip_prefix('+') {
            let target = self.batches.target(around).map(Into::into);
            // What ends by that is over before the new one begins: it may have been the same request's.
            if let Some(at) = self.batches.in_the_way(reference) {
                self.end_batch(at, now, events);
            }
            let batch = self.begin_batch(reference, message, around, target);
            self.batches.open.push(batch);
        }
    }

    fn begin_batch(
        &mut self,
        reference: &str,
        message: &Message,
        around: Context,
        of: Option<Box<str>>,
    ) -> Batch {
        let (kind, target) = (message.param(1), message.param(2));
        let mut batch = Batch {
            reference: reference.into(),
            origin: around.origin,
            label: around.label,
            ends: Label::of(message).map_or(Ends::Nothing, Ends::Answer),
            target: of,
            split: None,
            gathering: None,
        };
        if kind.eq_ignore_ascii_case("draft/multiline") {
            batch.gathering = Some(Box::new(Gathering::new(message)));
            return batch;
        }
        // What is within the past is of the same past.
        if around.origin != Origin::Live {
            return batch;
        }
        match kind.to_ascii_lowercase().as_str() {
            "chathistory" => {
                let request = self.requests.answered_by(around.label, target, self.isupport.casemapping());
                batch.origin = request.map_or(Origin::Playback, |request| Origin::History { request });
                batch.ends = request.map_or(batch.ends, Ends::Request);
                batch.target = Some(target.into());
            }
            "znc.in/playback" | "playback" => {
                batch.origin = Origin::Playback;
                batch.target = Some(target.into());
            }
            "netsplit" => {
                let servers = message.params.get(2..).unwrap_or_default();
                batch.split = Some(servers.join(" ").into());
            }
            "draft/chathistory-targets" | "chathistory-targets" => {
                if let Some(request) = self.requests.listed_by(around.label) {
                    batch.ends = Ends::Request(request);
                }
            }
            _ => {}
        }
        batch
    }

    fn end_batch(&mut self, at: usize, now: Instant, events: &mut Vec<Event>) {
        let batch = &mut self.batches.open[at];
        let context = Context { origin: batch.origin, label: batch.label, batch: Some(at) };
        if let Some(message) = batch.gathering.take().and_then(|mut gathering| gathering.take()) {
            self.on_whole(&message, context, now, events);
        }
        match self.batches.open.remove(at).ends {
            Ends::Nothing => {}
            Ends::Request(number) => self.end_request(number, None, events),
            Ends::Answer(label) => self.complete(label, events),
        }
    }
}
