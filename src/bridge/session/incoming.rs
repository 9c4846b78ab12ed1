//! What happens on IRC, as rows for Matrix. What is said there is in `shown`.
//!
//! An event changes what the actor knows and adds to `incoming`; nothing is committed or sent here.

use std::time::Duration;

use super::super::content::{self, MessageType};
use super::choices::RejoinOnKick;
use super::news::Piece;
use super::record::Happening;
use super::shared::WayBack;
use super::shown::Line;
use super::{Actor, wording};
use crate::format::{RichText, read_irc, strip_irc};
use crate::irc::numerics::{RPL_AWAY, RPL_ENDOFWHOIS, RPL_WHOISUSER};
use crate::irc::session::{Event, MOST_LOSSES, PersonNews, ServerMessageKind};
use crate::irc::wire::Source;
use crate::store::{BufferKind, StoreError};

impl Actor {
    pub(super) async fn on_event(&mut self, event: Event) -> Result<(), StoreError> {
        let happening = Happening::of(&event);
        self.note_going(&event);
        match event {
            Event::Registered { nick, server } => {
                if let Some(link) = &mut self.link {
                    link.since = Some(self.bridge.clock.unix_ms());
                }
                self.on_taken();
                self.keep_gaps();
                self.say(RichText::plain(self.connected_text(&server, &nick)));
            }
            Event::Ready { .. } => self.on_ready().await?,
            Event::StrictTransport { duration } => self.on_strict_transport(duration).await?,
            Event::LoggedIn { account } => {
                self.say(RichText::plain(format!("Logged in as {account}.")));
                self.run_autocmd();
            }
            Event::LoggedOut => self.say(RichText::plain("Logged out.")),
            Event::LoginFailed { permanent, ends, reason } => self.on_login_failed(permanent, ends, &reason),
            Event::Message { from, target, kind, text, time, msgid, account, own, ignored, origin, tags } => {
                let line = Line { from, kind, text, time, msgid, account, own, ignored, origin, tags };
                self.on_message(target, line).await?;
            }
            Event::Joined { channel, own: true, .. } => self.on_own_join(&channel).await?,
            Event::Joined { channel, who, .. } => self.on_joined(&channel, who.nick),
            Event::Quit { own: true, .. } => {}
            Event::ChannelNamed { asked, channel } => self.rename_channel(&asked, &channel).await?,
            Event::KeyLearnt { channel, key } => self.keep_key(&channel, &key).await?,
            Event::CasemappingChanged => self.follow_casemapping().await?,
            Event::Utf8OnlyChanged => self.on_utf8_only_changed(),
            Event::NickGiven { nick } => self.keep_nick(&nick).await?,
            Event::Names { channel } => self.on_names(&channel),
            Event::Parted { channel, own: true, reason, .. } => self.on_own_part(&channel, &reason).await?,
            Event::Parted { channel, who, reason, .. } => {
                if !self.depart(&channel, &who.nick, &reason, None) {
                    self.on_coming(&channel, Piece::Left { nick: who.nick, reason });
                }
            }
            event if self.shuts_out_of_shared(&event) => self.on_shut_out_of_shared(event).await?,
            Event::Kicked { channel, by, reason, own: true, back_in, .. } => {
                self.on_own_kick(&channel, &by.nick, &reason, back_in);
            }
            Event::Kicked { channel, nick, by, reason, .. } => {
                if !self.depart(&channel, &nick, &reason, Some(&by.nick)) {
                    self.on_channel_news(&channel, Piece::Kick { by: by.nick, nick, reason });
                }
            }
            Event::Quit { who, channels, own: false, split: Some(servers), .. }
                if self.is_split_off(&who.nick, &servers, &channels) => {}
            Event::Quit { who, reason, channels, own: false, .. } => {
                self.on_quit(&who.nick, &reason, channels);
            }
            Event::NickChanged { from, to, own: true, .. } => {
                self.spare_from_bans();
                self.take_own_ghosts_out(&from.nick, &to);
                self.say(RichText::plain(format!("You are now {to}.")));
            }
            Event::NickChanged { from, to, channels, .. } => {
                self.on_nick(&from.nick, &to, &channels).await?;
            }
            Event::Confirmed { messages } => self.on_confirmed(messages).await,
            Event::Echoed { message, msgid, .. } => self.on_echoed(message, msgid).await,
            Event::Refused { messages, certain, code, reason } => {
                self.on_refused(messages, certain, code, &reason).await;
            }
            Event::PutOff { message, code, reason } => self.on_put_off(message, code, &reason).await,
            Event::Reacted { target, ignored: true, .. } | Event::Typing { target, ignored: true, .. }
                if !self.is_for_others(&target) => {}
            Event::Reacted { target, from, own, msgid, key, removed, .. } => {
                self.on_reacted(&target, &from, own, (msgid, key), removed).await?;
            }
            Event::Typing { target, from, typing, .. } => self.on_typing(&target, &from.nick, typing).await?,
            Event::ReadMarker { target, time } => self.on_read_marker(&target, time),
            Event::Redacted { target, msgid, by, reason } => {
                self.on_redacted(&target, &msgid, &by.nick, &reason).await?;
            }
            Event::Invited { channel, nick, by, followed } => {
                self.on_invited(&channel, &nick, &by.nick, followed).await?;
            }
            Event::Answered { inquiry, answer } => self.on_answered(inquiry, answer).await,
            Event::Listed { inquiry, list, refusal } => self.on_listed(inquiry, list, refusal.as_ref()),
            Event::MultilineRefused { message, reason } => {
                self.on_multiline_refused(message, reason.as_deref());
            }
            Event::RelayRefused { messages, reason } => {
                self.on_relays_refused(&messages, reason.as_deref());
            }
            Event::HistoryEnd { request, lines, failed, .. } => {
                self.on_history_end(request, lines, failed).await?;
            }
            Event::HistoryTargets { request, targets } => self.on_history_targets(request, targets).await?,
            Event::Disconnect { reason, verdict } => self.end_link(&reason, verdict).await?,
            event => self.on_news(event),
        }
        self.record(happening);
        Ok(())
    }

