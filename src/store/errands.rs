//! Errands: the command of a user that is being carried out.
//!
//! It is stored in the commit that takes the event out of the inbox, and forgotten in the one that stores the answer. So
//! a process that ends in between leaves behind that there was one, and the next can say so: nothing is done twice, and
//! nobody is left without an answer. A user's commands are carried out one after another, so there is one at most.

use serde::{Deserialize, Serialize};

use super::outbox::{self, NewOutbox};
use super::pool::{later, on};
use super::settings::ERRAND;
use super::{Store, StoreError, inbox};

/// A command under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// The number of the room in which it was typed.
    pub room: i64,
    /// The message.
    pub event_id: String,
    /// The Matrix user who answers there.
    pub speaker: String,
    /// The transaction id of the hourglass under the message, whether there is one or not.
    pub hourglass: String,
}

impl Store {
    /// Marks an event as done and commits, together with these requests, that its command is under way.
    pub async fn begin_errand(
        &self,
        seq: i64,
        user: i64,
        errand: &Errand,
        rows: Vec<NewOutbox>,
        now: i64,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO setting (scope, scope_id, key, value) VALUES ('user', $1, $2, $3)
            ON CONFLICT (scope, scope_id, key) DO UPDATE SET value = excluded.value";
        let errand = serde_json::to_vec(errand).unwrap_or_default();
        let sealed = self.seal_outbox(rows);
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                inbox::finish(tx, seq, None).await?;
                later!(tx, SQL, user.to_string(), ERRAND.key, errand)?;
                outbox::insert(tx, &store, sealed, now).await
            })
        })
        .await
    }

    /// Commits the answer to a user's command, and that it is no longer under way.
    pub async fn end_errand(&self, user: i64, rows: Vec<NewOutbox>, now: i64) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM setting WHERE scope = 'user' AND scope_id = $1 AND key = $2";
        let sealed = self.seal_outbox(rows);
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, user.to_string(), ERRAND.key)?;
                outbox::insert(tx, &store, sealed, now).await
            })
        })
        .await
    }

    /// The users' numbers and commands that were under way when the last process ended.
    pub async fn errands(&self) -> Result<Vec<(i64, Errand)>, StoreError> {
        const SQL: &str =
            "SELECT CAST(scope_id AS BIGINT), value FROM setting WHERE scope = 'user' AND key = $1";
        let rows: Vec<(i64, Vec<u8>)> =
            on!(self.readers(), |p| sqlx::query_as(SQL).bind(ERRAND.key).fetch_all(p).await)?;
        let read = |(user, value): (i64, Vec<u8>)| Some((user, serde_json::from_slice(&value).ok()?));
        Ok(rows.into_iter().filter_map(read).collect())
    }
}
