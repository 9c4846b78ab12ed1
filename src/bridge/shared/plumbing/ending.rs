//! The end of a plumbed room: nothing of IRC is shown there any more, and everybody of ours goes.
//!
//! What is queued for a room that has become encrypted stays out of it: others have chosen that nothing stands there in
//! clear, and the bridge has no keys. That it is encrypted is stored with the end of its showing a channel, so that no crash
//! sends what waited; and what the homeserver has not told yet, since the bridge was stopped, is asked before the first
//! line after a start.

use super::super::super::Bridge;
use super::super::super::delivery::temporary;
use super::super::super::ghosts::GhostError;
use super::super::super::session::{Request, SharedRequest};
use super::{Cause, ENCRYPTED, NO_MORE};
use crate::matrix::ClientError;
use crate::store::{RoomRow, StoreError};

impl Bridge {
    /// A plumbed room is encrypted from now on.
    pub(in crate::bridge) fn on_plumbed_encryption(&self, room: i64) {
        self.let_go_soon(room, Cause::Encrypted);
    }

    /// Some room is encrypted from now on, as the homeserver has just told. The lane in which that waits may take its time.
    pub(in crate::bridge) fn on_encryption_somewhere(&self, room_id: String) {
        let bridge = self.clone();
        self.tasks.spawn(async move {
            match bridge.store.rooms_by_matrix_id(&room_id).await {
                Ok(rooms) => {
                    let plumbed = rooms.iter().filter(|room| room.is_plumbed());
                    plumbed.for_each(|room| bridge.on_plumbed_encryption(room.id));
                }
                Err(error) => {
                    tracing::debug!(room = room_id, %error, "whether a room shows a channel is seen to in its turn");
                }
            }
        });
    }

    /// Whether what is queued for a plumbed room may go there.
    pub(in crate::bridge) async fn may_be_shown(
        &self,
        room: &RoomRow,
        room_id: &str,
    ) -> Result<bool, ClientError> {
        // What a lane began with may be of long ago.
        let now = self.store.room(room.id).await.map_err(|error| temporary(error.into()))?;
        if now.is_none_or(|now| now.explained) {
            return Ok(false);
        }
        if self.plumber.readable().contains(room_id) {
            return Ok(true);
        }
        if self.is_encrypted(room_id).await? {
            self.on_plumbed_encryption(room.id);
            return Ok(false);
        }
        self.plumber.readable().insert(room_id.to_owned());
        Ok(true)
    }

    pub(super) async fn is_encrypted(&self, room_id: &str) -> Result<bool, ClientError> {
        Ok(self.client.state(self.client.bot(), room_id, "m.room.encryption", "").await?.is_some())
    }

    /// Leaves a room to its people, in the background.
    pub(super) fn let_go_soon(&self, room: i64, cause: Cause) {
        let bridge = self.clone();
        self.tasks.spawn(async move {
            let room_id = async {
                let Some(row) = bridge.store.room(room).await?.filter(RoomRow::is_plumbed) else {
                    return Ok(None);
                };
                if cause == Cause::Encrypted {
                    // Whatever the homeserver does meanwhile.
                    bridge.stop_showing(room, true).await?;
                }
                Ok::<_, StoreError>(row.room_id)
            };
            match room_id.await {
                Ok(Some(room_id)) => Box::pin(bridge.see_to(&room_id, cause, Some(room))).await,
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(room, %error, "ghosts may stay in a room that shows no channel until the next start");
                }
            }
        });
    }

    /// No channel is shown in a room from now on. Nothing is asked of the homeserver for that.
    pub(super) async fn stop_showing(&self, room: i64, is_encrypted: bool) -> Result<(), StoreError> {
        self.store.begin_ending(room, is_encrypted).await?;
        for holder in self.store.holders(room).await? {
            let Some(session) = self.session(holder.session) else { continue };
            if let Err(error) = session.ask(Request::Shared(SharedRequest::Unshare { room })).await {
                tracing::debug!(session = holder.session, %error, "a session has a channel still that no room shows");
            }
        }
        Ok(())
    }

    /// Leaves a room to its people: nobody's channel is shown there any more, and ghosts go; the bot, too, where it is to
    /// leave for this reason and the room shows no other channel. `false` where somebody is there still.
    pub(super) async fn let_go(&self, room: &RoomRow, reason: Option<&str>) -> Result<bool, GhostError> {
        self.stop_showing(room.id, reason == Some(ENCRYPTED)).await?;
        self.store.end_plumbing(room.id, NO_MORE).await?;
        self.try_see_off(room.id).await?;
        if !self.store.ghosts_in(room.id).await?.is_empty() {
            // What they have said is still on its way.
            return Ok(false);
        }
        let is_told = reason.is_some() && reason != Some(ENCRYPTED);
        if is_told && !self.store.waiting_requests(room.id, 0, 1).await?.is_empty() {
            // That it ends is told first.
            self.wake_delivery(room.id);
            return Ok(false);
        }
        let room_id = room.room_id.as_deref().unwrap_or_default();
        // Else it shows other channels.
        let is_last = self.store.rooms_by_matrix_id(room_id).await?.iter().all(|one| one.id == room.id);
        let asking = self.plumber.asked_inside(room_id).filter(|_| is_last && is_told);
        if let Some(reason) = reason.filter(|_| is_last && asking.is_none() && !room_id.is_empty()) {
            match self.client.leave(self.client.bot(), room_id, Some(reason)).await {
                // Not there is what was wanted.
                Err(error) if error.is_final() => {
                    tracing::debug!(room = room_id, %error, "a room was not left");
                }
                left => left?,
            }
        }
        match asking {
            // Those who have a say are asked about another channel, for which the bot has to be there.
            Some(asking) => {
                let visited = self.store.forget_and_visit(room.id, self.new_plumbing(&asking)).await?;
                for visited in visited.into_iter().filter(|visited| !self.plumber.visits(&asking, *visited)) {
                    self.let_go_soon(visited, Cause::NotAgreed);
                }
            }
            None => self.store.forget_plumbed(room.id).await?,
        }
        self.note_several().await?;
        self.ghosts.forget_room(room.id);
        if is_last {
            self.plumber.lacking().remove(room_id);
        }
        self.plumber.readable().remove(room_id);
        // What waits there is set aside.
        self.wake_delivery(room.id);
        Ok(true)
    }
}
