//! What was wrong in shared rooms at first: each test has the name of it.

use serde_json::json;

use super::*;

/// Before, whom the person ignored whose connection shows the channel nobody in the room heard.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_one_ignores_who_shows_a_channel_is_shown_to_the_others() {
    let talk = Talk::begin(world().start().await).await;
    let (homeserver, network) = (&talk.world.homeserver, &talk.networks[0]);
    talk.alice.send_text(network, "ignore bob");
    let answer = homeserver.wait_event(network, begins("bob!*@* is ignored on fake")).await;
    assert!(answer.body().contains("In rooms that you share with others it is shown"), "{}", answer.body());
    let calls = async |text: &str| {
        talk.bob.say("#tea", text);
        let shown = homeserver.wait_message(&talk.room, text).await;
        shown.content["m.mentions"]["user_ids"].clone()
    };
    assert_eq!(calls("alice and carol, do you hear me?").await, json!([talk.carol.id()]));
    // What is for her alone is not shown.
    talk.bob.say("alice", "and you?");
    talk.heard("alice").await;
    assert!(homeserver.rooms_named("bob").is_empty());
    assert!(!homeserver.timeline_bodies(network).iter().any(|body| body.contains("and you?")));
    // Of one who does not show the channel nobody is called either.
    talk.alice.send_text(network, "unignore bob");
    homeserver.wait_event(network, begins("bob!*@* is not ignored")).await;
    talk.carol.send_text(&talk.networks[1], "ignore bob");
    homeserver.wait_event(&talk.networks[1], begins("bob!*@* is ignored on fake")).await;
    assert_eq!(calls("carol and alice, once more").await, json!([talk.alice.id()]));
}
