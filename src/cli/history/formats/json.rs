//! JSON: an object on each line, so that a program can read it as it comes.

use serde::Serialize;

use crate::store::{KeptLine, OwnBuffer};

#[derive(Serialize)]
struct Line<'a> {
    network: &'a str,
    buffer: &'a str,
    /// UTC, with milliseconds.
    time: String,
    kind: &'a str,
    sender: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    msgid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a str>,
    direction: &'a str,
}

/// The line for what happened in a buffer.
pub(in crate::cli::history) fn write(line: &KeptLine, buffer: &OwnBuffer) -> String {
    let time = jiff::Timestamp::from_millisecond(line.at).unwrap_or_default();
    let object = Line {
        network: &buffer.network,
        buffer: &buffer.name,
        time: time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        kind: &line.kind,
        sender: &line.sender,
        account: line.account.as_deref(),
        target: line.target.as_deref(),
        text: &line.text,
        msgid: line.msgid.as_deref(),
        event_id: line.event_id.as_deref(),
        direction: &line.direction,
    };
    // A struct of texts always is JSON.
    let mut text = serde_json::to_string(&object).unwrap_or_default();
    text.push('\n');
    text
}
