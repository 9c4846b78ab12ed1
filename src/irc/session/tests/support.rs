//! `docs/irc-support.md`, made from the tables and constants that the session itself uses.
//!
//! The words stand here, the facts in the code: a capability, numeric or token without words, and words without
//! one, fail the test.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

use crate::irc::{caps, codec, connection, isupport, numerics, queue, sasl};

use super::super::{batches, history, multiline, outgoing, regain, replies, timers, verdict, wishes};
use super::*;

/// What each capability is used for, in the order of [`caps::WANTED`].
const CAPABILITIES: &[(&str, &str)] = &[
    ("server-time", "the time of a line is the server's, and what is repeated is known as the past"),
    ("message-tags", "ids of messages, replies, reactions, typing"),
    ("batch", "answers of several lines, history, netsplits"),
    ("multi-prefix", "all of a member's statuses"),
    ("userhost-in-names", "members' hosts with their names"),
    ("account-tag", "whose account a line is from"),
    ("account-notify", "our own login and logout; a conversation says those of the other"),
    ("extended-join", "accounts of those who enter"),
    ("away-notify", "a conversation says that the other is away or back"),
    ("chghost", "our own new host, which decides how long a line may be"),
    ("setname", "one's own real name is another at once; a conversation says the other's new one"),
    ("invite-notify", "invitations to others are shown"),
    ("cap-notify", "capabilities that come and go while connected"),
    (
        "echo-message",
        "our own lines come back: they are confirmed, with their ids and as the network changed them",
    ),
    ("labeled-response", "which answer or error is about which message"),
    ("standard-replies", "`FAIL`, `WARN` and `NOTE` are shown in words"),
    ("no-implicit-names", "members are asked for one channel after the other instead of all at once"),
    ("draft/no-implicit-names", "the same by its older name"),
    ("extended-monitor", "the same of those whom we have conversations with, wherever they are"),
    ("draft/chathistory", "what was said while we were away is fetched; a lost confirmation is looked up"),
    ("draft/multiline", "long messages and those of several lines arrive as one, both ways"),
    ("draft/message-redaction", "messages are taken back, both ways"),
    (
        "draft/relaymsg",
        "who speaks through another bridge is shown by their own name; who is relayed speaks by theirs",
    ),
    ("draft/read-marker", "what was read in the room is read for the network's other clients"),
    ("znc.in/self-message", "what was said by another client of the same bouncer"),
    ("znc.in/playback", "a bouncer's buffer is asked for from the last line that we have"),
];

/// What comes of each numeric that the code names, in the order of their numbers. An empty text: it is only shown,
/// in words.
const NUMERICS: &[(u16, &str)] = &[
    (1, "registered: our nick, the server's name, our own prefix"),
    (5, "see ISUPPORT below"),
    (263, "the command costs more from now on; a list of members is asked for again"),
    (321, "the list of channels begins"),
    (322, "a channel of it"),
    (323, "it is whole"),
    (303, "whether the wanted nick is free (`ISON`)"),
    (324, "the channel's modes; a key is remembered"),
    (331, "the channel has no topic"),
    (332, "the channel's topic"),
    (333, "read with the topic"),
    (353, "the channel's members"),
    (366, "the list of members is whole"),
    (376, "the greeting is over: channels are entered"),
    (422, "the same"),
    (
        707,
        "the message waits as long as the server says, where it is certain which it is; so it does with 439",
    ),
    (396, "our own host, which decides how long a line may be"),
    (730, "the wanted nick is taken; a conversation's other side is there (`MONITOR`)"),
    (731, "the wanted nick is free; a conversation's other side is gone"),
    (734, "`MONITOR` takes no more: `ISON` is used"),
    (600, "somebody who is watched has come (`WATCH`)"),
    (601, "they have gone"),
    (604, "they are there, when we begin to watch them"),
    (605, "they are not there, when we begin to watch them"),
    (602, "nobody is told of: somebody is watched no longer (`WATCH`)"),
    (512, "`WATCH` takes no more: `ISON` is used"),
    (441, "shown; no answer to a `JOIN`"),
    (442, "we are not where we thought to be: entered again, if it is wanted"),
    (443, "shown; no answer to a `JOIN`"),
    (481, "where we may not `RELAYMSG` in a channel; otherwise shown"),
    (482, "shown; no answer to a `JOIN`"),
    (513, "answered with the `PONG` that it asks for"),
    (421, "a server without `MONITOR`, `ISON` or `CHATHISTORY` is not asked again"),
    (461, "the same, about `CHATHISTORY`"),
];

