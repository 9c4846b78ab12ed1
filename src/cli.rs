//! The command line: `towline init`, `registration`, `check`, `run`, `key`, `user`, `history`, `backup`, `restore`, `copy`,
//! `vacuum`, `completions` and `man`.
//!
//! Thin: it turns arguments into calls. Each command gets its output and its environment passed in. No secret is
//! accepted as an argument, since everyone on the machine can read a process's arguments.

pub mod backup;
pub mod check;
pub mod exit;
mod files;
pub mod history;
pub mod init;
pub mod key;
mod log;
mod metrics;
pub mod pages;
pub mod registration;
mod reload;
pub mod run;
mod systemd;
pub mod user;
pub mod vacuum;
mod waiting;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand, ValueEnum};

pub use self::exit::{CliError, Code};
use crate::config::{Config, Environment};
use crate::matrix::registration::Flavour;
use crate::store::settings::Setting;

/// An IRC bouncer for Matrix.
#[derive(Debug, Parser)]
#[command(name = "towline", version, about, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a configuration, a registration and a key file; ask for what is not given
    Init(init::Arguments),
    /// Write the registration anew from the configuration, keeping its id and tokens
    Registration(registration::Arguments),
    /// Check the configuration, then the homeserver, and say what to do about what is wrong
    Check(check::Arguments),
    /// Run the bridge
    Run(ConfigArgument),
    /// Change the key that seals secrets in the database
    Key(key::Arguments),
    /// Export or delete all that is stored about a user
    User(user::Arguments),
    /// Search, export or import what was said
    History(history::Arguments),
    /// Save the whole database in a file, also while Towline runs
    Backup(backup::BackupArguments),
    /// Write a backup into an empty database
    Restore(backup::RestoreArguments),
    /// Copy everything into an empty database, on either engine; Towline must not run meanwhile
    Copy(backup::CopyArguments),
    /// Make the database as small as it can be; Towline must not run meanwhile
    Vacuum(ConfigArgument),
    /// Print the completions for a shell
    Completions(pages::CompletionsArguments),
    /// Print the manual page, or write those of all commands
    Man(pages::ManArguments),
}

/// Which configuration.
#[derive(Debug, Clone, clap::Args)]
pub struct ConfigArgument {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "config.yaml")]
    pub config: PathBuf,
}

/// [`Flavour`] as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FlavourArgument {
    /// Synapse
    Synapse,
    /// Conduit, tuwunel, continuwuity
    Conduit,
    /// Dendrite
    Dendrite,
}

impl From<FlavourArgument> for Flavour {
    fn from(argument: FlavourArgument) -> Self {
        match argument {
            FlavourArgument::Synapse => Self::Synapse,
            FlavourArgument::Conduit => Self::Conduit,
            FlavourArgument::Dendrite => Self::Dendrite,
        }
    }
}

impl Cli {
    /// Does what the command line asks for.
    pub async fn execute(self) -> Result<(), CliError> {
        let environment = |name: &str| std::env::var(name).ok();
        let mut output = std::io::stdout();
        match self.command {
            Command::Init(arguments) => {
                let interactive = std::io::stdin().is_terminal();
                init::init(&arguments, &mut std::io::stdin().lock(), interactive, &mut output)
            }
            Command::Registration(arguments) => {
                registration::registration(&arguments, &environment, &mut output)
            }
            Command::Check(arguments) => check::check(&arguments, &environment, &mut output).await,
            Command::Key(arguments) => key::key(&arguments, &environment, &mut output).await,
            Command::User(arguments) => {
                let interactive = std::io::stdin().is_terminal();
                let mut input = std::io::BufReader::new(std::io::stdin());
                user::user(&arguments, &environment, &mut input, interactive, &mut output).await
            }
            Command::History(arguments) => history::history(&arguments, &environment, &mut output).await,
            Command::Backup(arguments) => backup::backup(&arguments, &environment, &mut output).await,
            Command::Restore(arguments) => backup::restore(&arguments, &environment, &mut output).await,
            Command::Copy(arguments) => backup::copy(&arguments, &environment, &mut output).await,
            Command::Vacuum(arguments) => vacuum::vacuum(&arguments, &environment, &mut output).await,
            Command::Completions(arguments) => pages::completions(&arguments, &mut output),
            Command::Man(arguments) => pages::man(&arguments, &mut output),
            Command::Run(arguments) => run::run(load(&arguments.config, &environment)?).await,
        }?;
        output.flush().map_err(|error| CliError::Unexpected(error.into()))
    }
}

/// Reads a configuration, its settings included.
fn load(file: &Path, environment: Environment<'_>) -> Result<Config, CliError> {
    let config = Config::load(file, environment)?;
    check_settings(&config)?;
    Ok(config)
}

/// Whether the settings that the file gives exist and may have these values.
fn check_settings(config: &Config) -> Result<(), CliError> {
    config.check_settings(|key, value| match Setting::find(key) {
        Some(setting) => setting.read(value).map(drop).map_err(|unfit| format!("{unfit}")),
        None => Err("there is no such setting".to_owned()),
    })?;
    Ok(())
}
