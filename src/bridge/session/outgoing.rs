//! What the user says, on its way to IRC.
//!
//! An event of the inbox waits there until its channel or nick can be spoken to; then it becomes lines, which are
//! committed before their bytes leave: `sending` those that the flood control lets go at once, `queued` the rest.
//! What the server says about a line settles it; the read receipt stands on the last event up to which every event
//! of the room is settled.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::super::content::{self, MessageType};
use super::{Actor, wording};
use crate::format::{RichText, lines_of, may_hold_password, split_line};
use crate::irc::session::{MessageId, MessageKind, OutgoingMessage, Session, State, Target};
use crate::matrix::event::{Content, Event, Message};
use crate::store::{
    BufferKind, Direction, HistoryLine, InboxEvent, LineState, NewLine, Outgoing, StoreError, StoredLine,
};

/// Events that are read at once.
const AT_ONCE: i64 = 100;
/// Lines that may be on their way at a time; further events stay in the inbox. Less than the session's queue holds
/// by more than one event can become, so that no line of a user's is turned away there.
const MOST_IN_FLIGHT: usize = 256;
/// Events that may wait for one buffer. Beyond it the sender is told that theirs did not go.
const MOST_HELD: usize = 500;
/// Lines that one message may become. What is longer belongs into a file.
const MOST_LINES: usize = 60;

/// A line, in the store and on its way.
#[derive(Debug, Clone)]
struct LineReference {
    event_id: Arc<str>,
    part: i64,
    /// The number of the buffer.
    buffer: i64,
    payload: Payload,
}

/// An event that waits in the inbox for its buffer.
#[derive(Debug)]
struct Held {
    seq: i64,
    event_id: Arc<str>,
    received_at: i64,
}

/// What the store keeps of a line, sealed.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Payload {
    kind: Kind,
    text: String,
    /// When the event was accepted, in milliseconds since 1970.
    at: i64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
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
struct Progress {
    event_id: Arc<str>,
    /// How many of its lines are open; an event that waits counts as one.
    open: usize,
    /// Its sender knows that not all of it arrived.
    told: bool,
}

/// What the actor knows of the user's messages.
#[derive(Default)]
pub(super) struct Outbound {
    /// The last event of the inbox that was looked at.
    cursor: i64,
    next_id: u64,
    in_flight: HashMap<MessageId, LineReference>,
    /// New lines, to be stored before they leave.
    new: Vec<MessageId>,
    /// To be committed with them.
    commit: Outgoing,
    /// Events that wait for a buffer, by its number; they are in the store.
    held: HashMap<i64, VecDeque<Held>>,
    /// Buffers that can be spoken to, and whose release has to go on.
    releasing: BTreeSet<i64>,
    /// There may be more in the inbox, for which there was no room.
    unread: bool,
    /// Stored lines that wait for a buffer.
    resend: HashMap<i64, VecDeque<LineReference>>,
    progress: HashMap<i64, VecDeque<Progress>>,
}

impl Outbound {
    /// How many messages wait.
    pub(super) fn waiting(&self) -> usize {
        self.held.values().map(VecDeque::len).sum::<usize>()
            + self.resend.values().map(VecDeque::len).sum::<usize>()
            + self.in_flight.len()
    }
}

impl Actor {
    /// Takes up the lines that the last run left: those that may have left are uncertain, the others wait again.
    pub(super) async fn take_up_lines(&mut self) -> Result<(), StoreError> {
        let mut uncertain: Vec<(i64, Arc<str>)> = Vec::new();
        let mut settled = Vec::new();
        for StoredLine { buffer, event_id, part, sending, payload } in
            self.bridge.store.open_lines(self.row.id).await?
        {
            let event_id: Arc<str> = event_id.into();
            self.open_progress(buffer, &event_id, 1);
            match serde_json::from_str(&payload) {
                Ok(payload) if !sending => {
                    let line = LineReference { event_id, part, buffer, payload };
                    self.outbound.resend.entry(buffer).or_default().push_back(line);
                }
                _ => {
                    settled.push((buffer, Arc::clone(&event_id), part));
                    if uncertain.last().is_none_or(|(_, last)| *last != event_id) {
                        uncertain.push((buffer, event_id));
                    }
                }
            }
        }
        if settled.is_empty() {
            return Ok(());
        }
        for (buffer, event_id) in uncertain {
            self.reply_uncertain(buffer, &event_id, "towline was stopped while it was being sent");
        }
        let parts: Vec<(i64, Arc<str>)> =
            settled.iter().map(|(buffer, id, _)| (*buffer, Arc::clone(id))).collect();
        let settled = settled.into_iter().map(|(_, id, part)| (id.to_string(), part)).collect();
        // First the notices, then the state: a crash in between tells twice rather than never.
        self.commit_incoming().await?;
        self.bridge.store.settle_lines(settled, LineState::Uncertain, None).await.committed().await?;
        for (buffer, event_id) in parts {
            if let Some(place) = self.buffers.find_id(buffer) {
                self.settle_one(place, &event_id);
            }
        }
        Ok(())
    }

