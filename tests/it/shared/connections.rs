//! How many connections are kept up for people in shared rooms, and for how long.

use serde_json::Value;

use super::*;

/// What somebody writes is not too old for it where the bridge's clock was put forward.
const LONG: Duration = Duration::from_hours(30 * 24);
const SET_ASIDE: &str = "QUIT :Not active for a while; back as soon as they write";

/// Alice in the shared room of #tea, with her control room.
async fn alice_in(world: &World) -> (Person, TestUser, String, String) {
    let bob = world.ircd.person("bob");
    bob.join("#tea");
    let (alice, control, _) = world.greeted_user("alice").await;
    let room = alice.join(ALIAS).await;
    world.ircd.wait_joined("#tea", "alice").await;
    // The channel's modes, and then the fence.
    world.ircd.wait_line(|nick, line| nick == "alice" && line.starts_with("PING :towline")).await;
    settled(world).await;
    (bob, alice, control, room)
}

/// Alice was set aside for carol. Gives alice, her control room, carol and the room.
async fn alice_aside(world: &World) -> (Person, TestUser, String, TestUser, String) {
    let (bob, alice, control, room) = alice_in(world).await;
    world.pass("alice", Duration::from_hours(3)).await;
    let carol = world.homeserver.user("carol");
    carol.join(ALIAS).await;
    world.ircd.wait_line(|nick, line| nick == "alice" && line == SET_ASIDE).await;
    world.ircd.wait_joined("#tea", "carol").await;
    settled(world).await;
    (bob, alice, control, carol, room)
}

