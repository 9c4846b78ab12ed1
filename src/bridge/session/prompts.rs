//! Messages that did not go, or may not have gone: their sender is asked, and a reaction sends them.
//!
//! The question is the bridge's answer to the message, with a reaction of its own under it: a button. A reaction of the
//! same kind by the room's owner, on the question or on the message itself, sends what is missing like a new message.
//!
//! A line that may have left is uncertain. Where the network keeps what was said, it is looked for there before anybody
//! is asked; nothing is ever sent again by itself.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::super::content;
use super::Actor;
use super::outbound::{Held, LineReference};
use super::relay::Relayed;
use super::speech::{Kind, Speech};
use crate::matrix::event::Reaction;
use crate::store::{InboxEvent, LineState, NewPrompt, Prompt, PromptState, StoreError};

/// The button.
const BUTTON: &str = "✅";
/// Reactions that mean the same, without what says how they look.
const YES: [&str; 3] = ["✅", "✔", "👍"];
/// What says how an emoji looks: as an emoji, or with one of five colours of skin.
const LOOKS: [char; 6] = ['\u{fe0f}', '\u{1f3fb}', '\u{1f3fc}', '\u{1f3fd}', '\u{1f3fe}', '\u{1f3ff}'];
/// How long uncertain lines wait for what the network kept: from the start or the end of a connection …
const UNTIL_CONNECTED: Duration = Duration::from_mins(1);
/// … and when there is a connection.
const UNTIL_CAUGHT_UP: Duration = Duration::from_secs(30);
/// The numbers of the lines that answer a question begin at the question's number times this: no two lines of a message
/// have the same.
const ATTEMPT: i64 = 1_000;

/// What would be sent.
#[derive(Debug, Serialize, Deserialize)]
struct Missing {
    kind: Kind,
    text: String,
    /// Whether the history has it already.
    kept: bool,
    /// The id of the message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply: Option<String>,
    /// Who says it, if not the session's user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    relayed: Option<Box<Relayed>>,
}

/// What a reaction is about.
enum Asked {
    /// Questions about one message, of which this is the first.
    Open(Prompt, Vec<Prompt>),
    /// A question about this message that nobody can answer any more.
    TooOld(String),
    /// No question, or one that was answered.
    Nothing,
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

