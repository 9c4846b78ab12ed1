//! What people say through the session who have no connection of their own, under nicks of theirs where the network lets
//! them have some (`RELAYMSG`): `Carol/m`.
//!
//! The line that is stored has the words alone, and beside them the nick and what stands before the words where they have to
//! go as anybody else's: where the server does not take it, that takes the line's place in one commit, in the store and in the
//! history, before what was said behind it. What is said by notice has no such form.
//!
//! No two people have the same nick in a session's memory, of so many ([`MOST_NICKS`], invariant 9).

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::Actor;
use super::link::Link;
use super::outbound::LineReference;
use super::relay::Relayed;
use super::shown::Line;
use super::speech::{Kind, Payload};
use crate::format::NickRules;
use crate::irc::session::MessageId;
use crate::names::CaseMapping;
use crate::store::settings;

/// Nicks of which it is known whose they are.
const MOST_NICKS: usize = 4_000;
/// How often another nick is tried for somebody.
const ATTEMPTS: u32 = 8;
/// With this for a tag nobody has a nick.
const OFF: &str = "off";

/// Whose nick it is that somebody is heard under, by buffer and nick.
#[derive(Debug, Default)]
pub(super) struct Nicks {
    owners: HashMap<(i64, String), Arc<str>>,
    order: VecDeque<(i64, String)>,
}

impl Nicks {
    /// The first of these nicks that nobody else has, from now on theirs.
    fn claim(
        &mut self,
        buffer: i64,
        user_id: &str,
        mapping: CaseMapping,
        nick: impl Fn(u32) -> String,
    ) -> Option<String> {
        for attempt in 0..ATTEMPTS {
            let nick = nick(attempt);
            let key = (buffer, mapping.fold(&nick));
            match self.owners.get(&key) {
                Some(owner) if **owner != *user_id => {}
                Some(_) => return Some(nick),
                None => {
                    if self.order.len() == MOST_NICKS
                        && let Some(oldest) = self.order.pop_front()
                    {
                        self.owners.remove(&oldest);
                    }
                    self.order.push_back(key.clone());
                    self.owners.insert(key, user_id.into());
                    return Some(nick);
                }
            }
        }
        None
    }

    /// A nick that is such, under which somebody is heard in a buffer, and whose it is.
    pub(super) fn heard_as(&self, buffer: i64, is_such: impl Fn(&str) -> bool) -> Option<(String, String)> {
        let found = self.owners.iter().find(|((known, nick), _)| *known == buffer && is_such(nick));
        found.map(|((_, nick), owner)| (nick.clone(), owner.to_string()))
    }
}

impl Link {
    /// Whether a line can go out under this nick.
    pub(super) fn can_relay(&self, channel: &str, nick: &str, payload: &Payload, now: Instant) -> bool {
        self.session.takes_relay(channel, Some(nick), now)
            && !payload.text.contains('\n')
            && self.relay_limit(channel, nick, payload.kind.into()).fits(&payload.text)
    }
}

impl Actor {
    /// The nick under which somebody says something in a buffer; `None` where their name stands before it.
    pub(super) fn relay_nick(&mut self, place: usize, who: &Relayed, kind: Kind) -> Option<String> {
        let (row, now) = (&self.buffers.get(place).row, self.bridge.clock.now());
        let tag = self.manners.value(&settings::RELAY_TAG, Some(row.id)).0;
        let default = settings::RELAY_TAG.default();
        let tag = tag.unwrap_or(&default);
        let link = self.link.as_ref().filter(|_| kind != Kind::Notice && !tag.eq_ignore_ascii_case(OFF))?;
        let names = link.session.relay_names().filter(|_| link.session.takes_relay(&row.name, None, now))?;
        let rules = NickRules { separators: &names.separators, tag, length: names.length, utf8: names.utf8 };
        let mapping = self.buffers.mapping();
        let nick = |attempt| rules.nick(&who.name, &who.user_id, attempt);
        let nick = self.outbound.relaying.nicks.claim(row.id, &who.user_id, mapping, nick)?;
        self.link.as_ref()?.session.takes_relay(&row.name, Some(&nick), now).then_some(nick)
    }

