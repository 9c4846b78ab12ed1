//! `towline key`: another key for what is sealed in the database, also while Towline runs.
//!
//! `rotate` puts a new key above the old one in the key file. Towline, which reads that file when it starts and when it is
//! told to (SIGHUP), seals with the new key from then on, and seals anew what the old one has sealed; whatever ends in the
//! middle of that, both keys are in the file. `retire` takes the old one away, once nothing is sealed with it.

use std::io::Write;
use std::path::Path;

use secrecy::SecretBox;

use super::{CliError, ConfigArgument, files, run};
use crate::clock::random_bytes;
use crate::config::secret::{SecretKeys, read_keys};
use crate::config::{Config, Environment};

/// What `towline key` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Put a new key into the key file; the old one stays there, to read what it has sealed
    Rotate(ConfigArgument),
    /// Take the old key out of the key file, where nothing is sealed with it any more
    Retire(ConfigArgument),
}

/// Changes the key file.
pub async fn key(
    arguments: &Arguments,
    environment: Environment<'_>,
    output: &mut dyn Write,
) -> Result<(), CliError> {
    match &arguments.command {
        Command::Rotate(config) => rotate(&super::load(&config.config, environment)?, output),
        Command::Retire(config) => retire(&super::load(&config.config, environment)?, output).await,
    }
}

fn rotate(config: &Config, output: &mut dyn Write) -> Result<(), CliError> {
    let file = &config.secret_key_file;
    let keys = read_keys(file)?;
    if !keys.older.is_empty() {
        let message = format!(
            "{} holds an older key still, so the last change is not finished: `towline key retire` first",
            file.display()
        );
        return Err(CliError::Usage(message));
    }
    let mut bytes = Box::new([0; 32]);
    random_bytes(&mut *bytes).map_err(|error| CliError::Unexpected(error.into()))?;
    // Nothing is sealed with a number that has come round: the key before was retired.
    let number = keys.present.0.checked_add(1).unwrap_or(1);
    let keys = SecretKeys { present: (number, SecretBox::new(bytes)), older: vec![keys.present] };
    write(file, &keys)?;
    say(
        output,
        &format!(
            "{} has a new key, and the old one below it. Next:\n\
             1. Keep a copy of the file, as of the one before: backups from before need the old key.\n\
             2. Reload Towline (systemctl reload towline, or SIGHUP), or start it: it seals everything anew.\n\
             3. When its log says that it has, run `towline key retire`.\n",
            file.display()
        ),
    )
}

async fn retire(config: &Config, output: &mut dyn Write) -> Result<(), CliError> {
    let file = &config.secret_key_file;
    let keys = read_keys(file)?;
    if keys.older.is_empty() {
        return say(output, &format!("{} holds one key only; there is nothing to do.\n", file.display()));
    }
    let store = run::open_store_to_read(config).await?;
    let left = async {
        if store.is_of_this_key().await? { store.sealed_by_older_keys().await.map(Some) } else { Ok(None) }
    };
    let left = left.await;
    store.close().await;
    match left? {
        Some(0) => {}
        Some(left) => {
            return Err(CliError::Database(format!(
                "{left} values are sealed with the old key still, so it stays: reload Towline, or start it, and wait until \
                 its log says that all is sealed with the new one"
            )));
        }
        None => {
            let file = file.display();
            return Err(CliError::Database(format!("{file} does not belong to {}", config.database)));
        }
    }
    write(file, &SecretKeys { present: keys.present, older: Vec::new() })?;
    let file = file.display();
    say(
        output,
        &format!(
            "{file} holds the new key only. Keep the old one for as long as you keep backups from before it.\n"
        ),
    )
}

fn write(file: &Path, keys: &SecretKeys) -> Result<(), CliError> {
    files::replace(file, &keys.to_text())
}

fn say(output: &mut dyn Write, text: &str) -> Result<(), CliError> {
    output.write_all(text.as_bytes()).map_err(|error| CliError::Unexpected(error.into()))
}
