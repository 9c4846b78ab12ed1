//! `kill -9` of the real binary at chosen places. The long test of every place is another one.

use serde_json::json;

use crate::support::bridge::World;
use crate::support::homeserver::Fault;

const SEND: &str = "/send/m.room.message/";

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_kill_between_storing_and_delivering_loses_and_doubles_nothing() {
    let world = World::builder().without_bridge().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let process = world.start_process();
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "hello");
    world.homeserver.wait_message(&room, "hello").await;
    // The greeting of the network would have the fault that is meant for a line.
    world.wait_outbox_empty().await;

    // The first line is sent and its answer lost; all others wait in the outbox, and what is read is committed with
    // or before the line that IRC hears from alice.
    world.homeserver.lose_echoes();
    world.homeserver.faults().fail("PUT", SEND, Fault::AnswerLost, 1);
    world.homeserver.faults().fail("", "/_matrix/client", Fault::Status(502, json!("")), 10_000);
    for number in 0..20 {
        bob.say("#rust", &format!("line {number}"));
    }
    world.homeserver.wait_message(&room, "line 0").await;
    alice.send_text(&room, "a sign");
    bob.wait_text("a sign").await;
    // A command that was accepted, and perhaps not answered.
    alice.send_text(&control, "status");
    world.homeserver.wait_delivered().await;
    process.kill().await;
    world.ircd.wait_gone("alice").await;

    world.homeserver.forget_transactions();
    world.homeserver.faults().clear();
    let process = world.start_process();
    world.homeserver.wait_message(&room, "line 19").await;
    let lines = |what: &str| -> Vec<String> {
        let said = world.homeserver.timeline_lines(&room).into_iter();
        said.filter(|line| line.starts_with(what)).collect()
    };
    assert_eq!(lines("line "), (0..20).map(|number| format!("line {number}")).collect::<Vec<_>>());
    // IRC has heard it once, and it can be spoken to again.
    world.ircd.wait_joined("#rust", "alice").await;
    alice.send_text(&room, "after");
    bob.wait_text("after").await;
    let heard: Vec<String> = bob.messages("#rust").into_iter().map(|(_, text)| text).collect();
    assert_eq!(heard, ["a sign", "after"]);
    assert_eq!(world.homeserver.rooms_named("#rust (FakeNet)").len(), 1);
    assert_eq!(process.stop().await, Some(0));
}

#[rstest::rstest]
#[case::the_lobby(1)]
#[case::the_channels_room(2)]
#[tokio::test(flavor = "multi_thread")]
async fn invariant_2_a_kill_after_a_room_was_made_makes_no_second_one(#[case] which: usize) {
    let world = World::builder().without_bridge().await;
    let process = world.start_process();
    let (alice, control, _) = world.connected_user("alice").await;
    world.homeserver.faults().fail_each(which, "POST", "/createRoom", Fault::AnswerLost, 1);
    // The lobby is always looked for before it is made.
    world.homeserver.faults().fail_each(2, "GET", "/joined_rooms", Fault::Hang, 1);
    let before = world.homeserver.requests("GET", "/joined_rooms");
    alice.send_text(&control, "join #rust");
    world.homeserver.wait_requests("GET", "/joined_rooms", before + 2).await;
    process.kill().await;
    world.ircd.wait_gone("alice").await;
    world.homeserver.faults().clear();
    let mark = world.ircd.mark();
    let process = world.start_process();
    // The invitation may be the first process's: what the second does shows that it runs.
    world.ircd.wait_line_after(mark, |_, line| line.starts_with("JOIN")).await;
    let room = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&room).await;
    world.ircd.wait_joined("#rust", "alice").await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    bob.say("#rust", "which room is it?");
    world.homeserver.wait_message(&room, "which room is it?").await;
    for name in ["#rust (FakeNet)", "Lobby of FakeNet", "FakeNet"] {
        assert_eq!(world.homeserver.rooms_named(name).len(), 1, "{name}");
    }
    assert_eq!(process.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_what_waits_for_the_network_survives_a_kill_in_a_channel_and_in_a_query() {
    let world = World::builder().without_bridge().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let process = world.start_process();
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    alice.send_text(&control, "query bob");
    let query = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&query).await;
    alice.send_text(&query, "before");
    bob.wait_text("before").await;

    world.ircd.refuse();
    world.ircd.cut("alice");
    let network = world.homeserver.room_named("FakeNet");
    world.homeserver.wait_event(&network, |event| event.body().contains("Not connected")).await;
    let mut last = [String::new(), String::new()];
    let mut say = |from: usize, to: usize| {
        for number in from..to {
            last[0] = alice.send_text(&room, &format!("channel {number}"));
            last[1] = alice.send_text(&query, &format!("query {number}"));
        }
    };
    say(0, 10);
    world.homeserver.wait_delivered().await;
    process.kill().await;
    // The homeserver keeps these.
    say(10, 20);
    let process = world.start_process();
    world.homeserver.wait_delivered().await;
    say(20, 30);
    world.homeserver.wait_delivered().await;
    world.ircd.welcome().await;
    alice.send_text(&control, "connect");
    world.homeserver.wait_receipt(&room, &world.homeserver.bot(), &last[0]).await;
    world.homeserver.wait_receipt(&query, "@irc_fake_bob:test.local", &last[1]).await;
    let heard = |target: &str| -> Vec<String> {
        bob.messages(target).into_iter().map(|(_, text)| text).filter(|text| text != "before").collect()
    };
    let wanted = |what: &str| (0..30).map(|number| format!("{what} {number}")).collect::<Vec<_>>();
    assert_eq!(heard("#rust"), wanted("channel"));
    assert_eq!(heard("bob"), wanted("query"));
    assert_eq!(process.stop().await, Some(0));
}
