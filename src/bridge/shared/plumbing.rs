//! Plumbed rooms: rooms of other people that show a channel, because the configuration says so.
//!
//! Such a room is a shared room (`bridge/shared.rs`) with one difference: nothing in it is the bridge's but its own ghosts.
//! Its name, topic and powers stay as they are, and nobody is removed from it: delivery refuses to make such requests there
//! (`delivery/request.rs`), whoever asks for them. Who has a session on the network is in the channel by it; what the others
//! say is not sent, of which they are told once.
//!
//! The row of a room comes before the bot enters it, and goes when the bridge is out of it again; both can be taken up
//! where a crash left them. One task at a time takes rooms up and lets go of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::super::content::{self, MessageType, unique};
use super::super::ghosts::GhostError;
use super::super::inbox::AskedFor;
use super::super::session::{Request, SessionHandle};
use super::super::{Bridge, Refusal};
use super::needs;
use crate::config::Permission;
use crate::format::RichText;
use crate::matrix::event::{Content, Event, Member};
use crate::names::{CaseMapping, Channel};
use crate::store::{InboxEvent, NewPlumbing, Outsider, PlumbedBy, Plumbing, RoomRow};

/// How long to wait for ghosts that still say something in a room that the bridge leaves.
const MOMENT: Duration = Duration::from_secs(1);
/// What ghosts leave with.
const NO_MORE: &str = "This room no longer shows the channel.";
const ENCRYPTED: &str = "This room is encrypted, and I have no keys: what is said on IRC would stand here for all to read, \
                         and nothing that is said here could go there.";

/// A room that the configuration ties to a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mapping {
    network: String,
    channel: String,
    room_id: String,
}

/// What is kept of plumbed rooms besides the store's record.
#[derive(Debug, Default)]
pub(in crate::bridge) struct Plumber {
    /// Held while rooms are taken up and let go of.
    turn: tokio::sync::Mutex<()>,
    /// How many were told of late that what they say does not go to IRC.
    told: Mutex<AskedFor>,
    /// What rooms were told last of what they lack, by their numbers.
    lacking: Mutex<HashMap<i64, Vec<String>>>,
}

impl Bridge {
    fn mappings(&self) -> Vec<Mapping> {
        let public = self.networks.public();
        let of_network = |known: &std::sync::Arc<super::super::Known>| {
            let network = known.network.slug.as_str().to_owned();
            let channels = known.network.channels.clone().into_iter();
            let mapping = move |(channel, room_id)| Mapping { network: network.clone(), channel, room_id };
            channels.map(mapping).collect::<Vec<_>>()
        };
        public.iter().flat_map(of_network).collect()
    }

    /// Whether the configuration ties this room to a channel.
    pub(in crate::bridge) fn is_mapped(&self, room_id: &str) -> bool {
        self.mappings().iter().any(|mapping| mapping.room_id == room_id)
    }

    /// Has rooms be what the configuration says of them: all, or this one.
    pub(in crate::bridge) fn take_up_mappings(&self, room_id: Option<&str>) {
        let (bridge, room_id) = (self.clone(), room_id.map(str::to_owned));
        self.tasks.spawn(async move {
            let _turn = bridge.plumber.turn.lock().await;
            if let Err(error) = Box::pin(bridge.keep_mappings(room_id.as_deref())).await {
                tracing::warn!(%error, "rooms may not be what the configuration says of them until the next start");
            }
        });
    }

