//! Words that are no commands and mean something all the same: names of settings, and commands of the bridges that people
//! come from. Who types one is told what it is here.

use super::help;
use super::table::{self, Spot};
use crate::bridge::Place;
use crate::config::Permission;
use crate::format::RichText;
use crate::store::settings::Setting;

/// What a word is here.
#[derive(Debug, Clone, Copy)]
enum Here {
    /// A setting of another name.
    Set(&'static str),
    /// Another command.
    Type(&'static str),
    /// Another command, and behind the word stands a password.
    TypeSecret(&'static str),
    /// Nothing that is typed.
    Nothing(&'static str),
}

/// In the order of where they come from: Heisenbridge, matrix-appservice-irc, IRC clients.
const WORDS: &[(&str, Here)] = &[
    ("addnetwork", Here::Type("network add NAME SERVER")),
    ("delnetwork", Here::Type("network remove NETWORK")),
    ("addserver", Here::Type("network server add NETWORK SERVER")),
    ("delserver", Here::Type("network server remove NETWORK SERVER")),
    ("displayname", Here::Type("bot name NAME")),
    ("maxlines", Here::Set("lines")),
    ("pastebin", Here::Set("long-texts")),
    ("reacts", Here::Set("signs")),
    ("mediaurl", Here::Nothing("Where links to files lead is in the configuration: media.base_url.")),
    ("mediapath", Here::Nothing("Where links to files lead is in the configuration: media.base_url.")),
    ("hiddenroom", Here::Nothing("Nothing needs to be done for that here.")),
    ("upgrade", Here::Nothing("Nothing needs to be done for that here.")),
    ("disambiguation", Here::Nothing("Who shares a name has their id behind it: that is always so.")),
    ("ctcpcfg", Here::Set("ctcp-replies")),
    ("wait", Here::Type("autocmd add wait SECONDS")),
    ("pills", Here::Set("pill-length")),
    ("room", Here::Nothing("Commands about a channel take its name in the network's room: names #CHANNEL.")),
    ("color", Here::Set("colours")),
    ("colour", Here::Set("colours")),
    ("displaynames", Here::Set("relay-name")),
    ("prefixall", Here::Set("relay-prefix")),
    ("zwsp", Here::Set("relay-antiping")),
    ("noticerelay", Here::Set("relay-notices")),
    ("relaytag", Here::Set("relay-tag")),
    ("cmd", Here::Type("raw LINE")),
    ("storepass", Here::TypeSecret("sasl ACCOUNT PASSWORD")),
    ("removepass", Here::Type("sasl off")),
    ("storecert", Here::TypeSecret("certfp set PEM")),
    ("removecert", Here::Type("certfp remove")),
    ("active", Here::Nothing("Nobody is disconnected here for being idle.")),
    ("listrooms", Here::Type("channels")),
    ("feature", Here::Type("set")),
    ("bridgeversion", Here::Type("version")),
    ("server", Here::Type("network server add NETWORK SERVER")),
    ("identify", Here::TypeSecret("sasl ACCOUNT PASSWORD")),
    ("autoaway", Here::Set("auto-away")),
    ("prefix", Here::Set("command-prefix")),
    ("lastlog", Here::Type("search WORDS")),
    ("grep", Here::Type("search WORDS")),
    ("dcc", Here::Nothing("A direct connection, for a file or a chat, can't be had through a bridge.")),
];

fn here(word: &str) -> Option<Here> {
    let word = word.to_lowercase();
    let setting = Setting::find(&word).map(|setting| Here::Set(setting.key));
    setting.or_else(|| WORDS.iter().find(|(known, _)| *known == word).map(|(_, here)| *here))
}

/// The setting that somebody means who typed another name: one that other bridges have for it, or one that is alike.
pub(super) fn nearest_setting(typed: &str) -> Option<&'static str> {
    if let Some(Here::Set(key)) = here(typed) {
        return Some(key);
    }
    let typed = typed.to_lowercase();
    let near = Setting::choices().map(|setting| (strsim::jaro_winkler(setting.key, &typed), setting.key));
    let near = near.filter(|(nearness, _)| *nearness > help::NEAR);
    near.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, key)| key)
}

/// Whether what stands behind such a word is a password or a key.
pub(super) fn holds_secret(word: &str, rest: &str) -> bool {
    !rest.is_empty() && matches!(here(word), Some(Here::TypeSecret(_)))
}

/// What is said to who typed a word that is no command; nothing where it means nothing, or nothing that they may do.
pub(super) fn explained(typed: &str, permission: Permission, place: Place) -> Option<RichText> {
    let text = RichText::new();
    match here(typed)? {
        Here::Set(key) => {
            let text = match Setting::find(typed) {
                Some(_) => text.text(format!("{key} is a setting: type ")),
                None => text.text(format!("{typed} is a setting here, {key}: type ")),
            };
            Some(text.code(format!("set {key}")).text(" to see what it can be."))
        }
        Here::Type(command) | Here::TypeSecret(command) => {
            let name = command.split(' ').next().unwrap_or_default();
            let found = table::find(name).filter(|found| permission >= found.permission)?;
            let text = text.text(format!("There is no command {typed} here. Type ")).code(command);
            let elsewhere = help::only_in(found).filter(|_| !found.at.contains(&Spot::of(place)));
            Some(text.text(elsewhere.map_or_else(|| ".".to_owned(), |places| format!(" {places}."))))
        }
        Here::Nothing(why) => Some(text.text(why)),
    }
}

/// Whether a word is a command, or one that who types it as one is told what it is.
pub fn is_understood(word: &str) -> bool {
    table::find(word).is_some() || here(word).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn each_word_stands_once_is_no_command_and_leads_to_what_there_is() {
        for (at, (word, here)) in WORDS.iter().enumerate() {
            assert!(WORDS[..at].iter().all(|(known, _)| known != word), "{word} twice");
            assert!(table::find(word).is_none() && Setting::find(word).is_none(), "{word}");
            match here {
                Here::Set(key) => assert!(Setting::find(key).is_some(), "{word}"),
                Here::Type(command) | Here::TypeSecret(command) => {
                    let name = command.split(' ').next().unwrap();
                    assert!(table::find(name).is_some(), "{word}");
                }
                Here::Nothing(why) => assert!(why.ends_with('.'), "{word}"),
            }
        }
    }

    const QUERY: Place = Place::Buffer { session: 1, buffer: 1, kind: crate::store::BufferKind::Query };

    #[rstest]
    #[case::a_setting(
        "Forward",
        Place::Control,
        "forward is a setting: type set forward to see what it can be."
    )]
    #[case::by_another_name(
        "color",
        QUERY,
        "color is a setting here, colours: type set colours to see what it can be."
    )]
    #[case::another_command(
        "wait",
        Place::Control,
        "There is no command wait here. Type autocmd add wait SECONDS."
    )]
    #[case::one_of_elsewhere(
        "addserver",
        QUERY,
        "There is no command addserver here. Type network server add NETWORK SERVER in the chat with me or in a network's room."
    )]
    #[case::nothing("upgrade", Place::Control, "Nothing needs to be done for that here.")]
    #[case::for_administrators("displayname", Place::Control, "")]
    #[case::no_word("xyzzy", Place::Control, "")]
    fn who_types_a_word_of_elsewhere_is_told_what_it_is_here(
        #[case] typed: &str,
        #[case] place: Place,
        #[case] told: &str,
    ) {
        let text = explained(typed, Permission::User, place).map(|text| text.to_plain());
        assert_eq!(text.unwrap_or_default(), told);
    }

    #[rstest]
    #[case::other_bridges_name("Color", Some("colours"))]
    #[case::alike("autoqurey", Some("autoquery"))]
    #[case::without_its_hyphen("topicsync", Some("topic-sync"))]
    #[case::like_none("banana", None)]
    fn a_mistyped_setting_is_found(#[case] typed: &str, #[case] found: Option<&str>) {
        assert_eq!(nearest_setting(typed), found);
    }

    #[rstest]
    #[case::an_accounts("storepass", "hunter2", true)]
    #[case::nothing("storepass", "", false)]
    #[case::words("grep", "password hunter2", false)]
    #[case::no_word("xyzzy", "hunter2", false)]
    fn invariant_10_a_password_behind_a_word_of_elsewhere_is_known_as_one(
        #[case] word: &str,
        #[case] rest: &str,
        #[case] is_secret: bool,
    ) {
        assert_eq!(holds_secret(word, rest), is_secret);
    }
}
