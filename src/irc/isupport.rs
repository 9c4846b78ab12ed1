//! What the server says about itself: the tokens of numeric 005.
//!
//! Not capabilities (those are negotiated in [`caps`](super::caps)) and not the state of anything. Whatever the
//! server has not said has the value that RFC 1459 and RFC 2811 give it.
//!
//! Invariant 4: casemapping, channel types and the meaning of mode letters come from here and nowhere else.
//!
//! Spec: modern IRC docs "`RPL_ISUPPORT` Parameters"; `IRCv3` `BOT`; draft-hardy-irc-isupport-00.

use std::collections::BTreeMap;

use crate::names::CaseMapping;

/// No network sends a third of this; more is refused so that a server cannot fill the memory.
pub(super) const MOST_TOKENS: usize = 256;

/// How many membership prefixes fit in a member's bits.
pub const MOST_PREFIXES: usize = 8;

/// What a mode letter takes as its argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModeKind {
    /// Type A: an entry of a list; without an argument a question.
    List,
    /// Type B: always an argument.
    Always,
    /// Type C: an argument only when set.
    WhenSet,
    /// Type D: never an argument.
    Never,
    /// A member's status (`PREFIX`): always a nick.
    Member,
}

/// The tokens in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Isupport {
    tokens: BTreeMap<Box<str>, Box<str>>,
    casemapping: CaseMapping,
    /// (mode letter, symbol), highest first.
    prefixes: Vec<(char, char)>,
    modes: BTreeMap<char, ModeKind>,
    channel_types: Box<str>,
}

impl Default for Isupport {
    fn default() -> Self {
        let mut new = Self {
            tokens: BTreeMap::new(),
            casemapping: CaseMapping::default(),
            prefixes: Vec::new(),
            modes: BTreeMap::new(),
            channel_types: "".into(),
        };
        new.derive();
        new
    }
}

