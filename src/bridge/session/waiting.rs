//! Messages that wait: for the connection, for their channel, for what came before them.
//!
//! An event that waits stays in the inbox; only its number is kept here. What waits too long is not sent late into
//! another conversation: its sender is told.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::outbound::{Held, LineReference};
use super::{Actor, wording};
use crate::irc::session::State;
use crate::matrix::event::{Content, Event};
use crate::store::{BufferKind, InboxEvent, LineState, StoreError};

/// Events that are held for one buffer. Beyond it what is said to one that is open waits unread (`behind`), and where
/// nothing can be said the sender is told that theirs did not go.
pub(super) const MOST_HELD: usize = 500;
/// Why a message that waited too long was not sent …
const TOO_LATE: &str = "it waited so long that the conversation has moved on.";
/// … and what its sender can have done.
const OFFER: &str = "send it anyway";

impl Actor {
    /// Whether the server takes lines for this buffer, as far as is known.
    pub(super) fn is_open(&self, place: usize) -> bool {
        let row = &self.buffers.get(place).row;
        let Some(link) = &self.link else { return false };
        link.session.state() == State::Ready
            && (row.kind == BufferKind::Query || link.session.channel(&row.name).is_some())
    }

    /// Whether a line to this buffer may go now: nothing that came before it waits.
    pub(super) fn can_speak(&self, place: usize) -> bool {
        self.is_open(place) && !self.outbound.resend.contains_key(&self.buffers.get(place).row.id)
    }

    /// Keeps an event, which is about this message, for later; it stays in the inbox.
    pub(super) fn hold(&mut self, place: usize, stored: &InboxEvent, about: &Arc<str>) {
        let is_open = self.is_open(place);
        let id = self.buffers.get(place).row.id;
        let waiting = self.outbound.held.get(&id).map_or(0, VecDeque::len);
        // What waits from before the start is not turned away by it.
        if self.is_behind(id) || waiting >= MOST_HELD && (is_open || !self.outbound.has_read_all) {
            return self.fall_behind(place, stored.seq);
        }
        let buffer = self.buffers.get_mut(place);
        let told = is_open || std::mem::replace(&mut buffer.told_waiting, true);
        if waiting >= MOST_HELD {
            self.outbound.commit.finished.push(stored.seq);
            self.refuse_event(
                place,
                &stored.event_id,
                about,
                "was not sent: too many messages wait already. Send it again later.",
            );
            return;
        }
        let event_id: Arc<str> = stored.event_id.as_str().into();
        self.open_progress(id, &event_id, about, 1);
        let (seq, received_at) = (stored.seq, stored.received_at);
        let held = Held { seq, event_id, about: Arc::clone(about), original: None, received_at };
        self.outbound.held.entry(id).or_default().push_back(held);
        if !told {
            let limit = wording::duration(self.bridge.limits().stale_after);
            let is_relayed = self.outbound.relaying.of(about).is_some();
            let why = match &self.link {
                Some(link) if link.session.state() == State::Ready && is_relayed => {
                    "who says it for you is not in the channel now"
                }
                Some(link) if link.session.state() == State::Ready => "you are not in the channel now",
                _ => "there is no connection to the network now",
            };
            self.reply(
                place,
                about,
                &format!("waits: {why}. It goes when that has changed, within {limit}."),
            );
        }
    }

    /// A channel can be spoken to again: what waits goes first, as much as may be on its way.
    pub(super) async fn release(&mut self, place: usize) -> Result<(), StoreError> {
        let buffer = self.buffers.get_mut(place);
        buffer.told_waiting = false;
        let id = buffer.row.id;
        self.expire_buffer(place).await?;
        self.outbound.releasing.insert(id);
        while !self.is_crowded() && !self.is_full(id) {
            if let Some(line) = pop(&mut self.outbound.resend, id) {
                self.queue_line(place, line, true);
            } else if let Some(held) = pop(&mut self.outbound.held, id) {
                match self.read_held(&held).await? {
                    // It was found long after it was said, behind one that is younger.
                    Some((stored, event)) if self.is_too_old(&stored) => {
                        self.give_up_on(place, &held, &event).await?;
                    }
                    Some((stored, event)) => match &event.content {
                        Content::Message(message) => {
                            self.speak(place, &stored, &event, message).await?;
                            self.outbound.commit.finished.extend(held.original);
                        }
                        Content::Reaction(reaction) => self.answer_question(place, &stored, reaction).await?,
                        _ => self.settle_one(place, &held.event_id),
                    },
                    // It was there and could be read before; where it is not, nothing may wait for it.
                    None => self.settle_one(place, &held.event_id),
                }
            } else {
                self.outbound.releasing.remove(&id);
                break;
            }
        }
        self.transmit().await
    }

