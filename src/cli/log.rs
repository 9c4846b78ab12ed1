//! The log, on standard error, from a level on that can change while Towline runs.

use std::io::IsTerminal as _;

use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload::Handle;

use crate::config::{Config, LogFormat};

/// Says what is written, in place of the configuration.
const VARIABLE: &str = "TOWLINE_LOG";

/// The log of this process.
pub(super) struct Log {
    /// Nothing where somebody else has started the log, or the environment says what is written.
    set: Option<Box<dyn Fn(EnvFilter) -> bool + Send + Sync>>,
}

/// Begins to write.
pub(super) fn start(config: &Config) -> Log {
    let variable = std::env::var(VARIABLE);
    let is_fixed = variable.is_ok();
    let filter = variable.map_or_else(|_| of_level(config.log.level), EnvFilter::new);
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A second start in one process keeps the first one's log.
    let set = match config.log.format {
        LogFormat::Text => {
            let log = log.with_filter_reloading();
            let handle = log.reload_handle();
            log.try_init().is_ok().then(|| setter(handle))
        }
        LogFormat::Json => {
            let log = log.json().with_filter_reloading();
            let handle = log.reload_handle();
            log.try_init().is_ok().then(|| setter(handle))
        }
    };
    Log { set: set.filter(|_| !is_fixed) }
}

fn setter<S: 'static>(handle: Handle<EnvFilter, S>) -> Box<dyn Fn(EnvFilter) -> bool + Send + Sync> {
    Box::new(move |filter| handle.reload(filter).is_ok())
}

/// sqlx and hyper say at INFO what is our DEBUG.
fn of_level(level: Level) -> EnvFilter {
    EnvFilter::new(format!("warn,towline={}", level.as_str().to_lowercase()))
}

impl Log {
    /// Writes from this level on; `false` where the environment has the last word.
    pub(super) fn set_level(&self, level: Level) -> bool {
        self.set.as_ref().is_some_and(|set| set(of_level(level)))
    }
}
