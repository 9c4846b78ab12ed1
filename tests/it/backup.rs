//! A database that is saved while people talk, and goes on elsewhere.

use tempfile::TempDir;

use crate::support::bridge::World;
use crate::support::database::TestDatabase;

/// Runs a command of Towline's on the world's configuration; the exit code, standard output and standard error.
async fn run(world: &World, command: &str, more: &[&str]) -> (i32, String, String) {
    let config = world.config_file();
    let mut process = tokio::process::Command::new(env!("CARGO_BIN_EXE_towline"));
    process.env_clear().arg(command).arg("--config").arg(config).args(more);
    let output = process.output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn sqlite() -> TestDatabase {
    TestDatabase::Sqlite(TempDir::with_prefix("towline-db-").unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_goes_on_in_the_same_room_from_a_backup_that_was_made_while_people_talked() {
    let mut world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    let lines = |name: &str| (0..20).map(|number| format!("{name} {number}.")).collect::<Vec<_>>();
    let (before, during) = (lines("before"), lines("during"));
    before.iter().for_each(|line| bob.say("#rust", line));
    world.homeserver.wait_event(&room, |event| event.body().contains(&before[19])).await;
    world.wait_outbox_empty().await;
    during.iter().for_each(|line| bob.say("#rust", line));
    let file = world.directory.path().join("saved");
    let file = file.to_str().unwrap();
    let (code, output, error) = run(&world, "backup", &[file]).await;
    assert_eq!((code, error.as_str()), (0, ""), "{output}");
    assert!(output.contains("rows saved in") && output.contains("towline.key"), "{output}");
    assert_eq!(run(&world, "backup", &[file]).await.0, 11, "it exists");
    alice.send_text(&room, "to be confirmed");
    bob.wait_text("to be confirmed").await;
    world.homeserver.wait_event(&room, |event| event.body().contains(&during[19])).await;
    world.wait_outbox_empty().await;

    // While it runs nothing is written into its database, nor would it be when it is stopped.
    assert_eq!(run(&world, "restore", &[file]).await.0, 16);
    world.stop_bridge().await;
    let (code, _, error) = run(&world, "restore", &[file]).await;
    assert!(code == 15 && error.contains("is not empty"), "{code} {error}");

    world.database = sqlite();
    std::fs::write(world.directory.path().join("half"), &std::fs::read(file).unwrap()[..2_000]).unwrap();
    let half = world.directory.path().join("half");
    let (code, _, error) = run(&world, "restore", &[half.to_str().unwrap()]).await;
    assert!(code == 18 && error.contains("no whole backup"), "{code} {error}");
    let (code, output, error) = run(&world, "restore", &[file]).await;
    assert_eq!((code, error.as_str()), (0, ""), "{output}");
    assert!(output.contains("rows restored into sqlite://"), "{output}");

    let mark = world.ircd.mark();
    world.start_bridge().await;
    world.ircd.wait_line_after(mark, |_, line| line.starts_with("JOIN")).await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "welcome back");
    world.homeserver.wait_message(&room, "welcome back").await;
    alice.send_text(&room, "thank you");
    bob.wait_text("thank you").await;
    // Lines that come together may be one event.
    let shown = world.homeserver.timeline_bodies(&room).join("\n");
    let count = |line: &String| shown.lines().filter(|shown| shown == line).count();
    for line in &before {
        assert_eq!(count(line), 1, "{line} in\n{shown}");
    }
    // What was on its way at that moment is in the backup as it was then.
    for line in &during {
        assert!(count(line) >= 1, "{line} in\n{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_moves_to_another_database_and_the_conversation_goes_on_there() {
    let mut world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    bob.say("#rust", "there is tea");
    world.homeserver.wait_message(&room, "there is tea").await;
    let moved = sqlite();
    let text = std::fs::read_to_string(world.config_file()).unwrap();
    let to = world.directory.path().join("moved.yaml");
    std::fs::write(&to, text.replace(&world.database.url(), &moved.url())).unwrap();
    let to = ["--to", to.to_str().unwrap()];
    assert_eq!(run(&world, "copy", &to).await.0, 16, "it runs");
    world.stop_bridge().await;
    let (code, output, error) = run(&world, "copy", &to).await;
    assert_eq!((code, error.as_str()), (0, ""), "{output}");
    assert!(output.contains("history ") && output.contains("rows copied from"), "{output}");
    assert_eq!(run(&world, "copy", &to).await.0, 15, "it is not empty any more");

    world.database = moved;
    let mark = world.ircd.mark();
    world.start_bridge().await;
    world.ircd.wait_line_after(mark, |_, line| line.starts_with("JOIN")).await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "and cake");
    world.homeserver.wait_message(&room, "and cake").await;
    alice.send_text(&control, "search tea");
    world.homeserver.wait_event(&control, |event| event.body().contains("there is tea")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_as_small_as_it_can_be_after_vacuum_and_keeps_what_it_has() {
    let mut world = World::start().await;
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    for number in 0..300 {
        bob.say("#rust", &format!("{number} {}", "many words ".repeat(30)));
    }
    // Lines that wait together are one event.
    world.homeserver.wait_event(&room, |event| event.body().contains("299 many words")).await;
    // Nobody may take its place while one runs.
    let (code, _, error) = run(&world, "vacuum", &[]).await;
    assert_eq!(code, 16, "{error}");
    alice.send_text(&control, "forget #rust\nyes");
    world.homeserver.wait_event(&control, |event| event.body().contains("Forgotten: ")).await;
    world.stop_bridge().await;

    let (code, said, error) = run(&world, "vacuum", &[]).await;
    assert_eq!(code, 0, "{error}");
    let sizes: Vec<u64> = said.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [before, after] = sizes[..] else { panic!("{said}") };
    // PostgreSQL writes down what is free, and may be larger by that.
    assert!(after > 0 && before > 0, "{said}");
    assert!(after < before || world.database().url().starts_with("postgres"), "{said}");
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "still the same room");
    world.homeserver.wait_message(&room, "still the same room").await;
}
