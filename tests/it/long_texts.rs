//! Texts that are too long for IRC: their first lines and a link to a page with all of it, or a question first.

use rstest::rstest;
use serde_json::json;

use crate::support::bridge::World;
use crate::support::homeserver::{self, TestUser};
use crate::support::ircd::{Options, Person};
use crate::support::ports::free_port;

struct Scene {
    world: World,
    alice: TestUser,
    bob: Person,
    room: String,
    base: String,
}

impl Scene {
    /// Alice and Bob in `#rust`; long texts have pages.
    async fn with_links(options: Options, more: &str) -> Self {
        let port = free_port();
        let base = format!("http://127.0.0.1:{port}/irc");
        let media = format!("media: {{ base_url: \"{base}\", listen: \"127.0.0.1:{port}\" }}\n{more}");
        let world = World::builder().ircd(options).config(&media).start().await;
        Self::new(world, base).await
    }

    async fn new(world: World, base: String) -> Self {
        let bob = world.ircd.person("bob");
        bob.join("#rust");
        let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
        Self { world, alice, bob, room, base }
    }

    /// Says it, waits until it is settled, and gives the lines on IRC.
    async fn say(&self, text: &str) -> Vec<String> {
        let event = self.alice.send_text(&self.room, text);
        self.world.homeserver.wait_receipt(&self.room, &self.world.homeserver.bot(), &event).await;
        self.said()
    }

    fn said(&self) -> Vec<String> {
        let heard = self.bob.messages("#rust").into_iter();
        heard.filter(|(who, _)| who == "alice").map(|(_, text)| text).collect()
    }
}

fn lines(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("line {number}")).collect()
}

/// The link in the last line.
fn link(said: &[String]) -> &str {
    let last = said.last().unwrap();
    last.rsplit(' ').next().unwrap().trim_end_matches(')')
}

