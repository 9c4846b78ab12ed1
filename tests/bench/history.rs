//! History, through the real store: how many lines it takes in a second with their words, and how long a search takes
//! among many.
//!
//! The lines are of a year, of one busy user and many others, in commits as a session makes them. Words are drawn as in
//! speech: few are common. What is looked for: a word of one line in 200,000, a word of every second line, and that
//! word in a small channel, the busy user's and another's, and in the busy user's largest, which has a third of all lines;
//! of each the ten newest, with the count that goes with them.
//! Beside them, with no target: a word of every line until half a year ago and of none since, two common words that
//! never meet, a word that nobody says, and a beginning.

use std::time::{Duration, Instant};

use towline::store::{
    BufferKind, Direction, HistoryLine, Incoming, NewBuffer, Search, SearchScope, SecretKey, SessionRow,
    Store, StoreOptions, User,
};

use super::progress;
use super::report::Spread;

/// Lines of one commit.
const BATCH: usize = 50;
/// Others, with this many channels each.
const OTHERS: usize = 50;
const CHANNELS: usize = 20;
/// Commits that are under way at a time, of different sessions: the writer commits them together.
const AT_ONCE: usize = 4;
const YEAR: i64 = 365 * 86_400_000;

/// What is measured.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) lines: usize,
    pub(crate) per_second: f64,
    /// What is looked for, how long that took, and how long it may take.
    pub(crate) searches: Vec<(&'static str, Spread, &'static str)>,
}

struct Open {
    user: User,
    session: SessionRow,
    epoch: i64,
    buffers: Vec<i64>,
}

/// Numbers as at random, the same in each run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        // Xorshift (Marsaglia 2003).
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() % most as u64) as usize
    }

    /// A word of speech: the hundredth is a hundred times as rare as the first.
    fn word(&mut self) -> usize {
        let share = self.next() as f64 / u64::MAX as f64;
        (50_000_f64.powf(share)) as usize
    }
}

pub(crate) async fn measure(database: &str, lines: usize, searches: usize) -> Figures {
    let options = StoreOptions { url: database.to_owned().into(), key: SecretKey::new([7; 32]), lock: None };
    let store = Store::open(&options).await.unwrap();
    let mut sessions = Vec::new();
    for number in 0..=OTHERS {
        sessions.push(open(&store, number).await);
    }
    progress(&format!("{lines} lines of history"));
    let per_second = fill(&store, &sessions, lines).await;
    let mut figures = Figures { lines, per_second, searches: Vec::new() };
    let busy = &sessions[0];
    let all = SearchScope::All;
    let small = || SearchScope::Buffers(vec![busy.buffers[CHANNELS - 1]]);
    let few = || SearchScope::Buffers(vec![sessions[1].buffers[0]]);
    let large = || SearchScope::Buffers(vec![busy.buffers[0]]);
    let wanted: [(&str, &Open, SearchScope, &str, &str); 10] = [
        ("a rare word", busy, all.clone(), "rarity", "50 ms"),
        ("a common word", busy, all.clone(), "the", "50 ms"),
        ("a common word, small channel", busy, small(), "the", "50 ms"),
        ("a common word, small user", &sessions[1], few(), "the", "50 ms"),
        ("a common word, large channel", busy, large(), "the", "50 ms"),
        ("a rare word, large channel", busy, large(), "rarity", "50 ms"),
        ("a common word of long ago", busy, all.clone(), "longago", ""),
        ("common words that never meet", busy, all.clone(), "longago newer", ""),
        ("a word that nobody says", busy, all.clone(), "nowhere", ""),
        ("a beginning", busy, all, "word12*", ""),
    ];
    for (name, open, scope, words, target) in wanted {
        progress(&format!("{searches} searches for {name}"));
        let search = Search {
            user: open.user.id,
            scope,
            sender: None,
            since: None,
            words: words.to_owned(),
            limit: 10,
        };
        let mut times = Vec::new();
        for _ in 0..searches {
            let started = Instant::now();
            store.search(&search).await.unwrap();
            times.push(started.elapsed());
        }
        figures.searches.push((name, Spread::of(times), target));
    }
    store.close().await;
    figures
}

async fn open(store: &Store, number: usize) -> Open {
    let user = store.ensure_user(&format!("@user{number}:bench.local"), 0).await.unwrap();
    let (session, _) = store.open_session(&user, ("bench", ""), "Bench", 0).await.unwrap();
    let epoch = store.claim_session(session.id, "bench").await.unwrap();
    let mut buffers = Vec::new();
    for channel in 0..CHANNELS {
        let name = format!("#channel{channel}");
        let buffer = NewBuffer {
            session: session.id,
            network: "bench".to_owned(),
            kind: BufferKind::Channel,
            folded: name.clone(),
            name,
            key: None,
            marker: format!("{number} {channel}"),
            creator: "@bot:bench.local".to_owned(),
            owner: user.id,
            lane: format!("session/{}", session.id),
            wanted: true,
            gone: Vec::new(),
            created_at: 0,
        };
        buffers.push(store.open_buffer(buffer).await.unwrap().id);
    }
    Open { user, session, epoch, buffers }
}

/// Stores lines of a year; how many in a second.
async fn fill(store: &Store, sessions: &[Open], lines: usize) -> f64 {
    const END: i64 = 1_790_000_000_000;
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut spent = Duration::ZERO;
    let mut done = 0;
    while done < lines {
        let mut commits = Vec::new();
        for _ in 0..AT_ONCE {
            // Half of everything is one user's.
            let owner = if dice.below(2) == 0 { 0 } else { dice.below(OTHERS) + 1 };
            let mut incoming = Incoming::default();
            let share = done as f64 / lines as f64;
            let now = END - YEAR + (share * YEAR as f64) as i64;
            for _ in 0..BATCH {
                incoming.keep(line(&mut dice, &sessions[owner], owner == 0, done, share, now));
                done += 1;
            }
            commits.push((owner, incoming, now));
        }
        let started = Instant::now();
        let commits = commits.into_iter().map(|(owner, incoming, now)| {
            let Open { session, epoch, .. } = &sessions[owner];
            store.commit_incoming(session.id, *epoch, "bench", incoming, now)
        });
        for committed in futures_util::future::join_all(commits).await {
            committed.unwrap();
        }
        spent += started.elapsed();
        if done % 100_000 < AT_ONCE * BATCH {
            progress(&format!("{done} lines, {:.0} in a second", done as f64 / spent.as_secs_f64()));
        }
    }
    done as f64 / spent.as_secs_f64()
}

fn line(dice: &mut Dice, open: &Open, is_busy: bool, number: usize, share: f64, now: i64) -> HistoryLine {
    let words: Vec<String> = (0..8).map(|_| format!("word{} ", dice.word())).collect();
    let mut text = words.concat();
    if number.is_multiple_of(2) {
        text.push_str("the ");
    }
    if number % 200_003 == 7 {
        text.push_str("rarity ");
    }
    text.push_str(if share < 0.5 { "longago" } else { "newer" });
    // The last channel is small, and the first one of the busy user large.
    let channel = match dice.below(500) {
        0 => CHANNELS - 1,
        1..350 if is_busy => 0,
        _ => dice.below(CHANNELS - 1),
    };
    HistoryLine {
        buffer: open.buffers[channel],
        channel: None,
        at: now,
        kind: "message",
        sender: format!("nick{}", dice.below(300)),
        account: None,
        target: None,
        text,
        msgid: Some(format!("{number}")),
        event_id: None,
        direction: Direction::In,
        replayed: None,
    }
}
