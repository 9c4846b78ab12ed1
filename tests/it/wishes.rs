//! Channels that a user wants to be in: why they are not, and when they are again.

use std::time::Duration;

use crate::support::bridge::World;
use crate::support::homeserver::Event;
use crate::support::ircd;

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_and_status_say_which_keep_the_user_out_and_why() {
    let world = World::start().await;
    world.ircd.ban_joins("#closed", 473);
    let (alice, control, _) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    alice.send_text(&control, "join #closed");
    let told = world.homeserver.wait_event(&network, says("Not in #closed")).await;
    assert!(told.body().contains("I try again when you are invited, or in "), "{}", told.body());
    alice.send_text(&control, "channels");
    let answer = world.homeserver.wait_event(&control, says("#rust: you are in it")).await;
    let line = answer.body().lines().find(|line| line.starts_with("#closed: ")).unwrap().to_owned();
    assert!(line.contains("Cannot join channel (473). I try again when you are invited"), "{line}");
    alice.send_text(&control, "status");
    world.homeserver.wait_event(&control, says("1, kept out of 1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_channel_is_tried_again_and_entered() {
    let world = World::start().await;
    world.ircd.ban_joins("#full", 471);
    let (alice, control, network) = world.connected_user("alice").await;
    alice.send_text(&control, "join #full");
    world.homeserver.wait_event(&network, says("The channel is full. I try again in ")).await;
    world.ircd.allow_joins("#full");
    world.pass("alice", Duration::from_mins(2)).await;
    world.ircd.wait_joined("#full", "alice").await;
    world.homeserver.wait_room_named("#full (FakeNet)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_opens_the_channel_that_was_closed() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#closed");
    bob.mode("#closed", "+i");
    let (alice, control, network) = world.connected_user("alice").await;
    alice.send_text(&control, "join #closed");
    world.homeserver.wait_event(&network, says("Not in #closed")).await;
    bob.raw_line("INVITE alice #closed");
    world.ircd.wait_joined("#closed", "alice").await;
}

/// One was in it, and could say nothing there: "you have left".
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_was_left_is_wanted_again_by_whoever_enters_it() {
    let mut world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    alice.leave(&room);
    world.ircd.wait_parted("#rust", "alice").await;
    alice.send_text(&control, "raw JOIN #rust");
    world.ircd.wait_joined("#rust", "alice").await;
    world.homeserver.wait_member(&room, alice.id(), "invite").await;
    alice.join(&room).await;
    alice.send_text(&room, "back again");
    bob.wait_text("back again").await;
    world.stop_bridge().await;
    world.ircd.wait_parted("#rust", "alice").await;
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
}

/// Each pair of JOIN and PART made a room, without end.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_9_channels_that_one_is_made_to_enter_and_leave_are_bounded() {
    let world = World::builder().config("limits: { channels_per_session: 2 }\n").start().await;
    let (_alice, _, network) = world.connected_user("alice").await;
    for number in 0..25 {
        let lines = format!(":alice!alice@host JOIN #{number}\r\n:alice!alice@host PART #{number}\r\n");
        world.ircd.send_raw("alice", lines.as_bytes());
    }
    let told = |event: &Event| event.body().contains("You are in #24 now, but not here");
    world.homeserver.wait_event(&network, told).await;
    for number in 0..20 {
        world.homeserver.wait_room_named(&format!("#{number} (FakeNet)")).await;
    }
    let rooms =
        (0..25).filter(|number| !world.homeserver.rooms_named(&format!("#{number} (FakeNet)")).is_empty());
    assert_eq!(rooms.count(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_kicked_comes_back_once_after_a_pause() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (_alice, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.kick("#rust", "alice", "off topic");
    world.homeserver.wait_event(&room, says("I go back once, in ")).await;
    assert!(world.ircd.names("#rust").iter().all(|nick| nick != "alice"), "not at once");
    world.pass("alice", Duration::from_mins(2)).await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.kick("#rust", "alice", "I said off topic");
    world.homeserver.wait_event(&room, says("I don't go back by myself")).await;
    let mark = world.ircd.mark();
    world.pass("alice", Duration::from_hours(5)).await;
    assert!(!world.ircd.lines()[mark..].iter().any(|one| one.line().starts_with("JOIN")));
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_a_key_that_is_set_later_opens_the_channel_after_a_restart_and_is_not_in_clear() {
    let mut world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#vault");
    let (_alice, _, room) = world.user_in_channel("alice", "#vault").await;
    bob.mode("#vault", "+k s3same");
    world.homeserver.wait_event(&room, says("bob sets +k (key)")).await;
    world.stop_bridge().await;
    world.ircd.wait_parted("#vault", "alice").await;
    if let Some(bytes) = world.database().bytes() {
        assert!(!bytes.windows(6).any(|window| window == b"s3same"), "the key is stored in clear");
    }
    world.start_bridge().await;
    world.ircd.wait_joined("#vault", "alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_of_ircnet_has_one_room_under_its_full_name() {
    let mut options = ircd::Options::default();
    options.isupport.retain(|token| !token.starts_with("CHANTYPES"));
    options.isupport.push("CHANTYPES=#&!+".into());
    let mut world = World::builder().ircd(options).start().await;
    let (alice, control, _) = world.connected_user("alice").await;
    alice.send_text(&control, "join !tea");
    world.ircd.wait_joined("!FAKE1tea", "alice").await;
    let room = world.homeserver.wait_room_named("!FAKE1tea (FakeNet)").await;
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_joined("!FAKE1tea", "alice").await;
    let bob = world.ircd.person("bob");
    bob.join("!FAKE1tea");
    bob.say("!FAKE1tea", "two lumps");
    world.homeserver.wait_message(&room, "two lumps").await;
    assert!(world.homeserver.rooms_named("!tea (FakeNet)").is_empty());
}

/// Before the network has said how it compares names, a channel was taken for another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_named_before_the_casemapping_is_known_is_the_same() {
    let mut options = ircd::Options::default();
    options.isupport.retain(|token| !token.starts_with("CASEMAPPING"));
    options.isupport.push("CASEMAPPING=ascii".into());
    let mut world = World::builder().ircd(options).start().await;
    let (alice, control, room) = world.user_in_channel("alice", "#c[x]").await;
    world.stop_bridge().await;
    world.ircd.refuse();
    world.start_bridge().await;
    alice.send_text(&control, "join #c[x]");
    world.homeserver.wait_event(&control, says("You will be in #c[x] when")).await;
    world.ircd.welcome().await;
    alice.send_text(&control, "connect");
    world.ircd.wait_joined("#c[x]", "alice").await;
    let bob = world.ircd.person("bob");
    bob.join("#c[x]");
    bob.say("#c[x]", "still here");
    world.homeserver.wait_message(&room, "still here").await;
    assert_eq!(world.homeserver.rooms_named("#c[x] (FakeNet)"), [room]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_channel_that_was_last_talked_in_is_entered_first() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    let (alice, control, _) = world.user_in_channel("alice", "#a").await;
    for channel in ["#b", "#c"] {
        alice.send_text(&control, &format!("join {channel}"));
        world.ircd.wait_joined(channel, "alice").await;
    }
    let room = world.homeserver.wait_room_named("#b (FakeNet)").await;
    bob.join("#b");
    // Its time must be later than that of the joins, which the history keeps, too.
    world.clock.advance(Duration::from_secs(5));
    bob.say("#b", "lively");
    world.homeserver.wait_message(&room, "lively").await;
    let mark = world.ircd.mark();
    alice.send_text(&control, "disconnect\nconnect");
    let joins = world.ircd.wait_line_after(mark, |_, line| line.starts_with("JOIN")).await;
    assert!(joins.line().starts_with("JOIN #b,"), "{}", joins.line());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_operators_are_told_stands_in_the_channels_room_with_a_mark() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    bob.mode("#rust", "+o alice");
    world.homeserver.wait_event(&room, says("+o alice")).await;
    bob.say("@#rust", "between us");
    world.homeserver.wait_event(&room, says("[to @] between us")).await;
    alice.send_text(&control, "msg @#rust aye");
    bob.wait_text("aye").await;
}
