//! What was said while the session was away.
//!
//! A channel's gap begins when the session last heard from the server and ends when it is in the channel again. Where
//! nobody kept what was said, one notice in the room says from when to when nothing was seen: a reader knows then that
//! something may be missing, and when to look elsewhere. A gap is in the store until it is told of, so that no crash
//! forgets one. In a shared room it says since when this session has not heard the channel (`bridge/shared/holes.rs`).

use std::time::Duration;

use super::super::content::{self, MessageType};
use super::super::shared::Hole;
use super::{Actor, wording};
use crate::format::RichText;
use crate::store::{BufferKind, StoreError};

/// A line may have been on its way for so long when the last one before it was heard.
const SHORTEST_DOUBT: Duration = Duration::from_secs(2);
/// When nothing else is stored, that the server was heard from is stored so often.
const REMEMBERED: i64 = 60 * 1000;

/// When the session heard from its server.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Last, in milliseconds since 1970.
    at: Option<i64>,
    /// As it is stored.
    stored: Option<i64>,
}

impl Heard {
    /// When the server was heard from last.
    pub(super) fn until(&self) -> Option<i64> {
        self.at
    }

    /// Until when all that was heard is stored.
    pub(super) fn stored(&self) -> Option<i64> {
        self.stored
    }
}

impl Actor {
    /// Something was read.
    pub(super) fn hear(&mut self) {
        let is_known = self.link.as_ref().is_some_and(|link| link.session.registered_at().is_some());
        if is_known && !self.catching_up.looks_for_conversations() {
            self.heard.at = Some(self.bridge.clock.unix_ms());
        }
    }

    /// Stores when the server was heard from with what is stored anyway, and once in a while by itself.
    pub(super) fn note_heard(&mut self) {
        let Some(at) = self.heard.at.filter(|at| self.heard.stored.is_none_or(|stored| stored < *at)) else {
            return;
        };
        let is_old = self.heard.stored.is_none_or(|stored| at - stored >= REMEMBERED);
        if is_old || !self.incoming.is_empty() {
            self.incoming.gaps.seen_at = Some(at);
            self.heard.stored = Some(at);
        }
    }

    /// The server has taken us: from now on it is heard again, so what is missing until now must not be forgotten.
    pub(super) fn keep_gaps(&mut self) {
        let gaps = self.buffers.iter().filter_map(|buffer| Some((buffer.row.id, Some(buffer.gap_from?))));
        self.incoming.gaps.buffers.extend(gaps);
    }

    /// The connection is gone: in the channels that we were in, a gap begins.
    pub(super) fn begin_gaps(&mut self, session: &crate::irc::session::Session) {
        let Some(heard) = self.heard.at else { return };
        self.catching_up.away_from.get_or_insert(heard);
        for buffer in self.buffers.iter_mut() {
            if buffer.row.kind == BufferKind::Channel && session.channel(&buffer.row.name).is_some() {
                buffer.gap_from.get_or_insert(heard);
            }
        }
    }

    /// We are in a channel again.
    pub(super) async fn end_gap(&mut self, place: usize) -> Result<(), StoreError> {
        if self.is_shared(place) {
            // The room is told by who shows the channel (`shared/showing.rs`), and nothing is fetched for it.
            return Ok(());
        }
        let Some(from) = self.buffers.get_mut(place).gap_from.take() else {
            return Ok(());
        };
        if self.catch_up(place, from).await? {
            return Ok(());
        }
        let buffer = self.buffers.get(place).row.id;
        self.incoming.gaps.buffers.push((buffer, None));
        // A bouncer repeats what it kept by itself.
        if !self.link.as_ref().is_some_and(|link| link.session.is_bouncer()) {
            self.tell_gap(place, from, None);
        }
        Ok(())
    }

    /// Says that nothing was seen in a buffer from a time to another, or to now.
    pub(super) fn tell_gap(&mut self, place: usize, from: i64, to: Option<i64>) {
        let lag = self.link.as_ref().and_then(|link| link.session.lag()).unwrap_or_default();
        let doubt = lag.max(SHORTEST_DOUBT).as_millis() as i64;
        let from = from.saturating_sub(doubt);
        let to = to.unwrap_or_else(|| self.bridge.clock.unix_ms()).max(from);
        let text = format!(
            "Nothing was seen here {}: there was no connection to {}.",
            wording::span(from, to),
            self.network.name
        );
        self.tell_hole(place, (from, to), text);
    }

    /// Says that more was heard in a shared room's channel than is kept, while who showed it did not hear it.
    pub(super) fn tell_dropped(&mut self, place: usize, hole: Hole) {
        let to = hole.to.unwrap_or_else(|| self.bridge.clock.unix_ms()).max(hole.from);
        let text = format!(
            "Not all is here that was said {}: the connection to {} that showed it did not hear it, and it was more than \
             another one keeps.",
            wording::span(hole.from, to),
            self.network.name
        );
        self.tell_hole(place, (hole.from, to), text);
    }

    fn tell_hole(&mut self, place: usize, (from, to): (i64, i64), text: String) {
        let mut content = content::message(MessageType::Notice, &RichText::plain(text), None);
        content[content::GAP_KEY] = serde_json::json!({ "from": from, "to": to });
        let buffer = &self.buffers.get(place).row;
        self.incoming.outbox.push(content::message_row(buffer.room, &buffer.creator, content, None));
    }
}
