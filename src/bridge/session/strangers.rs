//! People who write to the user for the first time: whether a room opens at once, or their lines wait behind a question,
//! and how many of them may ring in an hour.
//!
//! A stranger's conversation is a buffer like any other. While it waits its room is not made: its lines stand in the
//! room's queue, and come in their order when it is. The question itself is `bridge/questions.rs`. What was decided
//! stands in the store with the buffer, so that a restart decides nothing anew.
//!
//! Invariants 7 (time is passed in), 9 (so many lines wait, [`MOST_HELD`], and so many strangers have rooms in an hour,
//! [`MOST_NEW`]; what is beyond is not lost: lines stand in the history, strangers in the network's room).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::super::outcome::Outcome;
use super::super::questions::{Answer, Matter};
use super::Actor;
use super::buffers::Buffers;
use super::manners::Strangers;
use super::shown::Line;
use crate::format::{RichText, strip_irc};
use crate::store::settings::{self, Scope};
use crate::store::{BufferKind, Store, StoreError};

/// The time in which strangers are counted …
const HOUR: Duration = Duration::from_hours(1);
/// … and how many of them have rooms or ask for one in it.
const MOST_NEW: usize = 30;
/// Lines of one stranger that wait to be shown.
const MOST_HELD: usize = 50;
/// Characters of the first line that the question shows.
const LONGEST_SAMPLE: usize = 120;

/// Where a conversation with a stranger stands; one that was taken up is no stranger's any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The user is asked.
    Asked,
    /// The history has what they say, and nothing else.
    Ignored,
    /// They are not heard.
    Blocked,
}

impl Standing {
    const WORDS: [(&'static str, Self); 3] =
        [("asked", Self::Asked), ("ignored", Self::Ignored), ("blocked", Self::Blocked)];

    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, known)| *known == self).map_or("", |(word, _)| word)
    }

    fn read(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, standing)| *standing)
    }
}

/// A conversation that is not taken up.
#[derive(Debug)]
pub(super) struct Stranger {
    standing: Standing,
    /// Lines that wait, as far as this run knows.
    held: usize,
    /// There is a question about them.
    is_asked: bool,
}

impl Stranger {
    fn read(word: &str) -> Option<Self> {
        Standing::read(word).map(|standing| Self { standing, held: 0, is_asked: false })
    }
}

impl Buffers {
    /// Reads what was decided about strangers.
    pub(super) async fn load_strangers(&mut self, store: &Store, session: i64) -> Result<(), StoreError> {
        for (buffer, word) in store.buffer_settings(&settings::STRANGER, session).await? {
            if let Some(place) = self.find_id(buffer) {
                self.get_mut(place).stranger = Stranger::read(&word);
            }
        }
        Ok(())
    }
}

/// Who came of late.
#[derive(Debug, Default)]
pub(super) struct Newcomers {
    came: VecDeque<Instant>,
    is_told: bool,
}

/// What becomes of somebody new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Admission {
    Comes,
    /// There are too many, which is to be told.
    FirstTooMany,
    TooMany,
}

impl Newcomers {
    fn admit(&mut self, now: Instant) -> Admission {
        self.came.retain(|at| now < *at + HOUR);
        if self.came.len() < MOST_NEW {
            self.came.push_back(now);
            self.is_told = false;
            return Admission::Comes;
        }
        if std::mem::replace(&mut self.is_told, true) { Admission::TooMany } else { Admission::FirstTooMany }
    }
}

/// What is done about a stranger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Welcome {
    /// The conversation has a room.
    Accept,
    /// What they say is not shown.
    Ignore,
    /// They are not heard.
    Block,
}

impl Actor {
    /// The conversation with somebody who has none yet and says something now; nothing where there are too many of them.
    pub(super) async fn meet(&mut self, line: &Line) -> Result<Option<usize>, StoreError> {
        match self.newcomers.admit(self.bridge.clock.now()) {
            Admission::Comes => self.open_to(&line.from.nick).await.map(Some),
            Admission::TooMany => Ok(None),
            Admission::FirstTooMany => {
                let text = format!(
                    "More than {MOST_NEW} people have written to you for the first time within an hour. What others say \
                     to you for the first time stands here now; to talk with one of them, type "
                );
                self.alert(&RichText::plain(text).code("query NICK").text("."));
                Ok(None)
            }
        }
    }

    /// A conversation that somebody else begins: at once, or behind a question.
    pub(super) async fn open_to(&mut self, nick: &str) -> Result<usize, StoreError> {
        let place = self.open_buffer(BufferKind::Query, nick, None).await?;
        let buffer = self.buffers.get(place).row.id;
        let asks = self.manners.of_session::<Strangers>() == Strangers::Ask;
        if asks && !self.is_shown(place) && self.buffers.get(place).stranger.is_none() {
            self.set_standing(buffer, Some(Standing::Asked)).await?;
            let stranger = Stranger { standing: Standing::Asked, held: 0, is_asked: false };
            self.buffers.get_mut(place).stranger = Some(stranger);
        }
        Ok(place)
    }

    /// What was decided about a conversation whose session was closed since, and that is opened again.
    pub(super) async fn recall_stranger(&mut self, place: usize) -> Result<(), StoreError> {
        let buffer = self.buffers.get_mut(place);
        if buffer.row.kind == BufferKind::Query {
            let word = self.bridge.store.setting(&settings::STRANGER, Scope::Buffer, buffer.row.id).await?;
            buffer.stranger = word.and_then(|word| Stranger::read(word.text()));
        }
        Ok(())
    }

