//! A room that is made again begins with what was said before.

use serde_json::json;

use crate::store::Raw;
use crate::support::bridge::World;
use crate::support::clock::now;
use crate::support::homeserver::{Event, Fault};

fn is_invite(user: &str) -> impl Fn(&Event) -> bool {
    move |event| event.state_key.as_deref() == Some(user) && event.membership() == "invite"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_is_made_again_begins_with_its_last_lines_and_then_its_owner_is_invited() {
    let mut world = World::builder().config("limits: { refill: 3 }").start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let begin = now();
    for line in ["one", "two", "three"] {
        bob.say("#rust", line);
        world.homeserver.wait_message(&room, line).await;
    }
    let said = begin..=now();
    alice.send_text(&room, "four");
    bob.wait_text("four").await;
    world.stop_bridge().await;
    // As after a homeserver's room was purged: nothing knows it any more.
    let mut raw = Raw::new(&world.database).await;
    raw.execute("DELETE FROM room WHERE kind = 'private'").await;
    world.start_bridge().await;
    alice.send_text(&control, "join #rust");
    let again = world.homeserver.wait_invite(alice.id()).await;
    assert_ne!(again, room);
    let events = world.homeserver.events(&again);
    let place = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(wanted).unwrap();
    let invited =
        place(&|event| event.state_key.as_deref() == Some(alice.id()) && event.membership() == "invite");
    let last = place(&|event| event.body() == "four");
    assert!(last < invited, "first the lines, then the invitation");
    alice.join(&again).await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "five");
    world.homeserver.wait_message(&again, "five").await;
    let lines: Vec<String> = world.homeserver.timeline_lines(&again);
    assert_eq!(lines, ["two", "three", "four", "five"]);
    let three = world.homeserver.wait_message(&again, "three").await;
    assert_eq!(three.content["msgtype"], "m.notice");
    assert!(said.contains(&three.ts), "it has the time at which it was said: {said:?}, {}", three.ts);
    // Once, whatever happens.
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "six");
    world.homeserver.wait_message(&again, "six").await;
    let lines = world.homeserver.timeline_lines(&again);
    assert_eq!(lines.iter().filter(|line| *line == "three").count(), 1, "{lines:?}");
}

/// Before, a room that was purged swallowed its channel for good.
#[tokio::test(flavor = "multi_thread")]
async fn a_channels_room_that_is_gone_is_made_anew_when_its_user_asks_and_not_before() {
    let mut world = World::builder().config("limits: { refill: 3 }").start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.wait_room_named("FakeNet").await;
    bob.topic("#rust", "tea");
    bob.say("#rust", "seen");
    world.homeserver.wait_message(&room, "seen").await;
    world.wait_outbox_empty().await;
    world.homeserver.purge(&room);
    let rooms = world.homeserver.rooms().len();
    bob.say("#rust", "refused");
    let told =
        world.homeserver.wait_event(&network, |event| event.body().contains("refused a message")).await;
    assert!(
        told.body().ends_with("If that room is gone, I make another: type join #rust."),
        "{}",
        told.body()
    );
    // While the homeserver's answer is not final, nothing is made.
    let failure = Fault::Status(502, json!("<html>502 Bad Gateway</html>"));
    world.homeserver.faults().fail("GET", "/joined_rooms", failure, 1);
    alice.send_text(&control, "join #rust");
    world.homeserver.wait_event(&control, |event| event.body().contains("You are in #rust already")).await;
    assert_eq!(world.homeserver.rooms().len(), rooms);
    alice.send_text(&control, "join #rust");
    world
        .homeserver
        .wait_event(&control, |event| event.body().contains("The room of #rust could not be used any more"))
        .await;
    let again = world.homeserver.wait_room_named("#rust (FakeNet)").await;
    assert_ne!(again, room);
    world.homeserver.wait_event(&again, is_invite(alice.id())).await;
    assert_eq!(world.homeserver.timeline_lines(&again), ["seen", "refused"]);
    let is_topic = |event: &Event| event.kind == "m.room.topic" && event.content["topic"] == "tea";
    world.homeserver.wait_event(&again, is_topic).await;
    alice.join(&again).await;
    bob.say("#rust", "five");
    world.homeserver.wait_message(&again, "five").await;
    alice.send_text(&again, "six");
    bob.wait_text("six").await;
    world.wait_outbox_empty().await;
    // It is the channel's from now on.
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "seven");
    world.homeserver.wait_message(&again, "seven").await;
    alice.send_text(&control, "join #rust");
    world.homeserver.wait_event(&control, |event| event.body().contains("invited to its room again")).await;
    assert_eq!(world.homeserver.rooms_named("#rust (FakeNet)"), [again]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversations_room_that_is_gone_is_made_anew_with_its_lines_before_the_invitation() {
    let world = World::builder().config("limits: { refill: 3 }").start().await;
    let bob = world.ircd.person("bob");
    let (alice, control, _) = world.connected_user("alice").await;
    bob.say("alice", "one");
    let room = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&room).await;
    let two = alice.send_text(&room, "two");
    bob.wait_text("two").await;
    world.homeserver.wait_receipt(&room, "@irc_fake_bob:test.local", &two).await;
    world.wait_outbox_empty().await;
    // Whoever asks for a room that is there gets no other.
    alice.send_text(&control, "query bob");
    world.homeserver.wait_event(&control, |event| event.body().contains("see your invitations")).await;
    world.wait_outbox_empty().await;
    world.homeserver.purge(&room);
    alice.send_text(&control, "query bob");
    let again = world.homeserver.wait_invite(alice.id()).await;
    let events = world.homeserver.events(&again);
    let place = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(wanted).unwrap();
    let invited = place(&is_invite(alice.id()));
    assert!(
        place(&|event| event.body().contains("(you) two")) < invited,
        "first the lines, then the invitation"
    );
    assert_eq!(events[invited].content["is_direct"], true);
    alice.join(&again).await;
    assert_eq!(world.homeserver.timeline_lines(&again), ["one", "(you) two"]);
    assert_eq!(world.homeserver.members(&again, "join").len(), 2);
    bob.say("alice", "three");
    world.homeserver.wait_message(&again, "three").await;
    alice.send_text(&again, "four");
    bob.wait_text("four").await;
}

