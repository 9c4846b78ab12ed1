//! How much waits in the stored queues, and since when. Each question is answered from what a partial index holds, which
//! is what waits and nothing else: that may be much, where a homeserver is away.

use super::pool::on_apart;
use super::{Store, StoreError};

/// What waits in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queue {
    /// How many.
    pub waiting: i64,
    /// When the first of them came, in milliseconds since 1970.
    pub oldest: Option<i64>,
}

/// What waits in all queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queues {
    /// Events from the homeserver.
    pub inbox: Queue,
    /// Requests to the homeserver.
    pub outbox: Queue,
    /// Lines to IRC of which it is not known what became.
    pub lines: Queue,
}

impl Store {
    /// What waits now.
    pub async fn queues(&self) -> Result<Queues, StoreError> {
        const INBOX: &str = "SELECT COUNT(*), MIN(received_at) FROM inbox WHERE state = 'new'";
        const OUTBOX: &str = "SELECT COUNT(*), MIN(created_at) FROM outbox WHERE state = 'queued'";
        const LINES: &str =
            "SELECT COUNT(*), MIN(created_at) FROM irc_line WHERE state IN ('queued', 'sending')";
        Ok(Queues {
            inbox: self.queue(INBOX).await?,
            outbox: self.queue(OUTBOX).await?,
            lines: self.queue(LINES).await?,
        })
    }

    async fn queue(&self, sql: &'static str) -> Result<Queue, StoreError> {
        let (waiting, oldest): (i64, Option<i64>) =
            on_apart!(self.readers(), |p| sqlx::query_as(sql).fetch_one(p))?;
        Ok(Queue { waiting, oldest })
    }
}
