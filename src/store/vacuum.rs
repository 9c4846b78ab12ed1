//! Giving back to the system what the database no longer needs.
//!
//! What is deleted leaves room within SQLite's file, which is used again but does not make it smaller. PostgreSQL does by
//! itself what is useful while it runs; here it does it now, and learns anew how much there is of what.

use std::str::FromStr as _;

use secrecy::ExposeSecret as _;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Error};

use super::error::OpenError;
use super::{Store, StoreOptions};

/// How large the database was, and is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vacuumed {
    /// Before.
    pub before: i64,
    /// After.
    pub after: i64,
}

/// Vacuums a database that no Towline runs on.
///
/// # Errors
/// When it can't be opened, one runs on it, or there is no room: SQLite writes the file anew beside the old one.
pub async fn vacuum(options: &StoreOptions) -> Result<Vacuumed, OpenError> {
    // It takes the lock, and knows whether the database is this Towline's.
    let store = Store::open(options).await?;
    let url = options.url.expose_secret();
    let done = if url.starts_with("sqlite:") { of_file(url).await } else { of_server(url).await };
    store.close().await;
    done.map_err(OpenError::Connect)
}

async fn of_file(url: &str) -> Result<Vacuumed, Error> {
    let mut connection = SqliteConnectOptions::from_str(url)?.connect().await?;
    let before = size_of_file(&mut connection).await?;
    sqlx::query("VACUUM").execute(&mut connection).await?;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await?;
    let after = size_of_file(&mut connection).await?;
    connection.close().await?;
    Ok(Vacuumed { before, after })
}

async fn size_of_file(connection: &mut SqliteConnection) -> Result<i64, Error> {
    const SIZE: &str = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
    sqlx::query_scalar(SIZE).fetch_one(connection).await
}

async fn of_server(url: &str) -> Result<Vacuumed, Error> {
    let mut connection = PgConnection::connect(url).await?;
    let before = size_on_server(&mut connection).await?;
    sqlx::query("VACUUM (ANALYZE)").execute(&mut connection).await?;
    let after = size_on_server(&mut connection).await?;
    connection.close().await?;
    Ok(Vacuumed { before, after })
}

async fn size_on_server(connection: &mut PgConnection) -> Result<i64, Error> {
    sqlx::query_scalar("SELECT pg_database_size(current_database())").fetch_one(connection).await
}
