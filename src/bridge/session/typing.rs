//! Who types, both ways. Nothing of it is stored; it is dropped rather than delay anything.
//!
//! The homeserver says that the user begins and ends; IRC wants to be told every few seconds in between. What IRC says is
//! shown by ghosts that are in the room already: nobody enters a room to type there.
//!
//! Invariant 9: a user types in so many rooms at a time, and so many ghosts of a session do; the rest is not shown.
//!
//! Spec: `IRCv3` "typing".

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Actor;
use crate::irc::session::{MessageTarget, Target, Typing};
use crate::store::{BufferKind, StoreError};

/// The shortest time between two notifications.
const PAUSE: Duration = Duration::from_secs(3);
/// Whose homeserver never says that they have stopped has stopped.
const LONGEST: Duration = Duration::from_mins(2);
/// Who has not said for so long that they type does no longer: many end without a word. The homeserver is told the
/// same, and forgets them by itself.
const FORGOTTEN: Duration = Duration::from_secs(6);
const MOST: usize = 64;

/// The user types in a buffer.
#[derive(Debug)]
struct Own {
    since: Instant,
    /// When the next notification may be sent.
    next: Instant,
    /// They have stopped, which is still to be told.
    stopped: bool,
}

/// Who types.
#[derive(Debug, Default)]
pub(super) struct Typists {
    /// The user, by the number of the buffer.
    own: HashMap<i64, Own>,
    /// Others, by the number of the buffer and the folded nick, with when they last were seen to.
    others: HashMap<(i64, String), Instant>,
}

impl Typists {
    /// When something is to be sent.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.own.values().map(|own| own.next).min()
    }

    /// The connection is gone.
    pub(super) fn clear(&mut self) {
        self.own.clear();
        self.others.clear();
    }

    /// Somebody else types. Whether there is a place for them.
    fn see(&mut self, key: (i64, String), now: Instant) -> bool {
        self.others.retain(|_, seen| now < *seen + FORGOTTEN);
        let is_seen = self.others.len() < MOST || self.others.contains_key(&key);
        if is_seen {
            self.others.insert(key, now);
        }
        is_seen
    }

    /// The user has said what they typed: nothing more is to be told.
    pub(super) fn has_spoken(&mut self, buffer: i64, now: Instant) {
        // The entry stays until the next notification may be sent.
        if let Some(own) = self.own.get_mut(&buffer) {
            own.since = now.checked_sub(LONGEST).unwrap_or(own.since);
        }
    }
}

impl Actor {
    /// The user types in a room, or does no longer.
    pub(super) fn on_own_typing(&mut self, place: usize, types: bool) {
        let buffer = self.buffers.get(place).row.id;
        let now = self.now();
        if let Some(own) = self.typists.own.get_mut(&buffer) {
            own.stopped = !types;
            if types {
                own.since = now;
            }
            self.tick_typing();
        } else if types && self.typists.own.len() < MOST {
            // Where it can't be told now, it is the next time.
            self.tell_typing(place, Typing::Active);
            self.typists.own.insert(buffer, Own { since: now, next: now + PAUSE, stopped: false });
        }
    }

    fn tell_typing(&mut self, place: usize, typing: Typing) -> bool {
        if !self.is_open(place) {
            return false;
        }
        let name = &self.buffers.get(place).row.name;
        let now = self.bridge.clock.now();
        let Some(link) = &mut self.link else { return false };
        Target::parse(name, link.session.isupport())
            .is_ok_and(|target| link.session.typing(&target, typing, now))
    }

    /// Tells on what is due.
    pub(super) fn tick_typing(&mut self) {
        let now = self.now();
        let due = self.typists.own.iter().filter(|(_, own)| own.next <= now);
        let due: Vec<(i64, bool, bool)> =
            due.map(|(buffer, own)| (*buffer, own.stopped, own.since + LONGEST <= now)).collect();
        for (buffer, stopped, is_over) in due {
            let typing = if stopped { Typing::Done } else { Typing::Active };
            let place = self.buffers.find_id(buffer);
            let told = !is_over && place.is_some_and(|place| self.tell_typing(place, typing));
            match self.typists.own.get_mut(&buffer) {
                Some(own) if !stopped && !is_over => own.next = now + PAUSE,
                _ => _ = self.typists.own.remove(&buffer),
            }
            tracing::trace!(buffer, told, "the user types");
        }
    }

    /// Somebody types on IRC.
    pub(super) async fn on_typing(
        &mut self,
        target: &MessageTarget,
        nick: &str,
        typing: Typing,
    ) -> Result<(), StoreError> {
        let Some(place) = self.place_of(target, nick) else { return Ok(()) };
        let buffer = self.buffers.get(place);
        let is_query = buffer.row.kind == BufferKind::Query;
        if !is_query && !buffer.present.contains(nick)
            || !self.shows(place)
            || self.person_in_room(place, nick).is_some()
        {
            return Ok(());
        }
        let key = (buffer.row.id, self.buffers.mapping().fold(nick));
        if typing == Typing::Active {
            let now = self.now();
            if self.typists.see(key, now) {
                self.show_typing(place, nick, true).await?;
            }
        } else if self.typists.others.remove(&key).is_some() {
            self.show_typing(place, nick, false).await?;
        }
        Ok(())
    }

    /// Somebody has said what they typed, or gone.
    pub(super) async fn ends_typing(&mut self, place: usize, nick: &str) -> Result<(), StoreError> {
        if self.typists.others.is_empty() {
            return Ok(());
        }
        let key = (self.buffers.get(place).row.id, self.buffers.mapping().fold(nick));
        if self.typists.others.remove(&key).is_some() {
            self.show_typing(place, nick, false).await?;
        }
        Ok(())
    }

    async fn show_typing(&mut self, place: usize, nick: &str, types: bool) -> Result<(), StoreError> {
        let row = &self.buffers.get(place).row;
        let (room, creator, is_query) = (row.room, row.creator.clone(), row.kind == BufferKind::Query);
        let ghost = if is_query { creator } else { self.ghost(nick).await?.to_string() };
        self.bridge.show_typing(room, &ghost, types);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
    fn invariant_9_who_stops_without_a_word_takes_nobodys_place() {
        let mut typists = Typists::default();
        let now = Instant::now();
        for number in 0..MOST {
            assert!(typists.see((1, format!("user{number}")), now));
        }
        assert!(!typists.see((1, "bob".into()), now));
        assert!(typists.see((1, "user0".into()), now + Duration::from_secs(5)), "they go on");
        assert!(typists.see((1, "bob".into()), now + FORGOTTEN));
        assert_eq!(typists.others.len(), 2);
    }
}
