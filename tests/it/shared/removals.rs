//! Who is to be taken out of a shared room while their coming there is being dealt with.

use super::*;

const WAITING: &str = "SELECT event_id FROM inbox WHERE state = 'new' AND lane = 'user/@carol:test.local'";
const DONE: &str = "UPDATE inbox SET state = 'done', payload = NULL
    WHERE state = 'new' AND lane = 'user/@carol:test.local'";

fn failure() -> Fault {
    Fault::Status(502, json!({ "errcode": "M_UNKNOWN", "error": "not now" }))
}

/// Before, the removal was dropped as soon as they had come again, whatever came of that.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_again_before_they_are_removed_is_removed_where_that_comes_to_nothing() {
    let talk = Talk::begin(world().start().await).await;
    let (homeserver, faults) = (&talk.world.homeserver, talk.world.homeserver.faults());
    let look = format!("/rooms/{}/members", talk.room);
    faults.fail("GET", &look, failure(), 10_000);
    faults.fail("POST", "/join", failure(), 10_000);
    // Whatever carol does waits behind her invitation.
    let chat = talk.carol.start_dm(&homeserver.bot());
    homeserver.wait_requests("POST", &format!("/rooms/{chat}/join"), 1).await;
    talk.bob.kick("#tea", "carol", "enough");
    homeserver.wait_event(&talk.networks[1], |event| event.body().contains("kicked you out")).await;
    homeserver.wait_requests("GET", &look, 1).await;
    talk.carol.leave(&talk.room);
    talk.carol.join(ALIAS).await;
    homeserver.wait_delivered().await;
    let is_there = |waiting: &[String]| waiting.len() == 3;
    talk.world.database.wait("her invitation, leave and join wait", WAITING, is_there).await;
    faults.end_first();
    talk.world.wait_outbox_empty().await;
    assert!(homeserver.members(&talk.room, "join").contains(&talk.carol.id().to_owned()));
    talk.world.database.execute(DONE).await;
    homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    let reason = homeserver.state(&talk.room, "m.room.member", talk.carol.id())["reason"].clone();
    assert!(reason.as_str().unwrap().contains("kicked"), "{reason}");
}
