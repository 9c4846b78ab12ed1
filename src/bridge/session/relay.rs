//! What people say in a shared room who have no connection of their own, said by this session with their name before it.
//!
//! Each is found out to be such before it comes here (`bridge/shared/relay.rs`). From here on it goes the way of what the
//! session's own user says; only who is told what becomes of it is another. So much of one person's waits at a time
//! ([`MOST_OF_ONE`]), so that nobody's flood keeps the others waiting.
//!
//! What another bridge in the room repeats of what was said here is not said once more.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::super::Bridge;
use super::super::content;
use super::super::desk::lane_of;
use super::super::outcome::{Outcome, Refusal};
use super::choices::RejoinOnKick;
use super::manners::Choice;
use super::moderation::TOLD_AGAIN;
use super::relaymsg::Nicks;
use super::shared::Shared;
use super::speech::Kind;
use super::{Actor, wording};
use crate::format::{Called, Prefix, RichText, parted, strip_irc};
use crate::matrix::event::{Content, Event, Message};
use crate::names::{Channel, Frame};
use crate::store::settings::{self, Setting};
use crate::store::{InboxEvent, Part, StoreError, relay_lane};

/// Messages of one person's that may wait in a buffer.
const MOST_OF_ONE: usize = 20;
/// Events of which it is remembered whose they are: more than can wait.
const MOST_KNOWN: usize = 4_000;
/// People of whom it is remembered that they were told to wait.
const MOST_TOLD: usize = 1_000;
/// Lines that are remembered to know them again …
const MOST_SAID: usize = 100;
/// … for so long.
const REPEATED: Duration = Duration::from_mins(1);
/// A character without width, which a charset may lack.
const UNSEEN: &str = "\u{200b}";

/// Who says something through the session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Relayed {
    /// Their Matrix id.
    pub(super) user_id: String,
    /// What they are called.
    pub(super) name: String,
    /// What stands before a line of theirs that is made already, where it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) prefix: String,
    /// Under which nick it is said, where the network lets it be (`relaymsg`): then no prefix stands before it, unless it
    /// has to go otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) nick: String,
}

impl Relayed {
    /// What a line says, without who says it.
    pub(super) fn said<'t>(&self, line: &'t str) -> &'t str {
        if self.nick.is_empty() { line.strip_prefix(&*self.prefix).unwrap_or(line) } else { line }
    }

    /// A line as another bridge would repeat it.
    pub(super) fn as_heard(&self, line: &str, is_action: bool) -> String {
        match self.nick() {
            None => line.to_owned(),
            Some(nick) if is_action => format!("{nick} {line}"),
            Some(nick) => format!("<{nick}> {line}"),
        }
    }

    /// The nick under which a line is said, if it is said under one.
    pub(super) fn nick(&self) -> Option<&str> {
        (!self.nick.is_empty()).then_some(&*self.nick)
    }
}

impl Choice for Called {
    const SETTING: &'static Setting = &settings::RELAY_NAME;
    const WORDS: &'static [(&'static str, Self)] =
        &[("display-name", Self::Displayed), ("localpart", Self::Localpart), ("id", Self::Id)];
}

/// Before which lines the name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RelayPrefix {
    All,
    First,
}

impl Choice for RelayPrefix {
    const SETTING: &'static Setting = &settings::RELAY_PREFIX;
    const WORDS: &'static [(&'static str, Self)] = &[("all", Self::All), ("first", Self::First)];
}

/// Whether names are kept from being found as nicks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RelayAntiPing {
    Auto,
    On,
    Off,
}

impl Choice for RelayAntiPing {
    const SETTING: &'static Setting = &settings::RELAY_ANTIPING;
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("on", Self::On), ("off", Self::Off)];
}

/// Whether notices are relayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RelayNotices {
    Off,
    On,
}

impl Choice for RelayNotices {
    const SETTING: &'static Setting = &settings::RELAY_NOTICES;
    const WORDS: &'static [(&'static str, Self)] = &[("off", Self::Off), ("on", Self::On)];
}

