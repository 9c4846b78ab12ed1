//! What becomes of messages in rooms that show several channels, and who is told.

use super::*;

/// Review, finding 8: it was said in public that she had reacted to her own message.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_what_is_asked_about_one_channel_is_no_reaction_in_the_other() {
    let square = Square::open(&TEA_AND_ZOO).await;
    square.world.ircd.half_open("alice");
    let event = square.alice.send_text(&square.room, "is it lost?");
    for channel in ["#tea", "#zoo"] {
        let line = format!("PRIVMSG {channel} :is it lost?");
        square.world.ircd.wait_line(|_, one| one == line).await;
    }
    square.world.ircd.cut("alice");
    let mut asked = Vec::new();
    for channel in ["#tea", "#zoo"] {
        let words = format!("In {channel} on FakeNet your message may not have arrived");
        asked.push(
            square.world.homeserver.wait_event(&square.room, |event| event.body().starts_with(&words)).await,
        );
    }
    square.world.ircd.wait_joined("#zoo", "alice").await;
    square.alice.react(&square.room, &asked[1].event_id, "✅");
    square.bob.wait_message(|heard| heard.target() == "#zoo" && heard.text() == "is it lost?").await;
    // To the message itself: that is about all that is still asked of it.
    square.alice.react(&square.room, &event, "✅");
    square.bob.wait_message(|heard| heard.target() == "#tea" && heard.text() == "is it lost?").await;
    square.is_heard(&square.alice, "enough", &[("#tea", "alice"), ("#zoo", "alice")]).await;
    for channel in ["#tea", "#zoo"] {
        assert_eq!(square.heard(channel), ["is it lost?", "enough"], "{channel}");
    }
}
