//! The one task that writes.
//!
//! On SQLite it is a thread: its statements run in place (`sqlite`), and hold up nobody but the next write.
//!
//! A write is a closure that runs inside a transaction. The task takes all closures that have gathered, runs them in
//! the order in which they came, commits once, and only then answers each: group commit with tickets. A closure that
//! fails is rolled back to its savepoint alone; a commit that fails fails them all, and nobody was told otherwise. A closure
//! that panics fails alone; should the task itself end, the process does ([`Store::lost`]).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::error::{OpenError, StoreError};
use super::tx::{Tx, Writing};
use super::{Store, Tally};

/// How many closures may gather for one commit. Beyond it, writers wait for the next.
const LARGEST_BATCH: usize = 256;
/// After so many commits SQLite's log is written back when nobody waits. A line's commit is about fifteen pages.
const COMMITS_IN_LOG: u32 = 128;
/// Commits after which it is tried again, where it could not be written back whole.
const SOON: u32 = 16;
/// After this time it is tried again, where the log has what is to be nowhere.
const AGAIN: Duration = Duration::from_secs(10);

/// A write that was handed in: first it runs inside the transaction, then it is told what became of that.
trait Write: Send {
    /// Runs it. After an error the transaction has nothing of it.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, Result<(), StoreError>>;
    /// Tells whoever waits; a write that never ran is told why, too.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Ordered<T, F> {
    work: Option<F>,
    value: Option<T>,
    tell: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Write for Ordered<T, F>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send + 'static,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, Result<(), StoreError>> {
        Box::pin(async move {
            if let Some(work) = self.work.take() {
                self.value = Some(work(tx).await?);
            }
            Ok(())
        })
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { value, tell, .. } = *self;
        // Who waited may have gone.
        let _ = tell.send(committed.and_then(|()| value.ok_or(StoreError::Closed)));
    }
}

enum Job {
    Write(Box<dyn Write>),
    Close(oneshot::Sender<()>),
}

pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

/// The answer to a write that was handed in: it resolves when the commit is done.
#[must_use = "a write that nobody waits for can fail without notice"]
pub struct Ticket<T>(oneshot::Receiver<Result<T, StoreError>>);

impl<T> Ticket<T> {
    /// Waits for the commit.
    pub async fn committed(self) -> Result<T, StoreError> {
        self.0.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl Writer {
    pub(super) fn start(writing: Writing, tally: Arc<Tally>) -> Result<Self, OpenError> {
        let (jobs, queue) = mpsc::channel(LARGEST_BATCH);
        match writing {
            Writing::Postgres(_) => {
                tokio::spawn(run(writing, queue, tally));
            }
            Writing::Sqlite(_) => {
                let runtime = tokio::runtime::Handle::current();
                let thread = std::thread::Builder::new().name("writer".to_owned());
                let begun = thread.spawn(move || runtime.block_on(run(writing, queue, tally)));
                begun.map_err(|error| OpenError::Connect(error.into()))?;
            }
        }
        Ok(Self { jobs })
    }

    /// One that writes nothing.
    pub(super) fn closed() -> Self {
        let (jobs, _) = mpsc::channel(1);
        Self { jobs }
    }

    /// Waits until nothing can be written any more.
    pub(super) async fn ended(&self) {
        self.jobs.closed().await;
    }

    pub(super) async fn close(&self) {
        let (closed, wait) = oneshot::channel();
        if self.jobs.send(Job::Close(closed)).await.is_ok() {
            let _ = wait.await;
        }
    }
}

impl Store {
    /// Hands in a write and returns its ticket; writes commit in the order in which they are handed in.
    pub(super) async fn submit<T, F>(&self, work: F) -> Ticket<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let job = Ordered { work: Some(work), value: None, tell };
        // When the writer is gone the sender drops with the job, and the ticket says so.
        let _ = self.shared.writer.jobs.send(Job::Write(Box::new(job))).await;
        Ticket(told)
    }

    /// Writes and waits for the commit.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send + 'static,
    {
        self.submit(work).await.committed().await
    }
}

/// The writer's connection, from one commit to the next: a pool would ask it before and after each whether it is alive.
struct Connection {
    writing: Writing,
    /// As the last write left it.
    kept: Option<Tx>,
    /// How many commits there were since the log was written back.
    in_log: u32,
    /// Something was taken away that is still in the log, or in the file.
    has_to_leave_nothing: bool,
}

impl Connection {
    async fn begin(&mut self) -> sqlx::Result<Tx> {
        if let Some(kept) = self.kept.take()
            && let Some(tx) = kept.begin_again().await
        {
            return Ok(tx);
        }
        self.writing.begin().await
    }

