//! WeeChat's logs (plugin "logger", its default format): a line is the local time, a tab, who or what, a tab, the text.

use jiff::civil::DateTime;

use super::{LogLine, Read, nick_and_address, one_line, reason};
use crate::cli::history::zone::Zone;
use crate::store::KeptLine;

/// The line for what happened in a buffer.
pub(in crate::cli::history) fn write(line: &KeptLine, buffer: &str, zone: &Zone) -> String {
    let KeptLine { sender, .. } = line;
    let (text, target) = (one_line(&line.text), line.target.as_deref().unwrap_or_default());
    let reason = if text.is_empty() { String::new() } else { format!(" ({text})") };
    let (prefix, text) = match line.kind.as_str() {
        "action" => (" *", format!("{sender} {text}")),
        "notice" => ("--", format!("Notice({sender}): {text}")),
        "join" => ("-->", format!("{sender}{reason} has joined {buffer}")),
        "part" => ("<--", format!("{sender} has left {buffer}{reason}")),
        "quit" => ("<--", format!("{sender} has quit{reason}")),
        "kick" => ("<--", format!("{sender} has kicked {target}{reason}")),
        "nick" => ("--", format!("{sender} is now known as {target}")),
        "mode" => ("--", format!("Mode {buffer} [{text}] by {sender}")),
        "topic" => ("--", format!("{sender} has changed topic for {buffer} to \"{text}\"")),
        _ => (sender.as_str(), text),
    };
    format!("{}\t{prefix}\t{text}\n", zone.local(line.at).strftime("%Y-%m-%d %H:%M:%S"))
}

/// Reads a line, and its time.
pub(in crate::cli::history) fn read(line: &str) -> (Option<DateTime>, Read) {
    let mut parts = line.splitn(3, '\t');
    let (Some(time), Some(prefix), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
        return (None, Read::Bad);
    };
    let Ok(time) = time.parse::<DateTime>() else { return (None, Read::Bad) };
    let read = match prefix.trim() {
        "-->" => joined(text),
        "<--" => left(text),
        "--" => happened(text),
        "*" => text.split_once(' ').map(|(nick, text)| LogLine::new("action", nick, text)),
        // What WeeChat itself had to say.
        "" | "=!=" | "-!-" => None,
        nick => {
            // A member's prefix stands before the nick.
            let nick = nick.trim_start_matches(['~', '&', '@', '%', '+']);
            (!nick.is_empty()).then(|| LogLine::new("message", nick, text))
        }
    };
    (Some(time), read.map_or(Read::Other, Read::Line))
}

fn joined(text: &str) -> Option<LogLine> {
    let (who, _) = text.rsplit_once(" has joined ")?;
    let (nick, address) = nick_and_address(who);
    Some(LogLine::new("join", nick, address))
}

fn left(text: &str) -> Option<LogLine> {
    // The first of them: the words may stand again in a reason.
    let words = [" has quit", " has left ", " has kicked "];
    let (place, words) = words.into_iter().filter_map(|words| Some((text.find(words)?, words))).min()?;
    let (who, rest) = (&text[..place], &text[place + words.len()..]);
    let (nick, _) = nick_and_address(who);
    // Behind the channel, or the nick that was kicked.
    let (name, why) = rest.split_once(' ').unwrap_or((rest, ""));
    Some(match words {
        " has quit" => LogLine::new("quit", nick, reason(rest)),
        " has left " => LogLine::new("part", nick, reason(why)),
        _ => LogLine { target: Some(name.to_owned()), ..LogLine::new("kick", nick, reason(why)) },
    })
}

fn happened(text: &str) -> Option<LogLine> {
    if let Some(rest) = text.strip_prefix("Notice(") {
        let (nick, rest) = rest.split_once(')')?;
        let (_, said) = rest.split_once(": ")?;
        return Some(LogLine::new("notice", nick, said));
    }
    if let Some(rest) = text.strip_prefix("Mode ") {
        let (_, rest) = rest.split_once(" [")?;
        let (modes, by) = rest.rsplit_once("] by ")?;
        return Some(LogLine::new("mode", by, modes));
    }
    if let Some((nick, target)) = text.split_once(" is now known as ") {
        return Some(LogLine { target: Some(target.to_owned()), ..LogLine::new("nick", nick, "") });
    }
    if let Some((nick, rest)) = text.split_once(" has changed topic for ") {
        let (_, topic) = rest.rsplit_once("to \"")?;
        return Some(LogLine::new("topic", nick, topic.strip_suffix('"').unwrap_or(topic)));
    }
    let (nick, _) = text.split_once(" has unset topic for ")?;
    Some(LogLine::new("topic", nick, ""))
}

