//! The chat with the bot.

use super::{Steps, sees_alice};
use crate::rig::town::NETWORK;
use crate::scene::{CHANNEL, Scene, ask};

#[tokio::test]
async fn each_command_of_the_chat_with_the_bot_works_on_real_servers() {
    let steps =
        Steps::of("In the chat with the bot", "each_command_of_the_chat_with_the_bot_works_on_real_servers");
    let scene = Scene::start().await;
    let (alice, control) = (&scene.town.alice, scene.town.control.as_str());

    steps.begin("HELP");
    let help = ask(alice, control, "help", "open NETWORK").await;
    for command in ["networks", "network", "status", "close", "forget", "permissions", "set"] {
        assert!(help.lines().any(|line| line.split(' ').next() == Some(command)), "{command}: {help}");
    }
    ask(alice, control, "help close", "It asks first.").await;

    steps.begin("NETWORKS");
    let networks = ask(alice, control, "networks", "Libera.Chat").await;
    assert!(networks.contains("open libera | Libera.Chat") && networks.contains("Demo | open"), "{networks}");

    steps.begin("SERVERS");
    let servers = ask(alice, control, "network", "the configuration").await;
    let own = format!(
        "demo: name Demo, comes from the configuration, servers 127.0.0.1:{}",
        scene.town.inspircd.port
    );
    assert!(servers.contains(&own), "{servers}");

    steps.begin("STATUS");
    ask(alice, control, "status", "Demo | connected | alice | just now |").await;
    alice.say(control, "disconnect").await;
    sees_alice(&scene.irene, 0, "QUIT").await;
    ask(alice, control, "status", "not connected; to change that, type connect.").await;
    let mark = scene.irene.mark();
    alice.say(control, "connect").await;
    sees_alice(&scene.irene, mark, &format!("JOIN {CHANNEL}")).await;

    steps.begin("QUIT");
    scene.irene.say(CHANNEL, "remember this");
    alice.wait_message(&scene.room, "remember this").await;
    ask(alice, control, "close demo", "This disconnects you from Demo and takes you out of its rooms.").await;
    let mark = scene.irene.mark();
    alice.say(control, "yes").await;
    sees_alice(&scene.irene, mark, "QUIT").await;
    alice.wait_out(&scene.room).await;
    alice.wait_out(&scene.network).await;
    ask(alice, control, "status", "You are on no network yet").await;
    ask(alice, control, &format!("history {CHANNEL}"), "remember this").await;
    ask(alice, control, "forget demo", "To do it").await;
    ask(alice, control, "yes", "Forgotten: 3 lines of Demo").await;
    ask(alice, control, &format!("history {CHANNEL}"), &format!("no conversation {CHANNEL} of yours")).await;
    twice(&scene, &steps).await;
    steps.end();
}

/// The network is closed and forgotten by now, and is opened two times.
async fn twice(scene: &Scene, steps: &Steps) {
    let (alice, control) = (&scene.town.alice, scene.town.control.as_str());
    steps.begin("OPEN --new");
    ask(alice, control, "open demo", "Connecting to Demo.").await;
    alice.join(&alice.wait_invite_named(NETWORK).await).await;
    ask(alice, control, "open demo as work", "Connecting to Demo (work).").await;
    alice.join(&alice.wait_invite_named("Demo (work)").await).await;
    let mark = scene.irene.mark();
    alice.say(control, &format!("join demo {CHANNEL}")).await;
    sees_alice(&scene.irene, mark, "JOIN").await;
    alice.say(control, &format!("join demo/work {CHANNEL}")).await;
    scene
        .irene
        .wait_line_after(mark, |line| line.starts_with(":alice_work!") && line.contains(" JOIN "))
        .await;
    let (home, work) = (format!("{CHANNEL} (Demo)"), format!("{CHANNEL} (Demo, work)"));
    let (home, work) = (alice.wait_invite_named(&home).await, alice.wait_invite_named(&work).await);
    for room in [&home, &work] {
        alice.join(room).await;
    }
    scene.irene.say(CHANNEL, "for both");
    for room in [&home, &work] {
        alice.wait_message(room, "for both").await;
    }
    alice.say(&work, "from work").await;
    scene.irene.wait_said("alice_work", CHANNEL, "from work").await;
    let mark = scene.irene.mark();
    ask(alice, control, "close demo/work", "Demo (work)").await;
    alice.say(control, "yes").await;
    scene
        .irene
        .wait_line_after(mark, |line| line.starts_with(":alice_work!") && line.contains(" QUIT "))
        .await;
    alice.say(&home, "still here").await;
    scene.irene.wait_said("alice", CHANNEL, "still here").await;
}
