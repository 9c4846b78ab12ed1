//! The drill behind the fake IRC server, with history and without.

use super::drill::{Channel, Drill, Faults, Kill, Report};
use crate::support::bridge::World;
use crate::support::ircd::{self, Person};
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

/// What the fake IRC server keeps for those who come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum History {
    /// Everything, to be asked for: nothing may be missing.
    Kept,
    /// Nothing: what is missing lies in an outage and inside a gap's notice.
    None,
}

async fn drill(history: History, kills: impl FnOnce(&mut Random) -> Vec<Kill>) -> Report {
    let options = match history {
        History::Kept => ircd::Options::with_history(),
        History::None => ircd::Options::default(),
    };
    let world = World::builder()
        .ircd(options)
        .through_proxy()
        .homeserver_options(|options| options.record_requests = false)
        .without_bridge()
        .await;
    let channel = FakeChannel::open(&world);
    let process = world.start_process_with(&[("TOWLINE_LOG", "info")]);
    let (writer, _, room) = world.user_in_channel("alice", CHANNEL).await;
    let mut random = Random::seeded("crash");
    let kills = kills(&mut random);
    let may_miss = history == History::None;
    let drill = Drill { world: &world, channel: &channel, writer, room, may_miss, random };
    drill.run(process, kills, MILD).await
}

#[rstest::rstest]
#[case::with_history(History::Kept)]
#[case::without_history(History::None)]
#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_kill_at_each_step_loses_and_doubles_nothing(#[case] history: History) {
    drill(history, |random| Kill::rounds(random, 1, 3))
        .await
        .conclude(&format!("each step, history {history:?}"));
}

#[rstest::rstest]
#[case::with_history(History::Kept)]
#[case::without_history(History::None)]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: scripts/test --crash"]
async fn invariant_1_a_hundred_kills_lose_and_double_nothing(#[case] history: History) {
    drill(history, |random| Kill::rounds(random, 7, 4))
        .await
        .conclude(&format!("a hundred, history {history:?}"));
}
