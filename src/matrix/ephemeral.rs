//! What passes: who types, who has read how far, and who is there. It comes in transactions beside the events, is kept nowhere and may
//! be lost.
//!
//! Invariant 6: nothing is read here but what came in the ephemeral array.
//!
//! Spec: Matrix application service API, "Pushing ephemeral data"; client-server API, "Typing Notifications", "Receipts",
//! "Presence".

use serde::Deserialize;
use serde_json::Value;

/// Something that passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ephemeral {
    /// In a room.
    InRoom {
        /// Which one.
        room_id: String,
        /// What.
        kind: EphemeralKind,
    },
    /// Whether somebody is there.
    Presence {
        /// Who.
        user_id: String,
        /// They are, and not idle.
        is_here: bool,
    },
}

/// What passes in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EphemeralKind {
    /// These users type now, and nobody else.
    Typing(Vec<String>),
    /// These users have read up to these events.
    Read(Vec<(String, String)>),
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "type")]
    kind: String,
    room_id: Option<String>,
    sender: Option<String>,
    #[serde(default)]
    content: Value,
}

impl Ephemeral {
    /// Reads what came; `None` for what is of no use here.
    pub fn read(json: &str) -> Option<Self> {
        let Raw { kind, room_id, sender, content } = serde_json::from_str(json).ok()?;
        if kind == "m.presence" {
            // What else there may be means that somebody is there, such as that they are busy.
            let is_here = !matches!(content["presence"].as_str()?, "unavailable" | "offline");
            return Some(Self::Presence { user_id: sender?, is_here });
        }
        let kind = match kind.as_str() {
            "m.typing" => {
                let users = content["user_ids"].as_array()?.iter();
                EphemeralKind::Typing(users.filter_map(|user| user.as_str().map(str::to_owned)).collect())
            }
            "m.receipt" => {
                let mut read = Vec::new();
                for (event_id, receipts) in content.as_object()? {
                    // A private receipt is told to nobody, IRC included.
                    let users = receipts["m.read"].as_object().into_iter().flat_map(|users| users.keys());
                    read.extend(users.map(|user| (user.clone(), event_id.clone())));
                }
                EphemeralKind::Read(read)
            }
            _ => return None,
        };
        Some(Self::InRoom { room_id: room_id?, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case::typing(json!({"type": "m.typing", "room_id": "!r", "content": {"user_ids": ["@a:x", 7]}}),
        Some(EphemeralKind::Typing(vec!["@a:x".into()])))]
    #[case::nobody_types(json!({"type": "m.typing", "room_id": "!r", "content": {"user_ids": []}}),
        Some(EphemeralKind::Typing(Vec::new())))]
    #[case::read(json!({"type": "m.receipt", "room_id": "!r", "content": {"$e": {"m.read": {"@a:x": {"ts": 1}}}}}),
        Some(EphemeralKind::Read(vec![("@a:x".into(), "$e".into())])))]
    #[case::read_in_private(json!({"type": "m.receipt", "room_id": "!r",
        "content": {"$e": {"m.read.private": {"@a:x": {"ts": 1}}}}}), Some(EphemeralKind::Read(Vec::new())))]
    #[case::nonsense(json!({"type": "m.typing", "room_id": "!r", "content": 7}), None)]
    #[case::without_a_room(json!({"type": "m.typing", "content": {"user_ids": []}}), None)]
    fn what_passes_is_read(#[case] json: Value, #[case] kind: Option<EphemeralKind>) {
        let in_room = kind.map(|kind| Ephemeral::InRoom { room_id: "!r".into(), kind });
        assert_eq!(Ephemeral::read(&json.to_string()), in_room);
    }

    #[rstest]
    #[case::here(json!({"presence": "online", "currently_active": true}), Some(true))]
    #[case::idle(json!({"presence": "unavailable"}), Some(false))]
    #[case::gone(json!({"presence": "offline", "last_active_ago": 1000}), Some(false))]
    #[case::busy(json!({"presence": "org.matrix.msc3026.busy"}), Some(true))]
    #[case::nonsense(json!({"presence": 7}), None)]
    #[case::nothing(json!({}), None)]
    fn presence_says_whether_somebody_is_there(#[case] content: Value, #[case] is_here: Option<bool>) {
        let json = json!({"type": "m.presence", "sender": "@a:x", "content": content}).to_string();
        let expected = is_here.map(|is_here| Ephemeral::Presence { user_id: "@a:x".into(), is_here });
        assert_eq!(Ephemeral::read(&json), expected);
    }
}
