//! The end of a plumbed room: the bot is taken out of it, the configuration names it no more, or it is encrypted.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_the_configuration_names_no_more_is_left_to_its_people() {
    let mut house = House::open(&PUBLIC).await;
    house.restart_with("").await;
    let bot = house.world.homeserver.bot();
    for user in [BOB, bot.as_str()] {
        house.world.homeserver.wait_member(&house.room, user, "leave").await;
    }
    assert_eq!(house.changes(), []);
    assert!(house.is_in(house.alice.id()) && house.is_in(house.carol.id()));
    house.world.ircd.wait_registered("alice").await;
    house.alice.send_text(&house.control, "join #tea");
    let own = house.world.homeserver.wait_invite(house.alice.id()).await;
    house.bob.say("#tea", "over here");
    house.world.homeserver.wait_message(&own, "over here").await;
    // And it may be named again.
    house.alice.send_text(&house.network, "part #tea");
    house.world.ircd.wait_parted("#tea", "alice").await;
    house.restart_with(&mapping("#Tea", &house.room.clone())).await;
    house.world.ircd.wait_joined("#tea", "alice").await;
    house.bob.say("#tea", "here again");
    house.world.homeserver.wait_message(&house.room, "here again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_the_bot_out_of_a_room_takes_everybody_of_irc_out() {
    let house = House::open(&PUBLIC).await;
    let bot = house.world.homeserver.bot();
    // By somebody who is not in the channel, and by somebody who is.
    house.carol.kick(&house.room, &bot, "no IRC here").unwrap();
    house.world.homeserver.wait_member(&house.room, BOB, "leave").await;
    house.world.ircd.wait_parted("#tea", "alice").await;
    house
        .world
        .database()
        .wait(
            "the room is let go of",
            "SELECT room_id FROM room WHERE plumbed IS NOT NULL",
            <[String]>::is_empty,
        )
        .await;
    house.carol.invite(&house.room, &bot);
    house.world.ircd.wait_joined("#tea", "alice").await;
    house.bob.say("#tea", "thanks");
    house.world.homeserver.wait_message(&house.room, "thanks").await;
    assert!(house.is_in(BOB));
    assert_eq!(house.changes(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_room_shows_nothing_and_one_that_becomes_so_is_left() {
    let house = House::open(&PUBLIC).await;
    let (homeserver, bot) = (&house.world.homeserver, house.world.homeserver.bot());
    house.encrypt();
    homeserver.wait_member(&house.room, &bot, "leave").await;
    assert!(!house.is_in(BOB));
    let reason = homeserver.state(&house.room, "m.room.member", &bot)["reason"].clone();
    assert!(reason.as_str().unwrap().starts_with("This room is encrypted"), "{reason}");
    house.carol.invite(&house.room, &bot);
    homeserver.wait_member(&house.room, &bot, "join").await;
    homeserver.wait_member(&house.room, &bot, "leave").await;
    assert!(!house.world.ircd.names("#tea").contains(&"alice".to_owned()));
}

/// No request is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_becomes_encrypted_shows_nothing_more_although_it_can_not_be_left_yet() {
    let house = House::open(&PUBLIC).await;
    let homeserver = &house.world.homeserver;
    for (method, path) in [("POST", "leave"), ("PUT", "state/m.room.member")] {
        homeserver.faults().fail(method, &format!("/rooms/{}/{path}", house.room), no_answer(), 10_000);
    }
    house.encrypt();
    house.world.ircd.wait_parted("#tea", "alice").await;
    house.bob.say("#tea", "not for this room");
    assert!(house.is_in(BOB), "they can't be taken out yet");
    homeserver.faults().clear();
    homeserver.wait_member(&house.room, &homeserver.bot(), "leave").await;
    assert!(!homeserver.timeline_lines(&house.room).contains(&"not for this room".to_owned()));
}

/// Before, it went on to be sent, in clear, where all else was encrypted.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_room_that_becomes_encrypted_is_not_shown_there() {
    let house = House::open(&PUBLIC).await;
    let homeserver = &house.world.homeserver;
    house.hold("for this room as it was").await;
    house.encrypt();
    let told = homeserver.wait_event(&house.network, |event| event.body().contains("encrypted now")).await;
    assert_eq!(
        told.body(),
        "The room that showed #tea to you and others is encrypted now, where I can show nothing. What waited to be shown \
         there is not. You are not in #tea any more."
    );
    homeserver.faults().clear();
    homeserver.wait_member(&house.room, &homeserver.bot(), "leave").await;
    house.world.wait_outbox_empty().await;
    assert!(!homeserver.timeline_lines(&house.room).contains(&"for this room as it was".to_owned()));
    assert!(!house.is_in(BOB));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_for_a_room_that_became_encrypted_while_the_bridge_was_stopped_is_not_shown_there() {
    let mut house = House::open(&PUBLIC).await;
    house.hold("for this room as it was").await;
    house.world.stop_bridge().await;
    let homeserver = &house.world.homeserver;
    // Nor has the homeserver told yet.
    homeserver.hold_transactions(true);
    house.encrypt();
    homeserver.faults().clear();
    house.world.start_bridge().await;
    let homeserver = &house.world.homeserver;
    homeserver.wait_member(&house.room, &homeserver.bot(), "leave").await;
    homeserver.hold_transactions(false);
    house.world.wait_outbox_empty().await;
    assert!(!homeserver.timeline_lines(&house.room).contains(&"for this room as it was".to_owned()));
    assert!(!house.is_in(BOB));
}

/// Before, the bot was in the room in the end, and the room showed nothing until a restart.
#[rstest]
#[case::by_somebody_who_is_not_in_the_channel(false)]
#[case::by_somebody_who_is(true)]
#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_is_taken_out_and_invited_again_before_that_is_seen_to_goes_on(#[case] by_alice: bool) {
    let house = House::open(&PUBLIC).await;
    let (homeserver, bot) = (&house.world.homeserver, house.world.homeserver.bot());
    let mut levels = homeserver.state(&house.room, "m.room.power_levels", "");
    levels["users"][house.alice.id()] = json!(50);
    house.carol.send_state(&house.room, "m.room.power_levels", "", levels).unwrap();
    let look = format!("/rooms/{}/state/m.room.member/{bot}", house.room);
    homeserver.faults().fail("GET", &look, no_answer(), 10_000);
    house.carol.kick(&house.room, &bot, "by mistake").unwrap();
    homeserver.wait_requests("GET", &look, 1).await;
    let host = if by_alice { &house.alice } else { &house.carol };
    host.invite(&house.room, &bot);
    homeserver.wait_member(&house.room, &bot, "join").await;
    let looks = homeserver.requests("GET", &look);
    homeserver.faults().clear();
    homeserver.wait_requests("GET", &look, looks + 1).await;
    house.bob.say("#tea", "still here");
    homeserver.wait_message(&house.room, "still here").await;
    house.is_heard(&house.alice, "so am I", "alice").await;
    assert!(house.is_in(&bot));
    assert_eq!(house.changes(), []);
}
