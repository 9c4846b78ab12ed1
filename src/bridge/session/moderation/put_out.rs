//! Whom somebody has put out of a shared room by Matrix's own means: each session sees to its own user, and has the one
//! who did so do it on IRC, by their own connection.

use super::super::super::Bridge;
use super::super::super::content::{self, MessageType};
use super::super::super::outcome::{Outcome, Refusal};
use super::super::super::shared::{INVITED_ON_IRC, LIFTED};
use super::super::loose::Reply;
use super::super::members::KICKERS;
use super::super::shared::WayBack;
use super::super::{Actor, Request, SessionHandle};
use super::ChannelRequest;
use super::by_matrix::ban_of;
use super::lists::{entries, question};
use crate::format::{RichText, neutral, strip_irc};
use crate::irc::lists::{ChannelList, ListKind};
use crate::irc::session::{Answer, Session};
use crate::irc::wire::Line;
use crate::matrix::event::{Content, Event, Member};
use crate::names::{Channel, Nick};
use crate::store::{InboxEvent, StoreError};

impl Actor {
    /// Who comes into a shared room, and goes: the user, and whom they put out. Others put the user out by their own
    /// connections. Says whether the event is done with; else it is when that has come to its end.
    pub(in super::super) async fn on_shared_member(
        &mut self,
        place: usize,
        seq: i64,
        event: &Event,
        member: &Member,
    ) -> Result<bool, StoreError> {
        if self.is_plumbed(place) {
            self.on_plumbed_member(place, event, member).await?;
            return Ok(true);
        }
        let by_user = event.sender == self.row.user_id;
        let is_ghost = self.bridge.is_ours(&member.user_id);
        let by_user_of_ghost = by_user && is_ghost && self.follows_channel(place);
        match member.membership.as_str() {
            "leave" | "ban" if by_user_of_ghost => return self.put_ghost_out(place, seq, member).await,
            "invite" if by_user_of_ghost => self.invite_ghost(place, member).await?,
            "leave" | "ban" if member.user_id == self.row.user_id => {
                let reason = (member.membership == "ban").then_some(LIFTED);
                let stayed = self.end_stay(place);
                let is_wanted = self.buffers.get(place).row.wanted;
                // A ban is looked at again by the desk.
                let begun = (!by_user && is_wanted && reason.is_none()).then_some(seq);
                self.leave_shared_by(place, reason, WayBack::Shut, begun).await?;
                failpoint!("put_out", !by_user);
                if by_user && (is_wanted || stayed) {
                    self.leave(place, "").await?;
                } else if is_wanted {
                    return self.put_out_by(place, seq, event, member).await;
                }
            }
            _ => {}
        }
        Ok(true)
    }

    /// The user does not come back to a shared room, and is in its channel no longer.
    pub(super) async fn stay_no_longer(&mut self, channel: &Channel) -> Outcome {
        if let Some(place) = self.shared_place(channel.as_str())
            && self.end_stay(place)
        {
            self.leave(place, "").await?;
        }
        Ok(RichText::new())
    }

    /// The user has invited a ghost, who is nobody that could accept it: the nick is invited on IRC.
    async fn invite_ghost(&mut self, place: usize, member: &Member) -> Result<(), StoreError> {
        let row = &self.buffers.get(place).row;
        let withdrawn = content::removal_row(row.room, &row.creator, &member.user_id, INVITED_ON_IRC);
        self.incoming.outbox.push(withdrawn);
        let ghost = self.bridge.store.ghost_by_user_id(&member.user_id).await?;
        let ghost = ghost.filter(|ghost| ghost.network == self.row.network);
        let Some(nick) = ghost.and_then(|ghost| Nick::new(&ghost.nick).ok()) else { return Ok(()) };
        if self.channel_at(place).is_none_or(|channel| !channel.has(nick.as_str())) {
            self.do_on_irc(place, &format!("{nick} is"), ChannelRequest::Invite(vec![nick.clone()]), None)
                .await;
        }
        Ok(())
    }

