//! What is said on IRC, as rows for the rooms: where a line belongs, and what it looks like there.
//!
//! Not what happens besides talk, which is in `incoming`; not who is named in a line, which `pills` finds.

use std::sync::Arc;

use super::super::content::{self, MessageType};
use super::Actor;
use super::choices::{Autoquery, Colours};
use crate::format::{RichText, read_irc, strip_irc};
use crate::irc::session::{IncomingKind, MessageTags, MessageTarget, Origin};
use crate::irc::wire::Source;
use crate::names::is_service;
use crate::store::{BufferKind, Direction, HistoryLine, NewOutbox, StoreError, Told};

/// Queries that may open by themselves: beyond it, what strangers say stands in the network room.
const MOST_QUERIES: usize = 1_000;
/// What was said so long ago disturbs nobody, in milliseconds.
const OLD: i64 = 10 * 60 * 1000;

/// A message from IRC on its way into a buffer.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) from: Source,
    pub(super) kind: IncomingKind,
    pub(super) text: String,
    pub(super) time: Option<i64>,
    pub(super) msgid: Option<String>,
    pub(super) account: Option<String>,
    pub(super) own: bool,
    /// The user does not want to hear who said it.
    pub(super) ignored: bool,
    pub(super) origin: Origin,
    pub(super) tags: MessageTags,
}

impl Line {
    fn is_ctcp(&self) -> bool {
        matches!(self.kind, IncomingKind::Ctcp { .. } | IncomingKind::CtcpReply { .. })
    }

    /// What is told of a CTCP request or reply.
    fn ctcp_text(&self) -> RichText {
        let (IncomingKind::Ctcp { command } | IncomingKind::CtcpReply { command }) = &self.kind else {
            return RichText::new();
        };
        if command == "DCC" && matches!(self.kind, IncomingKind::Ctcp { .. }) {
            let text = format!(
                "{} offers you a direct connection ({}), for a file or a chat. That can't be had through a bridge, which \
                 {} was told.",
                self.from.nick,
                strip_irc(&self.text),
                self.from.nick
            );
            return RichText::plain(text);
        }
        let text = format!("{} sent CTCP {command} {}", self.from.nick, strip_irc(&self.text));
        RichText::plain(text.trim_end())
    }
}

/// On what occasion a line is shown.
struct Occasion {
    is_query: bool,
    /// The user's own words appear as theirs.
    is_puppets: bool,
    is_old: bool,
}

impl Occasion {
    /// What kind of message a line becomes, with a word before it where that kind does not say it.
    fn meaning(
        &self,
        line: &Line,
        highlights: bool,
        kind: MessageType,
        text: RichText,
    ) -> (MessageType, RichText) {
        let after = |word: &str| RichText::plain(word).then(text.clone());
        if line.own && self.is_query && !self.is_puppets {
            // The room has two members, and neither is the user's own ghost.
            return (MessageType::Notice, after("(you, from elsewhere) "));
        }
        // No phone rings for the past, or for a program, unless it is about the user.
        let is_quiet = (line.tags.bot || self.is_old) && !self.is_query && !highlights;
        match kind {
            MessageType::Emote if is_quiet => (MessageType::Notice, after("* ")),
            _ if is_quiet => (MessageType::Notice, text),
            // Push rules silence what is a notice before they look whom it mentions.
            MessageType::Notice if highlights => (MessageType::Text, after("[notice] ")),
            kind => (kind, text),
        }
    }
}

