//! What stands under a command: an hourglass while it takes long, then whether it was done.

use rstest::rstest;

use super::connected;
use crate::support::bridge::World;
use crate::support::homeserver::Event;

pub(super) const HOURGLASS: &str = "⏳";
pub(super) const DONE: &str = "✅";
pub(super) const FAILED: &str = "❌";
pub(super) const ASKS: &str = "❓";

/// A reaction with this key under an event.
pub(super) fn signs(event_id: &str, key: &str) -> impl Fn(&Event) -> bool {
    move |event| {
        let relation = &event.content["m.relates_to"];
        event.kind == "m.reaction" && relation["event_id"] == event_id && relation["key"] == key
    }
}

/// A command has its sign: it was done, was not, or asks.
pub(super) fn signs_off(event_id: &str) -> impl Fn(&Event) -> bool {
    move |event| [DONE, FAILED, ASKS].iter().any(|key| signs(event_id, key)(event))
}

fn takes_back(event_id: &str) -> impl Fn(&Event) -> bool {
    move |event| event.redacts.as_deref() == Some(event_id)
}

#[rstest]
#[case::done("networks", DONE)]
#[case::unknown("frobnicate", FAILED)]
#[case::refused("open nothing-like-that", FAILED)]
#[case::typed_wrong("open", FAILED)]
#[case::one_of_several("networks\nfrobnicate\nstatus", FAILED)]
#[tokio::test(flavor = "multi_thread")]
async fn a_command_says_under_itself_whether_it_was_done(#[case] typed: &str, #[case] sign: &str) {
    let world = World::start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    let event = alice.send_text(&control, typed);
    world.homeserver.wait_event(&control, signs(&event, sign)).await;
    world.wait_outbox_empty().await;
    // Where it took long there was an hourglass, which is gone.
    let stands = |one: &Event| one.kind == "m.reaction" && one.redacted_by.is_none();
    assert_eq!(world.homeserver.events(&control).into_iter().filter(stands).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_takes_long_has_an_hourglass_until_it_has_its_answer() {
    let world = World::start().await;
    let (alice, control, _) = connected(&world).await;
    world.ircd.mute("alice");
    let event = alice.send_text(&control, "whois bob");
    let hourglass = world.homeserver.wait_event(&control, signs(&event, HOURGLASS)).await;
    world.ircd.cut("alice");
    world.homeserver.wait_event(&control, signs(&event, FAILED)).await;
    let events = world.homeserver.events(&control);
    let gone = events.iter().position(takes_back(&hourglass.event_id)).unwrap();
    let answer = events.iter().position(|one| one.body().starts_with("The connection was lost")).unwrap();
    assert!(gone < answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_conversation_the_ghost_signs() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    let (alice, _, _) = connected(&world).await;
    bob.say("alice", "hi");
    let room = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    let event = alice.send_text(&room, "!irc whois");
    let sign = world.homeserver.wait_event(&room, signs(&event, DONE)).await;
    assert_eq!(sign.sender, "@irc_fake_bob:test.local");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_no_signs_has_answers_without_them() {
    let world = World::start().await;
    let (alice, control, network) = connected(&world).await;
    alice.send_text(&network, "set signs hide");
    world.homeserver.wait_event(&network, |event| event.body().contains("signs hide")).await;
    let hidden = alice.send_text(&network, "channels");
    world.homeserver.wait_event(&network, |event| event.body().starts_with("You are in no channel")).await;
    // For that network, and nowhere else.
    let shown = alice.send_text(&control, "networks");
    world.homeserver.wait_event(&control, signs(&shown, DONE)).await;
    world.wait_outbox_empty().await;
    let events = world.homeserver.events(&network);
    assert!(!events.iter().any(|one| one.content["m.relates_to"]["event_id"] == *hidden));
}

/// Before, a crash in the middle of a command lost its answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_the_middle_of_a_command_leaves_no_hourglass_and_is_told() {
    let world = World::builder().without_bridge().await;
    let process = world.start_process();
    let (alice, control, _) = connected(&world).await;
    world.ircd.mute("alice");
    let event = alice.send_text(&control, "whois bob");
    let hourglass = world.homeserver.wait_event(&control, signs(&event, HOURGLASS)).await;
    process.kill().await;
    world.ircd.wait_gone("alice").await;
    let process = world.start_process();
    world.homeserver.wait_event(&control, takes_back(&hourglass.event_id)).await;
    world.homeserver.wait_event(&control, signs(&event, FAILED)).await;
    let told = |one: &Event| one.body().starts_with("Towline was stopped while it did this");
    world.homeserver.wait_event(&control, told).await;
    // It is told once.
    assert_eq!(process.stop().await, Some(0));
    let process = world.start_process();
    let event = alice.send_text(&control, "networks");
    world.homeserver.wait_event(&control, signs(&event, DONE)).await;
    assert_eq!(world.homeserver.events(&control).iter().filter(|one| told(one)).count(), 1);
    assert_eq!(process.stop().await, Some(0));
}
