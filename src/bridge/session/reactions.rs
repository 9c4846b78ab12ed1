//! Reactions, both ways: what the user reacts to goes to IRC where the message has an id there, and what others react to
//! is shown by their ghosts.
//!
//! A reaction is remembered by message, nick and key, so that it can be taken back on either side and one that comes
//! twice is shown once, the server's echo of the user's own among them. Nobody waits for a reaction: where it can't go
//! now, it does not go, and a room with much waiting has none added (invariant 9).
//!
//! Spec: `IRCv3` "react" and "unreact" (drafts); Matrix "Event annotations and reactions".

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::super::content;
use super::Actor;
use crate::irc::session::{MessageTarget, Target};
use crate::irc::wire::Source;
use crate::matrix::event::Reaction;
use crate::names::CaseMapping;
use crate::store::{BufferKind, NewReaction, StoreError};

/// So many reactions are remembered that another session shows …
const MOST_HEARD: usize = 500;
/// … for so long.
const HEARD: Duration = Duration::from_mins(10);

/// A reaction, or that it was taken back, while another session shows a shared room's channel.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Heard {
    at: Instant,
    /// As it was received.
    nick: String,
    msgid: String,
    key: String,
    removed: bool,
}

/// What was heard of reactions lately, in case this session takes over.
#[derive(Debug, Default)]
pub(super) struct HeardReactions(VecDeque<Heard>);

impl HeardReactions {
    fn add(&mut self, heard: Heard) {
        if self.0.len() == MOST_HEARD {
            self.0.pop_front();
        }
        self.0.push_back(heard);
    }

    /// What of it holds now: of each reaction the last that was heard of it, in that order.
    fn take(&mut self, now: Instant, mapping: CaseMapping) -> Vec<Heard> {
        let mut seen = HashSet::new();
        let recent = |heard: &Heard| now.saturating_duration_since(heard.at) < HEARD;
        let heard = std::mem::take(&mut self.0).into_iter().rev().filter(recent);
        let mut last: Vec<Heard> = heard
            .filter(|one| seen.insert((one.msgid.clone(), mapping.fold(&one.nick), one.key.clone())))
            .collect();
        last.reverse();
        last
    }

    /// Nothing of it is needed any more.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Actor {
    /// Somebody reacted on IRC, or took that back.
    pub(super) async fn on_reacted(
        &mut self,
        target: &MessageTarget,
        from: &Source,
        own: bool,
        (msgid, key): (String, String),
        removed: bool,
    ) -> Result<(), StoreError> {
        let Some(place) = self.place_of(target, &from.nick) else { return Ok(()) };
        if self.person_in_room(place, &from.nick).is_some() {
            // In a shared room it is theirs already.
            return Ok(());
        }
        if !self.shows(place) {
            let (at, nick) = (self.now(), from.nick.clone());
            if let Some(shared) = self.buffers.get_mut(place).shared.as_deref_mut() {
                shared.reactions.add(Heard { at, nick, msgid, key, removed });
            }
            return Ok(());
        }
        self.show_reaction(place, &from.nick, own, (msgid, key), removed).await
    }

    /// What the session that showed a shared room's channel before did not hear of reactions any more. What it did is known
    /// by what it has stored.
    pub(super) async fn show_heard_reactions(&mut self, place: usize) -> Result<(), StoreError> {
        let (now, mapping) = (self.now(), self.buffers.mapping());
        let shared = self.buffers.get_mut(place).shared.as_deref_mut();
        let heard = shared.map(|shared| shared.reactions.take(now, mapping)).unwrap_or_default();
        for Heard { nick, msgid, key, removed, .. } in heard {
            self.show_reaction(place, &nick, false, (msgid, key), removed).await?;
        }
        Ok(())
    }

