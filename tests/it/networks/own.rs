//! Networks that users add for themselves: nobody else sees them, and they lead nowhere that is not meant.

use reqwest::Method;
use serde_json::json;

use super::says;
use crate::commands::{ask, squeezed};
use crate::server::call;
use crate::support::bridge::World;
use crate::support::homeserver::TestUser;
use crate::support::ports::free_port;

const ALLOWED: &str = "own_networks: { most: 2, plaintext: true, allow_private: [\"127.0.0.0/8\"] }\n";

/// Where the fake server is, by another name than the configuration's.
fn address(world: &World) -> String {
    format!("localhost:{}", world.ircd.address().port())
}

/// Alice, who has added a network of her own under the name `home`, and its short name.
async fn with_home(world: &World) -> (TestUser, String, String) {
    let (alice, control) = world.user_with_control_room("alice").await;
    let added = ask(world, &alice, &control, &format!("network add home {} notls", address(world))).await;
    let slug = added.strip_prefix("It is there, for you alone, as ").unwrap_or_else(|| panic!("{added}"));
    let slug = slug.split('.').next().unwrap().to_owned();
    assert!(slug.starts_with('u') && slug.ends_with("-home"), "{added}");
    (alice, control, slug)
}

/// Opens it, by the name behind its number.
async fn open_home(world: &World, alice: &TestUser, control: &str) -> String {
    alice.send_text(control, "open home");
    let room = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    world.ircd.wait_registered("alice").await;
    world.homeserver.wait_event(&room, |event| event.body().starts_with("Connected to")).await;
    room
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_own_network_is_used_like_any_other_and_outlives_a_restart() {
    let mut world = World::builder().config(ALLOWED).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, slug) = with_home(&world).await;
    let network = open_home(&world, &alice, &control).await;
    assert_eq!(world.homeserver.room_named(&slug), network);
    alice.send_text(&control, "join home #rust");
    let room = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "at home");
    let said = world.homeserver.wait_message(&room, "at home").await;
    assert_eq!(said.sender, format!("@irc_{slug}_bob:test.local"));
    let list = squeezed(&ask(&world, &alice, &control, "network").await);
    assert!(
        list.contains(&format!(
            "{slug}: name {slug}, comes from you: your own, servers {} (no TLS)",
            address(&world)
        )),
        "{list}"
    );

    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "still at home");
    world.homeserver.wait_message(&room, "still at home").await;

    let refused = ask(&world, &alice, &control, "network remove home").await;
    assert_eq!(refused, format!("You have {slug} open. First type close {slug}."));
    ask(&world, &alice, &control, "close home confirm").await;
    world.ircd.wait_gone("alice").await;
    let removed = ask(&world, &alice, &control, "network remove home").await;
    assert!(removed.starts_with(&format!("{slug} is removed.")), "{removed}");
    assert!(ask(&world, &alice, &control, "open home").await.starts_with("There is no network home here."));
    let forgotten = ask(&world, &alice, &control, &format!("forget {slug} confirm")).await;
    assert!(forgotten.starts_with("Forgotten: "), "{forgotten}");
    // The name is hers for good.
    let again = ask(&world, &alice, &control, &format!("network add home {} notls", address(&world))).await;
    assert!(again.starts_with(&format!("It is there, for you alone, as {slug}.")), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_learns_of_a_users_own_network_and_an_administrator_only_where_it_is() {
    let world = World::builder().config(ALLOWED).start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, slug) = with_home(&world).await;
    open_home(&world, &alice, &control).await;
    alice.send_text(&control, "join home #rust");
    let room = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    world.ircd.wait_joined("#rust", "alice").await;
    bob.say("#rust", "between us");
    let ghost = world.homeserver.wait_message(&room, "between us").await.sender;

    let (mallory, theirs) = world.user_with_control_room("mallory").await;
    for (typed, answer) in [
        (format!("open {slug}"), format!("There is no network {slug} here. Type networks")),
        ("open home".to_owned(), "There is no network home here. Type networks".to_owned()),
        (format!("network remove {slug}"), format!("There is no network {slug} here. Type networks")),
        (
            format!("network server add {slug} irc.example.org"),
            format!("There is no network {slug} here. Type networks"),
        ),
        (format!("forget {slug}"), format!("There is no conversation {slug} of yours.")),
        (format!("ignore {ghost}"), "You are on no network yet.".to_owned()),
    ] {
        let said = ask(&world, &mallory, &theirs, &typed).await;
        assert!(said.starts_with(&answer), "{typed}: {said}");
    }
    for typed in ["networks", "network", "help", "help network", "status", "open hom"] {
        let said = ask(&world, &mallory, &theirs, typed).await;
        assert!(!said.contains("home"), "{typed}: {said}");
    }
    // Neither the homeserver's questions nor an invitation tell that there is such a network.
    let (_, directory) =
        call(&world, Method::GET, "/_matrix/app/v1/thirdparty/protocol/irc", &json!({})).await;
    assert!(!directory.to_string().contains("home") && directory.to_string().contains("fake"), "{directory}");
    let path = format!("/_matrix/app/v1/users/@irc_{slug}_nobody:test.local");
    assert_eq!(call(&world, Method::GET, &path, &json!({})).await.0, 404);
    let chat = mallory.start_dm(&ghost);
    world.homeserver.wait_member(&chat, &ghost, "leave").await;
    let left = world.homeserver.state(&chat, "m.room.member", &ghost);
    assert_eq!(left["reason"], "There is nobody of that name.");

    let (admin, admins) = world.user_with_control_room("admin").await;
    let list = squeezed(&ask(&world, &admin, &admins, "network").await);
    assert!(
        list.contains(&format!("{slug}: name {slug}, comes from @alice:test.local: their own, servers ")),
        "{list}"
    );
    assert!(!ask(&world, &admin, &admins, "networks").await.contains("home"));
    assert!(ask(&world, &admin, &admins, "open home").await.starts_with("There is no network home here."));
    let asked = ask(&world, &admin, &admins, &format!("network remove {slug}")).await;
    assert!(asked.starts_with(&format!("@alice:test.local has {slug} open.")), "{asked}");
    ask(&world, &admin, &admins, "yes").await;
    world.ircd.wait_gone("alice").await;
    world.homeserver.wait_event(&control, says(&format!("An administrator has removed {slug}"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_adds_no_network_where_the_configuration_does_not_allow_it() {
    let world = World::start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    for typed in
        ["network add irc.example.org", "network add home irc.example.org", "network add 127.0.0.1 notls"]
    {
        let refused = ask(&world, &alice, &control, typed).await;
        assert!(refused.starts_with("This bridge does not let users add networks of their own"), "{refused}");
    }
    assert!(!ask(&world, &alice, &control, "network").await.contains("of your own"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_may_not_add_is_refused_with_the_reason() {
    let world = World::builder().config("own_networks: { most: 2 }\n").start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    for (typed, answer) in [
        ("network add irc.example.org notls", "Without TLS anybody on the way can read"),
        ("network add 127.0.0.1", "127.0.0.1 is a private address"),
        ("network add 10.1.2.3:7000", "10.1.2.3 is a private address"),
        ("network add [::1]:7000", "::1 is a private address"),
        ("network add ::ffff:127.0.0.1", "::ffff:127.0.0.1 is a private address"),
        ("network add localhost:7000", "localhost is a private address"),
        ("network add irc.example.org:25", "25 is no port of IRC"),
        ("network add irc.libera.chat", "irc.libera.chat is a server of Libera.Chat: type open libera."),
        ("network add IRC.Libera.Chat.:7000", "IRC.Libera.Chat. is a server of Libera.Chat"),
        ("network add home irc.example.org private", "Type it like this"),
        ("network add my_home irc.example.org", "my_home can't be its name"),
        (
            "network add a-name-that-is-much-too-long irc.example.org",
            "a-name-that-is-much-too-long can't be its name",
        ),
        ("network add libera", "Libera.Chat is there already"),
        ("network add fake:", "fake: is no server"),
        ("network remove fake", "fake stands in the configuration"),
    ] {
        let said = ask(&world, &alice, &control, typed).await;
        assert!(said.starts_with(answer), "{typed}: {said}");
    }
    let first = ask(&world, &alice, &control, "network add irc.example.org").await;
    assert!(first.starts_with("It is there, for you alone, as u") && first.contains("-example."), "{first}");
    let second = ask(&world, &alice, &control, "network add chat.example.com").await;
    assert!(second.contains("-example-2."), "{second}");
    let third = ask(&world, &alice, &control, "network add irc.example.net").await;
    assert!(third.starts_with("You have 2 of your own, the most that this bridge allows."), "{third}");
    ask(&world, &alice, &control, "network remove example-2").await;
    let taken = ask(&world, &alice, &control, "network add example irc.example.net").await;
    assert!(taken.ends_with("-example already."), "{taken}");
    let third = ask(&world, &alice, &control, "network add irc.example.net").await;
    assert!(third.contains("-example-2."), "{third}");
}

/// The address is looked at when it is dialled: as a name could, `127.1` says nothing before it is resolved.
#[tokio::test(flavor = "multi_thread")]
async fn a_users_own_network_that_turns_out_to_be_at_a_private_address_is_not_dialled() {
    let config = "own_networks: { most: 2, plaintext: true, allow_private: [\"10.0.0.0/8\"] }\n";
    let world = World::builder().config(config).start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    let port = world.ircd.address().port();
    ask(&world, &alice, &control, &format!("network add trap 127.1:{port} notls")).await;
    alice.send_text(&control, "open trap");
    let network = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    let told = says("is at a private address, where no network of a user's own may be. Trying again");
    let told = world.homeserver.wait_event(&network, told).await;
    assert!(!told.body().contains("127.0.0.1"), "{}", told.body());
    assert_eq!(world.ircd.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_use_the_bridge_any_more_or_have_networks_of_their_own_is_on_none() {
    let mut world = World::builder().config(ALLOWED).start().await;
    let (alice, control, slug) = with_home(&world).await;
    let network = open_home(&world, &alice, &control).await;
    let (admin, admins) = world.user_with_control_room("admin").await;
    ask(&world, &admin, &admins, "permit @alice:test.local none").await;
    world.ircd.wait_gone("alice").await;
    ask(&world, &admin, &admins, "unpermit @alice:test.local").await;
    world.ircd.wait_registered("alice").await;

    // Without TLS, and not at all.
    for (own, reason) in [
        (1, "is without TLS, which this bridge does not allow for networks of your own"),
        (0, "is a network of your own, which this bridge does not allow any more"),
    ] {
        world.stop_bridge().await;
        let mut config = world.config();
        (config.own_networks.most, config.own_networks.plaintext) = (own, false);
        world.start_bridge_with(config).await;
        let refused = ask(&world, &alice, &control, "open home").await;
        assert_eq!(refused, format!("It can't be done: {slug} {reason}."));
        alice.send_text(&network, "join #rust");
        world.homeserver.wait_event(&network, says(reason)).await;
        assert!(world.ircd.nicks().is_empty());
    }
    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_registered("alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_own_network_by_tls_is_known_by_its_fingerprint_and_has_further_servers() {
    let config = "own_networks: { most: 1, allow_private: [\"127.0.0.1\"] }\n";
    let world = World::builder().config(config).start().await;
    let (alice, control) = world.user_with_control_room("alice").await;
    let (tls, dead) = (world.ircd.tls_address(), free_port());
    let fingerprint = world.ircd.fingerprint().to_owned();
    let typed = async |text: String| ask(&world, &alice, &control, &text).await;
    typed(format!("network add home 127.0.0.1:{dead}")).await;
    let refused = typed(format!("network server add home 127.0.0.1:{dead} notls")).await;
    assert!(refused.starts_with("Without TLS"), "{refused}");
    let refused = typed("network server add home 127.0.0.2:7000".to_owned()).await;
    assert!(refused.starts_with("127.0.0.2 is a private address"), "{refused}");
    typed(format!("network server add home {tls} fingerprint={fingerprint}")).await;
    typed(format!("network server remove home 127.0.0.1:{dead}")).await;
    let list = squeezed(&typed("network".to_owned()).await);
    assert!(list.contains(&format!("comes from you: your own, servers {tls} (pinned)")), "{list}");
    // Others' servers may share its host: what it wants of whoever comes by that name binds nobody.
    world.ircd.offer_capability(&format!("sts=port={},duration=3600", tls.port()));
    open_home(&world, &alice, &control).await;
    assert!(world.ircd.tls_of("alice").unwrap().0);
    assert!(world.database().texts("SELECT host FROM sts_policy").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_have_a_network_of_the_same_name_meet_nowhere() {
    let world = World::builder().config(ALLOWED).start().await;
    let (alice, control, hers) = with_home(&world).await;
    open_home(&world, &alice, &control).await;
    let (mallory, theirs) = world.user_with_control_room("mallory").await;
    let add = format!("network add home {} notls", address(&world));
    let added = ask(&world, &mallory, &theirs, &add).await;
    assert!(added.contains("-home") && !added.contains(&hers), "{added}");
    mallory.send_text(&theirs, "open home");
    let room = mallory.join(&world.homeserver.wait_invite(mallory.id()).await).await;
    world.ircd.wait_registered("mallory").await;
    assert_ne!(world.homeserver.room_named(&hers), room);
}
