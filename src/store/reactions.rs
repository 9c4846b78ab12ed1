//! Reactions, on either side, so that they can be taken back on the other.

use sqlx::FromRow;

use super::pool::{Tx, later, on};
use super::{Store, StoreError};

/// A reaction to be remembered.
#[derive(Debug, Clone)]
pub struct NewReaction {
    /// The number of the buffer.
    pub buffer: i64,
    /// The id of the message on IRC.
    pub msgid: String,
    /// Who reacted, folded.
    pub nick: String,
    /// With what.
    pub key: String,
    /// The transaction id of the outbox row that shows it.
    pub txn_id: Option<String>,
    /// The user's own event that it is.
    pub event_id: Option<String>,
}

/// A reaction that stands.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct StoredReaction {
    /// Our number for it.
    pub id: i64,
    /// The id of the message on IRC.
    pub msgid: String,
    /// With what.
    pub key: String,
    /// The transaction id of the outbox row that shows it.
    pub txn_id: Option<String>,
}

impl Store {
    /// Somebody's reaction to a message.
    pub async fn reaction(
        &self,
        buffer: i64,
        msgid: &str,
        nick: &str,
        key: &str,
    ) -> Result<Option<StoredReaction>, StoreError> {
        const SQL: &str = "SELECT id, msgid, key, txn_id FROM reaction
            WHERE buffer = $1 AND msgid = $2 AND nick = $3 AND key = $4";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL)
            .bind(buffer)
            .bind(msgid)
            .bind(nick)
            .bind(key)
            .fetch_optional(p)
            .await)?)
    }

    /// The reaction that an event of the user's is.
    pub async fn reaction_of_event(
        &self,
        buffer: i64,
        event_id: &str,
    ) -> Result<Option<StoredReaction>, StoreError> {
        const SQL: &str = "SELECT id, msgid, key, txn_id FROM reaction WHERE buffer = $1 AND event_id = $2";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL).bind(buffer).bind(event_id).fetch_optional(p).await)?)
    }
}

/// Forgets reactions that were taken back, and stores others, which may take the place of those.
pub(super) async fn note(
    tx: &mut Tx,
    new: Vec<NewReaction>,
    gone: Vec<i64>,
    now: i64,
) -> Result<(), StoreError> {
    const NEW: &str = "INSERT INTO reaction (buffer, msgid, nick, key, txn_id, event_id, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (buffer, msgid, nick, key) DO NOTHING";
    const GONE: &str = "DELETE FROM reaction WHERE id = $1";
    for reaction in gone {
        later!(tx, GONE, reaction)?;
    }
    for NewReaction { buffer, msgid, nick, key, txn_id, event_id } in new {
        later!(tx, NEW, buffer, msgid, nick, key, txn_id, event_id, now)?;
    }
    Ok(())
}