/// Errors about a message: its sender is told, and it counts as not arrived.
const REFUSALS: &[u16] = &[
    401, 402, 403, 404, 406, 407, 408, 411, 412, 413, 414, 415, 417, 439, 442, 477, 486, 489, 492, 499, 531,
    716,
];

/// Errors about a nick.
const NICKS: &[(u16, &str)] = &[
    (432, "before registration the next nick is tried; the wanted one is not tried to be regained"),
    (433, "before registration the next nick is tried; after it, who asked is told"),
    (435, "as 433"),
    (436, "as 433"),
    (437, "as 433, where it is about a nick"),
    (438, "as 433"),
    (447, "as 433"),
];

/// Errors about entering a channel.
const JOINS: &[u16] = &[403, 405, 407, 437, 439, 470, 471, 473, 474, 475, 476, 477, 479, 480, 489, 495, 520];

/// What ends the connection or the login.
const ENDINGS: &[(u16, &str)] = &[
    (463, "before registration: a ban"),
    (464, "before registration: the server's password is wrong; not tried again by itself"),
    (465, "a ban: see below"),
    (466, "before registration: the same; after it, it is a warning"),
    (468, "before registration: the username is refused; not tried again by itself"),
    (900, "logged in"),
    (901, "logged out"),
    (902, "the account is locked"),
    (903, "the login is done"),
    (904, "the next mechanism is tried, unless the password was refused"),
    (905, "as 904"),
    (906, "the login was aborted: tried again later"),
    (907, "already logged in"),
    (908, "the mechanisms that there are"),
];

/// Answers about NickServ, whom nothing is told before it is known to be the network's service.
const SERVICES: &[(u16, &str)] = &[
    (307, "its nick is registered"),
    (310, "it is there to help"),
    (311, "its user and host"),
    (312, "the server that it is on, where the password is sent"),
    (313, "it is the network's service or an operator"),
    (318, "that is all about it"),
    (330, "its account"),
    (401, "it is not there: as 440, or the next way to it is tried"),
    (402, "as 401"),
    (407, "as 401"),
    (440, "services are away: tried again later"),
    (487, "its server takes nothing at its bare name: the user is asked for its address"),
    (499, "as 401"),
];

/// What each token is used for.
const TOKENS: &[(&str, &str)] = &[
    ("BOT", "read; nothing needs it yet"),
    ("CASEMAPPING", "`ascii`, `rfc1459`, `rfc1459-strict`, `rfc7613`; may change while connected"),
    ("CHANMODES", "which modes take an argument"),
    ("CHANNELLEN", "a wanted name that the server cuts is known again"),
    ("CHANTYPES", "what channels begin with"),
    ("CHATHISTORY", "how many lines one request gives"),
    ("ELIST", "channels are looked for by the server, where they are listed by a mask (M)"),
    ("HOSTLEN", "how long our host may be, for the length of lines"),
    ("LINELEN", "longer lines, up to 8191 bytes"),
    ("MAXNICKLEN", "as NICKLEN"),
    ("MODES", "read; nothing needs it yet"),
    ("MONITOR", "the wanted nick is watched, and those whom the user has conversations with"),
    ("MSGREFTYPES", "whether history is asked for by id or by time"),
    ("NETWORK", "the network's name for itself"),
    ("NICKLEN", "how long nicks are made"),
    ("PREFIX", "members' statuses"),
    ("SAFERATE", "the server sets the pace: up to 32 messages may be unanswered"),
    ("SOJU.IM/SAFERATE", "the same by its vendor's name"),
    ("STATUSMSG", "messages to `@#channel` are shown in the channel's room, marked"),
    ("TARGMAX", "channels in one `JOIN`"),
    ("TOPICLEN", "read; nothing needs it yet"),
    ("USERLEN", "how long our user name may be, for the length of lines"),
    ("UTF8MAPPING", "Ergo's casemapping for Unicode"),
    ("UTF8ONLY", "nothing but UTF-8 is written, whatever charset was chosen"),
    ("WATCH", "those whom the user has conversations with are watched, where there is no `MONITOR`"),
    ("WHOX", "`who` asks for accounts, too"),
];

