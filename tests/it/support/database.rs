//! A database for one test: SQLite in a temporary directory, or a PostgreSQL database of its own.
//!
//! `TOWLINE_TEST_DATABASE=postgres` chooses PostgreSQL; `TOWLINE_TEST_POSTGRES` is then the `postgres://` URL of
//! a database whose user may create others. `scripts/test` runs the suite both ways.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::homeserver::LIMIT;

static COUNT: AtomicU32 = AtomicU32::new(0);

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// The bytes of a database that has the schema and nothing else.
static SQLITE_WITH_SCHEMA: OnceCell<Vec<u8>> = OnceCell::const_new();
/// The name of such a database.
static POSTGRES_WITH_SCHEMA: OnceCell<String> = OnceCell::const_new();

/// A database that goes when this is dropped.
pub(crate) enum TestDatabase {
    Sqlite(TempDir),
    Postgres { admin: String, name: String },
}

impl TestDatabase {
    /// An empty database on the engine that the environment names.
    pub(crate) async fn new() -> Self {
        if is_postgres() { Self::postgres("template1").await } else { Self::sqlite() }
    }

    /// A database that has the schema and nothing else: a copy, since all the migrations take longer than most tests.
    pub(crate) async fn with_schema() -> Self {
        if is_postgres() {
            return Self::postgres(POSTGRES_WITH_SCHEMA.get_or_init(postgres_with_schema).await).await;
        }
        let bytes = SQLITE_WITH_SCHEMA.get_or_init(sqlite_with_schema).await;
        let database = Self::sqlite();
        if let Self::Sqlite(directory) = &database {
            std::fs::write(file_in(directory), bytes).unwrap();
        }
        database
    }

    fn sqlite() -> Self {
        Self::Sqlite(TempDir::with_prefix("towline-db-").unwrap())
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
                // Nobody tells when a database changes, and a look costs more than a test has to spare.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LIMIT, becomes).await.expect(what);
    }

    async fn connect(&self) -> TestConnection {
        match self {
            Self::Sqlite(_) => TestConnection::Sqlite(connect_sqlite(&self.url()).await),
            Self::Postgres { .. } => {
                TestConnection::Postgres(PgConnection::connect(&self.url()).await.unwrap())
            }
        }
    }

    /// Changes something behind the bridge's back.
    pub(crate) async fn execute(&self, sql: &'static str) {
        match self {
            Self::Sqlite(_) => {
                let mut connection = connect_sqlite(&self.url()).await;
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

    async fn postgres(template: &str) -> Self {
        let admin = admin();
        let name = format!("towline_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        execute(&admin, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        Self::Postgres { admin, name }
    }

    /// Its URL, as the configuration takes it.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(directory) => format!("sqlite://{}", file_in(directory).display()),
            Self::Postgres { admin, name } => url_of(admin, name),
        }
    }
}

fn is_postgres() -> bool {
    match std::env::var("TOWLINE_TEST_DATABASE").as_deref() {
        Ok("postgres") => true,
        Ok("sqlite") | Err(_) => false,
        Ok(other) => panic!("TOWLINE_TEST_DATABASE is sqlite or postgres, not {other}"),
    }
}

fn admin() -> String {
    std::env::var("TOWLINE_TEST_POSTGRES").expect("TOWLINE_TEST_POSTGRES is set")
}

fn file_in(directory: &TempDir) -> PathBuf {
    directory.path().join("towline.db")
}

/// The URL of another database of the same server.
fn url_of(admin: &str, name: &str) -> String {
    let (base, query) = admin.split_once('?').map_or((admin, None), |(a, b)| (a, Some(b)));
    let server = match base.split_once("://").and_then(|(_, rest)| rest.find('/')) {
        Some(slash) => &base[..base.find("://").unwrap() + 3 + slash],
        None => base,
    };
    query.map_or(format!("{server}/{name}"), |query| format!("{server}/{name}?{query}"))
}

async fn sqlite_with_schema() -> Vec<u8> {
    let directory = TempDir::with_prefix("towline-db-").unwrap();
    let options = SqliteConnectOptions::new().filename(file_in(&directory));
    let options = options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
    let mut connection = options.connect().await.unwrap();
    SQLITE.run(&mut connection).await.unwrap();
    // All of it is in the file then.
    connection.close().await.unwrap();
    std::fs::read(file_in(&directory)).unwrap()
}

/// Stays on the server, by a name that changes with the migrations, for whoever tests next.
async fn postgres_with_schema() -> String {
    let admin = admin();
    let sum = POSTGRES.iter().flat_map(|migration| migration.checksum.iter());
    let sum = sum.fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    let (name, unfinished) = (format!("towline_{sum:016x}"), format!("towline_{sum:016x}_unfinished"));
    let mut connection = PgConnection::connect(&admin).await.expect("TOWLINE_TEST_POSTGRES is reachable");
    // Another process may be about to make it; the lock goes with the connection.
    sqlx::raw_sql("SELECT pg_advisory_lock(7411)").execute(&mut connection).await.unwrap();
    let there: Option<String> =
        sqlx::query_scalar("SELECT datname::text FROM pg_database WHERE datname = $1")
            .bind(&name)
            .fetch_optional(&mut connection)
            .await
            .unwrap();
    if there.is_none() {
        execute(&admin, format!("DROP DATABASE IF EXISTS {unfinished}")).await;
        execute(&admin, format!("CREATE DATABASE {unfinished}")).await;
        let mut new = PgConnection::connect(&url_of(&admin, &unfinished)).await.unwrap();
        POSTGRES.run(&mut new).await.unwrap();
        new.close().await.unwrap();
        execute(&admin, format!("ALTER DATABASE {unfinished} RENAME TO {name}")).await;
    }
    connection.close().await.unwrap();
    name
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

/// A connection past the bridge, which waits for a writer of the bridge as long as observers do.
pub(crate) async fn connect_sqlite(url: &str) -> SqliteConnection {
    let options: SqliteConnectOptions = url.parse().unwrap();
    SqliteConnection::connect_with(&options.busy_timeout(LIMIT)).await.unwrap()
}

async fn execute(url: &str, statement: String) {
    let mut connection = PgConnection::connect(url).await.expect("TOWLINE_TEST_POSTGRES is reachable");
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
