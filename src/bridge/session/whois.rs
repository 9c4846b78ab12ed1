//! Who somebody is, in words: the answer to `WHOIS`.
//!
//! Servers have their own numerics for it; what is not known here is shown as it stands.
//!
//! Spec: modern IRC docs "WHOIS message".

use super::super::outcome::{Outcome, Refusal};
use super::wording;
use crate::format::{RichText, strip_irc};
use crate::irc::numerics::{
    RPL_AWAY, RPL_ENDOFWHOIS, RPL_ENDOFWHOWAS, RPL_WHOISACCOUNT, RPL_WHOISACTUALLY, RPL_WHOISBOT,
    RPL_WHOISCHANNELS, RPL_WHOISIDLE, RPL_WHOISOPERATOR, RPL_WHOISSECURE, RPL_WHOISSERVER, RPL_WHOISUSER,
    RPL_WHOWASUSER,
};
use crate::irc::session::{Answer, InquiryReply};

/// An answer to `WHOIS` in words.
pub(super) fn in_words(network: &str, answer: &Answer) -> Outcome {
    let mut text = RichText::new();
    let mut trouble = None;
    for reply in &answer.replies {
        let params: Vec<String> = reply.params.iter().map(|param| strip_irc(param)).collect();
        let params: Vec<&str> = params.iter().map(String::as_str).collect();
        match (reply.code, &params[..]) {
            // It has ended, as one sees.
            (RPL_ENDOFWHOIS | RPL_ENDOFWHOWAS, _) => {}
            (RPL_WHOISUSER | RPL_WHOWASUSER, [nick, user, host, .., name]) => {
                text = text.line().bold(*nick).text(format!(" is {user}@{host}, {name}"));
            }
            (400..600, _) => trouble = Some(params.last().copied().unwrap_or_default().to_owned()),
            _ => text = text.line().text(about(reply, &params)),
        }
    }
    match trouble {
        Some(trouble) if text.is_empty() => {
            Err(Refusal::asked(format!("{network} says: {}.", trouble.trim_end_matches('.'))))
        }
        _ if text.is_empty() => Err(Refusal::asked(format!("{network} did not answer so far."))),
        _ => Ok(text),
    }
}

/// One line about somebody.
fn about(reply: &InquiryReply, params: &[&str]) -> String {
    match (reply.code, params) {
        (RPL_WHOISCHANNELS, [_, channels]) => format!("in {}", channels.trim()),
        (RPL_WHOISSERVER, [_, server, info]) => format!("on {server} ({info})"),
        (RPL_AWAY, [_, why]) => format!("away: {why}"),
        (RPL_WHOISOPERATOR, [_, ..]) => "an operator of the network".to_owned(),
        (RPL_WHOISIDLE, [_, idle, since, ..]) => match (seconds(idle), seconds(since)) {
            (Some(idle), Some(since)) if since > 0 => {
                let since = wording::time(since.saturating_mul(1000));
                format!("idle for {}, here since {since}", duration(idle))
            }
            _ => format!("idle for {idle} s"),
        },
        (RPL_WHOISIDLE, [_, idle, ..]) => format!("idle for {idle} s"),
        (RPL_WHOISACCOUNT, [_, account, ..]) => format!("logged in as {account}"),
        (RPL_WHOISBOT, [_, ..]) => "a bot".to_owned(),
        (RPL_WHOISSECURE, [_, ..]) => "connected with TLS".to_owned(),
        (RPL_WHOISACTUALLY, [_, .., host, _]) => format!("really at {host}"),
        // Text about the one who was asked for.
        (_, [_, rest @ ..]) => rest.join(" "),
        _ => strip_irc(&reply.text),
    }
}

fn seconds(text: &str) -> Option<i64> {
    text.parse().ok()
}

fn duration(seconds: i64) -> String {
    wording::duration(std::time::Duration::from_secs(seconds.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn reply(line: &str) -> InquiryReply {
        let (code, rest) = line.split_once(' ').unwrap();
        let (middle, text) = rest.split_once(" :").unwrap_or((rest, ""));
        let params = middle.split(' ').chain((!text.is_empty()).then_some(text)).map(str::to_owned).collect();
        InquiryReply { code: code.parse().unwrap(), params, text: rest.to_owned() }
    }

    #[rstest]
    #[case::person("311 bob build h.test * :Bob the Builder", "bob is build@h.test, Bob the Builder")]
    #[case::one_of_the_past("314 bob build h.test * :Bob", "bob is build@h.test, Bob")]
    #[case::channels("319 bob :@#rust #tea ", "in @#rust #tea")]
    #[case::server("312 bob irc.test :A test", "on irc.test (A test)")]
    #[case::away("301 bob :\x02lunch", "away: lunch")]
    #[case::idle(
        "317 bob 90 1700000000 :seconds idle, signon time",
        "idle for 90 seconds, here since 2023-11-14 22:13:20 UTC"
    )]
    #[case::account("330 bob bobby :is logged in as", "logged in as bobby")]
    #[case::tls("671 bob :is using a secure connection", "connected with TLS")]
    #[case::unknown("379 bob :is using modes +i", "is using modes +i")]
    #[case::host("338 bob bob@h.test 192.0.2.7 :actually using host", "really at 192.0.2.7")]
    fn each_line_says_something_about_somebody(#[case] line: &str, #[case] words: &str) {
        let answer =
            Answer { replies: vec![reply(line), reply("318 bob :End of /WHOIS list.")], ..Answer::default() };
        assert_eq!(in_words("Test", &answer).unwrap().to_plain(), words);
    }

    #[rstest]
    #[case::nobody(&["401 bob :No such nick/channel", "318 bob :End"], "Test says: No such nick/channel.")]
    #[case::silence(&[], "Test did not answer so far.")]
    fn who_is_nobody_is_a_refusal(#[case] lines: &[&str], #[case] words: &str) {
        let answer = Answer { replies: lines.iter().map(|line| reply(line)).collect(), ..Answer::default() };
        assert_eq!(in_words("Test", &answer).unwrap_err().into_text().to_plain(), words);
    }
}
