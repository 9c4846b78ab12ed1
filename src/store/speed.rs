//! How long the database takes to have something in safety: each answer to the homeserver waits for that.
//!
//! Nothing is left of it in the database, which another process may use meanwhile. PostgreSQL is asked to write a message
//! of no meaning into its log of changes; for SQLite a file beside the database is written as SQLite writes its log.

use std::fs::OpenOptions;
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::sqlite::SqliteConnectOptions;

use super::error::OpenError;
use super::pool::{self, Pool};
use crate::clock::{Clock as _, SystemClock};

/// How often it is tried; the middle one counts.
const ATTEMPTS: usize = 9;
/// A page of SQLite's.
const PAGE: [u8; 4096] = [0; 4096];

/// How long a commit takes.
///
/// # Errors
/// When the database can't be reached, or nothing can be written beside it.
pub async fn commit_time(url: &SecretString) -> Result<Duration, OpenError> {
    let mut times = if url.expose_secret().starts_with("sqlite:") {
        let options = SqliteConnectOptions::from_str(url.expose_secret()).map_err(OpenError::Connect)?;
        let mut name = options.get_filename().as_os_str().to_owned();
        name.push(format!(".speed-{}", std::process::id()));
        let file = PathBuf::from(name);
        let measured = tokio::task::spawn_blocking(move || {
            let times = of_file(&file);
            let _ = std::fs::remove_file(&file);
            times.map_err(|source| OpenError::File { path: file, source })
        });
        measured
            .await
            .map_err(|error| OpenError::Connect(sqlx::Error::Io(std::io::Error::other(error))))??
    } else {
        let pool = pool::open_to_read(url).await?;
        let times = of_server(&pool).await;
        pool.close().await;
        times.map_err(OpenError::Connect)?
    };
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

fn of_file(path: &Path) -> std::io::Result<Vec<Duration>> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let mut times = Vec::with_capacity(ATTEMPTS);
    for _ in 0..ATTEMPTS {
        let start = SystemClock.now();
        file.rewind()?;
        file.write_all(&PAGE)?;
        file.sync_data()?;
        times.push(SystemClock.now() - start);
    }
    Ok(times)
}

async fn of_server(pool: &Pool) -> sqlx::Result<Vec<Duration>> {
    const SQL: &str = "SELECT pg_logical_emit_message(true, 'towline', 'speed')::text";
    let mut times = Vec::with_capacity(ATTEMPTS);
    for _ in 0..ATTEMPTS {
        let start = SystemClock.now();
        let _: String = pool::on!(pool, |p| sqlx::query_scalar(SQL).fetch_one(p).await)?;
        times.push(SystemClock.now() - start);
    }
    Ok(times)
}
