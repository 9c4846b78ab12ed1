//! What the user is told of those whom they have conversations with: whether they are there, and who they are.
//!
//! Told in the conversation's room, as routine, and only what is news; of others nothing is said, since a large channel
//! would drown in it. What the server says at the start of a connection is compared with what it said before.

use std::cmp::Reverse;

use super::Actor;
use super::buffers::OpenBuffer;
use super::incoming::with_reason;
use super::manners;
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
    /// That they have gone is not told yet: a QUIT with a reason may follow, or a new nick.
    untold: bool,
}

impl Presence {
    /// They are on the network, as far as is known.
    pub(super) fn is_here(&self) -> bool {
        self.here == Some(true)
    }

    /// What they said on going away is no longer known to hold.
    pub(super) fn forget_away(&mut self) {
        self.away = None;
    }
}

impl Actor {
    /// Somebody's news. Returns whether there is a conversation with them.
    pub(super) fn on_person(&mut self, nick: &str, news: PersonNews) -> bool {
        self.note_whereabouts(nick, &news);
        match news {
            PersonNews::Here => self.note_monitored(nick, true),
            PersonNews::Gone => self.note_monitored(nick, false),
            _ => {}
        }
        let Some(place) = self.conversation(nick) else {
            return false;
        };
        let presence = &mut self.buffers.get_mut(place).presence;
        let text = match news {
            PersonNews::Here
                if presence.here.replace(true) == Some(false) && !std::mem::take(&mut presence.untold) =>
            {
                format!("{nick} is on IRC again.")
            }
            PersonNews::Gone if presence.here.replace(false) == Some(true) => {
                presence.untold = true;
                self.gone.push(place);
                return true;
            }
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
        self.tell_of_person(place, &text);
        true
    }

    /// Somebody has left the network, with these words.
    pub(super) fn on_person_quit(&mut self, nick: &str, reason: &str) {
        self.note_whereabouts(nick, &PersonNews::Gone);
        let Some(place) = self.conversation(nick) else { return };
        let presence = &mut self.buffers.get_mut(place).presence;
        let is_told = presence.here == Some(false) && !presence.untold;
        *presence = Presence { here: Some(false), ..Presence::default() };
        if !is_told {
            self.tell_of_person(place, &with_reason(&format!("{nick} has left IRC"), reason));
        }
    }

    /// Somebody has another nick: nobody has gone.
    pub(super) fn on_person_renamed(&mut self, nick: &str) {
        if let Some(place) = self.conversation(nick) {
            self.buffers.get_mut(place).presence = Presence::default();
        }
    }

    /// Tells of those who have gone without another word.
    pub(super) fn tell_of_gone(&mut self) {
        for place in std::mem::take(&mut self.gone) {
            let buffer = self.buffers.get_mut(place);
            if std::mem::take(&mut buffer.presence.untold) {
                let text = format!("{} has left IRC.", buffer.row.name);
                self.tell_of_person(place, &text);
            }
        }
    }

    fn tell_of_person(&mut self, place: usize, text: &str) {
        if self.manners.choice::<manners::Presence>(self.buffers.get(place).row.id) == manners::Presence::Show
        {
            self.tell_buffer(place, text);
        }
    }

    fn conversation(&self, nick: &str) -> Option<usize> {
        self.buffers.find(nick).filter(|place| self.buffers.get(*place).row.kind == BufferKind::Query)
    }

    /// Asks the server to tell of all whom there are conversations with.
    pub(super) fn watch_conversations(&mut self) {
        let is_query = |buffer: &&OpenBuffer| buffer.row.kind == BufferKind::Query;
        let mut queries: Vec<&OpenBuffer> = self.buffers.iter().filter(is_query).collect();
        // Servers take some dozens: those first with whom something was said last.
        queries.sort_by_key(|buffer| Reverse((buffer.last_line, buffer.row.id)));
        let nicks: Vec<Nick> =
            queries.into_iter().filter_map(|buffer| Nick::new(&buffer.row.name).ok()).collect();
        if let Some(link) = &mut self.link {
            link.session.watch_people(nicks);
        }
    }
}
