//! Changes of nick: the new ghost takes the old one's place, and a conversation follows its person.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use crate::support::bridge::World;
use crate::support::homeserver::{Event, Fault, TestUser};
use crate::support::ircd::Person;

const BOB: &str = "@irc_fake_bob:test.local";
const ROBERT: &str = "@irc_fake_robert:test.local";

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

/// Alice and Bob in a channel, where their changes of nick are seen, and in a conversation, of which this is the room.
async fn conversation(world: &World) -> (TestUser, Person, String) {
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, _) = world.user_in_channel("alice", "#rust").await;
    bob.say("alice", "hi there");
    let room = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&room).await;
    world.homeserver.wait_message(&room, "hi there").await;
    (alice, bob, room)
}

fn power(world: &World, room: &str, user: &str) -> serde_json::Value {
    world.homeserver.state(room, "m.room.power_levels", "")["users"][user].clone()
}

async fn wait_handed_over(world: &World, alice: &TestUser, room: &str, from: &str, to: &str) {
    world.homeserver.wait_member(room, from, "leave").await;
    let mut members = vec![alice.id().to_owned(), to.to_owned()];
    members.sort();
    assert_eq!(world.homeserver.members(room, "join"), members);
    assert!(world.homeserver.members(room, "invite").is_empty());
}

#[rstest]
#[case::creators_are_listed("11", "11")]
#[case::creators_are_not_listed("12", "12")]
#[case::creators_are_listed_and_those_of_new_rooms_are_not("11", "12")]
#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_follows_its_person_there_and_back_again(#[case] version: &str, #[case] later: &str) {
    let mut world = World::builder().room_version(version).start().await;
    let (alice, bob, room) = conversation(&world).await;
    bob.nick("robert");
    let told = world.homeserver.wait_event(&room, says("bob is now known as robert.")).await;
    assert_eq!((told.sender.as_str(), &told.content["msgtype"]), (BOB, &json!("m.notice")));
    wait_handed_over(&world, &alice, &room, BOB, ROBERT).await;
    assert_eq!((power(&world, &room, ROBERT), power(&world, &room, BOB)), (json!(100), json!(null)));
    bob.say("alice", "it's me");
    assert_eq!(world.homeserver.wait_message(&room, "it's me").await.sender, ROBERT);
    alice.send_text(&room, "I see");
    assert_eq!(bob.wait_text("I see").await.target(), "robert");
    // What is stored knows it, too, whatever rooms the homeserver makes by now.
    world.stop_bridge().await;
    let versions = json!({ "default": later, "available": { "11": "stable", "12": "stable" } });
    let capabilities = json!({ "capabilities": { "m.room_versions": versions } });
    world.homeserver.faults().fail("GET", "/capabilities", Fault::Status(200, capabilities), usize::MAX);
    world.start_bridge().await;
    world.ircd.wait_registered("alice").await;
    bob.say("alice", "still me");
    assert_eq!(world.homeserver.wait_message(&room, "still me").await.sender, ROBERT);
    world.ircd.wait_joined("#rust", "alice").await;
    bob.nick("bob");
    wait_handed_over(&world, &alice, &room, ROBERT, BOB).await;
    let listed = if version == "11" { json!(100) } else { json!(null) };
    assert_eq!((power(&world, &room, BOB), power(&world, &room, ROBERT)), (listed, json!(null)));
    bob.say("alice", "bob again");
    assert_eq!(world.homeserver.wait_message(&room, "bob again").await.sender, BOB);
    assert_eq!(world.database().texts("SELECT name FROM buffer WHERE kind = 'query'").await, ["bob"]);
}

