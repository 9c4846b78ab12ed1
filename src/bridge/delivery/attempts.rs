//! Requests under way, and the echoes that confirm them.
//!
//! What the bridge sends comes back in the homeserver's transactions, with the content key in it. An echo of a request
//! that is under way right now tells that it was carried out, and as which event, also when its answer is lost. All
//! other echoes, which are the bulk, cost one look into a map of a few entries and never touch the store.
//!
//! Somebody may answer what the bridge has sent before its answer is there; the echo comes before theirs, and tells what
//! they mean.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::bridge::Bridge;
use crate::store::{Outbox, StoreError};

/// The requests under way, by their transaction ids.
#[derive(Default)]
pub(in crate::bridge) struct Attempts(Mutex<HashMap<String, Attempt>>);

struct Attempt {
    /// The number of its row, the first one where it stands for several, and that of its room.
    row: (i64, i64),
    room_id: String,
    sender: String,
    /// The event that it became, once its echo has come.
    event_id: Option<String>,
}

/// A request under way; it is forgotten with this, which is kept until the store will know what came of it.
pub(super) struct UnderWay<'a> {
    attempts: &'a Attempts,
    txn_id: String,
}

impl Attempts {
    /// A request may be carried out from now on. What is known of an earlier attempt stays known.
    pub(super) fn begin(&self, request: &Outbox, room_id: &str) -> UnderWay<'_> {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.entry(request.txn_id.clone()).or_insert_with(|| Attempt {
            row: (request.seq, request.room),
            room_id: room_id.to_owned(),
            sender: request.sender.clone(),
            event_id: None,
        });
        UnderWay { attempts: self, txn_id: request.txn_id.clone() }
    }

    /// An event of ours has come back. Its key alone proves nothing, since anybody may copy it: room and sender must be
    /// those of the request, too.
    pub(in crate::bridge) fn echoed(&self, key: &str, room_id: &str, sender: &str, event_id: &str) {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(attempt) = attempts.get_mut(key)
            && attempt.room_id == room_id
            && attempt.sender == sender
        {
            attempt.event_id = Some(event_id.to_owned());
        }
    }

    /// How many requests are under way.
    pub(in crate::bridge) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The event that a request under way became, where its echo has come.
    pub(super) fn echo(&self, txn_id: &str) -> Option<String> {
        let attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.get(txn_id)?.event_id.clone()
    }

    /// The request under way that has become this event, by its number and that of its room.
    fn row_of(&self, event_id: &str) -> Option<(i64, i64)> {
        let attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.values().find(|one| one.event_id.as_deref() == Some(event_id)).map(|one| one.row)
    }
}

impl Bridge {
    /// Makes the store know what this event is of, where only its echo tells.
    pub(in crate::bridge) async fn note_echo(&self, event_id: &str) -> Result<(), StoreError> {
        let Some((seq, room)) = self.attempts.row_of(event_id) else { return Ok(()) };
        self.store.request_became(seq, room, event_id).await
    }
}

impl UnderWay<'_> {
    /// The event that the request became, where its echo has come.
    pub(super) fn echo(&self) -> Option<String> {
        self.attempts.echo(&self.txn_id)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.attempts.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.txn_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::OutboxKind;
    use rstest::rstest;

    fn request() -> Outbox {
        Outbox {
            seq: 1,
            room: 2,
            txn_id: "key".into(),
            sender: "@bob:x".into(),
            kind: OutboxKind::Message,
            payload: String::new(),
            ts: None,
            batch: None,
            created_at: 0,
        }
    }

    #[rstest]
    #[case::it_is("key", "!room:x", "@bob:x", Some("$e"))]
    #[case::another_key("other", "!room:x", "@bob:x", None)]
    #[case::copied_into_another_room("key", "!other:x", "@bob:x", None)]
    #[case::copied_by_another_ghost("key", "!room:x", "@carol:x", None)]
    fn an_echo_confirms_its_own_request_and_no_other(
        #[case] key: &str,
        #[case] room_id: &str,
        #[case] sender: &str,
        #[case] echo: Option<&str>,
    ) {
        let attempts = Attempts::default();
        let under_way = attempts.begin(&request(), "!room:x");
        attempts.echoed(key, room_id, sender, "$e");
        assert_eq!(under_way.echo().as_deref(), echo);
    }

    #[test]
    fn an_event_is_of_a_request_by_its_echo_and_as_long_as_that_is_under_way() {
        let attempts = Attempts::default();
        let under_way = attempts.begin(&request(), "!room:x");
        assert_eq!(attempts.row_of("$e"), None);
        attempts.echoed("key", "!room:x", "@bob:x", "$e");
        assert_eq!((attempts.row_of("$e"), attempts.row_of("$f")), (Some((1, 2)), None));
        drop(under_way);
        assert_eq!(attempts.row_of("$e"), None);
    }

    #[test]
    fn an_echo_outlives_a_new_attempt_and_goes_with_the_request() {
        let attempts = Attempts::default();
        let searched = attempts.begin(&request(), "!room:x");
        attempts.echoed("key", "!room:x", "@bob:x", "$e");
        let made = attempts.begin(&request(), "!room:x");
        assert_eq!(made.echo().as_deref(), Some("$e"));
        drop((made, searched));
        attempts.echoed("key", "!room:x", "@bob:x", "$e");
        assert!(attempts.0.lock().unwrap().is_empty());
    }
}
