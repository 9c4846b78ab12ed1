//! Rooms that were replaced, and rooms that can't be read.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::bridge::World;
use crate::support::homeserver::{Event, NewRoom, TestUser};

const BOB: &str = "@irc_fake_bob:test.local";

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

/// A room that comes after another, as a client makes it; who is invited into it.
fn successor(user: &TestUser, old: &str, invite: &[&str]) -> String {
    let room = NewRoom { invite, predecessor: Some(old), ..NewRoom::default() };
    user.create_room(&room)
}

fn close(user: &TestUser, old: &str, new: &str) {
    let content = json!({ "body": "This room has been replaced", "replacement_room": new });
    user.send_state(old, "m.room.tombstone", "", content).unwrap();
}

#[rstest]
#[case::invited_before_the_tombstone(true)]
#[case::invited_after_it(false)]
#[tokio::test(flavor = "multi_thread")]
async fn a_control_room_is_followed_to_its_successor(#[case] is_invited_first: bool) {
    let world = World::start().await;
    let bot = world.homeserver.bot();
    let (alice, old) = world.user_with_control_room("alice").await;
    let new = successor(&alice, &old, &[]);
    if is_invited_first {
        alice.invite(&new, &bot);
        // The bot is there, as in any chat that it is invited to: the old room has not said yet that this comes after it.
        world.homeserver.wait_event(&new, says("Hello!")).await;
        close(&alice, &old, &new);
    } else {
        close(&alice, &old, &new);
        world.homeserver.wait_delivered().await;
        alice.invite(&new, &bot);
    }
    world.homeserver.wait_member(&old, &bot, "leave").await;
    alice.send_text(&new, "status");
    world.homeserver.wait_event(&new, says("no network yet")).await;
    assert_eq!(world.homeserver.rooms().len(), 2);
}

