//! Files from Matrix, as people on IRC get them: a line with a link, which leads to the file until its message is gone.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::bridge::World;
use crate::support::homeserver::{self, Event, Fault, TestUser};
use crate::support::ircd::{Options, Person};
use crate::support::ports::free_port;

/// Alice and Bob in `#rust`; files go with links.
struct Scene {
    world: World,
    alice: TestUser,
    bob: Person,
    room: String,
    base: String,
}

impl Scene {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(more: &[&str]) -> Self {
        Self::on(Options::default(), more).await
    }

    async fn on(options: Options, more: &[&str]) -> Self {
        let port = free_port();
        let base = format!("http://127.0.0.1:{port}/irc");
        let mut keys = vec![format!("base_url: \"{base}\""), format!("listen: \"127.0.0.1:{port}\"")];
        keys.extend(more.iter().map(|&key| key.to_owned()));
        let media = format!("media: {{ {} }}\n", keys.join(", "));
        let world = World::builder().ircd(options).config(&media).start().await;
        let bob = world.ircd.person("bob");
        bob.join("#rust");
        let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
        Self { world, alice, bob, room, base }
    }

    async fn upload(&self, kind: &str, bytes: &[u8]) -> String {
        let url = format!("{}/_matrix/media/v3/upload?filename=x", self.world.homeserver.url());
        let request = homeserver::client().post(url).bearer_auth(self.alice.token());
        let answer = request.header("content-type", kind).body(bytes.to_vec()).send().await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        answer["content_uri"].as_str().unwrap().to_owned()
    }

    /// Sends a picture, and gives its event and the line on IRC.
    async fn picture(&self, bytes: &[u8], caption: Option<&str>) -> (String, String) {
        let url = self.upload("image/png", bytes).await;
        let event = self.alice.send(&self.room, "m.room.message", image(&url, bytes.len(), caption));
        (event, self.line("cat.png").await)
    }

    /// Waits for a line with this in it.
    async fn line(&self, part: &str) -> String {
        self.bob.wait_message(|one| one.text().contains(part)).await.text().to_owned()
    }

    fn said(&self) -> Vec<String> {
        let heard = self.bob.messages("#rust").into_iter();
        heard.filter(|(who, _)| who == "alice").map(|(_, text)| text).collect()
    }
}

fn image(url: &str, size: usize, caption: Option<&str>) -> Value {
    json!({ "msgtype": "m.image", "body": caption.unwrap_or("cat.png"), "filename": "cat.png", "url": url,
        "info": { "w": 640, "h": 480, "size": size, "mimetype": "image/png" } })
}

fn link(line: &str) -> &str {
    line.rsplit(' ').next().unwrap()
}

