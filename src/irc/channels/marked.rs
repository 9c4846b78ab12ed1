//! Nicks of which something small is remembered, such as whose ghosts are in a channel's room.
//!
//! As compact as a member list, and made of the same: the numbers of nicks that the network's sessions share, four bytes
//! for each with its mark. So it can be held against a channel's members in one walk through both.
//!
//! Not who is in a channel: whoever owns this says what being in it means. Invariants 4 and 9: as for the lists of
//! members, to which it is bounded.

use std::cmp::Ordering;
use std::sync::Arc;

use super::member::{Member, Members};
use super::{ChannelState, NickPool};
use crate::names::CaseMapping;

/// Nicks with a mark each.
#[derive(Debug, Default)]
pub struct MarkedNicks {
    pool: NickPool,
    mapping: CaseMapping,
    list: Members,
}

impl Drop for MarkedNicks {
    fn drop(&mut self) {
        self.list.clear(&mut self.pool.lock(self.mapping));
    }
}

impl MarkedNicks {
    /// None yet, in a network whose sessions share this pool.
    #[must_use]
    pub fn new(pool: NickPool, mapping: CaseMapping) -> Self {
        Self { pool, mapping, list: Members::default() }
    }

    /// Follows the network's casemapping.
    pub fn set_mapping(&mut self, mapping: CaseMapping) {
        if mapping == self.mapping {
            return;
        }
        let mut moved = Members::default();
        for Member { nick, prefixes } in self.list.iter() {
            let name = self.pool.lock(self.mapping).name(nick);
            moved.add(&mut self.pool.lock(mapping), &name, prefixes);
        }
        self.list.clear(&mut self.pool.lock(self.mapping));
        self.list = moved;
        self.mapping = mapping;
    }

    /// The mark of a nick.
    #[must_use]
    pub fn get(&self, nick: &str) -> Option<u8> {
        let number = self.pool.lock(self.mapping).find(nick)?;
        self.list.get(number)
    }

    /// Whether the nick is among them.
    #[must_use]
    pub fn contains(&self, nick: &str) -> bool {
        self.get(nick).is_some()
    }

    /// Gives a nick this mark.
    pub fn set(&mut self, nick: &str, mark: u8) {
        let mut nicks = self.pool.lock(self.mapping);
        if let Some(number) = self.list.add(&mut nicks, nick, 0) {
            self.list.change(number, |_| mark);
        }
    }

