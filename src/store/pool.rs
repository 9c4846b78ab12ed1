//! Two engines behind one enum. `on!` runs one body on whichever pool there is, `on_tx!` inside a write; the body is
//! checked by the compiler for both. A forgotten bind is an error on PostgreSQL and a silent NULL on SQLite, so the
//! store's tests run on both.

use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, Postgres};

use super::error::OpenError;
use super::readers::SqliteConnections;
use super::script::{NotCommitted, Scripted};

const BEGIN_POSTGRES: &str = "BEGIN";
/// A deferred transaction that upgrades from read to write gets `SQLITE_BUSY` at once.
const BEGIN_SQLITE: &str = "BEGIN IMMEDIATE";

static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");

/// Connections to one database.
#[derive(Clone)]
pub(super) enum Pool {
    Postgres(PgPool),
    Sqlite(SqliteConnections),
}

/// A write under way: a connection inside a transaction.
///
/// Not sqlx's `Transaction`, which counts how deep it is: when SQLite rolls back by itself, as it does when the disk is
/// full, that count would be wrong for good, and with it the writer's only connection.
pub(super) enum Tx {
    Postgres(PoolConnection<Postgres>),
    Sqlite(Box<Scripted>),
}

macro_rules! on {
    ($pool:expr, |$p:ident| $body:expr) => {
        match $pool {
            $crate::store::pool::Pool::Postgres($p) => $body,
            $crate::store::pool::Pool::Sqlite(connections) => match connections.read().await {
                Ok(mut reading) => {
                    let $p = &mut **reading;
                    let result = $body;
                    reading.came_to(result)
                }
                Err(error) => Err(error),
            },
        }
    };
}

macro_rules! on_tx {
    ($tx:expr, |$c:ident| $body:expr) => {
        match $tx {
            $crate::store::pool::Tx::Postgres(connection) => {
                let $c = &mut **connection;
                $body
            }
            $crate::store::pool::Tx::Sqlite(script) => match script.ready().await {
                Ok($c) => $body,
                Err(error) => Err(error.into()),
            },
        }
    };
}

/// Runs a statement inside a write and gives the number of rows that it touched.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        $crate::store::pool::on_tx!($tx, |c| sqlx::query($sql)
            $(.bind($value))*
            .execute(c)
            .await
            .map(|done| done.rows_affected()))
    };
}

/// Runs a statement inside a write whose result nobody reads: on SQLite with the next one that is read, or with the end.
macro_rules! later {
    ($tx:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        $crate::store::pool::later_bound!($tx, $sql, |query| query$(.bind($value))*)
    };
}

/// Reads the first row that a statement gives inside a write: on SQLite in one trip with what waits before it.
macro_rules! first_in {
    ($tx:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        match $tx {
            $crate::store::pool::Tx::Postgres(connection) => sqlx::query_as($sql)
                $(.bind($value))*
                .fetch_optional(&mut **connection)
                .await,
            $crate::store::pool::Tx::Sqlite(script) => match script.add($sql)$(.bind($value))*.end() {
                Ok(script) => script.run().await.and_then(|rows| rows.first().map(sqlx::FromRow::from_row).transpose()),
                Err(error) => Err(error),
            },
        }
    };
}

/// The same as `later!`, for values that are bound one after the other.
macro_rules! later_bound {
    ($tx:expr, $sql:expr, |$query:ident| $bound:expr) => {
        match $tx {
            $crate::store::pool::Tx::Postgres(connection) => {
                let $query = sqlx::query($sql);
                $bound.execute(&mut **connection).await.map(drop)
            }
            $crate::store::pool::Tx::Sqlite(script) => {
                let $query = script.add($sql);
                match $bound.end() {
                    Ok(script) => script.settle_if_long().await,
                    Err(error) => Err(error),
                }
            }
        }
    };
}

pub(super) use {execute, first_in, later, later_bound, on, on_tx};

