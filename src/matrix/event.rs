//! Events as the bridge sees them: one narrow type, read from the homeserver's JSON at the border.
//!
//! Invariant 6: an event is state if and only if it has a `state_key`; its type says nothing about that. What the
//! bridge has no use for becomes [`Content::Other`]. Reading is lenient: a field of the wrong type is a missing field.

mod attachment;
mod message;
mod wordless;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
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
    /// How its sender is called on IRC where somebody else's session says it for them: written here by the bridge.
    pub called: Option<Callings>,
}

/// Where an event has what its sender is called.
const CALLED: &str = "chat.towline.called";

/// What somebody is called, in each way that there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callings {
    /// By the name that people see of them in the room.
    pub displayed: String,
    /// By the first part of their id.
    pub localpart: String,
    /// By their id.
    pub id: String,
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
    /// The room has another topic.
    Topic(String),
    /// People have other powers in the room.
    PowerLevels {
        /// Those that it had, as far as the homeserver tells.
        before: Option<Levels>,
        /// Those that it has.
        after: Levels,
        /// Whether more is other than who has which power, and what speaking and the topic take.
        is_more: bool,
    },
    /// Others may join than before: `public`, `invite` and the like.
    JoinRule(String),
    /// Some other state of the room is not empty.
    State {
        /// Its type.
        kind: String,
        /// Its key.
        key: String,
    },
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
    /// What the membership was before, as far as the homeserver tells.
    pub before: Option<String>,
}

impl Member {
    /// Whether a ban is taken back by it.
    #[must_use]
    pub fn lifts_ban(&self) -> bool {
        self.membership == "leave" && self.before.as_deref() == Some("ban")
    }

    /// Whether somebody comes in by it, who may have been there before with another name or picture.
    #[must_use]
    pub fn comes_in(&self) -> bool {
        self.membership == "join" && self.before.as_deref().is_some_and(|before| before != "join")
    }
}

/// `m.room.power_levels`, as far as it says who may speak, set the topic, and do more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels {
    /// The powers of those that are named.
    pub users: BTreeMap<String, i64>,
    /// The power of all others.
    pub default: i64,
    /// What speaking takes.
    pub speaking: i64,
    /// What setting the topic takes.
    pub topic: i64,
}

impl Levels {
    fn read(content: &Value) -> Self {
        const MODERATOR: i64 = 50;
        let number = |value: &Value, default: i64| value.as_i64().unwrap_or(default);
        let state = number(&content["state_default"], MODERATOR);
        let users = content["users"].as_object().into_iter().flatten();
        Self {
            users: users.filter_map(|(user_id, level)| Some((user_id.clone(), level.as_i64()?))).collect(),
            default: number(&content["users_default"], 0),
            speaking: number(&content["events_default"], 0),
            topic: number(&content["events"]["m.room.topic"], state),
        }
    }

    /// What [`Self::read`] does not read, and what those have whom nobody names.
    fn rest(content: &Value) -> Value {
        let mut rest = content.clone();
        if let Some(rest) = rest.as_object_mut() {
            rest.remove("users");
            rest.remove("events_default");
        }
        if let Some(events) = rest.get_mut("events").and_then(Value::as_object_mut) {
            events.remove("m.room.topic");
        }
        rest
    }

    /// Somebody's power.
    #[must_use]
    pub fn level(&self, user_id: &str) -> i64 {
        self.users.get(user_id).copied().unwrap_or(self.default)
    }
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
    #[serde(default, rename = "chat.towline.called")]
    called: Value,
}

