//! Why a connection ended: the server's words, sorted.
//!
//! Not a backoff, which is [`backoff`](crate::irc::backoff), and not a rule per network: a table of words that
//! servers use. Both mistakes are costly: hammering at a ban makes it longer, and giving up for good on a passing
//! error leaves the user offline. So nothing but a wrong credential needs the user, and all else is tried again.

use std::time::Duration;

use super::event::Verdict;

const MINUTE: Duration = Duration::from_mins(1);

/// The first entry that has a word in the text decides; bans stand before what they may be for.
const TABLE: [(&[&str], Verdict); 6] = [
    (
        &[
            "sasl access only",
            "requires sasl",
            "sasl required",
            "bad password",
            "password incorrect",
            "invalid password",
            "password mismatch",
            "wrong password",
            "incorrect password",
            "server password",
        ],
        Verdict::NeedUser,
    ),
    (
        &[
            "k-line",
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
            "blocklist",
            "not welcome",
            "no authorization",
            "not authorized",
            "unauthorized connection",
            "unauthorised connection",
        ],
        Verdict::Hold(MINUTE.saturating_mul(60)),
    ),
    (&["excess flood", "recvq exceeded", "sendq exceeded", "max sendq"], Verdict::Retry),
    (
        &[
            "too many connections",
            "too many host connections",
            "too many user connections",
            "too many local",
            "too many global",
            "connection limit",
            "session limit",
            "maximum connections",
            "no more connections",
            "clones",
        ],
        Verdict::Hold(MINUTE.saturating_mul(5)),
    ),
    (
        &["throttl", "too fast", "reconnecting too", "try again later"],
        Verdict::Hold(MINUTE.saturating_mul(2)),
    ),
    (&["killed", "ghosted", "ghost command"], Verdict::Hold(MINUTE.saturating_mul(5))),
];

/// What an `ERROR` or 465 asks for.
#[must_use]
pub fn classify(text: &str) -> Verdict {
    let text = text.to_lowercase();
    TABLE
        .iter()
        .find(|(words, _)| words.iter().any(|word| text.contains(word)))
        .map_or(Verdict::Retry, |(_, verdict)| *verdict)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const HOUR: Verdict = Verdict::Hold(Duration::from_hours(1));
    const FIVE: Verdict = Verdict::Hold(Duration::from_mins(5));
    const TWO: Verdict = Verdict::Hold(Duration::from_mins(2));

    #[rstest]
    #[case::k_line_solanum("Closing Link: host (K-Lined)", HOUR)]
    #[case::k_line_hybrid("Closing Link: 1.2.3.4 (*** Banned )", HOUR)]
    #[case::g_line_inspircd("Closing link: (a@b) [G-lined: spam]", HOUR)]
    #[case::z_line_inspircd("Closing link: (a@b) [Z-lined: spam]", HOUR)]
    #[case::g_line_for_many_connections("G-lined: Too many connections from your host", HOUR)]
    #[case::k_line_for_flooding("Closing Link: host (K-Lined: Excess Flood)", HOUR)]
    #[case::dnsbl("Closing Link: host (*** DNSBL: your address is listed)", HOUR)]
    #[case::akill("Closing Link: a[b] (User has been banned from Net (AKILL))", HOUR)]
    #[case::no_i_line("Closing Link: host (Unauthorized connection)", HOUR)]
    #[case::throttle_ircu("Your host is trying to (re)connect too fast -- throttled", TWO)]
    #[case::throttle_unreal("Closing Link: [1.2.3.4] (Throttled: Reconnecting too fast)", TWO)]
    #[case::throttle_ergo("You have attempted to connect too many times. Try again later: throttled", TWO)]
    #[case::too_many_solanum("Closing Link: host (Too many host connections (local))", FIVE)]
    #[case::too_many_unreal("Closing Link: host (Too many connections from your IP)", FIVE)]
    #[case::session_limit("Session limit exceeded", FIVE)]
    #[case::flood_solanum("Closing Link: host (Excess Flood)", Verdict::Retry)]
    #[case::send_queue("Closing Link: host (Max SendQ exceeded)", Verdict::Retry)]
    #[case::killed_by_an_operator("Closing Link: host (Killed (oper (stop it)))", FIVE)]
    #[case::ghosted("Closing Link: h (Killed (NickServ (GHOST command used by alice)))", FIVE)]
    #[case::wrong_password("Closing Link: host (Bad Password)", Verdict::NeedUser)]
    #[case::sasl_only("Closing Link: host (SASL access only)", Verdict::NeedUser)]
    #[case::ping_timeout("Closing Link: host (Ping timeout: 240 seconds)", Verdict::Retry)]
    #[case::shutdown("Closing Link: host (Server shutting down)", Verdict::Retry)]
    #[case::nothing("", Verdict::Retry)]
    fn the_servers_words_decide_when_to_come_back(#[case] text: &str, #[case] verdict: Verdict) {
        assert_eq!(classify(text), verdict);
    }
}
