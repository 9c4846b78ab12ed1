//! Rooms that show other channels than before, or go on elsewhere.

use super::*;
use crate::reload::logged;

/// Review, finding 2: one of the channels went, and the others stayed where nobody was.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_is_replaced_goes_on_in_its_successor_with_all_of_its_channels() {
    let square = Square::open(&TEA_AND_ZOO).await;
    let bot = square.world.homeserver.bot();
    let new = square.alice.create_room(&NewRoom { predecessor: Some(&square.room), ..PUBLIC });
    let levels = json!({ "users": { square.alice.id(): 100 } });
    square.carol.send_state(&square.room, "m.room.power_levels", "", levels).unwrap();
    let content = json!({ "body": "This room has been replaced", "replacement_room": new });
    square.alice.send_state(&square.room, "m.room.tombstone", "", content).unwrap();
    square.world.homeserver.wait_delivered().await;
    square.alice.invite(&new, &bot);
    square.world.homeserver.wait_member(&square.room, &bot, "leave").await;
    square.alice.send_text(&new, "all of us");
    for channel in ["#tea", "#zoo"] {
        square.bob.wait_message(|heard| heard.target() == channel && heard.text() == "all of us").await;
        let text = format!("{channel} goes on");
        square.bob.say(channel, &text);
        square.world.homeserver.wait_message(&new, &text).await;
    }
    let ids = "SELECT DISTINCT room_id FROM room WHERE plumbed IS NOT NULL";
    assert_eq!(square.world.database().texts(ids).await, [new]);
}

/// What each says is heard by the other.
async fn goes_on(world: &World, alice: &TestUser, bob: &Person, room: &str, when: &str) {
    alice.send_text(room, &format!("alice {when}"));
    assert_eq!(bob.wait_text(&format!("alice {when}")).await.nick(), "alice");
    bob.say("#tea", &format!("bob {when}"));
    world.homeserver.wait_message(room, &format!("bob {when}")).await;
}

/// Before, a reload or a restart took the bridge out of the new room and back into the old one, where nobody can speak: the
/// configuration has the id of that.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_of_the_configuration_that_was_replaced_keeps_its_channel_after_a_reload_and_a_restart() {
    let mut world = World::builder().without_bridge().await;
    let process = world.start_process_with(&[]);
    let (bob, bot) = (world.ircd.person("bob"), world.homeserver.bot());
    bob.join("#tea");
    let (alice, ..) = world.greeted_user("alice").await;
    let old = alice.create_room(&PUBLIC);
    let line = format!("    channels: {{ {} }}\n", mapping("#tea", &old));
    reload(&world, &process, |text| text.replace("  fake:\n", &format!("  fake:\n{line}"))).await;
    world.ircd.wait_joined("#tea", "alice").await;
    bob.say("#tea", "in the old one");
    world.homeserver.wait_message(&old, "in the old one").await;
    let new = alice.create_room(&NewRoom { predecessor: Some(&old), ..PUBLIC });
    let content = json!({ "body": "This room has been replaced", "replacement_room": new });
    alice.send_state(&old, "m.room.tombstone", "", content).unwrap();
    world.homeserver.wait_delivered().await;
    alice.invite(&new, &bot);
    world.homeserver.wait_member(&old, &bot, "leave").await;
    let asked_for = format!("name {new} in networks.fake.channels");
    logged(&process, &asked_for, 1).await;
    reload(&world, &process, |text| text).await;
    logged(&process, &asked_for, 2).await;
    goes_on(&world, &alice, &bob, &new, "after a reload").await;
    assert_eq!(process.stop().await, Some(0));
    world.ircd.wait_nobody_connected().await;
    world.plumb(&mapping("#tea", &old));
    let process = world.start_process_with(&[]);
    logged(&process, &asked_for, 3).await;
    world.ircd.wait_joined("#tea", "alice").await;
    goes_on(&world, &alice, &bob, &new, "after a restart").await;
    // The new id in the file changes nothing.
    reload(&world, &process, |text| text.replace(&old, &new)).await;
    logged(&process, "the configuration was read anew", 3).await;
    goes_on(&world, &alice, &bob, &new, "with the new id").await;
    for (room, moves) in [(&old, 2), (&new, 2)] {
        let events = world.homeserver.events(room);
        let own = events.iter().filter(|event| event.state_key.as_deref() == Some(&bot)).count();
        assert_eq!(own, moves, "{room}");
    }
    assert_eq!(process.stop().await, Some(0));
}

/// Has the bridge follow a room to another one, and gives that.
async fn upgrade(world: &World, alice: &TestUser, old: &str) -> String {
    let bot = world.homeserver.bot();
    let new = alice.create_room(&NewRoom { predecessor: Some(old), ..PUBLIC });
    let content = json!({ "body": "This room has been replaced", "replacement_room": new });
    alice.send_state(old, "m.room.tombstone", "", content).unwrap();
    world.homeserver.wait_delivered().await;
    alice.invite(&new, &bot);
    world.homeserver.wait_member(old, &bot, "leave").await;
    new
}

