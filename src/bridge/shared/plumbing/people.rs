//! Those who are in a plumbed room: who of them is in its channel, by which session, and what the others are told.

use std::sync::PoisonError;

use super::super::super::content::{self, MessageType};
use super::super::super::ghosts::GhostError;
use super::super::super::session::{OwnRoom, Request, SessionHandle, SharedRequest};
use super::super::super::{Bridge, Refusal};
use super::super::listening::is_apart;
use super::Once;
use crate::config::Permission;
use crate::format::RichText;
use crate::matrix::event::{Content, Event};
use crate::names::Channel;
use crate::store::{InboxEvent, Outsider, PlumbedBy, RoomRow, StoreError};

impl Bridge {
    /// Has somebody's own session enter the channel for a room that they are in, if they have one that is to be connected
    /// and may use the bridge. Returns which. Who is in the channel by one stays there by that one, connected or not. With
    /// that the event is done with by which they came, if it is one.
    pub(super) async fn take_in(
        &self,
        room: &RoomRow,
        user_id: &str,
        came_by: Option<i64>,
    ) -> Result<Option<i64>, Refusal> {
        let standing = self.store.session_in_shared_room(room.id, user_id).await?;
        if standing.is_some() {
            return Ok(standing);
        }
        let Some(channel) = room.buffer_name.as_deref().and_then(|name| Channel::new(name).ok()) else {
            return Ok(None);
        };
        let Some(session) = self.speaker(room, user_id).await? else { return Ok(None) };
        let request = SharedRequest::Share { channel, room: room.id, came_by, own: OwnRoom::Stays };
        session.ask(Request::Shared(request)).await?;
        let session = session.row.id;
        // What they have said meanwhile waits there.
        self.wake_lane(&format!("session/{session}"));
        Ok(Some(session))
    }

    /// The session by which somebody is to speak in a room's channel: the one without a name, else their oldest.
    pub(in crate::bridge::shared) async fn speaker(
        &self,
        room: &RoomRow,
        user_id: &str,
    ) -> Result<Option<SessionHandle>, StoreError> {
        if self.permission_of(user_id) == Permission::None {
            return Ok(None);
        }
        let mut sessions = self.sessions(Some(user_id));
        sessions.retain(|session| Some(session.row.network.as_str()) == room.network.as_deref());
        sessions.sort_by_key(|session| !session.row.name.is_empty());
        // One that relays is there for others, and so is one that listens.
        let relay = self.store.relay_of(room.id).await?.map(|relay| relay.session);
        let apart = self.store.listening().await?;
        sessions.retain(|session| Some(session.row.id) != relay && !is_apart(session, &apart));
        for session in sessions {
            let is_wanted = self.store.session(session.row.id).await?.is_some_and(|row| row.connect);
            if is_wanted && !session.is_declined() {
                return Ok(Some(session));
            }
        }
        Ok(None)
    }

    /// Something is done in a plumbed room by, or to, somebody who is not in its channel.
    pub(in crate::bridge::shared) async fn attend_to_plumbed(
        &self,
        stored: &InboxEvent,
        event: &Event,
        room: &RoomRow,
    ) -> Result<(), GhostError> {
        match &event.content {
            // Also while it leaves: an invitation is taken up when it is out.
            Content::Member(member) if member.user_id == self.client.bot() => {
                self.on_bot_there(room, event, member);
            }
            _ if room.is_ending() => {}
            Content::Member(member) if self.is_ours(&member.user_id) => {}
            Content::Member(member)
                if member.membership == "join" && room.plumbed_by() == Some(PlumbedBy::Configuration) =>
            {
                match self.take_in(room, &member.user_id, Some(stored.seq)).await {
                    Err(Refusal::Store(error)) => return Err(error.into()),
                    // It goes on after the next start.
                    Err(Refusal::Stopping) => return Ok(()),
                    // They are told when they say something.
                    Ok(_) | Err(Refusal::Asked(_)) => {}
                }
            }
            Content::Member(member) if matches!(member.membership.as_str(), "leave" | "ban") => {
                self.store.forget_outsider(room.id, &member.user_id).await?;
            }
            // Other bots talk by notices, and are not told anything.
            Content::Message(message) if !message.is_wordless && message.kind != "m.notice" => {
                return self.on_outsider(stored, event, room).await;
            }
            Content::Encryption => self.on_plumbed_encryption(room.id),
            _ => {}
        }
        Ok(self.store.finish_event(stored.seq, None).await?)
    }

