//! Keys, knocks, and out and in again.

use super::{ask, in_tea, like_libera, plain};
use crate::support::bridge::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_left_and_entered_again() {
    let world = World::start().await;
    let (alice, room, [bob, _carol]) = in_tea(&world).await;
    ask(&world, &alice, &room, "!irc cycle back in a moment", "Leaving #tea, and entering it again.").await;
    bob.wait_heard(|one| one.command == "PART" && one.text() == "back in a moment").await;
    let left = bob.heard().len();
    bob.wait_heard(|one| one.command == "JOIN" && one.nick() == "alice").await;
    bob.say("#tea", "welcome back");
    world.homeserver.wait_message(&room, "welcome back").await;
    assert!(left > 0 && world.ircd.names("#tea").contains(&"alice".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_kept_encrypted_used_and_forgotten_and_its_message_goes() {
    let mut world = World::start().await;
    world.ircd.set_key("#tea", "sesame");
    let (alice, _, network) = world.connected_user("alice").await;
    let first = alice.send_text(&network, "key #tea sesame");
    world.homeserver.wait_event(&network, |one| one.body().starts_with("You have no room for #tea.")).await;
    alice.send_text(&network, "join #tea wrong");
    world.homeserver.wait_event(&network, |one| one.body().starts_with("Not in #tea")).await;
    ask(&world, &alice, &network, "key #tea", "I know a key of #tea and enter with it.").await;
    let event = alice.send_text(&network, "key #tea sesame");
    world.homeserver.wait_message(&network, "I try the key of #tea.").await;
    world.ircd.wait_joined("#tea", "alice").await;
    for typed in [&first, &event] {
        let is_redaction = |one: &crate::support::homeserver::Event| {
            one.redacts.as_ref() == Some(typed) && one.content.to_string().contains("password")
        };
        world.homeserver.wait_event(&network, is_redaction).await;
    }
    let bodies = world.homeserver.timeline_bodies(&network);
    assert!(!bodies.iter().any(|body| body.contains("key #tea sesame")), "{event} {bodies:?}");
    world.stop_bridge().await;
    world.ircd.wait_gone("alice").await;
    world.start_bridge().await;
    world.ircd.wait_joined("#tea", "alice").await;
    ask(&world, &alice, &network, "key #tea off", "I know no key of #tea any more.").await;
    ask(&world, &alice, &network, "key #tea", "I know no key of #tea. To give it, type key KEY").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stands_before_a_closed_door_knocks() {
    let world = World::builder().ircd(like_libera()).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#closed");
    bob.mode("#closed", "+i");
    bob.join("#open");
    let (alice, _, network) = world.connected_user("alice").await;
    alice.send_text(&network, "join #closed");
    world.homeserver.wait_event(&network, |one| one.body().starts_with("Not in #closed")).await;
    ask(&world, &alice, &network, "knock #closed may I come in?", "The people in #closed know").await;
    bob.wait_heard(|one| one.command == "710" && one.text() == "may I come in?").await;
    ask(&world, &alice, &network, "knock #open", "Anybody may enter: type join #open.").await;
    ask(&world, &alice, &network, "knock #nowhere", "There is no such channel.").await;
    ask(&world, &alice, &network, "knock", "Type it like this: knock #CHANNEL [TEXT]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_can_knock_it_is_said() {
    let world = World::builder().ircd(plain()).start().await;
    let (alice, _, network) = world.connected_user("alice").await;
    ask(&world, &alice, &network, "knock #closed", "FakeNet has no knocking. Ask one of the people").await;
}
