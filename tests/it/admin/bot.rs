//! The bot's name and picture: set while the bridge runs, kept over restarts, and the configuration before both.

use serde_json::json;

use super::{admin, says};
use crate::support::bridge::{World, ask};
use crate::support::homeserver::Fault;

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_has_the_name_and_the_picture_that_an_administrator_sets_at_once_and_after_a_restart() {
    let mut world = World::start().await;
    let (admin, control) = admin(&world).await;
    let bot = world.homeserver.bot();
    ask(&world, &admin, &control, "bot", "My name is Towline (built in). I have no picture.").await;
    ask(&world, &admin, &control, "bot name Messenger", "My name is Messenger from now on.").await;
    assert_eq!(world.homeserver.displayname(&bot).as_deref(), Some("Messenger"));
    ask(&world, &admin, &control, "bot avatar mxc://test.local/face", "I have another picture.").await;
    assert_eq!(world.homeserver.avatar(&bot).as_deref(), Some("mxc://test.local/face"));
    ask(&world, &admin, &control, "bot avatar https://test.local/x.png", "is no address of a picture").await;
    ask(&world, &admin, &control, &format!("bot name {}", "x".repeat(101)), "A name is one line of").await;

    // Who knows it by that name speaks to it so.
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    alice.send_text(&room, "messenger: version");
    world.homeserver.wait_event(&room, says("This is Towline ")).await;

    world.stop_bridge().await;
    world.homeserver.forget_profile(&bot);
    world.start_bridge().await;
    let both = "My name is Messenger (set here). My picture is mxc://test.local/face (set here).";
    ask(&world, &admin, &control, "bot", both).await;
    assert_eq!(world.homeserver.displayname(&bot).as_deref(), Some("Messenger"));
    assert_eq!(world.homeserver.avatar(&bot).as_deref(), Some("mxc://test.local/face"));
    ask(&world, &admin, &control, "bot name off", "My name is Towline from now on.").await;
    ask(&world, &admin, &control, "bot avatar off", "I have no picture.").await;
    assert_eq!(world.homeserver.displayname(&bot).as_deref(), Some("Towline"));
    assert_eq!(world.homeserver.avatar(&bot), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configurations_name_and_picture_hold_until_they_are_gone_from_it() {
    let mut world = World::start().await;
    let (admin, control) = admin(&world).await;
    let bot = world.homeserver.bot();
    ask(&world, &admin, &control, "bot name Messenger", "from now on").await;
    world.stop_bridge().await;
    let mut config = world.config();
    config.appservice.bot_name = Some("Harbour".to_owned());
    config.appservice.bot_avatar = Some("mxc://test.local/harbour".to_owned());
    world.start_bridge_with(config).await;
    let refused = "stands in the configuration, under appservice.bot_name";
    ask(&world, &admin, &control, "bot name Other", refused).await;
    assert_eq!(world.homeserver.displayname(&bot).as_deref(), Some("Harbour"));
    ask(&world, &admin, &control, "bot avatar off", "under appservice.bot_avatar").await;
    assert_eq!(world.homeserver.avatar(&bot).as_deref(), Some("mxc://test.local/harbour"));
    world.stop_bridge().await;
    world.start_bridge().await;
    ask(&world, &admin, &control, "bot", "My name is Messenger (set here). I have no picture.").await;
    assert_eq!(world.homeserver.displayname(&bot).as_deref(), Some("Messenger"));
    assert_eq!(world.homeserver.avatar(&bot), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_the_homeserver_refuses_is_told_and_not_kept() {
    let mut world = World::start().await;
    let (admin, control) = admin(&world).await;
    let bot = world.homeserver.bot();
    let refusal = json!({ "errcode": "M_FORBIDDEN", "error": "Names are fixed here" });
    let path = format!("/profile/{bot}/displayname");
    world.homeserver.faults().fail("PUT", &path, Fault::Status(403, refusal), 1);
    ask(&world, &admin, &control, "bot name Messenger", "The homeserver did not take it").await;
    assert_eq!(world.homeserver.displayname(&bot).as_deref(), Some("Towline"));
    world.stop_bridge().await;
    world.start_bridge().await;
    ask(&world, &admin, &control, "bot", "My name is Towline (built in).").await;
    assert_eq!(world.homeserver.displayname(&bot).as_deref(), Some("Towline"));
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_on_irc_has_the_picture_that_an_administrator_gives_them() {
    let world = World::start().await;
    let (admin, control, _) = world.connected_user("admin").await;
    let bob = "@irc_fake_bob:test.local";
    let given = "Bob on FakeNet has another picture from now on.";
    ask(&world, &admin, &control, "avatar Bob mxc://test.local/bob", given).await;
    assert_eq!(world.homeserver.avatar(bob).as_deref(), Some("mxc://test.local/bob"));
    ask(&world, &admin, &control, "avatar fake bob https://test.local/x.png", "is no address of a picture")
        .await;
    ask(&world, &admin, &control, "avatar bob", "Type it like this: avatar").await;
    ask(&world, &admin, &control, "avatar bob off", "bob on FakeNet has no picture from now on.").await;
    assert_eq!(world.homeserver.avatar(bob), None);
}
