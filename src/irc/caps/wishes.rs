//! What a user adds to the capabilities that we ask for, and what they do without: `-echo-message +draft/x`.
//!
//! Not a judgement whether a server has such a capability: what is not offered is not asked for. What the connection
//! decides by itself can't be wished for: `sasl` follows the credentials, `sts` and `tls` the configuration, and
//! without `cap-notify` nothing could be told of the rest.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// More than anybody means.
const MOST: usize = 32;
const LONGEST_NAME: usize = 100;
/// What is not the user's to choose.
const FIXED: [&str; 4] = ["sasl", "sts", "tls", "cap-notify"];

/// Names with whether they are added (or else removed).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CapabilityWishes(BTreeMap<Box<str>, bool>);

/// Why a text is no list of wishes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWishes {
    /// A word begins with neither.
    #[error("{0} begins with neither + nor -")]
    Sign(String),
    /// A word is no name.
    #[error("{0} is no capability's name")]
    Name(String),
    /// It is decided otherwise.
    #[error("{0} is used as the connection needs it, and can't be chosen")]
    Fixed(String),
    /// There are too many.
    #[error("more than {MOST} can't be chosen")]
    TooMany,
}

impl CapabilityWishes {
    /// Whether nothing is wished for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn added(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, added)| **added).map(|(name, _)| &**name)
    }

    pub(super) fn removes(&self, name: &str) -> bool {
        self.0.get(name) == Some(&false)
    }

    /// These wishes, and those others where they are about the same.
    pub fn change(mut self, other: Self) -> Result<Self, InvalidWishes> {
        self.0.extend(other.0);
        if self.0.len() > MOST { Err(InvalidWishes::TooMany) } else { Ok(self) }
    }
}

impl FromStr for CapabilityWishes {
    type Err = InvalidWishes;

    fn from_str(text: &str) -> Result<Self, InvalidWishes> {
        let mut wishes = Self::default();
        for word in text.split_whitespace() {
            let (name, added) = match (word.strip_prefix('+'), word.strip_prefix('-')) {
                (Some(name), _) => (name, true),
                (_, Some(name)) => (name, false),
                _ => return Err(InvalidWishes::Sign(word.to_owned())),
            };
            let in_name = |b: u8| b.is_ascii_alphanumeric() || b"-_./".contains(&b);
            let is_name = !name.is_empty() && !name.starts_with('-') && name.len() <= LONGEST_NAME;
            if !is_name || !name.bytes().all(in_name) {
                return Err(InvalidWishes::Name(word.to_owned()));
            }
            let name = name.to_ascii_lowercase();
            if FIXED.contains(&name.as_str()) {
                return Err(InvalidWishes::Fixed(name));
            }
            wishes.0.insert(name.into(), added);
        }
        Self::default().change(wishes)
    }
}

impl fmt::Display for CapabilityWishes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (name, added)) in self.0.iter().enumerate() {
            let space = if place > 0 { " " } else { "" };
            let sign = if *added { '+' } else { '-' };
            write!(f, "{space}{sign}{name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::several("-echo-message  +draft/x", "+draft/x -echo-message")]
    #[case::the_last_word_counts("+draft/x -draft/X", "-draft/x")]
    #[case::a_vendors("+znc.in/batch", "+znc.in/batch")]
    #[case::nothing(" ", "")]
    fn wishes_read_back(#[case] text: &str, #[case] shown: &str) {
        let wishes: CapabilityWishes = text.parse().unwrap();
        assert_eq!(wishes.to_string(), shown);
        assert_eq!(shown.parse(), Ok(wishes));
    }

    #[rstest]
    #[case::no_sign("batch", "neither + nor -")]
    #[case::only_a_sign("+", "no capability's name")]
    #[case::two_signs("--batch", "no capability's name")]
    #[case::a_value("+a=b", "no capability's name")]
    #[case::a_line_break("+a\u{85}b", "neither")]
    #[case::the_login("-sasl", "can't be chosen")]
    #[case::news("-cap-notify", "can't be chosen")]
    fn what_is_none_is_told(#[case] text: &str, #[case] why: &str) {
        let error = text.parse::<CapabilityWishes>().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn invariant_9_wishes_are_bounded() {
        let many: Vec<String> = (0..=MOST).map(|n| format!("+x{n}")).collect();
        assert_eq!(many.join(" ").parse::<CapabilityWishes>(), Err(InvalidWishes::TooMany));
        assert!(format!("+{}", "x".repeat(LONGEST_NAME + 1)).parse::<CapabilityWishes>().is_err());
    }
}
