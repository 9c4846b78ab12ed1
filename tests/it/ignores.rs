//! Whom a user does not want to hear, and which words call them.

use crate::support::bridge::World;
use crate::support::homeserver::TestUser;

async fn type_in(world: &World, user: &TestUser, room: &str, typed: &str, answer: &str) {
    user.send_text(room, typed);
    world.homeserver.wait_event(room, |event| event.body().starts_with(answer)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_ignored_is_neither_shown_nor_kept_also_after_a_restart_and_is_heard_again_after_unignore() {
    let mut world = World::start().await;
    let (bob, carol) = (world.ircd.person("bob"), world.ircd.person("carol"));
    bob.join("#rust");
    carol.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    bob.say("#rust", "before");
    let before = world.homeserver.wait_message(&room, "before").await;
    type_in(&world, &alice, &network, "ignore", "You ignore nobody on fake.").await;
    // By their Matrix user, too.
    let typed = format!("!irc ignore {}", before.sender);
    type_in(&world, &alice, &room, &typed, "bob!*@* is ignored on fake").await;
    bob.say("#rust", "alice: unheard");
    bob.say("alice", "unheard, too");
    carol.say("#rust", "hello");
    world.homeserver.wait_message(&room, "hello").await;
    world.stop_bridge().await;
    world.ircd.wait_gone("alice").await;
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "alice: unheard again");
    carol.say("#rust", "hello again");
    world.homeserver.wait_message(&room, "hello again").await;
    type_in(&world, &alice, &network, "ignores", "You ignore on fake:\nbob!*@*").await;
    type_in(&world, &alice, &network, "unignore BOB", "BOB!*@* is not ignored on fake any more.").await;
    bob.say("#rust", "after");
    world.homeserver.wait_message(&room, "after").await;
    let lines = world.homeserver.timeline_lines(&room).join("\n");
    assert!(!lines.contains("unheard"), "{lines}");
    type_in(&world, &alice, &network, "search unheard", "Nothing").await;
    assert!(world.homeserver.rooms_named("bob").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_question_about_ignoring_has_an_answer() {
    let world = World::start().await;
    let (alice, _, network) = world.connected_user("alice").await;
    for (typed, answer) in [
        ("ignore *!*@*", "*!*@* can't be ignored: that would be everybody."),
        ("ignore a b", "a b can't be ignored: it is no nick, no mask"),
        ("ignore ALICE", "That is you."),
        ("ignore @bob:elsewhere.test", "@bob:elsewhere.test is nobody on fake."),
        (
            "ignore account:bobby",
            "account:bobby is ignored on fake: what they say is neither shown nor kept. It holds",
        ),
        ("ignore *!*@*.example.org", "*!*@*.example.org is ignored on fake"),
        ("ignores", "You ignore on fake:\naccount:bobby\n*!*@*.example.org"),
        ("unignore carol", "You don't ignore carol!*@*."),
        ("unignore", "Type it like this: unignore"),
        ("unignore account:BOBBY", "account:BOBBY is not ignored"),
    ] {
        type_in(&world, &alice, &network, typed, answer).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_calls_the_user_on_its_network_or_everywhere_and_over_a_restart() {
    let mut world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    let calls = async |world: &World, text: &str| {
        bob.say("#rust", text);
        let shown = world.homeserver.wait_message(&room, text).await;
        let users = shown.content["m.mentions"]["user_ids"].as_array().cloned().unwrap_or_default();
        users.iter().any(|user| user == alice.id())
    };
    assert!(!calls(&world, "who knows tokio").await);
    type_in(&world, &alice, &network, "highlight", "On fake nothing but your nick calls you.").await;
    type_in(
        &world,
        &alice,
        &network,
        "highlight Tokio c++",
        "On fake these words call you, besides your nick: tokio, c++.",
    )
    .await;
    type_in(&world, &alice, &control, "highlight ferris", "On all networks these words call you").await;
    assert!(calls(&world, "anybody in TOKIO?").await);
    assert!(calls(&world, "I saw Ferris!").await);
    assert!(!calls(&world, "the tokiometer").await);
    world.stop_bridge().await;
    world.ircd.wait_gone("alice").await;
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    assert!(calls(&world, "c++ it is").await);
    type_in(
        &world,
        &alice,
        &network,
        "unhighlight tokio",
        "On fake these words call you, besides your nick: c++.",
    )
    .await;
    assert!(!calls(&world, "tokio once more").await);
    type_in(&world, &alice, &network, "unhighlight ferris", "ferris is none of your words there.").await;
    type_in(&world, &alice, &network, "unhighlight", "Type it like this: unhighlight").await;
}
