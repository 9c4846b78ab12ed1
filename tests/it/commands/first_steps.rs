//! From opening the chat to talking in a channel, led by the bot. The README shows it, and this is what it shows.

use crate::support::bridge::World;
use crate::support::homeserver::Event;

/// What is shown of a conversation: who says what, in the README's form.
fn shown(world: &World, room: &str) -> Vec<String> {
    let messages =
        world.homeserver.events(room).into_iter().filter(|one: &Event| one.kind == "m.room.message");
    let lines = messages.flat_map(|one| {
        let who = if one.sender == world.homeserver.bot() { "Towline" } else { "alice" };
        let lines = one.body().lines().map(str::to_owned).collect::<Vec<_>>();
        lines
            .into_iter()
            .enumerate()
            .map(move |(number, line)| format!("  {:>7}  {line}", if number == 0 { who } else { "" }))
    });
    lines.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_never_used_irc_talks_in_a_channel_after_two_commands_as_the_readme_shows() {
    let world = World::builder().only_network("libera", "Libera.Chat").start().await;
    let irene = world.ircd.person("irene");
    irene.join("#tea");
    // What they type is what the bot has told them to.
    let (alice, control) = world.user_with_control_room("alice").await;
    alice.send_text(&control, "open libera");
    let network = world.homeserver.wait_invite(alice.id()).await;
    alice.join(&network).await;
    world.homeserver.wait_event(&control, |event| event.body().contains("join #channel")).await;
    world.ircd.wait_registered("alice").await;
    alice.send_text(&control, "join #tea");
    let room = alice.join(&world.homeserver.wait_invite(alice.id()).await).await;
    world
        .homeserver
        .wait_event(&control, |event| event.body().contains("You are invited to its room: "))
        .await;
    alice.send_text(&room, "Hello! Is it teatime?");
    assert_eq!(irene.wait_text("Hello! Is it teatime?").await.nick(), "alice");

    let typed = world
        .homeserver
        .events(&control)
        .iter()
        .chain(&world.homeserver.events(&room))
        .filter(|one| one.sender == alice.id() && one.kind == "m.room.message")
        .count();
    assert!(typed <= 4);
    let mut transcript = shown(&world, &control);
    transcript.push(format!("  {:>7}  Hello! Is it teatime?", "alice"));
    let transcript = transcript.join("\n");
    let readme = include_str!("../../../README.md");
    assert!(readme.contains(&transcript), "README.md should show\n{transcript}");
}
