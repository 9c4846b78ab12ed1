//! The nick that a user wants, and the ways back to it.

use std::time::Duration;

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd;

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

/// Alice's network room and control room, while another has her nick.
async fn in_use(options: ircd::Options) -> (World, ircd::Person, TestUser, String, String) {
    let world = World::builder().ircd(options).start().await;
    let other = world.ircd.person("alice");
    let (alice, control) = world.user_with_control_room("alice").await;
    alice.send_text(&control, "open fake");
    let network = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&network).await;
    world.homeserver.wait_event(&network, says("as alice_, since")).await;
    (world, other, alice, control, network)
}

fn with(token: &str) -> ircd::Options {
    let mut options = ircd::Options::default();
    options.isupport.push(token.to_owned());
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn monitor_tells_that_the_nick_is_free_and_it_is_taken() {
    let (world, other, _, _, network) = in_use(with("MONITOR=100")).await;
    world.ircd.wait_line(|_, line| line == "MONITOR + alice").await;
    other.quit("gone");
    world.homeserver.wait_event(&network, says("You are now alice.")).await;
    world.ircd.wait_line(|_, line| line == "MONITOR - alice").await;
    assert_eq!(
        world.homeserver.timeline_bodies(&network).iter().filter(|body| body.contains("ISON")).count(),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_monitor_it_is_looked_for_quietly() {
    let (world, other, _, _, network) = in_use(ircd::Options::default()).await;
    world.pass("alice_", Duration::from_secs(20)).await;
    world.ircd.wait_line(|nick, line| nick == "alice_" && line == "ISON alice").await;
    other.quit("gone");
    // It may be alice by the time that it has seen this.
    world.clock.advance(Duration::from_mins(1));
    world.ircd.send_line("alice_", "NOTICE alice_ :time goes by");
    world.homeserver.wait_event(&network, says("You are now alice.")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_give_the_nick_back_to_who_is_logged_in() {
    let accounts = vec![("alice".to_owned(), "looking-glass".to_owned())];
    let options = ircd::Options { accounts, services: true, ..ircd::Options::default() };
    let (world, _other, alice, control, network) = in_use(options).await;
    alice.send_text(&control, "sasl alice looking-glass\ndisconnect\nconnect");
    world.homeserver.wait_event(&network, says("Logged in as alice.")).await;
    // By itself, in some seconds.
    world.homeserver.wait_event(&network, says("You are now alice.")).await;
    let asked = world.ircd.lines().iter().filter(|one| one.line() == "NICKSERV REGAIN alice").count();
    assert_eq!(asked, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_users_alternatives_are_taken_in_their_order() {
    let (world, _other, alice, control, network) = in_use(ircd::Options::default()).await;
    let _second = world.ircd.person("alys");
    alice.send_text(&control, "nicks alys, lice");
    world.homeserver.wait_event(&control, says("the first of these that is not: alys lice.")).await;
    alice.send_text(&control, "disconnect\nconnect");
    world.homeserver.wait_event(&network, says("as lice, since the server does not give you alice.")).await;
    alice.send_text(&control, "nicks");
    world.homeserver.wait_event(&control, says("one of: alys lice.")).await;
    alice.send_text(&control, "nicks off");
    world.homeserver.wait_event(&control, says("you will have an underscore behind it")).await;
    alice.send_text(&control, "nicks not#a/nick!");
    world.homeserver.wait_event(&control, says("is no nick")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nick_that_is_taken_away_twice_is_left_alone() {
    let (world, other, _, _, network) = in_use(with("MONITOR=100")).await;
    other.quit("gone");
    world.homeserver.wait_event(&network, says("You are now alice.")).await;
    world.ircd.send_raw("alice", b":alice!~alice@localhost NICK :Guest1\r\n");
    world.homeserver.wait_event(&network, says("You are now Guest1.")).await;
    world.ircd.send_raw("alice", b":Guest1!~alice@localhost NICK :alice\r\n");
    world.ircd.send_raw("alice", b":alice!~alice@localhost NICK :Guest2\r\n");
    let told = world.homeserver.wait_event(&network, says("taken away from you again")).await;
    assert!(told.body().contains("nick alice"), "{}", told.body());
    // What it asked for before that has come by then.
    world.pass("alice", Duration::ZERO).await;
    let mark = world.ircd.mark();
    world.pass("alice", Duration::from_hours(1)).await;
    let lines = world.ircd.lines();
    assert!(!lines[mark..].iter().any(|one| one.line().starts_with("NICK")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_ghosted_with_the_connection_twice_is_told_that_it_is_left_at_that() {
    let world = World::start().await;
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    for round in 1..=2 {
        let killed = format!("Closing Link: h (Killed (services (GHOST command used by bob{round})))");
        world.ircd.error("alice", &killed);
        world.homeserver.wait_event(&network, says(&format!("bob{round}"))).await;
        world.clock.advance(Duration::from_mins(30));
        // What is said in a channel's room wakes the session.
        alice.send_text(&room, "still there?");
        world.ircd.wait_registered("alice").await;
    }
    let told = world.homeserver.wait_event(&network, says("alice was taken away from you again")).await;
    assert_eq!(told.content["msgtype"], "m.text");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nick_that_is_refused_is_not_the_one_of_the_next_connection() {
    let world = World::start().await;
    let (alice, control, _) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    alice.send_text(&control, "nick 9lives");
    world.homeserver.wait_event(&network, says("You can't be 9lives: Erroneous Nickname")).await;
    alice.send_text(&control, "nick");
    world.homeserver.wait_event(&control, says("You are alice. Your nick for FakeNet is alice.")).await;
    alice.send_text(&control, "disconnect\nconnect");
    world.ircd.wait_registered("alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nick_that_is_given_is_the_one_of_the_next_connection_however_it_was_asked_for() {
    let world = World::start().await;
    let (alice, control, _) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    alice.send_text(&control, "nick bob");
    world.homeserver.wait_event(&network, says("You are now bob.")).await;
    alice.send_text(&control, "nick");
    world.homeserver.wait_event(&control, says("You are bob. Your nick for FakeNet is bob.")).await;
    alice.send_text(&network, "raw NICK carol");
    world.homeserver.wait_event(&network, says("You are now carol.")).await;
    alice.send_text(&control, "disconnect\nconnect");
    world.ircd.wait_registered("carol").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nick_that_is_asked_for_when_the_bridge_stops_is_had_when_it_is_back() {
    let mut world = World::start().await;
    let (alice, control, _) = world.user_in_channel("alice", "#rust").await;
    world.ircd.half_open("alice");
    alice.send_text(&control, "nick bob");
    world.homeserver.wait_event(&control, says("Asking the server for the nick bob.")).await;
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_registered("bob").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nick_that_is_asked_for_on_a_dying_connection_is_had_on_the_next() {
    let world = World::start().await;
    let (alice, control, _) = world.user_in_channel("alice", "#rust").await;
    world.ircd.half_open("alice");
    alice.send_text(&control, "nick bob");
    world.homeserver.wait_event(&control, says("Asking the server for the nick bob.")).await;
    world.ircd.cut("alice");
    world.ircd.wait_gone("alice").await;
    alice.send_text(&control, "connect");
    world.ircd.wait_registered("bob").await;
}
