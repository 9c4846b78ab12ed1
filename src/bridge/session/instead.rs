//! A shared room in the place of a room of one's own: who joins the one and has the other of its channel is asked, in the
//! network's room, since one session has one room of a channel.
//!
//! The question stands in the store (`bridge/questions.rs`), and while it does nobody takes them out of the shared room, where
//! nothing of theirs goes to IRC yet. It ends with their answer, or without one after [`PATIENCE`], which a restart lets
//! begin anew. What an answer comes to is in `bridge/shared/instead.rs`. With yes their own room is given up in the commit by
//! which they have the other, with what is told there; its history stays theirs.
//!
//! Invariants 7 (time is passed in), 9 (no more are remembered than there are questions).

use std::time::{Duration, Instant};

use super::super::Bridge;
use super::super::content::{self, MessageType};
use super::super::outcome::{Outcome, Refusal};
use super::super::questions::{Answer, Matter};
use super::Actor;
use crate::format::RichText;
use crate::names::Channel;
use crate::store::{Buffer, NewOutbox, SessionRow, StoreError};

/// How long somebody who is asked stays in the shared room without an answer.
const PATIENCE: Duration = Duration::from_mins(5);

/// What becomes of a room of one's own whose channel is to be shown in a shared one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnRoom {
    /// It stays, and the other is refused.
    Stays,
    /// Its user is asked.
    IsAskedAbout,
    /// It gives way, as its user has said.
    GivesWay,
}

/// A shared room that the user is asked about.
#[derive(Debug)]
struct Asked {
    until: Instant,
    room: i64,
    channel: String,
    /// They are in the channel no more, and read it no longer in either room.
    is_out: bool,
}

/// Shared rooms that the user is asked about.
#[derive(Debug, Default)]
pub(super) struct Instead(Vec<Asked>);

impl Instead {
    /// What was asked before the start.
    pub(super) async fn load(bridge: &Bridge, session: &SessionRow) -> Result<Self, StoreError> {
        let mut all = Self::default();
        for (_, matter) in bridge.questions_of(&session.user_id).await? {
            if let Matter::Instead { session: asks, room, channel } = matter
                && asks == session.id
            {
                all.add(room, channel, bridge.clock.now());
            }
        }
        Ok(all)
    }

    fn add(&mut self, room: i64, channel: String, now: Instant) {
        self.0.retain(|known| known.room != room);
        self.0.push(Asked { until: now + PATIENCE, room, channel, is_out: false });
    }

    /// When somebody has not answered for long enough.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().map(|asked| asked.until).min()
    }
}

impl Actor {
    /// The user has come into a shared room, by this event, and has a room of their own for its channel. Each step can be
    /// repeated: the event is done at the end.
    pub(super) async fn ask_about_own_room(
        &mut self,
        channel: &Channel,
        room: i64,
        came_by: Option<i64>,
    ) -> Outcome {
        let name = channel.as_str().to_owned();
        let matter = Matter::Instead { session: self.row.id, room, channel: name.clone() };
        let stored = serde_json::to_string(&matter).unwrap_or_default();
        if !self.bridge.store.has_question(self.row.user, &stored).await? {
            let [yes, no] = [Answer::Yes, Answer::No].map(Answer::button);
            let text = RichText::new().bold(format!("You have joined the shared room of {channel}")).text(format!(
                ", and have a room of your own for it. One of them can be yours. React to this with {yes}, or type "
            ));
            let text = text.code("yes").text(format!(
                ", to be in the shared one: your own shows {channel} no more then, and keeps what was said in it. With {no}, or \
                 without an answer within five minutes, you keep your own and are taken out of the shared one."
            ));
            self.ask_user(&text, &matter);
            self.commit_incoming().await?;
            failpoint!("instead_asked");
            let now = self.now();
            self.instead.add(room, name, now);
        }
        if let Some(seq) = came_by {
            self.bridge.store.finish_event(seq, None).await?;
        }
        Ok(RichText::new())
    }

    /// The user was put out of a channel, or not let in again: nobody waits for their answer.
    pub(super) fn is_asked_no_more(&mut self, channel: &str) {
        let (now, mapping) = (self.now(), self.buffers.mapping());
        for asked in self.instead.0.iter_mut().filter(|asked| mapping.same(&asked.channel, channel)) {
            (asked.until, asked.is_out) = (now, true);
        }
    }

    /// A shared room takes the place of the user's own, as they have said.
    pub(super) async fn share_instead(&mut self, channel: &Channel, room: i64) -> Outcome {
        // What they have written in their own before this goes to IRC, or waits.
        Box::pin(self.read_inbox()).await?;
        let known = self.buffers.find(channel.as_str());
        self.may_share(channel, known)?;
        // Looked at where the time that they have runs out: not both.
        if !self.bridge.is_asked_instead(room, &self.row.user_id).await? {
            return Err(Refusal::asked(
                "your answer came too late. To be asked again, join the shared room again.",
            ));
        }
        self.commit_incoming().await?;
        let left = self.own_room(known);
        let alias = self.bridge.findable_alias(&self.row.network, channel.as_str()).unwrap_or_default();
        let told = left.iter().map(|row| moved_notice(row, channel, &alias)).collect();
        let new = self.new_shared_buffer(channel, known);
        let lane = Bridge::lane_before_sharing(&self.row.user_id);
        let Some(row) = self.bridge.store.share_buffer_instead(new, room, lane, told).await? else {
            return Err(Refusal::asked(format!("the shared room of {channel} is none any more.")));
        };
        failpoint!("instead_agreed");
        left.iter().for_each(|row| self.bridge.wake_delivery(row.room));
        self.take_seat(channel, row);
        self.bridge.wake_space(self.row.id);
        Ok(RichText::new())
    }

    /// The room of a channel that the user has for themselves.
    pub(super) fn own_room(&self, known: Option<usize>) -> Option<Buffer> {
        let own = known.filter(|place| !self.is_shared(*place));
        own.map(|place| self.buffers.get(place).row.clone()).filter(|row| row.wanted)
    }

    /// Ends what was not answered in time.
    pub(super) async fn tick_instead(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        while let Some(place) = self.instead.0.iter().position(|asked| asked.until <= now) {
            let Asked { room, channel, is_out, .. } = self.instead.0.remove(place);
            let why = if is_out {
                "you are in the channel no more"
            } else {
                "you have not said within five minutes whether it is to take the place of your own room, which you keep"
            };
            self.bridge.end_asking_instead(&self.row, self.network_room, (room, &channel), why).await?;
        }
        Ok(())
    }
}

/// What is told in a room that shows its channel no more, since another does.
pub(super) fn moved_notice(row: &Buffer, channel: &Channel, to: &str) -> NewOutbox {
    let text = format!(
        "{channel} is shown in another room from now on, {to}, because you have asked for that. What you write here does not go \
         to IRC any more."
    );
    let notice = content::message(MessageType::Notice, &RichText::plain(text), None);
    content::message_row(row.room, &row.creator, notice, None)
}