async fn get(url: &str) -> (u16, Vec<u8>) {
    let answer = homeserver::client().request(Method::GET, url).send().await.unwrap();
    (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn complaint_1828_a_picture_is_a_line_with_a_link_that_leads_to_it_until_it_is_taken_back() {
    let scene = Scene::new().await;
    let (event, line) = scene.picture(b"meow", None).await;
    let url = link(&line);
    assert_eq!(line.replace(url, ""), "cat.png (640×480, 4 bytes) ");
    assert!(url.starts_with(&format!("{}/m/", scene.base)) && url.ends_with("/cat.png"), "{url}");
    assert_eq!(get(url).await, (200, b"meow".to_vec()));
    let bare = url.trim_end_matches("/cat.png");
    assert_eq!(get(bare).await.0, 200, "the name is for people");
    assert_eq!(get(&bare[..bare.len() - 1]).await.0, 404);
    scene.alice.redact(&scene.room, &event).unwrap();
    scene.alice.send_text(&scene.room, "gone");
    scene.bob.wait_text("gone").await;
    assert_eq!(get(url).await.0, 410);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_to_a_file_follows_it() {
    let scene = Scene::new().await;
    let (_, line) = scene.picture(b"meow", Some("look:\nmy cat")).await;
    scene.bob.wait_text("my cat").await;
    assert_eq!(scene.said(), [line.as_str(), "look:", "my cat"]);
}

/// It was finished without a word to anybody.
#[tokio::test(flavor = "multi_thread")]
async fn a_caption_that_looks_like_a_command_is_text_or_refused_and_never_lost() {
    let scene = Scene::new().await;
    scene.picture(b"cat", Some("/me as a cat")).await;
    scene.bob.wait_text("/me as a cat").await;
    let url = scene.upload("image/png", b"cat").await;
    let content = image(&url, 3, Some("/topic is on the whiteboard"));
    let event = scene.alice.send(&scene.room, "m.room.message", content);
    let is_told = |one: &Event| {
        one.content["m.relates_to"]["m.in_reply_to"]["event_id"] == event.as_str()
            && one.body().contains("was not sent")
    };
    scene.world.homeserver.wait_event(&scene.room, is_told).await;
    let said = scene.said();
    assert!(said.len() == 2 && said[1] == "/me as a cat", "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sticker_is_its_word_with_a_link_to_its_picture() {
    let scene = Scene::new().await;
    let url = scene.upload("image/png", b"purr").await;
    scene.alice.send(
        &scene.room,
        "m.sticker",
        json!({ "body": "Cat waving", "url": url, "info": { "size": 4 } }),
    );
    let line = scene.line("Cat waving").await;
    assert_eq!(line.replace(link(&line), ""), "Cat waving ");
    assert_eq!(get(link(&line)).await, (200, b"purr".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caption_that_is_edited_is_corrected_and_the_file_not_said_again() {
    let scene = Scene::new().await;
    let (event, line) = scene.picture(b"meow", Some("look at teh cat")).await;
    scene.bob.wait_text("look at teh cat").await;
    let mut content = image("mxc://test.local/x", 4, Some("* look at the cat"));
    content["m.new_content"] = image("mxc://test.local/x", 4, Some("look at the cat"));
    content["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": event });
    scene.alice.send(&scene.room, "m.room.message", content);
    scene.alice.send_text(&scene.room, "after");
    scene.bob.wait_text("after").await;
    let said = scene.said();
    assert_eq!(said[..2], [line, "look at teh cat".to_owned()]);
    assert!(said.len() == 4 && said[2].contains("the") && !said[2].contains("cat.png"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn complaint_1825_a_link_works_after_a_restart_and_a_taken_back_one_does_not() {
    let mut scene = Scene::new().await;
    let (_, kept) = scene.picture(b"kept", None).await;
    let url = scene.upload("image/png", b"gone").await;
    let event = scene.alice.send(&scene.room, "m.room.message", image(&url, 5_000_000, None));
    let gone = scene.line("4.7 MB").await;
    scene.world.homeserver.wait_delivered().await;
    scene.world.stop_bridge().await;
    scene.alice.redact(&scene.room, &event).unwrap();
    scene.world.start_bridge().await;
    scene.alice.send_text(&scene.room, "back");
    scene.bob.wait_text("back").await;
    assert_eq!(get(link(&kept)).await, (200, b"kept".to_vec()));
    assert_eq!(get(link(&gone)).await.0, 410);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_when_its_message_is_taken_back_on_irc() {
    let mut options = Options::with_history();
    options.capabilities.push("draft/message-redaction".to_owned());
    let scene = Scene::on(options, &[]).await;
    let (event, line) = scene.picture(b"meow", None).await;
    let homeserver = &scene.world.homeserver;
    homeserver.wait_receipt(&scene.room, &homeserver.bot(), &event).await;
    assert_eq!(get(link(&line)).await.0, 200);
    scene.bob.raw_line(&format!("REDACT #rust {} :spam", scene.world.ircd.wait_msgid("cat.png").await));
    homeserver.wait_event(&scene.room, |one| one.redacts.as_deref() == Some(&event)).await;
    assert_eq!(get(link(&line)).await.0, 410);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_with_its_message_also_where_the_session_does_not_run() {
    let mut scene = Scene::new().await;
    let (event, gone) = scene.picture(b"meow", None).await;
    let url = scene.upload("image/png", b"kept").await;
    scene.alice.send(&scene.room, "m.room.message", image(&url, 5_000_000, None));
    let kept = scene.line("4.7 MB").await;
    scene.world.homeserver.wait_delivered().await;
    scene.world.stop_bridge().await;
    scene.world.forbid(scene.alice.id());
    scene.world.start_bridge().await;
    scene.alice.redact(&scene.room, &event).unwrap();
    scene.alice.send_text(&scene.room, "anybody there?");
    let refused = |one: &Event| one.body().contains("Your message was not sent");
    scene.world.homeserver.wait_event(&scene.room, refused).await;
    assert_eq!(get(link(&gone)).await.0, 410);
    assert_eq!(get(link(&kept)).await, (200, b"kept".to_vec()), "of the others nothing was taken back");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cant_be_handed_out_go_without_a_link() {
    let scene = Scene::with(&["largest: 1024"]).await;
    let file = |more: Value| {
        let mut content = json!({ "msgtype": "m.file", "body": "a.bin" });
        content.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        content
    };
    for (number, (more, line)) in [
        (json!({ "url": "mxc://test.local/x", "info": { "size": 2_000 } }), "a.bin (1.9 KB)"),
        (
            json!({ "file": { "url": "mxc://test.local/x" } }),
            "a.bin (encrypted, so that it can't be shown here)",
        ),
        (json!({ "url": "mxc://test.local/../../v3/sync" }), "a.bin"),
        (json!({ "url": "https://evil.example/x" }), "a.bin"),
        (json!({}), "a.bin"),
    ]
    .into_iter()
    .enumerate()
    {
        scene.alice.send(&scene.room, "m.room.message", file(more));
        scene.alice.send_text(&scene.room, &format!("after {number}"));
        scene.bob.wait_text(&format!("after {number}")).await;
        let said = scene.said();
        assert_eq!(said[said.len() - 2], line);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_homeserver_has_no_longer_is_missing_and_what_it_does_not_give_is_a_failure() {
    let scene = Scene::new().await;
    scene.alice.send(&scene.room, "m.room.message", image("mxc://test.local/never", 4, None));
    let line = scene.line("cat.png").await;
    assert_eq!(get(link(&line)).await.0, 404);
    let faults = &scene.world.homeserver.faults();
    faults.fail("GET", "/media/download", Fault::Status(502, json!({})), 1);
    assert_eq!(get(link(&line)).await.0, 502);
    let elsewhere = Fault::Status(307, json!({ "errcode": "X" }));
    faults.fail("GET", "/media/download", elsewhere, 1);
    assert_eq!(get(link(&line)).await.0, 502, "nobody follows to another address");
    faults.fail("GET", "/media/download", Fault::Drop, 1);
    assert_eq!(get(link(&line)).await.0, 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_address_files_are_named_and_that_is_told_once() {
    let world = World::start().await;
    let bob = world.ircd.person("bob");
    bob.join("#rust");
    let (alice, _, room) = world.user_in_channel("alice", "#rust").await;
    for _ in 0..2 {
        alice.send(&room, "m.room.message", image("mxc://test.local/x", 4, None));
    }
    alice.send_text(&room, "after");
    bob.wait_text("after").await;
    let said: Vec<String> = bob.messages("#rust").into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["cat.png (640×480, 4 bytes)", "cat.png (640×480, 4 bytes)", "after"]);
    world.homeserver.wait_event(&room, |event| event.body().contains("media.base_url")).await;
    world.wait_outbox_empty().await;
    let bodies = world.homeserver.timeline_bodies(&room);
    assert_eq!(bodies.iter().filter(|body| body.contains("media.base_url")).count(), 1, "{bodies:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_links_lead_to_is_forgotten_with_the_history() {
    let scene = Scene::new().await;
    let (_, line) = scene.picture(b"meow", None).await;
    assert_eq!(get(link(&line)).await.0, 200);
    let count = "SELECT CAST(COUNT(*) AS TEXT) FROM published";
    assert_eq!(scene.world.database().texts(count).await, ["1"]);
    scene.alice.send_text(&scene.room, "!irc forget confirm");
    scene.world.homeserver.wait_event(&scene.room, |event| event.body().contains("Forgotten")).await;
    assert_eq!(scene.world.database().texts(count).await, ["0"]);
    assert_eq!(get(link(&line)).await.0, 404);
}
