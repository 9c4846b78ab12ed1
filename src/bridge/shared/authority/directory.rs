//! What the administrator says of a network's shared rooms (`networks.*.shared`), besides what their channels say: whether
//! they stand in the homeserver's directory, and whether they are for invited people also while the channel is open.
//!
//! A room stands in the directory while its channel is open and no secret, and somebody has it. What the channel's modes
//! are is known when the server has told them; until then, as after a start, the room stays as it was. That the homeserver
//! refuses is logged once and keeps the room from nothing else.

use std::time::Duration;

use super::super::super::Bridge;
use super::super::super::content;
use super::super::super::ghosts::GhostError;
use super::super::super::inbox::MOST_ASKED_FOR;
use super::super::super::outcome::{Outcome, Refusal};
use super::super::super::session::{ChannelRules, Entrance};
use super::super::{PATIENCE, Seeker};
use crate::config::SharedRooms;
use crate::format::RichText;
use crate::matrix::ClientError;
use crate::names::Channel;
use crate::store::{RoomRow, StoreError, User};

/// How fast rooms follow each other that are made to be what a changed configuration says.
const PACE: Duration = Duration::from_millis(100);

impl Bridge {
    /// What shared rooms of a network are like.
    pub(in crate::bridge) fn shared_settings(&self, network: &str) -> SharedRooms {
        self.networks.get(network).map(|known| known.network.shared.clone()).unwrap_or_default()
    }

    /// Puts a room into the directory, or takes it out.
    pub(super) async fn enact_listing(
        &self,
        row: &RoomRow,
        room_id: &str,
        rules: Option<ChannelRules>,
    ) -> Result<(), GhostError> {
        let Some(is_wanted) = self.is_to_be_listed(row, rules).await? else { return Ok(()) };
        if self.enacted.lock().listed.get(&row.id) == Some(&is_wanted) {
            return Ok(());
        }
        match self.list_in_directory(room_id, is_wanted).await {
            Ok(()) => {}
            Err(error) if error.is_final() && is_wanted => tracing::warn!(
                room = room_id,
                %error,
                "a shared room can't be put into the homeserver's directory: let the bot publish rooms (on Synapse, \
                 room_list_publication_rules), or take `published` from the network's `shared`"
            ),
            // Where it never was, nothing is to be done.
            Err(error) if error.is_final() => {
                tracing::debug!(room = room_id, %error, "a shared room's place in the directory is not known");
            }
            Err(error) => return Err(error.into()),
        }
        // A refusal is not asked for again until something else is wanted.
        self.enacted.lock().listed.insert(row.id, is_wanted);
        Ok(())
    }

    async fn list_in_directory(&self, room_id: &str, is_wanted: bool) -> Result<(), ClientError> {
        if self.client.is_listed(room_id).await? == is_wanted {
            return Ok(());
        }
        self.client.list_room(room_id, is_wanted).await
    }

    /// Nothing where it stays as it is.
    async fn is_to_be_listed(
        &self,
        row: &RoomRow,
        rules: Option<ChannelRules>,
    ) -> Result<Option<bool>, StoreError> {
        if !self.shared_settings(row.network.as_deref().unwrap_or_default()).published {
            return Ok(Some(false));
        }
        Ok(match rules {
            Some(rules) => Some(rules.entrance == Entrance::Open),
            // As its alias goes with whoever had it last.
            None => self.store.holders(row.id).await?.is_empty().then_some(false),
        })
    }

    /// Whether a shared room is for invited people although its channel, as far as is known, is open.
    pub(in crate::bridge) fn is_closed_by_choice(&self, room: i64, network: &str) -> bool {
        self.shared_settings(network).for_invited && !self.has_closed_channel(room, network)
    }

    /// Whether a shared room's channel is closed, as far as is known.
    fn has_closed_channel(&self, room: i64, network: &str) -> bool {
        if !self.shared_settings(network).for_invited {
            return self.is_for_invited(room);
        }
        let done = self.enacted.lock();
        done.last.get(&room).and_then(|(_, rules)| *rules).is_some_and(ChannelRules::is_closed)
    }

