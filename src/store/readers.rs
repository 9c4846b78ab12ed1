//! SQLite's connections, as those who read take turns with them.
//!
//! sqlx's pool asks a connection whether it is alive each time that it comes back, which for SQLite is a message to the
//! connection's thread and an answer: as much as most reads cost. A file does not hang up, so here a connection comes
//! back without a question; one with which something went wrong goes to the pool, which asks.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqlitePool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections to one file.
#[derive(Clone)]
pub(in crate::store) struct SqliteConnections {
    pool: SqlitePool,
    idle: Arc<Mutex<Vec<PoolConnection<Sqlite>>>>,
    /// One for each connection that there may be; closed with the pool.
    turns: Arc<Semaphore>,
}

/// A connection for one read.
pub(in crate::store) struct Reading {
    /// There until it is given back.
    connection: Option<PoolConnection<Sqlite>>,
    from: SqliteConnections,
    _turn: OwnedSemaphorePermit,
}

impl SqliteConnections {
    pub(in crate::store) fn new(pool: SqlitePool) -> Self {
        let turns = pool.options().get_max_connections() as usize;
        Self { pool, idle: Arc::default(), turns: Arc::new(Semaphore::new(turns)) }
    }

    /// A connection for whoever gives it back to the pool.
    pub(in crate::store) async fn take(&self) -> sqlx::Result<PoolConnection<Sqlite>> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => self.pool.acquire().await,
        }
    }

    /// Waits for a turn to read.
    pub(in crate::store) async fn read(&self) -> sqlx::Result<Reading> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
        Ok(Reading { connection: Some(self.take().await?), from: self.clone(), _turn: turn })
    }

    /// Waits for the reads under way, and closes all connections.
    pub(in crate::store) async fn close(&self) {
        self.turns.close();
        // Who reads meanwhile gives the connection to the pool, which waits for it.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.pool.close().await;
    }
}

impl Reading {
    /// Lets the pool look what became of the connection, if the read failed.
    pub(in crate::store) fn came_to<T>(mut self, result: sqlx::Result<T>) -> sqlx::Result<T> {
        if !matches!(result, Ok(_) | Err(sqlx::Error::RowNotFound)) {
            self.connection = None;
        }
        result
    }
}

impl Deref for Reading {
    type Target = PoolConnection<Sqlite>;

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
        if !self.from.turns.is_closed() {
            idle.extend(self.connection.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqlitePoolOptions;

    use super::*;

    async fn connections() -> SqliteConnections {
        let options = SqlitePoolOptions::new().max_connections(1);
        SqliteConnections::new(options.connect("sqlite::memory:").await.unwrap())
    }

    /// Something that is only on this connection.
    async fn mark(reading: &mut Reading) -> sqlx::Result<()> {
        sqlx::query("CREATE TEMP TABLE mark (x)").execute(&mut ***reading).await.map(drop)
    }

    #[tokio::test]
    async fn a_connection_is_used_again_and_one_that_failed_is_looked_at() {
        let connections = connections().await;
        let mut first = connections.read().await.unwrap();
        let marked = mark(&mut first).await;
        first.came_to(marked).unwrap();
        assert_eq!(connections.idle.lock().unwrap().len(), 1);
        let mut second = connections.read().await.unwrap();
        // It is the same connection, which has that table.
        let again = mark(&mut second).await;
        second.came_to(again).unwrap_err();
        assert_eq!(connections.idle.lock().unwrap().len(), 0);
        connections.read().await.unwrap();
    }

    #[tokio::test]
    async fn who_closes_waits_for_a_read_and_nobody_reads_after() {
        let connections = connections().await;
        let reading = connections.read().await.unwrap();
        let closing = tokio::spawn({
            let connections = connections.clone();
            async move { connections.close().await }
        });
        tokio::task::yield_now().await;
        drop(reading);
        closing.await.unwrap();
        assert!(matches!(connections.read().await.err(), Some(sqlx::Error::PoolClosed)));
    }
}
