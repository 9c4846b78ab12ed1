//! A channel that its user is in without its room.

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd::Person;

/// Alice in #tea with bob, and then without its room: her network's room and the channel's.
async fn detached(world: &World) -> (TestUser, Person, [String; 2]) {
    let bob = world.ircd.person("bob");
    bob.join("#tea");
    let (alice, _, room) = world.user_in_channel("alice", "#tea").await;
    let network = world.homeserver.wait_room_named("FakeNet").await;
    bob.say("#tea", "before");
    world.homeserver.wait_message(&room, "before").await;
    alice.send_text(&room, "!irc detach");
    world.homeserver.wait_member(&room, alice.id(), "leave").await;
    (alice, bob, [network, room])
}

/// Waits until the bridge has read all that bob has said: a notice stands in the network's room.
async fn heard(world: &World, bob: &Person, network: &str, marker: &str) {
    bob.notice("alice", marker);
    world.homeserver.wait_event(network, |event| event.body().ends_with(marker)).await;
}

fn begins(words: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().starts_with(words)
}

fn is_back(user: &TestUser) -> impl Fn(&Event) -> bool {
    let id = user.id().to_owned();
    let mut out = false;
    let seen = std::cell::RefCell::new(move |event: &Event| {
        let is_theirs = event.state_key.as_deref() == Some(&id);
        out |= is_theirs && event.membership() == "leave";
        out && is_theirs && event.membership() == "invite"
    });
    move |event| (seen.borrow_mut())(event)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detached_channel_goes_on_without_its_room_until_its_user_is_named() {
    let mut world = World::start().await;
    let (alice, bob, [network, room]) = detached(&world).await;
    bob.say("#tea", "nobody sees this");
    bob.topic("#tea", "still tea");
    bob.kick("#tea", "nobody", "");
    heard(&world, &bob, &network, "first marker").await;
    alice.send_text(&network, "history #tea");
    world.homeserver.wait_event(&network, |event| event.body().contains("nobody sees this")).await;
    alice.send_text(&network, "channels");
    world.homeserver.wait_event(&network, begins("#tea: you are in it, detached")).await;

    // It stays so.
    world.stop_bridge().await;
    world.ircd.wait_gone("alice").await;
    world.start_bridge().await;
    world.ircd.wait_joined("#tea", "alice").await;
    bob.say("#tea", "nor this");
    heard(&world, &bob, &network, "second marker").await;
    alice.send_text(&network, "history #tea");
    world.homeserver.wait_event(&network, |event| event.body().contains("nor this")).await;
    let lines = world.homeserver.timeline_lines(&room);
    assert!(!lines.iter().any(|line| line.contains("nobody sees") || line.contains("nor this")), "{lines:?}");

    bob.say("#tea", "alice: are you there?");
    let named = world.homeserver.wait_message(&room, "alice: are you there?").await;
    assert_eq!(named.content["msgtype"], "m.text");
    world.homeserver.wait_event(&room, is_back(&alice)).await;
    alice.join(&room).await;
    let lines = world.homeserver.timeline_lines(&room);
    let place = |text: &str| lines.iter().position(|line| line == text).unwrap();
    assert!(
        place("before") < place("nobody sees this") && place("nor this") < place("alice: are you there?")
    );
    assert_eq!(world.homeserver.wait_message(&room, "nor this").await.content["msgtype"], "m.notice");
    alice.send_text(&room, "yes");
    bob.wait_text("yes").await;
    bob.say("#tea", "good");
    world.homeserver.wait_message(&room, "good").await;
    assert_eq!(lines.iter().filter(|line| *line == "before").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_attached_again_with_what_was_said_meanwhile() {
    let world = World::builder().config("limits: { refill: 2 }").start().await;
    let (alice, bob, [network, room]) = detached(&world).await;
    for line in ["one", "two", "three"] {
        bob.say("#tea", line);
    }
    heard(&world, &bob, &network, "marker").await;
    alice.send_text(&network, "history #tea");
    world.homeserver.wait_event(&network, |event| event.body().contains("three")).await;
    alice.send_text(&network, "detach #tea");
    world.homeserver.wait_event(&network, begins("#tea is detached already.")).await;
    alice.send_text(&network, "attach tea");
    world.homeserver.wait_event(&network, begins("The room of #tea is back")).await;
    world.homeserver.wait_event(&room, is_back(&alice)).await;
    alice.join(&room).await;
    let lines = world.homeserver.timeline_lines(&room);
    let last = &lines[lines.len() - 3..];
    assert_eq!(last, ["More was said meanwhile; the history has it.", "two", "three"]);
    alice.send_text(&network, "attach #tea");
    world.homeserver.wait_event(&network, begins("#tea is not detached")).await;
    assert!(
        world.ircd.names("#tea").contains(&"alice".to_owned()),
        "taken out of the room, and not of the channel"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn joining_a_detached_channel_brings_its_room_back_and_what_is_not_joined_can_t_be_detached() {
    let world = World::start().await;
    let (alice, bob, [network, room]) = detached(&world).await;
    alice.send_text(&network, "detach #coffee");
    world.homeserver.wait_event(&network, begins("You are not in #coffee on FakeNet")).await;
    alice.send_text(&network, "attach #coffee");
    world.homeserver.wait_event(&network, begins("You have no room for #coffee.")).await;
    alice.send_text(&network, "part #tea");
    world.ircd.wait_parted("#tea", "alice").await;
    alice.send_text(&network, "join #tea");
    world.ircd.wait_joined("#tea", "alice").await;
    world.homeserver.wait_event(&room, is_back(&alice)).await;
    alice.join(&room).await;
    bob.say("#tea", "welcome back");
    world.homeserver.wait_message(&room, "welcome back").await;
}

/// Before, the lines stood twice in the room, or it stayed silent: it was taken for detached still.
#[rstest::rstest]
#[case::asked_for("join #tea")]
#[case::without_being_asked("raw JOIN #tea")]
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_was_detached_when_its_network_was_closed_comes_back_with_its_lines_once(
    #[case] command: &str,
) {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#tea");
    let (alice, control, room) = world.user_in_channel("alice", "#tea").await;
    let network = world.homeserver.wait_room_named("FakeNet").await;
    alice.send_text(&room, "!irc detach");
    world.homeserver.wait_member(&room, alice.id(), "leave").await;
    bob.say("#tea", "nobody sees this");
    heard(&world, &bob, &network, "marker").await;
    alice.send_text(&control, "close fake confirm");
    world.homeserver.wait_event(&control, begins("Closed: ")).await;
    alice.send_text(&control, "open fake");
    let network = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    // A raw line is refused until the session knows that it is connected.
    world.homeserver.wait_message(&network, "Connected to fake.irc as alice.").await;
    alice.send_text(&network, command);
    world.ircd.wait_joined("#tea", "alice").await;
    let room = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    bob.say("#tea", "welcome back");
    world.homeserver.wait_message(&room, "welcome back").await;
    assert_eq!(world.homeserver.timeline_lines(&room), ["nobody sees this", "welcome back"]);
}

/// Before, lines from just before stood there twice, or lines from just after did not come.
#[rstest::rstest]
#[case::ahead(40)]
#[case::behind(-40)]
#[tokio::test(flavor = "multi_thread")]
async fn an_attached_room_has_each_line_once_whatever_the_servers_clock_says(#[case] seconds: i64) {
    let world = World::start().await;
    let (alice, _, room) = world.user_in_channel("alice", "#tea").await;
    let network = world.homeserver.wait_room_named("FakeNet").await;
    let say = |text: &str| {
        let time = crate::support::clock::now() as i64 + seconds * 1000;
        let time = jiff::Timestamp::from_millisecond(time).unwrap();
        let line = format!("@time={time:.3} :bob!bob@host PRIVMSG #tea :{text}\r\n");
        world.ircd.send_raw("alice", line.as_bytes());
    };
    say("before");
    world.homeserver.wait_message(&room, "before").await;
    alice.send_text(&room, "!irc detach");
    world.homeserver.wait_member(&room, alice.id(), "leave").await;
    say("meanwhile");
    heard(&world, &world.ircd.person("bob"), &network, "marker").await;
    alice.send_text(&network, "attach #tea");
    world.homeserver.wait_event(&room, is_back(&alice)).await;
    alice.join(&room).await;
    say("after");
    world.homeserver.wait_message(&room, "after").await;
    let mut lines = world.homeserver.timeline_lines(&room);
    lines.retain(|line| ["before", "meanwhile", "after"].contains(&line.as_str()));
    assert_eq!(lines, ["before", "meanwhile", "after"]);
}
