//! The names that every layer shares: nicks, channels, keys, network slugs, and how IRC compares them.
//!
//! A leaf: it imports nothing of ours. A name is parsed once, at the border, and from then on its type says
//! that it cannot break an IRC line (no CR, LF, NUL, space or comma; never a leading colon). What it does *not*
//! say is that a given server accepts it: lengths and alphabets come from `ISUPPORT` and the server's replies.
//!
//! Invariant 4 of the design: names are keys only through [`CaseMap`], which folds them by the network's
//! `CASEMAPPING` (modern IRC docs, "CASEMAPPING Parameter").

mod address;
mod frame;
mod glob;

use std::collections::BTreeMap;
use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

pub use self::address::{SessionName, session_address, split_address};
pub use self::frame::Frame;
pub use self::glob::Glob;

/// Why a text is no name of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// The text has no characters.
    #[error("it is empty")]
    Empty,
    /// The text is longer than any server takes.
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    /// The text holds a character that would break the IRC line that carries it.
    #[error("it holds {0:?}, which IRC does not allow there")]
    Character(char),
    /// The text begins with a character that gives it another meaning.
    #[error("it begins with {0:?}")]
    Start(char),
    /// A channel must begin with one of the network's channel prefixes.
    #[error("a channel begins with one of #, &, + or !")]
    NotAChannel,
    /// A slug has its own, narrower alphabet.
    #[error("a network's short name is 1 to 24 of a-z, 0-9 and -")]
    Slug,
    /// So has a session's name.
    #[error("it takes 1 to 16 of a-z, 0-9 and -, a letter or digit first")]
    Session,
}

/// No server takes longer names; `IRCnet`'s and Ergo's longest are well below.
const LONGEST_NAME: usize = 400;

fn check(text: &str, forbidden: impl Fn(char) -> bool) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty);
    }
    if text.len() > LONGEST_NAME {
        return Err(InvalidName::TooLong(LONGEST_NAME));
    }
    match text.chars().find(|&c| matches!(c, '\0' | '\r' | '\n' | ' ' | ',') || forbidden(c)) {
        Some(c) => Err(InvalidName::Character(c)),
        None if text.starts_with(':') => Err(InvalidName::Start(':')),
        None => Ok(()),
    }
}

macro_rules! name {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The name as it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

macro_rules! shown {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

name! {
    /// A nickname, as a server or a user wrote it. `==` compares bytes: use [`CaseMapping::same`] for identity.
    Nick
}
shown!(Nick);

impl Nick {
    /// Reads a nick.
    ///
    /// # Errors
    /// When the text could not stand as one middle parameter, or would read as a channel or a mask.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        check(text, |c| matches!(c, '!' | '@' | '*' | '?' | '\x07'))?;
        match text.chars().next() {
            Some(c @ ('#' | '&' | '$' | '+' | '%')) => Err(InvalidName::Start(c)),
            _ => Ok(Self(text.into())),
        }
    }
}

name! {
    /// A channel's name, prefix included.
    Channel
}
shown!(Channel);

impl Channel {
    /// Reads a channel's name.
    ///
    /// # Errors
    /// When it has no channel prefix, or holds what would end the name or the line.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        check(text, |c| c == '\x07')?;
        if text.starts_with(['#', '&', '+', '!']) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidName::NotAChannel)
        }
    }
}

name! {
    /// A channel's key. Not shown by `Debug`, since it is a secret among the channel's members.
    Key
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// Reads a key.
    ///
    /// # Errors
    /// When the text could not stand as one middle parameter of `JOIN`.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        check(text, |_| false)?;
        Ok(Self(text.into()))
    }
}

name! {
    /// A network's immutable short name, `[a-z0-9-]{1,24}`: no `_`, so that templates such as
    /// `irc_{network}_{nick}` can be read backwards.
    Slug
}
shown!(Slug);

impl Slug {
    /// Reads a slug.
    ///
    /// # Errors
    /// When a character is outside `[a-z0-9-]` or there are more than 24.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        let fits = (1..=24).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits { Ok(Self(text.into())) } else { Err(InvalidName::Slug) }
    }
}

/// How a network compares names: its `CASEMAPPING`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CaseMapping {
    /// Only A–Z are folded.
    Ascii,
    /// A–Z, and `[]\~` to `{}|^`: the default where the server says nothing (RFC 1459, section 2.2).
    #[default]
    Rfc1459,
    /// As [`CaseMapping::Rfc1459`], without `~` to `^`.
    Rfc1459Strict,
    /// Letters of all scripts: the case, the width and the composition of characters do not matter (`PRECIS`'
    /// `UsernameCaseMapped`, RFC 8265 and before it RFC 7613).
    Precis,
}

