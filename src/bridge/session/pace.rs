//! What the session has learnt about how fast its network lets it send, and what waits because of that.
//!
//! How lines are paced is `irc::flood`'s and the queue's business. A network that throws us out for our pace is sent to
//! half as fast; that outlives the connection and the process, and is forgiven in days.

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
        self.learnt = Learnt { slowdown: self.learnt.now(at).more(), at };
        self.say(RichText::plain(format!(
            "{} closed because I sent too fast for it. From now on I send half as fast; after three days without that, \
             twice as fast again.",
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
