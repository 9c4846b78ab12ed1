//! Tests of the queue, on a time of their own.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
fn start() -> Instant {
    Instant::now()
}

fn limits(burst: u32, seconds: u64) -> FloodLimits {
    FloodLimits { burst, interval: Duration::from_secs(seconds) }
}

impl Queue<u32> {
    fn add(&mut self, class: Class, item: u32) {
        self.push(class, "", Cost::LINE, item).unwrap();
    }
}

fn drain(queue: &mut Queue<u32>, now: Instant) -> Vec<u32> {
    std::iter::from_fn(|| queue.pop(Class::Background, now)).map(|(_, item)| item).collect()
}

#[test]
fn five_lines_go_at_once_and_then_one_every_two_seconds() {
    let now = start();
    let mut queue = Queue::new(FloodLimits::default(), now);
    for n in 0..20 {
        queue.add(Class::Interactive, n);
    }
    assert_eq!(drain(&mut queue, now), (0..5).collect::<Vec<_>>());
    assert_eq!(queue.ready_at(Class::Background), Some(now + Duration::from_secs(2)));
    assert_eq!(queue.last_leaves_at(Cost::LINE.times(0), now), Some(now + Duration::from_secs(30)));
    assert_eq!(drain(&mut queue, now + Duration::from_millis(1999)), [0; 0]);
    assert_eq!(drain(&mut queue, now + Duration::from_secs(2)), [5]);
    assert_eq!(drain(&mut queue, now + Duration::from_secs(8)), [6, 7, 8]);
    for item in 9..20 {
        assert_eq!(
            drain(&mut queue, now + Duration::from_secs(2 * (item - 4))),
            [u32::try_from(item).unwrap()]
        );
    }
    assert_eq!(queue.ready_at(Class::Background), None);
}

#[test]
fn classes_go_in_their_order_and_control_does_not_wait() {
    let now = start();
    let mut queue = Queue::new(limits(1, 1), now);
    for (class, item) in
        [(Class::Background, 4), (Class::Join, 3), (Class::Interactive, 2), (Class::Control, 1)]
    {
        queue.add(class, item);
    }
    assert_eq!(drain(&mut queue, now), [1]);
    let mut order = Vec::new();
    for second in 1..=3 {
        order.extend(drain(&mut queue, now + Duration::from_secs(second)));
    }
    assert_eq!(order, [2, 3, 4]);
}

#[test]
fn messages_and_requests_for_history_take_turns() {
    let now = start();
    let mut queue = Queue::new(limits(100, 1), now);
    for n in 0..4 {
        queue.add(Class::Interactive, n);
        queue.add(Class::History, 10 + n);
    }
    queue.add(Class::Join, 20);
    queue.add(Class::History, 14);
    assert_eq!(drain(&mut queue, now), [0, 10, 1, 11, 2, 12, 3, 13, 14, 20]);
}

#[test]
fn lanes_take_turns_and_keep_their_order() {
    let now = start();
    let mut queue = Queue::new(limits(100, 1), now);
    let lines = [("#a", 1), ("#a", 2), ("#a", 3), ("#b", 11), ("", 20), ("#a", 4), ("#b", 12)];
    for (lane, item) in lines {
        queue.push(Class::Interactive, lane, Cost::LINE, item).unwrap();
    }
    assert_eq!(queue.take_out(Class::Interactive, |item| *item == 3), [3]);
    assert_eq!(drain(&mut queue, now), [1, 11, 20, 2, 12, 4]);
    assert_eq!(queue.len(Class::Interactive), 0);
}

#[test]
fn lanes_that_become_one_have_one_order() {
    let now = start();
    let mut queue = Queue::new(limits(100, 1), now);
    for (lane, item) in [("old", 1), ("old", 2), ("new", 3), ("#a", 9)] {
        queue.push(Class::Interactive, lane, Cost::LINE, item).unwrap();
    }
    queue.merge(Class::Interactive, "nobody", "new");
    queue.merge(Class::Interactive, "old", "old");
    queue.merge(Class::Interactive, "old", "new");
    queue.push(Class::Interactive, "new", Cost::LINE, 4).unwrap();
    // Their room still has the old name: what is said there is behind what was.
    queue.push(Class::Interactive, "old", Cost::LINE, 5).unwrap();
    assert_eq!(drain(&mut queue, now), [1, 9, 2, 3, 4, 5]);
    // With nothing left to wait, they are two again.
    for (lane, item) in [("old", 1), ("old", 2), ("new", 3)] {
        queue.push(Class::Interactive, lane, Cost::LINE, item).unwrap();
    }
    assert_eq!(drain(&mut queue, now), [1, 3, 2]);
}

