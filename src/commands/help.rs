//! Help: in sections, only what the person may do, and the nearest command for what is none.

use super::Context;
use super::settings;
use super::table::{self, COMMANDS, Command, Spot};
use super::words;
use crate::bridge::{Bridge, Call, Outcome, PREFIX, Place};
use crate::config::Permission;
use crate::format::RichText;

/// `help [COMMAND]`.
pub(super) async fn help(context: Context<'_>) -> Outcome {
    let (name, _) = context.word();
    let reader = Reader::of(context.bridge, context.call);
    if name.is_empty() {
        return Ok(overview(reader));
    }
    let found = table::find(name.trim_start_matches(['/', '!']));
    match found.filter(|command| reader.may(command)) {
        Some(command) => Ok(in_full(command, reader)),
        None => Ok(unknown(name, reader)),
    }
}

/// Who reads the help, where, and what of that which not everybody may do they may.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader {
    pub(super) permission: Permission,
    pub(super) place: Place,
    may_plumb: bool,
    may_add_networks: bool,
}

impl Reader {
    pub(super) fn of(bridge: &Bridge, call: &Call) -> Self {
        let permission = call.permission;
        Self {
            permission,
            place: call.place,
            may_plumb: bridge.networks.plumb().by.admit(permission),
            may_add_networks: permission == Permission::Admin || bridge.networks.own().most > 0,
        }
    }

    /// A user who may do what every user may.
    #[cfg(test)]
    pub(super) fn user(place: Place) -> Self {
        Self { permission: Permission::User, place, may_plumb: false, may_add_networks: false }
    }

    /// Whether a command is theirs, wherever it is typed.
    fn may(self, command: &Command) -> bool {
        self.permission >= command.permission && (command.name != "plumb" || self.may_plumb)
    }

    /// A command of which some of what it does is not theirs.
    fn may_in_part(self, command: &Command) -> bool {
        command.name == "network" && !self.may_add_networks
    }

    /// How they type a command, and what it does for them.
    fn shown(self, command: &Command) -> (String, &'static str) {
        if self.may_in_part(command) {
            return (
                usage_of("network [NETWORK]", self.place),
                "shows which networks there are, and their servers",
            );
        }
        (usage_in(command, self.place), command.summary)
    }
}

/// `version`.
pub(super) async fn version(_: Context<'_>) -> Outcome {
    Ok(RichText::plain(format!("This is Towline {}.", env!("CARGO_PKG_VERSION"))))
}

fn overview(reader: Reader) -> RichText {
    let mut text = RichText::plain(match reader.place {
        Place::Control => {
            "This is your control room: type commands just so. Those about a network take its name first when you \
             are on several."
        }
        Place::Network(_) => "This is a network's room: type commands just so; they are about this network.",
        Place::Buffer { .. } => {
            "What you type here goes to IRC, unless !irc and a space stand before it. Such commands are about this \
             network, and about this conversation where they name no other."
        }
    });
    for (section, commands) in sections(&possible(reader)) {
        let names: Vec<&str> = commands.iter().map(|command| command.name).collect();
        let lines = commands.iter().fold(RichText::new(), |text, command| {
            let (usage, summary) = reader.shown(command);
            text.line().code(usage).text(format!(" – {summary}"))
        });
        text = text.details(format!("{section}: {}", names.join(", ")), lines);
    }
    text.text("For more about one of them, with examples, type ").code("help COMMAND").text(".")
}

/// What a person may do in a place.
fn possible(reader: Reader) -> Vec<&'static Command> {
    let spot = Spot::of(reader.place);
    COMMANDS.iter().filter(|command| reader.may(command) && command.at.contains(&spot)).collect()
}