    async fn set_standing(&mut self, buffer: i64, standing: Option<Standing>) -> Result<(), StoreError> {
        let word = standing.map(Standing::word);
        self.bridge.store.set_setting(&settings::STRANGER, Scope::Buffer, buffer, word).await
    }

    /// Whether nobody sees what is told in a conversation, since it is not taken up.
    pub(super) fn is_strangers(&self, place: usize) -> bool {
        self.buffers.get(place).stranger.is_some()
    }

    /// Whether nothing that is said in a conversation is to be shown, as far as was decided.
    pub(super) fn is_turned_away(&self, place: usize) -> bool {
        let stranger = self.buffers.get(place).stranger.as_ref();
        stranger.is_some_and(|stranger| stranger.standing != Standing::Asked)
    }

    /// Whether nothing that is said in a conversation is heard.
    pub(super) fn is_blocked(&self, place: usize) -> bool {
        let stranger = self.buffers.get(place).stranger.as_ref();
        stranger.is_some_and(|stranger| stranger.standing == Standing::Blocked)
    }

    /// Whether a line of a conversation has its place in the room, now or when the user says so: else the history has it.
    /// Somebody who has not been asked about yet is asked about now.
    pub(super) async fn takes_line(&mut self, place: usize, line: &Line) -> Result<bool, StoreError> {
        let buffer = self.buffers.get_mut(place);
        let Some(stranger) = &mut buffer.stranger else { return Ok(true) };
        if line.own {
            // They answered from elsewhere: that is a conversation.
            self.take_up(place).await?;
            return Ok(true);
        }
        if stranger.standing != Standing::Asked {
            return Ok(false);
        }
        stranger.held += 1;
        let takes = stranger.held <= MOST_HELD;
        if std::mem::replace(&mut stranger.is_asked, true) {
            return Ok(takes);
        }
        let matter = Matter::Stranger { session: self.row.id, buffer: buffer.row.id };
        let stored = serde_json::to_string(&matter).unwrap_or_default();
        if !self.bridge.store.has_question(self.row.user, &stored).await? {
            self.ask_about_stranger(line, &matter);
        }
        Ok(takes)
    }

    fn ask_about_stranger(&mut self, line: &Line, matter: &Matter) {
        let said: String = strip_irc(&line.text).chars().take(LONGEST_SAMPLE).collect();
        let who = match (&line.from.user, &line.from.host) {
            (Some(user), Some(host)) => format!(" ({user}@{host})"),
            _ => String::new(),
        };
        let [yes, no, block] = [Answer::Yes, Answer::No, Answer::Block].map(Answer::button);
        let nick = &line.from.nick;
        let text = RichText::new().bold(nick).text(format!("{who} writes to you for the first time: {said}"));
        let text = text.line().text(format!(
            "React to this with {yes} to talk with them, with {no} to leave it at that, or with {block} to drop what \
             {nick} says to you."
        ));
        self.ask_user(&text, matter);
    }

    /// What the user decided about a stranger.
    pub(super) async fn welcome(&mut self, buffer: i64, welcome: Welcome) -> Outcome {
        let Some(place) = self.buffers.find_id(buffer) else {
            return Ok(RichText::plain("There is no such conversation any more."));
        };
        let name = self.buffers.get(place).row.name.clone();
        if !self.is_strangers(place) {
            return Ok(RichText::plain(format!("You talk with {name} already; see your rooms.")));
        }
        let standing = match welcome {
            Welcome::Accept => {
                self.take_up(place).await?;
                let text = format!("The conversation with {name} has a room; see your invitations.");
                return Ok(RichText::plain(text));
            }
            Welcome::Ignore => Standing::Ignored,
            Welcome::Block => Standing::Blocked,
        };
        self.set_standing(buffer, Some(standing)).await?;
        let row = &self.buffers.get(place).row;
        self.bridge.drop_requests(row.room).await?;
        self.buffers.get_mut(place).stranger = Some(Stranger { standing, held: 0, is_asked: true });
        let text = match standing {
            Standing::Blocked => {
                format!("What {name} says to you is dropped from now on. To change that, type ")
            }
            _ => format!(
                "What {name} says to you is kept in the history, and not shown. To talk with them, type "
            ),
        };
        Ok(RichText::plain(text).code(format!("query {name}")).text("."))
    }

    /// A conversation is one from now on: its room comes into being, with what has waited.
    pub(super) async fn take_up(&mut self, place: usize) -> Result<(), StoreError> {
        let row = &self.buffers.get(place).row;
        let (buffer, room, name) = (row.id, row.room, row.name.clone());
        let Some(stranger) = self.buffers.get_mut(place).stranger.take() else { return Ok(()) };
        self.set_standing(buffer, None).await?;
        // Where nothing has waited it begins with what the history has.
        self.open_buffer(BufferKind::Query, &name, None).await?;
        if stranger.held > MOST_HELD {
            self.tell_buffer(place, "More was said meanwhile; the history has it.");
        }
        self.bridge.wake_delivery(room);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
    fn invariant_9_so_many_strangers_come_in_an_hour_and_that_is_told_once() {
        let mut newcomers = Newcomers::default();
        let now = Instant::now();
        for _ in 0..MOST_NEW {
            assert_eq!(newcomers.admit(now), Admission::Comes);
        }
        assert_eq!(newcomers.admit(now), Admission::FirstTooMany);
        assert_eq!(newcomers.admit(now + HOUR / 2), Admission::TooMany);
        assert_eq!(newcomers.admit(now + HOUR), Admission::Comes);
    }
}
