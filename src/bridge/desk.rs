//! The desk: where a person turns to the bot. One lane per user works through their invitations and commands, in
//! order; what a command does is the [`Console`]'s affair.
//!
//! An event is marked as done before its command runs: a crash in the middle loses an answer, and the person asks
//! again; the other way round a line would be sent to IRC twice.

use futures_util::future::BoxFuture;

use super::Bridge;
use super::content::{self, MessageType};
use crate::config::Permission;
use crate::format::RichText;
use crate::matrix::ClientError;
use crate::matrix::event::{Content, Event, Member, Message};
use crate::store::{InboxEvent, Link, NewRoom, RoomKind, RoomRow, STRAY, User};

use super::ghosts::GhostError;

/// Events that are read at once.
const AT_ONCE: i64 = 20;

/// The lane of what a person says to the bot.
pub(super) fn lane_of(user_id: &str) -> String {
    format!("user/{user_id}")
}

/// Where a command was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the control room.
    Control,
    /// In the network room of this session.
    Network(i64),
}

/// A command, as it was typed.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who typed it.
    pub user: User,
    /// What they may do.
    pub permission: Permission,
    /// Where.
    pub place: Place,
    /// The text.
    pub text: String,
}

/// What a command comes to.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// What the person reads.
    pub text: RichText,
    /// The command held a secret: its message must go.
    pub redact: bool,
}

/// Whoever understands commands.
pub trait Console: Send + Sync {
    /// Carries a command out and answers it. There is always an answer.
    fn answer<'a>(&'a self, bridge: &'a Bridge, call: Call) -> BoxFuture<'a, Answer>;

    /// What the bot says when somebody has invited it.
    fn greeting(&self, permission: Permission) -> RichText;
}

