//! Pills in commands mean whom they lead to, whatever they show.

use rstest::rstest;

use crate::support::bridge::World;
use crate::support::homeserver::Event;

const PILL: &str = "<a href=\"https://matrix.to/#/@irc_fake_bob:test.local\">";

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

/// With `set ranks name`, Element completes `@bob`, which is no nick.
#[rstest]
#[case::a_rank("@bob", true)]
#[case::another_name("Bob (IRC)", true)]
#[case::the_nick("bob", true)]
#[case::a_rank_without_a_pill("@bob", false)]
#[case::the_id_without_a_pill("@irc_fake_bob:test.local", false)]
#[tokio::test(flavor = "multi_thread")]
async fn a_pill_in_a_command_is_the_nick_of_whom_it_shows(#[case] shown: &str, #[case] is_pill: bool) {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    world.ircd.give("#rust", "alice", 'o');
    bob.say("#rust", "hi there");
    world.homeserver.wait_message(&room, "hi there").await;
    let pill = if is_pill { format!("{PILL}{shown}</a>") } else { shown.to_owned() };
    alice.send_html(&control, &format!("whois {shown}"), &format!("whois {pill}"));
    world.homeserver.wait_event(&control, says("bob is ~bob@")).await;
    alice.send_html(&room, &format!("!irc voice {shown}"), &format!("!irc voice {pill}"));
    world.ircd.wait_line(|_, line| line == "MODE #rust +v bob").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pill_of_another_network_is_nobody_on_this_one() {
    let world = World::builder().network("other", "OtherNet").start().await;
    let (alice, control, network) = world.connected_user("alice").await;
    let pill = PILL.replace("fake", "other");
    // Somebody else has that nick here.
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    alice.send_html(&network, "whois bob", &format!("whois {pill}bob</a>"));
    world.homeserver.wait_event(&network, says("FakeNet says: No such nick")).await;
    // In the chat with the bot the network that the command names counts.
    alice.send_text(&control, "open other");
    world.homeserver.wait_event(&control, says("Connecting to OtherNet")).await;
    alice.send_html(&control, "whois fake bob", &format!("whois fake {pill}bob</a>"));
    world.homeserver.wait_event(&control, says("FakeNet says: No such nick")).await;
    alice.send_html(&control, "whois fake bob", &format!("whois fake {PILL}bob</a>"));
    world.homeserver.wait_event(&control, says("bob is ~bob@")).await;
    let of_bob = |line: &String| line.starts_with("WHOIS") && line.ends_with(" bob");
    assert_eq!(world.ircd.lines_from("alice").iter().filter(|line| of_bob(line)).count(), 1);
}
