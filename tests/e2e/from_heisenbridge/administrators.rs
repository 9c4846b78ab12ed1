//! What only administrators have, in their chat with the bot.

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Steps, linked_text, memberships, wait_hourglass, wait_taken_back};
use crate::networks::user;
use crate::rig::inspircd::Inspircd;
use crate::rig::matrix::MatrixUser;
use crate::rig::towline::{NetworkEntry, bot};
use crate::rig::town::{Extras, NETWORK, Town, ghost};
use crate::scene::{CHANNEL, Scene, ask};
use crate::support::ports::free_port;

/// Somebody who is no administrator, and is in the channel.
struct Bob {
    user: MatrixUser,
    control: String,
}

impl Bob {
    async fn arrive(scene: &Scene) -> Self {
        let (bob, control) = user(&scene.town, "bob").await;
        bob.say(&control, "open demo").await;
        let network = bob.wait_invite_named(NETWORK).await;
        bob.join(&network).await;
        let mark = scene.irene.mark();
        bob.say(&network, &format!("join {CHANNEL}")).await;
        seen(scene, mark, "JOIN").await;
        Self { user: bob, control }
    }
}

/// Waits until irene sees bob do this.
async fn seen(scene: &Scene, mark: usize, verb: &str) -> String {
    let verb = format!(" {verb} ");
    scene.irene.wait_line_after(mark, |line| line.starts_with(":bob!") && line.contains(&verb)).await
}

#[tokio::test]
async fn each_command_of_an_administrator_works_on_real_servers() {
    let steps =
        Steps::of("There, for administrators", "each_command_of_an_administrator_works_on_real_servers");
    let directory = TempDir::with_prefix("towline-admin-").unwrap();
    let inspircd = Inspircd::start(&directory.path().join("inspircd")).await;
    let entry = NetworkEntry::plain("demo", NETWORK, &inspircd);
    let extras = Extras { links: true, ..Extras::default() };
    let scene = Scene::in_town(Town::around(directory, inspircd, entry, &extras).await).await;
    let bob = Bob::arrive(&scene).await;
    permissions(&scene, &bob, &steps).await;
    networks(&scene, &bob, &steps).await;
    names(&scene, &steps).await;
    rooms_and_lines(&scene, &steps).await;
    forgotten(&scene, &bob, &steps).await;
    steps.end();
}

async fn permissions(scene: &Scene, bob: &Bob, steps: &Steps) {
    let (alice, control) = (&scene.town.alice, scene.town.control.as_str());
    let typed = async |text: &str, words: &str| ask(alice, control, text, words).await;

    steps.begin("MASKS ADDMASK DELMASK");
    let mark = scene.irene.mark();
    typed("permit @bob:test.local none", "@bob:test.local: none, from now on.").await;
    seen(scene, mark, "QUIT").await;
    bob.user.say(&bob.control, "status").await;
    bob.user.wait_message(&bob.control, "You have no permission to use this bridge any more.").await;
    typed("permissions", "@bob:test.local").await;
    let mark = scene.irene.mark();
    typed("unpermit @bob:test.local", "is taken back").await;
    seen(scene, mark, "JOIN").await;

    steps.begin("IDENT");
    typed("ident @bob:test.local wonderland", "is wonderland to IRC from their next connections on").await;
    typed("ident", "@bob:test.local | wonderland").await;
    let mark = scene.irene.mark();
    typed("session @bob:test.local demo disconnect", "Disconnected from Demo").await;
    seen(scene, mark, "QUIT").await;
    typed("session @bob:test.local demo connect", "Connecting to Demo").await;
    let entered = seen(scene, mark, "JOIN").await;
    assert!(entered.starts_with(":bob!wonderland@"), "{entered}");

    steps.begin("VERSION");
    typed("version", &format!("This is Towline {}", env!("CARGO_PKG_VERSION"))).await;
}

async fn networks(scene: &Scene, bob: &Bob, steps: &Steps) {
    let (alice, control) = (&scene.town.alice, scene.town.control.as_str());
    let typed = async |text: String, words: &str| ask(alice, control, &text, words).await;
    let dead = free_port();
    let live = format!("localhost:{}", scene.town.inspircd.port);

    steps.begin("ADDSERVER DELSERVER");
    typed(format!("network add second 127.0.0.1:{dead} notls private"), "second is there, for all").await;
    bob.user.say(&bob.control, "open second").await;
    let room = bob.user.wait_invite_named("second").await;
    bob.user.join(&room).await;
    bob.user.wait_message(&room, "refused the connection").await;
    typed(format!("network server add second {live} notls"), "is a server of second").await;
    typed(format!("network server remove second 127.0.0.1:{dead}"), "is no server of second any more").await;
    bob.user.say(&room, "connect").await;
    // There he is bob already.
    bob.user.wait_message(&room, "as bob_, since the server does not give you bob.").await;
    assert!(scene.irene.is_online("bob_").await);

    steps.begin("ADDNETWORK DELNETWORK");
    let listed = typed("network".to_owned(), "an administrator, here").await;
    assert!(listed.contains(&format!("an administrator, here, servers {live} (no TLS)")), "{listed}");
    let mark = scene.irene.mark();
    scene.irene.raw("MONITOR + bob_");
    typed("network remove second".to_owned(), "@bob:test.local has second open.").await;
    typed("yes".to_owned(), "second is removed.").await;
    scene.irene.wait_line_after(mark, |line| line.contains(" 731 ") && line.contains("bob_")).await;
    bob.user.wait_message(&bob.control, "An administrator has removed second from this bridge").await;
    bob.user.say(&bob.control, "open second").await;
    bob.user.wait_message(&bob.control, "There is no network second here.").await;
}

