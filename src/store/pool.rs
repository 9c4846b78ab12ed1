//! Two engines behind one enum. `on!` runs one body on whichever pool there is, `on_apart!` one that reads much, `on_tx!`
//! inside a write; the body is checked by the compiler for both. The store's tests run on both.

use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::error::OpenError;
use super::readers::SqliteConnections;
use super::sqlite::{Access, BUSY};
use super::tx::{SqliteFile, Writing};

static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");

/// Connections to one database, for those who read.
#[derive(Clone)]
pub(super) enum Pool {
    Postgres(PgPool),
    Sqlite(SqliteConnections),
}

macro_rules! on {
    ($pool:expr, |$p:ident| $body:expr) => {
        match $pool {
            $crate::store::pool::Pool::Postgres($p) => $body,
            $crate::store::pool::Pool::Sqlite(connections) => {
                // Nothing of a read in place waits: without this, who reads one row after the other would let nobody else
                // have the thread.
                tokio::task::coop::consume_budget().await;
                match connections.read() {
                    Ok(mut reading) => {
                        let $p = &mut *reading;
                        let result = $body;
                        reading.came_to(result)
                    }
                    Err(error) => Err(error),
                }
            }
        }
    };
}

/// The same for what reads much, on a thread that may be held up meanwhile; the body takes what it needs with it.
macro_rules! on_apart {
    ($pool:expr, |$p:ident| $body:expr) => {
        match $pool {
            $crate::store::pool::Pool::Postgres($p) => $body.await,
            $crate::store::pool::Pool::Sqlite(connections) => {
                connections.read_apart(move |$p| Box::pin($body)).await
            }
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
            $crate::store::pool::Tx::Sqlite(local) => {
                let $c = local.connection();
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

/// Runs a statement inside a write whose result nobody reads.
macro_rules! later {
    ($tx:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        $crate::store::pool::later_bound!($tx, $sql, |query| query$(.bind($value))*)
    };
}

/// The same as `later!`, for values that are bound one after the other.
macro_rules! later_bound {
    ($tx:expr, $sql:expr, |$query:ident| $bound:expr) => {
        $crate::store::pool::on_tx!($tx, |c| {
            let $query = sqlx::query($sql);
            $bound.execute(c).await.map(drop)
        })
    };
}

/// Reads the first row that a statement gives inside a write.
macro_rules! first_in {
    ($tx:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        $crate::store::pool::on_tx!($tx, |c| sqlx::query_as($sql)
            $(.bind($value))*
            .fetch_optional(c)
            .await)
    };
}

pub(super) use super::tx::Tx;
pub(super) use {execute, first_in, later, later_bound, on, on_apart, on_tx};

/// Opens the readers' pool and what the writer's one connection comes from.
pub(super) async fn open(url: &SecretString) -> Result<(Pool, Writing), OpenError> {
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
        Ok((Pool::Postgres(reading), Writing::Postgres(writing)))
    } else if url.starts_with("sqlite:") {
        // What these say for the writer, its own connection says for itself: `sqlite.rs`.
        let options = SqliteConnectOptions::from_str(url)
            .map_err(OpenError::Connect)?
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("secure_delete", "ON")
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let file = options.get_filename().to_owned();
        let migrating = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .connect_with(options.create_if_missing(true))
            .await
            .map_err(OpenError::Connect)?;
        let reading = SqliteConnections::open(file.clone(), Access::Reads).map_err(OpenError::Connect)?;
        Ok((Pool::Sqlite(reading), Writing::Sqlite(SqliteFile { migrating, file })))
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
        let options = SqliteConnectOptions::from_str(url).map_err(OpenError::Connect)?;
        let reading = SqliteConnections::open(options.get_filename().to_owned(), Access::Looks);
        reading.map(Pool::Sqlite).map_err(OpenError::Connect)
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
    pub(super) async fn schema(&self) -> Result<i64, OpenError> {
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

    pub(super) async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite(connections) => connections.close().await,
        }
    }
}

impl Writing {
    /// Brings the schema up to date.
    pub(super) async fn migrate(&self) -> Result<(), OpenError> {
        let known = self.migrator().iter().map(|migration| migration.version).max().unwrap_or(0);
        let result = match self {
            Self::Postgres(pool) => self.migrator().run(pool).await,
            Self::Sqlite(SqliteFile { migrating, .. }) => self.migrator().run(migrating).await,
        };
        self.migrated().await;
        result.map_err(|error| match error {
            MigrateError::VersionMissing(found) => OpenError::SchemaNewer { found, known },
            other => OpenError::Migrate(other),
        })
    }

    /// Migrates as far as this number.
    pub(super) async fn migrate_to(&self, schema: i64) -> Result<(), OpenError> {
        let result = match self {
            Self::Postgres(pool) => self.migrator().run_to(schema, pool).await,
            Self::Sqlite(SqliteFile { migrating, .. }) => self.migrator().run_to(schema, migrating).await,
        };
        self.migrated().await;
        result.map_err(OpenError::Migrate)
    }

    fn migrator(&self) -> &'static Migrator {
        if matches!(self, Self::Postgres(_)) { &POSTGRES } else { &SQLITE }
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