    /// Reads what was held. An edit in its message's place answers what that answers.
    async fn read_held(&mut self, held: &Held) -> Result<Option<(InboxEvent, Event)>, StoreError> {
        let Some((stored, mut event)) = self.read_waiting(held.seq).await? else { return Ok(None) };
        if let Some(original) = held.original
            && let Some((_, Event { content: Content::Message(original), .. })) =
                self.read_waiting(original).await?
            && let Content::Message(edit) = &mut event.content
        {
            (edit.replies_to, edit.thread) = (original.replies_to, original.thread);
        }
        Ok(Some((stored, event)))
    }

    /// The event that waits at this place in the inbox.
    async fn read_waiting(&mut self, seq: i64) -> Result<Option<(InboxEvent, Event)>, StoreError> {
        let stored = self.bridge.store.waiting_events(&self.lane, seq - 1, 1).await?;
        let stored = stored.into_iter().next().filter(|stored| stored.seq == seq);
        Ok(stored.and_then(|stored| Event::read(&stored.json).ok().map(|event| (stored, event))))
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
        i64::try_from(self.bridge.limits().stale_after.as_millis()).unwrap_or(i64::MAX)
    }

    /// Whether a message has come too late to be sent unasked.
    pub(super) fn is_too_old(&self, stored: &InboxEvent) -> bool {
        self.bridge.is_older(stored, self.bridge.limits().stale_after)
    }

    /// Gives up what has waited too long, and asks what to do with it.
    pub(super) async fn expire(&mut self) -> Result<(), StoreError> {
        let waiting = self.outbound.held.keys().chain(self.outbound.resend.keys());
        let buffers: BTreeSet<i64> = waiting.copied().collect();
        for buffer in buffers {
            if let Some(place) = self.buffers.find_id(buffer) {
                self.expire_buffer(place).await?;
            }
        }
        Ok(())
    }

    async fn expire_buffer(&mut self, place: usize) -> Result<(), StoreError> {
        let id = self.buffers.get(place).row.id;
        let last = self.bridge.clock.unix_ms().saturating_sub(self.patience());
        while front(&self.outbound.resend, id).is_some_and(|line| line.payload.at <= last) {
            let mut lines: Vec<LineReference> = pop(&mut self.outbound.resend, id).into_iter().collect();
            while front(&self.outbound.resend, id).is_some_and(|line| line.cause == lines[0].cause) {
                lines.extend(pop(&mut self.outbound.resend, id));
            }
            let what = format!("was not sent, or not all of it: {TOO_LATE}");
            self.ask_about_lines(&lines, LineState::Refused, &what, OFFER);
        }
        while front(&self.outbound.held, id).is_some_and(|held| held.received_at <= last) {
            let Some(held) = pop(&mut self.outbound.held, id) else { break };
            match self.read_held(&held).await? {
                Some((_, event)) => self.give_up_on(place, &held, &event).await?,
                // It was there and could be read before; where it is not, nothing may wait for it.
                None => self.settle_one(place, &held.event_id),
            }
        }
        Ok(())
    }

    /// Asks what to do with an event that waited too long.
    async fn give_up_on(&mut self, place: usize, held: &Held, event: &Event) -> Result<(), StoreError> {
        let what = format!("was not sent: {TOO_LATE}");
        match &event.content {
            Content::Message(message) => {
                let relayed = self.relayed_by(place, event);
                let message = &*message.without_profile(relayed.is_some());
                let mut speech = match &message.replaces {
                    Some(original) => self.speech_of_edit(place, message, original).await?,
                    None => self.speech_of(place, &held.event_id, message),
                };
                speech.iter_mut().for_each(|speech| speech.relayed.clone_from(&relayed));
                if let (Some(speech), None) = (&mut speech, &message.replaces) {
                    self.answer_on_irc(place, &held.about, message, speech).await?;
                }
                if let Some(speech) = speech {
                    if let Some(original) = &message.replaces {
                        self.end_page(place, original);
                    }
                    self.ask_about_message(place, &held.event_id, &held.about, speech, &what, OFFER);
                }
            }
            Content::Reaction(reaction) => {
                self.ask_again(place, &held.event_id, reaction, &what, OFFER).await?;
            }
            _ => self.tell_once(place, &held.event_id, &what),
        }
        // In the commit that asks: a crash in between would ask twice, and two answers send twice.
        self.incoming.fates.finished.extend(held.places());
        self.settle_one(place, &held.event_id);
        Ok(())
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
