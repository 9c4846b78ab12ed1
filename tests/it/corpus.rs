//! Messages as clients write them, and what people on IRC read: `corpus/*.txt`, a file for each client.
//!
//! A case is a name behind `## `, the event's content, and the text, each line of it behind `| `, with the codes in
//! braces: `{b}` begins bold text and `{/b}` ends it, `{/}` ends all, `{04}` is a colour. With `UPDATE_CORPUS=1` the
//! texts are written anew, to be looked at.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use towline::format::{Names, Options, read_matrix};
use towline::matrix::event::{Content, Event, Message};

/// Bob is on IRC under another name, Carol is a ghost, and one room shows `#rust`.
struct People;

impl Names for People {
    fn nick(&self, user_id: &str) -> Option<Cow<'_, str>> {
        match user_id {
            "@bob:example.org" => Some("bob_".into()),
            "@irc_libera_carol:example.org" => Some("Carol[m]".into()),
            _ => None,
        }
    }

    fn channel(&self, room: &str) -> Option<Cow<'_, str>> {
        matches!(room, "#irc_libera_rust:example.org" | "!rust:example.org").then_some("#rust".into())
    }

    fn display_name(&self, nick: &str) -> String {
        nick.to_owned()
    }
}

fn message(content: &Value) -> Message {
    let event = json!({ "event_id": "$e", "room_id": "!rust:example.org", "sender": "@alice:example.org",
        "type": "m.room.message", "content": content });
    match Event::read(&event.to_string()).unwrap().content {
        Content::Message(message) => message,
        _ => panic!("no message"),
    }
}

/// A text with its codes in braces.
fn readable(text: &str) -> String {
    let mut out = String::new();
    let mut on: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        let name = match character {
            '\x02' => "b",
            '\x1d' => "i",
            '\x1f' => "u",
            '\x1e' => "s",
            '\x11' => "code",
            '\x0f' => {
                on.clear();
                out.push_str("{/}");
                continue;
            }
            '\x03' => {
                let digits = rest.bytes().take(5).take_while(|byte| byte.is_ascii_digit() || *byte == b',');
                let digits = digits.count();
                let _ = write!(out, "{{{}}}", if digits == 0 { "/colour" } else { &rest[..digits] });
                rest = &rest[digits..];
                continue;
            }
            '\n' => {
                on.clear();
                out.push('\n');
                continue;
            }
            character => {
                assert!(!character.is_control(), "{text:?}");
                out.push(character);
                continue;
            }
        };
        if on.contains(&name) {
            on.retain(|known| *known != name);
            let _ = write!(out, "{{/{name}}}");
        } else {
            on.push(name);
            let _ = write!(out, "{{{name}}}");
        }
    }
    out
}

/// A client's cases: written anew, and how many they are.
fn translated(corpus: &str) -> (String, usize) {
    let (mut out, mut cases) = (String::new(), 0);
    let mut lines = corpus.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("## ") else { continue };
        let content = lines.next().unwrap();
        let read = message(&serde_json::from_str(content).unwrap_or_else(|error| panic!("{name}: {error}")));
        let options = Options { addresses: read.kind != "m.emote", ..Options::default() };
        let text = read_matrix(&read.body, read.html.as_deref(), &read.mentions, options, &People);
        let _ = writeln!(out, "## {name}\n{content}");
        for line in readable(&text).lines() {
            let _ = writeln!(out, "{}", format!("| {line}").trim_end());
        }
        out.push('\n');
        cases += 1;
    }
    (out, cases)
}

#[test]
fn messages_of_real_clients_read_as_they_did_when_somebody_looked() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/corpus");
    let mut all = 0;
    for client in ["cinny", "element-web", "element-x", "fluffychat", "nheko", "others", "schildichat"] {
        let path = folder.join(client).with_extension("txt");
        let found = std::fs::read_to_string(&path).unwrap();
        let (expected, cases) = translated(&found);
        all += cases;
        if std::env::var_os("UPDATE_CORPUS").is_some() {
            std::fs::write(&path, &expected).unwrap();
        } else {
            let different = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
            assert_eq!(different, None, "{client}: UPDATE_CORPUS=1 writes it anew");
            assert_eq!(found.lines().count(), expected.lines().count(), "{client}");
        }
    }
    assert!(all >= 200, "only {all} messages");
}
