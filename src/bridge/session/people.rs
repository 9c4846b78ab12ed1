//! What the user is told of those whom they have conversations with: whether they are there, and who they are.
//!
//! Told in the conversation's room, as routine, and only what is news; of others nothing is said, since a large channel
//! would drown in it. What the server says at the start of a connection is compared with what it said before.

use super::Actor;
use super::incoming::with_reason;
use crate::format::strip_irc;
use crate::irc::session::PersonNews;
use crate::names::Nick;
use crate::store::BufferKind;

/// What is known of a conversation's other side.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// On the network.
    here: Option<bool>,
    away: Option<String>,
}

impl Actor {
    /// Somebody's news. Returns whether there is a conversation with them.
    pub(super) fn on_person(&mut self, nick: &str, news: PersonNews) -> bool {
        let Some(place) = self.conversation(nick) else {
            return false;
        };
        let presence = &mut self.buffers.get_mut(place).presence;
        let text = match news {
            PersonNews::Here if presence.here.replace(true) == Some(false) => {
                format!("{nick} is on IRC again.")
            }
            PersonNews::Gone if presence.here.replace(false) == Some(true) => format!("{nick} has left IRC."),
            PersonNews::Away(why) if presence.away.as_ref() != Some(&why) => {
                let text = with_reason(&format!("{nick} is away"), &why);
                presence.away = Some(why);
                text
            }
            PersonNews::Back if presence.away.take().is_some() => format!("{nick} is back."),
            PersonNews::LoggedIn(account) => format!("{nick} is logged in as {}.", strip_irc(&account)),
            PersonNews::LoggedOut => format!("{nick} is not logged in any more."),
            // No news, or what a connection begins with.
            PersonNews::Here | PersonNews::Gone | PersonNews::Away(_) | PersonNews::Back => return true,
            PersonNews::RealName(name) => format!("{nick}'s real name is {} now.", strip_irc(&name)),
        };
        self.tell_buffer(place, &text);
        true
    }

    /// Somebody has left the network, with these words.
    pub(super) fn on_person_quit(&mut self, nick: &str, reason: &str) {
        let Some(place) = self.conversation(nick) else { return };
        let presence = &mut self.buffers.get_mut(place).presence;
        (presence.here, presence.away) = (Some(false), None);
        self.tell_buffer(place, &with_reason(&format!("{nick} has left IRC"), reason));
    }

    fn conversation(&self, nick: &str) -> Option<usize> {
        self.buffers.find(nick).filter(|place| self.buffers.get(*place).row.kind == BufferKind::Query)
    }

    /// Asks the server to tell of all whom there are conversations with.
    pub(super) fn watch_conversations(&mut self) {
        let rows = self.buffers.iter().map(|buffer| &buffer.row).filter(|row| row.kind == BufferKind::Query);
        let nicks: Vec<Nick> = rows.filter_map(|row| Nick::new(&row.name).ok()).collect();
        if let Some(link) = &mut self.link {
            link.session.watch_people(nicks);
        }
    }
}
