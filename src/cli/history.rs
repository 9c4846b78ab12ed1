//! `towline history`: search, export and import, for one user and network.
//!
//! Search and export only read, and do so while Towline runs. Import writes, and needs the database to itself.

mod export;
mod formats;
mod import;
mod progress;
mod search;
mod zone;

use std::io::Write;

use super::{CliError, ConfigArgument, run};
use crate::config::{Config, Environment};
use crate::names::split_address;
use crate::store::{OwnBuffer, SessionRow, Store};

/// What `towline history` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Find lines that hold all the words, newest first
    Search(search::Arguments),
    /// Write what is kept as JSON, HTML, or logs of WeeChat or ZNC
    Export(export::Arguments),
    /// Read logs of WeeChat or ZNC into the history; Towline must not run meanwhile
    Import(import::Arguments),
}

/// Whose history.
#[derive(Debug, clap::Args)]
struct Whose {
    #[command(flatten)]
    config: ConfigArgument,
    /// The Matrix user
    #[arg(long, value_name = "@USER:SERVER")]
    user: String,
    /// The network
    #[arg(long)]
    network: String,
}

/// Searches, exports or imports.
pub async fn history(
    arguments: &Arguments,
    environment: Environment<'_>,
    output: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    match &arguments.command {
        Command::Search(arguments) => search::search(arguments, environment, output).await,
        Command::Export(arguments) => export::export(arguments, environment, output).await,
        Command::Import(arguments) => import::import(arguments, environment, output).await,
    }
}

/// A user's session on a network, in an open store.
struct Scene {
    store: Store,
    session: SessionRow,
}

impl Scene {
    /// Opens the store to read it, also while Towline runs.
    async fn to_read(whose: &Whose, environment: Environment<'_>) -> Result<Self, CliError> {
        let config = Config::load(&whose.config.config, environment)?;
        let store = run::open_store_to_read(&config).await?;
        Self::find(store, whose, &config).await
    }

    /// Opens the store to write; refused while Towline runs.
    async fn to_write(whose: &Whose, environment: Environment<'_>) -> Result<Self, CliError> {
        let config = Config::load(&whose.config.config, environment)?;
        let store = run::open_store(&config).await?;
        Self::find(store, whose, &config).await
    }

    async fn find(store: Store, whose: &Whose, config: &Config) -> Result<Self, CliError> {
        let Whose { user, network, .. } = whose;
        // A network that is not configured any more still has its history.
        let (network_name, session_name) = split_address(network);
        let slug = config.network(network_name).map_or(network_name, |network| network.slug.as_str());
        let is_theirs =
            |session: &SessionRow| session.user_id == *user && session.network.eq_ignore_ascii_case(slug);
        let mut theirs: Vec<SessionRow> = store.sessions().await?.into_iter().filter(is_theirs).collect();
        // A network alone is the session without a name, else the only one, as in commands.
        let meant = theirs
            .iter()
            .position(|session| session.name.eq_ignore_ascii_case(session_name))
            .or_else(|| (session_name.is_empty() && theirs.len() == 1).then_some(0));
        if let Some(place) = meant {
            return Ok(Self { store, session: theirs.swap_remove(place) });
        }
        store.close().await;
        let addresses: Vec<String> = theirs.iter().map(SessionRow::address).collect();
        Err(CliError::Usage(if addresses.is_empty() {
            format!("{user} has no session on {network}: it begins with `open {network}`")
        } else {
            format!("{user} has no session {network} there, but {}: say which one", addresses.join(", "))
        }))
    }

    /// The session's buffers, or the one of this name.
    async fn buffers(&self, name: Option<&str>) -> Result<Vec<OwnBuffer>, CliError> {
        let mut buffers = self.store.own_buffers(self.session.user).await?;
        buffers.retain(|buffer| buffer.session == self.session.id);
        let Some(name) = name else { return Ok(buffers) };
        buffers.retain(|buffer| crate::names::CaseMapping::Rfc1459.same(&buffer.name, name));
        if buffers.is_empty() {
            return Err(CliError::Usage(format!("there is no {name} of {}", self.session.user_id)));
        }
        Ok(buffers)
    }
}

fn unwritten(error: std::io::Error) -> CliError {
    CliError::Unexpected(error.into())
}
