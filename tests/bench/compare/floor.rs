//! The floor: the smallest thing that could be a bridge, on this machine and between the same servers. One socket to
//! IRC, one connection to the homeserver, one PUT for each line when the last is answered, and nothing else: no
//! database, no members, no second line while the first is on its way.
//!
//! It is this program, started again as a process of its own: so the kernel treats it as it treats the bridges.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::conversation::NICKS;
use super::people::Person;
use super::{Floor, Plan};
use crate::it::support::homeserver::{self, Homeserver, NewRoom};
use crate::report::Spread;
use crate::rig::process::{Process, command};

const CHANNEL: &str = "#floor";
const NICK: &str = "floorbot";

/// How fast it is.
pub(crate) async fn measure(plan: &Plan, ircd: SocketAddr) -> Floor {
    let homeserver = Homeserver::start(homeserver::Options::default()).await;
    let user = homeserver.user("floor");
    let room = user.create_room(&NewRoom::default());
    let speaker = Person::connect(ircd, "floorspeaker").await;
    speaker.join(&[CHANNEL.to_owned()]).await;
    let directory = tempfile::TempDir::with_prefix("towline-bench-").unwrap();
    let mut forwarder = command(std::env::current_exe().unwrap(), None);
    forwarder.args(["--forward", &ircd.to_string(), &homeserver.url(), user.token(), &room]);
    forwarder.stdout(Stdio::null());
    let _process = Process::start("the forwarder", forwarder, &directory.path().join("log"));
    let joined = format!(":{NICK}!");
    speaker.wait(0, |line| line.starts_with(&joined)).await;
    // One after the other, and as often as in a stream: a machine that sleeps between two lines takes time to wake.
    let singles = async |name: &str, count: usize, pause: Duration| {
        let mut times = Vec::with_capacity(count);
        for number in 0..count {
            let text = format!("{name} {number}");
            let from = homeserver.event_count(&room);
            let started = Instant::now();
            speaker.say(CHANNEL, &text).await;
            homeserver.wait_message_after(&room, from, &text).await;
            times.push(started.elapsed());
            tokio::time::sleep(pause).await;
        }
        Spread::of(times).at(0.5)
    };
    let latency = singles("single", plan.singles, Duration::from_millis(5)).await;
    let stream = singles("stream", plan.stream / 2, Duration::from_millis(50)).await;
    // In turn, as the bridges get them: the IRC server holds back what one person says too fast.
    let mut speakers = Vec::with_capacity(NICKS);
    for number in 0..NICKS {
        let speaker = Person::connect(ircd, &format!("floornick{number}")).await;
        speaker.join(&[CHANNEL.to_owned()]).await;
        speakers.push(speaker);
    }
    let from = homeserver.event_count(&room);
    let started = Instant::now();
    let mut mark = speaker.mark();
    for number in 0..plan.burst {
        let text = format!(":line {number}");
        speakers[number % NICKS].say(CHANNEL, &text[1..]).await;
        (_, mark) = speaker.wait(mark, |line| line.ends_with(&text)).await;
    }
    homeserver.wait_message_after(&room, from, &format!("line {}", plan.burst - 1)).await;
    let rate = plan.burst as f64 / started.elapsed().as_secs_f64();
    Floor { latency, stream, rate }
}

/// The forwarder itself, with what follows `--forward`.
pub(crate) fn forward(arguments: &[String]) {
    let [ircd, url, token, room] = arguments else {
        panic!("--forward ADDRESS URL TOKEN ROOM");
    };
    let mut irc = TcpStream::connect(ircd).unwrap();
    let host = url.strip_prefix("http://").expect("plain HTTP");
    let mut http = TcpStream::connect(host).unwrap();
    http.set_nodelay(true).unwrap();
    let mut answers = BufReader::new(http.try_clone().unwrap());
    write!(irc, "NICK {NICK}\r\nUSER floor 0 * :floor\r\n").unwrap();
    let room = room.replace('!', "%21").replace(':', "%3A");
    let said = format!(" PRIVMSG {CHANNEL} :");
    for (number, line) in BufReader::new(irc.try_clone().unwrap()).lines().enumerate() {
        let line = line.unwrap();
        if let Some(token) = line.strip_prefix("PING ") {
            write!(irc, "PONG {token}\r\n").unwrap();
        }
        if line.split(' ').nth(1) == Some("001") {
            write!(irc, "JOIN {CHANNEL}\r\n").unwrap();
        }
        let Some((_, text)) = line.split_once(&said) else {
            continue;
        };
        let body = serde_json::json!({ "msgtype": "m.text", "body": text }).to_string();
        let request = format!(
            "PUT /_matrix/client/v3/rooms/{room}/send/m.room.message/{number} HTTP/1.1\r\nHost: {host}\r\n\
             Authorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        http.write_all(request.as_bytes()).unwrap();
        read_answer(&mut answers);
    }
}

fn read_answer(answers: &mut BufReader<TcpStream>) {
    let mut length = 0;
    let mut line = String::new();
    loop {
        line.clear();
        answers.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the homeserver has gone");
        let lower = line.trim_end().to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        if lower.is_empty() {
            break;
        }
    }
    answers.read_exact(&mut vec![0; length]).unwrap();
}
