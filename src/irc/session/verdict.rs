//! Why a connection ended: the server's words, sorted.
//!
//! Not a backoff, which is [`backoff`](crate::irc::backoff), and not a rule per network: a table of words that
//! servers use. Both mistakes are costly: hammering at a ban makes it longer, and giving up for good on a passing
//! error leaves the user offline. So nothing but a wrong credential needs the user, and all else is tried again.
//!
//! A time that the server names is believed, within bounds: a limit's window is a poor ban, and a ban for a year is
//! mostly lifted sooner.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::event::Verdict;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// How long a ban is waited out that names no time, and within which bounds one that does.
const BAN: Duration = HOUR;
pub(super) const BAN_BOUNDS: RangeInclusive<Duration> = MINUTE.saturating_mul(5)..=HOUR.saturating_mul(24);
/// The same for a throttle.
pub(super) const THROTTLE_BOUNDS: RangeInclusive<Duration> = SECOND.saturating_mul(10)..=HOUR;

/// Our lines came faster than the server reads them. A full send queue is another matter: that is what the server has
/// for us.
const TOO_FAST: [&str; 5] =
    ["excess flood", "recvq exceeded", "recvq full", "receive buffer overflow", "client flood"];

/// The first entry that has a word in the text decides; bans stand before what they may be for.
pub(super) const TABLE: [(&[&str], Verdict); 8] = [
    (
        &[
            "sasl access only",
            "requires sasl",
            "sasl required",
            "identify via sasl",
            "use sasl",
            "account required",
            "bad password",
            "password incorrect",
            "invalid password",
            "password mismatch",
            "wrong password",
            "incorrect password",
            "server password",
            "invalid username",
            "bad username",
            "tls required",
            "ssl required",
            "use tls",
            "use ssl",
            "connect using ssl",
            "connect using tls",
        ],
        Verdict::NeedUser,
    ),
    (
        &[
            "k-line",
            "k line",
            "kline",
            "g-line",
            "gline",
            "z-line",
            "zline",
            "d-line",
            "dline",
            "x-line",
            "akill",
            "autokill",
            "banned",
            "network ban",
            "server ban",
            "blacklist",
            "dnsbl",
            "dronebl",
            "blocklist",
            "listed in",
            "open proxy",
            "insecure proxy",
            "not welcome",
            "access denied",
            "not allowed to connect",
            "no authorization",
            "not authorized",
            "not authorised",
            "unauthorized connection",
            "unauthorised connection",
        ],
        Verdict::Banned(BAN),
    ),
    (&TOO_FAST, Verdict::Retry),
    (&["sendq exceeded", "max sendq"], Verdict::Retry),
    (
        &[
            "too many connections",
            "too many host connections",
            "too many clients",
            "too many user connections",
            "too many local",
            "too many global",
            "too many unknown connections",
            "connection limit",
            "session limit",
            "maximum connections",
            "no more connections",
            "clones",
        ],
        Verdict::Throttled(MINUTE.saturating_mul(5)),
    ),
    (
        &["throttl", "too fast", "too many times", "reconnecting too", "try again later"],
        Verdict::Throttled(MINUTE.saturating_mul(2)),
    ),
    // Two servers meet again and both have the nick: nobody meant us.
    (&["nick collision", "nickname collision"], Verdict::Retry),
    // Whoever races back is killed again.
    (&["killed", "ghosted", "ghost command"], Verdict::Hold(MINUTE.saturating_mul(5))),
];

/// What an `ERROR` asks for.
#[must_use]
pub fn classify(text: &str) -> Verdict {
    let text = text.to_lowercase();
    let found = TABLE.iter().find(|(words, _)| words.iter().any(|word| text.contains(word)));
    match found.map_or(Verdict::Retry, |(_, verdict)| *verdict) {
        Verdict::Banned(default) => Verdict::Banned(bounded(stated(&text), default, &BAN_BOUNDS)),
        Verdict::Throttled(default) => Verdict::Throttled(bounded(stated(&text), default, &THROTTLE_BOUNDS)),
        verdict => verdict,
    }
}

/// Whether the server says that we send too fast, whatever else it makes of it: a K-line, too, may be for that.
#[must_use]
pub fn is_too_fast(text: &str) -> bool {
    let text = text.to_lowercase();
    TOO_FAST.iter().any(|words| text.contains(words))
}

