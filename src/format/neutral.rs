//! Text that somebody else wrote, without what would act on those who read it: line ends, controls, formatting codes
//! that were typed or pasted, characters that turn the line around, and characters that nobody sees.
//!
//! Not the formatting of the bridge itself, which is written after this. Invariant: what comes out holds no control
//! character but the line feed, and no formatting code.
//!
//! What has no width can hide text, and keeps words from being found. Joiners stay where scripts and emoji are written
//! with them, variation selectors behind what they choose a form of, and tags in the three flags that are made of them.
//!
//! Spec: UAX #9 (bidirectional controls), UTS #51 (emoji), UAX #31 section 2.3 (joiners).

use super::look::code_length;

/// What a tab becomes: clients of IRC show it as anything from nothing to an inverted `I`.
const TAB: &str = "    ";

/// England, Scotland and Wales: the only flags that are made of tags.
const FLAGS: [&str; 3] = [
    "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
    "\u{1f3f4}\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}",
];

/// A text as it may stand on IRC; every kind of line end is a line feed.
pub fn neutral(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_neutral(&mut out, text);
    out
}

/// Adds a text as it may stand on IRC.
pub(super) fn push_neutral(out: &mut String, text: &str) {
    let mut rest = text;
    loop {
        // Nearly everything that people write, in one go.
        let plain = rest.bytes().take_while(|byte| matches!(byte, b' '..=b'~')).count();
        let (ordinary, special) = rest.split_at(plain);
        out.push_str(ordinary);
        let Some(character) = special.chars().next() else { return };
        rest = &special[push_special(out, character, special)..];
    }
}

/// Adds the character that a text begins with, or what stands for it. Gives how many bytes it was.
fn push_special(out: &mut String, character: char, text: &str) -> usize {
    let length = character.len_utf8();
    match character {
        '\r' if text[1..].starts_with('\n') => {}
        '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('\n'),
        '\t' => out.push_str(TAB),
        // A code goes with its digits, which mean nothing without it.
        character if character.is_control() => return code_length(text).max(length),
        character if is_unseen(character) => {}
        '\u{200c}' | '\u{200d}' => {
            if joins(out.chars().next_back(), text[length..].chars().next()) {
                out.push(character);
            }
        }
        character if is_selector(character) => {
            if out.chars().next_back().is_some_and(has_forms) {
                out.push(character);
            }
        }
        '\u{1f3f4}' => {
            let flag = FLAGS.iter().find(|flag| text.starts_with(*flag));
            out.push_str(flag.unwrap_or(&"\u{1f3f4}"));
            return flag.map_or(length, |flag| flag.len());
        }
        character => out.push(character),
    }
    length
}

/// What turns the line around, or has no width and no use on IRC.
fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{61c}'
            | '\u{200b}'
            | '\u{2060}'..='\u{2065}'
            | '\u{206a}'..='\u{206f}'
            | '\u{feff}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{180e}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

fn is_selector(character: char) -> bool {
    matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' | '\u{180b}'..='\u{180d}')
}

/// Whether a selector may choose a form of a character: of signs, digits (for keycaps) and all that is not ASCII.
fn has_forms(character: char) -> bool {
    let is_sign = matches!(character, '#' | '*' | '0'..='9');
    is_sign || (!character.is_ascii() && !character.is_whitespace() && !is_selector(character))
}

/// Whether a joiner between two characters shapes what is seen.
fn joins(before: Option<char>, after: Option<char>) -> bool {
    match before {
        Some(before) if is_emoji(before) => after.is_some_and(is_emoji),
        Some(before) => is_joining_script(before),
        None => false,
    }
}

/// Emoji and what belongs to them: skin tones, selectors, signs like ♀.
fn is_emoji(character: char) -> bool {
    matches!(character, '\u{2190}'..='\u{2bff}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}')
}

