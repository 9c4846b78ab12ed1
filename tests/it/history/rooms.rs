//! Commands in the rooms of channels and conversations: what is one, who answers, and that IRC never hears of it.

use super::answer;
use crate::support::bridge::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_command_in_a_channels_room_is_answered_there_and_never_goes_to_irc() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    for (text, heard) in [
        ("!irc", "!irc"),
        ("!ircfoo bar", "!ircfoo bar"),
        ("!!irc help", "!irc help"),
        ("say !irc help", "say !irc help"),
    ] {
        alice.send_text(&room, text);
        bob.wait_text(heard).await;
    }
    for command in ["!irc status", "!IRC  frobnicate", "!irc ", "!irc nick\n!irc help sasl"] {
        let answer = answer(&world, &alice, &room, command).await;
        assert_eq!(answer.sender, world.homeserver.bot(), "{command}");
        assert_eq!(answer.content["msgtype"], "m.notice");
    }
    let said = answer(&world, &alice, &room, "!irc help join").await;
    assert!(said.body().starts_with("!irc join #CHANNEL [KEY]"), "{}", said.body());
    // An edit that makes a command of a message is none, and no line either.
    let event = alice.send_text(&room, "words");
    bob.wait_text("words").await;
    alice.edit(&room, &event, "!irc status");
    let last = alice.send_text(&room, "the end");
    bob.wait_text("the end").await;
    let heard: Vec<String> = bob.messages("#rust").into_iter().map(|(_, text)| text).collect();
    assert_eq!(heard, ["!irc", "!ircfoo bar", "!irc help", "say !irc help", "words", "the end"]);
    // Nothing of it keeps the receipt back.
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &last).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_conversation_the_other_ones_ghost_answers_and_a_password_is_removed() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    let (alice, _, _) = world.connected_user("alice").await;
    bob.say("alice", "hello");
    let query = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&query).await;
    world.homeserver.wait_message(&query, "hello").await;
    let said = answer(&world, &alice, &query, "!irc history").await;
    assert_eq!(said.sender, "@irc_fake_bob:test.local");
    assert!(said.body().ends_with(" bob: hello"), "{}", said.body());
    let event = alice.send_text(&query, "!irc sasl alice hunter2");
    let redaction = world.homeserver.wait_event(&query, |one| one.redacts.as_ref() == Some(&event)).await;
    assert_eq!(redaction.sender, "@irc_fake_bob:test.local");
    alice.send_text(&query, "bye");
    bob.wait_text("bye").await;
    assert_eq!(bob.messages("bob").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_answered_without_a_connection_and_before_what_waits() {
    let world = World::start().await;
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    alice.send_text(&control, "disconnect");
    world.ircd.wait_gone("alice").await;
    world.homeserver.wait_event(&control, |event| event.body().contains("Disconnected")).await;
    alice.send_text(&room, "this waits");
    world.homeserver.wait_event(&room, |event| event.body().contains("waits: there is no connection")).await;
    let said = answer(&world, &alice, &room, "!irc status").await;
    assert!(said.body().contains("not connected; to change that, type !irc connect"), "{}", said.body());
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    answer(&world, &alice, &room, "!irc connect").await;
    bob.wait_text("this waits").await;
}

/// What is told to be typed there, without the prefix, would be said on IRC.
#[rstest::rstest]
#[case::forget("forget", "To do it, type !irc yes; to leave it, !irc cancel.")]
#[case::forget_with_a_name("forget #rust", "To do it, type !irc yes; to leave it, !irc cancel.")]
#[case::usage("join", "Type it like this: !irc join #CHANNEL [KEY]")]
#[case::usage_of_search("search", "Type it like this: !irc search [in WHERE]")]
#[case::no_time("search since yesterday tea", "write: !irc search -- since yesterday tea")]
#[case::no_place("search in #tea cup", "write: !irc search -- in #tea cup")]
#[case::how_long("history keep long", "Type it like this: !irc history keep #channel 30d")]
#[case::unknown("frobnicate", "Type !irc help to see all.")]
#[case::nearest("histroy", "Did you mean !irc history [#CHANNEL")]
#[case::nothing("", "Type !irc help to see all.")]
#[case::login("sasl", "To do so, type !irc sasl ACCOUNT PASSWORD.")]
#[case::disconnected("disconnect", "To come back, type !irc connect.")]
#[tokio::test(flavor = "multi_thread")]
async fn what_an_answer_in_a_channels_room_tells_to_type_can_be_typed_there(
    #[case] command: &str,
    #[case] told: &str,
) {
    let world = World::start().await;
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let said = answer(&world, &alice, &room, &format!("!irc {command}")).await;
    assert!(said.body().contains(told), "{}", said.body());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_connection_the_command_that_makes_one_can_be_typed_in_the_channels_room() {
    let world = World::start().await;
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    answer(&world, &alice, &room, "!irc disconnect").await;
    for command in ["status", "msg bob hi", "raw MOTD"] {
        let said = answer(&world, &alice, &room, &format!("!irc {command}")).await;
        assert!(said.body().to_lowercase().contains("type !irc connect"), "{}", said.body());
    }
}
