//! Every example of the help does what it shows.

use futures_util::StreamExt as _;

use super::connected_as;
use super::signs::signs_off;
use crate::support::bridge::World;
use crate::support::homeserver::Event;

/// Worlds at a time.
const TOGETHER: usize = 4;

/// Types an example where it belongs, and gives what was answered.
async fn typed(name: &str, example: &str) -> String {
    let world = World::builder().network("libera", "Libera.Chat").start().await;
    let (bob, _services) = (world.ircd.person("bob"), world.ircd.person("NickServ"));
    bob.join("#tea");
    let nick = if towline::commands::is_for_administrators(name) { "admin" } else { "alice" };
    let (alice, control, network) = connected_as(&world, nick).await;
    alice.send_text(&network, "join #tea");
    let room = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    world.ircd.wait_joined("#tea", nick).await;
    if example.contains("libera") && !example.starts_with("open") {
        alice.send_text(&control, "open libera");
        world
            .homeserver
            .wait_event(&control, |event| event.body().starts_with("Connecting to Libera.Chat"))
            .await;
    }
    let place = if example.starts_with("!irc ") {
        &room
    } else if example.starts_with("open") || example.contains("libera") {
        &control
    } else {
        &network
    };
    let event = alice.send_text(place, example);
    let ends = |one: &Event| signs_off(&event)(one) || one.redacts.as_ref() == Some(&event);
    world.homeserver.wait_event(place, ends).await;
    // Where the message held a password, that it goes comes first.
    let mut is_behind = false;
    let answers = std::cell::RefCell::new(|one: &Event| {
        is_behind |= one.event_id == event;
        is_behind && one.content["msgtype"] == "m.notice"
    });
    world.homeserver.wait_event(place, |one| (answers.borrow_mut())(one)).await;
    let events = world.homeserver.events(place);
    let behind = events.iter().skip_while(|one| one.event_id != event).skip(1);
    let said: Vec<&str> = behind.filter(|one| one.kind == "m.room.message").map(Event::body).collect();
    said.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_typed_as_its_command_is() {
    let examples: Vec<(&str, &str)> = towline::commands::examples().collect();
    assert!(examples.len() > 30);
    let all = futures_util::stream::iter(examples)
        .map(async |(name, example)| (example, typed(name, example).await));
    let answers: Vec<(&str, String)> = all.buffer_unordered(TOGETHER).collect().await;
    for (example, answer) in answers {
        let is_refused =
            ["Type it like this", "There is no command", "There is no setting", "not here. Type"];
        assert!(!answer.is_empty(), "{example} is not answered");
        assert!(!is_refused.iter().any(|words| answer.contains(words)), "{example}: {answer}");
    }
}
