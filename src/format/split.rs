//! Text into lines that fit: at words where that is possible, else between graphemes, never inside one.
//!
//! A line that is cut goes on as it looked: the codes that are in force at the cut stand again at the beginning of what
//! follows, and count there. Nothing is closed, since the end of a line closes all. No cut lies in a code.

use unicode_segmentation::UnicodeSegmentation as _;

use super::look::{Look, code_length};

/// How much fits into a line, as its bytes are counted where it goes.
pub struct Limit {
    bytes: usize,
    count: Box<dyn Fn(&str) -> usize + Send + Sync>,
}

/// No line is cut shorter than this, however little fits.
const SHORTEST: usize = 16;

impl Limit {
    /// So many bytes, counted by `count`: never fewer for a longer text.
    pub fn new(bytes: usize, count: impl Fn(&str) -> usize + Send + Sync + 'static) -> Self {
        Self { bytes: bytes.max(SHORTEST), count: Box::new(count) }
    }

    /// So many bytes of UTF-8.
    pub fn utf_8(bytes: usize) -> Self {
        Self::new(bytes, str::len)
    }

    /// What is left behind this.
    #[must_use]
    pub fn behind(self, text: &str) -> Self {
        let taken = (self.count)(text);
        Self { bytes: self.bytes.saturating_sub(taken).max(SHORTEST), ..self }
    }

    /// Whether a text fits.
    pub fn fits(&self, text: &str) -> bool {
        (self.count)(text) <= self.bytes
    }

    /// Whether a text is so long that a piece may well end behind it.
    pub(super) fn is_half_full(&self, text: &str) -> bool {
        (self.count)(text) >= self.bytes / 2
    }
}

/// The lines of a text: every kind of line end that some client makes ends one, and what IRC can't carry is dropped.
/// Lines with nothing to see in them are left out.
pub fn lines_of(text: &str) -> impl Iterator<Item = String> {
    text.split(['\n', '\r', '\u{2028}', '\u{2029}', '\u{85}'])
        .map(|line| line.replace('\0', ""))
        .filter(|line| !line.trim().is_empty())
}

/// Splits one line into pieces that fit. What fits stays as it is.
pub fn split_line(line: &str, limit: &Limit) -> Vec<String> {
    if limit.fits(line) {
        return if line.is_empty() { Vec::new() } else { vec![line.to_owned()] };
    }
    let cells = cells_of(line, limit);
    let mut pieces = Vec::new();
    let mut rest = &cells[..];
    while let Some((piece, taken)) = next_piece(rest, limit) {
        rest = &rest[taken..];
        if !piece.is_empty() {
            pieces.push(piece);
        }
    }
    pieces
}

/// What a reader sees as one character, and how it looks.
struct Cell<'t> {
    text: &'t str,
    look: Look,
}

impl Cell<'_> {
    fn is_blank(&self) -> bool {
        self.text.chars().all(char::is_whitespace)
    }
}

fn cells_of<'t>(line: &'t str, limit: &Limit) -> Vec<Cell<'t>> {
    let mut cells = Vec::new();
    let mut look = Look::default();
    for atom in atoms(line) {
        match atom {
            Atom::Code(code) => _ = look.read(code),
            Atom::Grapheme(text) if limit.fits(text) => cells.push(Cell { text, look }),
            // A letter with a line's worth of accents is no character to anybody.
            Atom::Grapheme(text) => {
                let parts = text.char_indices().map(|(at, part)| &text[at..at + part.len_utf8()]);
                cells.extend(parts.map(|text| Cell { text, look }));
            }
        }
    }
    cells
}

/// What no cut may divide.
pub(super) enum Atom<'t> {
    /// A formatting code with its digits.
    Code(&'t str),
    /// A character with what belongs to it.
    Grapheme(&'t str),
}

pub(super) fn atoms(line: &str) -> impl Iterator<Item = Atom<'_>> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let code = code_length(rest);
        let length = if code > 0 { code } else { rest.graphemes(true).next()?.len() };
        let (atom, after) = rest.split_at(length);
        rest = after;
        Some(if code > 0 { Atom::Code(atom) } else { Atom::Grapheme(atom) })
    })
}

