//! A mistake in the code, as a panic of one session.

use crate::support::bridge::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_fails_starts_anew_and_no_other_notices() {
    let mut world = World::start().await;
    world.stop_bridge().await;
    let process =
        world.start_process_with(&[("TOWLINE_LOG", "info"), ("TOWLINE_PANIC_AT", "the line that breaks it")]);
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    let (carol, control, _) = world.connected_user("carol").await;
    bob.say("alice", "the line that breaks it");
    world.ircd.wait_gone("alice").await;
    let is_told = |body: &str| body.contains("Something went wrong inside Towline");
    world.homeserver.wait_event(&network, |event| is_told(event.body())).await;
    // What is said meanwhile waits.
    alice.send_text(&room, "still here");
    bob.wait_text("still here").await;
    assert!(bob.messages("#rust").contains(&("alice".to_owned(), "still here".to_owned())));
    carol.send_text(&control, "msg fake bob hello");
    bob.wait_text("hello").await;
    // Alice, Carol, and Alice again.
    let greeted = world.ircd.lines_from("*");
    assert_eq!(greeted.iter().filter(|line| line.starts_with("NICK ")).count(), 3, "{greeted:?}");
    process.kill().await;
}

/// Before, it started with the wish that it had had when Towline began, and stayed offline.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_fails_starts_anew_with_what_its_user_wants_since_then() {
    let mut world = World::start().await;
    let (alice, control, network) = world.connected_user("alice").await;
    alice.send_text(&control, "disconnect");
    world.homeserver.wait_event(&network, |event| event.body() == "Disconnected.").await;
    world.stop_bridge().await;
    let process = world.start_process_with(&[("TOWLINE_PANIC_AT", "the line that breaks it")]);
    let bob = world.ircd.person("bob");
    alice.send_text(&control, "connect");
    world.ircd.wait_registered("alice").await;
    bob.say("alice", "the line that breaks it");
    world.ircd.wait_gone("alice").await;
    alice.send_text(&control, "status");
    let is_told = |body: &str| body.contains("I keep trying (something went wrong inside Towline");
    world.homeserver.wait_event(&control, |event| is_told(event.body())).await;
    world.ircd.wait_registered("alice").await;
    process.kill().await;
}

/// Before, one row that could not be read kept the bridge from starting.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_cannot_be_started_is_tried_again_and_keeps_nobody_else_from_theirs() {
    let mut world = World::start().await;
    let (alice, control, _) = world.connected_user("alice").await;
    world.connected_user("carol").await;
    world.stop_bridge().await;
    // There is no number after it.
    let broken = r#"UPDATE session SET epoch = 9223372036854775807
        WHERE "user" = (SELECT id FROM "user" WHERE user_id LIKE '@alice:%')"#;
    world.database().execute(broken).await;
    world.start_bridge().await;
    world.ircd.wait_registered("carol").await;
    alice.send_text(&control, "status");
    let is_told = |body: &str| body.contains("I keep trying (the database failed");
    world.homeserver.wait_event(&control, |event| is_told(event.body())).await;
    world.database().execute("UPDATE session SET epoch = 1 WHERE epoch > 1000").await;
    world.ircd.wait_registered("alice").await;
}

/// Before, it came back with another network's room.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_failed_and_was_closed_since_does_not_come_back() {
    let mut world = World::start().await;
    let (alice, control, network) = world.connected_user("alice").await;
    world.connected_user("carol").await;
    world.stop_bridge().await;
    let process = world.start_process_with(&[("TOWLINE_PANIC_AT", "the line that breaks it")]);
    world.ircd.wait_registered("alice").await;
    world.ircd.wait_registered("carol").await;
    let bob = world.ircd.person("bob");
    bob.say("alice", "the line that breaks it");
    world.ircd.wait_gone("alice").await;
    world.homeserver.wait_event(&network, |event| event.body().contains("Something went wrong")).await;
    alice.send_text(&control, "close fake confirm");
    world.homeserver.wait_event(&control, |event| event.body().starts_with("Closed: ")).await;
    let rooms = world.homeserver.rooms();
    // Carol's fails after it: when hers is back, Alice's would be.
    bob.say("carol", "the line that breaks it");
    world.ircd.wait_gone("carol").await;
    world.ircd.wait_registered("carol").await;
    alice.send_text(&control, "status");
    world
        .homeserver
        .wait_event(&control, |event| event.body().starts_with("You are on no network yet"))
        .await;
    assert_eq!(world.homeserver.rooms(), rooms);
    process.kill().await;
}
