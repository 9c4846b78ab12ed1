//! An administrator has all deleted that is kept about somebody, while everything runs.

use std::time::Duration;

use serde_json::json;

use super::{admin, says};
use crate::support::bridge::World;
use crate::support::homeserver::{Event, Fault, NewRoom};

const ALICE: &str = "@alice:test.local";

#[tokio::test(flavor = "multi_thread")]
async fn who_is_erased_is_out_of_all_rooms_and_nothing_is_kept_until_they_begin_anew() {
    let world = World::start().await;
    let (admin, chat) = admin(&world).await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    alice.send_text(&control, "set lines 7");
    world.homeserver.wait_event(&control, says("lines 7 for you")).await;
    alice.send_text(&room, "remember me");
    bob.wait_text("remember me").await;
    let (_carol, carols, _) = world.connected_user("carol").await;

    admin.send_text(&chat, &format!("erase {ALICE}"));
    let asked =
        world.homeserver.wait_event(&chat, says("deletes all that is kept about them, for good")).await;
    assert!(asked.body().contains("permit @alice:test.local none first"), "{}", asked.body());
    admin.send_text(&chat, "yes");
    let told = "Deleted: all that was kept about @alice:test.local, of 1 network, 1 conversation and ";
    let done = world.homeserver.wait_event(&chat, says(told)).await;
    assert!(!done.body().contains(" 0 lines"), "{}", done.body());
    world.ircd.wait_gone("alice").await;
    for place in [&room, &network] {
        world.homeserver.wait_member(place, ALICE, "leave").await;
    }
    world.homeserver.wait_member(&control, &world.homeserver.bot(), "leave").await;
    let kept = [
        "SELECT user_id FROM \"user\" WHERE user_id LIKE '@alice%'",
        "SELECT key FROM setting WHERE scope = 'user'",
        "SELECT text FROM history WHERE text = 'remember me'",
        "SELECT name FROM buffer WHERE name = '#rust'",
    ];
    for sql in kept {
        assert!(world.database().texts(sql).await.is_empty(), "{sql}");
    }
    let sessions = world.database().texts("SELECT network FROM session").await;
    assert_eq!(sessions.len(), 1, "carol's: {sessions:?}");
    world.homeserver.wait_member(&carols, "@carol:test.local", "join").await;

    // They begin as somebody new, and are to IRC who they were.
    world.connected_user("alice").await;
    let lines = world.ircd.lines();
    let as_before = lines.iter().filter(|received| received.line().starts_with("USER alice "));
    assert_eq!(as_before.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_erased_who_is_not_known_or_who_asks_for_it() {
    let world = World::start().await;
    let (admin, chat) = admin(&world).await;
    admin.send_text(&chat, "erase @nobody:test.local");
    world.homeserver.wait_event(&chat, says("Nothing is kept about @nobody:test.local.")).await;
    admin.send_text(&chat, "erase @admin:test.local confirm");
    world.homeserver.wait_event(&chat, says("That is you, and I could not answer.")).await;
    admin.send_text(&chat, "erase @carol:test.local please");
    world.homeserver.wait_event(&chat, says("Type it like this: erase USER")).await;
}

/// Before, what their command stored when all was deleted stayed for good.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_under_way_when_its_user_is_erased_leaves_nothing_behind() {
    let world = World::start().await;
    let (admin, chat) = admin(&world).await;
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let members = format!("{room}/joined_members");
    let asked = world.homeserver.requests("GET", &members);
    world.homeserver.faults().fail("GET", &members, Fault::Late(Duration::from_secs(3)), 1);
    alice.send_text(&control, "sync fake #rust\nset lines 7");
    // What is typed behind it is not done for somebody new.
    alice.send_text(&control, "set lines 8");
    world.homeserver.wait_requests("GET", &members, asked + 1).await;
    world.homeserver.wait_delivered().await;
    admin.send_text(&chat, &format!("erase {ALICE} confirm"));
    let told = "Deleted: all that was kept about @alice:test.local, of 1 network, 1 conversation and ";
    world.homeserver.wait_event(&chat, says(told)).await;
    let kept = "SELECT scope_id FROM setting WHERE key = 'lines'";
    assert_eq!(world.database().texts(kept).await, [""; 0]);
    let users = "SELECT user_id FROM \"user\" WHERE user_id LIKE '@alice%'";
    assert_eq!(world.database().texts(users).await, [""; 0]);
    // What she says as somebody new is answered behind all that waited.
    let anew = alice.start_dm(&world.homeserver.bot());
    world.homeserver.wait_event(&anew, says("help")).await;
    alice.send_text(&anew, "status");
    world.homeserver.wait_event(&anew, says("You are on no network")).await;
    assert_eq!(world.database().texts(kept).await, [""; 0]);
}

/// Before, the bot tried to join for ever, and whoever waited for its turn gave up when they had closed her networks.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_invited_the_bot_to_a_room_that_cannot_be_joined_is_erased_all_the_same() {
    let world = World::start().await;
    let (admin, chat) = admin(&world).await;
    let (mallory, _, _) = world.connected_user("mallory").await;
    let failure = Fault::Status(502, json!({ "errcode": "M_UNKNOWN", "error": "not now" }));
    let room = mallory.create_room(&NewRoom::default());
    let join = format!("/rooms/{room}/join");
    world.homeserver.faults().fail("POST", &join, failure, 10_000);
    mallory.invite(&room, &world.homeserver.bot());
    world.homeserver.wait_requests("POST", &join, 2).await;
    admin.send_text(&chat, "erase @mallory:test.local confirm");
    let told = "Deleted: all that was kept about @mallory:test.local, of 1 network, ";
    world.homeserver.wait_event(&chat, says(told)).await;
    let users = "SELECT user_id FROM \"user\" WHERE user_id LIKE '@mallory%'";
    assert_eq!(world.database().texts(users).await, [""; 0]);
}

/// Before, they waited for each other until both gave up, when both had lost their networks.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_administrators_who_erase_each_other_one_is_erased() {
    let world = World::start().await;
    let (admin, chat) = admin(&world).await;
    admin.send_text(&chat, "permit @root:test.local admin");
    world.homeserver.wait_event(&chat, says("@root:test.local: admin, from now on.")).await;
    let (root, other) = world.user_with_control_room("root").await;
    admin.send_text(&chat, "erase @root:test.local confirm");
    root.send_text(&other, "erase @admin:test.local confirm");
    let done =
        |event: &Event| event.kind == "m.room.message" && event.body().starts_with("Deleted: all that was");
    tokio::select! {
        _ = world.homeserver.wait_event(&chat, done) => {}
        _ = world.homeserver.wait_event(&other, done) => {}
    }
    let users = world.database().texts("SELECT user_id FROM \"user\"").await;
    assert_eq!(users.len(), 1, "{users:?}");
}
