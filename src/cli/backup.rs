//! `towline backup`, `restore` and `copy`: the whole database into a file, out of one, or into another database.
//!
//! A backup only reads, and can be made while Towline runs. The other two write, and only into a database in which
//! nothing is. Where a database is stands in a configuration and never on the command line, since its URL may hold a
//! password.

use std::fs::File;
use std::io::{BufReader, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use super::{CliError, ConfigArgument, files, run};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, Environment};
use crate::store::transfer::{self, Counts, TransferError};

/// What `towline backup` takes.
#[derive(Debug, clap::Args)]
pub struct BackupArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The file to write, which must not exist
    file: PathBuf,
}

/// What `towline restore` takes.
#[derive(Debug, clap::Args)]
pub struct RestoreArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The file that `towline backup` has written
    file: PathBuf,
}

/// What `towline copy` takes.
#[derive(Debug, clap::Args)]
pub struct CopyArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The configuration whose database is to get everything; of this one nothing else counts but the key file
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// Writes a backup.
pub async fn backup(
    arguments: &BackupArguments,
    environment: Environment<'_>,
    output: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let config = Config::load(&arguments.config.config, environment)?;
    let options = run::store_options(&config)?;
    let file = &arguments.file;
    let unwritten = |source| CliError::Write { file: file.clone(), source };
    let mut writer = BufWriter::new(files::begin(file)?);
    let mut progress = Progress::new("saved");
    let now = SystemClock.unix_ms();
    let made =
        transfer::back_up(&options, &mut writer, now, &mut |table, rows| progress.show(table, rows)).await;
    progress.end();
    let counts = match made {
        // It is a backup once it is on the disk.
        Ok(counts) => writer.get_ref().sync_all().map(|()| counts).map_err(unwritten),
        Err(error) => Err(failed(error, &config)),
    };
    let counts = counts.inspect_err(|_| {
        // What is there of it is of no use.
        let _ = std::fs::remove_file(file);
    })?;
    say(output, &counts, &format!("saved in {}", file.display()))?;
    let key = config.secret_key_file.display();
    writeln!(output, "Without the key, {key}, it can't be restored: keep a copy of that elsewhere.")
        .map_err(unwritten)
}

/// Restores a backup.
pub async fn restore(
    arguments: &RestoreArguments,
    environment: Environment<'_>,
    output: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let config = Config::load(&arguments.config.config, environment)?;
    let options = run::store_options(&config)?;
    let mut input = BufReader::new(open(&arguments.file)?);
    let mut progress = Progress::new("restored");
    let restored =
        transfer::restore(&mut input, &options, &mut |table, rows| progress.show(table, rows)).await;
    progress.end();
    let counts = restored.map_err(|error| failed(error, &config))?;
    say(output, &counts, &format!("restored into {}", config.database))
}

/// Copies a database.
pub async fn copy(
    arguments: &CopyArguments,
    environment: Environment<'_>,
    output: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let from = Config::load(&arguments.config.config, environment)?;
    let to = Config::load(&arguments.to, environment)?;
    let (source, target) = (run::store_options(&from)?, run::store_options(&to)?);
    let mut progress = Progress::new("copied");
    let copied = transfer::copy(&source, &target, &mut |table, rows| progress.show(table, rows)).await;
    progress.end();
    let counts = copied.map_err(|error| failed(error, &to))?;
    say(output, &counts, &format!("copied from {} to {}", from.database, to.database))
}

fn open(file: &Path) -> Result<File, CliError> {
    File::open(file).map_err(|error| CliError::Backup(format!("{} can't be read: {error}", file.display())))
}

fn failed(error: TransferError, config: &Config) -> CliError {
    match error {
        TransferError::Open(error) => run::unopened(error, config),
        TransferError::File(_) | TransferError::Damaged(_) | TransferError::Newer { .. } => {
            CliError::Backup(error.to_string())
        }
        error => CliError::Database(format!("{error} (database.url is {})", config.database)),
    }
}

/// Says what was carried over, table by table.
fn say(output: &mut (dyn Write + Send), counts: &Counts, what: &str) -> Result<(), CliError> {
    let mut text = String::new();
    for (table, rows) in counts.iter().filter(|(_, rows)| *rows > 0) {
        text.push_str(&format!("{table:>12} {rows}\n"));
    }
    let rows: u64 = counts.iter().map(|(_, rows)| rows).sum();
    text.push_str(&format!("{rows} rows {what}\n"));
    output.write_all(text.as_bytes()).map_err(|error| CliError::Unexpected(error.into()))
}

/// How far it is, on a terminal.
struct Progress {
    what: &'static str,
    is_watched: bool,
    shown: u64,
}

impl Progress {
    fn new(what: &'static str) -> Self {
        Self { what, is_watched: std::io::stderr().is_terminal(), shown: 0 }
    }

    fn show(&mut self, table: &str, rows: u64) {
        const STEP: u64 = 5_000;
        if self.is_watched && rows / STEP != self.shown / STEP {
            // Nobody needs it, so nothing fails without it.
            let _ = write!(std::io::stderr(), "\r\x1b[K{table}: {rows} rows {}", self.what);
        }
        self.shown = rows;
    }

    fn end(self) {
        if self.is_watched {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