async fn names(scene: &Scene, steps: &Steps) {
    let (alice, control) = (&scene.town.alice, scene.town.control.as_str());
    let profile =
        async || alice.request(Method::GET, &format!("profile/{}", bot()), &json!({})).await.unwrap();
    let is_called = |name: &'static str| {
        move |event: &Value| event["state_key"] == bot() && event["content"]["displayname"] == name
    };

    steps.begin("DISPLAYNAME AVATAR");
    ask(alice, control, "bot name Messenger", "My name is Messenger from now on.").await;
    alice.wait_event(control, is_called("Messenger")).await;
    let picture = alice.upload("image/png", b"\x89PNG\r\n\x1a\n").await;
    ask(alice, control, &format!("bot avatar {picture}"), "I have another picture.").await;
    let shown = profile().await;
    assert_eq!((&shown["displayname"], &shown["avatar_url"]), (&json!("Messenger"), &json!(picture)));
    ask(alice, control, "bot name off", "My name is Towline from now on.").await;
    ask(alice, control, "bot avatar off", "I have no picture.").await;
    let shown = profile().await;
    assert_eq!((&shown["displayname"], shown["avatar_url"].as_str()), (&json!("Towline"), None));
}

async fn rooms_and_lines(scene: &Scene, steps: &Steps) {
    let (alice, control, room) = (&scene.town.alice, scene.town.control.as_str(), scene.room.as_str());

    steps.begin("HIDDENROOM");
    alice.wait_member(room, &ghost("witness"), "join").await;
    assert!(!memberships(alice, room, &ghost("witness")).contains(&"invite".to_owned()));
    let rule = alice.wait_event(room, |event| event["type"] == "m.room.join_rules").await;
    assert_eq!(rule["content"]["join_rule"], "restricted", "{rule}");
    let lobby = rule["content"]["allow"][0]["room_id"].as_str().unwrap();
    let refused = alice.request(Method::POST, &format!("join/{lobby}"), &json!({})).await.unwrap_err();
    assert_eq!(refused["errcode"], "M_FORBIDDEN", "{refused}");

    steps.begin("SYNC");
    ask(alice, control, "set members none", "members none for you").await;
    alice.wait_member(room, &ghost("witness"), "leave").await;
    ask(alice, control, "unset members", "members").await;
    alice.wait_member(room, &ghost("witness"), "join").await;

    steps.begin("MAXLINES PASTEBIN");
    ask(alice, control, "limits lines 2", "lines 2 from now on.").await;
    alice.say(room, "of four\nlines\nonly\nthe first").await;
    assert_eq!(linked_text(&scene.irene, "… (3 more lines: ").await, "of four\nlines\nonly\nthe first");
    ask(alice, control, "limits lines off", "as it is built in").await;
    ask(alice, control, "set lines 3", "lines 3 for you").await;
    alice.say(room, "of four\nlines\nnow\ntwo").await;
    assert_eq!(linked_text(&scene.irene, "… (2 more lines: ").await, "of four\nlines\nnow\ntwo");
    let said: Vec<String> = scene.irene.messages(CHANNEL).into_iter().map(|(_, text)| text).collect();
    assert_eq!(
        (said.len(), said[0].as_str(), &said[2..4]),
        (5, "of four", &["of four".to_owned(), "lines".to_owned()][..])
    );

    steps.begin("REACTS");
    scene.town.inspircd.pause().await;
    let slow = alice.say(room, "slow").await;
    let hourglass = wait_hourglass(alice, room, &slow).await;
    scene.town.inspircd.go_on().await;
    scene.irene.wait_said("alice", CHANNEL, "slow").await;
    wait_taken_back(alice, room, &hourglass).await;
    // No other message of hers has a sign.
    let signs = alice.events(room).into_iter().filter(|event| event["type"] == "m.reaction");
    assert!(signs.map(|sign| sign["event_id"].clone()).all(|sign| sign == hourglass["event_id"]));
}

async fn forgotten(scene: &Scene, bob: &Bob, steps: &Steps) {
    let (alice, control) = (&scene.town.alice, scene.town.control.as_str());
    steps.begin("FORGET");
    ask(alice, control, "erase @bob:test.local", "deletes all that is kept about them, for good").await;
    let mark = scene.irene.mark();
    ask(alice, control, "yes", "Deleted: all that was kept about @bob:test.local").await;
    seen(scene, mark, "QUIT").await;
    bob.user.wait_member(&bob.control, &bot(), "leave").await;
    ask(alice, control, "erase @bob:test.local", "Nothing is kept about @bob:test.local.").await;
}