impl Bridge {
    /// Works through a lane until it is empty or the bridge stops.
    pub(super) async fn attend(self, lane: String) {
        let mut after = 0;
        loop {
            let events = match self.store.waiting_events(&lane, after, AT_ONCE).await {
                Ok(events) => events,
                Err(error) => {
                    tracing::error!(%lane, %error, "what was said to the bot can't be read");
                    return;
                }
            };
            if events.is_empty() {
                return;
            }
            for event in events {
                after = event.seq;
                if self.stop.is_cancelled() {
                    return;
                }
                let done =
                    if lane == STRAY { self.place_stray(&event).await } else { self.attend_to(&event).await };
                if let Err(error) = done {
                    // A poison event is set aside; it must not be what every start fails on.
                    tracing::warn!(event = %event.event_id, %error, "an event to the bot could not be dealt with");
                    let set_aside = self.store.finish_event(event.seq, Some(&error.to_string())).await;
                    if set_aside.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// An event of a room that was not known when it came: it belongs to a lane now, or to nobody.
    async fn place_stray(&self, event: &InboxEvent) -> Result<(), GhostError> {
        let room = match Event::read(&event.json) {
            Ok(read) => self.store.room_by_matrix_id(&read.room_id).await?,
            Err(_) => None,
        };
        match room {
            Some(room) => {
                self.store.move_event(event.seq, &room.lane).await?;
                self.wake_lane(&room.lane);
            }
            None => self.store.finish_event(event.seq, None).await?,
        }
        Ok(())
    }

    async fn attend_to(&self, stored: &InboxEvent) -> Result<(), GhostError> {
        let event = match Event::read(&stored.json) {
            Ok(event) => event,
            Err(error) => {
                return Ok(self.store.finish_event(stored.seq, Some(&error.to_string())).await?);
            }
        };
        match &event.content {
            Content::Member(member) if member.membership == "invite" && self.is_ours(&member.user_id) => {
                self.on_invite(&event, member).await?;
                Ok(self.store.finish_event(stored.seq, None).await?)
            }
            Content::Message(message) => self.on_message(stored, &event, message).await,
            Content::Encrypted | Content::Encryption => {
                self.explain_encryption(&event).await?;
                Ok(self.store.finish_event(stored.seq, None).await?)
            }
            _ => Ok(self.store.finish_event(stored.seq, None).await?),
        }
    }

    async fn on_invite(&self, event: &Event, member: &Member) -> Result<(), GhostError> {
        let permission = self.config.permissions.of(&event.sender);
        if member.user_id != self.client.bot() {
            return self.on_ghost_invite(event, &member.user_id, permission).await;
        }
        if permission == Permission::None {
            tracing::info!(user = %event.sender, "an invitation from somebody without permission was refused");
            let reason = format!(
                "{} has no permission to use this bridge. Its administrator can give it, under permissions in the \
                 configuration.",
                event.sender
            );
            return Ok(self
                .persist(|| self.client.leave(self.client.bot(), &event.room_id, Some(&reason)))
                .await?);
        }
        let user = self.store.ensure_user(&event.sender, self.clock.unix_ms()).await?;
        // The row comes first: what is said in the room right after the join must find its lane.
        let room = self
            .store
            .intend_room(NewRoom {
                kind: RoomKind::Control,
                marker: content::unique(),
                creator: event.sender.clone(),
                owner: Some(user.id),
                lane: lane_of(&event.sender),
                link: Link::Control { user: user.id },
                room_id: Some(event.room_id.clone()),
                created_at: self.clock.unix_ms(),
            })
            .await?;
        self.persist(|| self.client.join(self.client.bot(), &event.room_id)).await?;
        let state = self.client.state(self.client.bot(), &event.room_id, "m.room.encryption", "").await;
        if member.encrypted || matches!(state, Ok(Some(_))) {
            return self.explain_encryption(event).await;
        }
        Ok(self.notice(room.id, &self.console.greeting(permission)).await?)
    }

    /// Somebody wants to talk to a ghost: the query's own room is the place for that.
    async fn on_ghost_invite(
        &self,
        event: &Event,
        ghost: &str,
        permission: Permission,
    ) -> Result<(), GhostError> {
        let found = self.ghost_named_by(ghost).await?;
        let session = found.as_ref().and_then(|ghost| {
            self.sessions(Some(&event.sender))
                .into_iter()
                .find(|session| session.row.network == ghost.network)
        });
        let reason = match (&found, session) {
            _ if permission == Permission::None => "You have no permission to use this bridge.".to_owned(),
            (Some(ghost), Some(session)) => match session.query(&ghost.nick, None).await {
                Ok(_) => format!(
                    "The conversation with {} has a room of its own; see your invitations.",
                    ghost.nick
                ),
                Err(refusal) => refusal.to_string(),
            },
            (Some(ghost), None) => {
                let network = self.network_name(&ghost.network);
                format!("You are not on {network}: open it in the chat with {} first.", self.client.bot())
            }
            (None, _) => "There is nobody of that name.".to_owned(),
        };
        if let Some(ghost) = &found {
            self.register_ghost(ghost).await?;
        }
        Ok(self.persist(|| self.client.leave(ghost, &event.room_id, Some(&reason))).await?)
    }

    async fn on_message(
        &self,
        stored: &InboxEvent,
        event: &Event,
        message: &Message,
    ) -> Result<(), GhostError> {
        let room = self.store.room_by_matrix_id(&event.room_id).await?;
        self.store.finish_event(stored.seq, None).await?;
        let Some(room) = room.filter(|room| room.owner.as_deref() == Some(&event.sender)) else {
            return Ok(());
        };
        // Bots don't answer notices, and an edit is no second command.
        if message.kind != "m.text" || message.replaces.is_some() {
            return Ok(());
        }
        let place = match (room.kind()?, room.session) {
            (RoomKind::Network, Some(session)) => Place::Network(session),
            _ => Place::Control,
        };
        let permission = self.config.permissions.of(&event.sender);
        let answer = if permission == Permission::None {
            Answer {
                text: RichText::plain("You have no permission to use this bridge any more."),
                redact: false,
            }
        } else {
            let user = self.store.ensure_user(&event.sender, self.clock.unix_ms()).await?;
            let call = Call { user, permission, place, text: message.body.clone() };
            self.console.answer(self, call).await
        };
        let bot = self.client.bot();
        let mut rows = Vec::new();
        if answer.redact {
            rows.push(content::redact_row(room.id, bot, &event.event_id, "It held a password"));
        }
        let text = content::message(MessageType::Notice, &answer.text, None);
        rows.push(content::message_row(room.id, bot, text, None));
        self.store.enqueue(rows, self.clock.unix_ms()).await?;
        self.wake_delivery(room.id);
        Ok(())
    }

    /// The bot can't read an encrypted room. It says so where it can be read: in a room of its own.
    async fn explain_encryption(&self, event: &Event) -> Result<(), GhostError> {
        let Some(room) = self.store.room_by_matrix_id(&event.room_id).await? else {
            return Ok(());
        };
        let (Some(owner), true) = (&room.owner, room.owner.as_deref() == Some(&event.sender)) else {
            return Ok(());
        };
        if !self.store.mark_explained(room.id).await? {
            return Ok(());
        }
        let text = RichText::plain(
            "That chat is encrypted, and I can't read what you write there: I have no keys, since what you write \
             goes to IRC as plain text anyway. Talk to me here instead; this room is not encrypted. ",
        )
        .text("Type ")
        .code("help")
        .text(" to begin.");
        let user = self.store.ensure_user(owner, self.clock.unix_ms()).await?;
        let own: RoomRow = self.own_control_room(user.id).await?;
        let bot = self.client.bot();
        let alert = content::message(MessageType::Text, &text, Some(owner));
        let mut rows = vec![content::message_row(own.id, bot, alert, None)];
        if own.room_id.is_some() {
            rows.insert(0, content::invite_row(own.id, bot, owner));
        }
        self.store.enqueue(rows, self.clock.unix_ms()).await?;
        self.wake_delivery(own.id);
        Ok(())
    }

    /// Makes an idempotent request until its outcome is known or the bridge stops.
    async fn persist<T, F>(&self, request: impl Fn() -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let mut attempt = 0;
        loop {
            match request().await {
                Err(error) if error.is_temporary() && self.pause_after(&error, attempt).await => attempt += 1,
                result => return result,
            }
        }
    }
}
