//! Who is thrown out of a channel whose room is shared, or not let in, is out of the room, too.
//!
//! They are told why and what they can do, in their network's room; the room itself, where others read it, says no more than
//! the server did. Who is kept out by a key can give it: then they are invited back.
//!
//! The room of a closed channel lets nobody in by themselves: whom the channel may let in again is invited at once, and
//! everybody else who was there when they give its key or are invited on IRC. They are not invited twice for one coming,
//! since some clients accept by themselves.

use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::super::content;
use super::super::outcome::{Outcome, Refusal};
use super::incoming::with_reason;
use super::shared::{Shared, WayBack};
use super::{Actor, wording};
use crate::format::{RichText, strip_irc};
use crate::irc::numerics::{ERR_BADCHANNELKEY, ERR_BANNEDFROMCHAN};
use crate::irc::session::Event;
use crate::names::{Channel, Key};
use crate::store::{RoomRow, StoreError};

/// Whom a channel does not let in for no longer than that stays in its room meanwhile.
const MOMENT: Duration = Duration::from_mins(2);
/// How somebody gets into a closed channel's room again.
const CLOSED: &str = "Its room is for invited people, as the channel is: you are invited to it when you type \
    join with the channel's key behind its name, or are invited to the channel on IRC.";
/// How somebody gets into the room of an open channel again that is for invited people.
const BY_CHOICE: &str =
    "To return there, type join with the room's alias behind it: you are invited to it then.";
/// How somebody comes back into one of several channels that a room of other people shows: what they write there is for the
/// others.
pub(super) const ONE_OF_SEVERAL: &str = "leave its room, come into it again and write there.";
const AGAIN_OF_SEVERAL: &str = "To try again, leave its room, come into it again and write there.";
/// Characters of a server's reason that the room is told.
const LONGEST: usize = 200;

impl Actor {
    /// Whether the user is thrown out of a channel whose room is shared, or not let in for good.
    pub(super) fn shuts_out_of_shared(&self, event: &Event) -> bool {
        let (channel, is_back_soon) = match event {
            Event::JoinFailed { channel, retry, .. } => {
                (channel, retry.after.is_some_and(|after| after <= MOMENT))
            }
            // Others have no other way to be heard: it goes back, where its user wants that.
            Event::Kicked { channel, own: true, back_in: Some(_), .. }
                if self.is_back_for_others(channel) =>
            {
                return false;
            }
            Event::Kicked { channel, own: true, .. } => (channel, false),
            _ => return false,
        };
        if !self.buffers.has_shared() {
            return false;
        }
        let Some(place) = self.shared_place(channel) else { return false };
        // What is tried again in a moment may go well, and else has its time (`tick_shared`): for those who were there, and
        // for who listens, and else would not for a day.
        let is_new = self.shared(place).is_some_and(Shared::is_new) && !self.listens(place);
        is_new || !is_back_soon
    }

    /// Then they are no longer in the room either.
    pub(super) async fn on_shut_out_of_shared(&mut self, event: Event) -> Result<(), StoreError> {
        let (channel, why, remedy, way_back) = match event {
            Event::Kicked { channel, by, reason, .. } => {
                if let Some(link) = &mut self.link {
                    link.session.stay_out(&channel);
                }
                self.netsplits.forget_channel(&channel);
                let why = with_reason(&format!("{} kicked you out of {channel}", by.nick), &reason);
                (channel, why, RichText::new(), WayBack::Shut)
            }
            Event::JoinFailed { channel, code, reason, forward, .. } => {
                let why = with_reason(&format!("Not in {channel}"), &reason);
                let remedy = match forward {
                    Some(forward) => RichText::plain(format!(
                        "The channel sends you to {forward} instead, which has a room of its own."
                    )),
                    None if code == ERR_BADCHANNELKEY => RichText::plain("It needs a key. To give it, type ")
                        .code(format!("join {channel} KEY"))
                        .text(" here: you are invited back then."),
                    None => RichText::plain(wording::join_remedy(code, &strip_irc(&reason))),
                };
                let mut way_back = WayBack::Shut;
                if let Some(place) = self.shared_place(&channel) {
                    self.buffers.get_mut(place).refused = Some(code);
                    // Who is banned, or has no key, is not let in as long as that is so.
                    let is_lasting = matches!(code, ERR_BANNEDFROMCHAN | ERR_BADCHANNELKEY);
                    if !is_lasting && self.shared(place).is_none_or(|shared| !shared.is_new()) {
                        way_back = WayBack::Open;
                    }
                }
                (channel, why, remedy, way_back)
            }
            _ => return Ok(()),
        };
        match self.shared_place(&channel) {
            Some(place) => self.shut_out(place, &why, remedy, way_back).await,
            None => Ok(()),
        }
    }