/// What a numeric asks for that means a ban, whatever it says: unless it says that we are only too many or too fast,
/// or what the user has to mend.
pub(super) fn classify_ban(text: &str) -> Verdict {
    match classify(text) {
        Verdict::Retry | Verdict::Hold(_) => {
            Verdict::Banned(bounded(stated(&text.to_lowercase()), BAN, &BAN_BOUNDS))
        }
        verdict => verdict,
    }
}

fn bounded(stated: Option<Duration>, default: Duration, bounds: &RangeInclusive<Duration>) -> Duration {
    stated.map_or(default, |time| time.clamp(*bounds.start(), *bounds.end()))
}

/// How far before a time the word may stand that makes it a time to wait: `for at least 5 minutes`.
const NEAR: usize = 3;

/// The time that a text tells us to wait: `for 30 minutes`, `Temporary K-line 60 min.`, `expires in 1 day, 2 hours`.
///
/// A time alone does not count: `10 connections in 30 seconds` is what was held against us.
pub(super) fn stated(text: &str) -> Option<Duration> {
    let words = words(text);
    let mut at = 0;
    while at < words.len() {
        let Some((time, end)) = time_at(&words, at) else {
            at += 1;
            continue;
        };
        let before = &words[at.saturating_sub(NEAR)..at];
        let leads = before.iter().any(|word| {
            let is_lead = ["for", "wait", "after", "temporary", "temp", "duration", "lasts"].contains(word);
            is_lead || word.starts_with("expire") || word.starts_with("again") || *word == "lifted"
        });
        let trails = words.get(end).is_some_and(|word| ["left", "remaining"].contains(word));
        if leads || trails {
            return Some(time);
        }
        at = end;
    }
    None
}

/// A time that begins at this word, and the place after it: `1 hour 30 minutes`, `1h30m`.
fn time_at(words: &[&str], start: usize) -> Option<(Duration, usize)> {
    let (mut time, mut at) = (Duration::ZERO, start);
    while let [number, unit, ..] = words[at..]
        && let (Ok(number), Some(unit)) = (number.parse::<u32>(), unit_of(unit))
    {
        time = time.saturating_add(unit.saturating_mul(number));
        at += 2;
        if words.get(at) == Some(&"and") {
            at += 1;
        }
    }
    (at > start).then_some((time, at))
}

fn unit_of(word: &str) -> Option<Duration> {
    Some(match word {
        "s" | "sec" | "secs" | "second" | "seconds" => SECOND,
        "m" | "min" | "mins" | "minute" | "minutes" => MINUTE,
        "h" | "hr" | "hrs" | "hour" | "hours" => HOUR,
        "d" | "day" | "days" => HOUR.saturating_mul(24),
        "w" | "week" | "weeks" => HOUR.saturating_mul(24 * 7),
        _ => return None,
    })
}

