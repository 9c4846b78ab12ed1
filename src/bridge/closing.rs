//! Closing a session: out of its network and out of its rooms, and no start brings it back. What was said is kept, unless
//! an administrator has all deleted that is kept about its user.
//!
//! The rooms are left first, each call made again until its outcome is known, and then one commit ends their links and
//! the session, unless there is one more room by then. So a crash in between leaves a session that can be closed again.
//! A room that is still being made is left by whoever makes it.

use std::sync::PoisonError;
use std::time::Duration;

use super::delivery::temporary;
use super::desk::lane_of;
use super::{Bridge, Outcome, Progress, Refusal, Request, SessionHandle, removal};
use crate::format::RichText;
use crate::store::{GoneSession, RoomRow, StoreError};

/// How long a session may take to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a command of somebody's may take before they are not erased now.
const MOST_PATIENCE: Duration = Duration::from_mins(1);
/// Why who closes a network is taken out of its rooms.
const REASON: &str = "You have closed this network.";
/// Why somebody is about whom nothing is to be kept.
const ERASED: &str = "An administrator deletes all that this bridge keeps about you.";

impl Bridge {
    /// Closes a session, and says of how many rooms.
    pub async fn close_session(&self, session: &SessionHandle, progress: Option<&Progress>) -> Outcome {
        let row = &session.row;
        let left = self.vacate_session(session, REASON, progress).await?;
        let name = self.network_name(&row.address());
        let rooms = if left == 1 { "its room".to_owned() } else { format!("its {left} rooms") };
        let text = format!(
            "Closed: you are no longer on {name}, nor in {rooms}. What was said and set there is kept; to delete it, type "
        );
        Ok(RichText::plain(text)
            .code(format!("forget {}", row.address()))
            .text(", and to come back, ")
            .code(format!("open {}", row.address()))
            .text("."))
    }

    /// Ends a session and leaves its rooms. Returns how many there were.
    async fn vacate_session(
        &self,
        session: &SessionHandle,
        reason: &str,
        progress: Option<&Progress>,
    ) -> Result<usize, Refusal> {
        let row = &session.row;
        // One that does not run has no connection to end.
        drop(session.ask(Request::Disconnect { reason: String::new() }).await);
        let (mut left, mut spaces) = (Vec::new(), Vec::new());
        let rooms = loop {
            self.leave_shared_rooms(row.id, reason).await?;
            self.end_asking_of(row).await?;
            let rooms = self.store.rooms_of_session(row.id).await?;
            let made = rooms.iter().filter_map(|room| Some((room, room.room_id.as_ref()?)));
            let made: Vec<_> = made.filter(|(_, room_id)| !left.contains(*room_id)).collect();
            let most = left.len() + made.len();
            for (room, room_id) in made {
                if let Some(progress) = progress {
                    let text = format!("Leaving the rooms of {}: {} of {most}.", row.address(), left.len());
                    progress.show(self, &RichText::plain(text)).await;
                }
                self.vacate(room, room_id, &row.user_id, reason).await?;
                left.push(room_id.clone());
            }
            if let Some(space) = self.store.space(row.id).await?.and_then(|space| space.room_id) {
                self.abandon(self.client.bot(), &space, &row.user_id, reason).await;
                spaces.push(space);
            }
            // One may have been made meanwhile, or a shared one entered.
            if self.end_session(row.id, left.iter().chain(&spaces).cloned().collect()).await? {
                break rooms;
            }
        };
        // What waited for them is set aside.
        rooms.iter().for_each(|room| self.wake_delivery(room.id));
        Ok(left.len())
    }