    /// Somebody has put the user out of a shared room: they do so on IRC, if they may. Else the user is invited back, and in
    /// the channel until they accept, for a while. What becomes of it is told, or stands on IRC, before its event is done with.
    async fn put_out_by(
        &mut self,
        place: usize,
        seq: i64,
        event: &Event,
        member: &Member,
    ) -> Result<bool, StoreError> {
        let row = &self.buffers.get(place).row;
        let (room, is_ban) = (row.room, member.membership == "ban");
        let Ok(channel) = Channel::new(&row.name) else { return self.leave(place, "").await.map(|_| true) };
        let kicker = self.bridge.store.session_in_shared_room(room, &event.sender).await?;
        let kicker = kicker.and_then(|kicker| self.bridge.session(kicker));
        let nick = self.own_nick_in(&channel);
        let put_out =
            PutOut { bridge: self.bridge.clone(), room, channel, user_id: self.row.user_id.clone(), kicker };
        let (Some(nick), true) = (nick, put_out.kicker.is_some()) else {
            self.leave(place, "").await?;
            put_out.invite_back().await?;
            let why = format!("{} is not in the channel now, by their own connection.", put_out.user_id);
            self.bridge.tasks.spawn(async move { put_out.tell_refused(RichText::plain(why)).await });
            return Ok(true);
        };
        // Whatever comes between, they don't enter it again by themselves.
        self.set_wanted(place, false).await?;
        self.stay_for_now(place);
        let session = self.link.as_ref().map(|link| &link.session);
        // Others who use this bridge may come from the same host, and nobody else has their user name.
        let mask = session.and_then(Session::user_and_host);
        let mask = mask.map_or_else(|| format!("{nick}!*@*"), |(user, host)| format!("*!{user}@{host}"));
        let reason = neutral(&member.reason).replace(['\n', '\r'], " ");
        let kick = ChannelRequest::Kick { nicks: vec![nick], reason };
        let ban = is_ban.then(|| ban_of(&mask, None));
        let begun = self.bridge.begin(seq);
        // The two sessions don't wait for each other.
        self.bridge.tasks.spawn(async move {
            if put_out.run(kick, ban).await {
                failpoint!("put_out_done");
                begun.done().await;
            }
        });
        Ok(false)
    }

    /// Whether an event is one by which somebody was put out that is being done on IRC, or was when the bridge stopped. Of
    /// the latter nobody knows what came of it: who did it is told, and whom it was done to is invited back.
    pub(in super::super) async fn was_begun(
        &mut self,
        stored: &InboxEvent,
        event: &Event,
    ) -> Result<bool, StoreError> {
        let seq = stored.seq;
        let Content::Member(member) = &event.content else { return Ok(false) };
        if member.user_id == event.sender || !matches!(member.membership.as_str(), "leave" | "ban") {
            return Ok(false);
        }
        if self.bridge.is_underway(seq) {
            return Ok(true);
        }
        let store = &self.bridge.store;
        if !store.is_begun(seq).await? {
            return Ok(false);
        }
        let Some(room) = store.room_of_event(stored, &event.room_id).await? else { return Ok(false) };
        let channel = room.buffer_name.as_deref().unwrap_or_default();
        let mut then = "Whoever is still there comes back to its shared room.".to_owned();
        let mut rows = Vec::new();
        if member.user_id == self.row.user_id {
            if store.session_in_shared_room(room.id, &member.user_id).await?.is_none() {
                rows.push(content::invite_row(room.id, self.bridge.client.bot(), &member.user_id));
            }
            then = format!("{} is not there now, and invited back to its shared room.", member.user_id);
        }
        let text = RichText::new()
            .bold(format!("It is not known whether {} was put out of {channel} on IRC", member.user_id))
            .text(format!(": Towline was stopped before it had an answer. {then}"));
        if let Some(by) = store.session_in_shared_room(room.id, &event.sender).await?
            && let Some(told_in) = store.network_room(by).await?
        {
            let alert = content::message(MessageType::Text, &text, Some(&event.sender));
            rows.push(content::message_row(told_in, self.bridge.client.bot(), alert, None));
        }
        self.incoming.outbox.extend(rows);
        self.outbound.commit.finished.push(seq);
        Ok(true)
    }

    /// The user lets a ghost into a room of their own again. What they have banned with it on IRC is taken back there, and nothing
    /// that anybody else has set: the channel's list says whose it is.
    pub(in super::super) fn take_own_ban_back(
        &mut self,
        place: usize,
        channel: &Channel,
        nick: &Nick,
        is_sure: bool,
    ) {
        let mask = format!("{nick}!*@*");
        let list = self.isupport().and_then(|isupport| ChannelList::of(ListKind::Bans, isupport));
        let Some(list) = list.filter(|_| self.channel_at(place).is_some()) else {
            if is_sure {
                self.tell_buffer(
                    place,
                    &format!(
                        "If you banned {nick} on IRC as well, that stands there, since you are not in {channel} now. When you \
                         are, take it back with: unban {channel} {nick}"
                    ),
                );
            }
            return;
        };
        let (line, channel) = (question(channel, &list), channel.clone());
        let asked = self.inquire_then(line, move |actor, answer| {
            Box::pin(async move {
                actor.take_back_if_own(&channel, &mask, &answer);
                Ok(RichText::new()).into()
            })
        });
        if let Reply::Asked(number, used) = asked {
            self.await_quietly(number, used);
        }
    }

