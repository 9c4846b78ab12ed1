//! What can go wrong with the store, in words for the one who can mend it.

use std::path::PathBuf;
use std::sync::Arc;

/// A read or a write failed. Cheap to clone: every writer of a failed commit gets it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database refused or did not answer.
    #[error("the database failed: {0}")]
    Database(Arc<sqlx::Error>),
    /// The store was closed, at shutdown.
    #[error("the database is closed")]
    Closed,
    /// A stored payload can't be opened with this key.
    #[error("a stored value does not open with this secret key")]
    Sealed,
    /// The session was taken over by another instance, or forgotten.
    #[error("the session is not this process's any more")]
    Superseded,
    /// What was to be done ended by a mistake of the bridge's, which the log tells.
    #[error("the bridge made a mistake: its log says which")]
    Panicked,
    /// A row holds what this version never writes.
    #[error("the database holds {0}, which this version does not know")]
    Unknown(String),
}

impl StoreError {
    /// Whether the same read or write may succeed later.
    pub fn is_temporary(&self) -> bool {
        let Self::Database(error) = self else { return false };
        let Some(refusal) = error.as_database_error() else {
            return true;
        };
        // A constraint, or (SQLSTATE class 22) a value that the engine can't hold: so it will be the next time.
        refusal.kind() == sqlx::error::ErrorKind::Other
            && !refusal.code().is_some_and(|code| code.len() == 5 && code.starts_with("22"))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolClosed => Self::Closed,
            error => Self::Database(Arc::new(error)),
        }
    }
}

/// Why a store is of no use to its process any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Another process may have the database.
    #[error("the database is gone, and with it the lock that keeps other instances out")]
    Lock,
    /// The task that writes has ended by a mistake.
    #[error(
        "nothing is written to the database any more, by a mistake in the bridge: the lines above say which"
    )]
    Writer,
}

/// The store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// `database.url` has another scheme.
    #[error("database.url begins with neither sqlite:// nor postgres://")]
    Scheme,
    /// The server or the file can't be reached.
    #[error("can't open the database: {0}")]
    Connect(#[source] sqlx::Error),
    /// The folder of the SQLite file is missing or not writable.
    #[error("can't use {path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process runs on this database.
    #[error("another towline is running on this database; stop it first")]
    Locked,
    /// The schema was made by a newer version.
    #[error(
        "the database was upgraded by a newer towline (schema {found}, this one knows {known}); \
         run that version, or restore a backup"
    )]
    SchemaNewer {
        /// The number in the database.
        found: i64,
        /// The newest number that this binary knows.
        known: i64,
    },
    /// The schema is older than this version, which may not change it now.
    #[error(
        "the database is of an older towline (schema {found}, this one has {known}); start this one once"
    )]
    SchemaOlder {
        /// The number in the database.
        found: i64,
        /// The newest number that this binary knows.
        known: i64,
    },
    /// A migration failed.
    #[error("can't upgrade the database's schema: {0}")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// The secret key is not the one that the database was made with.
    #[error("secret_key_file is not the key that this database was made with; restore that file")]
    WrongKey,
    /// The first read or write failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