/// The network and the buffer whose log a file is: `irc.NETWORK.#channel.weechatlog`. What a server says has none.
pub(in crate::cli::history) fn buffer_of(file: &str) -> Option<(&str, &str)> {
    let of = file.strip_prefix("irc.")?.strip_suffix(".weechatlog")?.split_once('.')?;
    (of.0 != "server").then_some(of)
}

/// The name of a buffer's file.
pub(in crate::cli::history) fn file_of(network: &str, buffer: &str) -> String {
    format!("irc.{network}.{}.weechatlog", buffer.to_lowercase().replace('/', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::message("bob\thello\tthere", "message", "bob", None, "hello\tthere")]
    #[case::prefix("@bob\thi", "message", "bob", None, "hi")]
    #[case::action(" *\tbob waves", "action", "bob", None, "waves")]
    #[case::notice("--\tNotice(bob): hi: there", "notice", "bob", None, "hi: there")]
    #[case::channel_notice("--\tNotice(bob) -> #a: hi", "notice", "bob", None, "hi")]
    #[case::join("-->\tbob (~b@host) has joined #a", "join", "bob", None, "~b@host")]
    #[case::extended_join("-->\tbob [acc] (Bob B.) (~b@host) has joined #a", "join", "bob", None, "~b@host")]
    #[case::part("<--\tbob (~b@host) has left #a (bye (now))", "part", "bob", None, "bye (now)")]
    #[case::part_without_reason("<--\tbob (~b@host) has left #a", "part", "bob", None, "")]
    #[case::quit("<--\tbob (~b@host) has quit (has left #a (x))", "quit", "bob", None, "has left #a (x)")]
    #[case::kick("<--\tbob has kicked eve (out)", "kick", "bob", Some("eve"), "out")]
    #[case::nick("--\tbob is now known as rob", "nick", "bob", Some("rob"), "")]
    #[case::mode("--\tMode #a [+o bob] by ChanServ", "mode", "ChanServ", None, "+o bob")]
    #[case::topic("--\tbob has changed topic for #a from \"x\" to \"y\"", "topic", "bob", None, "y")]
    #[case::first_topic("--\tbob has changed topic for #a to \"y\"", "topic", "bob", None, "y")]
    #[case::no_topic("--\tbob has unset topic for #a (old topic: \"x\")", "topic", "bob", None, "")]
    fn a_line_is_read(
        #[case] rest: &str,
        #[case] kind: &'static str,
        #[case] sender: &str,
        #[case] target: Option<&str>,
        #[case] text: &str,
    ) {
        let (time, line) = read(&format!("2026-11-01 14:03:32\t{rest}"));
        assert_eq!(time, Some("2026-11-01T14:03:32".parse().unwrap()));
        let target = target.map(str::to_owned);
        let wanted = LogLine { kind, sender: sender.into(), target, text: text.into() };
        assert_eq!(line, Read::Line(wanted));
    }

    #[rstest]
    #[case::names("2026-11-01 14:03:32\t--\tChannel #a: 3 nicks", Read::Other)]
    #[case::own_nick("2026-11-01 14:03:32\t--\tYou are now known as rob", Read::Other)]
    #[case::begin("2026-11-01 14:03:32\t\t****  Beginning of log", Read::Other)]
    #[case::no_time("yesterday\tbob\thi", Read::Bad)]
    #[case::no_tabs("2026-11-01 14:03:32 bob hi", Read::Bad)]
    #[case::nothing("", Read::Bad)]
    fn what_is_no_line_of_a_conversation_is_known_as_such(#[case] line: &str, #[case] wanted: Read) {
        assert_eq!(read(line).1, wanted);
    }

    #[test]
    fn a_files_name_tells_its_buffer() {
        assert_eq!(buffer_of("irc.libera.#rust.weechatlog"), Some(("libera", "#rust")));
        assert_eq!(buffer_of("irc.libera.#a.b.weechatlog"), Some(("libera", "#a.b")));
        assert_eq!(buffer_of("irc.server.libera.weechatlog"), None);
        assert_eq!(buffer_of("core.weechat.weechatlog"), None);
        assert_eq!(file_of("libera", "#Rust/x"), "irc.libera.#rust_x.weechatlog");
    }
}
