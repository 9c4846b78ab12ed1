//! Being away by itself: the homeserver says that the user is idle or gone, and after the time that they want (`set
//! auto-away`) the network is told; when they are back, or do something in one of the session's rooms, it is told that.
//!
//! What the user says with `away` comes first: it is neither replaced nor taken back. That somebody is away by themselves
//! is stored, so that a restart does not bring back who is not there.
//!
//! Invariant 7: time is passed in. Spec: Matrix client-server API, "Presence"; modern IRC docs "AWAY message".

use std::time::{Duration, Instant};

use super::Actor;
use super::standing::away_line;
use crate::irc::session::State;
use crate::store::settings::{self, Scope};
use crate::store::{Store, StoreError};

/// What people on IRC read.
pub(super) const WHY: &str = "Not active on Matrix";
/// How long somebody must not be there where they have said `on`: changing from one device to another takes a moment.
const SOON: Duration = Duration::from_mins(2);

/// Whether the user is there.
#[derive(Debug, Default)]
pub(super) struct AutoAway {
    /// Since when they are not, as the homeserver says.
    gone_since: Option<Instant>,
    /// They are away for that.
    holds: bool,
}

impl AutoAway {
    /// As the last run left it.
    pub(super) async fn load(store: &Store, session: i64) -> Result<Self, StoreError> {
        let stored = store.setting(&settings::AWAY_BY_ITSELF, Scope::Session, session).await?;
        Ok(Self { gone_since: None, holds: stored.is_some() })
    }
}

/// The time that a value of the setting means; nothing where it is off.
fn delay(value: &str) -> Option<Duration> {
    match value {
        "off" => None,
        "on" => Some(SOON),
        minutes => minutes.parse().ok().map(Duration::from_mins),
    }
}

impl Actor {
    fn auto_away_delay(&self) -> Option<Duration> {
        self.manners.value(&settings::AUTO_AWAY, None).0.and_then(delay)
    }

    /// Whether the user is away by themselves.
    pub(super) fn is_away_by_itself(&self) -> bool {
        self.auto_away.holds && self.auto_away_delay().is_some()
    }

    /// When the user becomes away.
    pub(super) fn auto_away_at(&self) -> Option<Instant> {
        let since = self.auto_away.gone_since.filter(|_| !self.auto_away.holds)?;
        Some(since + self.auto_away_delay()?)
    }

    /// The homeserver says whether the user is there.
    pub(super) async fn on_presence(&mut self, is_here: bool) -> Result<(), StoreError> {
        if is_here {
            return self.note_here().await;
        }
        let now = self.now();
        self.auto_away.gone_since.get_or_insert(now);
        Ok(())
    }

    /// The user is there.
    pub(super) async fn note_here(&mut self) -> Result<(), StoreError> {
        self.auto_away.gone_since = None;
        self.take_auto_away_back().await
    }

    async fn take_auto_away_back(&mut self) -> Result<(), StoreError> {
        if self.end_auto_away().await? && self.stored(&settings::AWAY).await?.is_none() {
            self.tell_away(None);
        }
        Ok(())
    }

    /// Whoever was away by themselves no longer is, whatever the network is told; says whether they were.
    pub(super) async fn end_auto_away(&mut self) -> Result<bool, StoreError> {
        if self.auto_away.holds {
            self.store_setting(&settings::AWAY_BY_ITSELF, None).await?;
        }
        Ok(std::mem::take(&mut self.auto_away.holds))
    }

    /// The time has come.
    pub(super) async fn tick_auto_away(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        if self.auto_away_at().is_none_or(|at| now < at) {
            return Ok(());
        }
        if self.stored(&settings::AWAY).await?.is_some() {
            // They have said so themselves, and they say when they are back.
            self.auto_away.gone_since = None;
            return Ok(());
        }
        self.store_setting(&settings::AWAY_BY_ITSELF, Some("on")).await?;
        self.auto_away.holds = true;
        self.tell_away(Some(WHY));
        Ok(())
    }

    /// The user has chosen something else.
    pub(super) async fn reconsider_auto_away(&mut self) -> Result<(), StoreError> {
        if self.auto_away_delay().is_none() {
            self.take_auto_away_back().await?;
        }
        Ok(())
    }

    /// Tells the network, if it is there; nobody waits for its answer.
    pub(super) fn tell_away(&mut self, why: Option<&str>) {
        if let Some(link) = self.link.as_mut().filter(|link| link.session.state() == State::Ready) {
            let _ = link.session.inquire(away_line(why));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::off("off", None)]
    #[case::on("on", Some(SOON))]
    #[case::minutes("15", Some(Duration::from_mins(15)))]
    fn a_value_is_a_time(#[case] value: &str, #[case] expected: Option<Duration>) {
        assert_eq!(delay(value), expected);
    }
}
