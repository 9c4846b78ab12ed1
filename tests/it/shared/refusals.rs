//! Channels that don't let somebody in whose room is shared: they are removed, and told why and what they can do.

use super::*;

async fn removed(world: &World, user: &TestUser, room: &str) -> String {
    world.homeserver.wait_member(room, user.id(), "leave").await;
    let content = world.homeserver.state(room, "m.room.member", user.id());
    content["reason"].as_str().unwrap_or_default().to_owned()
}

#[rstest]
#[case::no_such_channel(403, "Is the name right?")]
#[case::too_many_channels(405, "You are in as many channels as the network allows")]
#[case::full(471, "The channel is full.")]
#[case::for_now(437, "The network lets nobody use that name for now.")]
#[case::for_invited_people(473, "It is for invited people only")]
#[case::banned(474, "You are banned there")]
#[case::with_a_key(475, "It needs a key. To give it, type join #tea KEY here")]
#[case::an_illegal_name(479, "Is the name right?")]
#[case::for_those_who_are_logged_in(477, "It is for people who are logged in")]
#[case::for_those_with_tls(489, "It is only for people who are connected with TLS.")]
#[tokio::test(flavor = "multi_thread")]
async fn whom_a_channel_refuses_is_removed_with_the_reason_and_told_what_they_can_do(
    #[case] numeric: u16,
    #[case] remedy: &str,
) {
    let world = world().start().await;
    world.ircd.person("bob").join("#tea");
    let (alice, _, network) = world.greeted_user("alice").await;
    world.ircd.ban_joins("#tea", numeric);
    let room = alice.join(ALIAS).await;
    let reason = removed(&world, &alice, &room).await;
    assert_eq!(reason, "Not in #tea: Cannot join channel.");
    let told =
        world.homeserver.wait_event(&network, begins("Not in #tea: Cannot join channel. So you are")).await;
    assert!(told.body().contains(remedy), "{}", told.body());
    assert_eq!(told.content["m.mentions"]["user_ids"], json!([alice.id()]));
    world.homeserver.wait_alias(ALIAS, None).await;
}

/// Before, their coming went to their session's lane under another number while it was dealt with, and back where they were
/// out again by then: they were taken in once more, and told twice.
#[tokio::test(flavor = "multi_thread")]
async fn the_coming_of_somebody_who_is_refused_is_dealt_with_once() {
    let world = world().start().await;
    world.ircd.person("bob").join("#tea");
    let (alice, _, network) = world.greeted_user("alice").await;
    world.ircd.ban_joins("#tea", 474);
    let room = alice.join(ALIAS).await;
    removed(&world, &alice, &room).await;
    world.homeserver.wait_event(&network, begins("Not in #tea")).await;
    let events = world.homeserver.events(&room);
    let came = events
        .iter()
        .find(|one| one.state_key.as_deref() == Some(alice.id()) && one.content["membership"] == "join");
    let stays = format!("{} user/{} done", came.unwrap().event_id, alice.id());
    let inbox = "SELECT event_id || ' ' || lane || ' ' || state FROM inbox";
    world.database.wait("her coming is done with, where it was", inbox, |rows| rows.contains(&stays)).await;
    world.homeserver.wait_delivered().await;
    world.wait_outbox_empty().await;
    let told = world.homeserver.events(&network).into_iter().filter(begins("Not in #tea"));
    assert_eq!(told.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_channel_sends_elsewhere_is_told_where_and_has_a_room_of_their_own_there() {
    let world = world().start().await;
    let bob = world.ircd.person("bob");
    bob.join("#pot");
    let (alice, _, network) = world.greeted_user("alice").await;
    world.ircd.forward("#tea", "#pot");
    let room = alice.join(ALIAS).await;
    assert_eq!(removed(&world, &alice, &room).await, "Not in #tea: Forwarding to another channel.");
    let told = world.homeserver.wait_event(&network, begins("Not in #tea")).await;
    assert!(told.body().contains("sends you to #pot instead"), "{}", told.body());
    let pot = world.homeserver.wait_room_named("#pot (FakeNet)").await;
    world.homeserver.wait_member(&pot, alice.id(), "invite").await;
    bob.say("#pot", "over here");
    world.homeserver.wait_message(&pot, "over here").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_no_channel_on_the_network_is_refused_in_the_chat_with_the_bot() {
    let mut options = crate::support::ircd::Options::default();
    let types = options.isupport.iter_mut().find(|token| token.starts_with("CHANTYPES=")).unwrap();
    *types = "CHANTYPES=&".to_owned();
    let world = world().ircd(options).start().await;
    let (alice, control, _) = world.greeted_user("alice").await;
    let room = alice.join(ALIAS).await;
    removed(&world, &alice, &room).await;
    let told = world.homeserver.wait_event(&control, begins("You can't be in the shared room of #tea")).await;
    assert!(told.body().contains("#tea is no channel on FakeNet"), "{}", told.body());
}

/// Before, whoever gave the key got a room of their own.
#[tokio::test(flavor = "multi_thread")]
async fn who_gives_a_channels_key_is_invited_to_its_shared_room() {
    let mut world = world().start().await;
    let bob = world.ircd.person("bob");
    bob.join("#tea");
    world.ircd.set_key("#tea", "earlgrey");
    let (alice, _, network) = world.greeted_user("alice").await;
    let room = alice.join(ALIAS).await;
    let reason = removed(&world, &alice, &room).await;
    assert!(reason.contains("(+k)"), "{reason}");
    // The wrong one, and then the right one.
    for (key, is_right) in [("lapsang", false), ("earlgrey", true)] {
        alice.send_text(&network, &format!("join #tea {key}"));
        world.homeserver.wait_member(&room, alice.id(), "invite").await;
        alice.join(&room).await;
        if is_right {
            world.ircd.wait_joined("#tea", "alice").await;
        } else {
            removed(&world, &alice, &room).await;
        }
    }
    bob.say("#tea", "welcome");
    world.homeserver.wait_message(&room, "welcome").await;
    assert_eq!(world.homeserver.rooms_named("#tea (FakeNet)").as_slice(), std::slice::from_ref(&room));
    // It is kept.
    world.stop_bridge().await;
    world.ircd.wait_nobody_connected().await;
    world.start_bridge().await;
    world.ircd.wait_joined("#tea", "alice").await;
}

/// Before, only `open` looked.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_closed_as_many_networks_as_are_kept_is_not_taken_into_a_shared_room_of_another() {
    let builder = world().network("other", "OtherNet").config("limits: { closed_sessions: 1 }\n");
    let world = builder.start().await;
    let (alice, control, _) = world.greeted_user("alice").await;
    alice.send_text(&control, "close fake confirm");
    world.homeserver.wait_event(&control, begins("Closed: you are no longer on FakeNet")).await;
    let room = alice.join("#irc_other_#tea:test.local").await;
    assert_eq!(removed(&world, &alice, &room).await, "Not in #tea: the chat with the bot says why.");
    let told = begins("You can't be in the shared room of #tea: you have closed one network");
    let told = world.homeserver.wait_event(&control, told).await;
    assert!(told.body().contains("such as with forget fake."), "{}", told.body());
    // The network that is kept takes no more.
    alice.join(ALIAS).await;
    world.ircd.wait_joined("#tea", "alice").await;
}
