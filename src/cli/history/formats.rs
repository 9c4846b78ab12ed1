//! The formats of an export, and those that an import reads.
//!
//! | format | written | read | what a file is |
//! |---|---|---|---|
//! | `json` | yes | no | an object on each line, with everything that is kept |
//! | `html` | yes | no | a page to read |
//! | `weechat` | yes | yes | `irc.NETWORK.#channel.weechatlog` |
//! | `znc` | yes | yes | `NETWORK/#channel/YYYY-MM-DD.log` |

pub(super) mod html;
pub(super) mod json;
pub(super) mod weechat;
pub(super) mod znc;

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct LogLine {
    /// As in [`HistoryLine::kind`](crate::store::HistoryLine::kind).
    pub(super) kind: &'static str,
    pub(super) sender: String,
    pub(super) target: Option<String>,
    pub(super) text: String,
}

impl LogLine {
    fn new(kind: &'static str, sender: &str, text: &str) -> Self {
        Self { kind, sender: sender.to_owned(), target: None, text: text.to_owned() }
    }
}

/// What a line of a log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Read {
    /// Somebody said or did something.
    Line(LogLine),
    /// Something that the history does not keep, such as who was there.
    Other,
    /// Nothing that can be understood.
    Bad,
}

/// `nick (user@host)`: the nick, and the address if there is one.
fn nick_and_address(text: &str) -> (&str, &str) {
    let (nick, rest) = text.split_once(' ').unwrap_or((text, ""));
    // Some write the account and the real name before the address.
    let address = rest.rsplit_once('(').map_or("", |(_, address)| address.trim_end().trim_end_matches(')'));
    (nick, address)
}

/// What stands in the parentheses at the end, which is a reason.
fn reason(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(text)
}

/// Text as one line of a log: what would end the line is a space.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}
