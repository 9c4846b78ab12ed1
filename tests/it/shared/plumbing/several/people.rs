//! Who is in which of the channels: people, their ghosts, and those who have no connection.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_stays_as_long_as_its_person_is_in_one_of_the_channels() {
    let square = Square::open(&TEA_AND_ZOO).await;
    square.bob.part("#zoo", "enough of that");
    square.is_settled().await;
    square.shows("fake", "#tea").await;
    let gone = "SELECT ghost.user_id FROM member JOIN ghost ON ghost.id = member.ghost
        JOIN link ON link.room = member.room AND link.role = 'shared' AND link.buffer IS NULL
        JOIN channel ON channel.id = link.channel WHERE channel.name = '#zoo'";
    square.world.database().wait("bob has left #zoo", gone, <[String]>::is_empty).await;
    assert!(square.is_in("@irc_fake_bob:test.local"));
    let events = square.world.homeserver.events(&square.room);
    let moves = |event: &&Event| event.state_key.as_deref() == Some("@irc_fake_bob:test.local");
    assert_eq!(events.iter().filter(moves).count(), 1, "the ghost came once, and stayed");
    square.bob.part("#tea", "");
    square.world.homeserver.wait_member(&square.room, "@irc_fake_bob:test.local", "leave").await;
}

#[rstest]
#[case::who_leaves_it(false)]
#[case::who_is_kicked(true)]
#[tokio::test(flavor = "multi_thread")]
async fn who_is_out_of_one_of_the_channels_writes_in_the_others_until_they_come_into_the_room_again(
    #[case] is_kicked: bool,
) {
    let square = Square::open(&TEA_AND_ZOO).await;
    if is_kicked {
        square.bob.kick("#zoo", "alice", "no animals");
        let told = |event: &Event| event.body().contains("To try again, leave its room, come into it again");
        square.world.homeserver.wait_event(&square.fake, told).await;
    } else {
        square.alice.send_text(&square.fake, "part #zoo");
        let told =
            begins("Leaving #zoo. To return there, leave its room, come into it again and write there.");
        square.world.homeserver.wait_event(&square.fake, told).await;
    }
    square.world.ircd.wait_parted("#zoo", "alice").await;
    square.is_heard(&square.alice, "tea alone", &[("#tea", "alice")]).await;
    square.is_settled().await;
    assert_eq!(square.heard("#zoo"), Vec::<String>::new());
    assert!(square.is_in(square.alice.id()));
    square.leave_and_be_in_both_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_in_is_in_the_channels_of_each_network_on_which_they_are_and_is_told_once_of_the_others() {
    let square = Square::open(&TEA_AND_DEN).await;
    let (dave, _, _) = square.world.greeted_user("dave").await;
    dave.join(&square.room).await;
    square.world.ircd.wait_joined("#tea", "dave").await;
    for text in ["hello", "and again"] {
        square.is_heard(&dave, text, &[("#tea", "dave")]).await;
    }
    let told = begins("@dave:test.local: what you write here does not go to #den on OtherNet: ");
    square.world.homeserver.wait_event(&square.room, told).await;
    square.is_settled().await;
    let bodies = square.world.homeserver.timeline_bodies(&square.room);
    assert_eq!(bodies.iter().filter(|body| body.contains("what you write here")).count(), 1, "{bodies:?}");
    assert_eq!(square.heard("#den"), Vec::<String>::new());
    for text in ["hello", "and again"] {
        assert_eq!(square.shown(text), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_connection_is_relayed_to_the_channels_that_have_a_relay() {
    let square = Square::open(&TEA_AND_ZOO).await;
    let (admin, control, _) = square.world.greeted_user("admin").await;
    ask(&square.world, &admin, &control, "open fake as relay", "Connecting to FakeNet (relay).").await;
    let relay = admin.join(&square.world.homeserver.wait_invite(admin.id()).await).await;
    square.world.homeserver.wait_event(&relay, begins("Connected to")).await;
    ask(&square.world, &admin, &relay, "relay #zoo", "goes there through FakeNet").await;
    square.world.ircd.wait_joined("#zoo", "admin_relay").await;
    square.carol.send_text(&square.room, "may I?");
    assert_eq!(square.bob.wait_text("<carol> may I?").await.nick(), "admin_relay");
    let told = begins("@carol:test.local: what you write here does not go to #tea on FakeNet: ");
    square.world.homeserver.wait_event(&square.room, told).await;
    ask(&square.world, &admin, &relay, "relay #tea", "goes there through FakeNet").await;
    square.world.ircd.wait_joined("#tea", "admin_relay").await;
    square.carol.send_text(&square.room, "in both");
    for channel in ["#tea", "#zoo"] {
        let is_it = |heard: &Heard| heard.target() == channel && heard.text() == "<carol> in both";
        square.bob.wait_message(is_it).await;
    }
    square.is_settled().await;
    assert_eq!(square.heard("#tea"), ["<carol> in both"]);
    assert_eq!(square.heard("#zoo"), ["<carol> may I?", "<carol> in both"]);
    assert_eq!((square.shown("may I?"), square.shown("in both")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_is_thrown_out_shows_none_of_the_channels_any_more() {
    let square = Square::open(&TEA_AND_DEN).await;
    square.carol.kick(&square.room, &square.world.homeserver.bot(), "out").unwrap();
    for (channel, network) in [("#tea", "fake"), ("#den", "other")] {
        square.world.ircd.wait_parted(channel, nick_on(network)).await;
        let ghost = format!("@irc_{network}_bob:test.local");
        square.world.homeserver.wait_member(&square.room, &ghost, "leave").await;
    }
    let left = "SELECT plumbed FROM room WHERE plumbed IS NOT NULL";
    square.world.database().wait("both are let go of", left, <[String]>::is_empty).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_becomes_encrypted_shows_none_of_its_channels_any_more() {
    let square = Square::open(&TEA_AND_ZOO).await;
    let content = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    square.carol.send_state(&square.room, "m.room.encryption", "", content).unwrap();
    let bot = square.world.homeserver.bot();
    square.world.homeserver.wait_member(&square.room, &bot, "leave").await;
    square.world.homeserver.wait_member(&square.room, "@irc_fake_bob:test.local", "leave").await;
    for channel in ["#tea", "#zoo"] {
        square.world.ircd.wait_parted(channel, "alice").await;
    }
}

/// Review, finding 6: what she wrote brought her back into the first of them alone.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_out_of_all_the_channels_comes_back_into_none_by_writing_and_is_told_how() {
    let square = Square::open(&TEA_AND_ZOO).await;
    for channel in ["#tea", "#zoo"] {
        square.bob.kick(channel, "alice", "out");
        square.world.ircd.wait_parted(channel, "alice").await;
    }
    square.is_settled().await;
    square.alice.send_text(&square.room, "anybody?");
    let told = "Your message did not go to IRC: you have left the channels that this room shows.";
    square.world.homeserver.wait_event(&square.room, |event| event.body().contains(told)).await;
    square.is_settled().await;
    for channel in ["#tea", "#zoo"] {
        assert!(!square.world.ircd.names(channel).iter().any(|nick| nick == "alice"), "{channel}");
        assert_eq!(square.heard(channel), Vec::<String>::new());
    }
    let bodies = square.world.homeserver.timeline_bodies(&square.room);
    assert_eq!(bodies.iter().filter(|body| body.contains(told)).count(), 1, "{bodies:?}");
    square.leave_and_be_in_both_again().await;
}

/// Review, finding 6: that she had left one of the channels outlived her connection, and nobody spoke for her there.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_one_of_the_channels_and_has_no_connection_there_any_more_is_relayed() {
    let square = Square::open(&TEA_AND_DEN).await;
    let (admin, control, _) = square.world.greeted_user("admin").await;
    ask(&square.world, &admin, &control, "open other as relay", "Connecting to OtherNet (relay).").await;
    let relay = admin.join(&square.world.homeserver.wait_invite(admin.id()).await).await;
    square.world.homeserver.wait_event(&relay, begins("Connected to")).await;
    ask(&square.world, &admin, &relay, "relay #den", "goes there through OtherNet").await;
    square.bob.kick("#den", "ally", "out");
    square.world.ircd.wait_parted("#den", "ally").await;
    square.is_heard(&square.alice, "tea alone", &[("#tea", "alice")]).await;
    square.is_settled().await;
    square.alice.send_text(&square.control, "disconnect other");
    square.world.ircd.wait_gone("ally").await;
    square.alice.send_text(&square.room, "by whom?");
    let is_it = |heard: &Heard| heard.target() == "#den" && heard.text() == "<alice> by whom?";
    square.bob.wait_message(is_it).await;
    assert_eq!(square.heard("#den").len(), 1);
}
