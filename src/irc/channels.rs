//! The channels that we are in: members, topic, modes.
//!
//! Not what the user wants to be in, and no events; the session tells what changed. A member costs eight bytes:
//! the number of an interned nick and the bits of its prefixes. A nick is kept once, however many channels share it.
//!
//! Invariant 4: channels and nicks are keys only through [`CaseMap`]. Invariant 5: one session owns it all.
//! Invariant 9: channels and members are bounded, against a server that sends names without end.
//!
//! Spec: modern IRC docs "`RPL_NAMREPLY`", "Channel Membership Prefixes".

mod interner;
mod view;

pub use view::ChannelState;

use std::collections::BTreeMap;

use crate::names::{CaseMap, CaseMapping};

use super::isupport::{Isupport, ModeKind};
use super::modes::ModeChanges;
use interner::Interner;

/// More channels than any network lets one user enter.
const MOST_CHANNELS: usize = 4096;

/// The largest channels of the largest networks have some thousands.
const MOST_MEMBERS: usize = 200_000;

/// A member: eight bytes, since the list of a session in large channels is most of its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Member {
    nick: u32,
    /// Bit `n` is the nth of `PREFIX`, so that the lowest bit is the highest status.
    prefixes: u8,
}

#[derive(Debug, Default)]
struct Data {
    name: String,
    topic: Option<String>,
    key: Option<String>,
    modes: BTreeMap<char, Option<String>>,
    /// Sorted by nick number.
    members: Vec<Member>,
    /// The names that 353 has told since the last 366.
    collecting: Option<Vec<Member>>,
}

/// All channels of a session.
#[derive(Debug, Default)]
pub struct Channels {
    map: CaseMap<Data>,
    nicks: Interner,
    /// The `PREFIX` by which the bits are to be read.
    prefixes: Vec<(char, char)>,
}

