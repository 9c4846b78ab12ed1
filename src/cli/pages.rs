//! `towline completions` and `towline man`: what packages install beside the program, made from the command line itself.

use std::io::Write;
use std::path::PathBuf;

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, CliError};

/// What `towline completions` takes.
#[derive(Debug, clap::Args)]
pub struct CompletionsArguments {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// What `towline man` takes.
#[derive(Debug, clap::Args)]
pub struct ManArguments {
    /// Write a page for each command into this folder, instead of printing the first
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// Prints the completions for a shell.
pub fn completions(arguments: &CompletionsArguments, output: &mut dyn Write) -> Result<(), CliError> {
    // The generator panics where it can't write, and a closed pipe is no reason to.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "towline", &mut script);
    output.write_all(&script).map_err(|error| CliError::Unexpected(error.into()))
}

/// Prints the page of `towline`, or writes those of all commands.
pub fn man(arguments: &ManArguments, output: &mut dyn Write) -> Result<(), CliError> {
    match &arguments.directory {
        None => clap_mangen::Man::new(command())
            .render(output)
            .map_err(|error| CliError::Unexpected(error.into())),
        Some(directory) => clap_mangen::generate_to(command(), directory)
            .map_err(|source| CliError::Write { file: directory.clone(), source }),
    }
}

/// The command line without `help`, which has nothing to say on a page of its own.
fn command() -> Command {
    Cli::command().disable_help_subcommand(true)
}
