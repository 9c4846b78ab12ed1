//! `towline check` against a real homeserver: all is well, and each way in which it is not.

use std::path::Path;

use tempfile::TempDir;

use crate::rig::inspircd::Inspircd;
use crate::rig::synapse::SERVER_NAME;
use crate::rig::towline::NetworkEntry;
use crate::rig::town::{Extras, NETWORK, Town};

/// Replaces what stands after `key:` in a file; returns what stood there.
fn replace(file: &Path, key: &str, with: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let start = format!("{key}: \"");
    let (before, rest) = text.split_once(&start).unwrap_or_else(|| panic!("no {key} in {text}"));
    let (old, after) = rest.split_once('"').unwrap();
    std::fs::write(file, format!("{before}{start}{with}\"{after}")).unwrap();
    old.to_owned()
}

#[tokio::test]
async fn check_finds_all_well_and_each_failure_has_its_code_and_remedy() {
    let mut town = Town::start().await;
    let (code, said) = town.towline.check().await;
    assert_eq!(code, 0, "{said}");
    let names =
        ["homeserver", "clock", "as_token", "ping", "ghosts", "aliases", "message times", "rate limits"];
    for name in names.into_iter().chain(["ephemeral events", "database speed", "network demo"]) {
        assert!(said.contains(&format!("ok       {name}: ")), "{name} in\n{said}");
    }
    assert!(said.contains(" is Synapse"), "{said}");
    assert!(said.contains("the running Towline"), "{said}");

    let (code, said) = town.towline.run_twice().await;
    assert_eq!(code, 16, "another one runs already: {said}");

    let registration = town.towline.registration();
    let right = replace(&registration, "as_token", &"0".repeat(64));
    let (code, said) = town.towline.check().await;
    assert_eq!(code, 13, "{said}");
    assert!(said.contains("FAILED   as_token") && said.contains("remedy: give "), "{said}");
    assert!(!said.contains(&right), "no token is shown");
    assert!(town.towline.stop().await.success());
    let (code, said) = town.towline.run_twice().await;
    assert_eq!(code, 13, "{said}");
    replace(&registration, "as_token", &right);

    // Nobody runs, so the check itself hears the homeserver's ping.
    let (code, said) = town.towline.check().await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("the homeserver reached this check"), "{said}");
    assert!(said.contains("ok       ephemeral events: "), "{said}");
    let right = replace(&registration, "hs_token", &"0".repeat(64));
    let (code, said) = town.towline.check().await;
    assert_eq!(code, 13, "{said}");
    assert!(said.contains("FAILED   ping") && said.contains("another hs_token"), "{said}");
    replace(&registration, "hs_token", &right);

    town.synapse.stop().await;
    let (code, said) = town.towline.check().await;
    assert_eq!(code, 12, "{said}");
    assert!(said.contains("FAILED   homeserver") && said.contains("remedy: "), "{said}");

    // With the homeserver away `run` waits for it.
    town.towline.run().await;
    town.synapse.start_again().await;
    let network = town.open_network().await;
    town.alice.wait_message(&network, "Connected to").await;
    assert!(town.towline.stop().await.success());

    std::fs::remove_file(town.towline.directory().join("towline.key")).unwrap();
    let (code, said) = town.towline.check().await;
    assert_eq!(code, 10, "{said}");
}

#[tokio::test]
async fn check_explains_that_another_bridge_holds_the_names() {
    let directory = TempDir::with_prefix("towline-check-").unwrap();
    let inspircd = Inspircd::start(&directory.path().join("inspircd")).await;
    let entry = NetworkEntry::plain("demo", NETWORK, &inspircd);
    let other = directory.path().join("heisenbridge.yaml");
    let registration = serde_json::json!({
        "id": "heisenbridge", "url": "http://127.0.0.1:1", "as_token": "a-token", "hs_token": "b-token",
        "sender_localpart": "heisenbridge", "rate_limited": false,
        "namespaces": {
            "users": [{ "regex": format!("@irc_.*:{SERVER_NAME}"), "exclusive": true }],
            "aliases": [{ "regex": format!("#irc_.*:{SERVER_NAME}"), "exclusive": true }],
            "rooms": [],
        },
    });
    std::fs::write(&other, registration.to_string()).unwrap();
    let extras = Extras { registrations: vec![other], ..Extras::default() };
    let town = Town::around(directory, inspircd, entry, &extras).await;
    let (code, said) = town.towline.check().await;
    assert_eq!(code, 14, "{said}");
    assert!(said.contains("FAILED   ghosts") && said.contains("Heisenbridge"), "{said}");
    assert!(said.contains("another prefix"), "{said}");
}
