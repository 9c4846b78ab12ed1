//! `close`: out of a network and its rooms, with what was said kept.

use std::time::Duration;

use serde_json::json;

use super::{ask, says};
use crate::support::bridge::World;
use crate::support::homeserver::{Event, Fault, LIMIT};

#[tokio::test(flavor = "multi_thread")]
async fn who_closes_a_network_is_out_of_it_until_they_open_it_again_and_keeps_what_was_said() {
    let mut world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    bob.say("#rust", "remember this");
    world.homeserver.wait_message(&room, "remember this").await;
    bob.say("alice", "and that");
    let query = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    world.homeserver.wait_message(&query, "and that").await;
    world.homeserver.wait_event(&control, says("Joining #rust")).await;

    let asked = ask(&world, &alice, &control, "close").await;
    assert!(
        asked.starts_with("This disconnects you from FakeNet and takes you out of its rooms."),
        "{asked}"
    );
    let closed = ask(&world, &alice, &control, "yes").await;
    assert!(closed.starts_with("Closed: you are no longer on FakeNet, nor in its 3 rooms."), "{closed}");
    world.ircd.wait_gone("alice").await;
    for left in [&room, &query, &network] {
        assert!(
            world
                .homeserver
                .members(left, "join")
                .iter()
                .all(|user| user != alice.id() && *user != world.homeserver.bot())
        );
    }
    assert!(ask(&world, &alice, &control, "status").await.starts_with("You are on no network yet"));
    bob.say("alice", "into the void");

    world.stop_bridge().await;
    world.start_bridge().await;
    assert!(ask(&world, &alice, &control, "status").await.starts_with("You are on no network yet"));
    assert!(ask(&world, &alice, &control, "history #rust").await.contains("remember this"));

    ask(&world, &alice, &control, "open fake").await;
    let again = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    assert_ne!(again, network);
    world.ircd.wait_registered("alice").await;
    ask(&world, &alice, &control, "join #rust").await;
    let room_again = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    assert_ne!(room_again, room);
    world.ircd.wait_joined("#rust", "alice").await;
    alice.send_text(&room_again, "back");
    bob.wait_text("back").await;
    bob.say("alice", "and here");
    let query_again = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    world.homeserver.wait_message(&query_again, "and here").await;
    assert_ne!(query_again, query);

    ask(&world, &alice, &control, "close fake confirm").await;
    let gone = ask(&world, &alice, &control, "forget fake confirm").await;
    assert!(gone.contains(" of FakeNet, in 2 conversations, and what you had set there."), "{gone}");
}

/// Before, what had been set there went along, and the question had not said so.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_closed_after_forget_has_asked_keeps_what_was_set_there() {
    let world = World::start().await;
    let (alice, control, _) = world.user_in_channel("alice", "#rust").await;
    let asked = ask(&world, &alice, &control, "forget fake").await;
    assert!(asked.starts_with("This deletes all that is kept of FakeNet, for good. "), "{asked}");
    let closed = ask(&world, &alice, &control, "close fake confirm").await;
    assert!(closed.starts_with("Closed: you are no longer on FakeNet"), "{closed}");
    let gone = ask(&world, &alice, &control, "yes").await;
    assert!(gone.starts_with("Forgotten: "), "{gone}");
    assert!(!gone.contains("had set"), "{gone}");
    let asked = ask(&world, &alice, &control, "forget fake").await;
    assert!(asked.contains(", and what you have set there, since you have closed it."), "{asked}");
    let gone = ask(&world, &alice, &control, "yes").await;
    assert!(gone.contains(", and what you had set there."), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_far_a_long_command_has_come_is_one_message_that_becomes_its_answer() {
    let world = World::start().await;
    let (alice, control, _) = world.user_in_channel("alice", "#rust").await;
    alice.send_text(&control, "join #tea");
    let tea = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&tea).await;
    world.homeserver.wait_event(&control, says("Joining #tea")).await;
    // The second room's takes its time, and so does the third's.
    world.homeserver.faults().fail_each(2, "POST", "/kick", Fault::RateLimited { retry_after_ms: 3_200 }, 2);
    alice.send_text(&control, "close fake confirm");
    let told = world.homeserver.wait_event(&control, says("Leaving the rooms of fake: 2 of 3.")).await;
    let is_answer = |one: &Event| {
        one.content["m.new_content"]["body"].as_str().is_some_and(|body| body.starts_with("Closed: "))
    };
    let answer = world.homeserver.wait_event(&control, is_answer).await;
    // On a slow machine the first room's is told as well, and this is an edit of that.
    let first = told.content["m.relates_to"]["event_id"].as_str().unwrap_or(&told.event_id);
    let replaces = json!({ "rel_type": "m.replace", "event_id": first });
    assert_eq!(answer.content["m.relates_to"], replaces);
    assert!(!world.homeserver.timeline_bodies(&control).iter().any(|body| body.starts_with("Closed: ")));
}

