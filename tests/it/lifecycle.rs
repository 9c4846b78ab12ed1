//! What lasts: through restarts, through absence, and through failures of one part while the others go on.

use crate::support::bridge::World;
use crate::support::homeserver::Fault;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn invariant_8_a_message_does_not_wait_behind_the_leaves_of_others() {
    let world = World::start().await;
    let (bob, carol) = (world.ircd.person("bob"), world.ircd.person("carol"));
    bob.join("#rust");
    carol.join("#rust");
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "I must go");
    carol.say("#rust", "so soon?");
    world.homeserver.wait_message(&room, "so soon?").await;

    world.homeserver.faults().fail("PUT", "m.room.member", Fault::Hang, 1);
    bob.quit("bye");
    world.homeserver.wait_requests("PUT", "m.room.member", 1).await;
    carol.say("#rust", "and gone");
    world.homeserver.wait_message(&room, "and gone").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_sent_just_before_a_restart_is_confirmed_and_nobody_is_asked() {
    let mut world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    alice.send_text(&room, "one last thing");
    bob.wait_text("one last thing").await;
    world.stop_bridge().await;

    let mark = world.ircd.mark();
    world.start_bridge().await;
    world.ircd.wait_line_after(mark, |_, line| line.starts_with("JOIN")).await;
    world.ircd.wait_joined("#rust", "alice").await;
    alice.send_text(&room, "back again");
    bob.wait_text("back again").await;
    bob.say("#rust", "welcome");
    world.homeserver.wait_message(&room, "welcome").await;
    let bodies = world.homeserver.timeline_bodies(&room);
    assert!(!bodies.iter().any(|body| body.contains("may not have arrived")), "{bodies:?}");
    assert_eq!(bob.messages("#rust").iter().filter(|(_, text)| text == "one last thing").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_a_query_is_invited_again_when_the_other_one_writes() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    let (alice, _, _) = world.connected_user("alice").await;
    bob.say("alice", "hi");
    let room = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&room).await;
    alice.leave(&room);
    world.homeserver.wait_delivered().await;
    bob.say("alice", "are you there?");
    assert_eq!(world.homeserver.wait_invite(alice.id()).await, room);
    world.homeserver.wait_message(&room, "are you there?").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_has_its_picture() {
    let world = World::builder().config("    avatar: \"mxc://test.local/pic\"\n").start().await;
    let (_, _, network) = world.connected_user("alice").await;
    assert_eq!(
        world.homeserver.state(&network, "m.room.avatar", ""),
        json!({ "url": "mxc://test.local/pic" })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_and_leaves_at_once_is_heard_and_gone() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "goodbye");
    bob.quit("sleep");
    world.homeserver.wait_message(&room, "goodbye").await;
    world.homeserver.wait_member(&room, "@irc_fake_bob:test.local", "leave").await;
}
