//! What the session has learnt about how fast its network lets it send, and what waits because of that.
//!
//! How lines are paced is `irc::flood`'s and the queue's business. A network that throws us out for our pace is sent to
//! half as fast; that outlives the connection and the process, and is forgiven in days.

use std::time::Duration;

use super::Actor;
use crate::format::RichText;
use crate::irc::flood::Slowdown;
use crate::irc::session::{Backlog, is_too_fast};
use crate::store::{Store, StoreError};

/// How the pace came to be what it is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Learnt {
    slowdown: Slowdown,
    /// When the network last threw us out for it, in milliseconds since 1970.
    at: i64,
}

impl Learnt {
    pub(super) async fn load(store: &Store, session: i64) -> Result<Self, StoreError> {
        let known = store.slowdown(session).await?;
        Ok(known.map_or_else(Self::default, |(halvings, at)| Self { slowdown: Slowdown::new(halvings), at }))
    }

    /// What is left of it.
    fn now(self, now_ms: i64) -> Slowdown {
        self.slowdown.after(now_ms.saturating_sub(self.at))
    }
}

/// What is done about a network that closed for our pace, as its user may read it.
fn what_changes(before: Slowdown, interval: Duration) -> &'static str {
    if before.more() == before {
        "I send an eighth as fast as at first already, and go no slower. If it goes on, the administrator can raise \
         flood.interval_ms for this network."
    } else if before == Slowdown::default() && Slowdown::starts_from_floor(interval) {
        "From now on I send two lines in a second at most, after a few at once; after three days without that, as fast \
         as before."
    } else {
        "From now on I send half as fast; after three days without that, twice as fast again."
    }
}

/// What waits to leave, as its user may read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// What, and for whom.
    pub backlog: Backlog,
    /// When the last of it goes, in milliseconds since 1970.
    pub last_at: i64,
}

impl Actor {
    /// The session goes as slow as the network wants it, and no slower for longer than it has to.
    pub(super) fn keep_pace(&mut self) {
        let slowdown = self.learnt.now(self.bridge.clock.unix_ms());
        if let Some(link) = &mut self.link {
            link.session.slow_down(slowdown);
        }
    }

    /// Learns from why a connection ended.
    pub(super) async fn learn_pace(&mut self, reason: &str) -> Result<(), StoreError> {
        if !is_too_fast(reason) {
            return Ok(());
        }
        let at = self.bridge.clock.unix_ms();
        let before = self.learnt.now(at);
        self.learnt = Learnt { slowdown: before.more(), at };
        let what = what_changes(before, self.network.flood.interval);
        self.say(RichText::plain(format!(
            "{} closed because I sent too fast for it. {what}",
            self.network.name
        )));
        let halvings = i64::from(self.learnt.slowdown.halvings());
        self.bridge.store.set_slowdown(self.row.id, halvings, at).await
    }

    /// Since when it sends slower than it would, in milliseconds since 1970.
    pub(super) fn slower_since(&self) -> Option<i64> {
        let slowdown = self.learnt.now(self.bridge.clock.unix_ms());
        (slowdown > Slowdown::default()).then_some(self.learnt.at)
    }

    /// What waits to leave.
    pub(super) fn leaving(&self) -> Option<Leaving> {
        let backlog = self.link.as_ref()?.session.backlog(self.now())?;
        let last_in = i64::try_from(backlog.last_in.as_millis()).unwrap_or(i64::MAX);
        let last_at = self.bridge.clock.unix_ms().saturating_add(last_in);
        Some(Leaving { backlog, last_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::first(0, 2000, "From now on I send half as fast;")]
    #[case::again(2, 2000, "From now on I send half as fast;")]
    #[case::slowest(3, 2000, "I send an eighth as fast as at first already, and go no slower.")]
    #[case::without_flood_control(0, 0, "From now on I send two lines in a second at most,")]
    #[case::without_flood_control_again(1, 0, "From now on I send half as fast;")]
    fn what_is_said_of_the_pace_is_so(#[case] halvings: i64, #[case] milliseconds: u64, #[case] text: &str) {
        let said = what_changes(Slowdown::new(halvings), Duration::from_millis(milliseconds));
        assert!(said.starts_with(text), "{said}");
    }
}
