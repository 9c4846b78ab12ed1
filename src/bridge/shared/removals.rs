//! Taking somebody out of a shared room by a request that may have waited long: it means the stay that was over when it
//! was made, and none after it.
//!
//! Whose coming is still being decided, or may not have been handed over yet, may come to be in the channel, or not: the
//! room's other requests don't wait for that, so that such a removal is looked at again beside them. A crash forgets it, and the next start looks through
//! the rooms (`upkeep`).

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::super::Bridge;
use super::super::content;
use super::super::ghosts::GhostError;
use crate::matrix::client::Occupant;
use crate::store::{Delivered, NewOutbox, RoomRow, StoreError, User};

/// When it is first looked whether somebody's coming is decided; from then on after twice as long each time …
const FIRST_LOOK: Duration = Duration::from_millis(200);
/// … and at last after this.
const LONGEST: Duration = Duration::from_secs(10);

/// What takes somebody out of a shared room that they are in, for the commit that deletes them.
pub fn removal(bot: &str, user: &User) -> impl Fn(i64) -> NewOutbox + Send + 'static {
    let (bot, user_id) = (bot.to_owned(), user.user_id.clone());
    move |room| content::removal_row(room, &bot, &user_id, "You do not use this bridge any more.")
}

/// Rooms, and the events by which somebody came there who is taken out unless these come to something: each once.
#[derive(Debug, Default)]
pub(super) struct Undecided(Mutex<HashSet<(i64, String)>>);

impl Undecided {
    fn with<T>(&self, look: impl FnOnce(&mut HashSet<(i64, String)>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Bridge {
    /// Whether somebody is to be taken out of a shared room now, as a request says that was made at this time. Where that
    /// is not known yet it is done, for this reason, when it is.
    pub(in crate::bridge) async fn is_removal_due(
        &self,
        room: &RoomRow,
        room_id: &str,
        user_id: &str,
        reason: &str,
        since: i64,
    ) -> Result<bool, GhostError> {
        let there = self.client.occupants(room_id).await?;
        let Some(one) = there.into_iter().find(|one| one.user_id == user_id) else { return Ok(true) };
        Ok(match self.store.delivered(&one.event_id).await? {
            Delivered::Done => self.is_there_for_nothing(room, user_id).await?,
            // The homeserver's clock is not ours: what it says was later may be the stay that is meant.
            Delivered::Unknown if one.at <= since => true,
            Delivered::Unknown if self.was_handed_over(one.at) => {
                self.is_there_for_nothing(room, user_id).await?
            }
            Delivered::Waiting | Delivered::Unknown => {
                self.remove_when_decided(room, room_id, one, reason);
                false
            }
        })
    }

    /// Whether somebody who has come into a shared room has no channel there, and nobody speaks for them.
    async fn is_there_for_nothing(&self, room: &RoomRow, user_id: &str) -> Result<bool, StoreError> {
        let is_in_channel = self.store.session_in_shared_room(room.id, user_id).await?.is_some();
        Ok(!is_in_channel && !self.may_stay(room, user_id).await?)
    }

    /// Takes somebody out whose coming is not known to have come to anything, as soon as it is known.
    pub(super) fn remove_when_decided(&self, room: &RoomRow, room_id: &str, one: Occupant, reason: &str) {
        let key = (room.id, one.event_id.clone());
        if !self.wanted_aliases.undecided.with(|known| known.insert(key.clone())) {
            return;
        }
        let (bridge, room, room_id, reason) =
            (self.clone(), room.clone(), room_id.to_owned(), reason.to_owned());
        self.tasks.spawn(async move {
            let mut pause = FIRST_LOOK;
            loop {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = bridge.stop.cancelled() => break,
                }
                pause = (2 * pause).min(LONGEST);
                match bridge.insist(|| bridge.remove_if_decided(&room, &room_id, &one, &reason)).await {
                    Some(Ok(false)) => {}
                    Some(Err(error)) => {
                        let user = &one.user_id;
                        break tracing::warn!(room = room_id, user, %error, "somebody may be in a shared room and not in its channel");
                    }
                    Some(Ok(true)) | None => break,
                }
            }
            bridge.wanted_aliases.undecided.with(|known| known.remove(&key));
        });
    }

    /// Takes somebody out who came by this event, unless they are in the channel; `false` where that is not decided.
    async fn remove_if_decided(
        &self,
        room: &RoomRow,
        room_id: &str,
        one: &Occupant,
        reason: &str,
    ) -> Result<bool, GhostError> {
        match self.store.delivered(&one.event_id).await? {
            Delivered::Waiting => return Ok(false),
            Delivered::Unknown if !self.was_handed_over(one.at) => return Ok(false),
            Delivered::Unknown | Delivered::Done => {}
        }
        // Looked at afterwards: who was taken into the channel was so before their coming was done with.
        if self.is_there_for_nothing(room, &one.user_id).await? {
            self.take_out_of_shared(room_id, one, reason).await?;
        }
        Ok(true)
    }

    /// Takes somebody out of a room who is there by this event.
    pub(super) async fn take_out_of_shared(
        &self,
        room_id: &str,
        one: &Occupant,
        reason: &str,
    ) -> Result<(), GhostError> {
        let kick = || async {
            // Who has left since, and come again, is there by another event, and is taken into the channel.
            if !self.client.occupants(room_id).await?.contains(one) {
                return Ok(());
            }
            self.client.kick(self.client.bot(), room_id, &one.user_id, reason).await
        };
        match self.persist(kick).await {
            Err(error) if error.is_final() => {
                tracing::debug!(room = room_id, user = one.user_id, %error, "somebody was not removed from a room");
                Ok(())
            }
            done => Ok(done?),
        }
    }
}