    /// The user may be out of a channel by it.
    fn note_going(&mut self, event: &Event) {
        if matches!(event, Event::Parted { own: true, .. } | Event::Kicked { own: true, .. }) {
            self.lose_sight();
        }
        if let Event::Kicked { channel, own: true, .. } = event {
            self.is_asked_no_more(channel);
        }
    }

    /// Somebody else has joined a channel.
    fn on_joined(&mut self, channel: &str, nick: String) {
        // They are on the network.
        self.on_person(&nick, PersonNews::Here);
        if !self.netsplits.enter(&nick, channel, self.bridge.clock.now()) {
            self.on_came(channel, nick);
        }
        // Their ghost may be there since before a netsplit, with the rank of whoever had the nick.
        self.note_ranks_in(channel);
    }

    /// Somebody has quit because servers lost each other, which is told with others.
    fn is_split_off(&mut self, nick: &str, servers: &str, channels: &[String]) -> bool {
        let is_so = self.netsplits.leave(nick, servers, channels, self.bridge.clock.now());
        if is_so {
            channels.iter().for_each(|channel| self.note_gone(channel, nick));
            self.note_whereabouts(nick, &PersonNews::Gone);
        }
        is_so
    }

    /// What is only shown.
    fn on_news(&mut self, event: Event) {
        match event {
            Event::Topic { channel, topic, .. } => self.on_topic(&channel, &topic),
            Event::ModeChanged { by, changes, own: true, .. } => {
                self.say(RichText::plain(format!("{} sets your modes: {changes}", by.nick)));
            }
            Event::ModeChanged { target, by, changes, .. } => {
                self.on_modes(&target, &by.nick, &changes);
            }
            Event::JoinFailed { channel, code, reason, forward, retry } => {
                let reason = strip_irc(&reason);
                let reason = reason.trim_end_matches('.');
                let text = RichText::new().bold(format!("Not in {channel}")).text(format!(": {reason}. "));
                let text = match &forward {
                    Some(forward) => text.text(format!(
                        "The channel sends you to {forward} instead, which has a room of its own."
                    )),
                    None => text.text(wording::join_remedy(code, reason)),
                };
                let text = text.text(wording::retry(retry));
                if forward.is_some() && self.buffers.find(&channel).is_some_and(|place| self.is_shown(place))
                {
                    // Where the talk was so far, it says where it goes on.
                    self.alert_channel(&channel, &text);
                }
                self.on_join_failed(&channel, code, text);
            }
            Event::NickGivenUp { nick } => {
                self.nick_losses = MOST_LOSSES;
                self.tell_given_up(&nick);
            }
            Event::NickRefused { nick, reason, .. } => {
                self.alert(&RichText::plain(format!("You can't be {nick}: {reason}")));
            }
            Event::Person { nick, news } => _ = self.on_person(&nick, news),
            Event::Numeric { code: RPL_AWAY, params, text } => match &params[..] {
                // In a `WHOIS` it is a part of the answer.
                [nick, why]
                    if self.whois.as_ref() != Some(nick)
                        && self.on_person(nick, PersonNews::Away(why.clone())) => {}
                _ => self.say(read_irc(&text).with_links()),
            },
            Event::Numeric { code: code @ (RPL_WHOISUSER | RPL_ENDOFWHOIS), params, text } => {
                self.whois = params.into_iter().next().filter(|_| code == RPL_WHOISUSER);
                self.say(read_irc(&text).with_links());
            }
            Event::Numeric { text, .. } => self.say(read_irc(&text).with_links()),
            Event::ServerMessage { from, kind, text } => self.on_server_message(&from, kind, &text),
            Event::StandardReply(reply) => self.on_standard_reply(&reply),
            other => tracing::debug!(event = kind_of(&other), "an event that nothing shows"),
        }
    }

