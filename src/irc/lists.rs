//! A channel's lists (bans, quiets, exceptions, invitations) and the masks that stand in them.
//!
//! Not the lists themselves: nobody keeps them, since servers tell them when asked. Here is by which mode a network has
//! each, how an entry is written there, and whom it is about.
//!
//! Invariant 4: which mode is a list, and what an entry's prefix means, comes from `ISUPPORT`.
//!
//! Spec: modern IRC docs "`EXCEPTS`", "`INVEX`", "`EXTBAN`", "`MAXLIST` Parameter"; `IRCv3` "Account Extban".

use super::isupport::{Isupport, ModeKind};

/// What a list is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// Who may not come in nor speak.
    Bans,
    /// Who may not speak.
    Quiets,
    /// Who may come in although a ban is about them.
    Exceptions,
    /// Who may come in although only those may who are invited.
    Invitations,
}

/// A list as a network has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelList {
    /// The mode's letter.
    pub letter: char,
    /// What stands before a mask there, in all its spellings; the first is the one to write.
    prefixes: &'static [&'static str],
}

impl ChannelList {
    /// The list of this kind, where the network has it.
    #[must_use]
    pub fn of(kind: ListKind, isupport: &Isupport) -> Option<Self> {
        let list = |letter: char| {
            let is_list = isupport.mode_kind(letter) == Some(ModeKind::List);
            is_list.then_some(Self { letter, prefixes: &[""] })
        };
        let named = |token: &str, usual: char| {
            let letter = isupport.get(token).and_then(|value| value.chars().next());
            list(letter.unwrap_or(usual))
        };
        match kind {
            ListKind::Bans => list('b'),
            ListKind::Exceptions => named("EXCEPTS", 'e'),
            ListKind::Invitations => named("INVEX", 'I'),
            ListKind::Quiets => list('q').or_else(|| {
                let ban = list('b')?;
                let (prefix, types) = extban(isupport)?;
                let prefixes: &[&str] = match prefix {
                    "~" if types.contains('q') => &["~q:", "~quiet:"],
                    "" if types.contains('m') => &["m:", "mute:"],
                    _ => return None,
                };
                Some(Self { prefixes, ..ban })
            }),
        }
    }

    /// A mask as it is written in the list.
    #[must_use]
    pub fn entry(&self, mask: &str) -> String {
        format!("{}{mask}", self.prefixes.first().unwrap_or(&""))
    }

    /// The mask of an entry of the mode's list, if the entry belongs to this one.
    #[must_use]
    pub fn mask<'a>(&self, entry: &'a str) -> Option<&'a str> {
        self.prefixes.iter().find_map(|prefix| entry.strip_prefix(prefix))
    }

    /// How many entries the server keeps, with those of the lists that share the limit.
    #[must_use]
    pub fn limit(&self, isupport: &Isupport) -> Option<usize> {
        isupport.get("MAXLIST")?.split(',').find_map(|entry| {
            let (letters, number) = entry.split_once(':')?;
            letters.contains(self.letter).then(|| number.parse().ok()).flatten()
        })
    }
}

/// `EXTBAN`: what stands before an entry of a special kind, and the letters of these kinds.
fn extban(isupport: &Isupport) -> Option<(&str, &str)> {
    isupport.get("EXTBAN")?.split_once(',')
}

/// An entry about everybody who is logged in to an account, where the network has such.
#[must_use]
pub fn account_entry(account: &str, isupport: &Isupport) -> Option<String> {
    let (prefix, types) = extban(isupport)?;
    // The token of IRCv3 says it; the others are what the servers that don't have it yet take.
    let told = isupport.get("ACCOUNTEXTBAN").and_then(|names| names.split(',').next());
    let name = told.filter(|name| !name.is_empty()).or(match prefix {
        "$" | "~" if types.contains('a') => Some("a"),
        "" if types.contains('R') => Some("R"),
        _ => None,
    })?;
    Some(format!("{prefix}{name}:{account}"))
}

/// The account of an entry that [`account_entry`] makes.
fn account_of<'a>(entry: &'a str, isupport: &Isupport) -> Option<&'a str> {
    let made = account_entry("", isupport)?;
    entry.strip_prefix(&made).filter(|account| !account.is_empty())
}

/// Whether an entry is of a special kind here, and no mask of `nick!user@host`.
fn is_special(entry: &str, isupport: &Isupport) -> bool {
    let Some((prefix, types)) = extban(isupport) else { return false };
    let mut characters = entry.strip_prefix(prefix).unwrap_or_default().chars();
    if !prefix.is_empty() {
        return entry.starts_with(prefix);
    }
    let first = characters.next();
    first.is_some_and(|letter| types.contains(letter)) && characters.next() == Some(':')
}

/// Whether a text that somebody types is meant as a mask, and not as a nick.
#[must_use]
pub fn is_mask(text: &str) -> bool {
    text.contains(['!', '@', '*', '?', '.', ':', '/', '$', '~'])
}

