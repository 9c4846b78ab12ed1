//! Relays: what people say in a shared room who have no connection of their own goes to its channel through somebody
//! else's session, with their name before it.
//!
//! What they say waits in a lane of the room's, so that its order holds among all of them. Here it is found out, event by
//! event, who has got a session of their own meanwhile and by what name the others go; then it goes to the lane of the
//! session that relays, which says it (`session/relay.rs`). Each of these steps is one commit.
//!
//! Nobody is relayed who can speak for themselves: not in a room where they have a session that is to be connected, nor
//! who is refused by the channel. Whether a session may relay is asked each time: its user must be an administrator.

mod names;

use super::super::Bridge;
use super::super::content::{self, MessageType};
use super::super::desk::{PREFIX, lane_of};
use super::super::ghosts::GhostError;
use super::super::outcome::{Outcome, Refusal};
use super::super::session::{ChannelRequest, OwnRoom, Request, SessionHandle, SharedRequest};
use super::Once;
use crate::config::Permission;
use crate::format::{Called, RichText};
use crate::matrix::event::{Callings, Content, Event};
use crate::names::Channel;
use crate::store::{InboxEvent, Relay, RoomRow, StoreError, relay_lane};

pub(in crate::bridge) use self::names::RelayedNames;

impl Bridge {
    /// The session that relays in a room, if its user may have it do so.
    pub(in crate::bridge) async fn relay_in(&self, room: i64) -> Result<Option<Relay>, StoreError> {
        let relay = self.store.relay_of(room).await?;
        Ok(relay.filter(|relay| self.may_relay(&relay.user_id)))
    }

    /// Whether somebody's session may speak for others.
    pub(in crate::bridge) fn may_relay(&self, user_id: &str) -> bool {
        self.permission_of(user_id) == Permission::Admin
    }

    /// Whether somebody may be in a shared room that the bridge has made without being in its channel: what they say there
    /// is relayed, since they can't be there themselves, or it is their own session that relays.
    pub(super) async fn may_stay(&self, room: &RoomRow, user_id: &str) -> Result<bool, StoreError> {
        if self.exclusion_of(user_id).is_some() {
            return Ok(false);
        }
        if self.permission_of(user_id) != Permission::None && self.is_asked_instead(room.id, user_id).await? {
            return Ok(true);
        }
        let Some(relay) = self.relay_in(room.id).await? else { return Ok(false) };
        Ok(relay.user_id == user_id || self.permission_of(user_id) == Permission::None)
    }

    /// Whether somebody can be heard in a shared room's channel by its relay alone.
    pub(super) async fn is_heard_by_relay(&self, room: &RoomRow, user_id: &str) -> Result<bool, StoreError> {
        let may_be_there = self.is_ours(user_id) || self.permission_of(user_id) != Permission::None;
        Ok(!may_be_there && self.relay_in(room.id).await?.is_some())
    }

    /// Whether somebody says what they say in a room themselves, or would if they were in the channel.
    async fn speaks_alone(&self, room: &RoomRow, relay: &Relay, user_id: &str) -> Result<bool, StoreError> {
        if !room.is_plumbed() {
            return Ok(user_id != relay.user_id && self.permission_of(user_id) != Permission::None);
        }
        Ok(self.speaker(room, user_id).await?.is_some())
    }

