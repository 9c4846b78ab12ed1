//! Words: what a line is found by, and what a person's question asks for.
//!
//! Both engines get the same words from here, joined by spaces, so that both find the same: an index's own parser never
//! sees a line, and its query language never sees what a person typed. Letters are compared without case and without
//! accents; what is neither letter nor digit separates words. Scripts without spaces are cut into their characters and
//! pairs of them.
//!
//! Besides its words a line has marks, which begin with `_` and so are no word: where it was said, by whom, and in whose
//! session; for PostgreSQL, which finds in no order, in whose session when. The index itself intersects them with the
//! words.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::names::CaseMapping;

/// Words of one line that are kept. A line of IRC has fewer.
const MOST_WORDS: usize = 400;
/// Characters of a word that count.
const LONGEST_WORD: usize = 64;
/// By how many bits a line's number is shifted for each of its marks of time: spans of about an hour, two days and two
/// months.
pub(super) const TIMES: [(char, u32); 3] = [('h', 26), ('d', 31), ('m', 36)];

/// What of a line makes it findable.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) whose: Whose,
    pub(super) kind: &'a str,
    pub(super) sender: &'a str,
    pub(super) text: &'a str,
}

/// Who finds a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whose {
    /// Of which buffer and session it is, if not only the channel's.
    pub(super) buffer: Option<(i64, i64)>,
    /// The channel that all who were in its shared room have it from.
    pub(super) channel: Option<i64>,
}

/// Those whose lines are found by a mark of their own, in order of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeping {
    /// A session.
    Session(i64),
    /// A channel that has a shared room.
    Channel(i64),
}

impl Keeping {
    /// The mark of their lines.
    pub(super) fn mark(self) -> String {
        match self {
            Self::Session(session) => format!("_s{session}"),
            Self::Channel(channel) => format!("_c{channel}"),
        }
    }

    /// The mark of their lines of a span of time.
    pub(super) fn mark_of_span(self, name: char, span: i64) -> String {
        format!("{}{name}{span}", self.mark())
    }
}

/// What the index keeps of a line; `None` for what nobody looks for.
pub(super) fn document(said: &Said<'_>, number: Option<i64>) -> Option<String> {
    if !matches!(said.kind, "message" | "notice" | "action" | "topic" | "kick") {
        return None;
    }
    let Whose { buffer, channel } = said.whose;
    let (buffer, session) = buffer.unzip();
    let channel = channel.map(Keeping::Channel);
    let places = buffer.map(of_buffer).into_iter().chain(channel.map(Keeping::mark));
    let mut document: String = places.map(|mark| mark + " ").collect();
    document.push_str(&of_nick(said.sender));
    let session = session.map(Keeping::Session);
    match number {
        None => document.extend(session.map(|session| format!(" {}", session.mark()))),
        Some(number) => {
            for keeping in session.into_iter().chain(channel) {
                for (name, shift) in TIMES {
                    document.push_str(&format!(" {}", keeping.mark_of_span(name, number >> shift)));
                }
            }
        }
    }
    for word in words(&without_codes(said.text)).into_iter().take(MOST_WORDS) {
        document.push(' ');
        document.push_str(&word);
    }
    Some(document)
}

/// The mark of a buffer's lines.
pub(super) fn of_buffer(buffer: i64) -> String {
    format!("_b{buffer}")
}

/// The mark of a nick's lines.
pub(super) fn of_nick(nick: &str) -> String {
    let mut mark = String::from("_n");
    for character in CaseMapping::Rfc1459.fold(nick).chars() {
        if character.is_alphanumeric() {
            mark.extend(character.to_lowercase());
        } else {
            mark.push_str(&format!("_{:x}_", u32::from(character)));
        }
    }
    mark
}

/// The words of a text, in their order.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut dense = Vec::new();
    let plain = text.nfkd().flat_map(char::to_lowercase).filter(|&c| !is_accent(c)).nfc();
    for character in plain {
        let is_dense = is_dense(character);
        let is_of_word = character.is_alphanumeric() || (is_combining_mark(character) && !word.is_empty());
        if is_dense || !is_of_word {
            end_word(&mut word, &mut words);
        }
        if !is_dense {
            end_run(&mut dense, &mut words);
        }
        if is_dense {
            dense.push(character);
        } else if is_of_word {
            word.push(character);
        }
    }
    end_word(&mut word, &mut words);
    end_run(&mut dense, &mut words);
    words
}

fn end_word(word: &mut String, words: &mut Vec<String>) {
    if let Some((end, _)) = word.char_indices().nth(LONGEST_WORD) {
        word.truncate(end);
    }
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

/// Each character of a run, so that one alone is found, and each pair, so that a word is more than its characters.
fn end_run(run: &mut Vec<char>, words: &mut Vec<String>) {
    words.extend(run.iter().map(char::to_string));
    words.extend(run.windows(2).map(|pair| pair.iter().collect::<String>()));
    run.clear();
}

/// Accents over and under letters of Latin, Greek and Cyrillic.
fn is_accent(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}')
}