impl Channels {
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
        for data in self.map.values_mut() {
            for member in data.members.iter_mut().chain(data.collecting.iter_mut().flatten()) {
                member.prefixes = moved(member.prefixes);
            }
        }
    }

    fn set_mapping(&mut self, mapping: CaseMapping) {
        if mapping == self.map.mapping() {
            return;
        }
        // From the names as they were written: the old keys are folded by the old mapping and cannot be unfolded.
        let mut old = std::mem::replace(&mut self.map, CaseMap::new(mapping));
        for data in old.values_mut().map(std::mem::take) {
            let name = data.name.clone();
            // Where two channels become one, the list of the first gives its claims on nicks back.
            if let Some(gone) = self.map.insert(&name, data) {
                self.release(gone);
            }
        }
        // Two nicks that were different may be one now; the list would name it twice.
        let merged = self.nicks.set_mapping(mapping);
        if merged.is_empty() {
            return;
        }
        for data in self.map.values_mut() {
            for members in [Some(&mut data.members), data.collecting.as_mut()].into_iter().flatten() {
                for member in members.iter_mut() {
                    member.nick = merged.get(&member.nick).copied().unwrap_or(member.nick);
                }
                for gone in unite(members) {
                    self.nicks.release(gone);
                }
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
        if let Some(data) = self.map.remove(name) {
            self.release(data);
        }
    }

    fn release(&mut self, data: Data) {
        for member in data.members.into_iter().chain(data.collecting.into_iter().flatten()) {
            self.nicks.release(member.nick);
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

    /// Somebody entered.
    pub fn add(&mut self, channel: &str, nick: &str) {
        let Some(data) = self.map.get_mut(channel) else {
            return;
        };
        for members in [Some(&mut data.members), data.collecting.as_mut()].into_iter().flatten() {
            insert(members, &mut self.nicks, nick, 0);
        }
    }

    /// Somebody left. Returns whether they were known to be there.
    pub fn remove(&mut self, channel: &str, nick: &str) -> bool {
        let (Some(data), Some(number)) = (self.map.get_mut(channel), self.nicks.find(nick)) else {
            return false;
        };
        let found = remove(&mut data.members, number);
        let collected = data.collecting.as_mut().is_some_and(|members| remove(members, number));
        for _ in 0..(usize::from(found) + usize::from(collected)) {
            self.nicks.release(number);
        }
        found
    }

    /// Somebody is gone from all channels; returns those in which they were.
    pub fn remove_everywhere(&mut self, nick: &str) -> Vec<String> {
        let names = self.of(nick);
        for name in &names {
            self.remove(name, nick);
        }
        names
    }

    /// The channels that we share with a nick.
    #[must_use]
    pub fn of(&self, nick: &str) -> Vec<String> {
        let Some(number) = self.nicks.find(nick) else {
            return Vec::new();
        };
        self.map
            .values()
            .filter(|data| find(&data.members, number).is_ok())
            .map(|data| data.name.clone())
            .collect()
    }

    /// Somebody has another nick; returns the channels in which they are.
    pub fn rename(&mut self, from: &str, to: &str) -> Vec<String> {
        let names = self.of(from);
        if let Some(freed) = self.nicks.rename(from, to) {
            // Somebody of that nick was thought to be there still: one of the two is a ghost of a missed QUIT.
            for data in self.map.values_mut() {
                for members in [Some(&mut data.members), data.collecting.as_mut()].into_iter().flatten() {
                    if let Ok(at) = find(members, freed.old) {
                        let member = members.remove(at);
                        self.nicks.release(freed.old);
                        insert_number(members, &mut self.nicks, freed.new, member.prefixes);
                    }
                }
            }
        }
        names
    }

    /// One 353: names with their prefixes and perhaps `!user@host`.
    pub fn collect_names(&mut self, channel: &str, names: &str) {
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
            insert(collecting, &mut self.nicks, nick, prefixes);
        }
    }

    /// 366: what was collected is the list.
    pub fn finish_names(&mut self, channel: &str) -> bool {
        let Some(data) = self.map.get_mut(channel) else {
            return false;
        };
        if let Some(mut new) = data.collecting.take() {
            new.shrink_to_fit();
            for member in std::mem::replace(&mut data.members, new) {
                self.nicks.release(member.nick);
            }
        }
        true
    }

    /// The topic as it is now; empty for none.
    pub fn set_topic(&mut self, channel: &str, topic: &str) {
        if let Some(data) = self.map.get_mut(channel) {
            data.topic = (!topic.is_empty()).then(|| topic.to_owned());
        }
    }

    /// Applies what a `MODE` line surely says.
    pub fn apply_modes(&mut self, channel: &str, changes: &ModeChanges) {
        let Some(data) = self.map.get_mut(channel) else {
            return;
        };
        for change in &changes.changes {
            match (change.kind, &change.argument) {
                (ModeKind::Member, Some(nick)) => {
                    let bit = self.prefixes.iter().position(|pair| pair.0 == change.letter);
                    if let (Some(bit), Some(number)) = (bit, self.nicks.find(nick)) {
                        for members in
                            [Some(&mut data.members), data.collecting.as_mut()].into_iter().flatten()
                        {
                            if let Ok(at) = find(members, number) {
                                let bits = &mut members[at].prefixes;
                                *bits = if change.set { *bits | (1 << bit) } else { *bits & !(1 << bit) };
                            }
                        }
                    }
                }
                (ModeKind::Member | ModeKind::List, _) => {}
                (_, argument) if change.set => {
                    if change.letter == 'k' {
                        data.key.clone_from(argument);
                    }
                    data.modes.insert(change.letter, argument.clone());
                }
                _ => {
                    if change.letter == 'k' {
                        data.key = None;
                    }
                    data.modes.remove(&change.letter);
                }
            }
        }
    }

    /// Forgets a channel's flags, before 324 tells them all.
    pub fn clear_modes(&mut self, channel: &str) {
        if let Some(data) = self.map.get_mut(channel) {
            data.modes.clear();
            data.key = None;
        }
    }
}

fn find(members: &[Member], number: u32) -> Result<usize, usize> {
    members.binary_search_by_key(&number, |member| member.nick)
}

fn insert(members: &mut Vec<Member>, nicks: &mut Interner, nick: &str, prefixes: u8) {
    if members.len() >= MOST_MEMBERS {
        return;
    }
    if let Some(number) = nicks.intern(nick) {
        insert_number(members, nicks, number, prefixes);
        // The list holds its own claim now.
        nicks.release(number);
    }
}

fn insert_number(members: &mut Vec<Member>, nicks: &mut Interner, nick: u32, prefixes: u8) {
    match find(members, nick) {
        Ok(at) => members[at].prefixes |= prefixes,
        Err(at) => {
            nicks.claim(nick);
            members.insert(at, Member { nick, prefixes });
        }
    }
}

fn remove(members: &mut Vec<Member>, number: u32) -> bool {
    find(members, number).map(|at| members.remove(at)).is_ok()
}

/// Sorts a list and makes equal entries one; returns the numbers that went.
fn unite(members: &mut Vec<Member>) -> Vec<u32> {
    let mut gone = Vec::new();
    members.sort_by_key(|member| member.nick);
    members.dedup_by(|later, first| {
        let equal = later.nick == first.nick;
        if equal {
            first.prefixes |= later.prefixes;
            gone.push(later.nick);
        }
        equal
    });
    gone
}

impl Channels {
    fn symbols(&self, bits: u8) -> String {
        let set = |(bit, pair): (usize, &(char, char))| (bits & (1 << bit) != 0).then_some(pair.1);
        self.prefixes.iter().enumerate().filter_map(set).collect()
    }
}

#[cfg(test)]
mod tests;
