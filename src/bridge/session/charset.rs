//! Charsets: what the user chose for a network, a channel or a query, kept and applied to the connection, and what it
//! makes of their messages.
//!
//! In a room that people share each writes as they chose, and what is read there is read as the configuration says.
//!
//! In which charset a line is read and written is the business of `irc::charset`. The configuration's charset is for
//! reading only: an administrator can't know what the people of a channel read, and UTF-8 is what most of them do. Who
//! knows better says so.
//!
//! A channel's name is kept with its charset when we are in it, so that the next connection asks for the same bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

use encoding_rs::{Encoding, UTF_8};

use super::super::content::{self, MessageType};
use super::super::desk::PREFIX;
use super::super::outcome::{Outcome, Refusal};
use super::Actor;
use super::link::Link;
use crate::format::{Limit, RichText};
use crate::irc::charset::{self, Charset};
use crate::irc::session::MessageKind;
use crate::names::CaseMap;
use crate::store::settings::{self, Scope};
use crate::store::{LineState, Store, StoreError};

/// What a user asks about a charset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CharsetChange {
    /// To see it.
    Show,
    /// This one from now on.
    Set(Charset),
    /// As if nothing had been said.
    Off,
}

/// What was chosen and seen, by the numbers of buffers.
#[derive(Debug, Default)]
pub(super) struct ChosenCharsets {
    network: Option<Charset>,
    targets: HashMap<i64, Charset>,
    /// In which charset a buffer's name came.
    names: HashMap<i64, &'static Encoding>,
}

impl ChosenCharsets {
    pub(super) async fn load(store: &Store, session: i64) -> Result<Self, StoreError> {
        // All were checked before they were stored.
        let network = store.setting(&settings::CHARSET, Scope::Session, session).await?;
        let targets = store.buffer_settings(&settings::CHARSET, session).await?;
        let names = store.buffer_settings(&settings::NAME_CHARSET, session).await?;
        let read = |(buffer, text): (i64, String)| Some((buffer, text.parse::<Charset>().ok()?));
        Ok(Self {
            network: network.and_then(|value| value.text().parse().ok()),
            targets: targets.into_iter().filter_map(read).collect(),
            names: names
                .into_iter()
                .filter_map(read)
                .map(|(buffer, charset)| (buffer, charset.encoding()))
                .collect(),
        })
    }

    /// Whether anything is to be written otherwise than in UTF-8.
    fn writes(&self) -> bool {
        self.network.iter().chain(self.targets.values()).any(|charset| charset.writing() != UTF_8)
    }

    /// By what a buffer, or the network, is read and written.
    fn of(&self, buffer: Option<i64>, fallback: &'static Encoding) -> (&'static Encoding, &'static Encoding) {
        let target = buffer.and_then(|buffer| self.targets.get(&buffer)).copied();
        let chosen = target.into_iter().chain(self.network).map(Charset::encoding);
        let reading = chosen.into_iter().find(|encoding| *encoding != UTF_8).unwrap_or(fallback);
        (reading, target.or(self.network).map_or(UTF_8, Charset::writing))
    }
}

impl Link {
    /// How much of a text fits into one message to this target.
    pub(super) fn limit(&self, target: &str, kind: MessageKind) -> Limit {
        let charsets = self.connection.charsets();
        let bytes = self.session.text_budget(target, kind) + target.len();
        let encoding = charsets.writing(target);
        Limit::new(bytes.saturating_sub(charsets.name_length(target)), move |text| {
            charset::length(encoding, text)
        })
    }

    /// The same for what is said under somebody's name.
    pub(super) fn relay_limit(&self, channel: &str, nick: &str, kind: MessageKind) -> Limit {
        let charsets = self.connection.charsets();
        let bytes = self.session.relay_budget(channel, nick, kind) + channel.len();
        let encoding = charsets.writing(channel);
        Limit::new(bytes.saturating_sub(charsets.name_length(channel)), move |text| {
            charset::length(encoding, text)
        })
    }

    /// What others will read of a text, and how many of its characters become question marks.
    pub(super) fn as_written(&self, target: &str, text: &str) -> (String, usize) {
        let encoding = self.connection.charsets().writing(target);
        if encoding == UTF_8 {
            return (text.to_owned(), 0);
        }
        let (mut written, mut lost) = (String::with_capacity(text.len()), 0);
        let text = text.replace("\r\n", "\n");
        for (place, line) in text.split(['\n', '\r', '\u{2028}', '\u{2029}', '\u{85}']).enumerate() {
            if place > 0 {
                written.push('\n');
            }
            let (line, missing) = charset::as_written(encoding, line);
            written.push_str(&line);
            lost += missing;
        }
        (written, lost)
    }