/// The next piece, and how many cells it takes with the spaces around it; nothing where only spaces are left.
fn next_piece(cells: &[Cell<'_>], limit: &Limit) -> Option<(String, usize)> {
    let skipped = cells.iter().position(|cell| !cell.is_blank())?;
    let mut piece = String::new();
    let mut look = Look::default();
    // After so many cells, and with so many bytes: the whole piece without the spaces at its end, and its last word's end.
    let (mut end, mut word) = ((0, 0), None);
    for (place, cell) in cells.iter().enumerate().skip(skipped) {
        let before = piece.len();
        if cell.text == " " {
            word = Some(end);
        }
        look.write_change(cell.look, cell.text, &mut piece);
        piece.push_str(cell.text);
        if !limit.fits(&piece) {
            piece.truncate(before);
            return Some(cut(piece, end, word, (cells, skipped), limit));
        }
        look = cell.look;
        if !cell.is_blank() {
            end = (place + 1, piece.len());
        }
    }
    piece.truncate(end.1);
    Some((piece, cells.len()))
}

/// Cuts what fits: after its last word, unless that leaves less than half a line.
fn cut(
    mut piece: String,
    end: (usize, usize),
    word: Option<(usize, usize)>,
    (cells, first): (&[Cell<'_>], usize),
    limit: &Limit,
) -> (String, usize) {
    let word = word.filter(|(_, bytes)| *bytes > 0 && limit.is_half_full(&piece[..*bytes]));
    let (taken, bytes) = word.unwrap_or(end);
    if bytes == 0 {
        // There is no room for its codes besides.
        return (cells[first].text.to_owned(), first + 1);
    }
    piece.truncate(bytes);
    (piece, taken)
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
    #[case::accents_stay_with_their_letter("aaaaaaaaaaaaaae\u{301}e\u{301}", 16, &["aaaaaaaaaaaaaa", "e\u{301}e\u{301}"])]
    #[case::a_family_stays_together("aaaaaaaa👩\u{200d}👧b", 17, &["aaaaaaaa", "👩\u{200d}👧b"])]
    #[case::bold_goes_on("\x02one two three four five", 16, &["\x02one two three", "\x02four five"])]
    #[case::what_has_ended_does_not("\x02one\x02 two three four", 16, &["\x02one\x0f two three", "four"])]
    #[case::colours_go_on("\x034,1one two fourteen", 18, &["\x0304,01one two", "\x0304,01fourteen"])]
    #[case::a_colour_before_a_digit("\x034one two three 44 five", 17, &["\x0304one two three", "\x030444 five"])]
    #[case::a_colour_before_a_comma("\x034one two three ,4 five", 18, &["\x0304one two three", "\x0304\x02\x02,4 five"])]
    #[case::no_cut_in_a_code("one-two-three\x0304,12four five", 16, &["one-two-three", "\x0304,12four five"])]
    #[case::hexadecimal_goes_on("\x04ff8000one two three", 16, &["\x04ff8000one two", "\x04ff8000three"])]
    #[case::all_at_once("\x02\x1d\x1f\x1e\x11\x16a b c d e f g h i", 20,
        &["\x02\x1d\x1f\x1e\x11\x16a b c d e f g", "\x02\x1d\x1f\x1e\x11\x16h i"])]
    #[case::codes_without_text("aaaaaaaaaaaaaaaa\x02\x02\x0f", 16, &["aaaaaaaaaaaaaaaa"])]
    fn a_line_is_split_where_it_hurts_least(
        #[case] line: &str,
        #[case] bytes: usize,
        #[case] pieces: &[&str],
    ) {
        assert_eq!(split_line(line, &Limit::utf_8(bytes)), pieces);
    }

    #[test]
    fn what_a_charset_makes_of_a_letter_counts() {
        let one_for_each = Limit::new(16, |text| text.chars().count());
        assert_eq!(split_line("раз два три четыре", &one_for_each), ["раз два три", "четыре"]);
        assert_eq!(split_line("раз два три", &one_for_each), ["раз два три"]);
        assert_eq!(split_line("раз два три", &Limit::utf_8(16)), ["раз два", "три"]);
    }

    #[test]
    fn a_letter_with_a_lines_worth_of_accents_is_split_between_them() {
        let line = "e".to_owned() + &"\u{301}".repeat(20);
        let pieces = split_line(&line, &Limit::utf_8(16));
        assert_eq!((pieces.concat(), pieces.len()), (line, 3));
    }

    #[test]
    fn every_line_end_ends_a_line_and_empty_ones_are_left_out() {
        let lines: Vec<_> = lines_of("a\r\nb\rc\n\n \nd\u{2028}e\0").collect();
        assert_eq!(lines, ["a", "b", "c", "d", "e"]);
    }

    /// The characters that are no space, and how each looks.
    fn seen(lines: &[String]) -> Vec<(char, Look)> {
        let mut seen = Vec::new();
        for line in lines {
            let mut look = Look::default();
            for atom in atoms(line) {
                match atom {
                    Atom::Code(code) => _ = look.read(code),
                    Atom::Grapheme(text) => seen.extend(text.chars().map(|c| (c, look))),
                }
            }
        }
        seen.retain(|(c, _)| !c.is_whitespace());
        seen
    }

    proptest! {
        #[test]
        fn invariant_3_pieces_fit_and_lose_nothing_but_spaces(text in "\\PC{0,300}", bytes in 16_usize..120) {
            let pieces = split_line(&text, &Limit::utf_8(bytes));
            prop_assert!(pieces.iter().all(|piece| piece.len() <= bytes));
            let without_spaces = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(without_spaces(&pieces.concat()), without_spaces(&text));
        }

        #[test]
        fn every_character_looks_as_before_the_cut(
            text in "([a-z0-9, é]{1,6}|👩\u{200d}👧|e\u{301}|[\x02\x1d\x1f\x1e\x11\x16\x0f]|\x03[0-9]{0,2}(,[0-9]{1,2})?|\x04[0-9a-f]{6}(,[0-9a-f]{6})?){0,60}",
            bytes in 64_usize..120,
        ) {
            let pieces = split_line(&text, &Limit::utf_8(bytes));
            prop_assert!(pieces.iter().all(|piece| piece.len() <= bytes), "{pieces:?}");
            prop_assert_eq!(seen(&pieces), seen(&[text]));
        }

        #[test]
        fn no_code_keeps_a_line_from_fitting(text in "[\x02\x03\x04\x0f\x1d0-9a-f, é]{0,120}", bytes in 16_usize..40) {
            let pieces = split_line(&text, &Limit::utf_8(bytes));
            prop_assert!(pieces.iter().all(|piece| piece.len() <= bytes && !piece.is_empty()));
            let text_of = |lines: &[String]| seen(lines).into_iter().map(|(c, _)| c).collect::<String>();
            prop_assert_eq!(text_of(&pieces), text_of(&[text]));
        }
    }
}
