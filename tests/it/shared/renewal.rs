//! What is said while a shared room is made anew that the homeserver no longer has.

use super::*;

fn failure() -> Fault {
    Fault::Status(502, json!({ "errcode": "M_UNKNOWN", "error": "not now" }))
}

/// The lines of a room that are among these, in their order.
fn lines(world: &World, room: &str, of: &[&str]) -> Vec<String> {
    let mut lines = world.homeserver.timeline_lines(room);
    lines.retain(|line| of.contains(&line.as_str()));
    lines
}

/// Before, they were set aside without a word.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_for_a_shared_room_when_it_is_made_anew_is_shown_in_the_new_one() {
    let mut talk = Talk::begin(world().start().await).await;
    let homeserver = &talk.world.homeserver;
    homeserver.purge(&talk.room);
    let room = talk.alice.join(ALIAS).await;
    talk.bob.say("#tea", "here again");
    homeserver.wait_message(&room, "here again").await;
    talk.world.wait_outbox_empty().await;
    homeserver.faults().fail("PUT", &format!("/rooms/{room}/send/"), failure(), 10_000);
    let said = ["one", "two", "three"];
    for (person, line) in [&talk.bob, &talk.dan, &talk.bob].into_iter().zip(said) {
        person.say("#tea", line);
        homeserver.wait_requests("PUT", &format!("/rooms/{room}/send/"), 1).await;
        talk.heard("alice").await;
    }
    talk.world.stop_bridge().await;
    // As a crash leaves it behind the turn of a session that has not heard of the new room.
    let to_the_one_before = "UPDATE outbox SET room = (SELECT id FROM room WHERE successor IS NOT NULL)
        WHERE state = 'queued' AND kind = 'message'";
    talk.world.database.execute(to_the_one_before).await;
    talk.world.homeserver.faults().clear();
    talk.world.start_bridge().await;
    talk.world.homeserver.wait_event(&room, |event| event.body().ends_with("three")).await;
    talk.world.wait_outbox_empty().await;
    assert_eq!(lines(&talk.world, &room, &said), said);
}

/// Before, it was set aside there while it waited for the new one.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_shared_room_refuses_after_it_was_made_anew_is_shown_in_the_new_one() {
    let talk = Talk::begin(world().start().await).await;
    let (homeserver, faults) = (&talk.world.homeserver, talk.world.homeserver.faults());
    let old = format!("/rooms/{}/send/", talk.room);
    faults.fail("PUT", &old, failure(), 10_000);
    faults.fail("PUT", "/send/", failure(), 10_000);
    talk.world.wait_outbox_empty().await;
    let sent = homeserver.requests("PUT", &old);
    talk.bob.say("#tea", "one");
    homeserver.wait_requests("PUT", &old, sent + 1).await;
    homeserver.purge(&talk.room);
    let room = talk.alice.join(ALIAS).await;
    // Whoever shows the channel may not have heard of that.
    for line in ["two", "three"] {
        talk.bob.say("#tea", line);
    }
    faults.fail("PUT", &format!("/rooms/{room}/send/"), failure(), 10_000);
    let refusal = json!({ "errcode": "M_FORBIDDEN", "error": "you are not in the room" });
    faults.fail("PUT", &old, Fault::Status(403, refusal), 1);
    // Whoever is refused in a room is brought in again, which that room refuses, too.
    let entry = format!("/rooms/{}/join", talk.room);
    let entered = homeserver.requests("POST", &entry);
    faults.end_first();
    faults.end_first();
    homeserver.wait_requests("POST", &entry, entered + 1).await;
    faults.clear();
    homeserver.wait_event(&room, |event| event.body().ends_with("three")).await;
    talk.world.wait_outbox_empty().await;
    let said = ["one", "two", "three"];
    assert_eq!(lines(&talk.world, &room, &said), said);
}
