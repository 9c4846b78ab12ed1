//! What is done whenever a channel is entered.

use crate::support::bridge::World;
use crate::support::homeserver::Event;

fn begins(words: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().starts_with(words)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wanted_on_joining_is_done_each_time() {
    let mut world = World::start().await;
    let bob = world.ircd.person("bob");
    let (alice, _, room) = world.user_in_channel("alice", "#tea").await;
    alice.send_text(&room, "!irc onjoin");
    world.homeserver.wait_event(&room, begins("Nothing is done by itself when you enter #tea.")).await;
    alice.send_text(&room, "!irc onjoin msg bob I am back");
    world.homeserver.wait_event(&room, begins("When you enter #tea:\nmsg bob I am back")).await;
    alice.send_text(&room, "!irc onjoin mode +s");
    world.homeserver.wait_event(&room, begins("When you enter #tea:\nmsg bob I am back\nmode +s")).await;

    alice.send_text(&room, "!irc cycle");
    bob.wait_text("I am back").await;
    world.ircd.wait_line(|_, line| line == "MODE #tea +s").await;
    world.ircd.wait_line(|_, line| line == "MODE #tea").await;
    // What is answered behind it says that it is done.
    alice.send_text(&room, "!irc topic");
    world.homeserver.wait_event(&room, begins("#tea has no topic.")).await;
    let mark = world.ircd.mark();
    world.stop_bridge().await;
    world.ircd.wait_gone("alice").await;
    world.start_bridge().await;
    world.ircd.wait_line_after(mark, |_, line| line == "PRIVMSG bob :I am back").await;
    world.ircd.wait_line_after(mark, |_, line| line == "MODE #tea +s").await;
    let lines = world.homeserver.timeline_lines(&room);
    assert!(!lines.iter().any(|line| line.starts_with("What is done when")), "{lines:?}");

    alice.send_text(&room, "!irc onjoin off");
    world.homeserver.wait_event(&room, begins("Nothing is done by itself any more")).await;
    let mark = world.ircd.mark();
    alice.send_text(&room, "!irc cycle");
    world.ircd.wait_line_after(mark, |_, line| line == "JOIN #tea").await;
    bob.join("#tea");
    bob.say("#tea", "quiet now");
    world.homeserver.wait_message(&room, "quiet now").await;
    assert!(!world.ircd.lines()[mark..].iter().any(|line| line.line().contains("I am back")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_work_on_joining_is_told_and_what_may_not_be_done_is_refused() {
    let world = World::start().await;
    let (alice, _, room) = world.user_in_channel("alice", "#tea").await;
    for (typed, answer) in [
        ("join #coffee", "join is nothing that can be done by itself. What can be: mode, op,"),
        ("dance", "dance is nothing that can be done by itself."),
        ("raw PART #tea", "Nothing that enters or leaves can be done by itself here"),
        ("op nobody", "When you enter #tea:\nop nobody"),
    ] {
        alice.send_text(&room, &format!("!irc onjoin {typed}"));
        world.homeserver.wait_event(&room, |event| event.body().contains(answer)).await;
    }
    alice.send_text(&room, "!irc cycle");
    let told = world.homeserver.wait_event(&room, begins("What is done when you enter the channel")).await;
    assert!(told.body().contains("Nobody on the network is called nobody now."), "{}", told.body());
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_a_password_in_what_is_done_on_joining_goes_from_the_room_and_is_not_shown() {
    let world = World::start().await;
    let (alice, _, room) = world.user_in_channel("alice", "#tea").await;
    let event = alice.send_text(&room, "!irc onjoin msg NickServ identify hunter2");
    let told = world.homeserver.wait_event(&room, begins("When you enter #tea:")).await;
    assert_eq!(told.body(), "When you enter #tea:\nmsg … (not shown: it holds a password)");
    world.homeserver.wait_event(&room, |one| one.redacts.as_ref() == Some(&event)).await;
}

/// Before, the key of a channel stayed in the room, and was shown to whoever asked.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_a_key_in_what_is_done_on_joining_goes_from_the_room_and_is_not_shown() {
    let world = World::start().await;
    let (alice, _, room) = world.user_in_channel("alice", "#tea").await;
    let event = alice.send_text(&room, "!irc onjoin mode +k sesame");
    let told = world.homeserver.wait_event(&room, begins("When you enter #tea:")).await;
    assert_eq!(told.body(), "When you enter #tea:\nmode … (not shown: it holds a password)");
    world.homeserver.wait_event(&room, |one| one.redacts.as_ref() == Some(&event)).await;
}

/// Before, it was set for each connection, before channels are entered, where it could do nothing.
#[rstest::rstest]
#[case::shown("")]
#[case::set(" add msg ChanServ op #tea")]
#[tokio::test(flavor = "multi_thread")]
async fn in_a_channels_room_autocmd_leads_to_onjoin(#[case] typed: &str) {
    let world = World::start().await;
    let (alice, control, room) = world.user_in_channel("alice", "#tea").await;
    alice.send_text(&room, &format!("!irc autocmd{typed}"));
    let told = "What is done when you enter this channel is set with !irc onjoin COMMAND.";
    world.homeserver.wait_event(&room, begins(told)).await;
    alice.send_text(&control, "autocmd");
    world.homeserver.wait_event(&control, begins("Nothing runs by itself on fake.")).await;
}
