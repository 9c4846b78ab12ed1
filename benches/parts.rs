//! What single parts cost, each alone: `cargo bench --bench parts`, and a name behind `--` for some of them.
//!
//! In this process and without any server. Where a connection is needed its other side is a script; the database is
//! SQLite in a temporary directory, with each commit on the disk.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says where and stops")]
#![expect(clippy::disallowed_methods, reason = "it measures real time")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use towline::format::{Limit, Options, lines_of, read_irc, read_matrix, split_line};
use towline::irc::flood::FloodLimits;
use towline::irc::session::{Session, SessionConfig};
use towline::irc::wire::Message;
use towline::names::Nick;
use towline::store::{
    BufferKind, Direction, HistoryLine, Incoming, NewBuffer, SecretKey, Store, StoreOptions,
};

#[path = "../tests/bench/somebody.rs"]
mod somebody;

use somebody::Somebody;

/// As a server with all of IRCv3 sends it.
const TAGGED: &str = "@time=2026-11-22T10:00:00.000Z;msgid=9Wm4kZ3p;account=bob :bob!~bob@user/bob PRIVMSG #rust \
                      :alice: have you seen what they did to the build?\r\n";
/// As one without does.
const PLAIN: &str =
    ":bob!~bob@host.example PRIVMSG #rust :alice: have you seen what they did to the build?\r\n";

fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    let names = format!(":irc.test 353 alice = #rust :{}\r\n", "@nickname!user@host.example ".repeat(12));
    for (name, line) in [("a line", PLAIN), ("a line with tags", TAGGED), ("names", &names)] {
        group.throughput(Throughput::Bytes(line.len() as u64));
        group.bench_function(name, |bench| bench.iter(|| Message::parse(black_box(line)).unwrap()));
    }
}

fn splitting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("split");
    let long = "have you seen what they did to the build? ".repeat(60);
    let script = "日本語の長い文です。".repeat(90);
    for (name, text) in [("words", &long), ("a script without spaces", &script)] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bench| {
            let limit = Limit::utf_8(400);
            bench.iter(|| -> usize {
                lines_of(black_box(text))
                    .flat_map(|line| split_line(&line, &limit))
                    .map(|piece| piece.len())
                    .sum()
            });
        });
    }
}

fn translation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("translate");
    let styled = "<strong>read</strong> the <em>whole</em> of <code>README.md</code> at \
                  <a href=\"https://docs.example/start?a=1&amp;b=2\">the docs</a> first";
    let reply = "<p><a href=\"https://matrix.to/#/@alice:example.org\">Alice</a>: have you seen this?</p>\n\
                 <blockquote>\n<p>the <strong>build</strong> is red</p>\n</blockquote>";
    for (name, html) in [
        ("plain text to IRC", None),
        ("three styles and a link to IRC", Some(styled)),
        ("a pill and a quotation to IRC", Some(reply)),
    ] {
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let body = black_box("have you seen what they did to the build?");
                read_matrix(body, black_box(html), &[], Options::default(), &Somebody)
            });
        });
    }
    let styled = "\x02read\x02 the \x1dwhole\x1d of \x0304README\x03 at https://docs.example/start?a=1&b=2";
    for (name, line) in [("plain text to Matrix", PLAIN), ("three styles and a link to Matrix", styled)] {
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let text = read_irc(black_box(line)).with_links();
                (text.to_plain(), text.to_html())
            });
        });
    }
}

/// A session in a channel, at rest.
fn session(now: Instant, members: usize) -> Session {
    let flood = FloodLimits { burst: 1_000, interval: Duration::ZERO };
    let config = SessionConfig { flood, ..SessionConfig::new(Nick::new("alice").unwrap()) };
    let mut session = Session::new(config, now);
    let hear = |session: &mut Session, line: &str| {
        session.handle(&Message::parse(line).unwrap(), now, &mut Vec::new());
        session.transmit(now);
    };
    hear(&mut session, "CAP * LS :");
    hear(&mut session, ":irc.test 001 alice :Welcome to Test alice!al@host.test");
    hear(&mut session, ":irc.test 005 alice PREFIX=(ov)@+ CASEMAPPING=rfc1459 :are supported by this server");
    hear(&mut session, ":irc.test 422 alice :No MOTD");
    hear(&mut session, ":alice!al@host.test JOIN #rust");
    for first in (0..members).step_by(20) {
        let names: Vec<String> = (first..first + 20).map(|number| format!("nick{number}")).collect();
        hear(&mut session, &format!(":irc.test 353 alice = #rust :bob {}", names.join(" ")));
    }
    hear(&mut session, ":irc.test 366 alice #rust :End of /NAMES list.");
    session
}

