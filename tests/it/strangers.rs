//! People who write for the first time: rooms that open, questions, and how many of both there are.

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};

const EVE: &str = "@irc_fake_eve:test.local";

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

/// Alice, who wants to be asked, and her network's room; with the question about Eve, who has written twice.
async fn asked_about_eve(world: &World) -> (TestUser, String, Event, crate::support::ircd::Person) {
    let (alice, control, network) = world.connected_user("alice").await;
    alice.send_text(&control, "set strangers ask");
    world.homeserver.wait_event(&control, says("strangers ask for you")).await;
    let eve = world.ircd.person("eve");
    eve.say("alice", "do you want to \u{2}buy\u{2} this?");
    eve.say("alice", "it is cheap");
    let question = world.homeserver.wait_event(&network, says("eve (~eve@")).await;
    (alice, network, question, eve)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_says_waits_behind_one_question_and_comes_in_order_when_it_is_accepted() {
    let mut world = World::start().await;
    let (alice, network, question, eve) = asked_about_eve(&world).await;
    assert!(question.body().contains("do you want to buy this?"), "{}", question.body());
    assert_eq!(question.content["m.mentions"]["user_ids"][0], alice.id());
    assert!(!world.homeserver.is_registered(EVE), "nothing was made for her");
    // It waits over a restart, and nobody is asked again.
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_registered("alice").await;
    eve.say("alice", "hello?");
    eve.notice("alice", "the end");
    let bob = world.ircd.person("bob");
    bob.notice("alice", "marker");
    world.homeserver.wait_event(&network, says("bob: marker")).await;
    let asked = world.homeserver.timeline_bodies(&network);
    assert_eq!(asked.iter().filter(|body| body.contains("for the first time")).count(), 1, "{asked:?}");
    alice.react(&network, &question.event_id, "✅");
    world.homeserver.wait_event(&network, says("The conversation with eve has a room")).await;
    let room = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&room).await;
    world.homeserver.wait_message(&room, "the end").await;
    let lines = world.homeserver.timeline_lines(&room);
    assert_eq!(lines, ["do you want to buy this?", "it is cheap", "hello?", "the end"]);
    alice.send_text(&room, "no");
    assert_eq!(eve.wait_text("no").await.target(), "eve");
    // She is no stranger any more.
    eve.say("alice", "are you sure?");
    world.homeserver.wait_message(&room, "are you sure?").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_who_is_ignored_is_kept_in_the_history_and_found_again_by_query() {
    let world = World::start().await;
    let (alice, network, question, eve) = asked_about_eve(&world).await;
    alice.react(&network, &question.event_id, "❌");
    world.homeserver.wait_event(&network, says("is kept in the history")).await;
    eve.say("alice", "why so silent?");
    // Her line and the question go different ways.
    let bob = world.ircd.person("bob");
    bob.notice("alice", "marker");
    world.homeserver.wait_event(&network, says("bob: marker")).await;
    alice.send_text(&network, "history eve");
    world.homeserver.wait_event(&network, says("why so silent?")).await;
    assert!(!world.homeserver.is_registered(EVE));
    alice.send_text(&network, "query eve");
    let room = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&room).await;
    world.homeserver.wait_message(&room, "why so silent?").await;
    eve.say("alice", "there you are");
    world.homeserver.wait_message(&room, "there you are").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_who_is_blocked_is_not_heard_now_and_after_a_restart() {
    let mut world = World::start().await;
    let (alice, network, question, eve) = asked_about_eve(&world).await;
    alice.react(&network, &question.event_id, "🚫");
    world.homeserver.wait_event(&network, says("is dropped from now on")).await;
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_registered("alice").await;
    eve.say("alice", "listen to me");
    eve.notice("alice", "or to this");
    let bob = world.ircd.person("bob");
    bob.notice("alice", "marker");
    world.homeserver.wait_event(&network, says("bob: marker")).await;
    assert!(!world.homeserver.is_registered(EVE));
    let history = world.database().texts("SELECT text FROM history").await;
    assert!(!history.iter().any(|text| text.contains("listen")), "{history:?}");
    let shown = world.homeserver.timeline_bodies(&network);
    assert!(!shown.iter().any(|body| body.contains("listen") || body.contains("or to this")), "{shown:?}");
}

/// Before, they were taken for somebody new, and where they were not, they never got a room.
#[rstest::rstest]
#[case::ignored("❌", "is kept in the history")]
#[case::blocked("🚫", "is dropped from now on")]
#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_about_a_stranger_holds_when_the_network_was_closed_since(
    #[case] answer: &str,
    #[case] told: &str,
) {
    let world = World::start().await;
    let (alice, network, question, eve) = asked_about_eve(&world).await;
    alice.react(&network, &question.event_id, answer);
    world.homeserver.wait_event(&network, says(told)).await;
    let control = alice.start_dm(&world.homeserver.bot());
    world.homeserver.wait_event(&control, says("To begin")).await;
    alice.send_text(&control, "close fake confirm");
    world.homeserver.wait_event(&control, says("Closed: ")).await;
    world.ircd.wait_gone("alice").await;
    alice.send_text(&control, "open fake");
    let network = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    world.ircd.wait_registered("alice").await;
    eve.say("alice", "and now?");
    let bob = world.ircd.person("bob");
    bob.notice("alice", "marker");
    world.homeserver.wait_event(&network, says("bob: marker")).await;
    let shown = world.homeserver.timeline_bodies(&network);
    assert!(!shown.iter().any(|body| body.contains("for the first time")), "{shown:?}");
    assert!(!world.homeserver.is_registered(EVE));

    alice.send_text(&network, "query eve");
    let room = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    eve.say("alice", "there you are");
    world.homeserver.wait_message(&room, "there you are").await;
}

