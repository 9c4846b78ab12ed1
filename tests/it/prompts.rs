//! Messages that did not go, or may not have gone: who sent them is asked, and a reaction sends them.

use std::time::Duration;

use rstest::rstest;

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd::{self, Person};

const BUTTON: &str = "✅";
const HOURGLASS: &str = "⏳";

fn answer_to(event_id: &str) -> impl Fn(&Event) -> bool {
    move |event| event.content["m.relates_to"]["m.in_reply_to"]["event_id"] == event_id
}

/// A reaction with this key to this event.
fn reaction(event_id: &str, key: &'static str) -> impl Fn(&Event) -> bool {
    move |event| {
        let relation = &event.content["m.relates_to"];
        event.kind == "m.reaction" && relation["event_id"] == event_id && relation["key"] == key
    }
}

/// Alice in `#rust` with Bob, and the room.
struct Scene {
    world: World,
    alice: TestUser,
    bob: Person,
    control: String,
    room: String,
}

async fn scene_in(world: World) -> Scene {
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    Scene { world, alice, bob, control, room }
}

impl Scene {
    /// The bridge's answer to a message.
    async fn answer(&self, event_id: &str) -> Event {
        self.world.homeserver.wait_event(&self.room, answer_to(event_id)).await
    }

    /// The connection is gone, and none can be made.
    async fn go_away(&self) {
        self.world.ircd.refuse();
        self.world.ircd.cut("alice");
        let network = self.world.homeserver.room_named("FakeNet");
        let noticed = |event: &Event| event.body().contains("Not connected: ");
        self.world.homeserver.wait_event(&network, noticed).await;
    }

    async fn come_back(&self) {
        self.world.ircd.welcome().await;
        self.alice.send_text(&self.control, "connect");
        self.world.ircd.wait_joined("#rust", "alice").await;
    }

    /// What Bob heard from Alice, when a last line of hers has come.
    async fn heard(&self) -> Vec<String> {
        self.alice.send_text(&self.room, "the end");
        self.bob.wait_text("the end").await;
        let heard = self.bob.messages("#rust").into_iter();
        heard.filter(|(nick, text)| nick == "alice" && text != "the end").map(|(_, text)| text).collect()
    }

    /// Waits until a reaction that the bridge made is taken back.
    async fn wait_taken_back(&self, reaction: &Event) {
        let id = reaction.event_id.clone();
        let redacts =
            move |event: &Event| event.redacts.as_deref() == Some(&*id) || event.content["redacts"] == *id;
        self.world.homeserver.wait_event(&self.room, redacts).await;
    }
}

/// A message that waited too long, and the bridge's question.
async fn stale() -> (Scene, String, Event) {
    let scene = scene_in(World::builder().stale_after(Duration::from_millis(700)).start().await).await;
    scene.go_away().await;
    let event = scene.alice.send_text(&scene.room, "late\nand later");
    scene.world.homeserver.wait_event(&scene.room, |event| event.body().contains("was not sent")).await;
    let question = scene
        .world
        .homeserver
        .wait_event(&scene.room, |one| answer_to(&event)(one) && one.body().contains("react to this"))
        .await;
    (scene, event, question)
}

