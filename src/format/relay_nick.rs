//! Under which nick somebody is heard on IRC who has no connection, where the server lets us give them one: `Carol/m`.
//!
//! Such a nick has a separator that no other has, so that it is nobody's. Between those who are relayed it tells people
//! apart: who shares a name, of whose name more is lost than spaces, or whose name looks like a marked one, has a mark
//! behind it that comes from their id.

/// What such a nick may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NickRules<'r> {
    /// Characters of which one stands before the tag, and none in the name.
    pub separators: &'r str,
    /// What stands behind it.
    pub tag: &'r str,
    /// Bytes of the whole, at most.
    pub length: usize,
    /// Whether letters of all scripts may be in it.
    pub utf8: bool,
}

/// Characters of a mark.
const MARK: usize = 5;
/// Nobody's name is cut shorter than this.
const SHORTEST: usize = 4;

impl NickRules<'_> {
    /// The nick of somebody with this name, as `Called::name` gives it, and this id. From the second attempt on it has a
    /// mark, with each another one.
    pub fn nick(&self, name: &str, user_id: &str, attempt: u32) -> String {
        let separator = self.separators.chars().next().unwrap_or('/');
        let tag: String = self.tag.chars().filter(|one| self.takes(*one)).collect();
        let room = self.length.saturating_sub(separator.len_utf8() + tag.len());
        // Who shares a name has their id behind it, which is too long for a nick.
        let (own, is_shared) = match name.split_once(" (@") {
            Some((own, _)) => (own, true),
            None => (name, name.contains('@')),
        };
        let (mut nick, mut is_whole) = self.legal(own);
        if nick.is_empty() {
            let localpart = user_id.trim_start_matches('@').split(':').next().unwrap_or_default();
            (nick, is_whole) = (self.legal(localpart).0, false);
        }
        if nick.starts_with(|one: char| one.is_ascii_digit() || one == '-') {
            nick.insert(0, '_');
        }
        if is_shared || !is_whole || attempt > 0 || nick.len() > room {
            cut(&mut nick, room.saturating_sub(MARK + 1).max(SHORTEST));
            nick = format!("{nick}-{}", mark(user_id, attempt));
        }
        format!("{nick}{separator}{tag}")
    }

    fn takes(&self, one: char) -> bool {
        let is_letter = if self.utf8 { one.is_alphanumeric() } else { one.is_ascii_alphanumeric() };
        (is_letter || "-_[]\\`^{}|".contains(one)) && !self.separators.contains(one)
    }

    /// What of a name may be in a nick, and whether that is all of it but for spaces.
    fn legal(&self, name: &str) -> (String, bool) {
        let gap = if self.takes('_') { '_' } else { '-' };
        let (mut nick, mut is_whole) = (String::new(), true);
        for one in name.chars() {
            if self.takes(one) {
                nick.push(one);
                continue;
            }
            is_whole &= one.is_whitespace();
            if !nick.is_empty() && !nick.ends_with(gap) {
                nick.push(gap);
            }
        }
        nick.truncate(nick.trim_end_matches(gap).len());
        // Nobody calls themselves what another has to be called.
        let is_whole = is_whole && !ends_in_mark(&nick);
        (nick, is_whole)
    }
}

fn cut(text: &mut String, bytes: usize) {
    while text.len() > bytes {
        text.pop();
    }
}

/// What marks are made of.
const OF_MARKS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

fn ends_in_mark(nick: &str) -> bool {
    let is_mark =
        |end: &str| end.len() == MARK && end.bytes().all(|one| OF_MARKS.contains(&one.to_ascii_lowercase()));
    nick.rsplit_once('-').is_some_and(|(_, end)| is_mark(end))
}

/// Letters that come from an id: always the same (FNV-1a).
fn mark(user_id: &str, attempt: u32) -> String {
    let bytes = user_id.bytes().chain(attempt.max(1).to_le_bytes());
    let mut hash = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, one| (hash ^ u64::from(one)).wrapping_mul(0x100_0000_01b3));
    let mut mark = String::with_capacity(MARK);
    for _ in 0..MARK {
        mark.push(char::from(OF_MARKS[(hash % 32) as usize]));
        hash /= 32;
    }
    mark
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::collections::HashSet;

    const CAROL: &str = "@carol:example.org";

    fn rules() -> NickRules<'static> {
        NickRules { separators: "/", tag: "m", length: 30, utf8: false }
    }

    #[rstest]
    #[case::plain("Carol", "Carol/m")]
    #[case::words("Carol  Doe", "Carol_Doe/m")]
    #[case::what_a_nick_may_have("[Carol]^", "[Carol]^/m")]
    #[case::a_digit_in_front("4chan", "_4chan/m")]
    #[case::a_dash("Carol-Doe", "Carol-Doe/m")]
    fn a_name_becomes_a_nick_that_servers_take(#[case] name: &str, #[case] nick: &str) {
        assert_eq!(rules().nick(name, CAROL, 0), nick);
    }

    #[rstest]
    #[case::shared("Carol (@carol:example.org)", "Carol-")]
    #[case::an_id("@carol:example.org", "carol_example_org-")]
    #[case::letters_that_it_does_not_take("Zoë", "Zo-")]
    #[case::what_no_nick_has("!Carol, \"Do'e\"?", "Carol_Do_e-")]
    #[case::a_sign_at_the_end("Carol.", "Carol-")]
    #[case::an_emoji("Carol 👩‍🚀", "Carol-")]
    #[case::the_separator("Carol/m", "Carol_m-")]
    #[case::anothers_mark("Carol-x7k2q", "Carol-x7k2q-")]
    #[case::another_script("Зоя", "carol-")]
    #[case::only_signs("👩‍🚀", "carol-")]
    #[case::too_long("Carol of the very long family name", "Carol_of_the_very_long-")]
    fn whose_name_may_be_taken_for_anothers_has_a_mark(#[case] name: &str, #[case] begins: &str) {
        let nick = rules().nick(name, CAROL, 0);
        let mark = nick.strip_prefix(begins).and_then(|rest| rest.strip_suffix("/m"));
        assert_eq!(mark.map(str::len), Some(MARK), "{nick}");
        assert!(nick.len() <= 30 && nick == rules().nick(name, CAROL, 0), "{nick}");
        assert_ne!(nick, rules().nick(name, "@carol:example.com", 0));
    }

    #[test]
    fn letters_of_all_scripts_stay_where_the_server_takes_them() {
        let rules = NickRules { utf8: true, ..rules() };
        assert_eq!(rules.nick("Зоя Zoë", CAROL, 0), "Зоя_Zoë/m");
        let long = rules.nick(&"漢".repeat(40), CAROL, 0);
        assert!(long.len() <= 30 && long.starts_with("漢漢漢"), "{long}");
    }

    #[test]
    fn each_further_attempt_gives_another_nick() {
        let nicks: HashSet<String> = (0..8).map(|attempt| rules().nick("Carol", CAROL, attempt)).collect();
        assert_eq!(nicks.len(), 8);
    }

    #[rstest]
    #[case::several_separators("_/", "m", "Carol-Doe_m")]
    #[case::a_longer_tag("/", "matrix", "Carol_Doe/matrix")]
    #[case::a_tag_that_is_none("/", "m@/", "Carol_Doe/m")]
    fn the_server_says_what_separates_and_the_user_what_stands_behind(
        #[case] separators: &str,
        #[case] tag: &str,
        #[case] nick: &str,
    ) {
        assert_eq!(NickRules { separators, tag, ..rules() }.nick("Carol Doe", CAROL, 0), nick);
    }
}
