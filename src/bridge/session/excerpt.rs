//! What is too long for IRC: its first lines, and a link to a page with all of it. Where there are no links, a flood of
//! lines asks first. What only those are to see who want to, a spoiler, may stand on such a page as well.

use std::sync::Arc;

use super::Actor;
use super::attachments::Publishing;
use super::manners::Choice;
use super::speech::Speech;
use crate::format::visible_irc;
use crate::matrix::event::Message;
use crate::store::settings::{self, Setting};
use crate::store::{InboxEvent, PublishedKind};
use crate::web::{self, link};

/// Lines that nobody is asked about.
const FLOOD: usize = 15;

/// What becomes of a message that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LongTexts {
    Link,
    Ask,
}

impl Choice for LongTexts {
    const SETTING: &'static Setting = &settings::LONG_TEXTS;
    const WORDS: &'static [(&'static str, Self)] = &[("link", Self::Link), ("ask", Self::Ask)];
}

impl Actor {
    /// The first lines of a text and a link to all of it; `None` where there are no links, or its sender wants none. A
    /// service gets what it is told, and nobody else does.
    pub(super) fn excerpt(
        &mut self,
        place: usize,
        event_id: &Arc<str>,
        speech: &Speech,
        pieces: &[String],
    ) -> Option<String> {
        let row = &self.buffers.get(place).row;
        if self.is_service(&row.name) || self.manners.choice::<LongTexts>(row.id) == LongTexts::Ask {
            return None;
        }
        let url = self.page(place, event_id, visible_irc(&speech.text))?;
        let shown = self.most_lines(place).saturating_sub(1).min(pieces.len());
        let left = pieces.len() - shown;
        let more = if left == 1 { "1 more line".to_owned() } else { format!("{left} more lines") };
        let mut lines = pieces[..shown].to_vec();
        lines.push(format!("… ({more}: {url})"));
        Some(lines.join("\n"))
    }

    /// So many lines one message may become here.
    pub(super) fn most_lines(&self, place: usize) -> usize {
        self.manners.number(&settings::LINES, self.buffers.get(place).row.id) as usize
    }

    /// Where a message has spoilers that are left out, says where all of it can be read.
    pub(super) fn link_spoilers(
        &mut self,
        place: usize,
        event_id: &Arc<str>,
        message: &Message,
        speech: &mut Speech,
    ) {
        let Some(whole) = self.with_spoilers(place, message) else { return };
        if let Some(url) = self.page(place, event_id, whole) {
            speech.text.push(' ');
            speech.text.push_str(&url);
        }
    }

    /// The address of a page with this text; `None` where there are no links.
    fn page(&mut self, place: usize, event_id: &Arc<str>, text: String) -> Option<String> {
        let bridge = self.bridge.clone();
        let media = bridge.config.media.as_ref()?;
        let text = web::Text {
            text,
            who: match self.outbound.relaying.of(event_id) {
                Some(who) => who.name.clone(),
                None => self.link.as_ref()?.session.nick().to_owned(),
            },
            place: self.buffers.get(place).row.name.clone(),
            network: self.network.name.clone(),
            at: bridge.clock.unix_ms(),
        };
        let content = serde_json::to_string(&text).ok()?;
        let id = self.publish(media, place, event_id, Publishing { kind: PublishedKind::Text, content })?;
        Some(format!("{}{}", media.base_url, link::page_path(&id)))
    }

    /// Whether so many lines need a word from their sender first.
    pub(super) fn is_flood(&self, place: usize, speech: &Speech, lines: usize) -> bool {
        lines > FLOOD && !speech.is_wanted && !self.is_service(&self.buffers.get(place).row.name)
    }

    /// Asks before a flood of lines.
    pub(super) fn ask_about_flood(
        &mut self,
        place: usize,
        stored: &InboxEvent,
        about: &Arc<str>,
        speech: &Speech,
        lines: usize,
    ) {
        let (buffer, cause) = (self.buffers.get(place).row.id, stored.event_id.as_str().into());
        self.set_progress(buffer, &cause, about, 0);
        let what = format!("was not sent: it would be {lines} lines on IRC.");
        let speech = Speech {
            kind: speech.kind,
            text: speech.text.clone(),
            reply: speech.reply.clone(),
            is_wanted: false,
            relayed: speech.relayed.clone(),
        };
        self.ask_about_message(place, &cause, about, speech, &what, "send all of them");
        // In the commit that asks: a crash in between would ask twice, and two answers send twice.
        self.incoming.fates.finished.push(stored.seq);
        self.drop_progress(place, &cause);
    }
}