/// Before, a session that had lost its store for a moment forgot that lines were to come.
#[tokio::test(flavor = "multi_thread")]
async fn lines_that_could_not_be_stored_come_when_the_store_is_back() {
    let world = World::builder().config("limits: { refill: 3 }").start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "one");
    world.homeserver.wait_message(&room, "one").await;
    world.wait_outbox_empty().await;
    world.homeserver.purge(&room);
    let mut raw = Raw::new(&world.database).await;
    if world.database().bytes().is_some() {
        raw.execute(
            "CREATE TRIGGER lose_lines BEFORE INSERT ON outbox WHEN NEW.ts IS NOT NULL
             BEGIN SELECT RAISE(ABORT, 'lost'); END",
        )
        .await;
    } else {
        raw.execute(
            "CREATE FUNCTION lose_lines() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'lost'; END $$;
             CREATE TRIGGER lose_lines BEFORE INSERT ON outbox FOR EACH ROW WHEN (NEW.ts IS NOT NULL)
             EXECUTE FUNCTION lose_lines()",
        )
        .await;
    }
    alice.send_text(&control, "join #rust");
    world.ircd.wait_gone("alice").await;
    if world.database().bytes().is_some() {
        raw.execute("DROP TRIGGER lose_lines").await;
    } else {
        raw.execute("DROP TRIGGER lose_lines ON outbox").await;
    }
    alice.send_text(&control, "connect");
    let again = world.homeserver.wait_invite(alice.id()).await;
    // Behind it a notice may tell of the time without a connection.
    let lines = world.homeserver.timeline_lines(&again);
    assert_eq!(lines.first().map(String::as_str), Some("one"), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| *line == "one").count(), 1, "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_networks_room_that_is_encrypted_is_made_anew_when_its_user_opens_the_network() {
    let world = World::start().await;
    let (alice, _, network) = world.greeted_user("alice").await;
    let says = |part: &'static str| move |event: &Event| event.body().contains(part);
    let secret = json!({ "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x" });
    alice.send(&network, "m.room.encrypted", secret);
    // She is told in a chat that the bot has made.
    let control = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&control).await;
    world.homeserver.wait_event(&control, says("is encrypted")).await;
    alice.send_text(&control, "open fake");
    world
        .homeserver
        .wait_event(&control, says("Its room can't be used any more, so I make another one"))
        .await;
    let again = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&again).await;
    alice.send_text(&again, "nick");
    world.homeserver.wait_event(&again, says("You are alice.")).await;
    // Also where it does not connect just now.
    world.homeserver.purge(&again);
    alice.send_text(&control, "disconnect fake");
    world.ircd.wait_gone("alice").await;
    alice.send_text(&control, "open fake");
    world.homeserver.wait_event(&control, says("Its room is gone, so I make another one")).await;
}

/// Before, `open` invited into a room that was not there, and said that it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_networks_room_that_is_gone_is_made_anew_when_its_user_opens_the_network_and_not_before() {
    let mut world = World::start().await;
    let (alice, control, network) = world.connected_user("alice").await;
    let says = |part: &'static str| move |event: &Event| event.body().contains(part);
    alice.send_text(&control, "open fake");
    world.homeserver.wait_event(&control, says("you are invited to its room again")).await;
    world.wait_outbox_empty().await;
    world.homeserver.purge(&network);
    alice.send_text(&control, "open fake");
    world.homeserver.wait_event(&control, says("Its room is gone, so I make another one")).await;
    let again = world.homeserver.wait_room_named("FakeNet").await;
    assert_ne!(again, network);
    alice.join(&again).await;
    // It is the network's in each way, and the session's while it runs and after a restart.
    alice.send_text(&again, "nick alicia");
    world.ircd.wait_registered("alicia").await;
    world.homeserver.wait_event(&again, says("alicia")).await;
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_registered("alicia").await;
    alice.send_text(&again, "frobnicate");
    world.homeserver.wait_event(&again, says("There is no command frobnicate")).await;
    world.wait_outbox_empty().await;
    assert_eq!(world.homeserver.rooms_named("FakeNet"), [again], "one, and no more");
}
