//! "Nothing is missing": each server restarts in the middle of a conversation.

use crate::rig::postgres::Postgres;
use crate::rig::town::{Town, ghost};
use crate::scene::{CHANNEL, Scene, Talk, line, numbered, people};

/// Waits until the last line of each side is on the other, and gives what each side heard.
async fn wait_last(scene: &Scene, talk: &Talk) {
    scene.town.alice.wait_message(&scene.room, &line("irc", talk.from_irc.get())).await;
    let last = line("matrix", talk.from_matrix.get());
    scene.witness.wait_said("alice", CHANNEL, &last).await;
}

#[tokio::test]
async fn invariant_1_a_restart_in_the_middle_loses_and_doubles_nothing() {
    let mut scene = Scene::start().await;
    stop_in_the_middle(&mut scene).await;
}

#[tokio::test]
async fn invariant_1_a_restart_in_the_middle_loses_and_doubles_nothing_on_postgresql() {
    let postgres = Postgres::start().await;
    let mut scene = Scene::on_database(&postgres.url).await;
    stop_in_the_middle(&mut scene).await;
}

async fn stop_in_the_middle(scene: &mut Scene) {
    let rooms = scene.town.alice.joined_rooms();
    let talk = Talk::default();
    let (witness, irene, room) = (&scene.witness, &scene.irene, &scene.room);
    let Town { towline, alice, .. } = &mut scene.town;
    let restart = async {
        witness.wait_said("irene", CHANNEL, &line("irc", 10)).await;
        let mark = witness.mark();
        assert!(towline.stop().await.success(), "a stop that was asked for is no failure");
        witness.wait_line_after(mark, |line| line.starts_with(":alice!") && line.contains(" QUIT ")).await;
        talk.go_on(5).await;
        let mark = witness.mark();
        towline.run().await;
        witness.wait_line_after(mark, |line| line.starts_with(":alice!") && line.contains(" JOIN ")).await;
        talk.go_on(10).await;
        talk.end();
    };
    tokio::join!(talk.on_irc(irene), talk.on_matrix(alice, room), restart);
    wait_last(scene, &talk).await;

    assert_eq!(
        scene.heard_by_alice(),
        scene.said_to_alice(),
        "what irene said while alice was there, in order"
    );
    assert_eq!(scene.heard_from_alice(), scene.handed_over(&talk).await, "what alice ever said");
    let uncertain: Vec<_> =
        scene.verdicts().into_iter().filter(|(_, text)| text.contains("may not have arrived")).collect();
    assert!(uncertain.is_empty(), "the server had time to confirm: {uncertain:?}");
    assert_eq!(scene.town.alice.joined_rooms(), rooms, "the same rooms, and no others");
}

#[tokio::test]
async fn invariant_1_a_killed_bridge_comes_back_and_doubles_nothing() {
    let mut scene = Scene::start().await;
    let rooms = scene.town.alice.joined_rooms();
    let talk = Talk::default();
    let (witness, irene, room) = (&scene.witness, &scene.irene, &scene.room);
    let Town { towline, alice, .. } = &mut scene.town;
    let restart = async {
        witness.wait_said("alice", CHANNEL, &line("matrix", 10)).await;
        let mark = witness.mark();
        towline.kill().await;
        witness.wait_line_after(mark, |line| line.starts_with(":alice!") && line.contains(" QUIT ")).await;
        talk.go_on(5).await;
        let mark = witness.mark();
        towline.run().await;
        witness.wait_line_after(mark, |line| line.starts_with(":alice!") && line.contains(" JOIN ")).await;
        talk.go_on(10).await;
        talk.end();
    };
    tokio::join!(talk.on_irc(irene), talk.on_matrix(alice, room), restart);
    wait_last(&scene, &talk).await;

    // InspIRCd keeps nothing for who is away: the room says from when to when something may be missing.
    scene.town.alice.wait_message(&scene.room, "Nothing was seen here from ").await;
    // What InspIRCd had handed to the kernel for a process that was dead already cannot arrive; it is the end of
    // what was said before, and nothing else may be missing.
    let (heard, said) = (scene.heard_by_alice(), scene.said_to_alice());
    let kept = heard.iter().zip(&said).take_while(|(heard, said)| heard == said).count();
    let unread = said.len() - heard.len();
    assert!(unread <= 2, "{unread} lines are missing: {heard:?}");
    assert_eq!(heard[kept..], said[kept + unread..], "a gap at one place only, and nothing twice");

    // A line that was on its way may be uncertain; then alice was told. All others arrived, once and in order.
    let (heard, said) = (scene.heard_from_alice(), numbered("matrix", talk.from_matrix.get()));
    let handed_over = scene.handed_over(&talk).await;
    let verdicts = scene.verdicts();
    let events = talk.events.borrow();
    let uncertain = |text: &String| {
        let place = said.iter().position(|said| said == text).unwrap();
        verdicts.iter().any(|(about, text)| *about == events[place] && text.contains("may not have arrived"))
    };
    let told: Vec<_> =
        handed_over.iter().filter(|text| heard.contains(text) || !uncertain(text)).cloned().collect();
    assert_eq!(heard, told);
    assert_eq!(scene.town.alice.joined_rooms(), rooms, "the same rooms, and no others");
}

