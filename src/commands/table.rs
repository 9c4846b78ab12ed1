//! The table of commands.

use futures_util::future::BoxFuture;

use super::{Context, account, conversation, help, history, networks, settings};
use crate::bridge::Outcome;
use crate::config::Permission;
use crate::format::may_hold_password;

/// A command.
pub(super) struct Command {
    /// What is typed.
    pub(super) name: &'static str,
    /// Other words for it.
    pub(super) aliases: &'static [&'static str],
    /// Under which heading help shows it.
    pub(super) section: &'static str,
    /// How it is typed.
    pub(super) usage: &'static str,
    /// What it does, in one sentence.
    pub(super) summary: &'static str,
    /// What may be said about it besides.
    pub(super) details: &'static str,
    /// Who may use it.
    pub(super) permission: Permission,
    /// Whether it may hold a password; then its message is removed.
    pub(super) secret: bool,
    /// What it does.
    pub(super) run: for<'a> fn(Context<'a>) -> BoxFuture<'a, Outcome>,
}

macro_rules! commands {
    ($($name:literal $(/ $alias:literal)* in $section:literal: $usage:literal, $summary:literal, $details:literal
        $(, secret $secret:literal)? => $run:path;)*) => {
        /// All commands, in the order in which help shows them.
        pub(super) const COMMANDS: &[Command] = &[$(Command {
            name: $name,
            aliases: &[$($alias),*],
            section: $section,
            usage: $usage,
            summary: $summary,
            details: $details,
            permission: Permission::User,
            secret: false $(|| $secret)?,
            run: |context| Box::pin($run(context)),
        }),*];
    };
}

commands! {
    "help" / "?" in "Help": "help [COMMAND]", "shows the commands, or one of them in full",
        "" => help::help;
    "networks" / "list-networks" in "Networks": "networks", "shows the networks that you can open",
        "" => networks::networks;
    "open" in "Networks": "open NETWORK", "connects you to a network and makes a room for it",
        "The connection stays open when you close Element, and comes back after a restart. For example: open libera"
        => networks::open;
    "status" in "Networks": "status", "shows where you are connected, and how it goes",
        "" => networks::status;
    "connect" / "reconnect" in "Networks": "connect [NETWORK]", "connects again after disconnect, or now rather than later",
        "" => networks::connect;
    "disconnect" / "quit" in "Networks": "disconnect [NETWORK] [REASON]", "leaves a network until you type connect",
        "Its rooms stay as they are." => networks::disconnect;
    "join" / "j" in "Channels and people": "join [NETWORK] #CHANNEL [KEY]", "enters a channel and makes a room for it",
        "The # may be left out. You stay in the channel over restarts, until you type part or leave its room."
        => conversation::join;
    "part" / "leave" in "Channels and people": "part [NETWORK] #CHANNEL [REASON]", "leaves a channel",
        "" => conversation::part;
    "channels" in "Channels and people": "channels [NETWORK]", "shows your channels, and why you are not in some of them",
        "With each that you are kept out of stands what the server says, and when I try again." => conversation::channels;
    "charset" / "encoding" in "Channels and people": "charset [NETWORK] [#CHANNEL | NICK] [CHARSET [read] | off]",
        "sets the charset that is spoken in a place besides UTF-8, or shows it",
        "Where people write no UTF-8, as on some older networks: in the channel's room, or in the network's with its name; \
         without a name it is for the whole network, and for its nicks and channel names. You write in it, too, and what \
         it lacks becomes ?; with read behind it, you go on writing UTF-8. UTF-8 is always understood. For example: \
         charset #moscow koi8-r"
        => conversation::charset;
    "query" in "Channels and people": "query [NETWORK] NICK [TEXT]", "makes a room for a conversation with somebody",
        "", secret true => conversation::query;
    "msg" in "Channels and people": "msg [NETWORK] NICK TEXT", "says something to somebody without making a room",
        "For services, too: msg NickServ help. The answer comes in the network's room. A password in it is removed \
         from the room.", secret true => conversation::message;
    "whois" / "w" in "Channels and people": "whois [NETWORK] [NICK]", "tells who somebody is",
        "In the room of a conversation the nick may be left out." => conversation::whois;
    "stop" in "Channels and people": "stop [NETWORK] [#CHANNEL | NICK]", "drops what you said there and has not left yet",
        "IRC takes lines slowly: of a long paste, what still waits can be stopped. In a conversation's own room its name \
         may be left out." => conversation::stop;
    "search" / "find" in "History": "search [in WHERE] [from NICK] [since WHEN] WORDS",
        "finds lines that hold all the words, newest first",
        "Where: a channel, a nick or a network of yours, or * for everything; without it, where you type. When: 3d, 12h, \
         2w, or a day as 2026-11-01. Case and accents don't matter. The last word may end in *: then it is enough \
         that a word begins so. To search for in, from or since, write -- before the words."
        => history::search;
    "history" / "backlog" in "History": "history [NETWORK] [#CHANNEL | NICK] [LINES]", "shows the last lines",
        "20 of them, or as many as you say, up to 200. In a conversation's own room its name may be left out. How long \
         lines are kept is shown and set with history keep #channel, and behind it 30d, forever or off; off deletes \
         those that there are."
        => history::history;
    "forget" in "History": "forget #CHANNEL | NICK | NETWORK", "deletes what is kept of a conversation, or of a network",
        "It asks first. What stands in the rooms is the homeserver's and stays there." => history::forget;
    "nick" in "You": "nick [NETWORK] [NICK]", "takes another nick on a network, or shows yours",
        "" => account::nick;
    "nicks" in "You": "nicks [NETWORK] [NICK... | off]", "sets the nicks to take while yours is in use, or shows them",
        "The first that is free is taken. I go back to your own nick when it is free again." => account::nicks;
    "sasl" in "You": "sasl [NETWORK] [ACCOUNT [PASSWORD] | off]", "logs you in with the network's services",
        "Your message is removed from the room, and the password is stored encrypted. It is used from the next \
         connection on. With a certificate (certfp) the password may be left out.", secret true => account::sasl;
    "login" in "You": "login [NETWORK] [required | optional | sasl | nickserv [NickServ@HOST]]",
        "shows how you log in, or changes it",
        "With required, as it is unless you say otherwise, there is no connection without a login, so that nobody sees \
         your host. With nickserv the password goes to NickServ after connecting; without its full address only where \
         the server shows it as a service of the network. That is also what happens where a network has no SASL."
        => account::login;
    "certfp" / "cert" in "You": "certfp [NETWORK] [generate | set PEM | show | remove]",
        "makes or shows the certificate by which services know you",
        "It is stored encrypted and shown to this network only. With set, paste the certificate and its key behind the \
         word; your message is removed from the room.", secret true => account::certfp;
    "capabilities" / "caps" in "You": "capabilities [NETWORK] [+NAME | -NAME … | reset]",
        "shows what your connection can do beyond plain IRC, and changes what is asked for",
        "+ asks a network for something that is not asked for by itself, - does without something that is. It holds at \
         once and from then on, until reset. For example: capabilities -echo-message +draft/something"
        => account::capabilities;
    "set" / "settings" in "You": "set [NETWORK] [#CHANNEL | NICK] [NAME [VALUE]]",
        "shows your settings, or changes one",
        "In the control room a setting is for all your networks, unless you name one; in a network's room it is for that \
         network, in a conversation's for that conversation. The narrowest decides. For example: set presence hide"
        => settings::set;
    "unset" in "You": "unset [NETWORK] [#CHANNEL | NICK] NAME", "takes a setting back there",
        "What holds for the network, or for you, holds again." => settings::unset;
    "raw" / "quote" in "You": "raw [NETWORK] LINE", "sends a line to the server as it stands",
        "", secret true => conversation::raw;
}

