//! The networks that there are: those of the configuration, those that administrators have added at run time, and users'
//! own.
//!
//! The configuration's change when it is read anew (`reload`), and one of them hides an added one of the same short name.
//! The others stand in the store; `change` adds and removes them. Invariant: whoever asks for a network by what somebody has
//! typed asks on behalf of a user, and sees nobody else's own. So does what is shown to all: help, the directory, metrics.

mod change;
mod reload;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::Shared;
use crate::config::network::slug_of;
use crate::config::{Config, Network, OwnNetworks, Plumb};
use crate::names::Slug;
use crate::store::{AddedNetwork, StoreError};

pub use change::{NewServer, Removal};
pub use reload::Changes;

/// Where a network comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// It stands in the configuration, or is built in.
    Configuration,
    /// An administrator has added it.
    Administrator,
    /// A user has added it, for themselves.
    User {
        /// Their number.
        id: i64,
        /// Their Matrix id.
        user_id: String,
    },
}

/// A network, and where it comes from.
#[derive(Debug, Clone)]
pub struct Known {
    /// The network.
    pub network: Network,
    /// Where it comes from.
    pub source: Source,
}

impl Known {
    /// Whether it is somebody's own.
    pub fn is_own(&self) -> bool {
        matches!(self.source, Source::User { .. })
    }

    /// Whether this user sees it.
    pub fn is_for(&self, user: i64) -> bool {
        match &self.source {
            Source::User { id, .. } => *id == user,
            Source::Configuration | Source::Administrator => true,
        }
    }
}

/// All networks, and what users may add.
pub struct Networks {
    now: RwLock<Gathered>,
}

/// What was gathered from the configuration and the store.
struct Gathered {
    known: BTreeMap<String, Arc<Known>>,
    /// Short names of the configuration that were added at run time, too.
    hidden: BTreeSet<String>,
    /// What users may add.
    own: OwnNetworks,
    /// Who may have existing rooms show channels.
    plumb: Plumb,
}

impl Gathered {
    fn new(config: &Config) -> Self {
        let known = config.networks.values().map(|network| {
            let known = Known { network: network.clone(), source: Source::Configuration };
            (network.slug.as_str().to_owned(), Arc::new(known))
        });
        let (own, plumb) = (config.own_networks.clone(), config.plumb);
        Self { known: known.collect(), hidden: BTreeSet::new(), own, plumb }
    }

    /// Takes up what was added at run time before.
    fn take_up(&mut self, config: &Config, added: Vec<AddedNetwork>) {
        for AddedNetwork { slug, owner, owner_id, definition } in added {
            if self.known.contains_key(&slug) {
                tracing::warn!(
                    network = slug,
                    "it was added at run time, too: what the configuration says holds"
                );
                self.hidden.insert(slug);
                continue;
            }
            let source = match owner.zip(owner_id) {
                Some((id, user_id)) => Source::User { id, user_id },
                None => Source::Administrator,
            };
            if source == Source::Administrator && !config.templates.tell_networks_apart() {
                tracing::error!(
                    network = slug,
                    "it was added at run time, and is not there: templates.shared_alias has no {{network}}, so that there can be \
                     only one"
                );
                continue;
            }
            match read(config, &self.own, &slug, &definition, source) {
                Ok(known) => _ = self.known.insert(slug, Arc::new(known)),
                Err(problem) => {
                    tracing::error!(network = slug, "it was added at run time, and is not there: {problem}");
                }
            }
        }
    }
}

impl Networks {
    pub(super) fn new(config: &Config) -> Self {
        Self { now: RwLock::new(Gathered::new(config)) }
    }

