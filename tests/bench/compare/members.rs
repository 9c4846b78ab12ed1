//! A user opens a channel in which many people are. Someone there speaks every 5 ms from the moment at which the
//! user has come in; what is measured is the time until the first of these lines is in the user's room, and what it
//! all costs. Lines that never arrive are counted, since people read what was said since they came.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::bridge::Bridge;
use super::people::{Crowd, Person};
use super::results::Results;
use super::town::{Town, is_room_of};
use super::{LIMIT, attempt};

const PAUSE: Duration = Duration::from_millis(5);
/// Lines that are said after the first has arrived.
const MORE: usize = 100;

/// The keys of one size, in the order of the figures.
pub(crate) type Keys = [&'static str; 4];

pub(crate) async fn measure<B: Bridge>(size: usize, keys: Keys, ircd: SocketAddr, results: &mut Results) {
    let town_name = if size == 1_000 { "m" } else { "n" };
    let mut town = Town::<B>::start(ircd, town_name).await;
    let channel = format!("#{}crowd{size}", B::PREFIX);
    let speaker = Person::connect(ircd, &format!("{}{town_name}speaker", B::PREFIX)).await;
    let prefix = format!("{}{town_name}c", B::PREFIX);
    let crowd = Crowd::gather(ircd, &prefix, size - 1, &channel).await;
    speaker.join(std::slice::from_ref(&channel)).await;
    attempt(results, &keys, open(&town, &channel, &speaker, keys)).await;
    crowd.leave().await;
    town.bridge.stop().await;
}

async fn open<B: Bridge>(
    town: &Town<B>,
    channel: &str,
    speaker: &Person,
    keys: Keys,
) -> Vec<(&'static str, f64)> {
    let user = town.users(1, speaker).await.pop().expect("one user");
    let vitals = town.bridge.vitals();
    vitals.wait_idle().await;
    speaker.forget();
    let (cpu, requests) = (vitals.cpu(), town.requests());
    town.bridge.join(&user.matrix, &user.network, channel);
    let joined = format!(":{}!", user.nick);
    speaker.wait(0, |line| line.starts_with(&joined) && line.contains(" JOIN ")).await;
    let started = Instant::now();
    let mut said = 0;
    let mut room = None;
    let mut first = None;
    let mut after = 0;
    let mut clock = tokio::time::interval(PAUSE);
    while after < MORE {
        clock.tick().await;
        speaker.say(channel, &format!("said in a crowd, number {said}")).await;
        said += 1;
        let invited = user.matrix.accept_invites();
        room = room.or_else(|| invited.into_iter().find(|room| is_room_of(town.homeserver(), room, channel)));
        if let (None, Some(room)) = (&first, &room) {
            first = arrived(town, room).first().map(|_| started.elapsed());
        }
        after += usize::from(first.is_some());
        assert!(started.elapsed() < LIMIT, "no line arrived in {LIMIT:?}");
    }
    let room = room.expect("lines came to it");
    let last = format!("said in a crowd, number {}", said - 1);
    town.homeserver().wait_message(&room, &last).await;
    vitals.wait_idle().await;
    let lost = said - arrived(town, &room).len();
    let figures = [
        first.expect("one came").as_secs_f64() * 1000.0,
        lost as f64,
        vitals.cpu() - cpu,
        (town.requests() - requests) as f64,
    ];
    keys.into_iter().zip(figures).collect()
}

/// The lines that are in the room.
fn arrived<B: Bridge>(town: &Town<B>, room: &str) -> Vec<String> {
    let lines = town.homeserver().timeline_lines(room).into_iter();
    lines.filter(|line| line.starts_with("said in a crowd")).collect()
}
