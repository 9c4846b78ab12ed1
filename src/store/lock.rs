//! One process for one database. With SQLite a lock on a file beside it, which the system frees when the process
//! ends; with PostgreSQL an advisory lock on a connection that does nothing else, and whose end means that the lock
//! is lost.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::sync::Mutex;

use super::error::OpenError;

/// The advisory lock's number: "towline" read as a number.
const ADVISORY_LOCK: i64 = 0x746f_776c_696e_6500;
/// PostgreSQL frees the lock of a process that was killed when it notices, which a restart may be faster than.
const ATTEMPTS: u32 = 8;
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(250);
/// How often the connection that holds the advisory lock is proven alive.
const PROOF_INTERVAL: Duration = Duration::from_secs(10);

pub(super) enum InstanceLock {
    /// Held until the file closes.
    File(Mutex<Option<File>>),
    /// Held until the connection closes.
    Advisory(Mutex<Option<PgConnection>>),
    /// Whoever only reads keeps nobody out.
    Nothing,
}

impl InstanceLock {
    pub(super) async fn take(url: &SecretString, file: Option<&Path>) -> Result<Self, OpenError> {
        let url = url.expose_secret();
        if url.starts_with("postgres") {
            let options = PgConnectOptions::from_str(url).map_err(OpenError::Connect)?;
            let mut connection =
                options.application_name("towline-lock").connect().await.map_err(OpenError::Connect)?;
            for attempt in 0..ATTEMPTS {
                if attempt > 0 {
                    tokio::time::sleep(ATTEMPT_INTERVAL).await;
                }
                let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
                    .bind(ADVISORY_LOCK)
                    .fetch_one(&mut connection)
                    .await
                    .map_err(OpenError::Connect)?;
                if taken {
                    return Ok(Self::Advisory(Mutex::new(Some(connection))));
                }
            }
            return Err(OpenError::Locked);
        }
        if !url.starts_with("sqlite:") {
            return Err(OpenError::Scheme);
        }
        let options = SqliteConnectOptions::from_str(url).map_err(|_| OpenError::Scheme)?;
        let path: PathBuf = match file {
            Some(path) => path.to_owned(),
            None if options.get_filename() == Path::new(":memory:") => {
                return Ok(Self::File(Mutex::default()));
            }
            None => {
                let mut name = options.get_filename().as_os_str().to_owned();
                name.push(".lock");
                name.into()
            }
        };
        let fail = |source| OpenError::File { path: path.clone(), source };
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(fail)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self::File(Mutex::new(Some(lock)))),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked),
            Err(TryLockError::Error(source)) => Err(fail(source)),
        }
    }

    pub(super) async fn lost(&self) {
        match self {
            Self::File(_) | Self::Nothing => std::future::pending().await,
            Self::Advisory(connection) => {
                let mut held = connection.lock().await;
                let Some(connection) = held.as_mut() else {
                    return;
                };
                while tokio::time::timeout(PROOF_INTERVAL, connection.ping())
                    .await
                    .is_ok_and(|pong| pong.is_ok())
                {
                    tokio::time::sleep(PROOF_INTERVAL).await;
                }
                // There is nothing left to give up, and nobody to ask for it.
                held.take();
            }
        }
    }

    /// Gives the lock up, so that nothing that still holds the store keeps the next instance out.
    pub(super) async fn release(&self) {
        match self {
            Self::Nothing => {}
            Self::File(file) => unlock(file.lock().await.take()),
            Self::Advisory(connection) => {
                if let Some(mut connection) = connection.lock().await.take() {
                    // The lock goes with the connection, however that ends; asked for, it goes before the answer.
                    let unlock = sqlx::query("SELECT pg_advisory_unlock($1)").bind(ADVISORY_LOCK);
                    let _ = unlock.execute(&mut connection).await;
                    let _ = connection.close().await;
                }
            }
        }
    }
}

impl Drop for InstanceLock {
    fn drop(&mut self) {
        if let Self::File(file) = self {
            unlock(file.get_mut().take());
        }
    }
}

/// Gives the lock of a file up. To close it is not enough: a process that is being started has a copy of it for a moment.
fn unlock(file: Option<File>) {
    if let Some(file) = file
        && let Err(error) = file.unlock()
    {
        tracing::warn!(%error, "the lock of the database goes with the process");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lock_that_was_given_up_is_free_though_a_process_that_is_being_started_has_a_copy_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let url = SecretString::from(format!("sqlite://{}", directory.path().join("towline.db").display()));
        for is_dropped in [false, true] {
            let lock = InstanceLock::take(&url, None).await.unwrap();
            let InstanceLock::File(file) = &lock else { panic!("SQLite's lock is a file") };
            let _copy = file.lock().await.as_ref().unwrap().try_clone().unwrap();
            assert!(matches!(InstanceLock::take(&url, None).await, Err(OpenError::Locked)));
            if !is_dropped {
                lock.release().await;
            }
            drop(lock);
            InstanceLock::take(&url, None).await.unwrap();
        }
    }
}
