//! Channels that keep their user out, on a real server.

use crate::rig::irc::IrcPerson;
use crate::rig::town::Town;

#[tokio::test]
async fn closed_doors_open_by_invitation_and_by_a_key_that_was_learnt() {
    let mut town = Town::start().await;
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    irene.join("#closed").await;
    irene.raw("MODE #closed +i");
    let network = town.open_network().await;
    town.alice.wait_message(&network, "Connected to").await;
    town.alice.say(&network, "join #closed").await;
    town.alice.wait_message(&network, "Not in #closed").await;
    town.alice.say(&network, "channels").await;
    town.alice.wait_message(&network, "(473). I try again when you are invited").await;
    let mark = irene.mark();
    irene.raw("INVITE alice #closed");
    town.wait_alice_in(&irene, "#closed", mark).await;
    let room = town.alice.wait_invite_named("#closed (Demo)").await;
    town.alice.join(&room).await;

    // The key that is set while alice is there lets her in again after a restart.
    irene.raw("MODE #closed -i+k s3same");
    town.alice.wait_message(&room, "+k (key)").await;
    assert!(town.towline.stop().await.success());
    irene.wait_line(|line| line.starts_with(":alice!") && line.contains(" QUIT ")).await;
    let mark = irene.mark();
    town.towline.run().await;
    irene.wait_line_after(mark, |line| line.starts_with(":alice!") && line.contains(" JOIN ")).await;
}
