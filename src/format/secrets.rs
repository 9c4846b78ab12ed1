//! Passwords in what people type to services and to the bot.

use crate::names::is_service;

/// Words that stand before a password, whoever is told.
const TELLING: [&str; 20] = [
    "identify",
    "sidentify",
    "id",
    "register",
    "ghost",
    "recover",
    "regain",
    "release",
    "login",
    "pass",
    "passwd",
    "password",
    "setpass",
    "newpass",
    "sendpass",
    "auth",
    "oper",
    "set",
    "authenticate",
    "sasl",
];

/// What services are asked for without a password. All else that they are told may hold one.
const HARMLESS: [&str; 24] = [
    "help",
    "info",
    "list",
    "status",
    "cert",
    "acc",
    "access",
    "commands",
    "listchans",
    "logout",
    "op",
    "deop",
    "halfop",
    "dehalfop",
    "voice",
    "devoice",
    "invite",
    "unban",
    "why",
    "flags",
    "topic",
    "akick",
    "read",
    "version",
];

/// What servers call their own way to a service: `NS IDENTIFY …`.
const SHORT_NAMES: [&str; 4] = ["ns", "cs", "ms", "os"];

/// Whether services are told a password with this word, and people seldom anything.
pub(super) fn tells(word: &str) -> bool {
    let word = word.to_lowercase();
    word != "set" && TELLING.contains(&word.as_str())
}

/// Whether a text has a word that a password follows, or tells a service something that may be one. When in doubt it
/// has: a message too few in a room's history is a smaller harm than a password in it.
pub fn may_hold_password(text: &str) -> bool {
    has_private_key(text)
        || text.lines().any(|line| has_telling_word(line) || tells_service(line) || tells_key(line))
}

/// Whether what is said to a service may hold a password. Networks have more words for that than any list.
pub fn may_hold_password_for_service(text: &str) -> bool {
    has_private_key(text) || text.lines().any(is_more_than_a_question)
}

/// The shortest password that is looked for in what a service answers: shorter words stand in any text.
const SHORTEST: usize = 4;

/// Which words of what a service is told may be a password: those behind its verb, where that or another word tells that
/// there is one, but for services, such words themselves, and the channel that a verb is about.
pub fn possible_passwords(text: &str) -> impl Iterator<Item = &str> {
    let telling = text.lines().filter(|line| line.split_whitespace().any(|word| tells(bare(word))));
    let is_verb = |word: &str| TELLING.contains(&word.to_lowercase().as_str());
    telling.flat_map(move |line| {
        let words: Vec<&str> = line.split_whitespace().map(bare).collect();
        let is_password = |at: usize| {
            let word = words[at];
            // A password may begin as a channel does: it is one only where something is said of it.
            let is_channel = word.starts_with(['#', '&']) && is_verb(words[at - 1]) && at + 1 < words.len();
            let is_other = is_channel || is_service(word, &[]) || is_verb(word);
            word.chars().count() >= SHORTEST && !is_other
        };
        (1..words.len()).filter(|at| is_password(*at)).map(|at| words[at]).collect::<Vec<_>>()
    })
}

/// A word of a raw line without what begins its last parameter.
fn bare(word: &str) -> &str {
    word.trim_start_matches(':')
}

fn has_private_key(text: &str) -> bool {
    text.contains("-----BEGIN ")
}

fn has_telling_word(line: &str) -> bool {
    line.to_lowercase().split_whitespace().any(|word| TELLING.contains(&word.trim_start_matches(':')))
}

/// Before whom a line may have a command's name, a network and a verb.
const MOST_BEFORE: usize = 3;

/// Whether a service is named as the one who is told, and what follows may hold a password.
fn tells_service(line: &str) -> bool {
    let (mut rest, mut before) = (line.trim_start(), 0);
    while let Some((word, after)) = rest.split_once(char::is_whitespace) {
        rest = after.trim_start();
        // A raw line's tags and source.
        if word.starts_with(['@', ':']) {
            continue;
        }
        if word.split(',').any(|name| names_service(name, before)) && is_more_than_a_question(rest) {
            return true;
        }
        before += 1;
        if before > MOST_BEFORE {
            break;
        }
    }
    false
}

/// Whether a line of IRC has the key of a channel: `JOIN #channel KEY`, `MODE #channel +k KEY`.
fn tells_key(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_channel = |word: &str| word.starts_with(['#', '&', '+', '!']);
    let is = |word: &str, verb| word.trim_start_matches(['/', '!']).eq_ignore_ascii_case(verb);
    (0..=MOST_BEFORE).any(|at| match words.get(at..) {
        Some([verb, channel, _, ..]) if is(verb, "JOIN") => is_channel(channel),
        Some([verb, channel, rest @ ..]) if is(verb, "MODE") => is_channel(channel) && sets_key(rest),
        _ => false,
    })
}

/// Whether changes of modes, with what stands behind them, set a channel's key.
#[must_use]
pub fn sets_key(words: &[&str]) -> bool {
    let Some((letters, [_, ..])) = words.split_first() else { return false };
    let mut adds = true;
    letters.chars().any(|letter| {
        adds = if matches!(letter, '+' | '-') { letter == '+' } else { adds };
        adds && letter == 'k'
    })
}

/// The networks whose services have names of a letter: a secret is looked for on all of them.
const WITH_LETTERS: [&str; 2] = ["quakenet", "undernet"];