    /// Whether so much is on its way that the rest had better stay in the store.
    fn is_crowded(&self) -> bool {
        self.outbound.in_flight.len() >= MOST_IN_FLIGHT
    }

    /// Goes on where too much was on its way.
    pub(super) async fn take_more(&mut self) -> Result<(), StoreError> {
        while !self.is_crowded() {
            if let Some(&buffer) = self.outbound.releasing.first() {
                match self.buffers.find_id(buffer).filter(|&place| self.is_open(place)) {
                    Some(place) => self.release(place).await?,
                    None => {
                        self.outbound.releasing.remove(&buffer);
                    }
                }
            } else if self.outbound.unread {
                self.read_inbox().await?;
            } else {
                break;
            }
        }
        Ok(())
    }

    /// Reads what has come into the session's lane of the inbox.
    pub(super) async fn read_inbox(&mut self) -> Result<(), StoreError> {
        self.outbound.unread = true;
        while !self.is_crowded() {
            let events = self.bridge.store.waiting_events(&self.lane, self.outbound.cursor, AT_ONCE).await?;
            if events.is_empty() {
                self.outbound.unread = false;
                return Ok(());
            }
            for event in events {
                if self.is_crowded() {
                    break;
                }
                self.outbound.cursor = event.seq;
                self.on_inbox(event).await?;
            }
            self.transmit().await?;
        }
        Ok(())
    }

