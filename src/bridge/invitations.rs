//! Invitations of the bot and of ghosts, at the desk.
//!
//! The bot talks with one person at a time: a room where others are is none for commands and passwords, and it says so
//! where that person reads it. A ghost invited to a chat leads to the conversation's own room; one invited to a channel's
//! room is invited on IRC.

use super::content::{self, MessageType};
use super::desk::lane_of;
use super::ghosts::GhostError;
use super::session::Request;
use super::upgrades::Followed;
use super::{Bridge, Refusal, SessionHandle};
use crate::config::Permission;
use crate::format::RichText;
use crate::matrix::ClientError;
use crate::matrix::event::{Event, Member};
use crate::store::{InboxEvent, Link, NewOutbox, NewRoom, RoomKind, RoomRow, StoreError};

impl Bridge {
    pub(super) async fn on_invite(
        &self,
        stored: &InboxEvent,
        event: &Event,
        member: &Member,
    ) -> Result<(), GhostError> {
        let permission = self.permission_of(&event.sender);
        if let Some(old) = &member.predecessor
            && let Some(room) = self.store.room_by_matrix_id(old).await?
            && permission > Permission::None
            && self.looker(&room.creator) == member.user_id
        {
            let is_there = self.follow(&room, old, &event.room_id, &event.sender).await? == Followed::There;
            // The owner's tombstone may come later than their invitation; nobody else's room comes after theirs.
            let is_owners = room.owner.as_deref() == Some(&event.sender);
            if !is_there && !is_owners {
                self.leave_for_good(&member.user_id, &event.room_id).await?;
            }
            if is_there || !is_owners {
                return Ok(self.store.finish_event(stored.seq, None).await?);
            }
        }
        if member.user_id != self.client.bot() {
            let rows = self.on_ghost_invite(event, &member.user_id, permission).await?;
            let room = rows.last().map(|row| row.room);
            self.answer_event(stored.seq, rows).await?;
            room.into_iter().for_each(|room| self.wake_delivery(room));
            return Ok(());
        }
        if self.is_mapped(&event.room_id) {
            // Whoever invites it there: the administrator wants it to come.
            self.take_up_mappings(Some(&event.room_id));
            return Ok(self.store.finish_event(stored.seq, None).await?);
        }
        if self.is_policy_list(&event.room_id) {
            self.read_policy_lists();
            return Ok(self.store.finish_event(stored.seq, None).await?);
        }
        if self.on_invitation_to_asked(&event.room_id, &event.sender) {
            return Ok(self.store.finish_event(stored.seq, None).await?);
        }
        if permission == Permission::None {
            tracing::info!(user = %event.sender, "an invitation from somebody without permission was refused");
            let reason = self.why_not_admitted(&event.sender);
            self.client.leave(self.client.bot(), &event.room_id, Some(&reason)).await?;
            return Ok(self.store.finish_event(stored.seq, None).await?);
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
        if room.kind()? == RoomKind::Query {
            // Two members make a direct chat; with a third one clients and push rules would see another.
            let reason = "This is a conversation of two. Talk to me in a chat of our own.";
            self.client.leave(self.client.bot(), &event.room_id, Some(reason)).await?;
            return Ok(self.store.finish_event(stored.seq, None).await?);
        }
        self.client.join(self.client.bot(), &event.room_id).await?;
        if room.kind()? == RoomKind::Control && self.has_others(&event.room_id, &event.sender).await? {
            self.decline_company(stored, event, &room, user.id).await?;
            return Ok(());
        }
        self.store.owner_moved(room.id, false).await?;
        let state = self.client.state(self.client.bot(), &event.room_id, "m.room.encryption", "").await;
        if member.encrypted || matches!(state, Ok(Some(_))) {
            self.explain_encryption(event).await?;
            return Ok(self.store.finish_event(stored.seq, None).await?);
        }
        let greeting = content::message(MessageType::Notice, &self.console.greeting(self, permission), None);
        let row = content::message_row(room.id, self.client.bot(), greeting, None);
        self.answer_event(stored.seq, vec![row]).await?;
        self.wake_delivery(room.id);
        Ok(())
    }

    /// Whether somebody is in a room besides its user and the bot.
    async fn has_others(&self, room_id: &str, user_id: &str) -> Result<bool, ClientError> {
        let bot = self.client.bot();
        let members = self.client.members(bot, room_id).await?;
        Ok(members.iter().any(|member| member != bot && member != user_id))
    }

    /// Leaves a room with others in it, and tells its user why where nobody else reads it.
    async fn decline_company(
        &self,
        stored: &InboxEvent,
        event: &Event,
        room: &RoomRow,
        user: i64,
    ) -> Result<(), GhostError> {
        let bot = self.client.bot();
        let reason = "I talk with one person at a time. Write to me in a chat of our own.";
        self.client.leave(bot, &event.room_id, Some(reason)).await?;
        self.store.drop_control_room(room.id).await?;
        let text = RichText::plain(
            "You invited me to a room where others are. I don't stay there: everybody would read what I tell you, and \
             what you type to me may be a password. I am here for you; a channel of IRC gets a room of its own when you \
             type ",
        )
        .code("join #channel")
        .text(".");
        let (own, mut rows) = self.way_to(user, &event.sender).await?;
        let alert = content::message(MessageType::Text, &text, Some(&event.sender));
        rows.push(content::message_row(own.id, bot, alert, None));
        self.answer_event(stored.seq, rows).await?;
        self.wake_delivery(own.id);
        Ok(())
    }

    /// A control room in which a user can be reached, and what must be asked first for that: the newest that they are
    /// in, else the bot's own, with an invitation.
    pub(super) async fn way_to(
        &self,
        user: i64,
        user_id: &str,
    ) -> Result<(RoomRow, Vec<NewOutbox>), StoreError> {
        self.way_to_but(user, user_id, 0).await
    }

    /// As [`Self::way_to`], by another room than this one where there is any.
    pub(super) async fn way_to_but(
        &self,
        user: i64,
        user_id: &str,
        not: i64,
    ) -> Result<(RoomRow, Vec<NewOutbox>), StoreError> {
        if let Some(room) = self.store.control_room_in_use(user).await?.filter(|room| room.id != not) {
            return Ok((room, Vec::new()));
        }
        let room = self.own_control_room(user).await?;
        let bot = self.client.bot();
        let invite = room.room_id.as_ref().map(|_| content::invite_row(room.id, bot, user_id));
        Ok((room, invite.into_iter().collect()))
    }

    /// Somebody wants to talk to a ghost: the query's own room is the place for that. Returns what they are told besides why
    /// the ghost leaves, which all in the room can read.
    async fn on_ghost_invite(
        &self,
        event: &Event,
        ghost: &str,
        permission: Permission,
    ) -> Result<Vec<NewOutbox>, GhostError> {
        if permission == Permission::None && self.store.ghost_by_user_id(ghost).await?.is_none() {
            // An answer would need an account, and anybody could have as many made as they like.
            tracing::info!(user = %event.sender, %ghost, "an invitation from somebody without permission stays unanswered");
            return Ok(Vec::new());
        }
        let found = self.ghost_named_by(ghost, Some(&event.sender)).await?;
        if let Some(ghost) = &found {
            self.register_ghost(ghost).await?;
        }
        let room = self.store.room_by_matrix_id(&event.room_id).await?;
        let session = found.as_ref().and_then(|ghost| {
            let sessions = self.sessions(Some(&event.sender)).into_iter();
            let here = room.as_ref().and_then(|room| room.session);
            // Of several on the network it is the one whose room this is, else the one without a name, else the oldest.
            sessions
                .filter(|session| session.row.network == ghost.network)
                .min_by_key(|session| (Some(session.row.id) != here, !session.row.name.is_empty()))
        });
        let channel = room.filter(|room| {
            room.kind().is_ok_and(|kind| kind == RoomKind::Private)
                && room.owner.as_deref() == Some(&event.sender)
        });
        let mut told = None;
        let reason = match (&found, session) {
            _ if permission == Permission::None => "You have no permission to use this bridge.".to_owned(),
            (Some(ghost), Some(session)) => match &channel {
                Some(channel) if channel.session == Some(session.row.id) => {
                    let name = channel.buffer_name.as_deref().unwrap_or_default();
                    let invited = session.ask(Request::Raw(format!("INVITE {} {name}", ghost.nick))).await;
                    let told = invited.unwrap_or_else(Refusal::into_text);
                    let told = content::message(MessageType::Notice, &told, None);
                    let row = content::message_row(channel.id, self.client.bot(), told, None);
                    self.enqueue(vec![row]).await?;
                    self.wake_delivery(channel.id);
                    let reason = format!("{} is here when they enter {name} on IRC.", ghost.nick);
                    // Made again by itself: an invitation on IRC can't be taken back. The room is one of our own making.
                    let leave = || self.client.leave(&ghost.user_id, &event.room_id, Some(&reason));
                    self.persist(leave).await?;
                    return Ok(Vec::new());
                }
                _ => match self.query(&session, &ghost.nick, None).await {
                    Ok(_) => {
                        told = self.told_of_others(&session, &ghost.nick);
                        format!(
                            "The conversation with {} has a room of its own; see your invitations.",
                            ghost.nick
                        )
                    }
                    Err(refusal) => refusal.to_string(),
                },
            },
            (Some(ghost), None) => {
                let network = self.network_name(&ghost.network);
                format!("You are not on {network}: open it in the chat with {} first.", self.client.bot())
            }
            (None, _) => "There is nobody of that name.".to_owned(),
        };
        self.client.leave(ghost, &event.room_id, Some(&reason)).await?;
        let Some(told) = told else { return Ok(Vec::new()) };
        let user = self.store.ensure_user(&event.sender, self.clock.unix_ms()).await?;
        let (own, mut rows) = self.way_to(user.id, &event.sender).await?;
        let told = content::message(MessageType::Notice, &told, None);
        rows.push(content::message_row(own.id, self.client.bot(), told, None));
        Ok(rows)
    }

    /// How to have a conversation as another of a person's sessions on the network, where there are such.
    fn told_of_others(&self, session: &SessionHandle, nick: &str) -> Option<RichText> {
        let row = &session.row;
        let mine = self.sessions(Some(&row.user_id));
        let other = mine.iter().find(|other| other.row.network == row.network && other.row.id != row.id)?;
        let text = format!(
            "The conversation with {nick} on {} has a room of its own. For one with your other name there, type ",
            self.network_name(&row.address())
        );
        Some(RichText::plain(text).code(format!("query {} {nick}", other.row.address())).text("."))
    }
}
