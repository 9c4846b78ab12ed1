//! Being away by itself, when the homeserver says that somebody is not there.

use std::time::Duration;

use crate::support::bridge::{World, ask};
use crate::support::homeserver::{Event, TestUser};

const AWAY: &str = "AWAY :Not active on Matrix";

/// Alice in a channel, who wants to be away two minutes after she has gone.
struct Scene {
    world: World,
    alice: TestUser,
    network: String,
    room: String,
}

async fn scene() -> Scene {
    let world = World::start().await;
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    let scene = Scene { world, alice, network, room };
    scene.ask(&control, "set auto-away on", "auto-away on for you, on all networks.").await;
    // All that she has done before is through: it would mean that she is there.
    scene.alice.send_text(&scene.room, "hello");
    scene.world.ircd.wait_line(|_, line| line == "PRIVMSG #rust :hello").await;
    scene
}

impl Scene {
    /// Types something and waits for what is said to it.
    async fn ask(&self, room: &str, typed: &str, answer: &str) -> String {
        ask(&self.world, &self.alice, room, typed, answer).await.body().to_owned()
    }

    /// What `away` answers.
    async fn away(&self) -> String {
        self.ask(&self.network, "away", "on FakeNet").await
    }

    /// The homeserver says that alice is not there, and her session knows.
    async fn leaves(&self, state: &str) {
        self.alice.presence(state);
        for _ in 0..1_000 {
            if self.away().await.contains("not away on FakeNet yet") {
                return;
            }
        }
        panic!("the session does not know that alice is {state}");
    }

    /// What the server was told of her being away since a mark, all that was on its way included.
    async fn told(&self, mark: usize) -> Vec<String> {
        let end = self.world.ircd.mark();
        self.alice.send_text(&self.network, "raw TIME");
        self.world.ircd.wait_line_after(end, |_, line| line == "TIME").await;
        let lines = self.world.ircd.lines();
        let own = lines[mark..].iter().map(|one| one.line().clone());
        own.filter(|line| line.starts_with("AWAY")).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_there_is_away_after_a_while_and_back_when_they_are_or_write() {
    let scene = scene().await;
    let world = &scene.world;
    let mark = world.ircd.mark();
    scene.leaves("unavailable").await;
    world.pass("alice", Duration::from_mins(1)).await;
    assert_eq!(scene.told(mark).await, [""; 0]);
    world.pass("alice", Duration::from_secs(61)).await;
    world.ircd.wait_line_after(mark, |_, line| line == AWAY).await;
    assert!(scene.away().await.starts_with("You are away on FakeNet, since your homeserver says"));
    // They come back.
    scene.alice.presence("online");
    world.ircd.wait_line_after(mark, |_, line| line == "AWAY").await;
    assert_eq!(scene.told(mark).await, [AWAY, "AWAY"]);

    let mark = world.ircd.mark();
    scene.leaves("offline").await;
    world.pass("alice", Duration::from_secs(121)).await;
    world.ircd.wait_line_after(mark, |_, line| line == AWAY).await;
    // They write, whatever the homeserver says.
    scene.alice.send_text(&scene.room, "here I am");
    world.ircd.wait_line_after(mark, |_, line| line == "AWAY").await;
    assert_eq!(scene.told(mark).await, [AWAY, "AWAY"]);
    assert_eq!(scene.away().await, "You are not away on FakeNet.");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_has_said_of_themselves_is_neither_replaced_nor_taken_back() {
    let scene = scene().await;
    let world = &scene.world;
    scene.ask(&scene.network, "away out for tea", "marked as being away").await;
    let mark = world.ircd.mark();
    scene.alice.presence("unavailable");
    world.homeserver.wait_delivered().await;
    world.pass("alice", Duration::from_secs(121)).await;
    scene.alice.presence("online");
    world.homeserver.wait_delivered().await;
    assert_eq!(scene.away().await, "You are away on FakeNet: out for tea");
    assert_eq!(scene.told(mark).await, [""; 0]);
    // And said while they are away by themselves, it is theirs from then on.
    scene.ask(&scene.network, "away off", "no longer marked").await;
    scene.leaves("unavailable").await;
    let mark = world.ircd.mark();
    world.pass("alice", Duration::from_secs(121)).await;
    world.ircd.wait_line_after(mark, |_, line| line == AWAY).await;
    scene.ask(&scene.network, "away asleep", "marked as being away").await;
    scene.alice.send_text(&scene.room, "well, nearly");
    world.ircd.wait_line_after(mark, |_, line| line == "PRIVMSG #rust :well, nearly").await;
    assert_eq!(scene.told(mark).await, [AWAY, "AWAY :asleep"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_away_by_themselves_stays_so_over_a_restart_and_until_they_want_it_no_more() {
    let mut scene = scene().await;
    scene.leaves("unavailable").await;
    let mark = scene.world.ircd.mark();
    scene.world.pass("alice", Duration::from_secs(121)).await;
    scene.world.ircd.wait_line_after(mark, |_, line| line == AWAY).await;
    // The next connection of this process, and the next process.
    let mark = scene.world.ircd.mark();
    scene.world.ircd.cut("alice");
    scene.world.ircd.wait_line_after(mark, |_, line| line == AWAY).await;
    scene.world.stop_bridge().await;
    let mark = scene.world.ircd.mark();
    scene.world.start_bridge().await;
    scene.world.ircd.wait_line_after(mark, |_, line| line == AWAY).await;
    scene.ask(&scene.network, "set auto-away off", "auto-away off for fake").await;
    scene.world.ircd.wait_line_after(mark, |_, line| line == "AWAY").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_it_is_told_where_the_homeserver_says_nothing() {
    let world = World::start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    let says = |part: &'static str| move |one: &Event| one.body().contains(part);
    alice.send_text(&control, "set auto-away 15");
    let silent =
        "auto-away 15 for you, on all networks. Your homeserver has told me nobody's presence so far.";
    world.homeserver.wait_event(&control, says(silent)).await;
    alice.send_text(&control, "set auto-away soon");
    world.homeserver.wait_event(&control, says("is on, off, or a number of minutes from 1 to 1440")).await;
}
