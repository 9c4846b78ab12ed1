//! Names, ranks, invitations, kicks, topics and modes.

use rstest::rstest;

use super::{a_guest_in_tea, ask, in_tea, like_inspircd, like_libera, plain, squeezed};
use crate::support::bridge::World;
use crate::support::ircd;

#[tokio::test(flavor = "multi_thread")]
async fn names_are_told_by_rank_without_a_question_to_the_server() {
    let world = World::builder().ircd(like_inspircd()).start().await;
    let (alice, room, [bob, carol]) = in_tea(&world).await;
    ask(&world, &alice, &room, "!irc voice bob", "bob is somebody with voice in #tea.").await;
    bob.say("#tea", "thanks");
    world.homeserver.wait_message(&room, "thanks").await;
    let mark = world.ircd.mark();
    let told = ask(&world, &alice, &room, "!irc names", "In #tea are 3 people.").await;
    assert_eq!(
        told.body(),
        "In #tea are 3 people.
rank           | people | who
Operators (@)  | 1      | alice
With voice (+) | 1      | \
         bob
Without a rank: 1
carol"
    );
    let html = told.content["formatted_body"].as_str().unwrap();
    assert!(
        html.contains("<td>bob</td>")
            && html.contains("<summary><b>Without a rank: 1</b><br></summary>carol"),
        "{html}"
    );
    carol.part("#tea", "");
    // A command may be faster than a line.
    bob.say("#tea", "she left");
    world.homeserver.wait_message(&room, "she left").await;
    ask(&world, &alice, &room, "!irc NAMES #TEA", "In #tea are 2 people.").await;
    let asked = world.ircd.lines().split_off(mark);
    assert!(!asked.iter().any(|line| line.line().starts_with("NAMES")), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_a_large_channel_are_an_answer_of_bounded_length() {
    let world = World::start().await;
    let people: Vec<_> = (0..600)
        .map(|number| {
            let person = world.ircd.person(&format!("n{number:03}"));
            person.join("#tea");
            person
        })
        .collect();
    let (alice, _, room) = world.user_in_channel("alice", "#tea").await;
    people[0].say("#tea", "we are many");
    world.homeserver.wait_message(&room, "we are many").await;
    alice.send_text(&room, "!irc names");
    let told = world.homeserver.wait_event(&room, |one| one.body().contains("In #tea are")).await;
    let body = told.body();
    let words = squeezed(body);
    assert!(
        words.starts_with(
            "In #tea are 601 people.
rank | people | who
Operators (@) | 1 | n000
"
        ),
        "{words}"
    );
    assert!(
        words.contains(
            "
Without a rank: 600
alice, n001, "
        ),
        "{words}"
    );
    assert!(body.ends_with(" and 400 more"), "{body}");
    drop(people);
}

#[rstest]
#[case::none("!irc topic", "#tea has no topic. To set one, type !irc topic TEXT.")]
#[case::set("!irc topic Tea, and don't panic", "#tea has its new topic.")]
#[case::named("!irc topic #tea #5 is \u{1F375}", "#tea has its new topic.")]
#[case::cleared("!irc topic clear", "#tea has no topic now.")]
#[case::too_long(
    "!irc topic 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789",
    "FakeNet takes topics of 60 bytes; this one has 65."
)]
#[case::in_another("!irc topic #coffee x", "You are not in #coffee on FakeNet.")]
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_set_and_cleared(#[case] typed: &str, #[case] answer: &str) {
    let world = World::builder().ircd(plain()).start().await;
    let (alice, _, room) = world.user_in_channel("alice", "#tea").await;
    ask(&world, &alice, &room, typed, answer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_told_with_who_set_it_and_when() {
    let world = World::start().await;
    let (alice, room, bob) = a_guest_in_tea(&world).await;
    bob.topic("#tea", "All about \u{2}tea\u{2}");
    let told = ask(&world, &alice, &room, "!irc topic", "Topic of #tea: All about tea").await;
    assert!(told.body().ends_with("\nSet by bob on 2023-11-14 22:13:20 UTC."), "{}", told.body());
    let refused =
        ask(&world, &alice, &room, "!irc topic mine", "FakeNet says: You're not channel operator.").await;
    assert!(refused.body().contains("!irc msg ChanServ OP #tea"), "{}", refused.body());
}

#[rstest]
#[case::shown(
    "!irc mode",
    "#tea has +nt\n+n: nobody speaks from outside\n+t: only operators set the topic\nThe channel is there since 2023-11-14 22:13:20 UTC."
)]
#[case::flags(
    "!irc mode +m-t",
    "FakeNet took it. #tea has +mn\n+m: only those speak who have voice or more (moderated)"
)]
#[case::limit("!irc mode +l 5", "+l: at most 5 people come in")]
#[case::key_is_not_shown(
    "!irc mode +k sesame",
    "#tea has +ntk\n+n: nobody speaks from outside\n+t: only operators set the topic\n+k: a key is needed to come in"
)]
#[case::rank("!irc mode +v bob", "FakeNet took it. #tea has +nt")]
#[case::rank_of_nobody("!irc mode +v dave", "Nobody on the network is called dave now.")]
#[case::unknown(
    "!irc mode +Y",
    "FakeNet says: is unknown mode char to me. The network's channels have no mode Y."
)]
#[case::list("!irc mode b", "b is a list of #tea. To see it, type !irc bans")]
#[case::in_capitals("!irc MODES #TEA +s", "#tea has +nst")]
#[tokio::test(flavor = "multi_thread")]
async fn modes_are_shown_in_words_and_changed(#[case] typed: &str, #[case] answer: &str) {
    let world = World::builder().ircd(like_libera()).start().await;
    let (alice, room, _people) = in_tea(&world).await;
    ask(&world, &alice, &room, typed, answer).await;
}

