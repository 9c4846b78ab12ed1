//! Whose ghosts are in a channel's room: those who spoke there, until they are known to have gone.
//!
//! Not the channel's members, of whom most never speak: that list is the IRC session's.
//!
//! Invariant 8: nobody comes or goes for being silent. Invariant 9: of those who are in the channel no more are kept than
//! it has members; of all others so many ([`MOST_STRANGERS`]), and the first of them goes for the next.

use super::Actor;
use crate::format::strip_irc;

/// Those who speak without being in the channel: names that another bridge speaks under, and whatever a server makes up.
const MOST_STRANGERS: usize = 1_000;

impl Actor {
    /// Somebody has spoken in a channel, so that their ghost is in its room.
    pub(super) fn note_speaker(&mut self, place: usize, nick: &str) {
        let buffer = self.buffers.get_mut(place);
        if buffer.speakers.contains(nick) {
            return;
        }
        buffer.speakers.insert(nick, ());
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

    /// A channel's members are known: ghosts of those who went while we were not there go, too.
    pub(super) fn on_names(&mut self, channel: &str) {
        let Some(place) = self.buffers.find(channel) else {
            return;
        };
        let Some(state) = self.link.as_ref().and_then(|link| link.session.channel(channel)) else {
            return;
        };
        let speakers = self.buffers.get(place).speakers.iter().map(|(nick, ())| nick.to_owned());
        let mut gone = Vec::new();
        for nick in speakers {
            if state.has(&nick) {
                self.netsplits.take_back(&nick, channel);
            } else if !self.netsplits.misses(&nick, channel) {
                gone.push(nick);
            }
        }
        for nick in gone {
            self.depart(channel, &nick, "", None);
        }
    }

    /// Somebody is no longer in a channel: their ghost leaves the room, if it ever came. Returns whether it had.
    pub(super) fn depart(&mut self, channel: &str, nick: &str, reason: &str, kicker: Option<&str>) -> bool {
        let mapping = self.buffers.mapping();
        let Some(place) = self.buffers.find(channel) else {
            return false;
        };
        let buffer = self.buffers.get_mut(place);
        let was_there = buffer.speakers.remove(nick).is_some();
        if was_there {
            let (reason, kicker) = (strip_irc(reason), kicker.map(str::to_owned));
            self.incoming.departures.push((buffer.row.room, mapping.fold(nick), reason, kicker));
        }
        was_there
    }
}