#[rstest]
#[case::with_power(true)]
#[case::without(false)]
#[tokio::test(flavor = "multi_thread")]
async fn a_channels_room_goes_on_in_its_successor_with_its_history_and_its_space(#[case] has_power: bool) {
    let mut world = World::start().await;
    let bot = world.homeserver.bot();
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, old) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "before");
    world.homeserver.wait_message(&old, "before").await;
    alice.send_text(&control, "space");
    let space = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&space).await;
    let is_child = |room: String, there: bool| {
        move |event: &Event| {
            event.kind == "m.space.child"
                && event.state_key.as_deref() == Some(&room)
                && event.content["via"].is_array() == there
        }
    };
    world.homeserver.wait_event(&space, is_child(old.clone(), true)).await;
    // A server's administrator has given her the power.
    world.homeserver.make_admin(&old, alice.id());
    let new = successor(&alice, &old, &[&bot]);
    if has_power {
        let levels = json!({ "users": { &bot: 100 }, "invite": 50 });
        alice.send_state(&new, "m.room.power_levels", "", levels).unwrap();
    }
    close(&alice, &old, &new);
    world.homeserver.wait_member(&old, BOB, "leave").await;
    world.homeserver.wait_member(&old, &bot, "leave").await;
    bob.say("#rust", "after");
    assert_eq!(world.homeserver.wait_message(&new, "after").await.sender, BOB);
    alice.send_text(&new, "I am here");
    bob.wait_text("I am here").await;
    alice.send_text(&new, "!irc history");
    world.homeserver.wait_event(&new, says("before")).await;
    world.homeserver.wait_event(&space, is_child(new.clone(), true)).await;
    world.homeserver.wait_event(&space, is_child(old.clone(), false)).await;
    let info = world.homeserver.state(&new, "m.bridge", "chat.towline://irc/fake/#rust");
    assert_eq!(info["channel"]["id"], if has_power { json!("#rust") } else { Value::Null });
    let lines = world.homeserver.timeline_lines(&new);
    assert_eq!(lines.iter().filter(|line| line.contains("no power here")).count(), usize::from(!has_power));
    assert!(!world.homeserver.timeline_bodies(&old).contains(&"after".to_owned()));
    // And after a restart it is that room.
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "and later");
    world.homeserver.wait_message(&new, "and later").await;
    alice.leave(&new);
    world.ircd.wait_parted("#rust", "alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_networks_room_is_followed_to_its_successor() {
    let mut world = World::start().await;
    let bot = world.homeserver.bot();
    let (alice, _, old) = world.greeted_user("alice").await;
    world.homeserver.make_admin(&old, alice.id());
    let new = successor(&alice, &old, &[&bot]);
    close(&alice, &old, &new);
    world.homeserver.wait_member(&old, &bot, "leave").await;
    alice.send_text(&new, "nick");
    world.homeserver.wait_event(&new, says("You are alice.")).await;
    world.ircd.send_line("alice", "NOTICE alice :tea is ready");
    world.homeserver.wait_event(&new, says("tea is ready")).await;
    world.stop_bridge().await;
    world.start_bridge().await;
    world.homeserver.wait_event(&new, says("Connected to")).await;
    assert!(!world.homeserver.timeline_bodies(&old).iter().any(|body| body.contains("tea is ready")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_room_of_a_conversation_is_followed_to_its_successor() {
    let mut world = World::start().await;
    let (alice, ..) = world.greeted_user("alice").await;
    let bob = world.ircd.person("bob");
    bob.say("alice", "before");
    let old = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&old).await;
    world.homeserver.wait_message(&old, "before").await;
    world.homeserver.make_admin(&old, alice.id());
    let new = successor(&alice, &old, &[BOB]);
    close(&alice, &old, &new);
    world.homeserver.wait_member(&old, BOB, "leave").await;
    for when in ["after", "after a restart"] {
        bob.say("alice", &format!("bob {when}"));
        let shown = world.homeserver.wait_message(&new, &format!("bob {when}")).await;
        assert_eq!(shown.sender, BOB);
        alice.send_text(&new, &format!("alice {when}"));
        assert_eq!(bob.wait_text(&format!("alice {when}")).await.target(), "bob");
        if when == "after" {
            world.stop_bridge().await;
            world.start_bridge().await;
            world.ircd.wait_registered("alice").await;
        }
    }
}

/// The homeserver refuses what is said in a room from its tombstone on. Lines that came before the bridge heard of it were
/// set aside.
#[rstest]
#[case::before_the_bridge_hears_of_it(true)]
#[case::before_the_successor_lets_the_bot_in(false)]
#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_what_is_said_after_a_tombstone_goes_to_the_successor(#[case] is_open: bool) {
    let world = World::start().await;
    let bot = world.homeserver.bot();
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, old) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "before");
    world.homeserver.wait_message(&old, "before").await;
    world.homeserver.make_admin(&old, alice.id());
    let new = successor(&alice, &old, &[]);
    world.homeserver.wait_delivered().await;
    world.homeserver.hold_transactions(is_open);
    close(&alice, &old, &new);
    let mut levels = world.homeserver.state(&old, "m.room.power_levels", "");
    levels["events_default"] = 50.into();
    alice.send_state(&old, "m.room.power_levels", "", levels).unwrap();
    if is_open {
        alice.invite(&new, &bot);
    }
    let asked = world.homeserver.requests("GET", "m.room.tombstone");
    bob.say("#rust", "meanwhile");
    bob.say("#rust", "after");
    world.homeserver.wait_requests("GET", "m.room.tombstone", asked + 1).await;
    if !is_open {
        world.homeserver.wait_delivered().await;
        alice.invite(&new, &bot);
    }
    let said = world.homeserver.wait_event(&new, says("meanwhile")).await;
    assert_eq!(said.sender, BOB);
    world.homeserver.wait_event(&new, says("after")).await;
    world.homeserver.hold_transactions(false);
    world.homeserver.wait_member(&old, &bot, "leave").await;
    let refused = world.database().texts("SELECT note FROM outbox WHERE state = 'refused'").await;
    assert!(refused.is_empty(), "{refused:?}");
}

