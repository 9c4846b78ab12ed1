//! What people look up from their clients: the alias that leads into a channel, the ghost of a nick, and the other way
//! round. It comes by the homeserver, which does not say for whom it asks: of somebody's own network it learns nothing,
//! nothing is made because of it, and what it answers can be told from the configuration, or from rooms and ghosts that
//! all can see. No query can find out how a network compares names: that is as its servers said last, and by RFC 1459
//! before.

use super::{Bridge, Known};
use crate::matrix::server::Found;
use crate::names::{Channel, Nick};
use crate::store::{RoomRow, StoreError};

impl Bridge {
    /// The short names of the networks in which something is looked up: this one, by its short name or its name, or each.
    pub(super) fn looked_up_in(&self, network: Option<&str>) -> Vec<String> {
        let is_meant = |known: &Known| {
            network.is_none_or(|wanted| {
                known.network.slug.as_str().eq_ignore_ascii_case(wanted)
                    || known.network.name.eq_ignore_ascii_case(wanted)
            })
        };
        let public = self.networks.public();
        let meant = public.iter().filter(|known| is_meant(known));
        meant.map(|known| known.network.slug.as_str().to_owned()).collect()
    }

    /// The alias by which a channel's shared room is entered, whether it is there yet or not. People leave the `#` away.
    pub(super) async fn alias_of_channel(
        &self,
        network: &str,
        channel: &str,
    ) -> Result<Option<Found>, StoreError> {
        let begins_as_one = channel.starts_with(['#', '&', '+', '!']);
        let channel = if begins_as_one { channel.to_owned() } else { format!("#{channel}") };
        let Ok(channel) = Channel::new(&channel) else { return Ok(None) };
        let Some(alias) = self.findable_alias(network, channel.as_str()) else { return Ok(None) };
        let room = self.store.shared_room(network, channel.as_str()).await?;
        // A room of other people is found by what they call it.
        let is_its = |room: &RoomRow| !room.is_plumbed() && !self.is_of_another(room, network, &channel);
        let found = Found { network: network.to_owned(), name: channel.as_str().to_owned(), id: alias };
        Ok(room.is_none_or(|room| is_its(&room)).then_some(found))
    }

    /// The ghost of a nick, whether it was needed yet or not.
    pub(super) async fn ghost_of_nick(&self, network: &str, nick: &str) -> Result<Option<Found>, StoreError> {
        if Nick::new(nick).is_err() {
            return Ok(None);
        }
        let known = self.store.ghost_of_nick(network, &self.mapping_of(network).fold(nick)).await?;
        let id = known.map_or_else(|| self.ghost_user_id(network, nick), |ghost| ghost.user_id);
        let found = Found { network: network.to_owned(), name: nick.to_owned(), id };
        Ok(Some(found).filter(|found| !self.excludes_ghost(&found.id)))
    }

    /// Whose ghost this is.
    pub(super) async fn nick_behind(&self, user_id: &str) -> Result<Option<Found>, StoreError> {
        let found = match self.store.ghost_by_user_id(user_id).await? {
            Some(ghost) => Some((ghost.network, ghost.nick)),
            None => self.read_ghost_id(user_id),
        };
        let is_for_all = |network: &str| self.networks.get(network).is_some_and(|known| !known.is_own());
        let found = found.filter(|(network, _)| is_for_all(network));
        Ok(found.map(|(network, name)| Found { network, name, id: user_id.to_owned() }))
    }
}

/// What was found; a store that fails finds nothing.
pub(super) fn told(found: Result<Option<Found>, StoreError>) -> Option<Found> {
    found.unwrap_or_else(|error| {
        tracing::warn!(%error, "what the homeserver looks up can't be read");
        None
    })
}
