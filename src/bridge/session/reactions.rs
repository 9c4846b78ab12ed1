//! Reactions, both ways: what the user reacts to goes to IRC where the message has an id there, and what others react to
//! is shown by their ghosts.
//!
//! A reaction is remembered by message, nick and key, so that it can be taken back on either side and one that comes
//! twice is shown once, the server's echo of the user's own among them. Nobody waits for a reaction: where it can't go
//! now, it does not go, and a room with much waiting has none added (invariant 9).
//!
//! Spec: `IRCv3` "react" and "unreact" (drafts); Matrix "Event annotations and reactions".

use super::super::content;
use super::Actor;
use crate::irc::session::{MessageTarget, Target};
use crate::irc::wire::Source;
use crate::matrix::event::Reaction;
use crate::store::{BufferKind, NewReaction, StoreError};

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
        let row = &self.buffers.get(place).row;
        let (buffer, room, is_query) = (row.id, row.room, row.kind == BufferKind::Query);
        let is_puppets = own && self.bridge.puppet(&self.row.user_id).is_some();
        if own && is_query && !is_puppets {
            // The room has two members, and neither is the user's own ghost.
            return Ok(());
        }
        if self.person_in_room(place, &from.nick).is_some() {
            // In a shared room it is theirs already.
            return Ok(());
        }
        if !self.shows(place) {
            return Ok(());
        }
        let Some(line) = self.known_line(place, &msgid).await? else { return Ok(()) };
        let sender = if is_puppets {
            self.row.user_id.clone()
        } else if is_query {
            self.buffers.get(place).row.creator.clone()
        } else {
            self.ghost(&from.nick).await?.to_string()
        };
        let nick = self.buffers.mapping().fold(&from.nick);
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
            let reaction = content::reaction_to(room, &sender, &event, &key);
            let txn_id = Some(reaction.txn_id.clone());
            self.incoming.outbox.push(reaction);
            self.incoming.reactions.push(NewReaction { buffer, msgid, nick, key, txn_id, event_id: None });
            if !is_query && !is_puppets {
                self.note_speaker(place, &from.nick);
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
