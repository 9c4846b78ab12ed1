//! What is said about messages, and what passes: replies, reactions, typing, bots, relays and read markers.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd::{Options, Person, Received};

const BOB: &str = "@irc_fake_bob:test.local";

async fn alice_and_bob(more: &str) -> (World, TestUser, Person, String) {
    configured(more, "").await
}

async fn configured(more: &str, config: &str) -> (World, TestUser, Person, String) {
    let mut options = Options::with_history();
    options.capabilities.extend(more.split_whitespace().map(str::to_owned));
    let world = World::builder().ircd(options).config(config).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    (world, alice, bob, room)
}

/// What bob says, once its event is known to the store.
async fn said(world: &World, bob: &Person, room: &str, text: &str) -> (Event, String) {
    bob.say("#rust", text);
    let event = world.homeserver.wait_message(room, text).await;
    world.wait_outbox_empty().await;
    (event, world.ircd.wait_msgid(text).await)
}

fn relates_to(event: &str) -> impl Fn(&Event) -> bool {
    let event = event.to_owned();
    move |one| one.content["m.relates_to"]["event_id"] == event.as_str()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_names_its_message_on_both_sides() {
    let (world, alice, bob, room) = alice_and_bob("").await;
    let (question, msgid) = said(&world, &bob, &room, "who is there?").await;
    let answer = alice.reply(&room, &question.event_id, "me");
    let line = world.ircd.wait_line(|_, line| line.ends_with("PRIVMSG #rust :me")).await;
    assert!(line.line().contains(&format!("+draft/reply={msgid}")), "{}", line.line());
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &answer).await;
    let own = world.ircd.wait_msgid(":me").await;
    bob.raw_line(&format!("@+draft/reply={own} PRIVMSG #rust :hello you"));
    let reply = world.homeserver.wait_message(&room, "hello you").await;
    assert_eq!(reply.content["m.relates_to"]["m.in_reply_to"]["event_id"], answer);
    assert_eq!(reply.content["m.mentions"]["user_ids"], json!([alice.id()]), "who answers means the one");
    // What is not known is a message like any other.
    bob.raw_line("@+reply=unknown PRIVMSG #rust :hello everybody");
    let plain = world.homeserver.wait_message(&room, "hello everybody").await;
    assert_eq!(plain.content["m.relates_to"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_from_irc_stands_under_its_message_until_it_is_taken_back() {
    let (world, alice, bob, room) = alice_and_bob("").await;
    let event = alice.send_text(&room, "I did it");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &event).await;
    let msgid = world.ircd.wait_msgid("I did it").await;
    // Twice is once.
    for _ in 0..2 {
        bob.raw_line(&format!("@+draft/reply={msgid};+draft/react=👍 TAGMSG #rust"));
    }
    bob.raw_line(&format!("@+reply={msgid};+react=lol TAGMSG #rust"));
    let lol = |one: &Event| one.content["m.relates_to"]["key"] == "lol";
    world.homeserver.wait_event(&room, lol).await;
    let reactions: Vec<Event> =
        world.homeserver.events(&room).into_iter().filter(|one| relates_to(&event)(one)).collect();
    assert_eq!(reactions.len(), 2, "{reactions:?}");
    assert_eq!((reactions[0].kind.as_str(), reactions[0].sender.as_str()), ("m.reaction", BOB));
    assert_eq!(reactions[0].content["m.relates_to"]["key"], "👍");
    bob.raw_line(&format!("@+draft/reply={msgid};+draft/unreact=👍 TAGMSG #rust"));
    let gone = reactions[0].event_id.clone();
    world.homeserver.wait_event(&room, move |one| one.redacts.as_deref() == Some(&gone)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_of_the_user_goes_to_irc_and_comes_back_as_nothing() {
    let (world, alice, bob, room) = alice_and_bob("").await;
    let (event, msgid) = said(&world, &bob, &room, "shall we?").await;
    let reaction = alice.react(&room, &event.event_id, "✅");
    world
        .ircd
        .wait_line(|_, line| line == format!("@+draft/reply={msgid};+draft/react=✅ TAGMSG #rust"))
        .await;
    alice.redact(&room, &reaction).unwrap();
    world
        .ircd
        .wait_line(|_, line| line == format!("@+draft/reply={msgid};+draft/unreact=✅ TAGMSG #rust"))
        .await;
    said(&world, &bob, &room, "afterwards").await;
    let reactions = world.homeserver.events(&room).into_iter().filter(|one| one.kind == "m.reaction");
    assert_eq!(reactions.count(), 1, "the user's own, and no echo of it");
    let stored = world.database().texts("SELECT key FROM reaction").await;
    assert!(stored.is_empty(), "{stored:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_denies_is_not_sent_and_the_message_goes() {
    let mut options = Options::with_history();
    options.isupport.push("CLIENTTAGDENY=*".to_owned());
    let world = World::builder().ircd(options).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let (event, _) = said(&world, &bob, &room, "well?").await;
    alice.typing(&room, true);
    alice.react(&room, &event.event_id, "👍");
    let answer = alice.reply(&room, &event.event_id, "yes");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &answer).await;
    let lines = world.ircd.lines_from("alice");
    assert!(!lines.iter().any(|line| line.contains("+draft/") || line.contains("TAGMSG")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_types_in_the_room_types_on_irc() {
    let (world, alice, bob, room) = alice_and_bob("").await;
    said(&world, &bob, &room, "go on").await;
    let typing = |value: &str| {
        let wanted = format!("+typing={value} TAGMSG #rust");
        move |_: &str, line: &str| line.starts_with("@label=t") && line.ends_with(&wanted)
    };
    alice.typing(&room, true);
    world.ircd.wait_line(typing("active")).await;
    let mark = world.ircd.mark();
    world.ircd.wait_line_after(mark, typing("active")).await;
    alice.typing(&room, false);
    world.ircd.wait_line(typing("done")).await;
    // What was said needs no end.
    alice.typing(&room, true);
    let mark = world.ircd.mark();
    let event = alice.send_text(&room, "said");
    alice.typing(&room, false);
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &event).await;
    let after: Vec<String> = world.ircd.lines()[mark..].iter().map(Received::line).collect();
    assert!(!after.iter().any(|line| line.contains("typing=done")), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_types_on_irc_types_in_the_room_if_they_are_there() {
    // Who is silent stays out of it.
    let (world, _alice, bob, room) = configured("", "settings:\n  members: active\n").await;
    bob.raw_line("@+typing=active TAGMSG #rust");
    said(&world, &bob, &room, "I am here").await;
    assert!(!world.homeserver.has_typed(&room, BOB), "nobody enters a room to type there");
    bob.raw_line("@+typing=active TAGMSG #rust");
    world.homeserver.wait_typing(&room, BOB, true).await;
    bob.raw_line("@+typing=done TAGMSG #rust");
    world.homeserver.wait_typing(&room, BOB, false).await;
    bob.raw_line("@+typing=active TAGMSG #rust");
    world.homeserver.wait_typing(&room, BOB, true).await;
    bob.say("#rust", "and this is what I typed");
    world.homeserver.wait_typing(&room, BOB, false).await;
    world.homeserver.wait_message(&room, "and this is what I typed").await;
    let kept = world.database().texts("SELECT text FROM history WHERE kind <> 'join'").await;
    assert_eq!(kept.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bot_says_notifies_nobody_but_whom_it_names() {
    let (world, _, _bob, room) = alice_and_bob("").await;
    world.ircd.send_raw("alice", b"@bot :bob!b@h PRIVMSG #rust :build failed\r\n");
    let event = world.homeserver.wait_message(&room, "build failed").await;
    assert_eq!(event.content["msgtype"], "m.notice");
    world.ircd.send_raw("alice", b"@bot :bob!b@h PRIVMSG #rust :alice: look at it\r\n");
    let event = world.homeserver.wait_event(&room, |event| event.body().contains("look at it")).await;
    assert_eq!(event.content["msgtype"], "m.text");
    world.ircd.send_raw("alice", b"@bot :bob!b@h PRIVMSG #rust :\x01ACTION rebuilds\x01\r\n");
    let event = world.homeserver.wait_message(&room, "* rebuilds").await;
    assert_eq!(event.content["msgtype"], "m.notice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ghosts_name_says_what_the_network_vouches_for() {
    // Nobody brings bob in, by another name, before he says something.
    let (world, _, _bob, room) = configured("", "settings:\n  members: active\n").await;
    let raw = |tags: &str, text: &str| {
        world.ircd.send_raw("alice", format!("{tags}:bob!b@h PRIVMSG #rust :{text}\r\n").as_bytes());
    };
    let named = |name: &'static str| {
        move |event: &Event| event.state_key.as_deref() == Some(BOB) && event.content["displayname"] == name
    };
    raw("@account=robert;bot ", "one");
    world.homeserver.wait_event(&room, named("bob (robert) [bot]")).await;
    raw("@account=robert ", "two");
    world.homeserver.wait_event(&room, named("bob (robert)")).await;
    // Names don't change all the time: the last counts.
    raw("@account=someone ", "two and a half");
    raw("@account=Bob ", "three");
    world.homeserver.wait_message(&room, "three").await;
    world.pass("alice", Duration::from_mins(10)).await;
    raw("@account=Bob ", "three again");
    world.homeserver.wait_event(&room, named("bob")).await;
    assert!(!world.homeserver.events(&room).iter().any(named("bob (someone)")));
    let calls = world.homeserver.requests("PUT", "displayname");
    raw("@account=Bob ", "four");
    world.homeserver.wait_message(&room, "four").await;
    assert_eq!(world.homeserver.requests("PUT", "displayname"), calls, "what is no news costs no request");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relayed_message_is_shown_and_opens_no_conversation() {
    let (world, _, _bob, room) = alice_and_bob("draft/relaymsg=/").await;
    world.ircd.send_raw("alice", b"@draft/relaymsg=relay :carol/discord!r@h PRIVMSG #rust :hi from afar\r\n");
    let event = world.homeserver.wait_message(&room, "hi from afar").await;
    assert!(event.sender.starts_with("@irc_fake_carol"), "{}", event.sender);
    world.ircd.send_raw("alice", b"@draft/relaymsg=relay :carol/discord!r@h PRIVMSG alice :psst\r\n");
    let network = world.homeserver.wait_room_named("FakeNet").await;
    world.homeserver.wait_event(&network, |event| event.body().contains("carol/discord: psst")).await;
    assert!(world.database().texts("SELECT name FROM buffer WHERE kind = 'query'").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_user_has_read_is_marked_once_and_kept() {
    let (mut world, alice, bob, room) = alice_and_bob("draft/read-marker").await;
    let (first, _) = said(&world, &bob, &room, "first").await;
    let (second, _) = said(&world, &bob, &room, "second").await;
    alice.read(&room, &second.event_id);
    let line = world.ircd.wait_line(|_, line| line.starts_with("MARKREAD #rust timestamp=")).await;
    let time: jiff::Timestamp = line.line().split('=').nth(1).unwrap().parse().unwrap();
    let own = alice.send_text(&room, "I have read it");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &own).await;
    // Neither goes forward.
    alice.read(&room, &own);
    alice.read(&room, &first.event_id);
    said(&world, &bob, &room, "third").await;
    let marks = world.ircd.lines_from("alice").iter().filter(|line| line.starts_with("MARKREAD")).count();
    assert_eq!(marks, 1);
    world.stop_bridge().await;
    let stored = "SELECT CAST(read_at AS TEXT) FROM buffer WHERE name = '#rust'";
    assert_eq!(world.database().texts(stored).await, [time.as_millisecond().to_string()]);
}
