//! The bridge between real servers.

use tempfile::TempDir;

use crate::rig::atheme::Atheme;
use crate::rig::inspircd::Inspircd;
use crate::rig::irc::IrcPerson;
use crate::rig::towline::{NetworkEntry, bot};
use crate::rig::town::{NETWORK, Town, ghost};

#[tokio::test]
async fn a_conversation_goes_both_ways() {
    let town = Town::start().await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.join("#towline").await;
    let mark = irene.mark();
    let network = town.open_network().await;
    let room = town.join_channel(&network, "#towline").await;
    town.wait_alice_in(&irene, "#towline", mark).await;

    irene.say("#towline", "hello from IRC");
    let event = town.alice.wait_message(&room, "hello from IRC").await;
    assert_eq!(event["sender"], ghost("irene"));
    assert_eq!(event["content"]["msgtype"], "m.text");
    town.alice.say(&room, "hello from Matrix").await;
    irene.wait_said("alice", "#towline", "hello from Matrix").await;
    irene.action("#towline", "waves");
    assert_eq!(town.alice.wait_message(&room, "waves").await["content"]["msgtype"], "m.emote");
    town.alice.action(&room, "waves back").await;
    irene.wait_line(|line| line.contains("PRIVMSG #towline :\u{1}ACTION waves back\u{1}")).await;
    irene.say("#towline", "żółć 🦀 and a : colon");
    town.alice.wait_message(&room, "żółć 🦀 and a : colon").await;

    let own = irene.messages("#towline").into_iter().filter(|(nick, _)| nick == "alice").count();
    assert_eq!(own, 2, "each line once: {:?}", irene.messages("#towline"));
    let ghosts =
        town.alice.messages(&room).into_iter().filter(|(sender, _)| *sender == ghost("irene")).count();
    assert_eq!(ghosts, 3, "each line once: {:?}", town.alice.messages(&room));
    assert_eq!(town.alice.displayname(&room, &ghost("irene")).as_deref(), Some("irene"));
}

#[tokio::test]
async fn a_restart_in_the_middle_keeps_the_rooms_and_goes_on() {
    let mut town = Town::start().await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.join("#towline").await;
    let mark = irene.mark();
    let network = town.open_network().await;
    let room = town.join_channel(&network, "#towline").await;
    town.wait_alice_in(&irene, "#towline", mark).await;
    irene.say("#towline", "before");
    town.alice.wait_message(&room, "before").await;
    let rooms = town.alice.joined_rooms();

    let mark = irene.mark();
    assert!(town.towline.stop().await.success(), "a stop that was asked for is no failure");
    irene.wait_line_after(mark, |line| line.starts_with(":alice!") && line.contains(" QUIT ")).await;
    // Said while the bridge is down: the homeserver keeps it, and it arrives afterwards.
    town.alice.say(&room, "said meanwhile").await;
    let mark = irene.mark();
    town.towline.run().await;
    town.wait_alice_in(&irene, "#towline", mark).await;
    irene.wait_said("alice", "#towline", "said meanwhile").await;
    irene.say("#towline", "after");
    town.alice.wait_message(&room, "after").await;
    town.alice.say(&room, "and back").await;
    irene.wait_said("alice", "#towline", "and back").await;
    assert_eq!(town.alice.joined_rooms(), rooms, "the same rooms, and no others");
    let said = irene.messages("#towline");
    let once = said.iter().filter(|(_, text)| text == "said meanwhile").count();
    assert_eq!(once, 1, "{said:?}");
}

#[tokio::test]
async fn a_killed_bridge_comes_back_with_its_rooms() {
    let mut town = Town::start().await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.join("#towline").await;
    let mark = irene.mark();
    let network = town.open_network().await;
    let room = town.join_channel(&network, "#towline").await;
    town.wait_alice_in(&irene, "#towline", mark).await;
    let mark = irene.mark();
    town.towline.kill().await;
    irene.wait_line_after(mark, |line| line.starts_with(":alice!") && line.contains(" QUIT ")).await;
    let mark = irene.mark();
    town.towline.run().await;
    town.wait_alice_in(&irene, "#towline", mark).await;
    irene.say("#towline", "welcome back");
    town.alice.wait_message(&room, "welcome back").await;
}

#[tokio::test]
async fn sasl_logs_in_over_tls_with_the_authority_of_the_network() {
    let directory = TempDir::with_prefix("towline-sasl-").unwrap();
    let inspircd = Inspircd::start(&directory.path().join("inspircd")).await;
    let atheme = Atheme::start(&inspircd).await;
    atheme.register_account(&inspircd, "alice", "looking-glass").await;
    let entry = NetworkEntry::tls("demo", NETWORK, &inspircd);
    let town = Town::around(directory, inspircd, entry).await;
    let network = town.open_network().await;
    let typed = town.alice.say(&network, "sasl alice looking-glass").await;
    town.alice.say(&network, "disconnect").await;
    town.alice.say(&network, "connect").await;

    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.join("#towline").await;
    let mark = irene.mark();
    let room = town.join_channel(&network, "#towline").await;
    town.wait_alice_in(&irene, "#towline", mark).await;
    irene.raw("WHOIS alice");
    irene.wait_line(|line| line.contains(" 330 irene alice alice ")).await;
    irene.wait_line(|line| line.contains(" 671 irene alice ")).await;
    town.alice.say(&room, "logged in").await;
    irene.wait_said("alice", "#towline", "logged in").await;
    // A password typed in a room is redacted by the bot.
    let redacts = |event: &serde_json::Value| {
        event["type"] == "m.room.redaction"
            && [&event["redacts"], &event["content"]["redacts"]].into_iter().any(|id| *id == typed.as_str())
    };
    assert_eq!(town.alice.wait_event(&network, redacts).await["sender"], bot());
}
