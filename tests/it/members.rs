//! Who of a channel's people is in its room: by the setting, in the background, and behind whatever is said.

use std::time::Duration;

use rstest::rstest;

use crate::support::bridge::World;
use crate::support::clock::now;
use crate::support::homeserver::{Event, Fault, Homeserver};
use crate::support::ircd::Person;

const BOB: &str = "@irc_fake_bob:test.local";
const CAROL: &str = "@irc_fake_carol:test.local";

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

fn ghost(nick: &str) -> String {
    format!("@irc_fake_{nick}:test.local")
}

/// The ghosts in a room.
fn ghosts_in(homeserver: &Homeserver, room: &str) -> Vec<String> {
    let members = homeserver.members(room, "join").into_iter();
    members.filter(|user| user.starts_with("@irc_")).collect()
}

/// How often a ghost came in or left.
fn moves(homeserver: &Homeserver, room: &str, user: &str) -> Vec<String> {
    let of_them = |event: &Event| event.kind == "m.room.member" && event.state_key.as_deref() == Some(user);
    let events = homeserver.events(room).into_iter().filter(of_them);
    events.map(|event| event.content["membership"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_small_channel_all_are_members_without_a_word_and_leave_when_they_go() {
    let mut world = World::start().await;
    let (bob, carol) = (world.ircd.person("bob"), world.ircd.person("carol"));
    bob.join("#rust");
    carol.join("#rust");
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    for user in [BOB, CAROL] {
        world.homeserver.wait_member(&room, user, "join").await;
    }
    assert!(!world.homeserver.is_registered(&ghost("alice")), "the user's own nick is theirs");
    let dave = world.ircd.person("dave");
    dave.join("#rust");
    world.homeserver.wait_member(&room, &ghost("dave"), "join").await;
    carol.part("#rust", "bye");
    world.homeserver.wait_member(&room, CAROL, "leave").await;
    carol.join("#rust");
    world.homeserver.wait_member(&room, CAROL, "join").await;
    dave.nick("erin");
    world.homeserver.wait_member(&room, &ghost("erin"), "join").await;
    world.homeserver.wait_member(&room, &ghost("dave"), "leave").await;

    // After a restart only the difference is made.
    world.stop_bridge().await;
    carol.part("#rust", "bye");
    world.ircd.person("frank").join("#rust");
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    world.homeserver.wait_member(&room, &ghost("frank"), "join").await;
    world.homeserver.wait_member(&room, CAROL, "leave").await;
    assert_eq!(moves(&world.homeserver, &room, BOB), ["join"]);
    assert_eq!(moves(&world.homeserver, &room, CAROL), ["join", "leave", "join", "leave"]);
    assert_eq!(ghosts_in(&world.homeserver, &room), [BOB.to_owned(), ghost("erin"), ghost("frank")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_known_to_the_network_comes_into_another_room_with_one_request_and_no_invitation() {
    let world = World::start().await;
    let people = world.ircd.crowd("#rust", 20);
    let (alice, control, rust) = world.user_in_channel("alice", "#rust").await;
    for person in &people {
        world.homeserver.wait_member(&rust, &ghost(&person.current_nick()), "join").await;
        person.join("#go");
    }
    let before = world.homeserver.requests("POST", "");
    alice.send_text(&control, "join #go");
    let go = world.homeserver.wait_invite(alice.id()).await;
    for person in &people {
        world.homeserver.wait_member(&go, &ghost(&person.current_nick()), "join").await;
    }
    // The room itself is one request, and each of them another.
    assert_eq!(world.homeserver.requests("POST", "") - before, 21);
    let invited = |event: &Event| event.kind == "m.room.member" && event.content["membership"] == "invite";
    assert_eq!(world.homeserver.events(&go).into_iter().filter(invited).count(), 1, "alice");
}

/// "It must show" 4 of issue 6.
#[rstest]
#[case::of_5000(5_000)]
#[case::of_20000(20_000)]
#[tokio::test(flavor = "multi_thread")]
async fn invariant_8_a_large_channel_is_usable_while_its_people_come_in_within_their_budget(
    #[case] size: usize,
) {
    const RATE: usize = 5;
    let world = World::builder().config(&format!("limits: {{ membership_calls: {RATE} }}\n")).start().await;
    let people = world.ircd.crowd("#big", size);
    let (first, last) = (&people[0], people.last().unwrap());
    world.ircd.give("#big", "crowd2345", 'o');
    let (alice, control, _) = world.connected_user("alice").await;
    alice.send_text(&control, "set members all");
    world.homeserver.wait_event(&control, says("members all for you")).await;
    let (begin, all) = (world.homeserver.requests("POST", "/join"), world.homeserver.requests("", ""));
    let began = now();
    alice.send_text(&control, "join #big");
    let room = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&room).await;
    last.say("#big", "hello from IRC");
    world.homeserver.wait_message(&room, "hello from IRC").await;
    // Nothing is in the way of it but what makes the room and brings the speaker in, and a burst of the others.
    let before = world.homeserver.requests("", "") - all;
    let budget = || RATE * (usize::try_from((now() - began) / 1_000).unwrap() + 2);
    assert!(before < 40 + budget(), "{before} requests before the first line, in {} ms", now() - began);
    alice.send_text(&room, "hello from Matrix");
    first.wait_text("hello from Matrix").await;
    let asked = world.ircd.lines_from("alice").len();
    alice.send_text(&room, "!irc names");
    let names = world.homeserver.wait_event(&room, says("In #big are")).await;
    assert!(names.body().starts_with(&format!("In #big are {} people.", size + 1)), "{}", names.body());
    // It is known already: no server is asked, which would take its time.
    let sent = world.ircd.lines_from("alice").split_off(asked);
    assert!(!sent.iter().any(|line| line.starts_with("NAMES") || line.starts_with("WHO")), "{sent:?}");
    // The operator comes first of all who are silent.
    world.homeserver.wait_member(&room, &ghost("crowd2345"), "join").await;
    let joins: Vec<String> = world
        .homeserver
        .events(&room)
        .into_iter()
        .filter(|event| event.kind == "m.room.member" && event.content["membership"] == "join")
        .filter_map(|event| event.state_key)
        .filter(|user| user.starts_with("@irc_fake_") && *user != ghost(&last.current_nick()))
        .collect();
    assert!(joins.iter().take(4).any(|user| *user == ghost("crowd2345")), "{joins:?}");
    // Two speak, who don't wait for their turn.
    let joined = world.homeserver.requests("POST", "/join") - begin;
    assert!(joined <= budget() + 2, "{joined} in {} ms", now() - began);
    // Stopping does not wait for the others.
    drop(world);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_large_channel_those_come_who_speak_or_are_named_and_the_silent_leave_after_a_week() {
    let world = World::start().await;
    let people = world.ircd.crowd("#big", 450);
    let (_, _, room) = world.user_in_channel("alice", "#big").await;
    people[0].say("#big", "crowd0001: are you there?");
    for nick in ["crowd0000", "crowd0001"] {
        world.homeserver.wait_member(&room, &ghost(nick), "join").await;
    }
    world.pass("alice", Duration::from_hours(4 * 24)).await;
    people[1].say("#big", "I am");
    world.homeserver.wait_message(&room, "I am").await;
    for _ in 0..3 {
        world.pass("alice", Duration::from_hours(25)).await;
    }
    world.homeserver.wait_member(&room, &ghost("crowd0000"), "leave").await;
    assert_eq!(ghosts_in(&world.homeserver, &room), [ghost("crowd0001")]);
}

/// Before, they counted as being there, and did not come until they spoke.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_named_while_the_room_is_made_comes_in_with_it() {
    let world = World::start().await;
    let people = world.ircd.crowd("#rust", 6);
    let (speaker, named) = people.split_first().unwrap();
    let (alice, control, _) = world.connected_user("alice").await;
    alice.send_text(&control, "set members active");
    world.homeserver.wait_event(&control, says("members active for you")).await;
    world.homeserver.faults().fail("POST", "/createRoom", Fault::RateLimited { retry_after_ms: 50 }, 10_000);
    alice.send_text(&control, "join #rust");
    world
        .homeserver
        .wait_requests("POST", "/createRoom", world.homeserver.requests("POST", "/createRoom") + 1)
        .await;
    // More than come in at once, and as many as one line may name.
    let nicks: Vec<String> = named.iter().map(Person::current_nick).collect();
    speaker.say("#rust", &format!("{} are you there?", nicks.join(" ")));
    // What is answered now is answered after that was read.
    let mark = world.ircd.mark();
    world.ircd.send_line("alice", "PING :after-it");
    world.ircd.wait_line_after(mark, |_, line| line.contains("after-it")).await;
    world.homeserver.faults().clear();
    let room = world.homeserver.wait_invite(alice.id()).await;
    for nick in nicks {
        world.homeserver.wait_member(&room, &ghost(&nick), "join").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_is_wanted_it_is_not_enough_to_be_named() {
    let world = World::start().await;
    let people = world.ircd.crowd("#big", 450);
    let (alice, _, room) = world.user_in_channel("alice", "#big").await;
    people[1].say("#big", "I am here");
    world.homeserver.wait_message(&room, "I am here").await;
    alice.send_text(&room, "!irc set members none");
    world.homeserver.wait_event(&room, says("members none for #big")).await;
    people[1].say("#big", "crowd0003: hey");
    world.homeserver.wait_message(&room, "crowd0003: hey").await;
    people[2].say("#big", "I speak");
    world.homeserver.wait_message(&room, "I speak").await;
    assert_eq!(ghosts_in(&world.homeserver, &room), [ghost("crowd0001"), ghost("crowd0002")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_choice_brings_people_in_or_takes_them_out() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    world.ircd.person("carol").join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    world.homeserver.wait_member(&room, CAROL, "join").await;
    bob.say("#rust", "hello");
    world.homeserver.wait_message(&room, "hello").await;
    alice.send_text(&room, "!irc set members active");
    world.homeserver.wait_member(&room, CAROL, "leave").await;
    assert_eq!(ghosts_in(&world.homeserver, &room), [BOB]);
    alice.send_text(&room, "!irc unset members");
    world.homeserver.wait_member(&room, CAROL, "join").await;
    assert_eq!(moves(&world.homeserver, &room, BOB), ["join"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_sets_right_who_is_in_a_room() {
    let world = World::start().await;
    for nick in ["bob", "carol"] {
        world.ircd.person(nick).join("#rust");
    }
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    for user in [BOB, CAROL] {
        world.homeserver.wait_member(&room, user, "join").await;
    }
    // What brings them in stores that they are there, and has nothing more to store after that.
    let there = "SELECT CAST(ghost AS TEXT) FROM member WHERE wanted";
    world.database().wait("both are known to be there", there, |there| there.len() == 2).await;
    // An administrator's doing, or a restored backup.
    alice.kick(&room, BOB, "by mistake").unwrap();
    alice.send_text(&room, "!irc sync");
    let answer = world.homeserver.wait_event(&room, says("#rust has 3 people")).await;
    assert!(answer.body().contains("its room has 1 of them"), "{}", answer.body());
    world.homeserver.wait_member(&room, BOB, "join").await;
    alice.send_text(&control, "sync #nowhere");
    world.homeserver.wait_event(&control, says("You have no room for #nowhere.")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_before_their_turn_never_comes() {
    let world = World::builder().config("limits: { membership_calls: 1 }\n").start().await;
    let people = world.ircd.crowd("#rust", 30);
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    world
        .homeserver
        .wait_event(&room, |event| {
            event.kind == "m.room.member"
                && event.state_key.as_deref().is_some_and(|user| user.starts_with("@irc_"))
        })
        .await;
    let last = people.last().unwrap().current_nick();
    people.into_iter().for_each(|person| person.quit("all of us"));
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    bob.say("#rust", "alone");
    world.homeserver.wait_message(&room, "alone").await;
    assert!(moves(&world.homeserver, &room, &ghost(&last)).is_empty());
}
