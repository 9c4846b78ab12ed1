//! One list of members.
//!
//! Four bytes for each, since the lists of the sessions in large channels are most of a bridge's memory: the nick's
//! number in the upper 24 bits, the prefixes in the lower 8. A list holds one claim on each of its nicks.

use super::interner::Interner;

/// The largest channels of the largest networks have some thousands.
pub(super) const MOST_MEMBERS: usize = 200_000;

/// A member, unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) nick: u32,
    /// Bit `n` is the nth of `PREFIX`, so that the lowest bit is the highest status.
    pub(super) prefixes: u8,
}

impl Member {
    fn pack(self) -> u32 {
        self.nick << 8 | u32::from(self.prefixes)
    }

    fn unpack(packed: u32) -> Self {
        Self { nick: packed >> 8, prefixes: (packed & 0xff) as u8 }
    }
}

/// Members, sorted by the numbers of their nicks.
#[derive(Debug, Default)]
pub(super) struct Members(Vec<u32>);

impl Members {
    fn find(&self, nick: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&nick, |&packed| packed >> 8)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Member> {
        self.0.iter().copied().map(Member::unpack)
    }

    /// The prefixes of a member.
    pub(super) fn get(&self, nick: u32) -> Option<u8> {
        self.find(nick).ok().map(|at| Member::unpack(self.0[at]).prefixes)
    }

    /// Adds somebody whom the server names: they are written as it does.
    pub(super) fn insert(&mut self, nicks: &mut Interner, nick: &str, prefixes: u8) {
        if let Some(number) = self.add(nicks, nick, prefixes) {
            nicks.spell(number, nick);
        }
    }

    /// Adds somebody and returns their number, if there is room for one more.
    pub(super) fn add(&mut self, nicks: &mut Interner, nick: &str, prefixes: u8) -> Option<u32> {
        let number = nicks.intern(nick)?;
        let is_in = self.insert_number(nicks, number, prefixes);
        // The list holds its own claim now.
        nicks.release(number);
        is_in.then_some(number)
    }

    /// Returns whether it is in the list now, which may be full.
    pub(super) fn insert_number(&mut self, nicks: &mut Interner, nick: u32, prefixes: u8) -> bool {
        match self.find(nick) {
            Ok(at) => self.0[at] |= u32::from(prefixes),
            Err(at) if self.0.len() < MOST_MEMBERS => {
                nicks.claim(nick);
                if self.0.len() == self.0.capacity() {
                    // A vector would double: for a large channel that is as much again, for ever.
                    self.0.reserve_exact(4 + self.0.len() / 8);
                }
                self.0.insert(at, Member { nick, prefixes }.pack());
            }
            Err(_) => return false,
        }
        true
    }

    /// Takes a member out and returns the prefixes that they had.
    pub(super) fn remove(&mut self, nicks: &mut Interner, nick: u32) -> Option<u8> {
        let at = self.find(nick).ok()?;
        nicks.release(nick);
        Some(Member::unpack(self.0.remove(at)).prefixes)
    }

    pub(super) fn change(&mut self, nick: u32, changed: impl Fn(u8) -> u8) {
        if let Ok(at) = self.find(nick) {
            let member = Member::unpack(self.0[at]);
            self.0[at] = Member { prefixes: changed(member.prefixes), ..member }.pack();
        }
    }

    pub(super) fn change_prefixes(&mut self, changed: impl Fn(u8) -> u8) {
        for packed in &mut self.0 {
            let member = Member::unpack(*packed);
            *packed = Member { prefixes: changed(member.prefixes), ..member }.pack();
        }
    }

    /// Gives all claims back.
    pub(super) fn clear(&mut self, nicks: &mut Interner) {
        for packed in std::mem::take(&mut self.0) {
            nicks.release(packed >> 8);
        }
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.0.shrink_to_fit();
    }
}
