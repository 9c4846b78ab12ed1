//! What the user wants done whenever a channel is entered: commands, carried out as if they were typed in its room. Only
//! what goes wrong is told there, unless the connection is gone: then it is done again with the next.
//!
//! Invariant 9: those of one channel are carried out one after another, and once more for all that came meanwhile, however
//! often a server says that it was entered.

use super::super::Bridge;
use super::super::content::{self, MessageType};
use super::super::desk::{Call, End, Place};
use super::{Actor, SessionState};
use crate::format::RichText;
use crate::irc::wire::Line;
use crate::store::settings::{ON_JOIN, Scope};
use crate::store::{SessionRow, StoreError};

/// Whether a line enters or leaves something. Done on each entering, it would make the next.
pub fn enters_or_leaves(line: &str) -> bool {
    const WORDS: [&str; 6] = ["JOIN", "PART", "CYCLE", "HOP", "KICK", "QUIT"];
    Line::raw(line).is_ok_and(|line| WORDS.contains(&line.verb().as_str()))
}

/// A channel that was entered, and whose session it is.
#[derive(Clone)]
struct Entered {
    session: SessionRow,
    place: Place,
    buffer: i64,
    /// The room's number, and who speaks for the bridge there.
    room: i64,
    speaker: String,
}

impl Actor {
    /// Has the commands of a channel carried out that was just entered. They come back to this session as requests, so
    /// nothing here waits for them.
    pub(super) async fn run_on_join(&mut self, place: usize) -> Result<(), StoreError> {
        let row = &self.buffers.get(place).row;
        if self.bridge.store.setting(&ON_JOIN, Scope::Buffer, row.id).await?.is_none() {
            return Ok(());
        }
        let entered = Entered {
            session: self.row.clone(),
            place: Place::Buffer { session: self.row.id, buffer: row.id, kind: row.kind },
            buffer: row.id,
            room: row.room,
            speaker: row.creator.clone(),
        };
        let bridge = self.bridge.clone();
        let work = move |_| bridge.clone().do_on_join(entered.clone());
        self.bridge.joinings.wake(&self.bridge.tasks, &self.bridge.stop, row.id, work);
        Ok(())
    }
}

impl Bridge {
    async fn do_on_join(self, entered: Entered) {
        if let Err(error) = self.try_on_join(&entered).await {
            tracing::warn!(room = entered.room, %error, "what is wanted on joining was not done, or could not be told");
        }
    }

    async fn try_on_join(&self, entered: &Entered) -> Result<(), StoreError> {
        let Entered { session, place, buffer, room, speaker } = entered;
        let Some(commands) = self.store.setting(&ON_JOIN, Scope::Buffer, *buffer).await? else {
            return Ok(());
        };
        let connected_since = || {
            let status = self.session(session.id)?.status();
            status.since.filter(|_| status.state == SessionState::Connected)
        };
        let since = connected_since();
        let call = Call {
            permission: self.permission_of(&session.user_id),
            place: *place,
            room: *room,
            text: commands.text().to_owned(),
            progress: None,
            user: self.store.ensure_user(&session.user_id, self.clock.unix_ms()).await?,
        };
        let answer = self.console.answer(self, call).await;
        if answer.end == End::Done || since.is_none() || connected_since() != since {
            return Ok(());
        }
        let text = RichText::new().bold("What is done when you enter the channel did not all work:");
        let text = content::message(MessageType::Notice, &text.line().then(answer.text), None);
        self.enqueue(vec![content::message_row(*room, speaker, text, None)]).await?;
        self.wake_delivery(*room);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::out("PART #tea", true)]
    #[case::out_and_in("cycle #tea", true)]
    #[case::as_somebody(":alice JOIN #coffee", true)]
    #[case::off_the_network("QUIT :bye", true)]
    #[case::modes("MODE #tea +s", false)]
    #[case::about_it("PRIVMSG bob :PART #tea", false)]
    fn what_would_be_done_again_and_again_is_known(#[case] line: &str, #[case] expected: bool) {
        assert_eq!(enters_or_leaves(line), expected);
    }
}
