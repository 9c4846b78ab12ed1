//! Events as the bridge sees them: one narrow type, read from the homeserver's JSON at the border.
//!
//! Invariant 6: an event is state if and only if it has a `state_key`; its type says nothing about that. What the
//! bridge has no use for becomes [`Content::Other`]. Reading is lenient: a field of the wrong type is a missing field.

mod attachment;
mod message;
mod wordless;

use serde::Deserialize;
use serde_json::Value;

pub use self::attachment::{Attachment, Shape, Source};
pub use self::message::Message;

/// The key in the content of the bridge's own events: the transaction id of their outbox row.
pub const CONTENT_KEY: &str = "chat.towline.key";
/// The key in `m.room.create` of rooms that the bridge has made: the marker of their row.
pub const ROOM_MARKER: &str = "chat.towline.room";

/// An event.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its id.
    pub event_id: String,
    /// Its room.
    pub room_id: String,
    /// Who sent it.
    pub sender: String,
    /// When, by the homeserver's clock, in milliseconds since 1970. The sender may have made it up.
    pub sent_at: i64,
    /// What it says.
    pub content: Content,
}

/// What an event says.
#[derive(Debug, Clone)]
pub enum Content {
    /// Somebody's membership changed.
    Member(Member),
    /// Something was said.
    Message(Message),
    /// Something was said that the bridge can't read.
    Encrypted,
    /// The room is encrypted from now on.
    Encryption,
    /// The room was closed, and another is named in its place.
    Tombstone(String),
    /// Somebody reacted to an event.
    Reaction(Reaction),
    /// Somebody took an event back: its id.
    Redaction(String),
    /// Anything else.
    Other,
}

/// A membership event.
#[derive(Debug, Clone)]
pub struct Member {
    /// Whose membership.
    pub user_id: String,
    /// `invite`, `join`, `leave`, `ban` or `knock`.
    pub membership: String,
    /// Why, if that was said.
    pub reason: String,
    /// Whether the invitation is to a direct chat.
    pub is_direct: bool,
    /// Whether the room is encrypted, as far as the invitation tells.
    pub encrypted: bool,
    /// The room that it comes after, as far as the invitation tells.
    pub predecessor: Option<String>,
}

/// An `m.reaction`.
#[derive(Debug, Clone)]
pub struct Reaction {
    /// The event that it is about.
    pub to: String,
    /// Usually an emoji.
    pub key: String,
}

#[derive(Deserialize)]
struct Header {
    event_id: String,
    room_id: String,
    sender: String,
    #[serde(rename = "type")]
    kind: String,
    state_key: Option<String>,
    /// Of a redaction; since room version 11 it stands in the content.
    #[serde(default)]
    redacts: Value,
    #[serde(default)]
    origin_server_ts: Value,
    #[serde(default)]
    content: Value,
    #[serde(default)]
    unsigned: Value,
}

impl Event {
    /// Reads an event.
    ///
    /// # Errors
    /// When it lacks what every event has.
    pub fn read(json: &str) -> Result<Self, serde_json::Error> {
        let header: Header = serde_json::from_str(json)?;
        let Header {
            event_id,
            room_id,
            sender,
            kind,
            state_key,
            redacts,
            origin_server_ts,
            content,
            unsigned,
        } = header;
        let sent_at = origin_server_ts.as_i64().unwrap_or_default();
        let text = |name: &str| content[name].as_str().unwrap_or_default().to_owned();
        // What was taken back says nothing any more; of state something is left that counts.
        let is_redacted = state_key.is_none() && unsigned["redacted_because"].is_object();
        let content = match (kind.as_str(), state_key) {
            _ if is_redacted => Content::Other,
            ("m.room.member", Some(user_id)) => Content::Member(Member {
                user_id,
                membership: text("membership"),
                reason: text("reason"),
                is_direct: content["is_direct"].as_bool().unwrap_or(false),
                encrypted: stripped(&unsigned, "m.room.encryption").is_some(),
                predecessor: stripped(&unsigned, "m.room.create")
                    .and_then(|create| room_id_in(&create["content"]["predecessor"]["room_id"])),
            }),
            ("m.room.encryption", Some(_)) => Content::Encryption,
            ("m.room.tombstone", Some(key)) if key.is_empty() => {
                room_id_in(&content["replacement_room"]).map_or(Content::Other, Content::Tombstone)
            }
            ("m.room.encrypted", None) => Content::Encrypted,
            // The verification of a device is between clients.
            ("m.room.message", None) if text("msgtype").starts_with("m.key.verification.") => Content::Other,
            ("m.room.message", None) => Content::Message(Message::read(&content)),
            ("m.reaction", None) => {
                let relation = &content["m.relates_to"];
                match (event_id_in(&relation["event_id"]), relation["key"].as_str()) {
                    (Some(to), Some(key)) if relation["rel_type"] == "m.annotation" => {
                        Content::Reaction(Reaction { to, key: key.to_owned() })
                    }
                    _ => Content::Other,
                }
            }
            ("m.room.redaction", None) => {
                let redacted = event_id_in(&content["redacts"]).or_else(|| event_id_in(&redacts));
                redacted.map_or(Content::Other, Content::Redaction)
            }
            (kind, None) => wordless::read(kind, &content).map_or(Content::Other, Content::Message),
            (kind, Some(_)) => {
                let before = &unsigned["prev_content"];
                wordless::read_state(kind, &content, before).map_or(Content::Other, Content::Message)
            }
        };
        Ok(Self { event_id, room_id, sender, sent_at, content })
    }
}

