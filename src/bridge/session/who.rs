//! Who is there, and who was: the answers to `WHO` and `WHOWAS` in words.
//!
//! Where the server has WHOX the accounts are asked for, too.
//!
//! Spec: modern IRC docs "WHO message", "WHOWAS message"; `IRCv3` "WHOX".

use super::super::outcome::{Outcome, Refusal};
use super::Actor;
use super::inquiries::trouble;
use super::listing::ListRequest;
use super::loose::Reply;
use crate::format::{RichText, Table, strip_irc};
use crate::irc::numerics::{
    RPL_WHOISACCOUNT, RPL_WHOISACTUALLY, RPL_WHOISSERVER, RPL_WHOREPLY, RPL_WHOSPCRPL, RPL_WHOWASUSER,
};
use crate::irc::session::Answer;
use crate::irc::wire::Line;
use crate::names::Nick;

/// People that one answer shows.
const MOST_SHOWN: usize = 100;
/// Lives of a nick that are asked for.
const MOST_LIVES: u64 = 5;
/// What is asked for with WHOX, and by which number its answer is known.
const WHOX: &str = "%tcuhnfar,152";

/// What is looked for.
#[derive(Debug)]
pub enum LookRequest {
    /// Who is there: a channel, a nick, or a mask.
    Who(String),
    /// Who had a nick.
    Whowas(Nick),
    /// Which channels there are.
    List(ListRequest),
    /// Of whom the user is told when they come and go; with nobody to see them, `true` adds somebody.
    Monitor(Vec<(bool, Nick)>),
}

/// Somebody who is there.
#[derive(Debug, PartialEq, Eq)]
struct Person {
    nick: String,
    address: String,
    account: Option<String>,
    is_away: bool,
    is_operator: bool,
    name: String,
}

impl Actor {
    pub(super) async fn look(&mut self, request: LookRequest) -> Reply {
        match request {
            LookRequest::Who(mask) => {
                let has_whox = self.link.as_ref().is_some_and(|link| link.session.isupport().has_whox());
                let line = Line::new("WHO").name_literal(&mask);
                let line = if has_whox { line.name_literal(WHOX) } else { line };
                self.inquire(line.finish(), who_in_words)
            }
            LookRequest::List(request) => self.list(request),
            LookRequest::Monitor(changes) => self.monitor(changes).await.into(),
            LookRequest::Whowas(nick) => {
                let line = Line::new("WHOWAS").name(&nick).number(MOST_LIVES).finish();
                self.inquire(line, whowas_in_words)
            }
        }
    }
}

/// One line of an answer to `WHO`.
fn person(code: u16, params: &[&str]) -> Option<Person> {
    let (user, host, nick, flags, account, name) = match (code, params) {
        // 352 <channel> <user> <host> <server> <nick> <flags> :<hops> <name>
        (RPL_WHOREPLY, [_, user, host, _, nick, flags, name, ..]) => {
            let name = name.split_once(' ').map_or("", |(_, name)| name);
            (user, host, nick, flags, None, name)
        }
        // 354 <token> <channel> <user> <host> <nick> <flags> <account> :<name>
        (RPL_WHOSPCRPL, [_, _, user, host, nick, flags, account, name]) => {
            (user, host, nick, flags, Some(*account).filter(|account| *account != "0"), *name)
        }
        _ => return None,
    };
    Some(Person {
        nick: (*nick).to_owned(),
        address: format!("{user}@{host}"),
        account: account.map(str::to_owned),
        is_away: flags.starts_with('G'),
        is_operator: flags.contains('*'),
        name: name.to_owned(),
    })
}

fn who_in_words(network: &str, answer: &Answer) -> Outcome {
    let mut people: Vec<Person> = answer
        .replies
        .iter()
        .filter_map(|reply| {
            let params: Vec<String> = reply.params.iter().map(|param| strip_irc(param)).collect();
            person(reply.code, &params.iter().map(String::as_str).collect::<Vec<_>>())
        })
        .collect();
    if people.is_empty() {
        let nobody = || Refusal::asked(format!("{network} knows nobody there."));
        return Err(trouble(network, answer).unwrap_or_else(nobody));
    }
    // In each channel that one shares with them, on some servers.
    people.sort_by(|one, other| one.nick.cmp(&other.nick));
    people.dedup_by(|one, other| one.nick == other.nick);
    // Not every server tells accounts.
    let tells_accounts = people.iter().any(|person| person.account.is_some());
    let mut head = vec!["nick", "address", "real name"];
    if tells_accounts {
        head.insert(2, "account");
    }
    let shown = people.iter().take(MOST_SHOWN);
    let table = shown.fold(Table::new(head), |table, person| table.row(person.cells(tells_accounts)));
    let text = RichText::new().table(table);
    match people.len().saturating_sub(MOST_SHOWN) + answer.left_out {
        0 => Ok(text),
        more => Ok(text.text(format!("… and {more} more. A narrower mask shows them."))),
    }
}