    /// The configuration says something else of these networks' shared rooms: those that exist follow, one after the other.
    pub(in crate::bridge) async fn renew_shared_settings(self, networks: Vec<String>) {
        let rooms = match self.store.shared_rooms().await {
            Ok(rooms) => rooms,
            Err(error) => {
                tracing::error!(%error, "shared rooms are as the configuration said before: have it read again");
                return;
            }
        };
        for room in rooms {
            if room.network.as_ref().is_none_or(|network| !networks.contains(network)) {
                continue;
            }
            self.reenact(room.id);
            if self.stop.run_until_cancelled(tokio::time::sleep(PACE)).await.is_none() {
                return;
            }
        }
    }

    /// Invites somebody to the shared room of which they have typed the alias; nothing where it is none.
    pub async fn invite_to_shared(&self, user: &User, alias: &str) -> Option<Outcome> {
        let alias = alias.to_ascii_lowercase();
        let (network, channel) = self.read_shared_alias(&alias)?;
        Some(self.invite_by_alias(user, &alias, &network, &channel).await)
    }

    async fn invite_by_alias(&self, user: &User, alias: &str, network: &str, channel: &Channel) -> Outcome {
        let sought = self.find_shared_room(alias, network, channel, Seeker::User(user.id));
        let found = tokio::time::timeout(PATIENCE, Box::pin(sought));
        let room = match found.await {
            Ok(Ok(Some(room))) => room,
            Ok(Err(GhostError::Store(error))) => return Err(error.into()),
            Ok(Ok(None)) => return Err(self.why_not_found(user.id, alias, network, channel).await?),
            Ok(Err(GhostError::Client(_))) | Err(_) => return Err(not_now(alias)),
        };
        if self.store.session_in_shared_room(room, &user.user_id).await?.is_some() {
            return Err(Refusal::asked(format!("You are in {channel} already, in its shared room.")));
        }
        if self.has_closed_channel(room, network) {
            return Err(Refusal::asked(format!(
                "{channel} is for invited people, and so is its shared room: an operator of the channel can invite you \
                 there."
            )));
        }
        self.enqueue(vec![content::invite_row(room, self.client.bot(), &user.user_id)]).await?;
        self.wake_delivery(room);
        Ok(RichText::plain(format!(
            "You are invited to {alias}, the shared room of {channel}: to enter, accept that."
        )))
    }

    /// Why no shared room is found for somebody who has typed its alias, or `join` where that leads to it.
    async fn why_not_found(
        &self,
        user: i64,
        alias: &str,
        network: &str,
        channel: &Channel,
    ) -> Result<Refusal, StoreError> {
        let room = self.store.shared_room(network, channel.as_str()).await?;
        let why = match &room {
            Some(room) if room.is_plumbed() => {
                let text =
                    format!("{channel} is shown in a room that was there before: to be in it, join that.");
                return Ok(Refusal::asked(text));
            }
            Some(room) if self.is_of_another(room, network, channel) => {
                let other = room.buffer_name.as_deref().unwrap_or_default();
                format!(
                    "{channel} has no shared room for now: it may be {other}, which has one, and no server of {} has said yet \
                     whether it is",
                    self.network_name(network)
                )
            }
            Some(_) => return Ok(not_now(alias)),
            None if !self.wanted_aliases.has_had_all(user, self.clock.now()) => {
                format!("{alias} is not made for now: many people had rooms made within the hour")
            }
            None => format!(
                "{alias} is not made: you have had {MOST_ASKED_FOR} rooms made within the hour, and no more are until it is over"
            ),
        };
        let text = RichText::plain(format!("{why}. To enter {channel} in a room of your own, type "));
        Ok(Refusal::Asked(
            text.code("set rooms own").text(" and then ").code(format!("join {channel}")).text("."),
        ))
    }
}

fn not_now(alias: &str) -> Refusal {
    Refusal::asked(format!("{alias} is not to be had now. Try again in a few minutes."))
}