/// What is known of those for whom the session speaks.
#[derive(Debug, Default)]
pub(super) struct Relaying {
    /// By their events, the oldest first, each with its buffer.
    known: HashMap<Arc<str>, (i64, Box<Relayed>)>,
    order: VecDeque<Arc<str>>,
    /// They know that too much of theirs waits.
    told: HashSet<String>,
    /// What was said for somebody, with their name, when, and whether as an action.
    said: VecDeque<(Instant, bool, String)>,
    /// When it was told of bans in a buffer: of the relay, or of somebody's name.
    told_bans: HashMap<(i64, String), Instant>,
    /// Whose nick it is that somebody is heard under.
    pub(super) nicks: Nicks,
}

impl Relaying {
    /// Somebody does this in a buffer.
    pub(super) fn note(&mut self, event_id: &Arc<str>, buffer: i64, who: Box<Relayed>) {
        if self.known.insert(Arc::clone(event_id), (buffer, who)).is_none() {
            self.order.push_back(Arc::clone(event_id));
        }
        if self.order.len() > MOST_KNOWN
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Who has done it, as far as that is remembered, if not the session's user.
    pub(super) fn of(&self, event_id: &str) -> Option<&Relayed> {
        self.known.get(event_id).map(|(_, who)| &**who)
    }

    /// A line leaves.
    pub(super) fn say(&mut self, line: &str, is_action: bool, now: Instant) {
        if self.said.len() == MOST_SAID {
            self.said.pop_front();
        }
        self.said.push_back((now, is_action, bare(line)));
    }

    /// Whether a message is what was just said.
    fn repeats(&self, body: &str, is_action: bool, now: Instant) -> bool {
        let body = bare(body);
        let recent = self.said.iter().filter(|(at, ..)| now.saturating_duration_since(*at) < REPEATED);
        recent.filter(|(_, kind, _)| *kind == is_action).any(|(.., line)| *line == body)
    }

    /// Somebody who was relayed in a buffer of late by a name that is such.
    pub(super) fn called(&self, buffer: i64, is_such: impl Fn(&str) -> bool) -> Option<String> {
        let mut known = self.order.iter().rev().filter_map(|event_id| self.known.get(event_id));
        let found = known.find(|(place, who)| *place == buffer && is_such(&who.name));
        found.map(|(_, who)| who.user_id.clone())
    }

    /// Whether it is to be told of a ban of somebody's name, or of the relay by none: it was not for a while.
    pub(super) fn is_news(&mut self, buffer: i64, user_id: &str, now: Instant) -> bool {
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) < TOLD_AGAIN;
        let key = (buffer, user_id.to_owned());
        if self.told_bans.get(&key).is_some_and(is_recent) {
            return false;
        }
        if self.told_bans.len() >= MOST_TOLD {
            self.told_bans.clear();
        }
        self.told_bans.insert(key, now);
        true
    }

    /// Whether somebody is told that too much of theirs waits; once, until it does not.
    fn is_to_be_told(&mut self, user_id: &str) -> bool {
        if self.told.len() == MOST_TOLD {
            self.told.clear();
        }
        self.told.insert(user_id.to_owned())
    }
}