impl CaseMapping {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ascii, Self::Rfc1459, Self::Rfc1459Strict, Self::Precis];

    /// Reads the value of the `CASEMAPPING` or `UTF8MAPPING` token; an unknown one counts as `ascii`, the mapping
    /// that merges least.
    #[must_use]
    pub fn from_token(token: &str) -> Self {
        match token.to_ascii_lowercase().as_str() {
            "rfc1459" => Self::Rfc1459,
            "rfc1459-strict" | "strict-rfc1459" => Self::Rfc1459Strict,
            "rfc7613" | "rfc8265" | "precis" | "utf-8" | "utf8" => Self::Precis,
            _ => Self::Ascii,
        }
    }

    /// The token's value that [`Self::from_token`] reads as this one.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Self::Ascii => "ascii",
            Self::Rfc1459 => "rfc1459",
            Self::Rfc1459Strict => "rfc1459-strict",
            Self::Precis => "precis",
        }
    }

    /// The form under which equal names are the same text.
    #[must_use]
    pub fn fold(self, name: &str) -> String {
        if self == Self::Precis && !name.is_ascii() {
            // Only full-width and half-width forms are written otherwise for their width.
            let widths = name.chars().flat_map(|c| {
                let wide = matches!(c, '\u{FF00}'..='\u{FFEF}');
                let (kept, mapped) = ((!wide).then_some(c), wide.then(|| std::iter::once(c).nfkc()));
                kept.into_iter().chain(mapped.into_iter().flatten())
            });
            return widths.flat_map(char::to_lowercase).nfc().collect();
        }
        name.chars().map(|c| self.fold_char(c)).collect()
    }

    /// Whether two names mean the same on this network; without allocating but for names in other scripts.
    #[must_use]
    pub fn same(self, left: &str, right: &str) -> bool {
        if self == Self::Precis && !(left.is_ascii() && right.is_ascii()) {
            return self.fold(left) == self.fold(right);
        }
        left.len() == right.len()
            && left.chars().map(|c| self.fold_char(c)).eq(right.chars().map(|c| self.fold_char(c)))
    }

    fn fold_char(self, c: char) -> char {
        match (c, self) {
            ('A'..='Z', _) => c.to_ascii_lowercase(),
            ('[', Self::Rfc1459 | Self::Rfc1459Strict) => '{',
            (']', Self::Rfc1459 | Self::Rfc1459Strict) => '}',
            ('\\', Self::Rfc1459 | Self::Rfc1459Strict) => '|',
            ('~', Self::Rfc1459) => '^',
            _ => c,
        }
    }
}

/// Services that go by these names on any network.
const SERVICES: [&str; 17] = [
    "nickserv",
    "chanserv",
    "memoserv",
    "operserv",
    "botserv",
    "hostserv",
    "saslserv",
    "statserv",
    "authserv",
    "infoserv",
    "groupserv",
    "helpserv",
    "alis",
    "global",
    "userserv",
    "spamserv",
    "opserv",
];

/// Whether somewhere in small letters the name of services stands that is no word besides.
#[must_use]
pub fn names_service(letters: &str) -> bool {
    SERVICES.iter().any(|service| service.ends_with("serv") && letters.contains(service))
}

/// Whether a nick, or a full address, is one of the usual names of a network's services. What is said with them is never kept. The network
/// goes by any of the names that are known for it: on others the short nicks are people's.
pub fn is_service(nick: &str, networks: &[&str]) -> bool {
    const OF_ONE_NETWORK: [(&str, &str); 3] = [("q", "quakenet"), ("l", "quakenet"), ("x", "undernet")];
    // `NickServ@services.example.org`: what is said to it is said to nobody else.
    let nick = nick.split(['@', '!']).next().unwrap_or(nick);
    let is_of_network = |(service, network): &(&str, &str)| {
        nick.eq_ignore_ascii_case(service) && networks.iter().any(|one| one.eq_ignore_ascii_case(network))
    };
    SERVICES.contains(&nick.to_ascii_lowercase().as_str()) || OF_ONE_NETWORK.iter().any(is_of_network)
}

