//! Bans of a channel that are about one person of its shared room and nobody else: they are out of both then.
//!
//! Their own session sees to it, at the time when it hears the ban, by who is in the channel then: nothing is kept for later,
//! whoever shows the channel. Where its connection hangs, the server lets nobody in who is banned.
//!
//! Of those who are there with their own connections, these have told where they come from; of others only their nicks
//! are known. Where a mask may be about somebody else, or anybody, nobody is taken out: it keeps out whom it keeps out.
//! So bans stand on IRC alone, and whoever takes one back has taken it back.
//!
//! Who is relayed has no address that a ban could be about, but may have a nick that one is about: whoever relays them is told
//! what a ban does that looks as if it were about them, once in a while for each ([`TOLD_AGAIN`]).

use std::time::Duration;

use super::super::super::outcome::Outcome;
use super::super::loose::Reply;
use super::super::shared::{Shared, WayBack};
use super::super::{Actor, Request};
use super::ChannelRequest;
use super::lists::{entries, question};
use crate::format::RichText;
use crate::irc::isupport::Isupport;
use crate::irc::lists::{ChannelList, Identity, ListKind};
use crate::irc::session::Session;
use crate::names::Channel;

/// What is in nobody's name.
const NOBODY: &str = "\u{1}";
/// Whoever relays is told of bans in a channel, or of those of one person's name there, again after so long: an operator may set and
/// take back as many as they like.
pub(in super::super) const TOLD_AGAIN: Duration = Duration::from_hours(1);

/// Whether a ban is about somebody of whom no more is known than their nick.
fn may_mean(nick: &str, mask: &str, isupport: &Isupport) -> bool {
    let stranger = Identity { nick: nick.into(), user: NOBODY.into(), host: NOBODY.into(), account: None };
    stranger.is_meant_by(mask, isupport)
}

