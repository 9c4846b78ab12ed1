//! Whose ghosts are in a channel's room: those who spoke there, until they are known to have gone.
//!
//! Not the channel's members, of whom most never speak: that list is the IRC session's.
//!
//! Invariant 8: nobody comes or goes for being silent. Invariant 9: beyond so many ([`MOST`]) only members are in a room.

use super::Actor;
use crate::format::strip_irc;

/// Beyond it those go who are not in the channel: names that another bridge speaks under, and whatever a server makes up.
const MOST: usize = 1_000;

impl Actor {
    /// Somebody has spoken in a channel, so that their ghost is in its room.
    pub(super) fn note_speaker(&mut self, place: usize, nick: &str) {
        let speakers = &self.buffers.get(place).speakers;
        if speakers.len() >= MOST && !speakers.contains(nick) {
            let channel = self.buffers.get(place).row.name.clone();
            self.on_names(&channel);
        }
        self.buffers.get_mut(place).speakers.insert(nick, ());
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

    /// Somebody is no longer in a channel: their ghost leaves the room, if it ever came.
    pub(super) fn depart(&mut self, channel: &str, nick: &str, reason: &str, kicker: Option<&str>) {
        let mapping = self.buffers.mapping();
        let Some(place) = self.buffers.find(channel) else {
            return;
        };
        let buffer = self.buffers.get_mut(place);
        if buffer.speakers.remove(nick).is_some() {
            let (reason, kicker) = (strip_irc(reason), kicker.map(str::to_owned));
            self.incoming.departures.push((buffer.row.room, mapping.fold(nick), reason, kicker));
        }
    }
}