impl Actor {
    pub(super) async fn on_message(&mut self, target: MessageTarget, line: Line) -> Result<(), StoreError> {
        if self.hears_consent(&target, &line) {
            return Ok(());
        }
        let line = self.without_told_passwords(line);
        if line.own && line.is_ctcp() || self.answers_ctcp(&line) {
            // What the user asks or is answered elsewhere is no news.
            return Ok(());
        }
        if line.ignored && !self.is_for_others(&target) {
            return Ok(());
        }
        match target {
            // A channel has its room from when we entered it: what comes for another makes none.
            MessageTarget::Channel { name, status } => match self.buffers.find(&name) {
                Some(place) => self.show_in_turn(place, line, status).await,
                None => {
                    let text = RichText::new().bold(format!("{} in {name}: ", line.from.nick));
                    self.say(text.then(read_irc(&line.text).with_links()));
                    Ok(())
                }
            },
            MessageTarget::Own => {
                let nick = line.from.nick.clone();
                let open = self.buffers.find(&nick);
                // Nobody has a relayed nick who could be answered.
                let is_person = line.tags.relayed_by.is_none() && !line.from.is_server();
                let is_new_talk = open.is_none() && is_person && self.is_conversation(&line, &nick);
                let met = if is_new_talk { self.meet(&line).await? } else { None };
                let place = match open.filter(|_| !line.from.is_server()).or(met) {
                    Some(place) if self.is_blocked(place) => return Ok(()),
                    Some(place) => place,
                    None if line.is_ctcp() => {
                        self.say(line.ctcp_text());
                        return Ok(());
                    }
                    _ => {
                        let text = RichText::new().bold(format!("{nick}: "));
                        self.say(text.then(read_irc(&line.text).with_links()));
                        return Ok(());
                    }
                };
                self.keep_name_charset(place).await?;
                self.show_in_turn(place, line, None).await
            }
            MessageTarget::Other(nick) => match self.buffers.find(&nick) {
                Some(place) => self.show_in_turn(place, line, None).await,
                // Said from another client of the same bouncer: the answer will come here.
                None if self.is_conversation(&line, &nick) => {
                    let place = self.open_buffer(BufferKind::Query, &nick, None).await?;
                    self.show_in_turn(place, line, None).await
                }
                None => Ok(()),
            },
        }
    }

    /// Whether a line to or from somebody without a room opens one: a notice does not, and neither do services.
    fn is_conversation(&self, line: &Line, nick: &str) -> bool {
        matches!(line.kind, IncomingKind::Privmsg | IncomingKind::Action)
            && self.manners.of_session::<Autoquery>() == Autoquery::On
            && !self.is_service(nick)
            && self.has_room_for_query()
    }

    /// Whether a nick is one of this network's services.
    pub(super) fn is_service(&self, nick: &str) -> bool {
        is_service(nick, &[&self.row.network, &self.network.name, self.named()])
    }

    /// Whether one more query may be opened by what somebody says.
    pub(super) fn has_room_for_query(&self) -> bool {
        self.buffers.queries() < MOST_QUERIES
    }

    /// A line in a buffer, after those that were said before it.
    async fn show_in_turn(
        &mut self,
        place: usize,
        line: Line,
        status: Option<char>,
    ) -> Result<(), StoreError> {
        if line.origin == Origin::Live {
            match self.waits_for_history(place, line, status).await? {
                Some((line, status)) => self.show(place, line, status).await,
                None => Ok(()),
            }
        } else {
            self.show(place, line, status).await
        }
    }

