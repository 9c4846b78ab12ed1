//! Many users and one network: who may connect when, and what they are told.
//!
//! The rules are tested on a time of their own, beside the governor; here the bridge follows them.

use std::time::Duration;

use futures_util::future::join_all;

use crate::support::bridge::World;
use crate::support::clock::now;
use crate::support::homeserver::{Event, LIMIT, TestUser};

const K_LINE: &str = "Closing Link: bridge (K-Lined for 30 minutes: too many)";

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

/// Asks until the status says this: nothing else tells when a session has come so far.
async fn wait_status(world: &World, user: &TestUser, control: &str, part: &str) {
    let says_it = async {
        loop {
            let before = world.homeserver.event_count(control);
            user.send_text(control, "status");
            let is_new = std::cell::Cell::new(0);
            let is_answer = |event: &Event| {
                is_new.set(is_new.get() + 1);
                is_new.get() > before && event.sender != user.id() && event.kind == "m.room.message"
            };
            if says(part)(&world.homeserver.wait_event(control, is_answer).await) {
                return;
            }
        }
    };
    tokio::time::timeout(LIMIT, says_it).await.expect("the status says it");
}

/// A user who has asked to connect, and their control room.
async fn opening(world: &World, name: &str) -> (TestUser, String) {
    let (user, control) = world.user_with_control_room(name).await;
    user.send_text(&control, "open fake");
    world.homeserver.wait_event(&control, says("You are invited")).await;
    (user, control)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_the_network_is_told_their_place_and_who_asks_goes_before() {
    let world = World::builder().connections("{ parallel: 1, interval: 0 }").start().await;
    world.ircd.hang();
    let (alice, alices) = opening(&world, "alice").await;
    world.ircd.wait_connections(1).await;
    let (bob, bobs) = opening(&world, "bob").await;
    wait_status(&world, &bob, &bobs, "waiting to connect: you are next").await;
    let (carol, carols) = opening(&world, "carol").await;
    wait_status(&world, &carol, &carols, "one of this bridge's users goes before you").await;
    carol.send_text(&carols, "connect");
    wait_status(&world, &carol, &carols, "waiting to connect: you are next").await;
    world.ircd.welcome().await;
    alice.send_text(&alices, "disconnect");
    world.ircd.wait_registered("carol").await;
    world.ircd.wait_registered("bob").await;
    assert_eq!(world.ircd.nicks(), ["bob", "carol"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_of_all_is_not_hammered_at_and_the_first_who_is_taken_brings_the_others() {
    let world = World::start().await;
    world.ircd.turn_away(K_LINE);
    for name in ["alice", "bob"] {
        let (user, control) = opening(&world, name).await;
        let network = world.homeserver.wait_invite(user.id()).await;
        world.homeserver.wait_event(&network, says("Trying again in 30 minutes")).await;
        wait_status(&world, &user, &control, "K-Lined").await;
    }
    let (carol, carols) = opening(&world, "carol").await;
    wait_status(&world, &carol, &carols, "the network refuses this bridge for now").await;
    assert_eq!(world.ircd.connections(), 2, "carol does not dial");
    world.ircd.welcome().await;
    world.clock.advance(Duration::from_mins(5));
    carol.send_text(&carols, "connect");
    for name in ["carol", "alice", "bob"] {
        world.ircd.wait_registered(name).await;
    }
    assert_eq!(world.ircd.connections(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_counts_although_the_connection_ends_without_a_word_more() {
    let world = World::start().await;
    let (_, _, network) = world.connected_user("alice").await;
    world.ircd.send_line("alice", "465 alice :You are banned for 45 minutes");
    world.ircd.send_line("alice", "NOTICE alice :and now it has read that");
    world.homeserver.wait_event(&network, says("it has read that")).await;
    world.ircd.cut("alice");
    let told = world.homeserver.wait_event(&network, says("Not connected: ")).await;
    assert!(
        told.body().contains("You are banned for 45 minutes. Trying again in 45 minutes"),
        "{}",
        told.body()
    );
}

/// Someone who is connected, and their rooms.
struct Citizen {
    user: TestUser,
    network: String,
    /// The conversation with `town`, of those who talk.
    talk: Option<String>,
}

/// Connects users, a group at a time, so that none has to wait long; one in each ten of them talks.
async fn crowd(world: &World, count: usize) -> Vec<Citizen> {
    const TOGETHER: usize = 20;
    let mut users = Vec::new();
    for first in (0..count).step_by(TOGETHER) {
        let group = (first..count.min(first + TOGETHER)).map(|number| async move {
            let (user, control) = opening(world, &format!("user{number}")).await;
            let network = world.homeserver.wait_invite(user.id()).await;
            user.join(&network).await;
            let mut talk = None;
            if number.is_multiple_of(10) {
                user.send_text(&control, "query town");
                let room = world.homeserver.wait_invite(user.id()).await;
                user.join(&room).await;
                talk = Some(room);
            }
            Citizen { user, network, talk }
        });
        users.extend(join_all(group).await);
    }
    users
}

/// Waits for each of them: a slow machine has its time for every one.
async fn all_there(world: &World, count: usize) {
    for number in 0..count {
        world.ircd.wait_registered(&format!("user{number}")).await;
    }
    world.ircd.wait_clients(count + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_users_come_back_after_a_restart_and_after_a_cut_and_nothing_is_lost() {
    const USERS: usize = 200;
    const PARALLEL: usize = 8;
    let connections = format!("{{ parallel: {PARALLEL}, interval: 0 }}");
    let mut world = World::builder().connections(&connections).start().await;
    let town = world.ircd.person("town");
    let begun = now();
    let users = crowd(&world, USERS).await;
    all_there(&world, USERS).await;
    println!("{USERS} users connected after {} ms", now() - begun);
    let mut said = Vec::new();
    for what in ["restart", "cut"] {
        if what == "restart" {
            world.stop_bridge().await;
        } else {
            world.ircd.cut_all();
        }
        for Citizen { user, network, talk } in &users {
            let Some(room) = talk else { continue };
            if what == "cut" {
                // A line to a connection that is cut may have left, so its sender would be asked.
                world.homeserver.wait_event(network, says("Not connected: ")).await;
            }
            said.push(format!("{what}: {}", user.id()));
            user.send_text(room, said.last().unwrap());
        }
        let begun = now();
        if what == "restart" {
            world.start_bridge().await;
        }
        all_there(&world, USERS).await;
        println!("{what}: {USERS} users back after {} ms", now() - begun);
        // Before the next round: it would cut what is on its way.
        for text in &said {
            town.wait_text(text).await;
        }
    }
    for text in &said {
        let count = town.messages("town").iter().filter(|(_, heard)| heard == text).count();
        assert_eq!(count, 1, "{text}");
    }
    let most = world.ircd.most_greeting();
    println!("at most {most} were on their way at once");
    assert!(most <= PARALLEL, "{most}");
}
