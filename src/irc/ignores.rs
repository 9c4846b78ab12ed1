//! Whom the user does not want to hear: masks of nick, user and host, and accounts.
//!
//! Only the list, and whether it fits; what is left out is the session's business. Read from what people type, and
//! written so that it reads back.
//!
//! Invariant 9: so many (`MOST`), each so long (`LONGEST`).

use std::fmt;
use std::str::FromStr;

use super::wire::Source;
use crate::names::{CaseMapping, matches_mask};

/// More than anybody can keep in mind.
pub const MOST: usize = 100;
const LONGEST: usize = 200;

/// What an account begins with when it is typed.
const ACCOUNT: &str = "account:";

/// One whom the user ignores, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ignored {
    /// Whom a mask fits: `nick!user@host`, with `*` and `?`.
    Mask(String),
    /// Whoever is logged in to this account.
    Account(String),
}

/// Why a text names nobody who can be ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIgnored {
    /// A space or a control character, or nothing at all.
    #[error("it is no nick, no mask as in *!*@host.example.org, and no account as in account:name")]
    Form,
    /// It is too long.
    #[error("it is longer than {LONGEST} bytes")]
    TooLong,
    /// Nothing but stars.
    #[error("that would be everybody")]
    Everybody,
}

impl FromStr for Ignored {
    type Err = InvalidIgnored;

    fn from_str(text: &str) -> Result<Self, InvalidIgnored> {
        let text = text.trim();
        if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control() || c == ',') {
            return Err(InvalidIgnored::Form);
        }
        if text.len() > LONGEST {
            return Err(InvalidIgnored::TooLong);
        }
        if let Some((head, account)) = text.split_at_checked(ACCOUNT.len())
            && head.eq_ignore_ascii_case(ACCOUNT)
        {
            let is_name = !account.is_empty() && !account.contains(['*', '?', '!', '@']);
            return is_name.then(|| Self::Account(account.to_owned())).ok_or(InvalidIgnored::Form);
        }
        let mask = match (text.split_once('!'), text.split_once('@')) {
            (Some((nick, rest)), _) => match rest.split_once('@') {
                Some((user, host)) => [nick, user, host].map(str::to_owned),
                None => [nick, rest, "*"].map(str::to_owned),
            },
            (None, Some((user, host))) => ["*", user, host].map(str::to_owned),
            (None, None) => [text, "*", "*"].map(str::to_owned),
        };
        if mask.iter().any(|part| part.is_empty() || part.contains(['!', '@'])) {
            return Err(InvalidIgnored::Form);
        }
        if mask.iter().all(|part| part.bytes().all(|b| b == b'*' || b == b'?')) {
            return Err(InvalidIgnored::Everybody);
        }
        let [nick, user, host] = mask;
        Ok(Self::Mask(format!("{nick}!{user}@{host}")))
    }
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mask(mask) => f.write_str(mask),
            Self::Account(account) => write!(f, "{ACCOUNT}{account}"),
        }
    }
}

impl Ignored {
    fn fits(&self, address: &str, account: Option<&str>, mapping: CaseMapping) -> bool {
        match self {
            Self::Account(name) => account.is_some_and(|account| mapping.same(account, name)),
            Self::Mask(mask) => matches_mask(mask, address, mapping),
        }
    }
}

/// All of them, in the order in which they were named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IgnoreList(Vec<Ignored>);

impl IgnoreList {
    /// Reads what [`fmt::Display`] has written; what does not read is left out.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        Self(text.lines().filter_map(|line| line.parse().ok()).take(MOST).collect())
    }

    /// Adds one. Returns whether it is there now.
    pub fn add(&mut self, ignored: Ignored) -> bool {
        let is_known = self.0.contains(&ignored);
        if !is_known && self.0.len() < MOST {
            self.0.push(ignored);
            return true;
        }
        is_known
    }

    /// Takes one out, however the network lets it be written. Returns whether it was there.
    pub fn remove(&mut self, ignored: &Ignored, mapping: CaseMapping) -> bool {
        let before = self.0.len();
        let text = ignored.to_string();
        self.0.retain(|one| !mapping.same(&one.to_string(), &text));
        self.0.len() < before
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Ignored> {
        self.0.iter()
    }

    /// Whether somebody is among them.
    #[must_use]
    pub fn has(&self, from: &Source, account: Option<&str>, mapping: CaseMapping) -> bool {
        // Most people ignore nobody, and each line comes by here.
        if self.0.is_empty() {
            return false;
        }
        let (user, host) =
            (from.user.as_deref().unwrap_or_default(), from.host.as_deref().unwrap_or_default());
        let address = format!("{}!{user}@{host}", from.nick);
        self.0.iter().any(|ignored| ignored.fits(&address, account, mapping))
    }
}

