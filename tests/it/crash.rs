//! `kill -9` of the real binary, at random moments and at each step of a delivery, while people talk.
//!
//! The ordinary run kills it once at each step, and ten times at random; `scripts/test --crash` does ten times as
//! much. `TOWLINE_TEST_SEED` repeats a run's chance.

#[cfg_attr(not(feature = "failpoints"), expect(dead_code, reason = "the kills at a failpoint need one"))]
mod drill;
pub(crate) mod judge;
mod points;

use self::drill::{Channel, Drill, Faults, Kill, Report};
use crate::support::bridge::World;
use crate::support::ircd::Person;
use crate::support::random::Random;

const CHANNEL: &str = "#rust";
const SPEAKERS: [&str; 2] = ["bob", "carol"];
const MILD: Faults = Faults { requests: 4, irc: true };

/// The fake IRC server's channel.
struct FakeChannel {
    speakers: [Person; 2],
    witness: Person,
}

impl FakeChannel {
    fn open(world: &World) -> Self {
        let enter = |nick| {
            let person = world.ircd.person(nick);
            person.join(CHANNEL);
            person
        };
        Self { speakers: SPEAKERS.map(enter), witness: enter("wendy") }
    }
}

impl Channel for FakeChannel {
    fn speakers(&self) -> &[&'static str] {
        &SPEAKERS
    }

    fn say(&self, speaker: &str, text: &str) {
        let place = SPEAKERS.iter().position(|nick| *nick == speaker).expect("a speaker");
        self.speakers[place].say(CHANNEL, text);
    }

    fn witnessed_after(&self, count: usize) -> Vec<(String, String, String)> {
        let heard = self.witness.heard_after(count).into_iter();
        heard.map(|one| (one.nick().to_owned(), one.command.clone(), one.text().to_owned())).collect()
    }
}

/// A drill behind the fake IRC server, which keeps no history: what is missing lies in gap notices.
async fn without_history(kills: impl FnOnce(&mut Random) -> Vec<Kill>, faults: Faults) -> Report {
    let world = World::builder()
        .through_proxy()
        .homeserver_options(|options| options.record_requests = false)
        .without_bridge()
        .await;
    let channel = FakeChannel::open(&world);
    let process = world.start_process_with(&[("TOWLINE_LOG", "info")]);
    let (writer, _, room) = world.user_in_channel("alice", CHANNEL).await;
    let mut random = Random::seeded("crash");
    let kills = kills(&mut random);
    let drill = Drill { world: &world, channel: &channel, writer, room, may_miss: true, random };
    drill.run(process, kills, faults).await
}

#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: scripts/test --crash"]
async fn invariant_1_a_hundred_kills_lose_and_double_nothing_without_history() {
    without_history(|random| Kill::rounds(random, 7), MILD).await.conclude("a hundred, no history");
}

#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_kill_at_each_step_loses_and_doubles_nothing_without_history() {
    without_history(Kill::at_each_point, MILD).await.conclude("each step, no history");
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_ten_kills_at_random_lose_and_double_nothing_without_history() {
    without_history(|random| Kill::at_random(random, 10), MILD).await.conclude("at random, no history");
}
