//! Messages of several lines: a batch of them is one message, in both directions.
//!
//! What comes is gathered until its batch ends and is then told like any message, with line feeds in its text and
//! the tags of the batch. What goes leaves as one batch under one label, and is confirmed, refused or echoed as a
//! whole. Where a text is cut is the owner's business; so is what becomes of a message that was refused because it
//! has several lines.
//!
//! Invariant 9: what is gathered is bounded ([`MOST_BYTES`]); beyond it a message is told in parts.
//!
//! Spec: `IRCv3` "Multiline messages" (draft), "Client-initiated batches".

use std::fmt;
use std::time::Instant;

use crate::irc::ctcp;
use crate::irc::queue::Class;
use crate::irc::wire::{Line, Message, Verb, WireError};

use super::Session;
use super::batches::Context;
use super::event::{Event, MessageId, Origin};
use super::outgoing::{Outgoing, SendError, Target};

/// What one event may hold, with room for its HTML. Servers allow some kilobytes.
pub(super) const MOST_BYTES: usize = 16 * 1024;
/// Lines of one message that we send at a time.
pub(super) const MOST_LINES: usize = 100;

/// How long a message may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MultilineLimits {
    /// Its bytes, a line feed counted as one.
    pub bytes: usize,
    /// Its lines on the wire.
    pub lines: usize,
}

/// What of a message stands on one line of the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The text; may be empty.
    pub text: String,
    /// How it is joined to the piece before it.
    pub joins: Joins,
}

/// How a line is joined to the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joins {
    /// It begins a new line.
    No,
    /// It goes on with the same line (`draft/multiline-concat`).
    Yes,
}

/// The lines of one message that have come.
pub(super) struct Gathering {
    /// The line that begins the batch: its source and tags are the message's.
    head: Message,
    verb: Option<Verb>,
    text: String,
}

/// Invariant 10: people's words are in here.
impl fmt::Debug for Gathering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gathering(.. {} bytes)", self.text.len())
    }
}

impl Gathering {
    /// `BATCH +reference draft/multiline target`.
    pub(super) fn new(head: &Message) -> Self {
        Self { head: head.clone(), verb: None, text: String::new() }
    }

    fn target(&self) -> &str {
        self.head.param(2)
    }

    fn has_room_for(&self, text: &str) -> bool {
        self.verb.is_none() || self.text.len() + 1 + text.len() <= MOST_BYTES
    }

    fn add(&mut self, message: &Message) {
        if self.verb.is_some() && message.tag("draft/multiline-concat").is_none() {
            self.text.push('\n');
        }
        self.text.push_str(message.param(1));
        self.verb.get_or_insert_with(|| message.verb.clone());
        if self.head.source.is_none() {
            self.head.source.clone_from(&message.source);
        }
    }

    /// What has come, as one message. What comes after it has no id: an id stands for one message.
    pub(super) fn take(&mut self) -> Option<Message> {
        let verb = self.verb.take()?;
        let params = vec![self.target().to_owned(), std::mem::take(&mut self.text)];
        let whole = Message { tags: self.head.tags.clone(), source: self.head.source.clone(), verb, params };
        self.head.tags.retain(|(key, _)| &**key != "msgid");
        whole.param(1).contains(|c: char| !c.is_whitespace()).then_some(whole)
    }
}

/// `FAIL BATCH MULTILINE_…`: nothing of the batch was taken.
pub(super) fn is_multiline_failure(message: &Message) -> bool {
    message.verb == Verb::Word("FAIL".into())
        && message.param(0).eq_ignore_ascii_case("BATCH")
        && message.param(1).to_ascii_uppercase().starts_with("MULTILINE_")
}

impl Session {
    /// Takes a line that is part of a longer message; returns whether it is.
    pub(super) fn gather(
        &mut self,
        message: &Message,
        context: Context,
        now: Instant,
        events: &mut Vec<Event>,
    ) -> bool {
        let is_text = matches!(&message.verb, Verb::Word(word) if matches!(&**word, "PRIVMSG" | "NOTICE"));
        let mapping = self.isupport.casemapping();
        let Some(whole) = self.batches.gathering(context).filter(|whole| {
            is_text && !message.params.is_empty() && mapping.same(whole.target(), message.param(0))
        }) else {
            return false;
        };
        let full = if whole.has_room_for(message.param(1)) { None } else { whole.take() };
        whole.add(message);
        self.last_received = now;
        self.keepalive_sent = None;
        if let Some(part) = full {
            self.on_whole(&part, context, now, events);
        }
        true
    }