    /// Somebody says something who is not in the channel: they are taken into it, or told why not.
    async fn on_outsider(
        &self,
        stored: &InboxEvent,
        event: &Event,
        room: &RoomRow,
    ) -> Result<(), GhostError> {
        let user_id = &event.sender;
        // Nobody answers who is kept out; those of the room decide about them there.
        if self.exclusion_of(user_id).is_some() {
            return Ok(self.store.finish_event(stored.seq, None).await?);
        }
        let outsider = self.store.outsider(room.id, user_id).await?;
        if outsider == Some(Outsider::HasLeft) && self.shown_in(&event.room_id).await?.len() > 1 {
            return self.on_outsider_of_one(stored, event, room).await;
        }
        let is_told = outsider == Some(Outsider::Told);
        let why = match self.take_in(room, user_id, None).await {
            Ok(None) if self.is_relayed(stored, event, room).await? => return Ok(()),
            Ok(None) => self.why_not(room, user_id),
            Err(Refusal::Asked(text)) => text,
            Err(Refusal::Store(error)) => return Err(error.into()),
            // What they said went to their session's lane in the commit that took them in, or does when that is done. And
            // it goes on after the next start.
            Ok(Some(_)) | Err(Refusal::Stopping) => return Ok(()),
        };
        if is_told || !self.may_tell_one_more() {
            return Ok(self.store.finish_event(stored.seq, None).await?);
        }
        let channel = room.buffer_name.as_deref().unwrap_or_default();
        let network = self.network_name(room.network.as_deref().unwrap_or_default());
        let text = format!("{user_id}: what you write here does not go to {channel} on {network}: ");
        let notice = content::message(MessageType::Notice, &RichText::plain(text).then(why), Some(user_id));
        let notice = content::in_reply_to(notice, &event.event_id);
        self.answer_event(stored.seq, vec![content::message_row(room.id, self.client.bot(), notice, None)])
            .await?;
        self.store.outsider_told(room.id, user_id).await?;
        self.wake_delivery(room.id);
        Ok(())
    }

    /// Of several channels that the room shows they have left this one: what they write is for the others, and brings them
    /// back into none.
    async fn on_outsider_of_one(
        &self,
        stored: &InboxEvent,
        event: &Event,
        room: &RoomRow,
    ) -> Result<(), GhostError> {
        let user_id = &event.sender;
        // Whose connection is gone is heard like those who never had one.
        if self.speaker(room, user_id).await?.is_none() && self.is_relayed(stored, event, room).await? {
            return Ok(());
        }
        let is_in_none = self.store.first_row_of(room.id, user_id).await?.is_none();
        if !is_in_none || !self.tells(room.id, &event.event_id, Once::Left) || !self.may_tell_one_more() {
            return Ok(self.store.finish_event(stored.seq, None).await?);
        }
        let text = "Your message did not go to IRC: you have left the channels that this room shows. To come back, leave \
                    this room, come into it again and write here.";
        let notice = content::message(MessageType::Notice, &RichText::plain(text), Some(user_id));
        let notice = content::in_reply_to(notice, &event.event_id);
        let row = content::message_row(room.id, self.client.bot(), notice, None);
        self.answer_event(stored.seq, vec![row]).await?;
        self.wake_delivery(room.id);
        Ok(())
    }

    /// What was said for a channel that the room does not show any more goes to no other that it shows by now, which its
    /// sender is told where the bot is still there. `false` where it is no such thing, and nothing was done.
    pub(in crate::bridge) async fn refuse_for_former(
        &self,
        stored: &InboxEvent,
        event: &Event,
    ) -> Result<bool, StoreError> {
        let is_said = matches!(&event.content,
            Content::Message(message) if !message.is_wordless && message.kind != "m.notice");
        if stored.room == 0 || !is_said || self.is_ours(&event.sender) {
            return Ok(false);
        }
        let shown = self.shown_in(&event.room_id).await?;
        let (Some(room), Some(channel)) = (shown.first(), self.store.former_channel(stored.room).await?)
        else {
            return Ok(false);
        };
        if self.exclusion_of(&event.sender).is_some() || !self.may_tell_one_more() {
            self.store.finish_event(stored.seq, None).await?;
            return Ok(true);
        }
        let text = format!("Your message did not go to {channel}, which this room does not show any more.");
        let notice = content::message(MessageType::Notice, &RichText::plain(text), None);
        let notice = content::in_reply_to(notice, &event.event_id);
        let row = content::message_row(room.id, self.client.bot(), notice, None);
        self.answer_event(stored.seq, vec![row]).await?;
        self.wake_delivery(room.id);
        Ok(true)
    }

    /// Whether not too much was told of late to those in rooms of other people whose words go nowhere.
    fn may_tell_one_more(&self) -> bool {
        self.plumber.told.lock().unwrap_or_else(PoisonError::into_inner).admit(self.clock.now())
    }

    /// Why somebody has no session to speak by, and what to do.
    fn why_not(&self, room: &RoomRow, user_id: &str) -> RichText {
        if self.permission_of(user_id) == Permission::None {
            return RichText::plain(
                "you have no permission to use this bridge. Its administrator can give it. I say this once.",
            );
        }
        let network = room.network.as_deref().unwrap_or_default();
        RichText::plain("you are not connected to that network. To be there under a nick of your own, open a chat with me, type ")
            .code(format!("open {network}"))
            .text(" there, then write here again. I say this once.")
    }
}
