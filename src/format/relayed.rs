//! How people are called on IRC for whom somebody else's connection says what they say: `<Carol> good morning`.
//!
//! A name is what its owner has chosen, and on IRC it stands where the bridge speaks. So nothing in it may act on those who
//! read it, end the brackets around it, or look like somebody else's: names that two people share, or that look like an
//! id, have their owner's id behind them. A line that would look as if it began with another's name begins with its own.
//!
//! What the letters themselves look like is not judged: an `а` that is Cyrillic makes another name.

use super::irc_codes::strip_irc;
use super::neutral::neutral;
use super::split::{Limit, lines_of, split_line};
use crate::names::Frame;

/// Characters of a name …
const LONGEST: usize = 40;
/// … and its bytes, so that most of a line is left for what is said.
const MOST_BYTES: usize = 80;
/// Bytes of an id behind a name.
const LONGEST_ID: usize = 100;
/// What keeps a name from being found as a nick, since it has no width.
const PART: char = '\u{200b}';

/// A name as it may stand on IRC; `None` where nothing is left of it.
pub fn relayed_name(name: &str) -> Option<String> {
    // What is cut off needs no reading.
    let end = name.char_indices().nth(8 * LONGEST).map_or(name.len(), |(end, _)| end);
    let name = neutral(&name[..end]).replace(['<', '>'], "");
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let name = cut_to(&name, MOST_BYTES, LONGEST);
    (!name.is_empty()).then_some(name)
}

fn cut_to(text: &str, bytes: usize, characters: usize) -> String {
    let fits = |(at, one): &(usize, char)| at + one.len_utf8() <= bytes;
    let mut cut: String = text.char_indices().take(characters).take_while(fits).map(|(_, one)| one).collect();
    if cut.len() < text.len() {
        cut = format!("{}…", cut.trim_end());
    }
    cut
}

/// How somebody is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Called {
    /// By the name that people see of them in the room.
    Displayed,
    /// By their id's first part.
    Localpart,
    /// By their id.
    Id,
}

impl Called {
    /// What somebody is called; `displayed` is their name in the room, and `is_shared` says whether somebody else there
    /// has the same name, or the same first part of an id.
    pub fn name(self, user_id: &str, displayed: Option<&str>, is_shared: bool) -> String {
        let id = cut_to(&neutral(user_id).replace(['<', '>', '\n'], ""), LONGEST_ID, LONGEST_ID);
        let localpart =
            || relayed_name(user_id.trim_start_matches('@').split(':').next().unwrap_or_default());
        let name = match self {
            Self::Displayed => displayed.and_then(relayed_name).or_else(localpart),
            Self::Localpart => localpart(),
            Self::Id => None,
        };
        match name {
            None => id,
            // What looks like an id may be somebody else's.
            Some(name) if is_shared || name.contains('@') => format!("{name} ({id})"),
            Some(name) => name,
        }
    }
}

/// A name in which no word is found as a nick for which this holds.
pub fn parted(name: &str, is_nick: impl Fn(&str) -> bool) -> String {
    let belongs = |one: char| one.is_alphanumeric() || "-_[]\\`^{}|".contains(one);
    let mut parted = String::with_capacity(name.len() + 8);
    let mut rest = name;
    while !rest.is_empty() {
        let end = rest.find(|one| !belongs(one)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        let mut letters = word.chars();
        if let Some(first) = letters.next().filter(|_| is_nick(word)) {
            parted.push(first);
            parted.push(PART);
            parted.push_str(letters.as_str());
        } else {
            parted.push_str(word);
        }
        let next = behind.find(belongs).unwrap_or(behind.len());
        let (between, further) = behind.split_at(next);
        parted.push_str(between);
        rest = further;
    }
    parted
}

/// What stands before what somebody says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    /// With the space behind it.
    pub text: String,
    /// Before each line, not only before the first.
    pub is_on_all: bool,
}

impl Prefix {
    /// Of what is said, or of what is done: that has the name alone, and on each line, since it would else be done by who
    /// says it.
    pub fn new(name: &str, frame: &Frame, is_action: bool, is_on_all: bool) -> Self {
        let text = if is_action { format!("{name} ") } else { frame.around(name) };
        Self { text, is_on_all: is_on_all || is_action }
    }

    /// The lines of a text without the prefix, each with room for it.
    pub fn cut(&self, text: &str, limit: Limit) -> Vec<String> {
        let limit = limit.behind(&self.text);
        lines_of(text).flat_map(|line| split_line(&line, &limit)).collect()
    }

    /// Lines with the prefix, where it belongs.
    pub fn put(&self, lines: Vec<String>) -> Vec<String> {
        let put = |(place, line): (usize, String)| {
            let needs = place == 0 || self.is_on_all || looks_said_by_another(&line, &self.text);
            if needs { format!("{}{line}", self.text) } else { line }
        };
        lines.into_iter().enumerate().map(put).collect()
    }
}

