//! SASL and NickServ through Atheme, on TLS that the rig's own authority vouches for.

use std::cell::RefCell;
use std::collections::HashSet;

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

/// Alice's connection ends and begins anew.
async fn reconnect(town: &Town, network: &str) {
    town.alice.say(network, "disconnect").await;
    town.alice.say(network, "connect").await;
}

/// Waits until something was said so often in the network's room; the last time of it.
async fn wait_times(town: &Town, network: &str, times: usize, part: &str) -> Value {
    let seen = RefCell::new(HashSet::new());
    let said = |event: &Value| {
        let body = event["content"]["body"].as_str().unwrap_or_default();
        body.contains(part) && {
            seen.borrow_mut().insert(event["event_id"].to_string());
            seen.borrow().len() >= times
        }
    };
    town.alice.wait_event(network, said).await
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

#[tokio::test]
async fn a_certificate_that_nickserv_was_told_logs_in_by_sasl_external() {
    let (town, _atheme, network) = town_with_services().await;
    town.alice.say(&network, "certfp generate").await;
    let told = town.alice.wait_message(&network, "SHA-256: ").await;
    let body = told["content"]["body"].as_str().unwrap();
    let sha256 = body.split("SHA-256: ").nth(1).unwrap()[..64].to_owned();
    // It is shown, but of no use before the services know it: the password comes after it.
    town.alice.say(&network, "sasl alice looking-glass").await;
    reconnect(&town, &network).await;
    town.alice.wait_message(&network, "Logged in as alice").await;
    wait_times(&town, &network, 2, "Connected to").await;
    town.alice.say(&network, &format!("msg NickServ CERT ADD {sha256}")).await;
    town.alice.wait_message(&network, &format!("Added fingerprint {sha256}")).await;

    town.alice.say(&network, "sasl off").await;
    town.alice.say(&network, "sasl alice").await;
    town.alice.wait_message(&network, "Your certificate stands for the password").await;
    reconnect(&town, &network).await;
    wait_times(&town, &network, 2, "Logged in as alice").await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.raw("WHOIS alice");
    irene.wait_line(|line| line.contains(" 330 irene alice alice ")).await;
    irene.wait_line(|line| line.contains(" 276 irene alice ") && line.contains(&sha256)).await;
}

#[tokio::test]
async fn nickserv_is_known_as_the_networks_service_and_channels_wait_for_the_login() {
    let (town, atheme, network) = town_with_services().await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.join(CHANNEL).await;
    town.join_channel(&network, CHANNEL).await;
    town.wait_alice_in(&irene, CHANNEL, 0).await;
    town.alice.say(&network, "sasl alice looking-glass").await;
    for (times, command) in
        ["login nickserv", "login nickserv NickServ@services.test.local"].iter().enumerate()
    {
        town.alice.say(&network, command).await;
        let mark = irene.mark();
        reconnect(&town, &network).await;
        wait_times(&town, &network, times + 1, "Logged in as alice").await;
        irene.wait_line_after(mark, |line| line.starts_with(":alice!") && line.contains(" JOIN ")).await;
    }
    let said = town.alice.messages(&network);
    assert!(said.iter().all(|(_, text)| !text.contains("IDENTIFY looking-glass")), "{said:?}");

    // With the services gone, somebody takes the name: nothing is said to them, and no channel is entered.
    drop(atheme);
    let thief = loop {
        if !irene.is_online("NickServ").await {
            break IrcPerson::connect(town.inspircd.address(), "NickServ").await;
        }
    };
    town.alice.say(&network, "login nickserv").await;
    let mark = irene.mark();
    reconnect(&town, &network).await;
    town.alice.wait_message(&network, "does not show NickServ as a service").await;
    assert!(
        !irene.lines_after(mark).iter().any(|line| line.starts_with(":alice!") && line.contains(" JOIN "))
    );
    town.alice.say(&network, "login nickserv NickServ@services.test.local").await;
    town.alice.say(&network, "connect").await;
    town.alice.wait_message(&network, "offers no login at the moment").await;
    assert_eq!(thief.messages("NickServ"), []);
}

#[tokio::test]
async fn a_server_that_asks_for_tls_by_sts_gets_it_at_once_and_from_then_on() {
    let directory = TempDir::with_prefix("towline-sts-").unwrap();
    let strict = "<module name=\"ircv3_sts\"><sts host=\"localhost\" port=\"@TLS@\" duration=\"1h\">\n";
    let inspircd = Inspircd::start_with(&directory.path().join("inspircd"), strict).await;
    let entry = NetworkEntry::plain_by_name("demo", NETWORK, &inspircd);
    let extras = Extras { roots: Some(inspircd.ca_file()), ..Extras::default() };
    let town = Town::around(directory, inspircd, entry, &extras).await;
    let network = town.open_network().await;
    town.alice.wait_message(&network, "Connected to").await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.raw("WHOIS alice");
    irene.wait_line(|line| line.contains(" 671 irene alice ")).await;
    let by_tls = format!("Connecting to localhost:{} with TLS", town.inspircd.tls_port);
    wait_times(&town, &network, 1, &by_tls).await;
    reconnect(&town, &network).await;
    wait_times(&town, &network, 2, "Connected to").await;
    wait_times(&town, &network, 2, &by_tls).await;
    let plainly = town.alice.messages(&network).into_iter().filter(|(_, text)| text.contains("without TLS"));
    assert_eq!(plainly.count(), 1, "only before it was asked");
}
