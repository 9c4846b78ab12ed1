//! What people on IRC can fetch by a link: media of a message, or a text that was too long.
//!
//! An item is stored in the commit that stores the line with its link, and ends in the commit that takes its message
//! back: no link leads to nothing, and none outlives its message. What is to be fetched is sealed, and erased with the
//! item's end; that there was something stays for a while, so that its link can say so.

use sqlx::FromRow;

use super::pool::{Tx, execute, later, on};
use super::{Store, StoreError};

/// Items of one buffer; beyond that the oldest end.
const MOST_OF_BUFFER: i64 = 10_000;
/// How long it is remembered that there was an item, in milliseconds.
const REMEMBERED: i64 = 365 * 24 * 60 * 60 * 1000;

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishedKind {
    /// A file that the homeserver has.
    Media,
    /// A text, which is stored here.
    Text,
}

impl PublishedKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Media => "media",
            Self::Text => "text",
        }
    }
}

/// An item to be.
#[derive(Debug, Clone)]
pub struct NewPublished {
    /// What stands in the link.
    pub id: String,
    /// What it is.
    pub kind: PublishedKind,
    /// The number of the buffer where the link is said.
    pub buffer: i64,
    /// The user's message.
    pub event_id: String,
    /// What is needed to hand it out, as JSON.
    pub content: String,
    /// When it ends by itself, in milliseconds since 1970.
    pub expires_at: Option<i64>,
}

/// What a link leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// The item, as JSON.
    Here(String),
    /// There was something.
    Gone,
}

#[derive(FromRow)]
struct Row {
    content: Option<Vec<u8>>,
    expires_at: Option<i64>,
}

fn row_name(kind: PublishedKind, id: &str) -> String {
    row_name_of(kind.as_str(), id)
}

/// The same of a kind as it is stored.
pub(super) fn row_name_of(kind: &str, id: &str) -> String {
    format!("published:{kind}:{id}")
}

impl Store {
    /// What the link with this id leads to; `None` where there never was anything.
    pub async fn published(
        &self,
        kind: PublishedKind,
        id: &str,
        now: i64,
    ) -> Result<Option<Published>, StoreError> {
        const SQL: &str = "SELECT content, expires_at FROM published WHERE id = $1 AND kind = $2";
        let row: Option<Row> = on!(self.readers(), |p| sqlx::query_as(SQL)
            .bind(id)
            .bind(kind.as_str())
            .fetch_optional(p)
            .await)?;
        let Some(Row { content, expires_at }) = row else { return Ok(None) };
        let Some(sealed) = content.filter(|_| expires_at.is_none_or(|end| end > now)) else {
            return Ok(Some(Published::Gone));
        };
        Ok(Some(Published::Here(self.sealer().open_text(&sealed, &row_name(kind, id))?)))
    }

    /// Erases what has expired, and forgets what ended long ago: a bounded number at once. Says whether more is left.
    pub async fn prune_published(&self, now: i64) -> Result<bool, StoreError> {
        const BATCH: i64 = 500;
        const EXPIRE: &str =
            "UPDATE published SET content = NULL, gone_at = $1 WHERE id IN (SELECT id FROM published
            WHERE gone_at IS NULL AND expires_at IS NOT NULL AND expires_at <= $1 LIMIT $2)";
        const FORGET: &str = "DELETE FROM published WHERE id IN (SELECT id FROM published
            WHERE gone_at IS NOT NULL AND gone_at <= $1 LIMIT $2)";
        self.write(move |tx| {
            Box::pin(async move {
                let expired = execute!(tx, EXPIRE, now, BATCH)?;
                let forgotten = execute!(tx, FORGET, now.saturating_sub(REMEMBERED), BATCH)?;
                Ok(expired.max(forgotten) == BATCH as u64)
            })
        })
        .await
    }

    /// Forgets a buffer's items from before a time, as its history is.
    pub async fn prune_published_of(&self, buffer: i64, before: i64) -> Result<(), StoreError> {
        const ANY: &str = "SELECT MIN(created_at) FROM published WHERE buffer = $1";
        const SQL: &str = "DELETE FROM published WHERE buffer = $1 AND created_at < $2";
        let oldest: Option<i64> =
            on!(self.readers(), |p| sqlx::query_scalar(ANY).bind(buffer).fetch_one(p).await)?;
        if oldest.is_none_or(|oldest| oldest >= before) {
            return Ok(());
        }
        self.write(move |tx| {
            Box::pin(async move {
                later!(tx, SQL, buffer, before)?;
                Ok(())
            })
        })
        .await
    }

    /// Marks a redaction as done, and ends what was published for the event that it takes back, together.
    pub async fn finish_taking_back(
        &self,
        seq: i64,
        buffer: i64,
        event_id: &str,
        now: i64,
    ) -> Result<(), StoreError> {
        let event_id = event_id.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                super::inbox::finish(tx, seq, None).await?;
                take_back(tx, buffer, event_id, now).await
            })
        })
        .await
    }

    /// Seals what items hold.
    pub(super) fn seal_published(&self, new: Vec<NewPublished>) -> Vec<(NewPublished, Vec<u8>)> {
        let seal = |item: NewPublished| {
            let content = self.sealer().seal(item.content.as_bytes(), &row_name(item.kind, &item.id));
            (item, content)
        };
        new.into_iter().map(seal).collect()
    }
}

/// Ends the pages of messages that were edited, stores items, then ends those whose messages were taken back: the new
/// page of an edit has the same event as the old one.
pub(super) async fn note(
    tx: &mut Tx,
    edited: Vec<(i64, String)>,
    new: Vec<(NewPublished, Vec<u8>)>,
    taken_back: Vec<(i64, String)>,
    now: i64,
) -> Result<(), StoreError> {
    const PUBLISH: &str =
        "INSERT INTO published (id, kind, buffer, event_id, content, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    const BOUND: &str =
        "DELETE FROM published WHERE buffer = $1 AND created_at < (SELECT created_at FROM published
        WHERE buffer = $1 ORDER BY created_at DESC LIMIT 1 OFFSET $2)";
    const EDIT: &str = "UPDATE published SET content = NULL, gone_at = $3
        WHERE event_id = $2 AND buffer = $1 AND kind = $4 AND gone_at IS NULL";
    for (buffer, event_id) in edited {
        later!(tx, EDIT, buffer, event_id, now, PublishedKind::Text.as_str())?;
    }
    for (item, content) in new {
        let NewPublished { id, kind, buffer, event_id, expires_at, .. } = item;
        later!(tx, PUBLISH, id, kind.as_str(), buffer, event_id, content, now, expires_at)?;
        later!(tx, BOUND, buffer, MOST_OF_BUFFER)?;
    }
    for (buffer, event_id) in taken_back {
        take_back(tx, buffer, event_id, now).await?;
    }
    Ok(())
}

/// Ends all that was published for an event.
async fn take_back(tx: &mut Tx, buffer: i64, event_id: String, now: i64) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE published SET content = NULL, gone_at = $3
        WHERE event_id = $2 AND buffer = $1 AND gone_at IS NULL";
    later!(tx, SQL, buffer, event_id, now)?;
    Ok(())
}
