//! Closing a session: out of its network and out of its rooms, and no start brings it back. What was said is kept.
//!
//! The rooms are left first, each call made again until its outcome is known, and then one commit ends their links and
//! the session, unless there is one more room by then. So a crash in between leaves a session that can be closed again.
//! A room that is still being made is left by whoever makes it.

use std::sync::PoisonError;

use super::delivery::temporary;
use super::{Bridge, Outcome, Progress, Request, SessionHandle};
use crate::format::RichText;
use crate::store::{RoomRow, StoreError};

const REASON: &str = "You have closed this network.";

impl Bridge {
    /// Closes a session, and says of how many rooms.
    pub async fn close_session(&self, session: &SessionHandle, progress: Option<&Progress>) -> Outcome {
        let row = &session.row;
        // One that does not run has no connection to end.
        drop(session.ask(Request::Disconnect { reason: String::new() }).await);
        self.leave_shared_rooms(row.id, REASON).await?;
        let (mut left, mut spaces) = (Vec::new(), Vec::new());
        let rooms = loop {
            let rooms = self.store.rooms_of_session(row.id).await?;
            let made = rooms.iter().filter_map(|room| Some((room, room.room_id.as_ref()?)));
            let made: Vec<_> = made.filter(|(_, room_id)| !left.contains(*room_id)).collect();
            let most = left.len() + made.len();
            for (room, room_id) in made {
                if let Some(progress) = progress {
                    let text = format!("Leaving the rooms of {}: {} of {most}.", row.network, left.len());
                    progress.show(self, &RichText::plain(text)).await;
                }
                self.vacate(room, room_id, &row.user_id).await?;
                left.push(room_id.clone());
            }
            if let Some(space) = self.store.space(row.id).await?.and_then(|space| space.room_id) {
                self.abandon(self.client.bot(), &space, &row.user_id).await;
                spaces.push(space);
            }
            // One may have been made meanwhile.
            if self.end_session(row.id, left.iter().chain(&spaces).cloned().collect()).await? {
                break rooms;
            }
        };
        // What waited for them is set aside.
        rooms.iter().for_each(|room| self.wake_delivery(room.id));
        let name = self.network_name(&row.network);
        let rooms = if left.len() == 1 { "its room".to_owned() } else { format!("its {} rooms", left.len()) };
        let text = format!(
            "Closed: you are no longer on {name}, nor in {rooms}. What was said is kept; to delete it, type "
        );
        Ok(RichText::plain(text)
            .code(format!("forget {}", row.network))
            .text(", and to come back, ")
            .code(format!("open {}", row.network))
            .text("."))
    }

    /// Takes the owner and ourselves out of a room. Who is not in it needs not be taken out.
    async fn vacate(&self, room: &RoomRow, room_id: &str, owner: &str) -> Result<(), StoreError> {
        let ghosts = self.store.ghosts_in(room.id).await?;
        self.abandon(&room.creator, room_id, owner).await;
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
                self.abandon(&room.creator, &room_id, owner).await;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(room = room.id, %error, "a room that nobody wants may be there"),
        }
    }

    pub(super) async fn abandon(&self, creator: &str, room_id: &str, owner: &str) {
        for left in [
            self.persist(|| self.client.kick(creator, room_id, owner, REASON)).await,
            self.persist(|| self.client.leave(creator, room_id, None)).await,
        ] {
            if let Err(error) = left {
                tracing::debug!(room = room_id, %error, "a room was not left");
            }
        }
    }
}
