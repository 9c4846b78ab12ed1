//! Listeners: a session that an administrator has set apart to hear the channels of shared rooms with few people, so that
//! nothing is missed there while somebody's connection is away.
//!
//! It comes into a channel where fewer people than it was told have it, and goes where more than that have; in between both
//! stay as they are, so that it does not come and go with everyone. A room that the bridge has made has to have somebody; one
//! that was there before is listened to also where nobody in it has a connection. A relay hears as well as a listener does:
//! nobody listens beside one.
//!
//! Looked at when somebody comes into a room or goes from it, and hourly. Where a channel has put the listener out, or does
//! not let it in, it is not tried again for [`HELD`].

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::super::session::{Request, SessionHandle, SessionState, SharedRequest};
use super::super::{Bridge, Outcome, Refusal};
use super::one_at_a_time::OneAtATime;
use crate::format::RichText;
use crate::names::Channel;
use crate::store::settings::{self, Scope};
use crate::store::{RoomKind, StoreError};

/// How often all rooms are looked at.
const HOURLY: Duration = Duration::from_hours(1);
/// In milliseconds: for so long a channel is left alone that the listener was thrown out of.
const HELD: i64 = 24 * 60 * 60 * 1000;

/// What is known of the rooms where somebody is to listen.
#[derive(Debug, Default)]
pub(super) struct Listening {
    /// Held while it is seen whether somebody is to listen in a room.
    rooms: OneAtATime<i64>,
    /// Since when a room is left alone, by its number.
    held: Mutex<HashMap<i64, i64>>,
    /// The sessions of which it was logged that they can't listen where they are to.
    refused: Mutex<HashSet<i64>>,
    /// No session is to listen, and none does.
    is_unused: AtomicBool,
}

impl Listening {
    fn held(&self) -> MutexGuard<'_, HashMap<i64, i64>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_first_refusal(&self, session: i64) -> bool {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(session)
    }
}

/// Whether a session is there to listen for others alone: one with a name of its own that is to do that.
pub(super) fn is_apart(session: &SessionHandle, listening: &[(i64, String, String)]) -> bool {
    !session.row.name.is_empty() && listening.iter().any(|(id, ..)| *id == session.row.id)
}

