//! What links on IRC lead to: files that Synapse gives only to those who are logged in, and pages with long texts, as
//! people fetch them and as a browser shows them.

use serde_json::json;
use tempfile::TempDir;

use crate::rig::chromium::{Chromium, Look};
use crate::rig::inspircd::Inspircd;
use crate::rig::towline::NetworkEntry;
use crate::rig::town::{Extras, NETWORK, Town};
use crate::scene::{CHANNEL, Scene};

/// A picture of one dot.
const DOT: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\x0bIDAT\x78\x9c\x63\xf8\x0f\x04\x00\x09\xfb\x03\xfd\xfb\x5e\x6b\x2b\0\0\0\0IEND\xae\x42\x60\x82";
/// What would show that a script ran.
const SCRIPT: &str = "document.title = 'it ' + 'ran'; document.documentElement.setAttribute('it', 'ran');";

async fn scene_with_links() -> Scene {
    let directory = TempDir::with_prefix("towline-media-").unwrap();
    let inspircd = Inspircd::start(&directory.path().join("inspircd")).await;
    let entry = NetworkEntry::plain("demo", NETWORK, &inspircd);
    let extras = Extras { links: true, ..Extras::default() };
    Scene::in_town(Town::around(directory, inspircd, entry, &extras).await).await
}

impl Scene {
    /// Uploads a file and says it; gives its event and its link.
    async fn say_file(&self, name: &str, kind: &str, bytes: &[u8]) -> (String, String) {
        let alice = &self.town.alice;
        let url = alice.upload(kind, bytes).await;
        let content = json!({ "msgtype": "m.file", "body": name, "filename": name, "url": url,
            "info": { "mimetype": kind, "size": bytes.len() } });
        let event = alice.send(&self.room, "m.room.message", &content).await;
        (event, self.link_in(&format!("{name} (")).await)
    }

    /// The link in the line that begins so.
    async fn link_in(&self, start: &str) -> String {
        let mark = format!(" PRIVMSG {CHANNEL} :{start}");
        let line = self.witness.wait_line_after(0, |line| line.contains(&mark)).await;
        line.rsplit(' ').next().unwrap().trim_end_matches(')').to_owned()
    }

    /// All that alice said before has been done with.
    async fn settle(&self, text: &str) {
        self.town.alice.say(&self.room, text).await;
        self.witness.wait_said("alice", CHANNEL, text).await;
    }
}

/// What `curl` got.
struct Answer {
    status: u16,
    headers: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let lines = self.headers.lines().filter_map(|line| line.split_once(':'));
        let mut values = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        values.next().map_or("", |(_, value)| value.trim())
    }
}

/// Fetches an address as people do, the path as it stands.
async fn curl(url: &str, options: &[&str]) -> Answer {
    let directory = TempDir::with_prefix("towline-curl-").unwrap();
    let (headers, body) = (directory.path().join("headers"), directory.path().join("body"));
    let mut command = tokio::process::Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "60", "--path-as-is", "--noproxy", "*"]);
    command.args(options).arg("--dump-header").arg(&headers).arg("--output").arg(&body);
    let done = command.args(["--write-out", "%{http_code}", url]).output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Answer {
        status: String::from_utf8(done.stdout).unwrap().parse().unwrap(),
        headers: std::fs::read_to_string(headers).unwrap(),
        body: std::fs::read(body).unwrap_or_default(),
    }
}

#[tokio::test]
async fn an_image_is_fetched_by_its_link_whole_and_in_parts_until_it_is_taken_back() {
    let scene = scene_with_links().await;
    let alice = &scene.town.alice;
    let mxc = alice.upload("image/png", DOT).await;
    let bare =
        format!("{}/_matrix/client/v1/media/download/{}", scene.town.synapse.url, mxc.replace("mxc://", ""));
    assert_eq!(curl(&bare, &[]).await.status, 401, "Synapse gives it to nobody who is not logged in");
    let content = json!({ "msgtype": "m.image", "body": "my dot", "filename": "dot.png", "url": mxc,
        "info": { "mimetype": "image/png", "size": DOT.len(), "w": 1, "h": 1 } });
    let event = alice.send(&scene.room, "m.room.message", &content).await;
    let url = scene.link_in("dot.png (1×1, 68 bytes) ").await;
    scene.witness.wait_said("alice", CHANNEL, "my dot").await;

    let whole = curl(&url, &[]).await;
    assert_eq!((whole.status, whole.header("content-type")), (200, "image/png"));
    assert_eq!(whole.header("content-disposition"), "inline; filename=\"dot.png\"");
    assert_eq!(whole.header("content-security-policy"), "sandbox; default-src 'none'");
    assert_eq!(whole.body, DOT);
    let part = curl(&url, &["--range", "1-3"]).await;
    assert_eq!((part.status, part.header("content-range")), (206, "bytes 1-3/68"));
    assert_eq!(part.body, b"PNG");
    let head = curl(&url, &["--head"]).await;
    assert_eq!((head.status, head.header("content-length")), (200, "68"));
    assert_eq!(curl(&url, &["--range", "68-"]).await.status, 416);

    let (start, _) = url.rsplit_once('/').unwrap();
    let guessed = format!("{}{}", &start[..start.len() - 17], "0".repeat(17));
    for forged in [
        guessed.as_str(),
        &start[..start.len() - 1],
        &format!("{start}/../x/y"),
        &bare.replace(&scene.town.synapse.url, &start[..start.len() - 20]),
    ] {
        assert_eq!(curl(forged, &[]).await.status, 404, "{forged}");
    }

    alice.redact(&scene.room, &event).await;
    scene.settle("it is gone").await;
    assert_eq!(curl(&url, &[]).await.status, 410);
    assert_eq!(curl(&url, &["--head"]).await.status, 410);
}

