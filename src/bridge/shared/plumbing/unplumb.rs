//! `unplumb`: the end of what `plumb` has begun. Either side can end it: who has a say in the room, or an operator of the channel.

use tokio::sync::oneshot;

use super::super::super::content::{self, MessageType};
use super::super::super::session::{Request, SessionHandle, SharedRequest};
use super::super::super::{Bridge, Outcome, Refusal};
use super::Cause;
use super::say::not_now;
use crate::format::RichText;
use crate::names::Channel;
use crate::store::{PlumbedBy, RoomRow};

/// A room that shows a channel, and who has asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plumbed {
    /// Its Matrix id.
    pub room_id: String,
    /// The channel's name.
    pub channel: String,
    /// Whether the configuration says so.
    pub is_configured: bool,
    /// The Matrix id of whoever has asked for it.
    pub asked_by: Option<String>,
}

impl Bridge {
    /// Ends that a room shows a channel, which somebody with a say on either side can.
    pub async fn unplumb(&self, session: &SessionHandle, is_admin: bool, what: &str) -> Outcome {
        let (by, network) = (session.row.user_id.as_str(), session.row.network.as_str());
        let nothing = || {
            Refusal::asked(format!("{what} has no room that shows a channel because somebody asked for it."))
        };
        let is_room = what.starts_with('!') || what.contains(':');
        let (asked, mut rooms) = if is_room {
            let (room_id, _) = self.room_named(what).await?;
            (self.plumber.asked(&room_id), self.store.rooms_by_matrix_id(&room_id).await?)
        } else {
            let room = self.store.shared_room(network, what).await?;
            let mapping = self.mapping_of(network);
            (self.plumber.asked_of_channel((network, mapping), what, by), room.into_iter().collect())
        };
        let asked = asked.filter(|asking| is_admin || asking.by == by);
        if let Some(asking) = asked
            && self.stop_asking(&asking)
        {
            return Ok(RichText::plain(format!("{} is not shown there.", asking.channel)));
        }
        rooms.retain(|room| room.is_plumbed() && !room.is_visited());
        if rooms.len() > 1 {
            // What a room shows is told to those who have a say in it.
            let which = self.which_to_unplumb(session, is_admin, &rooms).await?;
            return Err(which.map_or_else(nothing, Refusal::Asked));
        }
        let room = rooms.pop().ok_or_else(nothing)?;
        let (Some(room_id), Some(channel)) = (room.room_id.clone(), room.buffer_name.clone()) else {
            return Err(nothing());
        };
        let may = is_admin || self.may_unplumb(session, &room, &room_id).await?;
        if !may && is_room {
            // What a room shows is told to those who have a say in it.
            return Err(nothing());
        }
        if room.plumbed_by() == Some(PlumbedBy::Configuration) {
            let network = room.network.as_deref().unwrap_or_default();
            let text = RichText::plain(
                "The configuration says that this room shows this channel. To end that, take its line out under ",
            );
            return Err(Refusal::Asked(
                text.code(format!("networks.{network}.channels")).text(", and reload it."),
            ));
        }
        if room.is_ending() {
            return Err(Refusal::asked("I am just leaving that room."));
        }
        if !may {
            return Err(Refusal::asked(format!(
                "You may not end that: only those can who may change the name of the room, or are operators of {channel}."
            )));
        }
        tracing::info!(%by, %channel, room = %room_id, "a room shows a channel no more because somebody has asked for it");
        // Before anybody is told so: it waits for nobody, and no crash brings it back.
        let stopped = self.stop_showing(room.id, false).await;
        let text = RichText::plain(format!("This room shows {channel} no longer: {by} has ended it."));
        let notice = content::message(MessageType::Notice, &text, None);
        // What was ended just before it may still be under way.
        let is_over = |one: &RoomRow| one.id == room.id || one.is_ending() && !one.is_visited();
        let is_last = self.store.rooms_by_matrix_id(&room_id).await?.iter().all(is_over);
        let told = self.enqueue(vec![content::message_row(room.id, self.client.bot(), notice, None)]).await;
        self.wake_delivery(room.id);
        // Also where something failed that may be stored all the same.
        self.let_go_soon(room.id, Cause::Unplumbed);
        stopped.and(told)?;
        let rest = if is_last { "; I leave it." } else { "." };
        Ok(RichText::plain(format!("{channel} is not shown in that room any more{rest}")))
    }

    /// Asks which of several channels that a room shows is meant; nothing where that is not theirs to know.
    async fn which_to_unplumb(
        &self,
        session: &SessionHandle,
        is_admin: bool,
        rooms: &[RoomRow],
    ) -> Result<Option<RichText>, Refusal> {
        let mut may = is_admin;
        let mut text =
            RichText::plain("That room shows several channels. Say which of them it is to show no more: ");
        for (number, room) in rooms.iter().enumerate() {
            let (Some(room_id), Some(channel)) = (&room.room_id, &room.buffer_name) else { continue };
            may = may || self.may_unplumb(session, room, room_id).await?;
            let command = format!("unplumb {} {channel}", room.network.as_deref().unwrap_or_default());
            text = text.text(if number == 0 { "type " } else { ", or " }).code(command);
        }
        Ok(may.then(|| text.text(".")))
    }

    async fn may_unplumb(
        &self,
        session: &SessionHandle,
        room: &RoomRow,
        room_id: &str,
    ) -> Result<bool, Refusal> {
        let channel = room.buffer_name.as_deref().and_then(|name| Channel::new(name).ok());
        let is_here = room.network.as_deref() == Some(session.row.network.as_str());
        if let Some(channel) = channel.filter(|_| is_here) {
            let (answer, is_operator) = oneshot::channel();
            session.ask(Request::Shared(SharedRequest::IsOperator(channel, answer))).await?;
            if is_operator.await == Ok(true) {
                return Ok(true);
            }
        }
        match self.has_power_in(room_id, &session.row.user_id).await {
            // Where the bot may not look, nobody has a say that it knows of.
            Err(error) if error.is_final() => Ok(false),
            looked => looked.map_err(|error| not_now(&error)),
        }
    }

    /// Rooms that show channels of a network: all, or those by which this user is in one.
    pub async fn plumbed_on(&self, session: &SessionHandle, all: bool) -> Result<Vec<Plumbed>, Refusal> {
        let mut rooms = self.store.plumbed_rooms().await?;
        rooms.retain(|room| {
            room.network.as_deref() == Some(session.row.network.as_str()) && !room.is_ending()
        });
        if !all {
            let own = self.store.shared_rooms_of(session.row.id).await?;
            rooms.retain(|room| own.iter().any(|held| held.room == room.id));
        }
        let asked = self.store.who_asked().await?;
        let read = |room: RoomRow| {
            let is_configured = room.plumbed_by() == Some(PlumbedBy::Configuration);
            let asked_by = asked.iter().find(|(id, _)| *id == room.id).map(|(_, by)| by.clone());
            let (room_id, channel) = (room.room_id?, room.buffer_name?);
            Some(Plumbed { room_id, channel, is_configured, asked_by })
        };
        Ok(rooms.into_iter().filter_map(read).collect())
    }
}
