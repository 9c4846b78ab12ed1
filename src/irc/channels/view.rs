//! What others see of a channel that we are in.
//!
//! Borrowed from the session for as long as it is looked at; nothing can be changed through it.

use std::sync::{Arc, MutexGuard};

use super::interner::Interner;
use super::{Channels, Data};

/// Finds members by their nicks, one after the other, as for the words of a line. Held for that line only: other
/// sessions wait for it.
#[derive(Debug)]
pub struct MemberLookup<'a> {
    data: &'a Data,
    nicks: MutexGuard<'a, Interner>,
}

impl MemberLookup<'_> {
    /// The member's nick as it is written, if there is one of this nick.
    #[must_use]
    pub fn find(&self, nick: &str) -> Option<Arc<str>> {
        let number = self.nicks.find(nick)?;
        self.data.members.get(number).map(|_| self.nicks.name(number))
    }
}

/// A view of one channel.
#[derive(Debug, Clone, Copy)]
pub struct ChannelState<'a> {
    pub(super) data: &'a Data,
    pub(super) channels: &'a Channels,
}

impl<'a> ChannelState<'a> {
    pub(super) fn new(data: &'a Data, channels: &'a Channels) -> Self {
        Self { data, channels }
    }

    /// The name as the server writes it.
    #[must_use]
    pub fn name(&self) -> &'a str {
        &self.data.name
    }

    /// The topic, if one is set.
    #[must_use]
    pub fn topic(&self) -> Option<&'a str> {
        self.data.topic.as_deref()
    }

    /// Who set the topic, and when, in seconds since 1970, as far as the server told.
    #[must_use]
    pub fn topic_origin(&self) -> Option<(&'a str, i64)> {
        self.data.topic_set.as_ref().map(|(by, at)| (by.as_str(), *at))
    }

    /// The key, as far as `MODE` told it.
    #[must_use]
    pub fn key(&self) -> Option<&'a str> {
        self.data.key.as_deref()
    }

    /// Whether a mode is set that is no list and no rank; nothing while the modes are not surely known.
    #[must_use]
    pub fn has_mode(&self, letter: char) -> Option<bool> {
        self.data.flags.as_ref().map(|flags| flags.contains(&letter))
    }

    /// Nicks with their prefixes, highest first ("@+"), in no order that means anything.
    pub fn members(&self) -> impl Iterator<Item = (Arc<str>, String)> + use<'a> {
        let channels = self.channels;
        self.data.members.iter().map(|member| {
            let name = channels.pool.lock(channels.map.mapping()).name(member.nick);
            (name, channels.symbols(member.prefixes))
        })
    }

    /// Members whose rank is more than voice, each with its prefix, the highest first, no more than so many.
    #[must_use]
    pub fn ranked(&self, most: usize) -> Vec<(Arc<str>, char)> {
        let prefix = |prefixes| self.channels.symbols(prefixes).chars().next().filter(|first| *first != '+');
        let with_any = self.data.members.iter().filter(|member| member.prefixes != 0);
        let mut ranked: Vec<(u32, u32, char)> = with_any
            .filter_map(|one| Some((one.prefixes.trailing_zeros(), one.nick, prefix(one.prefixes)?)))
            .collect();
        ranked.sort_unstable();
        ranked.truncate(most);
        let nicks = self.channels.pool.lock(self.channels.map.mapping());
        ranked.into_iter().map(|(_, number, prefix)| (nicks.name(number), prefix)).collect()
    }

    /// Members with any prefix, each with all of them, the highest first, no more than so many.
    #[must_use]
    pub fn prefixed(&self, most: usize) -> Vec<(Arc<str>, String)> {
        let with_any = self.data.members.iter().filter(|member| member.prefixes != 0);
        let mut found: Vec<(u32, u32, u8)> =
            with_any.map(|one| (one.prefixes.trailing_zeros(), one.nick, one.prefixes)).collect();
        found.sort_unstable();
        found.truncate(most);
        let nicks = self.channels.pool.lock(self.channels.map.mapping());
        let named = found.into_iter();
        named.map(|(_, number, bits)| (nicks.name(number), self.channels.symbols(bits))).collect()
    }

    /// How many are in the channel, ourselves included.
    #[must_use]
    pub fn member_count(&self) -> usize {
        self.data.members.len()
    }

    fn member(&self, nick: &str) -> Option<u8> {
        let number = self.channels.pool.lock(self.channels.map.mapping()).find(nick)?;
        self.data.members.get(number)
    }

    /// Finds members by their nicks.
    #[must_use]
    pub fn lookup(&self) -> MemberLookup<'a> {
        MemberLookup { data: self.data, nicks: self.channels.pool.lock(self.channels.map.mapping()) }
    }

    /// Whether the nick is in the channel.
    #[must_use]
    pub fn has(&self, nick: &str) -> bool {
        self.member(nick).is_some()
    }

    /// A nick as its owner writes it, if it is in the channel.
    #[must_use]
    pub fn spelled(&self, nick: &str) -> Option<Arc<str>> {
        let nicks = self.channels.pool.lock(self.channels.map.mapping());
        let number = nicks.find(nick)?;
        self.data.members.get(number).map(|_| nicks.name(number))
    }

    /// The prefixes of one member.
    #[must_use]
    pub fn prefixes(&self, nick: &str) -> Option<String> {
        self.member(nick).map(|prefixes| self.channels.symbols(prefixes))
    }
}
