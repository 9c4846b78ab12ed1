//! What the user says, on its way to IRC.
//!
//! An event of the inbox waits there until its channel or nick can be spoken to; then it becomes lines, which are
//! committed before their bytes leave: `sending` those that the flood control lets go at once, `queued` the rest.
//! What waits is in `waiting`, what becomes of a line in `settlement`.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::super::content;
use super::super::desk::is_room_command;
use super::behind::Behind;
use super::long::Wire;
use super::loose::Loose;
use super::prompts::Uncertain;
use super::{Actor, long};
use crate::format::{Limit, lines_of, may_hold_password_for_service, split_line};
use crate::irc::session::{MessageId, MessageKind, OutgoingMessage, Target};
use crate::matrix::event::{Content, Event, Message};
use crate::store::{
    BufferKind, Direction, HistoryLine, InboxEvent, LineState, NewLine, Outgoing, StoreError, StoredLine,
    Unkept,
};

/// Events that are read at once.
const AT_ONCE: i64 = 100;
/// Lines that may be on their way at a time; further messages wait in the inbox. Less than the session's queue holds
/// by more than one event can become, so that no line of a user's is turned away there.
const MOST_IN_FLIGHT: usize = 256;
/// Lines to one buffer that may be among them, so that a long paste leaves room for what is said elsewhere.
const MOST_OF_BUFFER: usize = 64;
/// Lines that one message may become. What is longer belongs into a file.
const MOST_LINES: usize = 60;

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
    pub(super) received_at: i64,
}

/// What the store keeps of a line, sealed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Payload {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// Since when the event waits, in milliseconds since 1970.
    pub(super) at: i64,
    /// It was sent before, so that the history has it already.
    #[serde(default)]
    pub(super) kept: bool,
    /// The id of the message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reply: Option<String>,
}

/// What a message says.
#[derive(Debug)]
pub(super) struct Speech {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// The id of the message that it answers.
    pub(super) reply: Option<String>,
}

impl Speech {
    /// What a message says on IRC; `None` for what can't be said there.
    pub(super) fn of(message: &Message) -> Option<Self> {
        let mut text = message.body.clone();
        if message.replaces.is_some() {
            // Until edits are shown as what they change.
            text.insert_str(0, "* ");
        }
        Some(Self { kind: Kind::of(message)?, text, reply: None })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Privmsg,
    Notice,
    Action,
}

impl From<Kind> for MessageKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Privmsg => Self::Privmsg,
            Kind::Notice => Self::Notice,
            Kind::Action => Self::Action,
        }
    }
}

