//! Whom a message names by pills, and how it calls them: for commands, which are read from the plain body.

use super::MOST_HTML;
use super::entities::unescape;
use super::links::Goal;
use super::tokens::{Token, Tokens};

/// Pills of one message that are looked at.
const MOST: usize = 50;

/// Somebody whom a message names by a pill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pill {
    /// Their Matrix id.
    pub user_id: String,
    /// What stands there for them.
    pub shown: String,
}

/// The people whom HTML names by pills, in their order; a reply's fallback names nobody.
pub fn pills(html: &str) -> Vec<Pill> {
    let mut pills = Vec::new();
    if html.len() > MOST_HTML {
        return pills;
    }
    let mut tokens = Tokens::new(html);
    let (mut open, mut in_reply): (Option<Pill>, bool) = (None, false);
    while let Ok(Some(token)) = tokens.next() {
        match token {
            Token::Start(name, _) if name.eq_ignore_ascii_case("mx-reply") => in_reply = true,
            Token::End(name) if name.eq_ignore_ascii_case("mx-reply") => in_reply = false,
            Token::Start(name, attributes) if name.eq_ignore_ascii_case("a") => {
                open = match attributes.get("href").map(|address| Goal::of(&address)) {
                    Some(Goal::User(user_id)) if !in_reply => Some(Pill { user_id, shown: String::new() }),
                    _ => None,
                };
            }
            Token::End(name) if name.eq_ignore_ascii_case("a") => {
                let pill = open.take().map(|pill| Pill { shown: pill.shown.trim().to_owned(), ..pill });
                pills.extend(pill.filter(|pill| !pill.shown.is_empty()));
                if pills.len() >= MOST {
                    break;
                }
            }
            Token::Text(text) => {
                if let Some(pill) = &mut open {
                    pill.shown.push_str(&unescape(text));
                }
            }
            Token::Start(..) | Token::End(_) => {}
        }
    }
    pills
}

/// A text in which people are called otherwise: each as the second says where the first stands as a word, one after the
/// other.
pub fn called_otherwise(text: &str, names: &[(String, String)]) -> String {
    let (mut done, mut rest) = (String::new(), text);
    for (shown, name) in names {
        let Some(at) = place_of(rest, shown) else { continue };
        done.push_str(&rest[..at]);
        done.push_str(name);
        rest = &rest[at + shown.len()..];
    }
    done + rest
}

/// Where a name stands by itself, or with a sign behind it as people write one behind a name.
fn place_of(text: &str, name: &str) -> Option<usize> {
    let begins = |at: usize| text[..at].chars().next_back().is_none_or(|c| c.is_whitespace() || c == ',');
    let ends = |at: usize| text[at..].chars().next().is_none_or(|c| c.is_whitespace() || ",:;".contains(c));
    let found = text.match_indices(name).map(|(at, _)| at);
    let mut found = found.filter(|at| begins(*at) && ends(at + name.len()));
    found.next().filter(|_| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const BOB: &str = "<a href=\"https://matrix.to/#/@irc_x_bob:x.example\">";

    #[rstest]
    #[case::one(&format!("op {BOB}@bob</a>"), &["@bob"])]
    #[case::with_entities_and_tags(&format!("op {BOB} <b>B &amp; b</b></a>"), &["B & b"])]
    #[case::two(&format!("{BOB}a</a>, {BOB}b</a>"), &["a", "b"])]
    #[case::in_a_replys_fallback(&format!("<mx-reply>{BOB}a</a></mx-reply>{BOB}b</a>"), &["b"])]
    #[case::nothing_shown(&format!("{BOB}</a>"), &[])]
    #[case::not_ended(&format!("{BOB}bob"), &[])]
    #[case::another_link("<a href=\"https://x.example\">bob</a>", &[])]
    #[case::a_room("<a href=\"https://matrix.to/#/#tea:x.example\">#tea</a>", &[])]
    #[case::broken("<a href=\"", &[])]
    fn pills_are_read_as_they_are_shown(#[case] html: &str, #[case] shown: &[&str]) {
        let found = pills(html);
        assert!(found.iter().all(|pill| pill.user_id == "@irc_x_bob:x.example"), "{found:?}");
        assert_eq!(found.iter().map(|pill| pill.shown.as_str()).collect::<Vec<_>>(), shown);
    }

    #[test]
    fn no_more_pills_are_read_than_a_command_can_name() {
        assert_eq!(pills(&format!("{BOB}b</a>").repeat(500)).len(), MOST);
        assert_eq!(pills(&format!("{BOB}b</a>").repeat(5000)).len(), 0, "what is too large is not looked at");
    }

    #[rstest]
    #[case::a_rank("op @bob", &[("@bob", "bob")], "op bob")]
    #[case::several("op Bob (IRC), Carol", &[("Bob (IRC)", "bob"), ("Carol", "carol_")], "op bob, carol_")]
    #[case::with_commas("kick a,b,c reason", &[("b", "bob")], "kick a,bob,c reason")]
    #[case::only_as_a_word("msg bobby hi Bob", &[("Bob", "bob"), ("bobb", "x")], "msg bobby hi bob")]
    #[case::the_same_twice("op Bob Bob", &[("Bob", "b1"), ("Bob", "b2")], "op b1 b2")]
    #[case::not_there("op bob", &[("Carol", "carol")], "op bob")]
    #[case::other_script("op Боб:", &[("Боб", "bob")], "op bob:")]
    fn people_are_called_by_their_nicks(
        #[case] text: &str,
        #[case] names: &[(&str, &str)],
        #[case] called: &str,
    ) {
        let names: Vec<(String, String)> =
            names.iter().map(|(shown, nick)| ((*shown).to_owned(), (*nick).to_owned())).collect();
        assert_eq!(called_otherwise(text, &names), called);
    }
}
