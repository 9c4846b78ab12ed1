//! Messages between rooms and IRC: what they look like, their order, and what becomes of each.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::bridge::World;
use crate::support::homeserver::Event;
use crate::support::ircd::Person;

const BOB: &str = "@irc_fake_bob:test.local";

/// Alice in `#rust` with Bob.
async fn alice_and_bob() -> (World, crate::support::homeserver::TestUser, Person, String) {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    (world, alice, bob, room)
}

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

/// What the bridge has answered to an event.
fn answers(world: &World, room: &str, event_id: &str) -> Vec<String> {
    let events = world.homeserver.events(room).into_iter();
    let answers =
        events.filter(|event| event.content["m.relates_to"]["m.in_reply_to"]["event_id"] == event_id);
    answers.map(|event| event.body().to_owned()).collect()
}

fn answer_to(event_id: &str) -> impl Fn(&Event) -> bool {
    move |event| event.content["m.relates_to"]["m.in_reply_to"]["event_id"] == event_id
}

fn said_by(person: &Person, nick: &str) -> Vec<String> {
    person.messages("#rust").into_iter().filter(|(who, _)| who == nick).map(|(_, text)| text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn text_notice_and_action_keep_their_kind_both_ways() {
    let (world, alice, bob, room) = alice_and_bob().await;
    bob.say("#rust", "a text");
    bob.notice("#rust", "a notice");
    bob.action("#rust", "waves");
    for (body, kind) in [("a text", "m.text"), ("a notice", "m.notice"), ("waves", "m.emote")] {
        let event = world.homeserver.wait_message(&room, body).await;
        assert_eq!((event.content["msgtype"].as_str(), event.sender.as_str()), (Some(kind), BOB));
    }
    alice.send(&room, "m.room.message", json!({ "msgtype": "m.notice", "body": "from a bot" }));
    assert_eq!(bob.wait_text("from a bot").await.command, "NOTICE");
    alice.send(&room, "m.room.message", json!({ "msgtype": "m.emote", "body": "smiles" }));
    assert_eq!(bob.wait_text("\u{1}ACTION smiles\u{1}").await.command, "PRIVMSG");
    alice.send_text(&room, "plain");
    assert_eq!(bob.wait_text("plain").await.command, "PRIVMSG");
}

#[tokio::test(flavor = "multi_thread")]
async fn formatting_codes_become_html_and_leave_the_plain_text_clean() {
    let (world, _, bob, room) = alice_and_bob().await;
    bob.say("#rust", "\u{2}bold\u{f} and \u{3}04red\u{3} <b>&");
    let event = world.homeserver.wait_message(&room, "bold and red <b>&").await;
    assert_eq!(
        event.content["formatted_body"],
        "<b>bold</b> and <span data-mx-color=\"#ff0000\">red</span> &lt;b&gt;&amp;"
    );
    assert_eq!(event.content["format"], "org.matrix.custom.html");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_mention_of_the_own_nick_mentions_the_user() {
    let (world, alice, bob, room) = alice_and_bob().await;
    for (text, mentioned) in [("ALICE: look", true), ("malice aforethought", false), ("for @alice!", true)] {
        bob.say("#rust", text);
        let event = world.homeserver.wait_message(&room, text).await;
        let expected = if mentioned { json!({ "user_ids": [alice.id()] }) } else { json!({}) };
        assert_eq!(event.content["m.mentions"], expected, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_text_is_split_without_loss() {
    let (world, alice, bob, room) = alice_and_bob().await;
    let long: String = (0..600).map(|n| char::from_u32(0x4e00 + n).unwrap()).collect();
    let event = alice.send_text(&room, &long);
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &event).await;
    let lines = said_by(&bob, "alice");
    assert!(lines.len() > 3);
    assert_eq!(lines.concat(), long, "the fake server cuts what is too long, as real ones do");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_of_too_many_lines_is_told_and_none_of_it_sent() {
    let (world, alice, bob, room) = alice_and_bob().await;
    let sixty: Vec<String> = (1..=60).map(|n| format!("line {n}")).collect();
    let flood = alice.send_text(&room, &sixty.join("\n"));
    let question = world.homeserver.wait_event(&room, answer_to(&flood)).await;
    // The bridge knows the question by its event only then.
    world.wait_outbox_empty().await;
    alice.react(&room, &question.event_id, "✅");
    bob.wait_text("line 60").await;
    let too_long = alice.send_text(&room, &format!("{}\none more", sixty.join("\n")));
    let answer = world.homeserver.wait_event(&room, answer_to(&too_long)).await;
    assert!(answer.body().contains("61 lines"), "{}", answer.body());
    // Receipts are cumulative, and whoever was told has their message settled.
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &too_long).await;
    assert_eq!(said_by(&bob, "alice"), sixty);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_line_end_ends_a_line() {
    let (world, alice, bob, room) = alice_and_bob().await;
    let event = alice.send_text(&room, "a\r\nb\rc\nd\u{2028}e\u{2029}f\u{85}g\n\n  \nh");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &event).await;
    assert_eq!(said_by(&bob, "alice"), ["a", "b", "c", "d", "e", "f", "g", "h"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_no_utf8_is_read_as_windows_1252() {
    let (world, _, _bob, room) = alice_and_bob().await;
    world.ircd.send_raw("alice", b":bob!b@h PRIVMSG #rust :caf\xe9 \x80 5\r\n");
    world.homeserver.wait_message(&room, "café € 5").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_nothing_in_a_message_ends_its_line() {
    let (world, alice, bob, room) = alice_and_bob().await;
    // What the bridge asks when it has entered a channel has come before the answer to this.
    bob.say("#rust", "before");
    world.homeserver.wait_message(&room, "before").await;
    world.pass("alice", Duration::ZERO).await;
    let mark = world.ircd.mark();
    let event = alice
        .send_text(&room, "x\r\nQUIT :injected\rPRIVMSG bob :injected\nJOIN #evil\0\nnul\0\r\nPART #rust");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &event).await;
    let expected = ["x", "QUIT :injected", "PRIVMSG bob :injected", "JOIN #evil", "nul", "PART #rust"];
    assert_eq!(said_by(&bob, "alice"), expected);
    let lines = world.ircd.lines().into_iter().skip(mark).map(|one| one.line());
    let others: Vec<String> =
        lines.filter(|line| !line.starts_with("PRIVMSG #rust :") && !line.starts_with("PING ")).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_6_only_the_rooms_owner_speaks_through_it() {
    let (world, alice, bob, room) = alice_and_bob().await;
    let eve = world.homeserver.user("eve");
    alice.invite(&room, eve.id());
    eve.join(&room).await;
    eve.send_text(&room, "as alice");
    alice.send_text(&room, "from alice");
    bob.wait_text("from alice").await;
    assert_eq!(said_by(&bob, "alice"), ["from alice"]);
    // A message with a state key is state, and no message.
    let content = json!({ "msgtype": "m.text", "body": "as state" });
    if alice.send_state(&room, "m.room.message", "", content).is_ok() {
        alice.send_text(&room, "after it");
        bob.wait_text("after it").await;
        assert_eq!(said_by(&bob, "alice"), ["from alice", "after it"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_irc_has_nothing_for_is_answered_as_not_sent() {
    let (world, alice, bob, room) = alice_and_bob().await;
    for kind in ["org.example.poll"] {
        let content = json!({ "msgtype": kind, "body": "x", "url": "mxc://test.local/x" });
        let event = alice.send(&room, "m.room.message", content);
        let answer = world.homeserver.wait_event(&room, answer_to(&event)).await;
        assert!(answer.body().contains("was not sent"), "{kind}: {}", answer.body());
    }
    assert!(said_by(&bob, "alice").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_message_to_a_moderated_channel_did_not_arrive() {
    let (world, alice, bob, room) = alice_and_bob().await;
    world.ircd.moderate("#rust");
    let event = alice.send_text(&room, "hush");
    let answer = world.homeserver.wait_event(&room, answer_to(&event)).await;
    assert!(answer.body().contains("did not arrive") && answer.body().contains("moderated"));
    assert_eq!(answer.content["m.mentions"]["user_ids"][0], alice.id());
    assert!(said_by(&bob, "alice").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_messages_on_their_way_neither_is_known_to_be_refused() {
    let (world, alice, _bob, room) = alice_and_bob().await;
    world.ircd.moderate("#rust");
    let event = alice.send_text(&room, "one\ntwo");
    let answer = world.homeserver.wait_event(&room, answer_to(&event)).await;
    assert!(answer.body().contains("may not have arrived"), "{}", answer.body());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_many_lines_that_is_refused_is_answered_once() {
    let (world, alice, bob, room) = alice_and_bob().await;
    world.ircd.moderate("#rust");
    let lines: Vec<String> = (0..15).map(|n| format!("line {n}")).collect();
    let event = alice.send_text(&room, &lines.join("\n"));
    world.homeserver.wait_event(&room, answer_to(&event)).await;
    bob.mode("#rust", "-m");
    let after = alice.send_text(&room, "can you hear me");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &after).await;
    assert_eq!(answers(&world, &room, &event).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_stands_only_on_what_the_server_has_taken() {
    let (world, alice, _bob, room) = alice_and_bob().await;
    let first = alice.send_text(&room, "first");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &first).await;
    world.ircd.half_open("alice");
    alice.send_text(&room, "second");
    world.ircd.wait_line(|_, line| line == "PRIVMSG #rust :second").await;
    world.homeserver.wait_delivered().await;
    let receipts = world.homeserver.receipts(&room);
    assert!(receipts.iter().any(|(user, _, event)| *user == world.homeserver.bot() && *event == first));
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_two_hundred_messages_keep_their_order_both_ways() {
    let (world, alice, bob, room) = alice_and_bob().await;
    let mut last = String::new();
    for n in 0..200 {
        last = alice.send_text(&room, &format!("to irc {n}"));
        bob.say("#rust", &format!("to matrix {n}"));
    }
    bob.wait_text("to irc 199").await;
    world.homeserver.wait_message(&room, "to matrix 199").await;
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &last).await;
    assert_eq!(said_by(&bob, "alice"), (0..200).map(|n| format!("to irc {n}")).collect::<Vec<_>>());
    let lines = world.homeserver.timeline_by_line(&room).into_iter().filter(|(sender, _)| sender == BOB);
    let lines: Vec<String> = lines.map(|(_, line)| line).collect();
    assert_eq!(lines, (0..200).map(|n| format!("to matrix {n}")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_thousand_messages_at_once_all_reach_irc_in_order() {
    let (world, alice, bob, room) = alice_and_bob().await;
    // The homeserver delivers them together, as after an outage of the bridge.
    let sent: Vec<String> = (0..1000).map(|n| alice.send_text(&room, &format!("n{n}"))).collect();
    let last = &sent[999];
    // The limit of one wait is short for so many on a busy machine: wait in steps.
    for n in (100..1000).step_by(100) {
        bob.wait_text(&format!("n{n}")).await;
    }
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), last).await;
    assert_eq!(said_by(&bob, "alice"), (0..1000).map(|n| format!("n{n}")).collect::<Vec<_>>());
    let sent = world.homeserver.timeline(&room).into_iter();
    let told: Vec<_> = sent.filter(|(sender, _)| *sender == world.homeserver.bot()).collect();
    assert!(told.is_empty(), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_burst_of_two_thousand_lines_is_complete_and_in_order_in_each_room() {
    let world = World::start().await;
    let people: Vec<Person> = (0..10).map(|n| world.ircd.person(&format!("p{n}"))).collect();
    for person in &people {
        person.join("#rust");
        person.join("#tea");
    }
    let (alice, control, rust) = world.user_in_channel("alice", "#rust").await;
    alice.send_text(&control, "join #tea");
    world.ircd.wait_joined("#tea", "alice").await;
    let tea = world.homeserver.wait_room_named("#tea (FakeNet)").await;
    let mut expected: [Vec<(String, String)>; 2] = Default::default();
    for n in 0..2000 {
        let (person, channel) = (&people[n % 10], n % 3 % 2);
        person.say(["#rust", "#tea"][channel], &format!("line {n}"));
        expected[channel].push((format!("@irc_fake_p{}:test.local", n % 10), format!("line {n}")));
    }
    for (room, expected) in [(&rust, &expected[0]), (&tea, &expected[1])] {
        // The limit of one wait is short for so many on a busy machine: wait in steps.
        for (_, body) in expected.iter().step_by(100).chain(expected.last()) {
            world.homeserver.wait_message(room, body).await;
        }
        let seen: Vec<_> = world
            .homeserver
            .timeline_by_line(room)
            .into_iter()
            .filter(|(_, line)| line.starts_with("line"))
            .collect();
        assert!(seen == *expected, "{} of {} lines", seen.len(), expected.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_sent_as_a_new_line_with_a_star() {
    let (_world, alice, bob, room) = alice_and_bob().await;
    let event = alice.send_text(&room, "helo");
    bob.wait_text("helo").await;
    alice.edit(&room, &event, "hello");
    bob.wait_text("* hello").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_an_encrypted_event_is_answered() {
    let (world, alice, bob, room) = alice_and_bob().await;
    let content = json!({ "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x" });
    let event = alice.send(&room, "m.room.encrypted", content);
    let answer = world.homeserver.wait_event(&room, answer_to(&event)).await;
    assert!(answer.body().contains("encrypted"));
    assert!(said_by(&bob, "alice").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_without_sense_harm_nothing() {
    let (_world, alice, bob, room) = alice_and_bob().await;
    for content in [
        json!({}),
        json!({ "msgtype": 7, "body": ["x"] }),
        json!({ "msgtype": "m.text" }),
        json!({ "msgtype": "m.text", "body": Value::Null }),
        json!({ "msgtype": "m.text", "body": "\u{1}VERSION\u{1}" }),
    ] {
        drop(alice.try_send(&room, "m.room.message", content));
    }
    alice.send_text(&room, "still here");
    bob.wait_text("still here").await;
    assert!(!said_by(&bob, "alice").iter().any(|text| text.contains('\u{1}')), "a CTCP request left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_to_the_operators_says_so() {
    let (world, _, bob, room) = alice_and_bob().await;
    bob.mode("#rust", "+o alice");
    bob.say("@#rust", "psst");
    world.homeserver.wait_event(&room, says("[to @] psst")).await;
}