/// Whether a line begins as one that the bridge says for somebody, with this before it or as it is usual.
fn looks_said_by_another(line: &str, prefix: &str) -> bool {
    let line = strip_irc(line);
    let line = line.trim_start();
    line.starts_with(['<', '*', '‹', '＜', '⟨', '〈'])
        || prefix.chars().next().is_some_and(|opening| line.starts_with(opening))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("Carol", Some("Carol"))]
    #[case::words("  Carol \t Doe ", Some("Carol Doe"))]
    #[case::several_lines("Carol\n<bob> I", Some("Carol bob I"))]
    #[case::end_of_the_brackets("Carol> hi <Dave", Some("Carol hi Dave"))]
    #[case::codes("\x02\x0304Carol\x0f\x01", Some("Carol"))]
    #[case::turned_around("\u{202e}loraC\u{200b}", Some("loraC"))]
    #[case::nothing("\u{200b}\u{2066} <> \n", None)]
    #[case::emoji("👩‍🚀 Zoë", Some("👩‍🚀 Zoë"))]
    fn a_name_can_do_nothing_but_name(#[case] name: &str, #[case] expected: Option<&str>) {
        assert_eq!(relayed_name(name).as_deref(), expected);
    }

    #[test]
    fn no_name_is_longer_than_so_many_characters_and_bytes() {
        let long = relayed_name(&"x".repeat(1_000)).unwrap();
        assert_eq!(long, format!("{}…", "x".repeat(LONGEST)));
        let wide = relayed_name(&"漢".repeat(1_000)).unwrap();
        assert_eq!(wide, format!("{}…", "漢".repeat(MOST_BYTES / 3)));
        let id = Called::Id.name(&format!("@{}:example.org", "x".repeat(240)), None, false);
        assert!(id.len() <= LONGEST_ID + 3, "{id}");
    }

    #[rstest]
    #[case::their_name(Called::Displayed, Some("Carol"), false, "Carol")]
    #[case::as_somebody_else(Called::Displayed, Some("Carol"), true, "Carol (@carol:example.org)")]
    #[case::like_an_id(
        Called::Displayed,
        Some("@bob:example.org"),
        false,
        "@bob:example.org (@carol:example.org)"
    )]
    #[case::like_a_name_with_an_id(
        Called::Displayed,
        Some("Bob (@bob:example.org)"),
        false,
        "Bob (@bob:example.org) (@carol:example.org)"
    )]
    #[case::no_name(Called::Displayed, None, false, "carol")]
    #[case::nothing_left_of_it(Called::Displayed, Some("<>"), false, "carol")]
    #[case::localpart(Called::Localpart, Some("Carol"), false, "carol")]
    #[case::localpart_of_two(Called::Localpart, Some("Carol"), true, "carol (@carol:example.org)")]
    #[case::id(Called::Id, Some("Carol"), true, "@carol:example.org")]
    fn somebody_is_called_so_that_it_is_them(
        #[case] called: Called,
        #[case] displayed: Option<&str>,
        #[case] is_shared: bool,
        #[case] expected: &str,
    ) {
        assert_eq!(called.name("@carol:example.org", displayed, is_shared), expected);
    }

    #[rstest]
    #[case::the_whole("bob", "b\u{200b}ob")]
    #[case::a_word("Uncle Bob (IRC)", "Uncle B\u{200b}ob (IRC)")]
    #[case::one_letter("x bob", "x b\u{200b}ob")]
    #[case::part_of_a_word("bobby", "bobby")]
    #[case::none("Carol", "Carol")]
    fn a_name_that_is_a_nick_there_calls_nobody(#[case] name: &str, #[case] expected: &str) {
        assert_eq!(parted(name, |word| word.eq_ignore_ascii_case("bob")), expected);
    }

    #[rstest]
    #[case::one_line("hi", true, &["<Carol> hi"])]
    #[case::on_all("hi\nthere", true, &["<Carol> hi", "<Carol> there"])]
    #[case::on_the_first("hi\nthere", false, &["<Carol> hi", "there"])]
    #[case::as_by_another("hi\n<bob> I agree\n \x02<\x02bob> too\n* bob waves", false,
        &["<Carol> hi", "<Carol> <bob> I agree", "<Carol>  \x02<\x02bob> too", "<Carol> * bob waves"])]
    #[case::cut("sixteen letters! and more", true, &["<Carol> sixteen letters!", "<Carol> and more"])]
    #[case::cut_before_a_name("sixteen letters! <bob> hm", false, &["<Carol> sixteen letters!", "<Carol> <bob> hm"])]
    fn every_line_fits_with_its_prefix_and_none_looks_like_somebody_elses(
        #[case] text: &str,
        #[case] is_on_all: bool,
        #[case] expected: &[&str],
    ) {
        let prefix = Prefix::new("Carol", &Frame::default(), false, is_on_all);
        let lines = prefix.put(prefix.cut(text, Limit::utf_8(24)));
        assert!(lines.iter().all(|line| line.len() <= 24), "{lines:?}");
        assert_eq!(lines, expected);
    }

    #[test]
    fn what_somebody_does_has_their_name_on_each_line() {
        let prefix = Prefix::new("Carol", &Frame::default(), true, false);
        assert_eq!(prefix.put(prefix.cut("waves\nbows", Limit::utf_8(100))), ["Carol waves", "Carol bows"]);
    }

    #[test]
    fn no_line_looks_said_by_another_whatever_stands_around_names() {
        let prefix = Prefix::new("Carol", &Frame::new("[{name}@m]").unwrap(), false, false);
        let lines = prefix.put(prefix.cut("one\n[Bob@m] two\n<bob> three\n(four)", Limit::utf_8(100)));
        let expected = ["[Carol@m] one", "[Carol@m] [Bob@m] two", "[Carol@m] <bob> three", "(four)"];
        assert_eq!(lines, expected);
    }
}