#[rstest]
#[case::op("!irc op bob", "bob is an operator in #tea.")]
#[case::several("!irc op bob carol", "bob and carol are operators in #tea.")]
#[case::deop("!irc deop alice", "alice is no longer an operator in #tea.")]
#[case::voice("!irc voice carol,", "carol is somebody with voice in #tea.")]
#[case::devoice("!irc devoice bob", "bob is no longer somebody with voice in #tea.")]
#[case::nobody("!irc op dave", "FakeNet says: No such nick. Nobody on the network is called dave now.")]
#[case::not_there("!irc op erin", "erin is not in #tea; see !irc names.")]
#[case::some("!irc op bob dave", "bob is an operator in #tea.\nFakeNet says: No such nick.")]
#[case::no_such_rank("!irc halfop bob", "FakeNet has no half-operators.")]
#[case::no_nick("!irc op x!y", "x!y is no nick")]
#[case::nothing("!irc op", "Type it like this: !irc op [#CHANNEL] NICK…")]
#[tokio::test(flavor = "multi_thread")]
async fn ranks_are_given_and_taken(#[case] typed: &str, #[case] answer: &str) {
    let world = World::builder().ircd(like_libera()).start().await;
    let (alice, room, _people) = in_tea(&world).await;
    let _erin = world.ircd.person("erin");
    ask(&world, &alice, &room, typed, answer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_operators_are_made_where_there_are_such() {
    let world = World::builder().ircd(like_inspircd()).start().await;
    let (alice, room, _people) = in_tea(&world).await;
    ask(&world, &alice, &room, "!irc halfop bob", "bob is a half-operator in #tea.").await;
    ask(&world, &alice, &room, "!irc names", "\nHalf-operators (%) | 1").await;
    ask(&world, &alice, &room, "!irc dehalfop bob", "bob is no longer a half-operator in #tea.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ranks_of_many_go_in_lines_as_the_server_takes_them() {
    let world = World::builder().ircd(like_libera()).start().await;
    let (alice, _, room) = world.user_in_channel("alice", "#tea").await;
    let nicks: Vec<String> = (0..9).map(|number| format!("n{number}")).collect();
    let people: Vec<_> = nicks
        .iter()
        .map(|nick| {
            let person = world.ircd.person(nick);
            person.join("#tea");
            person
        })
        .collect();
    // What came before it is known to the bridge.
    people[8].say("#tea", "all here");
    world.homeserver.wait_message(&room, "all here").await;
    let typed = format!("!irc voice {}", nicks.join(" "));
    ask(
        &world,
        &alice,
        &room,
        &typed,
        "n0, n1, n2, n3, n4, n5, n6, n7 and n8 are people with voice in #tea.",
    )
    .await;
    let modes: Vec<String> =
        world.ircd.lines_from("alice").into_iter().filter(|line| line.starts_with("MODE #tea +v")).collect();
    assert_eq!(modes, ["MODE #tea +vvvv n0 n1 n2 n3", "MODE #tea +vvvv n4 n5 n6 n7", "MODE #tea +v n8"]);
}

#[rstest]
#[case::op("!irc op bob")]
#[case::mode("!irc mode +m")]
#[case::kick("!irc kick bob")]
#[case::ban("!irc ban bob")]
#[case::kickban("!irc kickban bob")]
#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_operator_is_told_whom_to_ask(#[case] typed: &str, #[values(true, false)] labels: bool) {
    let options = if labels { ircd::Options::with_history() } else { ircd::Options::default() };
    let world = World::builder().ircd(options).start().await;
    let (alice, room, _bob) = a_guest_in_tea(&world).await;
    let told = ask(&world, &alice, &room, typed, "FakeNet says: You're not channel operator.").await;
    assert!(told.body().contains("Ask an operator of #tea"), "{}", told.body());
}

#[rstest]
#[case::invited("!irc invite erin", "erin is invited to #tea.")]
#[case::several("!irc invite erin frank", "erin and frank are invited to #tea.\nfrank is away: gone fishing")]
#[case::there("!irc invite bob", "FakeNet says: is already on channel. bob is there already.")]
#[case::nobody("!irc invite dave", "Nobody on the network is called dave now.")]
#[case::some("!irc invite erin dave", "erin is invited to #tea.\nFakeNet says: No such nick.")]
#[tokio::test(flavor = "multi_thread")]
async fn people_are_invited(#[case] typed: &str, #[case] answer: &str) {
    let world = World::start().await;
    let (alice, room, _people) = in_tea(&world).await;
    let (_erin, frank) = (world.ircd.person("erin"), world.ircd.person("frank"));
    frank.raw_line("AWAY :gone fishing");
    ask(&world, &alice, &room, typed, answer).await;
}

#[rstest]
#[case::one("!irc kick bob", "bob is out of #tea.", &["carol"])]
#[case::with_a_reason("!irc kick bob don't do that", "bob is out of #tea.", &["carol"])]
#[case::several("!irc k bob,carol both", "bob and carol are out of #tea.", &[])]
#[case::not_there("!irc kick dave", "dave is not in #tea; see !irc names.", &["bob", "carol"])]
#[case::too_many_words(
    "!irc kick bob 0123456789 0123456789 0123456789 0123456789",
    "FakeNet takes reasons of 40 bytes; this one has 43.",
    &["bob", "carol"]
)]
#[case::nothing("!irc kick", "Type it like this: !irc kick [#CHANNEL] NICK[,NICK…] [REASON]", &["bob", "carol"])]
#[tokio::test(flavor = "multi_thread")]
async fn people_are_put_out(#[case] typed: &str, #[case] answer: &str, #[case] left: &[&str]) {
    let world = World::builder().ircd(like_libera()).start().await;
    let (alice, room, _people) = in_tea(&world).await;
    ask(&world, &alice, &room, typed, answer).await;
    let names = world.ircd.names("#tea");
    assert_eq!(names[1..], *left, "{names:?}");
}

