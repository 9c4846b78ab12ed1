//! A database for one test: SQLite in a temporary directory, or a PostgreSQL database of its own.
//!
//! `TOWLINE_TEST_DATABASE=postgres` chooses PostgreSQL; `TOWLINE_TEST_POSTGRES` is then the `postgres://` URL of
//! a database whose user may create others. `scripts/test` runs the suite both ways.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

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
