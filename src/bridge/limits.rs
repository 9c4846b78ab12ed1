//! How much the bridge takes on, now: what the configuration says, and what administrators have set besides.
//!
//! A limit that stands in the configuration can only be changed there, and is when the file is read anew. What was set stands in the store, by the limit's
//! name, and holds over restarts; one that the file has given since is as if it had not been set.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Bridge, Outcome, Refusal};
use crate::config::limits::Limit;
use crate::config::{Config, Limits};
use crate::format::RichText;
use crate::store::StoreError;
use crate::store::settings::{self, Scope};

/// The limits in force.
pub(super) struct RunningLimits {
    now: Mutex<Limits>,
    /// What the file says, as it was read last, and which of it stands there.
    file: Mutex<(Limits, BTreeSet<String>)>,
    /// Held while one changes, so that the store says the same.
    changing: tokio::sync::Mutex<()>,
}

/// Where a limit's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitOrigin {
    /// Nobody has said anything else.
    BuiltIn,
    /// The file says so.
    Configured,
    /// An administrator has set it while the bridge ran.
    Set,
}

impl RunningLimits {
    pub(super) fn new(config: &Config) -> Self {
        let file = Mutex::new((config.limits, config.limits_given.clone()));
        Self { now: Mutex::new(config.limits), file, changing: tokio::sync::Mutex::default() }
    }

    fn file(&self) -> MutexGuard<'_, (Limits, BTreeSet<String>)> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the file says what a limit is.
    fn is_given(&self, limit: Limit) -> bool {
        self.file().1.contains(limit.name())
    }

    fn set(&self, limits: Limits) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }
}

impl Bridge {
    /// Whether the file says how many lines a message may become.
    pub(super) fn has_lines_configured(&self) -> bool {
        Limit::find("lines").is_some_and(|limit| self.limits.is_given(limit))
    }

    /// How much the bridge takes on.
    pub fn limits(&self) -> Limits {
        *self.limits.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was set, as far as the file does not say otherwise.
    async fn limits_set(&self) -> Result<Vec<(Limit, String)>, StoreError> {
        let stored = self.store.named_settings(&settings::LIMIT, Scope::Global).await?;
        let read =
            |(name, value): (String, settings::Value)| Some((Limit::find(&name)?, value.text().to_owned()));
        let is_open = |limit: Limit| !limit.needs_restart() && !self.limits.is_given(limit);
        Ok(stored.into_iter().filter_map(read).filter(|(limit, _)| is_open(*limit)).collect())
    }

    /// Takes up what was set before.
    pub(super) async fn load_limits(&self) -> Result<(), StoreError> {
        let set = self.limits_set().await?;
        // What an earlier version took, and this one does not, is as if it had not been said.
        let from_file = self.limits.file().0;
        let limits =
            set.iter().fold(from_file, |limits, (limit, value)| limit.set(&limits, value).unwrap_or(limits));
        self.apply_limits(limits);
        Ok(())
    }

    fn apply_limits(&self, limits: Limits) {
        self.limits.set(limits);
        self.pace.set(limits.membership_calls);
    }

    /// All limits with their values, and where those come from.
    pub async fn limits_by_origin(&self) -> Result<Vec<(Limit, String, LimitOrigin)>, StoreError> {
        let limits = self.limits();
        let set = self.limits_set().await?;
        let origin = |limit: Limit| {
            if self.limits.is_given(limit) {
                LimitOrigin::Configured
            } else if set.iter().any(|(known, _)| *known == limit) {
                LimitOrigin::Set
            } else {
                LimitOrigin::BuiltIn
            }
        };
        Ok(Limit::all().map(|limit| (limit, limit.value(&limits), origin(limit))).collect())
    }

    /// What a limit would be with this value; a refusal where it can't be set here, or not to that.
    pub fn limit_with(&self, limit: Limit, value: Option<&str>) -> Result<Limits, Refusal> {
        let name = limit.name();
        if self.limits.is_given(limit) {
            return Err(Refusal::asked(format!(
                "{name} stands in the configuration, under limits, and can only be changed there."
            )));
        }
        if limit.needs_restart() {
            return Err(Refusal::asked(format!(
                "{name} can't change while I run. Set it in the configuration, under limits, and restart me."
            )));
        }
        let value = value.unwrap_or_else(|| limit.default());
        limit.set(&self.limits(), value).map_err(|unfit| Refusal::asked(format!("{unfit}.")))
    }

    /// The file says this of the limits from now on; the sessions are told with the settings. One that needs a restart
    /// stays as it is.
    ///
    /// # Errors
    /// Where what was set besides can't be read: the limits stay as they were.
    pub async fn set_configured_limits(&self, config: &Config) -> Result<(), StoreError> {
        let _one_at_a_time = self.limits.changing.lock().await;
        let before = self.limits.file().clone();
        let limits = Limits { inbox_body: before.0.inbox_body, ..config.limits };
        *self.limits.file() = (limits, config.limits_given.clone());
        if let Err(error) = self.load_limits().await {
            *self.limits.file() = before;
            return Err(error);
        }
        Ok(())
    }

    /// Sets a limit from now on, or takes back what was set.
    pub async fn set_limit(&self, limit: Limit, value: Option<&str>) -> Outcome {
        let name = limit.name();
        {
            let _one_at_a_time = self.limits.changing.lock().await;
            let limits = self.limit_with(limit, value)?;
            let stored = value.map(|_| limit.value(&limits));
            self.store.set_named_setting(&settings::LIMIT, Scope::Global, name, stored.as_deref()).await?;
            self.apply_limits(limits);
        }
        // How many lines a message may become is a setting.
        self.tell_settings().await;
        let now = limit.value(&self.limits());
        tracing::info!(limit = name, value = %now, "an administrator has set a limit");
        let from = if value.is_some() { "from now on" } else { "again, as it is built in" };
        Ok(RichText::new().code(format!("{name} {now}")).text(format!(" {from}.")))
    }
}
