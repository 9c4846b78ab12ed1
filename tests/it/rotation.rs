//! The key and the registration's tokens are changed while people talk, and nothing is lost.

use std::time::Duration;

use assert_cmd::Command;

use crate::reload::reload;
use crate::start::wait_logged;
use crate::support::bridge::World;
use crate::support::homeserver;

/// Runs a command with the world's configuration: the exit code, and all that it said.
pub(crate) async fn towline(world: &World, words: &[&str]) -> (i32, String) {
    let file = world.directory.path().join("config.yaml");
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    tokio::task::spawn_blocking(move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_towline"));
        let output = command.args(words).arg("--config").arg(file).env_clear().output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_taken_up_while_people_talk_and_the_old_one_goes_when_nothing_needs_it() {
    let world = World::builder().without_bridge().await;
    let process = world.start_process_with(&[]);
    let log = process.log_file();
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.room_named("FakeNet");
    alice.send_text(&network, "autocmd add umode +w");
    world
        .database
        .wait("it is stored", "SELECT key FROM setting", |keys| keys.contains(&"autocmd".into()))
        .await;

    let (code, said) = towline(&world, &["key", "rotate"]).await;
    assert!(code == 0 && said.contains("towline key retire"), "{said}");
    let (code, said) = towline(&world, &["key", "rotate"]).await;
    assert!(code == 2 && said.contains("the last change is not finished"), "{said}");
    let (code, said) = towline(&world, &["key", "retire"]).await;
    assert!(code == 15 && said.contains("sealed with the old key still"), "{said}");
    alice.send_text(&room, "before");
    bob.wait_text("before").await;
    process.hang_up().await;
    alice.send_text(&room, "meanwhile");
    bob.say("#rust", "meanwhile, too");
    wait_logged(&log, "all is sealed with the new key").await;
    bob.wait_text("meanwhile").await;
    world.homeserver.wait_event(&room, |event| event.body() == "meanwhile, too").await;
    let (code, said) = towline(&world, &["key", "retire"]).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = towline(&world, &["key", "retire"]).await;
    assert!(code == 0 && said.contains("there is nothing to do"), "{said}");
    // The running bridge hears that, too.
    process.hang_up().await;
    wait_logged(&log, "the key file was read anew").await;
    assert_eq!(process.stop().await, Some(0));

    let mark = world.ircd.mark();
    let process = world.start_process_with(&[]);
    let kept = |_: &str, line: &str| line == "MODE alice +w";
    world.ircd.wait_line_after(mark, kept).await;
    alice.send_text(&room, "after");
    bob.wait_text("after").await;
    assert_eq!(process.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_file_that_belongs_to_another_database_changes_nothing() {
    let world = World::builder().without_bridge().await;
    let process = world.start_process_with(&[]);
    let log = process.log_file();
    world.greeted_user("alice").await;
    let file = world.directory.path().join("towline.key");
    std::fs::write(&file, towline::config::secret::key_line(&[9; 32])).unwrap();
    process.hang_up().await;
    wait_logged(&log, "the key stays as it was: secret_key_file is not the key").await;
    std::fs::write(&file, "nothing").unwrap();
    process.hang_up().await;
    wait_logged(&log, "the key stays as it was: the key file").await;
    world.greeted_user("carol").await;
    assert_eq!(process.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn new_tokens_are_taken_up_while_people_talk_and_the_old_ones_go_when_the_homeserver_has_the_new() {
    let world = World::builder().without_bridge().await;
    let process = world.start_process_with(&[]);
    let log = process.log_file();
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let (old, theirs) = (world.homeserver.as_token(), world.homeserver.hs_token());
    let connections = world.ircd.connections();
    let both_ways = async |text: &str| {
        alice.send_text(&room, &format!("from alice, {text}"));
        bob.say("#rust", &format!("from bob, {text}"));
        bob.wait_text(&format!("from alice, {text}")).await;
        let heard = format!("from bob, {text}");
        world.homeserver.wait_event(&room, |event| event.body() == heard).await;
    };
    both_ways("with the old tokens").await;
    reload(&world, &process, |text| text.replace(&old, "new-as-token").replace(&theirs, "new-hs-token"))
        .await;
    let said = wait_logged(&log, "the configuration was read anew").await;
    assert!(!said.contains("appservice has changed"), "{said}");
    both_ways("while only Towline knows the new ones").await;
    world.homeserver.set_tokens("new-as-token", "new-hs-token");
    both_ways("with the new tokens").await;
    wait_logged(&log, "the homeserver takes the other as_token").await;
    let said = wait_logged(&log, "the homeserver has the new hs_token").await;
    for token in [&old, &theirs] {
        assert!(!said.contains(token.as_str()), "no token is logged");
    }
    let ping = format!("{}/_matrix/app/v1/ping", world.appservice_url());
    let call = homeserver::client().post(ping).bearer_auth(&theirs).timeout(Duration::from_secs(30));
    assert_eq!(call.send().await.unwrap().status(), 403);
    assert_eq!(world.ircd.connections(), connections);
    assert_eq!(process.stop().await, Some(0));
}

/// Whoever gives the homeserver the new registration first makes people wait, and loses nothing.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_what_is_said_while_only_the_homeserver_knows_the_new_tokens_waits() {
    let world = World::builder().without_bridge().await;
    let process = world.start_process_with(&[]);
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (_alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let (old, theirs) = (world.homeserver.as_token(), world.homeserver.hs_token());
    world.homeserver.set_tokens("new-as-token", "new-hs-token");
    bob.say("#rust", "waits");
    wait_logged(&process.log_file(), "M_UNKNOWN_TOKEN").await;
    reload(&world, &process, |text| text.replace(&old, "new-as-token").replace(&theirs, "new-hs-token"))
        .await;
    world.homeserver.wait_event(&room, |event| event.body() == "waits").await;
    assert_eq!(process.stop().await, Some(0));
}
