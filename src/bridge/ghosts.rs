//! Ghosts: registered, named, and brought into rooms.
//!
//! A ghost enters a channel's room through its network's lobby: it is in the lobby, and the room's join rule lets
//! members of the lobby in, so that a ghost that the lobby knows needs one call and no invitation event.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use super::delivery::temporary;
use super::shared::OneAtATime;
use super::{Bridge, rooms};
use crate::matrix::{ClientError, ghost_id};
use crate::names::Nick;
use crate::store::{Departure, Ghost, RoomKind, RoomRow, StoreError};

/// Who is named in a room that is yet to be made comes with it; more than so many come when they speak.
const MOST_EARLY: usize = 16;

/// Memberships that need no look into the store; forgotten when there are too many of them.
const REMEMBERED: usize = 50_000;

/// Why a ghost can't be where it should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum GhostError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Default)]
pub(super) struct Ghosts {
    present: Mutex<HashSet<(i64, Box<str>)>>,
    /// On their way in or out, in the background, and whether the other is wanted of them since.
    coming: Mutex<HashMap<(i64, Box<str>), bool>>,
    /// Who is to come into rooms that are yet to be made.
    early: Mutex<HashMap<i64, Vec<Box<str>>>>,
    /// Who comes or goes just now, by the Matrix ids of the room and the ghost.
    turns: OneAtATime<(Box<str>, Box<str>)>,
}

impl Ghosts {
    fn is_remembered(&self, room: i64, user_id: &str) -> bool {
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        present.contains(&(room, Box::from(user_id)))
    }

    fn remember(&self, room: i64, user_id: &str) {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if present.len() >= REMEMBERED {
            present.clear();
        }
        present.insert((room, user_id.into()));
    }

    /// The ghost may not be in the room any more.
    pub(super) fn forget(&self, room: i64, user_id: &str) {
        self.present.lock().unwrap_or_else(PoisonError::into_inner).remove(&(room, Box::from(user_id)));
    }

