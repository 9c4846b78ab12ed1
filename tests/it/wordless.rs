//! What is said in a room without words: stickers, polls, places and calls, as IRC is told of them.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::bridge::World;
use crate::support::homeserver::TestUser;
use crate::support::ircd::{Options, Person};

/// Alice and Bob in `#rust`.
async fn alice_and_bob() -> (World, TestUser, Person, String) {
    let world = World::builder().ircd(Options::default().without(&["message-tags"])).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    (world, alice, bob, room)
}

async fn say(world: &World, alice: &TestUser, room: &str, text: &str) -> String {
    let event = alice.send_text(room, text);
    world.homeserver.wait_receipt(room, &world.homeserver.bot(), &event).await;
    event
}

fn heard(bob: &Person) -> Vec<String> {
    let said = bob.messages("#rust").into_iter();
    said.filter(|(who, _)| who == "alice").map(|(_, text)| text).collect()
}

fn poll() -> Value {
    json!({ "m.text": [{ "body": "Tea? 1. Yes 2. No" }], "m.poll": { "kind": "m.disclosed", "max_selections": 1,
        "question": { "m.text": [{ "body": "Tea?" }] },
        "answers": [{ "m.id": "a", "m.text": [{ "body": "Yes" }] }, { "m.id": "b", "m.text": [{ "body": "No" }] }] } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_is_its_question_and_answers_and_how_it_ended() {
    let (world, alice, bob, room) = alice_and_bob().await;
    let start = alice.send(&room, "m.poll.start", poll());
    let refers = json!({ "rel_type": "m.reference", "event_id": start });
    let vote = json!({ "m.relates_to": refers, "m.selections": ["a"] });
    alice.send(&room, "m.poll.response", vote);
    say(&world, &alice, &room, "well?").await;
    let end =
        json!({ "m.relates_to": refers, "m.text": [{ "body": "The poll has ended. Top answer: Yes" }] });
    alice.send(&room, "m.poll.end", end);
    say(&world, &alice, &room, "thanks").await;
    let ended = "\"Poll: Tea?\" <- The poll has ended. Top answer: Yes";
    assert_eq!(heard(&bob), ["Poll: Tea?", "1. Yes", "2. No", "well?", ended, "thanks"]);
}

#[rstest]
#[case::sticker("m.sticker", json!({ "body": "Cat waving", "url": "mxc://test.local/x", "info": {} }), "Cat waving")]
#[case::place("m.room.message", json!({ "msgtype": "m.location", "body": "The pub", "geo_uri": "geo:52.5,13.4" }),
    "The pub: https://www.openstreetmap.org/?mlat=52.5&mlon=13.4")]
#[case::call("m.call.invite", json!({ "call_id": "c", "version": "1" }),
    "\u{1}ACTION started a call, which can't be joined from IRC\u{1}")]
#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_words_is_told_in_some(#[case] kind: &str, #[case] content: Value, #[case] line: &str) {
    let (world, alice, bob, room) = alice_and_bob().await;
    let event = alice.send(&room, kind, content);
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &event).await;
    assert_eq!(heard(&bob), [line]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_is_told_with_its_link_and_noise_not_at_all() {
    let (world, alice, bob, room) = alice_and_bob().await;
    let widget = json!({ "type": "jitsi", "name": "Meeting", "url": "https://app.example.org/jitsi.html",
        "data": { "domain": "meet.example.org", "conferenceId": "JitsiTea" } });
    alice.send_state(&room, "im.vector.modular.widgets", "w", widget).unwrap();
    for kind in
        ["m.call.candidates", "m.call.hangup", "m.key.verification.start", "m.beacon", "m.poll.response"]
    {
        alice.send(&room, kind, json!({ "body": "noise" }));
    }
    say(&world, &alice, &room, "come").await;
    let meeting = "\u{1}ACTION started a meeting: https://meet.example.org/JitsiTea\u{1}";
    assert_eq!(heard(&bob), [meeting, "come"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_is_no_command() {
    let (world, alice, _, _) = alice_and_bob().await;
    let control = alice.start_dm(&world.homeserver.bot());
    world.homeserver.wait_event(&control, |event| event.body().contains("To begin")).await;
    let before = world.homeserver.event_count(&control);
    alice.send(&control, "m.poll.start", poll());
    alice.send_text(&control, "networks");
    world.homeserver.wait_event(&control, |event| event.body().contains("FakeNet")).await;
    let answers = world.homeserver.events(&control).into_iter().skip(before);
    assert!(!answers.into_iter().any(|event| event.body().contains("Poll")));
}