impl Isupport {
    /// Takes the tokens of one 005: its parameters without our nick and the closing remark.
    pub fn apply<'a>(&mut self, tokens: impl IntoIterator<Item = &'a str>) {
        for token in tokens {
            if let Some(name) = token.strip_prefix('-') {
                self.tokens.remove(name.to_ascii_uppercase().as_str());
                continue;
            }
            let (name, value) = token.split_once('=').unwrap_or((token, ""));
            let name = name.to_ascii_uppercase();
            if name.is_empty()
                || (self.tokens.len() >= MOST_TOKENS && !self.tokens.contains_key(name.as_str()))
            {
                continue;
            }
            self.tokens.insert(name.into(), unescape(value).into());
        }
        self.derive();
    }

    /// The value of a token; empty for one without a value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.tokens.get(name).map(|value| &**value)
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.get(name)?.parse().ok()
    }

    /// How the network compares names.
    #[must_use]
    pub fn casemapping(&self) -> CaseMapping {
        self.casemapping
    }

    /// (mode letter, symbol) of each member status, highest first; at most eight.
    #[must_use]
    pub fn prefixes(&self) -> &[(char, char)] {
        &self.prefixes
    }

    /// What a channel mode's letter takes, if the server has said so.
    #[must_use]
    pub fn mode_kind(&self, letter: char) -> Option<ModeKind> {
        self.modes.get(&letter).copied()
    }

    /// The characters with which channels begin.
    #[must_use]
    pub fn channel_types(&self) -> &str {
        &self.channel_types
    }

    /// Whether a text names a channel here.
    #[must_use]
    pub fn is_channel(&self, text: &str) -> bool {
        text.starts_with(|c| self.channel_types.contains(c))
    }

    /// Splits a target such as `@#channel` in its status symbol and the channel, where the server has such.
    #[must_use]
    pub fn split_status<'a>(&self, target: &'a str) -> (Option<char>, &'a str) {
        let mut rest = target.chars();
        if let (Some(first), Some(symbols)) = (rest.next(), self.get("STATUSMSG"))
            && symbols.contains(first)
            && self.is_channel(rest.as_str())
        {
            return (Some(first), rest.as_str());
        }
        (None, target)
    }

    /// The longest nick, in bytes.
    #[must_use]
    pub fn nick_length(&self) -> Option<usize> {
        self.number("NICKLEN").or_else(|| self.number("MAXNICKLEN"))
    }

    /// The longest user name.
    #[must_use]
    pub fn user_length(&self) -> Option<usize> {
        self.number("USERLEN")
    }

    /// The longest host.
    #[must_use]
    pub fn host_length(&self) -> Option<usize> {
        self.number("HOSTLEN")
    }

    /// The longest channel name.
    #[must_use]
    pub fn channel_length(&self) -> Option<usize> {
        self.number("CHANNELLEN")
    }

    /// The longest topic.
    #[must_use]
    pub fn topic_length(&self) -> Option<usize> {
        self.number("TOPICLEN")
    }

    /// The longest line, CRLF included: 512 where nothing else is said, and never less or absurdly more.
    #[must_use]
    pub fn line_length(&self) -> usize {
        self.number("LINELEN").unwrap_or(512).clamp(512, 8191)
    }

    /// How many mode changes with an argument one line may have.
    #[must_use]
    pub fn modes_per_line(&self) -> Option<usize> {
        match self.get("MODES") {
            None => Some(3),
            Some(value) => value.parse().ok(),
        }
    }

    /// How many targets one line of this command may have; none: as many as fit.
    #[must_use]
    pub fn targets(&self, command: &str) -> Option<usize> {
        self.get("TARGMAX")?.split(',').find_map(|entry| {
            let (name, number) = entry.split_once(':')?;
            name.eq_ignore_ascii_case(command).then(|| number.parse().ok().filter(|&n| n > 0)).flatten()
        })
    }

    /// How many lines of history one request gives; 0: as many as there are.
    #[must_use]
    pub fn history_limit(&self) -> Option<usize> {
        self.number("CHATHISTORY")
    }

    /// Whether requests for history may name a message by this, `msgid` or `timestamp`.
    #[must_use]
    pub fn finds_messages_by(&self, kind: &str) -> bool {
        self.get("MSGREFTYPES").is_none_or(|kinds| kinds.split(',').any(|known| known == kind))
    }

    /// What the network calls itself.
    #[must_use]
    pub fn network(&self) -> Option<&str> {
        self.get("NETWORK").filter(|name| !name.is_empty())
    }

    /// The user mode by which a bot says that it is one.
    #[must_use]
    pub fn bot_mode(&self) -> Option<char> {
        self.get("BOT")?.chars().next()
    }

    /// Whether `LIST` takes masks.
    #[must_use]
    pub fn lists_by_mask(&self) -> bool {
        self.get("ELIST").is_some_and(|letters| letters.contains(['M', 'm']))
    }

    /// Whether `WHO` can be asked for single fields.
    #[must_use]
    pub fn has_whox(&self) -> bool {
        self.get("WHOX").is_some()
    }

    /// Whether the server closes no connection for its pace: it takes lines as fast as it likes, whatever comes.
    #[must_use]
    pub fn has_safe_rate(&self) -> bool {
        ["SAFERATE", "SOJU.IM/SAFERATE"].into_iter().any(|name| self.get(name).is_some())
    }

    /// Whether the server takes nothing but UTF-8.
    #[must_use]
    pub fn is_utf8_only(&self) -> bool {
        self.get("UTF8ONLY").is_some()
    }

    /// How many nicks can be watched with `MONITOR`, where the server has that.
    #[must_use]
    pub fn monitor_limit(&self) -> Option<usize> {
        // Without a number there is no limit.
        self.get("MONITOR").map(|limit| limit.parse().unwrap_or(usize::MAX))
    }

    /// How many nicks can be watched with `WATCH`, where the server has that.
    #[must_use]
    pub fn watch_limit(&self) -> Option<usize> {
        self.get("WATCH").map(|limit| limit.parse().unwrap_or(usize::MAX))
    }

    /// Recomputes what is asked on every line.
    fn derive(&mut self) {
        // Ergo keeps `CASEMAPPING=ascii` for clients that know no other, and tells the true one beside it.
        self.casemapping = match self.get("UTF8MAPPING").map(CaseMapping::from_token) {
            Some(CaseMapping::Precis) => CaseMapping::Precis,
            _ => self.get("CASEMAPPING").map_or(CaseMapping::Rfc1459, CaseMapping::from_token),
        };
        self.channel_types = self.get("CHANTYPES").unwrap_or("#&").into();
        // `PREFIX=` with no value means that there are none.
        let prefix = self.get("PREFIX").unwrap_or("(ov)@+");
        let (letters, symbols) =
            prefix.strip_prefix('(').and_then(|rest| rest.split_once(')')).unwrap_or(("", ""));
        let pairs: Vec<_> = letters.chars().zip(symbols.chars()).take(MOST_PREFIXES).collect();
        let mut modes = BTreeMap::new();
        let kinds = [ModeKind::List, ModeKind::Always, ModeKind::WhenSet, ModeKind::Never];
        for (group, kind) in self.get("CHANMODES").unwrap_or("b,k,l,imnpst").split(',').zip(kinds) {
            modes.extend(group.chars().map(|letter| (letter, kind)));
        }
        modes.extend(letters.chars().map(|letter| (letter, ModeKind::Member)));
        self.prefixes = pairs;
        self.modes = modes;
    }
}

