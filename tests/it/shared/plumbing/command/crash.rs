//! Crashes while a room comes to show a channel by command, and while it ends.

use super::*;

/// Before, whoever had asked was in no channel any more, and the room was told nothing.
#[cfg(feature = "failpoints")]
#[rstest]
#[case::before_it_enters_the_room("plumb_visit:1", false)]
#[case::before_it_is_stored("plumb_agree:1", false)]
#[case::when_it_is_stored("plumb_agreed:1", true)]
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_step_leaves_whoever_asks_in_the_channel_by_one_room(
    #[case] point: &str,
    #[case] is_shown: bool,
) {
    let world = World::builder().config(USERS).without_bridge().await;
    let mut process = world.start_process_with(&[(towline::failpoint::VARIABLE, point)]);
    let inn = Inn::in_world(world, &PUBLIC).await;
    let own = inn.own();
    inn.alice.send_text(&inn.network, &format!("plumb {} #tea", inn.room));
    inn.told("To have #tea shown there, invite me").await;
    inn.alice.invite(&inn.room, &inn.bot());
    if !point.starts_with("plumb_visit") {
        let (_, code) = inn.question().await;
        inn.bob.say("alice", &format!("!plumb yes {code}"));
    }
    assert!(process.wait_killed(crate::support::homeserver::LIMIT).await);
    inn.world.ircd.wait_nobody_connected().await;
    let _process = inn.world.start_process();
    inn.world.ircd.wait_joined("#tea", "alice").await;
    if is_shown {
        inn.shows("after the crash").await;
        inn.world.homeserver.wait_event(&inn.room, begins("This room shows #tea on FakeNet")).await;
        inn.world.homeserver.wait_event(&own, begins("#tea is shown in another room from now on")).await;
    } else {
        inn.bob.say("#tea", "after the crash");
        inn.world.homeserver.wait_message(&own, "after the crash").await;
        inn.world.database().wait("nothing is left", PLUMBED, <[String]>::is_empty).await;
        assert!(!inn.world.homeserver.members(&inn.room, "join").contains(&inn.bot()));
        assert!(!inn.world.homeserver.timeline_lines(&inn.room).contains(&"after the crash".to_owned()));
    }
}

/// Before, the room and whoever had ended it were told so while nothing was stored.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_ended_is_over_when_that_is_told_whatever_the_homeserver_does_and_after_a_restart() {
    let mut inn = Inn::open().await;
    for path in ["leave", "state/m.room.member", "send"] {
        inn.world.homeserver.faults().fail("", &format!("/rooms/{}/{path}", inn.room), no_answer(), 10_000);
    }
    inn.alice.send_text(&inn.network, "unplumb #tea");
    inn.told("#tea is not shown in that room any more; I leave it.").await;
    assert_eq!(inn.world.database().texts(PLUMBED).await, [format!("{} ending", inn.room)]);
    inn.world.ircd.wait_parted("#tea", "alice").await;
    inn.world.stop_bridge().await;
    inn.world.start_bridge().await;
    inn.world.ircd.wait_registered("alice").await;
    inn.bob.say("#tea", "nobody hears this");
    inn.world.homeserver.faults().clear();
    inn.world
        .homeserver
        .wait_message(&inn.room, "This room shows #tea no longer: @alice:test.local has ended it.")
        .await;
    inn.is_left().await;
    assert!(!inn.world.homeserver.timeline_lines(&inn.room).contains(&"nobody hears this".to_owned()));
}

/// Before, it went in again by itself at the start, and the room showed the channel against its owner's will.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_from_which_the_bot_is_taken_while_the_bridge_is_stopped_shows_its_channel_no_more() {
    let mut inn = Inn::open().await;
    let mut levels = inn.world.homeserver.state(&inn.room, "m.room.power_levels", "");
    levels["users"][inn.carol.id()] = json!(100);
    inn.alice.send_state(&inn.room, "m.room.power_levels", "", levels).unwrap();
    inn.is_attended_to().await;
    inn.world.stop_bridge().await;
    inn.carol.kick(&inn.room, &inn.bot(), "no IRC here").unwrap();
    inn.world.start_bridge().await;
    inn.world.ircd.wait_registered("alice").await;
    inn.is_left().await;
    inn.world.homeserver.wait_member(&inn.room, BOB, "leave").await;
    let joins = inn.world.homeserver.events(&inn.room).into_iter();
    let bot = inn.bot();
    let joins =
        joins.filter(|event| event.state_key.as_deref() == Some(&bot) && event.membership() == "join");
    assert_eq!(joins.count(), 1, "it does not come back by itself");
}
