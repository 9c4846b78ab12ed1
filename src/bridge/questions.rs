//! What the bot asks besides messages that did not go: whether to disconnect, whether to follow an invitation, whether to
//! talk with a stranger, whether a shared room takes the place of one's own. A reaction of the one who was asked answers it,
//! or `yes` where it is the only one in its room; `cancel` takes all of a room back.
//!
//! The question stands in the store with the rows that ask it, and is gone with the commit that marks the reaction as
//! done; a command is marked so before it runs. What it comes to is done after that, as with a command: a crash in between loses an answer, and the person asks
//! again; the other way round it would be done twice. Only that a shared room takes the place of one's own is done before:
//! nothing comes of doing that twice, and whoever is asked may be in the room as long as the question stands.

use serde::{Deserialize, Serialize};

use super::content::{self, MessageType};
use super::ghosts::GhostError;
use super::outcome::{Outcome, Refusal};
use super::session::{Request, Welcome};
use super::{Bridge, Call, SessionHandle};
use crate::format::RichText;
use crate::matrix::event::{Event, Reaction};
use crate::names::Channel;
use crate::store::{InboxEvent, NewOutbox, NewQuestion, Question, RoomRow, StoreError};

/// What says how an emoji looks: as an emoji, or with one of five colours of skin.
const LOOKS: [char; 6] = ['\u{fe0f}', '\u{1f3fb}', '\u{1f3fc}', '\u{1f3fd}', '\u{1f3fe}', '\u{1f3ff}'];

/// An answer, and the reactions that give it; the first is the button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    Block,
}

impl Answer {
    const ALL: [(Self, &'static [&'static str]); 3] =
        [(Self::Yes, &["✅", "✔", "👍"]), (Self::No, &["❌", "✖", "👎"]), (Self::Block, &["🚫", "⛔"])];

    /// The reaction that stands under the question.
    pub(super) fn button(self) -> &'static str {
        Self::ALL.iter().find(|(known, _)| *known == self).map_or("", |(_, keys)| keys[0])
    }

    fn read(key: &str) -> Option<Self> {
        let key = key.trim_end_matches(LOOKS);
        Self::ALL.iter().find(|(_, keys)| keys.contains(&key)).map(|(answer, _)| *answer)
    }
}

/// What a question is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Matter {
    /// The network's room was left: whether to leave the network as well.
    Disconnect {
        /// The session.
        session: i64,
    },
    /// Somebody invites to a channel: whether to enter it.
    Join {
        /// The session.
        session: i64,
        /// The channel.
        channel: String,
    },
    /// Somebody writes for the first time: whether to talk with them.
    Stranger {
        /// The session.
        session: i64,
        /// Their buffer.
        buffer: i64,
    },
    /// Somebody has joined a shared room, and has one of their own for its channel: whether it takes the place of that.
    Instead {
        /// The session.
        session: i64,
        /// The shared room.
        room: i64,
        /// The channel.
        channel: String,
    },
}

impl Matter {
    fn read(question: &Question) -> Option<Self> {
        let matter = serde_json::from_str(&question.matter);
        if let Err(error) = &matter {
            tracing::error!(%error, "what a question is about can't be read");
        }
        matter.ok()
    }

    /// The answers that have a button.
    fn answers(&self) -> &'static [Answer] {
        match self {
            Self::Disconnect { .. } | Self::Join { .. } => &[Answer::Yes],
            Self::Stranger { .. } => &[Answer::Yes, Answer::No, Answer::Block],
            Self::Instead { .. } => &[Answer::Yes, Answer::No],
        }
    }

    /// What comes of another answer than yes in the commit that takes it, for this user.
    async fn refused(&self, bridge: &Bridge, user_id: &str) -> Result<Option<(i64, NewOutbox)>, StoreError> {
        let Self::Instead { room, channel, .. } = self else { return Ok(None) };
        let removal = bridge.keeps_own_room_if_not_there(*room, channel, user_id).await?;
        Ok(removal.map(|removal| (*room, removal)))
    }
}

/// Where a question is asked, and whom.
pub(super) struct Asked<'a> {
    /// The room.
    pub(super) room: i64,
    /// Who speaks for the bridge there.
    pub(super) speaker: &'a str,
    /// The user's number …
    pub(super) user: i64,
    /// … and Matrix id.
    pub(super) user_id: &'a str,
}

/// The rows of a question with its buttons, and what is stored of it.
pub(super) fn question(asked: &Asked<'_>, text: &RichText, matter: &Matter) -> (Vec<NewOutbox>, NewQuestion) {
    let Asked { room, speaker, user, user_id } = *asked;
    let row =
        content::message_row(room, speaker, content::message(MessageType::Text, text, Some(user_id)), None);
    let txn_id = row.txn_id.clone();
    let buttons: Vec<NewOutbox> = matter
        .answers()
        .iter()
        .map(|answer| content::reaction_to_row(room, speaker, &txn_id, answer.button()))
        .collect();
    let stored = NewQuestion {
        txn_id,
        user,
        matter: serde_json::to_string(matter).unwrap_or_default(),
        buttons: buttons.iter().map(|button| button.txn_id.clone()).collect(),
    };
    (std::iter::once(row).chain(buttons).collect(), stored)
}

