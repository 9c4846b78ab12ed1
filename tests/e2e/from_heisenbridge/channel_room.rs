//! The room of a channel. How a channel is run, with its modes, topic, lists and people, is in `moderation.rs`.

use reqwest::Method;
use serde_json::json;

use super::{Steps, memberships, sees_alice};
use crate::rig::irc::IrcPerson;
use crate::rig::town::ghost;
use crate::scene::{CHANNEL, Scene, ask};

#[tokio::test]
async fn each_command_of_a_channels_room_works_on_real_servers() {
    let steps = Steps::of("In a channel's room", "each_command_of_a_channels_room_works_on_real_servers");
    let scene = Scene::start().await;
    let (alice, room, irene) = (&scene.town.alice, scene.room.as_str(), &scene.irene);

    steps.begin("UPGRADE");
    scene.witness.say(CHANNEL, "here I am");
    alice.wait_message(room, "here I am").await;
    assert!(!memberships(alice, room, &ghost("witness")).contains(&"invite".to_owned()));
    let rule = alice.wait_event(room, |event| event["type"] == "m.room.join_rules").await;
    assert_eq!(rule["content"]["join_rule"], "restricted", "{rule}");

    steps.begin("SYNC");
    let kick = json!({ "user_id": ghost("witness"), "reason": "by mistake" });
    alice.request(Method::POST, &format!("rooms/{room}/kick"), &kick).await.unwrap();
    alice.wait_member(room, &ghost("witness"), "leave").await;
    ask(alice, room, "!irc sync", "#towline has 3 people").await;
    alice.wait_member(room, &ghost("witness"), "join").await;

    steps.begin("AUTOCMD");
    ask(alice, room, "!irc onjoin msg irene I am back", "When you enter #towline:").await;
    let mark = irene.mark();
    alice.say(room, "!irc cycle").await;
    sees_alice(irene, mark, &format!("PART {CHANNEL}")).await;
    sees_alice(irene, mark, &format!("JOIN {CHANNEL}")).await;
    irene.wait_said("alice", "irene", "I am back").await;
    ask(alice, room, "!irc onjoin off", "Nothing is done by itself any more").await;

    steps.begin("PART");
    let mark = irene.mark();
    alice.say(room, "!irc part see you").await;
    let left = sees_alice(irene, mark, &format!("PART {CHANNEL}")).await;
    assert!(left.contains("see you"), "{left}");

    steps.begin("JOIN");
    let mark = irene.mark();
    alice.say(room, &format!("!irc join {CHANNEL}")).await;
    sees_alice(irene, mark, &format!("JOIN {CHANNEL}")).await;
    irene.say(CHANNEL, "welcome back");
    alice.wait_message(room, "welcome back").await;
    assert_eq!(irene.messages("irene").len(), 1, "nothing was done by itself this time");

    stop(&scene, &steps).await;
    steps.end();
}

/// On a network where lines go as slowly as on most.
async fn stop(scene: &Scene, steps: &Steps) {
    steps.begin("STOP");
    let (alice, control) = (&scene.town.alice, scene.town.control.as_str());
    let server = format!("localhost:{}", scene.town.inspircd.port);
    ask(alice, control, &format!("network add slow {server} notls private"), "slow is there").await;
    alice.say(control, "open slow").await;
    let network = alice.wait_invite_named("slow").await;
    alice.join(&network).await;
    let listener = IrcPerson::connect(scene.town.inspircd.address(), "listener").await;
    listener.join("#slow").await;
    alice.say(&network, "join #slow").await;
    let room = alice.wait_invite_named("#slow (slow)").await;
    alice.join(&room).await;
    listener.wait_line(|line| line.starts_with(":alice_!") && line.contains(" JOIN ")).await;
    let paste: Vec<String> = (1..=15).map(|number| format!("line {number}")).collect();
    for _ in 0..3 {
        alice.say(&room, &paste.join("\n")).await;
    }
    listener.wait_said("alice_", "#slow", "line 1").await;
    ask(alice, &room, "!irc stop", "Stopped: what had not left of 3 messages").await;
    alice.say(&room, "no more of that").await;
    listener.wait_said("alice_", "#slow", "no more of that").await;
    let heard = listener.messages("#slow").len();
    assert!(heard <= 15, "{heard} lines");
}
