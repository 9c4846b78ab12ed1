//! A channel that is run by commands, on a real server: its people, topic, modes and lists.

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::rig::inspircd::Inspircd;
use crate::rig::irc::IrcPerson;
use crate::rig::towline::NetworkEntry;
use crate::rig::town::{Extras, NETWORK, Town};
use crate::scene::ask;

/// What InspIRCd has by modules: bans that silence, and knocking.
const MODULES: &str = "<module name=\"muteban\"><module name=\"knock\">";

#[tokio::test]
async fn a_channel_is_run_by_commands_in_its_room() {
    let directory = TempDir::with_prefix("towline-town-").unwrap();
    let inspircd = Inspircd::start_with(&directory.path().join("inspircd"), MODULES).await;
    let entry = NetworkEntry::plain("demo", NETWORK, &inspircd);
    let town = Town::around(directory, inspircd, entry, &Extras::default()).await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.join("#towline").await;
    let walter = IrcPerson::connect(town.inspircd.address(), "walter").await;
    walter.join("#towline").await;
    let mark = irene.mark();
    let network = town.open_network().await;
    let room = town.join_channel(&network, "#towline").await;
    town.wait_alice_in(&irene, "#towline", mark).await;
    let alice = &town.alice;
    irene.say("#towline", "hello alice");
    alice.wait_message(&room, "hello alice").await;

    // Who is no operator can look, and is told whom to ask.
    let names = ask(alice, &room, "!irc names", "In #towline are 3 people.").await;
    assert!(names.contains("irene") && names.contains("walter"), "{names}");
    let refused = ask(alice, &room, "!irc kick walter", "Demo says: ").await;
    assert!(refused.contains("Ask an operator of #towline"), "{refused}");
    irene.raw("MODE #towline +o alice");
    irene.wait_line(|line| line.contains("MODE #towline +o") && line.contains("alice")).await;

    ask(alice, &room, "!irc topic Ropes & knots", "#towline has its new topic.").await;
    irene.wait_line(|line| line.contains(" TOPIC #towline ") && line.ends_with(":Ropes & knots")).await;
    let topic = ask(alice, &room, "!irc topic", "Topic of #towline: Ropes & knots").await;
    assert!(topic.contains("\nSet by alice on 20"), "{topic}");
    // The room has the channel's, and the other way round where she wants that.
    let has = |wanted: &'static str| {
        move |event: &serde_json::Value| {
            event["type"] == "m.room.topic" && event["content"]["topic"] == wanted
        }
    };
    alice.wait_event(&room, has("Ropes & knots")).await;
    ask(alice, &room, "!irc set topic-sync any", "topic-sync any for #towline.").await;
    let path = format!("rooms/{room}/state/m.room.topic");
    alice.request(Method::PUT, &path, &json!({ "topic": "Sails" })).await.unwrap();
    irene.wait_line(|line| line.contains(" TOPIC #towline ") && line.ends_with("Sails")).await;
    irene.raw("TOPIC #towline :Anchors");
    alice.wait_event(&room, has("Anchors")).await;

    let modes = ask(alice, &room, "!irc mode", "#towline has +").await;
    assert!(modes.contains("nobody speaks from outside"), "{modes}");
    ask(alice, &room, "!irc mode +m", "only those speak who have voice").await;
    ask(alice, &room, "!irc mode -m", "Demo took it. #towline has +").await;
    ask(alice, &room, "!irc mode +Y", "have no mode Y").await;

    ask(alice, &room, "!irc voice walter irene", "walter and irene are people with voice in #towline.").await;
    ask(alice, &room, "!irc devoice walter", "walter is no longer somebody with voice in #towline.").await;
    ask(alice, &room, "!irc op walter", "walter is an operator in #towline.").await;
    ask(alice, &room, "!irc deop walter", "walter is no longer an operator in #towline.").await;
    ask(alice, &room, "!irc op nobody", "Nobody on the network is called nobody now.").await;

    let otto = IrcPerson::connect(town.inspircd.address(), "otto").await;
    ask(alice, &room, "!irc invite otto", "otto is invited to #towline.").await;
    otto.wait_line(|line| line.contains(" INVITE otto ") && line.contains("#towline")).await;

    ask(alice, &room, "!irc kick walter please, no shouting", "walter is out of #towline.").await;
    walter
        .wait_line(|line| line.contains(" KICK #towline walter ") && line.ends_with("please, no shouting"))
        .await;
    ask(alice, &room, "!irc kick walter", "walter is not in #towline").await;

    // Everybody here comes from one host.
    ask(alice, &room, "!irc ban walter!*@*", "Among the bans of #towline is now walter!*@*").await;
    let bans = ask(alice, &room, "!irc bans", "#towline, bans: 1 of ").await;
    assert!(bans.contains("walter!*@*") && bans.contains("| alice | 20"), "{bans}");
    walter.raw("JOIN #towline");
    walter.wait_line(|line| line.contains(" 474 ")).await;
    ask(alice, &room, "!irc unban walter", "No longer among the bans of #towline: walter!*@*").await;
    walter.join("#towline").await;
    let by_host = ask(alice, &room, "!irc quiet walter", "Among the quiets of #towline is now *!*@").await;
    assert!(by_host.contains("(walter)"), "{by_host}");
    walter.raw("PRIVMSG #towline :hear me");
    walter.wait_line(|line| line.contains(" 404 ")).await;
    ask(alice, &room, "!irc quiets", "#towline, quiets: 1").await;
    ask(alice, &room, "!irc unquiet walter", "No longer among the quiets of #towline: ").await;
    ask(alice, &room, "!irc bans", "#towline has no bans.").await;
    ask(alice, &room, "!irc excepts", "#towline has no exceptions from bans.").await;

    let mark = irene.mark();
    ask(alice, &room, "!irc cycle", "Leaving #towline, and entering it again.").await;
    irene.wait_line_after(mark, |line| line.starts_with(":alice!") && line.contains(" PART ")).await;
    irene.wait_line_after(mark, |line| line.starts_with(":alice!") && line.contains(" JOIN ")).await;
}