    /// A line in a buffer, as its sender's ghost.
    pub(super) async fn show(
        &mut self,
        place: usize,
        line: Line,
        status: Option<char>,
    ) -> Result<(), StoreError> {
        let (kind, stored_kind) = match &line.kind {
            IncomingKind::Privmsg => (MessageType::Text, "message"),
            IncomingKind::Action => (MessageType::Emote, "action"),
            IncomingKind::Notice => (MessageType::Notice, "notice"),
            IncomingKind::Ctcp { .. } | IncomingKind::CtcpReply { .. } => {
                self.say(line.ctcp_text());
                return Ok(());
            }
        };
        let text = read_irc(&line.text);
        if text.is_empty() {
            return Ok(());
        }
        let Some(line) = self.hear_for_room(place, line, status, stored_kind) else { return Ok(()) };
        let text = match self.room_choice::<Colours>(place) {
            Colours::Show => text,
            Colours::Hide => text.without_colours(),
        };
        if text.is_empty() {
            return Ok(());
        }
        let is_missed = line.origin != Origin::Live;
        let replayed = if is_missed {
            let Some(before) = self.on_missed_line(place, &line) else { return Ok(()) };
            Some(before)
        } else {
            None
        };
        let is_query = self.buffers.get(place).row.kind == BufferKind::Query;
        let answered = self.answered_by(place, &line).await?;
        let may_call = !line.own && !line.ignored;
        let answers_user = answered.as_ref().is_some_and(|answered| answered.own) && may_call;
        let (mut text, names_user) = self.name_people(place, text).await?;
        let highlights = answers_user || (names_user && may_call);
        if let Some(status) = status {
            text = RichText::plain(format!("[to {status}] ")).then(text);
        }
        let now = self.bridge.clock.unix_ms();
        let is_old = is_missed && line.time.is_some_and(|time| now.saturating_sub(time) >= OLD);
        let is_puppets = line.own && self.bridge.puppet(&self.row.user_id).is_some();
        let occasion = Occasion { is_query, is_puppets, is_old };
        let (kind, text) = occasion.meaning(&line, highlights, kind, text);
        let user = highlights.then_some(self.row.user_id.as_str());
        let mut content = content::message(kind, &text, user);
        for other in self.others_called(place, &line, answered.as_ref(), &text) {
            content::mention(&mut content, &other);
        }
        if let Some(event_id) = self.event_answered(place, answered.as_ref()).await? {
            content = content::in_reply_to(content, &event_id);
        }
        self.ends_typing(place, &line.from.nick).await?;
        let sender = self.speaker(place, &line, is_puppets).await?;
        let is_taken = !is_query || self.takes_line(place, &line).await?;
        let is_private = is_query && self.is_service(&self.buffers.get(place).row.name);
        // Nothing was said later than now, whatever the server's clock says.
        let ts = line.time.map(|time| time.min(now));
        let history = (!is_private).then(|| HistoryLine {
            buffer: self.buffers.get(place).row.id,
            channel: self.shared_channel(place),
            at: line.time.unwrap_or(now),
            kind: stored_kind,
            sender: line.from.nick.clone(),
            account: line.account,
            target: status.map(String::from),
            text: line.text,
            msgid: line.msgid,
            event_id: None,
            direction: if line.own { Direction::Out } else { Direction::In },
            replayed,
        });
        if !is_taken || (self.is_detached(place) && !highlights) {
            history.into_iter().for_each(|line| self.incoming.keep(line));
            return Ok(());
        }
        if self.is_detached(place) {
            self.bring_back(place).await?;
        }
        if is_query {
            self.invite_back(place);
        }
        if !is_query && !is_puppets {
            self.note_speaker(place, &line.from.nick);
        }
        let buffer = self.buffers.get_mut(place);
        buffer.last_line = now;
        if !line.own {
            // Whoever speaks is back, whether the server says so or not.
            buffer.presence.forget_away();
        }
        let room = buffer.row.room;
        if !is_missed && !line.own && kind != MessageType::Notice {
            self.find_pictures(place, &sender, &text);
        }
        self.tell_news(place);
        let row = content::message_row(room, &sender, content, history);
        let row = NewOutbox { ts, ..row };
        self.incoming.outbox.push(row);
        Ok(())
    }

    /// Who says a line in a room.
    async fn speaker(&mut self, place: usize, line: &Line, is_puppets: bool) -> Result<Arc<str>, StoreError> {
        if is_puppets {
            return Ok(self.row.user_id.as_str().into());
        }
        let row = &self.buffers.get(place).row;
        let sender = match row.kind {
            BufferKind::Query => row.creator.as_str().into(),
            BufferKind::Channel => self.ghost(&line.from.nick).await?,
        };
        self.note_standing(line, &sender);
        Ok(sender)
    }

    /// The line that another answers, where it is known.
    async fn answered_by(&mut self, place: usize, line: &Line) -> Result<Option<Told>, StoreError> {
        match line.tags.reply.clone() {
            Some(msgid) => self.known_line(place, &msgid).await,
            None => Ok(None),
        }
    }

    /// Who has left the room of a query is asked in again by what is said there.
    pub(super) fn invite_back(&mut self, place: usize) {
        let buffer = self.buffers.get_mut(place);
        if !std::mem::replace(&mut buffer.invited, true) {
            let row = content::invite_row(buffer.row.room, &buffer.row.creator, &self.row.user_id);
            self.incoming.outbox.push(row);
        }
    }
}
