//! Messages that did not go, or may not have gone: their sender is asked, and a reaction sends them.
//!
//! The question is the bridge's answer to the message, with a reaction of its own under it: a button. A reaction of the
//! same kind by the room's owner, on the question or on the message itself, sends what is missing like a new message.
//!
//! A line that may have left is uncertain. Where the network keeps what was said, it is looked for there before anybody
//! is asked; nothing is ever sent again by itself.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::super::content;
use super::Actor;
use super::outgoing::{Kind, LineReference, Speech};
use crate::matrix::event::Reaction;
use crate::store::{InboxEvent, LineState, NewPrompt, Prompt, PromptState, StoreError};

/// The button.
const BUTTON: &str = "✅";
/// Reactions that mean the same.
const YES: [&str; 3] = ["✅", "✔", "👍"];
/// How long uncertain lines wait for what the network kept: from the start or the end of a connection …
const UNTIL_CONNECTED: Duration = Duration::from_mins(1);
/// … and when there is a connection.
const UNTIL_CAUGHT_UP: Duration = Duration::from_secs(30);
/// The numbers of the lines of one attempt to send a message begin at the next multiple of this.
const ATTEMPT: i64 = 1_000;

/// What would be sent.
#[derive(Debug, Serialize, Deserialize)]
struct Missing {
    kind: Kind,
    text: String,
    /// The number of its first line.
    part: i64,
    /// Whether the history has it already.
    kept: bool,
}

/// Lines that may have left.
#[derive(Debug, Default)]
pub(super) struct Uncertain {
    lines: Vec<(LineReference, &'static str)>,
    ask_at: Option<Instant>,
}

impl Uncertain {
    /// A line whose fate is not known, and why.
    pub(super) fn add(&mut self, line: LineReference, why: &'static str) {
        self.lines.push((line, why));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// When the senders are asked.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.ask_at.filter(|_| !self.is_empty())
    }

    /// Waits for a connection.
    pub(super) fn wait_for_connection(&mut self, now: Instant) {
        self.ask_at = Some(now + UNTIL_CONNECTED);
    }

    /// Waits for what the network kept.
    pub(super) fn wait_for_history(&mut self, now: Instant) {
        self.ask_at = Some(now + UNTIL_CAUGHT_UP);
    }
}

impl Actor {
    /// Asks about all uncertain lines, or those of one buffer.
    pub(super) fn ask_about_uncertain(&mut self, buffer: Option<i64>) {
        let all = std::mem::take(&mut self.outbound.uncertain.lines);
        let (asked, kept): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(line, _)| buffer.is_none_or(|buffer| line.buffer == buffer));
        self.outbound.uncertain.lines = kept;
        let mut asked = asked.into_iter().peekable();
        while let Some((first, why)) = asked.next() {
            let mut lines = vec![first];
            while let Some((line, _)) = asked.next_if(|(line, _)| line.cause == lines[0].cause) {
                lines.push(line);
            }
            let what = format!("may not have arrived: {why}.");
            self.ask_about_lines(&lines, LineState::Uncertain, &what, "send it again");
        }
    }

    /// Settles the lines of one message, and asks whether to send them.
    pub(super) fn ask_about_lines(
        &mut self,
        lines: &[LineReference],
        state: LineState,
        what: &str,
        offer: &str,
    ) {
        let settled = lines.iter().map(|line| (line.event_id.to_string(), line.part, state));
        self.incoming.fates.settled.extend(settled);
        let Some(first) = lines.first() else { return };
        let Some(place) = self.buffers.find_id(first.buffer) else { return };
        let last_part = lines.iter().map(|line| line.part).max().unwrap_or(0);
        let text: Vec<&str> = lines.iter().map(|line| line.payload.text.as_str()).collect();
        let missing = Missing {
            kind: first.payload.kind,
            text: text.join("\n"),
            part: (last_part / ATTEMPT + 1) * ATTEMPT,
            kept: true,
        };
        self.ask(place, &first.cause, &first.event_id, what, offer, &missing);
        for line in lines {
            self.settle_one(place, &line.cause);
        }
    }

    /// Asks about a message none of which was ever made a line.
    pub(super) fn ask_about_message(
        &mut self,
        place: usize,
        event_id: &Arc<str>,
        speech: Speech,
        what: &str,
        offer: &str,
    ) {
        let missing = Missing { kind: speech.kind, text: speech.text, part: 0, kept: false };
        self.ask(place, event_id, event_id, what, offer, &missing);
    }

    fn ask(
        &mut self,
        place: usize,
        cause: &str,
        event_id: &Arc<str>,
        what: &str,
        offer: &str,
        missing: &Missing,
    ) {
        self.mark_told(place, cause);
        let text = format!("{what} To {offer}, react to this with {BUTTON}.");
        let txn_id = self.reply(place, event_id, &text);
        let row = &self.buffers.get(place).row;
        let button = content::reaction_to_row(row.room, &row.creator, &txn_id, BUTTON);
        self.incoming.fates.prompts.push(NewPrompt {
            buffer: row.id,
            event_id: event_id.to_string(),
            txn_id,
            button: button.txn_id.clone(),
            payload: serde_json::to_string(missing).unwrap_or_default(),
        });
        self.incoming.outbox.push(button);
    }

