//! What it looks like in a real client: pictures of nheko, to be looked at. `scripts/test --screens` takes them.

use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use crate::rig::nheko::Nheko;
use crate::rig::town::{PASSWORD, ghost};
use crate::scene::{CHANNEL, Scene, ask};

/// What IRC can say, and somebody is named.
const SAID: [&str; 5] = [
    "\u{2}Bold\u{2}, \u{1d}italic\u{1d}, \u{1f}underlined\u{1f}, \u{1e}struck\u{1e} and \u{11}monospaced\u{11}",
    "\u{3}04red\u{3}, \u{3}03green\u{3} and \u{3}00,01white on black\u{3}",
    "witness: alice wrote https://example.org/a?b=c&d yesterday",
    "żółć, 日本語, 🦀",
    "alice: this is for you",
];

/// What a machine can say of a picture is that there is something, and that it is not another's.
#[tokio::test]
#[ignore = "scripts/test --screens takes the pictures, with a client that nothing else needs"]
async fn a_client_shows_help_tables_formatted_text_and_a_query() {
    let scene = Scene::start().await;
    let (alice, control) = (&scene.town.alice, scene.town.control.as_str());
    let query = talk(&scene).await;
    ask(alice, &query, "!irc whois", "irene is ").await;
    for (room, typed, answer) in [
        (scene.room.as_str(), "!irc names", "In #towline are 3 people."),
        (&scene.room, "!irc set", "Settings for #towline"),
        (&scene.network, "list", "the largest first"),
        (&scene.network, "help join", "join #CHANNEL"),
        (control, "status", "connected"),
        (control, "networks", "You can open"),
        (control, "help", "stats"),
    ] {
        ask(alice, room, typed, answer).await;
    }

    let directory = TempDir::with_prefix("towline-nheko-").unwrap();
    let nheko = Nheko::start(directory.path(), &scene.town.synapse.url, "alice", PASSWORD).await;
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pictures");
    std::fs::create_dir_all(&pictures).unwrap();
    let mut seen = Vec::new();
    for (room, turns, name) in [
        ("Towline", 0, "control-help"),
        ("Towline", 200, "control-status"),
        (CHANNEL, 0, "channel-settings"),
        (CHANNEL, 200, "channel-formatted"),
        ("Demo", 0, "network"),
        ("irene", 0, "query"),
    ] {
        nheko.open(room).await;
        if turns > 0 {
            nheko.scroll_up(turns).await;
        }
        let picture = nheko.picture().await;
        std::fs::write(pictures.join(format!("nheko-{name}.png")), &picture).unwrap();
        assert!(picture.len() > 10_000, "{name} is nearly blank");
        assert!(!seen.contains(&picture), "{name} looks like another");
        seen.push(picture);
    }
}

/// Says something in the channel from both sides, and in a query, whose room this gives.
async fn talk(scene: &Scene) -> String {
    let (alice, irene) = (&scene.town.alice, &scene.irene);
    SAID.iter().for_each(|line| irene.say(CHANNEL, line));
    alice.wait_message(&scene.room, "this is for you").await;
    let written = json!({ "msgtype": "m.text", "body": "**bold** and `code`",
        "format": "org.matrix.custom.html", "formatted_body": "<b>bold</b> and <code>code</code>" });
    alice.send(&scene.room, "m.room.message", &written).await;
    irene.action(CHANNEL, "waves at alice");
    alice.wait_message(&scene.room, "waves at alice").await;
    irene.say("alice", "psst, \u{2}alice\u{2}");
    let query = alice.wait_invite_from(&ghost("irene")).await;
    alice.join(&query).await;
    alice.say(&query, "yes?").await;
    irene.wait_said("alice", "irene", "yes?").await;
    irene.say("alice", "nothing, thanks");
    alice.wait_message(&query, "nothing, thanks").await;
    query
}