impl fmt::Display for IgnoreList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|ignored| writeln!(f, "{ignored}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::a_nick("Bob", Ok("Bob!*@*"))]
    #[case::a_mask("*!*@*.example.org", Ok("*!*@*.example.org"))]
    #[case::an_address("~bob@example.org", Ok("*!~bob@example.org"))]
    #[case::without_a_host("bob!~b", Ok("bob!~b@*"))]
    #[case::an_account("ACCOUNT:bob", Ok("account:bob"))]
    #[case::everybody("*!*@*", Err(InvalidIgnored::Everybody))]
    #[case::everybody_by_nick("?*", Err(InvalidIgnored::Everybody))]
    #[case::nothing(" ", Err(InvalidIgnored::Form))]
    #[case::no_account("account:", Err(InvalidIgnored::Form))]
    #[case::accounts("account:*", Err(InvalidIgnored::Form))]
    #[case::an_empty_part("bob!@x", Err(InvalidIgnored::Form))]
    #[case::two_signs("a!b!c@d", Err(InvalidIgnored::Form))]
    #[case::two_people("bob,carol", Err(InvalidIgnored::Form))]
    fn who_is_typed_is_read(#[case] text: &str, #[case] read: Result<&str, InvalidIgnored>) {
        let ignored = text.parse::<Ignored>();
        assert_eq!(ignored.clone().map(|ignored| ignored.to_string()), read.map(str::to_owned));
        if let Ok(ignored) = ignored {
            assert_eq!(ignored.to_string().parse(), Ok(ignored));
        }
    }

    #[rstest]
    #[case::by_nick("BOB", "bob!b@h", None, true)]
    #[case::another_nick("bob", "bobby!b@h", None, false)]
    #[case::by_host("*!*@*.example.org", "bob!~b@x.example.org", None, true)]
    #[case::by_account("account:Bobby", "bob!b@h", Some("bobby"), true)]
    #[case::without_an_account("account:bobby", "bobby!b@h", None, false)]
    #[case::the_network_compares("b[o]b", "B{O}B!b@h", None, true)]
    #[case::of_whom_only_the_nick_is_known("bob", "bob", None, true)]
    fn who_is_meant_is_found(
        #[case] typed: &str,
        #[case] from: &str,
        #[case] account: Option<&str>,
        #[case] expected: bool,
    ) {
        let mut list = IgnoreList::default();
        assert!(list.add(typed.parse().unwrap()));
        assert_eq!(list.has(&Source::parse(from), account, CaseMapping::Rfc1459), expected);
        assert_eq!(IgnoreList::stored(&list.to_string()), list);
    }

    /// Before, only A to Z were the same in both cases, and who was ignored in one spelling stayed so in another.
    #[rstest]
    #[case::letters("Bob", "bOB", CaseMapping::Ascii, true)]
    #[case::brackets("b[o]b", "B{O}B", CaseMapping::Rfc1459, true)]
    #[case::brackets_are_two_people("b[o]b", "B{O}B", CaseMapping::Ascii, false)]
    #[case::an_account("account:b[o]b", "account:B{O}B", CaseMapping::Rfc1459, true)]
    #[case::other_scripts("ÄRGER", "ärger", CaseMapping::Precis, true)]
    fn who_is_taken_out_is_found_as_the_network_compares(
        #[case] ignored: &str,
        #[case] typed: &str,
        #[case] mapping: CaseMapping,
        #[case] expected: bool,
    ) {
        let mut list = IgnoreList::default();
        assert!(list.add(ignored.parse().unwrap()));
        assert_eq!(list.remove(&typed.parse().unwrap(), mapping), expected);
        assert_eq!(list.is_empty(), expected);
    }

    #[test]
    fn invariant_9_the_list_is_bounded_and_what_is_there_is_not_twice() {
        let mut list = IgnoreList::default();
        for number in 0..MOST {
            assert!(list.add(format!("n{number}").parse().unwrap()));
        }
        assert!(!list.add("more".parse().unwrap()));
        assert!(list.add("n1".parse().unwrap()));
        assert_eq!(list.iter().count(), MOST);
        let mapping = CaseMapping::Rfc1459;
        assert!(
            list.remove(&"N1".parse().unwrap(), mapping) && !list.remove(&"n1".parse().unwrap(), mapping)
        );
        assert!(list.add("more".parse().unwrap()));
    }
}
