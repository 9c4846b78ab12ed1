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

/// Before, their coming was deleted with the rest, and they stayed until the next start.
#[tokio::test(flavor = "multi_thread")]
async fn who_enters_a_shared_room_while_all_about_them_is_deleted_is_removed_from_it() {
    let world = world().start().await;
    let homeserver = &world.homeserver;
    let alice = homeserver.user("alice");
    alice.join("#irc_fake_#pot:test.local").await;
    world.ircd.wait_joined("#pot", "alice").await;
    let network = alice.join(&homeserver.wait_invite(alice.id()).await).await;
    let (admin, office, _) = world.connected_user("admin").await;
    // Her chat with the bot is one that the bot has made.
    admin.send_text(&office, "announce Good morning.");
    let chat = alice.join(&homeserver.wait_invite(alice.id()).await).await;
    homeserver.wait_event(&chat, |event| event.body().ends_with("Good morning.")).await;
    let path = format!("/rooms/{chat}/kick");
    homeserver.faults().fail("POST", &path, failure(), 10_000);
    admin.send_text(&office, "erase @alice:test.local confirm");
    homeserver.wait_requests("POST", &path, 1).await;
    assert!(!homeserver.members(&network, "join").contains(&alice.id().to_owned()));
    let room = alice.join(ALIAS).await;
    homeserver.wait_delivered().await;
    homeserver.faults().clear();
    homeserver.wait_member(&room, alice.id(), "leave").await;
    let reason = homeserver.state(&room, "m.room.member", alice.id())["reason"].clone();
    assert_eq!(reason, "You do not use this bridge any more.");
    homeserver.wait_event(&office, begins("Deleted: all that was kept about @alice")).await;
}

/// Before, what they came by was taken for another coming, later than their removal, which was dropped.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_deleted_is_removed_although_the_homeservers_clock_is_ahead() {
    const AHEAD: u64 = 60 * 60 * 1000;
    let talk = Talk::begin(world().start().await).await;
    let (homeserver, now) = (&talk.world.homeserver, crate::support::clock::now());
    let (erin, chat, _) = talk.world.connected_user("erin").await;
    let (admin, office, _) = talk.world.connected_user("admin").await;
    let path = format!("/rooms/{chat}/leave");
    homeserver.faults().fail("POST", &path, failure(), 10_000);
    admin.send_text(&office, "erase @erin:test.local confirm");
    homeserver.wait_requests("POST", &path, 1).await;
    // She comes while all about her is deleted, so that nothing is known of it.
    erin.join_at(&talk.room, now + AHEAD);
    homeserver.wait_delivered().await;
    homeserver.faults().clear();
    homeserver.wait_event(&office, begins("Deleted: all that was kept about @erin")).await;
    talk.world.wait_outbox_empty().await;
    // She may have come again, as far as is known, until the homeserver has handed over what happened later.
    assert!(homeserver.members(&talk.room, "join").contains(&erin.id().to_owned()));
    homeserver.own_event_at(&talk.room, now + 2 * AHEAD);
    homeserver.wait_member(&talk.room, erin.id(), "leave").await;
}