/// Review, finding M1: of the file's names only one was known after a restart, and the other channel went back into the closed
/// room. And of the review after that, M1: nobody knew any more of the one between.
#[rstest]
#[case::read_between(true)]
#[case::not_read_between(false)]
#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_was_replaced_twice_keeps_its_channels_where_the_file_names_both_of_those_before(
    #[case] is_read: bool,
) {
    let mut world = World::builder().without_bridge().await;
    let process = world.start_process_with(&[]);
    let bob = world.ircd.person("bob");
    ["#tea", "#zoo"].iter().for_each(|channel| bob.join(channel));
    let (alice, ..) = world.greeted_user("alice").await;
    let old = alice.create_room(&PUBLIC);
    let both = |tea: &str, zoo: &str| format!("{}, {}", mapping("#tea", tea), mapping("#zoo", zoo));
    let line = format!("    channels: {{ {} }}\n", both(&old, &old));
    reload(&world, &process, |text| text.replace("  fake:\n", &format!("  fake:\n{line}"))).await;
    for channel in ["#tea", "#zoo"] {
        world.ircd.wait_joined(channel, "alice").await;
    }
    goes_on(&world, &alice, &bob, &old, "in the first").await;
    let second = upgrade(&world, &alice, &old).await;
    if is_read {
        reload(&world, &process, |text| text.replace(&both(&old, &old), &both(&old, &second))).await;
        logged(&process, &format!("name {second} in networks.fake.channels"), 3).await;
    }
    let third = upgrade(&world, &alice, &second).await;
    assert_eq!(process.stop().await, Some(0));
    world.ircd.wait_nobody_connected().await;
    world.plumb(&both(&old, &second));
    let process = world.start_process_with(&[]);
    logged(&process, &format!("name {third} in networks.fake.channels"), 2).await;
    for channel in ["#tea", "#zoo"] {
        world.ircd.wait_joined(channel, "alice").await;
        let text = format!("{channel} goes on");
        bob.say(channel, &text);
        world.homeserver.wait_message(&third, &text).await;
    }
    assert_eq!(process.stop().await, Some(0));
}

/// Review, finding M3: what was followed was forgotten with the room, and the file's id meant the closed one again.
#[tokio::test(flavor = "multi_thread")]
async fn the_id_of_a_room_that_was_replaced_means_its_successor_also_when_it_comes_into_the_file_again() {
    let mut world = World::builder().without_bridge().await;
    let process = world.start_process_with(&[]);
    let (bob, bot) = (world.ircd.person("bob"), world.homeserver.bot());
    bob.join("#tea");
    let (alice, ..) = world.greeted_user("alice").await;
    let old = alice.create_room(&PUBLIC);
    let line = format!("    channels: {{ {} }}\n", mapping("#tea", &old));
    reload(&world, &process, |text| text.replace("  fake:\n", &format!("  fake:\n{line}"))).await;
    world.ircd.wait_joined("#tea", "alice").await;
    goes_on(&world, &alice, &bob, &old, "in the first").await;
    let new = upgrade(&world, &alice, &old).await;
    goes_on(&world, &alice, &bob, &new, "in the second").await;
    reload(&world, &process, |text| text.replace(&line, "")).await;
    world.homeserver.wait_member(&new, &bot, "leave").await;
    world.ircd.wait_parted("#tea", "alice").await;
    reload(&world, &process, |text| text.replace("  fake:\n", &format!("  fake:\n{line}"))).await;
    world.homeserver.wait_member(&new, &bot, "join").await;
    world.ircd.wait_joined("#tea", "alice").await;
    goes_on(&world, &alice, &bob, &new, "when it is back").await;
    alice.kick(&new, &bot, "out for a while").unwrap();
    world.homeserver.wait_delivered().await;
    world.ircd.wait_parted("#tea", "alice").await;
    let rows = "SELECT room_id FROM room WHERE plumbed IS NOT NULL";
    world.database().wait("it is let go of", rows, <[String]>::is_empty).await;
    assert_eq!(process.stop().await, Some(0));
    world.ircd.wait_nobody_connected().await;
    world.plumb(&mapping("#tea", &old));
    let process = world.start_process_with(&[]);
    world.homeserver.wait_member(&new, &bot, "join").await;
    world.ircd.wait_joined("#tea", "alice").await;
    goes_on(&world, &alice, &bob, &new, "after a restart").await;
    assert_eq!(process.stop().await, Some(0));
}