    async fn on_inbox(&mut self, stored: InboxEvent) -> Result<(), StoreError> {
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
            Content::Message(message) if is_owner => {
                self.on_room_message(place, &stored, &event, message);
                return Ok(());
            }
            // By themselves, or by an administrator.
            Content::Member(member) if member.user_id == self.row.user_id => match member.membership.as_str() {
                "leave" | "ban" => self.leave_buffer(place, event.sent_at).await?,
                "join" => self.buffers.get_mut(place).invited = true,
                _ => {}
            },
            Content::Encrypted if is_owner => self.refuse_event(
                place,
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

    fn on_room_message(&mut self, place: usize, stored: &InboxEvent, event: &Event, message: &Message) {
        let row = &self.buffers.get(place).row;
        let buffer = row.id;
        if wording::is_service(&row.name) && may_hold_password(&message.body) {
            let redaction =
                content::redact_row(row.room, &row.creator, &event.event_id, "It held a password");
            self.incoming.outbox.push(redaction);
        }
        let refusal = if Kind::of(message).is_none() {
            "was not sent: only text can go to IRC so far.".to_owned()
        } else if row.kind == BufferKind::Channel && !row.wanted {
            let name = &row.name;
            format!("was not sent: you have left {name}. To return, type join {name} in the network's room.")
        } else if self.outbound.held.contains_key(&buffer) || !self.can_speak(place) {
            return self.hold(place, stored);
        } else {
            return self.speak(place, stored, event);
        };
        self.outbound.commit.finished.push(stored.seq);
        self.refuse_event(place, &event.event_id, &refusal);
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
            let (id, name) = (buffer.row.id, buffer.row.name.clone());
            self.bridge.store.set_wanted(id, false).await?;
            let buffer = self.buffers.get_mut(place);
            buffer.row.wanted = false;
            if let (Some(link), Ok(channel)) = (&mut self.link, crate::names::Channel::new(&name)) {
                buffer.parting = link.session.channel(&name).is_some();
                link.session.part(&channel, "");
            }
        }
        Ok(())
    }

    /// Whether the server takes lines for this buffer, as far as is known.
    fn is_open(&self, place: usize) -> bool {
        let row = &self.buffers.get(place).row;
        let Some(link) = &self.link else { return false };
        link.session.state() == State::Ready
            && (row.kind == BufferKind::Query || link.session.channel(&row.name).is_some())
    }

    /// Whether a line to this buffer may go now: nothing that came before it waits.
    fn can_speak(&self, place: usize) -> bool {
        self.is_open(place) && !self.outbound.resend.contains_key(&self.buffers.get(place).row.id)
    }

    /// Keeps an event for later; it stays in the inbox.
    fn hold(&mut self, place: usize, stored: &InboxEvent) {
        let is_open = self.is_open(place);
        let buffer = self.buffers.get_mut(place);
        let id = buffer.row.id;
        let told = is_open || std::mem::replace(&mut buffer.told_waiting, true);
        if self.outbound.held.get(&id).is_some_and(|held| held.len() >= MOST_HELD) {
            self.outbound.commit.finished.push(stored.seq);
            self.refuse_event(
                place,
                &stored.event_id,
                "was not sent: too many messages wait already. Send it again later.",
            );
            return;
        }
        let event_id: Arc<str> = stored.event_id.as_str().into();
        self.open_progress(id, &event_id, 1);
        let held = Held { seq: stored.seq, event_id: Arc::clone(&event_id), received_at: stored.received_at };
        self.outbound.held.entry(id).or_default().push_back(held);
        if !told {
            let limit = wording::duration(self.bridge.config.limits.stale_after);
            let why = match &self.link {
                Some(link) if link.session.state() == State::Ready => "you are not in the channel now",
                _ => "there is no connection to the network now",
            };
            self.reply(
                place,
                &event_id,
                &format!("waits: {why}. It goes when that has changed, within {limit}."),
            );
        }
    }

    /// A channel can be spoken to again: what waits goes first, as much as may be on its way.
    pub(super) async fn release(&mut self, place: usize) -> Result<(), StoreError> {
        let buffer = self.buffers.get_mut(place);
        buffer.told_waiting = false;
        let id = buffer.row.id;
        self.expire_buffer(place);
        self.outbound.releasing.insert(id);
        while !self.is_crowded() {
            if let Some(line) = pop(&mut self.outbound.resend, id) {
                self.queue_line(place, line, true);
            } else if let Some(held) = pop(&mut self.outbound.held, id) {
                let stored = self.bridge.store.waiting_events(&self.lane, held.seq - 1, 1).await?;
                match stored.first().map(|stored| (stored, Event::read(&stored.json))) {
                    Some((stored, Ok(event))) if stored.seq == held.seq => self.speak(place, stored, &event),
                    // It was there and could be read before; where it is not, nothing may wait for it.
                    _ => self.settle_one(place, &held.event_id),
                }
            } else {
                self.outbound.releasing.remove(&id);
                break;
            }
        }
        self.transmit().await
    }

    /// When the next message has waited too long.
    pub(super) fn expires_at(&self) -> Option<Instant> {
        let held = self.outbound.held.values().filter_map(|held| Some(held.front()?.received_at));
        let lines = self.outbound.resend.values().filter_map(|lines| Some(lines.front()?.payload.at));
        let oldest = held.chain(lines).min()?;
        let left = oldest.saturating_add(self.patience()).saturating_sub(self.bridge.clock.unix_ms());
        Some(self.now() + Duration::from_millis(left.max(0).unsigned_abs()))
    }

    /// How long a message may wait, in milliseconds.
    fn patience(&self) -> i64 {
        i64::try_from(self.bridge.config.limits.stale_after.as_millis()).unwrap_or(i64::MAX)
    }

    /// Gives up what has waited too long, and says so.
    pub(super) fn expire(&mut self) {
        let waiting = self.outbound.held.keys().chain(self.outbound.resend.keys());
        let buffers: BTreeSet<i64> = waiting.copied().collect();
        for place in buffers.into_iter().filter_map(|buffer| self.buffers.find_id(buffer)).collect::<Vec<_>>()
        {
            self.expire_buffer(place);
        }
    }

    fn expire_buffer(&mut self, place: usize) {
        let id = self.buffers.get(place).row.id;
        let last = self.bridge.clock.unix_ms().saturating_sub(self.patience());
        let why = "it waited so long that the conversation has moved on. Send it again if you still want to say it.";
        while front(&self.outbound.resend, id).is_some_and(|line| line.payload.at <= last) {
            let Some(LineReference { event_id, part, .. }) = pop(&mut self.outbound.resend, id) else {
                break;
            };
            self.outbound.commit.refused.push((event_id.to_string(), part));
            self.tell_once(place, &event_id, &format!("was not sent, or not all of it: {why}"));
            self.settle_one(place, &event_id);
        }
        while front(&self.outbound.held, id).is_some_and(|held| held.received_at <= last) {
            let Some(Held { seq, event_id, .. }) = pop(&mut self.outbound.held, id) else { break };
            self.outbound.commit.finished.push(seq);
            self.tell_once(place, &event_id, &format!("was not sent: {why}"));
            self.settle_one(place, &event_id);
        }
    }

    /// The network can be spoken to again: so can every nick.
    pub(super) async fn release_queries(&mut self) -> Result<(), StoreError> {
        for place in 0..self.buffers.len() {
            if self.buffers.get(place).row.kind == BufferKind::Query {
                self.release(place).await?;
            }
        }
        Ok(())
    }

    /// Makes lines of an event and hands them to the session.
    fn speak(&mut self, place: usize, stored: &InboxEvent, event: &Event) {
        self.outbound.commit.finished.push(stored.seq);
        let Content::Message(message) = &event.content else {
            return;
        };
        let (Some(kind), Some(link)) = (Kind::of(message), &self.link) else {
            return;
        };
        let name = self.buffers.get(place).row.name.clone();
        let budget = link.session.text_budget(&name, kind.into());
        let pieces = pieces_of(message, budget);
        if pieces.len() > MOST_LINES {
            let reason = format!(
                "was not sent: it would be {} lines on IRC, and {MOST_LINES} are the most that people there bear.",
                pieces.len()
            );
            self.refuse_event(place, &event.event_id, &reason);
            return;
        }
        let event_id: Arc<str> = event.event_id.as_str().into();
        let own_nick = link.session.nick().to_owned();
        let buffer = self.buffers.get(place).row.id;
        self.set_progress(buffer, &event_id, pieces.len());
        if pieces.is_empty() {
            // Nothing to say is said at once.
            self.advance(place);
        }
        for (part, text) in pieces.into_iter().enumerate() {
            if !wording::is_service(&name) {
                self.outbound.commit.history.push(HistoryLine {
                    buffer,
                    at: self.bridge.clock.unix_ms(),
                    kind: match kind {
                        Kind::Privmsg => "message",
                        Kind::Notice => "notice",
                        Kind::Action => "action",
                    },
                    sender: own_nick.clone(),
                    account: None,
                    text: text.clone(),
                    msgid: None,
                    event_id: Some(event_id.to_string()),
                    direction: Direction::Out,
                });
            }
            let payload = Payload { kind, text, at: stored.received_at };
            let line = LineReference { event_id: Arc::clone(&event_id), part: part as i64, buffer, payload };
            self.queue_line(place, line, false);
        }
    }

    /// Hands one line to the session.
    fn queue_line(&mut self, place: usize, line: LineReference, is_stored: bool) {
        let name = &self.buffers.get(place).row.name;
        let Some(link) = &mut self.link else { return };
        let id = MessageId(self.outbound.next_id);
        self.outbound.next_id += 1;
        let result = Target::parse(name, link.session.isupport())
            .map_err(|error| error.to_string())
            .and_then(|target| {
                let (kind, text) = (line.payload.kind.into(), line.payload.text.clone());
                link.session
                    .message(OutgoingMessage { id, target, kind, text })
                    .map_err(|error| error.to_string())
            });
        match result {
            Ok(()) => {
                self.outbound.in_flight.insert(id, line);
                if !is_stored {
                    self.outbound.new.push(id);
                }
            }
            Err(error) => {
                let LineReference { event_id, part, .. } = line;
                if is_stored {
                    // It must not come again after the next start.
                    self.outbound.commit.refused.push((event_id.to_string(), part));
                }
                self.tell_once(place, &event_id, &format!("was not sent, or not all of it: {error}."));
                self.settle_one(place, &event_id);
            }
        }
    }

    /// Lets go what may go now: committed first, then written.
    pub(super) async fn transmit(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        let transmit = self.link.as_mut().map(|link| link.session.transmit(now)).unwrap_or_default();
        let mut commit = std::mem::take(&mut self.outbound.commit);
        let new = std::mem::take(&mut self.outbound.new);
        for id in &new {
            let Some(line) = self.outbound.in_flight.get(id) else {
                continue;
            };
            let leaves = transmit.messages.contains(id);
            commit.lines.push(NewLine {
                buffer: line.buffer,
                event_id: line.event_id.to_string(),
                part: line.part,
                state: if leaves { LineState::Sending } else { LineState::Queued },
                payload: serde_json::to_string(&line.payload).unwrap_or_default(),
            });
        }
        for id in &transmit.messages {
            if !new.contains(id)
                && let Some(line) = self.outbound.in_flight.get(id)
            {
                commit.sending.push((line.event_id.to_string(), line.part));
            }
        }
        if !commit.is_empty() {
            let now = self.bridge.clock.unix_ms();
            self.bridge.store.commit_outgoing(self.row.id, self.epoch, commit, now).await?;
        }
        if let Some(link) = &mut self.link {
            for line in &transmit.lines {
                link.connection.queue(line);
            }
        }
        // What was said about messages meanwhile.
        self.commit_incoming().await
    }

    pub(super) async fn on_confirmed(&mut self, messages: Vec<MessageId>) {
        self.settle(messages, LineState::Confirmed, None).await;
    }

    pub(super) async fn on_refused(
        &mut self,
        messages: Vec<MessageId>,
        certain: bool,
        code: u16,
        reason: &str,
    ) {
        let what = if certain { "did not arrive" } else { "may not have arrived" };
        let text = format!("{what}: {reason}. {}", wording::message_remedy(code));
        self.settle(messages, LineState::Refused, Some(text.trim_end())).await;
    }

    /// The link has ended: what left without an answer is uncertain, what did not leave waits for the next.
    pub(super) async fn give_back(&mut self, session: &Session) -> Result<(), StoreError> {
        // New lines that were never stored are stored now; none of them has left.
        self.transmit().await?;
        let why = uncertain("the connection broke while it was being sent");
        self.settle(session.unconfirmed(), LineState::Uncertain, Some(&why)).await;
        // They were released first, so they go before what still waits for its release.
        for id in session.unsent().into_iter().rev() {
            if let Some(line) = self.outbound.in_flight.remove(&id) {
                self.outbound.resend.entry(line.buffer).or_default().push_front(line);
            }
        }
        self.outbound.releasing.clear();
        Ok(())
    }

    /// Settles lines, and tells the senders of their events what that means, once for each event.
    async fn settle(&mut self, messages: Vec<MessageId>, state: LineState, fate: Option<&str>) {
        let mut lines = Vec::with_capacity(messages.len());
        for id in messages {
            let Some(LineReference { event_id, part, buffer, .. }) = self.outbound.in_flight.remove(&id)
            else {
                continue;
            };
            lines.push((event_id.to_string(), part));
            if let Some(place) = self.buffers.find_id(buffer) {
                if let Some(fate) = fate {
                    self.tell_once(place, &event_id, fate);
                }
                self.settle_one(place, &event_id);
            }
        }
        if !lines.is_empty() {
            // Nobody waits for this commit: were it lost, the line would be uncertain, and its sender asked.
            drop(self.bridge.store.settle_lines(lines, state, None).await);
        }
    }

    /// So many more lines of an event are open.
    fn open_progress(&mut self, buffer: i64, event_id: &Arc<str>, lines: usize) {
        let events = self.outbound.progress.entry(buffer).or_default();
        match events.back_mut() {
            Some(last) if last.event_id == *event_id => last.open += lines,
            _ => events.push_back(Progress { event_id: Arc::clone(event_id), open: lines, told: false }),
        }
    }

    /// So many lines of an event are open, which may have waited until now.
    fn set_progress(&mut self, buffer: i64, event_id: &Arc<str>, lines: usize) {
        let events = self.outbound.progress.entry(buffer).or_default();
        match events.iter_mut().find(|event| event.event_id == *event_id) {
            Some(event) => event.open = lines,
            None => events.push_back(Progress { event_id: Arc::clone(event_id), open: lines, told: false }),
        }
    }

    /// An event does not go at all: its sender is told, and it is settled by that.
    fn refuse_event(&mut self, place: usize, event_id: &str, what: &str) {
        self.reply(place, event_id, what);
        let buffer = self.buffers.get(place).row.id;
        self.set_progress(buffer, &event_id.into(), 0);
        self.advance(place);
    }

    /// One line of an event is settled; the receipt moves as far as everything before it is settled, too.
    fn settle_one(&mut self, place: usize, event_id: &str) {
        let buffer = self.buffers.get(place).row.id;
        let mut events = self.outbound.progress.get_mut(&buffer).into_iter().flatten();
        if let Some(event) = events.find(|event| &*event.event_id == event_id) {
            event.open = event.open.saturating_sub(1);
        }
        self.advance(place);
    }

    fn advance(&mut self, place: usize) {
        let row = &self.buffers.get(place).row;
        let Some(events) = self.outbound.progress.get_mut(&row.id) else {
            return;
        };
        let mut settled = None;
        while events.front().is_some_and(|event| event.open == 0) {
            settled = events.pop_front();
        }
        if events.is_empty() {
            self.outbound.progress.remove(&row.id);
        }
        if let Some(event) = settled {
            self.bridge.settle_up_to(row.room, &row.creator, &event.event_id);
        }
    }

    fn reply_uncertain(&mut self, buffer: i64, event_id: &str, why: &str) {
        if let Some(place) = self.buffers.find_id(buffer) {
            self.tell_once(place, event_id, &uncertain(why));
        }
    }

    /// Answers a message with its fate, unless that was told of another of its lines.
    fn tell_once(&mut self, place: usize, event_id: &str, what: &str) {
        let buffer = self.buffers.get(place).row.id;
        let mut events = self.outbound.progress.get_mut(&buffer).into_iter().flatten();
        let event = events.find(|event| &*event.event_id == event_id);
        if event.is_none_or(|event| !std::mem::replace(&mut event.told, true)) {
            self.reply(place, event_id, what);
        }
    }

    /// Answers a message of the user with what became of it. It mentions them: it must reach them.
    fn reply(&mut self, place: usize, event_id: &str, what: &str) {
        let row = &self.buffers.get(place).row;
        let text = RichText::plain(format!("Your message {what}"));
        let content = content::message(MessageType::Text, &text, Some(&self.row.user_id));
        let content = content::in_reply_to(content, event_id);
        self.incoming.outbox.push(content::message_row(row.room, &row.creator, content, None));
    }
}

fn uncertain(why: &str) -> String {
    format!("may not have arrived: {why}. If nobody answers, send it again.")
}

fn front<T>(queues: &HashMap<i64, VecDeque<T>>, buffer: i64) -> Option<&T> {
    queues.get(&buffer)?.front()
}

/// The next of a queue; an empty queue is gone.
fn pop<T>(queues: &mut HashMap<i64, VecDeque<T>>, buffer: i64) -> Option<T> {
    let queue = queues.get_mut(&buffer)?;
    let next = queue.pop_front();
    if queue.is_empty() {
        queues.remove(&buffer);
    }
    next
}

/// The lines of a message, each short enough.
fn pieces_of(message: &Message, budget: usize) -> Vec<String> {
    let mut body = message.body.clone();
    if message.replaces.is_some() {
        // Until edits are shown as what they change.
        body.insert_str(0, "* ");
    }
    lines_of(&body)
        .flat_map(|line| split_line(&line, budget).into_iter().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}
