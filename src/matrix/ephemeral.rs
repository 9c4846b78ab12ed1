//! What passes: who types, and who has read how far. It comes in transactions beside the events, is kept nowhere and may
//! be lost.
//!
//! Invariant 6: nothing is read here but what came in the ephemeral array.
//!
//! Spec: Matrix application service API, "Pushing ephemeral data"; client-server API, "Typing Notifications", "Receipts".

use serde::Deserialize;
use serde_json::Value;

/// Something that passes, in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ephemeral {
    /// The room.
    pub room_id: String,
    /// What.
    pub kind: EphemeralKind,
}

/// What passes.
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
    room_id: String,
    #[serde(default)]
    content: Value,
}

impl Ephemeral {
    /// Reads what came; `None` for what is of no use here.
    pub fn read(json: &str) -> Option<Self> {
        let Raw { kind, room_id, content } = serde_json::from_str(json).ok()?;
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
        Some(Self { room_id, kind })
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
    #[case::presence(json!({"type": "m.presence", "room_id": "!r", "content": {}}), None)]
    #[case::nonsense(json!({"type": "m.typing", "room_id": "!r", "content": 7}), None)]
    #[case::without_a_room(json!({"type": "m.typing", "content": {"user_ids": []}}), None)]
    fn what_passes_is_read(#[case] json: Value, #[case] kind: Option<EphemeralKind>) {
        assert_eq!(Ephemeral::read(&json.to_string()).map(|passing| passing.kind), kind);
    }
}
