//! What happens in a channel besides talk: topics, kicks, modes, who comes and goes.

use serde_json::json;

use super::channel;
use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

/// Who is silent is no member of the room, so that their coming and going does not show there.
async fn only_speakers(world: &World, alice: &TestUser, room: &str) {
    alice.send_text(room, "!irc set members active");
    world.homeserver.wait_event(room, says("members active for")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_has_its_formatting_and_links_and_a_new_look_is_a_new_topic() {
    let (world, _, bob, carol, room) = channel().await;
    let topics = |body: &'static str| {
        move |event: &Event| event.kind == "m.room.topic" && event.content["topic"] == body
    };
    bob.topic("#rust", "tea at \x02four\x02: https://x.example");
    let topic = world.homeserver.wait_event(&room, topics("tea at four: https://x.example")).await;
    let html = "tea at <b>four</b>: <a href=\"https://x.example\">https://x.example</a>";
    let rich = json!({ "m.text": [{ "mimetype": "text/html", "body": html },
        { "body": "tea at four: https://x.example" }] });
    assert_eq!(topic.content["m.topic"], rich);
    bob.topic("#rust", "tea at four: https://x.example");
    let plainer = move |event: &Event| {
        topics("tea at four: https://x.example")(event) && !event.content.to_string().contains("<b>")
    };
    world.homeserver.wait_event(&room, plainer).await;
    bob.topic("#rust", "tea");
    let topic = world.homeserver.wait_event(&room, topics("tea")).await;
    assert_eq!(topic.content, json!({ "topic": "tea" }));
    // The same again is no change.
    bob.topic("#rust", "tea");
    carol.say("#rust", "indeed");
    world.homeserver.wait_message(&room, "indeed").await;
    let events = world.homeserver.events(&room);
    assert_eq!(events.iter().filter(|event| event.kind == "m.room.topic").count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn modes_and_kicks_at_once_are_one_notice_before_what_is_said_next() {
    let (world, alice, bob, carol, room) = channel().await;
    only_speakers(&world, &alice, &room).await;
    let eve = world.ircd.person("eve");
    eve.join("#rust");
    // What comes some seconds apart is no longer one notice.
    world.ircd.at_once("alice", || {
        bob.mode("#rust", "+v carol");
        bob.mode("#rust", "+v alice");
        bob.kick("#rust", "eve", "spam");
        bob.say("#rust", "that was eve");
    });
    let notice = world.homeserver.wait_event(&room, says("bob sets")).await;
    assert_eq!(notice.body(), "bob sets +v carol and +v alice\nbob kicked out eve (spam)");
    assert_eq!(
        (notice.sender.as_str(), &notice.content["msgtype"]),
        (&*world.homeserver.bot(), &json!("m.notice"))
    );
    world.homeserver.wait_message(&room, "that was eve").await;
    let bodies = world.homeserver.timeline_bodies(&room);
    let place = |part: &str| bodies.iter().position(|body| body.contains(part));
    assert!(place("kicked out eve") < place("that was eve"), "{bodies:?}");
    // Nobody hears of those who come and go in silence.
    carol.part("#rust", "bye");
    bob.mode("#rust", "+m");
    world.homeserver.wait_event(&room, says("bob sets +m")).await;
    let bodies = world.homeserver.timeline_bodies(&room);
    assert!(!bodies.iter().any(|body| body.contains("bye") || body.contains("came in")), "{bodies:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_and_goes_is_told_where_the_user_wants_it() {
    let (world, alice, bob, carol, room) = channel().await;
    only_speakers(&world, &alice, &room).await;
    alice.send_text(&room, "!irc set comings fold");
    world.homeserver.wait_event(&room, says("comings fold for")).await;
    let (eve, zoe) = (world.ircd.person("eve"), world.ircd.person("zoe"));
    world.ircd.at_once("alice", || {
        eve.join("#rust");
        zoe.join("#rust");
        carol.part("#rust", "bye");
        bob.nick("robert");
    });
    let notice = world.homeserver.wait_event(&room, says("came in")).await;
    assert_eq!(notice.body(), "eve and zoe came in\ncarol (bye) left\nbob is now known as robert");
    alice.send_text(&room, "!irc set channel-news hide");
    world.homeserver.wait_event(&room, says("channel-news hide for")).await;
    bob.mode("#rust", "+m");
    eve.quit("gone");
    let notice = world.homeserver.wait_event(&room, says("eve (")).await;
    assert!(!notice.body().contains("sets"), "{}", notice.body());
}
