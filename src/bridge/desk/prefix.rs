//! What makes a message in a conversation's room a command, and not something for IRC: a prefix, or the bot spoken to.
//!
//! The prefix is the user's (`command-prefix`), and `!irc` besides before what is a command, so that what is told to be
//! typed always can be. The bot is spoken to by its pill, or by its name with `:` or `,` behind it: `towline is nice` is
//! text. A prefix whose first character is doubled is text, too, and goes to IRC with one of them.

use std::sync::Arc;

use super::PREFIX;
use crate::matrix::event::Message;

/// How the bot is spoken to in a conversation's room.
#[derive(Debug, Clone)]
pub(in crate::bridge) struct Address<'a> {
    /// What a command begins with.
    pub(in crate::bridge) prefix: &'a str,
    /// The bot's Matrix id.
    pub(in crate::bridge) bot: &'a str,
    /// The name that people see of it.
    pub(in crate::bridge) name: Arc<str>,
}

/// How a command is marked as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge) enum Mark {
    /// By a prefix.
    Prefix,
    /// By the bot's pill.
    Pill,
    /// By its name.
    Name,
}

impl Address<'_> {
    /// How a message is marked as a command, if it is one.
    pub(in crate::bridge) fn mark(&self, message: &Message) -> Option<Mark> {
        self.strip(&message.body, self.has_pill(message)).map(|(mark, _)| mark)
    }

    /// The commands of a message, each on its line, without their marks.
    pub(in crate::bridge) fn commands(&self, message: &Message) -> String {
        let has_pill = self.has_pill(message);
        let is_mark =
            |line: &str| [self.prefix, PREFIX].iter().any(|mark| line.trim().eq_ignore_ascii_case(mark));
        let strip = |line| match self.strip(line, has_pill) {
            Some((_, rest)) => rest,
            None if is_mark(line) => "",
            None => line,
        };
        message.body.lines().map(strip).collect::<Vec<_>>().join("\n")
    }

    /// A text without the character that keeps it from being a command.
    pub(in crate::bridge) fn unescaped<'t>(&self, text: &'t str) -> Option<&'t str> {
        let text = text.trim_start();
        let first = text.chars().next()?;
        let rest = &text[first.len_utf8()..];
        let is_escape = |prefix: &str| prefix.starts_with(first) && behind(rest, prefix).is_some();
        (is_escape(self.prefix) || is_escape(PREFIX)).then_some(rest)
    }

    /// What stands behind the mark of a line.
    fn strip<'t>(&self, line: &'t str, has_pill: bool) -> Option<(Mark, &'t str)> {
        let line = line.trim_start();
        let own = behind(line, self.prefix);
        if let Some(rest) =
            own.or_else(|| behind(line, PREFIX).filter(|rest| self.prefix == PREFIX || is_known(rest)))
        {
            return Some((Mark::Prefix, rest));
        }
        let localpart = self.bot.trim_start_matches('@').split(':').next().unwrap_or_default();
        for name in [self.bot, &*self.name, localpart] {
            let Some(rest) = without(line, name) else { continue };
            if let Some(rest) = rest.strip_prefix([':', ',']) {
                return Some((if has_pill { Mark::Pill } else { Mark::Name }, rest.trim()));
            }
            if has_pill && rest.starts_with(char::is_whitespace) {
                return Some((Mark::Pill, rest.trim()));
            }
        }
        None
    }

    /// Whether a message begins with the bot's pill.
    fn has_pill(&self, message: &Message) -> bool {
        let html = message.html.as_deref().unwrap_or_default().trim_start();
        let html = html.strip_prefix("<p>").unwrap_or(html);
        let link = html.strip_prefix("<a href=\"https://matrix.to/#/");
        link.and_then(|link| link.split_once('"')).is_some_and(|(id, _)| {
            let id = id.replace("%40", "@").replace("%3A", ":").replace("%3a", ":");
            id == self.bot
        })
    }
}

/// Whether what stands behind the built-in prefix is a command, as far as its first word tells.
fn is_known(rest: &str) -> bool {
    rest.split_whitespace()
        .next()
        .is_some_and(|word| word.chars().all(|c| c.is_ascii_alphabetic() || c == '?'))
}

/// What stands behind a prefix. One that ends in a letter needs a space behind it, as a word does.
fn behind<'t>(line: &'t str, prefix: &str) -> Option<&'t str> {
    let rest = without(line, prefix)?;
    let is_word = prefix.ends_with(char::is_alphanumeric);
    let begins = |c: char| c.is_whitespace() || !is_word && c.is_alphabetic();
    rest.starts_with(begins).then(|| rest.trim())
}