impl Bridge {
    /// Somebody reacted to something in a room where they talk with the bot.
    pub(super) async fn on_reaction(
        &self,
        stored: &InboxEvent,
        event: &Event,
        reaction: &Reaction,
    ) -> Result<(), GhostError> {
        let Some(answer) = Answer::read(&reaction.key) else {
            return Ok(self.store.finish_event(stored.seq, None).await?);
        };
        self.note_echo(&reaction.to).await?;
        // Nobody waits for an id to be written.
        self.store.catch_up_with_writes().await?;
        let question = self.store.question(&event.sender, &reaction.to).await?;
        let room = self.store.room_by_matrix_id(&event.room_id).await?;
        let (Some(question), Some(room)) = (question, room) else {
            return Ok(self.store.finish_event(stored.seq, None).await?);
        };
        let speaker = self.looker(&room.creator);
        let Some(outcome) = self.decide(&question, &room, Some(stored.seq), answer, &event.sender).await?
        else {
            return Ok(());
        };
        let outcome = outcome.unwrap_or_else(Refusal::into_text);
        let notice = content::message(MessageType::Notice, &outcome, None);
        let notice = content::in_reply_to(notice, &reaction.to);
        self.enqueue(vec![content::message_row(room.id, speaker, notice, None)]).await?;
        self.wake_delivery(room.id);
        Ok(())
    }

    /// Answers the question of a room with yes, where there is one.
    pub async fn affirm(&self, call: &Call) -> Outcome {
        let open = self.store.questions_in(call.user.id, call.room).await?;
        let ([question], Some(room)) = (&open[..], self.store.room(call.room).await?) else {
            return Err(Refusal::asked(if open.is_empty() {
                "I have asked nothing here, or it was long ago. Type the command again.".to_owned()
            } else {
                let yes = Answer::Yes.button();
                format!("I have asked {} things here. React with {yes} to the one that you mean.", open.len())
            }));
        };
        let decided = self.decide(question, &room, None, Answer::Yes, &call.user.user_id).await?;
        decided.unwrap_or_else(|| {
            Err(if self.stop.is_cancelled() {
                Refusal::Stopping
            } else {
                Refusal::asked("That was answered already.")
            })
        })
    }

    /// Does what an answer comes to, once; nothing where it was given before, or can't be read.
    async fn decide(
        &self,
        question: &Question,
        room: &RoomRow,
        seq: Option<i64>,
        answer: Answer,
        user_id: &str,
    ) -> Result<Option<Outcome>, StoreError> {
        let Some(matter) = Matter::read(question) else {
            self.close(question, room, seq, None).await?;
            let text = "What I asked can't be read any more, and nothing was done.";
            return Ok(Some(Err(Refusal::asked(text))));
        };
        let refused = matter.refused(self, user_id).await?;
        if answer == Answer::Yes && refused.is_some() {
            // It is theirs before the question is none any more, so that nobody takes them out in between. Done twice, after
            // a crash, it is the same.
            let (outcome, follows) = match self.settle(matter, answer).await {
                Err(Refusal::Store(error)) => return Err(error),
                Err(Refusal::Stopping) => return Ok(None),
                Err(refusal) => (Err(refusal), refused),
                Ok(text) => (Ok(text), None),
            };
            return Ok(self.close(question, room, seq, follows).await?.then_some(outcome));
        }
        if !self.close(question, room, seq, refused).await? {
            return Ok(None);
        }
        // From here on nothing is done twice.
        Ok(Some(self.settle(matter, answer).await))
    }

    /// What a user is asked, with what each question is about.
    pub(super) async fn questions_of(&self, user_id: &str) -> Result<Vec<(Question, Matter)>, StoreError> {
        let open = self.store.questions_of(user_id).await?;
        Ok(open
            .into_iter()
            .filter_map(|question| Matter::read(&question).map(|matter| (question, matter)))
            .collect())
    }

    /// Takes the questions of a room back, and says what each was about. Nothing is decided by that but what would be without
    /// an answer.
    pub async fn drop_questions(&self, call: &Call) -> Result<Vec<String>, Refusal> {
        let mut dropped = Vec::new();
        let Some(room) = self.store.room(call.room).await? else { return Ok(dropped) };
        for question in self.store.questions_in(call.user.id, call.room).await? {
            let matter = Matter::read(&question);
            let refused = match &matter {
                Some(matter) => matter.refused(self, &call.user.user_id).await?,
                None => None,
            };
            if self.close(&question, &room, None, refused).await? {
                dropped.push(match matter {
                    Some(matter) => self.about(matter, call.user.id).await?,
                    None => "something that can't be read any more".to_owned(),
                });
            }
        }
        Ok(dropped)
    }

