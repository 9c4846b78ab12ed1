//! The hourglass under messages that wait.

use super::*;

const HOURGLASS: &str = "⏳";

impl Scene {
    /// Waits for the hourglass under an event.
    async fn hourglass(&self, event_id: &str) -> Event {
        self.world.homeserver.wait_event(&self.room, reacts(event_id, HOURGLASS)).await
    }

    fn hourglasses(&self) -> usize {
        let events = self.world.homeserver.events(&self.room).into_iter();
        events.filter(|event| event.content["m.relates_to"]["key"] == HOURGLASS).count()
    }

    /// Waits until none stands in the store, and what takes them back is done. What took long may have had one, too.
    async fn none_left(&self) {
        let standing = "SELECT event_id FROM hourglass";
        self.world.database().wait("no hourglass is left", standing, <[String]>::is_empty).await;
        self.world.wait_outbox_empty().await;
    }

    async fn gone(&self, reaction: &Event) {
        self.world.homeserver.wait_event(&self.room, redacts(&reaction.event_id)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waits_has_an_hourglass_until_it_has_gone() {
    let mut scene = scene_in(World::start().await).await;
    let quick = scene.alice.send_text(&scene.room, "quick");
    scene.world.homeserver.wait_receipt(&scene.room, &scene.world.homeserver.bot(), &quick).await;
    scene.disconnect().await;
    let event = scene.alice.send_text(&scene.room, "slow");
    let hourglass = scene.hourglass(&event).await;
    assert_eq!(hourglass.sender, scene.world.homeserver.bot());
    scene.connect().await;
    scene.gone(&hourglass).await;
    assert_eq!(scene.said_in_the_end().await, ["quick", "slow"]);
    scene.none_left().await;
    assert_eq!(scene.hourglasses(), 0);
    assert!(!scene.world.homeserver.events(&scene.room).iter().any(reacts_at_all(&quick)));
}

fn reacts_at_all(event_id: &str) -> impl Fn(&Event) -> bool {
    move |event| event.content["m.relates_to"]["event_id"] == event_id
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_no_signs_has_no_hourglass() {
    let scene = scene_in(World::start().await).await;
    scene.bob.say("alice", "hi");
    let query = scene.world.homeserver.wait_invite(scene.alice.id()).await;
    scene.alice.join(&query).await;
    scene.alice.send_text(&scene.room, "!irc set signs hide");
    scene.world.homeserver.wait_event(&scene.room, |event| event.body().contains("signs hide")).await;
    scene.world.ircd.half_open("alice");
    let hidden = scene.alice.send_text(&scene.room, "slow");
    // Where they are wanted there is one, and that message is the later one.
    let shown = scene.alice.send_text(&query, "are you there?");
    scene.world.homeserver.wait_event(&query, reacts(&shown, HOURGLASS)).await;
    scene.world.wait_outbox_empty().await;
    assert!(!scene.world.homeserver.events(&scene.room).iter().any(reacts_at_all(&hidden)));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_conversation_the_ghost_turns_it() {
    let scene = scene_in(World::start().await).await;
    scene.bob.say("alice", "hi");
    let room = scene.world.homeserver.wait_invite(scene.alice.id()).await;
    scene.alice.join(&room).await;
    scene.world.ircd.half_open("alice");
    let event = scene.alice.send_text(&room, "are you there?");
    let hourglass = scene.world.homeserver.wait_event(&room, reacts(&event, HOURGLASS)).await;
    assert_eq!(hourglass.sender, "@irc_fake_bob:test.local");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_when_the_sender_is_asked() {
    let patience = Duration::from_mins(1);
    let mut scene = scene_in(World::builder().stale_after(patience).start().await).await;
    scene.disconnect().await;
    let event = scene.alice.send_text(&scene.room, "slow");
    let hourglass = scene.hourglass(&event).await;
    scene.world.clock.advance(patience);
    // What happens in the room wakes the session.
    scene.alice.react(&scene.room, "$nothing:test.local", "👍");
    let question = scene.question(&event, "was not sent").await;
    scene.gone(&hourglass).await;
    // An answer that waits has one as well, under the message and not under the reaction.
    scene.be_patient().await;
    scene.alice.react(&scene.room, &question.event_id, YES);
    let second = scene.hourglass(&event).await;
    scene.connect().await;
    scene.gone(&second).await;
    scene.bob.wait_text("slow").await;
    scene.none_left().await;
    assert_eq!(scene.hourglasses(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_when_the_message_is_taken_back() {
    let scene = scene_in(World::start().await).await;
    scene.disconnect().await;
    let event = scene.alice.send_text(&scene.room, "never mind");
    let hourglass = scene.hourglass(&event).await;
    scene.alice.redact(&scene.room, &event).unwrap();
    scene.gone(&hourglass).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_when_the_message_turns_out_to_be_too_long() {
    let mut scene = scene_in(World::start().await).await;
    scene.disconnect().await;
    let lines: Vec<String> = (0..70).map(|number| format!("line {number}")).collect();
    let event = scene.alice.send_text(&scene.room, &lines.join("\n"));
    let hourglass = scene.hourglass(&event).await;
    scene.connect().await;
    scene.gone(&hourglass).await;
    let is_told = |one: &Event| answer_to(&event)(one) && one.body().contains("70 lines");
    scene.world.homeserver.wait_event(&scene.room, is_told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_when_the_answer_that_waits_turns_out_to_be_given_already() {
    let scene = hurried().await;
    scene.disconnect().await;
    let (event, question) = scene.stale("old news").await;
    let mut scene = patient(scene).await;
    scene.alice.react(&scene.room, &question.event_id, YES);
    scene.alice.react(&scene.room, &event, YES);
    let hourglass = scene.hourglass(&event).await;
    scene.connect().await;
    scene.gone(&hourglass).await;
    assert_eq!(scene.said_in_the_end().await, ["old news"]);
    scene.none_left().await;
    assert_eq!(scene.hourglasses(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_outlives_a_restart_with_its_message_and_no_longer() {
    let mut scene = scene_in(World::start().await).await;
    scene.disconnect().await;
    let waits = scene.alice.send_text(&scene.room, "waits");
    let standing = scene.hourglass(&waits).await;
    scene.world.stop_bridge().await;
    // As if the bridge had ended between what was stored of a message and what was stored of its hourglass.
    let other = scene.alice.send_text(&scene.room, "is settled");
    scene.world.start_bridge().await;
    let left = scene.hourglass(&other).await;
    scene.world.stop_bridge().await;
    scene
        .world
        .database()
        .execute(
            "UPDATE inbox SET state = 'done', payload = NULL
                WHERE seq = (SELECT MAX(seq) FROM inbox WHERE state = 'new' AND lane LIKE 'session/%')",
        )
        .await;
    scene.world.start_bridge().await;
    scene.gone(&left).await;
    assert_eq!(scene.standing(&waits, HOURGLASS), 1);
    scene.connect().await;
    scene.gone(&standing).await;
    assert_eq!(scene.said_in_the_end().await, ["waits"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_9_only_so_many_stand_in_a_room() {
    let mut scene = scene_in(World::start().await).await;
    scene.disconnect().await;
    let events: Vec<String> =
        (0..30).map(|number| scene.alice.send_text(&scene.room, &format!("n{number}"))).collect();
    scene.hourglass(&events[19]).await;
    scene.world.wait_outbox_empty().await;
    assert_eq!(scene.hourglasses(), 20);
    scene.connect().await;
    scene.world.homeserver.wait_receipt(&scene.room, &scene.world.homeserver.bot(), &events[29]).await;
    assert_eq!(scene.said_in_the_end().await.len(), 30);
    scene.none_left().await;
    assert_eq!(scene.hourglasses(), 0);
}