#[tokio::test]
async fn invariant_1_what_irc_says_while_the_homeserver_restarts_arrives_afterwards_in_order() {
    let mut scene = Scene::start().await;
    let rooms = scene.town.alice.joined_rooms();
    let talk = Talk::default();
    let (witness, irene) = (&scene.witness, &scene.irene);
    let Town { synapse, alice, .. } = &mut scene.town;
    let restart = async {
        alice.wait_message(&scene.room, &line("irc", 10)).await;
        synapse.stop().await;
        let down = line("irc", talk.from_irc.get() + 10);
        witness.wait_said("irene", CHANNEL, &down).await;
        synapse.start_again().await;
        let up = line("irc", talk.from_irc.get() + 10);
        witness.wait_said("irene", CHANNEL, &up).await;
        talk.end();
    };
    tokio::join!(talk.on_irc(irene), restart);
    scene.town.alice.wait_message(&scene.room, &line("irc", talk.from_irc.get())).await;
    assert_eq!(scene.heard_by_alice(), numbered("irc", talk.from_irc.get()));
    scene.town.alice.say(&scene.room, &line("matrix", 1)).await;
    scene.witness.wait_said("alice", CHANNEL, &line("matrix", 1)).await;
    assert_eq!(scene.town.alice.joined_rooms(), rooms, "the same rooms, and no others");
}

#[tokio::test]
async fn a_restart_of_the_irc_server_brings_the_same_channels_and_rooms_and_what_was_said_meanwhile() {
    let mut scene = Scene::start().await;
    let rooms = scene.town.alice.joined_rooms();
    scene.town.inspircd.stop().await;
    // The second attempt: long enough until the third for irene to be there first.
    scene.town.alice.wait_message(&scene.network, "refused the connection").await;
    for number in 1..=3 {
        scene.town.alice.say(&scene.room, &line("matrix", number)).await;
    }
    scene.town.alice.wait_message(&scene.room, "there is no connection to the network now").await;
    scene.town.inspircd.start_again().await;
    let mark = scene.irene.mark();
    drop((scene.irene, scene.witness));
    (scene.irene, scene.witness) = people(&scene.town).await;
    assert_eq!(
        scene.irene.names(CHANNEL).await,
        ["irene", "witness"],
        "{mark} lines before; alice comes later"
    );

    scene.witness.wait_said("alice", CHANNEL, &line("matrix", 3)).await;
    scene.town.alice.say(&scene.room, &line("matrix", 4)).await;
    scene.witness.wait_said("alice", CHANNEL, &line("matrix", 4)).await;
    assert_eq!(scene.heard_from_alice(), numbered("matrix", 4));
    scene.irene.say(CHANNEL, "welcome back");
    let heard = scene.town.alice.wait_message(&scene.room, "welcome back").await;
    assert_eq!(heard["sender"], ghost("irene"));
    assert_eq!(scene.town.alice.joined_rooms(), rooms, "the same rooms, and no others");
}