    /// What a sender is told of characters that their charset lacks, and what to type.
    pub(super) fn lacking(&self, target: &str, lost: usize) -> Option<String> {
        let charset = self.connection.charsets().writing(target).name();
        match lost {
            0 => None,
            1 => Some(format!("one character is not in {charset} and became ?")),
            many => Some(format!("{many} characters are not in {charset} and became ?")),
        }
    }
}

impl Actor {
    /// Has the connection read and write as the user chose. What waits to leave goes as that says, too.
    pub(super) fn apply_charsets(&mut self) {
        let before = self.writing_of_waiting();
        let Some(link) = &mut self.link else { return };
        let chosen = &self.buffers.charsets;
        let mut targets = CaseMap::new(self.buffers.mapping());
        let mut shared = CaseMap::new(self.buffers.mapping());
        let mut names = Vec::new();
        for buffer in self.buffers.iter() {
            if buffer.shared.is_some() {
                shared.insert(&buffer.row.name, ());
            }
            if let Some(charset) = chosen.targets.get(&buffer.row.id) {
                targets.insert(&buffer.row.name, *charset);
            }
            if let Some(encoding) = chosen.names.get(&buffer.row.id) {
                names.push((buffer.row.name.as_str().into(), *encoding));
            }
        }
        let charsets = link.connection.charsets_mut();
        charsets.choose(chosen.network, targets, names);
        charsets.share(shared);
        charsets.set_utf8_only(link.session.isupport().is_utf8_only());
        let after = self.writing_of_waiting();
        for (buffer, _) in before.into_iter().filter(|(buffer, writing)| after.get(buffer) != Some(writing)) {
            self.queue_anew(buffer);
        }
    }