/// A mask in full: `*!*@host` of a host, `*!user@host` of the two, `nick*!*@*` of a part of a nick.
#[must_use]
pub fn complete(mask: &str, isupport: &Isupport) -> String {
    if is_special(mask, isupport) {
        return mask.to_owned();
    }
    match (mask.contains('!'), mask.contains('@')) {
        (true, true) => mask.to_owned(),
        (false, true) => format!("*!{mask}"),
        (true, false) => format!("{mask}@*"),
        (false, false) if mask.contains(['.', ':', '/']) => format!("*!*@{mask}"),
        (false, false) => format!("{mask}!*@*"),
    }
}

/// Who somebody is to a ban list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Their nick.
    pub nick: String,
    /// Their user name.
    pub user: String,
    /// Their host as others see it.
    pub host: String,
    /// The account that they are logged in to.
    pub account: Option<String>,
}

impl Identity {
    /// The usual mask about somebody: wherever they come from, whatever they call themselves.
    #[must_use]
    pub fn host_mask(&self) -> String {
        format!("*!*@{}", self.host)
    }

    /// Whether an entry of a list is about them, as far as can be told from here.
    #[must_use]
    pub fn is_meant_by(&self, entry: &str, isupport: &Isupport) -> bool {
        let mapping = isupport.casemapping();
        if let Some(account) = account_of(entry, isupport) {
            return self.account.as_deref().is_some_and(|own| mapping.same(own, account));
        }
        if is_special(entry, isupport) {
            return false;
        }
        // Solanum's entries may end in the channel that those are sent to whom they keep out.
        let mask = entry.split_once("$#").map_or(entry, |(mask, _)| mask);
        let address = format!("{}!{}@{}", self.nick, self.user, self.host);
        matches(&mapping.fold(mask), &mapping.fold(&address))
    }
}