    async fn show_reaction(
        &mut self,
        place: usize,
        nick: &str,
        own: bool,
        (msgid, key): (String, String),
        removed: bool,
    ) -> Result<(), StoreError> {
        let row = &self.buffers.get(place).row;
        let (buffer, room, is_query) = (row.id, row.room, row.kind == BufferKind::Query);
        let is_puppets = own && self.bridge.puppet(&self.row.user_id).is_some();
        if own && is_query && !is_puppets {
            // The room has two members, and neither is the user's own ghost.
            return Ok(());
        }
        let Some(line) = self.known_line(place, &msgid).await? else { return Ok(()) };
        let sender = if is_puppets {
            self.row.user_id.clone()
        } else if is_query {
            self.buffers.get(place).row.creator.clone()
        } else {
            self.ghost(nick).await?.to_string()
        };
        let speaker = nick;
        let nick = self.buffers.mapping().fold(nick);
        let known = self.known_reaction(place, &msgid, &nick, &key).await?;
        if removed {
            let Some(known) = known else { return Ok(()) };
            self.incoming.unreacted.push(known.id);
            if let Some(txn_id) = known.txn_id {
                self.incoming.outbox.push(content::unreact_row(room, &sender, &txn_id));
            }
        } else if known.is_none()
            && self.bridge.takes_reactions(room)
            && let Some(event) = self.event_of(place, &line).await?
        {
            if self.is_shared(place)
                && let Some(former) = self.bridge.store.reaction(buffer, &msgid, &nick, &key).await?
            {
                // It stands in the room that the user had of their own.
                self.incoming.unreacted.push(former.id);
            }
            let reaction = content::reaction_to(room, &sender, &event, &key);
            let txn_id = Some(reaction.txn_id.clone());
            self.incoming.outbox.push(reaction);
            self.incoming.reactions.push(NewReaction { buffer, msgid, nick, key, txn_id, event_id: None });
            if !is_query && !is_puppets {
                self.note_speaker(place, speaker);
            }
        }
        Ok(())
    }

    /// The user reacted to something in a room, which was no question.
    pub(super) async fn react_on_irc(
        &mut self,
        place: usize,
        event_id: &str,
        reaction: &Reaction,
    ) -> Result<(), StoreError> {
        let row = &self.buffers.get(place).row;
        let (buffer, name) = (row.id, row.name.clone());
        let lines = self.lines_of_event(place, &reaction.to).await?;
        if lines.is_empty() {
            return Ok(());
        }
        let Some(msgid) = lines.into_iter().rev().find_map(|line| line.msgid) else {
            self.fold_reaction(place, event_id, reaction);
            return Ok(());
        };
        let nick = self.buffers.mapping().fold(self.link.as_ref().map_or("", |link| link.session.nick()));
        let key = reaction.key.clone();
        let known = self.bridge.store.reaction(buffer, &msgid, &nick, &key).await?;
        if known.is_some() {
            return Ok(());
        }
        if self.send_reaction(&name, &msgid, &key, false) {
            let event_id = Some(event_id.to_owned());
            self.incoming.reactions.push(NewReaction { buffer, msgid, nick, key, txn_id: None, event_id });
        } else {
            self.fold_reaction(place, event_id, reaction);
        }
        Ok(())
    }

    /// The user has taken an event back, which may be a reaction.
    pub(super) async fn unreact_on_irc(&mut self, place: usize, event_id: &str) -> Result<(), StoreError> {
        self.reacting.forget(event_id);
        let row = &self.buffers.get(place).row;
        let (buffer, name) = (row.id, row.name.clone());
        if let Some(known) = self.bridge.store.reaction_of_event(buffer, event_id).await? {
            self.send_reaction(&name, &known.msgid, &known.key, true);
            self.incoming.unreacted.push(known.id);
        }
        Ok(())
    }

    fn send_reaction(&mut self, name: &str, msgid: &str, key: &str, removes: bool) -> bool {
        let Some(link) = &mut self.link else { return false };
        let Ok(target) = Target::parse(name, link.session.isupport()) else { return false };
        link.session.react(&target, msgid, key, removes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
    fn of_each_reaction_that_was_heard_lately_the_last_word_counts() {
        let now = Instant::now();
        let mapping = CaseMapping::Rfc1459;
        let heard = |minute: u64, msgid: &str, removed: bool| Heard {
            at: now + Duration::from_mins(minute),
            nick: if removed { "bob{m}" } else { "Bob[m]" }.to_owned(),
            msgid: msgid.to_owned(),
            key: "+1".to_owned(),
            removed,
        };
        let mut ring = HeardReactions::default();
        let old = heard(0, "old", false);
        let later = [heard(5, "one", false), heard(6, "two", false), heard(7, "one", true)];
        for one in [old].iter().chain(&later) {
            ring.add(one.clone());
        }
        assert_eq!(ring.take(now + HEARD, mapping), [later[1].clone(), later[2].clone()]);
        assert!(ring.take(now, mapping).is_empty());
        for number in 0..=MOST_HEARD {
            ring.add(heard(0, &number.to_string(), false));
        }
        assert_eq!(ring.take(now, mapping).len(), MOST_HEARD, "invariant 9");
    }
}