/// Review, finding H1: what a room's creation says of its predecessor was believed, and the file was not obeyed.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_says_it_came_after_another_takes_nothing_from_that() {
    let world = World::builder().without_bridge().await;
    let process = world.start_process_with(&[]);
    let bob = world.ircd.person("bob");
    bob.join("#tea");
    let (alice, ..) = world.greeted_user("alice").await;
    let sound = alice.create_room(&PUBLIC);
    let claims = alice.create_room(&NewRoom { predecessor: Some(&sound), ..PUBLIC });
    let line = format!("    channels: {{ {} }}\n", mapping("#tea", &claims));
    reload(&world, &process, |text| text.replace("  fake:\n", &format!("  fake:\n{line}"))).await;
    world.ircd.wait_joined("#tea", "alice").await;
    goes_on(&world, &alice, &bob, &claims, "in the first").await;
    reload(&world, &process, |text| text.replace(&claims, &sound)).await;
    world.homeserver.wait_member(&claims, &world.homeserver.bot(), "leave").await;
    world.homeserver.wait_member(&sound, &world.homeserver.bot(), "join").await;
    goes_on(&world, &alice, &bob, &sound, "in the other").await;
    assert_eq!(process.stop().await, Some(0));
}

/// Review, finding 4: it was said in a channel that the room had not shown, once for each that it had.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_channels_that_the_room_shows_no_more_is_said_in_no_other() {
    let mut square = Square::open(&TEA_AND_ZOO).await;
    square.alice.send_text(&square.fake, "disconnect");
    square.world.ircd.wait_gone("alice").await;
    let event = square.alice.send_text(&square.room, "for tea and zoo");
    let is_it =
        |one: &Event| one.kind == "m.reaction" && one.content["m.relates_to"]["event_id"] == event.as_str();
    square.world.homeserver.wait_event(&square.room, is_it).await;
    square.restart_with(&[("other", &["#den"])]).await;
    square.is_heard(&square.alice, "for the den", &[("#den", "ally")]).await;
    square.world.pass("ally", Duration::ZERO).await;
    assert_eq!(square.heard("#den"), ["for the den"]);
    // What is still there after the next start is settled, and told of those channels.
    let left = "SELECT plumbed FROM room WHERE plumbed IS NOT NULL";
    square.world.database().wait("they are let go of", left, |rows| rows.len() == 1).await;
    square.world.stop_bridge().await;
    square.world.start_bridge().await;
    for channel in ["#tea", "#zoo"] {
        let told = format!("Your message did not go to {channel}, which this room does not show any more.");
        square.world.homeserver.wait_event(&square.room, |event| event.body() == told).await;
    }
    let waiting = "SELECT event_id FROM inbox WHERE state = 'new'";
    square.world.database().wait("all is settled", waiting, <[String]>::is_empty).await;
    square.world.ircd.wait_joined("#den", "ally").await;
    square.is_heard(&square.alice, "and more", &[("#den", "ally")]).await;
    assert_eq!(square.heard("#den"), ["for the den", "and more"]);
}

/// Review, finding 9: it came back as something that its user had said, and went to the other channel.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_elsewhere_in_a_channel_that_the_room_shows_no_more_goes_to_no_other() {
    let mut square = Square::open_in(World::builder().double_puppet(true), &TEA_AND_ZOO).await;
    square.is_settled().await;
    square.world.homeserver.hold_transactions(true);
    square.world.ircd.send_raw("alice", b":alice!alice@host PRIVMSG #tea :from my phone\r\n");
    let said = square.world.homeserver.wait_message(&square.room, "from my phone").await;
    assert_eq!(said.sender, square.alice.id());
    square.world.wait_outbox_empty().await;
    square.restart_with(&[("fake", &["#zoo"])]).await;
    let left = "SELECT plumbed FROM room WHERE plumbed IS NOT NULL";
    square.world.database().wait("#tea is let go of", left, |rows| rows.len() == 1).await;
    square.world.homeserver.hold_transactions(false);
    square.is_heard(&square.alice, "typed here", &[("#zoo", "alice")]).await;
    assert_eq!(square.heard("#zoo"), ["typed here"]);
}

/// Review, finding 13: they stayed as they were.
#[tokio::test(flavor = "multi_thread")]
async fn names_show_no_ranks_any_more_when_a_second_channel_comes() {
    let builder = World::builder().config("plumb: { by: users }\n");
    let square = Square::build_with(builder, "  ranks: name\n").await;
    let (admin, control, _) = square.world.greeted_user("admin").await;
    admin.join(&square.room).await;
    let plumb = async |channel: &str| {
        let typed = format!("plumb fake {} {channel}", square.room);
        ask(&square.world, &admin, &control, &typed, &format!("{channel} is shown in that room")).await;
        square.shows("fake", channel).await;
    };
    plumb("#tea").await;
    let is_ranked = |event: &Event| {
        event.state_key.as_deref() == Some("@irc_fake_bob:test.local")
            && event.content["displayname"] == "@bob"
    };
    square.world.homeserver.wait_event(&square.room, is_ranked).await;
    let ranks = "SELECT rank FROM member WHERE rank IS NOT NULL";
    square.world.database().wait("his rank is stored", ranks, |ranks| ranks == ["@"]).await;
    plumb("#zoo").await;
    square.world.database().wait("no name shows a rank", ranks, <[String]>::is_empty).await;
    let events = square.world.homeserver.events(&square.room);
    let last = events.iter().rfind(|event| event.state_key.as_deref() == Some("@irc_fake_bob:test.local"));
    assert_eq!(last.unwrap().content["displayname"], "bob");
}
