//! Help: in sections, only what the person may do, and the nearest command for what is none.

use super::Context;
use super::settings;
use super::table::{self, COMMANDS, Command};
use crate::bridge::{Outcome, PREFIX, Place};
use crate::config::Permission;
use crate::format::RichText;

/// What the bot says to somebody new.
pub(super) fn greeting(permission: Permission) -> RichText {
    let text = RichText::new()
        .text("Hello! I am ")
        .bold("Towline")
        .text(", an IRC bouncer: I keep you on IRC and show its channels here as rooms.")
        .line()
        .text("To begin, type ")
        .code("open libera")
        .text(", then ")
        .code("join #channel")
        .text(". Type ")
        .code("networks")
        .text(" to see where you can go, and ")
        .code("help")
        .text(" for everything else.");
    if permission == Permission::Admin {
        text.line().text("You are an administrator of this bridge.")
    } else {
        text
    }
}

/// `help [COMMAND]`.
pub(super) async fn help(context: Context<'_>) -> Outcome {
    let (name, _) = context.word();
    let (permission, place) = (context.call.permission, context.call.place);
    if name.is_empty() {
        return Ok(overview(permission, place));
    }
    match table::find(name.trim_start_matches(['/', '!'])).filter(|command| permission >= command.permission)
    {
        Some(command) => Ok(in_full(command, place)),
        None => Ok(unknown(name, permission, place)),
    }
}

fn overview(permission: Permission, place: Place) -> RichText {
    let mut text = RichText::plain(match place {
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
    let mut section = "";
    for command in COMMANDS.iter().filter(|command| permission >= command.permission) {
        if command.section != section {
            section = command.section;
            text = text.text("\n\n").bold(section);
        }
        text = text.line().code(usage_in(command, place)).text(format!(" – {}", command.summary));
    }
    text
}

fn in_full(command: &Command, place: Place) -> RichText {
    let mut text = RichText::new().code(usage_in(command, place)).text(format!(" – {}.", command.summary));
    if !command.details.is_empty() {
        text = text.line().text(command.details);
    }
    if !command.aliases.is_empty() {
        text = text.line().text(format!("Also: {}.", command.aliases.join(", ")));
    }
    text
}

/// In a network's room nobody has to name it.
pub(super) fn usage_in(command: &Command, place: Place) -> String {
    let without_network = || command.usage.replacen("[NETWORK] ", "", 1).replacen(" [NETWORK]", "", 1);
    match place {
        Place::Control => command.usage.to_owned(),
        Place::Network(_) => without_network(),
        Place::Buffer { .. } => format!("{PREFIX} {}", without_network()),
    }
}

/// What the answer tells to type, so that it can be typed where it is read: without the prefix, it would be said on IRC.
pub(super) fn as_typed_in(answer: RichText, place: Place) -> RichText {
    let Place::Buffer { .. } = place else { return answer };
    answer.map_code(|code| {
        let name = code.split_whitespace().next()?;
        table::find(name).map(|_| format!("{PREFIX} {code}"))
    })
}

/// The answer to what is no command.
pub(super) fn unknown(name: &str, permission: Permission, place: Place) -> RichText {
    let nearest = COMMANDS
        .iter()
        .filter(|command| permission >= command.permission)
        .flat_map(|command| command.aliases.iter().chain([&command.name]).map(move |word| (*word, command)))
        .map(|(word, command)| (strsim::jaro_winkler(word, &name.to_lowercase()), command))
        .filter(|(nearness, _)| *nearness > 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    let text = if name.is_empty() {
        RichText::new()
    } else {
        RichText::plain("There is no command ").code(name).text(". ")
    };
    let text = match nearest {
        Some((_, command)) => text.text("Did you mean ").code(usage_in(command, place)).text("? "),
        None => text,
    };
    text.text("Type ").code("help").text(" to see all.")
}

/// The text of `docs/commands.md`, from the table.
pub fn reference() -> String {
    let mut text = String::from(
        "# Commands\n\nTyped to the bot, in the control room or in a network's room, in capitals or not; one on each \
         line.\nIn the control room, when you are on several networks, the network's name comes first: \
         `join libera #rust`.\nIn the room of a channel or a conversation everything goes to IRC, but for what begins \
         with `!irc` and a space:\n`!irc search words`.\n\nThis page is made from the table in the source; a test compares them.\n",
    );
    let mut section = "";
    for command in COMMANDS {
        if command.section != section {
            section = command.section;
            text.push_str(&format!("\n## {section}\n\n| command | what it does |\n|---|---|\n"));
        }
        let aliases = match command.aliases {
            [] => String::new(),
            aliases => format!(" Also: `{}`.", aliases.join("`, `")),
        };
        let details =
            if command.details.is_empty() { String::new() } else { format!(" {}", command.details) };
        let usage = command.usage.replace('|', "\\|");
        text.push_str(&format!("| `{usage}` | {}.{details}{aliases} |\n", command.summary));
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

    #[test]
    fn an_unknown_command_gets_the_nearest() {
        let text = unknown("jion", Permission::User, Place::Control).to_plain();
        assert!(text.contains("Did you mean join"), "{text}");
        assert!(unknown("xyzzy", Permission::User, Place::Control).to_plain().contains("Type help"));
    }

    #[test]
    fn help_in_a_networks_room_does_not_ask_for_the_network() {
        assert!(!overview(Permission::User, Place::Network(1)).to_plain().contains("[NETWORK]"));
    }
}