impl Event {
    /// An event's JSON with what its sender is called, whatever it said of that.
    ///
    /// # Errors
    /// When it is no JSON of an event.
    pub fn with_callings(json: &str, callings: &Callings) -> Result<String, serde_json::Error> {
        let mut event: serde_json::Map<String, Value> = serde_json::from_str(json)?;
        event.insert(CALLED.to_owned(), serde_json::to_value(callings)?);
        serde_json::to_string(&event)
    }

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
            called,
        } = header;
        let called = Callings::deserialize(called).ok();
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
                before: unsigned["prev_content"]["membership"].as_str().map(str::to_owned),
            }),
            ("m.room.encryption", Some(_)) => Content::Encryption,
            ("m.room.tombstone", Some(key)) if key.is_empty() => {
                room_id_in(&content["replacement_room"]).map_or(Content::Other, Content::Tombstone)
            }
            ("m.room.topic", Some(key)) if key.is_empty() => Content::Topic(text("topic")),
            ("m.room.join_rules", Some(key)) if key.is_empty() => Content::JoinRule(text("join_rule")),
            ("m.room.power_levels", Some(key)) if key.is_empty() => {
                let before = Some(&unsigned["prev_content"]).filter(|before| before.is_object());
                let is_more = before.is_none_or(|before| Levels::rest(before) != Levels::rest(&content));
                let before = before.map(Levels::read);
                Content::PowerLevels { before, after: Levels::read(&content), is_more }
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
            (kind, Some(key)) => {
                let said = wordless::read_state(kind, &content, &unsigned["prev_content"]);
                let is_empty = content.as_object().is_none_or(serde_json::Map::is_empty);
                match said {
                    Some(said) => Content::Message(said),
                    // Of most states an empty one is none; a room's alias may be taken by that.
                    None if is_empty && kind != "m.room.canonical_alias" => Content::Other,
                    None => Content::State { kind: kind.to_owned(), key },
                }
            }
        };
        Ok(Self { event_id, room_id, sender, sent_at, content, called })
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
        let message = json!({ "msgtype": "m.text", "body": "x" });
        assert!(matches!(read("m.room.message", None, &message), Content::Message(_)));
        assert!(matches!(read("m.room.message", Some(""), &message), Content::State { .. }));
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
    #[case::a_topic("m.room.topic", Some(""), json!({ "topic": "Tea" }), "Topic(\"Tea\")")]
    #[case::a_topic_with_a_key("m.room.topic", Some("x"), json!({ "topic": "Tea" }),
        "State { kind: \"m.room.topic\", key: \"x\" }")]
    #[case::a_message_of_that_type("m.room.topic", None, json!({ "topic": "Tea" }), "Other")]
    #[case::some_other_state("com.example", Some("x"), json!({ "a": 1 }), "State { kind: \"com.example\", key: \"x\" }")]
    #[case::one_that_is_empty("com.example", Some("x"), json!({}), "Other")]
    #[case::a_join_rule("m.room.join_rules", Some(""), json!({ "join_rule": "invite" }), "JoinRule(\"invite\")")]
    fn what_a_room_is_like_is_read_from_its_state(
        #[case] kind: &str,
        #[case] key: Option<&str>,
        #[case] content: Value,
        #[case] expected: &str,
    ) {
        assert_eq!(format!("{:?}", read(kind, key, &content)), expected);
    }

    #[test]
    fn a_power_is_a_number_and_else_that_of_all() {
        let content = json!({ "users": { "@a:x": 50, "@b:x": "100", "@c:x": 7.5 }, "users_default": 5,
            "events": { "m.room.topic": 25 } });
        let Content::PowerLevels { before: None, after, is_more: true } =
            read("m.room.power_levels", Some(""), &content)
        else {
            panic!("it is read otherwise");
        };
        let levels = ["@a:x", "@b:x", "@c:x", "@d:x"].map(|user_id| after.level(user_id));
        assert_eq!((levels, after.speaking, after.topic), ([50, 5, 5, 5], 0, 25));
    }

    #[rstest]
    #[case::a_user(json!({ "users": { "@b:x": 50 } }), false)]
    #[case::what_speaking_takes(json!({ "events_default": 50 }), false)]
    #[case::what_the_topic_takes(json!({ "events": { "m.room.topic": 50 } }), false)]
    #[case::another_event(json!({ "events": { "com.example": 0 } }), true)]
    #[case::everybody(json!({ "users_default": 50 }), true)]
    #[case::who_may_kick(json!({ "kick": 0 }), true)]
    #[case::nothing_that_can_be_read(json!({ "events": [] }), true)]
    fn a_change_of_powers_is_told_from_one_of_ranks_and_modes(#[case] change: Value, #[case] is_more: bool) {
        let before = json!({ "users": { "@a:x": 50 }, "events": {}, "kick": 50 });
        let mut content = before.clone();
        content.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let event = json!({ "event_id": "$1", "room_id": "!1", "sender": "@a:x", "type": "m.room.power_levels",
            "state_key": "", "content": content, "unsigned": { "prev_content": before } });
        let Content::PowerLevels { is_more: found, .. } = Event::read(&event.to_string()).unwrap().content
        else {
            panic!("it is read otherwise");
        };
        assert_eq!(found, is_more);
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
