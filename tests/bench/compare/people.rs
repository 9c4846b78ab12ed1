//! People on the IRC server: one plain socket each, and no more work than that, since five thousand may be in a
//! channel and what they cost is taken from the bridges' machine.
//!
//! Someone who listens keeps each line with the moment at which it came; a crowd only answers PING.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex as AsyncMutex, watch};

use super::LIMIT;

type Writer = Arc<AsyncMutex<OwnedWriteHalf>>;

/// Someone who is connected.
pub(crate) struct Person {
    pub(crate) nick: String,
    writer: Writer,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    lines: Mutex<Vec<(Instant, String)>>,
    changed: watch::Sender<usize>,
}

impl Person {
    /// Connects and registers; listens to everything.
    pub(crate) async fn connect(server: SocketAddr, nick: &str) -> Self {
        let (mut reader, writer) = dial(server, nick).await;
        let heard = Arc::new(Heard::default());
        let (to, answers) = (heard.clone(), writer.clone());
        tokio::spawn(async move {
            let mut line = String::new();
            while matches!(reader.read_line(&mut line).await, Ok(1..)) {
                let text = line.trim_end();
                if let Some(token) = text.strip_prefix("PING ") {
                    send(&answers, &format!("PONG {token}\r\n")).await;
                } else {
                    to.lines.lock().unwrap().push((Instant::now(), text.to_owned()));
                    to.changed.send_modify(|count| *count += 1);
                }
                line.clear();
            }
        });
        let person = Self { nick: nick.to_owned(), writer, heard };
        person.wait(0, |line| line.split(' ').nth(1) == Some("001")).await;
        person
    }

    /// Writes these lines at once.
    pub(crate) async fn raw(&self, lines: &str) {
        send(&self.writer, lines).await;
    }

    pub(crate) async fn say(&self, target: &str, text: &str) {
        self.raw(&format!("PRIVMSG {target} :{text}\r\n")).await;
    }

    /// Says these lines at once.
    pub(crate) async fn say_all(&self, target: &str, texts: impl Iterator<Item = String>) {
        let lines: Vec<String> = texts.map(|text| format!("PRIVMSG {target} :{text}\r\n")).collect();
        self.raw(&lines.concat()).await;
    }

    /// Joins channels, and waits until it is in the last of them.
    pub(crate) async fn join(&self, channels: &[String]) {
        for channel in channels {
            self.raw(&format!("JOIN {channel}\r\n")).await;
        }
        if let Some(channel) = channels.last() {
            let end = format!(" 366 {} {channel} ", self.nick);
            self.wait(0, |line| line.contains(&end)).await;
        }
    }

    /// How many lines came so far.
    pub(crate) fn mark(&self) -> usize {
        self.heard.lines.lock().unwrap().len()
    }

    /// Forgets what it has heard.
    pub(crate) fn forget(&self) {
        self.heard.lines.lock().unwrap().clear();
    }

    /// What was said in a channel after a mark, in the server's order.
    pub(crate) fn said(&self, mark: usize, channel: &str) -> Vec<String> {
        let lines = self.heard.lines.lock().unwrap();
        let said = format!(" PRIVMSG {channel} :");
        let texts = lines[mark..].iter().filter_map(|(_, line)| line.split_once(&said));
        texts.map(|(_, text)| text.to_owned()).collect()
    }

    /// How many lines after a mark are like this.
    pub(crate) fn count(&self, mark: usize, wanted: impl Fn(&str) -> bool) -> usize {
        self.heard.lines.lock().unwrap()[mark..].iter().filter(|(_, line)| wanted(line)).count()
    }

    /// Waits for a line after a mark; when it came, and the mark behind it.
    pub(crate) async fn wait(&self, mark: usize, wanted: impl Fn(&str) -> bool) -> (Instant, usize) {
        let mut changed = self.heard.changed.subscribe();
        let mut seen = mark;
        let found = tokio::time::timeout(LIMIT, async {
            loop {
                changed.borrow_and_update();
                {
                    let lines = self.heard.lines.lock().unwrap();
                    if let Some(at) = lines[seen..].iter().position(|(_, line)| wanted(line)) {
                        return (lines[seen + at].0, seen + at + 1);
                    }
                    seen = lines.len();
                }
                changed.changed().await.expect("the person's stream lives");
            }
        });
        found.await.unwrap_or_else(|_| panic!("{} waited {LIMIT:?} for a line on IRC", self.nick))
    }

    /// Waits until somebody is on the server.
    pub(crate) async fn wait_online(&self, nick: &str) {
        let online = async {
            loop {
                let mark = self.mark();
                self.raw(&format!("ISON {nick}\r\n")).await;
                let (_, end) = self.wait(mark, |line| line.split(' ').nth(1) == Some("303")).await;
                let answer = self.heard.lines.lock().unwrap()[end - 1].1.clone();
                if answer.contains(&format!(":{nick}")) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LIMIT, online).await.unwrap_or_else(|_| panic!("{nick} did not come to IRC"));
    }
}

/// Many who are in a channel and listen to nothing.
pub(crate) struct Crowd {
    people: Vec<Writer>,
}

impl Crowd {
    /// Lets so many come into a channel.
    pub(crate) async fn gather(server: SocketAddr, prefix: &str, count: usize, channel: &str) -> Self {
        /// At once; the kernel's queue for new connections is not long.
        const TOGETHER: usize = 50;
        let mut people = Vec::with_capacity(count);
        for first in (0..count).step_by(TOGETHER) {
            let numbers = first..count.min(first + TOGETHER);
            let coming = numbers.map(|number| Self::come(server, format!("{prefix}{number}"), channel));
            people.extend(futures_util::future::join_all(coming).await);
        }
        Self { people }
    }

    async fn come(server: SocketAddr, nick: String, channel: &str) -> Writer {
        let (mut reader, writer) = dial(server, &nick).await;
        let mut line = String::new();
        let welcome = format!(" 001 {nick} ");
        while !line.contains(&welcome) {
            line.clear();
            assert!(reader.read_line(&mut line).await.unwrap() > 0, "{nick} was refused");
        }
        send(&writer, &format!("JOIN {channel}\r\n")).await;
        let end = format!(" 366 {nick} ");
        while !line.contains(&end) {
            line.clear();
            assert!(reader.read_line(&mut line).await.unwrap() > 0, "{nick} was closed");
        }
        let answers = writer.clone();
        tokio::spawn(async move {
            let mut line = Vec::new();
            while matches!(reader.read_until(b'\n', &mut line).await, Ok(1..)) {
                if line.starts_with(b"PING ") {
                    line[1] = b'O';
                    drop(answers.lock().await.write_all(&line).await);
                }
                line.clear();
            }
        });
        writer
    }

    /// Lets them all go, and waits until their sockets are closed.
    pub(crate) async fn leave(self) {
        for person in self.people {
            drop(person.lock().await.shutdown().await);
        }
    }
}

async fn dial(server: SocketAddr, nick: &str) -> (BufReader<OwnedReadHalf>, Writer) {
    let stream = TcpStream::connect(server).await.expect("the IRC server answers");
    stream.set_nodelay(true).unwrap();
    let (reader, writer) = stream.into_split();
    let writer = Arc::new(AsyncMutex::new(writer));
    send(&writer, &format!("NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\n")).await;
    (BufReader::new(reader), writer)
}

/// A server that has gone is found by whoever waits for its lines.
async fn send(writer: &Writer, lines: &str) {
    drop(writer.lock().await.write_all(lines.as_bytes()).await);
}
