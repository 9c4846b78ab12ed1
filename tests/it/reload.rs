//! SIGHUP: the configuration is read anew, and nobody is disconnected by it.

use crate::start::wait_logged;
use crate::support::bridge::{BridgeProcess, World};

/// Changes the running process's configuration and has it read.
pub(crate) async fn reload(world: &World, process: &BridgeProcess, change: impl FnOnce(String) -> String) {
    let file = world.directory.path().join("config.yaml");
    let text = change(std::fs::read_to_string(&file).unwrap());
    std::fs::write(&file, text).unwrap();
    process.hang_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_change_changes_and_what_can_not_is_named_and_no_connection_is_lost() {
    let world = World::builder().without_bridge().await;
    let process = world.start_process_with(&[]);
    let log = process.log_file();
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let connections = world.ircd.connections();

    // A file that is wrong changes nothing.
    reload(&world, &process, |text| text.replace("log: { level: debug }", "log: { level: loud }")).await;
    wait_logged(&log, "the configuration stays as it was").await;
    wait_logged(&log, "log.level").await;

    reload(&world, &process, |text| {
        let text = text
            .replace("level: loud", "level: trace")
            .replace("\"@admin:test.local\": admin", "\"@alice:test.local\": admin");
        format!("{text}limits: {{ lines: 2, inbox_body: 8MiB }}\nident: {{ listen: \"127.0.0.1:1113\" }}\n")
    })
    .await;
    wait_logged(&log, "the configuration was read anew").await;
    wait_logged(&log, "limits.inbox_body has changed in the configuration: restart towline").await;
    let said = wait_logged(&log, "ident has changed in the configuration: restart towline").await;
    for section in ["homeserver", "appservice", "database", "networks", "templates", "media", "log.format"] {
        assert!(!said.contains(&format!("{section} has changed")), "{section} in\n{said}");
    }
    alice.send_text(&control, "permissions");
    world.homeserver.wait_event(&control, |event| event.body().contains("@alice:test.local")).await;

    alice.send_text(&control, "limits");
    let limits =
        world.homeserver.wait_event(&control, |event| event.body().contains("sessions_per_user")).await;
    let row = |name: &str| {
        let line = limits.body().lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("lines"), "lines | 2 | the configuration | in the configuration");
    assert_eq!(row("refill"), "refill | 50 | nothing, it is built in | here, at once");
    assert!(!row("inbox_body").contains("8MiB"), "{}", limits.body());
    alice.send_text(&control, "limits lines 9");
    world.homeserver.wait_event(&control, |event| event.body().contains("stands in the configuration")).await;

    alice.send_text(&room, "still here");
    bob.wait_text("still here").await;
    assert_eq!(world.ircd.connections(), connections);
    assert_eq!(process.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_their_permission_in_the_file_is_disconnected_at_once() {
    let world = World::builder().without_bridge().await;
    let process = world.start_process_with(&[]);
    world.greeted_user("alice").await;
    reload(&world, &process, |text| {
        text.replace(
            "\"@admin:test.local\": admin",
            "\"@alice:test.local\": none, \"@admin:test.local\": admin",
        )
    })
    .await;
    world.ircd.wait_gone("alice").await;
    assert_eq!(process.stop().await, Some(0));
}
