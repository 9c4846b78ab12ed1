//! People of IRC who are seen on Matrix as online, away or offline, where somebody wants that.

use serde_json::json;
use towline::config::{Permission, Permissions};

use crate::support::bridge::{World, ask};
use crate::support::homeserver::{Fault, Presence, TestUser};
use crate::support::ircd::{self, Person};

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

/// Returns the control room of the administrator who was told.
async fn given_up(world: &World, why: &str) -> String {
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
    admins_room
}

/// Before, each start told all of them again.
#[tokio::test(flavor = "multi_thread")]
async fn administrators_are_told_once_that_there_is_no_presence_however_often_the_bridge_starts() {
    let mut world = world("").await;
    let unrecognized = json!({ "errcode": "M_UNRECOGNIZED", "error": "Unrecognized request" });
    world.homeserver.faults().fail("PUT", PRESENCE, Fault::Status(404, unrecognized), usize::MAX);
    let admins_room = given_up(&world, "M_UNRECOGNIZED").await;
    let (_, room) = world.user_with_control_room("zoe").await;
    world.stop_bridge().await;
    let mut config = world.config();
    let levels = [
        ("test.local", Permission::User),
        ("@admin:test.local", Permission::Admin),
        ("@zoe:test.local", Permission::Admin),
    ];
    config.permissions = Permissions::new(levels.map(|(who, level)| (who.to_owned(), level)));
    world.start_bridge_with(config).await;
    // Who has not been told yet is, and by then all have been who are.
    world.homeserver.wait_event(&room, |event| event.body().contains("keeps no presence")).await;
    world.wait_outbox_empty().await;
    let bodies = world.homeserver.timeline_bodies(&admins_room);
    assert_eq!(bodies.iter().filter(|body| body.contains("keeps no presence")).count(), 1, "{bodies:?}");
}

/// Before, the answer to MONITOR made them online until they went away another time.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_away_stays_so_when_the_server_says_that_they_are_on_the_network() {
    let world = world("MONITOR=100").await;
    let (bob, carol) = (world.ircd.person("bob"), world.ircd.person("carol"));
    bob.join("#rust");
    carol.join("#rust");
    let (alice, control, _) = alice_in_rust(&world, &[BOB, CAROL]).await;
    bob.raw_line("AWAY :lunch");
    world.homeserver.wait_presence(BOB, "unavailable", Some("lunch")).await;
    alice.send_text(&control, "query bob");
    world.ircd.wait_line(|nick, line| nick == "alice" && line.starts_with("MONITOR + ")).await;
    // Told in a later round, behind him.
    carol.raw_line("AWAY :asleep");
    world.homeserver.wait_presence(CAROL, "unavailable", Some("asleep")).await;
    world.homeserver.wait_presence(BOB, "unavailable", Some("lunch")).await;
}

/// Before, what was known of them ended when their ghost left, and they stayed away when they came back.
#[tokio::test(flavor = "multi_thread")]
async fn of_whom_no_channel_tells_any_more_nothing_is_known_when_they_come_again() {
    let world = world("").await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    alice_in_rust(&world, &[BOB]).await;
    bob.raw_line("AWAY :lunch");
    world.homeserver.wait_presence(BOB, "unavailable", Some("lunch")).await;
    bob.part("#rust", "");
    world.homeserver.wait_presence(BOB, "offline", None).await;
    bob.raw_line("AWAY");
    bob.join("#rust");
    world.homeserver.wait_presence(BOB, "online", None).await;
}

const ALIAS: &str = "#irc_fake_#tea:test.local";
const DAN: &str = "@irc_fake_dan:test.local";

/// A world with shared rooms, dan in #tea and bob in #rust.
async fn shared_world(more: &str) -> (World, Person, Person) {
    let config = format!("templates: {{ shared_alias: \"irc_{{network}}_{{channel}}\" }}\n{more}");
    let world = World::builder().ircd(telling("")).config(&config).start().await;
    let (dan, bob) = (world.ircd.person("dan"), world.ircd.person("bob"));
    dan.join("#tea");
    bob.join("#rust");
    (world, dan, bob)
}

/// Before, people were shown there as long as somebody's connection happened to show the channel who wanted that.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_shared_room_nobody_is_shown_because_one_of_its_people_wants_it() {
    let (world, dan, bob) = shared_world("").await;
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    world.homeserver.wait_member(&room, BOB, "join").await;
    let shared = alice.join(ALIAS).await;
    world.homeserver.wait_member(&shared, DAN, "join").await;
    ask(&world, &alice, &control, "set show-presence on", "show-presence on for you").await;
    world.homeserver.wait_presence(BOB, "online", None).await;
    dan.raw_line("AWAY :lunch");
    bob.raw_line("AWAY :dinner");
    // Told in a later round than the one in which dan would have been.
    world.homeserver.wait_presence(BOB, "unavailable", Some("dinner")).await;
    assert_eq!(world.homeserver.requests("PUT", &presence_of(DAN)), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_shared_room_people_are_shown_where_the_configuration_says_so_whatever_its_people_want() {
    let (world, dan, bob) = shared_world("settings: { show-presence: \"on\" }\n").await;
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    world.homeserver.wait_member(&room, BOB, "join").await;
    world.homeserver.wait_presence(BOB, "online", None).await;
    ask(&world, &alice, &control, "set show-presence off", "show-presence off for you").await;
    world.homeserver.wait_presence(BOB, "offline", None).await;
    let shared = alice.join(ALIAS).await;
    world.homeserver.wait_member(&shared, DAN, "join").await;
    world.homeserver.wait_presence(DAN, "online", None).await;
    let before = world.homeserver.requests("PUT", &presence_of(BOB));
    bob.raw_line("AWAY :dinner");
    dan.raw_line("AWAY :lunch");
    world.homeserver.wait_presence(DAN, "unavailable", Some("lunch")).await;
    assert_eq!(world.homeserver.requests("PUT", &presence_of(BOB)), before, "her own rooms are hers");
    // Another's connection shows the channel from now on.
    let (dora, _, _) = world.connected_user("dora").await;
    dora.join(ALIAS).await;
    world.ircd.wait_joined("#tea", "dora").await;
    alice.leave(&shared);
    world.ircd.wait_parted("#tea", "alice").await;
    dan.raw_line("AWAY :asleep");
    world.homeserver.wait_presence(DAN, "unavailable", Some("asleep")).await;
}

/// Before, the first whom it could not be told of ended each round.
#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_that_the_homeserver_fails_at_keeps_nobody_else_from_being_shown() {
    let world = world("").await;
    let broken = json!({ "errcode": "M_UNKNOWN", "error": "Internal server error" });
    world.homeserver.faults().fail("PUT", &presence_of(BOB), Fault::Status(500, broken), usize::MAX);
    let (bob, carol) = (world.ircd.person("bob"), world.ircd.person("carol"));
    bob.join("#rust");
    carol.join("#rust");
    alice_in_rust(&world, &[BOB, CAROL]).await;
    world.homeserver.wait_presence(CAROL, "online", None).await;
    assert!(world.homeserver.requests("PUT", &presence_of(BOB)) > 0, "he comes first");
    carol.raw_line("AWAY :lunch");
    world.homeserver.wait_presence(CAROL, "unavailable", Some("lunch")).await;
}

/// As requests name it.
fn presence_of(ghost: &str) -> String {
    format!("{PRESENCE}{ghost}")
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
