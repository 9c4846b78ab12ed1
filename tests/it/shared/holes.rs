//! Times in which nobody was there who could have shown a shared room's channel.

use super::*;

/// How often the room says that nothing was seen.
fn told(talk: &Talk) -> usize {
    let bodies = talk.world.homeserver.timeline_bodies(&talk.room);
    bodies.iter().filter(|body| body.starts_with("Nothing was seen here from ")).count()
}

/// Nobody is connected any more, and nobody can.
async fn all_are_cut_off(talk: &Talk) {
    talk.world.ircd.refuse();
    for (nick, network) in ["alice", "carol"].into_iter().zip(&talk.networks) {
        talk.world.ircd.cut(nick);
        talk.world.homeserver.wait_event(network, begins("Not connected")).await;
    }
}

async fn all_come_back(talk: &Talk, order: [&str; 2]) {
    talk.world.ircd.welcome().await;
    for nick in order {
        let (user, network) = match nick {
            "alice" => (&talk.alice, &talk.networks[0]),
            _ => (&talk.carol, &talk.networks[1]),
        };
        user.send_text(network, "connect");
        talk.world.ircd.wait_joined("#tea", nick).await;
        talk.heard(nick).await;
    }
}

#[rstest]
#[case::who_showed_the_channel_first(["alice", "carol"])]
#[case::the_other_first(["carol", "alice"])]
#[tokio::test(flavor = "multi_thread")]
async fn when_all_were_cut_off_the_room_says_once_that_something_may_be_missing(#[case] order: [&str; 2]) {
    let mut talk = Talk::begin(world().start().await).await;
    all_are_cut_off(&talk).await;
    talk.bob.say("#tea", "heard by nobody");
    all_come_back(&talk, order).await;
    talk.bob.say("#tea", "heard by both");
    talk.world.homeserver.wait_message(&talk.room, "heard by both").await;
    talk.world.wait_outbox_empty().await;
    assert_eq!(told(&talk), 1);
    // It stands where it belongs.
    let shown = talk.world.homeserver.timeline_bodies(&talk.room);
    let place = |part: &str| shown.iter().position(|body| body.contains(part)).unwrap();
    assert!(place("Nothing was seen here") < place("heard by both"), "{shown:?}");
    // So it is after a restart.
    talk.world.stop_bridge().await;
    talk.world.ircd.wait_nobody_connected().await;
    talk.world.start_bridge().await;
    for nick in order {
        talk.world.ircd.wait_joined("#tea", nick).await;
        talk.heard(nick).await;
    }
    talk.world.wait_outbox_empty().await;
    assert_eq!(told(&talk), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_another_has_shown_the_channel_nothing_is_missing() {
    let talk = Talk::begin(world().start().await).await;
    let mark = talk.world.ircd.mark();
    talk.alice.send_text(&talk.networks[0], "reconnect");
    talk.world.ircd.wait_line_after(mark, |nick, line| nick == "alice" && line.starts_with("QUIT")).await;
    talk.bob.say("#tea", "shown by carol");
    talk.world.homeserver.wait_message(&talk.room, "shown by carol").await;
    let rejoins = |nick: &str, line: &str| nick == "alice" && line.starts_with("JOIN #tea");
    talk.world.ircd.wait_line_after(mark, rejoins).await;
    talk.world.ircd.wait_joined("#tea", "alice").await;
    talk.heard("alice").await;
    talk.carol.send_text(&talk.networks[1], "disconnect");
    talk.world.homeserver.wait_member(&talk.room, talk.carol.id(), "leave").await;
    talk.bob.say("#tea", "shown by alice");
    talk.world.homeserver.wait_message(&talk.room, "shown by alice").await;
    talk.world.wait_outbox_empty().await;
    assert_eq!(told(&talk), 0);
}

/// The last who is in the channel leaves, and the other, who is still in the room, is only disconnected.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_while_the_only_one_left_reconnects_may_be_missing() {
    let talk = Talk::begin(world().start().await).await;
    talk.world.ircd.refuse();
    talk.world.ircd.cut("alice");
    talk.world.homeserver.wait_event(&talk.networks[0], begins("Not connected")).await;
    talk.carol.leave(&talk.room);
    talk.world.ircd.wait_parted("#tea", "carol").await;
    talk.world.ircd.welcome().await;
    talk.alice.send_text(&talk.networks[0], "connect");
    talk.world.homeserver.wait_event(&talk.room, begins("Nothing was seen here from ")).await;
}

/// Nobody else was there.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_into_a_room_that_all_have_left_has_missed_nothing() {
    let talk = Talk::begin(world().start().await).await;
    for (user, nick) in [(&talk.alice, "alice"), (&talk.carol, "carol")] {
        user.leave(&talk.room);
        talk.world.ircd.wait_parted("#tea", nick).await;
        talk.heard(nick).await;
    }
    assert_eq!(talk.alice.join(ALIAS).await, talk.room);
    talk.world.ircd.wait_joined("#tea", "alice").await;
    talk.bob.say("#tea", "all over again");
    talk.world.homeserver.wait_message(&talk.room, "all over again").await;
    talk.world.wait_outbox_empty().await;
    assert_eq!(told(&talk), 0);
}

/// As long as the server does not notice, one hears nothing; who came meanwhile has heard only what was said since.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_while_one_hung_and_before_another_came_may_be_missing() {
    let talk = Talk::begin(world().start().await).await;
    talk.carol.leave(&talk.room);
    talk.world.ircd.wait_parted("#tea", "carol").await;
    talk.heard("carol").await;
    talk.heard("alice").await;
    talk.world.ircd.mute("alice");
    talk.world.clock.advance(Duration::from_secs(20));
    talk.carol.join(ALIAS).await;
    talk.world.ircd.wait_joined("#tea", "carol").await;
    talk.heard("carol").await;
    talk.world.ircd.cut("alice");
    talk.world.homeserver.wait_event(&talk.room, begins("Nothing was seen here from ")).await;
}

/// Before, it was told from when the network had taken them again.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_was_seen_since_the_channel_was_left_though_a_stop_came_before_it_was_entered_again() {
    const HOUR: Duration = Duration::from_hours(1);
    let mut talk = Talk::begin(world().stale_after(24 * HOUR).start().await).await;
    talk.carol.leave(&talk.room);
    talk.world.ircd.wait_parted("#tea", "carol").await;
    talk.heard("alice").await;
    talk.world.ircd.refuse();
    talk.world.ircd.cut("alice");
    talk.world.homeserver.wait_event(&talk.networks[0], begins("Not connected")).await;
    let left = crate::support::clock::now();
    talk.world.clock.advance(HOUR);
    // For now: who was there keeps their place.
    talk.world.ircd.ban_joins("#tea", 437);
    talk.world.ircd.welcome().await;
    talk.alice.send_text(&talk.networks[0], "connect");
    talk.world.homeserver.wait_event(&talk.networks[0], begins("Not in #tea")).await;
    talk.heard("alice").await;
    talk.world.stop_bridge().await;
    talk.world.ircd.allow_joins("#tea");
    talk.world.start_bridge().await;
    let told = talk.world.homeserver.wait_event(&talk.room, begins("Nothing was seen here from ")).await;
    let gap = &told.content["chat.towline.gap"];
    let (from, to) = (gap["from"].as_u64().unwrap(), gap["to"].as_u64().unwrap());
    assert!(from <= left && to >= left + 60 * 60 * 1000, "{left}: {gap}");
}