impl Kind {
    fn of(message: &Message) -> Option<Self> {
        match message.kind.as_str() {
            "m.text" => Some(Self::Privmsg),
            "m.emote" => Some(Self::Action),
            "m.notice" => Some(Self::Notice),
            _ => None,
        }
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
    /// Hourglasses that stand: message → buffer and the reaction's row.
    pub(super) hourglasses: HashMap<String, (i64, String)>,
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

impl Actor {
    /// Takes up the lines that the last run left: those that may have left are uncertain, the others wait again.
    pub(super) async fn take_up_lines(&mut self) -> Result<(), StoreError> {
        self.take_up_hourglasses().await?;
        for StoredLine { buffer, event_id, part, sending, payload } in
            self.bridge.store.open_lines(self.row.id).await?
        {
            let event_id: Arc<str> = event_id.into();
            self.open_progress(buffer, &event_id, &event_id, 1);
            match serde_json::from_str(&payload) {
                Ok(payload) => {
                    let cause = Arc::clone(&event_id);
                    let line = LineReference {
                        event_id,
                        cause,
                        part,
                        buffer,
                        payload,
                        withdrawn: false,
                        put_off: false,
                    };
                    if sending {
                        let why = "towline was stopped while it was being sent";
                        self.outbound.uncertain.add(line, why);
                    } else {
                        self.outbound.resend.entry(buffer).or_default().push_back(line);
                    }
                }
                Err(error) => {
                    tracing::error!(event = %event_id, %error, "a line that waited can't be read and is set aside");
                    self.incoming.fates.settled.push((event_id.to_string(), part, LineState::Refused));
                    if let Some(place) = self.buffers.find_id(buffer) {
                        let what = "may not have arrived: what was stored of it can't be read any more.";
                        self.tell_once(place, &event_id, what);
                        self.settle_one(place, &event_id);
                    }
                }
            }
        }
        let now = self.now();
        self.outbound.uncertain.wait_for_connection(now);
        Ok(())
    }

    /// Whether so much is on its way that the rest had better stay in the store.
    pub(super) fn is_crowded(&self) -> bool {
        self.outbound.in_flight.len() >= MOST_IN_FLIGHT
    }

    /// Whether so much is on its way to one buffer that it leaves no room for others.
    pub(super) fn is_full(&self, buffer: i64) -> bool {
        self.on_its_way(buffer) >= MOST_OF_BUFFER
    }

    fn on_its_way(&self, buffer: i64) -> usize {
        self.outbound.in_flight.values().filter(|line| line.buffer == buffer).count()
    }

    /// Goes on where too much was on its way; where that is least, first.
    pub(super) async fn take_more(&mut self) -> Result<(), StoreError> {
        self.read_behind().await?;
        while !self.is_crowded() {
            let releasing = self.outbound.releasing.iter().copied().filter(|&buffer| !self.is_full(buffer));
            let Some(buffer) = releasing.min_by_key(|&buffer| self.on_its_way(buffer)) else { break };
            match self.buffers.find_id(buffer).filter(|&place| self.is_open(place)) {
                Some(place) => self.release(place).await?,
                None => {
                    self.outbound.releasing.remove(&buffer);
                }
            }
            self.read_behind().await?;
        }
        Ok(())
    }

    /// Reads all that has come into the session's lane of the inbox. What can't go yet is read past, so that nothing
    /// else waits behind it.
    pub(super) async fn read_inbox(&mut self) -> Result<(), StoreError> {
        if self.must_reload {
            // What is known of the lines that wait must be whole before one of them is taken back.
            self.reload().await?;
        }
        loop {
            let events = self.bridge.store.waiting_events(&self.lane, self.outbound.cursor, AT_ONCE).await?;
            if events.is_empty() {
                self.outbound.has_read_all = true;
                return Ok(());
            }
            for event in events {
                self.outbound.cursor = event.seq;
                self.on_inbox(event).await?;
            }
            self.transmit().await?;
        }
    }

    pub(super) async fn on_inbox(&mut self, stored: InboxEvent) -> Result<(), StoreError> {
        let event = match Event::read(&stored.json) {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(event = %stored.event_id, %error, "an event can't be read and is set aside");
                self.outbound.commit.failed.push((stored.seq, error.to_string()));
                return Ok(());
            }
        };
        let Some(place) = self.buffer_of_room(&event.room_id).await? else {
            self.outbound.commit.finished.push(stored.seq);
            return Ok(());
        };
        // Only the owner of a private room speaks through it.
        let is_owner = event.sender == self.row.user_id;
        match &event.content {
            Content::Message(message) if is_owner && is_room_command(&message.body) => {
                return self.pass_to_desk(place, &stored).await;
            }
            Content::Message(message) if is_owner => {
                return self.on_room_message(place, &stored, &event, message).await;
            }
            Content::Reaction(reaction) if is_owner => {
                return self.on_reaction(place, &stored, reaction).await;
            }
            Content::Redaction(event_id) if is_owner => {
                self.withdraw(place, event_id).await?;
                self.take_back(place, event_id).await?;
                self.unreact_on_irc(place, event_id).await?;
            }
            // By themselves, or by an administrator.
            Content::Member(member) if member.user_id == self.row.user_id => match member.membership.as_str() {
                "leave" | "ban" => self.leave_buffer(place, event.sent_at).await?,
                "join" => self.buffers.get_mut(place).invited = true,
                _ => {}
            },
            Content::Encrypted if is_owner && self.is_behind(self.buffers.get(place).row.id) => {
                self.hold(place, &stored, &event.event_id.as_str().into());
                return Ok(());
            }
            Content::Encrypted if is_owner => self.refuse_event(
                place,
                &event.event_id,
                &event.event_id,
                "was not sent: this room is encrypted, and I can't read it. IRC gets plain text anyway; ask the \
                 administrator for a room without encryption.",
            ),
            _ => {}
        }
        self.outbound.commit.finished.push(stored.seq);
        Ok(())
    }

    /// The buffer that a Matrix room shows. A room gets its id when its lane has made it, so the id is looked up once.
    async fn buffer_of_room(&mut self, room_id: &str) -> Result<Option<usize>, StoreError> {
        if let Some(place) = self.buffers.find_room_id(room_id) {
            return Ok(Some(place));
        }
        let Some(room) = self.bridge.store.room_by_matrix_id(room_id).await? else { return Ok(None) };
        Ok(self.buffers.learn_room_id(room_id, room.id))
    }

    async fn on_room_message(
        &mut self,
        place: usize,
        stored: &InboxEvent,
        event: &Event,
        message: &Message,
    ) -> Result<(), StoreError> {
        let row = &self.buffers.get(place).row;
        if self.is_service(&row.name) && may_hold_password_for_service(&message.body) {
            let redaction =
                content::redact_row(row.room, &row.creator, &event.event_id, "It held a password");
            self.incoming.outbox.push(redaction);
        }
        let is_behind = self.is_behind(row.id);
        let refusal = if is_behind {
            // Whatever becomes of it is told in its turn.
            self.hold(place, stored, &event.event_id.as_str().into());
            return Ok(());
        } else if Kind::of(message).is_none() {
            "was not sent: only text can go to IRC so far.".to_owned()
        } else if let Some(refusal) = self.has_left(place) {
            refusal
        } else if self.must_wait(place) {
            self.hold(place, stored, &event.event_id.as_str().into());
            return Ok(());
        } else if self.is_too_old(stored) || self.is_full(row.id) || self.is_crowded() {
            // Said long ago and found only now: it is asked about at once, and what is behind it goes. One that has too
            // many before it goes when they have.
            self.outbound.releasing.insert(row.id);
            self.hold(place, stored, &event.event_id.as_str().into());
            return Ok(());
        } else {
            return self.speak(place, stored, event, message).await;
        };
        self.outbound.commit.finished.push(stored.seq);
        self.refuse_event(place, &event.event_id, &event.event_id, &refusal);
        Ok(())
    }

    /// Why nothing can be said in a channel that the user has left.
    pub(super) fn has_left(&self, place: usize) -> Option<String> {
        let row = &self.buffers.get(place).row;
        (row.kind == BufferKind::Channel && !row.wanted).then(|| {
            let name = &row.name;
            format!("was not sent: you have left {name}. To return, type join {name} in the network's room.")
        })
    }

    /// The owner has left the room: out of the channel as well.
    async fn leave_buffer(&mut self, place: usize, left_at: i64) -> Result<(), StoreError> {
        let buffer = self.buffers.get_mut(place);
        buffer.invited = false;
        // Something may have been said since then, while the news was on its way here.
        if buffer.row.kind == BufferKind::Query && buffer.last_line >= left_at {
            self.invite_back(place);
            return Ok(());
        }
        if buffer.row.kind == BufferKind::Channel && buffer.row.wanted {
            self.leave(place, "").await?;
        }
        Ok(())
    }

    /// Makes lines of a message and hands them to the session.
    pub(super) async fn speak(
        &mut self,
        place: usize,
        stored: &InboxEvent,
        event: &Event,
        message: &Message,
    ) -> Result<(), StoreError> {
        self.outbound.commit.finished.push(stored.seq);
        if let Some(mut speech) = Speech::of(message) {
            let event_id: Arc<str> = event.event_id.as_str().into();
            speech.reply = self.answered_message(place, message).await?;
            self.say_to_irc(place, stored, &event_id, &speech, 0, false);
            let now = self.now();
            self.typists.has_spoken(self.buffers.get(place).row.id, now);
        }
        Ok(())
    }

    /// The id of the message that another answers, where the network shows that.
    async fn answered_message(
        &mut self,
        place: usize,
        message: &Message,
    ) -> Result<Option<String>, StoreError> {
        let sends = self.link.as_ref().is_some_and(|link| link.session.sends_replies());
        let Some(event_id) = message.replies_to.as_ref().filter(|_| sends) else { return Ok(None) };
        let lines = self.bridge.store.lines_of_event(self.buffers.get(place).row.id, event_id).await?;
        Ok(lines.into_iter().next_back().map(|line| line.msgid))
    }

    /// Makes lines of what an event says, numbered from `part` on, about the message `about`; they are in the history
    /// already where they are `kept`.
    pub(super) fn say_to_irc(
        &mut self,
        place: usize,
        stored: &InboxEvent,
        about: &Arc<str>,
        speech: &Speech,
        part: i64,
        kept: bool,
    ) {
        let Some(link) = &self.link else { return };
        let kind = speech.kind;
        let name = self.buffers.get(place).row.name.clone();
        let limit = link.limit(&name, kind.into());
        let (text, lost) = link.as_written(&name, &speech.text);
        let pieces = pieces_of(&text, &limit);
        if pieces.len() > MOST_LINES {
            let reason = format!(
                "was not sent: it would be {} lines on IRC, and {MOST_LINES} are the most that people there bear.",
                pieces.len()
            );
            self.refuse_event(place, &stored.event_id, about, &reason);
            return;
        }
        let limits = link.session.multiline().filter(|_| kind == Kind::Privmsg && pieces.len() > 1);
        let messages = match limits {
            Some(limits) => long::messages_of(&text, &limit, limits),
            // Each may have to be cut once more, for another charset or connection.
            None => (0..).step_by(long::PARTS).zip(pieces).collect(),
        };
        let cause: Arc<str> = stored.event_id.as_str().into();
        let buffer = self.buffers.get(place).row.id;
        self.set_progress(buffer, &cause, about, messages.len());
        if messages.is_empty() {
            // Nothing to say is said at once.
            self.drop_progress(place, &cause);
        }
        if !kept {
            self.tell_of_lost(place, about, lost);
        }
        for (number, text) in messages {
            // Its first line answers; the others go with it.
            let reply = speech.reply.clone().filter(|_| number == 0);
            let payload = Payload { kind, text, at: stored.received_at, kept, reply };
            let (event_id, cause) = (Arc::clone(about), Arc::clone(&cause));
            let part = part + number;
            let line =
                LineReference { event_id, cause, part, buffer, payload, withdrawn: false, put_off: false };
            self.queue_line(place, line, false);
        }
    }

    /// Hands one line to the session.
    pub(super) fn queue_line(&mut self, place: usize, mut line: LineReference, is_stored: bool) {
        let name = &self.buffers.get(place).row.name;
        let Some(link) = &mut self.link else { return };
        // It will come back so, and be known by that.
        line.payload.text = link.as_written(name, &line.payload.text).0;
        let limit = link.limit(name, line.payload.kind.into());
        let wire = long::wire(&line.payload, &limit, link.session.multiline());
        if matches!(wire, Wire::Apart) {
            return self.say_apart(place, line, is_stored);
        }
        let id = MessageId(self.outbound.next_id);
        self.outbound.next_id += 1;
        let result = Target::parse(name, link.session.isupport())
            .map_err(|error| error.to_string())
            .and_then(|target| {
                let Payload { kind, text, reply, .. } = line.payload.clone();
                let sent = match &wire {
                    Wire::Several(pieces) => link.session.long_message(id, target, pieces, reply),
                    _ => link.session.message(OutgoingMessage { id, target, kind: kind.into(), text, reply }),
                };
                sent.map_err(|error| error.to_string())
            });
        match result {
            Ok(()) => {
                self.outbound.in_flight.insert(id, line);
                if !is_stored {
                    self.outbound.new.push(id);
                }
            }
            Err(error) => {
                let LineReference { event_id, cause, part, .. } = line;
                if is_stored {
                    // It must not come again after the next start.
                    self.outbound.commit.refused.push((event_id.to_string(), part));
                }
                self.tell_once(place, &cause, &format!("was not sent, or not all of it: {error}."));
                self.settle_one(place, &cause);
            }
        }
    }

    /// Lets go what may go now: committed first, together with what was read, then written.
    pub(super) async fn transmit(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        let transmit = self.link.as_mut().map(|link| link.session.transmit(now)).unwrap_or_default();
        let new = std::mem::take(&mut self.outbound.new);
        for id in &new {
            let Some(line) = self.outbound.in_flight.get(id) else {
                continue;
            };
            let leaves = transmit.messages.contains(id);
            let state = if leaves { LineState::Sending } else { LineState::Queued };
            self.outbound.commit.lines.push(line.stored(state));
        }
        for id in &transmit.messages {
            if !new.contains(id)
                && let Some(line) = self.outbound.in_flight.get(id)
            {
                self.outbound.commit.sending.push((line.event_id.to_string(), line.part));
            }
            self.keep_sent(*id);
        }
        self.incoming.outgoing = std::mem::take(&mut self.outbound.commit);
        self.commit_incoming().await?;
        failpoint!("line_sending", !transmit.messages.is_empty());
        if let Some(link) = &mut self.link {
            for line in &transmit.lines {
                link.connection.queue(line);
            }
        }
        Ok(())
    }

    /// A line leaves: from now on it is in the history, with this time. What others will see of it has a time near it.
    fn keep_sent(&mut self, id: MessageId) {
        let Some(line) = self.outbound.in_flight.get(&id) else {
            self.outbound.commit.history.extend(self.loose_line(id));
            return;
        };
        let (Some(place), Some(link)) = (self.buffers.find_id(line.buffer), &self.link) else { return };
        if self.is_service(&self.buffers.get(place).row.name) {
            return;
        }
        let kept = HistoryLine {
            buffer: line.buffer,
            at: self.bridge.clock.unix_ms(),
            kind: match line.payload.kind {
                Kind::Privmsg => "message",
                Kind::Notice => "notice",
                Kind::Action => "action",
            },
            sender: link.session.nick().to_owned(),
            account: None,
            target: None,
            text: line.payload.text.clone(),
            msgid: None,
            event_id: Some(line.event_id.to_string()),
            direction: Direction::Out,
            replayed: None,
        };
        if line.payload.kept {
            let (event_id, text) = (line.event_id.to_string(), line.payload.text.clone());
            self.outbound.commit.unkept.push(Unkept { buffer: line.buffer, event_id, text });
        }
        self.outbound.commit.history.push(kept);
    }
}

/// The lines of a text, each short enough.
pub(super) fn pieces_of(text: &str, limit: &Limit) -> Vec<String> {
    lines_of(text).flat_map(|line| split_line(&line, limit)).collect()
}
