//! Lines of a shared room's channel that are another's there: their user said them, or their session showed them.

use super::super::pool::on;
use super::super::{Store, StoreError, StoredReaction};

impl Store {
    /// Whether another session of the channel has sent what an event says: its user said it in the room.
    pub async fn is_said_by_another(&self, buffer: i64, event_id: &str) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT history.id FROM buffer JOIN history ON history.channel = buffer.channel
            WHERE buffer.id = $1 AND history.event_id IS NOT NULL AND history.event_id = $2
                AND history.direction = 'out' AND history.buffer <> $1 LIMIT 1";
        let line: Option<i64> = on!(self.readers(), |p| sqlx::query_scalar(SQL)
            .bind(buffer)
            .bind(event_id)
            .fetch_optional(p)
            .await)?;
        Ok(line.is_some())
    }

    /// The event that the line with this id is in a room, whichever of the channel's sessions has shown it there or whose
    /// user said it; else the request that is still to make it. In whichever other room somebody has had the channel, what
    /// was shown there is none.
    pub async fn event_of_line_in(
        &self,
        (buffer, room): (i64, i64),
        msgid: &str,
    ) -> Result<Option<(Option<String>, Option<String>)>, StoreError> {
        const SQL: &str = "SELECT history.event_id, outbox.txn_id
            FROM buffer JOIN history ON history.channel = buffer.channel
                AND history.msgid IS NOT NULL AND history.msgid = $3
            LEFT JOIN outbox ON outbox.history IS NOT NULL AND outbox.history = history.id AND outbox.room = $2
            LEFT JOIN inbox ON inbox.event_id = history.event_id
                AND inbox.room_id = (SELECT room_id FROM room WHERE id = $2)
            WHERE buffer.id = $1 AND (outbox.state = 'queued'
                OR history.event_id IS NOT NULL AND (outbox.seq IS NOT NULL OR inbox.seq IS NOT NULL))
            ORDER BY history.event_id IS NULL, history.id LIMIT 1";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL)
            .bind(buffer)
            .bind(room)
            .bind(msgid)
            .fetch_optional(p)
            .await)?)
    }

    /// Somebody's reaction to a message that one of the channel's sessions has shown in this room, or that the user of
    /// this buffer has made there.
    pub async fn reaction_in(
        &self,
        (buffer, room): (i64, i64),
        msgid: &str,
        nick: &str,
        key: &str,
    ) -> Result<Option<StoredReaction>, StoreError> {
        const SQL: &str = "SELECT reaction.id, reaction.msgid, reaction.key, reaction.txn_id
            FROM buffer AS own JOIN buffer AS one ON one.channel = own.channel
            JOIN reaction ON reaction.buffer = one.id AND reaction.msgid = $3
                AND reaction.nick = $4 AND reaction.key = $5
            LEFT JOIN outbox ON outbox.txn_id = reaction.txn_id AND outbox.room = $2
            WHERE own.id = $1 AND (outbox.seq IS NOT NULL OR one.id = own.id AND reaction.event_id IS NOT NULL)
            ORDER BY reaction.id LIMIT 1";
        Ok(on!(self.readers(), |p| sqlx::query_as(SQL)
            .bind(buffer)
            .bind(room)
            .bind(msgid)
            .bind(nick)
            .bind(key)
            .fetch_optional(p)
            .await)?)
    }
}