/// Opens the readers' pool and the writer's, which holds one connection.
pub(super) async fn open(url: &SecretString) -> Result<(Pool, Pool), OpenError> {
    let url = url.expose_secret();
    if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        let options =
            PgConnectOptions::from_str(url).map_err(OpenError::Connect)?.application_name("towline");
        let pool = |connections| {
            PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(Duration::from_secs(10))
                .connect_with(options.clone())
        };
        let writing = pool(1).await.map_err(OpenError::Connect)?;
        let reading = pool(4).await.map_err(OpenError::Connect)?;
        Ok((Pool::Postgres(reading), Pool::Postgres(writing)))
    } else if url.starts_with("sqlite:") {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(OpenError::Connect)?
            .journal_mode(SqliteJournalMode::Wal)
            // A commit is what a 200 to the homeserver promises: it must survive power loss.
            .synchronous(SqliteSynchronous::Full)
            // What is deleted is gone, and not only out of sight.
            .pragma("secure_delete", "ON")
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5));
        let writing = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .connect_with(options.clone().create_if_missing(true))
            .await
            .map_err(OpenError::Connect)?;
        let reading = SqlitePoolOptions::new()
            .max_connections(2)
            .test_before_acquire(false)
            // What they read, the writer or the operating system has mostly read as well: half of what is usual does.
            .connect_with(
                options.create_if_missing(false).pragma("query_only", "ON").pragma("cache_size", "-1000"),
            )
            .await
            .map_err(OpenError::Connect)?;
        Ok((Pool::Sqlite(SqliteConnections::new(reading)), Pool::Sqlite(SqliteConnections::new(writing))))
    } else {
        Err(OpenError::Scheme)
    }
}

/// Opens a pool for one who only reads, whoever else has the database.
pub(super) async fn open_to_read(url: &SecretString) -> Result<Pool, OpenError> {
    let url = url.expose_secret();
    if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        let options = PgConnectOptions::from_str(url)
            .map_err(OpenError::Connect)?
            .application_name("towline-history")
            .options([("default_transaction_read_only", "on")]);
        let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await;
        pool.map(Pool::Postgres).map_err(OpenError::Connect)
    } else if url.starts_with("sqlite:") {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(OpenError::Connect)?
            .read_only(true)
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
        pool.map(SqliteConnections::new).map(Pool::Sqlite).map_err(OpenError::Connect)
    } else {
        Err(OpenError::Scheme)
    }
}

impl Pool {
    /// The number of the newest migration that this version knows.
    pub(super) fn newest_migration(&self) -> i64 {
        let migrator = if matches!(self, Self::Postgres(_)) { &POSTGRES } else { &SQLITE };
        migrator.iter().map(|migration| migration.version).max().unwrap_or(0)
    }

    /// The number of the newest migration that was applied; 0 where none was.
    async fn schema(&self) -> Result<i64, OpenError> {
        const SQL: &str = "SELECT MAX(version) FROM _sqlx_migrations";
        let found: sqlx::Result<Option<i64>> = on!(self, |p| sqlx::query_scalar(SQL).fetch_one(p).await);
        match found {
            Ok(found) => Ok(found.unwrap_or(0)),
            // There is no such table yet.
            Err(sqlx::Error::Database(_)) => Ok(0),
            Err(error) => Err(OpenError::Connect(error)),
        }
    }

    /// Whether the schema is this version's.
    pub(super) async fn check_schema(&self) -> Result<(), OpenError> {
        let (found, known) = (self.schema().await?, self.newest_migration());
        match found.cmp(&known) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Less => Err(OpenError::SchemaOlder { found, known }),
            std::cmp::Ordering::Greater => Err(OpenError::SchemaNewer { found, known }),
        }
    }

    pub(super) async fn migrate(&self) -> Result<(), OpenError> {
        let result = match self {
            Self::Postgres(pool) => POSTGRES.run(pool).await,
            Self::Sqlite(connections) => SQLITE.run(connections.pool()).await,
        };
        let known = self.newest_migration();
        result.map_err(|error| match error {
            MigrateError::VersionMissing(found) => OpenError::SchemaNewer { found, known },
            other => OpenError::Migrate(other),
        })
    }

    /// Migrates as far as this number, and says how far the schema is then.
    pub(super) async fn migrate_to(&self, schema: i64) -> Result<i64, OpenError> {
        let result = match self {
            Self::Postgres(pool) => POSTGRES.run_to(schema, pool).await,
            Self::Sqlite(connections) => SQLITE.run_to(schema, connections.pool()).await,
        };
        result.map_err(OpenError::Migrate)?;
        self.schema().await
    }

    pub(super) async fn begin(&self) -> sqlx::Result<Tx> {
        self.begin_with(BEGIN_POSTGRES, BEGIN_SQLITE).await
    }

    /// Begins to read what is there at this moment, whatever is written meanwhile.
    pub(super) async fn begin_to_read(&self) -> sqlx::Result<Tx> {
        self.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "BEGIN").await
    }

    async fn begin_with(&self, postgres: &'static str, sqlite: &'static str) -> sqlx::Result<Tx> {
        let (mut tx, begin) = match self {
            Self::Postgres(pool) => (Tx::Postgres(pool.acquire().await?), postgres),
            Self::Sqlite(connections) => {
                (Tx::Sqlite(Box::new(Scripted::new(connections.take().await?))), sqlite)
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

    pub(super) async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite(connections) => connections.close().await,
        }
    }
}

