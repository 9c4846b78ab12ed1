//! What a line means that begins with `/`, where a client did not take it for a command of its own and sent it as text:
//! what an IRC user means by it.
//!
//! Who types `/msg NickServ …` into a channel of an IRC client is sure that the channel does not read it. So a command
//! of IRC is refused, and its text goes nowhere. Everything else is text, `/usr/bin/env` among it.

use super::secrets::tells;
use crate::names::is_service;

/// What is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed<'t> {
    /// To say this.
    Text(&'t str),
    /// To do this: `/me`.
    Action(&'t str),
    /// To send this as a notice.
    Notice(&'t str),
    /// To use this command of IRC clients, which is none here.
    Command(&'t str),
}

/// Commands of IRC clients, whose words nobody else is to read.
const COMMANDS: [&str; 63] = [
    "amsg",
    "away",
    "back",
    "ban",
    "certfp",
    "chanserv",
    "clear",
    "close",
    "connect",
    "cs",
    "ctcp",
    "cycle",
    "dcc",
    "dehalfop",
    "deop",
    "devoice",
    "disconnect",
    "ghost",
    "halfop",
    "hop",
    "identify",
    "ignore",
    "invite",
    "j",
    "join",
    "kb",
    "kick",
    "kickban",
    "kill",
    "knock",
    "leave",
    "links",
    "list",
    "login",
    "m",
    "memoserv",
    "mode",
    "ms",
    "msg",
    "names",
    "nick",
    "nickserv",
    "ns",
    "op",
    "oper",
    "operserv",
    "os",
    "part",
    "pass",
    "q",
    "query",
    "quit",
    "quote",
    "raw",
    "rejoin",
    "sasl",
    "server",
    "squery",
    "topic",
    "unban",
    "voice",
    "who",
    "whois",
];

/// What a text means.
pub fn typed(text: &str) -> Typed<'_> {
    let Some(behind) = text.strip_prefix('/') else { return Typed::Text(text) };
    if let Some(rest) = behind.strip_prefix('/') {
        // As clients have it: the second slash says that the first is text.
        let is_comment = rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || c == '/');
        return Typed::Text(if is_comment { text } else { behind });
    }
    let end = behind.find(char::is_whitespace).unwrap_or(behind.len());
    let (word, rest) = behind.split_at(end);
    let said = rest.trim_start_matches([' ', '\t']);
    let is = |name: &str| word.eq_ignore_ascii_case(name);
    if COMMANDS.iter().any(|name| is(name)) || is_service(word, &[]) || !said.is_empty() && tells(word) {
        return Typed::Command(word);
    }
    match said {
        "" => Typed::Text(text),
        said if is("me") => Typed::Action(said),
        said if is("notice") => Typed::Notice(said),
        said if is("say") => Typed::Text(said),
        _ => Typed::Text(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("hello", Typed::Text("hello"))]
    #[case::me("/me waves", Typed::Action("waves"))]
    #[case::me_in_capitals("/ME waves", Typed::Action("waves"))]
    #[case::me_alone("/me", Typed::Text("/me"))]
    #[case::another_service("/AuthServ auth me pw", Typed::Command("AuthServ"))]
    #[case::a_service_alone("/hostserv", Typed::Command("hostserv"))]
    #[case::what_services_are_told("/id pw", Typed::Command("id"))]
    #[case::by_another_word("/auth me pw", Typed::Command("auth"))]
    #[case::a_common_word("/set theory is fun", Typed::Text("/set theory is fun"))]
    #[case::told_nobody("/id", Typed::Text("/id"))]
    #[case::me_of_two_lines("/me waves\nand smiles", Typed::Action("waves\nand smiles"))]
    #[case::not_me("/mean", Typed::Text("/mean"))]
    #[case::notice("/notice look", Typed::Notice("look"))]
    #[case::say("/say /me is a command", Typed::Text("/me is a command"))]
    #[case::two_slashes("//me waves", Typed::Text("/me waves"))]
    #[case::two_slashes_of_a_command("//join #rust", Typed::Text("/join #rust"))]
    #[case::comment("// a comment", Typed::Text("// a comment"))]
    #[case::doc_comment("/// a comment", Typed::Text("/// a comment"))]
    #[case::slashes_alone("//", Typed::Text("//"))]
    #[case::slash_alone("/", Typed::Text("/"))]
    #[case::slash_and_space("/ me", Typed::Text("/ me"))]
    #[case::path("/usr/bin/env python", Typed::Text("/usr/bin/env python"))]
    #[case::path_of_a_command("/join/the/dots", Typed::Text("/join/the/dots"))]
    #[case::sarcasm("/s", Typed::Text("/s"))]
    #[case::shrug("/shrug", Typed::Text("/shrug"))]
    #[case::root("/etc", Typed::Text("/etc"))]
    #[case::a_raw_line(":alice QUIT", Typed::Text(":alice QUIT"))]
    #[case::not_at_the_start(" /join #rust", Typed::Text(" /join #rust"))]
    #[case::password("/msg NickServ identify hunter2", Typed::Command("msg"))]
    #[case::short_password("/ns identify hunter2", Typed::Command("ns"))]
    #[case::in_capitals("/MSG bob hi", Typed::Command("MSG"))]
    #[case::alone("/part", Typed::Command("part"))]
    #[case::with_a_line_end("/quote\nPASS x", Typed::Command("quote"))]
    fn a_text_that_begins_with_a_slash_means_what_an_irc_user_means(
        #[case] text: &str,
        #[case] expected: Typed<'_>,
    ) {
        assert_eq!(typed(text), expected);
    }

    #[test]
    fn commands_stand_in_their_order_once() {
        assert!(COMMANDS.is_sorted_by(|one, next| one < next));
    }
}
