//! What IRC's lines look like in their rooms: links, pills, mentions, formatting, notices, topics.

mod news;

use serde_json::{Value, json};

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd::Person;

const PILL_OF_ALICE: &str = "<a href=\"https://matrix.to/#/@alice:test.local\">alice</a>";
const PILL_OF_BOB: &str = "<a href=\"https://matrix.to/#/@irc_fake_bob:test.local\">bob</a>";

/// Alice in `#rust` with Bob and Carol.
async fn channel() -> (World, TestUser, Person, Person, String) {
    let world = World::start().await;
    let (bob, carol) = (world.ircd.person("bob"), world.ircd.person("carol"));
    for person in [&bob, &carol] {
        person.join("#rust");
    }
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    (world, alice, bob, carol, room)
}

fn html(event: &Event) -> &str {
    event.content["formatted_body"].as_str().unwrap_or_default()
}

fn mentioned(event: &Event) -> &Value {
    &event.content["m.mentions"]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_without_style_has_no_html_and_mentions_nobody() {
    let (world, _, bob, _, room) = channel().await;
    bob.say("#rust", "> a < b && c");
    let event = world.homeserver.wait_message(&room, "> a < b && c").await;
    assert_eq!((html(&event), mentioned(&event)), ("", &json!({})));
    assert_eq!(event.content["msgtype"], "m.text");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_a_link_and_stands_in_the_body_as_it_was_said() {
    let (world, _, bob, _, room) = channel().await;
    bob.say("#rust", "look (https://x.example/a?b&c), <here>");
    let event = world.homeserver.wait_message(&room, "look (https://x.example/a?b&c), <here>").await;
    let address = "https://x.example/a?b&amp;c";
    assert_eq!(html(&event), format!("look (<a href=\"{address}\">{address}</a>), &lt;here&gt;"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nick_is_a_pill_for_as_long_as_somebody_has_it_there() {
    let (world, _, bob, carol, room) = channel().await;
    carol.say("#rust", "BOB: hi");
    let event = world.homeserver.wait_message(&room, "BOB: hi").await;
    assert_eq!(html(&event), format!("{}: hi", PILL_OF_BOB.replace(">bob<", ">BOB<")));
    assert_eq!(mentioned(&event), &json!({}), "ghosts are not notified");
    bob.nick("robert");
    carol.say("#rust", "robert, not bob");
    let event = world.homeserver.wait_message(&room, "robert, not bob").await;
    assert_eq!(html(&event), format!("{}, not bob", PILL_OF_BOB.replace("bob", "robert")));
    bob.part("#rust", "");
    carol.say("#rust", "robert has gone");
    let event = world.homeserver.wait_message(&room, "robert has gone").await;
    assert_eq!(html(&event), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nick_that_is_a_word_is_no_pill_where_the_user_says_so() {
    let (world, alice, _bob, carol, room) = channel().await;
    alice.send_text(&room, "!irc set pill-ignore Bob, eve");
    world.homeserver.wait_event(&room, |event| event.body().contains("pill-ignore Bob eve for #rust")).await;
    carol.say("#rust", "bob: carol says hi");
    let event = world.homeserver.wait_message(&room, "bob: carol says hi").await;
    assert_eq!(html(&event), format!("bob: {} says hi", PILL_OF_BOB.replace("bob", "carol")));
    alice.send_text(&room, "!irc unset pill-ignore");
    world.homeserver.wait_event(&room, |event| event.body().contains("pill-ignore none (built in)")).await;
    carol.say("#rust", "and now, bob?");
    let event = world.homeserver.wait_message(&room, "and now, bob?").await;
    assert_eq!(html(&event), format!("and now, {PILL_OF_BOB}?"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_users_nick_is_a_pill_of_the_user_who_is_mentioned_by_the_nick_that_is_current() {
    let (world, alice, bob, _, room) = channel().await;
    bob.say("#rust", "alice: hi");
    let event = world.homeserver.wait_message(&room, "alice: hi").await;
    assert_eq!(html(&event), format!("{PILL_OF_ALICE}: hi"));
    assert_eq!(mentioned(&event), &json!({ "user_ids": [alice.id()] }));
    alice.send_text(&room, "!irc nick alicia");
    world.ircd.wait_line(|_, line| line == "NICK alicia").await;
    bob.say("#rust", "alice or alicia?");
    let event = world.homeserver.wait_message(&room, "alice or alicia?").await;
    assert_eq!(html(&event), format!("alice or {}?", PILL_OF_ALICE.replace(">alice<", ">alicia<")));
    bob.say("#rust", "malice, alice");
    let event = world.homeserver.wait_message(&room, "malice, alice").await;
    assert_eq!(mentioned(&event), &json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_names_the_user_is_a_text_that_says_it_is_one() {
    let (world, alice, bob, _, room) = channel().await;
    bob.notice("#rust", "the build is green");
    let event = world.homeserver.wait_message(&room, "the build is green").await;
    assert_eq!((&event.content["msgtype"], mentioned(&event)), (&json!("m.notice"), &json!({})));
    bob.notice("#rust", "alice: your build failed");
    let event = world.homeserver.wait_message(&room, "[notice] alice: your build failed").await;
    assert_eq!(event.content["msgtype"], "m.text");
    assert_eq!(mentioned(&event), &json!({ "user_ids": [alice.id()] }));
    assert_eq!(html(&event), format!("[notice] {PILL_OF_ALICE}: your build failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_has_its_formatting_links_and_pills() {
    let (world, alice, bob, _, room) = channel().await;
    bob.action("#rust", "\x02waves\x02 at alice, see https://x.example");
    let event = world.homeserver.wait_message(&room, "waves at alice, see https://x.example").await;
    assert_eq!(event.content["msgtype"], "m.emote");
    let link = "<a href=\"https://x.example\">https://x.example</a>";
    assert_eq!(html(&event), format!("<b>waves</b> at {PILL_OF_ALICE}, see {link}"));
    assert_eq!(mentioned(&event), &json!({ "user_ids": [alice.id()] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_has_the_time_at_which_the_server_says_it_was_said() {
    let (world, _, _, _, room) = channel().await;
    let now = crate::support::clock::now();
    for (text, said, shown) in
        [("a minute ago", now - 60_000, Some(now - 60_000)), ("in a minute", now + 60_000, None)]
    {
        let time = jiff::Timestamp::from_millisecond(said as i64).unwrap();
        let line = format!("@time={time:.3} :bob!bob@host PRIVMSG #rust :{text}\r\n");
        world.ircd.send_raw("alice", line.as_bytes());
        let event = world.homeserver.wait_message(&room, text).await;
        match shown {
            Some(time) => assert_eq!(event.ts, time),
            None => assert!((now..now + 60_000).contains(&event.ts), "{text}: {}", event.ts),
        }
    }
}
