//! Every example of the help does what it shows.

use futures_util::StreamExt as _;

use super::connected_as;
use super::signs::{FAILED, signs_off};
use crate::support::bridge::World;
use crate::support::homeserver::Event;

/// Worlds at a time.
const TOGETHER: usize = 4;

/// Examples of what is not so here, which are answered with that: nobody has asked anything, has written to the bot or is
/// relayed, the server has neither quiets nor knocking, and bob's program answers nothing.
const WANTING: &[&str] = &[
    "yes",
    "network add irc.example.org",
    "network server add example irc2.example.org:6697",
    "!irc ban spammer",
    "!irc ban bob account",
    "!irc unban bob",
    "!irc quiet bob",
    "!irc quiet bob 30m",
    "!irc unquiet bob",
    "!irc quiets",
    "plumb !AbCdEf:example.org #tea",
    "unplumb #tea",
    "mute #tea",
    "!irc mute",
    "!irc unmute",
    "knock #closed may I come in?",
    "whowas bob",
    "unignore spammer",
    "unhighlight rust",
    "ctcp bob version",
    "ping bob",
    "unpermit example.org",
    "erase @carol:example.org",
    "session @carol:example.org libera disconnect maintenance",
    "ident @carol:example.org carol2",
    "relay #tea",
    "relay #tea off",
    "listen off",
];

/// Types an example where it belongs, and gives what was answered and whether it was done.
async fn typed(name: &str, example: &str) -> (String, bool) {
    let world = World::builder().network("libera", "Libera.Chat").start().await;
    let (bob, _carol) = (world.ircd.person("bob"), world.ircd.person("carol"));
    let _services = (world.ircd.person("NickServ"), world.ircd.person("ChanServ"));
    bob.join("#tea");
    let nick = if towline::commands::is_for_administrators(name) { "admin" } else { "alice" };
    let (alice, control, network) = connected_as(&world, nick).await;
    alice.send_text(&network, "join #tea");
    let room = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    world.ircd.wait_joined("#tea", nick).await;
    world.ircd.give("#tea", nick, 'o');
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
    let end = world.homeserver.wait_event(place, ends).await;
    let is_done = end.content["m.relates_to"]["key"] != FAILED;
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
    (said.join("\n"), is_done)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_typed_as_its_command_is() {
    let examples: Vec<(&str, &str)> = towline::commands::examples().collect();
    assert!(examples.len() > 30);
    assert!(WANTING.iter().all(|wanting| examples.iter().any(|(_, example)| example == wanting)));
    let all = futures_util::stream::iter(examples)
        .map(async |(name, example)| (example, typed(name, example).await));
    let answers: Vec<(&str, (String, bool))> = all.buffer_unordered(TOGETHER).collect().await;
    for (example, (answer, is_done)) in answers {
        assert_eq!(is_done, !WANTING.contains(&example), "{example}: {answer}");
        let is_refused =
            ["Type it like this", "There is no command", "There is no setting", "not here. Type"];
        assert!(!answer.is_empty(), "{example} is not answered");
        assert!(!is_refused.iter().any(|words| answer.contains(words)), "{example}: {answer}");
    }
}
