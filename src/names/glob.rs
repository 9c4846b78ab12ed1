//! Patterns for Matrix ids: `*` stands for any characters, also none, `?` for one.
//!
//! There is one place to go back to, so that a match takes no more steps than the two lengths multiplied, whatever the
//! pattern. Matrix specification, appendices, "Glob-style matching".

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Box<str>);

impl Glob {
    /// A pattern; any text is one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// It, as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for itself alone.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        !self.0.contains(['*', '?'])
    }

    /// Whether it fits all of a text.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut at, mut place) = (0, 0);
        // Behind the last star, and from where on the text was tried there.
        let mut back: Option<(usize, usize)> = None;
        while place < text.len() {
            match pattern.get(at) {
                Some(b'*') => {
                    at += 1;
                    back = Some((at, place));
                }
                Some(b'?') => {
                    at += 1;
                    place = behind_character(text, place);
                }
                Some(byte) if *byte == text[place] => {
                    at += 1;
                    place += 1;
                }
                _ => {
                    let Some((behind_star, tried)) = &mut back else { return false };
                    *tried += 1;
                    (at, place) = (*behind_star, *tried);
                }
            }
        }
        pattern[at..].iter().all(|byte| *byte == b'*')
    }

    /// Whether it may fit a text that begins and ends so.
    #[must_use]
    pub fn may_fit(&self, start: &str, end: &str) -> bool {
        let wild = ['*', '?'];
        let (Some(first), Some(last)) = (self.0.find(wild), self.0.rfind(wild)) else {
            return self.0.starts_with(start) && self.0.ends_with(end);
        };
        let (own_start, own_end) = (&self.0[..first], &self.0[last + 1..]);
        (own_start.starts_with(start) || start.starts_with(own_start))
            && (own_end.ends_with(end) || end.ends_with(own_end))
    }
}

fn behind_character(text: &[u8], place: usize) -> usize {
    let rest = &text[place + 1..];
    place + 1 + rest.iter().take_while(|byte| (0x80..0xc0).contains(*byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::itself("@a:b.org", "@a:b.org", true)]
    #[case::another("@a:b.org", "@A:b.org", false)]
    #[case::a_server("@*:bad.org", "@anybody:bad.org", true)]
    #[case::nobody("@*:bad.org", "@:bad.org", true)]
    #[case::another_server("@*:bad.org", "@a:bad.org.example", false)]
    #[case::within("@spam*bot:b", "@spam-and-more-bot:b", true)]
    #[case::the_first_is_not_the_right_one("*ab", "aab", true)]
    #[case::nor_the_second("*aab*b", "aaaabab", true)]
    #[case::one("@?:b", "@é:b", true)]
    #[case::two("@?:b", "@ab:b", false)]
    #[case::one_at_least("@?*:b", "@:b", false)]
    #[case::no_half_of_one("*??", "日", false)]
    #[case::both("*?é", "aé", true)]
    #[case::stars_alone("***", "", true)]
    #[case::nothing("", "", true)]
    #[case::too_short("abc", "ab", false)]
    #[case::a_dot_is_a_dot("@a:b.org", "@a:bxorg", false)]
    fn a_pattern_fits_as_the_specification_says(
        #[case] pattern: &str,
        #[case] text: &str,
        #[case] fits: bool,
    ) {
        assert_eq!(Glob::new(pattern).fits(text), fits);
    }

    /// An expression that goes back everywhere takes longer than anybody waits.
    #[test]
    fn a_pattern_of_stars_takes_no_longer_than_its_length_says() {
        let (pattern, text) = (Glob::new(&"*a".repeat(127)), "a".repeat(254) + "b");
        assert!((0..100).all(|_| !pattern.fits(&text)));
    }

    #[rstest]
    #[case::a_ghost("@irc_libera_spam*:ours", true)]
    #[case::all_of_a_network("@irc_libera_*", true)]
    #[case::everybody("*", true)]
    #[case::a_name("@irc_libera_bob:ours", true)]
    #[case::another_server("@irc_*:theirs", false)]
    #[case::another_name("@spam*:ours", false)]
    #[case::another_id("@bob:ours", false)]
    fn what_may_fit_a_ghost_is_known_from_how_it_begins_and_ends(#[case] pattern: &str, #[case] may: bool) {
        assert_eq!(Glob::new(pattern).may_fit("@irc_", ":ours"), may);
    }

    proptest::proptest! {
        #[test]
        fn what_fits_is_what_the_plain_definition_says(pattern in "[ab?*é]{0,8}", text in "[abé]{0,8}") {
            fn fits(pattern: &[char], text: &[char]) -> bool {
                match (pattern.split_first(), text.split_first()) {
                    (None, text) => text.is_none(),
                    (Some(('*', rest)), None) => fits(rest, text),
                    (Some(('*', rest)), Some((_, behind))) => fits(rest, text) || fits(pattern, behind),
                    (Some(('?', rest)), Some((_, behind))) => fits(rest, behind),
                    (Some((one, rest)), Some((other, behind))) => one == other && fits(rest, behind),
                    (Some(_), None) => false,
                }
            }
            let (plain, read): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            proptest::prop_assert_eq!(Glob::new(&pattern).fits(&text), fits(&plain, &read));
        }
    }
}