impl Person {
    fn cells(&self, with_account: bool) -> Vec<RichText> {
        let how = match (self.is_away, self.is_operator) {
            (true, true) => " (away, operator)",
            (true, false) => " (away)",
            (false, true) => " (operator)",
            (false, false) => "",
        };
        let mut cells = vec![RichText::new().bold(&self.nick).text(how), RichText::plain(&self.address)];
        cells.extend(with_account.then(|| RichText::plain(self.account.as_deref().unwrap_or_default())));
        cells.push(RichText::plain(&self.name));
        cells
    }
}

fn whowas_in_words(network: &str, answer: &Answer) -> Outcome {
    let mut text = RichText::new();
    for reply in &answer.replies {
        let params: Vec<String> = reply.params.iter().map(|param| strip_irc(param)).collect();
        let params: Vec<&str> = params.iter().map(String::as_str).collect();
        match (reply.code, &params[..]) {
            (RPL_WHOWASUSER, [nick, user, host, .., name]) => {
                text = text.line().bold(*nick).text(format!(" was {user}@{host}, {name}"));
            }
            (RPL_WHOISSERVER, [_, server, when]) if !text.is_empty() => {
                text = text.text(format!(", on {server} ({when})"));
            }
            (RPL_WHOISACCOUNT, [_, account, ..]) if !text.is_empty() => {
                text = text.text(format!(", logged in as {account}"));
            }
            (RPL_WHOISACTUALLY, [_, .., host, _]) if !text.is_empty() => {
                text = text.text(format!(", really at {host}"));
            }
            _ => {}
        }
    }
    if text.is_empty() {
        let nobody = || Refusal::asked(format!("{network} remembers nobody of that nick."));
        return Err(trouble(network, answer).unwrap_or_else(nobody));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::irc::session::InquiryReply;
    use rstest::rstest;

    fn answer(lines: &[&str]) -> Answer {
        let reply = |line: &&str| {
            let (code, rest) = line.split_once(' ').unwrap();
            let (middle, text) = rest.split_once(" :").unwrap_or((rest, ""));
            let params = middle.split(' ').chain((!text.is_empty()).then_some(text)).map(str::to_owned);
            InquiryReply { code: code.parse().unwrap(), params: params.collect(), text: rest.to_owned() }
        };
        Answer { replies: lines.iter().map(reply).collect(), ..Answer::default() }
    }

    #[rstest]
    #[case::plain(&["352 #rust bob h.test irc.test bob H@ :0 Bob B", "315 #rust :End"],
        "nick | address | real name\nbob | bob@h.test | Bob B")]
    #[case::with_accounts(&["354 152 #rust bob h.test bob G* bobby :Bob", "354 152 #rust al h.test al H 0 :Al", "315 #rust :End"],
        "nick | address | account | real name\nal | al@h.test | | Al\nbob (away, operator) | bob@h.test | bobby | Bob")]
    #[case::twice(&["352 #a bob h irc bob H :0 B", "352 #b bob h irc bob H :0 B", "315 * :End"],
        "nick | address | real name\nbob | bob@h | B")]
    #[case::without_a_name(&["352 * bob h irc bob H :0", "315 * :End"], "nick | address | real name\nbob | bob@h |")]
    fn who_is_there_stands_in_a_line_each(#[case] lines: &[&str], #[case] words: &str) {
        let text = who_in_words("Test", &answer(lines)).unwrap().to_plain();
        let collapsed: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(collapsed.join("\n"), words);
    }

    #[rstest]
    #[case::nobody(&["315 x :End of /WHO list."], "Test knows nobody there.")]
    #[case::too_busy(&["263 WHO :This command could not be completed", "315 x :End"],
        "Test has too much to do for that now: This command could not be completed. Try again in a while.")]
    #[case::no_such_command(&["421 WHO :Unknown command"], "Test has no such command: Unknown command.")]
    fn nobody_is_a_refusal(#[case] lines: &[&str], #[case] words: &str) {
        assert_eq!(who_in_words("Test", &answer(lines)).unwrap_err().to_string(), words);
    }

    #[test]
    fn a_crowd_is_shown_in_part() {
        let lines: Vec<String> = (0..150).map(|n| format!("352 * u h irc n{n:03} H :0 N")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let mut answer = answer(&lines);
        answer.left_out = 7;
        let text = who_in_words("Test", &answer).unwrap().to_plain();
        assert_eq!(text.lines().count(), 1 + MOST_SHOWN + 1);
        assert!(text.ends_with("… and 57 more. A narrower mask shows them."), "{text}");
    }

    #[test]
    fn who_was_there_stands_with_when_and_where() {
        let lines = [
            "314 bob build h.test * :Bob",
            "312 bob irc.test :Tue Nov 3 2026",
            "330 bob bobby :was logged in as",
            "314 bob other h2.test * :Bob Two",
            "369 bob :End of WHOWAS",
        ];
        let text = whowas_in_words("Test", &answer(&lines)).unwrap().to_plain();
        assert_eq!(
            text,
            "bob was build@h.test, Bob, on irc.test (Tue Nov 3 2026), logged in as bobby\nbob was other@h2.test, Bob Two"
        );
        let none = answer(&["406 bob :There was no such nickname", "369 bob :End of WHOWAS"]);
        assert_eq!(
            whowas_in_words("Test", &none).unwrap_err().to_string(),
            "Test says: There was no such nickname."
        );
    }
}
