//! Invitations to channels: a question that reaches the person, but no stranger rings a phone as often as they like.
//!
//! It is one to the channel's room as well: who comes in there enters the channel. For a channel that has no room a room is made,
//! but not more than [`MOST_OPEN`] that wait for an answer.
//!
//! One that is followed by itself, or that leads to where the user is already, is routine; so is one that was told, and
//! what goes beyond a few in ten minutes. Nothing is dropped: routine stands in a room, too.
//!
//! Invariants 7 (time is passed in), 9 (so many are remembered, [`MOST`]).
//!
//! Spec: modern IRC docs "INVITE message".

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::super::content;
use super::super::questions::{Answer, Matter};
use super::Actor;
use super::choices::RejoinOnInvite;
use crate::format::RichText;
use crate::names::{CaseMapping, Channel};
use crate::store::{BufferKind, StoreError, Whereabouts};

/// For so long the same is no news.
const REMEMBERED: Duration = Duration::from_mins(10);
/// So many are news in that time.
const MOST: usize = 5;

/// So many rooms of a session wait for its user to come in, because others have invited them.
const MOST_OPEN: usize = 10;

/// The invitations that were news.
#[derive(Debug, Default)]
pub(super) struct Invitations {
    /// When, to which channel, by whom.
    told: VecDeque<(Instant, String, String)>,
}

impl Invitations {
    fn is_news(&mut self, channel: &str, by: &str, mapping: CaseMapping, now: Instant) -> bool {
        self.told.retain(|(at, ..)| now < *at + REMEMBERED);
        let is_told = self.told.iter().any(|(_, to, who)| mapping.same(to, channel) && mapping.same(who, by));
        let is_news = !is_told && self.told.len() < MOST;
        if is_news {
            self.told.push_back((now, channel.to_owned(), by.to_owned()));
        }
        is_news
    }
}

impl Actor {
    /// Somebody was invited to a channel; `followed` where we are in it, or enter it by ourselves.
    pub(super) async fn on_invited(
        &mut self,
        channel: &str,
        nick: &str,
        by: &str,
        followed: bool,
    ) -> Result<(), StoreError> {
        if !self.link.as_ref().is_some_and(|link| link.session.is_own(nick)) {
            self.tell_channel(channel, &format!("{by} invited {nick} to the channel."));
            return Ok(());
        }
        if followed {
            self.tell_channel(channel, &format!("{by} invited you to the channel."));
            return Ok(());
        }
        let is_news = self.invitations.is_news(channel, by, self.buffers.mapping(), self.bridge.clock.now());
        let command = format!("join {channel}");
        let shared = if is_news { self.closed_room_of_before(channel).await? } else { None };
        if let Some(room) = shared {
            self.incoming.outbox.push(content::invite_row(room.id, &room.creator, &self.row.user_id));
            let text = format!(
                "{by} invites you to {channel}, and you are invited to its shared room: to enter, accept that."
            );
            self.say(RichText::plain(text));
        } else if is_news && self.accepts(channel) && self.accept(channel).await? {
            self.say(RichText::plain(format!("{by} invites you to {channel}, and you enter it.")));
        } else if is_news {
            let yes = Answer::Yes.button();
            let to_enter = if self.invite_to_room(channel).await? {
                "To enter, accept the invitation to its room, react"
            } else {
                "To enter, react"
            };
            let text = format!("{by} invites you to {channel}. {to_enter} to this with {yes}, or type ");
            let matter = Matter::Join { session: self.row.id, channel: channel.to_owned() };
            self.ask_user(&RichText::plain(text).code(command).text("."), &matter);
        } else {
            let text = RichText::plain(format!("{by} invites you to {channel}. To enter, type "));
            self.say(text.code(command).text("."));
        }
        Ok(())
    }

    /// Whether the user wants an invitation to this channel to be followed.
    fn accepts(&self, channel: &str) -> bool {
        match self.buffers.find(channel) {
            Some(place) => {
                let choice = self.manners.choice::<RejoinOnInvite>(self.buffers.get(place).row.id);
                choice != RejoinOnInvite::Off
            }
            None => self.manners.of_session::<RejoinOnInvite>() == RejoinOnInvite::All,
        }
    }

    /// Invites the user to the channel's room, who enters the channel by coming in. Says whether they are.
    async fn invite_to_room(&mut self, channel: &str) -> Result<bool, StoreError> {
        let Ok(channel) = Channel::new(channel) else { return Ok(false) };
        let known = self.buffers.find(channel.as_str());
        let user =
            known.map(|place| &self.buffers.get(place).row).map(|row| (row.user, row.room_id.is_some()));
        let waiting =
            self.buffers.channels().filter(|buffer| buffer.row.user == Whereabouts::Offered).count();
        let may_wait = waiting < MOST_OPEN || user.is_some_and(|(user, _)| user == Whereabouts::Offered);
        if matches!(user, Some((Whereabouts::Inside, true))) || !may_wait || !self.has_room_for_channel(known)
        {
            return Ok(false);
        }
        // Whoever has that may want to be there, and not in a room of their own.
        if self.bridge.store.shared_room(&self.row.network, channel.as_str()).await?.is_some() {
            return Ok(false);
        }
        let place = self.open_unwanted(&channel).await?;
        self.invite_owner(place);
        let buffer = self.buffers.get_mut(place);
        buffer.invited = true;
        self.bridge.wake_delivery(buffer.row.room);
        Ok(true)
    }

    /// Enters a channel by an invitation, if there is room for one more.
    async fn accept(&mut self, channel: &str) -> Result<bool, StoreError> {
        let is_channel = Channel::new(channel).is_ok();
        if !is_channel || !self.has_room_for_channel(self.buffers.find(channel)) {
            return Ok(false);
        }
        let place = self.open_buffer(BufferKind::Channel, channel, None).await?;
        self.invite_owner(place);
        self.enter(place);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
    fn the_same_invitation_is_news_once_in_ten_minutes_and_few_are_in_all() {
        let mut invitations = Invitations::default();
        let now = Instant::now();
        let mut is_news = |channel: &str, by: &str, minutes: u64| {
            let at = now + Duration::from_mins(minutes);
            invitations.is_news(channel, by, CaseMapping::default(), at)
        };
        assert!(is_news("#a", "bob", 0));
        assert!(!is_news("#A", "BOB", 1));
        assert!(is_news("#a", "carol", 1) && is_news("#b", "bob", 1));
        assert!(is_news("#c", "bob", 1) && is_news("#d", "bob", 1));
        assert!(!is_news("#e", "bob", 2), "nobody rings more often");
        assert!(is_news("#a", "bob", 10));
        assert!(!is_news("#e", "bob", 10));
    }
}
