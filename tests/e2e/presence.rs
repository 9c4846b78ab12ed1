//! People of IRC who are seen on Matrix as online or away, on a real Synapse: without presence, and with it.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::irc::IrcPerson;
use crate::rig::town::{Town, ghost};
use crate::scene::{CHANNEL, Scene, ask};

/// Synapse lets a presence lapse after 30 seconds, so that it holds when it is told again.
const LAPSE: Duration = Duration::from_secs(30);

/// How alice sees somebody.
async fn seen(town: &Town, user: &str) -> Value {
    let path = format!("presence/{user}/status");
    town.alice.request(Method::GET, &path, &json!({})).await.unwrap_or_default()
}

async fn wait_seen(town: &Town, user: &str, state: &str, words: Option<&str>) {
    let mut last = Value::Null;
    let found = tokio::time::timeout(crate::rig::LIMIT, async {
        loop {
            last = seen(town, user).await;
            if last["presence"] == state && last["status_msg"].as_str() == words {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("{user} is not {state} ({words:?}) but {last}"));
}

#[tokio::test]
async fn who_is_away_on_irc_is_away_on_matrix_where_synapse_has_presence_on() {
    let Scene { mut town, irene, witness, network, room } = Scene::start().await;
    for nick in ["irene", "witness"] {
        town.alice.wait_member(&room, &ghost(nick), "join").await;
    }
    // Synapse takes what it is told, and keeps nothing of it. Alice is the administrator.
    ask(&town.alice, &town.control, "set show-presence on", "show-presence on for you").await;
    town.alice.wait_message(&town.control, "your homeserver keeps no presence").await;

    town.towline.stop().await;
    town.synapse.stop().await;
    let file = town.synapse.config_file();
    let mut config: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    config["presence"]["enabled"] = json!(true);
    std::fs::write(&file, config.to_string()).unwrap();
    town.synapse.start_again().await;
    irene.raw("AWAY :at lunch");
    let mark = irene.mark();
    town.towline.run().await;
    town.wait_alice_in(&irene, CHANNEL, mark).await;

    // She was away before: WHO tells that, and not why.
    wait_seen(&town, &ghost("irene"), "unavailable", None).await;
    wait_seen(&town, &ghost("witness"), "online", None).await;
    witness.raw("AWAY :back soon");
    wait_seen(&town, &ghost("witness"), "unavailable", Some("back soon")).await;
    irene.raw("AWAY");
    wait_seen(&town, &ghost("irene"), "online", None).await;

    // It is told again before it lapses: she is never seen otherwise for twice as long.
    let looks = async {
        loop {
            let irene = seen(&town, &ghost("irene")).await;
            assert_eq!(irene["presence"], "online", "{irene}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    assert!(tokio::time::timeout(2 * LAPSE, looks).await.is_err());

    // Who is new is shown when their ghost is there.
    let walter = IrcPerson::connect(town.inspircd.address(), "walter").await;
    walter.join(CHANNEL).await;
    wait_seen(&town, &ghost("walter"), "online", None).await;
    ask(&town.alice, &network, "set show-presence off", "show-presence off for").await;
    wait_seen(&town, &ghost("walter"), "offline", None).await;
    wait_seen(&town, &ghost("witness"), "offline", None).await;
}
