//! What a command is, and in which rooms one is typed.

use futures_util::future::BoxFuture;

use crate::bridge::{Outcome, Place};
use crate::commands::Context;
use crate::config::Permission;
use crate::store::BufferKind;

/// A kind of room in which commands are typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Spot {
    /// The chat with the bot.
    Control,
    /// A network's room.
    Network,
    /// A channel's.
    Channel,
    /// That of a conversation of two.
    Query,
}

/// Where commands may be typed that say nothing about it.
pub(super) const ANYWHERE: &[Spot] = &[Spot::Control, Spot::Network, Spot::Channel, Spot::Query];

impl Spot {
    /// Of which kind a room is.
    pub(in crate::commands) fn of(place: Place) -> Self {
        match place {
            Place::Control => Self::Control,
            Place::Network(_) => Self::Network,
            Place::Buffer { kind: BufferKind::Channel, .. } => Self::Channel,
            Place::Buffer { kind: BufferKind::Query, .. } => Self::Query,
        }
    }

    /// The kind of room in words.
    pub(in crate::commands) fn in_words(self) -> &'static str {
        match self {
            Self::Control => "the chat with me",
            Self::Network => "a network's room",
            Self::Channel => "a channel's room",
            Self::Query => "the room of a conversation",
        }
    }
}

/// A command.
pub(in crate::commands) struct Command {
    /// What is typed.
    pub(in crate::commands) name: &'static str,
    /// Other words for it.
    pub(in crate::commands) aliases: &'static [&'static str],
    /// Under which heading help shows it.
    pub(in crate::commands) section: &'static str,
    /// How it is typed.
    pub(in crate::commands) usage: &'static str,
    /// What it does, in one sentence.
    pub(in crate::commands) summary: &'static str,
    /// What may be said about it besides.
    pub(in crate::commands) details: &'static str,
    /// How it may be typed, word by word. One that begins with the prefix is typed in a channel's room.
    pub(in crate::commands) examples: &'static [&'static str],
    /// Where it may be typed.
    pub(in crate::commands) at: &'static [Spot],
    /// Who may use it.
    pub(in crate::commands) permission: Permission,
    /// Whether it may hold a password; then its message is removed.
    pub(in crate::commands) secret: bool,
    /// What it does.
    pub(in crate::commands) run: for<'a> fn(Context<'a>) -> BoxFuture<'a, Outcome>,
}
