//! What became of the user's messages: confirmed, refused, or not known; told once, and shown by the read receipt,
//! which stands on the last event up to which every event of the room is settled.

use std::sync::Arc;

use super::super::content::{self, MessageType};
use super::super::shared::Once;
use super::outbound::{LineReference, Progress};
use super::{Actor, wording};
use crate::format::RichText;
use crate::irc::session::{MessageId, Session};
use crate::store::{LineState, SentLine, StoreError, Unkept};

impl Actor {
    pub(super) async fn on_confirmed(&mut self, messages: Vec<MessageId>) {
        self.settle(messages, LineState::Confirmed, None).await;
        failpoint!("line_confirmed");
    }

    /// The server has shown a line of ours, and perhaps said how it calls it.
    pub(super) async fn on_echoed(&mut self, message: MessageId, msgid: Option<String>) {
        let line = self.outbound.in_flight.get(&message).map(|line| SentLine {
            buffer: line.buffer,
            since: line.payload.at,
            event_id: line.event_id.to_string(),
            text: line.payload.text.clone(),
        });
        if let (Some(line), Some(msgid)) = (line, msgid) {
            // Were this commit lost, the line would be known by its text.
            drop(self.bridge.store.note_msgid(line, msgid).await);
        }
        self.on_confirmed(vec![message]).await;
    }

    pub(super) async fn on_refused(
        &mut self,
        messages: Vec<MessageId>,
        certain: bool,
        code: u16,
        reason: &str,
    ) {
        let what = if certain { "did not arrive" } else { "may not have arrived" };
        let reason = reason.trim_end_matches(['.', ' ']);
        let text = format!("{what}: {reason}. {}", wording::message_remedy(code));
        self.settle(messages, LineState::Refused, Some(text.trim_end())).await;
    }

    /// A line that left did not arrive, and leaves again: the history has it already. In the store it stays as one that may
    /// have left, so that a crash while it waits asks about it.
    ///
    /// A message waits only as a whole. Where another part of it has arrived, or its sender was told that one did not,
    /// the rest is refused: a part that comes alone, and later than what was said since, helps nobody.
    pub(super) async fn on_put_off(&mut self, message: MessageId, code: u16, reason: &str) {
        let Some(line) = self.outbound.in_flight.get(&message) else {
            return self.put_off_loose(message, code, reason).await;
        };
        let is_whole = self.is_whole(line);
        let Some(line) = self.outbound.in_flight.get_mut(&message) else { return };
        line.put_off = true;
        if line.withdrawn {
            return self.drop_put_off(message);
        }
        if is_whole {
            line.payload.kept = true;
            return;
        }
        let (cause, buffer) = (Arc::clone(&line.cause), line.buffer);
        let Some(link) = &mut self.link else { return };
        let flying = &self.outbound.in_flight;
        let is_it = |line: &LineReference| line.cause == cause && line.buffer == buffer;
        let rest = link.session.withdraw(|id| flying.get(&id).is_some_and(is_it));
        self.on_refused(rest, true, code, reason).await;
    }

    /// A line was taken back while it was on its way, and did not arrive: nobody is to have it.
    fn drop_put_off(&mut self, message: MessageId) {
        if let Some(link) = &mut self.link {
            link.session.withdraw(|id| id == message);
        }
        if let Some(line) = self.outbound.in_flight.remove(&message) {
            self.drop_line(&line);
        }
    }

    /// A line does not go, or not again, as its sender wants it.
    pub(super) fn drop_line(&mut self, line: &LineReference) {
        if line.put_off {
            let (event_id, text) = (line.event_id.to_string(), line.payload.text.clone());
            self.outbound.commit.unkept.push(Unkept { buffer: line.buffer, event_id, text });
        }
        self.outbound.commit.refused.push(line.key());
        if let Some(place) = self.buffers.find_id(line.buffer) {
            self.settle_one(place, &line.cause);
        }
    }

    /// Whether nothing is known yet of any part of the message that a line belongs to.
    fn is_whole(&self, line: &LineReference) -> bool {
        let mut events = self.outbound.progress.get(&line.buffer).into_iter().flatten();
        let event = events.find(|event| event.event_id == line.cause);
        event.is_none_or(|event| !event.told && !event.arrived)
            && !self.outbound.uncertain.has(line.buffer, &line.cause)
    }