    /// Takes a nick out and returns its mark.
    pub fn remove(&mut self, nick: &str) -> Option<u8> {
        let mut nicks = self.pool.lock(self.mapping);
        let number = nicks.find(nick)?;
        self.list.remove(&mut nicks, number)
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.list.clear(&mut self.pool.lock(self.mapping));
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those whose marks are such, no more than so many.
    pub fn marked(&self, is_such: impl Fn(u8) -> bool, most: usize) -> Vec<Arc<str>> {
        let nicks = self.pool.lock(self.mapping);
        let such = self.list.iter().filter(|member| is_such(member.prefixes));
        such.take(most).map(|member| nicks.name(member.nick)).collect()
    }

    /// Whether their numbers and the channel's are the same nicks'.
    fn is_comparable(&self, channel: ChannelState<'_>) -> bool {
        self.mapping == channel.channels.map.mapping() && self.pool.is(&channel.channels.pool)
    }

    /// Those who are not members of the channel.
    #[must_use]
    pub fn beyond(&self, channel: ChannelState<'_>) -> Vec<Arc<str>> {
        if !self.is_comparable(channel) {
            return Vec::new();
        }
        let nicks = self.pool.lock(self.mapping);
        let beyond = beyond(&self.list, &channel.data.members);
        beyond.map(|member| nicks.name(member.nick)).collect()
    }

    /// Members of the channel who are not among these, those of the highest rank first, no more than so many.
    #[must_use]
    pub fn lacking(&self, channel: ChannelState<'_>, most: usize) -> Vec<Arc<str>> {
        if !self.is_comparable(channel) || most == 0 {
            return Vec::new();
        }
        let mut lacking: Vec<(u32, u32)> = beyond(&channel.data.members, &self.list)
            .map(|member| (member.prefixes.trailing_zeros(), member.nick))
            .collect();
        if lacking.len() > most {
            lacking.select_nth_unstable(most);
            lacking.truncate(most);
        }
        lacking.sort_unstable();
        let nicks = self.pool.lock(self.mapping);
        lacking.into_iter().map(|(_, number)| nicks.name(number)).collect()
    }
}

/// Those of a list who are not in another; both are sorted.
fn beyond<'a>(list: &'a Members, other: &'a Members) -> impl Iterator<Item = Member> + 'a {
    let mut others = other.iter().peekable();
    list.iter().filter(move |member| {
        loop {
            match others.peek().map(|other| other.nick.cmp(&member.nick)) {
                Some(Ordering::Less) => _ = others.next(),
                Some(Ordering::Equal) => return false,
                Some(Ordering::Greater) | None => return true,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::Channels;
    use super::*;
    use crate::irc::isupport::Isupport;

    /// A channel with these members, and the pool of their nicks.
    fn channel(names: &str) -> (Channels, NickPool) {
        let pool = NickPool::default();
        let mut isupport = Isupport::default();
        isupport.apply(["PREFIX=(ov)@+"]);
        let mut channels = Channels::new(pool.clone());
        channels.apply_isupport(&isupport);
        channels.enter("#rust");
        channels.collect_names("#rust", names);
        channels.finish_names("#rust");
        (channels, pool)
    }

    fn texts(nicks: Vec<Arc<str>>) -> Vec<String> {
        nicks.into_iter().map(|nick| nick.to_string()).collect()
    }

    #[test]
    fn a_channel_is_held_against_it_ranked_members_first() {
        let (channels, pool) = channel("zoe bob +carol @dave +erin @frank");
        let mut marked = MarkedNicks::new(pool, CaseMapping::Rfc1459);
        for nick in ["CAROL", "mallory", "frank"] {
            marked.set(nick, 1);
        }
        let state = channels.get("#rust").unwrap();
        assert_eq!(texts(marked.beyond(state)), ["mallory"]);
        assert_eq!(texts(marked.lacking(state, 9)), ["dave", "erin", "zoe", "bob"]);
        assert_eq!(texts(marked.lacking(state, 2)), ["dave", "erin"]);
    }

    #[test]
    fn a_mark_is_the_last_that_was_set() {
        let mut marked = MarkedNicks::default();
        marked.set("bob", 3);
        marked.set("BOB", 4);
        marked.set("carol", 0);
        assert_eq!((marked.get("bob"), marked.get("carol"), marked.get("dave")), (Some(4), Some(0), None));
        assert_eq!(texts(marked.marked(|mark| mark == 0, 9)), ["carol"]);
        assert_eq!((marked.remove("bob"), marked.remove("bob"), marked.len()), (Some(4), None, 1));
    }

    #[test]
    fn invariant_4_numbers_of_different_casemappings_are_never_compared() {
        let (channels, pool) = channel("x[ x{ bob");
        let mut marked = MarkedNicks::new(pool, CaseMapping::Ascii);
        for nick in ["x[", "x{", "gone"] {
            marked.set(nick, 1);
        }
        let state = channels.get("#rust").unwrap();
        assert_eq!((marked.beyond(state).len(), marked.lacking(state, 9).len()), (0, 0));
        marked.set_mapping(CaseMapping::Rfc1459);
        assert_eq!(
            (texts(marked.beyond(state)), texts(marked.lacking(state, 9))),
            (vec!["gone".into()], vec!["bob".into()])
        );
    }

    #[test]
    fn invariant_9_nothing_is_left_of_it() {
        let pool = NickPool::default();
        let mut marked = MarkedNicks::new(pool.clone(), CaseMapping::Ascii);
        marked.set("bob", 1);
        marked.set("carol", 1);
        marked.remove("carol");
        assert_eq!(pool.len(), 1);
        drop(marked);
        assert!(pool.is_empty());
    }

    /// What a bridge remembers of a nick is how it was once written; the server knows how it is.
    #[test]
    fn a_nick_is_written_as_the_server_writes_it() {
        let pool = NickPool::default();
        let mut marked = MarkedNicks::new(pool.clone(), CaseMapping::Rfc1459);
        marked.set("bob", 1);
        let mut channels = Channels::new(pool);
        channels.enter("#rust");
        channels.add("#rust", "Bob");
        marked.set("BOB", 1);
        assert_eq!(channels.get("#rust").unwrap().spelled("bob").as_deref(), Some("Bob"));
    }
}
