//! Lanes: one worker at a time for each key, started on demand.
//!
//! A wake-up while the worker runs makes it run once more when it is through; a hundred wake-ups make it run once
//! more, too. So wake-ups can't pile up, nothing that was committed before a wake-up is missed, and an idle lane
//! costs nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a request under way may take when the bridge stops. Its outcome is unknown then, as after a crash, and the
/// next start looks into it.
const GRACE: Duration = Duration::from_secs(3);

/// The lanes of one kind of work. The value says whether to run once more.
pub(super) struct Lanes<K>(Arc<Mutex<HashMap<K, bool>>>);

impl<K> Default for Lanes<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Clone + Eq + Hash + Send + 'static> Lanes<K> {
    /// How many workers there are.
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Runs `work` for this key, now or once more after the run that is under way.
    pub(super) fn wake<F>(
        &self,
        tasks: &TaskTracker,
        stop: &CancellationToken,
        key: K,
        work: impl Fn(K) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        {
            let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(again) = lanes.get_mut(&key) {
                *again = true;
                return;
            }
            lanes.insert(key.clone(), false);
        }
        let running = Running { lanes: Arc::clone(&self.0), key };
        let stop = stop.clone();
        tasks.spawn(async move {
            let given_up = async {
                stop.cancelled().await;
                tokio::time::sleep(GRACE).await;
            };
            tokio::pin!(given_up);
            loop {
                tokio::select! {
                    () = work(running.key.clone()) => {}
                    () = &mut given_up => break,
                }
                if stop.is_cancelled() || !running.again() {
                    break;
                }
            }
        });
    }
}

/// A worker's entry; it goes with the worker, also when that panics, so that the lane is not dead for ever.
struct Running<K: Eq + Hash> {
    lanes: Arc<Mutex<HashMap<K, bool>>>,
    key: K,
}

impl<K: Eq + Hash> Running<K> {
    /// Whether to run once more. Where not, the entry is gone, and the next wake-up starts a worker.
    fn again(&self) -> bool {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        match lanes.get_mut(&self.key) {
            Some(again @ true) => {
                *again = false;
                true
            }
            _ => {
                lanes.remove(&self.key);
                false
            }
        }
    }
}

impl<K: Eq + Hash> Drop for Running<K> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.lanes.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn many_wake_ups_during_a_run_make_one_more_run() {
        let (tasks, stop, lanes) = (TaskTracker::new(), CancellationToken::new(), Lanes::default());
        let (runs, gate) = (Arc::new(AtomicU32::new(0)), Arc::new(Semaphore::new(0)));
        for _ in 0..50 {
            let (runs, gate) = (Arc::clone(&runs), Arc::clone(&gate));
            lanes.wake(&tasks, &stop, 7, move |_| {
                let (runs, gate) = (Arc::clone(&runs), Arc::clone(&gate));
                async move {
                    runs.fetch_add(1, Ordering::SeqCst);
                    gate.acquire().await.unwrap().forget();
                }
            });
        }
        gate.add_permits(2);
        tasks.close();
        tasks.wait().await;
        assert_eq!(runs.load(Ordering::SeqCst), 2);
        assert!(lanes.0.lock().unwrap().is_empty());
    }
}