/// Scripts that put no spaces between words: Han, Hiragana, Katakana.
fn is_dense(character: char) -> bool {
    matches!(character,
        '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// A line without IRC's formatting codes: a word with a bold letter is one word, and a colour's digits are none.
fn without_codes(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line.chars().peekable();
    while let Some(character) = rest.next() {
        let (least, most, is_digit): (usize, usize, fn(char) -> bool) = match character {
            '\x02' | '\x0f' | '\x11' | '\x16' | '\x1d' | '\x1e' | '\x1f' => continue,
            '\x03' => (1, 2, |c| c.is_ascii_digit()),
            '\x04' => (6, 6, |c| c.is_ascii_hexdigit()),
            other => {
                text.push(other);
                continue;
            }
        };
        let colour = |rest: &mut std::iter::Peekable<std::str::Chars<'_>>| {
            let end = rest.clone().take(most).take_while(|&c| is_digit(c)).count();
            let end = if end >= least { end } else { 0 };
            rest.by_ref().take(end).for_each(drop);
            end > 0
        };
        if colour(&mut rest) {
            let mut behind = rest.clone();
            if behind.next() == Some(',') && colour(&mut behind) {
                rest = behind;
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("Hello, World!", "hello world")]
    #[case::accents("Crème brûlée à la Plage", "creme brulee a la plage")]
    #[case::fold_of_compatible("ﬁne ＡＢＣ", "fine abc")]
    #[case::dotted_capital("İstanbul", "istanbul")]
    #[case::address("see https://example.org/foo-bar_baz?x=1", "see https example org foo bar baz x 1")]
    #[case::apostrophe("don't", "don t")]
    #[case::marks_are_no_words("_u1 _b2", "u1 b2")]
    #[case::query_syntax("\"a\" OR b* NEAR(c) -d e:f ^g", "a or b near c d e f g")]
    #[case::cyrillic("Привет, Ёлка", "привет елка")]
    #[case::greek("Καλημέρα", "καλημερα")]
    #[case::hindi("हिन्दी में", "हिन्दी में")]
    #[case::dense("東京都へ", "東 京 都 へ 東京 京都 都へ")]
    #[case::dense_in_text("see東京now", "see 東 京 東京 now")]
    #[case::hangul("안녕 세상", "안녕 세상")]
    #[case::nothing("…!? \u{1f600}", "")]
    fn a_text_has_words(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(words(text).join(" "), expected);
    }

    #[rstest]
    #[case::bold_inside("fo\x02o\x02bar", "foobar")]
    #[case::colour("\x0304,12red\x03 plain", "red plain")]
    #[case::colour_before_a_number("\x03041234", "1234")]
    #[case::colour_and_comma("\x034,five", ",five")]
    #[case::hex_colour("\x04ff0000,00ff00text", "text")]
    #[case::half_a_hex_colour("\x04ff text", "ff text")]
    #[case::end("x\x03", "x")]
    fn formatting_codes_are_no_part_of_a_word(#[case] line: &str, #[case] plain: &str) {
        assert_eq!(without_codes(line), plain);
    }

    const SAID: Said<'_> = Said {
        whose: Whose { buffer: Some((7, 2)), channel: None },
        kind: "message",
        sender: "Bob[x]",
        text: "hi",
    };

    #[test]
    fn a_line_is_kept_with_whose_it_is_and_who_said_it() {
        let of = |said: &Said<'_>| document(said, None);
        assert_eq!(of(&SAID).unwrap(), "_b7 _nbob_7b_x_7d_ _s2 hi");
        assert_eq!(of_nick("bOB{x}"), "_nbob_7b_x_7d_");
        assert_eq!(of(&Said { kind: "join", ..SAID }), None);
        let timed = document(&SAID, Some(5 << 36)).unwrap();
        assert_eq!(timed, "_b7 _nbob_7b_x_7d_ _s2h5120 _s2d160 _s2m5 hi");
        let heard = Whose { buffer: None, channel: Some(3) };
        assert_eq!(of(&Said { whose: heard, ..SAID }).unwrap(), "_c3 _nbob_7b_x_7d_ hi");
        let own = Whose { channel: Some(3), ..SAID.whose };
        assert_eq!(of(&Said { whose: own, ..SAID }).unwrap(), "_b7 _c3 _nbob_7b_x_7d_ _s2 hi");
        let timed = document(&Said { whose: heard, ..SAID }, Some(5 << 36)).unwrap();
        assert_eq!(timed, "_c3 _nbob_7b_x_7d_ _c3h5120 _c3d160 _c3m5 hi");
    }

    proptest! {
        #[test]
        fn no_text_makes_a_word_that_an_index_would_read_otherwise(text in "\\PC{0,80}|[ -~\\x00-\\x1f]{0,80}") {
            for word in words(&without_codes(&text)) {
                prop_assert!(!word.is_empty() && !word.contains(['_', ' ', '"', '\'', '\\', '*', '\0']), "{word:?}");
                prop_assert!(!word.chars().any(|c| c.is_ascii_uppercase()));
                // What is looked for is found: a word is made of itself.
                let again = words(&word);
                prop_assert!(again.contains(&word) || again.join("") == word, "{word:?} {again:?}");
            }
            let mark = of_nick(&text);
            prop_assert!(!mark.contains([' ', '"', '\'', '\\', '*', '\0']), "{mark:?}");
        }
    }
}
