//! The control language: what a person types to the bot.
//!
//! `table::COMMANDS` is the only list of commands; grammar, permission, help and `docs/commands.md` come from it.
//! One command stands on each line of a message. The first word is the command, in capitals or not; the rest belongs
//! to it as it stands: quotes, apostrophes and other scripts are just text. Every command gets an answer.

mod account;
mod admin;
mod autocmd;
mod bot;
mod channel;
mod completion;
mod conversation;
mod first_steps;
mod help;
mod history;
mod limits;
mod look;
mod meant;
mod members;
mod mute;
mod network;
mod networks;
mod on_join;
mod passwords;
mod people;
mod plumb;
mod profile;
mod questions;
mod relay;
mod rooms;
mod settings;
mod table;
mod talk;
mod which;
mod words;

use futures_util::future::BoxFuture;

use self::questions::Questions;
use self::table::Spot;
use crate::bridge::{Answer, Bridge, Call, Console, End, Outcome, Refusal};
use crate::config::Permission;
use crate::format::{RichText, may_hold_password};

pub use completion::completion;
pub use help::{examples, is_for_administrators, reference};
pub use history::since;
pub use words::is_understood;

/// The console of the bridge.
#[derive(Debug, Default)]
pub struct Commands {
    questions: Questions,
}

/// Commands that one message may hold.
const MOST_AT_ONCE: usize = 20;

impl Console for Commands {
    fn holds_secret(&self, call: &Call) -> bool {
        // Also in the lines that are too many: they stand in the room as well.
        lines_of(&call.text).any(|line| holds_secret(call.permission, line))
    }

    fn answer<'a>(&'a self, bridge: &'a Bridge, call: Call) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let mut text = RichText::new();
            let mut is_done = true;
            let mut asks = false;
            let lines = commands_in(&call.text);
            for line in lines.iter().take(MOST_AT_ONCE) {
                let outcome = run(&self.questions, bridge, &call, line).await;
                is_done &= outcome.is_ok();
                asks |= self.questions.has_just_asked(&call);
                let said = outcome.unwrap_or_else(Refusal::into_text);
                text = text.line().then(help::as_typed_in(said, call.place));
            }
            if lines.len() > MOST_AT_ONCE {
                is_done = false;
                let more = format!("I stopped after {MOST_AT_ONCE} lines; send the rest in another message.");
                text = text.line().text(more);
            }
            if text.is_empty() {
                is_done &= !lines.is_empty();
                let said = help::unknown("", help::Reader::of(bridge, &call));
                text = if lines.is_empty() {
                    help::as_typed_in(said, call.place)
                } else {
                    RichText::plain("Done.")
                };
            }
            let end = match (is_done, asks) {
                (false, _) => End::Failed,
                (true, true) => End::Asks,
                (true, false) => End::Done,
            };
            Answer { text, end }
        })
    }

    fn greeting(&self, bridge: &Bridge, permission: Permission) -> RichText {
        first_steps::greeting(bridge, permission)
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
    questions: &'a Questions,
    call: &'a Call,
    command: &'static table::Command,
    /// What stands behind the command's name.
    rest: &'a str,
}

impl Context<'_> {
    /// Tells how far the command has come; worth it where it may take more than some seconds.
    async fn progress(&self, text: &RichText) {
        if let Some(progress) = &self.call.progress {
            progress.show(self.bridge, text).await;
        }
    }
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
        Some(command) => command.secret && passwords::holds_secret(command, rest),
        // A password behind a mistyped command is a password.
        None => {
            !rest.is_empty() && may_hold_password(line.strip_prefix(['/', '!']).unwrap_or(line))
                || words::holds_secret(name, rest)
        }
    }
}

/// Carries one command out. It may be one that carries out another.
fn run<'a>(
    questions: &'a Questions,
    bridge: &'a Bridge,
    call: &'a Call,
    line: &'a str,
) -> BoxFuture<'a, Outcome> {
    let (name, rest) = name_and_rest(line);
    let Some(command) = find(name, call.permission) else {
        let unknown = help::unknown(name, help::Reader::of(bridge, call));
        return Box::pin(async { Err(Refusal::Asked(unknown)) });
    };
    if !command.at.contains(&Spot::of(call.place)) {
        return Box::pin(async { Err(Refusal::Asked(help::elsewhere(command))) });
    }
    (command.run)(Context { bridge, questions, call, command, rest })
}

/// The answer to a command whose words don't fit it.
fn usage(context: &Context<'_>, name: &str) -> Outcome {
    debug_assert_eq!(context.command.name, name, "a command tells how it is typed itself");
    Err(usage_of(context))
}

fn usage_of(context: &Context<'_>) -> Refusal {
    Refusal::Asked(RichText::plain("Type it like this: ").code(help::usage_here(context)))
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