    /// Gives something that is said in a room to whoever says it on IRC.
    pub(in crate::bridge) async fn attend_to_relayed(&self, stored: &InboxEvent) -> Result<(), GhostError> {
        let event = match Event::read(&stored.json) {
            Ok(event) => event,
            Err(error) => return Ok(self.store.finish_event(stored.seq, Some(&error.to_string())).await?),
        };
        if self.exclusion_of(&event.sender).is_some() {
            // Nobody speaks for who is kept out.
            return Ok(self.store.finish_event(stored.seq, None).await?);
        }
        let Some(room) = self.shared_room_of(stored, &event).await? else {
            if self.refuse_for_former(stored, &event).await? {
                return Ok(());
            }
            return Ok(self.store.finish_event(stored.seq, None).await?);
        };
        if let Some(session) = self.store.session_in_shared_room(room.id, &event.sender).await? {
            return Ok(self.place(stored, &format!("session/{session}")).await?);
        }
        let is_command = matches!(&event.content, Content::Message(message)
            if self.address(PREFIX).mark(message).is_some());
        let relay = self.relay_in(room.id).await?.filter(|_| !is_command && !room.is_ending());
        let Some(relay) = relay else { return Ok(self.place(stored, &lane_of(&event.sender)).await?) };
        if self.speaks_alone(&room, &relay, &event.sender).await? {
            return Ok(self.place(stored, &lane_of(&event.sender)).await?);
        }
        let lane = format!("session/{}", relay.session);
        if event.sender == relay.user_id {
            return Ok(self.place(stored, &lane).await?);
        }
        self.learn_names(&event.room_id).await?;
        let given = match &event.content {
            Content::Message(message) => message.profile.as_deref(),
            _ => None,
        };
        let name = |called| self.relayed_names.name(&event.room_id, &event.sender, given, called);
        let callings = Callings {
            displayed: name(Called::Displayed),
            localpart: name(Called::Localpart),
            id: name(Called::Id),
        };
        // With the event, so that a restart asks nobody again.
        match Event::with_callings(&stored.json, &callings) {
            Ok(json) => {
                self.store.rewrite_event(stored, &lane, &json).await?;
                failpoint!("relay_placed");
                self.wake_lane(&lane);
                Ok(())
            }
            Err(error) => Ok(self.store.finish_event(stored.seq, Some(&error.to_string())).await?),
        }
    }

    /// Gives what somebody says who has no session to the one that relays it, if there is one.
    pub(super) async fn is_relayed(
        &self,
        stored: &InboxEvent,
        event: &Event,
        room: &RoomRow,
    ) -> Result<bool, StoreError> {
        let is_command = matches!(&event.content, Content::Message(message)
            if self.address(PREFIX).mark(message).is_some());
        let Some(relay) = self.relay_in(room.id).await?.filter(|_| !is_command) else { return Ok(false) };
        if self.speaks_alone(room, &relay, &event.sender).await? {
            return Ok(false);
        }
        self.place(stored, &relay_lane(room.id)).await?;
        Ok(true)
    }

    /// Somebody who is relayed has typed a command, which is none of IRC's.
    pub(super) async fn refuse_command(
        &self,
        stored: &InboxEvent,
        event: &Event,
        room: &RoomRow,
    ) -> Result<(), StoreError> {
        let text = "Commands are not taken in a room that people share, and this did not go to IRC.";
        self.answer_in_shared(stored, event, room, Once::Command, text).await
    }

    /// Tells in a shared room what became of something that somebody has written there. Others read that, and other bots
    /// may answer it: not of notices, of what has no words, or of edits.
    pub(super) async fn answer_in_shared(
        &self,
        stored: &InboxEvent,
        event: &Event,
        room: &RoomRow,
        once: Once,
        text: &str,
    ) -> Result<(), StoreError> {
        let is_said = matches!(&event.content, Content::Message(message)
            if !message.is_wordless && message.kind != "m.notice" && message.replaces.is_none());
        if !is_said || !self.tells(room.id, &event.event_id, once) {
            return self.store.finish_event(stored.seq, None).await;
        }
        let notice = content::message(MessageType::Notice, &RichText::plain(text), None);
        let notice = content::in_reply_to(notice, &event.event_id);
        let row = content::message_row(room.id, self.client.bot(), notice, None);
        self.answer_event(stored.seq, vec![row]).await?;
        self.wake_delivery(room.id);
        Ok(())
    }

    async fn place(&self, stored: &InboxEvent, lane: &str) -> Result<(), StoreError> {
        self.store.move_event(stored.seq, lane).await?;
        self.wake_lane(lane);
        Ok(())
    }

    /// Knows who has which name in a room, from here on.
    async fn learn_names(&self, room_id: &str) -> Result<(), GhostError> {
        if self.relayed_names.knows(room_id) {
            return Ok(());
        }
        let begun = self.relayed_names.begin(room_id);
        let named = match self.client.names_in(self.client.bot(), room_id).await {
            // The bot is out of it, or the room is gone: everybody goes by their id.
            Err(error) if error.is_final() => Vec::new(),
            named => named?,
        };
        let others = named.into_iter().filter(|(user_id, _)| !self.is_ours(user_id));
        self.relayed_names.learn(room_id, begun, others);
        Ok(())
    }

