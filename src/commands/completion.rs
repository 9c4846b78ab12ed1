//! The commands and settings as data, for clients and scripts that complete what is typed: `docs/commands.json`.

use serde::Serialize;

use super::table::{COMMANDS, Command, Spot};
use crate::bridge::PREFIX;
use crate::config::Permission;
use crate::store::settings::{Kind, Setting};

#[derive(Serialize)]
struct CommandData {
    name: &'static str,
    aliases: &'static [&'static str],
    section: &'static str,
    usage: &'static str,
    summary: &'static str,
    /// The kinds of rooms in which it is typed.
    rooms: Vec<&'static str>,
    /// Whether it is for administrators only.
    admin: bool,
    /// Whether a password may stand in it: nothing that keeps what was typed should keep that.
    secret: bool,
    examples: &'static [&'static str],
}

#[derive(Serialize)]
struct SettingData {
    name: &'static str,
    meaning: &'static str,
    default: String,
    /// The words that it can be; none where it is a number or any word.
    values: Vec<&'static str>,
}

impl From<&'static Command> for CommandData {
    fn from(command: &'static Command) -> Self {
        let Command { name, aliases, section, usage, summary, secret, examples, .. } = *command;
        let rooms = command.at.iter().map(|spot| match spot {
            Spot::Control => "control",
            Spot::Network => "network",
            Spot::Channel => "channel",
            Spot::Query => "query",
        });
        let (rooms, admin) = (rooms.collect(), command.permission == Permission::Admin);
        Self { name, aliases, section, usage, summary, rooms, admin, secret, examples }
    }
}

impl From<&'static Setting> for SettingData {
    fn from(setting: &'static Setting) -> Self {
        let values = match setting.kind {
            Kind::Choice(words) => words.iter().map(|(word, _)| *word).collect(),
            Kind::Minutes { .. } => vec!["on", "off"],
            Kind::Own | Kind::Number { .. } | Kind::Word { .. } | Kind::Words { .. } | Kind::Frame { .. } => {
                Vec::new()
            }
        };
        Self { name: setting.key, meaning: setting.meaning, default: setting.default(), values }
    }
}

/// The text of `docs/commands.json`, from the tables: each command and each setting on a line of its own. The prefix is
/// what commands begin with in a channel's or a conversation's room, unless their user has set something else.
///
/// # Errors
/// When something can't be written as JSON.
pub fn completion() -> Result<String, serde_json::Error> {
    let prefix = serde_json::to_string(PREFIX)?;
    let commands = lines(COMMANDS.iter().map(CommandData::from))?;
    let settings = lines(Setting::choices().map(SettingData::from))?;
    Ok(format!("{{\"prefix\":{prefix},\n\"commands\":[\n{commands}\n],\n\"settings\":[\n{settings}\n]}}\n"))
}

fn lines(rows: impl Iterator<Item = impl Serialize>) -> Result<String, serde_json::Error> {
    let rows: Result<Vec<String>, _> = rows.map(|row| serde_json::to_string(&row)).collect();
    rows.map(|rows| rows.join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_for_completion_in_the_docs_is_made_from_the_tables() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/commands.json");
        let made = completion().unwrap();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(file, &made).unwrap();
        }
        let written = std::fs::read_to_string(file).unwrap();
        assert_eq!(written, made, "run the tests with UPDATE_DOCS=1 to write it anew");
    }

    #[test]
    fn the_data_says_where_by_whom_and_with_which_words_something_is_typed() {
        let data: serde_json::Value = serde_json::from_str(&completion().unwrap()).unwrap();
        let one = |list: &str, name: &str| {
            let all = data[list].as_array().unwrap();
            all.iter().find(|one| one["name"] == name).unwrap().clone()
        };
        let (join, erase, open) =
            (one("commands", "join"), one("commands", "erase"), one("commands", "open"));
        assert_eq!(join["secret"], true);
        assert_eq!(join["admin"], false);
        assert_eq!(erase["admin"], true);
        assert_eq!(open["rooms"], serde_json::json!(["control", "network"]));
        let colours = one("settings", "colours");
        assert_eq!(colours["default"], "show");
        assert_eq!(colours["values"], serde_json::json!(["show", "hide"]));
    }
}
