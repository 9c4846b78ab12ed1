//! The nick that is in use, had back: by services, and by watching on a real server.

use tempfile::TempDir;

use crate::rig::atheme::Atheme;
use crate::rig::inspircd::Inspircd;
use crate::rig::irc::IrcPerson;
use crate::rig::towline::NetworkEntry;
use crate::rig::town::{Extras, NETWORK, Town};

#[tokio::test]
async fn atheme_gives_the_nick_back_to_its_account() {
    let directory = TempDir::with_prefix("towline-nicks-").unwrap();
    let inspircd = Inspircd::start(&directory.path().join("inspircd")).await;
    let atheme = Atheme::start(&inspircd).await;
    atheme.register_account(&inspircd, "alice", "looking-glass").await;
    let entry = NetworkEntry::tls("demo", NETWORK, &inspircd);
    let town = Town::around(directory, inspircd, entry, &Extras::default()).await;
    let other = IrcPerson::connect(town.inspircd.address(), "alice").await;
    let network = town.open_network().await;
    town.alice.wait_message(&network, "as alice_, since the server does not give you alice.").await;
    town.alice.say(&network, "sasl alice looking-glass").await;
    town.alice.say(&network, "disconnect").await;
    town.alice.say(&network, "connect").await;
    town.alice.wait_message(&network, "Logged in as alice").await;
    town.alice.wait_message(&network, "You are now alice.").await;
    drop(other);
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.raw("WHOIS alice");
    irene.wait_line(|line| line.contains(" 330 irene alice alice ")).await;
}

#[tokio::test]
async fn monitor_of_inspircd_tells_when_the_nick_is_free() {
    let town = Town::start().await;
    let other = IrcPerson::connect(town.inspircd.address(), "alice").await;
    let network = town.open_network().await;
    town.alice.wait_message(&network, "as alice_, since the server does not give you alice.").await;
    other.quit().await;
    town.alice.wait_message(&network, "You are now alice.").await;
}
