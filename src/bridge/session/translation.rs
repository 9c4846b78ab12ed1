//! What a Matrix message says, in the words of IRC: its formatting as the user wants it there, people by their nicks,
//! rooms by their channels.
//!
//! Whom a Matrix id stands for is known without asking anybody: a ghost's id says its nick, a user of the bridge has a
//! session. Who is neither is called as the message calls them, and so is who is not in the conversation: that somebody
//! uses the bridge, and as whom, is not for a channel that they are not in.

use std::borrow::Cow;

use super::Actor;
use super::manners::SpoilerChoice;
use super::speech::Kind;
use crate::format::{self, IrcStyle, Names, Options, Spoilers, strip_irc};
use crate::matrix::event::Message;
use crate::names::{Nick, split_address};
use crate::store::BufferKind;

impl Actor {
    /// What a message says, each line by itself.
    pub(super) fn in_words_of_irc(&self, place: usize, message: &Message) -> String {
        let row = &self.buffers.get(place).row;
        // A service reads commands, to which nothing may be added, and a password is not to be read as Markdown.
        if self.is_service(&row.name) {
            return self.without_escape(place, format::neutral(&message.body));
        }
        let style = self.manners.choice(row.id);
        let spoilers = self.manners.choice::<SpoilerChoice>(row.id).shown();
        let addresses = Kind::of(message) != Some(Kind::Action);
        self.read(place, message, Options { style, spoilers, addresses })
    }

    fn read(&self, place: usize, message: &Message, options: Options) -> String {
        let (html, people) = (message.html.as_deref(), People { actor: self, place });
        let text = format::read_matrix(&message.body, html, &message.mentions, options, &people);
        self.without_escape(place, text)
    }

    /// All of a message that has spoilers, where those are to be read behind a link.
    pub(super) fn with_spoilers(&self, place: usize, message: &Message) -> Option<String> {
        let row = &self.buffers.get(place).row;
        let is_wanted = self.manners.choice::<SpoilerChoice>(row.id) == SpoilerChoice::Link;
        if !is_wanted || message.html.is_none() || self.is_service(&row.name) {
            return None;
        }
        let of = |spoilers| {
            let text =
                self.read(place, message, Options { style: IrcStyle::Codes, spoilers, addresses: false });
            strip_irc(&text)
        };
        Some(of(Spoilers::Hidden)).filter(|whole| *whole != of(Spoilers::LeftOut))
    }
}

/// The people of a network, as one of its conversations knows them.
struct People<'a> {
    actor: &'a Actor,
    place: usize,
}

impl People<'_> {
    /// A nick as its owner writes it, as far as that is known.
    fn spelled(&self, nick: &str) -> String {
        let row = &self.actor.buffers.get(self.place).row;
        if self.actor.buffers.mapping().same(&row.name, nick) {
            return row.name.clone();
        }
        let session = self.actor.link.as_ref().map(|link| &link.session);
        let channel = session.and_then(|session| session.channel(&row.name));
        channel
            .and_then(|channel| channel.spelled(nick))
            .map_or_else(|| nick.to_owned(), |nick| nick.to_string())
    }

    /// Whether a nick is in the channel, or the other one in a query.
    fn takes_part(&self, nick: &str) -> bool {
        let row = &self.actor.buffers.get(self.place).row;
        match row.kind {
            BufferKind::Channel => self.actor.is_in_channel(&row.name, nick),
            BufferKind::Query => self.actor.buffers.mapping().same(&row.name, nick),
        }
    }
}

impl Names for People<'_> {
    fn nick(&self, user_id: &str) -> Option<Cow<'_, str>> {
        let actor = self.actor;
        if user_id == actor.row.user_id {
            return actor.link.as_ref().map(|link| link.session.nick().into());
        }
        if let Some((network, nick)) = actor.bridge.read_ghost_id(user_id) {
            return (network == actor.row.network).then(|| self.spelled(&nick).into());
        }
        let sessions = actor.bridge.sessions(Some(user_id)).into_iter();
        let mut nicks = sessions
            .filter(|session| session.row.network == actor.row.network)
            .map(|session| session.status().nick);
        nicks.find(|nick| Nick::new(nick).is_ok() && self.takes_part(nick)).map(Cow::from)
    }

    fn channel(&self, room: &str) -> Option<Cow<'_, str>> {
        let actor = self.actor;
        if let Some(channel) = actor.buffers.channel_of(room) {
            return Some(channel.into());
        }
        let (address, channel) = actor.bridge.read_alias(room)?;
        if split_address(&address).0 != actor.row.network {
            return None;
        }
        let place = actor.buffers.find(&channel)?;
        Some(actor.buffers.get(place).row.name.as_str().into())
    }

    fn display_name(&self, nick: &str) -> String {
        let fields = [("nick", nick), ("network", self.actor.row.network.as_str())];
        self.actor.bridge.config.templates.ghost_displayname.render(&fields)
    }
}
