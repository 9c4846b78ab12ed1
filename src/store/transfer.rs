//! The whole database as a stream of rows: into a file, out of one, or from one engine to the other.
//!
//! One way for all three: rows are read in one transaction, which sees the database as it was when it began, also while
//! another process writes; and they are written in one transaction, into a database in which nothing is. Numbers stay
//! as they are, and so does what is sealed: whoever restores needs the key. The index of the history's words is not
//! carried over but made anew, since each engine has its own.
//!
//! | part | what it is |
//! |---|---|
//! | `shape` | which tables and columns a database has |
//! | `dump` | rows out of a database |
//! | `load` | rows into an empty one |
//! | `file` | rows as lines of a file |
//! | `person` | what is stored about one user, to read |

mod dump;
mod file;
mod load;
mod person;
mod shape;

use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};

pub use self::person::export;

use self::load::Loader;
use super::lock::InstanceLock;
use super::{OpenError, Store, StoreError, StoreOptions, pool};

/// Rows of each table, in the order in which they were carried over.
pub type Counts = Vec<(String, u64)>;

/// Hears how many rows of a table are carried over so far.
pub type Progress<'a> = &'a mut (dyn FnMut(&str, u64) + Send);

/// Why a database was not carried over.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A database can't be opened, or a key is not its own.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Reading or writing failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The backup can't be read or written.
    #[error("the backup: {0}")]
    File(#[from] std::io::Error),
    /// It is no backup, or not all of one.
    #[error("this is no whole backup: {0}")]
    Damaged(String),
    /// It was made by a newer version.
    #[error(
        "the backup was made by a newer towline (schema {found}, this one knows {known}); use that version"
    )]
    Newer {
        /// The number in the backup.
        found: i64,
        /// The newest number that this binary knows.
        known: i64,
    },
    /// There is something in the database already.
    #[error("the database is not empty: {0}; give one in which nothing is")]
    NotEmpty(String),
    /// A table or a column that this version does not know how to carry over.
    #[error("the database has {0}, which this version does not know")]
    Unknown(String),
    /// Not as many rows arrived as were sent.
    #[error("{table} has {found} rows, and should have {expected}; nothing was written")]
    Lost {
        /// The table.
        table: String,
        /// How many rows there are.
        found: u64,
        /// How many rows there should be.
        expected: u64,
    },
}

impl From<sqlx::Error> for TransferError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What a column holds in a row, the same on both engines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Value {
    Null,
    Integer(i64),
    Text(String),
    Bytes(file::Bytes),
}

/// Where rows go.
trait Sink {
    /// The rows of a table with these columns follow.
    async fn begin(&mut self, table: &str, columns: Vec<String>) -> Result<(), TransferError>;
    /// Some rows of that table.
    async fn rows(&mut self, rows: Vec<Vec<Value>>) -> Result<(), TransferError>;
    /// The last number that the table has given.
    async fn sequence(&mut self, last: i64) -> Result<(), TransferError>;
}

/// Writes all of a database as a backup, also while it is used.
pub async fn back_up(
    from: &StoreOptions,
    output: &mut (dyn Write + Send),
    now: i64,
    progress: Progress<'_>,
) -> Result<Counts, TransferError> {
    let pool = pool::open_to_read(&from.url).await?;
    let counts = async {
        pool.check_schema().await?;
        let mut backup = file::Writer::begin(output, pool.newest_migration(), now)?;
        let counts = dump::dump(&pool, &mut backup, progress).await?;
        backup.end(&counts)?;
        Ok(counts)
    };
    let counts = counts.await;
    pool.close().await;
    counts
}

/// Writes what a backup holds into an empty database, and brings that up to date.
pub async fn restore(
    input: &mut (dyn BufRead + Send),
    to: &StoreOptions,
    progress: Progress<'_>,
) -> Result<Counts, TransferError> {
    let mut backup = file::Reader::begin(input)?;
    let lock = InstanceLock::take(&to.url, to.lock.as_deref()).await?;
    let restored = async {
        let mut loader = Loader::begin(to, backup.schema()).await?;
        let loaded = backup.read_into(&mut loader, progress).await;
        loader.end(loaded).await
    };
    let restored = restored.await;
    lock.release().await;
    let counts = restored?;
    complete(to).await?;
    Ok(counts)
}

/// Writes all of a database, which nobody uses meanwhile, into an empty one.
pub async fn copy(
    from: &StoreOptions,
    to: &StoreOptions,
    progress: Progress<'_>,
) -> Result<Counts, TransferError> {
    let source = InstanceLock::take(&from.url, from.lock.as_deref()).await?;
    let copied = copy_locked(from, to, progress).await;
    source.release().await;
    let counts = copied?;
    complete(to).await?;
    Ok(counts)
}

async fn copy_locked(
    from: &StoreOptions,
    to: &StoreOptions,
    progress: Progress<'_>,
) -> Result<Counts, TransferError> {
    let pool = pool::open_to_read(&from.url).await?;
    let copied = async {
        pool.check_schema().await?;
        let lock = InstanceLock::take(&to.url, to.lock.as_deref()).await?;
        let loaded = async {
            let mut loader = Loader::begin(to, pool.newest_migration()).await?;
            let loaded = dump::dump(&pool, &mut loader, progress).await;
            loader.end(loaded).await
        };
        let loaded = loaded.await;
        lock.release().await;
        loaded
    };
    let copied = copied.await;
    pool.close().await;
    copied
}

/// Brings the schema up to date and makes all lines findable.
async fn complete(to: &StoreOptions) -> Result<(), TransferError> {
    let store = Store::open(to).await?;
    let indexed = async {
        while store.index_older_lines().await? {}
        Ok(())
    };
    let indexed = indexed.await;
    store.close().await;
    indexed
}
