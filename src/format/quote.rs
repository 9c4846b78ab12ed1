//! How an answer shows on IRC what it answers, where the network has no replies: by the nick as people there do, or by
//! the first words of what was said.
//!
//! It is given what was said on the channel itself and nothing else, so it can't show what the others have not seen.

use super::irc_codes::visible_irc;
use crate::names::CaseMapping;

/// Characters of a quotation.
const LONGEST_QUOTE: usize = 50;

/// What is answered, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered<'t> {
    /// Who said it; nobody where it needs no name: in a conversation of two, or where one answers oneself.
    pub nick: Option<&'t str>,
    /// What was said, with its formatting codes.
    pub text: &'t str,
    /// It is a moment ago and the last that they said, so that their nick says enough.
    pub is_fresh: bool,
}

impl Answered<'_> {
    /// The text of an answer, with what shows what it is about.
    pub fn answer(&self, text: &str, is_action: bool, mapping: CaseMapping) -> String {
        if is_action {
            // Who does something is the first word already.
            return match (self.is_fresh, self.nick) {
                (true, _) => text.to_owned(),
                (false, Some(nick)) => format!("{text} (to {nick}: {})", quote(self.text)),
                (false, None) => format!("{text} (to {})", quote(self.text)),
            };
        }
        let nick = self.nick.filter(|nick| !is_addressed_to(text, nick, mapping));
        match (self.is_fresh, nick) {
            (true, None) => text.to_owned(),
            (true, Some(nick)) => format!("{nick}: {text}"),
            (false, Some(nick)) => format!("{nick}: {} <- {text}", quote(self.text)),
            (false, None) => format!("{} <- {text}", quote(self.text)),
        }
    }
}

/// The first words of a line of IRC, without codes and what they hide, in quotation marks.
pub fn quote(text: &str) -> String {
    let plain = visible_irc(text).replace('"', "'");
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if plain.chars().count() <= LONGEST_QUOTE {
        return format!("\"{plain}\"");
    }
    let end = plain.char_indices().nth(LONGEST_QUOTE).map_or(plain.len(), |(end, _)| end);
    // Words stay whole, unless hardly any of them were left.
    let word = plain[..end].rfind(' ').filter(|word| *word >= end / 2);
    format!("\"{}...\"", plain[..word.unwrap_or(end)].trim_end())
}

/// Whether a text begins with a nick.
fn is_addressed_to(text: &str, nick: &str, mapping: CaseMapping) -> bool {
    let text = text.trim_start_matches(['@', ' ']);
    let Some((start, rest)) = text.split_at_checked(nick.len()) else { return false };
    let is_nick = |c: char| c.is_alphanumeric() || "-_[]\\`^{}|".contains(c);
    mapping.same(start, nick) && !rest.starts_with(is_nick)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case::fresh(Some("bob"), true, "yes", "bob: yes")]
    #[case::old(Some("bob"), false, "yes", "bob: \"shall we meet?\" <- yes")]
    #[case::own_fresh(None, true, "and tea", "and tea")]
    #[case::own_old(None, false, "and tea", "\"shall we meet?\" <- and tea")]
    #[case::addressed_already(Some("bob"), true, "bob: yes", "bob: yes")]
    #[case::addressed_in_another_case(Some("Bob[x]"), true, "bob{x}, yes", "bob{x}, yes")]
    #[case::addressed_as_in_matrix(Some("bob"), true, "@bob yes", "@bob yes")]
    #[case::another_nick(Some("bob"), true, "bobby: yes", "bob: bobby: yes")]
    #[case::addressed_and_old(Some("bob"), false, "bob: yes", "\"shall we meet?\" <- bob: yes")]
    #[case::no_room_for_a_nick(Some("bob"), true, "yé", "bob: yé")]
    #[case::several_lines(Some("bob"), true, "yes\nno", "bob: yes\nno")]
    fn an_answer_shows_whom_and_what_it_answers(
        #[case] nick: Option<&str>,
        #[case] is_fresh: bool,
        #[case] text: &str,
        #[case] expected: &str,
    ) {
        let answered = Answered { nick, text: "shall we \x02meet\x02?", is_fresh };
        assert_eq!(answered.answer(text, false, CaseMapping::Rfc1459), expected);
    }

    #[rstest]
    #[case::fresh(Some("bob"), true, "nods")]
    #[case::old(Some("bob"), false, "nods (to bob: \"hm?\")")]
    #[case::own_old(None, false, "nods (to \"hm?\")")]
    fn who_does_something_stays_the_first_word(
        #[case] nick: Option<&str>,
        #[case] is_fresh: bool,
        #[case] expected: &str,
    ) {
        let answered = Answered { nick, text: "hm?", is_fresh };
        assert_eq!(answered.answer("nods", true, CaseMapping::Rfc1459), expected);
    }

    #[rstest]
    #[case::short("hello", "\"hello\"")]
    #[case::codes("\x0304red\x03 and \x02bold", "\"red and bold\"")]
    #[case::spoiler("[spoiler] \x0301,01Rosebud", "\"[spoiler] ███\"")]
    #[case::quotation_marks("say \"hi\"", "\"say 'hi'\"")]
    #[case::lines_and_spaces("a\n  b\tc", "\"a b c\"")]
    #[case::long(
        "the first words of a line that goes on for much longer than a quotation may",
        "\"the first words of a line that goes on for much...\""
    )]
    #[case::no_spaces(
        "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
        "\"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwx...\""
    )]
    fn a_quotation_is_the_first_words(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(quote(text), expected);
    }

    proptest! {
        #[test]
        fn invariant_3_a_quotation_is_one_short_line(text in ".{0,300}|[\x00-\x1f\u{2028}\u{85}a]{0,100}") {
            let quote = quote(&text);
            prop_assert!(!quote.contains(['\n', '\r', '\0', '\u{2028}', '\u{2029}', '\u{85}']), "{quote:?}");
            prop_assert!(quote.chars().count() <= LONGEST_QUOTE + 5);
        }
    }
}