/// A line without codes, and with one space where there are several.
fn bare(line: &str) -> String {
    let line = strip_irc(line).replace(UNSEEN, "");
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What somebody is called within this: where a name loses something by that, its owner's id stands behind it.
fn named_in(frame: &Frame, who: &Relayed) -> String {
    let name = frame.without_brackets(&who.name);
    let id = Called::Id.name(&who.user_id, None, false);
    if name == who.name || name.ends_with(&id) {
        name
    } else {
        frame.without_brackets(&format!("{name} {id}"))
    }
}

impl Actor {
    /// Whether this session says what others say in a buffer's room.
    pub(super) fn relays(&self, place: usize) -> bool {
        self.buffers.get(place).row.part == Part::Relay
            && self.shared(place).is_some_and(Shared::is_taken)
            && self.bridge.may_relay(&self.row.user_id)
    }

    /// Who does something in a room, if not the session's user.
    pub(super) fn relayed_by(&self, place: usize, event: &Event) -> Option<Box<Relayed>> {
        if event.sender == self.row.user_id {
            return None;
        }
        let called: Called = self.manners.choice(self.buffers.get(place).row.id);
        let name = match (&event.called, called) {
            (Some(names), Called::Displayed) => &names.displayed,
            (Some(names), Called::Localpart) => &names.localpart,
            (Some(names), Called::Id) => &names.id,
            (None, _) => &event.sender,
        };
        Some(Box::new(Relayed { user_id: event.sender.clone(), name: name.clone(), ..Relayed::default() }))
    }

    /// Whether something is said, or done about what was, by somebody who may have nobody but this session to speak by.
    pub(super) fn is_relayed(&self, place: usize, event: &Event) -> bool {
        let is_said =
            matches!(event.content, Content::Message(_) | Content::Reaction(_) | Content::Redaction(_));
        is_said && event.sender != self.row.user_id && self.is_shared(place)
    }

    /// Something is said, or done about what was, by somebody who has no session in a room.
    pub(super) async fn on_relayed(
        &mut self,
        place: usize,
        stored: &InboxEvent,
        event: &Event,
    ) -> Result<(), StoreError> {
        if !self.relays(place) {
            return self.pass_relayed(stored, &lane_of(&event.sender)).await;
        }
        // Whoever takes something back, the homeserver has let them do so.
        if event.called.is_none() && !matches!(event.content, Content::Redaction(_)) {
            // It has not been there yet.
            let lane = relay_lane(self.buffers.get(place).row.room);
            return self.pass_relayed(stored, &lane).await;
        }
        let event_id: Arc<str> = event.event_id.as_str().into();
        if event.called.is_some()
            && let Some(who) = self.relayed_by(place, event)
        {
            self.outbound.relaying.note(&event_id, self.buffers.get(place).row.id, who);
        }
        match &event.content {
            Content::Message(message) => return self.on_relayed_message(place, stored, event, message).await,
            Content::Reaction(reaction) => {
                return self.on_others_reaction(place, stored, &event.sender, reaction).await;
            }
            Content::Redaction(event_id) => {
                self.withdraw(place, event_id).await?;
                // A moderator with a connection of their own has said nothing here.
                let cause = event.called.is_some().then_some(&*event.event_id);
                self.take_back(place, cause, event_id).await?;
            }
            _ => {}
        }
        self.outbound.commit.finished.push(stored.seq);
        Ok(())
    }

    /// The user has taken back in a shared room what is none of theirs: where somebody may have said it through the session
    /// that relays there, that one sees to it on IRC.
    pub(super) async fn leaves_to_relay(
        &mut self,
        place: usize,
        stored: &InboxEvent,
        event_id: &str,
    ) -> Result<bool, StoreError> {
        if !self.is_shared(place) || self.relays(place) {
            return Ok(false);
        }
        let relay = self.bridge.relay_in(self.buffers.get(place).row.room).await?;
        let Some(relay) = relay.filter(|relay| relay.session != self.row.id) else { return Ok(false) };
        if self.lines_of_event(place, event_id).await?.iter().any(|line| line.own) {
            return Ok(false);
        }
        self.pass_relayed(stored, &format!("session/{}", relay.session)).await?;
        Ok(true)
    }

    /// Somebody else sees to it.
    async fn pass_relayed(&mut self, stored: &InboxEvent, lane: &str) -> Result<(), StoreError> {
        self.bridge.store.move_event(stored.seq, lane).await?;
        self.bridge.wake_lane(lane);
        Ok(())
    }

    async fn on_relayed_message(
        &mut self,
        place: usize,
        stored: &InboxEvent,
        event: &Event,
        message: &Message,
    ) -> Result<(), StoreError> {
        let buffer = self.buffers.get(place).row.id;
        let is_notice = Kind::of(message) == Some(Kind::Notice);
        let is_unwanted = is_notice && self.manners.choice::<RelayNotices>(buffer) == RelayNotices::Off;
        let original = message.replaces.as_deref();
        let (about, now) = (original.unwrap_or(&event.event_id), self.now());
        // Nobody edits what others have said.
        if is_unwanted
            || original.is_some_and(|original| self.is_anothers(original, &event.sender))
            || self.outbound.relaying.repeats(&message.body, Kind::of(message) == Some(Kind::Action), now)
        {
            self.outbound.commit.finished.push(stored.seq);
            return Ok(());
        }
        let is_theirs =
            |id: &str| self.outbound.relaying.of(id).is_some_and(|who| who.user_id == event.sender);
        let waiting = self.outbound.progress.get(&buffer).into_iter().flatten();
        let waiting = waiting.filter(|one| one.open > 0 && is_theirs(&one.event_id)).count();
        if waiting >= MOST_OF_ONE {
            if self.outbound.relaying.is_to_be_told(&event.sender) {
                let what = format!(
                    "was not sent: {MOST_OF_ONE} of yours wait already, and what you write before those have gone is not \
                     sent either. I say this once."
                );
                self.refuse_event(place, &event.event_id, about, &what);
            }
            self.outbound.commit.finished.push(stored.seq);
            return Ok(());
        }
        self.outbound.relaying.told.remove(&event.sender);
        if original.is_some_and(|original| self.outbound.relaying.of(original).is_some()) {
            return self.on_edit(place, stored, event, message).await;
        }
        self.on_room_message(place, stored, event, message).await
    }

    /// Whether an event is known to be somebody else's, for whom the session speaks.
    pub(super) fn is_anothers(&self, event_id: &str, user_id: &str) -> bool {
        self.outbound.relaying.of(event_id).is_some_and(|who| who.user_id != user_id)
    }

    /// What stands before what somebody says in a buffer.
    pub(super) fn prefix_of(&self, place: usize, who: &Relayed, kind: Kind) -> Prefix {
        let row = &self.buffers.get(place).row;
        let has_unseen = self.as_written(place, UNSEEN) == UNSEEN;
        let frame = self.relay_frame(place);
        let name = named_in(&frame, who);
        let name = match self.manners.choice::<RelayAntiPing>(row.id) {
            RelayAntiPing::Off => name,
            _ if !has_unseen => name,
            RelayAntiPing::On => parted(&name, |_| true),
            RelayAntiPing::Auto => parted(&name, |word| self.is_in_channel(&row.name, word)),
        };
        let name = self.as_written(place, &name);
        Prefix::new(&name, &frame, kind == Kind::Action, self.is_prefix_on_all(row.id))
    }

    /// What stands around names in a buffer; what its charset lacks could begin a command.
    fn relay_frame(&self, place: usize) -> Frame {
        let buffer = self.buffers.get(place).row.id;
        let chosen = self.manners.value(&settings::RELAY_FORMAT, Some(buffer)).0;
        let chosen = chosen.filter(|text| self.as_written(place, text) == **text);
        chosen.and_then(Frame::new).unwrap_or_default()
    }

    pub(super) fn is_prefix_on_all(&self, buffer: i64) -> bool {
        self.manners.choice::<RelayPrefix>(buffer) == RelayPrefix::All
    }

    /// Whether the session goes back into a channel that threw it out, since others are heard through it there.
    pub(super) fn is_back_for_others(&self, channel: &str) -> bool {
        let place = self.shared_place(channel).filter(|place| self.relays(*place));
        place.is_some_and(|place| {
            let buffer = self.buffers.get(place).row.id;
            self.manners.choice::<RejoinOnKick>(buffer) == RejoinOnKick::On
        })
    }

    /// Those who are relayed are told why they are not heard for a while.
    pub(super) fn tell_relayed_of_kick(&mut self, channel: &str, by: &str, back_in: Option<Duration>) {
        let place = self.shared_place(channel).filter(|place| self.relays(*place));
        let (Some(place), Some(back_in), Some(link)) = (place, back_in, &self.link) else { return };
        let text = format!(
            "{by} has put {} out of {channel}, through whom people here are heard who have no IRC connection of their own. \
             It tries to go back in {}; what they write until then waits for that.",
            link.session.nick(),
            wording::duration(back_in)
        );
        self.tell_room(place, &text);
    }

    /// Nobody is relayed in a shared room any more, since the session is out of its channel: the room is told.
    pub(super) fn tell_relay_over(&mut self, place: usize) {
        let row = &self.buffers.get(place).row;
        let notice = Bridge::relay_notice(&row.name, &self.network.name, None);
        let row = content::message_row(row.room, self.bridge.client.bot(), notice, None);
        self.incoming.outbox.push(row);
    }

    /// Says what others say in a channel's room from now on, or no longer.
    pub(super) async fn set_relay(&mut self, channel: &Channel, relays: bool) -> Outcome {
        let place = self.shared_place(channel.as_str());
        let Some(place) = place.filter(|&place| self.shared(place).is_some_and(Shared::is_taken)) else {
            return Err(Refusal::asked(format!("{channel} is shown in no room that people share.")));
        };
        let row = &self.buffers.get(place).row;
        let (buffer, room) = (row.id, row.room);
        let other = self.bridge.store.relay_of(room).await?;
        if other.is_some_and(|other| other.session != self.row.id) {
            return Err(Refusal::asked(format!("Another session relays to {channel} already.")));
        }
        // Before anything goes there.
        let nick = self.link.as_ref().map_or("one connection", |link| link.session.nick());
        let nick = relays.then_some(nick);
        let notice = Bridge::relay_notice(channel.as_str(), &self.network.name, nick);
        let bot = self.bridge.client.bot();
        self.incoming.outbox.push(content::message_row(room, bot, notice, None));
        self.commit_incoming().await?;
        self.bridge.wake_delivery(room);
        if !self.bridge.store.set_relays(buffer, relays).await? {
            return Err(Refusal::asked(format!("Another session relays to {channel} already.")));
        }
        self.buffers.get_mut(place).row.part = if relays { Part::Relay } else { Part::Member };
        if let Some(seat) = self.seat(place) {
            seat.sit_for_somebody();
        }
        self.bridge.wake_listener(room);
        let text = if relays {
            format!(
                "What people say in the room of {channel} who have no connection of their own goes there through {}, with \
                 their name before it. The room is told so. To end that, type ",
                self.network.name
            )
        } else {
            let text = format!("Nobody is relayed to {channel} any more. The room is told so.");
            return Ok(RichText::plain(text));
        };
        Ok(RichText::plain(text).code(format!("relay {channel} off")).text("."))
    }
}

#[cfg(test)]
mod tests {
    use super::super::manners::tests::words_of;
    use super::*;
    use crate::clock::{Clock as _, SystemClock};

    fn who(name: &str) -> Relayed {
        Relayed { user_id: format!("@{name}:x"), name: name.to_owned(), ..Relayed::default() }
    }

    #[test]
    fn the_code_knows_the_words_of_each_choice_in_their_order() {
        words_of::<Called>();
        words_of::<RelayPrefix>();
        words_of::<RelayAntiPing>();
        words_of::<RelayNotices>();
    }

    #[test]
    fn what_was_just_said_is_known_again_however_it_looks() {
        let (mut relaying, now) = (Relaying::default(), SystemClock.now());
        relaying.say("<B\u{200b}ob> \x02good\x02  morning", false, now);
        relaying.say("Bob waves", true, now);
        assert!(relaying.repeats("<Bob> good morning", false, now));
        assert!(!relaying.repeats("good morning", false, now));
        assert!(!relaying.repeats("<Bob> good morning", false, now + REPEATED));
        assert!(relaying.repeats("Bob waves", true, now) && !relaying.repeats("Bob waves", false, now));
    }

    #[test]
    fn invariant_9_of_so_many_events_it_is_known_whose_they_are() {
        let (mut relaying, now) = (Relaying::default(), SystemClock.now());
        for number in 0..=MOST_KNOWN {
            relaying.note(&format!("${number}").into(), 1, Box::new(who("carol")));
            relaying.is_news(1, &number.to_string(), now);
            relaying.say(&number.to_string(), false, now);
            relaying.is_to_be_told(&number.to_string());
        }
        assert_eq!((relaying.known.len(), relaying.order.len()), (MOST_KNOWN, MOST_KNOWN));
        assert!(relaying.of("$0").is_none() && relaying.of("$1").is_some());
        assert!(relaying.said.len() == MOST_SAID && relaying.told.len() <= MOST_TOLD);
        assert!(relaying.told_bans.len() <= MOST_TOLD);
    }

    /// Before, an operator could have the administrator called as often as they set a ban.
    #[test]
    fn bans_that_are_set_again_and_again_are_told_of_once_in_a_while_for_each_channel_and_person() {
        let (mut relaying, now) = (Relaying::default(), SystemClock.now());
        let mut tell = |buffer, user_id: &str, at| relaying.is_news(buffer, user_id, at);
        assert!(tell(1, "", now) && !tell(1, "", now + TOLD_AGAIN / 2));
        assert!(tell(2, "", now) && tell(1, "@carol:x", now));
        assert!(tell(1, "", now + TOLD_AGAIN));
    }

    /// Before, a ban in one channel was explained with somebody who is in another's room alone.
    #[test]
    fn who_is_called_something_is_so_in_the_channels_where_they_were_heard() {
        let mut relaying = Relaying::default();
        relaying.note(&"$1".into(), 1, Box::new(who("carol")));
        assert_eq!(relaying.called(1, |name| name == "carol").as_deref(), Some("@carol:x"));
        assert_eq!(relaying.called(2, |name| name == "carol"), None);
    }
}
