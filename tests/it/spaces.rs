//! Spaces: what is in them, in which order, and that they are made once.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::bridge::World;
use crate::support::homeserver::{Event, Fault, TestUser};

const SPACE: &str = "FakeNet";

/// The one space that there is.
fn space(world: &World) -> Option<String> {
    let rooms = world.homeserver.rooms().into_iter();
    let mut spaces =
        rooms.filter(|room| world.homeserver.state(room, "m.room.create", "")["type"] == "m.space");
    let space = spaces.next();
    assert_eq!(spaces.next(), None, "two spaces");
    space
}

async fn entered_space(world: &World, user: &TestUser) -> String {
    let space = world.homeserver.wait_invite_to(user.id(), true).await;
    user.join(&space).await
}

async fn wait_child(world: &World, space: &str, room: &str, order: &str) {
    let is_it = |event: &Event| {
        event.kind == "m.space.child"
            && event.state_key.as_deref() == Some(room)
            && event.content["order"] == order
    };
    world.homeserver.wait_event(space, is_it).await;
}

async fn wait_parent(world: &World, space: &str, room: &str) {
    let is_it = |event: &Event| {
        event.kind == "m.space.parent"
            && event.state_key.as_deref() == Some(space)
            && event.content["canonical"] == true
    };
    world.homeserver.wait_event(room, is_it).await;
}

