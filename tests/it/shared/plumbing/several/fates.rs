//! What becomes of messages in rooms that show several channels, and who is told.

use super::*;

/// Review, finding 12: the first channel that was settled took the only hourglass away.
#[tokio::test(flavor = "multi_thread")]
async fn an_hourglass_that_stands_for_two_channels_stands_until_the_last_of_them_has_the_message() {
    let square = Square::open(&TEA_AND_DEN).await;
    let refusal = Fault::Status(400, json!({ "errcode": "M_DUPLICATE_ANNOTATION", "error": "it is there" }));
    let reactions = format!("/rooms/{}/send/m.reaction", square.room);
    square.world.homeserver.faults().fail_each(2, "PUT", &reactions, refusal, 1);
    for network in ["fake", "other"] {
        square.alice.send_text(&square.control, &format!("disconnect {network}"));
        square.world.ircd.wait_gone(nick_on(network)).await;
    }
    let event = square.alice.send_text(&square.room, "slow");
    let is_it =
        |one: &Event| one.kind == "m.reaction" && one.content["m.relates_to"]["event_id"] == event.as_str();
    let hourglass = square.world.homeserver.wait_event(&square.room, is_it).await;
    let standing = "SELECT outbox.event_id FROM hourglass JOIN outbox ON outbox.txn_id = hourglass.txn_id
        WHERE outbox.event_id IS NOT NULL";
    let of_both = |ids: &[String]| ids == [hourglass.event_id.clone(), hourglass.event_id.clone()];
    square.world.database().wait("it stands for both", standing, of_both).await;
    square.alice.send_text(&square.control, "connect fake");
    square.bob.wait_message(|heard| heard.target() == "#tea" && heard.text() == "slow").await;
    square.world.database().wait("it stands for one", standing, |ids| ids.len() == 1).await;
    square.world.wait_outbox_empty().await;
    let is_gone = |one: &Event| one.redacts.as_deref() == Some(&hourglass.event_id);
    assert!(!square.world.homeserver.events(&square.room).iter().any(is_gone), "the other one waits");
    square.alice.send_text(&square.control, "connect other");
    square.bob.wait_message(|heard| heard.target() == "#den" && heard.text() == "slow").await;
    square.world.homeserver.wait_event(&square.room, is_gone).await;
}

/// Review, finding 8: it was said in public that she had reacted to her own message.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_what_is_asked_about_one_channel_is_no_reaction_in_the_other() {
    let square = Square::open(&TEA_AND_ZOO).await;
    let event = square.lose_and_send_again_to_zoo().await;
    // To the message itself: that is about all that is still asked of it.
    square.alice.react(&square.room, &event, "✅");
    square.bob.wait_message(|heard| heard.target() == "#tea" && heard.text() == "is it lost?").await;
    square.is_heard(&square.alice, "enough", &[("#tea", "alice"), ("#zoo", "alice")]).await;
    for channel in ["#tea", "#zoo"] {
        assert_eq!(square.heard(channel), ["is it lost?", "enough"], "{channel}");
    }
}

/// Review, finding 10: it was told once for each channel, in other words.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_go_to_none_of_the_channels_is_told_once() {
    let square = Square::open(&TEA_AND_DEN).await;
    let event = square.alice.send_text(&square.room, "/join #elsewhere");
    let told = square.world.homeserver.wait_event(&square.room, begins("Your message was not")).await;
    assert_eq!(told.content["m.relates_to"]["m.in_reply_to"]["event_id"], event.as_str());
    square.is_heard(&square.alice, "well then", &[("#tea", "alice"), ("#den", "ally")]).await;
    square.is_settled().await;
    let bodies = square.world.homeserver.timeline_bodies(&square.room);
    assert_eq!(bodies.iter().filter(|body| body.contains("our message was not")).count(), 1, "{bodies:?}");
}
