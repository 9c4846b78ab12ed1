//! Rooms that the homeserver no longer has, purged by its administrator or lost with a backup, and rooms that became
//! encrypted, so that the bridge is deaf there.
//!
//! No failed call ends a room (invariant 2): its messages are refused, and told about. Only when its user asks for that
//! channel, conversation or network again the homeserver is asked about the room, as the one who made it; and only where it says
//! for good, in two ways, that they are not in it, another room is made in its place. That happens in one commit with
//! what was asked for (`Store::open_buffer`).

use std::time::Duration;

use super::{Bridge, Outcome, Refusal, Request, SessionHandle};
use crate::names::{CaseMapping, Channel, Key, Nick};
use crate::store::{BufferKind, RoomRow, StoreError};

/// How long somebody who asks for a room waits for what the homeserver says about the one before.
const PATIENCE: Duration = Duration::from_secs(10);

impl Bridge {
    /// Enters a channel; its room is made anew where it is gone.
    pub async fn join(&self, session: &SessionHandle, channel: Channel, key: Option<Key>) -> Outcome {
        let gone = self.rooms_gone(session, BufferKind::Channel, channel.as_str()).await?;
        if let Some(renewed) = self.renew_shared(&gone, channel.as_str()).await? {
            return renewed;
        }
        session.ask(Request::Join { channel, key, gone }).await
    }

    /// Opens the room of a conversation, and makes it anew where it is gone.
    pub async fn query(&self, session: &SessionHandle, nick: &str, text: Option<String>) -> Outcome {
        let nick = Nick::new(nick).map_err(|error| Refusal::asked(format!("{nick} is no nick: {error}.")))?;
        let gone = self.rooms_gone(session, BufferKind::Query, nick.as_str()).await?;
        session.ask(Request::Query { nick, text, gone }).await
    }

    /// Invites a session's user to its network's room. One that can't be used is made anew; says why that is.
    pub async fn invite_to_network_room(
        &self,
        session: &SessionHandle,
    ) -> Result<Option<&'static str>, Refusal> {
        let room = match self.store.network_room(session.row.id).await? {
            Some(room) => self.store.room(room).await?,
            None => None,
        };
        let unusable = match room {
            Some(room) if room.explained => Some((room.id, "can't be used any more")),
            Some(RoomRow { id, room_id: Some(room_id), creator, .. }) => {
                let asked = tokio::time::timeout(PATIENCE, self.is_gone(&creator, &room_id));
                asked.await.unwrap_or(false).then_some((id, "is gone"))
            }
            _ => None,
        };
        session.ask(Request::Invite { gone: unusable.map(|(room, _)| room) }).await?;
        Ok(unusable.map(|(_, why)| why))
    }

    /// The rooms of a session's buffers of this name that the homeserver no longer has. Only the session knows its
    /// network's casemapping: there may be two by this one, and the session takes its own.
    async fn rooms_gone(
        &self,
        session: &SessionHandle,
        kind: BufferKind,
        name: &str,
    ) -> Result<Vec<i64>, StoreError> {
        let mut gone = Vec::new();
        for buffer in self.store.buffers(session.row.id).await? {
            if buffer.kind != kind || !CaseMapping::Rfc1459.same(&buffer.name, name) {
                continue;
            }
            if self.store.room(buffer.room).await?.is_some_and(|room| room.explained) {
                // It is there, and can't be read.
                gone.push(buffer.room);
            } else if let Some(room_id) = &buffer.room_id {
                let asked = tokio::time::timeout(PATIENCE, self.is_gone(&buffer.creator, room_id));
                if asked.await.unwrap_or(false) {
                    gone.push(buffer.room);
                }
            }
        }
        Ok(gone)
    }

    /// Whether the homeserver says for good that the one who made a room is not in it.
    pub(super) async fn is_gone(&self, creator: &str, room_id: &str) -> bool {
        if creator != self.client.bot() {
            // A homeserver that was restored from a backup may not know the ghost; then it could not be asked.
            let localpart = creator.trim_start_matches('@').split(':').next().unwrap_or_default();
            if let Err(error) = self.client.register(localpart).await {
                tracing::debug!(%error, "a ghost was not registered again");
            }
        }
        match self.client.joined_rooms(creator).await {
            Ok(rooms) if !rooms.iter().any(|room| room == room_id) => {}
            _ => return false,
        }
        let looked = self.client.look_into(creator, room_id).await;
        matches!(looked, Err(error) if error.is("M_FORBIDDEN") || error.is("M_NOT_FOUND"))
    }
}