/// Runs of letters and runs of digits: `1h30m` is four.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
        rest = &rest[start..];
        let is_number = rest.starts_with(|c: char| c.is_ascii_digit());
        let is_same = |c: char| if is_number { c.is_ascii_digit() } else { c.is_ascii_alphabetic() };
        let end = rest.find(|c: char| !is_same(c)).unwrap_or(rest.len());
        words.push(&rest[..end]);
        rest = &rest[end..];
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const BANNED: Verdict = Verdict::Banned(HOUR);
    const KILLED: Verdict = Verdict::Hold(Duration::from_mins(5));
    const FULL: Verdict = Verdict::Throttled(Duration::from_mins(5));
    const FAST: Verdict = Verdict::Throttled(Duration::from_mins(2));

    #[rstest]
    #[case::k_line_solanum("Closing Link: host (K-Lined)", BANNED)]
    #[case::k_line_hybrid("Closing Link: 1.2.3.4 (*** Banned )", BANNED)]
    #[case::g_line_inspircd("Closing link: (a@b) [G-lined: spam]", BANNED)]
    #[case::z_line_inspircd("Closing link: (a@b) [Z-lined: spam]", BANNED)]
    #[case::g_line_for_many_connections("G-lined: Too many connections from your host", BANNED)]
    #[case::k_line_for_flooding("Closing Link: host (K-Lined: Excess Flood)", BANNED)]
    #[case::dnsbl("Closing Link: host (*** DNSBL: your address is listed)", BANNED)]
    #[case::listed("Closing Link: host (Your IP is listed in an RBL)", BANNED)]
    #[case::proxy("Closing Link: host (Open proxy found on your host)", BANNED)]
    #[case::akill("Closing Link: a[b] (User has been banned from Net (AKILL))", BANNED)]
    #[case::no_i_line("Closing Link: host (Unauthorized connection)", BANNED)]
    #[case::access_denied("Access denied: Bad host?", BANNED)]
    #[case::throttle_ircu("Your host is trying to (re)connect too fast -- throttled", FAST)]
    #[case::throttle_unreal("Closing Link: [1.2.3.4] (Throttled: Reconnecting too fast)", FAST)]
    #[case::throttle_ergo("You have attempted to connect too many times within a short duration", FAST)]
    #[case::too_many_solanum("Closing Link: host (Too many host connections (local))", FULL)]
    #[case::too_many_unreal("Closing Link: host (Too many connections from your IP)", FULL)]
    #[case::too_many_unknown("Too many unknown connections from your IP", FULL)]
    #[case::too_many_ergo("Too many clients from your network", FULL)]
    #[case::session_limit("Session limit exceeded", FULL)]
    #[case::flood_solanum("Closing Link: host (Excess Flood)", Verdict::Retry)]
    #[case::send_queue("Closing Link: host (Max SendQ exceeded)", Verdict::Retry)]
    #[case::killed_by_an_operator("Closing Link: host (Killed (oper (stop it)))", KILLED)]
    #[case::ghosted("Closing Link: h (Killed (NickServ (GHOST command used by alice)))", KILLED)]
    #[case::collision("Closing Link: h (Killed (irc.example (Nick collision)))", Verdict::Retry)]
    #[case::wrong_password("Closing Link: host (Bad Password)", Verdict::NeedUser)]
    #[case::sasl_only("Closing Link: host (SASL access only)", Verdict::NeedUser)]
    #[case::tls_only("Closing Link: host (TLS required for this server)", Verdict::NeedUser)]
    #[case::ping_timeout("Closing Link: host (Ping timeout: 240 seconds)", Verdict::Retry)]
    #[case::shutdown("Closing Link: host (Server shutting down)", Verdict::Retry)]
    #[case::nothing("", Verdict::Retry)]
    fn the_servers_words_decide_when_to_come_back(#[case] text: &str, #[case] verdict: Verdict) {
        assert_eq!(classify(text), verdict);
    }

    #[rstest]
    #[case::solanum("Closing Link: host (Excess Flood)", true)]
    #[case::inspircd("Closing link: (a@b) [RecvQ exceeded]", true)]
    #[case::ngircd("Closing Link: host (Receive buffer overflow!)", true)]
    #[case::banned_for_it("Closing Link: host (K-Lined: Excess Flood)", true)]
    #[case::what_the_server_has_for_us("Closing Link: host (Max SendQ exceeded)", false)]
    #[case::connections("Closing Link: host (Throttled: Reconnecting too fast)", false)]
    #[case::timeout("Closing Link: host (Ping timeout: 240 seconds)", false)]
    fn that_we_send_too_fast_is_in_the_servers_words(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(is_too_fast(text), expected);
    }

    #[rstest]
    #[case::k_line("Closing Link: h (K-Lined for 30 minutes: spam)", Verdict::Banned(MINUTE * 30))]
    #[case::solanum("Closing Link: h (Temporary K-line 60 min. - clones)", Verdict::Banned(MINUTE * 60))]
    #[case::expiry("Banned - bye (expires in 1 day, 2 hours)", Verdict::Banned(HOUR * 24))]
    #[case::short_units("You are banned (1h30m remaining)", Verdict::Banned(MINUTE * 90))]
    #[case::too_short_for_a_ban("K-Lined for 2 seconds", Verdict::Banned(MINUTE * 5))]
    #[case::a_year("G-Lined for 52 weeks", Verdict::Banned(HOUR * 24))]
    #[case::held_against_us("G-Lined: 10 connections in 30 seconds", BANNED)]
    #[case::held_for_connections("G-Lined for 10 connections in 30 seconds", BANNED)]
    #[case::throttle("Throttled. Try again in 120 seconds", Verdict::Throttled(SECOND * 120))]
    #[case::wait("Reconnecting too fast, please wait at least 45s", Verdict::Throttled(SECOND * 45))]
    #[case::at_once("Throttled: try again in 1 second", Verdict::Throttled(SECOND * 10))]
    #[case::huge("Throttled: wait 99999999999999999999 seconds", FAST)]
    #[case::large("Throttled: wait 4294967295 weeks", Verdict::Throttled(HOUR))]
    #[case::a_ping_timeouts_time("Ping timeout: wait 240 seconds", Verdict::Retry)]
    fn a_time_that_the_server_names_is_believed_within_bounds(#[case] text: &str, #[case] verdict: Verdict) {
        assert_eq!(classify(text), verdict);
    }
}
