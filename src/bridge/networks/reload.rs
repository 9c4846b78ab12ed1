//! The configuration was read anew: its networks, and what users may add, are from now on as it says.
//!
//! Nobody loses a connection to a network that is still there, even if it is at a server that no longer stands in the
//! file: the next one goes by the file. Sessions of a network that is gone end as after `network remove`, and begin again
//! when it is back; their rooms, conversations and history stay.

use super::{Gathered, Networks};
use crate::bridge::Bridge;
use crate::config::Config;
use crate::format::RichText;
use crate::store::StoreError;

/// What became of the networks, by their short names.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Changes {
    /// They were not there.
    pub added: Vec<String>,
    /// They are there no more.
    pub removed: Vec<String>,
    /// They are there, and are others than before.
    pub changed: Vec<String>,
}

impl Changes {
    fn between(before: &Gathered, after: &Gathered) -> Self {
        let mut changes = Self::default();
        for (slug, known) in &after.known {
            match before.known.get(slug) {
                None => changes.added.push(slug.clone()),
                Some(old) if old.source != known.source || !old.network.says_the_same(&known.network) => {
                    changes.changed.push(slug.clone());
                }
                Some(_) => {}
            }
        }
        let is_gone = |slug: &&String| !after.known.contains_key(*slug);
        changes.removed = before.known.keys().filter(is_gone).cloned().collect();
        changes
    }
}

impl Networks {
    /// What would become of the networks.
    fn changes(&self, after: &Gathered) -> Changes {
        Changes::between(&self.now(), after)
    }

    /// Whether others than now would be there for all, which aliases of shared rooms without the network's name can't tell apart.
    fn would_be_others_for_all(&self, after: &Gathered) -> bool {
        let for_all = |gathered: &Gathered| {
            let known = gathered.known.iter().filter(|(_, known)| !known.is_own());
            known.map(|(slug, _)| slug.clone()).collect::<Vec<_>>()
        };
        for_all(&self.now()) != for_all(after)
    }

    /// What there is from now on; returns what there was.
    fn replace(&self, after: Gathered) -> Gathered {
        std::mem::replace(&mut *self.change(), after)
    }
}

impl Bridge {
    /// The configuration says this of networks from now on. Where the templates that hold until a restart could not tell these
    /// apart, the networks stay as they are.
    ///
    /// # Errors
    /// Where the store fails: if it is asked in vain what was added at run time, the networks stay as they were. Behind
    /// that, what fails for one keeps no other from what is to become of it: there is no second time, since the networks
    /// are by then what the file says.
    pub async fn set_configured_networks(&self, config: &Config) -> Result<Changes, StoreError> {
        let (changes, other_ways, left) = {
            let _no_session_starts = self.starting.lock().await;
            let added = self.store.added_networks().await?;
            self.load_network_memory().await?;
            let mut after = Gathered::new(config);
            after.take_up(&self.config, added);
            if !self.config.templates.tell_networks_apart() && self.networks.would_be_others_for_all(&after) {
                tracing::error!(
                    "the networks stay as they were: aliases of shared rooms do not say of which network they are, since \
                     templates.shared_alias had no {{network}} when towline was started, and would lead to other networks' rooms. \
                     Restart towline to apply that"
                );
                return Ok(Changes::default());
            }
            let changes = self.networks.changes(&after);
            let mut left = Vec::new();
            for slug in &changes.removed {
                let users = self.store.who_has_open(slug).await?;
                left.extend(users.into_iter().map(|user| (slug.clone(), user)));
            }
            let before = self.networks.replace(after);
            for slug in &changes.removed {
                // Before another of this name can be there, and sessions wait for it.
                self.forget_network(slug);
            }
            let (mut other_ways, mut other_rooms) = (Vec::new(), Vec::new());
            for slug in &changes.changed {
                let Some((before, now)) = before.known.get(slug).zip(self.networks.get(slug)) else {
                    continue;
                };
                self.renew_gate(&now.network);
                if before.network.shared != now.network.shared {
                    other_rooms.push(slug.clone());
                }
                if !before.network.has_the_same_way(&now.network) {
                    other_ways.push(slug.clone());
                }
            }
            if !other_rooms.is_empty() {
                self.tasks.spawn(self.clone().renew_shared_settings(other_rooms));
            }
            (changes, other_ways, left)
        };
        // Those of networks that are gone, or back, and those that users may not have any more, or may again.
        let mut result = self.renew_sessions().await.map(drop);
        self.take_up_mappings(None);
        for session in self.sessions(None) {
            if other_ways.contains(&session.row.network) {
                session.go_other_way();
            }
        }
        for (slug, (user, user_id)) in left {
            let text = format!(
                "{slug} does not stand in this bridge's configuration any more, and you are no longer connected to it. \
                 What was said there is kept."
            );
            if let Err(error) = self.tell(user, &user_id, &RichText::plain(text)).await {
                tracing::error!(network = slug, user_id, %error, "somebody could not be told that it is gone");
                result = result.and(Err(error));
            }
        }
        result.map(|()| changes)
    }
}
