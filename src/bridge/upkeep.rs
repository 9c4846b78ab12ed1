//! What is done in the background, a few rows at a time, so that nobody waits long for the writer.
//!
//! Forgetting what is old: settled rows of the queues after 90 days and then rooms that show nothing any more, history when the configuration or its user no longer
//! wants it kept. And making lines findable that an older version has stored.

use std::time::Duration;

use super::Bridge;
use crate::config::History;
use crate::store::{OpenError, Retention, SecretKey, StoreError};

const DAY: i64 = 24 * 60 * 60 * 1000;

impl Bridge {
    /// Makes the lines findable that an older version has stored, newest first.
    pub(super) async fn index_history(self) {
        while !self.stop.is_cancelled() {
            match self.store.index_older_lines().await {
                Ok(true) => tokio::task::yield_now().await,
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(%error, "old lines can't be searched yet; the next start goes on with them");
                    return;
                }
            }
        }
    }

    /// Has the index of the history freed of what was forgotten, in the background.
    pub fn scrub_history(&self) {
        let bridge = self.clone();
        self.tasks.spawn(async move {
            while !bridge.stop.is_cancelled() {
                match bridge.store.scrub_words().await {
                    Ok(true) => tokio::task::yield_now().await,
                    Ok(false) => return,
                    Err(error) => {
                        tracing::warn!(%error, "words of what was forgotten are left; the next start goes on");
                        return;
                    }
                }
            }
        });
    }

    /// Seals with another key from now on, and seals anew what older ones have sealed. Says whether it is another.
    pub async fn change_key(&self, key: &SecretKey) -> Result<bool, OpenError> {
        let is_another = self.store.change_key(key).await?;
        // Also where it is the same: an earlier look may not have come to its end.
        if self.store.has_older_keys() {
            self.tasks.spawn(self.clone().reseal());
        }
        Ok(is_another)
    }

    /// Seals anew what older keys have sealed: twice, since what was sealed while the key changed may be committed behind
    /// the first look.
    pub(super) async fn reseal(self) {
        const PAUSE: Duration = Duration::from_secs(2);
        let mut values = 0;
        for pause in [Duration::ZERO, PAUSE] {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => return,
            }
            match self.store.reseal().await {
                Ok(done) => {
                    values += done.values;
                    if done.lost > 0 {
                        tracing::warn!(done.lost, "values that no key opens were left as they are");
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "not all is sealed with the new key; the next start goes on with it");
                    return;
                }
            }
        }
        tracing::info!(values, "all is sealed with the new key: `towline key retire` takes the old one away");
    }

    /// At the start and once a day: has told what is still to be told of refusals, and prunes.
    pub(super) async fn tidy_daily(self) {
        loop {
            self.take_up_refusals().await;
            if let Err(error) = self.prune().await {
                tracing::warn!(%error, "old rows could not be pruned");
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_hours(24)) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    async fn prune(&self) -> Result<(), StoreError> {
        while self.store.prune(self.clock.unix_ms() - 90 * DAY).await? {
            tokio::task::yield_now().await;
        }
        while self.store.prune_rooms(self.clock.unix_ms() - 90 * DAY).await? {
            tokio::task::yield_now().await;
        }
        self.store.close_prompts(self.clock.unix_ms() - 7 * DAY).await?;
        self.store.prune_questions(self.clock.unix_ms() - 30 * DAY).await?;
        while self.store.prune_published(self.clock.unix_ms()).await? {
            tokio::task::yield_now().await;
        }
        for (buffer, network, wanted) in self.store.retentions().await? {
            if self.stop.is_cancelled() {
                return Ok(());
            }
            self.prune_conversation(buffer, self.retention(&network, wanted)).await?;
        }
        for (channel, network) in self.store.channels_with_lines().await? {
            if self.stop.is_cancelled() {
                return Ok(());
            }
            let before = match self.retention(&network, None) {
                Retention::Days(days) => Some(self.clock.unix_ms() - i64::from(days) * DAY),
                Retention::Forever | Retention::Off => None,
            };
            while self.store.prune_channel(channel, before).await?.1 {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// How long history is kept: as long as its user wants, and no longer than the configuration allows.
    pub fn retention(&self, network: &str, wanted: Option<Retention>) -> Retention {
        let known = self.networks.get(network);
        let allowed = known.and_then(|known| known.network.history).unwrap_or_else(|| self.limits().history);
        match (wanted.unwrap_or(Retention::Forever), allowed) {
            (Retention::Off, _) => Retention::Off,
            (Retention::Days(days), History::Keep) | (Retention::Forever, History::Days(days)) => {
                Retention::Days(days)
            }
            (Retention::Days(wanted), History::Days(allowed)) => Retention::Days(wanted.min(allowed)),
            (Retention::Forever, History::Keep) => Retention::Forever,
        }
    }

    /// Forgets the lines of a buffer that are older than they are kept, and says how many.
    pub async fn prune_conversation(&self, buffer: i64, kept: Retention) -> Result<u64, StoreError> {
        let before = match kept {
            Retention::Forever => return Ok(0),
            Retention::Days(days) => self.clock.unix_ms() - i64::from(days) * DAY,
            Retention::Off => i64::MAX,
        };
        // Where nothing is kept, what a link leads to is kept for a day: else it would be none.
        self.store.prune_published_of(buffer, before.min(self.clock.unix_ms() - DAY)).await?;
        let mut gone = 0;
        loop {
            let (pruned, more) = self.store.prune_history(buffer, before).await?;
            gone += pruned;
            if !more {
                return Ok(gone);
            }
            tokio::task::yield_now().await;
        }
    }
}
