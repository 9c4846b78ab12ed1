//! What stands around the name of somebody for whom a line is said: `<Carol> good morning`.
//!
//! It is a pair of brackets. Nothing on IRC takes a line that begins with one for a command, or for a nick that is called,
//! whatever the name in it is; and where it ends, the name does.

/// The brackets that there are.
const BRACKETS: [(char, char); 9] = [
    ('<', '>'),
    ('[', ']'),
    ('(', ')'),
    ('‹', '›'),
    ('«', '»'),
    ('⟨', '⟩'),
    ('《', '》'),
    ('「', '」'),
    ('“', '”'),
];
/// Where the name stands.
const NAME: &str = "{name}";
/// Characters of a whole one.
const LONGEST: usize = 30;

/// What stands before the nicks of people of a rank, in lists and logs.
const RANKS: [char; 6] = ['~', '&', '@', '%', '+', '!'];

/// What stands around a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    before: String,
    behind: String,
    brackets: (char, char),
}

impl Default for Frame {
    fn default() -> Self {
        Self { before: "<".to_owned(), behind: ">".to_owned(), brackets: BRACKETS[0] }
    }
}

impl Frame {
    /// What a frame is, in words.
    pub const RULE: &str = "{name} in a pair of brackets, once, with up to 24 other characters and no sign of a rank before it, such as \
         [{name}]";

    /// Reads one; `None` where a line that begins with it could be taken for something else, or a
    /// name in it for that of somebody who has a rank.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let (before, behind) = text.split_once(NAME)?;
        let (first, last) = (before.chars().next()?, behind.chars().next_back()?);
        let brackets = BRACKETS.into_iter().find(|pair| *pair == (first, last))?;
        let within = before.chars().skip(1).chain(behind.chars().rev().skip(1));
        let is_harmless = |one: char| (one.is_ascii_graphic() && !"{}".contains(one)) || one == ' ';
        let fits = |one: char| is_harmless(one) && one != brackets.0 && one != brackets.1;
        let looks_harmless = !before.ends_with(RANKS);
        let is_frame = looks_harmless && text.chars().count() <= LONGEST && within.into_iter().all(fits);
        is_frame.then(|| Self { before: before.to_owned(), behind: behind.to_owned(), brackets })
    }

    /// A name in it, with a space behind.
    #[must_use]
    pub fn around(&self, name: &str) -> String {
        format!("{}{name}{} ", self.before, self.behind)
    }

    /// A name without what would end the frame.
    #[must_use]
    pub fn without_brackets(&self, name: &str) -> String {
        let name = name.replace([self.brackets.0, self.brackets.1], " ");
        name.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::usual("<{name}>", Some("<Carol> "))]
    #[case::square("[{name}]", Some("[Carol] "))]
    #[case::with_words("(Matrix: {name})", Some("(Matrix: Carol) "))]
    #[case::with_a_mark("«{name}@m»", Some("«Carol@m» "))]
    #[case::no_name("<name>", None)]
    #[case::two_names("<{name} {name}>", None)]
    #[case::another_field("<{nick} {name}>", None)]
    #[case::no_brackets("{name}:", None)]
    #[case::a_command("!{name}", None)]
    #[case::a_command_before_brackets("!say <{name}>", None)]
    #[case::something_behind_the_brackets("<{name}> !kick", None)]
    #[case::not_closed("<{name}", None)]
    #[case::closed_otherwise("<{name}]", None)]
    #[case::closed_before_the_name("<> {name}>", None)]
    #[case::a_control_character("<\u{1}{name}>", None)]
    #[case::a_line_end("<\n{name}>", None)]
    #[case::turned_around("<\u{202e}{name}>", None)]
    #[case::long("<{name} of somewhere else entirely>", None)]
    #[case::an_operator("<@{name}>", None)]
    #[case::a_voice("[+{name}]", None)]
    #[case::an_owner_behind_words("(Matrix ~{name})", None)]
    #[case::a_sign_elsewhere("<+ {name}>", Some("<+ Carol> "))]
    #[case::nothing("", None)]
    fn a_frame_ends_where_the_name_does_and_begins_no_command(
        #[case] text: &str,
        #[case] line: Option<&str>,
    ) {
        assert_eq!(Frame::new(text).map(|frame| frame.around("Carol")).as_deref(), line);
    }

    #[test]
    fn nothing_in_a_name_ends_the_frame() {
        let frame = Frame::new("[{name}]").unwrap();
        assert_eq!(frame.without_brackets("Carol] !kick [x"), "Carol !kick x");
        assert_eq!(frame.without_brackets("Carol (at home)"), "Carol (at home)");
    }
}
