//! The writer's one connection, and a write that is under way on it.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres, SqlitePool};

use super::outbox::Seen;
use super::pool::later;
use super::sqlite::{self, Access};

const BEGIN_POSTGRES: &str = "BEGIN";
/// A deferred transaction that upgrades from read to write gets `SQLITE_BUSY` at once.
const BEGIN_SQLITE: &str = "BEGIN IMMEDIATE";

/// Where the writer's connection comes from.
pub(super) enum Writing {
    Postgres(PgPool),
    Sqlite(SqliteFile),
}

/// A file of SQLite's.
pub(super) struct SqliteFile {
    /// sqlx's own connection, which is closed when the schema is up to date.
    pub(super) migrating: SqlitePool,
    pub(super) file: PathBuf,
}

/// A write under way: a connection inside a transaction.
///
/// Not sqlx's `Transaction`, which counts how deep it is: when SQLite rolls back by itself, as it does when the disk is
/// full, that count would be wrong for good, and with it the writer's only connection.
pub(super) enum Tx {
    Postgres(PoolConnection<Postgres>),
    Sqlite(Box<Local>),
}

/// A connection of SQLite's in this thread.
pub(super) struct Local {
    connection: sqlite::Connection,
    look: Option<(&'static str, [i64; 2], Seen)>,
    /// What this write has taken away is to be out of the file soon.
    leaves_nothing: bool,
}

impl Local {
    pub(super) fn connection(&mut self) -> &mut sqlite::Connection {
        &mut self.connection
    }

    /// Reads this when the write is committed; of several the last.
    pub(super) fn look_after_commit(&mut self, sql: &'static str, values: [i64; 2], seen: Seen) {
        self.look = Some((sql, values, seen));
    }

    async fn look(&mut self) {
        let Some((sql, [one, other], seen)) = self.look.take() else { return };
        // What was seen is no part of the write.
        if let Ok(rows) = sqlx::query(sql).bind(one).bind(other).fetch_all(&mut self.connection).await {
            seen.keep(rows);
        }
    }
}

impl Writing {
    pub(super) async fn begin(&self) -> sqlx::Result<Tx> {
        let (mut tx, begin) = match self {
            Self::Postgres(pool) => (Tx::Postgres(pool.acquire().await?), BEGIN_POSTGRES),
            Self::Sqlite(SqliteFile { file, .. }) => {
                let connection = sqlite::Connection::open(file, Access::Writes)?;
                (Tx::Sqlite(Box::new(Local { connection, look: None, leaves_nothing: false })), BEGIN_SQLITE)
            }
        };
        match tx.order(begin).await {
            Ok(()) => Ok(tx),
            Err(error) => {
                tx.abandon().await;
                Err(error)
            }
        }
    }

    /// The schema is as it is to be.
    pub(super) async fn migrated(&self) {
        if let Self::Sqlite(SqliteFile { migrating, .. }) = self {
            migrating.close().await;
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite(_) => self.migrated().await,
        }
    }
}

impl Tx {
    /// Commits, and leaves the connection to whoever begins again.
    pub(super) async fn commit(mut self) -> sqlx::Result<Self> {
        if let Err(error) = self.order("COMMIT").await {
            self.abandon().await;
            return Err(error);
        }
        if let Self::Sqlite(local) = &mut self {
            local.look().await;
        }
        Ok(self)
    }

    /// What this write takes away is to be out of SQLite's file as soon as nobody waits: until its log is written back, the
    /// file has it still.
    pub(super) fn leave_nothing(&mut self) {
        if let Self::Sqlite(local) = self {
            local.leaves_nothing = true;
        }
    }

    /// Whether a write that was committed is to leave nothing.
    pub(super) fn has_to_leave_nothing(&mut self) -> bool {
        if let Self::Sqlite(local) = self { std::mem::take(&mut local.leaves_nothing) } else { false }
    }

    /// Writes SQLite's log back into the database, between two transactions; whether all of it was. What is behind a
    /// snapshot that somebody reads has to wait. PostgreSQL does so by itself.
    pub(super) async fn write_back_log(&mut self) -> bool {
        self.checkpoint("PRAGMA wal_checkpoint(PASSIVE)").await
    }

    /// The same, and empties the log: what was taken away would stand in it until others have written over it. It waits for
    /// nobody who reads.
    pub(super) async fn empty_log(&mut self) -> bool {
        let patience = |tx: &Self, patience| match tx {
            Self::Sqlite(local) => local.connection.set_patience(patience).is_ok(),
            Self::Postgres(_) => true,
        };
        let is_whole =
            patience(self, Duration::ZERO) && self.checkpoint("PRAGMA wal_checkpoint(TRUNCATE)").await;
        patience(self, sqlite::BUSY) && is_whole
    }

    async fn checkpoint(&mut self, sql: &'static str) -> bool {
        let Self::Sqlite(local) = self else { return true };
        match sqlx::query_as(sql).fetch_one(&mut local.connection).await {
            Ok(done) => is_whole(done),
            Err(error) => {
                tracing::debug!(%error, "the log was not written back");
                false
            }
        }
    }

    /// Begins another transaction on the connection of one that is over; nothing where the connection is gone.
    pub(super) async fn begin_again(mut self) -> Option<Self> {
        /// A server that takes longer is not there any more.
        const PATIENCE: Duration = Duration::from_secs(10);
        let begun = match self {
            Self::Postgres(_) => tokio::time::timeout(PATIENCE, self.order(BEGIN_POSTGRES)).await,
            Self::Sqlite(_) => Ok(self.order(BEGIN_SQLITE).await),
        };
        if let Ok(Ok(())) = begun {
            return Some(self);
        }
        tracing::debug!("the writer's connection is gone");
        // Whoever does not answer need not take leave.
        let _ = tokio::time::timeout(PATIENCE, self.abandon()).await;
        None
    }

    /// Rolls back, and leaves the connection to whoever begins again; nothing where it can't be used any more.
    pub(super) async fn roll_back(mut self) -> Option<Self> {
        if let Self::Sqlite(local) = &mut self {
            (local.look, local.leaves_nothing) = (None, false);
        }
        if self.order("ROLLBACK").await.is_ok() {
            return Some(self);
        }
        self.abandon().await;
        None
    }

    /// Closes the connection, in whatever state it is; the next write opens another.
    pub(super) async fn abandon(self) {
        match self {
            Self::Postgres(connection) => {
                let _ = connection.close().await;
            }
            Self::Sqlite(local) => drop(local),
        }
    }

    /// Begins or ends something.
    pub(super) async fn order(&mut self, sql: &'static str) -> sqlx::Result<()> {
        later!(self, sql)
    }
}

/// What a checkpoint says of itself: whether somebody was in its way, the pages of the log, and those written back. Both are
/// -1 where another one was under way.
fn is_whole((busy, in_log, written_back): (i64, i64, i64)) -> bool {
    busy == 0 && in_log == written_back
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_written_back_where_nobody_was_in_the_way_and_all_of_it_was() {
        for (name, done, wanted) in [
            ("all", (0, 4, 4), true),
            ("all, and the log is empty", (0, 0, 0), true),
            ("somebody reads what was before", (0, 4, 2), false),
            ("somebody reads the log", (1, 4, 4), false),
            ("somebody else writes it back", (1, -1, -1), false),
        ] {
            assert_eq!(is_whole(done), wanted, "{name}");
        }
    }
}