/// Before, the answer went into the room that it had ended, and nobody saw it.
#[tokio::test(flavor = "multi_thread")]
async fn closing_a_network_from_its_own_room_is_answered_in_the_control_room() {
    let world = World::start().await;
    let (alice, control, network) = world.connected_user("alice").await;
    alice.send_text(&network, "close confirm");
    world.homeserver.wait_event(&control, says("Closed: you are no longer on FakeNet")).await;
    world.homeserver.wait_member(&network, alice.id(), "leave").await;
}

/// Before, it was told in the room that was closed, where nobody saw it.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_behind_the_closing_of_a_network_is_told_in_the_control_room() {
    let mut world = World::start().await;
    let (alice, control, network) = world.connected_user("alice").await;
    alice.send_text(&network, "close confirm");
    world.homeserver.wait_event(&control, says("Closed: you are no longer on FakeNet")).await;
    world.wait_outbox_empty().await;
    world.stop_bridge().await;
    // As if the process had ended before the answer was stored.
    let under_way = if world.database().bytes().is_some() {
        r#"INSERT INTO setting (scope, scope_id, key, value) SELECT 'user', CAST("user".id AS TEXT), 'errand',
            CAST('{"room":' || room.id || ',"event_id":"$close","speaker":"@towline:test.local","hourglass":"none"}' AS BLOB)
            FROM room, "user" WHERE room.kind = 'network'"#
    } else {
        r#"INSERT INTO setting (scope, scope_id, key, value) SELECT 'user', CAST("user".id AS TEXT), 'errand',
            convert_to('{"room":' || room.id || ',"event_id":"$close","speaker":"@towline:test.local","hourglass":"none"}', 'UTF8')
            FROM room, "user" WHERE room.kind = 'network'"#
    };
    world.database().execute(under_way).await;
    world.start_bridge().await;
    world.homeserver.wait_event(&control, says("the room in which you typed that is closed")).await;
    world.wait_outbox_empty().await;
}

/// Before, the bridge did not start any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_under_way_in_a_room_that_is_forgotten_keeps_nobody_from_starting() {
    let mut world = World::start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    world.wait_outbox_empty().await;
    world.stop_bridge().await;
    let under_way = if world.database().bytes().is_some() {
        r#"INSERT INTO setting (scope, scope_id, key, value) SELECT 'user', CAST("user".id AS TEXT), 'errand',
            CAST('{"room":987654,"event_id":"$gone","speaker":"@towline:test.local","hourglass":"none"}' AS BLOB) FROM "user""#
    } else {
        r#"INSERT INTO setting (scope, scope_id, key, value) SELECT 'user', CAST("user".id AS TEXT), 'errand',
            convert_to('{"room":987654,"event_id":"$gone","speaker":"@towline:test.local","hourglass":"none"}', 'UTF8') FROM "user""#
    };
    world.database().execute(under_way).await;
    world.start_bridge().await;
    world.homeserver.wait_event(&control, says("the room in which you typed that is closed")).await;
    assert!(ask(&world, &alice, &control, "status").await.starts_with("You are on no network yet"));
}

/// Before, each room that the homeserver had not made yet came into being after the network was closed.
#[rstest::rstest]
#[case::refused_for_now(Fault::RateLimited { retry_after_ms: 1_500 }, Fault::RateLimited { retry_after_ms: 3_000 })]
#[case::made_without_an_answer(Fault::AnswerLost, Fault::RateLimited { retry_after_ms: 3_000 })]
#[case::under_way(Fault::Late(Duration::from_millis(1_500)), Fault::Late(Duration::from_secs(3)))]
#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_is_being_made_when_its_network_is_closed_is_not_there_afterwards(
    #[case] fault: Fault,
    #[case] later: Fault,
) {
    let world = World::start().await;
    let (alice, control, _) = world.connected_user("alice").await;
    // The lobby is there already.
    let (carol, carols, _) = world.user_in_channel("carol", "#coffee").await;
    world.homeserver.faults().fail("POST", "/createRoom", fault, 1);
    alice.send_text(&control, "join #rust");
    world.homeserver.wait_event(&control, says("Joining #rust")).await;
    wait_until(|| world.homeserver.faults().remaining() == 0).await;
    // Hers is asked for later, and is there later than the other would be.
    world.homeserver.faults().fail("POST", "/createRoom", later, 1);
    carol.send_text(&carols, "join #tea");
    alice.send_text(&control, "close fake confirm");
    world.homeserver.wait_event(&control, says("Closed: you are no longer on FakeNet")).await;
    let tea = world.homeserver.wait_invite(carol.id()).await;
    assert_eq!(world.homeserver.room_named("#tea (FakeNet)"), tea);
    wait_until(|| {
        let rooms = world.homeserver.rooms_named("#rust (FakeNet)");
        rooms.iter().all(|room| {
            let mut members = world.homeserver.members(room, "join");
            members.extend(world.homeserver.members(room, "invite"));
            members.is_empty()
        })
    })
    .await;
}

async fn wait_until(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, wait).await.expect("it becomes so");
}
