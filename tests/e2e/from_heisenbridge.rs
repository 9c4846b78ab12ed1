//! What people had in Heisenbridge, typed by a person on a real homeserver and judged by what people on a real network
//! see of it, and by what the homeserver and the services say themselves.
//!
//! Each test is a part of `docs/from-heisenbridge.md`, and each of its steps a row there. At its end a test compares its
//! steps with the rows that name it.

mod administrators;
mod channel_room;
mod control_room;
mod conversation_room;
mod network_choices;
mod network_room;

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value;

use crate::rig::http_client;
use crate::rig::irc::IrcPerson;
use crate::rig::matrix::MatrixUser;

const PAGE: &str = include_str!("../../docs/from-heisenbridge.md");

/// What a test has done so far.
pub(super) struct Steps {
    section: &'static str,
    test: &'static str,
    begun: RefCell<Vec<&'static str>>,
}

impl Steps {
    /// For a test that is named in a section of the page.
    pub(super) fn of(section: &'static str, test: &'static str) -> Self {
        Self { section, test, begun: RefCell::default() }
    }

    /// From here on it is about these commands of Heisenbridge, which stand in one row.
    pub(super) fn begin(&self, commands: &'static str) {
        self.begun.borrow_mut().push(commands);
    }

    /// All is done: what the page says that this test shows, and nothing else.
    pub(super) fn end(self) {
        let done: BTreeSet<String> = self.begun.borrow().iter().map(|&step| step.to_owned()).collect();
        let heading = format!("\n## {}\n", self.section);
        let (_, section) = PAGE.split_once(&heading).expect("the page has the section");
        let section = section.split("\n## ").next().unwrap_or_default();
        let rows = section.lines().filter(|row| row.contains(&format!("`{}`", self.test)));
        let commands = rows.map(|row| {
            let theirs = row.split(" | ").next().unwrap_or_default();
            theirs.split('`').skip(1).step_by(2).collect::<Vec<_>>().join(" ")
        });
        assert_eq!(done, commands.collect(), "the steps, and the rows that name this test");
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let begun = self.begun.borrow();
            eprintln!("It failed with {} ({}).", begun.last().unwrap_or(&"the start"), self.section);
        }
    }
}

/// Waits until somebody sees alice do this in their channels.
async fn sees_alice(person: &IrcPerson, mark: usize, verb: &str) -> String {
    let verb = format!(" {verb}");
    person.wait_line_after(mark, |line| line.starts_with(":alice!") && line.contains(&verb)).await
}

/// What the server says of somebody: the line of `WHOIS` with this number.
async fn whois(person: &IrcPerson, nick: &str, number: u16) -> String {
    let mark = person.mark();
    person.raw(&format!("WHOIS {nick}"));
    let start = format!(" {number:03} {} {nick} ", person.nick());
    person.wait_line_after(mark, |line| line.contains(&start)).await
}

/// Waits for a line that goes on behind a link, and gives the text that the link leads to.
async fn linked_text(person: &IrcPerson, start: &str) -> String {
    let line = person.wait_line(|line| line.contains(&format!(":{start}"))).await;
    let url = line.rsplit(' ').next().unwrap_or_default().trim_end_matches(')');
    let answer = http_client().get(format!("{url}/raw")).send().await.unwrap();
    String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap()
}

/// The HTML of the message with this text.
async fn html_of(alice: &MatrixUser, room: &str, text: &str) -> String {
    let event = alice.wait_message(room, text).await;
    event["content"]["formatted_body"].as_str().unwrap_or_default().to_owned()
}

/// Waits for the hourglass under a message.
async fn wait_hourglass(alice: &MatrixUser, room: &str, message: &str) -> Value {
    let is_it = |event: &Value| {
        let about = &event["content"]["m.relates_to"];
        event["type"] == "m.reaction" && about["event_id"] == message && about["key"] == "⏳"
    };
    alice.wait_event(room, is_it).await
}

/// Waits until an event is taken back.
async fn wait_taken_back(alice: &MatrixUser, room: &str, event: &Value) {
    let id = &event["event_id"];
    let takes_back = |one: &Value| {
        one["type"] == "m.room.redaction" && (one["redacts"] == *id || one["content"]["redacts"] == *id)
    };
    alice.wait_event(room, takes_back).await;
}

/// What somebody's membership of a room has been, by alice's view.
fn memberships(alice: &MatrixUser, room: &str, user: &str) -> Vec<String> {
    let events = alice.events(room).into_iter();
    let own = events.filter(|event| event["type"] == "m.room.member" && event["state_key"] == user);
    own.map(|event| event["content"]["membership"].as_str().unwrap_or_default().to_owned()).collect()
}
