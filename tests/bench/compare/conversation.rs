//! One user in one channel: how long lines take either way, what they cost, and what a burst does.
//!
//! Everyone who speaks has spoken before, so nothing here pays for a ghost. Between single lines everything comes to
//! rest. A burst's lines leave for IRC in steps, each of which a witness in the channel has seen before the next: so
//! its order on IRC is known, and the rooms' order is compared with what the witness saw.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::bridge::{Bridge, Pacing};
use super::people::Person;
use super::results::Results;
use super::town::{Town, User};
use super::{LIMIT, Plan, attempt};
use crate::report::Spread;

const CHANNEL: &str = "#bench";
pub(super) const NICKS: usize = 10;

struct Scene<'a, B> {
    town: &'a Town<B>,
    room: String,
    user: User,
    witness: Person,
    speakers: Vec<Person>,
}

pub(crate) const KEYS: &[&str] = &[
    "memory_idle",
    "to_matrix_idle",
    "to_matrix_idle_99",
    "stream",
    "stream_95",
    "stream_99",
    "stream_cpu",
    "stream_requests",
    "to_irc",
    "to_irc_99",
    "burst",
    "burst_cpu",
    "burst_requests",
    "memory_after_burst",
    "alternating",
    "alternating_cpu",
    "alternating_requests",
];

pub(crate) async fn measure<B: Bridge>(plan: &Plan, ircd: std::net::SocketAddr, results: &mut Results) {
    let mut town = Town::<B>::start(ircd, "a").await;
    let witness = Person::connect(ircd, &format!("{}witness", B::PREFIX)).await;
    let channels = [CHANNEL.to_owned()];
    witness.join(&channels).await;
    let (user, room) = town.user_in(CHANNEL, &witness).await;
    town.bridge.vitals().wait_idle().await;
    town.bridge.stop().await;
    let mark = witness.mark();
    let joined = format!(":{}!", user.nick);
    town.bridge.start(Pacing::Off);
    town.bridge.wait_ready().await;
    witness.wait(mark, |line| line.starts_with(&joined) && line.contains(" JOIN ")).await;
    attempt(results, &["memory_idle"], async {
        town.bridge.vitals().wait_idle().await;
        vec![("memory_idle", town.bridge.vitals().memory().resident)]
    })
    .await;
    let mut speakers = Vec::new();
    for number in 0..NICKS {
        let speaker = Person::connect(ircd, &format!("{}nick{number}", B::PREFIX)).await;
        speaker.join(&channels).await;
        speakers.push(speaker);
    }
    let scene = Scene { town: &town, room, user, witness, speakers };
    scene.warm_up().await;
    let lines = ["to_matrix_idle", "to_matrix_idle_99"];
    attempt(results, &lines, scene.to_matrix(plan.singles)).await;
    let stream = ["stream", "stream_95", "stream_99", "stream_cpu", "stream_requests"];
    attempt(results, &stream, scene.stream(plan.stream)).await;
    attempt(results, &["to_irc", "to_irc_99"], scene.to_irc(plan.singles)).await;
    attempt(results, &["burst", "burst_cpu", "burst_requests"], scene.burst("burst", plan.burst, 50)).await;
    attempt(results, &["memory_after_burst"], async {
        vec![("memory_after_burst", town.bridge.vitals().memory().resident)]
    })
    .await;
    let alternating = ["alternating", "alternating_cpu", "alternating_requests"];
    attempt(results, &alternating, scene.burst("alternating", plan.burst, 1)).await;
    town.bridge.stop().await;
}

