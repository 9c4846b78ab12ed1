//! The one task that writes.
//!
//! A write is a closure that runs inside a transaction. The task takes all closures that have gathered, runs them in
//! the order in which they came, commits once, and only then answers each: group commit with tickets. A closure that
//! fails is rolled back to its savepoint alone; a commit that fails fails them all, and nobody was told otherwise.

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::Store;
use super::error::StoreError;
use super::pool::{Pool, Tx};

/// How many closures may gather for one commit. Beyond it, writers wait for the next.
const LARGEST_BATCH: usize = 256;

type Finish = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
type Work = Box<dyn for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<Finish, Failed>> + Send>;

/// A closure failed and has told its caller.
struct Failed;

enum Job {
    Work(Work),
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
    pub(super) fn start(pool: Pool) -> Self {
        let (jobs, queue) = mpsc::channel(LARGEST_BATCH);
        tokio::spawn(run(pool, queue));
        Self { jobs }
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
        let job: Work = Box::new(move |tx| {
            Box::pin(async move {
                match work(tx).await {
                    Ok(value) => Ok(Box::new(move |committed: Result<(), StoreError>| {
                        let _ = tell.send(committed.map(|()| value));
                    }) as Finish),
                    Err(error) => {
                        let _ = tell.send(Err(error));
                        Err(Failed)
                    }
                }
            })
        });
        // When the writer is gone the sender drops with the job, and the ticket says so.
        let _ = self.shared.writer.jobs.send(Job::Work(job)).await;
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

async fn run(pool: Pool, mut queue: mpsc::Receiver<Job>) {
    let mut jobs = Vec::with_capacity(LARGEST_BATCH);
    let mut closing = None;
    while closing.is_none() && queue.recv_many(&mut jobs, LARGEST_BATCH).await > 0 {
        let mut batch = Vec::with_capacity(jobs.len());
        for job in jobs.drain(..) {
            match job {
                Job::Work(work) => batch.push(work),
                Job::Close(closed) => closing = Some(closed),
            }
        }
        commit(&pool, batch).await;
    }
    pool.close().await;
    if let Some(closed) = closing {
        let _ = closed.send(());
    }
}

/// Runs a batch in one transaction.
async fn commit(pool: &Pool, batch: Vec<Work>) {
    if batch.is_empty() {
        return;
    }
    let alone = batch.len() == 1;
    let mut finishing = Vec::with_capacity(batch.len());
    let result = async {
        let mut tx = pool.begin().await?;
        for work in batch {
            if alone {
                match work(&mut tx).await {
                    Ok(finish) => finishing.push(finish),
                    // Dropping the transaction rolls it back.
                    Err(Failed) => return Ok(()),
                }
                continue;
            }
            tx.execute("SAVEPOINT work").await?;
            match work(&mut tx).await {
                Ok(finish) => {
                    finishing.push(finish);
                    tx.execute("RELEASE SAVEPOINT work").await?;
                }
                Err(Failed) => tx.execute("ROLLBACK TO SAVEPOINT work").await?,
            }
        }
        tx.commit().await
    }
    .await
    .map_err(StoreError::from);
    if let Err(error) = &result {
        tracing::error!(%error, "a commit failed");
    }
    for finish in finishing {
        finish(result.clone());
    }
}
