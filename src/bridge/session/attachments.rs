//! Files on IRC: a line with the file's name, what it is like and a link to it, and below that what was said to it.
//!
//! The link is minted here and committed no later than its line (`store/published.rs`). Without a base URL, or for a file
//! that can't be handed out, the line says what there is, and its sender is told once why there is no link.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::content::{self, MessageType};
use super::Actor;
use super::speech::Speech;
use crate::config::{History, Media};
use crate::format::{RichText, neutral};
use crate::matrix::event::{Attachment, Message, Shape, Source};
use crate::matrix::media::MediaId;
use crate::store::{NewPublished, PublishedKind};
use crate::web::{self, link};

const DAY: i64 = 24 * 60 * 60 * 1000;
/// Letters of a name on IRC.
const LONGEST_NAME: usize = 80;

/// Whether the log says that files go without links.
#[derive(Debug, Default)]
pub(in crate::bridge) struct NoLinks(AtomicBool);

/// What a link is to lead to.
pub(super) struct Publishing {
    pub(super) kind: PublishedKind,
    /// As JSON.
    pub(super) content: String,
}

/// Whether the user knows that their files go without links.
#[derive(Debug, Default)]
pub(super) struct Hint {
    given: bool,
}

impl Actor {
    /// What a message says on IRC that is said for the first time there, its file included.
    pub(super) fn speech_of(
        &mut self,
        place: usize,
        event_id: &Arc<str>,
        message: &Message,
    ) -> Option<Speech> {
        let mut speech = Speech::of(message, self.in_words_of_irc(place, message))?;
        self.attach(place, event_id, message, &mut speech);
        Some(speech)
    }

    /// Puts the line about a message's file before what it says, and a link to its spoilers behind that.
    pub(super) fn attach(
        &mut self,
        place: usize,
        event_id: &Arc<str>,
        message: &Message,
        speech: &mut Speech,
    ) {
        self.link_spoilers(place, event_id, message, speech);
        let Some(file) = &message.attachment else { return };
        if file.shape == Shape::Sticker {
            // It is its word, and the picture to it.
            if let Some(link) = self.link_to(place, event_id, file) {
                speech.text = format!("{} {link}", speech.text);
            }
            return;
        }
        let mut line = describe(file);
        if let Some(link) = self.link_to(place, event_id, file) {
            line.push(' ');
            line.push_str(&link);
        }
        if !speech.text.trim().is_empty() {
            line.push('\n');
            line.push_str(&speech.text);
        }
        speech.text = line;
    }

    /// A link to a file, which works once this turn is committed.
    fn link_to(&mut self, place: usize, event_id: &Arc<str>, file: &Attachment) -> Option<String> {
        let Source::Plain(source) = &file.source else { return None };
        let bridge = self.bridge.clone();
        let Some(media) = &bridge.config.media else {
            if file.shape != Shape::Sticker {
                self.tell_of_no_links(place, event_id);
            }
            return None;
        };
        MediaId::parse(source)?;
        if file.size.is_some_and(|size| size > media.largest) {
            return None;
        }
        let name = file.name.clone();
        let item = web::Media { source: source.clone(), name, mimetype: file.mimetype.clone() };
        let content = serde_json::to_string(&item).ok()?;
        let publishing = Publishing { kind: PublishedKind::Media, content };
        let id = self.publish(media, place, event_id, publishing)?;
        Some(format!("{}{}", media.base_url, link::media_path(&id, &file.name)))
    }

    /// Publishes something, in the commit of this turn. Nothing where the system has no randomness for its id.
    pub(super) fn publish(
        &mut self,
        media: &Media,
        place: usize,
        event_id: &Arc<str>,
        Publishing { kind, content }: Publishing,
    ) -> Option<String> {
        let id = link::new_id().inspect_err(|error| tracing::error!(%error, "no link is made")).ok()?;
        let expires_at = match media.expire {
            History::Keep => None,
            History::Days(days) => Some(self.bridge.clock.unix_ms() + i64::from(days) * DAY),
        };
        let buffer = self.buffers.get(place).row.id;
        let event_id = event_id.to_string();
        self.incoming.published.push(NewPublished {
            id: id.clone(),
            kind,
            buffer,
            event_id,
            content,
            expires_at,
        });
        Some(id)
    }

    /// An event was taken back, by whom ever that was granted: its links lead nowhere from this commit on.
    pub(super) fn unpublish(&mut self, place: usize, event_id: &str) {
        let buffer = self.buffers.get(place).row.id;
        self.incoming.unpublished.push((buffer, event_id.to_owned()));
    }

    /// What an event said before its edit is to be read nowhere from this commit on. Its file stays: an edit says none
    /// again.
    pub(super) fn end_page(&mut self, place: usize, event_id: &str) {
        let buffer = self.buffers.get(place).row.id;
        self.incoming.edited.push((buffer, event_id.to_owned()));
    }

    /// Tells the user once, and the administrators' log once, why people on IRC get no link.
    fn tell_of_no_links(&mut self, place: usize, event_id: &str) {
        if !self.bridge.no_links.0.swap(true, Ordering::Relaxed) {
            tracing::warn!("files go to IRC without links: set media.base_url for them");
        }
        if std::mem::replace(&mut self.no_links.given, true) {
            return;
        }
        let row = &self.buffers.get(place).row;
        let text = RichText::plain(
            "People on IRC see the names and sizes of your files, and can't open them: this bridge has no address for \
             that. Its administrator can give it one, with ",
        );
        let text = text.code("media.base_url").text(" in the configuration.");
        let content = content::in_reply_to(content::message(MessageType::Notice, &text, None), event_id);
        self.incoming.outbox.push(content::message_row(row.room, &row.creator, content, None));
    }
}

