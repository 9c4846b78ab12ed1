//! Commands about rooms that show several channels.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_command_in_the_room_is_refused_once_and_the_answer_says_which_channels_there_are() {
    let square = Square::open(&TEA_AND_DEN).await;
    square.alice.send_text(&square.room, "!irc names");
    let told = square.world.homeserver.wait_event(&square.room, begins("Your message was not done")).await;
    let words = "This room shows several channels: #tea on FakeNet, #den on OtherNet. Say which you mean.";
    assert!(told.body().ends_with(words), "{}", told.body());
    square.is_heard(&square.alice, "well then", &[("#tea", "alice"), ("#den", "ally")]).await;
    square.is_settled().await;
    let bodies = square.world.homeserver.timeline_bodies(&square.room);
    assert_eq!(bodies.iter().filter(|body| body.contains("was not done")).count(), 1, "{bodies:?}");
    assert_eq!((square.heard("#tea").len(), square.heard("#den").len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_are_added_to_a_room_and_taken_out_of_it_one_by_one_by_command() {
    let builder = World::builder().config("plumb: { by: users }\n");
    let square = Square::build(builder).await;
    let bot = square.world.homeserver.bot();
    let (admin, control, network) = square.world.greeted_user("admin").await;
    admin.join(&square.room).await;
    for (channel, network) in [("#tea", "fake"), ("#den", "other")] {
        if network == "other" {
            ask(&square.world, &admin, &control, "open other", "Connecting to OtherNet").await;
            let other = square.world.homeserver.wait_invite(admin.id()).await;
            square.world.homeserver.wait_event(&admin.join(&other).await, begins("Connected to")).await;
        }
        let plumb = format!("plumb {network} {} {channel}", square.room);
        ask(&square.world, &admin, &control, &plumb, &format!("{channel} is shown in that room")).await;
        square.shows(network, channel).await;
    }
    let again = format!("plumb fake {} #tea", square.room);
    ask(&square.world, &admin, &control, &again, "That room shows #tea already.").await;
    square.is_heard(&square.alice, "hello both", &[("#tea", "alice"), ("#den", "ally")]).await;
    ask(&square.world, &admin, &network, &format!("plumb {} #zoo", square.room), "#zoo is shown").await;
    square.shows("fake", "#zoo").await;
    let which = format!("unplumb fake {}", square.room);
    let asked = ask(&square.world, &admin, &control, &which, "That room shows several channels.").await;
    for channel in ["unplumb fake #tea", "unplumb other #den", "unplumb fake #zoo"] {
        assert!(asked.body().contains(channel), "{}", asked.body());
    }
    let ended = "is not shown in that room any more.";
    ask(&square.world, &admin, &control, "unplumb other #den", ended).await;
    square.world.homeserver.wait_member(&square.room, "@irc_other_bob:test.local", "leave").await;
    ask(&square.world, &admin, &control, "unplumb fake #zoo", ended).await;
    square.world.ircd.wait_parted("#zoo", "admin").await;
    square.shows("fake", "#tea").await;
    assert!(square.is_in(&bot));
    ask(
        &square.world,
        &admin,
        &control,
        "unplumb fake #tea",
        "#tea is not shown in that room any more; I leave it.",
    )
    .await;
    square.world.homeserver.wait_member(&square.room, &bot, "leave").await;
}

/// Review, finding 5: only the first channel answered, for which it was none.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_a_command_for_one_channel_only_is_said_in_the_other_and_answered() {
    let square = Square::open(&TEA_AND_ZOO).await;
    let towline = square.world.ircd.person("towline");
    towline.join("#tea");
    square.shows("fake", "#tea").await;
    square.is_heard(&square.alice, "towline: hello", &[("#tea", "alice")]).await;
    square.world.homeserver.wait_event(&square.room, begins("Your message was not done")).await;
    square.is_heard(&square.alice, "well then", &[("#tea", "alice"), ("#zoo", "alice")]).await;
    square.is_settled().await;
    assert_eq!(square.heard("#zoo"), ["well then"]);
    let bodies = square.world.homeserver.timeline_bodies(&square.room);
    assert_eq!(bodies.iter().filter(|body| body.contains("was not done")).count(), 1, "{bodies:?}");
}

/// Review, finding 10: it was answered once for each channel that has a relay.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_of_somebody_who_is_relayed_to_several_channels_goes_to_none() {
    let square = Square::open(&TEA_AND_ZOO).await;
    let (admin, control, _) = square.world.greeted_user("admin").await;
    ask(&square.world, &admin, &control, "open fake as relay", "Connecting to FakeNet (relay).").await;
    let relay = admin.join(&square.world.homeserver.wait_invite(admin.id()).await).await;
    square.world.homeserver.wait_event(&relay, begins("Connected to")).await;
    for channel in ["#tea", "#zoo"] {
        ask(&square.world, &admin, &relay, &format!("relay {channel}"), "goes there through FakeNet").await;
        square.world.ircd.wait_joined(channel, "admin_relay").await;
    }
    square.carol.send_text(&square.room, "!irc names");
    square.carol.send_text(&square.room, "well then");
    for channel in ["#tea", "#zoo"] {
        let is_it = |heard: &Heard| heard.target() == channel && heard.text() == "<carol> well then";
        square.bob.wait_message(is_it).await;
    }
    square.is_settled().await;
    for channel in ["#tea", "#zoo"] {
        assert_eq!(square.heard(channel), ["<carol> well then"], "{channel}");
    }
}