fn page() -> String {
    let mut text = String::from(
        "# What Towline speaks on IRC\n\n\
         This page is made from the tables in the source; a test compares them. What is not in it is shown in the \
         network's room as the server says it, and nothing is dropped in silence.\n",
    );
    capabilities(&mut text);
    numeric_tables(&mut text);
    endings(&mut text);
    tokens(&mut text);
    limits(&mut text);
    text
}

/// Lines of a table under its heading.
fn table(text: &mut String, heads: [&str; 2], rows: impl IntoIterator<Item = (String, String)>) {
    writeln!(text, "\n| {} | {} |\n|---|---|", heads[0], heads[1]).unwrap();
    for (left, right) in rows {
        writeln!(text, "| {left} | {right} |").unwrap();
    }
}

fn capabilities(text: &mut String) {
    assert_eq!(CAPABILITIES.iter().map(|(name, _)| *name).collect::<Vec<_>>(), caps::WANTED);
    text.push_str(
        "\n## Capabilities (IRCv3, CAP 302)\n\n\
         Asked for where the server offers them, also when it does so later. `caps` shows what is in force, and adds \
         or removes. `sasl` is asked for by who has set up a login; `sts` is honoured and remembered.\n",
    );
    let rows = CAPABILITIES.iter().map(|(name, use_for)| {
        let needs = caps::needs(name);
        let with = if needs.is_empty() { String::new() } else { format!(" (with {})", needs.join(" and ")) };
        (format!("`{name}`"), format!("{use_for}{with}"))
    });
    table(text, ["capability", "what for"], rows);
    let mechanisms: Vec<_> = sasl::Mechanism::ALL.iter().map(|one| format!("`{}`", one.name())).collect();
    write!(
        text,
        "\nTags: `time`, `msgid`, `batch`, `label`, `account`, `bot`, `+typing`, `+draft/reply` and `+reply`, \
         `+draft/react` and `+draft/unreact`, `+draft/multiline-concat`, `draft/relaymsg`.\n\n\
         Logins, best first: {}; else `NickServ IDENTIFY`, when NickServ has shown to be the network's service.\n",
        mechanisms.join(", ")
    )
    .unwrap();
}

fn row((code, what): (u16, &str)) -> (String, String) {
    let name = numerics::name(code).unwrap_or_else(|| panic!("{code} has no name in the code"));
    (format!("{code:03} `{name}`"), what.to_owned())
}

