//! A paste of more messages than are held: what is said and done elsewhere does not wait behind it, and what is done to
//! it is done to all of it.

use std::time::Duration;

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd::Person;

const PASTED: usize = 600;

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

/// Alice and Bob in `#rust`, where she has pasted.
struct Scene {
    world: World,
    alice: TestUser,
    bob: Person,
    control: String,
    room: String,
    pasted: Vec<String>,
}

async fn pasted(flood: &str) -> Scene {
    let world = World::builder().flood(flood).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let pasted = (0..PASTED).map(|number| alice.send_text(&room, &format!("line {number}"))).collect();
    bob.wait_text("line 0").await;
    world.homeserver.wait_delivered().await;
    Scene { world, alice, bob, control, room, pasted }
}

const SLOW: &str = "{ burst: 10, interval_ms: 500 }";
const FAST: &str = "{ burst: 10, interval_ms: 10 }";

impl Scene {
    fn said(&self) -> Vec<String> {
        let heard = self.bob.messages("#rust").into_iter();
        heard.filter(|(who, _)| who == "alice").map(|(_, text)| text).collect()
    }

    /// Waits until the paste has gone: in steps, since the limit of one wait is short for all of it on a busy machine.
    async fn gone(&self) {
        for number in (150..PASTED).step_by(100).chain([PASTED - 1]) {
            self.bob.wait_text(&format!("line {number}")).await;
        }
    }

    /// The paste has stopped, after some lines of it, and all of the rest is counted; what is said now goes.
    async fn stopped(&self, answer: &Event) {
        let last = self.alice.send_text(&self.room, "the end");
        self.world.homeserver.wait_receipt(&self.room, &self.world.homeserver.bot(), &last).await;
        let mut said = self.said();
        assert_eq!(said.pop().as_deref(), Some("the end"));
        assert!(said.len() < 100, "{} lines had left", said.len());
        assert_eq!(said, lines(0..said.len()));
        let counted = format!("had not left of {} messages to #rust", PASTED - said.len());
        assert!(answer.body().contains(&counted), "{}, and {} left", answer.body(), said.len());
    }
}