    /// What a question is about, behind "about".
    async fn about(&self, matter: Matter, user: i64) -> Result<String, StoreError> {
        let network = |id| {
            let session = self.session(id);
            session
                .map_or_else(|| "a network".to_owned(), |session| self.network_name(&session.row.address()))
        };
        Ok(match matter {
            Matter::Disconnect { session } => format!("disconnecting from {}", network(session)),
            Matter::Join { channel, .. } => format!("entering {channel}"),
            Matter::Stranger { buffer, session } => {
                let own = self.store.own_buffers(user).await?;
                let name = own.into_iter().find(|own| own.id == buffer).map(|own| own.name);
                let name = name.unwrap_or_else(|| "somebody".to_owned());
                format!("{name} on {} (what they say still waits; to talk, query {name})", network(session))
            }
            Matter::Instead { channel, .. } => {
                format!("the shared room of {channel} (you keep your own, and are taken out of that)")
            }
        })
    }

    /// Ends a question: its buttons go, and what follows comes in another room. `false` where it was answered before.
    async fn close(
        &self,
        question: &Question,
        room: &RoomRow,
        seq: Option<i64>,
        follows: Option<(i64, NewOutbox)>,
    ) -> Result<bool, StoreError> {
        let speaker = self.looker(&room.creator);
        let unreact = |button: &String| content::unreact_row(room.id, speaker, button);
        let (elsewhere, more) = follows.unzip();
        let rows = question.buttons.iter().map(unreact).chain(more).collect();
        let is_open = self.close_question(&question.txn_id, seq, rows).await?;
        self.wake_delivery(room.id);
        if let Some(elsewhere) = elsewhere {
            self.wake_delivery(elsewhere);
            self.has_left_shared(elsewhere);
        }
        Ok(is_open)
    }

    async fn settle(&self, matter: Matter, answer: Answer) -> Outcome {
        let session = |id: i64| -> Result<SessionHandle, Refusal> {
            self.session(id).ok_or_else(|| {
                if self.stop.is_cancelled() {
                    return Refusal::Stopping;
                }
                let text =
                    "You have closed that network, so there is nothing to do. To see which there are, type ";
                let text = RichText::plain(text);
                Refusal::Asked(text.code("networks").text("."))
            })
        };
        match (matter, answer) {
            (Matter::Disconnect { session: id }, Answer::Yes) => {
                session(id)?.ask(Request::Disconnect { reason: String::new() }).await
            }
            (Matter::Join { session: id, channel }, Answer::Yes) => {
                let channel = Channel::new(&channel)
                    .map_err(|error| Refusal::asked(format!("{channel} is no channel: {error}.")))?;
                self.join(&session(id)?, channel, None).await
            }
            (Matter::Stranger { session: id, buffer }, answer) => {
                let welcome = match answer {
                    Answer::Yes => Welcome::Accept,
                    Answer::No => Welcome::Ignore,
                    Answer::Block => Welcome::Block,
                };
                session(id)?.ask(Request::Welcome(buffer, welcome)).await
            }
            (Matter::Instead { session: id, room, channel }, Answer::Yes) => {
                self.take_instead(&session(id)?, room, &channel).await
            }
            (Matter::Instead { channel, .. }, Answer::No | Answer::Block) => Ok(RichText::plain(format!(
                "You keep your own room of {channel}, and are taken out of the shared one."
            ))),
            (Matter::Disconnect { .. }, Answer::No | Answer::Block) => {
                Ok(RichText::plain("You stay connected."))
            }
            (Matter::Join { channel, .. }, Answer::No | Answer::Block) => {
                Ok(RichText::plain(format!("You don't enter {channel}.")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::the_button("✅", Some(Answer::Yes))]
    #[case::as_an_emoji("✔\u{fe0f}", Some(Answer::Yes))]
    #[case::with_a_skin("👍\u{1f3fd}", Some(Answer::Yes))]
    #[case::no("❌", Some(Answer::No))]
    #[case::block("🚫", Some(Answer::Block))]
    #[case::something_else("🎉", None)]
    fn a_reaction_is_an_answer_however_it_looks(#[case] key: &str, #[case] answer: Option<Answer>) {
        assert_eq!(Answer::read(key), answer);
    }

    #[test]
    fn what_a_question_is_about_is_read_as_it_was_stored() {
        let matter = Matter::Join { session: 7, channel: "#rust".into() };
        let asked = Asked { room: 1, speaker: "@b:x", user: 2, user_id: "@a:x" };
        let (rows, stored) = question(&asked, &RichText::plain("in?"), &matter);
        assert_eq!(serde_json::from_str::<Matter>(&stored.matter).unwrap(), matter);
        assert_eq!((rows[0].txn_id.as_str(), stored.buttons.len()), (stored.txn_id.as_str(), rows.len() - 1));
    }
}
