//! The rig's servers without the bridge: they start, and people talk on each of them.

use serde_json::json;
use tempfile::TempDir;

use crate::rig::atheme::Atheme;
use crate::rig::inspircd::Inspircd;
use crate::rig::irc::IrcPerson;
use crate::rig::matrix::MatrixUser;
use crate::rig::synapse::{Plan, Synapse};

#[tokio::test]
async fn two_users_talk_on_synapse_before_and_after_a_restart() {
    let directory = TempDir::with_prefix("towline-synapse-").unwrap();
    let mut synapse = Synapse::start(Plan::new(), directory.path(), &[]).await;
    let alice = MatrixUser::register(&synapse.url, "alice", "wonderland").await;
    let bob = MatrixUser::register(&synapse.url, "bob", "builder").await;
    let room = alice.create_room(&json!({ "name": "two", "invite": [bob.id()] })).await;
    assert_eq!(bob.wait_invite_named("two").await, room);
    bob.join(&room).await;
    alice.wait_member(&room, bob.id(), "join").await;
    bob.say(&room, "hello").await;
    alice.wait_message(&room, "hello").await;

    synapse.restart().await;
    alice.say(&room, "still here").await;
    bob.wait_message(&room, "still here").await;
    let again = MatrixUser::login(&synapse.url, "bob", "builder").await;
    again.wait_message(&room, "still here").await;
    assert_eq!(again.messages(&room).len(), 2);
}

#[tokio::test]
async fn new_rooms_on_synapse_are_version_12_with_ids_without_a_domain() {
    let directory = TempDir::with_prefix("towline-synapse-").unwrap();
    let synapse = Synapse::start(Plan::new(), directory.path(), &[]).await;
    let alice = MatrixUser::register(&synapse.url, "alice", "wonderland").await;
    let room = alice.create_room(&json!({})).await;
    assert!(!room.contains(':'), "{room}");
}

#[tokio::test]
async fn people_talk_on_inspircd_and_nickserv_registers_an_account() {
    let directory = TempDir::with_prefix("towline-inspircd-").unwrap();
    let inspircd = Inspircd::start(directory.path()).await;
    let atheme = Atheme::start(&inspircd).await;
    atheme.register_account(&inspircd, "irene", "secret1").await;
    let irene = IrcPerson::connect(inspircd.address(), "irene").await;
    let bob = IrcPerson::connect(inspircd.address(), "bob").await;
    irene.say("NickServ", "IDENTIFY secret1");
    irene.wait_line(|line| line.contains("You are now identified")).await;
    irene.join("#rust").await;
    bob.join("#rust").await;
    irene.say("#rust", "hello bob");
    bob.wait_said("irene", "#rust", "hello bob").await;
    bob.action("#rust", "waves");
    irene.wait_line(|line| line.contains("ACTION waves")).await;
    assert_eq!(bob.names("#rust").await, ["bob", "irene"]);
}
