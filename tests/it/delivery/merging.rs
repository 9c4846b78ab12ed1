//! Lines that wait together become one event, whatever happens on the way.

use serde_json::json;

use super::echo::SEARCH;
use super::{SEND, Talk, bad_gateway};
use crate::support::homeserver::{Event, Fault};

/// The events in which a line of this kind stands.
fn events_with(talk: &Talk, what: &str) -> Vec<Event> {
    let events = talk.world.homeserver.events(&talk.room).into_iter();
    events.filter(|event| event.body().split('\n').any(|line| line.starts_with(what))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_wait_together_become_one_event_and_each_keeps_its_history() {
    let talk = Talk::begin().await;
    talk.hold_back("first", || {
        talk.say("line", 9);
        talk.bob.say("#rust", "\u{2}line\u{2} 9");
        talk.bob.say("#rust", "\u{1}ACTION waves\u{1}");
        talk.say("more", 3);
    })
    .await;
    talk.world.homeserver.faults().clear();
    talk.heard("line", 10).await;
    talk.heard("more", 3).await;
    let lines = events_with(&talk, "line");
    assert_eq!(lines.len(), 1, "{lines:?}");
    let html = lines[0].content["formatted_body"].as_str().unwrap();
    assert!(html.starts_with("line 0<br>line 1<br>") && html.ends_with("<br><b>line</b> 9"), "{html}");
    assert_eq!((events_with(&talk, "first").len(), events_with(&talk, "more").len()), (1, 1));
    let bodies = talk.world.homeserver.timeline_bodies(&talk.room);
    assert!(bodies.contains(&"waves".to_owned()), "an action stands alone: {bodies:?}");
    // The commit follows the answer, and the next line that commit.
    talk.world.wait_outbox_empty().await;
    let query = "SELECT event_id FROM history WHERE text LIKE '%line%'";
    let kept = talk.world.database().texts(query).await;
    assert_eq!(kept, vec![lines[0].event_id.clone(); 10]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_an_event_that_is_refused_is_sent_line_by_line() {
    let talk = Talk::begin().await;
    talk.hold_back("first", || talk.say("line", 10)).await;
    let faults = talk.world.homeserver.faults();
    // The first line goes; what follows together does not, nor does one of its lines by itself.
    let too_large = json!({ "errcode": "M_TOO_LARGE", "error": "event too large" });
    faults.fail_each(2, "PUT", SEND, Fault::Status(413, too_large), 1);
    faults.fail_each(
        6,
        "PUT",
        SEND,
        Fault::Status(400, json!({ "errcode": "M_BAD_JSON", "error": "no" })),
        1,
    );
    faults.end_first();
    talk.world.homeserver.wait_message(&talk.room, "line 9").await;
    let bodies = talk.world.homeserver.timeline_bodies(&talk.room);
    let lines: Vec<&String> = bodies.iter().filter(|body| body.starts_with("line")).collect();
    assert_eq!(lines.len(), 9, "all but one, each an event of its own: {lines:?}");
}

#[rstest::rstest]
#[case::the_answer_of_the_event_is_lost(Fault::AnswerLost)]
#[case::the_event_is_not_taken(Fault::Drop)]
#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_lines_of_one_event_are_once_there_after_a_restart(#[case] fault: Fault) {
    let mut talk = Talk::begin().await;
    talk.hold_back("first", || talk.say("line", 12)).await;
    talk.world.homeserver.lose_echoes();
    let faults = talk.world.homeserver.faults();
    faults.fail_each(2, "PUT", SEND, fault, 1);
    // From then on nothing can be looked up, so nothing goes.
    faults.fail("GET", "/messages", bad_gateway(), 1_000);
    let before = talk.world.homeserver.requests("GET", SEARCH);
    faults.end_first();
    talk.world.homeserver.wait_requests("GET", SEARCH, before + 1).await;
    // More comes, within the pause that would make it one with what waits.
    talk.say("late", 3);
    talk.all_stored().await;
    talk.world.stop_bridge().await;
    talk.world.homeserver.forget_transactions();
    talk.world.homeserver.faults().clear();
    talk.world.start_bridge().await;
    talk.heard("late", 3).await;
    talk.heard("line", 12).await;
    let said = talk.world.homeserver.timeline_lines(&talk.room);
    assert_eq!(said.iter().filter(|line| *line == "first").count(), 1);
    assert_eq!(events_with(&talk, "line").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_line_that_was_sent_alone_takes_none_in_after_a_restart() {
    let mut talk = Talk::begin().await;
    talk.world.homeserver.lose_echoes();
    let faults = talk.world.homeserver.faults();
    faults.fail("PUT", SEND, Fault::AnswerLost, 1);
    faults.fail("", "/_matrix/client", bad_gateway(), 10_000);
    talk.bob.say("#rust", "alone");
    talk.world.homeserver.wait_message(&talk.room, "alone").await;
    talk.say("line", 5);
    talk.all_stored().await;
    talk.world.stop_bridge().await;
    talk.world.homeserver.forget_transactions();
    talk.world.homeserver.faults().clear();
    talk.world.start_bridge().await;
    talk.heard("line", 5).await;
    let alone = events_with(&talk, "alone");
    assert_eq!(alone.iter().map(Event::body).collect::<Vec<_>>(), ["alone"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_several_lines_mentions_whom_any_of_them_does() {
    let talk = Talk::begin().await;
    talk.hold_back("first", || {
        talk.bob.say("#rust", "one");
        talk.bob.say("#rust", "alice: two");
        talk.bob.say("#rust", "three");
    })
    .await;
    talk.world.homeserver.faults().clear();
    let event = talk.world.homeserver.wait_message(&talk.room, "one\nalice: two\nthree").await;
    assert_eq!(event.content["m.mentions"], json!({ "user_ids": ["@alice:test.local"] }));
    let html = "one<br><a href=\"https://matrix.to/#/@alice:test.local\">alice</a>: two<br>three";
    assert_eq!(event.content["formatted_body"], html);
}
