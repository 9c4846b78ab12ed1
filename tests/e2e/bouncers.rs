//! Behind a bouncer: ZNC stays on the network while the bridge is away, and repeats what was said.

use rstest::rstest;
use tempfile::TempDir;

use crate::rig::inspircd::Inspircd;
use crate::rig::irc::IrcPerson;
use crate::rig::towline::NetworkEntry;
use crate::rig::town::{Extras, NETWORK, Town, ghost};
use crate::rig::znc::{Buffers, Znc};
use crate::scene::{CHANNEL, Scene, line, numbered};

/// The scene with a bouncer between the bridge and the network.
async fn behind_znc(buffers: Buffers) -> (Scene, Znc) {
    let directory = TempDir::with_prefix("towline-bouncer-").unwrap();
    let inspircd = Inspircd::start(&directory.path().join("inspircd")).await;
    let znc = Znc::start(&inspircd, buffers).await;
    let entry = NetworkEntry::znc("demo", NETWORK, &znc);
    let town = Town::around(directory, inspircd, entry, &Extras::default()).await;
    (Scene::in_town(town).await, znc)
}

#[rstest]
#[case::what_was_missed(Buffers::Cleared)]
#[case::everything(Buffers::Kept)]
#[tokio::test]
async fn what_znc_repeats_after_the_bridge_was_away_arrives_once_and_in_order(#[case] buffers: Buffers) {
    let (mut scene, _znc) = behind_znc(buffers).await;
    let say = async |scene: &Scene, numbers: std::ops::RangeInclusive<usize>| {
        for number in numbers.clone() {
            scene.irene.say(CHANNEL, &line("irc", number));
        }
        scene.witness.wait_said("irene", CHANNEL, &line("irc", *numbers.end())).await;
    };
    say(&scene, 1..=5).await;
    scene.town.alice.wait_message(&scene.room, &line("irc", 5)).await;

    assert!(scene.town.towline.stop().await.success());
    say(&scene, 6..=30).await;
    scene.irene.action(CHANNEL, "waves");
    scene.irene.say("alice", "are you there?");
    assert!(scene.irene.names(CHANNEL).await.contains(&"alice".to_owned()), "the bouncer stays");
    scene.town.towline.run().await;
    scene.town.alice.wait_message(&scene.room, "waves").await;
    say(&scene, 31..=35).await;
    scene.town.alice.wait_message(&scene.room, &line("irc", 35)).await;

    assert_eq!(scene.heard_by_alice(), numbered("irc", 35));
    let query = scene.town.alice.wait_invite().await;
    scene.town.alice.join(&query).await;
    let asked = scene.town.alice.wait_message(&query, "are you there?").await;
    assert_eq!(asked["sender"], ghost("irene"));
}

#[tokio::test]
async fn what_is_said_through_znc_from_here_and_from_elsewhere_is_shown_once() {
    let (scene, znc) = behind_znc(Buffers::Cleared).await;
    let phone = IrcPerson::connect_with(znc.address(), "alice", &znc.password).await;
    scene.town.alice.say(&scene.room, &line("matrix", 1)).await;
    scene.witness.wait_said("alice", CHANNEL, &line("matrix", 1)).await;
    phone.say(CHANNEL, "from my phone");
    scene.witness.wait_said("alice", CHANNEL, "from my phone").await;
    scene.town.alice.say(&scene.room, &line("matrix", 2)).await;
    scene.witness.wait_said("alice", CHANNEL, &line("matrix", 2)).await;
    scene.irene.say(CHANNEL, "the end");
    scene.town.alice.wait_message(&scene.room, "the end").await;

    assert_eq!(scene.heard_from_alice(), numbered("matrix", 2));
    let said: Vec<String> =
        scene.town.alice.messages(&scene.room).into_iter().map(|(_, body)| body).collect();
    let times = |text: &str| said.iter().filter(|body| body.contains(text)).count();
    assert_eq!((times("matrix 0001"), times("from my phone"), times("matrix 0002")), (1, 1, 1), "{said:?}");
}

/// ZNC answers a PING before the network has answered what was said.
#[tokio::test]
async fn what_the_network_refuses_behind_znc_is_told_to_its_sender() {
    let (scene, _znc) = behind_znc(Buffers::Cleared).await;
    scene.irene.raw(&format!("MODE {CHANNEL} +m"));
    scene.town.alice.wait_message(&scene.room, "irene sets +m").await;
    scene.town.alice.say(&scene.room, "can you hear me?").await;
    let is_told = |event: &serde_json::Value| {
        event["content"]["body"].as_str().is_some_and(|body| body.starts_with("Your message did not arrive"))
    };
    scene.town.alice.wait_event(&scene.room, is_told).await;
}
