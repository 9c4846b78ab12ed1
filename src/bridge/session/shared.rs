//! A channel whose room is shared with others (`bridge/shared.rs`): what this session does there for all, and what only
//! for its own user.
//!
//! One session shows the channel, and keeps it for all: what is said, its topic, its news and its people. The others have
//! the last of what they hear in memory, in case they take over. What a user of one of them says is in the
//! room already and is not shown again. What concerns one user alone is told in their network room; only what becomes of
//! their message is told under it, since others have read that there, too.
//!
//! Who leaves the channel leaves the room, and the other way round, whoever brings it about; a connection that is lost
//! comes back. Invariant 9: so many lines wait in case they are needed (`heard`).

mod heard;
mod showing;

use std::time::{Duration, Instant};

use self::heard::Ring;
use super::super::Bridge;
use super::super::content::{self, unique};
use super::super::outcome::{Outcome, Refusal};
use super::super::shared::{Said, Seat};
use super::instead::{OwnRoom, moved_notice};
use super::reactions::HeardReactions;
use super::redactions::HeardRedactions;
use super::shown::Line;
use super::{Actor, wording};
use crate::format::RichText;
use crate::irc::session::{MessageTarget, State};
use crate::names::Channel;
use crate::store::{Agreement, Buffer, BufferKind, NewBuffer, Part, SessionRow, StoreError, Told};

/// How long somebody stays in a shared room while they are not in its channel.
const LONGEST_OUTSIDE: Duration = Duration::from_mins(15);

/// What a session does for a shared room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Another one shows the channel, or nobody who is there.
    Waits,
    /// It says what the one before did not hear any more.
    TakesOver,
    /// It shows the channel.
    Shows,
}

/// Whether the user was in the channel since they came into its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    New,
    Been,
}

/// How somebody who is out of a shared room gets in again while its channel is closed, and the room with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WayBack {
    /// The channel may let them in: they are invited to the room at once.
    Open,
    /// It does not: as soon as they have its key, or an invitation on IRC.
    Shut,
}

/// A channel whose room is shared.
pub(super) struct Shared {
    /// Nothing where the user has left.
    seat: Option<Seat>,
    role: Role,
    entry: Entry,
    /// The seat is given up when what was read is stored.
    leaves: bool,
    /// All who are in the channel are known.
    named: bool,
    /// Since when the session is not in the channel.
    outside_since: Option<Instant>,
    /// Until when the user is in the channel and not in the room, to which they are invited back.
    stays_until: Option<Instant>,
    /// When the channel's modes were asked for that are not known.
    pub(super) modes_asked: Option<Instant>,
    /// The topic is another than when this session showed it last.
    topic_changed: bool,
    heard: Ring,
    pub(super) reactions: HeardReactions,
    pub(super) redactions: HeardRedactions,
    /// Masks of bans that are about the user, who goes by them when what was read with them is done.
    pub(super) banned_by: Vec<String>,
    /// Lines that are shown, and not stored yet.
    shown: Vec<Said>,
}

impl Shared {
    /// The user of this session is in the room of this buffer.
    pub(super) fn take(bridge: &Bridge, row: &Buffer, session: &SessionRow) -> Self {
        Self {
            seat: Some(Seat::take(
                bridge,
                row.room,
                session.id,
                (&session.user_id, row.part == Part::Listener),
            )),
            role: Role::Waits,
            entry: Entry::Been,
            leaves: false,
            named: false,
            outside_since: Some(bridge.clock.now()),
            stays_until: None,
            modes_asked: None,
            topic_changed: false,
            heard: Ring::default(),
            reactions: HeardReactions::default(),
            redactions: HeardRedactions::default(),
            banned_by: Vec::new(),
            shown: Vec::new(),
        }
    }

    /// Whether all who are in the channel are known.
    pub(super) fn is_named(&self) -> bool {
        self.named
    }

    pub(super) fn is_taken(&self) -> bool {
        self.seat.is_some() && !self.leaves
    }

    pub(super) fn seat(&self) -> Option<&Seat> {
        self.seat.as_ref()
    }

    /// A line was taken back: it is not shown later.
    pub(super) fn unhear(&mut self, msgid: &str) {
        self.heard.forget(msgid);
    }

    /// Whether the user has come into the room and was not in the channel since.
    pub(super) fn is_new(&self) -> bool {
        self.entry == Entry::New
    }
}

impl Actor {
    pub(super) fn shared(&self, place: usize) -> Option<&Shared> {
        self.buffers.get(place).shared.as_deref()
    }