    /// In which charset is written to the buffers that have lines on their way.
    fn writing_of_waiting(&self) -> BTreeMap<i64, &'static Encoding> {
        let Some(link) = &self.link else { return BTreeMap::new() };
        let buffers: BTreeSet<i64> = self.outbound.in_flight.values().map(|line| line.buffer).collect();
        let charsets = link.connection.charsets();
        let name = |buffer| Some(&self.buffers.get(self.buffers.find_id(buffer)?).row.name);
        buffers.into_iter().filter_map(|buffer| Some((buffer, charsets.writing(name(buffer)?)))).collect()
    }

    /// What waits to leave was cut for another charset, and gets its bytes only when it leaves: it waits for its
    /// release again, which cuts it anew.
    fn queue_anew(&mut self, buffer: i64) {
        let Some(place) = self.buffers.find_id(buffer) else { return };
        let Some(link) = &mut self.link else { return };
        let flying = &self.outbound.in_flight;
        let mut ids = link.session.withdraw(|id| flying.get(&id).is_some_and(|line| line.buffer == buffer));
        ids.sort_unstable();
        let name = &self.buffers.get(place).row.name;
        let mut all_lost: Vec<(Arc<str>, usize)> = Vec::new();
        let mut waiting = VecDeque::new();
        for id in ids {
            let Some(line) = self.outbound.in_flight.remove(&id) else { continue };
            if let Some(new) = self.outbound.new.iter().position(|new| *new == id) {
                // Whoever waits for a release is in the store.
                self.outbound.new.remove(new);
                self.outbound.commit.lines.push(line.stored(LineState::Queued));
            }
            let (_, lost) = link.as_written(name, &line.payload.text);
            match all_lost.last_mut() {
                Some((event_id, sum)) if *event_id == line.event_id => *sum += lost,
                _ => all_lost.push((Arc::clone(&line.event_id), lost)),
            }
            waiting.push_back(line);
        }
        if waiting.is_empty() {
            return;
        }
        waiting.extend(self.outbound.resend.remove(&buffer).into_iter().flatten());
        self.outbound.resend.insert(buffer, waiting);
        self.outbound.releasing.insert(buffer);
        for (event_id, lost) in all_lost {
            self.tell_of_lost(place, &event_id, lost);
        }
    }

    /// The server takes nothing but UTF-8 any more, or other charsets again.
    pub(super) fn on_utf8_only_changed(&mut self) {
        self.apply_charsets();
        self.tell_of_utf8_only();
    }

    /// A server that takes nothing but UTF-8 gets nothing else, whatever was chosen.
    pub(super) fn tell_of_utf8_only(&mut self) {
        if self.is_utf8_only() && self.buffers.charsets.writes() {
            let name = &self.network.name;
            self.say(RichText::plain(format!(
                "{name} takes nothing but UTF-8: what you say is written so, also where you chose another charset."
            )));
        }
    }

    fn is_utf8_only(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.session.isupport().is_utf8_only())
    }

    /// Keeps the charset in which a buffer's name came, if that is not the same in all.
    pub(super) async fn keep_name_charset(&mut self, place: usize) -> Result<(), StoreError> {
        let row = &self.buffers.get(place).row;
        let charset =
            self.link.as_ref().and_then(|link| link.connection.charsets().charset_of_name(&row.name));
        let Some(encoding) = charset else { return Ok(()) };
        let buffer = row.id;
        if self.buffers.charsets.names.insert(buffer, encoding) == Some(encoding) {
            return Ok(());
        }
        let store = &self.bridge.store;
        store.set_setting(&settings::NAME_CHARSET, Scope::Buffer, buffer, Some(encoding.name())).await
    }

    /// Tells the sender of a message, under it, what was lost of it.
    pub(super) fn tell_of_lost(&mut self, place: usize, event_id: &str, lost: usize) {
        let row = &self.buffers.get(place).row;
        let Some(link) = &self.link else { return };
        let Some(lacking) = link.lacking(&row.name, lost) else { return };
        let text = RichText::plain(format!("Of your message {lacking}. To write UTF-8 here, type "));
        let text = text.code(format!("{PREFIX} charset utf-8")).text(".");
        let content = content::message(MessageType::Notice, &text, None);
        let content = content::in_reply_to(content, event_id);
        self.incoming.outbox.push(content::message_row(row.room, &row.creator, content, None));
    }

    /// Shows or changes the charset of a buffer, or of the network where none is named.
    pub(super) async fn charset(&mut self, name: Option<&str>, change: CharsetChange) -> Outcome {
        let place = name.map(|name| self.buffers.find(name).ok_or(name)).transpose().map_err(|name| {
            Refusal::asked(format!(
                "{name} is neither a charset that I know nor a conversation of yours on {}.",
                self.network.name
            ))
        })?;
        let buffer = place.map(|place| self.buffers.get(place).row.id);
        let charset = match change {
            CharsetChange::Show => return Ok(self.show_charset(place)),
            CharsetChange::Set(charset) => Some(charset),
            CharsetChange::Off => None,
        };
        let (scope, id) = buffer.map_or((Scope::Session, self.row.id), |buffer| (Scope::Buffer, buffer));
        let value = charset.map(|charset| charset.to_string());
        self.bridge.store.set_setting(&settings::CHARSET, scope, id, value.as_deref()).await?;
        let chosen = &mut self.buffers.charsets;
        match (buffer, charset) {
            (None, charset) => chosen.network = charset,
            (Some(buffer), Some(charset)) => _ = chosen.targets.insert(buffer, charset),
            (Some(buffer), None) => _ = chosen.targets.remove(&buffer),
        }
        self.apply_charsets();
        let text = self.show_charset(place);
        Ok(if buffer.is_none() && self.link.is_some() {
            text.text(" The names that you see already change when you connect anew.")
        } else {
            text
        })
    }

    fn show_charset(&self, place: Option<usize>) -> RichText {
        let chosen = &self.buffers.charsets;
        let row = place.map(|place| &self.buffers.get(place).row);
        let (mut reading, writing) = chosen.of(row.map(|row| row.id), self.network.charset);
        let is_shared = place.is_some_and(|place| self.is_shared(place));
        if is_shared {
            reading = self.network.charset;
        }
        let name = row.map_or(&self.network.name, |row| &row.name);
        let mut text = format!(
            "{name}: {} is written, and what is not UTF-8 is read as {}.",
            writing.name(),
            reading.name()
        );
        if writing != UTF_8 && self.is_utf8_only() {
            let _ = write!(text, " But {} takes nothing but UTF-8, so UTF-8 is written.", self.network.name);
        }
        if is_shared {
            text.push_str(
                " Others read it in that room, too, so that how it is read is for this bridge's administrator to say.",
            );
        }
        let others: Vec<String> = self
            .buffers
            .iter()
            .filter(|_| place.is_none())
            .filter_map(|buffer| {
                Some(format!("{}: {}", buffer.row.name, chosen.targets.get(&buffer.row.id)?))
            })
            .collect();
        if !others.is_empty() {
            let _ = write!(text, " Otherwise in {}.", others.join(", "));
        }
        RichText::plain(text)
    }
}