    fn now(&self) -> RwLockReadGuard<'_, Gathered> {
        self.now.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Gathered> {
        self.now.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What users may add.
    pub fn own(&self) -> OwnNetworks {
        self.now().own.clone()
    }

    /// Who may have existing rooms show channels by command.
    pub fn plumb(&self) -> Plumb {
        self.now().plumb
    }

    /// The network with this short name, whoever sees it.
    pub fn get(&self, slug: &str) -> Option<Arc<Known>> {
        self.now().known.get(slug).cloned()
    }

    /// All, for administrators.
    pub fn all(&self) -> Vec<Arc<Known>> {
        self.now().known.values().cloned().collect()
    }

    /// Those that are for all, by their short names.
    pub fn public(&self) -> Vec<Arc<Known>> {
        self.those(|known| !known.is_own())
    }

    /// Those that a user sees: first those for all.
    pub fn seen_by(&self, user: i64) -> Vec<Arc<Known>> {
        let mut seen = self.public();
        seen.extend(self.those(|known| known.is_own() && known.is_for(user)));
        seen
    }

    fn those(&self, is_one: impl Fn(&Known) -> bool) -> Vec<Arc<Known>> {
        self.now().known.values().filter(|known| is_one(known)).cloned().collect()
    }

    /// The network that a user means: by its short name or its name, in capitals or not. Of their own also by what stands
    /// behind the number, unless that is the name of one for all.
    pub fn named(&self, name: &str, user: i64) -> Option<Arc<Known>> {
        let name = name.trim();
        let seen = self.seen_by(user);
        let is_slug = |known: &&Arc<Known>| known.network.slug.as_str().eq_ignore_ascii_case(name);
        let is_name = |known: &&Arc<Known>| known.network.name.to_lowercase() == name.to_lowercase();
        let is_short = |known: &&Arc<Known>| {
            known.is_own() && behind_number(&known.network.slug).eq_ignore_ascii_case(name)
        };
        let found = seen.iter().find(is_slug).or_else(|| seen.iter().find(is_name));
        found.or_else(|| seen.iter().find(is_short)).cloned()
    }

    /// The network whose name is nearest to this one, of those that a user sees, if any is near enough to be meant.
    pub fn nearest(&self, name: &str, user: i64) -> Option<Arc<Known>> {
        let name = name.trim().to_lowercase();
        let nearness = |Known { network, .. }: &Known| {
            let names = [network.slug.as_str(), &network.name.to_lowercase(), behind_number(&network.slug)];
            names.iter().map(|known| strsim::jaro_winkler(known, &name)).fold(0.0, f64::max)
        };
        // Of those that are as near, the first is meant: one for all rather than one's own.
        let seen = self.seen_by(user).into_iter().rev().map(|known| (nearness(&known), known));
        let near = seen.filter(|(nearness, _)| *nearness >= 0.8);
        near.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, known)| known)
    }

    /// Whether what hangs on a short name may be shown to this user, or to somebody of whom nothing is known. A user's own
    /// stays theirs when it is gone.
    pub(super) fn shows(&self, slug: &str, user_id: Option<&str>) -> bool {
        match self.get(slug).as_deref().map(|known| &known.source) {
            Some(Source::User { user_id: owner, .. }) => user_id == Some(owner.as_str()),
            Some(Source::Configuration | Source::Administrator) => true,
            None => slug_of(slug).is_ok(),
        }
    }

    /// Whether one of the configuration's was added at run time, too.
    pub fn hides(&self, slug: &str) -> bool {
        self.now().hidden.contains(slug)
    }

    fn put(&self, known: Known) {
        let slug = known.network.slug.as_str().to_owned();
        self.change().known.insert(slug, Arc::new(known));
    }

    fn remove(&self, slug: &str) {
        let mut now = self.change();
        now.hidden.remove(slug);
        if now.known.get(slug).is_some_and(|known| known.source != Source::Configuration) {
            now.known.remove(slug);
        }
    }

    /// Takes up what was added at run time before.
    fn take_up(&self, config: &Config, added: Vec<AddedNetwork>) {
        self.change().take_up(config, added);
    }
}

/// What stands behind the number in the short name of a user's own network.
fn behind_number(slug: &Slug) -> &str {
    slug.as_str().split_once('-').map_or("", |(_, name)| name)
}

/// A network from what the store has of it.
fn read(
    config: &Config,
    own: &OwnNetworks,
    slug: &str,
    definition: &str,
    source: Source,
) -> Result<Known, String> {
    let slug = Slug::new(slug).map_err(|error| error.to_string())?;
    let mut network = config.network_from(&slug, definition)?;
    if let Source::User { .. } = source {
        network.reach = own.reach.clone();
    }
    Ok(Known { network, source })
}

impl Shared {
    /// Reads what was added at run time.
    pub(super) async fn load_networks(&self) -> Result<(), StoreError> {
        let added = self.store.added_networks().await?;
        self.networks.take_up(&self.config, added);
        Ok(())
    }

    /// Why a network can't be used by whoever sees it.
    ///
    /// # Errors
    /// With the reason.
    pub fn admits(&self, known: &Known) -> Result<(), String> {
        let OwnNetworks { most, plaintext, .. } = self.networks.own();
        let name = &known.network.slug;
        if known.is_own() && most == 0 {
            return Err(format!(
                "{name} is a network of your own, which this bridge does not allow any more"
            ));
        }
        if known.is_own() && !plaintext && known.network.servers.iter().any(|server| !server.tls) {
            return Err(format!(
                "{name} is without TLS, which this bridge does not allow for networks of your own"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
