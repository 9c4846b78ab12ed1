//! Messages of several lines: one event for one message, both ways, and what becomes of one that is refused.

use std::time::Duration;

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd::{Options, Person};

const MULTILINE: &str = "draft/multiline=max-bytes=2000,max-lines=10";

fn options() -> Options {
    let mut options = Options::with_history();
    options.capabilities.push(MULTILINE.to_owned());
    options
}

async fn alice_and_bob(options: Options) -> (World, TestUser, Person, String) {
    let world = World::builder().ircd(options).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    (world, alice, bob, room)
}

fn said_by_alice(bob: &Person) -> Vec<String> {
    let said = bob.messages("#rust").into_iter().filter(|(who, _)| who == "alice");
    said.map(|(_, text)| text).collect()
}

fn batches(world: &World) -> usize {
    world.ircd.lines_from("alice").iter().filter(|line| line.contains(" BATCH +")).count()
}

async fn kept(world: &World) -> Vec<String> {
    world.database().texts("SELECT text FROM history WHERE direction = 'out' ORDER BY id").await
}

fn from_bot(world: &World, room: &str) -> Vec<Event> {
    let bot = world.homeserver.bot();
    let events = world.homeserver.events(room).into_iter();
    events.filter(|event| event.sender == bot && event.kind == "m.room.message").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_several_lines_is_one_event() {
    let (world, _alice, bob, room) = alice_and_bob(options()).await;
    bob.raw_line("BATCH +b draft/multiline #rust");
    for line in
        ["@batch=b PRIVMSG #rust :one \u{2}bold", "@batch=b PRIVMSG #rust :", "@batch=b PRIVMSG #rust :two "]
    {
        bob.raw_line(line);
    }
    bob.raw_line("@batch=b;draft/multiline-concat PRIVMSG #rust :and more");
    bob.raw_line("BATCH -b");
    let event = world.homeserver.wait_message(&room, "one bold\n\ntwo and more").await;
    assert_eq!(event.content["formatted_body"], "one <b>bold</b><br><br>two and more");
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_message_goes_as_one_batch_and_is_kept_as_one() {
    let (world, alice, bob, room) = alice_and_bob(options()).await;
    let text = "fn main() {\n    loop {}\n\n}";
    let event = alice.send_text(&room, text);
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &event).await;
    assert_eq!(said_by_alice(&bob), ["fn main() {", "    loop {}", "}"]);
    assert_eq!((batches(&world), kept(&world).await), (1, vec![text.to_owned()]));
    // What is too long for a line is one message, too, and what is too long for a message is several.
    let long = "word ".repeat(200);
    let longer = (0..15).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
    alice.send_text(&room, long.trim());
    let event = alice.send_text(&room, &longer);
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &event).await;
    // What was said since was stored after the first one's id; the ids of the last may be on their way.
    let ids = "SELECT COALESCE(msgid, '') FROM history WHERE direction = 'out' ORDER BY id";
    let ids = world.database().texts(ids).await;
    assert!(ids[0].starts_with("fake-"), "{ids:?}");
    assert_eq!(batches(&world), 4);
    let said = said_by_alice(&bob);
    assert_eq!(said[3..said.len() - 15].concat(), long.trim());
    assert_eq!(said[said.len() - 15..].join("\n"), longer);
    assert_eq!(kept(&world).await.len(), 4);
    assert!(from_bot(&world, &room).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_message_that_is_refused_for_its_lines_goes_in_single_ones() {
    for capabilities in [&["labeled-response"][..], &[]] {
        let (mut world, alice, bob, room) = alice_and_bob(options().without(capabilities)).await;
        world.ircd.refuse_multiline("MULTILINE_MAX_LINES 1");
        let event = alice.send_text(&room, "one\n\ntwo");
        world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &event).await;
        assert_eq!(said_by_alice(&bob), ["one", "two"]);
        assert_eq!(kept(&world).await, ["one", "two"]);
        assert!(from_bot(&world, &room).is_empty());
        world.stop_bridge().await;
        let open = "SELECT event_id FROM irc_line WHERE state IN ('queued', 'sending')";
        assert!(world.database().texts(open).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_several_lines_that_may_not_be_said_did_not_arrive() {
    let (world, alice, bob, room) = alice_and_bob(options()).await;
    world.ircd.moderate("#rust");
    let event = alice.send_text(&room, "one\ntwo");
    let answer = move |one: &Event| one.content["m.relates_to"]["m.in_reply_to"]["event_id"] == event;
    let answer = world.homeserver.wait_event(&room, answer).await;
    assert!(answer.body().contains("did not arrive") && answer.body().contains("moderated"));
    assert!(said_by_alice(&bob).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_message_whose_answer_was_lost_is_found_in_the_history() {
    let (world, alice, bob, room) = alice_and_bob(options()).await;
    world.ircd.mute("alice");
    let event = alice.send_text(&room, "one\n  two\nthree");
    bob.wait_text("three").await;
    world.ircd.cut("alice");
    world.ircd.wait_joined("#rust", "alice").await;
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &event).await;
    assert_eq!(said_by_alice(&bob), ["one", "  two", "three"]);
    assert!(!from_bot(&world, &room).iter().any(|event| event.body().contains("may not have arrived")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_in_several_lines_while_away_is_one_event() {
    let (world, _alice, bob, room) = alice_and_bob(options()).await;
    world.ircd.refuse();
    world.ircd.cut("alice");
    for line in
        ["BATCH +b draft/multiline #rust", "@batch=b PRIVMSG #rust :one", "@batch=b PRIVMSG #rust :two"]
    {
        bob.raw_line(line);
    }
    bob.raw_line("BATCH -b");
    world.ircd.welcome().await;
    world.homeserver.wait_message(&room, "one\ntwo").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waited_goes_as_the_new_connection_allows() {
    let mut world = World::builder().ircd(options()).stale_after(Duration::from_mins(10)).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    alice.send_text(&control, "disconnect");
    world.ircd.wait_gone("alice").await;
    alice.send_text(&room, "one\ntwo");
    world.homeserver.wait_event(&room, |event| event.body().contains("waits")).await;
    world.ircd.forget_capability(MULTILINE);
    alice.send_text(&control, "connect");
    bob.wait_text("two").await;
    assert_eq!((said_by_alice(&bob), batches(&world)), (vec!["one".to_owned(), "two".to_owned()], 0));
    world.stop_bridge().await;
}
