//! A channel whose room is other people's (`bridge/shared/plumbing.rs`), and who comes back into shared rooms.

use tokio::sync::oneshot;

use super::super::Asking;
use super::super::content::{self, MessageType};
use super::super::outcome::Outcome;
use super::super::shared::Once;
use super::Actor;
use super::instead::OwnRoom;
use super::shared::{Shared, WayBack};
use crate::format::{RichText, may_hold_password};
use crate::matrix::event::{Content, Event, Member, Message};
use crate::names::Channel;
use crate::store::{Agreement, InboxEvent, RoomKind, RoomRow, StoreError};

/// Something that is asked of a session about a channel whose room is shared.
#[derive(Debug)]
pub enum SharedRequest {
    /// Enter it, and show it there.
    Share {
        /// The channel.
        channel: Channel,
        /// The number of the room.
        room: i64,
        /// The place in the inbox of the event by which the user came there, if it is one.
        came_by: Option<i64>,
        /// What becomes of a room that the user has of it for themselves.
        own: OwnRoom,
    },
    /// Have an existing room show it, as is agreed, and show it there; the room that the user has of it for themselves is
    /// given up.
    ShareAsAgreed {
        /// The channel.
        channel: Channel,
        /// What is agreed.
        agreement: Box<Agreement>,
    },
    /// Leave it, since the room is not to show it any more.
    Unshare {
        /// The number of the room.
        room: i64,
    },
    /// Hear a channel for those in this room.
    Listen {
        /// The channel.
        channel: Channel,
        /// The number of the room.
        room: i64,
    },
    /// Do that no longer.
    StopListening {
        /// The number of the room.
        room: i64,
    },
    /// See whether the user is an operator of a channel.
    IsOperator(Channel, oneshot::Sender<bool>),
    /// See whether they are, and if they are not, ask those who are whether a room may show it.
    AskOperators(Box<Asking>, oneshot::Sender<bool>),
    /// Nobody is asked any more what the asking with this number wants to know.
    Withdraw(u64),
    /// Tell the user something in the network's room.
    Tell(RichText),
    /// Tell somebody on IRC what became of what they have agreed to.
    Notify(String, String),
}

impl Actor {
    pub(super) async fn in_shared(&mut self, request: SharedRequest) -> Outcome {
        match request {
            SharedRequest::Share { channel, room, came_by, own } => {
                Box::pin(self.share(&channel, room, came_by, own)).await
            }
            SharedRequest::ShareAsAgreed { channel, agreement } => {
                Box::pin(self.share_as_agreed(&channel, *agreement)).await
            }
            SharedRequest::Withdraw(number) => {
                self.withdraw_question(number);
                Ok(RichText::new())
            }
            SharedRequest::Notify(nick, text) => {
                self.notify_on_irc(&nick, &text);
                Ok(RichText::new())
            }
            SharedRequest::Listen { channel, room } => Box::pin(self.listen(&channel, room)).await,
            SharedRequest::StopListening { room } => Box::pin(self.stop_listening(room)).await,
            SharedRequest::Unshare { room } => self.unshare(room).await,
            SharedRequest::IsOperator(channel, answer) => {
                // Who asked may have gone.
                let _ = answer.send(self.is_operator(&channel, None));
                Ok(RichText::new())
            }
            SharedRequest::AskOperators(asking, answer) => {
                let is_operator = self.is_operator(&asking.channel, None);
                let _ = answer.send(is_operator);
                if is_operator { Ok(RichText::new()) } else { self.ask_operators(*asking) }
            }
            SharedRequest::Tell(text) => {
                self.say(text);
                Ok(RichText::new())
            }
        }
    }

    /// Whether a buffer's room is other people's, who are in it whether they are in the channel or not.
    pub(super) fn is_plumbed(&self, place: usize) -> bool {
        self.is_shared(place) && self.buffers.get(place).row.is_plumbed()
    }

    /// Whether the user joins a shared room that they had left, or says something in one that is theirs whether they are in
    /// its channel or not.
    pub(super) async fn comes_back_to_shared(
        &mut self,
        place: Option<usize>,
        stored: &InboxEvent,
        event: &Event,
    ) -> Result<bool, StoreError> {
        let is_back = match &event.content {
            Content::Member(member) => {
                matches!(member.membership.as_str(), "join" | "ban") && member.user_id == self.row.user_id
            }
            // Whom the channel has just refused is told: else each message would knock again before it is answered.
            Content::Message(_) if event.sender == self.row.user_id => {
                place.is_some_and(|place| self.is_plumbed(place) && self.buffers.get(place).refused.is_none())
            }
            _ => false,
        };
        if !is_back
            || place.is_some() && !self.buffers.has_shared()
            || place.is_some_and(|place| self.shared(place).is_none_or(Shared::is_taken))
        {
            return Ok(false);
        }
        let room = self.bridge.store.room_of_event(stored, &event.room_id).await?;
        Ok(room.is_some_and(|room| room.kind().is_ok_and(|kind| kind == RoomKind::Shared)))
    }

