//! Channels and the people in them, between IRC and their rooms.

use rstest::rstest;

use crate::support::bridge::World;
use crate::support::homeserver::Event;

const BOB: &str = "@irc_fake_bob:test.local";

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

fn mentions(event: &Event, user: &str) -> bool {
    event.content["m.mentions"]["user_ids"].as_array().is_some_and(|ids| ids.iter().any(|id| id == user))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_without_its_prefix_is_joined_and_left_again_by_command() {
    let world = World::start().await;
    let (alice, control, _) = world.user_in_channel("alice", "#rust").await;
    alice.send_text(&control, "join tea");
    world.ircd.wait_joined("#tea", "alice").await;
    world.homeserver.wait_room_named("#tea (FakeNet)").await;
    alice.send_text(&control, "part rust see you");
    world.ircd.wait_parted("#rust", "alice").await;
    world.ircd.wait_line(|nick, line| nick == "alice" && line == "PART #rust :see you").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_the_room_leaves_the_channel_for_good() {
    let mut world = World::start().await;
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    alice.leave(&room);
    world.ircd.wait_parted("#rust", "alice").await;
    world.homeserver.wait_delivered().await;
    world.stop_bridge().await;
    world.ircd.wait_gone("alice").await;
    let mark = world.ircd.mark();
    let before = world.homeserver.event_count(&network);
    world.start_bridge().await;
    // Raw lines leave once the session knows that the greeting is over, and joins before them.
    world.homeserver.wait_message_after(&network, before, "Connected to fake.irc as alice.").await;
    alice.send_text(&network, "raw MOTD");
    world.ircd.wait_line_after(mark, |_, line| line == "MOTD").await;
    assert!(!world.ircd.lines_from("alice").iter().skip(mark).any(|line| line.starts_with("JOIN")));
    assert!(world.ircd.names("#rust").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_left_the_room_returns_to_both_by_join() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    alice.leave(&room);
    world.ircd.wait_parted("#rust", "alice").await;
    alice.send_text(&control, "join #rust");
    world.ircd.wait_joined("#rust", "alice").await;
    world.homeserver.wait_member(&room, alice.id(), "invite").await;
    alice.join(&room).await;
    bob.say("#rust", "welcome back");
    world.homeserver.wait_message(&room, "welcome back").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_its_channel_now_and_after_a_restart() {
    let mut world = World::start().await;
    world.ircd.set_key("#vault", "s3same");
    let (alice, control, _) = world.connected_user("alice").await;
    alice.send_text(&control, "join #vault s3same");
    world.ircd.wait_joined("#vault", "alice").await;
    world.stop_bridge().await;
    world.ircd.wait_parted("#vault", "alice").await;
    if let Some(bytes) = world.database().bytes() {
        assert!(!bytes.windows(6).any(|window| window == b"s3same"), "the key is stored in clear");
    }
    world.start_bridge().await;
    world.ircd.wait_joined("#vault", "alice").await;
}

#[rstest]
#[case::full(471, "full")]
#[case::invite_only(473, "invitation")]
#[case::banned(474, "banned")]
#[case::key(475, "KEY")]
#[case::registered_only(477, "sasl")]
#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_fails_is_told_with_its_remedy(#[case] code: u16, #[case] remedy: &str) {
    let world = World::start().await;
    world.ircd.ban_joins("#closed", code);
    let (alice, control, network) = world.connected_user("alice").await;
    alice.send_text(&control, "join #closed");
    let alert = world.homeserver.wait_event(&network, says("Not in #closed")).await;
    assert!(alert.body().contains(remedy), "{}", alert.body());
    assert!(mentions(&alert, alice.id()) && alert.content["msgtype"] == "m.text");
    assert!(world.homeserver.rooms_named("#closed (FakeNet)").is_empty(), "a room nobody can use");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forward_leads_to_the_other_channel_and_says_so() {
    let world = World::start().await;
    world.ircd.forward("#old", "#new");
    let (alice, control, network) = world.connected_user("alice").await;
    alice.send_text(&control, "join #old");
    world.homeserver.wait_event(&network, says("sends you to #new")).await;
    world.ircd.wait_joined("#new", "alice").await;
    world.homeserver.wait_room_named("#new (FakeNet)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kick_is_an_alert_in_the_room_and_join_returns_to_it() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    // Who is in the channel comes into the room in the background.
    world.homeserver.wait_member(&room, BOB, "join").await;
    let members = world.homeserver.members(&room, "join");
    bob.kick("#rust", "alice", "off \u{2}topic\u{2}");
    let alert = world.homeserver.wait_event(&room, says("bob kicked you")).await;
    assert!(alert.body().contains("off topic") && alert.body().contains("join #rust"));
    assert!(mentions(&alert, alice.id()));
    assert_eq!(world.homeserver.members(&room, "join"), members, "the room stays as it is");
    alice.send_text(&control, "join #rust");
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "sorry");
    world.homeserver.wait_message(&room, "sorry").await;
    assert_eq!(world.homeserver.rooms_named("#rust (FakeNet)"), [room]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_shown_once_and_again_only_when_it_changes() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    bob.topic("#rust", "the \u{2}first\u{2}");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let topics = || {
        let events = world.homeserver.events(&room).into_iter();
        let topics = events.filter(|event| event.kind == "m.room.topic" && event.state_key.is_some());
        topics.map(|event| event.content["topic"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    world.homeserver.wait_event(&room, |event| event.content["topic"] == "the first").await;
    bob.topic("#rust", "the second");
    world.homeserver.wait_event(&room, |event| event.content["topic"] == "the second").await;
    world.ircd.cut("alice");
    world.homeserver.wait_delivered().await;
    let control = world.homeserver.wait_room_named("FakeNet").await;
    alice.send_text(&control, "connect");
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "there you are");
    world.homeserver.wait_message(&room, "there you are").await;
    assert_eq!(topics(), ["the first", "the second"]);
    bob.topic("#rust", "");
    world.homeserver.wait_event(&room, |event| event.content["topic"] == "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mode_is_shown_in_the_room() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.mode("#rust", "+v alice");
    let shown = world.homeserver.wait_event(&room, says("bob sets +v alice")).await;
    assert_eq!(shown.content["msgtype"], "m.notice");
}

#[rstest]
#[case::part("PART #rust :bye")]
#[case::quit("QUIT :bye")]
#[case::nick("NICK robert")]
#[tokio::test(flavor = "multi_thread")]
async fn the_ghost_of_one_who_goes_leaves_the_room(#[case] line: &str) {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "hello");
    world.homeserver.wait_member(&room, BOB, "join").await;
    world.homeserver.wait_message(&room, "hello").await;
    bob.raw_line(line);
    world.homeserver.wait_member(&room, BOB, "leave").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ghost_of_one_who_is_kicked_is_kicked_by_the_bot_with_the_reason() {
    let world = World::start().await;
    let (op, bob) = (world.ircd.person("op"), world.ircd.person("bob"));
    op.join("#rust");
    bob.join("#rust");
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "hello");
    world.homeserver.wait_message(&room, "hello").await;
    op.kick("#rust", "bob", "spam");
    let is_kick = |event: &Event| event.state_key.as_deref() == Some(BOB) && event.membership() == "leave";
    let kick = world.homeserver.wait_event(&room, is_kick).await;
    assert_eq!(kick.sender, world.homeserver.bot());
    assert_eq!(kick.content["reason"], "Kicked by op: spam");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_spoke_has_no_ghost_in_the_room_when_they_come_and_go() {
    let world = World::builder().config("settings:\n  members: active\n").start().await;
    let (bob, carol) = (world.ircd.person("bob"), world.ircd.person("carol"));
    carol.join("#rust");
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.join("#rust");
    bob.part("#rust", "bye");
    bob.join("#rust");
    bob.nick("robert");
    bob.quit("gone");
    carol.say("#rust", "quiet here");
    world.homeserver.wait_message(&room, "quiet here").await;
    let is_about = |event: &Event| event.state_key.as_deref().is_some_and(|key| key.contains("_bob"));
    assert!(!world.homeserver.events(&room).iter().any(is_about));
    assert!(!world.homeserver.is_registered(BOB));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_that_left_comes_back_when_it_speaks() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    for round in 0..3 {
        bob.say("#rust", &format!("round {round}"));
        world.homeserver.wait_message(&room, &format!("round {round}")).await;
        bob.part("#rust", "later");
        world.homeserver.wait_member(&room, BOB, "leave").await;
        bob.join("#rust");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_4_equal_nicks_under_rfc1459_are_one_ghost() {
    let world = World::start().await;
    let first = world.ircd.person("a[b]");
    first.join("#rust");
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    first.say("#rust", "one");
    let one = world.homeserver.wait_message(&room, "one").await;
    first.nick("A{B}");
    first.say("#rust", "two");
    let two = world.homeserver.wait_message(&room, "two").await;
    assert_eq!(one.sender, two.sender);
    first.quit("bye");
    world.homeserver.wait_member(&room, &one.sender, "leave").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_in_a_channel_have_two_rooms_and_the_same_ghosts() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, hers) = world.user_in_channel("alice", "#rust").await;
    let (_, _, his) = world.user_in_channel("dave", "#rust").await;
    assert_ne!(hers, his);
    bob.say("#rust", "hello both");
    let one = world.homeserver.wait_message(&hers, "hello both").await;
    let other = world.homeserver.wait_message(&his, "hello both").await;
    assert_eq!(one.sender, other.sender);
    alice.send_text(&hers, "hello dave");
    assert_eq!(world.homeserver.wait_message(&his, "hello dave").await.sender, "@irc_fake_alice:test.local");
    assert_eq!(bob.messages("#rust"), [("alice".to_owned(), "hello dave".to_owned())]);
    assert_eq!(
        world.homeserver.members(&his, "join"),
        ["@dave:test.local", "@irc_fake_alice:test.local", BOB, "@towline:test.local",]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_the_server_names_in_vain_makes_no_room() {
    let world = World::start().await;
    let (alice, control, network) = world.connected_user("alice").await;
    world.ircd.send_raw("alice", b":mallory!m@h PRIVMSG #elsewhere :psst\r\n");
    alice.send_text(&control, "raw PING :after");
    world.homeserver.wait_event(&network, says("psst")).await;
    assert!(world.homeserver.rooms_named("#elsewhere (FakeNet)").is_empty());
}

/// The ghosts of whoever spoke without being in the channel stayed for ever, and so did what is kept of each.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_9_ghosts_of_those_who_are_not_in_the_channel_are_bounded() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (_alice, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "quite a crowd");
    let crowd = |numbers: std::ops::RangeInclusive<u32>| {
        let lines = numbers.map(|n| format!(":passer{n}!p@relay PRIVMSG #rust :hello {n}\r\n"));
        world.ircd.send_raw("alice", lines.collect::<String>().as_bytes());
    };
    crowd(1..=1_000);
    // Each of them is some requests: a slow machine has its time for every hundred.
    for n in (100..=1_000).step_by(100) {
        world.homeserver.wait_event(&room, says(&format!("hello {n}"))).await;
    }
    crowd(1_001..=1_001);
    world.homeserver.wait_member(&room, "@irc_fake_passer1:test.local", "leave").await;
    let there = world.homeserver.members(&room, "join");
    for stays in [BOB, "@irc_fake_passer2:test.local", "@irc_fake_passer1000:test.local"] {
        assert!(there.contains(&stays.to_owned()), "{stays}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_too_long_is_told() {
    let world = World::start().await;
    let (_alice, _, network) = world.connected_user("alice").await;
    let line = format!(":bob!b@h PRIVMSG alice :{}\r\nPING :next\r\n", "x".repeat(20_000));
    world.ircd.send_raw("alice", line.as_bytes());
    world.homeserver.wait_event(&network, says("The server sent 1 line too long or without a command")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_right_after_a_part_ends_in_the_channel() {
    let world = World::start().await;
    let (alice, control, _) = world.user_in_channel("alice", "#rust").await;
    let mark = world.ircd.mark();
    alice.send_text(&control, "part #rust\njoin #rust");
    world.ircd.wait_line_after(mark, |_, line| line.starts_with("PART #rust")).await;
    world.ircd.wait_joined("#rust", "alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_stays_closed_alerts_once_and_again_only_when_asked_for() {
    let world = World::start().await;
    world.ircd.ban_joins("#closed", 474);
    let (alice, control, network) = world.connected_user("alice").await;
    let news = || {
        let events = world.homeserver.events(&network).into_iter();
        let news = events.filter(|event| event.body().contains("Not in #closed"));
        news.map(|event| mentions(&event, alice.id())).collect::<Vec<_>>()
    };
    alice.send_text(&control, "join #closed");
    world.homeserver.wait_event(&network, says("Not in #closed")).await;
    world.ircd.cut("alice");
    world.homeserver.wait_event(&network, says("Not connected")).await;
    alice.send_text(&control, "connect");
    let is_second =
        |event: &Event| event.content["msgtype"] == "m.notice" && event.body().contains("Not in #closed");
    world.homeserver.wait_event(&network, is_second).await;
    assert_eq!(news(), [true, false]);
    alice.send_text(&control, "join #closed\nraw PING :behind-it");
    world.ircd.wait_line(|_, line| line == "PING :behind-it").await;
    world.ircd.send_raw("alice", b":fake.irc NOTICE alice :and that was all\r\n");
    world.homeserver.wait_event(&network, says("and that was all")).await;
    assert_eq!(news(), [true, false, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_that_was_told_rings_nobody_again() {
    let world = World::start().await;
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    let invite = |channel: &str| {
        world.ircd.send_raw("alice", format!(":bob!b@h INVITE alice :{channel}\r\n").as_bytes());
    };
    let told = |kind: &'static str| {
        move |event: &Event| event.content["msgtype"] == kind && says("invites you to #closed")(event)
    };
    invite("#closed");
    world.homeserver.wait_event(&network, told("m.text")).await;
    invite("#closed");
    world.homeserver.wait_event(&network, told("m.notice")).await;
    // Where the user is, there is nothing to be done.
    invite("#rust");
    let told = world.homeserver.wait_event(&room, says("bob invited you to the channel.")).await;
    assert_eq!(told.content["msgtype"], "m.notice");
}
