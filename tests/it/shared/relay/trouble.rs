//! A relay that is put out, and what moderators take back.

use std::time::Duration;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_kicked_goes_back_once_and_says_what_was_said_meanwhile() {
    let relayed = Relayed::start().await;
    let (world, homeserver, room) = (&relayed.world, &relayed.world.homeserver, &relayed.room);
    relayed.is_heard(&relayed.carol, "before", "<Carol> before").await;
    relayed.bob.kick("#tea", RELAY, "oops");
    homeserver.wait_event(room, begins("bob has put admin_relay out of #tea")).await;
    relayed.carol.send_text(room, "does it wait?");
    homeserver
        .wait_event(room, begins("Your message waits: who says it for you is not in the channel"))
        .await;
    world.pass(RELAY, Duration::from_mins(2)).await;
    world.ircd.wait_joined("#tea", RELAY).await;
    relayed.bob.wait_text("<Carol> does it wait?").await;
    relayed.is_heard(&relayed.dave, "after", "<dave> after").await;
    // Who is thrown out twice is not wanted.
    relayed.bob.kick("#tea", RELAY, "I meant it");
    homeserver.wait_event(room, begins("What people write here who have no IRC connection")).await;
    let told = homeserver.wait_event(&relayed.relay, begins("bob kicked you out of #tea: I meant it")).await;
    assert!(told.body().ends_with("To relay there again, type relay #tea."), "{}", told.body());
    relayed.carol.send_text(room, "anybody?");
    homeserver.wait_event(room, begins("@carol:test.local: what you write here")).await;
    ask(world, &relayed.admin, &relayed.relay, "relay #tea", "goes there through FakeNet").await;
    relayed.is_heard(&relayed.carol, "here again", "<Carol> here again").await;
    let said = ["before", "does it wait?"].map(|text| format!("<Carol> {text}"));
    let rest = ["<dave> after".to_owned(), "<Carol> here again".to_owned()];
    assert_eq!(relayed.heard(), [said.as_slice(), rest.as_slice()].concat());
}

/// Before, it said nothing to those who were relayed.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_not_to_go_back_says_in_the_room_that_it_is_over() {
    let relayed = Relayed::start().await;
    relayed.set("rejoin-on-kick off").await;
    relayed.bob.kick("#tea", RELAY, "out");
    let homeserver = &relayed.world.homeserver;
    homeserver.wait_event(&relayed.room, begins("What people write here who have no IRC connection")).await;
    relayed.carol.send_text(&relayed.room, "hello?");
    homeserver.wait_event(&relayed.room, begins("@carol:test.local: what you write here")).await;
    assert!(relayed.heard().is_empty());
    assert!(!homeserver.timeline_bodies(&relayed.room).iter().any(|body| body.starts_with("bob has put")));
}

/// Before, it stayed on IRC.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_moderator_with_a_connection_takes_back_is_taken_back_on_irc_by_the_relay() {
    let relayed = Relayed::begin(World::builder().ircd(Options::with_relaymsg())).await;
    let (world, room) = (&relayed.world, &relayed.room);
    let said = relayed.is_heard(&relayed.dave, "buy now", "<dave> buy now").await;
    // The room is carol's, and she speaks for herself from now on.
    let (_, control) = world.user_with_control_room("carol").await;
    relayed.carol.send_text(&control, "open fake");
    world.ircd.wait_registered("carol").await;
    let own = relayed.carol.send_text(room, "I moderate");
    assert_eq!(relayed.bob.wait_text("I moderate").await.nick(), "carol");
    let ids = [world.ircd.wait_msgid("buy now").await, world.ircd.wait_msgid("I moderate").await];
    relayed.carol.redact(room, &said).unwrap();
    relayed.carol.redact(room, &own).unwrap();
    for (nick, id) in [RELAY, "carol"].into_iter().zip(ids) {
        let line = format!("REDACT #tea {id}");
        world.ircd.wait_line(|by, sent| by == nick && sent.contains(&line)).await;
    }
    relayed.is_heard(&relayed.dave, "sorry", "<dave> sorry").await;
    let lines = world.ircd.lines();
    assert_eq!(lines.iter().filter(|one| one.line().contains("REDACT")).count(), 2, "each once");
}
