//! Bans of a channel that are about one person of its shared room and nobody else: they are out of both then.
//!
//! Of those who are there with their own connections, these have told where they come from; of others only their nicks
//! are known. Where a mask may be about somebody else, or anybody, nobody is taken out: it keeps out whom it keeps out.
//! So bans stand on IRC alone, and whoever takes one back has taken it back.

use super::super::super::outcome::Outcome;
use super::super::super::shared::Sitter;
use super::super::loose::Reply;
use super::super::shared::{Shared, WayBack};
use super::super::{Actor, Request};
use super::ChannelRequest;
use super::lists::{entries, question};
use crate::format::RichText;
use crate::irc::isupport::Isupport;
use crate::irc::lists::{ChannelList, Identity, ListKind};
use crate::names::Channel;

/// What is in nobody's name.
const NOBODY: &str = "\u{1}";

/// Whether a ban is about somebody of whom no more is known than their nick.
fn may_mean(nick: &str, mask: &str, isupport: &Isupport) -> bool {
    let stranger = Identity { nick: nick.into(), user: NOBODY.into(), host: NOBODY.into(), account: None };
    stranger.is_meant_by(mask, isupport)
}

impl Actor {
    /// Modes were set in a channel that this session shows in a shared room: who is banned by them goes.
    pub(in super::super) fn note_bans(&mut self, place: usize, by: &str, changes: &str) {
        if !self.shows(place) || !self.follows_channel(place) {
            return;
        }
        let Ok(channel) = Channel::new(&self.buffers.get(place).row.name) else { return };
        let words: Vec<&str> = changes.split(' ').collect();
        let set = words.windows(2).filter(|pair| pair[0].starts_with('+') && pair[0].len() == 2);
        for pair in set {
            let Some(letter) = pair[0].chars().nth(1) else { continue };
            let Some(meant) = self.only_one_meant(place, letter, pair[1]) else { continue };
            let why = format!("{by} banned you from {channel}");
            self.take_out_unless_excepted(&channel, meant, why);
        }
    }

    /// Takes somebody out of a shared room who is banned, unless an exception lets them be in the channel all the same: that is
    /// asked first. Where the server does not say which there are, there is none.
    fn take_out_unless_excepted(&mut self, channel: &Channel, meant: Sitter, why: String) {
        let list = self.isupport().and_then(|isupport| ChannelList::of(ListKind::Exceptions, isupport));
        let Some(list) = list else { return self.take_out_banned(channel, &meant, why) };
        let (line, channel) = (question(channel, &list), channel.clone());
        let asked = self.inquire_then(line, move |actor, answer| {
            Box::pin(async move {
                let is_excepted = actor.isupport().is_some_and(|isupport| {
                    let masks = entries(&answer);
                    masks.iter().any(|one| meant.identity.is_meant_by(&one.mask, isupport))
                });
                if !is_excepted {
                    actor.take_out_banned(&channel, &meant, why);
                }
                Ok(RichText::new()).into()
            })
        });
        if let Reply::Asked(number, used) = asked {
            self.await_quietly(number, used);
        }
    }

    fn take_out_banned(&self, channel: &Channel, meant: &Sitter, why: String) {
        let Some(session) = self.bridge.session(meant.session) else { return };
        let request = Request::Channel(channel.clone(), ChannelRequest::ShutOut(why));
        // Their own session takes them out; this one does not wait for it.
        self.bridge.tasks.spawn(async move { drop(session.ask(request).await) });
    }

    /// Somebody has banned the user, who is out of the channel and its shared room then.
    pub(super) async fn be_shut_out(&mut self, channel: &Channel, why: &str) -> Outcome {
        let place = self.shared_place(channel.as_str());
        if let Some(place) = place.filter(|place| self.shared(*place).is_some_and(Shared::is_taken)) {
            self.shut_out(place, why, RichText::new(), WayBack::Shut).await?;
        }
        Ok(RichText::new())
    }

    /// Whom of a shared room a ban is about, where it is about nobody else as far as is known.
    fn only_one_meant(&self, place: usize, letter: char, entry: &str) -> Option<Sitter> {
        let isupport = self.isupport()?;
        let list = ChannelList::of(ListKind::Bans, isupport).filter(|list| list.letter == letter)?;
        let mask = list.mask(entry)?;
        if may_mean(NOBODY, mask, isupport) {
            return None;
        }
        let sitters = self.shared(place)?.seat()?.sitters()?;
        let is_sitting =
            |nick: &str| sitters.iter().any(|one| isupport.casemapping().same(&one.identity.nick, nick));
        let mut meant = sitters.iter().filter(|one| one.identity.is_meant_by(mask, isupport));
        let one = meant.next()?.clone();
        if meant.next().is_some() {
            return None;
        }
        // Last, since there may be thousands.
        let others = self.channel_at(place)?.members();
        let is_about_another = |nick: &str| may_mean(nick, mask, isupport) && !is_sitting(nick);
        (!others.into_iter().any(|(nick, _)| is_about_another(&nick))).then_some(one)
    }
}
