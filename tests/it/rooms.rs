//! Rooms: who may do what in them by the homeserver's own view, who gets in, and how they are made once.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::bridge::World;
use crate::support::homeserver::{Event, Fault, NewRoom, TestUser};

const BOB: &str = "@irc_fake_bob:test.local";

/// Ghosts come when they speak, and nobody brings them in before that.
const ONLY_SPEAKERS: &str = "settings:\n  members: active\n";

/// Everything that an owner must not be able to do in a room of the bridge.
fn assert_guarded(user: &TestUser, room: &str) {
    for (kind, content) in [
        ("m.room.encryption", json!({ "algorithm": "m.megolm.v1.aes-sha2" })),
        ("m.room.power_levels", json!({ "users": { user.id(): 100 } })),
        ("m.room.join_rules", json!({ "join_rule": "public" })),
        ("m.room.server_acl", json!({ "allow": [] })),
        ("m.room.tombstone", json!({ "body": "gone", "replacement_room": "!x:test.local" })),
        ("m.room.history_visibility", json!({ "history_visibility": "world_readable" })),
    ] {
        let refused = user.send_state(room, kind, "", content).unwrap_err();
        assert_eq!(refused.status, 403, "{kind} in {room}");
    }
}

#[rstest]
#[case::with_creators("12")]
#[case::before_creators("11")]
#[tokio::test(flavor = "multi_thread")]
async fn the_owner_may_name_a_room_and_not_take_it_out_of_the_bridges_hands(#[case] version: &str) {
    let world = World::builder().room_version(version).start().await;
    let homeserver = &world.homeserver;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, network) = world.connected_user("alice").await;
    alice.send_text(&control, "join #rust");
    let private = homeserver.wait_invite(alice.id()).await;
    alice.join(&private).await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("alice", "psst");
    let query = homeserver.wait_invite(alice.id()).await;
    alice.join(&query).await;
    bob.say("#rust", "hello");
    homeserver.wait_message(&private, "hello").await;

    for room in [&network, &private, &query] {
        assert_eq!(homeserver.state(room, "m.room.create", "")["room_version"], version);
        assert_eq!(homeserver.state(room, "m.room.create", "")["m.federate"], false);
        assert_guarded(&alice, room);
        alice.send_state(room, "m.room.topic", "", json!({ "topic": "mine" })).unwrap();
        alice.send_state(room, "m.room.name", "", json!({ "name": format!("my {room}") })).unwrap();
        let users = homeserver.state(room, "m.room.power_levels", "")["users"].clone();
        assert_eq!(users[alice.id()], 50);
        let creator = if room == &query { BOB.to_owned() } else { homeserver.bot() };
        assert_eq!(users[&creator], if version == "12" { Value::Null } else { json!(100) });
        let mut members = vec![alice.id().to_owned(), creator];
        if room == &private {
            assert_eq!(users[BOB], Value::Null, "ghosts have no power");
            members.push(BOB.to_owned());
        }
        members.sort();
        assert_eq!(homeserver.members(room, "join"), members);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_are_named_after_what_they_show_and_follow_the_topic() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    bob.topic("#rust", "all about \u{2}Rust\u{2}");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    assert_eq!(world.homeserver.state(&room, "m.room.name", "")["name"], "#rust (FakeNet)");
    world.homeserver.wait_event(&room, |event| event.content["topic"] == "all about Rust").await;
    bob.topic("#rust", "");
    world
        .homeserver
        .wait_event(&room, |event| event.kind == "m.room.topic" && event.content["topic"] == "")
        .await;
    // The topic survives a restart of the connection, and is not set anew for nothing.
    bob.topic("#rust", "new");
    world.homeserver.wait_event(&room, |event| event.content["topic"] == "new").await;
    let network = world.homeserver.room_named("FakeNet");
    assert!(
        world.homeserver.state(&network, "m.room.topic", "")["topic"].as_str().unwrap().contains("FakeNet")
    );
    for (room, channel) in [(&room, "#rust"), (&network, "FakeNet")] {
        let key = format!("chat.towline://irc/fake/{channel}");
        for kind in ["m.bridge", "uk.half-shot.bridge"] {
            let info = world.homeserver.state(room, kind, &key);
            assert_eq!((&info["protocol"]["id"], &info["channel"]["id"]), (&json!("irc"), &json!(channel)));
            assert_eq!(info["creator"], alice.id());
        }
    }
    // A query shows the other one's name, and is a direct chat of two.
    alice.send_text(&control, "query bob");
    let query = world.homeserver.wait_invite(alice.id()).await;
    let invite = world.homeserver.state(&query, "m.room.member", alice.id());
    assert_eq!(invite["is_direct"], true);
    assert_eq!(world.homeserver.state(&query, "m.room.name", ""), Value::Null);
    assert_eq!(world.homeserver.displayname(BOB).as_deref(), Some("bob"));
    assert!(
        world.homeserver.members(&query, "join") == [BOB]
            && world.homeserver.members(&query, "invite") == [alice.id()]
    );
}

