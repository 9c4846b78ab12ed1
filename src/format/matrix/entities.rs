//! Entities of HTML: `&amp;`, `&#233;`, `&#x1f600;`.
//!
//! Composers escape five characters; the other names are those that people and pasted pages write. An unknown name
//! stays as it is. What a number means that no text may hold is left to [`super::super::neutral`].

use std::borrow::Cow;

/// The longest name here, and the longest number that has a meaning.
const LONGEST: usize = 8;

const NAMES: [(&str, char); 40] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{a0}'),
    ("hellip", '…'),
    ("mdash", '—'),
    ("ndash", '–'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("sbquo", '‚'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bdquo", '„'),
    ("laquo", '«'),
    ("raquo", '»'),
    ("bull", '•'),
    ("middot", '·'),
    ("copy", '©'),
    ("reg", '®'),
    ("trade", '™'),
    ("euro", '€'),
    ("pound", '£'),
    ("cent", '¢'),
    ("yen", '¥'),
    ("sect", '§'),
    ("para", '¶'),
    ("deg", '°'),
    ("plusmn", '±'),
    ("times", '×'),
    ("divide", '÷'),
    ("frac12", '½'),
    ("larr", '←'),
    ("rarr", '→'),
    ("le", '≤'),
    ("ge", '≥'),
    ("ne", '≠'),
    ("shy", '\u{ad}'),
    ("ensp", '\u{2002}'),
];

/// A text with its entities read.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find('&') else { return Cow::Borrowed(text) };
    let (before, mut rest) = text.split_at(first);
    let mut out = String::with_capacity(text.len());
    out.push_str(before);
    while let Some(after) = rest.strip_prefix('&') {
        let length = after.bytes().take(LONGEST + 1).position(|byte| byte == b';');
        let read = length.and_then(|length| Some((meaning(after.get(..length)?)?, &after[length + 1..])));
        match read {
            Some((character, after)) => {
                out.push(character);
                rest = after;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
        let (before, entity) = rest.split_at(rest.find('&').unwrap_or(rest.len()));
        out.push_str(before);
        rest = entity;
    }
    Cow::Owned(out)
}

fn meaning(name: &str) -> Option<char> {
    let Some(number) = name.strip_prefix('#') else {
        return NAMES.iter().find(|(known, _)| *known == name).map(|(_, character)| *character);
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => number.parse(),
    };
    Some(char::from_u32(code.ok()?).unwrap_or(char::REPLACEMENT_CHARACTER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::none("a b", "a b")]
    #[case::what_composers_write("&lt;a&gt; &amp; &quot;b&quot; &#39;c&#x27;", "<a> & \"b\" 'c'")]
    #[case::a_name("a&nbsp;&hellip;", "a\u{a0}…")]
    #[case::numbers("&#233;&#x1F600;", "é😀")]
    #[case::only_once("&amp;lt;", "&lt;")]
    #[case::an_unknown_name("&bogus; &;", "&bogus; &;")]
    #[case::no_end("a & b &amp", "a & b &amp")]
    #[case::in_a_query("?a=1&b=2;", "?a=1&b=2;")]
    #[case::no_character("&#xD800;&#x110000;", "\u{fffd}\u{fffd}")]
    #[case::too_long("&#x00000000041;", "&#x00000000041;")]
    #[case::not_ascii("&éé;", "&éé;")]
    fn an_entity_is_a_character(#[case] text: &str, #[case] read: &str) {
        assert_eq!(unescape(text), read);
    }
}
