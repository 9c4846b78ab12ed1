//! What holds where people have chosen nothing else, as the configuration says: its `settings`.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::{Bridge, Request, Shared};
use crate::config::Config;

/// As the file was read last, by the names of settings.
pub(super) struct Defaults(RwLock<Arc<BTreeMap<String, String>>>);

impl Defaults {
    pub(super) fn new(config: &Config) -> Self {
        Self(RwLock::new(Arc::new(config.settings.clone())))
    }
}

impl Shared {
    /// What the configuration says of settings.
    pub(super) fn defaults(&self) -> Arc<BTreeMap<String, String>> {
        Arc::clone(&self.defaults.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Bridge {
    /// The configuration says this of settings from now on.
    pub fn set_defaults(&self, config: &Config) {
        let new = Arc::new(config.settings.clone());
        *self.defaults.0.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    /// Has all sessions read anew what their users and the configuration say of settings.
    pub async fn tell_settings(&self) {
        for session in self.sessions(None) {
            // One that does not run reads it when it starts.
            _ = session.ask(Request::Manners).await;
        }
    }
}
