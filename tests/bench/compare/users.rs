//! Many users with ten channels each, alone in them but for a watcher who was there before: what it costs to set them
//! up, to keep them, and to bring them back after a restart.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::bridge::{Bridge, Pacing};
use super::people::Person;
use super::results::Results;
use super::town::Town;
use super::{LIMIT, Plan, attempt};

const CHANNELS: usize = 10;
/// How many channels one watcher watches.
const WATCHED: usize = 100;

pub(crate) const KEYS: &[&str] =
    &["users_cpu", "users_seconds", "users_requests", "memory_per_user", "restart", "restart_paced"];

pub(crate) async fn measure<B: Bridge>(plan: &Plan, ircd: SocketAddr, results: &mut Results) {
    let mut town = Town::<B>::start(ircd, "u").await;
    let channel = |user: usize, number: usize| format!("#{}{user}-{number}", B::PREFIX);
    let all: Vec<String> =
        (0..plan.users).flat_map(|user| (0..CHANNELS).map(move |number| channel(user, number))).collect();
    let mut watchers = Vec::new();
    for (number, channels) in all.chunks(WATCHED).enumerate() {
        let watcher = Person::connect(ircd, &format!("{}watcher{number}", B::PREFIX)).await;
        watcher.join(channels).await;
        watchers.push(watcher);
    }
    let keys = ["users_cpu", "users_seconds", "users_requests", "memory_per_user"];
    attempt(results, &keys, async {
        let vitals = town.bridge.vitals();
        vitals.wait_idle().await;
        let (cpu, memory, requests) = (vitals.cpu(), vitals.memory().resident, town.requests());
        forget(&watchers);
        let started = Instant::now();
        let users = town.users(plan.users, &watchers[0]).await;
        for (number, user) in users.iter().enumerate() {
            for channel in (0..CHANNELS).map(|channel_number| channel(number, channel_number)) {
                town.bridge.join(&user.matrix, &user.network, &channel);
            }
        }
        town.wait_channel_rooms(&users, all.len()).await;
        let seconds = started.elapsed().as_secs_f64();
        town.homeserver().wait_delivered().await;
        vitals.wait_idle().await;
        let memory = vitals.memory().resident - memory;
        vec![
            ("users_cpu", vitals.cpu() - cpu),
            ("users_seconds", seconds),
            ("users_requests", (town.requests() - requests) as f64),
            ("memory_per_user", memory * 1024.0 / plan.users as f64),
        ]
    })
    .await;
    for (key, pacing) in [("restart", Pacing::Off), ("restart_paced", Pacing::Shipped)] {
        attempt(results, &[key], async {
            town.bridge.stop().await;
            wait_count(&watchers, "QUIT", plan.users).await;
            forget(&watchers);
            let started = Instant::now();
            town.bridge.start(pacing);
            wait_count(&watchers, "JOIN", all.len()).await;
            let seconds = started.elapsed().as_secs_f64();
            town.bridge.wait_ready().await;
            town.bridge.vitals().wait_idle().await;
            vec![(key, seconds)]
        })
        .await;
    }
    town.bridge.stop().await;
}

fn forget(watchers: &[Person]) {
    watchers.iter().for_each(Person::forget);
}

/// Waits until the watchers have seen this happen so often.
async fn wait_count(watchers: &[Person], verb: &str, count: usize) {
    let is = |line: &str| line.split(' ').nth(1) == Some(verb);
    let seen = || watchers.iter().map(|watcher| watcher.count(0, is)).sum::<usize>();
    let enough = async {
        while seen() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let enough = tokio::time::timeout(LIMIT, enough).await;
    assert!(enough.is_ok(), "{} of {count} times {verb} were seen", seen());
}
