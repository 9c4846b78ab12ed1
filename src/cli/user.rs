//! `towline user`: what is stored about one user, for whoever has a right to see it or to have it deleted.
//!
//! An export only reads, also while Towline runs. To delete, Towline must be stopped: a session that runs would write anew
//! what was just deleted.

use std::io::{BufRead, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{CliError, ConfigArgument, files, run};
use crate::bridge;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, Environment};
use crate::store::transfer::{self, TransferError};
use crate::store::{Store, User};

/// What `towline user` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write all that is stored about a user as JSON, without secrets; also while Towline runs
    Export(ExportArguments),
    /// Delete all that is stored about a user; Towline must not run meanwhile
    Delete(DeleteArguments),
}

#[derive(Debug, clap::Args)]
struct ExportArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The user's Matrix id, such as @alice:example.org
    #[arg(value_name = "@ID")]
    user: String,
    /// Where to write it, instead of to standard output; it must not exist
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct DeleteArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The user's Matrix id, such as @alice:example.org
    #[arg(value_name = "@ID")]
    user: String,
    /// Delete without asking
    #[arg(long)]
    yes: bool,
}

/// Exports or deletes.
pub async fn user(
    arguments: &Arguments,
    environment: Environment<'_>,
    input: &mut dyn BufRead,
    interactive: bool,
    output: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    match &arguments.command {
        Command::Export(arguments) => export(arguments, environment, output).await,
        Command::Delete(arguments) => delete(arguments, environment, input, interactive, output).await,
    }
}

async fn export(
    arguments: &ExportArguments,
    environment: Environment<'_>,
    output: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let config = super::load(&arguments.config.config, environment)?;
    let store = run::open_store_to_read(&config).await?;
    let exported = export_from(&store, &config, arguments, output).await;
    store.close().await;
    exported
}

async fn export_from(
    store: &Store,
    config: &Config,
    arguments: &ExportArguments,
    output: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let user = known(store, &arguments.user).await?;
    let now = SystemClock.unix_ms();
    let Some(file) = &arguments.output else {
        let mut writer = BufWriter::new(output);
        let written = transfer::export(store, &user, &mut writer, now, &mut |_, _| {}).await;
        return written.map(drop).map_err(|error| failed(error, config, Path::new("standard output")));
    };
    let mut writer = BufWriter::new(files::begin(file)?);
    let written = transfer::export(store, &user, &mut writer, now, &mut |_, _| {}).await;
    let counts = written.map_err(|error| failed(error, config, file)).inspect_err(|_| {
        // What is there of it is of no use.
        let _ = std::fs::remove_file(file);
    })?;
    let rows: u64 = counts.iter().map(|(_, rows)| rows).sum();
    writeln!(output, "{rows} rows about {} are in {}, secrets left out.", user.user_id, file.display())
        .map_err(unexpected)
}

async fn delete(
    arguments: &DeleteArguments,
    environment: Environment<'_>,
    input: &mut dyn BufRead,
    interactive: bool,
    output: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    if !arguments.yes && !interactive {
        let message = "there is no terminal to ask on: give --yes to delete without being asked";
        return Err(CliError::Usage(message.to_owned()));
    }
    let config = super::load(&arguments.config.config, environment)?;
    let store = run::open_store(&config).await?;
    let deleted = delete_from(&store, &config.bot_id(), arguments, input, output).await;
    store.close().await;
    deleted
}

async fn delete_from(
    store: &Store,
    bot: &str,
    arguments: &DeleteArguments,
    input: &mut dyn BufRead,
    output: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let user = known(store, &arguments.user).await?;
    let id = &user.user_id;
    if !arguments.yes {
        list(output, &format!("Stored about {id}:"), &store.belongings(&user).await?)?;
        write!(output, "Delete all of it, for good? Type the Matrix id again: ").map_err(unexpected)?;
        output.flush().map_err(unexpected)?;
        let mut answer = String::new();
        input.read_line(&mut answer).map_err(unexpected)?;
        if answer.trim() != id {
            return writeln!(output, "That is not {id}: nothing was deleted.").map_err(unexpected);
        }
    }
    // Others go on in the rooms that they share: the next start takes this one out.
    let removal = bridge::removal(bot, &user);
    let (gone, _) = store.delete_user(&user, removal, SystemClock.unix_ms()).await?;
    while store.scrub_words().await? {}
    list(output, &format!("Deleted about {id}:"), &gone)?;
    writeln!(
        output,
        "What stays: the names of channels and people on networks that others use too; the rooms on the homeserver, with \
         what was said in them; what the configuration or `permit` says about {id}; and backups from before. If {id} may \
         still use this bridge, a message to it begins anew."
    )
    .map_err(unexpected)
}

async fn known(store: &Store, user_id: &str) -> Result<User, CliError> {
    let user = store.known_user(user_id).await?;
    user.ok_or_else(|| {
        CliError::Usage(format!("nothing is stored about {user_id}; ids are written as @alice:example.org"))
    })
}

fn list(output: &mut dyn Write, title: &str, counts: &[(&str, u64)]) -> Result<(), CliError> {
    let mut text = format!("{title}\n");
    for (table, rows) in counts.iter().filter(|(_, rows)| *rows > 0) {
        text.push_str(&format!("  {table}: {rows}\n"));
    }
    output.write_all(text.as_bytes()).map_err(unexpected)
}

fn failed(error: TransferError, config: &Config, file: &Path) -> CliError {
    match error {
        TransferError::File(source) => CliError::Write { file: file.to_owned(), source },
        error => CliError::Database(format!("{error} (database.url is {})", config.database)),
    }
}

fn unexpected(error: std::io::Error) -> CliError {
    CliError::Unexpected(error.into())
}
