//! What is remembered of each network while the bridge runs: what its servers said last of themselves, for who is not
//! connected yet.
//!
//! One entry for each network that somebody has been connected to, gone with it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::Bridge;
use crate::names::CaseMapping;

/// By the networks' short names.
#[derive(Debug, Default)]
pub(super) struct NetworkMemory(Mutex<HashMap<String, Remembered>>);

#[derive(Debug, Default, Clone, Copy)]
struct Remembered {
    /// The bytes of the longest nick, by ISUPPORT.
    nick_length: Option<usize>,
    /// How it compares names.
    mapping: CaseMapping,
}

impl Bridge {
    /// A server of a network has greeted somebody.
    pub(super) fn remember_network(&self, network: &str, nick_length: Option<usize>, mapping: CaseMapping) {
        let mut memory = self.memory.0.lock().unwrap_or_else(PoisonError::into_inner);
        memory.insert(network.to_owned(), Remembered { nick_length, mapping });
    }

    /// How a network compares names; by RFC 1459, as most do, while none of its servers has said so.
    pub(super) fn mapping_of(&self, network: &str) -> CaseMapping {
        let memory = self.memory.0.lock().unwrap_or_else(PoisonError::into_inner);
        memory.get(network).map_or(CaseMapping::Rfc1459, |remembered| remembered.mapping)
    }

    /// How long a nick may be on a network, as far as one of its servers has said so.
    pub(super) fn nick_length(&self, network: &str) -> Option<usize> {
        self.memory.0.lock().unwrap_or_else(PoisonError::into_inner).get(network)?.nick_length
    }

    /// There is no such network any more: before another of this name can be there, and sessions wait for it.
    pub(super) fn forget_network(&self, network: &str) {
        self.forget_gate(network);
        self.nicks.lock().unwrap_or_else(PoisonError::into_inner).remove(network);
        self.memory.0.lock().unwrap_or_else(PoisonError::into_inner).remove(network);
    }
}