/// The same commands where nothing says which channel they are about, and where there is none.
#[rstest]
#[case::no_channel("names", "Type it like this: names [#CHANNEL]")]
#[case::not_in_it("names #coffee", "You are not in #coffee on FakeNet. To enter, type join #coffee.")]
#[case::without_prefix("topic tea", "#tea has no topic.")]
#[case::op_elsewhere("op #coffee bob", "You are not in #coffee on FakeNet.")]
#[case::modes_of_others("mode #coffee", "FakeNet says: No such channel. There is no such channel.")]
#[case::of_the_channel("op #tea bob", "bob is an operator in #tea.")]
#[case::kick("kick #tea bob bye", "bob is out of #tea.")]
#[tokio::test(flavor = "multi_thread")]
async fn elsewhere_the_channel_is_named(#[case] typed: &str, #[case] answer: &str) {
    let world = World::start().await;
    let (alice, _, network) = world.connected_user("alice").await;
    alice.send_text(&network, "join #tea");
    world.ircd.wait_joined("#tea", "alice").await;
    let bob = world.ircd.person("bob");
    bob.join("#tea");
    bob.say("#tea", "here I am");
    let room = world.homeserver.wait_room_named("#tea (FakeNet)").await;
    world.homeserver.wait_message(&room, "here I am").await;
    ask(&world, &alice, &network, typed, answer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_connection_every_command_says_so() {
    let world = World::builder().ircd(like_libera()).start().await;
    let (alice, control, room) = world.user_in_channel("alice", "#tea").await;
    ask(&world, &alice, &control, "disconnect", "Disconnected from FakeNet").await;
    let commands = [
        "names",
        "topic",
        "topic x",
        "mode",
        "mode +m",
        "op bob",
        "deop bob",
        "voice bob",
        "devoice bob",
        "invite bob",
        "kick bob",
        "ban bob",
        "unban bob",
        "kickban bob",
        "quiet bob",
        "unquiet bob",
        "bans",
        "quiets",
        "excepts",
        "invites",
        "cycle",
        "knock #coffee",
    ];
    for command in commands {
        ask(&world, &alice, &room, &format!("!irc {command}"), "You are not connected to FakeNet.").await;
    }
}
