//! Messages of several lines, where the network takes them: as much as it takes at once is one line of the store, one
//! row of the history and one message on IRC.
//!
//! Where the network does not take one after all, its lines go one by one: in the store they take its place in one
//! commit, and in the history, too, which holds what the others saw.

use std::sync::Arc;

use super::Actor;
use super::outbound::LineReference;
use super::speech::{Kind, Payload, pieces_of};
use crate::format::{Limit, Prefix, cut, paragraphs};
use crate::irc::session::{Joins, MessageId, MultilineLimits, Piece};
use crate::store::Unkept;

/// Numbers of lines that each line of a long message may take when it goes in single ones.
pub(super) const PARTS: usize = 15;

/// What one message can say, and the number of its first line.
pub(super) fn messages_of(text: &str, limit: &Limit, limits: MultilineLimits) -> Vec<(i64, String)> {
    let mut messages = Vec::new();
    let (mut whole, mut lines) = (String::new(), 0);
    for line in paragraphs(text) {
        for (place, piece) in cut(&line, limit).into_iter().enumerate() {
            let feed = usize::from(place == 0 && lines > 0);
            if lines > 0 && (lines == limits.lines || whole.len() + feed + piece.len() > limits.bytes) {
                messages.push(std::mem::take(&mut whole));
                lines = 0;
            }
            if place == 0 && lines > 0 {
                whole.push('\n');
            }
            whole.push_str(piece);
            lines += 1;
        }
    }
    messages.push(whole);
    let mut number = 0;
    let mut numbered = Vec::new();
    for text in messages {
        let text = text.trim_matches('\n').to_owned();
        let lines = pieces_of(&text, limit).len();
        if lines > 0 {
            numbered.push((number, text));
            number += (PARTS * lines) as i64;
        }
    }
    numbered
}

/// The lines of one message as they go out; nothing where it does not fit.
fn lines_of_message(text: &str, limit: &Limit, limits: MultilineLimits) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    for line in text.split('\n') {
        for (place, piece) in cut(line, limit).into_iter().enumerate() {
            let joins = if place > 0 { Joins::Yes } else { Joins::No };
            pieces.push(Piece { text: piece.to_owned(), joins });
        }
    }
    (text.len() <= limits.bytes && pieces.len() <= limits.lines).then_some(pieces)
}

/// How a stored line goes out.
pub(super) enum Wire {
    One,
    Several(Vec<Piece>),
    /// It is too long for one message.
    Apart,
}

/// How a line goes out on this connection.
pub(super) fn wire(payload: &Payload, limit: &Limit, limits: Option<MultilineLimits>) -> Wire {
    let is_long = payload.text.contains('\n') || !limit.fits(&payload.text);
    if !is_long {
        return Wire::One;
    }
    limits
        .filter(|_| payload.kind == Kind::Privmsg)
        .and_then(|limits| lines_of_message(&payload.text, limit, limits))
        .map_or_else(|| apart(&payload.text, limit), Wire::Several)
}

/// What can't be cut goes as it is.
fn apart(text: &str, limit: &Limit) -> Wire {
    match &pieces_of(text, limit)[..] {
        [only] if only == text => Wire::One,
        _ => Wire::Apart,
    }
}

impl Actor {
    /// The network does not take a message of several lines.
    pub(super) fn on_multiline_refused(&mut self, message: MessageId, reason: Option<&str>) {
        tracing::debug!(reason, "a message of several lines goes in single ones");
        let Some((line, is_stored)) = self.take_from_flight(message) else { return };
        if let Some(place) = self.buffers.find_id(line.buffer) {
            self.say_apart(place, line, is_stored);
        }
    }

    /// A line that is not on its way any more, and whether it is stored.
    pub(super) fn take_from_flight(&mut self, message: MessageId) -> Option<(LineReference, bool)> {
        let line = self.outbound.in_flight.remove(&message)?;
        let new = self.outbound.new.iter().position(|id| *id == message);
        Some((line, new.map(|at| self.outbound.new.remove(at)).is_none()))
    }