/// Before, the ghost of the nick before made the room, and stayed in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_who_was_renamed_before_they_were_ignored_has_a_room_under_their_own_name() {
    let world = World::start().await;
    let (alice, network, question, eve) = asked_about_eve(&world).await;
    eve.nick("eve2");
    eve.say("alice", "it is me");
    let bob = world.ircd.person("bob");
    bob.notice("alice", "marker");
    world.homeserver.wait_event(&network, says("bob: marker")).await;
    alice.react(&network, &question.event_id, "❌");
    world.homeserver.wait_event(&network, says("is kept in the history")).await;
    alice.send_text(&network, "query eve2");
    let room = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    eve.say("alice", "there you are");
    let line = world.homeserver.wait_message(&room, "there you are").await;
    assert_eq!(line.sender, "@irc_fake_eve2:test.local");
    let mut members = world.homeserver.members(&room, "join");
    members.sort();
    assert_eq!(members, [alice.id(), "@irc_fake_eve2:test.local"]);
    assert!(!world.homeserver.is_registered(EVE));
}

/// Before, the question of before stood in a room that nobody saw, and none came again.
#[tokio::test(flavor = "multi_thread")]
async fn who_closed_a_network_with_a_question_about_a_stranger_is_asked_again_when_it_is_open() {
    let world = World::start().await;
    let (alice, _, _, eve) = asked_about_eve(&world).await;
    let control = alice.start_dm(&world.homeserver.bot());
    world.homeserver.wait_event(&control, says("To begin")).await;
    alice.send_text(&control, "close fake confirm");
    world.homeserver.wait_event(&control, says("Closed: ")).await;
    world.ircd.wait_gone("alice").await;
    alice.send_text(&control, "open fake");
    let network = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    world.ircd.wait_registered("alice").await;
    eve.say("alice", "still here");
    let question = world.homeserver.wait_event(&network, says("eve (~eve@")).await;
    alice.react(&network, &question.event_id, "✅");
    let room = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    world.homeserver.wait_message(&room, "still here").await;
    let lines = world.homeserver.timeline_lines(&room);
    assert_eq!(lines, ["do you want to buy this?", "it is cheap", "still here"]);
}

/// Before, nothing said that there was more.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_stranger_who_said_much_so_many_lines_are_shown_and_that_there_are_more() {
    let world = World::start().await;
    let (alice, network, question, eve) = asked_about_eve(&world).await;
    for number in 3..=52 {
        eve.say("alice", &format!("line {number}"));
    }
    let bob = world.ircd.person("bob");
    bob.notice("alice", "marker");
    world.homeserver.wait_event(&network, says("bob: marker")).await;
    alice.react(&network, &question.event_id, "✅");
    let room = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    world.homeserver.wait_message(&room, "More was said meanwhile; the history has it.").await;
    let lines = world.homeserver.timeline_lines(&room);
    assert_eq!((lines.len(), lines[49].as_str()), (51, "line 50"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_the_user_writes_to_is_no_stranger() {
    let world = World::start().await;
    let (alice, control, _) = world.connected_user("alice").await;
    alice.send_text(&control, "set strangers ask");
    world.homeserver.wait_event(&control, says("strangers ask for you")).await;
    let eve = world.ircd.person("eve");
    alice.send_text(&control, "query eve hello");
    let room = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&room).await;
    eve.wait_text("hello").await;
    eve.say("alice", "hello yourself");
    world.homeserver.wait_message(&room, "hello yourself").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_9_complaint_927_a_flood_of_strangers_opens_so_many_rooms_and_is_told_once() {
    let world = World::start().await;
    let (alice, _, network) = world.connected_user("alice").await;
    for number in 0..34 {
        let line = format!(":spam{number}!s@h PRIVMSG alice :buy {number}\r\n");
        world.ircd.send_raw("alice", line.as_bytes());
    }
    world.homeserver.wait_event(&network, says("spam33: buy 33")).await;
    let shown = world.homeserver.timeline_lines(&network);
    assert_eq!(shown.iter().filter(|line| line.contains("More than 30 people")).count(), 1, "{shown:?}");
    assert_eq!(shown.iter().filter(|line| line.starts_with("spam")).count(), 4, "{shown:?}");
    let queries = world.database().texts("SELECT name FROM buffer WHERE kind = 'query'").await;
    assert_eq!(queries.len(), 30);
    // An hour later somebody can write again.
    world.pass("alice", std::time::Duration::from_mins(61)).await;
    world.ircd.send_raw("alice", b":carol!c@h PRIVMSG alice :hi there\r\n");
    let is_there = async {
        while !world.homeserver.is_registered("@irc_fake_carol:test.local") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::support::homeserver::LIMIT, is_there).await.unwrap();
    drop(alice);
}
