//! Words besides the nick that mean the user: a line with one of them notifies.
//!
//! Compared without case in every script, and as words: `rust` is in `rust!` and not in `trust`.
//!
//! Invariant 9: so many ([`MOST`]), each so long ([`LONGEST`]).

/// More would mean the user in every line.
const MOST: usize = 50;
const LONGEST: usize = 50;

/// The words, in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Highlights(Vec<String>);

impl Highlights {
    /// Reads what [`Self::to_stored`] has written.
    pub fn stored(text: &str) -> Self {
        Self(text.lines().filter(|line| !line.is_empty()).take(MOST).map(str::to_owned).collect())
    }

    /// The words as they are kept; nothing where there are none.
    pub fn to_stored(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.join("\n"))
    }

    /// Adds a word. Returns whether it is there now.
    pub fn add(&mut self, word: &str) -> bool {
        let word = word.to_lowercase();
        let fits = word.len() <= LONGEST && word.chars().any(char::is_alphanumeric);
        let is_known = self.0.contains(&word);
        if fits && !is_known && self.0.len() < MOST {
            self.0.push(word);
            return true;
        }
        is_known
    }

    /// Takes a word out. Returns whether it was there.
    pub fn remove(&mut self, word: &str) -> bool {
        let (before, word) = (self.0.len(), word.to_lowercase());
        self.0.retain(|known| *known != word);
        self.0.len() < before
    }

    /// The words.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Those of both.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Whether a text has one of the words.
    pub(super) fn are_in(&self, text: &str) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let text = text.to_lowercase();
        self.0.iter().any(|word| {
            text.match_indices(word.as_str()).any(|(at, found)| {
                let (before, behind) = (&text[..at], &text[at + found.len()..]);
                // A word may end in something else than a letter, as `c++` does.
                let begins =
                    word.starts_with(char::is_alphanumeric) && before.ends_with(char::is_alphanumeric);
                let goes_on =
                    word.ends_with(char::is_alphanumeric) && behind.starts_with(char::is_alphanumeric);
                !begins && !goes_on
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::alone("Rust", true)]
    #[case::with_a_sign("is that rust?", true)]
    #[case::in_another_word("I trust you", false)]
    #[case::the_beginning_of_one("rusty", false)]
    #[case::later("trust in RUST", true)]
    #[case::other_scripts("ÄRGER", true)]
    #[case::a_word_with_signs("c++ is older", true)]
    #[case::nothing("hello", false)]
    fn a_word_is_found_as_one(#[case] text: &str, #[case] found: bool) {
        let mut words = Highlights::default();
        assert!(words.add("RUST") && words.add("ärger") && words.add("C++"));
        assert_eq!(words.are_in(text), found);
        assert_eq!(Highlights::stored(&words.to_stored().unwrap()), words);
    }

    #[test]
    fn invariant_9_words_are_bounded_and_are_words() {
        let mut words = Highlights::default();
        assert!(!words.add("…") && !words.add(&"x".repeat(LONGEST + 1)));
        assert!((0..MOST).all(|number| words.add(&format!("w{number}"))));
        assert!(!words.add("more") && words.add("W1"));
        assert!(words.remove("W1") && !words.remove("w1") && words.add("more"));
    }
}