/// Before, what was said waited, and nobody knew.
#[tokio::test(flavor = "multi_thread")]
async fn whose_room_was_replaced_by_one_that_lets_nobody_in_is_told_so_once() {
    let world = World::start().await;
    let bot = world.homeserver.bot();
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, old) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "before");
    world.homeserver.wait_message(&old, "before").await;
    world.homeserver.make_admin(&old, alice.id());
    let new = successor(&alice, &old, &[]);
    close(&alice, &old, &new);
    let mut levels = world.homeserver.state(&old, "m.room.power_levels", "");
    levels["events_default"] = 50.into();
    alice.send_state(&old, "m.room.power_levels", "", levels).unwrap();
    world.homeserver.wait_delivered().await;
    // Clients invite soon after they have closed a room; whoever has not by then does not mean to.
    world.pass("alice", Duration::from_mins(2)).await;
    bob.say("#rust", "meanwhile");
    let told =
        world.homeserver.wait_event(&control, says("The room of #rust was replaced by another one")).await;
    assert!(told.body().contains(&format!("Invite {bot} there")), "{}", told.body());
    assert_eq!(told.content["m.mentions"]["user_ids"][0], alice.id());
    let asked = world.homeserver.requests("GET", "m.room.tombstone");
    bob.say("#rust", "after");
    world.homeserver.wait_requests("GET", "m.room.tombstone", asked + 1).await;
    alice.invite(&new, &bot);
    world.homeserver.wait_event(&new, says("meanwhile")).await;
    world.homeserver.wait_event(&new, says("after")).await;
    let lines = world.homeserver.timeline_lines(&control);
    assert_eq!(lines.iter().filter(|line| line.contains("was replaced by another one")).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_only_says_it_comes_after_ours_is_not_followed() {
    let world = World::start().await;
    let bot = world.homeserver.bot();
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let mallory = world.homeserver.user("mallory");
    let trap = successor(&mallory, &room, &[&bot]);
    world.homeserver.wait_member(&trap, &bot, "leave").await;
    // Neither does a tombstone alone: this room does not know of the old one.
    world.homeserver.make_admin(&room, alice.id());
    let stranger = alice.create_room(&NewRoom { preset: Some("public_chat"), ..NewRoom::default() });
    close(&alice, &room, &stranger);
    world.homeserver.wait_member(&stranger, &bot, "leave").await;
    bob.say("#rust", "still here");
    world.homeserver.wait_message(&room, "still here").await;
    alice.send_text(&room, "so am I");
    bob.wait_text("so am I").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_room_of_a_channel_is_explained_once_and_join_makes_another() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "in clear text");
    world.homeserver.wait_message(&room, "in clear text").await;
    let network = world.homeserver.room_named("FakeNet");
    let secret = || json!({ "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x" });
    for _ in 0..2 {
        let said = alice.send(&room, "m.room.encrypted", secret());
        let refused = |event: &Event| event.content["m.relates_to"]["m.in_reply_to"]["event_id"] == said;
        let refused = world.homeserver.wait_event(&room, refused).await;
        assert!(refused.body().contains("was not sent"), "{}", refused.body());
    }
    let told = world.homeserver.wait_event(&network, says("The room of #rust is encrypted")).await;
    assert_eq!(told.content["m.mentions"]["user_ids"][0], alice.id());
    alice.send_text(&network, "join #rust");
    let new = world.homeserver.wait_invite(alice.id()).await;
    assert_ne!(new, room);
    alice.join(&new).await;
    world.homeserver.wait_message(&new, "in clear text").await;
    alice.send_text(&new, "can you read this?");
    bob.wait_text("can you read this?").await;
    assert_eq!(world.homeserver.state(&new, "m.room.encryption", ""), Value::Null);
    let told = world.homeserver.timeline_bodies(&network);
    assert_eq!(told.iter().filter(|body| body.contains("is encrypted")).count(), 1, "{told:?}");
}
