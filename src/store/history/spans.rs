//! Spans of time, for an index that finds in no order (PostgreSQL's GIN). Each line is marked with its session's (or its
//! channel's) hour, two days and two months, and lines are looked for in one range of such spans after the other: the last hour, the rest of
//! its two days, the rest of their two months, and the two months before that one by one. So a few looks reach back for
//! years. Where a range holds too many lines to put in order, it is divided.

use super::words::{Keeping, TIMES};

/// By how many bits a span is shorter than the next longer one.
const FINER: u32 = 5;

/// Neighbouring spans of one length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spans {
    /// Which length.
    level: usize,
    from: i64,
    /// The first that does not belong to them.
    to: i64,
}

impl Spans {
    /// Everything from the oldest number to the newest, oldest first: ranges that are shorter the newer they are, and
    /// none longer than one of the longest spans.
    pub(super) fn back(newest: i64, oldest: i64) -> Vec<Self> {
        let last = newest >> TIMES[0].1;
        let mut all = vec![Self { level: 0, from: last, to: last + 1 }];
        let mut to = last;
        for (level, (_, shift)) in TIMES.into_iter().enumerate() {
            // What is left of the next longer span that the range before was in; of the longest, everything.
            let begin = if level + 1 < TIMES.len() { (to >> FINER) << FINER } else { oldest >> shift };
            let from = begin.max(oldest >> shift);
            if level + 1 < TIMES.len() {
                all.extend((from < to).then_some(Self { level, from, to }));
            } else {
                all.extend((from..to).rev().map(|span| Self { level, from: span, to: span + 1 }));
            }
            to >>= FINER;
        }
        all.reverse();
        all
    }

    /// The marks of the lines within that these keep.
    pub(super) fn marks(self, keeping: &[Keeping]) -> Vec<String> {
        let (name, _) = TIMES[self.level];
        let marks =
            |one: &Keeping| (self.from..self.to).map(|span| one.mark_of_span(name, span)).collect::<Vec<_>>();
        keeping.iter().flat_map(marks).collect()
    }

    /// The newer half and the older; `None` where there is nothing to divide.
    pub(super) fn halves(self) -> Option<(Self, Self)> {
        let Self { level, from, to } = self;
        let (level, from, to) = match to - from {
            1 if level == 0 => return None,
            1 => (level - 1, from << FINER, to << FINER),
            _ => (level, from, to),
        };
        let middle = i64::midpoint(from, to);
        Some((Self { level, from: middle, to }, Self { level, from, to: middle }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers within.
    fn numbers(spans: Spans) -> (i64, i64) {
        let (_, shift) = TIMES[spans.level];
        (spans.from << shift, spans.to << shift)
    }

    #[test]
    fn ranges_back_in_time_cover_everything_once() {
        let (newest, oldest) = (1_700_000_000_000 << 4, 1_200_000_000_000 << 4);
        let all = Spans::back(newest, oldest);
        assert!(all.len() < 130 && all.iter().all(|spans| spans.to - spans.from <= 32), "{all:?}");
        let covered: Vec<(i64, i64)> = all.iter().map(|spans| numbers(*spans)).collect();
        assert!(covered[0].0 <= oldest && newest < covered.last().unwrap().1);
        assert!(covered.windows(2).all(|pair| pair[0].1 == pair[1].0), "{covered:?}");
        assert_eq!(Spans::back(5, 5), [Spans { level: 0, from: 0, to: 1 }]);
    }

    #[test]
    fn a_range_is_divided_down_to_one_of_the_shortest() {
        let mut spans = Spans { level: 2, from: 7, to: 12 };
        let mut divided = 0;
        while let Some((newer, older)) = spans.halves() {
            let (whole, newer, older) = (numbers(spans), numbers(newer), numbers(older));
            assert_eq!((older.0, older.1, newer.1), (whole.0, newer.0, whole.1));
            assert!(older.0 < older.1 && newer.0 < newer.1);
            spans = spans.halves().unwrap().0;
            divided += 1;
        }
        assert_eq!((spans.level, spans.to - spans.from), (0, 1));
        assert!(divided < 20);
    }

    #[test]
    fn marks_are_those_of_the_lines_within() {
        let marks = Spans { level: 1, from: 3, to: 5 }.marks(&[Keeping::Session(7), Keeping::Channel(8)]);
        assert_eq!(marks, ["_s7d3", "_s7d4", "_c8d3", "_c8d4"]);
    }
}
