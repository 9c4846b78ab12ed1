//! SIGHUP: the configuration is read anew, and nobody is disconnected by it.

use std::fmt::Write as _;

use rstest::rstest;

use crate::commands::{ask, squeezed};
use crate::start::wait_logged;
use crate::support::bridge::{BridgeProcess, World};
use crate::support::homeserver::{Event, LIMIT, TestUser};
use crate::support::ports::free_port;

/// Changes the running process's configuration and has it read.
pub(crate) async fn reload(world: &World, process: &BridgeProcess, change: impl FnOnce(String) -> String) {
    let file = world.directory.path().join("config.yaml");
    let text = change(std::fs::read_to_string(&file).unwrap());
    std::fs::write(&file, text).unwrap();
    process.hang_up().await;
}

/// As [`reload`], and waits until it is done for the so-manieth time.
async fn reloaded(
    world: &World,
    process: &BridgeProcess,
    times: usize,
    change: impl FnOnce(String) -> String,
) {
    reload(world, process, change).await;
    logged(process, "the configuration was read anew", times).await;
}

/// Waits until the log has this so many times.
pub(crate) async fn logged(process: &BridgeProcess, text: &str, times: usize) {
    let file = process.log_file();
    let log = || std::fs::read_to_string(&file).unwrap_or_default();
    let done = tokio::time::timeout(LIMIT, async {
        while log().matches(text).count() < times {
            tokio::task::yield_now().await;
        }
    });
    assert!(done.await.is_ok(), "not {times} times in\n{}", log());
}

/// A network of the file, at a port of this machine.
fn network(slug: &str, port: u16) -> String {
    format!(
        "  {slug}:\n    allow_private: true\n    flood: {{ burst: 100, interval_ms: 0 }}\n    \
         connections: {{ parallel: 1000, interval: 0 }}\n    \
         servers: [ {{ host: 127.0.0.1, port: {port}, tls: false }} ]\n"
    )
}

/// The file without a network.
fn without(text: &str, slug: &str) -> String {
    let begins = text.find(&format!("  {slug}:\n")).expect("it stands there");
    let behind = &text[begins + 2..];
    let is_next = |(at, line): &(usize, &str)| *at > 0 && !line.starts_with("    ");
    let starts = behind.match_indices('\n').map(|(at, _)| (at + 1, &behind[at + 1..]));
    let ends = starts.filter(|(_, rest)| !rest.is_empty()).find(is_next).map_or(behind.len(), |(at, _)| at);
    format!("{}{}", &text[..begins], &behind[ends..])
}

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

