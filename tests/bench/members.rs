//! A channel of 5,000 people: how long until its room can be used, and what it costs to bring all of them in.
//!
//! The setting is `members all`, and the budget five hundred requests per second, so that it ends some time. Times are from
//! the moment at which the user's `join` is handed over, with nothing else going on but the people coming in.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::it::support::database::TestDatabase;
use crate::it::support::homeserver::{self, Homeserver};
use crate::it::support::ircd::{self, Ircd};
use crate::process::Towline;
use crate::report::{at_most, row};
use crate::vitals::Memory;

const CHANNEL: &str = "#big";
const RATE: u32 = 500;

pub(crate) struct Figures {
    people: usize,
    invited: Duration,
    shown: Duration,
    heard: Duration,
    all: Duration,
    requests: usize,
    before: Memory,
    after: Memory,
    start: Duration,
    start_requests: usize,
}

/// Measures with so many people.
pub(crate) async fn measure(people: usize, directory: &Path) -> Figures {
    let homeserver = Homeserver::start(homeserver::Options::default()).await;
    let ircd = Ircd::start(ircd::Options { record_lines: false, ..ircd::Options::default() }).await;
    let database = TestDatabase::new().await;
    let mut towline = Towline::configure(directory, &homeserver, &database.url(), ircd.address());
    towline.add_config(&format!("limits: {{ membership_calls: {RATE} }}\n"));
    homeserver.set_appservice_url(&towline.url());
    towline.start();
    let crowd = ircd.crowd(CHANNEL, people);
    let alice = homeserver.user("alice");
    let control = alice.start_dm(&homeserver.bot());
    homeserver.wait_event(&control, |event| event.body().contains("To begin")).await;
    alice.send_text(&control, "open fake");
    let network = homeserver.wait_invite(alice.id()).await;
    alice.join(&network).await;
    ircd.wait_registered("alice").await;
    alice.send_text(&control, "set members all");
    homeserver.wait_event(&control, |event| event.body().contains("members all")).await;
    towline.vitals().wait_idle().await;
    let before = towline.vitals().memory();

    let (started, requests) = (Instant::now(), homeserver.requests("", ""));
    alice.send_text(&network, &format!("join {CHANNEL}"));
    let room = homeserver.wait_invite(alice.id()).await;
    let invited = started.elapsed();
    alice.join(&room).await;
    crowd[0].say(CHANNEL, "a first word");
    homeserver.wait_message(&room, "a first word").await;
    let shown = started.elapsed();
    alice.send_text(&room, "an answer");
    crowd[0].wait_text("an answer").await;
    let heard = started.elapsed();
    while homeserver.members(&room, "join").len() < people + 2 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (all, requests) = (started.elapsed(), homeserver.requests("", "") - requests);
    towline.vitals().wait_idle().await;
    let after = towline.vitals().memory();

    towline.stop().await;
    ircd.wait_gone("alice").await;
    let (started, again) = (Instant::now(), homeserver.requests("", ""));
    towline.start();
    ircd.wait_joined(CHANNEL, "alice").await;
    let start = started.elapsed();
    towline.vitals().wait_idle().await;
    let start_requests = homeserver.requests("", "") - again;
    towline.stop().await;
    Figures { people, invited, shown, heard, all, requests, before, after, start, start_requests }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

impl Figures {
    fn per_second(&self) -> f64 {
        self.requests as f64 / self.all.as_secs_f64()
    }

    pub(crate) fn table(&self) -> String {
        let (people, rate) = (self.people, format!("{RATE} requests/s"));
        let seconds = self.all.as_secs_f64();
        let grown = self.after.resident - self.before.resident;
        let usable = |time: Duration| format!("{:.0} ms", milliseconds(time));
        [
            row(&format!("a channel of {people}: invited"), &usable(self.invited), &at_most("1 s")),
            row("a line from IRC is in its room", &usable(self.shown), &at_most("1 s")),
            row("a line from Matrix is on IRC", &usable(self.heard), &at_most("1 s")),
            row(
                &format!("all {people} are in"),
                &format!("{seconds:.0} s, {} requests, {:.0}/s", self.requests, self.per_second()),
                &at_most(&rate),
            ),
            row("memory for that", &format!("{grown:.1} MB"), ""),
            row(
                "started again: in the channel",
                &format!("{:.0} ms, {} requests", milliseconds(self.start), self.start_requests),
                "",
            ),
        ]
        .concat()
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "people": self.people, "invited_ms": milliseconds(self.invited), "from_irc_ms": milliseconds(self.shown),
            "from_matrix_ms": milliseconds(self.heard), "all_s": self.all.as_secs_f64(), "requests": self.requests,
            "requests_per_second": self.per_second(), "grown_mb": self.after.resident - self.before.resident,
            "start_ms": milliseconds(self.start), "start_requests": self.start_requests,
        })
    }
}
