//! Nicks whose ghosts are excluded (`bridge/policy.rs`): what they say is neither shown nor kept, and they don't come into
//! rooms. As if the user ignored them, but for all.
//!
//! A line costs nothing unless a rule may be about ghosts, and then one look at what is remembered of them.

use super::Actor;
use crate::irc::session::Event;

/// Who is looked past where somebody else should come into a room.
pub(super) const MOST_PASSED_OVER: usize = 64;

impl Actor {
    /// Whether a nick's ghost is excluded.
    pub(super) fn is_excluded(&self, nick: &str) -> bool {
        if !self.bridge.excludes_ghosts() {
            return false;
        }
        match self.ghosts.get(nick) {
            Some(known) => self.bridge.excludes_ghost(known),
            None => self.bridge.excludes_ghost(&self.bridge.ghost_user_id(&self.row.network, nick)),
        }
    }

    /// What excluded nicks say is as if it had not been said.
    pub(super) fn pass_over_excluded(&self, events: &mut Vec<Event>) {
        if self.bridge.excludes_ghosts() {
            events.retain(|event| !self.is_by_excluded(event));
        }
    }

    /// Whether something is said or done by an excluded nick that others would see.
    fn is_by_excluded(&self, event: &Event) -> bool {
        let (Event::Message { from, own: false, .. }
        | Event::Reacted { from, own: false, .. }
        | Event::Typing { from, .. }
        | Event::Invited { by: from, .. }) = event
        else {
            return false;
        };
        self.is_excluded(&from.nick)
    }

    /// Takes excluded ghosts out of a channel's room that were there before.
    pub(super) fn expel_excluded(&mut self, place: usize) {
        if !self.bridge.excludes_ghosts() {
            return;
        }
        let buffer = self.buffers.get(place);
        let there = buffer.present.marked(|_| true, usize::MAX);
        let channel = buffer.row.name.clone();
        for nick in there.into_iter().filter(|nick| self.is_excluded(nick)).collect::<Vec<_>>() {
            self.depart(&channel, &nick, "Excluded", None);
        }
    }

    /// The rules are others: who is excluded goes, and who is so no more comes.
    pub(super) fn follow_exclusions(&mut self) {
        for place in 0..self.buffers.len() {
            self.expel_excluded(place);
            self.usher_in(place);
        }
    }
}
