//! How a command ends: its error and the exit code that a script can act on.
//!
//! The codes are documented in `docs/operations.md`, kept true by a test. They never change their meaning.

use std::path::PathBuf;

use crate::config::ConfigError;
use crate::config::secret::SecretKeyError;
use crate::store::StoreError;

/// An exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// All went well.
    Success = 0,
    /// Something that nobody foresaw.
    Unexpected = 1,
    /// The command line.
    Usage = 2,
    /// The configuration.
    Configuration = 10,
    /// A file.
    File = 11,
    /// The homeserver does not answer.
    Unreachable = 12,
    /// The homeserver refuses the token.
    TokenRefused = 13,
    /// The registration.
    Registration = 14,
    /// The database.
    Database = 15,
    /// The lock.
    Locked = 16,
    /// The database's schema.
    SchemaNewer = 17,
    /// A backup.
    Backup = 18,
}

impl Code {
    /// All codes, in order.
    pub const ALL: [Self; 12] = [
        Self::Success,
        Self::Unexpected,
        Self::Usage,
        Self::Configuration,
        Self::File,
        Self::Unreachable,
        Self::TokenRefused,
        Self::Registration,
        Self::Database,
        Self::Locked,
        Self::SchemaNewer,
        Self::Backup,
    ];

    /// The number that the process ends with.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// What it means, as the documentation says it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Success => "All went well.",
            Self::Unexpected => "Something unexpected; the message says what.",
            Self::Usage => "The command line is wrong, or lacks something.",
            Self::Configuration => "The configuration or the key file is missing or wrong.",
            Self::File => "A file exists and is not overwritten, or can't be written.",
            Self::Unreachable => "The homeserver can't be reached, or can't reach Towline.",
            Self::TokenRefused => "A token is refused, by the homeserver or by Towline.",
            Self::Registration => "The registration differs, or another bridge has claimed the same names.",
            Self::Database => "The database can't be opened, or fails.",
            Self::Locked => "Another Towline runs on this database.",
            Self::SchemaNewer => "The database was used by a newer Towline.",
            Self::Backup => "A backup can't be read or written, or is damaged.",
        }
    }
}

/// Why a command failed. No variant holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The command line asks for something impossible.
    #[error("{0}")]
    Usage(String),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key file.
    #[error(transparent)]
    SecretKey(#[from] SecretKeyError),
    /// A file is there already.
    #[error("{} exists, and is not overwritten", .0.display())]
    Exists(PathBuf),
    /// A file can't be written.
    #[error("{} can't be written: {source}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The homeserver does not answer.
    #[error("{0}")]
    Unreachable(String),
    /// The homeserver refuses the token.
    #[error("{0}")]
    TokenRefused(String),
    /// The registration does not fit.
    #[error("{0}")]
    Registration(String),
    /// The database can't be used.
    #[error("{0}")]
    Database(String),
    /// Another instance holds the lock.
    #[error("{0}")]
    Locked(String),
    /// The database's schema is newer than this program.
    #[error("{0}")]
    SchemaNewer(String),
    /// A backup is none, or can't be used.
    #[error("{0}")]
    Backup(String),
    /// `towline check` found something; what, is printed already.
    #[error("{}", failures(*.failed))]
    Checks {
        /// How many checks failed.
        failed: usize,
        /// The code of the first.
        code: Code,
    },
    /// Anything else.
    #[error("{0:#}")]
    Unexpected(#[from] anyhow::Error),
}

impl CliError {
    /// The code for it.
    pub fn code(&self) -> Code {
        match self {
            Self::Usage(_) => Code::Usage,
            Self::Config(_) | Self::SecretKey(_) => Code::Configuration,
            Self::Exists(_) | Self::Write { .. } => Code::File,
            Self::Unreachable(_) => Code::Unreachable,
            Self::TokenRefused(_) => Code::TokenRefused,
            Self::Registration(_) => Code::Registration,
            Self::Database(_) => Code::Database,
            Self::Locked(_) => Code::Locked,
            Self::SchemaNewer(_) => Code::SchemaNewer,
            Self::Backup(_) => Code::Backup,
            Self::Checks { code, .. } => *code,
            Self::Unexpected(_) => Code::Unexpected,
        }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::Database(error.to_string())
    }
}

fn failures(failed: usize) -> String {
    match failed {
        1 => "one check failed".to_owned(),
        n => format!("{n} checks failed"),
    }
}
