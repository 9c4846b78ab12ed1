//! What keeps shared rooms right besides what happens in them: that nobody is there who has no channel there, that an
//! alias leads to those that somebody is in, and that one which is gone is made anew.
//!
//! Who is taken out by what happens is taken out in the commit that ends their link. Others may be left: a link that was
//! deleted with its user, a crash while somebody came. Whose coming the homeserver has not handed over yet is none of
//! those.
//!
//! Invariant 2: a room is made anew only where the homeserver says for good that it is gone, and somebody needs it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::super::content::{self, unique};
use super::super::ghosts::GhostError;
use super::super::session::{OwnRoom, Request, SharedRequest};
use super::super::{Bridge, Outcome};
use crate::format::RichText;
use crate::matrix::ClientError;
use crate::matrix::client::Occupant;
use crate::names::Channel;
use crate::store::{Delivered, Holder, Renewed, RoomKind, RoomRow, StoreError};

/// How often is looked whether aliases lead to rooms that nobody is in.
const HOURLY: Duration = Duration::from_hours(1);
/// So long an alias that was looked for leads to a room that nobody has entered.
const SOON: Duration = Duration::from_mins(10);
/// Whatever is older than that was handed over: what was dealt with is forgotten after 90 days.
const LONG_AGO: i64 = 90 * 24 * 60 * 60 * 1000;
/// What happened so much later than something else, in milliseconds, is handed over behind it.
const ORDERLY: i64 = 60 * 1000;
/// So many are looked at again of whom it is not known whether their coming was handed over.
const MOST_UNSURE: usize = 1_000;

