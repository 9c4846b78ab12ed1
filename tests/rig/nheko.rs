//! A real Matrix client with a window, on a screen that nobody sees: nheko on Xvfb, led by keys, and pictures of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

use super::process::{Process, command};
use super::{LIMIT, START_LIMIT, http_client};

/// The screen, all of it the client's.
const SIZE: (u32, u32) = (1_280, 1_000);
/// Without the line that one writes in, whose cursor blinks.
const SEEN: &str = "1280x955+0+0";
/// The list of rooms: it is dark behind a question, and nothing in it blinks.
const ROOMS: &str = "222x955+0+0";
/// Where "Cancel" stands in the question about encryption that a new device is asked.
const CANCEL: [&str; 2] = ["1213", "961"];
/// How often the screen is looked at: a client does not tell when it has drawn something.
const LOOK: Duration = Duration::from_millis(300);

/// A running client, logged in.
pub(crate) struct Nheko {
    directory: PathBuf,
    display: String,
    _client: Process,
    /// Goes last: without a screen the client says that as its own failure.
    _screen: Process,
}

impl Nheko {
    /// Logs in, and starts with files of its own in `directory`.
    pub(crate) async fn start(directory: &Path, homeserver: &str, user: &str, password: &str) -> Self {
        for folder in ["config/nheko", "cache", "data", "run"] {
            std::fs::create_dir_all(directory.join(folder)).unwrap();
        }
        let login = log_in(homeserver, user, password).await;
        std::fs::write(directory.join("config/nheko/nheko.conf"), settings(homeserver, &login)).unwrap();

        let log = directory.join("screen.log");
        let mut screen = command("Xvfb", None);
        let (width, height) = SIZE;
        screen.args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0", &format!("{width}x{height}x24")]);
        let mut screen = Process::start("Xvfb", screen, &log);
        // Its number is the first line that it says, on a line of its own.
        let number = || {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let is_number = |line: &str| line.parse::<u32>().is_ok();
            said.split_inclusive('\n')
                .filter_map(|line| line.strip_suffix('\n'))
                .find(|line| is_number(line))
                .map(str::to_owned)
        };
        screen.wait_ready(async || number().is_some()).await;
        let display = format!(":{}", number().expect("the screen has a number"));

        let mut client = command("nheko", None);
        let at = |folder: &str| directory.join(folder);
        client.env("DISPLAY", &display).env("HOME", directory).env("LIBGL_ALWAYS_SOFTWARE", "1");
        client.env("XDG_CONFIG_HOME", at("config")).env("XDG_CACHE_HOME", at("cache"));
        client.env("XDG_DATA_HOME", at("data")).env("XDG_RUNTIME_DIR", at("run"));
        // It asks nobody else on this machine for anything.
        client.env("DBUS_SESSION_BUS_ADDRESS", "disabled:").env("NO_AT_BRIDGE", "1");
        let mut client = Process::start("nheko", client, &directory.join("nheko.log"));
        let is_synced = || {
            let said = std::fs::read_to_string(directory.join("nheko.log")).unwrap_or_default();
            said.contains("initial sync completed")
        };
        client.wait_ready(async || is_synced()).await;
        let nheko = Self { directory: directory.into(), display, _client: client, _screen: screen };
        nheko.fill_the_screen().await;
        nheko
    }

    /// As large as the screen, and with its first question answered.
    async fn fill_the_screen(&self) {
        let window = self.xdotool(&["search", "--sync", "--onlyvisible", "--name", "nheko"]).await;
        let window = window.lines().last().expect("the client has a window").to_owned();
        let (width, height) = (SIZE.0.to_string(), SIZE.1.to_string());
        let asked = self.picture().await;
        self.xdotool(&["windowsize", &window, &width, &height, "windowmove", &window, "0", "0"]).await;
        let asked = self.wait_change(SEEN, &asked).await;
        self.xdotool(&["mousemove", CANCEL[0], CANCEL[1], "click", "1"]).await;
        self.wait_change(SEEN, &asked).await;
    }

    /// Goes to the room with this name.
    pub(crate) async fn open(&self, name: &str) {
        let before = self.look_at(ROOMS).await;
        self.xdotool(&["key", "ctrl+k"]).await;
        let asked = self.wait_change(ROOMS, &before).await;
        self.xdotool(&["type", name]).await;
        self.xdotool(&["key", "Return"]).await;
        self.wait_change(ROOMS, &asked).await;
        // Its messages come behind that, and may be what is shown already.
        self.wait_change(SEEN, &[]).await;
    }

    /// Goes back in the room, by so many turns of a wheel.
    pub(crate) async fn scroll_up(&self, turns: usize) {
        let before = self.picture().await;
        self.xdotool(&["mousemove", "720", "500", "click", "--repeat", &turns.to_string(), "4"]).await;
        self.wait_change(SEEN, &before).await;
    }

    /// What is to be seen, as PNG.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        self.look_at(SEEN).await
    }

    async fn look_at(&self, part: &str) -> Vec<u8> {
        let file = self.directory.join("screen.png");
        let mut import = Command::new("import");
        import.env("DISPLAY", &self.display).args(["-window", "root", "-crop", part]).arg("+repage");
        // Without the time, so that the same picture is the same file.
        import.args(["-define", "png:exclude-chunks=date,time"]).arg(&file);
        done(import).await;
        std::fs::read(&file).unwrap()
    }

    /// Waits until a part of what is to be seen is another than before, and stays as it is.
    async fn wait_change(&self, part: &str, before: &[u8]) -> Vec<u8> {
        let still = tokio::time::timeout(LIMIT, async {
            let (mut last, mut look) = (before.to_vec(), tokio::time::interval(LOOK));
            loop {
                look.tick().await;
                let seen = self.look_at(part).await;
                if seen == last && seen != before {
                    return seen;
                }
                last = seen;
            }
        });
        still.await.expect("what the client shows changes and stands still")
    }

    async fn xdotool(&self, words: &[&str]) -> String {
        let mut xdotool = Command::new("xdotool");
        xdotool.env("DISPLAY", &self.display).args(words);
        done(xdotool).await
    }
}

/// What a command says, when it has ended well.
async fn done(mut command: Command) -> String {
    let output = tokio::time::timeout(START_LIMIT, command.kill_on_drop(true).output()).await;
    let output = output.expect("it ends by itself").expect("it is installed");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn log_in(homeserver: &str, user: &str, password: &str) -> Value {
    let identifier = json!({ "type": "m.id.user", "user": user });
    let body = json!({ "type": "m.login.password", "identifier": identifier, "password": password });
    let request = http_client().post(format!("{homeserver}/_matrix/client/v3/login")).body(body.to_string());
    let answer = request.send().await.unwrap().bytes().await.unwrap();
    serde_json::from_slice(&answer).unwrap()
}

/// Its file, in which it finds itself logged in.
fn settings(homeserver: &str, login: &Value) -> String {
    let of = |key: &str| login[key].as_str().unwrap_or_else(|| panic!("login: {login}")).to_owned();
    format!(
        "[General]\nrun_without_secure_secrets_service=true\n\n[auth]\naccess_token={}\ndevice_id={}\n\
         home_server={homeserver}\nuser_id={}\n\n[user]\ntheme=light\n",
        of("access_token"),
        of("device_id"),
        of("user_id"),
    )
}