fn numeric_tables(text: &mut String) {
    text.push_str("\n## Numerics\n\nAll others are shown in words; that somebody is away (301) in the room of the conversation with them.\n");
    table(text, ["numeric", "what comes of it"], NUMERICS.iter().copied().map(row));

    text.push_str(
        "\n### About a message\n\nIts sender is told at the message itself, in words: \"did not arrive\" where it is \
         certain which one, else \"may not have arrived\" at each that went to that target at the time.\n",
    );
    for code in REFUSALS {
        assert!(super::super::numerics::is_error(*code), "{code}");
    }
    let names: Vec<_> = REFUSALS.iter().map(|code| row((*code, "")).0).collect();
    writeln!(text, "\n{}.", names.join(", ")).unwrap();

    text.push_str("\n### About a nick\n");
    table(text, ["numeric", "what comes of it"], NICKS.iter().copied().map(row));

    text.push_str(
        "\n### About entering a channel\n\nThe channel stays wanted. `channels` shows why we are not in it, and what is \
         waited for. After a `KICK` we go back once, and not again for an hour. An error that is not listed here is a \
         refusal too, if it names a channel that was asked for.\n",
    );
    let joins = JOINS.iter().map(|code| (row((*code, "")).0, join_policy(*code)));
    table(text, ["numeric", "tried again"], joins);

    text.push_str("\n### About the login and the connection\n");
    table(text, ["numeric", "what comes of it"], ENDINGS.iter().copied().map(row));
    text.push_str("\n### About NickServ\n");
    table(text, ["numeric", "what it says"], SERVICES.iter().copied().map(row));
}

fn join_policy(code: u16) -> String {
    let policy = wishes::policy(code, "");
    let waits =
        policy.waits.map(|(first, longest)| format!("after {}, at most {}", time(first), time(longest)));
    let helps: Vec<_> = policy
        .on
        .iter()
        .map(|trigger| match trigger {
            Trigger::Invitation => "when invited",
            Trigger::Login => "when logged in",
            Trigger::Key => "when another key is given",
            Trigger::Place => "when another channel is left",
        })
        .collect();
    let follows = (code == numerics::ERR_LINKCHANNEL).then(|| "the other channel is followed".to_owned());
    let parts: Vec<_> =
        follows.into_iter().chain(waits).chain(helps.into_iter().map(str::to_owned)).collect();
    if parts.is_empty() { "only when asked to".to_owned() } else { parts.join("; ") }
}

fn endings(text: &mut String) {
    text.push_str(
        "\n## Why a connection ended\n\nThe words of `ERROR` decide, in this order. A time that the server names is \
         believed within bounds.\n",
    );
    let rows = verdict::TABLE.iter().map(|(words, verdict)| {
        let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
        (quoted.join(", "), consequence(*verdict))
    });
    table(text, ["words", "what we do"], rows);
    writeln!(text, "\nAll else is tried again: {}.", consequence(Verdict::Retry)).unwrap();
}

fn consequence(verdict: Verdict) -> String {
    let within =
        |bounds: &RangeInclusive<Duration>| format!("{} to {}", time(*bounds.start()), time(*bounds.end()));
    match verdict {
        Verdict::Retry => {
            format!("after {}", time(Duration::from_secs(2))) + ", then ever later, up to 10 min"
        }
        Verdict::Hold(wait) => format!("after {}", time(wait)),
        Verdict::Throttled(wait) => {
            format!("after {}, or as long as it says ({})", time(wait), within(&verdict::THROTTLE_BOUNDS))
        }
        Verdict::Banned(wait) => {
            format!("a ban: after {}, or as long as it says ({})", time(wait), within(&verdict::BAN_BOUNDS))
        }
        Verdict::NeedUser => "the user is asked; not tried again by itself".to_owned(),
        Verdict::UseTls(_) => "at once, with TLS".to_owned(),
    }
}

fn tokens(text: &mut String) {
    let source = include_str!("../../isupport.rs").split("#[cfg(test)]").next().unwrap();
    // Every other piece between quotes is a literal; what is all capitals is a token's name.
    let is_name = |text: &&str| {
        let is_in_a_name = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b"./".contains(&b);
        text.len() > 2 && text.bytes().all(is_in_a_name)
    };
    let asked: BTreeSet<&str> = source.split('"').skip(1).step_by(2).filter(is_name).collect();
    assert_eq!(TOKENS.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), asked);
    text.push_str(
        "\n## ISUPPORT (005)\n\nWhat the server has not said is as in RFC 1459. `-TOKEN` takes one back.\n",
    );
    let rows = TOKENS.iter().map(|(name, use_for)| (format!("`{name}`"), (*use_for).to_owned()));
    table(text, ["token", "what for"], rows);
}