    /// Has a session say in a channel what people say in its shared room who have no connection of their own.
    pub async fn relay(&self, session: &SessionHandle, channel: &Channel) -> Outcome {
        let (network, name) = (&session.row.network, self.network_name(&session.row.address()));
        let folded = session.status().mapping.fold(channel.as_str());
        let Some(room) = self.room_for_relay(network, channel).await? else {
            return Err(Refusal::asked(format!(
                "No room that people share shows {channel} of {name}, so nobody is there to be relayed. A room that was \
                 there before is tied to a channel in the configuration, under channels of its network."
            )));
        };
        if let Some(relay) = self.store.relay_of(room.id).await? {
            return if relay.session == session.row.id {
                Ok(RichText::plain(format!(
                    "What people say there goes to {channel} through {name} already."
                )))
            } else {
                let mut text = format!("A session of {} relays to {channel} already.", relay.user_id);
                text += " There is one relay for a room: it is ended by its user, with relay #channel off.";
                Err(Refusal::asked(text))
            };
        }
        let held = self.store.shared_rooms_of(session.row.id).await?;
        if !held.iter().any(|held| held.room == room.id) {
            let own = self.store.buffers(session.row.id).await?;
            if own.iter().any(|own| own.folded == folded && own.wanted && !own.is_shared()) {
                let text = format!("{name} shows {channel} in a room of your own. First leave that: type ");
                let text = RichText::plain(text).code(format!("part {channel}")).text(", then ");
                return Err(Refusal::Asked(text.code(format!("relay {channel}")).text(" again.")));
            }
            let (channel, room, own) = (channel.clone(), room.id, OwnRoom::Stays);
            let request = SharedRequest::Share { channel, room, came_by: None, own };
            session.ask(Request::Shared(request)).await?;
        }
        session.ask(Request::Channel(channel.clone(), ChannelRequest::Relay(true))).await
    }

    /// Ends that. The session leaves the channel, unless its user is in the room by it.
    pub async fn end_relay(&self, session: &SessionHandle, channel: &Channel) -> Outcome {
        let room = self.room_for_relay(&session.row.network, channel).await?;
        let relay = match &room {
            Some(room) => self.store.relay_of(room.id).await?,
            None => None,
        };
        let (Some(room), Some(_)) = (room, relay.filter(|relay| relay.session == session.row.id)) else {
            let name = self.network_name(&session.row.address());
            return Err(Refusal::asked(format!("{name} does not relay to {channel}.")));
        };
        let user = &session.row.user_id;
        let is_there_otherwise = self.store.session_in_shared_room(room.id, user).await?.is_some();
        let answer = session.ask(Request::Channel(channel.clone(), ChannelRequest::Relay(false))).await?;
        let is_member = match &room.room_id {
            Some(room_id) => {
                let bot = self.client.bot();
                let state = self.client.state(bot, room_id, "m.room.member", user).await;
                // Who can't be looked for now may be there.
                state.map_or(true, |member| member.is_some_and(|member| member["membership"] == "join"))
            }
            None => false,
        };
        if is_there_otherwise || !is_member {
            session.ask(Request::Part { channel: channel.clone(), reason: String::new() }).await?;
        }
        if !room.is_plumbed() {
            let (bridge, room) = (self.clone(), room);
            self.tasks.spawn(async move { bridge.remove_who_was_relayed(&room).await });
        }
        Ok(answer)
    }

    async fn room_for_relay(&self, network: &str, channel: &Channel) -> Result<Option<RoomRow>, StoreError> {
        // As the room of an alias is found.
        let room = self.store.shared_room(network, channel.as_str()).await?;
        let is_its = |room: &RoomRow| !self.is_of_another(room, network, channel);
        Ok(room.filter(|room| !room.is_ending() && room.room_id.is_some() && is_its(room)))
    }

    /// What is said in a room when a session begins to relay there, or ends that: people must know where their words go.
    pub(in crate::bridge) fn relay_notice(
        channel: &str,
        network: &str,
        nick: Option<&str>,
    ) -> serde_json::Value {
        let text = match nick {
            Some(nick) => format!(
                "From now on what people write here who have no IRC connection of their own goes to {channel} on {network}, \
                 with their name before it, through {nick}."
            ),
            None => format!(
                "What people write here who have no IRC connection of their own does not go to {channel} on {network} any \
                 more."
            ),
        };
        content::message(MessageType::Notice, &RichText::plain(text), None)
    }
}
