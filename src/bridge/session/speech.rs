//! What a message says on IRC, and how it is kept until it has arrived.

use serde::{Deserialize, Serialize};

use super::relay::Relayed;
use crate::format::{Limit, Typed, lines_of, split_line, typed};
use crate::irc::session::MessageKind;
use crate::matrix::event::Message;

/// What a message says.
#[derive(Debug)]
pub(super) struct Speech {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// The id of the message that it answers.
    pub(super) reply: Option<String>,
    /// Its sender was asked and wants it sent.
    pub(super) is_wanted: bool,
    /// Who says it, if not the session's user.
    pub(super) relayed: Option<Box<Relayed>>,
}

impl Speech {
    /// What a message says on IRC, in the words of IRC; `None` for what can't be said there.
    pub(super) fn of(message: &Message, text: String) -> Option<Self> {
        let kind = Kind::of(message)?;
        let (kind, text) = match typed(&text) {
            // What is written to a file is text.
            _ if kind != Kind::Privmsg || message.attachment.is_some() => (kind, text),
            Typed::Text(said) if said.len() == text.len() => (kind, text),
            Typed::Text(said) => (kind, said.to_owned()),
            Typed::Action(said) => (Kind::Action, said.to_owned()),
            Typed::Notice(said) => (Kind::Notice, said.to_owned()),
            Typed::Command(_) => return None,
        };
        Some(Self { kind, text, reply: None, is_wanted: false, relayed: None })
    }
}

/// What the store keeps of a line, sealed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Payload {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// Since when the event waits, in milliseconds since 1970.
    pub(super) at: i64,
    /// It was sent before, so that the history has it already.
    #[serde(default)]
    pub(super) kept: bool,
    /// The id of the message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reply: Option<String>,
    /// Who says it, if not the session's user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) relayed: Option<Box<Relayed>>,
}

impl Payload {
    /// What it says, without who says it.
    pub(super) fn said(&self) -> &str {
        self.relayed.as_deref().map_or(&self.text, |who| who.said(&self.text))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Privmsg,
    Notice,
    Action,
}

impl From<Kind> for MessageKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Privmsg => Self::Privmsg,
            Kind::Notice => Self::Notice,
            Kind::Action => Self::Action,
        }
    }
}

impl Kind {
    pub(super) fn of(message: &Message) -> Option<Self> {
        match message.kind.as_str() {
            "m.text" | "m.image" | "m.file" | "m.video" | "m.audio" => Some(Self::Privmsg),
            "m.emote" => Some(Self::Action),
            "m.notice" => Some(Self::Notice),
            _ => None,
        }
    }
}

/// The lines of a text, each short enough.
pub(super) fn pieces_of(text: &str, limit: &Limit) -> Vec<String> {
    lines_of(text).flat_map(|line| split_line(&line, limit)).collect()
}