fn limits(text: &mut String) {
    text.push_str("\n## Limits\n\nA server that goes beyond them loses what is beyond, and nothing else.\n");
    let count = |number: usize, what: &str| (what.to_owned(), number.to_string());
    let waits = |wait: Duration, what: &str| (what.to_owned(), time(wait));
    let rows = [
        count(codec::LONGEST_LINE, "bytes of a line that is read; a longer one is skipped to its end"),
        count(outgoing::LINE, "bytes of a line that is written, where LINELEN says nothing"),
        count(outgoing::MOST_LINES, "lines that leave at once, with flood control off"),
        count(outgoing::MOST_UNCONFIRMED, "messages without confirmation"),
        count(connection::MOST_WRITTEN, "bytes that wait for a server that does not read"),
        count(multiline::MOST_LINES, "lines of one multiline message"),
        count(multiline::MOST_BYTES, "bytes of one multiline message"),
        count(batches::MOST_OPEN, "open batches"),
        count(caps::MOST_OFFERED, "capabilities of a server"),
        count(isupport::MOST_TOKENS, "ISUPPORT tokens"),
        count(crate::irc::channels::MOST_CHANNELS, "channels that we are in"),
        count(wishes::MOST_WISHES, "channels that we want to be in"),
        count(crate::irc::channels::MOST_MEMBERSHIPS, "members of all channels together"),
        count(MOST_KEPT, "channels of a network's list, those with the most people"),
        count(history::MOST_REQUESTS, "requests for history at once"),
        count(sasl::MOST_RECEIVED, "bytes of a login's challenge"),
        waits(timers::REGISTRATION, "registration"),
        waits(timers::IDLE, "silence until the server is asked whether it is there"),
        waits(timers::ANSWER, "its answer"),
        waits(timers::FENCE, "its answer when messages are under way"),
        waits(super::super::login::LOGIN_TIMEOUT, "the services' answer to a login"),
        waits(regain::FIRST_LOOK, "the first look for the wanted nick by ISON"),
        waits(regain::LAST_LOOK, "the pause between two looks, at most"),
        waits(replies::INTERVAL, "between two answers to CTCP, after the first three"),
    ];
    table(text, ["what", "how much"], rows);
    let waiting = queue::CAPACITY.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    writeln!(
        text,
        "\nLines that wait to be sent, by class (control, people's messages, history, joins, background): {waiting}."
    )
    .unwrap();
}

/// `90 s`, `10 min`, `6 h`.
fn time(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

#[test]
fn the_documents_table_of_what_is_supported_is_made_from_the_code() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/irc-support.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(file, &page).unwrap();
    }
    let written = std::fs::read_to_string(file).unwrap();
    assert_eq!(written, page, "run the tests with UPDATE_DOCS=1 to write it anew");
}

/// A numeric that the code acts on and the page does not name would be a surprise; so would the reverse.
#[test]
fn every_numeric_that_the_session_acts_on_is_in_the_document() {
    let sources = sources();
    let with_words = [NUMERICS, NICKS, ENDINGS, SERVICES].concat();
    let documented: BTreeSet<u16> =
        with_words.iter().map(|(code, _)| *code).chain(REFUSALS.iter().chain(JOINS).copied()).collect();
    let is_in_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words: BTreeSet<&str> = sources.iter().flat_map(|text| text.split(|c| !is_in_a_name(c))).collect();
    let used: BTreeSet<u16> =
        numerics::ALL.iter().filter(|(name, _)| words.contains(name)).map(|(_, code)| *code).collect();
    assert_eq!(used, documented, "on the left those in the code, on the right those in the document");
}

/// The text of the session's files without their tests.
fn sources() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/irc/session");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files =
        files.filter(|path| path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs"));
    files
        .map(|path| std::fs::read_to_string(path).unwrap())
        .map(|text| text.split("#[cfg(test)]").next().unwrap().to_owned())
        .collect()
}