    /// A message whose lines were gathered.
    pub(super) fn on_whole(
        &mut self,
        message: &Message,
        context: Context,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        if context.origin == Origin::Live {
            if let Some(source) = message.source.as_ref().filter(|_| !self.is_past(message)) {
                self.learn_identity(source);
            }
            if context.label.is_some_and(|label| self.on_labelled(label, message, now, events)) {
                return;
            }
        }
        self.on_message(message, context, now, events);
    }

    /// How long a message to this network may be; `None` where a message is one line.
    #[must_use]
    pub fn multiline(&self) -> Option<MultilineLimits> {
        let has = |name| self.caps.enabled(name);
        if !["draft/multiline", "batch", "message-tags"].into_iter().all(has) {
            return None;
        }
        let value = self.caps.offered("draft/multiline")?;
        let number = |name: &str| {
            let mut pairs = value.split(',').filter_map(|token| token.split_once('='));
            pairs.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse::<usize>().ok())
        };
        let bytes = number("max-bytes")?.min(MOST_BYTES);
        let lines = number("max-lines").unwrap_or(MOST_LINES).min(MOST_LINES);
        (bytes > 0 && lines > 1).then_some(MultilineLimits { bytes, lines })
    }

    /// Queues a message of several lines, which fit [`Session::multiline`]. Its fate comes as an event, or the
    /// connection ends before.
    pub fn long_message(
        &mut self,
        id: MessageId,
        target: Target,
        pieces: &[Piece],
        reply: Option<String>,
    ) -> Result<(), SendError> {
        if pieces.iter().all(|piece| piece.text.trim().is_empty()) {
            return Err(WireError::Empty.into());
        }
        let line = |piece: &Piece| {
            let text = ctcp::without_delimiters(&piece.text);
            Ok((target.put(Line::new("PRIVMSG")).trailing(&text)?, piece.joins))
        };
        let lines = pieces.iter().map(line).collect::<Result<Vec<_>, WireError>>()?;
        self.queue_message(id, target, lines, reply)
    }

    /// The lines of a batch as they go out.
    pub(super) fn batch_of(
        &mut self,
        target: &Target,
        lines: &[(Line, Joins)],
        tags: &[(&'static str, &str)],
    ) -> Vec<Line> {
        self.own_batches += 1;
        let reference = self.own_batches.to_string();
        let first = Line::new("BATCH").name_literal(&format!("+{reference}")).name_literal("draft/multiline");
        let mut batch = vec![target.put(first).finish().tagged(tags)];
        batch.extend(lines.iter().map(|(line, joins)| match joins {
            Joins::No => line.tagged(&[("batch", &reference)]),
            Joins::Yes => line.tagged(&[("batch", &reference), ("draft/multiline-concat", "")]),
        }));
        batch.push(Line::new("BATCH").name_literal(&format!("-{reference}")).finish());
        batch
    }

    /// Takes back the messages of several lines that have not left, where the server takes none any more.
    pub fn refuse_multiline(&mut self) -> Vec<MessageId> {
        if self.multiline().is_some() {
            return Vec::new();
        }
        let is_long = |item: &Outgoing| matches!(item, Outgoing::Message(message) if message.lines.len() > 1);
        let taken = self.queue.take_out(Class::Interactive, is_long);
        let id = |item| match item {
            Outgoing::Message(message) => Some(message.id),
            _ => None,
        };
        taken.into_iter().filter_map(id).collect()
    }

    /// Tells of a message that was refused because it has several lines; returns whether there was one.
    pub(super) fn report_multiline(
        refused: Option<MessageId>,
        reason: &str,
        events: &mut Vec<Event>,
    ) -> bool {
        let reason = Some(reason.to_owned());
        events.extend(refused.map(|message| Event::MultilineRefused { message, reason }));
        refused.is_some()
    }
}