fn lines(numbers: impl Iterator<Item = usize>) -> Vec<String> {
    numbers.map(|number| format!("line {number}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_in_the_networks_room_stops_also_what_is_not_read_yet() {
    let scene = pasted(SLOW).await;
    let network = scene.world.homeserver.room_named("FakeNet");
    scene.alice.send_text(&network, "stop #rust");
    let answer = scene.world.homeserver.wait_event(&network, says("Stopped: ")).await;
    scene.stopped(&answer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_in_the_room_itself_does_not_wait_behind_what_it_stops() {
    let scene = pasted(SLOW).await;
    scene.alice.send_text(&scene.room, "!irc stop");
    let answer = scene.world.homeserver.wait_event(&scene.room, says("Stopped: ")).await;
    scene.stopped(&answer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_and_done_elsewhere_does_not_wait_for_a_paste() {
    let Scene { world, alice, bob, control, room, .. } = pasted(SLOW).await;
    bob.join("#go");
    alice.send_text(&control, "join #go");
    world.ircd.wait_joined("#go", "alice").await;
    let go = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&go).await;
    alice.send_text(&go, "a word");
    bob.wait_text("a word").await;
    // Nor does leaving.
    alice.leave(&go);
    world.ircd.wait_line(|_, line| line.starts_with("PART #go")).await;
    assert!(bob.messages("#rust").len() < 100);
    assert!(!world.homeserver.timeline_bodies(&room).iter().any(|body| body.contains("was not sent")));
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_message_that_is_taken_back_before_it_is_read_does_not_go_and_the_others_do_in_order() {
    let scene = pasted(SLOW).await;
    scene.alice.redact(&scene.room, &scene.pasted[590]).unwrap();
    scene.alice.redact(&scene.room, &scene.pasted[300]).unwrap();
    scene.world.homeserver.wait_delivered().await;
    // The rest, faster.
    let mut scene = scene;
    hurry(&mut scene.world).await;
    scene.gone().await;
    assert_eq!(scene.said(), lines((0..PASTED).filter(|number| ![300, 590].contains(number))));
    let last = scene.alice.send_text(&scene.room, "the end");
    scene.world.homeserver.wait_receipt(&scene.room, &scene.world.homeserver.bot(), &last).await;
}

/// Starts the bridge again with a faster pace.
async fn hurry(world: &mut World) {
    world.stop_bridge().await;
    let mut config = world.config();
    config.networks.values_mut().for_each(|network| network.flood.interval = Duration::from_millis(10));
    world.start_bridge_with(config).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_paste_survives_a_restart_in_its_order_and_once() {
    let mut scene = pasted(SLOW).await;
    hurry(&mut scene.world).await;
    scene.gone().await;
    let last = scene.alice.send_text(&scene.room, "the end");
    scene.world.homeserver.wait_receipt(&scene.room, &scene.world.homeserver.bot(), &last).await;
    let mut said = scene.said();
    assert_eq!(said.pop().as_deref(), Some("the end"));
    assert_eq!(said, lines(0..PASTED));
    let told = scene.world.homeserver.timeline_bodies(&scene.room);
    assert!(!told.iter().any(|body| body.contains("Your message was not")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_paste_goes_in_its_order_while_it_is_read_behind_itself() {
    let scene = pasted(FAST).await;
    scene.gone().await;
    let last = scene.alice.send_text(&scene.room, "the end");
    scene.world.homeserver.wait_receipt(&scene.room, &scene.world.homeserver.bot(), &last).await;
    let mut said = scene.said();
    assert_eq!(said.pop().as_deref(), Some("the end"));
    assert_eq!(said, lines(0..PASTED));
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_nothing_of_a_paste_is_turned_away_when_the_connection_is_lost() {
    let mut scene = pasted(SLOW).await;
    let network = scene.world.homeserver.room_named("FakeNet");
    scene.world.ircd.cut("alice");
    scene.world.homeserver.wait_event(&network, says("Not connected")).await;
    let last = scene.alice.send_text(&scene.room, "the end");
    scene.world.homeserver.wait_delivered().await;
    hurry(&mut scene.world).await;
    scene.gone().await;
    scene.world.homeserver.wait_receipt(&scene.room, &scene.world.homeserver.bot(), &last).await;
    let mut said = scene.said();
    assert_eq!(said.pop().as_deref(), Some("the end"));
    // Of those that were on their way when it was lost, it is not known.
    let told = scene.world.homeserver.timeline_bodies(&scene.room);
    let asked = told.iter().filter(|body| body.contains("may not have arrived")).count();
    assert!(said.len() + asked >= PASTED, "{} and {asked}", said.len());
    let numbers: Vec<usize> = said.iter().map(|line| line["line ".len()..].parse().unwrap()).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    assert!(!told.iter().any(|body| body.contains("was not sent")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_in_a_fifth_room_does_not_wait_for_pastes_in_four() {
    let world = World::builder().flood(SLOW).start().await;
    let bob = world.ircd.person("bob");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let mut rooms = vec![room];
    for name in ["#go", "#zig", "#ada", "#lisp"] {
        bob.join(name);
        alice.send_text(&control, &format!("join {name}"));
        world.ircd.wait_joined(name, "alice").await;
        rooms.push(alice.join(&world.homeserver.wait_invite(alice.id()).await).await);
    }
    let fifth = rooms.pop().unwrap();
    for room in &rooms {
        (0..70).for_each(|number| drop(alice.send_text(room, &format!("line {number}"))));
    }
    bob.wait_text("line 0").await;
    world.homeserver.wait_delivered().await;
    alice.send_text(&fifth, "a word");
    bob.wait_text("a word").await;
    alice.send_text(&rooms[0], "!irc stop");
    world.homeserver.wait_event(&rooms[0], says("Stopped: ")).await;
}
