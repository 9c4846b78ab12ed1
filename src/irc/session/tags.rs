//! What people say about messages, and that they are saying something: client-only tags.
//!
//! Replies, reactions and typing, and the two tags by which a server says what a sender is. The tags that are still
//! drafts are read under both names, and sent as drafts unless the server allows only the final name. Nothing here
//! is waited for: where a server lacks tags or denies one, nothing is sent. That the user types is said in
//! [`typing`](super::typing).
//!
//! Invariant 9: ids and reactions beyond a length are none, and so are those with control characters.
//!
//! Spec: `IRCv3` "Message tags" (`TAGMSG`, `CLIENTTAGDENY`), "typing", "reply", "react" and "unreact" (drafts), "Bot
//! mode", "RELAYMSG" (draft).

use crate::irc::queue::Class;
use crate::irc::wire::{Line, Message};

use super::event::{Event, Origin};
use super::outgoing::{Outgoing, Target};
use super::{Session, State};

/// An id is a word; servers use some dozen bytes.
const LONGEST_ID: usize = 300;
/// An emoji, or a word.
const LONGEST_REACTION: usize = 100;

/// What a message says besides its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageTags {
    /// The id of the message that it answers.
    pub reply: Option<String>,
    /// A program said it.
    pub bot: bool,
    /// Who has said it for somebody elsewhere, by their nick: the one that it is said under is nobody's here.
    pub relayed_by: Option<String>,
}

impl MessageTags {
    pub(super) fn of(message: &Message) -> Self {
        let has = |names: [&str; 2]| names.into_iter().any(|name| message.tag(name).is_some());
        Self {
            reply: client_tag(message, "reply", LONGEST_ID),
            bot: has(["bot", "draft/bot"]),
            relayed_by: message.tag("draft/relaymsg").or_else(|| message.tag("relaymsg")).map(str::to_owned),
        }
    }
}

/// How far somebody is with what they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    /// They type.
    Active,
    /// They have typed something, and think.
    Paused,
    /// They have thought better of it.
    Done,
}

/// A tag that may have its draft's name.
fn client_tag(message: &Message, name: &str, longest: usize) -> Option<String> {
    let value = message.tag(&format!("+draft/{name}")).or_else(|| message.tag(&format!("+{name}")));
    let is_word =
        |value: &&str| !value.is_empty() && value.len() <= longest && !value.contains(char::is_control);
    value.filter(is_word).map(str::to_owned)
}

impl Session {
    /// `TAGMSG target`: tags without a text.
    pub(super) fn on_tagmsg(&self, message: &Message, origin: Origin, events: &mut Vec<Event>) {
        let from = self.source(message);
        let own = self.is_own(&from.nick);
        let Some(target) = self.message_target(message.param(0), &from, own) else { return };
        let ignored = self.is_ignored(&from, message);
        if ignored && !target.is_everybodys() {
            return;
        }
        if let Some(msgid) = client_tag(message, "reply", LONGEST_ID) {
            for (name, removed) in [("react", false), ("unreact", true)] {
                if let Some(key) = client_tag(message, name, LONGEST_REACTION) {
                    let (target, from, msgid) = (target.clone(), from.clone(), msgid.clone());
                    events.push(Event::Reacted { target, from, own, msgid, key, removed, ignored });
                }
            }
        }
        let typing = match message.tag("+typing") {
            Some("active") => Typing::Active,
            Some("paused") => Typing::Paused,
            Some("done") => Typing::Done,
            _ => return,
        };
        if origin == Origin::Live && !own {
            events.push(Event::Typing { target, from, typing, ignored });
        }
    }

    /// Reacts to a message, or takes a reaction back. Returns whether the server was told.
    pub fn react(&mut self, target: &Target, msgid: &str, key: &str, removes: bool) -> bool {
        let names = if removes {
            [("+draft/unreact", "draft/unreact"), ("+unreact", "unreact")]
        } else {
            [("+draft/react", "draft/react"), ("+react", "react")]
        };
        let name = names.into_iter().find(|(_, name)| self.sends_tag(name)).map(|(tag, _)| tag);
        let fits = key.len() <= LONGEST_REACTION && msgid.len() <= LONGEST_ID;
        let (Some(name), Some(reply)) = (name.filter(|_| fits), self.reply_tag()) else { return false };
        let line = target.put(Line::new("TAGMSG")).finish().tagged(&[(reply, msgid), (name, key)]);
        self.enqueue(Class::Interactive, Outgoing::Line(line)).is_ok()
    }

    /// Whether a message may say which one it answers.
    #[must_use]
    pub fn sends_replies(&self) -> bool {
        self.reply_tag().is_some()
    }

    pub(super) fn reply_tag(&self) -> Option<&'static str> {
        let names = [("+draft/reply", "draft/reply"), ("+reply", "reply")];
        names.into_iter().find(|(_, name)| self.sends_tag(name)).map(|(tag, _)| tag)
    }

    /// Whether a client-only tag gets through: `CLIENTTAGDENY=*,-typing` denies all but one, `a,b` these.
    pub(super) fn sends_tag(&self, name: &str) -> bool {
        if self.state != State::Ready || !self.caps.enabled("message-tags") {
            return false;
        }
        let denied = self.isupport.get("CLIENTTAGDENY").unwrap_or_default();
        let has = |wanted: &str| denied.split(',').any(|one| one == wanted);
        if has("*") { has(&format!("-{name}")) } else { !has(name) }
    }
}
