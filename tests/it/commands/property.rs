//! Whatever is typed, wherever: it is answered, and the bridge lives on.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rstest::rstest;
use tokio::runtime::Handle;

use super::connected_as;
use super::signs::signs_off;
use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};

/// Messages that are typed, by each.
const CASES: u32 = 150;
/// What ends the connection, or all of them, makes the rest of the test one about that.
const ENDS: [&str; 6] = ["disconnect", "close", "raw", "open", "detach", "drain"];

/// The names of those commands, and all other words for them.
fn names(is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let commands: serde_json::Value =
        serde_json::from_str(include_str!("../../../docs/commands.json")).unwrap();
    let commands = commands["commands"].as_array().unwrap().iter();
    let wanted = commands.filter(|command| is_wanted(command["name"].as_str().unwrap()));
    let words = wanted
        .flat_map(|command| std::iter::once(&command["name"]).chain(command["aliases"].as_array().unwrap()));
    words.map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// A message of commands that there are, or nearly are, with something behind them.
fn messages(names: Vec<String>) -> impl Strategy<Value = String> {
    assert!(!names.is_empty());
    let name = prop_oneof![
        6 => prop::sample::select(names),
        1 => "[a-z?]{1,8}",
        1 => "\\PC{0,6}",
    ];
    let word = prop_oneof![
        Just("#tea".to_owned()),
        Just("bob".to_owned()),
        Just("fake".to_owned()),
        Just("confirm".to_owned()),
        Just("off".to_owned()),
        Just("-----BEGIN X-----".to_owned()),
        Just("@carol:test.local".to_owned()),
        Just("none".to_owned()),
        "[-+#&!*@:,]{1,3}[a-z0-9]{0,4}",
        "[0-9]{1,20}[dhw]?",
        "\\PC{1,12}",
        any::<char>().prop_map(|character| character.to_string()),
    ];
    let line = (prop::option::of("[/! ]{1,2}"), name, prop::collection::vec(word, 0..5)).prop_map(
        |(before, name, words)| format!("{}{name} {}", before.unwrap_or_default(), words.join(" ")),
    );
    prop::collection::vec(line, 1..3).prop_map(|lines| lines.join("\n"))
}

/// Types something, and waits for what says that it has its answer.
async fn type_and_wait(world: &World, user: &TestUser, room: &str, text: &str) -> bool {
    let event = user.send_text(room, text);
    let ends = signs_off(&event);
    let mut seen = false;
    // A message with a password goes, and its answer comes behind it.
    let answered = std::cell::RefCell::new(|one: &Event| {
        seen |= one.redacts.as_ref() == Some(&event);
        ends(one) || seen && one.content["msgtype"] == "m.notice"
    });
    world.homeserver.wait_event(room, |one| (answered.borrow_mut())(one)).await;
    let events = world.homeserver.events(room);
    let mut behind = events.iter().skip_while(|one| one.event_id != event).skip(1);
    behind.any(|one| one.kind == "m.room.message" && !one.body().is_empty() && one.sender != user.id())
}

#[rstest]
#[case::of_somebody("alice")]
#[case::of_an_administrator("admin")]
#[tokio::test(flavor = "multi_thread")]
async fn no_message_in_any_kind_of_room_is_left_without_an_answer(#[case] name: &str) {
    let world = World::builder().config("presets: false\n").start().await;
    let bob = world.ircd.person("bob");
    bob.join("#tea");
    let (alice, control, network) = connected_as(&world, name).await;
    alice.send_text(&network, "join #tea");
    let channel = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    world.ircd.wait_joined("#tea", name).await;
    bob.say(name, "hi");
    let query = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    let rooms = [(control, ""), (network, ""), (channel, "!irc "), (query, "!irc ")];
    let is_half = |command: &str| name != "admin" || towline::commands::is_for_administrators(command);
    type_all(&world, &alice, &rooms, names(|command| !ENDS.contains(&command) && is_half(command)));
}

/// In the chat with the bot, which is there whatever else goes.
#[tokio::test(flavor = "multi_thread")]
async fn no_message_that_ends_a_connection_is_left_without_an_answer() {
    let world = World::builder().config("presets: false\n").start().await;
    let (admin, control, _) = connected_as(&world, "admin").await;
    type_all(&world, &admin, &[(control, "")], names(|command| ENDS.contains(&command)));
}

/// Types messages of these commands in the rooms, until one is not answered.
fn type_all(world: &World, user: &TestUser, rooms: &[(String, &str)], names: Vec<String>) {
    let handle = Handle::current();
    let mut runner = TestRunner::new(Config {
        cases: CASES,
        max_shrink_iters: 40,
        failure_persistence: None,
        ..Config::default()
    });
    let typed = (messages(names), 0..rooms.len());
    let result = tokio::task::block_in_place(|| {
        runner.run(&typed, |(text, room)| {
            let (room, prefix) = &rooms[room];
            let is_answered = handle.block_on(type_and_wait(world, user, room, &format!("{prefix}{text}")));
            prop_assert!(is_answered, "{text:?} in {room}");
            Ok(())
        })
    });
    result.unwrap();
    // And all goes on.
    let goes_on =
        tokio::task::block_in_place(|| handle.block_on(type_and_wait(world, user, &rooms[0].0, "status")));
    assert!(goes_on);
}