/// A file's name and what it is like.
fn describe(file: &Attachment) -> String {
    let mut facts = Vec::new();
    if let Some((width, height)) = file.extent.filter(|_| file.shape == Shape::Image) {
        facts.push(format!("{width}×{height}"));
    }
    if let Some(duration) = file.duration {
        facts.push(length(duration));
    }
    if let Some(bytes) = file.size {
        facts.push(size(bytes));
    }
    if file.source == Source::Encrypted {
        facts.push("encrypted, so that it can't be shown here".to_owned());
    }
    let name = match file.shape {
        Shape::Voice => "voice message".to_owned(),
        shape => {
            Some(plain(&file.name)).filter(|name| !name.is_empty()).unwrap_or_else(|| what(shape).to_owned())
        }
    };
    if facts.is_empty() { name } else { format!("{name} ({})", facts.join(", ")) }
}

fn what(shape: Shape) -> &'static str {
    match shape {
        Shape::Image => "picture",
        Shape::Video => "video",
        Shape::Audio => "sound",
        Shape::Voice => "voice message",
        Shape::Sticker => "sticker",
        Shape::File => "file",
    }
}

/// A name in one line, without what would act on those who read it.
fn plain(name: &str) -> String {
    let name = neutral(name);
    let words: Vec<&str> = name.split_whitespace().collect();
    let name = words.join(" ");
    if name.chars().count() <= LONGEST_NAME {
        return name;
    }
    name.chars().take(LONGEST_NAME).chain(['…']).collect()
}

/// Bytes as people say them.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")];
    let Some((unit, name)) = UNITS.into_iter().find(|(unit, _)| bytes >= *unit) else {
        return format!("{bytes} bytes");
    };
    let (whole, tenths) = (bytes / unit, bytes % unit * 10 / unit);
    if whole < 10 && tenths > 0 { format!("{whole}.{tenths} {name}") } else { format!("{whole} {name}") }
}

/// Milliseconds as minutes and seconds.
fn length(milliseconds: u64) -> String {
    // What was begun counts: nothing lasts 0:00.
    let seconds = milliseconds.div_ceil(1_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::event::{Content, Event};
    use rstest::rstest;
    use serde_json::{Value, json};

    fn file(content: &Value) -> Attachment {
        let event = json!({ "event_id": "$e", "room_id": "!r", "sender": "@a:x", "type": "m.room.message",
            "content": content });
        match Event::read(&event.to_string()).unwrap().content {
            Content::Message(message) => *message.attachment.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[rstest]
    #[case::picture(json!({"msgtype": "m.image", "body": "photo.jpg",
        "info": {"w": 1280, "h": 720, "size": 245_760}}), "photo.jpg (1280×720, 240 KB)")]
    #[case::film(json!({"msgtype": "m.video", "body": "v.mp4",
        "info": {"w": 1280, "h": 720, "duration": 83_000, "size": 13_000_000}}), "v.mp4 (1:23, 12 MB)")]
    #[case::sound(json!({"msgtype": "m.audio", "body": "song.ogg", "info": {"duration": 3_725_000}}), "song.ogg (1:02:05)")]
    #[case::voice(json!({"msgtype": "m.audio", "body": "Voice message.ogg", "org.matrix.msc3245.voice": {},
        "info": {"duration": 11_200, "size": 34_900}}), "voice message (0:12, 34 KB)")]
    #[case::file(json!({"msgtype": "m.file", "body": "paper.pdf", "info": {"size": 1_600_000}}), "paper.pdf (1.5 MB)")]
    #[case::nothing_told(json!({"msgtype": "m.file", "body": "paper.pdf"}), "paper.pdf")]
    #[case::nothing_at_all(json!({"msgtype": "m.image"}), "picture")]
    #[case::encrypted(json!({"msgtype": "m.file", "body": "a.bin", "file": {}, "info": {"size": 12}}),
        "a.bin (12 bytes, encrypted, so that it can't be shown here)")]
    #[case::a_hostile_name(json!({"msgtype": "m.file", "body": "a\r\nQUIT :\u{3}04b\u{202e}c\0"}), "a QUIT :bc")]
    #[case::a_name_of_nothing(json!({"msgtype": "m.video", "body": "\u{200b}\n"}), "video")]
    fn a_file_is_one_line(#[case] content: Value, #[case] line: &str) {
        assert_eq!(describe(&file(&content)), line);
    }

    #[test]
    fn a_long_name_is_cut() {
        let line = describe(&file(&json!({"msgtype": "m.file", "body": "é".repeat(500)})));
        assert_eq!(line, "é".repeat(80) + "…");
    }

    #[rstest]
    #[case(0, "0 bytes")]
    #[case(1_023, "1023 bytes")]
    #[case(1_024, "1 KB")]
    #[case(1_536, "1.5 KB")]
    #[case(10 * 1_024 + 512, "10 KB")]
    #[case(5 << 30, "5 GB")]
    #[case(u64::MAX, "17179869183 GB")]
    fn sizes_are_said_as_people_do(#[case] bytes: u64, #[case] text: &str) {
        assert_eq!(size(bytes), text);
    }

    #[rstest]
    #[case(0, "0:00")]
    #[case(1, "0:01")]
    #[case(59_999, "1:00")]
    #[case(u64::MAX, "5124095576030:25:52")]
    fn lengths_are_minutes_and_seconds(#[case] milliseconds: u64, #[case] text: &str) {
        assert_eq!(length(milliseconds), text);
    }
}
