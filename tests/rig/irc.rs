//! A person on IRC, with the `irc` crate's client.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use irc::client::Client;
use irc::client::data::Config;
use tokio::sync::watch;

use super::LIMIT;

/// Someone on an IRC server.
pub(crate) struct IrcPerson {
    client: Client,
    nick: String,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    lines: Mutex<Vec<String>>,
    changed: watch::Sender<usize>,
    ended: watch::Sender<bool>,
}

impl IrcPerson {
    /// Connects and registers.
    pub(crate) async fn connect(server: SocketAddr, nick: &str) -> Self {
        Self::connect_as(server, nick, None).await
    }

    /// Connects with the server's password.
    pub(crate) async fn connect_with(server: SocketAddr, nick: &str, password: &str) -> Self {
        Self::connect_as(server, nick, Some(password.into())).await
    }

    async fn connect_as(server: SocketAddr, nick: &str, password: Option<String>) -> Self {
        let config = Config {
            password,
            nickname: Some(nick.into()),
            server: Some(server.ip().to_string()),
            port: Some(server.port()),
            ..Config::default()
        };
        let mut client = Client::from_config(config).await.expect("the IRC server answers");
        client.identify().unwrap();
        let heard = Arc::new(Heard::default());
        let mut stream = client.stream().unwrap();
        let to = heard.clone();
        tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                to.lines.lock().unwrap().push(message.to_string().trim_end().to_owned());
                to.changed.send_modify(|count| *count += 1);
            }
            to.ended.send_replace(true);
        });
        let person = Self { client, nick: nick.into(), heard };
        person.wait_line(|line| line.split(' ').nth(1) == Some("001")).await;
        person
    }

    pub(crate) fn nick(&self) -> &str {
        &self.nick
    }

    /// Joins a channel and waits until it is in it.
    pub(crate) async fn join(&self, channel: &str) {
        let mark = self.mark();
        self.raw(&format!("JOIN {channel}"));
        let end = format!(" 366 {} {channel} ", self.nick);
        self.wait_line_after(mark, |line| line.contains(&end)).await;
    }

    pub(crate) fn say(&self, target: &str, text: &str) {
        self.client.send_privmsg(target, text).unwrap();
    }

    pub(crate) fn notice(&self, target: &str, text: &str) {
        self.client.send_notice(target, text).unwrap();
    }

    pub(crate) fn action(&self, target: &str, text: &str) {
        self.say(target, &format!("\u{1}ACTION {text}\u{1}"));
    }

    /// Any line, word for word: `irc::proto` reads `ISON` and writes `USERHOST`, so it is not asked.
    pub(crate) fn raw(&self, line: &str) {
        let (head, trailing) = line.split_once(" :").map_or((line, None), |(head, tail)| (head, Some(tail)));
        let mut words = head.split(' ').map(str::to_owned);
        let verb = words.next().expect("a verb");
        let arguments = words.chain(trailing.map(str::to_owned)).collect();
        self.client.send(irc::proto::Command::Raw(verb, arguments)).unwrap();
    }

    /// Says goodbye and waits until the server has let go.
    pub(crate) async fn quit(self) {
        self.client.send_quit("bye").unwrap();
        let mut ended = self.heard.ended.subscribe();
        drop(tokio::time::timeout(LIMIT, ended.wait_for(|ended| *ended)).await);
    }

    /// How many lines came so far.
    pub(crate) fn mark(&self) -> usize {
        self.heard.lines.lock().unwrap().len()
    }

    /// All lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.heard.lines.lock().unwrap().clone()
    }

    /// The lines after so many.
    pub(crate) fn lines_after(&self, mark: usize) -> Vec<String> {
        self.heard.lines.lock().unwrap()[mark..].to_vec()
    }

    /// What was said in a channel, or to this person: (nick, text).
    pub(crate) fn messages(&self, target: &str) -> Vec<(String, String)> {
        let split = |line: &String| {
            let (source, rest) = line.strip_prefix(':')?.split_once(' ')?;
            let text = rest.strip_prefix(&format!("PRIVMSG {target} "))?;
            let nick = source.split('!').next()?.to_owned();
            Some((nick, text.strip_prefix(':').unwrap_or(text).to_owned()))
        };
        self.lines().iter().filter_map(split).collect()
    }

    /// Waits for a line, past or to come.
    pub(crate) async fn wait_line(&self, wanted: impl Fn(&str) -> bool) -> String {
        self.wait_line_after(0, wanted).await
    }

    /// Waits for a line that comes after a [`Self::mark`].
    pub(crate) async fn wait_line_after(&self, mark: usize, wanted: impl Fn(&str) -> bool) -> String {
        let mut changed = self.heard.changed.subscribe();
        let mut seen = mark;
        let found = tokio::time::timeout(LIMIT, async {
            loop {
                changed.borrow_and_update();
                {
                    let lines = self.heard.lines.lock().unwrap();
                    if let Some(line) = lines[seen..].iter().find(|line| wanted(line)) {
                        return line.clone();
                    }
                    seen = lines.len();
                }
                changed.changed().await.expect("the person's stream lives");
            }
        });
        let late = |_| {
            let lines = self.lines();
            let last = &lines[lines.len().saturating_sub(20)..];
            panic!("{} waited {LIMIT:?} for a line; the last were\n{}", self.nick, last.join("\n"))
        };
        found.await.unwrap_or_else(late)
    }

    /// Waits until someone has said this in a channel or to this person.
    pub(crate) async fn wait_said(&self, nick: &str, target: &str, text: &str) {
        let (from, to) = (format!(":{nick}!"), format!(" PRIVMSG {target} "));
        let said = |line: &str| line.starts_with(&from) && line.contains(&to) && line.ends_with(text);
        self.wait_line(said).await;
    }

    /// Whether a nick is on the network now.
    pub(crate) async fn is_online(&self, nick: &str) -> bool {
        let mark = self.mark();
        self.raw(&format!("ISON {nick}"));
        let answer = self.wait_line_after(mark, |line| line.split(' ').nth(1) == Some("303")).await;
        answer.contains(&format!(":{nick}")) || answer.ends_with(&format!(" {nick}"))
    }

    /// Who is in a channel, by the server's own view, sorted and without prefixes.
    pub(crate) async fn names(&self, channel: &str) -> Vec<String> {
        let mark = self.mark();
        self.raw(&format!("NAMES {channel}"));
        let (reply, end) = (format!(" {channel} "), format!(" 366 {} {channel} ", self.nick));
        self.wait_line_after(mark, |line| line.contains(&end)).await;
        let lines = self.lines();
        let replies = lines[mark..].iter().filter(|line| line.contains(" 353 ") && line.contains(&reply));
        let names = replies.filter_map(|line| line.split_once(&reply));
        let mut names: Vec<String> = names
            .flat_map(|(_, names)| names.trim_start_matches(':').split(' '))
            .map(|name| {
                name.trim_start_matches(['@', '+', '%', '&', '~']).split('!').next().unwrap().to_owned()
            })
            .filter(|name| !name.is_empty())
            .collect();
        names.sort();
        names
    }
}