    async fn on_ready(&mut self) -> Result<(), StoreError> {
        // Until now the login may have failed, as it did before.
        self.last_reason = None;
        self.told.clear();
        self.follow_casemapping().await?;
        self.keep_named().await?;
        self.tell_of_utf8_only();
        self.buffers.iter_mut().for_each(|buffer| buffer.parting = false);
        let keeps_history = self.link.as_ref().is_some_and(|link| link.session.has_history());
        let now = self.now();
        if keeps_history {
            self.outbound.uncertain.wait_for_history(now);
        } else {
            self.ask_about_uncertain(|_| true);
        }
        (self.whois, self.buffers.told_full) = (None, false);
        self.buffers.iter_mut().for_each(|buffer| buffer.presence.forget_away());
        self.take_up_away().await?;
        self.watch_monitored();
        self.watch_conversations();
        self.reconsider_presence();
        self.run_autocmd();
        self.look_for_conversations().await?;
        self.release_queries().await
    }

    /// Who tries again tells why once; a login that can't work needs the user.
    fn on_login_failed(&mut self, permanent: bool, ends: bool, reason: &str) {
        if !permanent && ends {
            return;
        }
        let text = RichText::new().bold("The login failed").text(format!(": {reason}. Set it right with "));
        let text = text.code("sasl ACCOUNT PASSWORD").text(", or remove it with ").code("sasl off").text(".");
        self.alert(&text);
    }

    async fn on_own_join(&mut self, channel: &str) -> Result<(), StoreError> {
        let known = self.buffers.find(channel);
        let is_wanted = known.is_some_and(|place| self.buffers.get(place).row.wanted);
        let is_leaving = self.link.as_ref().is_some_and(|link| link.session.is_leaving(channel));
        if !is_wanted && !is_leaving && !self.has_room_for_channel(known) {
            let text = format!(
                "You are in {channel} now, but not here: this bridge allows no more channels. To be out of it, type "
            );
            let text = RichText::plain(text).code(format!("raw PART {channel}")).text(".");
            // A bouncer may bring in a hundred at once.
            if std::mem::replace(&mut self.buffers.told_full, true) {
                self.say(text);
            } else {
                self.alert(&text);
            }
            return Ok(());
        }
        let place = match known {
            Some(place) if is_wanted || is_leaving => place,
            None if is_leaving => return Ok(()),
            // A forward, an operator, services or a line of the user's own: we are in it, so it is wanted, perhaps again.
            _ => {
                let place = self.open_buffer(BufferKind::Channel, channel, None).await?;
                self.invite_owner(place);
                place
            }
        };
        if !self.is_shared(place) {
            self.explain_ringing(channel).await?;
        }
        let buffer = self.buffers.get_mut(place);
        (buffer.parting, buffer.refused) = (is_leaving, None);
        self.keep_name_charset(place).await?;
        self.end_gap(place).await?;
        // The room comes into being although nobody speaks yet.
        self.bridge.wake_delivery(self.buffers.get(place).row.room);
        self.run_on_join(place).await?;
        self.release(place).await
    }

    fn on_own_kick(&mut self, channel: &str, by: &str, reason: &str, back_in: Option<Duration>) {
        self.netsplits.forget_channel(channel);
        let back_in = self.back_after_kick(channel, back_in);
        self.tell_relayed_of_kick(channel, by, back_in);
        let text = with_reason(&format!("{by} kicked you out of {channel}"), reason);
        let text = RichText::plain(format!("{text} ")).then(wording::after_kick(channel, back_in));
        self.alert_channel(channel, &text);
    }

