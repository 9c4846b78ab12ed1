//! What is remembered of each network: what its servers said last of themselves, for who is not connected yet. How it
//! compares names, and with what its channels begin, is stored, and known again before anything is looked up.
//!
//! One entry for each network that somebody has been connected to, as the store has one: what hangs on a short name (rooms,
//! ghosts) goes on as it was where a network of that name comes back.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Bridge;
use super::shared::OneAtATime;
use crate::names::{CaseMapping, Channel};
use crate::store::{Announced, RoomRow, StoreError};

/// The shortest of the longest nicks (RFC 1459). One server that says less is not believed on behalf of all others of its
/// network: by that, people would begin with one letter.
const SHORTEST_LENGTH: usize = 9;

#[derive(Debug, Default)]
pub(super) struct NetworkMemory {
    /// By the networks' short names.
    known: Mutex<HashMap<String, Remembered>>,
    /// Held while something is stored of a network, so that what is known is what was stored last.
    announcing: OneAtATime<String>,
}

#[derive(Debug)]
struct Remembered {
    /// The bytes of the longest nick, by ISUPPORT.
    nick_length: Option<usize>,
    /// What is stored.
    said: Announced,
    /// Somebody was connected since the start.
    is_heard: bool,
}

impl NetworkMemory {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Remembered>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn nick_length(&self) -> Option<usize> {
        self.nick_length.map(|length| length.max(SHORTEST_LENGTH))
    }
}

impl Bridge {
    /// Takes up what networks have said that are there by now: before the last stop, or before they were removed.
    pub(super) async fn load_network_memory(&self) -> Result<(), StoreError> {
        let stored = self.store.announced().await?;
        let mut memory = self.memory.lock();
        for (network, said) in stored {
            memory.entry(network).or_insert(Remembered { nick_length: None, said, is_heard: false });
        }
        Ok(())
    }

    /// A server of a network has greeted somebody.
    pub(super) async fn remember_network(
        &self,
        network: &str,
        nick_length: Option<usize>,
        said: Announced,
    ) -> Result<(), StoreError> {
        let _one_at_a_time = self.memory.announcing.lock(network.to_owned()).await;
        let known = self.memory.lock().get(network).map(|known| known.said.clone());
        let is_other = known.as_ref().is_none_or(|known| known.mapping != said.mapping);
        if known.as_ref() != Some(&said) {
            self.store.announce(network, said.clone()).await?;
        }
        let now = Remembered { nick_length, said, is_heard: true };
        let before = self.memory.lock().insert(network.to_owned(), now);
        if is_other || before.is_none_or(|before| !before.is_heard) {
            self.mend_aliases(network);
        }
        Ok(())
    }

    /// How a network compares names, as far as one of its servers has said so.
    fn known_mapping(&self, network: &str) -> Option<CaseMapping> {
        self.memory.lock().get(network).map(|known| known.said.mapping)
    }

    /// How a network compares names; by RFC 1459, as most do, while none of its servers has said so.
    pub(super) fn mapping_of(&self, network: &str) -> CaseMapping {
        self.known_mapping(network).unwrap_or_default()
    }

    /// Whether a shared room is another channel's than the one that it was found for. While none of a network's servers has told
    /// how it compares names, rooms are found by RFC 1459, and each counts as another's that can be one: an alias that leads
    /// somewhere does so for long.
    pub(super) fn is_of_another(&self, room: &RoomRow, network: &str, channel: &Channel) -> bool {
        // The mapping that merges least.
        let mapping = self.known_mapping(network).unwrap_or(CaseMapping::Ascii);
        room.buffer_name.as_deref().is_some_and(|name| !mapping.same(name, channel.as_str()))
    }

    /// Whether a network has channels of this kind, as far as one of its servers has said so. Those with `#` all have: where
    /// one has not, whoever comes is told so.
    pub(super) fn offers(&self, network: &str, channel: &Channel) -> bool {
        let memory = self.memory.lock();
        let Some(known) = memory.get(network) else { return true };
        let is_offered = |first| first == '#' || known.said.channel_types.contains(first);
        channel.as_str().chars().next().is_some_and(is_offered)
    }

    /// How long a nick may be on a network, as far as one of its servers has said so.
    pub(super) fn nick_length(&self, network: &str) -> Option<usize> {
        self.memory.lock().get(network)?.nick_length()
    }

    /// There is no such network any more: before another of this name can be there, and sessions wait for it.
    pub(super) fn forget_network(&self, network: &str) {
        self.forget_gate(network);
        self.nicks.lock().unwrap_or_else(PoisonError::into_inner).remove(network);
        self.memory.lock().remove(network);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_that_takes_no_nicks_leaves_nobody_with_one_letter() {
        let said = || Announced { mapping: CaseMapping::Rfc1459, channel_types: "#".into() };
        let length = |nick_length| Remembered { nick_length, said: said(), is_heard: true }.nick_length();
        let lengths = [Some(0), Some(1), Some(9), Some(16), None].map(length);
        assert_eq!(lengths, [Some(9), Some(9), Some(9), Some(16), None]);
    }
}
