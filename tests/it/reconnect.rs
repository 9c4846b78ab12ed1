//! What happens when the network, its server or the bridge itself goes away and comes back.

use std::time::Duration;

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd::{self, Person};

mod failure;
mod hostile;

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

fn answer_to(event_id: &str) -> impl Fn(&Event) -> bool {
    move |event| event.content["m.relates_to"]["m.in_reply_to"]["event_id"] == event_id
}

fn said_by(person: &Person, nick: &str) -> Vec<String> {
    person.messages("#rust").into_iter().filter(|(who, _)| who == nick).map(|(_, text)| text).collect()
}

/// Alice in `#rust` with Bob, and her control room, network room and channel room.
struct Scene {
    world: World,
    alice: TestUser,
    bob: Person,
    control: String,
    network: String,
    room: String,
}

async fn scene() -> Scene {
    scene_in(World::start().await).await
}

async fn scene_in(world: World) -> Scene {
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    Scene { world, alice, bob, control, network, room }
}

fn count(world: &World, room: &str, part: &str) -> usize {
    world.homeserver.timeline_bodies(room).iter().map(|body| body.matches(part).count()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_cut_the_channel_is_entered_again_and_the_room_is_the_same() {
    let Scene { world, alice, bob, network, room, .. } = scene().await;
    bob.say("#rust", "before");
    world.homeserver.wait_message(&room, "before").await;
    world.ircd.cut("alice");
    world.homeserver.wait_event(&network, says("Not connected: ")).await;
    // By itself, after the first step of the backoff.
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "after");
    world.homeserver.wait_message(&room, "after").await;
    alice.send_text(&room, "still here");
    bob.wait_text("still here").await;
    assert_eq!(world.homeserver.rooms_named("#rust (FakeNet)"), [room]);
    assert_eq!(world.homeserver.rooms_named("FakeNet"), [network]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_is_told_once_and_found_when_it_is_back() {
    let Scene { world, alice, control, network, .. } = scene().await;
    world.ircd.refuse();
    world.ircd.cut("alice");
    world.homeserver.wait_event(&network, says("refused the connection")).await;
    for attempt in 1..=3 {
        alice.send_text(&control, "status");
        let told = format!("not connected; I keep trying (127.0.0.1:{}", world.ircd.address().port());
        world.homeserver.wait_event(&control, says(&told)).await;
        assert_eq!(count(&world, &network, "refused the connection"), 1, "attempt {attempt}");
    }
    world.ircd.welcome().await;
    alice.send_text(&control, "connect");
    world.ircd.wait_joined("#rust", "alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_holds_up_nobody() {
    let Scene { world, alice, bob, control, room, .. } = scene().await;
    world.ircd.hang();
    world.ircd.cut("alice");
    world.ircd.wait_connections(2).await;
    alice.send_text(&control, "status");
    world.homeserver.wait_event(&control, says("FakeNet | connecting")).await;
    let event = alice.send_text(&room, "anybody?");
    world.homeserver.wait_event(&room, answer_to(&event)).await;
    alice.send_text(&control, "disconnect");
    world.homeserver.wait_event(&control, says("Disconnected from FakeNet")).await;
    world.ircd.welcome().await;
    alice.send_text(&control, "connect");
    bob.wait_text("anybody?").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_harms_nothing() {
    let Scene { world, bob, room, .. } = scene().await;
    for bytes in [
        &b"\x00\x01\x02\xff\xfe"[..],
        b":",
        b"@",
        b"@;;;= :",
        b":x!y@z",
        b":x!y@z PRIVMSG",
        b":x!y@z PRIVMSG #rust",
        b"999999 alice :x",
        b"353 alice = #rust",
        b"005 alice CASEMAPPING= PREFIX=( CHANMODES=,,,,,, NICKLEN=-1 :x",
        b":alice JOIN",
        b":alice MODE #rust +ov-v",
        b"MODE",
        b"KICK #rust",
        b":bob!b@h KICK #rust alice",
        b"PING",
        b"CAP",
        b"AUTHENTICATE",
        b"433",
        b"470 alice #rust",
    ] {
        world.ircd.garbage("alice", bytes);
    }
    world.ircd.garbage("alice", &vec![b'x'; 100_000]);
    bob.say("#rust", "still there?");
    // One of them was a kick: what is said after it comes to the network room or the channel's.
    world.homeserver.wait_event(&room, says("kicked you")).await;
    assert_eq!(world.ircd.connections(), 1, "the connection stands");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nick_in_use_is_given_another_and_the_room_says_which() {
    let world = World::start().await;
    let _other = world.ircd.person("alice");
    let (alice, control) = world.user_with_control_room("alice").await;
    alice.send_text(&control, "open fake");
    let network = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&network).await;
    world.homeserver.wait_event(&network, says("as alice_, since the server does not give you alice.")).await;
    world.ircd.wait_registered("alice_").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_is_told_once_and_not_hammered_at() {
    let Scene { world, alice, control, network, .. } = scene().await;
    world.ircd.error("alice", "Closing Link: alice (K-Lined: no bouncers)");
    let told = world.homeserver.wait_event(&network, says("no bouncers")).await;
    assert!(told.body().contains("Trying again in 60 minutes"), "{}", told.body());
    alice.send_text(&control, "status");
    world.homeserver.wait_event(&control, says("K-Lined")).await;
    assert_eq!(count(&world, &network, "K-Lined"), 1);
    assert_eq!(world.ircd.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_messages_wait_for_the_network_and_go_in_order_with_one_notice() {
    let Scene { world, alice, bob, control, network, room } = scene().await;
    world.ircd.refuse();
    world.ircd.cut("alice");
    world.homeserver.wait_event(&network, says("Not connected")).await;
    let first = alice.send_text(&room, "n0");
    let notice = world.homeserver.wait_event(&room, answer_to(&first)).await;
    assert!(notice.body().contains("waits: there is no connection"), "{}", notice.body());
    let mut last = String::new();
    for n in 1..30 {
        last = alice.send_text(&room, &format!("n{n}"));
    }
    world.homeserver.wait_delivered().await;
    alice.send_text(&control, "status");
    world.homeserver.wait_event(&control, says("of your messages wait")).await;
    world.ircd.welcome().await;
    alice.send_text(&control, "connect");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &last).await;
    assert_eq!(said_by(&bob, "alice"), (0..30).map(|n| format!("n{n}")).collect::<Vec<_>>());
    assert_eq!(count(&world, &room, "Your message waits"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_messages_that_wait_survive_a_restart_in_their_order() {
    let Scene { mut world, alice, bob, control, network, room } = scene().await;
    world.ircd.refuse();
    world.ircd.cut("alice");
    world.homeserver.wait_event(&network, says("Not connected")).await;
    for n in 0..5 {
        alice.send_text(&room, &format!("n{n}"));
    }
    world.homeserver.wait_event(&room, says("Your message waits")).await;
    world.homeserver.wait_delivered().await;
    world.stop_bridge().await;
    // What comes while nobody is there is kept by the homeserver.
    let last = alice.send_text(&room, "n5");
    world.ircd.welcome().await;
    world.start_bridge().await;
    alice.send_text(&control, "connect");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &last).await;
    assert_eq!(said_by(&bob, "alice"), (0..6).map(|n| format!("n{n}")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_message_without_an_answer_is_asked_about_and_not_sent_again() {
    let Scene { world, alice, bob, control, room, .. } = scene().await;
    world.ircd.half_open("alice");
    let event = alice.send_text(&room, "did you get this?\nand this?");
    world.ircd.wait_line(|_, line| line == "PRIVMSG #rust :and this?").await;
    world.ircd.cut("alice");
    let answer = world.homeserver.wait_event(&room, answer_to(&event)).await;
    assert!(answer.body().contains("may not have arrived"), "{}", answer.body());
    alice.send_text(&control, "connect");
    world.ircd.wait_joined("#rust", "alice").await;
    alice.send_text(&room, "again then");
    bob.wait_text("again then").await;
    assert_eq!(said_by(&bob, "alice"), ["again then"]);
    let sent = world.ircd.lines().into_iter().filter(|one| one.line().contains("did you get this?")).count();
    assert_eq!(sent, 1);
    assert_eq!(count(&world, &room, "may not have arrived"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_message_without_an_answer_is_asked_about_after_a_restart() {
    let Scene { mut world, alice, bob, room, .. } = scene().await;
    world.ircd.half_open("alice");
    let event = alice.send_text(&room, "did you get this?");
    world.ircd.wait_line(|_, line| line == "PRIVMSG #rust :did you get this?").await;
    world.stop_bridge().await;
    world.ircd.cut_all();
    world.start_bridge().await;
    let answer = world.homeserver.wait_event(&room, answer_to(&event)).await;
    assert!(answer.body().contains("may not have arrived"), "{}", answer.body());
    world.ircd.wait_joined("#rust", "alice").await;
    let after = alice.send_text(&room, "again then");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &after).await;
    assert_eq!(said_by(&bob, "alice"), ["again then"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_what_waits_for_flood_control_when_the_connection_breaks_goes_with_the_next() {
    let world = World::builder().flood("{ burst: 3, interval_ms: 100 }").start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let lines: Vec<String> = (0..12).map(|n| format!("line {n}")).collect();
    let events: Vec<String> = lines.iter().map(|line| alice.send_text(&room, line)).collect();
    bob.wait_text("line 2").await;
    world.ircd.cut("alice");
    alice.send_text(&control, "connect");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), events.last().unwrap()).await;
    let heard = said_by(&bob, "alice");
    let mut once = heard.clone();
    once.dedup();
    assert_eq!(heard, once, "a line was sent twice");
    let asked: usize = count(&world, &room, "may not have arrived");
    assert!(heard.len() + asked >= lines.len(), "{heard:?} and {asked} asked about");
    let order: Vec<&String> = lines.iter().filter(|line| heard.contains(line)).collect();
    assert_eq!(heard.iter().collect::<Vec<_>>(), order);
    assert!(asked <= 4, "lines that never left were given up: {asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_more_lines_than_the_queue_holds_wait_in_the_store() {
    let world = World::builder().flood("{ burst: 10, interval_ms: 2 }").start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let texts: Vec<String> =
        (0..80).map(|n| (0..15).map(|line| format!("{n}.{line}")).collect::<Vec<_>>().join("\n")).collect();
    let events: Vec<String> = texts.iter().map(|text| alice.send_text(&room, text)).collect();
    // In steps, since the limit of one wait is short for so many on a busy machine; a receipt may pass over a message.
    for line in ["20.14", "40.14", "60.14"] {
        bob.wait_text(line).await;
    }
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), events.last().unwrap()).await;
    assert_eq!(said_by(&bob, "alice"), texts.join("\n").split('\n').collect::<Vec<_>>());
    assert_eq!(count(&world, &room, "was not sent"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_waits_than_the_queue_holds_and_all_of_it_goes_after_the_rejoin() {
    let Scene { world, alice, bob, control, network, room } = scene().await;
    world.ircd.refuse();
    world.ircd.cut("alice");
    world.homeserver.wait_event(&network, says("Not connected")).await;
    let text = |n: usize| (0..10).map(|line| format!("{n}.{line}")).collect::<Vec<_>>().join("\n");
    let events: Vec<String> = (0..80).map(|n| alice.send_text(&room, &text(n))).collect();
    world.homeserver.wait_delivered().await;
    world.ircd.welcome().await;
    alice.send_text(&control, "connect");
    for line in ["20.9", "40.9", "60.9"] {
        bob.wait_text(line).await;
    }
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &events[79]).await;
    let expected = (0..80).map(text).collect::<Vec<_>>().join("\n");
    assert_eq!(said_by(&bob, "alice").join("\n"), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_waited_too_long_is_given_up_and_said() {
    let Scene { mut world, alice, bob, control, network, room } =
        scene_in(World::builder().stale_after(Duration::from_secs(1)).start().await).await;
    world.ircd.refuse();
    world.ircd.cut("alice");
    world.homeserver.wait_event(&network, says("Not connected")).await;
    let old = alice.send_text(&room, "old news");
    // It is said when its time has come, and not only when the network is back.
    let is_given_up = |event: &Event| answer_to(&old)(event) && event.body().contains("was not sent");
    world.homeserver.wait_event(&room, is_given_up).await;
    // From here on with more patience: a second is short for what is to arrive.
    world.stop_bridge().await;
    world.set_stale_after(None);
    world.start_bridge().await;
    world.ircd.welcome().await;
    alice.send_text(&control, "connect");
    world.ircd.wait_joined("#rust", "alice").await;
    let new = alice.send_text(&room, "news");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &new).await;
    assert_eq!(said_by(&bob, "alice"), ["news"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_a_channel_that_one_has_left_is_answered_at_once() {
    let Scene { world, alice, control, room, .. } = scene().await;
    alice.send_text(&control, "part #rust");
    world.homeserver.wait_event(&room, says("You left the channel")).await;
    let event = alice.send_text(&room, "hello?");
    let answer = world.homeserver.wait_event(&room, answer_to(&event)).await;
    assert!(answer.body().contains("join #rust"), "{}", answer.body());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_rooms_says_quit_and_rejoins() {
    let Scene { mut world, alice, bob, room, .. } = scene().await;
    world.stop_bridge().await;
    bob.wait_heard(|heard| heard.command == "QUIT" && heard.nick() == "alice").await;
    world.ircd.wait_line(|nick, line| nick == "alice" && line.starts_with("QUIT :")).await;
    let meanwhile = alice.send_text(&room, "said while it was away");
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.wait_text("said while it was away").await;
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &meanwhile).await;
    bob.say("#rust", "welcome back");
    world.homeserver.wait_message(&room, "welcome back").await;
    assert_eq!(world.homeserver.rooms_named("#rust (FakeNet)"), [room]);
    assert_eq!(world.homeserver.rooms_named("FakeNet").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_no_line_that_the_server_sent_before_our_quit_is_lost() {
    let Scene { mut world, alice, bob, room, .. } = scene().await;
    let mut last = String::new();
    for n in 0..400 {
        bob.say("#rust", &format!("line {n}"));
        if n == 200 {
            last = alice.send_text(&room, "in the middle");
        }
    }
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "the end");
    world.homeserver.wait_message(&room, "line 399").await;
    world.homeserver.wait_message(&room, "the end").await;
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &last).await;
    let lines = world.homeserver.timeline_lines(&room);
    let lines: Vec<&String> = lines.iter().filter(|line| line.starts_with("line ")).collect();
    assert!(
        lines.iter().copied().eq(&(0..400).map(|n| format!("line {n}")).collect::<Vec<_>>()),
        "{lines:?}"
    );
    assert_eq!(said_by(&bob, "alice"), ["in the middle"]);
    assert_eq!(count(&world, &room, "may not have arrived"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_and_fifty_channels_are_entered_again() {
    let world = World::start().await;
    let (alice, control, _) = world.connected_user("alice").await;
    let names: Vec<String> = (0..150).map(|n| format!("#channel-with-a-rather-long-name-{n}")).collect();
    for some in names.chunks(20) {
        let commands: Vec<String> = some.iter().map(|name| format!("join {name}")).collect();
        alice.send_text(&control, &commands.join("\n"));
    }
    for name in &names {
        world.ircd.wait_joined(name, "alice").await;
    }
    world.ircd.cut("alice");
    world.ircd.wait_gone("alice").await;
    let mark = world.ircd.mark();
    alice.send_text(&control, "connect");
    for name in &names {
        world.ircd.wait_joined(name, "alice").await;
    }
    let joins = world.ircd.lines().into_iter().skip(mark).filter(|one| one.line().starts_with("JOIN "));
    let joins: Vec<_> = joins.collect();
    assert!(joins.len() < 30 && joins.iter().all(|one| one.bytes.len() <= 510), "{} lines", joins.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn ghosts_of_those_who_went_meanwhile_leave_when_the_channel_is_back() {
    let Scene { world, alice, bob, control, network, room } = scene().await;
    let carol = world.ircd.person("carol");
    carol.join("#rust");
    bob.say("#rust", "hello");
    carol.say("#rust", "hello, too");
    world.homeserver.wait_message(&room, "hello, too").await;
    world.ircd.refuse();
    world.ircd.cut("alice");
    world.homeserver.wait_event(&network, says("Not connected")).await;
    bob.quit("gone while nobody looked");
    world.ircd.welcome().await;
    alice.send_text(&control, "connect");
    world.homeserver.wait_member(&room, "@irc_fake_bob:test.local", "leave").await;
    carol.say("#rust", "he went");
    world.homeserver.wait_message(&room, "he went").await;
    world.homeserver.wait_member(&room, "@irc_fake_carol:test.local", "join").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_that_fail_in_turn_are_each_told_once() {
    // Nothing listens on these ports: they are of the range that nobody is given.
    let world = World::builder()
        .raw_network(
            "  dead:\n    name: DeadNet\n    allow_private: true\n    flood: { burst: 100, interval_ms: 0 }\n    \
             servers: [ { host: 127.0.0.1, port: 1, tls: false }, { host: 127.0.0.1, port: 2, tls: false } ]\n",
        )
        .start()
        .await;
    let (alice, control) = world.user_with_control_room("alice").await;
    alice.send_text(&control, "open dead");
    let network = world.homeserver.wait_room_named("DeadNet").await;
    alice.join(&network).await;
    for _ in 0..6 {
        world.homeserver.wait_event(&network, says("127.0.0.1:1 refused")).await;
        alice.send_text(&network, "status");
    }
    world.homeserver.wait_event(&network, says("127.0.0.1:2 refused")).await;
    assert_eq!(count(&world, &network, "Connecting to"), 1);
}

fn with_account() -> ircd::Options {
    ircd::Options {
        accounts: vec![("alice".to_owned(), "s3cret horse".to_owned())],
        ..ircd::Options::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_a_login_is_stored_sealed_redacted_and_used_from_the_next_connection_on() {
    let mut world = World::builder().ircd(with_account()).start().await;
    let (alice, control, network) = world.connected_user("alice").await;
    let typed = alice.send_text(&control, "sasl alice s3cret horse");
    world.homeserver.wait_event(&control, says("you are logged in as alice")).await;
    let redaction = world.homeserver.wait_event(&control, |one| one.redacts.as_ref() == Some(&typed)).await;
    assert_eq!(redaction.sender, world.homeserver.bot());
    assert!(!world.ircd.lines().iter().any(|one| one.line().starts_with("AUTHENTICATE")));
    alice.send_text(&control, "disconnect\nconnect");
    world.homeserver.wait_event(&network, says("Logged in as alice.")).await;
    world.stop_bridge().await;
    if let Some(bytes) = world.database().bytes() {
        for secret in [&b"s3cret"[..], b"horse"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "it is stored in clear");
        }
    }
    let mark = world.ircd.mark();
    world.start_bridge().await;
    world.ircd.wait_line_after(mark, |_, line| line == "AUTHENTICATE PLAIN").await;
    world.ircd.wait_registered("alice").await;
    alice.send_text(&control, "sasl off");
    world.homeserver.wait_event(&control, says("will not be logged in")).await;
    let mark = world.ircd.mark();
    alice.send_text(&control, "disconnect\nconnect");
    world.ircd.wait_line_after(mark, |_, line| line == "CAP END").await;
    let lines: Vec<_> = world.ircd.lines().into_iter().skip(mark).map(|one| one.line()).collect();
    assert!(!lines.iter().any(|line| line.starts_with("AUTHENTICATE")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_enters_no_channel_and_waits_for_the_user() {
    let world = World::builder().ircd(with_account()).start().await;
    let (alice, control, _) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    alice.send_text(&control, "sasl alice wrong\ndisconnect");
    world.ircd.wait_gone("alice").await;
    let mark = world.ircd.mark();
    alice.send_text(&control, "connect");
    let alert = world.homeserver.wait_event(&network, says("I will not try again by myself")).await;
    assert_eq!(alert.content["m.mentions"]["user_ids"][0], alice.id());
    assert_eq!(alert.content["msgtype"], "m.text");
    alice.send_text(&control, "status");
    world.homeserver.wait_event(&control, says("needs you")).await;
    let lines: Vec<_> = world.ircd.lines().into_iter().skip(mark).map(|one| one.line()).collect();
    assert!(!lines.iter().any(|line| line.starts_with("JOIN")), "{lines:?}");
    let connections = world.ircd.connections();
    alice.send_text(&control, "sasl alice s3cret horse\nconnect");
    world.ircd.wait_joined("#rust", "alice").await;
    assert_eq!(world.ircd.connections(), connections + 1, "nothing was tried meanwhile");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_not_offered_is_tried_again_and_told_once() {
    let mut options = with_account();
    options.capabilities.retain(|one| !one.starts_with("sasl"));
    let world = World::builder().ircd(options).start().await;
    let (alice, control, network) = world.connected_user("alice").await;
    alice.send_text(&control, "sasl alice s3cret horse\ndisconnect\nconnect");
    world.homeserver.wait_event(&network, says("offers no login at the moment")).await;
    // It tries again by itself, a few seconds apart: the third attempt shows that the second has failed, too.
    let connections = world.ircd.connections();
    world.ircd.wait_connections(connections + 1).await;
    world.ircd.wait_connections(connections + 2).await;
    alice.send_text(&network, "status");
    world.homeserver.wait_event(&network, says("(the network offers no login")).await;
    assert_eq!(count(&world, &network, "Not connected: the network offers no login"), 1);
    assert_eq!(count(&world, &network, "The login failed"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_did_not_take_is_taken_up_when_it_is_well_again() {
    let Scene { world, alice, bob, control, room, .. } = scene().await;
    if world.database().bytes().is_none() {
        return; // The trigger is SQLite's.
    }
    world
        .database()
        .execute("CREATE TRIGGER broken BEFORE INSERT ON irc_line BEGIN SELECT RAISE(ABORT, 'the disk is gone'); END")
        .await;
    let event = alice.send_text(&room, "keep this");
    world.ircd.wait_gone("alice").await;
    world.homeserver.wait_delivered().await;
    world.database().execute("DROP TRIGGER broken").await;
    alice.send_text(&control, "connect");
    bob.wait_text("keep this").await;
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &event).await;
    assert_eq!(said_by(&bob, "alice"), ["keep this"]);
}