    /// The link has ended: what left without an answer is uncertain, what did not leave waits for the next.
    pub(super) async fn give_back(&mut self, session: &Session) -> Result<(), StoreError> {
        // New lines that were never stored are stored now; none of them has left.
        self.transmit().await?;
        self.settle_loose(&session.unconfirmed(), Some("may not have arrived: the connection broke."));
        self.settle_loose(&session.unsent(), Some("was not sent: the connection broke."));
        for id in session.unconfirmed() {
            match self.outbound.in_flight.remove(&id) {
                Some(line) if line.withdrawn => {
                    if let Some(place) = self.buffers.find_id(line.buffer) {
                        self.settle_one(place, &line.cause);
                    }
                }
                Some(line) => {
                    self.outbound.uncertain.add(line, "the connection broke while it was being sent");
                }
                None => {}
            }
        }
        if session.has_history() {
            // The network may tell that they arrived.
            let now = self.now();
            self.outbound.uncertain.wait_for_connection(now);
        } else {
            self.ask_about_uncertain(|_| true);
        }
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
    pub(super) async fn settle(&mut self, messages: Vec<MessageId>, state: LineState, fate: Option<&str>) {
        self.settle_loose(&messages, fate);
        let mut lines = Vec::with_capacity(messages.len());
        for id in messages {
            let Some(line) = self.outbound.in_flight.remove(&id) else { continue };
            lines.push(line.key());
            let LineReference { cause, buffer, .. } = line;
            if let Some(place) = self.buffers.find_id(buffer) {
                match fate {
                    Some(fate) => self.tell_once(place, &cause, fate),
                    None => self.mark_arrived(buffer, &cause),
                }
                self.settle_one(place, &cause);
            }
        }
        if fate.is_some() {
            // What is told is committed with it.
            let settled = lines.into_iter().map(|line| (line, state));
            self.incoming.fates.settled.extend(settled);
        } else if !lines.is_empty() {
            // Nobody waits for this commit: were it lost, the line would be uncertain, and its sender asked.
            self.tally.settled(state, lines.len());
            drop(self.bridge.store.settle_lines(lines, state, None).await);
        }
    }

    /// So many more lines of an event are open; they are about this message.
    pub(super) fn open_progress(&mut self, buffer: i64, event_id: &Arc<str>, about: &Arc<str>, lines: usize) {
        let since = self.now();
        let hourglass = self.outbound.hourglasses.contains_key(&(buffer, Arc::clone(about)));
        let events = self.outbound.progress.entry(buffer).or_default();
        match events.back_mut() {
            Some(last) if last.event_id == *event_id => last.open += lines,
            _ => {
                let (event_id, about) = (Arc::clone(event_id), Arc::clone(about));
                events.push_back(Progress::new(event_id, about, since, hourglass, lines));
            }
        }
    }

    /// So many lines of an event are open, which may have waited until now; they are about this message.
    pub(super) fn set_progress(&mut self, buffer: i64, event_id: &Arc<str>, about: &Arc<str>, lines: usize) {
        let since = self.now();
        let hourglass = self.outbound.hourglasses.contains_key(&(buffer, Arc::clone(about)));
        let events = self.outbound.progress.entry(buffer).or_default();
        match events.iter_mut().find(|event| event.event_id == *event_id) {
            Some(event) => event.open = lines,
            None => {
                let (event_id, about) = (Arc::clone(event_id), Arc::clone(about));
                events.push_back(Progress::new(event_id, about, since, hourglass, lines));
            }
        }
    }

    /// So many more lines of an event are open.
    pub(super) fn add_open(&mut self, place: usize, event_id: &str, lines: usize) {
        self.change_open(place, event_id, |open| open + lines);
    }

    /// An event that waited has come to nothing more: no lines of its own are open.
    pub(super) fn drop_progress(&mut self, place: usize, event_id: &str) {
        let buffer = self.buffers.get(place).row.id;
        let is_of_it = |line: &LineReference| line.buffer == buffer && &*line.cause == event_id;
        if !self.outbound.in_flight.values().any(is_of_it) {
            self.change_open(place, event_id, |_| 0);
        }
    }

    /// What an event is about does not go at all: its sender is told, and it is settled by that.
    pub(super) fn refuse_event(&mut self, place: usize, event_id: &str, about: &str, what: &str) {
        self.reply(place, about, what);
        self.settle_refused(place, event_id, about);
    }

    /// The same for a reason that is one for each channel that the room shows: it is told once.
    pub(super) fn refuse_for_all(&mut self, place: usize, event_id: &str, about: &str, what: &str) {
        if self.bridge.tells(self.buffers.get(place).row.room, event_id, Once::Refused) {
            self.reply_with(place, about, &RichText::plain(format!("Your message {what}")));
        }
        self.settle_refused(place, event_id, about);
    }

    fn settle_refused(&mut self, place: usize, event_id: &str, about: &str) {
        let buffer = self.buffers.get(place).row.id;
        if !self.outbound.progress.get(&buffer).into_iter().flatten().any(|one| &*one.event_id == event_id) {
            self.set_progress(buffer, &event_id.into(), &about.into(), 0);
        }
        self.change_open(place, event_id, |_| 0);
    }

    /// One line of an event is settled; the receipt moves as far as everything before it is settled, too.
    pub(super) fn settle_one(&mut self, place: usize, event_id: &str) {
        self.change_open(place, event_id, |open| open.saturating_sub(1));
    }

    /// Changes how many lines of an event are open. With the last of them its hourglass goes.
    fn change_open(&mut self, place: usize, event_id: &str, change: impl FnOnce(usize) -> usize) {
        let (buffer, now) = (self.buffers.get(place).row.id, self.now());
        let mut events = self.outbound.progress.get_mut(&buffer).into_iter().flatten();
        if let Some(event) = events.find(|event| &*event.event_id == event_id) {
            let was_open = std::mem::replace(&mut event.open, 0);
            event.open = change(was_open);
            if was_open > 0 && event.open == 0 && event.arrived && !event.told {
                self.tally.to_irc.observe(now.saturating_duration_since(event.since));
            }
            if event.open == 0 && std::mem::take(&mut event.hourglass) {
                let about = Arc::clone(&event.about);
                self.remove_hourglass(buffer, &about);
            }
        }
        self.advance(place);
    }

    pub(super) fn advance(&mut self, place: usize) {
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
        // In a shared room others' messages stand before it.
        if let Some(event) = settled.filter(|_| !self.is_shared(place)) {
            let row = &self.buffers.get(place).row;
            self.bridge.settle_up_to(row.room, &row.creator, &event.event_id);
        }
    }

    /// The sender of an event knows its fate; `false` where they did before.
    pub(super) fn mark_told(&mut self, place: usize, event_id: &str) -> bool {
        let buffer = self.buffers.get(place).row.id;
        let mut events = self.outbound.progress.get_mut(&buffer).into_iter().flatten();
        let event = events.find(|event| &*event.event_id == event_id);
        event.is_none_or(|event| !std::mem::replace(&mut event.told, true))
    }

    /// Some of an event has arrived.
    fn mark_arrived(&mut self, buffer: i64, event_id: &str) {
        let mut events = self.outbound.progress.get_mut(&buffer).into_iter().flatten();
        if let Some(event) = events.find(|event| &*event.event_id == event_id) {
            event.arrived = true;
        }
    }

    /// Answers a message with its fate, unless that was told of another of its lines.
    pub(super) fn tell_once(&mut self, place: usize, event_id: &str, what: &str) {
        if self.mark_told(place, event_id) {
            let buffer = self.buffers.get(place).row.id;
            let mut events = self.outbound.progress.get(&buffer).into_iter().flatten();
            let about =
                events.find(|event| &*event.event_id == event_id).map(|event| Arc::clone(&event.about));
            self.reply(place, about.as_deref().unwrap_or(event_id), what);
        }
    }

    /// Answers a message of the user, or of somebody for whom they speak, with what became of it. It mentions them: it must
    /// reach them. Gives the transaction id of the answer.
    pub(super) fn reply(&mut self, place: usize, event_id: &str, what: &str) -> String {
        let row = &self.buffers.get(place).row;
        let text = if self.bridge.shows_several(row.room) {
            format!("In {} on {} your message {what}", row.name, self.network.name)
        } else {
            format!("Your message {what}")
        };
        self.reply_with(place, event_id, &RichText::plain(text))
    }

    /// Answers a message with this.
    pub(super) fn reply_with(&mut self, place: usize, event_id: &str, text: &RichText) -> String {
        let row = &self.buffers.get(place).row;
        let sender = self.outbound.relaying.of(event_id).map_or(&self.row.user_id, |who| &who.user_id);
        let content = content::message(MessageType::Text, text, Some(sender));
        let content = content::in_reply_to(content, event_id);
        let row = content::message_row(row.room, &row.creator, content, None);
        let txn_id = row.txn_id.clone();
        self.incoming.outbox.push(row);
        txn_id
    }
}
