//! Bans of people who have no connection of their own, and of ghosts in rooms that are other people's.

use super::relay::{RELAY, Relayed, with_relay};
use super::*;
use crate::support::bridge::ask;

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_people_of_a_room_ban_there_is_relayed_no_more_until_they_take_it_back() {
    let relayed = Relayed::start().await;
    relayed.is_heard(&relayed.dave, "hello", "<dave> hello").await;
    let (carol, dave, room) = (&relayed.carol, &relayed.dave, &relayed.room);
    carol.ban(room, dave.id()).unwrap();
    let said = json!({ "msgtype": "m.text", "body": "let me speak" });
    assert_eq!(dave.try_send(room, "m.room.message", said).unwrap_err().status, 403);
    relayed.is_heard(carol, "now it is quiet", "<Carol> now it is quiet").await;
    assert_eq!(
        relayed.world.homeserver.members(room, "ban"),
        [dave.id()],
        "the room's bans are its people's"
    );
    carol.unban(room, dave.id());
    dave.join(room).await;
    relayed.is_heard(dave, "thank you", "<dave> thank you").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_that_the_people_of_a_room_ban_is_not_heard_there_until_they_take_it_back() {
    let relayed = Relayed::start().await;
    let (carol, bob, room) = (&relayed.carol, &relayed.bob, &relayed.room);
    let (homeserver, erin) = (&relayed.world.homeserver, relayed.world.ircd.person("erin"));
    erin.join("#tea");
    bob.say("#tea", "hello");
    homeserver.wait_message(room, "hello").await;
    carol.ban(room, BOB).unwrap();
    bob.say("#tea", "nobody hears me");
    erin.say("#tea", "and me?");
    homeserver.wait_message(room, "and me?").await;
    assert!(!homeserver.timeline_bodies(room).contains(&"nobody hears me".to_owned()));
    assert_eq!(homeserver.members(room, "ban"), [BOB]);
    carol.unban(room, BOB);
    bob.say("#tea", "here again");
    assert_eq!(homeserver.wait_message(room, "here again").await.sender, BOB);
}

/// Before, the ban was lifted, as if it stood on IRC, where none could be about them.
#[tokio::test(flavor = "multi_thread")]
async fn a_ban_of_somebody_who_is_only_relayed_stays_in_a_room_found_by_alias() {
    let mut world = world().without_bridge().await;
    world.forbid("@carol:test.local");
    world.start_bridge().await;
    let bob = world.ircd.person("bob");
    bob.join("#tea");
    let carol = world.homeserver.user("carol");
    let (alice, _, network) = world.greeted_user("alice").await;
    let (admin, _, relay) = with_relay(&world).await;
    let room = alice.join(ALIAS).await;
    world.ircd.wait_joined("#tea", "alice").await;
    ask(&world, &admin, &relay, "relay #tea", "goes there through FakeNet").await;
    world.ircd.wait_joined("#tea", RELAY).await;
    bob.mode("#tea", "+o alice");
    let is_operator = |levels: &serde_json::Value| levels["users"][alice.id()] == 50;
    world.homeserver.wait_state(&room, "m.room.power_levels", "", is_operator).await;
    carol.join(ALIAS).await;
    carol.send_text(&room, "hello");
    assert_eq!(bob.wait_text("<carol> hello").await.nick(), RELAY);
    alice.ban(&room, carol.id()).unwrap();
    let told = world.homeserver.wait_event(&network, begins("@carol:test.local is banned")).await;
    assert!(told.body().contains("to take it back, lift it in the room"), "{}", told.body());
    world.wait_outbox_empty().await;
    assert_eq!(world.homeserver.members(&room, "ban"), [carol.id()]);
    assert_eq!(carol.try_join(ALIAS).await.unwrap_err().status, 403);
    alice.unban(&room, carol.id());
    carol.join(ALIAS).await;
    carol.send_text(&room, "thank you");
    assert_eq!(bob.wait_text("<carol> thank you").await.nick(), RELAY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_on_irc_that_does_not_do_what_it_looks_like_is_explained_to_whoever_relays() {
    let relayed = Relayed::start().await;
    let (bob, homeserver) = (&relayed.bob, &relayed.world.homeserver);
    relayed.is_heard(&relayed.carol, "hello", "<Carol> hello").await;
    for mask in ["dan!*@*", "*!*@evil.test", "$a:Carol", "Carol!*@elsewhere"] {
        bob.mode("#tea", &format!("+b {mask}"));
        bob.mode("#tea", &format!("-b {mask}"));
    }
    bob.mode("#tea", "+b carol!*@*");
    let is_told = |event: &Event| event.body().contains("That is what @carol:test.local is called there");
    let told = homeserver.wait_event(&relayed.relay, is_told).await;
    assert!(told.body().starts_with("bob banned carol!*@* from #tea."), "{}", told.body());
    relayed.is_heard(&relayed.carol, "I am still here", "<Carol> I am still here").await;
    // Again and again, or a part of many names: before, each was told of.
    for mask in ["carol!*@*", "car*!*@*"] {
        bob.mode("#tea", &format!("-b {mask}"));
        bob.mode("#tea", &format!("+b {mask}"));
    }
    for _ in 0..3 {
        bob.mode("#tea", &format!("+b {RELAY}!*@*"));
        bob.mode("#tea", &format!("-b {RELAY}!*@*"));
    }
    homeserver.wait_event(&relayed.relay, begins("bob banned your relay from #tea")).await;
    relayed.is_heard(&relayed.carol, "and here", "<Carol> and here").await;
    relayed.world.wait_outbox_empty().await;
    let about = |words: &str| {
        let bodies = homeserver.timeline_bodies(&relayed.relay);
        bodies.iter().filter(|body| body.contains(words)).count()
    };
    assert_eq!((about("whom you relay"), about("banned your relay")), (1, 1));
}
