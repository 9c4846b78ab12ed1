//! Networks that administrators add and remove while the bridge runs.

mod own;

use crate::commands::{ask, squeezed};
use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};
use crate::support::ports::free_port;

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

/// Where the fake server is.
fn address(world: &World) -> String {
    world.ircd.address().to_string()
}

/// An administrator who has added the network `town`.
async fn admin_with_town(world: &World) -> (TestUser, String) {
    let (admin, control) = world.user_with_control_room("admin").await;
    let add = format!("network add town {} notls private", address(world));
    let added = ask(world, &admin, &control, &add).await;
    assert_eq!(added, "town is there, for all who may use this bridge: open town.");
    (admin, control)
}

/// Somebody who has opened a network, and their rooms.
async fn opened(world: &World, name: &str, network: &str) -> (TestUser, String, String) {
    let (user, control) = world.user_with_control_room(name).await;
    user.send_text(&control, &format!("open {network}"));
    let room = user.join(&world.homeserver.wait_invite(user.id()).await).await;
    world.ircd.wait_registered(name).await;
    world.homeserver.wait_event(&room, |event| event.body().starts_with("Connected to")).await;
    (user, control, room)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_an_administrator_adds_is_there_at_once_for_all_and_after_a_restart() {
    let mut world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (admin, admins) = admin_with_town(&world).await;
    let (alice, control, network) = opened(&world, "alice", "Town").await;
    assert_eq!(world.homeserver.room_named("town"), network);
    alice.send_text(&network, "join #rust");
    let room = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    world.ircd.wait_joined("#rust", "alice").await;
    alice.send_text(&room, "hello town");
    bob.wait_text("hello town").await;
    let list = squeezed(&ask(&world, &admin, &admins, "network").await);
    assert!(
        list.contains(&format!(
            "town: name town, comes from an administrator, here, servers {} (no TLS)",
            address(&world)
        )),
        "{list}"
    );
    assert!(list.contains("fake: name FakeNet, comes from the configuration, servers 127.0.0.1:"), "{list}");
    assert!(
        list.contains("libera: name Libera.Chat, comes from the built-in ones, servers irc.libera.chat:6697"),
        "{list}"
    );
    assert!(ask(&world, &alice, &control, "networks").await.contains("open town"));

    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "welcome back");
    world.homeserver.wait_message(&room, "welcome back").await;
    assert_eq!(world.homeserver.rooms_named("town"), [network]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_somebody_has_open_is_removed_after_a_question_and_goes_on_when_it_is_added_again() {
    let mut world = World::start().await;
    let (admin, admins) = admin_with_town(&world).await;
    let (alice, control, network) = opened(&world, "alice", "town").await;
    let asked = ask(&world, &admin, &admins, "network remove town").await;
    assert!(asked.starts_with("@alice:test.local has town open."), "{asked}");
    ask(&world, &admin, &admins, "cancel").await;
    assert_eq!(world.ircd.nicks(), ["alice"]);

    ask(&world, &admin, &admins, "network remove town").await;
    let removed = ask(&world, &admin, &admins, "yes").await;
    assert!(removed.starts_with("town is removed."), "{removed}");
    world.ircd.wait_gone("alice").await;
    let told =
        says("An administrator has removed town from this bridge, and you are no longer connected to it.");
    let told = world.homeserver.wait_event(&control, told).await;
    assert_eq!(told.content["msgtype"], "m.text");
    assert!(ask(&world, &alice, &control, "open town").await.starts_with("There is no network town here."));
    assert!(
        ask(&world, &alice, &control, "status")
            .await
            .contains("town is none of this bridge's networks any more")
    );
    alice.send_text(&network, "join #rust");
    world.homeserver.wait_event(&network, says("town is none of this bridge's networks any more")).await;

    world.stop_bridge().await;
    world.start_bridge().await;
    assert!(!ask(&world, &alice, &control, "networks").await.contains("town"));
    let add = format!("network add town {} notls private", address(&world));
    let added = ask(&world, &admin, &admins, &add).await;
    assert!(added.ends_with("One session that was left from before begins again."), "{added}");
    world.ircd.wait_registered("alice").await;
    assert_eq!(world.homeserver.rooms_named("town"), [network]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_of_a_network_change_while_it_is_open() {
    let world = World::start().await;
    let (admin, admins) = world.user_with_control_room("admin").await;
    let (dead, live) = (free_port(), address(&world));
    let typed = async |text: String| ask(&world, &admin, &admins, &text).await;
    typed(format!("network add town 127.0.0.1:{dead} notls private")).await;
    let (alice, control) = world.user_with_control_room("alice").await;
    alice.send_text(&control, "open town");
    let network = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    world.homeserver.wait_event(&network, says("refused the connection")).await;

    let added = typed(format!("network server add town {live} notls")).await;
    assert_eq!(added, format!("{live} is a server of town from the next connection on."));
    let again = typed(format!("network server add town {live} notls")).await;
    assert_eq!(again, format!("{live} is one of its servers already."));
    let removed = typed(format!("network server remove town 127.0.0.1:{dead}")).await;
    assert!(removed.starts_with("127.0.0.1 is no server of town any more."), "{removed}");
    alice.send_text(&network, "connect");
    world.ircd.wait_registered("alice").await;
    let none = typed(format!("network server remove town 127.0.0.1:{dead}")).await;
    assert_eq!(none, "127.0.0.1 is none of its servers.");
    let last = typed(format!("network server remove town {live}")).await;
    assert_eq!(last, "A network has at least one server: add another first.");
    let list = squeezed(&typed("network".to_owned()).await);
    assert!(
        list.contains(&format!(
            "town: name town, comes from an administrator, here, servers {live} (no TLS)"
        )),
        "{list}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_configuration_says_of_networks_is_read_only_and_hides_what_was_added() {
    let mut world = World::start().await;
    let (admin, admins) = admin_with_town(&world).await;
    for (typed, answer) in [
        (
            "network add fake irc.example.org",
            "There is FakeNet already, as fake; what the configuration says",
        ),
        (
            "network add fakenet irc.example.org",
            "There is FakeNet already, as fake; what the configuration says",
        ),
        (
            "network add town irc.example.org",
            "There is town already, as town. To give it another server, type",
        ),
        (
            "network add libera irc.example.org",
            "libera is the short name of Libera.Chat, and of nothing else.",
        ),
        ("network add u7-town irc.example.org", "u7-town can't be a short name: short names of u, a number"),
        ("network add my_town irc.example.org", "my_town can't be a short name: "),
        ("network add towline-probe irc.example.org", "towline-probe can't be a short name: "),
        ("network add other irc://x:1", "irc://x:1 is no server"),
        ("network add other a/b", "That can't be: networks.other.servers[0].host: it must be a host's name"),
        ("network add other irc.x fingerprint=00", "That can't be: networks.other.servers[0].fingerprint[0]"),
        ("network add other", "other is no server. Type it like this: network add other irc.example.org."),
        ("network add libera", "Libera.Chat is there already: type open libera."),
        ("network remove fake", "fake stands in the configuration, and can only be changed there."),
        ("network remove libera", "libera is built in: "),
        ("network remove nowhere", "There is no network nowhere here."),
        ("network server add fake irc.example.org", "fake stands in the configuration"),
        ("network add a b c", "Type it like this"),
        ("network frobnicate", "There is no network frobnicate here."),
        ("network frobnicate now", "Type it like this"),
    ] {
        let said = ask(&world, &admin, &admins, typed).await;
        assert!(said.starts_with(answer), "{typed}: {said}");
    }
    assert!(ask(&world, &admin, &admins, "networks").await.contains("open town"));

    world.stop_bridge().await;
    let mut config = world.config();
    let mut network = config.networks.values().find(|one| one.slug.as_str() == "fake").unwrap().clone();
    network.slug = towline::names::Slug::new("town").unwrap();
    network.name = "Townsend".to_owned();
    config.networks.insert(network.slug.clone(), network);
    world.start_bridge_with(config).await;
    let list = squeezed(&ask(&world, &admin, &admins, "network").await);
    assert!(
        list.contains(
            "town: name Townsend, comes from the configuration; what was added here is not used, servers"
        ),
        "{list}"
    );
    let gone = ask(&world, &admin, &admins, "network remove town").await;
    assert_eq!(gone, "What was added here of town is gone. The configuration has it, as before.");
    let list = squeezed(&ask(&world, &admin, &admins, "network").await);
    assert!(list.contains("town: name Townsend, comes from the configuration, servers"), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_built_in_network_that_the_configuration_leaves_out_is_added_by_its_name_and_by_administrators_only()
 {
    let mut world = World::builder().config("presets: false\n").start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    let (admin, admins) = world.user_with_control_room("admin").await;
    let refused = ask(&world, &alice, &control, "network add libera").await;
    assert_eq!(refused, "Libera.Chat is not on this bridge. Only its administrator can add that.");
    let refused = ask(&world, &alice, &control, "network add town irc.example.org").await;
    assert!(refused.starts_with("This bridge does not let users add networks of their own"), "{refused}");
    let reserved = ask(&world, &admin, &admins, "network add libera irc.example.org").await;
    assert!(reserved.ends_with("To add that, type network add libera."), "{reserved}");
    let added = ask(&world, &admin, &admins, "network add Libera").await;
    assert_eq!(added, "Libera.Chat is there, for all who may use this bridge: open libera.");
    let refused = ask(&world, &alice, &control, "network remove libera").await;
    assert_eq!(refused, "libera is for all: only an administrator can change it.");

    world.stop_bridge().await;
    world.start_bridge().await;
    let list = squeezed(&ask(&world, &alice, &control, "network").await);
    assert!(list.contains("libera | Libera.Chat | an administrator, here | irc.libera.chat:6697"), "{list}");
    let removed = ask(&world, &admin, &admins, "network remove libera").await;
    assert!(removed.starts_with("libera is removed."), "{removed}");
    assert!(!ask(&world, &alice, &control, "networks").await.contains("libera"));
}

/// Whichever comes first: nobody is left on a network that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_goes_while_somebody_opens_it_leaves_nobody_there() {
    let world = World::start().await;
    let (admin, admins) = world.user_with_control_room("admin").await;
    let (alice, control) = world.user_with_control_room("alice").await;
    let add = format!("network add town {} notls private", address(&world));
    for _ in 0..5 {
        ask(&world, &admin, &admins, &add).await;
        let (opened, removed) = tokio::join!(
            ask(&world, &alice, &control, "open town"),
            ask(&world, &admin, &admins, "network remove town confirm"),
        );
        assert!(removed.starts_with("town is removed."), "{removed}");
        assert!(!opened.contains("could not"), "{opened}");
        world.ircd.wait_gone("alice").await;
        assert!(!ask(&world, &admin, &admins, "network").await.contains("town:"));
    }
    let added = ask(&world, &admin, &admins, &add).await;
    assert!(added.starts_with("town is there"), "{added}");
}

/// The store has it, and the process ended before anybody saw it; or the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_has_of_networks_is_what_there_is_after_a_start_and_one_that_can_not_be_read_harms_nothing()
 {
    let mut world = World::start().await;
    let (admin, admins) = admin_with_town(&world).await;
    world.stop_bridge().await;
    let rows = r#"INSERT INTO network (slug, name, created_at, definition) VALUES
            ('found', 'found', 1, '{"servers":[{"host":"irc.example.org"}]}'), ('broken', 'broken', 1, '{"serv');
        DELETE FROM network WHERE slug = 'town'"#;
    world.database().execute(rows).await;
    world.start_bridge().await;
    let list = squeezed(&ask(&world, &admin, &admins, "network").await);
    assert!(
        list.contains("found: name found, comes from an administrator, here, servers irc.example.org:6697"),
        "{list}"
    );
    assert!(!list.contains("broken") && !list.contains("town:"), "{list}");
    let removed = ask(&world, &admin, &admins, "network remove broken").await;
    assert!(removed.starts_with("broken is removed."), "{removed}");
    world.connected_user("alice").await;
}
