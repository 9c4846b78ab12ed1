//! The room of a conversation.

use tempfile::TempDir;

use super::{Steps, linked_text, wait_hourglass, wait_taken_back};
use crate::rig::inspircd::Inspircd;
use crate::rig::towline::NetworkEntry;
use crate::rig::town::{Extras, NETWORK, Town, ghost};
use crate::scene::{Scene, ask};

#[tokio::test]
async fn each_command_of_a_conversations_room_works_on_real_servers() {
    let steps =
        Steps::of("In a conversation's room", "each_command_of_a_conversations_room_works_on_real_servers");
    let directory = TempDir::with_prefix("towline-query-").unwrap();
    let inspircd = Inspircd::start(&directory.path().join("inspircd")).await;
    let entry = NetworkEntry::plain("demo", NETWORK, &inspircd);
    let extras = Extras { links: true, ..Extras::default() };
    let scene = Scene::in_town(Town::around(directory, inspircd, entry, &extras).await).await;
    let (alice, irene) = (&scene.town.alice, &scene.irene);
    irene.say("alice", "psst");
    let room = alice.wait_invite_from(&ghost("irene")).await;
    alice.join(&room).await;
    alice.wait_message(&room, "psst").await;

    steps.begin("WHOIS");
    let told = ask(alice, &room, "!irc whois", "irene is ").await;
    assert!(told.contains("@127.0.0.1") && told.contains("#towline"), "{told}");

    steps.begin("MAXLINES PASTEBIN");
    ask(alice, &room, "!irc set lines 2", "lines 2 for irene").await;
    alice.say(&room, "of three\nlines\ntwo").await;
    assert_eq!(linked_text(irene, "… (2 more lines: ").await, "of three\nlines\ntwo");

    steps.begin("REACTS");
    scene.town.inspircd.pause().await;
    let slow = alice.say(&room, "slow").await;
    let hourglass = wait_hourglass(alice, &room, &slow).await;
    scene.town.inspircd.go_on().await;
    irene.wait_said("alice", "irene", "slow").await;
    wait_taken_back(alice, &room, &hourglass).await;

    let heard: Vec<String> = irene.messages("irene").into_iter().map(|(_, text)| text).collect();
    assert_eq!((heard.len(), heard[0].as_str(), heard[2].as_str()), (3, "of three", "slow"), "{heard:?}");
    steps.end();
}
