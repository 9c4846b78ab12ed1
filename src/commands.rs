//! The control language: what a person types to the bot.
//!
//! `table::COMMANDS` is the only list of commands; grammar, permission, help and `docs/commands.md` come from it.
//! One command stands on each line of a message. The first word is the command, in capitals or not; the rest belongs
//! to it as it stands: quotes, apostrophes and other scripts are just text. Every command gets an answer.

mod account;
mod conversation;
mod help;
mod history;
mod networks;
mod settings;
mod table;

use futures_util::future::BoxFuture;

use crate::bridge::{Bridge, Call, Console, Outcome, Place, Refusal, SessionHandle};
use crate::config::Permission;
use crate::format::{RichText, may_hold_password};

pub use help::reference;
pub use history::since;

/// The console of the bridge.
#[derive(Debug, Clone, Copy, Default)]
pub struct Commands;

/// Commands that one message may hold.
const MOST_AT_ONCE: usize = 20;

impl Console for Commands {
    fn holds_secret(&self, call: &Call) -> bool {
        // Also in the lines that are too many: they stand in the room as well.
        lines_of(&call.text).any(|line| holds_secret(call.permission, line))
    }

    fn answer<'a>(&'a self, bridge: &'a Bridge, call: Call) -> BoxFuture<'a, RichText> {
        Box::pin(async move {
            let mut answer = RichText::new();
            let lines = commands_in(&call.text);
            for line in lines.iter().take(MOST_AT_ONCE) {
                answer = answer.line().then(run(bridge, &call, line).await);
            }
            if lines.len() > MOST_AT_ONCE {
                let text = format!("I stopped after {MOST_AT_ONCE} lines; send the rest in another message.");
                answer = answer.line().text(text);
            }
            if answer.is_empty() {
                answer = help::as_typed_in(help::unknown("", call.permission, call.place), call.place);
            }
            answer
        })
    }

    fn greeting(&self, permission: Permission) -> RichText {
        help::greeting(permission)
    }
}

/// The commands of a message: one on each line, and what is pasted as PEM belongs to the one before it.
fn commands_in(text: &str) -> Vec<String> {
    let holds_pem = text.contains("-----BEGIN ");
    let mut commands: Vec<String> = Vec::new();
    let mut in_pem = false;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if holds_pem && line.starts_with("```") {
            continue;
        }
        let belongs = in_pem || line.starts_with("-----BEGIN ");
        in_pem |= line.contains("-----BEGIN ");
        match commands.last_mut().filter(|_| belongs) {
            Some(command) => {
                command.push('\n');
                command.push_str(line);
            }
            None => commands.push(line.to_owned()),
        }
        in_pem &= !line.contains("-----END ");
    }
    commands
}

/// A command under way.
pub(crate) struct Context<'a> {
    bridge: &'a Bridge,
    call: &'a Call,
    /// What stands behind the command's name.
    rest: &'a str,
}

/// The lines of a message that say something.
fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

/// The name of the command on a line, and what stands behind it.
fn name_and_rest(line: &str) -> (&str, &str) {
    // People who know IRC type a slash, and others the bot's name.
    let line = line.strip_prefix(['/', '!']).unwrap_or(line);
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (name, rest.trim())
}

fn find(name: &str, permission: Permission) -> Option<&'static table::Command> {
    table::find(name).filter(|command| permission >= command.permission)
}

/// Whether a line holds a password, as far as its words tell: before anything is done about it.
fn holds_secret(permission: Permission, line: &str) -> bool {
    let (name, rest) = name_and_rest(line);
    match find(name, permission) {
        Some(command) => command.secret && table::holds_secret(command, rest),
        // A password behind a mistyped command is a password.
        None => !rest.is_empty() && may_hold_password(line.strip_prefix(['/', '!']).unwrap_or(line)),
    }
}

