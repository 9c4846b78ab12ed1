//! Towline beside Heisenbridge, on the same machine and between the same servers: `scripts/bench`.
//!
//! Each bridge in turn gets an in-memory homeserver of its own, which hands every event back as Synapse does, and the
//! same InspIRCd without flood limits. A bridge is only ever talked to: users write to its bot, take its invitations,
//! and people speak on IRC. Each figure checks what it measures; where that fails, it says so instead of a number.
//! The floor (see `floor`) stands beside them.

mod bridge;
mod conversation;
mod floor;
mod members;
mod people;
mod results;
mod town;
mod users;

use std::any::Any;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;

use self::bridge::{Bridge, Heisenbridge, OurBridge};
pub(crate) use self::floor::forward;
use self::results::{Comparison, Results};
use crate::progress;
use crate::report::Spread;
use crate::rig::inspircd::Inspircd;

/// How long anything may take: the slowest is a restart with many users, at the pace that ships.
const LIMIT: Duration = Duration::from_mins(3);

/// How much is measured.
struct Plan {
    /// Lines one at a time, each way.
    singles: usize,
    /// Lines of the stream.
    stream: usize,
    /// Lines of each burst.
    burst: usize,
    users: usize,
    /// How many are in the channels that are opened.
    crowds: &'static [(usize, members::Keys)],
}

const CROWDS: &[(usize, members::Keys)] = &[
    (1_000, ["members_1000", "members_1000_lost", "members_1000_cpu", "members_1000_requests"]),
    (5_000, ["members_5000", "members_5000_lost", "members_5000_cpu", "members_5000_requests"]),
];
const FULL: Plan = Plan { singles: 300, stream: 1_200, burst: 5_000, users: 50, crowds: CROWDS };
const QUICK: Plan = Plan { singles: 50, stream: 200, burst: 5_000, users: 50, crowds: CROWDS.split_at(1).0 };
/// To see that everything works: figures of so little say nothing.
const TRIAL: Plan = Plan {
    singles: 5,
    stream: 20,
    burst: 500,
    users: 3,
    crowds: &[(50, ["members_1000", "members_1000_lost", "members_1000_cpu", "members_1000_requests"])],
};

/// What the floor does: milliseconds for a line, when lines follow each other and when 20 come in a second; lines in a
/// second.
#[derive(Clone, Copy)]
pub(crate) struct Floor {
    latency: f64,
    stream: f64,
    rate: f64,
}

/// Measures and prints; whether everything could be measured.
#[expect(clippy::print_stdout, reason = "the figures are what this is for")]
pub(crate) async fn run(has: impl Fn(&str) -> bool) -> bool {
    let plan = if has("--trial") {
        TRIAL
    } else if has("--quick") {
        QUICK
    } else {
        FULL
    };
    let directory = tempfile::TempDir::with_prefix("towline-bench-").unwrap();
    progress("fdatasync");
    let sync = Spread::of((0..100).map(|_| crate::sync_once(directory.path())).collect()).at(0.5);
    let inspircd = Inspircd::start(&directory.path().join("inspircd")).await;
    let ircd = inspircd.address();
    progress("the floor");
    let floor = floor::measure(&plan, ircd).await;
    let comparison = Comparison {
        sync,
        floor,
        ours: measure::<OurBridge>(&plan, ircd, "Towline").await,
        theirs: measure::<Heisenbridge>(&plan, ircd, "Heisenbridge").await,
    };
    if has("--json") {
        println!("{:#}", comparison.json());
    } else {
        print!("{}", comparison.table());
    }
    comparison.is_complete()
}

async fn measure<B: Bridge>(plan: &Plan, ircd: SocketAddr, name: &str) -> Results {
    let mut results = Results::new();
    progress(&format!("{name}: one user in one channel"));
    section(&mut results, conversation::KEYS, async |results: &mut Results| {
        conversation::measure::<B>(plan, ircd, results).await;
    })
    .await;
    progress(&format!("{name}: {} users with 10 channels", plan.users));
    section(&mut results, users::KEYS, async |results: &mut Results| {
        users::measure::<B>(plan, ircd, results).await;
    })
    .await;
    for (size, keys) in plan.crowds {
        progress(&format!("{name}: a channel of {size}"));
        section(&mut results, keys, async |results: &mut Results| {
            members::measure::<B>(*size, *keys, ircd, results).await;
        })
        .await;
    }
    results
}

/// Takes one step. Where it panics, each of its figures has failed, and the next step goes on.
async fn attempt(
    results: &mut Results,
    keys: &[&'static str],
    step: impl Future<Output = Vec<(&'static str, f64)>>,
) {
    match AssertUnwindSafe(step).catch_unwind().await {
        Ok(figures) => results.extend(figures.into_iter().map(|(key, figure)| (key, Ok(figure)))),
        Err(panic) => results.extend(keys.iter().map(|key| (*key, Err(reason(&*panic))))),
    }
}

/// Takes the steps that one start of a bridge allows. Where something between them panics, what is left has failed.
async fn section(results: &mut Results, keys: &[&'static str], steps: impl AsyncFnOnce(&mut Results)) {
    if let Err(panic) = AssertUnwindSafe(steps(results)).catch_unwind().await {
        for key in keys.iter().copied() {
            results.entry(key).or_insert_with(|| Err(reason(&*panic)));
        }
    }
}

/// The first line of what a panic said.
fn reason(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
    text.lines().next().unwrap_or_default().to_owned()
}
