//! What comes again, told apart from what was said twice.

use std::collections::VecDeque;

use super::super::shown::Line;
use super::{MOMENT, MOST_WAITING};

/// What was repeated just now: lines without an id are told apart by how often they were.
#[derive(Debug, Default)]
pub(super) struct Replay {
    /// The time of the last line: one that is older begins a new replay.
    last: i64,
    /// Time, nick and text of the lines of the last moment.
    recent: VecDeque<(i64, String, String)>,
}

impl Replay {
    /// How many lines like this one came a moment before it.
    pub(super) fn count(&mut self, line: &Line) -> u32 {
        let (Some(time), None) = (line.time, &line.msgid) else { return 0 };
        if time < self.last {
            self.recent.clear();
        }
        self.last = time;
        while self.recent.front().is_some_and(|(earlier, ..)| time - earlier > MOMENT)
            || self.recent.len() >= MOST_WAITING
        {
            self.recent.pop_front();
        }
        let alike =
            self.recent.iter().filter(|(_, nick, text)| *nick == line.from.nick && *text == line.text);
        let count = alike.count();
        self.recent.push_back((time, line.from.nick.clone(), line.text.clone()));
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}
