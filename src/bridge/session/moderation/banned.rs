//! Bans of a channel that are about one person of its shared room and nobody else: they are out of both then.
//!
//! Of those who are there with their own connections, these have told where they come from; of others only their nicks
//! are known. Where a mask may be about somebody else, or anybody, nobody is taken out: it keeps out whom it keeps out.
//! So bans stand on IRC alone, and whoever takes one back has taken it back.
//!
//! What was set while another session showed the channel counts when this one takes over; what was set while nobody was
//! there the server itself sees to when they come in. Who is relayed has no address that a ban could be about: whoever relays them is
//! told so.

use super::super::super::outcome::Outcome;
use super::super::super::shared::Sitter;
use super::super::loose::Reply;
use super::super::shared::heard_bans::HeardBan;
use super::super::shared::{Shared, WayBack};
use super::super::{Actor, Request};
use super::ChannelRequest;
use super::lists::{entries, question};
use crate::format::RichText;
use crate::irc::isupport::Isupport;
use crate::irc::lists::{ChannelList, Identity, ListKind};
use crate::irc::session::PersonNews;
use crate::irc::wire::Source;
use crate::names::Channel;

/// What is in nobody's name.
const NOBODY: &str = "\u{1}";

/// Whether a ban is about somebody of whom no more is known than their nick.
fn may_mean(nick: &str, mask: &str, isupport: &Isupport) -> bool {
    let stranger = Identity { nick: nick.into(), user: NOBODY.into(), host: NOBODY.into(), account: None };
    stranger.is_meant_by(mask, isupport)
}

/// The entries that a change of modes sets or takes back: whether it sets it, the mode and the entry.
fn entries_changed(changes: &str) -> impl Iterator<Item = (bool, char, &str)> {
    let next = changes.split(' ').skip(1);
    changes.split(' ').zip(next).filter_map(|(mode, entry)| {
        let mut characters = mode.chars();
        let (sign, letter) = (characters.next()?, characters.next()?);
        (matches!(sign, '+' | '-') && characters.next().is_none()).then_some((sign == '+', letter, entry))
    })
}

/// Who somebody is, as far as a line of theirs says.
fn identity_of(who: &Source) -> Identity {
    let known = |part: &Option<String>| part.clone().unwrap_or_else(|| NOBODY.to_owned());
    Identity { nick: who.nick.clone(), user: known(&who.user), host: known(&who.host), account: None }
}

impl Actor {
    /// Modes were set in a channel whose room is shared: who is banned by them goes from it.
    pub(in super::super) fn note_bans(&mut self, place: usize, by: &str, changes: &str) {
        let list = self.isupport().and_then(|isupport| ChannelList::of(ListKind::Bans, isupport));
        let Some(list) = list else { return };
        let (shows, now) = (self.shows(place), self.now());
        for (is_set, letter, entry) in entries_changed(changes) {
            if letter != list.letter {
                continue;
            }
            let ban = HeardBan { by: by.to_owned(), letter, entry: entry.to_owned() };
            if is_set && self.relays(place) {
                self.explain_ban_of_relayed(place, &ban);
            }
            if !self.follows_channel(place) {
                continue;
            }
            if shows {
                if is_set {
                    self.apply_ban(place, &ban);
                }
            } else if let Some(shared) = self.buffers.get_mut(place).shared.as_deref_mut() {
                if is_set { shared.bans.add(ban, now) } else { shared.bans.lift(letter, entry) }
            }
        }
    }

    /// Somebody has entered a channel: they are on the network, and a ban that is about them does not keep them out.
    pub(in super::super) fn on_entered(&mut self, channel: &str, who: &Source) {
        self.on_person(&who.nick, PersonNews::Here);
        let Some(place) = self.shared_place(channel) else { return };
        // Nearly always there are none.
        if self.shared(place).is_none_or(|shared| shared.bans.is_empty()) {
            return;
        }
        let Some(isupport) = self.isupport().cloned() else { return };
        if let Some(shared) = self.buffers.get_mut(place).shared.as_deref_mut() {
            shared.bans.let_in(&identity_of(who), &isupport);
        }
    }

    /// This session shows a channel from now on: what was set there a moment ago the one before may not have heard.
    pub(in super::super) fn apply_heard_bans(&mut self, place: usize) {
        let now = self.now();
        let shared = self.buffers.get_mut(place).shared.as_deref_mut();
        for ban in shared.map(|shared| shared.bans.take(now)).unwrap_or_default() {
            self.apply_ban(place, &ban);
        }
    }

    fn apply_ban(&mut self, place: usize, ban: &HeardBan) {
        let Ok(channel) = Channel::new(&self.buffers.get(place).row.name) else { return };
        let Some(meant) = self.only_one_meant(place, ban.letter, &ban.entry) else { return };
        let why = format!("{} banned you from {channel}", ban.by);
        self.take_out_unless_excepted(&channel, meant, why);
    }

    /// A ban of the relay silences all whom it relays, and one of a name of theirs nobody: whoever set it believes otherwise.
    fn explain_ban_of_relayed(&mut self, place: usize, HeardBan { by, letter, entry }: &HeardBan) {
        let (Some(link), Some(isupport)) = (&self.link, self.isupport()) else { return };
        let list = ChannelList::of(ListKind::Bans, isupport).filter(|list| list.letter == *letter);
        let Some(mask) = list.and_then(|list| list.mask(entry).map(str::to_owned)) else { return };
        let channel = self.buffers.get(place).row.name.clone();
        let (user, host) = link.session.user_and_host().unwrap_or((NOBODY, NOBODY));
        let own = Identity {
            nick: link.session.nick().to_owned(),
            user: user.to_owned(),
            host: host.to_owned(),
            account: link.session.account().map(str::to_owned),
        };
        if own.is_meant_by(&mask, isupport) {
            let text = RichText::new().bold(format!("{by} banned your relay from {channel}")).text(format!(
                " ({mask}). What people write in its room who have no connection of their own may be refused there, and they \
                 are told. An operator of {channel} can take that back."
            ));
            return self.alert(&text);
        }
        if may_mean(NOBODY, &mask, isupport) {
            return;
        }
        // Who is called so on IRC is meant, and not somebody else.
        let is_nick = |name: &str| self.channel_at(place).is_some_and(|channel| channel.has(name));
        let is_named = |name: &str| may_mean(name, &mask, isupport) && !is_nick(name);
        let named = self.outbound.relaying.called(is_named);
        if let Some(user_id) = named {
            self.say(RichText::plain(format!(
                "{by} banned {mask} from {channel}. That is what {user_id} is called there, whom you relay: it does not reach \
                 them, since what they say comes from your nick. Who may ban in the room can ban them there, and then nothing \
                 of theirs goes to {channel}."
            )));
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

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::one("+b carol!*@*", &[(true, 'b', "carol!*@*")])]
    #[case::both_ways("+b a!*@* -b b!*@*", &[(true, 'b', "a!*@*"), (false, 'b', "b!*@*")])]
    #[case::among_others("+m +o bob +b *!*@evil.test", &[(true, 'm', "+o"), (true, 'o', "bob"), (true, 'b', "*!*@evil.test")])]
    #[case::an_entry_that_looks_like_a_mode("+b +b!*@*", &[(true, 'b', "+b!*@*")])]
    #[case::without_any("+mt", &[])]
    fn entries_are_read_from_changes_of_modes(
        #[case] changes: &str,
        #[case] expected: &[(bool, char, &str)],
    ) {
        assert_eq!(entries_changed(changes).collect::<Vec<_>>(), expected);
    }
}