/// Whether a mask with `*` (any text) and `?` (any character) fits a text, by the network's casemapping. Linear but for
/// one step back per star, so that no mask makes anybody wait.
#[must_use]
pub fn matches_mask(mask: &str, text: &str, mapping: CaseMapping) -> bool {
    let (mask, text) = (mapping.fold(mask), mapping.fold(text));
    let (mask, text): (Vec<char>, Vec<char>) = (mask.chars().collect(), text.chars().collect());
    let (mut at, mut place) = (0, 0);
    // Where the last star stood, and the text behind what it has swallowed.
    let mut star: Option<(usize, usize)> = None;
    while place < text.len() {
        match mask.get(at) {
            Some('*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(&c) if c == '?' || c == text[place] => (at, place) = (at + 1, place + 1),
            _ => {
                let Some((after, swallowed)) = star else { return false };
                star = Some((after, swallowed + 1));
                (at, place) = (after + 1, swallowed + 1);
            }
        }
    }
    mask[at..].iter().all(|c| *c == '*')
}

/// A map whose keys are IRC names: equal under the network's casemapping, equal in the map. Iterates in folded order.
#[derive(Debug, Clone)]
pub struct CaseMap<V> {
    mapping: CaseMapping,
    /// Folded name → the name as it was written, for folding can't be undone, and the value.
    entries: BTreeMap<Box<str>, (Box<str>, V)>,
}

impl<V> Default for CaseMap<V> {
    fn default() -> Self {
        Self::new(CaseMapping::default())
    }
}

impl<V> CaseMap<V> {
    /// An empty map for a network with this casemapping.
    #[must_use]
    pub fn new(mapping: CaseMapping) -> Self {
        Self { mapping, entries: BTreeMap::new() }
    }

    /// The casemapping in force.
    #[must_use]
    pub fn mapping(&self) -> CaseMapping {
        self.mapping
    }

    /// Changes the casemapping, as `ISUPPORT` may do after registration. Where two entries become one, the last
    /// in order stays.
    pub fn set_mapping(&mut self, mapping: CaseMapping) {
        if mapping != self.mapping {
            self.mapping = mapping;
            let old = std::mem::take(&mut self.entries);
            self.entries =
                old.into_values().map(|(name, value)| (mapping.fold(&name).into(), (name, value))).collect();
        }
    }

    /// The value under a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&V> {
        self.entries.get(self.mapping.fold(name).as_str()).map(|(_, value)| value)
    }

    /// The value under a name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        self.entries.get_mut(self.mapping.fold(name).as_str()).map(|(_, value)| value)
    }

    /// Whether the name has a value.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets the value of a name and returns the one that it had.
    pub fn insert(&mut self, name: &str, value: V) -> Option<V> {
        self.entries.insert(self.mapping.fold(name).into(), (name.into(), value)).map(|(_, old)| old)
    }

    /// The value of a name, made first where it is missing.
    pub fn entry(&mut self, name: &str, make: impl FnOnce() -> V) -> &mut V {
        &mut self.entries.entry(self.mapping.fold(name).into()).or_insert_with(|| (name.into(), make())).1
    }

    /// Removes a name and returns its value.
    pub fn remove(&mut self, name: &str) -> Option<V> {
        self.entries.remove(self.mapping.fold(name).as_str()).map(|(_, value)| value)
    }

    /// Folded names with their values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.entries.iter().map(|(folded, (_, value))| (&**folded, value))
    }

    /// The values, in the order of their names.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values().map(|(_, value)| value)
    }

    /// The values, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.values_mut().map(|(_, value)| value)
    }

    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::itself("#rust", "#RUST", true)]
    #[case::a_part("#rust", "#rust-beginners", false)]
    #[case::a_star("#rust*", "#rust-beginners", true)]
    #[case::around("*rust*", "#trust", true)]
    #[case::nothing_for_the_star("#rust*", "#rust", true)]
    #[case::one_character("b?b", "bob", true)]
    #[case::no_character("b?b", "bb", false)]
    #[case::several_stars("*!*@*.example.org", "bob!~b@host.example.org", true)]
    #[case::the_network_compares("n[a]*", "N{A}x", true)]
    #[case::all("*", "", true)]
    #[case::none("", "x", false)]
    fn a_mask_fits_as_the_network_compares(#[case] mask: &str, #[case] text: &str, #[case] fits: bool) {
        assert_eq!(matches_mask(mask, text, CaseMapping::Rfc1459), fits);
    }

    #[test]
    fn no_mask_makes_anybody_wait() {
        let mask = format!("{}b", "a*".repeat(200));
        assert!(!matches_mask(&mask, &"a".repeat(2_000), CaseMapping::Ascii));
    }

    #[rstest]
    #[case::everywhere("NickServ", &["fake"], true)]
    #[case::a_person("x", &["libera", "Libera.Chat"], false)]
    #[case::another_networks("q", &["undernet"], false)]
    #[case::by_the_slug("Q", &["quakenet"], true)]
    #[case::by_the_name("l", &["u1-mine", "QuakeNet"], true)]
    #[case::as_the_server_says("X", &["u2-mine", "Mine", "UnderNet"], true)]
    #[case::nobody("", &[""], false)]
    fn short_nicks_are_services_on_their_own_networks_only(
        #[case] nick: &str,
        #[case] networks: &[&str],
        #[case] expected: bool,
    ) {
        assert_eq!(is_service(nick, networks), expected);
    }

    #[rstest]
    #[case::ascii_letters(CaseMapping::Ascii, "FooBar", "foobar", true)]
    #[case::brackets_differ_in_ascii(CaseMapping::Ascii, "a[b]", "a{b}", false)]
    #[case::brackets_equal_in_rfc1459(CaseMapping::Rfc1459, "A[b]\\~", "a{B}|^", true)]
    #[case::tilde_differs_in_strict(CaseMapping::Rfc1459Strict, "a~", "a^", false)]
    #[case::other_letters_are_not_folded(CaseMapping::Rfc1459, "É", "é", false)]
    #[case::letters_of_all_scripts_in_precis(CaseMapping::Precis, "ÉCOLE-Ж", "école-ж", true)]
    #[case::composed_or_not_in_precis(CaseMapping::Precis, "e\u{301}", "É", true)]
    #[case::full_width_in_precis(CaseMapping::Precis, "Ａlice", "alice", true)]
    #[case::brackets_differ_in_precis(CaseMapping::Precis, "a[", "a{", false)]
    #[case::ligatures_stay_in_precis(CaseMapping::Precis, "ﬁ", "fi", false)]
    fn names_are_compared_by_the_networks_casemapping(
        #[case] mapping: CaseMapping,
        #[case] left: &str,
        #[case] right: &str,
        #[case] equal: bool,
    ) {
        assert_eq!(mapping.same(left, right), equal);
        assert_eq!(mapping.fold(left) == mapping.fold(right), equal);
    }

    #[rstest]
    #[case::ascii("ascii", CaseMapping::Ascii)]
    #[case::rfc1459("rfc1459", CaseMapping::Rfc1459)]
    #[case::strict("rfc1459-strict", CaseMapping::Rfc1459Strict)]
    #[case::strict_the_other_way_round("strict-rfc1459", CaseMapping::Rfc1459Strict)]
    #[case::rfc7613("rfc7613", CaseMapping::Precis)]
    #[case::rfc8265("RFC8265", CaseMapping::Precis)]
    #[case::utf_8("utf-8", CaseMapping::Precis)]
    #[case::unknown("bulgarian", CaseMapping::Ascii)]
    fn a_casemapping_is_known_by_its_token(#[case] token: &str, #[case] mapping: CaseMapping) {
        assert_eq!(CaseMapping::from_token(token), mapping);
    }

    #[test]
    fn a_casemapping_is_known_by_its_own_token() {
        for mapping in CaseMapping::ALL {
            assert_eq!(CaseMapping::from_token(mapping.token()), mapping);
        }
    }

    #[rstest]
    #[case::carriage_return("a\rQUIT")]
    #[case::line_feed("a\nQUIT")]
    #[case::null("a\0b")]
    #[case::space("a b")]
    #[case::comma("a,b")]
    #[case::leading_colon(":a")]
    #[case::nothing("")]
    fn invariant_3_no_name_can_end_a_line_or_become_two_parameters(#[case] text: &str) {
        assert!(Nick::new(text).is_err());
        assert!(Channel::new(text).is_err() && Channel::new(&format!("#{text}x\r")).is_err());
        assert!(Key::new(text).is_err());
        assert!(Slug::new(text).is_err());
    }

    #[test]
    fn a_nick_is_no_channel_and_no_mask() {
        assert_eq!(Nick::new("#rust"), Err(InvalidName::Start('#')));
        assert_eq!(Nick::new("a!b"), Err(InvalidName::Character('!')));
        assert_eq!(Channel::new("rust"), Err(InvalidName::NotAChannel));
    }

    #[test]
    fn invariant_4_equal_names_are_one_entry_also_after_the_mapping_changes() {
        let mut map = CaseMap::new(CaseMapping::Ascii);
        map.insert("a[", 1);
        map.insert("A{", 2);
        assert_eq!(map.len(), 2);
        map.set_mapping(CaseMapping::Rfc1459);
        assert_eq!((map.len(), map.contains("A[")), (1, true));
        // The default mapping is in force until the server names another: nothing may be lost by that.
        map.set_mapping(CaseMapping::Ascii);
        assert!(map.contains("a{") && !map.contains("a["));
    }

    #[test]
    fn invariant_4_a_narrower_mapping_tells_apart_what_the_wider_one_would_merge() {
        let mut map = CaseMap::new(CaseMapping::Rfc1459);
        map.insert("A[b]", 1);
        map.set_mapping(CaseMapping::Ascii);
        assert!(map.contains("a[B]") && !map.contains("a{b}"));
    }
}
