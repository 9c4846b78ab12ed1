//! A shared room on a real homeserver: found by its alias, and one conversation of two people on Matrix and two on IRC.

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::rig::inspircd::Inspircd;
use crate::rig::irc::IrcPerson;
use crate::rig::matrix::MatrixUser;
use crate::rig::synapse::SERVER_NAME;
use crate::rig::towline::{NetworkEntry, bot};
use crate::rig::town::{Extras, NETWORK, PASSWORD, Rooms, Town, ghost};
use crate::scene::CHANNEL;

/// Joins the shared room of the channel by its alias; gives its id.
async fn join_shared(user: &MatrixUser) -> String {
    let path = format!("join/%23irc_demo_%23{}:{SERVER_NAME}", &CHANNEL[1..]);
    let answer = user.request(Method::POST, &path, &json!({})).await.unwrap();
    answer["room_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_shared_room_is_found_by_its_alias_and_everybody_sees_each_message_once_on_synapse() {
    let directory = TempDir::with_prefix("towline-shared-").unwrap();
    let inspircd = Inspircd::start(&directory.path().join("inspircd")).await;
    let entry = NetworkEntry::plain("demo", NETWORK, &inspircd);
    let extras = Extras { rooms: Rooms { shared: true, ..Rooms::default() }, ..Extras::default() };
    let town = Town::around(directory, inspircd, entry, &extras).await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    let witness = IrcPerson::connect(town.inspircd.address(), "witness").await;
    irene.join(CHANNEL).await;
    witness.join(CHANNEL).await;
    let carol = MatrixUser::register(&town.synapse.url, "carol", PASSWORD).await;

    let room = join_shared(&town.alice).await;
    town.alice.say(&room, "alice is here").await;
    irene.wait_said("alice", CHANNEL, "alice is here").await;
    assert_eq!(join_shared(&carol).await, room);
    carol.say(&room, "carol is here").await;
    irene.wait_said("carol", CHANNEL, "carol is here").await;
    irene.say(CHANNEL, "irene is here");
    witness.wait_said("irene", CHANNEL, "irene is here").await;
    for user in [&town.alice, &carol] {
        user.wait_message(&room, "irene is here").await;
    }
    witness.say(CHANNEL, "that is all");
    for user in [&town.alice, &carol] {
        user.wait_message(&room, "that is all").await;
    }
    // Synapse's order is its own; by whom each was said, and that it was once, is not.
    let mut said = carol.lines(&room);
    // That their first words wait until they are in the channel is told or not, as fast as that is.
    said.retain(|(sender, _)| *sender != bot());
    said.sort();
    let by = |who: &str, line: &str| (who.to_owned(), line.to_owned());
    let mut expected = vec![
        by(carol.id(), "carol is here"),
        by(&ghost("irene"), "irene is here"),
        by(&ghost("witness"), "that is all"),
    ];
    expected.sort();
    assert_eq!(said, expected);
    let alices = town.alice.lines(&room).into_iter().filter(|(_, line)| line == "carol is here").count();
    assert_eq!(alices, 1);

    // Who leaves the room leaves the channel; the other one sees on.
    town.alice.leave(&room).await;
    irene.wait_line(|line| line.starts_with(":alice!") && line.contains(" PART ")).await;
    irene.say(CHANNEL, "alice is gone");
    carol.wait_message(&room, "alice is gone").await;

    // With the last one goes the alias, and the room has it again for whoever looks for it.
    carol.leave(&room).await;
    irene.wait_line(|line| line.starts_with(":carol!") && line.contains(" PART ")).await;
    assert_eq!(join_shared(&town.alice).await, room);
    town.alice.say(&room, "alice is back").await;
    irene.wait_said("alice", CHANNEL, "alice is back").await;
    irene.say(CHANNEL, "welcome back");
    town.alice.wait_message(&room, "welcome back").await;
}

#[tokio::test]
async fn an_existing_room_shows_a_channel_and_is_left_to_its_people_on_synapse() {
    let town = Town::start().await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.join(CHANNEL).await;
    let network = town.open_network().await;
    let is_on = |event: &serde_json::Value| {
        event["content"]["body"].as_str().is_some_and(|body| body.starts_with("Connected to"))
    };
    town.alice.wait_event(&network, is_on).await;
    let carol = MatrixUser::register(&town.synapse.url, "carol", PASSWORD).await;
    let request = json!({ "preset": "private_chat", "name": "Tea house", "topic": "ours", "invite": [town.alice.id()] });
    let room = carol.create_room(&request).await;
    town.alice.join(&room).await;

    // The bot comes when it is invited, and with it who is on the network.
    town.towline.plumb(Some((CHANNEL, &room)));
    let mark = irene.mark();
    town.towline.reload().await;
    town.towline.wait_logged("invite @towline:").await;
    carol.invite(&room, &bot()).await;
    town.wait_alice_in(&irene, CHANNEL, mark).await;
    irene.say(CHANNEL, "anybody home?");
    let shown = carol.wait_message(&room, "anybody home?").await;
    assert_eq!(shown["sender"], ghost("irene").as_str());
    town.alice.say(&room, "alice is").await;
    irene.wait_said("alice", CHANNEL, "alice is").await;
    carol.say(&room, "carol is, too").await;
    let is_told = |event: &serde_json::Value| {
        let body = event["content"]["body"].as_str().unwrap_or_default();
        body.starts_with(carol.id()) && body.contains("does not go to")
    };
    carol.wait_event(&room, is_told).await;
    town.alice.say(&room, "she can't hear you").await;
    irene.wait_said("alice", CHANNEL, "she can't hear you").await;
    assert!(irene.messages(CHANNEL).iter().all(|(_, text)| text != "carol is, too"));

    // Without its line the room is its people's alone, as it was.
    town.towline.plumb(None);
    town.towline.reload().await;
    for user in [ghost("irene"), bot()] {
        carol.wait_member(&room, &user, "leave").await;
    }
    irene.wait_line(|line| line.starts_with(":alice!") && line.contains(" PART ")).await;
    for (kind, key, value) in [("m.room.name", "name", "Tea house"), ("m.room.topic", "topic", "ours")] {
        let state =
            carol.request(Method::GET, &format!("rooms/{room}/state/{kind}"), &json!({})).await.unwrap();
        assert_eq!(state[key], value);
    }
    carol.say(&room, "still here").await;
    town.alice.wait_message(&room, "still here").await;
}