/// Somebody who has opened a network and is on it: the user, their control room and the network's room.
async fn on_network(world: &World, name: &str, network: &str) -> (TestUser, String, String) {
    let (user, control) = world.user_with_control_room(name).await;
    user.send_text(&control, &format!("open {network}"));
    let room = user.join(&world.homeserver.wait_invite(user.id()).await).await;
    world.ircd.wait_registered(name).await;
    world.homeserver.wait_event(&room, says("Connected to")).await;
    (user, control, room)
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
    for section in
        ["homeserver", "appservice", "database", "networks", "settings", "templates", "media", "log.format"]
    {
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

#[tokio::test(flavor = "multi_thread")]
async fn networks_come_and_go_with_the_file_and_who_is_on_another_one_stays_connected() {
    let world = World::builder().network("town", "Town").without_bridge().await;
    let process = world.start_process_with(&[]);
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let (carol, carols, town) = on_network(&world, "carol", "town").await;
    let connections = world.ircd.connections();

    let hill = network("hill", world.ircd.address().port());
    let mut section = String::new();
    reloaded(&world, &process, 1, |text| {
        let rest = without(&text, "town");
        section = text.replace(&rest[rest.find("  fake:").unwrap()..], "");
        rest.replace("networks:\n", &format!("networks:\n{hill}"))
    })
    .await;
    world.ircd.wait_gone("carol").await;
    let told =
        "town does not stand in this bridge's configuration any more, and you are no longer connected to it.";
    let told = world.homeserver.wait_event(&carols, says(told)).await;
    assert_eq!(told.content["msgtype"], "m.text", "it reaches them");
    assert!(ask(&world, &carol, &carols, "open town").await.starts_with("There is no network town here."));
    carol.send_text(&town, "join #rust");
    world.homeserver.wait_event(&town, says("town is none of this bridge's networks any more")).await;
    let list = squeezed(&ask(&world, &alice, &control, "network").await);
    assert!(list.contains("hill: name hill, comes from the configuration"), "{list}");
    assert!(!list.contains("town:"), "{list}");
    let (dave, _, daves) = on_network(&world, "dave", "hill").await;

    // What was there before is there again, with its room; and nobody else has noticed anything.
    let port = world.ircd.address().port();
    reloaded(&world, &process, 2, |text| {
        text.replace("networks:\n", &format!("networks:\n{}", network("town", port)))
    })
    .await;
    world.ircd.wait_registered("carol").await;
    assert_eq!(world.homeserver.rooms_named("Town"), [town]);
    dave.send_text(&daves, "join #rust");
    world.ircd.wait_joined("#rust", "dave").await;
    alice.send_text(&room, "still here");
    bob.wait_text("still here").await;
    assert_eq!(world.ircd.connections(), connections + 2, "dave's, and carol's second");
    let log = wait_logged(&process.log_file(), "removed by the configuration").await;
    assert!(!log.contains("networks has changed in the configuration"), "that needs no restart\n{log}");
    assert_eq!(process.stop().await, Some(0));
}

/// Before, the first that failed kept the others from it, and no later reload made up for that.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_fail_to_start_at_a_reload_are_all_tried_again() {
    let world = World::builder().network("town", "Town").without_bridge().await;
    let process = world.start_process_with(&[]);
    for name in ["alice", "carol"] {
        on_network(&world, name, "town").await;
    }
    let mut with_town = String::new();
    reloaded(&world, &process, 1, |text| {
        let rest = without(&text, "town");
        with_town = text;
        rest
    })
    .await;
    for name in ["alice", "carol"] {
        world.ircd.wait_gone(name).await;
    }
    world.database().execute("ALTER TABLE buffer RENAME TO buffer_away").await;
    reload(&world, &process, |_| with_town).await;
    logged(&process, "a session could not be started; it is tried again", 2).await;
    world.database().execute("ALTER TABLE buffer_away RENAME TO buffer").await;
    for name in ["alice", "carol"] {
        world.ircd.wait_registered(name).await;
    }
    assert_eq!(process.stop().await, Some(0));
}

/// Before, each was waited for before the next was told to end: with so many it took longer than anybody waits here.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_a_reload_ends_are_waited_for_together() {
    let world = World::builder().without_bridge().await;
    let process = world.start_process_with(&[]);
    let mut out = String::new();
    for number in 0..12 {
        let name = format!("user{number}");
        world.connected_user(&name).await;
        // Its server does not answer that it leaves.
        world.ircd.half_open(&name);
        write!(out, "\"@{name}:test.local\": none, ").unwrap();
    }
    let admin = "\"@admin:test.local\": admin";
    reloaded(&world, &process, 1, |text| text.replace(admin, &format!("{out}{admin}"))).await;
    assert_eq!(process.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_servers_in_the_file_are_tried_at_once_by_who_waits_and_end_no_connection() {
    let (first, second) = (free_port(), free_port());
    let world = World::builder().raw_network(&network("town", first)).without_bridge().await;
    let process = world.start_process_with(&[]);
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let (carol, carols) = world.user_with_control_room("carol").await;
    carol.send_text(&carols, "open town");
    let town = carol.join(&world.homeserver.wait_invite(carol.id()).await).await;
    world.homeserver.wait_event(&town, says("refused the connection")).await;
    let connections = world.ircd.connections();

    let live = world.ircd.address().port();
    reloaded(&world, &process, 1, |text| {
        let text = text.replace(&format!("port: {live},"), &format!("port: {second},"));
        text.replace(&format!("port: {first},"), &format!("port: {live},"))
    })
    .await;
    // Nobody had to say so.
    world.ircd.wait_registered("carol").await;
    let list = squeezed(&ask(&world, &alice, &control, "network").await);
    assert!(list.contains(&format!("servers 127.0.0.1:{second} (no TLS)")), "{list}");
    alice.send_text(&room, "still here");
    bob.wait_text("still here").await;
    assert_eq!(world.ircd.connections(), connections + 1, "carol's");
    // From the next connection on it holds for alice, too.
    let network = world.homeserver.room_named("FakeNet");
    alice.send_text(&network, "disconnect");
    world.ircd.wait_gone("alice").await;
    alice.send_text(&network, "connect");
    world.homeserver.wait_event(&network, says(&format!("Connecting to 127.0.0.1:{second}"))).await;
    assert_eq!(process.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_a_mistake_in_one_network_changes_none_and_the_log_says_where_it_is() {
    let world = World::builder().network("town", "Town").without_bridge().await;
    let process = world.start_process_with(&[]);
    let (carol, control, _) = on_network(&world, "carol", "town").await;
    let connections = world.ircd.connections();
    let broken = "  hill:\n    name: Hill\n";
    let mut right = String::new();
    reload(&world, &process, |text| {
        right.clone_from(&text);
        without(&text, "town").replace("networks:\n", &format!("networks:\n{broken}"))
    })
    .await;
    wait_logged(&process.log_file(), "the configuration stays as it was").await;
    wait_logged(&process.log_file(), "networks.hill.servers").await;
    assert!(ask(&world, &carol, &control, "networks").await.contains("open town"));
    assert_eq!((world.ircd.connections(), world.ircd.nicks()), (connections, vec!["carol".to_owned()]));
    // Once it is mended, what it says holds.
    let hill = network("hill", world.ircd.address().port());
    reloaded(&world, &process, 1, |_| right.replace("networks:\n", &format!("networks:\n{hill}"))).await;
    let list = ask(&world, &carol, &control, "networks").await;
    assert!(list.contains("open town") && list.contains("open hill"), "{list}");
    assert_eq!(world.ircd.connections(), connections);
    assert_eq!(process.stop().await, Some(0));
}

/// Before, the networks changed and the templates did not: no shared room was found any more, or another network's was.
#[rstest]
#[case::one_more("irc_{network}_{channel}", true)]
#[case::another("irc_{channel}", false)]
#[tokio::test(flavor = "multi_thread")]
async fn networks_that_aliases_could_not_tell_apart_wait_for_a_restart_as_the_templates_do(
    #[case] template: &str,
    #[case] stays: bool,
) {
    let config = "presets: false\ntemplates: { shared_alias: \"irc_{channel}\" }\n";
    let world = World::builder().config(config).without_bridge().await;
    let process = world.start_process_with(&[]);
    let (alice, control, _) = world.greeted_user("alice").await;
    let hill = network("hill", world.ircd.address().port());
    let mut before = String::new();
    reloaded(&world, &process, 1, |text| {
        before.clone_from(&text);
        let text = if stays { text } else { without(&text, "fake") };
        text.replace("irc_{channel}", template).replace("networks:\n", &format!("networks:\n{hill}"))
    })
    .await;
    wait_logged(&process.log_file(), "the networks stay as they were: aliases of shared rooms").await;
    let list = squeezed(&ask(&world, &alice, &control, "networks").await);
    assert!(list.contains("fake") && !list.contains("hill"), "{list}");
    // She is connected, and finds her channels.
    let room = alice.join("#irc_#tea:test.local").await;
    world.ircd.wait_joined("#tea", "alice").await;
    // What changes in the network alone is taken.
    reloaded(&world, &process, 2, |_| before.replacen("name: FakeNet", "name: Renamed", 1)).await;
    wait_logged(&process.log_file(), "changed by the configuration").await;
    alice.send_text(&room, "still here");
    world.ircd.wait_line(|_, line| line == "PRIVMSG #tea :still here").await;
    assert_eq!(process.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_administrator_has_added_is_there_again_when_the_file_hides_it_no_more() {
    let world = World::builder().without_bridge().await;
    let process = world.start_process_with(&[]);
    let (admin, admins) = world.user_with_control_room("admin").await;
    let live = world.ircd.address();
    ask(&world, &admin, &admins, &format!("network add town {live} notls private")).await;
    let (_, _, town) = on_network(&world, "carol", "town").await;
    let connections = world.ircd.connections();
    let listed = async || squeezed(&ask(&world, &admin, &admins, "network").await);
    let hiding = network("town", free_port());
    reloaded(&world, &process, 1, |text| text.replace("networks:\n", &format!("networks:\n{hiding}"))).await;
    let list = listed().await;
    assert!(list.contains("the configuration; what was added here is not used"), "{list}");
    reloaded(&world, &process, 2, |text| without(&text, "town")).await;
    let list = listed().await;
    assert!(
        list.contains(&format!("town: name town, comes from an administrator, here, servers {live}")),
        "{list}"
    );
    assert_eq!(world.ircd.connections(), connections);
    assert_eq!(world.homeserver.rooms_named("town"), [town]);
    assert_eq!(process.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_file_allows_users_to_add_and_what_it_sets_for_them_holds_at_once() {
    let own = "own_networks: { most: 1, plaintext: true, allow_private: [\"127.0.0.0/8\"] }\n";
    let world = World::builder().config(own).without_bridge().await;
    let process = world.start_process_with(&[]);
    let (alice, control) = world.user_with_control_room("alice").await;
    // By another name than the configuration's.
    let server = format!("localhost:{}", world.ircd.address().port());
    ask(&world, &alice, &control, &format!("network add home {server} notls")).await;
    alice.send_text(&control, "open home");
    world.ircd.wait_registered("alice").await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (carol, _, room) = world.user_in_channel("carol", "#rust").await;

    reloaded(&world, &process, 1, |text| {
        text.replace("most: 1", "most: 0") + "settings: { formatting: markdown }\n"
    })
    .await;
    world.ircd.wait_gone("alice").await;
    let status = ask(&world, &alice, &control, "status").await;
    assert!(status.contains("which this bridge does not allow any more"), "{status}");
    carol.send_html(&room, "bold", "<b>bold</b>");
    bob.wait_text("**bold**").await;

    let of_network = "  fake:\n    settings: { formatting: plain }\n";
    reloaded(&world, &process, 2, |text| {
        text.replace("most: 0", "most: 2").replacen("  fake:\n", of_network, 1)
    })
    .await;
    world.ircd.wait_registered("alice").await;
    carol.send_html(&room, "bolder", "<b>bolder</b>");
    bob.wait_text("bolder").await;
    let list = ask(&world, &alice, &control, "network").await;
    assert!(list.contains("You may have 2 of your own"), "{list}");
    assert_eq!(process.stop().await, Some(0));
}
