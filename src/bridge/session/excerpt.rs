//! What is too long for IRC: its first lines, and a link to a page with all of it. Where there are no links, a flood of
//! lines asks first.

use std::sync::Arc;

use super::Actor;
use super::attachments::Publishing;
use super::speech::Speech;
use crate::format::visible_irc;
use crate::store::{InboxEvent, PublishedKind};
use crate::web::{self, link};

/// Lines that nobody is asked about.
const FLOOD: usize = 15;

impl Actor {
    /// The first lines of a text and a link to all of it; `None` where there are no links. A service gets what it is told,
    /// and nobody else does.
    pub(super) fn excerpt(
        &mut self,
        place: usize,
        event_id: &Arc<str>,
        speech: &Speech,
        pieces: &[String],
    ) -> Option<String> {
        let bridge = self.bridge.clone();
        let media = bridge.config.media.as_ref()?;
        let row = &self.buffers.get(place).row;
        if self.is_service(&row.name) {
            return None;
        }
        let text = web::Text {
            text: visible_irc(&speech.text),
            who: self.link.as_ref()?.session.nick().to_owned(),
            place: row.name.clone(),
            network: self.network.name.clone(),
            at: bridge.clock.unix_ms(),
        };
        let content = serde_json::to_string(&text).ok()?;
        let shown = (bridge.config.limits.lines as usize).saturating_sub(1).min(pieces.len());
        let publishing = Publishing { kind: PublishedKind::Text, content };
        let id = self.publish(media, place, event_id, publishing)?;
        let url = format!("{}{}", media.base_url, link::page_path(&id));
        let left = pieces.len() - shown;
        let more = if left == 1 { "1 more line".to_owned() } else { format!("{left} more lines") };
        let mut lines = pieces[..shown].to_vec();
        lines.push(format!("… ({more}: {url})"));
        Some(lines.join("\n"))
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
        let speech = Speech { kind: speech.kind, text: speech.text.clone(), reply: None, is_wanted: false };
        self.ask_about_message(place, &cause, about, speech, &what, "send all of them");
        // In the commit that asks: a crash in between would ask twice, and two answers send twice.
        self.incoming.fates.finished.push(stored.seq);
        self.drop_progress(place, &cause);
    }
}
