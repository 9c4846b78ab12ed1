//! Small words: durations, and what IRC's refusals mean to a person.

use std::time::{Duration, Instant};

use crate::format::RichText;
use crate::irc::session::{Obstacle, Retry, Standing, Trigger};
use crate::names::CaseMapping;

/// A duration as people say it.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..2 => "a moment".to_owned(),
        2..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        _ => format!("{} hours", seconds / 3600),
    }
}

/// A time of the day, in UTC.
pub(in crate::bridge) fn time(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// From when to when, in UTC; the day is said where it is not the same.
pub(in crate::bridge) fn span(from: i64, to: i64) -> String {
    const DAY: &str = "%Y-%m-%d";
    let time = |ms: i64, format: &str| {
        let time = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
        time.strftime(format).to_string()
    };
    // Whole seconds, on the safe side.
    let to = to.saturating_add(999);
    let same_day = time(from, DAY) == time(to, DAY);
    let end = time(to, if same_day { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" });
    format!("from {} to {end} UTC", time(from, "%Y-%m-%d %H:%M:%S"))
}

/// What stands behind the nick of a session that has a name.
pub(super) fn nick_suffix(session_name: &str) -> String {
    if session_name.is_empty() { String::new() } else { format!("_{session_name}") }
}

/// Whether a line speaks of this nick: as a word, whatever stands around it.
pub(super) fn mentions(text: &str, nick: &str, mapping: CaseMapping) -> bool {
    if nick.is_empty() {
        return false;
    }
    let (text, nick) = (mapping.fold(text), mapping.fold(nick));
    let is_nick = |c: char| c.is_alphanumeric() || "-_[]\\`^{}|".contains(c);
    text.match_indices(&nick).any(|(start, found)| {
        !text[..start].ends_with(is_nick) && !text[start + found.len()..].starts_with(is_nick)
    })
}

/// What to do about a channel that does not let somebody in. Some numerics mean two things: the server's words tell.
pub(super) fn join_remedy(code: u16, reason: &str) -> &'static str {
    let says = |word: &str| reason.to_ascii_lowercase().contains(word);
    match code {
        403 | 476 | 479 => "Is the name right?",
        405 => "You are in as many channels as the network allows: leave one first.",
        407 => "Several channels have that short name: join one by its full name.",
        437 => "The network lets nobody use that name for now.",
        471 => "The channel is full.",
        473 => "It is for invited people only: ask one of its operators for an invitation.",
        474 => "You are banned there: ask one of its operators.",
        475 => "It needs a key: join #channel KEY",
        477 => "It is for people who are logged in: type sasl ACCOUNT PASSWORD, then connect again.",
        489 => "It is only for people who are connected with TLS.",
        480 | 520 if says("ssl") || says("tls") || says("secure") => {
            "It is only for people who are connected with TLS."
        }
        480 => "Too many people came in a short time.",
        495 => "Who was thrown out must wait before they come back.",
        520 => "It is only for the network's operators.",
        _ => "The server says no more about it.",
    }
}

/// When a channel is tried again, as a sentence with a space before it; nothing where only the user can help.
pub(super) fn retry(retry: Retry) -> String {
    let on: Vec<&str> = retry.on.iter().map(|trigger| trigger_text(*trigger)).collect();
    match (retry.after, on.join(" or ")) {
        (None, on) if on.is_empty() => String::new(),
        (None, on) => format!(" I try again {on}."),
        (Some(after), on) if on.is_empty() => format!(" I try again in {}.", duration(after)),
        (Some(after), on) => format!(" I try again {on}, or in {}.", duration(after)),
    }
}

fn trigger_text(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Invitation => "when you are invited",
        Trigger::Login => "when you are logged in",
        Trigger::Key => "with another key",
        Trigger::Place => "when you leave another channel",
    }
}

/// What comes after a KICK.
pub(super) fn after_kick(channel: &str, back_in: Option<Duration>) -> RichText {
    let join = RichText::new().code(format!("join {channel}"));
    match back_in {
        Some(wait) => RichText::plain(format!("I go back once, in {}. To stay out, type ", duration(wait)))
            .code(format!("part {channel}"))
            .text(" in the network's room; to go back now, ")
            .then(join)
            .text("."),
        None => RichText::plain("I don't go back by myself while this connection lasts. To return, type ")
            .then(join)
            .text(" in the network's room."),
    }
}

/// How we stand with a channel, as `channels` says it.
pub(super) fn standing(standing: Standing<'_>, now: Instant) -> String {
    let obstacle = match standing {
        Standing::Joined => return "you are in it".to_owned(),
        Standing::Asked => return "the server was asked, and has not answered".to_owned(),
        Standing::Blocked(obstacle) => obstacle,
    };
    let Obstacle { code, reason, since, retry_at, retry_on } = obstacle;
    let after = retry_at.map(|at| at.saturating_duration_since(now));
    let since = duration(now.saturating_duration_since(*since));
    let reason = crate::format::strip_irc(reason);
    let reason = reason.trim_end_matches('.');
    let why = if *code == 0 { format!("kicked out: {reason}") } else { format!("{reason} ({code})") };
    format!("not in it for {since}: {why}.{}", retry(Retry { after, on: retry_on }))
}

/// Why a command of IRC clients was not sent as text, and what to do instead.
pub(super) fn misplaced_command(word: &str) -> String {
    let word = word.to_ascii_lowercase();
    let instead = match word.as_str() {
        "msg" | "m" | "squery" | "ns" | "cs" | "ms" | "os" | "nickserv" | "chanserv" | "memoserv"
        | "operserv" | "identify" | "ghost" => {
            "!irc msg NICK TEXT, or in a service's case !irc msg NickServ TEXT"
        }
        "join" | "j" => "!irc join #CHANNEL",
        "part" | "leave" => "!irc part #CHANNEL",
        "query" | "q" => "!irc query NICK",
        "nick" => "!irc nick NICK",
        "sasl" | "login" | "pass" => "!irc sasl ACCOUNT PASSWORD",
        "certfp" => "!irc certfp",
        "quit" | "disconnect" => "!irc disconnect",
        "connect" | "server" => "!irc connect",
        "kick" | "k" => "!irc kick NICK REASON",
        "ban" | "b" => "!irc ban NICK",
        "kickban" | "kb" | "bk" => "!irc kickban NICK REASON",
        "op" => "!irc op NICK",
        "deop" => "!irc deop NICK",
        "voice" => "!irc voice NICK",
        "devoice" => "!irc devoice NICK",
        "mode" => "!irc mode MODES",
        "topic" | "t" => "!irc topic TEXT",
        "names" => "!irc names",
        "invite" => "!irc invite NICK",
        "unban" => "!irc unban NICK",
        "cycle" | "hop" | "rejoin" => "!irc cycle",
        "knock" => "!irc knock #CHANNEL",
        _ => "!irc help for what I can do, or send it to the server as it is with !irc raw",
    };
    format!(
        "was not sent: /{word} is a command of IRC programs, and here everybody would read it as text. Type {instead}. \
         To say it, write //{word}."
    )
}

/// Why a message was refused, and what to do; nothing where the server's own words say it all, as those of `FAIL` do.
pub(super) fn message_remedy(code: u16) -> &'static str {
    match code {
        401 | 406 => "Nobody of that nick is on the network now.",
        402 => "There is no such server on the network.",
        403 => "There is no such channel.",
        404 => {
            "The channel does not take messages from you: it may be moderated (+m), or closed to people outside it \
                or not logged in."
        }
        407 => "The name stands for several people there: write to one nick.",
        408 => "The channel takes no colours: send it without formatting.",
        411 | 413..=415 => "The server takes that for no channel and no nick.",
        412 => "The server found no text in it.",
        417 => "It was too long for the server: send it in parts.",
        437 => "The network lets nobody use that name for now: try again later.",
        439 | 707 => "You write to new people faster than the network allows: wait a minute.",
        442 => "You are not in that channel.",
        477 => {
            "The channel is for people who are logged in: type sasl ACCOUNT PASSWORD in the network's room, then \
                connect again."
        }
        486 => {
            "They take messages only from people who are logged in: type sasl ACCOUNT PASSWORD in the network's \
                room, then connect again."
        }
        489 => "The channel is only for people who are connected with TLS.",
        492 => "The channel takes no CTCP.",
        499 | 531 => {
            "They take no messages from you: perhaps only from people who are logged in, or whom they accept."
        }
        716 => "They take messages only from people whom they accept (+g).",
        717 => "They were told that you wrote: wait until they accept you.",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::one_day(1_763_726_590_123, 1_763_726_865_001, "from 2025-11-21 12:03:10 to 12:07:46 UTC")]
    #[case::over_midnight(
        1_763_769_599_000,
        1_763_769_600_000,
        "from 2025-11-21 23:59:59 to 2025-11-22 00:00:00 UTC"
    )]
    fn a_span_is_never_shorter_than_it_was(#[case] from: i64, #[case] to: i64, #[case] text: &str) {
        assert_eq!(span(from, to), text);
    }

    #[rstest]
    #[case::alone("alice", true)]
    #[case::addressed("alice: hi", true)]
    #[case::in_capitals("hi ALICE!", true)]
    #[case::part_of_a_word("malice", false)]
    #[case::part_of_a_nick("alice_ is back", false)]
    #[case::second_time("malice, alice", true)]
    fn a_mention_is_a_whole_word(#[case] text: &str, #[case] mentioned: bool) {
        assert_eq!(mentions(text, "alice", CaseMapping::Rfc1459), mentioned);
    }

    #[rstest]
    #[case::message("MSG", "Type !irc msg NICK TEXT")]
    #[case::service("ns", "!irc msg NickServ TEXT.")]
    #[case::channel("j", "Type !irc join #CHANNEL.")]
    #[case::in_a_channel("mode", "Type !irc mode MODES.")]
    #[case::anything("dcc", "To say it, write //dcc.")]
    fn a_command_in_the_wrong_place_has_one_in_the_right_place(#[case] word: &str, #[case] part: &str) {
        let text = misplaced_command(word);
        assert!(text.contains(part), "{text}");
    }

    #[rstest]
    #[case::no_such_nick(401, "Nobody of that nick")]
    #[case::no_such_server(402, "no such server")]
    #[case::no_such_channel(403, "no such channel")]
    #[case::moderated(404, "moderated")]
    #[case::was_no_such_nick(406, "Nobody of that nick")]
    #[case::too_many_targets(407, "one nick")]
    #[case::no_colours(408, "without formatting")]
    #[case::no_recipient(411, "no channel and no nick")]
    #[case::no_text(412, "no text")]
    #[case::no_top_level(413, "no channel and no nick")]
    #[case::wild_top_level(414, "no channel and no nick")]
    #[case::bad_mask(415, "no channel and no nick")]
    #[case::too_long(417, "in parts")]
    #[case::unavailable(437, "try again later")]
    #[case::too_fast(439, "wait a minute")]
    #[case::not_in_the_channel(442, "not in that channel")]
    #[case::channel_for_accounts(477, "sasl ACCOUNT PASSWORD")]
    #[case::person_for_accounts(486, "sasl ACCOUNT PASSWORD")]
    #[case::channel_for_tls(489, "TLS")]
    #[case::no_ctcp(492, "CTCP")]
    #[case::not_to_this_user_unreal(499, "whom they accept")]
    #[case::not_to_this_user_inspircd(531, "whom they accept")]
    #[case::caller_id(716, "whom they accept")]
    #[case::caller_id_told(717, "wait until they accept you")]
    #[case::fail(0, "")]
    #[case::modes_of_others(502, "")]
    #[case::help(524, "")]
    fn a_refusal_is_told_in_plain_words(#[case] code: u16, #[case] part: &str) {
        let remedy = message_remedy(code);
        assert!(remedy.contains(part) && remedy.is_empty() == part.is_empty(), "{code}: {remedy:?}");
        assert!(remedy.is_empty() || remedy.ends_with('.'), "{code}: {remedy:?}");
    }
}
