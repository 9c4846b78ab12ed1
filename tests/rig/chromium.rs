//! A real browser without a window: what it makes of an address, and a picture of it.

use std::path::Path;
use std::time::Duration;

use super::process::{command, is_root};

/// How long it may take; it has its start in that, too.
const LIMIT: Duration = Duration::from_mins(3);
/// What a page waits for longer than this, such as a file that is saved and not shown, is given up.
const GIVE_UP: &str = "--timeout=5000";

/// A browser with a profile of its own.
pub(crate) struct Chromium<'a> {
    directory: &'a Path,
}

/// How a page is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Light,
    Dark,
}

impl<'a> Chromium<'a> {
    pub(crate) fn new(directory: &'a Path) -> Self {
        Self { directory }
    }

    /// The document as it is after everything in it has run.
    pub(crate) async fn dom(&self, url: &str) -> String {
        let (text, _) = self.run(&["--dump-dom", url]).await;
        text
    }

    /// A picture of a page, as PNG.
    pub(crate) async fn picture(&self, url: &str, (width, height): (u32, u32), look: Look) -> Vec<u8> {
        let file = self.directory.join("page.png");
        let (size, to) =
            (format!("--window-size={width},{height}"), format!("--screenshot={}", file.display()));
        // The number of Blink's own setting: dark is 0, light is 1.
        let scheme = format!("--blink-settings=preferredColorScheme={}", u8::from(look == Look::Light));
        let (_, log) = self.run(&[&size, &to, &scheme, url]).await;
        std::fs::read(&file).unwrap_or_else(|error| panic!("no picture of {url}: {error}\n{log}"))
    }

    async fn run(&self, arguments: &[&str]) -> (String, String) {
        let mut browser = command("chromium", None);
        browser.args(["--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", GIVE_UP]);
        browser.args([
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
        ]);
        // Its own sandbox refuses root, who owns test machines; what is tested is what the server's headers do.
        browser.args(is_root().then_some("--no-sandbox"));
        browser.arg(format!("--user-data-dir={}", self.directory.join("profile").display()));
        browser.args(arguments).kill_on_drop(true);
        let output = tokio::time::timeout(LIMIT, browser.output()).await;
        let output = output.expect("the browser ends by itself").expect("chromium is installed");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr))
    }
}
