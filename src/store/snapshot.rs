//! What is in the database at one moment, whatever is written meanwhile.

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Postgres};

use super::pool::Pool;
use super::sqlite::BUSY;

/// A connection that reads inside a transaction.
pub(super) enum Snapshot {
    Postgres(PoolConnection<Postgres>),
    /// It hands on one row after the other, however many there are.
    Sqlite(SqliteConnection),
}

/// Runs one body on the connection, as `on!` does.
macro_rules! on_snapshot {
    ($snapshot:expr, |$c:ident| $body:expr) => {
        match $snapshot {
            $crate::store::snapshot::Snapshot::Postgres(connection) => {
                let $c = &mut **connection;
                $body
            }
            $crate::store::snapshot::Snapshot::Sqlite(connection) => {
                let $c = &mut *connection;
                $body
            }
        }
    };
}

pub(super) use on_snapshot;

impl Pool {
    /// Begins to read what is there at this moment.
    pub(super) async fn begin_to_read(&self) -> sqlx::Result<Snapshot> {
        let (mut snapshot, begin) = match self {
            Self::Postgres(pool) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                (Snapshot::Postgres(pool.acquire().await?), begin)
            }
            Self::Sqlite(connections) => {
                let options = SqliteConnectOptions::new().filename(connections.file()).read_only(true);
                (Snapshot::Sqlite(options.busy_timeout(BUSY).connect().await?), "BEGIN")
            }
        };
        match snapshot.order(begin).await {
            Ok(()) => Ok(snapshot),
            Err(error) => {
                snapshot.abandon().await;
                Err(error)
            }
        }
    }
}

impl Snapshot {
    /// Gives the connection back.
    pub(super) async fn end(mut self) {
        let is_over = self.order("ROLLBACK").await.is_ok();
        if !is_over || matches!(self, Self::Sqlite(_)) {
            self.abandon().await;
        }
    }

    /// Closes the connection, in whatever state it is.
    async fn abandon(self) {
        let _ = match self {
            Self::Postgres(connection) => connection.close().await,
            Self::Sqlite(connection) => connection.close().await,
        };
    }

    async fn order(&mut self, sql: &'static str) -> sqlx::Result<()> {
        on_snapshot!(self, |c| sqlx::query(sql).execute(c).await.map(drop))
    }
}
