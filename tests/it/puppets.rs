//! Double puppeting: what is said from another client appears as the user, and never goes round.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::bridge::World;
use crate::support::homeserver::{Event, Fault};

const BOB: &str = "@irc_fake_bob:test.local";
const KEY: &str = "chat.towline.key";

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

/// What another client of the same person has said, as a bouncer or the server shows it.
fn said_elsewhere(world: &World, target: &str, text: &str) {
    world.ircd.send_raw("alice", format!(":alice!alice@host PRIVMSG {target} :{text}\r\n").as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_from_another_client_appears_as_the_user_and_does_not_go_round() {
    let mut world = World::builder().double_puppet(true).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    said_elsewhere(&world, "#rust", "from my phone");
    let said = world.homeserver.wait_message(&room, "from my phone").await;
    assert_eq!((said.sender.as_str(), &said.content["msgtype"]), (alice.id(), &json!("m.text")));
    assert!(!world.homeserver.is_registered("@irc_fake_alice:test.local"), "no ghost of hers was needed");
    // An answer that is lost makes no second one.
    world.homeserver.faults().fail("PUT", &format!("/rooms/{room}/send/"), Fault::AnswerLost, 1);
    said_elsewhere(&world, "#rust", "and again");
    world.homeserver.wait_message(&room, "and again").await;
    // The homeserver hands them back, also in a transaction of its own and after a restart.
    world.homeserver.wait_delivered().await;
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    alice.send_text(&room, "typed here");
    bob.wait_text("typed here").await;
    let heard: Vec<String> = bob.messages("#rust").into_iter().map(|(_, text)| text).collect();
    assert_eq!(heard, ["typed here"], "nothing went round");
    let lines = world.homeserver.timeline_lines(&room);
    assert_eq!(lines.iter().filter(|line| line.as_str() == "and again").count(), 1, "{lines:?}");
}

/// It was known as the user's own only while there was double puppeting, and went to IRC a second time after that.
#[rstest]
#[case::its_setting_is_taken_out(true)]
#[case::the_homeserver_failed_when_it_was_asked(false)]
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_elsewhere_does_not_go_round_after_a_start_at_which(#[case] is_taken_out: bool) {
    let mut world = World::builder().double_puppet(true).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    said_elsewhere(&world, "#rust", "from my phone");
    world.homeserver.wait_message(&room, "from my phone").await;
    world.wait_outbox_empty().await;
    world.homeserver.wait_delivered().await;
    world.stop_bridge().await;
    let mut config = world.config();
    if is_taken_out {
        config.double_puppet = None;
    } else {
        // The bot is asked who it is before that.
        let fault = Fault::Status(502, json!("<html>502 Bad Gateway</html>"));
        world.homeserver.faults().fail_each(2, "GET", "/whoami", fault, 1);
    }
    world.start_bridge_with(config).await;
    world.wait_looked_through(&room).await;
    world.ircd.wait_joined("#rust", "alice").await;
    alice.send_text(&room, "typed here");
    bob.wait_text("typed here").await;
    let heard: Vec<String> = bob.messages("#rust").into_iter().map(|(_, text)| text).collect();
    assert_eq!(heard, ["typed here"], "nothing went round");
    assert_eq!(world.homeserver.faults().remaining(), 0);
    said_elsewhere(&world, "#rust", "and again");
    let said = world.homeserver.wait_message(&room, "and again").await;
    assert_eq!(said.sender == alice.id(), !is_taken_out);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_conversation_both_sides_are_themselves() {
    let world = World::builder().double_puppet(true).start().await;
    let (alice, _, _) = world.connected_user("alice").await;
    let bob = world.ircd.person("bob");
    said_elsewhere(&world, "bob", "on my way");
    let is_hers = |event: &Event| event.kind == "m.room.message" && event.body() == "on my way";
    let room = world.homeserver.wait_room_of(BOB).await;
    let said = world.homeserver.wait_event(&room, is_hers).await;
    assert_eq!(said.sender, alice.id());
    assert_eq!(world.homeserver.members(&room, "join"), [alice.id(), BOB], "she said something there");
    bob.say("alice", "good");
    world.homeserver.wait_message(&room, "good").await;
    alice.send_text(&room, "see you");
    bob.wait_text("see you").await;
    assert_eq!(bob.messages("bob").len(), 1, "nothing went round");
}

/// The key alone proves nothing: a client may copy it into what its user says.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_says_with_a_key_of_ours_goes_to_irc() {
    let world = World::builder().double_puppet(true).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    said_elsewhere(&world, "#rust", "from my phone");
    let said = world.homeserver.wait_message(&room, "from my phone").await;
    world.wait_outbox_empty().await;
    let key = said.content[KEY].clone();
    alice.send(&room, "m.room.message", json!({ "msgtype": "m.text", "body": "copied", KEY: key }));
    bob.wait_text("copied").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_channel_rings_for_mentions_only_unless_its_user_wants_otherwise() {
    let world = World::builder().double_puppet(true).start().await;
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let rule = |kind: &str, room: &str| world.homeserver.push_rule(alice.id(), kind, room);
    world.homeserver.wait_push_rule(alice.id(), "room", &room, true).await;
    assert_eq!(rule("room", &room), Some(json!({ "actions": [] })));
    alice.send_text(&room, "!irc set notify none");
    world.homeserver.wait_push_rule(alice.id(), "override", &room, true).await;
    let muted = rule("override", &room).unwrap();
    assert_eq!(muted["conditions"][0]["pattern"], json!(room));
    alice.send_text(&room, "!irc set notify all");
    world.homeserver.wait_push_rule(alice.id(), "room", &room, false).await;
    assert_eq!(rule("override", &room), None);
    alice.send_text(&control, "set notify all");
    world.homeserver.wait_event(&control, says("notify all for you")).await;
    alice.send_text(&control, "join #tea");
    let tea = world.homeserver.wait_invite(alice.id()).await;
    world.ircd.wait_joined("#tea", "alice").await;
    assert_eq!(rule("room", &tea), None);
    let network = world.homeserver.room_named("FakeNet");
    assert!(!world.homeserver.timeline_bodies(&network).iter().any(|body| body.contains("Mentions and")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_muted_and_rings_again_as_the_others_do() {
    let world = World::builder().double_puppet(true).start().await;
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let wait = async |kind, there| world.homeserver.wait_push_rule(alice.id(), kind, &room, there).await;
    wait("room", true).await;
    alice.send_text(&room, "!irc mute");
    wait("override", true).await;
    let answer = world.homeserver.wait_event(&room, says("rings for nothing")).await;
    assert!(answer.body().ends_with("type !irc unmute #rust."), "{}", answer.body());
    alice.send_text(&control, "unmute #rust");
    wait("override", false).await;
    world.homeserver.wait_event(&control, says("The room of #rust rings for what mentions you.")).await;
    // Though all channels are mute, one that is unmuted rings.
    alice.send_text(&control, "set notify none");
    wait("override", true).await;
    alice.send_text(&room, "!irc unmute");
    wait("override", false).await;
    wait("room", true).await;
}

#[rstest]
#[case::muted("mute")]
#[case::unmuted("unmute")]
#[tokio::test(flavor = "multi_thread")]
async fn without_it_mute_says_where_a_room_is_muted(#[case] command: &str) {
    let world = World::start().await;
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    alice.send_text(&room, &format!("!irc {command}"));
    let told = "This bridge can't set that for you, since it has no double puppeting: in Element open the room's settings";
    world.homeserver.wait_event(&room, says(told)).await;
    alice.send_text(&control, "set fake #rust notify");
    world.homeserver.wait_event(&control, says("notify mentions (built in)")).await;
    alice.send_text(&control, &format!("{command} #tea"));
    world.homeserver.wait_event(&control, says("You have no room for #tea.")).await;
}

/// Each change was a task of its own, and the one that failed for a while was done last.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_rings_as_it_is_wanted_last() {
    let world = World::builder().double_puppet(true).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    world.homeserver.wait_push_rule(alice.id(), "room", &room, true).await;
    let requests = |method: &str| world.homeserver.requests(method, "/pushrules/");
    let (set, removed) = (requests("PUT"), requests("DELETE"));
    let fault = Fault::Status(502, json!("<html>502 Bad Gateway</html>"));
    world.homeserver.faults().fail("PUT", "/pushrules/", fault, 3);
    alice.send_text(&room, "!irc set notify none");
    world.homeserver.wait_requests("PUT", "/pushrules/", set + 1).await;
    alice.send_text(&room, "!irc set notify all");
    world.homeserver.wait_requests("PUT", "/pushrules/", set + 4).await;
    world.homeserver.wait_requests("DELETE", "/pushrules/", removed + 2).await;
    alice.send_text(&room, "marker");
    bob.wait_text("marker").await;
    world.homeserver.wait_push_rule(alice.id(), "room", &room, false).await;
    world.homeserver.wait_push_rule(alice.id(), "override", &room, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_it_the_bot_says_once_how_a_room_rings_less() {
    let mut world = World::start().await;
    let (alice, control, _) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    world.homeserver.wait_event(&network, says("Mentions and keywords")).await;
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    alice.send_text(&control, "join #tea");
    world.ircd.wait_joined("#tea", "alice").await;
    world.ircd.send_raw("alice", b":fake.irc NOTICE alice :marker\r\n");
    world.homeserver.wait_event(&network, says("marker")).await;
    let told = world.homeserver.timeline_bodies(&network);
    assert_eq!(told.iter().filter(|body| body.contains("Mentions and")).count(), 1, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_registration_that_the_homeserver_does_not_know_costs_nothing_else() {
    let world = World::builder().double_puppet(false).start().await;
    let (_alice, _, room) = world.user_in_channel("alice", "#rust").await;
    said_elsewhere(&world, "#rust", "from my phone");
    let said = world.homeserver.wait_message(&room, "from my phone").await;
    assert_eq!(said.sender, "@irc_fake_alice:test.local");
    assert_eq!(world.homeserver.push_rule("@alice:test.local", "room", &room), None::<Value>);
}