async fn get(url: &str) -> (u16, String) {
    let answer = homeserver::client().get(url).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_text_is_its_first_lines_and_a_page_until_it_is_taken_back() {
    let scene = Scene::with_links(Options::default(), "").await;
    assert_eq!(scene.say(&lines(5).join("\n")).await, lines(5), "what fits goes as lines");
    let event = scene.alice.send_text(&scene.room, &lines(30).join("\n"));
    scene.world.homeserver.wait_receipt(&scene.room, &scene.world.homeserver.bot(), &event).await;
    let said = scene.said().split_off(5);
    assert_eq!(said[..4], lines(4));
    let url = link(&said);
    assert_eq!(said[4..], [format!("… (26 more lines: {url})")]);
    assert!(url.starts_with(&format!("{}/p/", scene.base)), "{url}");
    let (status, page) = get(url).await;
    assert_eq!(status, 200);
    assert!(
        page.contains("<title>alice on #rust</title>") && page.contains("<span>line 30</span>"),
        "{page}"
    );
    assert!(!page.contains("test.local"), "nobody's Matrix id stands there: {page}");
    assert_eq!(get(&format!("{url}/raw")).await, (200, lines(30).join("\n")));
    assert_eq!(get(&format!("{url}x")).await.0, 404);
    scene.alice.redact(&scene.room, &event).unwrap();
    scene.say("gone").await;
    assert_eq!((get(url).await.0, get(&format!("{url}/raw")).await.0), (410, 410));
}

#[tokio::test(flavor = "multi_thread")]
async fn code_keeps_its_indentation_and_is_coloured_on_its_page() {
    let scene = Scene::with_links(Options::default(), "").await;
    let code = "fn main() {\n    let a = 1;\n    let b = 2;\n    let c = 3;\n    drop((a, b, c));\n}\n";
    let html = format!("<pre><code class=\"language-rust\">{code}</code></pre>");
    let event = scene.alice.send_html(&scene.room, &format!("```rust\n{code}```"), &html);
    scene.world.homeserver.wait_receipt(&scene.room, &scene.world.homeserver.bot(), &event).await;
    let said = scene.said();
    assert!(said.len() == 5 && said.contains(&"    let a = 1;".to_owned()), "{said:?}");
    let (_, page) = get(link(&said)).await;
    assert!(
        page.contains("<i class=\"k\">fn</i>") && page.contains("    <i class=\"k\">let</i> a"),
        "{page}"
    );
}

#[rstest]
#[case::one(1, 3, &["… (3 more lines: "])]
#[case::two(2, 3, &["line 1", "… (2 more lines: "])]
#[case::all_but_one(3, 4, &["line 1", "line 2", "… (2 more lines: "])]
#[tokio::test(flavor = "multi_thread")]
async fn as_many_lines_go_as_the_administrator_allows(
    #[case] allowed: usize,
    #[case] count: usize,
    #[case] said: &[&str],
) {
    let scene = Scene::with_links(Options::default(), &format!("limits: {{ lines: {allowed} }}\n")).await;
    let found = scene.say(&lines(count).join("\n")).await;
    assert_eq!(found.len(), said.len(), "{found:?}");
    assert!(found.iter().zip(said).all(|(line, start)| line.starts_with(start)), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_as_one_message_of_several_lines_needs_no_page() {
    let mut options = Options::with_history();
    options.capabilities.push("draft/multiline=max-bytes=4096,max-lines=24".to_owned());
    let scene = Scene::with_links(options, "").await;
    assert_eq!(scene.say(&lines(12).join("\n")).await, lines(12));
    let said = scene.say(&lines(40).join("\n")).await.split_off(12);
    assert_eq!(said[..4], lines(4));
    assert!(said[4].starts_with("… (36 more lines: "), "{said:?}");
}

#[rstest]
#[case::with_links(true)]
#[case::without_links(false)]
#[tokio::test(flavor = "multi_thread")]
async fn eighty_lines_that_the_network_takes_as_one_message_go_as_one(#[case] links: bool) {
    let mut options = Options::with_history();
    options.capabilities.push("draft/multiline=max-bytes=4096,max-lines=100".to_owned());
    let scene = if links {
        Scene::with_links(options, "").await
    } else {
        Scene::new(World::builder().ircd(options).start().await, String::new()).await
    };
    assert_eq!(scene.say(&lines(80).join("\n")).await, lines(80));
    let batches = scene.world.ircd.lines_from("alice");
    assert_eq!(batches.iter().filter(|line| line.contains(" BATCH +")).count(), 1);
    // What is more than one message is as long as it would be elsewhere.
    let said = scene.say(&lines(120).join("\n")).await.split_off(80);
    if links {
        assert!(said.len() == 5 && said[4].starts_with("… (116 more lines: "), "{said:?}");
    } else {
        assert!(said.is_empty(), "{said:?}");
        let told = |one: &homeserver::Event| one.body().contains("it would be 120 lines on IRC, and 60 are");
        scene.world.homeserver.wait_event(&scene.room, told).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_long_text_ends_with_an_edit_of_it() {
    let scene = Scene::with_links(Options::default(), "").await;
    let secret = [lines(30), vec!["a secret".to_owned()]].concat().join("\n");
    let event = scene.alice.send_text(&scene.room, &secret);
    scene.world.homeserver.wait_receipt(&scene.room, &scene.world.homeserver.bot(), &event).await;
    let before = link(&scene.said()).to_owned();
    assert!(get(&format!("{before}/raw")).await.1.contains("a secret"));
    let other: Vec<String> = (1..=20).map(|number| format!("otherwise {number}")).collect();
    let edit = scene.alice.edit(&scene.room, &event, &other.join("\n"));
    scene.world.homeserver.wait_receipt(&scene.room, &scene.world.homeserver.bot(), &edit).await;
    let now = link(&scene.said()).to_owned();
    assert_ne!(before, now);
    assert_eq!((get(&before).await.0, get(&now).await.0), (410, 200));
    assert!(get(&format!("{now}/raw")).await.1.contains("otherwise 20"));
    // And with one that says but a word.
    let edit = scene.alice.edit(&scene.room, &event, "short");
    scene.world.homeserver.wait_receipt(&scene.room, &scene.world.homeserver.bot(), &edit).await;
    assert_eq!(get(&now).await.0, 410);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_links_a_flood_of_lines_asks_first_and_goes_once() {
    let mut scene = Scene::new(World::start().await, String::new()).await;
    assert_eq!(scene.say(&lines(15).join("\n")).await, lines(15));
    let event = scene.alice.send_text(&scene.room, &lines(16).join("\n"));
    let about = event.clone();
    let is_answer = move |event: &homeserver::Event| {
        event.content["m.relates_to"]["m.in_reply_to"]["event_id"] == about.as_str()
    };
    let question = scene.world.homeserver.wait_event(&scene.room, &is_answer).await;
    assert!(
        question.body().contains("it would be 16 lines on IRC. To send all of them, react"),
        "{}",
        question.body()
    );
    assert_eq!(scene.say("meanwhile").await.last().unwrap(), "meanwhile", "nobody waits for the answer");
    // Neither a restart nor a second press sends it twice.
    scene.world.wait_outbox_empty().await;
    scene.world.stop_bridge().await;
    scene.world.start_bridge().await;
    scene.alice.react(&scene.room, &question.event_id, "✅");
    scene.bob.wait_text("line 16").await;
    scene.alice.send(
        &scene.room,
        "m.reaction",
        json!({ "m.relates_to":
        { "rel_type": "m.annotation", "event_id": event, "key": "👍" } }),
    );
    let said = scene.say("after").await;
    assert_eq!(said[16..], [lines(16), vec!["after".to_owned()]].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoiler_stands_behind_a_link_where_the_user_wants_it() {
    let scene = Scene::with_links(Options::default(), "settings: { spoilers: link }\n").await;
    let content = json!({ "msgtype": "m.text", "body": "it is Rosebud", "format": "org.matrix.custom.html",
        "formatted_body": "it is <span data-mx-spoiler=\"the sled\">Rosebud</span>" });
    let event = scene.alice.send(&scene.room, "m.room.message", content);
    scene.world.homeserver.wait_receipt(&scene.room, &scene.world.homeserver.bot(), &event).await;
    let said = scene.said();
    let url = said[0].strip_prefix("it is [spoiler: the sled] ").expect(&said[0]);
    assert!(url.starts_with(&scene.base), "{url}");
    let (status, page) = get(url).await;
    assert_eq!(status, 200);
    assert!(page.contains("it is [spoiler: the sled] Rosebud"), "{page}");
    scene.alice.redact(&scene.room, &event).unwrap();
    scene.say("gone").await;
    assert_eq!(get(url).await.0, 410);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_says_how_many_lines_their_messages_may_become() {
    let scene = Scene::with_links(Options::default(), "settings: { lines: 2 }\n").await;
    assert_eq!(scene.say(&lines(2).join("\n")).await, lines(2));
    let said = scene.say(&lines(3).join("\n")).await;
    assert!(said[3].starts_with("… (2 more lines: "), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_no_page_of_a_long_text_is_asked_instead() {
    let scene = Scene::with_links(Options::default(), "settings: { lines: 2 }\n").await;
    scene.alice.send_text(&scene.room, "!irc set long-texts ask");
    scene.world.homeserver.wait_message(&scene.room, "long-texts ask for #rust.").await;
    assert_eq!(scene.say(&lines(15).join("\n")).await, lines(15), "all of it goes");
    scene.alice.send_text(&scene.room, &lines(16).join("\n"));
    let asks = |event: &homeserver::Event| event.body().contains("it would be 16 lines on IRC. To send all");
    scene.world.homeserver.wait_event(&scene.room, asks).await;
    assert_eq!(scene.say("after").await[15..], ["after"], "nothing goes before the answer");
}
