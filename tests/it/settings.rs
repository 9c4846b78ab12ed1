//! `set` and `unset`: where a setting holds, what an answer says, and that it does what it says.

use rstest::rstest;

use crate::support::bridge::World;
use crate::support::homeserver::{Event, TestUser};
use crate::support::ircd::Person;

fn says(part: &str) -> impl Fn(&Event) -> bool {
    move |event| event.kind == "m.room.message" && event.body().contains(part)
}

/// Alice on a network, in a conversation with bob: her control room, the network's and the conversation's.
async fn with_bob(world: &World) -> (TestUser, Person, [String; 3]) {
    let bob = world.ircd.person("bob");
    let (alice, control, network) = world.connected_user("alice").await;
    bob.say("alice", "hi there");
    let invite = world.homeserver.wait_invite(alice.id()).await;
    let room = alice.join(&invite).await;
    world.homeserver.wait_message(&room, "hi there").await;
    (alice, bob, [control, network, room])
}

fn away(world: &World, with: &str) {
    world.ircd.send_raw("alice", format!(":fake.irc 301 alice bob :{with}\r\n").as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_narrowest_place_decides_and_holds_over_a_restart() {
    let mut world = World::start().await;
    let (alice, bob, [control, network, room]) = with_bob(&world).await;
    alice.send_text(&control, "SET Presence HIDE");
    world.homeserver.wait_message(&control, "presence hide for you, on all networks.").await;
    alice.send_text(&network, "set presence show");
    world.homeserver.wait_message(&network, "presence show for fake.").await;
    away(&world, "lunch");
    world.homeserver.wait_event(&room, says("bob is away: lunch")).await;
    alice.send_text(&room, "!irc set presence hide");
    world.homeserver.wait_message(&room, "presence hide for bob.").await;

    world.stop_bridge().await;
    world.start_bridge().await;
    world.ircd.wait_registered("alice").await;
    away(&world, "supper");
    bob.say("alice", "on my phone");
    world.homeserver.wait_message(&room, "on my phone").await;
    alice.send_text(&control, "unset fake bob presence");
    let answer = "presence show (set for the network): whether a conversation says that the other is away, back, gone \
                  or here again";
    let answered = world.homeserver.wait_event(&control, |event| event.body().starts_with(answer)).await;
    assert!(answered.body().contains("hide: it does not"), "{}", answered.body());
    away(&world, "tea");
    world.homeserver.wait_event(&room, says("bob is away: tea")).await;
    let lines = world.homeserver.timeline_lines(&room);
    assert!(!lines.iter().any(|line| line.contains("supper")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_configuration_says_holds_where_nobody_has_chosen() {
    let world = World::builder().config("settings:\n  presence: hide\n").start().await;
    let (alice, bob, [control, _, room]) = with_bob(&world).await;
    away(&world, "lunch");
    bob.say("alice", "on my phone");
    world.homeserver.wait_message(&room, "on my phone").await;
    alice.send_text(&control, "set presence");
    let answer = "presence hide (from this bridge's configuration)";
    world.homeserver.wait_event(&control, |event| event.body().starts_with(answer)).await;
    alice.send_text(&control, "set presence show");
    world.homeserver.wait_message(&control, "presence show for you, on all networks.").await;
    away(&world, "supper");
    world.homeserver.wait_event(&room, says("bob is away: supper")).await;
    let lines = world.homeserver.timeline_lines(&room);
    assert!(!lines.iter().any(|line| line.contains("lunch")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_configuration_says_of_a_network_comes_before_what_it_says_of_all() {
    let mut world = World::builder()
        .config("settings: { presence: show, colours: hide, edits: word }\n")
        .network("other", "OtherNet")
        .without_bridge()
        .await;
    world.add_to_network("settings: { presence: hide, edits: full }");
    world.start_bridge().await;
    let (alice, bob, [control, network, room]) = with_bob(&world).await;
    away(&world, "lunch");
    bob.say("alice", "on my phone");
    world.homeserver.wait_message(&room, "on my phone").await;
    let lines = world.homeserver.timeline_lines(&room);
    assert!(!lines.iter().any(|line| line.contains("lunch")), "{lines:?}");
    let told = async |typed: &str, answer: &str| {
        alice.send_text(&network, typed);
        world.homeserver.wait_event(&network, |event| event.body().starts_with(answer)).await;
    };
    told("set presence", "presence hide (from this bridge's configuration, for this network)").await;
    told("set colours", "colours hide (from this bridge's configuration): ").await;
    told("set bob edits", "edits full (from this bridge's configuration, for this network)").await;
    // What somebody chooses comes before both, and elsewhere the network's says nothing.
    alice.send_text(&control, "set edits");
    let of_all = "edits word (from this bridge's configuration): ";
    world.homeserver.wait_event(&control, |event| event.body().starts_with(of_all)).await;
    alice.send_text(&control, "set presence show");
    world.homeserver.wait_message(&control, "presence show for you, on all networks.").await;
    told("set presence", "presence show (set for all networks)").await;
    away(&world, "supper");
    world.homeserver.wait_event(&room, says("bob is away: supper")).await;
}

#[rstest]
#[case::no_setting("colour: red", "settings.colour: there is no such setting")]
#[case::of_a_network(
    "of a network: presence: maybe",
    "networks.fake.settings.presence: presence is show or hide, not maybe"
)]
#[case::no_value("presence: maybe", "settings.presence: presence is show or hide, not maybe")]
#[tokio::test(flavor = "multi_thread")]
async fn a_setting_in_the_configuration_that_is_none_keeps_the_bridge_from_starting(
    #[case] line: &str,
    #[case] message: &str,
) {
    let mut world = World::builder().without_bridge().await;
    if let Some(line) = line.strip_prefix("of a network: ") {
        world.add_to_network(&format!("settings: {{ {line} }}"));
    } else {
        world.add_config(&format!("settings:\n  {line}\n"));
    }
    let file = world.config_file();
    let binary = env!("CARGO_BIN_EXE_towline");
    let run = std::process::Command::new(binary).args(["run", "--config"]).arg(file).output().unwrap();
    let words = String::from_utf8(run.stderr).unwrap();
    assert!(words.contains(message) && run.status.code() == Some(10), "{:?}: {words}", run.status);
}

#[rstest]
#[case::all("set", "Settings for fake\n")]
#[case::one("set presence", "presence show (built in)")]
#[case::of_a_conversation("set bob presence", "presence show (built in)")]
#[case::no_setting("set banana red", "There is no setting banana. Type set to see all.")]
#[case::nearly_a_setting(
    "set colour red",
    "There is no setting colour. Did you mean set colours? Type set to see all."
)]
#[case::switched_off("set colours off", "colours hide for fake.")]
#[case::no_value_of_it("set presence maybe", "presence is show or hide, not maybe.")]
#[case::of_another_command("set nick bob", "There is no setting nick.")]
#[case::a_secret("set sasl-password hunter2", "There is no setting sasl-password.")]
#[case::nothing_to_unset("unset", "Type it like this: unset")]
#[tokio::test(flavor = "multi_thread")]
async fn every_question_about_settings_has_an_answer(#[case] typed: &str, #[case] answer: &str) {
    let world = World::start().await;
    let (alice, _bob, [_, network, _]) = with_bob(&world).await;
    alice.send_text(&network, typed);
    world.homeserver.wait_event(&network, |event| event.body().starts_with(answer)).await;
}

/// Before, they were shown as `!irc members auto` and `!irc join`: names of settings that are commands as well.
#[rstest]
#[case::all("!irc set", "\nmembers auto (built in): ")]
#[case::one("!irc set members", "members auto (built in): ")]
#[case::none("!irc set join", "There is no setting join. Type !irc set to see all.")]
#[tokio::test(flavor = "multi_thread")]
async fn a_setting_is_shown_by_its_name_where_commands_have_a_prefix(
    #[case] typed: &str,
    #[case] answer: &str,
) {
    let world = World::start().await;
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    alice.send_text(&room, typed);
    world.homeserver.wait_event(&room, |event| event.body().contains(answer)).await;
}

/// Before, the answer was that it is so, and nothing changed.
#[rstest]
#[case::no_double_puppeting("notify none", "notify none for fake. But this bridge can't see to that")]
#[case::that_needs_none("notify all", "notify all for fake.\n")]
#[case::no_address_for_links(
    "spoilers link",
    "spoilers link for fake. But this bridge has no address for links"
)]
#[case::no_address_for_long_texts(
    "long-texts link",
    "long-texts link for fake. But this bridge has no address for links"
)]
#[case::no_pictures("pictures show", "pictures show for fake. But this bridge fetches no pictures")]
#[tokio::test(flavor = "multi_thread")]
async fn who_sets_what_this_bridge_does_not_do_is_told_so(#[case] typed: &str, #[case] answer: &str) {
    let world = World::builder().config("pictures:\n  largest: 0B\n").start().await;
    let (alice, _, network) = world.connected_user("alice").await;
    alice.send_text(&network, &format!("set {typed}"));
    let begins = |event: &Event| format!("{}\n", event.body()).starts_with(answer);
    world.homeserver.wait_event(&network, begins).await;
}