fn sessions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session");
    let now = Instant::now();
    let line = Message::parse(PLAIN).unwrap();
    for members in [20, 2_000] {
        let mut session = session(now, members);
        group.bench_function(format!("a line in a channel of {members}"), |bench| {
            let mut events = Vec::new();
            bench.iter(|| {
                events.clear();
                session.handle(black_box(&line), now, &mut events);
                assert!(!events.is_empty());
            });
        });
    }
    let (join, part) =
        (":zoe!z@host.example JOIN #rust".to_owned(), ":zoe!z@host.example PART #rust :bye".to_owned());
    let (join, part) = (Message::parse(&join).unwrap(), Message::parse(&part).unwrap());
    let mut session = session(now, 2_000);
    group.bench_function("somebody comes into a channel of 2000 and goes", |bench| {
        let mut events = Vec::new();
        bench.iter(|| {
            events.clear();
            session.handle(black_box(&join), now, &mut events);
            session.handle(black_box(&part), now, &mut events);
            assert!(!events.is_empty());
        });
    });
}

/// So many lines of one channel, as a session hands them to the database.
fn lines(buffer: i64, count: usize, first: &mut u64) -> Incoming {
    let mut incoming = Incoming::default();
    for _ in 0..count {
        *first += 1;
        incoming.keep(HistoryLine {
            buffer,
            channel: None,
            at: i64::try_from(*first).unwrap(),
            kind: "message",
            sender: "bob".to_owned(),
            account: None,
            target: None,
            text: format!("have you seen what they did to the build number {first}?"),
            msgid: Some(first.to_string()),
            event_id: None,
            direction: Direction::In,
            replayed: None,
        });
    }
    incoming
}

fn store(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("store");
    group.measurement_time(Duration::from_secs(5));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let directory = tempfile::TempDir::with_prefix("towline-bench-").unwrap();
    let url = format!("sqlite:{}", directory.path().join("towline.db").display());
    let (store, session, epoch, buffer) = runtime.block_on(async {
        let options = StoreOptions { url: url.into(), key: SecretKey::new([7; 32]), lock: None };
        let store = Store::open(&options).await.unwrap();
        let user = store.ensure_user("@alice:bench.local", 0).await.unwrap();
        let (session, _) = store.open_session(&user, ("bench", ""), "Bench", 0).await.unwrap();
        let epoch = store.claim_session(session.id, "bench").await.unwrap();
        let buffer = NewBuffer {
            session: session.id,
            network: "bench".to_owned(),
            kind: BufferKind::Channel,
            folded: "#rust".to_owned(),
            name: "#rust".to_owned(),
            key: None,
            marker: "alice #rust".to_owned(),
            creator: "@bot:bench.local".to_owned(),
            owner: user.id,
            lane: format!("session/{}", session.id),
            wanted: true,
            gone: Vec::new(),
            created_at: 0,
        };
        let buffer = store.open_buffer(buffer).await.unwrap().id;
        (store, session.id, epoch, buffer)
    });
    let mut first = 0;
    for count in [1, 50] {
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("a commit of {count} lines with their words"), |bench| {
            bench.iter_batched(
                || lines(buffer, count, &mut first),
                |incoming| {
                    runtime.block_on(store.commit_incoming(session, epoch, "bench", incoming, 0)).unwrap()
                },
                BatchSize::SmallInput,
            );
        });
    }
    runtime.block_on(store.close());
}

criterion_group!(parts, parsing, splitting, translation, sessions, store);
criterion_main!(parts);