    fn on_quit(&mut self, nick: &str, reason: &str, channels: Vec<String>) {
        self.on_person_quit(nick, reason);
        for channel in channels {
            if !self.depart(&channel, nick, &with_reason("Quit", reason), None) {
                let (nick, reason) = (nick.to_owned(), reason.to_owned());
                self.on_coming(&channel, Piece::Left { nick, reason });
            }
        }
    }

    /// In how long we go back into a channel that threw us out, if the user wants that.
    fn back_after_kick(&mut self, channel: &str, back_in: Option<Duration>) -> Option<Duration> {
        let buffer = self.buffers.find(channel).map(|place| self.buffers.get(place).row.id);
        if buffer.is_none_or(|buffer| self.manners.choice::<RejoinOnKick>(buffer) == RejoinOnKick::On) {
            return back_in;
        }
        if let Some(link) = &mut self.link {
            link.session.stay_out(channel);
        }
        None
    }

    /// A channel does not let us in. After each reconnection it is the same news, which disturbs nobody.
    fn on_join_failed(&mut self, channel: &str, code: u16, text: RichText) {
        self.is_asked_no_more(channel);
        let place = self.buffers.find(channel);
        let told = place.and_then(|place| self.buffers.get_mut(place).refused.replace(code));
        if told == Some(code) {
            self.say(text);
        } else {
            self.alert(&text);
        }
    }

    /// We are out of a channel, because the user or somebody with the power to do so wanted it.
    async fn on_own_part(&mut self, channel: &str, reason: &str) -> Result<(), StoreError> {
        self.tell_channel(channel, &with_reason("You left the channel", reason));
        let Some(place) = self.buffers.find(channel) else {
            return Ok(());
        };
        self.netsplits.forget_channel(channel);
        if !self.buffers.get(place).parting {
            // Somebody or something else than their user brought it about.
            let reason = with_reason("You left the channel", reason);
            self.leave_shared(place, Some(&reason), WayBack::Shut).await?;
        }
        let buffer = self.buffers.get_mut(place);
        let parting = std::mem::take(&mut buffer.parting);
        if !buffer.row.wanted {
            return Ok(());
        }
        if parting {
            // The user has asked for the channel again since.
            self.enter(place);
            return Ok(());
        }
        self.set_wanted(place, false).await
    }

    fn on_server_message(&mut self, from: &Source, kind: ServerMessageKind, text: &str) {
        let text = read_irc(text).with_links();
        self.say(match kind {
            // The last word before the connection ends, which is told with it.
            ServerMessageKind::Error => return,
            ServerMessageKind::Wallops => RichText::new().bold(format!("{} to all: ", from.nick)).then(text),
            _ => text,
        });
    }

    /// Says something in a channel's room, as the bot and as routine; in the network room where there is none.
    pub(super) fn tell_channel(&mut self, channel: &str, text: &str) {
        match self.buffers.find(channel) {
            Some(place) => self.tell_buffer(place, text),
            None => self.say(RichText::plain(format!("{channel}: {text}"))),
        }
    }

    /// Says something in a buffer's room, as whoever speaks for the bridge there and as routine.
    pub(super) fn tell_buffer(&mut self, place: usize, text: &str) {
        if self.is_detached(place) || self.is_strangers(place) {
            return;
        }
        if self.is_shared(place) {
            // It concerns the user, and the room is everybody's.
            let name = self.buffers.get(place).row.name.clone();
            return self.say(RichText::plain(format!("{name}: {text}")));
        }
        self.tell_room(place, text);
    }

    /// Says something in a buffer's room that concerns all who are there.
    pub(super) fn tell_room(&mut self, place: usize, text: &str) {
        let buffer = &self.buffers.get(place).row;
        let content = content::message(MessageType::Notice, &RichText::plain(text), None);
        self.incoming.outbox.push(content::message_row(buffer.room, &buffer.creator, content, None));
    }

    pub(super) fn alert_channel(&mut self, channel: &str, text: &RichText) {
        let in_room = |place: &usize| !self.is_detached(*place) && !self.is_shared(*place);
        let Some(place) = self.buffers.find(channel).filter(in_room) else {
            return self.alert(text);
        };
        let buffer = &self.buffers.get(place).row;
        let content = content::message(MessageType::Text, text, Some(&self.row.user_id));
        self.incoming.outbox.push(content::message_row(buffer.room, &buffer.creator, content, None));
    }
}

pub(super) fn with_reason(what: &str, reason: &str) -> String {
    let reason = strip_irc(reason);
    if reason.is_empty() { format!("{what}.") } else { format!("{what}: {reason}") }
}

/// What kind of event it is, without what it says, which no log may hold.
fn kind_of(event: &Event) -> String {
    let text = format!("{event:?}");
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}
