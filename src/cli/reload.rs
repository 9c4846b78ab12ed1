//! SIGHUP: the configuration is read anew while the bridge runs, and no connection is lost by it.
//!
//! The networks, the settings, the permissions, who is excluded, the limits, the log's level, the registration's tokens and the key change
//! at once. A file that is wrong changes nothing, and the log says what is wrong. What can't change while the bridge runs is
//! named there, too. systemd is told when it begins and when it is over.

use std::path::PathBuf;

use tokio::signal::unix::Signal;

use super::log::Log;
use super::systemd;
use crate::bridge::{Bridge, Changes};
use crate::config::Config;
use crate::matrix::tokens::HomeserverToken;

/// Who asks for it, and what it is read from.
pub(super) struct Reloading {
    pub(super) hangups: Signal,
    pub(super) file: PathBuf,
    pub(super) log: Log,
}

impl Reloading {
    /// Reads the configuration anew, as often as somebody asks for it. `status` is what systemd is told of a bridge that
    /// runs.
    pub(super) async fn listen(mut self, bridge: Bridge, hs_token: HomeserverToken, status: String) {
        let mut level = bridge.config.log.level;
        while self.hangups.recv().await.is_some() {
            systemd::reloading();
            let environment = |name: &str| std::env::var(name).ok();
            let config = match super::load(&self.file, &environment) {
                Ok(config) => Box::new(config),
                Err(error) => {
                    tracing::error!("the configuration stays as it was: {error}");
                    systemd::ready(&format!(
                        "{status}; the configuration in the file is wrong and was not taken"
                    ));
                    continue;
                }
            };
            if config.log.level != level {
                if self.log.set_level(config.log.level) {
                    level = config.log.level;
                } else {
                    tracing::warn!("log.level stays as it was: TOWLINE_LOG says what is written");
                }
            }
            // Either order is right: what is not known to be taken is shown second, and what is new admitted, too.
            bridge.client.add_token(config.appservice.as_token.clone());
            hs_token.change(config.appservice.hs_token.clone());
            renew_key(&bridge).await;
            apply(&bridge, config).await;
            systemd::ready(&status);
        }
    }
}

/// Has the bridge do as the configuration says, as far as that can change.
async fn apply(bridge: &Bridge, config: Box<Config>) {
    let waiting = bridge.config.differences(&config);
    // Whoever may use the bridge no more is out before anything else begins for them.
    let is_permitted = bridge.set_permissions(config.permissions.clone()).await;
    if let Err(error) = &is_permitted {
        tracing::error!(%error, "the permissions hold, but not yet for all open connections");
    }
    if let Err(error) = bridge.set_policies(&config).await {
        tracing::error!(%error, "who is excluded does not hold for all yet: have the configuration read again");
    }
    match Box::pin(bridge.set_configured_networks(&config)).await {
        Ok(Changes { added, removed, changed }) => {
            for (slugs, what) in [(added, "added"), (removed, "removed"), (changed, "changed")] {
                slugs.iter().for_each(|slug| tracing::info!(network = slug, "{what} by the configuration"));
            }
        }
        Err(error) => {
            tracing::error!(%error, "not all of what the configuration says of networks holds: have it read again");
        }
    }
    if let Err(error) = bridge.set_configured_limits(&config).await {
        tracing::error!(%error, "the limits stay as they were");
    }
    bridge.set_defaults(&config);
    bridge.tell_settings().await;
    for section in waiting {
        tracing::warn!("{section} has changed in the configuration: restart towline to apply that");
    }
    tracing::info!(
        sessions_that_begin_or_end = is_permitted.unwrap_or_default(),
        "the configuration was read anew"
    );
}

/// Reads the key file anew.
async fn renew_key(bridge: &Bridge) {
    let key = match super::run::secret_key(&bridge.config) {
        Ok(key) => key,
        Err(error) => {
            tracing::error!("the key stays as it was: {error}");
            return;
        }
    };
    match bridge.change_key(&key).await {
        Ok(true) => tracing::info!("the key file was read anew"),
        Ok(false) => {}
        Err(error) => tracing::error!("the key stays as it was: {error}"),
    }
}
