//! The conversation that the bridge is for, between the in-memory homeserver and the fake ircd.

use crate::support::bridge::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_line_from_irc_reaches_the_room_and_one_from_the_room_reaches_irc() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;

    bob.say("#rust", "hello from IRC");
    let heard = world.homeserver.wait_message(&room, "hello from IRC").await;
    assert_eq!(heard.sender, "@irc_fake_bob:test.local");
    assert_eq!(world.homeserver.displayname("@irc_fake_bob:test.local").as_deref(), Some("bob"));

    let said = alice.send_text(&room, "hello from Matrix");
    assert_eq!(bob.wait_text("hello from Matrix").await.nick(), "alice");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &said).await;
}
