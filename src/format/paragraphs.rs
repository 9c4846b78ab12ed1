//! A text as lines that stay together: blank ones stay where they are, and what is cut can be joined again.
//!
//! For networks that take messages of several lines. For others a text falls apart in `split`.

use unicode_segmentation::UnicodeSegmentation as _;

/// The lines of a text, without what IRC can't carry. What is blank at the ends is left out, and of blank lines that
/// follow each other all but one.
pub fn paragraphs(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace('\0', "");
    let mut lines: Vec<String> = Vec::new();
    for line in text.split(['\n', '\r', '\u{2028}', '\u{2029}', '\u{85}']) {
        let is_blank = line.trim().is_empty();
        if is_blank && lines.last().is_none_or(String::is_empty) {
            continue;
        }
        lines.push(if is_blank { String::new() } else { line.to_owned() });
    }
    if lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// Cuts a line into pieces of at most `budget` bytes that together are the line: after a space where that is possible,
/// else between graphemes; inside one only if it alone is too long.
pub fn cut(line: &str, budget: usize) -> Vec<&str> {
    let budget = budget.max(16);
    let mut pieces = Vec::new();
    let mut rest = line;
    while rest.len() > budget {
        let (piece, tail) = rest.split_at(end_of_piece(rest, budget));
        pieces.push(piece);
        rest = tail;
    }
    pieces.push(rest);
    pieces
}

fn end_of_piece(text: &str, budget: usize) -> usize {
    let (mut any, mut word) = (0, 0);
    for (start, grapheme) in text.grapheme_indices(true) {
        let end = start + grapheme.len();
        if end > budget {
            break;
        }
        any = end;
        if grapheme == " " {
            word = end;
        }
    }
    match (word, any) {
        (word, _) if word >= budget / 2 => word,
        (_, 0) => (1..=budget).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(budget),
        (_, any) => any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case::one("a", &["a"])]
    #[case::line_ends("a\r\nb\rc\u{2028}d", &["a", "b", "c", "d"])]
    #[case::indentation_stays("a\n  b", &["a", "  b"])]
    #[case::one_blank_line_stays("a\n\n \n\nb", &["a", "", "b"])]
    #[case::none_at_the_ends("\n \na\n\n", &["a"])]
    #[case::nothing(" \n\0", &[])]
    fn a_text_is_lines(#[case] text: &str, #[case] lines: &[&str]) {
        assert_eq!(paragraphs(text), lines);
    }

    #[rstest]
    #[case::fits("a short line", &["a short line"])]
    #[case::after_a_space("sixteen letters! and", &["sixteen ", "letters! and"])]
    #[case::one_long_word("abcdefghijklmnopqrstuvwxyz", &["abcdefghijklmnop", "qrstuvwxyz"])]
    #[case::blank("", &[""])]
    fn a_line_is_cut_after_a_space(#[case] line: &str, #[case] pieces: &[&str]) {
        assert_eq!(cut(line, 16), pieces);
    }

    proptest! {
        #[test]
        fn pieces_fit_and_are_the_line(text in "\\PC{0,300}", budget in 16_usize..120) {
            let pieces = cut(&text, budget);
            prop_assert!(pieces.iter().all(|piece| piece.len() <= budget));
            prop_assert_eq!(pieces.concat(), text);
        }
    }
}