    /// A line leaves: those who show the channel in this room hear it as ours, if it is said under somebody's nick.
    pub(super) fn note_relayed_nick(&self, line: &LineReference) {
        let (Some(nick), Some(link)) = (line.payload.relayed.as_deref().and_then(Relayed::nick), &self.link)
        else {
            return;
        };
        if let Some(seat) = self.buffers.find_id(line.buffer).and_then(|place| self.seat(place)) {
            let fold = |nick: &str| self.buffers.mapping().fold(nick);
            seat.relay_as(&fold(link.session.nick()), &fold(nick));
        }
    }

    /// Whether a line was said under somebody's nick by the session that relays what people say in this room: it stands there
    /// already. The server says who has relayed a line; another bridge may give the same nick to somebody else.
    pub(super) fn is_relayed_from_here(&self, place: usize, line: &Line) -> bool {
        let (Some(seat), Some(link)) = (self.seat(place), &self.link) else { return false };
        let fold = |nick: &str| self.buffers.mapping().fold(nick);
        let nick = fold(&line.from.nick);
        match &line.tags.relayed_by {
            Some(relay) => seat.is_relayed_by(&fold(relay), &nick),
            // Who has no tags can't be told by whom.
            None => !link.session.capabilities().enabled("message-tags") && seat.is_relayed(&nick),
        }
    }

    /// The server does not take what was said under people's nicks: their names stand before it. All that waits for the same
    /// channel is put into the queue anew, so that each line goes in the place where it was.
    pub(super) fn on_relays_refused(&mut self, messages: &[MessageId], reason: Option<&str>) {
        tracing::debug!(reason, "what is said for somebody goes with their name before it");
        let buffer_of = |id: &MessageId| self.outbound.in_flight.get(id).map(|line| line.buffer);
        let buffers: BTreeSet<i64> = messages.iter().filter_map(buffer_of).collect();
        for buffer in buffers {
            let Some(place) = self.buffers.find_id(buffer) else { continue };
            let flying = &self.outbound.in_flight;
            let is_there = |id: &MessageId| flying.get(id).is_some_and(|line| line.buffer == buffer);
            let mut ids: Vec<MessageId> = messages.iter().copied().filter(is_there).collect();
            if let Some(link) = &mut self.link {
                ids.extend(link.session.withdraw(|id| is_there(&id)));
            }
            // They have their numbers in the order in which they came.
            ids.sort_unstable();
            for id in ids {
                let Some((line, is_stored)) = self.take_from_flight(id) else { continue };
                if messages.contains(&id) {
                    self.say_apart(place, line, is_stored);
                } else {
                    self.queue_line(place, line, is_stored);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_people_have_the_same_nick_in_a_room_and_everybody_keeps_theirs() {
        let mut nicks = Nicks::default();
        let mut claim = |buffer, user: &str, name: &'static str| {
            nicks.claim(buffer, user, CaseMapping::Rfc1459, |attempt| format!("{name}{attempt}")).unwrap()
        };
        assert_eq!(claim(1, "@carol:x", "Carol"), "Carol0");
        assert_eq!(claim(1, "@carol:y", "carol"), "carol1");
        assert_eq!(claim(1, "@carol:x", "Carol"), "Carol0");
        assert_eq!(claim(1, "@carol:y", "carol"), "carol1");
        assert_eq!(claim(2, "@carol:y", "Carol"), "Carol0", "in another room");
    }

    #[test]
    fn invariant_9_so_many_nicks_are_remembered_and_nobody_gets_one_that_all_attempts_gave_to_others() {
        let mut nicks = Nicks::default();
        let claim = |nicks: &mut Nicks, number: usize, name: &str| {
            nicks.claim(1, &format!("@u{number}:x"), CaseMapping::Ascii, |_| name.to_owned())
        };
        for number in 0..=MOST_NICKS {
            assert!(claim(&mut nicks, number, &format!("n{number}")).is_some());
        }
        assert_eq!((nicks.owners.len(), nicks.order.len()), (MOST_NICKS, MOST_NICKS));
        assert_eq!(claim(&mut nicks, 7, "n8"), None);
    }
}
