//! What the bridge sends, as the content of Matrix events and as rows of the outbox.

use std::fmt::Write as _;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::format::{RichText, read_irc};
use crate::matrix::event::CONTENT_KEY;
use crate::store::{HistoryLine, NewOutbox, OutboxKind};

/// An event has at most 64 KiB, signatures and all; the HTML goes first when a text is too long for that.
const LONGEST_HTML: usize = 32 * 1024;
/// And no text is sent that is longer than this.
const LONGEST_BODY: usize = 24 * 1024;

/// No answer is longer than this, as JSON: the homeserver adds to it.
const LONGEST_ANSWER: usize = 56 * 1024;

/// The key in the notice of a gap: from when to when nothing was seen, in milliseconds since 1970.
pub(crate) const GAP_KEY: &str = "chat.towline.gap";

/// The reaction under a message that waits.
pub(crate) const HOURGLASS: &str = "⏳";

/// An event in a room, or what will be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EventReference {
    /// It is there.
    Event(String),
    /// The row with this transaction id becomes it.
    Row(String),
}

impl EventReference {
    fn put(&self, arguments: &mut Value) {
        match self {
            Self::Event(event_id) => arguments["event_id"] = event_id.as_str().into(),
            Self::Row(txn_id) => arguments["txn_id"] = txn_id.as_str().into(),
        }
    }
}

/// How a message is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageType {
    /// Somebody said it.
    Text,
    /// Somebody does it: `/me`.
    Emote,
    /// Routine: notifies nobody.
    Notice,
}

impl MessageType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Text => "m.text",
            Self::Emote => "m.emote",
            Self::Notice => "m.notice",
        }
    }
}