/// Whether a text is of the form of a mask: `*` is any text, `?` one character. At worst as many steps as both lengths
/// multiplied, whatever the mask is.
fn matches(mask: &str, text: &str) -> bool {
    let (mask, text): (Vec<char>, Vec<char>) = (mask.chars().collect(), text.chars().collect());
    let (mut in_mask, mut in_text) = (0, 0);
    // The last star, and how much of the text it stands for so far.
    let mut star: Option<(usize, usize)> = None;
    while in_text < text.len() {
        match (mask.get(in_mask), star) {
            (Some('*'), _) => {
                star = Some((in_mask, in_text));
                in_mask += 1;
            }
            (Some(one), _) if *one == '?' || *one == text[in_text] => {
                in_mask += 1;
                in_text += 1;
            }
            (_, Some((at, until))) => {
                star = Some((at, until + 1));
                (in_mask, in_text) = (at + 1, until + 1);
            }
            (_, None) => return false,
        }
    }
    mask[in_mask..].iter().all(|one| *one == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const LIBERA: &str = "PREFIX=(ov)@+ CHANMODES=eIbq,k,flj,CFLMPQScgimnprstuz EXCEPTS INVEX EXTBAN=$,ajrxz \
                          MAXLIST=bqeI:100 CASEMAPPING=rfc1459";
    const UNREAL: &str = "PREFIX=(qaohv)~&@%+ CHANMODES=beI,fkL,lFH,cdimnprstzCDGKMNOPQRSTVZ EXCEPTS INVEX \
                          EXTBAN=~,GIOSTacfijmnpqrt MAXLIST=b:60,e:60,I:60";
    const INSPIRCD: &str = "PREFIX=(qaohv)~&@%+ CHANMODES=IXbegw,k,FHJLfjl,ACKMNOPQRSTcimnprstz EXCEPTS=e INVEX=I \
                            EXTBAN=,ACNOQRSTUacjmnprswz MAXLIST=bI:100,X:100";
    const ERGO: &str =
        "PREFIX=(qaohv)~&@%+ CHANMODES=Ibe,k,fl,CEMRUimnstu EXCEPTS INVEX EXTBAN=,m MAXLIST=beI:60";
    const IRCU: &str = "PREFIX=(ov)@+ CHANMODES=b,k,l,imnpstrDdRcC MAXLIST=b:45";

    fn of(tokens: &str) -> Isupport {
        let mut isupport = Isupport::default();
        isupport.apply(tokens.split_whitespace());
        isupport
    }

    #[rstest]
    #[case::bans(LIBERA, ListKind::Bans, Some("+b x"))]
    #[case::quiets_of_solanum(LIBERA, ListKind::Quiets, Some("+q x"))]
    #[case::quiets_of_unreal(UNREAL, ListKind::Quiets, Some("+b ~q:x"))]
    #[case::quiets_of_inspircd(INSPIRCD, ListKind::Quiets, Some("+b m:x"))]
    #[case::quiets_of_ergo(ERGO, ListKind::Quiets, Some("+b m:x"))]
    #[case::no_quiets_on_undernet(IRCU, ListKind::Quiets, None)]
    #[case::exceptions(INSPIRCD, ListKind::Exceptions, Some("+e x"))]
    #[case::no_exceptions_on_undernet(IRCU, ListKind::Exceptions, None)]
    #[case::invitations(ERGO, ListKind::Invitations, Some("+I x"))]
    fn invariant_4_each_network_has_its_own_lists(
        #[case] tokens: &str,
        #[case] kind: ListKind,
        #[case] mode: Option<&str>,
    ) {
        let list = ChannelList::of(kind, &of(tokens));
        assert_eq!(list.map(|list| format!("+{} {}", list.letter, list.entry("x"))).as_deref(), mode);
    }

    #[rstest]
    #[case::own(LIBERA, ListKind::Quiets, "*!*@h", Some("*!*@h"))]
    #[case::short(UNREAL, ListKind::Quiets, "~q:*!*@h", Some("*!*@h"))]
    #[case::long(UNREAL, ListKind::Quiets, "~quiet:*!*@h", Some("*!*@h"))]
    #[case::a_ban_is_no_quiet(INSPIRCD, ListKind::Quiets, "*!*@h", None)]
    fn an_entry_belongs_to_its_list(
        #[case] tokens: &str,
        #[case] kind: ListKind,
        #[case] entry: &str,
        #[case] mask: Option<&str>,
    ) {
        assert_eq!(ChannelList::of(kind, &of(tokens)).unwrap().mask(entry), mask);
    }

    #[rstest]
    #[case::shared(LIBERA, Some(100))]
    #[case::own(UNREAL, Some(60))]
    #[case::not_told("CHANMODES=b,k,l,i", None)]
    fn a_lists_length_is_the_servers(#[case] tokens: &str, #[case] limit: Option<usize>) {
        let isupport = of(tokens);
        assert_eq!(ChannelList::of(ListKind::Bans, &isupport).unwrap().limit(&isupport), limit);
    }

    #[rstest]
    #[case::solanum(LIBERA, Some("$a:bob"))]
    #[case::unreal(UNREAL, Some("~a:bob"))]
    #[case::inspircd(INSPIRCD, Some("R:bob"))]
    #[case::told("EXTBAN=~,ABC ACCOUNTEXTBAN=account,A", Some("~account:bob"))]
    #[case::ergo(ERGO, None)]
    #[case::undernet(IRCU, None)]
    fn an_account_is_banned_as_the_network_has_it(#[case] tokens: &str, #[case] entry: Option<&str>) {
        assert_eq!(account_entry("bob", &of(tokens)).as_deref(), entry);
    }

    #[rstest]
    #[case::whole("a!b@c", "a!b@c")]
    #[case::address("*@host", "*!*@host")]
    #[case::user("bob!~b", "bob!~b@*")]
    #[case::host("evil.example.org", "*!*@evil.example.org")]
    #[case::cloak("user/bob", "*!*@user/bob")]
    #[case::ipv6("2001:db8::1", "*!*@2001:db8::1")]
    #[case::part_of_a_nick("spam*", "spam*!*@*")]
    #[case::account("$a:bob", "$a:bob")]
    fn a_mask_is_completed(#[case] typed: &str, #[case] mask: &str) {
        assert_eq!(complete(typed, &of(LIBERA)), mask);
    }

    #[rstest]
    #[case::host(LIBERA, "*!*@h.test", true)]
    #[case::capitals(LIBERA, "BOB[x]!*@*", true)]
    #[case::user(LIBERA, "*!~bob@*", true)]
    #[case::wildcards(LIBERA, "b?b{x}!*b*@*.te?t", true)]
    #[case::forward(LIBERA, "*!*@h.test$#elsewhere", true)]
    #[case::other_host(LIBERA, "*!*@g.test", false)]
    #[case::account(LIBERA, "$a:Bobby", true)]
    #[case::other_account(LIBERA, "$a:rob", false)]
    #[case::of_another_kind(LIBERA, "$r:*", false)]
    #[case::account_by_another_letter(INSPIRCD, "R:bobby", true)]
    #[case::a_nick_that_looks_like_a_kind(INSPIRCD, "m*!*@*", false)]
    fn an_entry_means_who_fits_it(#[case] tokens: &str, #[case] entry: &str, #[case] meant: bool) {
        let account = Some("bobby".to_owned());
        let bob = Identity { nick: "bob[x]".into(), user: "~bob".into(), host: "h.test".into(), account };
        assert_eq!(bob.is_meant_by(entry, &of(tokens)), meant);
    }

    proptest! {
        #[test]
        fn a_text_fits_itself_and_a_star_and_no_mask_makes_it_panic(text in "[a-c!@*?é]{0,12}", mask in "[a-c!@*?]{0,12}") {
            prop_assert!(matches("*", &text) && matches(&text.replace(['*', '?'], "?"), &text));
            let _ = matches(&mask, &text);
        }
    }

    #[test]
    fn invariant_9_no_mask_takes_long() {
        let (mask, text) = ("*a".repeat(200), "a".repeat(5_000) + "b");
        assert!(!matches(&mask, &text));
    }
}
