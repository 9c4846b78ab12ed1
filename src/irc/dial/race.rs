//! The addresses of one name, tried as RFC 8305 says: IPv6 first, the families in turn, the next one begun when the
//! last has not answered for a moment, and the first that answers wins.
//!
//! Within a family the order is shuffled: a bridge dials in bursts, and a resolver's order would send them all to one
//! server of a round robin. The resolver gives both families at once, so nothing here waits for the other answer.
//!
//! Spec: RFC 8305 sections 4 and 5.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::timeout;

use crate::irc::random::Jitter;

/// How long an address may be silent before the next one is tried beside it ("Connection Attempt Delay").
const HEAD_START: Duration = Duration::from_millis(250);
/// More addresses of one name are not tried.
const MOST_ADDRESSES: usize = 8;

/// The order in which addresses are tried.
pub(super) fn order(addresses: Vec<SocketAddr>, jitter: &mut Jitter) -> VecDeque<SocketAddr> {
    let (mut six, mut four): (Vec<_>, Vec<_>) = addresses.into_iter().partition(SocketAddr::is_ipv6);
    jitter.shuffle(&mut six);
    jitter.shuffle(&mut four);
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    let mut order = VecDeque::new();
    while order.len() < MOST_ADDRESSES {
        let before = order.len();
        order.extend(six.next());
        order.extend(four.next());
        if order.len() == before {
            break;
        }
    }
    order
}

/// The first connection that comes about; else why the first attempt failed that did.
///
/// `None`: there is no address.
pub(super) async fn race<T, E, F>(
    mut addresses: VecDeque<SocketAddr>,
    connect: impl Fn(SocketAddr) -> F,
) -> Option<Result<T, E>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut attempts = FuturesUnordered::new();
    let mut first_failure = None;
    loop {
        if let Some(address) = addresses.pop_front() {
            attempts.push(connect(address));
        }
        let ended = if addresses.is_empty() {
            attempts.next().await
        } else {
            match timeout(HEAD_START, attempts.next()).await {
                Ok(ended) => ended,
                Err(_) => continue,
            }
        };
        match ended {
            Some(Ok(connection)) => return Some(Ok(connection)),
            Some(Err(error)) => {
                first_failure.get_or_insert(error);
            }
            None if addresses.is_empty() => return first_failure.map(Err),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn addresses(text: &str) -> Vec<SocketAddr> {
        text.split(' ').map(|ip| SocketAddr::new(ip.parse().unwrap(), 6697)).collect()
    }

    fn shown(order: &VecDeque<SocketAddr>) -> Vec<String> {
        order.iter().map(|address| address.ip().to_string()).collect()
    }

    #[test]
    fn families_take_turns_and_ipv6_begins() {
        let order =
            order(addresses("192.0.2.1 192.0.2.1 192.0.2.1 2001:db8::1 2001:db8::1"), &mut Jitter::new(1));
        assert_eq!(shown(&order), ["2001:db8::1", "192.0.2.1", "2001:db8::1", "192.0.2.1", "192.0.2.1"]);
    }

    #[test]
    fn which_comes_first_within_a_family_depends_on_the_seed() {
        let firsts: std::collections::BTreeSet<_> = (0..50)
            .map(|seed| order(addresses("192.0.2.1 192.0.2.2 192.0.2.3"), &mut Jitter::new(seed))[0])
            .collect();
        assert_eq!(firsts.len(), 3);
        let many = (1..100).map(|n| SocketAddr::from(([192, 0, 2, n], 6697))).collect();
        assert!(order(many, &mut Jitter::new(1)).len() <= MOST_ADDRESSES);
    }

    /// What a made-up address does.
    #[derive(Clone, Copy)]
    enum Does {
        Answer(u64),
        Fail(u64),
        Nothing,
    }

    /// Races addresses that do this; gives the winner, and when which was tried.
    async fn race_of(does: &[Does]) -> (Option<Result<usize, usize>>, Vec<(usize, u64)>) {
        #[expect(clippy::disallowed_methods, reason = "the paused clock of the test's runtime")]
        let start = tokio::time::Instant::now();
        let tried = RefCell::new(Vec::new());
        let all = (0..does.len()).map(|n| SocketAddr::from(([192, 0, 2, 1], n as u16))).collect();
        let result = race(all, |address| {
            let number = address.port() as usize;
            tried.borrow_mut().push((number, start.elapsed().as_millis() as u64));
            let does = does[number];
            async move {
                match does {
                    Does::Answer(after) => {
                        tokio::time::sleep(Duration::from_millis(after)).await;
                        Ok(number)
                    }
                    Does::Fail(after) => {
                        tokio::time::sleep(Duration::from_millis(after)).await;
                        Err(number)
                    }
                    Does::Nothing => std::future::pending().await,
                }
            }
        })
        .await;
        (result, tried.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_address_has_a_head_start_and_is_enough() {
        assert_eq!(race_of(&[Does::Answer(200), Does::Answer(1)]).await, (Some(Ok(0)), vec![(0, 0)]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_is_passed_by_and_may_still_win() {
        let (winner, tried) = race_of(&[Does::Nothing, Does::Nothing, Does::Answer(10)]).await;
        assert_eq!((winner, tried), (Some(Ok(2)), vec![(0, 0), (1, 250), (2, 500)]));
        let (winner, _) = race_of(&[Does::Answer(300), Does::Answer(100)]).await;
        assert_eq!(winner, Some(Ok(0)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_makes_the_next_one_go_at_once() {
        let (winner, tried) = race_of(&[Does::Fail(10), Does::Fail(5), Does::Answer(1)]).await;
        assert_eq!((winner, tried), (Some(Ok(2)), vec![(0, 0), (1, 10), (2, 15)]));
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_fail_the_first_failure_is_told() {
        assert_eq!(race_of(&[Does::Fail(300), Does::Fail(10)]).await.0, Some(Err(1)));
        assert_eq!(race_of(&[]).await.0, None);
    }
}