/// A text for the transaction id of a request, or to mark a room with: 128 random bits.
pub(crate) fn unique() -> String {
    let mut bytes = [0; 16];
    // Without randomness no id is unique, and nothing can be delivered once.
    crate::clock::random_bytes(&mut bytes).expect("the system has randomness");
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// The content of an `m.room.message`.
pub(crate) fn message(kind: MessageType, text: &RichText, mentioned: Option<&str>) -> Value {
    let mut body = text.to_plain();
    let html = text.to_html().filter(|html| html.len() <= LONGEST_HTML);
    if body.len() > LONGEST_BODY {
        let end = (0..=LONGEST_BODY).rev().find(|&end| body.is_char_boundary(end)).unwrap_or(0);
        body.truncate(end);
        body.push('…');
    }
    let mentions = mentioned.map_or_else(|| json!({}), |user| json!({ "user_ids": [user] }));
    let mut content = json!({ "msgtype": kind.as_str(), "body": body, "m.mentions": mentions });
    if let Some(html) = html {
        content["format"] = "org.matrix.custom.html".into();
        content["formatted_body"] = html.into();
    }
    content
}

/// The content of an `m.room.message` that is a picture.
pub(crate) fn picture(name: &str, source: &str, info: &Value) -> Value {
    json!({ "msgtype": "m.image", "body": name, "url": source, "info": info, "m.mentions": {} })
}

/// The content of an answer to a command: what does not fit is left out, and it says so.
pub(crate) fn answer(text: RichText) -> Value {
    let content = |text: &RichText| message(MessageType::Notice, text, None);
    let fits = |text: &RichText| {
        text.to_plain().len() <= LONGEST_BODY
            && text.to_html().is_none_or(|html| html.len() <= LONGEST_HTML)
            && content(text).to_string().len() <= LONGEST_ANSWER
    };
    content(&text.fitting("The rest does not fit into one message.", fits))
}

/// As [`answer`], in the place of an event that told how far it had come. What clients show that know no edits is its first
/// line, so that the event is no larger than one.
pub(crate) fn answer_in_place_of(text: RichText, event_id: &str) -> Value {
    let new = answer(text);
    let first = new["body"].as_str().and_then(|body| body.lines().next()).unwrap_or_default();
    json!({
        "msgtype": "m.notice",
        "body": format!("* {first}"),
        "m.mentions": {},
        "m.new_content": new,
        "m.relates_to": { "rel_type": "m.replace", "event_id": event_id },
    })
}

/// The content of an `m.room.topic` for a topic as IRC writes it: the plain text, and how it looks where that says more
/// (specification, "m.room.topic", since version 1.15).
pub(crate) fn topic(topic: &str) -> Value {
    let text = read_irc(topic).with_links();
    let plain = text.to_plain();
    let html = text.to_html().filter(|html| html.len() <= LONGEST_HTML);
    let mut content = json!({ "topic": plain });
    if let Some(html) = html {
        content["m.topic"] =
            json!({ "m.text": [{ "mimetype": "text/html", "body": html }, { "body": plain }] });
    }
    content
}

/// The address that clients show as a pill with the user's name (specification, "matrix.to navigation").
pub(crate) fn user_link(user_id: &str) -> String {
    let mut link = "https://matrix.to/#/".to_owned();
    for byte in user_id.bytes() {
        if byte.is_ascii_alphanumeric() || b"@:._=-+".contains(&byte) {
            link.push(char::from(byte));
        } else {
            let _ = write!(link, "%{byte:02X}");
        }
    }
    link
}

/// The content of an `m.reaction`, which names its row as a message does.
pub(crate) fn reaction(event_id: &str, key: &str, txn_id: &str) -> Value {
    let relation = json!({ "rel_type": "m.annotation", "event_id": event_id, "key": key });
    json!({ "m.relates_to": relation, CONTENT_KEY: txn_id })
}

/// Makes a message the answer to an event.
pub(crate) fn in_reply_to(mut content: Value, event_id: &str) -> Value {
    content["m.relates_to"] = json!({ "m.in_reply_to": { "event_id": event_id } });
    content
}

/// The row for a message.
pub(crate) fn message_row(
    room: i64,
    sender: &str,
    mut content: Value,
    history: Option<HistoryLine>,
) -> NewOutbox {
    let txn_id = unique();
    content[CONTENT_KEY] = txn_id.clone().into();
    row(room, sender, OutboxKind::Message, txn_id, &content, history)
}

/// The row for a state event of which a room has one.
pub(crate) fn state_row(room: i64, sender: &str, kind: &str, content: &Value) -> NewOutbox {
    keyed_state_row(room, sender, kind, "", content)
}

/// The row for a state event of which a room has one for each key.
pub(crate) fn keyed_state_row(
    room: i64,
    sender: &str,
    kind: &str,
    state_key: &str,
    content: &Value,
) -> NewOutbox {
    let arguments = json!({ "type": kind, "state_key": state_key, "content": content });
    row(room, sender, OutboxKind::State, unique(), &arguments, None)
}

/// The row that takes somebody out of a room.
pub(crate) fn kick_row(room: i64, sender: &str, user_id: &str, reason: &str) -> NewOutbox {
    let content = json!({ "membership": "leave", "reason": reason });
    let arguments = json!({ "type": "m.room.member", "state_key": user_id, "content": content });
    row(room, sender, OutboxKind::State, unique(), &arguments, None)
}

/// The row that takes somebody out of a shared room, unless they are in its channel again by then.
pub(crate) fn removal_row(room: i64, sender: &str, user_id: &str, reason: &str) -> NewOutbox {
    let content = json!({ "membership": "leave", "reason": reason });
    let arguments = json!({
        "type": "m.room.member", "state_key": user_id, "content": content, "unless_back": true,
    });
    row(room, sender, OutboxKind::State, unique(), &arguments, None)
}

/// Has a message notify somebody besides those whom it notifies.
pub(crate) fn mention(content: &mut Value, user_id: &str) {
    let users = &mut content["m.mentions"]["user_ids"];
    if !users.is_array() {
        *users = json!([]);
    }
    if let Some(users) = users.as_array_mut()
        && !users.iter().any(|known| known == user_id)
    {
        users.push(user_id.into());
    }
}

/// The row for a redaction.
pub(crate) fn redact_row(room: i64, sender: &str, event_id: &str, reason: &str) -> NewOutbox {
    let arguments = json!({ "event_id": event_id, "reason": reason });
    row(room, sender, OutboxKind::Redact, unique(), &arguments, None)
}

/// The row that takes back what was said on IRC, because it was taken back there.
pub(crate) fn take_back_row(room: i64, sender: &str, event: &EventReference, reason: &str) -> NewOutbox {
    let mut arguments = json!({ "reason": reason, "from_irc": true });
    event.put(&mut arguments);
    row(room, sender, OutboxKind::Redact, unique(), &arguments, None)
}

/// Makes a message the new text of an event of the same sender.
pub(crate) fn in_place_of(new: Value, event_id: &str) -> Value {
    let mut content = new.clone();
    let body = format!("* {}", new["body"].as_str().unwrap_or_default());
    content["body"] = body.into();
    if let Some(html) = new["formatted_body"].as_str() {
        content["formatted_body"] = format!("* {html}").into();
    }
    content["m.new_content"] = new;
    content["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": event_id });
    content
}

/// The row for a reaction to an event.
pub(crate) fn reaction_row(room: i64, sender: &str, event_id: &str, key: &str) -> NewOutbox {
    let arguments = json!({ "event_id": event_id, "key": key });
    row(room, sender, OutboxKind::Reaction, unique(), &arguments, None)
}

/// The row for a reaction to the event that another row, which comes before it, will have become.
pub(crate) fn reaction_to_row(room: i64, sender: &str, txn_id: &str, key: &str) -> NewOutbox {
    let arguments = json!({ "txn_id": txn_id, "key": key });
    row(room, sender, OutboxKind::Reaction, unique(), &arguments, None)
}