/// `\xHH` stands for a byte. What is no such escape stays as it is.
fn unescape(value: &str) -> String {
    if !value.contains("\\x") {
        return value.to_owned();
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find("\\x") {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let code = rest.get(at + 2..at + 4).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        // A line break or NUL from here could reach a line or a log.
        if let Some(byte) = code.filter(|byte| !matches!(byte, b'\r' | b'\n' | 0)) {
            bytes.push(byte);
            rest = &rest[at + 4..];
        } else {
            bytes.extend_from_slice(b"\\x");
            rest = &rest[at + 2..];
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn of(tokens: &str) -> Isupport {
        let mut isupport = Isupport::default();
        isupport.apply(tokens.split(' '));
        isupport
    }

    #[test]
    fn a_silent_server_has_the_rfc_values() {
        let isupport = Isupport::default();
        assert_eq!(isupport.casemapping(), CaseMapping::Rfc1459);
        assert_eq!(isupport.prefixes(), [('o', '@'), ('v', '+')]);
        assert_eq!(isupport.channel_types(), "#&");
        assert_eq!((isupport.mode_kind('k'), isupport.mode_kind('q')), (Some(ModeKind::Always), None));
        assert_eq!((isupport.line_length(), isupport.targets("JOIN"), isupport.network()), (512, None, None));
    }

    #[rstest]
    #[case::ban("beI,k,l,imnpst", 'e', Some(ModeKind::List))]
    #[case::quiet_on_solanum("eIbq,k,flj,CFLMPQScgimnprstuz", 'q', Some(ModeKind::List))]
    #[case::forward("eIbq,k,flj,CFLMPQScgimnprstuz", 'f', Some(ModeKind::WhenSet))]
    #[case::flag("eIbq,k,flj,CFLMPQScgimnprstuz", 'C', Some(ModeKind::Never))]
    #[case::status("eIbq,k,flj,CFLMPQScgimnprstuz", 'o', Some(ModeKind::Member))]
    #[case::unknown("b,k,l,i", 'x', None)]
    #[case::too_many_groups("b,k,l,i,xyz", 'x', None)]
    fn invariant_4_what_a_mode_takes_comes_from_chanmodes(
        #[case] chanmodes: &str,
        #[case] letter: char,
        #[case] kind: Option<ModeKind>,
    ) {
        assert_eq!(of(&format!("CHANMODES={chanmodes}")).mode_kind(letter), kind);
    }

    #[rstest]
    #[case::silent("NETWORK=x", CaseMapping::Rfc1459)]
    #[case::ascii("CASEMAPPING=ascii", CaseMapping::Ascii)]
    #[case::strict("CASEMAPPING=rfc1459-strict", CaseMapping::Rfc1459Strict)]
    #[case::precis("CASEMAPPING=rfc7613", CaseMapping::Precis)]
    #[case::ergo("CASEMAPPING=ascii UTF8MAPPING=rfc8265", CaseMapping::Precis)]
    #[case::unknown_utf8_mapping("CASEMAPPING=ascii UTF8MAPPING=x", CaseMapping::Ascii)]
    #[case::the_last_word_counts("CASEMAPPING=ascii CASEMAPPING=rfc1459", CaseMapping::Rfc1459)]
    #[case::taken_back("CASEMAPPING=ascii -CASEMAPPING", CaseMapping::Rfc1459)]
    fn invariant_4_the_casemapping_is_the_servers(#[case] tokens: &str, #[case] mapping: CaseMapping) {
        assert_eq!(of(tokens).casemapping(), mapping);
    }

    #[rstest]
    #[case::usual("PREFIX=(ov)@+", &[('o', '@'), ('v', '+')])]
    #[case::five("PREFIX=(qaohv)~&@%+", &[('q', '~'), ('a', '&'), ('o', '@'), ('h', '%'), ('v', '+')])]
    #[case::none_at_all("PREFIX=", &[])]
    #[case::letters_without_symbols("PREFIX=(ov)@", &[('o', '@')])]
    #[case::broken("PREFIX=ov@+", &[])]
    fn statuses_are_the_servers(#[case] token: &str, #[case] expected: &[(char, char)]) {
        assert_eq!(of(token).prefixes(), expected);
    }

    #[rstest]
    #[case::silent("NETWORK=x", Some(3))]
    #[case::four("MODES=4", Some(4))]
    #[case::as_many_as_fit("MODES=", None)]
    #[case::as_many_as_fit_without_a_value("MODES", None)]
    fn mode_changes_are_counted(#[case] token: &str, #[case] expected: Option<usize>) {
        assert_eq!(of(token).modes_per_line(), expected);
    }

    #[rstest]
    #[case::silent("NETWORK=x", 512)]
    #[case::longer("LINELEN=2048", 2048)]
    #[case::too_short("LINELEN=100", 512)]
    #[case::too_long("LINELEN=1000000", 8191)]
    #[case::nonsense("LINELEN=long", 512)]
    fn a_line_is_as_long_as_the_server_says(#[case] token: &str, #[case] expected: usize) {
        assert_eq!(of(token).line_length(), expected);
    }

    #[rstest]
    #[case::irc_net("CHANTYPES=#&!+", &["#a", "&a", "!a", "+a"], &["a"])]
    #[case::hash_only("CHANTYPES=#", &["#a"], &["&a", "+a", "!a"])]
    #[case::none("CHANTYPES=", &[], &["#a"])]
    #[case::silent("NETWORK=x", &["#a", "&a"], &["+a", "!a"])]
    fn channels_begin_as_the_server_says(#[case] token: &str, #[case] yes: &[&str], #[case] no: &[&str]) {
        let isupport = of(token);
        assert!(yes.iter().all(|name| isupport.is_channel(name)));
        assert!(!no.iter().any(|name| isupport.is_channel(name)));
    }

    #[rstest]
    #[case::silent("NETWORK=x", (None, false, false, None))]
    #[case::all("BOT=B WHOX UTF8ONLY MONITOR=100", (Some('B'), true, true, Some(100)))]
    #[case::no_limit("MONITOR", (None, false, false, Some(usize::MAX)))]
    #[case::taken_back("BOT=B WHOX UTF8ONLY MONITOR=100 -BOT -WHOX -UTF8ONLY -MONITOR", (None, false, false, None))]
    fn what_a_server_can_do_is_known(
        #[case] tokens: &str,
        #[case] expected: (Option<char>, bool, bool, Option<usize>),
    ) {
        let isupport = of(tokens);
        let known =
            (isupport.bot_mode(), isupport.has_whox(), isupport.is_utf8_only(), isupport.monitor_limit());
        assert_eq!(known, expected);
    }

    #[test]
    fn tokens_are_taken_back_by_a_minus() {
        let mut isupport = of("CASEMAPPING=ascii PREFIX=(qaohv)~&@%+ CHANTYPES=# NICKLEN=30");
        assert_eq!(isupport.casemapping(), CaseMapping::Ascii);
        assert_eq!(isupport.prefixes().len(), 5);
        assert!(!isupport.is_channel("&local") && isupport.is_channel("#x"));
        isupport.apply(["-CASEMAPPING", "-PREFIX", "-NICKLEN"]);
        assert_eq!(isupport.casemapping(), CaseMapping::Rfc1459);
        assert_eq!((isupport.prefixes().len(), isupport.nick_length()), (2, None));
    }

    #[rstest]
    #[case::space(r"NETWORK=Our\x20Net", "Our Net")]
    #[case::no_hex(r"NETWORK=a\xzzb", r"a\xzzb")]
    #[case::cut_short(r"NETWORK=a\x2", r"a\x2")]
    #[case::utf_8(r"NETWORK=\xC3\xA9", "é")]
    #[case::line_break(r"NETWORK=a\x0Ab", r"a\x0Ab")]
    fn values_are_unescaped(#[case] token: &str, #[case] expected: &str) {
        assert_eq!(of(token).network(), Some(expected));
    }

    #[rstest]
    #[case::limited("TARGMAX=NAMES:1,JOIN:5,PRIVMSG:4", Some(5))]
    #[case::unlimited("TARGMAX=NAMES:1,JOIN:,PRIVMSG:4", None)]
    #[case::not_listed("TARGMAX=NAMES:1", None)]
    #[case::nonsense("TARGMAX=JOIN:0", None)]
    fn the_targets_of_a_command_are_counted(#[case] token: &str, #[case] expected: Option<usize>) {
        assert_eq!(of(token).targets("JOIN"), expected);
    }

    #[rstest]
    #[case::ops("@#rust", Some('@'), "#rust")]
    #[case::plain("#rust", None, "#rust")]
    #[case::a_symbol_that_is_a_channel_type_too("+rust", None, "+rust")]
    #[case::nick("@alice", None, "@alice")]
    fn a_status_message_is_split(#[case] target: &str, #[case] status: Option<char>, #[case] channel: &str) {
        assert_eq!(of("STATUSMSG=@+ CHANTYPES=#+").split_status(target), (status, channel));
    }

    #[test]
    fn invariant_9_tokens_are_bounded() {
        let mut isupport = Isupport::default();
        for n in 0..10_000 {
            isupport.apply([format!("T{n}=x").as_str()]);
        }
        assert_eq!(isupport.tokens.len(), MOST_TOKENS);
    }

    proptest! {
        #[test]
        fn no_token_makes_it_panic(tokens in prop::collection::vec(
            "(-?(PREFIX|CHANMODES|TARGMAX|CASEMAPPING|STATUSMSG|LINELEN|MODES)?(=[(),:ov@+é\\\\x0-9a-f]{0,12})?|.{0,12})", 0..8)) {
            let mut isupport = Isupport::default();
            isupport.apply(tokens.iter().map(String::as_str));
            let _ = (isupport.line_length(), isupport.targets("JOIN"), isupport.split_status("@#é"), isupport.is_channel("é"));
        }
    }
}
