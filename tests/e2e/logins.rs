//! SASL through Atheme, on TLS that the rig's own authority vouches for.

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::rig::atheme::Atheme;
use crate::rig::inspircd::Inspircd;
use crate::rig::irc::IrcPerson;
use crate::rig::towline::{NetworkEntry, bot};
use crate::rig::town::{Extras, NETWORK, Town};
use crate::scene::CHANNEL;

/// A network with services, where alice has an account, and alice connected to it without using that.
async fn town_with_services() -> (Town, Atheme, String) {
    let directory = TempDir::with_prefix("towline-sasl-").unwrap();
    let inspircd = Inspircd::start(&directory.path().join("inspircd")).await;
    let atheme = Atheme::start(&inspircd).await;
    atheme.register_account(&inspircd, "alice", "looking-glass").await;
    let entry = NetworkEntry::tls("demo", NETWORK, &inspircd);
    let town = Town::around(directory, inspircd, entry, &Extras::default()).await;
    let network = town.open_network().await;
    town.alice.wait_message(&network, "Connected to").await;
    (town, atheme, network)
}

#[tokio::test]
async fn sasl_logs_in_over_tls_with_the_authority_of_the_network() {
    let (town, _atheme, network) = town_with_services().await;
    town.alice.say(&network, "sasl alice looking-glass").await;
    town.alice.say(&network, "disconnect").await;
    town.alice.say(&network, "connect").await;
    town.alice.wait_message(&network, "Logged in as alice").await;

    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.join(CHANNEL).await;
    let mark = irene.mark();
    let room = town.join_channel(&network, CHANNEL).await;
    town.wait_alice_in(&irene, CHANNEL, mark).await;
    irene.raw("WHOIS alice");
    irene.wait_line(|line| line.contains(" 330 irene alice alice ")).await;
    irene.wait_line(|line| line.contains(" 671 irene alice ")).await;
    town.alice.say(&room, "logged in").await;
    irene.wait_said("alice", CHANNEL, "logged in").await;
}

#[tokio::test]
async fn invariant_10_a_password_is_redacted_and_nowhere_in_clear() {
    let (mut town, _atheme, network) = town_with_services().await;
    let typed = town.alice.say(&network, "sasl alice looking-glass").await;
    let redacts = |event: &Value| {
        event["type"] == "m.room.redaction"
            && [&event["redacts"], &event["content"]["redacts"]].into_iter().any(|id| *id == typed.as_str())
    };
    assert_eq!(town.alice.wait_event(&network, redacts).await["sender"], bot());
    // Synapse itself has forgotten the text.
    let path = format!("rooms/{}/event/{}", network.replace('!', "%21"), typed.replace('$', "%24"));
    let event = town.alice.request(Method::GET, &path, &json!({})).await.unwrap();
    assert_eq!(event["content"], json!({}), "{event}");

    let mark = town.alice.messages(&network).len();
    town.alice.say(&network, "disconnect").await;
    town.alice.say(&network, "connect").await;
    town.alice.wait_message(&network, "Logged in as alice").await;
    assert!(town.towline.stop().await.success());
    let said = town.alice.messages(&network);
    assert!(said[mark..].iter().all(|(_, text)| !text.contains("looking-glass")), "{said:?}");
    for entry in std::fs::read_dir(town.towline.directory()).unwrap() {
        let file = entry.unwrap().path();
        let bytes = std::fs::read(&file).unwrap();
        for secret in ["looking-glass", "bG9va2luZy1nbGFzc"] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "the password is in {}", file.display());
        }
    }
}

#[tokio::test]
async fn a_wrong_password_joins_nothing_and_says_so() {
    let (town, _atheme, network) = town_with_services().await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.join(CHANNEL).await;
    town.alice.say(&network, "disconnect").await;
    town.alice.say(&network, &format!("join {CHANNEL}")).await;
    town.alice.say(&network, "sasl alice wrong-password").await;
    town.alice.say(&network, "connect").await;

    let told = town.alice.wait_message(&network, "The login failed").await;
    assert_eq!(told["content"]["m.mentions"]["user_ids"], json!([town.alice.id()]), "it must reach alice");
    town.alice.wait_message(&network, "I will not try again by myself").await;
    assert!(!irene.is_online("alice").await);
    assert_eq!(irene.names(CHANNEL).await, ["irene"]);
    assert!(!irene.lines().iter().any(|line| line.starts_with(":alice!")), "{:?}", irene.lines());

    // Set right, it connects and joins what was asked for.
    let mark = irene.mark();
    town.alice.say(&network, "sasl alice looking-glass").await;
    town.alice.say(&network, "connect").await;
    town.wait_alice_in(&irene, CHANNEL, mark).await;
}
