//! What the homeserver refuses for good is told in the network room, once for each reason.

use serde_json::json;

use super::{SEND, Talk};
use crate::support::bridge::World;
use crate::support::homeserver::Fault;

fn refusal(code: &str, words: &str) -> Fault {
    Fault::Status(400, json!({ "errcode": code, "error": words }))
}

/// What the network room says about refusals.
fn told(talk: &Talk) -> Vec<String> {
    let room = talk.world.homeserver.room_named("FakeNet");
    let lines = talk.world.homeserver.timeline_lines(&room).into_iter();
    lines.filter(|line| line.starts_with("The homeserver refused")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_refusal_is_told_in_words() {
    let talk = Talk::begin().await;
    let network = talk.world.homeserver.room_named("FakeNet");
    let faults = talk.world.homeserver.faults();
    faults.fail("PUT", SEND, refusal("M_BAD_JSON", "I do not like this."), 1);
    talk.bob.say("#rust", "refused");
    talk.world.homeserver.wait_event(&network, |event| event.body().starts_with("The homeserver")).await;
    let first = "The homeserver refused a message by bob in #rust: I do not like this. It was not shown.";
    assert_eq!(told(&talk), [first]);
    faults.fail("PUT", "/state/m.room.topic", refusal("M_FORBIDDEN", "not you"), 1);
    talk.bob.topic("#rust", "new");
    talk.world.homeserver.wait_event(&network, |event| event.body().contains("It was not made.")).await;
    let second = "The homeserver refused a change of the room in #rust: not you. It was not made. If that room is gone, I \
        make another: type join #rust.";
    assert_eq!(told(&talk), [first, second]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_one_kind_are_told_together_at_the_latest_after_the_next_start() {
    let mut talk = Talk::begin().await;
    talk.hold_back("refused", || talk.say("line", 3)).await;
    let faults = talk.world.homeserver.faults();
    // The line that waits alone, the three together, and each of them.
    faults.fail("PUT", SEND, refusal("M_BAD_JSON", "no"), 5);
    faults.end_first();
    let carol = talk.world.ircd.person("carol");
    carol.join("#rust");
    carol.say("#rust", "taken");
    talk.world.homeserver.wait_message(&talk.room, "taken").await;
    talk.world.stop_bridge().await;
    talk.world.start_bridge().await;
    let network = talk.world.homeserver.room_named("FakeNet");
    talk.world.homeserver.wait_event(&network, |event| event.body().starts_with("The homeserver")).await;
    let text = "The homeserver refused a message by bob in #rust: no. It was not shown, and 3 more like it.";
    assert_eq!(told(&talk), [text]);
    let refused = "SELECT CAST(COUNT(*) AS TEXT) FROM outbox WHERE state = 'refused'";
    assert_eq!(talk.world.database().texts(refused).await, ["4"]);
}

/// Before, only the process knew what was still to be told.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_a_refusal_and_its_telling_silences_nothing() {
    let world = World::builder().without_bridge().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let process = world.start_process();
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.wait_room_named("FakeNet").await;
    bob.say("#rust", "hello");
    world.homeserver.wait_message(&room, "hello").await;
    // The greeting of the network would have the refusal.
    world.wait_outbox_empty().await;
    let faults = world.homeserver.faults();
    faults.fail("PUT", SEND, refusal("M_BAD_JSON", "no"), 1);
    bob.say("#rust", "refused");
    let is_refused =
        "SELECT CAST(COUNT(*) AS TEXT) FROM outbox WHERE state = 'refused' AND untold IS NOT NULL";
    world.database().wait("the refusal is stored", is_refused, |found| found == ["1"]).await;
    process.kill().await;
    world.ircd.wait_gone("alice").await;
    let process = world.start_process();
    let told = |body: &str| body.starts_with("The homeserver refused a message by bob in #rust: no.");
    world.homeserver.wait_event(&network, |event| told(event.body())).await;
    world.wait_outbox_empty().await;
    let lines = world.homeserver.timeline_lines(&network);
    assert_eq!(lines.iter().filter(|line| told(line)).count(), 1, "{lines:?}");
    assert_eq!(process.stop().await, Some(0));
}
