//! What happens among a channel's people, told in its room as routine: who is kicked, what modes are set, and where the
//! user wants it also who comes and goes.
//!
//! What a room's own membership shows already is not told again: whoever spoke has a ghost, which leaves with the
//! reason. Several pieces of news within a few seconds are one notice, unless something is said between them: it stands
//! behind what was before it. A netsplit is no news here: [`netsplit`](super::netsplit) tells of it.
//!
//! Invariants 7 (time is passed in), 9 (so much is remembered of a channel, [`MOST`]). The history has all of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Actor;
use super::choices::Forward;
use super::manners::{ChannelNews, Comings, Telling};
use crate::format::{RichText, strip_irc};

/// Nothing more has happened for so long: that was it.
const QUIET: Duration = Duration::from_secs(2);
/// What goes on is told of all the same.
const LONGEST: Duration = Duration::from_secs(10);
/// More is only counted.
const MOST: usize = 100;
/// So many are named together.
const MOST_NAMED: usize = 8;
/// So many lines of a notice.
const MOST_LINES: usize = 8;

/// Something that happened in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Modes { by: String, changes: String },
    Kick { by: String, nick: String, reason: String },
    Came { nick: String },
    Left { nick: String, reason: String },
    Renamed { from: String, to: String },
}

impl Piece {
    /// What stands first in a line; pieces of one kind with the same are one line.
    fn subject(&self) -> Option<&str> {
        match self {
            Self::Modes { by, .. } | Self::Kick { by, .. } => Some(by),
            Self::Came { .. } | Self::Left { .. } | Self::Renamed { .. } => None,
        }
    }

    fn goes_with(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other) && self.subject() == other.subject()
    }

    /// What it adds to a line.
    fn part(&self) -> String {
        match self {
            Self::Modes { changes, .. } => strip_irc(changes),
            Self::Kick { nick, reason, .. } | Self::Left { nick, reason } => {
                let reason = strip_irc(reason);
                if reason.is_empty() { nick.clone() } else { format!("{nick} ({reason})") }
            }
            Self::Came { nick } => nick.clone(),
            Self::Renamed { from, to } => format!("{from} is now known as {to}"),
        }
    }
}

/// Pieces of news as the lines of one notice.
fn in_words(pieces: &[Piece], uncounted: usize) -> String {
    let groups: Vec<&[Piece]> = pieces.chunk_by(Piece::goes_with).collect();
    let mut lines: Vec<String> = groups.iter().take(MOST_LINES).map(|group| line(group)).collect();
    let untold = groups.iter().skip(MOST_LINES).map(|group| group.len()).sum::<usize>() + uncounted;
    if untold > 0 {
        lines.push(format!("And {untold} more changes."));
    }
    lines.join("\n")
}

fn line(group: &[Piece]) -> String {
    let parts: Vec<String> = group.iter().take(MOST_NAMED).map(Piece::part).collect();
    let parts = match (group.len() - parts.len(), parts.split_last()) {
        (0, Some((last, first))) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        (0, _) => parts.concat(),
        (more, _) => format!("{} and {more} more", parts.join(", ")),
    };
    match &group[0] {
        Piece::Modes { by, .. } => format!("{by} sets {parts}"),
        Piece::Kick { by, .. } => format!("{by} kicked out {parts}"),
        Piece::Came { .. } => format!("{parts} came in"),
        Piece::Left { .. } => format!("{parts} left"),
        Piece::Renamed { .. } => parts,
    }
}

/// What happened in a channel and is not told yet.
#[derive(Debug)]
struct Pending {
    pieces: Vec<Piece>,
    uncounted: usize,
    first: Instant,
    last: Instant,
}

impl Pending {
    fn told_at(&self) -> Instant {
        (self.last + QUIET).min(self.first + LONGEST)
    }
}

/// All that is not told yet, by buffer.
#[derive(Debug, Default)]
pub(super) struct News(BTreeMap<i64, Pending>);

impl News {
    fn add(&mut self, buffer: i64, piece: Piece, now: Instant) {
        let new = || Pending { pieces: Vec::new(), uncounted: 0, first: now, last: now };
        let pending = self.0.entry(buffer).or_insert_with(new);
        pending.last = now;
        if pending.pieces.len() < MOST {
            pending.pieces.push(piece);
        } else {
            pending.uncounted += 1;
        }
    }

    fn take(&mut self, buffer: i64) -> Option<String> {
        let pending = self.0.remove(&buffer)?;
        Some(in_words(&pending.pieces, pending.uncounted))
    }

    /// The buffers about which something is due.
    fn due(&self, now: Instant) -> Vec<i64> {
        self.0.iter().filter(|(_, pending)| pending.told_at() <= now).map(|(buffer, _)| *buffer).collect()
    }

    /// When there is something to tell.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.values().map(Pending::told_at).min()
    }
}

impl Actor {
    /// Modes were set in a channel.
    pub(super) fn on_modes(&mut self, channel: &str, by: &str, changes: &str) {
        self.note_lists(channel, changes);
        self.note_ranks_in(channel);
        if let Some(place) = self.shared_place(channel) {
            self.know_modes(place);
            self.note_bans(place, by, changes);
        }
        let piece = Piece::Modes { by: by.to_owned(), changes: changes.to_owned() };
        if self.buffers.find(channel).is_none() {
            return self.tell_channel(channel, &line(&[piece]));
        }
        self.on_channel_news(channel, piece);
    }

    /// Something happened in a channel that is told where nothing else is wanted.
    pub(super) fn on_channel_news(&mut self, channel: &str, piece: Piece) {
        let Some(place) = self.buffers.find(channel) else { return };
        let telling = self.room_choice::<ChannelNews>(place).0;
        self.note_news(place, piece, telling);
    }

