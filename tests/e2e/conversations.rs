//! The bridge between real servers: what people do with it.

use serde_json::{Value, json};

use crate::rig::irc::IrcPerson;
use crate::rig::towline::bot;
use crate::rig::town::{Town, ghost};

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
    let ghosts = town.alice.lines(&room).into_iter().filter(|(sender, _)| *sender == ghost("irene")).count();
    assert_eq!(ghosts, 3, "each line once: {:?}", town.alice.lines(&room));
    assert_eq!(town.alice.displayname(&room, &ghost("irene")).as_deref(), Some("irene"));
}

/// The members of a room who are in it or invited, by alice's view, sorted.
fn members(town: &Town, room: &str) -> Vec<(String, String)> {
    let mut members = std::collections::BTreeMap::new();
    for event in town.alice.events(room).iter().filter(|event| event["type"] == "m.room.member") {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        members.insert(text(&event["state_key"]), text(&event["content"]["membership"]));
    }
    members.into_iter().collect()
}

#[tokio::test]
async fn a_query_goes_both_ways_in_a_room_of_two() {
    let town = Town::start().await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    let network = town.open_network().await;
    town.alice.wait_message(&network, "Connected to").await;

    irene.say("alice", "psst, alice");
    let room = town.alice.wait_invite().await;
    town.alice.join(&room).await;
    assert_eq!(town.alice.wait_message(&room, "psst, alice").await["sender"], ghost("irene"));
    town.alice.say(&room, "yes?").await;
    irene.wait_said("alice", "irene", "yes?").await;
    irene.say("alice", "nothing");
    town.alice.wait_message(&room, "nothing").await;
    let joined = |user: &str| (user.to_owned(), "join".to_owned());
    assert_eq!(members(&town, &room), [joined(town.alice.id()), joined(&ghost("irene"))]);

    // And begun from Matrix, with somebody else.
    let bob = IrcPerson::connect(town.inspircd.address(), "bob").await;
    town.alice.say(&network, "query bob").await;
    let room = town.alice.wait_invite().await;
    town.alice.join(&room).await;
    town.alice.say(&room, "hello bob").await;
    bob.wait_said("alice", "bob", "hello bob").await;
    bob.say("alice", "hello alice");
    assert_eq!(town.alice.wait_message(&room, "hello alice").await["sender"], ghost("bob"));
    assert_eq!(members(&town, &room), [joined(town.alice.id()), joined(&ghost("bob"))]);
}

#[tokio::test]
async fn an_encrypted_chat_is_explained_once_in_a_room_that_is_not() {
    let town = Town::start().await;
    let encryption = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    let encrypted = town
        .alice
        .create_room(&json!({
            "preset": "trusted_private_chat", "is_direct": true, "invite": [bot()],
            "initial_state": [{ "type": "m.room.encryption", "state_key": "", "content": encryption }],
        }))
        .await;
    town.alice.wait_member(&encrypted, &bot(), "join").await;
    let content = json!({
        "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "A", "session_id": "s", "device_id": "d", "sender_key": "k",
    });
    town.alice.send(&encrypted, "m.room.encrypted", &content).await;
    town.alice.send(&encrypted, "m.room.encrypted", &content).await;

    let room = town.alice.wait_invite().await;
    town.alice.join(&room).await;
    let told = town.alice.wait_message(&room, "That chat is encrypted").await;
    assert_eq!(told["sender"], bot());
    assert_eq!(told["content"]["m.mentions"]["user_ids"], json!([town.alice.id()]));
    town.alice.say(&room, "help").await;
    town.alice.wait_message(&room, "join [NETWORK] #CHANNEL").await;
    let explained =
        town.alice.messages(&room).iter().filter(|(_, text)| text.contains("is encrypted")).count();
    assert_eq!(explained, 1);
    assert!(
        town.alice.messages(&encrypted).is_empty(),
        "nothing is said where it would be the only clear text"
    );
}
