//! How long is waited before a request is made again: as long as the homeserver asks for, else each time twice as long,
//! until it is heard from.

use std::time::Duration;

use tokio::sync::watch;

use super::Bridge;
use crate::matrix::ClientError;

const SHORTEST: Duration = Duration::from_millis(50);
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);
/// A homeserver that calls and does not answer, or answers others, is asked no more often than that …
const BREATH: Duration = Duration::from_secs(1);
/// … and the more seldom the longer it was asked in vain: not before this part of the pause is over.
const PART: u32 = 8;
/// When it is back, each of those who wait has so much of it to themselves.
const SPREAD: Duration = Duration::from_millis(2);

impl Bridge {
    /// Waits before a request is made again; `false` when the bridge stops meanwhile.
    pub(super) async fn pause_after(&self, error: &ClientError, attempt: u32) -> bool {
        self.tally.retries.count();
        let heard = self.client.heard();
        let pause = async {
            match error {
                ClientError::Limited(wait) => tokio::time::sleep((*wait).max(SHORTEST)).await,
                _ => {
                    let place = Duration::from_micros(random_below(self.crowd().as_micros() as u64));
                    until_heard(backoff(attempt), heard, place).await;
                }
            }
        };
        tokio::select! {
            () = pause => true,
            () = self.stop.cancelled() => false,
        }
    }

    /// For how long all who may be waiting come back, one after the other.
    fn crowd(&self) -> Duration {
        SPREAD * u32::try_from(self.deliveries.len()).unwrap_or(u32::MAX)
    }
}

fn backoff(attempt: u32) -> Duration {
    (FIRST * 2_u32.saturating_pow(attempt.min(10))).min(LONGEST)
}

/// Waits for so long, or, when the homeserver is heard from, until this place in the queue.
async fn until_heard(pause: Duration, mut heard: watch::Receiver<u64>, place: Duration) {
    let early = async {
        tokio::time::sleep(BREATH.max(pause / PART)).await;
        if heard.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(place).await;
    };
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = early => {}
    }
}

fn random_below(limit: u64) -> u64 {
    let mut random = [0; 8];
    // Without randomness all come at once, and each gets its answer.
    let _ = crate::clock::random_bytes(&mut random);
    u64::from_ne_bytes(random).checked_rem(limit).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::time::Instant;

    use super::*;

    #[rstest]
    #[case::never(None, 30_000)]
    #[case::in_the_middle(Some(12_000), 12_005)]
    #[case::at_once(Some(10), 3_755)]
    #[case::when_it_would_be_asked_anyway(Some(29_998), 30_000)]
    #[tokio::test(start_paused = true)]
    async fn a_request_waits_until_the_homeserver_is_heard_from(
        #[case] heard_after: Option<u64>,
        #[case] milliseconds: u128,
    ) {
        let (heard, receiver) = watch::channel(0);
        #[expect(clippy::disallowed_methods, reason = "the paused clock of the test's runtime")]
        let began = Instant::now();
        let calls = tokio::spawn(async move {
            if let Some(after) = heard_after {
                tokio::time::sleep(Duration::from_millis(after)).await;
                heard.send_modify(|heard| *heard += 1);
            }
            // It stays, as the client does.
            std::future::pending::<()>().await;
        });
        until_heard(backoff(20), receiver, Duration::from_millis(5)).await;
        assert_eq!(began.elapsed().as_millis(), milliseconds);
        calls.abort();
    }

    #[test]
    fn pauses_grow_to_half_a_minute() {
        let pauses: Vec<u128> =
            [0, 1, 5, 8, 9, u32::MAX].map(|attempt| backoff(attempt).as_millis()).to_vec();
        assert_eq!(pauses, [100, 200, 3_200, 25_600, 30_000, 30_000]);
    }
}
