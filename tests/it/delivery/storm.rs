//! A third of all requests fails, in both directions, at random: 502, 429, connections that close before or after the
//! request was done, connections that say nothing for a while before they close.

use std::time::Duration;

use crate::crash::judge::{Evidence, Numbered, judge, text_of};
use crate::support::clock::now;
use crate::support::homeserver::TestUser;
use crate::support::ircd::Person;
use crate::support::random::Random;

use super::Talk;

const LINES: u32 = 500;
const TURN: u32 = 5;
const PACE: Duration = Duration::from_millis(5);
const LIMIT: Duration = Duration::from_mins(2);
const LOOK: Duration = Duration::from_millis(50);

/// Everybody says their lines; those on IRC take turns, so that not all of what they say can go as one event.
async fn talk(
    people: [&Person; 2],
    alice: &TestUser,
    room: &str,
) -> (Vec<(Numbered, u64)>, Vec<(Numbered, String)>) {
    let mut pace = tokio::time::interval(PACE);
    let (mut said, mut written) = (Vec::new(), Vec::new());
    for number in 1..=LINES {
        pace.tick().await;
        let person = people[(number / TURN % 2) as usize];
        let nick = person.current_nick();
        person.say("#rust", &text_of(&nick, number));
        said.push(((nick, number), now()));
        let event = alice.send_text(room, &text_of("alice", number));
        written.push((("alice".to_owned(), number), event));
    }
    (said, written)
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_nothing_is_lost_or_doubled_while_a_third_of_all_requests_fails_for_long() {
    let Talk { world, alice, bob, room } = Talk::begin().await;
    let carol = world.ircd.person("carol");
    carol.join("#rust");
    world.homeserver.faults().storm(Random::seeded("storm"), 33);
    let (said, written) = talk([&bob, &carol], &alice, &room).await;
    let deadline = now() + LIMIT.as_millis() as u64;
    let mut look = tokio::time::interval(LOOK);
    loop {
        look.tick().await;
        let heard: Vec<String> = bob.messages("#rust").into_iter().map(|(_, text)| text).collect();
        let verdict = judge(&Evidence {
            said: said.clone(),
            written: &written,
            heard: &heard,
            room: &world.homeserver.events(&room),
            outages: &[],
            may_miss: false,
        });
        let figures = &verdict.figures;
        let all = figures.arrived == LINES as usize && figures.shown == LINES as usize;
        assert!(all || now() < deadline, "{figures}\n{}", verdict.describe());
        if all {
            assert!(verdict.is_good(), "{}", verdict.describe());
            let asked = figures.told + figures.asked + figures.asked_in_vain;
            assert_eq!(asked, 0, "IRC had no fault, so that nobody has to be asked");
            break;
        }
    }
    let faults = world.homeserver.faults().storm_faults();
    assert!(faults >= 50, "only {faults} requests failed");
}