/// A commit that failed.
pub(super) struct Uncommitted {
    pub(super) error: sqlx::Error,
    /// It was a statement that had waited, and what went before it can be rolled back.
    pub(super) left: Option<Tx>,
}

impl Uncommitted {
    /// What went before it is rolled back with the connection.
    pub(super) async fn give_up(self) -> sqlx::Error {
        if let Some(tx) = self.left {
            tx.abandon().await;
        }
        self.error
    }
}

impl Tx {
    /// Commits, and leaves the connection to whoever begins again.
    pub(super) async fn commit(mut self) -> Result<Self, Uncommitted> {
        let committed = match &mut self {
            Self::Postgres(_) => {
                self.order("COMMIT").await.map_err(|error| NotCommitted { error, by_statement: false })
            }
            Self::Sqlite(script) => script.commit().await,
        };
        match committed {
            Ok(()) => Ok(self),
            Err(NotCommitted { error, by_statement: true }) => Err(Uncommitted { error, left: Some(self) }),
            Err(NotCommitted { error, by_statement: false }) => {
                self.abandon().await;
                Err(Uncommitted { error, left: None })
            }
        }
    }

    /// Begins another transaction on the connection of one that is committed; nothing where the connection is gone.
    pub(super) async fn begin_again(mut self) -> Option<Self> {
        /// A server that takes longer is not there any more.
        const PATIENCE: Duration = Duration::from_secs(10);
        let begin = match self {
            Self::Postgres(_) => BEGIN_POSTGRES,
            Self::Sqlite(_) => BEGIN_SQLITE,
        };
        if let Ok(Ok(())) = tokio::time::timeout(PATIENCE, self.order(begin)).await {
            return Some(self);
        }
        tracing::debug!("the writer's connection is gone");
        // Whoever does not answer need not take leave.
        let _ = tokio::time::timeout(PATIENCE, self.abandon()).await;
        None
    }

    pub(super) async fn roll_back(mut self) {
        // What waits is rolled back with the rest, and if it fails it is, too.
        let _ = self.settle().await;
        if self.order("ROLLBACK").await.is_err() || self.settle().await.is_err() {
            self.abandon().await;
        }
    }

    /// Closes the connection, in whatever state it is; the pool opens another.
    pub(super) async fn abandon(self) {
        let _ = match self {
            Self::Postgres(connection) => connection.close().await,
            Self::Sqlite(script) => script.into_connection().close().await,
        };
    }

    /// Begins or ends something.
    pub(super) async fn order(&mut self, sql: &'static str) -> sqlx::Result<()> {
        later!(self, sql)
    }

    /// Runs what waits.
    pub(super) async fn settle(&mut self) -> sqlx::Result<()> {
        match self {
            Self::Postgres(_) => Ok(()),
            Self::Sqlite(script) => script.run().await.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{POSTGRES, SQLITE};

    #[test]
    fn both_engines_have_the_same_migrations() {
        let names = |migrator: &sqlx::migrate::Migrator| {
            migrator.iter().map(|m| (m.version, m.description.to_string())).collect::<Vec<_>>()
        };
        assert_eq!(names(&POSTGRES), names(&SQLITE));
        assert!(!names(&SQLITE).is_empty());
    }
}