    fn take_back_if_own(&mut self, channel: &Channel, mask: &str, answer: &Answer) {
        let Some(place) = self.buffers.find(channel.as_str()) else { return };
        let mapping = self.buffers.mapping();
        let Some(entry) = entries(answer).into_iter().find(|one| mapping.same(&one.mask, mask)) else {
            return;
        };
        let Some(link) = &mut self.link else { return };
        let is_own = entry.by.as_deref().is_some_and(|by| link.session.is_own(by));
        let state = link.session.channel(channel.as_str());
        let ranks = state.and_then(|state| state.prefixes(link.session.nick())).unwrap_or_default();
        if is_own && ranks.contains(KICKERS) {
            if let Ok(line) = Line::raw(&format!("MODE {channel} -b {mask}"))
                && let Err(error) = link.session.command(line)
            {
                tracing::debug!(%error, "a ban could not be taken back");
            }
            return;
        }
        let why = match entry.by {
            _ if is_own => "you are no operator there any more".to_owned(),
            Some(by) => format!("{} has set that, and it was not taken back", strip_irc(&by)),
            None => "it is not known who has set that, and it was not taken back".to_owned(),
        };
        self.tell_buffer(place, &format!("{mask} is still banned from {channel}: {why}."));
    }

    /// The user's nick, where they are in a channel.
    fn own_nick_in(&self, channel: &Channel) -> Option<Nick> {
        let nick = Nick::new(self.link.as_ref()?.session.nick()).ok()?;
        self.is_in(channel, &nick).then_some(nick)
    }
}

/// Somebody who was put out of a shared room, and by whose connection that is to be done on IRC.
struct PutOut {
    bridge: Bridge,
    room: i64,
    channel: Channel,
    user_id: String,
    kicker: Option<SessionHandle>,
}

impl PutOut {
    /// Banned first, so that nobody comes in between. Says whether it came to its end: what the bridge's stop came upon did
    /// not.
    async fn run(self, kick: ChannelRequest, ban: Option<ChannelRequest>) -> bool {
        let banned = match ban {
            Some(ban) => Some(self.by_kicker(ban).await),
            None => None,
        };
        let (what, refusal) = match (self.by_kicker(kick).await, banned) {
            (Ok(_), None | Some(Ok(_))) => return true,
            (Err(Refusal::Stopping), _) | (_, Some(Err(Refusal::Stopping)))
                if self.bridge.stop.is_cancelled() =>
            {
                return false;
            }
            (Ok(_), Some(Err(refusal))) => ("is out of", refusal),
            (Err(refusal), Some(Ok(_))) => ("is banned from", refusal),
            (Err(refusal), _) => {
                if let Err(error) = self.invite_back().await {
                    tracing::warn!(room = self.room, user = self.user_id, %error, "somebody is not invited back");
                }
                self.tell_refused(refusal.into_text()).await;
                return true;
            }
        };
        let left = if what == "is out of" { "not banned" } else { "not kicked" };
        let what = format!("{} {what} {} and {left}", self.user_id, self.channel);
        self.tell(RichText::new().bold(what).text(": ").then(refusal.into_text())).await;
        true
    }

    async fn by_kicker(&self, request: ChannelRequest) -> Outcome {
        match &self.kicker {
            Some(kicker) => kicker.ask(Request::Channel(self.channel.clone(), request)).await,
            None => Err(Refusal::asked("Who did so is not in the channel.")),
        }
    }

    async fn invite_back(&self) -> Result<(), StoreError> {
        let invited = content::invite_row(self.room, self.bridge.client.bot(), &self.user_id);
        self.bridge.enqueue(vec![invited]).await?;
        self.bridge.wake_delivery(self.room);
        Ok(())
    }

    async fn tell_refused(&self, why: RichText) {
        let what = format!("{} is invited back to the shared room of {}", self.user_id, self.channel);
        self.tell(RichText::new().bold(what).text(": what you did was not done on IRC. ").then(why)).await;
    }

    async fn tell(&self, text: RichText) {
        drop(self.by_kicker(ChannelRequest::Tell(text)).await);
    }
}