impl Bridge {
    /// Sees ever after to it that somebody listens where that is needed.
    pub(in crate::bridge) async fn keep_listening(self) {
        loop {
            self.look_where_to_listen(None).await;
            tokio::select! {
                () = tokio::time::sleep(HOURLY) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// Looks at all rooms of a network, or of all networks.
    async fn look_where_to_listen(&self, network: Option<&str>) {
        let is_unused = async || {
            Ok::<_, StoreError>(
                self.store.listening().await?.is_empty() && self.store.listeners().await?.is_empty(),
            )
        };
        match is_unused().await {
            Ok(is_unused) => self.wanted_aliases.listening.is_unused.store(is_unused, Ordering::Relaxed),
            Err(error) => tracing::debug!(%error, "whether anybody listens is not known"),
        }
        if self.wanted_aliases.listening.is_unused.load(Ordering::Relaxed) {
            return;
        }
        let rooms = match self.store.rooms_to_listen_in().await {
            Ok(rooms) => rooms,
            Err(error) => {
                return tracing::warn!(%error, "whether somebody is to listen in channels is seen in an hour");
            }
        };
        for room in rooms {
            if self.stop.is_cancelled() {
                return;
            }
            if network.is_none_or(|network| room.network.as_deref() == Some(network)) {
                self.try_to_listen(room.id).await;
            }
        }
    }

    /// Somebody has come into a shared room, or has gone from it.
    pub(in crate::bridge) fn wake_listener(&self, room: i64) {
        if self.wanted_aliases.listening.is_unused.load(Ordering::Relaxed) {
            return;
        }
        let bridge = self.clone();
        self.tasks.spawn(async move { bridge.try_to_listen(room).await });
    }

    /// A session is connected: if it is to listen, it may from now on.
    pub(in crate::bridge) fn is_able_to_listen(&self, session: i64, network: &str) {
        if self.wanted_aliases.listening.is_unused.load(Ordering::Relaxed) {
            return;
        }
        let (bridge, network) = (self.clone(), network.to_owned());
        self.tasks.spawn(async move {
            match bridge.store.listening().await {
                Ok(chosen) if chosen.iter().any(|(id, ..)| *id == session) => {
                    bridge.look_where_to_listen(Some(&network)).await;
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(session, %error, "a session begins to listen in an hour"),
            }
        });
    }

    async fn try_to_listen(&self, room: i64) {
        if let Err(error) = self.see_who_listens(room).await {
            tracing::warn!(room, %error, "whether somebody is to listen in a channel is seen in an hour");
        }
    }

    /// The listener is out of a room's channel, by whatever it was.
    pub(in crate::bridge) fn hold_listener(&self, room: i64) {
        let now = self.clock.unix_ms();
        let mut held = self.wanted_aliases.listening.held();
        held.retain(|_, since| now - *since < HELD);
        held.insert(room, now);
    }

    fn is_listener_held(&self, room: i64) -> bool {
        let since = self.wanted_aliases.listening.held().get(&room).copied();
        since.is_some_and(|since| self.clock.unix_ms() - since < HELD)
    }

    async fn see_who_listens(&self, room: i64) -> Result<(), StoreError> {
        let _one_at_a_time = self.wanted_aliases.listening.rooms.lock(room).await;
        let there = self.store.listener_of(room).await?.map(|listener| listener.session);
        let wanted = self.listener_for(room, there).await?;
        if let Some(there) = there {
            if wanted.as_ref().is_some_and(|(session, _)| session.row.id == there) {
                return Ok(());
            }
            // One that is closed, or about to start, is looked at later.
            let Some(session) = self.session(there) else { return Ok(()) };
            if let Err(error) = session.ask(Request::Shared(SharedRequest::StopListening { room })).await {
                tracing::warn!(room, session = there, %error, "a session listens where it need not, for an hour");
                return Ok(());
            }
            self.wanted_aliases.listening.held().remove(&room);
        }
        let Some((session, channel)) = wanted.filter(|_| !self.is_listener_held(room)) else { return Ok(()) };
        if let Err(error) = session.ask(Request::Shared(SharedRequest::Listen { channel, room })).await {
            if self.wanted_aliases.listening.is_first_refusal(session.row.id) {
                tracing::warn!(
                    room,
                    session = session.row.id,
                    %error,
                    "a session can't listen in a channel where it is to; where else it can't is logged for debugging"
                );
            } else {
                tracing::debug!(room, session = session.row.id, %error, "a session does not listen in a channel");
            }
        }
        Ok(())
    }

    /// The session that is to listen in a room, if one is, where this one does now.
    async fn listener_for(
        &self,
        room: i64,
        there: Option<i64>,
    ) -> Result<Option<(SessionHandle, Channel)>, StoreError> {
        let chosen = self.store.listening().await?;
        if chosen.is_empty() {
            return Ok(None);
        }
        let Some(room) = self.store.room(room).await? else { return Ok(None) };
        let is_shown = room.kind()? == RoomKind::Shared && !room.is_ending() && room.room_id.is_some();
        let channel = room.buffer_name.as_deref().and_then(|name| Channel::new(name).ok());
        let (Some(channel), Some(network)) = (channel.filter(|_| is_shown), room.network.as_deref()) else {
            return Ok(None);
        };
        if !room.is_plumbed() {
            // Of two rooms that show one channel, as its network compares names, it is in the one that is found.
            let found = self.store.shared_room(network, channel.as_str()).await?;
            if found.is_none_or(|found| found.id != room.id) {
                return Ok(None);
            }
        }
        let Some((session, below)) = self.listener_on(network, &chosen) else { return Ok(None) };
        let is_off = matches!(session.status().state, SessionState::Idle | SessionState::Stuck);
        if is_off && there != Some(session.row.id) || self.relay_in(room.id).await?.is_some() {
            return Ok(None);
        }
        let members = self.store.members_in(room.id).await?;
        let heard = members.iter().filter(|is_connected| **is_connected).count();
        let is_needed =
            heard < below + usize::from(there.is_some()) && (!members.is_empty() || room.is_plumbed());
        Ok(is_needed.then_some((session, channel)))
    }

    /// The session that is to listen on a network, and where fewer people than how many are: of those that were chosen the
    /// first that may.
    fn listener_on(&self, network: &str, chosen: &[(i64, String, String)]) -> Option<(SessionHandle, usize)> {
        let of_network = chosen.iter().filter(|(_, its, _)| its == network);
        of_network
            .filter_map(|(session, _, below)| Some((self.session(*session)?, below.parse().ok()?)))
            .find(|(session, _): &(SessionHandle, usize)| self.may_relay(&session.row.user_id))
    }

    /// Has a session listen in shared rooms with fewer people than this, or nowhere any more.
    pub async fn listen(&self, session: &SessionHandle, below: Option<usize>) -> Outcome {
        let (network, name) = (&session.row.network, self.network_name(&session.row.address()));
        let chosen = self.store.listening().await?;
        let other = self.listener_on(network, &chosen).filter(|(one, _)| one.row.id != session.row.id);
        if let Some((other, _)) = other.filter(|_| below.is_some()) {
            return Err(Refusal::asked(format!(
                "{} of {} listens there already, and one is enough. That is ended by its user, with listen off.",
                other.row.address(),
                other.row.user_id
            )));
        }
        if below.is_none() && !chosen.iter().any(|(id, ..)| *id == session.row.id) {
            return Err(Refusal::asked(format!("{name} does not listen for others.")));
        }
        let value = below.map(|below| below.to_string());
        self.store.set_setting(&settings::LISTENS, Scope::Session, session.row.id, value.as_deref()).await?;
        self.wanted_aliases.listening.is_unused.store(false, Ordering::Relaxed);
        let (bridge, network) = (self.clone(), network.clone());
        self.tasks.spawn(async move { bridge.look_where_to_listen(Some(&network)).await });
        let Some(below) = below else {
            return Ok(RichText::plain(format!(
                "{name} listens for nobody any more, and leaves the channels where it did."
            )));
        };
        let text = format!(
            "{name} is from now on in the channel of each shared room that has fewer than {below} people with a connection: \
             what is said there is shown also while theirs is away. To end that, type "
        );
        Ok(RichText::plain(text).code("listen off").text("."))
    }
}