    pub(super) fn seat(&self, place: usize) -> Option<&Seat> {
        self.shared(place)?.seat()
    }

    /// Whether others see a buffer's room.
    pub(super) fn is_shared(&self, place: usize) -> bool {
        self.shared(place).is_some()
    }

    /// Whether this session shows what happens in a buffer's channel.
    pub(super) fn shows(&self, place: usize) -> bool {
        self.shared(place).is_none_or(|shared| shared.role != Role::Waits)
    }

    /// The number of a buffer's channel, where that is shown in a shared room: what is said there is everybody's.
    pub(super) fn shared_channel(&self, place: usize) -> Option<i64> {
        self.buffers.get(place).row.channel.filter(|_| self.seat(place).is_some())
    }

    /// Whose nick this is, of those who are in a buffer's shared room.
    pub(super) fn person_in_room(&self, place: usize, nick: &str) -> Option<String> {
        self.shared(place)?.seat.as_ref()?.person(nick, self.buffers.mapping(), self.now())
    }

    /// Whether nobody else in a buffer's shared room has the user's nick: two may use one bouncer, and what one of them
    /// types comes to the other as their own.
    fn is_one_person(&self, place: usize) -> bool {
        let (Some(link), Some(shared)) = (&self.link, self.shared(place)) else { return false };
        let (own, mapping) = (link.session.nick(), self.buffers.mapping());
        let others = |seat: &Seat| seat.people(|nick| mapping.same(nick, own), |_| false);
        shared.is_taken() && shared.seat.as_ref().is_some_and(|seat| others(seat).is_empty())
    }

    /// Whether what is said there is for others, too, whomever the user ignores: in a room that they share.
    pub(super) fn is_for_others(&self, target: &MessageTarget) -> bool {
        matches!(target, MessageTarget::Channel { name, .. } if self.shared_place(name).is_some())
    }

    /// Those in a buffer's shared room, besides the user, whom a line names or answers, unless they ignore who said it.
    pub(super) fn others_called(
        &self,
        place: usize,
        line: &Line,
        answered: Option<&Told>,
        text: &RichText,
    ) -> Vec<String> {
        let Some(seat) = self.shared(place).and_then(|shared| shared.seat.as_ref()) else {
            return Vec::new();
        };
        let (text, mapping) = (text.to_plain(), self.buffers.mapping());
        let answered = answered.map(|answered| answered.sender.as_str());
        let is_called = |nick: &str| {
            wording::mentions(&text, nick, mapping) || answered.is_some_and(|one| mapping.same(one, nick))
        };
        seat.people(is_called, |ignores| ignores.has(&line.from, line.account.as_deref(), mapping))
    }

    /// Tells the others whom the user ignores: none of those calls them.
    pub(super) fn ignore_in_shared(&self) {
        let seats = self.buffers.iter().filter_map(|buffer| buffer.shared.as_ref()?.seat.as_ref());
        seats.for_each(|seat| seat.ignore(&self.manners.ignores));
    }

    /// Shows a channel in its shared room from now on, and enters it. The event by which the user came there is done with
    /// in the same commit.
    pub(super) async fn share(
        &mut self,
        channel: &Channel,
        room: i64,
        came_by: Option<i64>,
        own: OwnRoom,
    ) -> Outcome {
        self.follow_network().await?;
        let known = self.buffers.find(channel.as_str());
        if self.own_room(known).is_some() {
            return match own {
                OwnRoom::Stays => Err(self.has_room_of_their_own(channel)),
                // Who is out of the channel would read it meanwhile.
                OwnRoom::IsAskedAbout
                    if known.is_none_or(|place| self.channel_at(place).is_none())
                        && !self.bridge.is_asked_instead(room, &self.row.user_id).await? =>
                {
                    Err(self.has_room_of_their_own(channel))
                }
                OwnRoom::IsAskedAbout => Box::pin(self.ask_about_own_room(channel, room, came_by)).await,
                OwnRoom::GivesWay => Box::pin(self.share_instead(channel, room)).await,
            };
        }
        self.may_share(channel, known)?;
        self.leave_room_of_before(channel, known, room).await?;
        let new = self.new_shared_buffer(channel, known);
        let lane = Bridge::lane_before_sharing(&self.row.user_id);
        let Some(row) = self.bridge.store.share_buffer(new, (room, Part::Member), (lane, came_by)).await?
        else {
            return Err(Refusal::asked(format!("you have another room of {channel}.")));
        };
        self.take_seat(channel, row);
        Ok(RichText::new())
    }

