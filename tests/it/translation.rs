//! What is written with a Matrix client, as people on IRC read it. Each element of HTML has a case in `format::matrix`,
//! each client a file in `corpus`; here is who is meant and what was set.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::bridge::World;
use crate::support::homeserver::TestUser;
use crate::support::ircd::Person;

/// Alice and Bob, who writes himself so, in a channel that is shown in a room.
async fn alice_and_bob(world: &World) -> (TestUser, Person, String) {
    let bob = world.ircd.person("Bob[a]");
    bob.join("#Rust[x]");
    let (alice, _, room) = world.user_in_channel("alice", "#Rust[x]").await;
    (alice, bob, room)
}

fn html(body: &str, html: &str) -> Value {
    json!({ "msgtype": "m.text", "body": body, "format": "org.matrix.custom.html", "formatted_body": html })
}

#[rstest]
#[case::a_ghost(
    "so <a href=\"https://matrix.to/#/@irc_fake_bob=5ba=5d:test.local\">B</a> says",
    "so Bob[a] says"
)]
#[case::addressed("<a href=\"https://matrix.to/#/@irc_fake_bob=5ba=5d:test.local\">B</a> hi", "Bob[a]: hi")]
#[case::a_ghost_elsewhere("so <a href=\"https://matrix.to/#/@irc_fake_eve:test.local\">Eve E.</a>", "so eve")]
#[case::of_another_network(
    "so <a href=\"https://matrix.to/#/@irc_other_eve:test.local\">Eve E.</a>",
    "so Eve E."
)]
#[case::oneself("I am <a href=\"https://matrix.to/#/@alice:test.local\">Alice A.</a>", "I am alice")]
#[case::another_user("so <a href=\"https://matrix.to/#/@carol:test.local\">Carol C.</a>", "so carol")]
#[case::a_stranger("so <a href=\"https://matrix.to/#/@dave:test.local\">Dave D.</a>", "so Dave D.")]
#[case::the_room("in <a href=\"https://matrix.to/#/{room}?via=test.local\">Rust</a>", "in #Rust[x]")]
#[case::the_rooms_alias(
    "in <a href=\"https://matrix.to/#/%23irc_alice_fake_=23rust=5bx=5d:test.local\">Rust</a>",
    "in #Rust[x]"
)]
#[case::another_room("in <a href=\"https://matrix.to/#/#other:test.local\">Rust</a>", "in #other:test.local")]
#[tokio::test(flavor = "multi_thread")]
async fn people_and_rooms_are_called_as_on_irc(#[case] said: &str, #[case] read: &str) {
    let world =
        World::builder().config("templates: { alias: \"irc_{user}_{network}_{channel}\" }\n").start().await;
    let (alice, bob, room) = alice_and_bob(&world).await;
    if said.contains("carol") {
        let (carol, _, theirs) = world.user_in_channel("carol", "#Rust[x]").await;
        carol.send_text(&theirs, "I am here");
        world.homeserver.wait_message(&room, "I am here").await;
    }
    alice.send(&room, "m.room.message", html("-", &said.replace("{room}", &room)));
    bob.wait_text(read).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pill_does_not_tell_a_channel_the_nick_of_a_user_who_is_not_in_it() {
    let world = World::start().await;
    let (alice, bob, room) = alice_and_bob(&world).await;
    world.connected_user("carol").await;
    let pill = "so <a href=\"https://matrix.to/#/@carol:test.local\">Carol C.</a>";
    alice.send(&room, "m.room.message", html("-", pill));
    bob.wait_text("so Carol C.").await;
}

#[rstest]
#[case::by_name("Bob[a] hi", "Bob[a]: hi")]
#[case::by_id("@irc_fake_bob=5ba=5d:test.local: hi", "Bob[a]: hi")]
#[case::elsewhere("hi Bob[a]", "hi Bob[a]")]
#[tokio::test(flavor = "multi_thread")]
async fn a_plain_text_addresses_the_only_one_whom_it_mentions(#[case] body: &str, #[case] read: &str) {
    let world = World::start().await;
    let (alice, bob, room) = alice_and_bob(&world).await;
    let mentions = json!({ "user_ids": ["@irc_fake_bob=5ba=5d:test.local"] });
    let content = json!({ "msgtype": "m.text", "body": body, "m.mentions": mentions });
    alice.send(&room, "m.room.message", content);
    bob.wait_text(read).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn formatting_is_confirmed_kept_and_chosen() {
    let world = World::start().await;
    let (alice, bob, room) = alice_and_bob(&world).await;
    let content = html("**b** ||c||", "<p><b>b</b> <span data-mx-spoiler=\"why\">c</span></p>");
    let event = alice.send(&room, "m.room.message", content.clone());
    let read = "\x02b\x0f [spoiler: why] \x0301,01c";
    bob.wait_text(read).await;
    // Its echo is known.
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &event).await;
    for (set, read) in [
        ("set formatting markdown", "**b** [spoiler: why] ||c||"),
        ("set spoilers leave-out", "**b** [spoiler: why]"),
        ("set formatting plain", "b [spoiler: why]"),
    ] {
        alice.send_text(&room, &format!("!irc {set}"));
        world.homeserver.wait_message(&room, &format!("{} for #Rust[x].", &set[4..])).await;
        alice.send(&room, "m.room.message", content.clone());
        bob.wait_text(read).await;
    }
}

#[rstest]
#[case::deep(html("the body", &"<b>".repeat(15_000)), "the body")]
#[case::broken(html("the body", "half a <b"), "the body")]
#[case::codes_in_the_body(json!({ "msgtype": "m.text", "body": "\x034red\x02 and\u{202e} back\x07" }), "red and back")]
#[case::an_emote(
    json!({ "msgtype": "m.emote", "body": "B", "format": "org.matrix.custom.html",
        "formatted_body": "<a href=\"https://matrix.to/#/@irc_fake_bob=5ba=5d:test.local\">B</a> <i>waves</i>" }),
    "\x01ACTION Bob[a] \x1dwaves\x01"
)]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_sane_html_is_read_from_the_body(#[case] content: Value, #[case] read: &str) {
    let world = World::start().await;
    let (alice, bob, room) = alice_and_bob(&world).await;
    alice.send(&room, "m.room.message", content);
    bob.wait_text(read).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_reads_what_was_typed() {
    let world = World::start().await;
    let services = world.ircd.person("NickServ");
    let (alice, control, _) = world.connected_user("alice").await;
    alice.send_text(&control, "query NickServ");
    let room = world.homeserver.wait_invite(alice.id()).await;
    let room = alice.join(&room).await;
    let content = html("help _pass_word_ **x**", "<p>help <em>pass_word</em> <strong>x</strong></p>");
    alice.send(&room, "m.room.message", content);
    services.wait_text("help _pass_word_ **x**").await;
}
