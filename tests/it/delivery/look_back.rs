//! What the homeserver never handed over is found in the rooms, once and in order.

use super::{SEND, Talk, bad_gateway};
use crate::support::clock::now;
use crate::support::homeserver::{Event, Fault};

impl Talk {
    /// Alice says numbered lines that the homeserver loses on their way to the bridge.
    fn say_lost(&self, what: &str, count: usize) {
        self.world.homeserver.hold_transactions(true);
        for number in 0..count {
            self.alice.send_text(&self.room, &format!("{what} {number}"));
        }
        self.world.homeserver.lose_transactions();
        self.world.homeserver.hold_transactions(false);
    }

    /// Waits until IRC has heard the last of alice's lines; each must have come once, in order.
    async fn irc_heard(&self, what: &str, count: usize) {
        self.bob.wait_text(&format!("{what} {}", count - 1)).await;
        let said = self.bob.messages("#rust").into_iter().map(|(_, text)| text);
        let heard: Vec<String> = said.filter(|text| text.starts_with(&format!("{what} "))).collect();
        assert_eq!(heard, (0..count).map(|number| format!("{what} {number}")).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_what_was_lost_while_the_bridge_was_down_is_found_at_its_start() {
    let mut talk = Talk::begin().await;
    talk.alice.send_text(&talk.room, "before");
    talk.bob.wait_text("before").await;
    talk.world.stop_bridge().await;
    // More than one page.
    talk.say_lost("lost", 130);
    talk.world.start_bridge().await;
    talk.irc_heard("lost", 130).await;
    talk.alice.send_text(&talk.room, "after 0");
    talk.irc_heard("after", 1).await;
    let said: Vec<String> = talk.bob.messages("#rust").into_iter().map(|(_, text)| text).collect();
    assert_eq!((said[0].as_str(), said[1].as_str(), said.len()), ("before", "lost 0", 132));
    // A second start finds nothing new.
    talk.world.stop_bridge().await;
    talk.world.start_bridge().await;
    talk.world.ircd.wait_joined("#rust", "alice").await;
    talk.alice.send_text(&talk.room, "again 0");
    talk.irc_heard("again", 1).await;
    talk.irc_heard("lost", 130).await;
}

#[rstest::rstest]
#[case::it_closed_its_connections(Fault::Drop)]
#[case::a_proxy_stood_in_for_it(bad_gateway())]
#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_what_was_lost_when_the_homeserver_restarted_is_found_when_it_is_back(
    #[case] fault: Fault,
) {
    let talk = Talk::begin().await;
    talk.alice.send_text(&talk.room, "before");
    talk.bob.wait_text("before").await;
    talk.world.homeserver.faults().fail("", "/_matrix/client", fault, 10_000);
    talk.say_lost("lost", 3);
    let before = talk.world.homeserver.requests("PUT", SEND);
    talk.bob.say("#rust", "nobody answers");
    talk.world.homeserver.wait_requests("PUT", SEND, before + 1).await;
    talk.world.homeserver.faults().clear();
    talk.world.homeserver.wait_message(&talk.room, "nobody answers").await;
    talk.irc_heard("lost", 3).await;
    talk.alice.send_text(&talk.room, "after 0");
    talk.irc_heard("after", 1).await;
    let said: Vec<String> = talk.bob.messages("#rust").into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["before", "lost 0", "lost 1", "lost 2", "after 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_what_is_handed_over_after_it_was_found_changes_nothing() {
    let mut talk = Talk::begin().await;
    talk.world.stop_bridge().await;
    talk.world.homeserver.hold_transactions(true);
    talk.alice.send_text(&talk.room, "late 0");
    talk.alice.send_text(&talk.room, "late 1");
    talk.world.start_bridge().await;
    talk.irc_heard("late", 2).await;
    talk.world.homeserver.hold_transactions(false);
    talk.world.homeserver.wait_delivered().await;
    talk.alice.send_text(&talk.room, "after 0");
    talk.irc_heard("after", 1).await;
    talk.irc_heard("late", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_old_a_missed_message_is_counts_from_when_it_was_said() {
    const HOUR: u64 = 60 * 60 * 1000;
    let mut talk = Talk::begin().await;
    talk.world.stop_bridge().await;
    let sooner = "UPDATE room SET created_at = created_at - 7200000 WHERE kind = 'private'";
    talk.world.database().execute(sooner).await;
    talk.world.homeserver.hold_transactions(true);
    let said_at = now() - HOUR;
    let event = talk.alice.send_text_at(&talk.room, "an hour ago", said_at);
    // Of before the room, by a clock that goes wrong: none of the bridge's business.
    talk.alice.send_text_at(&talk.room, "long ago", 1);
    let future = talk.alice.send_text_at(&talk.room, "tomorrow", now() + 24 * HOUR);
    talk.world.homeserver.lose_transactions();
    talk.world.homeserver.hold_transactions(false);
    talk.world.start_bridge().await;
    talk.bob.wait_text("tomorrow").await;
    let found = "SELECT event_id FROM inbox JOIN room USING (room_id) WHERE kind = 'private' ORDER BY seq";
    let found = talk.world.database().texts(found).await;
    assert_eq!(&found[found.len() - 2..], [event, future]);
    let times = "SELECT CAST(received_at AS TEXT) FROM inbox JOIN room USING (room_id) WHERE kind = 'private'
        ORDER BY seq";
    let times: Vec<u64> =
        talk.world.database().texts(times).await.iter().map(|time| time.parse().unwrap()).collect();
    assert_eq!(times[times.len() - 2], said_at);
    assert!(times[times.len() - 1] <= now());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_was_left_while_nobody_heard_it_is_left_on_irc() {
    let mut talk = Talk::begin().await;
    talk.world.ircd.wait_joined("#rust", "alice").await;
    talk.world.stop_bridge().await;
    talk.world.homeserver.hold_transactions(true);
    talk.alice.leave(&talk.room);
    talk.world.homeserver.lose_transactions();
    talk.world.homeserver.hold_transactions(false);
    talk.world.start_bridge().await;
    let wanted = "SELECT name FROM buffer WHERE name = '#rust' AND wanted";
    talk.world.database().wait("the channel is left", wanted, <[String]>::is_empty).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_looked_through_by_its_ghost() {
    let mut talk = Talk::begin().await;
    talk.bob.say("alice", "psst");
    let query = talk.world.homeserver.wait_invite(talk.alice.id()).await;
    talk.alice.join(&query).await;
    talk.alice.send_text(&query, "yes?");
    talk.bob.wait_text("yes?").await;
    talk.world.stop_bridge().await;
    talk.world.homeserver.hold_transactions(true);
    talk.alice.send_text(&query, "are you there?");
    talk.world.homeserver.lose_transactions();
    talk.world.homeserver.hold_transactions(false);
    talk.world.start_bridge().await;
    talk.bob.wait_text("are you there?").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_long_before_it_is_found_is_asked_about_and_what_is_behind_it_goes() {
    const HOUR: u64 = 60 * 60 * 1000;
    let talk = Talk::begin().await;
    let sooner = "UPDATE room SET created_at = created_at - 7200000 WHERE kind = 'private'";
    talk.world.database().execute(sooner).await;
    talk.alice.send_text(&talk.room, "before");
    talk.bob.wait_text("before").await;
    talk.world.homeserver.faults().fail("", "/_matrix/client", Fault::Drop, 10_000);
    talk.world.homeserver.hold_transactions(true);
    let old = talk.alice.send_text_at(&talk.room, "an hour ago", now() - HOUR);
    talk.alice.send_text(&talk.room, "just now");
    talk.world.homeserver.lose_transactions();
    talk.world.homeserver.hold_transactions(false);
    let before = talk.world.homeserver.requests("PUT", SEND);
    talk.bob.say("#rust", "nobody answers");
    talk.world.homeserver.wait_requests("PUT", SEND, before + 1).await;
    talk.world.homeserver.faults().clear();
    talk.bob.wait_text("just now").await;
    let asks = |event: &Event| {
        event.content["m.relates_to"]["m.in_reply_to"]["event_id"] == old
            && event.body().contains("was not sent")
    };
    talk.world.homeserver.wait_event(&talk.room, asks).await;
    let said: Vec<String> = talk.bob.messages("#rust").into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["before", "just now"]);
}
