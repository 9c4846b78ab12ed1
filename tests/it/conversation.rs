//! The conversation that the bridge is for, between the in-memory homeserver and the fake ircd.

use rstest::rstest;

use crate::support::bridge::World;
use crate::support::ircd::Options;

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

#[rstest]
#[case::echoes_and_labels(Options::with_history())]
#[case::echoes_alone(Options::with_history().without(&["labeled-response"]))]
#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_shows_us_of_our_own_is_confirmed_and_not_said_again(#[case] options: Options) {
    let world = World::builder().ircd(options).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let mut said = String::new();
    for n in 1..=5 {
        said = alice.send_text(&room, &format!("line {n}"));
    }
    bob.wait_text("line 5").await;
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &said).await;
    bob.say("#rust", "the end");
    world.homeserver.wait_message(&room, "the end").await;
    let timeline = world.homeserver.timeline(&room);
    let senders: Vec<_> = timeline.iter().map(|(sender, _)| sender.as_str()).collect();
    assert_eq!(
        senders[senders.len() - 6..],
        [["@alice:test.local"; 5].as_slice(), &["@irc_fake_bob:test.local"]].concat()
    );
    let said_by_others = timeline.iter().filter(|(_, body)| body.starts_with("line ")).count();
    assert_eq!(said_by_others, 5, "{timeline:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_that_never_comes_does_not_hold_the_receipt() {
    let world = World::builder().ircd(Options::with_history()).start().await;
    world.ircd.drop_echoes(true);
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let said = alice.send_text(&room, "hello");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &said).await;
}
