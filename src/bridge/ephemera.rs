//! What passes, from the homeserver to the sessions that it is about, and back: best effort, on both ways.
//!
//! Nothing of it is stored, and nobody waits for it: what finds no place is dropped. So it can hold up neither a
//! transaction's answer nor a session, however much of it there is.

use std::sync::atomic::Ordering;

use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::Bridge;
use crate::matrix::ephemeral::{Ephemeral, EphemeralKind};
use crate::store::SHARED;

/// What may wait to be passed on, in all.
pub(super) const MOST_WAITING: usize = 128;
/// Calls that say who types on IRC, at once.
pub(super) const TYPING_BUDGET: usize = 4;

/// What a session is told about one of its rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Passing {
    /// Whether its user types.
    Typing(bool),
    /// Its user has read up to this event.
    Read(String),
    /// Whether its user is there, in whichever room.
    Presence(bool),
}

impl Bridge {
    /// Whether the homeserver has told of anybody's presence, since this process runs.
    pub fn tells_presence(&self) -> bool {
        self.tells_presence.load(Ordering::Relaxed)
    }

    /// Takes what came with a transaction.
    pub(super) fn take_ephemera(&self, ephemera: &[Box<RawValue>]) {
        for ephemeral in ephemera.iter().filter_map(|json| Ephemeral::read(json.get())) {
            if self.ephemera.try_send(ephemeral).is_err() {
                self.tally.passing_dropped.count();
                return;
            }
        }
    }

    /// Passes on what comes, until the bridge stops.
    pub(super) async fn pass_on_ephemera(self, mut waiting: mpsc::Receiver<Ephemeral>) {
        loop {
            let next = tokio::select! {
                next = waiting.recv() => next,
                () = self.stop.cancelled() => None,
            };
            let (room_id, kind) = match next {
                Some(Ephemeral::InRoom { room_id, kind }) => (room_id, kind),
                Some(Ephemeral::Presence { user_id, is_here }) => {
                    self.tells_presence.store(true, Ordering::Relaxed);
                    for session in self.sessions(Some(&user_id)) {
                        session.pass(session.row.id, Passing::Presence(is_here));
                    }
                    continue;
                }
                None => return,
            };
            let rooms = match self.store.rooms_by_matrix_id(&room_id).await {
                Ok(rooms) => rooms,
                Err(error) => {
                    tracing::debug!(%error, "what passes in a room is not passed on");
                    continue;
                }
            };
            for room in rooms.iter().filter(|room| room.lane == SHARED) {
                self.pass_in_shared_room(room.id, &kind);
            }
            let Some(room) = rooms.into_iter().find(|room| room.lane != SHARED) else { continue };
            let session = room.lane.strip_prefix("session/").and_then(|id| self.session(id.parse().ok()?));
            let (Some(session), Some(owner)) = (session, room.owner) else { continue };
            let passing = match kind {
                EphemeralKind::Typing(users) => Some(Passing::Typing(users.contains(&owner))),
                EphemeralKind::Read(read) => {
                    let read = read.into_iter().find(|(user, _)| *user == owner);
                    read.map(|(_, event_id)| Passing::Read(event_id))
                }
            };
            if let Some(passing) = passing {
                session.pass(room.id, passing);
            }
        }
    }

    /// Each is told of their own: by their own connection they type on IRC, and have read.
    fn pass_in_shared_room(&self, room: i64, kind: &EphemeralKind) {
        match kind {
            EphemeralKind::Typing(users) => {
                for (session, types) in self.watches.typists(room, users) {
                    if let Some(session) = self.session(session) {
                        session.pass(room, Passing::Typing(types));
                    }
                }
            }
            EphemeralKind::Read(read) => {
                for (user_id, event_id) in read {
                    let session = self.watches.session_of(room, user_id).and_then(|id| self.session(id));
                    if let Some(session) = session {
                        session.pass(room, Passing::Read(event_id.clone()));
                    }
                }
            }
        }
    }

    /// Shows in a room that a ghost types, or does no longer; unless too much is shown already.
    pub(super) fn show_typing(&self, room: i64, user_id: &str, types: bool) {
        let Ok(permit) = std::sync::Arc::clone(&self.typing_budget).try_acquire_owned() else { return };
        let (bridge, user_id) = (self.clone(), user_id.to_owned());
        self.tasks.spawn(async move {
            let _permit = permit;
            let Ok(Some(room)) = bridge.store.room(room).await else { return };
            let Some(room_id) = room.room_id else { return };
            if let Err(error) = bridge.client.set_typing(&user_id, &room_id, types).await {
                tracing::debug!(%error, "nobody sees that a ghost types");
            }
        });
    }
}
