//! Whose ghosts go: those who are known to have left a channel, and of those who speak in one without being in it the
//! first, where there are too many.
//!
//! Not who comes, which is in `attendance`, and not the channel's members, whom the IRC session knows.
//!
//! Invariant 9: of those who are in the channel no more are kept than it has members; of all others so many
//! ([`MOST_STRANGERS`]), and the first of them goes for the next.

use super::Actor;
use crate::format::strip_irc;

/// Those who speak without being in the channel: names that another bridge speaks under, and whatever a server makes up.
const MOST_STRANGERS: usize = 1_000;

impl Actor {
    /// Somebody has spoken in a channel, so that their ghost is in its room.
    pub(super) fn note_speaker(&mut self, place: usize, nick: &str) {
        let is_own = self.link.as_ref().is_some_and(|link| link.session.is_own(nick));
        if let Some(seat) = self.seat(place).filter(|_| is_own) {
            // From another client of theirs, which no other session shows; any of them may see them go.
            seat.bring_own_ghost(self.buffers.mapping().fold(nick));
        }
        if !self.shows(place) || self.note_spoken(place, nick) {
            return;
        }
        let buffer = self.buffers.get_mut(place);
        let Some(state) = self.link.as_ref().and_then(|link| link.session.channel(&buffer.row.name)) else {
            return;
        };
        if state.has(nick) {
            return;
        }
        buffer.strangers.push_back(nick.into());
        let first = (buffer.strangers.len() > MOST_STRANGERS).then(|| buffer.strangers.pop_front()).flatten();
        // Meanwhile they may have come in.
        if let Some(first) = first.filter(|first| !state.has(first)) {
            let channel = buffer.row.name.clone();
            self.depart(&channel, &first, "", None);
        }
    }

    /// The user has another nick: nobody goes by the ghost any more under which they spoke in shared rooms from elsewhere.
    pub(super) fn take_own_ghosts_out(&mut self, from: &str, to: &str) {
        if self.buffers.mapping().same(from, to) {
            return;
        }
        let shared = self.buffers.iter().filter(|buffer| buffer.shared.is_some());
        for channel in shared.map(|buffer| buffer.row.name.clone()).collect::<Vec<_>>() {
            self.depart(&channel, from, "", None);
        }
    }

    /// Who is in a shared room again, and was in its channel all the while, is there by themselves: a ghost of theirs goes.
    pub(super) fn take_returned_ghosts_out(&mut self) {
        if !self.buffers.has_shared() {
            return;
        }
        for place in 0..self.buffers.len() {
            let Some(seat) = self.seat(place).filter(|_| self.shows(place)) else { continue };
            let returned = seat.take_returned();
            if returned.is_empty() {
                continue;
            }
            let channel = self.buffers.get(place).row.name.clone();
            for nick in returned {
                self.depart(&channel, &nick, "", None);
            }
        }
    }

    /// A channel's members are known: ghosts of those who went while we were not there go, too, and of those who came
    /// meanwhile come where all are wanted.
    pub(super) fn on_names(&mut self, channel: &str) {
        self.ask_who_is_away(channel);
        let Some(place) = self.buffers.find(channel) else {
            return;
        };
        if !self.know_names(place) {
            return;
        }
        let Some(state) = self.link.as_ref().and_then(|link| link.session.channel(channel)) else {
            return;
        };
        for nick in self.netsplits.missed_in(channel) {
            if state.has(&nick) {
                self.netsplits.take_back(&nick, channel);
            }
        }
        for nick in self.buffers.get(place).present.beyond(state) {
            if !self.netsplits.misses(&nick, channel) {
                self.depart(channel, &nick, "", None);
            }
        }
        self.expel_excluded(place);
        self.usher_in(place);
        self.note_ranks(place);
        self.know_modes(place);
    }

    /// Somebody is no longer in a channel: their ghost leaves the room, if it ever came. Returns whether it had.
    pub(super) fn depart(&mut self, channel: &str, nick: &str, reason: &str, kicker: Option<&str>) -> bool {
        self.note_gone(channel, nick);
        let mapping = self.buffers.mapping();
        let Some(place) = self.buffers.find(channel) else {
            return false;
        };
        let buffer = self.buffers.get_mut(place);
        let was_there = buffer.present.remove(nick).is_some();
        let seat = buffer.shared.as_ref().and_then(|shared| shared.seat());
        let is_members = seat.is_some_and(|seat| seat.takes_own_ghost(&mapping.fold(nick)));
        if was_there || is_members {
            let (reason, kicker) = (strip_irc(reason), kicker.map(str::to_owned));
            self.incoming.departures.push((buffer.row.room, mapping.fold(nick), reason, kicker));
        }
        self.lose_sight_of(nick, was_there);
        self.spare_from_bans_of(channel, nick);
        was_there
    }
}