    pub(super) async fn shut_out(
        &mut self,
        place: usize,
        why: &str,
        remedy: RichText,
        way_back: WayBack,
    ) -> Result<(), StoreError> {
        let why = why.trim_end_matches('.');
        if self.listens(place) {
            return self.end_listening(place, why).await;
        }
        if self.relays(place) {
            let channel = &self.buffers.get(place).row.name;
            let text =
                format!("{why}. So nobody is relayed to {channel} any more, and its room was told so. ");
            let text = RichText::plain(text).then(remedy).text(" To relay there again, type ");
            self.alert(&text.code(format!("relay {channel}")).text("."));
            return self.end_shared(place, &cut_reason(why), way_back).await;
        }
        let again = match (self.bridge.is_for_invited(self.buffers.get(place).row.room), way_back) {
            (false, _) => "To try again, join that room again.",
            (true, WayBack::Open) => "You are invited back: to try again, accept that.",
            (true, WayBack::Shut) => self.way_into_closed(place),
        };
        if self.shared(place).is_some_and(Shared::is_taken) {
            let (then, again) = if self.is_plumbed(place) {
                let is_one_of_several = self.bridge.shows_several(self.buffers.get(place).row.room);
                let again =
                    if is_one_of_several { AGAIN_OF_SEVERAL } else { "To try again, write there again." };
                ("What you write in its room does not go there now", again)
            } else {
                ("So you are no longer in its shared room", again)
            };
            let text = RichText::plain(format!("{why}. {then}. ")).then(remedy);
            self.alert(&text.text(format!(" {again}")));
        }
        self.end_shared(place, &cut_reason(why), way_back).await
    }

    /// How the user gets again into a room that is for invited people.
    fn way_into_closed(&self, place: usize) -> &'static str {
        let room = self.buffers.get(place).row.room;
        if self.bridge.is_closed_by_choice(room, &self.row.network) { BY_CHOICE } else { CLOSED }
    }

    /// What is said to who leaves a channel whose room is shared.
    pub(super) fn left_shared_words(&self, place: usize, channel: &Channel) -> String {
        let is_closed = self.bridge.is_for_invited(self.buffers.get(place).row.room);
        let again =
            if is_closed { self.way_into_closed(place) } else { "To return there, join it by its alias." };
        format!("Leaving {channel}, and its shared room. {again}")
    }

    /// The shared room of a closed channel in which the user was before.
    pub(super) async fn closed_room_of_before(
        &mut self,
        channel: &str,
    ) -> Result<Option<RoomRow>, StoreError> {
        let Some(place) = self.shared_place(channel) else { return Ok(None) };
        if self.shared(place).is_some_and(Shared::is_taken) {
            return Ok(None);
        }
        // It may have been made anew since they were there.
        let room = self.bridge.store.shared_room_of_channel(self.buffers.get(place).row.id).await?;
        Ok(room.filter(|room| self.bridge.is_for_invited(room.id)))
    }

    /// The key of a channel that is closed, or did not let the user in without one, and in whose shared room they were: they
    /// are invited back. `None` where it is for something else.
    pub(super) async fn key_for_shared(
        &mut self,
        place: Option<usize>,
        channel: &Channel,
        key: Option<&Key>,
    ) -> Option<Outcome> {
        let (place, key) = place.zip(key)?;
        let buffer = self.buffers.get(place);
        if buffer.shared.as_deref().is_none_or(Shared::is_taken) {
            return None;
        }
        let was_refused = buffer.refused == Some(ERR_BADCHANNELKEY);
        let (id, folded) = (buffer.row.id, buffer.row.folded.clone());
        // It may have been made anew since they were there.
        let room = match self.bridge.store.shared_room_of_channel(id).await {
            Ok(room) => room.filter(|room| was_refused || self.bridge.is_for_invited(room.id))?,
            Err(error) => return Some(Err(Refusal::from(error))),
        };
        self.buffers.get_mut(place).refused = None;
        let secret: secrecy::SecretString = key.as_str().to_owned().into();
        let kept = Some(secret.expose_secret().to_owned().into());
        if let Err(error) = self.bridge.store.set_channel_key(self.row.id, id, &folded, kept).await {
            return Some(Err(Refusal::from(error)));
        }
        self.buffers.get_mut(place).row.key = Some(secret);
        if self.is_plumbed(place) {
            // They come back by writing there, also where they are in other channels that the room shows.
            if let Err(error) = self.bridge.store.forget_outsider(room.id, &self.row.user_id).await {
                return Some(Err(Refusal::from(error)));
            }
            return Some(Ok(RichText::plain(format!(
                "The key of {channel} is kept: write in its room again."
            ))));
        }
        self.incoming.outbox.push(content::invite_row(room.id, &room.creator, &self.row.user_id));
        Some(Ok(RichText::plain(format!(
            "The key of {channel} is kept, and you are invited to its shared room again."
        ))))
    }
}

/// What the room is told, where others read it.
fn cut_reason(why: &str) -> String {
    let reason: String = why.chars().take(LONGEST).collect();
    format!("{reason}.")
}
