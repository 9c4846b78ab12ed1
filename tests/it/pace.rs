//! Flood control from the outside: what waits, what does not have to, and what is learnt from a network that closes.

use crate::support::bridge::World;
use crate::support::homeserver::Event;

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_paste_is_seen_stopped_and_holds_up_nothing_else() {
    let world = World::builder().flood("{ burst: 10, interval_ms: 500 }").start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    bob.join("#go");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    alice.send_text(&control, "join #go");
    world.ircd.wait_joined("#go", "alice").await;
    let go = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&go).await;
    let paste: Vec<String> = (0..15).map(|number| format!("line {number}")).collect();
    let pasted = alice.send_text(&room, &paste.join("\n"));
    // More than may be on its way at a time.
    for _ in 0..28 {
        alice.send_text(&room, &paste.join("\n"));
    }
    bob.wait_text("line 0").await;
    alice.send_text(&go, "a word");
    bob.wait_text("a word").await;
    let hourglass = |event: &Event| {
        event.kind == "m.reaction" && event.content["m.relates_to"]["event_id"] == pasted.as_str()
    };
    world.homeserver.wait_event(&room, hourglass).await;
    alice.send_text(&control, "status");
    let status = world.homeserver.wait_event(&control, says("lines wait (#rust ")).await;
    assert!(status.body().contains("the last goes in "), "{}", status.body());
    alice.send_text(&room, "!irc stop");
    let stopped = world.homeserver.wait_event(&room, says("Stopped: what had not left of ")).await;
    // Nothing of another buffer was touched, and what is said now goes.
    let last = alice.send_text(&go, "another");
    world.homeserver.wait_receipt(&go, &world.homeserver.bot(), &last).await;
    bob.wait_text("another").await;
    let said = bob.messages("#rust").len();
    assert!(said < 200, "{said} lines had left");
    // Of twenty-nine messages, all but those that have left whole.
    let counted = format!("Stopped: what had not left of {} messages", 29 - said / paste.len());
    assert!(stopped.body().contains(&counted), "{}, and {said} lines left", stopped.body());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_excess_flood_a_session_sends_slower_and_a_restart_does_not_forget_it() {
    let mut world = World::start().await;
    let (alice, control, _) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    world.ircd.error("alice", "Closing Link: alice (Excess Flood)");
    world.homeserver.wait_event(&network, says("From now on I send two lines in a second at most")).await;
    alice.send_text(&control, "status");
    world.homeserver.wait_event(&control, says("sends slower since Excess Flood on ")).await;
    world.stop_bridge().await;
    world.start_bridge().await;
    alice.send_text(&control, "status");
    // Answers come in the order of the questions.
    alice.send_text(&control, "networks");
    world.homeserver.wait_event(&control, says("You can open")).await;
    let told = world.homeserver.timeline_bodies(&control);
    let told = told.iter().filter(|body| body.contains("sends slower since Excess Flood on ")).count();
    assert_eq!(told, 2);
}
