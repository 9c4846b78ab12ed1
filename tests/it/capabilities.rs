//! What a connection can do beyond plain IRC: negotiated, changed on the way, and shown to the user.

use std::time::Duration;

use crate::support::bridge::World;
use crate::support::homeserver::Event;
use crate::support::ircd::Options;

fn with(capabilities: &[&str]) -> Options {
    let mut options = Options::with_history();
    options.capabilities.extend(capabilities.iter().map(|&name| name.to_owned()));
    options
}

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_takes_back_and_gives_later_is_followed_on_the_connection() {
    let world = World::builder().ircd(Options::with_history()).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let has = |name: &'static str| move |all: &[String]| all.iter().any(|one| one == name);
    world.ircd.wait_capabilities("alice", has("labeled-response")).await;
    world.ircd.withdraw("batch");
    world.ircd.wait_line(|_, line| line.contains("CAP REQ") && line.contains("-labeled-response")).await;
    world.ircd.wait_capabilities("alice", |all| !has("labeled-response")(all)).await;
    // The server has changed it, and says so: what the session answers behind that, it answers when it has read it.
    world.pass("alice", Duration::ZERO).await;
    let mark = world.ircd.mark();
    let event = alice.send_text(&room, "without a label");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &event).await;
    world.ircd.wait_line_after(mark, |_, line| line == "PRIVMSG #rust :without a label").await;
    world.ircd.offer("batch");
    world.ircd.wait_capabilities("alice", has("labeled-response")).await;
    world.pass("alice", Duration::ZERO).await;
    let mark = world.ircd.mark();
    let event = alice.send_text(&room, "with a label");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &event).await;
    let line = world.ircd.wait_line_after(mark, |_, line| line.ends_with(":with a label")).await;
    assert!(line.line().starts_with("@label="), "{}", line.line());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_many_lines_is_read_whole() {
    let many: Vec<String> = (0..100).map(|n| format!("example.org/capability-{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let world = World::builder().ircd(with(&[&many[..], &["extended-monitor"]].concat())).start().await;
    world.connected_user("alice").await;
    let has =
        |all: &[String]| ["server-time", "extended-monitor"].iter().all(|one| all.contains(&(*one).into()));
    world.ircd.wait_capabilities("alice", has).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_adds_and_removes_capabilities_at_once_and_for_good() {
    let mut world = World::builder().ircd(with(&["draft/x", "setname"])).start().await;
    let (alice, control, network) = world.connected_user("alice").await;
    alice.send_text(&control, "capabilities");
    let shown = world.homeserver.wait_event(&control, says("In force")).await;
    assert!(shown.body().contains("not used: draft/x"), "{}", shown.body());
    alice.send_text(&control, "capabilities +draft/x -setname");
    world.homeserver.wait_message(&control, "Asking FakeNet for the usual, and +draft/x -setname.").await;
    let wanted = |all: &[String]| all.contains(&"draft/x".into()) && !all.contains(&"setname".into());
    world.ircd.wait_capabilities("alice", wanted).await;
    world.stop_bridge().await;
    world.ircd.wait_gone("alice").await;
    let before = world.homeserver.event_count(&network);
    world.start_bridge().await;
    world.homeserver.wait_message_after(&network, before, "Connected to fake.irc as alice.").await;
    world.ircd.wait_capabilities("alice", wanted).await;
    alice.send_text(&control, "capabilities reset");
    world.homeserver.wait_message(&control, "Asking FakeNet for the usual.").await;
    world.ircd.wait_capabilities("alice", |all| !all.contains(&"draft/x".into())).await;
    for (typed, answer) in [
        ("capabilities +sasl", "can't be chosen"),
        ("capabilities -a=b", "no capability's name"),
        ("caps x", "Type it"),
    ] {
        alice.send_text(&control, typed);
        world.homeserver.wait_event(&control, says(answer)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standard_reply_stands_in_the_room_that_it_is_about() {
    let world = World::builder().ircd(with(&["standard-replies"])).start().await;
    let (alice, control, network) = world.connected_user("alice").await;
    alice.send_text(&control, "join #rust");
    let room = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&room).await;
    world.ircd.send_line("alice", "FAIL RENAME CANNOT_RENAME #rust #go :You may not");
    let told = world.homeserver.wait_message(&room, "The server refuses RENAME: You may not").await;
    assert_eq!((told.content["msgtype"].as_str(), told.sender), (Some("m.notice"), world.homeserver.bot()));
    world.ircd.send_line("alice", "NOTE * MAINTENANCE :Down at nine");
    world.homeserver.wait_message(&network, "The server says: Down at nine").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_implicit_names_members_are_known_all_the_same() {
    let world = World::builder().ircd(with(&["draft/no-implicit-names"])).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    world.ircd.wait_line(|nick, line| nick == "alice" && line == "NAMES #rust").await;
    bob.say("#rust", "hello");
    world.homeserver.wait_message(&room, "hello").await;
    // Who is known to be there leaves the room when they leave the channel.
    bob.part("#rust", "");
    world.homeserver.wait_event(&room, |event| event.membership() == "leave").await;
}
