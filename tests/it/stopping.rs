//! How the bridge stops and comes back.

use towline::cli::CliError;

use crate::store::Raw;
use crate::support::bridge::World;
use crate::support::homeserver::LIMIT;

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_what_irc_said_before_it_took_the_quit_arrives() {
    let mut world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    let said: Vec<String> = (1..=200).map(|number| format!("line {number}")).collect();
    said.iter().for_each(|line| bob.say("#rust", line));
    world.stop_bridge().await;
    world.ircd.wait_gone("alice").await;
    bob.say("#rust", "nobody of us hears this");
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "the end");
    world.homeserver.wait_message(&room, "the end").await;
    let lines = world.homeserver.timeline_lines(&room);
    let heard: Vec<&String> = lines.iter().filter(|line| line.starts_with("line")).collect();
    assert_eq!(heard, said.iter().collect::<Vec<_>>());
    assert!(!lines.iter().any(|line| line.starts_with("nobody")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_the_server_took_before_the_quit_is_not_called_uncertain() {
    let mut world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    for number in 1..=20 {
        alice.send_text(&room, &format!("line {number}"));
    }
    bob.wait_text("line 1").await;
    world.stop_bridge().await;
    world.start_bridge().await;
    bob.wait_text("line 20").await;
    alice.send_text(&room, "the end");
    bob.wait_text("the end").await;
    let said = bob.messages("#rust").into_iter().filter(|(_, text)| text.starts_with("line")).count();
    assert_eq!(said, 20, "each once: {:?}", bob.messages("#rust"));
    let told = world.homeserver.timeline_bodies(&room);
    assert!(!told.iter().any(|body| body.contains("may not have arrived")), "{told:?}");
}

/// Before, it waited for the database that it had lost, with its sessions connected, while another had the lock.
#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_has_lost_its_lock_ends_although_the_database_answers_nothing() {
    let mut world = World::start().await;
    if world.database().bytes().is_some() {
        // SQLite's file lock can't be lost.
        return;
    }
    let (alice, control, _) = world.connected_user("alice").await;
    world.wait_outbox_empty().await;
    let (mut holding, mut raw) = (Raw::new(&world.database).await, Raw::new(&world.database).await);
    holding.execute("BEGIN; LOCK TABLE inbox, outbox, session, history IN ACCESS EXCLUSIVE MODE").await;
    // A write that never ends.
    alice.send_text(&control, "networks");
    raw.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'towline-lock'",
    )
    .await;
    let ended = tokio::time::timeout(LIMIT, world.wait_bridge_ended()).await.expect("it ends");
    assert!(matches!(ended, Err(CliError::Database(_))), "{ended:?}");
    world.ircd.wait_gone("alice").await;
}
