//! A text as lines that stay together: blank ones stay where they are, and what is cut can be joined again.
//!
//! For networks that take messages of several lines. For others a text falls apart in `split`.

use super::split::{Atom, Limit, atoms};

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

/// Cuts a line into pieces that fit and together are the line: after a space where that is possible, else between
/// graphemes and codes; inside a grapheme only if it alone is too long.
pub fn cut<'t>(line: &'t str, limit: &Limit) -> Vec<&'t str> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while !limit.fits(rest) {
        let (piece, tail) = rest.split_at(end_of_piece(rest, limit));
        pieces.push(piece);
        rest = tail;
    }
    pieces.push(rest);
    pieces
}

fn end_of_piece(text: &str, limit: &Limit) -> usize {
    let (mut any, mut word) = (0, 0);
    for atom in atoms(text) {
        let (Atom::Code(part) | Atom::Grapheme(part)) = atom;
        let end = any + part.len();
        if !limit.fits(&text[..end]) {
            break;
        }
        any = end;
        if part == " " {
            word = end;
        }
    }
    let mut ends = text.char_indices().map(|(start, part)| start + part.len_utf8());
    match (word, any) {
        (word, _) if word > 0 && limit.is_half_full(&text[..word]) => word,
        // The first character goes however little fits, or nothing would.
        (_, 0) => {
            let first = ends.next().unwrap_or_default();
            ends.take_while(|&end| limit.fits(&text[..end])).last().unwrap_or(first)
        }
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
    #[case::before_a_colour("fourteen-bytes\x0304red", &["fourteen-bytes", "\x0304red"])]
    fn a_line_is_cut_after_a_space(#[case] line: &str, #[case] pieces: &[&str]) {
        assert_eq!(cut(line, &Limit::utf_8(16)), pieces);
    }

    proptest! {
        #[test]
        fn pieces_fit_and_are_the_line(text in "\\PC{0,300}", budget in 16_usize..120) {
            let pieces = cut(&text, &Limit::utf_8(budget));
            prop_assert!(pieces.iter().all(|piece| piece.len() <= budget));
            prop_assert_eq!(pieces.concat(), text);
        }
    }
}
