//! What the user says, on its way to IRC.
//!
//! An event of the inbox waits there until its channel or nick can be spoken to; then it becomes lines, which are
//! committed before their bytes leave: `sending` those that the flood control lets go at once, `queued` the rest.
//! What the server says about a line settles it; the read receipt stands on the last event up to which every event
//! of the room is settled.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::content::{self, MessageType};
use super::{Actor, wording};
use crate::format::{RichText, lines_of, split_line};
use crate::irc::session::{MessageId, MessageKind, OutgoingMessage, Session, State, Target};
use crate::matrix::event::{Content, Event, Message};
use crate::names::Channel;
use crate::store::{
    BufferKind, Direction, HistoryLine, InboxEvent, LineState, NewLine, Outgoing, StoreError, StoredLine,
};

/// Events that are read at once.
const AT_ONCE: i64 = 100;
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

/// What the store keeps of a line, sealed.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Payload {
    kind: Kind,
    text: String,
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

/// How far an event is: how many of its lines are open.
struct Progress {
    event_id: Arc<str>,
    open: usize,
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
    held: HashMap<i64, VecDeque<InboxEvent>>,
    /// Stored lines that wait for a buffer.
    resend: HashMap<i64, VecDeque<LineReference>>,
    progress: HashMap<i64, VecDeque<Progress>>,
    /// The store failed: what it holds of unsettled lines is to be read again.
    must_take_up: bool,
}

