//! What the user says, on its way to IRC.
//!
//! A message becomes lines, which are committed before their bytes leave: `sending` those that the flood control lets
//! go at once, `queued` the rest. What comes from the rooms is read in `inbox`, what waits is in `waiting`, what becomes
//! of a line in `settlement`.

use std::sync::Arc;

use super::Actor;
use super::long::{self, Wire};
use super::outbound::LineReference;
use super::relay::Relayed;
use super::speech::{Kind, Payload, Speech, pieces_of};
use crate::format::Prefix;
use crate::irc::session::{MessageId, OutgoingMessage, Target};
use crate::matrix::event::{Event, Message};
use crate::store::{Direction, HistoryLine, InboxEvent, LineKey, LineState, StoreError, StoredLine, Unkept};

/// Lines that may be on their way at a time; further messages wait in the inbox. Less than the session's queue holds
/// by more than one event can become, so that no line of a user's is turned away there.
const MOST_IN_FLIGHT: usize = 256;
/// Lines to one buffer that may be among them, so that a long paste leaves room for what is said elsewhere.
const MOST_OF_BUFFER: usize = 64;
/// Lines that one message may become, where the network does not take them as one. What is longer belongs into a file.
const MOST_LINES: usize = 60;

impl Actor {
    /// Takes up the lines that the last run left: those that may have left are uncertain, the others wait again.
    pub(super) async fn take_up_lines(&mut self) -> Result<(), StoreError> {
        self.take_up_hourglasses().await?;
        for StoredLine { buffer, event_id, part, sending, payload } in
            self.bridge.store.open_lines(self.row.id).await?
        {
            let event_id: Arc<str> = event_id.into();
            self.open_progress(buffer, &event_id, &event_id, 1);
            match serde_json::from_str::<Payload>(&payload) {
                Ok(payload) => {
                    if let Some(who) = payload.relayed.clone() {
                        self.outbound.relaying.note(&event_id, buffer, who);
                    }
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
                    let line = LineKey { buffer, event_id: event_id.to_string(), part };
                    self.incoming.fates.settled.push((line, LineState::Refused));
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

    /// Makes lines of a message and hands them to the session.
    pub(super) async fn speak(
        &mut self,
        place: usize,
        stored: &InboxEvent,
        event: &Event,
        message: &Message,
    ) -> Result<(), StoreError> {
        let relayed = self.relayed_by(place, event);
        let message = &*message.without_profile(relayed.is_some());
        if let Some(original) = &message.replaces {
            return self.speak_edit(place, stored, message, original, relayed).await;
        }
        self.outbound.commit.finished.push(stored.seq);
        if let Some(mut speech) = Speech::of(message, self.in_words_of_irc(place, message)) {
            speech.relayed = relayed;
            let event_id: Arc<str> = event.event_id.as_str().into();
            self.remember(place, &event_id, &speech.text);
            self.attach(place, &event_id, message, &mut speech);
            self.answer_on_irc(place, &event_id, message, &mut speech).await?;
            self.say_to_irc(place, stored, &event_id, &speech, 0, false);
            let now = self.now();
            self.typists.has_spoken(self.buffers.get(place).row.id, now);
        }
        Ok(())
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
        let kind = speech.kind;
        let nick = speech.relayed.as_deref().and_then(|who| self.relay_nick(place, who, kind));
        let Some(link) = &self.link else { return };
        let name = self.buffers.get(place).row.name.clone();
        let prefix = speech.relayed.as_deref().map(|who| self.prefix_of(place, who, kind));
        let limit = match (&nick, &prefix) {
            (Some(nick), _) => link.relay_limit(&name, nick, kind.into()),
            (None, Some(prefix)) => link.limit(&name, kind.into()).behind(&prefix.text),
            (None, None) => link.limit(&name, kind.into()),
        };
        let (mut text, lost) = link.as_written(&name, &speech.text);
        let mut pieces = pieces_of(&text, &limit);
        // Somebody's name stands before each line that could else be anybody's.
        let is_long = kind == Kind::Privmsg && prefix.is_none() && pieces.len() > 1;
        let limits = link.session.multiline().filter(|_| is_long);
        let fits = match limits {
            Some(limits) => long::messages_of(&text, &limit, limits).len() <= 1,
            None => pieces.len() <= self.most_lines(place),
        };
        if !fits && let Some(excerpt) = self.excerpt(place, about, speech, &pieces) {
            text = self.as_written(place, &excerpt);
            pieces = pieces_of(&text, &limit);
        }
        if !fits && pieces.len() <= MOST_LINES && self.is_flood(place, speech, pieces.len()) {
            return self.ask_about_flood(place, stored, about, speech, pieces.len());
        }
        if !fits && pieces.len() > MOST_LINES {
            let reason = format!(
                "was not sent: it would be {} lines on IRC, and {MOST_LINES} are the most that people there bear.",
                pieces.len()
            );
            self.refuse_event(place, &stored.event_id, about, &reason);
            return;
        }
        let messages = match limits {
            Some(limits) => long::messages_of(&text, &limit, limits),
            // Each may have to be cut once more, for another charset or connection.
            None => (0..)
                .step_by(long::PARTS)
                .zip(prefixed(pieces, prefix.as_ref().filter(|_| nick.is_none())))
                .collect(),
        };
        let relayed = speech.relayed.clone().zip(prefix).map(|(mut who, prefix)| {
            (who.prefix, who.nick) = (prefix.text, nick.unwrap_or_default());
            who
        });
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
            let relayed = relayed.clone();
            let payload = Payload { kind, text, at: stored.received_at, kept, reply, relayed };
            let (event_id, cause) = (Arc::clone(about), Arc::clone(&cause));
            let part = part + number;
            let line =
                LineReference { event_id, cause, part, buffer, payload, withdrawn: false, put_off: false };
            self.queue_line(place, line, false);
        }
    }

    /// Hands one line to the session.
    pub(super) fn queue_line(&mut self, place: usize, mut line: LineReference, is_stored: bool) {
        let nick = line.payload.relayed.as_deref().and_then(Relayed::nick).map(str::to_owned);
        let name = &self.buffers.get(place).row.name;
        let Some(link) = &mut self.link else { return };
        // It will come back so, and be known by that.
        line.payload.text = link.as_written(name, &line.payload.text).0;
        let now = self.bridge.clock.now();
        if nick.as_deref().is_some_and(|nick| !link.can_relay(name, nick, &line.payload, now)) {
            return self.say_apart(place, line, is_stored);
        }
        let limit = link.limit(name, line.payload.kind.into());
        let limits = link.session.multiline().filter(|_| line.payload.relayed.is_none());
        let wire = if nick.is_some() { Wire::One } else { long::wire(&line.payload, &limit, limits) };
        if matches!(wire, Wire::Apart) {
            return self.say_apart(place, line, is_stored);
        }
        let id = MessageId(self.outbound.next_id);
        self.outbound.next_id += 1;
        let result = Target::parse(name, link.session.isupport())
            .map_err(|error| error.to_string())
            .and_then(|target| {
                let Payload { kind, text, reply, .. } = line.payload.clone();
                let sent = match (&wire, &nick) {
                    (Wire::Several(pieces), _) => link.session.long_message(id, target, pieces, reply),
                    (_, Some(nick)) => link
                        .session
                        .relay(OutgoingMessage { id, target, kind: kind.into(), text, reply }, nick),
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
                if is_stored {
                    // It must not come again after the next start.
                    self.outbound.commit.refused.push(line.key());
                }
                let cause = line.cause;
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
                self.outbound.commit.sending.push(line.key());
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
        self.note_relayed_nick(line);
        if let Some(who) = line.payload.relayed.as_deref() {
            let now = self.bridge.clock.now();
            let is_action = line.payload.kind == Kind::Action;
            self.outbound.relaying.say(&who.as_heard(&line.payload.text, is_action), is_action, now);
        }
        let (Some(place), Some(link)) = (self.buffers.find_id(line.buffer), &self.link) else { return };
        if self.is_service(&self.buffers.get(place).row.name) {
            return;
        }
        let kept = HistoryLine {
            buffer: line.buffer,
            channel: self.shared_channel(place),
            at: self.bridge.clock.unix_ms(),
            kind: match line.payload.kind {
                Kind::Privmsg => "message",
                Kind::Notice => "notice",
                Kind::Action => "action",
            },
            sender: line
                .payload
                .relayed
                .as_deref()
                .and_then(Relayed::nick)
                .unwrap_or(link.session.nick())
                .to_owned(),
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

/// Lines with what stands before them.
fn prefixed(lines: Vec<String>, prefix: Option<&Prefix>) -> Vec<String> {
    match prefix {
        Some(prefix) => prefix.put(lines),
        None => lines,
    }
}
