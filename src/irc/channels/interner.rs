//! Nicks as numbers: each kept once, with a count of who uses it.
//!
//! Not a list of users: a nick is here only while a member list names it. The sessions of a network share one
//! [`NickPool`], since they are in the same channels: what is shared are the strings and nothing else. Who is where
//! each session says for itself, because in a netsplit they see different truths. So a number never becomes another
//! nick's: somebody's change of nick is a change of the lists, in each session when that session sees it.
//!
//! The pool has a lock, held for as long as it takes to read one line of names, or to look up the words of a message.
//! It is taken when somebody comes, goes or changes nick or status, and once for each message that may name somebody.
//!
//! Invariants 4 and 9: keys are folded by the network's casemapping, and there are as many tables as casemappings,
//! for a session that has not heard its server's yet; a number without a user is given again, so that nothing grows
//! with uptime.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::names::{CaseMap, CaseMapping};

/// Names longer than any server's are noise, or an attack on the memory.
const LONGEST_NICK: usize = 400;

/// More nicks than the largest networks ever had at once; it must stay below 2^24, for numbers have so many bits.
const MOST_NICKS: usize = 1 << 20;

/// The nicks of one network's sessions. Clones share it.
#[derive(Debug, Clone)]
pub struct NickPool(Arc<[Mutex<Interner>; CaseMapping::ALL.len()]>);

impl Default for NickPool {
    fn default() -> Self {
        Self(Arc::new(CaseMapping::ALL.map(|mapping| Mutex::new(Interner::new(mapping)))))
    }
}

impl NickPool {
    /// The table of a casemapping.
    pub(super) fn lock(&self, mapping: CaseMapping) -> MutexGuard<'_, Interner> {
        // A session that panicked here was about to count: at worst a nick stays.
        self.0[mapping as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is the same as another.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How many nicks are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        CaseMapping::ALL.iter().map(|mapping| self.lock(*mapping).numbers.len()).sum()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The nicks under one casemapping.
#[derive(Debug)]
pub(super) struct Interner {
    numbers: CaseMap<u32>,
    entries: Vec<Entry>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Entry {
    name: Arc<str>,
    uses: u32,
}

impl Interner {
    fn new(mapping: CaseMapping) -> Self {
        Self { numbers: CaseMap::new(mapping), entries: Vec::new(), free: Vec::new() }
    }

    /// The number of a nick, with one claim on it that the caller must give back. `None` for what is no nick, and
    /// where there is no room for one more.
    pub(super) fn intern(&mut self, nick: &str) -> Option<u32> {
        if nick.is_empty() || nick.len() > LONGEST_NICK {
            return None;
        }
        if let Some(&number) = self.numbers.get(nick) {
            self.claim(number);
            return Some(number);
        }
        let entry = Entry { name: nick.into(), uses: 1 };
        let number = if let Some(number) = self.free.pop() {
            self.entries[number as usize] = entry;
            number
        } else if self.entries.len() < MOST_NICKS {
            self.entries.push(entry);
            (self.entries.len() - 1) as u32
        } else {
            return None;
        };
        self.numbers.insert(nick, number);
        Some(number)
    }

    pub(super) fn find(&self, nick: &str) -> Option<u32> {
        self.numbers.get(nick).copied()
    }

    pub(super) fn name(&self, number: u32) -> Arc<str> {
        self.entries.get(number as usize).map_or_else(|| "".into(), |entry| Arc::clone(&entry.name))
    }

    pub(super) fn claim(&mut self, number: u32) {
        if let Some(entry) = self.entries.get_mut(number as usize) {
            entry.uses += 1;
        }
    }

    /// Gives a claim back; without claims the nick is forgotten.
    pub(super) fn release(&mut self, number: u32) {
        let Some(entry) = self.entries.get_mut(number as usize).filter(|entry| entry.uses > 0) else {
            return;
        };
        entry.uses -= 1;
        if entry.uses == 0 {
            let name = std::mem::replace(&mut entry.name, "".into());
            self.numbers.remove(&name);
            self.free.push(number);
        }
    }

    /// A nick is written in another case from now on, for all who know it.
    pub(super) fn respell(&mut self, nick: &str) {
        if let Some(number) = self.find(nick) {
            self.spell(number, nick);
        }
    }

    /// So is the nick of this number written.
    pub(super) fn spell(&mut self, number: u32, nick: &str) {
        if let Some(entry) = self.entries.get_mut(number as usize).filter(|entry| *entry.name != *nick) {
            entry.name = nick.into();
        }
    }

    /// How many numbers were ever given at once.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.entries.len()
    }
}
