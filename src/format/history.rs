//! Lines of history as people read them, and their times. Times are UTC: nobody tells the bridge where a person lives.

use super::irc_codes::strip_irc;
use super::rich_text::RichText;

/// The day of a time in milliseconds since 1970, as `2026-11-01`.
pub fn date(time: i64) -> String {
    stamp(time).strftime("%Y-%m-%d").to_string()
}

/// The hour and minute of a time in milliseconds since 1970, as `14:03`.
pub fn hour(time: i64) -> String {
    stamp(time).strftime("%H:%M").to_string()
}

fn stamp(time: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(time).unwrap_or_default()
}

/// What somebody said or did.
pub fn history_line(kind: &str, sender: &str, target: Option<&str>, text: &str) -> RichText {
    let text = strip_irc(text);
    // What was said to some of a channel.
    let rank = match kind {
        "message" | "action" | "notice" => target.map(|rank| format!("[to {rank}] ")),
        _ => None,
    };
    let text = rank.unwrap_or_default() + &text;
    let by = RichText::new().bold(sender);
    let with_reason = |what: RichText| if text.is_empty() { what } else { what.text(format!(" ({text})")) };
    match kind {
        "action" => RichText::plain("* ").then(by).text(format!(" {text}")),
        "notice" => RichText::plain("-").then(by).text(format!("- {text}")),
        "join" => with_reason(by.text(" joined")),
        "part" => with_reason(by.text(" left")),
        "quit" => with_reason(by.text(" quit")),
        "kick" => with_reason(by.text(format!(" kicked {}", target.unwrap_or_default()))),
        "nick" => by.text(format!(" is now known as {}", target.unwrap_or_default())),
        "mode" => by.text(format!(" sets {text}")),
        "redacted" => {
            let taker = target.filter(|taker| *taker != sender);
            by.text(": (taken back")
                .text(taker.map(|taker| format!(" by {taker}")).unwrap_or_default())
                .text(")")
        }
        "topic" if text.is_empty() => by.text(" removed the topic"),
        "topic" => by.text(format!(" set the topic: {text}")),
        _ => by.text(format!(": {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::message("message", None, "hi", "bob: hi")]
    #[case::codes("message", None, "\x02hi\x0304!", "bob: hi!")]
    #[case::action("action", None, "waves", "* bob waves")]
    #[case::notice("notice", None, "hi", "-bob- hi")]
    #[case::to_some("message", Some("@"), "hi", "bob: [to @] hi")]
    #[case::an_action_to_some("action", Some("+"), "waves", "* bob [to +] waves")]
    #[case::join("join", None, "~b@host", "bob joined (~b@host)")]
    #[case::part("part", None, "", "bob left")]
    #[case::quit("quit", None, "bye", "bob quit (bye)")]
    #[case::kick("kick", Some("eve"), "out", "bob kicked eve (out)")]
    #[case::nick("nick", Some("rob"), "", "bob is now known as rob")]
    #[case::mode("mode", None, "+v eve", "bob sets +v eve")]
    #[case::redacted("redacted", Some("bob"), "", "bob: (taken back)")]
    #[case::redacted_by_another("redacted", Some("eve"), "", "bob: (taken back by eve)")]
    #[case::topic("topic", None, "tea", "bob set the topic: tea")]
    #[case::no_topic("topic", None, "", "bob removed the topic")]
    fn a_line_says_who_did_what(
        #[case] kind: &str,
        #[case] target: Option<&str>,
        #[case] text: &str,
        #[case] line: &str,
    ) {
        assert_eq!(history_line(kind, "bob", target, text).to_plain(), line);
    }

    #[test]
    fn times_are_of_utc_and_none_is_too_far_away() {
        assert_eq!((date(1_793_541_812_345), hour(1_793_541_812_345)), ("2026-11-01".into(), "14:03".into()));
        assert_eq!(date(i64::MAX), "1970-01-01");
    }
}
