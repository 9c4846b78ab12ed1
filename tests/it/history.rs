//! History: what is kept of a conversation, and what a person finds in it.

mod cli;
mod commands;
mod rooms;

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};

/// What is kept of a buffer, oldest first.
async fn kept(world: &World) -> Vec<String> {
    let rows = "SELECT buffer.name || ' ' || kind_ || ' ' || sender || COALESCE(' ' || target, '') || ': ' || text
        FROM (SELECT buffer AS number, id AS line, history.kind AS kind_, sender, target, text FROM history) AS h
        JOIN buffer ON buffer.id = h.number ORDER BY buffer.name, line";
    world.database().texts(rows).await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_happens_in_a_channel_is_kept_in_its_order() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let carol = world.ircd.person("carol");
    carol.join("#rust");
    carol.say("#rust", "one");
    bob.topic("#rust", "all about Rust");
    bob.mode("#rust", "+v carol");
    carol.nick("caroline");
    bob.kick("#rust", "caroline", "out");
    carol.join("#rust");
    carol.notice("#rust", "two");
    carol.part("#rust", "for lunch");
    carol.join("#rust");
    carol.action("#rust", "is back");
    carol.quit("Ping timeout");
    bob.say("#rust", "the end");
    world.homeserver.wait_message(&room, "the end").await;
    alice.send_text(&room, "and me");
    bob.wait_text("and me").await;
    let lines = kept(&world).await;
    let wanted = [
        "#rust join alice: ~alice@127.0.0.1",
        "#rust join carol: ~carol@people.fake",
        "#rust message carol: one",
        "#rust topic bob: all about Rust",
        "#rust mode bob: +v carol",
        "#rust nick carol caroline: ",
        "#rust kick bob caroline: out",
        "#rust join caroline: ~carol@people.fake",
        "#rust notice caroline: two",
        "#rust part caroline: for lunch",
        "#rust join caroline: ~carol@people.fake",
        "#rust action caroline: is back",
        "#rust quit caroline: Quit: Ping timeout",
        "#rust message bob: the end",
        "#rust message alice: and me",
    ];
    assert_eq!(lines, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_quits_is_missed_in_each_channel_and_nothing_is_kept_of_services_or_of_nobody() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    for channel in ["#a", "#b", "#c"] {
        bob.join(channel);
    }
    let (alice, control, _) = world.user_in_channel("alice", "#a").await;
    alice.send_text(&control, "join #b");
    world.ircd.wait_joined("#b", "alice").await;
    let b = world.homeserver.wait_room_named("#b (FakeNet)").await;
    alice.join(&b).await;
    // A conversation, of which only the change of nick is kept besides talk.
    bob.say("alice", "psst");
    let query = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&query).await;
    bob.nick("robert");
    alice.send_text(&control, "query NickServ");
    let services = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&services).await;
    let nickserv = world.ircd.person("NickServ");
    nickserv.notice("alice", "You are secret");
    world.homeserver.wait_message(&services, "You are secret").await;
    nickserv.nick("NickServ2");
    bob.quit("bye");
    let dave = world.ircd.person("dave");
    dave.join("#b");
    dave.say("#b", "the end");
    world.homeserver.wait_message(&b, "the end").await;
    let mut lines = kept(&world).await;
    lines.retain(|line| !line.contains(" join "));
    let wanted = [
        "#a nick bob robert: ",
        "#a quit robert: Quit: bye",
        "#b nick bob robert: ",
        "#b quit robert: Quit: bye",
        "#b message dave: the end",
        "robert message bob: psst",
        "robert nick bob robert: ",
    ];
    assert_eq!(lines, wanted);
}

/// Types something and gives the answer to it: the first notice behind it in the room.
async fn answer(world: &World, user: &TestUser, room: &str, text: &str) -> Event {
    let event = user.send_text(room, text);
    let mut seen = false;
    let is_answer = std::cell::RefCell::new(|one: &Event| {
        seen |= one.event_id == event;
        seen && one.content["msgtype"] == "m.notice"
    });
    world.homeserver.wait_event(room, |one| (is_answer.borrow_mut())(one)).await
}

fn formatted(event: &Event) -> &str {
    event.content["formatted_body"].as_str().unwrap_or_default()
}
