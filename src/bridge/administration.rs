//! What administrators ask of the bridge as a whole: how it is, and that all are told something.

use super::content::{self, MessageType};
use super::{Bridge, SessionHandle, SessionState, Status};
use crate::config::Permission;
use crate::format::RichText;
use crate::store::StoreError;

/// How the bridge is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Census {
    /// People who ever used it.
    pub users: usize,
    /// Sessions, by how they stand, where there are such.
    pub sessions: Vec<(SessionState, usize)>,
    /// Events from the homeserver that nobody has dealt with.
    pub events_waiting: i64,
    /// Events that could not be dealt with.
    pub events_failed: i64,
    /// Requests to the homeserver.
    pub requests_waiting: i64,
    /// The rooms that they are for.
    pub rooms_waiting: usize,
    /// Rooms that somebody is yet to be brought into.
    pub rooms_ushered: usize,
    /// Messages that wait to go to IRC.
    pub lines_waiting: usize,
    /// Bytes in memory, where the system tells.
    pub memory: Option<u64>,
}

impl Bridge {
    /// Counts.
    pub async fn census(&self) -> Result<Census, StoreError> {
        const STATES: [SessionState; 5] = [
            SessionState::Connected,
            SessionState::Connecting,
            SessionState::Waiting,
            SessionState::Stuck,
            SessionState::Idle,
        ];
        let statuses: Vec<Status> = self.sessions(None).iter().map(SessionHandle::status).collect();
        let states: Vec<SessionState> = statuses.iter().map(|status| status.state).collect();
        let leaving = |status: &Status| status.leaving.as_ref().map_or(0, |leaving| leaving.backlog.messages);
        let count = |state| states.iter().filter(|one| **one == state).count();
        let (events_waiting, events_failed) = self.store.event_counts().await?;
        let requests = self.store.rooms_with_requests().await?;
        Ok(Census {
            users: self.store.user_ids().await?.len(),
            sessions: STATES.map(|state| (state, count(state))).into_iter().filter(|(_, n)| *n > 0).collect(),
            events_waiting,
            events_failed,
            requests_waiting: requests.iter().map(|(_, count)| count).sum(),
            rooms_waiting: requests.len(),
            rooms_ushered: self.usher.len(),
            lines_waiting: statuses.iter().map(|status| status.waiting + leaving(status)).sum(),
            memory: resident(),
        })
    }

    /// Lets nobody connect anew, or everybody again; who is connected stays.
    pub fn drain(&self, drains: bool) {
        self.draining.send_replace(drains);
    }

    /// Whether nobody connects anew.
    pub fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Waits until there may be new connections.
    pub(super) async fn drained(&self) {
        let mut draining = self.draining.subscribe();
        // The bridge holds the other end.
        let _ = draining.wait_for(|drains| !drains).await;
    }

    /// Tells all who may use the bridge, each in their chat with the bot, so that it reaches them. Returns how many.
    pub async fn announce(&self, by: &str, text: &str) -> Result<usize, StoreError> {
        // One commit for all: whoever has the command done again after a failure tells nobody twice.
        let (mut rows, mut rooms) = (Vec::new(), Vec::new());
        for (user, user_id) in self.store.user_ids().await? {
            if self.permission_of(&user_id) == Permission::None {
                continue;
            }
            // Who has left every chat with the bot is invited to one.
            let (room, way) = self.way_to(user, &user_id).await?;
            rows.extend(way);
            let text = RichText::new().bold("From the administrator of this bridge: ").text(text);
            let content = content::message(MessageType::Text, &text, Some(&user_id));
            rows.push(content::message_row(room.id, self.client.bot(), content, None));
            rooms.push(room.id);
        }
        self.enqueue(rows).await?;
        let told = rooms.len();
        rooms.into_iter().for_each(|room| self.wake_delivery(room));
        tracing::info!(%by, told, "an administrator told all users something");
        Ok(told)
    }

    /// Tells a user something in their chat with the bot, so that it reaches them. Who has left every such chat is invited
    /// to one.
    pub(super) async fn tell(&self, user: i64, user_id: &str, text: &RichText) -> Result<(), StoreError> {
        let (room, mut rows) = self.way_to(user, user_id).await?;
        let content = content::message(MessageType::Text, text, Some(user_id));
        rows.push(content::message_row(room.id, self.client.bot(), content, None));
        self.enqueue(rows).await?;
        self.wake_delivery(room.id);
        Ok(())
    }
}

/// The resident memory of this process, in bytes, on Linux.
pub(super) fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