    /// Writes back what the log has gathered, while nobody waits: who is next would wait for all of it.
    async fn write_back(&mut self) {
        let Some(kept) = &mut self.kept else { return };
        let is_whole = if self.has_to_leave_nothing {
            kept.empty_log().await
        } else if self.in_log >= COMMITS_IN_LOG {
            kept.write_back_log().await
        } else {
            return;
        };
        if is_whole {
            (self.in_log, self.has_to_leave_nothing) = (0, false);
        } else {
            self.in_log = self.in_log.min(COMMITS_IN_LOG - SOON);
        }
    }

    async fn close(self) {
        let Self { writing, kept, .. } = self;
        // A pool waits for it; without one it is closed here.
        drop(kept);
        writing.close().await;
    }
}

async fn run(writing: Writing, mut queue: mpsc::Receiver<Job>, tally: Arc<Tally>) {
    let mut connection = Connection { writing, kept: None, in_log: 0, has_to_leave_nothing: false };
    let mut jobs = Vec::with_capacity(LARGEST_BATCH);
    let mut closing = None;
    while closing.is_none() {
        let received = queue.recv_many(&mut jobs, LARGEST_BATCH);
        // Where somebody reads what was taken away nothing may be written for a long time after.
        let received = if connection.has_to_leave_nothing {
            tokio::time::timeout(AGAIN, received).await.ok()
        } else {
            Some(received.await)
        };
        if received == Some(0) {
            break;
        }
        let mut batch = Vec::with_capacity(jobs.len());
        for job in jobs.drain(..) {
            match job {
                Job::Write(write) => batch.push(write),
                Job::Close(closed) => closing = Some(closed),
            }
        }
        commit(&mut connection, batch, &tally).await;
        if queue.is_empty() {
            connection.write_back().await;
        }
    }
    connection.close().await;
    if let Some(closed) = closing {
        let _ = closed.send(());
    }
}

/// Runs a batch in one transaction.
async fn commit(connection: &mut Connection, mut batch: Vec<Box<dyn Write>>, tally: &Tally) {
    if batch.is_empty() {
        return;
    }
    // What each write came to by itself; what could not be tried shares the fate of the transaction.
    let mut alone: Vec<Result<(), StoreError>> = Vec::with_capacity(batch.len());
    let committed = run_all(connection, &mut batch, &mut alone).await.map_err(StoreError::from);
    match &committed {
        Ok(()) => tally.commits.count(),
        Err(error) => {
            tally.commits_failed.count();
            tracing::error!(%error, "a commit failed");
        }
    }
    let outcomes = alone.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
    for (write, outcome) in batch.into_iter().zip(outcomes) {
        write.finish(outcome.unwrap_or(Ok(())).and_then(|()| committed.clone()));
    }
}

async fn run_all(
    connection: &mut Connection,
    batch: &mut [Box<dyn Write>],
    outcomes: &mut Vec<Result<(), StoreError>>,
) -> sqlx::Result<()> {
    let mut tx = connection.begin().await?;
    if let Err(error) = run_each(&mut tx, batch, outcomes).await {
        tx.abandon().await;
        return Err(error);
    }
    if outcomes.iter().all(Result::is_err) {
        connection.kept = tx.roll_back().await;
        return Ok(());
    }
    let mut tx = tx.commit().await?;
    connection.in_log += 1;
    connection.has_to_leave_nothing |= tx.has_to_leave_nothing();
    connection.kept = Some(tx);
    Ok(())
}

/// Runs a write; one that panics has failed, and no other.
async fn run_one(tx: &mut Tx, write: &mut Box<dyn Write>) -> Result<(), StoreError> {
    AssertUnwindSafe(write.run(tx)).catch_unwind().await.unwrap_or_else(|panic| {
        let said =
            panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        tracing::error!(
            panic = said.unwrap_or("no words"),
            "a write to the store panicked, and was not done"
        );
        Err(StoreError::Panicked)
    })
}

async fn run_each(
    tx: &mut Tx,
    batch: &mut [Box<dyn Write>],
    outcomes: &mut Vec<Result<(), StoreError>>,
) -> sqlx::Result<()> {
    if let [write] = batch {
        outcomes.push(run_one(tx, write).await);
        return Ok(());
    }
    for write in batch {
        tx.order("SAVEPOINT work").await?;
        let outcome = run_one(tx, write).await;
        // Where a statement has failed of which the write says nothing, it can't be released.
        let outcome = match outcome {
            Ok(()) => tx.order("RELEASE SAVEPOINT work").await.map_err(StoreError::from),
            failed => failed,
        };
        if outcome.is_err() {
            tx.order("ROLLBACK TO SAVEPOINT work").await?;
        }
        outcomes.push(outcome);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Lost, SecretKey, Store, StoreError, StoreOptions};
    use super::COMMITS_IN_LOG;

    async fn store(folder: &Path) -> Store {
        let url = format!("sqlite://{}", folder.join("t.db").display());
        Store::open(&StoreOptions { url: url.into(), key: SecretKey::new([7; 32]), lock: None })
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn the_log_is_written_back_when_nobody_waits() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path()).await;
        // What the file itself has, without the log.
        let written_back = || {
            let copy = folder.path().join("copy.db");
            std::fs::copy(folder.path().join("t.db"), &copy).unwrap();
            let copy = rusqlite::Connection::open(copy).unwrap();
            let count = |sql: &str| copy.query_row(sql, (), |row| row.get::<_, u32>(0)).unwrap();
            match count("SELECT COUNT(*) FROM sqlite_master WHERE name = 'tea'") {
                0 => 0,
                _ => count("SELECT COUNT(*) FROM tea"),
            }
        };
        let say =
            |sql: &'static str| store.write(move |tx| Box::pin(async move { Ok(tx.order(sql).await?) }));
        say("CREATE TABLE tea (x)").await.unwrap();
        say("INSERT INTO tea VALUES (7)").await.unwrap();
        assert_eq!(written_back(), 0);
        for _ in 0..2 * COMMITS_IN_LOG {
            say("INSERT INTO tea VALUES (7)").await.unwrap();
        }
        // Who comes at that very moment is not kept waiting, and it is done after one of the next.
        assert!(written_back() >= COMMITS_IN_LOG / 2);
        store.close().await;
    }