    /// Deletes all that is kept about a user: out of their networks first, then, when no command of theirs is under way, out of
    /// all rooms; then what was said, piece by piece, since others write meanwhile, and the rest in one commit. A crash in
    /// between leaves a user about whom that can be asked again.
    pub async fn erase_user(&self, by: &str, user_id: &str, progress: Option<&Progress>) -> Outcome {
        let Some(user) = self.store.known_user(user_id).await? else {
            let text =
                RichText::plain(format!("Nothing is kept about {user_id}. To see who is known, type "));
            return Err(Refusal::Asked(text.code("users").text(".")));
        };
        let mut lines = 0;
        let turn = self.turns.with(&lane_of(user_id));
        let Some(_erasing) = self.turns.erase(by, user_id) else {
            return Err(Refusal::asked(format!(
                "{user_id} is deleting what is kept about somebody, so that nothing is done yet. Type it again in a while."
            )));
        };
        let gone = loop {
            let mut endings = Vec::new();
            for session in self.sessions(Some(user_id)) {
                self.vacate_session(&session, ERASED, progress).await?;
                endings.push(session.ends());
            }
            // What they store at their end is deleted, too.
            for mut ending in endings {
                let ended = async { while ending.changed().await.is_ok() {} };
                if tokio::time::timeout(PATIENCE, ended).await.is_err() {
                    tracing::warn!(%user_id, "a session takes its time to end");
                }
            }
            // A command that is under way would store anew what is deleted. Not before: whoever enters a shared room while
            // their networks are closed is dealt with, and taken out again.
            let Ok(mut deletions) = tokio::time::timeout(MOST_PATIENCE, turn.begin()).await else {
                return Err(Refusal::asked(format!(
                    "{user_id} is out of all networks, but has a command under way that does not end, so that nothing is \
                     deleted yet. Type it again in a while."
                )));
            };
            for room in self.store.control_rooms(user.id).await? {
                let Some(room_id) = &room.room_id else { continue };
                if room.creator == self.client.bot() {
                    self.abandon(&room.creator, room_id, user_id, ERASED).await;
                    continue;
                }
                // Whether one of their own making can be left is not in our homeserver's hands.
                let left = self.persist(|| self.client.leave(self.client.bot(), room_id, Some(ERASED)));
                match tokio::time::timeout(PATIENCE, left).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!(room = room_id, %error, "a room was not left"),
                    Err(_) => {
                        tracing::warn!(room = room_id, "a room can't be left now, and is not known any more");
                    }
                }
            }
            for buffer in self.store.buffers_of_user(&user).await? {
                lines += self.store.forget_history(user.id, buffer, self.clock.unix_ms()).await?;
            }
            // What they do meanwhile begins behind it.
            let _no_session_starts = self.starting.lock().await;
            if !self.sessions(Some(user_id)).is_empty() {
                continue;
            }
            let removal = removal(self.client.bot(), &user);
            let (gone, shared) = self.store.delete_user(&user, removal, self.clock.unix_ms()).await?;
            *deletions += 1;
            shared.into_iter().for_each(|room| self.wake_delivery(room));
            self.forget_own_networks(user.id);
            break gone;
        };
        self.reread_usernames().await?;
        self.scrub_history();
        tracing::info!(%by, %user_id, "an administrator has deleted all that was kept about a user");
        let count = |table: &str| gone.iter().find(|(name, _)| *name == table).map_or(0, |(_, rows)| *rows);
        let counted = |rows: u64, one: &str, more: &str| match rows {
            1 => format!("1 {one}"),
            rows => format!("{rows} {more}"),
        };
        Ok(RichText::plain(format!(
            "Deleted: all that was kept about {user_id}, of {}, {} and {}. What was said in rooms is the homeserver's and \
             stays there.",
            counted(count("session"), "network", "networks"),
            counted(count("buffer"), "conversation", "conversations"),
            counted(count("history") + lines, "line", "lines"),
        )))
    }

    /// Deletes a session of a user's that is closed, with all that was said and set there. Nothing where it was opened
    /// again meanwhile.
    pub async fn forget_closed(&self, user: i64, session: i64) -> Result<Option<GoneSession>, StoreError> {
        let gone = {
            let _no_session_starts = self.starting.lock().await;
            self.store.delete_closed_session(user, session).await?
        };
        self.reread_usernames().await?;
        Ok(gone)
    }

    /// Takes the owner and ourselves out of a room. Who is not in it needs not be taken out.
    async fn vacate(
        &self,
        room: &RoomRow,
        room_id: &str,
        owner: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        let ghosts = self.store.ghosts_in(room.id).await?;
        self.abandon(&room.creator, room_id, owner, reason).await;
        let (bridge, room_id, creator) = (self.clone(), room_id.to_owned(), room.creator.clone());
        self.tasks.spawn(async move {
            // Nobody is left to see them: this may end with the process.
            for ghost in ghosts.iter().filter(|ghost| **ghost != creator) {
                let Ok(_turn) = bridge.membership_budget.acquire().await else { return };
                if bridge.stop.is_cancelled() {
                    return;
                }
                drop(bridge.client.leave(ghost, &room_id, None).await);
            }
        });
        Ok(())
    }

    /// A room of a session that was closed while it was being made is left, should it be there.
    pub(super) async fn give_up(&self, room: &RoomRow) {
        self.forget_early(room.id);
        self.perhaps_made.lock().unwrap_or_else(PoisonError::into_inner).remove(&room.id);
        let find = || async { self.find_marked(&room.creator, &room.marker).await.map_err(temporary) };
        match self.persist(find).await {
            Ok(Some(room_id)) => {
                let owner = room.owner.as_deref().unwrap_or_default();
                self.abandon(&room.creator, &room_id, owner, REASON).await;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(room = room.id, %error, "a room that nobody wants may be there"),
        }
    }

    /// Takes a room's owner out of it, and then its creator.
    pub(super) async fn abandon(&self, creator: &str, room_id: &str, owner: &str, reason: &str) {
        for left in [
            self.persist(|| self.client.kick(creator, room_id, owner, reason)).await,
            self.persist(|| self.client.leave(creator, room_id, None)).await,
        ] {
            if let Err(error) = left {
                tracing::debug!(room = room_id, %error, "a room was not left");
            }
        }
    }
}