impl Outbound {
    /// Nothing is known any more: everything is read from the store again, once that works.
    pub(super) fn after_failure() -> Self {
        Self { must_take_up: true, ..Self::default() }
    }

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
            match serde_json::from_str(&payload) {
                Ok(payload) if !sending => {
                    self.open_progress(buffer, &event_id, 1);
                    let line = LineReference { event_id, part, buffer, payload };
                    self.outbound.resend.entry(buffer).or_default().push_back(line);
                }
                _ => {
                    settled.push((event_id.to_string(), part));
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
        // First the notices, then the state: a crash in between tells twice rather than never.
        self.commit_incoming().await?;
        self.bridge.store.settle_lines(settled, LineState::Uncertain, None).await.committed().await
    }

    /// After a failure of the store: as after a restart.
    pub(super) async fn take_up_after_failure(&mut self) -> Result<(), StoreError> {
        if std::mem::take(&mut self.outbound.must_take_up) {
            self.take_up_lines().await?;
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Reads what has come into the session's lane of the inbox.
    pub(super) async fn read_inbox(&mut self) -> Result<(), StoreError> {
        loop {
            let events = self.bridge.store.waiting_events(&self.lane, self.outbound.cursor, AT_ONCE).await?;
            if events.is_empty() {
                return Ok(());
            }
            for event in events {
                self.outbound.cursor = event.seq;
                self.on_inbox(event).await?;
            }
            self.transmit().await?;
        }
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
        let place = self.buffer_of_room(&event.room_id).await?;
        // Only the owner of a private room speaks through it.
        let (Some(place), true) = (place, event.sender == self.row.user_id) else {
            self.outbound.commit.finished.push(stored.seq);
            return Ok(());
        };
        match &event.content {
            Content::Message(_) => {
                let buffer = self.buffers.get(place).row.id;
                if self.outbound.held.get(&buffer).is_none_or(VecDeque::is_empty) && self.can_speak(place) {
                    self.speak(place, &stored, &event);
                } else {
                    self.hold(place, stored);
                }
                return Ok(());
            }
            Content::Member(member) if member.user_id == self.row.user_id => {
                if matches!(member.membership.as_str(), "leave" | "ban") {
                    self.leave_buffer(place, event.sent_at).await?;
                }
            }
            Content::Encrypted => self.reply(
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

    /// The owner has left the room: out of the channel as well. In a query something may have been said since then,
    /// while the news was on its way: then they are invited again at once.
    async fn leave_buffer(&mut self, place: usize, left_at: i64) -> Result<(), StoreError> {
        let row = &self.buffers.get(place).row;
        if row.kind == BufferKind::Channel
            && row.wanted
            && let (Some(link), Ok(channel)) = (&mut self.link, Channel::new(&row.name))
        {
            link.session.part(&channel, "");
        }
        let buffer = self.buffers.get(place);
        if buffer.row.kind == BufferKind::Query && buffer.last_line >= left_at {
            return self.invite_owner(place).await;
        }
        self.want(place, false).await
    }

    /// Whether a line to this buffer would arrive, as far as is known.
    fn can_speak(&self, place: usize) -> bool {
        let row = &self.buffers.get(place).row;
        let Some(link) = &self.link else { return false };
        link.session.state() == State::Ready
            && (row.kind == BufferKind::Query || link.session.channel(&row.name).is_some())
            && self.outbound.resend.get(&row.id).is_none_or(VecDeque::is_empty)
    }

    /// Keeps an event for later; it stays in the inbox.
    fn hold(&mut self, place: usize, stored: InboxEvent) {
        let buffer = self.buffers.get_mut(place);
        let (id, told) = (buffer.row.id, std::mem::replace(&mut buffer.told_waiting, true));
        let held = self.outbound.held.entry(id).or_default();
        if held.len() >= MOST_HELD {
            self.outbound.commit.finished.push(stored.seq);
            self.reply(
                place,
                &stored.event_id,
                "was not sent: too many messages wait already. Send it again later.",
            );
            return;
        }
        let event_id = stored.event_id.clone();
        held.push_back(stored);
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

    /// A channel can be spoken to again: what waits goes first.
    pub(super) async fn release(&mut self, place: usize) -> Result<(), StoreError> {
        let buffer = self.buffers.get_mut(place);
        buffer.told_waiting = false;
        let id = buffer.row.id;
        for line in self.outbound.resend.remove(&id).unwrap_or_default() {
            self.queue_line(place, line, true);
        }
        for stored in self.outbound.held.remove(&id).unwrap_or_default() {
            let waited = self.bridge.clock.unix_ms().saturating_sub(stored.received_at);
            if u128::from(waited.unsigned_abs()) > self.bridge.config.limits.stale_after.as_millis() {
                self.outbound.commit.finished.push(stored.seq);
                self.reply(
                    place,
                    &stored.event_id,
                    "was not sent: it waited so long that the conversation has moved on. Send it again if you still \
                     want to say it.",
                );
                continue;
            }
            // It was read before: what is held can be read.
            if let Ok(event) = Event::read(&stored.json) {
                self.speak(place, &stored, &event);
            }
        }
        self.transmit().await
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
        let kind = match message.kind.as_str() {
            "m.text" => Kind::Privmsg,
            "m.emote" => Kind::Action,
            "m.notice" => Kind::Notice,
            _ => {
                self.reply(place, &event.event_id, "was not sent: only text can go to IRC so far.");
                return;
            }
        };
        let Some(link) = &self.link else { return };
        let name = self.buffers.get(place).row.name.clone();
        let budget = link.session.text_budget(&name, kind.into());
        let pieces = pieces_of(message, budget);
        if pieces.len() > MOST_LINES {
            let reason = format!(
                "was not sent: it would be {} lines on IRC, and {MOST_LINES} are the most that people there bear.",
                pieces.len()
            );
            self.reply(place, &event.event_id, &reason);
            return;
        }
        let event_id: Arc<str> = event.event_id.as_str().into();
        let own_nick = link.session.nick().to_owned();
        let buffer = self.buffers.get(place).row.id;
        self.open_progress(buffer, &event_id, pieces.len());
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
            let payload = Payload { kind, text };
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
                self.reply(place, &event_id, &format!("was not sent, or not all of it: {error}."));
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
        self.settle(messages, LineState::Confirmed).await;
    }

    pub(super) async fn on_refused(
        &mut self,
        messages: Vec<MessageId>,
        certain: bool,
        code: u16,
        reason: &str,
    ) {
        let lines = self.settle(messages, LineState::Refused).await;
        let what = if certain { "did not arrive" } else { "may not have arrived" };
        let remedy = wording::message_remedy(code);
        for (buffer, event_id) in lines {
            if let Some(place) = self.buffers.find_id(buffer) {
                let text = format!("{what}: {reason}. {remedy}");
                self.reply(place, &event_id, text.trim_end());
            }
        }
    }

    /// The link has ended: what left without an answer is uncertain, what did not leave waits for the next.
    pub(super) async fn give_back(&mut self, session: &Session) -> Result<(), StoreError> {
        // New lines that were never stored are stored now; none of them has left.
        self.transmit().await?;
        for (buffer, event_id) in self.settle(session.unconfirmed(), LineState::Uncertain).await {
            self.reply_uncertain(buffer, &event_id, "the connection broke while it was being sent");
        }
        for id in session.unsent() {
            if let Some(line) = self.outbound.in_flight.remove(&id) {
                self.outbound.resend.entry(line.buffer).or_default().push_back(line);
            }
        }
        Ok(())
    }

    /// Settles lines and gives the events that they belong to, each once.
    async fn settle(&mut self, messages: Vec<MessageId>, state: LineState) -> Vec<(i64, Arc<str>)> {
        let mut lines = Vec::with_capacity(messages.len());
        let mut events: Vec<(i64, Arc<str>)> = Vec::new();
        for id in messages {
            let Some(LineReference { event_id, part, buffer, .. }) = self.outbound.in_flight.remove(&id)
            else {
                continue;
            };
            lines.push((event_id.to_string(), part));
            if let Some(place) = self.buffers.find_id(buffer) {
                self.settle_one(place, &event_id);
            }
            if events.last().is_none_or(|(_, last)| *last != event_id) {
                events.push((buffer, event_id));
            }
        }
        if !lines.is_empty() {
            // Nobody waits for this commit: were it lost, the line would be uncertain, and its sender asked.
            drop(self.bridge.store.settle_lines(lines, state, None).await);
        }
        events
    }

    fn open_progress(&mut self, buffer: i64, event_id: &Arc<str>, lines: usize) {
        let events = self.outbound.progress.entry(buffer).or_default();
        match events.back_mut() {
            Some(last) if last.event_id == *event_id => last.open += lines,
            _ if lines == 0 => {}
            _ => events.push_back(Progress { event_id: Arc::clone(event_id), open: lines }),
        }
    }

    /// One line of an event is settled; the receipt moves as far as everything before it is settled, too.
    fn settle_one(&mut self, place: usize, event_id: &str) {
        let row = &self.buffers.get(place).row;
        let Some(events) = self.outbound.progress.get_mut(&row.id) else {
            return;
        };
        if let Some(event) = events.iter_mut().find(|event| &*event.event_id == event_id) {
            event.open = event.open.saturating_sub(1);
        }
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
            let text = format!("may not have arrived: {why}. If nobody answers, send it again.");
            self.reply(place, event_id, &text);
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