/// What stands behind a word, in capitals or not.
fn without<'t>(line: &'t str, word: &str) -> Option<&'t str> {
    let (start, rest) = line.split_at_checked(word.len())?;
    (!word.is_empty() && start.eq_ignore_ascii_case(word)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const BOT: &str = "@towline:x.example";

    fn address(prefix: &str) -> Address<'_> {
        Address { prefix, bot: BOT, name: "Towline".into() }
    }

    fn message(body: &str, html: Option<&str>) -> Message {
        Message { body: body.to_owned(), html: html.map(str::to_owned), ..Message::default() }
    }

    fn commands(prefix: &str, body: &str, html: Option<&str>) -> Option<String> {
        let message = message(body, html);
        let address = address(prefix);
        address.mark(&message).map(|_| address.commands(&message))
    }

    #[rstest]
    #[case::command("!irc search words", Some("search words"))]
    #[case::capitals("!IRC  Search", Some("Search"))]
    #[case::space_before("  !irc help", Some("help"))]
    #[case::line_feed("!irc\nhelp", Some("\nhelp"))]
    #[case::nothing_behind("!irc ", Some(""))]
    #[case::alone("!irc", None)]
    #[case::another_word("!ircfoo bar", None)]
    #[case::escaped("!!irc help", None)]
    #[case::later("say !irc help", None)]
    #[case::other_script("!irс help", None)]
    #[case::short("!i", None)]
    #[case::name_and_colon("towline: help", Some("help"))]
    #[case::name_and_comma("Towline, help", Some("help"))]
    #[case::name_and_nothing("TOWLINE:", Some(""))]
    #[case::whole_id("@towline:x.example: help", Some("help"))]
    #[case::about_it("towline is nice", None)]
    #[case::about_it_first("towline's bot: nice", None)]
    #[case::several("!irc topic x\n!irc names\nstatus", Some("topic x\nnames\nstatus"))]
    fn a_command_in_a_buffers_room_has_a_mark(#[case] body: &str, #[case] found: Option<&str>) {
        assert_eq!(commands(PREFIX, body, None).as_deref(), found);
    }

    const PILL: &str = "<a href=\"https://matrix.to/#/@towline:x.example\">Towline</a>";

    #[rstest]
    #[case::with_a_colon("Towline: help", ": help", Some("help"))]
    #[case::alone("Towline help me", " help me", Some("help me"))]
    #[case::nothing_behind("Towline", "", None)]
    fn the_bots_pill_makes_a_command(#[case] body: &str, #[case] html: &str, #[case] found: Option<&str>) {
        assert_eq!(commands(PREFIX, body, Some(&format!("{PILL}{html}"))).as_deref(), found);
        assert_eq!(commands(PREFIX, body, Some(&format!("<p>{PILL}{html}</p>"))).as_deref(), found);
    }

    #[test]
    fn a_pill_of_somebody_else_or_later_makes_none() {
        let other = PILL.replace("@towline", "@another");
        assert_eq!(commands(PREFIX, "Towline is nice", Some(&format!("{other} is nice"))), None);
        assert_eq!(
            commands(PREFIX, "Towline is nice, ask Towline", Some(&format!("Towline is nice, ask {PILL}"))),
            None
        );
    }

    #[rstest]
    #[case::a_word("bot", "bot help", Some("help"))]
    #[case::a_sign(".", ".help", Some("help"))]
    #[case::a_sign_and_space(".", ". help", Some("help"))]
    #[case::dots(".", "...", None)]
    #[case::the_built_in_one(".", "!irc help", Some("help"))]
    #[case::the_built_in_one_and_no_command(".", "!irc 1 2", None)]
    #[case::other_script("бот", "бот help", Some("help"))]
    fn the_prefix_is_the_users(#[case] prefix: &str, #[case] body: &str, #[case] found: Option<&str>) {
        assert_eq!(commands(prefix, body, None).as_deref(), found);
    }

    #[rstest]
    #[case::doubled("!!irc help", PREFIX, Some("!irc help"))]
    #[case::own("..help", ".", Some(".help"))]
    #[case::not_doubled("!irc help", PREFIX, None)]
    #[case::dots("....", ".", None)]
    #[case::excitement("!!!", PREFIX, None)]
    #[case::empty("", PREFIX, None)]
    fn an_escaped_prefix_is_text(#[case] text: &str, #[case] prefix: &str, #[case] unescaped: Option<&str>) {
        assert_eq!(address(prefix).unescaped(text), unescaped);
    }
}
