//! The nick that somebody starts with, as a template makes it of their Matrix id or display name.
//!
//! A display name is whatever its owner chose. What of it may be in a nick is kept, where that is most of it; what looks
//! like a network's services is nobody's nick. Characters that mean a rank are in no nick at all.
//!
//! Spec: RFC 2812 section 2.3.1.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::names::{Nick, is_service, names_service};

/// Many servers take no longer ones.
const LONGEST: usize = 30;
/// Characters of a display name that are read.
const MOST_READ: usize = 200;

/// A nick that is still to be fitted into the length that a server takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstNick {
    base: String,
    kept: String,
}

impl FirstNick {
    /// From what a template has made of somebody, what it has behind them, and the name of their session behind that.
    pub fn new(base: &str, behind: &str, session: &str) -> Self {
        let mut base: String = base.chars().map(legal).collect();
        let kept = format!("{}{session}", behind.chars().map(legal).collect::<String>());
        let first = base.chars().chain(kept.chars()).next();
        if first.is_none_or(|first| first.is_ascii_digit() || first == '-') {
            base.insert(0, '_');
        }
        Self { base, kept }
    }

    /// What stays when it is cut.
    pub fn kept(&self) -> &str {
        &self.kept
    }

    /// The same with a number in it, which tells its owner from somebody whose nick it would be.
    #[must_use]
    pub fn numbered(&self, number: i64) -> Self {
        Self { base: self.base.clone(), kept: format!("_{number}{}", self.kept) }
    }

    /// The nick in so many bytes, where the network is known to take no more. What stays has one byte before it at least.
    pub fn within(&self, most: Option<usize>) -> Nick {
        let (base, kept) = self.parts_within(most);
        let nick = format!("{base}{kept}");
        Nick::new(&nick).or_else(|_| Nick::new("towline")).expect("each character of it may stand in a nick")
    }

    /// Whether in so many bytes people could take it for services, which as a whole it may not look like.
    #[must_use]
    pub fn is_cut_to_services(&self, most: Option<usize>, networks: &[&str]) -> bool {
        let (base, kept) = self.parts_within(most);
        looks_like_services(base, networks) || looks_like_services(&format!("{base}{kept}"), networks)
    }

    fn parts_within(&self, most: Option<usize>) -> (&str, &str) {
        let most = most.unwrap_or(LONGEST).clamp(1, LONGEST);
        let kept = &self.kept[..self.kept.len().min(most - 1)];
        (&self.base[..self.base.len().min(most - kept.len())], kept)
    }
}

fn may_stand(one: char) -> bool {
    one.is_ascii_alphanumeric() || "-_[]\\`^{}|".contains(one)
}

fn legal(one: char) -> char {
    if may_stand(one) { one } else { '_' }
}

/// What of a display name may be in a nick, without accents; nothing where that is less than is lost, or would look
/// like services of a network that goes by these names.
pub fn nick_of_display_name(name: &str, networks: &[&str]) -> Option<String> {
    let (mut nick, mut letters, mut lost) = (String::new(), 0, 0);
    for one in name.nfkd().take(MOST_READ).filter(|one| !is_combining_mark(*one)) {
        if may_stand(one) {
            letters += usize::from(one.is_ascii_alphanumeric());
            nick.push(one);
            continue;
        }
        lost += usize::from(one.is_alphanumeric());
        if !nick.is_empty() && !nick.ends_with('_') {
            nick.push('_');
        }
    }
    nick.truncate(nick.trim_end_matches('_').len());
    (letters > lost && !looks_like_services(&nick, networks)).then_some(nick)
}