/// Waits until all is dealt with that was handed over: what follows a coming is noted by the clock of then.
async fn settled(world: &World) {
    world.homeserver.wait_delivered().await;
    let waiting = "SELECT event_id FROM inbox WHERE state = 'new'";
    world.database.wait("nothing waits", waiting, <[String]>::is_empty).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_active_longest_ago_is_set_aside_for_somebody_else_and_comes_back_when_they_write() {
    let limit = "limits: { shared_connections: 1 }\n";
    // By the server's clock, which is not put forward, what is said would have been said long ago.
    let options = crate::support::ircd::Options::default().without(&["server-time"]);
    let world = world().config(limit).ircd(options).stale_after(LONG).start().await;
    let homeserver = &world.homeserver;
    let (bob, alice, control, room) = alice_in(&world).await;
    let (carol, carols) = world.user_with_control_room("carol").await;
    // Who was active a moment ago stays.
    assert_eq!(carol.join(ALIAS).await, room);
    homeserver.wait_member(&room, carol.id(), "leave").await;
    let told = homeserver.wait_event(&carols, begins("You can't be in the shared room of #tea")).await;
    assert!(
        told.body().contains("FakeNet has as many people in shared rooms as this bridge keeps connected (1)"),
        "{}",
        told.body()
    );
    world.pass("alice", Duration::from_hours(3)).await;
    carol.join(ALIAS).await;
    world.ircd.wait_line(|nick, line| nick == "alice" && line == SET_ASIDE).await;
    world.ircd.wait_joined("#tea", "carol").await;
    settled(&world).await;
    let told = homeserver.wait_event(&control, begins("You are not connected to FakeNet for now")).await;
    assert_eq!(told.content["m.mentions"]["user_ids"], json!([alice.id()]));
    assert!(
        told.body().ends_with("to come back, write in one of them, or type connect fake."),
        "{}",
        told.body()
    );
    // She is there still, and what is said is shown by the other's connection.
    bob.say("#tea", "where is alice?");
    homeserver.wait_message(&room, "where is alice?").await;
    world.pass("carol", Duration::from_hours(3)).await;
    assert!(homeserver.members(&room, "join").contains(&alice.id().to_owned()), "however long that is");
    alice.send_text(&room, "here I am");
    world.ircd.wait_line(|nick, line| nick == "carol" && line == SET_ASIDE).await;
    assert_eq!(bob.wait_text("here I am").await.nick(), "alice");
}

/// Before, `reconnect`, `open` and an administrator's `session` did.
#[rstest]
#[case::connect("alice", "connect fake")]
#[case::reconnect("alice", "reconnect fake")]
#[case::open("alice", "open fake")]
#[case::an_administrators("admin", "session @alice:test.local fake connect")]
#[tokio::test(flavor = "multi_thread")]
async fn no_command_connects_who_was_set_aside_beyond_the_limit(#[case] by: &str, #[case] typed: &str) {
    let limit = "limits: { shared_connections: 1 }\n";
    let world = world().config(limit).stale_after(LONG).start().await;
    let (admin, admins) = world.user_with_control_room("admin").await;
    let (_bob, alice, control, _carol, _room) = alice_aside(&world).await;
    let (who, room) = if by == "alice" { (&alice, &control) } else { (&admin, &admins) };
    who.send_text(room, typed);
    let refused =
        world.homeserver.wait_event(room, begins("FakeNet has as many people in shared rooms")).await;
    assert!(refused.body().contains("keeps connected (1)"), "{}", refused.body());
    let there = world.ircd.nicks();
    assert!(!there.contains(&"alice".to_owned()), "{there:?}");
}

/// Before, they were set aside with it, and nobody brought it to IRC.
#[tokio::test(flavor = "multi_thread")]
async fn whose_words_wait_is_not_set_aside() {
    let limit = "limits: { shared_connections: 1 }\n";
    let world = world().config(limit).stale_after(LONG).start().await;
    let (bob, alice, _control, room) = alice_in(&world).await;
    let (carol, carols) = world.user_with_control_room("carol").await;
    world.lose_connection().await;
    alice.send_text(&room, "wait for me");
    world.homeserver.wait_event(&room, |event| event.body().contains("waits: there is no connection")).await;
    world.clock.advance(Duration::from_hours(3));
    assert_eq!(carol.join(ALIAS).await, room);
    world.homeserver.wait_member(&room, carol.id(), "leave").await;
    world.homeserver.wait_event(&carols, begins("You can't be in the shared room of #tea")).await;
    world.ircd.welcome().await;
    alice.send_text(&room, "it is due");
    assert_eq!(bob.wait_text("wait for me").await.nick(), "alice");
    assert_eq!(bob.wait_text("it is due").await.nick(), "alice");
}

#[rstest]
#[case::who_was_active_stays(0)]
#[case::who_was_not_goes_for_them(3)]
#[tokio::test(flavor = "multi_thread")]
async fn who_is_connected_already_is_not_refused(#[case] hours: u64) {
    let limit = "limits: { shared_connections: 1 }\n";
    let world = world().config(limit).stale_after(LONG).start().await;
    let (_bob, alice, control, room) = alice_in(&world).await;
    let (carol, ..) = world.greeted_user("carol").await;
    world.pass("carol", Duration::ZERO).await;
    world.pass("alice", Duration::from_hours(hours)).await;
    assert_eq!(carol.join(ALIAS).await, room);
    world.ircd.wait_joined("#tea", "carol").await;
    settled(&world).await;
    if hours == 0 {
        alice.send_text(&control, "channels fake");
        world.homeserver.wait_event(&control, |event| event.body().contains("#tea")).await;
        return;
    }
    world.homeserver.wait_event(&control, begins("You are not connected to FakeNet for now")).await;
    world.ircd.wait_gone("alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_set_aside_reads_a_channel_that_is_closed_for_a_quarter_of_an_hour_more() {
    // By the server's clock, which is not put forward, what is said would have been said long ago.
    let options = crate::support::ircd::Options::default().without(&["server-time"]);
    let mut world = world().ircd(options).stale_after(LONG).start().await;
    let (bob, alice, control, room) = alice_in(&world).await;
    let (carol, ..) = world.greeted_user("carol").await;
    carol.join(ALIAS).await;
    world.ircd.wait_joined("#tea", "carol").await;
    settled(&world).await;
    world.pass("alice", Duration::ZERO).await;
    world.pass("carol", Duration::from_hours(3 * 24)).await;
    carol.send_text(&room, "I am here");
    bob.wait_text("I am here").await;
    settled(&world).await;
    world.stop_bridge().await;
    world.add_config("limits: { shared_idle: 2 }\n");
    world.start_bridge().await;
    world.homeserver.wait_event(&control, begins("You are not connected to FakeNet for now")).await;
    world.ircd.wait_joined("#tea", "carol").await;
    bob.say("#tea", "alice reads this");
    world.homeserver.wait_message(&room, "alice reads this").await;
    world.pass("carol", Duration::from_mins(16)).await;
    wake(&world, &alice, &control).await;
    // What was due then is done.
    wake(&world, &alice, &control).await;
    assert!(world.homeserver.members(&room, "join").contains(&alice.id().to_owned()));
    bob.mode("#tea", "+i");
    let is_closed = |rule: &Value| rule["join_rule"] != "public";
    world.homeserver.wait_state(&room, "m.room.join_rules", "", is_closed).await;
    world.pass("carol", Duration::from_mins(16)).await;
    wake(&world, &alice, &control).await;
    world.homeserver.wait_member(&room, alice.id(), "invite").await;
}

/// Before, each time that they were refused they had another quarter of an hour.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_throttled_time_and_again_reads_a_closed_channel_for_a_quarter_of_an_hour_and_no_longer() {
    let options = crate::support::ircd::Options::default().without(&["server-time"]);
    let world = world().ircd(options).stale_after(LONG).start().await;
    let (bob, alice, control, room) = alice_in(&world).await;
    let (carol, ..) = world.greeted_user("carol").await;
    carol.join(ALIAS).await;
    world.ircd.wait_joined("#tea", "carol").await;
    bob.mode("#tea", "+i");
    let is_closed = |rule: &Value| rule["join_rule"] != "public";
    world.homeserver.wait_state(&room, "m.room.join_rules", "", is_closed).await;
    world.ircd.turn_away("Closing Link: (Throttled: Reconnecting too fast)");
    world.ircd.cut("alice");
    for _ in 0..9 {
        world.pass("carol", Duration::from_mins(3)).await;
        // The first makes the session look at the time, and the second comes when it has.
        for _ in 0..2 {
            ask(&world, &alice, &control, "channels fake", "You are not connected to FakeNet").await;
        }
    }
    world.homeserver.wait_member(&room, alice.id(), "invite").await;
}

/// Wakes alice's session, which no server does: it answers, and then does what is due.
async fn wake(world: &World, alice: &TestUser, control: &str) {
    let before = world.homeserver.event_count(control);
    alice.send_text(control, "channels fake");
    let answer = "You are not connected to FakeNet. When you are, you will be in 1 channels.";
    world.homeserver.wait_message_after(control, before, answer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_rooms_of_their_own_is_not_set_aside_for_others() {
    let limit = "limits: { shared_connections: 1 }\n";
    let world = world().config(limit).stale_after(LONG).start().await;
    let (_bob, alice, control, room) = alice_in(&world).await;
    alice.send_text(&control, "join #own");
    world.ircd.wait_joined("#own", "alice").await;
    world.pass("alice", Duration::from_hours(3)).await;
    let (carol, carols) = world.user_with_control_room("carol").await;
    assert_eq!(carol.join(ALIAS).await, room);
    world.homeserver.wait_member(&room, carol.id(), "leave").await;
    world.homeserver.wait_event(&carols, begins("You can't be in the shared room of #tea")).await;
    let there = world.ircd.nicks();
    assert!(there.contains(&"alice".to_owned()) && !there.contains(&"carol".to_owned()), "{there:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_idle_is_set_aside_only_where_the_administrator_wants_that() {
    let mut world = world().stale_after(LONG).start().await;
    let (bob, alice, control, room) = alice_in(&world).await;
    world.pass("alice", Duration::from_hours(3 * 24)).await;
    // At each start is looked.
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_joined("#tea", "alice").await;
    world.stop_bridge().await;
    world.add_config("limits: { shared_idle: 2 }\n");
    world.start_bridge().await;
    let told =
        world.homeserver.wait_event(&control, begins("You are not connected to FakeNet for now")).await;
    assert!(told.body().contains("you did nothing there for 2 days."), "{}", told.body());
    world.ircd.wait_gone("alice").await;
    assert!(world.homeserver.members(&room, "join").contains(&alice.id().to_owned()));
    alice.send_text(&room, "back from my holidays");
    assert_eq!(bob.wait_text("back from my holidays").await.nick(), "alice");
    world.homeserver.wait_delivered().await;
    // Who is active again is left alone at the next start.
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_joined("#tea", "alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn complaint_1268_who_only_reads_keeps_their_connection_where_those_who_do_nothing_are_set_aside() {
    // By the server's clock, which is not put forward, what is said would have been said long ago.
    let options = crate::support::ircd::Options::default().without(&["server-time"]);
    let limit = "limits: { shared_idle: 2 }\n";
    let mut world = world().ircd(options).config(limit).stale_after(LONG).start().await;
    let (bob, alice, _control, room) = alice_in(&world).await;
    let (carol, carols, _) = world.greeted_user("carol").await;
    carol.join(ALIAS).await;
    world.ircd.wait_joined("#tea", "carol").await;
    settled(&world).await;
    let active = "SELECT CAST(value AS TEXT) FROM setting WHERE key = 'active' ORDER BY scope_id";
    for day in 1..=4 {
        world.pass("carol", Duration::ZERO).await;
        world.pass("alice", Duration::from_hours(24)).await;
        let before = world.database().texts(active).await;
        let text = format!("news of day {day}");
        bob.say("#tea", &text);
        let event = world.homeserver.wait_message(&room, &text).await.event_id;
        alice.read(&room, &event);
        world.database().wait("her reading is noted", active, |now| now[0] != before[0]).await;
    }
    // At the start is looked; alice's connection is older.
    world.stop_bridge().await;
    world.start_bridge().await;
    let told = world.homeserver.wait_event(&carols, begins("You are not connected to FakeNet for now")).await;
    assert!(told.body().contains("you did nothing there for 2 days."), "{}", told.body());
    world.ircd.wait_joined("#tea", "alice").await;
    assert!(!world.ircd.lines_from("alice").contains(&SET_ASIDE.to_owned()));
    bob.say("#tea", "is alice here?");
    world.homeserver.wait_message(&room, "is alice here?").await;
    assert!(world.ircd.names("#tea").contains(&"alice".to_owned()));
}
