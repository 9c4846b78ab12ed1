//! What asks back, and how it is answered or dropped.

use std::time::Duration;

use super::{ask, says};
use crate::support::bridge::World;
use crate::support::homeserver::Event;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dropped_is_not_done_and_what_is_affirmed_is_done_once() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "remember this");
    world.homeserver.wait_message(&room, "remember this").await;
    bob.say("alice", "and that");
    let query = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    world.homeserver.wait_message(&query, "and that").await;
    world.homeserver.wait_event(&control, says("Joining #rust")).await;

    let nothing = ask(&world, &alice, &control, "yes").await;
    assert!(nothing.starts_with("I have asked nothing here"), "{nothing}");
    assert_eq!(ask(&world, &alice, &control, "cancel").await, "Nothing is asked here.");
    let asked = ask(&world, &alice, &control, "forget everything").await;
    assert_eq!(
        asked,
        "This deletes all that is kept of everything, for good. To do it, type yes; to leave it, cancel."
    );
    let dropped = ask(&world, &alice, &control, "NO").await;
    assert_eq!(dropped, "Dropped, and nothing is done: what I asked about forgetting everything.");
    assert!(ask(&world, &alice, &control, "yes").await.starts_with("I have asked nothing here"));
    assert!(ask(&world, &alice, &control, "history #rust").await.contains("remember this"));

    ask(&world, &alice, &control, "forget everything").await;
    let gone = ask(&world, &alice, &control, "Yes").await;
    assert!(
        gone.starts_with("Forgotten: ") && gone.contains(" of everything, in 2 conversations."),
        "{gone}"
    );
    assert_eq!(world.database().texts("SELECT text FROM history").await, [""; 0]);
    assert!(ask(&world, &alice, &control, "yes").await.starts_with("I have asked nothing here"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_about_messages_is_dropped_too() {
    let world = World::builder().stale_after(Duration::from_secs(1)).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    ask(&world, &alice, &control, "disconnect").await;
    alice.send_text(&room, "too late");
    let question = world.homeserver.wait_event(&room, says("To send it anyway, react to this with ✅")).await;
    let button = |one: &Event| {
        one.kind == "m.reaction" && one.content["m.relates_to"]["event_id"] == question.event_id
    };
    let button = world.homeserver.wait_event(&room, button).await;
    alice.send_text(&room, "!irc cancel");
    world.homeserver.wait_message(&room, "Dropped, and nothing is done: what I asked about a message.").await;
    world.homeserver.wait_event(&room, |one| one.redacts.as_ref() == Some(&button.event_id)).await;
    alice.react(&room, &question.event_id, "✅");
    ask(&world, &alice, &control, "connect").await;
    world.ircd.wait_joined("#rust", "alice").await;
    alice.send_text(&room, "in time");
    bob.wait_text("in time").await;
    assert_eq!(bob.messages("#rust").len(), 1);
}
