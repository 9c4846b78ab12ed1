//! Rooms on a real homeserver: a space, a room that is upgraded, and what is said from another client.

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::rig::inspircd::Inspircd;
use crate::rig::irc::IrcPerson;
use crate::rig::towline::{NetworkEntry, bot};
use crate::rig::town::{Extras, NETWORK, Rooms, Town};
use crate::rig::znc::{Buffers, Znc};
use crate::scene::{CHANNEL, Scene, line};

fn is_child(room: &str) -> impl Fn(&Value) -> bool {
    move |event| event["type"] == "m.space.child" && event["state_key"] == room
}

#[tokio::test]
async fn synapse_shows_a_space_with_the_networks_rooms() {
    let town = Town::start().await;
    let network = town.open_network().await;
    let room = town.join_channel(&network, CHANNEL).await;
    town.alice.say(&network, "space").await;
    let space = town.alice.wait_invite().await;
    town.alice.join(&space).await;
    for (child, order) in [(&network, "1".to_owned()), (&room, format!("2{CHANNEL}"))] {
        let event = town.alice.wait_event(&space, is_child(child)).await;
        assert_eq!(event["content"]["order"], order);
        let is_parent = |event: &Value| event["type"] == "m.space.parent" && event["state_key"] == space;
        town.alice.wait_event(child, is_parent).await;
    }
}

#[tokio::test]
async fn a_room_that_is_upgraded_on_synapse_is_followed() {
    let town = Town::start().await;
    let path = format!("rooms/{}/upgrade", town.control);
    let answer = town.alice.request(Method::POST, &path, &json!({ "new_version": "11" })).await.unwrap();
    let new = answer["replacement_room"].as_str().unwrap().to_owned();
    town.alice.invite(&new, &bot()).await;
    town.alice.wait_member(&new, &bot(), "join").await;
    town.alice.say(&new, "status").await;
    town.alice.wait_message(&new, "You are on no network yet").await;
    town.alice.wait_member(&town.control, &bot(), "leave").await;
}

#[tokio::test]
async fn what_is_said_from_another_client_is_the_users_own_on_synapse() {
    let directory = TempDir::with_prefix("towline-puppets-").unwrap();
    let inspircd = Inspircd::start(&directory.path().join("inspircd")).await;
    let znc = Znc::start(&inspircd, Buffers::Cleared).await;
    let entry = NetworkEntry::znc("demo", NETWORK, &znc);
    let extras = Extras { rooms: Rooms { double_puppet: true, ..Rooms::default() }, ..Extras::default() };
    let scene = Scene::in_town(Town::around(directory, inspircd, entry, &extras).await).await;
    let phone = IrcPerson::connect_with(znc.address(), "alice", &znc.password).await;
    phone.say(CHANNEL, "from my phone");
    let said = scene.town.alice.wait_message(&scene.room, "from my phone").await;
    assert_eq!(said["sender"], scene.town.alice.id());
    phone.say("irene", "and to you alone");
    scene.irene.wait_said("alice", "irene", "and to you alone").await;
    // It came back from Synapse long before this, and did not go round.
    scene.town.alice.say(&scene.room, &line("matrix", 1)).await;
    scene.witness.wait_said("alice", CHANNEL, &line("matrix", 1)).await;
    let heard = scene.witness.messages(CHANNEL).into_iter().filter(|(nick, _)| nick == "alice").count();
    assert_eq!(heard, 2);
}
