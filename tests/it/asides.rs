//! Reactions and redactions on a network that has neither: nothing is said of them, unless the user wants a line.

use std::time::Duration;

use crate::support::bridge::World;
use crate::support::homeserver::TestUser;
use crate::support::ircd::{Options, Person};

/// Alice and Bob in `#rust`, and her control room.
async fn alice_and_bob() -> (World, TestUser, Person, [String; 2]) {
    let world = World::builder().ircd(Options::default().without(&["message-tags"])).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    (world, alice, bob, [control, room])
}

async fn say(world: &World, alice: &TestUser, room: &str, text: &str) -> String {
    let event = alice.send_text(room, text);
    world.homeserver.wait_receipt(room, &world.homeserver.bot(), &event).await;
    event
}

async fn set(world: &World, alice: &TestUser, control: &str, setting: &str) {
    alice.send_text(control, &format!("set {setting}"));
    world.homeserver.wait_message(control, &format!("{setting} for you, on all networks.")).await;
}

fn heard(bob: &Person) -> Vec<String> {
    let said = bob.messages("#rust").into_iter();
    said.filter(|(who, _)| who == "alice").map(|(_, text)| text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_of_reactions_and_redactions_unless_it_is_wanted() {
    let (world, alice, bob, [_, room]) = alice_and_bob().await;
    let event = say(&world, &alice, &room, "hello").await;
    alice.react(&room, &event, "👍");
    alice.redact(&room, &event).unwrap();
    say(&world, &alice, &room, "after").await;
    world.pass("alice", Duration::from_secs(6)).await;
    say(&world, &alice, &room, "later").await;
    assert_eq!(heard(&bob), ["hello", "after", "later"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn reactions_that_come_together_are_one_line() {
    let (world, alice, bob, [control, room]) = alice_and_bob().await;
    set(&world, &alice, &control, "reactions line").await;
    bob.say("#rust", "shall we meet?");
    let event = world.homeserver.wait_message(&room, "shall we meet?").await;
    world.wait_outbox_empty().await;
    for key in ["👍", "🎉"] {
        alice.react(&room, &event.event_id, key);
    }
    let withdrawn = alice.react(&room, &event.event_id, "👎");
    alice.redact(&room, &withdrawn).unwrap();
    say(&world, &alice, &room, "in between").await;
    world.pass("alice", Duration::from_secs(6)).await;
    bob.wait_text("\u{1}ACTION reacted with 👍 🎉 to bob: \"shall we meet?\"\u{1}").await;
    assert_eq!(heard(&bob).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_to_what_only_operators_heard_is_not_told_to_all() {
    let (world, alice, bob, [control, room]) = alice_and_bob().await;
    set(&world, &alice, &control, "reactions line").await;
    bob.mode("#rust", "+o alice");
    bob.say("@#rust", "psst");
    let secret = world.homeserver.wait_message(&room, "[to @] psst").await;
    bob.say("#rust", "hello all");
    let open = world.homeserver.wait_message(&room, "hello all").await;
    world.wait_outbox_empty().await;
    alice.react(&room, &secret.event_id, "👍");
    alice.react(&room, &open.event_id, "🎉");
    say(&world, &alice, &room, "in between").await;
    world.pass("alice", Duration::from_secs(6)).await;
    bob.wait_text("\u{1}ACTION reacted with 🎉 to bob: \"hello all\"\u{1}").await;
    assert_eq!(heard(&bob).len(), 2, "{:?}", heard(&bob));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_says_that_a_message_was_taken_back_and_not_which_words() {
    let (world, alice, bob, [control, room]) = alice_and_bob().await;
    set(&world, &alice, &control, "redactions line").await;
    let first = say(&world, &alice, &room, "a secret").await;
    let second = say(&world, &alice, &room, "another").await;
    alice.redact(&room, &first).unwrap();
    bob.wait_text("\u{1}ACTION takes an earlier message back\u{1}").await;
    alice.redact(&room, &second).unwrap();
    bob.wait_text("\u{1}ACTION takes the last message back\u{1}").await;
    // Nothing was said that could be taken back.
    world.lose_connection().await;
    let unsent = alice.send_text(&room, "never mind");
    world.homeserver.wait_event(&room, |event| event.body().contains("waits")).await;
    alice.redact(&room, &unsent).unwrap();
    world.homeserver.wait_delivered().await;
    world.ircd.welcome().await;
    world.ircd.wait_registered("alice").await;
    say(&world, &alice, &room, "after").await;
    assert_eq!(heard(&bob).len(), 5);
}
