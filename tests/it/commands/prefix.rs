//! What is a command in the room of a channel or a conversation, and what goes to IRC.

use rstest::rstest;

use super::says;
use crate::support::bridge::World;
use crate::support::homeserver::TestUser;
use crate::support::ircd::Person;

const VERSION: &str = "This is Towline ";

async fn in_channel(world: &World) -> (TestUser, Person, String) {
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    (alice, bob, room)
}

#[rstest]
#[case::prefix("!irc version")]
#[case::capitals("!IRC Version")]
#[case::name_and_colon("towline: version")]
#[case::name_and_comma("Towline, version")]
#[case::id("@towline:test.local: version")]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_to_the_bot_is_a_command(#[case] typed: &str) {
    let world = World::start().await;
    let (alice, bob, room) = in_channel(&world).await;
    alice.send_text(&room, typed);
    world.homeserver.wait_event(&room, says(VERSION)).await;
    alice.send_text(&room, "the end");
    bob.wait_text("the end").await;
    assert_eq!(bob.messages("#rust").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bots_pill_makes_a_command() {
    let world = World::start().await;
    let (alice, _bob, room) = in_channel(&world).await;
    let pill = format!("<a href=\"https://matrix.to/#/{}\">Towline</a> version", world.homeserver.bot());
    alice.send_html(&room, "Towline version", &pill);
    world.homeserver.wait_event(&room, says(VERSION)).await;
}

#[rstest]
#[case::about_the_bot("towline is nice", "towline is nice")]
#[case::escaped("!!irc version", "!irc version")]
#[case::no_word("!ircversion", "!ircversion")]
#[case::excited("!!!", "!!!")]
#[tokio::test(flavor = "multi_thread")]
async fn everything_else_goes_to_irc(#[case] typed: &str, #[case] heard: &str) {
    let world = World::start().await;
    let (alice, bob, room) = in_channel(&world).await;
    alice.send_text(&room, typed);
    bob.wait_text(heard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_prefix_is_a_setting_of_the_room_the_network_or_the_user() {
    let world = World::start().await;
    let (alice, bob, room) = in_channel(&world).await;
    alice.send_text(&room, "!irc set command-prefix .");
    world.homeserver.wait_message(&room, "command-prefix . for #rust.").await;
    alice.send_text(&room, ".version");
    world.homeserver.wait_event(&room, says(VERSION)).await;
    alice.send_text(&room, "..version");
    bob.wait_text(".version").await;
    alice.send_text(&room, "...");
    bob.wait_text("...").await;
    // What answers tell to type can be typed.
    alice.send_text(&room, "!irc unset command-prefix");
    world.homeserver.wait_event(&room, says("command-prefix !irc (built in)")).await;
    alice.send_text(&room, ".version");
    bob.wait_text(".version").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_called_as_the_bot_is_can_be_spoken_to() {
    let world = World::start().await;
    let (alice, bob, room) = in_channel(&world).await;
    let namesake = world.ircd.person("towline");
    namesake.join("#rust");
    namesake.say("#rust", "hi");
    world.homeserver.wait_message(&room, "hi").await;
    alice.send_text(&room, "towline: version");
    bob.wait_text("towline: version").await;
}

#[rstest]
#[case::prefix("!irc version")]
#[case::name("Towline: version")]
#[tokio::test(flavor = "multi_thread")]
async fn where_all_is_a_command_a_prefix_does_no_harm(#[case] typed: &str) {
    let world = World::start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    alice.send_text(&control, typed);
    world.homeserver.wait_event(&control, says(VERSION)).await;
}