/// Commands by their headings, each in the order of the table.
fn sections(commands: &[&'static Command]) -> Vec<(&'static str, Vec<&'static Command>)> {
    let mut sections: Vec<(&str, Vec<&Command>)> = Vec::new();
    for command in commands {
        match sections.iter_mut().find(|(section, _)| *section == command.section) {
            Some((_, commands)) => commands.push(command),
            None => sections.push((command.section, vec![command])),
        }
    }
    sections
}

fn in_full(command: &Command, reader: Reader) -> RichText {
    let (usage, summary) = reader.shown(command);
    let mut text = RichText::new().code(usage).text(format!(" – {summary}."));
    let in_part = reader.may_in_part(command);
    if !command.details.is_empty() && !in_part {
        text = text.line().text(command.details);
    }
    // What is theirs of it are the forms of one word or two.
    let is_theirs = |example: &&&str| !in_part || example.split(' ').count() <= 2;
    let examples: Vec<&str> = command.examples.iter().filter(is_theirs).copied().collect();
    if let Some(at) = only_in(command) {
        text = text.line().text(format!("It is typed {at}."));
    }
    let example = if examples.len() == 1 { "Example:" } else { "Examples:" };
    text = examples.into_iter().fold(text.line().text(example), |text, example| {
        // A channel's room is not named there.
        let has_prefix = example.starts_with(PREFIX);
        let text = text.line().code(example);
        if has_prefix && !matches!(reader.place, Place::Buffer { .. }) {
            text.text(" in a channel's room")
        } else {
            text
        }
    });
    if !command.aliases.is_empty() {
        text = text.line().text(format!("Also: {}.", command.aliases.join(", ")));
    }
    text
}

/// Where a command may be typed, in words; nothing where that is everywhere.
pub(super) fn only_in(command: &Command) -> Option<String> {
    let spots: Vec<&str> = command.at.iter().map(|spot| spot.in_words()).collect();
    (spots.len() < 4).then(|| format!("in {}", spots.join(" or in ")))
}

/// The answer to a command that can't be typed there.
pub(super) fn elsewhere(command: &Command) -> RichText {
    let places = only_in(command).unwrap_or_default();
    RichText::new()
        .text(format!("{} is typed {places}, not here. Type ", command.name))
        .code("help")
        .text(" to see what can be typed here.")
}

/// How the command that is under way is typed.
pub(super) fn usage_here(context: &Context<'_>) -> String {
    usage_in(context.command, context.call.place)
}

/// In a network's room nobody has to name it.
pub(super) fn usage_in(command: &Command, place: Place) -> String {
    usage_of(command.usage, place)
}

fn usage_of(usage: &str, place: Place) -> String {
    let without_network = || usage.replacen("[NETWORK] ", "", 1).replacen(" [NETWORK]", "", 1);
    match place {
        Place::Control => usage.to_owned(),
        Place::Network(_) => without_network(),
        Place::Buffer { .. } => format!("{PREFIX} {}", without_network()),
    }
}

/// What the answer tells to type, so that it can be typed where it is read: without the prefix, it would be said on IRC.
pub(super) fn as_typed_in(answer: RichText, place: Place) -> RichText {
    let Place::Buffer { .. } = place else { return answer };
    answer.map_code(&|code| {
        let name = code.split_whitespace().next()?;
        table::find(name).map(|_| format!("{PREFIX} {code}"))
    })
}

/// How near a word must be to what was typed to be what was meant.
pub(super) const NEAR: f64 = 0.85;

/// The answer to what is no command: what it is instead, or the nearest of those that can be typed there.
pub(super) fn unknown(name: &str, reader: Reader) -> RichText {
    if let Some(explained) = words::explained(name, reader.permission, reader.place) {
        return explained;
    }
    let typed = name.to_lowercase();
    let nearest = possible(reader)
        .into_iter()
        .flat_map(|command| command.aliases.iter().chain([&command.name]).map(move |word| (*word, command)))
        .map(|(word, command)| (strsim::jaro_winkler(word, &typed), word, command))
        .filter(|(nearness, ..)| *nearness > NEAR)
        .max_by(|(a, ..), (b, ..)| a.total_cmp(b));
    let text = if name.is_empty() {
        RichText::new()
    } else {
        RichText::plain("There is no command ").code(name).text(". ")
    };
    let text = match nearest {
        // By the word that is like it, which may be another one for the command.
        Some((_, word, command)) => {
            let usage = reader.shown(command).0.replacen(command.name, word, 1);
            text.text("Did you mean ").code(usage).text("? ")
        }
        None => text,
    };
    text.text("Type ").code("help").text(" to see all.")
}

/// Every example with the command's name; one that begins with the prefix is typed in a channel's room.
pub fn examples() -> impl Iterator<Item = (&'static str, &'static str)> {
    COMMANDS.iter().flat_map(|command| command.examples.iter().map(|example| (command.name, *example)))
}

/// Whether a command is for administrators only.
pub fn is_for_administrators(name: &str) -> bool {
    table::find(name).is_some_and(|command| command.permission == Permission::Admin)
}

/// How `docs/commands.md` begins.
const INTRODUCTION: &str = "\
# Commands

Typed to the bot, in the control room or in a network's room, in capitals or not; one on each line.
In the control room, when you are on several networks, the network's name comes first: `join libera #rust`.
In the room of a channel or a conversation everything goes to IRC, but for what begins with `!irc` and a space
(`!irc search words`), with another prefix of yours (`set command-prefix`), with the bot's pill, or with its name and a
colon (`Towline: search words`). There a command is about that channel or conversation, unless it names another. To say
such a line on IRC, double its first character: `!!irc is a prefix`.

Under each command stands ✅ when it was done, or ❌, ❓ when it asks something first, and ⏳ while it takes long.

This page is made from the table in the source; a test compares them. The same as data, for clients and scripts that complete
what is typed, is in `commands.json`.
";

/// The text of `docs/commands.md`, from the table.
pub fn reference() -> String {
    let mut text = String::from(INTRODUCTION);
    for (section, commands) in sections(&COMMANDS.iter().collect::<Vec<_>>()) {
        text.push_str(&format!("\n## {section}\n\n| command | what it does |\n|---|---|\n"));
        for command in commands {
            let details =
                if command.details.is_empty() { String::new() } else { format!(" {}", command.details) };
            let places = only_in(command).map_or_else(String::new, |places| format!(" Typed {places}."));
            let examples = format!(" For example: `{}`.", command.examples.join("`, `"));
            let aliases = match command.aliases {
                [] => String::new(),
                aliases => format!(" Also: `{}`.", aliases.join("`, `")),
            };
            let usage = command.usage.replace('|', "\\|");
            let summary = command.summary;
            text.push_str(&format!("| `{usage}` | {summary}.{details}{places}{examples}{aliases} |\n"));
        }
    }
    text + &settings::reference()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_in_the_docs_is_made_from_the_table() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/commands.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(file, reference()).unwrap();
        }
        let written = std::fs::read_to_string(file).unwrap();
        assert_eq!(written, reference(), "run the tests with UPDATE_DOCS=1 to write it anew");
    }

    #[rstest::rstest]
    #[case::two_letters_changed_places("jion", "Did you mean join [NETWORK] #CHANNEL [KEY]? Type")]
    #[case::an_alias("backlgo", "Did you mean backlog [NETWORK]")]
    #[case::only_a_little_like_one("mutation", "There is no command mutation. Type help")]
    #[case::like_none("xyzzy", "There is no command xyzzy. Type help")]
    #[case::a_setting("autoquery", "autoquery is a setting: type set autoquery")]
    fn an_unknown_command_gets_the_nearest(#[case] typed: &str, #[case] answer: &str) {
        let text = unknown(typed, Reader::user(Place::Control)).to_plain();
        assert!(text.contains(answer), "{text}");
    }

    #[test]
    fn help_in_a_networks_room_does_not_ask_for_the_network() {
        assert!(!overview(Reader::user(Place::Network(1))).to_plain().contains("[NETWORK]"));
    }

    #[rstest::rstest]
    #[case::nothing(false, false)]
    #[case::rooms(true, false)]
    #[case::networks(false, true)]
    fn help_shows_what_the_configuration_lets_somebody_do(#[case] plumb: bool, #[case] add: bool) {
        let user = Reader::user(Place::Control);
        let reader = Reader { may_plumb: plumb, may_add_networks: add, ..user };
        let text = overview(reader).to_plain();
        assert_eq!(text.contains("\nplumb [NETWORK]"), plumb, "{text}");
        assert_eq!(text.contains("\nnetwork [NETWORK | add"), add, "{text}");
        assert!(
            text.contains("\nnetwork [NETWORK] – shows which") != add && text.contains("\nunplumb "),
            "{text}"
        );
        assert_eq!(unknown("plubm", reader).to_plain().contains("Did you mean plumb"), plumb);
        let network = in_full(table::find("network").unwrap(), reader).to_plain();
        assert!(network.contains("network libera"), "{network}");
        assert_eq!(network.contains("network add"), add, "{network}");
        assert_eq!(reader.may(table::find("plumb").unwrap()), plumb);
    }
}