    /// What is written in the room that was the user's own before another one showed its channel: nobody hears it, which
    /// they are told.
    pub(super) async fn refuse_in_former_room(
        &mut self,
        event: &Event,
        message: &Message,
    ) -> Result<(), StoreError> {
        let room = self.bridge.store.room_by_matrix_id(&event.room_id).await?;
        let is_former = |room: &RoomRow| {
            room.kind().is_ok_and(|kind| kind == RoomKind::Private)
                && room.session == Some(self.row.id)
                && room.buffer.is_none()
        };
        let Some(room) = room.filter(is_former) else { return Ok(()) };
        if event.sender != self.row.user_id || message.kind == "m.notice" {
            return Ok(());
        }
        let name = room.buffer_name.as_deref().unwrap_or_default();
        let is_shown = |place: &usize| self.shared(*place).is_some_and(Shared::is_taken);
        let shown = self.buffers.find(name).filter(is_shown);
        let shown = shown.and_then(|place| self.buffers.get(place).row.room_id.clone());
        let what = match shown {
            Some(room_id) => {
                format!(
                    "Your message was not sent: {name} is shown in another room now, {room_id}. Write there."
                )
            }
            None => format!(
                "Your message was not sent: this room shows {name} no more. To have another one, type join {name} in the \
                 network's room."
            ),
        };
        let speaker = self.bridge.client.bot();
        if may_hold_password(&message.body) {
            let redaction = content::redact_row(room.id, speaker, &event.event_id, "It held a password");
            self.incoming.outbox.push(redaction);
        }
        let notice = content::message(MessageType::Notice, &RichText::plain(what), None);
        let notice = content::in_reply_to(notice, &event.event_id);
        self.incoming.outbox.push(content::message_row(room.id, speaker, notice, None));
        Ok(())
    }

    /// A command was typed where others would read it, and its answer. Of several channels that the room shows the first
    /// answers for which it is a command, and says which there are.
    pub(super) async fn refuse_command(&mut self, place: usize, event: &Event) -> Result<(), StoreError> {
        let what = "was not done: this room is shared. Type commands in the network's room or to me alone.";
        let room = self.buffers.get(place).row.room;
        let shown = self.bridge.shown_in(&event.room_id).await?;
        if shown.len() <= 1 {
            self.refuse_event(place, &event.event_id, &event.event_id, what);
            return Ok(());
        }
        if !self.bridge.tells(room, &event.event_id, Once::Command) {
            return Ok(());
        }
        let shown = shown.iter().filter_map(|room| {
            let network = self.bridge.network_name(room.network.as_deref()?);
            Some(format!("{} on {network}", room.buffer_name.as_deref()?))
        });
        let shown = shown.collect::<Vec<_>>().join(", ");
        let text = RichText::plain(format!(
            "Your message {what} This room shows several channels: {shown}. Say which you mean."
        ));
        self.reply_with(place, &event.event_id, &text);
        Ok(())
    }

    /// A room is not to show its channel any more.
    pub(super) async fn unshare(&mut self, room: i64) -> Outcome {
        let shows = |place: &usize| {
            self.buffers.get(*place).row.room == room && self.shared(*place).is_some_and(Shared::is_taken)
        };
        if let Some(place) = (0..self.buffers.len()).find(shows) {
            let name = self.buffers.get(place).row.name.clone();
            let is_encrypted = self.bridge.store.room(room).await?.is_some_and(|room| room.explained);
            let why = if is_encrypted {
                "is encrypted now, where I can show nothing. What waited to be shown there is not"
            } else {
                "no longer does"
            };
            self.say(RichText::plain(format!(
                "The room that showed {name} to you and others {why}. You are not in {name} any more."
            )));
            self.end_shared(place, "", WayBack::Shut).await?;
        }
        Ok(RichText::new())
    }

    /// Who comes into a plumbed room, and goes: only the user's own going means anything, and the bot's.
    pub(super) async fn on_plumbed_member(
        &mut self,
        place: usize,
        event: &Event,
        member: &Member,
    ) -> Result<(), StoreError> {
        let is_out = matches!(member.membership.as_str(), "leave" | "ban");
        let room = self.buffers.get(place).row.room;
        if member.user_id == self.bridge.client.bot() {
            self.bridge.on_bot_member(room, event, member);
        } else if is_out && member.user_id == self.row.user_id {
            self.leave_shared(place, None, WayBack::Shut).await?;
            if self.buffers.get(place).row.wanted {
                self.leave(place, "").await?;
            }
            // Their link left a mark there of who is in the room and not in the channel.
            self.bridge.store.forget_outsider(room, &self.row.user_id).await?;
        }
        Ok(())
    }
}