    /// The room's owner reacted to something: what answers a question waits its turn like any message.
    pub(super) async fn on_reaction(
        &mut self,
        place: usize,
        stored: &InboxEvent,
        reaction: &Reaction,
    ) -> Result<(), StoreError> {
        match self.question(place, reaction).await? {
            Some(prompt) if prompt.state == PromptState::Open && self.must_wait(place) => {
                self.hold(place, stored);
            }
            prompt => self.answer(place, stored, prompt),
        }
        Ok(())
    }

    /// The turn of a reaction has come.
    pub(super) async fn answer_question(
        &mut self,
        place: usize,
        stored: &InboxEvent,
        reaction: &Reaction,
    ) -> Result<(), StoreError> {
        let prompt = self.question(place, reaction).await?;
        self.answer(place, stored, prompt);
        Ok(())
    }

    /// The question that a reaction answers; a reaction that answers none is just a reaction.
    async fn question(&mut self, place: usize, reaction: &Reaction) -> Result<Option<Prompt>, StoreError> {
        if !YES.contains(&reaction.key.trim_end_matches('\u{fe0f}')) {
            return Ok(None);
        }
        let buffer = self.buffers.get(place).row.id;
        let prompt = self.bridge.store.prompt(buffer, &reaction.to).await?;
        Ok(prompt.filter(|prompt| !self.outbound.commit.answered.contains(&prompt.id)))
    }

    /// Sends what a question is about.
    fn answer(&mut self, place: usize, stored: &InboxEvent, prompt: Option<Prompt>) {
        match prompt {
            Some(prompt) if prompt.state == PromptState::Open => {
                match serde_json::from_str::<Missing>(&prompt.payload) {
                    Ok(Missing { kind, text, part, kept }) => {
                        self.outbound.commit.answered.push(prompt.id);
                        let row = &self.buffers.get(place).row;
                        let unbutton = content::unreact_row(row.room, &row.creator, &prompt.button);
                        self.incoming.outbox.push(unbutton);
                        let speech = Speech { kind, text };
                        let about = prompt.event_id.as_str().into();
                        self.say_to_irc(place, stored, &about, &speech, part, kept);
                    }
                    Err(error) => tracing::error!(%error, "what a question was about can't be read"),
                }
            }
            Some(prompt) if prompt.state == PromptState::Closed => {
                self.reply(place, &prompt.event_id, "is too old to be sent by a reaction. Write it again.");
            }
            _ => {}
        }
        self.outbound.commit.finished.push(stored.seq);
        self.drop_progress(place, &stored.event_id);
    }

    /// The network kept a line of ours: it did arrive.
    pub(super) async fn confirm_uncertain(&mut self, place: usize, nick: &str, own: bool, text: &str) {
        let buffer = self.buffers.get(place).row.id;
        let is_it = |line: &LineReference| {
            line.buffer == buffer && line.payload.text == text && (own || line.payload.nick == nick)
        };
        let Some(found) = self.outbound.uncertain.lines.iter().position(|(line, _)| is_it(line)) else {
            return;
        };
        let (line, _) = self.outbound.uncertain.lines.remove(found);
        let settled = vec![(line.event_id.to_string(), line.part)];
        // Were this commit lost, the line would be looked for again.
        drop(self.bridge.store.settle_lines(settled, LineState::Confirmed, None).await);
        self.settle_one(place, &line.cause);
    }

    /// The owner took an event back: what did not leave yet does not leave, and nobody is asked about it.
    pub(super) fn withdraw(&mut self, place: usize, event_id: &str) {
        let buffer = self.buffers.get(place).row.id;
        self.incoming.fates.withdrawn.push(event_id.to_owned());
        let mut causes = BTreeSet::new();
        for gone in take_out(&mut self.outbound.held, buffer, |held| &*held.event_id == event_id) {
            self.outbound.commit.finished.push(gone.seq);
            causes.insert(gone.event_id);
        }
        let mut lines: Vec<LineReference> =
            take_out(&mut self.outbound.resend, buffer, |line| &*line.event_id == event_id).into();
        if let Some(link) = &mut self.link {
            let flying = &self.outbound.in_flight;
            let ours = |id| flying.get(&id).is_some_and(|line| &*line.event_id == event_id);
            for id in link.session.withdraw(ours) {
                lines.extend(self.outbound.in_flight.remove(&id));
            }
        }
        for line in lines {
            self.outbound.commit.refused.push((line.event_id.to_string(), line.part));
            self.settle_one(place, &line.cause);
        }
        for cause in causes {
            self.settle_one(place, &cause);
        }
    }

    /// Does what uncertain lines have waited for.
    pub(super) fn tick_uncertain(&mut self) {
        if self.outbound.uncertain.deadline().is_some_and(|at| at <= self.now()) {
            self.ask_about_uncertain(None);
        }
    }

    /// Whether a new message to this buffer has to wait.
    pub(super) fn must_wait(&self, place: usize) -> bool {
        self.outbound.held.contains_key(&self.buffers.get(place).row.id) || !self.can_speak(place)
    }
}

/// Takes out of a buffer's queue that for which this holds; an empty queue is gone.
fn take_out<T>(
    queues: &mut HashMap<i64, VecDeque<T>>,
    buffer: i64,
    holds: impl Fn(&T) -> bool,
) -> VecDeque<T> {
    let (taken, kept): (VecDeque<T>, VecDeque<T>) =
        queues.remove(&buffer).into_iter().flatten().partition(holds);
    if !kept.is_empty() {
        queues.insert(buffer, kept);
    }
    taken
}
