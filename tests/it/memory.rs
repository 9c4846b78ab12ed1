//! What the lists of members cost, measured in a process of its own: other tests must not count.

use std::process::Command;
use std::time::Instant;

use towline::irc::channels::NickPool;
use towline::irc::session::{Session, SessionConfig};
use towline::irc::wire::Message;
use towline::names::Nick;

const SESSIONS: usize = 1_000;
const MEMBERS: usize = 2_000;
/// ZNC: 215.
const MOST_BYTES: f64 = 16.0;

/// The resident memory of this process, in bytes.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}

fn server(session: &mut Session, now: Instant, line: &str) {
    session.handle(&Message::parse(line).unwrap(), now, &mut Vec::new());
}

/// Run by the test below.
#[test]
#[ignore = "it counts the memory of a process of its own"]
#[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
fn measure() {
    let (pool, now) = (NickPool::default(), Instant::now());
    let config = SessionConfig { pool, ..SessionConfig::new(Nick::new("alice").unwrap()) };
    let mut sessions: Vec<Session> = (0..SESSIONS).map(|_| Session::new(config.clone(), now)).collect();
    for session in &mut sessions {
        server(session, now, ":irc.test 001 alice :Welcome");
        server(session, now, ":irc.test 005 alice PREFIX=(ov)@+ CHANTYPES=# :are supported");
        server(session, now, ":irc.test 422 alice :No MOTD");
        session.transmit(now);
    }
    let names: Vec<String> = (1..MEMBERS).map(|n| format!("+somebody-{n:04}")).collect();
    let lines: Vec<String> =
        names.chunks(30).map(|names| format!(":irc.test 353 alice = #rust :{}", names.join(" "))).collect();
    let before = resident();
    for session in &mut sessions {
        server(session, now, ":alice!al@host.test JOIN #rust");
        for line in &lines {
            server(session, now, line);
        }
        server(session, now, ":irc.test 353 alice = #rust :alice");
        server(session, now, ":irc.test 366 alice #rust :End");
        // The list has grown since.
        server(session, now, ":late!l@host.test JOIN #rust");
    }
    let bytes = (resident() - before) / (SESSIONS * (MEMBERS + 1)) as f64;
    assert!(sessions.iter().all(|one| one.channel("#rust").unwrap().member_count() == MEMBERS + 1));
    println!("bytes: {bytes:.2}");
}

#[test]
fn a_thousand_sessions_in_a_large_channel_cost_less_than_16_bytes_for_each_member() {
    let mut child = Command::new(std::env::current_exe().unwrap());
    let output = child.args(["--exact", "memory::measure", "--ignored", "--nocapture"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let bytes = text.lines().find_map(|line| line.split_once("bytes: ")?.1.trim().parse::<f64>().ok());
    let bytes = bytes.unwrap_or_else(|| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)));
    println!("{SESSIONS} sessions, {MEMBERS} members: {bytes} bytes for each member of each session");
    assert!(bytes > 1.0 && bytes < MOST_BYTES, "{bytes}");
}