#[rstest]
#[case::before_the_invitation("POST", "/invite")]
#[case::before_the_entry("POST", "/join")]
#[case::before_the_power("PUT", "m.room.power_levels")]
#[case::before_the_departure("POST", "/leave")]
#[tokio::test(flavor = "multi_thread")]
async fn invariant_2_a_room_is_handed_over_whole_whatever_step_a_stop_comes_at(
    #[case] method: &str,
    #[case] path: &str,
) {
    let mut world = World::start().await;
    let (alice, bob, room) = conversation(&world).await;
    let refusal = Fault::Status(502, json!({}));
    world.homeserver.faults().fail(method, path, refusal, usize::MAX);
    let before = world.homeserver.requests(method, path);
    bob.nick("robert");
    bob.say("alice", "under another name");
    world.homeserver.wait_requests(method, path, before + 1).await;
    world.stop_bridge().await;
    world.homeserver.faults().clear();
    world.start_bridge().await;
    let event = world.homeserver.wait_message(&room, "under another name").await;
    assert_eq!(event.sender, ROBERT);
    wait_handed_over(&world, &alice, &room, BOB, ROBERT).await;
    assert_eq!(power(&world, &room, ROBERT), 100);
    let lines = world.homeserver.timeline_lines(&room);
    for once in ["bob is now known as robert.", "under another name"] {
        assert_eq!(lines.iter().filter(|line| line.as_str() == once).count(), 1, "{once}: {lines:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_changes_nothing_about_the_handover() {
    let world = World::start().await;
    let (alice, bob, room) = conversation(&world).await;
    for (method, path) in
        [("POST", "/invite"), ("POST", "/join"), ("PUT", "m.room.power_levels"), ("POST", "/leave")]
    {
        world.homeserver.faults().fail(method, path, Fault::AnswerLost, 1);
    }
    bob.nick("robert");
    bob.say("alice", "here");
    assert_eq!(world.homeserver.wait_message(&room, "here").await.sender, ROBERT);
    wait_handed_over(&world, &alice, &room, BOB, ROBERT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_conversations_stay_two_and_both_are_told() {
    let world = World::start().await;
    let (alice, bob, room) = conversation(&world).await;
    let robert = world.ircd.person("robert");
    robert.say("alice", "I am robert");
    let other = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&other).await;
    world.homeserver.wait_message(&other, "I am robert").await;
    robert.quit("gone");
    bob.nick("robert");
    world.homeserver.wait_event(&room, says("You have another room for robert")).await;
    world.homeserver.wait_event(&other, says("bob is now known as robert.")).await;
    bob.say("alice", "which room?");
    world.homeserver.wait_message(&other, "which room?").await;
    assert_eq!(world.homeserver.members(&room, "join"), [alice.id(), BOB]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_changes_nicks_all_the_time_keeps_one_room_of_two() {
    let world = World::start().await;
    let (alice, bob, room) = conversation(&world).await;
    for _ in 0..5 {
        bob.nick("robert");
        bob.nick("bob");
    }
    bob.nick("rob");
    bob.say("alice", "enough");
    let event = world.homeserver.wait_message(&room, "enough").await;
    assert_eq!(event.sender, "@irc_fake_rob:test.local");
    wait_handed_over(&world, &alice, &room, BOB, &event.sender).await;
    let levels = world.homeserver.state(&room, "m.room.power_levels", "");
    assert_eq!(levels["users"], json!({ alice.id(): 50, event.sender.as_str(): 100 }));
    assert_eq!(world.database().texts("SELECT name FROM buffer WHERE kind = 'query'").await, ["rob"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_channel_the_new_ghost_comes_before_it_speaks_and_the_old_one_leaves() {
    // Where all of a channel's people are members, carol would have a ghost.
    let world = World::builder().config("settings:\n  members: active\n").start().await;
    let (bob, carol) = (world.ircd.person("bob"), world.ircd.person("carol"));
    for person in [&bob, &carol] {
        person.join("#rust");
    }
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "hi");
    world.homeserver.wait_message(&room, "hi").await;
    bob.nick("robert");
    carol.nick("caroline");
    world.homeserver.wait_member(&room, ROBERT, "join").await;
    world.homeserver.wait_member(&room, BOB, "leave").await;
    let is_kick = |event: &Event| event.state_key.as_deref() == Some(BOB) && event.sender != BOB;
    assert!(
        !world.homeserver.events(&room).iter().any(|event| is_kick(event) && event.membership() == "leave")
    );
    assert!(!world.homeserver.is_registered("@irc_fake_caroline:test.local"), "who never spoke has no ghost");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_the_nick_at_once_does_not_get_into_the_conversation_of_the_one_before() {
    let world = World::start().await;
    let (alice, _bob, room) = conversation(&world).await;
    let lines =
        ":bob!b@h NICK carol\r\n:mallory!m@h NICK bob\r\n:bob!m@h PRIVMSG alice :whom do you mean?\r\n";
    world.ircd.send_raw("alice", lines.as_bytes());
    let other = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&other).await;
    assert_ne!(other, room);
    assert_eq!(world.homeserver.wait_message(&other, "whom do you mean?").await.sender, BOB);
    let names = "SELECT name FROM buffer WHERE kind = 'query' ORDER BY id";
    assert_eq!(world.database().texts(names).await, ["carol", "bob"]);
    wait_handed_over(&world, &alice, &room, BOB, "@irc_fake_carol:test.local").await;
    assert!(!world.homeserver.events(&room).iter().any(says("whom do you mean?")));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_while_the_ghost_of_the_new_nick_comes_leaves_no_ghost_behind() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "hi");
    world.homeserver.wait_message(&room, "hi").await;
    world.homeserver.faults().fail("POST", "/join", Fault::Late(Duration::from_millis(700)), 2);
    let before = world.homeserver.requests("POST", "/join");
    bob.nick("robert");
    // Into the lobby, and into the room: of who leaves before that, nothing comes there.
    world.homeserver.wait_requests("POST", "/join", before + 2).await;
    bob.quit("gone");
    let is_robert = |event: &Event| event.state_key.as_deref() == Some(ROBERT);
    world.homeserver.wait_event(&room, |event| is_robert(event) && event.membership() == "join").await;
    world.homeserver.wait_member(&room, ROBERT, "leave").await;
}
