//! Closing a session: out of its network and out of its rooms, and no start brings it back. What was said is kept.
//!
//! The rooms are left first, each call made again until its outcome is known, and then one commit ends their links and
//! the session. So a crash in between leaves a session that can be closed again.

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
        let rooms = self.store.rooms_of_session(row.id).await?;
        let made: Vec<(&RoomRow, &String)> =
            rooms.iter().filter_map(|room| Some((room, room.room_id.as_ref()?))).collect();
        for (done, (room, room_id)) in made.iter().enumerate() {
            if let Some(progress) = progress {
                let text = format!("Leaving the rooms of {}: {done} of {}.", row.network, made.len());
                progress.show(self, &RichText::plain(text)).await;
            }
            self.vacate(room, room_id, &row.user_id).await?;
        }
        if let Some(space) = self.store.space(row.id).await?.and_then(|space| space.room_id) {
            self.abandon(self.client.bot(), &space, &row.user_id).await;
        }
        self.end_session(row.id).await?;
        // What waited for them is set aside.
        rooms.iter().for_each(|room| self.wake_delivery(room.id));
        let name = self.network_name(&row.network);
        let rooms = if made.len() == 1 { "its room".to_owned() } else { format!("its {} rooms", made.len()) };
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

    async fn abandon(&self, creator: &str, room_id: &str, owner: &str) {
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
