//! What people say through the session who have no connection of their own, under nicks of theirs where the network lets
//! them have some (`RELAYMSG`): `Carol/m`.
//!
//! The line that is stored has the words alone, and beside them the nick and what stands before the words where they have to
//! go as anybody else's: where the server does not take it, that takes the line's place in one commit, in the store and in the
//! history, before what was said behind it. What is said by notice has no such form.
//!
//! No two people have the same nick in a session's memory, of so many ([`MOST_NICKS`], invariant 9).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::Actor;
use super::link::Link;
use super::relay::Relayed;
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

    /// The nick under which a line goes out, where it does so. Those who show the channel in this room hear it.
    pub(super) fn nick_of_line(&self, place: usize, payload: &Payload) -> Option<String> {
        let nick = payload.relayed.as_deref()?.nick()?;
        if let Some(seat) = self.seat(place) {
            seat.relay_as(self.buffers.mapping().fold(nick));
        }
        Some(nick.to_owned())
    }

    /// The server does not take what was said under somebody's nick: their name stands before it, and it goes before all
    /// that waits for the same channel.
    pub(super) fn on_relay_refused(&mut self, message: MessageId, reason: Option<&str>) {
        tracing::debug!(reason, "what is said for somebody goes with their name before it");
        let Some((line, is_stored)) = self.take_from_flight(message) else { return };
        let Some(place) = self.buffers.find_id(line.buffer) else { return };
        let behind = match &mut self.link {
            Some(link) => {
                let flying = &self.outbound.in_flight;
                let is_behind = |id| flying.get(&id).is_some_and(|other| other.buffer == line.buffer);
                link.session.withdraw(is_behind)
            }
            None => Vec::new(),
        };
        self.say_apart(place, line, is_stored);
        for message in behind {
            if let Some((line, is_stored)) = self.take_from_flight(message) {
                self.queue_line(place, line, is_stored);
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
