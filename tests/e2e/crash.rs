//! The crash test of `tests/it` behind a real InspIRCd, which keeps no history: what is missing in the room was said
//! between a disconnect and the rejoin, and a notice in the room says that nothing was seen then.
//!
//! The homeserver is the in-memory one, whose faults a Synapse does not have on demand.

use tempfile::TempDir;

use self::drill::{Channel, Drill, Faults, Kill, Report};
use crate::rig::inspircd::Inspircd;
use crate::rig::irc::IrcPerson;
use crate::support::bridge::World;
use crate::support::random::Random;

#[path = "../it/crash/drill.rs"]
mod drill;
#[path = "../it/crash/judge.rs"]
mod judge;

const CHANNEL: &str = "#towline";
const SPEAKERS: [&str; 2] = ["bob", "carol"];
const MILD: Faults = Faults { requests: 4, irc: true };

/// The channel on InspIRCd.
struct RealChannel {
    speakers: [IrcPerson; 2],
    witness: IrcPerson,
}

impl RealChannel {
    async fn open(inspircd: &Inspircd) -> Self {
        let enter = async |nick| {
            let person = IrcPerson::connect(inspircd.address(), nick).await;
            person.join(CHANNEL).await;
            person
        };
        Self { speakers: [enter("bob").await, enter("carol").await], witness: enter("wendy").await }
    }
}

impl Channel for RealChannel {
    fn speakers(&self) -> &[&'static str] {
        &SPEAKERS
    }

    fn say(&self, speaker: &str, text: &str) {
        let person = self.speakers.iter().find(|person| person.nick() == speaker).expect("a speaker");
        person.say(CHANNEL, text);
    }

    fn witnessed_after(&self, count: usize) -> Vec<(String, String, String)> {
        let read = |line: String| {
            let (source, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let (verb, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            let last =
                rest.split_once(':').map_or_else(|| rest.rsplit(' ').next().unwrap_or(""), |(_, last)| last);
            let nick = source.trim_start_matches(':').split('!').next().unwrap_or_default();
            (nick.to_owned(), verb.to_owned(), last.to_owned())
        };
        self.witness.lines_after(count).into_iter().map(read).collect()
    }
}

async fn behind_inspircd(kills: impl FnOnce(&mut Random) -> Vec<Kill>) -> Report {
    let directory = TempDir::with_prefix("towline-crash-").unwrap();
    let inspircd = Inspircd::start(directory.path()).await;
    let world = World::builder()
        .irc_server(inspircd.address())
        .through_proxy()
        .homeserver_options(|options| options.record_requests = false)
        .without_bridge()
        .await;
    let channel = RealChannel::open(&inspircd).await;
    let mark = channel.witness.mark();
    let process = world.start_process_with(&[("TOWLINE_LOG", "info")]);
    let (writer, control) = world.user_with_control_room("alice").await;
    writer.send_text(&control, "open fake");
    let network = world.homeserver.wait_invite(writer.id()).await;
    writer.join(&network).await;
    writer.send_text(&network, &format!("join {CHANNEL}"));
    let room = world.homeserver.wait_invite(writer.id()).await;
    writer.join(&room).await;
    channel
        .witness
        .wait_line_after(mark, |line| line.starts_with(":alice!") && line.contains(" JOIN "))
        .await;
    let mut random = Random::seeded("crash");
    let kills = kills(&mut random);
    let drill = Drill { world: &world, channel: &channel, writer, room, may_miss: true, random };
    drill.run(process, kills, MILD).await
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_kill_at_each_step_behind_inspircd_loses_nothing_but_what_a_notice_covers() {
    behind_inspircd(|random| Kill::rounds(random, 1, 3)).await.conclude("each step, InspIRCd");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: scripts/test --crash"]
async fn invariant_1_a_hundred_kills_behind_inspircd_lose_nothing_but_what_a_notice_covers() {
    behind_inspircd(|random| Kill::rounds(random, 7, 4)).await.conclude("a hundred, InspIRCd");
}
