//! `towline check`.

use std::io::Write;

use super::{CliError, ConfigArgument};
use crate::config::{Config, Environment};

/// What `towline check` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// Check only what needs no homeserver
    #[arg(long)]
    offline: bool,
}

/// Checks.
pub async fn check(
    arguments: &Arguments,
    environment: Environment<'_>,
    output: &mut dyn Write,
) -> Result<(), CliError> {
    let _config = Config::load(&arguments.config.config, environment)?;
    let _ = (output, arguments.offline);
    Ok(())
}