/// The command of this name.
pub(super) fn find(name: &str) -> Option<&'static Command> {
    let name = name.to_lowercase();
    COMMANDS.iter().find(|command| command.name == name || command.aliases.contains(&name.as_str()))
}

/// Whether a command that may hold a password does, as far as its words tell.
pub(super) fn holds_secret(command: &Command, rest: &str) -> bool {
    match command.name {
        "sasl" => rest.split_whitespace().count() >= 2,
        _ => may_hold_password(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn every_name_stands_for_one_command() {
        let mut names: Vec<_> = COMMANDS.iter().flat_map(|c| c.aliases.iter().chain([&c.name])).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(COMMANDS.iter().all(|command| command.usage.starts_with(command.name)));
        assert!(COMMANDS.iter().all(|command| command.permission > Permission::None));
    }

    #[rstest]
    #[case::sasl("sasl", "account password", true)]
    #[case::sasl_of_a_network("sasl", "libera account password", true)]
    #[case::sasl_off("sasl", "off", false)]
    #[case::certificate("certfp", "set -----BEGIN PRIVATE KEY-----", true)]
    #[case::certificate_of_a_network("certfp", "libera set -----BEGIN EC PRIVATE KEY-----", true)]
    #[case::certificate_shown("certfp", "show", false)]
    #[case::nickserv("msg", "NickServ IDENTIFY hunter2", true)]
    #[case::nickserv_in_short("msg", "NickServ id hunter2", true)]
    #[case::nickserv_asked("msg", "NickServ info alice", false)]
    #[case::nickserv_by_query("query", "NickServ identify hunter2", true)]
    #[case::talk("msg", "bob hello there", false)]
    #[case::raw_pass("raw", "PASS :hunter2", true)]
    #[case::raw_nickserv("raw", "NS ID hunter2", true)]
    #[case::raw_whois("raw", "WHOIS bob", false)]
    fn invariant_10_a_message_with_a_password_is_known_as_one(
        #[case] name: &str,
        #[case] rest: &str,
        #[case] secret: bool,
    ) {
        let command = find(name).unwrap();
        assert_eq!(command.secret && holds_secret(command, rest), secret);
    }
}