    /// Review of the writer's own thread, finding 1: nothing was written any more until somebody started the bridge anew.
    #[tokio::test]
    async fn a_write_that_panics_fails_and_the_next_is_written() {
        const HALF: &str = "CREATE TABLE half (x INTEGER)";
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path()).await;
        let panics = || {
            store.write::<(), _>(|tx| {
                Box::pin(async {
                    tx.order(HALF).await?;
                    panic!("a write that panics, for a test")
                })
            })
        };
        // Nothing of it is there.
        let goes_well = || {
            store.write(|tx| {
                Box::pin(async {
                    tx.order(HALF).await?;
                    tx.order("DROP TABLE half").await?;
                    Ok(7)
                })
            })
        };
        // By itself, and in one batch with others.
        assert!(matches!(panics().await, Err(StoreError::Panicked)));
        assert_eq!(goes_well().await.unwrap(), 7);
        // The writer is busy until all three wait.
        let (go, busy) = tokio::sync::oneshot::channel::<()>();
        let is_busy = store.write(|_| Box::pin(async { busy.await.map_err(|_| StoreError::Closed) }));
        let (first, before, panicked, after, _) =
            tokio::join!(is_busy, goes_well(), panics(), goes_well(), async { go.send(()) });
        first.unwrap();
        assert_eq!((before.unwrap(), after.unwrap()), (7, 7));
        assert!(matches!(panicked, Err(StoreError::Panicked)));
        store.close().await;
        assert_eq!(store.lost().await, Lost::Writer);
    }
}
