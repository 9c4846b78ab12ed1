//! Who has which rank in a channel whose room is shared, and which of its modes are rules of the room: what the session
//! that shows the channel knows of them, for the room's powers (`bridge/shared/authority.rs`).
//!
//! A person has the rank that both their own connection and the one that shows the channel see: a nick alone proves
//! nothing, and whoever was made an operator on the other side of a netsplit is none here. In doubt nobody has one. Of the
//! user whose connection shows the channel both are the same: theirs is the one rank that rests on one connection.
//!
//! Invariants 4 (what a prefix and a mode mean comes from `ISUPPORT`), 9 (so many ghosts have a rank, [`MOST_RANKED`]).

use std::time::Duration;

use super::Actor;
use crate::format::RichText;
use crate::irc::isupport::ModeKind;
use crate::irc::rank::{Rank, Ranks};
use crate::irc::session::Session;
use crate::irc::wire::Line;
use crate::names::Channel;

/// In how long a channel's modes are asked for again that are still not known.
const PATIENCE: Duration = Duration::from_mins(1);
/// Ghosts of a room that have a rank.
const MOST_RANKED: usize = 200;

/// What the powers and rules of a shared room follow from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The ranks of those who are there with their own connections, by their Matrix ids.
    pub people: Vec<(String, Rank)>,
    /// The ranks of others, by their nicks as they are compared.
    pub ghosts: Vec<(String, Rank)>,
    /// Nothing while the channel's modes are not surely known.
    pub rules: Option<ChannelRules>,
}

/// Modes of a channel that are rules of its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelRules {
    /// Who finds it and comes in.
    pub entrance: Entrance,
    /// Not everybody speaks: `+m`.
    pub is_moderated: bool,
    /// Not everybody sets the topic: `+t`.
    pub is_topic_locked: bool,
}

/// Who finds a channel and comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// Everybody.
    Open,
    /// Who knows of it: `+s` or `+p`.
    Secret,
    /// Not everybody: `+i` or `+k`.
    Closed,
}

impl ChannelRules {
    /// Whether not everybody comes in.
    pub fn is_closed(self) -> bool {
        self.entrance == Entrance::Closed
    }
}

/// The rank of a session's own user in a channel.
pub(super) fn own_rank(session: &Session, channel: &str) -> Option<Rank> {
    let symbols = session.channel(channel)?.prefixes(session.nick()).filter(|symbols| !symbols.is_empty())?;
    Ranks::of(session.isupport()).highest(&symbols)
}

impl Actor {
    /// What this session can tell of a room's powers and rules.
    pub(super) fn authority_in(&self, room: i64) -> Option<Authority> {
        let place = self.buffers.find_room(room).filter(|place| self.shows(*place))?;
        let shared = self.shared(place).filter(|shared| shared.is_named())?;
        let (channel, seat) = (self.channel_at(place)?, shared.seat()?);
        let (isupport, mapping) = (self.isupport()?, self.buffers.mapping());
        let ranks = Ranks::of(isupport);
        let seen = |nick: &str| channel.prefixes(nick).and_then(|symbols| ranks.highest(&symbols));
        let people = seat.ranked().into_iter();
        let people =
            people.filter_map(|(user_id, nick, own)| Some((user_id, seen(&nick)?.min(own)))).collect();
        let others = channel.prefixed(MOST_RANKED).into_iter();
        let ghosts = others
            .filter(|(nick, _)| self.person_in_room(place, nick).is_none())
            .filter_map(|(nick, symbols)| Some((mapping.fold(&nick), ranks.highest(&symbols)?)))
            .collect();
        let is_set = |letter: char, kinds: &[ModeKind]| {
            let is_such = isupport.mode_kind(letter).is_some_and(|kind| kinds.contains(&kind));
            channel.has_mode(letter).map(|is_set| is_set && is_such)
        };
        let rules = || {
            let is_closed =
                is_set('i', &[ModeKind::Never])? || is_set('k', &[ModeKind::Always, ModeKind::WhenSet])?;
            // What they mean otherwise on some servers keeps nobody out either.
            let is_secret = channel.has_mode('s')? || channel.has_mode('p')?;
            let entrance = match (is_closed, is_secret) {
                (true, _) => Entrance::Closed,
                (false, true) => Entrance::Secret,
                (false, false) => Entrance::Open,
            };
            let is_topic_locked = channel.has_mode('t')?;
            Some(ChannelRules { entrance, is_moderated: is_set('m', &[ModeKind::Never])?, is_topic_locked })
        };
        Some(Authority { people, ghosts, rules: rules() })
    }

    /// Somebody is gone from a channel, as this session sees it: their own may have it otherwise, as on the other side of a
    /// netsplit or while its connection hangs.
    pub(super) fn note_gone(&self, channel: &str, nick: &str) {
        if let Some(place) = self.shared_place(channel)
            && self.person_in_room(place, nick).is_some()
        {
            self.bridge.note_authority(self.buffers.get(place).row.room);
        }
    }

    /// Asks for the modes of a channel that this session shows in a shared room, where they are not known.
    pub(super) fn know_modes(&mut self, place: usize) {
        let now = self.now();
        if self.knows_modes(place) || !self.shows(place) {
            return;
        }
        let Ok(channel) = Channel::new(&self.buffers.get(place).row.name) else { return };
        let buffer = self.buffers.get_mut(place);
        let (room, Some(shared)) = (buffer.row.room, buffer.shared.as_deref_mut()) else { return };
        if shared.modes_asked.is_some_and(|at| now.saturating_duration_since(at) < PATIENCE) {
            return;
        }
        shared.modes_asked = Some(now);
        let line = Line::new("MODE").name(&channel).finish();
        let asked = self.inquire_then(line, move |actor, _| {
            Box::pin(async move {
                actor.modes_told(room);
                Ok(RichText::new()).into()
            })
        });
        if let super::loose::Reply::Asked(number, used) = asked {
            self.await_quietly(number, used);
        }
    }

    fn knows_modes(&self, place: usize) -> bool {
        self.channel_at(place).is_none_or(|channel| channel.has_mode('i').is_some())
    }

    /// The server has answered. Where its answer is in doubt, too, it is not asked at each further change.
    fn modes_told(&mut self, room: i64) {
        let Some(place) = self.buffers.find_room(room) else { return };
        let knows = self.knows_modes(place);
        if let Some(shared) = self.buffers.get_mut(place).shared.as_deref_mut().filter(|_| knows) {
            shared.modes_asked = None;
        }
        self.bridge.note_authority(room);
    }
}
