//! A conversation that goes on while something happens to a server, and what each side should have heard of it.
//!
//! Irene says numbered lines on IRC and alice on Matrix. A witness sits in the channel: what InspIRCd tells them is
//! the truth about who was there when a line was said.

use std::cell::Cell;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::rig::inspircd::Inspircd;
use crate::rig::irc::IrcPerson;
use crate::rig::matrix::MatrixUser;
use crate::rig::towline::NetworkEntry;
use crate::rig::town::{Extras, NETWORK, Town, ghost};

pub(crate) const CHANNEL: &str = "#towline";

/// How fast the two talk: faster than people, slow enough for a Synapse on a busy machine.
const PACE: Duration = Duration::from_millis(50);

/// Alice, irene and a witness in one channel.
pub(crate) struct Scene {
    pub(crate) town: Town,
    pub(crate) irene: IrcPerson,
    pub(crate) witness: IrcPerson,
    /// The network's room.
    pub(crate) network: String,
    /// The channel's room.
    pub(crate) room: String,
}

impl Scene {
    pub(crate) async fn start() -> Self {
        Self::in_town(Town::start().await).await
    }

    /// With another database than SQLite.
    pub(crate) async fn on_database(url: &str) -> Self {
        let directory = TempDir::with_prefix("towline-scene-").unwrap();
        let inspircd = Inspircd::start(&directory.path().join("inspircd")).await;
        let entry = NetworkEntry::plain("demo", NETWORK, &inspircd);
        let extras = Extras { database: Some(url.into()), ..Extras::default() };
        Self::in_town(Town::around(directory, inspircd, entry, &extras).await).await
    }

    /// In a town that runs already.
    pub(crate) async fn in_town(town: Town) -> Self {
        let (irene, witness) = people(&town).await;
        let mark = irene.mark();
        let network = town.open_network().await;
        let room = town.join_channel(&network, CHANNEL).await;
        town.wait_alice_in(&irene, CHANNEL, mark).await;
        Self { town, irene, witness, network, room }
    }

    /// The numbered lines of irene that the channel's room has, in its order, by Synapse's view.
    pub(crate) fn heard_by_alice(&self) -> Vec<String> {
        let irene = ghost("irene");
        let lines = self.town.alice.lines(&self.room).into_iter();
        lines.filter(|(sender, body)| *sender == irene && is_numbered(body)).map(|(_, body)| body).collect()
    }

    /// The numbered lines of irene that were said while alice was in the channel, by InspIRCd's view.
    pub(crate) fn said_to_alice(&self) -> Vec<String> {
        let mut present = true;
        let mut said = Vec::new();
        for line in self.witness.lines() {
            let mut words = line.splitn(4, ' ');
            let (source, verb) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let text = words.nth(1).unwrap_or_default().trim_start_matches(':');
            match (source.split('!').next().unwrap_or_default(), verb) {
                (":alice", "JOIN") => present = true,
                (":alice", "QUIT" | "PART") => present = false,
                (":irene", "PRIVMSG") if present && is_numbered(text) => said.push(text.to_owned()),
                _ => {}
            }
        }
        said
    }

    /// The numbered lines of alice that the channel has heard, by InspIRCd's view.
    pub(crate) fn heard_from_alice(&self) -> Vec<String> {
        let messages = self.witness.messages(CHANNEL).into_iter();
        messages.filter(|(nick, text)| nick == "alice" && is_numbered(text)).map(|(_, text)| text).collect()
    }

    /// The numbered lines of alice that Synapse has handed to the bridge.
    pub(crate) async fn handed_over(&self, talk: &Talk) -> Vec<String> {
        let kept_back = self.town.synapse.kept_back().await;
        let lines = numbered("matrix", talk.from_matrix.get()).into_iter();
        let events = talk.events.borrow();
        assert_eq!(lines.len(), events.len());
        let handed_over: Vec<String> = lines
            .zip(events.iter())
            .filter(|(_, event)| !kept_back.contains(event))
            .map(|(line, _)| line)
            .collect();
        assert!(
            handed_over.len() + 2 >= events.len(),
            "Synapse kept back more than an instant's: {kept_back:?}"
        );
        handed_over
    }

