//! Lines that sessions of one channel have heard, each in its own history: the same line is found in another's.
//!
//! In a shared room one session shows what is said, so that only its line knows the event. What anybody gets to read of it
//! is their own line, which they have heard themselves.

use super::super::pool::on;
use super::super::{Store, StoreError, StoredReaction};
use super::number::first_at;
use super::redact::Told;

/// Two sessions hear a line within this time of each other, in milliseconds.
const APART: i64 = 2 * 60 * 1000;

impl Store {
    /// The lines of a buffer that an event stands for which another session of the channel has shown or sent.
    pub async fn lines_of_others_event(&self, buffer: i64, event_id: &str) -> Result<Vec<Told>, StoreError> {
        const THEIRS: &str = "SELECT history.id, history.kind, history.sender, history.target, history.text,
                history.at, history.msgid, history.event_id, history.direction = 'out' AS own
            FROM buffer AS own JOIN buffer AS theirs ON theirs.channel = own.channel AND theirs.id <> own.id
            JOIN history ON history.buffer = theirs.id
            WHERE own.id = $1 AND history.event_id IS NOT NULL AND history.event_id = $2 ORDER BY history.id";
        let theirs: Vec<Told> =
            on!(self.readers(), |p| sqlx::query_as(THEIRS).bind(buffer).bind(event_id).fetch_all(p).await)?;
        let mut found: Vec<Told> = Vec::with_capacity(theirs.len());
        for line in theirs {
            let known = match &line.msgid {
                Some(msgid) => self.line_of_msgid(buffer, msgid).await?,
                None => None,
            };
            let own = match known {
                Some(known) => Some(known),
                None => self.nearest(buffer, &line, &found).await?,
            };
            found.extend(own.map(|own| Told { event_id: Some(event_id.to_owned()), ..own }));
        }
        Ok(found)
    }

    /// Whether another session of the channel has sent what an event says: its user said it in the room.
    pub async fn is_said_by_another(&self, buffer: i64, event_id: &str) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT history.id
            FROM buffer AS own JOIN buffer AS theirs ON theirs.channel = own.channel AND theirs.id <> own.id
            JOIN history ON history.buffer = theirs.id
            WHERE own.id = $1 AND history.event_id IS NOT NULL AND history.event_id = $2
                AND history.direction = 'out' LIMIT 1";
        let line: Option<i64> = on!(self.readers(), |p| sqlx::query_scalar(SQL)
            .bind(buffer)
            .bind(event_id)
            .fetch_optional(p)
            .await)?;
        Ok(line.is_some())
    }

    /// The line with this text by this nick that was heard closest to another, and is none of those.
    async fn nearest(&self, buffer: i64, line: &Told, but: &[Told]) -> Result<Option<Told>, StoreError> {
        const NEAR: &str =
            "SELECT id, kind, sender, target, text, at, msgid, event_id, direction = 'out' AS own
            FROM history WHERE buffer = $1 AND id >= $2 AND id < $3 AND sender = $4 AND text = $5
                AND kind <> 'redacted' ORDER BY id";
        let near: Vec<Told> = on!(self.readers(), |p| sqlx::query_as(NEAR)
            .bind(buffer)
            .bind(first_at(line.at.saturating_sub(APART)))
            .bind(first_at(line.at.saturating_add(APART)))
            .bind(&line.sender)
            .bind(&line.text)
            .fetch_all(p)
            .await)?;
        // Two that both have ids, and not the same, are two.
        let may_be = |one: &Told| {
            (one.msgid.is_none() || line.msgid.is_none()) && !but.iter().any(|known| known.id == one.id)
        };
        Ok(near.into_iter().filter(may_be).min_by_key(|one| one.at.abs_diff(line.at)))
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
            FROM buffer AS own JOIN buffer AS one ON one.channel = own.channel
            JOIN history ON history.buffer = one.id AND history.msgid IS NOT NULL AND history.msgid = $3
            LEFT JOIN outbox ON outbox.history IS NOT NULL AND outbox.history = history.id AND outbox.room = $2
            LEFT JOIN inbox ON inbox.event_id = history.event_id
                AND inbox.room_id = (SELECT room_id FROM room WHERE id = $2)
            WHERE own.id = $1 AND (outbox.state = 'queued'
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
