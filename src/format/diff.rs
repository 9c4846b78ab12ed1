//! Which words of a line have changed: one stretch of them, found from both ends. Where more than a few have, there is
//! no small change to tell.
//!
//! Linear in the length of the lines, so that nobody can make it slow.

/// Words that a small change has on either side, before it is widened.
const MOST_WORDS: usize = 3;
/// Words by which a change may be widened until it is clear which of several equal ones is meant.
const MOST_WIDER: usize = 2;
/// Bytes of a change.
const MOST_BYTES: usize = 80;

/// A small change of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change<'t> {
    /// What stood there; the first of its kind in the line.
    pub(super) from: &'t str,
    /// What stands there now.
    pub(super) to: &'t str,
    /// What stands there now, with words around it where it would say nothing by itself.
    pub(super) widened_to: &'t str,
}

/// What has changed between two lines; nothing where it is not small.
pub(super) fn changed_words<'t>(old: &'t str, new: &'t str) -> Option<Change<'t>> {
    let (old_words, new_words) = (words(old), words(new));
    let same = |(old, new): &(&(usize, &str), &(usize, &str))| old.1 == new.1;
    let head = old_words.iter().zip(&new_words).take_while(same).count();
    let (old_rest, new_rest) = (&old_words[head..], &new_words[head..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(same).count();
    let (gone, come) = (old_rest.len() - tail, new_rest.len() - tail);
    if gone.max(come) > MOST_WORDS || gone + come == 0 || head + tail == 0 {
        return None;
    }
    let is_one_sided = gone == 0 || come == 0;
    // What comes or goes needs a neighbour.
    let mut before = usize::from(is_one_sided && head > 0);
    let after = usize::from(is_one_sided && head == 0);
    let widest = before + MOST_WIDER;
    let from = loop {
        let from = stretch(old, &old_words[head - before..head + gone + after]);
        // The first that looks so is the one that people take it for.
        let start = old_words[head - before].0;
        if old.find(from) == Some(start) {
            break from;
        }
        if before == head || before == widest {
            return None;
        }
        before += 1;
    };
    let to = stretch(new, &new_words[head - before..head + come + after]);
    let neighbours = usize::from(is_one_sided);
    let (first, last) = (head.saturating_sub(neighbours), (head + come + neighbours).min(new_words.len()));
    let widened_to = stretch(new, &new_words[first..last]);
    (from.len().max(to.len()).max(widened_to.len()) <= MOST_BYTES).then_some(Change { from, to, widened_to })
}

/// The words of a line, and where they begin.
fn words(line: &str) -> Vec<(usize, &str)> {
    let mut place = 0;
    let mut words = Vec::new();
    for part in line.split(char::is_whitespace) {
        if !part.is_empty() {
            words.push((place, part));
        }
        let end = place + part.len();
        place = end + line[end..].chars().next().map_or(0, char::len_utf8);
    }
    words
}

/// From the first of these words to the end of the last.
fn stretch<'t>(line: &'t str, words: &[(usize, &str)]) -> &'t str {
    match words {
        [] => "",
        [first, .., last] => &line[first.0..last.0 + last.1.len()],
        [only] => &line[only.0..only.0 + only.1.len()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::replaced("a b c", "a x c", Some(("b", "x", "x")))]
    #[case::inserted("a b c", "a b x c", Some(("b", "b x", "b x c")))]
    #[case::inserted_first("b c", "x b c", Some(("b", "x b", "x b")))]
    #[case::removed("a b x c", "a b c", Some(("b x", "b", "b c")))]
    #[case::removed_first("x b c", "b c", Some(("x b", "b", "b")))]
    #[case::removed_last("a b c x", "a b c", Some(("c x", "c", "c")))]
    #[case::letters_of_four_bytes("a 🦀 c", "a 🐈 c", Some(("🦀", "🐈", "🐈")))]
    #[case::several_spaces("a  b   c", "a  x   c", Some(("b", "x", "x")))]
    #[case::between_wide_spaces("a\u{2003}b\u{2003}c", "a\u{2003}x\u{2003}c", Some(("b", "x", "x")))]
    #[case::the_second_of_two("a b a c", "a b x c", Some(("b a", "b x", "x")))]
    #[case::never_clear("a a a a a a", "a a a a a x", None)]
    #[case::too_many("1 2 3 4 z", "5 6 7 8 z", None)]
    #[case::nothing_stays("a b", "c d", None)]
    #[case::nothing("a b", "a b", None)]
    fn a_small_change_is_one_stretch_of_words(
        #[case] old: &str,
        #[case] new: &str,
        #[case] expected: Option<(&str, &str, &str)>,
    ) {
        let found = changed_words(old, new).map(|change| (change.from, change.to, change.widened_to));
        assert_eq!(found, expected);
    }

    #[test]
    fn long_words_are_no_small_change() {
        let (old, new) = (format!("a {} c", "x".repeat(100)), format!("a {} c", "y".repeat(100)));
        assert_eq!(changed_words(&old, &new), None);
    }
}
