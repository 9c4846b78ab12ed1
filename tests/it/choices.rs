//! What a session does by itself as its user has chosen: CTCP answers, rooms for strangers, the way back into channels,
//! where a channel's news stands, colours.

use std::time::Duration;

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

/// Types something, and waits for an answer that begins so.
async fn type_in(world: &World, user: &TestUser, room: &str, typed: &str, answer: &str) {
    user.send_text(room, typed);
    world.homeserver.wait_event(room, |event| event.body().starts_with(answer)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctcp_is_answered_unless_the_user_does_not_want_it_also_after_a_restart() {
    let mut world = World::start().await;
    let bob = world.ircd.person("bob");
    let (alice, control, network) = world.connected_user("alice").await;
    world.homeserver.wait_event(&network, says("Connected to")).await;
    bob.say("alice", "\u{1}VERSION\u{1}");
    bob.wait_message(|heard| heard.text().starts_with("\u{1}VERSION Towline")).await;
    type_in(&world, &alice, &control, "set ctcp-replies off", "ctcp-replies off for you").await;
    bob.say("alice", "\u{1}PING one\u{1}");
    bob.say("alice", "done");
    world.homeserver.wait_event(&network, says("bob sent CTCP PING one")).await;
    world.stop_bridge().await;
    world.ircd.wait_gone("alice").await;
    world.start_bridge().await;
    world.ircd.wait_registered("alice").await;
    bob.say("alice", "\u{1}PING two\u{1}");
    world.homeserver.wait_event(&network, says("bob sent CTCP PING two")).await;
    type_in(&world, &alice, &network, "set ctcp-replies on", "ctcp-replies on for fake").await;
    bob.say("alice", "\u{1}PING three\u{1}");
    bob.wait_text("\u{1}PING three\u{1}").await;
    let answers = bob.heard().into_iter().filter(|heard| heard.text().starts_with("\u{1}PING")).count();
    assert_eq!(answers, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_new_gets_no_room_where_the_user_does_not_want_it() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    let (alice, control, network) = world.connected_user("alice").await;
    type_in(&world, &alice, &control, "set autoquery off", "autoquery off for you").await;
    bob.say("alice", "psst");
    world.homeserver.wait_message(&network, "bob: psst").await;
    // Who is asked for has one.
    alice.send_text(&network, "query bob");
    let room = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    bob.say("alice", "here I am");
    world.homeserver.wait_message(&room, "here I am").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_threw_the_user_out_is_not_entered_again_where_they_do_not_want_it() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    bob.join("#tea");
    let (alice, _, rust) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    alice.send_text(&network, "join #tea");
    world.ircd.wait_joined("#tea", "alice").await;
    type_in(&world, &alice, &rust, "!irc set rejoin-on-kick off", "rejoin-on-kick off for #rust").await;
    bob.kick("#rust", "alice", "out");
    world.homeserver.wait_event(&rust, says("I don't go back by myself")).await;
    bob.kick("#tea", "alice", "out");
    let tea = world.homeserver.wait_room_named("#tea (FakeNet)").await;
    world.homeserver.wait_event(&tea, says("I go back once")).await;
    world.pass("alice", Duration::from_mins(2)).await;
    world.ircd.wait_joined("#tea", "alice").await;
    assert_eq!(world.ircd.names("#rust"), ["bob"]);
    // It is still the user's, and they may ask for it.
    alice.send_text(&network, "rejoin");
    world.ircd.wait_joined("#rust", "alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invitations_are_followed_where_the_user_wants_it_and_a_few_at_most() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    (0..8).for_each(|number| bob.join(&format!("#c{number}")));
    let (alice, _, room) = world.user_in_channel("alice", "#c0").await;
    let network = world.homeserver.room_named("FakeNet");
    type_in(&world, &alice, &network, "set rejoin-on-invite known", "rejoin-on-invite known for fake").await;
    alice.send_text(&network, "part #c0");
    world.homeserver.wait_event(&room, says("You left the channel")).await;
    bob.invite("alice", "#c0");
    world.ircd.wait_joined("#c0", "alice").await;
    bob.invite("alice", "#c1");
    world
        .homeserver
        .wait_event(&network, says("bob invites you to #c1. To enter, accept the invitation to its room"))
        .await;
    type_in(&world, &alice, &network, "set rejoin-on-invite all", "rejoin-on-invite all for fake").await;
    for number in 2..8 {
        bob.invite("alice", &format!("#c{number}"));
    }
    world.ircd.wait_joined("#c4", "alice").await;
    // More than five in ten minutes are nobody's wish.
    world.homeserver.wait_event(&network, says("bob invites you to #c7. To enter, type join #c7.")).await;
    world.ircd.wait_joined("#c2", "alice").await;
    assert!(!world.ircd.names("#c7").contains(&"alice".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channels_news_stands_in_the_networks_room_where_the_user_wants_it() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    type_in(&world, &alice, &network, "set forward on\nset channel-news show", "forward on for fake").await;
    bob.mode("#rust", "+m");
    world.homeserver.wait_event(&network, says("#rust: bob sets +m")).await;
    type_in(&world, &alice, &room, "!irc set forward off", "forward off for #rust").await;
    bob.mode("#rust", "-m");
    world.homeserver.wait_event(&room, says("bob sets -m")).await;
    let lines = world.homeserver.timeline_lines(&room);
    assert!(!lines.iter().any(|line| line.contains("bob sets +m")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_are_left_out_where_the_user_does_not_want_them() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "\u{3}04red\u{3} and \u{2}bold\u{2}");
    let shown = world.homeserver.wait_message(&room, "red and bold").await;
    assert!(shown.content["formatted_body"].as_str().unwrap().contains("data-mx-color"));
    type_in(&world, &alice, &room, "!irc set colours hide", "colours hide for #rust").await;
    bob.say("#rust", "\u{3}04blue\u{3} and \u{2}bold\u{2}");
    let shown = world.homeserver.wait_message(&room, "blue and bold").await;
    assert_eq!(shown.content["formatted_body"], "blue and <b>bold</b>");
}
