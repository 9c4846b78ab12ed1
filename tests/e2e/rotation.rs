//! The key and the tokens are changed in the middle of a conversation on real servers: nothing is missing.

use crate::rig::town::Town;
use crate::scene::{CHANNEL, Scene, Talk, line, numbered};

#[tokio::test]
async fn invariant_1_another_key_and_other_tokens_in_the_middle_lose_and_double_nothing() {
    let mut scene = Scene::start().await;
    let talk = Talk::default();
    let (witness, irene, room) = (&scene.witness, &scene.irene, &scene.room);
    let Town { towline, synapse, alice, .. } = &mut scene.town;
    let change = async {
        witness.wait_said("alice", CHANNEL, &line("matrix", 10)).await;
        let (code, said) = towline.command(&["key", "rotate"]).await;
        assert_eq!(code, 0, "{said}");
        let (code, said) = towline.command(&["registration", "--new-tokens"]).await;
        assert_eq!(code, 0, "{said}");
        towline.reload().await;
        towline.wait_logged("all is sealed with the new key").await;
        let (code, said) = towline.command(&["key", "retire"]).await;
        assert_eq!(code, 0, "{said}");
        talk.go_on(10).await;
        talk.end();
    };
    tokio::join!(talk.on_irc(irene), talk.on_matrix(alice, room), change);
    witness.wait_said("alice", CHANNEL, &line("matrix", talk.from_matrix.get())).await;
    // People can't say anything on Matrix while Synapse restarts; on IRC they can.
    let (from_irc, second) = (talk.from_irc.get(), Talk::default());
    second.from_irc.set(from_irc);
    let restart = async {
        second.go_on_irc(5).await;
        synapse.restart().await;
        second.go_on_irc(10).await;
        second.end();
    };
    tokio::join!(second.on_irc(irene), restart);
    let last = line("matrix", talk.from_matrix.get() + 1);
    alice.say(room, &last).await;
    witness.wait_said("alice", CHANNEL, &last).await;
    alice.wait_message(room, &line("irc", second.from_irc.get())).await;
    towline.wait_logged("the homeserver has the new hs_token").await;
    towline.wait_logged("the homeserver takes the other as_token").await;
    let (code, said) = towline.check().await;
    assert_eq!(code, 0, "{said}");

    // With the new files alone.
    assert!(towline.stop().await.success());
    let mut kept = towline.registration().into_os_string();
    kept.push(".previous");
    std::fs::remove_file(kept).unwrap();
    let mark = witness.mark();
    towline.run().await;
    witness.wait_line_after(mark, |line| line.starts_with(":alice!") && line.contains(" JOIN ")).await;
    let (code, said) = towline.check().await;
    assert_eq!(code, 0, "{said}");

    assert_eq!(scene.heard_by_alice(), numbered("irc", second.from_irc.get()));
    let expected: Vec<String> = numbered("matrix", talk.from_matrix.get() + 1);
    assert_eq!(scene.heard_from_alice(), expected);
}
