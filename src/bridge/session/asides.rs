//! Reactions and redactions where the network has no such thing: nothing is said of them, or a line, as the user has
//! chosen.
//!
//! Reactions to one message that come close together are one line. Like the reactions themselves they wait in memory, in
//! bounded number, and what can't be said then is not said (invariant 9). Of what was taken back nothing is repeated.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Actor;
use super::speech::{Kind, Speech};
use crate::format::{neutral, quote};
use crate::matrix::event::Reaction;
use crate::store::{BufferKind, InboxEvent, StoreError};

/// How long further reactions to a message are waited for.
const FOLDED: Duration = Duration::from_secs(5);
/// Messages whose reactions wait.
const MOST_MESSAGES: usize = 32;
/// Reactions to one of them that are told.
const MOST_KEYS: usize = 5;
/// Characters of a reaction.
const LONGEST_KEY: usize = 20;

/// What becomes of reactions where the network has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reactions {
    Silent,
    Line,
}

/// What becomes of redactions where the network has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Redactions {
    Silent,
    Line,
}

/// Reactions that wait to be told.
#[derive(Debug, Default)]
pub(super) struct Reacting {
    waiting: VecDeque<Reacted>,
}

#[derive(Debug)]
struct Reacted {
    /// The number of the buffer.
    buffer: i64,
    /// The message.
    to: String,
    /// The reactions, by their events.
    keys: Vec<(Arc<str>, String)>,
    due: Instant,
}

impl Reacting {
    fn add(&mut self, buffer: i64, event_id: &str, reaction: &Reaction, now: Instant) {
        // A picture of one's own has no name that others know.
        let key = if reaction.key.starts_with("mxc:") { String::new() } else { neutral(&reaction.key) };
        let key: String = key.split_whitespace().collect::<Vec<_>>().join(" ");
        if key.is_empty() || key.chars().count() > LONGEST_KEY {
            return;
        }
        let is_it = |one: &Reacted| one.buffer == buffer && one.to == reaction.to;
        if !self.waiting.iter().any(is_it) && self.waiting.len() < MOST_MESSAGES {
            let (to, keys) = (reaction.to.clone(), Vec::new());
            self.waiting.push_back(Reacted { buffer, to, keys, due: now + FOLDED });
        }
        let Some(Reacted { keys, .. }) = self.waiting.iter_mut().find(|one| is_it(one)) else { return };
        if keys.len() < MOST_KEYS && !keys.iter().any(|(_, known)| *known == key) {
            keys.push((event_id.into(), key));
        }
    }

    /// A reaction was taken back before it was told, if it is one.
    pub(super) fn forget(&mut self, event_id: &str) {
        self.waiting.iter_mut().for_each(|one| one.keys.retain(|(known, _)| &**known != event_id));
        self.waiting.retain(|one| !one.keys.is_empty());
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.front().map(|one| one.due)
    }

    fn take_due(&mut self, now: Instant) -> Option<Reacted> {
        self.waiting.pop_front_if(|one| one.due <= now)
    }
}

impl Actor {
    /// The user has reacted to something that was said, and the network has no reactions.
    pub(super) fn fold_reaction(&mut self, place: usize, event_id: &str, reaction: &Reaction) {
        let buffer = self.buffers.get(place).row.id;
        if self.manners.choice::<Reactions>(buffer) == Reactions::Line {
            let now = self.now();
            self.reacting.add(buffer, event_id, reaction, now);
        }
    }

    /// Tells what has waited long enough for more of its kind.
    pub(super) async fn tick_reactions(&mut self) -> Result<(), StoreError> {
        while let Some(Reacted { buffer, to, keys, .. }) = self.reacting.take_due(self.now()) {
            let (Some(place), Some((first, _))) = (self.buffers.find_id(buffer), keys.first()) else {
                continue;
            };
            let lines = self.lines_of_event(place, &to).await?;
            let Some(line) = lines.iter().find(|line| line.kind != "redacted") else { continue };
            if !self.all_have_seen(buffer, line).await? {
                continue;
            }
            let is_query = self.buffers.get(place).row.kind == BufferKind::Query;
            let whose = if line.own || is_query { String::new() } else { format!("{}: ", line.sender) };
            let keys: Vec<&str> = keys.iter().map(|(_, key)| key.as_str()).collect();
            let text = format!("reacted with {} to {whose}{}", keys.join(" "), quote(&line.text));
            self.say_aside(place, first, text);
        }
        Ok(())
    }

