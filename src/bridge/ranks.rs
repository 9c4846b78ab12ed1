//! The ranks of a channel's operators before their ghosts' names in its room, by the setting `ranks`: `@bob`.
//!
//! It is the name that a ghost has in that one room; powers it never gets any. No nick begins with such a character, so
//! that nobody gives it to themselves. Nothing is done at a line, nor where nobody has set it: a change of ranks wakes the
//! room's lane, which waits a moment, so that what is taken and given again in a storm is nothing, asks the session who
//! has which rank now, and makes the difference to what is stored, within the budget of memberships.
//!
//! Who is not in the channel just now, as in a netsplit, keeps the name that they have.
//!
//! Invariants 2 (a failed call changes nothing that is stored), 9 (so many names in a room, [`MOST_RANKED`]).

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::delivery::temporary;
use super::ghosts::{Coming, GhostError};
use super::session::{MembersRequest, Ranked};
use super::{Bridge, Request};
use crate::store::{RankedGhost, StoreError};

/// What changes within it and changes back was nothing.
const SETTLE: Duration = Duration::from_secs(2);
/// Names of a room that show a rank.
pub(super) const MOST_RANKED: usize = 200;

/// Rooms in which names show ranks, or did.
#[derive(Debug, Default)]
pub(super) struct RankedRooms(Mutex<HashSet<i64>>);

impl RankedRooms {
    fn lock(&self) -> MutexGuard<'_, HashSet<i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bridge {
    /// The ranks in a room, or who is there, may be others than before.
    pub(super) fn note_ranks(&self, room: i64) {
        if self.ranked_rooms.lock().contains(&room) {
            self.wake_ranks(room);
        }
    }

    /// Names in this room are to show ranks.
    pub(super) fn want_ranks(&self, room: i64) {
        self.ranked_rooms.lock().insert(room);
        self.wake_ranks(room);
    }

    /// Takes up what names have shown before.
    pub(super) async fn load_ranks(&self) -> Result<(), StoreError> {
        let rooms = self.store.rooms_with_ranks().await?;
        self.ranked_rooms.lock().extend(rooms);
        Ok(())
    }

    fn wake_ranks(&self, room: i64) {
        let bridge = self.clone();
        self.ranks.wake(&self.tasks, &self.stop, room, move |room| bridge.clone().keep_ranks(room));
    }

    async fn keep_ranks(self, room: i64) {
        let mut attempt = 0;
        loop {
            if self.stop.run_until_cancelled(tokio::time::sleep(SETTLE)).await.is_none() {
                return;
            }
            let error = match self.try_keep_ranks(room).await {
                Ok(true) => continue,
                Ok(false) | Err(GhostError::Store(StoreError::Closed)) => return,
                Err(error) => temporary(error),
            };
            if attempt == 0 {
                tracing::warn!(room, %error, "names can't show their ranks yet");
            }
            if !self.pause_after(&error, attempt).await {
                return;
            }
            attempt += 1;
        }
    }

    /// Whether to look again: somebody is on their way in or out.
    async fn try_keep_ranks(&self, room: i64) -> Result<bool, GhostError> {
        let Some(row) = self.store.room(room).await? else {
            self.ranked_rooms.lock().remove(&room);
            return Ok(false);
        };
        let session = row.session.or_else(|| self.watches.observer(room));
        let (Some(room_id), Some(session)) = (&row.room_id, session.and_then(|id| self.session(id))) else {
            return Ok(false);
        };
        let shown = self.store.shown_ranks(room).await?;
        let (answer, answered) = oneshot::channel();
        let nicks = shown.iter().map(|ghost| ghost.folded.clone()).collect();
        let question = MembersRequest::Ranks { room, shown: nicks, answer };
        let asked = session.ask(Request::Members(question)).await;
        let (Ok(_), Ok(ranked)) = (asked, answered.await) else { return Ok(false) };
        let Ranked { is_wanted, ranks, without } = ranked;
        if !is_wanted && shown.is_empty() {
            self.ranked_rooms.lock().remove(&room);
            return Ok(false);
        }
        let network = row.network.as_deref().unwrap_or_default();
        let mut changes: Vec<(RankedGhost, Option<String>)> = Vec::new();
        for (folded, prefix) in ranks {
            let known = shown.iter().find(|ghost| ghost.folded == folded).cloned();
            let ghost = match known {
                Some(ghost) => Some(ghost),
                // Who is not there yet gets it when they are.
                None => self.store.member_named(room, network, &folded).await?,
            };
            let prefix = Some(prefix.to_string());
            changes.extend(ghost.filter(|ghost| ghost.rank != prefix).map(|ghost| (ghost, prefix)));
        }
        let lost = shown.into_iter().filter(|ghost| without.contains(&ghost.folded));
        changes.extend(lost.map(|ghost| (ghost, None)));
        let mut is_unfinished = false;
        for (ghost, rank) in changes {
            is_unfinished |= !self.show_rank(room, room_id, &ghost, rank).await?;
        }
        Ok(is_unfinished)
    }

    /// Whether that is done, or can't be done.
    async fn show_rank(
        &self,
        room: i64,
        room_id: &str,
        ghost: &RankedGhost,
        rank: Option<String>,
    ) -> Result<bool, GhostError> {
        let Some(name) = &ghost.display_name else { return Ok(true) };
        if !self.membership_turn(2).await || self.stop.is_cancelled() {
            return Ok(true);
        }
        // Whoever says that a ghost is there brings it there: not while it comes or goes.
        let Some(_standing) = Coming::begin(self, room, &ghost.user_id) else { return Ok(false) };
        if self.store.membership(room, ghost.ghost).await? != Some(true) {
            return Ok(true);
        }
        let _budget = self.membership_budget.acquire().await;
        let user_id = &ghost.user_id;
        // With the picture that it has.
        let member = match self.client.state(user_id, room_id, "m.room.member", user_id).await {
            Err(error) if !error.is_final() => return Err(error.into()),
            member => member.ok().flatten(),
        };
        let Some(mut member) = member.filter(|member| member["membership"] == "join") else {
            return Ok(true);
        };
        member["displayname"] = format!("{}{name}", rank.as_deref().unwrap_or_default()).into();
        match self.client.send_state(user_id, room_id, "m.room.member", user_id, &member).await {
            Ok(_) => {}
            // It is not asked for again until it is another.
            Err(error) if error.is_final() => {
                tracing::debug!(room, ghost = %user_id, %error, "a name can't show its rank");
            }
            Err(error) => return Err(error.into()),
        }
        self.store.rank_shown(room, ghost.ghost, rank).await?;
        Ok(true)
    }
}
