//! What reaches the bridge long after it was said, and what was taken back after it had left.

use super::*;

use crate::support::clock::now;

fn hour_ago() -> u64 {
    now() - 60 * 60 * 1000
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_homeserver_kept_for_an_hour_is_asked_about() {
    let scene = scene_in(World::start().await).await;
    let event = scene.alice.send_text_at(&scene.room, "see you in five minutes", hour_ago());
    let question = scene.question(&event, "was not sent").await;
    scene.alice.react(&scene.room, &question.event_id, YES);
    assert_eq!(scene.said_in_the_end().await, ["see you in five minutes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_message_behind_a_fresh_one_is_asked_about() {
    let mut scene = scene_in(World::start().await).await;
    scene.disconnect().await;
    scene.alice.send_text(&scene.room, "fresh");
    let stale = scene.alice.send_text_at(&scene.room, "stale", hour_ago());
    scene.world.homeserver.wait_delivered().await;
    scene.connect().await;
    assert_eq!(scene.said_in_the_end().await, ["fresh"]);
    scene.question(&stale, "was not sent").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_of_an_hour_ago_is_not_carried_out() {
    let scene = scene_in(World::start().await).await;
    let event = scene.alice.send_text_at(&scene.control, "msg fake #rust in five minutes", hour_ago());
    let answer = scene.world.homeserver.wait_event(&scene.control, answer_to(&event)).await;
    assert!(answer.body().starts_with("This reached me only now"), "{}", answer.body());
    assert!(scene.said_in_the_end().await.is_empty());
}

/// Before, only what is a password by its words alone went.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_a_secret_in_a_command_of_an_hour_ago_goes_from_the_room() {
    let scene = scene_in(World::start().await).await;
    let event = scene.alice.send_text_at(&scene.control, "key #rust sesame", hour_ago());
    scene.world.homeserver.wait_event(&scene.control, answer_to(&event)).await;
    scene.world.homeserver.wait_event(&scene.control, |one| one.redacts.as_ref() == Some(&event)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_taken_back_after_it_left_is_not_asked_about() {
    let mut scene = scene_in(World::start().await).await;
    scene.world.ircd.half_open("alice");
    let event = scene.alice.send_text(&scene.room, "my password");
    scene.world.ircd.wait_line(|_, line| line == "PRIVMSG #rust :my password").await;
    scene.alice.redact(&scene.room, &event).unwrap();
    // What answers this has read that.
    scene.alice.send_text(&scene.room, "!irc help");
    scene.world.homeserver.wait_event(&scene.room, |event| event.body().contains("history")).await;
    scene.disconnect().await;
    scene.connect().await;
    assert!(scene.said_in_the_end().await.is_empty());
    assert_eq!(scene.answers(&event), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_said_and_the_server_refused_is_told() {
    let scene = scene_in(World::start().await).await;
    scene.alice.send_text(&scene.control, "msg fake nobody are you there?");
    let is_told = |event: &Event| event.body().contains("What you said to nobody did not arrive");
    scene.world.homeserver.wait_event(&scene.control, is_told).await;
    scene.alice.send_text(&scene.control, "msg fake bob are you there?");
    scene.world.homeserver.wait_event(&scene.control, |event| event.body().contains("Sent to bob")).await;
    scene.bob.wait_text("are you there?").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_said_when_the_connection_broke_is_told_as_uncertain() {
    let scene = scene_in(World::start().await).await;
    scene.world.ircd.half_open("alice");
    scene.alice.send_text(&scene.control, "msg fake bob are you there?");
    scene.world.ircd.wait_line(|_, line| line == "PRIVMSG bob :are you there?").await;
    scene.world.ircd.cut("alice");
    let is_told = |event: &Event| event.body().contains("What you said to bob may not have arrived");
    scene.world.homeserver.wait_event(&scene.control, is_told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_through_a_session_that_does_not_run_is_answered() {
    let mut scene = scene_in(World::start().await).await;
    scene.world.stop_bridge().await;
    scene.world.forbid("@alice:test.local");
    scene.world.start_bridge().await;
    let event = scene.alice.send_text(&scene.room, "anybody?");
    let answer = scene.world.homeserver.wait_event(&scene.room, answer_to(&event)).await;
    assert!(answer.body().contains("was not sent: @alice:test.local has no permission"), "{}", answer.body());
}

/// A paste behind flood control: what has left has left.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_channel_can_be_stopped_and_nothing_else_is() {
    let mut scene = scene_in(World::start().await).await;
    scene.world.stop_bridge().await;
    let mut config = scene.world.config();
    for network in config.networks.values_mut() {
        network.flood.burst = 3;
        network.flood.interval = Duration::from_secs(2);
    }
    scene.world.start_bridge_with(config).await;
    scene.world.ircd.wait_joined("#rust", "alice").await;
    let paste: Vec<String> = (0..15).map(|number| format!("line {number}")).collect();
    scene.alice.send_text(&scene.room, &paste.join("\n"));
    scene.bob.wait_text("line 0").await;
    scene.alice.send_text(&scene.room, "!irc stop");
    let is_told = |event: &Event| event.body().starts_with("Stopped: what had not left of one message");
    scene.world.homeserver.wait_event(&scene.room, is_told).await;
    let said = scene.said_in_the_end().await;
    assert!(said.len() < 15 && said[0] == "line 0", "{said:?}");
    scene.alice.send_text(&scene.room, "!irc stop");
    let is_told = |event: &Event| event.body() == "Nothing waits to be sent to #rust.";
    scene.world.homeserver.wait_event(&scene.room, is_told).await;
}