    /// The user has taken back what stays on IRC.
    pub(super) fn tell_taken_back(&mut self, place: usize, cause: &str, was_last: bool) {
        let buffer = self.buffers.get(place).row.id;
        if self.manners.choice::<Redactions>(buffer) == Redactions::Line {
            let which = if was_last { "the last message" } else { "an earlier message" };
            self.say_aside(place, cause, format!("takes {which} back"));
        }
    }

    /// Says what somebody does, if it can be said now.
    fn say_aside(&mut self, place: usize, cause: &str, text: String) {
        let row = &self.buffers.get(place).row;
        let is_full = self.is_full(row.id) || self.is_crowded();
        if is_full || self.must_wait(place) || self.has_left(place).is_some() || self.is_service(&row.name) {
            return;
        }
        let received_at = self.bridge.clock.unix_ms();
        let (event_id, json) = (cause.to_owned(), String::new());
        let stored = InboxEvent { seq: 0, event_id, room: row.room, json, received_at };
        let relayed = self.outbound.relaying.of(cause).cloned().map(Box::new);
        let speech = Speech { kind: Kind::Action, text, reply: None, is_wanted: false, relayed };
        self.say_to_irc(place, &stored, &cause.into(), &speech, 0, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};

    fn reaction(to: &str, key: &str) -> Reaction {
        Reaction { to: to.to_owned(), key: key.to_owned() }
    }

    fn told(reacting: &mut Reacting, now: Instant) -> Vec<String> {
        let due = std::iter::from_fn(|| reacting.take_due(now));
        due.map(|one| one.keys.into_iter().map(|(_, key)| key).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn reactions_to_one_message_are_one_line_without_those_taken_back() {
        let start = SystemClock.now();
        let mut reacting = Reacting::default();
        for (event, to, key) in [
            ("$1", "$a", "👍"),
            ("$2", "$a", "🎉"),
            ("$3", "$b", "👎"),
            ("$4", "$a", "👍"),
            ("$5", "$a", "x\ny"),
        ] {
            reacting.add(1, event, &reaction(to, key), start);
        }
        reacting.forget("$3");
        assert_eq!(told(&mut reacting, start), Vec::<String>::new());
        assert_eq!(told(&mut reacting, start + FOLDED), ["👍 🎉 x y"]);
        assert_eq!(reacting.deadline(), None);
    }

    #[test]
    fn a_reaction_brings_nothing_that_turns_the_line_around_or_is_not_seen() {
        let start = SystemClock.now();
        let mut reacting = Reacting::default();
        reacting.add(1, "$1", &reaction("$a", "\u{202e}\x02a\u{200b}b"), start);
        reacting.add(1, "$2", &reaction("$a", "\u{200b}\u{202e}"), start);
        assert_eq!(told(&mut reacting, start + FOLDED), ["ab"]);
    }

    #[test]
    fn invariant_9_few_reactions_wait_and_none_is_long() {
        let start = SystemClock.now();
        let mut reacting = Reacting::default();
        reacting.add(1, "$0", &reaction("$a", &"x".repeat(LONGEST_KEY + 1)), start);
        reacting.add(1, "$0", &reaction("$a", "mxc://test.local/picture"), start);
        assert_eq!(reacting.deadline(), None);
        for message in 0..100 {
            for key in 0..100 {
                reacting.add(1, "$e", &reaction(&format!("${message}"), &format!("{key}")), start);
            }
        }
        let told = told(&mut reacting, start + FOLDED);
        assert_eq!((told.len(), told[0].as_str()), (MOST_MESSAGES, "0 1 2 3 4"));
    }
}