#[test]
fn lanes_that_become_one_wait_as_long_as_either() {
    let now = start();
    let mut queue = Queue::new(FloodLimits { burst: 100, interval: Duration::ZERO }, now);
    for (lane, item) in [("new", 1), ("old", 2)] {
        queue.push(Class::Interactive, lane, Cost::LINE, item).unwrap();
    }
    queue.hold(Class::Interactive, "new", now + Duration::from_secs(9));
    queue.merge(Class::Interactive, "old", "new");
    assert_eq!(drain(&mut queue, now), [0_u32; 0]);
    assert_eq!(drain(&mut queue, now + Duration::from_secs(9)), [2, 1]);
}

#[test]
fn invariant_9_a_lane_keeps_so_many_names() {
    let now = start();
    let mut queue = Queue::new(FloodLimits { burst: 100, interval: Duration::ZERO }, now);
    queue.push(Class::Interactive, "nick0", Cost::LINE, 0).unwrap();
    for number in 0..1_000 {
        queue.merge(Class::Interactive, &format!("nick{number}"), &format!("nick{}", number + 1));
    }
    assert_eq!(queue.classes[Class::Interactive as usize].lanes[0].names.len(), MOST_NAMES);
}

#[test]
fn a_flood_of_control_lines_delays_the_rest_only_so_long() {
    let now = start();
    let mut queue = Queue::new(FloodLimits::default(), now);
    for n in 0..100 {
        queue.add(Class::Control, n);
    }
    assert_eq!(drain(&mut queue, now).len(), 100);
    queue.add(Class::Interactive, 7);
    assert_eq!(queue.ready_at(Class::Background), Some(now + Duration::from_secs(12)));
}

#[test]
fn an_interval_of_zero_turns_it_off() {
    let now = start();
    let mut queue = Queue::new(FloodLimits { burst: 0, interval: Duration::ZERO }, now);
    for n in 0..500 {
        queue.add(Class::Interactive, n);
    }
    assert_eq!(drain(&mut queue, now).len(), 500);
}

#[test]
fn invariant_9_a_full_class_refuses() {
    let now = start();
    let mut queue = Queue::new(FloodLimits::default(), now);
    let lane = |n: u32| format!("#{}", n % 700);
    let taken =
        (0..100_000).take_while(|&n| queue.push(Class::Interactive, &lane(n), Cost::LINE, n).is_ok()).count();
    assert_eq!(taken, CAPACITY[Class::Interactive as usize]);
    assert_eq!(queue.push(Class::Control, "", Cost::LINE, 0), Ok(()));
}

proptest! {
    #[test]
    fn no_window_holds_more_than_the_burst_and_the_rate(
        steps in prop::collection::vec((0_u64..3000, prop::collection::vec((0_u8..3, 2_u32..6), 0..6)), 1..60),
        burst in 1_u32..10,
    ) {
        let mut now = start();
        let mut queue = Queue::new(limits(burst, 2), now);
        let mut sent = Vec::new();
        for (wait, lines) in steps {
            now += Duration::from_millis(wait);
            for (lane, seconds) in lines {
                queue.push(Class::Interactive, &lane.to_string(), Cost::seconds(seconds), seconds).unwrap();
            }
            sent.extend(drain(&mut queue, now).into_iter().map(|cost| (now, u64::from(cost))));
        }
        for (index, (first, _)) in sent.iter().enumerate() {
            // The last of them may take the debt over what is allowed: it was below that before.
            let mut cost = 0;
            for (last, more) in &sent[index..] {
                prop_assert!(cost <= 2 * u64::from(burst - 1) + (*last - *first).as_secs() + 1);
                cost += more;
            }
        }
    }
}
