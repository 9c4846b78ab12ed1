//! What asks back, and how it is answered or dropped.

use std::time::Duration;

use super::signs::{ASKS, DONE, FAILED, signs};
use super::{ask, connected, says};
use crate::support::bridge::World;
use crate::support::clock::now;
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
    let stale_after = Duration::from_mins(10);
    let world = World::builder().stale_after(stale_after).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    ask(&world, &alice, &control, "disconnect").await;
    // It was said so long ago, and what is said at its end is in time on a slow machine, too.
    alice.send_text_at(&room, "too late", now() - stale_after.as_millis() as u64);
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

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_asks_is_not_said_to_be_done_and_the_yes_is() {
    let world = World::start().await;
    let (alice, control, _) = connected(&world).await;
    let asks = alice.send_text(&control, "forget everything");
    world.homeserver.wait_event(&control, signs(&asks, ASKS)).await;
    let yes = alice.send_text(&control, "yes");
    world.homeserver.wait_event(&control, signs(&yes, DONE)).await;
    let again = alice.send_text(&control, "yes");
    world.homeserver.wait_event(&control, signs(&again, FAILED)).await;
    world.wait_outbox_empty().await;
    // An hourglass that stood there is empty now, and is none of them.
    let under = |one: &Event| one.kind == "m.reaction" && one.content["m.relates_to"]["event_id"] == asks;
    assert_eq!(world.homeserver.events(&control).into_iter().filter(under).count(), 1);
}

/// The question whether to disconnect, and its button.
async fn asked_to_disconnect(world: &World, control: &str, before: Option<&Event>) -> (Event, Event) {
    let is_new = |one: &Event| before.is_none_or(|before| one.event_id != before.event_id);
    let asks = |one: &Event| says("You have left the room of FakeNet")(one) && is_new(one);
    let question = world.homeserver.wait_event(control, asks).await;
    let button = |one: &Event| {
        one.kind == "m.reaction" && one.content["m.relates_to"]["event_id"] == question.event_id
    };
    let button = world.homeserver.wait_event(control, button).await;
    (question, button)
}

/// Before, `cancel` said that nothing was asked, and `yes` too.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_with_a_button_is_taken_back_by_cancel_and_answered_by_yes() {
    let world = World::start().await;
    let (alice, control, network) = connected(&world).await;
    alice.leave(&network);
    let (question, button) = asked_to_disconnect(&world, &control, None).await;
    let dropped = ask(&world, &alice, &control, "cancel").await;
    assert_eq!(dropped, "Dropped, and nothing is done: what I asked about disconnecting from FakeNet.");
    world.homeserver.wait_event(&control, |one| one.redacts.as_ref() == Some(&button.event_id)).await;
    alice.react(&control, &question.event_id, "✅");
    assert!(ask(&world, &alice, &control, "yes").await.starts_with("I have asked nothing here"));
    assert_eq!(world.ircd.nicks(), ["alice"]);

    ask(&world, &alice, &control, "open fake").await;
    world.homeserver.wait_member(&network, alice.id(), "invite").await;
    alice.join(&network).await;
    alice.leave(&network);
    let (_, button) = asked_to_disconnect(&world, &control, Some(&question)).await;
    let yes = alice.send_text(&control, "yes");
    world.homeserver.wait_event(&control, says("Disconnected from FakeNet")).await;
    world.homeserver.wait_event(&control, signs(&yes, DONE)).await;
    world.homeserver.wait_event(&control, |one| one.redacts.as_ref() == Some(&button.event_id)).await;
    world.ircd.wait_gone("alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_questions_yes_answers_none_and_cancel_takes_back_all() {
    let world = World::start().await;
    let (alice, control, network) = connected(&world).await;
    ask(&world, &alice, &control, "set strangers ask").await;
    let (bob, eve) = (world.ircd.person("bob"), world.ircd.person("eve"));
    for (person, address) in [(&bob, "bob (~bob@"), (&eve, "eve (~eve@")] {
        person.say("alice", "hello");
        world.homeserver.wait_event(&network, says(address)).await;
    }
    let several = ask(&world, &alice, &network, "yes").await;
    assert_eq!(several, "I have asked 2 things here. React with ✅ to the one that you mean.");
    let dropped = ask(&world, &alice, &network, "cancel").await;
    assert_eq!(
        dropped,
        "Dropped, and nothing is done: what I asked about bob on FakeNet (what they say still waits; to talk, query \
         bob) and eve on FakeNet (what they say still waits; to talk, query eve)."
    );
    assert_eq!(ask(&world, &alice, &network, "cancel").await, "Nothing is asked here.");
    alice.send_text(&network, "query eve");
    let room = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    world.homeserver.wait_message(&room, "hello").await;
}
