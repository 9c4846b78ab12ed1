//! `towline user export` and `delete`, as an administrator uses them.

use clap::Parser as _;
use serde_json::Value;

use crate::rotation::towline as run;
use crate::support::bridge::World;

/// The command's words, without a process.
#[derive(clap::Parser)]
struct Words {
    #[command(flatten)]
    arguments: towline::cli::user::Arguments,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_exported_while_towline_runs_and_deleted_when_it_does_not() {
    let world = World::builder().without_bridge().await;
    let process = world.start_process_with(&[]);
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    alice.send_text(&room, "remember me");
    bob.wait_text("remember me").await;
    let id = "@alice:test.local";

    let (code, said) = run(&world, &["user", "export", id]).await;
    assert_eq!(code, 0, "{said}");
    let read: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    let lines = read["tables"]["history"].as_array().unwrap();
    assert!(lines.iter().any(|line| line["text"] == "remember me"), "{said}");
    let file = world.directory.path().join("alice.json");
    let path = file.to_str().unwrap();
    let (code, said) = run(&world, &["user", "export", id, "--output", path]).await;
    assert!(code == 0 && said.contains("secrets left out"), "{said}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let (code, _) = run(&world, &["user", "export", id, "--output", path]).await;
    assert_eq!(code, 11, "nothing is overwritten");
    let (code, said) = run(&world, &["user", "export", "@nobody:test.local"]).await;
    assert!(code == 2 && said.contains("nothing is stored about @nobody:test.local"), "{said}");

    let (code, said) = run(&world, &["user", "delete", id, "--yes"]).await;
    assert!(code == 16 && said.contains("stop it first"), "{said}");
    assert_eq!(process.stop().await, Some(0));
    let (code, said) = run(&world, &["user", "delete", id]).await;
    assert!(code == 2 && said.contains("give --yes"), "{said}");
    // What SQLite's file holds of it, in use or not.
    let traces = || {
        let words = b"remember me";
        world.database().bytes().map(|bytes| bytes.windows(words.len()).any(|found| found == words))
    };
    assert_ne!(traces(), Some(false));
    let (code, said) = run(&world, &["user", "delete", id, "--yes"]).await;
    assert_eq!(code, 0, "{said}");
    assert_ne!(traces(), Some(true));
    for told in ["history: ", "session: 1", "user: 1", "What stays: "] {
        assert!(said.contains(told), "{told} in {said}");
    }
    let (code, _) = run(&world, &["user", "export", id]).await;
    assert_eq!(code, 2);

    // Nobody connects for who is gone: sessions begin before anybody is listened to.
    let process = world.start_process_with(&[]);
    world.greeted_user("carol").await;
    assert!(world.ircd.nicks().iter().all(|nick| nick != "alice"), "{:?}", world.ircd.nicks());
    assert_eq!(process.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_types_another_id_deletes_nobody() {
    let world = World::builder().without_bridge().await;
    let process = world.start_process_with(&[]);
    world.greeted_user("alice").await;
    assert_eq!(process.stop().await, Some(0));
    let config =
        towline::config::Config::load(&world.directory.path().join("config.yaml"), &|_| None).unwrap();
    let delete = async |answer: &str| {
        let file = config.file.to_str().unwrap();
        let words = ["user", "delete", "@alice:test.local", "--config", file];
        let mut output = Vec::new();
        let arguments = Words::parse_from(words).arguments;
        let mut input = answer.as_bytes();
        towline::cli::user::user(&arguments, &|_| None, &mut input, true, &mut output).await.unwrap();
        String::from_utf8(output).unwrap()
    };
    let said = delete("yes\n").await;
    assert!(
        said.contains("Stored about @alice:test.local:") && said.contains("nothing was deleted"),
        "{said}"
    );
    assert_eq!(world.database().texts(r#"SELECT user_id FROM "user""#).await, ["@alice:test.local"]);
    assert!(delete("@alice:test.local\n").await.contains("Deleted about @alice:test.local:"));
    assert!(world.database().texts(r#"SELECT user_id FROM "user""#).await.is_empty());
}
