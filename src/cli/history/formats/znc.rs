//! ZNC's logs (module "log", its default paths): a file for each day, and in it the local time in brackets, then the line.

use jiff::civil::{Date, DateTime, Time};

use super::{LogLine, Read, nick_and_address, one_line, reason};
use crate::cli::history::zone::Zone;
use crate::store::KeptLine;

/// The line for what happened.
pub(in crate::cli::history) fn write(line: &KeptLine, zone: &Zone) -> String {
    let KeptLine { sender, .. } = line;
    let (text, target) = (one_line(&line.text), line.target.as_deref().unwrap_or_default());
    let text = match line.kind.as_str() {
        "action" => format!("* {sender} {text}"),
        "notice" => format!("-{sender}- {text}"),
        "join" => format!("*** Joins: {sender} ({text})"),
        "part" => format!("*** Parts: {sender} () ({text})"),
        "quit" => format!("*** Quits: {sender} () ({text})"),
        "kick" => format!("*** {target} was kicked by {sender} ({text})"),
        "nick" => format!("*** {sender} is now known as {target}"),
        "mode" => format!("*** {sender} sets mode: {text}"),
        "topic" => format!("*** {sender} changes topic to '{text}'"),
        _ => format!("<{sender}> {text}"),
    };
    format!("[{}] {text}\n", zone.local(line.at).strftime("%H:%M:%S"))
}

/// Reads a line of a day's file, and its time.
pub(in crate::cli::history) fn read(line: &str, day: Date) -> (Option<DateTime>, Read) {
    let Some((time, rest)) = line.strip_prefix('[').and_then(|line| line.split_once("] ")) else {
        return (None, Read::Bad);
    };
    let Ok(time) = time.parse::<Time>() else { return (None, Read::Bad) };
    let time = day.to_datetime(time);
    let read = if let Some(event) = rest.strip_prefix("*** ") {
        happened(event)
    } else if let Some((nick, text)) = rest.strip_prefix('<').and_then(|rest| rest.split_once("> ")) {
        Some(LogLine::new("message", nick, text))
    } else if let Some((nick, text)) = rest.strip_prefix('-').and_then(|rest| rest.split_once("- ")) {
        Some(LogLine::new("notice", nick, text))
    } else if let Some((nick, text)) = rest.strip_prefix("* ").and_then(|rest| rest.split_once(' ')) {
        Some(LogLine::new("action", nick, text))
    } else {
        return (Some(time), Read::Bad);
    };
    (Some(time), read.map_or(Read::Other, Read::Line))
}

fn happened(event: &str) -> Option<LogLine> {
    if let Some(who) = event.strip_prefix("Joins: ") {
        let (nick, address) = nick_and_address(who);
        return Some(LogLine::new("join", nick, address));
    }
    for (word, kind) in [("Parts: ", "part"), ("Quits: ", "quit")] {
        if let Some(who) = event.strip_prefix(word) {
            let (nick, rest) = who.split_once(' ').unwrap_or((who, ""));
            let (_, why) = rest.split_once(") ").unwrap_or_default();
            return Some(LogLine::new(kind, nick, reason(why)));
        }
    }
    if let Some((target, rest)) = event.split_once(" was kicked by ") {
        let (nick, why) = rest.split_once(' ').unwrap_or((rest, ""));
        return Some(LogLine { target: Some(target.to_owned()), ..LogLine::new("kick", nick, reason(why)) });
    }
    if let Some((nick, target)) = event.split_once(" is now known as ") {
        return Some(LogLine { target: Some(target.to_owned()), ..LogLine::new("nick", nick, "") });
    }
    if let Some((nick, modes)) = event.split_once(" sets mode: ") {
        return Some(LogLine::new("mode", nick, modes.trim_end()));
    }
    let (nick, topic) = event.split_once(" changes topic to ")?;
    let topic = topic.strip_prefix('\'').and_then(|topic| topic.strip_suffix('\'')).unwrap_or(topic);
    Some(LogLine::new("topic", nick, topic))
}