/// `NickServ`, `/NickServ`, `NickServ@services.example.org`, `NS`; a letter alone, like `Q`, only where no talk is.
fn names_service(word: &str, before: usize) -> bool {
    let nick = word.trim_start_matches(['/', '!']).split(['@', '!']).next().unwrap_or_default();
    let is_short = SHORT_NAMES.iter().any(|name| nick.eq_ignore_ascii_case(name));
    is_short || (is_service(nick, &WITH_LETTERS) && (nick.len() > 1 || before < 2))
}

/// Two words or more, unless the first asks for what needs no password.
fn is_more_than_a_question(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let first = words.next().unwrap_or_default().trim_start_matches([':', '/']);
    words.next().is_some() && !HARMLESS.iter().any(|word| first.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::register("REGISTER hunter2 alice@example.org", &["hunter2", "alice@example.org"])]
    #[case::with_an_at_sign("identify hunter@2", &["hunter@2"])]
    #[case::like_a_channel("identify #hunter2", &["#hunter2"])]
    #[case::like_a_channel_behind_a_name("identify alice #hunter2", &["alice", "#hunter2"])]
    #[case::like_a_local_channel("set password &hunter2", &["&hunter2"])]
    #[case::with_a_plus("set password +hunter2", &["+hunter2"])]
    #[case::with_an_exclamation_mark("identify !hunter2", &["!hunter2"])]
    #[case::of_a_channel_in_a_raw_line("PRIVMSG ChanServ :register #rust #hunter2", &["#hunter2"])]
    #[case::set("set password through-the-glass", &["through-the-glass"])]
    #[case::raw("PRIVMSG NickServ :SET PASSWORD hunter2", &["hunter2"])]
    #[case::raw_command("NS ID hunter2", &["hunter2"])]
    #[case::of_a_channel("register #rust hunter2", &["hunter2"])]
    #[case::second_line("info alice\nghost alice hunter2", &["alice", "hunter2"])]
    #[case::setting("set #rust private on", &[])]
    #[case::question("info alice", &[])]
    #[case::short("identify me2", &[])]
    fn invariant_10_what_a_service_should_not_repeat_is_known(#[case] told: &str, #[case] words: &[&str]) {
        assert_eq!(possible_passwords(told).collect::<Vec<_>>(), words);
    }

    #[rstest]
    #[case::services("IDENTIFY hunter2", true)]
    #[case::raw("PRIVMSG NickServ :identify hunter2", true)]
    #[case::private_key("-----BEGIN PRIVATE KEY-----", true)]
    #[case::part_of_a_word("reset the identifying passage", false)]
    #[case::talk("hello there", false)]
    #[case::short_for_identify("NickServ id hunter2", true)]
    #[case::short_for_the_service("libera NS ID hunter2", true)]
    #[case::servers_own_command("NICKSERV DROP alice hunter2", true)]
    #[case::full_address("NickServ@services.example.org GROUP alice hunter2", true)]
    #[case::several_targets("PRIVMSG bob,nickserv :group alice hunter2", true)]
    #[case::second_line("networks\nmsg NickServ confirm hunter2", true)]
    #[case::raw_with_tags("libera @a=b :alice PRIVMSG NickServ :drop alice hunter2", true)]
    #[case::letter("msg Q@CServe.quakenet.org challenge hunter2", true)]
    #[case::letters_in_talk("bob I know x and y", false)]
    #[case::question_to_a_service("NickServ help identification", false)]
    #[case::question_by_raw("PRIVMSG ChanServ :info #rust", false)]
    #[case::one_word_to_a_service("msg NickServ logout", false)]
    #[case::about_a_service("WHOIS NickServ", false)]
    #[case::key_to_enter_with("JOIN #tea sesame", true)]
    #[case::keys_of_a_network("libera raw join #tea,#coffee sesame", true)]
    #[case::key_typed_as_in_irc_programs("/join #tea sesame", true)]
    #[case::key_that_is_set("MODE #tea +ntk sesame", true)]
    #[case::key_that_is_set_by_a_command("add raw MODE #tea +k sesame", true)]
    #[case::channel_without_a_key("JOIN #tea", false)]
    #[case::key_taken_away("MODE #tea -k *", false)]
    #[case::other_modes("MODE #tea +o kate", false)]
    #[case::talk_of_joining("please join us at noon", false)]
    fn a_word_tells_that_a_password_follows(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(may_hold_password(text), expected);
    }

    #[rstest]
    #[case::identify("identify hunter2", true)]
    #[case::short_for_it("ID hunter2", true)]
    #[case::ergo("PASSWD old new new", true)]
    #[case::atheme("SETPASS alice key hunter2", true)]
    #[case::drop("drop alice hunter2", true)]
    #[case::anope("GROUP alice hunter2", true)]
    #[case::quakenet("NEWPASS old new new", true)]
    #[case::dalnet("sidentify alice hunter2", true)]
    #[case::unknown("whatever hunter2", true)]
    #[case::second_line("help\nid hunter2", true)]
    #[case::help("help identify", false)]
    #[case::info("INFO alice", false)]
    #[case::status("status alice", false)]
    #[case::op("op #rust alice", false)]
    #[case::one_word("listchans", false)]
    fn what_a_service_is_told_is_a_password_unless_it_is_known_to_be_none(
        #[case] text: &str,
        #[case] expected: bool,
    ) {
        assert_eq!(may_hold_password_for_service(text), expected);
    }
}