impl Bridge {
    /// At the start: takes those out who have no channel in the shared room that they are in. And ever after: takes
    /// aliases away that lead to rooms which nobody is in.
    pub(in crate::bridge) async fn keep_shared_rooms(self) {
        if self.config.templates.shared_alias.is_none() {
            return;
        }
        let mut unsure = Vec::new();
        match self.store.shared_rooms().await {
            Ok(rooms) => {
                for room in &rooms {
                    // Whoever had a rank before may not be connected for long.
                    self.wake_authority(room.id);
                }
                for room in &rooms {
                    if self.stop.is_cancelled() {
                        return;
                    }
                    match self.remove_lurkers(room).await {
                        Ok(left) => unsure.extend(left.into_iter().map(|one| (room.clone(), one))),
                        Err(error) => {
                            tracing::warn!(room = room.id, %error, "somebody may be in a shared room and not in its channel");
                        }
                    }
                    // The others are looked at after the next start.
                    unsure.truncate(MOST_UNSURE);
                }
                // Who reads what they may not comes first.
                self.tasks.spawn(self.clone().find_aliases(rooms));
            }
            Err(error) => tracing::warn!(%error, "shared rooms are not looked through"),
        }
        self.tasks.spawn(self.clone().remove_when_told(unsure));
        loop {
            if let Err(error) = self.set_idlers_aside().await {
                tracing::warn!(%error, "somebody idle may keep their connection for an hour more");
            }
            match self.store.deserted_rooms().await {
                Ok(rooms) => {
                    for room in rooms {
                        self.take_aliases(&room).await;
                    }
                }
                Err(error) => tracing::warn!(%error, "aliases may lead to rooms that nobody is in"),
            }
            tokio::select! {
                () = tokio::time::sleep(HOURLY) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// Gives those who have no channel there either, and whose coming may not have been handed over yet.
    async fn remove_lurkers(&self, room: &RoomRow) -> Result<Vec<Occupant>, GhostError> {
        let Some(room_id) = &room.room_id else { return Ok(Vec::new()) };
        let there = match self.persist(|| self.client.occupants(room_id)).await {
            Ok(there) => there,
            // It is gone, which is seen when somebody needs it.
            Err(error) if error.is_final() => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut unsure = Vec::new();
        for one in there.into_iter().filter(|one| !self.is_ours(&one.user_id)) {
            // Whoever can't be removed keeps nobody else there.
            match self.remove_lurker(room, room_id, &one).await {
                Ok(true) => {}
                Ok(false) => unsure.push(one),
                Err(error) => {
                    tracing::warn!(room = room_id, user = one.user_id, %error, "somebody may be in a shared room and not in its channel");
                }
            }
        }
        Ok(unsure)
    }

    /// The same, of a room by its number, while others go on.
    pub(in crate::bridge) fn end_stays_of_relayed(&self, room: i64) {
        let bridge = self.clone();
        self.tasks.spawn(async move {
            match bridge.store.room(room).await {
                Ok(Some(room)) => bridge.remove_who_was_relayed(&room).await,
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(room, %error, "somebody may be in a shared room and not in its channel");
                }
            }
        });
    }

    /// Nobody is relayed in a room any more: who can't be in its channel is not to be in it either.
    pub(super) async fn remove_who_was_relayed(&self, room: &RoomRow) {
        if let Some(Err(error)) = self.insist(async || self.remove_lurkers(room).await.map(drop)).await {
            tracing::warn!(room = room.id, %error, "somebody may be in a shared room and not in its channel");
        }
    }

    /// Looks again at those whose coming nothing was known of, as soon as the homeserver has handed over what happened
    /// later: then that was handed over, too, and is forgotten, as with all that was stored about somebody.
    async fn remove_when_told(self, mut unsure: Vec<(RoomRow, Occupant)>) {
        unsure.sort_by_key(|(_, one)| one.at);
        let mut handed_over = self.wanted_aliases.handed_over.subscribe();
        for (room, one) in unsure {
            let is_told = tokio::select! {
                told = handed_over.wait_for(|until| is_behind(one.at, *until)) => told.is_ok(),
                () = self.stop.cancelled() => false,
            };
            let Some(room_id) = room.room_id.as_deref().filter(|_| is_told) else { return };
            if let Err(error) = self.remove_lurker(&room, room_id, &one).await {
                tracing::warn!(room = room_id, user = one.user_id, %error, "somebody may be in a shared room and not in its channel");
            }
        }
    }

    /// Whether the homeserver has handed over what happened at this time by its clock, as far as is known.
    pub(super) fn was_handed_over(&self, at: i64) -> bool {
        at < self.clock.unix_ms().saturating_sub(LONG_AGO)
            || is_behind(at, *self.wanted_aliases.handed_over.borrow())
    }

    /// Takes somebody out of a shared room who is there since this event and has no channel there. `false` where the event
    /// may not have been handed over yet.
    async fn remove_lurker(&self, room: &RoomRow, room_id: &str, one: &Occupant) -> Result<bool, GhostError> {
        let is_over = match self.store.delivered(&one.event_id).await? {
            Delivered::Done => true,
            Delivered::Waiting => return Ok(true),
            Delivered::Unknown => self.was_handed_over(one.at),
        };
        // Looked at afterwards: who was taken into the channel was so before their coming was done with.
        let is_in_channel = self.store.session_in_shared_room(room.id, &one.user_id).await?.is_some();
        if is_in_channel || self.may_stay(room, &one.user_id).await? {
            return Ok(true);
        }
        if !is_over {
            return Ok(false);
        }
        let channel = room.buffer_name.as_deref().unwrap_or_default();
        let reason = format!("You are not in {channel} any more. To enter it, join this room again.");
        self.take_out_of_shared(room_id, one, &reason).await?;
        Ok(true)
    }

    /// Somebody has left a shared room, and may have been the last.
    pub(in crate::bridge) fn has_left_shared(&self, room: i64) {
        let bridge = self.clone();
        self.tasks.spawn(async move {
            let look = bridge.store.deserted_rooms().await;
            let deserted = look.map(|rooms| rooms.into_iter().find(|one| one.id == room));
            match deserted {
                Ok(Some(room)) => bridge.take_aliases(&room).await,
                Ok(None) => {}
                Err(error) => tracing::warn!(room, %error, "an alias stays for an hour"),
            }
        });
    }

    /// Takes the aliases of a room away that nobody is in. It gets them back when somebody looks for one: who then comes
    /// in reads nothing that was said before.
    async fn take_aliases(&self, room: &RoomRow) {
        let Some(room_id) = &room.room_id else { return };
        let _one_at_a_time = self.wanted_aliases.naming.lock(room.id).await;
        if self.wanted_aliases.is_awaited(room.id, self.clock.now()) {
            return;
        }
        if let Err(error) = self.delete_aliases(room.id, room_id).await {
            tracing::warn!(room = room_id, %error, "a room that nobody is in has its alias still");
            return;
        }
        // Somebody may have come in meanwhile, by the alias of before or as who was invited.
        match self.store.set_unaliased(room.id).await {
            // It goes from the directory, too.
            Ok(true) => self.wake_authority(room.id),
            Ok(false) => self.give_alias(room).await,
            Err(error) => {
                tracing::warn!(room = room_id, %error, "a room has no alias any more, which is not stored");
            }
        }
    }

    /// Somebody is in a shared room's channel: it is found by its alias.
    pub(super) async fn keep_alias(&self, room: i64) {
        let is_found = match self.store.is_aliased(room).await {
            Ok(is_found) => is_found,
            Err(error) => {
                return tracing::warn!(room, %error, "a room may have no alias until somebody looks for it");
            }
        };
        if is_found {
            // And bears it, if they are the first since somebody looked for it.
            self.wake_authority(room);
        } else if let Ok(Some(room)) = self.store.room(room).await {
            let _one_at_a_time = self.wanted_aliases.naming.lock(room.id).await;
            self.give_alias(&room).await;
        }
    }

    /// A room that nobody is in gives way to another one for its channel: nothing leads to it any more.
    pub(super) async fn give_up_aliases(&self, room: &RoomRow) {
        let Some(room_id) = &room.room_id else { return };
        let _one_at_a_time = self.wanted_aliases.naming.lock(room.id).await;
        if let Err(error) = self.delete_aliases(room.id, room_id).await {
            tracing::warn!(room = room_id, %error, "an alias leads to a room that shows no channel any more");
        }
    }

    /// At the start: a crash may have come between an alias that was taken away and somebody who came in.
    async fn find_aliases(self, rooms: Vec<RoomRow>) {
        for room in rooms {
            let find = async || {
                let is_held = !self.store.holders(room.id).await?.is_empty();
                if !is_held || !self.store.is_aliased(room.id).await? {
                    return Ok(());
                }
                let _one_at_a_time = self.wanted_aliases.naming.lock(room.id).await;
                self.try_to_give_alias(&room).await
            };
            match self.insist(find).await {
                None => return,
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    tracing::warn!(room = room.id, %error, "a room has no alias until somebody looks for it");
                }
            }
        }
    }

    /// Gives a shared room its alias where it has none, as after a crash in between. Whoever looks for it gives it one,
    /// too, so that nothing is tried again.
    async fn give_alias(&self, room: &RoomRow) {
        if let Err(error) = self.try_to_give_alias(room).await {
            tracing::warn!(room = room.id, %error, "a room has no alias until somebody looks for it");
        }
    }

    pub(super) async fn try_to_give_alias(&self, room: &RoomRow) -> Result<(), GhostError> {
        // Other people's room is found by what they call it.
        let Some(room_id) = room.room_id.as_ref().filter(|_| !room.is_plumbed()) else { return Ok(()) };
        // Who came in may have left again before it is their turn, and the alias has gone with them.
        if self.store.holders(room.id).await?.is_empty() {
            return Ok(());
        }
        let (network, name) = (room.network.as_deref(), room.buffer_name.as_deref());
        let alias = self.findable_alias(network.unwrap_or_default(), name.unwrap_or_default());
        let Some(alias) = alias else { return Ok(()) };
        // It would lead past the room that is found.
        if !self.is_found(room).await? {
            return Ok(());
        }
        let aliases = self.client.aliases(room_id).await?;
        // First, so that none is forgotten.
        self.store.set_aliased(room.id, true).await?;
        if !aliases.iter().any(|alias| self.read_shared_alias(alias).is_some()) {
            self.client.set_alias(&alias, room_id).await?;
            self.note_address(room.id);
        }
        // It bears that from now on.
        self.wake_authority(room.id);
        Ok(())
    }

    async fn delete_aliases(&self, room: i64, room_id: &str) -> Result<(), ClientError> {
        match self.bear_no_alias(room, room_id).await {
            // Whatever keeps it from that, an alias that is to go goes.
            Err(error) if error.is_final() => {
                tracing::debug!(room = room_id, %error, "a room may bear an alias that it has no more");
            }
            cleared => cleared?,
        }
        let aliases = match self.client.aliases(room_id).await {
            Err(error) if error.is_final() => return Ok(()),
            aliases => aliases?,
        };
        for alias in aliases.into_iter().filter(|alias| self.read_shared_alias(alias).is_some()) {
            match self.client.delete_alias(&alias).await {
                // Somebody was faster.
                Err(error) if error.is_final() => tracing::debug!(%alias, %error, "an alias was not deleted"),
                deleted => deleted?,
            }
        }
        Ok(())
    }

    /// Makes a shared room anew that the homeserver no longer has, and invites those who were there. Gives the room that
    /// the channel has from now on.
    pub(super) async fn renewed(&self, room: RoomRow) -> Result<RoomRow, GhostError> {
        let Some(room_id) = room.room_id.as_ref().filter(|_| !room.is_plumbed()) else { return Ok(room) };
        if !self.is_gone(self.client.bot(), room_id).await {
            return Ok(room);
        }
        let bridge = self.clone();
        // Whoever looks for the room may give up in between: what is committed is told all the same.
        let renewal = self.tasks.spawn(async move { bridge.make_anew(room).await });
        renewal.await.unwrap_or(Err(GhostError::Store(StoreError::Closed)))
    }

    async fn make_anew(&self, room: RoomRow) -> Result<RoomRow, GhostError> {
        let bot = self.client.bot().to_owned();
        let invitations = move |held: &[Holder], room: i64| {
            let members = held.iter().filter(|holder| !holder.listens);
            members.map(|holder| content::invite_row(room, &bot, &holder.user_id)).collect()
        };
        let now = self.clock.unix_ms();
        let Some(Renewed { room: new, holders, forwarded }) =
            self.store.renew_shared_room(room.id, unique(), invitations, now).await?
        else {
            // Somebody was faster: theirs is the channel's room.
            let (network, name) = (room.network.as_deref(), room.buffer_name.as_deref());
            let theirs =
                self.store.shared_room(network.unwrap_or_default(), name.unwrap_or_default()).await?;
            return Ok(theirs.unwrap_or(room));
        };
        tracing::info!(
            room = room.id,
            new = new.id,
            "a shared room that the homeserver no longer has is made anew"
        );
        self.load.moved(room.id, new.id, forwarded);
        self.wake_delivery(new.id);
        for holder in holders {
            let (Some(session), Ok(channel)) = (self.session(holder.session), Channel::new(&holder.channel))
            else {
                continue;
            };
            let bridge = self.clone();
            // Whoever asked for the room waits for nobody else's session.
            let own = OwnRoom::Stays;
            let request = if holder.listens {
                SharedRequest::Listen { channel, room: new.id }
            } else {
                SharedRequest::Share { channel, room: new.id, came_by: None, own }
            };
            self.tasks.spawn(async move {
                if let Err(error) = session.ask(Request::Shared(request)).await {
                    tracing::warn!(session = session.row.id, %error, "a session shows a room that is gone until it starts");
                }
                bridge.wake_delivery(new.id);
            });
        }
        Ok(new)
    }

    /// Makes the shared rooms among these anew, which are gone; the others are left. `None` where none of them was.
    pub(in crate::bridge) async fn renew_shared(
        &self,
        gone: &[i64],
        channel: &str,
    ) -> Result<Option<Outcome>, StoreError> {
        for room in gone {
            let Some(room) = self.store.room(*room).await? else { continue };
            if room.kind()? != RoomKind::Shared || room.is_plumbed() {
                continue;
            }
            return match self.renewed(room).await {
                Ok(_) => Ok(Some(Ok(RichText::plain(format!(
                    "The shared room of {channel} was gone; it gets a new one, to which you are invited."
                ))))),
                Err(GhostError::Store(error)) => Err(error),
                Err(GhostError::Client(error)) => Ok(Some(Err(super::super::Refusal::asked(format!(
                    "The shared room of {channel} can't be made anew now: {error}."
                ))))),
            };
        }
        Ok(None)
    }
}

/// Whether what happened at one time was handed over, where what happened at another was.
fn is_behind(at: i64, handed_over: i64) -> bool {
    handed_over > at.saturating_add(ORDERLY)
}

/// Aliases that somebody has looked for and not used yet, by the numbers of their rooms.
#[derive(Debug, Default)]
pub(super) struct Awaited(HashMap<i64, Instant>);

impl Awaited {
    pub(super) fn add(&mut self, room: i64, now: Instant) {
        self.0.retain(|_, since| now.saturating_duration_since(*since) < SOON);
        self.0.insert(room, now);
    }

    pub(super) fn end(&mut self, room: i64) {
        self.0.remove(&room);
    }

    pub(super) fn has(&self, room: i64, now: Instant) -> bool {
        self.0.get(&room).is_some_and(|since| now.saturating_duration_since(*since) < SOON)
    }
}