/// The day of a file: `YYYY-MM-DD.log`, or as older versions had it, with `_YYYYMMDD.log` at the end.
pub(in crate::cli::history) fn day_of(file: &str) -> Option<Date> {
    let stem = file.strip_suffix(".log")?;
    if let Ok(day) = stem.parse::<Date>() {
        return Some(day);
    }
    let (_, digits) = stem.rsplit_once('_')?;
    (digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

/// The channel in the name of a file as older versions had it: `USER_NETWORK_#channel_YYYYMMDD.log`.
pub(in crate::cli::history) fn channel_of(file: &str) -> Option<&str> {
    let (stem, _) = file.strip_suffix(".log")?.rsplit_once('_')?;
    Some(if stem.starts_with('#') { stem } else { &stem[stem.find("_#")? + 1..] })
}

/// The folder of a buffer's files.
pub(in crate::cli::history) fn folder_of(buffer: &str) -> String {
    buffer.to_lowercase().replace(['/', '\\'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::message("<bob> <x> there", "message", "bob", None, "<x> there")]
    #[case::action("* bob waves", "action", "bob", None, "waves")]
    #[case::notice("-bob- hi - there", "notice", "bob", None, "hi - there")]
    #[case::join("*** Joins: bob (~b@host)", "join", "bob", None, "~b@host")]
    #[case::part("*** Parts: bob (~b@host) (bye (now))", "part", "bob", None, "bye (now)")]
    #[case::quit("*** Quits: bob (~b@host) ()", "quit", "bob", None, "")]
    #[case::kick("*** eve was kicked by bob (out)", "kick", "bob", Some("eve"), "out")]
    #[case::nick("*** bob is now known as rob", "nick", "bob", Some("rob"), "")]
    #[case::mode("*** ChanServ sets mode: +o bob", "mode", "ChanServ", None, "+o bob")]
    #[case::topic("*** bob changes topic to 'it's tea'", "topic", "bob", None, "it's tea")]
    fn a_line_is_read(
        #[case] rest: &str,
        #[case] kind: &'static str,
        #[case] sender: &str,
        #[case] target: Option<&str>,
        #[case] text: &str,
    ) {
        let (time, line) = read(&format!("[14:03:32] {rest}"), "2026-11-01".parse().unwrap());
        assert_eq!(time, Some("2026-11-01T14:03:32".parse().unwrap()));
        let target = target.map(str::to_owned);
        let wanted = LogLine { kind, sender: sender.into(), target, text: text.into() };
        assert_eq!(line, Read::Line(wanted));
    }

    #[rstest]
    #[case::something_else("[14:03:32] *** Something else", Read::Other)]
    #[case::no_time("[xx] <bob> hi", Read::Bad)]
    #[case::no_brackets("14:03:32 <bob> hi", Read::Bad)]
    #[case::no_kind("[14:03:32] bob hi", Read::Bad)]
    fn what_is_no_line_of_a_conversation_is_known_as_such(#[case] line: &str, #[case] wanted: Read) {
        assert_eq!(read(line, "2026-11-01".parse().unwrap()).1, wanted);
    }

    #[test]
    fn a_files_name_tells_its_day_and_of_old_its_channel() {
        let day = "2026-11-01".parse().ok();
        assert_eq!((day_of("2026-11-01.log"), day_of("alice_libera_#rust_20261101.log")), (day, day));
        assert_eq!((day_of("notes.log"), day_of("x_2026.log")), (None, None));
        assert_eq!(channel_of("alice_libera_#a_b_20261101.log"), Some("#a_b"));
        assert_eq!((channel_of("#a_20261101.log"), channel_of("alice_20261101.log")), (Some("#a"), None));
        assert_eq!(folder_of("#A/b"), "#a-b");
    }
}
