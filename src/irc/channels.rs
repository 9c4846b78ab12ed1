//! The channels that we are in: members, topic, key.
//!
//! Not what the user wants to be in, and no events; the session tells what changed. A member costs four bytes: the
//! number of a nick that the network's sessions share, and the bits of its prefixes. The lists are each session's
//! own, for in a netsplit sessions see different truths.
//!
//! Invariant 4: channels and nicks are keys only through [`CaseMap`]. Invariant 5: one session owns it all but the
//! strings. Invariant 9: channels and members are bounded, against a server that sends names without end.
//!
//! Spec: modern IRC docs "`RPL_NAMREPLY`", "Channel Membership Prefixes".

mod interner;
mod marked;
mod member;
mod view;

pub use interner::NickPool;
pub use marked::MarkedNicks;
pub use view::{ChannelState, MemberLookup};

use std::collections::BTreeSet;

use crate::names::{CaseMap, CaseMapping};

use super::isupport::{Isupport, ModeKind};
use super::modes::ModeChanges;
use member::{Member, Members};

/// More channels than any network lets one user enter.
pub(super) const MOST_CHANNELS: usize = 4096;

/// All lists of a session together. With a hundred channels of the largest networks it is a tenth of this.
pub(super) const MOST_MEMBERSHIPS: usize = 1_000_000;

/// More letters than any server has modes.
const MOST_FLAGS: usize = 64;

#[derive(Debug, Default)]
struct Data {
    name: String,
    topic: Option<String>,
    /// Who set it, and when, in seconds since 1970.
    topic_set: Option<(String, i64)>,
    key: Option<String>,
    /// The letters of its modes, but for lists and ranks; nothing while they are not surely known.
    flags: Option<BTreeSet<char>>,
    members: Members,
    /// The names that 353 has told since the last 366.
    collecting: Option<Members>,
}

impl Data {
    /// Whether somebody is in it, by the list or by as much of the next one as has come.
    fn has(&self, nick: u32) -> bool {
        [Some(&self.members), self.collecting.as_ref()]
            .into_iter()
            .flatten()
            .any(|list| list.get(nick).is_some())
    }

    fn lists(&mut self) -> impl Iterator<Item = &mut Members> {
        [Some(&mut self.members), self.collecting.as_mut()].into_iter().flatten()
    }
}

/// All channels of a session.
#[derive(Debug, Default)]
pub struct Channels {
    map: CaseMap<Data>,
    pool: NickPool,
    /// The `PREFIX` by which the bits are to be read.
    prefixes: Vec<(char, char)>,
}

impl Drop for Channels {
    /// The claims on nicks are given back: others live on with the pool.
    fn drop(&mut self) {
        let mut nicks = self.pool.lock(self.map.mapping());
        for list in self.map.values_mut().flat_map(Data::lists) {
            list.clear(&mut nicks);
        }
    }
}

impl Channels {
    /// No channels yet, in a network whose sessions share this pool.
    #[must_use]
    pub fn new(pool: NickPool) -> Self {
        Self { map: CaseMap::default(), pool, prefixes: Vec::new() }
    }

