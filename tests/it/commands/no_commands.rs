//! What is written to the bot and is no command: it is answered, too, unless a program wrote it.

use rstest::rstest;
use serde_json::{Value, json};

use super::connected;
use crate::support::bridge::World;
use crate::support::homeserver::Event;

fn is_about<'a>(event: &'a str, text: &'a str) -> impl Fn(&Event) -> bool + 'a {
    move |one| one.content["m.relates_to"]["m.in_reply_to"]["event_id"] == event && one.body().contains(text)
}

const TEXT_ONLY: &str = "I read only plain text here, and did nothing about that.";

#[rstest]
#[case::emote("m.room.message", json!({ "msgtype": "m.emote", "body": "help" }))]
#[case::picture("m.room.message", json!({ "msgtype": "m.image", "body": "cat.png", "url": "mxc://test.local/x" }))]
#[case::file("m.room.message", json!({ "msgtype": "m.file", "body": "notes.txt", "url": "mxc://test.local/x" }))]
#[case::voice("m.room.message", json!({ "msgtype": "m.audio", "body": "voice", "url": "mxc://test.local/x" }))]
#[case::sticker("m.sticker", json!({ "body": "Cat waving", "url": "mxc://test.local/x", "info": {} }))]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_text_is_answered_in_the_bots_rooms(#[case] kind: &str, #[case] content: Value) {
    let world = World::start().await;
    let (alice, control, network) = connected(&world).await;
    for room in [&control, &network] {
        let event = alice.send(room, kind, content.clone());
        world.homeserver.wait_event(room, is_about(&event, TEXT_ONLY)).await;
    }
}

/// Before, it stayed there, key and all.
#[rstest]
#[case::pem("key.pem")]
#[case::in_capitals("ALICE.KEY")]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_may_be_a_private_key_goes_from_the_bots_rooms(#[case] name: &str) {
    let world = World::start().await;
    let (alice, control, network) = connected(&world).await;
    let file = json!({ "msgtype": "m.file", "body": name, "url": "mxc://test.local/x" });
    for room in [&control, &network] {
        let event = alice.send(room, "m.room.message", file.clone());
        world
            .homeserver
            .wait_event(room, is_about(&event, "It may be a private key, so I have taken it out"))
            .await;
        world.homeserver.wait_event(room, |one| one.redacts.as_ref() == Some(&event)).await;
    }
}

#[rstest]
#[case::a_notice("m.room.message", json!({ "msgtype": "m.notice", "body": "help" }))]
#[case::a_clients_own("m.room.message", json!({ "msgtype": "m.key.verification.request", "body": "help" }))]
#[case::one_that_is_none("m.room.message", json!({}))]
#[case::a_call("m.call.invite", json!({ "call_id": "1", "lifetime": 60_000, "version": 0 }))]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_writes_is_not_answered(#[case] kind: &str, #[case] content: Value) {
    let world = World::start().await;
    let (alice, control, _) = connected(&world).await;
    let before = world.homeserver.timeline_bodies(&control).len();
    alice.send(&control, kind, content);
    let event = alice.send_text(&control, "version");
    world.homeserver.wait_event(&control, super::signs::signs_off(&event)).await;
    let said = world.homeserver.timeline_bodies(&control).split_off(before);
    let answers = said.iter().filter(|body| body.starts_with("This is Towline")).count();
    let others =
        said.iter().filter(|body| body.contains("plain text") || body.contains("There is no")).count();
    assert_eq!((answers, others), (1, 0), "{said:?}");
}

/// Before, nothing was said, though everybody mends a typo that way.
#[tokio::test(flavor = "multi_thread")]
async fn an_edited_command_is_not_done_and_that_is_said_and_a_password_in_it_goes() {
    let world = World::start().await;
    let (alice, control, _) = connected(&world).await;
    let event = alice.send_text(&control, "jion #tea");
    world.homeserver.wait_event(&control, |one| one.body().contains("Did you mean join")).await;
    let edit = alice.edit(&control, &event, "join #tea its-key");
    let told = "I do nothing about what is edited. Type the command anew.";
    world.homeserver.wait_event(&control, is_about(&event, told)).await;
    world.homeserver.wait_event(&control, |one| one.redacts.as_ref() == Some(&edit)).await;
    alice.send_text(&control, "channels");
    world.homeserver.wait_event(&control, |one| one.body().contains("You are in no channel")).await;
}