    /// Somebody came into a channel.
    pub(super) fn on_came(&mut self, channel: &str, nick: String) {
        if let Some(place) = self.buffers.find(channel) {
            self.usher_in(place);
        }
        self.on_coming(channel, Piece::Came { nick });
    }

    /// Somebody came, went or has another nick, which is told where it is wanted; where all of a channel's people are
    /// in its room, that shows it.
    pub(super) fn on_coming(&mut self, channel: &str, piece: Piece) {
        let Some(place) = self.buffers.find(channel) else { return };
        if self.brings_everybody(place) {
            return;
        }
        let telling = self.room_choice::<Comings>(place).0;
        self.note_news(place, piece, telling);
    }

    fn note_news(&mut self, place: usize, piece: Piece, telling: Telling) {
        if !self.shows(place) {
            return;
        }
        let buffer = self.buffers.get(place).row.id;
        match telling {
            Telling::Hide => {}
            Telling::Show => {
                self.tell_news(place);
                self.tell_piece(place, &line(&[piece]));
            }
            Telling::Fold => self.news.add(buffer, piece, self.bridge.clock.now()),
        }
    }

    /// Tells what has happened in a channel, before something else is told there.
    pub(super) fn tell_news(&mut self, place: usize) {
        let buffer = self.buffers.get(place).row.id;
        if let Some(text) = self.news.take(buffer) {
            self.tell_piece(place, &text);
        }
    }

    /// Tells a piece of news where the user wants to have it.
    fn tell_piece(&mut self, place: usize, text: &str) {
        let row = &self.buffers.get(place).row;
        if self.is_shared(place) {
            return self.tell_room(place, text);
        }
        match self.manners.choice::<Forward>(row.id) {
            Forward::Off => self.tell_buffer(place, text),
            Forward::On => self.say(RichText::new().bold(&row.name).text(format!(": {text}"))),
        }
    }

    /// Tells what is due.
    pub(super) fn tick_news(&mut self) {
        for buffer in self.news.due(self.now()) {
            self.tell_news_of(buffer);
        }
    }

    /// Tells all that is not told yet: the connection ends.
    pub(super) fn tell_all_news(&mut self) {
        let buffers: Vec<i64> = self.news.0.keys().copied().collect();
        for buffer in buffers {
            self.tell_news_of(buffer);
        }
    }

    fn tell_news_of(&mut self, buffer: i64) {
        match self.buffers.find_id(buffer) {
            Some(place) => self.tell_news(place),
            None => _ = self.news.take(buffer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn modes(by: &str, changes: &str) -> Piece {
        Piece::Modes { by: by.into(), changes: changes.into() }
    }

    fn kick(nick: &str, reason: &str) -> Piece {
        Piece::Kick { by: "bob".into(), nick: nick.into(), reason: reason.into() }
    }

    fn came(nick: &str) -> Piece {
        Piece::Came { nick: nick.into() }
    }

    fn left(nick: &str, reason: &str) -> Piece {
        Piece::Left { nick: nick.into(), reason: reason.into() }
    }

    #[rstest]
    #[case::one_mode(vec![modes("bob", "+o alice")], "bob sets +o alice")]
    #[case::modes_of_one(vec![modes("bob", "+o alice"), modes("bob", "+v carol"), modes("bob", "+m")],
        "bob sets +o alice, +v carol and +m")]
    #[case::modes_of_two(vec![modes("bob", "+o alice"), modes("alice", "+v carol")],
        "bob sets +o alice\nalice sets +v carol")]
    #[case::a_ban_and_a_kick(vec![modes("bob", "+b *!*@spam"), kick("eve", "\x02spam\x02")],
        "bob sets +b *!*@spam\nbob kicked out eve (spam)")]
    #[case::kicks(vec![kick("eve", ""), kick("mallory", "no")], "bob kicked out eve and mallory (no)")]
    #[case::comings(vec![came("a"), came("b"), left("a", "bye"), left("b", "")],
        "a and b came in\na (bye) and b left")]
    #[case::many(vec![came("x"); 20], "x, x, x, x, x, x, x, x and 12 more came in")]
    #[case::another_nick(vec![Piece::Renamed { from: "a".into(), to: "b".into() }], "a is now known as b")]
    fn several_pieces_of_news_are_few_lines(#[case] pieces: Vec<Piece>, #[case] text: &str) {
        assert_eq!(in_words(&pieces, 0), text);
    }

    #[test]
    fn invariant_9_a_storm_of_news_is_a_few_lines_and_a_count() {
        let mut news = News::default();
        let now = now();
        for number in 0..1_000 {
            news.add(1, modes(&format!("op{number}"), "+m"), now);
        }
        let text = news.take(1).unwrap();
        assert_eq!(text.lines().count(), MOST_LINES + 1);
        assert!(text.ends_with("And 992 more changes."), "{text}");
        assert_eq!(news.take(1), None);
    }

    #[test]
    fn news_is_told_when_nothing_more_happens_or_it_has_waited_long_enough() {
        let mut news = News::default();
        let now = now();
        news.add(1, came("a"), now);
        assert_eq!(news.deadline(), Some(now + QUIET));
        for second in 1..9 {
            news.add(1, came("b"), now + Duration::from_secs(second));
            assert!(news.due(now + Duration::from_secs(second)).is_empty());
        }
        news.add(1, came("c"), now + Duration::from_secs(9));
        assert_eq!(news.deadline(), Some(now + LONGEST));
        assert_eq!(news.due(now + LONGEST), [1]);
    }

    #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
    fn now() -> Instant {
        Instant::now()
    }
}