#[tokio::test]
async fn a_kickban_on_a_real_server_keeps_out_whom_it_puts_out() {
    let town = Town::start().await;
    let network = town.open_network().await;
    let room = town.join_channel(&network, "#towline").await;
    let walter = IrcPerson::connect(town.inspircd.address(), "walter").await;
    town.wait_alice_in(&walter, "#towline", 0).await;
    walter.join("#towline").await;
    walter.say("#towline", "buy this");
    town.alice.wait_message(&room, "buy this").await;
    ask(&town.alice, &room, "!irc kickban walter no advertising", ", and walter is out.").await;
    walter.wait_line(|line| line.contains(" KICK #towline walter ")).await;
    walter.raw("JOIN #towline");
    walter.wait_line(|line| line.contains(" 474 ")).await;
}

#[tokio::test]
async fn a_detached_channel_comes_back_when_its_user_is_named() {
    let town = Town::start().await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.join("#towline").await;
    let mark = irene.mark();
    let network = town.open_network().await;
    let room = town.join_channel(&network, "#towline").await;
    town.wait_alice_in(&irene, "#towline", mark).await;
    town.alice.say(&room, "!irc detach").await;
    town.alice.wait_out(&room).await;
    irene.say("#towline", "in peace");
    irene.say("#towline", "alice: look here");
    town.alice.wait_invite_named("#towline (Demo)").await;
    town.alice.join(&room).await;
    town.alice.wait_message(&room, "in peace").await;
    let named = town.alice.wait_message(&room, "alice: look here").await;
    assert_eq!(named["content"]["msgtype"], "m.text");
    assert!(irene.names("#towline").await.contains(&"alice".to_owned()));
}
