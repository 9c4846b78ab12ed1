//! How many columns a text takes where all characters are equally wide, or twice as wide.
//!
//! Spec: Unicode, UAX #11 (East Asian Width) and UAX #29 (grapheme clusters).

use unicode_segmentation::UnicodeSegmentation as _;

/// The columns that a text takes.
pub(super) fn width_of(text: &str) -> usize {
    text.graphemes(true).map(|grapheme| if grapheme.chars().any(is_wide) { 2 } else { 1 }).sum()
}

/// Whether a character takes two columns: UAX #11, the wide and full-width ranges.
fn is_wide(character: char) -> bool {
    matches!(
        character,
        '\u{1100}'..='\u{115f}'
            | '\u{2e80}'..='\u{303e}'
            | '\u{3041}'..='\u{a4cf}'
            | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}'
            | '\u{fe0f}'
            | '\u{fe30}'..='\u{fe6f}'
            | '\u{ff00}'..='\u{ff60}'
            | '\u{ffe0}'..='\u{ffe6}'
            | '\u{1f300}'..='\u{1faff}'
            | '\u{20000}'..='\u{3fffd}'
    )
}
