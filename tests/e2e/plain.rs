//! A server that can hardly do more than RFC 2812: no tags, no echoes, no `MONITOR`, no services, and a penalty for
//! who talks too fast.

use tempfile::TempDir;

use crate::rig::inspircd::Inspircd;
use crate::rig::irc::IrcPerson;
use crate::rig::ngircd::Ngircd;
use crate::rig::towline::NetworkEntry;
use crate::rig::town::{Extras, NETWORK, Town, ghost};
use crate::scene::{CHANNEL, line, numbered};

/// A town whose network is an ngIRCd, with the flood control that ships.
async fn plain_town() -> (Town, Ngircd) {
    let directory = TempDir::with_prefix("towline-plain-").unwrap();
    let inspircd = Inspircd::start(&directory.path().join("inspircd")).await;
    let ngircd = Ngircd::start(&directory.path().join("ngircd")).await;
    let entry = NetworkEntry::ngircd("demo", NETWORK, &ngircd);
    (Town::around(directory, inspircd, entry, &Extras::default()).await, ngircd)
}

#[tokio::test]
async fn a_conversation_on_a_plain_server_goes_both_ways_once_and_in_order() {
    let (town, ngircd) = plain_town().await;
    let irene = IrcPerson::connect(ngircd.address(), "irene").await;
    irene.join(CHANNEL).await;
    let mark = irene.mark();
    let network = town.open_network().await;
    let room = town.join_channel(&network, CHANNEL).await;
    town.wait_alice_in(&irene, CHANNEL, mark).await;

    irene.say(CHANNEL, "hello from IRC");
    assert_eq!(town.alice.wait_message(&room, "hello from IRC").await["sender"], ghost("irene"));
    irene.action(CHANNEL, "waves");
    assert_eq!(town.alice.wait_message(&room, "waves").await["content"]["msgtype"], "m.emote");
    // More than we send at once, and one that is longer than a line.
    for number in 1..=6 {
        town.alice.say(&room, &line("matrix", number)).await;
    }
    let long = "żółć ".repeat(80);
    town.alice.say(&room, long.trim()).await;
    town.alice.say(&room, "that is all").await;
    irene.wait_said("alice", CHANNEL, "that is all").await;
    let heard: Vec<String> = irene.messages(CHANNEL).into_iter().map(|(_, text)| text).collect();
    let (counted, rest) = heard.split_at(6);
    assert_eq!(counted, numbered("matrix", 6));
    assert_eq!(rest[..rest.len() - 1].join(" "), long.trim());

    town.alice.say(&network, "msg irene psst").await;
    irene.wait_said("alice", "irene", "psst").await;
}

#[tokio::test]
async fn a_nick_is_had_back_by_looking_for_it_and_a_closed_door_opens_by_invitation() {
    let (town, ngircd) = plain_town().await;
    let other = IrcPerson::connect(ngircd.address(), "alice").await;
    let irene = IrcPerson::connect(ngircd.address(), "irene").await;
    irene.join("#closed").await;
    irene.raw("MODE #closed +i");
    let network = town.open_network().await;
    town.alice.wait_message(&network, "as alice_, since the server does not give you alice.").await;
    town.alice.say(&network, "join #closed").await;
    town.alice.wait_message(&network, "Not in #closed").await;
    let mark = irene.mark();
    irene.raw("INVITE alice_ #closed");
    irene.wait_line_after(mark, |line| line.starts_with(":alice_!") && line.contains(" JOIN ")).await;
    other.quit().await;
    town.alice.wait_message(&network, "You are now alice.").await;
    irene.wait_line_after(mark, |line| line.starts_with(":alice_!") && line.contains(" NICK ")).await;
}

#[tokio::test]
async fn a_plain_server_that_restarts_is_found_again_and_what_waited_arrives() {
    let (town, mut ngircd) = plain_town().await;
    let network = town.open_network().await;
    let room = town.join_channel(&network, CHANNEL).await;
    ngircd.restart().await;
    town.alice.wait_message(&network, "Server going down. Trying again").await;
    let irene = IrcPerson::connect(ngircd.address(), "irene").await;
    irene.join(CHANNEL).await;
    town.alice.say(&room, "said while away").await;
    irene.wait_said("alice", CHANNEL, "said while away").await;
    irene.say(CHANNEL, "welcome back");
    town.alice.wait_message(&room, "welcome back").await;
}
