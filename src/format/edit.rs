//! What an edit says on IRC, where nothing that was said can be changed: as people there correct themselves.
//!
//! It is told from the text as it was said and the text as it is now, line by line; `diff` finds the words. What has
//! not changed is not said again, and where nothing that is seen has changed, nothing is said at all.

use super::diff::{Change, changed_words};
use super::irc_codes::strip_irc;
use super::split::lines_of;

/// How a small edit of the last message is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EditStyle {
    /// `s/teh/the/`
    #[default]
    Correction,
    /// `* the`
    Word,
    /// `* the whole text`
    Full,
}

/// Where an edit comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edited<'t> {
    /// What was said before, as far as it is known.
    pub before: Option<&'t str>,
    /// What it says now.
    pub now: &'t str,
    /// Nothing was said there since, so that everybody knows which message is meant.
    pub is_last: bool,
    /// It is something that is done (`/me`).
    pub is_action: bool,
}

/// What is said of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Correction {
    /// Nothing: it looks as before.
    Nothing,
    /// What was wrong and what it should be.
    Short(String),
    /// The new text, or its new lines, marked as an edit.
    Marked(String),
}

impl Edited<'_> {
    /// What is said of it.
    pub fn correction(&self, style: EditStyle) -> Correction {
        let now: Vec<String> = lines_of(self.now).collect();
        let Some(before) = self.before else { return self.marked(&now, 1) };
        let before: Vec<String> = lines_of(before).collect();
        if before == now {
            return Correction::Nothing;
        }
        let same = |(before, now): &(&String, &String)| before == now;
        let head = before.iter().zip(&now).take_while(same).count();
        let (before_rest, now_rest) = (&before[head..], &now[head..]);
        let tail = before_rest.iter().rev().zip(now_rest.iter().rev()).take_while(same).count();
        let old = &before_rest[..before_rest.len() - tail];
        let new = &now_rest[..now_rest.len() - tail];
        if let ([old], [new]) = (old, new)
            && strip_irc(old) == *old
            && strip_irc(new) == *new
        {
            if old.split_whitespace().eq(new.split_whitespace()) {
                return Correction::Nothing;
            }
            let others = before.iter().enumerate().filter(|(place, _)| *place != head);
            let others: Vec<&str> = others.map(|(_, line)| line.as_str()).collect();
            if let Some(short) = self.short(old, new, &others, style) {
                return Correction::Short(short);
            }
        }
        // Lines that only stand elsewhere now were read already.
        let new: Vec<String> = new.iter().filter(|line| !old.contains(line)).cloned().collect();
        if new.is_empty() { self.marked(&now, 1) } else { self.marked(&new, new.len()) }
    }

    /// The changed words alone, where they say enough, and which message is meant is clear.
    fn short(&self, old: &str, new: &str, others: &[&str], style: EditStyle) -> Option<String> {
        if !self.is_last {
            return None;
        }
        let Change { from, to, widened_to } = changed_words(old, new)?;
        let short = match style {
            EditStyle::Correction => {
                if others.iter().any(|line| line.contains(from)) {
                    return None;
                }
                let slash = ['/', '|', '#'].into_iter().find(|&c| !from.contains(c) && !to.contains(c))?;
                format!("s{slash}{from}{slash}{to}{slash}")
            }
            EditStyle::Word => format!("* {widened_to}"),
            EditStyle::Full => return None,
        };
        (short.len() <= new.len() + 2).then_some(short)
    }

    /// These lines, the first so many of them with a mark.
    fn marked(&self, lines: &[String], marks: usize) -> Correction {
        let mark = |(place, line): (usize, &String)| match (place < marks, self.is_action, self.is_last) {
            (false, ..) => line.clone(),
            (true, true, _) => format!("{line} (edited)"),
            (true, false, true) => format!("* {line}"),
            (true, false, false) => format!("(edited) {line}"),
        };
        if lines.is_empty() {
            return Correction::Nothing;
        }
        Correction::Marked(lines.iter().enumerate().map(mark).collect::<Vec<_>>().join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn said(before: &str, now: &str, style: EditStyle, is_last: bool) -> String {
        let edited = Edited { before: Some(before), now, is_last, is_action: false };
        match edited.correction(style) {
            Correction::Nothing => String::new(),
            Correction::Short(text) | Correction::Marked(text) => text,
        }
    }

    #[rstest]
    #[case::one_word("teh cat sat", "the cat sat", "s/teh/the/", "* the")]
    #[case::in_the_middle("I saw teh cat", "I saw the cat", "s/teh/the/", "* the")]
    #[case::punctuation("is it on tuesday", "is it on tuesday?", "s/tuesday/tuesday?/", "* tuesday?")]
    #[case::inserted("I saw a cat today", "I saw a black cat today", "s/saw a/saw a black/", "* a black cat")]
    #[case::inserted_at_the_start(
        "cats sleep all day",
        "most cats sleep all day",
        "s/cats/most cats/",
        "* most cats"
    )]
    #[case::added_at_the_end(
        "I saw a cat sleeping",
        "I saw a cat sleeping there",
        "s/sleeping/sleeping there/",
        "* sleeping there"
    )]
    #[case::removed("it is very very good now", "it is very good now", "s/very very/very/", "* very good")]
    #[case::negated("we will not meet today", "we will meet today", "s/will not/will/", "* will meet")]
    #[case::not_the_first_of_its_kind(
        "the cat and teh cat and a cat",
        "the cat and teh cat and a dog",
        "s/a cat/a dog/",
        "* dog"
    )]
    #[case::part_of_an_earlier_word(
        "cats like a cat so much",
        "cats like a dog so much",
        "s/a cat/a dog/",
        "* dog"
    )]
    #[case::a_path(
        "see the page at /usr/lib please",
        "see the page at /usr/bin please",
        "s|/usr/lib|/usr/bin|",
        "* /usr/bin"
    )]
    #[case::all_new("cat", "dog", "* dog", "* dog")]
    #[case::much(
        "one two three four five six",
        "uno dos tres cuatro five six",
        "* uno dos tres cuatro five six",
        "* uno dos tres cuatro five six"
    )]
    #[case::at_both_ends(
        "teh cat sat on a mta",
        "the cat sat on a mat",
        "* the cat sat on a mat",
        "* the cat sat on a mat"
    )]
    #[case::the_same("the cat", "the cat", "", "")]
    #[case::only_spaces("the  cat ", "the cat", "", "")]
    #[case::made_bold("the cat", "the \x02cat\x02", "* the \x02cat\x02", "* the \x02cat\x02")]
    #[case::one_line_of_three(
        "a b c\nteh cat sat\nd e f",
        "a b c\nthe cat sat\nd e f",
        "s/teh/the/",
        "* the"
    )]
    #[case::also_in_another_line(
        "is teh end\nteh cat sat",
        "is teh end\nthe cat sat",
        "* the cat sat",
        "* the"
    )]
    #[case::two_lines_of_three("aa\nbb\ncc", "xx\nyy\ncc", "* xx\n* yy", "* xx\n* yy")]
    #[case::a_line_more("aa\ncc", "aa\nbb\ncc", "* bb", "* bb")]
    #[case::a_line_less("aa\nbb\ncc", "aa\ncc", "* aa\ncc", "* aa\ncc")]
    #[case::every_kind_of_line_end("a\r\nb", "a\nb\r", "", "")]
    #[case::all_gone("a", " \n", "", "")]
    fn an_edit_of_the_last_message_says_what_changed(
        #[case] before: &str,
        #[case] now: &str,
        #[case] correction: &str,
        #[case] word: &str,
    ) {
        assert_eq!(said(before, now, EditStyle::Correction, true), correction);
        assert_eq!(said(before, now, EditStyle::Word, true), word);
    }

    #[rstest]
    #[case::whole("teh cat", "the cat", true, "* the cat")]
    #[case::of_an_earlier_message("teh cat", "the cat", false, "(edited) the cat")]
    #[case::one_line_of_an_earlier_message("aa\nbb\ncc", "aa\nbx\ncc", false, "(edited) bx")]
    #[case::the_same("the cat", "the cat", false, "")]
    fn a_full_edit_says_the_new_lines(
        #[case] before: &str,
        #[case] now: &str,
        #[case] is_last: bool,
        #[case] expected: &str,
    ) {
        assert_eq!(said(before, now, EditStyle::Full, is_last), expected);
        if !is_last {
            assert_eq!(said(before, now, EditStyle::Correction, false), expected);
        }
    }

    #[rstest]
    #[case::unknown(Edited { before: None, now: "a\nb", is_last: false, is_action: false }, "(edited) a\nb")]
    #[case::action(Edited { before: Some("waves"), now: "waves a lot", is_last: false, is_action: true },
        "waves a lot (edited)")]
    #[case::nothing_left(Edited { before: None, now: "", is_last: true, is_action: false }, "")]
    fn where_less_is_known_the_new_text_is_marked(#[case] edited: Edited<'_>, #[case] expected: &str) {
        let found = match edited.correction(EditStyle::Correction) {
            Correction::Marked(text) => text,
            Correction::Nothing => String::new(),
            Correction::Short(text) => panic!("{text}"),
        };
        assert_eq!(found, expected);
    }

    proptest! {
        #[test]
        fn what_is_said_of_an_edit_is_no_longer_than_the_text_and_ends_no_line(
            before in "([a-d/|# ]|\r|\n|\u{2028}|\0|\x02){0,60}",
            now in "([a-d/|# ]|\r|\n|\u{2028}|\0|\x02){0,60}",
            style in prop_oneof![Just(EditStyle::Correction), Just(EditStyle::Word), Just(EditStyle::Full)],
            is_last: bool,
        ) {
            let text = said(&before, &now, style, is_last);
            prop_assert!(!text.contains(['\r', '\0', '\u{2028}']), "{text:?}");
            let lines = lines_of(&now).count();
            prop_assert!(text.lines().count() <= lines.max(1));
            prop_assert!(text.len() <= now.len() + 9 * lines);
        }

        #[test]
        fn a_correction_leads_from_the_old_text_to_the_new(
            before in "[a-c]{1,2}( [a-c]{1,2}){0,9}",
            now in "[a-c]{1,2}( [a-c]{1,2}){0,9}",
        ) {
            let edited = Edited { before: Some(&before), now: &now, is_last: true, is_action: false };
            if let Correction::Short(text) = edited.correction(EditStyle::Correction) {
                let parts: Vec<&str> = text.split('/').collect();
                prop_assert_eq!(before.replacen(parts[1], parts[2], 1), now);
            }
        }
    }
}
