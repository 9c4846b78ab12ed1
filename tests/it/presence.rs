//! People of IRC who are seen on Matrix as online, away or offline, where somebody wants that.

use serde_json::json;

use crate::support::bridge::{World, ask};
use crate::support::homeserver::{Fault, Presence, TestUser};
use crate::support::ircd;

const BOB: &str = "@irc_fake_bob:test.local";
const CAROL: &str = "@irc_fake_carol:test.local";
const PRESENCE: &str = "/presence/";

/// A server that tells who goes away and comes back.
fn telling(more: &str) -> ircd::Options {
    let mut options = ircd::Options::default();
    options.capabilities.push("away-notify".to_owned());
    options.isupport.extend(more.split_whitespace().map(str::to_owned));
    options
}

async fn world(more: &str) -> World {
    World::builder().ircd(telling(more)).start().await
}

/// Alice is in #rust, whose room has these ghosts, and wants people to be shown.
async fn alice_in_rust(world: &World, ghosts: &[&str]) -> (TestUser, String, String) {
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    for ghost in ghosts {
        world.homeserver.wait_member(&room, ghost, "join").await;
    }
    ask(world, &alice, &control, "set show-presence on", "show-presence on for you").await;
    (alice, control, room)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_on_irc_is_away_on_matrix_and_comes_back_and_goes() {
    let world = world("").await;
    let (bob, carol) = (world.ircd.person("bob"), world.ircd.person("carol"));
    bob.join("#rust");
    carol.join("#rust");
    alice_in_rust(&world, &[BOB, CAROL]).await;
    let homeserver = &world.homeserver;
    homeserver.wait_presence(BOB, "online", None).await;
    homeserver.wait_presence(CAROL, "online", None).await;
    bob.raw_line("AWAY :\u{2}at\u{2} lunch");
    homeserver.wait_presence(BOB, "unavailable", Some("at lunch")).await;
    // With another nick they are somebody else on Matrix, and away as they were.
    bob.nick("robert");
    homeserver.wait_presence("@irc_fake_robert:test.local", "unavailable", Some("at lunch")).await;
    homeserver.wait_presence(BOB, "offline", None).await;
    bob.raw_line("AWAY");
    homeserver.wait_presence("@irc_fake_robert:test.local", "online", None).await;
    carol.quit("bye");
    homeserver.wait_presence(CAROL, "offline", None).await;
}

#[rstest::rstest]
#[case::by_who("")]
#[case::by_whox("WHOX")]
#[tokio::test(flavor = "multi_thread")]
async fn who_was_away_before_is_found_by_asking(#[case] more: &str) {
    let world = world(more).await;
    let (bob, carol) = (world.ircd.person("bob"), world.ircd.person("carol"));
    bob.raw_line("AWAY :lunch");
    bob.join("#rust");
    let (alice, control, room) = alice_in_rust(&world, &[BOB]).await;
    // Why the answer to the question does not say.
    world.homeserver.wait_presence(BOB, "unavailable", None).await;
    // Who comes in while they are away says so.
    carol.raw_line("AWAY :asleep");
    carol.join("#rust");
    world.homeserver.wait_member(&room, CAROL, "join").await;
    world.homeserver.wait_presence(CAROL, "unavailable", Some("asleep")).await;
    ask(&world, &alice, &control, "unset show-presence", "show-presence").await;
    world.homeserver.wait_presence(BOB, "offline", None).await;
    world.homeserver.wait_presence(CAROL, "offline", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_server_does_not_tell_who_comes_back_nobody_is_away() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.raw_line("AWAY :lunch");
    bob.join("#rust");
    alice_in_rust(&world, &[BOB]).await;
    world.homeserver.wait_presence(BOB, "online", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_shown_as_long_as_one_session_sees_them() {
    let world = world("").await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = alice_in_rust(&world, &[BOB]).await;
    let (dora, control, _) = world.user_in_channel("dora", "#rust").await;
    ask(&world, &dora, &control, "set show-presence on", "show-presence on for you").await;
    bob.raw_line("AWAY :lunch");
    world.homeserver.wait_presence(BOB, "unavailable", Some("lunch")).await;
    alice.leave(&room);
    world.ircd.wait_line(|nick, line| nick == "alice" && line.starts_with("PART #rust")).await;
    bob.raw_line("AWAY :dinner");
    world.homeserver.wait_presence(BOB, "unavailable", Some("dinner")).await;
    ask(&world, &dora, &control, "disconnect fake", "Disconnected from FakeNet").await;
    world.homeserver.wait_presence(BOB, "offline", None).await;
}

/// Synapse answers 200 where presence is turned off.
#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_forgets_what_it_is_told_is_told_no_more_and_the_administrator_hears_of_it() {
    let builder = World::builder()
        .ircd(telling(""))
        .homeserver_options(|options| options.presence = Presence::Forgotten);
    given_up(&builder.start().await, "it takes what it is told and keeps nothing of it").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_without_presence_is_told_no_more_and_the_administrator_hears_of_it() {
    let world = world("").await;
    let unrecognized = json!({ "errcode": "M_UNRECOGNIZED", "error": "Unrecognized request" });
    world.homeserver.faults().fail("PUT", PRESENCE, Fault::Status(404, unrecognized), usize::MAX);
    given_up(&world, "M_UNRECOGNIZED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_forbids_it_to_several_is_told_no_more_and_the_administrator_hears_of_it() {
    let world = world("").await;
    let forbidden = json!({ "errcode": "M_FORBIDDEN", "error": "Presence is disabled" });
    world.homeserver.faults().fail("PUT", PRESENCE, Fault::Status(403, forbidden), usize::MAX);
    for nick in ["carol", "dave"] {
        world.ircd.person(nick).join("#rust");
    }
    given_up(&world, "M_FORBIDDEN: Presence is disabled").await;
}

async fn given_up(world: &World, why: &str) {
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (admin, admins_room) = world.user_with_control_room("admin").await;
    let (alice, control, room) = alice_in_rust(world, &[BOB]).await;
    let homeserver = &world.homeserver;
    let words = format!("your homeserver keeps no presence ({why}");
    let told = homeserver.wait_event(&admins_room, |event| event.body().contains("keeps no presence")).await;
    if !why.starts_with("M_") {
        assert!(told.body().contains(&words), "{}", told.body());
    }
    assert!(told.body().contains(why), "{}", told.body());
    let calls = || homeserver.requests("PUT", PRESENCE);
    let before = calls();
    bob.raw_line("AWAY :lunch");
    ask(world, &alice, &control, "set show-presence off", "show-presence off for you").await;
    let answer = ask(world, &alice, &control, "set show-presence on", "show-presence on for you").await;
    assert!(answer.body().contains("But your homeserver keeps no presence"), "{}", answer.body());
    bob.say("#rust", "back");
    homeserver.wait_message(&room, "back").await;
    assert_eq!(calls(), before);
    let about = |room: &str| {
        let events = homeserver.events(room);
        events.iter().filter(|event| event.body().contains("turn presence on")).count()
    };
    assert_eq!((about(&admins_room), about(&control)), (1, 0), "{}", admin.id());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_told_is_told_later() {
    let world = world("").await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let limited = Fault::RateLimited { retry_after_ms: 20 };
    world.homeserver.faults().fail("PUT", PRESENCE, limited, 2);
    world.homeserver.faults().fail("PUT", PRESENCE, Fault::Drop, 1);
    world.homeserver.faults().fail("GET", PRESENCE, Fault::Drop, 1);
    alice_in_rust(&world, &[BOB]).await;
    world.homeserver.wait_presence(BOB, "online", None).await;
    bob.raw_line("AWAY :lunch");
    world.homeserver.wait_presence(BOB, "unavailable", Some("lunch")).await;
    assert_eq!(world.homeserver.faults().remaining(), 0);
}
