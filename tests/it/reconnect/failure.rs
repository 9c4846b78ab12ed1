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