    /// Another room shows a channel from now on: all that was read is stored, for the room that shows it then.
    pub(super) async fn leave_room_of_before(
        &mut self,
        channel: &Channel,
        known: Option<usize>,
        room: i64,
    ) -> Result<(), Refusal> {
        let shown =
            known.filter(|place| self.is_shared(*place)).map(|place| self.buffers.get(place).row.room);
        let gone = shown.filter(|gone| *gone != room);
        if let Some(gone) = gone
            && known.and_then(|place| self.shared(place)).is_some_and(Shared::is_taken)
            && let Some(other) = self.bridge.store.room(gone).await?
            && !other.is_plumbed()
        {
            // Two rooms show one channel, and they are in that which is not found. Nothing else takes them out of it.
            return Err(Refusal::asked(format!(
                "you are in {channel} already, in its other room, {}. To be in this one, leave that and join this again.",
                other.room_id.as_deref().unwrap_or_default()
            )));
        }
        if let Some(gone) = gone {
            // What was read for a room that is made anew goes to the new one.
            self.incoming.outbox.iter_mut().filter(|row| row.room == gone).for_each(|row| row.room = room);
        }
        self.commit_incoming().await?;
        if let Some(gone) = gone {
            // Before what is read from now on.
            self.bridge.forward(gone).await?;
        }
        Ok(())
    }

    fn has_room_of_their_own(&self, channel: &Channel) -> Refusal {
        let name = &self.network.name;
        let text =
            format!("you are in {channel} on {name} already, in a room of your own. To leave that, type ");
        let text = RichText::plain(text).code(format!("part {channel}"));
        Refusal::Asked(text.text(
            " in the network's room; then join the shared room again, or write in it if you are there.",
        ))
    }

    /// An existing room shows a channel from now on, because the user has asked for that; and they are there by it. All of
    /// that is one commit: no crash leaves them out of the channel.
    pub(super) async fn share_as_agreed(&mut self, channel: &Channel, agreement: Agreement) -> Outcome {
        self.follow_network().await?;
        // What they have written in a room of their own before this goes to IRC, or waits.
        Box::pin(self.read_inbox()).await?;
        let known = self.buffers.find(channel.as_str());
        self.may_share(channel, known)?;
        self.commit_incoming().await?;
        let left = self.own_room(known);
        let told = left.as_ref().map(|row| moved_notice(row, channel, &agreement.plumbing.room_id));
        let new = self.new_shared_buffer(channel, known);
        let lane = Bridge::lane_before_sharing(&self.row.user_id);
        let told = told.into_iter().collect();
        let Ok(row) = self.bridge.store.share_as_agreed(new, agreement, lane, told).await? else {
            return Err(Refusal::asked(format!("{channel} or that room shows something else by now.")));
        };
        failpoint!("plumb_agreed");
        left.iter().for_each(|row| self.bridge.wake_delivery(row.room));
        self.take_seat(channel, row);
        self.bridge.wake_space(self.row.id);
        // From here on the room may show several.
        self.bridge.note_several().await?;
        Ok(RichText::new())
    }

    /// Whether the user may be in a channel whose room is shared.
    pub(super) fn may_share(&self, channel: &Channel, known: Option<usize>) -> Result<(), Refusal> {
        let name = &self.network.name;
        let is_wanted = known.is_some_and(|place| self.buffers.get(place).row.wanted);
        if !is_wanted && !self.has_room_for_channel(known) {
            let most = self.bridge.limits().channels_per_session;
            return Err(Refusal::asked(format!(
                "you are in as many channels of {name} as this bridge allows ({most})."
            )));
        }
        if let Some(link) = &self.link
            && link.session.state() == State::Ready
            && !link.session.isupport().is_channel(channel.as_str())
        {
            return Err(Refusal::asked(format!("{channel} is no channel on {name}.")));
        }
        Ok(())
    }

    pub(super) fn new_shared_buffer(&self, channel: &Channel, known: Option<usize>) -> NewBuffer {
        let folded = known.map_or_else(
            || self.buffers.mapping().fold(channel.as_str()),
            |place| self.buffers.get(place).row.folded.clone(),
        );
        NewBuffer {
            session: self.row.id,
            network: self.row.network.clone(),
            kind: BufferKind::Channel,
            name: channel.as_str().to_owned(),
            folded,
            key: None,
            marker: unique(),
            creator: self.bridge.client.bot().to_owned(),
            owner: self.row.user,
            lane: self.lane.clone(),
            gone: Vec::new(),
            wanted: true,
            created_at: self.bridge.clock.unix_ms(),
        }
    }