/// Whether people could take this for services: by its letters, whatever stands between or behind them, and by digits that
/// look like some.
fn looks_like_services(nick: &str, networks: &[&str]) -> bool {
    let letters: String = nick.chars().filter(char::is_ascii_alphanumeric).collect();
    let likeness = letters.trim_end_matches(|one: char| one.is_ascii_digit()).to_ascii_lowercase();
    let likeness: String = likeness
        .chars()
        .map(|one| match one {
            '0' => 'o',
            '1' => 'i',
            '3' => 'e',
            '5' => 's',
            one => one,
        })
        .collect();
    // Most of them end in this, and a network may have some of its own.
    likeness.ends_with("serv")
        || names_service(&likeness)
        || [&letters, &likeness].iter().any(|one| is_service(one, networks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("alice", "", "alice")]
    #[case::foreign("jürgen.k", "", "j_rgen_k")]
    #[case::digit_first("4ever", "", "_4ever")]
    #[case::nothing("", "", "_")]
    #[case::a_further_session("alice", "_work", "alice_work")]
    #[case::a_long_name("abcdefghijabcdefghijabcdefghij", "_work", "abcdefghijabcdefghijabcde_work")]
    fn a_matrix_name_becomes_a_nick_that_servers_take(
        #[case] name: &str,
        #[case] session: &str,
        #[case] nick: &str,
    ) {
        assert_eq!(FirstNick::new(name, "", session).within(None).as_str(), nick);
    }

    #[rstest]
    #[case::it_fits("alice", Some(8), "alice[m]")]
    #[case::nobody_knows("christopher", None, "christopher[m]")]
    #[case::it_is_too_long("christopher", Some(9), "christ[m]")]
    #[case::longer_than_others_take(
        "abcdefghijabcdefghijabcdefghij",
        Some(64),
        "abcdefghijabcdefghijabcdefg[m]"
    )]
    #[case::hardly_room("christopher", Some(3), "c[m")]
    #[case::no_room("christopher", Some(0), "c")]
    fn what_a_template_has_behind_a_name_stays_in_a_nick_that_is_cut(
        #[case] name: &str,
        #[case] most: Option<usize>,
        #[case] nick: &str,
    ) {
        assert_eq!(FirstNick::new(name, "[m]", "").within(most).as_str(), nick);
    }

    /// Before, the whole name was looked at, and the end of it was cut off afterwards.
    #[rstest]
    #[case::it_fits("ProxyServices", "", None, false)]
    #[case::services_of_some_network("ProxyServices", "", Some(9), true)]
    #[case::usual_services("StatServant", "", Some(10), true)]
    #[case::before_what_stays("ProxyServices", "[m]", Some(12), true)]
    #[case::with_what_stays("ProxySe", "rv", None, true)]
    #[case::a_person("christopher", "[m]", Some(9), false)]
    fn a_nick_is_not_cut_to_services(
        #[case] name: &str,
        #[case] behind: &str,
        #[case] most: Option<usize>,
        #[case] is_services: bool,
    ) {
        assert_eq!(FirstNick::new(name, behind, "").is_cut_to_services(most, &[]), is_services);
    }

    #[test]
    fn a_number_stays_in_a_nick_that_is_cut() {
        let nick = FirstNick::new("christopher", "[m]", "").numbered(12);
        assert_eq!(
            (nick.within(None).as_str(), nick.within(Some(9)).as_str()),
            ("christopher_12[m]", "chr_12[m]")
        );
        assert_eq!(nick.kept(), "_12[m]");
    }

    #[rstest]
    #[case::plain("Alice", Some("Alice"))]
    #[case::words(" Alice  Liddell ", Some("Alice_Liddell"))]
    #[case::accents("Zoë Ångström", Some("Zoe_Angstrom"))]
    #[case::wide("Ａｌｉｃｅ", Some("Alice"))]
    #[case::a_picture("Alice 🦊", Some("Alice"))]
    #[case::a_rank("@Alice", Some("Alice"))]
    #[case::ranks("~&@%+Alice", Some("Alice"))]
    #[case::nick_characters("[away]Alice|x", Some("[away]Alice|x"))]
    #[case::another_script("Жанна", None)]
    #[case::mostly_another_script("Жанна K", None)]
    #[case::nothing("", None)]
    #[case::only_signs("\u{200b} _|_", None)]
    #[case::line_ends("Alice\r\nQUIT", Some("Alice_QUIT"))]
    #[case::services("NickServ", None)]
    #[case::services_in_parts("_Nick-Serv_", None)]
    #[case::services_in_wide_letters("ＣｈａｎＳｅｒｖ", None)]
    #[case::services_in_digits("Ch4n53rv", None)]
    #[case::services_with_a_number("ChanServ2", None)]
    #[case::services_of_some_network("ProxyServ", None)]
    #[case::services_of_this_network("Q", None)]
    #[case::services_with_words_behind("NickServ_Help", None)]
    #[case::services_with_words_before("the real ChanServ, away", None)]
    #[case::a_server_is_none("server", Some("server"))]
    fn a_display_name_becomes_a_nick_that_gives_nothing_to_its_owner(
        #[case] name: &str,
        #[case] nick: Option<&str>,
    ) {
        assert_eq!(nick_of_display_name(name, &["quakenet"]).as_deref(), nick);
    }
}
