//! Our own events come back in the homeserver's transactions: they tell what an answer that was lost would have told.

use serde_json::json;

use super::{SEND, Talk, bad_gateway};
use crate::support::homeserver::Fault;

/// In the query of a search for what bob's ghost has sent; the bridge looks for what alice has said, too.
pub(super) const SEARCH: &str = r#""senders":["@irc_fake_bob:test.local"]"#;
/// In the path of both.
const MESSAGES: &str = "/messages";

/// How often this line stands in the room.
fn count(talk: &Talk, line: &str) -> usize {
    talk.world.homeserver.timeline_lines(&talk.room).iter().filter(|said| *said == line).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_an_echo_confirms_what_was_sent_without_a_search() {
    let talk = Talk::begin().await;
    let faults = talk.world.homeserver.faults();
    let before = talk.world.homeserver.requests("GET", SEARCH);
    // The echo is there before the bridge misses the answer: it searches soon then.
    faults.fail("PUT", SEND, Fault::AnswerLostBehindEcho, 1);
    talk.bob.say("#rust", "sent and not answered");
    talk.world.homeserver.wait_message(&talk.room, "sent and not answered").await;
    talk.world.homeserver.forget_transactions();
    talk.bob.say("#rust", "the next");
    talk.world.homeserver.wait_message(&talk.room, "the next").await;
    assert_eq!(count(&talk, "sent and not answered"), 1);
    assert_eq!(talk.world.homeserver.requests("GET", SEARCH), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_an_echo_that_comes_while_the_room_cannot_be_searched_ends_the_search() {
    let talk = Talk::begin().await;
    let faults = talk.world.homeserver.faults();
    talk.world.homeserver.hold_transactions(true);
    faults.fail("PUT", SEND, Fault::AnswerLost, 1);
    faults.fail("GET", MESSAGES, bad_gateway(), 10_000);
    let before = talk.world.homeserver.requests("GET", SEARCH);
    talk.bob.say("#rust", "sent and not answered");
    talk.world.homeserver.wait_requests("GET", SEARCH, before + 1).await;
    talk.world.homeserver.forget_transactions();
    talk.world.homeserver.hold_transactions(false);
    talk.bob.say("#rust", "the next");
    talk.world.homeserver.wait_message(&talk.room, "the next").await;
    assert_eq!(count(&talk, "sent and not answered"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_after_a_restart_an_echo_tells_where_no_search_can() {
    let mut talk = Talk::begin().await;
    talk.world.homeserver.hold_transactions(true);
    let faults = talk.world.homeserver.faults().clone();
    faults.fail("PUT", SEND, Fault::AnswerLost, 1);
    faults.fail("", "/_matrix/client", bad_gateway(), 10_000);
    talk.bob.say("#rust", "sent and not answered");
    talk.world.homeserver.wait_message(&talk.room, "sent and not answered").await;
    talk.world.stop_bridge().await;
    talk.world.homeserver.forget_transactions();
    faults.clear();
    faults.fail("GET", MESSAGES, bad_gateway(), 10_000);
    let before = talk.world.homeserver.requests("GET", SEARCH);
    talk.world.start_bridge().await;
    talk.world.homeserver.wait_requests("GET", SEARCH, before + 1).await;
    talk.world.homeserver.hold_transactions(false);
    talk.world.homeserver.wait_delivered().await;
    faults.clear();
    let forbidden = json!({ "errcode": "M_FORBIDDEN", "error": "not in this room" });
    faults.fail("GET", MESSAGES, Fault::Status(403, forbidden), 10_000);
    talk.world.ircd.wait_joined("#rust", "alice").await;
    talk.bob.say("#rust", "the next");
    talk.world.homeserver.wait_message(&talk.room, "the next").await;
    assert_eq!(count(&talk, "sent and not answered"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_key_that_somebody_copied_confirms_nothing() {
    let talk = Talk::begin().await;
    talk.world.homeserver.faults().fail("PUT", SEND, bad_gateway(), 10_000);
    let before = talk.world.homeserver.requests("PUT", SEND);
    talk.bob.say("#rust", "not yet sent");
    talk.world.homeserver.wait_requests("PUT", SEND, before + 1).await;
    let keys = talk.world.database().texts("SELECT txn_id FROM outbox WHERE state = 'queued'").await;
    assert_eq!(keys.len(), 1);
    let copy = json!({ "msgtype": "m.text", "body": "mine", "chat.towline.key": keys[0] });
    talk.alice.send(&talk.room, "m.room.message", copy);
    talk.world.homeserver.wait_delivered().await;
    talk.world.homeserver.faults().clear();
    talk.world.homeserver.wait_message(&talk.room, "not yet sent").await;
}