/// Whether a mask names a nick, and not only a part of one.
fn names_a_nick(mask: &str) -> bool {
    !mask.split('!').next().unwrap_or_default().contains(['*', '?'])
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

/// The session's user, as others see them; nothing while that is not known.
fn own_identity(session: &Session) -> Option<Identity> {
    let (user, host) = session.user_and_host()?;
    Some(Identity {
        nick: session.nick().to_owned(),
        user: user.to_owned(),
        host: host.to_owned(),
        account: None,
    })
}

impl Actor {
    /// Modes were set in a channel whose room is shared: who is banned by them goes from it.
    pub(in super::super) fn note_bans(&mut self, place: usize, by: &str, changes: &str) {
        let list = self.isupport().and_then(|isupport| ChannelList::of(ListKind::Bans, isupport));
        let Some(list) = list else { return };
        for (is_set, letter, entry) in entries_changed(changes) {
            let Some(mask) = list.mask(entry).filter(|_| letter == list.letter) else { continue };
            self.forget_mask(place, mask);
            if !is_set {
                continue;
            }
            if self.relays(place) {
                self.explain_ban_of_relayed(place, by, mask);
            }
            if self.follows_channel(place) && self.is_only_one_meant(place, mask) {
                if let Some(shared) = self.buffers.get_mut(place).shared.as_deref_mut() {
                    shared.banned_by.push(mask.to_owned());
                }
                self.go_unless_excepted(place, by, mask);
            }
        }
    }

    /// A ban of the relay silences all whom it relays, and one of a name of theirs nobody: whoever set it believes otherwise.
    fn explain_ban_of_relayed(&mut self, place: usize, by: &str, mask: &str) {
        let (Some(link), Some(isupport)) = (&self.link, self.isupport()) else { return };
        let (buffer, channel) = (self.buffers.get(place).row.id, self.buffers.get(place).row.name.clone());
        let mut own = own_identity(&link.session)
            .unwrap_or_else(|| Identity { nick: link.session.nick().to_owned(), ..Identity::default() });
        own.account = link.session.account().map(str::to_owned);
        let now = self.now();
        if own.is_meant_by(mask, isupport) {
            let text = RichText::new().bold(format!("{by} banned your relay from {channel}")).text(format!(
                " ({mask}). What people write in its room who have no connection of their own may be refused there, and they \
                 are told. An operator of {channel} can take that back."
            ));
            if self.outbound.relaying.is_news(buffer, "", now) {
                self.alert(&text);
            }
            return;
        }
        if may_mean(NOBODY, mask, isupport) {
            return;
        }
        let relaying = &self.outbound.relaying;
        // Who is called so on IRC is meant, and not somebody else.
        let is_nick = |name: &str| self.channel_at(place).is_some_and(|channel| channel.has(name));
        let is_named = |name: &str| may_mean(name, mask, isupport) && !is_nick(name);
        let (user_id, then) = if let Some((nick, user_id)) = relaying.nicks.heard_as(buffer, is_named) {
            let then = format!(
                "{user_id}, whom you relay, is heard as {nick} there: what they say may be refused as long as that stands"
            );
            (user_id, then)
        } else if let Some(user_id) = relaying.called(buffer, is_named).filter(|_| names_a_nick(mask)) {
            let then = format!(
                "That is what {user_id} is called there, whom you relay: it does not reach them, since what they say comes from \
                 your nick. Who may ban in the room can ban them there, and then nothing of theirs goes to {channel}"
            );
            (user_id, then)
        } else {
            return;
        };
        if self.outbound.relaying.is_news(buffer, &user_id, now) {
            self.say(RichText::plain(format!("{by} banned {mask} from {channel}. {then}.")));
        }
    }

    /// Somebody is in a channel no longer, or not by this nick. What was read at once is known of its members at once, before each line
    /// of it is done: they were there when a ban was set that is yet to be done, and it may have meant them.
    pub(in super::super) fn spare_from_bans_of(&mut self, channel: &str, nick: &str) {
        let Some(place) = self.shared_place(channel) else { return };
        let Some(shared) = self.buffers.get_mut(place).shared.as_deref_mut() else { return };
        let masks = std::mem::take(&mut shared.banned_by);
        if masks.is_empty() {
            return;
        }
        let Some(isupport) = self.isupport() else { return };
        let left = masks.into_iter().filter(|mask| !may_mean(nick, mask, isupport)).collect();
        if let Some(shared) = self.buffers.get_mut(place).shared.as_deref_mut() {
            shared.banned_by = left;
        }
    }

    /// The user has another nick, which a ban of before was not about.
    pub(in super::super) fn spare_from_bans(&mut self) {
        self.buffers
            .iter_mut()
            .filter_map(|buffer| buffer.shared.as_deref_mut())
            .for_each(|shared| shared.banned_by.clear());
    }

    /// The user goes out of a shared room from whose channel they are banned, unless an exception lets them be in the channel all the
    /// same: that is asked first. Where the server does not say which there are, there is none.
    fn go_unless_excepted(&mut self, place: usize, by: &str, mask: &str) {
        let Ok(channel) = Channel::new(&self.buffers.get(place).row.name) else { return };
        let why = format!("{by} banned you from {channel}");
        let list = self.isupport().and_then(|isupport| ChannelList::of(ListKind::Exceptions, isupport));
        let Some(list) = list else { return self.go_when_banned(&channel, why) };
        let (line, mask) = (question(&channel, &list), mask.to_owned());
        let known = mask.clone();
        let asked = self.inquire_then(line, move |actor, answer| {
            Box::pin(async move {
                let own = actor.link.as_ref().and_then(|link| own_identity(&link.session));
                let is_excepted = actor.isupport().zip(own).is_some_and(|(isupport, own)| {
                    entries(&answer).iter().any(|one| own.is_meant_by(&one.mask, isupport))
                });
                if !is_excepted {
                    actor.go_when_banned(&channel, why);
                } else if let Some(place) = actor.shared_place(channel.as_str()) {
                    actor.forget_mask(place, &mask);
                }
                Ok(RichText::new()).into()
            })
        });
        match asked {
            Reply::Asked(number, used) => self.await_quietly(number, used),
            _ => self.forget_mask(place, &known),
        }
    }

    /// A ban was taken back, or keeps the user out of nothing.
    fn forget_mask(&mut self, place: usize, mask: &str) {
        if let Some(shared) = self.buffers.get_mut(place).shared.as_deref_mut() {
            shared.banned_by.retain(|known| known != mask);
        }
    }

    /// When what was read with the ban is stored.
    fn go_when_banned(&self, channel: &Channel, why: String) {
        let Some(session) = self.bridge.session(self.row.id) else { return };
        let request = Request::Channel(channel.clone(), ChannelRequest::ShutOut(why));
        self.bridge.tasks.spawn(async move { drop(session.ask(request).await) });
    }

    /// Somebody has banned the user, who is out of the channel and its shared room then.
    pub(super) async fn be_shut_out(&mut self, channel: &Channel, why: &str) -> Outcome {
        let place = self.shared_place(channel.as_str());
        let is_meant = |shared: &Shared| shared.is_taken() && !shared.banned_by.is_empty();
        if let Some(place) = place.filter(|place| self.shared(*place).is_some_and(is_meant)) {
            self.shut_out(place, why, RichText::new(), WayBack::Shut).await?;
        }
        Ok(RichText::new())
    }

    /// Whether a ban is about the session's user, and about nobody else as far as is known.
    fn is_only_one_meant(&self, place: usize, mask: &str) -> bool {
        let (Some(link), Some(isupport)) = (&self.link, self.isupport()) else { return false };
        let Some(own) = own_identity(&link.session).filter(|own| own.is_meant_by(mask, isupport)) else {
            return false;
        };
        // Of whom is not known yet that they are there it may be, too.
        let shared =
            self.shared(place).filter(|shared| shared.is_named() && !may_mean(NOBODY, mask, isupport));
        let sitters = shared.and_then(|shared| shared.seat()?.sitters());
        let (Some(sitters), Some(channel)) = (sitters, self.channel_at(place)) else { return false };
        if sitters.iter().any(|one| one.session != self.row.id && one.identity.is_meant_by(mask, isupport)) {
            return false;
        }
        let mapping = isupport.casemapping();
        let is_sitting = |nick: &str| sitters.iter().any(|one| mapping.same(&one.identity.nick, nick));
        let is_another = |nick: &str| !mapping.same(&own.nick, nick) && !is_sitting(nick);
        // Last, since there may be thousands.
        !channel.members().into_iter().any(|(nick, _)| may_mean(&nick, mask, isupport) && is_another(&nick))
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
