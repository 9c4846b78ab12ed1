//! Who may have rooms show channels by command, how many, and which rooms are none.

use super::*;

/// Before, each user of each bridge could, with nothing configured.
#[rstest]
#[case::administrators_unless_it_says_otherwise("", "alice", "Only the administrators of this bridge")]
#[case::an_administrator("", "admin", "#tea is tied to that room")]
#[case::users("plumb: { by: users }\n", "alice", "To have #tea shown there, invite me")]
#[case::nobody("plumb: { by: nobody }\n", "admin", "has no room show a channel by command")]
#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_says_who_may_have_a_room_show_a_channel(
    #[case] config: &str,
    #[case] name: &str,
    #[case] told: &str,
) {
    let world = World::builder().config(config).start().await;
    let (user, _, network) = world.greeted_user(name).await;
    let room = world.homeserver.user("carol").create_room(&PUBLIC);
    user.send_text(&network, &format!("plumb {room} #tea"));
    world.homeserver.wait_event(&network, |event| event.body().contains(told)).await;
    let is_done = told.contains("is tied to");
    assert_eq!(world.database().texts(PLUMBED).await.len(), usize::from(is_done));
}

/// Before, one user could use up all that the bridge has for everybody.
#[tokio::test(flavor = "multi_thread")]
async fn so_many_rooms_and_no_more_show_channels_because_of_one_user() {
    let world = World::builder().config("plumb: { by: users, most: 1 }\n").start().await;
    let inn = Inn::in_world(world, &PUBLIC).await;
    inn.ask().await;
    inn.agree().await;
    inn.shows("welcome").await;
    let other = inn.alice.create_room(&PUBLIC);
    inn.alice.send_text(&inn.network, &format!("plumb {other} #zoo"));
    inn.told("This bridge has 1 rooms of one person show channels, and you have as many.").await;
    inn.alice.send_text(&inn.network, "unplumb #tea");
    inn.is_left().await;
    inn.alice.send_text(&inn.network, &format!("plumb {other} #zoo"));
    inn.told("To have #zoo shown there, invite me").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_much_and_no_more_is_asked_at_a_time_by_one_user() {
    let inn = Inn::build(&PUBLIC).await;
    for channel in ["#one", "#two", "#three"] {
        let room = inn.alice.create_room(&PUBLIC);
        inn.alice.send_text(&inn.network, &format!("plumb {room} {channel}"));
        inn.told(&format!("To have {channel} shown there, invite me")).await;
    }
    inn.alice.send_text(&inn.network, &format!("plumb {} #four", inn.room));
    inn.told("So much is asked already.").await;
    inn.alice.send_text(&inn.network, "unplumb #two");
    inn.told("#two is not shown there.").await;
    inn.alice.send_text(&inn.network, &format!("plumb {} #four", inn.room));
    inn.told("To have #four shown there, invite me").await;
}

/// Before, the bot left a space of the bridge's own because of a slip.
#[tokio::test(flavor = "multi_thread")]
async fn a_space_of_the_bridge_is_no_room_for_a_channel_and_is_not_left() {
    let inn = Inn::build(&PUBLIC).await;
    inn.alice.send_text(&inn.network, "space");
    let space = inn.world.homeserver.wait_invite_to(inn.alice.id(), true).await;
    inn.alice.join(&space).await;
    inn.alice.send_text(&inn.network, &format!("plumb {space} #tea"));
    inn.told("That is a space of mine, where nobody talks: a channel needs a room.").await;
    assert!(inn.world.homeserver.members(&space, "join").contains(&inn.bot()));
}

/// Before, it left whatever room it was in that had no row.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_the_bot_was_in_before_is_not_left_when_nothing_comes_of_it() {
    let mut inn = Inn::open().await;
    inn.world.stop_bridge().await;
    inn.world.database().execute("DELETE FROM room WHERE plumbed IS NOT NULL").await;
    inn.world.database().execute("UPDATE buffer SET wanted = FALSE").await;
    inn.world.start_bridge().await;
    inn.world.ircd.wait_registered("alice").await;
    inn.alice.send_text(&inn.network, &format!("plumb {} #zoo", inn.room));
    inn.told("You are not in #zoo on FakeNet").await;
    inn.has_heard().await;
    assert!(inn.world.homeserver.members(&inn.room, "join").contains(&inn.bot()));
    assert_eq!(inn.world.database().texts(PLUMBED).await, Vec::<String>::new());
}

/// Before, anybody was told which channel a room shows whose id they knew.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_room_shows_is_not_told_to_who_has_no_say_in_it() {
    let inn = Inn::open().await;
    let (erin, _, network) = inn.world.greeted_user("erin").await;
    let room = &inn.room;
    erin.send_text(&network, &format!("plumb {room} #zoo"));
    let told = |event: &Event| event.body().contains("You may not say what that room shows");
    assert!(!inn.world.homeserver.wait_event(&network, told).await.body().contains("#tea"));
    erin.send_text(&network, &format!("unplumb {room}"));
    let told = |event: &Event| event.body().contains("has no room that shows a channel");
    assert!(!inn.world.homeserver.wait_event(&network, told).await.body().contains("#tea"));
    inn.shows("still shown").await;
}
