//! Whether the homeserver answers, and that it is heard from again.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, watch};

use super::{Client, ClientError};

/// Whether the homeserver answers, as far as requests tell.
#[derive(Default)]
pub(super) struct Presence {
    is_away: AtomicBool,
    is_back: Notify,
    /// How often it was heard from after a time in which it did not answer.
    heard: watch::Sender<u64>,
}

impl Presence {
    fn hear(&self) {
        self.heard.send_modify(|heard| *heard += 1);
    }

    pub(super) fn note<T>(&self, result: &Result<T, ClientError>) {
        match result {
            Err(ClientError::Unreachable(_) | ClientError::Unknown(_)) => {
                self.is_away.store(true, Ordering::Relaxed);
            }
            Err(ClientError::Invalid(_)) => {}
            Ok(_) | Err(ClientError::Limited(_) | ClientError::Refused { .. }) => {
                if self.is_away.swap(false, Ordering::Relaxed) {
                    self.is_back.notify_one();
                    self.hear();
                }
            }
        }
    }
}

impl Client {
    /// Resolves once the homeserver has answered again after a time in which it did not.
    pub async fn is_back(&self) {
        self.presence.is_back.notified().await;
    }

    /// Changes whenever the homeserver is heard from after a time in which it did not answer: by an answer, or since it
    /// calls, though it may not answer yet.
    pub fn heard(&self) -> watch::Receiver<u64> {
        self.presence.heard.subscribe()
    }

    /// The homeserver has called.
    pub fn note_call(&self) {
        if self.presence.is_away.load(Ordering::Relaxed) {
            self.presence.hear();
        }
    }
}