    /// Sends the lines of a message one by one.
    pub(super) fn say_apart(&mut self, place: usize, line: LineReference, is_stored: bool) {
        let Some(link) = &self.link else { return };
        let limit = link.limit(&self.buffers.get(place).row.name, line.payload.kind.into());
        let key = line.key();
        let LineReference { event_id, cause, part, buffer, payload, withdrawn, .. } = line;
        // The history has it as it left; what leaves now stands in its place.
        let whole = Unkept { buffer, event_id: event_id.to_string(), text: payload.text.clone() };
        self.outbound.commit.unkept.push(whole);
        if withdrawn {
            return self.settle_one(place, &cause);
        }
        let pieces = match payload.relayed.as_deref() {
            Some(who) => {
                let is_on_all = self.is_prefix_on_all(buffer) || payload.kind == Kind::Action;
                let prefix = Prefix { text: who.prefix.clone(), is_on_all };
                prefix.put(prefix.cut(who.said(&payload.text), limit))
            }
            None => pieces_of(&payload.text, &limit),
        };
        if is_stored {
            self.outbound.commit.refused.push(key);
        }
        self.add_open(place, &cause, pieces.len());
        for (number, text) in (part + 1..).zip(pieces) {
            let reply = payload.reply.clone().filter(|_| number == part + 1);
            let mut payload = Payload { text, reply, kept: false, ..payload.clone() };
            payload.relayed.iter_mut().for_each(|who| who.nick.clear());
            let (event_id, cause) = (Arc::clone(&event_id), Arc::clone(&cause));
            let line = LineReference {
                event_id,
                cause,
                part: number,
                buffer,
                payload,
                withdrawn: false,
                put_off: false,
            };
            self.queue_line(place, line, false);
        }
        self.settle_one(place, &cause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn limits(bytes: usize, lines: usize) -> MultilineLimits {
        MultilineLimits { bytes, lines }
    }

    #[rstest]
    #[case::all_in_one("a\n\nb", limits(100, 10), &[(0, "a\n\nb")])]
    #[case::more_lines("a\nb\nc\nd\ne", limits(100, 2), &[(0, "a\nb"), (30, "c\nd"), (60, "e")])]
    #[case::more_bytes("aaaa\nbbbb\ncc", limits(8, 10), &[(0, "aaaa"), (15, "bbbb\ncc")])]
    #[case::exactly_so_many_bytes("aaaa\nbbb", limits(8, 10), &[(0, "aaaa\nbbb")])]
    #[case::a_long_line("sixteen letters! and more", limits(100, 10), &[(0, "sixteen letters! and more")])]
    #[case::a_long_line_over_two("sixteen letters! and more", limits(20, 10), &[(0, "sixteen "), (15, "letters! and more")])]
    #[case::a_blank_line_at_the_seam("a\n\nb", limits(100, 2), &[(0, "a"), (15, "b")])]
    fn a_text_is_as_few_messages_as_can_be(
        #[case] text: &str,
        #[case] limits: MultilineLimits,
        #[case] messages: &[(i64, &str)],
    ) {
        let found = messages_of(text, &Limit::utf_8(16), limits);
        let found: Vec<(i64, &str)> = found.iter().map(|(number, text)| (*number, text.as_str())).collect();
        assert_eq!(found, messages);
    }

    #[rstest]
    #[case::short("hi", Kind::Privmsg, Some(limits(100, 10)), "one")]
    #[case::two_lines("hi\nthere", Kind::Privmsg, Some(limits(100, 10)), "hi|there")]
    #[case::long(
        "sixteen letters! and more",
        Kind::Privmsg,
        Some(limits(100, 10)),
        "sixteen +letters! and +more"
    )]
    #[case::blank("a\n\nb", Kind::Privmsg, Some(limits(100, 10)), "a||b")]
    #[case::not_offered("hi\nthere", Kind::Privmsg, None, "apart")]
    #[case::too_many_lines("a\nb\nc", Kind::Privmsg, Some(limits(100, 2)), "apart")]
    #[case::too_many_bytes("a\nb\nc", Kind::Privmsg, Some(limits(4, 10)), "apart")]
    #[case::another_kind("hi there, everybody", Kind::Action, Some(limits(100, 10)), "apart")]
    fn a_message_goes_as_the_connection_allows(
        #[case] text: &str,
        #[case] kind: Kind,
        #[case] limits: Option<MultilineLimits>,
        #[case] lines: &str,
    ) {
        let payload = Payload { kind, text: text.to_owned(), at: 0, kept: false, reply: None, relayed: None };
        let found = match wire(&payload, &Limit::utf_8(16), limits) {
            Wire::One => "one".to_owned(),
            Wire::Apart => "apart".to_owned(),
            Wire::Several(pieces) => pieces.iter().enumerate().fold(String::new(), |text, (place, piece)| {
                let sign = if piece.joins == Joins::Yes { "+" } else { "|" };
                text + if place == 0 { "" } else { sign } + &piece.text
            }),
        };
        assert_eq!(found, lines);
    }
}