async fn run(bridge: &Bridge, call: &Call, line: &str) -> RichText {
    let (name, rest) = name_and_rest(line);
    let Some(command) = find(name, call.permission) else {
        return help::as_typed_in(help::unknown(name, call.permission, call.place), call.place);
    };
    let context = Context { bridge, call, rest };
    let text = (command.run)(context).await.unwrap_or_else(Refusal::into_text);
    help::as_typed_in(text, call.place)
}

impl<'a> Context<'a> {
    /// The first word of the rest, and what follows.
    fn word(&self) -> (&'a str, &'a str) {
        let (word, rest) = self.rest.split_once(char::is_whitespace).unwrap_or((self.rest, ""));
        (word, rest.trim_start())
    }

    /// The session that a command is about, and the rest of the command.
    ///
    /// In a network room, or in one of its channels', it is that network's. In the control room it is the one that the first word names, else the
    /// only one that there is.
    fn session(&self) -> Result<(SessionHandle, &'a str), Refusal> {
        let sessions = self.bridge.sessions(Some(&self.call.user.user_id));
        if let Place::Network(id) | Place::Buffer { session: id, .. } = self.call.place {
            let session = sessions.into_iter().find(|session| session.row.id == id);
            return session.map(|session| (session, self.rest)).ok_or(Refusal::Stopping);
        }
        let (word, rest) = self.word();
        let named = self.bridge.config.network(word).map(|network| network.slug.as_str().to_owned());
        if let Some(session) =
            sessions.iter().find(|session| named.as_deref() == Some(session.row.network.as_str()))
        {
            return Ok((session.clone(), rest));
        }
        match sessions.as_slice() {
            [only] => Ok((only.clone(), self.rest)),
            [] => Err(Refusal::asked(
                "You are on no network yet. Type open libera, or networks to see which there are.",
            )),
            several => {
                let names: Vec<&str> = several.iter().map(|session| session.row.network.as_str()).collect();
                let names = names.join(", ");
                Err(Refusal::asked(format!(
                    "You are on {names}: say which one first, as in {} join #channel, or type the command in the \
                     network's room.",
                    several[0].row.network
                )))
            }
        }
    }
}

/// The answer to a command whose words don't fit it.
fn usage(context: &Context<'_>, name: &str) -> Outcome {
    let usage = table::find(name).map(|command| help::usage_in(command, context.call.place));
    Err(Refusal::Asked(RichText::plain("Type it like this: ").code(usage.unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::one("help", &["help"])]
    #[case::several(" help \n\n status", &["help", "status"])]
    #[case::pem("certfp set\n-----BEGIN A-----\nx\n-----END A-----\n-----BEGIN B-----\ny\n-----END B-----\nstatus",
        &["certfp set\n-----BEGIN A-----\nx\n-----END A-----\n-----BEGIN B-----\ny\n-----END B-----", "status"])]
    #[case::on_the_commands_line("certfp set -----BEGIN A-----\nx\n-----END A-----", &["certfp set -----BEGIN A-----\nx\n-----END A-----"])]
    #[case::after_another("status\ncertfp set -----BEGIN A-----\nx\n-----END A-----", &["status", "certfp set -----BEGIN A-----\nx\n-----END A-----"])]
    #[case::as_code("certfp set\n```\n-----BEGIN A-----\nx\n-----END A-----\n```", &["certfp set\n-----BEGIN A-----\nx\n-----END A-----"])]
    #[case::without_end("certfp set\n-----BEGIN A-----\nx\nstatus", &["certfp set\n-----BEGIN A-----\nx\nstatus"])]
    #[case::alone("-----BEGIN A-----\nx\n-----END A-----", &["-----BEGIN A-----\nx\n-----END A-----"])]
    fn a_command_stands_on_each_line_and_pem_belongs_to_the_one_before(
        #[case] text: &str,
        #[case] commands: &[&str],
    ) {
        assert_eq!(commands_in(text), commands);
    }
}