#[rstest]
#[case::with_creators("12")]
#[case::before_creators("11")]
#[tokio::test(flavor = "multi_thread")]
async fn a_space_holds_the_networks_room_the_channels_and_the_people_and_follows_them(#[case] version: &str) {
    let mut world = World::builder().room_version(version).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    assert_eq!(space(&world), None, "nobody asked for one");
    alice.send_text(&control, "space");
    let space_id = entered_space(&world, &alice).await;
    wait_child(&world, &space_id, &network, "1").await;
    wait_child(&world, &space_id, &room, "2#rust").await;
    wait_parent(&world, &space_id, &room).await;
    assert_eq!(world.homeserver.state(&space_id, "m.room.name", "")["name"], SPACE);
    let via = world.homeserver.state(&space_id, "m.space.child", &room)["via"].clone();
    assert_eq!(via, json!(["test.local"]));
    // Nobody talks there, and it can't be taken out of our hands.
    assert_eq!(alice.try_send(&space_id, "m.room.message", json!({ "body": "hi" })).unwrap_err().status, 403);
    assert_eq!(alice.send_state(&space_id, "m.room.encryption", "", json!({})).unwrap_err().status, 403);
    alice.send_state(&space_id, "m.room.name", "", json!({ "name": "mine" })).unwrap();

    // What comes is placed, what changes its name moves, what is left goes.
    bob.say("alice", "psst");
    let query = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&query).await;
    wait_child(&world, &space_id, &query, "3bob").await;
    wait_parent(&world, &space_id, &query).await;
    bob.nick("robert");
    wait_child(&world, &space_id, &query, "3robert").await;
    alice.leave(&room);
    let is_gone = |event: &Event| {
        event.kind == "m.space.child"
            && event.state_key.as_deref() == Some(room.as_str())
            && event.content == json!({})
    };
    world.homeserver.wait_event(&space_id, is_gone).await;
    // The bridge tells both rooms, and then stores that it has.
    let placed = "SELECT room_id FROM space_child";
    let is_stored = |placed: &[String]| !placed.contains(&room);
    world.database().wait("the room is out of the space", placed, is_stored).await;

    // A restart finds it in order, and asks for nothing.
    world.stop_bridge().await;
    let before = world.homeserver.requests("PUT", "m.space.");
    world.start_bridge().await;
    world.ircd.wait_registered("alice").await;
    alice.send_text(&control, "join #tea");
    let tea = world.homeserver.wait_invite(alice.id()).await;
    wait_child(&world, &space_id, &tea, "2#tea").await;
    wait_parent(&world, &space_id, &tea).await;
    assert_eq!(world.homeserver.requests("PUT", "m.space."), before + 2);
    assert_eq!(space(&world), Some(space_id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_that_is_not_wanted_any_more_is_left_empty_and_comes_back_as_the_same() {
    let world = World::start().await;
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    alice.send_text(&control, "set space on");
    let space_id = entered_space(&world, &alice).await;
    wait_parent(&world, &space_id, &room).await;
    alice.send_text(&control, "space off");
    let is_empty = |event: &Event| event.kind == "m.space.parent" && event.content == json!({});
    world.homeserver.wait_event(&room, is_empty).await;
    assert_eq!(world.homeserver.state(&space_id, "m.space.child", &room), json!({}));
    alice.leave(&space_id);
    alice.send_text(&control, "space on");
    world.homeserver.wait_member(&space_id, alice.id(), "invite").await;
    let is_back = |event: &Event| {
        event.kind == "m.space.child"
            && event.state_key.as_deref() == Some(room.as_str())
            && event.content["order"] == "2#rust"
    };
    world.homeserver.wait_event(&space_id, is_back).await;
    assert_eq!(space(&world), Some(space_id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_detached_is_out_of_the_space_until_it_is_attached() {
    let world = World::start().await;
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    alice.send_text(&control, "space");
    let space_id = entered_space(&world, &alice).await;
    wait_parent(&world, &space_id, &room).await;
    alice.send_text(&room, "!irc detach");
    let is_out = |event: &Event| event.kind == "m.space.parent" && event.content == json!({});
    world.homeserver.wait_event(&room, is_out).await;
    assert_eq!(world.homeserver.state(&space_id, "m.space.child", &room), json!({}));
    alice.send_text(&control, "attach #rust");
    world.homeserver.wait_member(&room, alice.id(), "invite").await;
    alice.join(&room).await;
    let times = std::cell::Cell::new(0);
    let is_back = |event: &Event| {
        let is_parent = event.kind == "m.space.parent" && event.content["canonical"] == true;
        times.set(times.get() + u32::from(is_parent));
        is_parent && times.get() == 2
    };
    world.homeserver.wait_event(&room, is_back).await;
    assert_eq!(world.homeserver.state(&space_id, "m.space.child", &room)["order"], "2#rust");
}

#[rstest]
#[case::lost_answers(Fault::AnswerLost)]
#[case::bad_gateway(Fault::Status(502, json!("")))]
#[tokio::test(flavor = "multi_thread")]
async fn invariant_2_a_space_is_made_once_whatever_fails(#[case] fault: Fault) {
    let world = World::start().await;
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    world.homeserver.faults().fail("POST", "/createRoom", fault.clone(), 2);
    world.homeserver.faults().fail("PUT", "m.space.", fault, 2);
    alice.send_text(&control, "space");
    let space_id = entered_space(&world, &alice).await;
    wait_child(&world, &space_id, &room, "2#rust").await;
    wait_parent(&world, &space_id, &room).await;
    assert_eq!(space(&world), Some(space_id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rooms_bridge_information_and_alias_follow_a_change_of_nick() {
    let world =
        World::builder().config("templates: { alias: \"irc_{user}_{network}_{channel}\" }\n").start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, _) = world.user_in_channel("alice", "#rust").await;
    bob.say("alice", "psst");
    let query = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&query).await;
    let info = |nick: &str| {
        ["m.bridge", "uk.half-shot.bridge"]
            .map(|kind| world.homeserver.state(&query, kind, &format!("chat.towline://irc/fake/{nick}")))
    };
    for info in info("bob") {
        assert_eq!(info["channel"], json!({ "id": "bob", "displayname": "bob" }));
        assert_eq!(info["network"], json!({ "id": "fake", "displayname": "FakeNet" }));
        assert_eq!(info["protocol"], json!({ "id": "irc", "displayname": "IRC" }));
        assert_eq!(
            (&info["creator"], &info["bridgebot"]),
            (&json!(alice.id()), &json!(world.homeserver.bot()))
        );
    }
    bob.nick("robert");
    bob.say("alice", "it's me");
    world.homeserver.wait_message(&query, "it's me").await;
    assert_eq!(info("bob"), [json!({}), json!({})]);
    for info in info("robert") {
        assert_eq!(info["channel"]["id"], "robert");
    }
    let alias = |nick: &str| world.homeserver.alias(&format!("#irc_alice_fake_{nick}:test.local"));
    assert_eq!((alias("bob"), alias("robert")), (None, Some(query.clone())));
    assert_eq!(world.homeserver.state(&query, "m.bridge", "chat.towline://irc/fake/nobody"), Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_space_of_a_network_goes_when_that_is_closed() {
    let world = World::start().await;
    let (alice, control, _room) = world.user_in_channel("alice", "#rust").await;
    alice.send_text(&control, "space");
    let space_id = entered_space(&world, &alice).await;
    alice.send_text(&control, "close fake confirm");
    world.homeserver.wait_member(&space_id, alice.id(), "leave").await;
    world.homeserver.wait_member(&space_id, &world.homeserver.bot(), "leave").await;
    world.homeserver.wait_event(&control, |event| event.body().starts_with("Closed:")).await;
    alice.send_text(&control, "open fake");
    let network = world.homeserver.wait_invite_to(alice.id(), false).await;
    alice.join(&network).await;
    let again = entered_space(&world, &alice).await;
    assert_ne!(again, space_id);
}

/// It was promised again, and nothing came.
#[rstest]
#[case::by_the_command(true)]
#[case::by_a_room_that_belongs_into_it(false)]
#[tokio::test(flavor = "multi_thread")]
async fn a_space_that_was_purged_is_made_anew(#[case] is_asked_for: bool) {
    let world = World::start().await;
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    alice.send_text(&control, "space");
    let old = entered_space(&world, &alice).await;
    wait_child(&world, &old, &network, "1").await;
    wait_child(&world, &old, &room, "2#rust").await;
    wait_parent(&world, &old, &room).await;
    world.homeserver.wait_delivered().await;
    world.homeserver.purge(&old);
    if is_asked_for {
        alice.send_text(&control, "space");
    } else {
        alice.send_text(&control, "join #tea");
        let tea = world.homeserver.wait_invite_to(alice.id(), false).await;
        alice.join(&tea).await;
    }
    let new = entered_space(&world, &alice).await;
    assert_ne!(new, old);
    wait_child(&world, &new, &network, "1").await;
    wait_child(&world, &new, &room, "2#rust").await;
}
