//! Search, history and forget, as a person types them.

use rstest::rstest;

use super::{answer, formatted};
use crate::support::bridge::World;
use crate::support::homeserver::{LIMIT, TestUser};
use crate::support::ircd::Person;

/// Alice in `#rust` with Bob and Carol, who have said something.
struct Scene {
    world: World,
    alice: TestUser,
    bob: Person,
    control: String,
    network: String,
    room: String,
}

async fn scene() -> Scene {
    scene_in(World::start().await).await
}

async fn scene_in(world: World) -> Scene {
    let (bob, carol) = (world.ircd.person("bob"), world.ircd.person("carol"));
    bob.join("#rust");
    carol.join("#rust");
    let (alice, control, room) = world.user_in_channel("alice", "#rust").await;
    let network = world.homeserver.wait_room_named("FakeNet").await;
    bob.say("#rust", "the borrow checker is right");
    world.homeserver.wait_message(&room, "the borrow checker is right").await;
    carol.action("#rust", "borrows a <cup>");
    world.homeserver.wait_message(&room, "borrows a <cup>").await;
    bob.say("#rust", "what did you borrow?");
    world.homeserver.wait_message(&room, "what did you borrow?").await;
    alice.send_text(&room, "Nothing, and I like tea");
    bob.wait_text("Nothing, and I like tea").await;
    // Which event each line is.
    world.wait_outbox_empty().await;
    Scene { world, alice, bob, control, network, room }
}

impl Scene {
    async fn ask(&self, room: &str, text: &str) -> String {
        answer(&self.world, &self.alice, room, text).await.body().to_owned()
    }
}

/// The lines of an answer that show what was found, without times and links.
fn found(answer: &str) -> Vec<String> {
    let lines = answer.lines().skip(1).filter(|line| line.starts_with("20"));
    lines.map(|line| line[17..].split(" https://").next().unwrap().trim().to_owned()).collect()
}

#[rstest]
#[case::a_word("search borrow", &["#rust bob: what did you borrow?", "#rust bob: the borrow checker is right"])]
#[case::beginning("find BORROW*", &["#rust bob: what did you borrow?", "#rust * carol borrows a <cup>",
    "#rust bob: the borrow checker is right"])]
#[case::from("search from CAROL borrow*", &["#rust * carol borrows a <cup>"])]
#[case::from_alone("search from carol", &["#rust * carol borrows a <cup>"])]
#[case::channel("search in #rust borrow checker", &["#rust bob: the borrow checker is right"])]
#[case::channel_without_its_prefix("search in rust checker", &["#rust bob: the borrow checker is right"])]
#[case::network("search in fakenet since 1d checker", &["#rust bob: the borrow checker is right"])]
#[case::ones_own("search since 2020-01-01 tea", &["#rust alice: Nothing, and I like tea"])]
#[case::everywhere("search in * from bob what you", &["#rust bob: what did you borrow?"])]
#[tokio::test(flavor = "multi_thread")]
async fn a_search_shows_what_it_finds_in_every_kind_of_room(#[case] typed: &str, #[case] lines: &[&str]) {
    let scene = scene().await;
    for room in [&scene.control, &scene.network] {
        assert_eq!(found(&scene.ask(room, typed).await), lines);
    }
    assert_eq!(found(&scene.ask(&scene.room, &format!("!irc {typed}")).await), lines);
}