#[rstest]
#[case::on_the_question("✅", true)]
#[case::on_the_message("✅", false)]
#[case::with_another_yes("👍", true)]
#[case::with_a_variation_selector("✔\u{fe0f}", false)]
#[tokio::test(flavor = "multi_thread")]
async fn a_stale_message_is_sent_by_a_reaction_and_only_once(#[case] key: &str, #[case] on_question: bool) {
    let (scene, event, question) = stale().await;
    assert!(question.body().contains("the conversation has moved on"), "{}", question.body());
    let button = scene.world.homeserver.wait_event(&scene.room, reaction(&question.event_id, BUTTON)).await;
    assert_eq!(button.sender, scene.world.homeserver.bot());
    scene.come_back().await;
    scene.alice.react(&scene.room, if on_question { &question.event_id } else { &event }, key);
    scene.bob.wait_text("and later").await;
    scene.wait_taken_back(&button).await;
    scene.alice.react(&scene.room, &event, "👍🏻");
    scene.alice.react(&scene.room, &question.event_id, "✔");
    assert_eq!(scene.heard().await, ["late", "and later"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_between_question_and_answer_forgets_nothing_and_sends_nothing_twice() {
    let (mut scene, event, question) = stale().await;
    scene.world.homeserver.wait_event(&scene.room, reaction(&question.event_id, BUTTON)).await;
    scene.world.stop_bridge().await;
    scene.world.set_stale_after(None);
    scene.alice.react(&scene.room, &question.event_id, BUTTON);
    scene.alice.react(&scene.room, &event, BUTTON);
    scene.world.ircd.welcome().await;
    scene.world.start_bridge().await;
    scene.bob.wait_text("and later").await;
    assert_eq!(scene.heard().await, ["late", "and later"]);
    scene.world.stop_bridge().await;
    scene.world.start_bridge().await;
    scene.world.ircd.wait_joined("#rust", "alice").await;
    assert_eq!(scene.heard().await, ["late", "and later"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_of_a_room_answers_its_questions() {
    let (scene, event, question) = stale().await;
    scene.come_back().await;
    let mallory = scene.world.homeserver.user("mallory");
    scene.alice.invite(&scene.room, mallory.id());
    mallory.join(&scene.room).await;
    mallory.react(&scene.room, &question.event_id, BUTTON);
    mallory.react(&scene.room, &event, BUTTON);
    scene.alice.react(&scene.room, &question.event_id, "👎");
    assert_eq!(scene.heard().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_a_connection_waits_for_one() {
    let (mut scene, event, question) = stale().await;
    scene.world.stop_bridge().await;
    scene.world.set_stale_after(None);
    scene.world.start_bridge().await;
    let first = scene.answer(&event).await.event_id;
    scene.alice.react(&scene.room, &question.event_id, BUTTON);
    let waits = |one: &Event| {
        let is_new = answer_to(&event)(one) && one.event_id != first;
        is_new && one.body().contains("waits: there is no connection")
    };
    scene.world.homeserver.wait_event(&scene.room, waits).await;
    scene.come_back().await;
    scene.bob.wait_text("and later").await;
    assert_eq!(scene.heard().await, ["late", "and later"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_an_uncertain_message_is_sent_again_when_its_sender_says_so() {
    let scene = scene_in(World::start().await).await;
    scene.world.ircd.half_open("alice");
    let event = scene.alice.send_text(&scene.room, "did you get this?\nand this?");
    scene.world.ircd.wait_line(|_, line| line == "PRIVMSG #rust :and this?").await;
    scene.world.ircd.cut("alice");
    let question = scene.answer(&event).await;
    assert!(question.body().contains("may not have arrived"), "{}", question.body());
    scene.come_back().await;
    scene.alice.react(&scene.room, &event, BUTTON);
    scene.bob.wait_text("and this?").await;
    assert_eq!(scene.heard().await, ["did you get this?", "and this?"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_line_that_the_network_kept_did_arrive_and_nobody_is_asked() {
    let world = World::builder().ircd(ircd::Options::with_history()).through_proxy().start().await;
    let scene = scene_in(world).await;
    scene.alice.send_text(&scene.room, "measure");
    let line = scene.world.ircd.wait_line(|_, line| line.ends_with("PRIVMSG #rust :measure")).await;
    scene.bob.wait_text("measure").await;
    let proxy = scene.world.proxy.clone().unwrap();
    // The server takes the line, and nothing it says comes back.
    proxy.stop_after(line.bytes.len() + "\r\n".len());
    let event = scene.alice.send_text(&scene.room, "arrived");
    scene.bob.wait_text("arrived").await;
    proxy.wait_stopped().await;
    proxy.close_connections();
    proxy.restore();
    scene.world.homeserver.wait_receipt(&scene.room, &scene.world.homeserver.bot(), &event).await;
    assert_eq!(scene.heard().await, ["measure", "arrived"]);
    let bodies = scene.world.homeserver.timeline_bodies(&scene.room);
    assert!(!bodies.iter().any(|body| body.contains("may not have arrived")), "{bodies:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_taken_back_before_it_left_does_not_leave() {
    let scene = scene_in(World::start().await).await;
    scene.go_away().await;
    let event = scene.alice.send_text(&scene.room, "oh no");
    scene.answer(&event).await;
    scene.alice.redact(&scene.room, &event).unwrap();
    let kept = scene.alice.send_text(&scene.room, "kept");
    scene.come_back().await;
    scene.world.homeserver.wait_receipt(&scene.room, &scene.world.homeserver.bot(), &kept).await;
    assert_eq!(scene.heard().await, ["kept"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sends_a_message_that_was_taken_back_after_the_question() {
    let (scene, event, question) = stale().await;
    scene.alice.redact(&scene.room, &event).unwrap();
    scene.come_back().await;
    scene.alice.react(&scene.room, &question.event_id, BUTTON);
    assert_eq!(scene.heard().await, [""; 0]);
    let bodies = scene.world.homeserver.timeline_bodies(&scene.room);
    assert!(!bodies.iter().any(|body| body.contains("too old")), "{bodies:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_longer_than_a_moment_has_an_hourglass_until_it_went() {
    let scene = scene_in(World::start().await).await;
    scene.go_away().await;
    let event = scene.alice.send_text(&scene.room, "patience");
    let hourglass = scene.world.homeserver.wait_event(&scene.room, reaction(&event, HOURGLASS)).await;
    scene.come_back().await;
    scene.bob.wait_text("patience").await;
    scene.wait_taken_back(&hourglass).await;
    // What goes at once has none.
    let quick = scene.alice.send_text(&scene.room, "quick");
    scene.world.homeserver.wait_receipt(&scene.room, &scene.world.homeserver.bot(), &quick).await;
    let events = scene.world.homeserver.events(&scene.room);
    assert_eq!(events.iter().filter(|event| event.kind == "m.reaction").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hourglass_is_one_and_goes_also_when_the_bridge_was_restarted() {
    let mut scene = scene_in(World::start().await).await;
    scene.go_away().await;
    let event = scene.alice.send_text(&scene.room, "patience");
    let hourglass = scene.world.homeserver.wait_event(&scene.room, reaction(&event, HOURGLASS)).await;
    scene.world.stop_bridge().await;
    scene.world.ircd.welcome().await;
    scene.world.start_bridge().await;
    scene.bob.wait_text("patience").await;
    scene.wait_taken_back(&hourglass).await;
    let events = scene.world.homeserver.events(&scene.room);
    assert_eq!(events.iter().filter(|one| one.kind == "m.reaction").count(), 1);
}
