//! Messages that are taken back: on IRC or in a room, and what is left of them on the other side.

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd::{Options, Person};

const BOB: &str = "@irc_fake_bob:test.local";

async fn alice_and_bob() -> (World, TestUser, Person, String) {
    let mut options = Options::with_history();
    options.capabilities.push("draft/message-redaction".to_owned());
    let world = World::builder().ircd(options).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    (world, alice, bob, room)
}

fn redaction_of(event: &Event) -> impl Fn(&Event) -> bool {
    let id = event.event_id.clone();
    move |one| one.kind == "m.room.redaction" && one.redacts.as_deref() == Some(&id)
}

async fn kept(world: &World) -> Vec<String> {
    world.database().texts("SELECT kind || ' ' || text FROM history WHERE kind <> 'join' ORDER BY id").await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_on_irc_goes_from_the_room_and_the_history() {
    let (world, alice, bob, room) = alice_and_bob().await;
    bob.say("#rust", "an embarrassing line");
    let event = world.homeserver.wait_message(&room, "an embarrassing line").await;
    world.wait_outbox_empty().await;
    bob.raw_line(&format!("REDACT #rust {} :oops", world.ircd.wait_msgid("embarrassing").await));
    let redaction = world.homeserver.wait_event(&room, redaction_of(&event)).await;
    assert_eq!((redaction.sender.as_str(), &redaction.content["reason"]), (BOB, &"oops".into()));
    world.wait_outbox_empty().await;
    assert_eq!(kept(&world).await, ["redacted "]);
    alice.send_text(&room, "!irc search embarrassing");
    world.homeserver.wait_event(&room, |event| event.body().contains("Nothing was found")).await;
    alice.send_text(&room, "!irc history");
    world.homeserver.wait_event(&room, |event| event.body().contains("bob: (taken back)")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_lines_that_are_one_event_the_others_stay() {
    let (world, _, bob, room) = alice_and_bob().await;
    world.homeserver.hold_transactions(false);
    bob.say("#rust", "zero");
    world.homeserver.wait_message(&room, "zero").await;
    world.ircd.send_raw(
        "alice",
        b"@msgid=m1 :bob!b@h PRIVMSG #rust :one\r\n@msgid=m2 :bob!b@h PRIVMSG #rust :two\r\n@msgid=m3 :bob!b@h PRIVMSG #rust :three\r\n",
    );
    // Lines of one read are one event, where all of them were read at once.
    world.homeserver.wait_message(&room, "three").await;
    let event = world.homeserver.wait_message(&room, "two").await;
    world.wait_outbox_empty().await;
    let others: Vec<&str> = event.body().split('\n').filter(|line| *line != "two").collect();
    world.ircd.send_raw("alice", b":bob!b@h REDACT #rust m2\r\n");
    if others.is_empty() {
        world.homeserver.wait_event(&room, redaction_of(&event)).await;
    } else {
        let edit = |one: &Event| one.content["m.relates_to"]["event_id"] == event.event_id.as_str();
        let edit = world.homeserver.wait_event(&room, edit).await;
        assert_eq!(edit.content["m.new_content"]["body"], others.join("\n"));
        assert_eq!(
            (edit.sender.as_str(), &edit.content["m.relates_to"]["rel_type"]),
            (BOB, &"m.replace".into())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_takes_back_says_by_whom() {
    let (world, alice, bob, room) = alice_and_bob().await;
    let eve = world.ircd.person("eve");
    eve.join("#rust");
    eve.say("#rust", "buy this");
    let event = world.homeserver.wait_message(&room, "buy this").await;
    let mine = alice.send_text(&room, "and that");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &mine).await;
    world.wait_outbox_empty().await;
    bob.raw_line(&format!("REDACT #rust {} :spam", world.ircd.wait_msgid("buy this").await));
    bob.raw_line(&format!("REDACT #rust {}", world.ircd.wait_msgid("and that").await));
    let redaction = world.homeserver.wait_event(&room, redaction_of(&event)).await;
    assert_eq!(redaction.sender, world.homeserver.bot());
    assert_eq!(redaction.content["reason"], "Taken back by bob: spam");
    let is_mine = move |one: &Event| one.redacts.as_deref() == Some(&mine);
    let redaction = world.homeserver.wait_event(&room, is_mine).await;
    assert_eq!(redaction.content["reason"], "Taken back by bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_user_takes_back_is_taken_back_on_irc_and_from_the_history() {
    let (world, alice, _bob, room) = alice_and_bob().await;
    let event = alice.send_text(&room, "a secret");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &event).await;
    let msgid = world.ircd.wait_msgid("a secret").await;
    alice.redact(&room, &event).unwrap();
    world.ircd.wait_line(|_, line| line == format!("REDACT #rust {msgid}")).await;
    let after = alice.send_text(&room, "afterwards");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &after).await;
    assert_eq!(kept(&world).await, ["redacted ", "message afterwards"]);
    let redactions = world.homeserver.events(&room).into_iter().filter(|one| one.kind == "m.room.redaction");
    assert_eq!(redactions.count(), 1, "the user's own, and no echo of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_id_on_irc_goes_from_the_history() {
    let world = World::builder().ircd(Options::default().without(&["message-tags"])).start().await;
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let event = alice.send_text(&room, "a secret");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &event).await;
    alice.redact(&room, &event).unwrap();
    let after = alice.send_text(&room, "afterwards");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &after).await;
    assert_eq!(kept(&world).await, ["redacted ", "message afterwards"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_to_take_back_is_told_in_the_room() {
    let (world, alice, bob, room) = alice_and_bob().await;
    let event = alice.send_text(&room, "too old");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &event).await;
    let msgid = world.ircd.wait_msgid("too old").await;
    // An operator was faster.
    bob.raw_line(&format!("REDACT #rust {msgid}"));
    alice.redact(&room, &event).unwrap();
    world.ircd.send_line("alice", &format!("FAIL REDACT UNKNOWN_MSGID #rust {msgid} :It is gone"));
    world.homeserver.wait_event(&room, |event| event.body() == "The server refuses REDACT: It is gone").await;
}
