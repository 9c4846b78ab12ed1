//! Nicks as numbers: each kept once, with a count of who uses it.
//!
//! Not a list of users: a nick is here only while a member list names it.
//!
//! Invariants 4 and 9: keys are folded by the network's casemapping; a number without a user is given again, so
//! that nothing grows with uptime.

use std::collections::BTreeMap;

use crate::names::{CaseMap, CaseMapping};

/// Names longer than any server's are noise, or an attack on the memory.
const LONGEST_NICK: usize = 400;

#[derive(Debug, Default)]
pub(super) struct Interner {
    numbers: CaseMap<u32>,
    entries: Vec<Entry>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct Entry {
    name: Box<str>,
    uses: u32,
}

/// A rename onto a nick that had a number already.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) old: u32,
    pub(super) new: u32,
}

impl Interner {
    /// The number of a nick, with one claim on it that the caller must give back. `None` for what is no nick.
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
        } else {
            self.entries.push(entry);
            (self.entries.len() - 1) as u32
        };
        self.numbers.insert(nick, number);
        Some(number)
    }

    pub(super) fn find(&self, nick: &str) -> Option<u32> {
        self.numbers.get(nick).copied()
    }

    pub(super) fn name(&self, number: u32) -> &str {
        self.entries.get(number as usize).map_or("", |entry| &entry.name)
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
            let name = std::mem::take(&mut entry.name);
            if self.numbers.get(&name) == Some(&number) {
                self.numbers.remove(&name);
            }
            self.free.push(number);
        }
    }

    /// Gives a nick's number to another nick. Where that one has a number of its own, nothing changes and both
    /// are returned.
    pub(super) fn rename(&mut self, from: &str, to: &str) -> Option<Merged> {
        let old = self.find(from)?;
        if to.is_empty() || to.len() > LONGEST_NICK {
            return None;
        }
        if let Some(new) = self.find(to)
            && new != old
        {
            return Some(Merged { old, new });
        }
        self.numbers.remove(from);
        self.numbers.insert(to, old);
        self.entries[old as usize].name = to.into();
        None
    }

    /// Folds all nicks anew. Returns the numbers that gave way to another, with that other.
    pub(super) fn set_mapping(&mut self, mapping: CaseMapping) -> BTreeMap<u32, u32> {
        let mut merged = BTreeMap::new();
        let mut numbers = CaseMap::new(mapping);
        for number in 0..self.entries.len() as u32 {
            let Entry { name, uses } = &self.entries[number as usize];
            if *uses == 0 {
                continue;
            }
            let kept = *numbers.entry(name, || number);
            if kept != number {
                let uses = std::mem::take(&mut self.entries[number as usize].uses);
                self.entries[number as usize].name = "".into();
                self.entries[kept as usize].uses += uses;
                self.free.push(number);
                merged.insert(number, kept);
            }
        }
        self.numbers = numbers;
        merged
    }

    /// How many nicks are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// How many numbers were ever given at once.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.entries.len()
    }
}