#[rstest]
#[case::with_creators("12")]
#[case::before_creators("11")]
#[tokio::test(flavor = "multi_thread")]
async fn neither_an_outsider_nor_a_rooms_owner_can_enter_the_lobby(#[case] version: &str) {
    let world = World::builder().room_version(version).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "hello");
    world.homeserver.wait_message(&room, "hello").await;
    let lobby = world.homeserver.room_named("Lobby of FakeNet");
    assert_eq!(world.homeserver.state(&lobby, "m.room.create", "")["m.federate"], false);
    assert_eq!(world.homeserver.members(&lobby, "join"), [BOB.to_owned(), world.homeserver.bot()]);
    let mallory = world.homeserver.user("mallory");
    for user in [&alice, &mallory] {
        assert_eq!(user.try_join(&lobby).await.unwrap_err().status, 403);
        assert_eq!(user.try_invite(&lobby, user.id()).unwrap_err().status, 403);
    }
    // And nobody gets into alice's room with it.
    assert_eq!(mallory.try_join(&room).await.unwrap_err().status, 403);
    let level = world.homeserver.state(&lobby, "m.room.power_levels", "");
    assert_eq!((&level["invite"], &level["users"][BOB]), (&json!(100), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_that_the_lobby_knows_enters_with_one_call_and_no_invitation() {
    let world = World::builder().config(ONLY_SPEAKERS).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    bob.join("#go");
    let (alice, control, rust) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "hello");
    world.homeserver.wait_message(&rust, "hello").await;
    alice.send_text(&control, "join #go");
    world.ircd.wait_joined("#go", "alice").await;
    let go = world.homeserver.wait_invite(alice.id()).await;
    let before = ["/invite", "/join", "/register"].map(|path| world.homeserver.requests("POST", path));
    bob.say("#go", "here, too");
    world.homeserver.wait_message(&go, "here, too").await;
    let after = ["/invite", "/join", "/register"].map(|path| world.homeserver.requests("POST", path));
    assert_eq!(after, [before[0], before[1] + 1, before[2]]);
    let of_bob = |room: &str| -> Vec<String> {
        let events = world.homeserver.events(room).into_iter();
        let own = events.filter(|event| event.state_key.as_deref() == Some(BOB));
        own.map(|event| event.membership().to_owned()).collect()
    };
    assert_eq!((of_bob(&rust), of_bob(&go)), (vec!["join".to_owned()], vec!["join".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_lobby_opens_no_door_a_ghost_is_invited() {
    let world = World::builder().config(ONLY_SPEAKERS).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    let refused =
        json!({ "errcode": "M_FORBIDDEN", "error": "You do not belong to any of the required rooms" });
    // The lobby's own join, then the room's: only the second is refused.
    world.homeserver.faults().fail("POST", &format!("/rooms/{room}/join"), Fault::Status(403, refused), 1);
    bob.say("#rust", "hello");
    world.homeserver.wait_message(&room, "hello").await;
    let events = world.homeserver.events(&room);
    let own: Vec<&str> = events
        .iter()
        .filter(|event| event.state_key.as_deref() == Some(BOB))
        .map(Event::membership)
        .collect();
    assert_eq!(own, ["invite", "join"]);
    assert_eq!(world.homeserver.faults().remaining(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lobby_that_is_refused_costs_no_room_and_no_message() {
    let world = World::builder().config(ONLY_SPEAKERS).start().await;
    let (alice, control, _) = world.connected_user("alice").await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let refused = json!({ "errcode": "M_FORBIDDEN", "error": "You are not permitted to create rooms" });
    // The lobby is asked for when the room is planned, and again when a ghost comes.
    world.homeserver.faults().fail("POST", "/createRoom", Fault::Status(403, refused.clone()), 1);
    alice.send_text(&control, "join #rust");
    let room = world.homeserver.wait_invite(alice.id()).await;
    world.ircd.wait_joined("#rust", "alice").await;
    assert_eq!(world.homeserver.state(&room, "m.room.join_rules", "")["join_rule"], "invite");
    world.homeserver.faults().fail("POST", "/createRoom", Fault::Status(403, refused), 1);
    bob.say("#rust", "hello");
    world.homeserver.wait_message(&room, "hello").await;
    assert_eq!(world.homeserver.faults().remaining(), 0);
}

#[rstest]
#[case::lost_answers(Fault::AnswerLost, 3)]
#[case::bad_gateway(Fault::Status(502, json!("")), 3)]
#[case::refused(Fault::Status(403, json!({ "errcode": "M_FORBIDDEN", "error": "not now" })), 2)]
#[tokio::test(flavor = "multi_thread")]
async fn invariant_2_a_create_room_that_fails_makes_each_room_once(
    #[case] fault: Fault,
    #[case] times: usize,
) {
    let world = World::start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    world.homeserver.faults().fail("POST", "/createRoom", fault, times);
    alice.send_text(&control, "open fake");
    let network = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&network).await;
    alice.send_text(&network, "join #rust");
    let room = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&room).await;
    world.ircd.wait_joined("#rust", "alice").await;
    for name in ["FakeNet", "#rust (FakeNet)"] {
        assert_eq!(world.homeserver.rooms_named(name).len(), 1, "{name}");
    }
    assert!(world.homeserver.rooms_named("Lobby of FakeNet").len() <= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_2_no_failed_call_leaves_forgets_or_recreates_a_room() {
    let mut world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "hello");
    world.homeserver.wait_message(&room, "hello").await;
    let rooms = world.homeserver.rooms();
    for fault in [
        Fault::Status(403, json!({ "errcode": "M_FORBIDDEN", "error": "not in room" })),
        Fault::Status(404, json!({ "errcode": "M_NOT_FOUND", "error": "unknown room" })),
        Fault::Status(400, json!({ "errcode": "M_UNKNOWN", "error": "what" })),
        Fault::Status(500, json!({ "errcode": "M_UNKNOWN", "error": "Internal server error" })),
        Fault::Drop,
    ] {
        for part in ["/send/", "/receipt/", "/state/", "/join", "/invite", "/messages"] {
            world.homeserver.faults().fail("", part, fault.clone(), 1);
        }
        bob.say("#rust", "through a failure");
        bob.topic("#rust", &format!("{fault:?}"));
        alice.send_text(&room, &format!("{fault:?}"));
        alice.send_text(&control, "open fake");
        bob.wait_text(&format!("{fault:?}")).await;
        world.homeserver.faults().clear();
    }
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "after all that");
    world.homeserver.wait_message(&room, "after all that").await;
    assert_eq!(world.homeserver.rooms(), rooms);
    let bot = world.homeserver.bot();
    for room in &rooms {
        assert!(world.homeserver.members(room, "join").contains(&bot), "{room}");
    }
    assert_eq!(world.homeserver.requests("POST", "/forget"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_6_state_or_message_is_decided_by_the_state_key() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    // A message of a state's type leaves nothing, a state of a message's type says nothing.
    alice.send(&room, "m.room.member", json!({ "membership": "leave" }));
    alice.send_state(&room, "m.room.message", "", json!({ "msgtype": "m.text", "body": "state" })).unwrap();
    alice
        .send_state(&control, "m.room.message", "", json!({ "msgtype": "m.text", "body": "nonsense" }))
        .unwrap();
    alice.send(&control, "m.room.encryption", json!({ "algorithm": "m.megolm.v1.aes-sha2" }));
    alice.send_text(&room, "a message");
    bob.wait_text("a message").await;
    assert_eq!(bob.messages("#rust").len(), 1);
    assert!(world.ircd.names("#rust").contains(&"alice".to_owned()));
    alice.send_text(&control, "help");
    world
        .homeserver
        .wait_event(&control, |event| event.sender != alice.id() && event.body().contains("join"))
        .await;
    assert_eq!(world.homeserver.rooms_named("Towline").len(), 0, "nothing was encrypted");
    // Only the owner speaks through the room.
    let mallory = world.homeserver.user("mallory");
    alice.invite(&room, mallory.id());
    mallory.join(&room).await;
    mallory.send_text(&room, "I am alice");
    alice.send_text(&room, "and I am");
    bob.wait_text("and I am").await;
    assert_eq!(bob.messages("#rust").len(), 2);
}

#[rstest]
#[case::encrypted_from_the_start(true)]
#[case::encrypted_later(false)]
#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_chat_gets_one_explanation_in_a_room_that_is_not(#[case] from_the_start: bool) {
    let mut world = World::start().await;
    let alice = world.homeserver.user("alice");
    let chat = if from_the_start {
        alice.start_encrypted_dm(&world.homeserver.bot())
    } else {
        let (_, chat) = world.user_with_control_room("alice").await;
        let content = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
        alice.send_state(&chat, "m.room.encryption", "", content).unwrap();
        chat
    };
    let own = world.homeserver.wait_invite(alice.id()).await;
    assert_eq!(world.homeserver.state(&own, "m.room.encryption", ""), Value::Null);
    let alert = world.homeserver.wait_event(&own, |event| event.body().contains("encrypted")).await;
    assert_eq!(
        (&alert.content["msgtype"], &alert.content["m.mentions"]["user_ids"][0]),
        (&json!("m.text"), &json!(alice.id()))
    );
    alice.join(&own).await;
    for _ in 0..3 {
        alice.send(
            &chat,
            "m.room.encrypted",
            json!({ "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x" }),
        );
    }
    world.homeserver.wait_delivered().await;
    world.stop_bridge().await;
    world.start_bridge().await;
    alice.send(&chat, "m.room.encrypted", json!({ "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "y" }));
    // The room is a control room like any other, and its owner can't encrypt it.
    alice.send_text(&own, "status");
    world.homeserver.wait_event(&own, |event| event.body().contains("no network yet")).await;
    let explained = world.homeserver.timeline_bodies(&own);
    assert_eq!(explained.iter().filter(|body| body.contains("encrypted")).count(), 1);
    assert_guarded(&alice, &own);
    let said: Vec<_> =
        world.homeserver.timeline(&chat).into_iter().filter(|(sender, _)| sender != alice.id()).collect();
    assert_eq!(
        said.len(),
        usize::from(!from_the_start),
        "nothing but the greeting of the time before: {said:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_without_permission_gets_one_refusal_with_its_reason() {
    let mut world = World::builder().without_bridge().await;
    let mut config = world.config();
    config.permissions = towline::config::Permissions::default();
    world.start_bridge_with(config).await;
    let mallory = world.homeserver.user("mallory");
    let bot = world.homeserver.bot();
    let room = mallory.start_dm(&bot);
    world.homeserver.wait_member(&room, &bot, "leave").await;
    let refusal = world.homeserver.state(&room, "m.room.member", &bot);
    assert!(refusal["reason"].as_str().unwrap().contains("no permission"), "{refusal}");
    assert!(world.homeserver.timeline(&room).is_empty());
    assert_eq!(world.homeserver.rooms(), [room]);
}

#[tokio::test(flavor = "multi_thread")]
async fn to_invite_a_ghost_is_to_ask_for_the_querys_own_room() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    let (alice, _, _) = world.connected_user("alice").await;
    let chat = alice.start_dm(BOB);
    world.homeserver.wait_member(&chat, BOB, "leave").await;
    let reason = world.homeserver.state(&chat, "m.room.member", BOB)["reason"].clone();
    assert!(reason.as_str().unwrap().contains("room of its own"), "{reason}");
    let query = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&query).await;
    alice.send_text(&query, "hello bob");
    assert_eq!(bob.wait_text("hello bob").await.target(), "bob");
    // The bot is no third one there.
    let bot = world.homeserver.bot();
    alice.invite(&query, &bot);
    world.homeserver.wait_member(&query, &bot, "leave").await;
    assert_eq!(world.homeserver.members(&query, "join"), [alice.id(), BOB]);
}

#[tokio::test(flavor = "multi_thread")]
async fn to_invite_a_ghost_of_a_network_that_one_is_not_on_says_what_to_do() {
    let world = World::start().await;
    let (alice, _) = world.user_with_control_room("alice").await;
    for (ghost, says) in [(BOB, "open it"), ("@irc_nowhere_bob:test.local", "nobody of that name")] {
        // The homeserver asks for the ghost; one of no network does not come into being, and can't answer.
        let chat = alice.create_room(&NewRoom { invite: &[ghost], is_direct: true, ..NewRoom::default() });
        if says == "open it" {
            world.homeserver.wait_member(&chat, ghost, "leave").await;
            let reason = world.homeserver.state(&chat, "m.room.member", ghost)["reason"].clone();
            assert!(reason.as_str().unwrap().contains(says), "{reason}");
        } else {
            world.homeserver.wait_delivered().await;
            assert!(!world.homeserver.is_registered(ghost));
        }
    }
    assert!(world.homeserver.members(&world.homeserver.rooms()[0], "join").contains(&alice.id().to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_gives_private_rooms_aliases_also_through_a_failure() {
    let world =
        World::builder().config("templates: { alias: \"irc_{user}_{network}_{channel}\" }\n").start().await;
    world.homeserver.faults().fail("PUT", "/directory/room", Fault::Status(502, json!("")), 1);
    let (_, _, room) = world.user_in_channel("alice", "#Rust[a]").await;
    let alias = "#irc_alice_fake_=23rust=5ba=5d:test.local";
    world.homeserver.wait_requests("PUT", "/directory/room", 2).await;
    world.homeserver.wait_delivered().await;
    let found = tokio::time::timeout(crate::support::homeserver::LIMIT, async {
        while world.homeserver.alias(alias).is_none() {
            tokio::task::yield_now().await;
        }
    });
    found.await.unwrap();
    assert_eq!(world.homeserver.alias(alias), Some(room));
}
