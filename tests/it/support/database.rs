//! A database for one test: SQLite in a temporary directory, or a PostgreSQL database of its own.
//!
//! `TOWLINE_TEST_DATABASE=postgres` chooses PostgreSQL; `TOWLINE_TEST_POSTGRES` is then the `postgres://` URL of
//! a database whose user may create others. `scripts/test` runs the suite both ways.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use super::homeserver::LIMIT;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A database that goes when this is dropped.
pub(crate) enum TestDatabase {
    Sqlite(TempDir),
    Postgres { admin: String, name: String },
}

impl TestDatabase {
    /// An empty database on the engine that the environment names.
    pub(crate) async fn new() -> Self {
        match std::env::var("TOWLINE_TEST_DATABASE").as_deref() {
            Ok("postgres") => Self::postgres().await,
            Ok("sqlite") | Err(_) => Self::Sqlite(TempDir::with_prefix("towline-db-").unwrap()),
            Ok(other) => panic!("TOWLINE_TEST_DATABASE is sqlite or postgres, not {other}"),
        }
    }

    /// What a query for one column of text finds, now.
    pub(crate) async fn texts(&self, sql: &'static str) -> Vec<String> {
        self.connect().await.texts(sql).await
    }

    /// Waits until a query for one column of text finds what is wanted.
    pub(crate) async fn wait(&self, what: &str, sql: &'static str, wanted: impl Fn(&[String]) -> bool) {
        let becomes = async {
            // One connection for as long as it takes: on PostgreSQL each is a process.
            let mut connection = self.connect().await;
            while !wanted(&connection.texts(sql).await) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LIMIT, becomes).await.expect(what);
    }

    async fn connect(&self) -> TestConnection {
        match self {
            Self::Sqlite(_) => TestConnection::Sqlite(SqliteConnection::connect(&self.url()).await.unwrap()),
            Self::Postgres { .. } => {
                TestConnection::Postgres(PgConnection::connect(&self.url()).await.unwrap())
            }
        }
    }

    /// Changes something behind the bridge's back.
    pub(crate) async fn execute(&self, sql: &'static str) {
        match self {
            Self::Sqlite(_) => {
                let mut connection = SqliteConnection::connect(&self.url()).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            }
            Self::Postgres { .. } => execute(&self.url(), sql.to_owned()).await,
        }
    }

    /// The bytes of the database's files, where it has files.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        let Self::Sqlite(directory) = self else { return None };
        let files = std::fs::read_dir(directory.path()).unwrap();
        Some(files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect())
    }

    async fn postgres() -> Self {
        let admin = std::env::var("TOWLINE_TEST_POSTGRES").expect("TOWLINE_TEST_POSTGRES is set");
        let name = format!("towline_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        execute(&admin, format!("CREATE DATABASE {name}")).await;
        Self::Postgres { admin, name }
    }

    /// Its URL, as the configuration takes it.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(directory) => format!("sqlite://{}", directory.path().join("towline.db").display()),
            Self::Postgres { admin, name } => {
                let (base, query) =
                    admin.split_once('?').map_or((admin.as_str(), None), |(a, b)| (a, Some(b)));
                let server = match base.split_once("://").and_then(|(_, rest)| rest.find('/')) {
                    Some(slash) => &base[..base.find("://").unwrap() + 3 + slash],
                    None => base,
                };
                query.map_or(format!("{server}/{name}"), |query| format!("{server}/{name}?{query}"))
            }
        }
    }
}

/// A connection to look through.
enum TestConnection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl TestConnection {
    async fn texts(&mut self, sql: &'static str) -> Vec<String> {
        match self {
            Self::Sqlite(connection) => sqlx::query_scalar(sql).fetch_all(connection).await.unwrap(),
            Self::Postgres(connection) => sqlx::query_scalar(sql).fetch_all(connection).await.unwrap(),
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Self::Postgres { admin, name } = self else {
            return;
        };
        let (admin, statement) = (admin.clone(), format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        // A drop cannot await, and the test's runtime may be the one that drops.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute(&admin, statement));
        });
        drop(dropped.join());
    }
}

async fn execute(url: &str, statement: String) {
    let mut connection = PgConnection::connect(url).await.expect("TOWLINE_TEST_POSTGRES is reachable");
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
