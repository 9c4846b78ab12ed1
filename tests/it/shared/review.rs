//! What a hostile look at shared rooms found: each test has the name of it.

use super::*;

/// Before, whoever looked for the alias meanwhile was told of the room that was gone.
#[tokio::test(flavor = "multi_thread")]
async fn two_who_notice_at_once_that_a_shared_room_was_purged_have_one_new_room() {
    let talk = Talk::begin(world().start().await).await;
    let homeserver = &talk.world.homeserver;
    homeserver.purge(&talk.room);
    let path = format!("/rooms/{}/joined_members", talk.room);
    homeserver.faults().fail("GET", &path, Fault::Late(Duration::from_secs(1)), 1);
    let dave = homeserver.user("dave");
    let looking = tokio::spawn({
        let dave = dave.clone();
        async move { dave.try_join(ALIAS).await }
    });
    homeserver.wait_requests("GET", &path, 1).await;
    talk.alice.send_text(&talk.networks[0], "join #tea");
    homeserver.wait_event(&talk.networks[0], begins("The shared room of #tea was gone")).await;
    let room = homeserver.wait_invite(talk.alice.id()).await;
    assert_eq!(looking.await.unwrap().unwrap(), room);
    assert_eq!(homeserver.rooms_named("#tea (FakeNet)"), [room.as_str()]);
    talk.world.ircd.wait_joined("#tea", "dave").await;
    homeserver.wait_member(&room, talk.carol.id(), "invite").await;
}