    /// The user is in a shared room, by the store's record.
    pub(super) fn take_seat(&mut self, channel: &Channel, row: Buffer) {
        let mut shared = Shared::take(&self.bridge, &row, &self.row);
        self.bridge.wake_listener(row.room);
        let is_inside =
            self.link.as_ref().is_some_and(|link| link.session.channel(channel.as_str()).is_some());
        if is_inside {
            // Another room of a channel that they are in: nobody has told it anything.
            (shared.named, shared.topic_changed) = (true, true);
        } else {
            shared.entry = Entry::New;
            shared.seat.iter().for_each(Seat::forget_hole_if_alone);
        }
        // Until they are in the channel they have not heard what others there have missed.
        let gap = shared.seat().filter(|_| shared.is_new()).and_then(Seat::hole).map(|hole| hole.from);
        let place = self.buffers.add(row);
        self.buffers.share(place, shared);
        let buffer = self.buffers.get_mut(place);
        buffer.gap_from = gap;
        self.incoming.gaps.buffers.push((buffer.row.id, gap));
        self.ignore_in_shared();
        self.name_seats();
        if is_inside && let Some((seat, link)) = self.seat(place).zip(self.link.as_ref()) {
            seat.return_to_channel(link.session.nick());
        }
        self.buffers.get_mut(place).refused = None;
        self.apply_charsets();
        if self.link.as_ref().is_some_and(|link| link.session.channel(channel.as_str()).is_none()) {
            self.enter(place);
        }
    }

    /// The user is in a shared room no more: they have left it, or are taken out of it for this reason.
    pub(super) async fn leave_shared(
        &mut self,
        place: usize,
        reason: Option<&str>,
        way_back: WayBack,
    ) -> Result<(), StoreError> {
        self.leave_shared_by(place, reason, way_back, None).await
    }

    /// The same, with that the event is begun which asks for it, where more follows than that.
    pub(super) async fn leave_shared_by(
        &mut self,
        place: usize,
        reason: Option<&str>,
        way_back: WayBack,
        begun: Option<i64>,
    ) -> Result<(), StoreError> {
        let buffer = self.buffers.get_mut(place);
        let Some(shared) = buffer.shared.as_deref_mut().filter(|shared| shared.is_taken()) else {
            return Ok(());
        };
        shared.leaves = true;
        buffer.gap_from = None;
        let part = std::mem::replace(&mut buffer.row.part, Part::Member);
        let (row, user) = (&buffer.row, &self.row.user_id);
        let (room, buffer) = (row.room, row.id);
        let kick = reason
            .filter(|_| !row.is_plumbed() && part != Part::Listener)
            .map(|reason| content::removal_row(room, &row.creator, user, reason));
        let is_invited =
            way_back == WayBack::Open && part != Part::Listener && self.bridge.is_for_invited(room);
        let invited = is_invited.then(|| content::invite_row(room, &row.creator, user));
        let rows = kick.into_iter().chain(invited).collect();
        if let Some(nick) = self.link.as_ref().map(|link| link.session.nick().to_owned()) {
            // Their own ghost has said what they said elsewhere.
            let channel = self.buffers.get(place).row.name.clone();
            self.depart(&channel, &nick, "", None);
        }
        // They read what was said before.
        self.commit_incoming().await?;
        // One commit: nobody is left there whom nothing takes out any more.
        let now = self.bridge.clock.unix_ms();
        self.bridge.store.unshare_buffer(buffer, rows, begun, now).await?;
        self.bridge.wake_delivery(room);
        self.bridge.has_left_shared(room);
        if part == Part::Listener {
            self.bridge.hold_listener(room);
        }
        self.bridge.wake_listener(room);
        Ok(())
    }

    /// When somebody has been outside a channel for too long whose room others show, or in it without being in the room; and
    /// when it is to be seen whether others show all that is heard.
    pub(super) fn shared_deadline(&self) -> Option<Instant> {
        let own = || {
            self.buffers.iter().filter(|buffer| !buffer.row.is_plumbed() && buffer.row.part == Part::Member)
        };
        let shared = || own().filter_map(|buffer| buffer.shared.as_deref());
        let outside = shared().filter(|shared| shared.is_taken());
        let outside = outside.filter_map(|shared| shared.outside_since?.checked_add(LONGEST_OUTSIDE)).min();
        let stays = shared().filter_map(|shared| shared.stays_until);
        let compared = self.buffers.iter().filter_map(|buffer| buffer.shared.as_deref()?.heard.compare_at());
        outside.into_iter().chain(stays).chain(compared).chain(self.instead.deadline()).min()
    }

