//! Double puppeting: what a user says from another IRC client appears as themselves, and new rooms ring as they want.
//!
//! The homeserver hands such an event back like any of the user's. It is ours only if its content key names a request of
//! ours, for that room and by that user, which became no other event: the key alone proves nothing, since anybody may copy
//! it. Without that look it would go back to IRC, and round for ever. So it is done also where double puppeting is off by
//! now: the homeserver may hand over what was said before.
//!
//! Not whether what was said elsewhere is told at all, which is the session's.
//!
//! Spec: Matrix application service API, "Identity assertion"; client-server API, "Push Rules".

use std::sync::PoisonError;

use serde::Deserialize;
use serde_json::Value;

use super::Bridge;
use super::session::{Manners, Ringing};
use crate::matrix::event::CONTENT_KEY;
use crate::matrix::{Client, ClientError};
use crate::store::{NewEvent, RoomKind, RoomRow, StoreError};

/// What is needed of an event to know it again.
#[derive(Deserialize)]
struct Header {
    sender: String,
    #[serde(default)]
    content: Value,
}

impl Bridge {
    /// The way to act as a user of the homeserver, where there is one.
    pub(super) fn puppet(&self, user_id: &str) -> Option<&Client> {
        let is_local = user_id.split_once(':').is_some_and(|(_, server)| server == self.client.domain());
        self.puppets.as_ref().filter(|_| is_local && !self.is_ours(user_id))
    }

    /// Whether what a user sets for themselves on the homeserver can be set for them.
    pub fn acts_as(&self, user_id: &str) -> bool {
        self.puppet(user_id).is_some()
    }

    /// The way to act as whoever is meant to do something.
    pub(super) fn client_as(&self, user_id: &str) -> &Client {
        self.puppet(user_id).unwrap_or(&self.client)
    }

    /// Whether an event is what we have said as a user.
    pub(super) async fn is_of_a_puppet(&self, event: &NewEvent) -> Result<bool, StoreError> {
        if !event.json.contains(CONTENT_KEY) {
            return Ok(false);
        }
        let Ok(header) = serde_json::from_str::<Header>(&event.json) else { return Ok(false) };
        let Some(key) = header.content[CONTENT_KEY].as_str() else { return Ok(false) };
        let Some((room_id, sender, event_id)) = self.store.place_of_request(key).await? else {
            return Ok(false);
        };
        // Other people's room that shows the request's channel no more is that row's no more, and may be another's: what is
        // said there as its sender is on its way back still.
        let is_ours = room_id.is_none_or(|room_id| room_id == event.room_id)
            && sender == header.sender
            && event_id.is_none_or(|known| known == event.event_id);
        if is_ours {
            self.attempts.echoed(key, &event.room_id, &sender, &event.event_id);
        }
        Ok(is_ours)
    }

    /// Has a new channel's room ring its owner as they want.
    pub(super) fn set_ringing(&self, room: &RoomRow, room_id: &str) {
        let is_channel = room.kind().is_ok_and(|kind| kind == RoomKind::Private);
        if let (true, Some(session), Some(buffer)) = (is_channel, room.session, room.buffer) {
            self.ring_soon(session, [(room_id.to_owned(), buffer)]);
        }
    }

    /// Has rooms of a session's channels ring as their owner wants, in the background: it is a convenience. They come one
    /// after the other, each as it is wanted by then, so that the last wish is the one that holds.
    pub(super) fn ring_soon(&self, session: i64, rooms: impl IntoIterator<Item = (String, i64)>) {
        self.to_ring.lock().unwrap_or_else(PoisonError::into_inner).entry(session).or_default().extend(rooms);
        let bridge = self.clone();
        self.ringing
            .wake(&self.tasks, &self.stop, session, move |session| bridge.clone().ring_as_wanted(session));
    }

    fn next_to_ring(&self, session: i64) -> Option<(String, i64)> {
        let mut sessions = self.to_ring.lock().unwrap_or_else(PoisonError::into_inner);
        let next = sessions.get_mut(&session)?.pop_first();
        if next.is_none() {
            sessions.remove(&session);
        }
        next
    }

    async fn ring_as_wanted(self, session: i64) {
        while let Some((room_id, buffer)) = self.next_to_ring(session) {
            let Some(row) = self.session(session).map(|session| session.row.clone()) else { continue };
            if self.puppet(&row.user_id).is_none() {
                continue;
            }
            match Manners::load(&self, row.user, session, &row.network).await {
                Ok(manners) => self.ring(&row.user_id, &room_id, manners.choice(buffer)).await,
                Err(error) => tracing::warn!(%error, "a room rings as rooms do"),
            }
        }
    }

    /// Has a room ring as its owner wants it from now on.
    async fn ring(&self, owner: &str, room_id: &str, notify: Ringing) {
        let Some(puppet) = self.puppet(owner) else { return };
        let set = match notify {
            Ringing::Mentions => self
                .persist(|| puppet.unmute(owner, room_id))
                .await
                .and(self.persist(|| puppet.notify_mentions(owner, room_id)).await),
            Ringing::All => self
                .persist(|| puppet.unmute(owner, room_id))
                .await
                .and(self.persist(|| puppet.notify_all(owner, room_id)).await),
            Ringing::None => self.persist(|| puppet.mute(owner, room_id)).await,
        };
        if let Err(error) = set {
            tracing::warn!(%room_id, %error, "how a room rings could not be set");
        }
    }

    /// Lets a user into a room to which they are invited, since they said something there.
    pub(super) async fn enter_as_puppet(&self, user_id: &str, room_id: &str) -> Result<bool, ClientError> {
        match self.puppet(user_id) {
            Some(puppet) => puppet.join(user_id, room_id).await.map(|()| true),
            None => Ok(false),
        }
    }
}
