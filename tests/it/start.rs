//! Starting and stopping: what is waited for, what is refused, and how it is said.

use std::path::Path;
use std::sync::Arc;

use reqwest::Method;
use towline::cli::{self, CliError, Code};
use towline::clock::SystemClock;

use crate::support::bridge::World;
use crate::support::homeserver::{self, LIMIT};

/// Waits until the log holds a text. A file can't be waited for in any other way than to look.
pub(crate) async fn wait_logged(file: &Path, text: &str) -> String {
    let found = tokio::time::timeout(LIMIT, async {
        loop {
            let log = std::fs::read_to_string(file).unwrap_or_default();
            if log.contains(text) {
                return log;
            }
            tokio::task::yield_now().await;
        }
    });
    found
        .await
        .unwrap_or_else(|_| panic!("no {text:?} in\n{}", std::fs::read_to_string(file).unwrap_or_default()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_is_down_at_the_start_is_waited_for() {
    let mut world = World::builder().without_bridge().await;
    world.homeserver.stop();
    world.start_bridge().await;
    world.homeserver.start_again().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    alice.send_text(&control, "status");
    world.homeserver.wait_event(&control, |event| event.body().contains("no network")).await;
    world.stop_bridge().await;
}

/// Before, only `towline check` said so, and nobody came into a room by the new aliases.
#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_does_not_claim_what_the_configuration_wants_is_told_of_at_the_start() {
    let mut world = World::builder().without_bridge().await;
    let process = world.start_process();
    wait_logged(&process.log_file(), "towline is running").await;
    assert_eq!(process.stop().await, Some(0));
    let file = world.directory.path().join("config.yaml");
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_towline"));
    let written = command.args(["registration", "--config"]).arg(&file).output().await.unwrap();
    assert!(written.status.success(), "{written:?}");
    world.add_config("templates: { shared_alias: \"chat_{network}_{channel}\" }\n");
    let process = world.start_process();
    let log = wait_logged(&process.log_file(), "and the configuration differ in").await;
    let line = log.lines().find(|line| line.contains("and the configuration differ in")).unwrap();
    for words in ["namespaces.aliases", "run `towline registration`", "restart the homeserver"] {
        assert!(line.contains(words), "{line}");
    }
    wait_logged(&process.log_file(), "towline is running").await;
    assert_eq!(process.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_waits_for_the_homeserver_it_can_be_stopped() {
    let mut world = World::builder().without_bridge().await;
    world.homeserver.stop();
    world.start_bridge().await;
    tokio::time::timeout(LIMIT, world.stop_bridge()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_homeserver_does_not_know_ends_the_start_with_a_remedy() {
    let mut world = World::builder()
        .homeserver_options(|options| options.as_token = "another".into())
        .without_bridge()
        .await;
    world.start_bridge().await;
    let error = world.wait_bridge_ended().await.unwrap_err();
    assert_eq!(error.code(), Code::TokenRefused);
    assert_eq!(error.code().number(), 13);
    assert!(error.to_string().contains("registration.yaml and restart"), "{error}");
    // And as a process, which ends with that code.
    assert_eq!(world.start_process().wait_ended().await, Some(13));
}

/// A bridge that outlived its test said "was not sent: too many messages wait already" in the crash drill's room about
/// messages that the drill's own had sent: ports, room ids and tokens were those of its own run.
#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_another_run_left_behind_is_refused_where_its_homeserver_was() {
    let mut left = World::builder().without_bridge().await;
    let here = World::builder().without_bridge().await;
    let mut config = left.config();
    config.homeserver.url = here.homeserver.url();
    left.start_bridge_with(config).await;
    let ended = tokio::time::timeout(LIMIT, left.wait_bridge_ended()).await;
    assert_eq!(ended.expect("it ends").unwrap_err().code(), Code::TokenRefused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_homeserver_calls_with_and_that_is_wrong_is_warned_of() {
    let world = World::builder()
        .homeserver_options(|options| options.hs_token = "another".into())
        .without_bridge()
        .await;
    let process = world.start_process();
    let log = wait_logged(&process.log_file(), "can't reach towline").await;
    assert!(log.contains("wrong token"), "{log}");
    // What it says under a wrong token is not taken.
    let alice = world.homeserver.user("alice");
    alice.start_dm(&world.homeserver.bot());
    world.homeserver.wait_requests("POST", "/ping", 1).await;
    assert_eq!(world.homeserver.transactions_done(), 0);
    assert!(world.homeserver.backlog() > 0);
    assert_eq!(process.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_not_there_is_named_in_the_error() {
    if std::env::var("TOWLINE_TEST_DATABASE").is_ok_and(|engine| engine == "postgres") {
        return;
    }
    let world = World::builder().without_bridge().await;
    let mut config = world.config();
    let folder = world.directory.path().join("missing");
    config.database = towline::config::Database::Sqlite { path: folder.join("towline.db") };
    let listener = cli::run::listen(config.appservice.listen).await.unwrap();
    let error =
        cli::run::serve(config, listener, Arc::new(SystemClock), std::future::pending()).await.unwrap_err();
    assert_eq!(error.code(), Code::Database);
    let text = error.to_string();
    assert!(text.contains(folder.to_str().unwrap()) && text.contains("No such file"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_one_database_is_refused_and_the_first_goes_on() {
    let world = World::start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    let config = world.config();
    let listener = cli::run::listen(config.appservice.listen).await.unwrap();
    let error =
        cli::run::serve(config, listener, Arc::new(SystemClock), std::future::pending()).await.unwrap_err();
    assert!(matches!(error, CliError::Locked(_)), "{error}");
    alice.send_text(&control, "status");
    world.homeserver.wait_event(&control, |event| event.body().contains("no network")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_network_is_not_configured_any_more_says_so_and_harms_nothing() {
    let mut world = World::start().await;
    let (alice, control, network) = world.connected_user("alice").await;
    world.stop_bridge().await;
    let mut config = world.config();
    let slug = config.networks.keys().find(|slug| slug.as_str() == "fake").unwrap().clone();
    config.networks.remove(&slug);
    world.start_bridge_with(config).await;
    alice.send_text(&control, "status");
    world
        .homeserver
        .wait_event(&control, |event| event.body().contains("none of this bridge's networks"))
        .await;
    let (before, bot) = (world.homeserver.events(&network).len(), world.homeserver.bot());
    alice.send_text(&network, "join #rust");
    world
        .homeserver
        .wait_event(&network, |event| {
            event.sender == bot && event.body().contains("none of this bridge's networks any more")
        })
        .await;
    assert!(world.homeserver.events(&network).len() > before);
    // With the network in the file again, the session is there again.
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_registered("alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_the_same_rooms_are_used_and_sessions_reconnect_by_themselves() {
    let mut world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (_, _, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "before");
    world.homeserver.wait_message(&room, "before").await;
    let rooms = world.homeserver.rooms();
    for round in 0..3 {
        world.stop_bridge().await;
        world.ircd.wait_gone("alice").await;
        world.start_bridge().await;
        world.ircd.wait_joined("#rust", "alice").await;
        bob.say("#rust", &format!("round {round}"));
        world.homeserver.wait_message(&room, &format!("round {round}")).await;
    }
    assert_eq!(world.homeserver.rooms(), rooms);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_that_a_homeserver_puts_into_the_query_is_logged() {
    let world = World::builder().without_bridge().await;
    let process = world.start_process();
    wait_logged(&process.log_file(), "towline is running").await;
    for (path, token) in
        [("/_matrix/app/v1/ping", "hs-token"), ("/unknown", "hs-token"), ("/ping", "wrong-secret")]
    {
        let url = format!("{}{path}?access_token={token}", world.appservice_url());
        homeserver::client().request(Method::POST, url).body("{}").send().await.unwrap();
    }
    let log_file = process.log_file();
    assert_eq!(process.stop().await, Some(0));
    let log = std::fs::read_to_string(log_file).unwrap();
    for secret in ["hs-token", "as-token", "wrong-secret", "access_token"] {
        assert!(!log.contains(secret), "{secret} in\n{log}");
    }
}

#[tokio::test]
async fn a_database_url_of_another_kind_is_refused() {
    let options = towline::store::StoreOptions {
        url: "mysql://localhost/towline".to_owned().into(),
        key: towline::store::SecretKey::new([7; 32]),
        lock: None,
    };
    let error = towline::store::Store::open(&options).await.err().unwrap().to_string();
    assert!(error.contains("sqlite://"), "{error}");
}