#[tokio::test]
async fn nothing_that_was_uploaded_runs_in_a_browser() {
    let scene = scene_with_links().await;
    let directory = TempDir::with_prefix("towline-browser-").unwrap();
    let mut browser = Chromium::start(directory.path()).await;
    let html = format!("<!DOCTYPE html><title>still</title><script>{SCRIPT}</script>");
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\"><title>still</title><script>{SCRIPT}</script></svg>"
    );
    let own = directory.path().join("own.html");
    let own_url = format!("file://{}", own.display());
    // The browser does go there, and runs scripts.
    std::fs::write(&own, &html).unwrap();
    let shown = browser.dom(&own_url).await;
    assert!(shown.contains("<title>it ran</title>") && shown.contains("it=\"ran\""), "{shown}");

    let mut embedded = String::from("<!DOCTYPE html><title>still</title>");
    for (name, kind, text) in [
        ("a.html", "text/html", html.as_str()),
        ("b.svg", "image/svg+xml", &svg),
        (
            "c.xhtml",
            "application/xhtml+xml",
            &html.replace("<title>", "<title xmlns=\"http://www.w3.org/1999/xhtml\">"),
        ),
        ("d.png", "image/png", &html),
        ("e.txt", "text/plain", &html),
        ("f.js", "text/javascript", SCRIPT),
        ("g.css", "text/css", SCRIPT),
    ] {
        let (_, url) = scene.say_file(name, kind, text.as_bytes()).await;
        // What is saved and not shown leaves what was there before.
        browser.dom("about:blank").await;
        let shown = browser.dom(&url).await;
        assert!(!shown.contains("it ran") && !shown.contains("it=\"ran\""), "{name}: {shown}");
        embedded.push_str(&format!(
            "<iframe src=\"{url}\"></iframe><object data=\"{url}\"></object><script src=\"{url}\"></script>"
        ));
    }
    // Nor where somebody else's page has it.
    std::fs::write(&own, &embedded).unwrap();
    let shown = browser.dom(&own_url).await;
    assert!(shown.contains("<title>still</title>") && !shown.contains("it=\"ran\""), "{shown}");
}

#[tokio::test]
async fn a_long_text_is_a_page_in_a_browser_and_nothing_in_it_runs() {
    let scene = scene_with_links().await;
    let directory = TempDir::with_prefix("towline-browser-").unwrap();
    let mut browser = Chromium::start(directory.path()).await;
    let code = include_str!("media.rs").lines().take(60).collect::<Vec<_>>().join("\n");
    let text = format!(
        "This is how the links are tested, and what it looks like when somebody pastes a file and says some words to it \
         that are longer than a line of a telephone:\n```rust\n{code}\n```\nAnd <script>{SCRIPT}</script> is text."
    );
    scene.town.alice.say(&scene.room, &text).await;
    let url = scene.link_in("… (").await;
    let shown = browser.dom(&url).await;
    assert!(shown.contains("<title>alice on #towline</title>") && !shown.contains("it=\"ran\""), "{shown}");
    assert!(shown.contains("&lt;script&gt;") && shown.contains("<i class=\"k\">use</i>"), "{shown}");
    // To be looked at; what a machine can say is that they are not the same.
    let pictures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pictures");
    std::fs::create_dir_all(&pictures).unwrap();
    let mut seen = Vec::new();
    for (name, size, look) in [
        ("light", (1_100, 900), Look::Light),
        ("dark", (1_100, 900), Look::Dark),
        ("phone", (390, 800), Look::Light),
    ] {
        let picture = browser.picture(&url, size, look).await;
        std::fs::write(pictures.join(format!("long-text-{name}.png")), &picture).unwrap();
        assert!(picture.len() > 10_000, "{name} is nearly blank");
        assert!(!seen.contains(&picture), "{name} looks like another");
        seen.push(picture);
    }
    assert_eq!(curl(&format!("{url}/raw"), &[]).await.body, text.as_bytes());
}