    /// How many memberships are remembered.
    pub(super) fn remembered(&self) -> usize {
        self.present.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Nobody is known to be in the room any more.
    pub(super) fn forget_room(&self, room: i64) {
        self.present.lock().unwrap_or_else(PoisonError::into_inner).retain(|(known, _)| *known != room);
    }

    fn early(&self) -> MutexGuard<'_, HashMap<i64, Vec<Box<str>>>> {
        self.early.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_early(&self, room: i64, user_id: &str) {
        let mut early = self.early();
        let waiting = early.entry(room).or_default();
        if waiting.len() < MOST_EARLY {
            waiting.push(user_id.into());
        }
    }

    fn coming(&self) -> MutexGuard<'_, HashMap<(i64, Box<str>), bool>> {
        self.coming.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A ghost on its way into a room, or out of it. One that is to leave again meanwhile is taken out when it has come or
/// failed to: before, there would be nobody to take out, and it would stay for ever. One that is to come back while it
/// leaves does so after that.
pub(super) struct Coming {
    bridge: Bridge,
    room: i64,
    user_id: Box<str>,
}

impl Coming {
    /// Nothing where it is on its way already.
    pub(super) fn begin(bridge: &Bridge, room: i64, user_id: &str) -> Option<Self> {
        let mut coming = bridge.ghosts.coming();
        if let Some(again) = coming.get_mut(&(room, Box::from(user_id))) {
            *again = true;
            return None;
        }
        coming.insert((room, user_id.into()), false);
        Some(Self { bridge: bridge.clone(), room, user_id: user_id.into() })
    }

    pub(super) fn user_id(&self) -> &str {
        &self.user_id
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        let again = self.bridge.ghosts.coming().remove(&(self.room, self.user_id.clone()));
        if again == Some(true) {
            self.bridge.usher_in(self.room);
        }
        let is_postponed =
            self.bridge.postponed.lock().unwrap_or_else(PoisonError::into_inner).contains(&self.room);
        if is_postponed {
            self.bridge.wake_departures(self.room);
        }
    }
}

impl Bridge {
    /// The Matrix id of a nick's ghost, were it new.
    pub(super) fn ghost_user_id(&self, network: &str, nick: &str) -> String {
        let domain = &self.config.homeserver.domain;
        let escaped = ghost_id::escape(nick);
        let localpart = self.config.templates.ghost.render_id(&[("network", network), ("nick", &escaped)]);
        format!("@{}:{domain}", ghost_id::fit(localpart, domain))
    }

    /// Whether a Matrix id is the bot's or in the ghosts' namespace.
    pub(super) fn is_ours(&self, user_id: &str) -> bool {
        user_id == self.client.bot() || self.is_ghost_id(user_id)
    }

    pub(super) fn is_ghost_id(&self, user_id: &str) -> bool {
        user_id
            .strip_prefix('@')
            .and_then(|rest| rest.strip_suffix(self.config.homeserver.domain.as_str()))
            .and_then(|rest| rest.strip_suffix(':'))
            .is_some_and(|localpart| localpart.starts_with(self.config.templates.ghost.prefix()))
    }

    /// The nick that a ghost of this network stands for.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn nick_of(
        &self,
        user_id: &str,
        network: &str,
        user: &str,
    ) -> Result<Option<String>, StoreError> {
        let ghost = self.ghost_named_by(user_id, Some(user)).await?;
        Ok(ghost.filter(|ghost| ghost.network == network).map(|ghost| ghost.nick))
    }

    /// The network and the nick of a ghost's Matrix id: from the table, else read backwards. A ghost of somebody's own
    /// network is there for its owner only: for others, and for whom nobody knows, there is no such network.
    pub(super) async fn ghost_named_by(
        &self,
        user_id: &str,
        user: Option<&str>,
    ) -> Result<Option<Ghost>, StoreError> {
        if !self.is_ghost_id(user_id) {
            return Ok(None);
        }
        if let Some(ghost) = self.store.ghost_by_user_id(user_id).await? {
            return Ok(Some(ghost).filter(|ghost| self.networks.shows(&ghost.network, user)));
        }
        let Some((network, nick)) = self.read_ghost_id(user_id) else { return Ok(None) };
        let (network, nick) = (network.as_str(), nick.as_str());
        if self.networks.get(network).is_none() || !self.networks.shows(network, user) {
            return Ok(None);
        }
        self.store.ensure_network(network, &self.network_name(network), self.clock.unix_ms()).await?;
        let folded = self.mapping_of(network).fold(nick);
        self.store.ghost(network, &folded, nick, user_id, self.clock.unix_ms()).await.map(Some)
    }

    /// The network and the nick, letters folded, that a ghost's Matrix id was made of; nothing where it says neither.
    pub(super) fn read_ghost_id(&self, user_id: &str) -> Option<(String, String)> {
        if !self.is_ghost_id(user_id) {
            return None;
        }
        let localpart = user_id[1..].split(':').next().unwrap_or_default();
        let mut fields = self.config.templates.ghost.read_id(localpart)?;
        let mut field = |name: &str| {
            let place = fields.iter().position(|(known, _)| *known == name)?;
            Some(fields.swap_remove(place).1)
        };
        let (network, nick) = (field("network")?, ghost_id::unescape(&field("nick")?)?);
        let is_it = Nick::new(&nick).is_ok() && self.ghost_user_id(&network, &nick) == user_id;
        is_it.then_some((network, nick))
    }

    /// Makes sure that the homeserver knows a ghost, by its name.
    pub(super) async fn register_ghost(&self, ghost: &Ghost) -> Result<(), GhostError> {
        if ghost.display_name.is_some() {
            return Ok(());
        }
        let localpart = ghost.user_id[1..].split(':').next().unwrap_or_default();
        self.client.register(localpart).await?;
        self.name_ghost(ghost).await
    }

    /// Makes sure that whoever speaks next in a room is in it.
    pub(super) async fn bring_in(
        &self,
        room: &RoomRow,
        room_id: &str,
        user_id: &str,
    ) -> Result<(), GhostError> {
        if user_id == room.creator
            || user_id == self.client.bot()
            || self.puppet(user_id).is_some()
            || self.ghosts.is_remembered(room.id, user_id)
        {
            return Ok(());
        }
        let Some(ghost) = self.store.ghost_by_user_id(user_id).await? else {
            return Err(ClientError::Invalid(format!("{user_id} is no ghost of ours")).into());
        };
        if self.store.membership(room.id, ghost.id).await? != Some(true) {
            self.pace.count(self.calls_to_enter(room, &ghost), self.clock.now());
            let _turn = self.ghost_turn(room.is_plumbed(), room_id, user_id).await;
            self.let_in(room, room_id, &ghost).await?;
            self.store.member_joined(room.id, ghost.id, Some(self.clock.unix_ms())).await?;
            self.note_ranks(room.id);
            self.note_ghost_came();
        }
        self.ghosts.remember(room.id, user_id);
        Ok(())
    }

    /// Held while a ghost comes into other people's room, or goes, and that is stored: for whichever channel of the room.
    pub(super) async fn ghost_turn(
        &self,
        is_plumbed: bool,
        room_id: &str,
        user_id: &str,
    ) -> Option<OwnedMutexGuard<()>> {
        if !is_plumbed {
            return None;
        }
        Some(self.ghosts.turns.lock((room_id.into(), user_id.into())).await)
    }

    /// Brings a ghost into a room, whatever is known of where it is.
    pub(super) async fn let_in(
        &self,
        room: &RoomRow,
        room_id: &str,
        ghost: &Ghost,
    ) -> Result<(), GhostError> {
        self.register_ghost(ghost).await?;
        self.enter(room, room_id, ghost).await
    }

    /// How many requests that takes.
    pub(super) fn calls_to_enter(&self, room: &RoomRow, ghost: &Ghost) -> u32 {
        let has_lobby =
            room.kind().is_ok_and(|kind| kind == RoomKind::Private) && self.homeserver.has_restricted_rooms();
        let is_open = room.kind().is_ok_and(|kind| kind == RoomKind::Shared) && !self.is_for_invited(room.id);
        let to_enter = match (has_lobby, ghost.in_lobby) {
            _ if is_open => 1,
            (true, true) => 1,
            (true, false) => 3,
            (false, _) => 2,
        };
        to_enter + if ghost.display_name.is_none() { 2 } else { 0 }
    }

    /// Brings a ghost into a room in the background, once. Where that fails, or much else is to be done, it comes when it
    /// speaks; where the room is yet to be made, it comes with it.
    pub(super) fn bring_in_soon(&self, room: i64, user_id: &str) {
        let Some(coming) = Coming::begin(self, room, user_id) else { return };
        let bridge = self.clone();
        self.tasks.spawn(async move {
            let brought = async {
                match bridge.store.room(room).await? {
                    Some(RoomRow { room_id: None, .. }) => bridge.bring_in_with_room(coming).await,
                    Some(row) => match bridge.membership_budget.try_acquire() {
                        Ok(_budget) => bridge.bring_in_coming(&row, &coming).await,
                        Err(_) => Ok(()),
                    },
                    None => Ok(()),
                }
            };
            if let Some(Err(error)) = bridge.stop.run_until_cancelled(brought).await {
                tracing::debug!(room, %error, "a ghost did not come in yet");
            }
        });
    }

    async fn bring_in_with_room(&self, coming: Coming) -> Result<(), GhostError> {
        let room = coming.room;
        self.ghosts.is_early(room, &coming.user_id);
        drop(coming);
        // It may be made by now, by a lane that saw nobody waiting.
        match self.store.room(room).await? {
            Some(row) if row.room_id.is_none() => {}
            Some(_) => self.bring_in_early(room),
            None => self.forget_early(room),
        }
        Ok(())
    }

    /// A room is made: who waited for that comes in, one after another. They count as being there, so nobody else would
    /// bring them.
    pub(super) fn bring_in_early(&self, room: i64) {
        let Some(early) = self.ghosts.early().remove(&room) else { return };
        let bridge = self.clone();
        self.tasks.spawn(async move {
            for user_id in early {
                let Some(coming) = Coming::begin(&bridge, room, &user_id) else { continue };
                let brought = async {
                    let _budget = bridge.membership_budget.acquire().await;
                    match bridge.store.room(room).await? {
                        Some(row) => bridge.bring_in_coming(&row, &coming).await,
                        None => Ok(()),
                    }
                };
                match bridge.stop.run_until_cancelled(brought).await {
                    None => return,
                    Some(Ok(())) => {}
                    Some(Err(error)) => {
                        tracing::debug!(room, ghost = %user_id, %error, "a ghost did not come in yet");
                    }
                }
            }
        });
    }

    async fn bring_in_coming(&self, room: &RoomRow, coming: &Coming) -> Result<(), GhostError> {
        match &room.room_id {
            Some(room_id) => self.bring_in(room, room_id, &coming.user_id).await,
            None => Ok(()),
        }
    }

    /// A room is never made.
    pub(super) fn forget_early(&self, room: i64) {
        self.ghosts.early().remove(&room);
    }

    async fn enter(&self, room: &RoomRow, room_id: &str, ghost: &Ghost) -> Result<(), GhostError> {
        if room.kind()? == RoomKind::Private && self.homeserver.has_restricted_rooms() {
            match self.enter_through_lobby(room_id, ghost).await {
                Ok(()) => return Ok(()),
                // The lobby may have been left behind our back, or the room be of before the lobby.
                Err(GhostError::Client(error)) if error.is_final() => {
                    tracing::debug!(ghost = %ghost.user_id, %error, "the lobby lets a ghost in nowhere");
                    self.store.ghost_in_lobby(ghost.id, false).await?;
                }
                Err(error) => return Err(error),
            }
        }
        if room.kind()? == RoomKind::Shared && !self.is_for_invited(room.id) {
            match self.client.join(&ghost.user_id, room_id).await {
                // Other people's room may be for those who are invited, and a channel closed, which nobody has told yet.
                Err(error) if error.is("M_FORBIDDEN") || error.is_final() && room.is_plumbed() => {}
                joined => return Ok(joined?),
            }
        }
        let host = if self.is_ours(&room.creator) { room.creator.as_str() } else { self.client.bot() };
        Ok(rooms::invite_and_join(&self.client, host, room_id, &ghost.user_id).await?)
    }

    async fn enter_through_lobby(&self, room_id: &str, ghost: &Ghost) -> Result<(), GhostError> {
        let lobby = self.lobby(&ghost.network).await?;
        if !ghost.in_lobby {
            rooms::invite_and_join(&self.client, self.client.bot(), &lobby, &ghost.user_id).await?;
            self.store.ghost_in_lobby(ghost.id, true).await?;
        }
        Ok(self.client.join(&ghost.user_id, room_id).await?)
    }

    /// Takes the ghosts out of a room that have left on IRC. In the background: no message waits for this. A ghost
    /// whose last words are not delivered yet stays for them; the room's lane wakes this again when they are.
    pub(super) async fn see_off(self, room: i64) {
        let postponed = || self.postponed.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the look into the store: the room's lane may empty it at any time.
        postponed().insert(room);
        let mut attempt = 0;
        loop {
            let error = match self.try_see_off(room).await {
                Ok(true) => {
                    postponed().remove(&room);
                    return;
                }
                Ok(false) | Err(GhostError::Store(StoreError::Closed)) => return,
                Err(error) => temporary(error),
            };
            if attempt == 0 {
                tracing::warn!(room, %error, "ghosts that have left can't be taken out of their room yet");
            }
            if !self.pause_after(&error, attempt).await {
                return;
            }
            attempt += 1;
        }
    }

    /// Whether no departure is left.
    pub(super) async fn try_see_off(&self, room: i64) -> Result<bool, GhostError> {
        const AT_ONCE: i64 = 50;
        let row = self.store.room(room).await?;
        // In other people's room the bot removes nobody.
        let by_itself = row.as_ref().is_some_and(RoomRow::is_plumbed);
        let Some(room_id) = row.and_then(|row| row.room_id) else {
            return Ok(!self.store.has_departures(room).await?);
        };
        loop {
            let departures = self.store.departures(room, AT_ONCE).await?;
            if departures.is_empty() {
                return Ok(!self.store.has_departures(room).await?);
            }
            let mut has_coming = false;
            for departure in departures {
                if !self.membership_turn(1).await || self.stop.is_cancelled() {
                    return Ok(false);
                }
                let Some(_leaving) = Coming::begin(self, room, &departure.user_id) else {
                    // It wakes this again.
                    has_coming = true;
                    continue;
                };
                // They may be back.
                if self.store.membership(room, departure.ghost).await? != Some(false) {
                    continue;
                }
                let _budget = self.membership_budget.acquire().await;
                let _turn = self.ghost_turn(by_itself, &room_id, &departure.user_id).await;
                self.ghosts.forget(room, &departure.user_id);
                if by_itself && self.store.row_beside_with(room, departure.ghost).await?.is_some() {
                    // Of several channels that the room shows they have left one.
                    self.store.member_left(room, departure.ghost).await?;
                    self.note_left(room);
                    continue;
                }
                match self.take_out(&room_id, &departure, by_itself).await {
                    Err(error) if !error.is_final() => return Err(error.into()),
                    // Not there any more is what was wanted.
                    Ok(()) | Err(_) => {
                        // It may have spoken meanwhile; then it will be found missing, and come back.
                        self.ghosts.forget(room, &departure.user_id);
                        if by_itself {
                            // As long as it is to leave, this is done again where it fails.
                            self.come_back_for_another_channel(room, &departure).await?;
                        }
                        self.store.member_left(room, departure.ghost).await?;
                        self.note_left(room);
                    }
                }
            }
            if has_coming {
                return Ok(false);
            }
        }
    }

    /// A ghost was taken out of a room that shows several channels: it may have come for another one meanwhile.
    async fn come_back_for_another_channel(
        &self,
        room: i64,
        departure: &Departure,
    ) -> Result<(), GhostError> {
        let Some(beside) = self.store.row_beside_with(room, departure.ghost).await? else { return Ok(()) };
        let (row, ghost) =
            (self.store.room(beside).await?, self.store.ghost_by_user_id(&departure.user_id).await?);
        if let (Some(row), Some(ghost)) = (row, ghost)
            && let Some(room_id) = &row.room_id
        {
            self.let_in(&row, room_id, &ghost).await?;
        }
        Ok(())
    }

    async fn take_out(
        &self,
        room_id: &str,
        departure: &Departure,
        by_itself: bool,
    ) -> Result<(), ClientError> {
        let reason = departure.reason.as_deref().filter(|reason| !reason.is_empty());
        let kicked = departure.kicker.as_ref().map(|kicker| match reason {
            Some(reason) => format!("Kicked by {kicker}: {reason}"),
            None => format!("Kicked by {kicker}"),
        });
        let reason = kicked.as_deref().or(reason);
        let ghost = &departure.user_id;
        if let Some(name) = &departure.display_name {
            let sender = if kicked.is_some() && !by_itself { self.client.bot() } else { ghost.as_str() };
            match self.client.leave_by_name(sender, room_id, ghost, name, reason).await {
                // The calls that are made for it may be allowed where this is not.
                Err(error) if error.is_final() => {}
                result => return result,
            }
        }
        match &kicked {
            Some(reason) if !by_itself => self.client.kick(self.client.bot(), room_id, ghost, reason).await,
            _ => self.client.leave(ghost, room_id, reason).await,
        }
    }
}