    /// Whether a line of this event's to a buffer is among them.
    pub(super) fn has(&self, buffer: i64, cause: &str) -> bool {
        self.lines.iter().any(|(line, _)| line.buffer == buffer && &*line.cause == cause)
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
    /// Asks about the uncertain lines of the buffers for which this holds.
    pub(super) fn ask_about_uncertain(&mut self, holds: impl Fn(i64) -> bool) {
        let all = std::mem::take(&mut self.outbound.uncertain.lines);
        let (asked, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(|(line, _)| holds(line.buffer));
        self.outbound.uncertain.lines = kept;
        let mut asked = asked.into_iter().peekable();
        while let Some((first, why)) = asked.next() {
            let mut lines = vec![first];
            while let Some((line, _)) = asked.next_if(|(line, _)| is_of_same_message(line, &lines[0])) {
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
        let settled = lines.iter().map(|line| (line.key(), state));
        self.incoming.fates.settled.extend(settled);
        let Some(first) = lines.first() else { return };
        let Some(place) = self.buffers.find_id(first.buffer) else { return };
        let text: Vec<&str> = lines.iter().map(|line| line.payload.said()).collect();
        let kept = state == LineState::Uncertain || first.payload.kept;
        let (reply, relayed) = (first.payload.reply.clone(), first.payload.relayed.clone());
        let missing = Missing { kind: first.payload.kind, text: text.join("\n"), kept, reply, relayed };
        self.ask(place, &first.cause, &first.event_id, what, offer, &missing);
        for line in lines {
            self.settle_one(place, &line.cause);
        }
    }

    /// Asks about a message none of which was ever made a line.
    pub(super) fn ask_about_message(
        &mut self,
        place: usize,
        cause: &str,
        event_id: &Arc<str>,
        speech: Speech,
        what: &str,
        offer: &str,
    ) {
        let Speech { kind, text, reply, relayed, .. } = speech;
        let missing = Missing { kind, text, kept: false, reply, relayed };
        self.ask(place, cause, event_id, what, offer, &missing);
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
        let asked = self.asked(place, reaction).await?;
        // What is an answer for one of several channels that the room shows is nothing for the others.
        if matches!(asked, Asked::Nothing) && !self.answers_elsewhere(place, reaction).await? {
            self.react_on_irc(place, &stored.event_id, reaction).await?;
        }
        if let Asked::Open(first, _) = &asked {
            let about: Arc<str> = first.event_id.as_str().into();
            let buffer = self.buffers.get(place).row.id;
            if let Some(refusal) = self.has_left(place).filter(|_| !self.is_behind(buffer)) {
                self.outbound.commit.finished.push(stored.seq);
                self.refuse_event(place, &stored.event_id, &about, &refusal);
                return Ok(());
            }
            if self.must_wait(place) {
                self.hold(place, stored, &about);
                return Ok(());
            }
            if self.is_full(buffer) || self.is_crowded() {
                self.outbound.releasing.insert(buffer);
                self.hold(place, stored, &about);
                return Ok(());
            }
        }
        self.answer(place, stored, asked);
        Ok(())
    }

    /// Somebody for whom the session speaks reacted to something: it answers what they were asked, and is nothing else.
    pub(super) async fn on_others_reaction(
        &mut self,
        place: usize,
        stored: &InboxEvent,
        user_id: &str,
        reaction: &Reaction,
    ) -> Result<(), StoreError> {
        let is_theirs = |prompt: &Prompt| {
            let payload = prompt.payload.as_deref().unwrap_or_default();
            let read = serde_json::from_str::<Missing>(payload).ok();
            read.and_then(|missing| missing.relayed).is_some_and(|who| who.user_id == user_id)
        };
        match self.asked(place, reaction).await? {
            Asked::Open(first, more) if std::iter::once(&first).chain(&more).all(is_theirs) => {
                self.on_reaction(place, stored, reaction).await
            }
            _ => {
                self.outbound.commit.finished.push(stored.seq);
                Ok(())
            }
        }
    }

    /// The turn of a reaction has come.
    pub(super) async fn answer_question(
        &mut self,
        place: usize,
        stored: &InboxEvent,
        reaction: &Reaction,
    ) -> Result<(), StoreError> {
        let asked = self.asked(place, reaction).await?;
        self.answer(place, stored, asked);
        Ok(())
    }

    /// Whether it is under what is asked about another channel that the room shows, or about the message there.
    async fn answers_elsewhere(&mut self, place: usize, reaction: &Reaction) -> Result<bool, StoreError> {
        let (is_plumbed, buffer) = (self.is_plumbed(place), self.buffers.get(place).row.id);
        Ok(is_plumbed
            && YES.contains(&reaction.key.trim_end_matches(LOOKS))
            && self.bridge.store.is_asked_elsewhere(buffer, &reaction.to).await?)
    }

    /// What a reaction answers: the question under which it stands, or all about the message.
    async fn asked(&mut self, place: usize, reaction: &Reaction) -> Result<Asked, StoreError> {
        if !YES.contains(&reaction.key.trim_end_matches(LOOKS)) {
            return Ok(Asked::Nothing);
        }
        self.bridge.note_echo(&reaction.to).await?;
        let buffer = self.buffers.get(place).row.id;
        let prompts = self.bridge.store.prompts(buffer, &reaction.to).await?;
        if let Some(last) = prompts.last().filter(|last| last.state == PromptState::Closed) {
            return Ok(Asked::TooOld(last.event_id.clone()));
        }
        // What was settled in this turn is not committed yet.
        let settled = [&self.outbound.commit.answered, &self.incoming.fates.replaced];
        let mut open: Vec<Prompt> = prompts
            .into_iter()
            .filter(|one| one.state == PromptState::Open && !settled.iter().any(|ids| ids.contains(&one.id)))
            .collect();
        if let Some(place) = open.iter().position(|one| one.is_under) {
            return Ok(Asked::Open(open.swap_remove(place), Vec::new()));
        }
        let mut open = open.into_iter();
        Ok(open.next().map_or(Asked::Nothing, |first| Asked::Open(first, open.collect())))
    }

    /// Sends what questions are about.
    fn answer(&mut self, place: usize, stored: &InboxEvent, asked: Asked) {
        match asked {
            Asked::Open(first, more) => {
                let (about, part) = (first.event_id.as_str().into(), first.id.saturating_mul(ATTEMPT));
                let prompts: Vec<Prompt> = std::iter::once(first).chain(more).collect();
                self.outbound.commit.answered.extend(prompts.iter().map(|prompt| prompt.id));
                if let Some(Missing { kind, text, kept, reply, relayed }) = self.missing(place, &prompts) {
                    let speech = Speech { kind, text, reply, is_wanted: true, relayed };
                    self.say_to_irc(place, stored, &about, &speech, part, kept);
                }
            }
            Asked::TooOld(about) => {
                self.reply(place, &about, "is too old to be sent by a reaction. Write it again.");
            }
            Asked::Nothing => {}
        }
        self.outbound.commit.finished.push(stored.seq);
        self.drop_progress(place, &stored.event_id);
    }

    /// What questions about one message would send. Their buttons go.
    fn missing(&mut self, place: usize, prompts: &[Prompt]) -> Option<Missing> {
        let mut missing: Option<Missing> = None;
        for prompt in prompts {
            self.remove_button(place, prompt);
            let read =
                prompt.payload.as_deref().and_then(|payload| serde_json::from_str::<Missing>(payload).ok());
            match (&mut missing, read) {
                (_, None) => {
                    tracing::error!(event = %prompt.event_id, "what a question is about can't be read");
                    let what =
                        "can't be sent by a reaction: what was stored of it can't be read. Write it again.";
                    self.reply(place, &prompt.event_id, what);
                }
                (Some(missing), Some(more)) => {
                    missing.text.push('\n');
                    missing.text.push_str(&more.text);
                }
                (missing, read) => *missing = read,
            }
        }
        missing
    }

    pub(super) fn remove_button(&mut self, place: usize, prompt: &Prompt) {
        let row = &self.buffers.get(place).row;
        self.incoming.outbox.push(content::unreact_row(row.room, &row.creator, &prompt.button));
    }

    /// An answer has waited too long: its questions are asked anew, with a button that nobody has pressed yet.
    pub(super) async fn ask_again(
        &mut self,
        place: usize,
        cause: &Arc<str>,
        reaction: &Reaction,
        what: &str,
        offer: &str,
    ) -> Result<(), StoreError> {
        if let Asked::Open(first, more) = self.asked(place, reaction).await? {
            let about: Arc<str> = first.event_id.as_str().into();
            let prompts: Vec<Prompt> = std::iter::once(first).chain(more).collect();
            self.incoming.fates.replaced.extend(prompts.iter().map(|prompt| prompt.id));
            if let Some(missing) = self.missing(place, &prompts) {
                self.ask(place, cause, &about, what, offer, &missing);
            }
        }
        Ok(())
    }

    /// A line of ours came back from the network, which kept it: it did arrive.
    pub(super) async fn confirm_uncertain(&mut self, buffer: i64, event_id: &str, text: &str) {
        let is_it = |line: &LineReference| {
            line.buffer == buffer && &*line.event_id == event_id && line.payload.text == text
        };
        let Some(found) = self.outbound.uncertain.lines.iter().position(|(line, _)| is_it(line)) else {
            return;
        };
        let (line, _) = self.outbound.uncertain.lines.remove(found);
        // Were this commit lost, the line would be looked for again.
        drop(self.bridge.store.settle_lines(vec![line.key()], LineState::Confirmed, None).await);
        if let Some(place) = self.buffers.find_id(line.buffer) {
            self.settle_one(place, &line.cause);
        }
    }

    /// The owner took an event back: what did not leave yet does not leave, and nobody is asked about it.
    pub(super) async fn withdraw(&mut self, place: usize, event_id: &str) -> Result<(), StoreError> {
        let buffer = self.buffers.get(place).row.id;
        if !self.incoming.fates.prompts.is_empty() {
            // All of this turn so far: what is told of an event goes with what is done with it.
            self.transmit().await?;
        }
        let prompts = self.bridge.store.prompts(buffer, event_id).await?;
        if prompts.iter().any(|prompt| prompt.event_id == event_id) {
            self.incoming.fates.withdrawn.push((buffer, event_id.to_owned()));
            for prompt in prompts.iter().filter(|prompt| prompt.state == PromptState::Open) {
                self.remove_button(place, prompt);
            }
        }
        // The message, or the reaction that was to send it.
        let is_meant = |held: &Held| &*held.event_id == event_id || &*held.about == event_id;
        for gone in take_out(&mut self.outbound.held, buffer, is_meant) {
            self.outbound.commit.finished.extend(gone.places());
            self.settle_one(place, &gone.event_id);
        }
        self.withdraw_behind(buffer, event_id).await?;
        let is_it = |line: &LineReference| &*line.event_id == event_id;
        let mut lines: Vec<LineReference> = take_out(&mut self.outbound.resend, buffer, is_it).into();
        if let Some(link) = &mut self.link {
            let flying = &self.outbound.in_flight;
            let ours = |id| flying.get(&id).is_some_and(|line| line.buffer == buffer && is_it(line));
            for id in link.session.withdraw(ours) {
                lines.extend(self.outbound.in_flight.remove(&id));
            }
        }
        // What has left can't be held back. Whatever becomes of it, also after a crash, nobody is asked.
        let flying = self.outbound.in_flight.values_mut();
        for line in flying.filter(|line| line.buffer == buffer && is_it(line)) {
            line.withdrawn = true;
            self.incoming.fates.settled.push((line.key(), LineState::Uncertain));
        }
        for line in lines {
            self.drop_line(&line);
        }
        let uncertain = std::mem::take(&mut self.outbound.uncertain.lines).into_iter();
        let (gone, kept) = uncertain.partition(|(line, _)| line.buffer == buffer && is_it(line));
        self.outbound.uncertain.lines = kept;
        for (line, _) in gone {
            self.incoming.fates.settled.push((line.key(), LineState::Uncertain));
            self.settle_one(place, &line.cause);
        }
        Ok(())
    }

    /// Does what uncertain lines have waited for.
    pub(super) fn tick_uncertain(&mut self) {
        if self.outbound.uncertain.deadline().is_some_and(|at| at <= self.now()) {
            self.outbound.uncertain.ask_at = None;
            // Where the network still tells what it kept, the end of that decides.
            let coming: Vec<i64> = self.catching_up.buffers().collect();
            self.ask_about_uncertain(|buffer| !coming.contains(&buffer));
        }
    }

    /// Whether a new message to this buffer has to wait.
    pub(super) fn must_wait(&self, place: usize) -> bool {
        let buffer = self.buffers.get(place).row.id;
        self.outbound.held.contains_key(&buffer) || self.is_behind(buffer) || !self.can_speak(place)
    }
}

/// Whether two lines are of one message to one buffer.
pub(super) fn is_of_same_message(one: &LineReference, other: &LineReference) -> bool {
    one.buffer == other.buffer && one.cause == other.cause
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