    async fn keep_mappings(&self, only: Option<&str>) -> Result<(), GhostError> {
        let mappings = self.mappings();
        for room in self.store.plumbed_rooms().await? {
            let folded = |name: &str| CaseMapping::Rfc1459.fold(name);
            let (network, channel) = (room.network.as_deref(), room.buffer_name.as_deref().map(folded));
            let is_it = |mapping: &Mapping| {
                Some(&mapping.room_id) == room.room_id.as_ref()
                    && Some(mapping.network.as_str()) == network
                    && Some(folded(&mapping.channel)) == channel
            };
            let is_over = room.plumbed_by() == Some(PlumbedBy::Configuration) && !mappings.iter().any(is_it);
            if room.is_ending() || is_over {
                self.let_go(&room, NO_MORE).await?;
            }
        }
        for mapping in mappings.iter().filter(|mapping| only.is_none_or(|only| mapping.room_id == only)) {
            if self.stop.is_cancelled() {
                return Ok(());
            }
            let taken_up = self.take_up(mapping).await;
            if let Err(error) = taken_up {
                let Mapping { network, channel, room_id } = mapping;
                tracing::warn!(%network, %channel, room = %room_id, %error, "a room does not show its channel yet");
            }
        }
        Ok(())
    }

    async fn take_up(&self, mapping: &Mapping) -> Result<(), GhostError> {
        let Mapping { network, channel, room_id } = mapping;
        let Some(room) = self.intend_plumbing(mapping).await? else { return Ok(()) };
        let bot = self.client.bot();
        match self.persist(|| self.client.join(bot, room_id)).await {
            Err(error) if error.is_final() => {
                tracing::warn!(
                    %network, %channel, room = %room_id, %error,
                    "the bot is not let into the room that the configuration names: invite {bot} there, and it comes"
                );
                return Ok(());
            }
            entered => entered?,
        }
        if self.persist(|| self.client.state(bot, room_id, "m.room.encryption", "")).await?.is_some() {
            tracing::warn!(%network, %channel, room = %room_id, "an encrypted room can't show a channel: name another");
            return self.let_go(&room, ENCRYPTED).await;
        }
        self.tell_needs(&room, room_id).await?;
        for user_id in self.persist(|| self.client.joined_members(bot, room_id)).await? {
            // Nor do a start and a reload bring anybody back who has left the channel.
            let has_left = self.store.outsider(room.id, &user_id).await? == Some(Outsider::HasLeft);
            if self.is_ours(&user_id) || has_left {
                continue;
            }
            match self.take_in(&room, &user_id).await {
                Ok(_) => {}
                Err(Refusal::Asked(text)) => {
                    tracing::info!(%user_id, %channel, reason = text.to_plain(), "somebody is not taken into a channel");
                }
                Err(Refusal::Store(error)) => return Err(error.into()),
                Err(Refusal::Stopping) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Stores that the room shows the channel; says why, where it can't.
    async fn intend_plumbing(&self, mapping: &Mapping) -> Result<Option<RoomRow>, GhostError> {
        let Mapping { network, channel, room_id } = mapping;
        let now = self.clock.unix_ms();
        self.store.ensure_network(network, &self.network_name(network), now).await?;
        let new = || NewPlumbing {
            network: network.clone(),
            name: channel.clone(),
            folded: CaseMapping::Rfc1459.fold(channel),
            room_id: room_id.clone(),
            by: PlumbedBy::Configuration,
            marker: unique(),
            creator: self.client.bot().to_owned(),
            created_at: now,
        };
        let mut became = self.store.plumb(new()).await?;
        if let Plumbing::ChannelTaken(other) = &became {
            let is_deserted = !other.is_plumbed() && self.store.holders(other.id).await?.is_empty();
            if is_deserted {
                // It was found by alias, and everybody has left.
                self.let_go(other, NO_MORE).await?;
                became = self.store.plumb(new()).await?;
            }
        }
        let why = match became {
            Plumbing::Done(room) => return Ok(Some(room)),
            Plumbing::RoomTaken(_) => "the bridge uses that room for something else",
            Plumbing::ChannelTaken(_) => {
                "the channel has another shared room, and people are in it: have them leave it, and reload the configuration"
            }
        };
        tracing::warn!(%network, %channel, room = %room_id, "a room can't show a channel: {why}");
        Ok(None)
    }

    /// Says in a room what it lacks for the people of IRC to come in and be heard, unless it knows.
    async fn tell_needs(&self, room: &RoomRow, room_id: &str) -> Result<(), GhostError> {
        let bot = self.client.bot();
        let levels = self.persist(|| self.client.state(bot, room_id, "m.room.power_levels", "")).await?;
        let rule = self.persist(|| self.client.state(bot, room_id, "m.room.join_rules", "")).await?;
        let rule = rule.as_ref().and_then(|rule| rule["join_rule"].as_str()).unwrap_or("invite");
        let channel = room.buffer_name.as_deref().unwrap_or_default();
        let lacking = needs::lacking(&levels.unwrap_or_default(), rule, bot);
        let told = {
            let mut told = self.plumber.lacking.lock().unwrap_or_else(PoisonError::into_inner);
            told.insert(room.id, lacking.clone()).unwrap_or_default()
        };
        if lacking.is_empty() || lacking == told {
            return Ok(());
        }
        tracing::warn!(%channel, room = room_id, "a room lacks something to show its channel: {}", lacking.join(" "));
        let text =
            RichText::plain(format!("This room is to show {channel}, and can't yet. {}", lacking.join(" ")));
        let notice = content::message(MessageType::Notice, &text, None);
        self.enqueue(vec![content::message_row(room.id, bot, notice, None)]).await?;
        self.wake_delivery(room.id);
        Ok(())
    }

    /// Has somebody's own session enter the channel for a room that they are in, if they have one that is to be connected
    /// and may use the bridge. Returns which. Who is in the channel by one stays there by that one, connected or not.
    async fn take_in(&self, room: &RoomRow, user_id: &str) -> Result<Option<i64>, Refusal> {
        let standing = self.store.session_in_shared_room(room.id, user_id).await?;
        if standing.is_some() {
            return Ok(standing);
        }
        let Some(channel) = room.buffer_name.as_deref().and_then(|name| Channel::new(name).ok()) else {
            return Ok(None);
        };
        let Some(session) = self.speaker(room, user_id).await? else { return Ok(None) };
        session.ask(Request::Share { channel, room: room.id }).await?;
        let session = session.row.id;
        // What they have said meanwhile waits there.
        self.wake_lane(&format!("session/{session}"));
        Ok(Some(session))
    }

    /// The session by which somebody is to speak in a room's channel: the one without a name, else their oldest.
    async fn speaker(&self, room: &RoomRow, user_id: &str) -> Result<Option<SessionHandle>, Refusal> {
        if self.permission_of(user_id) == Permission::None {
            return Ok(None);
        }
        let mut sessions = self.sessions(Some(user_id));
        sessions.retain(|session| Some(session.row.network.as_str()) == room.network.as_deref());
        sessions.sort_by_key(|session| !session.row.name.is_empty());
        for session in sessions {
            let is_wanted = self.store.session(session.row.id).await?.is_some_and(|row| row.connect);
            if is_wanted && !session.is_declined() {
                return Ok(Some(session));
            }
        }
        Ok(None)
    }

    /// Something is done in a plumbed room by, or to, somebody who is not in its channel.
    pub(super) async fn attend_to_plumbed(
        &self,
        stored: &InboxEvent,
        event: &Event,
        room: &RoomRow,
    ) -> Result<(), GhostError> {
        match &event.content {
            // Also while it leaves: an invitation is taken up when it is out.
            Content::Member(member) if member.user_id == self.client.bot() => {
                self.on_bot_member(room, member);
            }
            _ if room.is_ending() => {}
            Content::Member(member) if member.membership == "join" && !self.is_ours(&member.user_id) => {
                match self.take_in(room, &member.user_id).await {
                    Err(Refusal::Store(error)) => return Err(error.into()),
                    // It goes on after the next start.
                    Err(Refusal::Stopping) => return Ok(()),
                    // They are told when they say something.
                    Ok(_) | Err(Refusal::Asked(_)) => {}
                }
            }
            // Other bots talk by notices, and are not told anything.
            Content::Message(message) if !message.is_wordless && message.kind != "m.notice" => {
                return self.on_outsider(stored, event, room).await;
            }
            Content::Encryption => self.let_go_soon(room.id, ENCRYPTED),
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
        let is_told = self.store.outsider(room.id, user_id).await? == Some(Outsider::Told);
        let why = match self.take_in(room, user_id).await {
            Ok(None) => self.why_not(room, user_id),
            Err(Refusal::Asked(text)) => text,
            Err(Refusal::Store(error)) => return Err(error.into()),
            // What they said went to their session's lane in the commit that took them in, or does when that is done. And
            // it goes on after the next start.
            Ok(Some(_)) | Err(Refusal::Stopping) => return Ok(()),
        };
        let is_one_more =
            || self.plumber.told.lock().unwrap_or_else(PoisonError::into_inner).admit(self.clock.now());
        if is_told || !is_one_more() {
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

    /// The bot is invited to a plumbed room, or taken out of it.
    pub(in crate::bridge) fn on_bot_member(&self, room: &RoomRow, member: &Member) {
        match member.membership.as_str() {
            "invite" => self.take_up_mappings(room.room_id.as_deref()),
            "leave" | "ban" => self.let_go_soon(room.id, NO_MORE),
            _ => {}
        }
    }

    /// A plumbed room is encrypted from now on.
    pub(in crate::bridge) fn on_plumbed_encryption(&self, room: i64) {
        self.let_go_soon(room, ENCRYPTED);
    }

    /// Leaves a room to its people, in the background.
    fn let_go_soon(&self, room: i64, reason: &'static str) {
        let bridge = self.clone();
        self.tasks.spawn(async move {
            let _turn = bridge.plumber.turn.lock().await;
            let let_go = async {
                match bridge.store.room(room).await? {
                    Some(room) if room.is_plumbed() => bridge.let_go(&room, reason).await,
                    _ => Ok(()),
                }
            };
            if let Err(error) = Box::pin(let_go).await {
                tracing::warn!(room, %error, "ghosts may stay in a room that shows no channel until the next start");
            }
        });
    }

    /// Leaves a room to its people: nobody's channel is shown there any more, and ghosts and bot go.
    async fn let_go(&self, room: &RoomRow, reason: &str) -> Result<(), GhostError> {
        self.store.begin_ending(room.id).await?;
        for holder in self.store.holders(room.id).await? {
            let Some(session) = self.session(holder.session) else { continue };
            if let Err(error) = session.ask(Request::Unshare { room: room.id }).await {
                tracing::debug!(session = holder.session, %error, "a session has a channel still that no room shows");
            }
        }
        loop {
            self.store.end_plumbing(room.id, NO_MORE).await?;
            self.clone().see_off(room.id).await;
            if self.store.ghosts_in(room.id).await?.is_empty() {
                break;
            }
            // What they have said is still on its way.
            if self.stop.run_until_cancelled(tokio::time::sleep(MOMENT)).await.is_none() {
                return Ok(());
            }
        }
        // One that is to show another channel is not left for that: nobody might invite the bot again.
        let goes_on = |room_id: &&String| reason == NO_MORE && self.is_mapped(room_id);
        if let Some(room_id) = room.room_id.as_ref().filter(|room_id| !goes_on(room_id)) {
            match self.persist(|| self.client.leave(self.client.bot(), room_id, Some(reason))).await {
                // Not there is what was wanted.
                Err(error) if error.is_final() => {
                    tracing::debug!(room = room_id, %error, "a room was not left");
                }
                left => left?,
            }
        }
        self.store.forget_plumbed(room.id).await?;
        self.ghosts.forget_room(room.id);
        self.plumber.lacking.lock().unwrap_or_else(PoisonError::into_inner).remove(&room.id);
        // What waits there is set aside.
        self.wake_delivery(room.id);
        Ok(())
    }
}