    /// Who is in a shared room and not in its channel reads what the channel may not let them read: not for long. Nor is
    /// anybody in the channel for long who reads it nowhere.
    pub(super) async fn tick_shared(&mut self) -> Result<(), StoreError> {
        self.tick_instead().await?;
        let now = self.now();
        // They have not left, and keep what anybody may come in and read; no more than that.
        let is_kept = self.is_aside() || self.waits_for_turn();
        for place in 0..self.buffers.len() {
            let keeps_it = is_kept && !self.bridge.is_for_invited(self.buffers.get(place).row.room);
            let buffer = self.buffers.get_mut(place);
            // A plumbed room's people read there, whoever is in the channel; nor are those there to read who are for others.
            let is_exempt = buffer.row.is_plumbed() || buffer.row.part != Part::Member;
            let Some(shared) = buffer.shared.as_deref_mut().filter(|_| !is_exempt) else {
                continue;
            };
            if shared.stays_until.take_if(|until| *until <= now).is_some() {
                if self.channel_at(place).is_some() {
                    self.leave(place, "").await?;
                }
                continue;
            }
            let is_over = |since: Instant| now.saturating_duration_since(since) >= LONGEST_OUTSIDE;
            if !shared.is_taken() || !shared.outside_since.is_some_and(is_over) {
                continue;
            }
            let is_closed = self.bridge.is_for_invited(buffer.row.room);
            if !keeps_it && shared.seat.as_ref().is_some_and(|seat| seat.is_watched(is_closed)) {
                let why = "You have not been in the channel for a quarter of an hour";
                self.shut_out(place, why, RichText::new(), WayBack::Open).await?;
            } else {
                // Nobody is there who would show anything, or what anybody may read.
                shared.outside_since = Some(now);
            }
        }
        Ok(())
    }

    /// The user is out of a shared room, and may be invited back: they are in its channel for a while.
    pub(super) fn stay_for_now(&mut self, place: usize) {
        let until = self.now().checked_add(LONGEST_OUTSIDE);
        if let Some(shared) = self.buffers.get_mut(place).shared.as_deref_mut() {
            shared.stays_until = until;
        }
    }

    /// They don't come back. Says whether they were to stay until then.
    pub(super) fn end_stay(&mut self, place: usize) -> bool {
        let shared = self.buffers.get_mut(place).shared.as_deref_mut();
        shared.is_some_and(|shared| shared.stays_until.take().is_some())
    }

    /// The user is to be in their channels again, and has their time to enter them.
    pub(super) fn are_outside_from_now_on(&mut self) {
        self.are_outside_since_now(|_| true);
    }

    /// It was not their turn to connect for a while: they have their time to enter the channels that anybody may read. Who
    /// waits time and again would else read all others meanwhile.
    pub(super) fn have_waited_outside(&mut self) {
        let bridge = self.bridge.clone();
        self.are_outside_since_now(|room| !bridge.is_for_invited(room));
    }

    fn are_outside_since_now(&mut self, is_meant: impl Fn(i64) -> bool) {
        let now = self.now();
        let meant = self.buffers.iter_mut().filter(|buffer| is_meant(buffer.row.room));
        let shared = meant.filter_map(|buffer| buffer.shared.as_deref_mut());
        shared
            .filter(|shared| shared.outside_since.is_some())
            .for_each(|shared| shared.outside_since = Some(now));
    }

    /// The user does not want to be connected: they leave all shared rooms that the bridge has made. Where the session
    /// listens for others it does so again when it is connected.
    pub(super) async fn leave_all_shared(&mut self, reason: &str) -> Result<(), StoreError> {
        for place in 0..self.buffers.len() {
            let is_there = self.shared(place).is_some_and(Shared::is_taken) && !self.is_plumbed(place);
            if is_there && !self.listens(place) {
                self.end_shared(place, reason, WayBack::Open).await?;
            }
        }
        Ok(())
    }

    /// The user is out of a shared room's channel for good.
    pub(super) async fn end_shared(
        &mut self,
        place: usize,
        reason: &str,
        way_back: WayBack,
    ) -> Result<(), StoreError> {
        let room = self.buffers.get(place).row.room;
        let relayed = self.relays(place) && !self.is_plumbed(place);
        if self.relays(place) {
            self.tell_relay_over(place);
        }
        self.leave_shared(place, Some(reason), way_back).await?;
        if relayed {
            self.bridge.end_stays_of_relayed(room);
        }
        self.leave(place, "").await.map(drop)
    }

    /// The place of a channel whose room is shared.
    pub(super) fn shared_place(&self, channel: &str) -> Option<usize> {
        self.buffers.find(channel).filter(|place| self.is_shared(*place))
    }
}