/// Arabic and its relatives, the scripts of India and their relatives, Mongolian.
fn is_joining_script(character: char) -> bool {
    matches!(
        character,
        '\u{600}'..='\u{8ff}'
            | '\u{900}'..='\u{dff}'
            | '\u{f00}'..='\u{109f}'
            | '\u{1700}'..='\u{18af}'
            | '\u{1a00}'..='\u{1aff}'
            | '\u{1b00}'..='\u{1c7f}'
            | '\u{a840}'..='\u{abff}'
            | '\u{fb50}'..='\u{fdff}'
            | '\u{fe70}'..='\u{fefc}'
            | '\u{10a00}'..='\u{11fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::strip_irc;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("hello, world", "hello, world")]
    #[case::line_ends("a\r\nb\rc\nd\u{2028}e\u{2029}f\u{85}g", "a\nb\nc\nd\ne\nf\ng")]
    #[case::nul("a\0b", "ab")]
    #[case::controls("a\x01\x07\x1b[31m\u{9b}b\x7f", "a[31mb")]
    #[case::tab("a\tb", "a    b")]
    #[case::bold("\x02a\x02\x0f", "a")]
    #[case::a_colour_with_its_digits("\x034,12red\x03", "red")]
    #[case::a_hexadecimal_colour("\x04ff0000red", "red")]
    #[case::a_third_digit_is_text("\x03041", "1")]
    #[case::turned_around("a\u{202e}cba\u{202c}\u{2067}x\u{2069}", "acbax")]
    #[case::marks("\u{200e}a\u{200f}\u{61c}b", "ab")]
    #[case::without_width("a\u{200b}b\u{2060}c\u{feff}d\u{ad}e\u{34f}", "abcde")]
    #[case::tags("a\u{e0041}\u{e0042}\u{e007f}b", "ab")]
    #[case::tags_behind_a_flag("\u{1f3f4}\u{e0041}\u{e007f}", "\u{1f3f4}")]
    #[case::scotland(FLAGS[1], FLAGS[1])]
    #[case::a_family("👩\u{200d}👧", "👩\u{200d}👧")]
    #[case::a_rainbow_flag("🏳\u{fe0f}\u{200d}🌈", "🏳\u{fe0f}\u{200d}🌈")]
    #[case::a_joiner_at_the_end_of_an_emoji("👩\u{200d} x", "👩 x")]
    #[case::joiners_between_letters("pass\u{200d}word\u{200c}s", "passwords")]
    #[case::persian("می\u{200c}خواهم", "می\u{200c}خواهم")]
    #[case::one_joiner_is_enough("می\u{200c}\u{200c}\u{200d}خواهم", "می\u{200c}خواهم")]
    #[case::malayalam("അവന\u{d4d}\u{200d}", "അവന\u{d4d}\u{200d}")]
    #[case::a_keycap("1\u{fe0f}\u{20e3}", "1\u{fe0f}\u{20e3}")]
    #[case::text_in_selectors("a\u{fe00}\u{fe01}😀\u{e0101}\u{e0102}", "a😀\u{e0101}")]
    #[case::a_form_of_a_letter("葛\u{e0100}", "葛\u{e0100}")]
    #[case::accents_stay("e\u{301}", "e\u{301}")]
    fn what_would_act_on_readers_is_left_out(#[case] text: &str, #[case] left: &str) {
        assert_eq!(neutral(text), left);
    }

    proptest! {
        #[test]
        fn nothing_is_left_that_a_client_would_obey(
            text in "([\x00-\x1f\x7f-\u{a0}]|[0-9a-f,é]|[\u{200b}-\u{200f}\u{2028}-\u{202e}\u{2060}-\u{2069}]|\u{feff}|\\PC){0,80}",
        ) {
            let left = neutral(&text);
            prop_assert!(left.chars().all(|c| c == '\n' || (!c.is_control() && !is_unseen(c))), "{left:?}");
            prop_assert_eq!(strip_irc(&left), left.clone());
            prop_assert_eq!(neutral(&left), left);
        }
    }
}
