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

/// A message of commands that there are, or nearly are, with something behind them.
fn messages(is_admin: bool) -> impl Strategy<Value = String> {
    let is_half = |name: &str| !is_admin || towline::commands::is_for_administrators(name);
    let names: Vec<&str> = towline::commands::examples()
        .map(|(name, _)| name)
        .filter(|name| !ENDS.contains(name) && is_half(name))
        .collect();
    let name = prop_oneof![
        6 => prop::sample::select(names).prop_map(str::to_owned),
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
    behind.any(|one| one.kind == "m.room.message" && !one.body().is_empty())
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
    let handle = Handle::current();
    let mut runner = TestRunner::new(Config {
        cases: CASES,
        max_shrink_iters: 40,
        failure_persistence: None,
        ..Config::default()
    });
    let typed = (messages(name == "admin"), 0..rooms.len());
    let result = tokio::task::block_in_place(|| {
        runner.run(&typed, |(text, room)| {
            let (room, prefix) = &rooms[room];
            let is_answered =
                handle.block_on(type_and_wait(&world, &alice, room, &format!("{prefix}{text}")));
            prop_assert!(is_answered, "{text:?} in {room}");
            Ok(())
        })
    });
    result.unwrap();
    // And all goes on.
    assert!(type_and_wait(&world, &alice, &rooms[0].0, "status").await);
}
