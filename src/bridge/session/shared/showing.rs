//! Which of those who are in a shared room's channel shows it, and what the others keep in case they take over.

use std::time::Instant;

use super::super::super::content;
use super::super::super::shared::{Duty, Hole, Said};
use super::super::authority::own_rank;
use super::super::shown::Line;
use super::super::{Actor, attendance};
use super::heard::{Ring, Unshown};
use super::{Entry, Role};
use crate::format::{RichText, read_irc};
use crate::irc::session::{Origin, Session};
use crate::store::{Direction, HistoryLine, MembersLine, StoreError};

impl Actor {
    /// A line of a channel: given back where it is to be shown.
    pub(in super::super) fn hear_for_room(
        &mut self,
        place: usize,
        line: Line,
        status: Option<char>,
        kind: &'static str,
    ) -> Option<Line> {
        if !self.is_shared(place) {
            return Some(line);
        }
        let nick = self.buffers.mapping().fold(&line.from.nick);
        let is_relayed = self.is_relayed_from_here(place, &line);
        let is_in_room = line.own || is_relayed || self.person_in_room(place, &line.from.nick).is_some();
        if line.own && line.origin == Origin::Live && status.is_none() && self.is_one_person(place) {
            // From another client of theirs: what they type here comes back as an echo. No other session shows it.
            return Some(line);
        }
        let buffer = self.buffers.get_mut(place);
        let Some(shared) = buffer.shared.as_deref_mut() else { return Some(line) };
        if let Some(status) = status {
            // It is for those of that rank, and the room is everybody's.
            let channel = buffer.row.name.clone();
            if line.origin == Origin::Live && !line.own {
                let text = RichText::new().bold(format!("{} to {status}{channel}: ", line.from.nick));
                self.say(text.then(read_irc(&line.text).with_links()));
            }
            return None;
        }
        if line.origin != Origin::Live {
            // Others were there meanwhile, or the room is told that nobody was.
            return None;
        }
        if shared.role == Role::TakesOver || shared.role == Role::Shows && !is_in_room {
            let said = Said { msgid: line.msgid.clone(), nick, text: line.text.clone() };
            if shared.role == Role::Shows && shared.heard.was_ahead(&said, self.bridge.clock.now()) {
                return None;
            }
            shared.shown.push(said);
            return Some(line);
        }
        if shared.role != Role::Waits
            && !line.own
            && let (Some(channel), Some(msgid)) = (buffer.row.channel, &line.msgid)
        {
            let (sender, text, msgid) = (line.from.nick.clone(), line.text.clone(), msgid.clone());
            self.incoming.by_members.push(MembersLine { channel, sender, text, msgid });
        }
        if line.own {
            self.incoming.keep(HistoryLine {
                buffer: buffer.row.id,
                channel: buffer.row.channel.filter(|_| shared.seat.is_some()),
                at: line.time.unwrap_or_else(|| self.bridge.clock.unix_ms()),
                kind,
                sender: line.from.nick.clone(),
                account: line.account.clone(),
                target: None,
                text: line.text.clone(),
                msgid: line.msgid.clone(),
                event_id: None,
                direction: Direction::Out,
                replayed: None,
            });
        }
        if !is_in_room && shared.is_taken() {
            shared.heard.add(line, self.bridge.clock.now());
        }
        None
    }

    /// All who are in a shared room's channel are known. Returns whether this session sees to the room's members.
    pub(in super::super) fn know_names(&mut self, place: usize) -> bool {
        if let Some(shared) = self.buffers.get_mut(place).shared.as_deref_mut() {
            shared.named = true;
        }
        self.shows(place)
    }

    /// A channel has another topic. Returns whether it is to be shown.
    pub(in super::super) fn topic_is_news(&mut self, place: usize, topic: &str) -> bool {
        let Some(shared) = self.buffers.get_mut(place).shared.as_deref_mut() else { return true };
        if shared.role == Role::Waits {
            shared.topic_changed = true;
            return false;
        }
        shared.seat.as_ref().is_some_and(|seat| seat.show_topic(topic))
    }

    /// Tells the others how this session stands in shared rooms, when what was read is stored, and takes over where it
    /// is its turn.
    pub(in super::super) async fn keep_seats(&mut self) -> Result<(), StoreError> {
        while self.buffers.has_shared() {
            let turns = self.tell_standing();
            if turns.is_empty() {
                return Ok(());
            }
            for place in turns {
                self.take_over(place).await?;
            }
            // What is stored now was shown, for the others.
            self.commit_incoming().await?;
        }
        Ok(())
    }

    /// Tells the others under which nick the user is there, before their coming is seen on IRC.
    pub(in super::super) fn name_seats(&self) {
        if !self.buffers.has_shared() {
            return;
        }
        let session = self.link.as_ref().map(|link| &link.session);
        let nick = session.filter(|session| session.registered_at().is_some()).map(Session::nick);
        let seats = self.buffers.iter().filter_map(|buffer| buffer.shared.as_ref()?.seat.as_ref());
        seats.for_each(|seat| seat.name(nick, self.now()));
    }

    /// Somebody in a channel has another nick.
    pub(in super::super) fn follow_in_room(&self, channel: &str, from: &str, to: &str) {
        let place = self.shared_place(channel);
        if let Some(seat) = place.and_then(|place| self.shared(place)?.seat.as_ref()) {
            seat.follow(from, to, self.buffers.mapping(), self.now());
        }
    }

