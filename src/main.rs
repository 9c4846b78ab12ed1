//! The `towline` binary: parses the command line and turns the outcome into an exit code.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use towline::cli::{Cli, CliError};

fn main() -> ExitCode {
    match start(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("towline: {error}");
            ExitCode::from(error.code().number())
        }
    }
}

fn start(cli: Cli) -> Result<(), CliError> {
    // An error means that one is installed already, which can only be the same.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    // Two workers serve thousands of sessions, which wait nearly all the time; each further one costs memory.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| CliError::Unexpected(error.into()))?;
    let result = runtime.block_on(cli.execute());
    // A name that is being looked up keeps nobody here.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}