/// A state of the room that an invitation shows.
fn stripped<'a>(unsigned: &'a Value, kind: &str) -> Option<&'a Value> {
    unsigned["invite_room_state"].as_array()?.iter().find(|event| event["type"] == kind)
}

/// The id of a room that an event names.
fn room_id_in(value: &Value) -> Option<String> {
    event_id_in(value).filter(|id| id.starts_with('!'))
}

/// The id of an event that another one names: not what only looks like one, and what no database stores.
fn event_id_in(value: &Value) -> Option<String> {
    const LONGEST: usize = 255;
    let id = value.as_str().filter(|id| id.len() <= LONGEST && !id.contains('\0'))?;
    Some(id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    /// PostgreSQL refuses NUL, and the event would end the session again and again.
    #[rstest]
    #[case::reaction("m.reaction", json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": "$\0", "key": "x"}}))]
    #[case::redaction("m.room.redaction", json!({"redacts": "$\0"}))]
    #[case::poll("m.poll.end", json!({"m.relates_to": {"rel_type": "m.reference", "event_id": "$\0"}}))]
    #[case::message("m.room.message", json!({"body": "x", "m.relates_to": {"rel_type": "m.thread", "event_id": "$\0",
        "m.in_reply_to": {"event_id": "$\0"}}}))]
    #[case::edit("m.room.message", json!({"body": "x", "m.relates_to": {"rel_type": "m.replace", "event_id": "$\0"}}))]
    fn an_id_with_nul_in_it_names_nothing(#[case] kind: &str, #[case] content: Value) {
        match read(kind, None, &content) {
            Content::Reaction(_) | Content::Redaction(_) => panic!("it names something"),
            Content::Message(message) => {
                assert_eq!((message.replaces, message.replies_to, message.thread), (None, None, None));
            }
            _ => {}
        }
    }

    #[test]
    fn the_verification_of_a_device_is_nobodys_message() {
        let content =
            json!({"msgtype": "m.key.verification.request", "body": "Alice is requesting to verify"});
        assert!(matches!(read("m.room.message", None, &content), Content::Other));
    }

    fn read(kind: &str, state_key: Option<&str>, content: &Value) -> Content {
        let mut event =
            json!({ "event_id": "$e", "room_id": "!r", "sender": "@a:x", "type": kind, "content": content });
        if let Some(key) = state_key {
            event["state_key"] = key.into();
        }
        Event::read(&event.to_string()).unwrap().content
    }

    #[test]
    fn invariant_6_the_presence_of_a_state_key_decides_not_the_type() {
        let member = json!({ "membership": "invite" });
        assert!(matches!(read("m.room.member", None, &member), Content::Other));
        assert!(matches!(read("m.room.member", Some("@b:x"), &member), Content::Member(_)));
        assert!(matches!(read("m.room.message", Some(""), &json!({ "body": "x" })), Content::Other));
        assert!(matches!(read("m.room.encrypted", Some(""), &json!({})), Content::Other));
    }

    #[rstest]
    #[case::a_reaction(json!({"rel_type": "m.annotation", "event_id": "$o", "key": "✅"}), Some(("$o", "✅")))]
    #[case::without_a_key(json!({"rel_type": "m.annotation", "event_id": "$o"}), None)]
    #[case::of_another_type(json!({"rel_type": "m.thread", "event_id": "$o", "key": "✅"}), None)]
    #[case::nothing(json!(null), None)]
    fn a_reaction_names_its_event_and_its_key(#[case] relation: Value, #[case] wanted: Option<(&str, &str)>) {
        let content = read("m.reaction", None, &json!({ "m.relates_to": relation }));
        let found = match &content {
            Content::Reaction(reaction) => Some((reaction.to.as_str(), reaction.key.as_str())),
            _ => None,
        };
        assert_eq!(found, wanted);
    }

    #[rstest]
    #[case::up_to_room_version_10(json!({"redacts": "$o", "content": {}}), Some("$o"))]
    #[case::since_room_version_11(json!({"content": {"redacts": "$o"}}), Some("$o"))]
    #[case::of_nothing(json!({"redacts": 7, "content": {}}), None)]
    fn a_redaction_names_its_event(#[case] parts: Value, #[case] wanted: Option<&str>) {
        let mut event =
            json!({ "event_id": "$e", "room_id": "!r", "sender": "@a:x", "type": "m.room.redaction" });
        event.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
        let found = match Event::read(&event.to_string()).unwrap().content {
            Content::Redaction(event_id) => Some(event_id),
            _ => None,
        };
        assert_eq!(found.as_deref(), wanted);
    }

    #[rstest]
    #[case::of_a_room(Some(""), json!({"replacement_room": "!new"}), Some("!new"))]
    #[case::of_nothing(Some(""), json!({}), None)]
    #[case::of_no_room(Some(""), json!({"replacement_room": "#new"}), None)]
    #[case::that_is_a_message(None, json!({"replacement_room": "!new"}), None)]
    #[case::with_a_key(Some("x"), json!({"replacement_room": "!new"}), None)]
    fn a_tombstone_names_another_room(
        #[case] key: Option<&str>,
        #[case] content: Value,
        #[case] room: Option<&str>,
    ) {
        let found = match read("m.room.tombstone", key, &content) {
            Content::Tombstone(room) => Some(room),
            _ => None,
        };
        assert_eq!(found.as_deref(), room);
    }

    #[test]
    fn what_is_left_of_a_redacted_message_says_nothing() {
        let event = json!({ "event_id": "$e", "room_id": "!r", "sender": "@a:x", "type": "m.room.message",
            "content": {}, "unsigned": { "redacted_because": { "event_id": "$r" } } });
        assert!(matches!(Event::read(&event.to_string()).unwrap().content, Content::Other));
    }
}
