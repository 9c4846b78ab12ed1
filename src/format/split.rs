//! Text into lines that fit: at words where that is possible, else between graphemes, never inside one.

use unicode_segmentation::UnicodeSegmentation as _;

/// The lines of a text: every kind of line end that some client makes ends one, and what IRC can't carry is dropped.
/// Lines with nothing to see in them are left out.
pub fn lines_of(text: &str) -> impl Iterator<Item = String> {
    text.split(['\n', '\r', '\u{2028}', '\u{2029}', '\u{85}'])
        .map(|line| line.replace('\0', ""))
        .filter(|line| !line.trim().is_empty())
}

/// Splits one line into pieces of at most `budget` bytes.
pub fn split_line(line: &str, budget: usize) -> Vec<&str> {
    let budget = budget.max(16);
    let mut pieces = Vec::new();
    let mut rest = line;
    while rest.len() > budget {
        let cut = cut_at(rest, budget);
        let (piece, tail) = rest.split_at(cut);
        pieces.push(piece.trim_end());
        rest = tail.trim_start();
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(rest);
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Where to cut: after the last word that fits, unless that leaves less than half a line; else between graphemes;
/// inside one only if it alone is too long.
fn cut_at(text: &str, budget: usize) -> usize {
    let mut grapheme_end = 0;
    let mut word_end = 0;
    for (start, grapheme) in text.grapheme_indices(true) {
        let end = start + grapheme.len();
        if end > budget {
            // A space that just doesn't fit ends the piece all the same.
            if start <= budget && grapheme == " " {
                word_end = start;
            }
            break;
        }
        grapheme_end = end;
        if grapheme == " " {
            word_end = start;
        }
    }
    if word_end >= budget / 2 {
        word_end
    } else if grapheme_end > 0 {
        grapheme_end
    } else {
        (1..=budget).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(budget)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case::fits("a short line", 20, &["a short line"])]
    #[case::at_a_word("one two three four five", 16, &["one two three", "four five"])]
    #[case::exactly_at_a_word("sixteen letters! and", 16, &["sixteen letters!", "and"])]
    #[case::one_long_word("abcdefghijklmnopqrstuvwxyz", 16, &["abcdefghijklmnop", "qrstuvwxyz"])]
    #[case::between_letters_of_three_bytes("ああああああああ", 16, &["あああああ", "あああ"])]
    fn a_line_is_split_where_it_hurts_least(
        #[case] line: &str,
        #[case] budget: usize,
        #[case] pieces: &[&str],
    ) {
        assert_eq!(split_line(line, budget), pieces);
    }

    #[test]
    fn every_line_end_ends_a_line_and_empty_ones_are_left_out() {
        let lines: Vec<_> = lines_of("a\r\nb\rc\n\n \nd\u{2028}e\0").collect();
        assert_eq!(lines, ["a", "b", "c", "d", "e"]);
    }

    proptest! {
        #[test]
        fn invariant_3_pieces_fit_and_lose_nothing_but_spaces(text in "\\PC{0,300}", budget in 16_usize..120) {
            let pieces = split_line(&text, budget);
            prop_assert!(pieces.iter().all(|piece| piece.len() <= budget));
            let without_spaces = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(without_spaces(&pieces.concat()), without_spaces(&text));
        }
    }
}