    /// Follows `ISUPPORT`: everything is folded anew, and the bits of members move with their letters.
    pub fn apply_isupport(&mut self, isupport: &Isupport) {
        self.set_mapping(isupport.casemapping());
        if self.prefixes == isupport.prefixes() {
            return;
        }
        let old = std::mem::replace(&mut self.prefixes, isupport.prefixes().to_vec());
        let new = &self.prefixes;
        let moved = |bits: u8| {
            let letters =
                old.iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0).map(|(_, pair)| pair.0);
            letters
                .filter_map(|letter| new.iter().position(|pair| pair.0 == letter))
                .fold(0_u8, |bits, bit| bits | (1 << bit))
        };
        for list in self.map.values_mut().flat_map(Data::lists) {
            list.change_prefixes(moved);
        }
    }

    fn set_mapping(&mut self, mapping: CaseMapping) {
        let before = self.map.mapping();
        if mapping == before {
            return;
        }
        // From the names as they were written: what is folded by the old mapping cannot be unfolded. Two nicks that
        // were different may be one now.
        let mut old = std::mem::replace(&mut self.map, CaseMap::new(mapping));
        for data in old.values_mut() {
            for list in data.lists() {
                let mut moved = Members::default();
                for Member { nick, prefixes } in list.iter() {
                    let name = self.pool.lock(before).name(nick);
                    moved.insert(&mut self.pool.lock(mapping), &name, prefixes);
                }
                list.clear(&mut self.pool.lock(before));
                *list = moved;
            }
            let data = std::mem::take(data);
            let name = data.name.clone();
            if let Some(mut gone) = self.map.insert(&name, data) {
                let mut nicks = self.pool.lock(mapping);
                gone.lists().for_each(|list| list.clear(&mut nicks));
            }
        }
    }

    /// We entered a channel: its list is empty until NAMES.
    pub fn enter(&mut self, name: &str) {
        self.leave(name);
        if self.map.len() < MOST_CHANNELS {
            self.map.insert(name, Data { name: name.to_owned(), ..Data::default() });
        }
    }

    /// We are no longer in a channel.
    pub fn leave(&mut self, name: &str) {
        if let Some(mut data) = self.map.remove(name) {
            let mut nicks = self.pool.lock(self.map.mapping());
            data.lists().for_each(|list| list.clear(&mut nicks));
        }
    }

    /// Whether we are in the channel.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.map.contains(name)
    }

    /// A view of a channel.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<ChannelState<'_>> {
        self.map.get(name).map(|data| ChannelState::new(data, self))
    }

    /// Views of all channels.
    pub fn iter(&self) -> impl Iterator<Item = ChannelState<'_>> {
        self.map.values().map(|data| ChannelState::new(data, self))
    }

    /// Whether the lists are as long as they may be.
    fn is_full(&self) -> bool {
        let count = |data: &Data| data.members.len() + data.collecting.as_ref().map_or(0, Members::len);
        self.map.values().map(count).sum::<usize>() >= MOST_MEMBERSHIPS
    }

    /// Somebody entered.
    pub fn add(&mut self, channel: &str, nick: &str) {
        if self.is_full() {
            return;
        }
        let mut nicks = self.pool.lock(self.map.mapping());
        if let Some(data) = self.map.get_mut(channel) {
            // Whoever was thought to be there has left unnoticed, and their status with them.
            let known = nicks.find(nick);
            for list in data.lists() {
                if let Some(number) = known {
                    list.change(number, |_| 0);
                }
                list.insert(&mut nicks, nick, 0);
            }
        }
    }

    /// Somebody left. Returns whether they were known to be there.
    pub fn remove(&mut self, channel: &str, nick: &str) -> bool {
        let mut nicks = self.pool.lock(self.map.mapping());
        let (Some(data), Some(number)) = (self.map.get_mut(channel), nicks.find(nick)) else {
            return false;
        };
        let found = data.members.remove(&mut nicks, number).is_some();
        if let Some(collecting) = &mut data.collecting {
            collecting.remove(&mut nicks, number);
        }
        found
    }

    /// Somebody is gone from all channels; returns those in which they were.
    pub fn remove_everywhere(&mut self, nick: &str) -> Vec<String> {
        let mut nicks = self.pool.lock(self.map.mapping());
        let Some(number) = nicks.find(nick) else {
            return Vec::new();
        };
        let mut names = Vec::new();
        for data in self.map.values_mut() {
            // Also from a list that is not whole yet.
            let found =
                data.lists().fold(false, |found, list| list.remove(&mut nicks, number).is_some() | found);
            if found {
                names.push(data.name.clone());
            }
        }
        names
    }

    /// The channels that we share with a nick.
    #[must_use]
    pub fn of(&self, nick: &str) -> Vec<String> {
        let Some(number) = self.pool.lock(self.map.mapping()).find(nick) else {
            return Vec::new();
        };
        self.map.values().filter(|data| data.has(number)).map(|data| data.name.clone()).collect()
    }

    /// Somebody has another nick; returns the channels in which they are. Where somebody of that nick was thought to
    /// be, one of the two is left of a missed QUIT: they are one now.
    pub fn rename(&mut self, from: &str, to: &str) -> Vec<String> {
        let mapping = self.map.mapping();
        let names = self.of(from);
        let mut nicks = self.pool.lock(mapping);
        if mapping.same(from, to) {
            if !names.is_empty() {
                nicks.respell(to);
            }
            return names;
        }
        let Some(old) = nicks.find(from) else {
            return names;
        };
        let Some(new) = nicks.intern(to) else {
            return names;
        };
        for list in self.map.values_mut().flat_map(Data::lists) {
            if let Some(prefixes) = list.remove(&mut nicks, old) {
                list.insert_number(&mut nicks, new, prefixes);
            }
        }
        // The lists hold their own claims now.
        nicks.release(new);
        names
    }

    /// One 353: names with their prefixes and perhaps `!user@host`.
    pub fn collect_names(&mut self, channel: &str, names: &str) {
        if self.is_full() {
            return;
        }
        let mut nicks = self.pool.lock(self.map.mapping());
        let Some(data) = self.map.get_mut(channel) else {
            return;
        };
        let collecting = data.collecting.get_or_insert_default();
        for entry in names.split(' ') {
            let mut prefixes = 0_u8;
            let mut rest = entry;
            while let Some(first) = rest.chars().next()
                && let Some(bit) = self.prefixes.iter().position(|pair| pair.1 == first)
            {
                prefixes |= 1 << bit;
                rest = &rest[first.len_utf8()..];
            }
            let nick = rest.split('!').next().unwrap_or(rest);
            collecting.insert(&mut nicks, nick, prefixes);
        }
    }

    /// 366: what was collected is the list.
    pub fn finish_names(&mut self, channel: &str) -> bool {
        let mut nicks = self.pool.lock(self.map.mapping());
        let Some(data) = self.map.get_mut(channel) else {
            return false;
        };
        if let Some(mut new) = data.collecting.take() {
            new.shrink_to_fit();
            std::mem::replace(&mut data.members, new).clear(&mut nicks);
        }
        true
    }

    /// The topic as it is now; empty for none.
    pub fn set_topic(&mut self, channel: &str, topic: &str) {
        if let Some(data) = self.map.get_mut(channel) {
            data.topic = (!topic.is_empty()).then(|| topic.to_owned());
            data.topic_set = None;
        }
    }

    /// Who set the topic, and when, in seconds since 1970.
    pub fn set_topic_origin(&mut self, channel: &str, by: &str, at: i64) {
        if let Some(data) = self.map.get_mut(channel) {
            data.topic_set = Some((by.to_owned(), at));
        }
    }

    /// Applies what a `MODE` line surely says.
    pub fn apply_modes(&mut self, channel: &str, changes: &ModeChanges) {
        let nicks = self.pool.lock(self.map.mapping());
        let Some(data) = self.map.get_mut(channel) else {
            return;
        };
        for change in &changes.changes {
            match (change.kind, &change.argument) {
                (ModeKind::Member, Some(nick)) => {
                    let bit = self.prefixes.iter().position(|pair| pair.0 == change.letter);
                    if let (Some(bit), Some(number)) = (bit, nicks.find(nick)) {
                        let changed =
                            |bits: u8| if change.set { bits | (1 << bit) } else { bits & !(1 << bit) };
                        data.lists().for_each(|list| list.change(number, changed));
                    }
                }
                (ModeKind::Member | ModeKind::List, _) => {}
                (_, argument) => {
                    if let Some(flags) = &mut data.flags {
                        if !change.set {
                            flags.remove(&change.letter);
                        } else if flags.len() < MOST_FLAGS {
                            flags.insert(change.letter);
                        }
                    }
                    if change.letter == 'k' {
                        data.key = argument.clone().filter(|_| change.set);
                    }
                }
            }
        }
        if changes.ambiguous {
            data.flags = None;
        }
    }

    /// Forgets a channel's key and other modes, before 324 tells all of them.
    pub fn clear_modes(&mut self, channel: &str) {
        if let Some(data) = self.map.get_mut(channel) {
            data.key = None;
            data.flags = Some(BTreeSet::new());
        }
    }
}

impl Channels {
    fn symbols(&self, bits: u8) -> String {
        let set = |(bit, pair): (usize, &(char, char))| (bits & (1 << bit) != 0).then_some(pair.1);
        self.prefixes.iter().enumerate().filter_map(set).collect()
    }
}

#[cfg(test)]
mod tests;
