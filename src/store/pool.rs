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
use sqlx::{PgPool, Postgres, Sqlite, SqlitePool};

use super::error::OpenError;

const BEGIN_POSTGRES: &str = "BEGIN";
/// A deferred transaction that upgrades from read to write gets `SQLITE_BUSY` at once.
const BEGIN_SQLITE: &str = "BEGIN IMMEDIATE";

static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");

/// Connections to one database.
#[derive(Clone)]
pub(super) enum Pool {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

/// A write under way: a connection inside a transaction.
///
/// Not sqlx's `Transaction`, which counts how deep it is: when SQLite rolls back by itself, as it does when the disk is
/// full, that count would be wrong for good, and with it the writer's only connection.
pub(super) enum Tx {
    Postgres(PoolConnection<Postgres>),
    Sqlite(PoolConnection<Sqlite>),
}

macro_rules! on {
    ($pool:expr, |$p:ident| $body:expr) => {
        match $pool {
            $crate::store::pool::Pool::Postgres($p) => $body,
            $crate::store::pool::Pool::Sqlite($p) => $body,
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
            $crate::store::pool::Tx::Sqlite(connection) => {
                let $c = &mut **connection;
                $body
            }
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

pub(super) use {execute, on, on_tx};

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
            .connect_with(options.create_if_missing(false).pragma("query_only", "ON"))
            .await
            .map_err(OpenError::Connect)?;
        Ok((Pool::Sqlite(reading), Pool::Sqlite(writing)))
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
        pool.map(Pool::Sqlite).map_err(OpenError::Connect)
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
            Self::Sqlite(pool) => SQLITE.run(pool).await,
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
            Self::Sqlite(pool) => SQLITE.run_to(schema, pool).await,
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
            Self::Sqlite(pool) => (Tx::Sqlite(pool.acquire().await?), sqlite),
        };
        match tx.execute(begin).await {
            Ok(()) => Ok(tx),
            Err(error) => {
                tx.abandon().await;
                Err(error)
            }
        }
    }

    pub(super) async fn close(&self) {
        on!(self, |pool| pool.close().await);
    }
}

impl Tx {
    /// Commits, and leaves the connection to whoever begins again.
    pub(super) async fn commit(mut self) -> sqlx::Result<Self> {
        match self.execute("COMMIT").await {
            Ok(()) => Ok(self),
            Err(error) => {
                self.abandon().await;
                Err(error)
            }
        }
    }

    /// Begins another transaction on the connection of one that is committed; nothing where the connection is gone.
    pub(super) async fn begin_again(mut self) -> Option<Self> {
        /// SQLite waits 5 s for another writer; a server that takes longer is not there any more.
        const PATIENCE: Duration = Duration::from_secs(10);
        let begin = match self {
            Self::Postgres(_) => BEGIN_POSTGRES,
            Self::Sqlite(_) => BEGIN_SQLITE,
        };
        if let Ok(Ok(())) = tokio::time::timeout(PATIENCE, self.execute(begin)).await {
            return Some(self);
        }
        tracing::debug!("the writer's connection is gone");
        // Whoever does not answer need not take leave.
        let _ = tokio::time::timeout(PATIENCE, self.abandon()).await;
        None
    }

    pub(super) async fn roll_back(mut self) {
        if self.execute("ROLLBACK").await.is_err() {
            self.abandon().await;
        }
    }

    /// Closes the connection, in whatever state it is; the pool opens another.
    pub(super) async fn abandon(self) {
        let _ = match self {
            Self::Postgres(connection) => connection.close().await,
            Self::Sqlite(connection) => connection.close().await,
        };
    }

    pub(super) async fn execute(&mut self, sql: &'static str) -> sqlx::Result<()> {
        execute!(self, sql).map(drop)
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
