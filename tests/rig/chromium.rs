//! A real browser without a window: what it makes of an address, and a picture of it.
//!
//! It is driven by the `DevTools` protocol over a pipe. Its own `--dump-dom` and `--screenshot` wait for ever, one time in
//! twenty on a busy machine, where an address turns out to be a file to save.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};

use super::process::{command, is_root};

/// How long one answer may take; the first has the browser's start in it.
const LIMIT: Duration = Duration::from_mins(3);
/// Its pipes are what this process reads and writes: the protocol is spoken on descriptors 3 and 4.
const WITH_PIPES: &str = "exec \"$0\" \"$@\" 3<&0 4>&1 1>&2 0</dev/null";

/// A browser with a profile of its own and one page.
pub(crate) struct Chromium {
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// Attached to the page, once there is one.
    page: Option<String>,
    /// The number of the last request.
    asked: u64,
    /// Kept for its end: it is killed when this is dropped.
    _process: Child,
}

/// How a page is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Light,
    Dark,
}

impl Chromium {
    /// Starts it; its profile lies in the directory.
    pub(crate) async fn start(directory: &Path) -> Self {
        let mut browser = command("sh", None);
        browser.args(["-c", WITH_PIPES, "chromium", "--headless", "--remote-debugging-pipe"]);
        browser.args(["--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-dev-shm-usage"]);
        browser.args(["--disable-background-networking", "--disable-component-update"]);
        // Its own sandbox refuses root, who owns test machines; what is tested is what the server's headers do.
        browser.args(is_root().then_some("--no-sandbox"));
        browser.arg(format!("--user-data-dir={}", directory.join("profile").display()));
        let log = std::fs::File::create(directory.join("browser.log")).unwrap();
        browser.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut process = browser.spawn().expect("chromium is installed");
        let (to, from) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let mut browser = Self { to, from, page: None, asked: 0, _process: process };
        browser.ask("Browser.setDownloadBehavior", &json!({ "behavior": "deny" })).await;
        let page = browser.ask("Target.createTarget", &json!({ "url": "about:blank" })).await;
        let attached = json!({ "targetId": page["targetId"], "flatten": true });
        let session = browser.ask("Target.attachToTarget", &attached).await;
        browser.page = Some(session["sessionId"].as_str().unwrap().to_owned());
        browser.ask("Page.enable", &json!({})).await;
        browser.ask("Page.setLifecycleEventsEnabled", &json!({ "enabled": true })).await;
        browser
    }

    /// The document as it is after everything in it has run. What is saved and not shown leaves the one before.
    pub(crate) async fn dom(&mut self, url: &str) -> String {
        self.visit(url).await;
        let read = json!({ "expression": "document.documentElement.outerHTML", "returnByValue": true });
        let shown = self.ask("Runtime.evaluate", &read).await;
        shown["result"]["value"].as_str().unwrap_or_else(|| panic!("{url}: {shown}")).to_owned()
    }

    /// A picture of a page, as PNG.
    pub(crate) async fn picture(&mut self, url: &str, (width, height): (u32, u32), look: Look) -> Vec<u8> {
        let value = if look == Look::Dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.ask("Emulation.setEmulatedMedia", &media).await;
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.ask("Emulation.setDeviceMetricsOverride", &size).await;
        self.visit(url).await;
        let taken = self.ask("Page.captureScreenshot", &json!({ "format": "png" })).await;
        BASE64_STANDARD.decode(taken["data"].as_str().unwrap()).unwrap()
    }

    /// Goes there, and waits until all of it is loaded; or until it is known that it is a file to save.
    async fn visit(&mut self, url: &str) {
        let mut loaded = Vec::new();
        let gone = self.ask_noting("Page.navigate", &json!({ "url": url }), &mut loaded).await;
        if gone["isDownload"] == json!(true) {
            return;
        }
        assert!(gone.get("errorText").is_none(), "{url}: {gone}");
        let document = gone["loaderId"].as_str().unwrap_or_else(|| panic!("{url}: {gone}"));
        while !loaded.iter().any(|known| known == document) {
            let message = self.hear().await;
            loaded.extend(loaded_by(&message));
        }
    }

    async fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        self.ask_noting(method, parameters, &mut Vec::new()).await
    }

    /// The answer to a request, and the documents that were loaded before it came.
    async fn ask_noting(&mut self, method: &str, parameters: &Value, loaded: &mut Vec<String>) -> Value {
        self.asked += 1;
        let mut request = json!({ "id": self.asked, "method": method, "params": parameters });
        if let Some(page) = &self.page {
            request["sessionId"] = json!(page);
        }
        let request = format!("{request}\0");
        self.to.write_all(request.as_bytes()).await.expect("the browser runs");
        loop {
            let mut message = self.hear().await;
            if message["id"] == json!(self.asked) {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
            loaded.extend(loaded_by(&message));
        }
    }

    /// The next that it says.
    async fn hear(&mut self) -> Value {
        let mut message = Vec::new();
        let read = tokio::time::timeout(LIMIT, self.from.read_until(0, &mut message)).await;
        read.unwrap_or_else(|_| panic!("the browser said nothing for {LIMIT:?}")).unwrap();
        assert_eq!(message.pop(), Some(0), "the browser ended");
        serde_json::from_slice(&message).unwrap()
    }
}

/// The document of which a message says that all of it is loaded.
fn loaded_by(message: &Value) -> Option<String> {
    let of = &message["params"];
    let is_loaded = message["method"] == "Page.lifecycleEvent" && of["name"] == "load";
    is_loaded.then(|| of["loaderId"].as_str().unwrap_or_default().to_owned())
}
