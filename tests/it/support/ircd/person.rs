//! A person on IRC without a socket: the test says their lines and reads what they hear.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Shared;
use super::network::{ClientId, Network};

/// A line that a person got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    /// `nick!user@host`, or the server's name.
    pub(crate) source: String,
    pub(crate) command: String,
    pub(crate) params: Vec<String>,
}

impl Heard {
    pub(super) fn new(source: &str, line: &str) -> Self {
        let (head, trailing) = match line.split_once(" :") {
            Some((head, trailing)) => (head, Some(trailing)),
            None => (line, None),
        };
        let mut words = head.split(' ').map(str::to_owned);
        let command = words.next().unwrap_or_default();
        Self { source: source.into(), command, params: words.chain(trailing.map(str::to_owned)).collect() }
    }

    /// Who said it.
    pub(crate) fn nick(&self) -> &str {
        self.source.split('!').next().unwrap_or_default()
    }

    /// Where it was said: the first parameter.
    pub(crate) fn target(&self) -> &str {
        self.params.first().map_or("", String::as_str)
    }

    /// What was said: the last parameter.
    pub(crate) fn text(&self) -> &str {
        self.params.last().map_or("", String::as_str)
    }
}

/// Someone on IRC who does what the test says.
pub(crate) struct Person {
    shared: Arc<Shared>,
    id: ClientId,
}

impl Person {
    pub(super) fn new(shared: Arc<Shared>, nick: &str) -> Self {
        let id = shared.change(|network| {
            let id = network.connect(None, "people.fake");
            let password = network.options.password.clone();
            if let Some(password) = password {
                network.handle(id, &format!("PASS :{password}"));
            }
            network.handle(id, &format!("NICK {nick}"));
            network.handle(id, &format!("USER {} 0 * :{nick}", nick.to_lowercase()));
            assert!(network.registered(nick), "the nick {nick} is taken or not allowed");
            id
        });
        Self { shared, id }
    }

    /// The nick they have now.
    pub(crate) fn current_nick(&self) -> String {
        self.shared.read().clients[&self.id].nick().to_owned()
    }

    /// Any line, as if it came from their client.
    pub(crate) fn raw_line(&self, line: &str) {
        self.shared.change(|network| network.handle(self.id, line));
    }

    pub(crate) fn join(&self, channel: &str) {
        self.raw_line(&format!("JOIN {channel}"));
        let nick = self.current_nick();
        let inside = self.shared.read().names(channel).contains(&nick);
        assert!(inside, "{nick} was not let into {channel}");
    }

    /// They are in a channel, which nobody was told.
    pub(super) fn appear_in(&self, channel: &str) {
        self.shared.change(|network| network.channel_entry(channel).members.insert(self.id, BTreeSet::new()));
    }

    pub(crate) fn part(&self, channel: &str, reason: &str) {
        self.raw_line(&format!("PART {channel} :{reason}"));
    }

    pub(crate) fn say(&self, target: &str, text: &str) {
        self.raw_line(&format!("PRIVMSG {target} :{text}"));
    }

    pub(crate) fn notice(&self, target: &str, text: &str) {
        self.raw_line(&format!("NOTICE {target} :{text}"));
    }

    pub(crate) fn action(&self, target: &str, text: &str) {
        self.say(target, &format!("\u{1}ACTION {text}\u{1}"));
    }

    pub(crate) fn nick(&self, nick: &str) {
        self.raw_line(&format!("NICK {nick}"));
    }

    pub(crate) fn topic(&self, channel: &str, topic: &str) {
        self.raw_line(&format!("TOPIC {channel} :{topic}"));
    }

    pub(crate) fn mode(&self, target: &str, change: &str) {
        self.raw_line(&format!("MODE {target} {change}"));
    }

    pub(crate) fn kick(&self, channel: &str, nick: &str, reason: &str) {
        self.raw_line(&format!("KICK {channel} {nick} :{reason}"));
    }

    pub(crate) fn invite(&self, nick: &str, channel: &str) {
        self.raw_line(&format!("INVITE {nick} {channel}"));
    }

    pub(crate) fn quit(self, reason: &str) {
        self.raw_line(&format!("QUIT :{reason}"));
    }

    /// Everything they got, oldest first.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.shared.read().clients[&self.id].heard.clone()
    }

    /// What they got after so many lines.
    pub(crate) fn heard_after(&self, count: usize) -> Vec<Heard> {
        self.shared.read().clients[&self.id].heard[count..].to_vec()
    }

    /// What was said in a channel, or to them: (nick, text).
    pub(crate) fn messages(&self, target: &str) -> Vec<(String, String)> {
        let heard = self.heard().into_iter().filter(|one| one.command == "PRIVMSG" && one.target() == target);
        heard.map(|one| (one.nick().to_owned(), one.text().to_owned())).collect()
    }

    /// Waits for a line of any kind, past or to come.
    pub(crate) async fn wait_heard(&self, wanted: impl Fn(&Heard) -> bool) -> Heard {
        let mut seen = 0;
        let look = |network: &Network| {
            let heard = &network.clients[&self.id].heard;
            let found = heard[seen..].iter().find(|one| wanted(one)).cloned();
            seen = heard.len();
            found
        };
        self.shared.wait(&format!("a line to {}", self.current_nick()), look).await
    }

    /// Waits for a `PRIVMSG` or `NOTICE`, past or to come.
    pub(crate) async fn wait_message(&self, wanted: impl Fn(&Heard) -> bool) -> Heard {
        self.wait_heard(|one| matches!(one.command.as_str(), "PRIVMSG" | "NOTICE") && wanted(one)).await
    }

    /// Waits until they have read this text in a channel or to themselves.
    pub(crate) async fn wait_text(&self, text: &str) -> Heard {
        self.wait_message(|one| one.text() == text).await
    }
}
