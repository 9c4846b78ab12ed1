//! A room that is made again begins with what was said before.

use crate::store::Raw;
use crate::support::bridge::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_is_made_again_begins_with_its_last_lines_and_then_its_owner_is_invited() {
    let mut world = World::builder().config("limits: { refill: 3 }").start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    for line in ["one", "two", "three"] {
        bob.say("#rust", line);
        world.homeserver.wait_message(&room, line).await;
    }
    let said = world.homeserver.wait_message(&room, "three").await.ts;
    alice.send_text(&room, "four");
    bob.wait_text("four").await;
    world.stop_bridge().await;
    // As after a homeserver's room was purged: nothing knows it any more.
    let mut raw = Raw::new(&world.database).await;
    raw.execute("DELETE FROM room WHERE kind = 'private'").await;
    world.start_bridge().await;
    alice.send_text(&control, "join #rust");
    let again = world.homeserver.wait_invite(alice.id()).await;
    assert_ne!(again, room);
    let events = world.homeserver.events(&again);
    let place =
        |wanted: &dyn Fn(&crate::support::homeserver::Event) -> bool| events.iter().position(wanted).unwrap();
    let invited =
        place(&|event| event.state_key.as_deref() == Some(alice.id()) && event.membership() == "invite");
    let last = place(&|event| event.body() == "four");
    assert!(last < invited, "first the lines, then the invitation");
    alice.join(&again).await;
    bob.say("#rust", "five");
    world.homeserver.wait_message(&again, "five").await;
    let lines: Vec<String> = world.homeserver.timeline_lines(&again);
    assert_eq!(lines, ["two", "three", "four", "five"]);
    let three = world.homeserver.wait_message(&again, "three").await;
    assert_eq!(three.content["msgtype"], "m.notice");
    assert!(three.ts.abs_diff(said) < 5_000, "it has the time at which it was said");
    // Once, whatever happens.
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "six");
    world.homeserver.wait_message(&again, "six").await;
    let lines = world.homeserver.timeline_lines(&again);
    assert_eq!(lines.iter().filter(|line| *line == "three").count(), 1, "{lines:?}");
}