    /// What the bridge told alice of her messages: the event that it is about, and the text.
    pub(crate) fn verdicts(&self) -> Vec<(String, String)> {
        let verdict = |event: &Value| {
            let content = &event["content"];
            let about = content["m.relates_to"]["m.in_reply_to"]["event_id"].as_str()?;
            Some((about.to_owned(), content["body"].as_str()?.to_owned()))
        };
        self.town.alice.events(&self.room).iter().filter_map(verdict).collect()
    }
}

/// Irene and the witness, in the channel.
pub(crate) async fn people(town: &Town) -> (IrcPerson, IrcPerson) {
    let irene = IrcPerson::connect(town.inspircd.address(), "irene").await;
    let witness = IrcPerson::connect(town.inspircd.address(), "witness").await;
    irene.join(CHANNEL).await;
    witness.join(CHANNEL).await;
    (irene, witness)
}

/// Types something, and gives the answer that holds these words, with each space once: spaces make tables even.
pub(crate) async fn ask(alice: &MatrixUser, room: &str, typed: &str, words: &str) -> String {
    let before: Vec<Value> = alice.events(room).iter().map(|one| one["event_id"].clone()).collect();
    alice.say(room, typed).await;
    let squeezed = |one: &Value| {
        let lines = one["content"]["body"].as_str().unwrap_or_default().lines();
        let lines = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        lines.collect::<Vec<_>>().join("\n")
    };
    let is_answer = |one: &Value| {
        one["sender"] != alice.id() && squeezed(one).contains(words) && !before.contains(&one["event_id"])
    };
    squeezed(&alice.wait_event(room, is_answer).await)
}

/// The lines that somebody says: `irc 0001`, `irc 0002`, …
pub(crate) fn numbered(who: &str, count: usize) -> Vec<String> {
    (1..=count).map(|number| line(who, number)).collect()
}

pub(crate) fn line(who: &str, number: usize) -> String {
    format!("{who} {number:04}")
}

fn is_numbered(text: &str) -> bool {
    text.starts_with("irc ") || text.starts_with("matrix ")
}

/// Two people who talk until they are told to stop.
#[derive(Default)]
pub(crate) struct Talk {
    pub(crate) from_irc: Cell<usize>,
    pub(crate) from_matrix: Cell<usize>,
    /// The events of alice's lines.
    pub(crate) events: std::cell::RefCell<Vec<String>>,
    ended: Cell<bool>,
}

impl Talk {
    /// Irene says lines until the end.
    pub(crate) async fn on_irc(&self, irene: &IrcPerson) {
        let mut pace = tokio::time::interval(PACE);
        while !self.ended.get() {
            pace.tick().await;
            self.from_irc.set(self.from_irc.get() + 1);
            irene.say(CHANNEL, &line("irc", self.from_irc.get()));
        }
    }

    /// Alice says lines until the end.
    pub(crate) async fn on_matrix(&self, alice: &MatrixUser, room: &str) {
        let mut pace = tokio::time::interval(PACE);
        while !self.ended.get() {
            pace.tick().await;
            let event = alice.say(room, &line("matrix", self.from_matrix.get() + 1)).await;
            self.events.borrow_mut().push(event);
            self.from_matrix.set(self.from_matrix.get() + 1);
        }
    }

    /// Waits until this many lines more were said on IRC.
    pub(crate) async fn go_on_irc(&self, lines: usize) {
        let irc = self.from_irc.get() + lines;
        let mut look = tokio::time::interval(PACE);
        while self.from_irc.get() < irc {
            look.tick().await;
        }
    }

    pub(crate) fn end(&self) {
        self.ended.set(true);
    }

    /// Waits until both have said this many lines more.
    pub(crate) async fn go_on(&self, lines: usize) {
        let (irc, matrix) = (self.from_irc.get() + lines, self.from_matrix.get() + lines);
        let mut look = tokio::time::interval(PACE);
        while self.from_irc.get() < irc || self.from_matrix.get() < matrix {
            look.tick().await;
        }
    }
}