/// The row for a reaction to an event, or to what will be one.
pub(crate) fn reaction_to(room: i64, sender: &str, event: &EventReference, key: &str) -> NewOutbox {
    let mut arguments = json!({ "key": key });
    event.put(&mut arguments);
    row(room, sender, OutboxKind::Reaction, unique(), &arguments, None)
}

/// The row that takes back what another row, which comes before it, will have become.
pub(crate) fn unreact_row(room: i64, sender: &str, txn_id: &str) -> NewOutbox {
    let arguments = json!({ "txn_id": txn_id, "reason": "" });
    row(room, sender, OutboxKind::Redact, unique(), &arguments, None)
}

/// The row for an invitation.
pub(crate) fn invite_row(room: i64, sender: &str, user_id: &str) -> NewOutbox {
    row(room, sender, OutboxKind::Invite, unique(), &json!({ "user_id": user_id }), None)
}

/// The row for an invitation to a conversation of two.
pub(crate) fn direct_invite_row(room: i64, sender: &str, user_id: &str) -> NewOutbox {
    let arguments = json!({ "user_id": user_id, "is_direct": true });
    row(room, sender, OutboxKind::Invite, unique(), &arguments, None)
}

/// The row by which one ghost gives a room to another, and leaves it.
pub(crate) fn hand_over_row(room: i64, sender: &str, heir: &str) -> NewOutbox {
    let arguments = json!({ "user_id": heir, "hands_over": true });
    row(room, sender, OutboxKind::Invite, unique(), &arguments, None)
}

fn row(
    room: i64,
    sender: &str,
    kind: OutboxKind,
    txn_id: String,
    payload: &Value,
    history: Option<HistoryLine>,
) -> NewOutbox {
    NewOutbox {
        room,
        txn_id,
        sender: sender.to_owned(),
        kind,
        payload: payload.to_string(),
        ts: None,
        history,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Table;
    use rstest::rstest;

    #[test]
    fn a_text_too_long_for_an_event_is_cut_and_says_so() {
        let content = message(MessageType::Text, &RichText::new().bold("é".repeat(40_000)), None);
        let body = content["body"].as_str().unwrap();
        assert!(body.len() < LONGEST_BODY + 4 && body.ends_with('…'));
        assert!(content.get("formatted_body").is_none());
    }

    #[test]
    fn an_answer_too_long_for_an_event_keeps_its_look_and_says_that_it_is_cut() {
        let table = (0..5_000)
            .fold(Table::new(["one"]), |table, row| table.row([RichText::new().code(format!("\"{row}\""))]));
        let content = answer(RichText::new().details("5,000 rows", RichText::new().table(table)));
        assert!(content.to_string().len() <= LONGEST_ANSWER);
        let (body, html) = (content["body"].as_str().unwrap(), content["formatted_body"].as_str().unwrap());
        assert!(
            body.contains("\"0\"") && body.ends_with("The rest does not fit into one message."),
            "{body}"
        );
        assert!(html.ends_with("</table></details>The rest does not fit into one message."), "{html}");
    }

    #[rstest]
    #[case::plain("tea & cake", json!({ "topic": "tea & cake" }))]
    #[case::none("", json!({ "topic": "" }))]
    #[case::bold("\x02tea\x02", json!({ "topic": "tea", "m.topic": { "m.text":
        [{ "mimetype": "text/html", "body": "<b>tea</b>" }, { "body": "tea" }] } }))]
    #[case::a_link("see https://x.example", json!({ "topic": "see https://x.example", "m.topic": { "m.text": [
        { "mimetype": "text/html", "body": "see <a href=\"https://x.example\">https://x.example</a>" },
        { "body": "see https://x.example" },
    ] } }))]
    fn a_topic_has_its_look_where_there_is_one(#[case] on_irc: &str, #[case] content: Value) {
        assert_eq!(topic(on_irc), content);
    }

    #[test]
    fn a_pill_leads_to_its_user_whatever_the_id_holds() {
        assert_eq!(user_link("@irc_x_a=2fb:x.example"), "https://matrix.to/#/@irc_x_a=2fb:x.example");
        assert_eq!(user_link("@a/b?c#é:x"), "https://matrix.to/#/@a%2Fb%3Fc%23%C3%A9:x");
    }

    #[test]
    fn every_message_names_its_row_and_says_whom_it_mentions() {
        let row =
            message_row(1, "@b:x", message(MessageType::Text, &RichText::plain("hi"), Some("@a:x")), None);
        let content: Value = serde_json::from_str(&row.payload).unwrap();
        assert_eq!(content[CONTENT_KEY], row.txn_id);
        assert_eq!(content["m.mentions"]["user_ids"][0], "@a:x");
        assert_ne!(unique(), unique());
    }
}