impl<B: Bridge> Scene<'_, B> {
    /// Says a line, and waits until it is in the room; how long that took.
    async fn one(&self, speaker: &Person, text: &str) -> Duration {
        let homeserver = self.town.homeserver();
        let from = homeserver.event_count(&self.room);
        let started = Instant::now();
        speaker.say(CHANNEL, text).await;
        homeserver.wait_message_after(&self.room, from, text).await;
        started.elapsed()
    }

    async fn rest(&self) {
        self.town.homeserver().wait_delivered().await;
        self.town.bridge.vitals().wait_asleep().await;
    }

    /// Everyone speaks, so that each has a ghost in the room.
    async fn warm_up(&self) {
        for round in 0..3 {
            for speaker in &self.speakers {
                self.one(speaker, &format!("hello {round} from {}", speaker.nick)).await;
            }
        }
        self.town.bridge.vitals().wait_idle().await;
    }

    async fn to_matrix(&self, count: usize) -> Vec<(&'static str, f64)> {
        let mut times = Vec::new();
        for number in 0..count {
            times.push(self.one(&self.speakers[0], &format!("to Matrix, number {number}")).await);
            self.rest().await;
        }
        let times = Spread::of(times);
        vec![("to_matrix_idle", times.at(0.5)), ("to_matrix_idle_99", times.at(0.99))]
    }

    async fn to_irc(&self, count: usize) -> Vec<(&'static str, f64)> {
        let mut times = Vec::new();
        for number in 0..count {
            let text = format!("to IRC, number {number}");
            let mark = self.witness.mark();
            let started = Instant::now();
            self.user.matrix.send_text(&self.room, &text);
            let (came, _) = self.witness.wait(mark, |line| line.ends_with(&text)).await;
            times.push(came - started);
            self.rest().await;
        }
        let times = Spread::of(times);
        vec![("to_irc", times.at(0.5)), ("to_irc_99", times.at(0.99))]
    }

    /// Twenty lines a second by one person.
    async fn stream(&self, count: usize) -> Vec<(&'static str, f64)> {
        const PAUSE: Duration = Duration::from_millis(50);
        let homeserver = self.town.homeserver();
        let text = |number: usize| format!("in a stream, number {number}");
        self.town.bridge.vitals().wait_idle().await;
        let (cpu, requests) = (self.town.bridge.vitals().cpu(), self.town.requests());
        let from = homeserver.event_count(&self.room);
        let (sent, mut said) = mpsc::unbounded_channel();
        let speak = async {
            let mut clock = tokio::time::interval(PAUSE);
            for number in 0..count {
                clock.tick().await;
                sent.send(Instant::now()).expect("the other half waits for each");
                self.speakers[0].say(CHANNEL, &text(number)).await;
            }
        };
        let listen = async {
            let mut times = Vec::with_capacity(count);
            for number in 0..count {
                let started = said.recv().await.expect("each is said");
                homeserver.wait_message_after(&self.room, from, &text(number)).await;
                times.push(started.elapsed());
            }
            times
        };
        let ((), times) = tokio::join!(speak, listen);
        self.town.bridge.vitals().wait_idle().await;
        let cpu = self.town.bridge.vitals().cpu() - cpu;
        let requests = self.town.requests() - requests;
        let times = Spread::of(times);
        vec![
            ("stream", times.at(0.5)),
            ("stream_95", times.at(0.95)),
            ("stream_99", times.at(0.99)),
            ("stream_cpu", cpu * 1000.0 / count as f64),
            ("stream_requests", requests as f64 / count as f64),
        ]
    }

    /// Many lines as fast as they go, in runs of so many by one person.
    async fn burst(&self, name: &'static str, count: usize, run: usize) -> Vec<(&'static str, f64)> {
        let homeserver = self.town.homeserver();
        let text = |number: usize| format!("{name}, number {number}");
        self.town.bridge.vitals().wait_idle().await;
        self.witness.forget();
        let (cpu, requests) = (self.town.bridge.vitals().cpu(), self.town.requests());
        let from = homeserver.event_count(&self.room);
        let started = Instant::now();
        let mut mark = 0;
        for first in (0..count).step_by(run) {
            let speaker = &self.speakers[first / run % self.speakers.len()];
            let numbers = first..count.min(first + run);
            let last = format!(":{}", text(numbers.end - 1));
            speaker.say_all(CHANNEL, numbers.map(text)).await;
            (_, mark) = self.witness.wait(mark, |line| line.ends_with(&last)).await;
        }
        let last = text(count - 1);
        let arrived =
            tokio::time::timeout(LIMIT, homeserver.wait_message_after(&self.room, from, &last)).await;
        let seconds = started.elapsed().as_secs_f64();
        assert!(arrived.is_ok(), "the last line did not arrive");
        // What follows the last line, such as the commit that it is done, is part of the price.
        self.town.bridge.vitals().wait_idle().await;
        let cpu = self.town.bridge.vitals().cpu() - cpu;
        let requests = self.town.requests() - requests;
        let beginning = format!("{name}, ");
        let lines = homeserver.timeline_lines(&self.room);
        let lines: Vec<_> = lines.into_iter().filter(|line| line.starts_with(&beginning)).collect();
        let seen = self.witness.said(0, CHANNEL);
        assert_eq!(seen.len(), count, "the witness did not see every line");
        assert_eq!(lines.len(), count, "lines were lost, or came twice");
        assert!(lines == seen, "the lines are not in the order in which IRC showed them");
        let [rate, price, calls] = match name {
            "burst" => ["burst", "burst_cpu", "burst_requests"],
            _ => ["alternating", "alternating_cpu", "alternating_requests"],
        };
        vec![(rate, count as f64 / seconds), (price, cpu), (calls, requests as f64 / count as f64)]
    }
}
