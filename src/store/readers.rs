//! SQLite's connections for those who read.
//!
//! A read runs where it is asked for (`sqlite`), and is over before whoever asks waits for anything else: a connection is
//! held from one look of the runtime to the same, and there are as many as threads that read at once. What takes longer
//! than waking another thread is read apart ([`SqliteConnections::read_apart`]).

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::sqlite::{Access, Connection};

/// Connections that wait to be used again: as many as there are workers.
const KEPT: usize = 2;
/// Who reads apart at once: they take their time, of the processor as well.
const APART: usize = 2;

/// Connections to one file.
#[derive(Clone)]
pub(in crate::store) struct SqliteConnections {
    file: Arc<PathBuf>,
    access: Access,
    idle: Arc<Mutex<Vec<Connection>>>,
    /// Who reads at this moment; closed with the store.
    reading: TaskTracker,
    apart: Arc<Semaphore>,
}

/// A connection for one read.
pub(in crate::store) struct Reading {
    /// There until it is given back.
    connection: Option<Connection>,
    from: SqliteConnections,
    _token: TaskTrackerToken,
}

impl SqliteConnections {
    /// Opens a file that is there.
    pub(in crate::store) fn open(file: PathBuf, access: Access) -> sqlx::Result<Self> {
        let first = Connection::open(&file, access)?;
        let idle = Arc::new(Mutex::new(vec![first]));
        let apart = Arc::new(Semaphore::new(APART));
        Ok(Self { file: Arc::new(file), access, idle, reading: TaskTracker::new(), apart })
    }

    /// A connection to read with.
    pub(in crate::store) fn read(&self) -> sqlx::Result<Reading> {
        // In this order: who closes waits for everybody who has found it open.
        let token = self.reading.token();
        if self.reading.is_closed() {
            return Err(sqlx::Error::PoolClosed);
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => Connection::open(&self.file, self.access)?,
        };
        Ok(Reading { connection: Some(connection), from: self.clone(), _token: token })
    }

    /// Reads on a thread that may be held up.
    pub(in crate::store) async fn read_apart<T, F>(&self, read: F) -> sqlx::Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, sqlx::Result<T>> + Send + 'static,
    {
        let turn = Arc::clone(&self.apart).acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
        let mut reading = self.read()?;
        let runtime = tokio::runtime::Handle::current();
        let apart = tokio::task::spawn_blocking(move || {
            // With the thread, and not with who waits for it: they may be gone before it is through.
            let _turn = turn;
            let result = runtime.block_on(read(&mut reading));
            reading.came_to(result)
        });
        // It is ended by nobody, but where the runtime itself ends; a panic is the reader's.
        apart.await.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(sqlx::Error::PoolClosed),
        })
    }

    /// Waits for the reads under way, and closes all connections.
    pub(in crate::store) async fn close(&self) {
        self.reading.close();
        self.reading.wait().await;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The file.
    pub(in crate::store) fn file(&self) -> &std::path::Path {
        &self.file
    }
}

impl Reading {
    /// Closes the connection, if the read failed: nobody knows in what state it is.
    pub(in crate::store) fn came_to<T>(mut self, result: sqlx::Result<T>) -> sqlx::Result<T> {
        if !matches!(result, Ok(_) | Err(sqlx::Error::RowNotFound)) {
            self.connection = None;
        }
        result
    }
}

impl Deref for Reading {
    type Target = Connection;

    fn deref(&self) -> &Self::Target {
        self.connection.as_ref().expect("it is given back only at the end")
    }
}

impl DerefMut for Reading {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.connection.as_mut().expect("it is given back only at the end")
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut idle = self.from.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.extend(self.connection.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections() -> (tempfile::TempDir, SqliteConnections) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tea.db");
        rusqlite::Connection::open(&file).unwrap().execute_batch("CREATE TABLE tea (x)").unwrap();
        (folder, SqliteConnections::open(file, Access::Reads).unwrap())
    }

    fn idle(connections: &SqliteConnections) -> usize {
        connections.idle.lock().unwrap().len()
    }

    #[tokio::test]
    async fn a_connection_is_used_again_and_one_that_failed_is_not() {
        let (_folder, connections) = connections();
        for (sql, left) in
            [("SELECT 1", 1), ("SELECT 1 WHERE FALSE", 1), ("SELECT nothing", 0), ("SELECT 1", 1)]
        {
            let mut reading = connections.read().unwrap();
            assert_eq!(idle(&connections), 0, "{sql}");
            let read: sqlx::Result<i64> = sqlx::query_scalar(sql).fetch_one(&mut *reading).await;
            let _ = reading.came_to(read);
            assert_eq!(idle(&connections), left, "{sql}");
        }
    }

    #[tokio::test]
    async fn those_who_read_at_once_have_a_connection_each_and_few_are_kept() {
        let (_folder, connections) = connections();
        let several: Vec<_> = (0..KEPT + 3).map(|_| connections.read().unwrap()).collect();
        drop(several);
        assert_eq!(idle(&connections), KEPT);
    }

    #[tokio::test]
    async fn who_reads_changes_nothing() {
        let (_folder, connections) = connections();
        let mut reading = connections.read().unwrap();
        let written = sqlx::query("INSERT INTO tea VALUES (1)").execute(&mut *reading).await;
        assert!(written.is_err());
    }

    #[tokio::test]
    async fn who_closes_waits_for_a_read_and_nobody_reads_after() {
        let (_folder, connections) = connections();
        let reading = connections.read().unwrap();
        let mut closing = Box::pin(connections.close());
        assert!(futures_util::poll!(&mut closing).is_pending());
        assert!(matches!(connections.read().err(), Some(sqlx::Error::PoolClosed)));
        drop(reading);
        closing.await;
        assert_eq!(idle(&connections), 0);
        assert!(matches!(connections.read().err(), Some(sqlx::Error::PoolClosed)));
    }

    #[tokio::test]
    async fn what_is_read_apart_comes_back_and_so_does_what_became_of_it() {
        let (_folder, connections) = connections();
        let two = connections.read_apart(|c| Box::pin(sqlx::query_scalar("SELECT 1 + 1").fetch_one(c))).await;
        assert_eq!(two.map(|two: i64| two).ok(), Some(2));
        assert_eq!(idle(&connections), 1);
        let nothing: sqlx::Result<i64> =
            connections.read_apart(|c| Box::pin(sqlx::query_scalar("SELECT nothing").fetch_one(c))).await;
        assert!(matches!(nothing, Err(sqlx::Error::Database(_))));
        assert_eq!(idle(&connections), 0);
    }
}