    /// Tells the others how this session stands; gives the places in which it has to show the channel from now on.
    pub(in super::super) fn tell_standing(&mut self) -> Vec<usize> {
        self.name_seats();
        let now = self.now();
        let mut turns = Vec::new();
        for place in 0..self.buffers.len() {
            let link = self.link.as_ref();
            let buffer = self.buffers.get_mut(place);
            let Some(shared) = buffer.shared.as_deref_mut() else { continue };
            let Some(seat) = &shared.seat else { continue };
            if !shared.shown.is_empty() {
                seat.show(std::mem::take(&mut shared.shown), now);
            }
            seat.take_back(shared.redactions.take_done());
            let session = link.map(|link| &link.session).filter(|session| session.registered_at().is_some());
            let is_inside =
                !shared.leaves && session.is_some_and(|session| session.channel(&buffer.row.name).is_some());
            let unix_ms = self.bridge.clock.unix_ms();
            // Who leaves is heard until then.
            let heard_until =
                if shared.leaves && session.is_some() { Some(unix_ms) } else { self.heard.until() };
            seat.keep(is_inside, heard_until, unix_ms);
            seat.locate(session.and_then(Session::user_and_host));
            seat.rank(session.filter(|_| is_inside).and_then(|session| own_rank(session, &buffer.row.name)));
            shared.outside_since = if is_inside { None } else { shared.outside_since.or(Some(now)) };
            if is_inside {
                shared.entry = Entry::Been;
                let duty = seat.duty();
                if shared.role == Role::Waits {
                    shared.heard.begin(now);
                }
                shared.heard.set_comparing(duty == Duty::Compares, now);
                let is_in_doubt = session.is_some_and(|session| session.is_in_doubt(now));
                match (duty, shared.role) {
                    (Duty::Shows | Duty::IsAsked, Role::Waits) => turns.push(place),
                    // All that it has accepted is stored and known to the others.
                    (Duty::IsAsked, _) if seat.give_way(heard_until, is_in_doubt, now) => {
                        (shared.role, shared.heard, shared.modes_asked) =
                            (Role::Waits, Ring::default(), None);
                        buffer.present.clear();
                    }
                    _ if buffer.gap_from.is_some() && seat.hole().is_none() => self.forget_gap(place),
                    _ => {}
                }
                continue;
            }
            (shared.role, shared.named, shared.modes_asked) = (Role::Waits, false, None);
            shared.heard = Ring::default();
            shared.reactions.clear();
            shared.redactions.clear();
            shared.banned_by.clear();
            buffer.present.clear();
            if shared.leaves {
                seat.forget_hole_if_alone();
                shared.seat = None;
            }
        }
        turns
    }

    /// What is said in a channel is heard again, and what was not is told, in the commit that this comes into.
    fn forget_gap(&mut self, place: usize) {
        let buffer = self.buffers.get_mut(place);
        if buffer.gap_from.take().is_some() {
            self.incoming.gaps.buffers.push((buffer.row.id, None));
        }
    }

    /// From now on this session shows the channel: first what it heard and the one before did not, then who is there.
    async fn take_over(&mut self, place: usize) -> Result<(), StoreError> {
        let (now, mapping) = (self.now(), self.buffers.mapping());
        let buffer = self.buffers.get_mut(place);
        let Some(shared) = buffer.shared.as_deref_mut() else { return Ok(()) };
        let Some(seat) = &shared.seat else { return Ok(()) };
        let is_in_room = |nick: &str, at: Instant| seat.was_person(nick, mapping, at, now);
        let Unshown { lines, lost } = shared.heard.take_unshown(&seat.shown(), mapping, is_in_room, now);
        shared.role = Role::TakesOver;
        let topic = buffer.row.topic.clone().filter(|_| std::mem::take(&mut shared.topic_changed));
        let topic = topic.filter(|topic| seat.show_topic(topic));
        let (room, named) = (buffer.row.room, shared.named);
        let hole = seat.take_hole();
        self.forget_gap(place);
        if let Some(Hole { from, to }) = hole {
            self.tell_gap(place, from, to);
        }
        if let Some(lost) = lost {
            self.tell_lost(place, lost);
        }
        if let Some(topic) = topic.filter(|_| self.has_topic_of_channel(place)) {
            let bot = self.bridge.client.bot();
            let row = content::state_row(room, bot, "m.room.topic", &content::topic(&topic));
            self.incoming.outbox.push(row);
        }
        let there = self.bridge.store.members(room).await?;
        let buffer = self.buffers.get_mut(place);
        for member in there {
            buffer.present.set(&member.nick, attendance::mark(member.spoke_at));
        }
        for line in lines {
            self.show(place, line, None).await?;
        }
        self.show_heard_reactions(place).await?;
        self.show_heard_redactions(place).await?;
        let buffer = self.buffers.get_mut(place);
        if let Some(shared) = buffer.shared.as_deref_mut() {
            shared.role = Role::Shows;
        }
        if named {
            let channel = buffer.row.name.clone();
            self.on_names(&channel);
        }
        Ok(())
    }

    /// What was read is not stored: others show the channels.
    pub(in super::super) fn lose_seats(&mut self) {
        for shared in self.buffers.iter_mut().filter_map(|buffer| buffer.shared.as_deref_mut()) {
            shared.shown.clear();
            shared.redactions.clear();
            (shared.role, shared.heard) = (Role::Waits, Ring::default());
            if let Some(seat) = &shared.seat {
                seat.keep(false, self.heard.stored(), self.bridge.clock.unix_ms());
            }
        }
    }
}