#[rstest]
#[case::nothing("search xyzzy", "Nothing was found for “xyzzy” in everything.")]
#[case::nobody("search from dave in #rust", "Nothing was found for lines of dave in #rust.")]
#[case::no_words("search", "Type it like this: search [in WHERE]")]
#[case::no_letters("search !?", "Type it like this: search [in WHERE]")]
#[case::unknown_place("search in #tea borrow", "There is no #tea of yours to search in")]
#[case::words_that_are_filters("search in the beginning", "write: search -- in the beginning")]
#[case::filters_as_words("search -- what did you", "Found “what did you” in everything, newest first")]
#[case::no_time("search since yesterday borrow", "yesterday is no time")]
#[case::history_of_nothing("history", "Say which conversation")]
#[case::history_of_another("history #tea", "There is no conversation #tea of yours.")]
#[case::history_of_no_number("history #rust many", "Type it like this: history")]
#[case::history_of_none("history #rust 0", "Type it like this: history")]
#[case::forget_nothing("forget", "Say which conversation")]
#[case::forget_another("forget #tea confirm", "There is no conversation #tea of yours.")]
#[case::forget_asks("forget #rust", "for good. To do it, type yes; to leave it, cancel.")]
#[case::forget_asks_for_the_network(
    "forget FakeNet",
    "all that is kept of FakeNet, for good. To do it, type yes; to leave it, cancel."
)]
#[tokio::test(flavor = "multi_thread")]
async fn what_cant_be_answered_is_explained(#[case] typed: &str, #[case] said: &str) {
    let scene = scene().await;
    let answer = scene.ask(&scene.control, typed).await;
    assert!(answer.contains(said), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_found_leads_to_its_event() {
    let scene = scene().await;
    let said = scene.world.homeserver.wait_message(&scene.room, "the borrow checker is right").await;
    let own = scene.world.homeserver.wait_message(&scene.room, "Nothing, and I like tea").await;
    for (words, event) in [("checker", said), ("tea", own)] {
        let answer = answer(&scene.world, &scene.alice, &scene.control, &format!("search {words}")).await;
        let link = format!("https://matrix.to/#/{}/{}?via=test.local", scene.room, event.event_id);
        assert!(answer.body().contains(&link), "{} in {}", link, answer.body());
        assert!(
            formatted(&answer).contains(&format!("<a href=\"{link}\">show</a>")),
            "{}",
            formatted(&answer)
        );
        assert_eq!(answer.content["msgtype"], "m.notice");
    }
    let answer = answer(&scene.world, &scene.alice, &scene.control, "search cup").await;
    assert!(formatted(&answer).contains("&lt;cup&gt;"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_lines_are_shown_and_the_others_counted() {
    let scene = scene().await;
    (0..14).for_each(|number| scene.bob.say("#rust", &format!("many {number}")));
    scene.bob.say("#rust", "done");
    scene.world.homeserver.wait_event(&scene.room, |event| event.body().contains("done")).await;
    let answer = scene.ask(&scene.control, "search many").await;
    let newest: Vec<String> = (4..14).rev().map(|number| format!("#rust bob: many {number}")).collect();
    assert_eq!(found(&answer), newest);
    assert!(answer.ends_with("And 4 more. Add words, in #channel, from nick or since 3d."), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_finds_reads_or_forgets_what_is_anothers() {
    let scene = scene().await;
    let mallory = scene.world.homeserver.user("mallory");
    let control = mallory.start_dm(&scene.world.homeserver.bot());
    scene.world.homeserver.wait_event(&control, |event| event.body().contains("To begin")).await;
    mallory.send_text(&control, "open fake");
    scene.world.ircd.wait_registered("mallory").await;
    let network = scene.world.homeserver.wait_invite(mallory.id()).await;
    mallory.join(&network).await;
    // All that the server has to say comes before the answers.
    scene.world.homeserver.wait_event(&network, |event| event.body().contains("Nothing here is real")).await;
    let ask =
        async |room: &str, text: &str| answer(&scene.world, &mallory, room, text).await.body().to_owned();
    for room in [&control, &network] {
        assert!(ask(room, "search borrow").await.contains("Nothing was found"));
        assert!(ask(room, "search in * borrow").await.contains("Nothing was found"));
        assert!(ask(room, "search in #rust borrow").await.contains("There is no #rust of yours"));
        assert!(ask(room, "history #rust").await.contains("There is no conversation #rust of yours"));
        assert!(ask(room, "forget #rust confirm").await.contains("There is no conversation #rust of yours"));
    }
    assert!(ask(&control, "forget fake confirm").await.contains("0 lines"));
    // In Alice's own room nobody else commands.
    assert!(mallory.try_join(&scene.room).await.is_err());
    assert_eq!(found(&scene.ask(&scene.control, "search checker").await).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_lines_are_shown_in_their_order_with_what_happened_between_them() {
    let scene = scene().await;
    scene.bob.topic("#rust", "tea & talk");
    scene.bob.part("#rust", "");
    scene.bob.join("#rust");
    scene.bob.say("#rust", "back");
    scene.world.homeserver.wait_message(&scene.room, "back").await;
    let lines = |answer: &str| -> Vec<String> {
        let lines = answer.lines().filter(|line| line.len() > 6 && line.as_bytes()[2] == b':');
        lines.map(|line| line[6..].to_owned()).collect()
    };
    let all = [
        "alice joined (~alice@127.0.0.1)",
        "bob: the borrow checker is right",
        "* carol borrows a <cup>",
        "bob: what did you borrow?",
        "alice: Nothing, and I like tea",
        "bob set the topic: tea & talk",
        "bob left",
        "bob joined (~bob@people.fake)",
        "bob: back",
    ];
    for (room, typed) in [
        (&scene.control, "history #rust"),
        (&scene.control, "history fake #rust"),
        (&scene.network, "BACKLOG rust"),
        (&scene.room, "!irc history"),
        (&scene.room, "!irc history #rust 200"),
    ] {
        let answer = scene.ask(room, typed).await;
        assert!(answer.starts_with("The last 9 lines of #rust (times are UTC):\n20"), "{answer}");
        assert_eq!(lines(&answer), all);
    }
    let answer = answer(&scene.world, &scene.alice, &scene.room, "!irc history 2").await;
    assert_eq!(lines(answer.body()), all[7..]);
    assert!(formatted(&answer).contains("</code> <b>bob</b>: back"), "{}", formatted(&answer));
    let one = scene.ask(&scene.room, "!IRC backlog 1").await;
    assert!(one.starts_with("The last line of #rust"), "{one}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_is_gone_and_counted() {
    let scene = scene().await;
    scene.bob.say("alice", "borrow this");
    let query = scene.world.homeserver.wait_invite(scene.alice.id()).await;
    scene.alice.join(&query).await;
    scene.world.homeserver.wait_message(&query, "borrow this").await;
    let asked = scene.ask(&scene.room, "!irc forget").await;
    assert!(asked.ends_with("To do it, type !irc yes; to leave it, !irc cancel."), "{asked}");
    assert_eq!(found(&scene.ask(&scene.control, "search borrow").await).len(), 3);
    let gone = scene.ask(&scene.room, "!irc yes").await;
    assert!(gone.starts_with("Forgotten: 5 lines of #rust."), "{gone}");
    assert_eq!(found(&scene.ask(&scene.control, "search borrow").await), ["bob bob: borrow this"]);
    assert!(scene.ask(&scene.control, "history #rust").await.contains("Nothing is kept of #rust"));
    let gone = scene.ask(&scene.control, "forget fake confirm").await;
    assert!(gone.starts_with("Forgotten: 1 line of FakeNet, in 1 conversation."), "{gone}");
    let rows = "SELECT text FROM history";
    assert_eq!(scene.world.database().texts(rows).await, [""; 0]);
}

#[rstest]
#[case::shown("history keep #rust", "What is said in #rust is kept for 90 days.", 5)]
#[case::shorter("history keep #rust 30d", "What is said in #rust is kept for 30 days from now on.", 5)]
#[case::longer("history keep rust 365", "kept for 90 days from now on. This bridge keeps nothing longer.", 5)]
#[case::for_ever(
    "history keep #rust forever",
    "kept for 90 days from now on. This bridge keeps nothing longer.",
    5
)]
#[case::off(
    "HISTORY keep #rust OFF",
    "Nothing of what is said in #rust is kept from now on. Deleted: 5 lines.",
    0
)]
#[case::no_time("history keep #rust for long", "Type it like this: history keep #channel 30d", 5)]
#[case::nowhere("history keep 30d", "There is no conversation 30d of yours.", 5)]
#[tokio::test(flavor = "multi_thread")]
async fn a_user_says_how_long_a_conversation_is_kept_within_what_the_bridge_allows(
    #[case] typed: &str,
    #[case] said: &str,
    #[case] left: usize,
) {
    let scene =
        scene_in(World::builder().config("    history: 90\nlimits: { history: 10 }\n").start().await).await;
    let answer = scene.ask(&scene.network, typed).await;
    assert!(answer.contains(said), "{answer}");
    let kept = scene.world.database().texts("SELECT text FROM history").await;
    assert_eq!(kept.len(), left);
    let here = scene.ask(&scene.room, "!irc history keep").await;
    assert_eq!(here.contains("is not kept"), left == 0, "{here}");
    scene.bob.say("#rust", "one more");
    scene.world.homeserver.wait_message(&scene.room, "one more").await;
    let kept = scene.world.database().texts("SELECT text FROM history").await;
    assert_eq!(kept.len(), if left == 0 { 0 } else { left + 1 });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_it_is_kept_goes_at_the_next_start() {
    let mut scene = scene_in(World::builder().config("    history: 90\n").start().await).await;
    let ago = "UPDATE history SET id = id - CAST(91 * 16 AS BIGINT) * 86400000 WHERE text LIKE '%borrow%'";
    scene.world.stop_bridge().await;
    scene.world.database().execute(ago).await;
    scene.world.start_bridge().await;
    scene.world.ircd.wait_joined("#rust", "alice").await;
    let pruned = async {
        loop {
            let texts = scene.world.database().texts("SELECT text FROM history").await;
            if !texts.iter().any(|text| text.contains("borrow")) {
                return texts;
            }
            tokio::task::yield_now().await;
        }
    };
    let left = tokio::time::timeout(LIMIT, pruned).await.expect("old lines are pruned");
    assert!(left.contains(&"Nothing, and I like tea".to_owned()), "{left:?}");
}
