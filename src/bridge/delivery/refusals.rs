//! What the homeserver refused for good, told in the session's network room: once in an hour for each room and reason,
//! with how many more were like it. Only what is still to be told is in memory; the refused rows themselves are counted
//! in the store.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::super::Bridge;
use super::super::content::{self, MessageType};
use crate::format::RichText;
use crate::matrix::ClientError;
use crate::store::{Outbox, OutboxKind, RoomKind, RoomRow, StoreError};

/// What comes together is told together.
const GATHERED: Duration = Duration::from_secs(2);
/// From one notice to the next of the same room and reason.
const PAUSE: Duration = Duration::from_hours(1);
/// Rooms and reasons that are told of at a time. What is beyond stands in the log.
const MOST: usize = 200;

/// A room and the code of the refusal.
pub(in crate::bridge) type Key = (i64, String);

/// Refusals that are still to be told.
#[derive(Default)]
pub(in crate::bridge) struct Refusals(Mutex<HashMap<Key, Refusal>>);

struct Refusal {
    network_room: i64,
    /// The first of them, in words.
    first: String,
    /// How many came after it.
    more: u64,
}

impl Refusals {
    /// Counts a refusal; `false` where there are too many of other kinds.
    fn count(&self, key: &Key, network_room: i64, text: impl FnOnce() -> String) -> bool {
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(refusal) = refusals.get_mut(key) {
            refusal.more += 1;
            return true;
        }
        if refusals.len() >= MOST {
            return false;
        }
        refusals.insert(key.clone(), Refusal { network_room, first: text(), more: 0 });
        true
    }

    fn take(&self, key: &Key) -> Option<Refusal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key)
    }
}

impl Bridge {
    /// Has the session's user told that a request was refused.
    pub(super) async fn tell_refusal(
        &self,
        room: &RoomRow,
        request: &Outbox,
        error: &ClientError,
    ) -> Result<(), StoreError> {
        // Of what is refused in the network room itself nothing could be said there.
        let (Some(session), RoomKind::Private | RoomKind::Query) = (room.session, room.kind()?) else {
            return Ok(());
        };
        let fate = match request.kind {
            OutboxKind::Message => "It was not shown",
            OutboxKind::State => "It was not made",
            // Redactions have a notice of their own, and the others are no news.
            OutboxKind::Redact | OutboxKind::Invite | OutboxKind::Reaction => return Ok(()),
        };
        let Some(network_room) = self.store.network_room(session).await? else { return Ok(()) };
        let ghost = self.store.ghost_by_user_id(&request.sender).await?;
        let what = match (request.kind, ghost) {
            (OutboxKind::State, _) => "a change of the room".to_owned(),
            (_, Some(ghost)) => format!("a message by {}", ghost.nick),
            (_, None) => "a message of mine".to_owned(),
        };
        let place = room.buffer_name.as_deref().unwrap_or_default();
        let (code, reason) = match error {
            ClientError::Refused { code, message, .. } if message.is_empty() => (code.clone(), code.clone()),
            ClientError::Refused { code, message, .. } => (code.clone(), message.clone()),
            error => (String::new(), error.to_string()),
        };
        let reason = reason.trim_end_matches('.').to_owned();
        let key = (room.id, code);
        let text = || format!("The homeserver refused {what} in {place}: {reason}. {fate}");
        if self.refusals.count(&key, network_room, text) {
            let bridge = self.clone();
            self.tellers.wake(&self.tasks, &self.stop, key, move |key| bridge.clone().tell_refusals(key));
        }
        Ok(())
    }

    /// Tells the refusals of a room and reason, as long as there are any.
    async fn tell_refusals(self, key: Key) {
        let mut is_last = self.wait_or_stop(GATHERED).await;
        while let Some(Refusal { network_room, first, more }) = self.refusals.take(&key) {
            let text =
                if more == 0 { format!("{first}.") } else { format!("{first}, and {more} more like it.") };
            let content = content::message(MessageType::Notice, &RichText::plain(text), None);
            let row = content::message_row(network_room, self.client.bot(), content, None);
            if let Err(error) = self.store.enqueue(vec![row], self.clock.unix_ms()).await {
                tracing::warn!(%error, "a refusal is not told");
            }
            self.wake_delivery(network_room);
            if is_last {
                return;
            }
            is_last = self.wait_or_stop(PAUSE).await;
        }
    }

    /// Waits; `true` when the bridge stops meanwhile.
    async fn wait_or_stop(&self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => false,
            () = self.stop.cancelled() => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_one_kind_are_counted_and_kinds_are_bounded() {
        let refusals = Refusals::default();
        let forbidden = (1, "M_FORBIDDEN".to_owned());
        for _ in 0..4 {
            assert!(refusals.count(&forbidden, 9, || "first".to_owned()));
        }
        for room in 2..=MOST as i64 {
            assert!(refusals.count(&(room, String::new()), 9, String::new));
        }
        assert!(!refusals.count(&(0, String::new()), 9, String::new));
        assert!(refusals.count(&forbidden, 9, || "fifth".to_owned()));
        let told = refusals.take(&forbidden).unwrap();
        assert_eq!((told.first.as_str(), told.more, told.network_room), ("first", 4, 9));
        assert!(refusals.take(&forbidden).is_none());
    }
}
